"""The covariance families by name, and how each lays out its covariances.

``K`` is the number of components, ``d`` the number of features. A layout is the shape that the
covariances, the precisions, their factors and the second moments of a family share; all that is
computed from them depends on the layout alone, but for the M-step, which is the family's own:

==========  =========  ==================================
layout      shape      holds
==========  =========  ==================================
full        (K, d, d)  a matrix for each component
tied        (d, d)     one matrix
diag        (K, d)     variances of a component's columns
spherical   (K,)       one variance for each component
==========  =========  ==================================
"""

from __future__ import annotations

from typing import Literal, TypeAlias

CovarianceType: TypeAlias = Literal["full", "tied", "diag", "spherical"]
LayoutName: TypeAlias = Literal["full", "tied", "diag", "spherical"]

LAYOUTS: dict[CovarianceType, LayoutName] = {
    "full": "full",
    "tied": "tied",
    "diag": "diag",
    "spherical": "spherical",
}

COVARIANCE_TYPES = LAYOUTS.keys()
