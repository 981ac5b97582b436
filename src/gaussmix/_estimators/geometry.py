"""The components as ellipsoids: volume, shape and orientation."""

from __future__ import annotations

import numpy as np

from .._common.failures import explains_failures
from .._common.typing import Doubles, Floats
from .base import BaseMixture


class GeometricMixture(BaseMixture):
    """Covariances as matrices, and taken apart.

    A covariance is ``volume * D @ diag(shape) @ D.T``, where the shape has the product one and
    the columns of D are the axes (Banfield & Raftery 1993, Biometrics 49, 803-821).
    """

    @explains_failures
    def covariances(self) -> Floats:
        """The covariance matrices of all components, whatever the covariance type.

        Returns
        -------
        ndarray of shape (K, d, d)
            In squared units of the data; an array of its own.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [4.0], covariance_type="VII")
        >>> model.covariances_
        array([4.])
        >>> model.covariances()
        array([[[4., 0.],
                [0., 4.]]])
        """
        parameters = self._parameters()
        K, d = parameters.means.shape
        covariances, layout = parameters.own_covariances(), parameters.layout
        matrices = np.empty((K, d, d), dtype=self._dtype)
        for k in range(K):
            matrices[k] = layout.matrix(covariances, k, d)
        return matrices

    @property
    def volumes_(self) -> Floats:
        """Geometric means of the variances along a component's axes, (K,), squared units."""
        variances, _ = self._axes()
        volumes: Floats = np.exp(np.log(variances).mean(axis=1)).astype(self._dtype)
        return volumes

    @property
    def shapes_(self) -> Floats:
        """Variances along the axes over the volume, (K, d): their product is one."""
        logarithms = np.log(self._axes()[0])
        logarithms = logarithms - logarithms.mean(axis=1, keepdims=True)
        shapes: Floats = np.exp(logarithms).astype(self._dtype)
        return shapes

    @property
    def orientations_(self) -> Floats:
        """The axes of each component in the columns, (K, d, d), in the order of `shapes_`.

        Of families whose axes are the columns these are the columns in their order, of "EVE" and
        "VVE" the same axes for all components, of others the axes from the longest to the
        shortest.
        """
        return self._axes()[1].astype(self._dtype)

    @explains_failures
    def _axes(self) -> tuple[Doubles, Doubles]:
        """Variances along the axes (K, d), and the axes (K, d, d)."""
        parameters = self._parameters()
        K, d = parameters.means.shape
        return parameters.layout.axes_of(parameters.own_covariances(), K, d)
