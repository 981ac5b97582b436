"""GaussianMixture: fitting, scoring, sampling, and what it does with bad input."""

from __future__ import annotations

import copy
import inspect
import itertools
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import reference
from reference import COVARIANCE_TYPES

import gaussmix
from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
    SufficientStatistics,
    _em,
)

FITTED_ARRAYS = ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]
SCORED_ARRAYS = ["weights_", "means_", "precisions_cholesky_"]
SCORING = ["score_samples", "predict", "predict_proba", "score", "aic", "bic", "icl"]


def mixture_of(model):
    """The fitted parameters for the reference implementation."""
    return reference.Mixture(
        model.covariance_type, model.weights_, model.means_, model.covariances_
    )


def state_of(model):
    """A deep copy of everything in the model, to compare with later."""
    return copy.deepcopy(vars(model))


def assert_state(model, state):
    assert vars(model).keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_equal(getattr(model, name), value, err_msg=name)


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request):
    return request.param


@pytest.fixture
def model(covariance_type, old_faithful):
    return GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(old_faithful)


# --- fitting ------------------------------------------------------------------------------------


def test_fitted_attributes(model, covariance_type):
    shape = {"full": (3, 2, 2), "tied": (2, 2), "diag": (3, 2), "spherical": (3,)}
    assert model.weights_.shape == (3,)
    assert model.means_.shape == (3, 2)
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(model, name).shape == shape[covariance_type]
    assert model.weights_.sum() == pytest.approx(1, rel=1e-14)
    factors = reference.precision_factors(covariance_type, model.covariances_)
    np.testing.assert_allclose(model.precisions_cholesky_, factors, rtol=1e-10, atol=1e-14)
    if covariance_type in ("full", "tied"):
        inverse = np.linalg.inv(model.covariances_)
    else:
        inverse = 1 / model.covariances_
    np.testing.assert_allclose(model.precisions_, inverse, rtol=1e-9, atol=1e-12)
    assert model.converged_ is True
    assert model.n_features_in_ == 2
    assert len(model.lower_bounds_) == model.n_iter_ > 1
    assert model.lower_bound_ == model.lower_bounds_[-1]
    assert abs(model.lower_bounds_[-1] - model.lower_bounds_[-2]) < 1e-3
    assert not hasattr(model, "feature_names_in_")


def test_the_lower_bound_is_that_of_the_parameters_before_the_last_step(
    covariance_type, old_faithful
):
    before, after = (
        GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=n_iter, tol=0)
        for n_iter in (4, 5)
    )
    with pytest.warns(ConvergenceWarning):
        before.fit(old_faithful)
    with pytest.warns(ConvergenceWarning):
        after.fit(old_faithful)
    assert after.lower_bounds_[:4] == before.lower_bounds_
    assert after.lower_bound_ == pytest.approx(before.score(old_faithful), rel=1e-12)


def test_float32_rows_give_float32_results(covariance_type, old_faithful):
    X = old_faithful.astype(np.float32)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    double = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(old_faithful)
    for name in FITTED_ARRAYS:
        assert getattr(model, name).dtype == np.float32
        np.testing.assert_allclose(getattr(model, name), getattr(double, name), rtol=2e-3)
    assert model.score_samples(X).dtype == np.float32
    assert model.predict_proba(X).dtype == np.float32
    assert model.score_samples(old_faithful).dtype == np.float64
    assert double.score_samples(X).dtype == np.float32
    assert model.sample(3, random_state=0)[0].dtype == np.float32
    assert isinstance(model.score(X), float)


def test_fit_returns_self_and_sets_nothing_else(old_faithful):
    model = GaussianMixture(2, means_init=[[2, 50], [4, 80]], random_state=0)
    given = dict(vars(model))
    assert model.fit(old_faithful) is model
    for name, value in given.items():
        assert getattr(model, name) is value
    assert {*vars(model)} - {*given} == {
        *FITTED_ARRAYS,
        "converged_",
        "n_iter_",
        "lower_bound_",
        "lower_bounds_",
        "collapses_",
        "n_samples_seen_",
        "n_features_in_",
    }


def test_fit_predict_is_fit_and_predict(covariance_type, iris):
    make = {"covariance_type": covariance_type, "random_state": 3, "max_iter": 2, "tol": 0}
    with pytest.warns(ConvergenceWarning):
        labels = GaussianMixture(4, **make).fit_predict(iris)
    with pytest.warns(ConvergenceWarning):
        expected = GaussianMixture(4, **make).fit(iris).predict(iris)
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.intp


def test_a_warning_points_at_the_line_that_called_fit(old_faithful):
    with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
        GaussianMixture(2, max_iter=1).fit(old_faithful)
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(ConvergenceWarning, match="distinct clusters") as caught:
        GaussianMixture(3).fit_predict(np.repeat(old_faithful[:2], 5, axis=0))
    assert {warning.filename for warning in caught} == {__file__}


