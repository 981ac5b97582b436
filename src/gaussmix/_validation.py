"""Every check of what a user passes in, and every message about it.

The functions here look at input and either return it in the form the rest of the package reads, or
raise an exception that names the argument, the value and what to do. They import nothing but the
standard library and NumPy: tables (pandas, polars, Arrow), sparse matrices and scikit-learn's
exception classes are recognised by what they look like, or by what is already loaded.

Where scikit-learn has a sentence for a failure, its words are used, because programs look for
them.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import numbers
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple, NoReturn, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike

from ._layouts import LAYOUTS, CovarianceType, covariance_shape
from ._messages import MOST_LISTED, NAME_LENGTH, SAID_LENGTH, listed, plain, said, shown
from ._settings import (
    BOOL,
    MOST_INT,
    MOST_THREADS,
    SETTINGS,
    Constraint,
    is_bool,
    is_float,
    is_huge,
    is_int,
    is_random_state,
)
from ._typing import (
    AnyArray,
    Bools,
    Collapse,
    Doubles,
    FloatDType,
    Floats,
    Generator,
    Indices,
    Names,
    OnCollapse,
)
from .exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
    _rebuild,
    compatible_class,
)

__all__ = [
    "ConvergenceWarning",
    "IllDefinedCovarianceError",
    "InvalidParameterError",
    "NotFittedError",
    "_rebuild",
    "as_rows",
    "check_columns",
    "check_contributions",
    "check_enough_rows",
    "check_feature_names",
    "check_given",
    "check_given_rows",
    "check_initial",
    "check_labels",
    "check_mixture",
    "check_one_feature",
    "check_out",
    "check_parameters",
    "check_parameters_in_use",
    "check_probabilities",
    "check_random_state",
    "check_sample_weight",
    "check_target",
    "check_values",
    "collapse_warning",
    "column_label",
    "computing_dtype",
    "constant_columns_warning",
    "convergence_warning",
    "feature_names",
    "ill_defined",
    "nonfinite_error",
    "not_fitted",
    "parameters_of",
    "widened_columns_warning",
]

# Orders that Shapley values are averaged over, all of which are kept.
_MOST_PERMUTATIONS = 1_000_000

_ESTIMATOR = "GaussianMixture"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Raised = TypeVar("Raised", bound=BaseException)

# As a table or a model has them; those of a table may be no strings.
_ColumnNames: TypeAlias = Sequence[Any] | Names


# -------------------------------------------------------------------------------------------------
# What exceptions and warnings say
# -------------------------------------------------------------------------------------------------


def not_fitted(
    estimator_name: str = _ESTIMATOR, there: Sequence[str] = (), missing: str = ""
) -> NotFittedError:
    """The exception for a model that has not been fitted; the caller raises it.

    Of one whose attributes were set by hand, it says which are `there` and what is `missing`.
    """
    but = f" It has {', '.join(there)}, but no {missing}." if there else ""
    return compatible_class(NotFittedError)(
        f"This {estimator_name} instance is not fitted yet. Call 'fit' with appropriate arguments "
        f"before using this estimator.{but}"
    )


def convergence_warning(message: str) -> ConvergenceWarning:
    """A warning to pass to `warnings.warn`, which needs no category beside it."""
    return compatible_class(ConvergenceWarning)(message)


def ill_defined(
    *,
    component: int | None,
    weight: float | None = None,
    effective_rows: float | None = None,
    columns: Sequence[int] = (),
    feature_names: _ColumnNames | None = None,
    covariance_type: CovarianceType = "full",
    reg_covar: float = 0.0,
    variance_floor: float = 0.0,
    on_collapse: OnCollapse = "raise",
    dtype: DTypeLike = np.float64,
) -> IllDefinedCovarianceError:
    """The exception for a covariance that has no Cholesky factor; the caller raises it.

    Parameters
    ----------
    component : int or None
        Index of the component; None for the covariance shared by all components.
    weight : float or None
        Its mixture weight.
    effective_rows : float or None
        Sum of its (weighted) responsibilities.
    columns : sequence of int
        Columns without spread, or those of the direction without spread; may be empty.
    feature_names : sequence of str or None
        Names of the columns of X, when it had any.
    covariance_type : {"full", "tied", "diag", "spherical"}
    reg_covar, variance_floor : float
    on_collapse : {"raise", "reseed", "drop"}
        The values the fit used.
    dtype : dtype
        The precision of X: float32 rows get the advice to try float64.
    """
    if component is None:
        what = "The covariance shared by all components is not positive definite"
    else:
        what = f"Component {component} collapsed"
    facts = []
    if weight is not None:
        facts.append(f"weight {weight:.3g}")
    if effective_rows is not None:
        facts.append(f"about {effective_rows:.3g} effective rows")
    if facts:
        what += f" ({', '.join(facts)})"
    if len(columns) == 1:
        what += f": it has no spread in {column_label(columns[0], feature_names)}"
    elif columns:
        labels = _column_labels(columns, feature_names)
        what += f": it has no spread in one direction or more, in which lie {labels}"

    remedies = [
        (
            f"raise reg_covar (now {reg_covar:g}; it is added to the variance of every column, so"
            " compare it with the square of a column's spread)"
        ),
        (
            f"raise variance_floor (now {variance_floor:g}; 0.001 keeps every variance above a"
            " thousandth of its column's, unless the column is constant)"
        ),
        "use fewer components",
    ]
    if component is not None and on_collapse == "raise":
        remedies.append(
            'set on_collapse="drop" or on_collapse="reseed" to go on without the component or with'
            " it placed elsewhere"
        )
    if LAYOUTS[covariance_type] in ("full", "tied"):
        remedies.append('use covariance_type="diag", or drop columns that follow from others')
    if len(columns) == 1:
        remedies.append("drop a column that is constant")
    if np.dtype(dtype) == np.float32:
        remedies.append("pass X as float64, since float32 keeps only about 7 digits")

    error = IllDefinedCovarianceError(
        "Fitting the mixture model failed because some components have ill-defined empirical "
        "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
        "number of components, increase reg_covar, or scale the input data. "
        f"{what}. What helps: {'; '.join(remedies)}."
    )
    error.component = component
    error.weight = weight
    error.effective_rows = effective_rows
    error.columns = tuple(int(column) for column in columns)
    return error


def collapse_warning(
    collapses: Sequence[Collapse], feature_names: _ColumnNames | None
) -> ConvergenceWarning:
    """A warning, to pass to `warnings.warn`, about components dropped or placed anew."""
    done = {"drop": "dropped", "reseed": "placed anew"}

    def told(collapse: Collapse) -> str:
        # Few columns each, as there may be several components.
        columns = _column_labels(collapse["columns"], feature_names, most=2)
        where = f", no spread of its own in {columns}" if columns else ""
        return (
            f"component {collapse['component']} in iteration {collapse['iteration']}"
            f" ({collapse['effective_rows']:.3g} effective rows{where}) was"
            f" {done[collapse['action']]}"
        )

    return convergence_warning(
        f"Components collapsed: {listed(collapses, told, separator='; ')}. collapses_ lists them. "
        "Fewer components, a"
        " higher variance_floor or another start may suit the data better."
    )


def constant_columns_warning(
    columns: Sequence[int],
    feature_names: _ColumnNames | None,
    covariance_type: CovarianceType,
    reg_covar: float,
) -> UserWarning:
    """A warning, to pass to `warnings.warn`, about columns of X that hold one value only.

    Such a column tells nothing about the components; its variance in the model is `reg_covar`,
    which then decides how large the log-likelihood is. A "spherical" component has one variance
    for all columns, which the column makes smaller.
    """
    labels = _column_labels(columns, feature_names)
    if LAYOUTS[covariance_type] == "spherical":
        return UserWarning(
            f"X is constant in {labels}. It tells nothing, and makes the variance smaller that"
            " each component has for all columns. Drop the column."
        )
    return UserWarning(
        f"X is constant in {labels}. The variance there is reg_covar={reg_covar:g} alone, and that"
        " number decides the log-likelihood. Drop the column, or choose reg_covar with it in"
        " mind."
    )


def widened_columns_warning(
    columns: Sequence[int],
    variances: Doubles,
    feature_names: _ColumnNames | None,
    covariance_type: CovarianceType,
    reg_covar: float,
) -> UserWarning:
    """A warning about columns whose variance is no large multiple of `reg_covar`; `variances` are
    those of all columns, (d,). A "spherical" component has one variance for them all.
    """
    where = listed(
        columns,
        lambda column: f"{column_label(column, feature_names)} (variance {variances[column]:.2g})",
    )
    if LAYOUTS[covariance_type] == "spherical":
        where = f"the mean of the columns ({variances[list(columns)].mean():.2g})"
    fitting = 1e-6 * float(variances[list(columns)].min())
    return UserWarning(
        f"reg_covar={reg_covar:g} is added to every variance, and that of X is no more than ten"
        f" times as large in {where}: components come out too wide there. Scale the"
        f" columns to a variance near 1, or choose a smaller reg_covar ({fitting:.1g} is a"
        " millionth of the smallest)."
    )


def empty_columns_warning(
    columns: Sequence[int], feature_names: _ColumnNames | None
) -> UserWarning:
    """A warning about columns of X of which all values are missing."""
    labels = _column_labels(columns, feature_names)
    return UserWarning(
        f"X has no value in {labels}, where the model has mean 0 and variance 1 for want of any."
        " Drop the column: it tells nothing."
    )


def empty_rows_warning(n_empty: int, n_samples: int) -> UserWarning:
    """A warning about rows of X of which all values are missing."""
    return UserWarning(
        f"{n_empty} of the {n_samples} rows of X have no value. Drop them: they tell nothing, and"
        " slow the iterations down."
    )


def no_values() -> ValueError:
    """The exception for rows of which all values are missing."""
    return ValueError("X has no value that is not NaN. At least one row needs values.")


def of_piece(error: TypeError | ValueError, where: str) -> TypeError | ValueError:
    """The exception that says in which piece of the rows another was raised."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{where}: {error}")


