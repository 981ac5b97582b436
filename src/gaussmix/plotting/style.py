"""Colours and ticks that the plots have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colors, rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

Floats = npt.NDArray[np.floating[Any]]


def ink_of(ax: Axes) -> str:
    """The colour of text on these axes, which may be of another style than the current one."""
    return colors.to_hex(ax.xaxis.label.get_color())


def palette_of(ax: Axes, n_colours: int) -> Floats:
    """Colours as (n, 3) RGB: the style's cycle, and rounds of it blended with the ink."""
    ink = np.array(colors.to_rgb(ink_of(ax)))
    cycle = rcParams["axes.prop_cycle"].by_key().get("color", [ink])
    cycle = np.array([colors.to_rgb(colour) for colour in cycle])
    turns, places = np.divmod(np.arange(n_colours), len(cycle))
    blend = (turns / (turns[-1] + 1))[:, np.newaxis]
    mixed: Floats = (1.0 - blend) * cycle[places] + blend * ink
    return mixed


def whole_numbers() -> MaxNLocator:
    """Ticks at whole numbers only."""
    return MaxNLocator(integer=True, min_n_ticks=1)
