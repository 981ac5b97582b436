"""Data sets of the studies: real ones, and random mixtures that overlap or do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import numpy as np
from shapes import SHAPES, rows


def old_faithful() -> np.ndarray:
    """272 eruptions, duration and waiting time in minutes, (272, 2)."""
    file = resources.files("gaussmix") / "data" / "old_faithful.csv"
    with file.open(encoding="utf-8") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1, usecols=(0, 1))


def iris() -> np.ndarray:
    """Fisher's irises, (150, 4)."""
    from sklearn.datasets import load_iris

    return load_iris().data


def digits() -> np.ndarray:
    """scikit-learn's digits on their first 20 principal components, (1797, 20)."""
    from sklearn.datasets import load_digits

    X = load_digits().data
    centred = X - X.mean(axis=0)
    return np.ascontiguousarray(centred @ np.linalg.svd(centred, full_matrices=False)[2][:20].T)


def china() -> np.ndarray:
    """The pixels of scikit-learn's china.jpg scaled to [0, 1], (273280, 3). Needs Pillow."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").reshape(-1, 3) / 255.0


@dataclass(frozen=True)
class DataSet:
    """Rows, number of components, and the number of seeds that default fits are made with."""

    make: Callable[[], np.ndarray]
    K: int
    seeds: int = 20


STARTS = {
    "old-faithful": DataSet(old_faithful, 2),
    "iris": DataSet(iris, 3),
    "digits": DataSet(digits, 10),
    "china": DataSet(china, 8),
    "2e5x32": DataSet(lambda: rows(SHAPES[2]), 16, seeds=5),
    "1e6x10": DataSet(lambda: rows(SHAPES[1]), 8, seeds=5),
}
