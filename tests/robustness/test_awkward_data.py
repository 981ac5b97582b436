"""Rows of finite numbers that are awkward, one section for each row of docs/bad-input.md:
constant and dependent columns, points far away, units far apart, the ends of the range.
"""

from __future__ import annotations

import contextlib
import copy
import math
import re
import time
import warnings

import numpy as np
import pytest

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture, IllDefinedCovarianceError
from gaussmix._parameters.layouts.matrices import columns_without_spread
from support.assertions import assert_sound, nothing_lost, only_warnings, raises_everywhere
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.models import FITTING, INIT_PARAMS
from support.rows import NAMES, table, two_clusters


@pytest.fixture
def model():
    return GaussianMixture(2, random_state=0).fit(two_clusters())


# --- 18: constant columns ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -3e6])
def test_row_18_constant_column(covariance_type, value):
    X = two_clusters()
    X[:, 1] = value
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    told = "makes the variance smaller" if covariance_type == "spherical" else "reg_covar=1e-06"
    with pytest.warns(UserWarning, match=rf"X is constant in column 1.*{told}"):
        model.fit(X)
    assert_sound(model)
    np.testing.assert_allclose(model.means_[:, 1], value)
    frame = table("pandas", dict(zip(NAMES, X.T.copy())))
    with pytest.warns(UserWarning, match=r"column 1 \('width'\)"):
        model.fit(frame)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_row_18_constant_column_without_a_floor(covariance_type):
    X = two_clusters()
    X[:, 1] = 0.5
    frame = table("pandas", dict(zip(NAMES, X.T.copy())))
    model = GaussianMixture(2, random_state=0).fit(two_clusters())
    model.set_params(reg_covar=0, covariance_type=covariance_type)
    with nothing_lost(model), pytest.raises(IllDefinedCovarianceError) as caught:
        model.fit(frame)
    message = str(caught.value)
    assert "ill-defined empirical covariance" in message
    assert "column 1 ('width')" in message
    assert "reg_covar" in message
    assert caught.value.columns == (1,)


# --- 19 and 20: fewer distinct rows than components ----------------------------------------------


