"""The parameters of a mixture, as the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .._common.caching import cached_property
from .._common.families import CovarianceType
from .._common.typing import Doubles, Indices
from .layouts import CollapsedComponent, Layout, Reading, layout_of


@dataclass(frozen=True, eq=False)
class MixtureParameters:
    """Weights, means and covariances of a mixture with the factors the E-step needs.

    All arrays are float64 and C-contiguous.

    Attributes
    ----------
    covariance_type : str
        The family, which decides the layout.
    weights : ndarray of shape (K,)
        Sum to one.
    means : ndarray of shape (K, d)
    covariances : ndarray or None
        Shape (K, d, d), (d, d), (K, d) or (K,) by layout. The E-step does not read them.
    precisions_cholesky : ndarray
        Same shape. For "full" and "tied" upper triangular ``U`` with ``precision = U @ U.T``, for
        the others ``1 / sqrt(variance)``.
    """

    covariance_type: CovarianceType
    weights: Doubles
    means: Doubles
    covariances: Doubles | None
    precisions_cholesky: Doubles

    @cached_property
    def layout(self) -> Layout:
        """How the covariances are laid out: all that the passes need to know of the family."""
        return layout_of(self.covariance_type)

    @property
    def n_components(self) -> int:
        return len(self.means)

    @property
    def n_features(self) -> int:
        return int(self.means.shape[1])

    @cached_property
    def log_determinants(self) -> Doubles:
        """``log|precision| / 2`` of each component, shape (K,)."""
        return self.layout.log_determinants(
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
    def reading(self) -> Reading:
        """How the kernels find scores from differences to the means."""
        return self.layout.reading(self.precisions_cholesky, self.n_components, self.n_features)

    @cached_property
    def precisions(self) -> Doubles:
        """Inverses of the covariances, in the covariances' shape."""
        with np.errstate(over="ignore", under="ignore"):
            return self.layout.precisions(self.precisions_cholesky)

    @cached_property
    def variances(self) -> Doubles:
        """Variances of the features, of a shape that broadcasts with (K, d)."""
        return self.layout.variances(self.own_covariances())

    def of_components(self, components: Indices | list[int]) -> MixtureParameters:
        """Some of the components, with the weights that they have here."""
        return replace(
            self,
            weights=self.weights[components],
            means=self.means[components],
            covariances=self.layout.select(self.own_covariances(), components),
            precisions_cholesky=self.layout.select(self.precisions_cholesky, components),
        )

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
            return self.layout.covariances(self.precisions_cholesky)

    def definite_covariances(self) -> Doubles:
        """The covariances, or those of the factors where there are none or none definite.

        Covariances near the singular can lose their definiteness when rounded to float32.
        """
        return self._definite_covariances

    @cached_property
    def _definite_covariances(self) -> Doubles:
        if self.covariances is not None:
            try:
                self.layout.factorise(self.covariances)
            except CollapsedComponent:
                pass
            else:
                return self.covariances
        return self.layout.covariances(self.precisions_cholesky)

    @classmethod
    def from_covariances(
        cls,
        covariance_type: CovarianceType,
        weights: Doubles,
        means: Doubles,
        covariances: Doubles,
    ) -> MixtureParameters:
        """Parameters from covariances; raises `CollapsedComponent` if one is not definite."""
        factors = layout_of(covariance_type).factorise(covariances)
        return cls(covariance_type, weights, means, covariances, factors)


def without_knowledge(parameters: MixtureParameters, columns: Indices) -> MixtureParameters:
    """The parameters with mean 0, variance 1 and no covariance in some columns.

    For columns of which nothing was observed. The one variance of "spherical" stays as it is.
    """
    if columns.size == 0:
        return parameters
    means = parameters.means.copy()
    means[:, columns] = 0.0
    covariances = parameters.own_covariances().copy()
    parameters.layout.forget(covariances, columns)
    return MixtureParameters.from_covariances(
        parameters.covariance_type, parameters.weights, means, covariances
    )
