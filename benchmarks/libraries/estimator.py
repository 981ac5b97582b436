"""The methods that every estimator with scikit-learn's interface shares."""

from __future__ import annotations

import warnings

import numpy as np
from shapes import Start

from libraries import Library, Parameters


class Estimator(Library):
    """A library whose ``GaussianMixture`` takes and stores what scikit-learn's does."""

    isolated = False
    scores = True
    fits = True
    #: The class, and its warning that a run of fixed length stopped before it converged.
    mixture: type
    convergence_warning: type[Warning]

    def options(self, n_threads: int) -> dict:
        """Further arguments of the class."""
        return {}

    def fitted(self, X: np.ndarray, n_components: int, n_threads: int, **arguments) -> object:
        """A fit with these arguments, silent about not having converged."""
        model = self.mixture(n_components, **arguments, **self.options(n_threads))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.convergence_warning)
            return model.fit(X)

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> object:
        return self.fitted(
            X,
            len(start.weights),
            n_threads,
            covariance_type=start.covariance_type,
            tol=0.0,
            max_iter=n_iter,
            weights_init=start.weights,
            means_init=start.means,
            precisions_init=start.precisions,
        )

    def initialize(
        self, X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
    ) -> object:
        return self.fitted(
            X,
            n_components,
            n_threads,
            covariance_type=covariance_type,
            random_state=seed,
            max_iter=0,
        )

    def fit(
        self, X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
    ) -> object:
        return self.fitted(
            X, n_components, n_threads, covariance_type=covariance_type, random_state=seed
        )

    def iterations(self, model: object) -> int:
        return model.n_iter_

    def parameters(self, model: object) -> Parameters:
        return Parameters(model.weights_, model.means_, model.covariances_)

    def lower_bound(self, model: object) -> float:
        return model.lower_bound_

    def score_samples(self, model: object, X: np.ndarray) -> np.ndarray:
        return model.score_samples(X)

    def predict(self, model: object, X: np.ndarray) -> np.ndarray:
        return model.predict(X)

    def predict_proba(self, model: object, X: np.ndarray) -> np.ndarray:
        return model.predict_proba(X)

    def sample(self, model: object, n: int) -> tuple[np.ndarray, np.ndarray]:
        return model.sample(n)
