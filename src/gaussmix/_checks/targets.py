"""y: the targets of a regression."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._common.text import counted
from .._common.typing import Doubles, FloatDType, Names
from .arrays import as_float64, check_finite
from .columns import feature_names
from .numbers import computing_dtype


class Targets(NamedTuple):
    """What is to be predicted."""

    values: Doubles  # (n, t)
    dtype: FloatDType  # float32 where they came as such
    single: bool  # whether they came as one number a row, (n,), and predictions are to be so
    names: Names | None  # (t,)


def as_targets(y: Any, n_samples: int, estimator_name: str) -> Targets:
    """y as finite numbers, a column a target.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, t)
        Numbers, or columns and tables of pandas, polars and Arrow.
    n_samples : int
        Number of rows of X.
    estimator_name : str
        The class the messages speak of.

    Raises
    ------
    ValueError
        For no targets, another number of them than there are rows, and for what is missing,
        infinite or no number.
    """
    if y is None:
        raise ValueError(
            f"{estimator_name} requires y to be passed, but the target y is None. Pass what is to"
            " be predicted, a number for each row of X or several."
        )
    values = as_float64(y, "y")
    if values.ndim not in (1, 2):
        raise ValueError(
            "y should be a 1d array, or a 2d array with a column for each target, got an array of"
            f" shape {values.shape} instead."
        )
    if len(values) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: [{n_samples}, "
            f"{len(values)}]. Pass a row of y for each row of X."
        )
    if values.ndim == 2 and not values.shape[1]:
        raise ValueError(f"y has shape {values.shape}: no target. Pass at least one column.")
    check_finite(values, "y")
    single = values.ndim == 1
    dtype = getattr(y, "dtype", None)
    return Targets(
        values.reshape(len(values), -1),
        computing_dtype(dtype if isinstance(dtype, np.dtype) else np.float64),
        single,
        _names(y, single),
    )


def check_n_targets(given: int, expected: int, estimator_name: str) -> None:
    """Refuse to compare predictions with another number of targets."""
    if given != expected:
        raise ValueError(
            f"y has {counted(given, 'target')}, but {estimator_name} was fitted to {expected}. "
            "Pass the targets of fit, in the same order."
        )


def _names(y: Any, single: bool) -> Names | None:
    """Names of the targets, if y has them."""
    if not single:
        try:
            return feature_names(y)
        except TypeError:  # of several types, which only columns of X must not have
            return None
    name = getattr(y, "name", None)
    return np.array([name], dtype=object) if isinstance(name, str) and name else None
