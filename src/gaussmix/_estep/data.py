"""What a fit asks of rows, wherever they are: passes over all of them, and a few to look at.

And what it takes to read them: threads, what NaN means, and the columns of a fitted model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from .._checks.columns import check_feature_names
from .._checks.rows import check_n_features, nonfinite_error
from .._common.families import CovarianceType
from .._common.typing import AnyArray, Doubles, FloatDType, Generator, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .._rows.first_pass import FirstPass
from .._statistics.sufficient import SufficientStatistics
from . import accumulation


class Context(NamedTuple):
    """What rows are read with and held against.

    Attributes
    ----------
    estimator_name : str
        The class that messages speak of.
    n_threads : int or None
    allow_nan : bool
        Whether NaN is a missing value.
    n_features : int or None
        Of the fitted model; None where there is none.
    feature_names : sequence of str or None
        Of the fitted model, if it has names.
    """

    estimator_name: str
    n_threads: int | None
    allow_nan: bool
    n_features: int | None = None
    feature_names: Names | None = None

    def rows(self, X: AnyArray, sample_weight: Doubles | None = None) -> Rows:
        """Checked rows as the passes read them."""
        return Rows(X, sample_weight, n_threads=self.n_threads, allow_nan=self.allow_nan)

    def require_finite(self, X: AnyArray, bad: tuple[int, int] | None, first: int = 0) -> None:
        """Raise for a value that must not be, if a pass found one; `first` is the number of the
        first row of X.
        """
        if bad is not None:
            raise nonfinite_error(
                X, *bad, self.feature_names, self.estimator_name, first_row=first
            )

    def require_columns(self, n_features: int, names: Names | None) -> None:
        """Raise unless columns are those that the model was fitted to."""
        check_feature_names(self.feature_names, names, self.estimator_name)
        if self.n_features is not None:
            check_n_features(n_features, self.n_features, self.estimator_name)


class Data(Protocol):
    """All rows of a fit, with their weights.

    Attributes
    ----------
    n_samples, n_features : int
    n_used : int
        Rows of positive weight.
    dtype : dtype
        float32 when all rows are, else float64.
    weighted : bool
    total_weight : float
    n_samples_seen : int or float
        The weight of the rows as it came, before `Rows.rescale_weights`; without weights their
        number.
    on_rows : callable, optional
        ``on_rows(done, total)`` is called while a long pass is under way.
    """

    on_rows: Callable[[int, int], None] | None

    @property
    def n_samples(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_used(self) -> int: ...
    @property
    def dtype(self) -> FloatDType: ...
    @property
    def weighted(self) -> bool: ...
    @property
    def total_weight(self) -> float: ...
    @property
    def n_samples_seen(self) -> float: ...

    def scan(self) -> FirstPass:
        """Where the columns lie, and the first value that must not be."""
        ...

    def in_memory(self) -> Rows:
        """All rows as an array. Asked for when they are few."""
        ...

    def take(self, indices: Indices) -> Rows:
        """Some rows, in the order of their indices."""
        ...

    def stratified_sample(self, most: int) -> Rows:
        """At most so many of the rows of positive weight, spread over all, see `_thinning`."""
        ...

    def rows_to_draw(self, most: int) -> Rows:
        """Weighted rows to draw a few from: all, or a sample where they are not here."""
        ...

    def accumulate(self, parameters: MixtureParameters, reg_covar: float) -> SufficientStatistics:
        """The E-step, see `accumulation.accumulate`."""
        ...

    def accumulate_nearest(
        self, centres: Doubles, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        """Statistics when every row belongs wholly to the nearest centre."""
        ...

    def accumulate_random(
        self, random_state: Generator, n_components: int, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        """Statistics under uniform random responsibilities."""
        ...


class LocalData:
    """Rows that this process reads, from memory or anew in every pass; see `Data`.

    Parameters
    ----------
    rows : Rows
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.n_samples_seen: float = rows.n_samples
        if rows.weighted:
            self.n_samples_seen = math.ldexp(rows.total_weight, -rows.weight_exponent)
        self.n_samples = rows.n_samples
        self.n_features = rows.n_features
        self.n_used = rows.n_used
        self.dtype = rows.dtype
        self.weighted = rows.weighted
        self.total_weight = rows.total_weight
        self.scan = rows.scan
        self.in_memory = rows.in_memory
        self.take = rows.take
        self.stratified_sample = rows.stratified_sample

    @property
    def on_rows(self) -> Callable[[int, int], None] | None:
        return self.rows.on_rows

    @on_rows.setter
    def on_rows(self, call: Callable[[int, int], None] | None) -> None:
        self.rows.on_rows = call

    def rows_to_draw(self, most: int) -> Rows:
        return self.stratified_sample(most) if self.rows.streamed else self.rows

    def accumulate(self, parameters: MixtureParameters, reg_covar: float) -> SufficientStatistics:
        return self._checked(accumulation.accumulate(parameters, self.rows, reg_covar))

    def accumulate_nearest(
        self, centres: Doubles, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        return self._checked(accumulation.accumulate_nearest(self.rows, centres, covariance_type))

    def accumulate_random(
        self, random_state: Generator, n_components: int, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        blocks = accumulation.random_responsibilities(random_state, n_components)
        return self._checked(
            accumulation.accumulate_responsibilities(
                self.rows, blocks, n_components, covariance_type
            )
        )

    def _checked(self, statistics: SufficientStatistics) -> SufficientStatistics:
        """Statistics of the rows as they were at first."""
        self.rows.check_statistics(statistics)
        return statistics
