"""Numbers and weights of components, beside their means and clear of one another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from .legends import lay_out
from .style import Floats, ink_of, percent

# Distances between a mean and its label that are tried, and the half of a marker, in points.
_DISTANCES = (7.0, 16.0, 28.0, 44.0, 62.0, 84.0)
_MARKER = 5.0

# Directions that are tried, as far as two labels are equally clear the first of them.
_ANGLES = np.radians([0, 180, 90, 270, 45, 135, 225, 315, 22, 158, 202, 338])


def component_text(component: int, weight: float) -> str:
    """The number of a component and its weight."""
    return f"{component} ({percent(weight)})"


def label_components(ax: Axes, places: Floats, components: Sequence[int], weights: Floats) -> None:
    """Write the number and the weight of components beside their places (K, 2).

    Call it when all else is drawn, as it depends on the limits of the axes.
    """
    lay_out(ax)
    pixels = ax.figure.dpi / 72.0
    anchors = ax.transData.transform(places)
    taken = [_box(anchors[k], np.full(2, 2.0 * _MARKER * pixels)) for k in components]
    for k in sorted(components, key=lambda k: -weights[k]):
        text = component_text(k, weights[k])
        size = _size_of(ax, text)
        offset = _clearest(anchors[k], size, taken, ax.bbox, pixels)
        taken.append(_box(anchors[k] + offset, size))
        far = np.hypot(*np.maximum(np.abs(offset) - size / 2.0, 0.0)) > 12.0 * pixels
        ax.annotate(
            text,
            places[k],
            xytext=tuple(offset / pixels),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize="small",
            color=ink_of(ax),
            zorder=4,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": ink_of(ax)} if far else None,
            bbox={
                "boxstyle": "round,pad=0.1",
                "facecolor": ax.get_facecolor(),
                "edgecolor": "none",
                "alpha": 0.7,
            },
        )


def _clearest(
    anchor: Floats, size: Floats, taken: list[Bbox], frame: Bbox, pixels: float
) -> Floats:
    """The offset, in pixels, at which a label covers least of what is there, near first."""

    def cost(offset: Floats) -> float:
        box = _box(anchor + offset, size)
        covered = sum(_common_area(box, other) for other in taken)
        return covered + 2.0 * (float(size.prod()) - _common_area(box, frame))

    offsets = []
    for distance in _DISTANCES:
        for angle in _ANGLES:
            way = np.array([np.cos(angle), np.sin(angle)])
            # As far out as the label's edge in that direction, and the distance.
            offsets.append(way * (size / 2.0 + distance * pixels))
    costs = np.round([cost(offset) for offset in offsets])
    best: Floats = offsets[int(np.argmin(costs))]
    return best


def _size_of(ax: Axes, text: str) -> Floats:
    """Width and height of a label in pixels."""
    drawn = ax.text(0.0, 0.0, text, fontsize="small")
    size = np.array(drawn.get_window_extent().size)
    drawn.remove()
    return size


def _box(centre: Floats, size: Floats) -> Bbox:
    return Bbox([centre - size / 2.0, centre + size / 2.0])


def _common_area(one: Bbox, other: Bbox) -> float:
    common = np.minimum(one.max, other.max) - np.maximum(one.min, other.min)
    return float(np.prod(np.maximum(common, 0.0)))
