"""One matrix that all components share, (d, d)."""

from __future__ import annotations

import numpy as np

from ..._common.typing import Bools, Doubles, Indices
from .. import linear_algebra
from ..linear_algebra import product, weighted_sum
from .base import CollapsedComponent, Reading, clear_rounding
from .matrices import (
    MatrixLayout,
    columns_without_spread,
    diagonals,
    is_definite,
    principal_axis,
    raise_eigenvalues,
)


class Tied(MatrixLayout):
    """All components share one covariance matrix."""

    name = "tied"
    shared = True
    moments = "outer_pooled"
    features = "plain"

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_features, n_features

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross = product(first.T, delta)
        return second - cross - cross.T + product(delta.T * weight, delta)

    def scatter(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        covariance = second - product(move.T * nk, move)
        covariance /= nk.sum()
        # A product of two different matrices is symmetric to rounding only.
        covariance += covariance.T.copy()
        covariance *= 0.5
        clear_rounding(diagonals(covariance), np.abs(means).min(axis=0))
        return covariance

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        moments: Doubles = covariances * nk.sum()
        return moments

    def replaced(
        self,
        second: Doubles,
        first: Doubles,
        weight: Doubles,
        components: Indices,
        moments: Doubles,
        new_weight: Doubles,
    ) -> Doubles:
        # What lies between the shifts and the means of these components goes. Their scatter about
        # the means, which nothing tells from that of the others, stays, and the weight that comes
        # or goes has the covariance all share.
        had = weight[components] > 0
        left = first[components][had]
        between = product((left / weight[components][had, None]).T, left)
        growth = new_weight[components].sum() - weight[components].sum()
        moved: Doubles = second - between + moments * (growth / new_weight.sum())
        return moved

    def kept(self, second: Doubles, weight: Doubles, components: Indices) -> Doubles:
        share: float = weight[components].sum() / weight.sum()
        return second * share

    def with_kept(self, covariances: Doubles, earlier: Doubles, stay: Bools) -> Doubles:
        return earlier if stay.all() else covariances

    def with_pooled(self, covariances: Doubles, weights: Doubles, components: Indices) -> Doubles:
        return covariances

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        return diagonals(covariances)

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        raise_eigenvalues(covariances[None], least)

    def select(self, covariances: Doubles, components: Indices | list[int]) -> Doubles:
        return covariances

    def factorise(self, covariances: Doubles) -> Doubles:
        factor = linear_algebra.inverse_factors(covariances)
        if not is_definite(covariances, factor):
            raise CollapsedComponent(None, columns_without_spread(covariances))
        return factor

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        return np.full(n_components, np.log(factors.diagonal()).sum())

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        return principal_axis(covariances)

    def matrix(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        return covariances

    def pooled(self, moments: Doubles) -> Doubles:
        pooled: Doubles = moments.sum(axis=0)
        return pooled

    def from_features(self, sums: Doubles, n_features: int) -> Doubles:
        # The scatter about the centre is the same in every iteration: it is added to all of them.
        return np.zeros((n_features, n_features))

    def standardised(self, means: Doubles, factors: Doubles) -> Doubles:
        return product(means, factors)

    def reading(self, factors: Doubles, n_components: int, n_features: int) -> Reading:
        return Reading("direct", factors, 0, n_features * (n_features + 2 * n_components))

    def expanded(self, means: Doubles, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        whitened = product(means, factors)
        return product(whitened, factors.T), np.einsum("kj,kj->k", whitened, whitened)

    def n_expanded(self, n_features: int) -> int:
        return n_features

    def squared_reach(self, reach: Doubles, factors: Doubles, variances: Doubles) -> Doubles:
        return product(reach * reach, factors * factors)

    def parts_of_variance(
        self, second: Doubles, first: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        moved = (first * first / weight[:, None]).sum(axis=0)
        return second.diagonal(), moved, weight.sum()

    def reach_of_variance(
        self, second: Doubles, move: Doubles, reach: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        share = weight / weight.sum()
        squares, reach = weighted_sum(share, move * move), weighted_sum(share, reach)
        return second.diagonal() / weight.sum(), squares, reach


TIED = Tied()
