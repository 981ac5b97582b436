"""Gaussian mixtures with scikit-learn's interface, fast on CPU servers.

This module only names things. The library's rooms, from the top down; each imports only from those
below it, and its own docstring names what is in it:

    cli            the command line, a file a command
    plotting       plots on matplotlib axes, a file a kind of picture; imported by nothing here
    imputation     GaussianMixtureImputer, a scikit-learn transformer
    regression     GaussianMixtureRegressor, a scikit-learn regressor
    mixture        GaussianMixture: its parameters; load
    sources        where rows come from that are read a chunk at a time
    _estimators    what the public estimators share: fitted state, fits, scores and the rest
    _em            round the arrow: starts, iterations, restarts, steps of data that keeps coming
    _estep         rows and parameters to statistics, or to a score of each row
    _mstep         statistics to parameters; the covariance families
    _rows          rows wherever they come from, before a mixture reads them
    _files         model files, tables of numbers, paths
    _checks        what users pass in, and what is said about it
    _statistics    what a pass over rows returns
    _parameters    a mixture's parameters, and the layouts of covariances
    _runtime       this machine: instruction sets and threads
    _kernels       compiled code
    exceptions     the exceptions and warnings of the library
    _common        settings, names of families, texts, types

One arrow carries everything: rows and parameters go into `_estep.accumulation.accumulate`, which
returns `SufficientStatistics`; `_mstep.maximize` turns those into new parameters.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gaussmix._build_config import VERSION as __version__
from gaussmix._estimators.conditionals import ConditionalPrediction
from gaussmix._statistics.sufficient import SufficientStatistics
from gaussmix.exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    InvalidParameterError,
    ModelFileError,
    NotFittedError,
)
from gaussmix.mixture import GaussianMixture, load

if TYPE_CHECKING:
    from gaussmix._runtime.config import show_config
    from gaussmix.imputation import GaussianMixtureImputer
    from gaussmix.regression import GaussianMixtureRegressor

__all__ = [
    "ConditionalPrediction",
    "ConvergenceWarning",
    "GaussianMixture",
    "GaussianMixtureImputer",
    "GaussianMixtureRegressor",
    "IllDefinedCovarianceError",
    "InvalidParameterError",
    "ModelFileError",
    "NotFittedError",
    "SufficientStatistics",
    "__version__",
    "load",
    "show_config",
]


# Modules that not every program needs, and public names in them: imported when asked for.
_LATER = {
    "GaussianMixtureImputer": "imputation",
    "GaussianMixtureRegressor": "regression",
    "imputation": "imputation",
    "regression": "regression",
    "show_config": "_runtime.config",
    "sources": "sources",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'gaussmix' has no attribute {name!r}")
    module = importlib.import_module(f"gaussmix.{_LATER[name]}")
    return getattr(module, name, module)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
