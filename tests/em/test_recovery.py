"""Components that collapse, and fits that go on without them or with them placed elsewhere."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import gaussmix
from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    IllDefinedCovarianceError,
    SufficientStatistics,
)
from gaussmix._em.collapse import RESEEDS, SPLIT, Recovery
from gaussmix._mstep.maximize import Estimate
from gaussmix._parameters.layouts import CollapsedComponent
from support.families import COVARIANCE_TYPES, LAYOUT_OF

OWN_COVARIANCES = ["full", "diag", "spherical"]


@pytest.fixture(scope="module")
def two_apart():
    """Two clusters of 200 rows, six deviations apart."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 1, (200, 3)), rng.normal(6, 1, (200, 3))])


@pytest.fixture(scope="module")
def duplicates(two_apart):
    """The clusters and a value that 30 rows share, on which a component collapses."""
    return np.concatenate([two_apart, np.full((30, 3), 20.0)])


def fit(X, n_components=3, warns="Components collapsed", sample_weight=None, **params):
    """A fit without regularisation that has something to tell."""
    params = {"reg_covar": 0, "random_state": 0} | params
    with pytest.warns(ConvergenceWarning, match=warns):
        return GaussianMixture(n_components, **params).fit(X, sample_weight=sample_weight)


def assert_usable(model, X):
    """Whatever reads the model reads the arrays, not `n_components`."""
    K, d = model.means_.shape
    assert model.weights_.shape == (K,)
    assert model.weights_.sum() == pytest.approx(1, rel=1e-6)
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), K)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert set(model.predict(X)) <= set(range(K))
    covariances = {"full": K * d * (d + 1) // 2, "diag": K * d, "spherical": K}
    covariances["tied"] = d * (d + 1) // 2
    assert model.n_parameters() == covariances[model.covariance_type] + K * d + K - 1
    rows, labels = model.sample(50, random_state=0)
    assert rows.shape == (50, d)
    assert labels.max() < K
    assert model.accumulate(X).n_components == K


# --- a component that collapses ------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dropped(duplicates, two_apart, covariance_type, dtype):
    X = duplicates.astype(dtype)
    with pytest.raises(IllDefinedCovarianceError, match='set on_collapse="drop"'):
        GaussianMixture(3, covariance_type=covariance_type, reg_covar=0, random_state=0).fit(X)
    model = fit(X, covariance_type=covariance_type, on_collapse="drop")
    (collapse,) = model.collapses_
    assert collapse.keys() == {"iteration", "component", "action", "columns", "effective_rows"}
    assert (collapse["iteration"], collapse["action"]) == (0, "drop")
    assert collapse["effective_rows"] == pytest.approx(30)
    assert collapse["columns"] == ([] if covariance_type == "spherical" else [0, 1, 2])
    assert model.n_components == 3
    assert model.means_.shape == (2, 3)
    assert model.means_.dtype == dtype
    assert model.converged_
    assert_usable(model, X)


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
def test_a_fit_goes_on_where_scikit_learn_raises(duplicates, on_collapse):
    mixture = pytest.importorskip("sklearn.mixture")
    X = duplicates - 20  # at other values rounding may stand in for a variance there
    for covariance_type in OWN_COVARIANCES:
        params = {"covariance_type": covariance_type, "reg_covar": 0, "random_state": 0}
        with pytest.raises(ValueError, match="ill-defined empirical covariance"):
            mixture.GaussianMixture(3, **params).fit(X)
        assert fit(X, on_collapse=on_collapse, **params).converged_


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
def test_placed_anew(duplicates, covariance_type):
    model = fit(duplicates, covariance_type=covariance_type, on_collapse="reseed")
    actions = [collapse["action"] for collapse in model.collapses_]
    assert actions[0] == "reseed"
    assert actions.count("reseed") <= RESEEDS * 3
    assert len(model.weights_) == 3 - actions.count("drop")
    assert_usable(model, duplicates)


def test_a_component_placed_anew_finds_the_cluster_that_another_covered(two_apart):
    """Two components start on one value, and one on two clusters."""
    X = np.concatenate([two_apart, np.full((2, 3), 100.0)])
    start = [[3.0, 3, 3], [100.0, 100, 100]]
    model = fit(X[:400], 2, means_init=start, on_collapse="reseed", tol=1e-6)
    assert [collapse["action"] for collapse in model.collapses_] == ["reseed"]
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [0, 6], atol=0.3)
    np.testing.assert_allclose(model.weights_, 0.5, atol=0.01)


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
def test_nothing_to_recover_changes_nothing(two_apart, on_collapse):
    for covariance_type in COVARIANCE_TYPES:
        plain, careful = (
            GaussianMixture(2, covariance_type=covariance_type, random_state=0, on_collapse=what)
            for what in ("raise", on_collapse)
        )
        plain.fit(two_apart)
        careful.fit(two_apart)
        assert careful.collapses_ == plain.collapses_ == []
        np.testing.assert_array_equal(careful.means_, plain.means_)
        np.testing.assert_array_equal(careful.covariances_, plain.covariances_)
        assert careful.lower_bounds_ == plain.lower_bounds_


