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
"""

from __future__ import annotations

from ..._common.families import LAYOUTS, CovarianceType, LayoutName
from .base import CollapsedComponent, Layout
from .diagonal import DIAGONAL
from .full import FULL
from .spherical import SPHERICAL
from .tied import TIED

__all__ = [
    "DIAGONAL",
    "FULL",
    "SPHERICAL",
    "TIED",
    "CollapsedComponent",
    "Layout",
    "layout_of",
]

_BY_NAME: dict[LayoutName, Layout] = {
    layout.name: layout for layout in (FULL, TIED, DIAGONAL, SPHERICAL)
}


def layout_of(covariance_type: CovarianceType) -> Layout:
    """The layout of a family's covariances."""
    return _BY_NAME[LAYOUTS[covariance_type]]
