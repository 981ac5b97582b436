"""Tables of numbers in files: CSV, ``.npy`` and Parquet, read and written a block at a time.

The command line reads and writes through this module only. `open_table` looks at a file's first
bytes and returns a `Table`; its `blocks` never hold more than a few megabytes of the file.
`writing` opens an output that appears under its name only when it is complete.

Rows and columns in messages count from 1. In a CSV file the row is the line number, header
included, so that an editor finds it.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import glob
import io
import math
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ._persistence import replacing
from ._typing import AnyArray, Doubles, FloatDType, Floats

# Text parsed at once. Larger blocks are no faster; smaller ones pay per-call costs.
CSV_BLOCK_BYTES = 4 << 20
# Read at a time of each column of a Parquet file.
PARQUET_BUFFER_BYTES = 1 << 18
# Rows whose columns are laid side by side at a time.
CACHE_BYTES = 1 << 19
# Rows of a row group that is written, and its size.
ROW_GROUP_ROWS = 1 << 20
ROW_GROUP_BYTES = 16 << 20
# A line, or a quoted field with line breaks, longer than this is taken for a missing quote.
CSV_MAX_LINE = 16 << 20

# What to do about a value that is infinite, and one that is missing.
REMEDY = "leave the row out or fill it in, or choose other columns with --columns"
MISSING_REMEDY = (
    "leave the row out or fill it in, choose other columns with --columns, or fit with --allow-nan"
)
# What stands for a missing value in CSV, in any case, beside an empty field.
MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nil", "#n/a", "?", "."})
# Before the names in the header that numpy.savetxt writes. A column may be named "#" alone.
HEADER_MARK = re.compile(r"#+ *(?=[^\s,;|#])")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}


class TableError(ValueError):
    """A file that cannot be read or written as asked. The message is one line that names it."""


# --- reading -------------------------------------------------------------------------------------


def files_of(path: str, endings: Sequence[str]) -> list[str]:
    """The files that a path stands for.

    A directory stands for the files in it, at any depth, that end as tables do; a pattern for
    those that match. Names in a directory that begin with "." or "_" are left out, as markers and
    unfinished files have them.

    Raises
    ------
    TableError
        For a directory or a pattern without a file.
    """
    if os.path.isdir(path):
        below = (file.relative_to(path) for file in Path(path).rglob("*"))
        found = sorted(str(Path(path, file)) for file in below if _is_table(path, file, endings))
        if not found:
            raise TableError(
                f"{path}: the directory holds no file that ends in {', '.join(endings)}"
            )
        return found
    if os.path.exists(path) or not glob.has_magic(path):
        return [path]
    found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
    if not found:
        raise TableError(f"{path}: no file matches the pattern")
    return found


def _is_table(directory: str, file: Path, endings: Sequence[str]) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.parts)
    return not hidden and file.suffix.lower() in endings and Path(directory, file).is_file()


class Table:
    """A file of rows and columns. Use `open_table`.

    Attributes
    ----------
    path : str
        As the user wrote it.
    names : tuple of str or None
        Column names, None if the file has none.
    n_columns : int
    n_rows : int or None
        None if only reading to the end would tell.
    size, unit : int, str
        What progress is measured in: rows ("row"), or bytes ("B") when the rows are not known.
    position : int
        How much of `size` the blocks yielded so far have used.
    """

    path: str
    names: tuple[str, ...] | None = None
    n_columns: int
    n_rows: int | None = None
    size: int
    unit = "row"
    position = 0

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        """Floating-point type of these columns: float32 if the file stores that, else float64."""
        return np.dtype(np.float64)

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        """Yield rows in order, as (n, len(columns)) arrays of finite numbers, n <= max_rows.

        With `allow_nan`, NaN stands for missing values.
        """
        raise NotImplementedError

    def resolve(self, wanted: Sequence[str]) -> list[int]:
        """Return the 0-based index of each column, given by name or by number from 1.

        A name comes first: in a file with a column named "3", "3" is that column.
        """
        names = self.names or ()
        self._refuse([w for w in wanted if w not in names and not self._is_number(w)])
        for name in wanted:
            if names.count(name) > 1:
                raise TableError(
                    f"{self.path}: {names.count(name)} columns are named {name!r}; "
                    f"give the column's number instead"
                )
        indices = [names.index(w) if w in names else int(w) - 1 for w in wanted]
        for position, index in enumerate(indices):
            if index in indices[:position]:
                raise TableError(f"{self.path}: {self.column_text(index)} is chosen twice")
        return indices

    def resolve_names(self, wanted: Sequence[str]) -> list[int]:
        """Return the 0-based index of each column, given by name only.

        The same names in the same order are all columns, even where a name is repeated.
        """
        names = self.names or ()
        if tuple(wanted) == names:
            return list(range(self.n_columns))
        self._refuse([name for name in wanted if name not in names])
        for name in wanted:
            if names.count(name) > 1 or wanted.count(name) > 1:
                raise TableError(
                    f"{self.path}: more than one column is named {name!r}, in the file or in the "
                    f"model; choose the columns by number, as in --columns 1,2"
                )
        return [names.index(name) for name in wanted]

    def column_text(self, index: int) -> str:
        """Name a column for a message: "column 2 ('waiting')", or "column 2" without a header."""
        name = f" ({self.names[index]!r})" if self.names else ""
        return f"column {index + 1}{name}"

    def _is_number(self, text: str) -> bool:
        return text.isascii() and text.isdigit() and 1 <= int(text) <= self.n_columns

    def _refuse(self, missing: Sequence[str]) -> None:
        if not missing:
            return
        if self.names:
            more = self.n_columns - 20
            known = f"the columns are {', '.join(self.names[:20])}"
            known += f" and {more} more" if more > 0 else ""
        else:
            known = f"the file has columns 1 to {self.n_columns} and no header"
        noun = "column" if len(missing) == 1 else "columns"
        if all(word.isdigit() for word in missing):
            asked = ", ".join(missing)
        else:
            asked = f"named {', '.join(map(repr, missing))}"
        raise TableError(f"{self.path}: no {noun} {asked}; {known}")

    def _require_finite(
        self, block: Floats, first_row: int, columns: Sequence[int], allow_nan: bool
    ) -> None:
        # One cheap number tells for nearly every block that nothing is wrong with it; a sum of
        # finite values that overflows only costs the second look.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum()):
                return
        bad = np.argwhere(np.isinf(block) if allow_nan else ~np.isfinite(block))
        if len(bad):
            row, column = bad[0]
            raise TableError(
                f"{self.path}: row {first_row + row}, {self.column_text(columns[column])}: "
                + (
                    f"missing value (NaN); {MISSING_REMEDY}"
                    if np.isnan(block[row, column])
                    else f"infinite value; {REMEDY}"
                )
            )


def gathered(
    blocks: Iterable[Floats],
    shape: tuple[int | None, int],
    dtype: FloatDType,
    limit: int | None,
) -> Floats | None:
    """One array of all blocks, which grows in place; None if it gets more than `limit` rows.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n, d)
    shape : tuple
        Rows of the result, None where they are not known, and columns.
    dtype : dtype
    limit : int or None
    """
    n_rows, n_columns = shape
    rows = np.empty((1024 if n_rows is None else n_rows, n_columns), dtype)
    used = 0
    for block in blocks:
        if limit is not None and used + len(block) > limit:
            return None
        if used + len(block) > len(rows):
            rows.resize((used + len(block) + len(rows) // 2, n_columns), refcheck=False)
        rows[used : used + len(block)] = block
        used += len(block)
    rows.resize((used, n_columns), refcheck=False)
    return rows


def file_format(path: str) -> str:
    """Return "csv", "npy" or "parquet" by the first bytes of a file."""
    with open(path, "rb") as file:
        kind = _binary_kind(file.read(4))
    return {".npy": "npy", "Parquet": "parquet"}.get(kind or "", "csv")


def open_table(path: str, *, header: str = "auto", delimiter: str = "auto") -> Table:
    """Open a CSV, ``.npy`` or Parquet file; the file's content decides which, not its name.

    Parameters
    ----------
    path : str
        "-" reads CSV from standard input.
    header : {"auto", "yes", "no"}, default "auto"
        Whether the first row of a CSV file holds column names.
    delimiter : str, default "auto"
        What separates the fields of a CSV file: a character, or a name from `DELIMITERS`.

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
    file = open(path, "rb")  # noqa: SIM115, closed here or by the table
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return CsvTable(path, file, header, delimiter)  # a pipe, which cannot be opened twice
    start = file.read(4)
    file.seek(0)
    kind = _binary_kind(start)
    if kind is None:
        return CsvTable(path, file, header, delimiter)
    file.close()
    if kind == "compressed":
        raise _compressed_error(path)
    return NpyTable(path) if kind == ".npy" else ParquetTable(path)


