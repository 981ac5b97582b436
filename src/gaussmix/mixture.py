"""The Gaussian mixture model."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import ArrayLike

from ._checks.mixtures import check_mixture
from ._checks.parameters import parameters_of
from ._common.failures import explains_failures
from ._common.families import CovarianceType
from ._common.typing import Acceleration, InitParams, OnCollapse, RandomState, ReadsBytes, StrPath
from ._estimators.agreement import require_member
from ._estimators.base import given_state
from ._estimators.conditionals import ConditionalMixture
from ._estimators.explanations import ExplainedMixture
from ._estimators.geometry import GeometricMixture
from ._estimators.imputing import ImputingMixture
from ._estimators.interchange import InterchangeableMixture
from ._estimators.online import OnlineMixture
from ._estimators.sampling import SamplingMixture
from ._estimators.sklearn_api import with_defaults
from ._parameters.layouts import CollapsedComponent
from ._parameters.mixture import MixtureParameters
from ._rows.array_rows import DOUBLE


@with_defaults
class GaussianMixture(
    OnlineMixture,
    SamplingMixture,
    ConditionalMixture,
    GeometricMixture,
    ExplainedMixture,
    ImputingMixture,
    InterchangeableMixture,
):
    """Gaussian mixture fitted by expectation-maximisation.

    Takes the parameters, and has the methods and fitted attributes, of scikit-learn's class of the
    same name. ``K`` below is `n_components`, ``d`` the number of features.

    Parameters
    ----------
    n_components : int, default=1
        Number of components.
    covariance_type : str, default="full"
        "full": every component has its own covariance matrix; "tied": all share one; "diag":
        every component has its own variance in every column; "spherical": one variance for each
        component. Or one of fourteen codes, "EII" to "VVV", of which these four are "VVV", "EEE",
        "VVI" and "VII": a letter each for volume, shape and orientation, which are (E)qual in all
        components, (V)ariable, or the (I)dentity's (Celeux & Govaert 1995). "tied-diag" is "EEI",
        "tied-spherical" "EII".
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

    @classmethod
    @explains_failures
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
        covariance_type : str, optional
            A family, to which the covariances must belong. By default "full", "tied", "diag" or
            "spherical", as the shape of `covariances` says; needed where (d, d) and (K, d) are the
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
        covariance_type, weights, means, covariances = check_mixture(
            weights, means, covariances, covariance_type
        )
        require_member(covariances, "covariances", covariance_type)
        form = {"n_components": len(weights), "covariance_type": covariance_type}
        model = cls._constructed(params | form)
        vars(model).update(form)  # whatever the constructor of a subclass made of them
        parameters_of(model)
        try:
            parameters = MixtureParameters.from_covariances(
                covariance_type, weights, means, covariances
            )
        except CollapsedComponent as collapsed:
            raise model._ill_defined(collapsed, None, DOUBLE) from None
        model._assign(given_state(parameters, DOUBLE))
        return model


@explains_failures
def load(path: StrPath | ReadsBytes) -> GaussianMixture:
    """Read a model that `GaussianMixture.save` wrote.

    Everything in the file is checked before use; precisions and their factors are computed anew.
    Memory is at most sixteen times the size of the file and one MiB.

    Parameters
    ----------
    path : str, path-like or open file of bytes
        An open file, be it `io.BytesIO` or anything else that reads bytes, is read from where it
        stands to its end, and left open.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    ModelFileError
        If the file is not a valid model, with the path and the reason.
    TypeError
        For what is neither a path nor an open file of bytes.
    OSError
        If the file cannot be read, or is no regular file; a pipe is not waited for.
    """
    from ._files import model_file  # as in `save`

    contents = model_file.load(path)
    model = GaussianMixture(**contents["parameters"])
    model._restore(contents, path)
    return model
