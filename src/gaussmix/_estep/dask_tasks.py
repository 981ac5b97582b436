"""What workers do with a partition of a dask collection.

A task's outcome is a function of its partition and of what is in the graph, so that whatever a
lost worker held can be computed again elsewhere. Within a task the kernels run as they do on rows
of this process.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from .._checks.messages import of_piece
from .._checks.numbers import computing_dtype
from .._checks.rows import as_rows, nonfinite_error
from .._checks.weights import check_sample_weight, rescaling_exponent
from .._common.typing import AnyArray, Doubles, FloatDType, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import DOUBLE, SINGLE, Rows
from .._rows.dask_collections import lengths_of
from .._rows.first_pass import FirstPass
from .._runtime import cgroups
from .._runtime.threads import thread_count
from .._statistics.sufficient import SufficientStatistics
from . import accumulation, scoring
from .accumulation import AnyPlan
from .drawing import Noise
from .missing.completion import complete
from .row_sum import RowSum


@dataclass(frozen=True, eq=False)
class Common:
    """What all tasks of a pass need beside their partition; once in the graph."""

    estimator_name: str
    n_threads: int | None
    n_features: int
    lengths: tuple[int, ...] | None  # rows of each partition, where the collection says
    dtype: FloatDType = DOUBLE  # of all rows, once it is known
    exponent: int = 0  # weights are multiplied by this power of two
    weight_range: tuple[float, float] = (1.0, 1.0)
    plan: AnyPlan | None = None
    allow_nan: bool = False
    parameters: MixtureParameters | None = None
    seed: tuple[int, ...] = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what came through pickle, whose arrays may begin at any byte of a message."""
        vars(self).update({name: _aligned(value) for name, value in state.items()})


def _aligned(value: Any) -> Any:
    """The same with arrays that lie as the kernels read them."""
    if isinstance(value, np.ndarray):
        return np.require(value, requirements="A")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_aligned, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _aligned(getattr(value, f.name)) for f in fields(value)})
    return value


def common_of(X: Any, estimator_name: str, n_threads: int | None, **more: Any) -> Common:
    """`Common` for the partitions of a dask array of rows."""
    return Common(estimator_name, n_threads, int(X.shape[1]), lengths_of(X), **more)


def values(X: Any, common: Common, number: int | None = None) -> AnyArray:
    """A partition as an array of numbers, of the shape that its collection says it has.

    Every task begins with it: a partition is what its recipe returns now, whatever the collection
    says, and the kernels trust shapes.
    """
    where = "A partition of X" if number is None else f"Partition {number} of X"
    try:
        rows: AnyArray = as_rows(X, estimator_name=common.estimator_name, min_rows=0)[0]
    except (TypeError, ValueError) as error:
        raise of_piece(error, where) from error
    if rows.shape[1] != common.n_features:
        raise ValueError(
            f"{where} has {rows.shape[1]} columns, but the collection says that each has "
            f"{common.n_features}. {_MEND}"
        )
    if number is not None and common.lengths is not None and len(rows) != common.lengths[number]:
        raise ValueError(
            f"{where} has {len(rows):,} rows, but the collection says {common.lengths[number]:,}. "
            f"{_MEND}"
        )
    return rows


_MEND = (
    "Correct the shape, chunks or meta that it was made with; X.compute_chunk_sizes() finds the "
    "lengths of chunks."
)


# Tasks that compute in this process now, where no worker of a cluster counts them. To add and to
# discard are single steps of the interpreter.
_running: set[object] = set()


@contextmanager
def task_threads(n_threads: int | None) -> Iterator[int | None]:
    """How many threads a task may use: its share of those that the worker has.

    The scheduler runs one task on each of a worker's threads, and when there are fewer tasks those
    that run divide the threads among themselves. Asked-for numbers come first.
    """
    task = object()
    _running.add(task)
    try:
        if n_threads is None and not os.environ.get("GAUSSMIX_NUM_THREADS", "").strip():
            n_threads = _share()
        yield n_threads
    finally:
        _running.discard(task)


