"""Which source an object stands for."""

from __future__ import annotations

import errno
import glob
import inspect
import os
from collections.abc import Iterable, Sequence
from typing import Any

from ..._common.failures import explains_failures
from ..._files.errors import TableError
from ..._files.paths import files_of
from ..._files.tables.formats import CSV_ENDINGS, PARQUET_ENDINGS, file_format
from .arrow import ArrowSource, ParquetSource
from .base import MEMORY, ChunkSource, RowSource
from .csv import CsvSource
from .npy import NpySource

# Arrow tables of more bytes are not laid side by side as a whole.
KEPT = MEMORY // 2


def as_source(X: Any) -> RowSource | None:
    """The source that X stands for; None where it is an array, a table, or neither.

    A path of a ``.npy`` file, or of CSV or Parquet files, a sequence of paths, a pyarrow data set,
    an Arrow table larger than the memory a source may use, a list of chunks, and any other object
    that can be iterated over and is no array.
    """
    if isinstance(X, RowSource):
        return X
    if isinstance(X, (str, os.PathLike)):
        return _file_source([os.fspath(X)])
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
def _file_source(paths: list[str]) -> RowSource:
    """The source that reads what paths name; the content of the first file decides which."""
    first = paths[0]
    is_one = os.path.exists(first) and not os.path.isdir(first)
    if not is_one and not os.path.isdir(first) and not glob.has_magic(first):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), first)
    files = [first] if is_one else files_of(first, [*PARQUET_ENDINGS, *CSV_ENDINGS])
    if os.path.isdir(first):
        # Other files may stand beside those of Parquet.
        files.sort(key=lambda file: not file.lower().endswith(PARQUET_ENDINGS))
    kind = file_format(files[0])
    if kind == "csv":
        return CsvSource(paths)
    if kind == "parquet":
        return ParquetSource(paths)
    if len(paths) == 1 and is_one:
        return NpySource(first)
    raise TableError(
        f"{files[0]}: is a .npy file, of which one is read at a time. Pass a list of arrays, "
        "[numpy.load(path, mmap_mode='r') for path in paths]."
    )


def _sequence_source(X: Sequence[Any]) -> RowSource | None:
    """The source that a list stands for; None where it is a list of rows."""
    if not X:
        return None
    if all(isinstance(item, (str, os.PathLike)) for item in X):
        return _file_source([os.fspath(path) for path in X])
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


as_source.__module__ = "gaussmix.sources"
