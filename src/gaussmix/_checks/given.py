"""Values of columns that a user chooses, by names or numbers, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._common.text import ESTIMATOR, shown
from .._common.typing import AnyArray, Indices, Names
from .arrays import as_float64, masked_as_nan
from .columns import check_columns
from .rows import as_rows
from .tables import table_kind


def given_values(
    given: Any, n_features: int, names: Names | None, estimator_name: str = ESTIMATOR
) -> tuple[Indices, AnyArray, bool]:
    """Which columns are given, their values in rows, and whether it is one row without an axis.

    Parameters
    ----------
    given : mapping or table
        Of columns to a number each, or to r numbers; a Series with labels; or a table of r rows.
    n_features : int
        Of the model.
    names : ndarray of str or None
        Of the model's columns.

    Returns
    -------
    columns : ndarray of int, shape (g,)
    values : ndarray of shape (r, g)
        NaN and infinity have not been looked for.
    one : bool
    """
    known = None if names is None else list(names)
    if table_kind(given) is not None:
        values, own = as_rows(given, estimator_name=estimator_name)
        if own is None:
            raise ValueError(
                "given is a table whose columns have no names. Name them as those of the model, "
                "or pass a mapping of column indices to values."
            )
        return check_columns(own, n_features, known, "given"), values, False
    if isinstance(given, Mapping) or (hasattr(given, "iloc") and hasattr(given, "items")):
        items = list(given.items())
    else:
        raise TypeError(
            "given must be a mapping of columns to values, such as {0: 1.5}, or a table with "
            f"named columns. Got {shown(given)}."
        )
    columns = check_columns([column for column, _values in items], n_features, known, "given")
    return columns, *_side_by_side(items)


def _side_by_side(items: list[tuple[Any, Any]]) -> tuple[AnyArray, bool]:
    """Columns of numbers as rows, a single number as often as it takes."""
    columns: list[AnyArray] = []
    n_rows, longest = None, None
    for column, values in items:
        argument = f"given[{shown(column)}]"
        if isinstance(values, np.ma.MaskedArray):
            values = masked_as_nan(values)
        numbers = as_float64(values, argument)
        if numbers.ndim > 1 or not numbers.size:
            raise ValueError(
                f"{argument} has the shape {numbers.shape}. Pass a number, or one for each row."
            )
        if numbers.ndim and n_rows not in (None, len(numbers)):
            raise ValueError(
                f"{argument} has {len(numbers)} values, and {longest} has {n_rows}. Pass a "
                "number, or one for each row."
            )
        if numbers.ndim:
            n_rows, longest = len(numbers), argument
        columns.append(numbers)
    shape = (1 if n_rows is None else n_rows,)
    return np.stack([np.broadcast_to(c, shape) for c in columns], axis=1), n_rows is None