def test_no_iterations_keep_the_start(covariance_type, old_faithful):
    start = reference.random_mixture(np.random.default_rng(0), covariance_type, 2, 2)
    factors = reference.precision_factors(covariance_type, start.covariances)
    full = covariance_type in ("full", "tied")
    precisions = factors @ np.swapaxes(factors, -1, -2) if full else factors**2
    model = GaussianMixture(
        2,
        covariance_type=covariance_type,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=precisions,
        max_iter=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(old_faithful)
    np.testing.assert_array_equal(model.weights_, start.weights)
    np.testing.assert_array_equal(model.means_, start.means)
    np.testing.assert_allclose(model.covariances_, start.covariances, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.precisions_, precisions, rtol=1e-9, atol=1e-12)
    assert (model.n_iter_, model.converged_) == (0, False)
    assert (model.lower_bound_, model.lower_bounds_) == (-np.inf, [])
    assert model.predict(old_faithful).shape == (272,)


def test_the_best_of_several_starts_is_kept(old_faithful):
    options = {"init_params": "random_from_data", "tol": 1e-6, "max_iter": 500}
    # One generator runs on through the starts of one fit.
    stream = np.random.RandomState(7)
    bounds = [
        GaussianMixture(4, random_state=stream, **options).fit(old_faithful).lower_bound_
        for _ in range(6)
    ]
    best = GaussianMixture(4, random_state=7, n_init=6, **options).fit(old_faithful)
    assert len(set(bounds)) > 1
    assert best.lower_bound_ == max(bounds)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_start_that_repeats_an_earlier_one_is_not_run_again(covariance_type, monkeypatch):
    rng = np.random.default_rng(0)
    X = np.repeat(np.diag([9.0, 9.0, 9.0]), 50, axis=0) + rng.normal(size=(150, 3))
    runs = []
    run = _em.run
    monkeypatch.setattr(_em, "run", lambda *args, **kw: runs.append(run(*args, **kw)) or runs[-1])
    options = {"covariance_type": covariance_type, "tol": 1e-6, "max_iter": 500}
    model = GaussianMixture(3, n_init=8, random_state=2, **options).fit(X)
    assert len(runs) == 1
    stream = np.random.RandomState(2)
    separate = [GaussianMixture(3, random_state=stream, **options).fit(X) for _ in range(8)]
    best = max(fit.lower_bound_ for fit in separate)
    assert model.lower_bound_ == pytest.approx(best, rel=1e-13)
    # The generator stands where it stands after as many separate fits.
    used = np.random.RandomState(2)
    GaussianMixture(3, n_init=8, random_state=used, **options).fit(X)
    assert used.randint(1 << 30) == stream.randint(1 << 30)


def test_a_given_start_is_run_once(monkeypatch, old_faithful):
    given = GaussianMixture(2, random_state=0, max_iter=0).fit(old_faithful)
    runs = []
    run = _em.run
    monkeypatch.setattr(_em, "run", lambda *args, **kw: runs.append(run(*args, **kw)) or runs[-1])
    GaussianMixture(
        2,
        n_init=4,
        weights_init=given.weights_,
        means_init=given.means_,
        precisions_init=given.precisions_,
    ).fit(old_faithful)
    assert len(runs) == 1


def test_warm_start_goes_on_where_the_last_fit_ended(covariance_type, old_faithful):
    options = {"covariance_type": covariance_type, "random_state": 0, "tol": 0, "n_init": 2}
    warm = GaussianMixture(3, warm_start=True, max_iter=3, **options)
    cold = GaussianMixture(3, max_iter=6, **(options | {"n_init": 1}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warm.set_params(n_init=1).fit(old_faithful)
        warm.set_params(n_init=2).fit(old_faithful)
        cold.fit(old_faithful)
    assert warm.n_iter_ == 3
    for name in FITTED_ARRAYS:
        np.testing.assert_array_equal(getattr(warm, name), getattr(cold, name))
    assert warm.lower_bounds_ == cold.lower_bounds_[3:]


def test_warm_start_without_iterations_makes_the_covariances_that_are_missing(old_faithful):
    model = GaussianMixture(2, warm_start=True, random_state=0).fit(old_faithful)
    covariances = model.covariances_
    del model.covariances_
    model.set_params(max_iter=0).fit(old_faithful)
    np.testing.assert_allclose(model.covariances_, covariances, rtol=1e-9)


def test_warm_start_compares_with_the_last_bound(old_faithful):
    model = GaussianMixture(2, warm_start=True, random_state=0).fit(old_faithful)
    assert model.n_iter_ > 1
    assert model.fit(old_faithful).n_iter_ == 1


@pytest.mark.parametrize("change", ["n_components", "features", "covariance_type"])
def test_warm_start_refuses_another_shape(old_faithful, change):
    model = GaussianMixture(2, warm_start=True, random_state=0).fit(old_faithful)
    X = old_faithful
    if change == "features":
        X = X[:, :1]
    else:
        model.set_params(**{change: 3 if change == "n_components" else "spherical"})
    state = state_of(model)
    with pytest.raises(ValueError, match=r"warm_start=False|Fit again"):
        model.fit(X)
    assert_state(model, state)


def test_weights_are_repetitions(covariance_type, old_faithful):
    counts = np.random.default_rng(0).integers(0, 4, len(old_faithful))
    start = {
        "weights_init": [0.4, 0.6],
        "means_init": [[2, 55], [4.3, 80]],
        "precisions_init": {
            "full": np.tile(np.diag([4, 0.04]), (2, 1, 1)),
            "tied": np.diag([4, 0.04]),
            "diag": np.tile([4, 0.04], (2, 1)),
            "spherical": [0.1, 0.1],
        }[covariance_type],
    }
    make = {"covariance_type": covariance_type, **start}
    weighted = GaussianMixture(2, **make).fit(old_faithful, sample_weight=counts)
    repeated = GaussianMixture(2, **make).fit(np.repeat(old_faithful, counts, axis=0))
    small, large = (
        GaussianMixture(2, **make).fit(old_faithful, sample_weight=counts * unit)
        for unit in (1e-30, 1e30)
    )
    for name in FITTED_ARRAYS:
        expected = getattr(repeated, name)
        for model in (weighted, small, large):
            np.testing.assert_allclose(getattr(model, name), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weighted.lower_bounds_, repeated.lower_bounds_, rtol=1e-12)


def test_one_weight_for_all_is_no_weight(old_faithful):
    plain = GaussianMixture(2, random_state=0).fit(old_faithful)
    same = GaussianMixture(2, random_state=0).fit(old_faithful, sample_weight=1.0)
    np.testing.assert_allclose(same.means_, plain.means_, rtol=1e-12)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_leads_to_a_model(init_params, covariance_type, iris):
    model = GaussianMixture(
        3, covariance_type=covariance_type, init_params=init_params, random_state=0, max_iter=500
    ).fit(iris)
    assert model.lower_bound_ > -3.1
    assert len(np.unique(model.means_, axis=0)) == 3


# --- the variance floor -------------------------------------------------------------------------

FLOOR = 1e-3


@pytest.fixture(scope="module")
def degenerate():
    """Overlapping clusters of correlated columns in unlike units, a value that 25 rows share, and
    15 rows on a line: without a floor the likelihood is unbounded.
    """
    rng = np.random.default_rng(11)
    mixed = np.concatenate([rng.normal(0, 1, (150, 3)), rng.normal(2.5, 1, (150, 3))])
    line = np.outer(np.linspace(-1, 1, 15), [1.0, 2.0, -1.0]) + 9
    rows = np.concatenate([mixed, np.full((25, 3), 7.0), line])
    return rows @ [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] * [1e-3, 1.0, 1e4]


def start_of(degenerate, covariance_type, scale=1.0):
    """A start that follows the units of the columns."""
    means = degenerate[[0, 200, 305, 330]] * scale
    precisions = {
        "full": lambda v: np.array([np.diag(1 / v)] * 4),
        "tied": lambda v: np.diag(1 / v),
        "diag": lambda v: np.array([1 / v] * 4),
        "spherical": lambda v: np.full(4, 1 / v.mean()),
    }[covariance_type]((degenerate * scale).var(axis=0))
    return {"means_init": means, "weights_init": np.full(4, 0.25), "precisions_init": precisions}


def fit_with_floor(X, covariance_type, start, **params):
    params = {"reg_covar": 0, "tol": 1e-9, "max_iter": 3000, "variance_floor": FLOOR} | params
    return GaussianMixture(4, covariance_type=covariance_type, **start, **params).fit(X)


def narrowest(model, columns):
    """The least variance of a component in any direction, as a fraction of the columns'."""
    family = model.covariance_type
    covariances = model.covariances_.astype(float)
    if family == "spherical":
        return covariances.min() / columns.mean()
    if family == "diag":
        return (covariances / columns).min()
    return np.linalg.eigvalsh(covariances / np.sqrt(np.outer(columns, columns))).min()


@pytest.mark.parametrize("acceleration", [None, "squarem"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_variance_is_below_the_floor_and_the_likelihood_never_falls(
    degenerate, covariance_type, acceleration, dtype
):
    X = degenerate.astype(dtype)
    start = start_of(degenerate, covariance_type)
    model = fit_with_floor(X, covariance_type, start, acceleration=acceleration)
    assert model.converged_
    # Attributes of float32 rows are rounded, and a full covariance loses more in its inverse.
    tolerance = 1e-9 if dtype == np.float64 else 1e-2
    columns = X.astype(float).var(axis=0)
    assert narrowest(model, columns) >= FLOOR * (1 - tolerance)
    if covariance_type in ("full", "diag"):
        assert narrowest(model, columns) == pytest.approx(FLOOR, rel=2 * tolerance)
    bounds = np.array(model.lower_bounds_)
    rounding = 1e-13 if dtype == np.float64 else 1e-6
    assert (np.diff(bounds) >= -rounding * np.abs(bounds).max()).all()


def test_the_floor_follows_the_units_of_the_columns(degenerate, covariance_type):
    scale = np.full(3, 1e5) if covariance_type == "spherical" else np.array([1e8, 1e-3, 1e-7])
    plain = fit_with_floor(degenerate, covariance_type, start_of(degenerate, covariance_type))
    start = start_of(degenerate, covariance_type, scale)
    scaled = fit_with_floor(degenerate * scale, covariance_type, start)
    assert scaled.n_iter_ == plain.n_iter_
    np.testing.assert_allclose(scaled.weights_, plain.weights_, rtol=1e-7)
    np.testing.assert_allclose(scaled.means_, plain.means_ * scale, rtol=1e-7)
    jacobian = np.log(scale).sum()
    assert scaled.lower_bound_ == pytest.approx(plain.lower_bound_ - jacobian, rel=1e-9)


def test_the_floor_alone_saves_a_fit_that_collapses(degenerate, covariance_type):
    if covariance_type != "tied":
        with pytest.raises(IllDefinedCovarianceError, match="raise variance_floor"):
            fit_with_floor(
                degenerate, covariance_type, start_of(degenerate, covariance_type),
                variance_floor=0.0,
            )  # fmt: skip
    model = GaussianMixture(
        6, covariance_type=covariance_type, reg_covar=0, variance_floor=1e-6, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(degenerate)
    assert narrowest(model, degenerate.var(axis=0)) >= 1e-6 * (1 - 1e-6)
    assert np.isfinite(model.score_samples(degenerate)).all()


def test_the_floor_counts_weights_as_rows(degenerate, covariance_type):
    counts = np.random.default_rng(3).integers(0, 3, len(degenerate))
    start = start_of(degenerate, covariance_type)
    repeated = fit_with_floor(np.repeat(degenerate, counts, axis=0), covariance_type, start)
    model = GaussianMixture(
        4, covariance_type=covariance_type, reg_covar=0, tol=1e-9, max_iter=3000,
        variance_floor=FLOOR, **start,
    )  # fmt: skip
    model.fit(degenerate, sample_weight=counts)
    np.testing.assert_allclose(model.means_, repeated.means_, rtol=1e-6)
    np.testing.assert_allclose(model.covariances_, repeated.covariances_, rtol=1e-5, atol=1e-12)


def test_the_floor_needs_nothing_but_the_statistics(degenerate, covariance_type):
    start = start_of(degenerate, covariance_type)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fit_with_floor(degenerate, covariance_type, start, max_iter=30, tol=0)
        next_one = fit_with_floor(degenerate, covariance_type, start, max_iter=31, tol=0)
    pieces = [model.accumulate(piece) for piece in np.array_split(degenerate, 7)]
    model.update(SufficientStatistics.merge(pieces))
    np.testing.assert_allclose(model.means_, next_one.means_, rtol=1e-7)
    np.testing.assert_allclose(
        model.covariances_, next_one.covariances_, rtol=1e-6, atol=1e-7 * FLOOR * 1e-6
    )


def test_a_constant_column_has_no_floor(old_faithful):
    X = np.column_stack([old_faithful, np.full(len(old_faithful), 5.0)])
    with pytest.raises(IllDefinedCovarianceError, match="column 2"):
        GaussianMixture(2, reg_covar=0, variance_floor=0.01, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="constant in column 2"):
        model = GaussianMixture(2, reg_covar=1e-4, variance_floor=0.01, random_state=0).fit(X)
    np.testing.assert_allclose(model.covariances_[:, 2, 2], 1e-4, rtol=1e-9)
    columns = old_faithful.var(axis=0)
    values = np.linalg.eigvalsh(
        model.covariances_[:, :2, :2] / np.sqrt(np.outer(columns, columns))
    )
    assert values.min() >= 0.01 * (1 - 1e-12)


@pytest.mark.filterwarnings("ignore:reg_covar=.* is added to every variance")
def test_the_floor_comes_after_the_regularisation(old_faithful):
    columns = old_faithful.var(axis=0)
    model = GaussianMixture(
        1, covariance_type="diag", reg_covar=0.5 * columns[0], variance_floor=0.9
    ).fit(old_faithful)
    np.testing.assert_allclose(model.covariances_[0], columns + 0.5 * columns[0], rtol=1e-12)
    tight = GaussianMixture(
        8, covariance_type="diag", reg_covar=1e-9, variance_floor=0.2, random_state=0
    ).fit(old_faithful)
    np.testing.assert_allclose(tight.covariances_.min(axis=0), 0.2 * columns, rtol=1e-12)


# --- accumulate and update ----------------------------------------------------------------------


def test_update_is_one_more_iteration(covariance_type, old_faithful):
    make = {"covariance_type": covariance_type, "random_state": 0, "tol": 0}
    with pytest.warns(ConvergenceWarning):
        model = GaussianMixture(3, max_iter=3, **make).fit(old_faithful)
    with pytest.warns(ConvergenceWarning):
        longer = GaussianMixture(3, max_iter=4, **make).fit(old_faithful)
    chunks = np.array_split(old_faithful, 5)
    statistics = SufficientStatistics.merge([model.accumulate(chunk) for chunk in chunks])
    assert statistics.n_rows == 272
    assert model.update(statistics) is model
    for name in FITTED_ARRAYS:
        np.testing.assert_allclose(
            getattr(model, name), getattr(longer, name), rtol=1e-9, atol=1e-12
        )
    assert model.n_iter_ == 4
    np.testing.assert_allclose(model.lower_bounds_, longer.lower_bounds_, rtol=1e-12)
    assert model.lower_bound_ == model.lower_bounds_[-1]
    assert model.converged_ is False
    model.set_params(tol=10.0).update(model.accumulate(old_faithful))
    assert model.converged_ is True


def test_accumulate_honours_weights(model, old_faithful):
    counts = np.random.default_rng(0).integers(0, 3, len(old_faithful))
    weighted = model.accumulate(old_faithful, sample_weight=counts)
    repeated = model.accumulate(np.repeat(old_faithful, counts, axis=0))
    np.testing.assert_allclose(weighted.weight, repeated.weight, rtol=1e-11)
    np.testing.assert_allclose(weighted.second, repeated.second, rtol=1e-9)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    assert weighted.total_weight == counts.sum()


def test_statistics_agree_with_the_reference(model, old_faithful):
    statistics = model.accumulate(old_faithful)
    expected = reference.statistics(mixture_of(model), old_faithful, statistics.shift)
    np.testing.assert_allclose(statistics.weight, expected.weight, rtol=1e-11)
    scale = np.abs(expected.first).max()
    np.testing.assert_allclose(statistics.first, expected.first, rtol=1e-9, atol=1e-11 * scale)
    scale = np.abs(expected.second).max()
    np.testing.assert_allclose(statistics.second, expected.second, rtol=1e-9, atol=1e-11 * scale)
    assert statistics.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)


def test_update_refuses_what_does_not_fit(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    state = state_of(model)
    with pytest.raises(TypeError, match="SufficientStatistics; got dict"):
        model.update({})
    other = GaussianMixture(3, random_state=0).fit(old_faithful).accumulate(old_faithful)
    with pytest.raises(ValueError, match="shape"):
        model.update(other)
    broken = model.accumulate(old_faithful)
    broken.second[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"statistics\.second contains NaN"):
        model.update(broken)
    flat = model.accumulate(old_faithful)
    flat.second[:] = 0
    flat.first[:] = 0
    with pytest.raises(IllDefinedCovarianceError, match="Component 0"):
        model.set_params(reg_covar=0.0).update(flat)
    model.set_params(reg_covar=state["reg_covar"])
    assert_state(model, state)


# --- scoring ------------------------------------------------------------------------------------


def test_scores_agree_with_the_reference(model, old_faithful):
    mixture = mixture_of(model)
    density = reference.log_densities(mixture, old_faithful)
    proba = reference.responsibilities(mixture, old_faithful)
    np.testing.assert_allclose(model.score_samples(old_faithful), density, rtol=1e-11)
    np.testing.assert_allclose(model.predict_proba(old_faithful), proba, rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(model.predict(old_faithful), proba.argmax(axis=1))
    assert model.score(old_faithful) == pytest.approx(density.mean(), rel=1e-12)
    p, n = model.n_parameters(), len(old_faithful)
    assert model.aic(old_faithful) == pytest.approx(-2 * density.sum() + 2 * p, rel=1e-12)
    bic = -2 * density.sum() + p * np.log(n)
    assert model.bic(old_faithful) == pytest.approx(bic, rel=1e-12)
    icl = bic - 2 * np.log(proba.max(axis=1)).sum()
    assert model.icl(old_faithful) == pytest.approx(icl, rel=1e-11)


def test_sums_over_blocks(monkeypatch, model, old_faithful):
    expected = [model.score(old_faithful), model.bic(old_faithful), model.icl(old_faithful)]
    monkeypatch.setattr(gaussmix._scorer, "BLOCK_VALUES", 100)
    found = [model.score(old_faithful), model.bic(old_faithful), model.icl(old_faithful)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_icl_is_the_negative_of_mclusts(old_faithful):
    """mclust 6.1.3's vignette prints, for EEE,3, these parameters, BIC and ICL.

    Its criteria belong to the parameters one step earlier, hence the tolerance. The criterion with
    the entropy of all responsibilities would be 2399.
    """
    model = GaussianMixture.from_parameters(
        [0.1656784, 0.3563696, 0.4779520],
        [[3.793066, 77.521051], [2.037596, 54.491158], [4.463245, 80.833439]],
        [[0.07825448, 0.48019785], [0.48019785, 33.7671464]],
    )
    assert model.covariance_type == "tied"
    assert model.bic(old_faithful) == pytest.approx(2314.316, abs=0.02)
    assert model.icl(old_faithful) == pytest.approx(2357.824, abs=0.1)


@pytest.mark.parametrize(
    ("covariance_type", "expected"), [("full", 41), ("tied", 26), ("diag", 21), ("spherical", 13)]
)
def test_number_of_parameters(covariance_type, expected):
    X = np.random.default_rng(0).normal(size=(50, 5))
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert model.n_parameters() == model._n_parameters() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_can_be_written_to_given_arrays(old_faithful, dtype):
    X = old_faithful.astype(dtype)
    model = GaussianMixture(2, random_state=0).fit(X)
    for name, shape, kind in [
        ("score_samples", (272,), dtype),
        ("predict_proba", (272, 2), dtype),
        ("predict", (272,), np.intp),
    ]:
        method = getattr(model, name)
        out = np.zeros(shape, dtype=kind)
        assert method(X, out=out) is out
        np.testing.assert_array_equal(out, method(X))
        for wrong in (
            np.zeros((271, *shape[1:]), dtype=kind),
            np.zeros(shape, dtype=np.int8),
            np.zeros((544, *shape[1:]), dtype=kind)[::2],
            out.tolist(),
        ):
            with pytest.raises(ValueError, match="out"):
                method(X, out=wrong)


def test_a_failed_score_leaves_the_given_array_alone(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = old_faithful.copy()
    X[200, 1] = np.nan
    out = np.full(272, 7.0)
    with pytest.raises(ValueError, match="NaN"):
        model.score_samples(X, out=out)
    np.testing.assert_array_equal(out, 7.0)


def test_scoring_writes_nothing(model, old_faithful):
    state = state_of(model)
    for name in SCORING:
        getattr(model, name)(old_faithful)
    model.accumulate(old_faithful)
    assert_state(model, state)


def test_attributes_set_by_hand_are_used(old_faithful):
    model = GaussianMixture(2, covariance_type="diag")
    model.weights_ = np.array([0.25, 0.75])
    model.means_ = [[2.0, 50.0], [4.0, 80.0]]
    model.precisions_cholesky_ = np.array([[1.0, 0.2], [2.0, 0.1]], order="F")
    covariances = model.precisions_cholesky_**-2.0
    mixture = reference.Mixture("diag", model.weights_, np.array(model.means_), covariances)
    expected = reference.log_densities(mixture, old_faithful)
    np.testing.assert_allclose(model.score_samples(old_faithful), expected, rtol=1e-11)
    model.weights_ = np.array([0.5, 0.5])
    assert not np.allclose(model.score_samples(old_faithful), expected)
    model.means_ = np.zeros((3, 2))
    with pytest.raises(ValueError, match="do not fit together"):
        model.predict(old_faithful)


def rewritten(model):
    """A model that never scored, with the parameters another has now."""
    twin = GaussianMixture(**model.get_params())
    for name in SCORED_ARRAYS:
        setattr(twin, name, np.array(getattr(model, name)))
    return twin


def assert_scores_are_current(model, X):
    """Scores are, to the last bit, those of the parameters that the model has now."""
    twin = rewritten(model)
    for rows in (X, X[:1]):
        for name in ("score_samples", "predict", "predict_proba"):
            expected = getattr(twin, name)(rows)
            np.testing.assert_array_equal(getattr(model, name)(rows), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SCORED_ARRAYS)
def test_arrays_changed_in_place_are_used(covariance_type, old_faithful, dtype, name):
    X = old_faithful.astype(dtype)
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    before = model.score_samples(X)
    array = getattr(model, name)
    was = array.copy()
    if name == "weights_":
        array[:] = np.roll(array, 1)  # a sum of one
    else:
        array.flat[0] *= 1.25
    assert_scores_are_current(model, X)
    assert not np.array_equal(model.score_samples(X), before)
    array[...] = was
    np.testing.assert_array_equal(model.score_samples(X), before)
    array.flat[-1] = np.nextafter(array.flat[-1], dtype(9))  # one bit, in the last entry
    assert_scores_are_current(model, X)


def test_arrays_that_are_replaced_are_used(model, old_faithful):
    before = model.score_samples(old_faithful)
    means = model.means_
    model.means_ = means + 0.5
    assert_scores_are_current(model, old_faithful)
    assert not np.array_equal(model.score_samples(old_faithful), before)
    model.means_ = means.astype(np.float32)
    assert_scores_are_current(model, old_faithful)
    model.means_ = means.tolist()
    np.testing.assert_array_equal(model.score_samples(old_faithful), before)
    model.means_[0][0] += 1.0
    assert_scores_are_current(model, old_faithful)
    model.means_ = np.asfortranarray(means)
    np.testing.assert_array_equal(model.score_samples(old_faithful), before)
    model.means_[0, 0] += 1.0
    assert_scores_are_current(model, old_faithful)


def test_the_same_bytes_in_another_shape_or_type_are_noticed(old_faithful):
    model = GaussianMixture(3, covariance_type="spherical", random_state=0).fit(old_faithful)
    model.predict(old_faithful)
    means = model.means_
    model.means_ = means.reshape(2, 3)
    with pytest.raises(ValueError, match="do not fit together"):
        model.predict(old_faithful)
    model.means_ = means
    model.predict(old_faithful)
    weights = model.weights_
    model.weights_ = weights.view(np.int64)
    with pytest.raises(ValueError, match=r"weights_\[0\] = 4\."):
        model.predict(old_faithful)
    model.weights_ = weights
    model.predict(old_faithful)
    del model.weights_
    with pytest.raises(NotFittedError):
        model.predict(old_faithful)


def test_another_covariance_type_after_scoring_is_noticed(old_faithful):
    model = GaussianMixture(2, covariance_type="tied", random_state=0).fit(old_faithful)
    model.predict(old_faithful)
    model.covariance_type = "diag"  # two components and two columns: of the same shape
    model.precisions_cholesky_[:] = np.abs(model.precisions_cholesky_) + 0.1
    assert_scores_are_current(model, old_faithful)


def test_scores_after_a_refit_and_an_update(model, old_faithful):
    model.predict(old_faithful)
    model.fit(old_faithful[::2])
    assert_scores_are_current(model, old_faithful)
    model.update(model.accumulate(old_faithful))
    assert_scores_are_current(model, old_faithful)
    fixed = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=model.covariance_type
    )
    fixed.predict(old_faithful)
    fixed.means_ -= 1.0
    assert_scores_are_current(fixed, old_faithful)


def test_copies_carry_nothing_kept_for_scoring(model, old_faithful):
    pickled = pickle.dumps(model)
    expected = model.score_samples(old_faithful)
    assert pickle.dumps(model) == pickled
    for twin in (pickle.loads(pickled), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.score_samples(old_faithful), expected)
        twin.means_ += 1.0
        assert_scores_are_current(twin, old_faithful)
        np.testing.assert_array_equal(model.score_samples(old_faithful), expected)
    shallow = copy.copy(model)  # shares the arrays
    shallow.score_samples(old_faithful)
    model.means_ += 1.0
    assert_scores_are_current(shallow, old_faithful)


def test_large_parameters_are_not_kept(monkeypatch, model, old_faithful):
    expected = model.predict_proba(old_faithful)
    model = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(gaussmix._estimators.kept, "MOST_KEPT", 0)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict_proba(old_faithful), expected)
        assert model._kept.scorer is None


def test_threads_score_one_model_while_it_changes(model, old_faithful):
    """Each result is that of the parameters before or after a change, never of a mixture."""
    choices = [model.means_, model.means_ + 1.0]
    expected = [rewritten(model).score_samples(old_faithful)]
    model.means_ = choices[1]
    expected.append(rewritten(model).score_samples(old_faithful))
    wrong = []

    def score():
        for _ in range(300):
            found = model.score_samples(old_faithful)
            if not any(np.array_equal(found, values) for values in expected):
                wrong.append(found)

    threads = [threading.Thread(target=score) for _ in range(4)]
    for thread in threads:
        thread.start()
    for means in itertools.cycle(choices):
        model.means_ = means
        if not any(thread.is_alive() for thread in threads):
            break
    assert not wrong
    assert_scores_are_current(model, old_faithful)


def test_a_change_of_covariance_type_after_the_fit_is_noticed(old_faithful):
    model = GaussianMixture(3, random_state=0).fit(old_faithful)
    with pytest.raises(ValueError, match="Fit again"):
        model.set_params(covariance_type="spherical").predict(old_faithful)


# --- sampling -----------------------------------------------------------------------------------


def test_samples_have_the_moments_of_the_components(model):
    n = 40_000
    X, y = model.sample(n, random_state=1)
    assert X.shape == (n, 2)
    assert y.shape == (n,)
    dense = reference.dense_covariances(mixture_of(model))
    for k in range(3):
        rows = X[y == k]
        assert len(rows) / n == pytest.approx(model.weights_[k], abs=0.01)
        scale = np.sqrt(np.diag(dense[k]))
        np.testing.assert_allclose(rows.mean(axis=0), model.means_[k], atol=0.05 * scale.max())
        error = (np.cov(rows.T) - dense[k]) / np.outer(scale, scale)
        assert np.abs(error).max() < 0.06


def test_samples_come_in_random_order(model):
    _, y = model.sample(2000, random_state=0)
    assert (np.diff(y) < 0).sum() > 300


def test_an_int_random_state_gives_a_stream_of_samples(old_faithful):
    def draws():
        model = GaussianMixture(2, random_state=0).fit(old_faithful)
        return [model.sample(4)[0] for _ in range(3)]

    first, second = draws(), draws()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    model.sample(4)
    np.testing.assert_array_equal(model.fit(old_faithful).sample(4)[0], first[0])
    one, other = (model.sample(4, random_state=5)[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    model.set_params(random_state=1)
    assert not np.array_equal(model.sample(4)[0], first[0])


def test_a_generator_as_random_state_runs_on(old_faithful):
    for make in (np.random.RandomState, np.random.default_rng):
        model = GaussianMixture(2, random_state=make(0)).fit(old_faithful)
        assert not np.array_equal(model.sample(4)[0], model.sample(4)[0])
        one, other = (model.sample(4, random_state=make(5))[0] for _ in range(2))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3"])
def test_sample_names_a_bad_number_of_rows(old_faithful, n_samples):
    model = GaussianMixture(random_state=0).fit(old_faithful)
    with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
        model.sample(n_samples)


# --- ways in and out ----------------------------------------------------------------------------


def test_from_parameters(covariance_type, old_faithful):
    mixture = reference.random_mixture(np.random.default_rng(0), covariance_type, 3, 2)
    model = GaussianMixture.from_parameters(
        mixture.weights.tolist(), mixture.means.tolist(), mixture.covariances.tolist(), tol=0.5
    )
    assert (model.n_components, model.covariance_type, model.tol) == (3, covariance_type, 0.5)
    np.testing.assert_allclose(
        model.score_samples(old_faithful), reference.log_densities(mixture, old_faithful),
        rtol=1e-11,
    )  # fmt: skip
    assert (model.n_iter_, model.converged_, model.lower_bound_) == (0, False, -np.inf)
    assert model.n_features_in_ == 2
    model.update(model.accumulate(old_faithful))
    assert model.n_iter_ == 1
    mixture.means[:] = 0
    assert model.means_.any()


def test_from_parameters_asks_where_a_shape_has_two_meanings():
    weights, means, covariances = [0.5, 0.5], [[0.0, 0], [1, 1]], [[1.0, 0.5], [0.5, 1.0]]
    with pytest.raises(ValueError, match="covariance_type"):
        GaussianMixture.from_parameters(weights, means, covariances)
    for covariance_type in ("tied", "diag"):
        model = GaussianMixture.from_parameters(
            weights, means, covariances, covariance_type=covariance_type
        )
        assert model.covariance_type == covariance_type
        np.testing.assert_array_equal(model.covariances_, covariances)


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([0.5, 0.6], [[0.0], [1]], [1.0, 1], "weights"),
        ([1.5, -0.5], [[0.0], [1]], [1.0, 1], "weights"),
        ([1.0], [[0.0], [1]], [1.0, 1], "weights"),
        ([0.5, 0.5], [0.0, 1], [1.0, 1], "means"),
        ([0.5, 0.5], [[0.0], [np.nan]], [1.0, 1], "means"),
        ([0.5, 0.5], [[0.0], [1]], [1.0, 1, 1], "covariances"),
        ([0.5, 0.5], [[0.0], [1]], [1.0, 0], "covariance"),
        ([0.5, 0.5], [[0.0, 0], [1, 1]], [[[1.0, 2], [2, 1]]] * 2, "covariance"),
        ([0.5, 0.5], [[0.0, 0], [1, 1]], [[[1.0, 0.5], [0, 1]]] * 2, "covariance"),
    ],
)
def test_from_parameters_names_what_is_wrong(weights, means, covariances, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(weights, means, covariances)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_and_loaded(tmp_path, covariance_type, old_faithful, dtype):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful.astype(dtype), columns=["eruptions", "waiting"])
    means_init = [[2, 50], [4.5, 80], [4, 70]]
    model = GaussianMixture(
        3, covariance_type=covariance_type, random_state=4, means_init=means_init, n_threads=2
    ).fit(X)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.get_params() | {"means_init": 0} == model.get_params() | {"means_init": 0}
    np.testing.assert_array_equal(loaded.means_init, means_init)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
        assert getattr(loaded, name).dtype == dtype
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(loaded.precisions_, model.precisions_, rtol=rtol)
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert loaded.feature_names_in_.dtype == model.feature_names_in_.dtype
    np.testing.assert_allclose(loaded.score_samples(X), model.score_samples(X), rtol=rtol)


def test_a_model_that_was_never_fitted_can_be_saved(tmp_path):
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [[[2.0]]])
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.lower_bound_ == -np.inf
    assert loaded.score([[1.0]]) == model.score([[1.0]])


def test_pickle_and_copy(model, old_faithful):
    model.sample()
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        expected = model.predict_proba(old_faithful)
        np.testing.assert_array_equal(twin.predict_proba(old_faithful), expected)
        np.testing.assert_array_equal(twin.sample(3)[0], copy.deepcopy(model).sample(3)[0])


def test_parameters_and_representation():
    signature = inspect.signature(GaussianMixture)
    model = GaussianMixture()
    assert list(model.get_params()) == list(signature.parameters)
    assert all(
        value == signature.parameters[name].default for name, value in model.get_params().items()
    )
    positional = [p for p in signature.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert [parameter.name for parameter in positional] == ["n_components"]
    assert repr(model) == "GaussianMixture()"
    assert repr(GaussianMixture(3, tol=0.5)) == "GaussianMixture(n_components=3, tol=0.5)"
    long = repr(GaussianMixture(means_init=np.zeros((500, 3)), covariance_type="diag"))
    assert len(long) < 200
    assert "\n" not in long
    assert model.set_params() is model
    assert model.set_params(tol=2, n_init=3) is model
    assert (model.tol, model.n_init) == (2, 3)
    with pytest.raises(ValueError, match="Invalid parameter 'k' for estimator GaussianMixture"):
        model.set_params(tol=7, k=3)
    assert model.tol == 2


class Subclass(GaussianMixture):
    def __init__(self, n_components=2, *, extra="x"):
        super().__init__(n_components)
        self.extra = extra


def test_a_subclass_has_its_own_parameters():
    assert Subclass(extra="y").get_params() == {"n_components": 2, "extra": "y"}
    assert repr(Subclass(3)) == "Subclass(n_components=3)"


# --- progress -----------------------------------------------------------------------------------


def test_verbose_lines(capsys, old_faithful):
    make = {"random_state": 0, "n_init": 2, "verbose_interval": 2, "init_params": "random"}
    GaussianMixture(2, verbose=0, **make).fit(old_faithful)
    assert capsys.readouterr().out == ""
    model = GaussianMixture(2, verbose=1, **make).fit(old_faithful)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Initialization 0"
    assert lines[1] == "  Iteration 2"
    assert lines.count("Initialization converged.") == 2
    assert "Initialization 1" in lines
    model.set_params(verbose=2).fit(old_faithful)
    out = capsys.readouterr().out
    assert "  Iteration 2\t time lapse 0.0" in out
    assert "s\t ll change 0.0" in out
    assert f"s\t lower bound {model.lower_bound_:.5f}." in out
    with pytest.warns(ConvergenceWarning):
        GaussianMixture(2, verbose=1, max_iter=1).fit(old_faithful)
    assert "Initialization did not converge." in capsys.readouterr().out


def test_a_start_that_is_not_run_is_reported(capsys, old_faithful):
    GaussianMixture(2, verbose=1, random_state=0, n_init=2).fit(old_faithful)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["Initialization 1", "Initialization dropped: it repeats an earlier one."]
    assert lines.count("Initialization converged.") == 1


@pytest.mark.parametrize("init_params", ["kmeans", "random"])
def test_progress_bar_on_a_terminal(monkeypatch, capsys, old_faithful, init_params):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    model = GaussianMixture(2, verbose=1, random_state=0, n_init=2, init_params=init_params).fit(
        old_faithful
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "200/200" in captured.err
    assert "start 2 of 2" in captured.err
    assert f"lower_bound={model.lower_bound_:.5f}" in captured.err


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SCORING, "accumulate"])
def test_methods_before_fit(old_faithful, name):
    with pytest.raises(NotFittedError, match="This GaussianMixture instance is not fitted yet"):
        getattr(GaussianMixture(), name)(old_faithful)


def test_other_methods_before_fit(tmp_path):
    calls = {
        "sample": (),
        "n_parameters": (),
        "update": (None,),
        "retire": (0,),
        "revive": (0,),
        "save": (tmp_path / "model.npz",),
        "to_sklearn": (),
    }
    for name, arguments in calls.items():
        with pytest.raises(NotFittedError, match="GaussianMixture"):
            getattr(GaussianMixture(), name)(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_components": 2.5},
        {"n_components": True},
        {"n_components": "3"},
        {"covariance_type": "round"},
        {"tol": -1e-3},
        {"tol": np.nan},
        {"reg_covar": -1.0},
        {"max_iter": -1},
        {"n_init": 0},
        {"init_params": "best"},
        {"random_state": "seed"},
        {"warm_start": 1},
        {"verbose": -1},
        {"verbose_interval": 0},
        {"n_threads": 0},
        {"means_init": "zero"},
    ],
)
def test_parameters_are_checked_in_fit_and_leave_the_model_alone(old_faithful, parameters):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    state = state_of(model)
    ((name, _),) = parameters.items()
    model.set_params(**parameters)
    with pytest.raises(InvalidParameterError, match=f"The {name!r} parameter of GaussianMixture"):
        model.fit(old_faithful)
    model.set_params(**{name: state[name]})
    assert_state(model, state)


def test_numpy_integers_are_numbers_of_components(old_faithful):
    assert GaussianMixture(np.int64(2), random_state=0).fit(old_faithful).means_.shape == (2, 2)


def spoiled(X, value):
    X = X.copy()
    X[100, 1] = value
    return X


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: spoiled(X, np.nan), "contains NaN. First at row 100, column 1"),
        (lambda X: spoiled(X, -np.inf), "contains infinity.*First at row 100, column 1"),
        (lambda X: X[:0], r"0 sample\(s\)"),
        (lambda X: X[:, :0], r"0 feature\(s\)"),
        (lambda X: X[:, 0], "Expected 2D array, got 1D array instead"),
        (lambda X: X[None], "dim 3"),
        (lambda X: X[:1], r"1 sample\(s\)"),
        (lambda X: X[:2], "n_components = 3, n_samples = 2"),
        (lambda X: X * 1j, "Complex data not supported"),
    ],
)
def test_rows_that_cannot_be_fitted_leave_the_model_alone(old_faithful, spoil, message):
    model = GaussianMixture(3, random_state=0).fit(old_faithful)
    state = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.fit(spoil(old_faithful))
    assert_state(model, state)


@pytest.mark.parametrize("name", [*SCORING, "accumulate"])
def test_rows_that_cannot_be_scored(old_faithful, name):
    method = getattr(GaussianMixture(2, random_state=0).fit(old_faithful), name)
    with pytest.raises(ValueError, match=r"NaN. First at row 100, column 1"):
        method(spoiled(old_faithful, np.nan))
    with pytest.raises(ValueError, match="infinity"):
        method(spoiled(old_faithful, np.inf))
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
        method(old_faithful[:, [0, 1, 1]])
    if name != "accumulate":
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            method(old_faithful[:0])
    assert np.size(method(old_faithful[:1])) >= 1


@pytest.mark.parametrize("name", SCORING)
def test_the_place_of_a_bad_value_among_many_rows(monkeypatch, old_faithful, name):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = np.tile(old_faithful, (40, 1))
    X[9000, 1] = np.nan
    X[9001, 0] = np.inf
    monkeypatch.setattr(gaussmix._scorer, "BLOCK_VALUES", 2000)
    for rows in (X, np.asfortranarray(X), X.astype(np.float32)):
        with pytest.raises(ValueError, match=r"NaN. First at row 9000, column 1"):
            getattr(model, name)(rows)


def test_column_names_are_kept_and_compared(old_faithful):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful, columns=["eruptions", "waiting"])
    model = GaussianMixture(2, random_state=0).fit(X)
    assert model.feature_names_in_.tolist() == ["eruptions", "waiting"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["waiting", "eruptions"]])
    with pytest.raises(ValueError, match=r"column 1 \('waiting'\)"):
        model.predict(X.assign(waiting=np.nan))
    with pytest.raises(ValueError, match=r"column 1 \('waiting'\)"):
        model.fit(X.assign(waiting=np.nan))
    # Names go when a fit has none.
    assert not hasattr(model.fit(old_faithful), "feature_names_in_")


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (-1.0, "negative"),
        (np.nan, "NaN"),
        (np.zeros(272), "all zero"),
        (np.ones(271), r"\(271,\)"),
        (np.ones((272, 1)), "1D"),
    ],
)
def test_weights_that_are_none(old_faithful, sample_weight, message):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    state = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.fit(old_faithful, sample_weight=sample_weight)
    assert_state(model, state)


