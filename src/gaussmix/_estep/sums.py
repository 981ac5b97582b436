"""One pass over rows that sums: how it is cut up, and the kernels that take it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._common.typing import Doubles
from .._rows.array_rows import BLOCK_BYTES, Rows
from .._runtime import instruction_sets
from .partition import Partition, most_partials, negligible_bits, partition
from .score_plan import ScorePlan

if TYPE_CHECKING:
    from .._runtime.instruction_sets import Kernels

LN2 = math.log(2.0)


class Sums(NamedTuple):
    """What a pass returns: sums over all rows, of which moments are about a shift."""

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


def sums_over(
    rows: Rows,
    scores: ScorePlan,
    mstep: str,
    centre: Doubles,
    means: Doubles,
    blocks: Callable[[int, int], Doubles] | None = None,
) -> Sums:
    """One pass that sums; `blocks` gives the responsibilities of the "given" E-step."""
    kernels = instruction_sets.kernels(scores.single)
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
    sums = Sums(0.0, np.empty(K), np.empty((K, plan.width)), np.empty(plan.second_shape))
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
