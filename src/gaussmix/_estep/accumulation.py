"""Statistics of rows: the ways to form them, and the passes that do.

Rows that lie apart go the same `AccumulationPlan`, and what each part returns adds up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from .._common.families import CovarianceType
from .._common.typing import Doubles, Generator
from .._parameters.layouts import FULL, layout_of
from .._parameters.linear_algebra import product
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import SINGLE, Rows, RowsSummary, beside_indicators
from .._runtime import instruction_sets
from .._statistics.sufficient import SufficientStatistics
from .accuracy import centred_moments_hold, has_cancelled, moments_keep_digits
from .missing.accumulation import IncompletePlan, incomplete_plans
from .missing.starts import AvailablePlan, available_scores
from .partition import LANES_BYTES
from .score_plan import (
    NOTHING,
    ScorePlan,
    nearest_scores,
    scores_for_sums,
    scores_of_differences,
    suits_single,
)
from .sums import Sums, sums_over


class AccumulationPlan(NamedTuple):
    """A way to form statistics, in one pass: the E-step, and the points that moments are about.

    Rows that lie apart, in files or on machines, go the same way, and what `accumulate` returns
    for each part adds up to what `finish` takes.
    """

    covariance_type: CovarianceType
    scores: ScorePlan
    centre: Doubles  # rows are read less this point
    means: Doubles  # moments are about these, or, where `from_features`, about the centre
    from_features: bool = False
    factor: Doubles | None = None  # the scores lack -1/2 |factor' (x - centre)|^2

    def accumulate(
        self, rows: Rows, blocks: Callable[[int, int], Doubles] | None = None
    ) -> SufficientStatistics:
        """Statistics of rows, formed in this way.

        Parameters
        ----------
        rows : Rows
            All rows, or a part of them. Of its own the part needs `weight_range`, that of all.
        blocks : callable, optional
            The responsibilities of `given_plan`: ``blocks(start, stop)`` returns those of these
            rows, (stop - start, K) float64. Called in order, once for each row.
        """
        return _from_features(self, rows) if self.from_features else _moments(self, rows, blocks)

    @property
    def lacks_scatter(self) -> bool:
        """Whether `finish` must add what is the same in every iteration."""
        return self.from_features and layout_of(self.covariance_type).shared

    def finish(
        self, statistics: SufficientStatistics, scatter: Callable[[], Doubles]
    ) -> SufficientStatistics:
        """The statistics of all rows, given their second moment about the centre, (d, d)."""
        if not self.lacks_scatter:
            return statistics
        second = scatter()
        log_likelihood = statistics.log_likelihood
        if self.factor is not None:
            # -1/2 sum of w (x - c)' P (x - c) = -1/2 trace(P scatter).
            log_likelihood -= 0.5 * float(
                np.einsum("jr,jr->", self.factor, product(second, self.factor))
            )
        return replace(statistics, second=second, log_likelihood=log_likelihood)

    def is_accurate(self, statistics: SufficientStatistics, reg_covar: float) -> bool:
        """Whether the statistics of all rows have the digits that an M-step needs."""
        single = self.scores.single
        # Rows so far out that their distances overflow need the range of doubles.
        if single and not math.isfinite(statistics.log_likelihood):
            return False
        if self.from_features:
            return not has_cancelled(statistics, reg_covar, single)
        return not single or moments_keep_digits(statistics, self.centre, reg_covar)


AnyPlan: TypeAlias = AccumulationPlan | IncompletePlan | AvailablePlan


def plans(
    parameters: MixtureParameters, rows: RowsSummary, reg_covar: float
) -> Iterator[AccumulationPlan] | Iterator[IncompletePlan]:
    """Ways to take the E-step and its sums, the cheapest first; the last one always holds.

    The next is for when statistics formed in the ways before did not hold.
    """
    if rows.incomplete:
        return incomplete_plans(parameters, rows)
    return _complete_plans(parameters, rows, reg_covar)


def _complete_plans(
    parameters: MixtureParameters, rows: RowsSummary, reg_covar: float
) -> Iterator[AccumulationPlan]:
    """`plans` for rows of which no value is missing."""
    if rows.dtype == SINGLE and suits_single(parameters, rows.centre) and rows.fits_single:
        yield from _plans_in(parameters, rows, reg_covar, single=True)
    yield from _plans_in(parameters, rows, reg_covar, single=False)


def _plans_in(
    parameters: MixtureParameters, rows: RowsSummary, reg_covar: float, *, single: bool
) -> Iterator[AccumulationPlan]:
    """`plans` in one precision."""
    family, centre, means = parameters.covariance_type, rows.centre, parameters.means
    scores = scores_for_sums(parameters, rows, single)
    if centred_moments_hold(parameters, centre, scores, reg_covar):
        linear = parameters.layout.shared and scores.estep == "linear"
        factor = parameters.precisions_cholesky if linear else None
        features = scores._replace(features=parameters.layout.features)
        yield AccumulationPlan(family, features, centre, means, from_features=True, factor=factor)
    scores = scores_of_differences(parameters, centre)._replace(single=single)
    if single:  # means that the kernel can represent
        means = centre + (means - centre).astype(np.float32)
    yield AccumulationPlan(family, scores, centre, means)


def nearest_plan(
    rows: RowsSummary, centres: Doubles, covariance_type: CovarianceType
) -> AccumulationPlan | AvailablePlan:
    """Every row belongs wholly to the nearest centre; no log-likelihood."""
    if rows.incomplete:
        return _available_plan(rows, available_scores(centres, rows.centre), covariance_type)
    return _nearest_plan(rows.centre, centres, covariance_type)


def _nearest_plan(
    origin: Doubles, centres: Doubles, covariance_type: CovarianceType
) -> AccumulationPlan:
    centres = np.ascontiguousarray(centres, dtype=np.float64)
    return AccumulationPlan(covariance_type, nearest_scores(centres, origin), origin, centres)


def scatter_plan(origin: Doubles) -> AccumulationPlan:
    """The second moment of all rows about the centre, as that of a single component."""
    return _nearest_plan(origin, origin[None, :], FULL.name)


def given_plan(
    rows: RowsSummary, n_components: int, covariance_type: CovarianceType
) -> AccumulationPlan | AvailablePlan:
    """Responsibilities are given with the rows; no log-likelihood."""
    scores = ScorePlan("given", NOTHING, 0, np.zeros(n_components), n_components)
    if rows.incomplete:
        return _available_plan(rows, scores, covariance_type)
    return AccumulationPlan(
        covariance_type, scores, rows.centre, np.tile(rows.centre, (n_components, 1))
    )


def _available_plan(
    rows: RowsSummary, scores: ScorePlan, covariance_type: CovarianceType
) -> AvailablePlan:
    """Statistics of the values that are not missing, under these scores."""
    origin = beside_indicators(rows.centre)
    means = np.tile(origin, (len(scores.constants), 1))
    plan = AccumulationPlan(AvailablePlan.moments_of(covariance_type), scores, origin, means)
    return AvailablePlan(covariance_type, plan, rows.centre)


def random_responsibilities(
    random_state: Generator, n_components: int
) -> Callable[[int, int], Doubles]:
    """Uniform random responsibilities, drawn a block at a time as a plan asks for them."""

    def block(start: int, stop: int) -> Doubles:
        responsibilities = random_state.uniform(size=(stop - start, n_components))
        responsibilities /= responsibilities.sum(axis=1, keepdims=True)
        return responsibilities

    return block


def accumulate(
    parameters: MixtureParameters, rows: Rows, reg_covar: float = 0.0
) -> SufficientStatistics:
    """The E-step and its sums: statistics of the rows under the parameters.

    `reg_covar` is what the M-step will add to every variance; digits far below it are not worth a
    second pass.
    """
    for plan in plans(parameters, rows, reg_covar):
        statistics = plan.finish(plan.accumulate(rows), lambda: _scatter(rows))
        if plan.is_accurate(statistics, reg_covar):
            break
    return statistics


def _from_features(plan: AccumulationPlan, rows: Rows) -> SufficientStatistics:
    """Statistics about the centre, from sums of responsibilities times features."""
    K, d = plan.means.shape
    kernels = instruction_sets.kernels()
    width = kernels.width(kernels.FEATURE_SETS[plan.scores.features], d)
    lanes = K * width * kernels.vector_bytes()
    mstep = "dots" if lanes <= LANES_BYTES else "features"
    sums = sums_over(rows, plan.scores, mstep, plan.centre, plan.means)
    first = np.ascontiguousarray(sums.first[:, :d])
    second = layout_of(plan.covariance_type).from_features(sums.first[:, d:], d)
    sums = sums._replace(first=first, second=second)
    return _statistics(plan.covariance_type, rows, sums, np.tile(plan.centre, (K, 1)))


def _statistics(
    covariance_type: CovarianceType, rows: Rows, sums: Sums, shift: Doubles
) -> SufficientStatistics:
    return SufficientStatistics(
        covariance_type=covariance_type,
        weight=sums.weight,
        first=sums.first,
        second=np.ascontiguousarray(sums.second),
        shift=shift,
        log_likelihood=sums.log_likelihood,
        total_weight=rows.total_weight,
        n_rows=rows.n_samples,
    )


def _moments(
    plan: AccumulationPlan, rows: Rows, blocks: Callable[[int, int], Doubles] | None
) -> SufficientStatistics:
    """Statistics with second moments about the means."""
    layout = layout_of(plan.covariance_type)
    sums = sums_over(rows, plan.scores, layout.moments, plan.centre, plan.means, blocks)
    if plan.scores.estep in ("nearest", "given"):
        sums = sums._replace(log_likelihood=math.nan)
    sums = sums._replace(second=layout.from_sums(sums.second))
    return _statistics(plan.covariance_type, rows, sums, plan.means)


def accumulate_nearest(
    rows: Rows, centres: Doubles, covariance_type: CovarianceType
) -> SufficientStatistics:
    """Statistics when every row belongs wholly to the nearest centre; no log-likelihood."""
    plan = nearest_plan(rows, centres, covariance_type)
    return plan.finish(plan.accumulate(rows), lambda: _scatter(rows))


def _scatter(rows: Rows) -> Doubles:
    """Second moment of all rows about the centre, (d, d)."""
    if rows.scatter is None:
        rows.scatter = scatter_plan(rows.centre).accumulate(rows).second[0]
    return rows.scatter


def accumulate_responsibilities(
    rows: Rows,
    blocks: Callable[[int, int], Doubles],
    n_components: int,
    covariance_type: CovarianceType,
) -> SufficientStatistics:
    """Statistics under given responsibilities, as a plan asks for them; no log-likelihood."""
    plan = given_plan(rows, n_components, covariance_type)
    return plan.finish(plan.accumulate(rows, blocks), lambda: _scatter(rows))
