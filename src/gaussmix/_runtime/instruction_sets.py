"""Which instruction set the kernels use, and the compiled modules of it.

It is chosen once: the widest one that this build contains and this processor and operating system
run, or the one that the environment variable ``GAUSSMIX_ISA`` named when this module was
imported. Different instruction sets agree to rounding; one instruction set gives the same bits for
any number of threads.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, cast

from .. import _build_config
from .._common.text import shown
from .._kernels import _cpu

if TYPE_CHECKING:
    from .._kernels._algebra_baseline import Algebra as Algebra
    from .._kernels._draw_baseline import DrawingKernels as DrawingKernels
    from .._kernels._em_baseline import Kernels as Kernels
    from .._kernels._em_baseline import ScoringJob as ScoringJob
    from .._kernels._em_baseline import TileKernels as TileKernels
    from .._kernels._missing_baseline import IncompleteJob as IncompleteJob
    from .._kernels._missing_baseline import MissingKernels as MissingKernels
    from .._kernels._rows_baseline import RowKernels as RowKernels

# Every name that a build may contain, from the narrowest to the widest.
INSTRUCTION_SETS = ("baseline", "x86v3", "x86v4")


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
