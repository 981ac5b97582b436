"""A sample of rows, spread over all of them, that one pass takes without knowing how many come.

The rows are cut into strata of 2^L rows, and of each stratum one row is kept. When more rows come
than were reckoned with, strata join in pairs, and a coin decides which of the two rows stays. The
coins are a function of the place alone, so whoever knows the number of rows can tell which are
kept without reading any: rows in memory and rows in pieces give the same sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._common.typing import AnyArray, Bools, Doubles, Indices

# Multipliers of the mixing function of SplitMix64 (Steele, Lea & Flood 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def stratified_sample(n_rows: int, most: int) -> Indices:
    """Which of so many rows are kept when at most `most` may be, in order.

    All of them when they are no more than that; else one of each stratum, which is more than half
    as many. Every row is kept with the same probability.
    """
    stride = _stride(n_rows, most)
    chosen = _chosen(np.arange(-(-n_rows // stride)), stride)
    return chosen[chosen < n_rows]


class StratifiedSample:
    """Collects the rows that `stratified_sample` would keep, while they come.

    Parameters
    ----------
    most : int
        Rows that may be kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._stride = 1
        self._n_seen = 0
        self._kept: list[tuple[Indices, AnyArray, Doubles | None]] = []

    def add(self, X: AnyArray, weight: Doubles | None) -> None:
        """Take the next rows into account, those without weight excepted."""
        if weight is not None and not weight.all():
            positive = np.flatnonzero(weight)
            X, weight = X[positive], weight[positive]
        first, self._n_seen = self._n_seen, self._n_seen + len(X)
        stride = _stride(self._n_seen, self.most)
        if stride > self._stride:
            self._stride = stride
            self._kept = [self._still_chosen(*piece) for piece in self._kept]
        strata = np.arange(first // stride, -(-self._n_seen // stride))
        chosen = _chosen(strata, stride)
        chosen = chosen[(chosen >= first) & (chosen < self._n_seen)]
        if chosen.size or not self._kept:  # without any there is still their type
            here = chosen - first
            self._kept.append((chosen, X[here], None if weight is None else weight[here]))

    def rows(self, most: int) -> tuple[AnyArray, Doubles | None]:
        """What `stratified_sample` keeps of all rows so far, with their weights."""
        stride = max(self._stride, _stride(self._n_seen, most))
        pieces = [self._still_chosen(*piece, stride=stride) for piece in self._kept]
        X = np.concatenate([piece[1] for piece in pieces])
        weights = [piece[2] for piece in pieces if piece[2] is not None]
        return X, np.concatenate(weights) if weights else None

    def _still_chosen(
        self, indices: Indices, X: AnyArray, weight: Doubles | None, *, stride: int | None = None
    ) -> tuple[Indices, AnyArray, Doubles | None]:
        """What is left of kept rows when the strata have grown."""
        stride = self._stride if stride is None else stride
        stays: Bools = _chosen(indices // stride, stride) == indices
        return indices[stays], X[stays], None if weight is None else weight[stays]


def _stride(n_rows: int, most: int) -> int:
    """Rows in a stratum: the least power of two for which the strata are no more than `most`."""
    return 1 << (-(-n_rows // most) - 1).bit_length() if n_rows > most else 1


def _chosen(strata: Indices, stride: int) -> Indices:
    """The row that each of these strata keeps, found by the coins from its whole down to a row."""
    chosen = strata * stride
    while stride > 1:
        heads = _coins(chosen // stride, stride)
        stride //= 2
        chosen = chosen + stride * heads
    return chosen


def _coins(strata: Indices, stride: int) -> NDArray[np.bool_]:
    """A coin for each stratum of this many rows."""
    with np.errstate(over="ignore"):
        state = strata.astype(np.uint64) * _GOLDEN + np.uint64(stride)
        for shift, factor in zip((30, 27), _MIX):
            state = (state ^ (state >> np.uint64(shift))) * factor
    return (state >> np.uint64(63)).astype(bool)
