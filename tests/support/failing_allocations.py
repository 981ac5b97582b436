"""Calls in which allocations fail, one after the other; `test_memory` starts this as a process.

Usage, with the library made from fail_malloc.c in LD_PRELOAD:

    python failing_allocations.py CASE MODES STRIDE

The n-th allocation of a call fails, for n = 1, 1 + STRIDE, ... until a call has fewer than n. In
the mode "once" that one alone fails, in "lasting" every later one too; "once,lasting" is both.
Prints a JSON object: how often each outcome was seen, and what was not as it should be.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import json
import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import gaussmix
from gaussmix import GaussianMixture

# What CPython says when it has no memory to ask an object for its path or its buffer.
WORDS_OF_CPYTHON = {
    "expected str, bytes or os.PathLike object, not PosixPath",
    "readinto() argument must be read-write bytes-like object, not numpy.ndarray",
}

# NumPy allocates the buffers of an operation with broadcasting after it has let go of the GIL, if
# it has more than 500 elements, and dies when it cannot: no array of the fits below has so many.
MOST_ELEMENTS = 500

NEVER_ENDING = 2**62


class Allocator:
    """The library made from fail_malloc.c, which this process was started with."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        self._arm, self._disarm = library.arm, library.disarm
        self._arm.argtypes, self._arm.restype = (ctypes.c_long, ctypes.c_long), None
        self._disarm.restype = ctypes.c_long

    def attempt(self, call, first, last):
        """Call while allocations first..last fail: (result, error, number of allocations)."""
        result = error = None
        self._arm(first, last)
        try:
            result = call()
        except BaseException as raised:
            error = raised
        return result, error, self._disarm()


def digest(value):
    """The bits of a result, a model's fitted attributes included."""
    if isinstance(value, GaussianMixture):
        return [(name, digest(item)) for name, item in sorted(vars(value).items())]
    if isinstance(value, gaussmix.SufficientStatistics):
        return [digest(item) for item in vars(value).values()]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return repr(value)


class Case:
    """A call on a fitted model.

    Parameters
    ----------
    model : GaussianMixture
        Every call gets a copy that has not scored yet.
    call : callable
        ``call(model)``; its result is compared bit by bit.
    out : ndarray, optional
        Where the call writes to: as it was after a failure.
    directory : path, optional
        Where the call writes the file "model.npz": the old or the new one after a failure, and
        nothing beside it.
    """

    def __init__(self, model, call, out=None, directory=None):
        self.model = model
        self.call = call
        self.out = out
        self.directory = directory
        self.contents = set()
        for _ in range(3):  # what is allocated once, in the first calls, is in place
            self.expected = self.of(copy.deepcopy(model))
            self._remember()
        self.reset()
        self._remember()

    def of(self, model):
        return digest(self.call(model))

    def _remember(self):
        if self.directory is not None:
            self.contents.add((self.directory / "model.npz").read_bytes())

    def reset(self):
        if self.out is not None:
            self.out.fill(7)
        if self.directory is not None:
            (self.directory / "model.npz").write_bytes(b"an older file")

    def fail(self, allocator, first, last):
        """One call in which allocations fail: (its outcome, what is wrong, allocations)."""
        self.reset()
        model = copy.deepcopy(self.model)
        before = digest(model)
        result, error, count = allocator.attempt(lambda: self.call(model), first, last)
        if error is None:
            wrong = [] if digest(result) == self.expected else ["another result"]
            return "result", wrong, count
        wrong = [] if is_memory_error(error) else [f"{type(error).__name__}: {error}"]
        if digest(model) != before:
            wrong.append("the model has changed")
        if self.out is not None and (self.out != 7).any():
            wrong.append("something was written to out")
        if self.directory is not None:
            if os.listdir(self.directory) != ["model.npz"]:
                wrong.append(f"files: {os.listdir(self.directory)}")
            elif (self.directory / "model.npz").read_bytes() not in self.contents:
                wrong.append("the file is neither the old nor the new one")
        if self.of(model) != self.expected:
            wrong.append("the next call has another result")
        return type(error).__name__, wrong, count


def is_memory_error(error):
    """Whether an error says that memory is short, in its own words or in CPython's."""
    return isinstance(error, MemoryError) or str(error) in WORDS_OF_CPYTHON


# --- the calls -----------------------------------------------------------------------------------


def rows(n=60, d=3, dtype=np.float64):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[::2] += 6.0
    return X.astype(dtype)


