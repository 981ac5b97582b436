"""Rows that a user gives, wherever they are.

`row_set` finds out where, and nobody asks again: of an array, of a source that is read a piece at
a time and of a dask collection, a fit and a score want the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .._checks.outputs import check_out, new_result
from .._checks.rows import as_rows, check_shape_of_rows, is_dask, nonfinite_error
from .._checks.weights import check_sample_weight
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows import streamed
from .._rows.array_rows import CENTRE_ROWS, Rows
from .._rows.sources.base import RowsLike, RowSource
from .._rows.sources.recognise import as_source
from . import scoring
from .data import Context, Data, LocalData
from .drawing import Noise
from .missing.completion import complete
from .row_sum import RowSum


class RowSet(Protocol):
    """Rows as they were given, of which nothing has been read or checked yet."""

    def to_fit(
        self, sample_weight: ArrayLike | None, sample_rows: int
    ) -> tuple[Data, Names | None]:
        """The rows for a fit from the beginning, checked and all finite but for what is missing,
        and the names of their columns. Streams keep so many rows as a sample, see `_thinning`.
        """
        ...

    def to_learn(self, sample_weight: ArrayLike | None) -> Data:
        """The rows to learn from further, checked against the fitted model as well. There may be
        none, and none of weight.
        """
        ...

    def labels(self, scorer: scoring.Scorer) -> Indices:
        """Most probable components (n,), after `to_fit`."""
        ...

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        """The rows in the pieces in which they come, each with the number of its first row. Their
        form is checked against the fitted model; values are not looked at.
        """
        ...

    def scored(self, scorer: scoring.Scorer, field: str, out: AnyArray | None) -> AnyArray:
        """What `Scorer.evaluate` calls `field`, for each row; in `out` if that is given."""
        ...

    def log_likelihood(self, scorer: scoring.Scorer, completed: bool) -> tuple[float, int]:
        """Log-likelihood of the rows and their number; with `finish`, that of the rows and
        their most probable labels together.
        """
        ...

    def imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> tuple[Floats, ...]:
        """Rows with missing values filled in, (n, d) or (n_draws, n, d), and the standard
        deviations (n, d) if asked for. Draws are those of a seed of 128 bits.
        """
        ...


def row_set(X: RowsLike, context: Context) -> RowSet:
    """The rows that a user gave as X."""
    if type(X) is not np.ndarray:
        if is_dask(X):
            from .dask_rows import DaskRows

            return DaskRows(X, context)
        source = as_source(X)
        if source is not None:
            return SourceRows(source, context)
    return ArrayRows(X, context)


# --- Rows that this process reads ----------------------------------------------------------------


class _LocalRows(ABC):
    """What an array and a source have in common."""

    __slots__ = "_context", "_fitted"

    _context: Context
    _fitted: Rows  # after `to_fit`

    @abstractmethod
    def pieces(self) -> Iterator[tuple[int, AnyArray]]: ...

    def labels(self, scorer: scoring.Scorer) -> Indices:
        labels = np.empty(self._fitted.n_samples, dtype=np.intp)
        scorer.fill("labels", self._fitted, labels, check_first=False)
        return labels

    @explains_failures
    def log_likelihood(self, scorer: scoring.Scorer, completed: bool) -> tuple[float, int]:
        total, context = RowSum(), self._context
        for first, X in self.pieces():
            bad = scoring.add_log_likelihood(
                total,
                scorer,
                X,
                completed=completed,
                n_threads=context.n_threads,
                allow_nan=context.allow_nan,
            )
            context.require_finite(X, bad, first)
        return total.total(), total.n_rows

    def _imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> Iterator[tuple[Floats, ...]]:
        """`RowSet.imputed`, a piece at a time."""
        noise = None if n_draws is None or seed is None else Noise.seeded(n_draws, seed)
        for first, X in self.pieces():
            yield imputed(parameters, X, noise, self._context, return_std=return_std, first=first)


class ArrayRows(_LocalRows):
    """Rows in memory, or what becomes an array; see `RowSet`."""

    __slots__ = ("_X",)

    def __init__(self, X: Any, context: Context) -> None:
        self._X = X
        self._context = context

    def to_fit(
        self, sample_weight: ArrayLike | None, sample_rows: int
    ) -> tuple[Data, Names | None]:
        name = self._context.estimator_name
        X, names = as_rows(self._X, estimator_name=name, min_rows=2)
        weight = check_sample_weight(sample_weight, len(X))
        rows = self._context.rows(X, weight).moderate()
        bad = rows.scan().bad
        if bad is not None:
            raise nonfinite_error(X, *bad, names, name)
        self._fitted = rows
        return LocalData(rows), names

    def to_learn(self, sample_weight: ArrayLike | None) -> Data:
        X = self._checked(min_rows=0)
        weight = check_sample_weight(sample_weight, len(X), allow_zero=True)
        rows = self._context.rows(X, weight)
        self._context.require_finite(X, rows.first_bad())
        return LocalData(rows)

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        yield 0, self._checked()

    def scored(self, scorer: scoring.Scorer, field: str, out: AnyArray | None) -> AnyArray:
        X = self._checked()
        rows = self._context.rows(X)
        shape, dtype = scorer.form(field, rows)
        check_first = out is not None
        if out is None:
            out = new_result(shape, dtype, takes_out=True)
        else:
            check_out(out, shape, dtype, X)
        bad = scorer.fill(field, rows, out, check_first=check_first)
        if bad is not None:
            self._context.require_finite(X, bad)
        return out

    def imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> tuple[Floats, ...]:
        (results,) = self._imputed(parameters, n_draws, seed, return_std)
        return results

    def _checked(self, min_rows: int = 1) -> AnyArray:
        """The rows as an array of the form that the fitted model wants."""
        context = self._context
        X, _names = as_rows(
            self._X,
            estimator_name=context.estimator_name,
            n_features=context.n_features,
            fitted_names=context.feature_names,
            min_rows=min_rows,
        )
        return X


class SourceRows(_LocalRows):
    """Rows that are read a piece at a time; see `RowSet`."""

    __slots__ = ("_source",)

    def __init__(self, source: RowSource, context: Context) -> None:
        self._source = source
        self._context = context

    def to_fit(
        self, sample_weight: ArrayLike | None, sample_rows: int
    ) -> tuple[Data, Names | None]:
        rows, names = self._read(self._source, sample_weight, sample_rows)
        shape = rows.n_samples, rows.n_features
        check_shape_of_rows(shape, 2, self._context.estimator_name)
        self._fitted = rows
        return LocalData(rows), names

    def to_learn(self, sample_weight: ArrayLike | None) -> Data:
        return LocalData(self._read_like_the_fitted(sample_weight, piece=True))

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        source, first = self._columns_as_fitted(), 0
        for piece in streamed.pieces(source, self._context.estimator_name):
            if first == 0:
                self._context.require_columns(piece.X.shape[1], piece.names)
            yield first, piece.X
            first += len(piece.X)
        if first == 0:
            raise streamed.no_rows(source)

    @explains_failures
    def scored(self, scorer: scoring.Scorer, field: str, out: AnyArray | None) -> AnyArray:
        # Read once, or twice to fill `out`, which must stay as it is where rows are wrong.
        if out is not None:
            rows = self._read_like_the_fitted(None)
            check_out(out, *scorer.form(field, rows), rows.X)
            bad = scorer.fill(field, rows, out, check_first=False)
            if bad is not None and isinstance(rows, streamed.StreamedRows):
                raise rows.changed_at(*bad)
            return out
        parts = ResultBuilder(self._source)
        for first, X in self.pieces():
            rows = self._context.rows(X)
            part = np.empty(*scorer.form(field, rows))
            bad = scorer.fill(field, rows, part, check_first=False)
            self._context.require_finite(X, bad, first)
            parts.append(part)
        return parts.array()

    def imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> tuple[Floats, ...]:
        joined = [ResultBuilder(self._source) for _ in range(1 + return_std)]
        for results in self._imputed(parameters, n_draws, seed, return_std):
            for whole, part in zip(joined, results, strict=True):
                whole.append(part.swapaxes(0, -2))  # rows come first while parts are joined
        return tuple(whole.array().swapaxes(0, -2) for whole in joined)

    def _columns_as_fitted(self) -> RowSource:
        names = self._context.feature_names
        return self._source if names is None else self._source.columns_named(list(names))

    def _read_like_the_fitted(self, sample_weight: ArrayLike | None, piece: bool = False) -> Rows:
        """All rows after a first pass, checked against the fitted model and all finite."""
        rows, names = self._read(self._columns_as_fitted(), sample_weight, piece=piece)
        self._context.require_columns(rows.n_features, names)
        return rows

    def _read(
        self,
        source: RowSource,
        sample_weight: ArrayLike | None,
        sample_rows: int = CENTRE_ROWS,
        piece: bool = False,
    ) -> tuple[Rows, Names | None]:
        context = self._context
        return streamed.read(
            source,
            sample_weight,
            estimator_name=context.estimator_name,
            n_threads=context.n_threads,
            sample_rows=sample_rows,
            piece=piece,
            allow_nan=context.allow_nan,
        )


def imputed(
    parameters: MixtureParameters,
    X: AnyArray,
    noise: Noise | None,
    context: Context,
    *,
    return_std: bool = False,
    first: int = 0,
) -> tuple[Floats, ...]:
    """Rows in memory filled in, and the deviations if asked for.

    Parameters
    ----------
    parameters : MixtureParameters
    X : ndarray of shape (n, d)
    noise : Noise or None
        For draws; None for conditional means.
    context : Context
    return_std : bool
    first : int
        The number of the first row among all.
    """
    rows = Rows(X, n_threads=context.n_threads, allow_nan=True)
    shape = X.shape if noise is None else (noise.n_draws, *X.shape)
    values = new_result(shape, rows.dtype)
    deviations = new_result(X.shape, rows.dtype) if return_std else None
    own_noise = None if noise is None else noise.after(first)
    bad = complete(parameters, rows, values, deviations, own_noise)
    context.require_finite(X, bad, first)
    return (values,) if deviations is None else (values, deviations)


class ResultBuilder:
    """An array put together part by part, in place where the source knows its length.

    Parameters
    ----------
    source : RowSource
        Whose rows the parts belong to.

    Raises
    ------
    ValueError
        If the source gave another number of rows than it said.
    """

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self._n_rows = source.n_rows
        self._parts: list[AnyArray] = []
        self._used = 0

    def append(self, part: AnyArray) -> None:
        """Take the next rows."""
        if self._n_rows is None:
            self._parts.append(part)
            return
        if not self._parts:
            self._parts = [np.empty((self._n_rows, *part.shape[1:]), part.dtype)]
        whole = self._parts[0]
        if whole.dtype != part.dtype:  # double precision from here on
            whole = self._parts[0] = whole.astype(np.result_type(whole, part))
        if self._used + len(part) > self._n_rows:
            raise self._miscounted("more")
        whole[self._used : self._used + len(part)] = part
        self._used += len(part)

    def array(self) -> AnyArray:
        """All rows."""
        if self._n_rows is not None and self._used < self._n_rows:
            raise self._miscounted(f"{self._used:,}")
        return self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)

    def _miscounted(self, found: str) -> ValueError:
        return ValueError(
            f"{streamed.called(self._source)} says that it has n_rows = {self._n_rows:,} rows, "
            f"and gave {found}. Set n_rows to None where the number is not known."
        )
