"""Families whose axes are the columns: EII, EEI, VEI and EVI."""

from __future__ import annotations

import numpy as np

from ..._common.families import CovarianceType
from ..._common.typing import Doubles
from ..._parameters.linear_algebra import weighted_sum
from ..._parameters.mixture import MixtureParameters
from .base import CovarianceFamily
from .variances import Rule, equal, equal_shape, equal_volume


class EqualSpheres(CovarianceFamily):
    """EII: one variance for all components and columns."""

    def __init__(self, name: CovarianceType) -> None:
        self.name = name

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return 1

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        pooled = np.full_like(scatter, weighted_sum(nk / nk.sum(), scatter))
        if least is not None:
            self.layout.raise_variances(pooled, least)
        return pooled


class Diagonal(CovarianceFamily):
    """Variances of the columns that a rule binds to each other."""

    def __init__(self, name: CovarianceType, rule: Rule) -> None:
        self.name = name
        self._rule = rule

    def n_parameters(self, n_components: int, n_features: int) -> int:
        if self._rule is equal:
            return n_features
        if self._rule is equal_shape:
            return n_components + n_features - 1
        return 1 + n_components * (n_features - 1)

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        bound = None if least is None else np.broadcast_to(least, scatter.shape)
        return self._rule(scatter, nk, bound)


DIAGONAL = [
    *(EqualSpheres(name) for name in ("EII", "tied-spherical")),
    *(Diagonal(name, equal) for name in ("EEI", "tied-diag")),
    Diagonal("VEI", equal_shape),
    Diagonal("EVI", equal_volume),
]
