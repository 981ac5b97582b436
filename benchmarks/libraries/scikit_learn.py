"""scikit-learn's GaussianMixture."""

from __future__ import annotations

import numpy as np
import scipy
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info

from libraries.estimator import Estimator


class ScikitLearn(Estimator):
    name = "scikit-learn"
    differences = (
        "fit ends with one more E-step, for labels it throws away (it cancels in the time of an "
        "iteration and counts in the time of a default fit). Threads are the BLAS's; NumPy's own "
        "loops run on one."
    )
    mixture = GaussianMixture
    convergence_warning = ConvergenceWarning

    def versions(self) -> dict[str, str]:
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


ADAPTER = ScikitLearn()
