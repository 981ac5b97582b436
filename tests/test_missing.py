"""Rows with missing values: NaN with ``allow_nan=True``.

Held against `reference`, which goes row by row, against closed forms, and against a maximiser that
knows nothing of EM. The reference itself is held against integrals over what is missing.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import time
import tracemalloc
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import reference
from conftest import model_of, parameters_of
from reference import Mixture
from scipy import integrate, optimize, stats

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture, IllDefinedCovarianceError, _accumulate
from gaussmix._incomplete import IncompleteWay
from gaussmix._patterns import patterns
from gaussmix._rows import Rows
from gaussmix.sources import ChunkSource

TYPES = reference.COVARIANCE_TYPES
INITS = ("kmeans", "k-means++", "random", "random_from_data")
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
NAMES = ["length", "width", "height"]


# --- rows, starts and comparisons ----------------------------------------------------------------


def holed(rng: np.random.Generator, X: np.ndarray, share: float) -> np.ndarray:
    """A copy of X without a share of its values, at random; each column keeps one."""
    holes = rng.random(X.shape) < share
    holes[rng.integers(len(X), size=X.shape[1]), np.arange(X.shape[1])] = False
    return np.where(holes, X.dtype.type(np.nan), X)


def every_pattern(X: np.ndarray) -> np.ndarray:
    """A copy of X in which the bits of a row's number say what is missing: nothing in row 0."""
    bits = np.arange(len(X))[:, None] >> np.arange(X.shape[1]) & 1
    return np.where(bits, X.dtype.type(np.nan), X)


def blobs(n: int = 300, d: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three clusters far apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n)
    centres = 10.0 * np.array([np.resize(signs, d) for signs in ((0, 0), (1, 1), (1, -1))])
    return centres[labels] + rng.normal(size=(n, d)), labels


def telling(X: np.ndarray) -> np.ndarray:
    """The rows of `blobs` whose values tell the cluster: centres differ in the odd columns."""
    return ~np.isnan(X[:, 1::2]).all(axis=1)


def small(dtype: type = np.float64) -> np.ndarray:
    """Sixty rows of three columns about two centres, in turns."""
    X = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 1.5, 2.0]
    X[::2] += 6.0
    return X.astype(dtype)


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


def assert_same(first: GaussianMixture, second: GaussianMixture) -> None:
    for name in PARAMETERS:
        a, b = getattr(first, name), getattr(second, name)
        np.testing.assert_array_equal(a, b, err_msg=name, strict=True)
    assert first.lower_bounds_ == second.lower_bounds_


def assert_is(model: GaussianMixture, mixture: Mixture, tolerance: float) -> None:
    """Check a model's parameters against the reference, relative to the deviations."""
    deviations = np.sqrt(np.diagonal(reference.dense_covariances(mixture), axis1=1, axis2=2))
    np.testing.assert_allclose(model.weights_, mixture.weights, atol=tolerance)
    assert (np.abs(model.means_ - mixture.means) <= tolerance * deviations).all()
    largest = deviations.max() ** 2
    np.testing.assert_allclose(
        model.covariances_, mixture.covariances, rtol=tolerance, atol=tolerance * largest
    )


def assert_statistics(found, expected: reference.Statistics, tolerance: float) -> None:
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


# --- the reference, by integration ---------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
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
    }[covariance_type]()
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


@pytest.mark.parametrize("covariance_type", TYPES)
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
@pytest.mark.parametrize("covariance_type", TYPES)
def test_complete_rows_give_the_same_bits(covariance_type, dtype, d):
    X = blobs(400, d)[0].astype(dtype)
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


@pytest.mark.parametrize("init_params", INITS)
def test_complete_rows_give_the_same_start(init_params):
    X = blobs()[0]
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


