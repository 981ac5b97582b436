"""Highest-density regions of one feature or two, and the density in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .._checks.parameters import check_random_state
from .._estimators.sampling import sample_blocks
from ..mixture import GaussianMixture
from .style import Floats, ink_of
from .view import covariance_of, deviations_of

# Rows drawn from a mixture to find its highest-density regions: the mass of one is then right to
# 0.14 percentage points (standard error), or better.
_DRAWN = 1 << 17

# Places in each direction at which the density is computed: about one a pixel.
_CURVE_PLACES = 1000
_CONTOUR_PLACES = 300
_MOST_PLACES = 1000

# Curves go as many standard deviations about the means.
_REACH = 4.0


def draw_contours(
    ax: Axes, marginal: GaussianMixture, masses: list[float], frame: Floats | None = None
) -> None:
    """Draw the regions of two features, those within a frame (2, 2) if there is one."""
    thresholds, drawn, log_density = _thresholds(marginal, masses)
    inside = drawn[log_density >= thresholds[-1]]
    margin = 0.1 * np.ptp(inside, axis=0)
    box = _common_box(inside.min(axis=0) - margin, inside.max(axis=0) + margin, frame)
    x, y = _grid_axes(marginal, box, _CONTOUR_PLACES)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    height = marginal.score_samples(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ink = ink_of(ax)
    rising = thresholds[::-1]
    top = max(height.max(), rising[-1]) + 1.0
    shades = [colors.to_rgba(ink, shade) for shade in _shades(masses)]
    ax.contourf(x, y, height, [*rising, top], colors=shades[::-1], zorder=1)
    ax.contour(x, y, height, rising, colors=ink, linewidths=1.0, linestyles="-", zorder=2)


def draw_regions(
    ax: Axes, marginal: GaussianMixture, masses: list[float], frame: Floats | None = None
) -> None:
    """Shade the regions of one feature below the curve of its density."""
    ink = ink_of(ax)
    thresholds, drawn, _log_density = _thresholds(marginal, masses)
    box = _common_box(drawn.min(axis=0), drawn.max(axis=0), frame)
    (x,) = _grid_axes(marginal, box, _CURVE_PLACES)
    log_density = marginal.score_samples(x[:, np.newaxis])
    density = np.exp(log_density)
    outside = 1.0
    for threshold, shade in list(zip(thresholds, _shades(masses)))[::-1]:
        inside = log_density >= threshold
        # On top of the larger regions the ink adds up to the shade.
        alpha, outside = 1.0 - (1.0 - shade) / outside, 1.0 - shade
        ax.fill_between(x, 0.0, density, where=inside, color=ink, alpha=alpha, linewidth=0)


def draw_curves(
    ax: Axes,
    marginal: GaussianMixture,
    palette: Floats,
    components: Sequence[int],
    frame: Floats | None = None,
) -> list[Line2D]:
    """Draw the density of one feature and the shares of components; returns the legend's."""
    ink = ink_of(ax)
    reach = _REACH * deviations_of(marginal)
    low, high = (marginal.means_ - reach).min(axis=0), (marginal.means_ + reach).max(axis=0)
    (x,) = _grid_axes(marginal, _common_box(low, high, frame), _CURVE_PLACES)
    density = np.exp(marginal.score_samples(x[:, np.newaxis]))
    shares = density[:, np.newaxis] * marginal.predict_proba(x[:, np.newaxis])
    for k in components:
        ax.plot(x, shares[:, k], "--", color=palette[k], marker="", label=f"component {k}")
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
    # In an array, whatever `set_output` says of `sample`.
    drawn, _components = next(sample_blocks(marginal, _DRAWN, _DRAWN, check_random_state(0)))
    log_density = marginal.score_samples(drawn)
    return np.quantile(log_density, 1.0 - np.array(masses)).tolist(), drawn, log_density


def _grid_axes(marginal: GaussianMixture, box: Floats, n_places: int) -> list[Floats]:
    """Coordinates along each feature, at which to compute the density in a box (2, d)."""
    low, high = box
    covariances = np.array([covariance_of(marginal, k) for k in range(len(marginal.means_))])
    deviations = deviations_of(marginal)
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


def _common_box(low: Floats, high: Floats, frame: Floats | None) -> Floats:
    """What is between two corners, and in a frame with the margin that axes have about it."""
    if frame is None:
        return np.array([low, high])
    margin = 0.1 * np.ptp(frame, axis=0)
    inner = np.maximum(low, frame[0] - margin), np.minimum(high, frame[1] + margin)
    # A frame about rows that the model knows nothing of has no part of it inside.
    return np.array(inner if np.all(inner[0] < inner[1]) else (low, high))
