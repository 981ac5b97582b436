"""Data that keeps coming: `partial_fit`, selective updates, and components without data."""

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
    InvalidParameterError,
)
from support.models import FITTED_ARRAYS, mixture_of
from support.reference import (
    Mixture,
    Statistics,
    dense_covariances,
    draw,
    maximize,
    random_mixture,
    statistics,
)

SUBSETS = ["w", "m", "c", "wm", "wc", "mc", "wmc"]
NAMED_BY = {"w": FITTED_ARRAYS[:1], "m": FITTED_ARRAYS[1:2], "c": FITTED_ARRAYS[2:]}


class Stepwise:
    """Stepwise EM in plain NumPy, with all moments about the origin.

    `remembered` and `rows` are the weight and the number of the rows in the running statistics.
    """

    def __init__(self, model: GaussianMixture, row_weight: float = 1.0) -> None:
        self.mixture = mixture_of(model)
        self.decay, self.forgetting = model.learning_decay, model.forgetting
        self.reg_covar = model.reg_covar
        self.seen = self.remembered = float(model.n_samples_seen_)
        self.rows = self.seen / row_weight
        self.weight = self.mixture.weights * self.seen
        self.evidence = self.weight.copy()
        self.first = self.weight[:, None] * self.mixture.means
        self.second = self.moments(self.weight)
        if model.covariance_type == "tied":
            self.second = self.second.sum(axis=0)

    def moments(self, weight: np.ndarray) -> np.ndarray:
        """Second moments of each component about the origin, with these weights."""
        means, kind = self.mixture.means, self.mixture.covariance_type
        outer = np.einsum("ki,kj->kij", means, means)
        dense = dense_covariances(self.mixture) - self.reg_covar * np.eye(means.shape[1])
        second = weight[:, None, None] * (dense + outer)
        if kind == "diag":
            return np.einsum("kii->ki", second)
        return np.einsum("kii->k", second) if kind == "spherical" else second

    def step(self, X: np.ndarray, row_weight: np.ndarray | None = None) -> None:
        X = X.astype(float)
        w = float(len(X) if row_weight is None else row_weight.sum())
        factor = self.forgetting
        if factor is None:
            gain = (w / (self.seen + w)) ** self.decay
            factor = (w / gain - w) / self.remembered
        batch = statistics(self.mixture, X, np.zeros_like(self.mixture.means), row_weight)
        self.seen += w
        self.remembered = factor * self.remembered + w
        self.rows = factor * self.rows + len(X)
        self.weight = factor * self.weight + batch.weight
        self.evidence = factor * self.evidence + batch.weight
        self.first = factor * self.first + batch.first
        self.second = factor * self.second + batch.second
        self.maximize()

    def maximize(self) -> None:
        one_row = self.remembered / self.rows
        idle = self.evidence < one_row
        kind, before = self.mixture.covariance_type, self.mixture
        one_each = self.moments(np.full(len(idle), one_row))
        for k in np.flatnonzero(idle):
            if kind == "tied":
                # Its scatter about its own mean stays in the sum: nothing tells it from others'.
                excess = np.outer(self.first[k], self.first[k]) / self.weight[k]
                excess += self.weight[k] * (
                    before.covariances - self.reg_covar * np.eye(self.first.shape[1])
                )
                self.second = self.second - excess + one_each[k]
            else:
                self.second[k] = one_each[k]
            self.weight[k] = one_row
            self.first[k] = one_row * before.means[k]
        stats = Statistics(self.weight, self.first, self.second, np.zeros_like(self.first), 0.0)
        after = maximize(stats, kind, self.reg_covar)
        after.means[idle] = before.means[idle]
        if kind != "tied":
            after.covariances[idle] = before.covariances[idle]
        self.mixture = after


def agree(model: GaussianMixture, expected: Mixture, rtol: float) -> None:
    for name in ("weights", "means", "covariances"):
        found, wanted = getattr(model, name + "_"), getattr(expected, name)
        scale = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * scale, err_msg=name)


def same(a: GaussianMixture, b: GaussianMixture, names: list[str] | None = None) -> None:
    """Equal to the last bit."""
    for name in names or [*FITTED_ARRAYS, "n_samples_seen_", "n_iter_", "lower_bound_"]:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def state_of(model: GaussianMixture) -> bytes:
    return pickle.dumps(vars(model))


