"""What a second thread costs and brings, here and in a forked process.

For passes of growing work it times one EM pass (E-step and sums) on one and on two threads, in
turns. Where two threads are not clearly faster, `_rows.array_rows.THREAD_WORK` should keep them
away.

    python benchmarks/threads.py
    python benchmarks/threads.py --busy 1    # while another program computes
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from gaussmix._em.initialization import initial_parameters
from gaussmix._estep import accumulation
from gaussmix._rows import array_rows

SHAPES = ((2, 3), (10, 8), (32, 16))  # features, components

# Time spent on each number of threads, whatever a pass takes.
SECONDS = 0.3


def pass_of(n: int, d: int, K: int, n_threads: int):
    """A function that makes one pass, and the multiply-adds the planner counts for it."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0.0, 4.0, size=(K, d))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    rows = array_rows.Rows(X, n_threads=n_threads)
    start = initial_parameters(
        rows, K, "full", init_params="random_from_data", reg_covar=1e-6,
        random_state=np.random.RandomState(0), scan=rows.scan(),
    )  # fmt: skip
    asked = []
    threads = rows.threads
    rows.threads = lambda work: asked.append(work) or min(n_threads, threads(1 << 60))
    accumulation.accumulate(start, rows)
    return lambda: accumulation.accumulate(start, rows), asked[-1]


def medians(calls) -> list[float]:
    """Median time of each call in microseconds, taken in turns."""
    times = [[] for _ in calls]
    end = time.perf_counter() + SECONDS * len(calls)
    while time.perf_counter() < end or len(times[0]) < 9:
        for call, taken in zip(calls, times):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [1e6 * statistics.median(taken) for taken in times]


def table(where: str) -> None:
    print(f"\n{where}: microseconds a pass, medians")
    print(f"{'n':>8} {'d':>3} {'K':>3} {'work':>11} {'1 thread':>9} {'2 threads':>9} {'ratio':>6}")
    for d, K in SHAPES:
        for exponent in range(12, 19):
            n = 1 << exponent
            (one, work), (two, _) = pass_of(n, d, K, 1), pass_of(n, d, K, 2)
            serial, parallel = medians([one, two])
            print(f"{n:8d} {d:3d} {K:3d} {work:11d} {serial:9.0f} {parallel:9.0f} "
                  f"{serial / parallel:6.2f}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--busy", type=int, default=0, help="programs that compute meanwhile")
    options = parser.parse_args()
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
              for _ in range(options.busy)]  # fmt: skip
    try:
        parent_and_child()
    finally:
        for other in others:
            other.kill()


def parent_and_child() -> None:
    table("parent")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        table("forked child")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
