"""One side of a comparison: a process that times what it is asked to, one request a line.

Started by compare.py with the build to measure first on PYTHONPATH. Requests and answers are JSON,
a line each, on standard input and output:

    {"do": "load", "rows": "x.npy", "start": "s.npz", "iterations": 4, "threads": 2}
    {"do": "iteration"}    ->  {"seconds": 0.06, "value": -14.67}

``value`` is what both sides must agree on: the mean log-likelihood, or the mean of what the method
returns. A request that fails is answered with {"error": "..."}.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from libraries import load
from measurements import SINGLE_ROW_CALLS, steady, timed
from shapes import Start
from tables import METHODS
from threadpoolctl import threadpool_limits

import gaussmix

library = load("gaussmix")

# A start is drawn anew for each of these seeds, and their fits are timed together.
SMALL_FIT_SEEDS = range(5)

# What a service scores at once, how often in one measurement, and from how many threads.
BATCH_ROWS, BATCH_CALLS, N_CALLERS = 1000, 50, 8


@dataclass
class Problem:
    """Rows, a start, and the model a few iterations from there give."""

    X: np.ndarray
    start: Start
    iterations: int
    threads: int

    def __post_init__(self) -> None:
        self.model = library.em(self.X, self.start, 3, self.threads)

    def iteration(self, dtype: type = np.float64) -> tuple[float, float]:
        """One EM iteration: a long run less a short one."""
        X = self.X.astype(dtype, copy=False)
        last = []

        def measure() -> float:
            short, _ = timed(lambda: library.em(X, self.start, 1, self.threads))
            long, model = timed(
                lambda: library.em(X, self.start, 1 + self.iterations, self.threads)
            )
            last[:] = [library.lower_bound(model)]
            return (long - short) / self.iterations

        return steady(measure), last[0]

    def float32(self) -> tuple[float, float]:
        return self.iteration(np.float32)

    def scoring(self, method: str) -> tuple[float, float]:
        """All rows scored once."""
        score = getattr(library, method)
        value = float(np.mean(score(self.model, self.X)))
        return steady(lambda: timed(lambda: score(self.model, self.X))[0]), value

    def row(self) -> tuple[float, float]:
        """``score_samples`` of one row."""
        score, row = library.score_samples, self.X[:1]

        def measure() -> float:
            taken, _ = timed(lambda: [score(self.model, row) for _ in range(SINGLE_ROW_CALLS)])
            return taken / SINGLE_ROW_CALLS

        return steady(measure), float(score(self.model, row)[0])

    def batch(self) -> tuple[float, float]:
        """``score_samples`` of a thousand rows."""
        score, some = library.score_samples, self.X[:BATCH_ROWS]

        def measure() -> float:
            taken, _ = timed(lambda: [score(self.model, some) for _ in range(BATCH_CALLS)])
            return taken / BATCH_CALLS

        return steady(measure), float(np.mean(score(self.model, some)))

    def callers(self) -> tuple[float, float]:
        """The same from eight Python threads at once, for each call of one of them."""
        score, some = library.score_samples, self.X[:BATCH_ROWS]

        def call(_: int) -> None:
            for _ in range(BATCH_CALLS):
                score(self.model, some)

        with ThreadPoolExecutor(N_CALLERS) as pool:

            def measure() -> float:
                taken, _ = timed(lambda: list(pool.map(call, range(N_CALLERS))))
                return taken / (N_CALLERS * BATCH_CALLS)

            return steady(measure), float(np.mean(score(self.model, some)))

    def small(self) -> tuple[float, float]:
        """A default fit, start included."""
        K, family = len(self.start.weights), self.start.covariance_type

        def fits() -> list:
            return [library.fit(self.X, K, family, seed, self.threads) for seed in SMALL_FIT_SEEDS]

        bounds = [library.lower_bound(model) for model in fits()]
        seconds = steady(lambda: timed(fits)[0] / len(SMALL_FIT_SEEDS))
        return seconds, float(np.mean(bounds))


def answer(request: dict, problem: Problem | None) -> tuple[dict, Problem | None]:
    """The answer to one request, and the problem that later ones are about."""
    if request["do"] == "load":
        X, start = np.load(request["rows"]), Start.load(Path(request["start"]))
        return {}, Problem(X, start, request["iterations"], request["threads"])
    if request["do"] in METHODS:
        seconds, value = problem.scoring(request["do"])
    else:
        seconds, value = getattr(problem, request["do"])()
    return {"seconds": seconds, "value": value}, problem


def main(threads: str) -> None:
    def reply(message: dict) -> None:
        print(json.dumps(message), flush=True)

    reply({"imported": gaussmix.__file__})
    problem = None
    with threadpool_limits(int(threads)):
        for line in sys.stdin:
            try:
                message, problem = answer(json.loads(line), problem)
            except Exception as error:
                message = {"error": f"{type(error).__name__}: {error}"}
            reply(message)


if __name__ == "__main__":
    main(*sys.argv[1:])
