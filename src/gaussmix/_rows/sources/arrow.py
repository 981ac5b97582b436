"""Rows of Arrow tables, of data sets that pyarrow can scan, and of Parquet files."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..._common.text import said
from ..._common.typing import StrPath
from ..._files.errors import TableError
from ..._files.paths import require_regular
from ..._files.tables.parquet import (
    agreeing,
    holds_numbers,
    holds_text,
    known_rows,
    open_dataset,
    require_all_rows,
)
from .base import MEMORY, Chunk, RowSource
from .columns import check_names, chosen, text_error

# Rows that are decoded at a time: their columns are laid side by side while they are in cache.
BATCH_ROWS = 1 << 16


class ArrowSource(RowSource):
    """Rows of an Arrow table, or of a data set that pyarrow can scan. Needs pyarrow.

    Parameters
    ----------
    data : pyarrow.Table, pyarrow.RecordBatch or pyarrow.dataset.Dataset
    columns : sequence of str, optional
        Names of the columns to read, in this order; by default all but the weights.
    weights : str, optional
        Name of a column with the weight of each row.
    memory : int, default=2**28
        As for `RowSource`.

    Raises
    ------
    ValueError
        For a column that does not exist.
    """

    __module__ = "gaussmix.sources"

    fresh_chunks = True
    _call = "ArrowSource(data"  # how messages say to make another

    def __init__(
        self,
        data: Any,
        *,
        columns: Sequence[str] | None = None,
        weights: str | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        if not hasattr(data, "select") and not hasattr(data, "to_batches"):
            raise TypeError(
                f"data is a {type(data).__name__}, and not a table, record batch or data set of "
                "pyarrow. Of a reader, pass reader.read_all()."
            )
        self._columns = chosen(self, columns, weights, list(data.schema.names))
        self._data = data
        self._all_columns = columns is None
        self._weights = weights
        self._is_table = hasattr(data, "num_rows")
        if self._is_table:
            self.n_rows = data.num_rows
        else:
            with self._readable():
                self.n_rows = known_rows(data)

    def columns_named(self, names: Sequence[str]) -> ArrowSource:
        check_names(self, "columns", names, list(self._data.schema.names))
        named = copy.copy(self)
        named._columns, named._all_columns = list(names), False
        return named

    def chunks(self) -> Iterator[Chunk]:
        self._require_numbers()
        n_read = 0
        for batch in self._batches([*self._columns, *([self._weights] if self._weights else [])]):
            n_read += batch.num_rows
            if self._weights is None:
                yield batch
            else:
                weights = batch.column(len(self._columns))
                yield batch.select(self._columns), weights.to_numpy(zero_copy_only=False)
        if self.n_rows is not None:
            require_all_rows(str(self), n_read, self.n_rows)

    def _require_numbers(self) -> None:
        """Refuse columns of text, which are not known before rows are read: a model with named
        columns needs those alone.
        """
        schema = self._data.schema
        for name in self._columns:
            if holds_text(schema.field(name).type):
                numeric = [
                    other
                    for other in (schema.names if self._all_columns else self._columns)
                    if other != self._weights and holds_numbers(schema.field(other).type)
                ]
                raise text_error(self, self._call, name, numeric)

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        if self._is_table:
            table = self._data.select(columns)
            if not hasattr(table, "to_batches"):  # a record batch
                yield from (
                    table.slice(start, BATCH_ROWS)
                    for start in range(0, max(1, table.num_rows), BATCH_ROWS)
                )
            else:
                # A table of no rows may have no batch either, and still has its columns.
                batches = table.to_batches(max_chunksize=BATCH_ROWS)
                yield from batches or [table.slice(0, 0)]
        else:
            with self._readable():
                yield from self._data.to_batches(
                    columns=columns, batch_size=BATCH_ROWS, batch_readahead=4, fragment_readahead=1
                )

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what pyarrow raises while it reads, with the file's name, into our exception."""
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the system's word, as that a file has gone
            what = said(error)
            raise TableError(f"{self}: the data cannot be read: {what}") from error

    def __str__(self) -> str:
        return "the Arrow data"


class ParquetSource(ArrowSource):
    """Rows of Parquet files. Needs pyarrow, which the extra ``gaussmix[parquet]`` brings.

    Parameters
    ----------
    paths : str, path-like, or sequence of those
        Files, directories, whose files at any depth are read in the order of their names, and
        patterns such as ``"data/*.parquet"``. Of a directory, names that begin with "." or "_"
        are left out, as markers and unfinished files have them.
    columns : sequence of str, optional
        Names of the columns to read, in this order; by default all but the weights.
    weights : str, optional
        Name of a column with the weight of each row.
    memory : int, default=2**28
        As for `RowSource`.

    Raises
    ------
    ValueError
        For a path that is no Parquet file, a pattern without a match, a column that does not
        exist; when rows are read, for a file whose columns are others than those of the first.
    """

    __module__ = "gaussmix.sources"

    _call = "ParquetSource(path"

    def __init__(
        self,
        paths: StrPath | Sequence[StrPath],
        *,
        columns: Sequence[str] | None = None,
        weights: str | None = None,
        memory: int = MEMORY,
    ) -> None:
        several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        self.paths = [os.fspath(path) for path in several]
        super().__init__(open_dataset(self.paths), columns=columns, weights=weights, memory=memory)
        self._agreed: list[str] | None = None  # the columns that all files are known to have

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        # Not before: a model with named columns needs no others to agree.
        if self._agreed != columns:
            self._data = agreeing(self._data, columns, and_no_other=self._all_columns)
            self._agreed = columns
        for file in self._data.files:  # pyarrow would wait for a pipe that is there by now
            require_regular(file)
        yield from super()._batches(columns)

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return f"{self.paths[0]}{more}"
