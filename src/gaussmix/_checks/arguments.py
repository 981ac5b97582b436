"""The small arguments of methods: numbers, flags and words."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

from .._common.settings import MOST_INT, is_bool, is_float, is_int
from .._common.text import said, shown


def list_of(values: Iterable[Any], argument: str) -> list[Any]:
    """All that an iterable of the user's gives."""
    try:
        return list(values)
    except Exception as error:  # whatever it raises
        raise TypeError(f"{argument} cannot be read one by one: {said(error)}.") from error


def check_flag(value: Any, argument: str) -> None:
    """An argument that is true or false."""
    if not is_bool(value):
        raise TypeError(f"{argument} must be True or False. Got {shown(value)}.")


def check_n_samples(n_samples: Any) -> int:
    """How many rows to draw."""
    if not isinstance(n_samples, numbers.Integral) or is_bool(n_samples) or int(n_samples) < 1:
        raise ValueError(
            f"Invalid value for 'n_samples': {shown(n_samples)} . The sampling requires at least "
            "one sample. Pass an int of at least 1."
        )
    if int(n_samples) > MOST_INT:
        raise ValueError(
            f"Invalid value for 'n_samples': {shown(n_samples)}. No array has so many rows; draw "
            "them in several calls."
        )
    return int(n_samples)


def check_n_draws(n_draws: Any) -> None:
    """The number of draws of `impute`."""
    if n_draws is not None and not is_int(n_draws, 1):
        raise ValueError(
            f"n_draws must be an int of at least 1, or None for conditional means. Got "
            f"{shown(n_draws)}."
        )


def check_coverage(coverage: Any) -> float:
    """The probability that an interval is to hold."""
    if not (is_float(coverage) and 0 < coverage < 1):
        raise ValueError(
            "coverage must be a number between 0 and 1, such as 0.9 for intervals that hold nine "
            f"targets in ten. Got {shown(coverage)}."
        )
    return float(coverage)


def check_update(update: Any) -> None:
    """Raise unless `update` names weights, means or covariances by their first letters."""
    if not isinstance(update, str):
        raise TypeError(
            f"update must be a string such as 'wmc'; got {type(update).__name__}. Its letters say"
            " what an M-step changes: w(eights), m(eans), c(ovariances)."
        )
    if not update or not set(update) <= set("wmc") or len(set(update)) < len(update):
        raise ValueError(
            "update must hold some of the letters w(eights), m(eans) and c(ovariances), each at"
            f" most once; got {shown(update)}. Pass 'wmc' to change all, or 'm' to move the means "
            "only."
        )


# Orders that Shapley values are averaged over, all of which are kept.
_MOST_PERMUTATIONS = 1_000_000


def check_contributions(kind: Any, n_permutations: Any) -> None:
    """The options of `feature_contributions`."""
    if not (isinstance(kind, str) and kind in ("conditional", "shapley")):
        raise ValueError(f"kind must be 'conditional' or 'shapley'. Got {shown(kind)}.")
    if not is_int(n_permutations, 1, _MOST_PERMUTATIONS):
        raise ValueError(
            f"n_permutations must be an int from 1 to {_MOST_PERMUTATIONS}. Got "
            f"{shown(n_permutations)}. The error shrinks with the root of the number."
        )


def check_one_feature(n_features: int, method: str) -> None:
    """Refuse a distribution function or quantiles of more than one feature."""
    if n_features != 1:
        raise ValueError(
            f"{method} is of one feature, but the model has {n_features}. Ask the mixture of one "
            f"of them, for example model.marginal(0).{method}(...)."
        )
