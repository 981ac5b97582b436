"""What a fit reports while it runs: lines like scikit-learn's, or a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

# Seconds between two lines about rows read.
ROWS_SECONDS = 5.0


def reporter(verbose: int, interval: int, n_init: int, max_iter: int) -> _Lines | _Bar | None:
    """The reporter for one fit; None when there is nothing to report.

    A progress bar replaces the lines when tqdm is installed and standard error is a terminal.

    Parameters
    ----------
    verbose : int
        0 for silence, 1 for lines, 2 or more for lines with times and changes.
    interval : int
        Iterations between two lines.
    n_init, max_iter : int
        Number of starts and largest number of iterations of each.
    """
    if not verbose:
        return None
    if sys.stderr is not None and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return _Bar(tqdm, n_init, max_iter)
    return _Lines(verbose, interval)


class _Lines:
    """Lines on standard output, in scikit-learn's words."""

    def __init__(self, verbose: int, interval: int) -> None:
        self._times = verbose >= 2
        self._interval = interval
        self._started = self._printed = 0.0
        self._reported = perf_counter()

    def start(self, init: int) -> None:
        """Report that restart number `init`, from 0, begins."""
        print(f"Initialization {init}")
        self._started = self._printed = perf_counter()

    def iteration(self, n_iter: int, change: float) -> None:
        """Report iteration `n_iter`, from 1, which changed the lower bound by `change`."""
        if n_iter % self._interval:
            return
        line = f"  Iteration {n_iter}"
        if self._times:
            now = perf_counter()
            line += f"\t time lapse {now - self._printed:.5f}s\t ll change {change:.5f}"
            self._printed = now
        print(line)

    def rows(self, done: int, total: int) -> None:
        """Report how far a pass over rows in pieces has come, at times."""
        now = perf_counter()
        if now - self._reported >= ROWS_SECONDS:
            self._reported = now
            print(f"  {done:,} of {total:,} rows read")

    def repeated(self) -> None:
        """Report a restart that is not run, as its start is that of an earlier one."""
        print("Initialization dropped: it repeats an earlier one.")

    def end(self, lower_bound: float, converged: bool) -> None:
        """Report the end of a restart."""
        line = f"Initialization {'converged' if converged else 'did not converge'}."
        if self._times:
            elapsed = perf_counter() - self._started
            line += f" time lapse {elapsed:.5f}s\t lower bound {lower_bound:.5f}."
        print(line)

    def close(self) -> None:
        """Nothing is left open."""


class _Bar:
    """A bar over all iterations of all restarts; one that ends early jumps ahead."""

    def __init__(self, tqdm: Callable[..., Any], n_init: int, max_iter: int) -> None:
        self._max_iter = max_iter
        self._n_init = n_init
        self._init = 0
        self._bar = tqdm(total=n_init * max_iter, unit="iteration", leave=True)

    def start(self, init: int) -> None:
        self._init = init
        self._bar.set_description(f"start {init + 1} of {self._n_init}")

    def rows(self, done: int, total: int) -> None:
        self._bar.set_postfix(rows=f"{done / total:.0%}")

    def iteration(self, n_iter: int, change: float) -> None:
        self._bar.set_postfix(change=f"{change:.2g}", refresh=False)
        self._bar.update(1)

    def end(self, lower_bound: float, converged: bool) -> None:
        self._bar.set_postfix(lower_bound=f"{lower_bound:.5f}", converged=converged)
        self._jump()

    def repeated(self) -> None:
        self._bar.set_postfix(dropped="repeats an earlier start")
        self._jump()

    def _jump(self) -> None:
        """Go to where the next restart begins."""
        self._bar.update((self._init + 1) * self._max_iter - self._bar.n)

    def close(self) -> None:
        self._bar.close()
