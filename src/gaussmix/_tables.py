"""Files of numbers opened as tables: CSV, ``.npy`` and Parquet, told apart by their first bytes.

A table's `blocks` never hold more than a few megabytes of the file.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from ._csv import CsvTable, compressed_error, kind_of
from ._files import TableError, open_regular
from ._npy import NpyFile
from ._parquet import ParquetTable
from ._table import Table
from ._typing import FloatDType, Floats


def file_format(path: str) -> str:
    """Return "csv", "npy" or "parquet" by the first bytes of a file."""
    with open_regular(path) as file:
        kind = kind_of(file.read(4))
    return {".npy": "npy", "Parquet": "parquet"}.get(kind or "", "csv")


def open_table(path: str, *, header: str = "auto", delimiter: str = "auto") -> Table:
    """Open a CSV, ``.npy`` or Parquet file; the file's content decides which, not its name.

    Parameters
    ----------
    path : str
        "-" reads CSV from standard input. A pipe or a device holds CSV too.
    header : {"auto", "yes", "no"}, default "auto"
        Whether the first row of a CSV file holds column names.
    delimiter : str, default "auto"
        What separates the fields of a CSV file: a character, or a name from `_csv.DELIMITERS`.

    Raises
    ------
    TableError
        If the file is not a table that can be read.
    OSError
        If it cannot be opened.
    """
    if path == "-":
        if sys.stdin is None:
            raise TableError("-: standard input is closed")
        stdin = cast(io.BufferedIOBase, sys.stdin.buffer)  # the IO of typing has no read1
        return CsvTable("-", stdin, header, delimiter)
    if not stat.S_ISREG(os.stat(path).st_mode):
        return CsvTable(path, open(path, "rb"), header, delimiter)
    file = open_regular(path)
    kind = kind_of(file.read(4))
    if kind is None:
        file.seek(0)
        return CsvTable(path, io.BufferedReader(file), header, delimiter)
    file.close()
    if kind == "compressed":
        raise compressed_error(path)
    return NpyTable(path) if kind == ".npy" else ParquetTable(path)


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

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        self.position = 0
        for block in self._file.pieces(max_rows, columns):
            self._require_finite(block, self.position + 1, columns, allow_nan)
            self.position += len(block)
            yield block
