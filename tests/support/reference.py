"""A slow, plain NumPy Gaussian mixture that every kernel is held against.

Everything is computed in double precision in the most direct way: differences from the mean first,
then a triangular solve; one component after another; no expanded squares and no skipped pairs.
Nothing here calls gaussmix.

Covariances have scikit-learn's shapes: full (K, d, d), tied (d, d), diag (K, d), spherical (K,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import solve_triangular

from support.families import LAYOUT_OF


@dataclass
class Mixture:
    """Weights (K,), means (K, d) and covariances of one family."""

    covariance_type: str
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def n_components(self) -> int:
        return self.means.shape[0]

    @property
    def n_features(self) -> int:
        return self.means.shape[1]


@dataclass
class Statistics:
    """Sums over the rows about ``shift``; ``second`` has the shape of the family's covariances."""

    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    log_likelihood: float


def dense_covariances(mixture: Mixture) -> np.ndarray:
    """The covariances of any family written out as (K, d, d) matrices."""
    K, d = mixture.means.shape
    cov = mixture.covariances
    if mixture.covariance_type == "full":
        return np.array(cov)
    if mixture.covariance_type == "tied":
        return np.array([cov] * K)
    if mixture.covariance_type == "diag":
        return np.array([np.diag(variance) for variance in cov])
    return np.array([variance * np.eye(d) for variance in cov])


def deviations(mixture: Mixture) -> np.ndarray:
    """Standard deviation of each feature in each component, (K, d)."""
    return np.sqrt([np.diag(matrix) for matrix in dense_covariances(mixture)])


def precision_factors(covariance_type: str, covariances: np.ndarray) -> np.ndarray:
    """scikit-learn's ``precisions_cholesky_``: upper triangular U with precision U U', or 1/sd."""
    if covariance_type in ("diag", "spherical"):
        return 1.0 / np.sqrt(covariances)
    matrices = covariances if covariance_type == "full" else covariances[None]
    d = matrices.shape[-1]
    factors = [
        solve_triangular(np.linalg.cholesky(matrix), np.eye(d), lower=True).T
        for matrix in matrices
    ]
    return np.array(factors) if covariance_type == "full" else factors[0]


