"""Many Python threads at once: one model scored by all, clones fitted, several models in use.

What a call returns must have the bits of the same call alone, and nobody may wait for ever.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gaussmix import GaussianMixture
from support import reference
from support.families import COVARIANCE_TYPES
from support.processes import needs_pool, output_of

# Three iterations are enough for bits to differ.
pytestmark = pytest.mark.filterwarnings("ignore:.*did not converge")

PATIENCE = 60.0  # seconds until a thread that has not ended counts as hanging

SCORES = ("predict", "predict_proba", "score_samples", "score")


def together(*tasks: Callable[[], None]) -> None:
    """Run each task in a thread of its own, all beginning at once, and raise the first error.

    The threads are daemons: one that hangs fails the test and not the run.
    """
    start = threading.Barrier(len(tasks))
    errors: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            start.wait(PATIENCE)
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    hanging = sum(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]
    assert not hanging, f"{hanging} of {len(threads)} threads have not ended"


@cache
def rows(n: int = 6_000, d: int = 6) -> np.ndarray:
    """Rows of four components; enough that a pass is worth several threads."""
    rng = np.random.default_rng([n, d])
    return reference.draw(rng, reference.random_mixture(rng, "full", 4, d), n)


def fitted(covariance_type: str = "full", **parameters: object) -> GaussianMixture:
    model = GaussianMixture(
        4, covariance_type=covariance_type, random_state=5, max_iter=3, **parameters
    )
    return model.fit(rows())


def unscored(model: GaussianMixture) -> GaussianMixture:
    """A copy that has not prepared anything for scoring yet."""
    duplicate = copy.copy(model)
    assert duplicate._kept.scorer is None
    return duplicate


def attributes(model: GaussianMixture) -> dict[str, bytes]:
    """The bits of every fitted attribute."""
    return {name: np.asarray(value).tobytes() for name, value in vars(model).items()
            if name.endswith("_")}  # fmt: skip


def assert_scores(model: GaussianMixture, X: np.ndarray, expected: dict[str, np.ndarray]) -> None:
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(model, name)(X), values, err_msg=name)


def scores(model: GaussianMixture, X: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(model, name)(X)) for name in SCORES}


@pytest.mark.parametrize("n_threads", [None, 3])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_64_threads_score_one_model(covariance_type: str, n_threads: int | None) -> None:
    model = fitted(covariance_type, n_threads=n_threads)
    many, few = rows(), rows()[:5]
    expected = [(X, scores(model, X)) for X in (many, few)]
    before = attributes(model)
    shared = unscored(model)

    def task(index: int) -> Callable[[], None]:
        def call() -> None:
            for X, values in expected if index % 2 else expected[::-1]:
                assert_scores(shared, X, values)

        return call

    together(*(task(index) for index in range(64)))
    assert attributes(shared) == before


def test_the_first_scores_of_a_model_may_be_concurrent() -> None:
    """Who finds nothing prepared prepares it; two that do so prepare the same."""
    model, X = fitted(), rows()[:40]
    expected = scores(model, X)
    singles = X.astype(np.float32)
    expected_singles = scores(model, singles)
    for _ in range(30):
        fresh = unscored(model)
        together(
            *[lambda: assert_scores(fresh, X, expected)] * 4,  # noqa: B023
            *[lambda: assert_scores(fresh, singles, expected_singles)] * 4,  # noqa: B023
        )


def test_scores_follow_what_the_owner_sets_between_calls() -> None:
    """Attributes replaced or changed in place while nobody reads count for every thread."""
    model, X = fitted(), rows()[:200]
    readers, rounds = 7, 12
    turn = threading.Barrier(readers + 1, timeout=PATIENCE)
    expected: list[dict[str, np.ndarray]] = []
    wrong: list[AssertionError] = []

    def own() -> None:
        for index in range(rounds):
            if index % 2:
                model.means_ = model.means_ + 0.1
            else:
                model.weights_[:] = np.roll(model.weights_, 1)
            expected.append(scores(copy.deepcopy(model), X))
            turn.wait()  # the readers begin
            turn.wait()  # they have ended

    def read() -> None:
        for index in range(rounds):
            turn.wait()
            try:
                assert_scores(model, X, expected[index])
            except AssertionError as error:  # to be raised when nobody waits for this thread
                wrong.append(error)
            turn.wait()

    together(own, *[read] * readers)
    assert not wrong, wrong[0]


@pytest.mark.parametrize("n_threads", [None, 1, 3])
def test_fits_of_clones_are_the_fit_of_one(n_threads: int | None) -> None:
    """Clones of what a grid search would clone: an integer random state, no shared generator."""
    expected = attributes(fitted(n_threads=n_threads))
    results: list[dict[str, bytes]] = []
    together(*[lambda: results.append(attributes(fitted(n_threads=n_threads)))] * 8)
    assert len(results) == 8
    assert all(result == expected for result in results)


def test_one_thread_fits_while_others_score_other_models() -> None:
    others = [fitted(covariance_type) for covariance_type in COVARIANCE_TYPES]
    expected = [scores(model, rows()) for model in others]
    alone = attributes(fitted("full", n_init=3, init_params="random"))
    done = threading.Event()

    def fit() -> None:
        try:
            for _ in range(3):
                assert attributes(fitted("full", n_init=3, init_params="random")) == alone
        finally:
            done.set()

    def score(model: GaussianMixture, values: dict[str, np.ndarray]) -> Callable[[], None]:
        def call() -> None:
            while True:
                assert_scores(model, rows(), values)
                if done.is_set():
                    return

        return call

    together(fit, *(score(*pair) for pair in zip(others, expected, strict=True)))


def test_pieces_accumulated_at_once_are_the_pieces() -> None:
    """Statistics of pieces, as workers of one process form them for `update`."""
    model = fitted()
    pieces = np.array_split(rows(), 8)
    alone = [model.accumulate(piece) for piece in pieces]
    found: dict[int, object] = {}

    def task(index: int) -> Callable[[], None]:
        return lambda: found.update({index: model.accumulate(pieces[index])})

    together(*(task(index) for index in range(len(pieces))))
    for index, statistics in enumerate(alone):
        for name in ("weight", "first", "second", "log_likelihood"):
            np.testing.assert_array_equal(
                getattr(found[index], name), getattr(statistics, name), err_msg=name
            )


def test_rows_drawn_at_once_with_given_seeds_are_those_of_the_seeds() -> None:
    model = fitted()
    alone = [model.sample(50, random_state=seed)[0] for seed in range(8)]

    def task(seed: int) -> Callable[[], None]:
        return lambda: np.testing.assert_array_equal(
            model.sample(50, random_state=seed)[0], alone[seed]
        )

    together(*(task(seed) for seed in range(8)))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
@needs_pool
def test_64_threads_that_score_one_model_start_no_others():
    """All share one pool, whose workers are there from the fit."""
    code = """
import os, threading
import numpy as np
from gaussmix import GaussianMixture

X = np.random.default_rng(0).normal(size=(20_000, 6))
model = GaussianMixture(4, max_iter=2, tol=0.0, random_state=0, n_threads=3).fit(X)
expected = model.predict_proba(X).tobytes()
before = len(os.listdir("/proc/self/task"))
start = threading.Barrier(65)
counts, unequal = [], []

def score():
    start.wait()
    for _ in range(3):
        if model.predict_proba(X).tobytes() != expected:
            unequal.append(1)
        counts.append(len(os.listdir("/proc/self/task")))

callers = [threading.Thread(target=score) for _ in range(64)]
for caller in callers:
    caller.start()
score()
for caller in callers:
    caller.join()
print(len(unequal), max(counts) - before)
"""
    unequal, started = map(int, output_of(code).split())
    assert unequal == 0
    assert 0 < started <= 64  # the callers alone
