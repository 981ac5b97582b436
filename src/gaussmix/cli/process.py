"""What a command asks of its process: standard streams, and SIGTERM as an exception."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn


@contextlib.contextmanager
def usable_streams() -> Iterator[None]:
    """Let messages go through whatever standard streams the process was started with.

    A stream that was closed then is None. ``print`` leaves out what goes to such a standard
    output, but would send there what is meant for such a standard error.
    """
    with contextlib.ExitStack() as stack:
        if sys.stderr is None:
            devnull = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stderr(devnull))
        for stream in (sys.stdout, sys.stderr):
            # Column and file names need not exist in the encoding of the terminal.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        yield


def reader_has_gone(error: OSError) -> bool:
    """Whether our output was a pipe whose reader has ended, as `head` does."""
    if sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None:
        return True  # what Windows calls it
    return isinstance(error, BrokenPipeError)


@contextlib.contextmanager
def termination_as_exception() -> Iterator[None]:
    """Let SIGTERM, too, unwind the stack, so that unfinished outputs are removed."""

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
