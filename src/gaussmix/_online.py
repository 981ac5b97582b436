"""Where pickles of earlier versions look for a class that has moved."""

from __future__ import annotations

from ._statistics.running import Running

__all__ = ["Running"]
