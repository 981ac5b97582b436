"""What the fitted arrays of a model were at its last use, and the mixture that they made.

A user may set these attributes and write into them. What has changed since the last use decides:
of covariances, precisions and factors those that changed must agree, and the others follow. So the
next use has to notice every change, at little cost, and to tell which array it was.

The arrays that the library makes stand in attributes nobody has read yet: as long as one is not
read nobody can write into it, and it is the same while it is the same object. When it is read, a
copy is made, with which it is compared from then on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, Self, overload

import numpy as np

from .._checks.columns import check_names_of_means
from .._checks.mixtures import set_array
from .._checks.parameters import check_parameters
from .._common.failures import explains_failures
from .._common.families import CovarianceType
from .._common.typing import AnyArray, Doubles, FloatDType, Floats, Names
from .._estep import scoring
from .._estep.data import Context
from .._parameters.mixture import MixtureParameters
from .._runtime import instruction_sets
from . import agreement
from .agreement import COVARIANCES, FACTORS, PRECISIONS

# What can be made again from the attributes is kept for the next use up to this many bytes.
MOST_KEPT = 64 * 1024 * 1024

NAMES = ("weights_", "means_", COVARIANCES, PRECISIONS, FACTORS)
_WEIGHTS, _MEANS, _COVARIANCES, _PRECISIONS, _FACTORS = range(5)
_MATRICES = (_COVARIANCES, _PRECISIONS, _FACTORS)

# Stands for an array that was set anew, be it to the same object.
_REPLACED = object()

# Held while an array is read for the first time, and while a record takes the place of another:
# threads that do both at once would lose the copy. A fork may leave it held in the child.
_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Model(Protocol):
    """What has fitted arrays."""

    covariance_type: CovarianceType
    n_threads: int | None
    allow_nan: bool
    _kept: Kept


class Kept:
    """The arrays of a model at its last use.

    Lists have a place for each of `NAMES`.

    Attributes
    ----------
    covariance_type : str
    agreed : bool
        Whether they are known to be one mixture: made by the library, or checked. If not, they are
        what stood there when the first of them was read or set.
    given : list
        The objects in the attributes; None where there was none.
    held : list
        Covariances, precisions or factors that somebody may be writing into, as they were read.
        None where nobody can, and for weights and means, which are always compared.
    copies : list of ndarray or None
        What was in these.
    followers : frozenset of int
        The places of arrays that follow from the others, whatever stands in the attribute.
    factorised : bool
        Whether the factors are to the bit those that the covariances have.
    scorer : Scorer or None
    settings : tuple
        The objects that were the covariance type, the number of threads, `allow_nan` and the
        names of the columns when they were last checked, together with the arrays; others before
        the first check.
    context : Context
        Made of these, once they were checked.
    """

    def __init__(
        self,
        covariance_type: CovarianceType,
        given: list[Any],
        *,
        agreed: bool = False,
        followers: frozenset[int] = frozenset(),
    ) -> None:
        self.covariance_type = covariance_type
        self.given = given
        self.agreed = agreed
        self.followers = followers
        self.held: list[Any] = [None] * 5
        self.copies: list[Any] = [None] * 5
        self.scorer: scoring.Scorer | None = None
        self.settings: tuple[Any, Any, Any, Any] = (_REPLACED,) * 4
        self.context: Context
        self._parameters: MixtureParameters | None = None
        self.factorised = False
        self._unchanged = instruction_sets.row_kernels().unchanged

    @classmethod
    def found(cls, covariance_type: CovarianceType, state: Mapping[str, Any]) -> Self:
        """Of attributes of which nothing is known."""
        return cls(covariance_type, [state.get(name) for name in NAMES])

    @classmethod
    def assigned(
        cls, covariance_type: CovarianceType, state: Mapping[str, Any], factorised: bool = True
    ) -> Self:
        """Of attributes that the library has just made."""
        kept = cls(covariance_type, [state[name] for name in NAMES], agreed=True)
        for place in (_WEIGHTS, _MEANS):
            kept.copies[place] = kept.given[place].copy()
        kept.factorised = factorised
        return kept

    # -- what it says of the mixture --------------------------------------------------------------

    @property
    def parameters(self) -> MixtureParameters:
        """The mixture; nobody else writes into its arrays, unless the model changes."""
        if self._parameters is not None:
            return self._parameters
        weights, means, covariances, factors = (
            np.require(self._base(place), np.float64, ["C", "A"])
            for place in (_WEIGHTS, _MEANS, _COVARIANCES, _FACTORS)
        )
        parameters = MixtureParameters(self.covariance_type, weights, means, covariances, factors)
        if self.is_small:
            self._parameters = parameters
        return parameters

    @property
    def is_small(self) -> bool:
        """Whether what is made of the arrays is kept for the next use."""
        made = self._parameters
        factors = self.given[_FACTORS] if made is None else made.precisions_cholesky
        return 8 * int(factors.size + self.copies[_MEANS].size) <= MOST_KEPT

    @property
    def dtype(self) -> FloatDType:
        """The precision of results without rows."""
        dtype: FloatDType = self.copies[_MEANS].dtype
        return dtype

    @property
    def n_features(self) -> int:
        return int(self.copies[_MEANS].shape[1])

    def lends(self, array: AnyArray) -> bool:
        """Whether somebody may be writing into an array."""
        return any(
            isinstance(one, np.ndarray) and np.may_share_memory(one, array) for one in self.held
        )

    def arrays(self) -> dict[str, Floats]:
        """The mixture as fitted attributes, in the form and precision that those have."""
        arrays: dict[str, Floats] = {}
        if self._parameters is None:
            return {name: self._base(place) for place, name in enumerate(NAMES)}
        for place, name in enumerate(NAMES):
            base = self._base(place)
            if place in self.followers or (
                place in (_COVARIANCES, _FACTORS) and not np.array_equal(base, self._own(place))
            ):
                base = self._own(place)
            arrays[name] = base
        return arrays

    def _own(self, place: int) -> Doubles:
        """Covariances, precisions or factors of the mixture."""
        parameters = self.parameters
        if place == _COVARIANCES:
            return parameters.own_covariances()
        return parameters.precisions if place == _PRECISIONS else parameters.precisions_cholesky

    def _base(self, place: int) -> Any:
        """An array that nobody writes into, of what the attribute held; None for nothing."""
        copy = self.copies[place]
        return self.given[place] if copy is None else copy

    def checked(self, model: Model, names: Names | None) -> None:
        """The settings of a model are those that its arrays are used with."""
        settings = (
            model.covariance_type, model.n_threads, model.allow_nan,
            vars(model).get("feature_names_in_"),
        )  # fmt: skip
        self.context = Context(
            type(model).__name__, model.n_threads, bool(model.allow_nan), self.n_features, names
        )
        # Last: from here on nobody looks at the rest again.
        self.settings = settings

    # -- reading and setting attributes -----------------------------------------------------------

    def read(self, place: int, value: Any) -> Any:
        """What the attribute reads as, where `value` stands; None for nothing. With the lock."""
        if value is not self.given[place]:
            return value
        if self.held[place] is None:
            if place in self.followers:
                value = self._own(place).copy()
            if value is None:
                return None
            try:
                self.copies[place] = set_array(value, NAMES[place])
            except ValueError:
                return value  # no array of numbers: the next use says so
            self.held[place] = value
        return self.held[place]

    def replaced(self, place: int) -> None:
        """Somebody sets the attribute, perhaps to what follows from others no longer."""
        if place in self.followers:
            self.given[place] = _REPLACED

    # -- the next use -----------------------------------------------------------------------------

    def is_current(self, model: Model, state: dict[str, Any]) -> bool:
        """Whether nothing has changed since the last use: no setting, and no bit of an array."""
        covariance_type, n_threads, allow_nan, names = self.settings
        return (
            covariance_type is model.covariance_type
            and n_threads is model.n_threads
            and allow_nan is model.allow_nan
            and names is state.get("feature_names_in_")
            and self._unchanged(state, NAMES, self.given, self.held, self.copies)
        )

    def next(self, covariance_type: CovarianceType, state: Mapping[str, Any]) -> Kept:
        """What `state` is now; this one if it is the same."""
        given = [state.get(name) for name in NAMES]
        changed = frozenset(
            place for place in range(5) if given[place] is not None and self._differs(place, given)
        )
        sources = changed.intersection(_MATRICES)
        if not self.agreed and not sources:
            sources = frozenset(place for place in _MATRICES if given[place] is not None)
        same_type = self.covariance_type == covariance_type
        if self.agreed and not sources and not same_type:
            raise ValueError(
                f"covariance_type is {covariance_type!r}, and the fitted attributes are those of "
                f"{self.covariance_type!r}. Fit again, change it back, or set covariances_ in the "
                "new shape."
            )
        check_parameters({"covariance_type": covariance_type})
        if self.agreed and not changed and same_type and all(map(_is, given, self.given)):
            return self
        if sources:
            followers = frozenset(_MATRICES) - sources
        else:
            missing = {place for place in _MATRICES if given[place] is None}
            followers = self.followers | missing
        kept = type(self)(covariance_type, given, agreed=True, followers=followers)
        kept._compare_with(self, changed, keep_followers=not sources)
        kept._agree(self, changed, sources)
        return kept

    def _differs(self, place: int, given: list[Any]) -> bool:
        """Whether an attribute does not hold what it did."""
        value, copy = given[place], self.copies[place]
        if place not in _MATRICES:
            return copy is None or not _equal(value, copy)
        if value is self.given[place]:
            return copy is not None and not _equal(self._looked_into(place, value), copy)
        if place in self.followers:
            return True
        before = self._base(place)
        return before is None or not _equal(value, before)

    def _looked_into(self, place: int, value: Any) -> Any:
        held = self.held[place] if value is self.given[place] else None
        return value if held is None else held

    def _compare_with(self, before: Kept, changed: frozenset[int], keep_followers: bool) -> None:
        """Copy what is to be compared at the next use."""
        for place, value in enumerate(self.given):
            if place in _MATRICES:
                if place in self.followers and not (keep_followers and place in before.followers):
                    continue
                if (
                    value is before.given[place]
                    and before.held[place] is None
                    and (place in before.followers or _is_plain(value))
                ):
                    continue  # nobody has read it
                self.held[place] = before._looked_into(place, value)
                value = self.held[place]
            copy = None if place in changed else before.copies[place]
            if copy is None:
                copy = set_array(value, NAMES[place])
            self.copies[place] = copy

    def _agree(self, before: Kept, changed: frozenset[int], sources: frozenset[int]) -> None:
        """Find the mixture."""
        weights, means = self.copies[:2]
        if sources:
            self.factorised = _FACTORS in self.followers and _COVARIANCES in sources
            matrices = {NAMES[place]: self._base(place) for place in sorted(sources)}
            self._parameters = agreement.mixture(self.covariance_type, weights, means, matrices)
            if not (self.is_small or self.followers) and all(
                np.array_equal(self._base(place), self._own(place))
                for place in (_COVARIANCES, _FACTORS)
            ):
                self._parameters = None  # can be read off the attributes
        elif changed:
            weights, means = agreement.weights_and_means(weights, means)
            parameters = before.parameters
            shape = parameters.precisions_cholesky.shape
            name = next((n for n, value in zip(NAMES[2:], self.given[2:]) if value is not None))
            agreement.check_shape(name, shape, self.covariance_type, means)
            self._parameters = replace(parameters, weights=weights, means=means)
            self.factorised = before.factorised
        else:
            self._parameters, self.scorer = before.parameters, before.scorer
            self.factorised = before.factorised

    def take_over(self, before: Kept) -> None:
        """Copy what was read while this was made from `before`. With the lock."""
        for place in _MATRICES:
            value = before.held[place]
            if value is not None and value is self.given[place] and self.held[place] is None:
                self.read(place, value)


class FittedArray:
    """Covariances, precisions or factors of a model, as an attribute.

    It reads as what the user has set, and from the next use on as what follows from the others
    where one of those was set.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._place = name, NAMES.index(name)

    @overload
    def __get__(self, model: None, owner: type) -> Self: ...
    @overload
    def __get__(self, model: Model, owner: type) -> Floats: ...
    def __get__(self, model: Model | None, owner: type) -> Self | Floats:
        if model is None:
            return self
        with _lock:
            value: Floats | None = kept_of(model).read(self._place, vars(model).get(self._name))
        if value is None:
            raise AttributeError(
                f"{type(model).__name__!r} object has no attribute {self._name!r}"
            )
        return value

    def __set__(self, model: Model, value: Any) -> None:
        with _lock:
            kept_of(model).replaced(self._place)
            vars(model)[self._name] = value

    def __delete__(self, model: Model) -> None:
        if self._name not in vars(model):
            raise AttributeError(self._name)
        with _lock:
            kept_of(model)
            del vars(model)[self._name]


def kept_of(model: Model) -> Kept:
    """What is kept of a model, perhaps from now on. With the lock."""
    kept = getattr(model, "_kept", None)
    if kept is None:
        kept = model._kept = Kept.found(model.covariance_type, vars(model))
    return kept


@explains_failures
def renewed(model: Model) -> Kept:
    """What is kept of a model after its attributes have changed."""
    with _lock:
        before = kept_of(model)
    state = vars(model)
    kept = before.next(model.covariance_type, state)
    check_names_of_means(state.get("feature_names_in_"), kept.n_features)
    if kept is not before:
        with _lock:
            kept.take_over(before)
            if model._kept is not before:
                kept.take_over(model._kept)
            model._kept = kept
    return kept


def _is(one: Any, other: Any) -> bool:
    return one is other


def _is_plain(value: Any) -> bool:
    """Whether the kernels can read it as it is."""
    return (
        type(value) is np.ndarray
        and value.dtype in (np.float32, np.float64)
        and value.flags.c_contiguous
    )


def _equal(value: Any, copy: AnyArray) -> bool:
    """Whether something set by a user holds the numbers that it did."""
    if not _is_plain(value):
        try:
            value = set_array(value, "")
        except ValueError:
            return False
    return np.array_equal(value, copy)
