"""All covariances of a layout, as in scikit-learn: the scatter is the estimate."""

from __future__ import annotations

from typing import get_args

from ..._common.families import CODES, CovarianceType, LayoutName
from ..._common.typing import Doubles
from ..._parameters.mixture import MixtureParameters
from .base import CovarianceFamily


class Unconstrained(CovarianceFamily):
    """All that a layout can hold."""

    constrained = False

    def __init__(self, name: CovarianceType) -> None:
        self.name = name

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return self.layout.n_parameters(n_components, n_features)

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        if least is not None:
            self.layout.raise_variances(scatter, least)
        return scatter


UNCONSTRAINED = [
    Unconstrained(name) for layout in get_args(LayoutName) for name in (layout, CODES[layout])
]
