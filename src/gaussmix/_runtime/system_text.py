"""What the system tells in text: its files, and the numbers in them."""

from __future__ import annotations

import sys
from pathlib import Path


def whole_number(text: str) -> int | None:
    """The number that digits spell; None for other text, and for more than a double holds."""
    # The interpreter refuses to read thousands of digits.
    if not text.isdecimal() or len(text.lstrip("0")) > sys.float_info.max_10_exp:
        return None
    return int(text)


def read_text(path: Path) -> str:
    """The text of a file; none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