def test_several_collapse_in_one_run(two_apart):
    values = np.repeat([[20.0, 0, 0], [0, 30, 0], [0, 0, 40]], [5, 10, 20], axis=0)
    model = fit(np.concatenate([two_apart, values]), 5, on_collapse="drop")
    assert [collapse["component"] for collapse in model.collapses_] == sorted(
        collapse["component"] for collapse in model.collapses_
    )
    rows = sorted(round(collapse["effective_rows"]) for collapse in model.collapses_)
    assert rows == [5, 10, 20]
    assert model.means_.shape == (2, 3)


def test_a_component_without_a_row_is_dropped_whatever_the_regularisation(two_apart):
    far = [[0.0, 0, 0], [6, 6, 6], [500, 500, 500]]
    kept = GaussianMixture(3, means_init=far, random_state=0).fit(two_apart)
    assert kept.means_.shape == (3, 3)
    assert kept.collapses_ == []
    for covariance_type in COVARIANCE_TYPES:
        precisions = {"full": [np.eye(3)] * 3, "tied": np.eye(3), "diag": np.ones((3, 3))}
        model = fit(
            two_apart, covariance_type=covariance_type, on_collapse="drop", reg_covar=1e-6,
            means_init=far, weights_init=[0.4, 0.4, 0.2],
            precisions_init=precisions.get(LAYOUT_OF[covariance_type], np.ones(3)),
        )  # fmt: skip
        (collapse,) = model.collapses_
        assert (collapse["iteration"], collapse["component"]) == (1, 2)
        assert collapse["effective_rows"] < 1
        assert collapse["columns"] == []
        assert_usable(model, two_apart)


def test_a_tied_covariance_belongs_to_no_component(two_apart):
    X = np.column_stack([two_apart, two_apart[:, 0]])
    for on_collapse in ("drop", "reseed"):
        model = GaussianMixture(2, covariance_type="tied", reg_covar=0, on_collapse=on_collapse)
        with pytest.raises(IllDefinedCovarianceError, match="shared by all") as caught:
            model.fit(X)
        assert caught.value.component is None
        assert "on_collapse" not in str(caught.value)


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
def test_when_all_collapse_there_is_nothing_to_keep(covariance_type, on_collapse):
    options = {"covariance_type": covariance_type, "reg_covar": 0, "on_collapse": on_collapse}
    model = GaussianMixture(2, random_state=0, **options)
    with pytest.raises(IllDefinedCovarianceError) as caught:
        model.fit([[0.0, 1], [0, 1], [5, 5], [5, 5]])
    assert not hasattr(model, "weights_")
    assert "set on_collapse" not in str(caught.value)
    with pytest.raises(IllDefinedCovarianceError, match="Component 0 collapsed"):
        GaussianMixture(1, **options).fit(np.ones((4, 2)))


# --- weights, starts, acceleration, warm starts --------------------------------------------------


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
def test_weights_count_as_rows(duplicates, on_collapse):
    options = {"on_collapse": on_collapse, "init_params": "random_from_data", "max_iter": 200}
    means = [[0.0, 0, 0], [6, 6, 6], [20, 20, 20]]
    repeated = np.repeat(duplicates, 2, axis=0)
    zeros = np.concatenate([np.full(len(duplicates), 7.0), np.zeros(500)])
    padded = np.concatenate([duplicates, np.random.default_rng(1).normal(3, 9, (500, 3))])
    start = {"means_init": means, "weights_init": [0.4, 0.4, 0.2]}
    start["precisions_init"] = np.tile(np.eye(3), (3, 1, 1))
    plain = fit(duplicates, **options, **start)
    for X, weight in (
        (duplicates, np.full(len(duplicates), 0.125)),
        (padded, zeros),
        (repeated, np.full(len(repeated), 0.5)),
    ):
        other = fit(X, sample_weight=weight, **options, **start)
        np.testing.assert_allclose(other.means_, plain.means_, rtol=1e-6)
        assert len(other.collapses_) == len(plain.collapses_) > 0
    rows = [collapse["effective_rows"] for collapse in plain.collapses_]
    padded_rows = fit(padded, sample_weight=zeros, **options, **start).collapses_
    np.testing.assert_allclose([c["effective_rows"] for c in padded_rows], rows, rtol=1e-6)


