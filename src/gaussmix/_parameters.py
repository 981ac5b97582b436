"""The parameters of a mixture, as the kernels read them, and the M-step that makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ._caching import cached_property
from ._covariance import FAMILIES, CollapsedComponent
from ._layouts import LAYOUTS, CovarianceType, Layout
from ._statistics import SufficientStatistics
from ._typing import Doubles, Indices

# Added to the weight of every component, in units of the mean weight of a row, as scikit-learn
# does for rows of weight one: a component without rows keeps a weight whose logarithm is finite,
# and nothing is divided by zero.
_WEIGHT_FLOOR = 10 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class MixtureParameters:
    """Weights, means and covariances of a mixture with the factors the E-step needs.

    All arrays are float64 and C-contiguous.

    Attributes
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
    weights : ndarray of shape (K,)
        Sum to one.
    means : ndarray of shape (K, d)
    covariances : ndarray or None
        Shape (K, d, d), (d, d), (K, d) or (K,) by family. The E-step does not read them.
    precisions_cholesky : ndarray
        Same shape. For "full" and "tied" upper triangular ``U`` with ``precision = U @ U.T``, for
        the others ``1 / sqrt(variance)``.
    """

    covariance_type: CovarianceType
    weights: Doubles
    means: Doubles
    covariances: Doubles | None
    precisions_cholesky: Doubles

    @property
    def layout(self) -> Layout:
        """How the covariances are laid out: all that the passes need to know of the family."""
        return LAYOUTS[self.covariance_type]

    @property
    def n_components(self) -> int:
        return len(self.means)

    @property
    def n_features(self) -> int:
        return int(self.means.shape[1])

    @cached_property
    def log_determinants(self) -> Doubles:
        """``log|precision| / 2`` of each component, shape (K,)."""
        return FAMILIES[self.covariance_type].log_determinants(
            self.precisions_cholesky, self.n_components, self.n_features
        )

    @cached_property
    def log_weights(self) -> Doubles:
        """Logarithms of the weights, shape (K,).

        These and `log_determinants` are all that an E-step takes beside means and factors: of
        parameters that are known by a distribution only, they are its expectations.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

    @cached_property
    def precisions(self) -> Doubles:
        """Inverses of the covariances, in the covariances' shape."""
        with np.errstate(over="ignore", under="ignore"):
            return FAMILIES[self.covariance_type].precisions(self.precisions_cholesky)

    @cached_property
    def variances(self) -> Doubles:
        """Variances of the features, of a shape that broadcasts with (K, d)."""
        covariances = self.own_covariances()
        if self.layout == "full":
            return np.diagonal(covariances, axis1=1, axis2=2)
        if self.layout == "tied":
            return covariances.diagonal()[None, :]
        return covariances if covariances.ndim == 2 else covariances[:, None]

    def copied(self) -> MixtureParameters:
        """The same, with arrays of its own."""
        return replace(
            self,
            weights=self.weights.copy(),
            means=self.means.copy(),
            covariances=None if self.covariances is None else self.covariances.copy(),
            precisions_cholesky=self.precisions_cholesky.copy(),
        )

    def own_covariances(self) -> Doubles:
        """The covariances, or those of the factors where there are none."""
        if self.covariances is not None:
            return self.covariances
        with np.errstate(all="ignore"):
            return FAMILIES[self.covariance_type].covariances(self.precisions_cholesky)

    def definite_covariances(self) -> Doubles:
        """The covariances, or those of the factors where there are none or none definite.

        Covariances near the singular can lose their definiteness when rounded to float32.
        """
        return self._definite_covariances

    @cached_property
    def _definite_covariances(self) -> Doubles:
        family = FAMILIES[self.covariance_type]
        if self.covariances is not None:
            try:
                family.factorise(self.covariances)
            except CollapsedComponent:
                pass
            else:
                return self.covariances
        return family.covariances(self.precisions_cholesky)

    @classmethod
    def from_covariances(
        cls,
        covariance_type: CovarianceType,
        weights: Doubles,
        means: Doubles,
        covariances: Doubles,
    ) -> MixtureParameters:
        """Parameters from covariances; raises `CollapsedComponent` if one is not definite."""
        factors = FAMILIES[covariance_type].factorise(covariances)
        return cls(covariance_type, weights, means, covariances, factors)


