"""Rows that many tests are about."""

from __future__ import annotations

import numpy as np
import pytest

#: Names for three columns.
NAMES = ["length", "width", "height"]


def two_clusters(n=60, d=3, dtype=np.float64, seed=0, widest=2.0):
    """Rows about two centres, in turns. The last column is `widest` times as wide as the first."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, d)) * np.linspace(1.0, widest, d)
    X[::2] += 6.0
    return X.astype(dtype)


def table(library, columns):
    """A table of `columns`, a mapping of name to values."""
    module = pytest.importorskip(library)
    return module.table(columns) if library == "pyarrow" else module.DataFrame(columns)


def changed(array, index, value):
    """A copy of an array, in double precision, with one entry changed."""
    array = np.array(array, dtype=np.float64)
    array[index] = value
    return array
