"""What a covariance family is asked."""

from __future__ import annotations

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
    """

    name: CovarianceType
    constrained = True

    @property
    def layout(self) -> Layout:
        """How the covariances lie in memory."""
        return layout_of(self.name)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free numbers in the covariances."""
        raise NotImplementedError

    def estimate(
        self, scatter: Doubles, nk: Doubles, previous: MixtureParameters | None
    ) -> Doubles:
        """The covariances of the family that have the greatest likelihood.

        Parameters
        ----------
        scatter : ndarray
            In the family's layout, ``W_k / n_k``: the scatter of the components about their means
            over their weight, with all that a prior, `reg_covar` and the variance floor add to
            it.
        nk : ndarray of shape (K,)
            Weights of the components, all above zero. Only their ratios count: in an M-step they
            are those of rows, after an extrapolation the mixture's.
        previous : MixtureParameters or None
            The parameters before the step, from which a family that iterates starts; None at the
            start of a fit. Their number of components is that of the scatter.

        Returns
        -------
        ndarray
            In the same layout.
        """
        raise NotImplementedError
