"""Arrays in ``.npy`` files, read a piece at a time and never mapped.

A map would end the process when the file is cut while it is read. Whoever opens a file anew finds
in it the array of the first opening, or is told that the file has changed.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._common.text import said
from ..._common.typing import AnyArray, FloatDType, Floats, StrPath
from ..errors import TableError
from ..paths import open_regular
from .base import AsTheyStand, Table

MAGIC = b"\x93NUMPY"

# NumPy parses headers of up to 10,000 characters; before them stand at most 12 bytes.
_HEADER_BYTES = 10_012

# A file without rows may speak of any number of columns, and lists of them are made.
MOST_COLUMNS = 1 << 24


class _Header(NamedTuple):
    """What stands before the numbers, and where these begin."""

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype[Any]
    start: int


class NpyFile:
    """An array of real numbers in rows and columns, in a file.

    Parameters
    ----------
    path : str or path-like
    flat : bool, default=False
        Whether an array of one dimension is taken, as one column.

    Attributes
    ----------
    path : str
    dtype : numpy.dtype
        As in the file.
    n_rows, n_columns : int
    header : tuple
        All that stands before the numbers.

    Raises
    ------
    TableError
        If the file is no such array, or ends before its last number.
    OSError
        If it cannot be read, or is no regular file.
    """

    def __init__(self, path: StrPath, *, flat: bool = False) -> None:
        self.path = os.fspath(path)
        with open_regular(path) as file:
            self.header = header = self._read_header(file)
            self.dtype = header.dtype
            self.n_rows, self.n_columns = self._table_shape(flat)
            size = os.fstat(file.fileno()).st_size
        if size < self._end:
            raise self._unreadable(
                f"it ends before the last of its {self.n_rows:,} rows, after {size:,} bytes of "
                f"{self._end:,}"
            )

    def pieces(self, max_rows: int, columns: Sequence[int] | None = None) -> Iterator[AnyArray]:
        """Open the file anew: its rows in order, as arrays (n, columns) with n <= max_rows.

        Parameters
        ----------
        max_rows : int
        columns : sequence of int, optional
            Those to read, in this order; by default all.
        """
        wanted = range(self.n_columns) if columns is None else columns
        with open_regular(self.path) as file:
            if self._read_header(file) != self.header:
                raise TableError(
                    f"{self.path}: the file has changed: it holds another array than when it was "
                    "opened first"
                )
            if os.fstat(file.fileno()).st_size < self._end:
                raise self._shorter()
            read = self._columns if self.header.by_column else self._rows
            for first in range(0, self.n_rows, max_rows):
                yield read(file, first, min(max_rows, self.n_rows - first), wanted)

    def _rows(self, file: io.FileIO, first: int, n: int, columns: Sequence[int]) -> AnyArray:
        """Some rows of a file that holds row after row."""
        piece = np.empty((n, self.n_columns), self.dtype)
        self._fill(piece, file, first * self.n_columns)
        return piece if [*columns] == [*range(self.n_columns)] else piece[:, columns]

    def _columns(self, file: io.FileIO, first: int, n: int, columns: Sequence[int]) -> AnyArray:
        """Some rows of a file that holds column after column; so does the result."""
        piece = np.empty((len(columns), n), self.dtype)
        for values, column in zip(piece, columns):
            self._fill(values, file, column * self.n_rows + first)
        return piece.T

    def _fill(self, numbers: AnyArray, file: io.FileIO, first: int) -> None:
        """Fill a contiguous array with the numbers of the file from one of them on."""
        file.seek(self.header.start + first * self.dtype.itemsize)
        room = memoryview(numbers.reshape(-1).view(np.uint8).data)
        while room:
            n = file.readinto(room)
            if not n:
                raise self._shorter()
            room = room[n:]

    def _read_header(self, file: io.FileIO) -> _Header:
        start = io.BytesIO(file.read(_HEADER_BYTES))
        try:
            version = np.lib.format.read_magic(start)
            # Version 3.0 is 2.0 with names of fields in UTF-8, and numbers have none.
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            header = _Header(*read(start), start.tell())
        except (ValueError, EOFError) as error:
            raise self._unreadable(said(error)) from error
        except Exception as error:
            # The header is parsed as Python source is, and damage there raises what a tokenizer
            # and a parser raise: SyntaxError, TokenError, RecursionError, MemoryError.
            raise self._unreadable("the header is damaged") from error
        if any(not 0 <= length < 2**63 for length in header.shape):
            raise self._unreadable("the header is damaged")
        return header

    def _table_shape(self, flat: bool) -> tuple[int, int]:
        """Rows and columns, or an error that says why there are none."""
        shape, dtype = self.header.shape, self.header.dtype
        if dtype.kind not in "fiub":
            raise TableError(
                f"{self.path}: the array has dtype {dtype}; a table needs real numbers"
            )
        n_rows, n_columns = (*shape, 1) if flat and len(shape) == 1 else (*shape, 0, 0)[:2]
        if len(shape) > 2 or n_columns == 0:
            raise TableError(
                f"{self.path}: the array has shape {shape}; a table needs rows and columns"
            )
        if n_columns > MOST_COLUMNS:
            raise TableError(
                f"{self.path}: the array has {n_columns:,} columns; at most {MOST_COLUMNS:,} are "
                "read"
            )
        return n_rows, n_columns

    @property
    def _end(self) -> int:
        """How many bytes the header and all numbers take."""
        return self.header.start + math.prod(self.header.shape) * self.dtype.itemsize

    def _shorter(self) -> TableError:
        return TableError(f"{self.path}: the file became shorter while it was read")

    def _unreadable(self, why: str) -> TableError:
        return TableError(f"{self.path}: not a readable .npy file: {why}")


class NpyTable(Table):
    """A NumPy array file. One dimension counts as one column."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = NpyFile(path, flat=True)
        self.n_rows = self.size = self._file.n_rows
        self.n_columns = self._file.n_columns
        self.types = str(self._file.header)

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        return np.dtype(np.float32 if self._file.dtype.type is np.float32 else np.float64)

    def type_of(self, column: int) -> np.dtype[Any]:
        dtype = self._file.dtype.newbyteorder("=")
        # Half and extended precision, which other formats do not have.
        return np.dtype(np.float64) if dtype.kind == "f" and dtype.str[1:] != "f4" else dtype

    def records(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        max_rows: int,
        *,
        allow_nan: bool = False,
    ) -> Iterator[tuple[Floats, AsTheyStand]]:
        self.position = 0
        kinds = [self.type_of(column) for column in others]
        for rows in self._file.pieces(max_rows, [*columns, *others]):
            block = rows[:, : len(columns)]
            self._require_finite(block, self.position + 1, columns, allow_nan)
            self.position += len(block)
            yield block, [c.astype(k) for c, k in zip(rows[:, len(columns) :].T, kinds)]
