"""What "full" and "tied" have in common: matrices, their factors and their directions."""

from __future__ import annotations

import numpy as np

from ..._common.typing import Bools, Doubles, Indices
from .. import linear_algebra
from .base import EPSILON, SMALLEST_VARIANCE, Layout, is_variance

# A column whose part that the other columns do not explain (1 - R^2) is below this many rounding
# errors, and one more for each feature, is in double precision a linear combination of them: in
# matrices formed from rows of which one column follows from others up to 14 such are seen.
_UNEXPLAINED_ROUNDINGS = 32.0

# Loadings above this in the unit eigenvector of the smallest eigenvalue belong to the columns that
# cause a near-null direction; the error message names them.
_LOADING = 1e-3


def diagonals(matrices: Doubles) -> Doubles:
    """The diagonals of C-contiguous (..., d, d) matrices as a writable view (..., d)."""
    d = matrices.shape[-1]
    return matrices.reshape(*matrices.shape[:-2], d * d)[..., :: d + 1]


def is_definite(matrices: Doubles, factors: Doubles) -> Bools | np.bool_:
    """Whether each matrix is positive definite to working precision, given its `U`.

    The variance of a column over the part that the other columns do not explain, ``1 / (1 - R^2)``
    or the variance inflation factor, says how many roundings of the matrix that part holds, in
    whatever order the columns come; NaN and infinity fail.
    """
    precisions = np.einsum("...pr,...pr->...p", factors, factors)
    inflation = diagonals(matrices) * precisions
    tolerance = 1 / ((_UNEXPLAINED_ROUNDINGS + matrices.shape[-1]) * EPSILON)
    sound = (inflation > 0) & (inflation < tolerance) & (precisions <= 1 / SMALLEST_VARIANCE)
    definite: Bools | np.bool_ = sound.all(axis=-1)
    return definite


def covariances_of(factors: Doubles) -> Doubles:
    """``inv(U U')`` of upper triangular matrices (..., d, d)."""
    return linear_algebra.symmetric_product(
        linear_algebra.transposed(linear_algebra.inverse_triangles(factors))
    )


def from_precisions(precisions: Doubles) -> tuple[Doubles, Doubles]:
    """``(factors, covariances)`` of definite precisions (..., d, d)."""
    # P = U U' with U upper triangular: with both axes reversed U becomes lower triangular, and the
    # ordinary Cholesky factor of the reversed P is the reversed U.
    upper = linear_algebra.cholesky(precisions[..., ::-1, ::-1])
    factors = np.ascontiguousarray(linear_algebra.transposed(upper)[..., ::-1, ::-1])
    return factors, covariances_of(factors)


def raise_eigenvalues(matrices: Doubles, least: Doubles) -> None:
    """`Layout.raise_variances` of matrices (K, d, d)."""
    # Where the least variance is zero there is nothing to raise, nor a unit to do it in.
    usable = np.flatnonzero((least > 0) & (least < np.inf))
    unit = np.sqrt(least[usable])
    for matrix in matrices:
        block = matrix[np.ix_(usable, usable)] / unit / unit[:, None]
        if not np.isfinite(block).all():
            continue  # `factorise` says what is wrong
        above = block - np.eye(len(block))
        if linear_algebra.cholesky(above).any():
            continue  # all directions are long enough
        values, vectors = linear_algebra.eigenvectors(block)
        low = values < 1
        # Only the directions that are short are changed: the others keep their digits.
        lengthened = vectors[:, low] * np.sqrt(1 - values[low]) * unit[:, None]
        matrix[np.ix_(usable, usable)] += linear_algebra.symmetric_product(lengthened)


def columns_without_spread(covariance: Doubles) -> list[int]:
    """Columns to blame for a covariance matrix that cannot be factorised."""
    variances = covariance.diagonal()
    bad = np.flatnonzero(~is_variance(variances))
    if bad.size == 0 and np.isfinite(covariance).all():
        direction = linear_algebra.eigenvectors(_correlations(covariance))[1][:, 0]
        bad = np.flatnonzero(np.abs(direction) > _LOADING)
    return bad.tolist()


