"""The floor of variances where values are missing: a bound that does not move, so that the
likelihood never falls, whichever way the rows come.

The floor of complete rows is tested with the M-step, in test_covariance.py and test_floor.py.
"""

from __future__ import annotations

import math
import pickle
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from gaussmix import ConvergenceWarning, GaussianMixture, SufficientStatistics
from gaussmix.sources import ChunkSource
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.reference import Mixture, dense_covariances

FLOORS = (0.001, 0.1, 0.5)


def rows_with_holes(seed: int, share: float, n: int = 60) -> NDArray[np.float64]:
    """Two nearly equal columns and one in other units, with a share of the values missing."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1)) + 3.0 * (rng.random((n, 1)) < 0.4)
    other = rng.normal(size=(n, 1)) * 10.0 ** rng.uniform(-3.0, 3.0)
    X = np.hstack([z, z + 0.01 * rng.normal(size=(n, 1)), other])
    X[rng.random(X.shape) < share] = np.nan
    return X


def fitted(X, sample_weight=None, **params) -> GaussianMixture:
    defaults = {"allow_nan": True, "reg_covar": 0.0, "random_state": 0, "tol": 0.0}
    return quietly(GaussianMixture(**defaults | params), X, sample_weight)


def quietly(model: GaussianMixture, X, sample_weight=None) -> GaussianMixture:
    """Fit, with no warning about too few iterations and rows without a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", r"\d+ of the \d+ rows of X have no value")
        return model.fit(X, sample_weight=sample_weight)


def least_ratio(model: GaussianMixture, variances: NDArray[np.float64]) -> float:
    """Least variance in any direction, in units of the columns' variances."""
    mixture = Mixture(model.covariance_type, model.weights_, model.means_, model.covariances_)
    unit = np.sqrt(np.full(3, variances.mean()) if mixture.covariance_type == "spherical"
                   else variances)  # fmt: skip
    return float(np.linalg.eigvalsh(dense_covariances(mixture) / np.outer(unit, unit)).min())


@pytest.mark.parametrize("acceleration", [None, "squarem"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.4])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_likelihood_never_falls(covariance_type, share, weighted, acceleration):
    for seed in (0, 3):
        X = rows_with_holes(seed, share)
        weight = np.random.default_rng(seed).uniform(0.0, 3.0, len(X)) if weighted else None
        for n_components, floor in zip((1, 3, 1, 3), (*FLOORS, 0.1), strict=True):
            model = fitted(
                X, weight, n_components=n_components, covariance_type=covariance_type,
                variance_floor=floor, acceleration=acceleration, max_iter=40,
            )  # fmt: skip
            bounds = np.array(model.lower_bounds_)
            assert len(bounds) == 40
            assert np.diff(bounds).min() >= -1e-10, (seed, floor)


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_unit_is_the_variance_of_the_values_that_are_there(covariance_type, floor):
    X = rows_with_holes(0, 0.2)
    model = fitted(X, covariance_type=covariance_type, variance_floor=floor, max_iter=200)
    ratio = least_ratio(model, np.nanvar(X, axis=0))
    if covariance_type in ("full", "tied"):  # nothing is left of the difference of two columns
        np.testing.assert_allclose(ratio, floor, rtol=1e-9)
    else:
        assert ratio >= floor