def fitting(covariance_type="full", K=2, dtype=np.float64, d=3, **settings):
    assert K * d * d <= MOST_ELEMENTS
    X = rows(settings.pop("n", 60), d, dtype)
    if settings.get("allow_nan"):
        X[::3, 0] = np.nan
    model = GaussianMixture(
        K, covariance_type=covariance_type, random_state=0, max_iter=3, **settings
    )
    model.fit(X[: len(X) // 2] + 1)  # what a failing fit has to leave
    return Case(model, lambda model: model.fit(X))


def scoring(method, out=False, n_threads=1, dtype=np.float64, missing=False, **shape):
    X = rows(dtype=dtype, **shape)
    model = GaussianMixture(2, random_state=0, n_threads=n_threads, allow_nan=missing).fit(X)
    if missing:
        X[::3, 0] = np.nan
    if not out:
        return Case(model, lambda model: getattr(model, method)(X))
    array = np.empty_like(getattr(model, method)(X))
    return Case(model, lambda model: getattr(model, method)(X, out=array), out=array)


def sampling(**settings):
    model = GaussianMixture(2, random_state=0, **settings).fit(rows())
    model.sample(1)  # starts its stream, where a failing call has to leave it
    n_samples = 20_000 if settings else 10
    return Case(model, lambda model: model.sample(n_samples, random_state=1))


def updating():
    X = rows()
    model = GaussianMixture(2, random_state=0).fit(X)
    statistics = model.accumulate(X[:40])
    return Case(model, lambda model: model.update(statistics))


def stepping(method, *args, fitted=True):
    """A call that changes a model which learns from batches."""
    model = GaussianMixture(3, random_state=0)
    if fitted:
        model.fit(rows()).partial_fit(rows(20))
    return Case(model, lambda model: getattr(model, method)(*args))


def saving(directory):
    path = directory / "model.npz"
    return Case(
        GaussianMixture(2, random_state=0).fit(rows()),
        lambda model: model.save(path),
        directory=directory,
    )


def loading(directory):
    model = GaussianMixture(2, random_state=0).fit(rows())
    model.save(directory / "model.npz")
    return Case(model, lambda _model: gaussmix.load(directory / "model.npz"))


LARGE = {"n": 40_000}

CASES = {
    "fit full": lambda _: fitting("full"),
    "fit tied": lambda _: fitting("tied"),
    "fit diag": lambda _: fitting("diag"),
    "fit spherical": lambda _: fitting("spherical"),
    "fit float32": lambda _: fitting(K=1, dtype=np.float32, d=20),
    "fit missing": lambda _: fitting(allow_nan=True),
    "fit two threads": lambda _: fitting(n_threads=2, init_params="random_from_data", **LARGE),
    "predict": lambda _: scoring("predict", out=True),
    "predict_proba": lambda _: scoring("predict_proba", out=True),
    "score_samples": lambda _: scoring("score_samples", out=True),
    "score_samples float32": lambda _: scoring("score_samples", out=True, dtype="f4", d=20),
    "predict two threads": lambda _: scoring("predict", n_threads=2, **LARGE),
    "predict_proba missing": lambda _: scoring("predict_proba", out=True, missing=True),
    "impute": lambda _: scoring("impute", missing=True),
    "score": lambda _: scoring("score"),
    "icl": lambda _: scoring("icl"),
    "accumulate": lambda _: scoring("accumulate"),
    "update": lambda _: updating(),
    "fit_predict": lambda _: stepping("fit_predict", rows()),
    "first partial_fit": lambda _: stepping("partial_fit", rows(), fitted=False),
    "partial_fit": lambda _: stepping("partial_fit", rows(20)),
    "retire": lambda _: stepping("retire", 1),
    "revive": lambda _: stepping("revive", 1),
    "sample": lambda _: sampling(),
    "sample two threads": lambda _: sampling(n_threads=2),
    "save": saving,
    "load": loading,
}


def main(name, modes, stride):
    warnings.simplefilter("ignore")  # of fits that end after three iterations
    allocator = Allocator(os.environ["LD_PRELOAD"])
    outcomes, problems = Counter(), []
    with tempfile.TemporaryDirectory() as directory:
        case = CASES[name](Path(directory))
        gc.disable()
        for mode in modes:
            n = 1
            while True:
                last = n if mode == "once" else NEVER_ENDING
                outcome, wrong, count = case.fail(allocator, n, last)
                outcomes[outcome] += 1
                problems += [f"{mode}, allocation {n}: {problem}" for problem in wrong]
                if count < n:
                    break
                n += stride
    print(json.dumps({"outcomes": outcomes, "problems": problems}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]))
