"""What a first pass over rows finds: how many they are, and where their columns lie.

`FirstPass` is found of rows in an array, of rows that are read anew, and of each partition of rows
that are spread; of parts `FirstPass.merge` makes that of all. Its `Count` needs a look at each row
alone. Its moments are taken about a point amid the rows, so a source, of which no such point is
known before, is read twice: for the count and a sample, and then for the moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from .._common.typing import Bools, Doubles, FloatDType, Floats, Indices
from .._runtime import instruction_sets
from .._statistics.sufficient import Columns, SufficientStatistics

# Rows in one piece of a pass that only looks at them.
SCAN_ROWS = 4096

# Partial sums of a pass that only looks at them.
SCAN_PARTIALS = 64

# A number added to a variance is no small one from this part of the variance on: deviations are
# then a twentieth too large.
NO_SMALL_PART = 0.1

# What single precision is for: values and weights from the inverse of this to this.
SINGLE_RANGE = 1e12

# A mean of the same rows, from other sums, is as near as this: in deviations of the column, and in
# the mean's own size.
_MEAN_DIGITS = 1e-3
_SIZE_DIGITS = 1e-6


class Count(NamedTuple):
    """How many rows there are, and what they weigh."""

    n_rows: int = 0
    n_used: int = 0  # those of positive weight
    total_weight: float = 0.0
    weight_range: tuple[float, float] = (1.0, 1.0)  # of positive weights; ones without any
    dtype: FloatDType = np.dtype(np.float32)  # float32 where all rows are, else float64

    @classmethod
    def merge(cls, parts: Iterable[Count]) -> Count:
        """Of all rows, from the counts of parts in their order."""
        return reduce(cls.joined, parts, cls())

    def joined(self, other: Count) -> Count:
        """Of these rows and the next."""
        ranges = [count.weight_range for count in (self, other) if count.n_used]
        least = min((one[0] for one in ranges), default=1.0)
        most = max((one[1] for one in ranges), default=1.0)
        return Count(
            self.n_rows + other.n_rows,
            self.n_used + other.n_used,
            self.total_weight + other.total_weight,
            (least, most),
            self.dtype if self.dtype == other.dtype else np.dtype(np.float64),
        )

    def scaled(self, exponent: int) -> Count:
        """The same rows, their weights multiplied by two to this power."""
        least, most = (math.ldexp(weight, exponent) for weight in self.weight_range)
        return self._replace(
            total_weight=math.ldexp(self.total_weight, exponent),
            weight_range=(max(least, math.ulp(0.0)), most),
        )

    @property
    def largest_weight(self) -> float:
        """Zero where no row has any."""
        return self.weight_range[1] if self.n_used else 0.0


class ColumnSums:
    """Weight, and first and second moments of columns about a shift, block by block.

    Parameters
    ----------
    n_rows : int
        Of all blocks.
    shift : ndarray of shape (d,)
    """

    def __init__(self, n_rows: int, shift: Doubles) -> None:
        self._shift = shift
        self._n_sums = 1 + 2 * len(shift)
        n_partials = min(SCAN_PARTIALS, -(-n_rows // SCAN_ROWS))
        # A row of its own cache lines for each partial sum.
        self._partials = np.zeros((n_partials, -(-self._n_sums // 16) * 16))

    def add(self, X: Floats, weight: Doubles | None, first: int, n_threads: int) -> None:
        """Add a block of whole pieces of `SCAN_ROWS`, whose first row has the number `first`."""
        instruction_sets.row_kernels().column_moments(
            X, weight, self._shift, SCAN_ROWS, first // SCAN_ROWS, self._partials, n_threads
        )

    def total(self) -> Doubles:
        """The weight, then the first moments, then the second, (1 + 2 d,)."""
        sums: Doubles = np.add.reduce(self._partials, axis=0)[: self._n_sums]
        return sums


class FirstPass(NamedTuple):
    """What a first pass over rows finds, all of them or a part.

    A column of which nothing is observed has mean 0 and variance 1.
    """

    counted: Count
    bad: tuple[int, int] | None  # row and column of the first value that must not be
    mean: Doubles
    variance: Doubles
    observed: Doubles | None = None  # (d,) weight of the values that are not missing, if any are
    n_empty: int = 0  # rows of positive weight of which all values are missing

    @classmethod
    def of_complete(
        cls, counted: Count, bad: tuple[int, int] | None, shift: Doubles, sums: Doubles
    ) -> FirstPass:
        """Of rows without missing values, from their `ColumnSums` about the shift."""
        d = len(shift)
        with np.errstate(all="ignore"):
            mean, variance = _about(shift, sums[0], sums[1 : 1 + d], sums[1 + d :])
        return cls(counted, bad, mean, variance)

    @classmethod
    def of_observed(cls, counted: Count, shift: Doubles, sums: Doubles, n_empty: int) -> FirstPass:
        """Of rows with missing values, from the `ColumnSums` of `with_indicators`."""
        first, observed, second, _ = np.split(sums[1:], 4)
        with np.errstate(all="ignore"):
            mean, variance = _about(shift, observed, first, second)
        nothing = observed == 0
        mean[nothing], variance[nothing] = 0.0, 1.0
        return cls(counted, None, mean, variance, observed, n_empty)

    @classmethod
    def merge(cls, parts: Sequence[FirstPass], n_features: int) -> FirstPass:
        """Of all rows, from what was found in parts of them, in their order."""
        counted, bad = Count.merge(part.counted for part in parts), _first_bad(parts)
        parts = [part for part in parts if part.counted.total_weight > 0]
        if not parts:
            return cls(counted, bad, np.full(n_features, np.nan), np.full(n_features, np.nan))
        with np.errstate(all="ignore"):
            # Of each column, by the weight of what there is of it.
            weights = np.array([part.columns().weight for part in parts])
            share = weights / weights.max()
            total = share.sum(axis=0)
            share = np.where(total > 0, share / total, 1 / len(parts))
            means = np.array([part.mean for part in parts])
            variances = np.array([part.variance for part in parts])
            # About one of the means, so that a column of equal values keeps a variance of zero.
            first = means[share.argmax(axis=0), np.arange(n_features)]
            mean = first + (share * (means - first)).sum(axis=0)
            moved = means - mean
            variance = (share * (variances + moved * moved)).sum(axis=0)
        incomplete = any(part.observed is not None for part in parts)
        observed = weights.sum(axis=0) if incomplete else None
        return cls(counted, bad, mean, variance, observed, sum(part.n_empty for part in parts))

    def scaled(self, exponent: int) -> FirstPass:
        """The same rows, their weights multiplied by two to this power."""
        observed = None if self.observed is None else np.ldexp(self.observed, exponent)
        return self._replace(counted=self.counted.scaled(exponent), observed=observed)

    def disagrees(self, statistics: SufficientStatistics) -> bool:
        """Whether statistics can hardly be those of these rows, as their mean is another.

        False where values are missing, which statistics hold as completed.
        """
        if self.observed is not None:
            return False
        with np.errstate(all="ignore"):
            tolerance = _MEAN_DIGITS * np.sqrt(self.variance) + _SIZE_DIGITS * np.abs(self.mean)
            agree = np.abs(mean_of(statistics) - self.mean) <= tolerance
        return not agree.all()

    @property
    def constant(self) -> Bools:
        """Which columns have equal values: deviations no more than the rounding of their mean."""
        rounding = 4 * np.finfo(np.float64).eps * np.abs(self.mean)
        equal: Bools = np.sqrt(self.variance) <= rounding
        return equal

    def widened(self, added: float, *, shared: bool) -> Indices:
        """Columns whose variance a number added to it changes by no small part.

        Not those of equal values or without any. With `shared`, where the number is added to the
        one variance of all columns, that is all columns or none.
        """
        variance = self.variance
        if added <= NO_SMALL_PART * variance.min():
            return np.empty(0, dtype=np.intp)
        told = ~self.constant
        if self.observed is not None:
            told &= self.observed > 0
        if shared and told.any():
            variance = np.full_like(variance, variance[told].mean())
        return np.flatnonzero(told & (added > NO_SMALL_PART * variance))

    def fits_single(self, centre: Doubles) -> bool:
        """Whether squares of the rows about the centre, and the weights, are far from the ends of
        what single precision can hold.
        """
        least, most = self.counted.weight_range
        if not 1 / SINGLE_RANGE < least <= most < SINGLE_RANGE:
            return False
        moved = self.mean - centre
        squares = self.variance + moved * moved
        return bool((squares * self.counted.total_weight / least < SINGLE_RANGE**2).all())

    @property
    def observed_columns(self) -> Columns | None:
        """What statistics of all rows need beside their sums for `variance_floor`, if anything."""
        return None if self.observed is None else self.columns()

    def columns(self) -> Columns:
        """The same for `SufficientStatistics`."""
        observed = self.observed
        if observed is None:
            observed = np.full(len(self.mean), self.counted.total_weight)
        return Columns(observed, *(np.where(observed > 0, a, 0.0) for a in self[2:4]))


def mean_of(statistics: SufficientStatistics) -> Doubles:
    """Column means (d,) of the rows of statistics."""
    with np.errstate(all="ignore"):
        first = statistics.first + statistics.weight[:, None] * statistics.shift
        mean: Doubles = first.sum(axis=0) / statistics.weight.sum()
    return mean


def _first_bad(parts: Sequence[FirstPass]) -> tuple[int, int] | None:
    """Among the rows of all parts, the place of the first value that must not be."""
    first = 0
    for part in parts:
        if part.bad is not None:
            return first + part.bad[0], part.bad[1]
        first += part.counted.n_rows
    return None


def _about(
    shift: Doubles, weight: Doubles, first: Doubles, second: Doubles
) -> tuple[Doubles, Doubles]:
    """Means and variances of columns from moments about the shift."""
    move = first / weight
    return shift + move, np.maximum(second / weight - move * move, 0.0)
