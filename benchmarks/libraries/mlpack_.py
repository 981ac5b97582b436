"""mlpack's gmm_train, in a process for every run."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import mlpack  # noqa: F401  only whether it is installed
import numpy as np
from shapes import Start

from libraries.program import Program


class Mlpack(Program):
    name = "mlpack"
    differences = (
        "its binding cannot be told where to start: it starts from one step of its own k-means, "
        "the same in the long and the short run (seeding works for the first call of a process), "
        "and gaussmix is then run from there to see whether the arithmetic is the same. full "
        "makes two E-steps an iteration. Nothing is added to the diagonal of a covariance, and "
        "no_force_positive is set, so that eigenvalues are not changed. Threads are OpenMP's and "
        "its OpenBLAS's; its time is taken without reading the rows."
    )
    covariance_types = ("full", "diag")
    own_start = True
    agreement = 1e-4

    def versions(self) -> dict[str, str]:
        return {"mlpack": version("mlpack")}

    def command(self, start: Start, X: np.ndarray, n_iter: int, folder: Path) -> list[str]:
        n, d = X.shape
        program = str(Path(__file__).with_name("mlpack_program.py"))
        numbers = [str(value) for value in (n, d, len(start.weights), n_iter)]
        rows = str(folder / "ROWS")
        command = [sys.executable, program, start.covariance_type, rows, *numbers]
        return [*command, str(folder / "OUT")]


ADAPTER = Mlpack()
