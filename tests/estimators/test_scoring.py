"""Scoring and sampling: right values, current ones, and nothing written."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, NotFittedError
from support import reference
from support.assertions import assert_state, state_of
from support.models import SCORING, mixture_of

SCORED_ARRAYS = ["weights_", "means_", "precisions_cholesky_"]


@pytest.fixture
def model(covariance_type, old_faithful):
    return GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(old_faithful)


# --- scoring ------------------------------------------------------------------------------------


def test_scores_agree_with_the_reference(model, old_faithful):
    mixture = mixture_of(model)
    density = reference.log_densities(mixture, old_faithful)
    proba = reference.responsibilities(mixture, old_faithful)
    np.testing.assert_allclose(model.score_samples(old_faithful), density, rtol=1e-11)
    np.testing.assert_allclose(model.predict_proba(old_faithful), proba, rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(model.predict(old_faithful), proba.argmax(axis=1))
    assert model.score(old_faithful) == pytest.approx(density.mean(), rel=1e-12)
    p, n = model.n_parameters(), len(old_faithful)
    assert model.aic(old_faithful) == pytest.approx(-2 * density.sum() + 2 * p, rel=1e-12)
    bic = -2 * density.sum() + p * np.log(n)
    assert model.bic(old_faithful) == pytest.approx(bic, rel=1e-12)
    icl = bic - 2 * np.log(proba.max(axis=1)).sum()
    assert model.icl(old_faithful) == pytest.approx(icl, rel=1e-11)


def test_sums_over_blocks(monkeypatch, model, old_faithful):
    expected = [model.score(old_faithful), model.bic(old_faithful), model.icl(old_faithful)]
    monkeypatch.setattr(gaussmix._estep.scoring, "BLOCK_VALUES", 100)
    found = [model.score(old_faithful), model.bic(old_faithful), model.icl(old_faithful)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_icl_is_the_negative_of_mclusts(old_faithful):
    """mclust 6.1.3's vignette prints, for EEE,3, these parameters, BIC and ICL.

    Its criteria belong to the parameters one step earlier, hence the tolerance. The criterion with
    the entropy of all responsibilities would be 2399.
    """
    model = GaussianMixture.from_parameters(
        [0.1656784, 0.3563696, 0.4779520],
        [[3.793066, 77.521051], [2.037596, 54.491158], [4.463245, 80.833439]],
        [[0.07825448, 0.48019785], [0.48019785, 33.7671464]],
    )
    assert model.covariance_type == "tied"
    assert model.bic(old_faithful) == pytest.approx(2314.316, abs=0.02)
    assert model.icl(old_faithful) == pytest.approx(2357.824, abs=0.1)


@pytest.mark.parametrize(
    ("covariance_type", "expected"), [("full", 41), ("tied", 26), ("diag", 21), ("spherical", 13)]
)
def test_number_of_parameters(covariance_type, expected):
    X = np.random.default_rng(0).normal(size=(50, 5))
    model = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert model.n_parameters() == model._n_parameters() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_can_be_written_to_given_arrays(old_faithful, dtype):
    X = old_faithful.astype(dtype)
    model = GaussianMixture(2, random_state=0).fit(X)
    for name, shape, kind in [
        ("score_samples", (272,), dtype),
        ("predict_proba", (272, 2), dtype),
        ("predict", (272,), np.intp),
    ]:
        method = getattr(model, name)
        out = np.zeros(shape, dtype=kind)
        assert method(X, out=out) is out
        np.testing.assert_array_equal(out, method(X))
        for wrong in (
            np.zeros((271, *shape[1:]), dtype=kind),
            np.zeros(shape, dtype=np.int8),
            np.zeros((544, *shape[1:]), dtype=kind)[::2],
            out.tolist(),
        ):
            with pytest.raises(ValueError, match="out"):
                method(X, out=wrong)


def test_a_failed_score_leaves_the_given_array_alone(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    X = old_faithful.copy()
    X[200, 1] = np.nan
    out = np.full(272, 7.0)
    with pytest.raises(ValueError, match="NaN"):
        model.score_samples(X, out=out)
    np.testing.assert_array_equal(out, 7.0)


def test_scoring_writes_nothing(model, old_faithful):
    state = state_of(model)
    for name in SCORING:
        getattr(model, name)(old_faithful)
    model.accumulate(old_faithful)
    assert_state(model, state)


def test_attributes_set_by_hand_are_used(old_faithful):
    model = GaussianMixture(2, covariance_type="diag")
    model.weights_ = np.array([0.25, 0.75])
    model.means_ = [[2.0, 50.0], [4.0, 80.0]]
    model.precisions_cholesky_ = np.array([[1.0, 0.2], [2.0, 0.1]], order="F")
    covariances = model.precisions_cholesky_**-2.0
    mixture = reference.Mixture("diag", model.weights_, np.array(model.means_), covariances)
    expected = reference.log_densities(mixture, old_faithful)
    np.testing.assert_allclose(model.score_samples(old_faithful), expected, rtol=1e-11)
    model.weights_ = np.array([0.5, 0.5])
    assert not np.allclose(model.score_samples(old_faithful), expected)
    model.means_ = np.zeros((3, 2))
    with pytest.raises(ValueError, match="do not fit together"):
        model.predict(old_faithful)


def rewritten(model):
    """A model that never scored, with the parameters another has now."""
    twin = GaussianMixture(**model.get_params())
    for name in SCORED_ARRAYS:
        setattr(twin, name, np.array(getattr(model, name)))
    return twin


def assert_scores_are_current(model, X):
    """Scores are, to the last bit, those of the parameters that the model has now."""
    twin = rewritten(model)
    for rows in (X, X[:1]):
        for name in ("score_samples", "predict", "predict_proba"):
            expected = getattr(twin, name)(rows)
            np.testing.assert_array_equal(getattr(model, name)(rows), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SCORED_ARRAYS)
def test_arrays_changed_in_place_are_used(covariance_type, old_faithful, dtype, name):
    X = old_faithful.astype(dtype)
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    before = model.score_samples(X)
    array = getattr(model, name)
    was = array.copy()
    if name == "weights_":
        array[:] = np.roll(array, 1)  # a sum of one
    else:
        array.flat[0] *= 1.25
    assert_scores_are_current(model, X)
    assert not np.array_equal(model.score_samples(X), before)
    array[...] = was
    np.testing.assert_array_equal(model.score_samples(X), before)
    array.flat[-1] = np.nextafter(array.flat[-1], dtype(9))  # one bit, in the last entry
    assert_scores_are_current(model, X)


def test_arrays_that_are_replaced_are_used(model, old_faithful):
    before = model.score_samples(old_faithful)
    means = model.means_
    model.means_ = means + 0.5
    assert_scores_are_current(model, old_faithful)
    assert not np.array_equal(model.score_samples(old_faithful), before)
    model.means_ = means.astype(np.float32)
    assert_scores_are_current(model, old_faithful)
    model.means_ = means.tolist()
    np.testing.assert_array_equal(model.score_samples(old_faithful), before)
    model.means_[0][0] += 1.0
    assert_scores_are_current(model, old_faithful)
    model.means_ = np.asfortranarray(means)
    np.testing.assert_array_equal(model.score_samples(old_faithful), before)
    model.means_[0, 0] += 1.0
    assert_scores_are_current(model, old_faithful)


def test_the_same_bytes_in_another_shape_or_type_are_noticed(old_faithful):
    model = GaussianMixture(3, covariance_type="spherical", random_state=0).fit(old_faithful)
    model.predict(old_faithful)
    means = model.means_
    model.means_ = means.reshape(2, 3)
    with pytest.raises(ValueError, match="do not fit together"):
        model.predict(old_faithful)
    model.means_ = means
    model.predict(old_faithful)
    weights = model.weights_
    model.weights_ = weights.view(np.int64)
    with pytest.raises(ValueError, match=r"weights_\[0\] = 4\."):
        model.predict(old_faithful)
    model.weights_ = weights
    model.predict(old_faithful)
    del model.weights_
    with pytest.raises(NotFittedError):
        model.predict(old_faithful)


def test_another_covariance_type_after_scoring_is_noticed(old_faithful):
    model = GaussianMixture(2, covariance_type="tied", random_state=0).fit(old_faithful)
    model.predict(old_faithful)
    model.covariance_type = "diag"  # two components and two columns: of the same shape
    model.precisions_cholesky_[:] = np.abs(model.precisions_cholesky_) + 0.1
    assert_scores_are_current(model, old_faithful)


def test_scores_after_a_refit_and_an_update(model, old_faithful):
    model.predict(old_faithful)
    model.fit(old_faithful[::2])
    assert_scores_are_current(model, old_faithful)
    model.update(model.accumulate(old_faithful))
    assert_scores_are_current(model, old_faithful)
    fixed = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=model.covariance_type
    )
    fixed.predict(old_faithful)
    fixed.means_ -= 1.0
    assert_scores_are_current(fixed, old_faithful)


def test_copies_carry_nothing_kept_for_scoring(model, old_faithful):
    pickled = pickle.dumps(model)
    expected = model.score_samples(old_faithful)
    assert pickle.dumps(model) == pickled
    for twin in (pickle.loads(pickled), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.score_samples(old_faithful), expected)
        twin.means_ += 1.0
        assert_scores_are_current(twin, old_faithful)
        np.testing.assert_array_equal(model.score_samples(old_faithful), expected)
    shallow = copy.copy(model)  # shares the arrays
    shallow.score_samples(old_faithful)
    model.means_ += 1.0
    assert_scores_are_current(shallow, old_faithful)


def test_large_parameters_are_not_kept(monkeypatch, model, old_faithful):
    expected = model.predict_proba(old_faithful)
    model = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(gaussmix._estimators.kept, "MOST_KEPT", 0)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict_proba(old_faithful), expected)
        assert model._kept.scorer is None


def test_threads_score_one_model_while_it_changes(model, old_faithful):
    """Each result is that of the parameters before or after a change, never of a mixture."""
    choices = [model.means_, model.means_ + 1.0]
    expected = [rewritten(model).score_samples(old_faithful)]
    model.means_ = choices[1]
    expected.append(rewritten(model).score_samples(old_faithful))
    wrong = []

    def score():
        for _ in range(300):
            found = model.score_samples(old_faithful)
            if not any(np.array_equal(found, values) for values in expected):
                wrong.append(found)

    threads = [threading.Thread(target=score) for _ in range(4)]
    for thread in threads:
        thread.start()
    for means in itertools.cycle(choices):
        model.means_ = means
        if not any(thread.is_alive() for thread in threads):
            break
    assert not wrong
    assert_scores_are_current(model, old_faithful)


def test_a_change_of_covariance_type_after_the_fit_is_noticed(old_faithful):
    model = GaussianMixture(3, random_state=0).fit(old_faithful)
    with pytest.raises(ValueError, match="Fit again"):
        model.set_params(covariance_type="spherical").predict(old_faithful)


# --- sampling -----------------------------------------------------------------------------------


def test_samples_have_the_moments_of_the_components(model):
    n = 40_000
    X, y = model.sample(n, random_state=1)
    assert X.shape == (n, 2)
    assert y.shape == (n,)
    dense = reference.dense_covariances(mixture_of(model))
    for k in range(3):
        rows = X[y == k]
        assert len(rows) / n == pytest.approx(model.weights_[k], abs=0.01)
        scale = np.sqrt(np.diag(dense[k]))
        np.testing.assert_allclose(rows.mean(axis=0), model.means_[k], atol=0.05 * scale.max())
        error = (np.cov(rows.T) - dense[k]) / np.outer(scale, scale)
        assert np.abs(error).max() < 0.06


def test_samples_come_in_random_order(model):
    _, y = model.sample(2000, random_state=0)
    assert (np.diff(y) < 0).sum() > 300


def test_an_int_random_state_gives_a_stream_of_samples(old_faithful):
    def draws():
        model = GaussianMixture(2, random_state=0).fit(old_faithful)
        return [model.sample(4)[0] for _ in range(3)]

    first, second = draws(), draws()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[1])
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    model.sample(4)
    np.testing.assert_array_equal(model.fit(old_faithful).sample(4)[0], first[0])
    one, other = (model.sample(4, random_state=5)[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    model.set_params(random_state=1)
    assert not np.array_equal(model.sample(4)[0], first[0])


def test_a_generator_as_random_state_runs_on(old_faithful):
    for make in (np.random.RandomState, np.random.default_rng):
        model = GaussianMixture(2, random_state=make(0)).fit(old_faithful)
        assert not np.array_equal(model.sample(4)[0], model.sample(4)[0])
        one, other = (model.sample(4, random_state=make(5))[0] for _ in range(2))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3"])
def test_sample_names_a_bad_number_of_rows(old_faithful, n_samples):
    model = GaussianMixture(random_state=0).fit(old_faithful)
    with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
        model.sample(n_samples)
