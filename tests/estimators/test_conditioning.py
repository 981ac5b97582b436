"""Marginals and conditionals of parameters, against NumPy on blocks of the covariances."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix._parameters.conditioning import Conditional, marginal
from gaussmix._parameters.layouts import layout_of
from support import reference
from support.models import parameters_of

# Given columns of five: in no order, one, none, all but one, all.
GIVEN = [(3, 0), (1,), (), (0, 1, 2, 4), (4, 3, 2, 1, 0)]


def densely(parameters):
    """A mixture's covariances as matrices (K, d, d), after a check of its factors."""
    covariance_type, means = parameters.covariance_type, parameters.means
    K, d = means.shape
    factors = parameters.precisions_cholesky
    assert parameters.covariances.shape == factors.shape == layout_of(covariance_type).shape(K, d)
    expected = reference.precision_factors(covariance_type, parameters.covariances)
    np.testing.assert_allclose(factors, expected, rtol=1e-9, atol=1e-12)
    mixture = reference.Mixture(covariance_type, parameters.weights, means, parameters.covariances)
    return reference.dense_covariances(mixture)


@pytest.mark.parametrize("columns", GIVEN)
def test_marginals_are_blocks(mixture, columns):
    made = marginal(parameters_of(mixture), columns)
    assert made.covariance_type == mixture.covariance_type
    np.testing.assert_array_equal(made.weights, mixture.weights)
    columns = np.array(columns, dtype=int)
    np.testing.assert_array_equal(made.means, mixture.means[:, columns])
    if columns.size:
        blocks = reference.dense_covariances(mixture)[:, columns[:, None], columns]
        np.testing.assert_array_equal(densely(made), blocks)


@pytest.mark.parametrize("given", GIVEN)
def test_conditionals_are_those_of_the_blocks(mixture, given):
    conditional = Conditional(parameters_of(mixture), given)
    given = np.array(given, dtype=int)
    rest = np.setdiff1d(np.arange(5), given)
    np.testing.assert_array_equal(conditional.rest, rest)
    np.testing.assert_array_equal(conditional.marginal.means, mixture.means[:, given])
    values = np.random.default_rng(3).normal(size=(4, given.size))
    means = conditional.means_given(values)
    assert means.shape == (4, 3, rest.size)
    for k, S in enumerate(reference.dense_covariances(mixture)):
        S_gg, S_mg = S[np.ix_(given, given)], S[np.ix_(rest, given)]
        slopes = S_mg @ np.linalg.inv(S_gg)
        C = S[np.ix_(rest, rest)] - slopes @ S_mg.T
        np.testing.assert_allclose(conditional.slopes[k], slopes, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(conditional.covariances[k], C, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(conditional.variances[k], C.diagonal(), rtol=1e-9)
        expected = mixture.means[k, rest] + (values - mixture.means[k, given]) @ slopes.T
        np.testing.assert_allclose(means[:, k], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("given", GIVEN[:4])
def test_the_mixture_of_one_row_is_of_the_same_family(mixture, given):
    conditional = Conditional(parameters_of(mixture), given)
    means = conditional.means_given(np.ones((1, len(given))))[0]
    made = conditional.mixture(np.array([0.2, 0.0, 0.8]), means)
    assert made.covariance_type == mixture.covariance_type
    np.testing.assert_allclose(densely(made), conditional.covariances, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(made.means, means)


def test_the_rest_may_be_some_of_the_others_in_any_order(mixture):
    parameters = parameters_of(mixture)
    chosen = Conditional(parameters, [1, 3], [4, 0])
    others = Conditional(parameters, [1, 3])  # of 0, 2, 4
    np.testing.assert_allclose(chosen.slopes, others.slopes[:, [2, 0]], rtol=1e-9, atol=1e-12)
    expected = others.covariances[:, [[2], [0]], [2, 0]]
    np.testing.assert_allclose(chosen.covariances, expected, rtol=1e-9, atol=1e-12)


def test_conditionals_of_a_nearly_singular_covariance_stay_definite():
    rng = np.random.default_rng(4)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    covariance = (axes * np.logspace(0, -11, 6)) @ axes.T
    covariance = (covariance + covariance.T) / 2
    parameters = parameters_of(
        reference.Mixture("full", np.ones(1), np.zeros((1, 6)), covariance[None])
    )
    for given in ([0, 1, 2], [5], [1, 2, 3, 4, 5]):
        C = Conditional(parameters, given).covariances[0]
        np.testing.assert_array_equal(C, C.T)
        assert np.linalg.eigvalsh(C)[0] > 0
