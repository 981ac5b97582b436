"""Arrays that a user has set: checked, and made one mixture.

Of covariances, precisions and factors some are given. One of them decides: the factors, else the
covariances, else the precisions. The others must agree with it, and what is not given follows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._checks.mixtures import check_set_array, check_set_positive, check_set_weights
from .._checks.numbers import computing_dtype
from .._common.families import CovarianceType
from .._common.typing import AnyArray, Bools, Doubles
from .._mstep.families import FAMILIES
from .._parameters.layouts import FULL, CollapsedComponent, Layout, layout_of
from .._parameters.mixture import MixtureParameters

COVARIANCES, PRECISIONS, FACTORS = "covariances_", "precisions_", "precisions_cholesky_"

# What a matrix times its inverse may differ from one: what users' own rounding leaves, and so many
# roundings of the coarser of the two for each feature, as far as the matrix multiplies them.
_AGREEMENT = 1e-6
_ROUNDINGS = 100

# Entries beside a triangle that are its rounding, as a general inverse leaves them: relative to
# the largest of their row, in double and in single precision.
_BESIDE_TRIANGLE = {8: 1e-8, 4: 1e-4}

# What covariances may differ from the nearest of their family, in deviations of the columns.
MEMBER_DEPARTURE = 1e-5


def weights_and_means(weights: AnyArray, means: AnyArray) -> tuple[Doubles, Doubles]:
    """Both checked, as float64."""
    means = check_set_array(means, "means_")
    weights = check_set_array(weights, "weights_")
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(
            f"means_ has the shape {means.shape}, and not that of (n_components, n_features)."
        )
    if weights.shape != means.shape[:1]:
        raise ValueError(
            f"weights_ and means_ do not fit together: {weights.shape} and {means.shape}."
        )
    check_set_weights(weights)
    return weights, means


def check_shape(
    name: str, shape: tuple[int, ...], covariance_type: CovarianceType, means: Doubles
) -> None:
    """Raise unless covariances, or what has their shape, fit the means."""
    expected = layout_of(covariance_type).shape(*means.shape)
    if shape != expected:
        raise ValueError(
            f"means_ and {name} do not fit together: {means.shape} and {shape}, where "
            f"covariance_type={covariance_type!r} needs {expected}."
        )


def mixture(
    covariance_type: CovarianceType,
    weights: AnyArray,
    means: AnyArray,
    matrices: Mapping[str, AnyArray],
) -> MixtureParameters:
    """The mixture that arrays describe.

    Parameters
    ----------
    covariance_type : str
    weights : ndarray of shape (K,)
    means : ndarray of shape (K, d)
    matrices : mapping
        At least one of "covariances_", "precisions_" and "precisions_cholesky_", in the shape of
        covariances. Factors of full and tied ones may be triangular either way.

    Returns
    -------
    MixtureParameters
        Given arrays are taken as they are where they can be, not copied.

    Raises
    ------
    ValueError
        Which names the attribute and what is wrong.
    """
    weights, means = weights_and_means(weights, means)
    arrays: dict[str, Doubles] = {}
    for name, given in matrices.items():
        arrays[name] = check_set_array(given, name)
        check_shape(name, arrays[name].shape, covariance_type, means)
    if FACTORS in arrays:
        covariances, factors = _of_factors(covariance_type, arrays[FACTORS], matrices[FACTORS])
    elif COVARIANCES in arrays:
        covariances, factors = _of_covariances(covariance_type, arrays[COVARIANCES])
    else:
        covariances, factors = _of_precisions(covariance_type, arrays[PRECISIONS])
    if COVARIANCES in arrays:
        covariances = layout_of(covariance_type).symmetric(arrays[COVARIANCES])
    require_member(covariances, next(iter(arrays)), covariance_type)
    parameters = MixtureParameters(covariance_type, weights, means, covariances, factors)
    _check_agreement(parameters, arrays, {name: _epsilon(matrices[name]) for name in arrays})
    return parameters


def require_member(covariances: Doubles, name: str, covariance_type: CovarianceType) -> None:
    """Raise unless covariances belong to the family."""
    departure = FAMILIES[covariance_type].departure(covariances)
    if not departure <= MEMBER_DEPARTURE:
        layout = layout_of(covariance_type).name
        raise ValueError(
            f"{name} are no covariances of covariance_type={covariance_type!r}: the nearest that "
            f"are differ by {departure:.2g}, in deviations of the columns. Use "
            f"covariance_type={layout!r}, which has all covariances of this shape."
        )


def _epsilon(array: AnyArray) -> float:
    return float(np.finfo(computing_dtype(array.dtype)).eps)


# --- from one of them to the others --------------------------------------------------------------


def _of_covariances(covariance_type: CovarianceType, given: Doubles) -> tuple[Doubles, Doubles]:
    covariances = given.copy()
    check_set_positive(covariances, COVARIANCES, covariance_type, "covariance")
    return covariances, _factors(layout_of(covariance_type), covariances, COVARIANCES)


def _factors(layout: Layout, covariances: Doubles, name: str) -> Doubles:
    try:
        return layout.factorise(covariances)
    except CollapsedComponent as collapsed:
        which = "" if collapsed.component is None else f"[{collapsed.component}]"
        columns = f", in columns {collapsed.columns}" if collapsed.columns else ""
        raise ValueError(
            f"{name}{which} is singular to working precision{columns}: a variance is zero, or all "
            "that the other columns leave of it is rounding. Add to the diagonal of covariances_."
        ) from None


def _of_precisions(covariance_type: CovarianceType, given: Doubles) -> tuple[Doubles, Doubles]:
    precisions = given.copy()
    check_set_positive(precisions, PRECISIONS, covariance_type, "precision")
    with np.errstate(all="ignore"):
        factors, covariances = layout_of(covariance_type).from_precisions(precisions)
    _check_derived(covariances, PRECISIONS, layout_of(covariance_type))
    return layout_of(covariance_type).symmetric(covariances), factors


def _of_factors(
    covariance_type: CovarianceType, given: Doubles, original: AnyArray
) -> tuple[Doubles, Doubles]:
    layout = layout_of(covariance_type)
    if not layout.matrices:
        if not (given > 0).all():
            first = np.argwhere(~(given > 0))[0].tolist()
            raise ValueError(
                f"{FACTORS}{first} is {given[tuple(first)]}, and not positive: it is one over a "
                "standard deviation."
            )
        factors = given
        with np.errstate(all="ignore"):
            covariances = layout.covariances(factors)
    else:
        d = given.shape[-1]
        size = computing_dtype(original.dtype).itemsize
        both = _of_triangles(given.reshape(-1, d, d), _BESIDE_TRIANGLE[size], given.ndim == 3)
        covariances, factors = (array.reshape(given.shape) for array in both)
    _check_derived(covariances, FACTORS, layout)
    return layout.symmetric(covariances), factors


def _of_triangles(given: Doubles, tolerance: float, numbered: bool) -> tuple[Doubles, Doubles]:
    """Covariances and upper factors of precisions ``F @ F.T``, F triangular either way, (K, d, d).

    A lower triangle has no columns in common with the upper one of the same precision, which is
    found from the covariance.
    """
    diagonal = np.einsum("kii->ki", given)
    if not (diagonal > 0).all():
        k, i = np.argwhere(~(diagonal > 0))[0].tolist()
        raise ValueError(
            f"{_named(k, numbered)} has {diagonal[k, i]} in its diagonal, at [{i}, {i}], where a "
            "factor is positive. A zero has no covariance; of a negative number turn the signs of "
            "the whole column."
        )
    i, j = np.tril_indices(given.shape[-1], -1)
    if not given[:, i, j].any():
        with np.errstate(all="ignore"):
            return FULL.covariances(given), given
    size = np.abs(given) / np.abs(given).max(axis=2, keepdims=True)
    upper = np.tril(size, -1).max(axis=(1, 2)) <= tolerance
    lower = ~upper & (np.triu(size, 1).max(axis=(1, 2)) <= tolerance)
    if not (upper | lower).all():
        k = int(np.argmin(upper | lower))
        raise ValueError(
            f"{_named(k, numbered)} is not triangular: it has entries above and below its "
            "diagonal. Set a triangle F with precision = F @ F.T, such as "
            "np.linalg.cholesky(precision), or set covariances_ or precisions_ instead."
        )
    factors = np.triu(given)
    covariances = np.empty_like(given)
    with np.errstate(all="ignore"):
        if upper.any():
            covariances[upper] = FULL.covariances(factors[upper])
        if lower.any():
            # In reverse order of the columns a lower triangle is an upper one.
            reverse = np.ascontiguousarray(np.tril(given[lower])[:, ::-1, ::-1])
            found = np.ascontiguousarray(FULL.covariances(reverse)[:, ::-1, ::-1])
            _check_derived(found, FACTORS, FULL)
            covariances[lower] = found
            factors[lower] = _factors(FULL, FULL.symmetric(found), FACTORS)
    return covariances, factors


def _named(component: int, numbered: bool) -> str:
    return f"{FACTORS}[{component}]" if numbered else FACTORS


def _check_derived(covariances: Doubles, name: str, layout: Layout) -> None:
    """Raise for covariances that are beyond the range of numbers."""
    variances = layout.variances(covariances)
    if not (np.isfinite(covariances).all() and (variances > 0).all()):
        raise ValueError(
            f"{name} holds numbers so small or large that the variances are zero or infinite in "
            "double precision. Scale the columns."
        )


# --- agreement -----------------------------------------------------------------------------------


def _check_agreement(
    parameters: MixtureParameters, arrays: Mapping[str, Doubles], epsilons: Mapping[str, float]
) -> None:
    """Raise if what was given beside the array that decided says something else."""
    names = list(arrays)
    if len(names) == 1:
        return
    epsilon = max(epsilons.values())
    decided = next(name for name in (FACTORS, COVARIANCES, PRECISIONS) if name in arrays)
    for name in names:
        if name == decided:
            continue
        agrees = _covariances_agree if name == COVARIANCES else _precisions_agree
        with np.errstate(all="ignore"):
            wrong = np.flatnonzero(~agrees(parameters, arrays[name], epsilon))
        if wrong.size:
            of = "" if parameters.layout.shared else f" of component {wrong[0]}"
            raise ValueError(
                f"{name} and {decided} disagree: those{of} are not of the same covariance. Set "
                "both to the same, or delete the one that is out of date, which then follows: "
                f"`del model.{name}` or `del model.{decided}`."
            )


def _tolerance(parameters: MixtureParameters, epsilon: float) -> Doubles:
    """What agreement allows for, for each matrix or number.

    The variance of a column over what the others do not explain of it says how many roundings of
    the covariance are in the factor.
    """
    if not parameters.layout.matrices:
        return np.array(_AGREEMENT + _ROUNDINGS * epsilon)
    d = parameters.n_features
    factors = parameters.precisions_cholesky.reshape(-1, d, d)
    precisions = np.einsum("kpr,kpr->kp", factors, factors)
    variances = np.einsum("kii->ki", parameters.own_covariances().reshape(-1, d, d))
    inflation = (variances * precisions).max(axis=1)
    tolerance: Doubles = _AGREEMENT + _ROUNDINGS * d * epsilon * np.maximum(inflation, 1.0)
    return tolerance


def _probes(d: int) -> Doubles:
    """Vectors to multiply two matrices with, to see whether they are equal, (d, 2).

    Their products differ if the matrices do, unless the difference happens to be at right angles
    to both; and they take d times fewer steps than all products of rows and columns.
    """
    signs = np.random.default_rng(20).choice([-1.0, 1.0], (d, 2))
    return signs * np.linspace(1.0, 0.5, d)[:, None]


def _covariances_agree(
    parameters: MixtureParameters, covariances: Doubles, epsilon: float
) -> Bools:
    """Whether ``U' C U`` is one, for each component, or for all."""
    factors, tolerance = parameters.precisions_cholesky, _tolerance(parameters, epsilon)
    if not parameters.layout.matrices:
        apart = np.abs(factors * (factors * covariances) - 1.0)
        return np.asarray((apart <= tolerance).reshape(len(factors), -1).all(axis=1))
    d = parameters.n_features
    factors, matrices = factors.reshape(-1, d, d), covariances.reshape(-1, d, d)
    probes = _probes(d)
    products = np.swapaxes(factors, 1, 2) @ (matrices @ (factors @ probes))
    return np.asarray(np.abs(products - probes).max(axis=(1, 2)) <= tolerance)


def _precisions_agree(parameters: MixtureParameters, precisions: Doubles, epsilon: float) -> Bools:
    """Whether ``U U'`` is the precision, for each component, or for all."""
    factors, tolerance = parameters.precisions_cholesky, _tolerance(parameters, epsilon)
    if not parameters.layout.matrices:
        apart = np.abs(precisions / factors / factors - 1.0)
        return np.asarray((apart <= tolerance).reshape(len(factors), -1).all(axis=1))
    d = parameters.n_features
    factors, matrices = factors.reshape(-1, d, d), precisions.reshape(-1, d, d)
    probes = _probes(d)
    scale = np.sqrt(np.einsum("kpr,kpr->kp", factors, factors))
    apart = np.abs(matrices @ probes - factors @ (np.swapaxes(factors, 1, 2) @ probes))
    bound = scale * scale.sum(axis=1, keepdims=True) * tolerance[:, None]
    return np.asarray((apart <= bound[:, :, None]).all(axis=(1, 2)))
