"""X: the rows, as a two-dimensional array of real numbers."""

from __future__ import annotations

import numbers
import os
import sys
from typing import Any

import numpy as np

from .._common.text import ESTIMATOR, SAID_LENGTH, column_label, plain, said, shown
from .._common.typing import AnyArray, ColumnNames, Names
from .arrays import masked_as_nan
from .columns import check_feature_names, feature_names
from .numbers import Objects, computing_dtype, numbers_of_objects, refuse_dtype
from .tables import READERS, table_kind


def as_rows(
    X: Any,
    *,
    estimator_name: str = ESTIMATOR,
    n_features: int | None = None,
    fitted_names: Names | None = None,
    min_rows: int = 1,
) -> tuple[AnyArray, Names | None]:
    """X as a two-dimensional array of real numbers, without copying it where that can be helped.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Lists, arrays of any layout, byte order and numeric dtype, memory maps, and tables of
        pandas, polars or Arrow.
    estimator_name : str
        The class the messages speak of.
    n_features : int or None
        The number of columns the model was fitted with; None while fitting, when any number will
        do.
    fitted_names : ndarray of str or None
        The column names the model was fitted with; looked at only when `n_features` is given.
    min_rows : int
        The smallest number of rows that is acceptable.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Of kind bool, int, unsigned or float (any width, order and strides): a view of X whenever X
        is such an array. Object arrays of numbers and tables of several dtypes come as a new float
        array. Missing values have become NaN; nothing here looks for NaN or infinity, since the
        first pass over the rows does (see `nonfinite_error`).
    names : ndarray of str or None
        The names of the columns, if X has them.

    Raises
    ------
    ValueError, TypeError
        With scikit-learn's words where it has some.
    """
    # A server scores one row at a time: an ordinary array goes through in well under two
    # microseconds.
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "fd" and fitted_names is None:
        rows, columns = X.shape
        if rows >= min_rows and columns >= 1 and (n_features is None or columns == n_features):
            return X, None

    names = feature_names(X)
    if n_features is not None:
        check_feature_names(fitted_names, names, estimator_name)
    rows = _as_array(X, estimator_name)
    _check_two_dimensional(rows, X, estimator_name)
    rows = _as_numbers(rows, names, estimator_name)
    check_shape_of_rows(rows.shape, min_rows, estimator_name)
    if n_features is not None:
        check_n_features(rows.shape[1], n_features, estimator_name)
    return rows, names


def check_n_features(given: int, expected: int, estimator_name: str = ESTIMATOR) -> None:
    """Refuse rows with another number of columns than the model was fitted to."""
    if given != expected:
        raise ValueError(
            f"X has {given} features, but {estimator_name} is expecting {expected} features as"
            " input. Pass the columns that it was fitted to, in their order."
        )


def check_shape_of_rows(shape: tuple[int, int], min_rows: int, estimator_name: str) -> None:
    if shape[0] < min_rows:
        raise ValueError(
            f"Found array with {shape[0]} sample(s) (shape={shape}) while a minimum of {min_rows}"
            f" is required by {estimator_name}."
        )
    if shape[1] < 1:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required by "
            f"{estimator_name}."
        )


def check_enough_rows(n_samples: int, n_components: int) -> None:
    """Refuse to fit more components than there are rows."""
    if n_samples < n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, "
            f"n_samples = {n_samples}. Use fewer components, or more rows."
        )


