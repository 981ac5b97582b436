"""The eight shapes of the comparison: their rows, common start, and least arithmetic."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Shape:
    """Rows, features, components, family, and the number of EM iterations that are timed."""

    n: int
    d: int
    K: int
    covariance_type: str
    iterations: int

    @property
    def name(self) -> str:
        return f"{self.n}x{self.d}-{self.K}-{self.covariance_type}"

    def tiny(self) -> Shape:
        """The same kind of shape, small enough to show only that everything runs."""
        return replace(self, n=min(self.n, 2000), d=min(self.d, 8), K=min(self.K, 4))


SHAPES = (
    Shape(1_000_000, 2, 3, "full", 10),
    Shape(1_000_000, 10, 8, "full", 4),
    Shape(200_000, 32, 16, "full", 4),
    Shape(50_000, 128, 32, "full", 3),
    Shape(200_000, 39, 512, "diag", 2),
    Shape(200_000, 64, 64, "diag", 8),
    Shape(200_000, 32, 16, "tied", 6),
    Shape(200_000, 32, 16, "spherical", 20),
)


@dataclass(frozen=True)
class Start:
    """Parameters every library starts from; precisions in scikit-learn's shapes."""

    covariance_type: str
    weights: np.ndarray
    means: np.ndarray
    precisions: np.ndarray

    @property
    def covariances(self) -> np.ndarray:
        """The inverse of the precisions, in the same shape."""
        matrices = self.covariance_type in ("full", "tied")
        return np.linalg.inv(self.precisions) if matrices else 1.0 / self.precisions

    def save(self, path: Path) -> None:
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> Start:
        with np.load(path) as arrays:
            return cls(**{**arrays, "covariance_type": str(arrays["covariance_type"])})


def rows(shape: Shape, seed: int = 0) -> np.ndarray:
    """Rows of a random mixture, (n, d) float64."""
    return labelled_rows(shape, seed)[0]


def labelled_rows(
    shape: Shape, seed: int = 0, spread: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a random mixture, (n, d) float64, and the component of each, (n,).

    K means N(0, spread^2 I); a row of component k is N(0, I) times A_k' / sqrt(d) + 0.3 I plus the
    mean, A_k standard normal; components equally likely. Rows are made a component at a time: no
    second array of the size of X.
    """
    rng = np.random.default_rng(seed)
    means = spread * rng.standard_normal((shape.K, shape.d))
    roots = rng.standard_normal((shape.K, shape.d, shape.d)) / np.sqrt(shape.d)
    labels = rng.integers(shape.K, size=shape.n)
    X = np.empty((shape.n, shape.d))
    for k in range(shape.K):
        chosen = np.flatnonzero(labels == k)
        noise = rng.standard_normal((len(chosen), shape.d))
        X[chosen] = noise @ (roots[k].T + 0.3 * np.eye(shape.d)) + means[k]
    return X, labels


def spherical_rows(shape: Shape, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of components N(mean, I), (n, d), and the component of each, (n,).

    Means N(0, apart^2 / 2d I), so that two are ``apart`` deviations apart, root mean square.
    """
    rng = np.random.default_rng(0)
    means = apart / np.sqrt(2 * shape.d) * rng.standard_normal((shape.K, shape.d))
    noise = rng.standard_normal((shape.n, shape.d))
    labels = rng.integers(shape.K, size=shape.n)
    return means[labels] + noise, labels


def common_start(shape: Shape, X: np.ndarray, seed: int = 1) -> Start:
    """Equal weights, K rows as means, the covariance of all rows for every component.

    Broad and alike, so that a library which skips components far from a row gains nothing from the
    start.
    """
    chosen = np.random.default_rng(seed).choice(len(X), size=shape.K, replace=False)
    covariance = np.atleast_2d(np.cov(X[:: max(1, len(X) // 50_000)].T))
    precision = np.linalg.inv(covariance)
    precisions = {
        "full": lambda: np.repeat(precision[None], shape.K, axis=0),
        "tied": lambda: precision,
        "diag": lambda: np.repeat(1.0 / np.diag(covariance)[None], shape.K, axis=0),
        "spherical": lambda: np.full(shape.K, shape.d / np.trace(covariance)),
    }[shape.covariance_type]()
    weights = np.full(shape.K, 1.0 / shape.K)
    return Start(shape.covariance_type, weights, X[chosen].copy(), precisions)


def minimum_flops(shape: Shape) -> float:
    """Additions and multiplications an EM iteration cannot do without; exponentials are not
    counted.

    full: the triangular product, its square and the difference from the mean in the E-step, one
    triangle of the second moment in the M-step. tied: x' P x is the same for every component and
    sum x x' the same in every iteration, which leaves two products with the means. diag and
    spherical: the same sums over the diagonal alone.
    """
    n, d, K = shape.n, shape.d, shape.K
    return {
        "full": n * K * (2 * d * d + 6 * d + 2) + n * d * (d + 1) / 2,
        "tied": n * K * 4 * d,
        "diag": n * K * 8 * d,
        "spherical": n * K * (4 * d + 4),
    }[shape.covariance_type]