@pytest.mark.parametrize("weight", [None, 0.1, 7 / 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_that_is_a_component_alone_is_enough(two_apart, dtype, weight):
    X = np.concatenate([two_apart, [[99.0, 99, 99]]]).astype(dtype)
    model = GaussianMixture(3, reg_covar=0.1, random_state=0, on_collapse="drop")
    model.fit(X, sample_weight=None if weight is None else np.full(len(X), weight))
    assert model.collapses_ == []
    assert model.weights_.min() == pytest.approx(1 / len(X), rel=1e-6)


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
def test_many_starts_keep_the_collapses_of_the_best(duplicates, on_collapse):
    options = {"on_collapse": on_collapse, "init_params": "random", "max_iter": 300}
    one = fit(duplicates, 4, n_init=1, **options)
    model = fit(duplicates, 4, n_init=6, **options)
    assert model.lower_bound_ >= one.lower_bound_
    dropped = sum(collapse["action"] == "drop" for collapse in model.collapses_)
    assert len(model.weights_) == 4 - dropped


@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
def test_bounds_fall_only_after_a_recovery(duplicates, covariance_type, on_collapse):
    for acceleration in (None, "squarem"):
        model = fit(
            duplicates, 4, covariance_type=covariance_type, on_collapse=on_collapse, tol=1e-7,
            acceleration=acceleration, max_iter=1000,
        )  # fmt: skip
        recovered = {collapse["iteration"] for collapse in model.collapses_}
        changes = np.diff(model.lower_bounds_)
        fell = set(np.flatnonzero(changes < -1e-12) + 1)  # after this iteration, from 1
        assert fell <= recovered
        assert model.n_iter_ not in recovered


def test_a_warm_start_goes_on_with_the_components_that_are_left(duplicates):
    model = fit(duplicates, on_collapse="drop", warm_start=True, max_iter=2, warns="")
    assert model.means_.shape == (2, 3)
    first = list(model.collapses_)
    model.max_iter = 100
    model.fit(duplicates)
    assert model.means_.shape == (2, 3)
    assert model.collapses_ == first
    model.fit(duplicates)
    assert model.collapses_ == first
    model.n_components = 4
    with pytest.raises(ValueError, match="n_components=3, of which 1 were dropped, and 3 feat"):
        model.fit(duplicates)
    model.warm_start = False
    with warnings.catch_warnings(action="ignore"):
        model.fit(duplicates)
    assert len(model.weights_) + len(model.collapses_) == 4


def test_the_end_of_a_run_that_was_just_recovered_does_not_win(duplicates):
    """Its bound is that of parameters which were given up."""
    model = fit(duplicates, on_collapse="reseed", max_iter=7, warns="")
    assert model.collapses_[-1]["iteration"] == 7
    assert not model.converged_


# --- what is recorded ----------------------------------------------------------------------------


def test_one_warning_names_all_that_was_done(duplicates):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(duplicates, columns=["a", "b", "c"])
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(3, reg_covar=0, random_state=0, on_collapse="drop").fit(X)
    (warning,) = caught
    assert "component 2 in iteration 0 (30 effective rows" in str(warning.message)
    assert "column 0 ('a')" in str(warning.message)
    assert "was dropped" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize("weighted", [False, True])
def test_collapses_are_kept_by_files_pickles_and_copies(duplicates, tmp_path, weighted):
    weights = np.linspace(1, 2, len(duplicates)) if weighted else None
    model = fit(duplicates, on_collapse="reseed", sample_weight=weights)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.on_collapse == "reseed"
    assert loaded.n_components == 3
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.collapses_ == model.collapses_
        np.testing.assert_array_equal(other.means_, model.means_)
        assert_usable(other, duplicates)


def test_a_model_with_fewer_components_goes_to_scikit_learn(duplicates):
    pytest.importorskip("sklearn")
    model = fit(duplicates, on_collapse="drop")
    theirs = model.to_sklearn()
    assert theirs.n_components == 2
    assert theirs.bic(duplicates) == pytest.approx(model.bic(duplicates), rel=1e-12)
    np.testing.assert_array_equal(theirs.predict(duplicates), model.predict(duplicates))
    assert not hasattr(theirs, "collapses_")
    assert GaussianMixture.from_sklearn(theirs).collapses_ == []


def test_a_model_of_given_parameters_has_no_collapses():
    assert GaussianMixture.from_parameters([1.0], [[0.0]], [1.0]).collapses_ == []


# --- steps from statistics -----------------------------------------------------------------------


def test_an_update_recovers_as_a_fit_does(duplicates):
    model = GaussianMixture.from_parameters(
        [0.4, 0.4, 0.2], [[0.0] * 3, [6.0] * 3, [20.0] * 3], np.tile(np.eye(3), (3, 1, 1)),
        reg_covar=0, on_collapse="drop",
    )  # fmt: skip
    statistics = SufficientStatistics.merge(
        [model.accumulate(part) for part in np.array_split(duplicates, 5)]
    )
    with pytest.warns(ConvergenceWarning, match="was dropped"):
        model.update(statistics)
    assert model.means_.shape == (2, 3)
    assert [collapse["component"] for collapse in model.collapses_] == [2]
    assert model.collapses_[0]["iteration"] == model.n_iter_ == 1
    model.update(model.accumulate(duplicates))
    assert len(model.collapses_) == 1
    assert_usable(model, duplicates)


def statistics_of(weight, variances, covariance_type="full"):
    """Statistics of components at 0, 10, 20, ... with given variances, in two columns."""
    weight, variances = np.array(weight, dtype=float), np.array(variances, dtype=float)
    second = {
        "full": weight[:, None, None] * variances[:, None, None] * np.diag([1.0, 4.0]),
        "diag": weight[:, None] * variances[:, None] * [1.0, 4.0],
        "spherical": weight * variances * 2,
    }[LAYOUT_OF[covariance_type]]
    shift = np.outer(10.0 * np.arange(len(weight)), [1.0, 1.0])
    total = float(weight.sum())
    return SufficientStatistics(
        covariance_type, weight, np.zeros_like(shift), second, shift, 0.0, total, int(total)
    )


def recovery(action, n_components=3, row_weight=1.0):
    return Recovery(action, n_components, reg_covar=0.0, variance_floor=0.0, row_weight=row_weight)


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
def test_a_split_moves_the_halves_apart_along_the_longest_axis(covariance_type):
    statistics = statistics_of([30, 50, 20], [1, 2, 0], covariance_type)
    parameters = recovery("reseed")(statistics, None, 1)
    np.testing.assert_allclose(parameters.weights, np.array([30, 25, 25]) / 80, rtol=1e-12)
    np.testing.assert_array_equal(parameters.covariances[2], parameters.covariances[1])
    np.testing.assert_allclose(parameters.means[1:].mean(axis=0), [10, 10], rtol=1e-12)
    step = (parameters.means[2] - parameters.means[1]) / 2
    covariance = {"full": np.diag([2.0, 8.0]), "diag": np.diag([2.0, 8.0])}.get(
        covariance_type, 2 * np.eye(2)
    )
    assert step @ np.linalg.solve(covariance, step) == pytest.approx(SPLIT**2, rel=1e-12)


def test_two_that_collapse_together_split_two_others():
    statistics = statistics_of([40, 0.5, 50, 10], [1, 1, 2, 0])
    mend = recovery("reseed", 4)
    parameters = mend(statistics, None, 3)
    np.testing.assert_allclose(parameters.weights, np.array([20, 25, 25, 20]) / 90, rtol=1e-12)
    assert [c["component"] for c in mend.collapses] == [1, 3]
    assert [c["effective_rows"] for c in mend.collapses] == [0.5, 10]
    assert [c["columns"] for c in mend.collapses] == [[], [0, 1]]


def test_after_a_number_of_times_components_are_dropped():
    statistics = statistics_of([30, 50, 20], [1, 2, 0])
    mend = recovery("reseed")
    for _ in range(RESEEDS * 3):
        assert mend(statistics, None, 1).n_components == 3
    assert mend(statistics, None, 2).n_components == 2
    assert mend.collapses[-1]["action"] == "drop"


def test_the_step_without_a_collapse_is_the_plain_one_and_one_row_is_enough():
    statistics = statistics_of([30, 1 - 1e-8, 2], [1, 2, 1])
    parameters = recovery("drop").maximize(statistics, None)
    np.testing.assert_array_equal(recovery("drop")(statistics, None, 1).means, parameters.means)
    with pytest.raises(CollapsedComponent) as caught:
        recovery("drop", row_weight=1.5).maximize(statistics, None)
    assert caught.value.component == 1


def test_an_estimate_is_left_as_it_was():
    """Starting values that a user gave serve several starts."""
    statistics = statistics_of([30, 50, 20], [1, 2, 0])
    arrays = [np.array([0.3, 0.5, 0.2]), statistics.shift.copy(), statistics.second / 30]
    copies = copy.deepcopy(arrays)
    recovery("reseed").mended(statistics, Estimate(*arrays))
    for array, kept in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_an_outcome_of_weight_zero_is_an_error():
    """A start may give all weight to a component that collapses."""
    statistics = statistics_of([30, 50], [1, 0])
    with pytest.raises(CollapsedComponent):
        recovery("drop", 2).mended(
            statistics, Estimate(np.array([0.0, 1.0]), statistics.shift, statistics.second / 30)
        )
