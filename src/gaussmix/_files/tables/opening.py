"""Files of numbers opened as tables: CSV, ``.npy`` and Parquet, told apart by their first bytes.

A table's `blocks` never hold more than a few megabytes of the file.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import cast

from ..errors import TableError
from ..paths import open_regular
from .base import Table
from .csv import CsvTable
from .formats import compressed_error, kind_of
from .npy import NpyTable
from .parquet import ParquetTable


def open_table(path: str, *, header: str = "auto", delimiter: str = "auto") -> Table:
    """Open a CSV, ``.npy`` or Parquet file; the file's content decides which, not its name.

    Parameters
    ----------
    path : str
        "-" reads CSV from standard input. A pipe or a device holds CSV too.
    header : {"auto", "yes", "no"}, default "auto"
        Whether the first row of a CSV file holds column names.
    delimiter : str, default "auto"
        What separates the fields of a CSV file: a character, or a name from `csv.DELIMITERS`.

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
