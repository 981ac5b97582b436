"""Rows that a user gives, wherever they are.

`row_set` finds out where, and nobody asks again: of an array, of a source that is read a piece at
a time and of a dask collection, a fit and a score want the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from .._checks.rows import is_dask
from .._common.typing import AnyArray, Floats, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows.sources.base import RowsLike
from . import scoring
from .data import Context, Data
from .local_rows import ArrayRows


class RowSet(Protocol):
    """Rows as they were given, of which nothing has been read or checked yet."""

    def to_fit(
        self, sample_weight: ArrayLike | None, sample_rows: int
    ) -> tuple[Data, Names | None]:
        """The rows for a fit from the beginning, checked and all finite but for what is missing,
        and the names of their columns. Streams keep so many rows as a sample.
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
        """Log-likelihood of the rows and their number; with `completed`, that of the rows and
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
            from .dask_rows import DaskRows  # these are not imported before somebody has such rows

            return DaskRows(X, context)
        from .._rows.sources.recognise import as_source

        source = as_source(X)
        if source is not None:
            from .source_rows import SourceRows

            return SourceRows(source, context)
    return ArrayRows(X, context)
