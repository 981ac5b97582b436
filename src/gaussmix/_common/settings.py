"""The constructor parameters of a mixture, each described once.

A new one is an entry here, its place in `Settings` and in the signature of `GaussianMixture`, and
its use. The checks and their messages, model files, the command line and the way to scikit-learn's
class go by this table.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Collection, Mapping
from types import NoneType
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import InvalidParameterError, compatible_class
from .families import COVARIANCE_TYPES, CovarianceType
from .text import ESTIMATOR, SAID_LENGTH, did_you_mean, shown
from .typing import Acceleration, InitParams, OnCollapse, RandomState

# More threads than this are asked for by mistake; the kernels count them in an int.
MOST_THREADS = 2**31 - 1

# Rows, components and iterations are counted in machine words.
MOST_INT = int(np.iinfo(np.intp).max)


class Settings:
    """The values of all constructor parameters; of those an estimator lacks, the defaults."""

    n_components: int
    covariance_type: CovarianceType
    tol: float
    reg_covar: float
    max_iter: int
    n_init: int
    init_params: InitParams
    weights_init: ArrayLike | None
    means_init: ArrayLike | None
    precisions_init: ArrayLike | None
    random_state: RandomState
    warm_start: bool
    verbose: int
    verbose_interval: int
    n_threads: int | None
    acceleration: Acceleration | None
    variance_floor: float
    on_collapse: OnCollapse
    learning_decay: float
    forgetting: float | None
    allow_nan: bool


# --- What a value can be -------------------------------------------------------------------------


def is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def is_int(value: Any, minimum: int, most: int = MOST_INT) -> bool:
    if type(value) is int:
        return minimum <= value <= most
    # bool is an Integral, but n_components=True is a slip and not a count.
    return (
        isinstance(value, numbers.Integral)
        and not is_bool(value)
        and minimum <= int(value) <= most
    )


def is_float(value: Any) -> bool:
    """Whether it is a finite number from zero on."""
    if type(value) is float:
        return 0 <= value < math.inf
    if not isinstance(value, numbers.Real) or is_bool(value):
        return False
    try:
        return 0 <= float(value) < math.inf
    except OverflowError:  # of a whole number or a fraction
        return False


def is_random_state(value: Any) -> bool:
    if value is None or isinstance(value, (np.random.RandomState, np.random.Generator)):
        return True
    return is_int(value, 0, 2**32 - 1)


def _is_array_or_none(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, (str, bytes, Mapping)):
        return False
    return hasattr(value, "__array__") or (
        hasattr(value, "__len__") and hasattr(value, "__getitem__")
    )


def is_huge(value: Any) -> bool:
    """Whether it is a whole number or a fraction above one, which no machine may have room for."""
    if not isinstance(value, numbers.Rational):
        return False
    return int(value.numerator) // int(value.denominator) > 1


#: Whether a value is one that a parameter can have, and the words for those that are.
Constraint: TypeAlias = tuple[Callable[[Any], bool], str]


def _int_from(minimum: int) -> Constraint:
    return lambda value: is_int(value, minimum), f"an int in the range [{minimum}, inf)"


def _one_of(options: Collection[str]) -> Constraint:
    listed = ", ".join(repr(option) for option in sorted(options))
    return lambda value: isinstance(value, str) and value in options, f"a str among {{{listed}}}"


def _or_none(constraint: Constraint) -> Constraint:
    is_valid, words = constraint
    return lambda value: value is None or is_valid(value), f"{words} or None"


def _float_in(words: str, is_within: Callable[[Any], bool]) -> Constraint:
    return lambda value: is_float(value) and is_within(value), f"a float in the range {words}"


BOOL: Constraint = is_bool, "an instance of 'bool' or an instance of 'numpy.bool'"
_NON_NEGATIVE: Constraint = is_float, "a float in the range [0.0, inf)"
_ARRAY_OR_NONE: Constraint = _is_array_or_none, "an array-like or None"


# --- The table -----------------------------------------------------------------------------------


class Option(NamedTuple):
    """A parameter on the command line: ``gaussmix fit --NAME``, with hyphens for underscores."""

    kind: Literal["whole", "number", "fraction", "choice", "flag"]
    help: str
    minimum: int = 0  # of a whole number
    choices: Collection[str] = ()
    metavar: str | None = None  # of choices that are too many to stand behind the option


class Setting(NamedTuple):
    """A constructor parameter.

    Attributes
    ----------
    default : object
    constraint : tuple
        Whether a value is one that it can have, and the words for those that are.
    stored : tuple of type
        What JSON has for it in a model file. Empty for arrays, which have members of their own.
    since : int
        The version of the model file's format that brought it; in older files it is the default.
    in_sklearn : bool
        Whether scikit-learn's mixture has it.
    option : Option or None
        Where `gaussmix fit` has an option by its name.
    """

    default: Any
    constraint: Constraint
    stored: tuple[type, ...] = ()
    since: int = 1
    in_sklearn: bool = True
    option: Option | None = None


#: In the order of the signature.
SETTINGS: dict[str, Setting] = {
    "n_components": Setting(1, _int_from(1), (int,)),
    "covariance_type": Setting(
        "full",
        _one_of(COVARIANCE_TYPES),
        (str,),
        option=Option(
            "choice",
            "shape of the components: %(choices)s; the letters say whether volume, shape and "
            "orientation are (E)qual in all components, (V)ary, or are the (I)dentity's "
            "(default: %(default)s)",
            choices=COVARIANCE_TYPES,
            metavar="FAMILY",
        ),
    ),
    "tol": Setting(
        1e-3,
        _NON_NEGATIVE,
        (int, float),
        option=Option(
            "number",
            "stop when an iteration gains less log-likelihood per row (default: %(default)s)",
        ),
    ),
    "reg_covar": Setting(
        1e-6,
        _NON_NEGATIVE,
        (int, float),
        option=Option(
            "number", "added to every variance, against singular ones (default: %(default)s)"
        ),
    ),
    "max_iter": Setting(
        100,
        _int_from(0),
        (int,),
        option=Option("whole", "stop after so many iterations (default: %(default)s)"),
    ),
    "n_init": Setting(
        1,
        _int_from(1),
        (int,),
        option=Option(
            "whole", "start so many times and keep the best (default: %(default)s)", minimum=1
        ),
    ),
    "init_params": Setting(
        "kmeans",
        _one_of(get_args(InitParams)),
        (str,),
        option=Option(
            "choice", "how to start (default: %(default)s)", choices=get_args(InitParams)
        ),
    ),
    "weights_init": Setting(None, _ARRAY_OR_NONE),
    "means_init": Setting(None, _ARRAY_OR_NONE),
    "precisions_init": Setting(None, _ARRAY_OR_NONE),
    "random_state": Setting(
        None,
        (
            is_random_state,
            (
                "an int in the range [0, 4294967295], an instance of 'numpy.random.RandomState', "
                "an instance of 'numpy.random.Generator' or None"
            ),
        ),
        (int, NoneType),
    ),
    "warm_start": Setting(False, BOOL, (bool,)),
    "verbose": Setting(
        0,
        (
            lambda value: is_bool(value) or is_int(value, 0),
            "an int in the range [0, inf), an instance of 'bool' or an instance of 'numpy.bool'",
        ),
        (bool, int),
    ),
    "verbose_interval": Setting(10, _int_from(1), (int,)),
    "n_threads": Setting(
        None,
        (
            lambda value: value is None or is_int(value, 1, MOST_THREADS),
            "an int in the range [1, inf) or None",
        ),
        (int, NoneType),
        in_sklearn=False,
    ),
    "acceleration": Setting(
        None,
        _or_none(_one_of(get_args(Acceleration))),
        (str, NoneType),
        since=2,
        in_sklearn=False,
    ),
    "variance_floor": Setting(
        0.0,
        _float_in("[0.0, 1.0)", lambda value: value < 1),
        (int, float),
        since=3,
        in_sklearn=False,
        option=Option(
            "fraction",
            "least variance of a component, as a fraction of each column's (default: 0)",
        ),
    ),
    "on_collapse": Setting(
        "raise",
        _one_of(get_args(OnCollapse)),
        (str,),
        since=3,
        in_sklearn=False,
        option=Option(
            "choice",
            "end with an error, place a component that collapses anew, or drop it "
            "(default: %(default)s)",
            choices=get_args(OnCollapse),
        ),
    ),
    "learning_decay": Setting(
        0.6,
        _float_in("(0.5, 1.0]", lambda value: 0.5 < value <= 1),
        (int, float),
        since=4,
        in_sklearn=False,
    ),
    "forgetting": Setting(
        None,
        _or_none(_float_in("(0.0, 1.0)", lambda value: 0 < value < 1)),
        (int, float, NoneType),
        since=4,
        in_sklearn=False,
    ),
    "allow_nan": Setting(
        False,
        BOOL,
        (bool,),
        since=5,
        in_sklearn=False,
        option=Option(
            "flag",
            "take empty fields, NA, nan and nulls for missing values, and fit what there is",
        ),
    ),
}

for _name, _setting in SETTINGS.items():
    setattr(Settings, _name, _setting.default)


# --- Values held against it ----------------------------------------------------------------------

# Asking what else is a number takes twenty times as long as asking for these.
_PLAIN = frozenset({bool, int, float, str, type(None)})


def _plain_number(value: Any) -> Any:
    """Python's own number of the same kind; what is no number as it is."""
    if type(value) in _PLAIN:
        return value
    if is_bool(value):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _is_several(value: Any) -> bool:
    """Whether it is a sequence, where one number is asked for."""
    return (
        hasattr(value, "__len__")
        and hasattr(value, "__getitem__")
        and not isinstance(value, (str, bytes))
    )


def checked_value(
    name: str, value: Any, constraint: Constraint, estimator_name: str = ESTIMATOR
) -> Any:
    """The value of a parameter, with Python's own numbers; `InvalidParameterError` for one that it
    cannot have.
    """
    is_valid, description = constraint
    if not is_valid(value):
        huge = "inf)" in description and is_huge(value)
        remedy = " That is too large for a machine; pass a smaller number." if huge else ""
        if name == "n_components" and _is_several(value):
            remedy = " Fit one model for each K; see Choosing components."
        elif isinstance(value, str):
            remedy = did_you_mean(value, re.findall(r"'([^']*)'", description))
        raise compatible_class(InvalidParameterError)(
            f"The {name!r} parameter of {estimator_name} must be {description}. Got "
            f"{shown(value, SAID_LENGTH)} instead.{remedy}"
        )
    return _plain_number(value)


def check_n_threads(n_threads: Any) -> int:
    """A number of threads on its way to the kernels, which trust it."""
    return int(checked_value("n_threads", n_threads, SETTINGS["n_threads"].constraint))
