"""Which values are numbers, and in which precision they are computed with."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from .._common.text import column_label, said, shown
from .._common.typing import AnyArray, ColumnNames, FloatDType


def computing_dtype(dtype: DTypeLike) -> FloatDType:
    """The precision of computation with such rows: float32 for float32, else float64."""
    dtype = np.dtype(dtype)
    single = dtype.kind == "f" and dtype.itemsize == 4
    return np.dtype(np.float32 if single else np.float64)


_TEXT = (str, bytes, bytearray)
_COMPLEX = (complex, np.complexfloating)
_TIME = (np.datetime64, np.timedelta64)
NOT_NUMBERS = _TEXT + _COMPLEX + _TIME


class Objects(NamedTuple):
    """A two-dimensional object array, and what a message about it needs to say."""

    values: AnyArray
    dtype: Any  # of the column or array the values came from
    names: ColumnNames | None
    first_column: int
    estimator_name: str


def numbers_of_objects(objects: Objects) -> AnyArray:
    """Objects that are numbers as float64, with None and pandas.NA as NaN.

    Text is refused even when it spells a number: whether "1,5" is one, and which, is for the user
    to say.
    """
    values = objects.values
    types = set(map(type, values.ravel(order="K").tolist()))
    if any(issubclass(kind, NOT_NUMBERS) for kind in types):
        _refuse_first_object(objects)
    try:
        return na_as_none(values, types).astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        _refuse_first_object(objects)


def na_as_none(values: AnyArray, types: set[type]) -> AnyArray:
    """Objects of some types, with None, which NumPy reads as NaN, in place of pandas.NA."""
    missing = _pandas_missing()
    if missing is None or type(missing) not in types:
        return values
    absent = np.frompyfunc(lambda value: value is missing, 1, 1)(values)
    values = values.copy()
    values[np.asarray(absent, dtype=bool)] = None
    return values


def _pandas_missing() -> Any:
    """pandas.NA, if pandas is loaded."""
    return getattr(sys.modules.get("pandas"), "NA", None)


def _refuse_first_object(objects: Objects) -> NoReturn:
    """Raise for the first entry that is not a real number."""
    for (row, column), value in np.ndenumerate(objects.values):
        where = f"row {row}, {column_label(objects.first_column + column, objects.names)}"
        if isinstance(value, _COMPLEX):
            raise ValueError(
                f"Complex data not supported: X has dtype {said(objects.dtype)} with the complex "
                "value "
                f"{shown(value)} at {where}. Pass the real and imaginary parts as two columns."
            )
        if isinstance(value, _TEXT):
            raise ValueError(
                f"X has dtype {said(objects.dtype)} with the text {shown(value)} at {where}, but"
                f" {objects.estimator_name} needs numbers. {_remedy_for_text(objects.dtype)}"
            )
        try:
            if isinstance(value, _TIME):
                raise TypeError("it is a point in time or a duration")
            if value is not None and value is not _pandas_missing():
                float(value)
        except OverflowError as error:
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float64'). First at "
                f"{where}: {shown(value)}. Drop those rows, or rescale the column."
            ) from error
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"X has dtype {said(objects.dtype)} with {shown(value)} at {where}, which is not "
                "a "
                f"number: {said(error)}. Select the numeric columns, or convert it first."
            ) from error
    raise TypeError(
        f"X has dtype {said(objects.dtype)} with values that {objects.estimator_name} cannot read "
        "as "
        "numbers. Pass one number in each cell."
    )


def _remedy_for_text(dtype: Any) -> str:
    """What to do about a column of text; of categories it has few, and can be encoded."""
    kind = said(dtype).lower()
    if kind == "category":
        return "Leave the column out, or encode it, e.g. pandas.get_dummies."
    if kind.startswith(("categorical", "enum", "dictionary")):
        return "Leave the column out, or encode it as a column of 0 and 1 for each category."
    return (
        "Select the numeric columns, or convert the text yourself, for example with "
        "X.astype(float)."
    )


def refuse_dtype(dtype: Any, label: str, estimator_name: str) -> NoReturn:
    """Raise for a dtype whose values are no real numbers; `label` names its (first) column."""
    kind = getattr(dtype, "kind", "O")
    dtype = said(dtype)
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: X has dtype {dtype} in {label}. Pass the real and"
            " imaginary parts as two columns."
        )
    if kind in "USTO":
        raise ValueError(
            f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Select the"
            " numeric columns, or convert the text yourself, for example with X.astype(float)."
        )
    if kind in "mM":
        raise TypeError(
            f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Convert the"
            " times to a number of seconds or days first, for example (X - X.min()) /"
            " numpy.timedelta64(1, 's')."
        )
    raise TypeError(
        f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Pass a"
        " two-dimensional array of floats, for example"
        " numpy.lib.recfunctions.structured_to_unstructured(X)."
    )
