"""GaussianMixture: ways in and out of it, and what it does with bad input."""

from __future__ import annotations

import copy
import inspect
import itertools
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import gaussmix
from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
)
from support import reference
from support.assertions import assert_state, state_of
from support.models import FITTED_ARRAYS, SCORING


@pytest.fixture
def model(covariance_type, old_faithful):
    return GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(old_faithful)


# --- ways in and out ----------------------------------------------------------------------------


def test_from_parameters(covariance_type, old_faithful):
    mixture = reference.random_mixture(np.random.default_rng(0), covariance_type, 3, 2)
    model = GaussianMixture.from_parameters(
        mixture.weights.tolist(), mixture.means.tolist(), mixture.covariances.tolist(), tol=0.5
    )
    assert (model.n_components, model.covariance_type, model.tol) == (3, covariance_type, 0.5)
    np.testing.assert_allclose(
        model.score_samples(old_faithful), reference.log_densities(mixture, old_faithful),
        rtol=1e-11,
    )  # fmt: skip
    assert (model.n_iter_, model.converged_, model.lower_bound_) == (0, False, -np.inf)
    assert model.n_features_in_ == 2
    model.update(model.accumulate(old_faithful))
    assert model.n_iter_ == 1
    mixture.means[:] = 0
    assert model.means_.any()


def test_from_parameters_asks_where_a_shape_has_two_meanings():
    weights, means, covariances = [0.5, 0.5], [[0.0, 0], [1, 1]], [[1.0, 0.5], [0.5, 1.0]]
    with pytest.raises(ValueError, match="covariance_type"):
        GaussianMixture.from_parameters(weights, means, covariances)
    for covariance_type in ("tied", "diag"):
        model = GaussianMixture.from_parameters(
            weights, means, covariances, covariance_type=covariance_type
        )
        assert model.covariance_type == covariance_type
        np.testing.assert_array_equal(model.covariances_, covariances)


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([0.5, 0.6], [[0.0], [1]], [1.0, 1], "weights"),
        ([1.5, -0.5], [[0.0], [1]], [1.0, 1], "weights"),
        ([1.0], [[0.0], [1]], [1.0, 1], "weights"),
        ([0.5, 0.5], [0.0, 1], [1.0, 1], "means"),
        ([0.5, 0.5], [[0.0], [np.nan]], [1.0, 1], "means"),
        ([0.5, 0.5], [[0.0], [1]], [1.0, 1, 1], "covariances"),
        ([0.5, 0.5], [[0.0], [1]], [1.0, 0], "covariance"),
        ([0.5, 0.5], [[0.0, 0], [1, 1]], [[[1.0, 2], [2, 1]]] * 2, "covariance"),
        ([0.5, 0.5], [[0.0, 0], [1, 1]], [[[1.0, 0.5], [0, 1]]] * 2, "covariance"),
    ],
)
def test_from_parameters_names_what_is_wrong(weights, means, covariances, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(weights, means, covariances)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_and_loaded(tmp_path, covariance_type, old_faithful, dtype):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful.astype(dtype), columns=["eruptions", "waiting"])
    means_init = [[2, 50], [4.5, 80], [4, 70]]
    model = GaussianMixture(
        3, covariance_type=covariance_type, random_state=4, means_init=means_init, n_threads=2
    ).fit(X)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.get_params() | {"means_init": 0} == model.get_params() | {"means_init": 0}
    np.testing.assert_array_equal(loaded.means_init, means_init)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
        assert getattr(loaded, name).dtype == dtype
    rtol = 1e-3 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(loaded.precisions_, model.precisions_, rtol=rtol)
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert loaded.feature_names_in_.dtype == model.feature_names_in_.dtype
    np.testing.assert_allclose(loaded.score_samples(X), model.score_samples(X), rtol=rtol)


def test_a_model_that_was_never_fitted_can_be_saved(tmp_path):
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [[[2.0]]])
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.lower_bound_ == -np.inf
    assert loaded.score([[1.0]]) == model.score([[1.0]])


def test_pickle_and_copy(model, old_faithful):
    model.sample()
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        expected = model.predict_proba(old_faithful)
        np.testing.assert_array_equal(twin.predict_proba(old_faithful), expected)
        np.testing.assert_array_equal(twin.sample(3)[0], copy.deepcopy(model).sample(3)[0])


