"""What a command says on standard error: lines, and a progress bar."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from .._common.text import plain
from .._files.tables.base import Table

# Characters of a message.
MOST_CHARACTERS = 2000


def say(message: str) -> None:
    """Print one line on standard error, if anybody still reads it.

    Names of files and columns may hold what a terminal would obey; it is escaped. What argparse
    repeats of an argument may have any length; it is cut.
    """
    with contextlib.suppress(OSError):
        line = plain(" ".join(message.split()), MOST_CHARACTERS)
        print(f"gaussmix: {line}", file=sys.stderr)


def fail(message: str) -> int:
    say(f"error: {message}")
    return 2


def text_of(error: BaseException) -> str:
    """What an error says: of one of the system, the file and what is wrong with it."""
    if isinstance(error, MemoryError):
        return f"out of memory; {error}" if str(error) else "out of memory"
    if not isinstance(error, OSError):
        return str(error)
    path = error.filename
    name = os.fsdecode(path) if isinstance(path, bytes) else path
    where = f"{name or repr(name)}: " if name is not None else ""
    return where + (error.strerror or str(error))


def show_warning(message: Warning | str, *_where: object, **_how: object) -> None:
    say(f"warning: {message}")


@contextlib.contextmanager
def progress_bar(quiet: bool, about: str | None = None) -> Iterator[Callable[[Table], object]]:
    """A bar on a terminal where tqdm is installed; yields what to call after each block."""
    if sys.stderr.isatty() and not quiet:
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            with contextlib.ExitStack() as stack:
                bars: list[tqdm[object]] = []

                def show(table: Table) -> None:
                    if not bars:
                        total = table.size or None
                        bar = tqdm(
                            desc=about, total=total, unit=table.unit, unit_scale=True,
                            leave=False, file=sys.stderr,
                        )  # fmt: skip
                        bars.append(stack.enter_context(bar))
                    bars[0].update(table.position - bars[0].n)

                yield show
            return
    yield lambda table: None