def difference_of_names(given: Names | None, expected: Names | None) -> tuple[str, str] | None:
    """How the names of a piece's columns differ from those expected, in words for either."""
    if given is None and expected is None:
        return None
    if given is None or expected is None:
        return (
            ("names of columns", "none") if expected is None else ("no names of columns", "some")
        )
    for column, (name, other) in enumerate(zip(given, expected, strict=True)):
        if name != other:
            return f"column {column} named {_shown_name(name)}", _shown_name(other)
    return None


def column_label(column: int, names: _ColumnNames | None) -> str:
    """`column 1 ('waiting')`, or `column 1` for unnamed columns."""
    if names is None or column >= len(names):
        return f"column {column}"
    return f"column {column} ({_shown_name(names[column])})"


def _shown_name(name: Any) -> str:
    return shown(name, NAME_LENGTH)


def _column_labels(
    columns: Sequence[int], names: _ColumnNames | None, most: int = MOST_LISTED
) -> str:
    """`_column_label` of some columns."""
    return listed(columns, lambda column: column_label(column, names), most)


# -------------------------------------------------------------------------------------------------
# Constructor parameters
# -------------------------------------------------------------------------------------------------


def check_parameters(
    params: Mapping[str, Any], estimator_name: str = _ESTIMATOR
) -> dict[str, Any]:
    """Check constructor parameters, in their order.

    Parameters
    ----------
    params : mapping
        Name to value, as ``get_params()`` returns it.
    estimator_name : str
        The class the message speaks of.

    Returns
    -------
    dict
        The parameters with Python's own numbers: arithmetic with a fraction or with an integer of
        eight bits is another.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, the values it can take, and the one it has.

    Examples
    --------
    >>> check_parameters({"n_components": np.int8(3), "tol": 1e-3})
    {'n_components': 3, 'tol': 0.001}
    >>> check_parameters({"tol": -1})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    gaussmix.exceptions.InvalidParameterError: The 'tol' parameter of GaussianMixture must be ...
    """
    checked = dict(params)
    for name, value in params.items():
        constraint = _constraint(name)
        if constraint is None:
            continue  # a subclass checks the parameters it adds
        is_valid, description = constraint
        if not is_valid(value):
            huge = "inf)" in description and is_huge(value)
            raise compatible_class(InvalidParameterError)(
                f"The {name!r} parameter of {estimator_name} must be {description}. Got "
                f"{shown(value, SAID_LENGTH)} instead."
                f"{' That is too large for a machine; pass a smaller number.' if huge else ''}"
            )
        checked[name] = _plain_number(value)
    return checked


def parameters_of(estimator: object) -> dict[str, Any]:
    """The constructor parameters that an estimator has, checked as by `check_parameters`."""
    params = {name: getattr(estimator, name) for name in SETTINGS if hasattr(estimator, name)}
    return check_parameters(params, type(estimator).__name__)


def check_n_threads(n_threads: Any) -> int:
    """A number of threads on its way to the kernels, which trust it."""
    return int(check_parameters({"n_threads": n_threads})["n_threads"])


def check_parameters_in_use(model: Any) -> None:
    """Check the constructor parameters that a fitted mixture is used with, whatever for.

    They may be set at any time. Quick, as a server scores one row at a time.
    """
    n_threads, covariance_type = model.n_threads, model.covariance_type
    if (
        (n_threads is None or (type(n_threads) is int and 0 < n_threads <= MOST_THREADS))
        and type(model.allow_nan) is bool
        and type(covariance_type) is str
        and covariance_type in LAYOUTS
    ):
        return
    names = "covariance_type", "n_threads", "allow_nan"
    check_parameters({name: getattr(model, name) for name in names}, type(model).__name__)


def check_numbers_of_components(value: Any, estimator_name: str) -> list[int]:
    """The numbers of components to choose from: one, or several."""
    several = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))
    numbers = list_of(value, "n_components") if several else [value]
    if not numbers or not all(is_int(number, 1) for number in numbers):
        raise compatible_class(InvalidParameterError)(
            f"The 'n_components' parameter of {estimator_name} must be an int in the range "
            f"[1, inf), or several of those in a sequence. Got {shown(value)} instead."
        )
    return [int(number) for number in numbers]


# Asking what else is a number takes twenty times as long as asking for these.
_PLAIN = frozenset({bool, int, float, str, type(None)})


def _plain_number(value: Any) -> Any:
    """Python's own number of the same kind; what is no number as it is."""
    if type(value) in _PLAIN:
        return value
    if is_bool(value):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


# Of the imputer, beside those that it has in common with the mixture.
_OF_IMPUTER: dict[str, Constraint] = dict.fromkeys(
    ("sample_posterior", "keep_empty_features", "add_indicator"), BOOL
)


def _constraint(name: str) -> Constraint | None:
    """What a parameter's values are held against; None for one that a subclass has added."""
    setting = SETTINGS.get(name)
    return _OF_IMPUTER.get(name) if setting is None else setting.constraint


def check_n_samples(n_samples: Any) -> int:
    """How many rows to draw."""
    if not isinstance(n_samples, numbers.Integral) or is_bool(n_samples) or int(n_samples) < 1:
        raise ValueError(
            f"Invalid value for 'n_samples': {shown(n_samples)} . The sampling requires at least "
            "one sample. Pass an int of at least 1."
        )
    if int(n_samples) > MOST_INT:
        raise ValueError(
            f"Invalid value for 'n_samples': {shown(n_samples)}. No array has so many rows; draw "
            "them in several calls."
        )
    return int(n_samples)


class _NoEntropy(ISeedSequence):
    """Where a generator starts that is seeded next.

    ``RandomState(seed)`` gathers entropy from the system before it takes the seed instead, which
    is most of its time and a tenth of that of a fit of few rows.
    """

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> AnyArray:
        return np.ones(n_words, dtype)


