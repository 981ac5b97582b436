"""Where `_common.caching` was: names for imports that are yet to be pointed there."""

from __future__ import annotations

from ._common.caching import (
    cached_property,
)

__all__ = ["cached_property"]
