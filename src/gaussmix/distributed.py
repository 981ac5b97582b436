"""Dask collections: a fit runs one task a partition, and only parameters and statistics travel.

`DaskData` is what a fit asks of rows, see `_data`, for rows in the partitions of a dask Array or
DataFrame. Every pass is one graph: a task for each partition, in which the kernels run as they do
on rows of this process, and a tree of tasks that merge what those return. A task's outcome is a
function of its partition and of what is in the graph, so that whatever a lost worker held can be
computed again elsewhere.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.base import get_scheduler
from dask.sizeof import sizeof

from . import _passes, _runtime, _validation
from ._completing import complete
from ._data import Context
from ._draws import Noise
from ._layouts import CovarianceType
from ._messages import listed
from ._parameters.mixture import MixtureParameters
from ._passes import AnyWay
from ._row_sum import RowSum
from ._rows import CENTRE_ROWS, DOUBLE, SINGLE, Count, Rows, Scan, ordinary
from ._statistics import SufficientStatistics
from ._thinning import thinned
from ._typing import AnyArray, Doubles, FloatDType, Generator, Indices, Names

# Statistics that one task merges: few enough to be no bottleneck, enough for a flat tree.
FAN_IN = 8

# With a distributed scheduler a graph travels in every pass. One that carries more bytes than
# this holds rows, and these are sent to the workers once.
CARRIED_BYTES = 1 << 20


# --- What the collections are --------------------------------------------------------------------


def as_array(
    X: Any,
    *,
    estimator_name: str,
    n_features: int | None = None,
    fitted_names: Names | None = None,
) -> tuple[Any, Names | None]:
    """A dask collection as a dask array of rows, whole in each chunk, and its column names.

    Nothing is computed: kinds and columns are checked as far as the collection tells.

    Parameters
    ----------
    X : dask Array or DataFrame
    estimator_name : str
        The class that messages speak of.
    n_features, fitted_names
        Of the fitted model, as in `_validation.as_rows`.
    """
    table = _is_frame(X)
    if not table and not isinstance(X, da.Array):
        raise TypeError(
            f"X is a dask {type(X).__name__}. Pass a dask Array of two dimensions or a dask "
            "DataFrame."
        )
    if not table and X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got a dask array of {X.ndim} dimension(s) instead. Reshape it, "
            "for example with X.reshape(-1, 1) if it has a single feature."
        )
    if not table and np.isnan(X.shape[1]):
        raise ValueError(
            "The number of columns of X is unknown. Call X.compute_chunk_sizes() first."
        )
    sample = X._meta.iloc[:0] if table else np.empty((0, int(X.shape[1])), X.dtype)
    checked, names = _validation.as_rows(
        sample,
        estimator_name=estimator_name,
        n_features=n_features,
        fitted_names=fitted_names,
        min_rows=0,
    )
    if table:
        meta = np.empty((0, checked.shape[1]), checked.dtype)
        labels = tuple(map(str, X.columns))
        return X.map_partitions(_values_of_frame, estimator_name, labels, meta=meta), names
    return (X.rechunk({1: -1}) if X.numblocks[1] > 1 else X), None


def _is_frame(X: Any) -> bool:
    """Whether X is a dask DataFrame or Series. A Delayed has every attribute it is asked for."""
    return "dataframe" in type(X).__module__ or "dask_expr" in type(X).__module__


def _values(X: Any, common: _Common, number: int | None = None) -> AnyArray:
    """A partition as an array of numbers, of the shape that its collection says it has.

    Every task begins with it: a partition is what its recipe returns now, whatever the collection
    says, and the kernels trust shapes.
    """
    where = "A partition of X" if number is None else f"Partition {number} of X"
    try:
        rows: AnyArray = _validation.as_rows(X, estimator_name=common.estimator_name, min_rows=0)[
            0
        ]
    except (TypeError, ValueError) as error:
        raise _validation.of_piece(error, where) from error
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


def _values_of_frame(table: Any, estimator_name: str, labels: tuple[str, ...]) -> AnyArray:
    """`_values` for a table, whose columns are also called as the collection says."""
    where = "A partition of X, rows counted from its start"
    given = tuple(map(str, getattr(table, "columns", ())))
    if given != labels:
        raise ValueError(
            f"{where}: it has the columns {listed(given)}, but the collection's meta says "
            f"{listed(labels)}. All partitions need the same columns in the same order."
        )
    try:
        return _validation.as_rows(table, estimator_name=estimator_name, min_rows=0)[0]
    except (TypeError, ValueError) as error:
        raise _validation.of_piece(error, where) from error


def _lengths(X: Any) -> tuple[int, ...] | None:
    """Rows of each partition; None where they are not known."""
    lengths = X.chunks[0]
    return None if any(np.isnan(n) for n in lengths) else tuple(map(int, lengths))


def _weights(sample_weight: Any, X: Any, common: _Common, piece: bool) -> Any:
    """Sample weights as a number, a dask array with a chunk for each of X, or None."""
    if sample_weight is None:
        return None
    if _is_frame(sample_weight):
        sample_weight = sample_weight.to_dask_array()
    if isinstance(sample_weight, da.Array):
        return _aligned(sample_weight, X)
    if np.ndim(sample_weight) == 0:
        one = _validation.check_sample_weight(sample_weight, 1, allow_zero=piece)
        return None if one is None else float(one[0])
    lengths = _lengths(X)
    if lengths is None:
        lengths = tuple(_Partitions(X, None).map(_length, common))
    weights = _validation.check_sample_weight(sample_weight, sum(lengths), allow_zero=piece)
    return da.from_array(weights, chunks=(lengths,))


def _aligned(weights: Any, X: Any) -> Any:
    """A dask array of weights in the chunks of X."""
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array"
            f" (shape={weights.shape}). Pass sample_weight as a number or as one weight a row."
        )
    lengths, given = _lengths(X), _lengths(weights)
    if lengths is not None and given is not None:
        if sum(given) != sum(lengths):
            raise ValueError(
                f"sample_weight.shape == {weights.shape}, expected {(sum(lengths),)}! Pass one "
                "weight a row of X."
            )
        return weights if given == lengths else weights.rechunk((lengths,))
    if weights.numblocks[0] != X.numblocks[0]:
        raise ValueError(
            f"sample_weight has {weights.numblocks[0]} chunks and X has {X.numblocks[0]}, and "
            "their lengths are not known, so they cannot be laid beside each other. Give both the "
            "same chunks, or call compute_chunk_sizes() on both."
        )
    return weights


# --- Tasks ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Common:
    """What all tasks of a pass need beside their partition; once in the graph."""

    estimator_name: str
    n_threads: int | None
    n_features: int
    lengths: tuple[int, ...] | None  # rows of each partition, where the collection says
    dtype: FloatDType = DOUBLE  # of all rows, once it is known
    exponent: int = 0  # weights are multiplied by this power of two
    weight_range: tuple[float, float] = (1.0, 1.0)
    way: AnyWay | None = None
    allow_nan: bool = False
    parameters: MixtureParameters | None = None
    seed: tuple[int, ...] = ()


def _common(X: Any, estimator_name: str, n_threads: int | None, **more: Any) -> _Common:
    """`_Common` for the partitions of a dask array of rows."""
    return _Common(estimator_name, n_threads, int(X.shape[1]), _lengths(X), **more)


@dataclass(frozen=True, eq=False)
class _Look:
    """What a first look finds in one partition."""

    count: Count
    bad: tuple[int, int, AnyArray] | None  # row, column, the row
    scan: Scan


def _statistics_bytes(statistics: SufficientStatistics) -> int:
    """What the scheduler reckons with when it decides where to merge."""
    arrays = statistics.weight, statistics.first, statistics.second, statistics.shift
    return sum(array.nbytes for array in arrays)


sizeof.register(SufficientStatistics, _statistics_bytes)


# Tasks that compute in this process now, where no worker of a cluster counts them. To add and to
# discard are single steps of the interpreter.
_running: set[object] = set()


@contextmanager
def _threads(n_threads: int | None) -> Iterator[int | None]:
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
        threads = min(state.nthreads, _runtime.available_cpus())
    elif multiprocessing.parent_process() is not None:
        return 1  # of a pool of processes, one for each CPU
    else:
        tasks, threads = len(_running), _runtime.thread_count()
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


def _rows(
    X: Any, weight: Any, common: _Common, n_threads: int | None, number: int | None = None
) -> Rows:
    """The rows of a partition, as the kernels read them."""
    X = _values(X, common, number)
    if common.dtype == SINGLE and _validation.computing_dtype(X.dtype) != SINGLE:
        raise ValueError(
            f"A partition of X is {X.dtype}, and was float32 when it was computed first. {_SAME}"
        )
    if weight is not None:
        if np.ndim(weight) == 0:
            weight = np.full(len(X), weight)
        weight = np.ascontiguousarray(weight, dtype=np.float64)
        if weight.shape != (len(X),):
            raise ValueError(
                f"A partition of sample_weight has the shape {weight.shape}, expected {(len(X),)} "
                f"as at first. {_SAME}"
            )
        weight = np.ldexp(weight, common.exponent) if common.exponent else weight
    rows = Rows(X, weight, n_threads=n_threads, allow_nan=common.allow_nan)
    rows.weight_range = common.weight_range
    return rows


def _length(X: Any, weight: Any, common: _Common) -> int:
    return len(_values(X, common))


def _look(X: Any, weight: Any, common: _Common, number: int) -> _Look:
    """Count, check and measure the rows of a partition."""
    X = _values(X, common, number)
    try:
        weight = _validation.check_sample_weight(weight, len(X), allow_zero=True)
    except (TypeError, ValueError) as error:
        raise _validation.of_piece(error, f"Partition {number} of X") from error
    given = Rows(X, weight, allow_nan=common.allow_nan)
    exponent = _validation.moderate_exponent(given.weight_range[1])
    with _threads(common.n_threads) as threads, np.errstate(all="ignore"):
        rows = _rows(X, weight, replace(common, exponent=exponent), threads)
        scan = rows.scan()
        if scan.observed is not None:
            scan = scan._replace(observed=np.ldexp(scan.observed, -exponent))
    bad = None if scan.bad is None else (*scan.bad, X[scan.bad[0]][None])
    return _Look(Count.of(given), bad, scan)


def _taken(
    X: Any, weight: Any, common: _Common, n_rows: int, indices: Indices, used: bool
) -> tuple[AnyArray, Doubles | None]:
    """Some of a partition's rows with their weights; `used` counts those of positive weight."""
    rows = _rows(X, weight, common, 1)
    numbers = np.arange(rows.n_samples)
    if used and rows.sample_weight is not None:
        numbers = np.flatnonzero(rows.sample_weight)
    if len(numbers) != n_rows:
        raise _changed("A partition of X", n_rows, len(numbers))
    some = rows.take(numbers[indices])
    return some.X, some.sample_weight


