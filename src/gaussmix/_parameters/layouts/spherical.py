"""One variance for each component, the same in every column, (K,)."""

from __future__ import annotations

import numpy as np

from ..._common.typing import Doubles, Indices
from .base import CollapsedComponent, clear_rounding
from .diagonal import Diagonal


class Spherical(Diagonal):
    """Every component has one variance, the same in every column."""

    name = "spherical"
    isotropic = True
    features = "with_norm"

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross: Doubles = np.einsum("kj,kj->k", first, delta)
        square: Doubles = np.einsum("kj,kj->k", delta, delta)
        return second - 2 * cross + weight * square

    def scatter(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        variances = second / nk
        variances -= np.einsum("kj,kj->k", move, move)
        variances /= means.shape[1]
        clear_rounding(variances, np.abs(means).min(axis=1))
        return variances

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        return covariances * (nk * n_features)

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        np.maximum(covariances, least.mean(), out=covariances)

    def factorise(self, covariances: Doubles) -> Doubles:
        try:
            return super().factorise(covariances)
        except CollapsedComponent as collapsed:
            # The one variance stands for every column; there is none to blame alone.
            raise CollapsedComponent(collapsed.component, []) from None

    def traces(self, scatter: Doubles, factors: Doubles, n_features: int) -> Doubles:
        traces: Doubles = n_features * scatter * factors * factors
        return traces

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        return n_features * np.log(factors)

    def variances(self, covariances: Doubles) -> Doubles:
        return covariances[:, None]

    def of_columns(self, array: Doubles, columns: Indices) -> Doubles:
        return array

    def per_column(self, array: Doubles, n_features: int) -> Doubles:
        return np.repeat(array, n_features)

    def forget(self, covariances: Doubles, columns: Indices) -> None:
        pass

    def rescaled(
        self, covariances: Doubles, factors: Doubles, scale: Doubles
    ) -> tuple[Doubles, Doubles]:
        return super().rescaled(covariances[:, None], factors[:, None], scale)

    def from_sums(self, sums: Doubles) -> Doubles:
        traces: Doubles = sums.sum(axis=1)
        return traces

    def pooled(self, moments: Doubles) -> Doubles:
        return self.from_sums(moments)

    def from_features(self, sums: Doubles, n_features: int) -> Doubles:
        return sums[:, 0]

    def expanded(self, means: Doubles, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        precisions = factors * factors
        coefficients = np.column_stack([means * precisions[:, None], -0.5 * precisions])
        return coefficients, precisions * np.einsum("kj,kj->k", means, means)

    def n_expanded(self, n_features: int) -> int:
        return n_features + 1

    def column_mean(self, squares: Doubles) -> Doubles:
        mean: Doubles = squares.mean(axis=1, keepdims=True)
        return mean

    def parts_of_variance(
        self, second: Doubles, first: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        return second, (first * first).sum(axis=1) / weight, weight * first.shape[1]

    def reach_of_variance(
        self, second: Doubles, move: Doubles, reach: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        squares = (move * move).mean(axis=1)
        return second / weight / move.shape[1], squares, reach.mean(axis=1)


SPHERICAL = Spherical()
