# The types of every module that is built from _em.pyx: meson.build installs this file under the
# name of each. The shapes of the arrays, and which are written to, stand in _em.pyx.

from typing import Any, Final, Self, type_check_only

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

from gaussmix._typing import Doubles, Floats, Indices

ESTEPS: Final[dict[str, int]]
MSTEPS: Final[dict[str, int]]
FEATURE_SETS: Final[dict[str, int]]

def compiler() -> str: ...
def vector_bytes() -> int: ...
def scalar_bytes() -> int: ...
def strip_rows() -> int: ...
def most_tile_rows() -> int: ...
def few_rows() -> int: ...
def width(features: int, d: int) -> int: ...
def completed_size(K: int, d: int, covariance_stride: int, diagonal: bool) -> int: ...
def pattern_words(d: int) -> int: ...
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
def unchanged(
    state: dict[str, Any],
    names: tuple[str, ...],
    given: list[Any],
    held: list[Any],
    copies: list[Any],
) -> bool: ...
def group_patterns(
    X: Floats,
    order: Indices,
    starts: Indices,
    first: Indices,
    marks: NDArray[np.uint64],
    work: Indices,
    chunk_rows: int,
    n_threads: int,
) -> int: ...

@disjoint_base
class IncompleteJob:
    def __new__(
        cls,
        order: Indices,
        columns: Indices,
        n_observed: Indices,
        pieces: Indices,
        piece_rows: int,
        estep: int,
        mstep: int,
        features: int,
        centre: Doubles,
        means: Doubles,
        covariances: Doubles,
        covariance_stride: int,
        diagonal: bool,
        log_weights: Doubles,
        precisions: Doubles | None,
        log_determinants: Doubles,
        most_few: int,
        floor: float,
        tile_rows: int,
    ) -> Self: ...
    def thread_doubles(self) -> int: ...

def accumulate_incomplete(
    X: Floats,
    sample_weight: Doubles | None,
    prepared: IncompleteJob,
    scatters: Doubles | None,
    begin: int,
    end: int,
    partials: Doubles,
    scratch: Doubles,
) -> None: ...
def evaluate_incomplete(
    X: Floats,
    prepared: IncompleteJob,
    begin: int,
    end: int,
    log_density: Floats | None,
    responsibilities: Floats | None,
    labels: Indices | None,
    scratch: Doubles,
) -> None: ...
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
def first_nonfinite(
    X: Floats, chunk_rows: int, n_threads: int, allow_nan: bool = False
) -> int: ...
def column_moments(
    X: Floats,
    sample_weight: Doubles | None,
    shift: Doubles,
    chunk_rows: int,
    first_chunk: int,
    partials: Doubles,
    n_threads: int,
) -> None: ...

# A type for `gaussmix._runtime.kernels` to return, which returns one of these modules.
@type_check_only
class Kernels:
    ESTEPS = ESTEPS
    MSTEPS = MSTEPS
    FEATURE_SETS = FEATURE_SETS
    ScoringJob = ScoringJob
    IncompleteJob = IncompleteJob
    compiler = staticmethod(compiler)
    vector_bytes = staticmethod(vector_bytes)
    scalar_bytes = staticmethod(scalar_bytes)
    strip_rows = staticmethod(strip_rows)
    most_tile_rows = staticmethod(most_tile_rows)
    few_rows = staticmethod(few_rows)
    width = staticmethod(width)
    completed_size = staticmethod(completed_size)
    pattern_words = staticmethod(pattern_words)
    partial_size = staticmethod(partial_size)
    accumulate = staticmethod(accumulate)
    reduce_partials = staticmethod(reduce_partials)
    evaluate = staticmethod(evaluate)
    evaluate_few = staticmethod(evaluate_few)
    unchanged = staticmethod(unchanged)
    group_patterns = staticmethod(group_patterns)
    accumulate_incomplete = staticmethod(accumulate_incomplete)
    evaluate_incomplete = staticmethod(evaluate_incomplete)
    squared_distances = staticmethod(squared_distances)
    first_nonfinite = staticmethod(first_nonfinite)
    column_moments = staticmethod(column_moments)
