"""What a covariance family is asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._common.families import CovarianceType
from ..._common.typing import Doubles
from ..._parameters.layouts import Layout, layout_of
from ..._parameters.mixture import MixtureParameters


class CovarianceFamily:
    """A set of covariances, and the member of it that fits best.

    Attributes
    ----------
    name : str
        The value of ``covariance_type``; `_common.families.LAYOUTS` says which layout it has.
    constrained : bool
        Whether the layout can hold covariances that do not belong to the family.
    shares_axes : bool
        Whether all components have the same axes, which are to be found.
    """

    name: CovarianceType
    constrained = True
    shares_axes = False

    @property
    def layout(self) -> Layout:
        """How the covariances lie in memory."""
        return layout_of(self.name)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free numbers in the covariances."""
        raise NotImplementedError

    def departure(self, covariances: Doubles) -> float:
        """How far covariances are from the family, in the deviations of the columns: rounding for
        those that belong to it.
        """
        if not self.constrained:
            return 0.0
        with np.errstate(all="ignore"):
            nearest = self.estimate(covariances, np.ones(len(covariances)), None, None)
            scale = covariances
            if self.layout.matrices:
                deviations = np.sqrt(self.layout.variances(covariances))
                scale = deviations[:, :, None] * deviations[:, None, :]
            return float(np.abs((nearest - covariances) / scale).max())

    def oriented(self, scatter: Doubles, nk: Doubles) -> Iterator[Doubles]:
        """Covariances of the family with different axes, where it `shares_axes`."""
        raise NotImplementedError

    def estimate(
        self,
        scatter: Doubles,
        nk: Doubles,
        previous: MixtureParameters | None,
        least: Doubles | None,
    ) -> Doubles:
        """The covariances of the family that have the greatest likelihood.

        Parameters
        ----------
        scatter : ndarray
            In the family's layout, ``W_k / n_k``: the scatter of the components about their means
            over their weight, with all that a prior and `reg_covar` add to it.
        nk : ndarray of shape (K,)
            Weights of the components, all above zero. Only their ratios count: in an M-step they
            are those of rows, after an extrapolation the mixture's.
        previous : MixtureParameters or None
            The parameters before the step, a member of the family, from which one that iterates
            starts; None at the start of a fit. Their number of components is that of the scatter.
        least : ndarray of shape (d,) or None
            Bound that `Layout.raise_variances` describes, which the covariances keep.

        Returns
        -------
        ndarray
            In the same layout. With a bound they may fall short of the greatest likelihood.
        """
        raise NotImplementedError
