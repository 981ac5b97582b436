"""Colours and ticks that the plots have in common."""

from __future__ import annotations

from collections.abc import Sequence
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


def pale_of(ax: Axes, share: float = 0.4) -> Floats:
    """The background with a share of the ink in it, as RGB: for what is there without standing
    out.
    """
    ink, behind = (np.array(colors.to_rgb(c)) for c in (ink_of(ax), ax.get_facecolor()))
    blended: Floats = share * ink + (1.0 - share) * behind
    return blended


def is_dark(rgb: Any) -> bool:
    """Whether white is read more easily on a colour than black."""
    linear = np.array(colors.to_rgb(rgb)) ** 2.2
    return bool(linear @ [0.2126, 0.7152, 0.0722] < 0.18)


def poles_of(ax: Axes) -> tuple[str, str]:
    """The colours of what is below and above zero, told apart by all who see colours at all."""
    return ("#58a6ff", "#ff8a5c") if is_dark(ax.get_facecolor()) else ("#1f6fb4", "#c8451b")


def map_between(*stops: Any) -> colors.LinearSegmentedColormap:
    """A map of numbers to colours through some colours."""
    return colors.LinearSegmentedColormap.from_list("gaussmix", list(stops))


def percent(share: float) -> str:
    """A share in words: whole per cent, or a decimal where there are few.

    Examples
    --------
    >>> percent(0.3559), percent(0.0123), percent(0.0002)
    ('36 %', '1.2 %', '< 0.1 %')
    """
    if 0.0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"


def palette_of(ax: Axes, n_colours: int, chosen: Sequence[int] | None = None) -> Floats:
    """Colours as (n, 3) RGB: the style's cycle, and rounds of it blended with the ink.

    All but the chosen ones, where some are, are the same pale colour.
    """
    ink = np.array(colors.to_rgb(ink_of(ax)))
    cycle = np.array([colors.to_rgb(colour) for colour in _cycle(ink_of(ax))])
    turns, places = np.divmod(np.arange(n_colours), len(cycle))
    blend = (turns / (turns[-1] + 1))[:, np.newaxis]
    mixed: Floats = (1.0 - blend) * cycle[places] + blend * ink
    if chosen is not None:
        mixed[np.setdiff1d(np.arange(n_colours), chosen)] = pale_of(ax)
    return mixed


def turn_of(ax: Axes, index: int) -> int:
    """The round of the style's cycle that a colour of the palette is from."""
    return index // len(_cycle(ink_of(ax)))


def _cycle(ink: str) -> Sequence[Any]:
    """The style's colours in turn; of a style without any, the ink."""
    colours: Sequence[Any] = rcParams["axes.prop_cycle"].by_key().get("color", [ink])
    return colours


def whole_numbers() -> MaxNLocator:
    """Ticks at whole numbers only."""
    return MaxNLocator(integer=True, min_n_ticks=1)
