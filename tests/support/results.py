"""Run as a script: a digest of what every method returns, a line each, for tests that compare
processes. The argument is a number of threads, or "-" to leave that to the environment.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterator

import numpy as np
from families import FAMILIES  # beside this script

from gaussmix import GaussianMixture

# The number of features, rows and components. BLAS libraries use threads from some tens of
# features on, LAPACK's factorisations some from 256.
SHAPES = ((2, 3_001, 3), (17, 1_501, 3), (130, 600, 2), (300, 700, 2))


def results(n_threads: int | None) -> Iterator[tuple[str, object]]:
    for d, n, K in SHAPES:
        rng = np.random.default_rng([d, n])
        X = rng.standard_normal((n, d))
        X += 0.5 * X[:, ::-1]  # no product: those are what is in question
        X[: n // 3] += 2.0
        for covariance_type in ("VVV", "EEE") if d > 2 else FAMILIES:
            model = GaussianMixture(
                K, covariance_type=covariance_type, random_state=0, max_iter=3, tol=0.0,
                reg_covar=1e-3, n_threads=n_threads, variance_floor=0.5 if d == 17 else 0.0,
            ).fit(X)  # fmt: skip
            for name, value in of_model(model, X, rng):
                yield f"{d} {covariance_type} {name}", value


def of_model(
    model: GaussianMixture, X: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[str, object]]:
    d = X.shape[1]
    some = X[:60]
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        yield name, getattr(model, name)
    yield "lower_bounds_", model.lower_bounds_
    yield "score_samples", model.score_samples(X)
    yield "predict_proba", model.predict_proba(X)
    yield "criteria", [model.score(X), model.bic(X), model.icl(X)]
    yield "sample", model.sample(50, random_state=1)[0]
    yield "mahalanobis", model.mahalanobis(some)
    yield "feature_contributions", model.feature_contributions(some)
    yield "shapley", model.feature_contributions(some[:3], "shapley", n_permutations=2)
    columns = list(range(0, d, 2))
    predicted = model.predict_conditional(some[:, columns], columns)
    yield "predict_conditional", [predicted.mean.ravel(), predicted.covariance.ravel()]
    given = model.condition(columns, some[0, columns])
    yield "condition", [given.means_.ravel(), given.covariances_.ravel()]
    yield "marginal", model.marginal(columns).precisions_cholesky_
    holes = some.copy()
    holes[rng.random(holes.shape) < 0.2] = np.nan
    yield "impute", model.impute(holes)
    yield "impute deviations", model.impute(holes, return_std=True)[1]
    yield "impute draws", model.impute(holes, n_draws=2, random_state=2)
    stepped = model.partial_fit(X[:200])
    yield "partial_fit", [stepped.means_.ravel(), stepped.covariances_.ravel()]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, value in results(None if sys.argv[1] == "-" else int(sys.argv[1])):
        parts = value if isinstance(value, list) else [value]
        bits = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        print(name.replace(" ", "_"), hashlib.sha256(bits).hexdigest())
