"""Bad inputs and awkward data, one section for each row of a table of what users run into.

Whatever goes wrong, nothing is lost: a fitted model keeps its parameters, arrays that were passed
in keep their values, and so does an `out=` buffer.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import re
import subprocess
import sys
import sysconfig
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from processes import environment

import gaussmix
from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
)
from gaussmix._parameters.layouts.matrices import columns_without_spread

TYPES = ("full", "tied", "diag", "spherical")
INITS = ("kmeans", "k-means++", "random", "random_from_data")
SCORING = ("predict", "predict_proba", "score_samples", "score", "aic", "bic", "icl")
FITTING = ("fit", "fit_predict")
METHODS = (*FITTING, *SCORING, "accumulate")
NAMES = ["length", "width", "height"]
PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


def blobs(n=60, d=3, dtype=np.float64, seed=0):
    """Rows about two centres, in turns."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, d)) * np.linspace(1.0, 2.0, d)
    X[::2] += 6.0
    return X.astype(dtype)


@pytest.fixture
def model():
    return GaussianMixture(2, random_state=0).fit(blobs())


@contextlib.contextmanager
def nothing_lost(model, *arrays):
    """Check that a block leaves the model and the arrays as they were."""
    state = copy.deepcopy(vars(model))
    copies = [array.copy() for array in arrays]
    threads = threading.active_count()
    yield
    assert set(vars(model)) == set(state)
    for name, value in state.items():
        np.testing.assert_equal(vars(model)[name], value, err_msg=name)
    for array, before in zip(arrays, copies):
        np.testing.assert_array_equal(array, before)
    assert threading.active_count() <= threads


def raises_everywhere(model, X, error, *parts, methods=METHODS):
    """Check that each method refuses X, with all `parts` in the message, and loses nothing."""
    arrays = [X] if isinstance(X, np.ndarray) and X.dtype.kind == "f" else []
    for method in methods:
        with nothing_lost(model, *arrays), pytest.raises(error) as caught:
            getattr(model, method)(X)
        for part in parts:
            assert part in str(caught.value), method


def assert_sound(model):
    """Check that a fitted model is a mixture: finite, weights of sum 1, positive variances."""
    for name in PARAMETERS:
        assert np.isfinite(getattr(model, name)).all(), name
    assert np.isfinite(model.lower_bound_)
    assert not np.isnan(model.lower_bounds_).any()
    assert (model.weights_ >= 0).all()
    np.testing.assert_allclose(model.weights_.sum(), 1.0, rtol=1e-6)
    covariances = model.covariances_
    if model.covariance_type in ("full", "tied"):
        assert (np.linalg.eigvalsh(covariances) > 0).all()
    else:
        assert (covariances > 0).all()


def assert_same(first, second):
    """Check that two models are equal bit by bit."""
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert first.lower_bounds_ == second.lower_bounds_


