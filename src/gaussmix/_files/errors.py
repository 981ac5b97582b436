"""Why a file is refused."""

from __future__ import annotations

from .._common.text import printable


class TableError(ValueError):
    """A file that cannot be read or written as asked. The message is one line that names it."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class OutputError(TableError):
    """An output that cannot be written, whatever the file that is read."""


class Refusal(Exception):
    """A reason to refuse a file or a model; the public functions add the path."""
