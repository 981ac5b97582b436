"""What the reference makes of a case, with bounds on the rounding of whoever computes the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaussmix import SufficientStatistics
from gaussmix._estep import partition
from gaussmix._rows import array_rows
from support import reference
from support.cases import Case, assume
from support.reference import Mixture, deviations

EPS = np.finfo(np.float64).eps
TINY = np.finfo(np.float64).tiny
LARGEST = np.finfo(np.float64).max / 1e3  # sums of larger magnitudes may overflow on their way

# Roundings for each feature, in a factorisation or a sum of d products.
ROUNDINGS = 8


def conditions(mixture: Mixture) -> np.ndarray:
    """Condition number of each component's correlations, (K,): Cholesky's sees no units."""
    deviation = deviations(mixture)
    unit = deviation[:, :, None] * deviation[:, None, :]
    return np.linalg.cond(reference.dense_covariances(mixture) / unit)


def score_error(mixture: Mixture, X: np.ndarray, precision: float, reach=0.0) -> np.ndarray:
    """Bound on the error of each weighted log-density, (n, K).

    Differences from a centre amid the means are rounded, by as much as row and mean lie apart from
    it in units of deviations, and go through the factor: a square of that size times the condition
    is the scale of an expanded score. The factor is known to d roundings times the condition, and
    so are the distance and the determinant, a product of d pivots. `reach`, (d,) or (n, 1, d), is
    what the caller's own rounding of rows or means adds to the distances.
    """
    d = mixture.n_features
    deviation, condition = deviations(mixture), conditions(mixture)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        apart = np.abs(X[:, None, :] - mixture.means) + np.ptp(mixture.means, axis=0) + reach
        squares = np.square(apart / deviation).sum(axis=2)
        squares += reference.squared_distances(mixture, X)
        constant = np.abs(np.log(mixture.weights)) + np.abs(np.log(deviation)).sum(axis=1)
        error = ROUNDINGS * d * precision * (condition * (squares + d) + constant)
    return np.where(np.isnan(error), np.inf, error)


def row_error(scores: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Bound on the error of each row's log-density, (n,), from its scores and their errors."""
    possible = scores + error > (scores - error).max(axis=1, keepdims=True) - 60.0
    return np.where(possible, error, 0.0).max(axis=1)


def share_error(scores: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Bound on the error of responsibilities, (n, K), from scores and their errors.

    An error of e in the exponent is a relative error of e. A component that is sure to be 60 nats
    below another has no share that counts, and one that is sure to be above all others has all.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        sure = (scores - error).max(axis=1, keepdims=True)
        possible = scores + error > sure - 60.0
        alone = possible.sum(axis=1, keepdims=True) == 1
        worst = np.where(possible, error, 0.0).max(axis=1, keepdims=True)
        shares = reference.normalise(scores)[1]
        close = np.where(worst < 0.1, 4.0 * worst * shares, 1.0)
    return np.where(possible & ~alone, close, 0.0) + 4 * EPS * shares + 1e-25


@dataclass
class Expected:
    """What the reference makes of a case's rows under a mixture, with bounds."""

    case: Case
    centres: tuple[np.ndarray, ...] = ()  # about which sums were formed, but for the rows' own
    mixture: Mixture | None = None  # another than the case's

    def __post_init__(self) -> None:
        case = self.case
        self.centres = (*self.centres, centre_of(case.X, case.w))
        self.X, self.w = case.values, case.row_weights
        self.mixture = case.mixture if self.mixture is None else self.mixture
        with np.errstate(all="ignore"):
            self.scores = reference.weighted_log_densities(self.mixture, self.X)
            assume(np.isfinite(self.scores).all())
            self.error = score_error(self.mixture, self.X, case.precision, self.offset())
            self.log_density, self.shares = reference.normalise(self.scores)
            # Sums that overflow are what `update` refuses.
            reach = np.abs(self.X[:, None, :] - self.mixture.means).max(axis=1) + self.offset()
            largest = max((self.w @ reach**2).max(), self.w @ np.abs(self.scores).max(axis=1))
            assume(largest < LARGEST)
        self.share_error = share_error(self.scores, self.error)
        if case.single:  # which drops shares below this
            self.share_error += 2.0**-50

    def offset(self) -> np.ndarray:
        """How far the centres, which lie amid the rows, may be from the means, (d,)."""
        return np.max([abs(centre - self.mixture.means) for centre in self.centres], axis=(0, 1))

    @property
    def row_error(self) -> np.ndarray:
        return row_error(self.scores, self.error)

    @property
    def sum_roundings(self) -> float:
        """Equal terms lose a rounding each in the same direction; lanes share them.

        In single precision only the rows of a tile are added.
        """
        n = min(self.case.n, partition.TILE_ROWS[0]) if self.case.single else self.case.n
        return self.case.precision * (ROUNDINGS + n / 2)


def centre_of(X: np.ndarray, w: np.ndarray | None) -> np.ndarray:
    """The point about which the library takes differences of rows."""
    return array_rows.Rows(X, w).centre


def assert_within(name: str, value, target, bound) -> None:
    """Check each number, and say how far beyond its bound the worst is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(np.asarray(value, dtype=np.float64) - target)
        excess = np.where((off <= bound) | (bound == np.inf), 0.0, off / bound)
    assert (excess == 0).all(), f"{name}: {excess.max():.3g} times the bound"


def family_of(matrices: np.ndarray, covariance_type: str) -> np.ndarray:
    """(K, d, d) sums of products as the second moments of a family."""
    if covariance_type == "full":
        return matrices
    if covariance_type == "tied":
        return matrices.sum(axis=0)
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    return diagonals if covariance_type == "diag" else diagonals.sum(axis=1)


def assert_sums(statistics: SufficientStatistics, expected: Expected) -> None:
    """Each sum is right to the rounding of its terms and of the responsibilities in them."""
    X, w, shift = expected.X, expected.w, statistics.shift
    family = statistics.covariance_type
    weighted = expected.shares * w[:, None]
    doubt = (expected.share_error + expected.sum_roundings * expected.shares) * w[:, None]
    # Differences from the shift are formed as differences of differences from the centre.
    reach = np.abs(X[:, None, :] - shift)
    reach += np.max([np.abs(shift - centre) for centre in expected.centres], axis=0)
    # Products of small weights lose digits as well.
    lost = w.sum() * expected.case.negligible + TINY * len(X) * max(1.0, reach.max())
    weight, first, second = reference.sums_about(X, weighted, shift, family)
    assert_within("weight", statistics.weight, weight, doubt.sum(axis=0) + lost)
    bound = np.einsum("ik,ikp->kp", doubt, reach)
    assert_within("first", statistics.first, first, bound + lost)
    bound = family_of(np.einsum("ik,ikp,ikq->kpq", doubt, reach, reach), family)
    if family == "tied":  # the scatter of all rows does not depend on responsibilities
        most = reach.max(axis=1)
        bound += expected.sum_roundings * np.einsum("i,ip,iq->pq", w, most, most)
    assert_within("second", statistics.second, second, bound + lost)