def check_random_state(seed: Any) -> Generator:
    """The random generator meant by `seed`.

    Parameters
    ----------
    seed : None, int, numpy.random.RandomState or numpy.random.Generator
        None is NumPy's global generator, the one ``numpy.random.seed`` sets; an int starts a new
        ``RandomState``; a generator is returned as it is, and moves on as it is used.
    """
    if not is_random_state(seed):
        raise ValueError(
            f"random_state={shown(seed)} cannot start a random generator. Pass None, an int from "
            "0 to "
            "2**32 - 1, a numpy.random.RandomState or a numpy.random.Generator."
        )
    if seed is None:
        # The generator behind numpy.random.seed has no public name.
        generator: Generator = np.random.mtrand._rand
    elif isinstance(seed, numbers.Integral):
        unseeded: Any = _NoEntropy()  # NumPy's stubs know SeedSequence alone
        generator = np.random.RandomState(np.random.MT19937(unseeded))
        generator.seed(int(seed))
    else:
        generator = seed
    return generator


# -------------------------------------------------------------------------------------------------
# Rows
# -------------------------------------------------------------------------------------------------


def as_rows(
    X: Any,
    *,
    estimator_name: str = _ESTIMATOR,
    n_features: int | None = None,
    fitted_names: Names | None = None,
    min_rows: int = 1,
) -> tuple[AnyArray, Names | None]:
    """X as a two-dimensional array of real numbers, without copying it where that can be helped.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Lists, arrays of any layout, byte order and numeric dtype, memory maps, and tables of
        pandas, polars or Arrow.
    estimator_name : str
        The class the messages speak of.
    n_features : int or None
        The number of columns the model was fitted with; None while fitting, when any number will
        do.
    fitted_names : ndarray of str or None
        The column names the model was fitted with; looked at only when `n_features` is given.
    min_rows : int
        The smallest number of rows that is acceptable.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        Of kind bool, int, unsigned or float (any width, order and strides): a view of X whenever X
        is such an array. Object arrays of numbers and tables of several dtypes come as a new float
        array. Missing values have become NaN; nothing here looks for NaN or infinity, since the
        first pass over the rows does (see `nonfinite_error`).
    names : ndarray of str or None
        The names of the columns, if X has them.

    Raises
    ------
    ValueError, TypeError
        With scikit-learn's words where it has some.
    """
    # A server scores one row at a time: an ordinary array goes through in well under two
    # microseconds.
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "fd" and fitted_names is None:
        rows, columns = X.shape
        if rows >= min_rows and columns >= 1 and (n_features is None or columns == n_features):
            return X, None

    names = feature_names(X)
    if n_features is not None:
        check_feature_names(fitted_names, names, estimator_name)
    rows = _as_array(X, estimator_name)
    _check_two_dimensional(rows, X, estimator_name)
    rows = _as_numbers(rows, names, estimator_name)
    check_shape_of_rows(rows.shape, min_rows, estimator_name)
    if n_features is not None:
        check_n_features(rows.shape[1], n_features, estimator_name)
    return rows, names


def check_n_features(given: int, expected: int, estimator_name: str = _ESTIMATOR) -> None:
    """Refuse rows with another number of columns than the model was fitted to."""
    if given != expected:
        raise ValueError(
            f"X has {given} features, but {estimator_name} is expecting {expected} features as"
            " input."
        )


def computing_dtype(dtype: DTypeLike) -> FloatDType:
    """The precision of computation with such rows: float32 for float32, else float64."""
    dtype = np.dtype(dtype)
    single = dtype.kind == "f" and dtype.itemsize == 4
    return np.dtype(np.float32 if single else np.float64)


def check_enough_rows(n_samples: int, n_components: int) -> None:
    """Refuse to fit more components than there are rows."""
    if n_samples < n_components:
        raise ValueError(
            f"Expected n_samples >= n_components but got n_components = {n_components}, "
            f"n_samples = {n_samples}. Use fewer components, or more rows."
        )


def nonfinite_error(
    X: AnyArray,
    row: int,
    column: int,
    feature_names: _ColumnNames | None = None,
    estimator_name: str = _ESTIMATOR,
    *,
    first_row: int = 0,
    argument: str = "X",
) -> ValueError:
    """The exception for a NaN, an infinity or a number too large for the computing precision.

    `X` is what `as_rows` returned, and `row`, `column` the place of the first such value in it.
    `first_row` is the number of its first row where it is a piece of the data; `argument` what the
    user knows it as.
    """
    value = X[row, column]
    where = f"First at row {first_row + row}, {column_label(column, feature_names)}"
    if value != value:
        return ValueError(
            f"Input {argument} contains NaN. {where}. {estimator_name} does not accept missing"
            " values encoded as NaN: drop those rows, fill them in first, or set allow_nan=True."
        )
    return ValueError(
        f"Input {argument} contains infinity or a value too large for "
        f"{computing_dtype(X.dtype)!r}. {where}: {said(value)}. Drop those rows, or rescale the"
        " column."
    )


def _as_array(X: Any, estimator_name: str) -> AnyArray:
    """X as a plain ndarray of any dtype and number of dimensions; tables column by column."""
    if isinstance(X, np.ma.MaskedArray):
        return _masked_as_nan(X)
    if isinstance(X, np.matrix):
        raise TypeError(
            "np.matrix is not supported. Please convert X to a numpy array with np.asarray(X)."
        )
    if isinstance(X, np.ndarray):
        return np.asarray(X)  # memory maps and other subclasses as a view of the same memory
    table = _table_kind(X)
    if table is not None:
        return _TABLE_READERS[table](X, estimator_name)
    if _is_sparse(X):
        raise TypeError(
            f"Sparse data was passed for X, but dense data is required by {estimator_name}. Use "
            "'.toarray()' to convert to a dense numpy array."
        )
    if hasattr(X, "collect") and hasattr(X, "lazy"):
        raise TypeError(
            f"X is a {type(X).__name__}, which holds a query and not its rows. Pass X.collect()"
            " instead."
        )
    if isinstance(X, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in X):
        return _masked_as_nan(np.ma.stack(X))
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            f"X is not a table of numbers: {said(error)} Give every row the same number of "
            "columns."
        ) from error


def _masked_as_nan(values: np.ma.MaskedArray[Any, Any]) -> AnyArray:
    """The data of a masked array; what is masked is missing, as NaN is."""
    if not np.ma.getmaskarray(values).any() or values.dtype.kind not in "fiub":
        return np.asarray(values.data)
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    filled = np.asarray(values.data).astype(dtype)
    filled[np.ma.getmaskarray(values)] = np.nan
    return filled


def _unmasked(values: np.ma.MaskedArray[Any, Any], name: str) -> AnyArray:
    """The data of a masked array in which nothing is masked."""
    mask = np.ma.getmask(values)
    if np.any(mask):
        first = tuple(int(i) for i in np.argwhere(mask)[0])
        where = f"row {first[0]}, column {first[1]}" if len(first) == 2 else f"index {first}"
        raise ValueError(
            f"{name} is a masked array with {np.count_nonzero(mask)} masked values, the first at"
            f" {where}. Masked values are missing values, which are not accepted: drop those rows"
            " (numpy.ma.compress_rows), or fill them in (.filled(value))."
        )
    return np.asarray(values.data)


