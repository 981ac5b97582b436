"""Plots of one model: components, density, responsibilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, StepPatch

from ..mixture import GaussianMixture
from . import checks
from .regions import draw_contours, draw_curves, region_handles
from .style import Floats, ink_of, palette_of, whole_numbers
from .view import View, checked_rows, covariance_of, shown_rows, without_names

_MOST_BINS = 200


def plot_covariances(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: int | str | Sequence[int | str] | None = None,
    deviations: float | Sequence[float] = (1.0, 2.0),
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
        Rows to show, as `predict` takes them. Each has the colour of its most probable component,
        given all d features.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
    deviations : float or sequence of float, default=(1.0, 2.0)
        Sizes of the ellipses in standard deviations.
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
    rows, labels = shown_rows(model, X)
    ax = view.axes()
    palette = palette_of(ax, view.n_components)
    if view.n_features == 1:
        lines = np.arange(view.n_components)
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, size=len(rows))
        _draw_rows(ax, np.column_stack([view.shown(rows), labels + jitter]), palette[labels])
        _draw_intervals(ax, view.marginal, sizes, palette)
        _draw_means(ax, np.column_stack([view.marginal.means_, lines]), palette)
        ax.set_ylim(-0.5, view.n_components - 0.5)
        ax.yaxis.set_major_locator(whole_numbers())
        view.label_axes(ax, "component")
        return ax
    _draw_rows(ax, view.shown(rows), palette[labels])
    _draw_ellipses(ax, view.marginal, sizes, palette)
    _draw_means(ax, view.marginal.means_, palette)
    view.label_axes(ax)
    return ax


def plot_density(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: int | str | Sequence[int | str] | None = None,
    levels: float | Sequence[float] = (0.5, 0.9, 0.99),
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
        Rows to show, as `predict` takes them.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
    levels : float or sequence of float, default=(0.5, 0.9, 0.99)
        Probabilities that the regions contain, between 0 and 1.
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
    if view.n_features == 1:
        rows, _labels = checked_rows(model, X)
        ax = view.axes()
        bars = _draw_histogram(ax, view.shown(rows)[:, 0])
        curves = draw_curves(ax, view.marginal, masses, palette_of(ax, view.n_components))
        ax.legend(handles=[*bars, *curves, *region_handles(ax, masses)], fontsize="small")
        view.label_axes(ax, "density")
        return ax
    rows, _labels = shown_rows(model, X)
    ax = view.axes()
    _draw_rows(ax, view.shown(rows), palette_of(ax, 1))
    draw_contours(ax, view.marginal, masses)
    view.label_axes(ax)
    return ax


def plot_responsibilities(
    model: GaussianMixture,
    X: Any,
    *,
    features: int | str | Sequence[int | str] | None = None,
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
        Rows to show, as `predict` takes them. Responsibilities are those given all d features.
    features : int, str or sequence of one or two of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two, or the only one.
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
    if X is None:
        raise checks.rows_missing()
    rows, _labels = shown_rows(model, X)
    responsibilities = without_names(model).predict_proba(rows).astype(np.float64)
    certainty = responsibilities.max(axis=1)
    order = np.argsort(-certainty, kind="stable")
    ax = view.axes()
    palette = palette_of(ax, view.n_components)
    mixed = np.clip(responsibilities[order] @ palette, 0.0, 1.0)
    if view.n_features == 1:
        heights = np.column_stack([view.shown(rows), certainty])
        _draw_rows(ax, heights[order], mixed, alpha=1.0)
        ax.set_ylim(0.0, 1.05)
        view.label_axes(ax, "largest responsibility")
        return ax
    _draw_rows(ax, view.shown(rows)[order], mixed, alpha=1.0)
    _draw_means(ax, view.marginal.means_, palette)
    view.label_axes(ax)
    return ax


def _draw_rows(ax: Axes, points: Floats, rgb: Floats, alpha: float = 0.6) -> None:
    """Draw rows as points, the smaller the more there are."""
    if len(points):
        size = np.clip(200.0 / np.sqrt(len(points)), 1.5, 20.0)
        style = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True, "zorder": 1.5}
        ax.scatter(points[:, 0], points[:, 1], c=rgb, **style)


def _draw_means(ax: Axes, points: Floats, palette: Floats) -> None:
    """Draw a marker for each component, labelled for a legend that the user may add."""
    for k, (point, colour) in enumerate(zip(points, palette)):
        ax.plot(
            *point,
            "D",
            color=colour,
            markeredgecolor=ax.get_facecolor(),
            markeredgewidth=1.5,
            markersize=8,
            label=f"component {k}",
            zorder=3,
        )


def _draw_ellipses(
    ax: Axes, marginal: GaussianMixture, sizes: list[float], palette: Floats
) -> None:
    for k, (mean, colour) in enumerate(zip(marginal.means_, palette)):
        variances, directions = np.linalg.eigh(covariance_of(marginal, k))
        angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
        for size in sizes:
            height, width = 2.0 * size * np.sqrt(variances)
            ellipse = Ellipse(
                mean,
                width,
                height,
                angle=angle,
                facecolor="none",
                edgecolor=colour,
                linewidth=1.5,
                zorder=2.5,
            )
            ax.add_patch(ellipse)


def _draw_intervals(
    ax: Axes, marginal: GaussianMixture, sizes: list[float], palette: Floats
) -> None:
    """Draw the bars of a single feature, the wider the thinner."""
    for k, (mean, colour) in enumerate(zip(marginal.means_[:, 0], palette)):
        deviation = np.sqrt(covariance_of(marginal, k)[0, 0])
        for size, width in zip(sizes, np.linspace(4.0, 1.5, len(sizes))):
            ends = [mean - size * deviation, mean + size * deviation]
            ax.plot(ends, [k, k], "-", color=colour, linewidth=width, marker="", zorder=2.5)


def _draw_histogram(ax: Axes, values: Floats) -> list[StepPatch]:
    """Draw how dense the rows are along a feature; returns the legend's."""
    if not len(values):
        return []
    counts, edges = np.histogram(values, bins=_n_bins(values), density=True)
    return [ax.stairs(counts, edges, color=ink_of(ax), alpha=0.6, linewidth=0.8, label="rows")]


def _n_bins(values: Floats) -> int:
    """The number of bins by the rule of Freedman and Diaconis, within bounds."""
    quartiles = np.quantile(values, [0.25, 0.75])
    width = 2.0 * (quartiles[1] - quartiles[0]) / np.cbrt(len(values))
    spread = float(np.ptp(values))
    return int(np.clip(np.ceil(spread / width), 1, _MOST_BINS)) if width > 0 else 1
