"""Rows with missing values completed: conditional means, deviations and draws.

Given its observed values, the missing ones of a row are a mixture of normal distributions, whose
weights are the responsibilities of the components for what was observed. For one component with
precision ``P = U U'`` and the columns cut into those missing, m, and those observed, o (Rue &
Held 2005, Gaussian Markov Random Fields, theorem 2.5)::

    x_m | x_o  ~  N(mean_m - inv(P_mm) P_mo (x_o - mean_o), inv(P_mm))

With ``U_m`` the rows of U that belong to missing columns this is least squares, solved from
``U_m = L Q`` with orthonormal rows Q: ``inv(P_mm) P_mo = T Q U_o'`` and ``inv(P_mm) = T T'`` where
``T = inv(L')``. No precision is formed, and where few values are missing, Q and L are small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from ..._common.typing import AnyArray, Bools, Doubles, Floats, Indices
from ..._parameters.linear_algebra import (
    inverse_triangles,
    mixed,
    orthonormal_rows,
    product,
    transposed,
    weighted_sum,
)
from ..._parameters.mixture import MixtureParameters
from ..._rows.array_rows import Rows
from ..._rows.patterns import Patterns
from ..._runtime.threads import limited
from ..drawing import Noise
from .accumulation import UNIT_VALUES, IncompleteScorer, Unit, units

# Numbers in the slopes of patterns that are solved together.
BATCH_VALUES = 1 << 19

# Numbers that are held for the draws of a row: a factor for each, and shares of components.
DRAWN_VALUES = 1 << 20

# Numbers that are held for rows of one pattern.
PIECE_VALUES = 1 << 18


def complete(
    parameters: MixtureParameters,
    rows: Rows,
    values: Floats,
    deviations: Floats | None = None,
    noise: Noise | None = None,
    components: Indices | None = None,
) -> tuple[int, int] | None:
    """Copy rows with their missing values filled in.

    Parameters
    ----------
    parameters : MixtureParameters
    rows : Rows
        That allow NaN.
    values : ndarray of shape (n, d), or (n_draws, n, d) with `noise`
        Filled with the rows: with conditional means, or with draws.
    deviations : ndarray of shape (n, d), optional
        Filled with conditional standard deviations, 0 where values are observed.
    noise : Noise, optional
    components : ndarray of int, shape (n_draws, n), optional
        Filled with the component that each draw of a row with missing values is from.

    Returns
    -------
    tuple of int or None
        Row and column of the first infinity; what has been written means nothing then.
    """
    bad = rows.first_bad()
    if bad is not None or not rows.n_samples:
        return bad
    if deviations is not None:
        deviations[...] = 0.0
    completion = _Completion(parameters)
    width = max(parameters.n_components, parameters.n_features * (noise.n_draws if noise else 1))
    with np.errstate(all="ignore"), limited(rows.n_threads):
        for unit in units(rows, max(64, UNIT_VALUES // width)):
            part = unit.block.rows
            completion.fill(
                unit, rows, values[..., part, :],
                None if deviations is None else deviations[part], noise,
                None if components is None else components[:, part],
            )  # fmt: skip
    return None


def complete_in_parts(
    parameters: MixtureParameters, rows: Rows, values: Floats, noise: Noise, components: Indices
) -> None:
    """`complete` rows that hold no infinity with draws, of which there may be very many."""
    K, d = parameters.means.shape
    done = 0
    for part in noise.parts(max(64, DRAWN_VALUES // (d * d + K))):
        some = slice(done, done + part.n_draws)
        complete(parameters, rows, values[some], noise=part, components=components[some])
        done += part.n_draws


class _Completion:
    """A mixture made ready to complete rows."""

    def __init__(self, parameters: MixtureParameters) -> None:
        self._parameters = parameters
        self._weights = parameters.weights / parameters.weights.sum()
        # Digits are lost to the distance from this point, not to that from zero.
        self._centre = weighted_sum(self._weights, parameters.means)
        self._scorer = IncompleteScorer(parameters)

    def fill(
        self,
        unit: Unit,
        rows: Rows,
        values: Floats,
        deviations: Floats | None,
        noise: Noise | None,
        components: Indices | None,
    ) -> None:
        """`complete` for a unit of the rows."""
        values[...] = unit.block.X
        groups = unit.groups.split()[1]
        if not groups.order.size:
            return
        X = unit.block.X.astype(np.float64, copy=False)
        responsibilities = self._responsibilities(X, groups, rows)
        known = X[groups.order] - self._centre
        known[np.isnan(known)] = 0.0
        for conditional, start, stop in self._pieces(groups, noise.n_draws if noise else 1):
            r, z = responsibilities[start:stop], known[start:stop]
            chosen, columns = groups.order[start:stop], conditional.missing
            means = conditional.means(z)
            mean = mixed(r, means)
            centre = self._centre[columns]
            if noise is None:
                values[chosen[:, None], columns] = centre + mean
            else:
                own = noise.after(unit.block.first)
                drawn, from_which = _drawn(conditional, r, means, own, chosen)
                values[:, chosen[:, None], columns] = (centre + drawn).swapaxes(0, 1)
                if components is not None:
                    components[:, chosen] = from_which.T
            if deviations is not None:
                deviations[chosen[:, None], columns] = _deviations(conditional, r, means, mean)

    def _responsibilities(self, X: Doubles, groups: Patterns, rows: Rows) -> Doubles:
        """Responsibilities (n, K) for rows in the order of the groups."""
        responsibilities = np.empty((len(groups.order), self._parameters.n_components))
        self._scorer.fill(X, groups, rows, responsibilities=responsibilities)
        return responsibilities

    def _pieces(self, groups: Patterns, n_draws: int) -> Iterator[tuple[_Conditional, int, int]]:
        """Rows of one pattern, few at a time: (what they lack given what they have, start, stop)
        in the order of the groups.
        """
        for number, conditional in self._conditionals(~groups.observed):
            drawn = n_draws * conditional.spread[0].size
            size = max(1, PIECE_VALUES // max(conditional.row_work, drawn))
            start, stop = groups.starts[number : number + 2].tolist()
            for first in range(start, stop, size):
                yield conditional, first, min(first + size, stop)

    def _conditionals(self, missing: Bools) -> Iterator[tuple[int, _Conditional]]:
        """For each pattern its number and the missing values given the others."""
        parameters = self._parameters
        apart = parameters.means - self._centre
        if not parameters.layout.matrices:
            factors = parameters.precisions_cholesky.reshape(len(apart), -1)
            spread = np.broadcast_to(1.0 / factors, apart.shape)
            for number, absent in enumerate(missing):
                columns = np.flatnonzero(absent)
                yield number, _Apart(columns, apart[:, columns], spread[:, columns])
            return
        factors = parameters.precisions_cholesky.reshape(-1, *missing.shape[1:] * 2)
        counts = missing.sum(axis=1)
        for m in np.unique(counts).tolist():
            size = max(1, BATCH_VALUES // (apart.size * m))
            numbers = np.flatnonzero(counts == m)
            for first in range(0, len(numbers), size):
                some = numbers[first : first + size]
                conditionals = _regressions(factors, apart, missing[some])
                yield from zip(some.tolist(), conditionals, strict=True)


# --- What is missing given what is there ---------------------------------------------------------


class _Conditional(Protocol):
    """Missing values given the others, in each component; all about the centre.

    Attributes
    ----------
    missing : ndarray of int, shape (m,)
    spread : ndarray of shape (K or 1, ...)
        Factors of the covariances.
    row_work : int
        Multiplications that the means of a row take.
    """

    @property
    def missing(self) -> Indices: ...
    @property
    def spread(self) -> Doubles: ...
    @property
    def row_work(self) -> int: ...

    def means(self, known: Doubles) -> Doubles:
        """Means (n, K, m) given rows (n, d) with zeros for what is missing."""
        ...

    def variances(self) -> Doubles:
        """Variances of the missing values, (K, m)."""
        ...

    def deviates(self, components: Indices, normals: Doubles) -> Doubles:
        """Deviations (n, n_draws, m) from the means of components, from normal deviates."""
        ...


class _Apart(NamedTuple):
    """Features that are independent within a component."""

    missing: Indices
    centres: Doubles  # (K, m)
    spread: Doubles  # (K, m) standard deviations

    @property
    def row_work(self) -> int:
        return self.centres.size

    def means(self, known: Doubles) -> Doubles:
        return np.broadcast_to(self.centres, (len(known), *self.centres.shape))

    def variances(self) -> Doubles:
        return np.square(self.spread)

    def deviates(self, components: Indices, normals: Doubles) -> Doubles:
        return self.spread[components] * normals


class _Regression(NamedTuple):
    """The missing values' regressions on the others; with "tied" they have one slope."""

    missing: Indices
    slopes: Doubles  # (K or 1, m, d)
    centres: Doubles  # (K, m) means where the others are at the centre
    spread: Doubles  # (K or 1, m, m) triangular factors of the covariances

    @property
    def row_work(self) -> int:
        return self.slopes.size + self.centres.size

    def means(self, known: Doubles) -> Doubles:
        k, m, d = self.slopes.shape
        moved = product(known, self.slopes.reshape(k * m, d).T)
        return moved.reshape(-1, k, m) + self.centres

    def variances(self) -> Doubles:
        variances = np.square(self.spread).sum(axis=2)
        return np.broadcast_to(variances, self.centres.shape)

    def deviates(self, components: Indices, normals: Doubles) -> Doubles:
        if len(self.spread) == 1:
            components = np.zeros_like(components)
        moved: Doubles = product(self.spread[components], normals[..., None])[..., 0]
        return moved


