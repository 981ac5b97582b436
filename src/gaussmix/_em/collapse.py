"""What becomes of a component that collapses, where a fit is not to end in an error.

A component collapses when its covariance is not positive definite, or when less than one row is
left to it. It is dropped, or placed anew: the heaviest component that is left is split in two.
"""

from __future__ import annotations

import numpy as np

from .._common.typing import Collapse, Doubles, Indices, OnCollapse
from .._mstep.maximize import Estimate, estimate, factorised, in_family, maximize
from .._parameters.layouts import CollapsedComponent, Layout, layout_of
from .._parameters.mixture import MixtureParameters
from .._statistics.running import ONE_ROW
from .._statistics.sufficient import SufficientStatistics

# Recoveries by "reseed" in one run, for each component; later collapses are dropped. Rows that
# support fewer components than asked for would have one placed anew in every other iteration.
RESEEDS = 2

# How far the halves of a split component move apart, each way, in its own deviations. Their
# densities still overlap, so a split of a component that needs none costs little likelihood.
SPLIT = 0.5


def split_heaviest(
    layout: Layout,
    component: int,
    weights: Doubles,
    means: Doubles,
    covariances: Doubles,
    source: Indices,
) -> int:
    """Place a component anew, in place: as one half of the heaviest; returns which that is.

    Parameters
    ----------
    layout : Layout
    component : int
        Of weight zero, so that it is not itself the heaviest.
    weights, means : ndarray
        (K,) and (K, d).
    covariances : ndarray
        In the layout, which stay as they are.
    source : ndarray of int, shape (K,)
        Whose covariance each component has.
    """
    heaviest = int(np.argmax(weights))
    axis = layout.principal_axis(covariances, source[heaviest], means.shape[1])
    means[component] = means[heaviest] + SPLIT * axis
    means[heaviest] -= SPLIT * axis
    weights[component] = weights[heaviest] = weights[heaviest] / 2
    source[component] = source[heaviest]
    return heaviest


class Recovery:
    """The M-step of one run of EM, which may drop components or place them anew.

    Where a component goes that is placed anew is a function of the other components alone: no row
    is read and no random number drawn. So it is the same for rows in memory, in pieces, on other
    machines or already forgotten, it needs nothing that the statistics lack, and a fit stays
    repeatable.

    Parameters
    ----------
    action : {"reseed", "drop"}
    n_components : int
        Components asked for.
    reg_covar, variance_floor : float
        As for `maximize`.
    row_weight : float
        Mean weight of a row.

    Attributes
    ----------
    collapses : list of dict
        For each collapse, in order: "iteration", from 1, or 0 for the start; "component", its
        index at that time; "action", what was done, "reseed" or "drop"; "columns", those in which
        it had no spread, empty when none is to blame; "effective_rows", the sum of its
        responsibilities in rows of mean weight.
    """

    def __init__(
        self,
        action: OnCollapse,
        n_components: int,
        *,
        reg_covar: float,
        variance_floor: float,
        row_weight: float,
    ) -> None:
        self._reseeds_left = RESEEDS * n_components if action == "reseed" else 0
        self._reg_covar = reg_covar
        self._variance_floor = variance_floor
        self._row_weight = row_weight
        self.collapses: list[Collapse] = []

    def maximize(
        self, statistics: SufficientStatistics, previous: MixtureParameters | None
    ) -> MixtureParameters:
        """The M-step, for which a component without a row has collapsed as well."""
        dead = self._dead(statistics)
        if dead.size:
            raise CollapsedComponent(int(dead[0]), [])
        return maximize(statistics, self._reg_covar, previous, self._variance_floor)

    def __call__(
        self, statistics: SufficientStatistics, previous: MixtureParameters | None, iteration: int
    ) -> MixtureParameters:
        """The M-step, with the components that collapse in it recovered."""
        found = estimate(statistics, self._reg_covar, previous, self._variance_floor)
        return self.mended(statistics, found, previous, iteration)

    def mended(
        self,
        statistics: SufficientStatistics,
        estimate: Estimate,
        previous: MixtureParameters | None = None,
        iteration: int = 0,
    ) -> MixtureParameters:
        """Parameters from an estimate.

        Raises
        ------
        CollapsedComponent
            If all components collapse, or the covariance that they share: there is nothing to
            split, and nothing to keep.
        """
        layout = layout_of(statistics.covariance_type)
        collapsed = self._collapsed(statistics, estimate, previous)
        weights, means = estimate.weights.copy(), estimate.means.copy()
        left = np.delete(weights, list(collapsed))
        if not collapsed or not left.any():
            return factorised(statistics, estimate, previous)
        scatter, least = estimate.scatter, estimate.least
        weights[list(collapsed)] = 0.0
        kept = np.ones(len(means), dtype=bool)
        source = np.arange(len(means))  # whose covariance each has
        for component in sorted(collapsed):
            placed_anew = self._reseeds_left > 0
            if placed_anew:
                self._reseeds_left -= 1
                split_heaviest(layout, component, weights, means, scatter, source)
            kept[component] = placed_anew
            self.collapses.append(
                {
                    "iteration": iteration,
                    "component": component,
                    "action": "reseed" if placed_anew else "drop",
                    "columns": collapsed[component],
                    "effective_rows": float(statistics.weight[component] / self._row_weight),
                }
            )
        if previous is not None:
            previous = previous.of_components(source[kept])
        weights = weights[kept] / weights[kept].sum()
        covariances, factors = in_family(
            statistics.covariance_type,
            layout.select(scatter, source[kept]),
            weights,
            previous,
            least,
        )
        return MixtureParameters(
            statistics.covariance_type, weights, means[kept], covariances, factors
        )

    def _dead(self, statistics: SufficientStatistics) -> Indices:
        """Components with less than one row; none when there is no other."""
        alive = statistics.weight >= ONE_ROW * self._row_weight
        return np.flatnonzero(~alive) if alive.any() else np.empty(0, dtype=np.intp)

    def _collapsed(
        self,
        statistics: SufficientStatistics,
        estimate: Estimate,
        previous: MixtureParameters | None,
    ) -> dict[int, list[int]]:
        """The components that collapse, each with the columns to blame."""
        layout = layout_of(statistics.covariance_type)
        collapsed: dict[int, list[int]] = {int(k): [] for k in self._dead(statistics)}
        while len(collapsed) < statistics.n_components:
            rest = [k for k in range(statistics.n_components) if k not in collapsed]
            known = None if previous is None else previous.of_components(rest)
            own, nk = layout.select(estimate.scatter, rest), statistics.weight[rest]
            try:
                in_family(statistics.covariance_type, own, nk, known, estimate.least)
            except CollapsedComponent as found:
                if found.component is None:
                    raise
                collapsed[rest[found.component]] = found.columns
            else:
                break
        return collapsed
