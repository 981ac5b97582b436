"""The CPUs that this process may use: its affinity mask, and the quota of its cgroup."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from .._kernels import _threads
from .system_text import read_text, whole_number

# A quota can change while the process lives (a container resized in place); reading it takes about
# 0.1 ms, which a small predict would notice.
_QUOTA_LIFETIME = 5.0  # seconds


def available_cpus() -> int:
    """Return the number of CPUs this process may keep busy: affinity and cgroup quota, at least 1.

    A quota of 1.5 CPUs counts as 2: two threads then run three quarters of the time, which is
    faster than one thread all the time. Where OpenMP ties each thread to a place, the calling
    thread may have one CPU alone, and the places tell.
    """
    try:
        cpus = _threads.bound_cpus() or len(os.sched_getaffinity(0))
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
    for line in read_text(root / "proc/self/cgroup").splitlines():
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
    fields = read_text(group / "cpu.max").split()
    return _ratio(*fields) if len(fields) == 2 else None


def _limit_v1(group: Path) -> float | None:
    """Limit from cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us."""
    return _ratio(read_text(group / "cpu.cfs_quota_us"), read_text(group / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    limit, interval = whole_number(quota.strip()), whole_number(period.strip())
    return limit / interval if limit and interval else None
