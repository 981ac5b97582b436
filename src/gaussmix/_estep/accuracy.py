"""Whether moments have the digits that an M-step needs of them.

Moments about a point far from a component's mean make its variance a small difference of large
numbers.
"""

from __future__ import annotations

import math

import numpy as np

from .._common.typing import Doubles
from .._parameters.layouts import CollapsedComponent, layout_of
from .._parameters.mixture import MixtureParameters
from .._statistics.sufficient import SufficientStatistics
from .score_plan import (
    EXPANSION_LIMIT,
    EXPANSION_LIMIT_SINGLE,
    SINGLE_DIGITS_LOST,
    ScorePlan,
    digits_lost,
)

# The ratio that EXPANSION_LIMIT bounds, after the step, where a component may have shrunk
# meanwhile: a loss of 2e-8 of a variance, floor included, for one step, as the next will be taken
# about the means. Of a full covariance that loss would be one of its smallest eigenvalue, and a
# factor might be lost with it.
CANCELLATION_LIMIT = 1e8
CANCELLATION_LIMIT_FULL = 1e6
CANCELLATION_LIMIT_SINGLE = 1e5


def centred_moments_hold(
    parameters: MixtureParameters, centre: Doubles, scores: ScorePlan, reg_covar: float
) -> bool:
    """Whether variances may be formed from moments about the centre, as far as the parameters
    before the step tell. A variance that is hardly more than `reg_covar` needs fewer digits.
    """
    if parameters.layout.own_matrices:
        return scores.features == parameters.layout.features
    limit, floor_limit = EXPANSION_LIMIT, CANCELLATION_LIMIT
    if scores.single:
        limit, floor_limit = EXPANSION_LIMIT_SINGLE, CANCELLATION_LIMIT_SINGLE
    variances = parameters.variances
    squares = parameters.layout.column_mean(np.square(parameters.means - centre))
    limits = np.where(variances <= 2 * reg_covar, floor_limit, limit)
    return bool((squares <= limits * variances).all())


def has_cancelled(statistics: SufficientStatistics, reg_covar: float, single: bool) -> bool:
    """Whether new variances would be small differences of large moments about the centre, or those
    have overflowed, or the distances from it have.
    """
    if not math.isfinite(statistics.log_likelihood):
        return True
    layout = layout_of(statistics.covariance_type)
    if layout.own_matrices:
        return not _keeps_digits(statistics, reg_covar, CANCELLATION_LIMIT_FULL)
    weight = np.maximum(statistics.weight, np.finfo(np.float64).tiny)
    second, moved, divisor = layout.parts_of_variance(statistics.second, statistics.first, weight)
    limit = CANCELLATION_LIMIT_SINGLE if single else CANCELLATION_LIMIT
    hold = np.isfinite(second) & (second <= limit * (second - moved + reg_covar * divisor))
    return not bool(hold.all())


def _keeps_digits(statistics: SufficientStatistics, reg_covar: float, limit: float) -> bool:
    """Whether full covariances from the statistics have factors, and lose not more than `limit`
    roundings of their moments in them.
    """
    layout = layout_of(statistics.covariance_type)
    weight = np.maximum(statistics.weight, np.finfo(np.float64).tiny)
    means = statistics.shift + statistics.first / weight[:, None]
    covariances = layout.scatter(statistics.first, statistics.second, weight, means)
    layout.regularise(covariances, reg_covar)
    try:
        factors = layout.factorise(covariances)
    except CollapsedComponent:
        return False
    squares = np.diagonal(statistics.second, axis1=1, axis2=2) / weight[:, None]
    return digits_lost(squares, factors) <= limit


def moments_keep_digits(
    statistics: SufficientStatistics, centre: Doubles, reg_covar: float
) -> bool:
    """Whether moments about the means, formed in single precision, leave new variances digits.

    They were sums of products with differences from the centre: of each variance as much is lost
    as of (mean moved by) * (mean from the centre).
    """
    layout = layout_of(statistics.covariance_type)
    if layout.own_matrices:
        return _keeps_digits(statistics, reg_covar, SINGLE_DIGITS_LOST)
    weight = np.maximum(statistics.weight, np.finfo(np.float64).tiny)
    move = statistics.first / weight[:, None]
    reach = np.abs(move) * np.abs(statistics.shift - centre)
    second, squares, reach = layout.reach_of_variance(statistics.second, move, reach, weight)
    variances = second - squares + reg_covar
    return bool((np.abs(second) + reach <= EXPANSION_LIMIT_SINGLE * variances).all())
