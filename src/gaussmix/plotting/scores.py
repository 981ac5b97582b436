"""A plot of the log-densities of rows, with a threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from .._checks.rows import as_rows
from ..mixture import GaussianMixture
from . import checks
from .frame import Frame, frame_of, room_for
from .legends import place_legend
from .marks import n_bins
from .style import Floats, ink_of, pale_of, percent, poles_of
from .view import current_axes


def plot_scores(
    model: GaussianMixture,
    X: Any,
    *,
    contamination: float = 0.05,
    reference: Any = None,
    limits: float | None = 0.98,
    ax: Axes | None = None,
) -> Axes:
    """Plot a histogram of log-densities, with the threshold below which rows are flagged.

    The threshold is the `contamination`-quantile of the log-densities of the reference, as in
    scikit-learn's detectors of outliers: so many of those rows are below it. Flagged are the rows
    of X below it; the legend says how many.

    Rows that the model was fitted to score too well. Where rows of the same kind were left out of
    the fit, they are the better reference.

    Parameters
    ----------
    model : GaussianMixture
        A fitted model.
    X : array-like of shape (n, d)
        Rows to score, as `score_samples` takes them. Those with missing values are left out: the
        log-density of fewer features is no measure for that of all.
    contamination : float, default=0.05
        Share of the reference to be below the threshold, between 0 and 1.
    reference : array-like of shape (m, d), optional
        Rows that set the threshold; by default X itself.
    limits : float or None, default=0.98
        How far the axes reach: to the scores within the interval that holds this share of them in
        the middle, and its length again on either side. None for all scores.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default the current ones, or those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    NotFittedError, TypeError, ValueError
        Before anything is drawn; ValueError also where no row has all values, and a density above
        zero.

    Examples
    --------
    >>> import numpy as np
    >>> from gaussmix import GaussianMixture
    >>> from gaussmix.plotting import plot_scores
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> ax = plot_scores(GaussianMixture().fit(X), X, contamination=0.1)
    >>> [text.get_text() for text in ax.get_legend().get_texts()][1:]
    ['20 of 200 rows below it (10 %)', 'other rows']
    """
    checks.check_model(model, GaussianMixture)
    checks.check_axes(ax, Axes)
    contamination = checks.check_share(
        contamination, "contamination", "Pass the share of rows to be flagged, such as 0.05."
    )
    limits = checks.check_limits(limits)
    scores = _scores(model, X, "X")
    base = scores if reference is None else _scores(model, reference, "reference")
    # A score that there is: between one of minus infinity and another there is no number.
    threshold = float(np.quantile(base, contamination, method="higher"))
    n_flagged = int(np.sum(scores < threshold))
    finite = scores[np.isfinite(scores)]
    ax = current_axes() if ax is None else ax
    frame = _frame(finite, len(scores), limits, threshold)
    seen = finite if frame.box is None else finite[_within(finite, *frame.box)]
    colours = poles_of(ax)[1], to_hex(tuple(pale_of(ax, 0.45)))
    handles: list[Any] = []
    with room_for(ax, frame):
        highest = _draw_bars(ax, seen, threshold, colours)
        if np.isfinite(threshold):
            text = f"threshold {threshold:,.4g}".replace("-", "−")
            # As high as the bars, so that a legend has room above it.
            ends = [0.0, 1.03 * highest]
            handles += ax.plot([threshold] * 2, ends, "--", color=ink_of(ax), label=text)
    share = percent(n_flagged / len(scores))
    texts = f"{n_flagged:,} of {len(scores):,} rows below it ({share})", "other rows"
    handles += [Patch(color=colour, label=text) for text, colour in zip(texts, colours)]
    ax.set_xlabel("log-density of a row (nats)")
    ax.set_ylabel("rows")
    place_legend(ax, handles, "small", may_grow=ax.get_autoscaley_on())
    return ax


def _scores(model: GaussianMixture, X: Any, name: str) -> Floats:
    """Log-densities of the rows that have all values."""
    if X is None:
        raise checks.rows_missing()
    scores = np.asarray(model.score_samples(X), dtype=np.float64)
    rows, _names = as_rows(X)
    scores = scores[~np.isnan(rows).any(axis=1)]
    if not np.isfinite(scores).any():
        raise ValueError(
            f"{name} has no row with all values and a density above zero. Pass rows of the kind "
            "that the model was fitted to."
        )
    return scores


def _frame(finite: Floats, n_rows: int, limits: float | None, threshold: float) -> Frame:
    """The frame about scores, which always holds the threshold."""
    # Those of minus infinity are outside whatever the limits.
    infinite = n_rows - len(finite)
    ends = np.array([[threshold if np.isfinite(threshold) else finite[0]]])
    frame = frame_of(finite[:, np.newaxis], limits, np.ones(1), ends, ends)
    if frame.box is None and infinite:
        every = np.append(finite, ends)
        frame = Frame(np.array([[every.min()], [every.max()]]), 0)
    return Frame(frame.box, frame.n_outside + infinite)


def _within(values: Floats, low: Floats, high: Floats) -> Any:
    return (values >= low) & (values <= high)


def _draw_bars(ax: Axes, scores: Floats, threshold: float, colours: tuple[str, str]) -> int:
    """Draw a histogram of which one bar ends, and the next begins, at the threshold.

    Returns the rows of the highest bar.
    """
    width = (float(np.ptp(scores)) or 1.0) / n_bins(scores)
    start = threshold if np.isfinite(threshold) else float(scores.min())
    first = np.floor((scores.min() - start) / width)
    last = np.floor((scores.max() - start) / width) + 1
    edges = start + width * np.arange(first, last + 1)
    edges[0], edges[-1] = min(edges[0], scores.min()), max(edges[-1], scores.max())
    counts, _edges = np.histogram(scores, edges)
    split = int(np.clip(-first, 0, len(counts)))
    if split > 0:
        ax.stairs(counts[:split], edges[: split + 1], fill=True, color=colours[0])
    if split < len(counts):
        ax.stairs(counts[split:], edges[split:], fill=True, color=colours[1])
    return int(counts.max())
