"""Intel oneDAL's EM, through daal4py (in the package scikit-learn-intelex)."""

from __future__ import annotations

from importlib.metadata import version

import daal4py
import numpy as np
from shapes import Start

from libraries import Library, Parameters


class OneDAL(Library):
    name = "oneDAL"
    differences = (
        "nothing is added to the diagonal of a covariance (its regularisation acts only on a "
        "covariance that cannot be factorised), so parameters differ by the 1e-6 the others add. "
        "Threads are TBB's."
    )
    covariance_types = ("full", "diag")
    agreement = 1e-4

    def versions(self) -> dict[str, str]:
        return {"oneDAL": version("daal"), "scikit-learn-intelex": version("scikit-learn-intelex")}

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> object:
        daal4py.daalinit(n_threads)
        full = start.covariance_type == "full"
        algorithm = daal4py.em_gmm(
            nComponents=len(start.weights),
            maxIterations=n_iter,
            accuracyThreshold=0.0,
            covarianceStorage="full" if full else "diagonal",
        )
        covariances = start.covariances
        return algorithm.compute(
            X,
            start.weights[None].copy(),
            start.means,
            list(covariances) if full else [variances[None].copy() for variances in covariances],
        )

    def iterations(self, model: object) -> int:
        return int(model.nIterations[0, 0])

    def parameters(self, model: object) -> Parameters:
        covariances = np.array(model.covariances)
        if covariances.shape[1] == 1 and model.means.shape[1] > 1:
            covariances = covariances[:, 0]
        return Parameters(model.weights.ravel(), model.means, covariances)


ADAPTER = OneDAL()
