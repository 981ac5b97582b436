"""The fitted attributes of a mixture: read as parameters, replaced together, kept in a file."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from .._build_config import VERSION
from .._checks.messages import ill_defined, not_fitted
from .._checks.parameters import (
    check_parameters,
    check_parameters_in_use,
    check_random_state,
    parameters_of,
)
from .._checks.rows import nonfinite_error
from .._common.failures import explains_failures
from .._common.settings import Settings
from .._common.typing import (
    AnyArray,
    Collapse,
    Doubles,
    FloatDType,
    Floats,
    Generator,
    Indices,
    Names,
    RandomState,
    ReadsBytes,
    StrPath,
    WritesBytes,
)
from .._estep.row_sets import RowSet, row_set
from .._estep.scoring import Scorer
from .._files.streams import called
from .._parameters.layouts import CollapsedComponent
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import DOUBLE, Rows
from .._rows.patterns import patterns
from .._rows.sources.base import RowsLike
from .._statistics.running import Running
from ..exceptions import IllDefinedCovarianceError, ModelFileError, NotFittedError
from . import hooks, sklearn_api
from .kept import NAMES, FittedArray, Kept, renewed

FITTED = frozenset(
    {
        "weights_",
        "means_",
        "covariances_",
        "precisions_",
        "precisions_cholesky_",
        "converged_",
        "n_iter_",
        "lower_bound_",
        "lower_bounds_",
        "collapses_",
        "n_samples_seen_",
        "effective_rows_",
        "n_features_in_",
        "feature_names_in_",
        "_running",
        "_sampler",
    }
)

# The attributes from which `partial_fit` goes on.
_STEPPED = ("weights_", "means_", "covariances_", "precisions_cholesky_")

# In pickles and copies: the fitted arrays are one mixture. Its value says whether the factors are
# to the bit those of the covariances.
_AGREED = "_factorised"

# The attributes that hold running statistics.
_OF_RUNNING = frozenset({"_running", "effective_rows_"})


class BaseMixture(Settings, sklearn_api.EstimatorMixin):
    """What the methods of every mixture stand on: fitted attributes, and how rows meet them."""

    # What scoring keeps for its next call has a place of its own outside vars(self): to score a
    # model changes none of its attributes, and copies and pickles carry nothing more than those.
    __slots__ = ("_kept",)

    weights_: Floats
    means_: Floats
    covariances_ = FittedArray()
    precisions_ = FittedArray()
    precisions_cholesky_ = FittedArray()
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    collapses_: list[Collapse]
    n_samples_seen_: float
    effective_rows_: Doubles
    n_features_in_: int
    feature_names_in_: Names

    # Not in vars(self): see `GaussianMixture`.
    _kept: Kept

    @explains_failures
    def save(self, path: StrPath | WritesBytes) -> None:
        """Write the fitted model to a file that `gaussmix.load` reads.

        The file is an ``.npz`` of plain arrays without pickled objects, safe to load from anybody.
        It appears whole or not at all: an existing file stays until the new one is complete. Of a
        subclass it holds what `GaussianMixture` has, and `gaussmix.load` returns one of those.

        Parameters
        ----------
        path : str, path-like or open file of bytes
            An open file, be it `io.BytesIO` or anything else that writes bytes, gets the same
            bytes from where it stands. It is flushed and left open.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModelFileError
            When the fitted attributes are not those of a valid mixture.
        ValueError
            When a constructor parameter has a value that it cannot have.
        TypeError
            For what is neither a path nor an open file of bytes.
        OSError
            When the file cannot be written; an existing one is then as it was, and an open one
            keeps what it took.
        """
        try:
            parameters, arrays = self._parameters(), self._arrays()
        except NotFittedError:
            raise
        except ValueError as error:
            reason = f"the model cannot be saved: {error}"
            raise ModelFileError(called(path), reason) from None
        covariances: Floats = parameters.definite_covariances()
        if covariances is parameters.covariances:
            covariances = arrays["covariances_"]
        names = getattr(self, "feature_names_in_", None)
        running = self._remembered()
        contents = {
            "library_version": VERSION,
            "parameters": parameters_of(self),
            "weights": arrays["weights_"],
            "means": arrays["means_"],
            "covariances": covariances,
            **{name.rstrip("_"): value for name, value in self._course().items()},
            "collapses": list(getattr(self, "collapses_", ())),
            "n_samples_seen": self._seen(),
            "running": None if running is None else running.arrays(),
            "feature_names": None if names is None else list(names),
        }
        from .._files import model_file  # what few programs need, and would lengthen the import

        model_file.save(path, contents)

    def _current(self) -> Kept:
        """The fitted arrays, which a user may have set or written into, checked and made one
        mixture.
        """
        state = vars(self)
        kept: Kept | None = getattr(self, "_kept", None)
        if kept is not None and kept.is_current(self, state):
            return kept
        check_parameters_in_use(self)
        _check_there(state, type(self).__name__)
        try:
            kept = renewed(self)
        except ValueError as error:
            raise ValueError(
                f"{str(error).removesuffix('.')}. The fitted attributes of {type(self).__name__} "
                "have been set; set them otherwise, or fit again."
            ) from None
        kept.checked(self, getattr(self, "feature_names_in_", None))
        return kept

    def _row_set(self, X: RowsLike) -> RowSet:
        """The rows that a user gave as X, to be held against the fitted model."""
        return row_set(X, self._current().context)

    def _parameters(self) -> MixtureParameters:
        """The parameters in the public attributes, which a user may have set himself."""
        return self._current().parameters

    def _arrays(self) -> dict[str, Floats]:
        """The fitted arrays as the library would have made them; nobody may write into these."""
        return self._current().arrays()

    def _taken(self, arrays: dict[str, Any], owner: str) -> dict[str, Any]:
        """Fitted arrays of another library's model, a class named `owner`, made one mixture.

        Precisions that do not agree with the others are made anew.
        """
        kept = Kept.found(self.covariance_type, {})
        _check_there(arrays, owner)
        try:
            kept = kept.next(self.covariance_type, arrays)
        except ValueError:
            if not {"covariances_", "precisions_cholesky_"} & arrays.keys():
                raise
            arrays = {name: value for name, value in arrays.items() if name != "precisions_"}
            kept = kept.next(self.covariance_type, arrays)
        return {name: array.copy() for name, array in kept.arrays().items()}

    @property
    def _dtype(self) -> FloatDType:
        """The precision of the fitted arrays."""
        return self._current().dtype

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, with fitted arrays as the next use takes them, and that they agree."""
        try:
            kept = self._current()
        except ValueError:  # whoever uses the copy is told
            return vars(self)
        return vars(self) | kept.arrays() | {_AGREED: kept.factorised}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        factorised = state.pop(_AGREED, None)
        vars(self).update(state)
        if factorised is not None:
            self._kept = Kept.assigned(self.covariance_type, state, factorised)

    def __copy__(self) -> Self:
        # Each of the two has to know who writes into its arrays: they share none.
        twin = type(self).__new__(type(self))
        state = dict(self.__getstate__())
        for name in state.keys() & NAMES:
            state[name] = copy.copy(state[name])
        twin.__setstate__(state)
        return twin

    def _course(self) -> dict[str, Any]:
        """How the fit went; where the user set the parameters himself, that there was none."""
        return {
            "converged_": getattr(self, "converged_", False),
            "n_iter_": getattr(self, "n_iter_", 0),
            "lower_bound_": getattr(self, "lower_bound_", -np.inf),
            "lower_bounds_": list(getattr(self, "lower_bounds_", ())),
        }

    def _like(self, **settings: Any) -> Self:
        """A model of the same class that is not fitted, with the attributes of this one but for
        the settings given.

        The constructor of a subclass may take other arguments, so it is not called.
        """
        model = type(self).__new__(type(self))
        kept = {name: v for name, v in vars(self).items() if not _is_fitted(name)}
        model.__dict__ = kept | settings
        return model

    def _with(self, state: dict[str, Any]) -> Self:
        """A model like this one that has these fitted attributes."""
        model = self._like()
        model._assign(state)
        return model

    def _assign(self, state: dict[str, Any]) -> None:
        """Replace all fitted attributes in one assignment, so that none is ever half new.

        The last that a method does, outside `says_memory_error`: whatever fails before, memory on
        the way out of there included, leaves the model as it was.
        """
        self.__dict__, self._kept = self._assignable(state)

    @explains_failures
    def _assignable(self, state: dict[str, Any]) -> tuple[dict[str, Any], Kept]:
        """All attributes, these fitted ones among them, and what is kept of those."""
        others = {name: value for name, value in vars(self).items() if name not in FITTED}
        before = getattr(self, "_kept", None)
        if before is not None:
            lent = [name for name in NAMES[2:] if before.lends(state[name])]
            state = state | {name: state[name].copy() for name in lent}
        return others | state, Kept.assigned(self.covariance_type, state)

    def _remembered(self) -> Running | None:
        """The running statistics, unless somebody has changed the parameters since."""
        running, arrays = getattr(self, "_running", (None, ()))
        if running is None:
            return None
        now = self._arrays()
        same = all(map(np.array_equal, (now[name] for name in _STEPPED), arrays))
        return running if same else None

    def _seen(self) -> float:
        """Weight of the rows that the parameters come from; 0 where nothing is known of it."""
        return getattr(self, "n_samples_seen_", 0)

    def _stored_parameters(self) -> MixtureParameters:
        """The parameters as a model file keeps them.

        A file has no factors of precisions, and rounding covariances to float32 changes those, as
        it does when the factors were set: a model that is saved and loaded must take the same step
        as one that was not.
        """
        kept = self._current()
        parameters = kept.parameters
        if kept.dtype == DOUBLE and kept.factorised:
            return parameters
        return MixtureParameters.from_covariances(
            parameters.covariance_type,
            parameters.weights,
            parameters.means,
            parameters.definite_covariances(),
        )

    def _scorer(self) -> Scorer:
        """The mixture in the public attributes, ready to score rows."""
        kept = self._current()
        return kept.scorer or self._prepared(kept)

    @explains_failures
    def _prepared(self, kept: Kept) -> Scorer:
        """What is kept for the next call: to prepare it takes longer than to see that nothing has
        changed, and than to score a row from parameters that fit in cache.
        """
        hooks.refuse(self, "d")
        scorer = Scorer(kept.parameters)
        if kept.is_small:
            kept.scorer = scorer
        return scorer

    def _generator(self, random_state: RandomState) -> Generator:
        """What a call draws with: by default the model's own, which goes on between calls."""
        if random_state is not None:
            return check_random_state(random_state)
        check_parameters({"random_state": self.random_state}, type(self).__name__)
        if not isinstance(self.random_state, numbers.Integral):
            return check_random_state(self.random_state)
        seed, generator = getattr(self, "_sampler", (None, None))
        if seed != self.random_state:
            generator = check_random_state(self.random_state)
            self._sampler = (self.random_state, generator)
        return generator

    def _ill_defined(
        self, collapsed: CollapsedComponent, names: Names | None, dtype: FloatDType
    ) -> IllDefinedCovarianceError:
        """The exception that explains a covariance without a factor."""
        return ill_defined(
            component=collapsed.component,
            weight=collapsed.weight,
            effective_rows=collapsed.effective_rows,
            columns=collapsed.columns,
            feature_names=names,
            covariance_type=self.covariance_type,
            reg_covar=float(self.reg_covar),
            variance_floor=float(self.variance_floor),
            on_collapse=self.on_collapse,
            dtype=dtype,
        )

    def _known(
        self, X: AnyArray, names: Names | None, first: int = 0, argument: str = "X"
    ) -> Iterator[tuple[Indices, Indices]]:
        """Rows by the columns they have values in, as (columns, rows).

        Raises for infinity, and for NaN unless it is allowed; there `first` is the number of the
        first row, and `argument` the name of X.
        """
        rows = Rows(X, n_threads=self.n_threads, allow_nan=self.allow_nan)
        bad = rows.first_bad()
        if bad is not None:
            raise nonfinite_error(
                X, *bad, names, type(self).__name__, first_row=first, argument=argument
            )
        if rows.incomplete:
            yield from patterns(np.ascontiguousarray(X, rows.dtype)).groups()
        else:
            yield np.arange(X.shape[1]), np.arange(len(X))

    def _restore(self, contents: dict[str, Any], path: StrPath | ReadsBytes) -> None:
        """Take over what a model file holds, precisions and their factors computed anew."""
        arrays = [contents[name] for name in ("weights", "means", "covariances")]
        try:
            parameters = MixtureParameters.from_covariances(
                self.covariance_type, *(array.astype(np.float64, copy=False) for array in arrays)
            )
        except CollapsedComponent as collapsed:
            which = "" if collapsed.component is None else f"[{collapsed.component}]"
            reason = f"covariances{which} is not positive definite"
            raise ModelFileError(called(path), reason) from None
        # The widest, where they differ: rounding covariances would change their factors.
        state = fitted_state(parameters, np.result_type(*arrays))
        state["converged_"] = contents["converged"]
        state["n_iter_"] = contents["n_iter"]
        state["lower_bound_"] = contents["lower_bound"]
        state["lower_bounds_"] = list(contents["lower_bounds"])
        state["collapses_"] = contents["collapses"]
        state["n_samples_seen_"] = contents["n_samples_seen"]
        if contents["feature_names"] is not None:
            state["feature_names_in_"] = np.array(contents["feature_names"], dtype=object)
        arrays = contents["running"]
        running = None if arrays is None else Running.from_arrays(self.covariance_type, arrays)
        self._assign(with_running(state, running))


