"""A plot of what sets the components apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .._estimators.base import mixture_of
from ..mixture import GaussianMixture
from . import checks
from .style import Floats, is_dark, map_between, percent, poles_of
from .view import current_axes, deviations_of, marginal_of

# Means farther off have the last colour.
_FARTHEST = 3.0

# Inches of a cell, of what is beside the cells, and bounds of a figure.
_CELL = np.array([0.55, 0.3])
_BESIDE = np.array([3.0, 1.2])
_BOUNDS = np.array([[5.0, 3.0], [40.0, 40.0]])

# Of more components numbers do not fit into the cells.
_MOST_NUMBERS = 14


def plot_profile(
    model: GaussianMixture,
    *,
    features: int | str | Sequence[int | str] | None = None,
    components: int | Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the means of the components as a heat map: what sets each apart.

    A component is a column, with its number and weight below it, and a feature a row. A cell says
    how many standard deviations the component's mean lies above or below the mean of the whole
    mixture, both of the mixture's own distribution of the feature; the colours end at three.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    features : int, str or sequence of these, optional
        The features to show, by index or, if the model was fitted to named columns, by name. By
        default all.
    components : int or sequence of int, optional
        The components to show, by number, in the order given. By default all.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure, which is as
        large as the cells need. Axes for the scale of the colours are added beside them.

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
    >>> from gaussmix.plotting import plot_profile
    >>> model = GaussianMixture.from_parameters([0.5, 0.5], [[0, 1], [4, 1]], [1.0, 1.0])
    >>> ax = plot_profile(model)
    >>> [text.get_text() for text in ax.texts]
    ['−0.9', '+0.9', '0.0', '0.0']
    """
    checks.check_model(model, GaussianMixture)
    checks.check_axes(ax, Axes)
    names = getattr(model, "feature_names_in_", None)
    parameters = mixture_of(model)
    columns = checks.check_many_features(
        features, parameters.n_features, names, 1, parameters.n_features
    )
    chosen = checks.check_components(components, parameters.n_components)
    profile = _standardised_means(marginal_of(model, columns))[chosen].T
    if ax is None:
        size = np.clip(_BESIDE + _CELL * profile.shape[::-1], *_BOUNDS)
        ax = current_axes((float(size[0]), float(size[1])))
    below, above = poles_of(ax)
    farthest = float(np.clip(np.abs(profile).max(), 1.0, _FARTHEST))
    cells = ax.pcolormesh(
        profile,
        cmap=map_between(below, ax.get_facecolor(), above),
        vmin=-farthest,
        vmax=farthest,
        edgecolor=ax.get_facecolor(),
        linewidth=1.0,
    )
    ax.set(xlim=(0, len(chosen)), ylim=(len(columns), 0))
    shares = [percent(parameters.weights[k]) for k in chosen]
    ax.set_xticks(
        np.arange(len(chosen)) + 0.5,
        labels=[f"{k}\n{share}" for k, share in zip(chosen, shares)],
        fontsize="small",
    )
    labels = [checks.feature_label(column, names) for column in columns]
    ax.set_yticks(np.arange(len(columns)) + 0.5, labels=labels)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("component, and its weight")
    if len(chosen) <= _MOST_NUMBERS:
        _write_numbers(ax, profile, cells.to_rgba(profile))
    beyond = ("neither", "min", "max", "both")[
        int(profile.min() < -farthest) + 2 * int(profile.max() > farthest)
    ]
    scale = ax.figure.colorbar(cells, ax=ax, extend=beyond, pad=0.02)
    scale.set_label("standardised mean")
    scale.outline.set_visible(False)
    return ax


def _standardised_means(mixture: GaussianMixture) -> Floats:
    """The means of the components in deviations of the mixture from its mean, (K, d)."""
    weights, means = mixture.weights_, mixture.means_
    # About the mean, as squares of large means would have no digits left for the variance.
    apart = means - weights @ means
    variances = weights @ (apart**2 + deviations_of(mixture) ** 2)
    standardised: Floats = apart / np.sqrt(variances)
    return standardised


def _write_numbers(ax: Axes, profile: Floats, colours: Floats) -> None:
    """Write into each cell its number, in black or white, whichever is read more easily."""
    for (i, j), number in np.ndenumerate(profile):
        ax.text(
            j + 0.5,
            i + 0.5,
            f"{number:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0"),
            ha="center",
            va="center",
            fontsize="x-small",
            color="white" if is_dark(colours[i, j, :3]) else "black",
        )
