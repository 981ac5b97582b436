# The types of every module that is built from _algebra.pyx: meson.build installs this file under
# the name of each. The shapes of the arrays, and which are written to, stand in the .pxi files.

from typing import type_check_only

from gaussmix._common.typing import Doubles, Indices

def multiply(
    a: Doubles,
    b: Doubles,
    left: Indices | None,
    right: Indices | None,
    points: Doubles | None,
    c: Doubles,
    n_threads: int,
) -> None: ...
def factorise(matrices: Doubles, n_threads: int) -> None: ...
def invert(matrices: Doubles, n_threads: int) -> None: ...
def orthonormalise(rows: Doubles, lower: Doubles, n_threads: int) -> None: ...
def eigenvectors(matrix: Doubles, values: Doubles) -> bool: ...
def align_axes(
    roots: Doubles,
    axes: Doubles,
    weights: Doubles,
    by_volume: bool,
    most_sweeps: int,
    tolerance: float,
) -> int: ...

# A type for `instruction_sets.algebra` to return, which returns one of these modules.
@type_check_only
class Algebra:
    multiply = staticmethod(multiply)
    factorise = staticmethod(factorise)
    invert = staticmethod(invert)
    orthonormalise = staticmethod(orthonormalise)
    eigenvectors = staticmethod(eigenvectors)
    align_axes = staticmethod(align_axes)
