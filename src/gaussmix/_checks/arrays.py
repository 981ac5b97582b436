"""The arrays a user passes beside the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.text import said, shown
from .._common.typing import AnyArray, Bools, Doubles
from .numbers import NOT_NUMBERS, na_as_none
from .tables import pandas_column


def as_float64(values: Any, name: str) -> Doubles:
    """A numeric argument other than X as a float64 array, a view where it is one."""
    if isinstance(values, np.ma.MaskedArray):
        values = _unmasked(values, name)
    elif hasattr(values, "iloc"):
        values = pandas_column(values)
    elif hasattr(values, "combine_chunks") and hasattr(values, "to_numpy"):
        values = values.to_numpy(zero_copy_only=False)  # an Arrow column
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is not an array of numbers: {said(error)}") from error
    if array.dtype.kind == "O":
        types = set(map(type, array.ravel().tolist()))
        text = any(issubclass(kind, NOT_NUMBERS) for kind in types)
        array = na_as_none(array, types)
    else:
        text = array.dtype.kind not in "biuf"
    if not text:
        try:
            return np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    raise ValueError(
        f"{name} must hold real numbers. Got dtype {said(array.dtype)}: {shown(values)}"
    )


def array_of_shape(values: Any, name: str, shape: tuple[int, ...]) -> Doubles:
    """A finite float64 copy of `values`, in C order."""
    array = as_float64(values, name)
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )
    check_finite(array, name)
    return np.array(array, dtype=np.float64, order="C", copy=True)


def check_finite(array: Doubles, name: str) -> None:
    finite = np.isfinite(array)
    if np.all(finite):
        return
    first = first_index(~finite)
    kind = "NaN" if np.isnan(array[first]) else "infinity"
    index = ", ".join(str(i) for i in first)
    raise ValueError(
        f"Input {name} contains {kind}. First at {name}[{index}]. Every entry must be a finite"
        " number."
    )


def first_index(mask: Bools) -> tuple[int, ...]:
    """The index of the first True."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def masked_as_nan(values: np.ma.MaskedArray[Any, Any]) -> AnyArray:
    """The data of a masked array; what is masked is missing, as NaN is."""
    if not np.ma.getmaskarray(values).any() or values.dtype.kind not in "fiub":
        return np.asarray(values.data)
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    filled = np.asarray(values.data).astype(dtype)
    filled[np.ma.getmaskarray(values)] = np.nan
    return filled


def _unmasked(values: np.ma.MaskedArray[Any, Any], name: str) -> AnyArray:
    """The data of a masked array in which nothing is masked."""
    mask = np.ma.getmask(values)
    if np.any(mask):
        first = tuple(int(i) for i in np.argwhere(mask)[0])
        where = f"row {first[0]}, column {first[1]}" if len(first) == 2 else f"index {first}"
        raise ValueError(
            f"{name} is a masked array with {np.count_nonzero(mask)} masked values, the first at"
            f" {where}. Masked values are missing values, which are not accepted: drop those rows"
            " (numpy.ma.compress_rows), or fill them in (.filled(value))."
        )
    return np.asarray(values.data)


def check_values(values: Any, argument: str, *, allow_nan: bool) -> Doubles:
    """Numbers of one feature, in any shape, as float64; infinities are allowed."""
    if allow_nan and isinstance(values, np.ma.MaskedArray):
        values = masked_as_nan(values)
    array = as_float64(values, argument)
    missing = np.isnan(array)
    if not allow_nan and missing.any():
        first = first_index(missing)
        where = f" First at {argument}[{', '.join(map(str, first))}]." if first else ""
        raise ValueError(f"Input {argument} contains NaN.{where} Drop it, or fill it in first.")
    return array


def check_probabilities(values: Any, argument: str) -> Doubles:
    """Probabilities in any shape, as float64."""
    array = as_float64(values, argument)
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise ValueError(
            f"{argument} contains {array[first_index(outside)]:g}. Pass probabilities from 0 to "
            "1, such as 0.5 for the median."
        )
    return array
