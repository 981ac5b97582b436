"""Rows grouped by pattern: by which of their values are missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._common.failures import explains_failures
from .._common.typing import Bools, Doubles, Floats, Indices
from .._runtime import instruction_sets

# Rows that one thread marks at a time.
MARK_ROWS = 8192

# What does not change is kept from one pass of a fit to the next in this much memory: the patterns
# of four million rows. Beyond that it is found again in every pass, which takes a fifth of it.
KEPT_BYTES = 32 * 1024 * 1024


class Patterns(NamedTuple):
    """The patterns of some rows, in the order of their first rows.

    Attributes
    ----------
    observed : ndarray of bool, shape (P, d)
        Which features the rows of each pattern have.
    order : ndarray of int, shape (n,)
        Row numbers, those of a pattern beside each other.
    starts : ndarray of int, shape (P + 1,)
        The rows of pattern p are ``order[starts[p]:starts[p + 1]]``.
    """

    observed: Bools
    order: Indices
    starts: Indices

    @property
    def nbytes(self) -> int:
        return self.observed.nbytes + self.order.nbytes + self.starts.nbytes

    def copy(self) -> Patterns:
        """The same in memory of its own."""
        return Patterns(self.observed, self.order.copy(), self.starts.copy())

    def groups(self) -> Iterator[tuple[Indices, Indices]]:
        """For each pattern its observed features, and its rows."""
        for observed, rows in zip(
            self.observed, np.split(self.order, self.starts[1:-1]), strict=True
        ):
            yield np.flatnonzero(observed), rows

    def split(self) -> tuple[Indices, Patterns]:
        """The rows that have all features, and the patterns of the others."""
        complete = np.flatnonzero(self.observed.all(axis=1))
        if complete.size == 0:
            return np.empty(0, dtype=np.intp), self
        (number,) = complete
        start, stop = self.starts[number : number + 2]
        starts = np.delete(self.starts, number)
        starts[number:] -= stop - start
        others = np.concatenate([self.order[:start], self.order[stop:]])
        return self.order[start:stop], Patterns(
            np.delete(self.observed, number, axis=0), others, starts
        )


class Grouper:
    """Groups rows by which of their values are NaN, in memory that is used again and again.

    Parameters
    ----------
    most_rows : int
        Most rows at a time.
    n_features : int
    """

    def __init__(self, most_rows: int, n_features: int) -> None:
        words = instruction_sets.row_kernels().pattern_words(n_features)
        self._marks = np.empty(most_rows * words, dtype=np.uint64)
        self._work = np.empty((6, most_rows + 1), dtype=np.intp)

    @explains_failures
    def __call__(self, X: Floats, n_threads: int = 1) -> Patterns:
        """The patterns of rows, (n, d) C-contiguous, in force until the next call."""
        order, starts, first = self._work[:3]
        found = instruction_sets.row_kernels().group_patterns(
            X, order, starts, first, self._marks, self._work[3:], MARK_ROWS, n_threads
        )
        observed = ~np.isnan(X[first[:found]])
        return Patterns(observed, order[: len(X)], starts[: found + 1])


class PassCache:
    """What does not change from one pass over rows to the next, as far as there is room for it.

    Passes over the same rows at the same time need one each.

    Attributes
    ----------
    patterns : list of Patterns
        Of the rows, a unit at a time from the first on.
    """

    def __init__(self) -> None:
        self.patterns: list[Patterns] = []
        self._scatters: dict[int, tuple[int, Doubles]] = {}
        self._room = KEPT_BYTES

    def add(self, groups: Patterns) -> None:
        """Keep a copy of the patterns of the next unit."""
        if self._has_room(groups.nbytes):
            self.patterns.append(groups.copy())

    def scatters(self, unit: int, piece_rows: int, shape: tuple[int, int]) -> Doubles | None:
        """Second moments of the pieces of a unit, to be filled in: NaN where they are not known.

        None where there is no room for them. Pieces of another size than before begin anew.
        """
        size, scatters = self._scatters.pop(unit, (piece_rows, None))
        if scatters is not None and size != piece_rows:
            self._room += scatters.nbytes
            scatters = None
        if scatters is None and self._has_room(8 * math.prod(shape)):
            scatters = np.full(shape, np.nan)
        if scatters is not None:
            self._scatters[unit] = piece_rows, scatters
        return scatters

    def _has_room(self, n_bytes: int) -> bool:
        if n_bytes > self._room:
            return False
        self._room -= n_bytes
        return True


def patterns(X: Floats, n_threads: int = 1) -> Patterns:
    """Group rows by which of their values are NaN.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        C-contiguous, with at least one row.
    n_threads : int, default=1
    """
    return Grouper(*X.shape)(X, n_threads)
