"""What this build contains, and what is used on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

from .. import _build_config
from . import cgroups
from .instruction_sets import (
    built_instruction_sets,
    instruction_set,
    kernels,
    supported_instruction_sets,
)
from .system_text import read_text
from .threads import thread_count


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
        "available_cpus": cgroups.available_cpus(),
        "cpu_quota": cgroups.cpu_quota(),
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
    for line in read_text(Path("/proc/self/maps")).splitlines():
        # address permissions offset device inode path
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and os.path.basename(fields[5]).startswith(names):
            paths.add(fields[5])
    return tuple(sorted(paths))
