"""Fit a mixture to rows that Ray's actors hold. Statistics alone travel.

python fit_with_ray.py [--weights]
"""

from __future__ import annotations

import pickle
import sys

import numpy as np
import ray
from comparison import compare, example

from gaussmix import GaussianMixture, SufficientStatistics


@ray.remote
class Part:
    """Keeps a part of the rows in the memory of its process."""

    def __init__(self, X, sample_weight=None):
        # In earnest it reads them itself, from a file or a table of its own.
        self.X, self.sample_weight = X, sample_weight

    def sample(self, step):
        weight = self.sample_weight
        return self.X[::step], None if weight is None else weight[::step]

    def accumulate(self, model):
        return model.accumulate(self.X, self.sample_weight)


def first_guess(parts: list, n_components: int) -> GaussianMixture:
    """Where EM starts: a fit to a sample of the rows."""
    samples, weights = zip(*ray.get([part.sample.remote(40) for part in parts]))
    fitted = GaussianMixture(n_components, random_state=0).fit(
        np.concatenate(samples),
        sample_weight=None if weights[0] is None else np.concatenate(weights),
    )
    return GaussianMixture.from_parameters(
        fitted.weights_, fitted.means_, fitted.covariances_, n_threads=1, tol=1e-6
    )


def fit(parts: list, start: GaussianMixture, max_iter: int = 100) -> GaussianMixture:
    """EM over the rows of all actors, until it converges."""
    model = pickle.loads(pickle.dumps(start))
    for _ in range(max_iter):
        sent = ray.put(model)
        statistics = ray.get([part.accumulate.remote(sent) for part in parts])
        model.update(SufficientStatistics.merge(statistics))
        if model.converged_:
            break
    return model


def main() -> None:
    X, weights = example()
    if "--weights" not in sys.argv:
        weights = None
    cuts = [slice(first, first + 50_000) for first in range(0, len(X), 50_000)]
    ray.init(num_cpus=len(cuts), include_dashboard=False, _node_ip_address="127.0.0.1")
    parts = [
        Part.remote(X[cut], None if weights is None else weights[cut]) for cut in cuts
    ]
    start = first_guess(parts, n_components=3)
    model = fit(parts, start)
    compare(model, start, X, weights)
    ray.shutdown()


if __name__ == "__main__":
    main()
