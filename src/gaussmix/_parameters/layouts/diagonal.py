"""Variances of a component's columns, (K, d)."""

from __future__ import annotations

import numpy as np

from ..._common.families import LayoutName
from ..._common.typing import Doubles, Indices
from ..linear_algebra import weighted_sum
from .base import CollapsedComponent, Layout, Reading, clear_rounding, is_variance


class Diagonal(Layout):
    """Every component has its own variance in every column."""

    name: LayoutName = "diag"
    moments = "squares"
    features = "with_squares"

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        return second - 2 * first * delta + weight[:, None] * delta * delta

    def scatter(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        variances = second / nk[:, None]
        variances -= move * move
        clear_rounding(variances, means)
        return variances

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        return covariances * nk[:, None]

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        covariances += reg_covar

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        return weighted_sum(weights, covariances)

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        np.maximum(covariances, least, out=covariances)

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        return np.broadcast_to(np.sqrt(covariances[component] / n_features), n_features)

    def axes_of(
        self, covariances: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles, Doubles]:
        shape = n_components, n_features
        variances = np.broadcast_to(covariances.reshape(n_components, -1), shape)
        return variances, np.tile(np.eye(n_features), (n_components, 1, 1))

    def factorise(self, covariances: Doubles) -> Doubles:
        bad = ~is_variance(covariances)
        if bad.any():
            component = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
            raise CollapsedComponent(component, np.flatnonzero(bad[component]).tolist())
        return 1.0 / np.sqrt(covariances)

    def traces(self, scatter: Doubles, factors: Doubles, n_features: int) -> Doubles:
        traces: Doubles = (scatter * factors * factors).sum(axis=1)
        return traces

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        logarithms: Doubles = np.log(factors).sum(axis=1)
        return logarithms

    def precisions(self, factors: Doubles) -> Doubles:
        return factors * factors

    def covariances(self, factors: Doubles) -> Doubles:
        return 1.0 / (factors * factors)

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        return np.sqrt(precisions), 1.0 / precisions

    def variances(self, covariances: Doubles) -> Doubles:
        return covariances

    def matrix(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        matrix: Doubles = np.diag(np.broadcast_to(covariances[component], n_features))
        return matrix

    def of_columns(self, array: Doubles, columns: Indices) -> Doubles:
        return array[:, columns]

    def forget(self, covariances: Doubles, columns: Indices) -> None:
        covariances[:, columns] = 1.0

    def rescaled(
        self, covariances: Doubles, factors: Doubles, scale: Doubles
    ) -> tuple[Doubles, Doubles]:
        return covariances * scale**2, factors / scale

    def from_features(self, sums: Doubles, n_features: int) -> Doubles:
        return sums

    def draw_factors(
        self, factors: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles | None, Doubles]:
        scales = 1.0 / factors.reshape(n_components, -1)
        return None, np.ascontiguousarray(np.broadcast_to(scales, (n_components, n_features)))

    def reading(self, factors: Doubles, n_components: int, n_features: int) -> Reading:
        factors = self.per_column(factors, n_features)
        return Reading("direct", factors, n_features, 2 * n_components * n_features)

    def expanded(self, means: Doubles, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        return None

    def n_expanded(self, n_features: int) -> int:
        return 2 * n_features

    def parts_of_variance(
        self, second: Doubles, first: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        return second, first * first / weight[:, None], weight[:, None]

    def reach_of_variance(
        self, second: Doubles, move: Doubles, reach: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        return second / weight[:, None], move * move, reach


DIAGONAL = Diagonal()