def test_parameters_and_representation():
    signature = inspect.signature(GaussianMixture)
    model = GaussianMixture()
    assert list(model.get_params()) == list(signature.parameters)
    assert all(
        value == signature.parameters[name].default for name, value in model.get_params().items()
    )
    positional = [p for p in signature.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert [parameter.name for parameter in positional] == ["n_components"]
    assert repr(model) == "GaussianMixture()"
    assert repr(GaussianMixture(3, tol=0.5)) == "GaussianMixture(n_components=3, tol=0.5)"
    long = repr(GaussianMixture(means_init=np.zeros((500, 3)), covariance_type="diag"))
    assert len(long) < 200
    assert "\n" not in long
    assert model.set_params() is model
    assert model.set_params(tol=2, n_init=3) is model
    assert (model.tol, model.n_init) == (2, 3)
    with pytest.raises(ValueError, match="Invalid parameter 'k' for estimator GaussianMixture"):
        model.set_params(tol=7, k=3)
    assert model.tol == 2


class Subclass(GaussianMixture):
    def __init__(self, n_components=2, *, extra="x"):
        super().__init__(n_components)
        self.extra = extra


def test_a_subclass_has_its_own_parameters():
    assert Subclass(extra="y").get_params() == {"n_components": 2, "extra": "y"}
    assert repr(Subclass(3)) == "Subclass(n_components=3)"


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SCORING, "accumulate"])
def test_methods_before_fit(old_faithful, name):
    with pytest.raises(NotFittedError, match="This GaussianMixture instance is not fitted yet"):
        getattr(GaussianMixture(), name)(old_faithful)


def test_other_methods_before_fit(tmp_path):
    calls = {
        "sample": (),
        "n_parameters": (),
        "update": (None,),
        "retire": (0,),
        "revive": (0,),
        "save": (tmp_path / "model.npz",),
        "to_sklearn": (),
    }
    for name, arguments in calls.items():
        with pytest.raises(NotFittedError, match="GaussianMixture"):
            getattr(GaussianMixture(), name)(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_components": 2.5},
        {"n_components": True},
        {"n_components": "3"},
        {"covariance_type": "round"},
        {"tol": -1e-3},
        {"tol": np.nan},
        {"reg_covar": -1.0},
        {"max_iter": -1},
        {"n_init": 0},
        {"init_params": "best"},
        {"random_state": "seed"},
        {"warm_start": 1},
        {"verbose": -1},
        {"verbose_interval": 0},
        {"n_threads": 0},
        {"means_init": "zero"},
    ],
)
def test_parameters_are_checked_in_fit_and_leave_the_model_alone(old_faithful, parameters):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    state = state_of(model)
    ((name, _),) = parameters.items()
    model.set_params(**parameters)
    with pytest.raises(InvalidParameterError, match=f"The {name!r} parameter of GaussianMixture"):
        model.fit(old_faithful)
    model.set_params(**{name: state[name]})
    assert_state(model, state)


def test_numpy_integers_are_numbers_of_components(old_faithful):
    assert GaussianMixture(np.int64(2), random_state=0).fit(old_faithful).means_.shape == (2, 2)


def spoiled(X, value):
    X = X.copy()
    X[100, 1] = value
    return X


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: spoiled(X, np.nan), "contains NaN. First at row 100, column 1"),
        (lambda X: spoiled(X, -np.inf), "contains infinity.*First at row 100, column 1"),
        (lambda X: X[:0], r"0 sample\(s\)"),
        (lambda X: X[:, :0], r"0 feature\(s\)"),
        (lambda X: X[:, 0], "Expected 2D array, got 1D array instead"),
        (lambda X: X[None], "dim 3"),
        (lambda X: X[:1], r"1 sample\(s\)"),
        (lambda X: X[:2], "n_components = 3, n_samples = 2"),
        (lambda X: X * 1j, "Complex data not supported"),
    ],
)
def test_rows_that_cannot_be_fitted_leave_the_model_alone(old_faithful, spoil, message):
    model = GaussianMixture(3, random_state=0).fit(old_faithful)
    state = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.fit(spoil(old_faithful))
    assert_state(model, state)


