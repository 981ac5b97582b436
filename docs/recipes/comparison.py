"""What the recipes share: example rows, and a fit in one process to compare with."""

from __future__ import annotations

import numpy as np

from gaussmix import GaussianMixture


def example(n: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three overlapping components, (n, 4), and weights, some of them zero."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0, 0, 0], [3, 2, 0, 0], [0, 2, 3, 2]])
    X = means[rng.integers(3, size=n)] + rng.normal(size=(n, 4)) * [1.0, 0.5, 2.0, 1.0]
    return X, rng.integers(0, 4, size=n).astype(float)


def compare(
    model: GaussianMixture,
    start: GaussianMixture,
    X: np.ndarray,
    sample_weight: np.ndarray | None,
) -> None:
    """Fit all rows here, from the same start, and print how far off `model` is."""
    alone = GaussianMixture.from_parameters(
        start.weights_, start.means_, start.covariances_, warm_start=True, tol=start.tol
    ).fit(X, sample_weight=sample_weight)
    differences = [
        np.abs(getattr(model, name) - value).max() / np.abs(value).max()
        for name, value in (
            ("weights_", alone.weights_),
            ("means_", alone.means_),
            ("covariances_", alone.covariances_),
        )
    ]
    print(f"iterations: {model.n_iter_}, in one process: {alone.n_iter_}")
    print(f"largest relative difference of a parameter: {max(differences):.1e}")
