"""What the machine lacks, said where NumPy, CPython and others fail for want of it."""

from __future__ import annotations

import contextlib
import errno
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

from .text import said

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def explains_failures(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that says what the machine lacks, where NumPy, CPython and others fail to.

    That is MemoryError for memory, and the limit for open files. Inside it NumPy says nothing
    about numbers that overflow or vanish, whatever the caller has set with `numpy.seterr`: a
    result, or an error that explains, comes of extreme data. Not for functions in which a
    microsecond counts.
    """

    # One function for all of this, as each that calls another takes time.
    @functools.wraps(function)
    def explaining(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            with np.errstate(all="ignore"):
                return function(*args, **kwargs)
        except OSError as error:
            if not _is_unexplained_lack_of_files(error):
                raise
            raise _too_many_files(error) from error
        except (SystemError, RuntimeError) as error:
            if not _is_lack_of_memory(error):
                raise
            raise MemoryError(f"NumPy or Python had no memory to go on ({error}).") from error

    return explaining


# --- memory --------------------------------------------------------------------------------------

# What the interpreter says where NumPy gives up without an exception, as it does when it has no
# memory for an iterator, and what CPython says about the locks of files and random generators.
_OUT_OF_MEMORY = (
    "without exception set",
    "without setting an exception",
    "can't allocate lock",
    "can't allocate read lock",
)


def _is_lack_of_memory(error: Exception) -> bool:
    return any(sign in str(error) for sign in _OUT_OF_MEMORY)


# --- open files ----------------------------------------------------------------------------------

_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_AS_MANY_OPEN = "this process has as many open as"


def _is_unexplained_lack_of_files(error: OSError) -> bool:
    # A function that was called from the one that failed may have said so already.
    return error.errno in _TOO_MANY_FILES and _AS_MANY_OPEN not in str(error.strerror)


def _too_many_files(error: OSError) -> OSError:
    """The exception for a file that cannot be opened because so many are."""
    limit = "may have"
    with contextlib.suppress(ImportError):  # on Windows
        import resource

        limit = f"may have {resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}"
    what = "" if error.filename is not None else f" ({said(error.strerror)})"
    return OSError(
        error.errno,
        f"Too many open files: {_AS_MANY_OPEN} it {limit} at a time{what}. Raise "
        "the limit (ulimit -n, LimitNOFILE=, --ulimit nofile=), close files, or join many small "
        "files to fewer",
        error.filename,
    )
