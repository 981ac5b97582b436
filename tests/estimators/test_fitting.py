"""Fitting: starts, weights, steps by hand, and what is said meanwhile."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    SufficientStatistics,
)
from gaussmix._em import loop
from support import reference
from support.assertions import assert_state, state_of
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.models import FITTED_ARRAYS, mixture_of


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
    run = loop.run
    monkeypatch.setattr(loop, "run", lambda *args, **kw: runs.append(run(*args, **kw)) or runs[-1])
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
    run = loop.run
    monkeypatch.setattr(loop, "run", lambda *args, **kw: runs.append(run(*args, **kw)) or runs[-1])
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
        }[LAYOUT_OF[covariance_type]],
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
