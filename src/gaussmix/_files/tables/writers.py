"""Tables of numbers written to files: CSV, ``.npy`` and Parquet.

`writing` opens an output that appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..._common.text import printable
from ..._common.typing import AnyArray
from ..atomic import replacing
from ..errors import OutputError, TableError
from .formats import is_compressed_name
from .parquet import import_pyarrow, texts_of

# Rows of a row group that is written, and its size.
ROW_GROUP_ROWS = 1 << 20
ROW_GROUP_BYTES = 16 << 20

# In a field of CSV.
_NEEDS_QUOTES = re.compile('[",\r\n]')


@dataclass(frozen=True)
class Field:
    """One part of an output: a column, or several of one kind side by side.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        Of numbers; object for text, and for arrays of pyarrow.
    columns : tuple of str or None
        Column names of a part with several columns, None for a part that is one column.
    arrow : pyarrow.DataType or None
        Of a part that comes in arrays of pyarrow, None for arrays of NumPy.
    """

    name: str
    dtype: np.dtype[Any]
    columns: tuple[str, ...] | None = None
    arrow: Any = None

    @property
    def column_names(self) -> tuple[str, ...]:
        return (self.name,) if self.columns is None else self.columns

    def renamed(self, name: Callable[[str], str]) -> Field:
        """The field with what a function makes of its names."""
        columns = None if self.columns is None else tuple(map(name, self.columns))
        return Field(name(self.name), self.dtype, columns, self.arrow)


def output_format(path: str, *, or_directory: bool = False) -> str:
    """Return "csv", "npy" or "parquet" by the name's ending; "-" is CSV.

    The error for another ending tells of directories where `or_directory` says that one will do.
    """
    ending = "" if path == "-" else Path(path).suffix.lower()
    formats = {"": "csv", ".csv": "csv", ".npy": "npy", ".parquet": "parquet", ".pq": "parquet"}
    if ending not in formats or (ending == "" and path != "-" and _is_new_or_regular(path)):
        what = "must end in .csv, .npy or .parquet"
        if or_directory:
            what += ", or end with / for a directory"
        if is_compressed_name(path):
            what += "; to compress it, write CSV to a pipe: -o - | gzip"
        raise TableError(f"{path}: the name of the output {what}")
    return formats[ending]


def check_output(path: str, *, inputs: Sequence[str] = ()) -> None:
    """Refuse an output path that would fail later, or would overwrite what is being read."""
    if path == "-":
        return
    if not path:
        raise TableError("'': the name of the output is empty; give the name of a file")
    if os.path.isdir(path):
        raise TableError(f"{path}: is a directory; give the name of a file")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise TableError(f"{path}: the directory {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK) and _is_new_or_regular(path):
        raise TableError(f"{path}: the directory {folder} is not writable")
    if os.path.islink(path) and _is_new_or_regular(path):
        raise TableError(f"{path}: is a symbolic link; give the name of the file itself")
    if os.path.isfile(path) and not os.access(path, os.W_OK):
        raise TableError(f"{path}: is write-protected; give another name, or make it writable")
    for other in inputs:
        if other != "-" and os.path.exists(path) and os.path.samefile(path, other):
            raise TableError(f"{path}: is also the input; give the output another name")


@contextlib.contextmanager
def writing(path: str, fields: Sequence[Field]) -> Iterator[CsvWriter | NpyWriter | ParquetWriter]:
    """Open an output file for blocks of rows; it gets its name when the block ends without error.

    Parameters
    ----------
    path : str
        The ending chooses the format, see `output_format`; "-" writes CSV to standard output.
    fields : sequence of Field
        What `write` will be given, in order.
    """
    kind = output_format(path)
    if path == "-":
        require_standard_output()
        # Names come from a file, and what a terminal is sent it obeys.
        name = printable if sys.stdout.isatty() else str
        yield CsvWriter(sys.stdout.buffer, [field.renamed(name) for field in fields])
        sys.stdout.buffer.flush()
        return
    if kind == "parquet":
        import_pyarrow(path)  # before an output file is begun
    writers: dict[str, type[CsvWriter | NpyWriter | ParquetWriter]] = {
        "csv": CsvWriter,
        "npy": NpyWriter,
        "parquet": ParquetWriter,
    }
    with _output_file(path) as file, contextlib.closing(writers[kind](file, fields)) as writer:
        yield writer


def require_standard_output() -> None:
    """Raise `TableError` if the process was started without a standard output."""
    if sys.stdout is None:
        raise TableError("-: standard output is closed")


@contextlib.contextmanager
def _output_file(path: str) -> Iterator[IO[bytes]]:
    """The file to write a table to: a replacement for `path`, or a pipe or device itself."""
    if not _is_new_or_regular(path):
        with open(path, "wb") as file:
            yield file
        return
    try:
        with replacing(path) as file:
            yield file
    except OSError as exc:
        if exc.filename != path:
            raise
        raise OutputError(f"{path}: cannot be written: {exc.strerror}") from exc


class CsvWriter:
    """Comma-separated text with a header; numbers in the shortest form that reads back equal."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        formats = []
        for field in fields:
            number = {"f4": "%.9g", "f8": "%r", "O": "%s"}.get(field.dtype.str[1:], "%d")
            formats += [number] * len(field.column_names)
        self._row = ",".join(formats) + "\n"
        header = io.StringIO()
        names = [name for field in fields for name in field.column_names]
        csv.writer(header, lineterminator="\n").writerow(names)
        file.write(header.getvalue().encode())

    def write(self, *parts: AnyArray) -> None:
        columns = [_printed(column) for part in parts for column in _as_columns(part)]
        self._file.write("".join(map(self._row.__mod__, zip(*columns))).encode())

    def close(self) -> None:
        """Nothing is left to do; the other formats end with an index, or correct their header."""


