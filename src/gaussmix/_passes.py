"""Passes over rows: what the kernels do, in the words of mixtures.

Each function below is one pass over the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from . import _runtime, _validation
from ._algebra import product
from ._available import AvailableWay, Indicated, available_distances, available_scores
from ._caching import cached_property
from ._digits import centred_moments_hold, has_cancelled, moments_keep_digits
from ._incomplete import IncompleteScorer, IncompleteWay, Unit, incomplete_ways, units
from ._layouts import CovarianceType
from ._parameters.layouts import FULL, layout_of
from ._parameters.mixture import MixtureParameters
from ._partition import LANES_BYTES, Partition, most_partials, negligible_bits, partition
from ._row_sum import RowSum
from ._rows import BLOCK_BYTES, SINGLE, Rows, Seen, beside_indicators
from ._scores import (
    NOTHING,
    Scores,
    exact_scores,
    nearest_scores,
    scores_for_sums,
    scoring_centre,
    suits_single,
)
from ._statistics import SufficientStatistics
from ._typing import AnyArray, Doubles, Floats, Generator, Indices

if TYPE_CHECKING:
    from ._runtime import Kernels, ScoringJob

LN2 = math.log(2.0)

# Values per block where a result for each row is only summed up: a megabyte or two of workspace
# however many rows there are, and enough work a block to share among threads.
BLOCK_VALUES = 1 << 18

# Rows that are scored by one component after the other, while they are in cache.
_COMPONENT_ROWS = 1 << 14

LABEL = np.dtype(np.intp)

#: What `Scorer.fill` finds for every component, and not once for a row.
PER_COMPONENT = frozenset({"responsibilities", "component_log_density"})

# --- Passes that sum ----------------------------------------------------------------------------


class _Sums(NamedTuple):
    log_likelihood: float
    weight: Doubles
    first: Doubles
    second: Doubles


# How often a tile holds its rows for each M-step.
_COPIES = {"outer": 3, "outer_pooled": 3, "squares": 1, "features": 2, "dots": 1, "sums": 1}


def _second_shape(mstep: str, K: int, d: int) -> tuple[int, ...]:
    return {"outer": (K, d, d), "outer_pooled": (d, d), "squares": (K, d)}.get(mstep, (0,))


def _moment_work(mstep: str, K: int, d: int, width: int) -> int:
    """Multiply-adds that summing one row costs."""
    if mstep in ("outer", "outer_pooled"):
        return K * d * (d + 3) // 2
    return 2 * K * width


class _Plan(NamedTuple):
    """How a pass that sums is cut up, and what its sums look like."""

    cut: Partition
    codes: tuple[int, int, int]  # of E-step, M-step and features
    width: int  # features
    size: int  # doubles in a partial sum
    n_partials: int
    second_shape: tuple[int, ...]


@lru_cache(maxsize=256)
def _plan(
    n_samples: int,
    estep: str,
    row_work: int,
    mstep: str,
    features: str,
    K: int,
    d: int,
    kernels: Kernels,
) -> _Plan:
    codes = kernels.ESTEPS[estep], kernels.MSTEPS[mstep], kernels.FEATURE_SETS[features]
    width = kernels.width(codes[2], d)
    sharers = 1 if estep == "nearest" else K  # components that a row is added to
    work = row_work + _moment_work(mstep, sharers, d, width)
    cut = partition(n_samples, _COPIES[mstep] * width + K, work, kernels)
    size = kernels.partial_size(codes[1], codes[2], K, d)
    n_chunks = -(-n_samples // cut.chunk_rows)
    n_partials = max(1, min(n_chunks, most_partials(size)))
    return _Plan(cut, codes, width, size, n_partials, _second_shape(mstep, K, d))


def _sum(
    rows: Rows,
    scores: Scores,
    mstep: str,
    centre: Doubles,
    means: Doubles,
    blocks: Callable[[int, int], Doubles] | None = None,
) -> _Sums:
    """One pass that sums; `blocks` gives the responsibilities of the "given" E-step."""
    kernels = _runtime.kernels(scores.single)
    K, d = means.shape
    plan = _plan(
        rows.n_samples, scores.estep, scores.row_work, mstep, scores.features, K, d, kernels
    )
    cut, codes, n_partials = plan.cut, plan.codes, plan.n_partials
    negligible = negligible_bits(rows, scores.single)
    partials = np.zeros((n_partials, plan.size))
    for block in rows.blocks(cut.chunk_rows):
        for start, stop in _pieces(len(block.X), cut.chunk_rows, K if blocks else 0):
            part = block if stop - start == len(block.X) else block.part(start, stop)
            given = None if blocks is None else blocks(block.first + start, block.first + stop)
            kernels.accumulate(
                part.X, part.weight, given, *codes, centre, means, scores.factors,
                scores.factor_stride, scores.constants, negligible, cut.tile_rows, cut.chunk_rows,
                part.first // cut.chunk_rows, cut.round_chunks(n_partials), partials,
                min(cut.threads(rows, stop - start), n_partials),
            )  # fmt: skip
            del given  # before the next are made
    sums = _Sums(0.0, np.empty(K), np.empty((K, plan.width)), np.empty(plan.second_shape))
    log_likelihood = kernels.reduce_partials(
        partials, codes[1], codes[2], centre, means, sums.weight, sums.first, sums.second.ravel()
    )
    return sums._replace(log_likelihood=log_likelihood * LN2)


def _pieces(n: int, chunk_rows: int, row_doubles: int) -> Iterator[tuple[int, int]]:
    """Cut a block so that `row_doubles` extra doubles a row stay within a block's bytes."""
    size = n
    if row_doubles:
        size = max(1, BLOCK_BYTES // (8 * row_doubles * chunk_rows)) * chunk_rows
    for start in range(0, n, size):
        yield start, min(start + size, n)


class Way(NamedTuple):
    """A way to form statistics, in one pass: the E-step, and the points that moments are about.

    Rows that lie apart, in files or on machines, go the same way, and what `follow` returns for
    each part adds up to what `completed` takes.
    """

    covariance_type: CovarianceType
    scores: Scores
    centre: Doubles  # rows are read less this point
    means: Doubles  # moments are about these, or, where `from_features`, about the centre
    from_features: bool = False
    factor: Doubles | None = None  # the scores lack -1/2 |factor' (x - centre)|^2

    def follow(
        self, rows: Rows, blocks: Callable[[int, int], Doubles] | None = None
    ) -> SufficientStatistics:
        """Statistics of rows, formed in this way.

        Parameters
        ----------
        rows : Rows
            All rows, or a part of them. Of its own the part needs `weight_range`, that of all.
        blocks : callable, optional
            The responsibilities of `given_way`: ``blocks(start, stop)`` returns those of these
            rows, (stop - start, K) float64. Called in order, once for each row.
        """
        return _from_features(self, rows) if self.from_features else _moments(self, rows, blocks)

    @property
    def lacks_scatter(self) -> bool:
        """Whether `completed` must add what is the same in every iteration."""
        return self.from_features and layout_of(self.covariance_type).shared

    def completed(
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

    def holds(self, statistics: SufficientStatistics, reg_covar: float) -> bool:
        """Whether the statistics of all rows have the digits that an M-step needs."""
        single = self.scores.single
        # Rows so far out that their distances overflow need the range of doubles.
        if single and not math.isfinite(statistics.log_likelihood):
            return False
        if self.from_features:
            return not has_cancelled(statistics, reg_covar, single)
        return not single or moments_keep_digits(statistics, self.centre, reg_covar)


AnyWay: TypeAlias = Way | IncompleteWay | AvailableWay


def ways(
    parameters: MixtureParameters, rows: Seen, reg_covar: float
) -> Iterator[Way] | Iterator[IncompleteWay]:
    """Ways to take the E-step and its sums, the cheapest first; the last one always holds.

    The next is for when statistics formed in the ways before did not hold.
    """
    if rows.incomplete:
        return incomplete_ways(parameters, rows)
    return _complete_ways(parameters, rows, reg_covar)


def _complete_ways(parameters: MixtureParameters, rows: Seen, reg_covar: float) -> Iterator[Way]:
    """`ways` for rows of which no value is missing."""
    if rows.dtype == SINGLE and suits_single(parameters, rows.centre) and rows.ordinary:
        yield from _ways(parameters, rows, reg_covar, single=True)
    yield from _ways(parameters, rows, reg_covar, single=False)


def _ways(
    parameters: MixtureParameters, rows: Seen, reg_covar: float, *, single: bool
) -> Iterator[Way]:
    """`ways` in one precision."""
    family, centre, means = parameters.covariance_type, rows.centre, parameters.means
    scores = scores_for_sums(parameters, rows, single)
    if centred_moments_hold(parameters, centre, scores, reg_covar):
        linear = parameters.layout.shared and scores.estep == "linear"
        factor = parameters.precisions_cholesky if linear else None
        features = scores._replace(features=parameters.layout.features)
        yield Way(family, features, centre, means, from_features=True, factor=factor)
    if scores.estep == "linear":
        scores = exact_scores(parameters)._replace(single=single)
    if parameters.layout.shared:
        K, d = means.shape
        scores = scores._replace(estep="triangular", row_work=K * d * (d + 3) // 2)
    if single:  # means that the kernel can represent
        means = centre + (means - centre).astype(np.float32)
    yield Way(family, scores, centre, means)


def nearest_way(
    rows: Seen, centres: Doubles, covariance_type: CovarianceType
) -> Way | AvailableWay:
    """Every row belongs wholly to the nearest centre; no log-likelihood."""
    if rows.incomplete:
        return _available_way(rows, available_scores(centres, rows.centre), covariance_type)
    return _nearest_way(rows.centre, centres, covariance_type)


def _nearest_way(origin: Doubles, centres: Doubles, covariance_type: CovarianceType) -> Way:
    centres = np.ascontiguousarray(centres, dtype=np.float64)
    return Way(covariance_type, nearest_scores(centres, origin), origin, centres)


def scatter_way(origin: Doubles) -> Way:
    """The second moment of all rows about the centre, as that of a single component."""
    return _nearest_way(origin, origin[None, :], FULL.name)


def given_way(
    rows: Seen, n_components: int, covariance_type: CovarianceType
) -> Way | AvailableWay:
    """Responsibilities are given with the rows; no log-likelihood."""
    scores = Scores("given", NOTHING, 0, np.zeros(n_components), n_components)
    if rows.incomplete:
        return _available_way(rows, scores, covariance_type)
    return Way(covariance_type, scores, rows.centre, np.tile(rows.centre, (n_components, 1)))


def _available_way(rows: Seen, scores: Scores, covariance_type: CovarianceType) -> AvailableWay:
    """Statistics of the values that are not missing, under these scores."""
    origin = beside_indicators(rows.centre)
    means = np.tile(origin, (len(scores.constants), 1))
    way = Way(AvailableWay.moments_of(covariance_type), scores, origin, means)
    return AvailableWay(covariance_type, way, rows.centre)


def random_responsibilities(
    random_state: Generator, n_components: int
) -> Callable[[int, int], Doubles]:
    """Uniform random responsibilities, drawn a block at a time as `Way.follow` asks for them."""

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
    for way in ways(parameters, rows, reg_covar):
        statistics = way.completed(way.follow(rows), lambda: _scatter(rows))
        if way.holds(statistics, reg_covar):
            break
    return statistics


def _from_features(way: Way, rows: Rows) -> SufficientStatistics:
    """Statistics about the centre, from sums of responsibilities times features."""
    K, d = way.means.shape
    kernels = _runtime.kernels()
    width = kernels.width(kernels.FEATURE_SETS[way.scores.features], d)
    lanes = K * width * kernels.vector_bytes()
    mstep = "dots" if lanes <= LANES_BYTES else "features"
    sums = _sum(rows, way.scores, mstep, way.centre, way.means)
    first = np.ascontiguousarray(sums.first[:, :d])
    second = layout_of(way.covariance_type).from_features(sums.first[:, d:], d)
    sums = sums._replace(first=first, second=second)
    return _statistics(way.covariance_type, rows, sums, np.tile(way.centre, (K, 1)))


def _statistics(
    covariance_type: CovarianceType, rows: Rows, sums: _Sums, shift: Doubles
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
    way: Way, rows: Rows, blocks: Callable[[int, int], Doubles] | None
) -> SufficientStatistics:
    """Statistics with second moments about the means."""
    layout = layout_of(way.covariance_type)
    sums = _sum(rows, way.scores, layout.moments, way.centre, way.means, blocks)
    if way.scores.estep in ("nearest", "given"):
        sums = sums._replace(log_likelihood=math.nan)
    sums = sums._replace(second=layout.from_sums(sums.second))
    return _statistics(way.covariance_type, rows, sums, way.means)


def accumulate_nearest(
    rows: Rows, centres: Doubles, covariance_type: CovarianceType
) -> SufficientStatistics:
    """Statistics when every row belongs wholly to the nearest centre; no log-likelihood."""
    way = nearest_way(rows, centres, covariance_type)
    return way.completed(way.follow(rows), lambda: _scatter(rows))


def _scatter(rows: Rows) -> Doubles:
    """Second moment of all rows about the centre, (d, d)."""
    if rows.scatter is None:
        rows.scatter = scatter_way(rows.centre).follow(rows).second[0]
    return rows.scatter


def accumulate_responsibilities(
    rows: Rows,
    blocks: Callable[[int, int], Doubles],
    n_components: int,
    covariance_type: CovarianceType,
) -> SufficientStatistics:
    """Statistics under given responsibilities, see `Way.follow`; no log-likelihood."""
    way = given_way(rows, n_components, covariance_type)
    return way.completed(way.follow(rows, blocks), lambda: _scatter(rows))


# --- Passes that write a value for each row -----------------------------------------------------


class Scorer:
    """A mixture made ready to score rows: what depends on its parameters alone is done once.

    The parameters' arrays must stay as they are. What a scorer adds to itself, a job for each
    precision it is asked for, is the same whoever adds it, so threads may share it.

    Parameters
    ----------
    parameters : MixtureParameters
    """

    def __init__(self, parameters: MixtureParameters) -> None:
        self.parameters = parameters
        self._scores = exact_scores(parameters)
        self._centre = scoring_centre(parameters)
        self._jobs: dict[bool, ScoringJob] = {}
        self.n_components, self.n_features = parameters.means.shape
        self._row_work = self._scores.row_work + 20 * self.n_components

    @cached_property
    @_validation.says_memory_error
    def _suits_single(self) -> bool:
        return suits_single(self.parameters, self._centre)

    @cached_property
    def _incomplete(self) -> IncompleteScorer:
        # Of covariances rounded to float32 a block may have lost its definiteness.
        definite = self.parameters.definite_covariances()
        return IncompleteScorer(replace(self.parameters, covariances=definite))

    def _job(self, single: bool) -> ScoringJob:
        """The mixture prepared for the kernels of one precision."""
        job = self._jobs.get(single)
        if job is None:
            kernels = _runtime.kernels(single)
            centre = self._centre
            if single:
                centre = centre.astype(np.float32).astype(np.float64)
            scores = self._scores
            job = self._jobs[single] = kernels.ScoringJob(
                kernels.ESTEPS[scores.estep], centre, self.parameters.means, scores.factors,
                scores.factor_stride, scores.constants,
            )  # fmt: skip
        return job

    def form(self, field: str, rows: Rows) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of the array that `evaluate` fills under this name."""
        if field == "labels":
            return (rows.n_samples,), LABEL
        if field in PER_COMPONENT:
            return (rows.n_samples, self.n_components), rows.dtype
        return (rows.n_samples,), rows.dtype

    def fill(
        self, field: str, rows: Rows, out: AnyArray, *, spare: bool = True
    ) -> tuple[int, int] | None:
        """`evaluate` into one array; `field` says which it is."""
        # A dictionary of arguments would take a tenth of the time of a row.
        if field == "labels":
            return self.evaluate(rows, labels=out, spare=spare)
        if field == "responsibilities":
            return self.evaluate(rows, responsibilities=out, spare=spare)
        if field == "component_log_density":
            return self._fill_by_component(rows, out, spare)
        return self.evaluate(rows, log_density=out, spare=spare)

    @cached_property
    @_validation.says_memory_error
    def _alone(self) -> list[Scorer]:
        """Each component as a mixture of its own."""
        whole = self.parameters
        select = whole.layout.select
        return [
            Scorer(
                MixtureParameters(
                    whole.layout.name,
                    np.ones(1),
                    whole.means[k : k + 1],
                    None,
                    select(whole.precisions_cholesky, [k]),
                )
            )
            for k in range(self.n_components)
        ]

    @_validation.says_memory_error
    def _fill_by_component(self, rows: Rows, out: Floats, spare: bool) -> tuple[int, int] | None:
        """Log-density of rows under each component alone, (n, K), a block of rows at a time."""
        bad = rows.first_bad() if spare else None
        if bad is not None:
            return bad
        for block in rows.pieces(_COMPONENT_ROWS):
            some = Rows(block.X, n_threads=rows.n_threads, allow_nan=rows.allow_nan)
            density = np.empty(some.n_samples, some.dtype)
            for k, scorer in enumerate(self._alone):
                bad = scorer.evaluate(some, log_density=density, spare=False)
                if bad is not None:
                    return block.first + bad[0], bad[1]
                out[block.rows, k] = density
        return None

    def evaluate(
        self,
        rows: Rows,
        *,
        log_density: Floats | None = None,
        responsibilities: Floats | None = None,
        labels: Indices | None = None,
        spare: bool = True,
    ) -> tuple[int, int] | None:
        """Fill the given C-contiguous arrays, if all rows are finite but for missing values.

        Parameters
        ----------
        rows : Rows
        log_density : ndarray of shape (n,), of the rows' dtype, optional
            Natural logarithm of the mixture's density at each row.
        responsibilities : ndarray of shape (n, K), of the rows' dtype, optional
            Posterior probabilities of the components; each row sums to one.
        labels : ndarray of shape (n,), intp, optional
            Component of the largest responsibility.
        spare : bool, default=True
            Look for values that are not finite before anything is written. Otherwise they are
            noticed on the way, which costs no look of its own.

        Returns
        -------
        tuple of int or None
            Row and column of the first value that must not be; what has been written means nothing
            then.
        """
        if rows.allow_nan and rows.incomplete:
            bad = rows.first_bad()
            if bad is None:
                self._evaluate_incomplete(rows, log_density, responsibilities, labels)
            return bad
        single = rows.dtype == SINGLE and self._suits_single
        kernels, job = _runtime.kernels(single), self._job(single)
        tile_scalars = 2 * self.n_features + self.n_components
        cut = partition(rows.n_samples, tile_scalars, self._row_work, kernels)
        if rows.n_samples <= cut.chunk_rows:
            if rows.in_place:
                block = rows.X
            elif rows.n_samples:
                block = next(rows.blocks(cut.chunk_rows)).X
            else:
                return None
            position = kernels.evaluate_few(
                block, job, cut.tile_rows, log_density, responsibilities, labels
            )
            return None if position < 0 else divmod(position, self.n_features)
        outputs = log_density, responsibilities, labels
        return self._evaluate_many(rows, kernels, job, cut, outputs, spare)

    def _evaluate_incomplete(self, rows: Rows, *outputs: AnyArray | None) -> None:
        """`evaluate` for rows with missing values: by the density of what each row has.

        Rows that have all values are scored as everywhere, to the bit.
        """
        names = "log_density", "responsibilities", "labels"
        wanted = {name: out for name, out in zip(names, outputs, strict=True) if out is not None}
        for unit in units(rows):
            places = {name: out[unit.block.rows] for name, out in wanted.items()}
            for place, values in self._evaluate_unit(unit, rows, places):
                place[...] = values

    @_validation.says_memory_error
    def _evaluate_unit(
        self, unit: Unit, rows: Rows, places: dict[str, AnyArray]
    ) -> list[tuple[AnyArray, AnyArray]]:
        """Places, and what belongs there."""
        complete, groups = unit.groups.split()
        values = {name: np.empty_like(place) for name, place in places.items()}
        if complete.size:
            alone = Rows(unit.block.X[complete], n_threads=rows.n_threads)
            front: dict[str, Any] = {k: v[: complete.size] for k, v in values.items()}
            self.evaluate(alone, **front, spare=False)
        if groups.order.size:
            back: dict[str, Any] = {k: v[complete.size :] for k, v in values.items()}
            self._incomplete.fill(unit.block.X, groups, rows, **back)
        ordered = {name: np.empty_like(place) for name, place in places.items()}
        order = np.concatenate([complete, groups.order])
        for name, array in ordered.items():
            array[order] = values[name]
        return [(place, ordered[name]) for name, place in places.items()]

    @_validation.says_memory_error
    def _evaluate_many(
        self,
        rows: Rows,
        kernels: Kernels,
        job: ScoringJob,
        cut: Partition,
        outputs: tuple[Floats | None, Floats | None, Indices | None],
        spare: bool,
    ) -> tuple[int, int] | None:
        """`evaluate` for rows in many chunks."""
        bad = rows.first_nonfinite() if spare else None
        if bad is not None:
            return bad
        log_density, responsibilities, labels = outputs
        finite = True
        for block in rows.blocks(cut.chunk_rows):
            part = block.rows
            threads = cut.threads(rows, len(block.X))
            finite &= kernels.evaluate(
                block.X, job, cut.tile_rows, cut.chunk_rows, cut.round_chunks(threads),
                None if log_density is None else log_density[part],
                None if responsibilities is None else responsibilities[part],
                None if labels is None else labels[part],
                threads,
            )  # fmt: skip
        # Finite rows can be infinite less the centre: only the second look tells.
        return None if finite or spare else rows.first_nonfinite()


def evaluate(
    parameters: MixtureParameters,
    rows: Rows,
    *,
    log_density: Floats | None = None,
    responsibilities: Floats | None = None,
    labels: Indices | None = None,
    spare: bool = True,
) -> tuple[int, int] | None:
    """Score rows once: `Scorer.evaluate` under these parameters."""
    return Scorer(parameters).evaluate(
        rows,
        log_density=log_density,
        responsibilities=responsibilities,
        labels=labels,
        spare=spare,
    )


def add_log_likelihood(
    total: RowSum,
    scorer: Scorer,
    X: AnyArray,
    *,
    completed: bool,
    n_threads: int | None,
    allow_nan: bool = False,
) -> tuple[int, int] | None:
    """Add the log-density of each of the next rows, in blocks of bounded size.

    Parameters
    ----------
    total : RowSum
    scorer : Scorer
    X : ndarray of shape (n, d)
    completed : bool
        Whether it is that of the row and its most probable label together.
    n_threads : int or None
    allow_nan : bool, default=False
        Whether NaN is a missing value.

    Returns
    -------
    tuple of int or None
        Row and column of the first value that must not be; the total means nothing then.
    """
    size = max(1, BLOCK_VALUES // scorer.n_components if completed else BLOCK_VALUES)
    for start in range(0, len(X), size):
        rows = Rows(X[start : start + size], n_threads=n_threads, allow_nan=allow_nan)
        density = np.empty(*scorer.form("log_density", rows))
        proba = np.empty(*scorer.form("responsibilities", rows)) if completed else None
        bad = scorer.evaluate(rows, log_density=density, responsibilities=proba, spare=False)
        if bad is not None:
            return start + bad[0], bad[1]
        if proba is None:
            total.add(density)
        else:
            total.add(density.astype(np.float64) + np.log(proba.max(axis=1).astype(np.float64)))
    return None


# --- k-means ------------------------------------------------------------------------------------


def lloyd(rows: Rows, centres: Doubles) -> tuple[Doubles, Doubles]:
    """One pass of Lloyd's algorithm.

    Returns
    -------
    weight : ndarray of shape (K,)
        Total weight of the rows nearest to each centre.
    means : ndarray of shape (K, d)
        Their weighted means, of the values that are not missing; a centre without rows, or a
        coordinate of one without values, stays where it is.
    """
    if rows.incomplete:
        return _available_lloyd(rows, centres)
    sums = _sum(rows, nearest_scores(centres, rows.centre), "sums", rows.centre, centres)
    means = centres.copy()
    filled = sums.weight > 0
    means[filled] += sums.first[filled] / sums.weight[filled, None]
    return sums.weight, means


def _available_lloyd(rows: Rows, centres: Doubles) -> tuple[Doubles, Doubles]:
    """`lloyd` for rows with missing values."""
    both = Indicated(rows, rows.centre)
    scores = available_scores(centres, rows.centre)
    origins = np.tile(both.centre, (len(centres), 1))
    sums = _sum(both, scores, "sums", both.centre, origins)
    first, counts = np.split(sums.first, 2, axis=1)
    with np.errstate(all="ignore"):
        means = np.where(counts > 0, rows.centre + first / counts, centres)
    return sums.weight, np.ascontiguousarray(means)


def squared_distances(rows: Rows, points: Doubles, out: Doubles | None = None) -> Doubles:
    """``|x - point|^2`` for each of a few points and every row, shape (L, n), float64.

    Where values are missing, see `available_distances`.
    """
    L, d = points.shape
    distances = np.empty((L, rows.n_samples)) if out is None else out
    if rows.incomplete:
        return available_distances(rows, points, distances)
    kernels = _runtime.kernels()
    cut = partition(rows.n_samples, 2 * d + L, 2 * L * d, kernels)
    for block in rows.blocks(cut.chunk_rows):
        kernels.squared_distances(
            block.X, rows.centre, points, np.zeros(L),
            distances[:, block.rows], cut.tile_rows, cut.chunk_rows,
            cut.threads(rows, len(block.X)),
        )  # fmt: skip
    return distances
