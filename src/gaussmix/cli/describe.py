"""A model as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._common.text import VALUE_LENGTH, counted, plain
from .._common.typing import Collapse
from .._estimators.base import component_variances
from ..mixture import GaussianMixture

# Collapsed components that are listed under a model, a line each.
MOST_COLLAPSES = 5


def describe(model: GaussianMixture, width: int = 80) -> str:
    """Return a model as text: its kind, how the fit ended, and a table of the components."""
    n_components, n_features = model.means_.shape
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"column {j + 1}" for j in range(n_features)]
    kind = (
        f"{counted(n_components, 'component')}, {counted(n_features, 'column')}, "
        f"{model.covariance_type} covariance, {counted(model.n_parameters(), 'parameter')}"
    )
    if model.allow_nan:
        kind += "\nmissing values are allowed"
    if model.n_iter_ == 0:
        state = "parameters as given, without an iteration of EM"
    else:
        state = (
            f"{'converged' if model.converged_ else 'did not converge'} after "
            f"{counted(int(model.n_iter_), 'iteration')}, "
            f"lower bound {float(model.lower_bound_):.6f} per row"
        )
    state = "\n".join([state, *map(_collapse_line, model.collapses_[:MOST_COLLAPSES])])
    if len(model.collapses_) > MOST_COLLAPSES:
        more = counted(len(model.collapses_) - MOST_COLLAPSES, "more collapse")
        state += f"\n{more}: info --json"
    table = [
        ["component", *map(str, range(n_components))],
        ["weight", *(f"{weight:.4f}" for weight in model.weights_)],
    ]
    deviations = np.sqrt(component_variances(model))
    used = sum(map(_width, table)) + 2
    shown = 0
    for j, name in enumerate(names):
        cells = [
            f"{_digits(m, 5)} ({_digits(s, 3)})"
            for m, s in zip(model.means_[:, j], deviations[:, j])
        ]
        column = [plain(str(name), VALUE_LENGTH), *cells]
        used += 2 + _width(column)
        if used > width and shown:
            break
        table.append(column)
        shown += 1
    widths = list(map(_width, table))
    rows = ["  ".join(cell.rjust(w) for cell, w in zip(cells, widths)) for cells in zip(*table)]
    rest = f"; {n_features - shown:,} more columns: info --json" if shown < n_features else ""
    legend = f"each column: mean (standard deviation){rest}"
    return "\n".join([kind, state, "", *rows, "", legend])


def _collapse_line(collapse: Collapse) -> str:
    """What became of a component that collapsed; components are counted as in the table."""
    done = {"drop": "dropped", "reseed": "placed anew"}[collapse["action"]]
    when = f"iteration {collapse['iteration']}" if collapse["iteration"] else "the start"
    return (
        f"component {collapse['component']} collapsed in {when} with "
        f"{collapse['effective_rows']:.3g} effective rows and was {done}"
    )


def _digits(value: float, number: int) -> str:
    """Write a value with so many significant digits, zeros at the end included."""
    return f"{value:#.{number}g}".rstrip(".")


def _width(cells: Sequence[str]) -> int:
    return max(map(len, cells))
