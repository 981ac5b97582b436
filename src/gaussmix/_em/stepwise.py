"""Data that keeps coming: the schedule of steps, and steps from running statistics.

Stepwise EM (Cappé & Moulines 2009) keeps one set of sufficient statistics. Each batch of rows
passes through the E-step once, its statistics join the running ones, which fade as they do, and an
M-step follows. The M-step is that of every fit, `_mstep.maximize`; what is added here is how
fast the past fades, which of the parameters move, and that a component without rows keeps its
place.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._common.typing import Doubles, Indices
from .._mstep.families import FAMILIES
from .._mstep.maximize import Estimate, constrained, estimate, factorised
from .._parameters.layouts import layout_of
from .._parameters.mixture import MixtureParameters
from .._statistics.running import Running
from .._statistics.sufficient import SufficientStatistics
from .collapse import Recovery, split_heaviest

# Weight of a component that is placed anew at a given point, in shares of the mean weight: light
# enough to be wrong, heavy enough to take the rows about it from tails of the others.
REVIVED_SHARE = 0.5


def with_batch(
    running: Running | None,
    batch: SufficientStatistics,
    n_rows: int,
    *,
    seen: float,
    learning_decay: float,
    forgetting: float | None,
) -> Running:
    """Running statistics after a batch, of which `n_rows` rows have a weight.

    With w the weight of the batch and W = `seen` + w that of all rows so far, per unit of weight
    the statistics become ``(1 - g) old + g batch`` with ``g = (w / W) ** learning_decay``. Here a
    batch counts as it is, so that all that is remembered weighs w / g after it, and the past
    w / g - w. With `forgetting` the past is multiplied by that instead.

    Parameters
    ----------
    running : Running, optional
        None when nothing is remembered.
    batch : SufficientStatistics
    n_rows : int
    seen : float
        Weight of all rows before the batch.
    learning_decay : float
    forgetting : float, optional
    """
    if running is None:
        return Running.of(batch, n_rows)
    if forgetting is not None:
        return running.absorbed(batch, n_rows, forgetting)
    weight = batch.total_weight
    remembered: float = weight ** (1 - learning_decay) * (seen + weight) ** learning_decay
    factor = max(0.0, remembered - weight) / running.statistics.total_weight
    return running.absorbed(batch, n_rows, factor)


def chosen_estimate(
    statistics: SufficientStatistics,
    previous: MixtureParameters,
    update: str,
    reg_covar: float,
    variance_floor: float,
) -> Estimate:
    """What the M-step makes parameters of, those not in `update` as they were.

    Parameters
    ----------
    statistics : SufficientStatistics
    previous : MixtureParameters
    update : str
        Some of the letters "w", "m" and "c". Covariances without the means are those about the
        means that stay.
    reg_covar, variance_floor : float
        As for `maximize`.
    """
    if "c" in update and "m" not in update:
        moved = statistics.shifted(previous.means)
        statistics = replace(moved, first=np.zeros_like(moved.first))
    found = estimate(statistics, reg_covar, previous, variance_floor)
    return Estimate(
        found.weights if "w" in update else previous.weights,
        found.means if "m" in update else previous.means,
        found.scatter if "c" in update else previous.definite_covariances(),
        found.least,
    )


def step(
    running: Running,
    previous: MixtureParameters,
    update: str,
    *,
    reg_covar: float,
    variance_floor: float,
    recovery: Recovery | None,
    iteration: int,
) -> tuple[MixtureParameters, Running]:
    """One M-step from running statistics, and these ready for the next batch.

    An idle component keeps its mean and covariance, and has the weight of one row; with a
    recovery it is dropped or placed anew, unless there is no other.

    Raises
    ------
    CollapsedComponent
        If a covariance is not positive definite and there is no recovery, or nothing is left.
    """
    idle = running.idle()
    if recovery is not None and not idle.all():
        idle = np.zeros_like(idle)
    running = running.holding(idle, previous, reg_covar)
    statistics = running.statistics
    found = chosen_estimate(statistics, previous, update, reg_covar, variance_floor)
    if idle.any():
        layout = layout_of(statistics.covariance_type)
        found = found._replace(
            means=np.where(idle[:, None], previous.means, found.means),
            scatter=layout.with_kept(found.scatter, previous.definite_covariances(), idle),
        )
    if recovery is None:
        parameters = factorised(statistics, found, previous)
    else:
        parameters = recovery.mended(statistics, found, previous, iteration)
        if recovery.collapses:
            dropped = [c["component"] for c in recovery.collapses if c["action"] == "drop"]
            stay = np.delete(np.arange(len(found.means)), dropped)
            moved = np.flatnonzero((parameters.means != found.means[stay]).any(axis=1))
            running = running.kept(stay).placed(moved, parameters, reg_covar)
    return parameters, running.about_means()


def revived(
    parameters: MixtureParameters, components: Indices, means: Doubles | None
) -> tuple[MixtureParameters, Indices]:
    """Parameters with some components placed anew, and all components that changed by it.

    Parameters
    ----------
    parameters : MixtureParameters
    components : ndarray of int, shape (m,)
    means : ndarray of shape (m, d), or None
        Where they go: with the mean covariance of the other components and half the mean weight.
        None to split the heaviest of the others instead, one time for each.
    """
    layout = parameters.layout
    weights, places = parameters.weights.copy(), parameters.means.copy()
    covariances = parameters.definite_covariances().copy()
    source = np.arange(len(weights))
    moved = set(components.tolist())
    others = weights.copy()
    others[components] = 0.0
    if means is None:
        weights = others
        for component in components:
            moved.add(split_heaviest(layout, component, weights, places, covariances, source))
    else:
        pool = others if others.any() else np.ones_like(weights)
        covariances = layout.with_pooled(covariances, pool / pool.sum(), components)
        share = REVIVED_SHARE / len(weights)
        weights = others * ((1 - share * len(components)) / others.sum()) if others.any() else pool
        weights[components] = share
        places[components] = means
    covariances = layout.select(covariances, source)
    placed = MixtureParameters.from_covariances(
        parameters.covariance_type, weights / weights.sum(), places, covariances
    )
    # Means of covariances, and copies, can be outside their family.
    if FAMILIES[parameters.covariance_type].constrained:
        placed = constrained(placed, None)
    return placed, np.array(sorted(moved), dtype=np.intp)
