"""What stands for rows and components: points, markers, ellipses, bars, a histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Ellipse, StepPatch
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from ..mixture import GaussianMixture
from .style import Floats, ink_of
from .view import covariance_of, deviations_of

_MOST_BINS = 200

# Points across the marker of a mean, where axes are many.
_SMALL = 5.0
_DIAMOND = MarkerStyle("D").get_path().transformed(MarkerStyle("D").get_transform())


def draw_rows(ax: Axes, points: Floats, rgb: Floats, alpha: float = 0.6) -> None:
    """Draw rows as points, the smaller the more there are."""
    if len(points):
        size = np.clip(200.0 / np.sqrt(len(points)), 1.5, 20.0)
        style = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True, "zorder": 1.5}
        ax.scatter(points[:, 0], points[:, 1], c=rgb, **style)


def draw_means(ax: Axes, points: Floats, palette: Floats, components: Sequence[int]) -> None:
    """Draw a marker for each component, labelled for a legend that the user may add."""
    for k in components:
        ax.plot(
            *points[k],
            "D",
            color=palette[k],
            markeredgecolor=ax.get_facecolor(),
            markeredgewidth=1.5,
            markersize=8.0,
            label=f"component {k}",
            zorder=3,
        )


def draw_ellipses(
    ax: Axes,
    marginal: GaussianMixture,
    sizes: list[float],
    palette: Floats,
    components: Sequence[int],
) -> None:
    """Draw the ellipses of components at some standard deviations."""
    for k in components:
        variances, directions = np.linalg.eigh(covariance_of(marginal, k))
        angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
        for size in sizes:
            height, width = 2.0 * size * np.sqrt(variances)
            ellipse = Ellipse(
                marginal.means_[k],
                width,
                height,
                angle=angle,
                facecolor="none",
                edgecolor=palette[k],
                linewidth=1.5,
                zorder=2.5,
            )
            ax.add_patch(ellipse)


def draw_small_marks(
    ax: Axes,
    marginal: GaussianMixture,
    sizes: list[float],
    palette: Floats,
    components: Sequence[int],
) -> None:
    """Draw ellipses and means on one of many axes: the same marks, all in two collections.

    An artist for each, as users may change on axes of their own, takes longer than all else.
    """
    circle = Path.unit_circle()
    vertices = np.asarray(circle.vertices)
    means = marginal.means_[components]
    paths = []
    for k in components:
        variances, directions = np.linalg.eigh(covariance_of(marginal, k))
        curve = (vertices * np.sqrt(variances)) @ directions.T
        paths += [Path(marginal.means_[k] + size * curve, circle.codes) for size in sizes]
    ellipses = PathCollection(
        paths,
        facecolors="none",
        edgecolors=np.repeat(palette[components], len(sizes), axis=0),
        linewidths=1.5,
        zorder=2.5,
    )
    markers = PathCollection(
        [_DIAMOND],
        sizes=[_SMALL**2],
        offsets=means,
        offset_transform=ax.transData,
        facecolors=palette[components],
        edgecolors=ax.get_facecolor(),
        linewidths=1.5,
        zorder=3,
    )
    markers.set_transform(IdentityTransform())
    for marks in (ellipses, markers):
        ax.add_collection(marks, autolim=False)
    reach = max(sizes) * deviations_of(marginal)[components]
    ax.update_datalim(np.concatenate([means - reach, means + reach]))
    ax.autoscale_view()


def draw_intervals(
    ax: Axes,
    marginal: GaussianMixture,
    sizes: list[float],
    palette: Floats,
    components: Sequence[int],
) -> None:
    """Draw the bars of a single feature, the wider the thinner."""
    for k in components:
        mean = marginal.means_[k, 0]
        deviation = np.sqrt(covariance_of(marginal, k)[0, 0])
        for size, width in zip(sizes, np.linspace(4.0, 1.5, len(sizes))):
            ends = [mean - size * deviation, mean + size * deviation]
            ax.plot(ends, [k, k], "-", color=palette[k], linewidth=width, marker="", zorder=2.5)


def draw_histogram(ax: Axes, values: Floats, box: Floats | None) -> list[StepPatch]:
    """Draw how dense the rows are along a feature; returns the legend's.

    The bars within a box (2, 1) are as high as if those outside were drawn as well.
    """
    seen = values if box is None else values[(values >= box[0]) & (values <= box[1])]
    if not len(seen):
        return []
    counts, edges = np.histogram(seen, bins=n_bins(seen))
    heights = counts / (len(values) * np.diff(edges))
    return [ax.stairs(heights, edges, color=ink_of(ax), alpha=0.6, linewidth=0.8, label="rows")]


def n_bins(values: Floats) -> int:
    """The number of bins by the rule of Freedman and Diaconis, within bounds."""
    quartiles = np.quantile(values, [0.25, 0.75])
    width = 2.0 * (quartiles[1] - quartiles[0]) / np.cbrt(len(values))
    spread = float(np.ptp(values))
    return int(np.clip(np.ceil(spread / width), 1, _MOST_BINS)) if width > 0 else 1
