"""Which fields of delimited text are numbers, and which stand for a missing value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ..._common.typing import Doubles

# What stands for a missing value, in any case, beside an empty field.
MISSING = frozenset({"na", "n/a", "nan", "null", "none", "nil", "#n/a", "?", "."})


def read_number(field: str) -> float | None:
    """Return the number a field spells, or None. Underscores, which Python allows, are not one."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


class MissingWords:
    """The words that stand for a missing value: those that are known to, and others.

    Parameters
    ----------
    words : sequence of str
        The others, in any case. One that spells a number stands for that number however it is
        written, as -999 does for -999.0.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        values = {word.strip().lower(): read_number(word) for word in words}
        self._words = MISSING | values.keys()
        self._numbers = [value for value in values.values() if value is not None]

    def is_missing(self, field: str) -> bool:
        field = field.strip().lower()
        if not field or field in self._words:
            return True
        return bool(self._numbers) and read_number(field) in self._numbers

    def are_plain(self, values: Sequence[float]) -> bool:
        """Whether all values of a row are finite, as far as a sum tells, and none is missing."""
        if self._numbers and any(value in self._numbers for value in values):
            return False
        return math.isfinite(sum(values))

    def as_nan(self, block: Doubles) -> None:
        """Write NaN over the numbers that stand for a missing value."""
        if self._numbers:
            block[np.isin(block, self._numbers)] = np.nan

    def with_nan(self, text: str, delimiter: str) -> str:
        """Write "nan" for every missing value of lines without quotes; a space is any blanks."""
        # The longest first, and nothing that has been matched is tried otherwise: so the time is
        # proportional to the text, whatever is in it. A word with a delimiter is no whole field
        # here, as it would need quotes.
        whole = [word for word in self._words if not {delimiter, "\t", "\n", '"'} & {*word}]
        words = "|".join(map(re.escape, sorted(whole, key=len, reverse=True)))
        if delimiter == " ":
            missing = rf"(?<![^ \t\n])(?:{words})(?![^ \t\n])"
        else:
            edge = rf"[^{re.escape(delimiter)}\n]"
            missing = rf"(?<!{edge}) *+(?:{words})?+ *+(?!{edge})"
        return re.sub(missing, "nan", text.removesuffix("\n"), flags=re.IGNORECASE)
