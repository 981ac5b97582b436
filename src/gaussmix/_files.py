"""Files by their paths: opened only where they are regular, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ._messages import printable
from ._typing import StrPath

# What a write answers when the disk, the quota or the limit on a file's size is reached; such an
# error names no file.
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

# What `replacing` calls a file that is not finished.
_TEMPORARY = re.compile(r"\.gaussmix-[0-9a-f]{16}\.tmp")


class TableError(ValueError):
    """A file that cannot be read or written as asked. The message is one line that names it."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


# --- reading -------------------------------------------------------------------------------------


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
    return not hidden and file.suffix.lower() in endings and Path(directory, file).is_file()


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


# --- writing -------------------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A temporary file beside `path` to fill, renamed to `path` when it is on disk.

    After any error, an interrupt included, `path` is as it was and the temporary file is gone.
    Errors of the file system name `path`.
    """
    mode = _mode_to_keep(path)
    directory = os.path.dirname(path) or os.curdir
    temporary = os.path.join(directory, f".gaussmix-{secrets.token_hex(8)}.tmp")
    try:
        file = open(temporary, "x+b")  # noqa: SIM115 - closed below, before the renaming
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    except BaseException:  # created, and then no memory for a buffer
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException as error:  # Ctrl-C too leaves no temporary file
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and (error.filename == temporary or error.errno in _NO_ROOM):
            raise OSError(error.errno, error.strerror, path) from error
        raise
    _sync_directory(directory)


def remove_unfinished(directory: str) -> None:
    """Remove the temporary files of `replacing` that killed processes have left behind."""
    for name in os.listdir(directory):
        if _TEMPORARY.fullmatch(name):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))


def _mode_to_keep(path: str) -> int | None:
    """The permissions of the file that will be replaced, None when there is none.

    Renaming would quietly replace things that are not the user's own plain file, or that he has
    protected; those are refused.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "is a symbolic link; save to the file it points to", path)
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is not a regular file", path)
    if not os.access(path, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
    return stat.S_IMODE(mode)


def _sync_directory(directory: str) -> None:
    """Make the renaming itself survive a power failure, where the system can do that."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # the new file is in its place; some file systems cannot say more
    finally:
        os.close(descriptor)
