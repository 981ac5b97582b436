"""What the library's exceptions and warnings say, where several places raise them.

A function returns the exception or the warning; the caller raises it, or passes it to `warn`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from .._common.families import CovarianceType
from .._common.text import ESTIMATOR, column_label, column_labels, listed
from .._common.typing import Collapse, ColumnNames, Doubles, OnCollapse
from .._parameters.layouts import layout_of
from ..exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    NotFittedError,
    compatible_class,
)


def not_fitted(
    estimator_name: str = ESTIMATOR, there: Sequence[str] = (), missing: str = ""
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
    feature_names: ColumnNames | None = None,
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
    covariance_type : str
    reg_covar, variance_floor : float
    on_collapse : {"raise", "reseed", "drop"}
        The values the fit used.
    dtype : dtype
        The precision of X: float32 rows get the advice to try float64.
    """
    what = _what_has_no_factor(component, weight, effective_rows, columns, feature_names)
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
    if layout_of(covariance_type).matrices:
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


def _what_has_no_factor(
    component: int | None,
    weight: float | None,
    effective_rows: float | None,
    columns: Sequence[int],
    feature_names: ColumnNames | None,
) -> str:
    """The component, and what is known of it and of the columns without spread."""
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
        labels = column_labels(columns, feature_names)
        what += f": it has no spread in one direction or more, in which lie {labels}"
    return what


def collapse_warning(
    collapses: Sequence[Collapse], feature_names: ColumnNames | None
) -> ConvergenceWarning:
    """A warning, to pass to `warnings.warn`, about components dropped or placed anew."""
    done = {"drop": "dropped", "reseed": "placed anew"}

    def told(collapse: Collapse) -> str:
        # Few columns each, as there may be several components.
        columns = column_labels(collapse["columns"], feature_names, most=2)
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
    feature_names: ColumnNames | None,
    covariance_type: CovarianceType,
    reg_covar: float,
) -> UserWarning:
    """A warning, to pass to `warnings.warn`, about columns of X that hold one value only.

    Such a column tells nothing about the components; its variance in the model is `reg_covar`,
    which then decides how large the log-likelihood is. A "spherical" component has one variance
    for all columns, which the column makes smaller.
    """
    labels = column_labels(columns, feature_names)
    if layout_of(covariance_type).isotropic:
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
    feature_names: ColumnNames | None,
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
    if layout_of(covariance_type).isotropic:
        where = f"the mean of the columns ({variances[list(columns)].mean():.2g})"
    fitting = 1e-6 * float(variances[list(columns)].min())
    return UserWarning(
        f"reg_covar={reg_covar:g} is added to every variance, and that of X is no more than ten"
        f" times as large in {where}: components come out too wide there. Scale the"
        f" columns to a variance near 1, or choose a smaller reg_covar ({fitting:.1g} is a"
        " millionth of the smallest)."
    )


def empty_columns_warning(
    columns: Sequence[int], feature_names: ColumnNames | None
) -> UserWarning:
    """A warning about columns of X of which all values are missing."""
    labels = column_labels(columns, feature_names)
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


def no_names_for_table(estimator_name: str, method: str, container: str) -> ValueError:
    """The exception for a table whose columns the model cannot name."""
    return ValueError(
        f"{estimator_name} has no names for the columns of a table, which "
        f"set_output(transform={container!r}) asks of {method}. Fit to a table with named "
        "columns, set feature_names_in_ to their names, or call set_output(transform='default')."
    )


def no_values() -> ValueError:
    """The exception for rows of which all values are missing."""
    return ValueError("X has no value that is not NaN. At least one row needs values.")


def of_piece(error: TypeError | ValueError, where: str) -> TypeError | ValueError:
    """The exception that says in which piece of the rows another was raised."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{where}: {error}")
