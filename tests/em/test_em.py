"""The EM loop, on a model simple enough to follow by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from gaussmix._em.loop import EMResult, best_of, run
from gaussmix._parameters.layouts import CollapsedComponent


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


def test_the_objective_may_be_another():
    """One with a prior, say: the bounds and the end of the run are its own."""
    steps = scripted([-9.0, -5.0, -4.0, -3.75, -3.7])
    result = run(
        *steps, 0, tol=0.5, max_iter=5,
        objective=lambda statistics, parameters: statistics.log_likelihood + 10 * parameters,
    )  # fmt: skip
    assert result.lower_bounds == pytest.approx([-36.0, -10.0, 4.0, 15.0, 25.2])
    assert not run(*steps, 0, tol=0.5, max_iter=3, objective=lambda *_: 7.0).n_iter > 2


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


class Jump:
    """Goes `by` steps ahead after the step with number `at`."""

    def __init__(self, at, by):
        self.at, self.by, self.rejections = at, by, 0

    def __call__(self, before, after, gain):
        return after + self.by if after == self.at else after

    def rejected(self):
        self.rejections += 1


def test_an_extrapolated_point_is_taken_when_the_bound_does_not_fall():
    jump = Jump(at=2, by=3)
    bounds = [-9.0, -8.0, np.nan, np.nan, np.nan, -4.0, -3.9]
    result = run(*scripted(bounds), 0, tol=0.5, max_iter=9, accelerate=jump)
    assert (result.lower_bounds, result.converged) == ([-9.0, -8.0, -4.0, -3.9], True)
    assert (result.parameters, jump.rejections) == (7, 0)


@pytest.mark.parametrize("worse", [-8.5, -np.inf, np.inf, np.nan])
def test_a_worse_point_is_taken_back(worse):
    jump = Jump(at=2, by=3)
    bounds = [-9.0, -8.0, -7.0, -6.9, np.nan, worse]
    result = run(*scripted(bounds), 0, tol=0.5, max_iter=9, accelerate=jump)
    assert (result.lower_bounds, result.converged) == ([-9.0, -8.0, -8.0, -7.0, -6.9], True)
    assert (result.n_iter, jump.rejections) == (5, 1)


def test_a_small_gain_at_an_extrapolated_point_is_not_convergence():
    jump = Jump(at=2, by=1)
    bounds = [-9.0, -8.0, np.nan, -7.9, -6.0, -5.9]
    result = run(*scripted(bounds), 0, tol=0.5, max_iter=9, accelerate=jump)
    assert result.lower_bounds == [-9.0, -8.0, -7.9, -6.0, -5.9]
    assert result.converged


@pytest.mark.parametrize("worse", [True, False])
def test_a_point_that_collapses_is_taken_back_and_a_step_that_does_is_an_error(worse):
    jump = Jump(at=2, by=3)
    accumulate, _ = scripted([-9.0, -8.0, -7.0, -6.9, np.nan, -5.0])

    def maximize(statistics, parameters):
        if parameters == (5 if worse else 1):
            raise CollapsedComponent(0, [])
        return parameters + 1

    if worse:
        result = run(accumulate, maximize, 0, tol=0.5, max_iter=9, accelerate=jump)
        assert (result.lower_bounds[2], jump.rejections) == (-8.0, 1)
    else:
        with pytest.raises(CollapsedComponent):
            run(accumulate, maximize, 0, tol=0.5, max_iter=9, accelerate=jump)


def test_the_point_after_the_last_iteration_is_where_a_plain_step_led():
    result = run(*scripted([-9.0, -8.0]), 0, tol=0.5, max_iter=2, accelerate=Jump(at=2, by=3))
    assert result.parameters == 2


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


def collapsing_at(steps, bounds):
    """As `scripted`, but the steps from these parameters collapse."""
    accumulate, plain = scripted(bounds)

    def maximize(statistics, parameters):
        if parameters in steps:
            raise CollapsedComponent(0, [])
        return plain(statistics, parameters)

    return accumulate, maximize


def test_a_step_that_collapses_is_recovered_and_changes_are_measured_anew():
    asked = []

    def recover(statistics, parameters, iteration):
        asked.append((parameters, iteration))
        return 10

    bounds = [-9.0, -5.0, *[np.nan] * 8, -5.0, -4.9]
    seen = []
    result = run(
        *collapsing_at([1], bounds), 0, tol=0.5, max_iter=9, recover=recover,
        on_iteration=lambda *call: seen.append(call),
    )  # fmt: skip
    assert asked == [(1, 2)]
    # The recovered parameters have the same bound, which is not convergence.
    assert result.lower_bounds == [-9.0, -5.0, -5.0, -4.9]
    assert (result.converged, result.recovered_last, result.parameters) == (True, False, 12)
    assert seen == [(1, np.inf), (2, 4.0), (3, np.inf), (4, pytest.approx(0.1))]


def test_a_small_gain_before_a_recovery_is_not_convergence():
    bounds = [-9.0, -8.9, np.nan, -8.8, -8.7]
    result = run(*collapsing_at([1], bounds), 0, tol=0.5, max_iter=2, recover=lambda *_: 3)
    assert (result.converged, result.recovered_last, result.parameters) == (False, True, 3)


def test_the_bound_may_fall_after_a_recovery():
    result = run(
        *collapsing_at([1], [-9.0, -2.0, np.nan, -7.0, -6.9]), 0, tol=0.5, max_iter=9,
        recover=lambda *_: 3,
    )  # fmt: skip
    assert (result.lower_bounds, result.converged) == ([-9.0, -2.0, -7.0, -6.9], True)


def test_what_cannot_be_recovered_is_an_error():
    def recover(statistics, parameters, iteration):
        raise CollapsedComponent(3, [1])

    with pytest.raises(CollapsedComponent) as caught:
        run(*collapsing_at([0], [-1.0]), 0, tol=0.5, max_iter=9, recover=recover)
    assert caught.value.component == 3


def test_acceleration_forgets_its_path_after_a_recovery():
    class Forgetful(Jump):
        forgotten = 0

        def forget(self):
            self.forgotten += 1

    jump = Forgetful(at=None, by=0)
    bounds = [-9.0, -5.0, np.nan, -4.0, -3.9]
    run(
        *collapsing_at([1], bounds), 0, tol=0.5, max_iter=9, recover=lambda *_: 3,
        accelerate=jump,
    )  # fmt: skip
    assert (jump.forgotten, jump.rejections) == (1, 0)


def test_an_extrapolated_point_that_collapses_is_taken_back_not_recovered():
    jump = Jump(at=2, by=3)
    bounds = [-9.0, -8.0, -7.0, -6.9, np.nan, -5.0]
    result = run(
        *collapsing_at([5], bounds), 0, tol=0.5, max_iter=9, accelerate=jump,
        recover=lambda *_: pytest.fail("asked"),
    )  # fmt: skip
    assert (result.lower_bounds[2], jump.rejections) == (-8.0, 1)


def test_a_bound_of_parameters_that_were_given_up_wins_over_nothing_only():
    stale = EMResult(None, [-9.0, 50.0], 2, False, recovered_last=True)
    good = ended(-4.0)
    assert best_of([stale, good]) is good
    assert best_of([stale]) is stale
