"""The vendored data sets."""

from __future__ import annotations

import csv

import numpy as np

from support.paths import ROOT

DATA = ROOT / "tests" / "data"


def read_columns(name: str, n_columns: int) -> np.ndarray:
    """The first ``n_columns`` columns of ``tests/data/<name>.csv``, (n, n_columns) float64."""
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(value) for value in row[:n_columns]] for row in rows])
