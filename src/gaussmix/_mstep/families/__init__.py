"""The covariance families: the sets of covariances that a mixture can be asked for.

    base             what a family is asked
    unconstrained    all covariances of a layout: "full", "tied", "diag" and "spherical"

`FAMILIES` has them by the name that ``covariance_type`` takes. A new family is a class in a module
here, an entry there, and its layout's name in `_common.families.LAYOUTS`.
"""

from __future__ import annotations

from ..._common.families import CovarianceType
from .base import CovarianceFamily
from .unconstrained import UNCONSTRAINED

FAMILIES: dict[CovarianceType, CovarianceFamily] = {
    family.name: family for family in UNCONSTRAINED
}
