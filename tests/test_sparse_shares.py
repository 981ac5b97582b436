"""A component far from a row has no share in it: what that saves must not show in any result."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import parameters_of
from reference import COVARIANCE_TYPES, Mixture

from gaussmix import GaussianMixture, _passes, _rows

# (rows, features, components), by products, by triangles, and with many components.
SIZES = ((5000, 6, 5), (3000, 21, 6), (2500, 3, 40))


def separated(covariance_type: str, n: int, d: int, K: int):
    """A mixture whose components are tens of deviations apart, and rows sorted by component."""
    rng = np.random.default_rng(0)
    mixture = reference.random_mixture(rng, covariance_type, K, d)
    deviation = np.sqrt(max(np.max(mixture.covariances), 1e-3))
    apart = np.zeros((K, d))
    apart[np.arange(K), np.arange(K) % d] = 40.0 * deviation * (1 + np.arange(K) // d)
    mixture = Mixture(covariance_type, mixture.weights, mixture.means + apart, mixture.covariances)
    X = reference.draw(rng, mixture, n)
    labels = reference.weighted_log_densities(mixture, X).argmax(axis=1)
    return mixture, X[np.argsort(labels, kind="stable")]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_sums_are_the_reference_s(instruction_set, covariance_type):
    for n, d, K in SIZES:
        mixture, X = separated(covariance_type, n, d, K)
        shuffled = X[np.random.default_rng(0).permutation(n)]
        shares = reference.responsibilities(mixture, X)
        for rows in (X, shuffled):
            found = _passes.accumulate(parameters_of(mixture), _rows.Rows(rows, n_threads=2))
            about_means = found.shifted(mixture.means)
            weight, first, second = reference.sums_about(X, shares, mixture.means, covariance_type)
            np.testing.assert_allclose(about_means.weight, weight, rtol=1e-9)
            np.testing.assert_allclose(about_means.first, first, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(about_means.second, second, rtol=1e-6, atol=1e-6)
            expected = reference.log_densities(mixture, X).sum()
            assert found.log_likelihood == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scores_do_not_depend_on_the_order_of_rows(instruction_set, covariance_type):
    for n, d, K in SIZES:
        mixture, X = separated(covariance_type, n, d, K)
        order = np.random.default_rng(0).permutation(n)
        parameters = parameters_of(mixture)
        results = []
        for rows in (X[order], np.ascontiguousarray(X)):
            density, shares = np.empty(n), np.empty((n, K))
            labels = np.empty(n, np.intp)
            _passes.evaluate(
                parameters, _rows.Rows(rows), log_density=density, responsibilities=shares
            )
            _passes.evaluate(parameters, _rows.Rows(rows), labels=labels)
            results.append((density, shares, labels))
        for shuffled, plain in zip(*results, strict=True):
            np.testing.assert_array_equal(shuffled, plain[order])


def test_probabilities_keep_what_sums_can_do_without():
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [30.0]], [[[1.0]], [[1.0]]])
    X = np.linspace(-6.0, 15.0, 200)[:, None]
    expected = np.exp(30.0 * X[:, 0] - 450.0)
    assert 1e-280 < expected.min() < 1e-100
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected / (1 + expected), rtol=1e-9)


@pytest.mark.parametrize("d", [2, 20])
def test_a_far_row_of_great_weight_counts(d):
    """2^-90 of a row that weighs 10^33 times as much as any other is seen beside them."""
    rng = np.random.default_rng(0)
    mixture = Mixture(
        "full",
        np.array([0.5, 0.5]),
        np.vstack([np.zeros(d), np.r_[15.0, np.zeros(d - 1)]]),
        np.stack([np.eye(d), np.eye(d)]),
    )
    X = reference.draw(rng, mixture, 3000)
    X[0] = np.r_[3.0, np.zeros(d - 1)]
    shares = reference.responsibilities(mixture, X)
    assert shares[0, 1] < 2.0**-86
    weight = np.full(len(X), 1e-12)
    weight[0] = 1e21
    found = _passes.accumulate(parameters_of(mixture), _rows.Rows(X, weight))
    expected = (shares * weight[:, None])[:, 1].sum()
    assert (shares[1:, 1] * weight[1:]).sum() < 0.9 * expected
    np.testing.assert_allclose(found.weight[1], expected, rtol=1e-9)
