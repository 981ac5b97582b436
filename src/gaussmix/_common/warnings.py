"""Warnings that point at the user's line."""

from __future__ import annotations

import os
import sys
import warnings
from types import FrameType

# The directory of gaussmix, which this sub-package lies in.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def warn(warning: str | Warning) -> None:
    """Issue a warning that points at the first line outside this package."""
    level = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(warning, stacklevel=level)
