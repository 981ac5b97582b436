"""A sum over all rows that does not depend on the pieces in which they come."""

from __future__ import annotations

import math

import numpy as np

from .._common.typing import Doubles, Floats

# Rows whose numbers are added before the rest are looked at. The bound on what is held.
BLOCK_ROWS = 1 << 15


class RowSum:
    """Adds up a number of each row, in blocks of rows counted from the first.

    Attributes
    ----------
    n_rows : int
        How many there were.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._block: Doubles = np.empty(BLOCK_ROWS)
        self._terms: list[float] = []

    def add(self, values: Floats) -> None:
        """Add the numbers of the next rows, shape (n,)."""
        while len(values):
            held = self.n_rows % BLOCK_ROWS
            some = values[: BLOCK_ROWS - held]
            self._block[held : held + len(some)] = some
            self.n_rows += len(some)
            values = values[len(some) :]
            if held + len(some) == BLOCK_ROWS:
                self._terms.append(_sum(self._block))

    def total(self) -> float:
        """The sum; minus infinity where it is beyond the range of doubles, as of log-densities."""
        rest = self._block[: self.n_rows % BLOCK_ROWS]
        try:
            return math.fsum([*self._terms, _sum(rest)])
        except OverflowError:  # of finite sums
            return -math.inf


def _sum(values: Doubles) -> float:
    with np.errstate(over="ignore"):
        return float(values.sum())
