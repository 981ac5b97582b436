"""Where `_common.text` was: names for imports that are yet to be pointed there."""

from __future__ import annotations

from ._common.text import (
    MOST_LISTED,
    NAME_LENGTH,
    SAID_LENGTH,
    VALUE_LENGTH,
    counted,
    listed,
    plain,
    printable,
    said,
    shown,
)

__all__ = [
    "MOST_LISTED",
    "NAME_LENGTH",
    "SAID_LENGTH",
    "VALUE_LENGTH",
    "counted",
    "listed",
    "plain",
    "printable",
    "said",
    "shown",
]
