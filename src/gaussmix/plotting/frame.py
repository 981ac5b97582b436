"""How far axes reach: rows that lie far off do not squeeze the others into a corner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from .style import Floats, ink_of

# Of fewer rows all are in sight: what is far off cannot be told from so few.
_FEWEST = 20

_NOTE = "gaussmix-outside"


class Frame(NamedTuple):
    """What axes make room for.

    Attributes
    ----------
    box : ndarray of shape (2, g), or None
        Its lower and upper ends; None for whatever is drawn.
    n_outside : int
        Rows that lie outside.
    """

    box: Floats | None
    n_outside: int


def frame_of(
    values: Floats, limits: float | None, weights: Floats, lows: Floats, highs: Floats
) -> Frame:
    """The frame about rows (n, g), and components that reach from `lows` to `highs` (K, g).

    In sight are the rows within the interval that holds a share `limits` of them in the middle,
    and its length again on either side, in every feature; so are the components within it, and
    those that have more weight than the rows that may be left out.
    """
    if limits is None or len(values) < _FEWEST:
        return Frame(None, 0)
    tail = (1.0 - limits) / 2.0
    # Values that there are: between the last of the others and one far off lie no rows.
    low = np.quantile(values, tail, axis=0, method="higher")
    high = np.quantile(values, 1.0 - tail, axis=0, method="lower")
    low, high = np.minimum(low, high), np.maximum(low, high)
    reach = high - low
    reach[reach == 0.0] = np.inf  # most rows are the same there
    low, high = low - reach, high + reach
    seen = ((values >= low) & (values <= high)).all(axis=1)
    counted = (weights >= 1.0 - limits) | ((lows >= low) & (highs <= high)).all(axis=1)
    if seen.all() and counted.all():
        return Frame(None, 0)
    every = np.concatenate([values[seen], lows[counted], highs[counted]])
    if not len(every):
        return Frame(None, 0)
    return Frame(np.array([every.min(axis=0), every.max(axis=0)]), int(np.sum(~seen)))


@contextmanager
def room_for(ax: Axes, frame: Frame, *, note: bool = True) -> Iterator[None]:
    """Draw without the axes making room for what is outside the frame.

    With `note` it is said above the axes how many rows are out of sight.
    """
    before = ax.dataLim.frozen() if ax.has_data() else Bbox.null()
    yield
    if frame.box is None:
        return
    after = ax.dataLim.frozen()
    low, high = frame.box
    if len(low) == 1:  # the height is another matter
        low, high = np.append(low, after.y0), np.append(high, after.y1)
    ax.dataLim.set(before)
    ax.update_datalim([low, high])
    ax.autoscale_view()
    if note:
        _note_outside(ax, frame.n_outside)


def _note_outside(ax: Axes, n_outside: int) -> None:
    """Say how many rows are out of sight, unless the user has set the limits."""
    for text in [text for text in ax.texts if text.get_gid() == _NOTE]:
        text.remove()
    if n_outside and ax.get_autoscalex_on():
        ax.text(
            1.0,
            1.01,
            "1 row outside" if n_outside == 1 else f"{n_outside:,} rows outside",
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize="x-small",
            color=ink_of(ax),
            gid=_NOTE,
        )
