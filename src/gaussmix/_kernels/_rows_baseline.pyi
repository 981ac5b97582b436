# The types of every module that is built from _rows.pyx: meson.build installs this file under
# the name of each. The shapes of the arrays, and which are written to, stand in the .pxi files.

from typing import Any, type_check_only

import numpy as np
from numpy.typing import NDArray

from gaussmix._common.typing import Doubles, Floats, Indices

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
def pattern_words(d: int) -> int: ...
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
def unchanged(
    state: dict[str, Any],
    names: tuple[str, ...],
    given: list[Any],
    held: list[Any],
    copies: list[Any],
) -> bool: ...

# A type for `instruction_sets.row_kernels` to return, which returns one of these modules.
@type_check_only
class RowKernels:
    first_nonfinite = staticmethod(first_nonfinite)
    column_moments = staticmethod(column_moments)
    pattern_words = staticmethod(pattern_words)
    group_patterns = staticmethod(group_patterns)
    unchanged = staticmethod(unchanged)
