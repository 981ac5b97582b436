"""Fits to columns that are standardised first, told in the columns' own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .._checks.messages import no_values
from .._common.families import OF_RESCALED, CovarianceType
from .._common.settings import SETTINGS
from .._common.typing import Bools, Doubles, Floats, Names
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .._rows.first_pass import FirstPass
from . import criteria
from .base import fitted_state, mixture_of
from .fitting import FittingMixture, fit_called

Model = TypeVar("Model", bound=FittingMixture)


class Standardised(NamedTuple):
    """Rows less the means of their columns, by the deviations; without rows that have no value."""

    Z: Floats
    weight: Doubles | None
    mean: Doubles  # (d,) of the observed values; 0 in a column without any
    scale: Doubles  # (d,) their deviations; the size of the value in a constant column
    constant: Bools  # (d,)
    observed: Doubles  # (d,) share of the values that are


def settings_of_mixture(
    settings: Mapping[str, Any], n_components: int, covariance_type: CovarianceType
) -> dict[str, Any]:
    """Those of an estimator's settings that a mixture has, with these two; NaN may be there."""
    shared = {name: value for name, value in settings.items() if name in SETTINGS}
    own = {"n_components": n_components, "covariance_type": covariance_type, "allow_nan": True}
    return shared | own


def standardised(rows: Rows, scan: FirstPass) -> Standardised:
    """Rows that have been looked at, standardised."""
    X, weight = rows.X, rows.sample_weight
    observed = np.full(X.shape[1], rows.total_weight)
    if scan.observed is not None:
        observed = scan.observed
        if not observed.any():
            raise no_values()
        some = ~np.isnan(X).all(axis=1)
        X, weight = X[some], None if weight is None else weight[some]
    scale = _scale(scan)
    Z = ((X - scan.mean) / scale).astype(rows.dtype, copy=False)
    total = len(Z) if weight is None else weight.sum()
    return Standardised(Z, weight, scan.mean, scale, scan.constant, observed / total)


def best_fit(models: Sequence[Model], rows: Standardised, names: Names | None) -> Model:
    """The model with the lowest BIC, all of them fitted; messages call the columns by `names`."""
    for model in models:
        fit_called(model, rows.Z, rows.weight, names)
    return models[0] if len(models) == 1 else min(models, key=lambda model: _bic(model, rows))


def in_own_units(
    model: FittingMixture, rows: Standardised
) -> tuple[CovarianceType, dict[str, Any]]:
    """The mixture of standardised rows as that of the rows as they came: the type of its
    covariances, and the fitted attributes.

    Raises
    ------
    ValueError
        Where variances in these units are no doubles.
    """
    parameters = _scaled(mixture_of(model), rows.mean, rows.scale)
    variances = parameters.variances
    if not (variances.min() >= np.finfo(np.float64).tiny and variances.max() < np.inf):
        raise ValueError(
            f"The components' variances lie from {variances.min():.3g} to {variances.max():.3g}: "
            "squares of values overflow or vanish in double precision. Multiply the columns by"
            " powers of ten that bring them near 1."
        )
    state = fitted_state(parameters, rows.Z.dtype)
    state["converged_"], state["n_iter_"] = model.converged_, model.n_iter_
    # Densities are per unit of the observed columns.
    shift = float((rows.observed * np.log(rows.scale)).sum())
    state["lower_bound_"] = model.lower_bound_ - shift
    state["lower_bounds_"] = [bound - shift for bound in model.lower_bounds_]
    state["collapses_"] = model.collapses_
    state["n_samples_seen_"] = model.n_samples_seen_
    return parameters.covariance_type, state


def _scale(scan: FirstPass) -> Doubles:
    """What to divide the columns by: their standard deviations, constant ones by their size."""
    scale = np.where(scan.constant, np.abs(scan.mean), np.sqrt(scan.variance))
    # What overflows is left to the fit, which says so.
    scale[(scale == 0) | ~np.isfinite(scale)] = 1.0
    return scale


def _bic(model: FittingMixture, rows: Standardised) -> float:
    """BIC on weighted rows; columns without values have no parameters."""
    statistics = model.accumulate(rows.Z, rows.weight)
    n_observed = int(np.count_nonzero(rows.observed))
    n_parameters = criteria.n_parameters(
        model.covariance_type, statistics.n_components, n_observed
    )
    return criteria.bic(statistics.log_likelihood, n_parameters, statistics.total_weight)


def _scaled(parameters: MixtureParameters, mean: Doubles, scale: Doubles) -> MixtureParameters:
    """The mixture of ``mean + scale * z`` for rows z of a mixture."""
    family = parameters.covariance_type
    covariances, factors = parameters.layout.rescaled(
        parameters.own_covariances(), parameters.precisions_cholesky, scale
    )
    return replace(
        parameters,
        covariance_type=OF_RESCALED.get(family, family),
        means=mean + scale * parameters.means,
        covariances=covariances,
        precisions_cholesky=factors,
    )
