"""Rows that come in pieces and are read anew in every pass.

A first pass counts and checks them and keeps a sample; when all fit in the memory allowed, that is
the last one. Later passes see the rows in the same blocks of whole chunks as those of an array, so
the sums of a fit have the same bits, however the rows were cut.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import NamedTuple

import numpy as np

from .._checks.columns import difference_of_names
from .._checks.messages import of_piece
from .._checks.numbers import computing_dtype
from .._checks.rows import as_rows, nonfinite_error
from .._checks.weights import check_sample_weight, check_total_weight, rescaling_exponent
from .._common.text import column_label, plain
from .._common.typing import AnyArray, Doubles, Indices, Names
from .._statistics.sufficient import SufficientStatistics
from .array_rows import CENTRE_ROWS, SINGLE, Block, Rows
from .first_pass import SCAN_ROWS, Count, FirstPass, mean_of
from .read_ahead import filled_ahead, read_ahead
from .sampling import StratifiedSample
from .sources.base import RowSource

# The part of the memory allowed that one block takes. Two parts more are left for what a source
# needs to decode its chunks.
BLOCK_SHARE = 1 / 8

# The part of it within which rows are kept as an array. To join the pieces takes it twice, and
# until they turn out to be too many the sample and the chunks read ahead lie beside them.
KEPT_SHARE = 3 / 8

# Characters of the name of a source in a message.
_MOST_OF_NAME = 300

# Means and deviations of rows lie within their range up to so much of it, and of their size.
_ROUNDING = 1e-6

# Squares of numbers up to this, and sums of them, do not overflow.
_SQUARES_FIT = 1e140


class Piece(NamedTuple):
    """Rows as the source gave them, checked but for values that are not finite."""

    X: AnyArray
    weight: Doubles | None
    names: Names | None


class _FirstReading(NamedTuple):
    """What the first pass learns."""

    counted: Count
    n_features: int
    names: Names | None
    weighted: bool
    sample: StratifiedSample
    kept: list[Piece] | None  # all rows, if they are few
    allow_nan: bool
    incomplete: bool
    ends: Doubles  # (2, d) the range of each column, where rows are read again; or NaN


def read(
    source: RowSource,
    sample_weight: object = None,
    *,
    estimator_name: str,
    n_threads: int | None = None,
    sample_rows: int = CENTRE_ROWS,
    piece: bool = False,
    allow_nan: bool = False,
) -> tuple[Rows, Names | None]:
    """The rows of a source after the first pass over them, and the names of their columns.

    Parameters
    ----------
    source : RowSource
    sample_weight : None, number or array-like of shape (n,)
        For all rows; where the source has weights of its own, None.
    estimator_name : str
        The class that messages speak of.
    n_threads : int or None
    sample_rows : int
        How many rows the first pass keeps as a sample, see `_thinning`.
    piece : bool, default=False
        Whether these are a part of the data: then the source may be without rows, or without
        weight, and weights are left as they are, however large.
    allow_nan : bool, default=False
        Whether NaN is a missing value.
    """
    found = _first_reading(source, estimator_name, max(sample_rows, CENTRE_ROWS), allow_nan)
    if found.counted.n_rows == 0 and not piece:
        raise no_rows(source)
    weights = None
    if sample_weight is not None:
        if found.weighted:
            raise ValueError(
                f"sample_weight was given, but {called(source)} has weights of its own. Leave "
                "one of them out."
            )
        weights = check_sample_weight(sample_weight, found.counted.n_rows, allow_zero=piece)
    elif found.weighted:
        count = found.counted
        check_total_weight(count.total_weight, count.largest_weight, allow_zero=piece)
    rows: Rows
    if found.kept is None:
        rows = StreamedRows(source, found, weights, n_threads, estimator_name)
    else:
        X = _joined([piece.X for piece in found.kept], found)
        if found.weighted:
            given = [piece.weight for piece in found.kept if piece.weight is not None]
            weights = np.concatenate(given)
        rows = Rows(X, weights, n_threads=n_threads, allow_nan=allow_nan)
    return rows if piece else rows.rescale_weights(), found.names


def called(source: RowSource) -> str:
    """What messages call a source: a user's class may say anything, and a path be long."""
    return plain(str(source), _MOST_OF_NAME)


def no_rows(source: RowSource) -> ValueError:
    """The exception for a source that gives no row."""
    return ValueError(f"{called(source)} has no rows. At least one is needed.")


