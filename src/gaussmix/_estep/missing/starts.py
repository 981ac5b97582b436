"""What starts of a fit are made of where values are missing: the values that are available.

A row with missing values is read as two: the values with the centre in place of those missing, and
indicators of which there are. Of such rows, which are complete, the kernels' sums tell the weight,
the mean and the products of the available values of each cluster. A k-means whose distances count
available values only is k-means on these (k-POD; Chi, Chi & Baraniuk 2016, The American
Statistician 70, 91-99).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from ..._common.families import CovarianceType
from ..._common.typing import Doubles
from ..._parameters.layouts import DIAGONAL, FULL, layout_of
from ..._parameters.linear_algebra import product
from ..._rows.array_rows import BLOCK_BYTES, Block, Rows, beside_indicators, with_indicators
from ..._statistics.sufficient import SufficientStatistics
from ..score_plan import ScorePlan

# The part of all weight that counts as if a cluster had it with the variance that all clusters
# have in a column: only variances for its missing values are drawn towards that.
BORROWED = 1e-3

# By how many roundings a sum of products of available values is off.
ROUNDINGS = 8


class IndicatorRows(Rows):
    """Rows (n, d) with missing values as complete rows (n, 2 d), see `with_indicators`.

    Parameters
    ----------
    rows : Rows
        All rows, or a part of them.
    origin : ndarray of shape (d,)
        The centre of all rows, which stands in place of what is missing.
    """

    def __init__(self, rows: Rows, origin: Doubles) -> None:
        nothing = np.empty((0, 2 * rows.n_features), rows.dtype)
        super().__init__(nothing, rows.sample_weight, n_threads=rows.n_threads)
        self._rows = rows
        self.n_samples = rows.n_samples
        self.weight_range = rows.weight_range
        self.in_place = False
        self.origin = origin
        self.centre = beside_indicators(origin)

    @property
    def total_weight(self) -> float:
        return self._rows.total_weight

    def blocks(self, chunk_rows: int) -> Iterator[Block]:
        for block in self._rows.small_blocks(chunk_rows):
            yield block._replace(X=with_indicators(block.X, self.origin))


def available_scores(centres: Doubles, origin: Doubles) -> ScorePlan:
    """Scores of `IndicatorRows` in the order of closeness, by the features that a row has."""
    K, d = centres.shape
    moved = centres - origin
    factors = np.concatenate([2.0 * moved, -moved * moved], axis=1)
    return ScorePlan("nearest", factors.ravel(), 2 * d, np.zeros(K), 2 * K * d)


def available_distances(rows: Rows, points: Doubles, out: Doubles) -> Doubles:
    """Squared distances (L, n) by the features that a row has, times the number of all features
    over theirs; zero from a row without any. `points` are complete.
    """
    L, d = points.shape
    moved = points - rows.centre
    size = max(1, BLOCK_BYTES // (8 * 2 * (d + L)))
    for block in rows.pieces(size):
        X = block.X.astype(np.float64) - rows.centre
        observed = ~np.isnan(X)
        X[~observed] = 0.0
        squares = product(observed.astype(np.float64), (moved * moved).T)
        squares -= 2.0 * product(X, moved.T)
        squares += np.einsum("ij,ij->i", X, X)[:, None]
        counts = observed.sum(axis=1)
        squares *= (d / np.maximum(counts, 1))[:, None]
        np.maximum(squares.T, 0.0, out=out[:, block.rows])
    return out


class _CompletePlan(Protocol):
    @property
    def means(self) -> Doubles: ...
    def accumulate(
        self, rows: Rows, blocks: Callable[[int, int], Doubles] | None = None
    ) -> SufficientStatistics: ...


class AvailablePlan(NamedTuple):
    """A way to form the statistics that a start is estimated from, as an `AccumulationPlan`.

    What is formed of parts of the rows, and adds up, is statistics of `IndicatorRows`, with
    covariances "full" or "diag"; `finish` makes of their sum what an M-step reads.
    """

    covariance_type: CovarianceType
    plan: _CompletePlan  # about the centre
    centre: Doubles  # (d,)

    @staticmethod
    def moments_of(covariance_type: CovarianceType) -> CovarianceType:
        """The family of the statistics of `IndicatorRows`."""
        return FULL.name if layout_of(covariance_type).matrices else DIAGONAL.name

    @property
    def means(self) -> Doubles:
        """The shift of the statistics of `IndicatorRows`."""
        return self.plan.means

    def accumulate(
        self, rows: Rows, blocks: Callable[[int, int], Doubles] | None = None
    ) -> SufficientStatistics:
        """Statistics of `IndicatorRows`, all or a part of them."""
        return self.plan.accumulate(IndicatorRows(rows, self.centre), blocks)

    def finish(
        self, statistics: SufficientStatistics, scatter: Callable[[], Doubles]
    ) -> SufficientStatistics:
        """Statistics about the means of the available values.

        To the products of available values are added, for those missing, variances of the
        available ones: so second moments stay positive definite, and covariances are attenuated
        as far as pairs are missing, which the first iterations mend.
        """
        origin = beside_indicators(self.centre)
        statistics = statistics.shifted(np.tile(origin, (len(statistics.first), 1)))
        first, counts = np.split(statistics.first, 2, axis=1)
        with np.errstate(all="ignore"):
            move = np.where(counts > 0, first / counts, 0.0)
        if layout_of(statistics.covariance_type).matrices:
            second = _products_about(statistics.second, move)
            squares = second.reshape(len(second), -1)[:, :: second.shape[1] + 1]  # the diagonals
        else:
            second = squares = statistics.second[:, : len(self.centre)] - counts * move * move
        # Of a cluster far from the centre, for its spread, the moments are rounded by more than
        # that; with as much more variance they stay definite.
        squares += ROUNDINGS * np.finfo(np.float64).eps * move.shape[1] * counts * move * move
        # Beside the values of its own, which may be few, a cluster borrows of what all have.
        borrowed = BORROWED * statistics.weight.sum()
        total = counts.sum(axis=0)
        common = np.where(total > 0, squares.sum(axis=0) / np.where(total > 0, total, 1.0), 1.0)
        variances = (squares + borrowed * common) / (counts + borrowed)
        squares += np.maximum(statistics.weight[:, None] - counts, 0.0) * variances
        second = layout_of(self.covariance_type).pooled(second)
        return SufficientStatistics(
            covariance_type=self.covariance_type,
            weight=statistics.weight,
            first=np.zeros_like(move),
            second=second,
            shift=self.centre + move,
            log_likelihood=math.nan,
            total_weight=statistics.total_weight,
            n_rows=statistics.n_rows,
        )


def _products_about(second: Doubles, move: Doubles) -> Doubles:
    """Sums of products of available values about centre + move, (K, d, d).

    ``sum (x_p - m_p) (x_q - m_q)`` over the rows that have both, from the moments (K, 2 d, 2 d) of
    values about the centre and of indicators.
    """
    d = move.shape[1]
    crossed = second[:, :d, d:] * move[:, None, :]  # sum x_p m_q over rows that have both
    products = second[:, :d, :d] - (crossed + crossed.transpose(0, 2, 1))
    products += second[:, d:, d:] * (move[:, :, None] * move[:, None, :])
    return np.ascontiguousarray(products)
