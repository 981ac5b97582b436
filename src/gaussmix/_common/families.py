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

The families are those of Banfield & Raftery (1993) and Celeux & Govaert (1995). A covariance is
written as volume times shape times orientation, ``lambda_k D_k A_k D_k'`` with ``|A_k| = 1``, and
a family's code has a letter for each: (E)qual in all components, (V)ariable, or (I)dentity, which
is a sphere as a shape and the columns themselves as an orientation. Four of them have had names of
their own in scikit-learn.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

CovarianceType: TypeAlias = Literal[
    "full", "tied", "diag", "spherical", "tied-diag", "tied-spherical",
    "EII", "VII", "EEI", "VEI", "EVI", "VVI",
    "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV",
]  # fmt: skip
LayoutName: TypeAlias = Literal["full", "tied", "diag", "spherical"]

LAYOUTS: dict[CovarianceType, LayoutName] = {
    "full": "full",
    "tied": "tied",
    "diag": "diag",
    "spherical": "spherical",
    "tied-diag": "diag",
    "tied-spherical": "spherical",
    "EII": "spherical",
    "VII": "spherical",
    "EEI": "diag",
    "VEI": "diag",
    "EVI": "diag",
    "VVI": "diag",
    "EEE": "tied",
    "VEE": "full",
    "EVE": "full",
    "VVE": "full",
    "EEV": "full",
    "VEV": "full",
    "EVV": "full",
    "VVV": "full",
}

COVARIANCE_TYPES = LAYOUTS.keys()

#: The codes of the families that have another name too.
CODES: dict[CovarianceType, CovarianceType] = {
    "full": "VVV",
    "tied": "EEE",
    "diag": "VVI",
    "spherical": "VII",
    "tied-diag": "EEI",
    "tied-spherical": "EII",
}

#: Where it is another, the family of the covariances of some columns, also given the others.
OF_COLUMNS: dict[CovarianceType, CovarianceType] = {
    "EVI": "VVI",
    "EVE": "VVV",
    "VVE": "VVV",
    "EEV": "VVV",
    "VEV": "VVV",
    "EVV": "VVV",
}

#: Where it is another, the family of covariances whose columns are multiplied, each by a number.
OF_RESCALED: dict[CovarianceType, CovarianceType] = {
    "spherical": "diag",
    "tied-spherical": "tied-diag",
    "EII": "EEI",
    "VII": "VEI",
    "EVE": "VVV",
    "VVE": "VVV",
    "EEV": "VVV",
    "VEV": "VVV",
}
