"""Covariance families: everything that depends on ``covariance_type``.

One object per family, in `FAMILIES`. A family knows the shape of its covariances, how many free
numbers they have, how second moments move to another reference point, how the M-step turns them
into covariances, and how a covariance becomes the triangular factor that the E-step reads.

Throughout, ``K`` is the number of components and ``d`` the number of features. The factor follows
scikit-learn's ``precisions_cholesky_``: for "full" and "tied" an upper triangular ``U`` with
``precision = U @ U.T``, for "diag" and "spherical" ``1 / sqrt(variance)``.
"""

from __future__ import annotations

import numpy as np

from . import _algebra
from ._algebra import product, weighted_sum
from ._layouts import CovarianceType
from ._typing import Bools, Doubles, Indices

_EPSILON = np.finfo(np.float64).eps

# Below this, squares of differences are denormal numbers, which keep few digits or none; above,
# the inverse of a variance is finite.
_SMALLEST_VARIANCE = np.finfo(np.float64).tiny

# A column whose part that the other columns do not explain (1 - R^2) is below this many rounding
# errors, and one more for each feature, is in double precision a linear combination of them: in
# matrices formed from rows of which one column follows from others up to 14 such are seen.
_UNEXPLAINED_ROUNDINGS = 32.0

# Loadings above this in the unit eigenvector of the smallest eigenvalue belong to the columns that
# cause a near-null direction; the error message names them.
_LOADING = 1e-3


class CollapsedComponent(Exception):
    """A covariance is not positive definite, to working precision.

    Attributes
    ----------
    component : int or None
        Index of the component; None when all components share the covariance.
    columns : list of int
        Columns that have no spread of their own.
    weight, effective_rows : float or None
        Mixture weight and weighted sum of responsibilities of the component, where known.
    """

    def __init__(self, component: int | None, columns: list[int]) -> None:
        super().__init__(f"component {component} has no spread in columns {columns}")
        self.component = component
        self.columns = columns
        self.weight: float | None = None
        self.effective_rows: float | None = None


def _diagonals(matrices: Doubles) -> Doubles:
    """The diagonals of C-contiguous (..., d, d) matrices as a writable view (..., d)."""
    d = matrices.shape[-1]
    return matrices.reshape(*matrices.shape[:-2], d * d)[..., :: d + 1]


def _is_definite(matrices: Doubles, factors: Doubles) -> Bools | np.bool_:
    """Whether each matrix is positive definite to working precision, given its `U`.

    The variance of a column over the part that the other columns do not explain, ``1 / (1 - R^2)``
    or the variance inflation factor, says how many roundings of the matrix that part holds, in
    whatever order the columns come; NaN and infinity fail.
    """
    precisions = np.einsum("...pr,...pr->...p", factors, factors)
    inflation = _diagonals(matrices) * precisions
    tolerance = 1 / ((_UNEXPLAINED_ROUNDINGS + matrices.shape[-1]) * _EPSILON)
    sound = (inflation > 0) & (inflation < tolerance) & (precisions <= 1 / _SMALLEST_VARIANCE)
    definite: Bools | np.bool_ = sound.all(axis=-1)
    return definite


def _covariances_of(factors: Doubles) -> Doubles:
    """``inv(U U')`` of upper triangular matrices (..., d, d)."""
    return _algebra.symmetric_product(_algebra.transposed(_algebra.inverse_triangles(factors)))


def _from_precisions(precisions: Doubles) -> tuple[Doubles, Doubles]:
    """``(factors, covariances)`` of definite precisions (..., d, d)."""
    # P = U U' with U upper triangular: with both axes reversed U becomes lower triangular, and the
    # ordinary Cholesky factor of the reversed P is the reversed U.
    upper = _algebra.cholesky(precisions[..., ::-1, ::-1])
    factors = np.ascontiguousarray(_algebra.transposed(upper)[..., ::-1, ::-1])
    return factors, _covariances_of(factors)


def _is_variance(values: Doubles) -> Bools:
    """Whether each number can be a variance; NaN and infinity cannot."""
    return (values >= _SMALLEST_VARIANCE) & (values < np.inf)