@pytest.mark.parametrize("name", [*SCORING, "accumulate"])
def test_rows_that_cannot_be_scored(old_faithful, name):
    method = getattr(GaussianMixture(2, random_state=0).fit(old_faithful), name)
    with pytest.raises(ValueError, match=r"NaN. First at row 100, column 1"):
        method(spoiled(old_faithful, np.nan))
    with pytest.raises(ValueError, match="infinity"):
        method(spoiled(old_faithful, np.inf))
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2"):
        method(old_faithful[:, [0, 1, 1]])
    if name != "accumulate":
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            method(old_faithful[:0])
    assert np.size(method(old_faithful[:1])) >= 1


@pytest.mark.parametrize("name", SCORING)
def test_the_place_of_a_bad_value_among_many_rows(monkeypatch, old_faithful, name):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = np.tile(old_faithful, (40, 1))
    X[9000, 1] = np.nan
    X[9001, 0] = np.inf
    monkeypatch.setattr(gaussmix._estep.scoring, "BLOCK_VALUES", 2000)
    for rows in (X, np.asfortranarray(X), X.astype(np.float32)):
        with pytest.raises(ValueError, match=r"NaN. First at row 9000, column 1"):
            getattr(model, name)(rows)


def test_column_names_are_kept_and_compared(old_faithful):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful, columns=["eruptions", "waiting"])
    model = GaussianMixture(2, random_state=0).fit(X)
    assert model.feature_names_in_.tolist() == ["eruptions", "waiting"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["waiting", "eruptions"]])
    with pytest.raises(ValueError, match=r"column 1 \('waiting'\)"):
        model.predict(X.assign(waiting=np.nan))
    with pytest.raises(ValueError, match=r"column 1 \('waiting'\)"):
        model.fit(X.assign(waiting=np.nan))
    # Names go when a fit has none.
    assert not hasattr(model.fit(old_faithful), "feature_names_in_")


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (-1.0, "negative"),
        (np.nan, "NaN"),
        (np.zeros(272), "all zero"),
        (np.ones(271), r"\(271,\)"),
        (np.ones((272, 1)), "1D"),
    ],
)
def test_weights_that_are_none(old_faithful, sample_weight, message):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    state = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.fit(old_faithful, sample_weight=sample_weight)
    assert_state(model, state)


def test_rows_of_weight_zero_do_not_count_as_rows(old_faithful):
    sample_weight = np.zeros(272)
    sample_weight[:2] = 1
    with pytest.raises(ValueError, match="n_components = 3, n_samples = 2"):
        GaussianMixture(3).fit(old_faithful, sample_weight=sample_weight)


def test_a_collapsed_component_is_explained(old_faithful):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful, columns=["eruptions", "waiting"])
    X["total"] = X.eruptions + X.waiting
    model = GaussianMixture(2, reg_covar=0.0, random_state=0)
    with pytest.raises(IllDefinedCovarianceError) as caught:
        model.fit(X)
    message = str(caught.value)
    assert message.startswith(
        "Fitting the mixture model failed because some components have ill-defined empirical "
        "covariance"
    )
    for fact in ("'eruptions'", "'waiting'", "'total'", "reg_covar", "fewer components", '"diag"'):
        assert fact in message
    assert caught.value.component in (0, 1)
    assert caught.value.columns == (0, 1, 2)
    assert caught.value.weight * 272 == pytest.approx(caught.value.effective_rows, rel=1e-9)
    assert not hasattr(model, "means_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_column(covariance_type, old_faithful, dtype):
    X = np.column_stack([old_faithful, np.full(272, 0.1)]).astype(dtype)
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    shared = covariance_type == "spherical"
    what = "makes the variance smaller" if shared else "reg_covar=1e-06"
    with pytest.warns(UserWarning, match=f"constant in column 2.*{what}"):
        model.fit(X)
    assert np.isfinite(model.score(X))
    if shared:
        # The other columns carry the one variance.
        with pytest.warns(UserWarning, match="constant in column 2"):
            model.set_params(reg_covar=0.0).fit(X)
    else:
        state = state_of(model)
        with pytest.raises(IllDefinedCovarianceError, match="column 2"):
            model.set_params(reg_covar=0.0).fit(X)
        model.set_params(reg_covar=1e-6)
        assert_state(model, state)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize(
    "X",
    [
        pytest.param(np.full((12, 2), 3.7), id="all rows equal"),
        pytest.param(np.repeat([[0.0, 1], [5, 2]], 6, axis=0), id="two different rows"),
        pytest.param(np.arange(8.0).reshape(4, 2), id="as many rows as components"),
        pytest.param(np.random.default_rng(0).normal(size=(6, 20)), id="more columns than rows"),
        pytest.param(np.full((12, 2), 1e-310), id="denormal"),
    ],
)
def test_degenerate_data_give_a_finite_model_or_a_clear_error(X, init_params, covariance_type):
    make = {"covariance_type": covariance_type, "init_params": init_params, "random_state": 0}
    model = GaussianMixture(4, **make).fit(X)
    for name in FITTED_ARRAYS:
        assert np.isfinite(getattr(model, name)).all()
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    try:
        bare = GaussianMixture(4, reg_covar=0.0, **make).fit(X)
    except IllDefinedCovarianceError:
        return
    assert np.isfinite(bare.score(X))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_points_need_regularisation(covariance_type):
    """scikit-learn's own test: clusters without variance fail at reg_covar=0 and fit at 1e-6."""
    X = np.vstack([np.ones((5, 5)), np.zeros((5, 5))])
    model = GaussianMixture(10, reg_covar=0, covariance_type=covariance_type, random_state=0)
    with pytest.raises(ValueError, match="Try to decrease the number of components"):
        model.fit(X)
    assert np.isfinite(model.set_params(reg_covar=1e-6).fit(X).lower_bound_)


def test_data_that_overflow_end_in_a_clear_error(covariance_type, old_faithful):
    X = old_faithful * 1e200
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ValueError, match=r"[Ss]cale the input data"):
            GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)


