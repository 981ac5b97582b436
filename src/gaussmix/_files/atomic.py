"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

# What a write answers when the disk, the quota or the limit on a file's size is reached; such an
# error names no file.
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

# What `replacing` calls a file that is not finished.
_TEMPORARY = re.compile(r"\.gaussmix-[0-9a-f]{16}\.tmp")


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
