"""A plot of what the features of a row contribute to its log-density."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from .._checks.rows import as_rows
from .._common.typing import RandomState
from ..mixture import GaussianMixture
from . import checks
from .style import ink_of, poles_of
from .view import current_axes

# Inches of a bar, of what is beside the bars, and the smallest and largest height of a figure.
_BAR = 0.28
_BESIDE = 1.0
_BOUNDS = (2.5, 24.0)


def plot_contributions(
    model: GaussianMixture,
    X: Any,
    *,
    kind: Literal["conditional", "shapley"] = "conditional",
    n_permutations: int = 32,
    random_state: RandomState = None,
    most: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """Plot what each feature contributes to the log-density of one row, as bars, largest first.

    They are those of `GaussianMixture.feature_contributions`, in the order of their absolute
    values, with the value of the feature beside its name. A bar to the left is a value that lowers
    the log-density: one that the rest of the row does not lead to expect.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    X : array-like of shape (d,) or (1, d)
        The row: an array, a row of a pandas table, as ``table.iloc[3]``, or a table of one row.
        With ``allow_nan=True`` a missing value has no bar.
    kind : {"conditional", "shapley"}, default="conditional"
        ``log p(x_j | all other features)``, or shares that add up to the row's `score_samples`.
    n_permutations : int, default=32
        For "shapley" of more than 10 features, the number of orders that are drawn.
    random_state : None, int, RandomState or Generator, optional
        Draws the orders; by default the model's own `random_state`.
    most : int, default=20
        Bars to show. Where there are more features, the smallest are left out.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure, which is as
        high as the bars need.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn; ValueError also for more than one row, one without values, and
        one whose density is zero, which has no finite shares.

    Examples
    --------
    A pair of correlation 0.9, which the second value does not keep:

    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_contributions
    >>> covariance = [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]
    >>> model = GaussianMixture.from_parameters([1.0], [[0, 0, 0]], [covariance])
    >>> ax = plot_contributions(model, [0.1, -1.5, 0.2])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['column 1 = −1.5', 'column 0 = 0.1', 'column 2 = 0.2']
    """
    checks.check_model(model, GaussianMixture)
    checks.check_axes(ax, Axes)
    most = checks.check_most(most)
    row = checks.check_row(X)
    contributions = model.feature_contributions(
        row, kind, n_permutations=n_permutations, random_state=random_state
    )[0].astype(np.float64)
    values = as_rows(row)[0]
    known = np.flatnonzero(~np.isnan(contributions))
    checks.check_contributions_to_plot(contributions[known], kind)
    order = known[np.argsort(-np.abs(contributions[known]), kind="stable")][:most]
    bars = contributions[order]
    if ax is None:
        ax = current_axes((6.4, float(np.clip(_BESIDE + _BAR * len(bars), *_BOUNDS))))
    below, above = poles_of(ax)
    drawn = ax.barh(
        np.arange(len(bars)), bars, height=0.7, color=[above if bar < 0 else below for bar in bars]
    )
    texts = [f"{bar:+,.2f}".replace("-", "−") for bar in bars]
    ax.bar_label(drawn, texts, padding=3, fontsize="small", color=ink_of(ax))
    ax.axvline(0.0, color=ink_of(ax), linewidth=0.8)
    names = getattr(model, "feature_names_in_", None)
    labels = [f"{checks.feature_label(j, names)} = {values[0, j]:.4g}" for j in order]
    ax.set_yticks(np.arange(len(bars)), labels=[label.replace("= -", "= −") for label in labels])
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.margins(x=0.2)  # for the numbers at the ends of the bars
    ax.set_xlabel(_caption(kind, bars.sum(), len(known) - len(bars)))
    return ax


def _caption(kind: str, total: float, n_left_out: int) -> str:
    caption = "contribution to the log-density (nats)"
    if n_left_out:
        return f"{caption}; {n_left_out:,} smaller left out"
    if kind == "shapley":
        caption += f"; sum {total:,.2f}".replace("-", "−")
    return caption
