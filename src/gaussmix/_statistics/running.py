"""Statistics of rows that keep coming, of which earlier ones fade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from .._common.families import CovarianceType
from .._common.typing import Bools, Doubles, Indices
from .._parameters.layouts import layout_of
from .._parameters.mixture import MixtureParameters
from .sufficient import SufficientStatistics

# A component that has one row to itself is alive, also where the weight of the row, or its share
# in single precision, is rounded down.
ONE_ROW = 1 - 1e-6


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
