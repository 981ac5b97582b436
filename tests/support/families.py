"""The names of the covariance families, and of their layouts, as the library has them."""

from __future__ import annotations

from gaussmix._common import families

COVARIANCE_TYPES = tuple(families.COVARIANCE_TYPES)
LAYOUTS = tuple(dict.fromkeys(families.LAYOUTS.values()))

#: The layout of each family, by its name.
LAYOUT_OF = families.LAYOUTS
