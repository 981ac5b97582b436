"""This machine: which instruction set the kernels use, and how many threads.

The instruction set is chosen once: the widest one that this build contains and this processor and
operating system run, or the one that the environment variable ``GAUSSMIX_ISA`` named when this
module was imported. Different instruction sets agree to rounding; one instruction set gives the
same bits for any number of threads.

The number of threads is decided at every call, see `thread_count`; which threads those are, and
how many remain when others compute already or the system refuses some, in `_kernels/threads.h`.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from gaussmix import _build_config
from gaussmix._checks.parameters import check_n_threads
from gaussmix._common.text import shown
from gaussmix._common.warnings import warn
from gaussmix._kernels import _cpu, _threads
from gaussmix._settings import MOST_THREADS

if TYPE_CHECKING:
    from gaussmix._kernels._algebra_baseline import Algebra as Algebra
    from gaussmix._kernels._draw_baseline import DrawingKernels as DrawingKernels
    from gaussmix._kernels._em_baseline import Kernels as Kernels
    from gaussmix._kernels._em_baseline import ScoringJob as ScoringJob
    from gaussmix._kernels._em_baseline import TileKernels as TileKernels
    from gaussmix._kernels._missing_baseline import IncompleteJob as IncompleteJob
    from gaussmix._kernels._missing_baseline import MissingKernels as MissingKernels
    from gaussmix._kernels._rows_baseline import RowKernels as RowKernels

# Every name that a build may contain, from the narrowest to the widest.
INSTRUCTION_SETS = ("baseline", "x86v3", "x86v4")

# A quota can change while the process lives (a container resized in place); reading it takes about
# 0.1 ms, which a small predict would notice.
_QUOTA_LIFETIME = 5.0  # seconds


# --- instruction sets ----------------------------------------------------------------------------


def built_instruction_sets() -> tuple[str, ...]:
    """Instruction sets this build of gaussmix contains, from the narrowest to the widest."""
    return _build_config.INSTRUCTION_SETS


def supported_instruction_sets() -> tuple[str, ...]:
    """Instruction sets this machine runs, from the narrowest to the widest."""
    return _cpu.supported_instruction_sets()


def choose_instruction_set(
    requested: str | None, built: Sequence[str], supported: Sequence[str]
) -> str:
    """Return the widest usable instruction set, or the requested one.

    Parameters
    ----------
    requested : str or None
        Value of ``GAUSSMIX_ISA``; None or an empty string leaves the choice to this function.
    built, supported : sequence of str
        What the build contains and what the machine runs, from the narrowest to the widest.

    Raises
    ------
    ValueError
        If this build does not contain the requested instruction set, or there is none of that
        name.
    RuntimeError
        If this machine cannot run it.
    """
    if not requested:
        return [name for name in built if name in supported][-1]
    if requested not in INSTRUCTION_SETS:
        raise ValueError(
            f"GAUSSMIX_ISA={shown(requested)}: no instruction set is known by that name. Choose "
            "one of "
            f"{', '.join(built)} or unset GAUSSMIX_ISA."
        )
    if requested not in built:
        raise ValueError(
            f"GAUSSMIX_ISA={shown(requested)}: this build of gaussmix does not contain that "
            f"instruction set. It contains: {', '.join(built)}. Choose one of these or unset "
            f"GAUSSMIX_ISA."
        )
    if requested not in supported:
        raise RuntimeError(
            f"GAUSSMIX_ISA={shown(requested)}: this machine cannot run that instruction set. "
            f"It runs: {', '.join(supported)}. Choose one of these or unset GAUSSMIX_ISA."
        )
    return requested


_REQUESTED = os.environ.get("GAUSSMIX_ISA")


@cache
def instruction_set() -> str:
    """Name of the instruction set in use: "baseline", "x86v3" or "x86v4".

    Raises
    ------
    ValueError, RuntimeError
        If ``GAUSSMIX_ISA`` is no such name, or names one that cannot be used here. Not when the
        package is imported, so that the command line can say it in a line.
    """
    return choose_instruction_set(
        _REQUESTED, built_instruction_sets(), supported_instruction_sets()
    )


@cache
def kernels(single: bool = False) -> Kernels:
    """Return the compiled module in use, for computations in double or in single precision."""
    name = f"gaussmix._kernels._em_{instruction_set()}{'_single' if single else ''}"
    return cast("Kernels", importlib.import_module(name))


@cache
def missing_kernels() -> MissingKernels:
    """Return the compiled module in use for rows with missing values."""
    name = f"gaussmix._kernels._missing_{instruction_set()}"
    return cast("MissingKernels", importlib.import_module(name))


@cache
def row_kernels() -> RowKernels:
    """Return the compiled module in use for what is asked of rows before a mixture reads them."""
    name = f"gaussmix._kernels._rows_{instruction_set()}"
    return cast("RowKernels", importlib.import_module(name))


@cache
def algebra() -> Algebra:
    """Return the compiled module in use for products and factorisations of matrices."""
    name = f"gaussmix._kernels._algebra_{instruction_set()}"
    return cast("Algebra", importlib.import_module(name))


@cache
def drawing_kernels() -> DrawingKernels:
    """Return the compiled module in use for draws."""
    name = f"gaussmix._kernels._draw_{instruction_set()}"
    return cast("DrawingKernels", importlib.import_module(name))


# A module that was built but cannot be imported is a fault to be seen, no reason to take another.
with suppress(ValueError, RuntimeError):  # of `choose_instruction_set`; raised when asked again
    kernels(), kernels(single=True), missing_kernels(), row_kernels()
    algebra(), drawing_kernels()


# --- threads -------------------------------------------------------------------------------------


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

    A limit set in the OpenMP runtime, for instance by `threadpoolctl.threadpool_limits`, bounds 3
    and 4, where this build knows OpenMP. Cheap enough for every call; the quota is read again
    after five seconds.

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
        is none.
    """
    if n_threads is None:
        n_threads = _limit.get()
    if n_threads is not None:
        return check_n_threads(n_threads)
    own = _own_thread_variable(os.environ.get("GAUSSMIX_NUM_THREADS", ""))
    if own is not None:
        return own
    wanted = _openmp_thread_variable(os.environ.get("OMP_NUM_THREADS", "")) or available_cpus()
    return min(wanted, _threads.openmp_max_threads() or wanted)


