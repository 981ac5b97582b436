"""Random numbers that belong to a place: rows of a mixture, and the noise of rows drawn elsewhere.

What a row is follows from a key of 256 bits and from the row's number alone, by a generator that
encrypts counters (`_kernels/_random.pxi`): in whatever pieces rows are asked for and whatever
threads compute them, they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._common.typing import Doubles, Floats, Generator, Indices, Key
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import THREAD_WORK
from .._runtime import instruction_sets
from .._runtime.threads import thread_count
from .partition import CHUNK_ROWS, CHUNK_WORK, ROUND_WORK

# What a normal number costs, in multiply-adds.
_NORMAL_WORK = 25

# Rows of one component that a chunk should have where each has a factor: a strip of vectors.
_RUN_ROWS = 24

# Normal numbers of a tile, to stay in the second-level cache.
_TILE_VALUES = 1 << 15


def key_from(generator: Generator) -> Key:
    """The next key of a generator."""
    return np.frombuffer(generator.bytes(32), dtype="<u8").astype(np.uint64)


def draw(
    parameters: MixtureParameters,
    key: Key,
    first: int,
    X: Floats,
    y: Indices,
    n_threads: int | None,
) -> None:
    """Of the rows that a key decides, write those from number `first` on.

    Parameters
    ----------
    parameters : MixtureParameters
    key : ndarray of uint64, shape (4,)
    first : int
    X : ndarray of shape (n, d)
        Filled with the rows; float32 ones are float64 ones rounded.
    y : ndarray of int, shape (n,)
        Filled with their components.
    n_threads : int or None
    """
    factors, scales = _factors_and_scales(parameters)
    until = np.cumsum(parameters.weights)
    until /= until[-1]
    n_rows, d = X.shape
    row_work = d * _NORMAL_WORK + (d * d // 2 if factors is not None else 0)
    worth = n_rows * row_work // THREAD_WORK
    threads = max(1, min(thread_count(n_threads), worth)) if worth > 1 else 1
    chunk_rows = _chunk_rows(row_work, 0 if factors is None else len(factors), n_rows, threads)
    instruction_sets.drawing_kernels().draw_rows(
        key, first, until, parameters.means, scales, factors, X, y, chunk_rows, _tile_rows(d),
        max(threads, ROUND_WORK // (chunk_rows * row_work)), threads,
    )  # fmt: skip


def _factors_and_scales(parameters: MixtureParameters) -> tuple[Doubles | None, Doubles]:
    """Triangular factors (K or 1, d, d) if rows need them, and scales (K or 1, d)."""
    K, d = parameters.means.shape
    with np.errstate(all="ignore"):
        return parameters.layout.draw_factors(parameters.precisions_cholesky, K, d)


def _chunk_rows(row_work: int, n_factors: int, n_rows: int, threads: int) -> int:
    """Rows that a thread takes at a time: enough of each component, some for each thread, and
    never so many that Ctrl-C has to wait.
    """
    wanted = max(CHUNK_WORK // row_work, _RUN_ROWS * n_factors)
    return max(1, min(wanted, CHUNK_ROWS, ROUND_WORK // (4 * row_work), -(-n_rows // threads)))


def _tile_rows(d: int) -> int:
    return max(_RUN_ROWS, _TILE_VALUES // max(d, 1))


class Noise(NamedTuple):
    """The random numbers of draws, which a row gets by its place among all rows.

    Attributes
    ----------
    n_draws : int
    key : ndarray of uint64, shape (4,)
    first : int
        Place of the row that is counted as 0.
    first_draw : int
        Number of the draw that is counted as 0.
    """

    n_draws: int
    key: Key
    first: int = 0
    first_draw: int = 0

    @classmethod
    def seeded(cls, n_draws: int, *seed: int) -> Noise:
        """That of a seed, which may have several parts."""
        words = np.random.SeedSequence(seed).generate_state(4, np.uint64)
        return cls(n_draws, words.astype(np.uint64))

    def after(self, n_rows: int) -> Noise:
        """That of the rows after so many."""
        return self._replace(first=self.first + n_rows)

    def parts(self, most: int) -> Iterator[Noise]:
        """That of the draws in their order, at most so many at a time."""
        for start in range(0, self.n_draws, most):
            n_draws = min(most, self.n_draws - start)
            yield self._replace(n_draws=n_draws, first_draw=self.first_draw + start)

    def of(self, rows: Indices, m: int) -> tuple[Doubles, Doubles]:
        """Uniform numbers (n, n_draws), and normal ones (n, n_draws, m), of some rows."""
        uniforms = np.empty((len(rows), self.n_draws))
        normals = np.empty((len(rows), self.n_draws, m))
        instruction_sets.drawing_kernels().draw_noise(
            self.key, self.first + rows, uniforms, normals, _tile_rows(m), self.first_draw
        )
        return uniforms, normals
