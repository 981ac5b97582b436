"""How rows are cut into tiles, chunks and partial sums: from the problem alone.

Nothing here depends on the machine, so results have the same bits for any number of threads.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .._rows.array_rows import Rows

if TYPE_CHECKING:
    from .._runtime.instruction_sets import TileKernels

# A tile and all that is computed from it should stay in the second-level cache beside the
# parameters; more rows share the cost of loading and storing the sums.
TILE_BYTES = 640 * 1024
TILE_ROWS = (384, 192, 96, 48, 24)

# A chunk is what a thread takes at a time: some tens of microseconds of work.
CHUNK_WORK = 2_000_000  # multiply-adds
CHUNK_ROWS = 4096

# Partial sums: enough that many threads find work, in bounded memory, and a power of two, so that
# few threads share few of them evenly.
PARTIALS = 64
PARTIALS_BYTES = 36 * 1024 * 1024

# Work between two looks for Ctrl-C, about a tenth of a second on one core.
ROUND_WORK = 1_000_000_000  # multiply-adds

# Sums of products are kept lane by lane while they take at most this much; then the rows need not
# be laid out a second time.
LANES_BYTES = 256 * 1024

# A component this many bits below a row's best has no share in the row: 2^-86 of a row would
# change no digit of a sum; in single precision 2^-50 would not.
NEGLIGIBLE_BITS = -86.0
NEGLIGIBLE_BITS_SINGLE = -50.0


class Partition(NamedTuple):
    """How rows are cut up; a function of the problem alone."""

    tile_rows: int
    chunk_rows: int
    row_work: int  # multiply-adds a row costs

    def round_chunks(self, least: int) -> int:
        """Chunks between two looks for a signal; at least one for each that computes."""
        return max(least, ROUND_WORK // (self.chunk_rows * self.row_work))

    def threads(self, rows: Rows, n_rows: int) -> int:
        """Threads for so many of the rows; at least one."""
        chunks = -(-n_rows // self.chunk_rows)
        return max(1, min(rows.threads(self.row_work * n_rows), chunks))


@lru_cache(maxsize=256)
def partition(n_samples: int, tile_scalars: int, row_work: int, kernels: TileKernels) -> Partition:
    """Tiles, chunks and rounds for rows that need `tile_scalars` numbers each while in a tile."""
    strip = kernels.strip_rows()
    most = kernels.most_tile_rows()
    possible = [rows for rows in TILE_ROWS if rows % strip == 0 and rows <= most]
    row_bytes = tile_scalars * kernels.scalar_bytes()
    tile_rows = next((rows for rows in possible if rows * row_bytes <= TILE_BYTES), possible[-1])
    while tile_rows > possible[-1] and tile_rows >= 2 * n_samples:
        tile_rows //= 2
    tiles = max(1, min(CHUNK_ROWS, CHUNK_WORK // row_work) // tile_rows)
    chunk_rows = tiles * tile_rows
    return Partition(tile_rows, chunk_rows, row_work)


def most_partials(size: int) -> int:
    """Partial sums of `size` doubles to have at most."""
    most = max(2, min(PARTIALS, PARTIALS_BYTES // (8 * size)))
    return 1 << (most.bit_length() - 1)


def negligible_bits(rows: Rows, single: bool) -> float:
    """How many bits below a row's best a component has no share in the row."""
    least, most = rows.weight_range
    bits = NEGLIGIBLE_BITS_SINGLE if single else NEGLIGIBLE_BITS
    return bits - math.log2(most / least)
