"""gaussmix."""

from __future__ import annotations

import numpy as np

import gaussmix
from libraries.estimator import Estimator


class Gaussmix(Estimator):
    name = "gaussmix"
    differences = (
        "fit makes no pass for labels. The k-means of a default fit runs on a subsample when the "
        "rows are many, so one seed can lead to another local optimum."
    )
    mixture = gaussmix.GaussianMixture
    convergence_warning = gaussmix.ConvergenceWarning

    def versions(self) -> dict[str, str]:
        return {"gaussmix": gaussmix.__version__, "numpy": np.__version__}

    def options(self, n_threads: int) -> dict:
        return {"n_threads": n_threads}


ADAPTER = Gaussmix()
