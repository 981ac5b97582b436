"""What is measured of each shape: an EM iteration, scoring, a default fit, peak memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from agreement import agreement, as_start
from libraries import Library
from peers import EMRun, Peer, Stopped, TooSlow, em_run
from shapes import Shape, Start, minimum_flops
from tables import METHODS

# A measurement shorter than this is repeated within its turn, so that a fast library is not timed
# by its noise.
LEAST_SECONDS = 0.25

# A library that takes more than so many seconds for an iteration gets fewer turns: as many as end
# within the second number, at least one.
SLOW_SECONDS = 2.0
SLOW_BUDGET = 30.0

# score_samples of one row is timed over so many calls.
SINGLE_ROW_CALLS = 200


@dataclass(frozen=True)
class Case:
    """One shape, its rows and start, and who is to be measured on it with how many threads.

    ``libraries`` run in this process, ``peers`` in their own and only in ``iteration``, no call
    longer than ``limit`` seconds.
    """

    libraries: dict[str, Library]
    shape: Shape
    X: np.ndarray
    start: Start
    n_threads: int
    repeats: int
    fit_repeats: int
    peers: dict[str, Peer] = field(default_factory=dict)
    limit: float = 60.0

    def em(self, name: str, n_iter: int) -> object:
        return self.libraries[name].em(self.X, self.start, n_iter, self.n_threads)

    def run(self, name: str, n_iter: int) -> EMRun:
        """Run EM and time it, wherever the library lives."""
        if name in self.peers:
            return self.peers[name].em(n_iter, self.limit)
        return em_run(self.libraries[name], self.X, self.start, n_iter, self.n_threads)

    def fit(self, name: str, seed: int) -> object:
        shape = self.shape
        library = self.libraries[name]
        return library.fit(self.X, shape.K, shape.covariance_type, seed, self.n_threads)


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """Seconds a call takes, and what it returns."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def steady(measure: Callable[[], float]) -> float:
    """The median of as many calls of ``measure`` as fit into LEAST_SECONDS, at least one."""
    begin, values = time.perf_counter(), []
    while not values or time.perf_counter() - begin < LEAST_SECONDS:
        values.append(measure())
    return median(values)


def in_turns(names: Iterable[str], repeats: int, measure: Callable[[str], float]) -> dict:
    """``measure(name)`` for each name in turn, A B A B ...; a summary for each."""
    values: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, of_library in values.items():
            of_library.append(steady(lambda name=name: measure(name)))
    return {name: summary(of_library) for name, of_library in values.items()}


def summary(values: list[float]) -> dict:
    return {"median": median(values), "min": min(values), "max": max(values), "all": values}


class IterationTimer:
    """Seconds of one EM iteration of one library: a run of 1 + m iterations less a run of one."""

    def __init__(self, case: Case, name: str) -> None:
        self.case = case
        self.name = name
        self.turns = case.repeats
        self.values: list[float] = []
        self.short: EMRun
        self.long: EMRun

    def difference(self) -> float:
        """Seconds of an iteration, of as many as the library really made."""
        m = self.case.shape.iterations
        waited, self.short = timed(lambda: self.case.run(self.name, 1))
        try:
            self.long = self.case.run(self.name, 1 + m)
        except TooSlow as error:
            bound = (self.case.limit - waited) / m
            raise TooSlow(f"more than {bound:.2g} s an iteration ({error})") from None
        return (self.long.seconds - self.short.seconds) / (
            self.long.iterations - self.short.iterations
        )

    def turn(self) -> None:
        """Measure once more, unless there have been enough turns."""
        if len(self.values) >= self.turns:
            return
        taken, value = timed(lambda: steady(self.difference))
        if not self.values and value > SLOW_SECONDS and self.name in self.case.peers:
            self.turns = min(self.turns, max(1, int(SLOW_BUDGET / taken)))
        self.values.append(value)

    def entry(self) -> dict:
        result = summary(self.values)
        flops = minimum_flops(self.case.shape)
        result["GF/s"] = flops / result["median"] / 1e9 if result["median"] > 0 else None
        result["mean log-likelihood"] = self.long.lower_bound
        result["turns"] = len(self.values)
        return result


