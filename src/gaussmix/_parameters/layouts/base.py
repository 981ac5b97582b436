"""What a layout is asked, and a covariance that collapses.

The factor follows scikit-learn's ``precisions_cholesky_``: of a matrix an upper triangular ``U``
with ``precision = U @ U.T``, of a variance ``1 / sqrt(variance)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._common.families import LayoutName
from ..._common.typing import Bools, Doubles, Indices
from ..linear_algebra import weighted_sum

EPSILON = np.finfo(np.float64).eps

# Below this, squares of differences are denormal numbers, which keep few digits or none; above,
# the inverse of a variance is finite.
SMALLEST_VARIANCE = np.finfo(np.float64).tiny


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


def is_variance(values: Doubles) -> Bools:
    """Whether each number can be a variance; NaN and infinity cannot."""
    return (values >= SMALLEST_VARIANCE) & (values < np.inf)


def clear_rounding(variances: Doubles, means: Doubles) -> None:
    """Set to zero, in place, variances that are only the rounding of the mean.

    Numbers near m are spaced eps * |m| apart, so equal values with a rounded mean show a spread
    of that size which is not in the data. NaN stays, and so does an infinity of either sign, which
    sums of squares that overflow leave.
    """
    # Deviations are compared, as the square of a large mean would overflow.
    deviations = np.sqrt(np.maximum(variances, 0.0))
    noise = (deviations <= (4 * EPSILON) * np.abs(means)) & (variances > -np.inf)
    np.copyto(variances, 0.0, where=noise)


class Reading(NamedTuple):
    """How the kernels read the factors to find scores from differences to the means."""

    estep: str
    factors: Doubles
    stride: int  # numbers from one component's factor to the next
    row_work: int  # multiplications that a row takes


class Layout:
    """What the rest of the library asks of a layout.

    Attributes
    ----------
    name : str
        Of the layout, and of the family of all covariances that it can hold.
    matrices : bool
        Whether there are covariances of one column with another.
    shared : bool
        Whether all components have the same.
    isotropic : bool
        Whether a component has one variance for all columns.
    turns : bool
        Whether the kernels may turn rows to where all matrices are diagonal.
    moments : str
        The kernels' M-step that sums second moments about the means.
    features : str
        The kernels' features of a row, of which second moments about a centre are sums.
    """

    name: LayoutName
    matrices = False
    shared = False
    isotropic = False
    turns = False
    moments: str
    features: str

    @property
    def own_matrices(self) -> bool:
        """Whether every component has a matrix of its own."""
        return self.matrices and not self.shared

    # --- shapes and columns ---

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """The shape of covariances, precisions, factors and second moments."""
        raise NotImplementedError

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free numbers in the covariances."""
        raise NotImplementedError

    def select(self, covariances: Doubles, components: Indices | list[int]) -> Doubles:
        """The covariances of some of the components, for an index array."""
        return covariances[components]

    def variances(self, covariances: Doubles) -> Doubles:
        """The variances of the columns, of a shape that broadcasts with (K, d)."""
        raise NotImplementedError

    def matrix(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        """The covariance matrix of one component, (d, d)."""
        raise NotImplementedError

    def of_columns(self, array: Doubles, columns: Indices) -> Doubles:
        """Covariances of some columns, in their order; of a variance for all, itself."""
        raise NotImplementedError

    def per_column(self, array: Doubles, n_features: int) -> Doubles:
        """As the kernels read it: a variance for all columns once for each of them."""
        return array

    def forget(self, covariances: Doubles, columns: Indices) -> None:
        """Set, in place, the variance of some columns to 1 and their covariances to 0.

        The one variance of a "spherical" component stays as it is.
        """
        raise NotImplementedError

    def rescaled(
        self, covariances: Doubles, factors: Doubles, scale: Doubles
    ) -> tuple[Doubles, Doubles]:
        """Covariances and factors of columns that are multiplied by `scale`, (d,).

        In the layout of the family that `_common.families.OF_RESCALED` says.
        """
        raise NotImplementedError

    def symmetric(self, array: Doubles) -> Doubles:
        """The mean of a matrix and its transpose: itself where it is symmetric to the bit."""
        return array

    # --- second moments ---

    def shifted(self, second: Doubles, first: Doubles, weight: Doubles, delta: Doubles) -> Doubles:
        """Second moments about ``shift + delta``, from the moments about ``shift``."""
        raise NotImplementedError

    def scatter(self, first: Doubles, second: Doubles, nk: Doubles, means: Doubles) -> Doubles:
        """``W_k / n_k``: what is scattered about the new means, over the weight.

        The covariances of maximum likelihood, of all that the layout can hold, and without
        anything added. `second_moments` is the way back: the two change together.

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
            In the layout: about the new mean, ``second / nk`` less the outer product of
            ``first / nk`` with itself. The difference is small next to its terms only when the
            shift is far from the mean, which the passes over the data avoid.
        """
        raise NotImplementedError

    def from_sums(self, sums: Doubles) -> Doubles:
        """Second moments from what the kernels sum under `moments`."""
        return sums

    def pooled(self, moments: Doubles) -> Doubles:
        """Second moments from those of each component: matrices where there are `matrices`, else
        of the columns, (K, d).
        """
        return moments

    def from_features(self, sums: Doubles, n_features: int) -> Doubles:
        """Second moments from sums of `features` beyond the columns themselves, (K, ...)."""
        raise NotImplementedError

    def second_moments(self, covariances: Doubles, nk: Doubles, n_features: int) -> Doubles:
        """Second moments about the means of rows with these covariances: what `scatter` undoes.

        Parameters
        ----------
        covariances : ndarray
            In the layout, without regularisation.
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

    # --- covariances that change ---

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
        clear_rounding(variances, centre)
        return variances

    def _within(self, weights: Doubles, covariances: Doubles) -> Doubles:
        """Weighted mean of the variances of the components, (d,) or ()."""
        raise NotImplementedError

    def regularise(self, covariances: Doubles, reg_covar: float) -> None:
        """Add ``reg_covar`` to every variance, in place."""
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

    def principal_axis(self, covariances: Doubles, component: int, n_features: int) -> Doubles:
        """Half the longest axis of a component's ellipsoid, (d,): one deviation long.

        Lengths are compared in units of the component's own deviations, so that the columns'
        units do not choose. Where all axes are equal it is the one that leans on every column
        alike.
        """
        raise NotImplementedError

    def axes_of(
        self, covariances: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles, Doubles]:
        """Variances along the components' axes, (K, d), and the axes in the columns, (K, d, d)."""
        raise NotImplementedError

    # --- factors ---

    def factorise(self, covariances: Doubles) -> Doubles:
        """Triangular factors of the precisions; `CollapsedComponent` if there are none."""
        raise NotImplementedError

    def traces(self, scatter: Doubles, factors: Doubles, n_features: int) -> Doubles:
        """``tr(S_k Sigma_k^-1)`` of scatter in the layout, (K,)."""
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

    def pivots(self, factors: Doubles) -> Doubles:
        """A writable view of the entries that are positive, (K or 1, ...): diagonals, or all."""
        return factors

    def standardised(self, means: Doubles, factors: Doubles) -> Doubles:
        """``U' m`` of each component's m, (K, d)."""
        return means * factors.reshape(len(factors), -1)

    def draw_factors(
        self, factors: Doubles, n_components: int, n_features: int
    ) -> tuple[Doubles | None, Doubles]:
        """Triangular factors (K or 1, d, d) if draws need them, and scales (K or 1, d)."""
        raise NotImplementedError

    # --- scores and their digits ---

    def reading(self, factors: Doubles, n_components: int, n_features: int) -> Reading:
        """How scores are found from differences to the means."""
        raise NotImplementedError

    def expanded(self, means: Doubles, factors: Doubles) -> tuple[Doubles, Doubles] | None:
        """Scores as a linear function of `features`: coefficients (K, width) in nats, and the
        squared Mahalanobis distances of the means from the centre (K,).

        None where differences from the means cost no more.
        """
        raise NotImplementedError

    def n_expanded(self, n_features: int) -> int:
        """Number of `features` that second moments and scores of rows with gaps are formed of."""
        raise NotImplementedError

    def squared_reach(self, reach: Doubles, factors: Doubles, variances: Doubles) -> Doubles:
        """Squares of standardised distances of as much as `reach`, (K, d)."""
        squares: Doubles = reach * reach / variances
        return squares

    def column_mean(self, squares: Doubles) -> Doubles:
        """Squares (K, d) as they count for a variance, their mean for that of all columns."""
        return squares

    def parts_of_variance(
        self, second: Doubles, first: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Of each sum of squares: itself, the part that belongs to a mean which has moved, and the
        weight that divides it.
        """
        raise NotImplementedError

    def reach_of_variance(
        self, second: Doubles, move: Doubles, reach: Doubles, weight: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Of each variance: the second moment, the square of how far its mean has moved, and the
        mean of products with the reach.
        """
        raise NotImplementedError
