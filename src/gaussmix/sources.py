"""Rows that are read a chunk at a time: files, Arrow tables and data sets, anything re-iterable.

`GaussianMixture` takes these wherever it takes an array to fit or to score. It makes them itself
of the path of a file, a list of chunks and so on, see `as_source`; to choose columns, weights or
the memory used, make one.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import glob
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ._common.failures import explains_failures
from ._common.text import listed, said, shown
from ._common.typing import AnyArray, StrPath
from ._files.errors import TableError
from ._files.paths import open_regular, require_regular
from ._files.tables.npy import MAGIC, NpyFile
from ._files.tables.parquet import agreeing, known_rows, open_dataset, require_all_rows

#: Bytes of rows held at a time, unless a source says otherwise.
MEMORY = 256 << 20

#: A chunk of rows, or that and the weights of the rows.
Chunk: TypeAlias = "ArrayLike | tuple[ArrayLike, ArrayLike]"

#: Rows to fit or to score: an array or a table of pandas, polars or Arrow, a source, or what
#: `as_source` makes one of.
RowsLike: TypeAlias = "ArrayLike | RowSource | os.PathLike[str] | Iterable[Chunk]"

# Arrow tables of more bytes are not laid side by side as a whole.
KEPT = MEMORY // 2

# Rows that are decoded at a time: their columns are laid side by side while they are in cache.
BATCH_ROWS = 1 << 16


class RowSource:
    """Rows that can be read again and again, a chunk at a time.

    A class of your own needs `chunks` alone.

    Parameters
    ----------
    memory : int, default=2**28
        Bytes of rows held at a time. While all rows take no more than three eighths of it, they
        are read once and kept; else they are read anew in every pass. What a chunk takes comes on
        top.

    Attributes
    ----------
    memory : int
    n_rows : int or None
        How many rows there are; None if only reading to the end would tell.
    fresh_chunks : bool
        Whether a chunk stays as it is while the next are read, so that reading may run ahead. A
        source that fills one buffer again and again has False, the default.
    """

    n_rows: int | None = None
    fresh_chunks = False

    def __init__(self, *, memory: int = MEMORY) -> None:
        known = isinstance(memory, (int, np.integer)) and not isinstance(memory, bool)
        if not (known and 1 <= memory <= sys.maxsize):
            raise ValueError(
                "memory must be a number of bytes of at least 1 that a machine can have; got "
                f"{shown(memory)}. {MEMORY} is the default."
            )
        self.memory = int(memory)

    def chunks(self) -> Iterator[Chunk]:
        """Start reading anew: an iterator over chunks of rows.

        Yields
        ------
        X : array-like of shape (n, d), or a tuple (X, sample_weight)
            An array or a table of pandas, polars or Arrow, of any number of rows. All chunks have
            the same columns, and every reading gives the same rows in the same order. A fit reads
            in a thread of its own, while it computes.
        """
        raise NotImplementedError

    def columns_named(self, names: Sequence[str]) -> RowSource:
        """The source with just these columns in this order, where it can choose them by name."""
        return self

    def __str__(self) -> str:
        return type(self).__name__


class ChunkSource(RowSource):
    """Chunks of an object that can be iterated over again and again.

    Parameters
    ----------
    chunks : iterable, or callable without arguments that returns one
        Gives arrays or tables of shape (n, d), or tuples of those and the weights of their rows.
    memory : int, default=2**28
        As for `RowSource`.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.sources import ChunkSource
    >>> def months():
    ...     for month in range(12):
    ...         yield np.random.default_rng(month).normal(size=(1000, 2))
    >>> model = GaussianMixture(2, random_state=0).fit(ChunkSource(months))
    >>> model.n_features_in_
    2
    """

    def __init__(
        self, chunks: Iterable[Chunk] | Callable[[], Iterable[Chunk]], *, memory: int = MEMORY
    ) -> None:
        super().__init__(memory=memory)
        if isinstance(chunks, Iterator):
            raise TypeError(
                f"chunks is a {type(chunks).__name__}, which can be read only once, and a fit "
                "reads its rows in every iteration. Pass a list of chunks, or "
                "ChunkSource(function) of a function that starts anew whenever it is called."
            )
        if not callable(chunks) and not isinstance(chunks, Iterable):
            raise TypeError(
                "chunks must be an iterable of arrays, or a function that returns one; got "
                f"{type(chunks).__name__}."
            )
        self._chunks = chunks

    def chunks(self) -> Iterator[Chunk]:
        chunks = self._chunks() if callable(self._chunks) else self._chunks
        if not isinstance(chunks, Iterable):
            raise TypeError(
                f"{self} must return an iterable of arrays; it returned {type(chunks).__name__}."
            )
        return iter(chunks)

    def __str__(self) -> str:
        return f"the {type(self._chunks).__name__} of chunks"


class NpySource(RowSource):
    """Rows of a ``.npy`` file, read and not mapped, so that they leave memory again.

    The file is opened anew for every reading, and must hold an array of the same shape, type and
    order each time.

    Parameters
    ----------
    path : str or path-like
    memory : int, default=2**28
        As for `RowSource`.

    Raises
    ------
    ValueError
        If the file is no array of numbers in rows and columns, or ends before the last of them;
        when rows are read, if it holds another array by now.
    OSError
        If it cannot be read, or is no regular file.
    """

    fresh_chunks = True

    def __init__(self, path: StrPath, *, memory: int = MEMORY) -> None:
        super().__init__(memory=memory)
        self._file = NpyFile(path)
        self.path = self._file.path
        self.n_rows = self._file.n_rows

    def chunks(self) -> Iterator[AnyArray]:
        row_bytes = self._file.n_columns * self._file.dtype.itemsize
        return self._file.pieces(max(1, self.memory // 16 // row_bytes))

    def __str__(self) -> str:
        return self.path


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

    fresh_chunks = True

    def __init__(
        self,
        data: Any,
        *,
        columns: Sequence[str] | None = None,
        weights: str | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(memory=memory)
        if isinstance(columns, str):
            raise TypeError(
                f"columns must be a list of names; got {shown(columns)}. Pass [{shown(columns)}]."
            )
        if not hasattr(data, "select") and not hasattr(data, "to_batches"):
            raise TypeError(
                f"data is a {type(data).__name__}, and not a table, record batch or data set of "
                "pyarrow. Of a reader, pass reader.read_all()."
            )
        known = list(data.schema.names)
        all_columns = columns is None
        if columns is None:
            columns = [name for name in known if name != weights]
        self._check_columns("columns", columns, known)
        self._check_columns("weights", [] if weights is None else [weights], known)
        if weights in columns:
            raise ValueError(
                f"columns: {shown(weights)} holds the weights of {self}. Leave it out."
            )
        if not columns:
            raise ValueError(f"columns: {self} has no column to read beside the weights.")
        self._data = data
        self._columns = list(columns)
        self._all_columns = all_columns
        self._weights = weights
        self._is_table = hasattr(data, "num_rows")
        if self._is_table:
            self.n_rows = data.num_rows
        else:
            with self._readable():
                self.n_rows = known_rows(data)

    def _check_columns(self, argument: str, names: Sequence[str], known: list[str]) -> None:
        for name in names:
            if known.count(name) != 1:
                several = "more than one column" if name in known else "no column"
                raise ValueError(
                    f"{argument}: {self} has {several} named {shown(name)}. Choose from "
                    f"{listed(known, most=10)}."
                )
            if names.count(name) != 1:
                raise ValueError(f"{argument}: {shown(name)} is there twice. Name each once.")

    def columns_named(self, names: Sequence[str]) -> ArrowSource:
        self._check_columns("columns", names, list(self._data.schema.names))
        named = copy.copy(self)
        named._columns, named._all_columns = list(names), False
        return named

    def chunks(self) -> Iterator[Chunk]:
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


def as_source(X: Any) -> RowSource | None:
    """The source that X stands for; None where it is an array, a table, or neither.

    A path of a ``.npy`` file or of Parquet files, a sequence of paths, a pyarrow data set, an
    Arrow table larger than the memory a source may use, a list of chunks, and any other object
    that can be iterated over and is no array.
    """
    if isinstance(X, RowSource):
        return X
    if isinstance(X, (str, os.PathLike)):
        return _file_source(os.fspath(X))
    if isinstance(X, (list, tuple)):
        return _sequence_source(X)
    if hasattr(X, "to_batches") and hasattr(X, "schema"):
        # A table that is small is laid side by side once and not in every pass.
        large = not hasattr(X, "num_rows") or X.nbytes > KEPT
        return ArrowSource(X) if large else None
    if _is_iterable_of_chunks(X):
        return ChunkSource(X)
    if inspect.isroutine(X):
        raise TypeError(
            "X is a function. If it returns an iterable of chunks, pass "
            "gaussmix.sources.ChunkSource(X)."
        )
    return None


@explains_failures
def _file_source(path: str) -> RowSource:
    """The source that reads what a path names; its content decides which."""
    if os.path.exists(path) and not os.path.isdir(path):
        with open_regular(path) as file:
            start = file.read(len(MAGIC))
        if start == MAGIC:
            return NpySource(path)
        if start[:4] != b"PAR1":
            raise TableError(
                f"{path}: is neither a .npy nor a Parquet file. Read it with pandas or NumPy and "
                "pass the rows, or use the command line: gaussmix fit takes CSV"
            )
    elif not os.path.isdir(path) and not glob.has_magic(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return ParquetSource(path)


def _sequence_source(X: Sequence[Any]) -> RowSource | None:
    """The source that a list stands for; None where it is a list of rows."""
    if not X:
        return None
    if all(isinstance(item, (str, os.PathLike)) for item in X):
        return ParquetSource(X)
    if all(_is_chunk(item) for item in X):
        return ChunkSource(X)
    return None


def _is_chunk(item: Any) -> bool:
    """Whether an item of a list is a two-dimensional array or a table, maybe with weights."""
    if isinstance(item, tuple) and len(item) == 2:
        item = item[0]
    return len(getattr(item, "shape", ())) == 2


def _is_iterable_of_chunks(X: Any) -> bool:
    """Whether X can be iterated over, and is nothing that NumPy makes an array of."""
    array_like = ("__array__", "__array_interface__", "__dataframe__", "__getitem__", "dtype")
    if isinstance(X, (set, frozenset)) or any(hasattr(X, name) for name in array_like):
        return False
    return isinstance(X, Iterable)