def drawn_rows(n: int, K: int = 3, d: int = 2, kind: str = "full", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return draw(rng, random_mixture(rng, kind, K, d), n)


def batches(X: np.ndarray, size: int) -> list[np.ndarray]:
    return [X[i : i + size] for i in range(0, len(X), size)]


def started(X: np.ndarray, n_components: int = 3, **options) -> GaussianMixture:
    """A model after three iterations of `fit`."""
    model = GaussianMixture(n_components, random_state=0, max_iter=3, tol=0, **options)
    with pytest.warns(ConvergenceWarning):
        return model.fit(X)


# --- the steps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [{}, {"learning_decay": 1.0}, {"forgetting": 0.8}], ids=str)
@pytest.mark.parametrize(
    ("dtype", "weighted"), [(np.float64, True), (np.float32, False)], ids=["weighted", "single"]
)
@pytest.mark.parametrize(
    ("K", "d", "size", "n"),
    [
        (3, 2, 1, 40),
        (3, 2, 7, 140),
        (3, 2, 1000, 4000),
        (1, 1, 7, 140),
        (1, 3, 7, 140),
        (3, 1, 1, 40),
    ],
)
def test_steps_are_those_of_stepwise_em(covariance_type, K, d, size, n, dtype, weighted, schedule):
    X = drawn_rows(n + 300, K, d, covariance_type).astype(dtype)
    model = started(X[:300], K, covariance_type=covariance_type, **schedule)
    rng = np.random.default_rng(1)
    expected = None
    for batch in batches(X[300:], size):
        weight = rng.uniform(0.5, 2, len(batch)) if weighted else None
        if expected is None:
            expected = Stepwise(model, 1.0 if weight is None else weight.mean())
        expected.step(batch, weight)
        assert model.partial_fit(batch, sample_weight=weight) is model
    single = dtype == np.float32
    agree(model, expected.mixture, 1e-4 if single else 1e-9)
    np.testing.assert_allclose(
        model.effective_rows_,
        expected.evidence * expected.rows / expected.remembered,
        rtol=1e-3 if single else 1e-9,
    )
    assert model.n_samples_seen_ == pytest.approx(expected.seen)
    assert type(model.n_samples_seen_) is (float if weighted else int)
    assert model.means_.dtype == dtype
    assert model.n_iter_ == 3 + -(-n // size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_first_batch_is_a_fit_of_one_iteration(covariance_type, dtype):
    X = drawn_rows(400).astype(dtype)
    options = {"covariance_type": covariance_type, "random_state": 3, "n_init": 2}
    online = GaussianMixture(3, **options).partial_fit(X)
    with pytest.warns(ConvergenceWarning):
        fitted = GaussianMixture(3, max_iter=1, **options).fit(X)
    same(online, fitted)
    assert online.converged_ is False
    assert online.effective_rows_.sum() == pytest.approx(400)
    # What follows is the same too: `fit` leaves what `partial_fit` would remember.
    same(online.partial_fit(X[:50]), fitted.partial_fit(X[:50]))


def test_from_parameters_a_first_batch_is_one_em_step(covariance_type):
    X = drawn_rows(500)
    weight = np.random.default_rng(0).uniform(0.5, 2, 500)
    start = started(X, covariance_type=covariance_type)
    given = [getattr(start, name) for name in FITTED_ARRAYS[:3]]
    make = GaussianMixture.from_parameters
    for options in ({}, {"forgetting": 0.5}, {"learning_decay": 1.0}):
        online = make(*given, covariance_type=covariance_type, **options)
        assert online.n_samples_seen_ == 0
        batch = make(*given, covariance_type=covariance_type)
        batch.update(batch.accumulate(X, sample_weight=weight))
        online.partial_fit(X, sample_weight=weight)
        same(online, batch, [*FITTED_ARRAYS, "n_iter_", "lower_bound_"])
        assert online.n_samples_seen_ == weight.sum() == batch.n_samples_seen_


@pytest.mark.parametrize("parts", [1, 2, 13])
def test_with_decay_one_all_rows_count_alike(covariance_type, parts):
    """Statistics of all batches, each under the parameters of its own time, with weight one."""
    X = drawn_rows(1300)
    model = started(X, covariance_type=covariance_type, learning_decay=1.0)
    model.n_samples_seen_ = 0
    total, twin = [], copy.deepcopy(model)
    for batch in np.split(X, parts):
        total.append(model.accumulate(batch))
        model.partial_fit(batch)
    twin.update(gaussmix.SufficientStatistics.merge(total))
    for name in FITTED_ARRAYS:
        np.testing.assert_allclose(getattr(model, name), getattr(twin, name), rtol=1e-11)
    np.testing.assert_allclose(model.effective_rows_.sum(), 1300)


def test_forgetting_is_an_explicit_weighting(covariance_type):
    X = drawn_rows(1200)
    model = started(X, covariance_type=covariance_type, forgetting=0.7)
    model.n_samples_seen_ = 0
    parts = []
    for batch in np.split(X, 6):
        parts.append(model.accumulate(batch))
        twin = copy.deepcopy(model)
        model.partial_fit(batch)
        weights = 0.7 ** np.arange(len(parts))[::-1]
        twin.update(sum(w * part for w, part in zip(weights, parts, strict=True)))
        for name in FITTED_ARRAYS:
            np.testing.assert_allclose(getattr(model, name), getattr(twin, name), rtol=1e-10)
    assert model.effective_rows_.sum() == pytest.approx(200 * (1 - 0.7**6) / (1 - 0.7))


def test_only_proportions_of_weights_matter(covariance_type):
    X = drawn_rows(900)
    weight = np.random.default_rng(2).uniform(0.5, 2, 900)
    plain, scaled = (started(X[:300], covariance_type=covariance_type) for _ in range(2))
    scaled.n_samples_seen_ *= 2.0**-20
    for rows, w in zip(np.split(X[300:], 6), np.split(weight[300:], 6), strict=True):
        plain.partial_fit(rows, sample_weight=w)
        scaled.partial_fit(rows, sample_weight=w * 2.0**-20)
    for name in (*FITTED_ARRAYS, "effective_rows_"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(plain, name), rtol=1e-9)


def test_rows_of_weight_zero_are_no_rows():
    X = drawn_rows(600)
    model = started(X[:300])
    twin = copy.deepcopy(model)
    model.partial_fit(X[300:])
    twin.partial_fit(
        np.concatenate([X[300:], X[:50]]), sample_weight=np.repeat([1.0, 0.0], [300, 50])
    )
    agree(twin, Mixture("full", model.weights_, model.means_, model.covariances_), 1e-12)
    np.testing.assert_allclose(twin.effective_rows_, model.effective_rows_, rtol=1e-12)
    assert twin.n_samples_seen_ == model.n_samples_seen_ == 600


@pytest.mark.parametrize("forgetting", [None, 0.5])
@pytest.mark.parametrize("weight", [None, 0.0])
def test_a_batch_without_rows_or_weight_changes_nothing(forgetting, weight):
    X = drawn_rows(300)
    model = started(X, forgetting=forgetting).partial_fit(X[:20])
    before = state_of(model)
    model.partial_fit(X[:0] if weight is None else X[:7], sample_weight=weight)
    assert state_of(model) == before


def test_the_attributes_of_a_course():
    X = drawn_rows(600)
    model = started(X[:300])
    bounds = list(model.lower_bounds_)
    score = model.score(X[300:])
    model.partial_fit(X[300:])
    assert model.lower_bound_ == pytest.approx(score, rel=1e-12)
    assert model.lower_bounds_ == bounds
    assert model.converged_ is False
    assert model.n_iter_ == 4
    # A fit forgets what was remembered.
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    assert model.n_samples_seen_ == 600
    assert not hasattr(model, "effective_rows_")
    same(model, started(X))


def test_parameters_set_by_hand_are_worth_the_rows_seen():
    X = drawn_rows(900)
    model = started(X[:300]).partial_fit(X[300:600])
    for change in ("means_", "weights_"):
        moved, expected = copy.deepcopy(model), copy.deepcopy(model)
        value = getattr(model, change)[::-1].copy()
        getattr(moved, change)[...] = value  # in place
        setattr(expected, change, value)
        del expected._running
        same(moved.partial_fit(X[600:]), expected.partial_fit(X[600:]))
        reference = copy.deepcopy(model)
        setattr(reference, change, value)
        plain = Stepwise(reference)
        plain.step(X[600:])
        agree(moved, plain.mixture, 1e-9)


def test_how_much_given_parameters_are_worth_can_be_said():
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0], learning_decay=1.0, reg_covar=0)
    model.n_samples_seen_ = 30
    model.partial_fit(np.full((10, 1), 4.0))
    np.testing.assert_allclose(model.means_, [[1.0]])
    np.testing.assert_allclose(model.covariances_, [(30 * 1 + 10 * 16) / 40 - 1])


