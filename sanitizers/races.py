"""What the race detector watches: every kernel on several threads, and many callers at once.

Run by tsan.sh and archer.sh, which count what is reported meanwhile. This file sees to it that
there is something to watch: it fails when a kernel, an E-step or an M-step was never given more
than one thread, and when a concurrent call does not have the bits of the same call alone.
"""

from __future__ import annotations

import os
import resource
import threading
import warnings
from collections.abc import Callable

import numpy as np

from gaussmix import GaussianMixture
from gaussmix._parameters import linear_algebra
from gaussmix._runtime import instruction_sets, openmp

N_THREADS = 4
CALLERS = 8

# Every kernel that computes on several threads, by the module it is in, and how many it was given.
LAST = -1
PARALLEL: dict[str, dict[str, Callable[[tuple], int]]] = {
    "kernels": dict.fromkeys(
        ("accumulate", "evaluate", "squared_distances"), lambda args: args[LAST]
    ),
    "missing_kernels": dict.fromkeys(
        ("accumulate_incomplete", "evaluate_incomplete"),
        lambda args: len(args[LAST]),  # scratch, a row for each thread
    ),
    "row_kernels": {
        **dict.fromkeys(("column_moments", "group_patterns"), lambda args: args[LAST]),
        "first_nonfinite": lambda args: args[2],
    },
    "algebra": dict.fromkeys(
        ("multiply", "factorise", "invert", "orthonormalise"), lambda args: args[LAST]
    ),
    "drawing_kernels": {"draw_rows": lambda args: args[LAST]},
}

# E-steps and M-steps that belong to other kernels than `accumulate`.
ELSEWHERE = {"distances", "none"}


class Watched:
    """A compiled module that notes which of its kernels were given more than one thread."""

    def __init__(self, kind: str, module):
        self._module = module
        self._parallel = PARALLEL[kind]
        steps = {"E-step": "ESTEPS", "M-step": "MSTEPS"} if kind == "kernels" else {}
        self._names = {
            step: {code: name for name, code in getattr(module, codes).items()}
            for step, codes in steps.items()
        }
        self.seen: set[str] = set()

    @property
    def expected(self) -> set[str]:
        steps = {f"{step} {n}" for step in self._names for n in self._names[step].values()}
        return {*self._parallel} | steps - {f"{s} {n}" for s in self._names for n in ELSEWHERE}

    def __getattr__(self, name):
        attribute = getattr(self._module, name)
        return self._noting(name, attribute) if name in self._parallel else attribute

    def _noting(self, name: str, kernel: Callable) -> Callable:
        def call(*args):
            if self._parallel[name](args) > 1:
                self.seen.add(name)
                if name == "accumulate":
                    self.seen.add(f"E-step {self._names['E-step'][args[3]]}")
                    self.seen.add(f"M-step {self._names['M-step'][args[4]]}")
            return kernel(*args)

        return call


def draw(n: int, d: int, K: int, *, apart: float = 3.0, dtype: type = np.float64) -> np.ndarray:
    """Rows around K centres that lie `apart` deviations from each other in every column."""
    rng = np.random.default_rng([n, d, K])
    centres = apart * rng.permuted(np.tile(np.arange(K), (d, 1)), axis=1).T
    return (rng.normal(size=(n, d)) + centres[rng.integers(K, size=n)]).astype(dtype)


def fit(X: np.ndarray, K: int, covariance_type: str, **parameters) -> GaussianMixture:
    model = GaussianMixture(
        K, covariance_type=covariance_type, random_state=0, max_iter=2, tol=0.0,
        n_threads=N_THREADS, **parameters,
    )  # fmt: skip
    return model.fit(X, sample_weight=np.linspace(0.0, 2.0, len(X)))


def every_kernel() -> None:
    """Fits and scores that between them take every way through the kernels."""
    for covariance_type in ("full", "tied", "diag", "spherical"):
        for dtype in (np.float64, np.float32):
            for n, d, K in ((20_000, 3, 4), (18_000, 24, 5)):
                X = draw(n, d, K, dtype=dtype)
                score(fit(X, K, covariance_type), X)
        # Components so far apart that sums are taken about their own means.
        fit(draw(20_000, 3, 4, apart=1e5), 4, covariance_type, init_params="random_from_data")
        fit(draw(20_000, 3, 4), 4, covariance_type, init_params="random")
    # Values missing, in many patterns, and filled in.
    for covariance_type in ("full", "tied"):
        X = draw(20_000, 12, 3)
        X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
        model = fit(X, 3, covariance_type, allow_nan=True)
        model.predict(X)
        model.impute(X, return_std=True)
    model.mahalanobis(draw(20_000, 12, 3))
    # So many components that M-steps no longer keep their sums lane by lane, and that factors are
    # shared among threads.
    X = draw(4_000, 24, 4)
    fit(X, 400, "diag", init_params="random")
    fit(X, 100, "full", init_params="random")
    # Matrices that are factorised by blocks, and more rows at a time than patterns lack values.
    fit(draw(600, 300, 1), 1, "full")
    linear_algebra.orthonormal_rows(np.random.default_rng(0).normal(size=(200, 20, 40)))


