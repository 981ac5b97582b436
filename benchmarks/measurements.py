"""What is measured of each shape: an EM iteration, scoring, a default fit, peak memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType

import numpy as np
from shapes import Shape, Start, minimum_flops
from tables import METHODS

# A measurement shorter than this is repeated within its turn, so that a fast library is not timed
# by its noise.
LEAST_SECONDS = 0.25

# score_samples of one row is timed over so many calls.
SINGLE_ROW_CALLS = 200


@dataclass(frozen=True)
class Case:
    """One shape, its rows and start, and who is to be measured on it with how many threads."""

    libraries: dict[str, ModuleType]
    shape: Shape
    X: np.ndarray
    start: Start
    n_threads: int
    repeats: int
    fit_repeats: int

    def em(self, name: str, n_iter: int) -> object:
        return self.libraries[name].em(self.X, self.start, n_iter, self.n_threads)

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


def in_turns(case: Case, measure: Callable[[str], float]) -> dict[str, dict]:
    """``measure(name)`` for the libraries in turn, A B A B ...; a summary for each."""
    values: dict[str, list[float]] = {name: [] for name in case.libraries}
    for _ in range(case.repeats):
        for name, of_library in values.items():
            of_library.append(steady(lambda name=name: measure(name)))
    return {name: summary(of_library) for name, of_library in values.items()}


def summary(values: list[float]) -> dict:
    return {"median": median(values), "min": min(values), "max": max(values), "all": values}


def iteration(case: Case) -> dict:
    """Seconds of one EM iteration: a run of 1 + m iterations less a run of one, over m."""
    m = case.shape.iterations
    bounds = {}

    def measure(name: str) -> float:
        short, _ = timed(lambda: case.em(name, 1))
        long, model = timed(lambda: case.em(name, 1 + m))
        bounds[name] = case.libraries[name].lower_bound(model)
        return (long - short) / m

    for name in case.libraries:
        case.em(name, 1)
    result = in_turns(case, measure)
    flops = minimum_flops(case.shape)
    for name, entry in result.items():
        entry["GF/s"] = flops / entry["median"] / 1e9 if entry["median"] > 0 else None
        entry["mean log-likelihood"] = bounds[name]
    spread = max(bounds.values()) - min(bounds.values())
    if not spread <= 1e-9 * max(1.0, *(abs(bound) for bound in bounds.values())):
        raise SystemExit(f"{case.shape.name}: after {1 + m} iterations libraries differ: {bounds}")
    return result


def scoring(case: Case) -> dict:
    """Seconds of each scoring method on all rows, with the parameters three EM iterations give."""
    models = {name: case.em(name, 3) for name in case.libraries}

    def measurement(method: str) -> Callable[[str], float]:
        return lambda name: timed(
            lambda: getattr(case.libraries[name], method)(models[name], case.X)
        )[0]

    return {method: in_turns(case, measurement(method)) for method in METHODS}


def single_row(case: Case) -> dict:
    """Seconds of score_samples for one row."""
    models = {name: case.em(name, 3) for name in case.libraries}
    row = case.X[:1]

    def measure(name: str) -> float:
        score, model = case.libraries[name].score_samples, models[name]
        taken, _ = timed(lambda: [score(model, row) for _ in range(SINGLE_ROW_CALLS)])
        return taken / SINGLE_ROW_CALLS

    return in_turns(case, measure)


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
