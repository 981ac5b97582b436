"""gaussmix."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from shapes import Start

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture

NAME = "gaussmix"
DIFFERENCES = (
    "fit makes no pass for labels. The k-means of a default fit runs on a subsample when the rows "
    "are many, so one seed can lead to another local optimum. float32 rows are computed in double."
)


def versions() -> dict[str, str]:
    return {"gaussmix": gaussmix.__version__, "numpy": np.__version__}


@contextmanager
def quiet() -> Iterator[None]:
    """No warning that a run of fixed length stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def em(X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> GaussianMixture:
    model = GaussianMixture(
        len(start.weights),
        covariance_type=start.covariance_type,
        tol=0.0,
        max_iter=n_iter,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=start.precisions,
        n_threads=n_threads,
    )
    with quiet():
        return model.fit(X)


def initialize(
    X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
) -> GaussianMixture:
    model = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        random_state=seed,
        max_iter=0,
        n_threads=n_threads,
    )
    with quiet():
        return model.fit(X)


def fit(
    X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
) -> GaussianMixture:
    model = GaussianMixture(
        n_components, covariance_type=covariance_type, random_state=seed, n_threads=n_threads
    )
    with quiet():
        return model.fit(X)


def iterations(model: GaussianMixture) -> int:
    return model.n_iter_


def lower_bound(model: GaussianMixture) -> float:
    return model.lower_bound_


def score_samples(model: GaussianMixture, X: np.ndarray) -> np.ndarray:
    return model.score_samples(X)


def predict(model: GaussianMixture, X: np.ndarray) -> np.ndarray:
    return model.predict(X)


def predict_proba(model: GaussianMixture, X: np.ndarray) -> np.ndarray:
    return model.predict_proba(X)
