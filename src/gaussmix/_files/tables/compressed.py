"""Text that is compressed, by gzip, bzip2 or xz, as a file of bytes that reads it decompressed."""

from __future__ import annotations

import importlib
import io

from ..._common.text import said
from ..errors import TableError
from .formats import kind_of

# Imported where they are used: each is missing from some builds of Python.
_MODULES = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma"}


class Decompressed(io.BufferedIOBase):
    """What a compressed file holds, read a part at a time.

    Parameters
    ----------
    path : str
        For messages.
    file : file of bytes
        Closed with this one.
    kind : {"gzip", "bzip2", "xz"}

    Raises
    ------
    TableError
        If it holds a table in another format than text, which would have to be read out of its
        order; also by what reads, where the file is damaged or cut off.
    """

    def __init__(self, path: str, file: io.FileIO, kind: str) -> None:
        self._path = path
        self._file = file
        try:
            module = importlib.import_module(_MODULES[kind])
        except ImportError as error:
            raise TableError(
                f"{path}: this Python was built without {kind}; decompress the file first"
            ) from error
        self._inside: io.BufferedReader = module.open(file, "rb")
        self._first = self._read(4)
        inside = kind_of(self._first)
        if inside is not None:
            raise TableError(
                f"{path}: holds {inside} data under {kind}; only CSV is read compressed, so "
                "decompress the file first"
            )

    def read1(self, size: int = -1, /) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            return self._inside.read1(size)
        except Exception as error:  # each module has several of its own
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise TableError(
                f"{self._path}: the compressed data is damaged or cut off: {said(error)}"
            ) from error

    def close(self) -> None:
        self._inside.close()
        self._file.close()
        super().close()
