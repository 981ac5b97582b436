"""Plots of one model or several: criteria, and the course of fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..mixture import GaussianMixture
from . import checks
from .legends import place_legend
from .style import ink_of, palette_of, turn_of, whole_numbers
from .view import current_axes

_LINE_STYLES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")
_MARKERS = ("o", "s", "^")

# Of more lines than this the legend names colours and styles, and not each line.
_MOST_NAMED = 10


def plot_criteria(
    models: GaussianMixture | Iterable[GaussianMixture],
    X: Any,
    *,
    criteria: str | Sequence[str] = ("bic", "icl"),
    ax: Axes | None = None,
) -> Axes:
    """Plot information criteria over the number of components.

    There is a line for each covariance type (its colour) and criterion (its style). Lower is
    better, as in scikit-learn; a ring marks the lowest value of each criterion. Of models with
    one type and one number of components the lowest value is shown. Where there are more types
    than colours the markers of the further ones are hollow.

    Parameters
    ----------
    models : iterable of GaussianMixture
        Fitted models. The number of components is the number of those left in `weights_`.
    X : array-like of shape (n, d)
        The rows to compute the criteria on, as a rule those of the fits.
    criteria : {"bic", "icl", "aic"} or sequence of these, default=("bic", "icl")
        The methods of the models to call.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_criteria
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, size=(300, 2)), rng.normal(6, 1, size=(300, 2))])
    >>> models = [GaussianMixture(k, random_state=0).fit(X) for k in range(1, 5)]
    >>> ax = plot_criteria(models, X, criteria="bic")
    >>> best = ax.lines[-1].get_xdata()
    >>> [int(k) for k in best]
    [2]
    """
    fitted = _fitted_models(models)
    names = checks.check_criteria(criteria)
    checks.check_axes(ax, Axes)
    values = {name: _lowest_values(fitted, X, name) for name in names}
    ax = current_axes() if ax is None else ax
    types = list(dict.fromkeys(model.covariance_type for model in fitted))
    palette = palette_of(ax, len(types))
    for name, line_style, marker in zip(names, _LINE_STYLES, _MARKERS):
        for i, (covariance_type, colour) in enumerate(zip(types, palette)):
            n_components, heights = np.transpose(sorted(values[name][covariance_type].items()))
            ax.plot(
                n_components,
                heights,
                color=colour,
                linestyle=line_style,
                marker=marker,
                markersize=4,
                markerfacecolor=ax.get_facecolor() if turn_of(ax, i) else colour,
                label=f"{covariance_type}, {name.upper()}",
            )
    for name in names:
        best = min((y, x) for line in values[name].values() for x, y in line.items())
        _draw_ring(ax, best[1], best[0], label="lowest" if name == names[0] else "_lowest")
    ax.set_xlabel("number of components")
    ax.set_ylabel(f"{', '.join(map(str.upper, names))} (−2 ln L; lower is better)")
    ax.xaxis.set_major_locator(whole_numbers())
    handles = None
    if len(names) > 1 and len(names) * len(types) > _MOST_NAMED:
        handles = _apart(ax, types, names)
    place_legend(ax, handles, may_grow=ax.get_autoscaley_on())
    return ax


def _apart(ax: Axes, types: Sequence[str], names: Sequence[str]) -> list[Artist]:
    """What a legend shows of the lines: the colours of types, and the styles of criteria."""
    lines: list[Line2D] = list(ax.lines)[-(len(types) + 1) * len(names) :]
    handles: list[Artist] = []
    for line, covariance_type in zip(lines, types):
        handle = Line2D([], [])
        handle.update_from(line)
        handle.set_label(covariance_type)
        handles.append(handle)
    for name, style, marker in zip(names, _LINE_STYLES, _MARKERS):
        shown = Line2D([], [], color=ink_of(ax), linestyle=style, marker=marker, markersize=4)
        shown.set_label(name.upper())
        handles.append(shown)
    return [*handles, lines[len(types) * len(names)]]


def plot_convergence(
    models: GaussianMixture | Iterable[GaussianMixture], *, ax: Axes | None = None
) -> Axes:
    """Plot the mean log-likelihood of a row over the iterations of a fit.

    A cross marks every iteration in which a component collapsed and was dropped or placed anew;
    after it, and only there, the curve may fall. Several models are told apart by the parameters
    in which they differ.

    Parameters
    ----------
    models : GaussianMixture or iterable of GaussianMixture
        Fitted models, with `lower_bounds_`. After a warm start these are those of the last fit,
        but `collapses_` lists all fits', each marked at the number of its iteration.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn; ValueError for a model without iterations too.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_convergence
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = GaussianMixture(2, random_state=0, tol=1e-2).fit(X)
    >>> ax = plot_convergence(model)
    >>> ax.get_xlabel()
    'iteration'
    """
    fitted = _fitted_models(models)
    checks.check_axes(ax, Axes)
    courses = [checks.check_lower_bounds(model, f"models[{i}]") for i, model in enumerate(fitted)]
    ax = current_axes() if ax is None else ax
    ink = ink_of(ax)
    collapsed = []
    for bounds, label, colour in zip(courses, _differences(fitted), palette_of(ax, len(fitted))):
        iterations = np.arange(1, len(bounds) + 1)
        marker = "." if len(bounds) <= 50 else ""
        ax.plot(iterations, bounds, color=colour, marker=marker, label=label)
    for model, bounds in zip(fitted, courses):
        for collapse in getattr(model, "collapses_", ()):
            iteration = collapse["iteration"]
            if iteration <= len(bounds):
                collapsed.append((iteration, bounds[max(iteration - 1, 0)]))
    if collapsed:
        ax.plot(*np.transpose(collapsed), "x", color=ink, markersize=8, label="collapse")
    ax.set_xlabel("iteration")
    ax.set_ylabel("mean log-likelihood of a row (nats)")
    ax.xaxis.set_major_locator(whole_numbers())
    if len(fitted) > 1 or collapsed:
        place_legend(ax, may_grow=ax.get_autoscaley_on())
    return ax


def _fitted_models(models: Any) -> list[GaussianMixture]:
    """One model or several as a list of fitted ones."""
    fitted: list[GaussianMixture] = checks.check_models(models, GaussianMixture)
    for model in fitted:
        model.n_parameters()  # raises for a model that is not fitted
    return fitted


def _lowest_values(
    models: list[GaussianMixture], X: Any, criterion: str
) -> dict[str, dict[int, float]]:
    """The lowest value of a criterion, by covariance type and number of components."""
    lowest: dict[str, dict[int, float]] = {}
    for model in models:
        line = lowest.setdefault(model.covariance_type, {})
        n_components = len(model.weights_)
        value = float(getattr(model, criterion)(X))
        line[n_components] = min(value, line.get(n_components, np.inf))
    return lowest


def _differences(models: list[GaussianMixture]) -> list[str]:
    """For each model the parameters in which it differs from others, as text."""
    described = [_described(model) for model in models]
    names = dict.fromkeys(name for params in described for name in params)
    differing = [n for n in names if len({params.get(n) for params in described}) > 1]
    labels = [
        ", ".join(f"{n}={params[n]}" for n in differing if n in params) for params in described
    ]
    if len(set(labels)) == len(labels):
        return labels
    return [", ".join(filter(None, (f"model {i}", label))) for i, label in enumerate(labels)]


def _described(model: GaussianMixture) -> dict[str, str]:
    """The parameters that are a number, a word or None, as text."""
    plain = (str, int, float, np.number, type(None))
    params = model.get_params().items()
    return {name: repr(value) for name, value in params if isinstance(value, plain)}


def _draw_ring(ax: Axes, x: float, y: float, label: str) -> None:
    ax.plot(
        x,
        y,
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=ink_of(ax),
        markeredgewidth=1.5,
        label=label,
    )