def _changed(what: str, before: int, now: int) -> ValueError:
    return ValueError(
        f"{what} gave {before:,} rows when it was computed first and {now:,} now. {_SAME}"
    )


_SAME = "Every computation must give the same rows; X = X.persist() computes them once."


def _followed(X: Any, weight: Any, common: _Common) -> SufficientStatistics:
    """Statistics of a partition."""
    assert common.way is not None
    with _threads(common.n_threads) as threads, np.errstate(all="ignore"):
        return common.way.follow(_rows(X, weight, common, threads))


def _followed_at_random(X: Any, weight: Any, common: _Common, number: int) -> SufficientStatistics:
    """Statistics of a partition under uniform random responsibilities."""
    assert common.way is not None
    generator = np.random.default_rng([*common.seed, number])
    blocks = _passes.random_responsibilities(generator, len(common.way.means))
    with _threads(common.n_threads) as threads:
        return common.way.follow(_rows(X, weight, common, threads), blocks)


def _merged(parts: list[SufficientStatistics]) -> SufficientStatistics:
    return SufficientStatistics.merge(parts)


def _scored(
    X: Any, common: _Common, field: str, dtype: Any, block_id: tuple[int, ...] | None = None
) -> AnyArray:
    """What `Scorer.evaluate` calls `field`, for the rows of a chunk, (n, numbers a row)."""
    assert common.parameters is not None
    number = block_id[0] if block_id else None
    with _threads(common.n_threads) as threads:
        rows = _rows(X, None, common, threads, number)
        scorer = _passes.Scorer(common.parameters)
        out: AnyArray = np.empty(*scorer.form(field, rows))
        bad = scorer.fill(field, rows, out, spare=False)
    if bad is not None:
        raise _bad_value(rows.X[bad[0]][None], bad, number or 0, common)
    return (out if out.ndim == 2 else out[:, None]).astype(dtype, copy=False)


