"""Families of axes and variances along them: EEV and VEV, EVE and VVE.

A covariance is ``D_k diag(t_k) D_k'`` with orthonormal axes D_k, each component's own or the same
for all, and a rule binds the variances. These families change with the columns' units.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._common.families import CovarianceType
from ..._common.typing import Doubles
from ..._parameters import linear_algebra
from ..._parameters.layouts import COMMON_AXES
from ..._parameters.layouts.matrices import diagonals, principal_axes
from ..._parameters.linear_algebra import product, symmetric_product, transposed, weighted_sum
from ..._parameters.mixture import MixtureParameters
from .base import CovarianceFamily
from .variances import Rule, equal, equal_shape, equal_volume, free

# Sweeps over all pairs of axes: of an orientation that is known nearly, and of one that is not.
FEW_SWEEPS = 3
MANY_SWEEPS = 1000

# Turns smaller than this, in radians, end the sweeps.
LEAST_TURN = 1e-11


class OwnAxes(CovarianceFamily):
    """EEV and VEV: each component has its own axes, and the variances along them are alike.

    The best axes are those of the scatter, in the order of its variances.
    """

    def __init__(self, name: CovarianceType, rule: Rule) -> None:
        self.name = name
        self._rule = rule

    def n_parameters(self, n_components: int, n_features: int) -> int:
        own = n_components * n_features * (n_features - 1) // 2
        return own + (n_features if self._rule is equal else n_components + n_features - 1)

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        values, axes = principal_axes(scatter)
        return _composed(axes, self._rule(values, nk, _along(axes, least)))


class CommonAxes(CovarianceFamily):
    """EVE and VVE: all components have the same axes.

    There is no formula for them. From those before the step a few sweeps over all pairs of axes
    bring them nearer to the best, which leaves the step an increase of the likelihood; without
    such, sweeps to the end from several places, of which the best is taken.
    """

    shares_axes = True

    def __init__(self, name: CovarianceType, rule: Rule) -> None:
        self.name = name
        self._rule = rule

    def n_parameters(self, n_components: int, n_features: int) -> int:
        common = n_features * (n_features - 1) // 2
        if self._rule is free:
            return common + n_components * n_features
        return common + 1 + n_components * (n_features - 1)

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        roots = _roots(scatter)
        if previous is None:
            found = [self._aligned(roots, nk, axes, MANY_SWEEPS) for axes in starts(scatter, nk)]
            axes, values = min(found, key=lambda one: self._criterion(one[1], nk))
        else:
            axes, values = self._aligned(roots, nk, _axes_of(previous), FEW_SWEEPS)
        return _composed(axes, self._rule(values, nk, _along(axes, least)))

    def oriented(self, scatter: Doubles, nk: Doubles) -> Iterator[Doubles]:
        for axes in starts(scatter, nk):
            values = np.einsum("kpq,pj,qj->kj", scatter, axes, axes)
            yield _composed(axes, self._rule(values, nk, None))

    def _aligned(
        self, roots: Doubles, nk: Doubles, axes: Doubles, most_sweeps: int
    ) -> tuple[Doubles, Doubles]:
        """Axes nearer to the best, and the scatter along them (K, d)."""
        return linear_algebra.aligned(
            roots, axes, nk / nk.sum(), self._rule is equal_volume, most_sweeps, LEAST_TURN
        )

    def _criterion(self, values: Doubles, nk: Doubles) -> float:
        """What axes minimise, and with them the M-step."""
        logarithms = np.log(values).mean(axis=1)
        return float((nk * (logarithms if self._rule is free else np.exp(logarithms))).sum())


def starts(scatter: Doubles, nk: Doubles) -> Iterator[Doubles]:
    """Axes from which to look for common ones: the columns, those of the mean scatter, with the
    components as they are and in equal size, and those of each component.
    """
    share = nk / nk.sum()
    sizes = diagonals(scatter).sum(axis=1)
    yield np.eye(scatter.shape[-1])
    for matrix in (
        weighted_sum(share, scatter),
        weighted_sum(share / np.maximum(sizes, np.finfo(np.float64).tiny), scatter),
        *scatter,
    ):
        yield linear_algebra.eigenvectors(matrix)[1]


def _axes_of(parameters: MixtureParameters) -> Doubles:
    """The common axes, in the columns; those that the E-step has found, where it turns rows."""
    d = parameters.n_features
    if parameters.reading.estep == "turned":
        return parameters.reading.factors[: d * d].reshape(d, d)
    return COMMON_AXES.axes(parameters.precisions_cholesky)


def _roots(matrices: Doubles) -> Doubles:
    """R_k with ``A_k = R_k' R_k``."""
    roots = linear_algebra.cholesky(matrices)
    for k in np.flatnonzero(~roots.any(axis=(1, 2))):
        # Singular: its axes, as long as its deviations along them.
        values, axes = principal_axes(matrices[k : k + 1])
        roots[k] = np.sqrt(values[0])[:, None] * axes[0].T
    return roots


def _composed(axes: Doubles, variances: Doubles) -> Doubles:
    """``D_k diag(t_k) D_k'``."""
    return symmetric_product(axes * np.sqrt(variances)[:, None, :])


def _along(axes: Doubles, least: Doubles | None) -> Doubles | None:
    """Bounds (K, d) of variances along axes that keep those of all directions.

    With ``G = D' diag(least) D`` a diagonal matrix is above G if each of its numbers is above the
    sum of the sizes of G's row. Where all columns have the same bound that is the bound itself.
    """
    if least is None:
        return None
    turned = product(transposed(axes) * least, axes)
    return np.atleast_2d(np.abs(turned).sum(axis=-1))


DECOMPOSED = [
    OwnAxes("EEV", equal),
    OwnAxes("VEV", equal_shape),
    CommonAxes("EVE", equal_volume),
    CommonAxes("VVE", free),
]
