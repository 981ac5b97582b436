"""Names for the types in signatures.

An array is named by what it holds; docstrings tell its shape, which NumPy's types cannot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = NDArray[Any]
Bools: TypeAlias = NDArray[np.bool_]
Doubles: TypeAlias = NDArray[np.float64]
#: In the precision of the rows.
Floats: TypeAlias = NDArray[np.float32 | np.float64]
Indices: TypeAlias = NDArray[np.intp]
#: Four words that decide random numbers.
Key: TypeAlias = NDArray[np.uint64]
#: Strings as Python objects.
Names: TypeAlias = NDArray[np.object_]
#: As a table or a model has them; those of a table may be no strings.
ColumnNames: TypeAlias = Sequence[Any] | Names
FloatDType: TypeAlias = np.dtype[np.float32 | np.float64]

InitParams: TypeAlias = Literal["kmeans", "k-means++", "random", "random_from_data"]
Acceleration: TypeAlias = Literal["squarem"]
OnCollapse: TypeAlias = Literal["raise", "reseed", "drop"]

Generator: TypeAlias = np.random.RandomState | np.random.Generator
RandomState: TypeAlias = int | np.random.RandomState | np.random.Generator | None

StrPath: TypeAlias = str | os.PathLike[str]


class WritesBytes(Protocol):
    """An open file, or anything else that takes bytes."""

    def write(self, data: bytes, /) -> Any: ...


class ReadsBytes(Protocol):
    """An open file, or anything else that gives bytes: none at the end."""

    def read(self, size: int = ..., /) -> bytes: ...


class Collapse(TypedDict):
    """A component that collapsed in a fit, as in `GaussianMixture.collapses_`."""

    iteration: int
    component: int
    action: Literal["reseed", "drop"]
    columns: list[int]
    effective_rows: float
