"""The DATA of a command: which files, which of their columns, and all their rows as one source."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from .._common.text import counted, shown
from .._common.typing import Doubles, FloatDType, Floats
from .._files import paths as file_paths
from .._files.errors import TableError
from .._files.tables.base import AsTheyStand, Table, gathered
from .._files.tables.opening import open_table
from ..exceptions import ModelFileError
from ..mixture import GaussianMixture, load
from ..sources import Chunk, RowSource

# What is read of a directory; a file that is named itself may be called anything.
ENDINGS = (".csv", ".npy", ".parquet", ".pq", ".parq", ".csv.gz", ".csv.bz2", ".csv.xz")

# Rows read at a time, unless that is more than a sixteenth of the memory.
CHUNK_ROWS = 1 << 17


def files_of(data: Sequence[str]) -> list[str]:
    """The files that the arguments stand for, in their order.

    A directory stands for the files in it, at any depth, that end as tables do; a pattern for
    those that match. Names that begin with "." or "_" are left out, as markers and unfinished
    files have them.

    Raises
    ------
    TableError
        For a directory or a pattern without a file, and a pipe that is not alone.
    """
    files: list[str] = []
    for path in data:
        files += file_paths.files_of(path, ENDINGS)
    for path in files:
        if len(files) > 1 and is_read_once(path):
            raise TableError(
                f"{path}: can be read only once, as a pipe; give it alone, or write it to a file"
            )
    return files


def chosen_columns(
    table: Table, columns: Sequence[str] | None, exclude: Sequence[str] | None
) -> list[int]:
    """The 0-based columns that --columns and --exclude say: all, where neither is given.

    Raises
    ------
    TableError
        For a column that the file does not have, and where none is left.
    """
    left_out = set(table.columns.chosen(exclude or ()))
    if columns is None:
        indices = list(range(table.n_columns))
    else:
        indices = table.columns.chosen(columns)
    chosen = [index for index in indices if index not in left_out]
    if not chosen:
        raise TableError(
            f"{table.path}: --exclude {shown(','.join(exclude or ()))} leaves no column; name "
            "fewer there"
        )
    return chosen


def load_model(path: str, command: str, data: Sequence[str] = ()) -> GaussianMixture:
    """The model in a file; the error says so where a model stands among the data.

    Parameters
    ----------
    path : str
    command : str
        How it is called, as "gaussmix score".
    data : sequence of str
        The other files of the command.
    """
    try:
        return load(path)
    except ModelFileError as error:
        if _begins_as_model(path) or not any(map(_begins_as_model, data)):
            raise
        raise TableError(f"{error} The model comes first: {command} MODEL DATA.") from error


def _begins_as_model(path: str) -> bool:
    """Whether this is a regular file that begins as models do."""
    try:
        with file_paths.open_regular(path) as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def is_read_once(path: str) -> bool:
    """Whether this is standard input or a pipe."""
    return path == "-" or (os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode))


class Tables(RowSource):
    """Rows of files with the same columns, one file after the other.

    It opens the first file; `choose` says which columns to read, and looks at the other files.

    Parameters
    ----------
    paths : sequence of str
        As `files_of` gives them. A single one may be a pipe, which can be read once.
    header, delimiter : str
        How to read CSV, see `open_table`.
    memory : int
        As for `RowSource`.
    na_values : sequence of str, optional
        Words that are missing values in CSV, see `open_table`.
    allow_nan : bool, default=False
        Whether NaN stands for missing values, but for those of weights.
    any_columns : bool, default=False
        Whether any columns will do, so that messages about text advise which to choose.

    Attributes
    ----------
    first : Table
        The first file.
    table : Table
        The one being read.
    n_rows : int or None
        Known from the start but for CSV, then when all have been read.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        header: str,
        delimiter: str,
        memory: int,
        na_values: Sequence[str] = (),
        allow_nan: bool = False,
        any_columns: bool = False,
    ) -> None:
        super().__init__(memory=memory)
        self._paths = paths
        self._header, self._delimiter = header, delimiter
        self._na_values = na_values
        self._allow_nan = allow_nan
        self._any_columns = any_columns
        self._once = is_read_once(paths[0])
        self._kinds: dict[str, int] = {}  # of the files that have been opened
        # A thread that waits for a pipe could not be ended.
        self.fresh_chunks = not self._once
        self.first = self.table = self._open(paths[0])
        self._unread: Table | None = self.first
        self._columns: list[int] = []
        self._weight_column: int | None = None
        self._dtype: FloatDType = np.dtype(np.float64)

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.first.close()

    def __str__(self) -> str:
        more = len(self._paths) - 1
        return self._paths[0] + (f" and {counted(more, 'more file')}" if more else "")

    def choose(self, columns: list[int], weight_column: int | None = None) -> None:
        """Read these columns of the first file, and those of the same names of the others.

        Raises
        ------
        TableError
            If the other files have other columns.
        """
        self._columns, self._weight_column = columns, weight_column
        single = self.first.dtype(columns) == np.float32
        n_rows = self.first.n_rows
        for path in self._paths[1:]:
            with self._open(path) as table:
                single &= table.dtype(self._wanted_of(table)[: len(columns)]) == np.float32
                known = n_rows is not None and table.n_rows is not None
                n_rows = (n_rows or 0) + (table.n_rows or 0) if known else None
        self._dtype = np.dtype(np.float32 if single else np.float64)
        self.n_rows = n_rows

    @property
    def weighted(self) -> bool:
        """Whether a column with weights has been chosen."""
        return self._weight_column is not None

    @property
    def rereads_text(self) -> bool:
        """Whether a second reading would parse text again."""
        return self.n_rows is None

    def column_text(self, column: int) -> str:
        """How messages name one of the chosen columns, of which this is the number from 0."""
        return self.first.column_text(self._columns[column])

    def load(self) -> tuple[Floats, Doubles | None] | None:
        """All rows and their weights as arrays; None if that takes over half of the memory.

        Rows that can be read only once are loaded, however many they are.
        """
        width = len(self._columns)
        wanted = width + (self._weight_column is not None)
        dtype = np.dtype(np.float64) if self._weight_column is not None else self._dtype
        limit = None if self._once else self.memory // 2 // (wanted * dtype.itemsize)
        if limit is not None and self.n_rows is not None and self.n_rows > limit:
            return None
        rows = gathered(self._blocks(), (self.n_rows, wanted), dtype, limit)
        if rows is None:
            return None
        if len(rows) == 0:
            what = "the file has" if len(self._paths) == 1 else "the files have"
            raise TableError(f"{self}: {what} no rows of data")
        if self._weight_column is None:
            return rows, None
        return rows[:, :width].astype(self._dtype, copy=False), rows[:, -1].astype(np.float64)

    def chunks(self) -> Iterator[Chunk]:
        for block in self._blocks():
            if self._weight_column is None:
                yield block
            else:
                yield (
                    block[:, :-1].astype(self._dtype, copy=False),
                    block[:, -1].astype(np.float64),
                )

    def _blocks(self) -> Iterator[Floats]:
        """Blocks of the chosen columns, the weights last."""
        for block, _others in self.records(()):
            yield block

    def records(self, others: Sequence[int]) -> Generator[tuple[Floats, AsTheyStand], None, None]:
        """Blocks of the chosen columns, the weights last, and others as they stand in the files.

        Parameters
        ----------
        others : sequence of int
            The same of every file.
        """
        n_rows = 0
        for path in self._paths:
            table = self._unread or self._open(path)
            self._unread, self.table = None, table
            wanted = self._wanted_of(table)
            table.advised = wanted[: len(self._columns)] if self._any_columns else ()
            size = max(
                1, min(CHUNK_ROWS, self.memory // 16 // (self._dtype.itemsize * len(wanted)))
            )
            with table if table is not self.first else contextlib.nullcontext():
                first_row = 0
                for block, fields in table.records(
                    wanted, others, size, allow_nan=self._allow_nan
                ):
                    if self._weight_column is not None:
                        _require_weights(table, wanted[-1], block[:, -1], first_row)
                    first_row += len(block)
                    yield block, fields
                n_rows += first_row
        self.n_rows = n_rows

    def _open(self, path: str) -> Table:
        """A file, which must have the columns, types and rows that it had when opened before."""
        if not self._once:
            file_paths.require_regular(path)  # a pipe that is there by now would be waited for
        table = open_table(
            path, header=self._header, delimiter=self._delimiter, na_values=self._na_values
        )
        kind = hash((type(table), table.names, table.n_columns, table.n_rows, table.types))
        if self._kinds.setdefault(path, kind) != kind:
            table.close()
            raise TableError(
                f"{path}: the file has changed: its columns, or the number of its rows, are "
                "others than when it was opened first"
            )
        return table

    def _wanted_of(self, table: Table) -> list[int]:
        """The columns to read of a file, the weights last."""
        weights = [] if self._weight_column is None else [self._weight_column]
        wanted = [*self._columns, *weights]
        first = self.first
        if table is first or (table.names, table.n_columns) == (first.names, first.n_columns):
            return wanted
        if (table.names is None) != (first.names is None):
            here, there = ("no ", "has") if table.names is None else ("", "has none")
            raise TableError(
                f"{table.path}: has {here}column names, but {first.path} {there}; all files need "
                "the same columns"
            )
        if table.names is None or first.names is None:
            raise TableError(
                f"{table.path}: {counted(table.n_columns, 'column')}, but {first.path} has "
                f"{first.n_columns}; all files need the same columns"
            )
        more = [name for name in table.names if name not in first.names]
        if more and len(wanted) == first.n_columns:
            raise TableError(
                f"{table.path}: column {shown(more[0])} is not in {first.path}; choose those to "
                "read with --columns"
            )
        return table.resolve_names([first.names[column] for column in wanted])


def _require_weights(table: Table, column: int, weights: Floats, first_row: int) -> None:
    """Raise for a weight that is negative or missing."""
    bad = ~(weights >= 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        what = "missing" if np.isnan(weights[row]) else f"negative ({weights[row]:g})"
        raise TableError(
            f"{table.path}: {table.column_text(column)}: the weight of data row "
            f"{first_row + row + 1} is {what}"
        )