def test_no_warnings_under_strict_settings(covariance_type, old_faithful):
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
        model.fit(old_faithful)
        for name in SCORING:
            getattr(model, name)(old_faithful)
        model.sample(5)
        model.update(model.accumulate(old_faithful))


def test_far_rows_have_a_label_and_probabilities(model):
    X = np.array([[1e12, 50.0], [-1e200, 0.0], [3.0, 1e160]])
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), proba.argmax(axis=1))
    assert not np.isnan(model.score_samples(X)).any()


def test_layouts_and_dtypes_of_rows(old_faithful):
    whole = np.round(old_faithful)
    model = GaussianMixture(2, random_state=0).fit(whole)
    wide = np.empty((544, 4))
    wide[::2, ::2] = whole
    forms = {
        "Fortran": np.asfortranarray(whole),
        "strided": wide[::2, ::2],
        "reversed": whole[::-1, ::-1][::-1, ::-1],
        "big-endian": whole.astype(">f8"),
        "integers": whole.astype(np.int32),
        "objects": whole.astype(object),
        "list": whole.tolist(),
    }
    read_only = whole.copy()
    read_only.flags.writeable = False
    forms["read-only"] = read_only
    for name, X in forms.items():
        again = GaussianMixture(2, random_state=0).fit(X)
        np.testing.assert_array_equal(again.means_, model.means_, err_msg=name)
        np.testing.assert_array_equal(again.covariances_, model.covariances_, err_msg=name)
        np.testing.assert_array_equal(
            model.predict_proba(X), model.predict_proba(whole), err_msg=name
        )


def test_rows_of_a_batch_are_scored_alone(model, old_faithful):
    density, proba = model.score_samples(old_faithful), model.predict_proba(old_faithful)
    for i in (0, 17, 271):
        one = old_faithful[i : i + 1]
        np.testing.assert_array_equal(model.score_samples(one), density[i])
        np.testing.assert_array_equal(model.predict_proba(one)[0], proba[i])


@pytest.mark.parametrize("form", [np.array, np.asfortranarray, np.float32])
def test_few_and_many_rows_are_scored_alike(model, old_faithful, form):
    """Few rows take a shorter way through, without threads."""
    few = form(old_faithful)
    many = form(np.tile(old_faithful, (40, 1)))
    for name in ("score_samples", "predict", "predict_proba"):
        method = getattr(model, name)
        np.testing.assert_array_equal(method(many), np.concatenate([method(few)] * 40))


def test_thread_counts_do_not_change_the_fit(old_faithful):
    X = np.tile(old_faithful, (40, 1))
    fits = [GaussianMixture(3, random_state=0, n_threads=n).fit(X) for n in (1, 2, 5)]
    for one, other in itertools.pairwise(fits):
        for name in FITTED_ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
