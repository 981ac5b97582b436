"""Rows of CSV files."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..._common.failures import explains_failures
from ..._common.text import shown
from ..._common.typing import StrPath
from ..._common.warnings import warn
from ..._files.errors import TableError
from ..._files.paths import files_of, require_regular
from ..._files.tables.advice import ARGUMENTS
from ..._files.tables.base import Table
from ..._files.tables.csv import CsvTable
from ..._files.tables.formats import CSV_ENDINGS
from .base import MEMORY, Chunk, RowSource
from .columns import check_names, chosen, text_error
from .tables import Tables

# What `open_table` calls a header that is there, is not, or is to be found out.
_HEADERS = {True: "yes", False: "no", None: "auto"}

_IF_A_HEADER = " If the first row holds the names of the columns, pass header=True."


class CsvSource(RowSource):
    """Rows of CSV files, parsed anew in every reading.

    Numbers come as float64. Empty fields and the usual words for a missing value, as NA, nan and
    null, are NaN, which a model takes that has ``allow_nan=True``. Text may be compressed by gzip,
    bzip2 or xz. The command ``gaussmix fit`` reads the same.

    Parameters
    ----------
    paths : str, path-like, or sequence of those
        Files, directories, whose files at any depth that end in ``.csv``, ``.csv.gz``,
        ``.csv.bz2`` or ``.csv.xz`` are read in the order of their names, and patterns such as
        ``"data/*.csv"``. Of a directory, names that begin with "." or "_" are left out. Columns of
        further files are found by the names of the first, or have its order where it has none.
    columns : sequence of str or int, optional
        Columns to read, in this order, by name, or by number from 0 in files without names; by
        default all but the weights.
    weights : str or int, optional
        A column with the weight of each row, by name or number.
    header : bool, optional
        Whether the first row of a file holds the names of the columns; by default it does where
        it is text and holds no number.
    delimiter : str, optional
        What separates the fields, a character; by default the one of ``,``, ``;``, ``|``, tab and
        space that cuts the first lines alike.
    na_values : sequence of str, optional
        Further words that stand for a missing value.
    memory : int, default=2**28
        As for `RowSource`.

    Raises
    ------
    ValueError
        For a path that is no CSV file, a pattern without a match, a column that does not exist;
        when rows are read, for a field that is no number, with its line, the header counted, and
        for a file whose columns are others than those of the first.

    Examples
    --------
    >>> from pathlib import Path
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.sources import CsvSource
    >>> n_bytes = Path("rows.csv").write_text("length;kind;width\\n1;a;2\\n2;b;5\\n4;a;7\\n")
    >>> model = GaussianMixture().fit(CsvSource("rows.csv", columns=["width", "length"]))
    >>> list(model.feature_names_in_)
    ['width', 'length']
    """

    __module__ = "gaussmix.sources"

    fresh_chunks = True

    def __init__(
        self,
        paths: StrPath | Sequence[StrPath],
        *,
        columns: Sequence[str | int] | None = None,
        weights: str | int | None = None,
        header: bool | None = None,
        delimiter: str | None = None,
        na_values: Sequence[str] = (),
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        self.paths = [os.fspath(path) for path in several]
        if header not in (True, False, None):
            raise ValueError(f"header must be True, False or None. Got {shown(header)}.")
        if isinstance(na_values, str):
            raise TypeError(
                f"na_values must be a list of words; got {shown(na_values)}. Pass "
                f"[{shown(na_values)}]."
            )
        self._open(_HEADERS[header], delimiter or "auto", na_values)
        self._choose(chosen(self, columns, weights, self._known))
        self._all_columns = columns is None
        self._weights = weights

    @explains_failures
    def _open(self, header: str, delimiter: str, na_values: Sequence[str]) -> None:
        """Look at the first file: its columns, and which of them begin with text."""
        files = [file for path in self.paths for file in files_of(path, CSV_ENDINGS)]
        if not files:
            raise TableError("paths is empty; give at least one CSV file")
        with _CsvTables(
            [_no_standard_input(file) for file in files],
            header=header,
            delimiter=delimiter,
            memory=self.memory,
            na_values=na_values,
            allow_nan=True,
            any_columns=True,
            advice=ARGUMENTS,
        ) as self._tables:
            first = self._tables.first
            assert isinstance(first, CsvTable)
            self._named = first.names is not None
            self._known: list[Any] = list(first.names or range(first.n_columns))
            self._text = [self._known[column] for column in first.text_columns()]

    def columns_named(self, names: Sequence[str]) -> CsvSource:
        if not self._named:
            return self
        check_names(self, "columns", names, self._known)
        named = copy.copy(self)
        named._choose(list(names))
        named._all_columns = False
        return named

    def _choose(self, columns: list[Any]) -> None:
        self._columns = columns
        self.column_names = columns if self._named else None

    def chunks(self) -> Iterator[Chunk]:
        for name in self._columns:
            if name in self._text:
                others = self._known if self._all_columns else self._columns
                numeric = [o for o in others if o != self._weights and o not in self._text]
                more = "" if self._named else _IF_A_HEADER
                raise text_error(self, "CsvSource(path", name, numeric, more)
        if self._all_columns and self._columns[0] == "":
            warn(
                f"{self}: column 0 has no name, as the index in a file of pandas, and is used as "
                "a feature. If it is none, pass CsvSource(path, columns=[...]) without it."
            )
        weights = None if self._weights is None else self._known.index(self._weights)
        tables = copy.copy(self._tables)  # which knows the columns of one reading
        tables.choose([self._known.index(name) for name in self._columns], weights)
        yield from tables.chunks()

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0]}{more}"


class _CsvTables(Tables):
    """Files of which all are CSV, and none a pipe."""

    def _open(self, path: str) -> Table:
        require_regular(path)
        table = super()._open(path)
        if not isinstance(table, CsvTable):
            table.close()
            raise TableError(f"{path}: is no CSV file. Pass the path itself as X.")
        return table


def _no_standard_input(path: str) -> str:
    return os.path.join(os.curdir, path) if path == "-" else path
