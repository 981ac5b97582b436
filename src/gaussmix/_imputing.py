"""Missing values filled in: by conditional means, or by draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import _streamed, _validation, sources
from ._completing import complete
from ._draws import Noise
from ._fitted import FittedMixture
from ._parameters import MixtureParameters
from ._rows import Rows
from ._typing import AnyArray, Floats, Generator, RandomState
from .sources import RowsLike


class ImputingMixture(FittedMixture):
    """The method that fills in missing values."""

    if TYPE_CHECKING:  # what the mixture has beside it

        def _chunks(self, X: RowsLike, n_features: int) -> Iterator[tuple[int, AnyArray]]: ...
        def _generator(self, random_state: RandomState) -> Generator: ...

    @overload
    def impute(
        self,
        X: RowsLike,
        *,
        n_draws: int | None = None,
        random_state: RandomState = None,
        return_std: Literal[False] = False,
    ) -> Floats: ...
    @overload
    def impute(
        self,
        X: RowsLike,
        *,
        n_draws: int | None = None,
        random_state: RandomState = None,
        return_std: Literal[True],
    ) -> tuple[Floats, Floats]: ...
    @overload
    def impute(
        self,
        X: RowsLike,
        *,
        n_draws: int | None = None,
        random_state: RandomState = None,
        return_std: bool,
    ) -> Floats | tuple[Floats, Floats]: ...
    @_validation.says_memory_error
    def impute(
        self,
        X: RowsLike,
        *,
        n_draws: int | None = None,
        random_state: RandomState = None,
        return_std: bool = False,
    ) -> Floats | tuple[Floats, Floats]:
        """Fill in missing values from the observed values of the same row.

        A missing value is NaN, whatever `allow_nan` says. Given what a row has, what it lacks is a
        mixture again: each component's normal distribution given those values, weighted by the
        component's responsibility for them. Filled in are the means of that mixture, or draws from
        it, where the missing values of a row are drawn together.

        Parameters
        ----------
        X : array-like of shape (n, d), source of rows, or dask Array or DataFrame
            A row may lack all values: the mixture itself fills it.
        n_draws : int, optional
            Number of draws; by default conditional means are filled in.
        random_state : None, int, RandomState or Generator, optional
            Decides the draws, as in `sample`. The same rows in the same order get the same draws,
            up to rounding, from an array or a source in whatever chunks; from a dask collection
            when the partitions are the same.
        return_std : bool, default=False
            Whether to return conditional standard deviations as well.

        Returns
        -------
        X_imputed : ndarray of shape (n, d), or (n_draws, n, d) with `n_draws`
            float32 for float32 rows, else float64. Observed values are those of X. Of a dask
            collection a dask array, which is computed when it is asked for.
        std : ndarray of shape (n, d)
            Only with `return_std`: the standard deviation of each missing value given the observed
            ones of its row, in the column's units; 0 where a value is observed.

        Raises
        ------
        ValueError
            For infinity, rows of another width, and `n_draws` below 1.

        See Also
        --------
        GaussianMixtureImputer : The same as a scikit-learn transformer, with the fit.
        predict_conditional : Covariances and quantiles, where the same columns are missing.

        Notes
        -----
        Conditional means are the best guess of each value by squared error, and a table filled
        with them varies less than the true one: variances and correlations come out wrong. For
        those, take several draws, compute the statistic from each and pool them (Rubin 1987,
        Multiple Imputation for Nonresponse in Surveys). Parameters are taken as known; their own
        uncertainty is in no draw.

        Examples
        --------
        A standard normal pair of correlation 0.8:

        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1, 0.8], [0.8, 1]]])
        >>> X = [[2.0, np.nan], [np.nan, np.nan], [1.0, 1.5]]
        >>> filled, std = model.impute(X, return_std=True)
        >>> filled
        array([[2. , 1.6],
               [0. , 0. ],
               [1. , 1.5]])
        >>> std
        array([[0. , 0.6],
               [1. , 1. ],
               [0. , 0. ]])
        >>> model.impute(X, n_draws=5, random_state=0).shape
        (5, 3, 2)
        """
        _validation.check_n_draws(n_draws)
        _validation.check_flag(return_std, "return_std")
        if _validation.is_dask(X):
            return self._imputed_lazily(X, n_draws, random_state, return_std)
        source = None if type(X) is np.ndarray else sources.as_source(X)
        if source is None:
            (results,) = self._imputed(X, n_draws, random_state, return_std)
        else:
            joined = [_streamed.Joined(source) for _ in range(1 + return_std)]
            for results in self._imputed(source, n_draws, random_state, return_std):
                for whole, part in zip(joined, results, strict=True):
                    whole.append(part.swapaxes(0, -2))  # rows come first while parts are joined
            results = tuple(whole.array().swapaxes(0, -2) for whole in joined)
        return (results[0], results[1]) if return_std else results[0]

    def _imputed(
        self, X: RowsLike, n_draws: int | None, random_state: RandomState, return_std: bool
    ) -> Iterator[tuple[Floats, ...]]:
        """`impute` for the pieces in which rows come: the values, and deviations if asked for."""
        parameters = self._parameters()
        noise = None
        if n_draws is not None:
            noise = Noise.seeded(int(n_draws), self._seed(random_state))
        for first, piece in self._chunks(X, parameters.n_features):
            yield self._completed(parameters, piece, noise, return_std, first)

    def _seed(self, random_state: RandomState) -> int:
        """128 random bits, from whatever kind of generator."""
        return int.from_bytes(self._generator(random_state).bytes(16), "little")

    def _completed(
        self,
        parameters: MixtureParameters,
        X: AnyArray,
        noise: Noise | None,
        return_std: bool,
        first: int,
    ) -> tuple[Floats, ...]:
        """Rows in memory filled in, and the deviations if asked for; `first` is the number of the
        first row.
        """
        rows = Rows(X, n_threads=self.n_threads, allow_nan=True)
        shape = X.shape if noise is None else (noise.n_draws, *X.shape)
        values = _validation.new_result(shape, rows.dtype)
        deviations = _validation.new_result(X.shape, rows.dtype) if return_std else None
        own_noise = None if noise is None else noise.after(first)
        bad = complete(parameters, rows, values, deviations, own_noise)
        if bad is not None:
            names = getattr(self, "feature_names_in_", None)
            raise _validation.nonfinite_error(X, *bad, names, type(self).__name__, first_row=first)
        return (values,) if deviations is None else (values, deviations)

    def _imputed_lazily(
        self, X: Any, n_draws: int | None, random_state: RandomState, return_std: bool
    ) -> Floats | tuple[Floats, Floats]:
        """`impute` for a dask collection: dask arrays, computed when they are asked for."""
        from . import distributed

        parameters = self._parameters().copied()
        planes: Any = distributed.imputed(
            parameters,
            X,
            n_draws,
            () if n_draws is None else (self._seed(random_state),),
            return_std,
            estimator_name=type(self).__name__,
            n_threads=self.n_threads,
            fitted_names=getattr(self, "feature_names_in_", None),
        )
        values: Floats = planes[0] if n_draws is None else planes[:n_draws]
        return (values, planes[-1]) if return_std else values
