"""A matrix for each component, (K, d, d)."""

from __future__ import annotations

import numpy as np

from ..._common.typing import Doubles
from .. import linear_algebra
from ..linear_algebra import symmetric_product, weighted_sum
from .base import CollapsedComponent, Reading, clear_rounding
from .matrices import (
    MatrixLayout,
    columns_without_spread,
    diagonals,
    is_definite,
    principal_axis,
    raise_eigenvalues,
)


class Full(MatrixLayout):
    """Every component has its own covariance matrix."""

    name = "full"
    moments = "outer"
    features = "with_products"

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features, n_features

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross = first[:, :, None] * delta[:, None, :]
        square = delta[:, :, None] * delta[:, None, :]
        # One symmetric matrix is taken off, so that the two entries of a pair are rounded alike.
        return second - (cross + cross.transpose(0, 2, 1)) + weight[:, None, None] * square

    def scatter(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        covariances = second / nk[:, None, None]
        covariances -= move[:, :, None] * move[:, None, :]
        clear_rounding(diagonals(covariances), means)
        return covariances

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        return covariances * nk[:, None, None]

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        return weighted_sum(weights, diagonals(covariances))

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        raise_eigenvalues(covariances, least)

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        return principal_axis(covariances[component])

    def factorise(self, covariances: Doubles) -> Doubles:
        factors = linear_algebra.inverse_factors(covariances)
        definite = is_definite(covariances, factors)
        if not definite.all():
            component = int(np.argmin(definite))
            raise CollapsedComponent(component, columns_without_spread(covariances[component]))
        return factors

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        logarithms: Doubles = np.log(diagonals(factors)).sum(axis=1)
        return logarithms

    def matrix(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        own: Doubles = covariances[component]
        return own

    def from_features(self, sums: Doubles, n_features: int) -> Doubles:
        p, q = np.tril_indices(n_features)
        second = np.empty((len(sums), n_features, n_features))
        second[:, p, q] = sums
        second[:, q, p] = sums
        return second

    def standardised(self, means: Doubles, factors: Doubles) -> Doubles:
        standardised: Doubles = np.einsum("kj,kjr->kr", means, factors)
        return standardised

    def reading(self, factors: Doubles, n_components: int, n_features: int) -> Reading:
        K, d = n_components, n_features
        return Reading("triangular", factors, d * d, K * d * (d + 3) // 2)

    def expanded(self, means: Doubles, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        precisions = symmetric_product(factors)
        linear = np.einsum("kpq,kq->kp", precisions, means)
        distances = np.einsum("kp,kp->k", linear, means)
        p, q = np.tril_indices(means.shape[1])
        quadratic = precisions[:, p, q] * np.where(p == q, -0.5, -1.0)
        return np.concatenate([linear, quadratic], axis=1), distances

    def n_expanded(self, n_features: int) -> int:
        return n_features * (n_features + 3) // 2

    def squared_reach(self, reach: Doubles, factors: Doubles, variances: Doubles) -> Doubles:
        squares: Doubles = np.einsum("kj,kjr->kr", reach * reach, factors * factors)
        return squares


FULL = Full()
