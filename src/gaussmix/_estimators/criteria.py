"""Information criteria: a log-likelihood set off against the number of parameters it took."""

from __future__ import annotations

import math

from .._common.families import CovarianceType
from .._mstep.families import FAMILIES


def n_parameters(covariance_type: CovarianceType, n_components: int, n_features: int) -> int:
    """Number of free parameters: weights, means and covariances."""
    covariances = FAMILIES[covariance_type].n_parameters(n_components, n_features)
    return covariances + n_components * n_features + n_components - 1


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Akaike's information criterion: lower is better."""
    return -2 * log_likelihood + 2 * n_parameters


def bic(log_likelihood: float, n_parameters: int, n_rows: float) -> float:
    """The Bayesian information criterion, of rows or of their total weight: lower is better."""
    return -2 * log_likelihood + n_parameters * math.log(n_rows)
