"""Checks of rows, on the functions themselves: arrays, tables and the names of columns."""

from __future__ import annotations

import warnings
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from gaussmix._checks.columns import check_feature_names, feature_names
from gaussmix._checks.numbers import computing_dtype
from gaussmix._checks.rows import as_rows, check_enough_rows, nonfinite_error


def random_rows(n=20, d=3, dtype=np.float64):
    return np.random.default_rng(5).normal(size=(n, d)).astype(dtype)


# --- rows: arrays --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["f4", "f8", ">f4", ">f8", "f2", "i1", "u2", "i8", ">i4", "?", np.longdouble],
)
def test_numeric_arrays_come_back_as_views(dtype):
    X = np.arange(12).reshape(4, 3).astype(dtype)
    X.flags.writeable = False
    rows, names = as_rows(X)
    assert names is None
    assert rows.dtype == X.dtype
    assert type(rows) is np.ndarray
    assert np.shares_memory(rows, X)
    np.testing.assert_array_equal(rows, X)


@pytest.mark.parametrize(
    "view",
    [
        lambda X: np.asfortranarray(X),
        lambda X: X[::2],
        lambda X: X[:, ::-1],
        lambda X: np.broadcast_to(X[0], (10**9, 3)),
        lambda X: np.frombuffer(b"\0" + X.tobytes(), "u1")[1:].view(X.dtype).reshape(X.shape),
    ],
    ids=["fortran", "rows", "reversed", "broadcast", "misaligned"],
)
def test_every_layout_comes_back_as_a_view(view):
    X = view(random_rows())
    rows, _ = as_rows(X, n_features=3)
    assert np.shares_memory(rows, X)
    assert rows.strides == X.strides


def test_memory_map_is_not_read(tmp_path):
    X = random_rows()
    X.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", dtype=np.float64, mode="r", shape=X.shape)
    rows, _ = as_rows(mapped)
    assert type(rows) is np.ndarray
    assert np.shares_memory(rows, mapped)


@pytest.mark.parametrize(
    ("dtype", "computing"),
    [
        ("f4", "f4"),
        (">f4", "f4"),
        ("f8", "f8"),
        ("f2", "f8"),
        ("i8", "f8"),
        ("?", "f8"),
        (np.longdouble, "f8"),
    ],
)
def test_computing_precision(dtype, computing):
    assert computing_dtype(dtype) == np.dtype(computing)


def test_lists_and_array_likes():
    class ArrayLike:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, 2.0]], dtype=dtype)

    for X in ([[1, 2]], ((1.0, 2.0),), [np.array([1, 2])], ArrayLike()):
        rows, names = as_rows(X)
        np.testing.assert_array_equal(rows, [[1, 2]])
        assert names is None


def test_object_arrays_of_numbers():
    X = np.array([[1, 2.5], [True, Decimal("0.5")], [np.float32(3), Fraction(1, 4)]], dtype=object)
    rows, _ = as_rows(X)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, [[1, 2.5], [1, 0.5], [3, 0.25]])


def test_none_among_objects_becomes_nan():
    rows, _ = as_rows([[1.0, None], [2.0, 3.0]])
    np.testing.assert_array_equal(rows, [[1, np.nan], [2, 3]])