@pytest.mark.parametrize("n_distinct", [1, 2, 4])
@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_19_and_20_fewer_distinct_rows_than_components(
    covariance_type, init_params, n_distinct
):
    X = np.repeat(two_clusters(n_distinct), 40 // n_distinct, axis=0)
    model = GaussianMixture(
        5, covariance_type=covariance_type, init_params=init_params, random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    assert all(issubclass(warning.category, UserWarning) for warning in caught)
    if init_params == "kmeans":
        messages = [
            str(warning.message)
            for warning in caught
            if issubclass(warning.category, ConvergenceWarning)
        ]
        assert any("distinct" in message for message in messages)
    assert_sound(model)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


# --- 21: as many rows as components, one row -----------------------------------------------------


@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_21_as_many_rows_as_components(covariance_type, init_params):
    model = GaussianMixture(
        4, covariance_type=covariance_type, init_params=init_params, random_state=0
    )
    with only_warnings(ConvergenceWarning):
        model.fit(two_clusters(4))
    assert_sound(model)


def test_row_21_one_row(model):
    model.set_params(n_components=1)
    parts = ["1 sample(s)", "minimum of 2 is required"]
    raises_everywhere(model, two_clusters(1), ValueError, *parts, methods=FITTING)


def test_row_21_scoring_one_row(model):
    X = two_clusters(1)
    assert model.predict(X).shape == (1,)
    assert model.predict_proba(X).shape == (1, 2)
    assert np.isfinite(model.score(X))


# --- 22 and 23: linearly dependent columns, more columns than rows -------------------------------


def dependent(kind):
    if kind == "copied":
        X = two_clusters(200)
        return np.hstack([X, X[:, :1]])
    if kind == "sum":
        X = two_clusters(200).round()
        return np.hstack([X, X[:, :1] + X[:, 1:2]])
    return two_clusters(20, 30)


@pytest.mark.parametrize("kind", ["copied", "sum", "more columns than rows"])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_22_and_23_dependent_columns(kind, covariance_type):
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    with only_warnings(ConvergenceWarning):
        model.fit(dependent(kind))
    assert_sound(model)


@pytest.mark.parametrize("kind", ["copied", "sum", "more columns than rows"])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_row_22_and_23_dependent_columns_without_a_floor(model, kind, covariance_type):
    model.set_params(covariance_type=covariance_type, reg_covar=0)
    X = dependent(kind)
    with nothing_lost(model, X), pytest.raises(IllDefinedCovarianceError) as caught:
        model.fit(X)
    error = caught.value
    assert "ill-defined empirical covariance" in str(error)
    assert 'covariance_type="diag"' in str(error)
    assert error.columns
    assert f"column {error.columns[0]}" in str(error)
    if kind != "more columns than rows":
        assert {0, 3} & set(error.columns)
    if covariance_type == "full":
        assert f"Component {error.component} " in str(error)
        assert error.effective_rows > 0
    else:
        assert "shared by all components" in str(error)


# --- 24: a component dies ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("distance", [1e2, 1e6, 1e100])
def test_row_24_a_component_without_rows(covariance_type, distance):
    X = two_clusters(400)
    d = X.shape[1]
    precisions = {
        "full": np.tile(np.eye(d), (3, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((3, d)),
        "spherical": np.ones(3),
    }[LAYOUT_OF[covariance_type]]
    model = GaussianMixture(
        3,
        covariance_type=covariance_type,
        weights_init=[0.4, 0.4, 0.2],
        means_init=[[0.0] * d, [6.0] * d, [distance] * d],
        precisions_init=precisions,
        tol=0,
        max_iter=20,
    )
    with only_warnings(ConvergenceWarning):
        model.fit(X)
    assert_sound(model)
    assert model.weights_[2] < 1e-9
    assert (np.diff(model.lower_bounds_) >= -1e-9).all()
    assert set(np.unique(model.predict(X))) == {0, 1}


# --- 25: far points ------------------------------------------------------------------------------


def two_widths(covariance_type):
    """Two components about zero, of which the second is wider and so the nearer to far points."""
    variances = np.array([1.0, 4.0])
    covariances = {
        "full": variances[:, None, None] * np.eye(3),
        "diag": np.tile(variances[:, None], 3),
        "spherical": variances,
    }[LAYOUT_OF[covariance_type]]
    means = np.array([[1.0, 1, 1], [-1.0, -1, -1]])
    return GaussianMixture.from_parameters(
        [0.9, 0.1], means, covariances, covariance_type=covariance_type
    )


@pytest.mark.parametrize("far", [1e12, 1e100, 1e154, 1e155, 1e200, 1e308])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_row_25_far_points(covariance_type, far):
    model = two_widths(covariance_type)
    X = np.array([[far, 0, 0], [-far, far, -far], [0, 0, far], [0.5, 0.5, 0.5]])
    with only_warnings():
        proba = model.predict_proba(X)
        labels = model.predict(X)
        density = model.score_samples(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    assert ((proba >= 0) & (proba <= 1)).all()
    np.testing.assert_array_equal(labels, [1, 1, 1, 0])
    np.testing.assert_array_equal(proba.argmax(axis=1), labels)
    assert not np.isnan(density).any()
    assert (density < np.inf).all()
    if far <= 1e154:
        assert np.isfinite(density).all()
        np.testing.assert_allclose(density[0], -0.5 * far * far / 4, rtol=1e-6)


@pytest.mark.parametrize("far", [1e12, 1e100, 1e155, 1e200, 1e308])
def test_row_25_far_points_shared_covariance(far):
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], [[-1.0, 0, 0], [1.0, 0, 0]], np.eye(3), covariance_type="tied"
    )
    X = np.array([[far, 0, 0], [-far, 0, 0], [0, far, 0]])
    with only_warnings():
        proba = model.predict_proba(X)
        labels = model.predict(X)
        density = model.score_samples(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(proba.argmax(axis=1), labels)
    assert not np.isnan(density).any()
    if far < 1e15:  # beyond, far - 1 and far + 1 are the same number
        np.testing.assert_array_equal(labels[:2], [1, 0])
    if far < 1e154:
        np.testing.assert_allclose(density, -0.5 * far * far, rtol=1e-6)


@pytest.mark.parametrize("far", [1e12, 1e30, 3e38])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_row_25_far_points_in_float32(covariance_type, far):
    model = two_widths(covariance_type)
    X = np.array([[far, 0, 0], [-far, far, -far]], dtype=np.float32)
    with only_warnings():
        proba = model.predict_proba(X)
        density = model.score_samples(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), [1, 1])
    assert not np.isnan(density).any()


@pytest.mark.parametrize("far", [1e12, 1e100, 1e200])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_25_fit_with_one_far_point(covariance_type, far):
    X = two_clusters()
    X[11] = far
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(two_clusters())
    state = copy.deepcopy(vars(model))
    with nothing_lost(GaussianMixture(), X), only_warnings(ConvergenceWarning):
        try:
            model.fit(X)
        except ValueError as error:
            message = str(error)
        else:
            message = None
    if message is None:
        assert_sound(model)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
    else:
        assert "Scale the input data" in message or "ill-defined" in message
        for name, value in state.items():
            np.testing.assert_equal(vars(model)[name], value)


# --- 26: columns of very different size ----------------------------------------------------------


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_row_26_columns_of_very_different_size(covariance_type):
    X = two_clusters(300)
    scale = np.array([1e-20, 1.0, 1e20])
    settings = {"covariance_type": covariance_type, "reg_covar": 0, "tol": 0, "max_iter": 5}
    inverse = {
        "full": np.tile(np.eye(3), (2, 1, 1)),
        "tied": np.eye(3),
        "diag": np.ones((2, 3)),
    }[LAYOUT_OF[covariance_type]]
    square = np.ones(3) if covariance_type == "diag" else np.ones((3, 3))
    square = scale if covariance_type == "diag" else scale[:, None]
    square = square * scale
    means = np.array([[0.0, 0, 0], [6.0, 6, 6]])
    start = {"weights_init": [0.5, 0.5]}
    with only_warnings(ConvergenceWarning):
        plain = GaussianMixture(
            2, means_init=means, precisions_init=inverse, **start, **settings
        ).fit(X)
        scaled = GaussianMixture(
            2, means_init=means * scale, precisions_init=inverse / square, **start, **settings
        ).fit(X * scale)
    np.testing.assert_allclose(scaled.means_ / scale, plain.means_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        scaled.covariances_ / square, plain.covariances_, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(scaled.predict_proba(X * scale), plain.predict_proba(X), atol=1e-9)
    shift = -np.log(scale).sum()
    np.testing.assert_allclose(scaled.score(X * scale), plain.score(X) + shift, rtol=1e-9)


def warnings_about_reg_covar(fit):
    """Columns and variances in each warning about `reg_covar` that a call gives, here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    told = [warning for warning in caught if "is added to every variance" in str(warning.message)]
    assert all(warning.filename == __file__ for warning in told)
    assert all(warning.category is UserWarning for warning in told)
    pattern = r"(column \d+(?: \('\w+'\))?) \(variance ([^)]*)\)"
    return [re.findall(pattern, str(warning.message)) for warning in told]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_row_26_a_variance_that_reg_covar_moves(covariance_type, dtype):
    X = (two_clusters() * [1.0, 1e-4, 1e-3]).astype(dtype)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0, n_init=3)
    expected = [f"{value:.2g}" for value in X.var(axis=0, dtype=np.float64)]
    (told,) = warnings_about_reg_covar(lambda: model.fit(X))
    assert told == [("column 1", expected[1])]  # that of column 2 is ten times reg_covar or so
    (told,) = warnings_about_reg_covar(lambda: model.set_params(reg_covar=2e-6).fit(X))
    assert told == [("column 1", expected[1]), ("column 2", expected[2])]
    frame = table("pandas", dict(zip(NAMES, X.T.copy())))
    (told,) = warnings_about_reg_covar(lambda: model.set_params(reg_covar=1e-6).fit(frame))
    assert told == [("column 1 ('width')", expected[1])]
    with only_warnings(ConvergenceWarning):
        model.set_params(reg_covar=1e-9).fit(X)
        # The one variance of "spherical" is that of all columns together.
        model.set_params(reg_covar=1e-6, covariance_type="spherical").fit(X)
    with pytest.warns(UserWarning, match="the mean of the columns"):
        model.fit(X * dtype(1e-4))


def test_row_26_the_rows_come_in_any_way():
    X = two_clusters(200) * 1e-4
    pieces = gaussmix.sources.ChunkSource(lambda: iter(np.split(X, 4)))
    holed = X.copy()
    holed[::7, 1] = np.nan
    weight = np.r_[np.ones(150), np.zeros(50)]
    mixture = {"n_components": 2, "random_state": 0}
    ways = [
        lambda: GaussianMixture(**mixture).fit(pieces),
        lambda: GaussianMixture(**mixture).fit(X, sample_weight=weight),
        lambda: GaussianMixture(**mixture, allow_nan=True).fit(holed),
        lambda: GaussianMixture(**mixture).fit_predict(X),
        lambda: GaussianMixture(**mixture).partial_fit(X).partial_fit(X),
        lambda: GaussianMixture(**mixture, variance_floor=0.01).fit(X.tolist()),
    ]
    with contextlib.suppress(ImportError):
        import dask.array

        lazy = dask.array.from_array(X, chunks=(70, -1))
        ways.append(lambda: GaussianMixture(**mixture).fit(lazy))
    for fit in ways:
        (told,) = warnings_about_reg_covar(fit)
        assert [column for column, _ in told] == ["column 0", "column 1", "column 2"]
    many = np.random.default_rng(0).normal(size=(50, 300)) * 1e-4
    with pytest.warns(UserWarning, match=r"column 4 \(variance .*\) and 295 more: ") as caught:
        GaussianMixture(covariance_type="diag").fit(many)
    assert len(str(caught[0].message)) < 500


def test_row_26_ordinary_columns_are_not_warned_about():
    X = two_clusters(100)
    constant, holed = X.copy(), X.copy()
    constant[:, 1] = 1e-5
    holed[:, 1] = np.nan
    fits = [
        lambda: GaussianMixture(2, random_state=0).fit(X),
        lambda: GaussianMixture(2, random_state=0).fit(X.astype(np.float32)),
        lambda: GaussianMixture(2, random_state=0).fit(X * 1e8),
        lambda: GaussianMixture(2, random_state=0, reg_covar=1e-2).fit(X),
        lambda: GaussianMixture(2, random_state=0, reg_covar=0).fit(X * 1e-9),
        lambda: GaussianMixture(2, random_state=0).fit(constant),  # which has a warning of its own
        lambda: GaussianMixture(2, random_state=0, reg_covar=0.2, allow_nan=True).fit(holed),
        # Columns are standardised first.
        lambda: gaussmix.GaussianMixtureImputer(2, random_state=0).fit(X * 1e-6),
    ]
    for fit in fits:
        assert warnings_about_reg_covar(fit) == []


# --- 27: data far from zero ----------------------------------------------------------------------


def covariance_of(model):
    """The covariance of a model with one component, as a matrix."""
    return {
        "full": lambda c: c[0],
        "tied": lambda c: c,
        "diag": lambda c: np.diag(c[0]),
        "spherical": lambda c: np.eye(3) * c[0],
    }[model.covariance_type](model.covariances_.astype(np.float64))


def expected_covariance(X, covariance_type):
    covariance = np.cov(X.astype(np.longdouble).astype(np.float64) - X[0], rowvar=False, ddof=0)
    if covariance_type == "diag":
        return np.diag(np.diag(covariance))
    if covariance_type == "spherical":
        return np.eye(3) * np.diag(covariance).mean()
    return covariance


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_27_offset_in_float64(covariance_type):
    X = np.random.default_rng(2).normal(size=(5000, 3)) + 1e8
    model = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0).fit(X)
    expected = expected_covariance(X, covariance_type)
    np.testing.assert_allclose(covariance_of(model), expected, rtol=1e-6, atol=1e-6)
    mean = [math.fsum(column) / len(X) for column in X.T]
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-15)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_27_offset_in_float64_two_components(covariance_type):
    X = np.round(two_clusters(2000) * 2**10) / 2**10  # so that adding the offset loses nothing
    settings = {"covariance_type": covariance_type, "random_state": 0, "tol": 0, "max_iter": 10}
    start = {"weights_init": [0.5, 0.5]}
    means = np.array([[0.0, 0, 0], [6.0, 6, 6]])
    with only_warnings(ConvergenceWarning):
        near = GaussianMixture(2, means_init=means, **start, **settings).fit(X)
        far = GaussianMixture(2, means_init=means + 1e8, **start, **settings).fit(X + 1e8)
    np.testing.assert_allclose(far.covariances_, near.covariances_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(far.weights_, near.weights_, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_27_offset_in_float32(covariance_type):
    X = (np.random.default_rng(3).normal(size=(5000, 3)) * 1e-3 + 1e4).astype(np.float32)
    model = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0).fit(X)
    expected = expected_covariance(X.astype(np.float64), covariance_type)
    np.testing.assert_allclose(covariance_of(model), expected, rtol=1e-4, atol=1e-10)


def test_row_27_variance_is_not_negative_in_float32():
    X = np.array([[9999], [0]], dtype=np.float32)
    for covariance_type in COVARIANCE_TYPES:
        model = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0.1, random_state=0)
        with only_warnings(ConvergenceWarning):
            model.fit(X)
        assert_sound(model)
        np.testing.assert_allclose(model.covariances_.ravel(), 0.1, rtol=1e-3)


# --- 28: denormal numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_28_denormal_rows(covariance_type):
    X = two_clusters() * 1e-310
    assert (np.abs(X[X != 0]) < np.finfo(np.float64).tiny).all()
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    with only_warnings(UserWarning):
        model.fit(X)
    assert_sound(model)
    assert np.isfinite(model.score_samples(X)).all()
    with nothing_lost(model, X), only_warnings(UserWarning):
        model.set_params(reg_covar=0)
        with pytest.raises(ValueError, match="ill-defined"):
            model.fit(X)
        model.set_params(reg_covar=1e-6)


@pytest.mark.slow
def test_row_28_denormal_rows_are_not_slow():
    X = two_clusters(300_000, 8)
    model = GaussianMixture(4, random_state=0).fit(X)
    tiny = X * 1e-310
    seconds = {"plain": [], "tiny": []}
    for _ in range(7):
        for name, rows in (("plain", X), ("tiny", tiny)):
            start = time.perf_counter()
            model.accumulate(rows)
            seconds[name].append(time.perf_counter() - start)
    assert min(seconds["tiny"]) < 3 * min(seconds["plain"])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("value", [1e12, 1e15, 1e20, -1e30])
def test_row_25_one_far_row_leaves_the_others_their_digits(covariance_type, value):
    X = np.random.default_rng(0).normal(size=(1000, 2))
    far = np.vstack([X, [[value, value]]])
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(far)
    near = model.weights_.argmax()
    np.testing.assert_allclose(model.means_[near], X.mean(axis=0), rtol=1e-9)
    alone = GaussianMixture(1, covariance_type=covariance_type).fit(X)
    if covariance_type != "tied":
        np.testing.assert_allclose(model.covariances_[near], alone.covariances_[0], rtol=1e-9)
    np.testing.assert_array_equal(model.predict(far) == near, np.arange(1001) < 1000)


# --- numbers at the ends of the range ------------------------------------------------------------


def extreme_column(rng, n):
    """Values that are constant, tiny, huge, few, of many magnitudes, or ordinary."""
    kind = rng.integers(8)
    normal = rng.normal(size=n)
    return [
        np.full(n, rng.choice([0.0, 1.0, -3e300, 1e-310, 1e154, 5e-324])),
        normal * rng.choice([1e150, 1e154, 1e160, 1e300]),
        normal * rng.choice([1e-150, 1e-160, 1e-300, 1e-310]),
        normal * 1e-9 + 1e9,
        rng.integers(0, 3, n) * 10.0 ** rng.integers(-160, 160),
        np.where(np.arange(n) == rng.integers(n), 10.0 ** rng.integers(-300, 300), 0.0),
        np.exp(normal * rng.choice([5, 50, 200])),
        normal,
    ][kind]


@pytest.mark.parametrize("seed", range(60))
def test_extreme_rows_give_a_model_or_an_error_of_ours(seed):
    """Whatever NumPy is told to do about numbers that overflow."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(4, 40), rng.integers(1, 8)
    with np.errstate(all="ignore"):
        X = np.stack([extreme_column(rng, n) for _ in range(d)], axis=1)
        X[:, rng.integers(d)] = X[:, rng.integers(d)] * rng.choice([1, -2, 1e10, 1e-100])
        X = X.astype(rng.choice([np.float32, np.float64]))
    allow_nan = bool(rng.integers(2))
    if allow_nan:
        X[rng.random(X.shape) < 0.2] = np.nan
    weights = 10.0 ** rng.uniform(-300, 300, size=n) if rng.integers(2) else None
    model = GaussianMixture(
        int(rng.integers(1, 5)),
        covariance_type=str(rng.choice(COVARIANCE_TYPES)),
        reg_covar=float(rng.choice([0, 1e-6, 1e-300, 5e-324, 1e300])),
        max_iter=10,
        init_params=str(rng.choice(["kmeans", "random", "random_from_data"])),
        acceleration=[None, "squarem"][rng.integers(2)],
        variance_floor=float(rng.choice([0, 1e-3, 0.999])),
        on_collapse=str(rng.choice(["raise", "reseed", "drop"])),
        allow_nan=allow_nan,
        random_state=0,
    )
    raised = None
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            model.fit(X, sample_weight=weights)
            model.update(model.accumulate(X, weights)).partial_fit(X, sample_weight=weights)
            model.revive(0)
        except ValueError as error:
            raised = type(error)  # LinAlgError is a ValueError too
    assert raised in (None, ValueError, IllDefinedCovarianceError)


def test_covariances_far_beyond_their_variances_blame_both_columns():
    """As rounding leaves them beside a variance that has been cleared."""
    covariance = np.diag([1e-300, 1.0, 1e164])
    covariance[0, 2] = covariance[2, 0] = 1e215
    assert columns_without_spread(covariance) == [0, 2]