def squared_distances(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """Mahalanobis distances (x - mean_k)' inv(cov_k) (x - mean_k), (n, K)."""
    out = np.empty((X.shape[0], mixture.n_components))
    for k, cov in enumerate(dense_covariances(mixture)):
        whitened = solve_triangular(np.linalg.cholesky(cov), (X - mixture.means[k]).T, lower=True)
        out[:, k] = (whitened**2).sum(axis=0)
    return out


def weighted_log_densities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """log(weight_k) + log N(x_i; mean_k, cov_k), (n, K)."""
    X = np.asarray(X, dtype=np.float64)
    log_determinants = np.array(
        [2 * np.log(np.diag(np.linalg.cholesky(cov))).sum() for cov in dense_covariances(mixture)]
    )
    with np.errstate(divide="ignore"):
        log_weights = np.log(mixture.weights)
    constant = mixture.n_features * np.log(2 * np.pi) + log_determinants
    return log_weights - 0.5 * (constant + squared_distances(mixture, X))


def normalise(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-density (n,) and responsibilities (n, K) from weighted log-densities (n, K)."""
    best = scores.max(axis=1, keepdims=True)
    shares = np.exp(scores - best)
    total = shares.sum(axis=1, keepdims=True)
    return (best + np.log(total))[:, 0], shares / total


def log_densities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """log p(x_i), (n,)."""
    return normalise(weighted_log_densities(mixture, X))[0]


def responsibilities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """p(component k | x_i), (n, K)."""
    return normalise(weighted_log_densities(mixture, X))[1]


def sums_about(
    X: np.ndarray,
    shares: np.ndarray,
    shift: np.ndarray,
    covariance_type: str,
    *,
    magnitudes: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight, first and second moment about ``shift`` (K, d) for ``shares`` (n, K) of each row.

    With ``magnitudes`` every term enters with its absolute value: the scale rounding errors are
    measured against.
    """
    X = np.asarray(X, dtype=np.float64)
    K, d = shift.shape
    first = np.empty((K, d))
    second = np.empty((K, d, d))
    for k in range(K):
        centred = X - shift[k]
        if magnitudes:
            centred = np.abs(centred)
        first[k] = shares[:, k] @ centred
        second[k] = (shares[:, k, None] * centred).T @ centred
    if covariance_type == "tied":
        second = second.sum(axis=0)
    elif covariance_type == "diag":
        second = np.array([np.diag(matrix) for matrix in second])
    elif covariance_type == "spherical":
        second = np.array([np.trace(matrix) for matrix in second])
    return shares.sum(axis=0), first, second


def statistics(
    mixture: Mixture,
    X: np.ndarray,
    shift: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
) -> Statistics:
    """One E-step: the sufficient statistics about ``shift`` (default: the mixture's means)."""
    if shift is None:
        shift = mixture.means
    row_weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, float)
    log_density, shares = normalise(weighted_log_densities(mixture, X))
    weight, first, second = sums_about(
        X, shares * row_weight[:, None], shift, mixture.covariance_type
    )
    log_likelihood = float(row_weight @ log_density)
    return Statistics(weight, first, second, np.array(shift), log_likelihood)


def maximize(stats: Statistics, covariance_type: str, reg_covar: float = 0.0) -> Mixture:
    """One M-step as scikit-learn's: 10 eps added to the weights, reg_covar to the variances."""
    d = stats.first.shape[1]
    weight = stats.weight + 10 * np.finfo(np.float64).eps
    delta = stats.first / weight[:, None]
    if covariance_type == "full":
        outer = np.array([np.outer(row, row) for row in delta])
        covariances = stats.second / weight[:, None, None] - outer + reg_covar * np.eye(d)
    elif covariance_type == "tied":
        outer = sum(w * np.outer(row, row) for w, row in zip(weight, delta, strict=True))
        covariances = (stats.second - outer) / weight.sum() + reg_covar * np.eye(d)
    elif covariance_type == "diag":
        covariances = stats.second / weight[:, None] - delta**2 + reg_covar
    else:
        covariances = stats.second / (d * weight) - (delta**2).mean(axis=1) + reg_covar
    return Mixture(covariance_type, weight / weight.sum(), stats.shift + delta, covariances)


def em(
    mixture: Mixture,
    X: np.ndarray,
    n_iter: int,
    reg_covar: float = 0.0,
    sample_weight: np.ndarray | None = None,
    e_step: Callable[..., Statistics] = statistics,
) -> tuple[Mixture, list[float]]:
    """``n_iter`` EM iterations; also the mean log-likelihood each E-step saw."""
    total = len(X) if sample_weight is None else np.sum(sample_weight)
    lower_bounds = []
    for _ in range(n_iter):
        stats = e_step(mixture, X, sample_weight=sample_weight)
        lower_bounds.append(stats.log_likelihood / total)
        mixture = maximize(stats, mixture.covariance_type, reg_covar)
    return mixture, lower_bounds


# --- rows with missing values, NaN ---------------------------------------------------------------


@dataclass
class Completed:
    """What each component says of one row, given the values that are there."""

    log_densities: np.ndarray  # (K,), of those values
    means: np.ndarray  # (K, d), the values themselves where they are there
    covariances: np.ndarray  # (K, d, d), zero where they are


def completed(mixture: Mixture, row: np.ndarray) -> Completed:
    """Density of the values that are there, and the distribution of the others given them."""
    there = ~np.isnan(row)
    missing = ~there
    K, d = mixture.means.shape
    found = Completed(np.empty(K), np.tile(row.astype(np.float64), (K, 1)), np.zeros((K, d, d)))
    for k, cov in enumerate(dense_covariances(mixture)):
        of_there = cov[np.ix_(there, there)]
        both = cov[np.ix_(there, missing)]
        difference = row[there] - mixture.means[k][there]
        distance = difference @ np.linalg.solve(of_there, difference)
        log_determinant = np.linalg.slogdet(of_there)[1]
        constant = there.sum() * np.log(2 * np.pi)
        found.log_densities[k] = -0.5 * (constant + log_determinant + distance)
        slopes = np.linalg.solve(of_there, both).T
        found.means[k, missing] = mixture.means[k][missing] + slopes @ difference
        found.covariances[k][np.ix_(missing, missing)] = (
            cov[np.ix_(missing, missing)] - slopes @ both
        )
    return found


def incomplete_weighted_log_densities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """log(weight_k) + log density of the values of row i that are there, (n, K)."""
    scores = np.array([completed(mixture, row).log_densities for row in X])
    return np.log(mixture.weights) + scores.reshape(len(X), mixture.n_components)


def incomplete_log_densities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """log p(values of row i that are there), (n,); 0 for a row without any."""
    return normalise(incomplete_weighted_log_densities(mixture, X))[0]


def incomplete_responsibilities(mixture: Mixture, X: np.ndarray) -> np.ndarray:
    """p(component k | values of row i that are there), (n, K)."""
    return normalise(incomplete_weighted_log_densities(mixture, X))[1]


def incomplete_statistics(
    mixture: Mixture,
    X: np.ndarray,
    shift: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
) -> Statistics:
    """`statistics` of completed rows: expected values of what is missing and of its products."""
    if shift is None:
        shift = mixture.means
    K, d = mixture.means.shape
    row_weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, float)
    log_density, shares = normalise(incomplete_weighted_log_densities(mixture, X))
    shares = shares * row_weight[:, None]
    first = np.zeros((K, d))
    second = np.zeros((K, d, d))
    for row, of_row in zip(X, shares, strict=True):
        found = completed(mixture, row)
        for k in range(K):
            centred = found.means[k] - shift[k]
            first[k] += of_row[k] * centred
            second[k] += of_row[k] * (np.outer(centred, centred) + found.covariances[k])
    if mixture.covariance_type == "tied":
        second = second.sum(axis=0)
    elif mixture.covariance_type == "diag":
        second = np.array([np.diag(matrix) for matrix in second])
    elif mixture.covariance_type == "spherical":
        second = np.array([np.trace(matrix) for matrix in second])
    log_likelihood = float(row_weight @ log_density)
    return Statistics(shares.sum(axis=0), first, second, np.array(shift), log_likelihood)