def test_fit_needs_no_memory_for_each_row():
    """Beyond X itself, the peak of a fit must not grow with the number of rows."""
    program = """
import sys
import numpy as np
from gaussmix import GaussianMixture

def peak():
    # Not of getrusage, where it begins with the peak of the process that started this one.
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

n = int(sys.argv[1])
X = np.random.default_rng(0).standard_normal((n, 4), dtype=np.float32)
model = GaussianMixture(3, max_iter=3, tol=0, random_state=0, init_params=sys.argv[2])
model.fit(X[:50_000])
before = peak()
model.fit(X)
model.score(X), model.icl(X)
print(peak() - before)
"""
    for init_params in ("kmeans", "random_from_data", "random"):
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, "4000000", init_params],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"GAUSSMIX_NUM_THREADS": "1"},
        )
        # One float64 for each row would be 32 MB.
        assert int(run.stdout) < 28e6, init_params


# --- pieces, subclasses, shared memory -----------------------------------------------------------


def test_pieces_without_rows_or_weight_add_nothing(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    whole = model.accumulate(old_faithful)
    pieces = [
        model.accumulate(old_faithful[:0]),
        model.accumulate(old_faithful),
        model.accumulate(old_faithful[:9], sample_weight=np.zeros(9)),
    ]
    np.testing.assert_allclose(sum(pieces).weight, whole.weight, rtol=1e-14)
    with pytest.raises(ValueError, match=r"statistics.weight must be"):
        model.update(pieces[0])


@pytest.mark.parametrize("name", ["score_samples", "predict", "predict_proba"])
def test_out_that_shares_memory_with_the_rows(old_faithful, name):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = old_faithful.copy()
    shape = {"predict_proba": (272, 2)}.get(name, (272,))
    dtype = np.intp if name == "predict" else np.float64
    out = X.ravel()[: int(np.prod(shape))].view(dtype).reshape(shape)
    with pytest.raises(ValueError, match="out must not share memory with X"):
        getattr(model, name)(X, out=out)
    np.testing.assert_array_equal(X, old_faithful)


def test_a_subclass_may_pass_keywords_on(old_faithful):
    class Pair(GaussianMixture):
        def __init__(self, n_components=2, **settings):
            super().__init__(n_components, **settings)

    model = Pair(random_state=0).fit(old_faithful)
    assert model.get_params() == {"n_components": 2}
    assert repr(model) == "Pair()"


def test_a_model_set_by_hand_is_saved_and_converted(old_faithful, tmp_path):
    fitted = GaussianMixture(2, random_state=0).fit(old_faithful)
    model = GaussianMixture(2)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(model, name, getattr(fitted, name))
    model.save(tmp_path / "model.npz")
    expected = fitted.score_samples(old_faithful)
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert not loaded.converged_
    np.testing.assert_allclose(loaded.score_samples(old_faithful), expected, rtol=1e-10)
    pytest.importorskip("sklearn")
    np.testing.assert_allclose(model.to_sklearn().score_samples(old_faithful), expected, rtol=1e-9)


def test_only_a_gaussian_mixture_is_converted(old_faithful):
    mixture = pytest.importorskip("sklearn.mixture")
    other = mixture.BayesianGaussianMixture().fit(old_faithful)
    with pytest.raises(
        TypeError, match=r"takes a fitted sklearn.mixture.GaussianMixture. Got Bay"
    ):
        GaussianMixture.from_sklearn(other)


def test_a_score_beyond_the_range_of_doubles_is_minus_infinity(old_faithful):
    model = GaussianMixture(1).fit(old_faithful)
    assert model.bic(np.full((600_000, 2), 1e152)) == np.inf


def test_more_samples_than_an_array_holds(old_faithful):
    with pytest.raises(ValueError, match="No array has so many rows"):
        GaussianMixture(1).fit(old_faithful).sample(10**30)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_n_threads_holds_for_the_m_step(n_threads, monkeypatch):
    asked = []
    algebra = gaussmix._runtime.instruction_sets.algebra()

    class Watched:
        def __getattr__(self, name):
            return getattr(algebra, name)

        def factorise(self, factors, threads):
            asked.append(threads)
            algebra.factorise(factors, threads)

    monkeypatch.setattr(gaussmix._runtime.instruction_sets, "algebra", Watched)
    monkeypatch.setattr(gaussmix._runtime.cgroups, "available_cpus", lambda: 8)
    X = np.random.default_rng(0).normal(size=(400, 64))
    model = GaussianMixture(5, max_iter=1, tol=0.0, random_state=0, n_threads=n_threads)
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    model.update(model.accumulate(X))
    assert set(asked) == {n_threads}