def estimate(
    statistics: SufficientStatistics,
    reg_covar: float,
    previous: MixtureParameters | None = None,
    variance_floor: float = 0.0,
) -> tuple[Doubles, Doubles, Doubles]:
    """Weights, means and regularised covariances from statistics; see `maximize`."""
    family = FAMILIES[statistics.covariance_type]
    row_weight = statistics.total_weight / max(statistics.n_rows, 1)
    nk = statistics.weight + _WEIGHT_FLOOR * row_weight
    weights = nk / nk.sum()
    means = statistics.shift + statistics.first / nk[:, None]
    covariances = family.maximize(statistics.first, statistics.second, nk, means)
    if variance_floor > 0:
        # Before `reg_covar`: the columns of the rows themselves. Of rows with missing values the
        # estimate tells those of the rows completed, whose variances move with the parameters: a
        # bound that moves would let the likelihood fall.
        unit = statistics.observed_variances
        if unit is None:
            unit = family.column_variances(weights, means, covariances)
        least = variance_floor * unit
    if previous is not None and not statistics.weight.all():
        empty = statistics.weight == 0
        means[empty] = previous.means[empty]
    family.regularise(covariances, reg_covar)
    if variance_floor > 0:
        family.raise_variances(covariances, least)
    return weights, means, covariances


def factorised(
    statistics: SufficientStatistics, weights: Doubles, means: Doubles, covariances: Doubles
) -> MixtureParameters:
    """Parameters from an estimate; `CollapsedComponent` with the component's weight and rows."""
    try:
        return MixtureParameters.from_covariances(
            statistics.covariance_type, weights, means, covariances
        )
    except CollapsedComponent as collapsed:
        if collapsed.component is not None:
            collapsed.weight = float(weights[collapsed.component])
            collapsed.effective_rows = float(statistics.weight[collapsed.component])
        raise


def maximize(
    statistics: SufficientStatistics,
    reg_covar: float,
    previous: MixtureParameters | None = None,
    variance_floor: float = 0.0,
) -> MixtureParameters:
    """The M-step: the parameters that fit the statistics best.

    The component weights are ``N_k + 10 eps`` over their sum, the means ``shift + first / N_k``,
    and ``reg_covar`` is added to every variance, as in scikit-learn. Variances that are below the
    floor then are raised to it.

    Parameters
    ----------
    statistics : SufficientStatistics
    reg_covar : float
        Added to every variance, in squared units of the data.
    previous : MixtureParameters, optional
        A component that got no weight at all keeps its mean from here, and its covariance is
        ``reg_covar`` alone, or the floor. Without it the mean becomes the point of reference of
        the statistics.
    variance_floor : float, default=0.0
        Least variance of a component in any direction, as a fraction of the columns' variances,
        which the statistics tell; where values are missing, of those in ``statistics.columns``.

    Returns
    -------
    MixtureParameters

    Raises
    ------
    CollapsedComponent
        If a covariance is not positive definite, with the component's weight and rows.
    """
    return factorised(statistics, *estimate(statistics, reg_covar, previous, variance_floor))


def constrained(parameters: MixtureParameters, least: Doubles) -> MixtureParameters:
    """The parameters with variances below `least`, (d,), raised to it."""
    family = FAMILIES[parameters.covariance_type]
    covariances = family.covariances(parameters.precisions_cholesky)
    family.raise_variances(covariances, least)
    return MixtureParameters.from_covariances(
        parameters.covariance_type, parameters.weights, parameters.means, covariances
    )


def without_knowledge(parameters: MixtureParameters, columns: Indices) -> MixtureParameters:
    """The parameters with mean 0, variance 1 and no covariance in some columns.

    For columns of which nothing was observed. The one variance of "spherical" stays as it is.
    """
    if columns.size == 0:
        return parameters
    means = parameters.means.copy()
    means[:, columns] = 0.0
    covariances = parameters.own_covariances().copy()
    if parameters.layout in ("full", "tied"):
        covariances[..., columns, :] = 0.0
        covariances[..., :, columns] = 0.0
        covariances[..., columns, columns] = 1.0
    elif parameters.layout == "diag":
        covariances[:, columns] = 1.0
    return MixtureParameters.from_covariances(
        parameters.covariance_type, parameters.weights, means, covariances
    )
