"""Histograms of log-densities, and the threshold in them."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_scores
from support.plots import legend_of, mixture, texts_of

pytestmark = pytest.mark.usefixtures("no_figure_is_left")

MODEL = mixture(2, 3)
ROWS, _ = MODEL.sample(401, random_state=0)


def bars_of(ax):
    """Counts and ends of the bars of each colour."""
    return [patch.get_data()[:2] for patch in ax.patches]


@pytest.mark.parametrize("contamination", [0.01, 0.05, 0.31])
def test_the_flagged_rows_are_those_of_scikit_learns_detectors(ax, contamination):
    """Below the percentile, as in `sklearn.ensemble.IsolationForest`."""
    plot_scores(MODEL, ROWS, contamination=contamination, ax=ax)
    scores = MODEL.score_samples(ROWS)
    flagged = np.sum(scores < np.percentile(scores, 100 * contamination))
    assert legend_of(ax)[1].startswith(f"{flagged} of 401 rows below it (")
    (low, low_ends), (high, high_ends) = bars_of(ax)
    assert low.sum() == flagged
    assert high.sum() == 401 - flagged
    (line,) = ax.lines
    threshold = line.get_xdata()[0]
    assert low_ends[-1] == high_ends[0] == threshold
    assert np.sum(scores < threshold) == flagged
    assert low_ends[0] <= scores.min()
    assert high_ends[-1] >= scores.max()
    assert_allclose(low, np.histogram(scores[scores < threshold], low_ends)[0])


def test_the_share_is_written_and_the_colours_of_the_legend_are_the_bars(ax):
    plot_scores(MODEL, ROWS, contamination=0.2, ax=ax)
    assert legend_of(ax)[1:] == ["80 of 401 rows below it (20 %)", "other rows"]
    handles = ax.get_legend().get_patches()
    drawn = [patch.get_facecolor() for patch in ax.patches]
    assert [handle.get_facecolor() for handle in handles] == drawn
    assert np.ptp(colors.to_rgb(drawn[0])) > 0.5  # the flagged ones stand out
    assert np.ptp(colors.to_rgb(drawn[1])) < 0.01


def test_a_reference_sets_the_threshold(ax):
    strange = ROWS[:50] + 30.0
    plot_scores(MODEL, strange, reference=ROWS, contamination=0.1, limits=None, ax=ax)
    threshold = np.sort(MODEL.score_samples(ROWS))[40]
    assert_allclose(ax.lines[0].get_xdata(), threshold)
    assert legend_of(ax)[1] == "50 of 50 rows below it (100 %)"
    (bars,) = bars_of(ax)  # none is on the other side
    assert bars[0].sum() == 50
    assert ax.get_xlim()[1] > threshold
    ax.clear()
    strange[0] = 1e200  # at minus infinity
    plot_scores(MODEL, strange, reference=ROWS, contamination=0.1, ax=ax)
    assert ax.get_xlim()[1] > threshold


def test_scores_far_off_are_counted_and_do_not_stretch_the_axis(ax):
    X = np.concatenate([ROWS, [[1e5, 0.0, 0.0], [1e200, 0.0, 0.0]]])  # the last one at -inf
    plot_scores(MODEL, X, ax=ax)
    assert ax.get_xlim()[0] > -100
    assert texts_of(ax) == ["2 rows outside"]
    assert legend_of(ax)[1] == "21 of 403 rows below it (5.2 %)"
    assert sum(counts.sum() for counts, _ in bars_of(ax)) == 401
    ax.clear()
    plot_scores(MODEL, X, limits=None, ax=ax)
    assert ax.get_xlim()[0] < -1e8
    assert texts_of(ax) == ["1 row outside"]


def test_a_threshold_of_minus_infinity_flags_nothing(ax):
    X = np.concatenate([ROWS[:5], np.full((5, 3), 1e200)])
    plot_scores(MODEL, X, contamination=0.2, ax=ax)
    assert legend_of(ax) == ["0 of 10 rows below it (0 %)", "other rows"]
    assert len(ax.lines) == 0


def test_equal_scores_are_one_bar(ax):
    plot_scores(MODEL, np.tile(ROWS[:1], (30, 1)), ax=ax)
    ((counts, ends),) = bars_of(ax)
    assert counts.sum() == 30
    assert ends[0] == MODEL.score_samples(ROWS[:1])[0]


def test_rows_with_missing_values_are_left_out(ax):
    model = GaussianMixture(1, allow_nan=True).fit(ROWS)
    X = ROWS[:100].copy()
    X[:30, 1] = np.nan
    plot_scores(model, X, ax=ax)
    assert "of 70 rows" in legend_of(ax)[1]
    with pytest.raises(ValueError, match="X has no row with all values and a density above zero"):
        plot_scores(model, X[:30], ax=ax)


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("contamination", [0.01, 0.5])
def test_the_legend_covers_no_bar(style, contamination):
    with plt.style.context(style):
        ax = plot_scores(MODEL, ROWS, contamination=contamination)
        ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    for counts, ends in bars_of(ax):
        corners = np.column_stack([np.repeat(ends, 2)[1:-1], np.repeat(counts, 2)])
        path = plt.matplotlib.path.Path(ax.transData.transform(corners))
        assert not path.intersects_bbox(box, filled=False)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"contamination": 5}, ValueError, "contamination must be above 0 and below 1. Got 5. "),
        ({"contamination": 0.0}, ValueError, "Got 0.0. Pass the share of rows to be flagged"),
        ({"contamination": "auto"}, ValueError, "contamination must be .* Got 'auto'"),
        ({"X": None}, TypeError, "X must be the rows to plot"),
        ({"reference": np.zeros((5, 2))}, ValueError, "X has 2 features, but .* expecting 3"),
        ({"reference": np.full((5, 3), 1e200)}, ValueError, "reference has no row with"),
    ],
)
def test_what_has_no_threshold_is_refused_before_anything_is_drawn(arguments, kind, message):
    with pytest.raises(kind, match=message):
        plot_scores(MODEL, **{"X": ROWS, **arguments})
    assert plt.get_fignums() == []
