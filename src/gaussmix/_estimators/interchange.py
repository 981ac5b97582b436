"""A mixture among scikit-learn's: its tags, its names of private methods, and both ways over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .._common.settings import SETTINGS
from .._common.typing import Floats
from .scoring import ScoringMixture

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture as SklearnMixture
    from sklearn.utils import Tags

_FITTED_ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")


class InterchangeableMixture(ScoringMixture):
    """A density estimator's tags, and conversion to and from scikit-learn's own class."""

    _weighted = ("fit", "partial_fit")

    def __sklearn_tags__(self) -> Tags:
        """scikit-learn's description of what this estimator takes and is."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="density_estimator",
            target_tags=TargetTags(required=False),
            transformer_tags=None,
            classifier_tags=None,
            regressor_tags=None,
            input_tags=InputTags(allow_nan=bool(self.allow_nan)),
        )

    def set_partial_fit_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self:
        """Say whether a meta-estimator should pass `sample_weight` on to `partial_fit`.

        Needs scikit-learn, with ``sklearn.set_config(enable_metadata_routing=True)``.

        Parameters
        ----------
        sample_weight : bool, None or str
            As for `set_fit_request`.

        Returns
        -------
        self
        """
        return self._set_request("partial_fit", sample_weight)

    # -- private methods of scikit-learn's class that other code calls ---------------------------

    def _estimate_log_prob(self, X: Any) -> Floats:
        return self.component_log_density(X)

    def _estimate_log_weights(self) -> Floats:
        return self._parameters().log_weights.copy()

    def _estimate_weighted_log_prob(self, X: Any) -> Floats:
        joint: Floats = self._estimate_log_prob(X) + self._estimate_log_weights()
        return joint

    def _estimate_log_prob_resp(self, X: Any) -> tuple[Floats, Floats]:
        log_density = self.score_samples(X)
        with np.errstate(invalid="ignore"):  # minus infinity less minus infinity
            return log_density, self._estimate_weighted_log_prob(X) - log_density[:, None]

    def _get_parameters(self) -> tuple[Floats, Floats, Floats, Floats]:
        parameters = self._parameters()
        return (
            parameters.weights,
            parameters.means,
            parameters.own_covariances(),
            parameters.precisions_cholesky,
        )

    def _set_parameters(self, params: tuple[Any, Any, Any, Any]) -> None:
        names = ("weights_", "means_", "covariances_", "precisions_cholesky_")
        arrays = self._taken(dict(zip(names, params, strict=True)), type(self).__name__)
        # Precisions too, before the next use: set after it they would decide.
        for name, array in arrays.items():
            setattr(self, name, array)

    # -- fitted models both ways -----------------------------------------------------------------

    def to_sklearn(self) -> SklearnMixture:
        """A fitted `sklearn.mixture.GaussianMixture` with the same parameters and results.

        Needs scikit-learn. Arrays are copied; parameters that it does not have are left out, its
        `n_components` is the number of components that there are, and its `covariance_type` one
        that it knows, of the same shape.
        """
        from sklearn.mixture import GaussianMixture

        parameters = self._parameters()
        params = {n: value for n, value in self._settings().items() if _is_theirs(n)}
        params["n_components"] = parameters.n_components
        params["covariance_type"] = parameters.layout.name
        theirs = GaussianMixture(**params)
        for name, array in self._arrays().items():
            setattr(theirs, name, array.copy())
        theirs.n_features_in_ = parameters.n_features
        for name, value in self._course().items():
            setattr(theirs, name, value)
        if hasattr(self, "feature_names_in_"):
            theirs.feature_names_in_ = self.feature_names_in_.copy()
        return theirs

    @classmethod
    def from_sklearn(cls, fitted: SklearnMixture) -> Self:
        """A model with the parameters and results of a fitted scikit-learn mixture.

        Parameters
        ----------
        fitted : sklearn.mixture.GaussianMixture
            Fitted, or with `weights_`, `means_` and one at least of `precisions_cholesky_` and
            `covariances_` set by hand.

        Returns
        -------
        GaussianMixture
            Arrays are copied. `precisions_`, which scikit-learn does not read, follow from the
            others.

        Raises
        ------
        NotFittedError
            When `fitted` has no parameters.
        ValueError
            When they are not those of a mixture, or `covariances_` and `precisions_cholesky_`
            disagree.
        """
        from sklearn.mixture import GaussianMixture

        if not isinstance(fitted, GaussianMixture):
            raise TypeError(
                "from_sklearn takes a fitted sklearn.mixture.GaussianMixture. Got "
                f"{type(fitted).__name__}."
            )
        # Of the parameters that a subclass of theirs adds, those that this one has too.
        named, _more = cls._signature()
        params = {name: value for name, value in fitted.get_params(False).items() if name in named}
        for name in cls._defaults:
            if _is_theirs(name):
                params[name] = getattr(fitted, name)
        model = cls._constructed(params)
        arrays = {name: getattr(fitted, name) for name in _FITTED_ARRAYS if hasattr(fitted, name)}
        state = model._taken(arrays, type(fitted).__name__)
        state["converged_"] = bool(getattr(fitted, "converged_", False))
        state["n_iter_"] = int(getattr(fitted, "n_iter_", 0))
        state["lower_bound_"] = float(getattr(fitted, "lower_bound_", -np.inf))
        # Recorded since scikit-learn 1.7.
        state["lower_bounds_"] = [float(bound) for bound in getattr(fitted, "lower_bounds_", [])]
        state["collapses_"] = []
        state["n_samples_seen_"] = 0
        state["n_features_in_"] = state["means_"].shape[1]
        if hasattr(fitted, "feature_names_in_"):
            state["feature_names_in_"] = fitted.feature_names_in_.copy()
        model._assign(state)
        return model


def _is_theirs(name: str) -> bool:
    """Whether scikit-learn's mixture has a parameter of this name."""
    return name in SETTINGS and SETTINGS[name].in_sklearn
