"""Files of bytes that a caller has opened: written to, and read to their end.

Anything that writes or reads counts, be it on a disk, in memory, in an archive or a network away.
Nothing here closes one, and nothing seeks.
"""

from __future__ import annotations

import io
import os
from typing import Any

from .._common.text import printable, shown
from .._common.typing import ReadsBytes, WritesBytes

# Bytes asked for at a time.
_BLOCK = 1 << 20


def is_path(file: object) -> bool:
    """Whether this names a file, and is none that is open."""
    return isinstance(file, (str, bytes, os.PathLike))


def called(file: object) -> str:
    """What messages call a path, or an open file: by its own name, or by its type."""
    if isinstance(file, (str, bytes, os.PathLike)):
        return os.fsdecode(file)
    name = getattr(file, "name", None)
    if isinstance(name, (str, bytes)) and name:
        return os.fsdecode(name)
    return f"<{type(file).__name__}>"


def write_whole(file: WritesBytes, contents: bytes) -> None:
    """Write bytes to an open file, all of them, past its buffer.

    Raises
    ------
    TypeError
        For what is no file, or one of text.
    OSError
        As the file raises it, and where it takes fewer bytes than it is given. What has been
        written by then stays there.
    """
    _check(file, "write", "writable", "wb")
    rest = memoryview(contents)
    while rest:
        written: Any = file.write(bytes(rest) if len(rest) < len(contents) else contents)
        if written is None and not isinstance(file, io.RawIOBase):
            break  # of its own making: it says nothing about what it took
        if not written:
            taken = len(contents) - len(rest)
            raise OSError(
                f"{_said(file)}: took {taken:,} of {len(contents):,} bytes and no more. Write to "
                "a file that waits until it has room, as open(path, 'wb') does."
            )
        rest = rest[written:]
    flush = getattr(file, "flush", None)
    if callable(flush):
        flush()  # a full disk may be noticed only now


def read_whole(file: ReadsBytes, start: bytes) -> bytes:
    """All bytes of an open file from where it stands; where it does not begin with `start`, which
    an endless one may not, only the first few.

    Raises
    ------
    TypeError
        For what is no file, or one of text.
    OSError
        As the file raises it, and where it does not wait for bytes that are still to come.
    """
    _check(file, "read", "readable", "rb")
    read = bytearray()
    while read.startswith(start[: len(read)]):
        piece = _piece(file, _BLOCK if len(read) >= len(start) else len(start) - len(read))
        if not piece:
            break
        read += piece
    return bytes(read)


def _piece(file: ReadsBytes, size: int) -> bytes:
    """The next bytes, none at the end."""
    piece: Any = file.read(size)
    if piece is None:
        raise BlockingIOError(
            f"{_said(file)}: has no more bytes yet. Read from a file that waits for them, as "
            "open(path, 'rb') does."
        )
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        if isinstance(piece, str):
            raise _of_text(file, "rb")
        raise TypeError(f"{_said(file)}: read() returned {shown(piece)}. Pass a file of bytes.")
    return bytes(piece)


def _check(file: object, method: str, able: str, mode: str) -> None:
    """Refuse what is no file of bytes that has this method."""
    if not callable(getattr(file, method, None)):
        raise TypeError(
            f"path must be a path or an open file of bytes, and {type(file).__name__} has no "
            f"{method}(). Got {shown(file)}. Pass a path, or open(path, '{mode}')."
        )
    if isinstance(file, io.TextIOBase) or getattr(file, "encoding", None) is not None:
        raise _of_text(file, mode)
    can = getattr(file, able, None)
    if callable(can) and not can():
        raise io.UnsupportedOperation(
            f"{_said(file)}: the file is open, and not to {method}. Open it with mode '{mode}'."
        )


def _of_text(file: object, mode: str) -> TypeError:
    return TypeError(
        f"{_said(file)}: the file is open for text, and a model is bytes. Open it with mode "
        f"'{mode}'; in memory use io.BytesIO."
    )


def _said(file: object) -> str:
    return printable(called(file))
