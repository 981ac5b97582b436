"""The rows of a data matrix, as the passes over them read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from .._checks.weights import rescaling_exponent
from .._common.caching import cached_property
from .._common.typing import AnyArray, Doubles, FloatDType, Floats, Indices
from .._runtime import instruction_sets
from .._runtime.threads import thread_count
from .._statistics.sufficient import SufficientStatistics
from .first_pass import SCAN_ROWS, ColumnSums, Count, FirstPass
from .patterns import PassCache
from .sampling import stratified_sample

SINGLE: FloatDType = np.dtype(np.float32)
DOUBLE: FloatDType = np.dtype(np.float64)

# Below this much work per thread starting it costs more than it brings.
THREAD_WORK = 200_000  # multiply-adds

# Rows that need converting (layout, byte order, type) are converted this many bytes at a time;
# others are read in place, in blocks after which Ctrl-C can be noticed.
BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_BYTES_IN_PLACE = 128 * 1024 * 1024

# At most so many rows tell the column medians about which all sums are formed.
CENTRE_ROWS = 2048


class RowsSummary(Protocol):
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
    def fits_single(self) -> bool:
        """Whether single precision can hold their squares, see `FirstPass.fits_single`."""
        ...

    @property
    def incomplete(self) -> bool:
        """Whether values are missing."""
        ...


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


class Rows:
    """The rows of a data matrix, as the kernels read them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Any numeric type and any layout. C-contiguous float32 and float64 are read in place,
        everything else is converted a block at a time; float32 stays, other types become float64.
    sample_weight : ndarray of shape (n,), float64, or None
    n_threads : int or None
        Most threads to use; None for `thread_count`'s choice.
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
        self._scan: FirstPass | None = None
        # Second moment of all rows about the centre, (d, d): the same in every iteration, kept
        # here by the pass that first needs it.
        self.scatter: Doubles | None = None
        self.in_place = dtype == self.dtype and flags.c_contiguous and flags.aligned

    def check_statistics(self, statistics: SufficientStatistics) -> None:
        """Raise if the statistics tell that the rows are others than they were at first, as those
        of an array never do.
        """

    def rescale_weights(self) -> Rows:
        """Multiply the weights by a power of two where their sums need it; returns the rows."""
        if self.sample_weight is not None and self.sample_weight.size:
            self.weight_exponent = rescaling_exponent(float(self.sample_weight.max()))
            if self.weight_exponent:
                self.sample_weight = np.ldexp(self.sample_weight, self.weight_exponent)
        return self

    @cached_property
    def n_threads(self) -> int:
        """Most threads to use; found out when there is enough work for more than one."""
        return thread_count(self._n_threads)

    @property
    def n_used(self) -> int:
        """Number of rows of positive weight."""
        if self.sample_weight is None:
            return int(self.n_samples)
        return int(np.count_nonzero(self.sample_weight))

    @cached_property
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
            some = self.stratified_sample(CENTRE_ROWS).X
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
    def kept(self) -> PassCache:
        """What passes over incomplete rows keep from one to the next."""
        return PassCache()

    @cached_property
    def fits_single(self) -> bool:
        """Whether single precision can hold their squares, see `FirstPass.fits_single`."""
        return self.scan().fits_single(self.centre)

    @cached_property
    def weight_range(self) -> tuple[float, float]:
        """The least and the greatest positive weight of a row; ones when there are none."""
        if self.sample_weight is None:
            return 1.0, 1.0
        positive = self.sample_weight[self.sample_weight > 0]
        return (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)

    @property
    def counted(self) -> Count:
        """How many these are, and what they weigh."""
        return Count(self.n_samples, self.n_used, self.total_weight, self.weight_range, self.dtype)

    def take(self, indices: Indices) -> Rows:
        """A copy of some rows, with their weights."""
        weight = None if self.sample_weight is None else self.sample_weight[indices]
        X = np.ascontiguousarray(self.X[indices], dtype=self.dtype)
        return Rows(X, weight, n_threads=self._n_threads, allow_nan=self.allow_nan)

    def in_memory(self) -> Rows:
        """All rows, as an array; here they are one."""
        return self

    def stratified_sample(self, most: int) -> Rows:
        """At most so many of the rows of positive weight, spread over all of them."""
        if self.sample_weight is None:
            return self.take(stratified_sample(self.n_samples, most))
        positive = np.flatnonzero(self.sample_weight)
        return self.take(positive[stratified_sample(len(positive), most)])

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
        kernels = instruction_sets.row_kernels()
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

    def scan(self) -> FirstPass:
        """Weighted column means and variances, and the first value that must not be."""
        if self._scan is not None:
            return self._scan
        sums = self._column_sums()
        # Rows of weight zero are not in the sums, yet must be finite.
        complete = not self.weighted and np.isfinite(sums).all()
        bad = None if complete or self._looked_at(sums) else self.first_bad()
        if bad is None and not complete and self.incomplete:
            self._scan = self._scan_observed()
        else:
            self._scan = FirstPass.of_complete(self.counted, bad, self.centre, sums)
        return self._scan

    def _looked_at(self, sums: Doubles) -> bool:
        """Whether it is known, whatever the sums, that all values may be there."""
        return False

    def _column_sums(self) -> Doubles:
        """`ColumnSums` about the centre."""
        sums = ColumnSums(self.n_samples, self.centre)
        for block in self.blocks(SCAN_ROWS):
            sums.add(block.X, block.weight, block.first, self.threads(4 * block.X.size))
        return sums.total()

    def _scan_observed(self) -> FirstPass:
        """`scan` of the values that are not missing."""
        sums = ColumnSums(self.n_samples, beside_indicators(self.centre))
        n_empty = 0
        for block in self.small_blocks(SCAN_ROWS):
            empty = np.isnan(block.X).all(axis=1)
            if block.weight is not None:
                empty &= block.weight > 0
            n_empty += int(np.count_nonzero(empty))
            X = with_indicators(block.X, self.centre)
            sums.add(X, block.weight, block.first, self.threads(4 * X.size))
            del X  # before the next is made
        return FirstPass.of_observed(self.counted, self.centre, sums.total(), n_empty)

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
