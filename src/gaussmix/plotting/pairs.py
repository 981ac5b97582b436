"""Plots of pairs of columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from .._estimators.base import mixture_of
from ..mixture import GaussianMixture
from . import checks
from .frame import room_for
from .labels import component_text
from .marks import draw_histogram, draw_rows, draw_small_marks
from .regions import draw_curves
from .style import Floats, palette_of
from .view import checked_rows, frame_about, marginal_of, some_of

Panels = npt.NDArray[np.object_]

# Features that are shown where the user names none.
_BY_DEFAULT = 5

# Inches of a panel, and of the smallest and the largest figure.
_PANEL = 1.9
_SMALLEST = 5.0
_LARGEST = 30.0

# Characters in a line of a name.
_LONGEST = 18

# A column of the legend has so many components.
_IN_A_COLUMN = 8


def plot_pairs(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: Sequence[int | str] | None = None,
    deviations: float | Sequence[float] = 2.0,
    components: int | Sequence[int] | None = None,
    limits: float | None = 0.98,
    axes: Panels | None = None,
) -> Panels:
    """Plot pairs of columns: components as ellipses, and each column's density on the diagonal.

    Below the diagonal, in row i and column j, are the components and the rows as
    `plot_covariances` draws them for features j and i. On it are the marginal density of a
    feature, each component's share, weight times density, as a dashed curve, and the rows as a
    histogram. Above the diagonal nothing is drawn, and a legend with the weights has the room. All
    panels of a column have one range, and so have those of a row but for the diagonal.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model of two features or more.
    X : array-like of shape (n, d), optional
        Rows to show, as `predict` takes them. Each has the colour of its most probable component,
        given all d features. A panel leaves out those without a value in a feature it shows.
    features : sequence of int or str, optional
        Two or more features to show, by index or, if the model was fitted to named columns, by
        name. By default the first five, or all of fewer.
    deviations : float or sequence of float, default=2.0
        Sizes of the ellipses in standard deviations.
    components : int or sequence of int, optional
        The components to show, by number. The rows of others are pale. By default all.
    limits : float or None, default=0.98
        How far the axes reach, as in `plot_covariances`; None for all rows.
    axes : ndarray of shape (m, m) of matplotlib.axes.Axes, optional
        The axes to draw on, for m features, as ``matplotlib.pyplot.subplots(m, m)`` gives them. By
        default those of a new figure.

    Returns
    -------
    ndarray of shape (m, m) of matplotlib.axes.Axes
        Those above the diagonal are switched off; in a new figure they are one and the same.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_pairs
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> axes = plot_pairs(GaussianMixture(2, random_state=0).fit(X), X)
    >>> axes.shape
    (3, 3)
    >>> axes[2, 1].get_xlabel(), axes[1, 0].get_ylabel()
    ('column 1', 'column 1')
    """
    checks.check_model(model, GaussianMixture)
    names = getattr(model, "feature_names_in_", None)
    parameters = mixture_of(model)
    columns = checks.check_many_features(features, parameters.n_features, names, 2, _BY_DEFAULT)
    sizes = checks.check_numbers_between(deviations, "deviations", 0.0, np.inf)
    chosen = checks.check_components(components, parameters.n_components)
    limits = checks.check_limits(limits)
    checks.check_panels(axes, len(columns), Axes)
    rows, labels = checked_rows(model, X)
    kept = some_of(len(rows))
    kept = kept[np.argsort(np.isin(labels[kept], chosen), kind="stable")]  # the pale ones first
    values, labels = rows[kept][:, columns], labels[kept]
    axes = _new_panels(len(columns)) if axes is None else axes
    palette = palette_of(axes[0, 0], parameters.n_components, chosen)
    for i, row in enumerate(columns):
        for j, column in enumerate(columns[:i]):
            marginal = marginal_of(model, [column, row])
            _draw_pair(
                axes[i, j], marginal, values[:, [j, i]], labels, sizes, palette, chosen, limits
            )
        marginal = marginal_of(model, [row])
        _draw_one(axes[i, i], marginal, values[:, [i]], max(sizes), palette, chosen, limits)
        for ax in axes[i, i + 1 :]:
            ax.set_axis_off()
    _share_limits(axes)
    _label_panels(axes, [checks.feature_label(column, names) for column in columns])
    _draw_legend(axes, parameters.weights, palette, chosen)
    return axes


def _new_panels(n_features: int) -> Panels:
    """Panels of a new figure, of which those along the left and the bottom make room for names.

    The others follow them: matplotlib's layout of all would take longer than all that is drawn.
    Above the diagonal one, for the legend, stands for all that are switched off.
    """
    size = float(np.clip(_PANEL * n_features, _SMALLEST, _LARGEST))
    figure = plt.figure(figsize=(size, size), layout="constrained")
    grid = figure.add_gridspec(n_features, n_features)
    last = n_features - 1
    panels: Panels = np.empty((n_features, n_features), dtype=object)
    for i in range(n_features):
        panels[i, 0] = figure.add_subplot(grid[i, 0])
    for j in range(1, n_features):
        panels[last, j] = figure.add_subplot(grid[last, j])
        for i in range(j, last):
            panels[i, j] = _crossing(panels[i, 0], panels[last, j])
    above = np.triu_indices(n_features, 1)
    panels[above] = _crossing(panels[0, 0], panels[last, 1])
    return panels


def _crossing(row: Axes, column: Axes) -> Axes:
    """A panel where the row of one meets the column of another, wherever a layout puts these."""

    def place(ax: object, renderer: object) -> Bbox:
        x, y = column.get_position(), row.get_position()
        return Bbox([[x.x0, y.y0], [x.x1, y.y1]])

    ax: Axes = row.figure.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_axes_locator(place)
    return ax


def _draw_pair(
    ax: Axes,
    marginal: GaussianMixture,
    values: Floats,
    labels: npt.NDArray[np.intp],
    sizes: list[float],
    palette: Floats,
    chosen: list[int],
    limits: float | None,
) -> None:
    """Draw the rows and components of two features."""
    known = ~np.isnan(values).any(axis=1)
    values, labels = values[known], labels[known]
    frame = frame_about(values, limits, marginal, max(sizes))
    with room_for(ax, frame, note=False):
        draw_rows(ax, values, palette[labels])
        draw_small_marks(ax, marginal, sizes, palette, chosen)


def _draw_one(
    ax: Axes,
    marginal: GaussianMixture,
    values: Floats,
    reach: float,
    palette: Floats,
    chosen: list[int],
    limits: float | None,
) -> None:
    """Draw the density of one feature."""
    values = values[~np.isnan(values[:, 0])]
    frame = frame_about(values, limits, marginal, reach)
    with room_for(ax, frame, note=False):
        draw_histogram(ax, values[:, 0], frame.box)
        draw_curves(ax, marginal, palette, chosen, frame.box)


def _share_limits(axes: Panels) -> None:
    """Give the panels of a column, and off the diagonal those of a row, one range."""
    for i in range(len(axes)):
        column, row = axes[i:, i], axes[i, :i]
        wide = np.array([ax.get_xlim() for ax in column])
        for ax in column:
            if ax.get_autoscalex_on():
                ax.set_xlim(wide.min(), wide.max())
        high = np.array([ax.get_ylim() for ax in row])
        for ax in row:
            if ax.get_autoscaley_on():
                ax.set_ylim(high.min(), high.max())


def _label_panels(axes: Panels, labels: list[str]) -> None:
    """Name the features along the left and the bottom, and leave out ticks between panels."""
    last = len(axes) - 1
    for i, label in enumerate(labels):
        # Names longer than a panel would push the panels apart.
        lines = textwrap.fill(label, _LONGEST)
        axes[last, i].set_xlabel(lines)
        axes[i, 0].set_ylabel(lines if i else "density")
        axes[i, i].tick_params(left=False, labelleft=False)
        for ax in axes[i, 1:i]:
            ax.tick_params(labelleft=False)
        for ax in axes[i, : i + 1]:
            # No tick at the ends, where its label would run into the next panel's.
            ax.locator_params(nbins=5, prune="both")
            if i < last:
                ax.tick_params(labelbottom=False)


def _draw_legend(axes: Panels, weights: Floats, palette: Floats, chosen: list[int]) -> None:
    """Write the weights of the components above the diagonal, where nothing else is."""
    handles = [
        Line2D([], [], color=palette[k], marker="D", markersize=5, label=component_text(k, weight))
        for k, weight in enumerate(weights)
        if k in chosen
    ]
    legend = axes[0, 1].legend(
        handles=handles,
        title="component (weight)",
        fontsize="small",
        title_fontsize="small",
        loc="upper left",
        ncols=-(-len(handles) // _IN_A_COLUMN),
        borderaxespad=0.0,
        columnspacing=1.0,
        handlelength=1.2,
    )
    # It reaches over panels that are switched off, and must not push them apart.
    legend.set_in_layout(len(axes) == 2)
