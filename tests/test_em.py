"""The EM loop, on a model simple enough to follow by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from gaussmix._em import EMResult, best_of, run


@dataclass
class Statistics:
    log_likelihood: float
    total_weight: float


def scripted(lower_bounds):
    """An accumulate and a maximize that see the given bounds; parameters count the M-steps."""

    def accumulate(parameters):
        return Statistics(4 * lower_bounds[parameters], 4.0)

    def maximize(statistics, parameters):
        return parameters + 1

    return accumulate, maximize


def test_stops_when_the_bound_moves_by_less_than_tol():
    result = run(*scripted([-9.0, -5.0, -4.0, -3.75, -3.7]), 0, tol=0.5, max_iter=10)
    assert result.converged
    assert result.lower_bounds == [-9.0, -5.0, -4.0, -3.75]
    assert result.n_iter == 4
    assert result.lower_bound == -3.75
    # The bound belongs to the parameters before the last M-step, which are returned after it.
    assert result.parameters == 4


def test_a_change_of_exactly_tol_is_not_convergence():
    result = run(*scripted([-2.0, -1.5, -1.5]), 0, tol=0.5, max_iter=2)
    assert not result.converged
    assert run(*scripted([-2.0, -2.0]), 0, tol=0.0, max_iter=2).converged is False


def test_max_iter_ends_the_run():
    result = run(*scripted([-9.0, -5.0, -1.0]), 0, tol=0.1, max_iter=2)
    assert (result.n_iter, result.converged, result.parameters) == (2, False, 2)


def test_no_iterations_return_the_start():
    result = run(*scripted([]), "start", tol=0.1, max_iter=0)
    assert result.parameters == "start"
    assert (result.n_iter, result.lower_bounds, result.lower_bound) == (0, [], -np.inf)
    assert not result.converged


def test_a_continued_run_compares_with_the_bound_before_it():
    once = run(*scripted([-1.0]), 0, tol=0.1, max_iter=5, previous_lower_bound=-1.05)
    assert (once.n_iter, once.converged) == (1, True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bound_that_cannot_be_mended_ends_the_run(value):
    result = run(*scripted([-3.0, value, -1.0, -1.0]), 0, tol=0.1, max_iter=4)
    assert (result.n_iter, result.converged) == (2, False)


def test_minus_infinity_may_recover():
    result = run(*scripted([-np.inf, -np.inf, -1.0, -1.0]), 0, tol=0.1, max_iter=4)
    assert (result.n_iter, result.converged, result.lower_bound) == (4, True, -1.0)


def test_iterations_are_reported_with_their_change():
    seen = []
    bounds = [-9.0, -5.0, -4.0]
    run(*scripted(bounds), 0, tol=0.1, max_iter=3, on_iteration=lambda *call: seen.append(call))
    assert seen == [(1, np.inf), (2, 4.0), (3, 1.0)]


def test_maximize_gets_the_parameters_before_the_step():
    seen = []

    def maximize(statistics, parameters):
        seen.append(parameters)
        return parameters + 1

    run(scripted([-3.0, -2.0, -1.0])[0], maximize, 0, tol=0.0, max_iter=3)
    assert seen == [0, 1, 2]


def ended(*lower_bounds):
    return EMResult(None, list(lower_bounds), len(lower_bounds), True)


def test_the_greatest_last_bound_wins_and_the_first_of_equals():
    runs = [ended(-3.0), ended(-5.0, -1.0), ended(-1.0), ended(-2.0)]
    assert best_of(runs) is runs[1]
    assert best_of(iter(runs)) is runs[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("first", [True, False])
def test_a_bound_that_is_no_number_never_wins(value, first):
    good, bad = ended(-4.0), ended(value)
    assert best_of([bad, good] if first else [good, bad]) is good
    assert best_of([bad, bad]) is None


def test_minus_infinity_wins_only_over_nothing():
    lost, good = ended(-np.inf), ended(-1e9)
    assert best_of([lost, good]) is good
    assert best_of([lost, ended(np.nan)]) is lost