def test_rows_of_weight_zero_do_not_count_as_rows(old_faithful):
    sample_weight = np.zeros(272)
    sample_weight[:2] = 1
    with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
        GaussianMixture(3).fit(old_faithful, sample_weight=sample_weight)


def test_a_collapsed_component_is_explained(old_faithful):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful, columns=["eruptions", "waiting"])
    X["total"] = X.eruptions + X.waiting
    model = GaussianMixture(2, reg_covar=0.0, random_state=0)
    with pytest.raises(IllDefinedCovarianceError) as caught:
        model.fit(X)
    message = str(caught.value)
    assert message.startswith(
        "Fitting the mixture model failed because some components have ill-defined empirical "
        "covariance"
    )
    for fact in ("'eruptions'", "'waiting'", "'total'", "reg_covar", "fewer components", '"diag"'):
        assert fact in message
    assert caught.value.component in (0, 1)
    assert caught.value.columns == (0, 1, 2)
    assert caught.value.weight * 272 == pytest.approx(caught.value.effective_rows, rel=1e-9)
    assert not hasattr(model, "means_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_column(covariance_type, old_faithful, dtype):
    X = np.column_stack([old_faithful, np.full(272, 0.1)]).astype(dtype)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    shared = covariance_type == "spherical"
    what = "makes the variance smaller" if shared else "reg_covar=1e-06"
    with pytest.warns(UserWarning, match=f"constant in column 2.*{what}"):
        model.fit(X)
    assert np.isfinite(model.score(X))
    if shared:
        # The other columns carry the one variance.
        with pytest.warns(UserWarning, match="constant in column 2"):
            model.set_params(reg_covar=0.0).fit(X)
    else:
        state = state_of(model)
        with pytest.raises(IllDefinedCovarianceError, match="column 2"):
            model.set_params(reg_covar=0.0).fit(X)
        model.set_params(reg_covar=1e-6)
        assert_state(model, state)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize(
    "X",
    [
        pytest.param(np.full((12, 2), 3.7), id="all rows equal"),
        pytest.param(np.repeat([[0.0, 1], [5, 2]], 6, axis=0), id="two different rows"),
        pytest.param(np.arange(8.0).reshape(4, 2), id="as many rows as components"),
        pytest.param(np.random.default_rng(0).normal(size=(6, 20)), id="more columns than rows"),
        pytest.param(np.full((12, 2), 1e-310), id="denormal"),
    ],
)
def test_degenerate_data_give_a_finite_model_or_a_clear_error(X, init_params, covariance_type):
    make = {"covariance_type": covariance_type, "init_params": init_params, "random_state": 0}
    model = GaussianMixture(4, **make).fit(X)
    for name in FITTED_ARRAYS:
        assert np.isfinite(getattr(model, name)).all()
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    try:
        bare = GaussianMixture(4, reg_covar=0.0, **make).fit(X)
    except IllDefinedCovarianceError:
        return
    assert np.isfinite(bare.score(X))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_points_need_regularisation(covariance_type):
    """scikit-learn's own test: clusters without variance fail at reg_covar=0 and fit at 1e-6."""
    X = np.vstack([np.ones((5, 5)), np.zeros((5, 5))])
    model = GaussianMixture(10, reg_covar=0, covariance_type=covariance_type, random_state=0)
    with pytest.raises(ValueError, match="Try to decrease the number of components"):
        model.fit(X)
    assert np.isfinite(model.set_params(reg_covar=1e-6).fit(X).lower_bound_)


def test_data_that_overflow_end_in_a_clear_error(covariance_type, old_faithful):
    X = old_faithful * 1e200
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ValueError, match=r"[Ss]cale the input data"):
            GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)


