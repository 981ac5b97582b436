"""What missing values cost: the time of an EM iteration, and peak memory.

    python benchmarks/missing.py                    about three minutes on two cores, 3 GB
    python benchmarks/missing.py --quick            does everything run?
    python benchmarks/missing.py --types full diag --threads 1
    python benchmarks/missing.py --write            puts the tables into docs/missing.md

A tenth of the values is missing: each by itself, which makes hundreds of patterns, or in three
groups of columns of which a row lacks one or none, which makes four. Times are ratios to an
iteration on the same rows with nothing missing, from the same start; the kinds take turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from measurements import steady, timed
from memory import peak_bytes
from run import machine
from shapes import Shape, Start, common_start, rows
from tables import milliseconds, table_lines, with_tables

from gaussmix import ConvergenceWarning, GaussianMixture

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "missing.md"

TYPES = ("full", "tied", "diag", "spherical")
FEATURES, COMPONENTS = 10, 8

# Columns that are missing together; a row lacks one of these groups, or none.
GROUPS = ((0, 1), (2, 3, 4), (5, 6, 7, 8, 9))

SHARE = 0.1  # of the values that is missing

# A run of 1 + m iterations less a run of one, over m, is an iteration.
ITERATIONS = 10

LEAST_ROWS = 1000


# --- what is missing -----------------------------------------------------------------------------


def each_by_itself(X: np.ndarray) -> np.ndarray:
    """A copy of X without a tenth of its values."""
    missing = np.random.default_rng(1).random(X.shape) < SHARE
    return np.where(missing, np.nan, X)


def in_groups(X: np.ndarray) -> np.ndarray:
    """A copy of X in which rows lack whole groups of columns, a tenth of the values."""
    rng = np.random.default_rng(2)
    group = rng.integers(len(GROUPS), size=len(X))
    # A group has a third of the columns, on average.
    lacks = rng.random(len(X)) < SHARE * len(GROUPS)
    incomplete = X.copy()
    for number, columns in enumerate(GROUPS):
        incomplete[np.ix_(lacks & (group == number), columns)] = np.nan
    return incomplete


KINDS = {
    "nothing": None,
    "nothing, NaN allowed": np.copy,
    "each by itself": each_by_itself,
    "in groups": in_groups,
}


def n_patterns(X: np.ndarray) -> int:
    """Number of different sets of missing columns among the rows."""
    return len(np.unique(np.packbits(np.isnan(X), axis=1), axis=0))


# --- time ----------------------------------------------------------------------------------------


def em(X: np.ndarray, start: Start, n_iter: int, threads: int, allow_nan: bool) -> GaussianMixture:
    """So many iterations from a start."""
    model = GaussianMixture(
        len(start.weights),
        covariance_type=start.covariance_type,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=start.precisions,
        tol=0.0,
        max_iter=n_iter,
        n_threads=threads,
        allow_nan=allow_nan,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)


def iteration(X: np.ndarray, start: Start, threads: int, allow_nan: bool) -> float:
    """Seconds of one EM iteration."""
    short, long = (
        timed(lambda n=n: em(X, start, n, threads, allow_nan))[0] for n in (1, 1 + ITERATIONS)
    )
    return (long - short) / ITERATIONS


def seconds(
    data: dict[str, np.ndarray], start: Start, threads: int, repeats: int
) -> dict[str, list[float]]:
    """Seconds of an iteration for each kind of rows, in turns A B C A B C ..."""
    found: dict[str, list[float]] = {kind: [] for kind in data}
    for _ in range(repeats):
        for kind, X in data.items():
            allow_nan = kind != "nothing"
            found[kind].append(steady(partial(iteration, X, start, threads, allow_nan)))
    return found


def ratio(found: dict[str, list[float]], kind: str) -> float:
    """How many times an iteration on complete rows one of this kind takes: median over turns."""
    turns = zip(found[kind], found["nothing"], strict=True)
    return median(ours / complete for ours, complete in turns)


def measured_times(
    n: int, types: list[str], threads: int, repeats: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds of an iteration, by family and kind."""
    X = rows(Shape(n, FEATURES, COMPONENTS, "full", 1))
    data = {kind: X if make is None else make(X) for kind, make in KINDS.items()}
    found = {}
    for covariance_type in types:
        start = common_start(Shape(n, FEATURES, COMPONENTS, covariance_type, 1), X)
        found[covariance_type] = seconds(data, start, threads, repeats)
    return found


