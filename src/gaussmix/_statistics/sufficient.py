"""Sufficient statistics of a mixture: what one pass over the rows leaves behind.

Their size does not depend on the number of rows. They add up over chunks, files and machines, and
an M-step needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._common.families import LAYOUTS, CovarianceType, LayoutName
from .._common.text import shown
from .._common.typing import Doubles
from .._parameters.layouts import layout_of


def _quiet() -> np.errstate:
    """No NumPy reports that sums of extreme data overflow; `check` says so where it matters."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


class Columns(NamedTuple):
    """Weight, mean and variance of the values of each column that are not missing, each (d,).

    Of a column without a value the weight is zero, and the rest without meaning.
    """

    weight: Doubles
    mean: Doubles
    variance: Doubles

    def scaled(self, factor: float) -> Columns:
        """With every row weight multiplied by `factor`."""
        return self._replace(weight=self.weight * factor)

    def merged(self, other: Columns) -> Columns:
        """Those of the rows of both."""
        total = self.weight + other.weight
        share = np.divide(other.weight, total, out=np.zeros_like(total), where=total > 0)
        move = other.mean - self.mean
        between = share * (1 - share) * move * move
        return Columns(
            total,
            self.mean + share * move,
            (1 - share) * self.variance + share * other.variance + between,
        )