def test_batches_come_from_wherever_rows_do(tmp_path):
    X = drawn_rows(600)
    for number, batch in enumerate(np.split(X, 3)):
        np.save(tmp_path / f"{number}.npy", batch)
    online, files = (GaussianMixture(3, random_state=0) for _ in range(2))
    for number, batch in enumerate(np.split(X, 3)):
        online.partial_fit(batch)
        files.partial_fit(tmp_path / f"{number}.npy")
    same(online, files, [*FITTED_ARRAYS, "n_samples_seen_", "effective_rows_"])


# --- selective updates --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("update", SUBSETS)
@pytest.mark.parametrize("method", ["partial_fit", "update"])
def test_what_is_not_chosen_stays_bit_for_bit(covariance_type, update, method, dtype):
    X = drawn_rows(600).astype(dtype)
    model = started(X[:300], covariance_type=covariance_type)
    before = copy.deepcopy(model)
    for batch in np.split(X[300:], 3):
        if method == "update":
            model.update(model.accumulate(batch), update=update[::-1])
        else:
            model.partial_fit(batch, update=update[::-1])
    for letter, names in NAMED_BY.items():
        for name in names:
            found, old = getattr(model, name), getattr(before, name)
            assert found.dtype == old.dtype == dtype
            assert (found.tobytes() == old.tobytes()) == (letter not in update), name