def mixture_of(model: BaseMixture) -> MixtureParameters:
    """The mixture in the public attributes of a model; `NotFittedError` where there is none."""
    return model._parameters()


def assign(model: BaseMixture, state: dict[str, Any]) -> None:
    """Replace all fitted attributes of a model, such as `fitted_state` makes."""
    model._assign(state)


def _is_fitted(name: str) -> bool:
    """Whether an attribute is of the fitted ones, to which a subclass may have added some."""
    return name in FITTED or (name.endswith("_") and not name.startswith("_"))


def _check_there(state: Mapping[str, Any], owner: str) -> None:
    """Raise `NotFittedError` unless there are the arrays that make a mixture."""
    there = [name for name in NAMES if state.get(name) is not None]
    missing = [name for name in NAMES[:2] if name not in there]
    if not missing and not set(there).intersection(NAMES[2:]):
        missing = ["covariances_"]
    if missing:
        raise not_fitted(owner, there, missing[0])


def component_variances(model: BaseMixture) -> Doubles:
    """Variance of every component in every column, (K, d)."""
    parameters = model._parameters()
    return np.broadcast_to(parameters.variances, parameters.means.shape)


def given_state(parameters: MixtureParameters, dtype: FloatDType) -> dict[str, Any]:
    """The fitted attributes of a model whose parameters no fit has found."""
    state = fitted_state(parameters, dtype)
    state |= {"converged_": False, "n_iter_": 0, "lower_bound_": -np.inf, "lower_bounds_": []}
    state["collapses_"] = []
    state["n_samples_seen_"] = 0
    return state