def _is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or array of scipy, or one that looks like it."""
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(X):
        return True
    return hasattr(X, "nnz") and (hasattr(X, "toarray") or hasattr(X, "todense"))


def _check_two_dimensional(array: AnyArray, X: Any, estimator_name: str) -> None:
    remedy = (
        "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
        "array.reshape(1, -1) if it contains a single sample."
    )
    if array.ndim == 2:
        return
    if array.ndim == 0:
        raise ValueError(
            f"Expected 2D array, got scalar array instead:\narray={_printed(array)} (X is of type "
            f"{type(X).__name__}).\n{remedy}"
        )
    if array.ndim == 1 and (hasattr(X, "to_frame") or hasattr(X, "combine_chunks")):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(X)} instead. Pass a DataFrame"
            " containing a single row (i.e. single sample) or a single column (i.e. single"
            f" feature) instead. {remedy}"
        )
    if array.ndim == 1:
        raise ValueError(
            f"Expected 2D array, got 1D array instead:\narray={_printed(array)}.\n{remedy}"
        )
    raise ValueError(
        f"Found array with dim {array.ndim} (shape={array.shape}), while dim <= 2 is required by "
        f"{estimator_name}. Reshape your data to two dimensions, for example with "
        "array.reshape(len(array), -1)."
    )


def _printed(array: AnyArray) -> str:
    """An array as `print` shows it, but for the middle of a long one."""
    if array.dtype.kind == "O":  # whose entries may refuse
        return shown(array.tolist(), SAID_LENGTH)
    with np.printoptions(threshold=6):
        return plain(" ".join(str(array).split()), SAID_LENGTH)


def check_shape_of_rows(shape: tuple[int, int], min_rows: int, estimator_name: str) -> None:
    if shape[0] < min_rows:
        raise ValueError(
            f"Found array with {shape[0]} sample(s) (shape={shape}) while a minimum of {min_rows}"
            f" is required by {estimator_name}."
        )
    if shape[1] < 1:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required by "
            f"{estimator_name}."
        )


def _as_numbers(array: AnyArray, names: _ColumnNames | None, estimator_name: str) -> AnyArray:
    """An array of real numbers as it is, an object array of numbers as float64; else an error."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind == "O":
        return _numbers_of_objects(_Objects(array, array.dtype, names, 0, estimator_name))
    _refuse_dtype(array.dtype, column_label(0, names), estimator_name)


# -------------------------------------------------------------------------------------------------
# Values that are not plain numbers
# -------------------------------------------------------------------------------------------------

_TEXT = (str, bytes, bytearray)
_COMPLEX = (complex, np.complexfloating)
_TIME = (np.datetime64, np.timedelta64)
_NOT_NUMBERS = _TEXT + _COMPLEX + _TIME


class _Objects(NamedTuple):
    """A two-dimensional object array, and what a message about it needs to say."""

    values: AnyArray
    dtype: Any  # of the column or array the values came from
    names: _ColumnNames | None
    first_column: int
    estimator_name: str


def _numbers_of_objects(objects: _Objects) -> AnyArray:
    """Objects that are numbers as float64, with None and pandas.NA as NaN.

    Text is refused even when it spells a number: whether "1,5" is one, and which, is for the user
    to say.
    """
    values = objects.values
    types = set(map(type, values.ravel(order="K").tolist()))
    if any(issubclass(kind, _NOT_NUMBERS) for kind in types):
        _refuse_first_object(objects)
    try:
        return _na_as_none(values, types).astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        _refuse_first_object(objects)


def _na_as_none(values: AnyArray, types: set[type]) -> AnyArray:
    """Objects of some types, with None, which NumPy reads as NaN, in place of pandas.NA."""
    missing = _pandas_missing()
    if missing is None or type(missing) not in types:
        return values
    absent = np.frompyfunc(lambda value: value is missing, 1, 1)(values)
    values = values.copy()
    values[np.asarray(absent, dtype=bool)] = None
    return values


def _pandas_missing() -> Any:
    """pandas.NA, if pandas is loaded."""
    return getattr(sys.modules.get("pandas"), "NA", None)


def _refuse_first_object(objects: _Objects) -> NoReturn:
    """Raise for the first entry that is not a real number."""
    for (row, column), value in np.ndenumerate(objects.values):
        where = f"row {row}, {column_label(objects.first_column + column, objects.names)}"
        if isinstance(value, _COMPLEX):
            raise ValueError(
                f"Complex data not supported: X has dtype {said(objects.dtype)} with the complex "
                "value "
                f"{shown(value)} at {where}. Pass the real and imaginary parts as two columns."
            )
        if isinstance(value, _TEXT):
            raise ValueError(
                f"X has dtype {said(objects.dtype)} with the text {shown(value)} at {where}, but"
                f" {objects.estimator_name} needs numbers. Select the numeric columns, or convert"
                " the text yourself, for example with X.astype(float)."
            )
        try:
            if isinstance(value, _TIME):
                raise TypeError("it is a point in time or a duration")
            if value is not None and value is not _pandas_missing():
                float(value)
        except OverflowError as error:
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float64'). First at "
                f"{where}: {shown(value)}. Drop those rows, or rescale the column."
            ) from error
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"X has dtype {said(objects.dtype)} with {shown(value)} at {where}, which is not "
                "a "
                f"number: {said(error)}. Select the numeric columns, or convert it first."
            ) from error
    raise TypeError(
        f"X has dtype {said(objects.dtype)} with values that {objects.estimator_name} cannot read "
        "as "
        "numbers. Pass one number in each cell."
    )


def _refuse_dtype(dtype: Any, label: str, estimator_name: str) -> NoReturn:
    """Raise for a dtype whose values are no real numbers; `label` names its (first) column."""
    kind = getattr(dtype, "kind", "O")
    dtype = said(dtype)
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: X has dtype {dtype} in {label}. Pass the real and"
            " imaginary parts as two columns."
        )
    if kind in "USTO":
        raise ValueError(
            f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Select the"
            " numeric columns, or convert the text yourself, for example with X.astype(float)."
        )
    if kind in "mM":
        raise TypeError(
            f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Convert the"
            " times to a number of seconds or days first, for example (X - X.min()) /"
            " numpy.timedelta64(1, 's')."
        )
    raise TypeError(
        f"X has dtype {dtype} in {label}, but {estimator_name} needs numbers. Pass a"
        " two-dimensional array of floats, for example"
        " numpy.lib.recfunctions.structured_to_unstructured(X)."
    )


# -------------------------------------------------------------------------------------------------
# Tables of pandas, polars and Arrow
# -------------------------------------------------------------------------------------------------


def _table_kind(X: Any) -> str | None:
    """Which interface a table speaks ("pandas", "polars", "arrow"), or None when X is no table."""
    if hasattr(X, "iloc") and hasattr(X, "columns") and hasattr(X, "dtypes"):
        return "pandas"
    if hasattr(X, "get_columns") and hasattr(X, "columns") and hasattr(X, "to_numpy"):
        return "polars"
    if hasattr(X, "num_rows") and hasattr(X, "schema") and hasattr(X, "columns"):
        return "arrow"
    return None


