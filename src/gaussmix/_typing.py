"""Where `_common.typing` was: names for imports that are yet to be pointed there."""

from __future__ import annotations

from ._common.typing import (
    Acceleration,
    AnyArray,
    Bools,
    Collapse,
    Doubles,
    FloatDType,
    Floats,
    Generator,
    Indices,
    InitParams,
    Key,
    Names,
    OnCollapse,
    RandomState,
    StrPath,
)

__all__ = [
    "Acceleration",
    "AnyArray",
    "Bools",
    "Collapse",
    "Doubles",
    "FloatDType",
    "Floats",
    "Generator",
    "Indices",
    "InitParams",
    "Key",
    "Names",
    "OnCollapse",
    "RandomState",
    "StrPath",
]