def _raise_eigenvalues(matrices: Doubles, least: Doubles) -> None:
    """`CovarianceFamily.raise_variances` of matrices (K, d, d)."""
    # Where the least variance is zero there is nothing to raise, nor a unit to do it in.
    usable = np.flatnonzero((least > 0) & (least < np.inf))
    unit = np.sqrt(least[usable])
    for matrix in matrices:
        block = matrix[np.ix_(usable, usable)] / unit / unit[:, None]
        if not np.isfinite(block).all():
            continue  # `factorise` says what is wrong
        above = block - np.eye(len(block))
        if _algebra.cholesky(above).any():
            continue  # all directions are long enough
        values, vectors = _algebra.eigenvectors(block)
        low = values < 1
        # Only the directions that are short are changed: the others keep their digits.
        lengthened = vectors[:, low] * np.sqrt(1 - values[low]) * unit[:, None]
        matrix[np.ix_(usable, usable)] += _algebra.symmetric_product(lengthened)


def _columns_without_spread(covariance: Doubles) -> list[int]:
    """Columns to blame for a covariance matrix that cannot be factorised."""
    variances = covariance.diagonal()
    bad = np.flatnonzero(~_is_variance(variances))
    if bad.size == 0 and np.isfinite(covariance).all():
        direction = _algebra.eigenvectors(_correlations(covariance))[1][:, 0]
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


def _clear_rounding(variances: Doubles, means: Doubles) -> None:
    """Set to zero, in place, variances that are only the rounding of the mean.

    Numbers near m are spaced eps * |m| apart, so equal values with a rounded mean show a spread
    of that size which is not in the data. NaN stays, and so does an infinity of either sign, which
    sums of squares that overflow leave.
    """
    # Deviations are compared, as the square of a large mean would overflow.
    deviations = np.sqrt(np.maximum(variances, 0.0))
    noise = (deviations <= (4 * _EPSILON) * np.abs(means)) & (variances > -np.inf)
    np.copyto(variances, 0.0, where=noise)


