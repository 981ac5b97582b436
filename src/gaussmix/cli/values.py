"""What the text of an argument is read as; argparse says what is raised."""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Callable

from .._common.text import shown

# The least that `fit --memory` may be.
LEAST_MEMORY = 1_000_000


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """What reads a whole number from `minimum` to `maximum`, or to the largest of the machine."""
    most = sys.maxsize if maximum is None else maximum

    def read(text: str) -> int:
        # Python refuses to read some thousand digits, and what has so many is too large anyway.
        digits = text.lstrip("0")[: len(str(most)) + 1] or "0"
        value = int(digits) if text.isascii() and text.isdigit() else -1
        if not minimum <= value <= most:
            at_least = maximum is None and value <= most
            allowed = f"of at least {minimum}" if at_least else f"from {minimum} to {most}"
            raise argparse.ArgumentTypeError(
                f"must be a whole number {allowed}, not {shown(text)}"
            )
        return value

    return read


def memory(text: str) -> int:
    """A number of bytes, as in "256MB" or "1.5GiB"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT])(i?)B?", text, re.IGNORECASE | re.ASCII)
    size = 0.0
    if match is not None:
        unit = 1024 if match[3] else 1000
        size = float(match[1]) * unit ** ("kmgt".index(match[2].lower()) + 1)
    if not LEAST_MEMORY <= size < 2**63:
        raise argparse.ArgumentTypeError(
            f"must be a size of at least 1MB with its unit, as 256MB or 2GiB, not {shown(text)}"
        )
    return int(size)


def number_from_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {shown(text)}")
    return value


def fraction(text: str) -> float:
    value = number_from_zero(text)
    if not value < 1:
        raise argparse.ArgumentTypeError(f"must be a fraction below 1, not {shown(text)}")
    return value


def share(text: str) -> float:
    value = fraction(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"must be a fraction above 0, not {shown(text)}")
    return value


def column_list(text: str) -> tuple[str, ...]:
    """Split a list of columns as a CSV row, so that a name with a comma can be quoted."""
    return _split(text, "columns")


def word_list(text: str) -> tuple[str, ...]:
    """Split a list of words as one of columns."""
    return _split(text, "words")


def _split(text: str, what: str) -> tuple[str, ...]:
    try:
        words = [word.strip() for word in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error:  # a field beyond the module's limit
        words = []
    if not words or "" in words:
        raise argparse.ArgumentTypeError(f"must be {what} separated by commas, not {shown(text)}")
    return tuple(words)
