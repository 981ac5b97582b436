"""Rows with missing values, models that allow them, and what is checked of those."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import numpy as np

from gaussmix import ConvergenceWarning, GaussianMixture
from support import reference
from support.models import model_of
from support.reference import Mixture


def holed(rng: np.random.Generator, X: np.ndarray, share: float) -> np.ndarray:
    """A copy of X without a share of its values, at random; each column keeps one."""
    holes = rng.random(X.shape) < share
    holes[rng.integers(len(X), size=X.shape[1]), np.arange(X.shape[1])] = False
    return np.where(holes, X.dtype.type(np.nan), X)


def every_pattern(X: np.ndarray) -> np.ndarray:
    """A copy of X in which the bits of a row's number say what is missing: nothing in row 0."""
    bits = np.arange(len(X))[:, None] >> np.arange(X.shape[1]) & 1
    return np.where(bits, X.dtype.type(np.nan), X)


def three_clusters(n: int = 300, d: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three clusters far apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    centres = 10.0 * np.array([np.resize(signs, d) for signs in ((0, 0), (1, 1), (1, -1))])
    return centres[labels] + rng.normal(size=(n, d)), labels


def telling(X: np.ndarray) -> np.ndarray:
    """Which of `three_clusters` have values that tell: centres differ in the odd columns."""
    return ~np.isnan(X[:, 1::2]).all(axis=1)


def starting_at(mixture: Mixture) -> dict[str, object]:
    """A reference mixture as the constructor's parameters."""
    matrices = mixture.covariance_type in ("full", "tied")
    covariances = mixture.covariances
    return {
        "n_components": mixture.n_components,
        "covariance_type": mixture.covariance_type,
        "weights_init": mixture.weights,
        "means_init": mixture.means,
        "precisions_init": np.linalg.inv(covariances) if matrices else 1.0 / covariances,
    }


def tolerant(mixture: Mixture, **params: object) -> GaussianMixture:
    """A fitted model with the parameters of a reference mixture, which allows NaN."""
    return model_of(mixture, **{"allow_nan": True} | params)


@contextlib.contextmanager
def unfinished() -> Iterator[None]:
    """Fits that may stop before they converge, of rows without a value and columns with one.

    Any other warning is an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"\d+ of the \d+ rows of X have no value")
        warnings.filterwarnings("ignore", "X is constant in column")
        warnings.filterwarnings("ignore", "reg_covar=.* is added to every variance")
        warnings.filterwarnings("ignore", ".*did not converge", category=ConvergenceWarning)
        yield


def fitted(X: np.ndarray, sample_weight: np.ndarray | None = None, **params) -> GaussianMixture:
    """A model fitted with allow_nan, whether it converges or not."""
    with unfinished():
        return GaussianMixture(**{"allow_nan": True} | params).fit(X, sample_weight=sample_weight)


def converged(X: np.ndarray, sample_weight: np.ndarray | None = None, **params) -> GaussianMixture:
    """The model that EM tends to, nothing added to the variances."""
    return fitted(X, sample_weight, **{"tol": 0.0, "reg_covar": 0.0, "max_iter": 500} | params)


def assert_is(model: GaussianMixture, mixture: Mixture, tolerance: float) -> None:
    """Check a model's parameters against the reference, relative to the deviations."""
    deviations = np.sqrt(np.diagonal(reference.dense_covariances(mixture), axis1=1, axis2=2))
    np.testing.assert_allclose(model.weights_, mixture.weights, atol=tolerance)
    assert (np.abs(model.means_ - mixture.means) <= tolerance * deviations).all()
    largest = deviations.max() ** 2
    np.testing.assert_allclose(
        model.covariances_, mixture.covariances, rtol=tolerance, atol=tolerance * largest
    )


def assert_close_statistics(found, expected: reference.Statistics, tolerance: float) -> None:
    """Check statistics about the reference's shift, relative to the largest sum of each kind."""
    found = found.shifted(expected.shift)
    for name in ("weight", "first", "second"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.shape == theirs.shape
        scale = max(np.abs(theirs).max(), expected.weight.sum())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale, err_msg=name)
    np.testing.assert_allclose(
        found.log_likelihood, expected.log_likelihood, rtol=tolerance, atol=tolerance
    )


# n, d, K: a single row or column, every pattern of five columns and more rows than that, a row
# that is wider than a machine word has bits, and enough features for single precision.
SIZES = [(2, 1, 1), (9, 1, 3), (3, 2, 1), (40, 5, 3), (4, 70, 2), (50, 20, 2)]


def case(
    size: tuple[int, int, int], covariance_type: str, dtype: type = np.float64, seed: int = 0
) -> tuple[Mixture, np.ndarray, np.ndarray]:
    """A mixture, rows of it with missing values, all of them in the last, and row weights."""
    n, d, K = size
    rng = np.random.default_rng([seed, *size])
    mixture = reference.random_mixture(rng, covariance_type, K, d)
    X = reference.draw(rng, mixture, n).astype(dtype)
    X = every_pattern(X) if size == (40, 5, 3) else holed(rng, X, 0.4)
    if d > 64:
        X[0] = X[1] = 1.0
        X[0, 68] = X[1, 69] = np.nan  # two patterns that are one in the first 64 columns
    if n > 3:
        X[-1] = np.nan
    return mixture, X, rng.uniform(0.5, 3.0, n)