@contextlib.contextmanager
def only_warnings(*categories):
    """Turn every warning but these into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield


def table(library, columns):
    """A table of `columns`, a mapping of name to values."""
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


# --- 1: NaN --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0, 0), (17, 2), (59, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_01_nan(model, dtype, place):
    X = blobs(dtype=dtype)
    X[place] = np.nan
    X[59, 2] = np.nan  # a later one does not count
    where = f"First at row {place[0]}, column {place[1]}"
    raises_everywhere(model, X, ValueError, "Input X contains NaN", where)


def test_row_01_nan_far_down_in_many_rows(model):
    X = blobs(100_000)
    X[99_990, 1] = np.nan
    raises_everywhere(model, X, ValueError, "Input X contains NaN", "row 99990, column 1")


def test_row_01_nan_in_a_named_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(blobs(), columns=NAMES)
    model = GaussianMixture(2).fit(frame)
    frame.loc[5, "width"] = np.nan
    raises_everywhere(model, frame, ValueError, "Input X contains NaN", "column 1 ('width')")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_row_01_nothing_is_written_to_out(model, value):
    X = blobs()
    X[40, 1] = value
    for method, shape, dtype in (
        ("predict", (60,), np.intp),
        ("score_samples", (60,), np.float64),
        ("predict_proba", (60, 2), np.float64),
    ):
        out = np.full(shape, 7, dtype=dtype)
        with nothing_lost(model, X, out), pytest.raises(ValueError, match=r"row 40, column 1"):
            getattr(model, method)(X, out=out)


# --- 2: infinity, numbers too large --------------------------------------------------------------


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_row_02_infinity(model, dtype, value):
    X = blobs(dtype=dtype)
    X[30, 1] = value
    computing = np.dtype(np.float32 if dtype == np.float32 else np.float64)
    raises_everywhere(
        model,
        X,
        ValueError,
        f"Input X contains infinity or a value too large for {computing!r}",
        f"First at row 30, column 1: {value}",
    )


def test_row_02_value_too_large_for_the_computing_precision(model):
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    X = blobs(dtype=np.longdouble)
    X[3, 2] = np.longdouble("1e4000")
    with only_warnings():
        raises_everywhere(
            model, X, ValueError, "too large for dtype('float64')", "row 3, column 2"
        )


def test_row_02_float64_rows_for_a_float32_model_do_not_overflow():
    model = GaussianMixture(2, random_state=0).fit(blobs(dtype=np.float32))
    X = blobs()
    X[0] = 1e100
    with only_warnings():
        assert np.isfinite(model.score_samples(X)).all()
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


# --- 3: empty ------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [np.empty((0, 3)), np.empty((0, 3), order="F", dtype="f4")])
def test_row_03_no_rows(model, empty):
    parts = ["0 sample(s) (shape=(0, 3)) while a minimum of"]
    raises_everywhere(model, empty, ValueError, *parts, methods=(*FITTING, *SCORING))


def test_row_03_no_columns(model):
    X = np.empty((12, 0))
    raises_everywhere(model, X, ValueError, "0 feature(s) (shape=(12, 0)) while a minimum of 1")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_row_03_table_without_rows(library):
    columns = dict(zip(NAMES, blobs().T.copy()))
    model = GaussianMixture(2, random_state=0).fit(table(library, columns))
    empty = table(library, {name: values[:0] for name, values in columns.items()})
    raises_everywhere(model, empty, ValueError, "0 sample(s)", methods=(*FITTING, *SCORING))


# --- 4: number of dimensions ---------------------------------------------------------------------


def test_row_04_one_dimension(model):
    X = np.arange(5.0)
    parts = ["Expected 2D array, got 1D array instead", "[0. 1. 2. 3. 4.]", "reshape(-1, 1)"]
    raises_everywhere(model, X, ValueError, *parts)


def test_row_04_three_dimensions(model):
    X = np.zeros((4, 3, 2))
    raises_everywhere(model, X, ValueError, "dim 3", "(4, 3, 2)", "<= 2", "reshape")


def test_row_04_a_number(model):
    raises_everywhere(model, 3.5, ValueError, "Expected 2D array, got scalar array", "Reshape")


# --- 5: number of columns ------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_row_05_number_of_columns(model, d, dtype):
    raises_everywhere(
        model,
        blobs(d=d, dtype=dtype),
        ValueError,
        f"X has {d} features, but GaussianMixture is expecting 3 features as input",
        methods=(*SCORING, "accumulate"),
    )


# --- 6: names of columns -------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["width", "length", "height"], ["same order", "- length\n- width\n- height\n"]),
        (["length", "width", "depth"], ["unseen at fit time:\n- depth", "missing:\n- height"]),
        (["length", "width"], ["missing:\n- height"]),
    ],
)
def test_row_06_other_columns(library, names, parts):
    X = blobs()
    model = GaussianMixture(2, random_state=0).fit(table(library, dict(zip(NAMES, X.T.copy()))))
    assert list(model.feature_names_in_) == NAMES
    columns = dict(zip(NAMES, X.T.copy()))
    other = table(library, {name: columns.get(name, X[:, 2].copy()) for name in names})
    expected = ["The feature names should match those that were passed during fit.", *parts]
    raises_everywhere(model, other, ValueError, *expected, methods=(*SCORING, "accumulate"))


def test_row_06_names_on_one_side_only(model):
    X = blobs()
    frame = table("pandas", dict(zip(NAMES, X.T.copy())))
    with pytest.warns(UserWarning, match="X has feature names, but GaussianMixture was fitted"):
        labels = model.predict(frame)
    np.testing.assert_array_equal(labels, model.predict(X))
    named = GaussianMixture(2, random_state=0).fit(frame)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(named.predict(X), named.predict(frame))
    named.fit(X)
    assert not hasattr(named, "feature_names_in_")


# --- 7: fewer rows than components ---------------------------------------------------------------


def test_row_07_fewer_rows_than_components(model):
    model.set_params(n_components=7)
    X = blobs(6)
    parts = ["Expected n_samples >= n_components", "n_components = 7", "n_samples = 6"]
    raises_everywhere(model, X, ValueError, *parts, methods=FITTING)


def test_row_07_rows_without_weight_do_not_count(model):
    X = blobs(6)
    weights = np.array([1.0, 0, 0, 0, 0, 0])
    with nothing_lost(model, X, weights), pytest.raises(ValueError, match="n_samples = 1"):
        model.fit(X, sample_weight=weights)


# --- 8: n_components -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None, np.nan])
def test_row_08_n_components(model, value):
    model.set_params(n_components=value)
    X = blobs()
    for method in FITTING:
        with nothing_lost(model, X), pytest.raises(InvalidParameterError) as caught:
            getattr(model, method)(X)
        assert isinstance(caught.value, (ValueError, TypeError))
        message = str(caught.value)
        assert "The 'n_components' parameter of GaussianMixture must be an int" in message
        assert f"Got {value!r} instead" in message


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_row_08_n_components_as_a_numpy_integer(kind):
    first = GaussianMixture(kind(3), random_state=0).fit(blobs())
    second = GaussianMixture(3, random_state=0).fit(blobs())
    assert_same(first, second)


def test_row_08_nothing_is_checked_before_fit():
    model = GaussianMixture("3", tol=-1, covariance_type=None)
    assert model.n_components == "3"
    with pytest.raises(InvalidParameterError, match="'n_components'"):
        model.fit(blobs())
    assert not hasattr(model, "means_")


# --- 9: not fitted -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*SCORING, "accumulate"])
def test_row_09_scoring_before_fit(method):
    model = GaussianMixture(2)
    with nothing_lost(model), pytest.raises(NotFittedError, match="This GaussianMixture instance"):
        getattr(model, method)(blobs())


def test_row_09_other_methods_before_fit(tmp_path):
    class Special(GaussianMixture):
        pass

    model = Special(2)
    calls = (
        lambda: model.save(tmp_path / "model.npz"),
        lambda: model.sample(3),
        lambda: model.to_sklearn(),
        lambda: model.update(GaussianMixture(2).fit(blobs()).accumulate(blobs())),
    )
    for call in calls:
        with nothing_lost(model), pytest.raises(NotFittedError, match="This Special instance"):
            call()
    assert not (tmp_path / "model.npz").exists()


def test_row_09_a_failed_first_fit_leaves_an_unfitted_model():
    model = GaussianMixture(2)
    X = blobs()
    X[7, 0] = np.nan
    with nothing_lost(model), pytest.raises(ValueError, match="NaN"):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.predict(blobs())


# --- 10: sparse ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "coo_array", "lil_array"])
def test_row_10_sparse(model, kind):
    sparse = pytest.importorskip("scipy.sparse")
    X = getattr(sparse, kind)(blobs())
    parts = ["Sparse data was passed", "dense data is required", "toarray()"]
    raises_everywhere(model, X, TypeError, *parts)


# --- 11: what is not a number --------------------------------------------------------------------


def test_row_11_complex(model):
    X = blobs() + 0j
    raises_everywhere(model, X, ValueError, "Complex data not supported", "complex128")


def test_row_11_text(model):
    raises_everywhere(model, blobs().astype(str), ValueError, "<U", "column 0", "numbers")
    X = blobs().astype(object)
    X[4, 1] = "tall"
    raises_everywhere(model, X, ValueError, "object", "'tall'", "row 4, column 1")


def test_row_11_times(model):
    X = np.zeros((5, 3), dtype="datetime64[s]")
    raises_everywhere(model, X, (TypeError, ValueError), "datetime64[s]", "column 0")


def test_row_11_other_objects(model):
    X = blobs().astype(object)
    X[2, 2] = {"foo": "bar"}
    parts = ["argument must be a string or a real number", "row 2, column 2"]
    raises_everywhere(model, X, TypeError, *parts)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_row_11_text_in_a_table(library):
    columns = dict(zip(NAMES, blobs().T.copy()))
    model = GaussianMixture(2, random_state=0).fit(table(library, columns))
    columns["height"] = ["tall"] * 60
    parts = ["'tall'", "column 2 ('height')", "numbers"]
    raises_everywhere(model, table(library, columns), ValueError, *parts)


# --- 12: other kinds of number -------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [object, np.int64, np.int8, np.uint16, bool, np.float16, ">f8", ">i4", np.longdouble]
)
def test_row_12_other_kinds_of_number(dtype):
    X = (blobs() * 4).astype(np.int8).astype(dtype)
    expected = X.astype(np.float64)
    first = GaussianMixture(2, random_state=0).fit(X)
    second = GaussianMixture(2, random_state=0).fit(expected)
    assert_same(first, second)
    assert first.means_.dtype == np.float64
    for method in SCORING:
        np.testing.assert_array_equal(
            getattr(first, method)(X), getattr(second, method)(expected), err_msg=method
        )


def test_row_12_big_endian_float32():
    X = blobs(dtype=np.float32)
    first = GaussianMixture(2, random_state=0).fit(X.astype(">f4"))
    second = GaussianMixture(2, random_state=0).fit(X)
    assert_same(first, second)
    assert first.means_.dtype == np.float32
    assert first.means_.dtype.isnative


def test_row_12_lists():
    X = blobs()
    first = GaussianMixture(2, random_state=0).fit(X.tolist())
    assert_same(first, GaussianMixture(2, random_state=0).fit(X))
    np.testing.assert_array_equal(first.predict_proba(X.tolist()), first.predict_proba(X))


# --- 13: missing values of tables ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "boolean", "double[pyarrow]"])
def test_row_13_nullable_columns(dtype):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    values = (blobs() > 3).astype(np.float64)
    frame = pandas.DataFrame(blobs(), columns=NAMES)
    plain = frame.assign(width=values[:, 1])
    frame["width"] = pandas.array(values[:, 1], dtype="Float64").astype(dtype)
    model = GaussianMixture(2, random_state=0).fit(frame)
    assert_same(model, GaussianMixture(2, random_state=0).fit(plain))

    frame.loc[8, "width"] = pandas.NA
    assert str(frame["width"].dtype) == dtype
    raises_everywhere(model, frame, ValueError, "contains NaN", "row 8, column 1 ('width')")


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@pytest.mark.parametrize("kind", [int, float, bool])
def test_row_13_nulls(library, kind):
    columns = {name: [kind(x > 3) for x in values] for name, values in zip(NAMES, blobs().T)}
    columns["length"] = blobs()[:, 0].tolist()
    model = GaussianMixture(2, random_state=0).fit(table(library, columns))
    values = np.column_stack([columns[name] for name in NAMES]).astype(np.float64)
    assert_same(model, GaussianMixture(2, random_state=0).fit(values))

    columns["height"][9] = None
    frame = table(library, columns)
    raises_everywhere(model, frame, ValueError, "contains NaN", "row 9, column 2 ('height')")


# --- 14: masked arrays ---------------------------------------------------------------------------


def test_row_14_masked_values(model):
    X = np.ma.array(blobs())
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X.data))
    X[3, 1] = np.ma.masked
    for method in METHODS:
        with nothing_lost(model), pytest.raises((TypeError, ValueError)) as caught:
            getattr(model, method)(X)
        assert "contains NaN. First at row 3, column 1" in str(caught.value)


# --- 15: read-only memory ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_15_read_only(dtype):
    X = blobs(dtype=dtype)
    weights = np.linspace(0.5, 1.5, 60)
    expected = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    X.flags.writeable = False
    weights.flags.writeable = False
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    assert_same(model, expected)
    for method in SCORING:
        getattr(model, method)(X)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_15_memory_map_is_not_copied(tmp_path, covariance_type):
    shape = (300_000, 8)
    rows = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=shape)
    rows[:] = blobs(*shape)
    rows.flush()
    mapped = np.memmap(tmp_path / "rows", dtype=np.float64, mode="r", shape=shape)
    model = GaussianMixture(
        2,
        covariance_type=covariance_type,
        init_params="random_from_data",
        random_state=0,
        max_iter=2,
        tol=0,
    )
    labels = np.empty(len(mapped), dtype=np.intp)
    tracemalloc.start()
    try:
        with only_warnings(ConvergenceWarning):
            model.fit(mapped)
        model.score(mapped)
        model.predict(mapped, out=labels)
        assert tracemalloc.get_traced_memory()[1] < mapped.nbytes / 3
    finally:
        tracemalloc.stop()
    assert set(np.unique(labels)) == {0, 1}


# --- 16: layouts ---------------------------------------------------------------------------------


def misaligned(X):
    """A copy of X at an odd address."""
    buffer = np.empty(X.nbytes + 1, dtype=np.uint8)[1:]
    view = buffer.view(X.dtype).reshape(X.shape)
    view[...] = X
    assert not view.flags.aligned
    return view


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "columns reversed": lambda X: X[:, ::-1].copy()[:, ::-1],
    "some columns": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "misaligned": misaligned,
    "transposed": lambda X: X.T.copy().T,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_16_layouts(layout, dtype, covariance_type):
    X = blobs(500, dtype=dtype)
    turned = LAYOUTS[layout](X)
    np.testing.assert_array_equal(turned, X)
    weights = np.linspace(0.5, 2, 1000)[::2]
    settings = {"covariance_type": covariance_type, "random_state": 0}
    expected = GaussianMixture(2, **settings).fit(X, sample_weight=weights.copy())
    model = GaussianMixture(2, **settings).fit(turned, sample_weight=weights)
    assert_same(model, expected)
    for method in SCORING:
        np.testing.assert_array_equal(
            getattr(model, method)(turned), getattr(expected, method)(X), err_msg=method
        )


def test_row_16_broadcast_rows_are_read_as_they_are(model):
    row = blobs()[:1]
    X = np.broadcast_to(row, (200_000, 3))
    np.testing.assert_array_equal(model.predict(X), np.repeat(model.predict(row), len(X)))
    np.testing.assert_array_equal(
        model.score_samples(X), np.repeat(model.score_samples(np.tile(row, (2, 1)))[:1], len(X))
    )
    statistics = model.accumulate(X)
    np.testing.assert_allclose(statistics.weight.sum(), len(X))


# --- 17: X changes during a call -----------------------------------------------------------------


def test_row_17_rows_change_during_predict(model):
    X = blobs(100_000)
    stop = threading.Event()

    def scribble():
        generator = np.random.default_rng(1)
        values = (np.nan, np.inf, 1e300, -1e300, 0.0, 5.0)
        while not stop.is_set():
            X[generator.integers(0, len(X), 1000)] = generator.choice(values)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        for _ in range(10):
            with contextlib.suppress(ValueError):
                labels = model.predict(X)
                assert labels.min() >= 0
                assert labels.max() <= 1
            with contextlib.suppress(ValueError):
                assert model.predict_proba(X).shape == (100_000, 2)
    finally:
        stop.set()
        writer.join()
    assert (model.predict(blobs()) == model.predict(blobs())).all()


# --- 18: constant columns ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("value", [0.0, 0.1, -3e6])
def test_row_18_constant_column(covariance_type, value):
    X = blobs()
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
    X = blobs()
    X[:, 1] = 0.5
    frame = table("pandas", dict(zip(NAMES, X.T.copy())))
    model = GaussianMixture(2, random_state=0).fit(blobs())
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
@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_19_and_20_fewer_distinct_rows_than_components(
    covariance_type, init_params, n_distinct
):
    X = np.repeat(blobs(n_distinct), 40 // n_distinct, axis=0)
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


@pytest.mark.parametrize("init_params", INITS)
@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_21_as_many_rows_as_components(covariance_type, init_params):
    model = GaussianMixture(
        4, covariance_type=covariance_type, init_params=init_params, random_state=0
    )
    with only_warnings(ConvergenceWarning):
        model.fit(blobs(4))
    assert_sound(model)


def test_row_21_one_row(model):
    model.set_params(n_components=1)
    parts = ["1 sample(s)", "minimum of 2 is required"]
    raises_everywhere(model, blobs(1), ValueError, *parts, methods=FITTING)


def test_row_21_scoring_one_row(model):
    X = blobs(1)
    assert model.predict(X).shape == (1,)
    assert model.predict_proba(X).shape == (1, 2)
    assert np.isfinite(model.score(X))


# --- 22 and 23: linearly dependent columns, more columns than rows -------------------------------


def dependent(kind):
    if kind == "copied":
        X = blobs(200)
        return np.hstack([X, X[:, :1]])
    if kind == "sum":
        X = blobs(200).round()
        return np.hstack([X, X[:, :1] + X[:, 1:2]])
    return blobs(20, 30)


@pytest.mark.parametrize("kind", ["copied", "sum", "more columns than rows"])
@pytest.mark.parametrize("covariance_type", TYPES)
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


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("distance", [1e2, 1e6, 1e100])
def test_row_24_a_component_without_rows(covariance_type, distance):
    X = blobs(400)
    d = X.shape[1]
    precisions = {
        "full": np.tile(np.eye(d), (3, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((3, d)),
        "spherical": np.ones(3),
    }[covariance_type]
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
    }[covariance_type]
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
@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_25_fit_with_one_far_point(covariance_type, far):
    X = blobs()
    X[11] = far
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(blobs())
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
    X = blobs(300)
    scale = np.array([1e-20, 1.0, 1e20])
    settings = {"covariance_type": covariance_type, "reg_covar": 0, "tol": 0, "max_iter": 5}
    inverse = {
        "full": np.tile(np.eye(3), (2, 1, 1)),
        "tied": np.eye(3),
        "diag": np.ones((2, 3)),
    }[covariance_type]
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
    X = (blobs() * [1.0, 1e-4, 1e-3]).astype(dtype)
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
    X = blobs(200) * 1e-4
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
    X = blobs(100)
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


@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_27_offset_in_float64(covariance_type):
    X = np.random.default_rng(2).normal(size=(5000, 3)) + 1e8
    model = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0).fit(X)
    expected = expected_covariance(X, covariance_type)
    np.testing.assert_allclose(covariance_of(model), expected, rtol=1e-6, atol=1e-6)
    mean = [math.fsum(column) / len(X) for column in X.T]
    np.testing.assert_allclose(model.means_[0], mean, rtol=1e-15)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_27_offset_in_float64_two_components(covariance_type):
    X = np.round(blobs(2000) * 2**10) / 2**10  # so that adding the offset loses nothing
    settings = {"covariance_type": covariance_type, "random_state": 0, "tol": 0, "max_iter": 10}
    start = {"weights_init": [0.5, 0.5]}
    means = np.array([[0.0, 0, 0], [6.0, 6, 6]])
    with only_warnings(ConvergenceWarning):
        near = GaussianMixture(2, means_init=means, **start, **settings).fit(X)
        far = GaussianMixture(2, means_init=means + 1e8, **start, **settings).fit(X + 1e8)
    np.testing.assert_allclose(far.covariances_, near.covariances_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(far.weights_, near.weights_, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_27_offset_in_float32(covariance_type):
    X = (np.random.default_rng(3).normal(size=(5000, 3)) * 1e-3 + 1e4).astype(np.float32)
    model = GaussianMixture(1, covariance_type=covariance_type, reg_covar=0).fit(X)
    expected = expected_covariance(X.astype(np.float64), covariance_type)
    np.testing.assert_allclose(covariance_of(model), expected, rtol=1e-4, atol=1e-10)


def test_row_27_variance_is_not_negative_in_float32():
    X = np.array([[9999], [0]], dtype=np.float32)
    for covariance_type in TYPES:
        model = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0.1, random_state=0)
        with only_warnings(ConvergenceWarning):
            model.fit(X)
        assert_sound(model)
        np.testing.assert_allclose(model.covariances_.ravel(), 0.1, rtol=1e-3)


# --- 28: denormal numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_28_denormal_rows(covariance_type):
    X = blobs() * 1e-310
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
    X = blobs(300_000, 8)
    model = GaussianMixture(4, random_state=0).fit(X)
    tiny = X * 1e-310
    seconds = {"plain": [], "tiny": []}
    for _ in range(7):
        for name, rows in (("plain", X), ("tiny", tiny)):
            start = time.perf_counter()
            model.accumulate(rows)
            seconds[name].append(time.perf_counter() - start)
    assert min(seconds["tiny"]) < 3 * min(seconds["plain"])


@pytest.mark.parametrize("covariance_type", TYPES)
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


@pytest.mark.parametrize("value", [1e8, 1e30, 1e100, 1e200])
def test_row_29_a_first_row_of_weight_zero_is_no_row(value):
    X = np.random.default_rng(0).normal(size=(600, 2))
    X[300:] += 8
    expected = GaussianMixture(2, random_state=0).fit(X)
    weights = np.r_[0.0, np.ones(600)]
    model = GaussianMixture(2, random_state=0)
    model.fit(np.vstack([[[value, value]], X]), sample_weight=weights)
    assert model.lower_bound_ == pytest.approx(expected.lower_bound_, rel=1e-12)


@pytest.mark.parametrize("weight", [1e-320, 1e-300, 1e300])
def test_row_29_only_proportions_of_weights_matter(weight):
    X = 1e3 * blobs(300)
    expected = GaussianMixture(2, random_state=0).fit(X)
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.full(300, weight))
    np.testing.assert_allclose(
        model.means_, expected.means_, rtol=1e-3 if weight < 1e-310 else 1e-9
    )


def test_random_rows_under_extreme_weights():
    model = GaussianMixture(2, init_params="random_from_data", random_state=0)
    with pytest.warns(UserWarning, match="X is constant"):
        model.fit(blobs(600), sample_weight=np.r_[1e10, np.full(599, 1e-320)])
    assert np.isfinite(model.means_).all()
    with pytest.raises(ValueError, match=r"n_components.* n_samples = 1"):
        model.fit(blobs(600), sample_weight=np.r_[1e300, np.full(599, 1e-300)])


# --- 29: sample weights --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        (np.r_[-1.0, np.ones(59)], ["negative", "sample_weight[0] is -1.0"]),
        (np.r_[np.ones(59), np.nan], ["sample_weight contains NaN", "sample_weight[59]"]),
        (np.r_[np.ones(59), np.inf], ["sample_weight contains infinity"]),
        (np.zeros(60), ["at least one non-zero number", "sample_weight"]),
        (np.ones(59), ["(59,)", "(60,)", "sample_weight"]),
        (np.ones((60, 1)), ["1D array or scalar", "(60, 1)"]),
        (["1"] * 60, ["sample_weight must hold real numbers"]),
    ],
    ids=["negative", "nan", "infinite", "zero", "length", "dimensions", "text"],
)
def test_row_29_sample_weights_that_are_refused(model, weights, parts):
    X = blobs()
    # Without any weight a piece is still one of several.
    allowed = [] if any(np.ravel(weights)) else ["accumulate"]
    for method in {*FITTING, "accumulate"}.difference(allowed):
        with nothing_lost(model, X), pytest.raises(ValueError) as caught:
            getattr(model, method)(X, sample_weight=weights)
        for part in parts:
            assert part in str(caught.value), method


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_row_29_weight_zero_is_no_row(covariance_type, init_params):
    X = blobs(200)
    weights = np.random.default_rng(1).integers(0, 3, size=200).astype(np.float64)
    X[weights == 0] = 50.0  # would be noticed
    settings = {
        "covariance_type": covariance_type,
        "init_params": init_params,
        "random_state": 0,
        "tol": 1e-10,
        "max_iter": 1000,
    }
    kept = weights > 0
    first = GaussianMixture(2, **settings).fit(X, sample_weight=weights)
    second = GaussianMixture(2, **settings).fit(X[kept], sample_weight=weights[kept])
    a, b = np.argsort(first.weights_), np.argsort(second.weights_)
    np.testing.assert_allclose(first.weights_[a], second.weights_[b], rtol=1e-4)
    np.testing.assert_allclose(first.means_[a], second.means_[b], rtol=1e-4, atol=1e-4)


def test_row_29_weight_two_is_the_row_twice():
    X = blobs(200)
    weights = np.random.default_rng(1).integers(0, 4, size=200)
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": [[0.0] * 3, [6.0] * 3],
        "precisions_init": [np.eye(3)] * 2,
    }
    first = GaussianMixture(2, **start).fit(X, sample_weight=weights)
    second = GaussianMixture(2, **start).fit(np.repeat(X, weights, axis=0))
    assert first.n_iter_ == second.n_iter_
    for name in PARAMETERS:
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-10, 3.0, 1e300])
def test_row_29_only_proportions_matter(scale):
    X = blobs(200)
    start = {"means_init": [[0.0] * 3, [6.0] * 3], "random_state": 0}
    expected = GaussianMixture(2, **start).fit(X)
    model = GaussianMixture(2, **start).fit(X, sample_weight=scale)
    assert_sound(model)
    np.testing.assert_allclose(model.means_, expected.means_, rtol=1e-6)
    np.testing.assert_allclose(model.covariances_, expected.covariances_, rtol=1e-6, atol=1e-9)


# --- 30: starting values -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covariance_type", "name", "value", "parts"),
    [
        ("full", "weights_init", [0.5, 0.6], ["sum(weights_init) = 1.1", "normalized"]),
        ("full", "weights_init", [-0.5, 1.5], ["weights_init[0] = -0.5"]),
        ("full", "weights_init", [0.2, 0.3, 0.5], ["weights_init", "(2,)", "(3,)"]),
        ("full", "weights_init", [np.nan, 1.0], ["weights_init contains NaN"]),
        ("full", "weights_init", "half", ["'weights_init'", "'half'"]),
        ("full", "means_init", np.zeros((2, 2)), ["means_init", "(2, 3)", "(2, 2)"]),
        ("full", "means_init", np.full((2, 3), np.inf), ["means_init contains infinity"]),
        ("full", "precisions_init", np.eye(3), ["precisions_init", "(2, 3, 3)", "(3, 3)"]),
        (
            "full",
            "precisions_init",
            [np.eye(3), np.eye(3) + np.triu(np.ones((3, 3)), 1)],
            ["precisions_init[1] is not symmetric", "1.0 at [0, 1]"],
        ),
        (
            "full",
            "precisions_init",
            [np.eye(3) - 2 * np.eye(3)[::-1], np.eye(3)],
            ["precisions_init[0]", "positive"],
        ),
        ("tied", "precisions_init", np.ones((3, 3)) * 2 - np.eye(3), ["not positive definite"]),
        ("diag", "precisions_init", [[1.0, 1, 1], [1, 0, 1]], ["precisions_init[1, 1] is 0.0"]),
        ("spherical", "precisions_init", [1.0, -1.0], ["precisions_init[1] is -1.0"]),
    ],
)
def test_row_30_starting_values_that_are_refused(model, covariance_type, name, value, parts):
    model.set_params(covariance_type=covariance_type, **{name: value})
    X = blobs()
    for method in FITTING:
        with nothing_lost(model, X), pytest.raises(ValueError) as caught:
            getattr(model, method)(X)
        for part in parts:
            assert part in str(caught.value)


def test_row_30_starting_values_are_not_written_to():
    start = {
        "weights_init": np.array([0.5, 0.5]),
        "means_init": np.array([[0.0] * 3, [6.0] * 3]),
        "precisions_init": np.array([np.eye(3)] * 2),
    }
    copies = copy.deepcopy(start)
    model = GaussianMixture(2, **start).fit(blobs())
    for name, value in copies.items():
        assert getattr(model, name) is start[name]
        np.testing.assert_array_equal(start[name], value)


# --- 40: the same bits everywhere, whatever the interpreter is told ------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_row_40_numpy_told_to_raise(tmp_path, covariance_type, dtype):
    X = blobs(100, 20, dtype)
    far = X.copy()
    far[0] = 1e30
    results = []
    for treatment in ("warn", "raise"):
        with np.errstate(all=treatment), only_warnings(ConvergenceWarning):
            result = []
            for init_params in INITS:
                model = GaussianMixture(
                    2, covariance_type=covariance_type, init_params=init_params, random_state=0
                ).fit(X)
                result.append(model.means_)
            result += [getattr(model, method)(rows) for method in SCORING for rows in (X, far)]
            result += [model.update(model.accumulate(X)).means_, model.sample(5)[0]]
            model.save(tmp_path / "model.npz")
            result.append(gaussmix.load(tmp_path / "model.npz").precisions_)
        results.append(result)
    np.testing.assert_equal(*results)


@pytest.mark.parametrize("n_threads", [2, 7])
def test_row_40_number_of_threads(n_threads):
    X = blobs(20_011)
    one = GaussianMixture(3, random_state=0, n_threads=1).fit(X)
    many = GaussianMixture(3, random_state=0, n_threads=n_threads).fit(X)
    assert_same(one, many)
    np.testing.assert_array_equal(one.predict_proba(X), many.predict_proba(X))


def run_with(options, code):
    """What code prints in a new interpreter with these options, and what it reports."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


