"""Armadillo's gmm_full and gmm_diag, in a C++ program that is compiled when first needed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from shapes import Start

from libraries import Missing
from libraries.program import Program, run

FLAGS = ["-std=c++17", "-O3", "-march=native", "-fopenmp", "-DNDEBUG", "-DARMA_NO_DEBUG"]


@cache
def binary() -> str:
    """Compile the program; it lives as long as this process."""
    compiler = shutil.which("g++")
    if compiler is None:
        raise Missing("Armadillo needs the compiler g++")
    folder = tempfile.mkdtemp(prefix="armadillo-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    output = str(Path(folder) / "armadillo")
    source = str(Path(__file__).with_suffix(".cpp"))
    try:
        run([compiler, *FLAGS, source, "-o", output, "-larmadillo"])
    except RuntimeError as error:
        raise Missing(f"Armadillo is not installed (libarmadillo-dev): {error}") from None
    return output


class Armadillo(Program):
    name = "Armadillo"
    differences = (
        "covariances are E[xx'] - mm' about the origin, nothing is added to their diagonal "
        "(variances have a floor of 1e-10), and it stops early only where the log-likelihood no "
        f"longer changes. Compiled with {' '.join(FLAGS)}. Threads are OpenMP's. Its time is "
        "taken in the program, without reading the rows."
    )
    covariance_types = ("full", "diag")
    agreement = 1e-4

    def versions(self) -> dict[str, str]:
        return {"Armadillo": run([binary()]).split(" (")[0].strip()}

    def command(self, start: Start, X: np.ndarray, n_iter: int, folder: Path) -> list[str]:
        n, d = X.shape
        files = [str(folder / "START"), str(folder / "ROWS")]
        numbers = [str(value) for value in (n, d, len(start.weights), n_iter)]
        return [binary(), start.covariance_type, *files, *numbers, str(folder / "OUT")]


binary()
ADAPTER = Armadillo()
