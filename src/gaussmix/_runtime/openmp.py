"""Whether OpenMP's threads compute in this process, or the library's own.

Which loops of a process are OpenMP's is decided in `_kernels/team.h`; here is read what the
environment says about it, and said what came of it.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from .._common.text import shown
from .._kernels import _threads
from .system_text import read_text

# In words, what `_threads.obstacle` returns.
REASONS = {
    "not built": "this build has no OpenMP",
    "not wanted": "GAUSSMIX_THREADING=pool",
    "forked": "this process was forked, and OpenMP's threads do not come along with a fork",
    "small stack": "OMP_STACKSIZE leaves OpenMP's threads less than 256 KB",
    "nested": "the call comes from inside a parallel region of OpenMP's",
    "not first": "another thread of this process has OpenMP's team",
    "crowded": "other programs have just kept OpenMP's threads from the CPUs",
    "no room": "the system has no room for OpenMP's threads (a limit on processes, on the pids of "
    "the container, or on memory)",
}

_REQUESTED = os.environ.get("GAUSSMIX_THREADING", "")

# Linux's flag of a process that was forked and has started no program since.
_FORKED_NO_EXEC = 0x40

_STACK_SIZE = re.compile(r"\s*(\d{1,15})\s*([bkmg]?)\s*", re.IGNORECASE)


@cache
def requested_threading() -> str:
    """Who should compute: "openmp", "pool", or "" for whichever serves better.

    Raises
    ------
    ValueError
        If ``GAUSSMIX_THREADING`` is something else. Not when the package is imported, so that the
        command line can say it in a line.
    """
    requested = _REQUESTED.strip().lower()
    if requested not in ("", "openmp", "pool"):
        raise ValueError(
            "The environment variable GAUSSMIX_THREADING must be 'openmp' or 'pool'. Got "
            f"{shown(_REQUESTED)} instead. Correct it or unset it."
        )
    return requested


def openmp_settings() -> dict[str, str]:
    """The variables that this process's environment has for OpenMP's runtimes."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(("OMP_", "GOMP_", "KMP_"))
    }


def openmp_libraries() -> tuple[str, ...]:
    """Paths of the OpenMP runtimes loaded in this process, where the system tells (Linux).

    Other libraries bring their own, so there can be several.
    """
    names = ("libgomp", "libomp", "libiomp")
    paths = set()
    for line in read_text(Path("/proc/self/maps")).splitlines():
        # address permissions offset device inode path
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and os.path.basename(fields[5]).startswith(names):
            paths.add(fields[5])
    return tuple(sorted(paths))


def stack_bytes(settings: dict[str, str]) -> int:
    """What OpenMP's threads get for a stack; 0 for the system's default.

    A number of kilobytes, or one with its unit; what the runtime does not understand it ignores.
    """
    for name in ("OMP_STACKSIZE", "GOMP_STACKSIZE", "KMP_STACKSIZE"):
        found = _STACK_SIZE.fullmatch(settings.get(name, ""))
        if found is not None:
            power = "bkmg".index(found[2].lower() or "k")
            return min(int(found[1]) << 10 * power, 1 << 62)
    return 0


def spins_for_ever(settings: dict[str, str]) -> bool:
    """Whether idle threads of OpenMP's may look for work for longer than by default."""
    active = settings.get("OMP_WAIT_POLICY", "").strip().lower() == "active"
    return active or not {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"}.isdisjoint(settings)


def is_forked(stat: str) -> bool:
    """Whether a process was forked and has started no program since, by its /proc/self/stat.

    What its parent had then, of which nothing else is left to see, may be a team of OpenMP's.
    """
    fields = stat.rpartition(")")[2].split()
    return len(fields) > 6 and bool(int(fields[6]) & _FORKED_NO_EXEC)


def raise_obstacle(name: str) -> None:
    """Say why OpenMP's threads, which were asked for, cannot compute."""
    raise RuntimeError(
        f"GAUSSMIX_THREADING=openmp cannot be kept: {REASONS[name]}. Unset it, and the library's "
        "own threads compute where OpenMP's cannot, or set it to pool."
    )


def configure() -> None:
    """Tell the kernels what the environment says."""
    settings = openmp_settings()
    try:
        requested = requested_threading()
    except ValueError:  # raised when asked again
        requested = ""
    _threads.configure(
        requested,
        is_forked(read_text(Path("/proc/self/stat"))),
        stack_bytes(settings),
        spins_for_ever(settings),
    )


configure()
