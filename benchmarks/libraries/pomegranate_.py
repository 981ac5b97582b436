"""pomegranate's GeneralMixtureModel of Normal distributions, on PyTorch."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import torch
from pomegranate.distributions import Normal
from pomegranate.gmm import GeneralMixtureModel
from shapes import Start

from libraries import Library, Parameters


class Pomegranate(Library):
    name = "pomegranate"
    differences = (
        "single precision (its weighted sums are float32 whatever the rows are), covariances "
        "E[xx'] - mm' about the origin, nothing added to their diagonal. Threads are PyTorch's."
    )
    covariance_types = ("full", "diag")
    precision = "float32"
    agreement = 1e-3

    def versions(self) -> dict[str, str]:
        return {"pomegranate": version("pomegranate"), "torch": torch.__version__}

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> object:
        torch.set_num_threads(n_threads)
        components = [
            Normal(mean, covariance, covariance_type=start.covariance_type, check_data=False)
            for mean, covariance in zip(
                start.means.astype(np.float32), start.covariances.astype(np.float32), strict=True
            )
        ]
        model = GeneralMixtureModel(
            components,
            priors=start.weights.astype(np.float32),
            max_iter=n_iter,
            tol=-np.inf,
            check_data=False,
        )
        model.fit(torch.from_numpy(X.astype(np.float32)))
        model.n_iter = n_iter
        return model

    def iterations(self, model: object) -> int:
        return model.n_iter

    def parameters(self, model: object) -> Parameters:
        components = model.distributions
        return Parameters(
            model.priors.numpy().astype(float),
            np.array([component.means.numpy() for component in components], dtype=float),
            np.array([component.covs.numpy() for component in components], dtype=float),
        )


ADAPTER = Pomegranate()