def _regressions(factors: Doubles, apart: Doubles, missing: Bools) -> Iterator[_Regression]:
    """Those of patterns that lack equally many values.

    Parameters
    ----------
    factors : ndarray of shape (K or 1, d, d)
        Of the precisions.
    apart : ndarray of shape (K, d)
        Means about the centre.
    missing : ndarray of bool, shape (P, d)
    """
    columns = np.nonzero(missing)[1].reshape(len(missing), -1)
    rows, lower = orthonormal_rows(factors[:, columns].swapaxes(0, 1))
    spread = inverse_triangles(transposed(lower))
    slopes = -product(product(spread, rows), transposed(factors))
    known = np.where(missing[:, None], 0.0, apart)
    centres = apart[:, columns].swapaxes(0, 1) - product(slopes, known[..., None])[..., 0]
    return map(_Regression, columns, slopes, centres, spread)


# --- Mixtures of those ---------------------------------------------------------------------------


def _deviations(
    conditional: _Conditional, responsibilities: Doubles, means: Doubles, mean: Doubles
) -> Doubles:
    """Standard deviations of the missing values, (n, m).

    The variance is the components' mean one plus that of their means about the mean of all.
    """
    apart = means - mean[:, None]
    # Before squaring: a component of share zero may be too far away for a square.
    apart *= np.sqrt(responsibilities)[:, :, None]
    variances = product(responsibilities, conditional.variances())
    variances += np.einsum("nkm,nkm->nm", apart, apart)
    return np.sqrt(variances)


def _drawn(
    conditional: _Conditional,
    responsibilities: Doubles,
    means: Doubles,
    noise: Noise,
    rows: Indices,
) -> tuple[Doubles, Indices]:
    """Draws of the missing values, (n, n_draws, m), and their components, (n, n_draws)."""
    uniforms, normals = noise.of(rows, conditional.missing.size)
    components = _chosen(responsibilities, uniforms)
    centres = means[np.arange(len(rows))[:, None], components]
    return centres + conditional.deviates(components, normals), components


def _chosen(responsibilities: Doubles, uniform: Doubles) -> Indices:
    """Components (n, n_draws) drawn by their responsibilities (n, K), none of responsibility 0."""
    until = np.cumsum(responsibilities, axis=1)
    total = until[:, -1:]
    point = np.minimum(uniform * total, np.nextafter(total, 0.0))
    chosen: AnyArray = (until[:, None, :] <= point[..., None]).sum(axis=2)
    return chosen.astype(np.intp, copy=False)
