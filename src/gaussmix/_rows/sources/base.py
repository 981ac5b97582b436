"""What a source of rows is asked; chunks of anything that can be iterated over again and again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..._common.text import shown

#: Bytes of rows held at a time, unless a source says otherwise.
MEMORY = 256 << 20

#: A chunk of rows, or that and the weights of the rows.
Chunk: TypeAlias = "ArrayLike | tuple[ArrayLike, ArrayLike]"

#: Rows to fit or to score: an array or a table of pandas, polars or Arrow, a source, or what
#: `as_source` makes one of.
RowsLike: TypeAlias = "ArrayLike | RowSource | os.PathLike[str] | Iterable[Chunk]"


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
    column_names : sequence of str or None
        Names of the columns of chunks that are arrays; a table brings its own. None, the default,
        where they have none.
    """

    __module__ = "gaussmix.sources"

    n_rows: int | None = None
    fresh_chunks = False
    column_names: Sequence[str] | None = None

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

    __module__ = "gaussmix.sources"

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
