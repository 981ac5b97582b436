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
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _validation
from .mixture import GaussianMixture

try:
    from matplotlib import colors, rcParams
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.patches import Ellipse, Patch
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

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]

# Rows shown of more. Above some ten thousand, points only cover each other.
_MOST_ROWS = 20_000

# Rows drawn from a mixture to find its highest-density regions: the mass of one is then right to
# 0.14 percentage points (standard error), or better.
_DRAWN = 1 << 17

# Places in each direction at which the density is computed: about one a pixel.
_CURVE_PLACES = 1000
_CONTOUR_PLACES = 300

_MOST_BINS = 200

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
        The axes to draw on; by default the current ones, ``plt.gca()``.

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
        if rows is not None:
            jitter = np.random.default_rng(0).uniform(-0.3, 0.3, size=len(rows))
            _scatter(ax, rows[:, view.columns[0]], labels + jitter, palette[labels])
        _draw_intervals(ax, view.marginal, sizes, palette)
        view.label_axes(ax, "component")
        return ax
    if rows is not None:
        _scatter(ax, *rows[:, view.columns].T, palette[labels])
    _draw_ellipses(ax, view.marginal, sizes, palette)
    _draw_means(ax, view.marginal, palette)
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
        The axes to draw on; by default the current ones, ``plt.gca()``.

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
        values = None
        if X is not None:
            values = _checked_rows(model, X)[0][:, view.columns[0]].astype(np.float64)
        ax = view.axes()
        _draw_curves(ax, view.marginal, values, masses, _palette(ax, view.n_components))
        view.label_axes(ax, "density")
        return ax
    rows, _labels = _shown(model, X)
    ax = view.axes()
    if rows is not None:
        _scatter(ax, *rows[:, view.columns].T, _palette(ax, 1))
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
        The axes to draw on; by default the current ones, ``plt.gca()``.

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
    rows, _labels = _shown(model, X)
    responsibilities = _nameless(model).predict_proba(rows).astype(np.float64)
    certainty = responsibilities.max(axis=1)
    order = np.argsort(-certainty, kind="stable")
    ax = view.axes()
    palette = _palette(ax, view.n_components)
    mixed = np.clip(responsibilities[order] @ palette, 0.0, 1.0)
    if view.n_features == 1:
        _scatter(ax, rows[order, view.columns[0]], certainty[order], mixed, alpha=1.0)
        view.label_axes(ax, "largest responsibility")
        return ax
    _scatter(ax, *rows[np.ix_(order, view.columns)].T, mixed, alpha=1.0)
    _draw_means(ax, view.marginal, palette)
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
        The axes to draw on; by default the current ones, ``plt.gca()``.

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
    ax = plt.gca() if ax is None else ax
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
        _draw_best(ax, best[1], best[0], f"lowest {name.upper()}")
    ax.set_xlabel("number of components")
    ax.set_ylabel(f"{', '.join(map(str.upper, names))} (units of −2 ln L; lower is better)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
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
        The axes to draw on; by default the current ones, ``plt.gca()``.

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
    ax = plt.gca() if ax is None else ax
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
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
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
            _marginal_covariances(
                parameters.definite_covariances(), parameters.layout, self.columns
            ),
            covariance_type=parameters.covariance_type,
        )
        self._labels = [_validation.feature_label(column, names) for column in self.columns]
        self._ax = ax

    def axes(self) -> Axes:
        """The axes to draw on, a new figure's if there are none."""
        return plt.gca() if self._ax is None else self._ax

    def label_axes(self, ax: Axes, height: str = "") -> None:
        """Label the axes with the features; with one of them `height` says what y is."""
        ax.set_xlabel(self._labels[0])
        ax.set_ylabel(height or self._labels[1])


def _marginal_covariances(covariances: Floats, layout: str, columns: list[int]) -> Floats:
    """The covariances of some of the features, in the layout of all."""
    if layout == "spherical":
        return covariances
    if layout == "diag":
        return covariances[:, columns]
    return covariances[..., columns, :][..., columns]