@pytest.mark.parametrize("update", SUBSETS)
def test_what_is_chosen_is_that_of_the_m_step(covariance_type, update):
    X = drawn_rows(600)
    model = started(X[:300], covariance_type=covariance_type, reg_covar=0.01)
    old = copy.deepcopy(model)
    model.update(model.accumulate(X[300:]), update=update)
    start = Mixture(covariance_type, old.weights_, old.means_, old.covariances_)
    stats = statistics(start, X[300:], old.means_)
    whole = maximize(stats, covariance_type, 0.01)
    # About the means that stay.
    stats.first[:] = 0.0
    staying = maximize(stats, covariance_type, 0.01).covariances
    if "w" in update:
        np.testing.assert_allclose(model.weights_, whole.weights, rtol=1e-11)
    if "m" in update:
        np.testing.assert_allclose(model.means_, whole.means, rtol=1e-11)
    if "c" in update:
        wanted = whole.covariances if "m" in update else staying
        np.testing.assert_allclose(model.covariances_, wanted, rtol=1e-9)


def test_running_statistics_learn_what_is_not_chosen():
    """A step for all, after steps for the means only, knows what the batches told of the rest."""
    X = drawn_rows(900)
    model = started(X[:300])
    for batch in np.split(X[300:800], 5):
        model.partial_fit(batch, update="m")
    covariances = model.covariances_
    _, arrays = model._running
    assert (arrays[2] == covariances).all()
    expected = copy.deepcopy(model)
    del expected._running
    model.partial_fit(X[800:])
    expected.partial_fit(X[800:])
    assert not np.allclose(model.covariances_, expected.covariances_, rtol=1e-3)


# --- components without data --------------------------------------------------------------------

PLACES = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])


