"""scikit-learn's GaussianMixture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy
import sklearn
from shapes import Start
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

NAME = "scikit-learn"
DIFFERENCES = (
    "fit ends with one more E-step, for labels it throws away (it cancels in the time of an "
    "iteration and counts in the time of a default fit). Threads are the BLAS's; NumPy's own "
    "loops run on one."
)


def versions() -> dict[str, str]:
    blas = ", ".join(
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '')})"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return {
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "BLAS": blas,
    }


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
    )
    with quiet():
        return model.fit(X)


def initialize(
    X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
) -> GaussianMixture:
    model = GaussianMixture(
        n_components, covariance_type=covariance_type, random_state=seed, max_iter=0
    )
    with quiet():
        return model.fit(X)


def fit(
    X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
) -> GaussianMixture:
    model = GaussianMixture(n_components, covariance_type=covariance_type, random_state=seed)
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