@pytest.mark.parametrize(
    ("X", "error", "parts"),
    [
        (np.zeros(3), ValueError, ["Expected 2D array, got 1D array instead", "reshape(-1, 1)"]),
        ([], ValueError, ["Expected 2D array, got 1D array instead"]),
        (3.0, ValueError, ["got scalar array instead", "float", "Reshape your data"]),
        (None, ValueError, ["got scalar array instead", "NoneType"]),
        (np.zeros((2, 3, 4)), ValueError, ["dim 3", "(2, 3, 4)", "<= 2", "Reshape"]),
        (np.zeros((0, 3)), ValueError, ["0 sample(s) (shape=(0, 3))", "minimum of 1 is required"]),
        (np.zeros((3, 0)), ValueError, ["0 feature(s) (shape=(3, 0)) while a minimum of 1 is"]),
        (np.ones((2, 2)) * 1j, ValueError, ["Complex data not supported", "complex128"]),
        ([["1", "2"]], ValueError, ["<U1", "needs numbers"]),
        (np.array([[b"1"]]), ValueError, ["|S1", "needs numbers"]),
        (np.zeros((2, 2), "M8[D]"), TypeError, ["datetime64[D]", "column 0", "Convert"]),
        (np.zeros((2, 2), "m8[s]"), TypeError, ["timedelta64[s]", "column 0"]),
        (np.zeros((2, 2), [("a", "f8")]), TypeError, ["('a', '<f8')", "structured_to_unstruct"]),
        ([[1, 2], [3]], ValueError, ["same number of columns"]),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value)[:20],
)
def test_what_is_not_a_table_of_numbers(X, error, parts):
    with pytest.raises(error) as caught:
        as_rows(X)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrix():
    with pytest.raises(TypeError, match=r"np\.matrix is not supported.*np\.asarray"):
        as_rows(np.matrix([[1.0]]))


@pytest.mark.parametrize(
    ("value", "error", "parts"),
    [
        ("1.5", ValueError, ["dtype object", "'1.5'", "astype(float)"]),
        (b"x", ValueError, ["b'x'"]),
        (1 + 2j, ValueError, ["Complex data not supported", "(1+2j)"]),
        ({"foo": 1}, TypeError, ["{'foo': 1}", "argument must be a string or a real number"]),
        ([1.0], TypeError, ["[1.0]"]),
        (np.datetime64("2020-01-01"), TypeError, ["2020-01-01", "point in time"]),
        (10**400, ValueError, ["infinity or a value too large for dtype('float64')"]),
    ],
)
def test_objects_that_are_no_numbers_are_named_with_their_place(value, error, parts):
    X = np.ones((4, 3), dtype=object)
    X[2, 1] = value
    with pytest.raises(error) as caught:
        as_rows(X)
    for part in ["row 2, column 1", *parts]:
        assert part in str(caught.value)


def test_wrong_number_of_columns():
    with pytest.raises(
        ValueError, match=r"^X has 3 features, but Mixture is expecting 4 features as input"
    ):
        as_rows(random_rows(), n_features=4, estimator_name="Mixture")


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_for_a_fit(n):
    with pytest.raises(ValueError, match=rf"{n} sample\(s\).*minimum of 2 is required by Gauss"):
        as_rows(np.zeros((n, 2)), min_rows=2)


def test_fewer_rows_than_components():
    check_enough_rows(5, 5)
    with pytest.raises(ValueError, match="n_components = 6, n_samples = 5"):
        check_enough_rows(5, 6)


def test_masked_arrays():
    masked = np.ma.array(np.arange(6.0).reshape(3, 2))
    rows, _ = as_rows(masked)
    assert not isinstance(rows, np.ma.MaskedArray)
    np.testing.assert_array_equal(rows, masked.data)

    masked[1, 1] = np.ma.masked
    masked[2, 0] = np.ma.masked
    for X in (masked, [masked[0], masked[1], masked[2]]):
        rows, _ = as_rows(X)
        np.testing.assert_array_equal(rows, [[0, 1], [2, np.nan], [np.nan, 5]])
        assert not isinstance(rows, np.ma.MaskedArray)
    whole = np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(as_rows(whole)[0], [[1, np.nan], [3, 4]])


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "coo_array", "dia_matrix"])
def test_sparse(kind):
    sparse = pytest.importorskip("scipy.sparse")
    X = getattr(sparse, kind)(np.eye(3))
    with pytest.raises(
        TypeError, match=r"Sparse data was passed.*dense data is required"
    ) as error:
        as_rows(X)
    assert ".toarray()" in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("names", [None, ["duration", "waiting", "x"]])