def test_no_warnings_under_strict_settings(covariance_type, old_faithful):
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
        model.fit(old_faithful)
        for name in SCORING:
            getattr(model, name)(old_faithful)
        model.sample(5)
        model.update(model.accumulate(old_faithful))


def test_far_rows_have_a_label_and_probabilities(model):
    X = np.array([[1e12, 50.0], [-1e200, 0.0], [3.0, 1e160]])
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), proba.argmax(axis=1))
    assert not np.isnan(model.score_samples(X)).any()


def test_layouts_and_dtypes_of_rows(old_faithful):
    whole = np.round(old_faithful)
    model = GaussianMixture(2, random_state=0).fit(whole)
    wide = np.empty((544, 4))
    wide[::2, ::2] = whole
    forms = {
        "Fortran": np.asfortranarray(whole),
        "strided": wide[::2, ::2],
        "reversed": whole[::-1, ::-1][::-1, ::-1],
        "big-endian": whole.astype(">f8"),
        "integers": whole.astype(np.int32),
        "objects": whole.astype(object),
        "list": whole.tolist(),
    }
    read_only = whole.copy()
    read_only.flags.writeable = False
    forms["read-only"] = read_only
    for name, X in forms.items():
        again = GaussianMixture(2, random_state=0).fit(X)
        np.testing.assert_array_equal(again.means_, model.means_, err_msg=name)
        np.testing.assert_array_equal(again.covariances_, model.covariances_, err_msg=name)
        np.testing.assert_array_equal(
            model.predict_proba(X), model.predict_proba(whole), err_msg=name
        )


