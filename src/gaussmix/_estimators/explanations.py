"""Why a row scores as it does: what each feature contributes, distances to the components."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np

from .._checks.arguments import check_contributions, check_flag
from .._checks.numbers import computing_dtype
from .._checks.parameters import check_random_state
from .._common.failures import explains_failures
from .._common.typing import Doubles, Floats, Generator, Indices, RandomState
from .._estep import scoring
from .._estep.score_plan import HALF_LOG_2PI
from .._parameters.conditioning import marginal
from .._parameters.linear_algebra import ordered_sum, product, product_about, transposed
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .._rows.sources.base import RowsLike
from .._runtime.threads import limited
from . import hooks
from .base import BaseMixture

# Numbers that are held for a block of rows, beside the results.
_BLOCK_VALUES = 1 << 18

# Up to so many features all subsets of them are scored.
_MOST_SUBSETS = 10

# Standardised values beyond this are as good as this, and their squares do not overflow.
_FAR = 1e150


class ExplainedMixture(BaseMixture):
    """The methods that explain a score."""

    @explains_failures
    def feature_contributions(
        self,
        X: RowsLike,
        kind: Literal["conditional", "shapley"] = "conditional",
        *,
        n_permutations: int = 32,
        random_state: RandomState = None,
    ) -> Floats:
        """What each feature contributes to the log-density of each row, in nats.

        "conditional": ``log p(x_j | all other features)``, how well a value agrees with the rest
        of its row. A low one is a value that the others do not lead to expect. They do not add up.

        "shapley": ``log p(x)`` shared out, so that a row adds up to `score_samples`: the change
        when feature j joins others in ``log p(x_S)``, the log-density of a subset of the features,
        averaged over all orders in which they may join (Shapley 1953; Štrumbelj & Kononenko 2014).
        Up to 10 features all subsets are scored; with more, orders are drawn at random, and the
        sum stays exact.

        Parameters
        ----------
        X : array-like of shape (n, d), or rows from elsewhere as for `fit`
            With ``allow_nan=True`` a missing value contributes NaN, and the others are those of
            the mixture of the features that are known.
        kind : {"conditional", "shapley"}, default="conditional"
        n_permutations : int, default=32
            For "shapley" of more than 10 features: the number of orders, at most a million. Every
            second is the reverse of the one before, which makes the error smaller (Mitchell et al.
            2022). It shrinks with one over the root of the number.
        random_state : None, int, RandomState or Generator, optional
            Draws the orders; by default the model's own `random_state`.

        Returns
        -------
        ndarray of shape (n, d)
            float32 for float32 rows, else float64. In a row whose `score_samples` is minus
            infinity, "shapley" has minus infinity for the features that are so by themselves, or
            for all if none is, and 0 for the others.

        Raises
        ------
        ValueError
            For another `kind` or `n_permutations`, and for rows as in `score_samples`.

        Examples
        --------
        A pair of correlation 0.9, each value ordinary, but not the two together:

        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1, 0.9], [0.9, 1]]])
        >>> rows = [[1, 1], [1, -1]]
        >>> model.feature_contributions(rows).round(2)
        array([[-0.11, -0.11],
               [-9.59, -9.59]])
        >>> model.feature_contributions(rows, "shapley").sum(axis=1) - model.score_samples(rows)
        array([0., 0.])
        """
        hooks.refuse(self, "d")
        check_contributions(kind, n_permutations)
        parameters = self._parameters()
        if kind == "conditional":
            return self._explained(X, parameters, _Conditionals)
        if random_state is None:
            random_state = self.random_state
        generator = check_random_state(random_state)
        shapley = _Shapley(parameters, n_permutations, generator, self.n_threads)
        return self._explained(X, parameters, shapley.of)

    @explains_failures
    def mahalanobis(self, X: RowsLike, *, squared: bool = False) -> Floats:
        """Mahalanobis distance of each row from each component.

        ``sqrt((x - mean_k)' precision_k (x - mean_k))``: the distance in deviations of the
        component. Squared distances of rows of one component have a chi-squared distribution with
        d degrees of freedom.

        Parameters
        ----------
        X : array-like of shape (n, d), or rows from elsewhere as for `fit`
            With ``allow_nan=True`` a distance is over the features that are known, and 0 where
            none is.
        squared : bool, default=False
            Whether to return the squares.

        Returns
        -------
        ndarray of shape (n, K)
            float32 for float32 rows, else float64.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0.0], [6.0]], [1.0, 4.0], covariance_type="spherical"
        ... )
        >>> model.mahalanobis([[2.0]])
        array([[2., 2.]])
        """
        check_flag(squared, "squared")
        parameters = self._parameters()
        distances = self._explained(X, parameters, _Distances, parameters.n_components)
        if squared:
            with np.errstate(over="ignore"):
                distances *= distances
        return distances

    def _explained(
        self,
        X: RowsLike,
        parameters: MixtureParameters,
        prepare: Callable[[MixtureParameters, Indices], _Explainer],
        width: int | None = None,
    ) -> Floats:
        """Numbers about each row, from what `prepare` makes of the columns that are known.

        There are `width` of them; by default one for each feature, NaN where that is not known.
        """
        names = getattr(self, "feature_names_in_", None)
        d = parameters.n_features
        parts = []
        for first, piece in self._row_set(X).pieces():
            dtype = computing_dtype(piece.dtype)
            result = np.full((len(piece), width or d), np.nan, dtype=dtype)
            for known, rows in self._known(piece, names, first):
                columns = np.arange(width) if width else known
                with np.errstate(all="ignore"), limited(self.n_threads):
                    own = parameters if known.size == d else marginal(parameters, known)
                    explainer = prepare(own, known)
                    size = max(1, _BLOCK_VALUES // explainer.row_values)
                    for start in range(0, len(rows), size):
                        some = rows[start : start + size, None]
                        values = np.ascontiguousarray(piece[some, known], dtype=np.float64)
                        result[some, columns] = explainer.explain(values)
            parts.append(result)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _Explainer(Protocol):
    """What numbers rows of one mixture get; `row_values` are held for each meanwhile."""

    row_values: int

    def explain(self, values: Doubles) -> Doubles: ...


class _Distances:
    """Mahalanobis distances of rows (n, d) from the components, (n, K)."""

    def __init__(self, parameters: MixtureParameters, known: Indices) -> None:
        self._parameters = parameters
        self.row_values = 2 * parameters.means.size + 1

    def explain(self, values: Doubles) -> Doubles:
        z = _standardised(self._parameters, values)
        squares = np.einsum("knj,knj->kn", z, z)
        distances = np.sqrt(squares)
        far = np.nonzero(~(squares < np.inf))
        if far[0].size:  # whose squares overflow
            largest = np.abs(z[far]).max(axis=1)
            unit = np.where(largest < np.inf, largest, 1.0)
            lengths = unit * np.linalg.norm(z[far] / unit[:, None], axis=1)
            distances[far] = np.where(np.isnan(lengths), np.inf, lengths)
        by_row: Doubles = distances.T
        return by_row


class _Conditionals:
    """Log-densities of each feature given all others, for rows (n, d).

    In component k that feature has, with ``P = U U'`` the precision and ``U_j`` a row of U, the
    variance ``1 / P_jj``, and lies ``e_j = U_j U'(x - mean) / |U_j|`` deviations from its
    conditional mean. With responsibilities r for whole rows, ``1 / p(x_j | others)`` is the sum
    over the components of ``r_k / p_k(x_j | others)``, as ``p = sum_k w_k p_k(others) p_k(x_j |
    others)``: no difference of large logarithms is formed.
    """

    def __init__(self, parameters: MixtureParameters, known: Indices) -> None:
        self._parameters = parameters
        self.row_values = 3 * parameters.means.size + 1

    def explain(self, values: Doubles) -> Doubles:
        parameters = self._parameters
        z = _bounded(_standardised(parameters, values))
        joint = -0.5 * np.einsum("knj,knj->kn", z, z)
        joint += (parameters.log_weights + parameters.log_determinants)[:, None]
        joint -= _log_sum(joint)
        scales, factors = _scales(parameters), _factors(parameters)
        if factors is not None:
            scales = np.linalg.norm(factors, axis=-1)
            z = product(z, transposed(factors / scales[..., None]))
        own = np.log(scales)[..., None, :] - HALF_LOG_2PI - 0.5 * z * z
        contributions: Doubles = -_log_sum(joint[:, :, None] - own)
        return contributions


class _Shapley:
    """Shapley values of the features for the log-density, on whatever columns are known.

    Parameters
    ----------
    parameters : MixtureParameters
        Of all columns.
    n_permutations : int
        Orders to draw where the subsets are too many.
    generator : RandomState or Generator
    n_threads : int or None
    """

    def __init__(
        self,
        parameters: MixtureParameters,
        n_permutations: int,
        generator: Generator,
        n_threads: int | None,
    ) -> None:
        self._parameters = parameters
        self._n_threads = n_threads
        self._scorers: dict[tuple[int, ...], scoring.Scorer] = {}
        self._orders: list[Indices] = []
        if parameters.n_features > _MOST_SUBSETS:
            for _ in range(0, n_permutations, 2):
                order = generator.permutation(parameters.n_features)
                self._orders += [order, order[::-1]]
            del self._orders[n_permutations:]

    def of(self, own: MixtureParameters, known: Indices) -> _Explainer:
        """What explains rows that have values in these columns, given their mixture."""
        if known.size <= _MOST_SUBSETS:
            return _AllSubsets(own, self._subset_scorers(own, known), self._n_threads)
        # The positions among the known columns, in the order of all.
        position = np.full(self._parameters.n_features, -1)
        position[known] = np.arange(known.size)
        orders = [position[order] for order in self._orders]
        return _SomeOrders(own, [order[order >= 0] for order in orders], self._n_threads)

    def _subset_scorers(self, own: MixtureParameters, known: Indices) -> list[scoring.Scorer]:
        """A scorer for each of `_subsets` of the columns."""
        if len(self._scorers) > 1 << _MOST_SUBSETS:
            self._scorers.clear()
        scorers = []
        for subset in _subsets(known.size):
            key = tuple(known[subset].tolist())
            if key not in self._scorers:
                whole = subset.size == known.size
                mixture = own if whole else marginal(self._parameters, key)
                self._scorers[key] = scoring.Scorer(mixture)
            scorers.append(self._scorers[key])
        return scorers


class _AllSubsets:
    """Shapley values from the log-densities of all subsets of the features."""

    def __init__(
        self, parameters: MixtureParameters, scorers: list[scoring.Scorer], n_threads: int | None
    ) -> None:
        self._parameters = parameters
        self._scorers = scorers
        self._n_threads = n_threads
        self._subsets = _subsets(parameters.n_features)
        self._coefficients = _shapley_coefficients(self._subsets, parameters.n_features)
        # Each subset is scored by itself, which takes many rows to be worth it.
        self.row_values = max(1, len(scorers) // 16)

    def explain(self, values: Doubles) -> Doubles:
        densities = np.empty((len(self._subsets), len(values)))
        for scorer, subset, density in zip(self._scorers, self._subsets, densities, strict=True):
            density[...] = _density(scorer, values[:, subset], self._n_threads)
        contributions = product(densities.T, self._coefficients)
        if len(densities):
            _mark_underflow(
                contributions, densities[-1], values, self._parameters, self._n_threads
            )
        return contributions


class _SomeOrders:
    """Shapley values from the densities of the first features in each of some orders.

    The Cholesky factor of a covariance in one order has those of all its leading blocks in it, so
    that an order costs as much as one evaluation of the density.
    """

    def __init__(
        self, parameters: MixtureParameters, orders: list[Indices], n_threads: int | None
    ) -> None:
        self._parameters = parameters
        self._orders = orders
        self._n_threads = n_threads
        self.row_values = 3 * parameters.means.size

    def explain(self, values: Doubles) -> Doubles:
        parameters = self._parameters
        contributions = np.zeros(values.shape)
        whole = _density(scoring.Scorer(parameters), values, self._n_threads)
        for order in self._orders:
            leading = self._leading(marginal(parameters, order), values[:, order])
            leading[:, -1] = whole
            contributions[:, order] += np.diff(leading, axis=1, prepend=0.0)
        contributions /= len(self._orders)
        _mark_underflow(contributions, whole, values, parameters, self._n_threads)
        return contributions

    def _leading(self, parameters: MixtureParameters, values: Doubles) -> Doubles:
        """Log-densities of the first 1, 2, ... d features of each row, (n, d)."""
        z = _bounded(_standardised(parameters, values))
        terms = np.log(_scales(parameters))[..., None, :] - HALF_LOG_2PI - 0.5 * z * z
        joint = np.cumsum(terms, axis=-1)
        joint += parameters.log_weights[:, None, None]
        return _log_sum(joint)


def _mark_underflow(
    contributions: Doubles,
    density: Doubles,
    values: Doubles,
    parameters: MixtureParameters,
    n_threads: int | None,
) -> None:
    """Shapley values, in place, where the density of the whole row is zero even in logarithms."""
    lost = np.flatnonzero(density == -np.inf)
    if not lost.size:
        return
    alone = np.empty((lost.size, values.shape[1]))
    for j in range(values.shape[1]):
        scorer = scoring.Scorer(marginal(parameters, [j]))
        alone[:, j] = _density(scorer, values[lost, j : j + 1], n_threads)
    blamed = alone == -np.inf
    blamed |= ~blamed.any(axis=1, keepdims=True)
    contributions[lost] = np.where(blamed, -np.inf, 0.0)


def _subsets(d: int) -> list[Indices]:
    """All subsets of d features but the empty one; the last is the whole."""
    bits = np.arange(d)
    return [np.flatnonzero(number >> bits & 1) for number in range(1, 1 << d)]


def _shapley_coefficients(subsets: list[Indices], d: int) -> Doubles:
    """The part of each subset's log-density in each feature's share, (S, d)."""
    coefficients = np.empty((len(subsets), d))
    for row, subset in zip(coefficients, subsets, strict=True):
        # The share of all orders in which these are the first, and one more is the next; in which
        # these are the first, and one of them is the last of them.
        s = subset.size
        row[...] = -1.0 / ((d - s) * math.comb(d, s)) if s < d else 0.0
        row[subset] = 1.0 / (s * math.comb(d, s))
    return coefficients


def _density(scorer: scoring.Scorer, values: Doubles, n_threads: int | None) -> Doubles:
    """Log-densities of rows, (n,)."""
    density = np.empty(len(values))
    scorer.evaluate(
        Rows(np.ascontiguousarray(values), n_threads=n_threads),
        log_density=density,
        check_first=False,
    )
    return density


def _factors(parameters: MixtureParameters) -> Doubles | None:
    """U of the components, (K, d, d) or (d, d), where their features depend on each other."""
    if parameters.layout.matrices:
        return parameters.precisions_cholesky
    return None


def _scales(parameters: MixtureParameters) -> Doubles:
    """The diagonals of U, (K, d), or (d,) where they are shared."""
    factors = _factors(parameters)
    if factors is not None:
        return np.diagonal(factors, axis1=-2, axis2=-1)
    K, d = parameters.means.shape
    return np.broadcast_to(parameters.precisions_cholesky.reshape(K, -1), (K, d))


def _standardised(parameters: MixtureParameters, values: Doubles) -> Doubles:
    """``U'(x - mean)`` for rows (n, d) in each component, (K, n, d): independent and of variance
    one there.
    """
    factors = _factors(parameters)
    if factors is not None:
        return product_about(values, parameters.means, factors)
    return (values - parameters.means[:, None]) * _scales(parameters)[:, None]


def _bounded(z: Doubles) -> Doubles:
    """Standardised values whose squares do not overflow."""
    return np.clip(np.nan_to_num(z, copy=False, nan=_FAR), -_FAR, _FAR)


def _log_sum(logarithms: Doubles) -> Doubles:
    """Logarithms of the sums of exponentials over the first axis."""
    largest = logarithms.max(axis=0)
    total: Doubles = largest + np.log(ordered_sum(np.exp(logarithms - largest)))
    return total
