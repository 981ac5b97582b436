"""SQUAREM: the same optimum in fewer passes, never downhill, whatever the units."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gaussmix import ConvergenceWarning, GaussianMixture
from gaussmix._em import squarem
from gaussmix._em.squarem import Squarem
from support.families import COVARIANCE_TYPES
from support.models import parameters_of
from support.reference import random_mixture


@pytest.fixture(scope="module")
def overlapping():
    """Three components less than two deviations apart: EM needs many iterations."""
    rng = np.random.default_rng(20)
    means = np.array([[0.0, 0.0], [2.0, 0.5], [0.5, 2.5]])
    return means[rng.integers(0, 3, 3000)] + rng.normal(size=(3000, 2))


def fit(X, acceleration, **params):
    params = {"tol": 1e-8, "max_iter": 20_000, "random_state": 0} | params
    return GaussianMixture(3, acceleration=acceleration, **params).fit(X)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_same_optimum_in_fewer_iterations(overlapping, covariance_type):
    plain = fit(overlapping, None, covariance_type=covariance_type)
    fast = fit(overlapping, "squarem", covariance_type=covariance_type)
    assert fast.converged_
    assert fast.n_iter_ < 0.6 * plain.n_iter_
    # Both stop short of the optimum; where gains are below tol, by some hundred times tol.
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-5)
    order = [np.argsort(model.means_[:, 0]) for model in (plain, fast)]
    np.testing.assert_allclose(fast.means_[order[1]], plain.means_[order[0]], atol=0.05)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_the_lower_bound_never_falls(covariance_type, seed, iris):
    # With `reg_covar` a step of EM itself is not quite one uphill.
    model = fit(iris, "squarem", covariance_type=covariance_type, random_state=seed, reg_covar=0.0)
    assert len(model.lower_bounds_) == model.n_iter_
    assert np.diff(model.lower_bounds_).min() >= -1e-13


def test_one_more_plain_step_gains_less_than_tol(overlapping):
    model = fit(overlapping, "squarem", tol=1e-6)
    before = model.score(overlapping)
    model.update(model.accumulate(overlapping))
    assert 0 <= model.score(overlapping) - before < 1e-6


@pytest.mark.filterwarnings("ignore:Best performing")
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_the_course_does_not_depend_on_the_units_of_the_columns(overlapping, covariance_type):
    given = fit(overlapping, None, covariance_type=covariance_type, max_iter=5)
    units = np.array([1e-3, 1e4])
    bounds = []
    for scale in (np.ones(2), units):
        precisions = given.precisions_ / (
            np.outer(scale, scale) if covariance_type != "diag" else scale**2
        )
        start = {
            "weights_init": given.weights_,
            "means_init": given.means_ * scale,
            "precisions_init": precisions,
        }
        model = fit(
            overlapping * scale, "squarem", covariance_type=covariance_type, reg_covar=0.0,
            max_iter=40, tol=0.0, **start,
        )  # fmt: skip
        bounds.append(model.lower_bounds_ + np.log(scale).sum())
    np.testing.assert_allclose(bounds[1], bounds[0], atol=1e-6)


@pytest.mark.parametrize("max_iter", range(1, 12))
def test_a_run_cut_short_ends_where_a_plain_step_led(overlapping, max_iter):
    """An extrapolated point that was not evaluated is never the result."""
    with pytest.warns(UserWarning, match="did not converge"):
        model = fit(overlapping, "squarem", max_iter=max_iter)
    assert model.n_iter_ == max_iter
    assert model.score(overlapping) >= model.lower_bound_ - 1e-12
    # `reg_covar` is in every covariance that an M-step made, and in none extrapolated.
    assert np.isfinite(model.covariances_).all()


def test_results_do_not_depend_on_the_number_of_threads(overlapping):
    one, two = (fit(overlapping, "squarem", n_threads=n) for n in (1, 2))
    assert one.lower_bounds_ == two.lower_bounds_
    np.testing.assert_array_equal(one.covariances_, two.covariances_)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_any_coordinates_are_a_valid_mixture(covariance_type):
    rng = np.random.default_rng(0)
    parameters = parameters_of(random_mixture(rng, covariance_type, 3, 2))
    x = squarem._coordinates(parameters)
    again = squarem._at(x, parameters)
    np.testing.assert_allclose(again.weights, parameters.weights, rtol=1e-14)
    np.testing.assert_array_equal(again.means, parameters.means)
    np.testing.assert_allclose(
        again.precisions_cholesky, parameters.precisions_cholesky, rtol=1e-14
    )
    moved = squarem._at(x + rng.normal(scale=5, size=x.shape) * (x != 0), parameters)
    assert moved.weights.sum() == pytest.approx(1)
    assert (moved.weights > 0).all()
    precisions = moved.precisions
    if covariance_type in ("full", "tied"):
        precisions = np.linalg.eigvalsh(precisions)
    assert (precisions > 0).all()


def test_coordinates_that_overflow_are_refused():
    parameters = parameters_of(random_mixture(np.random.default_rng(0), "full", 3, 2))
    x = squarem._coordinates(parameters)
    for bad in (np.nan, np.inf, 1e3, -1e3):
        y = x.copy()
        y[-1] = bad  # the logarithm of the last diagonal entry
        with np.errstate(all="ignore"):
            assert squarem._at(y, parameters) is None


def test_far_from_the_optimum_steps_are_plain():
    rng = np.random.default_rng(0)
    path = [parameters_of(random_mixture(rng, "full", 3, 2)) for _ in range(9)]
    accelerate = Squarem()
    for before, after in itertools.pairwise(path):
        assert accelerate(before, after, 1.01 * squarem.LARGEST_GAIN) is after


@pytest.mark.parametrize(
    ("covariance_type", "floor", "seed"), [("full", 0.4, 2), ("diag", 0.5, 1)]
)
def test_extrapolated_points_respect_the_variance_floor(covariance_type, floor, seed):
    """Below the floor the likelihood is greater than where any step can stay."""
    rng = np.random.default_rng(seed)
    means = np.array([[0.0, 0.0], [2.0, 0.5], [0.5, 2.5]])
    X = means[rng.integers(0, 3, 1500)] + rng.normal(size=(1500, 2))
    model = fit(
        X, "squarem", covariance_type=covariance_type, variance_floor=floor, reg_covar=0, tol=1e-9
    )
    assert model.converged_
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_run_that_has_arrived_stays(covariance_type):
    X = np.random.default_rng(0).normal(size=(50, 2))
    params = {"covariance_type": covariance_type, "tol": 0, "max_iter": 30}
    with pytest.warns(ConvergenceWarning):
        plain = GaussianMixture(1, **params).fit(X)
    with pytest.warns(ConvergenceWarning):
        fast = GaussianMixture(1, acceleration="squarem", **params).fit(X)
    np.testing.assert_allclose(fast.means_, plain.means_, rtol=1e-12)
    np.testing.assert_allclose(fast.covariances_, plain.covariances_, rtol=1e-12)
