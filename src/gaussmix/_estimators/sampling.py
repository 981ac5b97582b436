"""Rows drawn from a fitted mixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._checks.arguments import check_n_samples
from .._checks.columns import check_given
from .._checks.given import given_values
from .._checks.outputs import new_result
from .._common.failures import explains_failures
from .._common.typing import Floats, Generator, Indices, RandomState
from .._estep import drawing
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .containers import TabularMixture
from .sklearn_api import index_of

#: Values of columns: by their names or indices, one for each or several, or a table.
Given: TypeAlias = Mapping[Any, Any] | Any


class SamplingMixture(TabularMixture):
    """The method that draws rows."""

    @explains_failures
    def sample(
        self,
        n_samples: int = 1,
        random_state: RandomState = None,
        *,
        given: Given | None = None,
    ) -> tuple[Floats, Indices]:
        """Draw rows from the fitted mixture, in random order.

        Parameters
        ----------
        n_samples : int, default=1
            How many; with `given`, for each of its rows.
        random_state : None, int, RandomState or Generator, optional
            An int gives the same rows each time. By default the model's own `random_state`
            decides: with an int there, the calls after a fit go on in one reproducible stream, so
            that two calls give different rows. A generator moves on by the same 32 bytes in every
            call.
        given : mapping or table, optional
            Values of some columns, not all, which the rows that are drawn then have; the others
            are drawn from their distribution given these, that of `condition`. A mapping of column
            names or indices to a number each, or to r numbers, or a table of r rows with named
            columns. With ``allow_nan=True`` NaN is a value that is not given.

        Returns
        -------
        X : ndarray of shape (n_samples, d), or (r, n_samples, d) where `given` has r rows
            float32 after a fit to float32 rows, else float64. Or a table, as `set_output` says: of
            ``r * n_samples`` rows, those of the first row of `given` first. In pandas the index
            tells which row that is.
        y : ndarray of int, shape (n_samples,) or (r, n_samples)
            Component of each row.

        Raises
        ------
        ValueError, TypeError
            If `n_samples` is no whole number of at least 1, or `random_state` none of the above;
            for columns in `given` that the model does not have, for all columns, and for values
            that are not finite.
        MemoryError
            If the rows take more memory than there is.

        Notes
        -----
        Row i depends on the random state and on i alone: not on the number of threads, nor on
        `n_samples`, so that 10 rows are the first of 1000 with the same `random_state`. Random
        numbers come from the counter-based generator Threefry-4x64 (Salmon et al. 2011, Parallel
        random numbers: as easy as 1, 2, 3), keyed by the random state, and become normal by the
        transformation of Box and Muller (1958). With `given`, draw j for its row i depends on the
        random state, on i and j, and on what that row gives, the digits up to rounding.

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.2, 0.8], [[0.0], [9.0]], [[[1]], [[1]]])
        >>> X, y = model.sample(1000, random_state=0)
        >>> X.shape, y.shape
        ((1000, 1), (1000,))
        >>> bool(np.array_equal(model.sample(10, random_state=0)[0], X[:10]))
        True

        Given that the first of a standard normal pair of correlation 0.8 is 2, or -1:

        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1, 0.8], [0.8, 1]]])
        >>> X, y = model.sample(10_000, random_state=0, given={0: [2.0, -1.0]})
        >>> X.shape, X.mean(axis=1).round(1)
        ((2, 10000, 2), array([[ 2. ,  1.6],
               [-1. , -0.8]]))
        """
        parameters = self._parameters()
        n_rows = check_n_samples(n_samples)
        container = self._container("sample")
        if given is not None:
            X, y, index = self._sample_given(parameters, n_rows, random_state, given)
            return self._in_container(container, X, index), y
        X, y = self._new_sample(parameters, n_rows)
        # After what can fail: the generator moves on only if rows are drawn.
        key = drawing.key_from(self._generator(random_state))
        drawing.draw(parameters, key, 0, X, y, self.n_threads)
        return self._in_container(container, X), y

    def _sample_given(
        self, parameters: MixtureParameters, n_draws: int, random_state: RandomState, given: Given
    ) -> tuple[Floats, Indices, Any]:
        """Rows that have the values given, (r, n_draws, d) or (n_draws, d), their components, and
        what the r rows are called.
        """
        from .._estep.missing.completion import complete_in_parts  # as in `local_rows.imputed`

        names, d = getattr(self, "feature_names_in_", None), parameters.n_features
        columns, values, one = given_values(given, d, names, type(self).__name__)
        check_given(columns, d, "Leave out at least one, to be drawn.", "given")
        own_names = None if names is None else names[columns]
        for _known, _rows in self._known(values, own_names, argument="given"):
            break  # the values are in order
        rows = np.full((len(values), d), np.nan)
        rows[:, columns] = values
        X = new_result((len(rows), n_draws, d), self._dtype, verb="Draw")
        y = new_result(X.shape[:2], np.intp, verb="Draw")
        noise = drawing.Noise(n_draws, drawing.key_from(self._generator(random_state)))
        incomplete = Rows(rows, n_threads=self.n_threads, allow_nan=True)
        complete_in_parts(parameters, incomplete, X.swapaxes(0, 1), noise, y.T)
        if one:
            return X[0], y[0], None
        index = index_of(given)
        return X, y, np.arange(len(X)) if index is None else index

    def _new_sample(self, parameters: MixtureParameters, n_rows: int) -> tuple[Floats, Indices]:
        """Arrays for rows drawn, (n_rows, d), and their components."""
        X = new_result((n_rows, parameters.n_features), self._dtype, verb="Draw")
        return X, new_result((n_rows,), np.intp, verb="Draw")


def sample_blocks(
    model: SamplingMixture, n_samples: int, block_rows: int, generator: Generator
) -> Iterator[tuple[Floats, Indices]]:
    """The rows that `sample` draws with this generator, and their components, block by block."""
    parameters = model._parameters()
    key = drawing.key_from(generator)
    for first in range(0, n_samples, block_rows):
        X, y = model._new_sample(parameters, min(block_rows, n_samples - first))
        drawing.draw(parameters, key, first, X, y, model.n_threads)
        yield X, y
