"""Arrays that results are written to: given by the user, or new."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._common.typing import AnyArray


def check_out(
    out: Any, shape: tuple[int, ...], dtype: DTypeLike, X: AnyArray, name: str = "out"
) -> None:
    """Check an array the caller wants a result about the rows X written to.

    Raises
    ------
    ValueError
        Unless `out` is a C-contiguous, writeable ndarray of that shape and dtype that shares no
        memory with X: rows are still read while results are written.
    """
    dtype = np.dtype(dtype)
    wanted = f"a C-contiguous, writeable ndarray of shape {shape} and dtype {dtype}"
    remedy = f"For example {name}=numpy.empty({shape}, dtype=numpy.{dtype})."
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise ValueError(
            f"{name} must be {wanted}. Got an object of type {type(out).__name__}. {remedy}"
        )
    if out.shape != shape:
        raise ValueError(f"{name} must be {wanted}. Got the shape {out.shape}. {remedy}")
    if out.dtype != dtype:
        raise ValueError(f"{name} must be {wanted}. Got the dtype {out.dtype}. {remedy}")
    if not out.flags.writeable:
        raise ValueError(f"{name} must be {wanted}. Got a read-only array. {remedy}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"{name} must be {wanted}. Got the strides {out.strides}. {remedy}")
    if np.may_share_memory(out, X):
        raise ValueError(f"{name} must not share memory with X, which is read meanwhile. {remedy}")


def new_result(
    shape: tuple[int, ...], dtype: DTypeLike, *, takes_out: bool = False, verb: str = "Pass"
) -> AnyArray:
    """A new array of results; where there is no memory for it an error says how large it is.

    `takes_out` says whether the method can write to another array instead, `verb` what to do with
    fewer rows.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # ValueError: no array can be so large
        raise _result_too_large(shape, np.dtype(dtype), takes_out, verb) from error


def _result_too_large(
    shape: tuple[int, ...], dtype: np.dtype[Any], takes_out: bool, verb: str
) -> MemoryError:
    n_bytes = math.prod(shape) * dtype.itemsize
    other = ""
    if takes_out:
        other = ", or pass an array to write to as out=, for instance a numpy.memmap"
    return MemoryError(
        f"The result, an array of shape {shape} and type {dtype}, takes {n_bytes:,} bytes, and "
        f"there is no memory for it. {verb} fewer rows at a time{other}."
    )
