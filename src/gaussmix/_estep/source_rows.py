"""Rows that are read a piece at a time, and results put together from pieces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from .._checks.outputs import check_out
from .._checks.rows import check_shape_of_rows
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, Names
from .._parameters.mixture import MixtureParameters
from .._rows import streamed
from .._rows.array_rows import CENTRE_ROWS, Rows
from .._rows.sources.base import RowSource
from . import scoring
from .data import Context, Data, LocalData
from .local_rows import LocalRows


class SourceRows(LocalRows):
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
