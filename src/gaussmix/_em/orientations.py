"""Runs from several orientations, for families whose components share their axes.

Which axes EM ends in depends on those it starts from more than on anything else, and an M-step
finds only the nearest. So a few steps are taken from several, and the best of them finished.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from .._mstep.families import FAMILIES
from .._mstep.maximize import estimate
from .._parameters.layouts import CollapsedComponent
from .._parameters.mixture import MixtureParameters
from .._statistics.sufficient import SufficientStatistics
from .loop import EMResult, best_of

# Iterations after which runs are compared, and how many beside the first one are finished.
SHORT_RUN = 15
FINISHED = 2

# Of more rows only the first run is made: so many tell the axes of an M-step well enough.
MOST_ROWS = 10_000

#: ``run(start, max_iter, previous_lower_bound)``
Run = Callable[[MixtureParameters, int, float], EMResult[MixtureParameters]]


def has_several(start: MixtureParameters, n_rows: int) -> bool:
    """Whether runs from other axes than those of a start can end elsewhere."""
    K, d = start.means.shape
    family = FAMILIES[start.covariance_type]
    return family.shares_axes and K > 1 and d > 1 and n_rows <= MOST_ROWS


def best_of_several(
    run: Run,
    run_other: Run,
    e_step: Callable[[MixtureParameters], SufficientStatistics],
    start: MixtureParameters,
    max_iter: int,
) -> EMResult[MixtureParameters]:
    """The best run from a start, and by `run_other` from others with the same responsibilities.

    The first is always finished, so that the result is no worse than its. Others that collapse
    are given up.
    """
    first = run(start, max_iter, -math.inf)
    begun = []
    for other in _others(e_step(start), start):
        with suppress(CollapsedComponent):
            begun.append(run_other(other, min(SHORT_RUN, max_iter), -math.inf))
    begun.sort(key=lambda result: result.lower_bound, reverse=True)
    finished = [first]
    for result in begun[:FINISHED]:
        with suppress(CollapsedComponent):
            finished.append(_finished(run_other, result, max_iter - result.n_iter))
    return best_of(finished) or first


def _others(
    statistics: SufficientStatistics, start: MixtureParameters
) -> Iterator[MixtureParameters]:
    """The start with other axes, and the variances that are best along them."""
    found = estimate(statistics, 0.0)
    family = FAMILIES[start.covariance_type]
    for covariances in family.oriented(found.scatter, statistics.weight):
        with suppress(CollapsedComponent):
            yield MixtureParameters.from_covariances(
                start.covariance_type, start.weights, start.means, covariances
            )


def _finished(
    run: Run, begun: EMResult[MixtureParameters], iterations: int
) -> EMResult[MixtureParameters]:
    """A run that was cut short, to its end."""
    if begun.converged or iterations <= 0:
        return begun
    rest = run(begun.parameters, iterations, begun.lower_bound)
    return replace(
        rest,
        lower_bounds=[*begun.lower_bounds, *rest.lower_bounds],
        n_iter=begun.n_iter + rest.n_iter,
    )
