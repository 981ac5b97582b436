"""Problems for the kernels, with the reference's answers and bounds on what may be lost."""

from __future__ import annotations

import math
from functools import cache, cached_property

import numpy as np
import pytest

from gaussmix._estep import scoring
from gaussmix._parameters.mixture import MixtureParameters
from gaussmix._rows import array_rows
from support import reference
from support.families import COVARIANCE_TYPES
from support.reference import Mixture

DTYPES = (np.float64, np.float32)


# (rows, features, components): every value of each list the kernels could treat apart (tile edges,
# unrolled small dimensions, one and two register tiles, remainders) occurs at least once, in odd
# company.
SIZES = (
    (1, 1, 1),
    (1, 65, 3),
    (2, 3, 2),
    (7, 8, 5),
    (7, 2, 1),
    (23, 5, 8),
    (24, 4, 13),
    (25, 9, 3),
    (25, 24, 2),
    (191, 7, 2),
    (191, 33, 5),
    (193, 13, 13),
    (193, 1, 8),
    (193, 16, 1),
    (1000, 10, 8),
    (1000, 17, 3),
    (1000, 23, 2),
    (1000, 25, 1),
    (1000, 31, 13),
    (1000, 40, 5),
    (1000, 65, 2),
    (4099, 1, 2),
    (4099, 2, 3),
    (4099, 3, 5),
    (4099, 8, 1),
    (4099, 10, 13),
    (4099, 33, 3),
)


class Problem:
    """A mixture, rows of it, weights with zeros among them, and the reference's answers."""

    def __init__(self, covariance_type: str, n: int, d: int, K: int, dtype: type) -> None:
        rng = np.random.default_rng([n, d, K, COVARIANCE_TYPES.index(covariance_type)])
        self.mixture = reference.random_mixture(rng, covariance_type, K, d)
        self.X = reference.draw(rng, self.mixture, n).astype(dtype)
        self.sample_weight = rng.uniform(0.0, 2.0, n) * (rng.random(n) > 0.2) + (n == 1)
        self.scores = reference.weighted_log_densities(self.mixture, self.X)
        self.log_density, self.responsibilities = reference.normalise(self.scores)
        self.precision = float(np.finfo(dtype).eps)

    @cached_property
    def score_error(self) -> float:
        """Bound on the error of a weighted log-density within 60 nats of the row's best.

        The terms are squares of U'(x - mean), or of U'x and U'mean apart, plus d logarithms; a sum
        of d products in working precision loses a few units in the last place of their magnitude.
        """
        mixture = self.mixture
        origin = mixture.weights @ mixture.means
        spread = reference.squared_distances(
            Mixture(
                mixture.covariance_type,
                mixture.weights,
                np.tile(origin, (mixture.n_components, 1)),
                mixture.covariances,
            ),
            np.vstack([self.X, mixture.means]),
        ).max()
        return 8 * self.precision * (spread + mixture.n_features + 60.0)


@cache
def problem(covariance_type: str, n: int, d: int, K: int, dtype: type) -> Problem:
    return Problem(covariance_type, n, d, K, dtype)


def assert_statistics(
    given: object,
    X: np.ndarray,
    shares: np.ndarray,
    *,
    error: float,
    log_likelihood: float | None = None,
) -> None:
    """Each entry of the statistics is the sum of shares within ``error`` times its magnitude."""
    covariance_type = given.covariance_type
    expected = reference.sums_about(X, shares, given.shift, covariance_type)
    scale = reference.sums_about(X, shares, given.shift, covariance_type, magnitudes=True)
    for name, value, target, magnitude in zip(
        ("weight", "first", "second"),
        (given.weight, given.first, given.second),
        expected,
        scale,
        strict=True,
    ):
        assert value.dtype == np.float64
        assert value.shape == target.shape
        # A pair dropped at 60 nats would have added less than exp(-60) of a row.
        bound = error * magnitude + 1e-24 * (1.0 + magnitude.max())
        excess = np.abs(value - target) / bound
        assert excess.max() <= 1.0, f"{name}: {excess.max():.3g} times the bound"
    if covariance_type in ("full", "tied"):
        np.testing.assert_array_equal(given.second, np.swapaxes(given.second, -1, -2))
    np.testing.assert_allclose(given.total_weight, shares.sum(), rtol=1e-12)
    assert given.n_rows == len(X)
    if log_likelihood is not None:
        assert given.log_likelihood == pytest.approx(
            log_likelihood, abs=error * max(1.0, shares.sum())
        )


def evaluate(
    mixture_parameters: MixtureParameters, rows: array_rows.Rows
) -> tuple[np.ndarray, ...]:
    """All three outputs of one evaluation: log-densities, responsibilities, labels."""
    n, K = rows.n_samples, mixture_parameters.n_components
    log_density = np.full(n, np.nan, dtype=rows.dtype)
    shares = np.full((n, K), np.nan, dtype=rows.dtype)
    labels = np.full(n, -1, dtype=np.intp)
    scoring.evaluate(
        mixture_parameters, rows, log_density=log_density, responsibilities=shares, labels=labels
    )
    return log_density, shares, labels


def same_statistics(left: object, right: object) -> None:
    """Equal to the last bit."""
    for name in ("weight", "first", "second", "shift"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    assert left.log_likelihood == right.log_likelihood or (
        math.isnan(left.log_likelihood) and math.isnan(right.log_likelihood)
    )
    assert left.total_weight == right.total_weight
