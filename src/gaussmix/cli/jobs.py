"""A file read row by row with a model, and what is written of each row.

A command's subclass of `Job` says what is written of each row.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .._common.text import counted, listed, plain
from .._common.typing import AnyArray, Floats
from .._files.errors import TableError
from .._files.paths import is_read_once
from .._files.tables import writers
from .._files.tables.base import AsTheyStand, Table
from .._files.tables.choosing import MOST_COLUMNS
from .._files.tables.writers import Field
from .._rows.read_ahead import read_ahead
from .._rows.sources.tables import Tables
from ..mixture import GaussianMixture
from . import keeping, outputs
from .inputs import chosen_columns

# Rows of the inputs that are held at a time, in bytes.
MEMORY = 64 << 20

# Makes of a block of rows an array for each field of the output.
Make = Callable[[AnyArray], Sequence[AnyArray]]


@dataclass
class Reading:
    """The file that an output is made of, as its maker sees it.

    Attributes
    ----------
    path : str
    own : str or None
        The file's name where it is one of several.
    n_expected : int or None
        Its rows as it says, None if only reading to the end would tell.
    rows : callable
        Returns the blocks of the rows of a reading before the one that makes the output.
    n_rows : int or None
        As many as that reading had; None if there was none.
    notes : list of str
        What the report is to say of the file.
    """

    path: str
    own: str | None
    n_expected: int | None
    rows: Callable[[], Iterator[Floats]]
    n_rows: int | None
    notes: list[str]


@dataclass(frozen=True)
class Job:
    """A model, files whose rows it is to read, and what to write of each row: a subclass says.

    Attributes
    ----------
    model : GaussianMixture
    columns : tuple of str or None
        Columns to read, None for those of the model.
    exclude : tuple of str or None
        Columns not to read.
    header, delimiter : str
        How to read CSV.
    na_values : tuple of str
        Words that are missing values there.
    keep : tuple of str
        Columns that the output has as they stand in the file, by name or number.
    """

    model: GaussianMixture
    columns: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    header: str
    delimiter: str
    na_values: tuple[str, ...]
    keep: tuple[str, ...]

    # Whether the output has the columns that the model reads, with other values.
    replaces = False

    @property
    def allow_nan(self) -> bool:
        """Whether the files may have missing values."""
        return self.model.allow_nan

    @property
    def rows_per_row(self) -> int:
        """Rows of the output for each row of the file."""
        return 1

    @property
    def memory(self) -> int:
        """Bytes for rows of the inputs."""
        return MEMORY

    def options(self) -> list[object]:
        """What decides the output beside the model and how files are read."""
        raise NotImplementedError

    def fields(self, table: Table, columns: Sequence[int]) -> list[Field]:
        """The columns of the output."""
        raise NotImplementedError

    def maker(self, fields: Sequence[Field], reading: Reading) -> Make:
        """What makes the output, a block of the rows of one file after the other.

        Parameters
        ----------
        fields : sequence of Field
            As `fields` returns them.
        reading : Reading
        """
        raise NotImplementedError

    def order(
        self, columns: Sequence[int], others: Sequence[int], fields: Sequence[Field]
    ) -> list[int]:
        """How an output is laid out in which some columns are kept.

        Parameters
        ----------
        columns, others : sequence of int
            Of the file: those that the model reads, and those to keep.
        fields : sequence of Field
            As `fields` returns them.

        Returns
        -------
        list of int
            Numbers of the columns in the order of the output, counted through the kept ones and
            on through those of the fields.
        """
        return list(range(len(others) + sum(len(field.column_names) for field in fields)))

    def digest(self, output_format: str | None) -> str:
        """Hashes of everything that decides the output of a file: of the options, and the model.

        Parameters
        ----------
        output_format : str or None
            As given to --format.
        """
        options = [
            type(self).__name__,
            self.columns,
            self.exclude,
            self.header,
            self.delimiter,
            self.na_values,
            self.keep,
            output_format,
            *self.options(),
        ]
        names = getattr(self.model, "feature_names_in_", None)
        kind = [self.model.covariance_type, None if names is None else list(names)]
        content = hashlib.sha256(json.dumps(kind).encode())
        for array in (self.model.weights_, self.model.means_, self.model.precisions_cholesky_):
            content.update(f"{array.dtype.str}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        asked = hashlib.sha256(json.dumps(options).encode())
        return outputs.digest_of(asked.hexdigest(), content.hexdigest())

    def run(
        self,
        path: str,
        output: str,
        on_block: Callable[[Table], object],
        *,
        one_of_several: bool,
    ) -> tuple[int, list[str]]:
        """Read a file and write its output; return its number of rows, and notes for the report.

        Parameters
        ----------
        path, output : str
        on_block : callable
            Called with the table after each block.
        one_of_several : bool
            Whether the file is one of a directory: then it may be without rows, and what is random
            differs from file to file.
        """
        own = os.path.basename(path) if one_of_several else None
        with self._opened(path) as tables:
            table = tables.first
            reading = Reading(
                path, own, table.n_rows, lambda: self._rows(path, reading, on_block), None, []
            )
            columns = self._columns_of(table)
            tables.choose(columns)
            fields = self.fields(table, columns)
            layout, others = keeping.Layout(fields), []
            if self.keep:
                others = keeping.kept_columns(table, self.keep, columns, replaced=self.replaces)
                order = self.order(columns, others, fields)
                layout = keeping.layout(table, others, fields, order, output)
            make = self.maker(fields, reading)
            n_rows = 0
            with (
                writers.writing(output, layout.fields) as writer,
                contextlib.closing(_records(tables, others)) as records,
            ):
                for X, kept in records:
                    kept = keeping.repeated(kept, self.rows_per_row)
                    writer.write(*layout.arranged(kept, make(X)))
                    n_rows += len(X)
                    on_block(table)
                if n_rows == 0 and not one_of_several:
                    raise TableError(f"{path}: the file has no rows of data")
                if reading.n_rows not in (None, n_rows):
                    raise changed(path)
        return n_rows, reading.notes

    def _opened(self, path: str) -> Tables:
        return Tables(
            [path],
            header=self.header,
            delimiter=self.delimiter,
            na_values=self.na_values,
            memory=self.memory,
            allow_nan=self.allow_nan,
        )

    def _rows(
        self, path: str, reading: Reading, on_block: Callable[[Table], object]
    ) -> Iterator[Floats]:
        """The blocks of the rows of a reading of the file before the one for the output."""
        if is_read_once(path):
            raise TableError(
                f"{path}: can be read only once, and --rank and --flag read it twice; write it to "
                "a file first"
            )
        reading.n_rows = 0
        with self._opened(path) as tables:
            tables.choose(self._columns_of(tables.first))
            with contextlib.closing(_records(tables, ())) as records:
                for X, _kept in records:
                    reading.n_rows += len(X)
                    yield X
                    on_block(tables.first)

    def _columns_of(self, table: Table) -> list[int]:
        """The 0-based columns the model reads, in its order.

        Those chosen with --columns; else, where both sides have names, those with the model's
        names; else all. But for the model's names those of --exclude are left out, and as many
        must be left as the model has.
        """
        n_features = self.model.means_.shape[1]
        names = getattr(self.model, "feature_names_in_", None)
        columns = chosen_columns(table, self.columns, self.exclude)
        if self.columns is None and names is not None and table.names:
            needed = table.resolve_names(list(names))
            for index in needed:
                if index not in columns:
                    raise TableError(
                        f"{table.path}: {table.column_text(index)} is one that the model needs; "
                        "leave it out of --exclude"
                    )
            return needed
        if len(columns) != n_features:
            raise TableError(
                f"{table.path}: {counted(len(columns), 'column')}, but the model has {n_features}"
                + (f" ({listed([*names], plain, MOST_COLUMNS)})" if names is not None else "")
                + ("; choose them with --columns" if self.columns is None else "")
            )
        return columns


def _records(
    tables: Tables, others: Sequence[int]
) -> Generator[tuple[Floats, AsTheyStand], None, None]:
    """Blocks of a file's rows and of the columns to keep, read ahead where the file allows."""
    records = tables.records(others)
    return read_ahead(records) if tables.fresh_chunks else records


def changed(path: str) -> TableError:
    """The exception for a file of which a second reading has other rows than the first."""
    return TableError(f"{path}: the file has changed between two readings; run the command again")