@pytest.mark.parametrize("covariance_type", TYPES)
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
@pytest.mark.parametrize("covariance_type", TYPES)
def test_one_step_is_the_reference_s(covariance_type, size, dtype):
    mixture, X, weights = case(size, covariance_type, dtype)
    tolerance = 2e-5 if dtype == np.float32 and size[1] > 18 else 1e-10
    for sample_weight in (None, weights):
        expected = reference.incomplete_statistics(mixture, X, sample_weight=sample_weight)
        model = tolerant(mixture, reg_covar=0.01)
        found = model.accumulate(X, sample_weight=sample_weight)
        assert_statistics(found, expected, tolerance)
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
    [(kind, way) for kind in TYPES for way in (False, True) if (kind, way) != ("diag", True)],
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
            way = IncompleteWay(parameters_of(mixture), rows.centre, expanded)
            found = way.follow(rows)
            assert_statistics(found, expected, 1e-10)
            assert_same_statistics(found, way.follow(Rows(rows.X, weights, allow_nan=True)))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_one_row(covariance_type):
    mixture, X, _ = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    for row in X[[0, 1, 6, 30, 31]]:
        expected = reference.incomplete_statistics(mixture, row[None])
        assert_statistics(model.accumulate(row[None]), expected, 1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
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


@pytest.mark.parametrize("covariance_type", TYPES)
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
@pytest.mark.parametrize("covariance_type", TYPES)
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


# --- cheaper ways, and what is kept from one pass to the next ------------------------------------


def assert_same_statistics(found, expected) -> None:
    for name in ("weight", "first", "second", "log_likelihood"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("kept_bytes", [0, 125_000, 1 << 25])
def test_what_is_kept_changes_no_bit(monkeypatch, kept_bytes):
    """Room for nothing, for some units and for all, and pieces whose size changes with K."""
    monkeypatch.setattr("gaussmix._patterns.KEPT_BYTES", kept_bytes)
    monkeypatch.setattr("gaussmix._incomplete.UNIT_VALUES", 3 * 4_000)
    rng = np.random.default_rng(8)
    X = reference.draw(rng, reference.random_mixture(rng, "tied", 2, 3), 19_001)
    X[::2, 0] = X[5::7, 1] = np.nan
    rows = Rows(X, allow_nan=True)
    for K in (2, 200, 2, 40):
        mixture = reference.random_mixture(rng, "tied", K, 3)
        for expanded in (True, False):
            way = IncompleteWay(parameters_of(mixture), rows.centre, expanded)
            expected = way.follow(Rows(X, allow_nan=True))
            for _ in range(2):
                assert_same_statistics(way.follow(rows), expected)
    assert len(rows.kept.patterns) == {0: 0, 125_000: 3, 1 << 25: 5}[kept_bytes]


def test_nothing_is_kept_of_pieces_that_are_completed_row_by_row():
    rng = np.random.default_rng(9)
    mixture = reference.random_mixture(rng, "tied", 2, 30)
    rows = Rows(holed(rng, reference.draw(rng, mixture, 2_000), 0.2), allow_nan=True)
    way = IncompleteWay(parameters_of(mixture), rows.centre, expanded=True)
    tracemalloc.start()
    way.follow(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000 * 30 * 31 // 2 * 8  # a triangle for each


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_cheap_ways_are_taken_where_they_hold(covariance_type):
    rng = np.random.default_rng(10)
    mixture = reference.random_mixture(rng, covariance_type, 2, 3)
    X = holed(rng, reference.draw(rng, mixture, 3_000), 0.2)
    near = Rows(X, allow_nan=True)
    ways = list(_accumulate.ways(parameters_of(mixture), near, 0.0))
    assert [way.expanded for way in ways] == [True, False]
    assert ways[0].holds(ways[0].follow(near), 0.0)
    # A component 1e4 deviations away from the others.
    away = dataclasses.replace(mixture, means=mixture.means + np.array([[0.0], [1e4]]))
    ways = list(_accumulate.ways(parameters_of(away), near, 0.0))
    assert [way.expanded for way in ways] == [False]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_a_component_that_shrinks_keeps_its_digits(covariance_type):
    """Before the step its variance is 1, about the centre nothing would be left of the new one."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3_000, 3))
    if covariance_type == "tied":
        X *= 1e-7
    X[:400] = 30 + 1e-7 * rng.normal(size=(400, 3))
    X[400::2, 0] = np.nan
    covariances = {"full": np.tile(np.eye(3), (2, 1, 1)), "tied": np.eye(3)}
    mixture = Mixture(
        covariance_type,
        np.array([0.5, 0.5]),
        np.array([[0.0] * 3, [30.0] * 3]),
        covariances.get(covariance_type, np.ones(2)),
    )
    rows = Rows(X, allow_nan=True)
    assert next(iter(_accumulate.ways(parameters_of(mixture), rows, 0.0))).expanded
    found = _accumulate.accumulate(parameters_of(mixture), rows)
    exact = IncompleteWay(parameters_of(mixture), rows.centre, expanded=False).follow(rows)
    assert_same_statistics(found, exact)


# --- threads and instruction sets ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_any_number_of_threads_gives_the_same_bits(covariance_type, dtype):
    rng = np.random.default_rng(5)
    mixture = reference.random_mixture(rng, covariance_type, 3, 5)
    X = holed(rng, reference.draw(rng, mixture, 9_001), 0.2).astype(dtype)
    params = {"covariance_type": covariance_type, "max_iter": 5, "random_state": 0}
    one, two = (fitted(X, n_components=3, n_threads=count, **params) for count in (1, 2))
    assert_same(one, two)
    for method in ("score_samples", "predict_proba", "predict"):
        first, second = getattr(one, method)(X), getattr(two, method)(X)
        np.testing.assert_array_equal(first, second, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_many_rows_are_the_sum_of_few(covariance_type, dtype):
    rng = np.random.default_rng(6)
    mixture = reference.random_mixture(rng, covariance_type, 3, 6)
    X = holed(rng, reference.draw(rng, mixture, 30_011), 0.3).astype(dtype)
    weights = rng.uniform(0.0, 2.0, len(X))
    model = tolerant(mixture)
    whole = model.accumulate(X, sample_weight=weights)
    pieces = np.array_split(np.arange(len(X)), 101)
    parts = sum(model.accumulate(X[piece], sample_weight=weights[piece]) for piece in pieces)
    for name in ("weight", "first", "second", "log_likelihood", "total_weight"):
        ours, theirs = getattr(whole, name), getattr(parts, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * len(X), err_msg=name)
    density = np.concatenate([model.score_samples(X[piece]) for piece in pieces])
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(model.score_samples(X), density, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_every_instruction_set_agrees_with_the_reference(instruction_set, covariance_type):
    for dtype, size, tolerance in (
        (np.float64, (40, 5, 3), 1e-11),
        (np.float32, (40, 5, 3), 1e-11),
        (np.float32, (50, 20, 2), 2e-5),
    ):
        mixture, X, weights = case(size, covariance_type, dtype, seed=2)
        model = tolerant(mixture)
        expected = reference.incomplete_statistics(mixture, X, sample_weight=weights)
        assert_statistics(model.accumulate(X, sample_weight=weights), expected, tolerance)
        np.testing.assert_allclose(
            model.predict_proba(X),
            reference.incomplete_responsibilities(mixture, X),
            atol=max(10 * tolerance, 1e-6 if dtype == np.float32 else 0.0),
        )


def test_memory_does_not_grow_with_the_rows():
    X = np.random.default_rng(0).normal(size=(600_000, 10))
    X[::5, 3] = np.nan
    mixture = reference.random_mixture(np.random.default_rng(0), "diag", 2, 10)
    peaks = []
    for n in (300_000, 600_000):
        tracemalloc.start()
        model = fitted(X[:n], **starting_at(mixture), max_iter=1)
        model.score(X[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_patterns_are_found_as_fast_wherever_the_columns_with_holes_are():
    n, columns = 1 << 14, 14
    holes = np.arange(n)[:, None] >> np.arange(columns) & 1 == 1
    seconds = []  # of this thread's processor, whatever else the machine does
    for first in (0, 50):
        X = np.zeros((n, 64))
        X[:, first : first + columns][holes] = np.nan
        start = time.thread_time()
        for _ in range(10):  # together longer than a tick of the clock
            found = patterns(X)
        seconds.append(time.thread_time() - start)
        assert len(found.observed) == n
    assert seconds[1] < 10 * seconds[0]


# --- scoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("covariance_type", TYPES)
def test_scores_are_the_reference_s(covariance_type, size, dtype):
    mixture, X, _ = case(size, covariance_type, dtype)
    model = tolerant(mixture)
    expected = reference.incomplete_log_densities(mixture, X)
    rtol = {np.float64: 1e-11, np.float32: 1e-5}[dtype]
    density = model.score_samples(X)
    assert density.dtype == dtype
    np.testing.assert_allclose(density, expected, rtol=rtol, atol=rtol)
    shares = reference.incomplete_responsibilities(mixture, X)
    found = model.predict_proba(X)
    np.testing.assert_allclose(found, shares, atol=3 * rtol)
    sure = np.sort(shares, axis=1)[:, -1] > 0.5 + 1e-3
    np.testing.assert_array_equal(model.predict(X)[sure], shares.argmax(axis=1)[sure])
    n = len(X)
    total = expected.sum()
    np.testing.assert_allclose(model.score(X), expected.mean(), rtol=rtol, atol=rtol)
    price = model.n_parameters()
    np.testing.assert_allclose(model.bic(X), -2 * total + price * math.log(n), rtol=rtol)
    np.testing.assert_allclose(model.aic(X), -2 * total + 2 * price, rtol=rtol)
    completed = total + np.log(shares.max(axis=1)).sum()
    np.testing.assert_allclose(model.icl(X), -2 * completed + price * math.log(n), rtol=rtol)


def test_a_row_without_values_has_density_one_and_the_weights():
    mixture = case((40, 5, 3), "full")[0]
    model = tolerant(mixture)
    nothing = np.full((3, 5), np.nan)
    np.testing.assert_array_equal(model.score_samples(nothing), 0.0)
    np.testing.assert_allclose(model.predict_proba(nothing), [mixture.weights] * 3, rtol=1e-15)
    assert (model.predict(nothing) == mixture.weights.argmax()).all()
    assert model.score(nothing) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_complete_rows_have_the_same_bits_beside_incomplete_ones(covariance_type, dtype):
    for d in (5, 20):
        rng = np.random.default_rng(d)
        mixture = reference.random_mixture(rng, covariance_type, 3, d)
        X = reference.draw(rng, mixture, 400).astype(dtype)
        X[::3] = holed(rng, X[::3], 0.5)
        complete = ~np.isnan(X).any(axis=1)
        model = tolerant(mixture)
        for method in ("score_samples", "predict_proba", "predict"):
            together, alone = getattr(model, method)(X), getattr(model, method)(X[complete])
            np.testing.assert_array_equal(together[complete], alone, strict=True)


def test_what_is_for_complete_rows_never_sees_a_missing_value(monkeypatch):
    rng = np.random.default_rng(0)
    mixture = reference.random_mixture(rng, "full", 2, 3)
    X = reference.draw(rng, mixture, 10_000)
    X[3000, 1] = np.nan
    model = tolerant(mixture)
    kernels = gaussmix._runtime.kernels()
    evaluate = kernels.evaluate

    def checked(rows, *arguments):
        assert np.isfinite(rows).all()
        return evaluate(rows, *arguments)

    monkeypatch.setattr(kernels, "evaluate", checked)
    densities = model.score_samples(X)
    assert model.score(X) == pytest.approx(densities.mean())
    model.predict_proba(ChunkSource(lambda: iter([X])), out=np.empty((len(X), 2)))
    model.fit_predict(X)


def test_scores_written_to_out():
    mixture, X, _ = case((40, 5, 3), "full")
    model = tolerant(mixture)
    for method, shape, dtype in (
        ("predict", (40,), np.intp),
        ("score_samples", (40,), np.float64),
        ("predict_proba", (40, 3), np.float64),
    ):
        out = np.full(shape, 7, dtype=dtype)
        assert getattr(model, method)(X, out=out) is out
        np.testing.assert_array_equal(out, getattr(model, method)(X))


def test_rows_in_any_layout():
    mixture, X, _ = case((40, 5, 3), "full")
    model = tolerant(mixture)
    expected = model.score_samples(X)
    sums = model.accumulate(X)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    for other in (np.asfortranarray(X), wide, X.astype(">f8"), X.astype(object), X.tolist()):
        np.testing.assert_array_equal(model.score_samples(other), expected)
        np.testing.assert_array_equal(model.accumulate(other).second, sums.second)


def test_rows_are_not_written_to():
    X = case((40, 5, 3), "full")[1]
    before = X.copy()
    X.flags.writeable = False
    model = fitted(X, n_components=2, random_state=0)
    model.predict_proba(X)
    np.testing.assert_array_equal(X, before)


def test_incomplete_rows_are_plotted():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    from gaussmix.plotting import plot_covariances, plot_density, plot_responsibilities

    mixture, X, _ = case((40, 5, 3), "full")
    for plot in (plot_covariances, plot_density, plot_responsibilities):
        plot(tolerant(mixture), X, ax=plt.figure().add_subplot()).figure.canvas.draw()
    plt.close("all")


# --- starts, and the ways of a fit ---------------------------------------------------------------


def share_found(labels: np.ndarray, found: np.ndarray) -> float:
    """Share of the rows whose cluster is found, clusters matched as well as can be."""
    counts = np.zeros((labels.max() + 1, found.max() + 1))
    np.add.at(counts, (labels, found), 1)
    matched = optimize.linear_sum_assignment(-counts)
    return counts[matched].sum() / len(labels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_clusters_far_apart_are_found(covariance_type, dtype):
    X, labels = blobs()
    X = holed(np.random.default_rng(1), X, 0.2).astype(dtype)
    model = fitted(X, n_components=3, covariance_type=covariance_type, random_state=0)
    known = telling(X)
    assert share_found(labels[known], model.predict(X)[known]) > 0.99


@pytest.mark.parametrize("init_params", INITS)
def test_every_start_is_finite_and_ends_well(init_params):
    X, labels = blobs()
    X = holed(np.random.default_rng(2), X, 0.2)
    params = {"n_components": 3, "init_params": init_params, "random_state": 0}
    start = fitted(X, **params, max_iter=0)
    for name in PARAMETERS:
        assert np.isfinite(getattr(start, name)).all()
    assert (start.means_ >= np.nanmin(X, axis=0)).all()
    assert (start.means_ <= np.nanmax(X, axis=0)).all()
    assert (start.weights_ > 0).all()
    model = fitted(X, **params, n_init=10, max_iter=300)
    known = telling(X)
    assert share_found(labels[known], model.predict(X)[known]) > 0.99


@pytest.mark.parametrize("distance", [1e8, 1e11])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_clusters_many_deviations_apart_have_a_start(covariance_type, distance):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    X = distance * rng.normal(size=(2, 4))[labels] + rng.normal(size=(200, 4))
    X[0, 0] = X[1, 1] = np.nan
    params = {"n_components": 2, "covariance_type": covariance_type, "random_state": 0}
    model = fitted(X, **params)
    assert share_found(labels, model.predict(X)) == 1.0
    complete = fitted(X[2:], **params)
    assert model.lower_bound_ == pytest.approx(complete.lower_bound_, abs=0.1)


@pytest.mark.parametrize("init_params", INITS)
def test_no_row_needs_to_be_complete(init_params):
    X, labels = blobs(200)
    X[np.arange(200), np.arange(200) % 4] = np.nan
    model = fitted(X, n_components=3, init_params=init_params, n_init=10, random_state=0)
    assert share_found(labels, model.predict(X)) > 0.99


def test_the_best_of_several_starts_is_kept():
    rng = np.random.default_rng(8)
    X = holed(rng, rng.normal(size=(200, 3)), 0.2)
    params = {"n_components": 4, "random_state": 0, "init_params": "random_from_data"}
    one, many = (fitted(X, **params, n_init=count) for count in (1, 5))
    assert many.lower_bound_ >= one.lower_bound_
    assert_same(many, fitted(X, **params, n_init=5))


def test_a_warm_start_goes_on():
    X = holed(np.random.default_rng(3), blobs()[0], 0.2)
    params = {"n_components": 3, "tol": 0.0, "random_state": 0, "init_params": "random_from_data"}
    whole = fitted(X, **params, max_iter=8)
    model = GaussianMixture(**params, max_iter=4, warm_start=True, allow_nan=True)
    with unfinished():
        model.fit(X)
        first = model.lower_bounds_
        model.fit(X)
    np.testing.assert_allclose(model.means_, whole.means_, rtol=1e-9)
    np.testing.assert_allclose([*first, *model.lower_bounds_], whole.lower_bounds_, rtol=1e-12)


def test_squarem_gets_there_sooner():
    rng = np.random.default_rng(9)
    mixture = reference.random_mixture(rng, "full", 2, 3)
    mixture.means *= 0.4
    X = holed(rng, reference.draw(rng, mixture, 800), 0.3)
    params = starting_at(mixture) | {"tol": 1e-9, "max_iter": 5000}
    plain, fast = fitted(X, **params), fitted(X, **params, acceleration="squarem")
    assert plain.converged_
    assert fast.converged_
    assert fast.n_iter_ < plain.n_iter_ / 2
    assert fast.lower_bound_ > plain.lower_bound_ - 1e-6
    assert (np.diff(fast.lower_bounds_) >= -1e-12 * abs(fast.lower_bound_)).all()


def with_a_collapse() -> tuple[np.ndarray, dict[str, object]]:
    """Rows with missing values and forty copies of one point, and a start that finds it."""
    rng = np.random.default_rng(10)
    X = rng.normal(size=(120, 3))
    X[:80] = holed(rng, X[:80], 0.2)
    X[80:] = 9.0
    means = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    begin = Mixture("full", np.full(3, 1 / 3), means, np.array([np.eye(3)] * 3))
    return X, starting_at(begin) | {"reg_covar": 0.0, "max_iter": 50}


def test_a_collapse_is_an_error_that_names_the_component():
    X, params = with_a_collapse()
    model = GaussianMixture(**params, allow_nan=True)
    with (
        nothing_lost(model),
        pytest.raises(IllDefinedCovarianceError, match="Component 2 collapsed"),
    ):
        model.fit(X)


@pytest.mark.parametrize("action", ["drop", "reseed"])
def test_a_component_without_rows_is_dropped_or_placed_anew(action):
    X, params = with_a_collapse()
    X = X[:80]
    params["means_init"][2] = 1e6
    model = GaussianMixture(**params, on_collapse=action, allow_nan=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="component 2"):
        model.fit(X)
    assert len(model.weights_) == (2 if action == "drop" else 3)
    assert [collapse["action"] for collapse in model.collapses_] == [action]
    assert np.isfinite(model.score_samples(X)).all()
    mixture = Mixture("full", model.weights_, model.means_, model.covariances_)
    expected = reference.incomplete_log_densities(mixture, X).mean()
    np.testing.assert_allclose(model.score(X), expected, rtol=1e-10)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_variance_floor_holds(covariance_type):
    X = holed(np.random.default_rng(4), blobs(120)[0], 0.2)
    params = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    variances = []
    for floor in (0.0, 0.2):
        model = fitted(X, **params, variance_floor=floor)
        mixture = Mixture(covariance_type, model.weights_, model.means_, model.covariances_)
        scaled = reference.dense_covariances(mixture) / np.outer(*[np.nanstd(X, axis=0)] * 2)
        variances.append(np.linalg.eigvalsh(scaled).min())
    assert variances[0] < 0.05
    # The one variance of "spherical" is held to the mean of the columns' variances.
    assert variances[1] > (0.1 if covariance_type == "spherical" else 0.2 * (1 - 1e-9))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_chunks_add_up(covariance_type):
    mixture, X, weights = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    whole = model.accumulate(X, sample_weight=weights)
    pieces = np.split(np.arange(40), [1, 7, 7, 32])
    parts = sum(model.accumulate(X[piece], sample_weight=weights[piece]) for piece in pieces)
    expected = reference.incomplete_statistics(mixture, X, sample_weight=weights)
    assert_statistics(whole, expected, 1e-11)
    assert_statistics(parts, expected, 1e-11)
    assert parts.n_rows == whole.n_rows == 40


def test_batches_that_keep_coming():
    mixture, X, _ = case((40, 5, 3), "full")
    # A model that has seen no rows forgets nothing: its first batch is one step of EM.
    model = tolerant(mixture, reg_covar=0.01).partial_fit(X)
    expected = reference.incomplete_em(mixture, X, 1, 0.01)[0]
    assert_is(model, expected, 1e-9)
    assert model.n_samples_seen_ == 40
    first = GaussianMixture(3, allow_nan=True, random_state=0)
    rows, labels = blobs(900)
    rows = holed(np.random.default_rng(6), rows, 0.2)
    with unfinished():
        for batch in np.split(rows, 9):
            first.partial_fit(batch)
    assert first.n_samples_seen_ == 900
    known = telling(rows)
    assert share_found(labels[known], first.predict(rows)[known]) > 0.99
    for name in PARAMETERS:
        assert np.isfinite(getattr(first, name)).all()


@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data"])
def test_rows_that_come_in_chunks(init_params):
    X, labels = blobs(600)
    X = holed(np.random.default_rng(7), X, 0.2)
    source = ChunkSource(lambda: iter(np.split(X, [100, 130, 500])))
    model = fitted(source, n_components=3, init_params=init_params, n_init=5, random_state=0)
    known = telling(X)
    assert share_found(labels[known], model.predict(source)[known]) > 0.99
    begin = {
        "n_components": 3,
        "weights_init": model.weights_,
        "means_init": model.means_ + 0.5,
        "precisions_init": model.precisions_,
        "max_iter": 4,
        "tol": 0.0,
    }
    chunked, whole = fitted(source, **begin), fitted(X, **begin)
    np.testing.assert_allclose(chunked.means_, whole.means_, rtol=1e-9)
    np.testing.assert_allclose(chunked.score_samples(source), whole.score_samples(X), rtol=1e-9)


def test_dask_collections():
    array = pytest.importorskip("dask.array")
    dask = pytest.importorskip("dask")
    X = holed(np.random.default_rng(8), blobs(200)[0], 0.2)
    lazy = array.from_array(X, chunks=(70, -1))
    mixture = Mixture("diag", np.full(2, 0.5), np.array([[0.0] * 4, [10.0] * 4]), np.ones((2, 4)))
    begin = starting_at(mixture) | {"max_iter": 3, "tol": 0.0}
    with dask.config.set(scheduler="synchronous"):
        model, local = fitted(lazy, **begin), fitted(X, **begin)
        np.testing.assert_allclose(model.means_, local.means_, rtol=1e-9)
        scores = model.score_samples(lazy).compute()
        np.testing.assert_allclose(scores, model.score_samples(X), rtol=1e-12)
        assert math.isclose(model.bic(lazy), model.bic(X), rel_tol=1e-12)


# --- columns and rows without any value ----------------------------------------------------------


def variances_of(model: GaussianMixture) -> np.ndarray:
    """The covariances of any family as (K, d, d) matrices."""
    return reference.dense_covariances(
        Mixture(model.covariance_type, model.weights_, model.means_, model.covariances_)
    )


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_column_without_values(covariance_type):
    X = holed(np.random.default_rng(5), blobs(200, 3)[0], 0.1)
    with_empty = np.insert(X, 1, np.nan, axis=1)
    params = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    params |= {"tol": 1e-12, "max_iter": 300}
    expected = fitted(X, **params)
    with pytest.warns(UserWarning, match="column 1") as caught:
        model = GaussianMixture(**params, allow_nan=True).fit(with_empty)
    assert len(caught) == 1
    np.testing.assert_array_equal(model.means_[:, 1], 0.0)
    kept = [0, 2, 3]
    np.testing.assert_allclose(model.weights_, expected.weights_, rtol=1e-6)
    np.testing.assert_allclose(model.means_[:, kept], expected.means_, rtol=1e-5, atol=1e-5)
    dense, others = variances_of(model), variances_of(expected)
    np.testing.assert_allclose(dense[:, kept][:, :, kept], others, rtol=1e-5, atol=1e-5)
    if covariance_type != "spherical":
        np.testing.assert_array_equal(dense[:, 1, 1], 1.0)
        assert not dense[:, 1, kept].any()
    np.testing.assert_allclose(
        model.score_samples(with_empty), expected.score_samples(X), rtol=1e-5
    )


def test_a_column_without_values_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(small(), columns=NAMES)
    frame["width"] = np.nan
    with pytest.warns(UserWarning, match="'width'"):
        GaussianMixture(2, allow_nan=True, random_state=0).fit(frame)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_rows_without_values_tell_nothing(covariance_type):
    rng = np.random.default_rng(6)
    X = holed(rng, blobs(200)[0], 0.1)
    mixture = reference.random_mixture(rng, covariance_type, 3, 4)
    mixture.means[:] = [[0.0] * 4, [10.0] * 4, [10.0, -10.0] * 2]
    more = np.insert(X, [0, 17, 17, 200], np.nan, axis=0)
    params = starting_at(mixture) | {"reg_covar": 0.0, "tol": 0.0, "max_iter": 300}
    alone, with_them = fitted(X, **params), fitted(more, **params)
    for name in ("weights_", "means_", "covariances_"):
        ours, theirs = getattr(with_them, name), getattr(alone, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(with_them.score(more) * 204, alone.score(X) * 200, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_without_values_are_reported(weighted):
    X = np.insert(blobs(60)[0], [3, 9], np.nan, axis=0)
    weights = np.ones(62)
    weights[3] = 0.0 if weighted else 1.0  # a row of weight zero is none
    reported = f"{1 if weighted else 2} of the 62 rows of X have no value"
    with pytest.warns(UserWarning, match=reported):
        GaussianMixture(2, allow_nan=True, random_state=0).fit(X, sample_weight=weights)


def test_components_need_rows_with_values():
    X = np.full((9, 2), np.nan)
    X[:2] = [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match=r"n_components = 3, n_samples = 2"):
        GaussianMixture(3, allow_nan=True).fit(X)


# --- the bad inputs again ------------------------------------------------------------------------


@pytest.fixture
def model() -> GaussianMixture:
    return GaussianMixture(2, random_state=0, allow_nan=True).fit(small())


@contextlib.contextmanager
def nothing_lost(model: GaussianMixture) -> Iterator[None]:
    """Check that a block leaves the model as it was."""
    state = copy.deepcopy(vars(model))
    yield
    assert set(vars(model)) == set(state)
    for name, value in state.items():
        np.testing.assert_equal(vars(model)[name], value, err_msg=name)


METHODS = ("fit", "fit_predict", "partial_fit", "accumulate", "predict", "predict_proba",
           "score_samples", "score", "aic", "bic", "icl")  # fmt: skip


def test_without_the_option_nan_is_refused_as_ever():
    X = small()
    model = GaussianMixture(2, random_state=0).fit(X)
    assert model.allow_nan is False
    X[17, 2] = np.nan
    for method in METHODS:
        with nothing_lost(model), pytest.raises(ValueError) as caught:
            getattr(model, method)(X)
        message = str(caught.value)
        assert message.startswith("Input X contains NaN. First at row 17, column 2.")
        assert "GaussianMixture does not accept missing values encoded as NaN" in message


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_is_refused(model, dtype, value):
    X = small(dtype)
    X[3, 0] = np.nan
    X[30, 1] = value
    X[30, 2] = np.nan
    for method in METHODS:
        with nothing_lost(model), pytest.raises(ValueError) as caught:
            getattr(model, method)(X)
        assert "Input X contains infinity" in str(caught.value), method
        assert f"First at row 30, column 1: {value}" in str(caught.value), method
    for shape, dtype_out, method in (
        ((60,), np.intp, "predict"),
        ((60, 2), dtype, "predict_proba"),
    ):
        out = np.full(shape, 7, dtype=dtype_out)
        with pytest.raises(ValueError, match="row 30, column 1"):
            getattr(model, method)(X, out=out)
        assert (out == 7).all()


def test_infinity_far_down_and_in_a_named_column(model):
    X = np.tile(small(), (1000, 1))
    X[::7, 2] = np.nan
    X[59_990, 1] = np.inf
    with nothing_lost(model), pytest.raises(ValueError, match="row 59990, column 1"):
        model.fit(X)
    pandas = pytest.importorskip("pandas")
    with nothing_lost(model), pytest.raises(ValueError, match=r"column 1 \('width'\)"):
        model.fit(pandas.DataFrame(X, columns=NAMES))


@pytest.mark.parametrize("allow_nan", [None, 1, "yes", np.nan])
def test_the_option_is_true_or_false(model, allow_nan):
    model.set_params(allow_nan=allow_nan)
    with nothing_lost(model), pytest.raises(gaussmix.InvalidParameterError, match="'allow_nan'"):
        model.fit(small())


def with_holes_as(kind: str, X: np.ndarray) -> object:
    """The rows in another container, what is NaN missing in its own way."""
    holes = np.isnan(X)
    if kind == "masked":
        return np.ma.array(np.where(holes, 1e9, X), mask=holes)
    if kind == "None":
        return np.where(holes, None, X.astype(object))
    if kind in ("pandas", "nullable", "NA"):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=NAMES)
        if kind == "pandas":
            return frame
        return (
            frame.convert_dtypes()
            if kind == "nullable"
            else frame.astype(object).where(~holes, pandas.NA)
        )
    lists = {
        name: [None if math.isnan(x) else x for x in column]
        for name, column in zip(NAMES, X.T.tolist())
    }
    module = pytest.importorskip(kind)
    return module.table(lists) if kind == "pyarrow" else module.DataFrame(lists)


CONTAINERS = ("masked", "None", "pandas", "nullable", "NA", "polars", "pyarrow")


@pytest.mark.parametrize("kind", CONTAINERS)
def test_missing_values_of_other_containers(kind):
    X = holed(np.random.default_rng(7), small().round(), 0.2)
    other = with_holes_as(kind, X)
    with unfinished():
        expected = GaussianMixture(2, allow_nan=True, random_state=0).fit(X)
        model = GaussianMixture(2, allow_nan=True, random_state=0).fit(other)
    assert_same(model, expected)
    np.testing.assert_array_equal(model.score_samples(other), expected.score_samples(X))
    strict = GaussianMixture(2, random_state=0)
    with nothing_lost(strict), pytest.raises(ValueError, match=r"NaN|masked"):
        strict.fit(other)


def test_integers_and_float16_have_missing_values_too(model):
    X = np.ma.array(small().astype(int))
    X[3, 1] = np.ma.masked
    as_numbers = X.data.astype(float)
    as_numbers[3, 1] = np.nan
    np.testing.assert_array_equal(model.score_samples(X), model.score_samples(as_numbers))
    half = as_numbers.astype(np.float16)
    expected = model.score_samples(half.astype(float))
    np.testing.assert_array_equal(model.score_samples(half), expected)


def test_what_is_no_number_is_still_refused(model):
    X = small().astype(object)
    X[2, 0] = None
    X[4, 1] = "tall"
    with nothing_lost(model), pytest.raises(ValueError, match="row 4, column 1"):
        model.fit(X)
    with nothing_lost(model), pytest.raises(ValueError, match=r"1D array|1-D"):
        model.fit([np.nan, 1.0])
    with nothing_lost(model), pytest.raises(ValueError, match="2 features"):
        model.predict(np.full((4, 2), np.nan))


def test_nan_is_allowed_in_x_alone(model):
    X = small()
    X[0, 0] = np.nan
    weights = np.ones(60)
    weights[59] = np.nan
    for method in ("fit", "accumulate", "partial_fit"):
        with nothing_lost(model), pytest.raises(ValueError, match=r"sample_weight\[59\]"):
            getattr(model, method)(X, sample_weight=weights)
    starts = {
        "means_init": [[0.0, np.nan, 0.0], [6.0] * 3],
        "weights_init": [np.nan, 0.5],
        "precisions_init": np.full((2, 3, 3), np.nan),
    }
    for name, value in starts.items():
        other = GaussianMixture(2, allow_nan=True, **{name: value})
        with nothing_lost(other), pytest.raises(ValueError, match=name):
            other.fit(X)


def test_rows_without_a_single_value_cannot_be_fitted(model):
    X = np.full((60, 3), np.nan)
    for method in ("fit", "fit_predict"):
        with nothing_lost(model), pytest.raises(ValueError, match=r"(?i)no value|missing|NaN"):
            getattr(model, method)(X)
    weights = np.zeros(60)
    weights[:30] = 1.0
    X[30:] = small()[30:]  # the values are all in rows of weight zero
    with nothing_lost(model), pytest.raises(ValueError, match=r"(?i)no value|missing|NaN"):
        model.fit(X, sample_weight=weights)


@pytest.mark.parametrize("forgetting", [None, 0.5])
def test_a_batch_without_values_changes_nothing(model, forgetting):
    model.set_params(forgetting=forgetting, reg_covar=0.1)
    empty = np.full((10, 3), np.nan)
    weights = np.r_[np.ones(10), np.zeros(60)]
    with nothing_lost(model):
        model.partial_fit(empty)
        model.partial_fit([empty, empty])
        model.partial_fit(np.concatenate([empty, small()]), sample_weight=weights)
    model.partial_fit(np.concatenate([empty, small()[:1]]))
    assert model.n_samples_seen_ == 71


@pytest.mark.parametrize("covariance_type", TYPES)
def test_far_rows_have_scores_that_are_not_nan(covariance_type):
    mixture, X, _ = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    far = np.where(np.isnan(X), X, 1e200)
    with np.errstate(all="raise"):
        density, shares = model.score_samples(far), model.predict_proba(far)
    assert not np.isnan(density).any()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_numpy_told_to_raise():
    X = holed(np.random.default_rng(9), small(), 0.2)
    results = []
    for treatment in ("warn", "raise"):
        with np.errstate(all=treatment), unfinished():
            model = GaussianMixture(2, allow_nan=True, random_state=0).fit(X)
            results.append([model.means_, model.score_samples(X), model.accumulate(X).second])
    np.testing.assert_equal(*results)


# --- the option elsewhere ------------------------------------------------------------------------


def test_saved_models_keep_the_option(tmp_path):
    X = holed(np.random.default_rng(9), small(), 0.2)
    model = fitted(X, n_components=2, random_state=0)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.allow_nan is True
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))


@pytest.mark.parametrize("allow_nan", [False, True])
def test_the_tag_of_scikit_learn(allow_nan):
    utils = pytest.importorskip("sklearn.utils")
    tags = utils.get_tags(GaussianMixture(allow_nan=allow_nan))
    assert tags.input_tags.allow_nan is allow_nan


def test_commands(tmp_path, run_command):
    X = holed(np.random.default_rng(9), small(), 0.2)
    rows, model, scores = (tmp_path / name for name in ("rows.npy", "model.npz", "scores.npy"))
    np.save(rows, X)
    status, _, error = run_command("fit", rows, "-k", "2", "-o", model)
    assert status != 0
    assert "missing value" in error
    status, _, error = run_command("fit", rows, "-k", "2", "-o", model, "--allow-nan")
    assert status == 0, error
    status, shown, _ = run_command("info", model)
    assert status == 0
    assert "allow_nan" in shown or "missing" in shown
    status, _, error = run_command("score", model, rows, "-o", scores)
    assert status == 0, error
    found = np.load(scores)
    np.testing.assert_allclose(
        found.ravel()[:60] if found.ndim == 1 else found[:, 0],
        gaussmix.load(model).score_samples(X),
        rtol=1e-6,
    )
