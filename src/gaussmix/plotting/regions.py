"""Highest-density regions of one feature or two, and the density in them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..mixture import GaussianMixture
from .style import Floats, ink_of
from .view import covariance_of

# Rows drawn from a mixture to find its highest-density regions: the mass of one is then right to
# 0.14 percentage points (standard error), or better.
_DRAWN = 1 << 17

# Places in each direction at which the density is computed: about one a pixel.
_CURVE_PLACES = 1000
_CONTOUR_PLACES = 300
_MOST_PLACES = 1000

# The corners of axes, in which a legend covers about half the width and a quarter of the height.
Corner = Literal["upper right", "upper left", "lower right", "lower left"]
_CORNERS: dict[Corner, tuple[float, float]] = {
    "upper right": (1.0, 1.0),
    "upper left": (0.0, 1.0),
    "lower right": (1.0, 0.0),
    "lower left": (0.0, 0.0),
}


def draw_contours(ax: Axes, marginal: GaussianMixture, masses: list[float]) -> None:
    """Draw the regions of two features."""
    thresholds, drawn, log_density = _thresholds(marginal, masses)
    inside = drawn[log_density >= thresholds[-1]]
    margin = 0.1 * np.ptp(inside, axis=0)
    box = np.array([inside.min(axis=0) - margin, inside.max(axis=0) + margin])
    x, y = _grid_axes(marginal, box, _CONTOUR_PLACES)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    height = marginal.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ink = ink_of(ax)
    rising = thresholds[::-1]
    top = max(height.max(), rising[-1]) + 1.0
    shades = [colors.to_rgba(ink, shade) for shade in _shades(masses)]
    ax.contourf(x, y, height, [*rising, top], colors=shades[::-1], zorder=1)
    ax.contour(x, y, height, rising, colors=ink, linewidths=1.0, linestyles="-", zorder=2)
    corner = _emptiest_corner(ax, inside)
    ax.legend(handles=region_handles(ax, masses), fontsize="small", loc=corner)


def draw_curves(
    ax: Axes, marginal: GaussianMixture, masses: list[float], palette: Floats
) -> list[Line2D]:
    """Draw the density of one feature and the shares of the components; returns the legend's."""
    ink = ink_of(ax)
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


def region_handles(ax: Axes, masses: list[float]) -> list[Patch]:
    """What a legend shows of the regions."""
    ink = ink_of(ax)
    return [
        Patch(facecolor=(ink, shade), edgecolor=ink, label=f"{100 * mass:g} % of the probability")
        for mass, shade in zip(masses, _shades(masses))
    ]


def _thresholds(
    marginal: GaussianMixture, masses: list[float]
) -> tuple[list[float], Floats, Floats]:
    """Log-densities above which the masses lie, the rows drawn to find them, and their own."""
    drawn, _components = marginal.sample(_DRAWN, random_state=0)
    log_density = marginal.score_samples(drawn)
    return np.quantile(log_density, 1.0 - np.array(masses)).tolist(), drawn, log_density


def _grid_axes(marginal: GaussianMixture, box: Floats, n_places: int) -> list[Floats]:
    """Coordinates along each feature, at which to compute the density in a box (2, d)."""
    low, high = box
    covariances = np.array([covariance_of(marginal, k) for k in range(len(marginal.means_))])
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    # Components that are narrow in a direction between the axes take a finer grid.
    narrowest = np.sqrt(np.linalg.eigvalsh(covariances / np.outer(high - low, high - low)).min())
    n_places = int(np.clip(3.0 / narrowest, n_places, _MOST_PLACES))
    return [
        _places(*ends, n_places, marginal.means_[:, j], deviations[:, j])
        for j, ends in enumerate(zip(low, high))
    ]


def _places(low: float, high: float, n_places: int, means: Floats, deviations: Floats) -> Floats:
    """Evenly spaced coordinates, and more about components too narrow for their distance."""
    even = np.linspace(low, high, n_places)
    narrow = deviations < 3.0 * (high - low) / n_places
    about = means[narrow, np.newaxis] + np.outer(deviations[narrow], np.linspace(-4, 4, 33))
    return np.unique(np.concatenate([even, about.ravel()]))


def _shades(masses: list[float]) -> list[float]:
    """How much ink is in each of the nested regions, from the innermost out."""
    shades: list[float] = np.linspace(0.35, 0.1, len(masses)).tolist()
    return shades


def _emptiest_corner(ax: Axes, points: Floats) -> Corner:
    """The corner with the fewest of some points, for a legend: its own search sees no contours."""
    places = ax.transAxes.inverted().transform(ax.transData.transform(points))

    def covered(corner: Corner) -> int:
        near = np.abs(places - _CORNERS[corner]) < [0.45, 0.25]
        return int(np.count_nonzero(near.all(axis=1)))

    return min(_CORNERS, key=covered)
