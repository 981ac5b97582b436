"""Checks of what is plotted, and the messages about it."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._checks.arguments import list_of
from .._checks.arrays import as_float64
from .._checks.columns import feature_index
from .._common.settings import is_bool, is_float, is_int
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
    columns = _columns(features, n_features, names, "one or two column indices or names")
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


def check_many_features(
    features: Any, n_features: int, names: Sequence[str] | None, fewest: int, by_default: int
) -> list[int]:
    """The indices of any number of different features, given by index or name.

    None is for the first `by_default`, or all if there are no more.
    """
    if features is None:
        columns = list(range(min(n_features, by_default)))
    else:
        columns = _columns(features, n_features, names, "column indices or names")
    if len(columns) < fewest:
        of = f"the model has {n_features} in all" if features is None else shown(features)
        remedy = " For one feature alone there is plot_density." if fewest > 1 else ""
        raise ValueError(
            f"features must be {fewest} or more different columns. Got {len(columns)}: {of}."
            f"{remedy}"
        )
    for place, column in enumerate(columns):
        if column in columns[:place]:
            raise ValueError(
                f"features must be different columns. Got {shown(features)}, which has "
                f"{column_label(column, names)} twice."
            )
    return columns


def _columns(
    features: Any, n_features: int, names: Sequence[str] | None, wanted: str
) -> list[int]:
    """Features as a list of indices."""
    if isinstance(features, (str, numbers.Integral)):
        features = [features]
    if not isinstance(features, (Sequence, np.ndarray)):
        raise TypeError(f"features must be {wanted}. Got {shown(features)}.")
    return [feature_index(feature, n_features, names) for feature in features]


def check_components(components: Any, n_components: int) -> list[int]:
    """The numbers of some components, without repeats; None for all."""
    if components is None:
        return list(range(n_components))
    remedy = f"Pass numbers from 0 to {n_components - 1}, or None for all."
    listed = [components] if isinstance(components, numbers.Integral) else components
    if isinstance(listed, (str, bytes)) or not isinstance(listed, Iterable):
        raise TypeError(
            f"components must be numbers of components. Got {shown(components)}. {remedy}"
        )
    listed = list_of(listed, "components")
    if not listed:
        raise ValueError(f"components is empty. {remedy}")
    for number in listed:
        if not isinstance(number, numbers.Integral) or is_bool(number):
            raise TypeError(
                f"components must be numbers of components, but contains {shown(number)}. {remedy}"
            )
        if not 0 <= int(number) < n_components:
            raise ValueError(
                f"components contains {shown(number)}, but the model has {n_components} "
                f"components. {remedy}"
            )
    return list(dict.fromkeys(map(int, listed)))


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


def check_share(value: Any, name: str, remedy: str) -> float:
    """A number strictly between 0 and 1."""
    if not is_float(value) or not 0.0 < float(value) < 1.0:
        raise ValueError(f"{name} must be above 0 and below 1. Got {shown(value)}. {remedy}")
    return float(value)


def check_limits(limits: Any) -> float | None:
    """The share of the rows by which the axes are limited, or None for no limit."""
    if limits is None:
        return None
    return check_share(
        limits, "limits", "Pass the share of rows in the middle, such as 0.98, or None for all."
    )


def check_row(X: Any) -> Any:
    """One row, in one dimension or two, as a table or an array of one row."""
    if X is None:
        raise TypeError("X must be the row to plot, an array-like of shape (d,). Got None.")
    if hasattr(X, "to_frame") and hasattr(X, "index"):  # a row of a pandas table
        return X.to_frame().T
    if not hasattr(X, "columns") and not hasattr(X, "schema"):
        X = np.asarray(X)
        if X.ndim == 0:
            raise ValueError(
                f"X must be one row. Got a single value, {shown(X.item())}. Pass the values of "
                "all features."
            )
        if X.ndim == 1:
            X = X[np.newaxis]
    if len(X) != 1:
        raise ValueError(
            f"X must be one row. Got {len(X)}. Pass one of them, such as X[0], or X.iloc[[0]] of "
            "a table."
        )
    return X


def check_contributions_to_plot(contributions: np.ndarray, kind: str) -> None:
    """Refuse a row that has no contribution, or an infinite one."""
    if not contributions.size:
        raise ValueError("X has no value. Pass a row with at least one.")
    if not np.isfinite(contributions).all():
        remedy = "Look for a value in other units."
        if kind == "shapley":
            remedy += " Or pass kind='conditional'."
        raise ValueError(f"X has a density of zero, and so no finite contributions. {remedy}")


def check_two(n_features: int) -> None:
    """Refuse to draw a map of one feature."""
    if n_features != 2:
        raise ValueError(
            "features must be two columns for a map. Got one. Pass another one too, or use "
            "plot_responsibilities, which shows the certainty of rows over one feature."
        )


def check_most(value: Any) -> int:
    """The largest number of bars."""
    if not is_int(value, 1):
        raise ValueError(f"most must be an int of at least 1. Got {shown(value)}.")
    return int(value)


def check_panels(axes: Any, n_features: int, kind: type) -> None:
    """Refuse what is neither None nor a square array of matplotlib axes, the class `kind`."""
    if axes is None:
        return
    shape = (n_features, n_features)
    remedy = f"Pass those of matplotlib.pyplot.subplots({n_features}, {n_features}), or None."
    if not isinstance(axes, np.ndarray) or not all(isinstance(ax, kind) for ax in axes.flat):
        raise TypeError(
            "axes must be an array of matplotlib Axes or None. Got an object of type "
            f"{type(axes).__name__}. {remedy}"
        )
    if axes.shape != shape:
        raise ValueError(
            f"axes must have a row and a column for each feature, shape {shape}. Got shape "
            f"{axes.shape}. {remedy}"
        )


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
