"""The number of threads never changes a bit, and neither does running again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from gaussmix import GaussianMixture, _build_config
from gaussmix._kernels import _threads
from gaussmix._runtime import openmp
from support import reference
from support.families import COVARIANCE_TYPES
from support.paths import ROOT

RESULTS = str(ROOT / "tests" / "support" / "results.py")

THREAD_COUNTS = (1, 2, 3, 5, 8)

# Who computes the parallel loops.
WAYS = ("pool", "openmp") if _build_config.OPENMP else ("pool",)

# Large enough that the work is shared: rows for several chunks each, one odd, in two shapes of
# tile.
SHAPES = ((20_011, 3, 4), (6_007, 24, 5))


def rows(shape: tuple[int, int, int], covariance_type: str, dtype: type) -> np.ndarray:
    n, d, K = shape
    rng = np.random.default_rng([n, d])
    return reference.draw(rng, reference.random_mixture(rng, covariance_type, K, d), n).astype(
        dtype
    )


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of those who may compute parallel loops, forced to."""
    _threads.configure(request.param, forked=False, stack_bytes=0, spins_for_ever=False)
    yield request.param
    openmp.configure()


def outcome(
    X: np.ndarray, w: np.ndarray | None, n_threads: int, **parameters: object
) -> dict[str, np.ndarray]:
    """Everything a fit and its scoring produce, as arrays."""
    model = GaussianMixture(
        random_state=3, max_iter=3, tol=0.0, n_threads=n_threads, **parameters
    ).fit(X, sample_weight=w)
    stats = model.accumulate(X, sample_weight=w)
    return {
        "weights": model.weights_,
        "means": model.means_,
        "covariances": model.covariances_,
        "factors": model.precisions_cholesky_,
        "lower bounds": np.array(model.lower_bounds_),
        "statistics weight": stats.weight,
        "statistics first": stats.first,
        "statistics second": stats.second,
        "statistics log-likelihood": np.array(stats.log_likelihood),
        "log-densities": model.score_samples(X),
        "responsibilities": model.predict_proba(X),
        "labels": model.predict(X),
        "score": np.array(model.score(X)),
    }


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_thread_counts_give_equal_bits(
    instruction_set: str, covariance_type: str, dtype: type, way: str
) -> None:
    computed_before = _threads.loops_of_teams()
    for shape in SHAPES:
        X = rows(shape, covariance_type, dtype)
        w = np.random.default_rng(0).uniform(0.0, 2.0, len(X)) if shape is SHAPES[0] else None
        one = outcome(X, w, 1, n_components=shape[2], covariance_type=covariance_type)
        for n_threads in THREAD_COUNTS[1:]:
            many = outcome(X, w, n_threads, n_components=shape[2], covariance_type=covariance_type)
            for name, expected in one.items():
                np.testing.assert_array_equal(
                    many[name], expected, err_msg=f"{name}, {n_threads} threads, {shape}"
                )
    assert (_threads.loops_of_teams() > computed_before) is (way == "openmp")


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_is_independent_of_threads(init_params: str) -> None:
    X = rows(SHAPES[0], "full", np.float64)
    one = outcome(X, None, 1, n_components=4, init_params=init_params)
    for n_threads in THREAD_COUNTS[1:]:
        many = outcome(X, None, n_threads, n_components=4, init_params=init_params)
        for name, expected in one.items():
            np.testing.assert_array_equal(
                many[name], expected, err_msg=f"{name}, {n_threads} threads"
            )


def printed_by(*arguments: str, **environment: str) -> str:
    """What `results.py` prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, RESULTS, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=os.environ | environment,
    )
    return done.stdout


def limited_to(n_threads: int) -> dict[str, str]:
    """OpenMP and BLAS libraries, by the variables that they read when they are loaded."""
    return {"OMP_NUM_THREADS": str(n_threads), "OPENBLAS_NUM_THREADS": str(n_threads)}


def test_processes_with_any_number_of_threads_have_the_same_results() -> None:
    """Of all libraries in them, and whether the number comes as an argument or not."""
    assert_same_on_any_threads()


@pytest.mark.slow
@pytest.mark.parametrize("threading", WAYS)
def test_processes_with_any_instruction_set(instruction_set: str, threading: str) -> None:
    assert_same_on_any_threads(GAUSSMIX_ISA=instruction_set, GAUSSMIX_THREADING=threading)


def assert_same_on_any_threads(**environment: str) -> None:
    one = printed_by("-", **environment, **limited_to(1))
    assert len(one.splitlines()) > 300
    for n_threads in (2, 3):
        assert printed_by("-", **environment, **limited_to(n_threads)) == one
    assert printed_by("3", **environment, **limited_to(1)) == one
