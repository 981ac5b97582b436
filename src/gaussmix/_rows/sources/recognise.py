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
from ..._files.paths import open_regular
from ..._files.tables.npy import MAGIC
from .arrow import ArrowSource, ParquetSource
from .base import MEMORY, ChunkSource, RowSource
from .npy import NpySource

# Arrow tables of more bytes are not laid side by side as a whole.
KEPT = MEMORY // 2


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


as_source.__module__ = "gaussmix.sources"
