"""The covariance families: the sets of covariances that a mixture can be asked for.

    base             what a family is asked
    unconstrained    all covariances of a layout: "full", "tied", "diag" and "spherical"
    variances        how the variances of several components along axes bind each other
    diagonal         the columns are the axes: EII, EEI, VEI, EVI
    decomposition    axes of each component or of all, and variances along them: EEV, VEV, EVE, VVE
    ellipsoidal      bound by determinants, whatever the columns' units: VEE, EVV

`FAMILIES` has them by the name that ``covariance_type`` takes. A new family is a class in a module
here, an entry there, and its layout's name in `_common.families.LAYOUTS`.
"""

from __future__ import annotations

from ..._common.families import CovarianceType
from .base import CovarianceFamily
from .decomposition import DECOMPOSED
from .diagonal import DIAGONAL
from .ellipsoidal import ELLIPSOIDAL
from .unconstrained import UNCONSTRAINED

FAMILIES: dict[CovarianceType, CovarianceFamily] = {
    family.name: family for family in (*UNCONSTRAINED, *DIAGONAL, *DECOMPOSED, *ELLIPSOIDAL)
}