def _binary_kind(start: bytes) -> str | None:
    """Tell what begins with these bytes: ".npy", "Parquet", "compressed", or None for text."""
    kinds = {b"\x93NUM": ".npy", b"PAR1": "Parquet", b"PK\x03\x04": "compressed"}
    return "compressed" if start[:2] == b"\x1f\x8b" else kinds.get(start[:4])


def _compressed_error(path: str) -> TableError:
    return TableError(
        f"{path}: this is a compressed or zip file, not a table; give CSV, .npy or Parquet"
    )


class NpyTable(Table):
    """A NumPy array file, memory-mapped. One dimension counts as one column."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            # Not np.load, which takes a file cut within its first bytes for a pickle.
            mapped = np.lib.format.open_memmap(path, mode="r")
            array: AnyArray = mapped
            offset = int(mapped.offset)
        except (ValueError, EOFError) as exc:
            raise TableError(f"{path}: not a readable .npy file: {_one_line(exc)}") from exc
        except OSError:
            raise
        except Exception as exc:
            # NumPy reads the header as Python source: damage there raises whatever a tokenizer
            # and a parser raise, SyntaxError and TokenError among others.
            raise TableError(f"{path}: not a readable .npy file: the header is damaged") from exc
        if array.dtype.kind not in "fiub":
            raise TableError(
                f"{path}: the array has dtype {array.dtype}; a table needs real numbers"
            )
        if array.ndim == 1:
            array = array[:, np.newaxis]
        if array.ndim != 2 or array.shape[1] == 0:
            raise TableError(
                f"{path}: the array has shape {array.shape}; a table needs rows and columns"
            )
        self._array = array
        self._offset = offset
        self.n_rows, self.n_columns = array.shape
        self.size = self.n_rows

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        return np.dtype(np.float32 if self._array.dtype.type is np.float32 else np.float64)

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        for start, rows in self._pieces(max_rows):
            block = self._choose(rows, columns)
            self._require_finite(block, start + 1, columns, allow_nan)
            self.position = start + len(block)
            yield block

    def _pieces(self, max_rows: int) -> Iterator[tuple[int, AnyArray]]:
        """All columns of so many rows at a time, with the number of the first, from 0.

        Rows that lie one after the other are read and not mapped, so that they leave memory again.
        """
        array = self._array
        row_bytes = array.itemsize * self.n_columns
        with open(self.path, "rb", buffering=0) as file:
            for start in range(0, len(array), max_rows):
                piece = array[start : start + max_rows]
                if array.flags.c_contiguous:
                    at = self._offset + start * row_bytes
                    piece = np.empty(piece.shape, array.dtype)
                    read = read_into(file, at, piece)
                    if read < piece.nbytes:
                        raise TableError(f"{self.path}: the file became shorter while it was read")
                yield start, piece

    def _choose(self, rows: AnyArray, columns: Sequence[int]) -> AnyArray:
        return rows if list(columns) == list(range(self.n_columns)) else rows[:, columns]


def read_into(file: io.RawIOBase, at: int, piece: AnyArray) -> int:
    """Fill an array with the bytes from a place in a file; how many there were."""
    file.seek(at)
    view = memoryview(piece.data).cast("B")
    done = 0
    while done < len(view) and (n := file.readinto(view[done:])):
        done += n
    return done


class ParquetTable(Table):
    """A Parquet file, read with pyarrow a batch of rows at a time. Needs the ``parquet`` extra."""

    def __init__(self, path: str) -> None:
        self._pa, parquet = import_pyarrow(path)
        self.path = path
        # A file, not the path: pyarrow takes some paths for addresses of remote stores. Its own
        # kind of file reads without holding the interpreter's lock.
        self._file = self._pa.OSFile(path)
        try:
            # Through a buffer: else a whole row group is read at once, whatever its size, and
            # what is read in advance stays in memory until the last row.
            self._parquet = parquet.ParquetFile(
                self._file, buffer_size=PARQUET_BUFFER_BYTES, pre_buffer=False
            )
            self._schema = self._parquet.schema_arrow
        except (self._pa.ArrowException, OSError) as exc:
            self._file.close()
            raise TableError(f"{path}: not a readable Parquet file: {_one_line(exc)}") from exc
        self.names = tuple(self._schema.names)
        self.n_columns = len(self.names)
        try:
            self._require_distinct_names()
        except TableError:
            self._file.close()
            raise
        self.n_rows = self.size = self._parquet.metadata.num_rows

    def close(self) -> None:
        self._file.close()

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        single = all(self._pa.types.is_float32(self._schema.field(i).type) for i in columns)
        return np.dtype(np.float32 if single else np.float64)

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        self._require_numbers(columns, allow_nan)
        names = [self._schema.names[index] for index in columns]
        dtype = self.dtype(columns)
        first_row = 1
        try:
            for batch in self._parquet.iter_batches(batch_size=max_rows, columns=names):
                batch.validate(full=True)
                parts = []
                for position, name in enumerate(names):
                    values = batch.column(batch.schema.get_field_index(name))
                    if not allow_nan:
                        self._require_no_null(values, first_row, columns[position])
                    numbers = values.cast(self._pa.from_numpy_dtype(dtype), safe=False)
                    parts.append(numbers.to_numpy(zero_copy_only=False))
                block = _side_by_side(parts, dtype)
                self._require_finite(block, first_row, columns, allow_nan)
                first_row += len(block)
                self.position = first_row - 1
                yield block
        except (self._pa.ArrowException, OSError) as exc:
            raise TableError(
                f"{self.path}: cannot read the Parquet data: {_one_line(exc)}"
            ) from exc

    def _require_distinct_names(self) -> None:
        if not self.names:
            raise TableError(f"{self.path}: the file has no columns")
        name, repeats = Counter(self.names).most_common(1)[0]
        if repeats > 1:
            raise TableError(
                f"{self.path}: {repeats} columns are named {name!r}; Parquet columns are read by "
                f"name, so write the file with distinct names"
            )

    def _require_numbers(self, columns: Sequence[int], allow_nan: bool) -> None:
        types = self._pa.types
        for index in columns:
            kind = self._schema.field(index).type
            if not (
                types.is_integer(kind)
                or types.is_floating(kind)
                or types.is_decimal(kind)
                or types.is_boolean(kind)
                or (types.is_null(kind) and allow_nan)
            ):
                raise TableError(
                    f"{self.path}: {self.column_text(index)}: holds {kind}, not numbers; "
                    f"choose the numeric columns with --columns"
                )

    def _require_no_null(self, values: Any, first_row: int, column: int) -> None:
        if values.null_count:
            row = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise TableError(
                f"{self.path}: row {first_row + row}, {self.column_text(column)}: "
                f"missing value (null); {MISSING_REMEDY}"
            )


def _side_by_side(columns: Sequence[AnyArray], dtype: FloatDType) -> Floats:
    """Columns as an array of rows, so few at a time that they stay in cache meanwhile."""
    rows = np.empty((len(columns[0]), len(columns)), dtype)
    step = max(64, CACHE_BYTES // (len(columns) * dtype.itemsize))
    for start in range(0, len(rows), step):
        for position, column in enumerate(columns):
            rows[start : start + step, position] = column[start : start + step]
    return rows


class CsvTable(Table):
    """Delimited text in UTF-8 or UTF-16, with or without a header, quotes as in RFC 4180.

    NumPy's reader takes blocks without quotes and faults; `_parse_carefully` takes the rest, and
    finds the place of what is wrong.
    """

    unit = "B"

    def __init__(self, path: str, file: io.BufferedIOBase, header: str, delimiter: str) -> None:
        self.path = path
        self._file = file
        self._line = 1  # number of the first line that no block has held yet
        try:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            self.size = os.fstat(file.fileno()).st_size if regular else 0
            self._texts = self._complete_lines()
            text = next(self._texts, "")
            self._first = text.lstrip("\n")
            self._line += len(text) - len(self._first)
            if not self._first:
                raise TableError(f"{path}: the file is empty")
            if header != "no" and (mark := HEADER_MARK.match(self._first)):
                self._first = self._first[mark.end() :]
                header = "yes"
            self._delimiter = self._find_delimiter(delimiter)
            self._read_header(header)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.path != "-":  # standard input is not ours to close
            self._file.close()

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        text, self._first = self._first, ""
        while text:
            block = self._parse(text, list(columns), allow_nan)
            self._line += text.count("\n") + (not text.endswith("\n"))
            self.position = self._bytes_read
            for start in range(0, len(block), max_rows):
                yield block[start : start + max_rows]
            text = next(self._texts, "")

    # Text

    def _read_bytes(self) -> bytes:
        """Read the next block, fewer bytes only at the end of the file.

        One system call at a time: signals are noticed between calls only, and a single long read
        from a pipe that stalls would keep Ctrl-C waiting.
        """
        pieces = []
        missing = CSV_BLOCK_BYTES
        while missing and (piece := self._file.read1(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _complete_lines(self) -> Iterator[str]:
        """Yield the file as text, cut only at ends of records and never before an empty line."""
        self._bytes_read = 0
        raw = self._read_bytes()
        self._require_text(raw)
        utf16 = raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        decode = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")()
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        carry = ""
        lines_before = 1
        while raw:
            self._bytes_read += len(raw)
            following = self._read_bytes()
            try:
                text = carry + newlines.decode(decode.decode(raw, not following), not following)
            except UnicodeDecodeError as exc:
                row = lines_before + carry.count("\n") + exc.object.count(b"\n", 0, exc.start)
                raise TableError(
                    f"{self.path}: row {row}: the text is not UTF-8; convert the file first"
                ) from exc
            if "\0" in text:
                row = lines_before + text[: text.index("\0")].count("\n")
                raise TableError(
                    f"{self.path}: row {row}: the file is binary, not a table of text"
                )
            cut = _end_of_records(text)
            row = lines_before + text.count("\n", 0, cut)
            if len(text) - cut > CSV_MAX_LINE:
                raise TableError(
                    f"{self.path}: row {row}: the line or the quoted field does not end within "
                    f"{CSV_MAX_LINE >> 20} MiB"
                )
            if cut:
                yield text[:cut]
                lines_before = row
            carry = text[cut:]
            raw = following
        carry = carry.rstrip("\n")
        if carry:
            yield carry

    def _require_text(self, start: bytes) -> None:
        """Refuse other formats, which come here through pipes only and need a file to seek in."""
        kind = _binary_kind(start)
        if kind == "compressed":
            raise _compressed_error(self.path)
        if kind is not None:
            raise TableError(
                f"{self.path}: {kind} data cannot be read from a pipe or standard input; "
                f"give the name of the file"
            )

    def _find_delimiter(self, given: str) -> str:
        """Return the delimiter; a space stands for any run of spaces and tabs.

        The one that cuts most of the first lines into as many fields as the very first, more than
        one; among several, the one with most numbers in the last of these lines.
        """
        given = DELIMITERS.get(given, given)
        if given != "auto":
            if len(given) != 1 or given in '"\n\r.' or given.isalnum():
                raise TableError(
                    f"{self.path}: the delimiter {given!r} cannot be used; give one character, or "
                    f"one of {', '.join(DELIMITERS)}"
                )
            return given
        sample = [line for line in self._first[:65536].split("\n")[:20] if line.strip()]
        if len(self._first) > 65536 and len(sample) > 1:
            sample = sample[:-1]  # the last line may be cut
        best, highest = ",", (len(sample) / 2, math.inf)
        for candidate in ",\t;| ":
            rows = [_split_line(line, candidate) for line in sample]
            if rows and len(rows[0]) > 1:
                alike = sum(len(row) == len(rows[0]) for row in rows)
                numbers = sum(_number(field) is not None for field in rows[-1])
                if (alike, numbers) > highest:
                    best, highest = candidate, (alike, numbers)
        return best

    def _read_header(self, header: str) -> None:
        """Set the number of columns and, if the first row is a header, the names."""
        records = self._records(self._first)
        first, _ = next(records, ([], 1))
        if not first:
            raise TableError(f"{self.path}: the file is empty")
        second, _ = next(records, ([], 2))
        self.n_columns = len(first)
        if header == "yes" or (header == "auto" and self._looks_like_header(first, second)):
            self.names = tuple(field.strip() for field in first)
            _, last_line = next(self._records(self._first))
            lines = self._first.split("\n", last_line)
            self._first = lines[-1] if len(lines) > last_line else ""
            self._line += last_line
            if not self._first:
                self._first = next(self._texts, "")

    def _looks_like_header(self, first: list[str], second: list[str]) -> bool:
        def is_text(field: str) -> bool:
            return _number(field) is None and not _is_missing(field)

        if not any(map(is_text, first)):
            return False
        if not any(_number(field) is not None for field in first):
            return True
        # Numbers and text side by side, as in "id,2019,2020" or in a row of data with a label.
        for name, below in zip(first, second):
            if is_text(name) and not is_text(below):
                raise TableError(
                    f"{self.path}: cannot tell whether the first row is a header, it holds both "
                    f"numbers and text ({name.strip()!r}); say --header yes or --header no"
                )
        return False

    # Numbers

    def _parse(self, text: str, columns: list[int], allow_nan: bool) -> Doubles:
        if '"' not in text:
            block = self._parse_quickly(text, columns, allow_nan)
            if block is None and allow_nan:
                block = self._parse_quickly(self._with_nan(text), columns, allow_nan)
            if block is not None:
                return block
        return self._parse_carefully(text, columns, allow_nan)

    def _parse_quickly(self, text: str, columns: list[int], allow_nan: bool) -> Doubles | None:
        """Parse a block without quotes by NumPy's reader; None if anything is wrong with it."""
        lines = text.removesuffix("\n").split("\n")
        all_columns = columns == list(range(self.n_columns))
        # The reader counts the fields of each line only where it is to return all of them.
        if not all_columns and not self._is_regular(lines):
            return None
        try:
            block = np.loadtxt(
                lines,
                delimiter=None if self._delimiter == " " else self._delimiter,
                usecols=None if all_columns else columns,
                comments=None,
                ndmin=2,
            )
        except ValueError:
            return None
        wrong = np.isinf(block) if allow_nan else ~np.isfinite(block)
        # It leaves out empty lines.
        return None if block.shape != (len(lines), len(columns)) or wrong.any() else block

    def _with_nan(self, text: str) -> str:
        """Write "nan" for every missing value of a block without quotes."""
        words = "|".join(map(re.escape, MISSING))
        if self._delimiter == " ":
            missing = rf"(?<![^ \t\n])(?:{words})(?![^ \t\n])"
        else:
            edge = rf"[^{re.escape(self._delimiter)}\n]"
            missing = rf"(?<!{edge}) *(?:{words})? *(?!{edge})"
        return re.sub(missing, "nan", text.removesuffix("\n"), flags=re.IGNORECASE)

    def _is_regular(self, lines: list[str]) -> bool:
        """Whether each of these lines, which hold no quotes, has as many fields as the first."""
        if self._delimiter == " ":
            return all(len(line.split()) == self.n_columns for line in lines)
        delimiters = {line.count(self._delimiter) for line in lines}
        return delimiters == {self.n_columns - 1}

    def _parse_carefully(self, text: str, columns: list[int], allow_nan: bool) -> Doubles:
        """Parse any block, a field at a time; raise `TableError` with row and column."""
        values: list[list[float]] = []
        line = self._line
        for record, last_line in self._records(text):
            if len(record) != self.n_columns:
                if self.n_columns > 1 and not "".join(record).strip() and len(record) < 2:
                    line = self._line + last_line
                    continue  # an empty line
                raise TableError(
                    f"{self.path}: row {line}: {counted(len(record), 'field')}, expected "
                    f"{self.n_columns} as in the first row"
                )
            values.append([self._parse_field(record[c], line, c, allow_nan) for c in columns])
            line = self._line + last_line
        return np.array(values, np.float64).reshape(-1, len(columns))

    def _parse_field(self, field: str, line: int, column: int, allow_nan: bool) -> float:
        value = _number(field)
        if value is not None and math.isfinite(value):
            return value
        missing = _is_missing(field) or (value is not None and math.isnan(value))
        if missing and allow_nan:
            return math.nan
        field = field.strip()
        shown = repr(field if len(field) <= 40 else field[:37] + "...")
        if not field:
            what = f"the field is empty; {MISSING_REMEDY}"
        elif missing:
            what = f"missing value ({shown}); {MISSING_REMEDY}"
        elif value is not None:
            what = f"{shown} is infinite or too large; {REMEDY}"
        else:
            what = f"{shown} is not a number"
            if _number(field.replace(",", ".", 1)) is not None:
                what += "; decimal commas are not supported"
            elif self._holds_other_delimiter(field):
                what += "; if another character separates the fields, give it with --delimiter"
            else:
                what += "; choose the numeric columns with --columns, or correct the row"
        raise TableError(f"{self.path}: row {line}, {self.column_text(column)}: {what}")

    def _holds_other_delimiter(self, field: str) -> bool:
        """Whether another delimiter would cut the field into numbers, as ";" does "5;2"."""
        others = [field.split(d) for d in DELIMITERS.values() if d != self._delimiter]
        return any(len(o) > 1 and all(_number(part) is not None for part in o) for o in others)

    def _records(self, text: str) -> Iterator[tuple[list[str], int]]:
        """Yield each record's fields and the last of its lines, counted from 1 within the text."""
        if self._delimiter == " ":
            for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
                yield _split_line(line, " "), number
            return
        reader = csv.reader(io.StringIO(text), delimiter=self._delimiter)
        try:
            for record in reader:
                yield record or [""], reader.line_num
        except csv.Error as exc:
            row = self._line + reader.line_num - 1
            raise TableError(f"{self.path}: row {row}: {_one_line(exc)}") from exc