def test_rows_of_a_batch_are_scored_alone(model, old_faithful):
    density, proba = model.score_samples(old_faithful), model.predict_proba(old_faithful)
    for i in (0, 17, 271):
        one = old_faithful[i : i + 1]
        np.testing.assert_array_equal(model.score_samples(one), density[i])
        np.testing.assert_array_equal(model.predict_proba(one)[0], proba[i])


@pytest.mark.parametrize("form", [np.array, np.asfortranarray, np.float32])
def test_few_and_many_rows_are_scored_alike(model, old_faithful, form):
    """Few rows take a shorter way through, without threads."""
    few = form(old_faithful)
    many = form(np.tile(old_faithful, (40, 1)))
    for name in ("score_samples", "predict", "predict_proba"):
        method = getattr(model, name)
        np.testing.assert_array_equal(method(many), np.concatenate([method(few)] * 40))


def test_thread_counts_do_not_change_the_fit(old_faithful):
    X = np.tile(old_faithful, (40, 1))
    fits = [GaussianMixture(3, random_state=0, n_threads=n).fit(X) for n in (1, 2, 5)]
    for one, other in itertools.pairwise(fits):
        for name in FITTED_ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
def test_fit_needs_no_memory_for_each_row():
    """Beyond X itself, the peak of a fit must not grow with the number of rows."""
    program = """
import sys
import numpy as np
from gaussmix import GaussianMixture

def peak():
    # Not of getrusage, where it begins with the peak of the process that started this one.
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

n = int(sys.argv[1])
X = np.random.default_rng(0).standard_normal((n, 4), dtype=np.float32)
model = GaussianMixture(3, max_iter=3, tol=0, random_state=0, init_params=sys.argv[2])
model.fit(X[:50_000])
before = peak()
model.fit(X)
model.score(X), model.icl(X)
print(peak() - before)
"""
    for init_params in ("kmeans", "random_from_data", "random"):
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, "4000000", init_params],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"GAUSSMIX_NUM_THREADS": "1"},
        )
        # One float64 for each row would be 32 MB.
        assert int(run.stdout) < 28e6, init_params


