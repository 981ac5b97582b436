"""Rows of files of any format with the same columns, one file after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from ..._common.text import counted, shown
from ..._common.typing import Doubles, FloatDType, Floats
from ..._files.errors import TableError
from ..._files.paths import is_read_once, require_regular
from ..._files.tables.advice import OPTIONS, Advice
from ..._files.tables.base import AsTheyStand, Table, gathered
from ..._files.tables.opening import open_table
from .base import Chunk, RowSource

# Rows read at a time, unless that is more than a sixteenth of the memory.
CHUNK_ROWS = 1 << 17


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
    advice : Advice, optional
        What messages advise, but for those of columns that have no numbers in their format.

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
        advice: Advice = OPTIONS,
    ) -> None:
        super().__init__(memory=memory)
        self._paths = paths
        self._header, self._delimiter = header, delimiter
        self._na_values = na_values
        self._allow_nan = allow_nan
        self._any_columns = any_columns
        self._advice = advice
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
        self.close()

    def close(self) -> None:
        """Close the first file. A reading after that opens it anew, where that can be."""
        self.first.close()
        self._unread = None

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
            require_regular(path)  # a pipe that is there by now would be waited for
        table = open_table(
            path,
            header=self._header,
            delimiter=self._delimiter,
            na_values=self._na_values,
            advice=self._advice,
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
                f"{table.path}: column {shown(more[0])} is not in {first.path}; "
                f"{self._advice.fewer}"
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
