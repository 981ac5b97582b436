"""Sample weights: of the rows at hand, and of those so far."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .._common.settings import is_float
from .._common.text import shown
from .._common.typing import Doubles
from .arrays import as_float64, check_finite


def check_sample_weight(
    sample_weight: Any, n_samples: int, *, allow_zero: bool = False
) -> Doubles | None:
    """Sample weights as a C-contiguous float64 array of shape (n_samples,), or None for none.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
        A number stands for the same weight in every row. Weights may be zero, but not all of them.
    n_samples : int
    allow_zero : bool, default=False
        Whether all weights may be zero, as in one of several pieces of the data.

    Raises
    ------
    ValueError
        For a wrong shape, a negative, missing or infinite weight, or weights that are all zero.
    """
    if sample_weight is None:
        return None
    weights = as_float64(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_samples, weights)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array"
            f" (shape={weights.shape}). Pass sample_weight as a number or as one weight a row,"
            f" {n_samples} in all."
        )
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}! Pass one weight a"
            " row of X."
        )
    weights = np.require(weights, requirements=["C", "A"])
    check_finite(weights, "sample_weight")
    if np.any(weights < 0):
        first = int(np.argmax(weights < 0))
        raise ValueError(
            f"sample_weight must not be negative, but sample_weight[{first}] is {weights[first]}. "
            "A weight of 0 leaves a row out."
        )
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    check_total_weight(total, float(weights.max(initial=0.0)), allow_zero=allow_zero)
    return weights


def check_total_weight(total: float, largest: float, *, allow_zero: bool = False) -> None:
    """Refuse sample weights that are all zero, or whose sum is infinite."""
    if not allow_zero and not largest > 0:
        raise ValueError(
            "Sample weights must contain at least one non-zero number: sample_weight is all zero,"
            " which leaves no row to fit."
        )
    if not np.isfinite(total):
        raise ValueError(
            "The sum of sample_weight is too large for float64 (the largest weight is"
            f" {largest}). Divide all weights by a constant: only their proportions matter."
        )


# Weights between 2^-64 and 2^64 leave sums and squares room on both sides.
_MODERATE_EXPONENT = 64


def rescaling_exponent(largest: float) -> int:
    """The power of two that keeps sums of weights up to `largest` in range, 0 for most.

    A fit depends on the proportions of weights only, which a power of two leaves exact. A weight
    that vanishes beside the largest, 2^1000 times smaller, becomes zero.
    """
    exponent = int(np.frexp(largest)[1])
    return 0 if abs(exponent) <= _MODERATE_EXPONENT else -exponent


# Rows beyond which one more is lost in their number.
_MOST_ROWS = 2.0**53


def check_weight_so_far(seen: float, weight: float, n_rows: int) -> None:
    """Raise if the weight of the rows so far and that of the next ones are no doubles together.

    What is remembered is told in rows of the next ones' mean weight.
    """
    if not weight / n_rows * _MOST_ROWS > seen:
        raise ValueError(
            f"The rows of X weigh {weight / n_rows:.3g} on average, nothing beside the {seen:.3g} "
            "of those before, n_samples_seen_. Give sample_weight in the same unit in all batches."
        )
    if not seen + weight < np.inf:
        raise ValueError(
            "The sum of sample_weight over all batches is too large for float64. Divide the"
            " weights of all batches, and n_samples_seen_, by a constant: only proportions matter."
        )


def check_seen(n_samples_seen: Any) -> float:
    """The fitted attribute `n_samples_seen_`, which a user may have set, as Python's number.

    Other rows are added to it, for which a NumPy integer may have no room, nor a float32 digits.
    """
    seen = n_samples_seen.item() if isinstance(n_samples_seen, np.generic) else n_samples_seen
    if not is_float(seen) or seen > sys.float_info.max:
        raise ValueError(
            "n_samples_seen_ must be a finite number >= 0, the weight of the rows that the"
            f" parameters come from; got {shown(n_samples_seen)}. Set it to 0 to let the next "
            "batch"
            " alone decide."
        )
    number: float = seen
    return number
