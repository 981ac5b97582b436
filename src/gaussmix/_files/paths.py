"""Files by their paths: which files a path stands for, and those opened that are regular."""

from __future__ import annotations

import contextlib
import errno
import glob
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from .._common.typing import StrPath
from .errors import TableError


def files_of(path: str, endings: Sequence[str]) -> list[str]:
    """The files that a path stands for.

    A directory stands for the files in it, at any depth, that end as tables do; a pattern for
    those that match. Names in a directory that begin with "." or "_" are left out, as markers and
    unfinished files have them.

    Raises
    ------
    TableError
        For a directory or a pattern without a file.
    """
    if os.path.isdir(path):
        below = (file.relative_to(path) for file in Path(path).rglob("*"))
        found = sorted(str(Path(path, file)) for file in below if _is_table(path, file, endings))
        if not found:
            raise TableError(
                f"{path}: the directory holds no file that ends in {', '.join(endings)}"
            )
        return found
    if os.path.exists(path) or not glob.has_magic(path):
        return [path]
    found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
    if not found:
        raise TableError(f"{path}: no file matches the pattern")
    return found


def _is_table(directory: str, file: Path, endings: Sequence[str]) -> bool:
    hidden = any(part.startswith((".", "_")) for part in file.parts)
    ends = file.name.lower().endswith(tuple(endings))
    return not hidden and ends and Path(directory, file).is_file()


def is_read_once(path: str) -> bool:
    """Whether this is standard input or a pipe."""
    return path == "-" or (os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode))


def require_regular(path: StrPath) -> None:
    """Raise an `OSError` that names the path where it is no regular file.

    A pipe could be waited for without end and a device has no end; a file that is not there is
    another `OSError`.
    """
    _check_kind(path, os.stat(path).st_mode)


def open_regular(path: StrPath) -> io.FileIO:
    """Open a regular file to read bytes, unbuffered.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file; a pipe is not waited for.
    """
    require_regular(path)
    # The file may have become another one since it was looked at.
    return _opened(path, "r", getattr(os, "O_NONBLOCK", 0))


def open_to_append(path: StrPath) -> io.FileIO:
    """Open a regular file to read it and to append to it, unbuffered; make it if there is none.

    A symbolic link is not followed: what it points to need not be this program's.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file; a pipe is not waited for.
    """
    with contextlib.suppress(FileNotFoundError):
        _check_kind(path, os.lstat(path).st_mode)

    return _opened(path, "a+", getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def _opened(path: StrPath, mode: str, more: int) -> io.FileIO:
    """Open a file with flags of the system beside those of the mode, if it is regular."""
    file = io.FileIO(
        os.fspath(path), mode, opener=lambda name, flags: os.open(name, flags | more, 0o666)
    )
    try:
        _check_kind(path, os.fstat(file.fileno()).st_mode)
    except OSError:
        file.close()
        raise
    return file


def _check_kind(path: StrPath, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a symbolic link"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    raise OSError(errno.EINVAL, f"is {kind}, and not a regular file", path)