def at(k: int | list[int], n: int, rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """Rows about some of the places."""
    return PLACES[rng.choice(np.atleast_1d(k), n)] + spread * rng.normal(size=(n, 2))


def tracker(covariance_type: str, **options) -> GaussianMixture:
    """One component at each place, in their order."""
    rng = np.random.default_rng(0)
    options = {"forgetting": 0.9, "means_init": PLACES, "random_state": 0, **options}
    model = GaussianMixture(3, covariance_type=covariance_type, **options)
    return model.fit(at([0, 1, 2], 900, rng))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_component_without_data_keeps_its_place_and_takes_data_again(covariance_type, dtype):
    model = tracker(covariance_type)
    rng = np.random.default_rng(1)
    frozen = None
    for frame in range(1000):
        model.partial_fit(at([0, 1], 60, rng).astype(dtype))
        if frozen is None and model.effective_rows_[2] < 1:
            frozen = frame, copy.deepcopy(model)
    first, then = frozen
    assert 30 < first < 80  # 300 rows, a tenth of which fades in each frame
    assert model.effective_rows_[2] < 1e-3
    assert (model.effective_rows_[:2] > 200).all()
    assert model.means_[2].tobytes() == then.means_[2].tobytes()
    if covariance_type != "tied":
        for name in ("covariances_", "precisions_", "precisions_cholesky_"):
            assert getattr(model, name)[2].tobytes() == getattr(then, name)[2].tobytes()
    # One row of the 600 that 60 in each frame amount to.
    assert model.weights_[2] == pytest.approx(1 / 600, rel=0.01)
    np.testing.assert_allclose(model.means_, PLACES, atol=0.5)

    # Three rows come near it, and then more: it takes all of them, at once and smoothly.
    spread = np.linalg.eigvalsh(dense(model)[2])
    model.partial_fit(np.concatenate([at([0, 1], 60, rng), at(2, 3, rng)]).astype(dtype))
    assert model.effective_rows_[2] == pytest.approx(3, abs=0.01)
    now = np.linalg.eigvalsh(dense(model)[2])
    assert (now > spread.min() / 8).all()
    back = at(2, 40, rng).astype(dtype)
    assert (model.predict(back) == 2).all()
    for _ in range(50):
        model.partial_fit(at([0, 1, 2], 60, rng).astype(dtype))
    np.testing.assert_allclose(model.means_, PLACES, atol=0.5)
    np.testing.assert_allclose(model.weights_, 1 / 3, atol=0.1)


def dense(model: GaussianMixture) -> np.ndarray:
    return dense_covariances(
        Mixture(model.covariance_type, model.weights_, model.means_, model.covariances_)
    )


def test_a_neighbour_does_not_take_the_rows_that_come_back(covariance_type):
    """Five deviations away, whatever weight is left after 1000 frames."""
    model = tracker(covariance_type)
    model.means_[2] = [5.0, 5.0]
    rng = np.random.default_rng(2)
    for _ in range(1000):
        model.partial_fit(at([0, 1], 60, rng))
    back = rng.normal(5, 1, size=(20, 2))
    model.partial_fit(np.concatenate([at([0, 1], 60, rng), back]))
    assert model.effective_rows_[2] > 18
    np.testing.assert_allclose(model.means_[2], [5, 5], atol=0.7)


@pytest.mark.parametrize(
    ("covariance_type", "variance_floor"),
    [("full", 1e-3), ("tied", 0.0), ("diag", 0.0)],
)
def test_regularisation_does_not_add_up(covariance_type, variance_floor):
    """1000 frames with hardly a row for one of the components; reg_covar is a tenth of it."""
    model = tracker(covariance_type, reg_covar=0.1, variance_floor=variance_floor)
    rng = np.random.default_rng(3)
    frames = [at([0, 1], 8, rng) for _ in range(100)]
    start = dense(model)
    for frame in range(1000):
        model.partial_fit(frames[frame % 100])
    variances = np.einsum("kii->ki", dense(model))
    np.testing.assert_allclose(variances[2], np.diag(start[2]), rtol=0.35)
    np.testing.assert_allclose(variances[:2], 1.1, rtol=0.4)
    # Neither does taking statistics from the parameters again and again.
    for _ in range(150):
        model.weights_ = model.weights_.copy()
        model.n_samples_seen_ = 1e9
        del model._running
        model.partial_fit(frames[0])
    np.testing.assert_allclose(np.einsum("kii->ki", dense(model)), variances, rtol=0.01)


def test_rows_too_few_for_a_covariance_make_no_needle():
    """A component that fades away and gets a row now and then keeps an extent."""
    model = tracker("full")
    rng = np.random.default_rng(4)
    for frame in range(600):
        rows = at([0, 1], 60, rng)
        if frame % 40 == 39:
            rows = np.concatenate([rows, at(2, 1, rng)])
        model.partial_fit(rows)
        assert np.linalg.eigvalsh(model.covariances_[2]).min() > 1e-3
    np.testing.assert_allclose(model.means_[2], PLACES[2], atol=4)


@pytest.mark.parametrize("action", ["drop", "reseed"])
def test_a_component_without_data_is_dropped_or_placed_anew(covariance_type, action):
    model = tracker(covariance_type, on_collapse=action)
    rng = np.random.default_rng(5)
    frames = [at([0, 1], 60, rng) for _ in range(100)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for frame in frames:
            model.partial_fit(frame)
            if model.collapses_:
                break
    (warning,) = caught
    assert isinstance(warning.message, ConvergenceWarning)
    assert "Components collapsed: component 2 in iteration" in str(warning.message)
    (collapse,) = model.collapses_
    assert (collapse["component"], collapse["action"]) == (2, action)
    assert collapse["iteration"] == model.n_iter_
    assert collapse["effective_rows"] < 1
    K = 2 if action == "drop" else 3
    assert model.means_.shape == (K, 2)
    assert model.effective_rows_.shape == (K,)
    np.testing.assert_allclose(
        model.effective_rows_ / model.effective_rows_.sum(), model.weights_, rtol=0.02
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(30):
            model.partial_fit(at([0, 1], 60, rng))
    assert sorted(set(model.predict(PLACES[:2]))) != [2]
    np.testing.assert_allclose(np.einsum("kii->ki", dense(model)).max(), 1, rtol=0.6)


def test_components_are_never_reordered():
    """Clusters that pass each other on different tracks keep their numbers."""
    rng = np.random.default_rng(6)
    model = GaussianMixture(2, forgetting=0.5, means_init=[[-10, 3], [10, -3]], random_state=0)
    for t in np.linspace(-10, 10, 200):
        centres = np.array([[t, 4.0], [-t, -4.0]])
        rows = centres[rng.integers(2, size=100)] + rng.normal(size=(100, 2))
        model.partial_fit(rows)
        np.testing.assert_allclose(model.means_, centres, atol=1.2)


# --- retire and revive --------------------------------------------------------------------------


def test_retired(covariance_type):
    X = drawn_rows(900, 4)
    model = started(X[:400], 4, covariance_type=covariance_type).partial_fit(X[400:800])
    before = copy.deepcopy(model)
    assert model.retire([2, 0]) is model
    kept = [1, 3]
    np.testing.assert_allclose(model.weights_, before.weights_[kept] / before.weights_[kept].sum())
    np.testing.assert_array_equal(model.means_, before.means_[kept])
    for name in FITTED_ARRAYS[2:3] + FITTED_ARRAYS[4:]:
        old = getattr(before, name)
        wanted = old if covariance_type == "tied" else old[kept]
        np.testing.assert_array_equal(getattr(model, name), wanted)
    np.testing.assert_array_equal(model.effective_rows_, before.effective_rows_[kept])
    assert model.n_components == 4
    assert model.n_samples_seen_ == 800
    assert [(c["component"], c["action"]) for c in model.collapses_] == [(0, "drop"), (2, "drop")]
    assert model.collapses_[1]["effective_rows"] == before.effective_rows_[2]
    model.partial_fit(X[800:])
    assert model.means_.shape == (2, 2)
    # A warm start goes on with what is left; a fit begins with what was asked for.
    with pytest.warns(ConvergenceWarning):
        model.set_params(warm_start=True).fit(X)
    assert model.means_.shape == (2, 2)
    with pytest.warns(ConvergenceWarning):
        model.set_params(warm_start=False).fit(X)
    assert model.means_.shape == (4, 2)
    assert model.collapses_ == []


def test_retired_ones_were_the_same_as_never_there(covariance_type):
    """Steps after it are those from the statistics of the others."""
    X = drawn_rows(900)
    model = started(X[:400], covariance_type=covariance_type).partial_fit(X[400:800])
    model.retire(1)
    implied = copy.deepcopy(model)
    del implied._running
    implied.n_samples_seen_ = model.effective_rows_.sum()
    implied.forgetting = model.forgetting = 0.5
    model.partial_fit(X[800:])
    implied.partial_fit(X[800:])
    for name in FITTED_ARRAYS:
        np.testing.assert_allclose(getattr(model, name), getattr(implied, name), rtol=1e-9)


@pytest.mark.parametrize("form", [1, [1], np.array([False, True, False])], ids=str)
def test_components_are_named_by_number_or_mask(form):
    X = drawn_rows(600)
    for remembered in (False, True):
        model = started(X)
        if remembered:
            model.partial_fit(X)
        means = model.means_[[0, 2]]
        np.testing.assert_array_equal(copy.deepcopy(model).retire(form).means_, means)
        twin = copy.deepcopy(model).revive(form, means=[[7.0, 8.0]])
        np.testing.assert_array_equal(twin.means_[[0, 2]], means)
        np.testing.assert_array_equal(twin.means_[1], [7, 8])
    before = state_of(model)
    model.retire([]).revive([])
    assert state_of(model) == before


def test_revived_at_a_place(covariance_type):
    model = tracker(covariance_type)
    rng = np.random.default_rng(7)
    for _ in range(100):
        model.partial_fit(at([0, 1], 60, rng))
    before = copy.deepcopy(model)
    assert model.revive(2, means=[20.0, 20.0]) is model
    np.testing.assert_array_equal(model.means_, [*before.means_[:2], [20, 20]])
    share = 0.5 / 3
    np.testing.assert_allclose(model.weights_[2], share)
    ratio = model.weights_[:2] / before.weights_[:2]
    np.testing.assert_allclose(ratio, ratio[0])
    shares = before.weights_[:2] / before.weights_[:2].sum()
    pooled = np.einsum("k,kij->ij", shares, dense(before)[:2])
    np.testing.assert_allclose(dense(model)[2], pooled, rtol=1e-12)
    np.testing.assert_array_equal(dense(model)[:2], dense(before)[:2])
    np.testing.assert_array_equal(model.effective_rows_[:2], before.effective_rows_[:2])
    assert model.effective_rows_[2] == pytest.approx(600 * share / (1 - share), rel=0.02)
    assert model.n_samples_seen_ == before.n_samples_seen_
    for _ in range(20):
        rows = np.concatenate([at([0, 1], 40, rng), 20 + rng.normal(size=(20, 2))])
        model.partial_fit(rows)
    np.testing.assert_allclose(model.means_, [*PLACES[:2], [20, 20]], atol=0.6)


def test_several_are_revived_in_the_order_in_which_they_are_named():
    model = tracker("full")
    model.revive([2, 0], means=[[1, 1], [2, 2]])
    np.testing.assert_array_equal(model.means_[[2, 0]], [[1, 1], [2, 2]])
    np.testing.assert_allclose(model.weights_, [1 / 6, 2 / 3, 1 / 6])
    model.revive([0, 1, 2], means=PLACES)
    np.testing.assert_allclose(model.weights_, 1 / 3)


def test_revived_by_splitting_the_heaviest(covariance_type):
    model = tracker(covariance_type)
    rng = np.random.default_rng(8)
    for _ in range(100):
        model.partial_fit(at([0, 0, 1], 60, rng))
    before = copy.deepcopy(model)
    model.revive(2)
    np.testing.assert_allclose(model.means_[[0, 2]].mean(axis=0), before.means_[0])
    assert (model.means_[0] != model.means_[2]).any()
    np.testing.assert_array_equal(model.means_[1], before.means_[1])
    assert model.weights_[0] == model.weights_[2]
    np.testing.assert_array_equal(dense(model)[2], dense(before)[0])
    np.testing.assert_allclose(
        model.effective_rows_[[0, 2]], before.effective_rows_[0] / 2, rtol=0.01
    )
    # Two clusters in place of one: each gets its own.
    PAIR = np.array([[0.0, -3.0], [0.0, 3.0]])
    for _ in range(60):
        rows = np.concatenate([PAIR[rng.integers(2, size=60)], np.tile(PLACES[1], (30, 1))])
        model.partial_fit(rows + rng.normal(size=(90, 2)))
    found = model.means_[[0, 2]]
    if covariance_type == "tied":  # the covariance they shared is stretched over both at first
        found = found[np.argsort(found[:, 1])]
    np.testing.assert_allclose(np.sort(found[:, 1]), [-3, 3], atol=1.0)


# --- keeping and resuming -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy", "copy"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_stream_is_resumed_bit_for_bit(covariance_type, way, dtype, steps, tmp_path):
    X = drawn_rows(1200, 3, 4).astype(dtype)
    options = {"covariance_type": covariance_type, "forgetting": None if steps == 1 else 0.9}
    model = started(X[:300], **options)
    for batch in np.split(X[300:800], 5)[:steps]:
        model.partial_fit(batch, update="wmc" if steps == 1 else "mc")
    if way == "file":
        model.save(tmp_path / "model.npz")
        resumed = gaussmix.load(tmp_path / "model.npz")
    elif way == "pickle":
        resumed = pickle.loads(pickle.dumps(model))
    else:
        resumed = getattr(copy, way)(model)
    assert hasattr(resumed, "effective_rows_") == (steps > 0)
    for batch in np.split(X[800:], 4):
        model.partial_fit(batch)
        resumed.partial_fit(batch)
    same(model, resumed)
    same(model, resumed, ["effective_rows_"])
    if way == "file":
        model.save(tmp_path / "a.npz")
        resumed.save(tmp_path / "b.npz")
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_file_keeps_no_statistics_of_other_parameters(tmp_path):
    X = drawn_rows(600)
    model = started(X).partial_fit(X)
    model.means_ = model.means_ + 1
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert not hasattr(loaded, "effective_rows_")
    assert loaded.n_samples_seen_ == 1200
    same(model.partial_fit(X), loaded.partial_fit(X))


def test_the_past_takes_no_more_room_as_it_grows(tmp_path):
    X = drawn_rows(600)
    model = started(X)
    sizes = []
    for _ in range(3):
        for _ in range(50):
            model.partial_fit(X[:10])
        model.save(tmp_path / "model.npz")
        sizes.append((tmp_path / "model.npz").stat().st_size)
    assert max(sizes) - min(sizes) < 16  # digits of numbers


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, X: m.partial_fit(X, update=""), ValueError, ["update", "''", "Pass 'wmc'"]),
        (lambda m, X: m.partial_fit(X, update="wx"), ValueError, ["update", "'wx'", "'m'"]),
        (lambda m, X: m.partial_fit(X, update="mm"), ValueError, ["update", "'mm'", "once"]),
        (lambda m, X: m.partial_fit(X, update=3), TypeError, ["update", "int", "w(eights)"]),
        (lambda m, X: m.update(m.accumulate(X), update="M"), ValueError, ["update", "'M'"]),
        (lambda m, X: m.update(m.accumulate(X), "wcw"), ValueError, ["update", "'wcw'"]),
        (lambda m, X: m.partial_fit(X[:, :1]), ValueError, ["1 features", "2 features"]),
        (lambda m, X: m.partial_fit(X[:0, :1]), ValueError, ["1 features", "2 features"]),
        (lambda m, X: m.partial_fit(X * np.nan), ValueError, ["NaN"]),
        (lambda m, X: m.partial_fit(X, sample_weight=[1]), ValueError, ["sample_weight"]),
        (lambda m, X: m.partial_fit(X, sample_weight=-1), ValueError, ["sample_weight"]),
        (
            lambda m, X: m.set_params(learning_decay=0.5).partial_fit(X),
            InvalidParameterError,
            ["'learning_decay'", "(0.5, 1.0]", "0.5 instead"],
        ),
        (
            lambda m, X: m.set_params(forgetting=1.0).partial_fit(X),
            InvalidParameterError,
            ["'forgetting'", "(0.0, 1.0) or None", "1.0 instead"],
        ),
        (lambda m, X: m.retire(3), ValueError, ["components", "0 to 2", "got 3"]),
        (lambda m, X: m.retire(-1), ValueError, ["components", "0 to 2", "got -1"]),
        (lambda m, X: m.retire([0, 0]), ValueError, ["components", "0 is there twice"]),
        (lambda m, X: m.retire([True]), TypeError, ["components", "mask of shape (3,)"]),
        (lambda m, X: m.retire("a"), TypeError, ["components", "'a'"]),
        (lambda m, X: m.retire(1.0), TypeError, ["components", "1.0"]),
        (lambda m, X: m.retire([0, 1, 2]), ValueError, ["components", "[0, 1, 2]", "Keep one"]),
        (lambda m, X: m.revive([0, 1, 2]), ValueError, ["components", "Give means"]),
        (lambda m, X: m.revive(1, means=[[1]]), ValueError, ["means", "(1, 2)", "(1, 1)"]),
        (lambda m, X: m.revive([0, 1], means=[1, 2]), ValueError, ["means", "(2, 2)"]),
        (lambda m, X: m.revive(1, means=[np.inf, 0]), ValueError, ["means", "inf"]),
        (lambda m, X: m.revive(4, means=[0, 0]), ValueError, ["components", "got 4"]),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(call, error, words):
    X = drawn_rows(300)
    model = started(X).partial_fit(X)
    fitted = {name: value for name, value in vars(model).items() if name.endswith("_")}
    before = pickle.dumps((fitted, model._running))
    with pytest.raises(error) as caught:
        call(model, X)
    for word in words:
        assert word in str(caught.value)
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert pickle.dumps((after, model._running)) == before


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, "many", True, 10**400])
def test_rows_seen_must_be_a_number(value):
    X = drawn_rows(300)
    model = started(X)
    model.n_samples_seen_ = value
    with pytest.raises(ValueError, match="n_samples_seen_ must be a finite number >= 0"):
        model.partial_fit(X)


