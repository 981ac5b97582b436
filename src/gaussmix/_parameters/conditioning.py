"""Marginals and conditionals of a mixture, from its parameters.

For one normal component with the columns cut into those given, g, and the rest, m::

    x_m | x_g  ~  N(mean_m + B (x_g - mean_g), C)
    B = S_mg inv(S_gg),    C = S_mm - S_mg inv(S_gg) S_gm

(Anderson, An Introduction to Multivariate Statistical Analysis, 2003, theorem 2.5.1). Both are
read off the Cholesky factor R of the covariance ``R' R`` with the given columns first, of which
``R_gg``, ``R_gm`` and ``R_mm`` are blocks: ``B' = inv(R_gg) R_gm`` and ``C = R_mm' R_mm``, so that
C is definite whatever the rounding. In a mixture the weights become the responsibilities of the
components for the given values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._common.caching import cached_property
from .._common.families import OF_COLUMNS, CovarianceType
from .._common.typing import Doubles, Indices
from .linear_algebra import (
    cholesky,
    inverse_triangles,
    orthonormal_rows,
    product,
    symmetric_product,
    transposed,
)
from .mixture import MixtureParameters


def marginal(parameters: MixtureParameters, columns: ArrayLike) -> MixtureParameters:
    """The mixture of some columns, in the order given, in the same layout.

    Parameters
    ----------
    parameters : MixtureParameters
    columns : array-like of int, shape (g,)
        Different columns; none at all is allowed.

    Returns
    -------
    MixtureParameters
        With the same weights.
    """
    columns = np.asarray(columns, dtype=np.intp)
    layout = parameters.layout
    if layout.matrices:
        covariances = _block(parameters, columns)
        factors = inverse_triangles(_upper_factors(parameters, columns, covariances))
    else:
        covariances = layout.of_columns(parameters.definite_covariances(), columns)
        factors = layout.of_columns(parameters.precisions_cholesky, columns)
    return _mixture(parameters, columns, covariances, factors)


class Conditional:
    """The mixture of the rest of the columns given some, for values that come later.

    Parameters
    ----------
    parameters : MixtureParameters
        Of all columns.
    given : array-like of int, shape (g,)
        Columns whose values will be known; may be empty.
    rest : array-like of int, shape (m,), optional
        Columns that the mixture is of; by default all others, in ascending order.

    Attributes
    ----------
    given : ndarray of int, shape (g,)
    rest : ndarray of int, shape (m,)
    marginal : MixtureParameters
        The mixture of the given columns.
    means : ndarray of shape (K, m)
        Means of the rest where nothing is given.
    """

    def __init__(
        self, parameters: MixtureParameters, given: ArrayLike, rest: ArrayLike | None = None
    ) -> None:
        self.given: Indices = np.asarray(given, dtype=np.intp)
        if rest is None:
            rest = np.delete(np.arange(parameters.n_features), self.given)
        self.rest: Indices = np.asarray(rest, dtype=np.intp)
        self._parameters = parameters
        self.means: Doubles = parameters.means[:, self.rest]
        if parameters.layout.matrices:
            self._condition()
        else:
            self.marginal = marginal(parameters, self.given)
            own = marginal(parameters, self.rest)
            self._covariances, self._factors = own.own_covariances(), own.precisions_cholesky

    def _condition(self) -> None:
        """`marginal` and what is the same for all values, from one Cholesky factor."""
        parameters, g = self._parameters, self.given.size
        columns = np.concatenate([self.given, self.rest])
        covariances = _block(parameters, columns)
        upper = _upper_factors(parameters, columns, covariances)
        factors = inverse_triangles(upper[..., :g, :g])
        self.marginal = _mixture(parameters, self.given, covariances[..., :g, :g], factors)
        # In the layout of the mixture, as are the covariances and factors of the rest.
        self._slopes = transposed(product(factors, upper[..., :g, g:]))
        remaining = upper[..., g:, g:]
        self._covariances = symmetric_product(transposed(remaining))
        self._factors = inverse_triangles(remaining)

    @cached_property
    def slopes(self) -> Doubles:
        """B: the change of the rest's mean for each change of a given value, (K, m, g).

        The array may be read-only.
        """
        K, m, g = len(self.means), self.rest.size, self.given.size
        if self._parameters.layout.matrices:
            return np.broadcast_to(self._slopes, (K, m, g))
        return np.broadcast_to(0.0, (K, m, g))

    @cached_property
    def covariances(self) -> Doubles:
        """C: covariances of the rest given the others, (K, m, m).

        The array may be read-only.
        """
        K, m = len(self.means), self.rest.size
        if self._parameters.layout.matrices:
            return np.broadcast_to(self._covariances, (K, m, m))
        covariances = np.zeros((K, m, m))
        covariances[:, range(m), range(m)] = self.variances
        return covariances

    @cached_property
    def variances(self) -> Doubles:
        """The diagonals of `covariances`, (K, m)."""
        variances = self._parameters.layout.variances(self._covariances)
        return np.broadcast_to(variances, self.means.shape)

    def means_given(self, values: Doubles) -> Doubles:
        """Means of the rest in each component given rows of values, (n, g): (n, K, m)."""
        n, (K, m) = len(values), self.means.shape
        if not self._parameters.layout.matrices or not self.given.size:
            return np.broadcast_to(self.means, (n, K, m))
        means = np.empty((n, K, m))
        for k in range(K):
            moved = product(values - self.marginal.means[k], self.slopes[k].T)
            means[:, k] = moved + self.means[k]
        return means

    def mixture(self, weights: Doubles, means: Doubles) -> MixtureParameters:
        """The mixture of the rest for one row: its responsibilities (K,) and means (K, m)."""
        return MixtureParameters(
            _family(self._parameters),
            np.ascontiguousarray(weights),
            np.ascontiguousarray(means),
            self._covariances,
            self._factors,
        )


def _block(parameters: MixtureParameters, columns: Indices) -> Doubles:
    """Covariances of some columns, (K, c, c) or (c, c), in their order."""
    return parameters.layout.of_columns(parameters.definite_covariances(), columns)


def _upper_factors(
    parameters: MixtureParameters, columns: Indices, covariances: Doubles
) -> Doubles:
    """Upper triangular R with ``R' R`` the covariances of some columns, (..., c, c)."""
    factors = cholesky(covariances)
    if columns.size and not np.diagonal(factors, axis1=-2, axis2=-1).all():
        # Covariances formed from factors can lose their definiteness where they are near the
        # singular. The rows of L in L L' = inv(P) have not: made triangular they are R'.
        lower = transposed(inverse_triangles(parameters.precisions_cholesky))
        factors = transposed(orthonormal_rows(lower[..., columns, :])[1])
    return factors


def _mixture(
    parameters: MixtureParameters, columns: Indices, covariances: Doubles, factors: Doubles
) -> MixtureParameters:
    """A mixture of some columns."""
    return MixtureParameters(
        _family(parameters),
        parameters.weights,
        np.ascontiguousarray(parameters.means[:, columns]),
        np.ascontiguousarray(covariances),
        np.ascontiguousarray(factors),
    )


def _family(parameters: MixtureParameters) -> CovarianceType:
    """Of some of the columns: of some constraints on all of them nothing is left."""
    family = parameters.covariance_type
    return OF_COLUMNS.get(family, family)
