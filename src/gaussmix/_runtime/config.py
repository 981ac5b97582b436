"""What this build contains, and what is used on this machine."""

from __future__ import annotations

from typing import TypedDict

from .. import _build_config
from .._kernels import _threads
from . import cgroups, openmp
from .instruction_sets import (
    built_instruction_sets,
    instruction_set,
    kernels,
    supported_instruction_sets,
)
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
    openmp_settings: dict[str, str]
    threading: str
    threading_reason: str
    threads: int
    available_cpus: int
    cpu_quota: float | None


def config() -> Config:
    """Return what `show_config` prints, as a dictionary.

    ``threading`` is who would compute a long loop of the calling thread now, "openmp" or "pool",
    and ``threading_reason`` why it is not OpenMP.
    """
    openmp.requested_threading()  # or an error
    obstacle = _threads.obstacle()
    return {
        "version": _build_config.VERSION,
        "compiler": kernels().compiler(),
        "instruction_set": instruction_set(),
        "vector_bits": 8 * kernels().vector_bytes(),
        "built_instruction_sets": built_instruction_sets(),
        "supported_instruction_sets": supported_instruction_sets(),
        "openmp": _build_config.OPENMP,
        "openmp_libraries": openmp.openmp_libraries(),
        "openmp_settings": openmp.openmp_settings(),
        "threading": "pool" if obstacle else "openmp",
        "threading_reason": openmp.REASONS.get(obstacle, ""),
        "threads": thread_count(),
        "available_cpus": cgroups.available_cpus(),
        "cpu_quota": cgroups.cpu_quota(),
    }


def show_config() -> None:
    """Print what this build contains and what is used on this machine.

    The version, the compiler, the built, supported and chosen instruction sets, the number of
    threads a large computation would use now, who starts them (OpenMP or the library itself, and
    why), the OpenMP runtimes of this process and their settings. Please add it to a bug report.

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
      threading         OpenMP where a loop is long, else the library's pool
      OpenMP            /usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0; OMP_PROC_BIND=close
    """
    found = config()
    quota = "none" if found["cpu_quota"] is None else f"{found['cpu_quota']:g} CPUs"
    lines = {
        "compiler": found["compiler"],
        "instruction set": f"{found['instruction_set']}, vectors of {found['vector_bits']} bits",
        "built": ", ".join(found["built_instruction_sets"]),
        "runs here": ", ".join(found["supported_instruction_sets"]),
        "threads": f"{found['threads']} (CPUs available: {found['available_cpus']}; "
        f"CPU quota: {quota})",
        "threading": _threading(found),
    }
    if found["openmp"]:
        settings = [f"{name}={value}" for name, value in found["openmp_settings"].items()]
        libraries = found["openmp_libraries"] or ("library not located",)
        lines["OpenMP"] = "; ".join([*libraries, *settings])
    print(f"gaussmix {found['version']}")
    for name, value in lines.items():
        print(f"  {name:<17} {value}")


def _threading(found: Config) -> str:
    if found["threading"] == "pool":
        return f"the library's pool: {found['threading_reason']}"
    if openmp.requested_threading() == "openmp":
        return "OpenMP (GAUSSMIX_THREADING=openmp)"
    return "OpenMP where a loop is long, else the library's pool"
