"""How many threads a computation may use.

That is decided at every call, see `thread_count`; which threads those are, and how many remain
when others compute already or the system refuses some, in `_kernels/team.h` and `threads.h`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .._common.settings import MOST_THREADS, check_n_threads
from .._common.text import shown
from .._common.warnings import warn
from .._kernels import _threads
from . import cgroups, openmp
from .system_text import whole_number

_limit: ContextVar[int | None] = ContextVar("n_threads", default=None)


@contextmanager
def limited(n_threads: int | None) -> Iterator[None]:
    """Have `thread_count` return this number inside the block; None changes nothing.

    For the M-step, far below where a user's `n_threads` is known.
    """
    token = _limit.set(n_threads)
    try:
        yield
    finally:
        _limit.reset(token)


def thread_count(n_threads: int | None = None) -> int:
    """Return how many threads a large computation may use now.

    The first of these that is set decides:

    1. the argument, or that of a `limited` block around the call;
    2. the environment variable ``GAUSSMIX_NUM_THREADS``;
    3. the environment variable ``OMP_NUM_THREADS`` (of a list such as "4,2" the first number;
       anything that is not a positive number is ignored, as OpenMP does);
    4. the CPUs this process may use: its affinity mask and the CPU quota of its cgroup.

    A limit set in the OpenMP runtime, by ``OMP_THREAD_LIMIT`` or `threadpoolctl.threadpool_limits`
    for instance, bounds 3 and 4, where this build has OpenMP. Cheap enough for every call; the
    quota is read again after five seconds.

    Parameters
    ----------
    n_threads : int or None, default None
        Number of threads, at least 1, or None for the rules above.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If ``GAUSSMIX_NUM_THREADS`` is set and is not a whole number of at least 1, or the argument
        is none, or ``GAUSSMIX_THREADING`` is wrong.
    """
    openmp.requested_threading()
    if n_threads is None:
        n_threads = _limit.get()
    if n_threads is not None:
        return check_n_threads(n_threads)
    own = _own_thread_variable(os.environ.get("GAUSSMIX_NUM_THREADS", ""))
    if own is not None:
        return own
    wanted = _openmp_thread_variable(os.environ.get("OMP_NUM_THREADS", ""))
    wanted = wanted or cgroups.available_cpus()
    return min(wanted, _threads.openmp_limit() or wanted)


def _own_thread_variable(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    number = whole_number(text)
    if number is None or not 1 <= number <= MOST_THREADS:
        most = f" and at most {MOST_THREADS}" if text.isdecimal() else ""
        raise ValueError(
            "The environment variable GAUSSMIX_NUM_THREADS must be a whole number of at least 1"
            f"{most}. Got {shown(text)} instead. Correct it or unset it."
        )
    return number


def _openmp_thread_variable(text: str) -> int | None:
    number = whole_number(text.split(",")[0].strip())
    return number if number and number <= MOST_THREADS else None


_refusal_reported = False


def _report_refusal() -> None:
    """Warn, once in a process, that the system refused threads."""
    global _refusal_reported
    if not _refusal_reported:
        _refusal_reported = True
        warn(
            RuntimeWarning(
                "The system refused to start a thread, so gaussmix computes with fewer: slower, "
                "with the same results. Raise the limit on processes or memory (ulimit -u, "
                "ulimit -v, the container's pids limit), or set n_threads or GAUSSMIX_NUM_THREADS "
                "to what it allows."
            )
        )


_threads.report_to(_report_refusal, openmp.raise_obstacle)
