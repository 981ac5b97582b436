"""Data that keeps coming: running statistics, the schedule of their steps, and steps from them.

Stepwise EM (Cappé & Moulines 2009) keeps one set of sufficient statistics. Each batch of rows
passes through the E-step once, its statistics join the running ones, which fade as they do, and an
M-step follows. The M-step is that of every fit, `_parameters.estimate`; what is added here is how
fast the past fades, which of the parameters move, and that a component without rows keeps its
place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ._common.families import CovarianceType
from ._common.typing import Bools, Doubles, Indices
from ._mstep.families import FAMILIES
from ._mstep.maximize import constrained, estimate, factorised
from ._parameters.layouts import layout_of
from ._parameters.mixture import MixtureParameters
from ._recovery import ONE_ROW, Recovery, split_heaviest
from ._statistics import SufficientStatistics

# Weight of a component that is placed anew at a given point, in shares of the mean weight: light
# enough to be wrong, heavy enough to take the rows about it from tails of the others.
REVIVED_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Running:
    """Statistics of all rows so far, of which earlier ones weigh less.

    A row of the newest batch weighs what it came with. What a component's own rows have left
    (`evidence`) may fade to nothing; in `statistics` a component always has at least one row, of
    its own mean and covariance, so that it can be computed with and can take rows again.

    Attributes
    ----------
    statistics : SufficientStatistics
        Of which `total_weight` is the weight of the rows that are remembered.
    evidence : ndarray of shape (K,)
        Weight of each component in these rows.
    rows : float
        Their number, each counted as far as it is remembered.
    """

    statistics: SufficientStatistics
    evidence: Doubles
    rows: float

    @property
    def row_weight(self) -> float:
        """Mean weight of a row."""
        return self.statistics.total_weight / self.rows

    @property
    def effective_rows(self) -> Doubles:
        """The evidence in rows of mean weight, (K,)."""
        return self.evidence / self.row_weight

    @classmethod
    def of(cls, batch: SufficientStatistics, n_rows: int) -> Self:
        """Statistics of a first batch, of which `n_rows` rows have a weight."""
        return cls(replace(batch, n_rows=n_rows), batch.weight.copy(), float(n_rows))

    @classmethod
    def implied(
        cls, parameters: MixtureParameters, weight: float, row_weight: float, reg_covar: float
    ) -> Self:
        """What rows of a given weight would leave from which an M-step makes these parameters."""
        K, d = parameters.means.shape
        shape = parameters.layout.shape(K, d)
        zero = SufficientStatistics(
            parameters.covariance_type, np.zeros(K), np.zeros((K, d)), np.zeros(shape),
            parameters.means.copy(), math.nan, weight, _whole(weight / row_weight),
        )  # fmt: skip
        nk = parameters.weights * weight
        statistics = _replaced(zero, np.arange(K), nk, parameters, reg_covar)
        return cls(statistics, nk, weight / row_weight)

    def arrays(self) -> dict[str, Doubles]:
        """All that a model file needs of these."""
        statistics = self.statistics
        return {
            "running_weight": statistics.weight,
            "running_first": statistics.first,
            "running_second": statistics.second,
            "running_shift": statistics.shift,
            "running_evidence": self.evidence,
            "running_totals": np.array([statistics.total_weight, self.rows]),
        }

    @classmethod
    def from_arrays(cls, covariance_type: CovarianceType, arrays: Mapping[str, Doubles]) -> Self:
        """What gave `arrays`."""
        weight, rows = arrays["running_totals"].tolist()
        statistics = SufficientStatistics(
            covariance_type, arrays["running_weight"], arrays["running_first"],
            arrays["running_second"], arrays["running_shift"], math.nan, weight, _whole(rows),
        )  # fmt: skip
        return cls(statistics, arrays["running_evidence"], rows)

    def absorbed(self, batch: SufficientStatistics, n_rows: int, factor: float) -> Self:
        """With the past multiplied by `factor`, and a batch of `n_rows` rows that weigh."""
        statistics = self.statistics.scaled(factor) + batch
        rows = self.rows * factor + n_rows
        statistics = replace(
            statistics,
            total_weight=self.statistics.total_weight * factor + batch.total_weight,
            n_rows=_whole(rows),
        )
        return type(self)(statistics, self.evidence * factor + batch.weight, rows)

    def idle(self) -> Bools:
        """Components whose rows have faded to less than one, (K,)."""
        return self.evidence < ONE_ROW * self.row_weight

    def holding(self, idle: Bools, parameters: MixtureParameters, reg_covar: float) -> Self:
        """With one row of its mean and covariance in place of what an idle component has left."""
        if not idle.any():
            return self
        nk = np.where(idle, self.row_weight, self.statistics.weight)
        components = np.flatnonzero(idle)
        statistics = _replaced(self.statistics, components, nk, parameters, reg_covar)
        return replace(self, statistics=statistics)

    def placed(self, moved: Indices, parameters: MixtureParameters, reg_covar: float) -> Self:
        """With the weights, means and covariances of some components, whatever they had."""
        nk = self.statistics.weight.copy()
        stay = np.delete(np.arange(len(nk)), moved)
        per_weight = self.statistics.total_weight
        if parameters.weights[stay].any():
            per_weight = nk[stay].sum() / parameters.weights[stay].sum()
        nk[moved] = parameters.weights[moved] * per_weight
        evidence = self.evidence.copy()
        evidence[moved] = nk[moved]
        statistics = _replaced(self.statistics, moved, nk, parameters, reg_covar)
        return replace(self, statistics=statistics, evidence=evidence)

    def about_means(self) -> Self:
        """With moments about the means, where later rows cost them no digits."""
        statistics = self.statistics
        means = statistics.shift.copy()
        full = statistics.weight > 0
        means[full] += statistics.first[full] / statistics.weight[full, None]
        return replace(self, statistics=statistics.shifted(means))

    def kept(self, components: Indices) -> Self:
        """Of some of the components only."""
        statistics = self.about_means().statistics
        layout = layout_of(statistics.covariance_type)
        statistics = replace(
            statistics,
            weight=statistics.weight[components],
            first=statistics.first[components],
            second=layout.kept(statistics.second, statistics.weight, components),
            shift=statistics.shift[components],
        )
        return replace(self, statistics=statistics, evidence=self.evidence[components])


def _whole(rows: float) -> int:
    """A number of rows as statistics have it."""
    return max(1, round(rows))


def _replaced(
    statistics: SufficientStatistics,
    components: Indices,
    nk: Doubles,
    parameters: MixtureParameters,
    reg_covar: float,
) -> SufficientStatistics:
    """Statistics in which some components are as the parameters say, with weights `nk`.

    What the M-step will add to the variances is taken off, so that it does not add up.
    """
    layout = layout_of(statistics.covariance_type)
    covariances = parameters.own_covariances().copy()
    layout.regularise(covariances, -reg_covar)
    moments = layout.second_moments(covariances, nk, statistics.n_features)
    second = layout.replaced(
        statistics.second, statistics.first, statistics.weight, components, moments, nk
    )
    weight, first, shift = nk.copy(), statistics.first.copy(), statistics.shift.copy()
    first[components] = 0.0
    shift[components] = parameters.means[components]
    return replace(statistics, weight=weight, first=first, second=second, shift=shift)


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
) -> tuple[Doubles, Doubles, Doubles]:
    """Weights, means and scatter of the M-step, those not in `update` as they were.

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
    weights, means, scatter = estimate(statistics, reg_covar, previous, variance_floor)
    return (
        weights if "w" in update else previous.weights,
        means if "m" in update else previous.means,
        scatter if "c" in update else previous.definite_covariances(),
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
    weights, means, scatter = chosen_estimate(
        statistics, previous, update, reg_covar, variance_floor
    )
    if idle.any():
        means = np.where(idle[:, None], previous.means, means)
        scatter = layout_of(statistics.covariance_type).with_kept(
            scatter, previous.definite_covariances(), idle
        )
    if recovery is None:
        parameters = factorised(statistics, weights, means, scatter, previous)
    else:
        parameters = recovery.mended(statistics, weights, means, scatter, previous, iteration)
        if recovery.collapses:
            dropped = [c["component"] for c in recovery.collapses if c["action"] == "drop"]
            stay = np.delete(np.arange(len(means)), dropped)
            moved = np.flatnonzero((parameters.means != means[stay]).any(axis=1))
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