def iteration(case: Case) -> dict:
    """Seconds of one EM iteration of every library that can do the shape.

    Returns what the record holds of a shape: "iteration", "skipped" with the reason for each of
    the other libraries, and "agreement", how far the parameters of each are from the reference's.
    """
    timers: dict[str, IterationTimer] = {}
    skipped: dict[str, str] = {}

    def attempt(name: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Stopped as error:
            skipped[name] = str(error)
            timers.pop(name, None)

    def warm_up(name: str) -> None:
        everyone = case.libraries | case.peers
        reason = everyone[name].cannot(case.shape)
        if reason:
            raise Stopped(reason)
        timers[name] = IterationTimer(case, name)
        if name in case.peers:
            case.peers[name].rows(rows_file, start_file)
        case.run(name, 1)

    with tempfile.TemporaryDirectory() as folder:
        rows_file, start_file = Path(folder) / "rows.npy", Path(folder) / "start.npz"
        np.save(rows_file, case.X)
        case.start.save(start_file)
        for name in [*case.libraries, *case.peers]:
            attempt(name, lambda name=name: warm_up(name))
        for _ in range(case.repeats):
            for name in list(timers):
                attempt(name, timers[name].turn)
    return {
        "iteration": {name: timer.entry() for name, timer in timers.items()},
        "skipped": skipped,
        "agreement": agreements(case, timers),
    }


def agreements(case: Case, timers: dict[str, IterationTimer]) -> dict[str, dict]:
    """How far each library's parameters are from those of gaussmix, else of the first library."""
    if not case.libraries or not timers:
        return {}
    base = "gaussmix" if "gaussmix" in case.libraries else next(iter(case.libraries))
    family = case.shape.covariance_type
    result = {}
    for name, timer in timers.items():
        if name == base:
            continue
        described = case.peers[name].description if name in case.peers else case.libraries[name]
        if described.own_start:
            start = as_start(timer.short.parameters, family)
            made = timer.long.iterations - timer.short.iterations
            library = case.libraries[base]
            reference = library.parameters(library.em(case.X, start, made, case.n_threads))
        else:
            reference = timers[base].long.parameters
        found = timer.long.parameters
        result[name] = agreement(found, reference, family, case.X, described.agreement)
    return result


def scoring(case: Case) -> dict:
    """Seconds of each scoring method on all rows, with the parameters three EM iterations give."""
    models = {name: case.em(name, 3) for name in case.libraries}

    def measurement(method: str) -> Callable[[str], float]:
        return lambda name: timed(
            lambda: getattr(case.libraries[name], method)(models[name], case.X)
        )[0]

    return {
        method: in_turns(case.libraries, case.repeats, measurement(method)) for method in METHODS
    }


def single_row(case: Case) -> dict:
    """Seconds of score_samples for one row."""
    models = {name: case.em(name, 3) for name in case.libraries}
    row = case.X[:1]

    def measure(name: str) -> float:
        score, model = case.libraries[name].score_samples, models[name]
        taken, _ = timed(lambda: [score(model, row) for _ in range(SINGLE_ROW_CALLS)])
        return taken / SINGLE_ROW_CALLS

    return in_turns(case.libraries, case.repeats, measure)


def default_fit(case: Case) -> dict:
    """Seconds, iterations and final mean log-likelihood of default fits, a seed each repeat."""
    fits: dict[str, list[tuple]] = {name: [] for name in case.libraries}
    for seed in range(case.fit_repeats):
        for name, library in case.libraries.items():
            taken, model = timed(lambda name=name, seed=seed: case.fit(name, seed))
            quality = float(np.mean(library.score_samples(model, case.X)))
            fits[name].append((taken, library.iterations(model), quality))
    result = {}
    for name, of_library in fits.items():
        taken, iterations, quality = zip(*of_library, strict=True)
        result[name] = summary(list(taken))
        result[name] |= {"iterations": iterations, "mean log-likelihood": quality}
    return result


def memory(case: Case) -> dict:
    """Peak bytes above X of two EM iterations and of a default fit, at n / 4 and n rows."""
    result: dict = {task: {name: {} for name in case.libraries} for task in ("em", "fit")}
    with tempfile.TemporaryDirectory() as folder:
        start_file, rows_file = Path(folder) / "start.npz", Path(folder) / "rows.npy"
        case.start.save(start_file)
        for n in (max(len(case.X) // 4, 2 * case.shape.K), len(case.X)):
            np.save(rows_file, case.X[:n])
            for task, by_library in result.items():
                for name, by_rows in by_library.items():
                    by_rows[str(n)] = peak_above(name, rows_file, start_file, task, case.n_threads)
    return result


def peak_above(name: str, rows: Path, start: Path, task: str, n_threads: int) -> int:
    """The answer of memory.py in a process of its own."""
    program = Path(__file__).with_name("memory.py")
    command = [sys.executable, program, name, rows, start, task, n_threads]
    done = subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout)