BITS = """
import hashlib
import numpy as np
import gaussmix

X = np.random.default_rng(1).normal(size=(5000, 3))
X[::2] += 6.0
model = gaussmix.GaussianMixture(2, random_state=0).fit(X)
arrays = model.means_, model.covariances_, model.predict_proba(X), model.sample(50)[0]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


# Of what the module `site` does, this alone: packages are found in their directories.
DIRECTORIES = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
FIND_PACKAGES = "import site\n" + "".join(
    f"site.addsitedir({path!r})\n" for path in sorted(DIRECTORIES)
)


@pytest.fixture(scope="module")
def bits():
    """What a process prints that is told nothing."""
    return run_with([], BITS)[0]


@pytest.mark.parametrize(
    "options",
    ["", "-X dev -W error", "-O -W error", "-OO", "-I"],
    ids=lambda options: options or "another process",
)
def test_row_40_interpreter_options(bits, options):
    assert run_with(options.split(), BITS) == (bits, "")


def test_row_40_interpreter_without_site(bits):
    assert run_with(["-S"], FIND_PACKAGES + BITS) == (bits, "")


IN_SUBINTERPRETER = """
try:
    import gaussmix
    gaussmix.GaussianMixture().fit([[0.0], [1.0], [3.0]])
    print("works")