def is_dask(X: object) -> bool:
    """Whether X is a dask collection; dask is not imported to find out."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def check_in_memory(X: object, estimator_name: str) -> None:
    """Refuse files, and rows that are computed later, where only rows in memory will do."""
    if is_dask(X) or isinstance(X, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{estimator_name} takes rows in memory. Got {type(X).__name__}. Fit "
            "GaussianMixture(allow_nan=True) to rows elsewhere, and call its impute."
        )


def feature_names(X: Any) -> Names | None:
    """The names of a table's columns as an object array; None unless all of them are strings.

    Raises
    ------
    TypeError
        When some names are strings and others are not.
    """
    if isinstance(X, (np.ndarray, list, tuple)):
        return None
    table = _table_kind(X)
    if table is None:
        return None
    labels = list(X.schema.names if table == "arrow" else X.columns)
    kinds = sorted({type(label).__name__ for label in labels})
    if len(kinds) > 1 and "str" in kinds:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your"
            f" input has {shown(kinds)} as feature name / column name types. Convert them all to "
            "strings,"
            " for example with X.columns = X.columns.astype(str), or pass the values without"
            " their names."
        )
    if kinds != ["str"]:
        return None
    names = np.empty(len(labels), dtype=object)
    names[:] = labels
    return names


def check_feature_names(
    fitted: Names | None, given: Names | None, estimator_name: str = _ESTIMATOR
) -> None:
    """Compare the column names of X with those of the rows the model was fitted to.

    Columns are never reordered: a table whose columns come in another order, or under other names,
    is an error. When only one of the two has names, that is a warning.
    """
    if fitted is None and given is None:
        return
    if fitted is None:
        warn(f"X has feature names, but {estimator_name} was fitted without feature names")
        return
    if given is None:
        warn(
            f"X does not have valid feature names, but {estimator_name} was fitted with feature"
            " names"
        )
        return
    if list(fitted) == list(given):
        return

    message = "The feature names should match those that were passed during fit.\n"
    unseen = sorted(set(given) - set(fitted))
    missing = sorted(set(fitted) - set(given))
    if unseen:
        message += f"Feature names unseen at fit time:\n{_as_bullets(unseen)}"
    if missing:
        message += f"Feature names seen at fit time, yet now missing:\n{_as_bullets(missing)}"
    if not unseen and not missing:
        message += (
            "Feature names must be in the same order as they were in fit.\n"
            f"The order in fit was:\n{_as_bullets(list(fitted))}"
        )
    raise ValueError(message)


def _as_bullets(names: Sequence[str], limit: int = 5) -> str:
    """One `- name` a line, at most `limit` of them."""
    lines = [f"- {plain(name)}\n" for name in names[:limit]]
    if len(names) > limit:
        lines.append("- ...\n")
    return "".join(lines)


def _rows_from_pandas(X: Any, estimator_name: str) -> AnyArray:
    dtypes = list(X.dtypes)
    if not dtypes:
        return np.empty((len(X), 0))
    if all(hasattr(dtype, "fill_value") and hasattr(dtype, "subtype") for dtype in dtypes):
        raise TypeError(
            f"Sparse data was passed for X, but dense data is required by {estimator_name}. Use "
            "'X.sparse.to_dense()' to convert to a dense table."
        )
    plain = all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in dtypes)
    if plain and len(set(dtypes)) == 1:
        return np.asarray(X)  # one block of memory in the table is one view here
    columns = [X.iloc[:, j] for j in range(len(dtypes))]
    return _assembled(len(X), columns, list(X.columns), _pandas_column, estimator_name)


def _pandas_column(column: Any) -> AnyArray:
    """A Series (or, for an argument other than X, a table) as numbers where it holds them."""
    dtype = getattr(column, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, np.dtype) and kind in "biuf":
        return np.asarray(column)
    if kind in "biuf":  # nullable, Arrow-backed and sparse columns
        values: AnyArray = column.to_numpy(dtype=_float_like(dtype), na_value=np.nan)
    else:
        values = column.to_numpy(dtype=object)
    return values


def _float_like(dtype: Any) -> type[np.float32 | np.float64]:
    """float32 for a nullable or Arrow-backed float32 column, float64 for any other."""
    underlying = getattr(dtype, "numpy_dtype", None)
    return np.float32 if underlying == np.float32 else np.float64


def _rows_from_polars(X: Any, estimator_name: str) -> AnyArray:
    dtypes = set(X.dtypes)
    if len(dtypes) == 1 and dtypes.pop().is_numeric():
        # Nulls as NaN; one block of memory in the table is one view here.
        rows: AnyArray = X.to_numpy()
        if rows.dtype.kind in "biuf":
            return rows
    return _assembled(
        X.height, X.get_columns(), X.columns, lambda column: column.to_numpy(), estimator_name
    )


def _rows_from_arrow(X: Any, estimator_name: str) -> AnyArray:
    def read(column: Any) -> Any:
        return column.to_numpy(zero_copy_only=False)  # nulls as NaN, or as None in an object array

    return _assembled(X.num_rows, X.columns, X.schema.names, read, estimator_name)


_TABLE_READERS = {
    "pandas": _rows_from_pandas,
    "polars": _rows_from_polars,
    "arrow": _rows_from_arrow,
}


def _assembled(
    n_rows: int, columns: Sequence[Any], names: Sequence[Any], read: Any, estimator_name: str
) -> AnyArray:
    """The columns of a table beside each other: float32 if all of them are, else float64."""
    values = [
        _column_of_numbers(column, j, names, read, estimator_name)
        for j, column in enumerate(columns)
    ]
    single = bool(values) and all(computing_dtype(v.dtype) == np.float32 for v in values)
    rows = np.empty((n_rows, len(values)), dtype=np.float32 if single else np.float64, order="F")
    # A long double beyond float64 becomes an infinity here, which the first pass reports.
    with np.errstate(over="ignore"):
        for j, column in enumerate(values):
            rows[:, j] = column
    return rows


def _column_of_numbers(
    column: Any, j: int, names: Sequence[Any], read: Any, estimator_name: str
) -> AnyArray:
    """Column `j` as a one-dimensional array of numbers; else an error that names it."""
    label = column_label(j, names)
    dtype = getattr(column, "dtype", None) or column.type  # Arrow says type
    if getattr(dtype, "kind", "O") in "cmM":
        _refuse_dtype(dtype, label, estimator_name)
    try:
        values = np.asarray(read(column))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"X has dtype {said(dtype)} in {label}, but {estimator_name} needs numbers: "
            f"{said(error)}"
        ) from error
    if values.ndim != 1:
        raise TypeError(
            f"X has dtype {said(dtype)} in {label}, but {estimator_name} needs one number in "
            "each cell."
        )
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind == "O":
        objects = _Objects(values[:, np.newaxis], dtype, names, j, estimator_name)
        return _numbers_of_objects(objects)[:, 0]
    _refuse_dtype(values.dtype, label, estimator_name)


# -------------------------------------------------------------------------------------------------
# The other arrays a user passes
# -------------------------------------------------------------------------------------------------


# Weights between 2^-64 and 2^64 leave sums and squares room on both sides.
_MODERATE_EXPONENT = 64


def moderate_exponent(largest: float) -> int:
    """The power of two that keeps sums of weights up to `largest` in range, 0 for most.

    A fit depends on the proportions of weights only, which a power of two leaves exact. A weight
    that vanishes beside the largest, 2^1000 times smaller, becomes zero.
    """
    exponent = int(np.frexp(largest)[1])
    return 0 if abs(exponent) <= _MODERATE_EXPONENT else -exponent


_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def warn(warning: str | Warning) -> None:
    """Issue a warning that points at the first line outside this package."""
    level = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(warning, stacklevel=level)


def check_sample_weight(
    sample_weight: Any, n_samples: int, *, allow_zero: bool = False
) -> Doubles | None:
    """Sample weights as a C-contiguous float64 array of shape (n_samples,), or None for none.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
        A number stands for the same weight in every row. Weights may be zero, but not all of them.
    n_samples : int
    allow_zero : bool, default=False
        Whether all weights may be zero, as in one of several pieces of the data.

    Raises
    ------
    ValueError
        For a wrong shape, a negative, missing or infinite weight, or weights that are all zero.
    """
    if sample_weight is None:
        return None
    weights = as_float64(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_samples, weights)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array"
            f" (shape={weights.shape}). Pass sample_weight as a number or as one weight a row,"
            f" {n_samples} in all."
        )
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_samples,)}! Pass one weight a"
            " row of X."
        )
    weights = np.ascontiguousarray(weights)
    _check_finite(weights, "sample_weight")
    if np.any(weights < 0):
        first = int(np.argmax(weights < 0))
        raise ValueError(
            f"sample_weight must not be negative, but sample_weight[{first}] is {weights[first]}. "
            "A weight of 0 leaves a row out."
        )
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    check_total_weight(total, float(weights.max(initial=0.0)), allow_zero=allow_zero)
    return weights


def check_total_weight(total: float, largest: float, *, allow_zero: bool = False) -> None:
    """Refuse sample weights that are all zero, or whose sum is infinite."""
    if not allow_zero and not largest > 0:
        raise ValueError(
            "Sample weights must contain at least one non-zero number: sample_weight is all zero,"
            " which leaves no row to fit."
        )
    if not np.isfinite(total):
        raise ValueError(
            "The sum of sample_weight is too large for float64 (the largest weight is"
            f" {largest}). Divide all weights by a constant: only their proportions matter."
        )


def check_initial(
    weights_init: Any,
    means_init: Any,
    precisions_init: Any,
    n_components: int,
    n_features: int,
    covariance_type: CovarianceType,
) -> tuple[Doubles | None, Doubles | None, Doubles | None]:
    """The given starting values as float64 copies, each None where it was None.

    Parameters
    ----------
    weights_init : None or array-like of shape (n_components,)
        Non-negative, with sum 1 (to 1e-8; to 1e-6 for float32).
    means_init : None or array-like of shape (n_components, n_features)
    precisions_init : None or array-like
        Inverse covariances, symmetric and positive definite: (n_components, n_features,
        n_features) for "full", (n_features, n_features) for "tied", (n_components, n_features) for
        "diag", (n_components,) for "spherical".

    Raises
    ------
    ValueError
        Naming the parameter, and the shape or the value that is wrong.
    """
    weights = means = precisions = None
    if weights_init is not None:
        weights = _array_of_shape(weights_init, "weights_init", (n_components,))
        single = getattr(weights_init, "dtype", None) == np.float32
        _check_weights(weights, "weights_init", 1e-6 if single else 1e-8)
    if means_init is not None:
        means = _array_of_shape(means_init, "means_init", (n_components, n_features))
    if precisions_init is not None:
        shape = covariance_shape(covariance_type, n_components, n_features)
        precisions = _array_of_shape(precisions_init, "precisions_init", shape)
        _check_positive(precisions, "precisions_init", covariance_type, "precision")
    return weights, means, precisions


def check_update(update: Any) -> None:
    """Raise unless `update` names weights, means or covariances by their first letters."""
    if not isinstance(update, str):
        raise TypeError(
            f"update must be a string such as 'wmc'; got {type(update).__name__}. Its letters say"
            " what an M-step changes: w(eights), m(eans), c(ovariances)."
        )
    if not update or not set(update) <= set("wmc") or len(set(update)) < len(update):
        raise ValueError(
            "update must hold some of the letters w(eights), m(eans) and c(ovariances), each at"
            f" most once; got {shown(update)}. Pass 'wmc' to change all, or 'm' to move the means "
            "only."
        )


def check_components(components: Any, n_components: int) -> Indices:
    """Components given by number, or by a mask of shape (K,), as an array of distinct indices.

    Raises
    ------
    TypeError, ValueError
        For anything but integers from 0 to `n_components` - 1, and for one that is given twice.
    """
    array = np.asarray(components)
    if array.dtype == np.bool_ and array.shape == (n_components,):
        return np.flatnonzero(array)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, dtype=np.intp)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TypeError(
            "components must be a component's number, a sequence of such, or a mask of shape"
            f" ({n_components},); got {shown(components)}."
        )
    array = np.atleast_1d(array)
    outside = array[(array < 0) | (array >= n_components)]
    if outside.size:
        raise ValueError(
            f"components must be numbers from 0 to {n_components - 1}, as the model has"
            f" {n_components} components; got {outside[0]}."
        )
    distinct, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"components must be distinct, but {distinct[counts > 1][0]} is there twice. Name"
            " each once."
        )
    return array.astype(np.intp)


def check_means(means: Any, n_means: int, n_features: int) -> Doubles:
    """Places for components, as a float64 copy of shape (n_means, n_features).

    For one component its coordinates alone will do.
    """
    if n_means == 1 and np.shape(means) == (n_features,):
        means = [means]
    return _array_of_shape(means, "means", (n_means, n_features))


# Rows beyond which one more is lost in their number.
_MOST_ROWS = 2.0**53


def check_weight_so_far(seen: float, weight: float, n_rows: int) -> None:
    """Raise if the weight of the rows so far and that of the next ones are no doubles together.

    What is remembered is told in rows of the next ones' mean weight.
    """
    if not weight / n_rows * _MOST_ROWS > seen:
        raise ValueError(
            f"The rows of X weigh {weight / n_rows:.3g} on average, nothing beside the {seen:.3g} "
            "of those before, n_samples_seen_. Give sample_weight in the same unit in all batches."
        )
    if not seen + weight < np.inf:
        raise ValueError(
            "The sum of sample_weight over all batches is too large for float64. Divide the"
            " weights of all batches, and n_samples_seen_, by a constant: only proportions matter."
        )


def check_seen(n_samples_seen: Any) -> float:
    """The fitted attribute `n_samples_seen_`, which a user may have set, as Python's number.

    Other rows are added to it, for which a NumPy integer may have no room, nor a float32 digits.
    """
    seen = n_samples_seen.item() if isinstance(n_samples_seen, np.generic) else n_samples_seen
    if not is_float(seen) or seen > sys.float_info.max:
        raise ValueError(
            "n_samples_seen_ must be a finite number >= 0, the weight of the rows that the"
            f" parameters come from; got {shown(n_samples_seen)}. Set it to 0 to let the next "
            "batch"
            " alone decide."
        )
    number: float = seen
    return number


def check_mixture(
    weights: Any, means: Any, covariances: Any, covariance_type: CovarianceType | None = None
) -> tuple[CovarianceType, Doubles, Doubles, Doubles]:
    """The parameters of a whole mixture, checked, as the covariance type and float64 copies.

    Parameters
    ----------
    weights : array-like of shape (K,)
        Non-negative, with sum 1 to 1e-6.
    means : array-like of shape (K, d)
    covariances : array-like
        (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical"; symmetric
        and positive definite.
    covariance_type : str or None
        None to read it off the shape of `covariances`, where only one type has that shape.

    Raises
    ------
    ValueError
        Naming the argument, and the shape or the value that is wrong.
    """
    means = as_float64(means, "means")
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(
            "The parameter 'means' should have the shape of (n_components, n_features), but got "
            f"{means.shape}"
        )
    if covariance_type is None:
        covariance_type = _covariance_type_of(as_float64(covariances, "covariances"), means.shape)
    else:
        check_parameters({"covariance_type": covariance_type})
    weights = _array_of_shape(weights, "weights", means.shape[:1])
    _check_weights(weights, "weights", 1e-6)
    means = _array_of_shape(means, "means", means.shape)
    shape = covariance_shape(covariance_type, *means.shape)
    covariances = _array_of_shape(covariances, "covariances", shape)
    _check_positive(covariances, "covariances", covariance_type, "covariance")
    return covariance_type, weights, means, covariances


def set_array(values: Any, name: str) -> Floats:
    """A fitted attribute that a user may have set, as a C-contiguous copy of its own.

    float32 of float32, else float64.
    """
    plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    if plain and values.dtype in (np.float32, np.float64):
        return np.array(values, order="C")
    return np.array(as_float64(values, name), order="C")


def check_set_array(array: Floats, name: str) -> Doubles:
    """A fitted attribute as finite float64."""
    double = np.ascontiguousarray(array, dtype=np.float64)
    _check_finite(double, name)
    return double


def check_set_weights(weights: Doubles) -> None:
    """Check `weights_`; the sum as far as float32 has it."""
    _check_weights(weights, "weights_", 1e-6)


def check_set_positive(
    array: Doubles, name: str, covariance_type: CovarianceType, noun: str
) -> None:
    """Check `covariances_` or `precisions_`, and make them symmetric to the bit, in place."""
    _check_positive(array, name, covariance_type, noun)


def check_names_of_means(names: Names | None, n_features: int) -> None:
    """Check that the names of the columns of a fit are as many as the means have columns."""
    if names is not None and len(names) != n_features:
        raise ValueError(
            f"means_ has {n_features} columns, but feature_names_in_ {len(names)} names. Set it to"
            " the names of the columns, or delete it with `del model.feature_names_in_`."
        )


def _covariance_type_of(covariances: Doubles, shape_of_means: tuple[int, int]) -> CovarianceType:
    """The covariance type whose shape `covariances` has, of those that bind covariances to nothing
    beside their layout.
    """
    free = [name for name, layout in LAYOUTS.items() if name == layout]
    shapes = {name: covariance_shape(name, *shape_of_means) for name in free}
    fitting = [name for name, shape in shapes.items() if shape == covariances.shape]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " or ".join(repr(name) for name in fitting)
        raise ValueError(
            f"covariances of shape {covariances.shape} can be of type {names}. Pass "
            "covariance_type to say which."
        )
    listed = ", ".join(f"{shape} for {name!r}" for name, shape in shapes.items())
    raise ValueError(
        f"The parameter 'covariances' should, with means of shape {shape_of_means}, have the shape"
        f" of {listed}, but got {covariances.shape}"
    )


def _array_of_shape(values: Any, name: str, shape: tuple[int, ...]) -> Doubles:
    """A finite float64 copy of `values`, in C order."""
    array = as_float64(values, name)
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )
    _check_finite(array, name)
    return np.array(array, dtype=np.float64, order="C", copy=True)


def _check_weights(weights: Doubles, name: str, tolerance: float) -> None:
    outside = (weights < 0) | (weights > 1)
    if np.any(outside):
        first = int(np.argmax(outside))
        raise ValueError(
            f"The parameter '{name}' should be in the range [0, 1], but got "
            f"{name}[{first}] = {weights[first]}"
        )
    total = float(weights.sum())
    if not abs(1.0 - total) <= tolerance:
        raise ValueError(
            f"The parameter '{name}' should be normalized, but got sum({name}) = {total:.10g}."
            " Divide it by its sum."
        )


def _check_positive(array: Doubles, name: str, covariance_type: CovarianceType, noun: str) -> None:
    """Check covariances or precisions, as `noun` says.

    Matrices that are symmetric up to rounding are made exactly so, in place.
    """
    what = f"{covariance_type} {noun}"
    layout = LAYOUTS[covariance_type]
    if layout in ("diag", "spherical"):
        if not np.all(array > 0):
            first = _first_index(~(array > 0))
            raise ValueError(
                f"'{what}' should be positive, but {name}{list(first)} is {array[first]}"
            )
        return
    matrices = array if layout == "full" else array[np.newaxis]
    for k, matrix in enumerate(matrices):
        which = f"{name}[{k}]" if layout == "full" else name
        wrong = f"'{what}' should be symmetric, positive-definite, but {which}"
        _check_positive_definite(matrix, wrong)


def _check_positive_definite(matrix: Doubles, wrong: str) -> None:
    """Check one matrix, and make it exactly symmetric."""
    diagonal = np.diagonal(matrix).copy()
    if not np.all(diagonal > 0):
        i = int(np.argmin(diagonal > 0))
        raise ValueError(f"{wrong} has {diagonal[i]} in its diagonal, at [{i}, {i}]")
    # Relative to the entry, or, for entries near zero, to the scale of their row and column.
    root = np.sqrt(diagonal)
    asymmetry = np.abs(matrix - matrix.T)
    unequal = ~(asymmetry <= 1e-5 * np.abs(matrix) + 1e-8 * np.outer(root, root))
    if np.any(unequal):
        i, j = _first_index(unequal)
        raise ValueError(
            f"{wrong} is not symmetric: {matrix[i, j]} at [{i}, {j}], {matrix[j, i]} at [{j}, {i}]"
        )
    matrix[...] = 0.5 * matrix + 0.5 * matrix.T
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(matrix)[0]
        raise ValueError(
            f"{wrong} is not positive definite: its smallest eigenvalue is {smallest:.3g}"
        ) from None


def check_out(
    out: Any, shape: tuple[int, ...], dtype: DTypeLike, X: AnyArray, name: str = "out"
) -> None:
    """Check an array the caller wants a result about the rows X written to.

    Raises
    ------
    ValueError
        Unless `out` is a C-contiguous, writeable ndarray of that shape and dtype that shares no
        memory with X: rows are still read while results are written.
    """
    dtype = np.dtype(dtype)
    wanted = f"a C-contiguous, writeable ndarray of shape {shape} and dtype {dtype}"
    remedy = f"For example {name}=numpy.empty({shape}, dtype=numpy.{dtype})."
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise ValueError(
            f"{name} must be {wanted}. Got an object of type {type(out).__name__}. {remedy}"
        )
    if out.shape != shape:
        raise ValueError(f"{name} must be {wanted}. Got the shape {out.shape}. {remedy}")
    if out.dtype != dtype:
        raise ValueError(f"{name} must be {wanted}. Got the dtype {out.dtype}. {remedy}")
    if not out.flags.writeable:
        raise ValueError(f"{name} must be {wanted}. Got a read-only array. {remedy}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError(f"{name} must be {wanted}. Got the strides {out.strides}. {remedy}")
    if np.may_share_memory(out, X):
        raise ValueError(f"{name} must not share memory with X, which is read meanwhile. {remedy}")


# What the interpreter says where NumPy gives up without an exception, as it does when it has no
# memory for an iterator, and what CPython says about the locks of files and random generators.
_OUT_OF_MEMORY = re.compile(
    "(error return|returned NULL) without (exception set|setting an exception)"
    "|can't allocate (read )?lock"
)


def says_memory_error(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that says what the machine lacks, where NumPy, CPython and others fail to.

    That is MemoryError for memory, and the limit for open files. Inside it NumPy says nothing
    about numbers that overflow or vanish, whatever the caller has set with `numpy.seterr`: a
    result, or an error that explains, comes of extreme data. Not for functions in which a
    microsecond counts.
    """

    @functools.wraps(function)
    def saying(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            with np.errstate(all="ignore"):
                return function(*args, **kwargs)
        except OSError as error:
            # A function that this one called may have said so already.
            if error.errno not in _TOO_MANY_FILES or _AS_MANY_OPEN in str(error.strerror):
                raise
            raise _too_many_files(error) from error
        except (SystemError, RuntimeError) as error:
            if not _OUT_OF_MEMORY.search(str(error)):
                raise
            raise MemoryError(f"NumPy or Python had no memory to go on ({error}).") from error

    return saying


_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_AS_MANY_OPEN = "this process has as many open as"


def _too_many_files(error: OSError) -> OSError:
    """The exception for a file that cannot be opened because so many are."""
    limit = "may have"
    with contextlib.suppress(ImportError):  # on Windows
        import resource

        limit = f"may have {resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}"
    what = "" if error.filename is not None else f" ({said(error.strerror)})"
    return OSError(
        error.errno,
        f"Too many open files: {_AS_MANY_OPEN} it {limit} at a time{what}. Raise "
        "the limit (ulimit -n, LimitNOFILE=, --ulimit nofile=), close files, or join many small "
        "files to fewer",
        error.filename,
    )


def new_result(
    shape: tuple[int, ...], dtype: DTypeLike, *, takes_out: bool = False, verb: str = "Pass"
) -> AnyArray:
    """A new array of results; where there is no memory for it an error says how large it is.

    `takes_out` says whether the method can write to another array instead, `verb` what to do with
    fewer rows.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # ValueError: no array can be so large
        raise _result_too_large(shape, np.dtype(dtype), takes_out, verb) from error


def _result_too_large(
    shape: tuple[int, ...], dtype: np.dtype[Any], takes_out: bool, verb: str
) -> MemoryError:
    n_bytes = math.prod(shape) * dtype.itemsize
    other = ""
    if takes_out:
        other = ", or pass an array to write to as out=, for instance a numpy.memmap"
    return MemoryError(
        f"The result, an array of shape {shape} and type {dtype}, takes {n_bytes:,} bytes, and "
        f"there is no memory for it. {verb} fewer rows at a time{other}."
    )


def as_float64(values: Any, name: str) -> Doubles:
    """A numeric argument other than X as a float64 array, a view where it is one."""
    if isinstance(values, np.ma.MaskedArray):
        values = _unmasked(values, name)
    elif hasattr(values, "iloc"):
        values = _pandas_column(values)
    elif hasattr(values, "combine_chunks") and hasattr(values, "to_numpy"):
        values = values.to_numpy(zero_copy_only=False)  # an Arrow column
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is not an array of numbers: {said(error)}") from error
    if array.dtype.kind == "O":
        types = set(map(type, array.ravel().tolist()))
        text = any(issubclass(kind, _NOT_NUMBERS) for kind in types)
        array = _na_as_none(array, types)
    else:
        text = array.dtype.kind not in "biuf"
    if not text:
        try:
            return np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    raise ValueError(
        f"{name} must hold real numbers. Got dtype {said(array.dtype)}: {shown(values)}"
    )


def _check_finite(array: Doubles, name: str) -> None:
    finite = np.isfinite(array)
    if np.all(finite):
        return
    first = _first_index(~finite)
    kind = "NaN" if np.isnan(array[first]) else "infinity"
    index = ", ".join(str(i) for i in first)
    raise ValueError(
        f"Input {name} contains {kind}. First at {name}[{index}]. Every entry must be a finite"
        " number."
    )


def _first_index(mask: Bools) -> tuple[int, ...]:
    """The index of the first True."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


# -------------------------------------------------------------------------------------------------
# Columns, values and probabilities of a fitted mixture
# -------------------------------------------------------------------------------------------------


def list_of(values: Iterable[Any], argument: str) -> list[Any]:
    """All that an iterable of the user's gives."""
    try:
        return list(values)
    except Exception as error:  # whatever it raises
        raise TypeError(f"{argument} cannot be read one by one: {said(error)}.") from error


def check_columns(
    columns: Any, n_features: int, names: Sequence[str] | None, argument: str = "columns"
) -> Indices:
    """Columns of a model given by index, name or mask, as an array of distinct indices.

    One column may come without a list around it, and an index may count from the end.

    Raises
    ------
    ValueError, TypeError
        For none, one that the model does not have, one twice, and a mask of another length.
    """
    if isinstance(columns, (str, numbers.Integral)) and not is_bool(columns):
        columns = [columns]
    if isinstance(columns, (set, frozenset)):
        raise TypeError(f"{argument} must be in an order. Got a set; pass a list of the columns.")
    if not isinstance(columns, Iterable):
        raise TypeError(
            f"{argument} must be column indices, column names or a mask of {n_features} booleans. "
            f"Got {shown(columns)}."
        )
    listed = list_of(columns, argument)
    if listed and all(map(is_bool, listed)):
        if len(listed) != n_features:
            raise ValueError(
                f"{argument} is a mask of length {len(listed)}, but the model has {n_features} "
                "features. Pass a boolean for each."
            )
        listed = np.flatnonzero(listed).tolist()
    if not listed:
        raise ValueError(f"{argument} chooses no column. Choose at least one.")
    indices = [_column_index(column, n_features, names, argument) for column in listed]
    for i, index in enumerate(indices):
        if index in indices[:i]:
            raise ValueError(
                f"{argument} must be different columns. {shown(columns)} has "
                f"{column_label(index, names)} twice."
            )
    return np.array(indices, dtype=np.intp)


def _column_index(column: Any, n_features: int, names: Sequence[str] | None, argument: str) -> int:
    """`feature_index`, where an index may count from the end."""
    if isinstance(column, numbers.Integral) and not is_bool(column):
        index = int(column)
        if not -n_features <= index < n_features:
            raise ValueError(
                f"{argument} contains {shown(index)}, but the model has {n_features} features. "
                "Pass "
                f"indices from {-n_features} to {n_features - 1}."
            )
        return index % n_features
    return feature_index(column, n_features, names, argument)


def feature_index(
    feature: Any, n_features: int, names: Sequence[str] | None, argument: str = "features"
) -> int:
    """The index of a feature that is given by index or by name."""
    if isinstance(feature, str):
        if names is None:
            raise ValueError(
                f"{argument} names {shown(feature)}, but the model was fitted without feature "
                "names. "
                f"Pass indices from 0 to {n_features - 1}, or fit to a table with named columns."
            )
        if feature not in names:
            raise ValueError(
                f"{argument} names {shown(feature)}, which the model was not fitted with. Its "
                f"features are {listed(names, _shown_name)}."
            )
        places = [index for index, name in enumerate(names) if name == feature]
        if len(places) > 1:
            raise ValueError(
                f"{argument} names {shown(feature)}, as columns {listed(places)} of the "
                "model are called. Pass the index of one of them."
            )
        return places[0]
    if not isinstance(feature, numbers.Integral) or is_bool(feature):
        raise TypeError(
            f"{argument} must be column indices from 0 to {n_features - 1} or column names. Got "
            f"{shown(feature)}."
        )
    index = int(feature)
    if not 0 <= index < n_features:
        raise ValueError(
            f"{argument} contains {shown(index)}, but the model has {n_features} features. Pass "
            "indices"
            f" from 0 to {n_features - 1}."
        )
    return index


def check_given(given: Indices, n_features: int, remedy: str) -> None:
    """Refuse to condition on every column."""
    if given.size == n_features:
        raise ValueError(
            f"columns chooses all {n_features} features, so that none is left. {remedy}"
        )


def check_target(target: Indices, given: Indices, names: Sequence[str] | None) -> None:
    """Refuse to predict a column that is given."""
    both = np.intersect1d(target, given)
    if both.size:
        raise ValueError(
            f"target contains {column_label(int(both[0]), names)}, which columns says is given. "
            "Choose other columns to predict."
        )


def check_given_rows(
    shape: tuple[int, ...],
    given: Indices,
    all_names: Names | None,
    names_of_rows: Names | None,
    argument: str = "X",
    estimator_name: str = _ESTIMATOR,
) -> None:
    """Compare rows of values with the columns that they are said to be of."""
    if shape[1] != given.size:
        chosen = _column_labels(given.tolist(), all_names)
        raise ValueError(
            f"{argument} has {shape[1]} column(s), but columns chooses {given.size}: "
            f"{chosen}. Pass the values of these columns, in this order."
        )
    fitted = None if all_names is None else all_names[given]
    if names_of_rows is not None:
        check_feature_names(fitted, names_of_rows, estimator_name)


def check_labels(
    values: Any, given: Indices, all_names: Names | None, estimator_name: str = _ESTIMATOR
) -> None:
    """Refuse a pandas Series of values that is labelled with other features than those given."""
    index = getattr(values, "index", None)
    if all_names is None or index is None or callable(index):
        return
    labels = np.asarray(index, dtype=object)
    # Other labels are those of rows, or none.
    if labels.ndim == 1 and labels.size and set(labels.tolist()) <= set(all_names.tolist()):
        check_feature_names(all_names[given], labels, estimator_name)


def check_one_feature(n_features: int, method: str) -> None:
    """Refuse a distribution function or quantiles of more than one feature."""
    if n_features != 1:
        raise ValueError(
            f"{method} is of one feature, but the model has {n_features}. Ask the mixture of one "
            f"of them, for example model.marginal(0).{method}(...)."
        )


def check_values(values: Any, argument: str, *, allow_nan: bool) -> Doubles:
    """Numbers of one feature, in any shape, as float64; infinities are allowed."""
    if allow_nan and isinstance(values, np.ma.MaskedArray):
        values = _masked_as_nan(values)
    array = as_float64(values, argument)
    missing = np.isnan(array)
    if not allow_nan and missing.any():
        first = _first_index(missing)
        where = f" First at {argument}[{', '.join(map(str, first))}]." if first else ""
        raise ValueError(f"Input {argument} contains NaN.{where} Drop it, or fill it in first.")
    return array


def check_probabilities(values: Any, argument: str) -> Doubles:
    """Probabilities in any shape, as float64."""
    array = as_float64(values, argument)
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise ValueError(
            f"{argument} contains {array[_first_index(outside)]:g}. Pass probabilities from 0 to "
            "1, such as 0.5 for the median."
        )
    return array


def check_flag(value: Any, argument: str) -> None:
    """An argument that is true or false."""
    if not is_bool(value):
        raise TypeError(f"{argument} must be True or False. Got {shown(value)}.")


def check_n_draws(n_draws: Any) -> None:
    """The number of draws of `impute`."""
    if n_draws is not None and not is_int(n_draws, 1):
        raise ValueError(
            f"n_draws must be an int of at least 1, or None for conditional means. Got "
            f"{shown(n_draws)}."
        )


def check_contributions(kind: Any, n_permutations: Any) -> None:
    """The options of `feature_contributions`."""
    if not (isinstance(kind, str) and kind in ("conditional", "shapley")):
        raise ValueError(f"kind must be 'conditional' or 'shapley'. Got {shown(kind)}.")
    if not is_int(n_permutations, 1, _MOST_PERMUTATIONS):
        raise ValueError(
            f"n_permutations must be an int from 1 to {_MOST_PERMUTATIONS}. Got "
            f"{shown(n_permutations)}. The error shrinks with the root of the number."
        )