def _joined(pieces: list[AnyArray], found: _FirstReading) -> AnyArray:
    """One array of all pieces; a single one as it is, whatever its layout."""
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return np.empty((0, found.n_features))
    dtype = np.result_type(*pieces)
    # NumPy makes float32 of float32 and small integers; small integers ask for float64.
    if computing_dtype(dtype) != found.counted.dtype:
        dtype = found.counted.dtype
    return np.concatenate(pieces, dtype=dtype)


class StreamedRows(Rows):
    """Rows of a source, as the kernels read them; what `Rows` does, without an array of them."""

    streamed = True

    def __init__(
        self,
        source: RowSource,
        found: _FirstReading,
        sample_weight: Doubles | None,
        n_threads: int | None,
        estimator_name: str,
    ) -> None:
        nothing = np.empty((0, found.n_features), found.counted.dtype)
        super().__init__(nothing, sample_weight, n_threads=n_threads, allow_nan=found.allow_nan)
        self.n_samples = found.counted.n_rows
        self.incomplete = found.incomplete
        self.weighted = found.weighted or sample_weight is not None
        self.in_place = False
        if sample_weight is None:
            self.weight_range = found.counted.weight_range
        self._source = source
        self._found = found
        self._estimator_name = estimator_name

    def rescale_weights(self) -> StreamedRows:
        super().rescale_weights()
        if self.weighted and self.sample_weight is None:
            _least, most = self._found.counted.weight_range
            self.weight_exponent = exponent = rescaling_exponent(most)
            self.weight_range = self._found.counted.scaled(exponent).weight_range
        return self

    @property
    def n_used(self) -> int:
        return self._found.counted.n_used if self.sample_weight is None else super().n_used

    @property
    def total_weight(self) -> float:
        if self.sample_weight is not None:
            return super().total_weight
        return math.ldexp(self._found.counted.total_weight, self.weight_exponent)

    def first_nonfinite(self, *, allow_nan: bool = False) -> tuple[int, int] | None:
        """None, or an error: the first reading found every value in order."""
        first = 0
        for X, _weight, _names in self._read_again():
            bad = Rows(X, n_threads=1, allow_nan=self.incomplete).first_bad()
            if bad is not None:
                raise self.changed_at(first + bad[0], bad[1], str(X[bad]))
            first += len(X)
        return None

    def _looked_at(self, sums: Doubles) -> bool:
        return self.incomplete or bool(np.isfinite(sums).all())

    def scan(self) -> FirstPass:
        if self._scan is None:
            scan = super().scan()
            self._check_range(scan.mean, scan.variance)
        return super().scan()

    def _check_range(self, mean: Doubles, variance: Doubles | float = 0.0) -> None:
        """Refuse column means and variances that rows in the first reading's range cannot have."""
        least, most = self._found.ends
        with np.errstate(all="ignore"):
            width = most - least
            slack = _ROUNDING * (width + np.abs(least) + np.abs(most))
            inside = (mean >= least - slack) & (mean <= most + slack)
            inside &= np.sqrt(variance) <= width / 2 + slack
        # Nothing is known of columns without values, nor of sums that overflow by themselves.
        known = (least <= most) & (np.maximum(np.abs(least), np.abs(most)) < _SQUARES_FIT)
        wrong = np.flatnonzero(known & ~inside)
        if wrong.size and self.n_used:
            self.first_nonfinite()
            raise self._moved(int(wrong[0]), f"from {least[wrong[0]]:g} to {most[wrong[0]]:g}")

    def check_statistics(self, statistics: SufficientStatistics) -> None:
        """Raise if sums are not those of the rows that were read first.

        Whatever the parameters, the first moments of all components add up to the mean of the
        rows, so to look costs nothing. Where they do not, the rows are read again to make sure.
        """
        if self.incomplete:
            return  # moments are those of completed rows
        if self._scan is None:
            self._check_range(mean_of(statistics))
            return
        if not self._scan.disagrees(statistics):
            return
        self.first_nonfinite()
        before, self._scan = self._scan, None
        now = self.scan()
        for name in "mean", "variance":
            old, new = getattr(before, name), getattr(now, name)
            other = np.flatnonzero(~((old == new) | (np.isnan(old) & np.isnan(new))))
            if other.size:
                raise self._moved(int(other[0]), f"with the {name} {old[other[0]]:g}")

    def changed_at(self, row: int, column: int, now: str = "NaN or infinite") -> ValueError:
        """The exception for a value that is not finite and was so when it was read first."""
        label = column_label(column, self._found.names)
        return self._changed(f"row {row}, {label}, is {now} now and was a number in range before")

    def _moved(self, column: int, before: str) -> ValueError:
        label = column_label(column, self._found.names)
        return self._changed(f"{label} had values {before}, and has others now")

    def _changed(self, what: str) -> ValueError:
        return ValueError(
            f"The rows of {called(self._source)} changed between two readings: {what}. Every "
            "reading must give the same rows in the same order."
        )

    def _read_again(self) -> Iterator[Piece]:
        """The chunks of another reading, like those of the first, of so many rows."""
        found = self._found
        weight = np.empty(0) if found.weighted else None
        first = Piece(np.empty((0, self.n_features)), weight, found.names)
        done = 0
        for piece in _checked(self._source, self._estimator_name, first):
            X = piece.X
            done += len(X)
            if done > self.n_samples:
                break
            if found.counted.dtype == SINGLE and computing_dtype(X.dtype) != SINGLE:
                raise self._changed(f"row {done - len(X)} is {X.dtype} now and was float32 before")
            if found.incomplete:
                # Sums of incomplete rows do not tell; and beside them this costs little.
                values = np.asarray(X, dtype=np.float64)
                least, most = found.ends
                wrong = (values < least) | (values > most)
                if wrong.any():
                    row, column = divmod(int(wrong.argmax()), self.n_features)
                    label = column_label(column, found.names)
                    raise self._changed(
                        f"row {done - len(X) + row}, {label}, is {X[row, column]} now, and all "
                        f"values were from {least[column]:g} to {most[column]:g}"
                    )
            yield piece
        if done != self.n_samples:
            more = "more" if done > self.n_samples else f"{done:,}"
            spent = "" if done else " An iterator is read once: make a new one for every reading."
            raise ValueError(
                f"{called(self._source)} gave {self.n_samples:,} rows when it was read first and "
                f"{more} now. Every reading must give the same rows in the same order.{spent}"
            )

    def in_memory(self) -> Rows:
        return self.take(np.arange(self.n_samples))

    def take(self, indices: Indices) -> Rows:
        order = np.argsort(indices, kind="stable")
        wanted = np.asarray(indices)[order]
        X = np.empty((len(wanted), self.n_features), self.dtype)
        weights = np.empty(len(wanted)) if self.weighted else None
        for block in self.blocks(SCAN_ROWS):
            start, stop = np.searchsorted(wanted, (block.first, block.first + len(block.X)))
            within = wanted[start:stop] - block.first
            X[order[start:stop]] = block.X[within]
            if weights is not None and block.weight is not None:
                weights[order[start:stop]] = block.weight[within]
        least, most = self._found.ends
        wrong = ~((least <= X) & (most >= X))
        if self.incomplete:
            wrong &= ~np.isnan(X)
        if wrong.any():
            place = divmod(int(wrong.argmax()), self.n_features)
            raise self.changed_at(int(indices[place[0]]), place[1], str(X[place]))
        return Rows(X, weights, n_threads=self._n_threads, allow_nan=self.allow_nan)

    def stratified_sample(self, most: int) -> Rows:
        # A weight of zero in the array of weights was not known to the first pass.
        sample = self._found.sample
        if most > sample.most or self.sample_weight is not None:
            sample = StratifiedSample(most)
            for block in self.blocks(SCAN_ROWS):
                sample.add(block.X, block.weight)
        X, weights = sample.rows(most)
        if weights is not None and self.sample_weight is None:
            weights = np.ldexp(weights, self.weight_exponent)
        X = np.ascontiguousarray(X, self.dtype)
        return Rows(X, weights, n_threads=self._n_threads, allow_nan=self.allow_nan)

    def blocks(self, chunk_rows: int) -> Iterator[Block]:
        chunk_bytes = chunk_rows * (self.n_features * self.dtype.itemsize + 8 * self.weighted)
        size = max(1, int(BLOCK_SHARE * self._source.memory) // chunk_bytes) * chunk_rows
        size = min(size, -(-self.n_samples // chunk_rows) * chunk_rows)
        for block in filled_ahead(self._weighed(), size, like=self):
            yield block
            if self.on_rows is not None:
                self.on_rows(block.rows.stop, self.n_samples)

    def _weighed(self) -> Iterator[tuple[AnyArray, Doubles | None]]:
        """The chunks of another reading, with the weights that the kernels read."""
        done = 0
        for X, weight, _names in self._read_again():
            if self.sample_weight is not None:
                weight = self.sample_weight[done : done + len(X)]
            elif weight is not None and self.weight_exponent:
                weight = np.ldexp(weight, self.weight_exponent)
            done += len(X)
            yield X, weight


# --- Reading -------------------------------------------------------------------------------------


def _checked(
    source: RowSource, estimator_name: str, first: Piece | None = None
) -> Generator[Piece]:
    """The chunks of one reading, each checked against the first, by default that of this one."""
    for number, chunk in enumerate(source.chunks()):
        X, weight = chunk, None
        if isinstance(chunk, tuple):
            if len(chunk) != 2:
                raise ValueError(
                    f"Chunk {number} of {called(source)} is a tuple of {len(chunk)}. A chunk is "
                    "an array or a table, or a tuple of that and the weights of its rows."
                )
            X, weight = chunk
        try:
            X, names = as_rows(X, estimator_name=estimator_name, min_rows=0)
            names = _names_given(source, X.shape[1]) if names is None else names
            weight = check_sample_weight(weight, len(X), allow_zero=True)
        except (TypeError, ValueError) as error:
            raise of_piece(error, f"Chunk {number} of {called(source)}") from error
        piece = Piece(X, weight, names)
        if first is None:
            first = piece
        elif difference := _difference(piece, first):
            raise ValueError(
                f"Chunk {number} of {called(source)} has {difference[0]}, but chunk 0 of the "
                f"first reading has {difference[1]}. All chunks must be alike."
            )
        yield piece


def _names_given(source: RowSource, n_columns: int) -> Names | None:
    """The names that a source has for the columns of its arrays."""
    if source.column_names is None:
        return None
    names = np.array(list(source.column_names), dtype=object)
    if len(names) != n_columns:
        raise ValueError(f"there are {n_columns} columns, and column_names has {len(names)}.")
    return names


def pieces(source: RowSource, estimator_name: str) -> Generator[Piece]:
    """The chunks of one reading, checked, read ahead where the source allows."""
    checked = _checked(source, estimator_name)
    return read_ahead(checked) if source.fresh_chunks else checked


def _difference(piece: Piece, first: Piece) -> tuple[str, str] | None:
    """How a piece differs in kind from the first, in words for either."""
    if piece.X.shape[1] != first.X.shape[1]:
        return f"{piece.X.shape[1]} columns", str(first.X.shape[1])
    if (piece.weight is None) != (first.weight is None):
        has, not_has = "weights", "none"
        return (has, not_has) if first.weight is None else ("no weights", "some")
    return difference_of_names(piece.names, first.names)


def _first_reading(
    source: RowSource, estimator_name: str, sample_rows: int, allow_nan: bool
) -> _FirstReading:
    """Count, check and sample the rows; keep them while they are few."""
    sample = StratifiedSample(sample_rows)
    kept: list[Piece] | None = []
    room = KEPT_SHARE * source.memory
    count, incomplete = Count(), False
    ends = np.empty((2, 0))
    piece = None
    for piece in pieces(source, estimator_name):
        X, weight, names = piece
        rows = Rows(X, weight, allow_nan=allow_nan)
        bad = rows.first_bad()
        if bad is not None:
            raise nonfinite_error(X, *bad, names, estimator_name, first_row=count.n_rows)
        incomplete = incomplete or rows.incomplete
        sample.add(X, weight)
        count = count.joined(rows.counted)
        room -= X.nbytes + (0 if weight is None else weight.nbytes)
        if room < 0:
            # Only rows that are read again need be known again.
            for rows_of_piece in (*(p.X for p in kept or ()), X):
                ends = _widened(ends, rows_of_piece)
            kept = None
        if kept is not None:
            kept.append(
                piece._replace(X=X.copy(), weight=None if weight is None else weight.copy())
            )
    if piece is None:
        raise no_rows(source)
    return _FirstReading(
        count, piece.X.shape[1], piece.names, piece.weight is not None, sample, kept, allow_nan,
        incomplete, ends,
    )  # fmt: skip


def _widened(ends: Doubles, X: AnyArray) -> Doubles:
    """The ranges (2, d) of columns with more rows; NaN in a column without any value."""
    if not ends.size:
        ends = np.full((2, X.shape[1]), np.nan)
    if not len(X):
        return ends
    # Many rows side by side, as NumPy is slow to reduce short ones.
    abreast = max(1, 1024 // X.shape[1])
    n = len(X) - len(X) % abreast if X.flags.c_contiguous else 0
    wider = []
    for smaller, end in zip((np.fmin, np.fmax), ends, strict=True):
        rest = X[n:]
        if n:
            wide = smaller.reduce(X[:n].reshape(-1, abreast * X.shape[1]), axis=0)
            rest = np.concatenate([wide.reshape(abreast, -1), rest])
        wider.append(smaller(end, smaller.reduce(rest, axis=0).astype(np.float64)))
    return np.array(wider)
