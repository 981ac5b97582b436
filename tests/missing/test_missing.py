"""Rows with missing values: NaN with ``allow_nan=True``.

Held against `reference`, which goes row by row, against closed forms, and against a maximiser that
knows nothing of EM. The reference itself is held against integrals over what is missing.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from gaussmix import GaussianMixture
from gaussmix._estep.missing.accumulation import IncompletePlan
from gaussmix._rows.array_rows import Rows
from support import reference
from support.assertions import assert_same
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.kernels import same_statistics
from support.missing import (
    SIZES,
    assert_close_statistics,
    assert_is,
    case,
    converged,
    fitted,
    holed,
    starting_at,
    three_clusters,
    tolerant,
)
from support.models import INIT_PARAMS, parameters_of
from support.reference import Mixture

# --- the reference, by integration ---------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_reference_by_integrals_over_what_is_missing(covariance_type):
    mixture = reference.random_mixture(np.random.default_rng(3), covariance_type, 2, 3)
    row = np.array([0.5, np.nan, -0.3])

    def density(value: float) -> float:
        whole = np.array([[row[0], value, row[2]]])
        return float(np.exp(reference.log_densities(mixture, whole)[0]))

    def expected(function) -> float:
        return integrate.quad(lambda x: function(x) * density(x), -20, 20, epsabs=1e-13)[0]

    total = expected(lambda x: 1.0)
    mean = expected(lambda x: x) / total
    variance = expected(lambda x: (x - mean) ** 2) / total
    found = reference.incomplete_log_densities(mixture, row[None])
    np.testing.assert_allclose(found, np.log(total), rtol=1e-8)
    imputed, covariance = reference.imputation(mixture, row)
    np.testing.assert_allclose(imputed, [row[0], mean, row[2]], rtol=1e-7)
    np.testing.assert_allclose(covariance[1], [0.0, variance, 0.0], rtol=1e-7, atol=1e-12)
    about_zero = np.zeros((2, 3))
    second = reference.incomplete_statistics(mixture, row[None], about_zero).second
    of_column = {
        "full": lambda: second[:, 1, 1].sum(),
        "tied": lambda: second[1, 1],
        "diag": lambda: second[:, 1].sum(),
        "spherical": lambda: second.sum() - row[0] ** 2 - row[2] ** 2,
    }[LAYOUT_OF[covariance_type]]()
    np.testing.assert_allclose(of_column, variance + mean**2, rtol=1e-7)


def test_reference_by_marginal_distributions():
    mixture, X, _ = case((40, 5, 3), "full")
    expected = np.zeros((40, 3))
    for i, row in enumerate(X[:31]):
        there = np.flatnonzero(~np.isnan(row))
        for k in range(3):
            covariance = mixture.covariances[k][np.ix_(there, there)]
            marginal = stats.multivariate_normal(mixture.means[k][there], covariance)
            expected[i, k] = marginal.logpdf(row[there])
    found = reference.incomplete_weighted_log_densities(mixture, X) - np.log(mixture.weights)
    np.testing.assert_allclose(found[:31], expected[:31], rtol=1e-9, atol=1e-12)
    assert (found[31] == 0.0).all()  # all five are missing
    shares = reference.incomplete_responsibilities(mixture, X)
    np.testing.assert_allclose(shares[31], mixture.weights)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_reference_of_complete_rows_is_the_ordinary_one(covariance_type):
    mixture = reference.random_mixture(np.random.default_rng(5), covariance_type, 3, 4)
    X = reference.draw(np.random.default_rng(6), mixture, 20)
    weights = np.linspace(0.5, 2.0, 20)
    ours = reference.incomplete_statistics(mixture, X, sample_weight=weights)
    theirs = reference.statistics(mixture, X, sample_weight=weights)
    np.testing.assert_allclose(ours.log_likelihood, theirs.log_likelihood, rtol=1e-12)
    for name in ("weight", "first", "second"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-10)


# --- nothing is missing --------------------------------------------------------------------------


@pytest.mark.parametrize("d", [4, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_complete_rows_give_the_same_bits(covariance_type, dtype, d):
    X = three_clusters(400, d)[0].astype(dtype)
    for weights in (None, np.random.default_rng(1).uniform(0.0, 2.0, 400)):
        models = [
            GaussianMixture(
                3, covariance_type=covariance_type, random_state=0, allow_nan=allow_nan
            ).fit(X, sample_weight=weights)
            for allow_nan in (False, True)
        ]
        assert_same(*models)
        for method in ("score_samples", "predict_proba", "predict"):
            plain, opted = (getattr(model, method)(X) for model in models)
            np.testing.assert_array_equal(plain, opted, strict=True)
        assert models[0].bic(X) == models[1].bic(X)


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_complete_rows_give_the_same_start(init_params):
    X = three_clusters()[0]
    params = {"init_params": init_params, "n_init": 2, "random_state": 3}
    assert_same(
        fitted(X, n_components=3, **params), fitted(X, n_components=3, allow_nan=False, **params)
    )


# --- one component: closed forms, and a direct maximiser -----------------------------------------


def monotone_rows(d: int = 4) -> np.ndarray:
    """Correlated rows of which each column lacks the last values of the one before, and more."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(90, d)) @ rng.normal(size=(d, d)) + np.arange(d)
    for j in range(1, d):
        X[90 - 15 * j :, j] = np.nan
    return X


