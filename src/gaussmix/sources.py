"""Rows that are read a chunk at a time: files, Arrow tables and data sets, anything re-iterable.

`GaussianMixture` takes these wherever it takes an array to fit or to score. It makes them itself
of the path of a file, a list of chunks and so on, see `as_source`; to choose columns, weights or
the memory used, make one.
"""

from ._rows.sources.arrow import ArrowSource, ParquetSource
from ._rows.sources.base import Chunk, ChunkSource, RowsLike, RowSource
from ._rows.sources.csv import CsvSource
from ._rows.sources.npy import NpySource
from ._rows.sources.recognise import as_source

__all__ = [
    "ArrowSource",
    "Chunk",
    "ChunkSource",
    "CsvSource",
    "NpySource",
    "ParquetSource",
    "RowSource",
    "RowsLike",
    "as_source",
]
