"""Where pickles of earlier versions look for a class that has moved."""

from __future__ import annotations

from .exceptions import ModelFileError

__all__ = ["ModelFileError"]
