"""Bad input where NaN is allowed, other containers' missing values, and the option elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from support.assertions import assert_same, nothing_lost
from support.families import COVARIANCE_TYPES
from support.missing import case, fitted, holed, tolerant, unfinished
from support.rows import NAMES, two_clusters

# --- the bad inputs again ------------------------------------------------------------------------


@pytest.fixture
def model() -> GaussianMixture:
    return GaussianMixture(2, random_state=0, allow_nan=True).fit(two_clusters())


METHODS = ("fit", "fit_predict", "partial_fit", "accumulate", "predict", "predict_proba",
           "score_samples", "score", "aic", "bic", "icl")  # fmt: skip


def test_without_the_option_nan_is_refused_as_ever():
    X = two_clusters()
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
    X = two_clusters(dtype=dtype)
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
    X = np.tile(two_clusters(), (1000, 1))
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
        model.fit(two_clusters())


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
    X = holed(np.random.default_rng(7), two_clusters().round(), 0.2)
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
    X = np.ma.array(two_clusters().astype(int))
    X[3, 1] = np.ma.masked
    as_numbers = X.data.astype(float)
    as_numbers[3, 1] = np.nan
    np.testing.assert_array_equal(model.score_samples(X), model.score_samples(as_numbers))
    half = as_numbers.astype(np.float16)
    expected = model.score_samples(half.astype(float))
    np.testing.assert_array_equal(model.score_samples(half), expected)


def test_what_is_no_number_is_still_refused(model):
    X = two_clusters().astype(object)
    X[2, 0] = None
    X[4, 1] = "tall"
    with nothing_lost(model), pytest.raises(ValueError, match="row 4, column 1"):
        model.fit(X)
    with nothing_lost(model), pytest.raises(ValueError, match=r"1D array|1-D"):
        model.fit([np.nan, 1.0])
    with nothing_lost(model), pytest.raises(ValueError, match="2 features"):
        model.predict(np.full((4, 2), np.nan))


def test_nan_is_allowed_in_x_alone(model):
    X = two_clusters()
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
    X[30:] = two_clusters()[30:]  # the values are all in rows of weight zero
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
        model.partial_fit(np.concatenate([empty, two_clusters()]), sample_weight=weights)
    model.partial_fit(np.concatenate([empty, two_clusters()[:1]]))
    assert model.n_samples_seen_ == 71


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_far_rows_have_scores_that_are_not_nan(covariance_type):
    mixture, X, _ = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    far = np.where(np.isnan(X), X, 1e200)
    with np.errstate(all="raise"):
        density, shares = model.score_samples(far), model.predict_proba(far)
    assert not np.isnan(density).any()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_numpy_told_to_raise():
    X = holed(np.random.default_rng(9), two_clusters(), 0.2)
    results = []
    for treatment in ("warn", "raise"):
        with np.errstate(all=treatment), unfinished():
            model = GaussianMixture(2, allow_nan=True, random_state=0).fit(X)
            results.append([model.means_, model.score_samples(X), model.accumulate(X).second])
    np.testing.assert_equal(*results)


# --- the option elsewhere ------------------------------------------------------------------------


def test_saved_models_keep_the_option(tmp_path):
    X = holed(np.random.default_rng(9), two_clusters(), 0.2)
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
    X = holed(np.random.default_rng(9), two_clusters(), 0.2)
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
