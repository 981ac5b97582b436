# The types of every module that is built from _em.pyx: meson.build installs this file under the
# name of each. The shapes of the arrays, and which are written to, stand in the
# .pxi files.

from typing import Final, Self, type_check_only

from typing_extensions import disjoint_base

from gaussmix._common.typing import Doubles, Floats, Indices

ESTEPS: Final[dict[str, int]]
MSTEPS: Final[dict[str, int]]
FEATURE_SETS: Final[dict[str, int]]

def compiler() -> str: ...
def vector_bytes() -> int: ...
def scalar_bytes() -> int: ...
def strip_rows() -> int: ...
def most_tile_rows() -> int: ...
def width(features: int, d: int) -> int: ...
def partial_size(mstep: int, features: int, K: int, d: int) -> int: ...
def accumulate(
    X: Floats,
    sample_weight: Doubles | None,
    responsibilities: Doubles | None,
    estep: int,
    mstep: int,
    features: int,
    centre: Doubles,
    means: Doubles,
    factors: Doubles,
    factor_stride: int,
    constants: Doubles,
    floor: float,
    tile_rows: int,
    chunk_rows: int,
    first_chunk: int,
    round_chunks: int,
    partials: Doubles,
    n_threads: int,
) -> None: ...
def reduce_partials(
    partials: Doubles,
    mstep: int,
    features: int,
    centre: Doubles,
    means: Doubles,
    weight: Doubles,
    first: Doubles,
    second: Doubles,
) -> float: ...

@disjoint_base
class ScoringJob:
    def __new__(
        cls,
        estep: int,
        centre: Doubles,
        means: Doubles,
        factors: Doubles,
        factor_stride: int,
        constants: Doubles,
    ) -> Self: ...

def evaluate(
    X: Floats,
    prepared: ScoringJob,
    tile_rows: int,
    chunk_rows: int,
    round_chunks: int,
    log_density: Floats | None,
    responsibilities: Floats | None,
    labels: Indices | None,
    n_threads: int,
) -> bool: ...
def evaluate_few(
    X: Floats,
    prepared: ScoringJob,
    tile_rows: int,
    log_density: Floats | None,
    responsibilities: Floats | None,
    labels: Indices | None,
) -> int: ...
def squared_distances(
    X: Floats,
    centre: Doubles,
    points: Doubles,
    constants: Doubles,
    distances: Doubles,
    tile_rows: int,
    chunk_rows: int,
    n_threads: int,
) -> None: ...

# Types for `instruction_sets.kernels` to return, which returns one of these modules: what cuts
# rows into tiles needs to know, and all of it.
@type_check_only
class TileKernels:
    ESTEPS = ESTEPS
    MSTEPS = MSTEPS
    FEATURE_SETS = FEATURE_SETS
    scalar_bytes = staticmethod(scalar_bytes)
    strip_rows = staticmethod(strip_rows)
    most_tile_rows = staticmethod(most_tile_rows)
    width = staticmethod(width)

@type_check_only
class Kernels(TileKernels):
    ScoringJob = ScoringJob
    compiler = staticmethod(compiler)
    vector_bytes = staticmethod(vector_bytes)
    partial_size = staticmethod(partial_size)
    accumulate = staticmethod(accumulate)
    reduce_partials = staticmethod(reduce_partials)
    evaluate = staticmethod(evaluate)
    evaluate_few = staticmethod(evaluate_few)
    squared_distances = staticmethod(squared_distances)