# --- pieces, subclasses, shared memory -----------------------------------------------------------


def test_pieces_without_rows_or_weight_add_nothing(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    whole = model.accumulate(old_faithful)
    pieces = [
        model.accumulate(old_faithful[:0]),
        model.accumulate(old_faithful),
        model.accumulate(old_faithful[:9], sample_weight=np.zeros(9)),
    ]
    np.testing.assert_allclose(sum(pieces).weight, whole.weight, rtol=1e-14)
    with pytest.raises(ValueError, match=r"statistics.weight must be"):
        model.update(pieces[0])


@pytest.mark.parametrize("name", ["score_samples", "predict", "predict_proba"])
def test_out_that_shares_memory_with_the_rows(old_faithful, name):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = old_faithful.copy()
    shape = {"predict_proba": (272, 2)}.get(name, (272,))
    dtype = np.intp if name == "predict" else np.float64
    out = X.ravel()[: int(np.prod(shape))].view(dtype).reshape(shape)
    with pytest.raises(ValueError, match="out must not share memory with X"):
        getattr(model, name)(X, out=out)
    np.testing.assert_array_equal(X, old_faithful)


def test_a_subclass_may_pass_keywords_on(old_faithful):
    class Pair(GaussianMixture):
        def __init__(self, n_components=2, **settings):
            super().__init__(n_components, **settings)

    model = Pair(random_state=0).fit(old_faithful)
    assert model.get_params() == {"n_components": 2}
    assert repr(model) == "Pair()"


def test_a_model_set_by_hand_is_saved_and_converted(old_faithful, tmp_path):
    fitted = GaussianMixture(2, random_state=0).fit(old_faithful)
    model = GaussianMixture(2)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(model, name, getattr(fitted, name))
    model.save(tmp_path / "model.npz")
    expected = fitted.score_samples(old_faithful)
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert not loaded.converged_
    np.testing.assert_allclose(loaded.score_samples(old_faithful), expected, rtol=1e-10)
    pytest.importorskip("sklearn")
    np.testing.assert_allclose(model.to_sklearn().score_samples(old_faithful), expected, rtol=1e-9)


def test_only_a_gaussian_mixture_is_converted(old_faithful):
    mixture = pytest.importorskip("sklearn.mixture")
    other = mixture.BayesianGaussianMixture().fit(old_faithful)
    with pytest.raises(
        TypeError, match=r"takes a fitted sklearn.mixture.GaussianMixture. Got Bay"
    ):
        GaussianMixture.from_sklearn(other)


def test_a_score_beyond_the_range_of_doubles_is_minus_infinity(old_faithful):
    model = GaussianMixture(1).fit(old_faithful)
    assert model.bic(np.full((600_000, 2), 1e152)) == np.inf


def test_more_samples_than_an_array_holds(old_faithful):
    with pytest.raises(ValueError, match="No array has so many rows"):
        GaussianMixture(1).fit(old_faithful).sample(10**30)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_n_threads_holds_for_the_m_step(n_threads, monkeypatch):
    asked = []
    algebra = gaussmix._runtime.algebra()

    class Watched:
        def __getattr__(self, name):
            return getattr(algebra, name)

        def factorise(self, factors, threads):
            asked.append(threads)
            algebra.factorise(factors, threads)

    monkeypatch.setattr(gaussmix._runtime, "algebra", Watched)
    monkeypatch.setattr(gaussmix._runtime, "available_cpus", lambda: 8)
    X = np.random.default_rng(0).normal(size=(400, 64))
    model = GaussianMixture(5, max_iter=1, tol=0.0, random_state=0, n_threads=n_threads)
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    model.update(model.accumulate(X))
    assert set(asked) == {n_threads}
