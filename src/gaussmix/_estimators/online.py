"""Learning a step at a time: from statistics, and from batches of rows that keep coming."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._checks.arguments import check_update
from .._checks.messages import collapse_warning
from .._checks.mixtures import check_components, check_means
from .._checks.weights import check_seen, check_weight_so_far
from .._common.failures import explains_failures
from .._common.text import shown
from .._common.typing import Collapse
from .._common.warnings import warn
from .._em import fitting, stepwise
from .._estep.data import Data
from .._mstep.maximize import factorised
from .._parameters.layouts import CollapsedComponent
from .._parameters.mixture import MixtureParameters
from .._rows.sources.base import RowsLike
from .._runtime.threads import limited
from .._statistics.running import Running
from .._statistics.sufficient import SufficientStatistics
from . import hooks
from .base import fitted_state, with_running
from .fitting import FittingMixture

# The attributes that each letter of `update` names.
_NAMED_BY = {
    "w": ("weights_",),
    "m": ("means_",),
    "c": ("covariances_", "precisions_", "precisions_cholesky_"),
}


class OnlineMixture(FittingMixture):
    """The methods that change a fitted mixture by a step."""

    def update(self, statistics: SufficientStatistics, update: str = "wmc") -> Self:
        """Take one M-step from statistics, as one more iteration of `fit` would.

        Parameters
        ----------
        statistics : SufficientStatistics
            From `accumulate` of this model, or sums of such.
        update : str, default="wmc"
            What changes, as some of the letters w(eights), m(eans), c(ovariances). The rest stays
            as it is, to the last bit; covariances without the means are those about the means
            that stay.

        Returns
        -------
        self
            With new parameters; `n_iter_` grows by one, and `lower_bound_`, `lower_bounds_` and
            `converged_` follow from the log-likelihood in the statistics.

        Raises
        ------
        TypeError, ValueError
            For statistics of another type, family or shape, or with NaN or infinity, for another
            `update`, and for a covariance that is not positive definite, unless `on_collapse`
            helps: then a component may be dropped or placed anew, as `collapses_` tells. The model
            stays as it was.
        """
        self._assign(self._updated(statistics, update))
        return self

    @explains_failures
    def _updated(self, statistics: SufficientStatistics, update: str) -> dict[str, Any]:
        """The fitted attributes after `update`."""
        hooks.refuse(self, "m")
        settings = fitting.checked_settings(self)
        check_update(update)
        previous = self._parameters()
        if not isinstance(statistics, SufficientStatistics):
            raise TypeError(
                f"statistics must be a SufficientStatistics; got {type(statistics).__name__}."
            )
        statistics.check(previous.covariance_type, previous.n_components, previous.n_features)
        names = getattr(self, "feature_names_in_", None)
        n_iter = getattr(self, "n_iter_", 0) + 1
        recovery = fitting.recovery(settings, statistics.total_weight / max(statistics.n_rows, 1))
        finish = factorised if recovery is None else partial(recovery.mended, iteration=n_iter)
        try:
            with np.errstate(all="ignore"), limited(settings.n_threads):
                estimate = stepwise.chosen_estimate(
                    statistics, previous, update, settings.reg_covar, settings.variance_floor
                )
                parameters = finish(statistics, estimate, previous)
        except CollapsedComponent as collapsed:
            raise self._ill_defined(collapsed, names, self._dtype) from None
        collapses = [] if recovery is None else recovery.collapses
        if collapses:
            warn(collapse_warning(collapses, names))
        lower_bound = float(statistics.log_likelihood) / float(statistics.total_weight)
        change = abs(lower_bound - getattr(self, "lower_bound_", -np.inf))
        state = self._next_state(parameters, n_iter, collapses, update)
        state["converged_"] = not collapses and change < settings.tol
        state["lower_bound_"] = lower_bound
        state["lower_bounds_"] = [*getattr(self, "lower_bounds_", ()), lower_bound]
        weight, n_rows = statistics.total_weight, statistics.n_rows
        state["n_samples_seen_"] = n_rows if weight == n_rows else weight
        return state

    def partial_fit(
        self,
        X: RowsLike,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        update: str = "wmc",
    ) -> Self:
        """Learn from one batch of rows, and remember what earlier ones told: stepwise EM.

        One E-step on the batch under the parameters so far, whose statistics join the running
        ones, and one M-step from these. Per unit of weight the running statistics become
        ``(1 - g) old + g batch`` with ``g = (w / W) ** learning_decay``, where w is the weight of
        the batch and W that of all rows so far with it (Cappé & Moulines 2009); with `forgetting`,
        the old times `forgetting` plus those of the batch. A first batch has g = 1.

        Without parameters yet, this is `fit` with one iteration. After `fit`, `load` or a change
        of the fitted attributes by hand, the running statistics are those that the parameters
        imply for `n_samples_seen_` rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or rows from elsewhere as for `fit`
            A batch. It may have any number of rows, even none, but the first of a model without
            parameters, which needs at least 2 and at least K.
        y : ignored
            Present for pipelines.
        sample_weight : number or array-like of shape (n,), optional
            Weight of each row, at least 0. A batch without weight, without rows, or of rows
            without any value, leaves the model as it is, also with `forgetting`.
        update : str, default="wmc"
            What the M-step changes, as for `update`; the running statistics learn all of it.
            The first step of a model without parameters changes all.

        Returns
        -------
        self
            `n_iter_` grows by one, `lower_bound_` is the mean log-likelihood of the batch's rows
            before the step, `converged_` is False and `lower_bounds_` stays.

        Raises
        ------
        TypeError, ValueError
            For invalid parameters or data, and when a covariance is not positive definite and
            `on_collapse` does not help. The model stays as it was.

        Notes
        -----
        Components keep their places in all arrays, but for those dropped. One whose rows have
        faded to less than one (`effective_rows_`) keeps its mean and covariance as they are, with
        the weight of one row, until rows come near it; with ``on_collapse="drop"`` or "reseed" it
        is dropped, or placed anew. With a "tied" covariance it shares that of the others.

        Examples
        --------
        >>> import numpy as np
        >>> from gaussmix import GaussianMixture
        >>> rng = np.random.default_rng(0)
        >>> model = GaussianMixture(2, random_state=0)
        >>> for _ in range(20):
        ...     batch = rng.normal(size=(500, 1)) + rng.choice([1.0, 7.0], size=(500, 1))
        ...     model = model.partial_fit(batch)
        >>> np.sort(model.means_.ravel()).round()
        array([1., 7.])
        >>> model.n_samples_seen_
        10000
        """
        state = self._learned(X, sample_weight, update)
        if state is not None:
            self._assign(state)
        return self

    @explains_failures
    def _learned(
        self, X: RowsLike, sample_weight: ArrayLike | None, update: str
    ) -> dict[str, Any] | None:
        """The fitted attributes after `partial_fit`; None where it leaves them as they are."""
        hooks.refuse(self, "emd")
        settings = fitting.checked_settings(self)
        check_update(update)
        if not hasattr(self, "means_"):
            return self._first_batch(X, sample_weight)
        previous = self._stored_parameters()
        seen = check_seen(self._seen())
        rows = self._row_set(X).to_learn(sample_weight)
        weight, n_rows = rows.total_weight, rows.n_used
        if n_rows == 0:
            return None
        check_weight_so_far(seen, weight, n_rows)
        names = getattr(self, "feature_names_in_", None)
        n_iter = getattr(self, "n_iter_", 0) + 1
        running = self._remembered()
        try:
            with np.errstate(all="ignore"), limited(settings.n_threads):
                batch = rows.accumulate(previous, settings.reg_covar)
                if _has_no_value(batch, rows):
                    return None
                if running is None and seen > 0:
                    running = self._implied(previous, weight / n_rows)
                running = stepwise.with_batch(
                    running,
                    batch,
                    n_rows,
                    seen=seen,
                    learning_decay=settings.learning_decay,
                    forgetting=settings.forgetting,
                )
                recovery = fitting.recovery(settings, running.row_weight)
                parameters, running = stepwise.step(
                    running,
                    previous,
                    update,
                    reg_covar=settings.reg_covar,
                    variance_floor=settings.variance_floor,
                    recovery=recovery,
                    iteration=n_iter,
                )
        except CollapsedComponent as collapsed:
            raise self._ill_defined(collapsed, names, self._dtype) from None
        collapses = [] if recovery is None else recovery.collapses
        if collapses:
            warn(collapse_warning(collapses, names))
        state = self._next_state(parameters, n_iter, collapses, update)
        state["converged_"] = False
        state["lower_bound_"] = batch.log_likelihood / batch.total_weight
        state["lower_bounds_"] = getattr(self, "lower_bounds_", [])
        state["n_samples_seen_"] = seen + (weight if rows.weighted else rows.n_samples)
        return with_running(state, running)

    def _first_batch(self, X: RowsLike, sample_weight: ArrayLike | None) -> dict[str, Any]:
        """The fitted attributes after the `partial_fit` of a model without parameters."""
        state, (_rows, data) = self._found(X, sample_weight, one_step=True)
        fitted = self._with(state)
        row_weight = fitted._seen() / data.n_used
        return with_running(state, fitted._implied(fitted._stored_parameters(), row_weight))

    def retire(self, components: ArrayLike) -> Self:
        """Remove components; the weights of the others are scaled to a sum of one.

        Parameters
        ----------
        components : int, sequence of int, or mask of shape (K,)
            Not all of them.

        Returns
        -------
        self
            With fewer components in the same order, whose means and covariances, and what
            `partial_fit` remembers of their rows, stay. `n_components` stays too, as it does when
            `on_collapse` drops one: `collapses_` gets an entry with the action "drop" for each,
            `fit` with `warm_start` goes on with those that are left, and `fit` without, or a
            clone, begins with `n_components` again.

        Raises
        ------
        TypeError, ValueError
            For anything but components of the model, and when no weight would be left. The model
            stays as it was.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters(
        ...     [0.2, 0.6, 0.2], [[0.0], [4.0], [9.0]], [1.0, 1.0, 1.0]
        ... )
        >>> model.retire(1).weights_
        array([0.5, 0.5])
        """
        self._assign(self._without(components))
        return self

    @explains_failures
    def _without(self, components: ArrayLike) -> dict[str, Any]:
        """The fitted attributes after `retire`."""
        previous = self._parameters()
        retired = np.sort(check_components(components, previous.n_components))
        kept = np.delete(np.arange(previous.n_components), retired)
        left = previous.weights[kept].sum()
        if not left > 0:
            raise ValueError(
                f"components must leave one that has weight; got {shown(retired.tolist())} of "
                f"{previous.n_components}, of which {np.count_nonzero(previous.weights)} have "
                "weight. Keep one, or fit a new model."
            )
        running = self._remembered()
        rows = previous.weights * self._seen() if running is None else running.effective_rows
        n_iter = getattr(self, "n_iter_", 0)
        collapses: list[Collapse] = [
            {
                "iteration": n_iter,
                "component": int(component),
                "action": "drop",
                "columns": [],
                "effective_rows": float(rows[component]),
            }
            for component in retired
        ]
        layout = previous.layout
        parameters = MixtureParameters(
            previous.covariance_type,
            previous.weights[kept] / left,
            previous.means[kept],
            layout.select(previous.own_covariances(), kept),
            layout.select(previous.precisions_cholesky, kept),
        )
        state = vars(self) | fitted_state(parameters, self._dtype)
        state["collapses_"] = [*getattr(self, "collapses_", ()), *collapses]
        return with_running(state, None if running is None else running.kept(kept))

    def revive(self, components: ArrayLike, means: ArrayLike | None = None) -> Self:
        """Place components anew, under their numbers.

        Parameters
        ----------
        components : int, sequence of int, or mask of shape (K,)
        means : array-like of shape (m, d), optional
            Where the m components go, in the order in which they are named; each gets the mean
            covariance of the other components and half the mean weight, 1 / (2 K). By default the
            heaviest of the others is split for each instead, as ``on_collapse="reseed"`` does.

        Returns
        -------
        self
            `partial_fit` remembers of these components, and of those that were split, as many rows
            as their weights say.

        Raises
        ------
        TypeError, ValueError
            For anything but components of the model, means of another shape, and when there is no
            other component to split. The model stays as it was.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 3.0])
        >>> model.revive(0, means=[9.0]).means_.ravel()
        array([9., 4.])
        >>> model.weights_
        array([0.25, 0.75])
        >>> model.covariances_
        array([3., 3.])
        """
        state = self._with_placed(components, means)
        if state is not None:
            self._assign(state)
        return self

    @explains_failures
    def _with_placed(
        self, components: ArrayLike, means: ArrayLike | None
    ) -> dict[str, Any] | None:
        """The fitted attributes after `revive`; None where it leaves them as they are."""
        settings = fitting.checked_settings(self)
        previous = self._stored_parameters()
        K, d = previous.means.shape
        placed = check_components(components, K)
        if placed.size == 0:
            return None
        places = None if means is None else check_means(means, len(placed), d)
        if places is None and not np.delete(previous.weights, placed).any():
            raise ValueError(
                f"components must leave one that has weight, to be split; got "
                f"{shown(placed.tolist())} of {K} components. Give means to say where they go."
            )
        running = self._remembered()
        try:
            with np.errstate(all="ignore"), limited(settings.n_threads):
                parameters, moved = stepwise.revived(previous, placed, places)
        except CollapsedComponent as collapsed:
            names = getattr(self, "feature_names_in_", None)
            raise self._ill_defined(collapsed, names, self._dtype) from None
        if running is not None:
            running = running.placed(moved, parameters, settings.reg_covar)
        return with_running(vars(self) | fitted_state(parameters, self._dtype), running)

    def _implied(self, parameters: MixtureParameters, row_weight: float) -> Running:
        """The running statistics that the parameters imply."""
        reg_covar = float(self.reg_covar)
        return Running.implied(parameters, float(self._seen()), row_weight, reg_covar)

    def _next_state(
        self, parameters: MixtureParameters, n_iter: int, collapses: list[Collapse], update: str
    ) -> dict[str, Any]:
        """The fitted attributes after a step, of which `update` names what it changed."""
        state = fitted_state(parameters, self._dtype)
        if not collapses:
            arrays = self._arrays()
            for name in _NAMED_BY.keys() - set(update):
                for attribute in _NAMED_BY[name]:
                    state[attribute] = arrays[attribute]
        state["n_iter_"] = n_iter
        state["collapses_"] = [*getattr(self, "collapses_", ()), *collapses]
        if hasattr(self, "feature_names_in_"):
            state["feature_names_in_"] = self.feature_names_in_
        return state


def _has_no_value(batch: SufficientStatistics, rows: Data) -> bool:
    """Whether all values of a batch are missing.

    Only then are all its log-densities 0, chance aside: other batches are not looked at again.
    """
    if batch.log_likelihood != 0:
        return False
    observed = rows.scan().observed
    return observed is not None and not observed.any()
