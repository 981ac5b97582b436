"""Tables in files of every format, for commands to read, and what they leave and say."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

NAMES = ["a", "b", "c"]


def rows_of(n, seed=0):
    generator = np.random.default_rng(seed)
    return np.repeat([[0.0, 4, 8], [9, 1, 2]], [n // 2, n - n // 2], axis=0) + generator.normal(
        size=(n, 3)
    )


def write(path, X, names=NAMES):
    """Write a table in the format of the name; float32 rows stay float32 but in CSV."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if str(path).endswith(".npy"):
        np.save(path, X)
    elif str(path).endswith(".csv"):
        lines = [",".join(names), *(",".join(map(repr, row)) for row in X.tolist())]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        table = pytest.importorskip("pyarrow").table(dict(zip(names, X.T)))
        pytest.importorskip("pyarrow.parquet").write_table(table, path, row_group_size=700)


def read(path):
    """The scores in a file, as an array of one column or several."""
    if str(path).endswith(".npy"):
        return np.load(path)
    if str(path).endswith(".csv"):
        return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=1)
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    return np.column_stack([column.to_numpy() for column in table.columns]).squeeze(axis=1)


def error_of(result) -> str:
    status, out, err = result
    assert (status, out) == (2, "")
    assert re.fullmatch("gaussmix: error: .*\n", err)
    return err.removeprefix("gaussmix: error: ").rstrip("\n")


def states(directory):
    """What tells whether a file was written again: its inode and its time."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in Path(directory).iterdir()
        if not path.name.startswith(".")
    }


def unfinished(directory):
    """Temporary files in a directory."""
    return [name for name in os.listdir(directory) if name.endswith(".tmp")]
