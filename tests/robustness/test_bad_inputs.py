"""Rows that cannot be, and rows in every form, one section for each row of docs/bad-input.md.

Whatever goes wrong, nothing is lost: a fitted model keeps its parameters, arrays that were passed
in keep their values, and so does an `out=` buffer.
"""

from __future__ import annotations

import contextlib
import re
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gaussmix import ConvergenceWarning, GaussianMixture, InvalidParameterError, NotFittedError
from support.assertions import assert_same, nothing_lost, only_warnings, raises_everywhere
from support.families import COVARIANCE_TYPES
from support.models import FITTING, METHODS, SCORING
from support.rows import NAMES, table, two_clusters


@pytest.fixture
def model():
    return GaussianMixture(2, random_state=0).fit(two_clusters())


# --- 1: NaN --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [(0, 0), (17, 2), (59, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_01_nan(model, dtype, place):
    X = two_clusters(dtype=dtype)
    X[place] = np.nan
    X[59, 2] = np.nan  # a later one does not count
    where = f"First at row {place[0]}, column {place[1]}"
    raises_everywhere(model, X, ValueError, "Input X contains NaN", where)


def test_row_01_nan_far_down_in_many_rows(model):
    X = two_clusters(100_000)
    X[99_990, 1] = np.nan
    raises_everywhere(model, X, ValueError, "Input X contains NaN", "row 99990, column 1")


def test_row_01_nan_in_a_named_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(two_clusters(), columns=NAMES)
    model = GaussianMixture(2).fit(frame)
    frame.loc[5, "width"] = np.nan
    raises_everywhere(model, frame, ValueError, "Input X contains NaN", "column 1 ('width')")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_row_01_nothing_is_written_to_out(model, value):
    X = two_clusters()
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
    X = two_clusters(dtype=dtype)
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
    X = two_clusters(dtype=np.longdouble)
    X[3, 2] = np.longdouble("1e4000")
    with only_warnings():
        raises_everywhere(
            model, X, ValueError, "too large for dtype('float64')", "row 3, column 2"
        )


def test_row_02_float64_rows_for_a_float32_model_do_not_overflow():
    model = GaussianMixture(2, random_state=0).fit(two_clusters(dtype=np.float32))
    X = two_clusters()
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
    columns = dict(zip(NAMES, two_clusters().T.copy()))
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
        two_clusters(d=d, dtype=dtype),
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
    X = two_clusters()
    model = GaussianMixture(2, random_state=0).fit(table(library, dict(zip(NAMES, X.T.copy()))))
    assert list(model.feature_names_in_) == NAMES
    columns = dict(zip(NAMES, X.T.copy()))
    other = table(library, {name: columns.get(name, X[:, 2].copy()) for name in names})
    expected = ["The feature names should match those that were passed during fit.", *parts]
    raises_everywhere(model, other, ValueError, *expected, methods=(*SCORING, "accumulate"))


def test_row_06_names_on_one_side_only(model):
    X = two_clusters()
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
    X = two_clusters(6)
    parts = ["Expected n_samples >= n_components", "n_components = 7", "n_samples = 6"]
    raises_everywhere(model, X, ValueError, *parts, methods=FITTING)


def test_row_07_rows_without_weight_do_not_count(model):
    X = two_clusters(6)
    weights = np.array([1.0, 0, 0, 0, 0, 0])
    with nothing_lost(model, X, weights), pytest.raises(ValueError, match="n_samples = 1"):
        model.fit(X, sample_weight=weights)


# --- 8: n_components -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None, np.nan])
def test_row_08_n_components(model, value):
    model.set_params(n_components=value)
    X = two_clusters()
    for method in FITTING:
        with nothing_lost(model, X), pytest.raises(InvalidParameterError) as caught:
            getattr(model, method)(X)
        assert isinstance(caught.value, (ValueError, TypeError))
        message = str(caught.value)
        assert "The 'n_components' parameter of GaussianMixture must be an int" in message
        assert f"Got {value!r} instead" in message


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_row_08_n_components_as_a_numpy_integer(kind):
    first = GaussianMixture(kind(3), random_state=0).fit(two_clusters())
    second = GaussianMixture(3, random_state=0).fit(two_clusters())
    assert_same(first, second)


def test_row_08_nothing_is_checked_before_fit():
    model = GaussianMixture("3", tol=-1, covariance_type=None)
    assert model.n_components == "3"
    with pytest.raises(InvalidParameterError, match="'n_components'"):
        model.fit(two_clusters())
    assert not hasattr(model, "means_")


# --- 9: not fitted -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*SCORING, "accumulate"])
def test_row_09_scoring_before_fit(method):
    model = GaussianMixture(2)
    with nothing_lost(model), pytest.raises(NotFittedError, match="This GaussianMixture instance"):
        getattr(model, method)(two_clusters())


def test_row_09_other_methods_before_fit(tmp_path):
    class Special(GaussianMixture):
        pass

    model = Special(2)
    calls = (
        lambda: model.save(tmp_path / "model.npz"),
        lambda: model.sample(3),
        lambda: model.to_sklearn(),
        lambda: model.update(GaussianMixture(2).fit(two_clusters()).accumulate(two_clusters())),
    )
    for call in calls:
        with nothing_lost(model), pytest.raises(NotFittedError, match="This Special instance"):
            call()
    assert not (tmp_path / "model.npz").exists()


def test_row_09_a_failed_first_fit_leaves_an_unfitted_model():
    model = GaussianMixture(2)
    X = two_clusters()
    X[7, 0] = np.nan
    with nothing_lost(model), pytest.raises(ValueError, match="NaN"):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.predict(two_clusters())


