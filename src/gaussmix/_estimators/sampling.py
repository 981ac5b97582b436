"""Rows drawn from a fitted mixture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._checks.arguments import check_n_samples
from .._checks.outputs import new_result
from .._common.failures import explains_failures
from .._common.typing import Floats, Generator, Indices, RandomState
from .._estep import drawing
from .._parameters.mixture import MixtureParameters
from .base import BaseMixture


class SamplingMixture(BaseMixture):
    """The method that draws rows."""

    @explains_failures
    def sample(
        self, n_samples: int = 1, random_state: RandomState = None
    ) -> tuple[Floats, Indices]:
        """Draw rows from the fitted mixture, in random order.

        Parameters
        ----------
        n_samples : int, default=1
        random_state : None, int, RandomState or Generator, optional
            An int gives the same rows each time. By default the model's own `random_state`
            decides: with an int there, the calls after a fit go on in one reproducible stream, so
            that two calls give different rows. A generator moves on by the same 32 bytes in every
            call.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            float32 after a fit to float32 rows, else float64.
        y : ndarray of int, shape (n_samples,)
            Component of each row.

        Raises
        ------
        ValueError
            If `n_samples` is no whole number of at least 1, or `random_state` none of the above.
        MemoryError
            If the rows take more memory than there is.

        Notes
        -----
        Row i depends on the random state and on i alone: not on the number of threads, nor on
        `n_samples`, so that 10 rows are the first of 1000 with the same `random_state`. Random
        numbers come from the counter-based generator Threefry-4x64 (Salmon et al. 2011, Parallel
        random numbers: as easy as 1, 2, 3), keyed by the random state, and become normal by the
        transformation of Box and Muller (1958).

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
        """
        parameters = self._parameters()
        X, y = self._new_sample(parameters, check_n_samples(n_samples))
        # After what can fail: the generator moves on only if rows are drawn.
        key = drawing.key_from(self._generator(random_state))
        drawing.draw(parameters, key, 0, X, y, self.n_threads)
        return X, y

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
