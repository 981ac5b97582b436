"""Columns: their names, and which of them a user chooses."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._common.settings import is_bool
from .._common.text import (
    ESTIMATOR,
    column_label,
    column_labels,
    did_you_mean,
    listed,
    plain,
    shown,
    shown_name,
)
from .._common.typing import Indices, Names
from .._common.warnings import warn
from .arguments import list_of
from .tables import table_kind


def feature_names(X: Any) -> Names | None:
    """The names of a table's columns as an object array; None unless all of them are strings.

    Raises
    ------
    TypeError
        When some names are strings and others are not.
    """
    if isinstance(X, (np.ndarray, list, tuple)):
        return None
    table = table_kind(X)
    if table is None:
        return None
    labels = list(X.schema.names if table == "arrow" else X.columns)
    kinds = sorted({type(label).__name__ for label in labels})
    if len(kinds) > 1 and "str" in kinds:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your"
            f" input has {shown(kinds)} as feature name / column name types. Convert them all to "
            "strings,"
            " for example with X.columns = X.columns.astype(str), or pass the values without"
            " their names."
        )
    if kinds != ["str"]:
        return None
    names = np.empty(len(labels), dtype=object)
    names[:] = labels
    return names


def check_feature_names(
    fitted: Names | None, given: Names | None, estimator_name: str = ESTIMATOR
) -> None:
    """Compare the column names of X with those of the rows the model was fitted to.

    Columns are never reordered: a table whose columns come in another order, or under other names,
    is an error. When only one of the two has names, that is a warning.
    """
    if fitted is None and given is None:
        return
    if fitted is None:
        warn(f"X has feature names, but {estimator_name} was fitted without feature names")
        return
    if given is None:
        warn(
            f"X does not have valid feature names, but {estimator_name} was fitted with feature"
            " names"
        )
        return
    if list(fitted) == list(given):
        return

    message = "The feature names should match those that were passed during fit.\n"
    unseen = sorted(set(given) - set(fitted))
    missing = sorted(set(fitted) - set(given))
    if unseen:
        message += f"Feature names unseen at fit time:\n{_as_bullets(unseen)}"
    if missing:
        message += f"Feature names seen at fit time, yet now missing:\n{_as_bullets(missing)}"
    if not unseen and not missing:
        message += (
            "Feature names must be in the same order as they were in fit.\n"
            f"The order in fit was:\n{_as_bullets(list(fitted))}"
        )
    raise ValueError(message)


def _as_bullets(names: Sequence[str], limit: int = 5) -> str:
    """One `- name` a line, at most `limit` of them."""
    lines = [f"- {plain(name)}\n" for name in names[:limit]]
    if len(names) > limit:
        lines.append("- ...\n")
    return "".join(lines)


def difference_of_names(given: Names | None, expected: Names | None) -> tuple[str, str] | None:
    """How the names of a piece's columns differ from those expected, in words for either."""
    if given is None and expected is None:
        return None
    if given is None or expected is None:
        return (
            ("names of columns", "none") if expected is None else ("no names of columns", "some")
        )
    for column, (name, other) in enumerate(zip(given, expected, strict=True)):
        if name != other:
            return f"column {column} named {shown_name(name)}", shown_name(other)
    return None


def check_names_of_means(names: Names | None, n_features: int) -> None:
    """Check that the names of the columns of a fit are as many as the means have columns."""
    if names is not None and len(names) != n_features:
        raise ValueError(
            f"means_ has {n_features} columns, but feature_names_in_ {len(names)} names. Set it to"
            " the names of the columns, or delete it with `del model.feature_names_in_`."
        )


def check_columns(
    columns: Any, n_features: int, names: Sequence[str] | None, argument: str = "columns"
) -> Indices:
    """Columns of a model given by index, name or mask, as an array of distinct indices.

    One column may come without a list around it, and an index may count from the end.

    Raises
    ------
    ValueError, TypeError
        For none, one that the model does not have, one twice, and a mask of another length.
    """
    if isinstance(columns, (str, numbers.Integral)) and not is_bool(columns):
        columns = [columns]
    if isinstance(columns, (set, frozenset)):
        raise TypeError(f"{argument} must be in an order. Got a set; pass a list of the columns.")
    if not isinstance(columns, Iterable):
        raise TypeError(
            f"{argument} must be column indices, column names or a mask of {n_features} booleans. "
            f"Got {shown(columns)}."
        )
    listed = list_of(columns, argument)
    if listed and all(map(is_bool, listed)):
        if len(listed) != n_features:
            raise ValueError(
                f"{argument} is a mask of length {len(listed)}, but the model has {n_features} "
                "features. Pass a boolean for each."
            )
        listed = np.flatnonzero(listed).tolist()
    if not listed:
        raise ValueError(f"{argument} chooses no column. Choose at least one.")
    indices = [_column_index(column, n_features, names, argument) for column in listed]
    for i, index in enumerate(indices):
        if index in indices[:i]:
            raise ValueError(
                f"{argument} must be different columns. {shown(columns)} has "
                f"{column_label(index, names)} twice."
            )
    return np.array(indices, dtype=np.intp)