@pytest.mark.parametrize("value", [np.int32(2**31 - 1), np.float32(2**24)])
def test_rows_seen_are_added_up_in_python(value):
    model = started(drawn_rows(300))
    model.n_samples_seen_ = value
    assert model.partial_fit(drawn_rows(301)).n_samples_seen_ == int(value) + 301


@pytest.mark.parametrize("weight", [5e-324, 1e-20])
def test_weights_that_are_nothing_beside_those_before_are_refused(weight):
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = GaussianMixture(2, random_state=0).fit(X)
    before = model.means_.copy()
    with pytest.raises(ValueError, match="nothing beside the 50 of those before"):
        model.partial_fit(X, sample_weight=weight)
    np.testing.assert_array_equal(model.means_, before)
    assert model.n_samples_seen_ == 50


def test_weights_that_overflow_together_are_refused():
    X = drawn_rows(300)
    model = started(X)
    model.n_samples_seen_ = 1.5e308
    with pytest.raises(ValueError, match="over all batches is too large"):
        model.partial_fit(X, sample_weight=1e305)


def test_a_first_batch_needs_rows_and_later_ones_do_not():
    X = drawn_rows(300)
    for rows, words in ((X[:2], "n_components = 3"), (X[:0], "0 sample")):
        model = GaussianMixture(3)
        with pytest.raises(ValueError, match=words):
            model.partial_fit(rows)
        assert not hasattr(model, "means_")
    model.partial_fit(X)
    model.partial_fit(X[:1])
    assert model.n_samples_seen_ == 301


