"""The constructor parameters, held against the table of settings; random generators."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from .._common.families import LAYOUTS
from .._common.settings import (
    BOOL,
    MOST_THREADS,
    SETTINGS,
    Constraint,
    checked_value,
    is_int,
    is_random_state,
)
from .._common.text import ESTIMATOR, shown
from .._common.typing import AnyArray, Generator
from ..exceptions import InvalidParameterError, compatible_class
from .arguments import list_of


def check_parameters(params: Mapping[str, Any], estimator_name: str = ESTIMATOR) -> dict[str, Any]:
    """Check constructor parameters, in their order.

    Parameters
    ----------
    params : mapping
        Name to value, as ``get_params()`` returns it.
    estimator_name : str
        The class the message speaks of.

    Returns
    -------
    dict
        The parameters with Python's own numbers: arithmetic with a fraction or with an integer of
        eight bits is another.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, the values it can take, and the one it has.

    Examples
    --------
    >>> check_parameters({"n_components": np.int8(3), "tol": 1e-3})
    {'n_components': 3, 'tol': 0.001}
    >>> check_parameters({"tol": -1})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    gaussmix.exceptions.InvalidParameterError: The 'tol' parameter of GaussianMixture must be ...
    """
    checked = dict(params)
    for name, value in params.items():
        constraint = _constraint(name)
        if constraint is None:
            continue  # a subclass checks the parameters it adds
        checked[name] = checked_value(name, value, constraint, estimator_name)
    return checked


def parameters_of(estimator: object) -> dict[str, Any]:
    """The constructor parameters that an estimator has, checked as by `check_parameters`."""
    params = {name: getattr(estimator, name) for name in SETTINGS if hasattr(estimator, name)}
    return check_parameters(params, type(estimator).__name__)


def check_parameters_in_use(model: Any) -> None:
    """Check the constructor parameters that a fitted mixture is used with, whatever for.

    They may be set at any time. Quick, as a server scores one row at a time.
    """
    n_threads, covariance_type = model.n_threads, model.covariance_type
    if (
        (n_threads is None or (type(n_threads) is int and 0 < n_threads <= MOST_THREADS))
        and type(model.allow_nan) is bool
        and type(covariance_type) is str
        and covariance_type in LAYOUTS
    ):
        return
    names = "covariance_type", "n_threads", "allow_nan"
    check_parameters({name: getattr(model, name) for name in names}, type(model).__name__)


def check_candidates(params: Mapping[str, Any], estimator_name: str) -> list[int]:
    """Check constructor parameters of which `n_components` may be several numbers to choose from;
    returns those.
    """
    others = dict(params)
    numbers = _numbers_of_components(others.pop("n_components"), estimator_name)
    check_parameters(others, estimator_name)
    return numbers


def _numbers_of_components(value: Any, estimator_name: str) -> list[int]:
    """The numbers of components to choose from: one, or several."""
    several = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))
    numbers = list_of(value, "n_components") if several else [value]
    if not numbers or not all(is_int(number, 1) for number in numbers):
        raise compatible_class(InvalidParameterError)(
            f"The 'n_components' parameter of {estimator_name} must be an int in the range "
            f"[1, inf), or several of those in a sequence. Got {shown(value)} instead."
        )
    return [int(number) for number in numbers]


# Of the imputer, beside those that it has in common with the mixture.
_OF_IMPUTER: dict[str, Constraint] = dict.fromkeys(
    ("sample_posterior", "keep_empty_features", "add_indicator"), BOOL
)


def _constraint(name: str) -> Constraint | None:
    """What a parameter's values are held against; None for one that a subclass has added."""
    setting = SETTINGS.get(name)
    return _OF_IMPUTER.get(name) if setting is None else setting.constraint


class _NoEntropy(ISeedSequence):
    """Where a generator starts that is seeded next.

    ``RandomState(seed)`` gathers entropy from the system before it takes the seed instead, which
    is most of its time and a tenth of that of a fit of few rows.
    """

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> AnyArray:
        return np.ones(n_words, dtype)


def check_random_state(seed: Any) -> Generator:
    """The random generator meant by `seed`.

    Parameters
    ----------
    seed : None, int, numpy.random.RandomState or numpy.random.Generator
        None is NumPy's global generator, the one ``numpy.random.seed`` sets; an int starts a new
        ``RandomState``; a generator is returned as it is, and moves on as it is used.
    """
    if not is_random_state(seed):
        raise ValueError(
            f"random_state={shown(seed)} cannot start a random generator. Pass None, an int from "
            "0 to "
            "2**32 - 1, a numpy.random.RandomState or a numpy.random.Generator."
        )
    if seed is None:
        # The generator behind numpy.random.seed has no public name.
        generator: Generator = np.random.mtrand._rand
    elif isinstance(seed, numbers.Integral):
        unseeded: Any = _NoEntropy()  # NumPy's stubs know SeedSequence alone
        generator = np.random.RandomState(np.random.MT19937(unseeded))
        generator.seed(int(seed))
    else:
        generator = seed
    return generator
