"""The mixture of some columns: alone, given others, and its distribution function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._checks.arguments import check_one_feature
from .._checks.arrays import check_probabilities, check_values
from .._checks.columns import (
    check_columns,
    check_given,
    check_given_rows,
    check_labels,
    check_target,
)
from .._checks.numbers import computing_dtype
from .._checks.outputs import new_result
from .._checks.rows import as_rows
from .._common.failures import explains_failures
from .._common.typing import AnyArray, Doubles, FloatDType, Floats, Indices, Names
from .._estep import scoring
from .._parameters.conditioning import Conditional, marginal
from .._parameters.linear_algebra import mixed, product, symmetric_product, transposed
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import Rows
from .._runtime.threads import limited
from .base import BaseMixture, given_state

#: Columns of a model: indices, of which negative ones count from the end, names or a mask.
Columns: TypeAlias = ArrayLike

# Numbers that `predict_conditional` holds for a block of rows, beside its results, and
# multiplications in a product with a matrix: more would wake the threads of BLAS.
_BLOCK_VALUES = 1 << 18


class ConditionalPrediction(NamedTuple):
    """What `GaussianMixture.predict_conditional` returns, for n rows and t target columns.

    Attributes
    ----------
    mean : ndarray of shape (n, t)
    covariance : ndarray of shape (n, t, t)
    quantiles : ndarray of shape (n, q, t), or None
        For each of the q probabilities the quantile of each target by itself.
    """

    mean: Floats
    covariance: Floats
    quantiles: Floats | None


# Where users have it from.
ConditionalPrediction.__module__ = "gaussmix"


class ConditionalMixture(BaseMixture):
    """The methods that ask for some of the columns."""

    @explains_failures
    def marginal(self, columns: Columns) -> Self:
        """The mixture of some of the columns, whatever the others are.

        Parameters
        ----------
        columns : array-like of int, str or bool, or one int or str
            Column indices, where negative ones count from the end, names of `feature_names_in_`,
            or a mask of shape (d,).

        Returns
        -------
        GaussianMixture
            Of these columns in the order given, with the constructor parameters of this model but
            for those of a start, and as after `from_parameters`. A model of a subclass gives one
            of that, with all its attributes that do not end in an underscore; the constructor is
            not called.

        Raises
        ------
        ValueError, TypeError
            For no column, one that the model does not have, and one twice.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters(
        ...     [0.5, 0.5], [[0, 1, 2], [3, 4, 5]], [1.0, 4.0], covariance_type="spherical"
        ... )
        >>> model.marginal([2, 0]).means_
        array([[2., 0.],
               [5., 3.]])
        """
        parameters = self._parameters()
        chosen = self._columns(columns, parameters.n_features)
        with np.errstate(all="ignore"):
            return self._made(marginal(parameters, chosen), chosen)

    @explains_failures
    def condition(self, columns: Columns, values: ArrayLike) -> Self | list[Self]:
        """The mixture of the other columns given values of some.

        Each component becomes its normal distribution given the values, and the weights become
        the responsibilities of the components for them.

        Parameters
        ----------
        columns : array-like of int, str or bool, or one int or str
            The g columns whose values are given, as for `marginal`; not all.
        values : array-like of shape (g,) or (n, g)
            One row of values or several. With ``allow_nan=True`` NaN is a value that is not given.

        Returns
        -------
        GaussianMixture or list of n such
            Of the columns that `columns` does not choose, in ascending order. All K components
            stay, those that the values rule out with weight 0.

        Raises
        ------
        ValueError, TypeError
            For columns as in `marginal`, when no column is left, and for values of another shape,
            in another order by their names, or that are not finite.

        See Also
        --------
        predict_conditional : Means, covariances and quantiles for many rows, without a model each.

        Examples
        --------
        A standard normal pair of correlation 0.8, given that the first is 2:

        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1, 0.8], [0.8, 1]]])
        >>> given = model.condition([0], [2.0])
        >>> given.means_, given.covariances_.round(2)
        (array([[1.6]]), array([[[0.36]]]))
        """
        parameters = self._parameters()
        given = self._columns(columns, parameters.n_features)
        check_given(
            given, parameters.n_features, "Leave out at least one; score_samples has the density."
        )
        one = np.ndim(values) < 2
        if one:
            check_labels(values, given, getattr(self, "feature_names_in_", None))
            values = check_values(values, "values", allow_nan=True).reshape(1, -1)
        X = self._given_rows(values, given, "values")
        rest = np.setdiff1d(np.arange(parameters.n_features), given)
        models: list[Any] = [None] * len(X)
        with np.errstate(all="ignore"), limited(self.n_threads):
            blocks = self._conditionals(parameters, X, given, rest, "values")
            for conditional, rows, block in blocks:
                responsibilities = self._responsibilities(conditional, block)
                means = conditional.means_given(block)
                for row, weights, centres in zip(rows, responsibilities, means, strict=True):
                    models[row] = self._made(conditional.mixture(weights, centres), rest)
        return models[0] if one else models

    @explains_failures
    def predict_conditional(
        self,
        X: ArrayLike,
        columns: Columns,
        *,
        target: Columns | None = None,
        quantiles: ArrayLike | None = None,
    ) -> ConditionalPrediction:
        """Predict some columns from others: mean, covariance and quantiles for each row.

        The moments of the mixture that `condition` returns, for many rows at a time. The mean is
        the regression of the targets on the given columns under the mixture (Ghahramani & Jordan
        1994, Supervised learning from incomplete data via an EM approach).

        Parameters
        ----------
        X : array-like of shape (n, g)
            Values of the given columns only, in the order of `columns`. With ``allow_nan=True``
            NaN is a value that is not given.
        columns : array-like of int, str or bool, or one int or str
            The g columns that X holds, as for `marginal`.
        target : array-like of int, str or bool, or one int or str, optional
            The t columns to predict; by default all others, in ascending order.
        quantiles : float or array-like of shape (q,), optional
            Probabilities in [0, 1] of the quantiles to return.

        Returns
        -------
        ConditionalPrediction
            ``mean`` (n, t), ``covariance`` (n, t, t) and ``quantiles`` (n, q, t), None unless
            asked for: those of each target's own conditional mixture. float32 for float32 rows,
            else float64.

        Raises
        ------
        ValueError, TypeError
            For columns as in `marginal`, a target that is given, when no column is left, for
            probabilities outside [0, 1], and for X of another width or that is not finite.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1, 0.8], [0.8, 1]]])
        >>> predicted = model.predict_conditional([[2.0], [-1.0]], [0], quantiles=[0.5, 0.975])
        >>> predicted.mean
        array([[ 1.6],
               [-0.8]])
        >>> predicted.quantiles[:, :, 0].round(3)
        array([[ 1.6  ,  2.776],
               [-0.8  ,  0.376]])
        """
        parameters = self._parameters()
        given = self._columns(columns, parameters.n_features)
        check_given(given, parameters.n_features, "Leave out at least one, to be predicted.")
        if target is None:
            targets = np.setdiff1d(np.arange(parameters.n_features), given)
        else:
            targets = self._columns(target, parameters.n_features, "target")
            check_target(targets, given, getattr(self, "feature_names_in_", None))
        probabilities = None
        if quantiles is not None:
            probabilities = check_probabilities(quantiles, "quantiles").ravel()
        X = self._given_rows(X, given, "X")
        n_quantiles = None if probabilities is None else probabilities.size
        result = _empty_prediction(len(X), targets.size, n_quantiles, computing_dtype(X.dtype))
        with np.errstate(all="ignore"), limited(self.n_threads):
            for conditional, rows, block in self._conditionals(parameters, X, given, targets):
                responsibilities = self._responsibilities(conditional, block)
                _predict(result, rows, conditional, block, responsibilities, probabilities)
        return result

    @explains_failures
    def cdf(self, x: ArrayLike) -> Any:
        """Probability of values up to x, for a model of one feature.

        Parameters
        ----------
        x : float or array-like
            Numbers in any shape; infinities are allowed.

        Returns
        -------
        float or ndarray
            Of the shape of `x`: float32 for a float32 array, else float64.

        Raises
        ------
        ValueError
            For a model of more than one feature, and for NaN, unless `allow_nan` says that it may
            be there: then the result is NaN.

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[-2.0], [2.0]], [1.0, 1.0])
        >>> model.cdf([0.0, 2.0]).round(3)
        array([0.5 , 0.75])
        """
        from .._parameters import univariate

        weights, means, deviations = self._one_feature("cdf")
        values = check_values(x, "x", allow_nan=self.allow_nan)
        with np.errstate(all="ignore"):
            result = univariate.cdf(values.ravel(), weights, means, deviations)
        return result.reshape(values.shape).astype(_result_dtype(x), copy=False)[()]

    @explains_failures
    def quantile(self, q: ArrayLike) -> Any:
        """The values up to which the probabilities are q, for a model of one feature.

        The inverse of `cdf`, found to rounding, in either tail.

        Parameters
        ----------
        q : float or array-like
            Probabilities from 0, for minus infinity, to 1, for infinity, in any shape.

        Returns
        -------
        float or ndarray
            Of the shape of `q`: float32 for a float32 array, else float64.

        Raises
        ------
        ValueError
            For a model of more than one feature, and for q outside [0, 1].

        Examples
        --------
        >>> from gaussmix import GaussianMixture
        >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[-2.0], [2.0]], [1.0, 1.0])
        >>> model.quantile([0.025, 0.25, 0.75]).round(3)
        array([-3.645, -2.   ,  2.   ])
        """
        from .._parameters import univariate

        components = self._one_feature("quantile")
        p = check_probabilities(q, "q")
        parts = (np.broadcast_to(part[:, None], (len(part), p.size)) for part in components)
        with np.errstate(all="ignore"):
            result = univariate.quantiles(p.ravel(), *parts)
        return result.reshape(p.shape).astype(_result_dtype(q), copy=False)[()]

    # -- shared ----------------------------------------------------------------------------------

    def _columns(self, columns: Any, n_features: int, argument: str = "columns") -> Indices:
        """Chosen columns as indices."""
        names = getattr(self, "feature_names_in_", None)
        return check_columns(columns, n_features, names, argument)

    def _given_rows(self, values: Any, given: Indices, argument: str) -> AnyArray:
        """Rows of values of the given columns, whose numbers are not looked at yet."""
        name = type(self).__name__
        X, names = as_rows(values, estimator_name=name)
        own = getattr(self, "feature_names_in_", None)
        check_given_rows(X.shape, given, own, names, argument, name)
        return X

    def _conditionals(
        self,
        parameters: MixtureParameters,
        X: AnyArray,
        given: Indices,
        rest: Indices,
        argument: str = "X",
    ) -> Iterator[tuple[Conditional, Indices, Doubles]]:
        """Blocks of rows that have values in the same columns: (what is given there, numbers of
        the rows, values).
        """
        own: Names | None = getattr(self, "feature_names_in_", None)
        own = None if own is None else own[given]
        K, m = parameters.n_components, rest.size
        size = max(1, _BLOCK_VALUES // max(K * (m + 1) * (m + 1), given.size * (m + 1)))
        for known, rows in self._known(X, own, argument=argument):
            conditional = Conditional(parameters, given[known], rest)
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                values = np.ascontiguousarray(X[some[:, None], known], dtype=np.float64)
                yield conditional, some, values

    def _responsibilities(self, conditional: Conditional, values: Doubles) -> Doubles:
        """Responsibilities (n, K) of the components for values of the given columns."""
        parameters = conditional.marginal
        responsibilities = np.empty((len(values), parameters.n_components))
        if conditional.given.size:
            rows = Rows(values, n_threads=self.n_threads)
            scoring.evaluate(
                parameters, rows, responsibilities=responsibilities, check_first=False
            )
        else:
            responsibilities[...] = parameters.weights / parameters.weights.sum()
        return responsibilities

    def _made(self, parameters: MixtureParameters, columns: Indices) -> Self:
        """A model of its own of some of the columns."""
        model = self._like(
            n_components=parameters.n_components,
            covariance_type=parameters.covariance_type,
            weights_init=None,
            means_init=None,
            precisions_init=None,
        )
        # Its arrays are its own: to write into them changes no other model.
        state = given_state(parameters.copied(), self._dtype)
        names = getattr(self, "feature_names_in_", None)
        if names is not None:
            state["feature_names_in_"] = names[columns]
        model._assign(state)
        return model

    def _one_feature(self, method: str) -> tuple[Doubles, Doubles, Doubles]:
        """Weights, means and deviations (K,) of a model of one feature."""
        parameters = self._parameters()
        check_one_feature(parameters.n_features, method)
        deviations = np.sqrt(Conditional(parameters, []).variances)
        return parameters.weights, parameters.means[:, 0], deviations[:, 0]


def _result_dtype(values: Any) -> FloatDType:
    dtype = getattr(values, "dtype", None)
    dtype = getattr(dtype, "numpy_dtype", dtype)  # of a pandas column that has its own kind
    return computing_dtype(dtype if isinstance(dtype, np.dtype) else np.float64)


def _empty_prediction(
    n: int, t: int, n_quantiles: int | None, dtype: FloatDType
) -> ConditionalPrediction:
    """Room for a prediction."""
    shapes = [(n, t), (n, t, t), (n, n_quantiles or 0, t)]
    mean, covariance, quantiles = (new_result(shape, dtype) for shape in shapes)
    return ConditionalPrediction(mean, covariance, None if n_quantiles is None else quantiles)


def _predict(
    result: ConditionalPrediction,
    rows: Indices,
    conditional: Conditional,
    values: Doubles,
    responsibilities: Doubles,
    probabilities: Doubles | None,
) -> None:
    """Fill in some rows of a prediction.

    The covariance is the mean of the components' own plus that of their means about the mean of
    all.
    """
    K, t = conditional.means.shape
    centres = conditional.means_given(values)
    mean = mixed(responsibilities, centres)
    result.mean[rows] = mean
    apart = (centres - mean[:, None]) * np.sqrt(responsibilities)[:, :, None]
    covariance = product(responsibilities, conditional.covariances.reshape(K, t * t)).reshape(
        -1, t, t
    )
    covariance += symmetric_product(transposed(apart))
    result.covariance[rows] = covariance
    if result.quantiles is None or probabilities is None:
        return
    from .._parameters import univariate

    weights = responsibilities.T
    deviations = np.sqrt(conditional.variances)
    for j in range(t):
        spread = np.broadcast_to(deviations[:, j, None], weights.shape)
        for i, probability in enumerate(probabilities):
            p = np.full(len(rows), probability)
            found = univariate.quantiles(p, weights, centres[:, :, j].T, spread)
            result.quantiles[rows, i, j] = found
