"""A fit: EM from one or several starts, over rows wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from .._checks.parameters import check_random_state, parameters_of
from .._common.settings import Settings
from .._common.typing import Doubles
from .._estep.data import Data
from .._mstep.families import FAMILIES
from .._mstep.maximize import constrained, factorised, maximize
from .._parameters.mixture import MixtureParameters
from .._rows.first_pass import FirstPass
from .._runtime.threads import limited
from .._statistics.sufficient import SufficientStatistics
from . import loop, orientations, progress
from .collapse import Recovery
from .initialization import DistinctStarts, initial_parameters
from .squarem import Squarem


def checked_settings(estimator: Settings) -> Settings:
    """The constructor parameters of an estimator, checked, as Python's own numbers."""
    settings = Settings()
    vars(settings).update(parameters_of(estimator))
    return settings


def recovery(settings: Settings, row_weight: float) -> Recovery | None:
    """What one run does about components that collapse; None to raise."""
    if settings.on_collapse == "raise":
        return None
    return Recovery(
        settings.on_collapse,
        settings.n_components,
        reg_covar=settings.reg_covar,
        variance_floor=settings.variance_floor,
        row_weight=row_weight,
    )


def best_run(
    data: Data,
    scan: FirstPass,
    settings: Settings,
    *,
    max_iter: int,
    given: tuple[Doubles | None, Doubles | None, Doubles | None] = (None, None, None),
    continued: MixtureParameters | None = None,
    previous_lower_bound: float = -np.inf,
) -> loop.EMResult[MixtureParameters] | None:
    """The best EM run over all starts; None when none has a usable lower bound.

    Parameters
    ----------
    data : Data
    scan : FirstPass
        Of the data.
    settings : Settings
    max_iter : int
    given : tuple
        Weights, means and precisions to start from, each or None.
    continued : MixtureParameters, optional
        The result of an earlier fit, to start from instead, with its last lower bound,
        `previous_lower_bound`.
    """
    # Without iterations nothing tells one start from another.
    n_init = 1 if continued is not None or max_iter == 0 else settings.n_init
    random_state = check_random_state(settings.random_state)
    report = progress.reporter(settings.verbose, settings.verbose_interval, n_init, max_iter)
    data.on_rows = None if report is None else report.rows
    on_iteration = None if report is None else report.iteration
    steps = _Steps(data, scan, settings)

    def start(recovery: Recovery | None) -> MixtureParameters:
        return initial_parameters(
            data,
            settings.n_components,
            settings.covariance_type,
            init_params=settings.init_params,
            reg_covar=settings.reg_covar,
            variance_floor=settings.variance_floor,
            random_state=random_state,
            scan=scan,
            weights=given[0],
            means=given[1],
            precisions=given[2],
            finish=factorised if recovery is None else recovery.mended,
        )

    def runs() -> Iterator[loop.EMResult[MixtureParameters]]:
        starts = DistinctStarts(scan)
        for init in range(n_init):
            if report is not None:
                report.start(init)
            recover = recovery(settings, data.total_weight / data.n_used)
            parameters = start(recover) if continued is None else continued
            if n_init > 1 and starts.repeats(parameters):
                if report is not None:
                    report.repeated()
                continue

            if continued is None and orientations.has_several(parameters, data.n_used):
                result = orientations.best_of_several(
                    partial(steps.run, recover=recover, on_iteration=on_iteration),
                    steps.run,
                    steps.e_step,
                    parameters,
                    max_iter,
                )
            else:
                result = steps.run(
                    parameters, max_iter, previous_lower_bound, recover, on_iteration
                )
            if report is not None:
                report.end(result.lower_bound, result.converged)
            yield result

    try:
        # Extreme data overflow and underflow on the way to a result or a clear error; NumPy's
        # own reports about it would only add noise.
        with np.errstate(all="ignore"), limited(settings.n_threads):
            return loop.best_of(runs())
    finally:
        data.on_rows = None
        if report is not None:
            report.close()


class _Steps:
    """The steps of a fit, and runs of them."""

    def __init__(self, data: Data, scan: FirstPass, settings: Settings) -> None:
        self._data = data
        self._scan = scan
        self._settings = settings
        self._columns = scan.observed_columns

    def e_step(self, parameters: MixtureParameters) -> SufficientStatistics:
        statistics = self._data.accumulate(parameters, self._settings.reg_covar)
        statistics.columns = self._columns
        return statistics

    def m_step(
        self, statistics: SufficientStatistics, previous: MixtureParameters
    ) -> MixtureParameters:
        settings = self._settings
        return maximize(statistics, settings.reg_covar, previous, settings.variance_floor)

    def run(
        self,
        start: MixtureParameters,
        max_iter: int,
        previous_lower_bound: float = -np.inf,
        recover: Recovery | None = None,
        on_iteration: Callable[[int, float], None] | None = None,
    ) -> loop.EMResult[MixtureParameters]:
        result = loop.run(
            self.e_step,
            self.m_step if recover is None else recover.maximize,
            start,
            tol=self._settings.tol,
            max_iter=max_iter,
            previous_lower_bound=previous_lower_bound,
            recover=recover,
            accelerate=_accelerator(self._settings, self._scan),
            on_iteration=on_iteration,
        )
        return result if recover is None else replace(result, collapses=list(recover.collapses))


def _accelerator(settings: Settings, scan: FirstPass) -> Squarem | None:
    """What shortens one run, if anything."""
    if settings.acceleration is None:
        return None
    least = settings.variance_floor * scan.variance if settings.variance_floor > 0 else None
    if least is None and not FAMILIES[settings.covariance_type].constrained:
        return Squarem()
    return Squarem(lambda parameters: constrained(parameters, least))