def factored_regressions(X: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum-likelihood mean and covariance of a monotone pattern (Anderson 1957).

    Each column is regressed on all before it, over the rows that have it.
    """
    d = X.shape[1]
    mean, covariance = np.zeros(d), np.zeros((d, d))
    for j in range(d):
        there = ~np.isnan(X[:, j])
        w, y = weights[there], X[there, j]
        A = np.column_stack([np.ones(there.sum()), X[there, :j]])
        root = np.sqrt(w)
        intercept, *slopes = np.linalg.lstsq(A * root[:, None], y * root, rcond=None)[0]
        slopes = np.array(slopes)
        residual = np.average((y - A @ [intercept, *slopes]) ** 2, weights=w)
        mean[j] = intercept + slopes @ mean[:j]
        covariance[j, :j] = covariance[:j, j] = slopes @ covariance[:j, :j]
        covariance[j, j] = residual + slopes @ covariance[:j, :j] @ slopes
    return mean, covariance


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_monotone_patterns_have_a_closed_form(covariance_type, weighted):
    X = monotone_rows()
    weights = np.random.default_rng(2).uniform(0.2, 3.0, len(X)) if weighted else np.ones(len(X))
    mean, covariance = factored_regressions(X, weights)
    shuffled = np.random.default_rng(3).permutation(len(X))
    model = converged(
        X[shuffled], weights[shuffled] if weighted else None, covariance_type=covariance_type
    )
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-8, atol=1e-8)
    found = model.covariances_[0] if covariance_type == "full" else model.covariances_
    np.testing.assert_allclose(found, covariance, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_without_correlations_the_observed_values_tell_all(covariance_type):
    rng = np.random.default_rng(4)
    X = holed(rng, rng.normal(size=(80, 5)) * [1.0, 2.0, 3.0, 4.0, 5.0] + 7.0, 0.3)
    weights = np.repeat([[0.5], [2.0]], 40, axis=0)
    there = ~np.isnan(X)
    held = np.where(there, weights, 0.0)
    values = np.nan_to_num(X)
    mean = (held * values).sum(axis=0) / held.sum(axis=0)
    squares = held * (values - mean) ** 2
    by_column = covariance_type == "diag"
    expected = squares.sum(axis=0) / held.sum(axis=0) if by_column else squares.sum() / held.sum()
    model = converged(X, weights[:, 0], covariance_type=covariance_type)
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-10)
    np.testing.assert_allclose(model.covariances_[0], expected, rtol=1e-10)


def test_what_reg_covar_adds_comes_back_where_values_are_missing():
    rng = np.random.default_rng(4)
    X = holed(rng, rng.normal(size=(80, 5)), 0.3)
    there = np.mean(~np.isnan(X), axis=0)
    model = converged(X, covariance_type="diag", reg_covar=0.05)
    np.testing.assert_allclose(model.covariances_[0], np.nanvar(X, axis=0) + 0.05 / there)


def best_of_one_component(
    X: np.ndarray, covariance_type: str
) -> tuple[float, np.ndarray, np.ndarray]:
    """Largest log-likelihood of the values that are there, with mean and dense covariance.

    A general minimiser over the mean and the logarithms and entries of a Cholesky factor.
    """
    n, d = X.shape
    groups = {}
    for row in X:
        groups.setdefault(tuple(~np.isnan(row)), []).append(row)
    lower = np.tril_indices(d, -1)

    def unpacked(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spread = theta[d:]
        if covariance_type == "spherical":
            return theta[:d], np.exp(spread[0]) * np.eye(d)
        factor = np.diag(np.exp(spread[:d]))
        if covariance_type != "diag":
            factor[lower] = spread[d:]
        return theta[:d], factor @ factor.T

    def loss(theta: np.ndarray) -> float:
        mean, covariance = unpacked(theta)
        total = 0.0
        for pattern, rows in groups.items():
            there = np.flatnonzero(pattern)
            block = covariance[np.ix_(there, there)]
            difference = np.array(rows)[:, there] - mean[there]
            total += len(rows) * (np.linalg.slogdet(block)[1] + len(there) * math.log(2 * math.pi))
            total += (difference @ np.linalg.inv(block) * difference).sum()
        return 0.5 * total / n

    sizes = {"full": d + len(lower[0]), "tied": d + len(lower[0]), "diag": d, "spherical": 1}
    begin = np.concatenate([np.nanmean(X, axis=0), np.zeros(sizes[covariance_type])])
    found = optimize.minimize(loss, begin, jac="3-point", method="BFGS", options={"gtol": 1e-8})
    return -n * found.fun, *unpacked(found.x)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_any_pattern_against_direct_maximisation(covariance_type):
    rng = np.random.default_rng(12)
    X = holed(rng, rng.normal(size=(45, 3)) @ rng.normal(size=(3, 3)) + 2.0, 0.35)
    best, mean, covariance = best_of_one_component(X, covariance_type)
    model = converged(X, covariance_type=covariance_type)
    total = model.score(X) * len(X)
    assert total >= best - 1e-8  # nothing above EM's maximum
    np.testing.assert_allclose(total, best, rtol=1e-9)
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-4, atol=1e-4)
    ours = reference.dense_covariances(
        Mixture(covariance_type, model.weights_, model.means_, model.covariances_)
    )[0]
    np.testing.assert_allclose(ours, covariance, rtol=1e-4, atol=1e-4)


def test_missing_at_random_is_enough():
    rng = np.random.default_rng(13)
    X = rng.normal(size=(20_000, 1)) @ [[1.0, 0.8]] + rng.normal(size=(20_000, 2)) * [0.0, 0.6]
    X[X[:, 0] > 0.5, 1] = np.nan  # what is large in column 0 is not known in column 1
    model = fitted(X, tol=1e-10, reg_covar=0.0, max_iter=500)
    error = 1.0 / np.sqrt(20_000)
    assert abs(model.means_[0, 1]) < 4 * error
    assert abs(model.covariances_[0, 0, 1] - 0.8) < 8 * error
    assert np.nanmean(X[:, 1]) < -30 * error  # the mean of the values that are there


# --- any number of components: one step ----------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_one_step_is_the_reference_s(covariance_type, size, dtype):
    mixture, X, weights = case(size, covariance_type, dtype)
    tolerance = 2e-5 if dtype == np.float32 and size[1] > 18 else 1e-10
    for sample_weight in (None, weights):
        expected = reference.incomplete_statistics(mixture, X, sample_weight=sample_weight)
        model = tolerant(mixture, reg_covar=0.01)
        found = model.accumulate(X, sample_weight=sample_weight)
        assert_close_statistics(found, expected, tolerance)
        assert found.n_rows == len(X)
        np.testing.assert_allclose(
            found.total_weight, len(X) if sample_weight is None else weights.sum()
        )
        after = reference.maximize(expected, covariance_type, 0.01)
        assert_is(model.update(found), after, 10 * tolerance)
        begun = fitted(X, sample_weight, **starting_at(mixture), reg_covar=0.01, max_iter=1)
        assert begun.means_.dtype == dtype
        rounding = 1e-6 if dtype == np.float32 else 0.0
        assert_is(begun, after, 10 * tolerance + rounding)
        np.testing.assert_allclose(
            begun.lower_bound_,
            expected.log_likelihood / found.total_weight,
            rtol=10 * tolerance + rounding,
            atol=tolerance,
        )


# d: shorter than a vector, one longer, and wide enough for blocks of columns that overlap.
@pytest.mark.parametrize("d", [1, 3, 9, 21])
@pytest.mark.parametrize(
    ("covariance_type", "expanded"),
    [
        (kind, plan)
        for kind in COVARIANCE_TYPES
        for plan in (False, True)
        if (kind, plan) != ("diag", True)
    ],
)
def test_either_way_through_the_tiles(instruction_set, covariance_type, expanded, d):
    """Patterns of many rows each, also where the last lie at the end of the memory."""
    rng = np.random.default_rng([d, expanded])
    X = reference.draw(rng, reference.random_mixture(rng, covariance_type, 3, d), 61)
    X = X.astype(np.float32).astype(np.float64)  # the same numbers in both types
    patterns = rng.random((4, d)) < 0.4
    patterns[0] = False
    X[patterns[np.arange(len(X)) % 4]] = np.nan
    weights = rng.uniform(0.5, 3.0, len(X))
    of_types = [Rows(X.astype(t), weights, allow_nan=True) for t in (np.float64, np.float32)]
    for _ in range(2):  # what is kept from the first pass holds for other parameters
        mixture = reference.random_mixture(rng, covariance_type, 3, d)
        expected = reference.incomplete_statistics(mixture, X, sample_weight=weights)
        for rows in of_types:
            plan = IncompletePlan(parameters_of(mixture), rows.centre, expanded)
            found = plan.accumulate(rows)
            assert_close_statistics(found, expected, 1e-10)
            same_statistics(found, plan.accumulate(Rows(rows.X, weights, allow_nan=True)))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_one_row(covariance_type):
    mixture, X, _ = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    for row in X[[0, 1, 6, 30, 31]]:
        expected = reference.incomplete_statistics(mixture, row[None])
        assert_close_statistics(model.accumulate(row[None]), expected, 1e-12)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_several_iterations(covariance_type):
    mixture, X, weights = case((40, 5, 3), covariance_type, seed=1)
    expected, lower_bounds = reference.incomplete_em(mixture, X, 6, 0.01, weights)
    model = fitted(
        X, weights, **starting_at(mixture), reg_covar=0.01, max_iter=6, tol=0.0, n_threads=2
    )
    assert_is(model, expected, 1e-7)
    np.testing.assert_allclose(model.lower_bounds_, lower_bounds, rtol=1e-9)


def test_a_row_of_weight_zero_is_no_row_and_of_weight_two_is_two():
    mixture, X, _ = case((40, 5, 3), "full")
    counts = np.random.default_rng(1).integers(0, 3, 40)
    model = tolerant(mixture)
    expected = model.accumulate(np.repeat(X, counts, axis=0))
    found = model.accumulate(X, sample_weight=counts)
    for name in ("weight", "first", "second", "log_likelihood", "total_weight"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_columns_in_any_unit_and_far_from_zero(covariance_type):
    mixture, X, _ = case((40, 5, 3), covariance_type)
    scale, offset = 1e-3, 1e6
    moved = Mixture(
        covariance_type,
        mixture.weights,
        scale * (mixture.means + offset),
        scale**2 * mixture.covariances,
    )
    plain = fitted(X, **starting_at(mixture), reg_covar=1e-2, max_iter=3)
    far = fitted(scale * (X + offset), **starting_at(moved), reg_covar=1e-8, max_iter=3)
    np.testing.assert_allclose(far.means_ / scale - offset, plain.means_, atol=1e-6)
    np.testing.assert_allclose(far.covariances_ / scale**2, plain.covariances_, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_likelihood_never_falls(covariance_type, seed):
    rng = np.random.default_rng(seed)
    mixture = reference.random_mixture(rng, covariance_type, 3, 4)
    X = holed(rng, reference.draw(rng, mixture, 250), 0.3)
    begin = reference.random_mixture(rng, covariance_type, 3, 4)
    model = converged(X, **starting_at(begin), max_iter=60)
    bounds = np.array(model.lower_bounds_)
    assert len(bounds) == 60
    assert (np.diff(bounds) >= -1e-12 * np.abs(bounds[1:])).all()
    assert bounds[-1] > bounds[0] + 0.1
    fitted_mixture = Mixture(covariance_type, model.weights_, model.means_, model.covariances_)
    expected = reference.incomplete_log_densities(fitted_mixture, X)
    np.testing.assert_allclose(model.score(X), expected.mean(), rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_known_parameters_are_found_again(covariance_type):
    rng = np.random.default_rng(21)
    n, K, d = 20_000, 3, 4
    mixture = reference.random_mixture(rng, covariance_type, K, d)
    mixture.means *= 2.0
    X = holed(rng, reference.draw(rng, mixture, n), 0.3)
    model = fitted(X, **starting_at(mixture), tol=1e-8, max_iter=300)
    own = n * mixture.weights
    # Standard errors from the values that are there, or the pairs, as if the labels were known:
    # what is missing and the labels that are not known make them somewhat larger.
    variances = np.diagonal(reference.dense_covariances(mixture), axis1=1, axis2=2)
    assert (
        np.abs(model.means_ - mixture.means) < 5 * np.sqrt(variances / 0.7 / own[:, None])
    ).all()
    share = np.sqrt(mixture.weights * (1 - mixture.weights) / n)
    assert (np.abs(model.weights_ - mixture.weights) < 5 * share).all()
    rows = own if covariance_type != "tied" else np.array([n])
    if covariance_type == "diag":
        error = mixture.covariances * np.sqrt(2 / 0.7 / rows[:, None])
    else:
        matrices = mixture.covariances.reshape(-1, d, d)
        variance = np.diagonal(matrices, axis1=1, axis2=2)
        products = variance[:, :, None] * variance[:, None, :] + matrices**2
        error = np.sqrt(products / 0.49 / rows[:, None, None]).reshape(mixture.covariances.shape)
    assert (np.abs(model.covariances_ - mixture.covariances) < 5 * error).all()