def _imputed(
    X: Any,
    common: _Common,
    n_draws: int | None,
    return_std: bool,
    dtype: Any,
    block_id: tuple[int, ...] | None = None,
) -> AnyArray:
    """The rows of a chunk filled in, or each draw of them, and the deviations: (planes, n, d)."""
    assert common.parameters is not None
    number = block_id[-2] if block_id else None
    noise = None if n_draws is None else Noise.seeded(n_draws, *common.seed, number or 0)
    with _threads(common.n_threads) as threads:
        rows = _rows(X, None, common, threads, number)
        planes: AnyArray = np.empty((_planes(n_draws, return_std), *rows.X.shape), rows.dtype)
        values = planes[0] if n_draws is None else planes[:n_draws]
        deviations = planes[-1] if return_std else None
        bad = complete(common.parameters, rows, values, deviations, noise)
    if bad is not None:
        raise _bad_value(rows.X[bad[0]][None], bad, number or 0, common)
    return planes.astype(dtype, copy=False)


def _planes(n_draws: int | None, return_std: bool) -> int:
    """Tables that `_imputed` returns."""
    return (n_draws or 1) + return_std


def _log_likelihood(
    X: Any, weight: Any, common: _Common, number: int, completed: bool
) -> tuple[float, int]:
    """Log-likelihood of a partition, or that of its rows and their most probable labels."""
    assert common.parameters is not None
    X = _values(X, common, number)
    scorer = _passes.Scorer(common.parameters)
    with _threads(common.n_threads) as threads:
        total = RowSum()
        bad = _passes.add_log_likelihood(
            total, scorer, X, completed=completed, n_threads=threads, allow_nan=common.allow_nan
        )
    if bad is not None:
        raise _bad_value(X[bad[0]][None], bad, number, common)
    return total.total(), len(X)


