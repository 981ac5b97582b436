"""Is the start of a default fit as good as scikit-learn's, and what does it cost?

    python benchmarks/starts.py                      five data sets, 20 seeds each
    python benchmarks/starts.py --data digits iris --seeds 50
    python benchmarks/starts.py --shrink 10          ten times fewer rows of the two synthetic sets

Prints the smallest, median and largest final mean log-likelihood of default fits over the seeds,
the median number of iterations and seconds, and the share of the start (the same fit with
max_iter=0) in that time.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import ModuleType

import numpy as np
from libraries import LIBRARIES, load
from shapes import SHAPES, rows
from threadpoolctl import threadpool_limits

TEST_DATA = Path(__file__).resolve().parent.parent / "tests" / "data"


def vendored(name: str, n_columns: int) -> np.ndarray:
    with open(TEST_DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))[1:]
    return np.array([[float(value) for value in row[:n_columns]] for row in table])


def digits() -> np.ndarray:
    """scikit-learn's digits on their first 20 principal components, (1797, 20)."""
    from sklearn.datasets import load_digits

    X = load_digits().data
    centred = X - X.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:20].T


def synthetic(number: int, shrink: int) -> np.ndarray:
    return rows(SHAPES[number].smaller(shrink)) if shrink > 1 else rows(SHAPES[number])


# name -> (rows, given by how much to shrink synthetic ones; number of components)
DATA: dict[str, tuple[Callable[[int], np.ndarray], int]] = {
    "old-faithful": (lambda shrink: vendored("old_faithful", 2), 2),
    "iris": (lambda shrink: vendored("iris", 4), 3),
    "digits": (lambda shrink: digits(), 10),
    "2e5x32": (lambda shrink: synthetic(2, shrink), 16),
    "1e6x10": (lambda shrink: synthetic(1, shrink), 8),
}


def one_seed(
    library: ModuleType, X: np.ndarray, K: int, seed: int, n_threads: int
) -> dict[str, float]:
    """One default fit and one start of the same seed."""
    begin = time.perf_counter()
    model = library.fit(X, K, "full", seed, n_threads)
    fitted = time.perf_counter()
    library.initialize(X, K, "full", seed, n_threads)
    started = time.perf_counter()
    return {
        "quality": float(np.mean(library.score_samples(model, X))),
        "iterations": library.iterations(model),
        "fit": fitted - begin,
        "start": started - fitted,
    }


def print_row(cells: list[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--libraries", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    parser.add_argument("--seeds", type=int, default=20, help="seeds 0, 1, ... (default 20)")
    parser.add_argument(
        "--shrink", type=int, default=1, help="divide the rows of synthetic data by this"
    )
    parser.add_argument("--threads", type=int, default=usable)
    options = parser.parse_args()
    if min(options.seeds, options.shrink, options.threads) < 1:
        parser.error("--seeds, --shrink and --threads must be at least 1")

    libraries = {name: load(name) for name in options.libraries}
    header = ["data", "library", "min mean logL", "median", "max", "iterations", "fit ms"]
    print_row([*header, "start ms", "share"])
    print_row(["---", "---", *["---:"] * 7])
    for name in options.data:
        make, K = DATA[name]
        X = make(options.shrink)
        seeds: dict[str, list[dict]] = {library: [] for library in libraries}
        for seed in range(options.seeds):
            with threadpool_limits(options.threads):
                for label, library in libraries.items():
                    seeds[label].append(one_seed(library, X, K, seed, options.threads))
        for label, results in seeds.items():
            quality = [result["quality"] for result in results]
            fit = median(result["fit"] for result in results)
            start = median(result["start"] for result in results)
            print_row(
                [
                    f"{name} {len(X):,}x{X.shape[1]}, K={K}",
                    label,
                    *(f"{value:.5f}" for value in (min(quality), median(quality), max(quality))),
                    f"{median(result['iterations'] for result in results):.0f}",
                    f"{1e3 * fit:,.2f}",
                    f"{1e3 * start:,.2f}",
                    f"{start / fit:.0%}",
                ]
            )


if __name__ == "__main__":
    main()
