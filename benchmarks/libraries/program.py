"""Libraries that run as a program of their own: rows and start in files, seconds on its output."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapes import Start

from libraries import Library, Missing, Parameters


@dataclass(frozen=True)
class Run:
    """What a program printed and left behind."""

    words: list[str]
    parameters: Parameters
    iterations: int


class Program(Library):
    """A library whose adapter starts a program.

    The program reads and writes parameters as doubles: weights (K,), means (K, d), covariances,
    one after the other in C order, and prints first the seconds that EM alone took.
    """

    def command(self, start: Start, X: np.ndarray, n_iter: int, folder: Path) -> list[str]:
        """The program and its arguments; START, ROWS and OUT are files in ``folder``."""
        raise NotImplementedError

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> Run:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            X.tofile(folder / "ROWS")
            parts = (start.weights, start.means, start.covariances)
            np.concatenate([part.ravel() for part in parts]).tofile(folder / "START")
            environment = os.environ | {
                "OMP_NUM_THREADS": str(n_threads),
                "OPENBLAS_NUM_THREADS": str(n_threads),
            }
            command = self.command(start, X, n_iter, folder)
            output = run(command, environment)
            flat = np.fromfile(folder / "OUT")
        lengths = np.cumsum([part.size for part in parts])
        weights, means, covariances = np.split(flat, lengths[:-1])
        parameters = Parameters(
            weights, means.reshape(start.means.shape), covariances.reshape(parts[2].shape)
        )
        if flat.size != lengths[-1] or not all(map(math.isfinite, flat[:1])):
            raise RuntimeError(f"{self.name} left no parameters: {output}")
        return Run(output.split(), parameters, n_iter)

    def iterations(self, model: Run) -> int:
        return model.iterations

    def parameters(self, model: Run) -> Parameters:
        return model.parameters

    def seconds(self, model: Run) -> float:
        return float(model.words[0])


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """What a command prints; its error output becomes the exception's message."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError:
        raise Missing(f"there is no program {command[0]}") from None
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
