"""The Gaussian mixture model."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from . import (
    _draws,
    _em,
    _fitting,
    _hooks,
    _passes,
    _persistence,
    _sklearn,
    _validation,
)
from ._conditionals import ConditionalMixture
from ._covariance import FAMILIES, CollapsedComponent
from ._data import Context, Data
from ._explaining import ExplainedMixture
from ._fitted import fitted_state, given_state
from ._imputing import ImputingMixture
from ._initialization import sample_rows
from ._kept import Kept
from ._layouts import CovarianceType
from ._parameters import MixtureParameters, without_knowledge
from ._row_sets import RowSet, row_set
from ._rows import DOUBLE, Scan
from ._statistics import SufficientStatistics
from ._stepwise import StepwiseMixture
from ._typing import (
    Acceleration,
    AnyArray,
    Collapse,
    Floats,
    Generator,
    Indices,
    InitParams,
    Names,
    OnCollapse,
    RandomState,
    StrPath,
)
from .sources import RowsLike

if TYPE_CHECKING:
    pass

Output = TypeVar("Output", bound=Floats)
Scalar = TypeVar("Scalar", bound=np.generic)


@_sklearn.with_defaults
class GaussianMixture(StepwiseMixture, ConditionalMixture, ExplainedMixture, ImputingMixture):
    """Gaussian mixture fitted by expectation-maximisation.

    Takes the parameters, and has the methods and fitted attributes, of scikit-learn's class of the
    same name. ``K`` below is `n_components`, ``d`` the number of features.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        "full": every component has its own covariance matrix; "tied": all share one; "diag":
        every component has its own variance in every column; "spherical": one variance for each
        component.
    tol : float, default=1e-3
        Iterations stop when the mean log-likelihood of a row changes by less than this, in nats.
    reg_covar : float, default=1e-6
        Added to every variance, in squared units of the data.
    max_iter : int, default=100
        Largest number of iterations. With 0 the model is the start, without a warning.
    n_init : int, default=1
        Number of starts; the best result is kept. A start that repeats an earlier one, in whatever
        order of the components, is not run again.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How a start is found: k-means, its seeds only, random responsibilities, or random rows.
    weights_init : array-like of shape (K,), optional
        Weights to start from.
    means_init : array-like of shape (K, d), optional
        Means to start from.
    precisions_init : array-like, optional
        Inverse covariances to start from, in the shape of `precisions_`.
    random_state : None, int, RandomState or Generator, default=None
        Decides the starts and what `sample` draws.
    warm_start : bool, default=False
        Whether a second `fit` continues from the result of the first; `n_init` is ignored then.
    verbose : int, default=0
        1 prints progress, 2 times and changes as well. On a terminal, with tqdm installed, a bar
        is shown instead.
    verbose_interval : int, default=10
        Iterations between two lines of progress.
    n_threads : int, optional
        Number of threads; by default the environment variables GAUSSMIX_NUM_THREADS and
        OMP_NUM_THREADS, then the CPUs available. Results do not depend on it.
    acceleration : {None, "squarem"}, default=None
        How iterations are shortened. "squarem" extrapolates every third one (Varadhan & Roland
        2008), to reach the same optimum in fewer where components overlap and `tol` is small.
        Where components are far apart it gains nothing, and where there are many optima it may
        reach another than without.
    variance_floor : float, default=0.0
        Least variance of a component in any direction, as a fraction of the variances of the
        columns: the M-step is the maximum under that bound, and with ``reg_covar=0`` the
        likelihood never falls. 0.001, say, keeps every variance above a thousandth of its
        column's. Where values are missing, those of a column that are there tell its variance.
    on_collapse : {"raise", "drop", "reseed"}, default="raise"
        What becomes of a component whose covariance is singular or that is left without a row:
        an error; the fit goes on without it; or it is placed anew, by splitting the heaviest of
        the others. `collapses_` lists what happened.
    learning_decay : float, default=0.6
        How fast the steps of `partial_fit` shrink, in (0.5, 1]: a batch of weight w counts
        ``(w / W) ** learning_decay`` where W is the weight of all rows so far with it. With 1 all
        rows count alike; less lets later batches, whose responsibilities come from better
        parameters, count more.
    forgetting : float, optional
        In (0, 1): `partial_fit` multiplies the weight of all earlier rows by this at each batch,
        and `learning_decay` has no say. For data that change.
    allow_nan : bool, default=False
        Whether NaN in X is a missing value instead of an error. A row then counts by the density
        of the values it has, and `fit` is the EM algorithm of that likelihood, which is right
        where values are missing at random: whether one is may depend on the values that are there
        (Little & Rubin 2019). A row without any value has log-density 0 and the components'
        weights as responsibilities. A column without any value is warned about, and described by
        mean 0 and variance 1.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
    means_ : ndarray of shape (K, d)
    covariances_ : ndarray
        Shape (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical".
    precisions_ : ndarray
        Inverses of the covariances, same shape.
    precisions_cholesky_ : ndarray
        Same shape: for "full" and "tied" upper triangular ``U`` with ``precision = U @ U.T``,
        for the others ``1 / sqrt(variance)``.
    converged_ : bool
        Whether the last change was below `tol`.
    n_iter_ : int
        Number of iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood of a row, in nats, at the start of the last iteration.
    lower_bounds_ : list of float
        The same for every iteration of the best start. With `acceleration` an iteration that is
        taken back, as it would have lowered the bound, repeats the last value. Where a component
        collapsed and the fit went on, and only there, the value after can be lower.
    collapses_ : list of dict
        The components that collapsed in the best start, in order, empty when there were none:
        "iteration", from 1, 0 for the start itself; "component", its index at that time; "action",
        "reseed" or "drop"; "columns", the indices of those in which it had no spread, empty when
        none is to blame; "effective_rows", the sum of its responsibilities in rows of mean weight.
        A warm start adds to those of the fit it continues.
    n_samples_seen_ : int or float
        Weight of the rows that the parameters come from, their number when none had a weight:
        those of `fit` or `update`, and of every `partial_fit` since. 0 after `from_parameters`.
        It may be set, to say how many rows the parameters are worth to `partial_fit`.
    effective_rows_ : ndarray of shape (K,)
        After `partial_fit`: what is remembered of each component's own rows, in rows of mean
        weight, where a row of the newest batch counts as one.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when X had column names, all strings.

    Notes
    -----
    `weights_`, `means_`, `covariances_`, `precisions_` and `precisions_cholesky_` may be set and
    written into. The next use, by whatever method, notices it, and raises a ValueError for numbers
    that are no mixture. Of the last three those that were changed since the last use have to agree
    to rounding, and the others follow from them: from that use on they read as what follows. A
    factor may be triangular either way, with positive numbers in its diagonal.

    Rows in float32 are read as they are; results and fitted attributes are float32, the attributes
    float64 where float32 cannot hold variances or precisions. From 19 features on float32 rows are
    computed in single precision, with sums over many rows in double, as long as components lie
    within a thousand deviations of each other, are not nearly singular and have rows enough; else
    in double. Anything else is computed as float64. In a fit a component that is 2^86 times
    (single: 2^50 times) less likely than a row's best has no share in the row, which changes no
    digit of a sum; `predict_proba` gives all. No array with an entry for every row is allocated in
    `fit`, and X is not copied.

    Any number of Python threads may score one model at a time, and so may `accumulate`, `impute`
    and `sample`, where these draw with a `random_state` of the call's own: they only read it. What
    changes a model, such as `fit`, `update`, draws otherwise, or to set an attribute, is for one
    thread while no other uses that model; different models are independent. A
    `numpy.random.Generator` or `RandomState` given as `random_state` must not be in use by another
    thread.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> model = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> np.sort(model.means_, axis=0)
    array([[ 1.,  2.],
           [10.,  2.]])
    >>> labels = model.predict([[0, 0], [12, 3]])
    >>> bool(labels[0] == model.predict([[1, 2]])[0] and labels[0] != labels[1])
    True
    """

    # Empty, for the `BaseEstimator` that a subclass may have as well: it pickles no instance whose
    # class says that it has slots of its own.
    __slots__ = ()

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: InitParams = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: RandomState = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_threads: int | None = None,
        acceleration: Acceleration | None = None,
        variance_floor: float = 0.0,
        on_collapse: OnCollapse = "raise",
        learning_decay: float = 0.6,
        forgetting: float | None = None,
        allow_nan: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_threads = n_threads
        self.acceleration = acceleration
        self.variance_floor = variance_floor
        self.on_collapse = on_collapse
        self.learning_decay = learning_decay
        self.forgetting = forgetting
        self.allow_nan = allow_nan

    # -- fitting ---------------------------------------------------------------------------------

    def fit(self, X: RowsLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like of shape (n, d), source of rows, or dask Array or DataFrame
            At least 2 and at least K rows. Sources are what `gaussmix.sources.as_source` knows.
        y : ignored
            Present for pipelines.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0: 2 means the same as the row twice, 0 as no row. For a
            dask collection also a dask Array or Series.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For invalid parameters or data, and when a covariance is not positive definite and
            `on_collapse` does not help. A fit that fails leaves the model as it was.
        TypeError
            For a subclass with a step of scikit-learn's fit of its own, such as ``_m_step``, which
            would have no effect. Also from other methods that would take that step.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` iterations were not enough, and when components collapsed and were
            dropped or placed anew.
        UserWarning
            About columns of equal values or without any, rows without any, and columns whose
            variance is less than ten times `reg_covar`, which is added to it.
        """
        # scikit-learn's fit is a call of fit_predict. One that a subclass has of its own may in
        # turn call fit, which then comes here a second time.
        if "_fitting" in vars(self) or not _hooks.overrides(self, "fit_predict"):
            self._fit(X, sample_weight)
            return self
        self._fitting = True
        try:
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            self.fit_predict(X, y, **weights)
        finally:
            del self._fitting
        return self

    @_validation.says_memory_error
    def fit_predict(
        self, X: RowsLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Indices:
        """`fit` and then `predict` the same rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        ndarray of int, shape (n,)
        """
        rows = self._fit(X, sample_weight)[0]
        return rows.labels(self._scorer())

    @_validation.says_memory_error
    def _fit(
        self,
        X: RowsLike,
        sample_weight: ArrayLike | None,
        *,
        one_step: bool = False,
        column_names: Names | None = None,
    ) -> tuple[RowSet, Data]:
        """Fit, assign the fitted attributes, and return the rows as they came and as checked.

        With `one_step` there is one iteration, whatever `max_iter` says, and no warning about it.
        Messages about an X without names call its columns by `column_names`.
        """
        _hooks.refuse(self, _hooks.FIT)
        settings = _fitting.checked_settings(self)
        context = Context(type(self).__name__, settings.n_threads, settings.allow_nan)
        rows = row_set(X, context)
        data, names = rows.to_fit(sample_weight, sample_rows(settings.n_components))
        called = column_names if names is None else names
        scan = data.scan()
        if scan.observed is not None and not scan.observed.any():
            raise _validation.no_values()
        _validation.check_enough_rows(data.n_used - scan.n_empty, settings.n_components)
        given = _validation.check_initial(
            self.weights_init,
            self.means_init,
            self.precisions_init,
            settings.n_components,
            data.n_features,
            settings.covariance_type,
        )
        continues = self._continues()
        try:
            result = _fitting.best_run(
                data,
                scan,
                settings,
                max_iter=1 if one_step else settings.max_iter,
                given=given,
                continued=self._continued_parameters(data.n_features) if continues else None,
                previous_lower_bound=self.lower_bound_ if continues else -np.inf,
            )
        except CollapsedComponent as collapsed:
            raise self._ill_defined(collapsed, called, data.dtype) from None
        if result is None:
            raise ValueError(
                "The log-likelihood of every start became NaN or infinite. Scale the input data: "
                "squares of its values overflow or vanish in double precision."
            )
        unfinished = self.max_iter > 0 and not one_step
        self._warn(result, scan, called, data.n_samples, unfinished)
        parameters = result.parameters
        if not continues and scan.observed is not None:
            parameters = without_knowledge(parameters, np.flatnonzero(scan.observed == 0))
        state = fitted_state(parameters, data.dtype)
        state["converged_"] = result.converged
        state["n_iter_"] = result.n_iter
        state["lower_bound_"] = result.lower_bound
        state["lower_bounds_"] = result.lower_bounds
        state["collapses_"] = self._earlier_collapses() + result.collapses
        state["n_samples_seen_"] = data.n_samples_seen
        if names is not None:
            state["feature_names_in_"] = names
        self._assign(state)
        return rows, data

    def _continues(self) -> bool:
        """Whether a fit goes on from the result of the last."""
        return self.warm_start and hasattr(self, "converged_")

    def _earlier_collapses(self) -> list[Collapse]:
        """Collapses in the fits that this one continues."""
        return list(getattr(self, "collapses_", ())) if self._continues() else []

    def _continued_parameters(self, n_features: int) -> MixtureParameters:
        """The fitted parameters, as the start of another fit."""
        parameters = self._parameters()
        fitted = parameters.means.shape
        dropped = sum(collapse["action"] == "drop" for collapse in self._earlier_collapses())
        if fitted != (self.n_components - dropped, n_features):
            but = f", of which {dropped} were dropped," if dropped else ""
            raise ValueError(
                f"warm_start=True continues a model with n_components={fitted[0] + dropped}{but} "
                f"and {fitted[1]} features, but n_components={self.n_components} and X has "
                f"{n_features} features. Set warm_start=False to start afresh."
            )
        return parameters

    def _warn(
        self,
        result: _em.EMResult[MixtureParameters],
        scan: Scan,
        names: Names | None,
        n_samples: int,
        unfinished: bool,
    ) -> None:
        """Warn about a result that did not converge, and about what in X tells nothing."""
        if unfinished and not result.converged:
            _validation.warn(
                _validation.convergence_warning(
                    "Best performing initialization did not converge. Try different init "
                    "parameters, or increase max_iter, tol, or check for degenerate data."
                )
            )
        if result.collapses:
            _validation.warn(_validation.collapse_warning(result.collapses, names))
        if scan.observed is not None:
            empty = np.flatnonzero(scan.observed == 0)
            if empty.size:
                _validation.warn(_validation.empty_columns_warning(empty.tolist(), names))
            if scan.n_empty:
                _validation.warn(_validation.empty_rows_warning(scan.n_empty, n_samples))
        constant = np.flatnonzero(scan.constant)
        if constant.size:
            _validation.warn(
                _validation.constant_columns_warning(
                    constant.tolist(), names, self.covariance_type, float(self.reg_covar)
                )
            )
        shared = self.covariance_type == "spherical"
        reg_covar = float(self.reg_covar)
        widened = scan.widened(reg_covar, shared=shared)
        if widened.size:
            _validation.warn(
                _validation.widened_columns_warning(
                    widened.tolist(), scan.variance, names, self.covariance_type, reg_covar
                )
            )

    @_validation.says_memory_error
    def accumulate(
        self, X: RowsLike, sample_weight: ArrayLike | None = None
    ) -> SufficientStatistics:
        """One E-step under the fitted parameters: the sums that an M-step needs.

        Statistics of several chunks of rows add up to those of all rows, so
        ``model.update(sum(model.accumulate(chunk) for chunk in chunks))`` is one EM iteration over
        data that need not fit in memory.

        Parameters
        ----------
        X : array-like of shape (n, d), or rows from elsewhere as for `fit`
            One piece of the data; it may have no rows.
        sample_weight : number or array-like of shape (n,), optional
            May be zero for all rows of a piece.

        Returns
        -------
        SufficientStatistics

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(100, 1))
        >>> model = GaussianMixture(random_state=0).fit(X)
        >>> statistics = sum(model.accumulate(chunk) for chunk in np.split(X, 4))
        >>> bool(np.allclose(model.update(statistics).means_, X.mean()))
        True
        """
        _hooks.refuse(self, "ed")
        settings = _fitting.checked_settings(self)
        parameters = self._parameters()
        data = self._row_set(X).to_learn(sample_weight)
        with np.errstate(all="ignore"):
            statistics = data.accumulate(parameters, settings.reg_covar)
            if settings.allow_nan and settings.variance_floor > 0:
                statistics.columns = data.scan().columns(data.total_weight)
            return statistics

    # -- scoring ---------------------------------------------------------------------------------

    @overload
    def score_samples(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def score_samples(self, X: RowsLike, out: Output) -> Output: ...
    def score_samples(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Log-density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n,), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n,)
            Of a dask collection a dask array, which is computed when it is asked for.
        """
        return self._scored(X, "log_density", out)

    def predict(self, X: RowsLike, out: Indices | None = None) -> Indices:
        """The most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n,) and dtype intp, optional
            C-contiguous array to write to.

        Returns
        -------
        ndarray of int, shape (n,)
            Of a dask collection a dask array, which is computed when it is asked for.
        """
        return self._scored(X, "labels", out)

    @overload
    def predict_proba(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def predict_proba(self, X: RowsLike, out: Output) -> Output: ...
    def predict_proba(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Responsibilities: the probability of each component given each row.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n, K), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n, K)
            Rows sum to one. Of a dask collection a dask array, which is computed when it is
            asked for.
        """
        return self._scored(X, "responsibilities", out)

    @overload
    def component_log_density(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def component_log_density(self, X: RowsLike, out: Output) -> Output: ...
    def component_log_density(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Log-density of each row under each component by itself, in nats.

        Without the components' weights: `score_samples` is the logarithm of the sum of
        ``weights_ * exp(component_log_density(X))``.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n, K), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n, K)
            Of a dask collection a dask array, which is computed when it is asked for. With
            ``allow_nan=True`` the densities of the values that a row has, 0 where it has none.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.9, 0.1], [[0.0], [4.0]], [1.0, 1.0])
        >>> model.component_log_density([[0.0], [2.0]]).round(3)
        array([[-0.919, -8.919],
               [-2.919, -2.919]])
        """
        return self._scored(X, "component_log_density", out)

    def _scored(self, X: RowsLike, field: str, out: AnyArray | None) -> AnyArray:
        """What `Scorer.evaluate` calls `field`, for each row."""
        kept = self._current()
        return row_set(X, kept.context).scored(self._scorer_of(kept), field, out)

    def score(self, X: RowsLike, y: object = None) -> float:
        """Mean log-density of the rows, in nats.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : ignored

        Returns
        -------
        float
        """
        total, n = self._log_likelihood(X)
        return total / n

    def aic(self, X: RowsLike) -> float:
        """Akaike's information criterion, ``-2 log L + 2 p``: lower is better.

        ``p`` is `n_parameters` and ``log L`` the log-likelihood of the rows.
        """
        return -2 * self._judged(X)[0] + 2 * self._n_parameters()

    def bic(self, X: RowsLike) -> float:
        """Bayesian information criterion, ``-2 log L + p log n``: lower is better.

        ``p`` is `n_parameters` and ``log L`` the log-likelihood of the n rows.
        """
        total, n = self._judged(X)
        return -2 * total + self._n_parameters() * math.log(n)

    def icl(self, X: RowsLike) -> float:
        """Integrated completed likelihood criterion: lower is better.

        ``bic(X) - 2 sum_i log max_k r_ik`` with ``r_ik`` the responsibilities: the BIC of the rows
        together with their most probable labels, which prefers components that do not overlap
        (Biernacki, Celeux & Govaert 2000). mclust reports the negative of this number.
        """
        total, n = self._judged(X, completed=True)
        return -2 * total + self._n_parameters() * math.log(n)

    def n_parameters(self) -> int:
        """Number of free parameters: weights, means and covariances."""
        parameters = self._parameters()
        n_components, n_features = parameters.n_components, parameters.n_features
        family = FAMILIES[parameters.covariance_type]
        covariances = family.n_parameters(n_components, n_features)
        return covariances + n_components * n_features + n_components - 1

    def _judged(self, X: RowsLike, completed: bool = False) -> tuple[float, int]:
        """`_log_likelihood` for the criteria, which follow a `score` that a subclass has."""
        total, n = self._log_likelihood(X, completed)
        if _hooks.overrides(self, "score"):
            labels = total - self._log_likelihood(X)[0] if completed else 0.0
            total = n * self.score(X) + labels
        return total, n

    @_validation.says_memory_error
    def _log_likelihood(self, X: RowsLike, completed: bool = False) -> tuple[float, int]:
        """Log-likelihood of the rows and their number, in blocks of bounded size.

        With `completed`, that of the rows and their most probable labels together. Where a
        subclass has its own densities or responsibilities, those count.
        """
        own = _hooks.overrides(self, "score_samples")
        if own or (completed and _hooks.overrides(self, "predict_proba")):
            return self._own_log_likelihood(X, completed)
        _hooks.refuse(self, "d")
        kept = self._current()
        return row_set(X, kept.context).log_likelihood(self._scorer_of(kept), completed)

    def _own_log_likelihood(self, X: RowsLike, completed: bool) -> tuple[float, int]:
        """`_log_likelihood` by the public methods, of which a subclass has its own."""
        log_density = np.asarray(self.score_samples(X), dtype=np.float64)
        total = log_density.sum()
        if completed:
            total += np.log(np.max(self.predict_proba(X), axis=1)).sum(dtype=np.float64)
        return float(total), len(log_density)

    # -- sampling --------------------------------------------------------------------------------

    @_validation.says_memory_error
    def sample(
        self, n_samples: int = 1, random_state: RandomState = None
    ) -> tuple[Floats, Indices]:
        """Draw rows from the fitted mixture, in random order.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : None, int, RandomState or Generator, optional
            An int gives the same rows each time. By default the model's own `random_state`
            decides: with an int there, the calls after a fit go on in one reproducible stream, so
            that two calls give different rows. A generator moves on by the same 32 bytes in every
            call.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            float32 after a fit to float32 rows, else float64.
        y : ndarray of int, shape (n_samples,)
            Component of each row.

        Raises
        ------
        ValueError
            If `n_samples` is no whole number of at least 1, or `random_state` none of the above.
        MemoryError
            If the rows take more memory than there is.

        Notes
        -----
        Row i depends on the random state and on i alone: not on the number of threads, nor on
        `n_samples`, so that 10 rows are the first of 1000 with the same `random_state`. Random
        numbers come from the counter-based generator Threefry-4x64 (Salmon et al. 2011, Parallel
        random numbers: as easy as 1, 2, 3), keyed by the random state, and become normal by the
        transformation of Box and Muller (1958).

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.2, 0.8], [[0.0], [9.0]], [[[1]], [[1]]])
        >>> X, y = model.sample(1000, random_state=0)
        >>> X.shape, y.shape
        ((1000, 1), (1000,))
        >>> bool(np.array_equal(model.sample(10, random_state=0)[0], X[:10]))
        True
        """
        parameters = self._parameters()
        X, y = self._new_sample(parameters, _validation.check_n_samples(n_samples))
        # After what can fail: the generator moves on only if rows are drawn.
        key = _draws.key_from(self._generator(random_state))
        _draws.draw(parameters, key, 0, X, y, self.n_threads)
        return X, y

    def _new_sample(self, parameters: MixtureParameters, n_rows: int) -> tuple[Floats, Indices]:
        """Arrays for rows drawn, (n_rows, d), and their components."""
        X = _validation.new_result((n_rows, parameters.n_features), self._dtype, verb="Draw")
        return X, _validation.new_result((n_rows,), np.intp, verb="Draw")

    def _generator(self, random_state: RandomState) -> Generator:
        """What a call draws with: by default the model's own, which goes on between calls."""
        if random_state is not None:
            return _validation.check_random_state(random_state)
        _validation.check_parameters({"random_state": self.random_state}, type(self).__name__)
        if not isinstance(self.random_state, numbers.Integral):
            return _validation.check_random_state(self.random_state)
        seed, generator = getattr(self, "_sampler", (None, None))
        if seed != self.random_state:
            generator = _validation.check_random_state(self.random_state)
            self._sampler = (self.random_state, generator)
        return generator

    # -- other ways in and out -------------------------------------------------------------------

    @classmethod
    @_validation.says_memory_error
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: CovarianceType | None = None,
        **params: Any,
    ) -> Self:
        """A model with given parameters, ready to score and to be updated.

        Parameters
        ----------
        weights : array-like of shape (K,)
            At least 0, with sum 1.
        means : array-like of shape (K, d)
        covariances : array-like
            Positive definite, in the shape of `covariances_`.
        covariance_type : {"full", "tied", "diag", "spherical"}, optional
            By default read off the shape of `covariances`; needed where (d, d) and (K, d) are the
            same shape.
        **params
            Other constructor parameters. Those of this class that the constructor of a subclass
            does not name are set as attributes.

        Returns
        -------
        GaussianMixture
            With `n_iter_` 0, `converged_` False and `lower_bound_` minus infinity.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0])
        >>> model.covariance_type
        'spherical'
        >>> model.predict([[0.5], [3.0]])
        array([0, 1])
        """
        covariance_type, weights, means, covariances = _validation.check_mixture(
            weights, means, covariances, covariance_type
        )
        form = {"n_components": len(weights), "covariance_type": covariance_type}
        model = cls._constructed(params | form)
        vars(model).update(form)  # whatever the constructor of a subclass made of them
        _validation.parameters_of(model)
        try:
            parameters = MixtureParameters.from_covariances(
                covariance_type, weights, means, covariances
            )
        except CollapsedComponent as collapsed:
            raise model._ill_defined(collapsed, None, DOUBLE) from None
        model._assign(given_state(parameters, DOUBLE))
        return model

    # -- shared ----------------------------------------------------------------------------------

    def _scorer(self) -> _passes.Scorer:
        """The mixture in the public attributes, ready to score rows."""
        return self._scorer_of(self._current())

    def _scorer_of(self, kept: Kept) -> _passes.Scorer:
        """What is kept for the next call: to prepare it takes longer than to see that nothing has
        changed, and than to score a row from parameters that fit in cache.
        """
        return kept.scorer or self._prepared(kept)

    @_validation.says_memory_error
    def _prepared(self, kept: Kept) -> _passes.Scorer:
        _hooks.refuse(self, "d")
        scorer = _passes.Scorer(kept.parameters)
        if kept.is_small:
            kept.scorer = scorer
        return scorer


@_validation.says_memory_error
def load(path: StrPath) -> GaussianMixture:
    """Read a model that `GaussianMixture.save` wrote.

    Everything in the file is checked before use; precisions and their factors are computed anew.
    Memory is at most sixteen times the size of the file and one MiB.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    GaussianMixture

    Raises
    ------
    ModelFileError
        If the file is not a valid model, with the path and the reason.
    OSError
        If the file cannot be read, or is no regular file; a pipe is not waited for.
    """
    contents = _persistence.load(path)
    model = GaussianMixture(**contents["parameters"])
    model._restore(contents, path)
    return model
