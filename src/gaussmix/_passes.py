"""Passes over rows: what the kernels do, in the words of mixtures.

`Rows` presents a data matrix of any layout to the kernels; each function below is one pass over
it.  How rows are cut into tiles, chunks and partial sums is decided here, from the problem alone
and never from the machine, so results have the same bits for any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from . import _runtime
from ._covariance import FAMILIES, CollapsedComponent
from ._parameters import MixtureParameters
from ._statistics import SufficientStatistics

LOG2E = 1.0 / math.log(2.0)
LN2 = math.log(2.0)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)

# A tile and all that is computed from it should stay in the second-level cache beside the
# parameters; more rows share the cost of loading and storing the sums.
TILE_BYTES = 640 * 1024
TILE_ROWS = (384, 192, 96, 48, 24)

# A chunk is what a thread takes at a time: some tens of microseconds of work.
CHUNK_WORK = 2_000_000  # multiply-adds
CHUNK_ROWS = 4096

# Partial sums: enough that many threads find work, in bounded memory.
PARTIALS = 64
PARTIALS_BYTES = 32 * 1024 * 1024

# Below this much work per thread starting it costs more than it brings.
THREAD_WORK = 200_000  # multiply-adds

# Work between two looks for Ctrl-C, about a tenth of a second on one core.
ROUND_WORK = 1_000_000_000  # multiply-adds

# Rows that need converting (layout, byte order, type) are converted this many bytes at a time;
# others are read in place, in blocks after which the interpreter can notice Ctrl-C.
BLOCK_BYTES = 16 * 1024 * 1024
BLOCK_BYTES_IN_PLACE = 512 * 1024 * 1024

_SINGLE = np.dtype(np.float32)
_DOUBLE = np.dtype(np.float64)

# Rows whose column medians are the point about which all sums are formed.
CENTRE_ROWS = 1001

# A component this many bits below a row's best has no share in the row: 2^-86 of a row would
# change no digit of a sum; in single precision 2^-50 would not.
NEGLIGIBLE_BITS = -86.0
NEGLIGIBLE_BITS_SINGLE = -50.0

# float32 rows of so many features are computed in single precision; below, exponentials and
# loading take the time, and double precision costs little more.
SINGLE_FEATURES = 17

# Single precision is for rows and components of ordinary size, and for standardised distances that
# lose at most three of its seven digits when they are formed from the features.
SINGLE_LIMIT = 1e3
SINGLE_RANGE = 1e12

# Up to so many features the products of all pairs of them are formed for each row, so that scores
# and moments of full covariances too are plain matrix products, which suit small sizes better than
# triangles do; and from so many rows on, below which preparing the coefficients costs more.
PRODUCTS_FEATURES = 16
PRODUCTS_ROWS = 2048

# Sums of products are kept lane by lane while they take at most this much; then the rows need not
# be laid out a second time.
LANES_BYTES = 256 * 1024

# Scores and moments expanded about the centre lose about as many digits as this has: the squared
# distance of a mean from the centre in units of the component's deviation.  Up to here the loss
# is below 2e-11 of a variance; beyond, moments are taken about the component's own mean.
EXPANSION_LIMIT = 1e5

# The same ratio after the step, where a component may have shrunk meanwhile: a loss of 2e-8 of a
# variance, floor included, for one step, as the next will be taken about the means. Of a full
# covariance that loss would be one of its smallest eigenvalue, and a factor might be lost with it.
CANCELLATION_LIMIT = 1e8
CANCELLATION_LIMIT_FULL = 1e6

# The same two in single precision.
EXPANSION_LIMIT_SINGLE = 1e4
CANCELLATION_LIMIT_SINGLE = 1e5


class Scan(NamedTuple):
    """What a first pass finds: the first non-finite value, and where the columns lie."""

    bad: tuple[int, int] | None
    mean: np.ndarray
    variance: np.ndarray


class Rows:
    """The rows of a data matrix, as the kernels read them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Any numeric type and any layout. C-contiguous float32 and float64 are read in place,
        everything else is converted a block at a time; float32 stays, other types become float64.
    sample_weight : ndarray of shape (n,), float64, or None
    n_threads : int or None
        Most threads to use; None for `_runtime.thread_count`'s choice.
    """

    def __init__(self, X, sample_weight=None, *, n_threads=None):
        self.X = X
        self.sample_weight = sample_weight
        self.n_samples, self.n_features = X.shape
        dtype = X.dtype
        self.dtype = _SINGLE if dtype.kind == "f" and dtype.itemsize == 4 else _DOUBLE
        self._n_threads = n_threads
        flags = X.flags
        self._scan: Scan | None = None
        self.in_place = dtype == self.dtype and flags.c_contiguous and flags.aligned

    @cached_property
    def n_threads(self) -> int:
        """Most threads to use; found out when there is enough work for more than one."""
        return _runtime.thread_count(self._n_threads)

    @property
    def total_weight(self) -> float:
        """Sum of the sample weights."""
        if self.sample_weight is None:
            return float(self.n_samples)
        return float(self.sample_weight.sum())

    @cached_property
    def centre(self) -> np.ndarray:
        """A point amid the rows, shape (d,): column medians of some rows of positive weight.

        Arithmetic is done on x - centre, so the centre decides which digits of the rows are
        kept. A mean would follow a single row at 1e20, and nothing would be left of the others.
        """
        usable = self.n_samples
        positive = None
        if self.sample_weight is not None:
            positive = np.flatnonzero(self.sample_weight > 0)
            usable = len(positive)
        if usable == 0:
            return np.zeros(self.n_features)
        chosen = np.linspace(0, usable - 1, min(usable, CENTRE_ROWS)).astype(np.intp)
        with np.errstate(all="ignore"):
            some = self.take(chosen if positive is None else positive[chosen]).X
            centre = np.median(some.astype(np.float64), axis=0)
        centre[~np.isfinite(centre)] = 0.0
        # A number of the rows' own type, so that differences from it are formed without loss.
        return centre.astype(self.dtype).astype(np.float64)

    @cached_property
    def ordinary(self) -> bool:
        """Whether squares of the rows about the centre, and the weights, are far from the ends of
        what single precision can hold.
        """
        least, most = self.weight_range
        if not 1 / SINGLE_RANGE < least <= most < SINGLE_RANGE:
            return False
        scan = self.scan()
        moved = scan.mean - self.centre
        squares = scan.variance + moved * moved
        return bool((squares * self.total_weight / least < SINGLE_RANGE**2).all())

    @cached_property
    def weight_range(self) -> tuple[float, float]:
        """The least and the greatest positive weight of a row; ones when there are none."""
        if self.sample_weight is None:
            return 1.0, 1.0
        positive = self.sample_weight[self.sample_weight > 0]
        return (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)

    @cached_property
    def scatter(self) -> np.ndarray:
        """Second moment of all rows about the centre, (d, d): the same in every iteration."""
        return accumulate_nearest(self, self.centre[None, :], "full").second[0]

    def take(self, indices) -> Rows:
        """A copy of some rows, with their weights."""
        weight = None if self.sample_weight is None else self.sample_weight[indices]
        X = np.ascontiguousarray(self.X[indices], dtype=self.dtype)
        return Rows(X, weight, n_threads=self.n_threads)

    def blocks(self, chunk_rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, C-contiguous rows) in blocks of whole chunks."""
        row_bytes = self.n_features * self.dtype.itemsize
        limit = BLOCK_BYTES_IN_PLACE if self.in_place else BLOCK_BYTES
        size = max(1, limit // (row_bytes * chunk_rows)) * chunk_rows
        for first in range(0, self.n_samples, size):
            block = self.X[first : first + size]
            if not self.in_place:
                with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity
                    block = np.require(block, self.dtype, ["C", "A"])
            yield first, block

    def weights(self, first: int, n: int) -> np.ndarray | None:
        """Sample weights of n rows, or None."""
        return None if self.sample_weight is None else self.sample_weight[first : first + n]

    def first_nonfinite(self) -> tuple[int, int] | None:
        """Row and column of the first NaN or infinity, or None."""
        kernels = _runtime.kernels()
        for first, block in self.blocks(CHUNK_ROWS):
            threads = _threads(self, block.size)
            position = _runtime.run(kernels.first_nonfinite, block, CHUNK_ROWS, threads)
            if position >= 0:
                row, column = divmod(position, self.n_features)
                return first + row, column
        return None

    def scan(self) -> Scan:
        """Weighted column means and variances, and the first value that is not finite."""
        if self._scan is not None:
            return self._scan
        d = self.n_features
        shift = self.centre
        n_partials = min(PARTIALS, -(-self.n_samples // CHUNK_ROWS))
        # A row of its own cache lines for each partial sum.
        partials = np.zeros((n_partials, -(-(1 + 2 * d) // 16) * 16))
        for first, block in self.blocks(CHUNK_ROWS):
            weight = self.weights(first, len(block))
            _runtime.run(
                _runtime.kernels().column_moments, block, weight, shift, CHUNK_ROWS,
                first // CHUNK_ROWS, partials, _threads(self, 4 * block.size),
            )  # fmt: skip
        sums = np.add.reduce(partials, axis=0)
        # Rows of weight zero are not in the sums, yet must be finite.
        complete = self.sample_weight is None and np.isfinite(sums).all()
        bad = None if complete else self.first_nonfinite()
        with np.errstate(all="ignore"):
            move = sums[1 : d + 1] / sums[0]
            variance = sums[d + 1 : 2 * d + 1] / sums[0] - move * move
        self._scan = Scan(bad, shift + move, np.maximum(variance, 0.0))
        return self._scan


class _Partition(NamedTuple):
    """How rows are cut up; a function of the problem alone."""

    tile_rows: int
    chunk_rows: int
    row_work: int  # multiply-adds a row costs

    def round_chunks(self, least: int) -> int:
        """Chunks between two looks for a signal; at least one for each that computes."""
        return max(least, ROUND_WORK // (self.chunk_rows * self.row_work))

    def threads(self, rows: Rows, n_rows: int) -> int:
        """Threads for so many of the rows."""
        chunks = -(-n_rows // self.chunk_rows)
        return min(_threads(rows, self.row_work * n_rows), chunks)


@lru_cache(maxsize=256)
def _partition(n_samples: int, tile_scalars: int, row_work: int, kernels) -> _Partition:
    """Tiles, chunks and rounds for rows that need `tile_scalars` numbers each while in a tile."""
    strip = kernels.strip_rows()
    # The kernels keep a bit for each strip of a tile.
    possible = [rows for rows in TILE_ROWS if rows % strip == 0 and rows <= 64 * strip]
    row_bytes = tile_scalars * kernels.scalar_bytes()
    tile_rows = next((rows for rows in possible if rows * row_bytes <= TILE_BYTES), possible[-1])
    while tile_rows > possible[-1] and tile_rows >= 2 * n_samples:
        tile_rows //= 2
    tiles = max(1, min(CHUNK_ROWS, CHUNK_WORK // row_work) // tile_rows)
    chunk_rows = tiles * tile_rows
    return _Partition(tile_rows, chunk_rows, row_work)


def _threads(rows: Rows, work: int) -> int:
    """Threads for so many multiply-adds."""
    worth = work // THREAD_WORK
    return min(rows.n_threads, worth) if worth > 1 else 1


# --- What the kernels need to know of a mixture -------------------------------------------------


class _Scores(NamedTuple):
    """An E-step for the kernels: how scores are computed and from what."""

    estep: str
    factors: np.ndarray
    factor_stride: int
    constants: np.ndarray  # in bits
    row_work: int
    features: str = "plain"
    single: bool = False


_NOTHING = np.empty(0)


def _centre(parameters: MixtureParameters) -> np.ndarray:
    """A point from which no digit of a row near a component is lost, for scoring.

    In each column the mean nearest to zero, of the components that are not dead: near the others
    when all lie far from zero together, and never far away because one of them is. It does not
    depend on the rows, so a row's score does not depend on the rows beside it.
    """
    alive = parameters.weights > 1e-6 * parameters.weights.max()
    means = parameters.means[alive]
    return means[np.abs(means).argmin(axis=0), np.arange(means.shape[1])]


def _constants(parameters: MixtureParameters) -> np.ndarray:
    """Logarithm, to base 2, of weight times the density's constant factor, shape (K,)."""
    with np.errstate(divide="ignore"):
        log_weights = np.log(parameters.weights)
    constants = log_weights + parameters.log_determinants
    return (constants - parameters.n_features * HALF_LOG_2PI) * LOG2E


def _exact_scores(parameters: MixtureParameters) -> _Scores:
    """Scores from differences to the means: right wherever the components lie."""
    K, d = parameters.means.shape
    factors = parameters.precisions_cholesky
    constants = _constants(parameters)
    if parameters.covariance_type == "full":
        return _Scores("triangular", factors.ravel(), d * d, constants, K * d * (d + 3) // 2)
    if parameters.covariance_type == "tied":
        return _Scores("direct", factors.ravel(), 0, constants, d * (d + 2 * K))
    if parameters.covariance_type == "spherical":
        factors = np.repeat(factors, d)
    return _Scores("direct", factors.ravel(), d, constants, 2 * K * d)


def _scores_for_sums(parameters: MixtureParameters, rows: Rows, single: bool) -> _Scores:
    """The cheapest E-step that loses no digits of the rows."""
    means = parameters.means - rows.centre
    limit = EXPANSION_LIMIT_SINGLE if single else EXPANSION_LIMIT
    expand = _EXPANSIONS.get(parameters.covariance_type)
    if expand is _expand_full and (single or not _products_pay(parameters, rows, means)):
        expand = None
    if expand is not None:
        features, coefficients, distances = expand(means, parameters.precisions_cholesky)
        if distances.max() <= limit:
            constants = _constants(parameters) - 0.5 * LOG2E * distances
            K, width = coefficients.shape
            factors = (LOG2E * coefficients).ravel()
            return _Scores("linear", factors, width, constants, K * width, features, single)
    return _exact_scores(parameters)._replace(single=single)


def _suits_single(parameters: MixtureParameters, centre: np.ndarray) -> bool:
    """Whether single precision will do for float32 rows about this centre: standardised distances
    keep four digits.
    """
    if parameters.n_features < SINGLE_FEATURES or parameters.covariances is None:
        return False
    factors = parameters.precisions_cholesky
    means = np.abs(parameters.means - centre)
    variances = _variances(parameters)
    reach = means + 3.0 * np.sqrt(variances)
    if parameters.covariance_type == "full":
        squares = np.einsum("kj,kjr->kr", reach * reach, factors * factors)
    elif parameters.covariance_type == "tied":
        squares = (reach * reach) @ (factors * factors)
    else:
        squares = reach * reach / variances
    return bool(
        squares.max() <= SINGLE_LIMIT**2
        and reach.max() < SINGLE_RANGE
        and variances.min() > SINGLE_RANGE**-2
    )


def _variances(parameters: MixtureParameters) -> np.ndarray:
    """Variances of the features, of a shape that broadcasts with (K, d)."""
    covariances = parameters.covariances
    if parameters.covariance_type == "full":
        return np.diagonal(covariances, axis1=1, axis2=2)
    if parameters.covariance_type == "tied":
        return covariances.diagonal()[None, :]
    return covariances if covariances.ndim == 2 else covariances[:, None]


def _products_pay(parameters: MixtureParameters, rows: Rows, means: np.ndarray) -> bool:
    """Whether products of features are worth their cost and precise enough."""
    if parameters.n_features > PRODUCTS_FEATURES or rows.n_samples < PRODUCTS_ROWS:
        return False
    if parameters.covariances is None:
        return False
    variances = np.diagonal(parameters.covariances, axis1=1, axis2=2)
    return _digits_lost(variances + means * means, parameters.precisions_cholesky) <= (
        EXPANSION_LIMIT
    )


def _digits_lost(squares: np.ndarray, factors: np.ndarray) -> float:
    """Largest second moment about the centre, in units of the variance that the other features
    leave unexplained: (K, d) moments and the (K, d, d) factors of the precisions.
    """
    return float((squares * np.einsum("kpr,kpr->kp", factors, factors)).max())


def _expand_full(means, factors):
    precisions = factors @ factors.transpose(0, 2, 1)
    linear = np.einsum("kpq,kq->kp", precisions, means)
    distances = np.einsum("kp,kp->k", linear, means)
    p, q = np.tril_indices(means.shape[1])
    quadratic = precisions[:, p, q] * np.where(p == q, -0.5, -1.0)
    return "with_products", np.concatenate([linear, quadratic], axis=1), distances


def _expand_tied(means, factor):
    whitened = means @ factor
    return "plain", whitened @ factor.T, np.einsum("kj,kj->k", whitened, whitened)


def _expand_spherical(means, factors):
    precisions = factors * factors
    coefficients = np.column_stack([means * precisions[:, None], -0.5 * precisions])
    return "with_norm", coefficients, precisions * np.einsum("kj,kj->k", means, means)


# Each returns the name of the features, their coefficients (K, width) in nats, and the squared
# Mahalanobis distances of the means from the centre (K,). For diagonal covariances differences
# from the means cost no more.
_EXPANSIONS = {
    "full": _expand_full,
    "tied": _expand_tied,
    "spherical": _expand_spherical,
}


def _nearest_scores(centres: np.ndarray, origin: np.ndarray) -> _Scores:
    """Scores in the order of closeness: ``2 x'c - c'c``, x and c about the origin."""
    K, d = centres.shape
    moved = centres - origin
    constants = -np.einsum("kj,kj->k", moved, moved)
    return _Scores("nearest", (2.0 * moved).ravel(), d, constants, K * d)


# --- Passes that sum ----------------------------------------------------------------------------


class _Sums(NamedTuple):
    log_likelihood: float
    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray


# How often a tile holds its rows for each M-step.
_COPIES = {"outer": 3, "outer_pooled": 3, "squares": 1, "features": 2, "dots": 1, "sums": 1}

_MOMENTS = {"full": "outer", "tied": "outer_pooled", "diag": "squares", "spherical": "squares"}


def _width(features: str, d: int) -> int:
    return {
        "plain": d, "with_squares": 2 * d, "with_norm": d + 1, "with_products": d * (d + 3) // 2
    }[features]  # fmt: skip


def _second_shape(mstep: str, K: int, d: int) -> tuple[int, ...]:
    return {"outer": (K, d, d), "outer_pooled": (d, d), "squares": (K, d)}.get(mstep, (0,))


def _moment_work(mstep: str, K: int, d: int, width: int) -> int:
    """Multiply-adds that summing one row costs."""
    if mstep in ("outer", "outer_pooled"):
        return K * d * (d + 3) // 2
    return 2 * K * width


def _sum(
    rows: Rows,
    scores: _Scores,
    mstep: str,
    centre: np.ndarray,
    means: np.ndarray,
    blocks: Callable[[int, int], np.ndarray] | None = None,
) -> _Sums:
    """One pass that sums; `blocks` gives the responsibilities of the "given" E-step."""
    kernels = _runtime.kernels(scores.single)
    K, d = means.shape
    width = _width(scores.features, d)
    least, most = rows.weight_range
    negligible = NEGLIGIBLE_BITS_SINGLE if scores.single else NEGLIGIBLE_BITS
    negligible -= math.log2(most / least)
    codes = (
        kernels.ESTEPS[scores.estep],
        kernels.MSTEPS[mstep],
        kernels.FEATURE_SETS[scores.features],
    )
    sharers = 1 if scores.estep == "nearest" else K  # components that a row is added to
    work = scores.row_work + _moment_work(mstep, sharers, d, width)
    cut = _partition(rows.n_samples, _COPIES[mstep] * width + K, work, kernels)
    size = kernels.partial_size(codes[1], codes[2], K, d)
    n_chunks = -(-rows.n_samples // cut.chunk_rows)
    n_partials = max(1, min(PARTIALS, n_chunks, max(2, PARTIALS_BYTES // (8 * size))))
    partials = np.zeros((n_partials, size))
    for first, block in rows.blocks(cut.chunk_rows):
        for start, stop in _pieces(len(block), cut.chunk_rows, K if blocks else 0):
            given = None if blocks is None else blocks(first + start, first + stop)
            _runtime.run(
                kernels.accumulate, block[start:stop], rows.weights(first + start, stop - start),
                given, *codes, centre, means, scores.factors, scores.factor_stride,
                scores.constants, negligible, cut.tile_rows, cut.chunk_rows,
                (first + start) // cut.chunk_rows, cut.round_chunks(n_partials), partials,
                min(cut.threads(rows, stop - start), n_partials),
            )  # fmt: skip
    sums = _Sums(0.0, np.empty(K), np.empty((K, width)), np.empty(_second_shape(mstep, K, d)))
    log_likelihood = kernels.reduce_partials(
        partials, codes[1], codes[2], centre, means, sums.weight, sums.first, sums.second.ravel()
    )
    return sums._replace(log_likelihood=log_likelihood * LN2)


def _pieces(n: int, chunk_rows: int, row_doubles: int) -> Iterator[tuple[int, int]]:
    """Cut a block so that `row_doubles` extra doubles a row stay within a block's bytes."""
    size = n
    if row_doubles:
        size = max(1, BLOCK_BYTES // (8 * row_doubles * chunk_rows)) * chunk_rows
    for start in range(0, n, size):
        yield start, min(start + size, n)


def accumulate(
    parameters: MixtureParameters, rows: Rows, variance_floor: float = 0.0
) -> SufficientStatistics:
    """The E-step and its sums: statistics of the rows under the parameters.

    `variance_floor` is what the M-step will add to every variance; digits far below it are not
    worth a second pass.
    """
    single = rows.dtype == _SINGLE and _suits_single(parameters, rows.centre) and rows.ordinary
    scores = _scores_for_sums(parameters, rows, single)
    if _centred_moments_hold(parameters, rows, scores, variance_floor):
        statistics = _accumulate_features(parameters, rows, scores)
        if not _has_cancelled(statistics, variance_floor, single):
            return statistics
    scores = _exact_scores(parameters)._replace(single=single)
    means = parameters.means
    if parameters.covariance_type == "tied":
        K, d = means.shape
        scores = scores._replace(estep="triangular", row_work=K * d * (d + 3) // 2)
    if single:
        return _moments_in_single(parameters, rows, scores, variance_floor)
    return _moments(rows, scores, parameters.covariance_type, rows.centre, means)


def _moments_in_single(parameters, rows, scores, variance_floor) -> SufficientStatistics:
    """Moments in single precision, or in double where a covariance that they give could not be
    told from a singular one.
    """
    # The kernel can represent these means.
    means = rows.centre + (parameters.means - rows.centre).astype(np.float32)
    statistics = _moments(rows, scores, parameters.covariance_type, rows.centre, means)
    if statistics.covariance_type != "full" or _keeps_digits(
        statistics, variance_floor, EXPANSION_LIMIT_SINGLE
    ):
        return statistics
    scores = scores._replace(single=False)
    return _moments(rows, scores, parameters.covariance_type, rows.centre, parameters.means)


def _centred_moments_hold(parameters, rows, scores, variance_floor) -> bool:
    """Whether variances may be formed from moments about the centre, as far as the parameters
    before the step tell. A variance that is hardly more than its floor needs fewer digits.
    """
    if parameters.covariance_type == "full":
        return scores.estep == "linear"
    if parameters.covariances is None:
        return False
    limit, floor_limit = EXPANSION_LIMIT, CANCELLATION_LIMIT
    if scores.single:
        limit, floor_limit = EXPANSION_LIMIT_SINGLE, CANCELLATION_LIMIT_SINGLE
    variances = _variances(parameters)
    squares = np.square(parameters.means - rows.centre)
    if parameters.covariance_type == "spherical":
        squares = squares.mean(axis=1, keepdims=True)
    limits = np.where(variances <= 2 * variance_floor, floor_limit, limit)
    return bool((squares <= limits * variances).all())


_FEATURES = {"full": "with_products", "tied": "plain", "diag": "with_squares",
             "spherical": "with_norm"}  # fmt: skip


def _accumulate_features(parameters, rows, scores) -> SufficientStatistics:
    """Statistics about the centre, from sums of responsibilities times features."""
    K, d = parameters.means.shape
    features = _FEATURES[parameters.covariance_type]
    lanes = K * _width(features, d) * _runtime.kernels().vector_bytes()
    mstep = "dots" if lanes <= LANES_BYTES else "features"
    sums = _sum(rows, scores._replace(features=features), mstep, rows.centre, parameters.means)
    first = np.ascontiguousarray(sums.first[:, :d])
    second = sums.first[:, d:]
    log_likelihood = sums.log_likelihood
    if parameters.covariance_type == "tied":
        second = rows.scatter
        if scores.estep == "linear":
            # What the scores left out: -1/2 sum of w (x - c)' P (x - c) = -1/2 trace(P scatter).
            factor = parameters.precisions_cholesky
            log_likelihood -= 0.5 * float(np.einsum("jr,jr->", factor, second @ factor))
    elif parameters.covariance_type == "spherical":
        second = second[:, 0]
    elif parameters.covariance_type == "full":
        p, q = np.tril_indices(d)
        products = second
        second = np.empty((K, d, d))
        second[:, p, q] = products
        second[:, q, p] = products
    sums = _Sums(log_likelihood, sums.weight, first, second)
    return _statistics(parameters.covariance_type, rows, sums, np.tile(rows.centre, (K, 1)))


def _has_cancelled(statistics: SufficientStatistics, variance_floor: float, single: bool) -> bool:
    """Whether new variances would be small differences of large moments about the centre."""
    if statistics.covariance_type == "full":
        return not _keeps_digits(statistics, variance_floor, CANCELLATION_LIMIT_FULL)
    weight = np.maximum(statistics.weight, np.finfo(np.float64).tiny)
    squares = statistics.first * statistics.first
    second = statistics.second
    if statistics.covariance_type == "tied":
        second = second.diagonal()
        moved = (squares / weight[:, None]).sum(axis=0)
        floor = variance_floor * weight.sum()
    elif statistics.covariance_type == "diag":
        moved = squares / weight[:, None]
        floor = variance_floor * weight[:, None]
    else:
        moved = squares.sum(axis=1) / weight
        floor = variance_floor * weight * squares.shape[1]
    limit = CANCELLATION_LIMIT_SINGLE if single else CANCELLATION_LIMIT
    return bool((second > limit * (second - moved + floor)).any())


def _keeps_digits(statistics, variance_floor: float, limit: float) -> bool:
    """Whether full covariances from the statistics have factors, and lose not more than `limit`
    roundings of their moments in them.
    """
    family = FAMILIES["full"]
    weight = np.maximum(statistics.weight, np.finfo(np.float64).tiny)
    means = statistics.shift + statistics.first / weight[:, None]
    covariances = family.maximize(statistics, weight, means)
    family.regularise(covariances, variance_floor)
    try:
        factors = family.factorise(covariances)
    except CollapsedComponent:
        return False
    squares = np.diagonal(statistics.second, axis1=1, axis2=2) / weight[:, None]
    return _digits_lost(squares, factors) <= limit


def _statistics(
    covariance_type: str, rows: Rows, sums: _Sums, shift: np.ndarray
) -> SufficientStatistics:
    return SufficientStatistics(
        covariance_type=covariance_type,
        weight=sums.weight,
        first=sums.first,
        second=np.ascontiguousarray(sums.second),
        shift=shift,
        log_likelihood=sums.log_likelihood,
        total_weight=rows.total_weight,
        n_rows=rows.n_samples,
    )


def _moments(rows, scores, covariance_type, centre, means, blocks=None) -> SufficientStatistics:
    """Statistics with second moments about the means."""
    sums = _sum(rows, scores, _MOMENTS[covariance_type], centre, means, blocks)
    if scores.estep in ("nearest", "given"):
        sums = sums._replace(log_likelihood=math.nan)
    if covariance_type == "spherical":
        sums = sums._replace(second=sums.second.sum(axis=1))
    return _statistics(covariance_type, rows, sums, means)


def accumulate_nearest(
    rows: Rows, centres: np.ndarray, covariance_type: str
) -> SufficientStatistics:
    """Statistics when every row belongs wholly to the nearest centre; no log-likelihood."""
    centres = np.ascontiguousarray(centres, dtype=np.float64)
    scores = _nearest_scores(centres, rows.centre)
    return _moments(rows, scores, covariance_type, rows.centre, centres)


def accumulate_responsibilities(
    rows: Rows,
    blocks: Callable[[int, int], np.ndarray],
    n_components: int,
    covariance_type: str,
) -> SufficientStatistics:
    """Statistics under given responsibilities; no log-likelihood.

    Parameters
    ----------
    rows : Rows
    blocks : callable
        ``blocks(start, stop)`` returns the responsibilities of these rows, (stop - start, K)
        float64. Called in order, once for each row.
    n_components : int
    covariance_type : str
    """
    means = np.tile(rows.centre, (n_components, 1))
    scores = _Scores("given", _NOTHING, 0, np.zeros(n_components), n_components)
    return _moments(rows, scores, covariance_type, rows.centre, means, blocks)


# --- Passes that write a value for each row -----------------------------------------------------


class Scorer:
    """A mixture made ready to score rows: what depends on its parameters alone is done once.

    The parameters' arrays must stay as they are. Nothing in a scorer changes, so threads may share
    it.

    Parameters
    ----------
    parameters : MixtureParameters
    """

    def __init__(self, parameters: MixtureParameters):
        self._parameters = parameters
        self._scores = _exact_scores(parameters)
        self._centre = _centre(parameters)
        self._jobs: dict[bool, object] = {}
        self.n_components, self.n_features = parameters.means.shape
        self._row_work = self._scores.row_work + 20 * self.n_components

    @cached_property
    def _suits_single(self) -> bool:
        # The covariances beside the factors may be what a user has set.
        factors = self._parameters.precisions_cholesky
        covariances = FAMILIES[self._parameters.covariance_type].covariances(factors)
        return _suits_single(replace(self._parameters, covariances=covariances), self._centre)

    def _job(self, single: bool):
        """The mixture prepared for the kernels of one precision."""
        job = self._jobs.get(single)
        if job is None:
            kernels = _runtime.kernels(single)
            centre = self._centre
            if single:
                centre = centre.astype(np.float32).astype(np.float64)
            scores = self._scores
            job = self._jobs[single] = kernels.ScoringJob(
                kernels.ESTEPS[scores.estep], centre, self._parameters.means, scores.factors,
                scores.factor_stride, scores.constants,
            )  # fmt: skip
        return job

    def evaluate(
        self,
        rows: Rows,
        *,
        log_density: np.ndarray | None = None,
        responsibilities: np.ndarray | None = None,
        labels: np.ndarray | None = None,
    ) -> tuple[int, int] | None:
        """Fill the given C-contiguous arrays, if all rows are finite.

        Parameters
        ----------
        rows : Rows
        log_density : ndarray of shape (n,), of the rows' dtype, optional
            Natural logarithm of the mixture's density at each row.
        responsibilities : ndarray of shape (n, K), of the rows' dtype, optional
            Posterior probabilities of the components; each row sums to one.
        labels : ndarray of shape (n,), intp, optional
            Component of the largest responsibility.

        Returns
        -------
        tuple of int or None
            Row and column of the first NaN or infinity; nothing has been written then.
        """
        single = rows.dtype == _SINGLE and self._suits_single
        kernels, job = _runtime.kernels(single), self._job(single)
        tile_scalars = 2 * self.n_features + self.n_components
        cut = _partition(rows.n_samples, tile_scalars, self._row_work, kernels)
        if rows.n_samples <= cut.chunk_rows:
            block = rows.X if rows.in_place else next(rows.blocks(cut.chunk_rows))[1]
            position = kernels.evaluate_few(
                block, job, cut.tile_rows, log_density, responsibilities, labels
            )
            return None if position < 0 else divmod(position, self.n_features)
        bad = rows.first_nonfinite()
        if bad is not None:
            return bad
        for first, block in rows.blocks(cut.chunk_rows):
            part = slice(first, first + len(block))
            threads = cut.threads(rows, len(block))
            _runtime.run(
                kernels.evaluate, block, job, cut.tile_rows, cut.chunk_rows,
                cut.round_chunks(threads),
                None if log_density is None else log_density[part],
                None if responsibilities is None else responsibilities[part],
                None if labels is None else labels[part],
                threads,
            )  # fmt: skip
        return None


def evaluate(
    parameters: MixtureParameters, rows: Rows, **outputs: np.ndarray
) -> tuple[int, int] | None:
    """Score rows once: `Scorer.evaluate` under these parameters."""
    return Scorer(parameters).evaluate(rows, **outputs)


# --- k-means ------------------------------------------------------------------------------------


def lloyd(rows: Rows, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One pass of Lloyd's algorithm.

    Returns
    -------
    weight : ndarray of shape (K,)
        Total weight of the rows nearest to each centre.
    means : ndarray of shape (K, d)
        Their weighted means; a centre without rows stays where it is.
    """
    sums = _sum(rows, _nearest_scores(centres, rows.centre), "sums", rows.centre, centres)
    means = centres.copy()
    filled = sums.weight > 0
    means[filled] += sums.first[filled] / sums.weight[filled, None]
    return sums.weight, means


def squared_distances(rows: Rows, points: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """``|x - point|^2`` for each of a few points and every row, shape (L, n), float64."""
    L, d = points.shape
    distances = np.empty((L, rows.n_samples)) if out is None else out
    kernels = _runtime.kernels()
    cut = _partition(rows.n_samples, 2 * d + L, 2 * L * d, kernels)
    for first, block in rows.blocks(cut.chunk_rows):
        _runtime.run(
            kernels.squared_distances, block, rows.centre, points, np.zeros(L),
            distances[:, first : first + len(block)], cut.tile_rows, cut.chunk_rows,
            cut.threads(rows, len(block)),
        )  # fmt: skip
    return distances
