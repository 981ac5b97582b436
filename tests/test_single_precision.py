"""float32 rows of many features are computed in single precision where that keeps their digits."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import parameters_of
from reference import COVARIANCE_TYPES

from gaussmix import GaussianMixture, _passes, _rows, _scores
from gaussmix._parameters import maximize

# (rows, features, components); features around the vectors and panels of every instruction set.
SIZES = ((3000, 19, 2), (1000, 31, 5), (999, 32, 3), (1537, 33, 7), (700, 48, 1), (2400, 49, 4))


def mixture_and_rows(covariance_type: str, n: int, d: int, K: int):
    """A mixture and float32 rows of it."""
    rng = np.random.default_rng(0)
    mixture = reference.random_mixture(rng, covariance_type, K, d)
    X = reference.draw(rng, mixture, n).astype(np.float32)
    return parameters_of(mixture), X


def both(parameters, X, sample_weight=None, n_threads=1):
    """Statistics of float32 rows and of the same rows as float64, about the same point."""
    single = _passes.accumulate(parameters, _rows.Rows(X, sample_weight, n_threads=n_threads))
    double = _passes.accumulate(parameters, _rows.Rows(X.astype(np.float64), sample_weight))
    return single, double.shifted(single.shift)


def largest_difference(single, double) -> float:
    """Of the moments, in units of the root mean square of all entries of their kind."""
    worst = 0.0
    for name in ("weight", "first", "second"):
        a, b = getattr(single, name), getattr(double, name)
        worst = max(worst, float(np.abs(a - b).max() / np.sqrt(np.mean(b * b))))
    return worst


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_statistics_are_those_of_double_precision(instruction_set, covariance_type):
    for index, (n, d, K) in enumerate(SIZES):
        parameters, X = mixture_and_rows(covariance_type, n, d, K)
        assert _scores.suits_single(parameters, _rows.Rows(X).centre)
        weight = np.random.default_rng(0).uniform(0.1, 3.0, n) if index % 2 else None
        single, double = both(parameters, X, weight, n_threads=1 + index % 2)
        assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-5)
        assert single.log_likelihood != double.log_likelihood
        assert largest_difference(single, double) < 1e-3


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_thread_counts_give_equal_bits(instruction_set, covariance_type):
    parameters, X = mixture_and_rows(covariance_type, 20_000, 24, 6)
    one, three = (
        _passes.accumulate(parameters, _rows.Rows(X, n_threads=threads)) for threads in (1, 3)
    )
    assert one.log_likelihood == three.log_likelihood
    for name in ("weight", "first", "second"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scores_are_those_of_double_precision(instruction_set, covariance_type):
    for n, d, K in SIZES:
        parameters, X = mixture_and_rows(covariance_type, n, d, K)
        results = []
        for rows in (_rows.Rows(X), _rows.Rows(X.astype(np.float64))):
            log_density = np.empty(n, rows.dtype)
            shares = np.empty((n, K), rows.dtype)
            labels = np.empty(n, np.intp)
            _passes.evaluate(parameters, rows, log_density=log_density, responsibilities=shares)
            _passes.evaluate(parameters, rows, labels=labels)
            results.append((log_density, shares, labels))
        (density, shares, labels), (density64, shares64, labels64) = results
        assert density.dtype == shares.dtype == np.float32
        np.testing.assert_allclose(density, density64, rtol=2e-5, atol=1e-4)
        np.testing.assert_allclose(shares, shares64, atol=1e-3)
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
        sure = np.abs(np.sort(shares64, axis=1)[:, -1] - 0.5) > 0.01
        np.testing.assert_array_equal(labels[sure & (shares64.max(axis=1) > 0.51)],
                                      labels64[sure & (shares64.max(axis=1) > 0.51)])  # fmt: skip


def correlated(X):
    X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]


def shifted_component(X):
    X[: len(X) // 2] += 1e6


def huge(X):
    X *= 1e20


def tiny(X):
    X *= 1e-20


def outlier(X):
    X[7, 3] = 3e30


@pytest.mark.parametrize("spoil", [correlated, shifted_component, huge, tiny, outlier])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_what_single_precision_cannot_hold_is_computed_in_double(covariance_type, spoil):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 20)).astype(np.float32)
    spoil(X)
    rows, rows64 = _rows.Rows(X), _rows.Rows(X.astype(np.float64))
    half = np.repeat([[1.0, 0.0], [0.0, 1.0]], 300, axis=0)

    def blocks(start, stop):
        return half[start:stop]

    statistics = _passes.accumulate_responsibilities(rows64, blocks, 2, covariance_type)
    floor = 1e-9 * float(X.astype(np.float64).var(axis=0).min())
    parameters = maximize(statistics, floor)
    single = _passes.accumulate(parameters, rows, floor)
    double = _passes.accumulate(parameters, rows64, floor).shifted(single.shift)
    assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-5)
    found, expected = maximize(single, floor), maximize(double, floor)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-3)
    deviations = np.sqrt(expected.variances)
    np.testing.assert_allclose(found.variances, expected.variances, rtol=1e-2)
    assert (np.abs(found.means - expected.means) < 1e-2 * deviations).all()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_fit_ends_where_double_precision_does(covariance_type):
    rng = np.random.default_rng(0)
    centres = 3.0 * rng.standard_normal((4, 24))
    labels = rng.integers(4, size=3000)
    X = (centres[labels] + rng.standard_normal((3000, 24))).astype(np.float32)
    start = {"means_init": centres, "weights_init": np.full(4, 0.25)}
    models = [
        GaussianMixture(4, covariance_type=covariance_type, random_state=0, **start).fit(rows)
        for rows in (X, X.astype(np.float64))
    ]
    single, double = models
    assert single.means_.dtype == np.float32
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, rel=1e-5)
    assert np.diff(single.lower_bounds_).min(initial=0.0) > -1e-5 * abs(single.lower_bound_)
    np.testing.assert_allclose(single.means_, double.means_, atol=2e-3)
    np.testing.assert_allclose(single.covariances_, double.covariances_, atol=5e-3)


def test_a_component_with_fewer_rows_than_features_is_as_in_double():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 24))
    X[:5] += 30.0
    means = np.array([X[5:].mean(axis=0), X[:5].mean(axis=0)])
    start = {"means_init": means, "weights_init": [0.9, 0.1], "max_iter": 5, "tol": 0.0}
    with pytest.warns(UserWarning, match="did not converge"):
        single = GaussianMixture(2, **start).fit(X.astype(np.float32))
    with pytest.warns(UserWarning, match="did not converge"):
        double = GaussianMixture(2, **start).fit(X)
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, rel=1e-4)


@pytest.mark.parametrize("factor", [1.0, 1e30])
def test_weights_over_a_wide_range(factor):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 20)).astype(np.float32)
    weight = factor * 10.0 ** rng.uniform(-8, 8, 500)
    model = GaussianMixture(1).fit(X, sample_weight=weight)
    expected = np.average(X.astype(np.float64), axis=0, weights=weight)
    np.testing.assert_allclose(model.means_[0], expected, rtol=1e-4, atol=1e-4)
