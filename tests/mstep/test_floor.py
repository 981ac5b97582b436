"""The variance floor: a bound of every variance, relative to the columns' own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    SufficientStatistics,
)
from support.families import LAYOUT_OF

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
    }[LAYOUT_OF[covariance_type]]((degenerate * scale).var(axis=0))
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
