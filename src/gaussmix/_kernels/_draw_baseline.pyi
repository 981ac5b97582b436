# The types of every module that is built from _draw.pyx, see _em_baseline.pyi.

from typing import type_check_only

from gaussmix._common.typing import Doubles, Floats, Indices, Key

def draw_rows(
    key: Key,
    first_row: int,
    until: Doubles,
    means: Doubles,
    scales: Doubles,
    factors: Doubles | None,
    rows: Floats,
    labels: Indices,
    chunk_rows: int,
    tile_rows: int,
    round_chunks: int,
    n_threads: int,
) -> None: ...
def draw_noise(
    key: Key,
    rows: Indices,
    uniforms: Doubles,
    normals: Doubles,
    tile_rows: int,
    first_draw: int,
) -> None: ...

# A type for `instruction_sets.drawing_kernels` to return, which returns one of these modules.
@type_check_only
class DrawingKernels:
    draw_rows = staticmethod(draw_rows)
    draw_noise = staticmethod(draw_noise)