def _total(sums: Iterable[float]) -> float:
    """The sum of log-likelihoods, minus infinity where it is beyond the range of doubles."""
    try:
        return math.fsum(sums)
    except OverflowError:
        return -math.inf


def _bad_value(
    row: AnyArray,
    place: tuple[int, int],
    number: int,
    common: _Common,
    names: Names | None = None,
    first_row: int | None = None,
) -> ValueError:
    """The exception for a value that is not finite, at this place in the partition.

    `row` is the row that it is in, (1, d); `first_row` the number of the partition's first row,
    where that is known.
    """
    error = _validation.nonfinite_error(
        row, 0, place[1], names, common.estimator_name, first_row=(first_row or 0) + place[0]
    )
    where = ", rows counted from its start" if first_row is None else ""
    return ValueError(f"Partition {number} of X{where}: {error}")


# --- Passes over partitions ----------------------------------------------------------------------


class _Partitions:
    """The partitions of an array of rows, with their weights, and what computes with them.

    Parameters
    ----------
    X : dask Array of shape (n, d)
        With one chunk along the columns.
    weights : dask Array of shape (n,), float or None
    """

    def __init__(self, X: Any, weights: Any) -> None:
        self._get = get_scheduler(collections=[X])
        collections = [X] if weights is None or isinstance(weights, float) else [X, weights]
        client = getattr(self._get, "__self__", None)
        if client is not None and _carries_rows(collections):
            collections = list(client.persist(collections))
        self._graph: dict[Any, Any] = {}
        for given, optimised in zip(collections, dask.optimize(*collections)):
            self._graph |= _futures(given) | dict(optimised.__dask_graph__())
        keys = [key for (key,) in collections[0].__dask_keys__()]
        beside = collections[1].__dask_keys__() if len(collections) > 1 else [weights] * len(keys)
        self._parts = list(zip(keys, beside))
        # Partitions that are in a cluster's memory stay there as long as their collection exists.
        self._collections = collections

    def __len__(self) -> int:
        return len(self._parts)

    def map(
        self,
        function: Callable[..., Any],
        common: Any,
        each: Sequence[tuple[Any, ...] | None] | None = None,
    ) -> list[Any]:
        """``function(X, weight, common, *each[i])`` of all partitions i but those with None."""
        tasks, keys = self._tasks(function, common, each)
        asked = [key for key in keys if key is not None]
        results = iter(self._computed(tasks, asked))
        return [None if key is None else next(results) for key in keys]

    def sum(
        self,
        function: Callable[..., SufficientStatistics],
        common: _Common,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> SufficientStatistics:
        """The statistics of all partitions, merged in a tree that is always the same."""
        tasks, keys = self._tasks(function, common, each)
        token = uuid.uuid4().hex
        level = 0
        while len(keys) > 1:
            merged = []
            for start in range(0, len(keys), FAN_IN):
                key = (f"gaussmix-merge-{token}", level, start)
                tasks[key] = (_merged, keys[start : start + FAN_IN])
                merged.append(key)
            keys = merged
            level += 1
        statistics: SufficientStatistics = self._computed(tasks, keys)[0]
        return statistics

    def _tasks(
        self,
        function: Callable[..., Any],
        common: Any,
        each: Sequence[tuple[Any, ...] | None] | None,
    ) -> tuple[dict[Any, Any], list[Any]]:
        """A graph of one task a partition, and their keys. No key is used in two passes."""
        token = uuid.uuid4().hex
        prefix = f"gaussmix-{function.__name__.strip('_')}-{token}"
        shared = f"gaussmix-common-{token}"
        tasks: dict[Any, Any] = {shared: common}
        keys: list[Any] = []
        for i, (rows, weight) in enumerate(self._parts):
            own = () if each is None else each[i]
            keys.append(None if own is None else (prefix, i))
            if own is not None:
                tasks[keys[-1]] = (function, rows, weight, shared, *own)
        return tasks, keys

    def _computed(self, tasks: dict[Any, Any], keys: list[Any]) -> list[Any]:
        if not keys:
            return []
        return list(self._get(self._graph | tasks, keys))


def _futures(collection: Any) -> dict[Any, Any]:
    """Partitions in a cluster's memory, which optimised graphs refer to without an entry."""
    if "distributed" not in sys.modules:
        return {}
    from distributed import Future

    graph = dict(collection.__dask_graph__())
    return {key: task for key, task in graph.items() if isinstance(task, Future)}


def _carries_rows(collections: list[Any]) -> bool:
    """Whether graphs hold more than the recipe, as that of an array made of a NumPy array does."""
    total = 0
    for collection in collections:
        for task in dict(collection.__dask_graph__()).values():
            total += sizeof(task)
            if total > CARRIED_BYTES:
                return True
    return False


# --- The data of a fit ---------------------------------------------------------------------------


class DaskData:
    """Rows in the partitions of a dask array; see `_data.Data`.

    Parameters
    ----------
    partitions : _Partitions
    looks : list of _Look
        What a first look found in each.
    common : _Common
    n_features : int
    weighted : bool
    sample_rows : int
    """

    on_rows: Callable[[int, int], None] | None = None

    def __init__(
        self,
        partitions: _Partitions,
        looks: list[_Look],
        common: _Common,
        n_features: int,
        weighted: bool,
        sample_rows: int,
    ) -> None:
        count = _joint_count(looks)
        least, most = count.weight_range
        exponent = common.exponent
        weight_range = math.ldexp(least, exponent), math.ldexp(most, exponent)
        self._partitions = partitions
        self.dtype = count.dtype
        self._looked = common
        self._common = replace(common, weight_range=weight_range, dtype=self.dtype)
        self._ends = np.cumsum([look.count.n_rows for look in looks])
        self._used_ends = np.cumsum([look.count.n_used for look in looks])
        self.n_samples = count.n_rows
        self.n_used = count.n_used
        self.n_features = n_features
        self.weighted = weighted
        self.total_weight = math.ldexp(count.total_weight, exponent)
        self.n_samples_seen: float = count.total_weight if weighted else count.n_rows
        self._scan = _joint_scan(looks, n_features)
        self.incomplete = self._scan.observed is not None
        self._scatter: Doubles | None = None
        self._kept = thinned(self.n_used, max(sample_rows, CENTRE_ROWS))
        self._sample = self._rows_at(self._kept, self._used_ends, used=True)
        self.centre = self.thinned(CENTRE_ROWS).centre
        self.ordinary = ordinary(self._scan, self.centre, weight_range, self.total_weight)

    def scan(self) -> Scan:
        return self._scan

    def in_memory(self) -> Rows:
        return self.take(np.arange(self.n_samples))

    def take(self, indices: Indices) -> Rows:
        return self._rows_at(np.asarray(indices), self._ends, used=False)

    def thinned(self, most: int) -> Rows:
        # A smaller sample is a part of a larger one.
        wanted = thinned(self.n_used, most)
        return self._sample.take(np.searchsorted(self._kept, wanted))

    def rows_to_draw(self, most: int) -> Rows:
        return self.thinned(most)

    def accumulate(self, parameters: MixtureParameters, reg_covar: float) -> SufficientStatistics:
        for way in _passes.ways(parameters, self, reg_covar):
            statistics = way.completed(self._sum(way), self._scattered)
            if way.holds(statistics, reg_covar):
                break
        return statistics

    def accumulate_nearest(
        self, centres: Doubles, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        way = _passes.nearest_way(self, centres, covariance_type)
        return way.completed(self._sum(way), self._scattered)

    def accumulate_random(
        self, random_state: Generator, n_components: int, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        way = _passes.given_way(self, n_components, covariance_type)
        seed = tuple((random_state.uniform(size=4) * 2**32).astype(np.int64).tolist())
        common = replace(self._common, way=way, seed=seed)
        numbers = [(i,) for i in range(len(self._partitions))]
        parts = self._checked(self._partitions.sum(_followed_at_random, common, numbers))
        return way.completed(parts, self._scattered)

    def _scattered(self) -> Doubles:
        """Second moment of all rows about the centre, (d, d): the same in every iteration."""
        if self._scatter is None:
            self._scatter = self._sum(_passes.scatter_way(self.centre)).second[0]
        return self._scatter

    def _sum(self, way: AnyWay) -> SufficientStatistics:
        return self._checked(self._partitions.sum(_followed, replace(self._common, way=way)))

    def _checked(self, statistics: SufficientStatistics) -> SufficientStatistics:
        """Statistics of as many rows as there were at first."""
        if statistics.n_rows != self.n_samples:
            raise _changed("X", self.n_samples, statistics.n_rows)
        if self._scan.disagrees(statistics):
            self._check_unchanged()
        if self.on_rows is not None:
            self.on_rows(self.n_samples, self.n_samples)
        return statistics

    def _check_unchanged(self) -> None:
        """Look at all partitions again, and raise if they are not as they were."""
        numbers = [(i,) for i in range(len(self._partitions))]
        looks = self._partitions.map(_look, self._looked, numbers)
        for number, look in enumerate(looks):
            if look.bad is not None:
                row, column, values = look.bad
                raise ValueError(
                    f"Partition {number} of X changed between two computations: row {row}, column "
                    f"{column}, is {values[0, column]} now and was a number in range before. "
                    f"{_SAME}"
                )
        now = _joint_scan(looks, self.n_features)
        same = (now.mean == self._scan.mean) & (now.variance == self._scan.variance)
        other = np.flatnonzero(~same & np.isfinite(self._scan.mean))
        if other.size:
            column = int(other[0])
            raise ValueError(
                f"X changed between two computations: the mean of column {column} was "
                f"{self._scan.mean[column]:g} and is {now.mean[column]:g}. {_SAME}"
            )

    def _rows_at(self, indices: Indices, ends: Indices, *, used: bool) -> Rows:
        """Rows by their number among all, or among those of positive weight."""
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        cuts = np.searchsorted(ordered, np.concatenate([[0], ends]))
        lengths = np.diff(ends, prepend=0).tolist()
        each = [
            (n, ordered[start:stop] - (end - n), used) if stop > start else None
            for start, stop, end, n in zip(cuts, cuts[1:], ends, lengths)
        ]
        X = np.empty((len(indices), self.n_features), self.dtype)
        weights = np.empty(len(indices)) if self.weighted else None
        for part, start in zip(self._partitions.map(_taken, self._common, each), cuts):
            if part is not None:
                places = order[start : start + len(part[0])]
                X[places] = part[0]
                if weights is not None:
                    weights[places] = part[1]
        return Rows(X, weights, n_threads=self._common.n_threads, allow_nan=self._common.allow_nan)


def _joint_count(looks: list[_Look]) -> Count:
    return reduce(Count.joined, (look.count for look in looks), Count())


def _joint_scan(looks: list[_Look], n_features: int) -> Scan:
    """Column means and variances of all rows, from those of the partitions."""
    looks = [look for look in looks if look.count.total_weight > 0]
    if not looks:
        return Scan(None, np.full(n_features, np.nan), np.full(n_features, np.nan))
    with np.errstate(all="ignore"):
        # Of each column, by the weight of what there is of it.
        weights = np.array([_observed(look, n_features) for look in looks])
        share = weights / weights.max()
        total = share.sum(axis=0)
        share = np.where(total > 0, share / total, 1 / len(looks))
        means = np.array([look.scan.mean for look in looks])
        variances = np.array([look.scan.variance for look in looks])
        # About one of the means, so that a column of equal values keeps a variance of zero.
        first = means[share.argmax(axis=0), np.arange(n_features)]
        mean = first + (share * (means - first)).sum(axis=0)
        moved = means - mean
        variance = (share * (variances + moved * moved)).sum(axis=0)
    incomplete = any(look.scan.observed is not None for look in looks)
    observed = weights.sum(axis=0) if incomplete else None
    return Scan(None, mean, variance, observed, sum(look.scan.n_empty for look in looks))


def _observed(look: _Look, n_features: int) -> Doubles:
    """The weight of the values of each column of a partition that are not missing, (d,)."""
    if look.scan.observed is None:
        return np.full(n_features, look.count.total_weight)
    return look.scan.observed


# --- What a fit and a score ask of a collection --------------------------------------------------


class DaskRows:
    """A dask collection; see `_row_sets.RowSet`.

    Scores and rows filled in are dask arrays, which are computed when they are asked for.
    """

    def __init__(self, X: Any, context: Context) -> None:
        self._X = X
        self._context = context

    def to_fit(self, sample_weight: Any, sample_rows: int) -> tuple[DaskData, Names | None]:
        unfitted = self._context._replace(n_features=None, feature_names=None)
        data, names = DaskRows(self._X, unfitted)._read(sample_weight, sample_rows, piece=False)
        shape = data.n_samples, data.n_features
        _validation.check_shape_of_rows(shape, 2, self._context.estimator_name)
        return data, names

    def to_learn(self, sample_weight: Any) -> DaskData:
        return self._read(sample_weight, CENTRE_ROWS, piece=True)[0]

    def labels(self, scorer: _passes.Scorer) -> Any:
        return self.scored(scorer, "labels", None)

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        context = self._context
        yield (
            0,
            _validation.as_rows(
                self._X,
                estimator_name=context.estimator_name,
                n_features=context.n_features,
                fitted_names=context.feature_names,
            )[0],
        )

    def scored(self, scorer: _passes.Scorer, field: str, out: AnyArray | None) -> Any:
        if out is not None:
            raise ValueError(
                "out= takes no result for a dask collection, which is a dask array that is "
                "computed later. Leave it out, and store the array, for example with .store() or "
                ".to_zarr()."
            )
        array, _names = self._array()
        common = self._common(array, parameters=scorer.parameters.copied())
        dtype = (
            np.dtype(np.intp) if field == "labels" else _validation.computing_dtype(array.dtype)
        )
        several = field in _passes.PER_COMPONENT
        # With drop_axis dask would join the chunks itself, before their shape is looked at.
        values = array.map_blocks(
            _scored,
            dask.delayed(common, traverse=False),
            field,
            dtype,
            dtype=dtype,
            chunks=(array.chunks[0], (scorer.n_components if several else 1,)),
            meta=np.empty((0, 0), dtype),
            name=f"gaussmix-{field if several else 'scored'}-{uuid.uuid4().hex}",
        )
        if several:
            return values
        return values.map_blocks(
            np.ravel,
            dtype=dtype,
            drop_axis=1,
            meta=np.empty(0, dtype),
            name=f"gaussmix-{field}-{uuid.uuid4().hex}",
        )

    def log_likelihood(self, scorer: _passes.Scorer, completed: bool) -> tuple[float, int]:
        array, _names = self._array()
        partitions = _Partitions(array, None)
        common = self._common(array, parameters=scorer.parameters)
        each = [(number, completed) for number in range(len(partitions))]
        parts = partitions.map(_log_likelihood, common, each)
        n_rows = sum(part[1] for part in parts)
        _validation.check_shape_of_rows((n_rows, array.shape[1]), 1, common.estimator_name)
        return _total(part[0] for part in parts), n_rows

    def imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> tuple[Any, ...]:
        array, _names = self._array()
        seeds = () if seed is None else (seed,)
        common = self._common(array, parameters=parameters.copied(), seed=seeds, allow_nan=True)
        dtype = _validation.computing_dtype(array.dtype)
        # Of each row the values, or draws of them, and below those the deviations if asked for.
        planes = array.map_blocks(
            _imputed,
            dask.delayed(common, traverse=False),
            n_draws,
            return_std,
            dtype,
            dtype=dtype,
            new_axis=0,
            chunks=(
                (_planes(n_draws, return_std),),
                array.chunks[0],
                (parameters.n_features,),
            ),
            meta=np.empty((0, 0, 0), dtype),
            name=f"gaussmix-imputed-{uuid.uuid4().hex}",
        )
        values = planes[0] if n_draws is None else planes[:n_draws]
        return (values, planes[-1]) if return_std else (values,)

    def _array(self) -> tuple[Any, Names | None]:
        return as_array(
            self._X,
            estimator_name=self._context.estimator_name,
            n_features=self._context.n_features,
            fitted_names=self._context.feature_names,
        )

    def _common(self, array: Any, **more: Any) -> _Common:
        context = self._context
        settings = {"allow_nan": context.allow_nan} | more
        return _common(array, context.estimator_name, context.n_threads, **settings)

    def _read(
        self, sample_weight: Any, sample_rows: int, piece: bool
    ) -> tuple[DaskData, Names | None]:
        """The rows after a first look at them, and the names of their columns.

        Parameters
        ----------
        sample_weight : None, number, array-like or dask Array of shape (n,)
        sample_rows : int
            How many rows are kept here as a sample, see `_thinning`.
        piece : bool
            Whether there may be no rows, or none of weight.
        """
        array, names = self._array()
        common = self._common(array)
        partitions = _Partitions(array, _weights(sample_weight, array, common, piece))
        looks = partitions.map(_look, common, [(i,) for i in range(len(partitions))])
        first_row = 0
        for number, look in enumerate(looks):
            if look.bad is not None:
                row, column, values = look.bad
                raise _bad_value(values, (row, column), number, common, names, first_row)
            first_row += look.count.n_rows
        weighted = sample_weight is not None
        if weighted:
            count = _joint_count(looks)
            largest = count.largest_weight
            _validation.check_total_weight(count.total_weight, largest, allow_zero=piece)
            if not piece:  # as `Rows.moderate`
                common = replace(common, exponent=_validation.moderate_exponent(largest))
        return DaskData(partitions, looks, common, array.shape[1], weighted, sample_rows), names
