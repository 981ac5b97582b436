"""Studies of whole fits: time and final log-likelihood over seeds, restarts, acceleration."""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
from datasets import STARTS, DataSet, digits
from libraries import Library
from measurements import steady, summary, timed
from shapes import Shape, labelled_rows, rows

N_INIT = 10

# Means close to each other: components overlap and EM needs hundreds of iterations.
OVERLAPPING = {
    "5e4x10 K=8": (Shape(50_000, 10, 8, "full", 1), 0.6),
    "2e4x4 K=5": (Shape(20_000, 4, 5, "full", 1), 0.8),
}


@dataclass(frozen=True)
class Settings:
    """What every study is told: the libraries of this process, threads, turns, and how small."""

    libraries: dict[str, Library]
    n_threads: int
    repeats: int
    fit_repeats: int
    quick: bool

    @property
    def gaussmix(self) -> Library:
        return self.libraries["gaussmix"]

    def shape(self, shape: Shape) -> Shape:
        return shape.tiny() if self.quick else shape

    def rows(self, X: np.ndarray) -> np.ndarray:
        """A few rows from everywhere in quick runs, else all."""
        return np.ascontiguousarray(X[:: -(-len(X) // 500)]) if self.quick else X

    def seeds(self, number: int) -> range:
        return range(2 if self.quick else number)


def spread_of(values: list[float]) -> dict:
    return {"min": min(values), "median": median(values), "max": max(values), "all": values}


def one_seed(settings: Settings, name: str, X: np.ndarray, K: int, seed: int) -> dict[str, float]:
    """A default fit, and its start alone, of one seed."""
    library = settings.libraries[name]
    models: list[object] = []

    def fit() -> float:
        taken, model = timed(lambda: library.fit(X, K, "full", seed, settings.n_threads))
        models[:] = [model]
        return taken

    taken = steady(fit)
    model = models[0]
    start, _ = timed(lambda: library.initialize(X, K, "full", seed, settings.n_threads))
    quality = float(np.mean(library.score_samples(model, X)))
    iterations = library.iterations(model)
    return {"seconds": taken, "start": start, "quality": quality, "iterations": iterations}


def seeds_of(settings: Settings, data: DataSet) -> dict:
    """Default fits of every library, seed after seed."""
    X = settings.rows(data.make())
    names = [name for name, library in settings.libraries.items() if library.fits]
    fits: dict[str, list[dict]] = {name: [] for name in names}
    for seed in settings.seeds(data.seeds):
        for name in names:
            fits[name].append(one_seed(settings, name, X, data.K, seed))
    result: dict = {"n": len(X), "d": X.shape[1], "K": data.K}
    for name, of_library in fits.items():
        result[name] = summary([fit["seconds"] for fit in of_library])
        result[name] |= {
            "start seconds": spread_of([fit["start"] for fit in of_library]),
            "iterations": [fit["iterations"] for fit in of_library],
            "mean log-likelihood": spread_of([fit["quality"] for fit in of_library]),
        }
    return result


def starts(settings: Settings) -> dict:
    """Is the start of a default fit as good as others', and what does it cost?"""
    result: dict = {}
    for name, data in STARTS.items():
        try:
            result[name] = seeds_of(settings, data)
        except ImportError as error:
            result[name] = {"skipped": str(error)}
    return result


def restarts(settings: Settings) -> dict:
    """One fit with n_init = 10 against ten fits, of other seeds, whose best is kept."""
    library = settings.gaussmix
    shape = settings.shape(Shape(200_000, 10, 8, "full", 1))
    synthetic = rows(shape)
    result: dict = {}
    for name, X, K in (("2e5x10", synthetic, shape.K), ("digits", settings.rows(digits()), 10)):
        together: list[tuple] = []
        separate: list[tuple] = []
        for turn in range(settings.repeats):
            together.append(
                timed(
                    lambda X=X, K=K, turn=turn: library.fitted(
                        X, K, settings.n_threads, n_init=N_INIT, random_state=turn
                    )
                )
            )
            begin = time.perf_counter()
            models = [
                library.fitted(X, K, settings.n_threads, random_state=N_INIT * turn + i)
                for i in range(N_INIT)
            ]
            taken = time.perf_counter() - begin
            separate.append((taken, max(models, key=lambda model: model.lower_bound_)))
        result[name] = {"n": len(X), "d": X.shape[1], "K": K}
        for label, runs in (("n_init=10", together), ("ten fits", separate)):
            result[name][label] = summary([taken for taken, _ in runs]) | {
                "mean log-likelihood": spread_of([float(model.score(X)) for _, model in runs])
            }
    return result


def acceleration(settings: Settings) -> dict:
    """Plain EM and SQUAREM to tol = 1e-6 from the same starts, on components that overlap."""
    library = settings.gaussmix
    if "acceleration" not in inspect.signature(library.mixture).parameters:
        return {"skipped": "this gaussmix has no acceleration"}
    result: dict = {}
    for name, (shape, spread) in OVERLAPPING.items():
        shape = settings.shape(shape)
        X, _ = labelled_rows(shape, spread=spread)
        runs: dict[str, list[dict]] = {"plain": [], "squarem": []}
        for seed in settings.seeds(10):
            for label, of_label in runs.items():
                arguments = {"acceleration": "squarem"} if label == "squarem" else {}
                taken, model = timed(
                    lambda X=X, K=shape.K, seed=seed, arguments=arguments: library.fitted(
                        X,
                        K,
                        settings.n_threads,
                        tol=1e-6,
                        max_iter=10_000,
                        random_state=seed,
                        **arguments,
                    )
                )
                quality = float(model.score(X))
                of_label.append(
                    {"seconds": taken, "iterations": model.n_iter_, "quality": quality}
                )
        result[name] = {"n": len(X), "d": shape.d, "K": shape.K, "spread of means": spread}
        for label, of_label in runs.items():
            result[name][label] = summary([run["seconds"] for run in of_label]) | {
                "iterations": [run["iterations"] for run in of_label],
                "mean log-likelihood": spread_of([run["quality"] for run in of_label]),
            }
    return result