def score(model: GaussianMixture, X: np.ndarray) -> list[np.ndarray]:
    scores = [model.predict(X), model.predict_proba(X), model.score_samples(X)]
    return [*scores, *model.sample(len(X), random_state=0)]


def many_callers() -> None:
    """One model scored by all, clones fitted by all, and both at once."""
    X = draw(20_000, 6, 4)
    few = X[:5]
    fitted = fit(X, 4, "full")

    def unscored() -> GaussianMixture:
        """The same model with nothing prepared for scoring yet."""
        arrays = fitted.weights_, fitted.means_, fitted.covariances_
        return GaussianMixture.from_parameters(*arrays).set_params(n_threads=N_THREADS)

    def fitted_attributes() -> list[np.ndarray]:
        model = fit(X, 4, "diag")
        return [model.weights_, model.means_, model.covariances_]

    def calls(model: GaussianMixture) -> list[Callable[[], list[np.ndarray]]]:
        return [lambda: score(model, X), lambda: score(model, few), fitted_attributes]

    expected = [bits(call()) for call in calls(unscored())]
    shared = calls(unscored())
    wrong: list[int] = []

    def caller(index: int) -> None:
        for turn in range(index, index + 2 * len(shared)):
            which = turn % len(shared)
            if bits(shared[which]()) != expected[which]:
                wrong.append(which)

    together(caller)
    if wrong:
        raise SystemExit(f"races.py: {len(wrong)} concurrent calls gave other bits than alone")


def bits(arrays: list[np.ndarray]) -> list[bytes]:
    return [array.tobytes() for array in arrays]


def together(caller: Callable[[int], None], before: Callable[[], None] = lambda: None) -> None:
    """Call with 0, 1, ... at once, with 0 in this thread; `before` when all threads are there."""
    start = threading.Barrier(CALLERS, action=before)

    def begin(index: int) -> None:
        start.wait()
        caller(index)

    threads = [threading.Thread(target=begin, args=(index,)) for index in range(1, CALLERS)]
    for thread in threads:
        thread.start()
    begin(0)
    for thread in threads:
        thread.join()


def refused_callers() -> None:
    """Callers that ask for more threads than the system grants; nothing can follow this."""
    X = draw(100_000, 3, 4)  # worth more threads than are there and at work for others

    def refuse() -> None:
        if os.getuid() == 0:
            os.setuid(65534)  # the limit does not bind root
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    def caller(index: int) -> None:
        for _ in range(3):
            GaussianMixture(
                4, random_state=0, max_iter=1, init_params="random_from_data",
                n_threads=4 * CALLERS + index,
            ).fit(X)  # fmt: skip

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        together(caller, before=refuse)
    if not any(issubclass(warning.category, RuntimeWarning) for warning in caught):
        raise SystemExit("races.py: no thread was refused")


def main() -> None:
    warnings.filterwarnings("ignore", ".*did not converge")  # two iterations are enough here
    watched = {
        single: Watched("kernels", instruction_sets.kernels(single)) for single in (False, True)
    }
    instruction_sets.kernels = lambda single=False: watched[single]
    all_double = [watched[False]]
    for kind in PARALLEL.keys() - {"kernels"}:
        module = Watched(kind, getattr(instruction_sets, kind)())
        setattr(instruction_sets, kind, lambda module=module: module)
        all_double.append(module)
    every_kernel()
    missing = set().union(*(module.expected - module.seen for module in all_double))
    # Starts are sought in double precision, as are factors.
    missing |= watched[True].expected & {"accumulate", "evaluate"} - watched[True].seen
    if missing:
        raise SystemExit(f"races.py: never on more than one thread: {', '.join(sorted(missing))}")
    many_callers()
    if openmp.requested_threading() != "openmp":  # which is an error where threads are refused
        refused_callers()
    print("races.py: every kernel ran on several threads, and concurrent calls were right")


if __name__ == "__main__":
    main()
