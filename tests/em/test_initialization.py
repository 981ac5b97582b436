"""Where EM starts: the four searches, subsamples, weights, duplicates, and given parameters."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from gaussmix import ConvergenceWarning
from gaussmix._em import initialization
from gaussmix._em.initialization import DistinctStarts, initial_parameters, plus_plus
from gaussmix._estep import accumulation, kmeans
from gaussmix._estep.data import LocalData
from gaussmix._mstep.maximize import maximize
from gaussmix._parameters.mixture import MixtureParameters
from gaussmix._rows.array_rows import Rows
from support import reference
from support.families import COVARIANCE_TYPES

INIT_PARAMS = ["kmeans", "k-means++", "random", "random_from_data"]


def start(X, n_components, covariance_type="full", sample_weight=None, seed=0, **options):
    options = {"init_params": "kmeans", "reg_covar": 1e-6} | options
    rows = Rows(X, sample_weight)
    return initial_parameters(
        LocalData(rows),
        n_components,
        covariance_type,
        random_state=np.random.RandomState(seed),
        scan=rows.scan(),
        **options,
    )


def clusters(n=600, separation=12.0, seed=0):
    """Three round clusters of equal size, far apart, in random order; rows and their cluster."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    rng.shuffle(label)
    centres = separation * np.array([[0, 0], [1, 0], [0, 1]])
    return rng.normal(size=(n, 2)) + centres[label], label


def assert_finds(parameters, X, label, rtol=1e-9):
    """The parameters are those of the labelled clusters, in some order."""
    order = np.lexsort(parameters.means.T)
    means = np.array([X[label == k].mean(axis=0) for k in range(3)])
    expected = np.lexsort(means.T)
    np.testing.assert_allclose(parameters.means[order], means[expected], rtol=rtol, atol=rtol)
    share = np.bincount(label) / len(label)
    np.testing.assert_allclose(parameters.weights[order], share[expected], rtol=rtol)


