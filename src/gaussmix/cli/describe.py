"""A model as text: in short for the report of a fit, and at length.

At length the components are sorted by weight, and what each is told apart by comes first: the
columns whose mean lies furthest from that of all components, in standard deviations of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._common.text import counted, plain
from .._common.typing import Collapse, Doubles
from .._estimators.base import component_variances
from ..mixture import GaussianMixture

# Collapsed components that are listed under a model, a line each.
MOST_COLLAPSES = 5
# Components and columns that are described at length, and columns that tell a component apart.
MOST_DESCRIBED = 40
MOST_MARKS = 3

CELL = "mean (standard deviation)"


def describe(model: GaussianMixture, width: int = 80) -> str:
    """Return a model in short: its kind, how the fit ended, and a table of the components."""
    n_components, n_features = model.means_.shape
    table = [
        ["component", *map(str, range(n_components))],
        ["weight", *(f"{weight:.4f}" for weight in model.weights_)],
    ]
    deviations = np.sqrt(component_variances(model))
    used = sum(map(_width, table)) + 2
    shown = 0
    for j, name in enumerate(_names(model)):
        column = [name, *map(_cell, model.means_[:, j], deviations[:, j])]
        used += 2 + _width(column)
        if used > width and shown:
            break
        table.append(column)
        shown += 1
    rest = f"; {n_features - shown:,} more columns: gaussmix info" if shown < n_features else ""
    return "\n".join([*_heading(model), "", *_lines(table), "", f"each column: {CELL}{rest}"])


def describe_at_length(model: GaussianMixture, width: int = 80) -> str:
    """Return a model in full: its components by weight, what marks each, and all their columns."""
    means, variances = model.means_, component_variances(model)
    names = _names(model)
    # The moments of the mixture as a whole.
    mean = model.weights_ @ means
    variance = model.weights_ @ (variances + (means - mean) ** 2)
    mean[np.abs(mean) < 1e-12 * np.sqrt(variance)] = 0.0  # no digits but those of rounding
    order = np.argsort(-model.weights_, kind="stable")[:MOST_DESCRIBED]
    paragraphs = ["\n".join(_heading(model))]
    table = [
        ["component", *map(str, order)],
        ["weight", *(f"{weight:.4f}" for weight in model.weights_[order])],
    ]
    if len(means) > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            standardised = np.nan_to_num((means - mean) / np.sqrt(variance))
        room = width - sum(2 + _width(column) for column in table)
        marks = [_marks(standardised[k], names, room) for k in order]
        paragraphs.append("\n".join(_lines(table, ["stands out by", *marks])))
        paragraphs.append(
            "stands out by: columns whose mean is furthest from that of all components, in\n"
            "standard deviations of all"
        )
    else:
        paragraphs.append("\n".join(_lines(table)))
    listed = names[:MOST_DESCRIBED]
    cells = [list(map(_cell, mean, np.sqrt(variance)))[: len(listed)]] if len(means) > 1 else []
    cells += [list(map(_cell, means[k], np.sqrt(variances[k])))[: len(listed)] for k in order]
    labels = ["all"] * (len(means) > 1) + list(map(str, order))
    paragraphs += _panels(labels, listed, cells, width)
    more = [
        counted(n - MOST_DESCRIBED, f"more {what}")
        for n, what in ((len(means), "component"), (len(names), "column"))
        if n > MOST_DESCRIBED
    ]
    rest = f"; {' and '.join(more)}: info --json" if more else ""
    return "\n\n".join([*paragraphs, f"each column: {CELL}{rest}"])


def _marks(standardised: Doubles, names: Sequence[str], room: int) -> str:
    """The columns in which a component is furthest from all, as many as there is room for."""
    text = ""
    for j in np.argsort(-np.abs(standardised), kind="stable")[:MOST_MARKS]:
        mark = f"{names[j]} {standardised[j]:+.2f}"
        if text and len(text) + 2 + len(mark) > room:
            break
        text += f", {mark}" if text else mark
    return text


def _panels(
    labels: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]], width: int
) -> list[str]:
    """The table of components and columns, cut to this width the way round that takes fewer cuts.

    Parameters
    ----------
    labels : sequence of str
        Of the components.
    names : sequence of str
        Of the columns.
    cells : sequence of sequence of str
        Those of each component.
    width : int
    """
    upright = _pieces(["component", *labels], names, list(zip(*cells)), width)
    across = _pieces(["column", *names], labels, cells, width)
    if len(upright) <= len(across):
        return ["\n".join(lines) for lines in upright]
    indent = 2 + max(map(len, ["column", *names]))
    return ["\n".join([" " * indent + "component", *lines]) for lines in across]


def _pieces(
    first: list[str], heads: Sequence[str], columns: Sequence[Sequence[str]], width: int
) -> list[list[str]]:
    """A table cut into pieces of this width, each of which begins with the first column."""
    pieces: list[list[list[str]]] = []
    used = width
    for head, cells in zip(heads, columns):
        column = [head, *cells]
        used += 2 + _width(column)
        if used > width:
            pieces.append([first])
            used = _width(first) + 2 + _width(column)
        pieces[-1].append(column)
    return [_lines(piece) for piece in pieces]


def _heading(model: GaussianMixture) -> list[str]:
    """What kind of model it is, and how its fit ended."""
    n_components, n_features = model.means_.shape
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
    return [kind, state]


def _names(model: GaussianMixture) -> list[str]:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return [f"column {j + 1}" for j in range(model.means_.shape[1])]
    return [plain(str(name)) for name in names]


def _cell(mean: float, deviation: float) -> str:
    return f"{_digits(mean, 5)} ({_digits(deviation, 3)})"


def _lines(table: Sequence[Sequence[str]], last: Sequence[str] | None = None) -> list[str]:
    """The lines of a table given by columns, which end on the right; a last one begins there."""
    widths = list(map(_width, table))
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(cells, widths)) for cells in zip(*table)]
    return lines if last is None else [f"{line}  {cell}" for line, cell in zip(lines, last)]


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