# --- 10: sparse ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "coo_array", "lil_array"])
def test_row_10_sparse(model, kind):
    sparse = pytest.importorskip("scipy.sparse")
    X = getattr(sparse, kind)(two_clusters())
    parts = ["Sparse data was passed", "dense data is required", "toarray()"]
    raises_everywhere(model, X, TypeError, *parts)


# --- 11: what is not a number --------------------------------------------------------------------


def test_row_11_complex(model):
    X = two_clusters() + 0j
    raises_everywhere(model, X, ValueError, "Complex data not supported", "complex128")


def test_row_11_text(model):
    raises_everywhere(model, two_clusters().astype(str), ValueError, "<U", "column 0", "numbers")
    X = two_clusters().astype(object)
    X[4, 1] = "tall"
    raises_everywhere(model, X, ValueError, "object", "'tall'", "row 4, column 1")


def test_row_11_times(model):
    X = np.zeros((5, 3), dtype="datetime64[s]")
    raises_everywhere(model, X, (TypeError, ValueError), "datetime64[s]", "column 0")


def test_row_11_other_objects(model):
    X = two_clusters().astype(object)
    X[2, 2] = {"foo": "bar"}
    parts = ["argument must be a string or a real number", "row 2, column 2"]
    raises_everywhere(model, X, TypeError, *parts)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_row_11_text_in_a_table(library):
    columns = dict(zip(NAMES, two_clusters().T.copy()))
    model = GaussianMixture(2, random_state=0).fit(table(library, columns))
    columns["height"] = ["tall"] * 60
    parts = ["'tall'", "column 2 ('height')", "numbers"]
    raises_everywhere(model, table(library, columns), ValueError, *parts)


# --- 12: other kinds of number -------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [object, np.int64, np.int8, np.uint16, bool, np.float16, ">f8", ">i4", np.longdouble]
)
def test_row_12_other_kinds_of_number(dtype):
    X = (two_clusters() * 4).astype(np.int8).astype(dtype)
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
    X = two_clusters(dtype=np.float32)
    first = GaussianMixture(2, random_state=0).fit(X.astype(">f4"))
    second = GaussianMixture(2, random_state=0).fit(X)
    assert_same(first, second)
    assert first.means_.dtype == np.float32
    assert first.means_.dtype.isnative


def test_row_12_lists():
    X = two_clusters()
    first = GaussianMixture(2, random_state=0).fit(X.tolist())
    assert_same(first, GaussianMixture(2, random_state=0).fit(X))
    np.testing.assert_array_equal(first.predict_proba(X.tolist()), first.predict_proba(X))


# --- 13: missing values of tables ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "boolean", "double[pyarrow]"])
def test_row_13_nullable_columns(dtype):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    values = (two_clusters() > 3).astype(np.float64)
    frame = pandas.DataFrame(two_clusters(), columns=NAMES)
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
    columns = {
        name: [kind(x > 3) for x in values] for name, values in zip(NAMES, two_clusters().T)
    }
    columns["length"] = two_clusters()[:, 0].tolist()
    model = GaussianMixture(2, random_state=0).fit(table(library, columns))
    values = np.column_stack([columns[name] for name in NAMES]).astype(np.float64)
    assert_same(model, GaussianMixture(2, random_state=0).fit(values))

    columns["height"][9] = None
    frame = table(library, columns)
    raises_everywhere(model, frame, ValueError, "contains NaN", "row 9, column 2 ('height')")


# --- 14: masked arrays ---------------------------------------------------------------------------


def test_row_14_masked_values(model):
    X = np.ma.array(two_clusters())
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X.data))
    X[3, 1] = np.ma.masked
    for method in METHODS:
        with nothing_lost(model), pytest.raises((TypeError, ValueError)) as caught:
            getattr(model, method)(X)
        assert "contains NaN. First at row 3, column 1" in str(caught.value)


# --- 15: read-only memory ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_15_read_only(dtype):
    X = two_clusters(dtype=dtype)
    weights = np.linspace(0.5, 1.5, 60)
    expected = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    X.flags.writeable = False
    weights.flags.writeable = False
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    assert_same(model, expected)
    for method in SCORING:
        getattr(model, method)(X)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_15_memory_map_is_not_copied(tmp_path, covariance_type):
    shape = (300_000, 8)
    rows = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=shape)
    rows[:] = two_clusters(*shape)
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
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_16_layouts(layout, dtype, covariance_type):
    X = two_clusters(500, dtype=dtype)
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
    row = two_clusters()[:1]
    X = np.broadcast_to(row, (200_000, 3))
    np.testing.assert_array_equal(model.predict(X), np.repeat(model.predict(row), len(X)))
    np.testing.assert_array_equal(
        model.score_samples(X), np.repeat(model.score_samples(np.tile(row, (2, 1)))[:1], len(X))
    )
    statistics = model.accumulate(X)
    np.testing.assert_allclose(statistics.weight.sum(), len(X))


# --- 17: X changes during a call -----------------------------------------------------------------


def test_row_17_rows_change_during_predict(model):
    X = two_clusters(100_000)
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
    assert (model.predict(two_clusters()) == model.predict(two_clusters())).all()


def test_every_row_of_the_table_has_a_test():
    files = Path(__file__).parent.glob("test_*.py")
    names = re.findall(r"^def (test_\w+)", "".join(map(Path.read_text, files)), re.MULTILINE)
    for row in (*range(1, 31), 40):
        assert any(
            name.startswith(f"test_row_{row:02}") or f"_and_{row:02}_" in name for name in names
        ), row
