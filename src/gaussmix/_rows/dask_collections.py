"""What a dask collection of rows is, its partitions, and what computes with them.

Every pass is one graph: a task for each partition, and a tree of tasks that merge the statistics
that those return.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.base import get_scheduler
from dask.sizeof import sizeof

from .._checks.messages import of_piece
from .._checks.rows import as_rows
from .._common.text import listed
from .._common.typing import AnyArray, Names
from .._statistics.sufficient import SufficientStatistics

# Statistics that one task merges: few enough to be no bottleneck, enough for a flat tree.
FAN_IN = 8

# With a distributed scheduler a graph travels in every pass. One that carries more bytes than
# this holds rows, and these are sent to the workers once.
CARRIED_BYTES = 1 << 20


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
        Of the fitted model, as in `as_rows`.
    """
    table = is_frame(X)
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
    checked, names = as_rows(
        sample,
        estimator_name=estimator_name,
        n_features=n_features,
        fitted_names=fitted_names,
        min_rows=0,
    )
    if table:
        meta = np.empty((0, checked.shape[1]), checked.dtype)
        labels = tuple(map(str, X.columns))
        return X.map_partitions(values_of_frame, estimator_name, labels, meta=meta), names
    return (X.rechunk({1: -1}) if X.numblocks[1] > 1 else X), None


def is_frame(X: Any) -> bool:
    """Whether X is a dask DataFrame or Series. A Delayed has every attribute it is asked for."""
    return "dataframe" in type(X).__module__ or "dask_expr" in type(X).__module__


def values_of_frame(table: Any, estimator_name: str, labels: tuple[str, ...]) -> AnyArray:
    """A table as an array of numbers, if its columns are called as the collection says."""
    where = "A partition of X, rows counted from its start"
    given = tuple(map(str, getattr(table, "columns", ())))
    if given != labels:
        raise ValueError(
            f"{where}: it has the columns {listed(given)}, but the collection's meta says "
            f"{listed(labels)}. All partitions need the same columns in the same order."
        )
    try:
        return as_rows(table, estimator_name=estimator_name, min_rows=0)[0]
    except (TypeError, ValueError) as error:
        raise of_piece(error, where) from error


def lengths_of(X: Any) -> tuple[int, ...] | None:
    """Rows of each partition; None where they are not known."""
    lengths = X.chunks[0]
    return None if any(np.isnan(n) for n in lengths) else tuple(map(int, lengths))


def aligned(weights: Any, X: Any) -> Any:
    """A dask array of weights in the chunks of X."""
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array"
            f" (shape={weights.shape}). Pass sample_weight as a number or as one weight a row."
        )
    lengths, given = lengths_of(X), lengths_of(weights)
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


class Partitions:
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
        common: Any,
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
        prefix = f"gaussmix-{function.__name__}-{token}"
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


def _merged(parts: list[SufficientStatistics]) -> SufficientStatistics:
    return SufficientStatistics.merge(parts)


def _statistics_bytes(statistics: SufficientStatistics) -> int:
    """What the scheduler reckons with when it decides where to merge."""
    arrays = statistics.weight, statistics.first, statistics.second, statistics.shift
    return sum(array.nbytes for array in arrays)


sizeof.register(SufficientStatistics, _statistics_bytes)
