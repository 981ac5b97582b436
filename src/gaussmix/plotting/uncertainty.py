"""A map of where components are not told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .._checks.arguments import check_flag
from ..mixture import GaussianMixture
from . import checks
from .frame import room_for
from .labels import label_components
from .marks import draw_means, draw_rows
from .style import Floats, map_between, pale_of, palette_of
from .view import View, deviations_of, shown_rows

# Places in each direction at which the responsibilities are computed.
_PLACES = 240

# Axes reach at least as many standard deviations about the means.
_REACH = 2.0


def plot_uncertainty(
    model: GaussianMixture,
    X: Any = None,
    *,
    features: Sequence[int | str] | None = None,
    label: bool = False,
    limits: float | None = 0.98,
    ax: Axes | None = None,
) -> Axes:
    """Plot a map of how uncertain it is which component a point belongs to.

    Uncertainty is one minus the largest responsibility, as in mclust (Fraley & Raftery 2002): 0
    where a component is certain, at most ``1 - 1 / K`` with K components. Of a model with more
    features the map is that of the marginal mixture of the two shown, in which points are less
    certain than rows with all their features. The map fills the axes; far from all rows it says
    little.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model of two features or more.
    X : array-like of shape (n, d), optional
        Rows to show, as `predict` takes them; those without a value in a feature shown are left
        out. Each has the colour of its most probable component, given all d features.
    features : sequence of two int or str, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default the first two.
    label : bool, default=False
        Whether to write the number and the weight of each component beside its mean.
    limits : float or None, default=0.98
        How far the axes reach, as in `plot_covariances`; None for all rows.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure. Axes for the
        scale of the colours are added beside them.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn.

    References
    ----------
    Fraley, C., Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and density
    estimation. Journal of the American Statistical Association 97, 611-631.

    Examples
    --------
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_uncertainty
    >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [4.0, 0.0]], [1.0, 1.0])
    >>> ax = plot_uncertainty(model)
    >>> cells = ax.collections[0]
    >>> cells.get_clim()
    (0.0, 0.5)
    """
    view = View(model, features, ax)
    checks.check_two(view.n_features)
    check_flag(label, "label")
    limits = checks.check_limits(limits)
    rows, labels, frame = shown_rows(view, model, X, limits, _REACH)
    ax = view.axes()
    palette = palette_of(ax, view.n_components)
    means = view.marginal.means_
    components = range(view.n_components)
    with room_for(ax, frame):
        reach = _REACH * deviations_of(view.marginal)
        ax.update_datalim(np.concatenate([means - reach, means + reach]))
        draw_rows(ax, view.shown(rows), palette[labels], alpha=0.9)
        draw_means(ax, means, palette, components)
    _draw_map(ax, view.marginal)
    view.label_axes(ax)
    if label:
        label_components(ax, means, components, view.marginal.weights_)
    return ax


def _draw_map(ax: Axes, marginal: GaussianMixture) -> None:
    """Fill the axes with the uncertainty, and add its scale."""
    edges = [np.linspace(*ends, _PLACES + 1) for ends in (ax.get_xlim(), ax.get_ylim())]
    centres = [0.5 * (ends[1:] + ends[:-1]) for ends in edges]
    grid = np.stack(np.meshgrid(*centres), axis=-1)
    responsibilities: Floats = marginal.predict_proba(grid.reshape(-1, 2))
    uncertainty = 1.0 - responsibilities.max(axis=1).reshape(grid.shape[:2])
    cells = ax.pcolormesh(
        *edges,
        uncertainty,
        cmap=map_between(ax.get_facecolor(), pale_of(ax, 0.65)),
        vmin=0.0,
        vmax=max(0.5, float(uncertainty.max())),
        rasterized=True,
        zorder=1.0,
    )
    ax.grid(False)
    scale = ax.figure.colorbar(cells, ax=ax, pad=0.02)
    scale.set_label("1 − largest responsibility")
