"""The number of threads never changes a bit, and neither does running again."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import reference
from reference import COVARIANCE_TYPES

from gaussmix import GaussianMixture

THREAD_COUNTS = (1, 2, 3, 5, 8)

# Large enough that the work is shared: rows for several chunks each, one odd, in two shapes of
# tile.
SHAPES = ((20_011, 3, 4), (6_007, 24, 5))


def rows(shape: tuple[int, int, int], covariance_type: str, dtype: type) -> np.ndarray:
    n, d, K = shape
    rng = np.random.default_rng([n, d])
    return reference.draw(rng, reference.random_mixture(rng, covariance_type, K, d), n).astype(
        dtype
    )


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
    instruction_set: str, covariance_type: str, dtype: type
) -> None:
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


SCRIPT = """
import hashlib
import sys

import numpy as np

from gaussmix import GaussianMixture

X = np.random.default_rng(1).standard_normal((20_011, 4))
model = GaussianMixture(5, random_state=7, n_init=2, max_iter=5, tol=0.0)
model.set_params(n_threads=int(sys.argv[1])).fit(X)
digest = hashlib.sha256()
for array in (model.weights_, model.means_, model.covariances_, model.score_samples(X),
model.sample(50)[0]):
    digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_two_processes_with_one_seed() -> None:
    digests = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT, n_threads],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for n_threads in ("1", "2")
    ]
    assert len(digests[0]) == hashlib.sha256().digest_size * 2
    assert digests[0] == digests[1]
