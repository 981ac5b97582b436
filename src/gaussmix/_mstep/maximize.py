"""The M-step: the parameters that fit statistics best."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .._common.families import CovarianceType
from .._common.typing import Doubles
from .._parameters.layouts import CollapsedComponent, layout_of
from .._parameters.mixture import MixtureParameters
from .._statistics.sufficient import SufficientStatistics
from .families import FAMILIES

# Added to the weight of every component, in units of the mean weight of a row, as scikit-learn
# does for rows of weight one: a component without rows keeps a weight whose logarithm is finite,
# and nothing is divided by zero.
_WEIGHT_FLOOR = 10 * np.finfo(np.float64).eps

# What a component without any row counts for the family, where only ratios of weights do.
_LEAST_WEIGHT = np.finfo(np.float64).tiny


class Estimate(NamedTuple):
    """What an M-step makes parameters of."""

    weights: Doubles
    means: Doubles
    scatter: Doubles  # in the family's layout, over the weight, with all that joins it
    least: Doubles | None = None  # of the columns' variances, where the family must keep them


def estimate(
    statistics: SufficientStatistics,
    reg_covar: float,
    previous: MixtureParameters | None = None,
    variance_floor: float = 0.0,
) -> Estimate:
    """Weights, means and scatter of the components from statistics; see `maximize`.

    All that joins the scatter does so before the family has its say: else a constraint would be
    undone. A family with constraints is told of the floor, as its best covariances under both are
    not those of a scatter that has been raised.
    """
    layout, least = layout_of(statistics.covariance_type), None
    row_weight = statistics.total_weight / max(statistics.n_rows, 1)
    nk = statistics.weight + _WEIGHT_FLOOR * row_weight
    weights = nk / nk.sum()
    means = statistics.shift + statistics.first / nk[:, None]
    scatter = layout.scatter(statistics.first, statistics.second, nk, means)
    if variance_floor > 0:
        # Before `reg_covar`: the columns of the rows themselves. Of rows with missing values the
        # estimate tells those of the rows completed, whose variances move with the parameters: a
        # bound that moves would let the likelihood fall.
        unit = statistics.observed_variances
        if unit is None:
            unit = layout.column_variances(weights, means, scatter)
        least = variance_floor * unit
    if previous is not None and not statistics.weight.all():
        empty = statistics.weight == 0
        means[empty] = previous.means[empty]
    layout.regularise(scatter, reg_covar)
    if least is not None and not FAMILIES[statistics.covariance_type].constrained:
        layout.raise_variances(scatter, least)
        least = None
    return Estimate(weights, means, scatter, least)


def in_family(
    covariance_type: CovarianceType,
    scatter: Doubles,
    nk: Doubles,
    previous: MixtureParameters | None,
    least: Doubles | None = None,
) -> tuple[Doubles, Doubles]:
    """The covariances of a family that fit a scatter best, and their factors.

    Raises
    ------
    CollapsedComponent
        If there are none: of components that are bound to each other the one is named whose own
        scatter is to blame.
    """
    family, layout = FAMILIES[covariance_type], layout_of(covariance_type)
    if least is not None and family.constrained:
        # A bound far below all variances stands for none.
        spread = np.min(layout.variances(scatter), axis=0)
        usable = (least > 0) & (least < np.inf)
        least = np.where(usable, least, np.finfo(np.float64).eps * spread)
    with np.errstate(all="ignore"):
        covariances = family.estimate(scatter, nk, previous, least)
    try:
        return covariances, layout.factorise(covariances)
    except CollapsedComponent:
        if family.constrained:
            layout.factorise(scatter)
        raise


def factorised(
    statistics: SufficientStatistics,
    estimate: Estimate,
    previous: MixtureParameters | None = None,
) -> MixtureParameters:
    """Parameters from an estimate; `CollapsedComponent` with the component's weight and rows."""
    weights, means, scatter, least = estimate
    try:
        nk = np.maximum(statistics.weight, _LEAST_WEIGHT)
        covariances, factors = in_family(statistics.covariance_type, scatter, nk, previous, least)
    except CollapsedComponent as collapsed:
        if collapsed.component is not None:
            collapsed.weight = float(weights[collapsed.component])
            collapsed.effective_rows = float(statistics.weight[collapsed.component])
        raise
    parameters = MixtureParameters(
        statistics.covariance_type, weights, means, covariances, factors
    )
    if (
        least is None
        or previous is None
        or _misfit(parameters, scatter, nk) <= _misfit(previous, scatter, nk)
    ):
        return parameters
    # Within bounds a family may not find its best covariances, but those before the step are
    # within them too. So the likelihood does not fall.
    return replace(
        parameters,
        covariances=previous.own_covariances(),
        precisions_cholesky=previous.precisions_cholesky,
    )


def _misfit(parameters: MixtureParameters, scatter: Doubles, nk: Doubles) -> float:
    """``sum_k n_k (log|Sigma_k| + tr(S_k Sigma_k^-1))``, which an M-step minimises."""
    traces = parameters.layout.traces(
        scatter, parameters.precisions_cholesky, parameters.n_features
    )
    return float((nk * (traces - 2 * parameters.log_determinants)).sum())


def maximize(
    statistics: SufficientStatistics,
    reg_covar: float,
    previous: MixtureParameters | None = None,
    variance_floor: float = 0.0,
) -> MixtureParameters:
    """The M-step: the parameters that fit the statistics best.

    The component weights are ``N_k + 10 eps`` over their sum, the means ``shift + first / N_k``,
    and ``reg_covar`` is added to every variance, as in scikit-learn. Variances that are below the
    floor then are raised to it; of a family with constraints, as part of its estimate.

    Parameters
    ----------
    statistics : SufficientStatistics
    reg_covar : float
        Added to every variance, in squared units of the data.
    previous : MixtureParameters, optional
        A component that got no weight at all keeps its mean from here, and its covariance is
        ``reg_covar`` alone, or the floor. Without it the mean becomes the point of reference of
        the statistics. Families that iterate start from its covariances.
    variance_floor : float, default=0.0
        Least variance of a component in any direction, as a fraction of the columns' variances,
        which the statistics tell; where values are missing, of those in ``statistics.columns``.

    Returns
    -------
    MixtureParameters

    Raises
    ------
    CollapsedComponent
        If a covariance is not positive definite, with the component's weight and rows.
    """
    found = estimate(statistics, reg_covar, previous, variance_floor)
    return factorised(statistics, found, previous)


def constrained(parameters: MixtureParameters, least: Doubles | None) -> MixtureParameters:
    """The parameters with variances of at least `least`, (d,), taken into their family.

    Of parameters that no M-step has made, such as an extrapolation of several.
    """
    covariances = parameters.layout.covariances(parameters.precisions_cholesky)
    nk = np.maximum(parameters.weights, _LEAST_WEIGHT)
    covariances, factors = in_family(parameters.covariance_type, covariances, nk, None, least)
    return replace(parameters, covariances=covariances, precisions_cholesky=factors)
