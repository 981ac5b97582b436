"""Plots of one model: components, density, responsibilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .._checks.arguments import check_flag
from ..mixture import GaussianMixture
from . import checks
from .frame import room_for
from .labels import component_text, label_components
from .legends import place_legend
from .marks import draw_ellipses, draw_histogram, draw_intervals, draw_means, draw_rows
from .regions import draw_contours, draw_curves, draw_regions, region_handles
from .style import Floats, palette_of, whole_numbers
from .view import View, checked_rows, frame_about, responsibilities_of, shown_rows

# Axes show a component as far as so many standard deviations about its mean, where rows far off
# are left out and no ellipse says otherwise.
_REACH = 3.0


def plot_covariances(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: int | str | Sequence[int | str] | None = None,
    deviations: float | Sequence[float] = (1.0, 2.0),
    components: int | Sequence[int] | None = None,
    label: bool = False,
    limits: float | None = 0.98,
    ax: Axes | None = None,
) -> Axes:
    """Plot the components as ellipses, over the rows coloured by component.

    The ellipse of a component at `s` standard deviations holds the points at Mahalanobis distance
    `s` or less from its mean, in the marginal distribution of the two features. It contains
    ``1 - exp(-s**2 / 2)`` of the component's mass: 39 % for 1, 86 % for 2.

    With one feature each component is a bar on a line of its own instead, from ``mean - s * sd``
    to ``mean + s * sd``, and the rows are scattered a little about the line of theirs.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    X : array-like of shape (n, d), optional
        Rows to show, as `predict` takes them; those without a value in a feature shown are left
        out. Each has the colour of its most probable component, given all d features.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
    deviations : float or sequence of float, default=(1.0, 2.0)
        Sizes of the ellipses in standard deviations.
    components : int or sequence of int, optional
        The components to show, by number. The rows of others are pale. By default all.
    label : bool, default=False
        Whether to write the number and the weight of each component beside its mean, or its line.
    limits : float or None, default=0.98
        Of rows that lie far off the axes show only how many there are. In sight are those within
        the interval that holds this share of the rows in the middle, and its length again on
        either side, in each feature shown; so are components within it or of more weight than
        ``1 - limits``. With None all are, as they are with fewer than 20 rows and with none.
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
    >>> from gaussmix.plotting import plot_covariances
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) * [1, 3]
    >>> model = GaussianMixture().fit(X)
    >>> ax = plot_covariances(model, X, deviations=2)
    >>> len(ax.patches)
    1
    """
    view = View(model, features, ax)
    sizes = checks.check_numbers_between(deviations, "deviations", 0.0, np.inf)
    chosen = checks.check_components(components, view.n_components)
    check_flag(label, "label")
    limits = checks.check_limits(limits)
    rows, labels, frame = shown_rows(view, model, X, limits, max(sizes))
    # The pale ones first, so that they cover none of the others.
    order = np.argsort(np.isin(labels, chosen), kind="stable")
    rows, labels = rows[order], labels[order]
    ax = view.axes()
    palette = palette_of(ax, view.n_components, chosen)
    means = view.marginal.means_
    with room_for(ax, frame):
        if view.n_features == 1:
            lines = np.arange(view.n_components)
            jitter = np.random.default_rng(0).uniform(-0.3, 0.3, size=len(rows))
            draw_rows(ax, np.column_stack([view.shown(rows), labels + jitter]), palette[labels])
            draw_intervals(ax, view.marginal, sizes, palette, chosen)
            means = np.column_stack([means, lines])
            ax.set_ylim(-0.5, view.n_components - 0.5)
            _number_lines(ax, chosen, view.marginal.weights_ if label else None)
        else:
            draw_rows(ax, view.shown(rows), palette[labels])
            draw_ellipses(ax, view.marginal, sizes, palette, chosen)
        draw_means(ax, means, palette, chosen)
    view.label_axes(ax, "component")
    if label and view.n_features == 2:
        label_components(ax, means, chosen, view.marginal.weights_)
    return ax


def _number_lines(ax: Axes, components: list[int], weights: Floats | None) -> None:
    """Number the lines of components, with their weights if these are given."""
    if weights is None:
        ax.yaxis.set_major_locator(whole_numbers())
    else:
        texts = [component_text(k, weights[k]) for k in components]
        ax.set_yticks(components, labels=texts, fontsize="small")


def plot_density(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: int | str | Sequence[int | str] | None = None,
    levels: float | Sequence[float] = (0.5, 0.9, 0.99),
    components: int | Sequence[int] | None = None,
    label: bool = False,
    limits: float | None = 0.98,
    ax: Axes | None = None,
) -> Axes:
    """Plot the density of the mixture by its highest-density regions.

    The region of a level, say 0.9, is the smallest one that contains this probability: all points
    whose density is above a threshold. The threshold is the 0.1-quantile of the log-density of
    rows drawn from the mixture (Hyndman 1996), 131,072 rows with a fixed seed, so that the
    probability is met to 0.0014 (standard error). Of a model with more features the marginal
    density of those shown is meant.

    With two features, contours bound the regions. With one, the density is a curve, with the
    regions shaded below it, each component's share, weight times density, a dashed curve, and the
    rows a histogram.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    X : array-like of shape (n, d), optional
        Rows to show, as `predict` takes them; those without a value in a feature shown are left
        out.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
    levels : float or sequence of float, default=(0.5, 0.9, 0.99)
        Probabilities that the regions contain, between 0 and 1.
    components : int or sequence of int, optional
        The components whose shares are shown, by default all. With two features their means are
        marked, and by default none unless `label` is set.
    label : bool, default=False
        Whether to write the number and the weight of each component beside its mean.
    limits : float or None, default=0.98
        Of rows that lie far off the axes show only how many there are. In sight are those within
        the interval that holds this share of the rows in the middle, and its length again on
        either side, in each feature shown; so are components within it or of more weight than
        ``1 - limits``. With None all are, as they are with fewer than 20 rows and with none.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn.

    References
    ----------
    Hyndman, R. J. (1996). Computing and graphing highest density regions. The American
    Statistician 50, 120-126.

    Examples
    --------
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_density
    >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0])
    >>> ax = plot_density(model, levels=[0.5, 0.95])
    >>> ax.get_ylabel()
    'density'
    """
    view = View(model, features, ax)
    masses = checks.check_numbers_between(levels, "levels", 0.0, 1.0)
    chosen = checks.check_components(components, view.n_components)
    check_flag(label, "label")
    limits = checks.check_limits(limits)
    if view.n_features == 1:
        return _density_of_one(view, model, X, masses, chosen, label, limits)
    rows, _labels, frame = shown_rows(view, model, X, limits, _REACH)
    ax = view.axes()
    with room_for(ax, frame):
        draw_rows(ax, view.shown(rows), palette_of(ax, 1))
        draw_contours(ax, view.marginal, masses, frame.box)
        if label or components is not None:
            palette = palette_of(ax, view.n_components)
            draw_means(ax, view.marginal.means_, palette, chosen)
    view.label_axes(ax)
    if label:
        label_components(ax, view.marginal.means_, chosen, view.marginal.weights_)
    place_legend(ax, region_handles(ax, masses), "small", may_grow=ax.get_autoscaley_on())
    return ax


def _density_of_one(
    view: View,
    model: GaussianMixture,
    X: Any,
    masses: list[float],
    chosen: list[int],
    label: bool,
    limits: float | None,
) -> Axes:
    """`plot_density` of one feature."""
    rows, _labels = checked_rows(model, X)
    values = view.shown(rows)
    values = values[~np.isnan(values[:, 0])]
    frame = frame_about(values, limits, view.marginal, _REACH)
    ax = view.axes()
    may_grow = ax.get_autoscaley_on()
    palette = palette_of(ax, view.n_components)
    with room_for(ax, frame):
        bars = draw_histogram(ax, values[:, 0], frame.box)
        draw_regions(ax, view.marginal, masses, frame.box)
        curves = draw_curves(ax, view.marginal, palette, chosen, frame.box)
    view.label_axes(ax, "density")
    if label:
        means = view.marginal.means_
        heights = np.exp(view.marginal.component_log_density(means)).diagonal()
        places = np.column_stack([means, view.marginal.weights_ * heights])
        label_components(ax, places, chosen, view.marginal.weights_)
    handles = [*bars, *curves, *region_handles(ax, masses)]
    place_legend(ax, handles, "small", may_grow=may_grow)
    return ax


def plot_responsibilities(
    model: GaussianMixture,
    X: Any,
    *,
    features: int | str | Sequence[int | str] | None = None,
    components: int | Sequence[int] | None = None,
    label: bool = False,
    limits: float | None = 0.98,
    ax: Axes | None = None,
) -> Axes:
    """Plot rows in the colours of their components, mixed by the responsibilities.

    A row that belongs to one component has that component's colour; one halfway between two has
    the mean of their colours. The least certain rows are drawn last, above the others. Markers at
    the means show the colours unmixed.

    With one feature, the height of a row is the probability of its most probable component.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    X : array-like of shape (n, d)
        Rows to show, as `predict` takes them; those without a value in a feature shown are left
        out. Responsibilities are those given all d features.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
    components : int or sequence of int, optional
        The components to show in their colours, by number. All others are pale. By default all.
    label : bool, default=False
        Whether to write the number and the weight of each component beside its mean.
    limits : float or None, default=0.98
        Of rows that lie far off the axes show only how many there are. In sight are those within
        the interval that holds this share of the rows in the middle, and its length again on
        either side, in each feature shown; so are components within it or of more weight than
        ``1 - limits``. With None all are, as they are with fewer than 20 rows and with none.
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
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_responsibilities
    >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [4.0, 0.0]], [1.0, 1.0])
    >>> ax = plot_responsibilities(model, [[0.0, 1.0], [2.0, 0.0], [4.0, 1.0]])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('column 0', 'column 1')
    """
    view = View(model, features, ax)
    chosen = checks.check_components(components, view.n_components)
    check_flag(label, "label")
    limits = checks.check_limits(limits)
    if X is None:
        raise checks.rows_missing()
    rows, _labels, frame = shown_rows(view, model, X, limits, _REACH)
    responsibilities = responsibilities_of(model, rows)
    certainty = responsibilities.max(axis=1, initial=0.0)
    order = np.argsort(-certainty, kind="stable")
    ax = view.axes()
    palette = palette_of(ax, view.n_components, chosen)
    mixed = np.clip(responsibilities[order] @ palette, 0.0, 1.0)
    means = view.marginal.means_
    with room_for(ax, frame):
        if view.n_features == 1:
            heights = np.column_stack([view.shown(rows), certainty])
            draw_rows(ax, heights[order], mixed, alpha=1.0)
            ax.set_ylim(0.0, 1.05)
        else:
            draw_rows(ax, view.shown(rows)[order], mixed, alpha=1.0)
            draw_means(ax, means, palette, chosen)
    view.label_axes(ax, "largest responsibility")
    if label:
        if view.n_features == 1:  # below the rows, as none is there
            means = np.column_stack([means, np.zeros(len(means))])
            ax.set_ylim(-0.05, 1.05)
            draw_means(ax, means, palette, chosen)
        label_components(ax, means, chosen, view.marginal.weights_)
    return ax
