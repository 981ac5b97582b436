"""The arrays and components of a mixture: given to start from, set by hand, or whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._common.families import LAYOUTS, CovarianceType
from .._common.text import shown
from .._common.typing import Doubles, Floats, Indices
from .._parameters.layouts import layout_of
from .arrays import array_of_shape, as_float64, check_finite, first_index
from .parameters import check_parameters


def check_initial(
    weights_init: Any,
    means_init: Any,
    precisions_init: Any,
    n_components: int,
    n_features: int,
    covariance_type: CovarianceType,
) -> tuple[Doubles | None, Doubles | None, Doubles | None]:
    """The given starting values as float64 copies, each None where it was None.

    Parameters
    ----------
    weights_init : None or array-like of shape (n_components,)
        Non-negative, with sum 1 (to 1e-8; to 1e-6 for float32).
    means_init : None or array-like of shape (n_components, n_features)
    precisions_init : None or array-like
        Inverse covariances, symmetric and positive definite: (n_components, n_features,
        n_features) for "full", (n_features, n_features) for "tied", (n_components, n_features) for
        "diag", (n_components,) for "spherical".

    Raises
    ------
    ValueError
        Naming the parameter, and the shape or the value that is wrong.
    """
    weights = means = precisions = None
    if weights_init is not None:
        weights = array_of_shape(weights_init, "weights_init", (n_components,))
        single = getattr(weights_init, "dtype", None) == np.float32
        _check_weights(weights, "weights_init", 1e-6 if single else 1e-8)
    if means_init is not None:
        means = array_of_shape(means_init, "means_init", (n_components, n_features))
    if precisions_init is not None:
        shape = layout_of(covariance_type).shape(n_components, n_features)
        precisions = array_of_shape(precisions_init, "precisions_init", shape)
        _check_positive(precisions, "precisions_init", covariance_type, "precision")
    return weights, means, precisions


def check_mixture(
    weights: Any, means: Any, covariances: Any, covariance_type: CovarianceType | None = None
) -> tuple[CovarianceType, Doubles, Doubles, Doubles]:
    """The parameters of a whole mixture, checked, as the covariance type and float64 copies.

    Parameters
    ----------
    weights : array-like of shape (K,)
        Non-negative, with sum 1 to 1e-6.
    means : array-like of shape (K, d)
    covariances : array-like
        (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical"; symmetric
        and positive definite.
    covariance_type : str or None
        None to read it off the shape of `covariances`, where only one type has that shape.

    Raises
    ------
    ValueError
        Naming the argument, and the shape or the value that is wrong.
    """
    means = as_float64(means, "means")
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(
            "The parameter 'means' should have the shape of (n_components, n_features), but got "
            f"{means.shape}"
        )
    if covariance_type is None:
        covariance_type = _covariance_type_of(as_float64(covariances, "covariances"), means.shape)
    else:
        check_parameters({"covariance_type": covariance_type})
    weights = array_of_shape(weights, "weights", means.shape[:1])
    _check_weights(weights, "weights", 1e-6)
    means = array_of_shape(means, "means", means.shape)
    shape = layout_of(covariance_type).shape(*means.shape)
    covariances = array_of_shape(covariances, "covariances", shape)
    _check_positive(covariances, "covariances", covariance_type, "covariance")
    return covariance_type, weights, means, covariances


def _covariance_type_of(covariances: Doubles, shape_of_means: tuple[int, int]) -> CovarianceType:
    """The covariance type whose shape `covariances` has, of those that bind covariances to nothing
    beside their layout.
    """
    free = [name for name, layout in LAYOUTS.items() if name == layout]
    shapes = {name: layout_of(name).shape(*shape_of_means) for name in free}
    fitting = [name for name, shape in shapes.items() if shape == covariances.shape]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " or ".join(repr(name) for name in fitting)
        raise ValueError(
            f"covariances of shape {covariances.shape} can be of type {names}. Pass "
            "covariance_type to say which."
        )
    listed = ", ".join(f"{shape} for {name!r}" for name, shape in shapes.items())
    raise ValueError(
        f"The parameter 'covariances' should, with means of shape {shape_of_means}, have the shape"
        f" of {listed}, but got {covariances.shape}"
    )


def check_means(means: Any, n_means: int, n_features: int) -> Doubles:
    """Places for components, as a float64 copy of shape (n_means, n_features).

    For one component its coordinates alone will do.
    """
    if n_means == 1 and np.shape(means) == (n_features,):
        means = [means]
    return array_of_shape(means, "means", (n_means, n_features))


def check_components(components: Any, n_components: int) -> Indices:
    """Components given by number, or by a mask of shape (K,), as an array of distinct indices.

    Raises
    ------
    TypeError, ValueError
        For anything but integers from 0 to `n_components` - 1, and for one that is given twice.
    """
    array = np.asarray(components)
    if array.dtype == np.bool_ and array.shape == (n_components,):
        return np.flatnonzero(array)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, dtype=np.intp)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TypeError(
            "components must be a component's number, a sequence of such, or a mask of shape"
            f" ({n_components},); got {shown(components)}."
        )
    array = np.atleast_1d(array)
    outside = array[(array < 0) | (array >= n_components)]
    if outside.size:
        raise ValueError(
            f"components must be numbers from 0 to {n_components - 1}, as the model has"
            f" {n_components} components; got {outside[0]}."
        )
    distinct, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"components must be distinct, but {distinct[counts > 1][0]} is there twice. Name"
            " each once."
        )
    return array.astype(np.intp)


def set_array(values: Any, name: str) -> Floats:
    """A fitted attribute that a user may have set, as a C-contiguous copy of its own.

    float32 of float32, else float64.
    """
    plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    if plain and values.dtype in (np.float32, np.float64):
        return np.array(values, order="C")
    return np.array(as_float64(values, name), order="C")


def check_set_array(array: Floats, name: str) -> Doubles:
    """A fitted attribute as finite float64."""
    double = np.ascontiguousarray(array, dtype=np.float64)
    check_finite(double, name)
    return double


def check_set_weights(weights: Doubles) -> None:
    """Check `weights_`; the sum as far as float32 has it."""
    _check_weights(weights, "weights_", 1e-6)


def check_set_positive(
    array: Doubles, name: str, covariance_type: CovarianceType, noun: str
) -> None:
    """Check `covariances_` or `precisions_`, and make them symmetric to the bit, in place."""
    _check_positive(array, name, covariance_type, noun)


def _check_weights(weights: Doubles, name: str, tolerance: float) -> None:
    outside = (weights < 0) | (weights > 1)
    if np.any(outside):
        first = int(np.argmax(outside))
        raise ValueError(
            f"The parameter '{name}' should be in the range [0, 1], but got "
            f"{name}[{first}] = {weights[first]}"
        )
    total = float(weights.sum())
    if not abs(1.0 - total) <= tolerance:
        raise ValueError(
            f"The parameter '{name}' should be normalized, but got sum({name}) = {total:.10g}."
            " Divide it by its sum."
        )


def _check_positive(array: Doubles, name: str, covariance_type: CovarianceType, noun: str) -> None:
    """Check covariances or precisions, as `noun` says.

    Matrices that are symmetric up to rounding are made exactly so, in place.
    """
    what = f"{covariance_type} {noun}"
    layout = layout_of(covariance_type)
    if not layout.matrices:
        if not np.all(array > 0):
            first = first_index(~(array > 0))
            raise ValueError(
                f"'{what}' should be positive, but {name}{list(first)} is {array[first]}"
            )
        return
    matrices = array[np.newaxis] if layout.shared else array
    for k, matrix in enumerate(matrices):
        which = name if layout.shared else f"{name}[{k}]"
        wrong = f"'{what}' should be symmetric, positive-definite, but {which}"
        _check_positive_definite(matrix, wrong)


def _check_positive_definite(matrix: Doubles, wrong: str) -> None:
    """Check one matrix, and make it exactly symmetric."""
    diagonal = np.diagonal(matrix).copy()
    if not np.all(diagonal > 0):
        i = int(np.argmin(diagonal > 0))
        raise ValueError(f"{wrong} has {diagonal[i]} in its diagonal, at [{i}, {i}]")
    # Relative to the entry, or, for entries near zero, to the scale of their row and column.
    root = np.sqrt(diagonal)
    asymmetry = np.abs(matrix - matrix.T)
    unequal = ~(asymmetry <= 1e-5 * np.abs(matrix) + 1e-8 * np.outer(root, root))
    if np.any(unequal):
        i, j = first_index(unequal)
        raise ValueError(
            f"{wrong} is not symmetric: {matrix[i, j]} at [{i}, {j}], {matrix[j, i]} at [{j}, {i}]"
        )
    matrix[...] = 0.5 * matrix + 0.5 * matrix.T
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(matrix)[0]
        raise ValueError(
            f"{wrong} is not positive definite: its smallest eigenvalue is {smallest:.3g}"
        ) from None
