"""Files of numbers opened as tables: CSV, ``.npy`` and Parquet, told apart by their first bytes.

CSV may be compressed.

A table's `blocks` never hold more than a few megabytes of the file.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Sequence
from typing import cast

from ..errors import TableError
from ..paths import open_regular
from .advice import OPTIONS, Advice
from .base import Table
from .compressed import Decompressed
from .csv import CsvTable
from .formats import COMPRESSED, kind_of, zip_error
from .npy import NpyTable
from .parquet import ParquetTable


def open_table(
    path: str,
    *,
    header: str = "auto",
    delimiter: str = "auto",
    na_values: Sequence[str] = (),
    advice: Advice = OPTIONS,
) -> Table:
    """Open a CSV, ``.npy`` or Parquet file; the file's content decides which, not its name.

    Parameters
    ----------
    path : str
        "-" reads CSV from standard input. A pipe or a device holds CSV too.
    header : {"auto", "yes", "no"}, default "auto"
        Whether the first row of a CSV file holds column names.
    delimiter : str, default "auto"
        What separates the fields of a CSV file: a character, or a name from `csv.DELIMITERS`.
    na_values : sequence of str, optional
        Words of a CSV file that stand for a missing value, beside `missing.MISSING`.

    advice : Advice, optional
        What messages about CSV advise.

    Raises
    ------
    TableError
        If the file is not a table that can be read, or `na_values` are given for another than CSV.
    OSError
        If it cannot be opened.
    """
    if path == "-":
        if sys.stdin is None:
            raise TableError("-: standard input is closed")
        stdin = cast(io.BufferedIOBase, sys.stdin.buffer)  # the IO of typing has no read1
        return CsvTable("-", stdin, header, delimiter, na_values, advice)
    if not stat.S_ISREG(os.stat(path).st_mode):
        return CsvTable(path, open(path, "rb"), header, delimiter, na_values, advice)
    file = open_regular(path)
    kind = kind_of(file.read(4))
    file.seek(0)
    if kind is None:
        return CsvTable(path, io.BufferedReader(file), header, delimiter, na_values, advice)
    if kind in COMPRESSED:
        return CsvTable(
            path, _decompressed(path, file, kind), header, delimiter, na_values, advice
        )
    file.close()
    if kind == "zip":
        raise zip_error(path)
    if na_values:
        raise TableError(
            f"{path}: --na-values is for CSV, and in {kind} NaN and null are what is missing; "
            "write such values to the file"
        )
    return NpyTable(path) if kind == ".npy" else ParquetTable(path)


def _decompressed(path: str, file: io.FileIO, kind: str) -> Decompressed:
    """What a compressed file holds; it is closed where that cannot be read."""
    try:
        return Decompressed(path, file, kind)
    except BaseException:
        file.close()
        raise