def hard_statistics(X, centres, covariance_type, reg_covar):
    """The M-step under hard assignment to the nearest centre, by the reference."""
    distances = ((X[:, None] - centres) ** 2).sum(axis=2)
    shares = np.eye(len(centres))[distances.argmin(axis=1)]
    sums = reference.sums_about(X, shares, centres, covariance_type)
    statistics = reference.Statistics(*sums, centres, np.nan)
    return reference.maximize(statistics, covariance_type, reg_covar)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_kmeans_finds_clusters_and_takes_one_m_step(covariance_type):
    X, label = clusters()
    parameters = start(X, 3, covariance_type, reg_covar=0.25)
    assert_finds(parameters, X, label)
    expected = hard_statistics(X, parameters.means, covariance_type, 0.25)
    np.testing.assert_allclose(parameters.covariances, expected.covariances, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("init_params", ["k-means++", "random_from_data"])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_seeds_are_rows_and_claim_the_rows_nearest_to_them(init_params, covariance_type):
    X = np.random.default_rng(3).normal(size=(200, 3))
    seeds = []

    def spy(rows, centres, covariance_type):
        seeds.append(centres)
        return accumulate_nearest(rows, centres, covariance_type)

    accumulate_nearest = accumulation.accumulate_nearest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accumulation, "accumulate_nearest", spy)
        parameters = start(X, 4, covariance_type, init_params=init_params)
    (centres,) = seeds
    assert all((centre == X).all(axis=1).any() for centre in centres)
    assert len(np.unique(centres, axis=0)) == 4
    expected = hard_statistics(X, centres, covariance_type, 1e-6)
    np.testing.assert_allclose(parameters.weights, expected.weights, rtol=1e-12)
    np.testing.assert_allclose(parameters.means, expected.means, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(parameters.covariances, expected.covariances, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_same_clusters_in_another_order_are_the_same_start(covariance_type):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) * [1e-4, 1e4]
    label = rng.integers(0, 3, 300)

    def from_labels(label):
        shares = np.eye(3)[label]
        sums = accumulation.accumulate_responsibilities(
            Rows(X), lambda a, b: shares[a:b], 3, covariance_type
        )
        return maximize(sums, 0.0)

    starts = DistinctStarts(Rows(X).scan())
    assert not starts.repeats(from_labels(label))
    for order in itertools.permutations(range(3)):
        assert starts.repeats(from_labels(np.array(order)[label]))
    # One row in another cluster, or two that have changed places, make another start.
    moved = label.copy()
    moved[0] = (label[0] + 1) % 3
    assert not starts.repeats(from_labels(moved))
    swapped = label.copy()
    other = np.flatnonzero(label != label[0])[0]
    swapped[[0, other]] = label[[other, 0]]
    assert not starts.repeats(from_labels(swapped))


def test_components_whose_coordinates_are_paired_otherwise_are_another_start():
    X = np.array([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    starts = DistinctStarts(Rows(X).scan())
    for means in (X[:2], X[2:]):
        parameters = MixtureParameters.from_covariances(
            "spherical", np.full(2, 0.5), means, np.ones(2)
        )
        assert not starts.repeats(parameters)


def test_a_start_with_fewer_components_is_another_start():
    """As where a component has collapsed and was dropped."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    starts = DistinctStarts(Rows(X).scan())
    for k in (3, 2, 1):
        parameters = MixtureParameters.from_covariances(
            "spherical", np.full(k, 1 / k), X[:k], np.ones(k)
        )
        assert not starts.repeats(parameters)
        assert starts.repeats(parameters)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_random_responsibilities_come_from_one_stream(covariance_type):
    X = np.random.default_rng(3).normal(size=(500, 2)) + 7
    parameters = start(X, 3, covariance_type, init_params="random", seed=5)
    shares = np.random.RandomState(5).uniform(size=(500, 3))
    shares /= shares.sum(axis=1, keepdims=True)
    shift = np.tile(X.mean(axis=0), (3, 1))
    sums = reference.sums_about(X, shares, shift, covariance_type)
    expected = reference.maximize(reference.Statistics(*sums, shift, 0.0), covariance_type, 1e-6)
    np.testing.assert_allclose(parameters.weights, expected.weights, rtol=1e-12)
    np.testing.assert_allclose(parameters.means, expected.means, rtol=1e-12)
    np.testing.assert_allclose(parameters.covariances, expected.covariances, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_components", [2, 5, 9])
def test_seeds_and_kmeans_draw_as_scikit_learn_does(n_components):
    cluster = pytest.importorskip("sklearn.cluster")
    X = np.random.default_rng(n_components).normal(size=(400, 3))
    expected, _ = cluster.kmeans_plusplus(X, n_components, random_state=11)
    centres, n_distinct = plus_plus(Rows(X), n_components, np.random.RandomState(11))
    np.testing.assert_array_equal(centres, expected)
    assert n_distinct == n_components

    kmeans = cluster.KMeans(n_components, n_init=1, random_state=11).fit(X)
    parameters = start(X, n_components, seed=11)
    means = [X[kmeans.labels_ == k].mean(axis=0) for k in range(n_components)]
    np.testing.assert_allclose(parameters.means, means, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_the_seed_decides(init_params):
    X = np.random.default_rng(0).normal(size=(300, 2))
    one, again = (start(X, 3, init_params=init_params, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.means, again.means)
    other = start(X, 3, init_params=init_params, seed=2)
    assert not np.array_equal(np.sort(one.means, axis=0), np.sort(other.means, axis=0))


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_a_generator_works_like_a_random_state(init_params):
    X, _ = clusters()
    rows = Rows(X)
    parameters = initial_parameters(
        LocalData(rows),
        3,
        "diag",
        init_params=init_params,
        reg_covar=1e-6,
        random_state=np.random.default_rng(0),
        scan=rows.scan(),
    )
    assert np.isfinite(parameters.means).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_large_data_is_searched_on_a_subsample(monkeypatch, init_params, weighted):
    """Only a subsample is passed over more than once, and the clusters are found."""
    monkeypatch.setattr(initialization, "SUBSAMPLE_ROWS", 100)
    monkeypatch.setattr(initialization, "SUBSAMPLE_ROWS_PER_COMPONENT", 20)
    X, label = clusters(n=5000)
    sample_weight = np.random.default_rng(0).integers(0, 3, 5000) * 1.0 if weighted else None
    sizes = []

    def recorded(function):
        def call(rows, *args):
            sizes.append(rows.n_samples)
            return function(rows, *args)

        return call

    for name in ("lloyd", "squared_distances"):
        function = getattr(kmeans, name)
        monkeypatch.setattr(kmeans, name, recorded(function))
    parameters = start(X, 3, sample_weight=sample_weight, init_params=init_params)
    assert set(sizes) == {160}
    if weighted:
        kept = np.repeat(np.arange(5000), sample_weight.astype(int))
        X, label = X[kept], label[kept]
    assert_finds(parameters, X, label)


@pytest.mark.parametrize("n_positive", [120, 400])
def test_subsamples_hold_distinct_rows_of_positive_weight(monkeypatch, n_positive):
    monkeypatch.setattr(initialization, "SUBSAMPLE_ROWS", 150)
    monkeypatch.setattr(initialization, "SUBSAMPLE_ROWS_PER_COMPONENT", 0)
    X = np.arange(1000.0)[:, None]
    sample_weight = np.zeros(1000)
    sample_weight[np.random.default_rng(0).choice(1000, n_positive, replace=False)] = 2.0
    rows = Rows(X, sample_weight)
    sample = initialization._subsample(LocalData(rows), 3, np.random.RandomState(0))
    chosen = np.asarray(sample.X)[:, 0].astype(int)
    assert len(np.unique(chosen)) == len(chosen) == min(n_positive, 150)
    assert (sample_weight[chosen] == 2).all()
    np.testing.assert_array_equal(sample.sample_weight, 2)


def test_one_index_from_each_strip():
    for n, size in [(1000, 7), (10, 10), (11, 10)]:
        indices = initialization._one_per_strip(n, size, np.random.RandomState(0))
        for i, index in enumerate(indices):
            assert i * n // size <= index < (i + 1) * n // size


def test_random_rows_of_very_many(monkeypatch):
    monkeypatch.setattr(initialization, "PERMUTATION_ROWS", 50)
    X = np.random.default_rng(3).normal(size=(200, 2))
    data = LocalData(Rows(X))
    centres = initialization._random_rows(data, 20, np.random.RandomState(0), data.scan())
    assert len(np.unique(centres, axis=0)) == 20
    assert all((centre == X).all(axis=1).any() for centre in centres)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
@pytest.mark.parametrize("seed", range(5))
def test_rows_of_weight_zero_do_not_exist(init_params, seed):
    X, _ = clusters()
    far = np.full((200, 2), 1e6) + np.arange(200)[:, None]
    sample_weight = np.concatenate([np.ones(600), np.zeros(200)])
    both = np.concatenate([X, far])
    parameters = start(both, 3, "diag", sample_weight, seed, init_params=init_params)
    assert np.abs(parameters.means).max() < 20
    assert parameters.covariances.max() < 200


def test_heavy_rows_are_seeds_more_often():
    X = np.arange(10.0)[:, None]
    sample_weight = np.array([99.0] + [0.125] * 9)
    first = [
        plus_plus(Rows(X, sample_weight), 1, np.random.RandomState(seed))[0][0, 0]
        for seed in range(60)
    ]
    assert np.mean(np.array(first) == 0) > 0.9


@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fewer_distinct_rows_than_components(init_params, covariance_type):
    X = np.repeat([[0.0, 1.0], [5.0, 2.0]], 10, axis=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parameters = start(X, 4, covariance_type, init_params=init_params, reg_covar=1e-3)
    messages = [str(warning.message) for warning in caught]
    if init_params == "kmeans":
        assert len(messages) == 1
        assert issubclass(caught[0].category, ConvergenceWarning)
        assert "distinct clusters (2) found smaller than n_clusters (4)" in messages[0]
    else:
        assert messages == []
    for array in (parameters.weights, parameters.means, parameters.precisions_cholesky):
        assert np.isfinite(array).all()
    assert (parameters.weights > 0).all()


def test_empty_clusters_move_to_the_farthest_rows():
    X = np.array([[0.0], [1.0], [2.0], [100.0], [200.0]])
    sample_weight = np.array([1.0, 1, 1, 1, 0])
    centres = np.array([[1.0], [1e5], [1e6]])
    found = initialization._lloyd(Rows(X), centres.copy(), 50, 0.0)
    np.testing.assert_array_equal(np.sort(found.ravel()), [1, 100, 200])
    found = initialization._lloyd(Rows(X, sample_weight), centres[:2].copy(), 50, 0.0)
    np.testing.assert_array_equal(np.sort(found.ravel()), [1, 100])
    # Nowhere to go: all rows are at the first centre.
    found = initialization._lloyd(Rows(np.ones((4, 1))), np.array([[1.0], [3.0]]), 50, 0.0)
    np.testing.assert_array_equal(found, [[1], [3]])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_given_parameters_are_taken_as_they_are(covariance_type):
    X, _ = clusters()
    mixture = reference.random_mixture(np.random.default_rng(0), covariance_type, 3, 2)
    factors = reference.precision_factors(covariance_type, mixture.covariances)
    if covariance_type in ("full", "tied"):
        precisions = factors @ np.swapaxes(factors, -1, -2)
    else:
        precisions = factors**2
    found = start(X, 3, covariance_type)
    given = {"weights": mixture.weights, "means": mixture.means, "precisions": precisions}
    for names in [("weights",), ("means",), ("precisions",), ("weights", "means"), tuple(given)]:
        parameters = start(X, 3, covariance_type, **{name: given[name] for name in names})
        for name in ("weights", "means"):
            expected = given[name] if name in names else getattr(found, name)
            np.testing.assert_array_equal(getattr(parameters, name), expected)
        if "precisions" in names:
            np.testing.assert_allclose(parameters.covariances, mixture.covariances, rtol=1e-9)
            np.testing.assert_allclose(
                parameters.precisions_cholesky, factors, rtol=1e-9, atol=1e-12
            )
        else:
            np.testing.assert_array_equal(parameters.covariances, found.covariances)


def test_nothing_is_searched_when_all_is_given(monkeypatch):
    def forbidden(*args):
        raise AssertionError("a search was made")

    monkeypatch.setattr(accumulation, "accumulate_nearest", forbidden)
    for name in ("squared_distances", "lloyd"):
        monkeypatch.setattr(kmeans, name, forbidden)
    X, _ = clusters()
    parameters = start(
        X, 1, "diag", weights=np.ones(1), means=np.zeros((1, 2)), precisions=np.ones((1, 2))
    )
    np.testing.assert_array_equal(parameters.covariances, 1)
