"""Peak memory of one task above X, in a process of its own.

    python memory.py LIBRARY ROWS.npy START.npz TASK THREADS

TASK is ``em`` (two iterations from the start) or ``fit`` (a default fit). X is read and
the library imported before the base is taken, so what counts is what the task allocates, its
thread stacks and work space included. Prints the number of bytes.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
from libraries import load
from shapes import Start
from threadpoolctl import threadpool_limits


def peak_bytes() -> int:
    """The most memory this program ever had resident.

    Not ru_maxrss where it can be helped: on Linux that begins with the peak of the process that
    started this one.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(library_name: str, rows: str, start_file: str, task: str, n_threads: str) -> None:
    library = load(library_name)
    threads = int(n_threads)
    X = np.load(rows)
    start = Start.load(Path(start_file))
    with threadpool_limits(threads):
        base = peak_bytes()
        if task == "em":
            library.em(X, start, 2, threads)
        else:
            library.fit(X, len(start.weights), start.covariance_type, 0, threads)
        print(peak_bytes() - base)


if __name__ == "__main__":
    main(*sys.argv[1:])
