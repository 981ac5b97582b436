"""Plots of fitted mixtures on matplotlib axes. Needs the ``plot`` extra.

Every function draws on the axes it is given, by default the current ones, and returns them; none
shows or saves a figure. Text and other neutral ink has the colour of the axes' own labels;
components take the colours of the style's cycle in turn. Where there are more components than
colours, further rounds of the cycle are blended with the ink, so that no two are equal.

Of more than 20,000 rows a random 20,000 are shown, the same ones each time, and points are drawn
as pixels also in vector formats, so that a picture of a million rows is as quick and as small as
one of a few thousand.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _validation
from ._parameters.layouts import layout_of
from .mixture import GaussianMixture

try:
    from matplotlib import colors, rcParams
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Ellipse, Patch, StepPatch
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError(
        "gaussmix.plotting needs matplotlib; install it with: pip install 'gaussmix[plot]'"
    ) from error

__all__ = [
    "plot_convergence",
    "plot_covariances",
    "plot_criteria",
    "plot_density",
    "plot_responsibilities",
]

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.intp]

# Rows shown of more. Above some ten thousand, points only cover each other.
_MOST_ROWS = 20_000

# Rows drawn from a mixture to find its highest-density regions: the mass of one is then right to
# 0.14 percentage points (standard error), or better.
_DRAWN = 1 << 17

# Places in each direction at which the density is computed: about one a pixel.
_CURVE_PLACES = 1000
_CONTOUR_PLACES = 300
_MOST_PLACES = 1000

_MOST_BINS = 200

# The corners of axes, in which a legend covers about half the width and a quarter of the height.
Corner = Literal["upper right", "upper left", "lower right", "lower left"]
_CORNERS: dict[Corner, tuple[float, float]] = {
    "upper right": (1.0, 1.0),
    "upper left": (0.0, 1.0),
    "lower right": (1.0, 0.0),
    "lower left": (0.0, 0.0),
}

_LINE_STYLES = ("-", "--", ":")
_MARKERS = ("o", "s", "^")


# -------------------------------------------------------------------------------------------------
# Plots of one model
# -------------------------------------------------------------------------------------------------


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
    view = _View(model, features, ax)
    sizes = _validation.check_numbers_between(deviations, "deviations", 0.0, np.inf)
    rows, labels = _shown(model, X)
    ax = view.axes()
    palette = _palette(ax, view.n_components)
    if view.n_features == 1:
        lines = np.arange(view.n_components)
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, size=len(rows))
        _draw_rows(ax, np.column_stack([view.shown(rows), labels + jitter]), palette[labels])
        _draw_intervals(ax, view.marginal, sizes, palette)
        _draw_means(ax, np.column_stack([view.marginal.means_, lines]), palette)
        ax.set_ylim(-0.5, view.n_components - 0.5)
        ax.yaxis.set_major_locator(_integers())
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
    view = _View(model, features, ax)
    masses = _validation.check_numbers_between(levels, "levels", 0.0, 1.0)
    if view.n_features == 1:
        rows, _labels = _checked_rows(model, X)
        ax = view.axes()
        bars = _draw_histogram(ax, view.shown(rows)[:, 0])
        curves = _draw_curves(ax, view.marginal, masses, _palette(ax, view.n_components))
        ax.legend(handles=[*bars, *curves, *_region_handles(ax, masses)], fontsize="small")
        view.label_axes(ax, "density")
        return ax
    rows, _labels = _shown(model, X)
    ax = view.axes()
    _draw_rows(ax, view.shown(rows), _palette(ax, 1))
    _draw_contours(ax, view.marginal, masses)
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
    view = _View(model, features, ax)
    if X is None:
        raise _validation.rows_missing()
    rows, _labels = _shown(model, X)
    responsibilities = _nameless(model).predict_proba(rows).astype(np.float64)
    certainty = responsibilities.max(axis=1)
    order = np.argsort(-certainty, kind="stable")
    ax = view.axes()
    palette = _palette(ax, view.n_components)
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


# -------------------------------------------------------------------------------------------------
# Plots of one model or several
# -------------------------------------------------------------------------------------------------


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
    one type and one number of components the lowest value is shown.

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
    names = _validation.check_criteria(criteria)
    _validation.check_axes(ax, Axes)
    values = {name: _lowest_values(fitted, X, name) for name in names}
    ax = _current_axes() if ax is None else ax
    types = list(dict.fromkeys(model.covariance_type for model in fitted))
    palette = _palette(ax, len(types))
    for name, line_style, marker in zip(names, _LINE_STYLES, _MARKERS):
        for covariance_type, colour in zip(types, palette):
            n_components, heights = np.transpose(sorted(values[name][covariance_type].items()))
            ax.plot(
                n_components,
                heights,
                color=colour,
                linestyle=line_style,
                marker=marker,
                markersize=4,
                label=f"{covariance_type}, {name.upper()}",
            )
    for name in names:
        best = min((y, x) for line in values[name].values() for x, y in line.items())
        _draw_ring(ax, best[1], best[0], label="lowest" if name == names[0] else "_lowest")
    ax.set_xlabel("number of components")
    ax.set_ylabel(f"{', '.join(map(str.upper, names))} (−2 ln L; lower is better)")
    ax.xaxis.set_major_locator(_integers())
    ax.legend()
    return ax


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
    _validation.check_axes(ax, Axes)
    courses = [
        _validation.check_lower_bounds(model, f"models[{i}]") for i, model in enumerate(fitted)
    ]
    ax = _current_axes() if ax is None else ax
    ink = _ink(ax)
    collapsed = []
    for bounds, label, colour in zip(courses, _differences(fitted), _palette(ax, len(fitted))):
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
    ax.xaxis.set_major_locator(_integers())
    if len(fitted) > 1 or collapsed:
        ax.legend()
    return ax


# -------------------------------------------------------------------------------------------------
# What is shown: features, rows, models
# -------------------------------------------------------------------------------------------------


class _View:
    """The features of a model that a plot shows, and the axes it goes to.

    Attributes
    ----------
    columns : list of int
        The one or two features.
    marginal : GaussianMixture
        Their marginal distribution.
    """

    def __init__(self, model: GaussianMixture, features: Any, ax: Axes | None):
        _validation.check_model(model, GaussianMixture)
        _validation.check_axes(ax, Axes)
        names = getattr(model, "feature_names_in_", None)
        # The parameters that scores are computed from; attributes may have been set by the user.
        parameters = model._parameters()
        self.columns = _validation.check_features(features, parameters.n_features, names)
        self.n_features = len(self.columns)
        self.n_components = parameters.n_components
        self.marginal = GaussianMixture.from_parameters(
            parameters.weights / parameters.weights.sum(),
            parameters.means[:, self.columns],
            parameters.layout.of_columns(
                parameters.definite_covariances(), np.array(self.columns)
            ),
            covariance_type=parameters.layout.name,
            n_threads=model.n_threads,
        )
        self._labels = [_validation.feature_label(column, names) for column in self.columns]
        self._ax = ax

    def axes(self) -> Axes:
        """The axes to draw on."""
        return _current_axes() if self._ax is None else self._ax

    def shown(self, rows: Floats) -> Floats:
        """The features of rows that are shown."""
        return rows[:, self.columns]

    def label_axes(self, ax: Axes, height: str = "") -> None:
        """Label the axes with the features; with one of them `height` says what y is."""
        ax.set_xlabel(self._labels[0])
        ax.set_ylabel(height or self._labels[1])


def _current_axes() -> Axes:
    """pyplot's current axes; a new figure makes room for whatever labels there will be."""
    if not plt.get_fignums():
        plt.figure(layout="constrained")
    return plt.gca()