except (ImportError, RuntimeError) as error:
    print("refused:", error)
"""

WITH_SUBINTERPRETER = f"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import gaussmix

interpreter = interpreters.create()
interpreters.run_string(interpreter, {FIND_PACKAGES + IN_SUBINTERPRETER!r})
interpreters.destroy(interpreter)
print(gaussmix.GaussianMixture().fit([[0.0], [1.0], [5.0]]).means_[0, 0])
"""


def test_row_40_subinterpreter():
    # NumPy, which is imported first, refuses in some versions, and ours do; the main one goes on.
    # The reason may take many lines.
    printed = run_with(["-W", "ignore"], WITH_SUBINTERPRETER)[0]
    inside, outside = printed.strip().rsplit("\n", 1)
    assert inside == "works" or re.match("(?s)refused: .*(load module|interpreter)", inside)
    assert outside == "2.0"


# --- 38 and 39 in short: a model's own file (the reader's tests are in test_persistence.py) ------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_saved_model_comes_back(tmp_path, covariance_type, dtype):
    X = blobs(dtype=dtype)
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    with nothing_lost(model):
        model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.get_params() == model.get_params()
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name), strict=True)
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    rtol = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(loaded.score_samples(X), model.score_samples(X), rtol=rtol)
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_a_model_changed_by_hand_is_not_saved(tmp_path, model):
    model.save(tmp_path / "model.npz")
    old = (tmp_path / "model.npz").read_bytes()
    model.weights_ = np.array([1.5, -0.5])
    with pytest.raises(gaussmix.ModelFileError, match=r"weights_\[0\] = 1.5"):
        model.save(tmp_path / "model.npz")
    assert (tmp_path / "model.npz").read_bytes() == old


def test_every_row_of_the_table_has_a_test():
    names = [name for name, _ in inspect.getmembers(inspect.getmodule(blobs), inspect.isfunction)]
    for row in (*range(1, 31), 40):
        assert any(
            name.startswith(f"test_row_{row:02}") or f"_and_{row:02}_" in name for name in names
        ), row


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
        covariance_type=str(rng.choice(["full", "tied", "diag", "spherical"])),
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
