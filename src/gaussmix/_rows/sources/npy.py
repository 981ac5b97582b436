"""Rows of ``.npy`` files."""

from __future__ import annotations

from collections.abc import Iterator

from ..._common.typing import AnyArray, StrPath
from ..._files.tables.npy import NpyFile
from .base import MEMORY, RowSource


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

    __module__ = "gaussmix.sources"

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
