"""Families of ellipsoids that do not change with the columns' units: VEE and EVV.

What binds the components to each other is their determinants, or that all but these are equal.
Bounded variances are asked for in units of the square roots of the bounds.
"""

from __future__ import annotations

import numpy as np

from ..._common.typing import Doubles
from ..._parameters import linear_algebra
from ..._parameters.layouts.matrices import diagonals, principal_axes, raise_eigenvalues
from ..._parameters.linear_algebra import product, symmetric_product, weighted_sum
from ..._parameters.mixture import MixtureParameters
from .base import CovarianceFamily
from .variances import CONVERGED, MOST_TURNS, equal_volume


class EqualUpToVolume(CovarianceFamily):
    """VEE: one matrix, times a number for each component."""

    name = "VEE"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components + n_features * (n_features + 1) // 2 - 1

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        """The matrix and the volumes are best in turn, each given the other."""
        share, d = nk / nk.sum(), scatter.shape[-1]
        volumes = diagonals(scatter).mean(axis=1) if previous is None else _volumes(previous)
        for _ in range(MOST_TURNS):
            before = volumes
            common = weighted_sum(share, scatter / volumes[:, None, None])
            if least is not None:
                raise_eigenvalues(common[None], least / volumes.min())
            factor = linear_algebra.inverse_factors(common)
            volumes = _traces(scatter, factor) / d
            if least is not None:
                volumes = np.maximum(volumes, _largest_ratio(least, factor))
            if not (np.abs(volumes - before) > CONVERGED * volumes).any():
                break
        covariances: Doubles = volumes[:, None, None] * common
        return covariances


class EqualVolume(CovarianceFamily):
    """EVV: all matrices with one determinant."""

    name = "EVV"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return 1 + n_components * (n_features * (n_features + 1) // 2 - 1)

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        factors = linear_algebra.inverse_factors(scatter)
        own = np.exp(-2 * np.log(diagonals(factors)).mean(axis=1))
        volume = (nk * own).sum() / nk.sum()
        covariances: Doubles = scatter * (volume / own)[:, None, None]
        if least is None or _are_above(covariances, least):
            return covariances
        # In these units the bound is one number, and the best matrix has the scatter's axes.
        unit = np.sqrt(least)
        values, axes = principal_axes(scatter / unit / unit[:, None])
        variances = equal_volume(values, nk, np.ones_like(values))
        return symmetric_product(unit[:, None] * axes * np.sqrt(variances)[:, None, :])


def _volumes(parameters: MixtureParameters) -> Doubles:
    """``|Sigma_k|^(1/d)`` of each component."""
    volumes: Doubles = np.exp(-2 * parameters.log_determinants / parameters.n_features)
    return volumes


def _traces(scatter: Doubles, factor: Doubles) -> Doubles:
    """``tr(S_k U U')`` of each matrix."""
    traces: Doubles = np.einsum("kpr,pr->k", product(scatter, factor), factor)
    return traces


def _largest_ratio(least: Doubles, factor: Doubles) -> float:
    """How many times the bound goes into the covariance with this factor, where it does most."""
    scaled = np.sqrt(least)[:, None] * factor
    return float(linear_algebra.eigenvectors(symmetric_product(scaled.T))[0][-1])


def _are_above(covariances: Doubles, least: Doubles) -> bool:
    """Whether all variances are above a bound, in every direction."""
    above = covariances.copy()
    diagonals(above)[...] -= least
    return bool(linear_algebra.cholesky(above).any(axis=(1, 2)).all())


ELLIPSOIDAL = [EqualUpToVolume(), EqualVolume()]