def best_under_the_bound(X, covariance_type: str, floor: float) -> float:
    """Largest mean log-likelihood of one component, by a general minimiser.

    In units of the bound a covariance is the identity and a square ``L L'``.
    """
    n, d = X.shape
    unit = np.sqrt(floor * np.nanvar(X, axis=0))
    groups: dict[tuple[bool, ...], list[NDArray[np.float64]]] = {}
    for row in X:
        groups.setdefault(tuple(~np.isnan(row)), []).append(row)

    def loss(theta):
        mean, spread = theta[:d] * unit, theta[d:]
        if covariance_type == "spherical":
            covariance = np.eye(d) * np.square(unit).mean() * (1.0 + spread[0] ** 2)
        else:
            factor = np.zeros((d, d))
            if covariance_type == "diag":
                np.fill_diagonal(factor, spread)
            else:
                factor[np.tril_indices(d)] = spread
            covariance = (np.eye(d) + factor @ factor.T) * np.outer(unit, unit)
        total = 0.0
        for pattern, some in groups.items():
            there = np.flatnonzero(pattern)
            block = covariance[np.ix_(there, there)]
            off = np.array(some)[:, there] - mean[there]
            total += len(some) * (np.linalg.slogdet(block)[1] + len(there) * math.log(2 * math.pi))
            total += (off @ np.linalg.inv(block) * off).sum()
        return 0.5 * total / n

    size = {"diag": d, "spherical": 1}.get(LAYOUT_OF[covariance_type], d * (d + 1) // 2)
    begin = np.concatenate([np.nanmean(X, axis=0) / unit, np.full(size, 0.5)])
    found = optimize.minimize(loss, begin, jac="3-point", method="BFGS", options={"gtol": 1e-9})
    return -float(found.fun)


@pytest.mark.parametrize(
    ("covariance_type", "floor"),
    [("full", 0.001), ("full", 0.5), ("tied", 0.1), ("diag", 0.1), ("spherical", 0.5)],
)
def test_one_component_is_the_maximum_under_the_bound(covariance_type, floor):
    X = rows_with_holes(1, 0.25)
    X[:, 2] /= np.nanstd(X[:, 2])
    model = fitted(X, covariance_type=covariance_type, variance_floor=floor, max_iter=500)
    best = best_under_the_bound(X, covariance_type, floor)
    assert model.score(X) >= best - 1e-9
    np.testing.assert_allclose(model.score(X), best, rtol=1e-6)


def states(model: GaussianMixture) -> list[NDArray[np.float64]]:
    return [model.weights_, model.means_, model.covariances_, np.array(model.lower_bounds_)]


def start(X, covariance_type: str, floor: float) -> GaussianMixture:
    return fitted(
        X, n_components=2, covariance_type=covariance_type, variance_floor=floor, max_iter=1
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_unit_is_the_same_whichever_way_the_rows_come(covariance_type, weighted):
    """An array, its pieces, a warm start, and `update` of what `accumulate` gives."""
    X = rows_with_holes(2, 0.2, n=400)
    weight = np.random.default_rng(2).uniform(0.0, 3.0, len(X)) if weighted else None
    params = {"n_components": 2, "covariance_type": covariance_type, "variance_floor": 0.3}
    cuts = [50, 180, 181]
    complete = np.flatnonzero(~np.isnan(X).any(axis=1))
    whole = fitted(X, weight, max_iter=6, **params)

    def chunks():
        if weight is None:
            return iter(np.split(X, cuts))
        return iter(list(zip(np.split(X, cuts), np.split(weight, cuts), strict=True)))

    streamed = fitted(ChunkSource(chunks), max_iter=6, **params)
    for one, other in zip(states(streamed), states(whole), strict=True):
        np.testing.assert_array_equal(one, other)

    warm = fitted(X, weight, max_iter=3, warm_start=True, **params)
    quietly(warm, X, weight)
    for one, other in zip(states(warm)[:3], states(whole)[:3], strict=True):
        np.testing.assert_array_equal(one, other)

    rest = np.setdiff1d(np.arange(len(X)), complete)
    orders = [[np.arange(len(X))], np.split(np.arange(len(X)), cuts), [rest, complete, rest[:0]]]
    for pieces in orders:
        stepped = fitted(X, weight, max_iter=1, **params)
        for _ in range(5):
            parts = [
                stepped.accumulate(X[i], None if weight is None else weight[i]) for i in pieces
            ]
            stepped.update(SufficientStatistics.merge(parts))
        for one, other in zip(states(stepped), states(whole), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_partitions_have_the_unit_of_all_rows():
    array = pytest.importorskip("dask.array")
    dask = pytest.importorskip("dask")
    X = rows_with_holes(3, 0.2, n=300)
    lazy = array.from_array(X, chunks=(70, -1))
    params = {"n_components": 2, "variance_floor": 0.3, "max_iter": 5}
    with dask.config.set(scheduler="synchronous"):
        one, other = fitted(lazy, **params), fitted(lazy, **params)
    for left, right, local in zip(states(one), states(other), states(fitted(X, **params)),
                                  strict=True):  # fmt: skip
        np.testing.assert_array_equal(left, right)
        np.testing.assert_allclose(left, local, rtol=1e-9, atol=1e-12)


def test_statistics_of_complete_and_of_incomplete_rows_add_up():
    """A model without `allow_nan` knows of no columns; its sums tell them."""
    X = rows_with_holes(4, 0.2, n=200)
    complete = ~np.isnan(X).any(axis=1)
    model = start(X, "full", 0.3)
    plain = GaussianMixture.from_parameters(model.weights_, model.means_, model.covariances_)
    mixed = model.accumulate(X[~complete]) + plain.accumulate(X[complete])
    swapped = plain.accumulate(X[complete]) + model.accumulate(X[~complete])
    expected = model.accumulate(X).columns
    for columns in (mixed.columns, swapped.columns, pickle.loads(pickle.dumps(mixed)).columns):
        for one, other in zip(columns, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)
    halved = mixed.scaled(0.5).columns
    np.testing.assert_allclose(halved.weight, expected.weight / 2)
    np.testing.assert_allclose(halved.variance, expected.variance, rtol=1e-9)


def test_columns_that_are_none_are_refused():
    X = rows_with_holes(5, 0.2)
    model = start(X, "full", 0.3)
    before = states(model)
    statistics = model.accumulate(X)
    statistics.columns = statistics.columns._replace(variance=np.full(3, np.nan))
    with pytest.raises(ValueError, match=r"statistics\.columns\.variance contains"):
        model.update(statistics)
    statistics.columns = statistics.columns._replace(variance=np.ones(2))
    with pytest.raises(ValueError, match=r"statistics\.columns\.variance must have shape \(3,\)"):
        model.update(statistics)
    for one, other in zip(states(model), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_with_nothing_missing_nothing_changes(covariance_type):
    """Bits are those without `allow_nan`, where the sums tell the columns' variances."""
    X = np.nan_to_num(rows_with_holes(6, 0.2, n=200))
    models = []
    for allow_nan in (False, True):
        model = fitted(
            X, n_components=3, covariance_type=covariance_type, variance_floor=0.2, max_iter=4,
            allow_nan=allow_nan,
        )  # fmt: skip
        model.update(model.accumulate(X[:90]) + model.accumulate(X[90:]))
        models.append(states(model))
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)
