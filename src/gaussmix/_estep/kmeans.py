"""Passes over rows that k-means and its seeds are made of: nearest centres, and distances."""

from __future__ import annotations

import numpy as np

from .._common.typing import Doubles
from .._rows.array_rows import Rows
from .._runtime import instruction_sets
from .missing.starts import IndicatorRows, available_distances, available_scores
from .partition import partition
from .score_plan import nearest_scores
from .sums import sums_over


def lloyd(rows: Rows, centres: Doubles) -> tuple[Doubles, Doubles]:
    """One pass of Lloyd's algorithm.

    Returns
    -------
    weight : ndarray of shape (K,)
        Total weight of the rows nearest to each centre.
    means : ndarray of shape (K, d)
        Their weighted means, of the values that are not missing; a centre without rows, or a
        coordinate of one without values, stays where it is.
    """
    if rows.incomplete:
        return _available_lloyd(rows, centres)
    sums = sums_over(rows, nearest_scores(centres, rows.centre), "sums", rows.centre, centres)
    means = centres.copy()
    filled = sums.weight > 0
    means[filled] += sums.first[filled] / sums.weight[filled, None]
    return sums.weight, means


def _available_lloyd(rows: Rows, centres: Doubles) -> tuple[Doubles, Doubles]:
    """`lloyd` for rows with missing values."""
    both = IndicatorRows(rows, rows.centre)
    scores = available_scores(centres, rows.centre)
    origins = np.tile(both.centre, (len(centres), 1))
    sums = sums_over(both, scores, "sums", both.centre, origins)
    first, counts = np.split(sums.first, 2, axis=1)
    with np.errstate(all="ignore"):
        means = np.where(counts > 0, rows.centre + first / counts, centres)
    return sums.weight, np.ascontiguousarray(means)


def squared_distances(rows: Rows, points: Doubles, out: Doubles | None = None) -> Doubles:
    """``|x - point|^2`` for each of a few points and every row, shape (L, n), float64.

    Where values are missing, see `available_distances`.
    """
    L, d = points.shape
    distances = np.empty((L, rows.n_samples)) if out is None else out
    if rows.incomplete:
        return available_distances(rows, points, distances)
    kernels = instruction_sets.kernels()
    cut = partition(rows.n_samples, 2 * d + L, 2 * L * d, kernels)
    for block in rows.blocks(cut.chunk_rows):
        kernels.squared_distances(
            block.X, rows.centre, points, np.zeros(L),
            distances[:, block.rows], cut.tile_rows, cut.chunk_rows,
            cut.threads(rows, len(block.X)),
        )  # fmt: skip
    return distances
