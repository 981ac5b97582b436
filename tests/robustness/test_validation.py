"""Checks of user input, on the functions themselves: what is accepted, and what the user reads."""

from __future__ import annotations

import pickle
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from gaussmix._checks import mixtures
from gaussmix._checks.messages import (
    collapse_warning,
    constant_columns_warning,
    convergence_warning,
    ill_defined,
    not_fitted,
)
from gaussmix._checks.outputs import check_out
from gaussmix._checks.parameters import check_parameters, check_random_state
from gaussmix._checks.weights import check_sample_weight
from gaussmix.exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
)
from support.families import COVARIANCE_TYPES
from support.rows import changed


def random_rows(n=20, d=3, dtype=np.float64):
    return np.random.default_rng(5).normal(size=(n, d)).astype(dtype)


# --- exceptions ----------------------------------------------------------------------------------


def test_exceptions_can_be_caught_as_builtin_ones():
    assert issubclass(InvalidParameterError, ValueError)
    assert issubclass(InvalidParameterError, TypeError)
    assert issubclass(NotFittedError, ValueError)
    assert issubclass(NotFittedError, AttributeError)
    assert issubclass(IllDefinedCovarianceError, ValueError)


def test_exceptions_are_also_those_of_scikit_learn_once_it_is_loaded():
    exceptions = pytest.importorskip("sklearn.exceptions")
    parameters = pytest.importorskip("sklearn.utils._param_validation")

    error = not_fitted("GaussianMixture")
    assert isinstance(error, exceptions.NotFittedError)
    assert isinstance(error, NotFittedError)
    assert "This GaussianMixture instance is not fitted yet" in str(error)
    assert type(error) is type(not_fitted("Other"))

    warning = convergence_warning("slow")
    assert isinstance(warning, exceptions.ConvergenceWarning)
    assert isinstance(warning, ConvergenceWarning)

    with pytest.raises(parameters.InvalidParameterError) as caught:
        check_parameters({"n_components": 0})
    assert isinstance(caught.value, InvalidParameterError)


def test_joined_exceptions_survive_pickling():
    pytest.importorskip("sklearn.exceptions")
    error = not_fitted("GaussianMixture")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_without_scikit_learn_the_own_classes_are_raised_and_nothing_is_imported():
    code = (
        "import sys\n"
        "from gaussmix._checks.messages import convergence_warning, not_fitted\n"
        "from gaussmix.exceptions import ConvergenceWarning, NotFittedError\n"
        "assert type(not_fitted('A')) is NotFittedError\n"
        "assert type(convergence_warning('a')) is ConvergenceWarning\n"
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
    *(("covariance_type", v) for v in COVARIANCE_TYPES),
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
    check_parameters(DEFAULTS)


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_valid_parameters_pass(name, value):
    check_parameters({**DEFAULTS, name: value})


@pytest.mark.parametrize(("name", "value"), BAD)
def test_invalid_parameters_are_named_with_their_value(name, value):
    with pytest.raises(InvalidParameterError) as caught:
        check_parameters({**DEFAULTS, name: value}, "GaussianMixture")
    message = str(caught.value)
    assert message.startswith(f"The {name!r} parameter of GaussianMixture must be ")
    assert f"Got {value!r} instead." in message


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
        check_parameters({name: value})

    def words(message):  # theirs lists the options of a string in the order of a set
        return sorted(str(message).replace("{", " ").replace("}", " ").replace(",", " ").split())

    assert words(ours.value) == words(theirs.value)


def test_parameters_of_a_subclass_are_left_to_it():
    check_parameters({"flavour": "sweet"})


def test_random_state():
    generator = np.random.default_rng(3)
    state = np.random.RandomState(3)
    assert check_random_state(generator) is generator
    assert check_random_state(state) is state


@pytest.mark.parametrize("seed", [0, np.int64(3), 2**32 - 1])
def test_random_state_of_a_seed_is_numpys(seed):
    ours, numpys = check_random_state(seed), np.random.RandomState(seed)
    assert repr(ours.get_state()) == repr(numpys.get_state())
    np.testing.assert_array_equal(ours.normal(size=1001), numpys.normal(size=1001))
    copied = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(copied.normal(size=3), ours.normal(size=3))


def test_random_state_none_is_numpys_global_generator():
    kept = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(11)  # noqa: NPY002
        drawn = check_random_state(None).uniform(size=3)
        np.testing.assert_array_equal(drawn, np.random.RandomState(11).uniform(size=3))
    finally:
        np.random.set_state(kept)  # noqa: NPY002


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "1"])
def test_random_state_that_is_none(seed):
    with pytest.raises(ValueError, match=r"random_state=.*cannot start a random generator"):
        check_random_state(seed)


# --- sample weights ------------------------------------------------------------------------------