def _share() -> int:
    """Threads over tasks, of the worker or, with dask's own schedulers, of this process."""
    tasks: int
    threads: int
    worker = _worker()
    if worker is not None:
        state = worker.state
        tasks = min(state.nthreads, len(state.executing) + len(state.ready))
        threads = min(state.nthreads, cgroups.available_cpus())
    elif multiprocessing.parent_process() is not None:
        return 1  # of a pool of processes, one for each CPU
    else:
        tasks, threads = len(_running), thread_count()
    return max(1, threads // max(1, tasks))


def _worker() -> Any:
    """The worker of a cluster that runs this task, if any."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def rows_of(
    X: Any, weight: Any, common: Common, n_threads: int | None, number: int | None = None
) -> Rows:
    """The rows of a partition, as the kernels read them."""
    X = values(X, common, number)
    if common.dtype == SINGLE and computing_dtype(X.dtype) != SINGLE:
        raise ValueError(
            f"A partition of X is {X.dtype}, and was float32 when it was computed first. {SAME}"
        )
    if weight is not None:
        if np.ndim(weight) == 0:
            weight = np.full(len(X), weight)
        weight = np.ascontiguousarray(weight, dtype=np.float64)
        if weight.shape != (len(X),):
            raise ValueError(
                f"A partition of sample_weight has the shape {weight.shape}, expected {(len(X),)} "
                f"as at first. {SAME}"
            )
        weight = np.ldexp(weight, common.exponent) if common.exponent else weight
    rows = Rows(X, weight, n_threads=n_threads, allow_nan=common.allow_nan)
    rows.weight_range = common.weight_range
    return rows


def length(X: Any, weight: Any, common: Common) -> int:
    return len(values(X, common))


def look(X: Any, weight: Any, common: Common, number: int) -> tuple[FirstPass, AnyArray | None]:
    """What a first pass over a partition finds, and the row (1, d) of its bad value, if any."""
    X = values(X, common, number)
    try:
        weight = check_sample_weight(weight, len(X), allow_zero=True)
    except (TypeError, ValueError) as error:
        raise of_piece(error, f"Partition {number} of X") from error
    given = Rows(X, weight, allow_nan=common.allow_nan)
    exponent = rescaling_exponent(given.weight_range[1])
    with task_threads(common.n_threads) as threads, np.errstate(all="ignore"):
        rows = rows_of(X, weight, replace(common, exponent=exponent), threads)
        found = rows.scan()
        # In the unit of the weights as they came, which all partitions share.
        observed = None if found.observed is None else np.ldexp(found.observed, -exponent)
        found = found._replace(counted=given.counted, observed=observed)
    return found, None if found.bad is None else X[found.bad[0]][None]


def taken(
    X: Any, weight: Any, common: Common, n_rows: int, indices: Indices, used: bool
) -> tuple[AnyArray, Doubles | None]:
    """Some of a partition's rows with their weights; `used` counts those of positive weight."""
    rows = rows_of(X, weight, common, 1)
    numbers = np.arange(rows.n_samples)
    if used and rows.sample_weight is not None:
        numbers = np.flatnonzero(rows.sample_weight)
    if len(numbers) != n_rows:
        raise changed("A partition of X", n_rows, len(numbers))
    some = rows.take(numbers[indices])
    return some.X, some.sample_weight


def changed(what: str, before: int, now: int) -> ValueError:
    return ValueError(
        f"{what} gave {before:,} rows when it was computed first and {now:,} now. {SAME}"
    )


SAME = "Every computation must give the same rows; X = X.persist() computes them once."


def followed(X: Any, weight: Any, common: Common) -> SufficientStatistics:
    """Statistics of a partition."""
    assert common.plan is not None
    with task_threads(common.n_threads) as threads, np.errstate(all="ignore"):
        return common.plan.accumulate(rows_of(X, weight, common, threads))


def followed_at_random(X: Any, weight: Any, common: Common, number: int) -> SufficientStatistics:
    """Statistics of a partition under uniform random responsibilities."""
    assert common.plan is not None
    generator = np.random.default_rng([*common.seed, number])
    blocks = accumulation.random_responsibilities(generator, len(common.plan.means))
    with task_threads(common.n_threads) as threads:
        return common.plan.accumulate(rows_of(X, weight, common, threads), blocks)


def scored(
    X: Any, common: Common, field: str, dtype: Any, block_id: tuple[int, ...] | None = None
) -> AnyArray:
    """What `Scorer.evaluate` calls `field`, for the rows of a chunk, (n, numbers a row)."""
    assert common.parameters is not None
    number = block_id[0] if block_id else None
    with task_threads(common.n_threads) as threads:
        rows = rows_of(X, None, common, threads, number)
        scorer = scoring.Scorer(common.parameters)
        out: AnyArray = np.empty(*scorer.form(field, rows))
        bad = scorer.fill(field, rows, out, check_first=False)
    if bad is not None:
        raise bad_value(rows.X[bad[0]][None], bad, number or 0, common)
    return (out if out.ndim == 2 else out[:, None]).astype(dtype, copy=False)


def imputed(
    X: Any,
    common: Common,
    n_draws: int | None,
    return_std: bool,
    dtype: Any,
    block_id: tuple[int, ...] | None = None,
) -> AnyArray:
    """The rows of a chunk filled in, or each draw of them, and the deviations: (planes, n, d)."""
    assert common.parameters is not None
    number = block_id[-2] if block_id else None
    noise = None if n_draws is None else Noise.seeded(n_draws, *common.seed, number or 0)
    with task_threads(common.n_threads) as threads:
        rows = rows_of(X, None, common, threads, number)
        planes: AnyArray = np.empty((planes_of(n_draws, return_std), *rows.X.shape), rows.dtype)
        values = planes[0] if n_draws is None else planes[:n_draws]
        deviations = planes[-1] if return_std else None
        bad = complete(common.parameters, rows, values, deviations, noise)
    if bad is not None:
        raise bad_value(rows.X[bad[0]][None], bad, number or 0, common)
    return planes.astype(dtype, copy=False)


def planes_of(n_draws: int | None, return_std: bool) -> int:
    """Tables that `imputed` returns."""
    return (n_draws or 1) + return_std


def log_likelihood(
    X: Any, weight: Any, common: Common, number: int, completed: bool
) -> tuple[float, int]:
    """Log-likelihood of a partition, or that of its rows and their most probable labels."""
    assert common.parameters is not None
    X = values(X, common, number)
    scorer = scoring.Scorer(common.parameters)
    with task_threads(common.n_threads) as threads:
        total = RowSum()
        bad = scoring.add_log_likelihood(
            total, scorer, X, completed=completed, n_threads=threads, allow_nan=common.allow_nan
        )
    if bad is not None:
        raise bad_value(X[bad[0]][None], bad, number, common)
    return total.total(), len(X)


def bad_value(
    row: AnyArray,
    place: tuple[int, int],
    number: int,
    common: Common,
    names: Names | None = None,
    first_row: int | None = None,
) -> ValueError:
    """The exception for a value that is not finite, at this place in the partition.

    `row` is the row that it is in, (1, d); `first_row` the number of the partition's first row,
    where that is known.
    """
    error = nonfinite_error(
        row, 0, place[1], names, common.estimator_name, first_row=(first_row or 0) + place[0]
    )
    where = ", rows counted from its start" if first_row is None else ""
    return ValueError(f"Partition {number} of X{where}: {error}")
