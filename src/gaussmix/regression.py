"""A regressor that predicts from the mixture of all columns, for scikit-learn's pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike

from ._checks.arguments import check_coverage, check_flag
from ._checks.arrays import check_probabilities
from ._checks.messages import not_fitted
from ._checks.numbers import computing_dtype
from ._checks.outputs import new_result
from ._checks.parameters import check_candidates
from ._checks.rows import as_rows, check_in_memory, nonfinite_error
from ._checks.targets import Targets, as_targets, check_n_targets
from ._checks.weights import check_sample_weight
from ._common.failures import explains_failures
from ._common.families import CovarianceType
from ._common.typing import (
    Acceleration,
    AnyArray,
    Floats,
    InitParams,
    Names,
    OnCollapse,
    RandomState,
)
from ._common.warnings import warn
from ._estimators import criteria, sklearn_api
from ._estimators.base import assign
from ._estimators.conditionals import ConditionalPrediction
from ._estimators.standardising import best_fit, in_own_units, settings_of_mixture, standardised
from ._rows.array_rows import Rows
from .mixture import GaussianMixture

_ELSEWHERE = (
    "Fit GaussianMixture to rows elsewhere, the targets among their columns, and call its "
    "predict_conditional."
)

# Numbers in the covariances of the targets that predictions of a block of rows hold for a while.
_BLOCK_VALUES = 1 << 20


@sklearn_api.with_defaults
class GaussianMixtureRegressor(sklearn_api.RegressorMixin):
    """Regression by a Gaussian mixture fitted to the columns of X and the targets together.

    A scikit-learn regressor. Given a row of X, each component says that the targets are normal
    about a line of its own, and with the components' responsibilities for the row these make a
    mixture again. Its mean is the prediction; its deviation and quantiles tell how far off that
    may be, at this row (Ghahramani & Jordan 1994, Supervised learning from incomplete data via an
    EM approach). With one "full" component that is linear regression by least squares; more follow
    curves, steps, and a scatter that changes. scikit-learn is not required.

    Columns and targets are standardised for the fit, by the means and deviations of their observed
    values, so that neither `reg_covar` nor the starts depend on units.

    Parameters
    ----------
    n_components : int or sequence of int, default=1
        Number of components. Of several, such as ``range(1, 6)``, the one with the lowest BIC of
        columns and targets together is taken.
    covariance_type : str, default="full"
        As for `GaussianMixture`, of the standardised columns. With "tied" all lines have the same
        slopes; with "diag" and "spherical" they have none, and X tells of the targets only through
        the components.
    tol, max_iter, n_init, init_params, n_threads, acceleration, variance_floor, on_collapse
        As for `GaussianMixture`.
    reg_covar : float, default=1e-6
        Added to every variance, as a fraction of the variance of the column. More helps where
        there are few rows for so many columns and components; with one "full" component that
        is ridge regression.
    random_state : None, int, RandomState or Generator, default=None
        Decides the starts.
    allow_nan : bool, default=False
        Whether NaN in X is a missing value instead of an error. `fit` is then the EM algorithm of
        what is observed, right where values are missing at random, and a row is predicted from the
        values it has. Targets must be there.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The fitted mixture, in the units they came in, of the columns of X followed by the targets.
        It has `allow_nan` set, and all methods of its class: `save` for a model file, `condition`
        for the whole distribution of the targets, `predict_conditional` for their covariances, or
        for columns from the targets. With "spherical" it is of type "diag", as one variance for
        all standardised columns is one in proportion to each column's own.
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
    >>> from gaussmix import GaussianMixtureRegressor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, size=1000)
    >>> y = np.abs(x) + 0.1 * rng.normal(size=1000)
    >>> regressor = GaussianMixtureRegressor(2, random_state=0).fit(x[:, None], y)
    >>> regressor.predict([[-1.5], [0.5], [1.5]]).round(1)
    array([1.5, 0.5, 1.5])
    >>> low, high = regressor.predict_interval([[1.5]], coverage=0.9)
    >>> low.round(1), high.round(1)
    (array([1.3]), array([1.7]))
    """

    mixture_: GaussianMixture
    n_components_: int
    n_iter_: int
    n_features_in_: int
    feature_names_in_: Names
    _single: bool  # whether y came as one number a row

    def __init__(
        self,
        n_components: int | Sequence[int] = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitParams = "kmeans",
        random_state: RandomState = None,
        n_threads: int | None = None,
        acceleration: Acceleration | None = None,
        variance_floor: float = 0.0,
        on_collapse: OnCollapse = "raise",
        allow_nan: bool = False,
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
        self.allow_nan = allow_nan

    @explains_failures
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture of columns and targets.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows in memory, at least 2 and at least as many as components; standardised copies are
            made. For rows elsewhere fit a `GaussianMixture` to all columns, and call its
            `predict_conditional`.
        y : array-like of shape (n,) or (n, t)
            One target or t of them.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0: 2 means the same as the row twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For invalid parameters, for what is missing in y, or in X without `allow_nan`, for
            infinity, and where a covariance is not positive definite and `on_collapse` does not
            help. A fit that fails leaves the regressor as it was.

        Warns
        -----
        UserWarning
            About columns and targets of equal values, and columns without any.
        ConvergenceWarning
            As `GaussianMixture.fit`.
        """
        candidates = self._checked_parameters()
        name = type(self).__name__
        for rows in (X, y):
            check_in_memory(rows, name, _ELSEWHERE)
        X, names = as_rows(X, estimator_name=name, min_rows=2)
        targets = as_targets(y, len(X), name)
        weight = check_sample_weight(sample_weight, len(X))
        joint = Rows(
            _joined(X, targets), weight, n_threads=self.n_threads, allow_nan=self.allow_nan
        ).rescale_weights()
        scan = joint.scan()
        if scan.bad is not None:
            raise nonfinite_error(X, *scan.bad, names, name)
        standard = standardised(joint, scan)
        called = _joint_names(names, X.shape[1], targets)
        models = [self._mixture(n, self.covariance_type) for n in candidates]
        model = best_fit(models, standard, called)
        covariance_type, state = in_own_units(model, standard)
        if names is not None:
            state["feature_names_in_"] = called
        mixture = self._mixture(model.n_components, covariance_type)
        assign(mixture, state)
        fitted = {
            "mixture_": mixture,
            "n_components_": model.n_components,
            "n_iter_": model.n_iter_,
            "n_features_in_": X.shape[1],
            "_single": targets.single,
        }
        self.__dict__.pop("feature_names_in_", None)
        vars(self).update(fitted if names is None else fitted | {"feature_names_in_": names})
        return self

    @overload
    def predict(self, X: Any, *, return_std: Literal[False] = False) -> Floats: ...
    @overload
    def predict(self, X: Any, *, return_std: Literal[True]) -> tuple[Floats, Floats]: ...
    @overload
    def predict(self, X: Any, *, return_std: bool) -> Floats | tuple[Floats, Floats]: ...
    @explains_failures
    def predict(self, X: Any, *, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Predict the targets of rows by their conditional means.

        Parameters
        ----------
        X : array-like of shape (n, d)
            With ``allow_nan=True`` a row may lack values, and even all of them.
        return_std : bool, default=False
            Whether to return conditional standard deviations as well.

        Returns
        -------
        mean : ndarray of shape (n,) or (n, t)
            As y was in `fit`; float32 for float32 rows, else float64.
        std : ndarray of the same shape
            Only with `return_std`: the deviation of each target about its mean, in its units. It
            takes the fitted parameters as known.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For rows of another width or with other names than in `fit`, for infinity, and for NaN
            without `allow_nan`.
        """
        check_flag(return_std, "return_std")
        rows = self._checked_rows(X)
        shape = len(rows), self._n_targets()
        mean, std = (new_result(shape, computing_dtype(rows.dtype)) for _ in range(2))
        for part, predicted in self._predictions(rows):
            mean[part] = predicted.mean
            std[part] = np.sqrt(np.diagonal(predicted.covariance, axis1=1, axis2=2))
        mean, std = self._as_targets_came(mean), self._as_targets_came(std)
        return (mean, std) if return_std else mean

    @explains_failures
    def predict_quantiles(self, X: Any, quantiles: ArrayLike = (0.05, 0.5, 0.95)) -> Floats:
        """Predict quantiles of the targets of rows.

        They are those of the conditional mixture, found to rounding, and need not be symmetric
        about the mean or have one peak. Of several targets they are of each by itself, whatever
        the others are.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As for `predict`.
        quantiles : float or array-like of shape (q,), default=(0.05, 0.5, 0.95)
            Probabilities in [0, 1].

        Returns
        -------
        ndarray of shape (n, q) or (n, q, t)
            Without the axis of q where `quantiles` is a number. float32 for float32 rows, else
            float64.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`, and ValueError for probabilities outside [0, 1].

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixtureRegressor
        >>> X = np.repeat([[0.0], [1.0], [2.0]], 2, axis=0)
        >>> regressor = GaussianMixtureRegressor(reg_covar=0).fit(X, [-1, 1, 0, 2, 1, 3])
        >>> regressor.predict_quantiles([[1.0]], [0.025, 0.975]).round(2)
        array([[-0.96,  2.96]])
        """
        probabilities = check_probabilities(quantiles, "quantiles")
        rows = self._checked_rows(X)
        shape = len(rows), probabilities.size, self._n_targets()
        found = new_result(shape, computing_dtype(rows.dtype))
        for part, predicted in self._predictions(rows, probabilities):
            found[part] = predicted.quantiles
        if not probabilities.ndim:
            found = found[:, 0]
        return self._as_targets_came(found)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Floats, Floats]:
        """Predict intervals that hold the targets of rows with a given probability.

        The probability of a target below its interval is that of one above: the ends are the
        quantiles ``(1 - coverage) / 2`` and ``(1 + coverage) / 2``, see `predict_quantiles`.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As for `predict`.
        coverage : float, default=0.9
            Probability that a target lies in its interval, between 0 and 1.

        Returns
        -------
        low, high : ndarray of shape (n,) or (n, t)
            The ends, as `predict` returns means.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`, and ValueError for another coverage.
        """
        tail = 0.5 - 0.5 * check_coverage(coverage)
        ends = self.predict_quantiles(X, [tail, 1.0 - tail])
        return ends[:, 0], ends[:, 1]

    @explains_failures
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the predictions: the share of the targets' variance that they explain.

        Parameters
        ----------
        X : array-like of shape (n, d)
            As for `predict`.
        y : array-like of shape (n,) or (n, t)
            The targets of these rows.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0.

        Returns
        -------
        float
            The mean over the targets of 1 less the mean squared error over the variance. 1 is
            perfect, and 0 what the mean of y would get. NaN, with a warning, for one row.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`, and ValueError for targets as in `fit`, or another number of them.
        """
        predicted = self.predict(X)
        name = type(self).__name__
        targets = as_targets(y, len(predicted), name)
        check_n_targets(targets.values.shape[1], self._n_targets(), name)
        weight = check_sample_weight(sample_weight, len(predicted))
        if len(predicted) < 2:
            warn("R^2 score is not well-defined with less than two samples. Pass more rows.")
            return float("nan")
        means = predicted.reshape(targets.values.shape).astype(np.float64, copy=False)
        return criteria.r_squared(targets.values, means, weight)

    # -- shared ----------------------------------------------------------------------------------

    def _checked_parameters(self) -> list[int]:
        """The numbers of components to try, all parameters checked."""
        return check_candidates(self._settings(), type(self).__name__)

    def _mixture(self, n_components: int, covariance_type: CovarianceType) -> GaussianMixture:
        """A mixture that is not fitted yet."""
        settings = settings_of_mixture(self._settings(), n_components, covariance_type)
        return GaussianMixture(**settings)

    def _checked_rows(self, X: Any) -> AnyArray:
        """Rows of a fitted regressor, every value one that may be there."""
        name = type(self).__name__
        if not hasattr(self, "mixture_"):
            raise not_fitted(name)
        self._checked_parameters()
        check_in_memory(X, name, _ELSEWHERE)
        rows, names = as_rows(
            X,
            estimator_name=name,
            n_features=self.n_features_in_,
            fitted_names=getattr(self, "feature_names_in_", None),
        )
        bad = Rows(rows, n_threads=self.n_threads, allow_nan=self.allow_nan).first_bad()
        if bad is not None:
            raise nonfinite_error(rows, *bad, names, name)
        return rows

    def _n_targets(self) -> int:
        return self.mixture_.n_features_in_ - self.n_features_in_

    def _predictions(
        self, X: AnyArray, quantiles: ArrayLike | None = None
    ) -> Iterator[tuple[slice, ConditionalPrediction]]:
        """What the mixture predicts for rows, a block at a time."""
        given = np.arange(self.n_features_in_)
        size = max(1, _BLOCK_VALUES // self._n_targets() ** 2)
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            yield part, self.mixture_.predict_conditional(X[part], given, quantiles=quantiles)

    def _as_targets_came(self, values: Floats) -> Floats:
        """Results (..., t), without the last axis where there was one target without any."""
        return values[..., 0] if self._single else values


def _joined(X: AnyArray, targets: Targets) -> Floats:
    """Rows of columns and targets; float32 where both came as such."""
    d = X.shape[1]
    dtype = np.result_type(computing_dtype(X.dtype), targets.dtype)
    joint: Floats = new_result((len(X), d + targets.values.shape[1]), dtype, verb="Fit to")
    joint[:, :d], joint[:, d:] = X, targets.values
    return joint


def _joint_names(names: Names | None, n_features: int, targets: Targets) -> Names:
    """Names of columns and targets, made up where they came without."""
    of_targets = targets.names
    if of_targets is None:
        t = targets.values.shape[1]
        made = ["y"] if targets.single else [f"y{target}" for target in range(t)]
        of_targets = np.array(made, dtype=object)
    return np.concatenate([sklearn_api.feature_names_in(None, names, n_features), of_targets])