class CovarianceFamily:
    """What the rest of the library asks of a covariance family."""

    name: CovarianceType

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free numbers in the covariances."""
        raise NotImplementedError

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        """Second moments about ``shift + delta``, from the moments about ``shift``."""
        raise NotImplementedError

    def maximize(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        """Maximum likelihood covariances, without regularisation.

        Parameters
        ----------
        first, second : ndarray
            Moments about the shift, as in `SufficientStatistics`.
        nk : ndarray of shape (K,)
            Weights of the components, kept from zero.
        means : ndarray of shape (K, d)
            The new means, ``shift + first / nk``.

        Returns
        -------
        ndarray
            In the family's layout: about the new mean, ``second / nk`` less the outer product of
            ``first / nk`` with itself. The difference is small next to its terms only when the
            shift is far from the mean, which the passes over the data avoid.
        """
        raise NotImplementedError

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        """Add ``reg_covar`` to every variance, in place."""
        raise NotImplementedError

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        """Second moments about the means of rows with these covariances: what `maximize` undoes.

        Parameters
        ----------
        covariances : ndarray
            In the family's layout, without regularisation.
        nk : ndarray of shape (K,)
            Weights of the components.
        n_features : int
        """
        raise NotImplementedError

    def replaced(
        self,
        second: Doubles,
        first: Doubles,
        weight: Doubles,
        components: Indices,
        moments: Doubles,
        new_weight: Doubles,
    ) -> Doubles:
        """Second moments in which some components have the sums of other rows.

        Parameters
        ----------
        second, first, weight : ndarray
            Sums of all components, as in `SufficientStatistics`.
        components : ndarray of int
            Those that change.
        moments : ndarray
            `second_moments` of all components with the new weights.
        new_weight : ndarray of shape (K,)
            What the components that change will weigh; of the others, their weight.
        """
        second = second.copy()
        second[components] = moments[components]
        return second

    def kept(self, second: Doubles, weight: Doubles, components: Indices) -> Doubles:
        """Second moments, about the means, of some of the components."""
        return second[components]

    def with_kept(self, covariances: Doubles, earlier: Doubles, stay: Bools) -> Doubles:
        """Covariances of which those of some components, a mask, are as they were earlier."""
        covariances = covariances.copy()
        covariances[stay] = earlier[stay]
        return covariances

    def with_pooled(self, covariances: Doubles, weights: Doubles, components: Indices) -> Doubles:
        """Covariances of which those of some components are the weighted mean of all."""
        covariances = covariances.copy()
        covariances[components] = np.einsum("k,k...->...", weights, covariances)
        return covariances

    def column_variances(self, weights: Doubles, means: Doubles, covariances: Doubles) -> Doubles:
        """Variances of the columns in the mixture as a whole, (d,).

        Within the components plus between them: for maximum likelihood estimates, with weights in
        proportion to the rows, that is the variance of the rows themselves, whatever the
        responsibilities were. Of a column of equal values it is zero. A "spherical" mixture knows
        only the mean over the columns of what is within.
        """
        centre = weighted_sum(weights, means)
        between = weighted_sum(weights, np.square(means - centre))
        variances = self._within(weights, covariances) + between
        _clear_rounding(variances, centre)
        return variances

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        """Weighted mean of the variances of the components, (d,) or ()."""
        raise NotImplementedError

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        """Raise, in place, variances below `least`, (d,), in whatever direction.

        The result is the covariance of greatest likelihood among those S with
        ``a' S a >= a' diag(least) a`` for every direction a. With the columns in units of
        ``sqrt(least)`` that asks for eigenvalues of at least one. There, for an estimate with
        eigenvalues c, the likelihood of a covariance with eigenvalues t is at most the one where
        both have the same eigenvectors (von Neumann's trace inequality); it then falls with
        ``log t + c / t`` of each, which is least at ``t = max(c, 1)`` (cf. Ingrassia & Rocci
        2007, Computational Statistics & Data Analysis 51, 5339-5351, where the bound is a number).

        A "spherical" covariance is asked for the mean of `least` only.
        """
        raise NotImplementedError

    def select(self, covariances: Doubles, components: Indices | list[int]) -> Doubles:
        """The covariances of some of the components, for an index array."""
        return covariances[components]

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        """Half the longest axis of a component's ellipsoid, (d,): one deviation long.

        Lengths are compared in units of the component's own deviations, so that the columns'
        units do not choose. Where all axes are equal it is the one that leans on every column
        alike.
        """
        raise NotImplementedError

    def factorise(self, covariances: Doubles) -> Doubles:
        """Triangular factors of the precisions; `CollapsedComponent` if there are none."""
        raise NotImplementedError

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        """``log|precision| / 2`` of each component, shape (K,)."""
        raise NotImplementedError

    def precisions(self, factors: Doubles) -> Doubles:
        """Precisions from their factors."""
        raise NotImplementedError

    def covariances(self, factors: Doubles) -> Doubles:
        """Covariances from the factors of the precisions."""
        raise NotImplementedError

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        """``(factors, covariances)`` from positive definite precisions."""
        raise NotImplementedError


class _Full(CovarianceFamily):
    """Every component has its own covariance matrix."""

    name = "full"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross = first[:, :, None] * delta[:, None, :]
        square = delta[:, :, None] * delta[:, None, :]
        # One symmetric matrix is taken off, so that the two entries of a pair are rounded alike.
        return second - (cross + cross.transpose(0, 2, 1)) + weight[:, None, None] * square

    def maximize(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        covariances = second / nk[:, None, None]
        covariances -= move[:, :, None] * move[:, None, :]
        _clear_rounding(_diagonals(covariances), means)
        return covariances

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        return covariances * nk[:, None, None]

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        _diagonals(covariances)[...] += reg_covar

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        return weighted_sum(weights, _diagonals(covariances))

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        _raise_eigenvalues(covariances, least)

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        return TIED.principal_axis(covariances[component], component, n_features)

    def factorise(self, covariances: Doubles) -> Doubles:
        factors = _algebra.inverse_factors(covariances)
        definite = _is_definite(covariances, factors)
        if not definite.all():
            component = int(np.argmin(definite))
            raise CollapsedComponent(component, _columns_without_spread(covariances[component]))
        return factors

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        logarithms: Doubles = np.log(_diagonals(factors)).sum(axis=1)
        return logarithms

    def precisions(self, factors: Doubles) -> Doubles:
        return _algebra.symmetric_product(factors)

    def covariances(self, factors: Doubles) -> Doubles:
        return _covariances_of(factors)

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        return _from_precisions(precisions)


class _Tied(CovarianceFamily):
    """All components share one covariance matrix."""

    name = "tied"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross = product(first.T, delta)
        return second - cross - cross.T + product(delta.T * weight, delta)

    def maximize(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        covariance = second - product(move.T * nk, move)
        covariance /= nk.sum()
        # A product of two different matrices is symmetric to rounding only.
        covariance += covariance.T.copy()
        covariance *= 0.5
        _clear_rounding(_diagonals(covariance), np.abs(means).min(axis=0))
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

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        _diagonals(covariances)[...] += reg_covar

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        return _diagonals(covariances)

    def raise_variances(self, covariances: Doubles, least: Doubles) -> None:
        _raise_eigenvalues(covariances[None], least)

    def select(self, covariances: Doubles, components: Indices | list[int]) -> Doubles:
        return covariances

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        deviations = np.sqrt(_diagonals(covariances))
        values, vectors = _algebra.eigenvectors(covariances / deviations / deviations[:, None])
        axis = vectors[:, -1]
        # Its sign is anybody's choice, so it is made here.
        axis = axis * np.sign(axis[np.argmax(np.abs(axis))])
        longest: Doubles = np.sqrt(values[-1]) * deviations * axis
        return longest

    def factorise(self, covariances: Doubles) -> Doubles:
        factor = _algebra.inverse_factors(covariances)
        if not _is_definite(covariances, factor):
            raise CollapsedComponent(None, _columns_without_spread(covariances))
        return factor

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        return np.full(n_components, np.log(factors.diagonal()).sum())

    def precisions(self, factors: Doubles) -> Doubles:
        return _algebra.symmetric_product(factors)

    def covariances(self, factors: Doubles) -> Doubles:
        return _covariances_of(factors)

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        return _from_precisions(precisions)


class _Diagonal(CovarianceFamily):
    """Every component has its own variance in every column."""

    name: CovarianceType = "diag"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        return second - 2 * first * delta + weight[:, None] * delta * delta

    def maximize(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        variances = second / nk[:, None]
        variances -= move * move
        _clear_rounding(variances, means)
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

    def factorise(self, covariances: Doubles) -> Doubles:
        bad = ~_is_variance(covariances)
        if bad.any():
            component = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
            raise CollapsedComponent(component, np.flatnonzero(bad[component]).tolist())
        return 1.0 / np.sqrt(covariances)

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        logarithms: Doubles = np.log(factors).sum(axis=1)
        return logarithms

    def precisions(self, factors: Doubles) -> Doubles:
        return factors * factors

    def covariances(self, factors: Doubles) -> Doubles:
        return 1.0 / (factors * factors)

    def from_precisions(self, precisions: Doubles) -> tuple[Doubles, Doubles]:
        return np.sqrt(precisions), 1.0 / precisions


class _Spherical(_Diagonal):
    """Every component has one variance, the same in every column."""

    name = "spherical"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        cross: Doubles = np.einsum("kj,kj->k", first, delta)
        square: Doubles = np.einsum("kj,kj->k", delta, delta)
        return second - 2 * cross + weight * square

    def maximize(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        move = first / nk[:, None]
        variances = second / nk
        variances -= np.einsum("kj,kj->k", move, move)
        variances /= means.shape[1]
        _clear_rounding(variances, np.abs(means).min(axis=1))
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

    def log_determinants(self, factors: Doubles, n_components: int, n_features: int) -> Doubles:
        return n_features * np.log(factors)


FULL, TIED, DIAGONAL, SPHERICAL = _Full(), _Tied(), _Diagonal(), _Spherical()

FAMILIES: dict[CovarianceType, CovarianceFamily] = {
    family.name: family for family in (FULL, TIED, DIAGONAL, SPHERICAL)
}