def _checked_rows(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """All rows as an array, and the most probable component of each."""
    labels: Labels = model.predict(X)  # looks at every value, and at the names of the columns
    rows, _names = _validation.as_rows(X)
    return rows, labels


def _shown(model: GaussianMixture, X: Any) -> tuple[Floats | None, Labels]:
    """The rows that are shown, and their labels; None where there is no X."""
    if X is None:
        return None, np.empty(0, dtype=np.intp)
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
    described = [
        {name: repr(value) for name, value in model.get_params().items()} for model in models
    ]
    differing = [
        name
        for name in described[0]
        if len({params.get(name) for params in described}) > 1
        and all(len(params.get(name, "")) <= 40 for params in described)
    ]
    labels = [", ".join(f"{name}={params[name]}" for name in differing) for params in described]
    if len(set(labels)) == len(labels):
        return labels if len(labels) > 1 else ["mean log-likelihood"]
    return [", ".join(filter(None, (f"model {i}", label))) for i, label in enumerate(labels)]


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


def _scatter(ax: Axes, x: Any, y: Any, rgb: Floats, alpha: float = 0.5) -> None:
    """Draw rows as points, the smaller the more there are."""
    size = np.clip(2000.0 / len(x), 2.0, 16.0)
    ax.scatter(x, y, s=size, c=rgb, alpha=alpha, linewidths=0, rasterized=True, zorder=1.5)


def _draw_means(ax: Axes, marginal: GaussianMixture, palette: Floats) -> None:
    for k, (mean, colour) in enumerate(zip(marginal.means_, palette)):
        ax.plot(
            *mean,
            "o",
            color=colour,
            markeredgecolor=_ink(ax),
            markersize=6,
            label=f"component {k}",
            zorder=3,
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
    ax.autoscale_view()


def _draw_intervals(
    ax: Axes, marginal: GaussianMixture, sizes: list[float], palette: Floats
) -> None:
    """The bars of a single feature, the wider the thinner."""
    for k, (mean, colour) in enumerate(zip(marginal.means_[:, 0], palette)):
        deviation = np.sqrt(_covariance(marginal, k)[0, 0])
        for size, width in zip(sizes, np.linspace(4.0, 1.5, len(sizes))):
            ends = [mean - size * deviation, mean + size * deviation]
            ax.plot(ends, [k, k], color=colour, linewidth=width, zorder=2.5)
        ax.plot(
            mean,
            k,
            "o",
            color=colour,
            markeredgecolor=_ink(ax),
            markersize=6,
            label=f"component {k}",
            zorder=3,
        )
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _covariance(model: GaussianMixture, component: int) -> Floats:
    """The covariance matrix of one component, whatever the family."""
    n_features = model.means_.shape[1]
    covariances = model.covariances_
    if model.covariance_type == "tied":
        return covariances
    if model.covariance_type == "full":
        return covariances[component]
    return np.diag(np.broadcast_to(covariances[component], n_features))


def _thresholds(marginal: GaussianMixture, masses: list[float]) -> tuple[Floats, Floats]:
    """Log-densities above which the masses lie, and a box (2, d) around the largest region."""
    drawn, _components = marginal.sample(_DRAWN, random_state=0)
    log_density = marginal.score_samples(drawn)
    thresholds = np.quantile(log_density, 1.0 - np.array(masses))
    inside = drawn[log_density >= thresholds.min()]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.1 * (high - low)
    return thresholds, np.array([low - margin, high + margin])


def _places(low: float, high: float, n_places: int, means: Floats, deviations: Floats) -> Floats:
    """Evenly spaced coordinates, and more about components too narrow for their distance."""
    even = np.linspace(low, high, n_places)
    narrow = deviations < 3.0 * (high - low) / n_places
    about = means[narrow, np.newaxis] + np.outer(deviations[narrow], np.linspace(-4, 4, 33))
    return np.unique(np.concatenate([even, about.ravel()]))


def _grid_axes(marginal: GaussianMixture, box: Floats, n_places: int) -> list[Floats]:
    """Coordinates along each feature at which to compute the density in a box."""
    n_components, n_features = marginal.means_.shape
    deviations = np.array(
        [np.sqrt(np.diagonal(_covariance(marginal, k))) for k in range(n_components)]
    )
    return [
        _places(*box[:, j], n_places, marginal.means_[:, j], deviations[:, j])
        for j in range(n_features)
    ]


def _draw_contours(ax: Axes, marginal: GaussianMixture, masses: list[float]) -> None:
    thresholds, box = _thresholds(marginal, masses)
    x, y = _grid_axes(marginal, box, _CONTOUR_PLACES)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    log_density = marginal.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ink = _ink(ax)
    heights = np.sort(thresholds)
    top = max(log_density.max(), heights[-1]) + 1.0
    shades = [colors.to_rgba(ink, alpha) for alpha in _alphas(len(masses))]
    ax.contourf(x, y, log_density, [*heights, top], colors=shades[::-1], zorder=1)
    ax.contour(x, y, log_density, heights, colors=ink, linewidths=1.0, zorder=2, linestyles="-")
    ax.autoscale_view(tight=False)  # contours set the limits without the style's margins
    _legend_of_regions(ax, masses)


def _draw_curves(
    ax: Axes,
    marginal: GaussianMixture,
    values: Floats | None,
    masses: list[float],
    palette: Floats,
) -> None:
    """The density of one feature, the shares of the components, and a histogram of values."""
    ink = _ink(ax)
    thresholds, box = _thresholds(marginal, masses)
    (x,) = _grid_axes(marginal, box, _CURVE_PLACES)
    log_density = marginal.score_samples(x[:, np.newaxis])
    density = np.exp(log_density)
    shares = density[:, np.newaxis] * marginal.predict_proba(x[:, np.newaxis])
    if values is not None:
        counts, edges = np.histogram(values, bins=_n_bins(values), density=True)
        ax.stairs(counts, edges, color=ink, alpha=0.6, linewidth=0.8, label="rows")
    for threshold, alpha in zip(thresholds, _alphas(len(masses))):
        ax.fill_between(
            x, 0.0, density, where=log_density >= threshold, color=ink, alpha=alpha, linewidth=0
        )
    for k, colour in enumerate(palette):
        ax.plot(x, shares[:, k], "--", color=colour, label=f"component {k}")
    ax.plot(x, density, color=ink, label="density")
    ax.set_ylim(bottom=0.0)
    _legend_of_regions(ax, masses)


def _n_bins(values: Floats) -> int:
    """The number of bins by the rule of Freedman and Diaconis, within bounds."""
    quartiles = np.quantile(values, [0.25, 0.75])
    width = 2.0 * (quartiles[1] - quartiles[0]) / np.cbrt(len(values))
    spread = np.ptp(values)
    return int(np.clip(np.ceil(spread / width), 1, _MOST_BINS)) if width > 0 else 1


def _alphas(n_regions: int) -> Floats:
    """How much ink shades each of some nested regions, from the innermost out."""
    return np.linspace(0.35, 0.1, n_regions + 1)[:-1]


def _legend_of_regions(ax: Axes, masses: list[float]) -> None:
    ink = _ink(ax)
    handles = [
        Patch(facecolor=(ink, alpha), edgecolor=ink, label=f"{100 * mass:g} %")
        for mass, alpha in zip(masses, _alphas(len(masses)))
    ]
    ax.legend(handles=handles, title="probability inside")


def _draw_best(ax: Axes, n_components: int, value: float, label: str) -> None:
    """A ring about the lowest value of a criterion."""
    ax.plot(
        n_components,
        value,
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=_ink(ax),
        markeredgewidth=1.5,
        label=label,
    )