def _own_thread_variable(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    number = _whole_number(text)
    if number is None or not 1 <= number <= MOST_THREADS:
        most = f" and at most {MOST_THREADS}" if text.isdecimal() else ""
        raise ValueError(
            "The environment variable GAUSSMIX_NUM_THREADS must be a whole number of at least 1"
            f"{most}. Got {shown(text)} instead. Correct it or unset it."
        )
    return number


def _openmp_thread_variable(text: str) -> int | None:
    number = _whole_number(text.split(",")[0].strip())
    return number if number and number <= MOST_THREADS else None


def _whole_number(text: str) -> int | None:
    """The number that digits spell; None for other text, and for more than a double holds."""
    # The interpreter refuses to read thousands of digits.
    if not text.isdecimal() or len(text.lstrip("0")) > sys.float_info.max_10_exp:
        return None
    return int(text)


def available_cpus() -> int:
    """Return the number of CPUs this process may keep busy: affinity and cgroup quota, at least 1.

    A quota of 1.5 CPUs counts as 2: two threads then run three quarters of the time, which is
    faster than one thread all the time.
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity masks
        cpus = os.cpu_count() or 1
    quota = _cached_cpu_quota()
    if quota is not None:
        cpus = min(cpus, math.ceil(quota))
    return max(cpus, 1)


# (time of reading, quota); replaced as a whole, so threads need no lock.
_quota_cache: tuple[float, float | None] | None = None


def _cached_cpu_quota() -> float | None:
    global _quota_cache
    now = time.monotonic()
    if _quota_cache is None or now - _quota_cache[0] > _QUOTA_LIFETIME:
        _quota_cache = (now, cpu_quota())
    return _quota_cache[1]


def cpu_quota(root: str | os.PathLike[str] = "/") -> float | None:
    """Return the CPU quota of this process's cgroup in CPUs, or None when there is no limit.

    Reads cgroup versions 1 and 2. A limit on any parent group holds as well, so the smallest of
    the path counts. Files that are missing, empty or make no sense set no limit.

    Parameters
    ----------
    root : path, default "/"
        Directory under which ``proc`` and ``sys`` are looked for.
    """
    limits = [limit for limit in _group_limits(Path(root)) if limit is not None]
    return min(limits, default=None)


def _group_limits(root: Path) -> Iterator[float | None]:
    """Yield the limit of every group this process belongs to and of the groups above it."""
    mounts = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        # Lines are "number:controllers:path"; version 2 has no controllers.
        _, _, rest = line.partition(":")
        controllers, separator, path = rest.partition(":")
        if not separator:
            continue
        if not controllers:
            # Beside version 1 the version 2 tree is mounted at "unified".
            for mount in (mounts, mounts / "unified"):
                for group in _with_parents(mount, path):
                    yield _limit_v2(group)
        elif "cpu" in controllers.split(","):
            for mount in (mounts / controllers, mounts / "cpu"):
                for group in _with_parents(mount, path):
                    yield _limit_v1(group)


def _with_parents(mount: Path, path: str) -> Iterator[Path]:
    """Yield mount/path and every directory above it down to the mount itself.

    Inside a container the path may be the host's and not exist under the mount, whose top is then
    the container's own group: the walk ends there. ".." (a group outside the cgroup namespace) is
    left out.
    """
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _limit_v2(group: Path) -> float | None:
    """Limit from cpu.max: "quota period" in microseconds, or "max period"."""
    fields = _read(group / "cpu.max").split()
    return _ratio(*fields) if len(fields) == 2 else None


def _limit_v1(group: Path) -> float | None:
    """Limit from cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us."""
    return _ratio(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    limit, interval = _whole_number(quota.strip()), _whole_number(period.strip())
    return limit / interval if limit and interval else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# --- refused threads -----------------------------------------------------------------------------

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


_threads.report_refusals_to(_report_refusal)


# --- what is in use ------------------------------------------------------------------------------


class Config(TypedDict):
    """What `show_config` prints."""

    version: str
    compiler: str
    instruction_set: str
    vector_bits: int
    built_instruction_sets: tuple[str, ...]
    supported_instruction_sets: tuple[str, ...]
    openmp: bool
    openmp_libraries: tuple[str, ...]
    threads: int
    available_cpus: int
    cpu_quota: float | None


def config() -> Config:
    """Return what `show_config` prints, as a dictionary."""
    return {
        "version": _build_config.VERSION,
        "compiler": kernels().compiler(),
        "instruction_set": instruction_set(),
        "vector_bits": 8 * kernels().vector_bytes(),
        "built_instruction_sets": built_instruction_sets(),
        "supported_instruction_sets": supported_instruction_sets(),
        "openmp": _build_config.OPENMP,
        "openmp_libraries": _openmp_libraries(),
        "threads": thread_count(),
        "available_cpus": available_cpus(),
        "cpu_quota": cpu_quota(),
    }


def show_config() -> None:
    """Print what this build contains and what is used on this machine.

    The version, the compiler, the built, supported and chosen instruction sets, the number of
    threads a large computation would use now, and the OpenMP runtimes whose limit it keeps.
    Please add it to a bug report.

    Examples
    --------
    >>> import gaussmix
    >>> gaussmix.show_config()  # doctest: +SKIP
    gaussmix 0.1.0
      compiler          gcc 12.2.0
      instruction set   x86v4, vectors of 512 bits
      built             baseline, x86v3, x86v4
      runs here         baseline, x86v3, x86v4
      threads           2 (CPUs available: 2; CPU quota: none)
      OpenMP's limit    kept (/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0)
    """
    found = config()
    if found["openmp"]:
        openmp = f"kept ({', '.join(found['openmp_libraries']) or 'library not located'})"
    else:
        openmp = "unknown: built without OpenMP"
    quota = "none" if found["cpu_quota"] is None else f"{found['cpu_quota']:g} CPUs"
    lines = {
        "compiler": found["compiler"],
        "instruction set": f"{found['instruction_set']}, vectors of {found['vector_bits']} bits",
        "built": ", ".join(found["built_instruction_sets"]),
        "runs here": ", ".join(found["supported_instruction_sets"]),
        "threads": f"{found['threads']} (CPUs available: {found['available_cpus']}; "
        f"CPU quota: {quota})",
        "OpenMP's limit": openmp,
    }
    print(f"gaussmix {found['version']}")
    for name, value in lines.items():
        print(f"  {name:<17} {value}")


def _openmp_libraries() -> tuple[str, ...]:
    """Paths of the OpenMP runtimes loaded in this process, where the system tells (Linux).

    Other libraries bring their own, so there can be several.
    """
    names = ("libgomp", "libomp", "libiomp")
    paths = set()
    for line in _read(Path("/proc/self/maps")).splitlines():
        # address permissions offset device inode path
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and os.path.basename(fields[5]).startswith(names):
            paths.add(fields[5])
    return tuple(sorted(paths))
