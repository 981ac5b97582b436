"""Legends where they cover nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, PathCollection
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from .style import Floats

Place = Literal[
    "upper right", "upper left", "lower right", "lower left", "upper center", "lower center",
    "center right", "center left",
]  # fmt: skip
_PLACES: tuple[Place, ...] = get_args(Place)

# What is drawn as a line or a surface counts as so many rows.
_OF_A_PATH = 1000

# Beside axes there is room for a legend of this part of their width.
_WIDEST = 0.5

# A legend of more entries than this has several columns.
_TALLEST = 10

# Axes may reach so many times as high, to have a legend above what is drawn.
_HIGHER = (1.1, 1.2, 1.3, 1.45, 1.6, 1.8)


def place_legend(
    ax: Axes,
    handles: Sequence[Artist] | None = None,
    fontsize: str | None = None,
    *,
    may_grow: bool = False,
) -> None:
    """Add a legend where it covers nothing.

    That is at a place inside the axes where nothing is drawn, above what is drawn if the upper
    limit of the axes may be raised for it, or beside the axes if a layout engine makes room for it
    there. Without all of these it takes the place where it covers least.
    """
    named = ax.get_legend_handles_labels()[0] if handles is None else handles
    n_columns = -(-len(named) // _TALLEST) or 1
    legend: Legend = ax.legend(handles=named, fontsize=fontsize, ncols=n_columns)
    lay_out(ax)
    covered = _take_best_place(legend, ax)
    low, high = ax.get_ylim()
    for times in _HIGHER if may_grow else ():
        if not covered:
            return
        _raise(ax, low + times * (high - low))
        covered = _take_best_place(legend, ax)
    roomy = legend.get_window_extent().width < _WIDEST * ax.bbox.width
    if covered and roomy and ax.figure.get_layout_engine() is not None:
        legend.set_loc("upper left")
        legend.borderaxespad = 0.0
        legend.set_bbox_to_anchor((1.02, 1.0))


def _raise(ax: Axes, top: float) -> None:
    """Make axes reach at least as high, and go on making room for what is drawn later."""
    if ax.get_autoscaley_on():
        ax.update_datalim([(0.0, top)], updatex=False)
        ax.autoscale_view(scalex=False)
    else:
        ax.set_ylim(top=top)


def _take_best_place(legend: Legend, ax: Axes) -> int:
    """Move a legend to the place inside where it covers least; returns how much that is."""
    paths, points = _drawn(ax)
    covered = {}
    for place in _PLACES:
        legend.set_loc(place)
        box = legend.get_window_extent()
        covered[place] = _count_covered(box.padded(2.0), paths, points)
        if not _is_within(box, ax.bbox):
            covered[place] += _OF_A_PATH
    best = min(_PLACES, key=lambda place: covered[place])
    legend.set_loc(best)
    return covered[best]


def lay_out(ax: Axes) -> None:
    """Let the figure's layout engine, if there is one, give the axes their places, and these
    their limits, which they otherwise seek when they are shown.
    """
    figure = ax.figure.canvas.figure
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    ax.get_xlim()


def _drawn(ax: Axes) -> tuple[list[tuple[Path, bool]], Floats]:
    """What is drawn, in pixels: paths, with whether they are filled, and single points."""
    paths, points = [], [np.empty((0, 2))]
    for line in ax.lines:
        path = line.get_transform().transform_path(line.get_path())
        if line.get_linestyle() in ("None", "none", "", " "):
            points.append(np.asarray(path.vertices))
        else:
            paths.append((path, False))
    for patch in ax.patches:
        path = patch.get_transform().transform_path(patch.get_path())
        paths.append((path, bool(patch.get_fill())))
    for collection in ax.collections:
        if isinstance(collection, PathCollection):
            offsets = np.asarray(collection.get_offsets())
            points.append(collection.get_offset_transform().transform(offsets))
        else:
            paths += _paths_of(collection)
    for text in ax.texts:
        box = text.get_window_extent()
        paths.append((Path([box.min, (box.x1, box.y0), box.max, (box.x0, box.y1)]), True))
    return paths, np.concatenate(points)


def _paths_of(collection: Collection) -> Iterator[tuple[Path, bool]]:
    filled = np.size(collection.get_facecolor()) > 0
    for path in collection.get_paths():
        if np.size(path.vertices):
            yield collection.get_transform().transform_path(path), filled


def _count_covered(box: Bbox, paths: list[tuple[Path, bool]], points: Floats) -> int:
    covered = sum(path.intersects_bbox(box, filled=filled) for path, filled in paths)
    return int(box.count_contains(points)) + _OF_A_PATH * covered


def _is_within(box: Bbox, frame: Bbox) -> bool:
    return bool(np.all(box.min >= frame.min) and np.all(box.max <= frame.max))