def is_dask(X: object) -> bool:
    """Whether X is a dask collection; dask is not imported to find out."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def check_in_memory(X: object, estimator_name: str, remedy: str) -> None:
    """Refuse files, and rows that are computed later, where only rows in memory will do."""
    if is_dask(X) or isinstance(X, (str, bytes, os.PathLike)):
        raise TypeError(f"{estimator_name} takes rows in memory. Got {type(X).__name__}. {remedy}")


def nonfinite_error(
    X: AnyArray,
    row: int,
    column: int,
    feature_names: ColumnNames | None = None,
    estimator_name: str = ESTIMATOR,
    *,
    first_row: int = 0,
    argument: str = "X",
) -> ValueError:
    """The exception for a NaN, an infinity or a number too large for the computing precision.

    `X` is what `as_rows` returned, and `row`, `column` the place of the first such value in it.
    `first_row` is the number of its first row where it is a piece of the data; `argument` what the
    user knows it as.
    """
    value = X[row, column]
    where = f"First at row {first_row + row}, {column_label(column, feature_names)}"
    if value != value:
        return ValueError(
            f"Input {argument} contains NaN. {where}. {estimator_name} does not accept missing"
            " values encoded as NaN: drop those rows, fill them in first, or set allow_nan=True."
        )
    return ValueError(
        f"Input {argument} contains infinity or a value too large for "
        f"{computing_dtype(X.dtype)!r}. {where}: {said(value)}. Drop those rows, or rescale the"
        " column."
    )


def _as_array(X: Any, estimator_name: str) -> AnyArray:
    """X as a plain ndarray of any dtype and number of dimensions; tables column by column."""
    if isinstance(X, np.ma.MaskedArray):
        return masked_as_nan(X)
    if isinstance(X, np.matrix):
        raise TypeError(
            "np.matrix is not supported. Please convert X to a numpy array with np.asarray(X)."
        )
    if isinstance(X, np.ndarray):
        return np.asarray(X)  # memory maps and other subclasses as a view of the same memory
    table = table_kind(X)
    if table is not None:
        return READERS[table](X, estimator_name)
    if _is_sparse(X):
        raise TypeError(
            f"Sparse data was passed for X, but dense data is required by {estimator_name}. Use "
            "'.toarray()' to convert to a dense numpy array."
        )
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        raise TypeError(
            f"X is a {type(X).__name__}, which holds a query and not its rows. Pass X.collect()"
            " instead."
        )
    if isinstance(X, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in X):
        return masked_as_nan(np.ma.stack(X))
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            f"X is not a table of numbers: {said(error)} Give every row the same number of "
            "columns."
        ) from error


def _is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array of scipy, or one that looks like it."""
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(X):
        return True
    return hasattr(X, "nnz") and (hasattr(X, "toarray") or hasattr(X, "todense"))


def _check_two_dimensional(array: AnyArray, X: Any, estimator_name: str) -> None:
    remedy = (
        "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
        "array.reshape(1, -1) if it contains a single sample."
    )
    if array.ndim == 2:
        return
    if array.ndim == 0:
        if not isinstance(X, numbers.Number) and not hasattr(X, "dtype"):
            remedy = "Pass an array or a table of shape (n_samples, n_features)."
        raise ValueError(
            f"Expected 2D array, got scalar array instead:\narray={_printed(array)} (X is of type "
            f"{type(X).__name__}).\n{remedy}"
        )
    if array.ndim == 1 and (hasattr(X, "to_frame") or hasattr(X, "combine_chunks")):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(X)} instead. Pass a DataFrame"
            " containing a single row (i.e. single sample) or a single column (i.e. single"
            f" feature) instead. {remedy}"
        )
    if array.ndim == 1:
        raise ValueError(
            f"Expected 2D array, got 1D array instead:\narray={_printed(array)}.\n{remedy}"
        )
    raise ValueError(
        f"Found array with dim {array.ndim} (shape={array.shape}), while dim <= 2 is required by "
        f"{estimator_name}. Reshape your data to two dimensions, for example with "
        "array.reshape(len(array), -1)."
    )


def _printed(array: AnyArray) -> str:
    """An array as `print` shows it, but for the middle of a long one."""
    if array.dtype.kind == "O":  # whose entries may refuse
        return shown(array.tolist(), SAID_LENGTH)
    with np.printoptions(threshold=6):
        return plain(" ".join(str(array).split()), SAID_LENGTH)


def _as_numbers(array: AnyArray, names: ColumnNames | None, estimator_name: str) -> AnyArray:
    """An array of real numbers as it is, an object array of numbers as float64; else an error."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O":
        return numbers_of_objects(Objects(array, array.dtype, names, 0, estimator_name))
    refuse_dtype(array.dtype, column_label(0, names), estimator_name)