def test_sample_weights_that_are_accepted():
    assert check_sample_weight(None, 3) is None
    np.testing.assert_array_equal(check_sample_weight(2, 3), [2.0, 2.0, 2.0])
    given = np.array([1.0, 0.0, 2.0])
    assert check_sample_weight(given, 3) is given
    for weights in ([1, 0, 2], np.array([1, 0, 2], "i1"), np.array([1, 9, 0, 9, 2, 9.0])[::2]):
        checked = check_sample_weight(weights, 3)
        assert checked.dtype == np.float64
        assert checked.flags.c_contiguous
        np.testing.assert_array_equal(checked, given)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_sample_weights_from_a_column(library):
    module = pytest.importorskip(library)
    make = module.chunked_array if library == "pyarrow" else module.Series
    good = [[1, 2]] if library == "pyarrow" else [1, 2]
    bad = [[1, None]] if library == "pyarrow" else [1, None]
    np.testing.assert_array_equal(check_sample_weight(make(good), 2), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"sample_weight contains NaN.*sample_weight\[1\]"):
        check_sample_weight(make(bad), 2)


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
        check_sample_weight(weights, 3)
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
    return mixtures.check_initial(weights, means, precisions, 3, 2, covariance_type)


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
    name, *arrays = mixtures.check_mixture(*given, covariance_type if said else None)
    assert name == covariance_type
    for before, after in zip(given, arrays):
        np.testing.assert_array_equal(before, after)


def test_a_shape_of_two_types_needs_the_type():
    square = ([0.5, 0.5], [[0.0, 1.0], [2.0, 3.0]], np.eye(2) + 0.1)
    with pytest.raises(ValueError, match=r"\(2, 2\) can be of type 'tied' or 'diag'.*Pass cov"):
        mixtures.check_mixture(*square)
    assert mixtures.check_mixture(*square, "diag")[0] == "diag"
    assert mixtures.check_mixture(*square, "tied")[0] == "tied"


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
        mixtures.check_mixture(weights, means, covariances, covariance_type)


# --- out= ----------------------------------------------------------------------------------------


def read_only(array):
    array.flags.writeable = False
    return array


def test_out_that_fits():
    check_out(np.empty((3, 2), np.float32), (3, 2), np.float32, np.empty((3, 4)))


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
        check_out(out, (3, 2), np.float64, np.empty((3, 4)))
    message = str(caught.value)
    assert message.startswith("out must be a C-contiguous, writeable ndarray of shape (3, 2) and")
    assert part in message.split("Got ")[1]
    assert "numpy.empty((3, 2), dtype=numpy.float64)" in message


# --- collapsed components ------------------------------------------------------------------------


def test_ill_defined_names_component_columns_and_remedies():
    error = ill_defined(
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
    message = str(ill_defined(component=None, columns=[0, 3], covariance_type="tied"))
    assert "shared by all components" in message
    assert "column 0, column 3" in message
    assert "float64" not in message
    assert "weight" not in message
    assert "on_collapse" not in message


def test_ill_defined_does_not_propose_what_is_already_done():
    message = str(ill_defined(component=0, covariance_type="diag", on_collapse="drop"))
    assert 'covariance_type="diag"' not in message
    assert "on_collapse" not in message


def test_the_message_is_scikit_learns():
    pytest.importorskip("sklearn", minversion="1.9")  # whose words these are
    mixture = pytest.importorskip("sklearn.mixture")
    with pytest.raises(ValueError) as theirs:
        mixture.GaussianMixture(1, reg_covar=0).fit(np.zeros((5, 2)))
    ours = str(ill_defined(component=0))
    assert ours.startswith(str(theirs.value))


def test_collapses_are_told_up_to_a_few():
    collapse = {
        "iteration": 4, "component": 1, "action": "drop", "columns": [0],
        "effective_rows": 3.21234,
    }  # fmt: skip
    others = [{**collapse, "action": "reseed", "columns": [], "iteration": i} for i in range(6)]
    message = str(collapse_warning([collapse, *others], ["length", "width"]))
    assert (
        "component 1 in iteration 4 (3.21 effective rows, no spread of its own in column 0"
        " ('length')) was dropped; component 1 in iteration 0 (3.21 effective rows) was placed"
    ) in message
    assert "and 2 more" in message
    assert "collapses_" in message


def test_constant_columns_are_named():
    warning = constant_columns_warning([0, 2], ["a", "b", "c"], "full", 1e-6)
    assert isinstance(warning, UserWarning)
    for part in ("column 0 ('a'), column 2 ('c')", "reg_covar=1e-06", "Drop"):
        assert part in str(warning)
    # A spherical component has no variance there alone.
    warning = constant_columns_warning([1], None, "spherical", 0.0)
    assert "reg_covar" not in str(warning)
    assert "constant in column 1. It tells nothing" in str(warning)
