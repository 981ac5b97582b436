"""Rows scored: passes that write a value for each row, or sum one up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._common.caching import cached_property
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, Indices
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import SINGLE, Rows
from .._runtime import instruction_sets
from .missing.accumulation import IncompleteScorer, Unit, units
from .partition import Partition, partition
from .row_sum import RowSum
from .score_plan import exact_scores, scoring_centre, suits_single

if TYPE_CHECKING:
    from .._runtime.instruction_sets import Kernels, ScoringJob

# Values per block where a result for each row is only summed up: a megabyte or two of workspace
# however many rows there are, and enough work a block to share among threads.
BLOCK_VALUES = 1 << 18

# Rows that are scored by one component after the other, while they are in cache.
_COMPONENT_ROWS = 1 << 14

LABEL = np.dtype(np.intp)

#: What `Scorer.fill` finds for every component, and not once for a row.
PER_COMPONENT = frozenset({"responsibilities", "component_log_density"})


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
        self._prepared: dict[bool, tuple[Kernels, ScoringJob]] = {}
        self.n_components, self.n_features = parameters.means.shape
        self._row_work = self._scores.row_work + 20 * self.n_components

    @cached_property
    @explains_failures
    def _suits_single(self) -> bool:
        return suits_single(self.parameters, self._centre)

    @cached_property
    def _incomplete(self) -> IncompleteScorer:
        # Of covariances rounded to float32 a block may have lost its definiteness.
        definite = self.parameters.definite_covariances()
        return IncompleteScorer(replace(self.parameters, covariances=definite))

    def _prepare(self, single: bool) -> tuple[Kernels, ScoringJob]:
        """The kernels of one precision, and the mixture prepared for them."""
        kernels = instruction_sets.kernels(single)
        centre = self._centre
        if single:
            centre = centre.astype(np.float32).astype(np.float64)
        scores = self._scores
        job = kernels.ScoringJob(
            kernels.ESTEPS[scores.estep], centre, self.parameters.means, scores.factors,
            scores.factor_stride, scores.constants,
        )  # fmt: skip
        self._prepared[single] = kernels, job
        return kernels, job

    def form(self, field: str, rows: Rows) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of the array that `evaluate` fills under this name."""
        if field in PER_COMPONENT:
            return (rows.n_samples, self.n_components), rows.dtype
        return (rows.n_samples,), LABEL if field == "labels" else rows.dtype

    def fill(
        self, field: str, rows: Rows, out: AnyArray, *, check_first: bool = True
    ) -> tuple[int, int] | None:
        """`evaluate` into one array; `field` says which it is."""
        # A dictionary of arguments would take a tenth of the time of a row.
        if field == "labels":
            return self.evaluate(rows, labels=out, check_first=check_first)
        if field == "responsibilities":
            return self.evaluate(rows, responsibilities=out, check_first=check_first)
        if field == "component_log_density":
            return self._fill_by_component(rows, out, check_first)
        return self.evaluate(rows, log_density=out, check_first=check_first)

    @cached_property
    @explains_failures
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

    @explains_failures
    def _fill_by_component(
        self, rows: Rows, out: Floats, check_first: bool
    ) -> tuple[int, int] | None:
        """Log-density of rows under each component alone, (n, K), a block of rows at a time."""
        bad = rows.first_bad() if check_first else None
        if bad is not None:
            return bad
        for block in rows.pieces(_COMPONENT_ROWS):
            some = Rows(block.X, n_threads=rows.n_threads, allow_nan=rows.allow_nan)
            density = np.empty(some.n_samples, some.dtype)
            for k, scorer in enumerate(self._alone):
                bad = scorer.evaluate(some, log_density=density, check_first=False)
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
        check_first: bool = True,
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
        check_first : bool, default=True
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
        kernels, job = self._prepared.get(single) or self._prepare(single)
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
        return self._evaluate_many(rows, kernels, job, cut, outputs, check_first)

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

    @explains_failures
    def _evaluate_unit(
        self, unit: Unit, rows: Rows, places: dict[str, AnyArray]
    ) -> list[tuple[AnyArray, AnyArray]]:
        """Places, and what belongs there."""
        complete, groups = unit.groups.split()
        values = {name: np.empty_like(place) for name, place in places.items()}
        if complete.size:
            alone = Rows(unit.block.X[complete], n_threads=rows.n_threads)
            front: dict[str, Any] = {k: v[: complete.size] for k, v in values.items()}
            self.evaluate(alone, **front, check_first=False)
        if groups.order.size:
            back: dict[str, Any] = {k: v[complete.size :] for k, v in values.items()}
            self._incomplete.fill(unit.block.X, groups, rows, **back)
        ordered = {name: np.empty_like(place) for name, place in places.items()}
        order = np.concatenate([complete, groups.order])
        for name, array in ordered.items():
            array[order] = values[name]
        return [(place, ordered[name]) for name, place in places.items()]

    @explains_failures
    def _evaluate_many(
        self,
        rows: Rows,
        kernels: Kernels,
        job: ScoringJob,
        cut: Partition,
        outputs: tuple[Floats | None, Floats | None, Indices | None],
        check_first: bool,
    ) -> tuple[int, int] | None:
        """`evaluate` for rows in many chunks."""
        bad = rows.first_nonfinite() if check_first else None
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
        return None if finite or check_first else rows.first_nonfinite()


def evaluate(
    parameters: MixtureParameters,
    rows: Rows,
    *,
    log_density: Floats | None = None,
    responsibilities: Floats | None = None,
    labels: Indices | None = None,
    check_first: bool = True,
) -> tuple[int, int] | None:
    """Score rows once: `Scorer.evaluate` under these parameters."""
    return Scorer(parameters).evaluate(
        rows,
        log_density=log_density,
        responsibilities=responsibilities,
        labels=labels,
        check_first=check_first,
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
        bad = scorer.evaluate(rows, log_density=density, responsibilities=proba, check_first=False)
        if bad is not None:
            return start + bad[0], bad[1]
        if proba is None:
            total.add(density)
        else:
            total.add(density.astype(np.float64) + np.log(proba.max(axis=1).astype(np.float64)))
    return None
