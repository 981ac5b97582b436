# The types of every module that is built from _missing.pyx: meson.build installs this file under
# the name of each. The shapes of the arrays, and which are written to, stand in _missing.pyx.

from typing import Self, type_check_only

from typing_extensions import disjoint_base

from gaussmix._common.typing import Doubles, Floats, Indices
from gaussmix._kernels._em_baseline import ESTEPS as ESTEPS
from gaussmix._kernels._em_baseline import FEATURE_SETS as FEATURE_SETS
from gaussmix._kernels._em_baseline import MSTEPS as MSTEPS
from gaussmix._kernels._em_baseline import TileKernels
from gaussmix._kernels._em_baseline import most_tile_rows as most_tile_rows
from gaussmix._kernels._em_baseline import scalar_bytes as scalar_bytes
from gaussmix._kernels._em_baseline import strip_rows as strip_rows
from gaussmix._kernels._em_baseline import width as width

def few_rows() -> int: ...
def completed_size(K: int, d: int, covariance_stride: int, diagonal: bool) -> int: ...

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

# A type for `instruction_sets.missing_kernels` to return, which returns one of these modules.
@type_check_only
class MissingKernels(TileKernels):
    IncompleteJob = IncompleteJob
    few_rows = staticmethod(few_rows)
    completed_size = staticmethod(completed_size)
    accumulate_incomplete = staticmethod(accumulate_incomplete)
    evaluate_incomplete = staticmethod(evaluate_incomplete)
