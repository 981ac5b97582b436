"""Studies of whole fits: time and final log-likelihood over seeds, restarts, acceleration."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from statistics import median

import numpy as np
from datasets import STARTS, DataSet, digits
from libraries import Library
from measurements import steady, summary, timed
from shapes import Shape, rows, spherical_rows

N_INIT = 10

# Components alike, about so many deviations apart: they overlap, and EM needs many iterations.
DISTANCE = 2.5
OVERLAPPING = {
    "1e5x10 K=8": Shape(100_000, 10, 8, "full", 1),
    "2e4x2 K=5": Shape(20_000, 2, 5, "full", 1),
    "2e4x10 K=8 tied": Shape(20_000, 10, 8, "tied", 1),
    "2e4x10 K=8 diag": Shape(20_000, 10, 8, "diag", 1),
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
    shape = settings.shape(Shape(200_000, 10, 8, "full", 1))
    return {
        "2e5x10": restarts_on(settings, rows(shape), shape.K),
        "digits": restarts_on(settings, settings.rows(digits()), 10),
    }


def restarts_on(settings: Settings, X: np.ndarray, K: int) -> dict:
    def one(**arguments: int) -> object:
        return settings.gaussmix.fitted(X, K, settings.n_threads, **arguments)

    def best_of(seeds: range) -> object:
        models = [one(random_state=seed) for seed in seeds]
        return max(models, key=lambda model: model.lower_bound_)

    runs: dict[str, list[tuple]] = {"n_init=10": [], "ten fits": []}
    for turn in range(settings.repeats):
        seeds = range(N_INIT * turn, N_INIT * (turn + 1))
        together = timed(lambda turn=turn: one(n_init=N_INIT, random_state=turn))
        runs["n_init=10"].append(together)
        runs["ten fits"].append(timed(lambda seeds=seeds: best_of(seeds)))
    result: dict = {"n": len(X), "d": X.shape[1], "K": K}
    for label, of_label in runs.items():
        qualities = [float(model.score(X)) for _, model in of_label]
        result[label] = summary([taken for taken, _ in of_label])
        result[label]["mean log-likelihood"] = spread_of(qualities)
    return result


def acceleration(settings: Settings) -> dict:
    """Plain EM and SQUAREM to tol = 1e-6 from the same starts, on components that overlap."""
    if "acceleration" not in inspect.signature(settings.gaussmix.mixture).parameters:
        return {"skipped": "this gaussmix has no acceleration"}
    return {
        name: accelerated(settings, settings.shape(shape)) for name, shape in OVERLAPPING.items()
    }


def accelerated(settings: Settings, shape: Shape) -> dict:
    X = spherical_rows(shape, DISTANCE)[0]

    def to_convergence(seed: int, arguments: dict) -> object:
        common = {"tol": 1e-6, "max_iter": 10_000, "random_state": seed}
        common["covariance_type"] = shape.covariance_type
        return settings.gaussmix.fitted(X, shape.K, settings.n_threads, **common, **arguments)

    runs: dict[str, list[tuple]] = {"plain": [], "squarem": []}
    for seed in settings.seeds(10):
        for label, of_label in runs.items():
            arguments = {} if label == "plain" else {"acceleration": label}
            fit = timed(lambda seed=seed, arguments=arguments: to_convergence(seed, arguments))
            of_label.append(fit)
    result: dict = {"n": len(X), "d": shape.d, "K": shape.K, "type": shape.covariance_type}
    for label, of_label in runs.items():
        result[label] = summary([taken for taken, _ in of_label]) | {
            "iterations": [model.n_iter_ for _, model in of_label],
            "mean log-likelihood": spread_of([float(model.score(X)) for _, model in of_label]),
        }
    return result