def test_nonfinite_error(value, names):
    X = random_rows()
    X[4, 1] = value
    message = str(nonfinite_error(X, 4, 1, names))
    kind = "NaN" if np.isnan(value) else "infinity or a value too large for dtype('float64')"
    assert message.startswith(f"Input X contains {kind}.")
    assert ("row 4, column 1 ('waiting')" if names else "row 4, column 1") in message


def test_nonfinite_error_for_a_number_too_large():
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    X = np.array([[1, np.longdouble("1e4000")]])
    message = str(nonfinite_error(X, 0, 1))
    assert "too large for dtype('float64')" in message
    assert "1e+4000" in message


# --- rows: tables --------------------------------------------------------------------------------


def tables(library):
    """A frame of float, int and bool columns, and its values."""
    data = {"a": [1.5, 2.5], "b": [3, 4], "c": [True, False]}
    values = np.array([[1.5, 3, 1], [2.5, 4, 0]])
    module = pytest.importorskip(library)
    frame = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    return frame, values


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_by_column(library):
    frame, values = tables(library)
    rows, names = as_rows(frame)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, values)
    assert list(names) == ["a", "b", "c"]
    assert names.dtype == object


@pytest.mark.parametrize("dtype", ["float32", "Float32", "float32[pyarrow]"])
def test_pandas_float32_is_kept(dtype):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(random_rows(), columns=list("abc")).astype(dtype)
    rows, _ = as_rows(frame)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, random_rows(dtype=np.float32))
    frame["a"] = [1] * len(frame)
    assert as_rows(frame)[0].dtype == np.float64


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_float32_tables_are_kept(library):
    module = pytest.importorskip(library)
    columns = dict(zip("abc", random_rows(dtype=np.float32).T.copy()))
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    rows, _ = as_rows(frame)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, random_rows(dtype=np.float32))


def test_one_block_of_a_pandas_frame_is_not_copied():
    pandas = pytest.importorskip("pandas")
    X = random_rows()
    frame = pandas.DataFrame(X, copy=False)
    rows, names = as_rows(frame)
    assert names is None  # the columns are numbers
    assert np.shares_memory(rows, X)


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float64", "boolean", "Int8", "int64[pyarrow]", "double[pyarrow]"]
)
def test_pandas_nullable_columns(dtype):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    values = [1, 0, 1]
    frame = pandas.DataFrame({"a": pandas.array(values, dtype=dtype), "b": [1.0, 2.0, 3.0]})
    rows, _ = as_rows(frame)
    np.testing.assert_array_equal(rows, [[1, 1], [0, 2], [1, 3]])

    frame["a"] = pandas.array([1, None, 1], dtype=dtype)
    rows, _ = as_rows(frame)
    np.testing.assert_array_equal(rows, [[1, 1], [np.nan, 2], [1, 3]])


def test_pandas_na_among_objects_becomes_nan():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Series([1, pandas.NA, 2.5], dtype=object)})
    np.testing.assert_array_equal(as_rows(frame)[0][:, 0], [1, np.nan, 2.5])
    np.testing.assert_array_equal(as_rows([[pandas.NA, 1]])[0], [[np.nan, 1]])


@pytest.mark.parametrize("column", [[1, None], [1.5, None], [True, None]])
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_nulls_become_nan(library, column):
    module = pytest.importorskip(library)
    data = {"a": [1.0, 2.0], "b": column}
    frame = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    rows, _ = as_rows(frame)
    np.testing.assert_array_equal(rows, [[1, float(column[0])], [2, np.nan]])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(
    ("column", "error", "part"),
    [
        (["x", "y"], ValueError, "'x'"),
        (["1.5", "2"], ValueError, "'1.5'"),
        ([datetime(2020, 1, 1)] * 2, TypeError, "needs numbers"),
        ([[1.0, 2.0], [3.0, 4.0]], TypeError, "needs numbers|not a number"),
    ],
    ids=["text", "numbers as text", "time", "lists"],
)
def test_the_column_that_holds_no_numbers_is_named(library, column, error, part):
    module = pytest.importorskip(library)
    data = {"a": [1.0, 2.0], "when": column}
    frame = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    with pytest.raises(error, match=part) as caught:
        as_rows(frame)
    assert "column 1 ('when')" in str(caught.value)


