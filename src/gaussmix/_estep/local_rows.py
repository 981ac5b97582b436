"""Rows that this process reads: of an array, and what they have in common with a source's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks.outputs import check_out, new_result
from .._checks.rows import as_rows, nonfinite_error
from .._checks.weights import check_sample_weight
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from . import scoring
from .data import Context, Data, LocalData
from .drawing import Noise
from .row_sum import RowSum


class LocalRows(ABC):
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


class ArrayRows(LocalRows):
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
        rows = self._context.rows(X, weight).rescale_weights()
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
        context = self._context
        rows = Rows(X, n_threads=context.n_threads, allow_nan=context.allow_nan)
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
    from .missing.completion import complete  # what few programs need: not when this is imported

    rows = Rows(X, n_threads=context.n_threads, allow_nan=True)
    shape = X.shape if noise is None else (noise.n_draws, *X.shape)
    values = new_result(shape, rows.dtype)
    deviations = new_result(X.shape, rows.dtype) if return_std else None
    own_noise = None if noise is None else noise.after(first)
    bad = complete(parameters, rows, values, deviations, own_noise)
    context.require_finite(X, bad, first)
    return (values,) if deviations is None else (values, deviations)
