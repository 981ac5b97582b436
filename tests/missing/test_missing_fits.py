"""Fits to rows with missing values: starts, ways of a fit, and columns and rows without values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from gaussmix import ConvergenceWarning, GaussianMixture, IllDefinedCovarianceError
from gaussmix.sources import ChunkSource
from support import reference
from support.assertions import assert_same, nothing_lost
from support.families import COVARIANCE_TYPES
from support.missing import (
    assert_close_statistics,
    assert_is,
    case,
    fitted,
    holed,
    starting_at,
    telling,
    three_clusters,
    tolerant,
    unfinished,
)
from support.models import FITTED_ARRAYS, INIT_PARAMS
from support.reference import Mixture
from support.rows import NAMES, two_clusters

# --- starts, and the ways of a fit ---------------------------------------------------------------


def share_found(labels: np.ndarray, found: np.ndarray) -> float:
    """Share of the rows whose cluster is found, clusters matched as well as can be."""
    counts = np.zeros((labels.max() + 1, found.max() + 1))
    np.add.at(counts, (labels, found), 1)
    matched = optimize.linear_sum_assignment(-counts)
    return counts[matched].sum() / len(labels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_clusters_far_apart_are_found(covariance_type, dtype):
    X, labels = three_clusters()
    X = holed(np.random.default_rng(1), X, 0.2).astype(dtype)
    model = fitted(X, n_components=3, covariance_type=covariance_type, random_state=0)
    known = telling(X)
    assert share_found(labels[known], model.predict(X)[known]) > 0.99


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_every_start_is_finite_and_ends_well(init_params):
    X, labels = three_clusters()
    X = holed(np.random.default_rng(2), X, 0.2)
    params = {"n_components": 3, "init_params": init_params, "random_state": 0}
    start = fitted(X, **params, max_iter=0)
    for name in FITTED_ARRAYS:
        assert np.isfinite(getattr(start, name)).all()
    assert (start.means_ >= np.nanmin(X, axis=0)).all()
    assert (start.means_ <= np.nanmax(X, axis=0)).all()
    assert (start.weights_ > 0).all()
    model = fitted(X, **params, n_init=10, max_iter=300)
    known = telling(X)
    assert share_found(labels[known], model.predict(X)[known]) > 0.99


@pytest.mark.parametrize("distance", [1e8, 1e11])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_clusters_many_deviations_apart_have_a_start(covariance_type, distance):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    X = distance * rng.normal(size=(2, 4))[labels] + rng.normal(size=(200, 4))
    X[0, 0] = X[1, 1] = np.nan
    params = {"n_components": 2, "covariance_type": covariance_type, "random_state": 0}
    model = fitted(X, **params)
    assert share_found(labels, model.predict(X)) == 1.0
    complete = fitted(X[2:], **params)
    assert model.lower_bound_ == pytest.approx(complete.lower_bound_, abs=0.1)


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_no_row_needs_to_be_complete(init_params):
    X, labels = three_clusters(200)
    X[np.arange(200), np.arange(200) % 4] = np.nan
    model = fitted(X, n_components=3, init_params=init_params, n_init=10, random_state=0)
    assert share_found(labels, model.predict(X)) > 0.99


def test_the_best_of_several_starts_is_kept():
    rng = np.random.default_rng(8)
    X = holed(rng, rng.normal(size=(200, 3)), 0.2)
    params = {"n_components": 4, "random_state": 0, "init_params": "random_from_data"}
    one, many = (fitted(X, **params, n_init=count) for count in (1, 5))
    assert many.lower_bound_ >= one.lower_bound_
    assert_same(many, fitted(X, **params, n_init=5))


def test_a_warm_start_goes_on():
    X = holed(np.random.default_rng(3), three_clusters()[0], 0.2)
    params = {"n_components": 3, "tol": 0.0, "random_state": 0, "init_params": "random_from_data"}
    whole = fitted(X, **params, max_iter=8)
    model = GaussianMixture(**params, max_iter=4, warm_start=True, allow_nan=True)
    with unfinished():
        model.fit(X)
        first = model.lower_bounds_
        model.fit(X)
    np.testing.assert_allclose(model.means_, whole.means_, rtol=1e-9)
    np.testing.assert_allclose([*first, *model.lower_bounds_], whole.lower_bounds_, rtol=1e-12)


def test_squarem_gets_there_sooner():
    rng = np.random.default_rng(9)
    mixture = reference.random_mixture(rng, "full", 2, 3)
    mixture.means *= 0.4
    X = holed(rng, reference.draw(rng, mixture, 800), 0.3)
    params = starting_at(mixture) | {"tol": 1e-9, "max_iter": 5000}
    plain, fast = fitted(X, **params), fitted(X, **params, acceleration="squarem")
    assert plain.converged_
    assert fast.converged_
    assert fast.n_iter_ < plain.n_iter_ / 2
    assert fast.lower_bound_ > plain.lower_bound_ - 1e-6
    assert (np.diff(fast.lower_bounds_) >= -1e-12 * abs(fast.lower_bound_)).all()


def with_a_collapse() -> tuple[np.ndarray, dict[str, object]]:
    """Rows with missing values and forty copies of one point, and a start that finds it."""
    rng = np.random.default_rng(10)
    X = rng.normal(size=(120, 3))
    X[:80] = holed(rng, X[:80], 0.2)
    X[80:] = 9.0
    means = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    begin = Mixture("full", np.full(3, 1 / 3), means, np.array([np.eye(3)] * 3))
    return X, starting_at(begin) | {"reg_covar": 0.0, "max_iter": 50}


def test_a_collapse_is_an_error_that_names_the_component():
    X, params = with_a_collapse()
    model = GaussianMixture(**params, allow_nan=True)
    with (
        nothing_lost(model),
        pytest.raises(IllDefinedCovarianceError, match="Component 2 collapsed"),
    ):
        model.fit(X)


@pytest.mark.parametrize("action", ["drop", "reseed"])
def test_a_component_without_rows_is_dropped_or_placed_anew(action):
    X, params = with_a_collapse()
    X = X[:80]
    params["means_init"][2] = 1e6
    model = GaussianMixture(**params, on_collapse=action, allow_nan=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="component 2"):
        model.fit(X)
    assert len(model.weights_) == (2 if action == "drop" else 3)
    assert [collapse["action"] for collapse in model.collapses_] == [action]
    assert np.isfinite(model.score_samples(X)).all()
    mixture = Mixture("full", model.weights_, model.means_, model.covariances_)
    expected = reference.incomplete_log_densities(mixture, X).mean()
    np.testing.assert_allclose(model.score(X), expected, rtol=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_variance_floor_holds(covariance_type):
    X = holed(np.random.default_rng(4), three_clusters(120)[0], 0.2)
    params = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    variances = []
    for floor in (0.0, 0.2):
        model = fitted(X, **params, variance_floor=floor)
        mixture = Mixture(covariance_type, model.weights_, model.means_, model.covariances_)
        scaled = reference.dense_covariances(mixture) / np.outer(*[np.nanstd(X, axis=0)] * 2)
        variances.append(np.linalg.eigvalsh(scaled).min())
    assert variances[0] < 0.05
    # The one variance of "spherical" is held to the mean of the columns' variances.
    assert variances[1] > (0.1 if covariance_type == "spherical" else 0.2 * (1 - 1e-9))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_chunks_add_up(covariance_type):
    mixture, X, weights = case((40, 5, 3), covariance_type)
    model = tolerant(mixture)
    whole = model.accumulate(X, sample_weight=weights)
    pieces = np.split(np.arange(40), [1, 7, 7, 32])
    parts = sum(model.accumulate(X[piece], sample_weight=weights[piece]) for piece in pieces)
    expected = reference.incomplete_statistics(mixture, X, sample_weight=weights)
    assert_close_statistics(whole, expected, 1e-11)
    assert_close_statistics(parts, expected, 1e-11)
    assert parts.n_rows == whole.n_rows == 40


def test_batches_that_keep_coming():
    mixture, X, _ = case((40, 5, 3), "full")
    # A model that has seen no rows forgets nothing: its first batch is one step of EM.
    model = tolerant(mixture, reg_covar=0.01).partial_fit(X)
    expected = reference.incomplete_em(mixture, X, 1, 0.01)[0]
    assert_is(model, expected, 1e-9)
    assert model.n_samples_seen_ == 40
    first = GaussianMixture(3, allow_nan=True, random_state=0)
    rows, labels = three_clusters(900)
    rows = holed(np.random.default_rng(6), rows, 0.2)
    with unfinished():
        for batch in np.split(rows, 9):
            first.partial_fit(batch)
    assert first.n_samples_seen_ == 900
    known = telling(rows)
    assert share_found(labels[known], first.predict(rows)[known]) > 0.99
    for name in FITTED_ARRAYS:
        assert np.isfinite(getattr(first, name)).all()


@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data"])
def test_rows_that_come_in_chunks(init_params):
    X, labels = three_clusters(600)
    X = holed(np.random.default_rng(7), X, 0.2)
    source = ChunkSource(lambda: iter(np.split(X, [100, 130, 500])))
    model = fitted(source, n_components=3, init_params=init_params, n_init=5, random_state=0)
    known = telling(X)
    assert share_found(labels[known], model.predict(source)[known]) > 0.99
    begin = {
        "n_components": 3,
        "weights_init": model.weights_,
        "means_init": model.means_ + 0.5,
        "precisions_init": model.precisions_,
        "max_iter": 4,
        "tol": 0.0,
    }
    chunked, whole = fitted(source, **begin), fitted(X, **begin)
    np.testing.assert_allclose(chunked.means_, whole.means_, rtol=1e-9)
    np.testing.assert_allclose(chunked.score_samples(source), whole.score_samples(X), rtol=1e-9)


def test_dask_collections():
    array = pytest.importorskip("dask.array")
    dask = pytest.importorskip("dask")
    X = holed(np.random.default_rng(8), three_clusters(200)[0], 0.2)
    lazy = array.from_array(X, chunks=(70, -1))
    mixture = Mixture("diag", np.full(2, 0.5), np.array([[0.0] * 4, [10.0] * 4]), np.ones((2, 4)))
    begin = starting_at(mixture) | {"max_iter": 3, "tol": 0.0}
    with dask.config.set(scheduler="synchronous"):
        model, local = fitted(lazy, **begin), fitted(X, **begin)
        np.testing.assert_allclose(model.means_, local.means_, rtol=1e-9)
        scores = model.score_samples(lazy).compute()
        np.testing.assert_allclose(scores, model.score_samples(X), rtol=1e-12)
        assert math.isclose(model.bic(lazy), model.bic(X), rel_tol=1e-12)


# --- columns and rows without any value ----------------------------------------------------------


def variances_of(model: GaussianMixture) -> np.ndarray:
    """The covariances of any family as (K, d, d) matrices."""
    return reference.dense_covariances(
        Mixture(model.covariance_type, model.weights_, model.means_, model.covariances_)
    )


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_column_without_values(covariance_type):
    X = holed(np.random.default_rng(5), three_clusters(200, 3)[0], 0.1)
    with_empty = np.insert(X, 1, np.nan, axis=1)
    params = {"n_components": 3, "covariance_type": covariance_type, "random_state": 0}
    params |= {"tol": 1e-12, "max_iter": 300}
    expected = fitted(X, **params)
    with pytest.warns(UserWarning, match="column 1") as caught:
        model = GaussianMixture(**params, allow_nan=True).fit(with_empty)
    assert len(caught) == 1
    np.testing.assert_array_equal(model.means_[:, 1], 0.0)
    kept = [0, 2, 3]
    np.testing.assert_allclose(model.weights_, expected.weights_, rtol=1e-6)
    np.testing.assert_allclose(model.means_[:, kept], expected.means_, rtol=1e-5, atol=1e-5)
    dense, others = variances_of(model), variances_of(expected)
    np.testing.assert_allclose(dense[:, kept][:, :, kept], others, rtol=1e-5, atol=1e-5)
    if covariance_type != "spherical":
        np.testing.assert_array_equal(dense[:, 1, 1], 1.0)
        assert not dense[:, 1, kept].any()
    np.testing.assert_allclose(
        model.score_samples(with_empty), expected.score_samples(X), rtol=1e-5
    )


def test_a_column_without_values_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(two_clusters(), columns=NAMES)
    frame["width"] = np.nan
    with pytest.warns(UserWarning, match="'width'"):
        GaussianMixture(2, allow_nan=True, random_state=0).fit(frame)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_rows_without_values_tell_nothing(covariance_type):
    rng = np.random.default_rng(6)
    X = holed(rng, three_clusters(200)[0], 0.1)
    mixture = reference.random_mixture(rng, covariance_type, 3, 4)
    mixture.means[:] = [[0.0] * 4, [10.0] * 4, [10.0, -10.0] * 2]
    more = np.insert(X, [0, 17, 17, 200], np.nan, axis=0)
    params = starting_at(mixture) | {"reg_covar": 0.0, "tol": 0.0, "max_iter": 300}
    alone, with_them = fitted(X, **params), fitted(more, **params)
    for name in ("weights_", "means_", "covariances_"):
        ours, theirs = getattr(with_them, name), getattr(alone, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(with_them.score(more) * 204, alone.score(X) * 200, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_without_values_are_reported(weighted):
    X = np.insert(three_clusters(60)[0], [3, 9], np.nan, axis=0)
    weights = np.ones(62)
    weights[3] = 0.0 if weighted else 1.0  # a row of weight zero is none
    reported = f"{1 if weighted else 2} of the 62 rows of X have no value"
    with pytest.warns(UserWarning, match=reported):
        GaussianMixture(2, allow_nan=True, random_state=0).fit(X, sample_weight=weights)


def test_components_need_rows_with_values():
    X = np.full((9, 2), np.nan)
    X[:2] = [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match=r"n_components = 3, n_samples = 2"):
        GaussianMixture(3, allow_nan=True).fit(X)