def _end_of_records(text: str) -> int:
    """Return where to cut so that the left part ends with a record, and not with empty lines.

    A line break within quotes is no end; before one that is, the number of quotes is even. Empty
    lines go to the right, so that those at the end of the file can be told from the others.
    """
    cut = text.rfind("\n") + 1
    quotes = text.count('"', 0, cut)
    while cut and quotes % 2:
        earlier = text.rfind("\n", 0, text.rfind('"', 0, cut)) + 1
        quotes -= text.count('"', earlier, cut)
        cut = earlier
    while cut > 1 and text[cut - 2] == "\n":
        cut -= 1
    return cut


def _split_line(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return [line]


def _number(field: str) -> float | None:
    """Return the number a field spells, or None. Underscores, which Python allows, are not one."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


def _is_missing(field: str) -> bool:
    field = field.strip().lower()
    return not field or field in MISSING


# --- writing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """One part of an output: a column, or several of one kind side by side.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
    columns : tuple of str or None
        Column names of a part with several columns, None for a part that is one column.
    """

    name: str
    dtype: np.dtype[Any]
    columns: tuple[str, ...] | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        return (self.name,) if self.columns is None else self.columns


def output_format(path: str) -> str:
    """Return "csv", "npy" or "parquet" by the name's ending; "-" is CSV."""
    ending = "" if path == "-" else Path(path).suffix.lower()
    formats = {"": "csv", ".csv": "csv", ".npy": "npy", ".parquet": "parquet", ".pq": "parquet"}
    if ending not in formats or (ending == "" and path != "-" and _is_new_or_regular(path)):
        raise TableError(f"{path}: the name of the output must end in .csv, .npy or .parquet")
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
        raise TableError(f"{path}: the directory {folder} does not exist")
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
        yield CsvWriter(sys.stdout.buffer, fields)
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
        raise TableError(f"{path}: cannot be written: {exc.strerror}") from exc


class CsvWriter:
    """Comma-separated text with a header; numbers in the shortest form that reads back equal."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        formats = []
        for field in fields:
            number = {"f4": "%.9g", "f8": "%r"}.get(field.dtype.str[1:], "%d")
            formats += [number] * len(field.column_names)
        self._row = ",".join(formats) + "\n"
        header = io.StringIO()
        names = [name for field in fields for name in field.column_names]
        csv.writer(header, lineterminator="\n").writerow(names)
        file.write(header.getvalue().encode())

    def write(self, *parts: AnyArray) -> None:
        columns = [column.tolist() for part in parts for column in _as_columns(part)]
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
                (name, self._pa.from_numpy_dtype(field.dtype))
                for field in fields
                for name in field.column_names
            ]
        )
        whole = [name for f in fields if f.dtype.kind == "i" for name in f.column_names]
        self._writer = pyarrow.parquet.ParquetWriter(
            file, self._schema, compression="none", use_dictionary=whole
        )
        self._batches: list[Any] = []
        self._n_rows = self._n_bytes = 0

    def write(self, *parts: AnyArray) -> None:
        columns = [column.copy() for part in parts for column in _as_columns(part)]
        arrays = [self._pa.array(column) for column in columns]
        self._batches.append(self._pa.record_batch(arrays, schema=self._schema))
        self._n_rows += len(parts[0])
        self._n_bytes += sum(column.nbytes for column in columns)
        if self._n_rows >= ROW_GROUP_ROWS or self._n_bytes >= ROW_GROUP_BYTES:
            self._write_row_group()

    def _write_row_group(self) -> None:
        if self._batches:
            table = self._pa.Table.from_batches(self._batches)
            self._writer.write_table(table, row_group_size=self._n_rows)
        self._batches = []
        self._n_rows = self._n_bytes = 0

    def close(self) -> None:
        self._write_row_group()
        self._writer.close()


def _as_columns(part: AnyArray) -> Sequence[AnyArray]:
    return [part] if part.ndim == 1 else list(part.T)


# --- helpers -------------------------------------------------------------------------------------


def import_pyarrow(path: str) -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet, or raise a `TableError` that says how to.

    Versions before 14.0.1 run code from a malicious file (CVE-2023-47248).
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise TableError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'gaussmix[parquet]'"
        ) from exc
    version = tuple(int(part) for part in pyarrow.__version__.split(".")[:3] if part.isdigit())
    if version < (14, 0, 1):
        raise TableError(
            f"{path}: Parquet files need pyarrow 14.0.1 or newer, not {pyarrow.__version__}; "
            f"upgrade it with: pip install --upgrade pyarrow"
        )
    return pyarrow, pyarrow.parquet


def _is_new_or_regular(path: str) -> bool:
    """Whether `path` is to be made or replaced, not written into as a pipe or a device is."""
    return not os.path.exists(path) or os.path.isfile(path)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: "1 column", "1,000 columns"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _one_line(exc: BaseException) -> str:
    return " ".join(str(exc).split())