def time_table(found: dict[str, dict[str, list[float]]], n: int, threads: int) -> list[str]:
    """Milliseconds with nothing missing, and the ratios of the others, in Markdown."""
    kinds = [kind for kind in KINDS if kind != "nothing"]
    body = [
        [
            covariance_type,
            milliseconds(median(of_type["nothing"])),
            *(f"{ratio(of_type, kind):.2f}" for kind in kinds),
        ]
        for covariance_type, of_type in found.items()
    ]
    title = f"An EM iteration with a tenth of the values missing, n = {n:,}, d = 10, K = 8"
    facts = machine(threads)
    where = f"{facts['processor']}, {threads} of {facts['usable CPUs']} CPUs"
    return [
        *table_lines(title, ["covariances", "nothing missing, ms", *kinds], body),
        f"Last columns: times an iteration with nothing missing. {where}.",
        "",
    ]


# --- memory --------------------------------------------------------------------------------------


def peak(file: str, task: str, threads: int) -> int:
    """Bytes above X that a task allocates at its peak; to be called in a new process."""
    X = np.load(file)
    begin = Start(
        "full",
        np.full(COMPONENTS, 1 / COMPONENTS),
        np.nan_to_num(X[:COMPONENTS]),
        np.repeat(np.eye(FEATURES)[None], COMPONENTS, axis=0),
    )
    base = peak_bytes()
    if task == "em":
        em(X, begin, 2, threads, allow_nan=True)
    else:
        model = GaussianMixture(
            COMPONENTS, max_iter=5, random_state=0, n_threads=threads, allow_nan=True
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X)
    return peak_bytes() - base


def peaks(sizes: list[int], threads: int) -> dict[str, list[list[float]]]:
    """Megabytes of two iterations and of a fit, by kind and number of rows."""
    found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS if kind != "nothing"}
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            X = rows(Shape(n, FEATURES, COMPONENTS, "full", 1))
            for kind, of_kind in found.items():
                file = Path(folder) / "rows.npy"
                np.save(file, KINDS[kind](X))
                command = [
                    sys.executable,
                    __file__,
                    "--threads",
                    str(threads),
                    "--peak",
                    str(file),
                ]
                of_kind.append([
                    int(subprocess.run(
                        [*command, task], check=True, capture_output=True, text=True
                    ).stdout) / 1e6
                    for task in ("em", "fit")
                ])  # fmt: skip
    return found


def memory_table(found: dict[str, list[list[float]]], sizes: list[int]) -> list[str]:
    """Peak memory in Markdown."""
    header = ["missing", "task", *(f"n = {n:,}" for n in sizes)]
    body = [
        [kind if task == 0 else "", words, *(f"{values[task]:.1f}" for values in of_kind)]
        for kind, of_kind in found.items()
        for task, words in enumerate(("two iterations", "fit with its start"))
    ]
    return table_lines("Megabytes above X at the peak, full covariances", header, body)


# --- the command line ----------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rows, few repeats")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="default 1000000")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="default 2")
    parser.add_argument("--types", nargs="+", choices=TYPES, default=list(TYPES))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/missing.md")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rows < LEAST_ROWS:
        parser.error(f"--rows must be at least {LEAST_ROWS}")
    if min(options.repeats, options.threads) < 1:
        parser.error("--repeats and --threads must be at least 1")
    if options.peak:
        print(peak(*options.peak, options.threads))
        return
    n, repeats = (20_000, 2) if options.quick else (options.rows, options.repeats)
    found = measured_times(n, options.types, options.threads, repeats)
    sizes = [n // 4, n, 4 * n]
    made = {
        "iteration": time_table(found, n, options.threads),
        "memory": memory_table(peaks(sizes, options.threads), sizes),
    }
    print("\n".join(line for lines in made.values() for line in lines))
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, "missing.py", made), encoding="utf-8")


if __name__ == "__main__":
    main()