@dataclass(eq=False)
class SufficientStatistics:
    """Weighted sums over rows, from which an M-step computes new parameters.

    With ``w_i`` the weight of row ``x_i`` and ``r_ik`` the responsibility of component k for it,
    moments are taken about a known point per component (the shift) instead of the origin, so that
    a variance is never the small difference of two large numbers.

    Parameters
    ----------
    covariance_type : str
        Decides the shape of `second`.
    weight : ndarray of shape (K,)
        ``sum_i w_i r_ik``.
    first : ndarray of shape (K, d)
        ``sum_i w_i r_ik (x_i - shift_k)``, in units of the data.
    second : ndarray
        ``sum_i w_i r_ik (x_i - shift_k)(x_i - shift_k)'``, in squared units: shape (K, d, d) for
        "full"; summed over k, (d, d), for "tied"; the diagonals, (K, d), for "diag"; the traces,
        (K,), for "spherical".
    shift : ndarray of shape (K, d)
        Points the moments are about.
    log_likelihood : float
        ``sum_i w_i log p(x_i)``, in nats, under the parameters that gave the responsibilities;
        NaN when the responsibilities did not come from a mixture.
    total_weight : float
        ``sum_i w_i``.
    n_rows : int
        Number of rows read, whatever their weight.
    columns : tuple of three ndarray of shape (d,), optional
        Weight, mean and variance of the values of each column that are not missing. Only
        `variance_floor` reads them, and only where values are missing: what the other sums tell of
        the columns then depends on the parameters. None where all values are there, or none of
        this is known.

    Examples
    --------
    Statistics of two halves of the data add up to those of the whole:

    >>> import numpy as np
    >>> from gaussmix import GaussianMixture, SufficientStatistics
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = GaussianMixture(2, random_state=0).fit(X)
    >>> halves = [model.accumulate(X[:50]), model.accumulate(X[50:])]
    >>> both = SufficientStatistics.merge(halves)
    >>> both.n_rows
    100
    >>> bool(np.allclose(both.weight, model.accumulate(X).weight))
    True
    """

    __module__ = "gaussmix"  # where users have it from

    covariance_type: CovarianceType
    weight: Doubles
    first: Doubles
    second: Doubles
    shift: Doubles
    log_likelihood: float
    total_weight: float
    n_rows: int
    columns: Columns | None = None

    @property
    def n_components(self) -> int:
        """Number of components, K."""
        return len(self.first)

    @property
    def n_features(self) -> int:
        """Number of features, d."""
        return int(self.first.shape[1])

    @classmethod
    def merge(cls, parts: Iterable[SufficientStatistics]) -> SufficientStatistics:
        """Add up a non-empty sequence of statistics, pairwise as a tree.

        The tree keeps the rounding error at the logarithm of the number of parts and does not
        depend on who holds which part. The parts are left as they are.
        """
        parts = list(parts)
        if not parts:
            raise ValueError("merge needs at least one SufficientStatistics; got none.")
        if len(parts) == 1:
            return parts[0].copy()
        while len(parts) > 1:
            pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
            parts = pairs + parts[len(pairs) * 2 :]
        return parts[0]

    @property
    def layout(self) -> LayoutName:
        """How the second moments are laid out: "full", "tied", "diag" or "spherical"."""
        return LAYOUTS[self.covariance_type]

    def copy(self) -> SufficientStatistics:
        """An independent copy."""
        return SufficientStatistics(
            self.covariance_type,
            self.weight.copy(),
            self.first.copy(),
            self.second.copy(),
            self.shift.copy(),
            self.log_likelihood,
            self.total_weight,
            self.n_rows,
            self.columns,
        )

    def shifted(self, shift: ArrayLike) -> SufficientStatistics:
        """The same statistics with moments about other points.

        Parameters
        ----------
        shift : array-like of shape (K, d)

        Returns
        -------
        SufficientStatistics
            ``first - N delta`` and ``second - first delta' - delta first' + N delta delta'`` with
            ``delta`` the difference of the shifts: an identity, exact up to rounding.
        """
        shift = np.array(shift, dtype=np.float64)
        if shift.shape != self.shift.shape:
            raise ValueError(f"shift must have shape {self.shift.shape}; got {shift.shape}.")
        delta = shift - self.shift
        moved = self.copy()
        with _quiet():
            moved.first -= self.weight[:, None] * delta
            moved.second = layout_of(self.covariance_type).shifted(
                self.second, self.first, self.weight, delta
            )
        moved.shift = shift
        return moved

    def scaled(self, factor: float) -> SufficientStatistics:
        """The statistics of the same rows with every row weight multiplied by `factor`.

        ``old.scaled(0.9) + new`` forgets old rows gradually. `n_rows` stays.
        """
        factor = float(factor)
        if not 0 <= factor < np.inf:
            raise ValueError(f"factor must be a finite number >= 0; got {factor}.")
        with _quiet():
            return SufficientStatistics(
                self.covariance_type,
                self.weight * factor,
                self.first * factor,
                self.second * factor,
                self.shift.copy(),
                self.log_likelihood * factor,
                self.total_weight * factor,
                self.n_rows,
                self.columns and self.columns.scaled(factor),
            )

    @property
    def observed_variances(self) -> Doubles | None:
        """Variances of the columns' values that are not missing, (d,), 1 for a column without any;
        None where nothing is missing, and the other sums tell those of the rows.
        """
        columns = self.columns
        if columns is None or (columns.weight == self.total_weight).all():
            return None
        return np.where(columns.weight > 0, columns.variance, 1.0)

    def _told_columns(self) -> Columns:
        """`columns`, or what the other sums tell of them, which of a "spherical" mixture is the
        mean of the variances within.
        """
        if self.columns is not None:
            return self.columns
        layout = layout_of(self.covariance_type)
        nk = np.maximum(self.weight, np.finfo(np.float64).tiny)
        share = nk / nk.sum()
        means = self.shift + self.first / nk[:, None]
        covariances = layout.scatter(self.first, self.second, nk, means)
        return Columns(
            np.full(self.n_features, float(self.total_weight)),
            share @ means,
            layout.column_variances(share, means, covariances),
        )

    def check(self, covariance_type: CovarianceType, n_components: int, n_features: int) -> None:
        """Raise ValueError unless these statistics fit a mixture of the given form."""
        if self.covariance_type != covariance_type:
            raise ValueError(
                f"statistics are of covariance_type {shown(self.covariance_type)}; "
                f"expected {covariance_type!r}."
            )
        shapes = {
            "weight": (n_components,),
            "first": (n_components, n_features),
            "second": layout_of(covariance_type).shape(n_components, n_features),
            "shift": (n_components, n_features),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if np.shape(value) != shape:
                raise ValueError(
                    f"statistics.{name} must have shape {shape}; got {np.shape(value)}."
                )
            if not np.isfinite(value).all():
                raise ValueError(f"statistics.{name} contains NaN or infinity.")
        if not (self.weight >= 0).all() or not self.weight.any():
            raise ValueError(
                "statistics.weight must be non-negative with a positive sum; "
                f"got minimum {self.weight.min()} and sum {self.weight.sum()}."
            )
        if not 0 < self.total_weight < np.inf:
            raise ValueError(
                f"statistics.total_weight must be positive and finite; got {self.total_weight}."
            )
        for name, column in () if self.columns is None else self.columns._asdict().items():
            if np.shape(column) != (n_features,):
                raise ValueError(
                    f"statistics.columns.{name} must have shape {(n_features,)}; "
                    f"got {np.shape(column)}."
                )
            if not np.isfinite(column).all() or (name != "mean" and column.min() < 0):
                raise ValueError(
                    f"statistics.columns.{name} contains a negative number, NaN or infinity."
                )

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        if not isinstance(other, SufficientStatistics):
            return NotImplemented
        if other.covariance_type != self.covariance_type or other.first.shape != self.first.shape:
            raise ValueError(
                "only statistics of one covariance_type and shape can be added; got "
                f"{self.covariance_type!r} with (n_components, n_features) = {self.first.shape} "
                f"and {other.covariance_type!r} with {other.first.shape}."
            )
        columns = None
        if self.columns is not None or other.columns is not None:
            with _quiet():
                columns = self._told_columns().merged(other._told_columns())
        if not np.array_equal(self.shift, other.shift):
            other = other.shifted(self.shift)
        with _quiet():
            return SufficientStatistics(
                self.covariance_type,
                self.weight + other.weight,
                self.first + other.first,
                self.second + other.second,
                self.shift.copy(),
                self.log_likelihood + other.log_likelihood,
                self.total_weight + other.total_weight,
                self.n_rows + other.n_rows,
                columns,
            )

    def __radd__(self, other: Literal[0]) -> SufficientStatistics:
        # sum() starts from the number 0.
        if isinstance(other, int) and other == 0:
            return self.copy()
        return NotImplemented

    def __mul__(self, factor: float | np.integer | np.floating) -> SufficientStatistics:
        if not isinstance(factor, (int, float, np.integer, np.floating)):
            return NotImplemented
        return self.scaled(float(factor))

    __rmul__ = __mul__
