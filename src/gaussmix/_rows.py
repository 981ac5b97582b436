"""The rows of a data matrix, as the passes over them read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from . import _runtime, _validation
from ._caching import cached_property
from ._patterns import Kept
from ._statistics import Columns, SufficientStatistics
from ._thinning import thinned
from ._typing import AnyArray, Bools, Doubles, FloatDType, Floats, Indices

SINGLE: FloatDType = np.dtype(np.float32)
DOUBLE: FloatDType = np.dtype(np.float64)

# Rows in one piece of a pass that only looks at them.
SCAN_ROWS = 4096

# Partial sums of a pass that only looks at them.
SCAN_PARTIALS = 64

# Below this much work per thread starting it costs more than it brings.
THREAD_WORK = 200_000  # multiply-adds

# Rows that need converting (layout, byte order, type) are converted this many bytes at a time;
# others are read in place, in blocks after which Ctrl-C can be noticed.
BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_BYTES_IN_PLACE = 128 * 1024 * 1024

# At most so many rows tell the column medians about which all sums are formed.
CENTRE_ROWS = 2048

# A number added to a variance is no small one from this part of the variance on: deviations are
# then a twentieth too large.
NO_SMALL_PART = 0.1

# What single precision is for: values and weights from the inverse of this to this.
SINGLE_RANGE = 1e12


# A mean of the same rows, from other sums, is as near as this: in deviations of the column, and in
# the mean's own size.
_MEAN_DIGITS = 1e-3
_SIZE_DIGITS = 1e-6


class Scan(NamedTuple):
    """What a first pass finds: the first value that must not be, and where the columns lie.

    A column of which nothing is observed has mean 0 and variance 1.
    """

    bad: tuple[int, int] | None
    mean: Doubles
    variance: Doubles
    observed: Doubles | None = None  # (d,) weight of the values that are not missing, if any are
    n_empty: int = 0  # rows of positive weight of which all values are missing

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

    def columns(self, total_weight: float) -> Columns:
        """The same for `SufficientStatistics`, of rows of this weight."""
        observed = self.observed
        if observed is None:
            observed = np.full(len(self.mean), total_weight)
        return Columns(observed, *(np.where(observed > 0, a, 0.0) for a in self[1:3]))


def mean_of(statistics: SufficientStatistics) -> Doubles:
    """Column means (d,) of the rows of statistics."""
    with np.errstate(all="ignore"):
        first = statistics.first + statistics.weight[:, None] * statistics.shift
        mean: Doubles = first.sum(axis=0) / statistics.weight.sum()
    return mean


class Seen(Protocol):
    """What is known of all rows once they have been looked at, wherever they are."""

    @property
    def n_samples(self) -> int: ...
    @property
    def dtype(self) -> FloatDType: ...
    @property
    def centre(self) -> Doubles:
        """A point amid the rows, see `Rows.centre`."""
        ...

    @property
    def ordinary(self) -> bool:
        """Whether single precision can hold their squares, see `ordinary`."""
        ...

    @property
    def incomplete(self) -> bool:
        """Whether values are missing."""
        ...


def ordinary(
    scan: Scan, centre: Doubles, weight_range: tuple[float, float], total_weight: float
) -> bool:
    """Whether squares of the rows about the centre, and the weights, are far from the ends of what
    single precision can hold.
    """
    least, most = weight_range
    if not 1 / SINGLE_RANGE < least <= most < SINGLE_RANGE:
        return False
    moved = scan.mean - centre
    squares = scan.variance + moved * moved
    return bool((squares * total_weight / least < SINGLE_RANGE**2).all())


class Block(NamedTuple):
    """Some rows that lie beside each other, as the kernels read them."""

    first: int  # the number of the first of them
    X: Floats  # (n, d), C-contiguous
    weight: Doubles | None  # (n,)

    @property
    def rows(self) -> slice:
        """Where these are among all rows."""
        return slice(self.first, self.first + len(self.X))

    def part(self, start: int, stop: int) -> Block:
        """Of these the rows from `start` to `stop`."""
        weight = None if self.weight is None else self.weight[start:stop]
        return Block(self.first + start, self.X[start:stop], weight)


class Count(NamedTuple):
    """How many rows a first pass has seen, and what they weigh."""

    n_rows: int = 0
    n_used: int = 0  # those of positive weight
    total_weight: float = 0.0
    weight_range: tuple[float, float] = (1.0, 1.0)  # of positive weights; ones without any
    dtype: FloatDType = SINGLE  # float32 where all rows are

    @classmethod
    def of(cls, rows: Rows) -> Count:
        """Of some rows alone."""
        return cls(rows.n_samples, rows.n_used, rows.total_weight, rows.weight_range, rows.dtype)

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
            SINGLE if self.dtype == other.dtype == SINGLE else DOUBLE,
        )

    @property
    def largest_weight(self) -> float:
        """Zero where no row has any."""
        return self.weight_range[1] if self.n_used else 0.0


class Rows:
    """The rows of a data matrix, as the kernels read them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Any numeric type and any layout. C-contiguous float32 and float64 are read in place,
        everything else is converted a block at a time; float32 stays, other types become float64.
    sample_weight : ndarray of shape (n,), float64, or None
    n_threads : int or None
        Most threads to use; None for `_runtime.thread_count`'s choice.
    allow_nan : bool, default=False
        Whether NaN is a missing value, and no bad one.
    """

    # Whether each look at the rows is a pass over what they are read from; then `on_rows(done,
    # total)` is called after every block.
    streamed = False
    on_rows: Callable[[int, int], None] | None = None

    # The weights are those that came times two to this power.
    weight_exponent = 0

    def __init__(
        self,
        X: AnyArray,
        sample_weight: Doubles | None = None,
        *,
        n_threads: int | None = None,
        allow_nan: bool = False,
    ) -> None:
        self.X = X
        self.allow_nan = allow_nan
        self.sample_weight = sample_weight
        self.weighted = sample_weight is not None
        self.n_samples, self.n_features = X.shape
        dtype = X.dtype
        self.dtype = SINGLE if dtype.kind == "f" and dtype.itemsize == 4 else DOUBLE
        self._n_threads = n_threads
        flags = X.flags
        self._scan: Scan | None = None
        # Second moment of all rows about the centre, (d, d): the same in every iteration, kept
        # here by the pass that first needs it.
        self.scatter: Doubles | None = None
        self.in_place = dtype == self.dtype and flags.c_contiguous and flags.aligned

    def moderate(self) -> Rows:
        """Multiply the weights by a power of two where their sums need it; returns the rows."""
        if self.sample_weight is not None and self.sample_weight.size:
            self.weight_exponent = _validation.moderate_exponent(float(self.sample_weight.max()))
            if self.weight_exponent:
                self.sample_weight = np.ldexp(self.sample_weight, self.weight_exponent)
        return self

    @cached_property
    def n_threads(self) -> int:
        """Most threads to use; found out when there is enough work for more than one."""
        return _runtime.thread_count(self._n_threads)

    @property
    def n_used(self) -> int:
        """Number of rows of positive weight."""
        if self.sample_weight is None:
            return int(self.n_samples)
        return int(np.count_nonzero(self.sample_weight))

    @property
    def total_weight(self) -> float:
        """Sum of the sample weights."""
        if self.sample_weight is None:
            return float(self.n_samples)
        return float(self.sample_weight.sum())

    @cached_property
    def centre(self) -> Doubles:
        """A point amid the rows, shape (d,): column medians of some rows of positive weight.

        Arithmetic is done on x - centre, so the centre decides which digits of the rows are
        kept. A mean would follow a single row at 1e20, and nothing would be left of the others.
        """
        with np.errstate(all="ignore"):
            some = self.thinned(CENTRE_ROWS).X
            if not len(some):
                return np.zeros(self.n_features)
            some = some.astype(np.float64)
            centre = _observed_medians(some) if self.allow_nan else _medians(some)
        centre[~np.isfinite(centre)] = 0.0
        # A number of the rows' own type, so that differences from it are formed without loss.
        return centre.astype(self.dtype).astype(np.float64)

    @cached_property
    def incomplete(self) -> bool:
        """Whether values are missing; infinities, if any, were refused before this is asked."""
        return self.allow_nan and self.first_nonfinite() is not None

    @cached_property
    def kept(self) -> Kept:
        """What passes over incomplete rows keep from one to the next."""
        return Kept()

    @cached_property
    def ordinary(self) -> bool:
        """Whether single precision can hold their squares, see `ordinary`."""
        return ordinary(self.scan(), self.centre, self.weight_range, self.total_weight)

    @cached_property
    def weight_range(self) -> tuple[float, float]:
        """The least and the greatest positive weight of a row; ones when there are none."""
        if self.sample_weight is None:
            return 1.0, 1.0
        positive = self.sample_weight[self.sample_weight > 0]
        return (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)

    def take(self, indices: Indices) -> Rows:
        """A copy of some rows, with their weights."""
        weight = None if self.sample_weight is None else self.sample_weight[indices]
        X = np.ascontiguousarray(self.X[indices], dtype=self.dtype)
        return Rows(X, weight, n_threads=self._n_threads, allow_nan=self.allow_nan)

    def in_memory(self) -> Rows:
        """All rows, as an array; here they are one."""
        return self

    def thinned(self, most: int) -> Rows:
        """At most so many of the rows of positive weight, spread over all of them."""
        if self.sample_weight is None:
            return self.take(thinned(self.n_samples, most))
        positive = np.flatnonzero(self.sample_weight)
        return self.take(positive[thinned(len(positive), most)])

    def blocks(self, chunk_rows: int) -> Iterator[Block]:
        """All rows in blocks of whole chunks."""
        row_bytes = self.n_features * self.dtype.itemsize
        limit = BLOCK_BYTES_IN_PLACE if self.in_place else BLOCK_BYTES
        size = max(1, limit // (row_bytes * chunk_rows)) * chunk_rows
        for first in range(0, self.n_samples, size):
            block = self.X[first : first + size]
            if not self.in_place:
                with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity
                    block = np.require(block, self.dtype, ["C", "A"])
            weight = self.sample_weight
            if weight is not None:
                weight = weight[first : first + len(block)]
            yield Block(first, block, weight)

    def small_blocks(self, chunk_rows: int) -> Iterator[Block]:
        """`blocks` of at most `BLOCK_BYTES` also in place, for what makes arrays of their size."""
        row_bytes = self.n_features * self.dtype.itemsize
        size = max(1, BLOCK_BYTES // (row_bytes * chunk_rows)) * chunk_rows
        return _cut(self.blocks(chunk_rows), size)

    def pieces(self, size: int) -> Iterator[Block]:
        """All rows, so many at a time."""
        return _cut(self.blocks(size), size)

    def first_nonfinite(self, *, allow_nan: bool = False) -> tuple[int, int] | None:
        """Row and column of the first infinity or, unless that is allowed, NaN; or None."""
        kernels = _runtime.kernels()
        for block in self.blocks(SCAN_ROWS):
            threads = self.threads(block.X.size)
            position = kernels.first_nonfinite(block.X, SCAN_ROWS, threads, allow_nan)
            if position >= 0:
                row, column = divmod(position, self.n_features)
                return block.first + row, column
        return None

    def first_bad(self) -> tuple[int, int] | None:
        """Row and column of the first infinity, and of the first NaN unless that is allowed."""
        return self.first_nonfinite(allow_nan=self.allow_nan)

    def scan(self) -> Scan:
        """Weighted column means and variances, and the first value that must not be."""
        if self._scan is not None:
            return self._scan
        sums = self._column_sums(self.n_features, self.centre)
        # Rows of weight zero are not in the sums, yet must be finite.
        complete = not self.weighted and np.isfinite(sums).all()
        bad = None if complete or self._looked_at(sums) else self.first_bad()
        if bad is None and not complete and self.incomplete:
            self._scan = self._scan_observed()
        else:
            with np.errstate(all="ignore"):
                mean, variance = _about(self.centre, sums[0], *np.split(sums[1:], 2))
            self._scan = Scan(bad, mean, variance)
        return self._scan

    def _looked_at(self, sums: Doubles) -> bool:
        """Whether it is known, whatever the sums, that all values may be there."""
        return False

    def _scan_observed(self) -> Scan:
        """`scan` of the values that are not missing."""
        n_empty = 0
        for block in self.small_blocks(SCAN_ROWS):
            empty = np.isnan(block.X).all(axis=1)
            if block.weight is not None:
                empty &= block.weight > 0
            n_empty += int(np.count_nonzero(empty))
        sums = self._column_sums(2 * self.n_features, beside_indicators(self.centre))
        first, observed, second, _ = np.split(sums[1:], 4)
        with np.errstate(all="ignore"):
            mean, variance = _about(self.centre, observed, first, second)
        empty = observed == 0
        mean[empty], variance[empty] = 0.0, 1.0
        return Scan(None, mean, variance, observed, n_empty)

    def _column_sums(self, n_columns: int, shift: Doubles) -> Doubles:
        """Weight, and first and second moments of columns about the shift, (1 + 2 columns,).

        For twice as many columns as there are, those of `with_indicators`.
        """
        n_partials = min(SCAN_PARTIALS, -(-self.n_samples // SCAN_ROWS))
        # A row of its own cache lines for each partial sum.
        partials = np.zeros((n_partials, -(-(1 + 2 * n_columns) // 16) * 16))
        indicated = n_columns > self.n_features
        blocks = self.small_blocks if indicated else self.blocks
        for block in blocks(SCAN_ROWS):
            X = with_indicators(block.X, self.centre) if indicated else block.X
            _runtime.kernels().column_moments(
                X, block.weight, shift, SCAN_ROWS,
                block.first // SCAN_ROWS, partials, self.threads(4 * X.size),
            )  # fmt: skip
            del X  # before the next is made
        sums: Doubles = np.add.reduce(partials, axis=0)[: 1 + 2 * n_columns]
        return sums

    def threads(self, work: int) -> int:
        """Threads for so many multiply-adds."""
        worth = work // THREAD_WORK
        return min(self.n_threads, worth) if worth > 1 else 1


def _cut(blocks: Iterator[Block], size: int) -> Iterator[Block]:
    """Blocks of rows in pieces of at most so many."""
    for block in blocks:
        for start in range(0, len(block.X), size):
            yield block.part(start, start + size)


def with_indicators(X: Floats, centre: Doubles) -> Floats:
    """Rows (n, d) with the centre where a value is missing, beside indicators of which are not.

    Of these 2 d columns, all complete, moments tell those of the observed values: the weight of
    the values is that of their indicators, and about the centre those missing add nothing.
    """
    n, d = X.shape
    both = np.empty((n, 2 * d), X.dtype)
    missing = np.isnan(X)
    both[:, :d] = X
    np.copyto(both[:, :d], centre.astype(X.dtype), where=missing)
    np.logical_not(missing, out=both[:, d:], casting="unsafe")
    return both


def beside_indicators(centre: Doubles) -> Doubles:
    """The centre of rows as `with_indicators` gives them, (2 d,): indicators are about zero."""
    return np.concatenate([centre, np.zeros_like(centre)])


def _about(
    shift: Doubles, weight: Doubles, first: Doubles, second: Doubles
) -> tuple[Doubles, Doubles]:
    """Means and variances of columns from moments about the shift."""
    move = first / weight
    return shift + move, np.maximum(second / weight - move * move, 0.0)


def _medians(X: Doubles) -> Doubles:
    """Medians of columns as `numpy.median` has them; of few rows in a third of its time."""
    lower, upper = (len(X) - 1) // 2, len(X) // 2
    ordered = np.partition(X, (lower, upper), axis=0)
    medians: Doubles = ordered[lower]
    return medians if lower == upper else (medians + ordered[upper]) / 2


def _observed_medians(X: Doubles) -> Doubles:
    """Medians of the columns' values that are not missing; NaN for a column without any."""
    ordered = np.sort(X, axis=0)  # NaN comes last
    observed = len(X) - np.isnan(X).sum(axis=0)
    upper = np.minimum(observed // 2, len(X) - 1)
    lower = np.maximum(observed - 1, 0) // 2
    columns = np.arange(X.shape[1])
    medians: Doubles = (ordered[lower, columns] + ordered[upper, columns]) / 2
    return medians
