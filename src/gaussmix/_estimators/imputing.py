"""Missing values filled in: by conditional means, or by draws."""

from __future__ import annotations

from typing import Any, Literal, cast, overload

from .._checks.arguments import check_flag, check_n_draws
from .._checks.rows import is_dask
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, RandomState
from .._estep.drawing import Noise
from .._estep.local_rows import imputed
from .._rows.sources.base import RowsLike
from . import sklearn_api
from .containers import TabularMixture


class ImputingMixture(TabularMixture):
    """The method that fills in missing values."""

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
    @explains_failures
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
            collection a dask array, which is computed when it is asked for. Else a table, or a
            list of `n_draws` tables, where `set_output` says so.
        std : ndarray of shape (n, d), or a table
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
        check_n_draws(n_draws)
        check_flag(return_std, "return_std")
        parameters = self._parameters()
        container = None if is_dask(X) else self._container("impute")
        index = sklearn_api.index_of(X)
        seed = None if n_draws is None else self._seed(random_state)
        draws = None if n_draws is None else int(n_draws)
        values, *deviations = self._row_set(X).imputed(parameters, draws, seed, return_std)
        if container is None:
            filled: Any = values
        elif draws is None:
            filled = self._in_container(container, values, index)
        else:
            filled = [self._in_container(container, draw, index) for draw in values]
        if not return_std:
            return cast(Floats, filled)
        return filled, self._in_container(container, deviations[0], index)

    def _seed(self, random_state: RandomState) -> int:
        """128 random bits, from whatever kind of generator."""
        return int.from_bytes(self._generator(random_state).bytes(16), "little")


def noise_of_draws(
    model: ImputingMixture, n_draws: int, random_state: RandomState, *more: int
) -> Noise:
    """The random numbers of `n_draws` imputations of rows, of which `more` makes other ones."""
    return Noise.seeded(n_draws, model._seed(random_state), *more)


def completed(
    model: ImputingMixture, X: AnyArray, noise: Noise | None, *, return_std: bool = False
) -> tuple[Floats, ...]:
    """Checked rows in memory filled in, see `local_rows.imputed`."""
    context = model._current().context
    return imputed(model._parameters(), X, noise, context, return_std=return_std)
