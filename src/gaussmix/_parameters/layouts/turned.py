"""Matrices that have something in common, (K, d, d): axes, or all but their size.

Such matrices lie in memory as any do. But a row that is turned once, to where all matrices are
diagonal, needs d numbers of each component then and not the triangle of d (d + 1) / 2.
"""

from __future__ import annotations

import numpy as np

from ..._common.typing import Doubles
from .. import linear_algebra
from ..linear_algebra import product, transposed
from .base import Reading
from .full import Full
from .matrices import diagonals, pointed

# Sweeps over all pairs of axes from those of the mean matrix: enough where the axes are common.
SWEEPS = 30

# Turns smaller than this, in radians, end the sweeps.
LEAST_TURN = 1e-12

# What is left beside the diagonals, as correlations, where matrices count as diagonal: of scores
# about as large a share may be lost.
NEGLIGIBLE = 1e-9


class Turned(Full):
    """Covariances that are diagonal in common coordinates ``z = T'x``."""

    turns = True

    def turn(self, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        """T (d, d), and the inverse deviations of each component along z, (K, d).

        None where these do not give the factors again: of parameters that come from elsewhere, or
        were rounded to single precision.
        """
        raise NotImplementedError

    def reading(self, factors: Doubles, n_components: int, n_features: int) -> Reading:
        turned, d = self.turn(factors), n_features
        if turned is None:
            return super().reading(factors, n_components, n_features)
        both = np.concatenate([turned[0].ravel(), turned[1].ravel()])
        return Reading("turned", both, d, d * (d + 2 * n_components))


class CommonAxes(Turned):
    """Each component has its own variances along axes that all share."""

    def axes(self, factors: Doubles) -> Doubles:
        """The axes, or the nearest to such, in the columns, (d, d)."""
        scales = np.exp(np.log(diagonals(factors)).mean(axis=1))
        equal = factors / scales[:, None, None]
        precisions = linear_algebra.symmetric_product(equal)
        start = linear_algebra.eigenvectors(precisions.mean(axis=0))[1]
        share = np.full(len(factors), 1 / len(factors))
        return linear_algebra.aligned(transposed(equal), start, share, False, SWEEPS, LEAST_TURN)[
            0
        ]

    def axes_of(
        self, covariances: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles, Doubles]:
        axes = pointed(self.axes(linear_algebra.inverse_factors(covariances)))
        variances = np.einsum("kpq,pj,qj->kj", covariances, axes, axes)
        order = np.argsort(-variances.sum(axis=0))
        axes = np.tile(axes[:, order], (n_components, 1, 1))
        return np.ascontiguousarray(variances[:, order]), axes

    def turn(self, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        axes = np.ascontiguousarray(self.axes(factors))
        along = product(transposed(axes), factors)
        scales = np.sqrt(np.einsum("kjr,kjr->kj", along, along))
        along /= scales[:, :, None]
        beside = linear_algebra.symmetric_product(along) - np.eye(factors.shape[-1])
        return (axes, scales) if (np.abs(beside) <= NEGLIGIBLE).all() else None


class CommonMatrix(Turned):
    """All components have one matrix, each times a number of its own."""

    def turn(self, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        scales = np.exp(np.log(diagonals(factors)).mean(axis=1))
        equal = factors / scales[:, None, None]
        common = np.ascontiguousarray(equal[0])
        size = np.sqrt(np.einsum("pr,pr->r", common, common))
        if not (np.abs(equal - common) <= NEGLIGIBLE * size).all():
            return None
        return common, np.repeat(scales[:, None], factors.shape[-1], axis=1)


COMMON_AXES, COMMON_MATRIX = CommonAxes(), CommonMatrix()
