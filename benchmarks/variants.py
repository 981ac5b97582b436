"""Studies of passes: float32, sparse responsibilities, instruction sets, few rows, draws."""

from __future__ import annotations

from functools import partial

import numpy as np
from agreement import as_start
from fits import Settings
from libraries import Missing, Parameters
from measurements import Case, in_turns, iteration, steady, timed
from peers import Peer
from shapes import SHAPES, Shape, Start, common_start, labelled_rows, rows

INSTRUCTION_SETS = ("x86v3", "x86v4")

# Distance of the means, in units of the components' spread, and what that is called.
SEPARATION = {"separated": 30.0, "overlapping": 0.3}
SPARSE = (Shape(200_000, 32, 16, "full", 4), Shape(200_000, 39, 64, "diag", 8))

DRAWN = (SHAPES[1], SHAPES[2], SHAPES[5])

SCORED = Shape(200_000, 16, 16, "full", 1)
THOUSAND = 1000


def described(shape: Shape) -> dict:
    return {"n": shape.n, "d": shape.d, "K": shape.K, "type": shape.covariance_type}


def iteration_seconds(settings: Settings, shape: Shape, X: np.ndarray, start: Start) -> float:
    """Seconds of one iteration of gaussmix on these rows."""

    def em(n_iter: int) -> float:
        return timed(lambda: settings.gaussmix.em(X, start, n_iter, settings.n_threads))[0]

    return (em(1 + shape.iterations) - em(1)) / shape.iterations


def float32(settings: Settings) -> list[dict]:
    """An iteration on float32 rows beside one on float64 rows, for shapes of 32 features or more.

    The log-likelihoods are those of the run that is timed, relative to the float64 one.
    """
    result = []
    for full_size in (shape for shape in SHAPES if shape.d >= 32):
        shape = settings.shape(full_size)
        X = rows(shape)
        start = common_start(shape, X)
        data = {"float64": X, "float32": X.astype(np.float32)}
        bounds = {
            name: settings.gaussmix.em(
                values, start, 1 + shape.iterations, settings.n_threads
            ).lower_bound_
            for name, values in data.items()
        }
        times = in_turns(
            data,
            settings.repeats,
            lambda name, shape=shape, start=start, data=data: iteration_seconds(
                settings, shape, data[name], start
            ),
        )
        difference = abs(bounds["float32"] - bounds["float64"]) / abs(bounds["float64"])
        result.append(
            described(shape)
            | times
            | {
                "ratio": times["float64"]["median"] / times["float32"]["median"],
                "relative difference of log-likelihood": difference,
            }
        )
    return result


def moments(X: np.ndarray, labels: np.ndarray, shape: Shape) -> Start:
    """The start at which every component is the group of rows with its label."""
    groups = [X[labels == k] for k in range(shape.K)]
    full = shape.covariance_type == "full"
    covariances = [
        np.cov(group.T) + 1e-6 * np.eye(shape.d) if full else group.var(axis=0) + 1e-6
        for group in groups
    ]
    weights = np.array([len(group) / len(X) for group in groups])
    means = np.array([group.mean(axis=0) for group in groups])
    parameters = Parameters(weights, means, np.array(covariances))
    return as_start(parameters, shape.covariance_type)


def sparse(settings: Settings) -> list[dict]:
    """An iteration where components are far apart and where they overlap, rows in order or not.

    Every run starts at the moments of the components the rows were drawn from, so that far apart
    each row belongs to one component in all of its iterations.
    """
    result = []
    for shape in map(settings.shape, SPARSE):
        data = {}
        for name, spread in SEPARATION.items():
            X, labels = labelled_rows(shape, spread=spread)
            start = moments(X, labels, shape)
            data[f"{name}, shuffled"] = X, start
            data[f"{name}, sorted"] = X[np.argsort(labels, kind="stable")], start
        times = in_turns(
            data,
            settings.repeats,
            lambda name, shape=shape, data=data: iteration_seconds(settings, shape, *data[name]),
        )
        result.append(described(shape) | times)
    return result


def instruction_sets(settings: Settings) -> list[dict]:
    """An iteration with each instruction set, forced in a process of its own."""
    result = []
    for shape in map(settings.shape, SHAPES):
        X = rows(shape)
        peers, skipped = {}, {}
        for name in INSTRUCTION_SETS:
            try:
                peers[name] = Peer("gaussmix", settings.n_threads, {"GAUSSMIX_ISA": name})
            except Missing as error:
                skipped[name] = str(error)
        case = Case(
            {},
            shape,
            X,
            common_start(shape, X),
            settings.n_threads,
            settings.repeats,
            settings.fit_repeats,
            peers,
        )
        measured = iteration(case)
        for peer in peers.values():
            peer.close()
        result.append(
            described(shape) | measured["iteration"] | {"skipped": skipped | measured["skipped"]}
        )
    return result


def thousand_rows(settings: Settings) -> dict:
    """score_samples of 1,000 rows, a call at a time, against 1,000 of many rows on one thread."""
    shape = settings.shape(SCORED)
    X = rows(shape)
    few = X[:THOUSAND].copy()
    start = common_start(shape, X)
    library = settings.gaussmix
    alone = library.em(X, start, 3, 1)
    shared = library.em(X, start, 3, settings.n_threads)
    calls = {
        "a call, one thread": (alone, few),
        "a call": (shared, few),
        "of many rows, one thread": (alone, X),
    }
    times = in_turns(
        calls,
        settings.repeats,
        lambda name: (
            steady(lambda: timed(lambda: library.score_samples(*calls[name]))[0])
            * THOUSAND
            / len(calls[name][1])
        ),
    )
    kernel = times["of many rows, one thread"]["median"]
    ratio = {name: times[name]["median"] / kernel for name in ("a call, one thread", "a call")}
    return described(shape) | times | {"times the kernel's": ratio}


def draws(settings: Settings) -> list[dict]:
    """`sample` of as many rows as a shape has, with the parameters three iterations give."""
    result = []
    for shape in map(settings.shape, DRAWN):
        X = rows(shape)
        start = common_start(shape, X)
        drawn = {
            name: partial(library.sample, library.em(X, start, 3, settings.n_threads), shape.n)
            for name, library in settings.libraries.items()
        }
        times = in_turns(drawn, settings.repeats, lambda name, drawn=drawn: timed(drawn[name])[0])
        result.append(described(shape) | times)
    return result