def _checked_rows(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """All rows as an array, and the most probable component of each; no rows for no X."""
    if X is None:
        return np.empty((0, np.shape(model.means_)[1])), np.empty(0, dtype=np.intp)
    labels: Labels = model.predict(X)  # looks at every value, and at the names of the columns
    rows, _names = _validation.as_rows(X)
    return rows, labels


def _shown(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """The rows that are shown, and their labels."""
    rows, labels = _checked_rows(model, X)
    if len(rows) <= _MOST_ROWS:
        return rows, labels
    generator = np.random.default_rng(0)
    kept = np.sort(generator.choice(len(rows), _MOST_ROWS, replace=False, shuffle=False))
    return rows[kept], labels[kept]


def _nameless(model: GaussianMixture) -> GaussianMixture:
    """The model without column names, to score rows that have lost theirs."""
    nameless = copy.copy(model)
    vars(nameless).pop("feature_names_in_", None)
    return nameless


def _fitted_models(models: Any) -> list[GaussianMixture]:
    """One model or several as a list of fitted ones."""
    fitted: list[GaussianMixture] = _validation.check_models(models, GaussianMixture)
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


# -------------------------------------------------------------------------------------------------
# Colours
# -------------------------------------------------------------------------------------------------


def _ink(ax: Axes) -> str:
    """The colour of text on these axes, which may be of another style than the current one."""
    return colors.to_hex(ax.xaxis.label.get_color())


def _palette(ax: Axes, n_colours: int) -> Floats:
    """Colours as (n, 3) RGB: the style's cycle, and rounds of it blended with the ink."""
    ink = np.array(colors.to_rgb(_ink(ax)))
    cycle = rcParams["axes.prop_cycle"].by_key().get("color", [ink])
    cycle = np.array([colors.to_rgb(colour) for colour in cycle])
    turns, places = np.divmod(np.arange(n_colours), len(cycle))
    blend = (turns / (turns[-1] + 1))[:, np.newaxis]
    mixed: Floats = (1.0 - blend) * cycle[places] + blend * ink
    return mixed


# -------------------------------------------------------------------------------------------------
# Drawing
# -------------------------------------------------------------------------------------------------


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


def _draw_ring(ax: Axes, x: float, y: float, label: str) -> None:
    ax.plot(
        x,
        y,
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=_ink(ax),
        markeredgewidth=1.5,
        label=label,
    )


def _draw_ellipses(
    ax: Axes, marginal: GaussianMixture, sizes: list[float], palette: Floats
) -> None:
    for k, (mean, colour) in enumerate(zip(marginal.means_, palette)):
        variances, directions = np.linalg.eigh(_covariance(marginal, k))
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
        deviation = np.sqrt(_covariance(marginal, k)[0, 0])
        for size, width in zip(sizes, np.linspace(4.0, 1.5, len(sizes))):
            ends = [mean - size * deviation, mean + size * deviation]
            ax.plot(ends, [k, k], "-", color=colour, linewidth=width, marker="", zorder=2.5)


def _covariance(model: GaussianMixture, component: int) -> Floats:
    """The covariance matrix of one component, whatever the family."""
    layout = layout_of(model.covariance_type)
    covariances = model.covariances_.astype(np.float64, copy=False)
    return layout.matrix(covariances, component, model.means_.shape[1])


def _thresholds(
    marginal: GaussianMixture, masses: list[float]
) -> tuple[list[float], Floats, Floats]:
    """Log-densities above which the masses lie, the rows drawn to find them, and their own."""
    drawn, _components = marginal.sample(_DRAWN, random_state=0)
    log_density = marginal.score_samples(drawn)
    return np.quantile(log_density, 1.0 - np.array(masses)).tolist(), drawn, log_density


def _places(low: float, high: float, n_places: int, means: Floats, deviations: Floats) -> Floats:
    """Evenly spaced coordinates, and more about components too narrow for their distance."""
    even = np.linspace(low, high, n_places)
    narrow = deviations < 3.0 * (high - low) / n_places
    about = means[narrow, np.newaxis] + np.outer(deviations[narrow], np.linspace(-4, 4, 33))
    return np.unique(np.concatenate([even, about.ravel()]))


def _grid_axes(marginal: GaussianMixture, box: Floats, n_places: int) -> list[Floats]:
    """Coordinates along each feature, at which to compute the density in a box (2, d)."""
    low, high = box
    covariances = np.array([_covariance(marginal, k) for k in range(len(marginal.means_))])
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    # Components that are narrow in a direction between the axes take a finer grid.
    narrowest = np.sqrt(np.linalg.eigvalsh(covariances / np.outer(high - low, high - low)).min())
    n_places = int(np.clip(3.0 / narrowest, n_places, _MOST_PLACES))
    return [
        _places(*ends, n_places, marginal.means_[:, j], deviations[:, j])
        for j, ends in enumerate(zip(low, high))
    ]


def _draw_contours(ax: Axes, marginal: GaussianMixture, masses: list[float]) -> None:
    """Draw the regions of two features."""
    thresholds, drawn, log_density = _thresholds(marginal, masses)
    inside = drawn[log_density >= thresholds[-1]]
    margin = 0.1 * np.ptp(inside, axis=0)
    box = np.array([inside.min(axis=0) - margin, inside.max(axis=0) + margin])
    x, y = _grid_axes(marginal, box, _CONTOUR_PLACES)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    height = marginal.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ink = _ink(ax)
    rising = thresholds[::-1]
    top = max(height.max(), rising[-1]) + 1.0
    shades = [colors.to_rgba(ink, shade) for shade in _shades(masses)]
    ax.contourf(x, y, height, [*rising, top], colors=shades[::-1], zorder=1)
    ax.contour(x, y, height, rising, colors=ink, linewidths=1.0, linestyles="-", zorder=2)
    corner = _emptiest_corner(ax, inside)
    ax.legend(handles=_region_handles(ax, masses), fontsize="small", loc=corner)


def _draw_curves(
    ax: Axes, marginal: GaussianMixture, masses: list[float], palette: Floats
) -> list[Line2D]:
    """Draw the density of one feature and the shares of the components; returns the legend's."""
    ink = _ink(ax)
    thresholds, drawn, _log_density = _thresholds(marginal, masses)
    box = np.array([drawn.min(axis=0), drawn.max(axis=0)])
    (x,) = _grid_axes(marginal, box, _CURVE_PLACES)
    log_density = marginal.score_samples(x[:, np.newaxis])
    density = np.exp(log_density)
    shares = density[:, np.newaxis] * marginal.predict_proba(x[:, np.newaxis])
    outside = 1.0
    for threshold, shade in list(zip(thresholds, _shades(masses)))[::-1]:
        inside = log_density >= threshold
        # On top of the larger regions the ink adds up to the shade.
        alpha, outside = 1.0 - (1.0 - shade) / outside, 1.0 - shade
        ax.fill_between(x, 0.0, density, where=inside, color=ink, alpha=alpha, linewidth=0)
    for k, colour in enumerate(palette):
        ax.plot(x, shares[:, k], "--", color=colour, marker="", label=f"component {k}")
    (curve,) = ax.plot(x, density, "-", color=ink, marker="", label="density")
    ax.set_ylim(bottom=0.0)
    return [curve, Line2D([], [], color=ink, linestyle="--", label="share of a component")]


def _draw_histogram(ax: Axes, values: Floats) -> list[StepPatch]:
    """Draw how dense the rows are along a feature; returns the legend's."""
    if not len(values):
        return []
    counts, edges = np.histogram(values, bins=_n_bins(values), density=True)
    return [ax.stairs(counts, edges, color=_ink(ax), alpha=0.6, linewidth=0.8, label="rows")]


def _n_bins(values: Floats) -> int:
    """The number of bins by the rule of Freedman and Diaconis, within bounds."""
    quartiles = np.quantile(values, [0.25, 0.75])
    width = 2.0 * (quartiles[1] - quartiles[0]) / np.cbrt(len(values))
    spread = float(np.ptp(values))
    return int(np.clip(np.ceil(spread / width), 1, _MOST_BINS)) if width > 0 else 1


def _shades(masses: list[float]) -> list[float]:
    """How much ink is in each of the nested regions, from the innermost out."""
    shades: list[float] = np.linspace(0.35, 0.1, len(masses)).tolist()
    return shades


def _region_handles(ax: Axes, masses: list[float]) -> list[Patch]:
    """What a legend shows of the regions."""
    ink = _ink(ax)
    return [
        Patch(facecolor=(ink, shade), edgecolor=ink, label=f"{100 * mass:g} % of the probability")
        for mass, shade in zip(masses, _shades(masses))
    ]


def _emptiest_corner(ax: Axes, points: Floats) -> Corner:
    """The corner with the fewest of some points, for a legend: its own search sees no contours."""
    places = ax.transAxes.inverted().transform(ax.transData.transform(points))

    def covered(corner: Corner) -> int:
        near = np.abs(places - _CORNERS[corner]) < [0.45, 0.25]
        return int(np.count_nonzero(near.all(axis=1)))

    return min(_CORNERS, key=covered)


def _integers() -> MaxNLocator:
    """Ticks at whole numbers only."""
    return MaxNLocator(integer=True, min_n_ticks=1)