#: `em` for rows with missing values.
incomplete_em = partial(em, e_step=incomplete_statistics)


def imputation(mixture: Mixture, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of a row given its values that are there."""
    found = completed(mixture, row)
    shares = normalise((np.log(mixture.weights) + found.log_densities)[None])[1][0]
    mean = shares @ found.means
    apart = found.means - mean
    return mean, np.einsum("k,kpq->pq", shares, found.covariances) + (shares * apart.T) @ apart


# --- mixtures and rows to test with --------------------------------------------------------------


def random_mixture(
    rng: np.random.Generator, covariance_type: str, n_components: int, n_features: int
) -> Mixture:
    """A well-conditioned mixture: means N(0, 4), variances of the order of one."""
    K, d = n_components, n_features
    weights = rng.uniform(0.5, 1.5, K)
    means = 2.0 * rng.standard_normal((K, d))
    if covariance_type in ("full", "tied"):
        roots = rng.standard_normal((K, d, d)) / np.sqrt(d)
        covariances = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(d)
        covariances = covariances if covariance_type == "full" else covariances[0]
    elif covariance_type == "diag":
        covariances = rng.uniform(0.5, 2.0, (K, d))
    else:
        covariances = rng.uniform(0.5, 2.0, K)
    return Mixture(covariance_type, weights / weights.sum(), means, covariances)


def unit_covariances(covariance_type: str, n_components: int, n_features: int) -> np.ndarray:
    """Covariances of which every component's is the identity."""
    K, d = n_components, n_features
    return {
        "full": np.tile(np.eye(d), (K, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((K, d)),
        "spherical": np.ones(K),
    }[LAYOUT_OF[covariance_type]]


def draw(rng: np.random.Generator, mixture: Mixture, n_samples: int) -> np.ndarray:
    """Rows of the mixture, (n_samples, d), in random order of components."""
    roots = np.linalg.cholesky(dense_covariances(mixture))
    labels = rng.choice(mixture.n_components, size=n_samples, p=mixture.weights)
    noise = rng.standard_normal((n_samples, mixture.n_features))
    return mixture.means[labels] + np.einsum("npq,nq->np", roots[labels], noise)


# --- Draws: counters encrypted, and what becomes of the words ------------------------------------

_ROTATIONS = ((14, 16), (52, 57), (23, 40), (5, 37), (25, 33), (46, 12), (58, 22), (32, 32))


def threefry(key: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """Threefry-4x64-20 (Salmon et al. 2011) of counters (n, 4) with a key (4,), all uint64."""
    words = np.append(key, np.bitwise_xor.reduce(key) ^ np.uint64(0x1BD11BDAA9FC1A22))
    x = list((counters + key).T)
    for number in range(20):
        pairs = ((0, 1), (2, 3)) if number % 2 == 0 else ((0, 3), (2, 1))
        for (a, b), turn in zip(pairs, _ROTATIONS[number % 8], strict=True):
            x[a] = x[a] + x[b]
            x[b] = (x[b] << np.uint64(turn) | x[b] >> np.uint64(64 - turn)) ^ x[a]
        if number % 4 == 3:
            turn = number // 4 + 1
            x = [x[i] + words[(turn + i) % 5] for i in range(4)]
            x[3] = x[3] + np.uint64(turn)
    return np.stack(x, axis=1)


def noise(key: np.ndarray, rows: np.ndarray, draw: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """A uniform number (n,) and m normal ones (n, m) for a draw of each row."""
    n_blocks = 1 + (m + 1) // 4
    blocks, numbers = np.meshgrid(np.arange(n_blocks), rows)
    counters = np.zeros((len(rows) * n_blocks, 4), dtype=np.uint64)
    counters[:, 0], counters[:, 1], counters[:, 2] = blocks.ravel(), numbers.ravel(), draw
    words = threefry(key, counters).reshape(len(rows), -1)
    far, where = words[:, 2::2], words[:, 3::2]
    radius = np.sqrt(-2 * np.log(((far >> np.uint64(11)) + np.uint64(1)) * 2.0**-53))
    fraction = where << np.uint64(2) >> np.uint64(12)
    angle = np.pi / 2 * ((fraction.astype(float) + 0.5) * 2.0**-52 - 0.5)
    cosine = np.where(where >> np.uint64(63), -np.cos(angle), np.cos(angle))
    pair = np.stack([cosine, np.sin(angle)], axis=-1)
    swapped = (where >> np.uint64(62) & np.uint64(1)).astype(bool)
    pair[swapped] = pair[swapped][:, ::-1]
    normals = (radius[..., None] * pair).reshape(len(rows), -1)
    return (words[:, 0] >> np.uint64(11)) * 2.0**-53, normals[:, :m]


def sampled(mixture: Mixture, key: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a mixture by their numbers (n,), and their components."""
    uniform, z = noise(key, rows, 0, mixture.n_features)
    until = np.cumsum(mixture.weights)
    labels = np.searchsorted(until / until[-1], uniform, side="right")
    factors = precision_factors(mixture.covariance_type, mixture.covariances)
    X = np.empty_like(z)
    for k in range(mixture.n_components):
        chosen = labels == k
        U = factors if mixture.covariance_type == "tied" else factors[k]
        if mixture.covariance_type in ("full", "tied"):
            moved = solve_triangular(U, z[chosen].T, trans="T").T
        else:
            moved = z[chosen] / U
        X[chosen] = mixture.means[k] + moved
    return X, labels