def test_a_covariance_that_collapses_is_an_error_and_changes_nothing():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(200, 2))
    model = GaussianMixture(1, reg_covar=0, forgetting=0.001, random_state=0).fit(X)
    flat = np.column_stack([rng.normal(size=50), np.ones(50)])
    collapsed = None
    while collapsed is None:
        before = state_of(model)
        try:
            model.partial_fit(flat)
        except IllDefinedCovarianceError as error:
            collapsed = error
    assert "column 1" in str(collapsed)
    assert state_of(model) == before
    assert model.n_iter_ < 40


def test_names_of_columns_are_kept_and_checked():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(drawn_rows(300), columns=["a", "b"])
    model = GaussianMixture(3, random_state=0).partial_fit(table).partial_fit(table)
    assert list(model.feature_names_in_) == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(table.rename(columns={"b": "c"}))
    model.revive(0).retire(1)
    assert list(model.feature_names_in_) == ["a", "b"]


# --- how far one pass goes ----------------------------------------------------------------------


def gap(n: int, size: int) -> float:
    """Mean log-likelihood short of batch EM's from the same start, as a share of that."""
    rng = np.random.default_rng(10)
    X = draw(rng, random_mixture(rng, "full", 5, 4), n)
    online = GaussianMixture(5, random_state=0)
    for batch in batches(X, size):
        online.partial_fit(batch)
    start = GaussianMixture(5, random_state=0).partial_fit(X[:size])
    whole = start.set_params(warm_start=True, tol=1e-5, max_iter=300).fit(X)
    assert whole.converged_
    return (whole.score(X) - online.score(X)) / abs(whole.score(X))


def test_one_pass_comes_near_batch_em():
    assert gap(100_000, 500) < 0.005


@pytest.mark.slow
def test_one_pass_over_a_million_rows_comes_near_batch_em():
    for size in (500, 2000, 10_000):
        assert gap(1_000_000, size) < 0.005