def fitted_state(parameters: MixtureParameters, dtype: FloatDType) -> dict[str, Any]:
    """The fitted attributes that hold parameters, in the precision of the rows where that holds
    their squares.
    """
    arrays = {
        "weights_": parameters.weights,
        "means_": parameters.means,
        "covariances_": parameters.own_covariances(),
        "precisions_": parameters.precisions,
        "precisions_cholesky_": parameters.precisions_cholesky,
    }
    if dtype != DOUBLE:
        info = np.finfo(dtype)
        largest = max(np.abs(array).max() for array in arrays.values())
        if not (largest <= info.max and parameters.variances.min() >= info.tiny):
            dtype = DOUBLE
    state: dict[str, Any] = {
        name: array.astype(dtype, copy=False) for name, array in arrays.items()
    }
    state["n_features_in_"] = parameters.n_features
    return state


def with_running(state: dict[str, Any], running: Running | None) -> dict[str, Any]:
    """Fitted attributes with running statistics, and what the parameters are that these belong
    to.
    """
    state = {key: value for key, value in state.items() if key not in _OF_RUNNING}
    if running is not None:
        arrays = tuple(state[name].copy() for name in _STEPPED)
        state["_running"] = (running, arrays)
        state["effective_rows_"] = running.effective_rows
    return state
