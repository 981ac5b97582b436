"""Tables of pandas, polars and Arrow, read as arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._common.text import column_label, said
from .._common.typing import AnyArray
from .numbers import Objects, computing_dtype, numbers_of_objects, refuse_dtype


def table_kind(X: Any) -> str | None:
    """Which interface a table speaks ("pandas", "polars", "arrow"), or None when X is no table."""
    if hasattr(X, "iloc") and hasattr(X, "columns") and hasattr(X, "dtypes"):
        return "pandas"
    if hasattr(X, "get_columns") and hasattr(X, "columns") and hasattr(X, "to_numpy"):
        return "polars"
    if hasattr(X, "num_rows") and hasattr(X, "schema") and hasattr(X, "columns"):
        return "arrow"
    return None


def _rows_from_pandas(X: Any, estimator_name: str) -> AnyArray:
    dtypes = list(X.dtypes)
    if not dtypes:
        return np.empty((len(X), 0))
    if all(hasattr(dtype, "fill_value") and hasattr(dtype, "subtype") for dtype in dtypes):
        raise TypeError(
            f"Sparse data was passed for X, but dense data is required by {estimator_name}. Use "
            "'X.sparse.to_dense()' to convert to a dense table."
        )
    plain = all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in dtypes)
    if plain and len(set(dtypes)) == 1:
        return np.asarray(X)  # one block of memory in the table is one view here
    columns = [X.iloc[:, j] for j in range(len(dtypes))]
    return _assembled(len(X), columns, list(X.columns), pandas_column, estimator_name)


def pandas_column(column: Any) -> AnyArray:
    """A Series (or, for an argument other than X, a table) as numbers where it holds them."""
    dtype = getattr(column, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, np.dtype) and kind in "biuf":
        return np.asarray(column)
    if kind in "biuf":  # nullable, Arrow-backed and sparse columns
        values: AnyArray = column.to_numpy(dtype=_float_like(dtype), na_value=np.nan)
    else:
        values = column.to_numpy(dtype=object)
    return values


def _float_like(dtype: Any) -> type[np.float32 | np.float64]:
    """float32 for a nullable or Arrow-backed float32 column, float64 for any other."""
    underlying = getattr(dtype, "numpy_dtype", None)
    return np.float32 if underlying == np.float32 else np.float64


def _rows_from_polars(X: Any, estimator_name: str) -> AnyArray:
    dtypes = set(X.dtypes)
    if len(dtypes) == 1 and dtypes.pop().is_numeric():
        # Nulls as NaN; one block of memory in the table is one view here.
        rows: AnyArray = X.to_numpy()
        if rows.dtype.kind in "biuf":
            return rows
    return _assembled(
        X.height, X.get_columns(), X.columns, lambda column: column.to_numpy(), estimator_name
    )


def _rows_from_arrow(X: Any, estimator_name: str) -> AnyArray:
    def read(column: Any) -> Any:
        return column.to_numpy(zero_copy_only=False)  # nulls as NaN, or as None in an object array

    return _assembled(X.num_rows, X.columns, X.schema.names, read, estimator_name)


READERS = {
    "pandas": _rows_from_pandas,
    "polars": _rows_from_polars,
    "arrow": _rows_from_arrow,
}


def _assembled(
    n_rows: int, columns: Sequence[Any], names: Sequence[Any], read: Any, estimator_name: str
) -> AnyArray:
    """The columns of a table beside each other: float32 if all of them are, else float64."""
    values = [
        _column_of_numbers(column, j, names, read, estimator_name)
        for j, column in enumerate(columns)
    ]
    single = bool(values) and all(computing_dtype(v.dtype) == np.float32 for v in values)
    rows = np.empty((n_rows, len(values)), dtype=np.float32 if single else np.float64, order="F")
    # A long double beyond float64 becomes an infinity here, which the first pass reports.
    with np.errstate(over="ignore"):
        for j, column in enumerate(values):
            rows[:, j] = column
    return rows


def _column_of_numbers(
    column: Any, j: int, names: Sequence[Any], read: Any, estimator_name: str
) -> AnyArray:
    """Column `j` as a one-dimensional array of numbers; else an error that names it."""
    label = column_label(j, names)
    dtype = getattr(column, "dtype", None) or column.type  # Arrow says type
    if getattr(dtype, "kind", "O") in "cmM":
        refuse_dtype(dtype, label, estimator_name)
    try:
        values = np.asarray(read(column))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"X has dtype {said(dtype)} in {label}, but {estimator_name} needs numbers: "
            f"{said(error)}"
        ) from error
    if values.ndim != 1:
        raise TypeError(
            f"X has dtype {said(dtype)} in {label}, but {estimator_name} needs one number in "
            "each cell."
        )
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind == "O":
        objects = Objects(values[:, np.newaxis], dtype, names, j, estimator_name)
        return numbers_of_objects(objects)[:, 0]
    refuse_dtype(values.dtype, label, estimator_name)
