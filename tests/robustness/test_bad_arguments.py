"""Sample weights and starting values that cannot be, and models that cannot be saved: one section
for each row of docs/bad-input.md.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from support.assertions import assert_sound, nothing_lost
from support.families import COVARIANCE_TYPES
from support.models import FITTED_ARRAYS, FITTING
from support.rows import two_clusters


@pytest.fixture
def model():
    return GaussianMixture(2, random_state=0).fit(two_clusters())


# --- 29: sample weights --------------------------------------------------------------------------


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
    X = 1e3 * two_clusters(300)
    expected = GaussianMixture(2, random_state=0).fit(X)
    model = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.full(300, weight))
    np.testing.assert_allclose(
        model.means_, expected.means_, rtol=1e-3 if weight < 1e-310 else 1e-9
    )


def test_random_rows_under_extreme_weights():
    model = GaussianMixture(2, init_params="random_from_data", random_state=0)
    with pytest.warns(UserWarning, match="X is constant"):
        model.fit(two_clusters(600), sample_weight=np.r_[1e10, np.full(599, 1e-320)])
    assert np.isfinite(model.means_).all()
    with pytest.raises(ValueError, match=r"n_components.* n_samples = 1"):
        model.fit(two_clusters(600), sample_weight=np.r_[1e300, np.full(599, 1e-300)])


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
    X = two_clusters()
    # Without any weight a piece is still one of several.
    allowed = [] if any(np.ravel(weights)) else ["accumulate"]
    for method in {*FITTING, "accumulate"}.difference(allowed):
        with nothing_lost(model, X), pytest.raises(ValueError) as caught:
            getattr(model, method)(X, sample_weight=weights)
        for part in parts:
            assert part in str(caught.value), method


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_row_29_weight_zero_is_no_row(covariance_type, init_params):
    X = two_clusters(200)
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
    X = two_clusters(200)
    weights = np.random.default_rng(1).integers(0, 4, size=200)
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": [[0.0] * 3, [6.0] * 3],
        "precisions_init": [np.eye(3)] * 2,
    }
    first = GaussianMixture(2, **start).fit(X, sample_weight=weights)
    second = GaussianMixture(2, **start).fit(np.repeat(X, weights, axis=0))
    assert first.n_iter_ == second.n_iter_
    for name in FITTED_ARRAYS:
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-10, 3.0, 1e300])
def test_row_29_only_proportions_matter(scale):
    X = two_clusters(200)
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
    X = two_clusters()
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
    model = GaussianMixture(2, **start).fit(two_clusters())
    for name, value in copies.items():
        assert getattr(model, name) is start[name]
        np.testing.assert_array_equal(start[name], value)


# --- 38 and 39 in short: a model's own file (the reader's tests are in test_persistence.py) ------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_saved_model_comes_back(tmp_path, covariance_type, dtype):
    X = two_clusters(dtype=dtype)
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
