"""The names of the covariance families, and of their layouts, as the library has them."""

from __future__ import annotations

from gaussmix import _layouts

COVARIANCE_TYPES = tuple(_layouts.COVARIANCE_TYPES)
LAYOUTS = tuple(dict.fromkeys(_layouts.LAYOUTS.values()))
