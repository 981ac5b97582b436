"""How the kernels find scores: the logarithm of weight times density, for each component.

There is an exact way for each covariance family, from differences to the means, and cheaper ones
that expand the square about a centre and so lose digits where components lie far from it. Which
ones hold for a mixture, and whether single precision does, is decided here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .._common.typing import Doubles
from .._parameters.linear_algebra import product
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import RowsSummary
from .._rows.first_pass import SINGLE_RANGE

LOG2E = 1.0 / math.log(2.0)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

# float32 rows of so many features are computed in single precision; below, exponentials and
# loading take the time, and double precision costs little more.
SINGLE_FEATURES = 19

# Single precision is for components of ordinary size, and for standardised distances that lose at
# most three of its seven digits when they are formed from the features.
SINGLE_LIMIT = 1e3

# Roundings of a full covariance's moments that may count in the variance which the other features
# leave unexplained: half a percent of it at worst for one row, and far less for the sum of many.
SINGLE_DIGITS_LOST = 1e5

# Up to so many features the products of all pairs of them are formed for each row, so that scores
# and moments of full covariances too are plain matrix products, which suit small sizes better than
# triangles do; and from so many rows on, below which preparing the coefficients costs more.
PRODUCTS_FEATURES = 18
PRODUCTS_ROWS = 2048

# Scores and moments expanded about the centre lose about as many digits as this has: the squared
# distance of a mean from the centre in units of the component's deviation.  Up to here the loss
# is below 2e-11 of a variance; beyond, moments are taken about the component's own mean.
EXPANSION_LIMIT = 1e5
EXPANSION_LIMIT_SINGLE = 1e4


class ScorePlan(NamedTuple):
    """An E-step for the kernels: how scores are computed and from what."""

    estep: str
    factors: Doubles
    factor_stride: int
    constants: Doubles  # in bits
    row_work: int
    features: str = "plain"
    single: bool = False


NOTHING = np.empty(0)


def scoring_centre(parameters: MixtureParameters) -> Doubles:
    """A point from which no digit of a row near a component is lost, for scoring.

    In each column the mean nearest to zero, of the components that are not dead: near the others
    when all lie far from zero together, and never far away because one of them is. It does not
    depend on the rows, so a row's score does not depend on the rows beside it.
    """
    alive = parameters.weights > 1e-6 * parameters.weights.max()
    means = parameters.means[alive]
    centre: Doubles = means[np.abs(means).argmin(axis=0), np.arange(means.shape[1])]
    return centre


def _constants(parameters: MixtureParameters) -> Doubles:
    """Logarithm, to base 2, of weight times the density's constant factor, shape (K,)."""
    constants = parameters.log_weights + parameters.log_determinants
    return (constants - parameters.n_features * HALF_LOG_2PI) * LOG2E


def exact_scores(parameters: MixtureParameters) -> ScorePlan:
    """Scores from differences to the means, which lose only the rounding of each mean's distance
    from the centre.
    """
    estep, factors, stride, row_work = parameters.reading
    return ScorePlan(estep, factors.ravel(), stride, _constants(parameters), row_work)


def scores_of_differences(parameters: MixtureParameters, centre: Doubles) -> ScorePlan:
    """Scores that keep their digits wherever the components lie, for sums about the means."""
    exact = exact_scores(parameters)
    if not parameters.layout.matrices:
        return exact
    K, d = parameters.means.shape
    if exact.estep == "turned":
        turn, scales = exact.factors[: d * d].reshape(d, d), exact.factors[d * d :].reshape(K, d)
        # As many digits of a coordinate are lost as a mean's distance from the centre has.
        if np.abs(product(parameters.means - centre, turn) * scales).max() <= EXPANSION_LIMIT:
            return exact
    stride = 0 if parameters.layout.shared else d * d
    return exact._replace(
        estep="triangular",
        factors=parameters.precisions_cholesky.ravel(),
        factor_stride=stride,
        row_work=K * d * (d + 3) // 2,
    )


def scores_for_sums(parameters: MixtureParameters, rows: RowsSummary, single: bool) -> ScorePlan:
    """The cheapest E-step that loses no digits of the rows.

    Its features are those of the layout where it reads them or second moments may be formed of
    them.
    """
    means = parameters.means - rows.centre
    limit = EXPANSION_LIMIT_SINGLE if single else EXPANSION_LIMIT
    layout, expansion = parameters.layout, None
    if not layout.own_matrices or (not single and _products_pay(parameters, rows, means)):
        expansion = layout.expanded(means, parameters.precisions_cholesky)
    if expansion is None or not expansion[1].max() <= limit:
        return exact_scores(parameters)._replace(single=single)
    coefficients, distances = expansion
    K, width = coefficients.shape
    if layout.turns and parameters.reading.row_work < K * width:
        return exact_scores(parameters)._replace(single=single, features=layout.features)
    constants = _constants(parameters) - 0.5 * LOG2E * distances
    factors = (LOG2E * coefficients).ravel()
    return ScorePlan("linear", factors, width, constants, K * width, layout.features, single)


def suits_single(parameters: MixtureParameters, centre: Doubles) -> bool:
    """Whether single precision will do for float32 rows about this centre: standardised distances
    keep four digits.
    """
    if parameters.n_features < SINGLE_FEATURES:
        return False
    factors = parameters.precisions_cholesky
    means = np.abs(parameters.means - centre)
    variances = parameters.variances
    reach = means + 3.0 * np.sqrt(variances)
    own_matrices = parameters.layout.own_matrices
    if own_matrices and not digits_lost(variances, factors) <= SINGLE_DIGITS_LOST:
        return False  # covariances of the step would have to be formed again in double
    squares = parameters.layout.squared_reach(reach, factors, variances)
    return bool(
        squares.max() <= SINGLE_LIMIT**2
        and reach.max() < SINGLE_RANGE
        and variances.min() > SINGLE_RANGE**-2
    )


def _products_pay(parameters: MixtureParameters, rows: RowsSummary, means: Doubles) -> bool:
    """Whether products of features are worth their cost and precise enough."""
    if parameters.n_features > PRODUCTS_FEATURES or rows.n_samples < PRODUCTS_ROWS:
        return False
    return digits_lost(parameters.variances + means * means, parameters.precisions_cholesky) <= (
        EXPANSION_LIMIT
    )


def digits_lost(squares: Doubles, factors: Doubles) -> float:
    """Largest second moment about the centre, in units of the variance that the other features
    leave unexplained: (K, d) moments and the (K, d, d) factors of the precisions.
    """
    return float((squares * np.einsum("kpr,kpr->kp", factors, factors)).max())


def nearest_scores(centres: Doubles, origin: Doubles) -> ScorePlan:
    """Scores in the order of closeness: ``2 x'c - c'c``, x and c about the origin."""
    K, d = centres.shape
    moved = centres - origin
    constants = -np.einsum("kj,kj->k", moved, moved)
    return ScorePlan("nearest", (2.0 * moved).ravel(), d, constants, K * d)