def _column_index(column: Any, n_features: int, names: Sequence[str] | None, argument: str) -> int:
    """`feature_index`, where an index may count from the end."""
    if isinstance(column, numbers.Integral) and not is_bool(column):
        index = int(column)
        if not -n_features <= index < n_features:
            raise ValueError(
                f"{argument} contains {shown(index)}, but the model has {n_features} features. "
                "Pass "
                f"indices from {-n_features} to {n_features - 1}."
            )
        return index % n_features
    return feature_index(column, n_features, names, argument)


def feature_index(
    feature: Any, n_features: int, names: Sequence[str] | None, argument: str = "features"
) -> int:
    """The index of a feature that is given by index or by name."""
    if isinstance(feature, str):
        if names is None:
            raise ValueError(
                f"{argument} names {shown(feature)}, but the model was fitted without feature "
                "names. "
                f"Pass indices from 0 to {n_features - 1}, or fit to a table with named columns."
            )
        if feature not in names:
            raise ValueError(
                f"{argument} names {shown(feature)}, which the model was not fitted with. Its "
                f"features are {listed(names, shown_name)}.{did_you_mean(feature, names)}"
            )
        places = [index for index, name in enumerate(names) if name == feature]
        if len(places) > 1:
            raise ValueError(
                f"{argument} names {shown(feature)}, as columns {listed(places)} of the "
                "model are called. Pass the index of one of them."
            )
        return places[0]
    if not isinstance(feature, numbers.Integral) or is_bool(feature):
        raise TypeError(
            f"{argument} must be column indices from 0 to {n_features - 1} or column names. Got "
            f"{shown(feature)}."
        )
    index = int(feature)
    if not 0 <= index < n_features:
        raise ValueError(
            f"{argument} contains {shown(index)}, but the model has {n_features} features. Pass "
            "indices"
            f" from 0 to {n_features - 1}."
        )
    return index


def check_given(given: Indices, n_features: int, remedy: str, argument: str = "columns") -> None:
    """Refuse to condition on every column."""
    if given.size == n_features:
        raise ValueError(
            f"{argument} chooses all {n_features} features, so that none is left. {remedy}"
        )


def check_target(target: Indices, given: Indices, names: Sequence[str] | None) -> None:
    """Refuse to predict a column that is given."""
    both = np.intersect1d(target, given)
    if both.size:
        raise ValueError(
            f"target contains {column_label(int(both[0]), names)}, which columns says is given. "
            "Choose other columns to predict."
        )


def check_given_rows(
    shape: tuple[int, ...],
    given: Indices,
    all_names: Names | None,
    names_of_rows: Names | None,
    argument: str = "X",
    estimator_name: str = ESTIMATOR,
) -> None:
    """Compare rows of values with the columns that they are said to be of."""
    if shape[1] != given.size:
        chosen = column_labels(given.tolist(), all_names)
        raise ValueError(
            f"{argument} has {shape[1]} column(s), but columns chooses {given.size}: "
            f"{chosen}. Pass the values of these columns, in this order."
        )
    fitted = None if all_names is None else all_names[given]
    if names_of_rows is not None:
        check_feature_names(fitted, names_of_rows, estimator_name)


def check_labels(
    values: Any, given: Indices, all_names: Names | None, estimator_name: str = ESTIMATOR
) -> None:
    """Refuse a pandas Series of values that is labelled with other features than those given."""
    index = getattr(values, "index", None)
    if all_names is None or index is None or callable(index):
        return
    labels = np.asarray(index, dtype=object)
    # Other labels are those of rows, or none.
    if labels.ndim == 1 and labels.size and set(labels.tolist()) <= set(all_names.tolist()):
        check_feature_names(all_names[given], labels, estimator_name)
