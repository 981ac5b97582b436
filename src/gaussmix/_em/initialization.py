"""Where EM starts: k-means, k-means++, random rows, random responsibilities, given parameters.

Every start ends in statistics over all rows and one M-step. The searches for centres draw from the
random generator in the order in which scikit-learn draws, so that on data small enough to be
searched whole an integer ``random_state`` leads both libraries to the same start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from .._checks.messages import convergence_warning
from .._common.families import CovarianceType
from .._common.typing import Doubles, Generator, Indices, InitParams
from .._common.warnings import warn
from .._estep import kmeans
from .._estep.data import Data
from .._mstep.families import FAMILIES
from .._mstep.maximize import Estimate, constrained, estimate, factorised
from .._parameters.layouts import layout_of
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .._rows.first_pass import FirstPass
from .._statistics.sufficient import SufficientStatistics

# Centres are sought on at most this many rows plus this many for each component, spread evenly
# over the data. The error of a centre falls with the rows of its own cluster, and EM, which reads
# all rows, corrects what is left; beyond some tens of rows for each component more rows only
# make the search, which passes over them many times, dearer than the EM it prepares.
SUBSAMPLE_ROWS = 16_384
SUBSAMPLE_ROWS_PER_COMPONENT = 64

# A Lloyd pass costs at most half the arithmetic of an EM iteration over the same rows. Passes over
# a subsample end when they have read this many times all rows: at the price of two iterations.
LLOYD_READS = 4

# Lloyd passes when all rows are searched, and the movement at which they stop (sum of squared
# moves of the centres over the mean variance of the columns): scikit-learn's values.
LLOYD_PASSES = 300
LLOYD_TOLERANCE = 1e-4

# Starts are the same when the weights of their components, means in deviations of the columns, and
# logarithms of determinants agree to this: far more than rounding, and far less than one row in
# another cluster would make.
SAME_START = 1e-11

# Drawing distinct rows by a permutation takes eight bytes a row; above this many rows one row is
# drawn from each of K equal strips of the data instead, which takes none.
PERMUTATION_ROWS = 1 << 20

# Makes parameters of statistics and an estimate.
Finish: TypeAlias = Callable[[SufficientStatistics, Estimate], MixtureParameters]


def initial_parameters(
    data: Data,
    n_components: int,
    covariance_type: CovarianceType,
    *,
    init_params: InitParams,
    reg_covar: float,
    variance_floor: float = 0.0,
    random_state: Generator,
    scan: FirstPass,
    weights: Doubles | None = None,
    means: Doubles | None = None,
    precisions: Doubles | None = None,
    finish: Finish = factorised,
) -> MixtureParameters:
    """Parameters for the first E-step.

    Parameters
    ----------
    data : Data
        All rows, none with an infinity, with their weights.
    n_components : int
    covariance_type : str
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
    reg_covar : float
        Added to every variance, in squared units of the data.
    variance_floor : float, default=0.0
        Least variance as a fraction of the columns' variances; given precisions stay as they are.
    random_state : RandomState or Generator
    scan : FirstPass
        Column means and variances of the rows.
    weights, means, precisions : ndarray, optional
        Given parameters. Each replaces the one found; with all three nothing is searched. As in
        scikit-learn, given means do not guide the search, whose covariances stay beside them.
    finish : callable, optional
        ``finish(statistics, estimate) -> MixtureParameters`` makes parameters of the estimate
        and decides what becomes of a covariance that is not positive definite.

    Returns
    -------
    MixtureParameters

    Raises
    ------
    CollapsedComponent
        If a covariance of the start is not positive definite, unless `finish` knows better.
    """
    if weights is not None and means is not None and precisions is not None:
        return _with_precisions(covariance_type, weights, means, precisions)
    find = _SEARCHES.get(init_params)
    if find is None:
        statistics = data.accumulate_random(random_state, n_components, covariance_type)
    else:
        centres = find(data, n_components, random_state, scan)
        # For "k-means++" and "random_from_data" scikit-learn starts from spheres of variance
        # reg_covar at the seeds, so its first E-step gives each row to the nearest seed. That step
        # is taken here directly; it does not depend on reg_covar being small, nor on the scatter
        # of the data about the origin, from which scikit-learn starts when the family is "tied".
        statistics = data.accumulate_nearest(centres, covariance_type)
    statistics.columns = scan.observed_columns
    found = estimate(statistics, reg_covar, variance_floor=variance_floor)
    weights = found.weights if weights is None else weights
    means = found.means if means is None else means
    if precisions is not None:
        return _with_precisions(covariance_type, weights, means, precisions)
    return finish(statistics, found._replace(weights=weights, means=means))


class DistinctStarts:
    """Remembers starts, to notice one that repeats an earlier one.

    On small or well separated data most searches end in the same clusters, in another order. EM
    would repeat itself from there to the last digits.

    Parameters
    ----------
    scan : FirstPass
        Of the rows; the columns' variances are the units in which means are compared.
    """

    def __init__(self, scan: FirstPass) -> None:
        self._unit = np.sqrt(np.where(scan.variance > 0, scan.variance, 1.0))
        self._seen: list[Doubles] = []

    def repeats(self, parameters: MixtureParameters) -> bool:
        """Whether an earlier start was the same but for the order of the components."""
        marks = np.column_stack(
            [
                parameters.weights,
                parameters.log_determinants,
                parameters.means / self._unit,
            ]
        )
        # An order that depends on the components alone: by a combination of all their marks.
        combined = (marks * np.cos(np.arange(marks.shape[1]))).sum(axis=1)
        marks = marks[np.argsort(combined)]
        for other in self._seen:
            if other.shape == marks.shape and np.abs(marks - other).max() <= SAME_START:
                return True
        self._seen.append(marks)
        return False


def _with_precisions(
    covariance_type: CovarianceType, weights: Doubles, means: Doubles, precisions: Doubles
) -> MixtureParameters:
    factors, covariances = layout_of(covariance_type).from_precisions(precisions)
    given = MixtureParameters(covariance_type, weights, means, covariances, factors)
    return constrained(given, None) if FAMILIES[covariance_type].constrained else given


def _kmeans(data: Data, n_components: int, random_state: Generator, scan: FirstPass) -> Doubles:
    """Centres by k-means++ and Lloyd's algorithm, shape (K, d)."""
    sample = _subsample(data, n_components, random_state)
    centres, n_distinct = plus_plus(sample, n_components, random_state)
    passes = LLOYD_PASSES
    if sample.n_samples < data.n_samples:
        passes = min(passes, LLOYD_READS * data.n_samples // sample.n_samples)
    if n_distinct < n_components:
        warn(
            convergence_warning(
                f"Number of distinct clusters ({n_distinct}) found smaller than n_clusters "
                f"({n_components}). Possibly due to duplicate points in X."
            )
        )
        return centres
    return _lloyd(sample, centres, passes, LLOYD_TOLERANCE * scan.variance.mean())


def _seeds(data: Data, n_components: int, random_state: Generator, scan: FirstPass) -> Doubles:
    """Centres by k-means++ alone, shape (K, d)."""
    sample = _subsample(data, n_components, random_state)
    return plus_plus(sample, n_components, random_state)[0]


def _random_rows(
    data: Data, n_components: int, random_state: Generator, scan: FirstPass
) -> Doubles:
    """Distinct rows as centres, shape (K, d); a row of weight 2 is twice as likely."""
    n = data.n_samples
    if data.weighted:
        rows = data.rows_to_draw(sample_rows(n_components))
        weight = rows.sample_weight
        assert weight is not None
        share = weight / weight.sum()
        # A row of positive weight stays possible even where its share underflows.
        share[weight > 0] += np.finfo(np.float64).tiny
        chosen = random_state.choice(len(share), size=n_components, replace=False, p=share)
        return _values(rows, chosen)
    if n <= PERMUTATION_ROWS:
        chosen = random_state.choice(n, size=n_components, replace=False)
    else:
        chosen = _one_per_strip(n, n_components, random_state)
    return _filled(data.take(chosen).X.astype(np.float64), scan.mean)


_SEARCHES: dict[InitParams, Callable[[Data, int, Generator, FirstPass], Doubles]] = {
    "kmeans": _kmeans,
    "k-means++": _seeds,
    "random_from_data": _random_rows,
}


def _values(rows: Rows, indices: Indices | list[int]) -> Doubles:
    """The rows with these indices as a float64 array, the centre where a value is missing."""
    return _filled(np.ascontiguousarray(rows.X[indices], dtype=np.float64), rows.centre)


def _filled(X: Doubles, point: Doubles) -> Doubles:
    """Rows with the values of a point, (d,), in place of those missing."""
    return np.where(np.isnan(X), point, X)


def _one_per_strip(n: int, size: int, random_state: Generator) -> Indices:
    """One random index from each of `size` equal strips of ``range(n)``, in order."""
    edges = np.arange(size + 1) * n // size
    return edges[:-1] + (random_state.uniform(size=size) * np.diff(edges)).astype(np.intp)


def sample_rows(n_components: int) -> int:
    """How many rows a first pass should keep as a sample, for the search."""
    return 2 * _search_size(n_components)


def _search_size(n_components: int) -> int:
    """Most rows that are searched for centres."""
    return SUBSAMPLE_ROWS + SUBSAMPLE_ROWS_PER_COMPONENT * int(n_components)


def _subsample(data: Data, n_components: int, random_state: Generator) -> Rows:
    """Rows to search for centres: all of them when they are few, else one from each strip.

    The strips are cut from what one pass keeps of rows whose number it does not know.
    """
    size = _search_size(n_components)
    if data.n_samples <= size:
        return data.in_memory()
    kept = data.stratified_sample(sample_rows(n_components))
    if kept.n_samples <= size:
        return kept
    return kept.take(_one_per_strip(kept.n_samples, size, random_state))


def plus_plus(rows: Rows, n_components: int, random_state: Generator) -> tuple[Doubles, int]:
    """Seeds by greedy k-means++ (Arthur & Vassilvitskii 2007).

    Each next seed is the best of ``2 + log K`` candidates drawn with probability proportional to
    the row's weight times its squared distance from the seeds so far. Rows of weight zero are
    never drawn.

    Returns
    -------
    centres : ndarray of shape (K, d)
    n_distinct : int
        Number of different seeds. When the rows have fewer than K different values, the first
        seed stands in for the rest, which then are clusters without rows.
    """
    n = rows.n_samples
    weights = np.ones(n) if rows.sample_weight is None else rows.sample_weight
    n_candidates = 2 + int(np.log(n_components))

    centres = np.empty((n_components, rows.n_features))
    centres[:] = _values(rows, [random_state.choice(n, p=weights / weights.sum())])
    # Without weight a distance that overflowed counts as nothing, not as zero times infinity.
    weightless = weights == 0
    closest = kmeans.squared_distances(rows, centres[:1])[0]
    closest[weightless] = 0.0
    potential = (weights * closest).sum()
    distances = np.empty((n_candidates, n))
    for k in range(1, n_components):
        if not potential > 0:
            return centres, k
        targets = random_state.uniform(size=n_candidates) * potential
        # Rounding can put a target behind the last row, as can an overflowed potential.
        drawn = np.minimum(np.searchsorted(np.cumsum(weights * closest), targets), n - 1)
        candidates = _values(rows, drawn)
        kmeans.squared_distances(rows, candidates, distances)
        np.minimum(distances, closest, out=distances)
        potentials = np.einsum("li,i->l", distances, weights)
        best = int(np.argmin(potentials))
        centres[k] = candidates[best]
        potential = potentials[best]
        closest[:] = distances[best]
    return centres, n_components


def _lloyd(rows: Rows, centres: Doubles, max_passes: int, tolerance: float) -> Doubles:
    """Lloyd's algorithm until the centres move by less than `tolerance` (squared, summed)."""
    for _ in range(max_passes):
        weight, moved = kmeans.lloyd(rows, centres)
        if not weight.all():
            _refill(rows, moved, np.flatnonzero(weight == 0))
        step = moved - centres
        centres = moved
        if not np.square(step).sum() > tolerance:
            break
    return centres


def _refill(rows: Rows, centres: Doubles, empty: Indices) -> None:
    """Move centres without rows, in place, to the rows farthest from their nearest centre."""
    distances = np.full(rows.n_samples, np.inf)
    for centre in centres:
        closest = kmeans.squared_distances(rows, centre[None, :])[0]
        np.minimum(distances, closest, out=distances)
    if rows.sample_weight is not None:
        distances[rows.sample_weight == 0] = 0.0
    farthest = np.argsort(distances)[::-1][: len(empty)]
    farthest = farthest[distances[farthest] > 0]
    if farthest.size:
        centres[empty[: farthest.size]] = _values(rows, farthest)