class NpyWriter:
    """A NumPy array file: a plain array for one field, a structured one for several.

    The number of rows stands in the header and is known only at the end, so the header is written
    twice, with room for any number.
    """

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        self._n_rows = 0
        shapes = [() if f.columns is None else (len(f.columns),) for f in fields]
        self._single = len(fields) == 1
        if self._single:
            self._dtype, self._row_shape = fields[0].dtype, shapes[0]
        else:
            parts = [(f.name, f.dtype, shape) for f, shape in zip(fields, shapes)]
            self._dtype, self._row_shape = np.dtype(parts), ()
        file.write(self._header(0))

    def write(self, *parts: AnyArray) -> None:
        if self._single:
            block = parts[0].astype(self._dtype, copy=False)
        else:
            block = np.empty(len(parts[0]), self._dtype)
            for name, part in zip(self._dtype.names or (), parts):
                block[name] = part
        self._file.write(block.tobytes())
        self._n_rows += len(block)

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(self._header(self._n_rows))

    def _header(self, n_rows: int) -> bytes:
        described = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (n_rows, *self._row_shape),
        }
        text = repr(described)
        spare = 20 - len(str(n_rows))  # digits of the largest possible number of rows
        padding = -(10 + len(text) + spare + 1) % 64  # the format wants a multiple of 64 bytes
        text += " " * (spare + padding) + "\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1")


class ParquetWriter:
    """A Parquet file. Blocks are gathered to row groups of some megabytes.

    Digits of densities and probabilities do not repeat: neither a dictionary nor compression makes
    them smaller, and both take time. Labels have a dictionary, a few bits each.
    """

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        import pyarrow
        import pyarrow.parquet

        self._pa = pyarrow
        self._schema = self._pa.schema(
            [
                (name, self._type_of(field.dtype) if field.arrow is None else field.arrow)
                for field in fields
                for name in field.column_names
            ]
        )
        whole = [name for f in fields if f.dtype.kind in "iuO" for name in f.column_names]
        self._writer = pyarrow.parquet.ParquetWriter(
            file, self._schema, compression="none", use_dictionary=whole
        )
        self._batches: list[Any] = []
        self._n_rows = self._n_bytes = 0

    def write(self, *parts: AnyArray) -> None:
        columns = [column for part in parts for column in _as_columns(part)]
        arrays = [self._array(column, kind) for column, kind in zip(columns, self._schema.types)]
        self._batches.append(self._pa.record_batch(arrays, schema=self._schema))
        self._n_rows += len(parts[0])
        self._n_bytes += sum(array.nbytes for array in arrays)
        if self._n_rows >= ROW_GROUP_ROWS or self._n_bytes >= ROW_GROUP_BYTES:
            self._write_row_group()

    def _type_of(self, dtype: np.dtype[Any]) -> Any:
        return self._pa.string() if dtype.kind == "O" else self._pa.from_numpy_dtype(dtype)

    def _array(self, column: Any, kind: Any) -> Any:
        if isinstance(column, self._pa.Array):
            return column
        return self._pa.array(column.copy(), kind)

    def _write_row_group(self) -> None:
        if self._batches:
            table = self._pa.Table.from_batches(self._batches)
            self._writer.write_table(table, row_group_size=self._n_rows)
        self._batches = []
        self._n_rows = self._n_bytes = 0

    def close(self) -> None:
        self._write_row_group()
        self._writer.close()


def _as_columns(part: Any) -> Sequence[Any]:
    """The columns of an array; one of pyarrow is a column."""
    return list(part.T) if getattr(part, "ndim", 1) == 2 else [part]


def _printed(column: Any) -> list[Any]:
    """What a row of CSV has of a column: numbers to format, or text in quotes where it needs."""
    texts: list[Any] = column.tolist() if isinstance(column, np.ndarray) else texts_of(column)
    is_numbers = isinstance(column, np.ndarray) and column.dtype.kind != "O"
    if is_numbers or not _NEEDS_QUOTES.search("".join(texts)):
        return texts
    return [
        '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
        for text in texts
    ]


def _is_new_or_regular(path: str) -> bool:
    """Whether `path` is to be made or replaced, not written into as a pipe or a device is."""
    return not os.path.exists(path) or os.path.isfile(path)
