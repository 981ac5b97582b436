"""Passes over rows with missing values: exact, under the assumption that they miss at random.

Rows are grouped by pattern, a unit of rows at a time. Of their observed features the rows of a
pattern are complete rows of the marginal mixture, whose density is the likelihood of what was
observed (Little & Rubin 2019, Statistical Analysis with Missing Data, 3rd edition, sections 6.2
and 11.2). The sums that an M-step needs are those of the rows completed in expectation: for each
component with the regression of the missing features on the observed ones, and with their
covariance given those added to the second moments (Ghahramani & Jordan 1994, Supervised learning
from incomplete data via an EM approach).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..._common.caching import cached_property
from ..._common.families import CovarianceType
from ..._common.typing import Doubles, Floats, Indices
from ..._parameters.layouts import Layout
from ..._parameters.mixture import MixtureParameters
from ..._rows.array_rows import Block, Rows, RowsSummary
from ..._rows.patterns import Grouper, Patterns
from ..._runtime import instruction_sets
from ..._statistics.sufficient import SufficientStatistics
from ..accuracy import has_cancelled
from ..partition import (
    LANES_BYTES,
    ROUND_WORK,
    Partition,
    most_partials,
    negligible_bits,
    partition,
)
from ..score_plan import EXPANSION_LIMIT, LOG2E, digits_lost, scores_for_sums, scoring_centre

if TYPE_CHECKING:
    from ..._runtime.instruction_sets import MissingKernels

# Rows are grouped in units of so many values: more rows share the cost of preparing a pattern, and
# a unit, with a copy of it, still takes little memory.
UNIT_VALUES = 1 << 21

# Rows for each partial sum at least, so that few rows do not have many sums to add up.
PARTIAL_ROWS = 64

# From so many features on rows are completed one by one when they are scored, however many have
# the same pattern: the choice must not depend on how many rows come together, nor what a row
# scores on the rows beside it. For sums that is done for up to `few_rows` of the kernels.
FEW_FEATURES = 20


def unit_rows(n_features: int) -> int:
    """Rows that are grouped by pattern together; a function of the problem alone."""
    return max(64, UNIT_VALUES // n_features)


class Unit(NamedTuple):
    """Some rows, grouped by pattern."""

    number: int
    block: Block
    groups: Patterns


def units(rows: Rows, size: int | None = None, *, keep: bool = False) -> Iterator[Unit]:
    """All rows, a unit at a time; the patterns of one are in force until the next.

    Parameters
    ----------
    rows : Rows
    size : int, optional
        Most rows of a unit; by default `unit_rows`.
    keep : bool, default=False
        Whether the patterns of rows in memory are kept for the next pass, as far as there is room.
        Passes that keep them have units of one size.
    """
    size = size or unit_rows(rows.n_features)
    keep = keep and not rows.streamed
    kept = rows.kept.patterns if keep else []
    grouper: Grouper | None = None
    for number, block in enumerate(rows.pieces(size)):
        if number < len(kept):
            groups = kept[number]
        else:
            grouper = grouper or Grouper(min(size, rows.n_samples), rows.n_features)
            groups = grouper(block.X, rows.threads(4 * block.X.size))
            if keep and number == len(kept):
                rows.kept.add(groups)
        yield Unit(number, block, groups)


class _Steps(NamedTuple):
    """What the kernels do with the rows of a pattern."""

    estep: str
    mstep: str
    features: str
    width: int
    row_work: int
    copies: int


def _exact_steps(layout: Layout, K: int, d: int) -> _Steps:
    """Distances and moments about the means."""
    if not layout.matrices:
        return _Steps("direct", layout.moments, "plain", d, 4 * K * d, 1)
    return _Steps("triangular", layout.moments, "plain", d, K * d * (d + 3), 3)


def _expanded_steps(layout: Layout, K: int, d: int) -> _Steps:
    """Distances and moments about the centre, as plain matrix products."""
    width = layout.n_expanded(d)
    scatter = d * d if layout.shared else 0
    return _Steps("linear", "dots", layout.features, width, 2 * K * width + scatter, 1)


class _Model:
    """A mixture as the kernels read it to take marginals of it."""

    def __init__(self, parameters: MixtureParameters, steps: _Steps, centre: Doubles) -> None:
        self.steps = steps
        self.centre = centre
        self.means = np.ascontiguousarray(parameters.means)
        K, d = self.means.shape
        self.n_components, self.n_features = K, d
        layout = parameters.layout
        self.diagonal = not layout.matrices
        covariances = layout.per_column(parameters.own_covariances(), d)
        self.covariances = np.ascontiguousarray(covariances).ravel()
        self.stride = 0 if layout.shared else self.covariances.size // K
        self.log_determinants = np.ascontiguousarray(parameters.log_determinants)
        self.precisions = _sound_precisions(parameters)
        self.log_weights = parameters.log_weights * LOG2E

    def job(
        self,
        kernels: MissingKernels,
        groups: Patterns,
        pieces: Indices,
        cut: Partition,
        floor: float,
        most_few: int,
    ) -> instruction_sets.IncompleteJob:
        """The mixture beside the patterns of some rows."""
        steps = self.steps
        # The observed features in front, both kinds in their order.
        columns = np.argsort(~groups.observed, axis=1, kind="stable")
        return kernels.IncompleteJob(
            groups.order, columns, groups.observed.sum(axis=1), pieces, cut.chunk_rows,
            kernels.ESTEPS[steps.estep], kernels.MSTEPS[steps.mstep],
            kernels.FEATURE_SETS[steps.features],
            self.centre, self.means, self.covariances, self.stride, self.diagonal,
            self.log_weights, self.precisions, self.log_determinants, most_few, floor,
            cut.tile_rows,
        )  # fmt: skip

    def cut(self, n_samples: int, kernels: MissingKernels) -> Partition:
        scalars = self.steps.copies * self.steps.width + self.n_components
        return partition(n_samples, scalars, self.steps.row_work, kernels)

    def rounds(self, pieces: Indices) -> Iterator[tuple[int, int]]:
        """Runs of pieces between two looks for a signal."""
        K, d = self.n_components, self.n_features
        marginal = K * d * (4 if self.diagonal else d * d)
        work = np.cumsum((pieces[:, 2] - pieces[:, 1]) * self.steps.row_work + marginal)
        begin = 0
        while begin < len(pieces):
            done = work[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(work, done + ROUND_WORK)))
            yield begin, end
            begin = end

    def threads(self, rows: Rows, pieces: Indices) -> int:
        work = int(pieces[-1, 2]) * self.steps.row_work
        return min(rows.threads(work), len(pieces))


def _sound_precisions(parameters: MixtureParameters) -> Doubles | None:
    """The precisions in the kernels' layout, unless they have lost too many digits."""
    d = parameters.n_features
    precisions = parameters.layout.per_column(parameters.precisions, d)
    if parameters.layout.matrices:
        factors = parameters.precisions_cholesky.reshape(-1, d, d)
        if not digits_lost(parameters.variances, factors) <= EXPANSION_LIMIT:
            return None
    return np.ascontiguousarray(precisions).ravel()


