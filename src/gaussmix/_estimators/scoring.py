"""What a fitted mixture says of rows: densities, responsibilities, labels and criteria."""

from __future__ import annotations

from typing import TypeVar, overload

import numpy as np

from .._common.failures import explains_failures
from .._common.typing import AnyArray, Floats, Indices
from .._estep.row_sets import row_set
from .._rows.array_rows import Rows
from .._rows.sources.base import RowsLike
from . import criteria, hooks
from .base import BaseMixture

Output = TypeVar("Output", bound=Floats)


class ScoringMixture(BaseMixture):
    """The methods that score rows, and the criteria."""

    @overload
    def score_samples(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def score_samples(self, X: RowsLike, out: Output) -> Output: ...
    def score_samples(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Log-density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n,), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n,)
            Of a dask collection a dask array, which is computed when it is asked for.
        """
        return self._scored(X, "log_density", out)

    def predict(self, X: RowsLike, out: Indices | None = None) -> Indices:
        """The most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n,) and dtype intp, optional
            C-contiguous array to write to.

        Returns
        -------
        ndarray of int, shape (n,)
            Of a dask collection a dask array, which is computed when it is asked for.
        """
        return self._scored(X, "labels", out)

    @overload
    def predict_proba(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def predict_proba(self, X: RowsLike, out: Output) -> Output: ...
    def predict_proba(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Responsibilities: the probability of each component given each row.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n, K), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n, K)
            Rows sum to one. Of a dask collection a dask array, which is computed when it is
            asked for.
        """
        return self._scored(X, "responsibilities", out)

    @overload
    def component_log_density(self, X: RowsLike, out: None = None) -> Floats: ...
    @overload
    def component_log_density(self, X: RowsLike, out: Output) -> Output: ...
    def component_log_density(self, X: RowsLike, out: Floats | None = None) -> Floats:
        """Log-density of each row under each component by itself, in nats.

        Without the components' weights: `score_samples` is the logarithm of the sum of
        ``weights_ * exp(component_log_density(X))``.

        Parameters
        ----------
        X : array-like of shape (n, d)
        out : ndarray of shape (n, K), optional
            C-contiguous array to write to: float32 for float32 rows, else float64.

        Returns
        -------
        ndarray of shape (n, K)
            Of a dask collection a dask array, which is computed when it is asked for. With
            ``allow_nan=True`` the densities of the values that a row has, 0 where it has none.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.9, 0.1], [[0.0], [4.0]], [1.0, 1.0])
        >>> model.component_log_density([[0.0], [2.0]]).round(3)
        array([[-0.919, -8.919],
               [-2.919, -2.919]])
        """
        return self._scored(X, "component_log_density", out)

    def _scored(self, X: RowsLike, field: str, out: AnyArray | None) -> AnyArray:
        """What `Scorer.evaluate` calls `field`, for each row."""
        kept = self._current()
        scorer = kept.scorer or self._prepared(kept)
        return row_set(X, kept.context).scored(scorer, field, out)

    def score(self, X: RowsLike, y: object = None) -> float:
        """Mean log-density of the rows, in nats.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : ignored

        Returns
        -------
        float
        """
        total, n = self._log_likelihood(X)
        return total / n

    def aic(self, X: RowsLike) -> float:
        """Akaike's information criterion, ``-2 log L + 2 p``: lower is better.

        ``p`` is `n_parameters` and ``log L`` the log-likelihood of the rows.
        """
        return criteria.aic(self._judged(X)[0], self._n_parameters())

    def bic(self, X: RowsLike) -> float:
        """Bayesian information criterion, ``-2 log L + p log n``: lower is better.

        ``p`` is `n_parameters` and ``log L`` the log-likelihood of the n rows.
        """
        total, n = self._judged(X)
        return criteria.bic(total, self._n_parameters(), n)

    def icl(self, X: RowsLike) -> float:
        """Integrated completed likelihood criterion: lower is better.

        ``bic(X) - 2 sum_i log max_k r_ik`` with ``r_ik`` the responsibilities: the BIC of the rows
        together with their most probable labels, which prefers components that do not overlap
        (Biernacki, Celeux & Govaert 2000). mclust reports the negative of this number.
        """
        total, n = self._judged(X, completed=True)
        return criteria.bic(total, self._n_parameters(), n)

    def n_parameters(self) -> int:
        """Number of free parameters: weights, means and covariances."""
        parameters = self._parameters()
        return criteria.n_parameters(
            parameters.covariance_type, parameters.n_components, parameters.n_features
        )

    def _n_parameters(self) -> int:
        # scikit-learn's name: what a subclass says here counts in the criteria.
        return self.n_parameters()

    def _judged(self, X: RowsLike, completed: bool = False) -> tuple[float, int]:
        """`_log_likelihood` for the criteria, which follow a `score` that a subclass has."""
        total, n = self._log_likelihood(X, completed)
        if hooks.overrides(self, "score"):
            labels = total - self._log_likelihood(X)[0] if completed else 0.0
            total = n * self.score(X) + labels
        return total, n

    @explains_failures
    def _log_likelihood(self, X: RowsLike, completed: bool = False) -> tuple[float, int]:
        """Log-likelihood of the rows and their number, in blocks of bounded size.

        With `completed`, that of the rows and their most probable labels together. Where a
        subclass has its own densities or responsibilities, those count.
        """
        own = hooks.overrides(self, "score_samples")
        if own or (completed and hooks.overrides(self, "predict_proba")):
            return self._own_log_likelihood(X, completed)
        hooks.refuse(self, "d")
        kept = self._current()
        scorer = kept.scorer or self._prepared(kept)
        return row_set(X, kept.context).log_likelihood(scorer, completed)

    def _own_log_likelihood(self, X: RowsLike, completed: bool) -> tuple[float, int]:
        """`_log_likelihood` by the public methods, of which a subclass has its own."""
        log_density = np.asarray(self.score_samples(X), dtype=np.float64)
        total = log_density.sum()
        if completed:
            total += np.log(np.max(self.predict_proba(X), axis=1)).sum(dtype=np.float64)
        return float(total), len(log_density)


def fill_scores(model: BaseMixture, X: AnyArray, **outputs: AnyArray) -> None:
    """Fill several arrays with what a mixture says of rows, from one pass over them.

    Parameters
    ----------
    model : BaseMixture
    X : ndarray of shape (n, d)
        Checked for values that must not be.
    outputs : ndarray
        By the names that `Scorer.evaluate` has for them.
    """
    rows = Rows(X, n_threads=model.n_threads, allow_nan=model.allow_nan)
    model._scorer().evaluate(rows, **outputs, check_first=False)
