"""Shares too small to count are left out of sums, and only there.

Where most components have no part in most rows the kernels skip strips of rows, gather the rows
of a component, and stop scores early. None of it may change a sum by more than its rounding, nor
any bit of what is said of a single row.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from mpmath import mp

from gaussmix import GaussianMixture
from gaussmix._estep import accumulation, scoring
from gaussmix._rows import array_rows
from support import reference
from support.families import COVARIANCE_TYPES
from support.kernels import assert_statistics, evaluate, same_statistics
from support.models import parameters_of as parameters
from support.reference import Mixture

DTYPES = (np.float64, np.float32)


def separated(
    covariance_type: str, d: int, n: int, dtype: type = np.float64
) -> tuple[Mixture, np.ndarray, np.ndarray]:
    """Nine components fifty apart but for two pairs that overlap; rows, and which is whose."""
    rng = np.random.default_rng([n, d, COVARIANCE_TYPES.index(covariance_type)])
    mixture = reference.random_mixture(rng, covariance_type, 9, d)
    mixture.means = 50.0 * np.arange(9.0)[rng.permutation(9), None] + rng.standard_normal((9, d))
    mixture.means[[1, 3]] = mixture.means[[0, 2]] + 0.5
    X = reference.draw(rng, mixture, n).astype(dtype)
    return mixture, X, reference.responsibilities(mixture, X).argmax(axis=1)


def orders(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Rows component by component, in turns (as many strips hold all), and as drawn."""
    by_label = np.argsort(labels, kind="stable")
    return {
        "sorted": by_label,
        "in turns": by_label.reshape(-1, len(labels) // 50).T.ravel(),
        "shuffled": np.arange(len(labels)),
    }


# Triangles with and without an early stop, and products of features.
@pytest.mark.parametrize(("n", "d"), [(1500, 3), (3050, 3), (1500, 21)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_sums(instruction_set: str, covariance_type: str, n: int, d: int) -> None:
    mixture, X, labels = separated(covariance_type, d, n)
    shares = reference.responsibilities(mixture, X)
    log_density = reference.log_densities(mixture, X)
    w = np.random.default_rng(n).uniform(0.5, 2.0, n) * (labels != 4)
    for index, order in enumerate(orders(labels).values()):
        weight = w if index == 1 else np.ones(n)
        rows = array_rows.Rows(X[order], None if index != 1 else w[order], n_threads=1 + index)
        assert_statistics(
            accumulation.accumulate(parameters(mixture), rows),
            X[order],
            (shares * weight[:, None])[order],
            error=1e-10,
            log_likelihood=float(weight @ log_density),
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("d", [3, 9, 21, 40])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_what_is_said_of_a_row_depends_on_no_other(
    instruction_set: str, covariance_type: str, d: int, dtype: type
) -> None:
    """To the last bit, in whatever order and company rows come."""
    mixture, X, labels = separated(covariance_type, d, 1500, dtype)
    given = parameters(mixture)
    whole = evaluate(given, array_rows.Rows(X))
    found = np.empty(len(X), dtype=np.intp)
    for order in orders(labels).values():
        for one, other in zip(whole, evaluate(given, array_rows.Rows(X[order])), strict=True):
            np.testing.assert_array_equal(other, one[order])
        scoring.evaluate(given, array_rows.Rows(X[order]), labels=found)
        np.testing.assert_array_equal(found, whole[2][order])
    for i in (0, 700, 1499):
        alone = evaluate(given, array_rows.Rows(X[i : i + 1]))
        for one, other in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(other, one[i : i + 1])


@pytest.mark.parametrize("d", [1, 9, 24])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_tiny_probabilities(instruction_set: str, covariance_type: str, d: int) -> None:
    """They are relative to the odds, down to the smallest normal number."""
    covariances = reference.unit_covariances(covariance_type, 2, d)
    means = np.zeros((2, d))
    means[:, -1] = [-16.0, 16.0]
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], means, covariances, covariance_type=covariance_type
    )
    # Log-odds of 32 x: from even odds to 1e-306.
    X = np.zeros((89, d))
    X[:, -1] = np.arange(89) / 4.0
    shares = model.predict_proba(X)
    with mp.workdps(30):
        for share, x in zip(shares, X[:, -1].tolist(), strict=True):
            exact = 1 / (1 + mp.exp(32 * mpmath.mpf(x)))
            error = 4 * np.finfo(np.float64).eps * (1.0 + (abs(x) + 16.0) ** 2)
            assert abs(share[0] - exact) <= error * exact
            assert share[1] == pytest.approx(float(1 - exact), rel=1e-15)
    far = np.zeros((1, d))
    far[0, -1] = 25.0  # odds of exp(-800)
    np.testing.assert_array_equal(model.predict_proba(far), [[0.0, 1.0]])


@pytest.mark.parametrize(("n", "d"), [(1000, 1), (2500, 1), (1000, 24)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_small_shares_of_heavy_rows_count_beside_light_rows(
    instruction_set: str, covariance_type: str, n: int, d: int
) -> None:
    """A component whose only own row weighs 1e-12 of the others gets as much of its weight from
    the others as they give, though each gives less than a rounding of itself.
    """
    covariances = reference.unit_covariances(covariance_type, 2, d)
    means = np.zeros((2, d))
    means[1, -1] = 10.95  # exp(-10.95^2 / 2) is 2^-86.5
    mixture = Mixture(covariance_type, np.full(2, 0.5), means, covariances)
    X = np.zeros((n, d))
    X[-1] = means[1]
    w = np.ones(n)
    w[-1] = 1e-12
    shares = reference.responsibilities(mixture, X) * w[:, None]
    added = shares[:-1, 1].sum() / w[-1]
    assert 1e-12 < added < 1e-10
    statistics = accumulation.accumulate(parameters(mixture), array_rows.Rows(X, w))
    assert statistics.weight[1] / 1e-12 - 1.0 == pytest.approx(added, abs=2e-14 * n**0.5)
    assert_statistics(statistics, X, shares, error=1e-12)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_common_weights_of_any_size_change_no_share(
    instruction_set: str, covariance_type: str
) -> None:
    """What counts is the range of the weights: a power of two common to all scales the sums."""
    mixture, X, _ = separated(covariance_type, 5, 1500)
    given = parameters(mixture)
    plain = accumulation.accumulate(given, array_rows.Rows(X, np.ones(1500)))
    same_statistics(plain, accumulation.accumulate(given, array_rows.Rows(X)))
    for exponent in (-300, -40, 40, 300):
        w = np.full(1500, 2.0**exponent)
        scaled = accumulation.accumulate(given, array_rows.Rows(X, w))
        for name in ("weight", "first", "second"):
            np.testing.assert_array_equal(
                np.ldexp(getattr(scaled, name), -exponent), getattr(plain, name)
            )
        assert scaled.log_likelihood == pytest.approx(plain.log_likelihood * 2.0**exponent)


@pytest.mark.parametrize(("n", "d"), [(1500, 4), (1500, 24)])
@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_a_component_of_one_row(
    instruction_set: str, covariance_type: str, n: int, d: int
) -> None:
    """Its variance is `reg_covar` to rounding, and that of the others what it is without it."""
    rng = np.random.default_rng([n, d])
    mixture = reference.random_mixture(rng, covariance_type, 3, d)
    X = reference.draw(rng, mixture, n)
    X[n // 2] = 30.0 + rng.standard_normal(d)
    mixture.means[2] = X[n // 2]
    mixture.covariances[2] = 1e-6
    expected = reference.maximize(reference.statistics(mixture, X), covariance_type, 1e-6)
    statistics = accumulation.accumulate(parameters(mixture), array_rows.Rows(X), 1e-6)
    shares = reference.responsibilities(mixture, X)
    assert shares[:, 2].sum() == pytest.approx(1.0, abs=1e-12)
    plain = reference.Statistics(
        statistics.weight, statistics.first, statistics.second, statistics.shift, 0.0
    )
    got = reference.maximize(plain, covariance_type, 1e-6)
    np.testing.assert_allclose(got.weights, expected.weights, rtol=1e-12)
    np.testing.assert_allclose(got.means, expected.means, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(got.covariances[:2], expected.covariances[:2], rtol=1e-11)
    # CANCELLATION_LIMIT roundings of the variance, as one step may lose.
    np.testing.assert_allclose(got.covariances[2], 1e-6, rtol=1e-7)
    assert statistics.log_likelihood == pytest.approx(
        reference.log_densities(mixture, X).sum(), rel=1e-10
    )