def _pieces(groups: Patterns, most_rows: int, few: int) -> Indices:
    """The rows of each pattern in pieces, (n, 4): number of the pattern, where the piece begins
    and ends, and the slot for what is kept of it, -1 if nothing is, as it has no more than `few`
    rows.
    """
    lengths = np.diff(groups.starts)
    counts = -(-lengths // most_rows)
    number = np.repeat(np.arange(len(lengths)), counts)
    place = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin = groups.starts[number] + place * most_rows
    end = np.minimum(begin + most_rows, groups.starts[number + 1])
    many = end - begin > few
    slot = np.where(many, np.cumsum(many) - 1, -1)
    return np.column_stack([number, begin, end, slot]).astype(np.intp)


# --- Sums ---------------------------------------------------------------------------------------


class IncompletePlan(NamedTuple):
    """A way to form statistics of rows with missing values, as an `AccumulationPlan`."""

    parameters: MixtureParameters
    centre: Doubles  # rows are read less this point
    expanded: bool  # distances and moments are formed about the centre

    @property
    def covariance_type(self) -> CovarianceType:
        return self.parameters.covariance_type

    @property
    def means(self) -> Doubles:
        return self.parameters.means

    def accumulate(
        self, rows: Rows, blocks: Callable[[int, int], Doubles] | None = None
    ) -> SufficientStatistics:
        """Statistics of rows, all or a part of them, formed in this way."""
        kernels = instruction_sets.missing_kernels()
        parameters = self.parameters
        K, d = parameters.means.shape
        steps = (_expanded_steps if self.expanded else _exact_steps)(parameters.layout, K, d)
        model = _Model(parameters, steps, self.centre)
        cut = model.cut(rows.n_samples, kernels)
        few = kernels.few_rows()
        size = kernels.completed_size(K, d, model.stride, model.diagonal)
        n_partials = min(most_partials(size), max(1, rows.n_samples // PARTIAL_ROWS))
        partials = np.zeros((n_partials, size))
        floor = negligible_bits(rows, single=False)
        scratch = np.empty((0, 0))
        for unit in units(rows, keep=True):
            pieces = _pieces(unit.groups, cut.chunk_rows, few)
            job = model.job(kernels, unit.groups, pieces, cut, floor, few)
            scatters = None
            slots = int(pieces[:, 3].max()) + 1
            if self.expanded and parameters.layout.shared and slots and not rows.streamed:
                shape = slots, d * (d + 1) // 2
                scatters = rows.kept.scatters(unit.number, cut.chunk_rows, shape)
            threads = model.threads(rows, pieces)
            if len(scratch) < threads:
                scratch = np.empty((threads, job.thread_doubles()))
            for begin, end in model.rounds(pieces):
                kernels.accumulate_incomplete(
                    unit.block.X,
                    unit.block.weight,
                    job,
                    scatters,
                    begin,
                    end,
                    partials,
                    scratch[:threads],
                )
        return self._statistics(np.add.reduce(partials, axis=0), rows)

    def _statistics(self, sums: Doubles, rows: Rows) -> SufficientStatistics:
        parameters = self.parameters
        K, d = parameters.means.shape
        second = sums[1 + K + K * d :]
        layout = parameters.layout
        second = second.reshape(layout.shape(K, d) if layout.matrices else (K, d))
        # The two entries of a pair of features were rounded one by one.
        second = layout.symmetric(layout.from_sums(second))
        return SufficientStatistics(
            covariance_type=parameters.covariance_type,
            weight=sums[1 : 1 + K].copy(),
            first=sums[1 + K : 1 + K + K * d].reshape(K, d).copy(),
            second=second.copy(),
            shift=parameters.means,
            log_likelihood=float(sums[0]) / LOG2E,
            total_weight=rows.total_weight,
            n_rows=rows.n_samples,
        )

    def finish(
        self, statistics: SufficientStatistics, scatter: Callable[[], Doubles]
    ) -> SufficientStatistics:
        """The statistics of all rows: those of the parts lack nothing."""
        return statistics

    def is_accurate(self, statistics: SufficientStatistics, reg_covar: float) -> bool:
        """Whether the statistics of all rows have the digits that an M-step needs."""
        if not self.expanded:
            return True
        about_centre = statistics.shifted(np.tile(self.centre, (len(statistics.first), 1)))
        return not has_cancelled(about_centre, reg_covar, single=False)


def incomplete_plans(parameters: MixtureParameters, rows: RowsSummary) -> Iterator[IncompletePlan]:
    """`accumulation.plans` for rows with missing values.

    What holds for all features holds for some.
    """
    scores = scores_for_sums(parameters, rows, single=False)
    lanes = scores.row_work * instruction_sets.kernels().vector_bytes()
    # Where scores may be expanded about the centre, moments may, as far as one can tell before.
    if scores.estep == "linear" and lanes <= LANES_BYTES:
        yield IncompletePlan(parameters, rows.centre, expanded=True)
    yield IncompletePlan(parameters, rows.centre, expanded=False)


# --- Scores -------------------------------------------------------------------------------------


class IncompleteScorer:
    """A mixture made ready to score rows with missing values by what they have.

    Parameters
    ----------
    parameters : MixtureParameters
    """

    def __init__(self, parameters: MixtureParameters) -> None:
        # The covariances beside the factors may be what a user has set.
        self._parameters = replace(parameters, covariances=None)

    @cached_property
    def _model(self) -> _Model:
        parameters = self._parameters
        K, d = parameters.means.shape
        steps = _exact_steps(parameters.layout, K, d)._replace(mstep="none")
        return _Model(parameters, steps, scoring_centre(parameters))

    def fill(
        self,
        X: Floats,
        groups: Patterns,
        rows: Rows,
        *,
        log_density: Floats | None = None,
        responsibilities: Floats | None = None,
        labels: Indices | None = None,
    ) -> None:
        """Fill arrays as `Scorer.evaluate` does, for rows in the order of `groups.order`.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            A block of rows.
        groups : Patterns
            Of all or some of the rows of the block.
        rows : Rows
            Those that the block is from.
        log_density, responsibilities, labels : ndarray, optional
        """
        kernels = instruction_sets.missing_kernels()
        model = self._model
        cut = model.cut(len(X), kernels)
        pieces = _pieces(groups, cut.chunk_rows, kernels.few_rows())
        most_few = len(X) if model.n_features >= FEW_FEATURES else 0
        job = model.job(kernels, groups, pieces, cut, -math.inf, most_few)
        scratch = np.empty((model.threads(rows, pieces), job.thread_doubles()))
        for begin, end in model.rounds(pieces):
            kernels.evaluate_incomplete(
                X, job, begin, end, log_density, responsibilities, labels, scratch
            )
