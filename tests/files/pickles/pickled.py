"""Write what people may have pickled, `python tests/files/pickles/pickled.py NAME`: NAME.pickle.

Run once before modules move; what is there is never written again.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path

import numpy as np

from gaussmix import (
    ConvergenceWarning,
    GaussianMixture,
    GaussianMixtureImputer,
    IllDefinedCovarianceError,
    ModelFileError,
    NotFittedError,
)

HERE = Path(__file__).parent


def rows() -> np.ndarray:
    return np.random.RandomState(0).normal(size=(60, 2)) * [1.0, 2.0]


def things() -> dict[str, object]:
    X, made = rows(), {}
    holes = np.where(np.arange(120).reshape(60, 2) % 7 == 0, np.nan, X)
    for kind in ("full", "tied", "diag", "spherical"):
        made[kind] = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
    made["float32"] = GaussianMixture(2, random_state=0).fit(X.astype(np.float32))
    made["stepwise"] = GaussianMixture(2, random_state=0, forgetting=0.9).partial_fit(X)
    made["unfitted"] = GaussianMixture(3, reg_covar=0.5)
    made["imputer"] = GaussianMixtureImputer(2, random_state=0).fit(holes)
    made["statistics"] = made["full"].accumulate(X)
    made["prediction"] = made["full"].predict_conditional(X[:3, :1], [0])
    made["errors"] = [NotFittedError("not fitted"), ModelFileError("a.npz", "wrong")]
    made["warning"] = ConvergenceWarning("not converged")
    try:
        GaussianMixture(reg_covar=0.0).fit(np.ones((5, 2)))
    except IllDefinedCovarianceError as error:
        made["collapsed"] = error
    return made


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        content = pickle.dumps(things(), protocol=4)
    with open(HERE / f"{sys.argv[1]}.pickle", "xb") as file:
        file.write(content)
