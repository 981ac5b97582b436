"""All covariances of a layout, as in scikit-learn: the scatter is the estimate."""

from __future__ import annotations

from typing import get_args

from ..._common.families import CovarianceType, LayoutName
from ..._common.typing import Doubles
from ..._parameters.mixture import MixtureParameters
from .base import CovarianceFamily


class Unconstrained(CovarianceFamily):
    """All that a layout can hold, whose name it has."""

    constrained = False

    def __init__(self, name: CovarianceType) -> None:
        self.name = name

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return self.layout.n_parameters(n_components, n_features)

    def estimate(
        self, scatter: Doubles, nk: Doubles, previous: MixtureParameters | None
    ) -> Doubles:
        return scatter


UNCONSTRAINED = [Unconstrained(name) for name in get_args(LayoutName)]
