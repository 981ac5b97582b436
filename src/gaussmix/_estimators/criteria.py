"""Numbers by which fits are compared: information criteria, and R^2 of predictions."""

from __future__ import annotations

import math

import numpy as np

from .._common.families import CovarianceType
from .._common.typing import Doubles
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


def r_squared(y: Doubles, predicted: Doubles, weight: Doubles | None) -> float:
    """The share of the targets' variance that predictions (n, t) explain, the mean over targets.

    Of a constant target 1 where it is met and 0 where not, as scikit-learn's `r2_score` has it.
    """
    missed = np.average(np.square(y - predicted), axis=0, weights=weight)
    spread = np.average(np.square(y - np.average(y, axis=0, weights=weight)), 0, weight)
    met = np.where(missed == 0, 1.0, 0.0)
    return float(np.where(spread > 0, 1.0 - missed / np.where(spread > 0, spread, 1), met).mean())
