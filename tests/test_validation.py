"""Checks of user input, on the functions themselves: what is accepted, and what the user reads."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from gaussmix import _validation as validation


def random_rows(n=20, d=3, dtype=np.float64):
    return np.random.default_rng(5).normal(size=(n, d)).astype(dtype)


# --- exceptions ----------------------------------------------------------------------------------


def test_exceptions_can_be_caught_as_builtin_ones():
    assert issubclass(validation.InvalidParameterError, ValueError)
    assert issubclass(validation.InvalidParameterError, TypeError)
    assert issubclass(validation.NotFittedError, ValueError)
    assert issubclass(validation.NotFittedError, AttributeError)
    assert issubclass(validation.IllDefinedCovarianceError, ValueError)


def test_exceptions_are_also_those_of_scikit_learn_once_it_is_loaded():
    exceptions = pytest.importorskip("sklearn.exceptions")
    parameters = pytest.importorskip("sklearn.utils._param_validation")

    error = validation.not_fitted("GaussianMixture")
    assert isinstance(error, exceptions.NotFittedError)
    assert isinstance(error, validation.NotFittedError)
    assert "This GaussianMixture instance is not fitted yet" in str(error)
    assert type(error) is type(validation.not_fitted("Other"))

    warning = validation.convergence_warning("slow")
    assert isinstance(warning, exceptions.ConvergenceWarning)
    assert isinstance(warning, validation.ConvergenceWarning)

    with pytest.raises(parameters.InvalidParameterError) as caught:
        validation.check_parameters({"n_components": 0})
    assert isinstance(caught.value, validation.InvalidParameterError)


def test_joined_exceptions_survive_pickling():
    pytest.importorskip("sklearn.exceptions")
    error = validation.not_fitted("GaussianMixture")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_without_scikit_learn_the_own_classes_are_raised_and_nothing_is_imported():
    code = (
        "import sys, gaussmix._validation as v\n"
        "assert type(v.not_fitted('A')) is v.NotFittedError\n"
        "assert type(v.convergence_warning('a')) is v.ConvergenceWarning\n"
        "loaded = {'sklearn', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- constructor parameters ----------------------------------------------------------------------

DEFAULTS = {
    "n_components": 1,
    "covariance_type": "full",
    "tol": 1e-3,
    "reg_covar": 1e-6,
    "max_iter": 100,
    "n_init": 1,
    "init_params": "kmeans",
    "weights_init": None,
    "means_init": None,
    "precisions_init": None,
    "random_state": None,
    "warm_start": False,
    "verbose": 0,
    "verbose_interval": 10,
    "n_threads": None,
    "acceleration": None,
    "variance_floor": 0.0,
    "on_collapse": "raise",
}

GOOD = [
    *(("n_components", v) for v in (1, 7, np.int64(3), np.uint8(2))),
    *(("covariance_type", v) for v in ("full", "tied", "diag", "spherical")),
    *(("tol", v) for v in (0, 0.0, 1e-9, np.float32(0.5), Fraction(1, 3))),
    *(("reg_covar", v) for v in (0, 1e300)),
    *(("max_iter", v) for v in (0, 10**9)),
    *(("n_init", v) for v in (1, np.int32(5))),
    *(("init_params", v) for v in ("kmeans", "k-means++", "random", "random_from_data")),
    *(("weights_init", v) for v in ([0.5, 0.5], np.ones(2), (1.0,))),
    ("means_init", [[1.0]]),
    ("precisions_init", [1.0]),
    *(("random_state", v) for v in (0, 2**32 - 1, np.int64(4), np.random.RandomState(0))),
    ("random_state", np.random.default_rng(0)),
    *(("warm_start", v) for v in (True, np.False_)),
    *(("verbose", v) for v in (True, 0, 2)),
    ("verbose_interval", 1),
    *(("n_threads", v) for v in (1, np.int64(64), None)),
    *(("acceleration", v) for v in (None, "squarem")),
    *(("variance_floor", v) for v in (0, 1e-3, np.float32(0.5), Fraction(1, 3), 1 - 1e-12)),
    *(("on_collapse", v) for v in ("raise", "reseed", "drop")),
]

BAD = [
    *(("n_components", v) for v in (0, -1, 2.5, True, "3", None, np.nan, [2], np.float64(2))),
    *(("covariance_type", v) for v in ("Full", None, ["full"], b"full", 3)),
    *(("tol", v) for v in (-1, -1e-300, np.nan, np.inf, "0.1", None, True, 1j)),
    *(("reg_covar", v) for v in (-1e-6, np.nan, None, np.ones(2))),
    *(("max_iter", v) for v in (-1, 1.0, True, None)),
    *(("n_init", v) for v in (0, 1.5, False)),
    *(("init_params", v) for v in ("k-means", "KMEANS", None, 0)),
    *(("weights_init", v) for v in ("ab", 0.5, {"a": 1}, object())),
    ("means_init", 3),
    ("precisions_init", b"1"),
    *(("random_state", v) for v in (-1, 2**32, 1.5, "0", True, np.random)),
    *(("warm_start", v) for v in (0, 1, None, "yes")),
    *(("verbose", v) for v in (-1, 0.5, None, "progress")),
    *(("verbose_interval", v) for v in (0, 2.0, True)),
    *(("n_threads", v) for v in (0, -2, 1.0, True, "2")),
    *(("acceleration", v) for v in ("SQUAREM", True, "", ["squarem"], np.array(["squarem"]))),
    *(("variance_floor", v) for v in (-1e-9, 1, 1.0, np.nan, np.inf, None, "0.1", True)),
    *(("on_collapse", v) for v in ("Drop", None, True, "ignore", ["drop"])),
]


def test_defaults_are_valid():
    validation.check_parameters(DEFAULTS)


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_valid_parameters_pass(name, value):
    validation.check_parameters({**DEFAULTS, name: value})


@pytest.mark.parametrize(("name", "value"), BAD)
def test_invalid_parameters_are_named_with_their_value(name, value):
    with pytest.raises(validation.InvalidParameterError) as caught:
        validation.check_parameters({**DEFAULTS, name: value}, "GaussianMixture")
    message = str(caught.value)
    assert message.startswith(f"The {name!r} parameter of GaussianMixture must be ")
    assert message.endswith(f"Got {value!r} instead.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("tol", -1),
        ("max_iter", -1),
        ("init_params", "x"),
        ("warm_start", 1),
        ("verbose", -1),
    ],
)
def test_the_message_says_what_scikit_learn_says(name, value):
    pytest.importorskip("sklearn", minversion="1.9")  # whose words these are
    mixture = pytest.importorskip("sklearn.mixture")
    with pytest.raises(ValueError) as theirs:
        mixture.GaussianMixture(**{name: value}).fit(random_rows())
    with pytest.raises(ValueError) as ours:
        validation.check_parameters({name: value})

    def words(message):  # theirs lists the options of a string in the order of a set
        return sorted(str(message).replace("{", " ").replace("}", " ").replace(",", " ").split())

    assert words(ours.value) == words(theirs.value)


def test_parameters_of_a_subclass_are_left_to_it():
    validation.check_parameters({"flavour": "sweet"})


def test_random_state():
    generator = np.random.default_rng(3)
    state = np.random.RandomState(3)
    assert validation.check_random_state(generator) is generator
    assert validation.check_random_state(state) is state


@pytest.mark.parametrize("seed", [0, np.int64(3), 2**32 - 1])
def test_random_state_of_a_seed_is_numpys(seed):
    ours, numpys = validation.check_random_state(seed), np.random.RandomState(seed)
    assert repr(ours.get_state()) == repr(numpys.get_state())
    np.testing.assert_array_equal(ours.normal(size=1001), numpys.normal(size=1001))
    copied = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(copied.normal(size=3), ours.normal(size=3))


def test_random_state_none_is_numpys_global_generator():
    kept = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(11)  # noqa: NPY002
        drawn = validation.check_random_state(None).uniform(size=3)
        np.testing.assert_array_equal(drawn, np.random.RandomState(11).uniform(size=3))
    finally:
        np.random.set_state(kept)  # noqa: NPY002


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "1"])
def test_random_state_that_is_none(seed):
    with pytest.raises(ValueError, match=r"random_state=.*cannot start a random generator"):
        validation.check_random_state(seed)


# --- rows: arrays --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["f4", "f8", ">f4", ">f8", "f2", "i1", "u2", "i8", ">i4", "?", np.longdouble],
)
def test_numeric_arrays_come_back_as_views(dtype):
    X = np.arange(12).reshape(4, 3).astype(dtype)
    X.flags.writeable = False
    rows, names = validation.as_rows(X)
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
    rows, _ = validation.as_rows(X, n_features=3)
    assert np.shares_memory(rows, X)
    assert rows.strides == X.strides


def test_memory_map_is_not_read(tmp_path):
    X = random_rows()
    X.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", dtype=np.float64, mode="r", shape=X.shape)
    rows, _ = validation.as_rows(mapped)
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
    assert validation.computing_dtype(dtype) == np.dtype(computing)


def test_lists_and_array_likes():
    class ArrayLike:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, 2.0]], dtype=dtype)

    for X in ([[1, 2]], ((1.0, 2.0),), [np.array([1, 2])], ArrayLike()):
        rows, names = validation.as_rows(X)
        np.testing.assert_array_equal(rows, [[1, 2]])
        assert names is None


def test_object_arrays_of_numbers():
    X = np.array([[1, 2.5], [True, Decimal("0.5")], [np.float32(3), Fraction(1, 4)]], dtype=object)
    rows, _ = validation.as_rows(X)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, [[1, 2.5], [1, 0.5], [3, 0.25]])


def test_none_among_objects_becomes_nan():
    rows, _ = validation.as_rows([[1.0, None], [2.0, 3.0]])
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
        validation.as_rows(X)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrix():
    with pytest.raises(TypeError, match=r"np\.matrix is not supported.*np\.asarray"):
        validation.as_rows(np.matrix([[1.0]]))


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
        validation.as_rows(X)
    for part in ["row 2, column 1", *parts]:
        assert part in str(caught.value)


def test_wrong_number_of_columns():
    with pytest.raises(
        ValueError, match=r"^X has 3 features, but Mixture is expecting 4 features as input"
    ):
        validation.as_rows(random_rows(), n_features=4, estimator_name="Mixture")


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_for_a_fit(n):
    with pytest.raises(ValueError, match=rf"{n} sample\(s\).*minimum of 2 is required by Gauss"):
        validation.as_rows(np.zeros((n, 2)), min_rows=2)


def test_fewer_rows_than_components():
    validation.check_enough_rows(5, 5)
    with pytest.raises(ValueError, match="n_components = 6, n_samples = 5"):
        validation.check_enough_rows(5, 6)


def test_masked_arrays():
    masked = np.ma.array(np.arange(6.0).reshape(3, 2))
    rows, _ = validation.as_rows(masked)
    assert not isinstance(rows, np.ma.MaskedArray)
    np.testing.assert_array_equal(rows, masked.data)

    masked[1, 1] = np.ma.masked
    masked[2, 0] = np.ma.masked
    for X in (masked, [masked[0], masked[1], masked[2]]):
        rows, _ = validation.as_rows(X)
        np.testing.assert_array_equal(rows, [[0, 1], [2, np.nan], [np.nan, 5]])
        assert not isinstance(rows, np.ma.MaskedArray)
    whole = np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(validation.as_rows(whole)[0], [[1, np.nan], [3, 4]])


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "coo_array", "dia_matrix"])
def test_sparse(kind):
    sparse = pytest.importorskip("scipy.sparse")
    X = getattr(sparse, kind)(np.eye(3))
    with pytest.raises(
        TypeError, match=r"Sparse data was passed.*dense data is required"
    ) as error:
        validation.as_rows(X)
    assert ".toarray()" in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("names", [None, ["duration", "waiting", "x"]])
def test_nonfinite_error(value, names):
    X = random_rows()
    X[4, 1] = value
    message = str(validation.nonfinite_error(X, 4, 1, names))
    kind = "NaN" if np.isnan(value) else "infinity or a value too large for dtype('float64')"
    assert message.startswith(f"Input X contains {kind}.")
    assert ("row 4, column 1 ('waiting')" if names else "row 4, column 1") in message


def test_nonfinite_error_for_a_number_too_large():
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    X = np.array([[1, np.longdouble("1e4000")]])
    message = str(validation.nonfinite_error(X, 0, 1))
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
    rows, names = validation.as_rows(frame)
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
    rows, _ = validation.as_rows(frame)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, random_rows(dtype=np.float32))
    frame["a"] = [1] * len(frame)
    assert validation.as_rows(frame)[0].dtype == np.float64


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_float32_tables_are_kept(library):
    module = pytest.importorskip(library)
    columns = dict(zip("abc", random_rows(dtype=np.float32).T.copy()))
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    rows, _ = validation.as_rows(frame)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, random_rows(dtype=np.float32))


def test_one_block_of_a_pandas_frame_is_not_copied():
    pandas = pytest.importorskip("pandas")
    X = random_rows()
    frame = pandas.DataFrame(X, copy=False)
    rows, names = validation.as_rows(frame)
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
    rows, _ = validation.as_rows(frame)
    np.testing.assert_array_equal(rows, [[1, 1], [0, 2], [1, 3]])

    frame["a"] = pandas.array([1, None, 1], dtype=dtype)
    rows, _ = validation.as_rows(frame)
    np.testing.assert_array_equal(rows, [[1, 1], [np.nan, 2], [1, 3]])


def test_pandas_na_among_objects_becomes_nan():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": pandas.Series([1, pandas.NA, 2.5], dtype=object)})
    np.testing.assert_array_equal(validation.as_rows(frame)[0][:, 0], [1, np.nan, 2.5])
    np.testing.assert_array_equal(validation.as_rows([[pandas.NA, 1]])[0], [[np.nan, 1]])


@pytest.mark.parametrize("column", [[1, None], [1.5, None], [True, None]])
@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_nulls_become_nan(library, column):
    module = pytest.importorskip(library)
    data = {"a": [1.0, 2.0], "b": column}
    frame = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    rows, _ = validation.as_rows(frame)
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
        validation.as_rows(frame)
    assert "column 1 ('when')" in str(caught.value)


def test_complex_and_time_zone_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0], "b": [1j]})
    with pytest.raises(ValueError, match=r"Complex data not supported.*column 1 \('b'\)"):
        validation.as_rows(frame)
    frame["b"] = pandas.to_datetime(["2020-01-01"], utc=True)
    with pytest.raises(TypeError, match=r"UTC\] in column 1 \('b'\)"):
        validation.as_rows(frame)


def test_sparse_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.eye(3)).astype(pandas.SparseDtype("float64", 0.0))
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        validation.as_rows(frame)
    frame[0] = [1.0, 0.0, 0.0]
    np.testing.assert_array_equal(validation.as_rows(frame)[0], np.eye(3))


def test_a_single_column_is_not_a_table():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"Expected a 2-dimensional container but got.*Series"):
        validation.as_rows(pandas.Series([1.0, 2.0]))


def test_a_query_is_not_a_table():
    polars = pytest.importorskip("polars")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"LazyFrame.*\.collect\(\)"):
            validation.as_rows(polars.LazyFrame({"a": [1.0]}))


def test_a_pandas_frame_without_columns():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(3, 0\)\)"):
        validation.as_rows(pandas.DataFrame(index=range(3)))


# --- names of columns ----------------------------------------------------------------------------


def test_only_names_that_are_all_strings_count():
    pandas = pytest.importorskip("pandas")
    assert validation.feature_names(pandas.DataFrame({0: [1], 1: [2]})) is None
    assert validation.feature_names(pandas.DataFrame({("a", "b"): [1]})) is None
    assert validation.feature_names(np.zeros((2, 2))) is None
    with pytest.raises(TypeError, match=r"all input features have string names.*\['int', 'str'\]"):
        validation.feature_names(pandas.DataFrame({"a": [1], 1: [2]}))


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
        validation.check_feature_names(FITTED, np.array(given, dtype=object))
    for part in parts:
        assert part in str(caught.value)


def test_a_long_list_of_names_is_cut():
    fitted = np.array([f"c{i}" for i in range(30)], dtype=object)
    with pytest.raises(ValueError) as caught:
        validation.check_feature_names(fitted, np.array(["x"], dtype=object))
    assert str(caught.value).count("\n- ") == 1 + 5 + 1
    assert str(caught.value).endswith("- ...\n")


def test_equal_or_absent_names_pass_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validation.check_feature_names(FITTED, FITTED.copy())
        validation.check_feature_names(None, None)


def test_names_on_one_side_only_are_a_warning():
    with pytest.warns(UserWarning, match="X has feature names, but Mixture was fitted without"):
        validation.check_feature_names(None, FITTED, "Mixture")
    with pytest.warns(UserWarning, match="X does not have valid feature names, but Mixture was"):
        validation.check_feature_names(FITTED, None, "Mixture")


def test_an_array_for_a_model_with_names_is_a_warning_on_the_fast_path_too():
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        rows, _ = validation.as_rows(random_rows(), n_features=3, fitted_names=FITTED)
    assert rows.shape == (20, 3)


# --- sample weights ------------------------------------------------------------------------------


def test_sample_weights_that_are_accepted():
    assert validation.check_sample_weight(None, 3) is None
    np.testing.assert_array_equal(validation.check_sample_weight(2, 3), [2.0, 2.0, 2.0])
    given = np.array([1.0, 0.0, 2.0])
    assert validation.check_sample_weight(given, 3) is given
    for weights in ([1, 0, 2], np.array([1, 0, 2], "i1"), np.array([1, 9, 0, 9, 2, 9.0])[::2]):
        checked = validation.check_sample_weight(weights, 3)
        assert checked.dtype == np.float64
        assert checked.flags.c_contiguous
        np.testing.assert_array_equal(checked, given)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_sample_weights_from_a_column(library):
    module = pytest.importorskip(library)
    make = module.chunked_array if library == "pyarrow" else module.Series
    good = [[1, 2]] if library == "pyarrow" else [1, 2]
    bad = [[1, None]] if library == "pyarrow" else [1, None]
    np.testing.assert_array_equal(validation.check_sample_weight(make(good), 2), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"sample_weight contains NaN.*sample_weight\[1\]"):
        validation.check_sample_weight(make(bad), 2)


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        ([1, -1, 1], ["must not be negative", "sample_weight[1] is -1.0"]),
        (-2, ["must not be negative"]),
        ([1, np.nan, 1], ["contains NaN", "sample_weight[1]"]),
        ([1, 1, np.inf], ["contains infinity", "sample_weight[2]"]),
        ([0, 0, 0], ["at least one non-zero number"]),
        (0, ["at least one non-zero number"]),
        ([1, 1], ["sample_weight.shape == (2,), expected (3,)"]),
        ([], ["sample_weight.shape == (0,), expected (3,)"]),
        ([[1], [1], [1]], ["must be 1D array or scalar, got 2D array", "(3, 1)"]),
        ([1e308, 1e308, 1e308], ["sum of sample_weight is too large"]),
        (["1", "1", "1"], ["sample_weight must hold real numbers", "<U1"]),
        ([1j, 1, 1], ["sample_weight must hold real numbers", "complex"]),
        ([1, "x", 1], ["sample_weight must hold real numbers"]),
        ([1, object(), 1], ["sample_weight must hold real numbers"]),
        (np.ma.array([1.0, 1, 1], mask=[0, 1, 0]), ["sample_weight is a masked array", "(1,)"]),
    ],
    ids=str,
)
def test_sample_weights_that_are_refused(weights, parts):
    with pytest.raises(ValueError) as caught:
        validation.check_sample_weight(weights, 3)
    for part in parts:
        assert part in str(caught.value)


# --- starting values and whole mixtures ----------------------------------------------------------

MATRIX = [[2.0, 0.5], [0.5, 1.0]]
PRECISIONS = {
    "full": [MATRIX, MATRIX, MATRIX],
    "tied": MATRIX,
    "diag": [[1.0, 2.0]] * 3,
    "spherical": [1.0, 2.0, 3.0],
}
WEIGHTS = [0.2, 0.3, 0.5]
MEANS = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def check_initial(weights=None, means=None, precisions=None, covariance_type="full"):
    return validation.check_initial(weights, means, precisions, 3, 2, covariance_type)


@pytest.mark.parametrize("covariance_type", PRECISIONS)
def test_starting_values_are_copied(covariance_type):
    given = [np.array(a) for a in (WEIGHTS, MEANS, PRECISIONS[covariance_type])]
    checked = check_initial(*given, covariance_type)
    for before, after in zip(given, checked):
        np.testing.assert_array_equal(before, after)
        assert after.dtype == np.float64
        assert after.flags.c_contiguous
        assert not np.shares_memory(before, after)


def test_absent_starting_values_stay_absent():
    assert check_initial() == (None, None, None)
    weights, means, precisions = check_initial(means=MEANS)
    assert weights is None
    assert precisions is None
    np.testing.assert_array_equal(means, MEANS)


def test_float32_weights_may_be_normalised_to_their_precision():
    weights = np.array([0.1, 0.2, 0.7], dtype=np.float32)
    assert weights.astype(np.float64).sum() != 1
    check_initial(weights=weights)


def changed(values, index, value):
    array = np.array(values, dtype=np.float64)
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"weights": [0.5, 0.5]}, ["'weights_init'", "(3,)", "(2,)"]),
        ({"weights": [[0.2, 0.3, 0.5]]}, ["'weights_init'", "(3,)", "(1, 3)"]),
        ({"weights": [0.2, 0.3, 0.6]}, ["'weights_init'", "normalized", "1.1"]),
        ({"weights": [-0.2, 0.7, 0.5]}, ["range [0, 1]", "weights_init[0] = -0.2"]),
        ({"weights": [np.nan, 0.5, 0.5]}, ["weights_init contains NaN", "weights_init[0]"]),
        ({"weights": ["a", "b", "c"]}, ["weights_init must hold real numbers"]),
        ({"means": [[0.0, 1.0]]}, ["'means_init'", "(3, 2)", "(1, 2)"]),
        ({"means": changed(MEANS, (1, 0), np.inf)}, ["infinity", "means_init[1, 0]"]),
        ({"means": [[1.0], [1.0, 2.0]]}, ["means_init is not an array of numbers"]),
        ({"precisions": MATRIX}, ["'precisions_init'", "(3, 2, 2)", "(2, 2)"]),
        (
            {"precisions": changed(PRECISIONS["full"], (1, 0, 1), 0.6)},
            ["precisions_init[1] is not symmetric", "0.6 at [0, 1]", "0.5 at [1, 0]"],
        ),
        (
            {"precisions": changed(PRECISIONS["full"], (2, 1, 1), 0.1)},
            ["symmetric, positive-definite", "precisions_init[2]", "smallest eigenvalue is -0.0"],
        ),
        (
            {"precisions": changed(PRECISIONS["full"], (0, 1, 1), -1.0)},
            ["precisions_init[0] has -1.0 in its diagonal, at [1, 1]"],
        ),
        (
            {"precisions": changed(MATRIX, (0, 0), 0.0), "covariance_type": "tied"},
            ["'tied precision'", "precisions_init has 0.0 in its diagonal"],
        ),
        (
            {"precisions": changed(PRECISIONS["diag"], (2, 1), 0.0), "covariance_type": "diag"},
            ["'diag precision' should be positive", "precisions_init[2, 1] is 0.0"],
        ),
        (
            {"precisions": [1.0, -2.0, 1.0], "covariance_type": "spherical"},
            ["'spherical precision' should be positive", "precisions_init[1] is -2.0"],
        ),
    ],
)
def test_starting_values_that_are_refused(arguments, parts):
    with pytest.raises(ValueError) as caught:
        check_initial(**arguments)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_symmetry_is_judged_at_the_scale_of_the_matrix(scale):
    rounded = scale * np.array([[2.0, 0.5 * (1 + 1e-12)], [0.5, 1.0]])
    precisions = check_initial(precisions=rounded, covariance_type="tied")[2]
    np.testing.assert_array_equal(precisions, precisions.T)
    with pytest.raises(ValueError, match="not symmetric"):
        check_initial(precisions=scale * np.array([[2, 0.6], [0.5, 1]]), covariance_type="tied")


@pytest.mark.parametrize("covariance_type", PRECISIONS)
@pytest.mark.parametrize("said", [True, False])
def test_whole_mixtures(covariance_type, said):
    given = (WEIGHTS, MEANS, PRECISIONS[covariance_type])
    name, *arrays = validation.check_mixture(*given, covariance_type if said else None)
    assert name == covariance_type
    for before, after in zip(given, arrays):
        np.testing.assert_array_equal(before, after)


def test_a_shape_of_two_types_needs_the_type():
    square = ([0.5, 0.5], [[0.0, 1.0], [2.0, 3.0]], np.eye(2) + 0.1)
    with pytest.raises(ValueError, match=r"\(2, 2\) can be of type 'tied' or 'diag'.*Pass cov"):
        validation.check_mixture(*square)
    assert validation.check_mixture(*square, "diag")[0] == "diag"
    assert validation.check_mixture(*square, "tied")[0] == "tied"


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "covariance_type", "part"),
    [
        (WEIGHTS, [1.0, 2.0], [1.0] * 3, None, "'means'.*n_components, n_features"),
        (WEIGHTS, MEANS, np.ones(4), None, r"'covariances'.*\(3,\) for 'spherical'.*\(4,\)"),
        (WEIGHTS, MEANS, np.ones(3), "full", r"'covariances'.*\(3, 2, 2\), but got \(3,\)"),
        (WEIGHTS, MEANS, [1.0, 0.0, 1.0], None, r"covariances\[1\] is 0.0"),
        (WEIGHTS, MEANS, [[1.0, 2.0], [2.0, 1.0]], None, "not positive definite.*-1"),
        ([0.5, 0.5], MEANS, np.ones(3), None, r"'weights'.*\(3,\).*\(2,\)"),
        ([0.5, 0.5, 0.5], MEANS, np.ones(3), None, "'weights' should be normalized.*1.5"),
        (WEIGHTS, changed(MEANS, (0, 0), np.nan), np.ones(3), None, "means contains NaN"),
        (WEIGHTS, MEANS, np.ones(3), "round", "'covariance_type' parameter"),
    ],
)
def test_mixtures_that_are_refused(weights, means, covariances, covariance_type, part):
    with pytest.raises(ValueError, match=part):
        validation.check_mixture(weights, means, covariances, covariance_type)


# --- out= ----------------------------------------------------------------------------------------


def read_only(array):
    array.flags.writeable = False
    return array


def test_out_that_fits():
    validation.check_out(np.empty((3, 2), np.float32), (3, 2), np.float32, np.empty((3, 4)))


@pytest.mark.parametrize(
    ("out", "part"),
    [
        ([[0.0, 0.0]] * 3, "type list"),
        (np.ma.zeros((3, 2)), "type MaskedArray"),
        (np.empty((2, 3)), "shape (2, 3)"),
        (np.empty((3, 2), np.float32), "dtype float32"),
        (np.empty((3, 2), ">f8"), "dtype >f8"),
        (np.empty((3, 2), order="F"), "strides (8, 24)"),
        (np.empty((6, 2))[::2], "strides (32, 8)"),
        (read_only(np.empty((3, 2))), "read-only"),
        (np.empty(49, np.uint8)[1:].view(np.float64).reshape(3, 2), "strides (16, 8)"),
    ],
    ids=["list", "masked", "shape", "dtype", "byte order", "fortran", "strided", "const", "odd"],
)
def test_out_that_does_not(out, part):
    with pytest.raises(ValueError) as caught:
        validation.check_out(out, (3, 2), np.float64, np.empty((3, 4)))
    message = str(caught.value)
    assert message.startswith("out must be a C-contiguous, writeable ndarray of shape (3, 2) and")
    assert part in message.split("Got ")[1]
    assert "numpy.empty((3, 2), dtype=numpy.float64)" in message


# --- collapsed components ------------------------------------------------------------------------


def test_ill_defined_names_component_columns_and_remedies():
    error = validation.ill_defined(
        component=2,
        weight=0.0123,
        effective_rows=3.0001,
        columns=[1],
        feature_names=["duration", "waiting"],
        covariance_type="full",
        reg_covar=0.0,
        dtype=np.float32,
    )
    message = str(error)
    assert message.startswith(
        "Fitting the mixture model failed because some components have ill-defined empirical "
        "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
        "number of components, increase reg_covar, or scale the input data."
    )
    for part in (
        "Component 2 collapsed",
        "weight 0.0123",
        "3 effective rows",
        "column 1 ('waiting')",
        "reg_covar (now 0;",
        "variance_floor (now 0;",
        'on_collapse="drop" or on_collapse="reseed"',
        "fewer components",
        'covariance_type="diag"',
        "float64",
    ):
        assert part in message
    assert (error.component, error.weight, error.columns) == (2, 0.0123, (1,))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == message
    assert copy.effective_rows == error.effective_rows


def test_ill_defined_shared_covariance_and_several_columns():
    message = str(validation.ill_defined(component=None, columns=[0, 3], covariance_type="tied"))
    assert "shared by all components" in message
    assert "column 0, column 3" in message
    assert "float64" not in message
    assert "weight" not in message
    assert "on_collapse" not in message


def test_ill_defined_does_not_propose_what_is_already_done():
    message = str(validation.ill_defined(component=0, covariance_type="diag", on_collapse="drop"))
    assert 'covariance_type="diag"' not in message
    assert "on_collapse" not in message


def test_the_message_is_scikit_learns():
    pytest.importorskip("sklearn", minversion="1.9")  # whose words these are
    mixture = pytest.importorskip("sklearn.mixture")
    with pytest.raises(ValueError) as theirs:
        mixture.GaussianMixture(1, reg_covar=0).fit(np.zeros((5, 2)))
    ours = str(validation.ill_defined(component=0))
    assert ours.startswith(str(theirs.value))


def test_collapses_are_told_up_to_a_few():
    collapse = {
        "iteration": 4, "component": 1, "action": "drop", "columns": [0],
        "effective_rows": 3.21234,
    }  # fmt: skip
    others = [{**collapse, "action": "reseed", "columns": [], "iteration": i} for i in range(6)]
    message = str(validation.collapse_warning([collapse, *others], ["length", "width"]))
    assert (
        "component 1 in iteration 4 (3.21 effective rows, no spread of its own in column 0"
        " ('length')) was dropped; component 1 in iteration 0 (3.21 effective rows) was placed"
    ) in message
    assert "and 2 more" in message
    assert "collapses_" in message


def test_constant_columns_are_named():
    warning = validation.constant_columns_warning([0, 2], ["a", "b", "c"], "full", 1e-6)
    assert isinstance(warning, UserWarning)
    for part in ("column 0 ('a'), column 2 ('c')", "reg_covar=1e-06", "Drop"):
        assert part in str(warning)
    # A spherical component has no variance there alone.
    warning = validation.constant_columns_warning([1], None, "spherical", 0.0)
    assert "reg_covar" not in str(warning)
    assert "constant in column 1. It tells nothing" in str(warning)
