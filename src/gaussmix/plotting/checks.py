"""Checks of what is plotted, and the messages about it."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._checks.arguments import list_of
from .._checks.arrays import as_float64
from .._checks.columns import feature_index
from .._common.text import column_label, did_you_mean, shown

CRITERIA = ("bic", "icl", "aic")


def check_model(model: Any, kind: type, name: str = "model") -> None:
    """Refuse what is not a model of the class `kind`."""
    if isinstance(model, kind):
        return
    remedy = f"Pass a fitted {kind.__name__}."
    if type(model).__module__.startswith("sklearn.mixture"):
        remedy = f"Pass gaussmix.{kind.__name__}.from_sklearn({name})."
    elif isinstance(model, type):
        remedy = f"Pass an instance, {model.__name__}(...).fit(X)."
    raise TypeError(
        f"{name} must be a gaussmix.{kind.__name__}. Got {shown(model)}, of type "
        f"{type(model).__name__}. {remedy}"
    )


def check_models(models: Any, kind: type) -> list[Any]:
    """One model or several of the class `kind`, as a list."""
    if isinstance(models, kind):
        return [models]
    if isinstance(models, (str, bytes)) or not isinstance(models, Iterable):
        check_model(models, kind, "models")
    listed = list_of(models, "models")
    if not listed:
        raise ValueError("models is empty. Pass at least one fitted model.")
    for i, model in enumerate(listed):
        check_model(model, kind, f"models[{i}]")
    return listed


def rows_missing() -> TypeError:
    """The exception for an X that is None where rows are needed; the caller raises it."""
    return TypeError("X must be the rows to plot, an array-like of shape (n, d). Got None.")


def check_axes(ax: Any, kind: type) -> None:
    """Refuse what is neither None nor matplotlib axes, the class `kind`."""
    if ax is None or isinstance(ax, kind):
        return
    remedy = "Pass axes as from matplotlib.pyplot.subplots(), or None for the current ones."
    if isinstance(ax, np.ndarray):
        remedy = "Pass one of its entries, such as ax.flat[0]."
    elif hasattr(ax, "add_subplot"):
        remedy = "Pass axes of it, such as figure.add_subplot()."
    raise TypeError(
        f"ax must be a matplotlib Axes or None. Got an object of type {type(ax).__name__}. "
        f"{remedy}"
    )


def check_features(features: Any, n_features: int, names: Sequence[str] | None) -> list[int]:
    """The indices of one or two features, given by index or name; None for the first two.

    Raises
    ------
    ValueError, TypeError
        For more than two features or none, one that the model does not have, and one twice.
    """
    if features is None:
        return list(range(min(n_features, 2)))
    if isinstance(features, (str, numbers.Integral)):
        features = [features]
    if not isinstance(features, (Sequence, np.ndarray)):
        raise TypeError(
            f"features must be one or two column indices or names. Got {shown(features)}."
        )
    columns = [feature_index(feature, n_features, names) for feature in features]
    if len(columns) not in (1, 2):
        raise ValueError(
            f"features must be one or two columns, to plot in the plane. Got {len(columns)}: "
            f"{shown(features)}."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(
            f"features must be two different columns. Got {shown(features)}, which is "
            f"{column_label(columns[0], names)} twice."
        )
    return columns


def feature_label(column: int, names: Sequence[str] | None) -> str:
    """The name of a feature for the axis of a plot."""
    return f"column {column}" if names is None else str(names[column])


def check_numbers_between(values: Any, name: str, lower: float, upper: float) -> list[float]:
    """A number or several, all strictly between two bounds, in ascending order without repeats."""
    array = np.atleast_1d(as_float64(values, name))
    remedy = f"Pass one number or several, each above {lower:g} and below {upper:g}."
    if array.size == 0:
        raise ValueError(f"{name} is empty. {remedy}")
    outside = ~((array > lower) & (array < upper))
    if np.any(outside):
        raise ValueError(f"{name} contains {array[outside][0]:g}. {remedy}")
    return [float(value) for value in np.unique(array)]


def check_criteria(criteria: Any) -> list[str]:
    """The names of one information criterion or several, without repeats."""
    listed = [criteria] if isinstance(criteria, str) else criteria
    remedy = f"Pass one or several of {', '.join(repr(name) for name in CRITERIA)}."
    if not isinstance(listed, Iterable):
        raise TypeError(f"criteria must be names of criteria. Got {shown(criteria)}. {remedy}")
    listed = list_of(listed, "criteria")
    if not listed:
        raise ValueError(f"criteria is empty. {remedy}")
    for name in listed:
        if name not in CRITERIA:
            raise ValueError(
                f"criteria contains {shown(name)}. {remedy}{did_you_mean(name, CRITERIA)}"
            )
    return list(dict.fromkeys(listed))


def check_lower_bounds(model: Any, name: str) -> np.ndarray:
    """The lower bounds of a model's iterations, of which there must be one at least."""
    bounds = np.array(getattr(model, "lower_bounds_", ()), dtype=np.float64)
    if not bounds.size:
        raise ValueError(
            f"{name} has no iterations to plot: its lower_bounds_ is empty, as after max_iter=0 "
            "or from_parameters. Pass a model that fit or update has iterated."
        )
    return bounds
