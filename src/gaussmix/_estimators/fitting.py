"""A fit, and the sums of one pass over rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._checks.messages import (
    collapse_warning,
    constant_columns_warning,
    convergence_warning,
    empty_columns_warning,
    empty_rows_warning,
    no_values,
    widened_columns_warning,
)
from .._checks.mixtures import check_initial
from .._checks.rows import check_enough_rows
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Collapse, Doubles, Indices, Names
from .._common.warnings import warn
from .._em import fitting, loop
from .._em.initialization import sample_rows
from .._estep.data import Context, Data
from .._estep.row_sets import RowSet, row_set
from .._parameters.layouts import CollapsedComponent, layout_of
from .._parameters.mixture import MixtureParameters, without_knowledge
from .._rows.first_pass import FirstPass
from .._rows.sources.base import RowsLike
from .._statistics.sufficient import SufficientStatistics
from . import hooks
from .base import BaseMixture, fitted_state


class FittingMixture(BaseMixture):
    """The methods that fit, and the E-step by itself."""

    def fit(self, X: RowsLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to rows.

        Parameters
        ----------
        X : array-like of shape (n, d), source of rows, or dask Array or DataFrame
            At least 2 and at least K rows. Sources are what `gaussmix.sources.as_source` knows.
        y : ignored
            Present for pipelines.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0: 2 means the same as the row twice, 0 as no row. For a
            dask collection also a dask Array or Series.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For invalid parameters or data, and when a covariance is not positive definite and
            `on_collapse` does not help. A fit that fails leaves the model as it was.
        TypeError
            For a subclass with a step of scikit-learn's fit of its own, such as ``_m_step``, which
            would have no effect. Also from other methods that would take that step.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` iterations were not enough, and when components collapsed and were
            dropped or placed anew.
        UserWarning
            About columns of equal values or without any, rows without any, and columns whose
            variance is less than ten times `reg_covar`, which is added to it.
        """
        # scikit-learn's fit is a call of fit_predict. One that a subclass has of its own may in
        # turn call fit, which then comes here a second time.
        if "_fitting" in vars(self) or not hooks.overrides(self, "fit_predict"):
            self._assign(self._found(X, sample_weight)[0])
            return self
        self._fitting = True
        try:
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            self.fit_predict(X, y, **weights)
        finally:
            del self._fitting
        return self

    def fit_predict(
        self, X: RowsLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> Indices:
        """`fit` and then `predict` the same rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        ndarray of int, shape (n,)
        """
        state, labels = self._found_labels(X, sample_weight)
        self._assign(state)
        return labels

    @explains_failures
    def _found_labels(
        self, X: RowsLike, sample_weight: ArrayLike | None
    ) -> tuple[dict[str, Any], Indices]:
        """The fitted attributes after a fit, and the labels of its rows."""
        state, (rows, _data) = self._found(X, sample_weight)
        return state, rows.labels(self._with(state)._scorer())

    @explains_failures
    def _found(
        self,
        X: RowsLike,
        sample_weight: ArrayLike | None,
        *,
        one_step: bool = False,
        column_names: Names | None = None,
    ) -> tuple[dict[str, Any], tuple[RowSet, Data]]:
        """The fitted attributes after a fit, and the rows as they came and as checked.

        With `one_step` there is one iteration, whatever `max_iter` says, and no warning about it.
        Messages about an X without names call its columns by `column_names`.
        """
        hooks.refuse(self, hooks.FIT)
        settings = fitting.checked_settings(self)
        context = Context(type(self).__name__, settings.n_threads, settings.allow_nan)
        rows = row_set(X, context)
        data, names = rows.to_fit(sample_weight, sample_rows(settings.n_components))
        called = column_names if names is None else names
        scan = data.scan()
        if scan.observed is not None and not scan.observed.any():
            raise no_values()
        check_enough_rows(data.n_used - scan.n_empty, settings.n_components)
        given = check_initial(
            self.weights_init,
            self.means_init,
            self.precisions_init,
            settings.n_components,
            data.n_features,
            settings.covariance_type,
        )
        continues = self._continues()
        try:
            result = fitting.best_run(
                data,
                scan,
                settings,
                max_iter=1 if one_step else settings.max_iter,
                given=given,
                continued=self._continued_parameters(data.n_features) if continues else None,
                previous_lower_bound=self.lower_bound_ if continues else -np.inf,
            )
        except CollapsedComponent as collapsed:
            raise self._ill_defined(collapsed, called, data.dtype) from None
        if result is None:
            raise ValueError(
                "The log-likelihood of every start became NaN or infinite. Scale the input data: "
                "squares of its values overflow or vanish in double precision."
            )
        unfinished = self.max_iter > 0 and not one_step
        self._warn(result, scan, called, data.n_samples, unfinished)
        parameters = result.parameters
        if not continues and scan.observed is not None:
            parameters = without_knowledge(parameters, np.flatnonzero(scan.observed == 0))
        state = fitted_state(parameters, data.dtype)
        state["converged_"] = result.converged
        state["n_iter_"] = result.n_iter
        state["lower_bound_"] = result.lower_bound
        state["lower_bounds_"] = result.lower_bounds
        state["collapses_"] = self._earlier_collapses() + result.collapses
        state["n_samples_seen_"] = data.n_samples_seen
        if names is not None:
            state["feature_names_in_"] = names
        return state, (rows, data)

    def _continues(self) -> bool:
        """Whether a fit goes on from the result of the last."""
        return self.warm_start and hasattr(self, "converged_")

    def _earlier_collapses(self) -> list[Collapse]:
        """Collapses in the fits that this one continues."""
        return list(getattr(self, "collapses_", ())) if self._continues() else []

    def _continued_parameters(self, n_features: int) -> MixtureParameters:
        """The fitted parameters, as the start of another fit."""
        parameters = self._parameters()
        fitted = parameters.means.shape
        dropped = sum(collapse["action"] == "drop" for collapse in self._earlier_collapses())
        if fitted != (self.n_components - dropped, n_features):
            but = f", of which {dropped} were dropped," if dropped else ""
            raise ValueError(
                f"warm_start=True continues a model with n_components={fitted[0] + dropped}{but} "
                f"and {fitted[1]} features, but n_components={self.n_components} and X has "
                f"{n_features} features. Set warm_start=False to start afresh."
            )
        return parameters

    def _warn(
        self,
        result: loop.EMResult[MixtureParameters],
        scan: FirstPass,
        names: Names | None,
        n_samples: int,
        unfinished: bool,
    ) -> None:
        """Warn about a result that did not converge, and about what in X tells nothing."""
        if unfinished and not result.converged:
            warn(
                convergence_warning(
                    "Best performing initialization did not converge. Try different init "
                    "parameters, or increase max_iter, tol, or check for degenerate data."
                )
            )
        if result.collapses:
            warn(collapse_warning(result.collapses, names))
        if scan.observed is not None:
            empty = np.flatnonzero(scan.observed == 0)
            if empty.size:
                warn(empty_columns_warning(empty.tolist(), names))
            if scan.n_empty:
                warn(empty_rows_warning(scan.n_empty, n_samples))
        constant = np.flatnonzero(scan.constant)
        if constant.size:
            warn(
                constant_columns_warning(
                    constant.tolist(), names, self.covariance_type, float(self.reg_covar)
                )
            )
        shared = layout_of(self.covariance_type).isotropic
        reg_covar = float(self.reg_covar)
        widened = scan.widened(reg_covar, shared=shared)
        if widened.size:
            warn(
                widened_columns_warning(
                    widened.tolist(), scan.variance, names, self.covariance_type, reg_covar
                )
            )

    @explains_failures
    def accumulate(
        self, X: RowsLike, sample_weight: ArrayLike | None = None
    ) -> SufficientStatistics:
        """One E-step under the fitted parameters: the sums that an M-step needs.

        Statistics of several chunks of rows add up to those of all rows, so
        ``model.update(sum(model.accumulate(chunk) for chunk in chunks))`` is one EM iteration over
        data that need not fit in memory.

        Parameters
        ----------
        X : array-like of shape (n, d), or rows from elsewhere as for `fit`
            One piece of the data; it may have no rows.
        sample_weight : number or array-like of shape (n,), optional
            May be zero for all rows of a piece.

        Returns
        -------
        SufficientStatistics

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> X = np.random.default_rng(0).normal(size=(100, 1))
        >>> model = GaussianMixture(random_state=0).fit(X)
        >>> statistics = sum(model.accumulate(chunk) for chunk in np.split(X, 4))
        >>> bool(np.allclose(model.update(statistics).means_, X.mean()))
        True
        """
        hooks.refuse(self, "ed")
        settings = fitting.checked_settings(self)
        parameters = self._parameters()
        data = self._row_set(X).to_learn(sample_weight)
        with np.errstate(all="ignore"):
            statistics = data.accumulate(parameters, settings.reg_covar)
            if settings.allow_nan and settings.variance_floor > 0:
                statistics.columns = data.scan().columns()
            return statistics


def fit_called(
    model: FittingMixture, X: AnyArray, sample_weight: Doubles | None, names: Names | None
) -> None:
    """Fit a model to an array, whose columns messages call by names that X has not."""
    model._assign(model._found(X, sample_weight, column_names=names)[0])