def test_complex_and_time_zone_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0], "b": [1j]})
    with pytest.raises(ValueError, match=r"Complex data not supported.*column 1 \('b'\)"):
        as_rows(frame)
    frame["b"] = pandas.to_datetime(["2020-01-01"], utc=True)
    with pytest.raises(TypeError, match=r"UTC\] in column 1 \('b'\)"):
        as_rows(frame)


def test_sparse_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.eye(3)).astype(pandas.SparseDtype("float64", 0.0))
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        as_rows(frame)
    frame[0] = [1.0, 0.0, 0.0]
    np.testing.assert_array_equal(as_rows(frame)[0], np.eye(3))


def test_a_single_column_is_not_a_table():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"Expected a 2-dimensional container but got.*Series"):
        as_rows(pandas.Series([1.0, 2.0]))


def test_a_query_is_not_a_table():
    polars = pytest.importorskip("polars")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"LazyFrame.*\.collect\(\)"):
            as_rows(polars.LazyFrame({"a": [1.0]}))


def test_a_pandas_frame_without_columns():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(3, 0\)\)"):
        as_rows(pandas.DataFrame(index=range(3)))


# --- names of columns ----------------------------------------------------------------------------


def test_only_names_that_are_all_strings_count():
    pandas = pytest.importorskip("pandas")
    assert feature_names(pandas.DataFrame({0: [1], 1: [2]})) is None
    assert feature_names(pandas.DataFrame({("a", "b"): [1]})) is None
    assert feature_names(np.zeros((2, 2))) is None
    with pytest.raises(TypeError, match=r"all input features have string names.*\['int', 'str'\]"):
        feature_names(pandas.DataFrame({"a": [1], 1: [2]}))


FITTED = np.array(["a", "b", "c"], dtype=object)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (["b", "a", "c"], ["must be in the same order", "- a\n- b\n- c\n"]),
        (["a", "b"], ["yet now missing:\n- c\n"]),
        (["a", "b", "c", "d"], ["unseen at fit time:\n- d\n"]),
        (["a", "b", "x"], ["unseen at fit time:\n- x\n", "yet now missing:\n- c\n"]),
    ],
)
def test_other_names_are_listed(given, parts):
    with pytest.raises(ValueError, match=r"^The feature names should match those that") as caught:
        check_feature_names(FITTED, np.array(given, dtype=object))
    for part in parts:
        assert part in str(caught.value)


def test_a_long_list_of_names_is_cut():
    fitted = np.array([f"c{i}" for i in range(30)], dtype=object)
    with pytest.raises(ValueError) as caught:
        check_feature_names(fitted, np.array(["x"], dtype=object))
    assert str(caught.value).count("\n- ") == 1 + 5 + 1
    assert str(caught.value).endswith("- ...\n")


def test_equal_or_absent_names_pass_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_feature_names(FITTED, FITTED.copy())
        check_feature_names(None, None)


def test_names_on_one_side_only_are_a_warning():
    with pytest.warns(UserWarning, match="X has feature names, but Mixture was fitted without"):
        check_feature_names(None, FITTED, "Mixture")
    with pytest.warns(UserWarning, match="X does not have valid feature names, but Mixture was"):
        check_feature_names(FITTED, None, "Mixture")


def test_an_array_for_a_model_with_names_is_a_warning_on_the_fast_path_too():
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        rows, _ = as_rows(random_rows(), n_features=3, fitted_names=FITTED)
    assert rows.shape == (20, 3)
