"""The EM loop: iterate, notice convergence, choose among restarts.

It takes a callable that accumulates statistics under given parameters and one that maximizes them,
and knows no data, no covariance shape and no thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from .._common.typing import Collapse
from .._parameters.layouts import CollapsedComponent


class _Statistics(Protocol):
    log_likelihood: float
    total_weight: float


Parameters = TypeVar("Parameters")
Statistics = TypeVar("Statistics", bound=_Statistics)


class Accelerator(Protocol[Parameters]):
    """What chooses where to go on, see `run`."""

    def __call__(self, before: Parameters, after: Parameters, gain: float) -> Parameters: ...
    def rejected(self) -> None: ...
    def forget(self) -> None: ...


@dataclass(frozen=True, eq=False)
class EMResult(Generic[Parameters]):
    """Outcome of one run.

    Attributes
    ----------
    parameters : object
        What `maximize` returned last, or the start when there was no iteration.
    lower_bounds : list of float
        The objective at the start of each iteration.
    n_iter : int
        Number of iterations.
    converged : bool
        Whether the last change was smaller than the tolerance.
    recovered_last : bool
        Whether the last iteration ended in a recovery, so that the last lower bound is that of
        parameters which were given up.
    collapses : list of dict
        What `recover` did on the way, where its owner records it.
    """

    parameters: Parameters
    lower_bounds: list[float]
    n_iter: int
    converged: bool
    recovered_last: bool = False
    collapses: list[Collapse] = field(default_factory=list)

    @property
    def lower_bound(self) -> float:
        """The last of `lower_bounds`; minus infinity before the first iteration."""
        return self.lower_bounds[-1] if self.lower_bounds else -np.inf


def mean_log_likelihood(statistics: _Statistics, parameters: object) -> float:
    """In nats per unit of weight."""
    return float(statistics.log_likelihood) / float(statistics.total_weight)


def run(
    accumulate: Callable[[Parameters], Statistics],
    maximize: Callable[[Statistics, Parameters], Parameters],
    start: Parameters,
    *,
    tol: float,
    max_iter: int,
    objective: Callable[[Statistics, Parameters], float] = mean_log_likelihood,
    previous_lower_bound: float = -np.inf,
    recover: Callable[[Statistics, Parameters, int], Parameters] | None = None,
    accelerate: Accelerator[Parameters] | None = None,
    on_iteration: Callable[[int, float], None] | None = None,
) -> EMResult[Parameters]:
    """Run EM from a start until the lower bound moves by less than `tol`.

    The lower bound of an iteration is the objective at the parameters that enter it, which the
    E-step gives for nothing; as in scikit-learn it therefore lags the returned parameters by one
    M-step.

    Parameters
    ----------
    accumulate : callable
        ``accumulate(parameters) -> statistics`` with `log_likelihood` and `total_weight`.
    maximize : callable
        ``maximize(statistics, parameters) -> parameters``, given the parameters before the step.
    start : object
        Parameters of the first E-step.
    tol : float
        Stop when the lower bound changes by less than this, in nats per unit of weight.
    max_iter : int
        Largest number of iterations; 0 returns the start.
    objective : callable
        ``objective(statistics, parameters)`` is what the steps raise, from the statistics under
        these parameters: by default the mean log-likelihood.
    previous_lower_bound : float, default=-inf
        Lower bound before the first iteration, for a run that continues another.
    recover : callable, optional
        ``recover(statistics, parameters, iteration) -> parameters`` is asked for the outcome of a
        plain step whose covariance collapsed; without it that is an error. The lower bound may
        fall in the iteration after, and changes are measured anew from there.
    accelerate : callable, optional
        ``accelerate(before, after, gain) -> parameters`` chooses where to go on after the step
        from `before` to `after`: there, or at an extrapolated point. Where the lower bound at
        such a point is below the last one, or a covariance collapses, its method `rejected` is
        called and the run goes back to `after`; that pass counts as an iteration whose lower bound
        is the last one again. Convergence is looked for only where a plain step led. After a
        recovery its method `forget` is called.
    on_iteration : callable, optional
        Called after each iteration with its number, from 1, and the change of the lower bound.

    Returns
    -------
    EMResult
        A lower bound that is NaN or plus infinity ends the run: no further step can mend it.
    """
    parameters = target = start  # `target` is where a plain step led
    lower_bound = previous_lower_bound
    lower_bounds: list[float] = []
    converged = recovered = False
    while len(lower_bounds) < max_iter and not converged:
        statistics = accumulate(parameters)
        previous = lower_bound
        lower_bound = objective(statistics, parameters)
        plain = parameters is target
        step: Parameters | None = None
        recovered = False
        if plain or previous <= lower_bound < np.inf:
            try:
                step = maximize(statistics, parameters)
            except CollapsedComponent:
                if plain:
                    if recover is None:
                        raise
                    step = recover(statistics, parameters, len(lower_bounds) + 1)
                    recovered = True
        if step is None:
            assert accelerate is not None  # for only an accelerator leads off the plain steps
            accelerate.rejected()
            parameters, lower_bound = target, previous
        else:
            converged = plain and not recovered and abs(lower_bound - previous) < tol
            before, parameters, target = parameters, step, step
            if accelerate is not None and recovered:
                accelerate.forget()
            elif accelerate is not None:
                parameters = accelerate(before, target, lower_bound - previous)
        lower_bounds.append(lower_bound)
        if on_iteration is not None:
            on_iteration(len(lower_bounds), lower_bound - previous)
        if not lower_bound < np.inf:
            break
        if recovered:
            lower_bound = -np.inf  # that of the parameters before tells nothing about those after
    return EMResult(target, lower_bounds, len(lower_bounds), converged, recovered)


def best_of(results: Iterable[EMResult[Parameters]]) -> EMResult[Parameters] | None:
    """The run with the greatest last lower bound, the first of equals.

    NaN and plus infinity never win; None when there is nothing else. A bound that a collapsing
    component may have driven up counts as minus infinity.
    """
    best, greatest = None, -np.inf
    for result in results:
        bound = -np.inf if result.recovered_last else result.lower_bound
        if bound < np.inf and (best is None or bound > greatest):
            best, greatest = result, bound
    return best
