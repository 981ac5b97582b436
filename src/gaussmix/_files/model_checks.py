"""Whether the arrays of a model file are those of one mixture.

Their shapes are checked before an array is allocated, their values when they have been read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._common.families import CovarianceType
from .._common.typing import AnyArray, Doubles, Floats
from .._parameters.layouts import Layout, layout_of
from .errors import Refusal
from .model_members import INITIAL, RUNNING

# Numbers of covariances that are looked at at a time.
_BLOCK = 1 << 17


def check_shapes(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any]) -> None:
    """Check that the arrays belong to one model, from their shapes alone."""
    means = shapes["means"]
    if len(means) != 2 or 0 in means:
        raise Refusal(f"means has the shape {means}, and not (components, columns)")
    k, d = means
    covariance_type = metadata["parameters"]["covariance_type"]
    expected = {
        "weights": (k,),
        "covariances": layout_of(covariance_type).shape(k, d),
        "lower_bound": (),
    }
    running = [name for name in RUNNING if name in shapes]
    if running:
        missing = [name for name in RUNNING if name not in shapes]
        if missing:
            raise Refusal(f"its running statistics lack {', '.join(missing)}")
        expected |= {"running_weight": (k,), "running_first": (k, d), "running_shift": (k, d)}
        expected |= {"running_evidence": (k,), "running_totals": (2,)}
        expected["running_second"] = expected["covariances"]
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise Refusal(
                f"{name} has the shape {shapes[name]}, and not {shape} as {k} components of type "
                f"{covariance_type!r} in {d} columns need"
            )
    if len(shapes["lower_bounds"]) != 1:
        raise Refusal(
            f"lower_bounds has the shape {shapes['lower_bounds']}, and not (iterations,)"
        )
    for name in INITIAL:
        if 0 in shapes.get(name, ()):
            raise Refusal(f"{name} has the shape {shapes[name]}")
    blamed = [column for collapse in metadata["collapses"] for column in collapse["columns"]]
    if any(column >= d for column in blamed):
        raise Refusal(f"collapses names column {max(blamed)}, and the model has {d}")
    names = metadata["feature_names"]
    if names is not None and len(names) != d:
        raise Refusal(f"it names {len(names)} columns, and has {d}")


def check_values(arrays: Mapping[str, AnyArray], metadata: Mapping[str, Any]) -> None:
    """Check that the numbers are those of a mixture."""
    optional = [name for name in (*INITIAL, *RUNNING) if name in arrays]
    for name in ("weights", "means", "covariances", *optional):
        if not np.isfinite(arrays[name]).all():
            raise Refusal(f"{name} contains NaN or infinity")
    for name in ("lower_bound", "lower_bounds"):
        # The comparison is False for NaN; -inf is that of a model without a fit.
        if not (arrays[name] < np.inf).all():
            raise Refusal(f"{name} contains NaN or infinity")
    for name in ("running_weight", "running_evidence", "running_totals"):
        least = arrays[name].min() if name in arrays else 0
        if least < 0 or (least == 0 and name == "running_totals" and name in arrays):
            raise Refusal(f"{name} contains {least}, which no weight of rows is")
    if "running_totals" in arrays:
        _check_totals(arrays["running_totals"], arrays["running_evidence"])
    weights = arrays["weights"].astype(np.float64)
    if (weights < 0).any():
        k = int(np.argmin(weights))
        raise Refusal(f"weights[{k}] is {weights[k]}, which is negative")
    total = float(weights.sum())
    if not abs(total - 1) <= 1e-6:
        raise Refusal(f"the weights add up to {total:.9g}, and not to 1")
    _check_covariances(arrays["covariances"], metadata["parameters"]["covariance_type"])


def _check_totals(totals: Doubles, evidence: Doubles) -> None:
    """Check that what is remembered can be told in rows of mean weight."""
    weight, rows = totals
    with np.errstate(over="ignore"):
        row_weight = weight / rows
        if not (0 < row_weight < np.inf and (evidence / row_weight < np.inf).all()):
            raise Refusal(f"running_totals are {rows} rows that weigh {weight}, which none do")


def _check_covariances(covariances: Floats, covariance_type: CovarianceType) -> None:
    """Check that variances are positive and matrices symmetric, not that these are definite."""
    layout = layout_of(covariance_type)
    if not layout.matrices:
        if not (covariances > 0).all():
            place = [int(i) for i in np.argwhere(~(covariances > 0))[0]]
            raise Refusal(f"covariances{place} is {covariances[tuple(place)]}, and not positive")
        return
    matrices = covariances[np.newaxis] if layout.shared else covariances
    variances = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    least = variances.min(axis=1)
    if not (least > 0).all():
        k = int(np.argmin(least > 0))
        raise Refusal(f"{_which(layout, k)} is not positive definite: a variance is {least[k]}")
    scale = np.sqrt(variances)
    for components, rows in _blocks(matrices):
        part = matrices[components, rows].astype(np.float64)
        part -= matrices[components, :, rows].swapaxes(1, 2)
        unequal = np.abs(part, out=part) > 1e-6 * (
            scale[components, rows, None] * scale[components, None]
        )
        if unequal.any():
            k = components.start + int(np.argmax(unequal.any(axis=(1, 2))))
            raise Refusal(f"{_which(layout, k)} is not symmetric")


def _blocks(matrices: Floats) -> Iterator[tuple[slice, slice]]:
    """Components, and rows of their matrices, that hold some numbers together."""
    K, d, _ = matrices.shape
    together, rows = max(1, _BLOCK // d**2), min(d, max(1, _BLOCK // d))
    for k in range(0, K, together):
        for first in range(0, d, rows):
            yield slice(k, k + together), slice(first, first + rows)


def _which(layout: Layout, k: int) -> str:
    return "covariances" if layout.shared else f"covariances[{k}]"


def check_definite(covariances: Floats, covariance_type: CovarianceType) -> None:
    """Check that symmetric matrices are positive definite."""
    layout = layout_of(covariance_type)
    if not layout.matrices:
        return
    matrices = covariances[np.newaxis] if layout.shared else covariances
    together = max(1, _BLOCK // matrices.shape[-1] ** 2)
    for first in range(0, len(matrices), together):
        block = matrices[first : first + together].astype(np.float64)
        if _is_definite(block):
            continue
        k = first + next(k for k, matrix in enumerate(block) if not _is_definite(matrix))
        rounded = " after rounding to float32: fit float64 rows, or raise reg_covar"
        hint = rounded if covariances.dtype == np.float32 else ""
        raise Refusal(f"{_which(layout, k)} is not positive definite{hint}")


def _is_definite(matrices: Doubles) -> bool:
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        return False
    return True
