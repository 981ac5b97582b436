"""How covariances lie in memory, and all that follows from that alone.

``K`` is the number of components, ``d`` the number of features. A layout is the shape that the
covariances, the precisions, their factors and the second moments of a family share. One object for
each has everything that depends on it:

    base         what a layout is asked; a covariance that collapses
    matrices     what "full" and "tied" have in common: matrices, their factors, their directions
    full         a matrix for each component, (K, d, d)
    tied         one matrix, (d, d)
    diagonal     variances of a component's columns, (K, d)
    spherical    one variance for each component, (K,)
    turned       matrices that share axes, or all but their size; "full" in memory
"""

from __future__ import annotations

from ..._common.families import LAYOUTS, CovarianceType, LayoutName
from .base import CollapsedComponent, Layout, Reading
from .diagonal import DIAGONAL
from .full import FULL
from .spherical import SPHERICAL
from .tied import TIED
from .turned import COMMON_AXES, COMMON_MATRIX

__all__ = [
    "COMMON_AXES",
    "DIAGONAL",
    "FULL",
    "SPHERICAL",
    "TIED",
    "CollapsedComponent",
    "Layout",
    "Reading",
    "layout_of",
]

_BY_NAME: dict[LayoutName, Layout] = {
    layout.name: layout for layout in (FULL, TIED, DIAGONAL, SPHERICAL)
}

_BY_FAMILY: dict[CovarianceType, Layout] = {
    family: _BY_NAME[name] for family, name in LAYOUTS.items()
} | {"VEE": COMMON_MATRIX, "EVE": COMMON_AXES, "VVE": COMMON_AXES}


def layout_of(covariance_type: CovarianceType) -> Layout:
    """The layout of a family's covariances."""
    return _BY_FAMILY[covariance_type]