def _correlations(covariance: Doubles) -> Doubles:
    """The correlations (d, d) that a finite matrix with variances in its diagonal implies.

    Where a variance was no more than rounding and has been cleared, covariances that are left can
    be any number of times too large for it, which counts as a correlation of one.
    """
    scale = np.sqrt(covariance.diagonal())
    with np.errstate(over="ignore"):
        correlations: Doubles = np.clip(covariance / scale / scale[:, None], -1.0, 1.0)
    return correlations


def principal_axes(matrices: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues (K, d), the largest first, and eigenvectors in the columns, (K, d, d).

    Where rounding has left an eigenvalue below zero it is zero. The largest number of an
    eigenvector is positive.
    """
    found = [linear_algebra.eigenvectors(matrix) for matrix in matrices]
    values = np.array([values[::-1] for values, _ in found])
    return np.maximum(values, 0.0), pointed(np.array([vectors[:, ::-1] for _, vectors in found]))


def pointed(axes: Doubles) -> Doubles:
    """Axes, in the columns (..., d, d), signed so that the largest number is positive."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=-2)[..., None, :], axis=-2)
    return axes * np.where(largest < 0, -1.0, 1.0)


def principal_axis(covariance: Doubles) -> Doubles:
    """`Layout.principal_axis` of one matrix, (d, d)."""
    deviations = np.sqrt(diagonals(covariance))
    values, vectors = linear_algebra.eigenvectors(covariance / deviations / deviations[:, None])
    axis = pointed(vectors[:, -1:])[:, 0]
    longest: Doubles = np.sqrt(values[-1]) * deviations * axis
    return longest


class MatrixLayout(Layout):
    """Matrices: variances of the columns, and covariances of one with another."""

    matrices = True

    def variances(self, covariances: Doubles) -> Doubles:
        return np.atleast_2d(np.diagonal(covariances, axis1=-2, axis2=-1))

    def of_columns(self, array: Doubles, columns: Indices) -> Doubles:
        chosen: Doubles = array[..., columns[:, None], columns]
        return chosen

    def forget(self, covariances: Doubles, columns: Indices) -> None:
        covariances[..., columns, :] = 0.0
        covariances[..., :, columns] = 0.0
        covariances[..., columns, columns] = 1.0

    def rescaled(
        self, covariances: Doubles, factors: Doubles, scale: Doubles
    ) -> tuple[Doubles, Doubles]:
        return covariances * np.outer(scale, scale), factors / scale[:, None]

    def symmetric(self, array: Doubles) -> Doubles:
        transposed = np.swapaxes(array, -1, -2)
        if np.array_equal(array, transposed):
            return array
        return 0.5 * array + 0.5 * transposed

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        diagonals(covariances)[...] += reg_covar

    def traces(self, scatter: Doubles, factors: Doubles, n_features: int) -> Doubles:
        traces: Doubles = np.einsum(
            "...pr,...pr->...", linear_algebra.product(scatter, factors), factors
        )
        return traces

    def axes_of(
        self, covariances: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles, Doubles]:
        values, axes = principal_axes(covariances.reshape(-1, n_features, n_features))
        repeats = n_components // len(values)
        return np.repeat(values, repeats, axis=0), np.repeat(axes, repeats, axis=0)

    def precisions(self, factors: Doubles) -> Doubles:
        return linear_algebra.symmetric_product(factors)

    def covariances(self, factors: Doubles) -> Doubles:
        return covariances_of(factors)

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        return from_precisions(precisions)

    def pivots(self, factors: Doubles) -> Doubles:
        d = factors.shape[-1]
        return factors.reshape(-1, d * d)[:, :: d + 1]

    def draw_factors(
        self, factors: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles | None, Doubles]:
        factors = factors.reshape(-1, n_features, n_features)
        return factors, 1.0 / np.diagonal(factors, axis1=1, axis2=2)
