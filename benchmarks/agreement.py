"""Do two libraries do the same arithmetic? Their parameters after the same iterations tell."""

from __future__ import annotations

import numpy as np
from libraries import Parameters
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from shapes import Start

# The log-likelihood is compared on so many rows.
ROWS = 20_000


def squared_distances(X: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances of rows and the log determinant, (n,)."""
    difference = X - mean
    if covariance.ndim == 2:
        factor = np.linalg.cholesky(covariance)
        whitened = solve_triangular(factor, difference.T, lower=True)
        return np.square(whitened).sum(axis=0) + 2.0 * np.log(np.diag(factor)).sum()
    variances = np.broadcast_to(covariance, mean.shape)
    return np.square(difference) @ (1.0 / variances) + np.log(variances).sum()


def mean_log_likelihood(parameters: Parameters, covariance_type: str, X: np.ndarray) -> float:
    """Mean log-likelihood of the first ``ROWS`` rows, by plain NumPy."""
    X = X[:ROWS]
    K = len(parameters.weights)
    covariances = parameters.covariances
    each = [covariances] * K if covariance_type == "tied" else covariances
    scores = np.empty((len(X), K))
    for k, (mean, covariance) in enumerate(zip(parameters.means, each, strict=True)):
        scores[:, k] = -0.5 * squared_distances(X, mean, covariance)
    scores += np.log(parameters.weights) - 0.5 * X.shape[1] * np.log(2.0 * np.pi)
    return float(logsumexp(scores, axis=1).mean())


def as_start(parameters: Parameters, covariance_type: str) -> Start:
    """A start from another library's parameters."""
    matrices = covariance_type in ("full", "tied")
    covariances = parameters.covariances
    return Start(
        covariance_type,
        parameters.weights / parameters.weights.sum(),
        parameters.means.copy(),
        np.linalg.inv(covariances) if matrices else 1.0 / covariances,
    )


def agreement(
    found: Parameters, reference: Parameters, covariance_type: str, X: np.ndarray, allowed: float
) -> dict:
    """How far ``found`` is from ``reference``: relative log-likelihood, means in units of spread.

    None for both where ``found`` is no mixture: not finite, or not positive definite.
    """
    values = (found.weights, found.means, found.covariances)
    if not all(np.isfinite(array).all() for array in values):
        return {"log-likelihood": None, "means": None, "allowed": allowed, "agrees": False}
    expected = mean_log_likelihood(reference, covariance_type, X)
    difference = abs(mean_log_likelihood(found, covariance_type, X) - expected)
    relative = difference / max(1.0, abs(expected))
    means = np.max(np.abs(found.means - reference.means) / X[:ROWS].std(axis=0))
    return {
        "log-likelihood": relative,
        "means": float(means),
        "allowed": allowed,
        "agrees": bool(relative <= allowed),
    }
