"""A transformer that fills in missing values, for scikit-learn's pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ._checks.messages import not_fitted
from ._checks.parameters import check_candidates
from ._checks.rows import as_rows, check_in_memory, nonfinite_error
from ._checks.weights import check_sample_weight
from ._common.failures import explains_failures
from ._common.families import CovarianceType
from ._common.typing import (
    Acceleration,
    AnyArray,
    Bools,
    Doubles,
    Floats,
    InitParams,
    Names,
    OnCollapse,
    RandomState,
)
from ._estimators import sklearn_api
from ._estimators.base import assign
from ._estimators.imputing import completed, noise_of_draws
from ._estimators.standardising import best_fit, in_own_units, settings_of_mixture, standardised
from ._rows.array_rows import Rows
from .mixture import GaussianMixture

_ELSEWHERE = "Fit GaussianMixture(allow_nan=True) to rows elsewhere, and call its impute."


@sklearn_api.with_defaults
class GaussianMixtureImputer(sklearn_api.TransformerMixin):
    """Fills in missing values, NaN, by a Gaussian mixture fitted to the incomplete rows.

    A scikit-learn transformer: `fit` finds the mixture by EM under the assumption that values are
    missing at random, and `transform` fills in what each row lacks given what it has, as
    `GaussianMixture.impute` does. With one component that is linear regression on whatever is
    observed; more components follow groups and curves. scikit-learn is not required.

    Columns are standardised for the fit, by the means and deviations of their observed values, so
    that neither `reg_covar` nor the starts depend on the columns' units.

    Parameters
    ----------
    n_components : int or sequence of int, default=1
        Number of components. Of several, such as ``range(1, 6)``, the one with the lowest BIC on
        the training rows is taken.
    covariance_type : str, default="full"
        As for `GaussianMixture`, of the standardised columns. With "diag", "spherical" and
        other families of axes along the columns a row's values tell of its missing ones only
        through the components.
    tol, max_iter, n_init, init_params, n_threads, acceleration, variance_floor, on_collapse
        As for `GaussianMixture`.
    reg_covar : float, default=1e-3
        Added to every variance, as a fraction of the variance of the column. More helps where
        there are few rows for so many columns and components.
    random_state : None, int, RandomState or Generator, default=None
        Decides the starts, and the draws with `sample_posterior`.
    sample_posterior : bool, default=False
        Whether missing values are drawn from their conditional distribution instead of filled in
        with its mean. Every call of `transform` draws anew, for multiple imputation.
    keep_empty_features : bool, default=False
        Whether columns without any value in `fit` are kept, with 0 where values are missing. They
        are dropped by default.
    add_indicator : bool, default=False
        Whether a column of zeros and ones that tells where values were missing is added for each
        column with missing values in `fit`.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The fitted mixture, in the units of X, of all its columns; with its `impute` come
        deviations and many draws at once. With "spherical" it is of type "diag", as one variance
        for all standardised columns is one in proportion to each column's own.
    n_components_ : int
        Number of components asked for in the mixture that was chosen.
    n_iter_ : int
        Number of iterations of its fit.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when X had column names, all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixtureImputer
    >>> X = np.array([[1.0, 2.0], [2.0, 4.1], [3.0, 5.9], [4.0, np.nan], [np.nan, 10.0]])
    >>> GaussianMixtureImputer(tol=1e-9, max_iter=1000).fit_transform(X).round(1)
    array([[ 1. ,  2. ],
           [ 2. ,  4.1],
           [ 3. ,  5.9],
           [ 4. ,  7.9],
           [ 5.1, 10. ]])
    """

    mixture_: GaussianMixture
    n_components_: int
    n_iter_: int
    n_features_in_: int
    feature_names_in_: Names
    _empty: Bools  # (d,) columns without any value in `fit`
    _only: Doubles  # (d,) the one value of a column that had no other, 0 if it is empty, or NaN
    _indicated: Bools  # (d,) columns with missing values in `fit`

    def __init__(
        self,
        n_components: int | Sequence[int] = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-3,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitParams = "kmeans",
        random_state: RandomState = None,
        n_threads: int | None = None,
        acceleration: Acceleration | None = None,
        variance_floor: float = 0.0,
        on_collapse: OnCollapse = "raise",
        sample_posterior: bool = False,
        keep_empty_features: bool = False,
        add_indicator: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.n_threads = n_threads
        self.acceleration = acceleration
        self.variance_floor = variance_floor
        self.on_collapse = on_collapse
        self.sample_posterior = sample_posterior
        self.keep_empty_features = keep_empty_features
        self.add_indicator = add_indicator

    @explains_failures
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to rows with missing values.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows in memory, at least 2 and at least as many as components; a standardised copy is
            made. For rows elsewhere fit a `GaussianMixture` with ``allow_nan=True``, and call its
            `impute`.
        y : ignored
            Present for pipelines.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For invalid parameters, for infinity, for rows without any value, and where a
            covariance is not positive definite and `on_collapse` does not help.

        Warns
        -----
        UserWarning
            About columns without any value, or with one only.
        ConvergenceWarning
            As `GaussianMixture.fit`.
        """
        candidates = self._checked_parameters()
        name = type(self).__name__
        check_in_memory(X, name, _ELSEWHERE)
        X, names = as_rows(X, estimator_name=name, min_rows=2)
        weight = check_sample_weight(sample_weight, len(X))
        rows = Rows(X, weight, n_threads=self.n_threads, allow_nan=True).rescale_weights()
        scan = rows.scan()
        if scan.bad is not None:
            raise nonfinite_error(X, *scan.bad, names, name)
        standard = standardised(rows, scan)
        models = [self._mixture(n, self.covariance_type) for n in candidates]
        model = best_fit(models, standard, names)
        covariance_type, state = in_own_units(model, standard)
        self.mixture_ = self._mixture(model.n_components, covariance_type)
        assign(self.mixture_, state)
        self.n_components_, self.n_iter_ = model.n_components, model.n_iter_
        self._empty = standard.observed == 0
        self._only = np.where(standard.constant | self._empty, standard.mean, np.nan)
        self._indicated = np.isnan(X).any(axis=0)
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = self.mixture_.feature_names_in_ = names
        self.n_features_in_ = X.shape[1]
        return self

    @explains_failures
    def transform(self, X: Any) -> Any:
        """Fill in the missing values of rows.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, d_out)
            float32 for float32 rows, else float64; or a table, as `set_output` says. Columns are
            those of `get_feature_names_out`.
        """
        self._check_fitted()
        self._checked_parameters()
        name = type(self).__name__
        check_in_memory(X, name, _ELSEWHERE)
        array, _ = as_rows(
            X,
            estimator_name=name,
            n_features=self.n_features_in_,
            fitted_names=getattr(self, "feature_names_in_", None),
        )
        values = self._filled(array)
        np.copyto(values, self._only, where=np.isnan(array) & ~np.isnan(self._only))
        if not self.keep_empty_features:
            values = values[:, ~self._empty]
        if self.add_indicator:
            missing = np.isnan(array[:, self._indicated])
            values = np.hstack([values, missing.astype(values.dtype)])
        return self._contained(values, X, self.get_feature_names_out)

    def fit_transform(
        self, X: Any, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """`fit` and then `transform` the same rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        ndarray of shape (n, d_out)
            As of `transform`.
        """
        return self.fit(X, y, sample_weight).transform(X)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> Names:
        """Names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the columns of X; by default `feature_names_in_`, or ``x0``, ``x1`` and so on.

        Returns
        -------
        ndarray of str
            Those of the columns that are kept, and ``missingindicator_`` before those of the
            columns with an indicator.
        """
        self._check_fitted()
        self._checked_parameters()
        names = sklearn_api.feature_names_in(
            input_features, getattr(self, "feature_names_in_", None), self.n_features_in_
        )
        kept = names if self.keep_empty_features else names[~self._empty]
        if not self.add_indicator:
            return kept.copy()
        indicators = [f"missingindicator_{name}" for name in names[self._indicated]]
        return np.concatenate([kept, np.array(indicators, dtype=object)])

    # -- shared ----------------------------------------------------------------------------------

    def _checked_parameters(self) -> list[int]:
        """The numbers of components to try, all parameters checked."""
        return check_candidates(self._settings(), type(self).__name__)

    def _check_fitted(self) -> None:
        if not hasattr(self, "mixture_"):
            raise not_fitted(type(self).__name__)

    def _filled(self, X: AnyArray) -> Floats:
        """Checked rows with all their missing values filled in."""
        mixture = self.mixture_
        noise = noise_of_draws(mixture, 1, None) if self.sample_posterior else None
        (values,) = completed(mixture, X, noise)
        return values[0] if self.sample_posterior else values

    def _mixture(self, n_components: int, covariance_type: CovarianceType) -> GaussianMixture:
        """A mixture that is not fitted yet."""
        settings = settings_of_mixture(self._settings(), n_components, covariance_type)
        return GaussianMixture(**settings)
