"""Bars of what the features of a row contribute."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_contributions
from gaussmix.plotting.style import poles_of
from support.plots import mixture, texts_of

pytestmark = pytest.mark.usefixtures("no_figure_is_left")

MODEL = mixture(2, 5)
ROW = np.array([40.0, -2.0, 0.5, 1e-3, 3.0])


def bars_of(ax):
    """The lengths of the bars from the top, with the names beside them."""
    names = [text.get_text() for text in ax.get_yticklabels()]
    tops = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in ax.patches}
    return {name: tops[place] for name, place in zip(names, ax.get_yticks(), strict=True)}


@pytest.mark.parametrize("kind", ["conditional", "shapley"])
def test_bars_are_the_contributions_largest_first(ax, kind):
    plot_contributions(MODEL, ROW, kind=kind, ax=ax)
    wanted = MODEL.feature_contributions([ROW], kind)[0]
    order = np.argsort(-np.abs(wanted))
    bars = bars_of(ax)
    assert [int(name.split()[1]) for name in bars] == order.tolist()
    assert_allclose(list(bars.values()), wanted[order])
    values = [float(name.split("= ")[1].replace("−", "-")) for name in bars]
    assert_allclose(values, ROW[order])
    low, high = ax.get_ylim()
    assert low > high  # the first one on top
    written = [float(text.replace("−", "-").replace(",", "")) for text in texts_of(ax)]
    assert_allclose(written, wanted[order], atol=0.0051)
    sum_of = f"; sum {MODEL.score_samples([ROW])[0]:,.2f}".replace("-", "−")
    assert ax.get_xlabel().endswith(sum_of if kind == "shapley" else "(nats)")


def test_colours_say_which_lower_the_density(ax):
    plot_contributions(MODEL, ROW, ax=ax)
    raises, lowers = (plt.matplotlib.colors.to_rgba(pole) for pole in poles_of(ax))
    signs = {np.sign(bar.get_width()): bar.get_facecolor() for bar in ax.patches}
    assert signs == {1.0: raises, -1.0: lowers} or signs == {-1.0: lowers}


TABLE = pd.DataFrame(mixture(2, 3).sample(50, random_state=0)[0], columns=["a", "b", "c"])


@pytest.mark.parametrize("row", [TABLE.iloc[3], TABLE.iloc[[3]], TABLE.loc[3].astype(object)])
def test_a_row_of_a_table_keeps_its_names(ax, row):
    model = GaussianMixture(1).fit(TABLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_contributions(model, row, ax=ax)
    assert {name[:4] for name in bars_of(ax)} == {"a = ", "b = ", "c = "}
    with pytest.raises(ValueError, match="feature names should match"):
        plot_contributions(model, TABLE.iloc[3][["b", "a", "c"]], ax=ax)


def test_the_smallest_bars_are_left_out_where_there_are_too_many(ax):
    model = mixture(2, 30)
    X, _ = model.sample(1, random_state=0)
    plot_contributions(model, X, most=4, ax=ax)
    largest = np.sort(np.abs(model.feature_contributions(X)[0]))[:-5:-1]
    assert_allclose(np.abs(list(bars_of(ax).values())), largest)
    assert ax.get_xlabel().endswith("; 26 smaller left out")
    ax.clear()
    plot_contributions(model, X, ax=ax)
    assert len(bars_of(ax)) == 20


def test_a_missing_value_has_no_bar(ax):
    model = GaussianMixture(1, allow_nan=True).fit(TABLE)
    plot_contributions(model, pd.Series({"a": 1.0, "b": np.nan, "c": 2.0}), ax=ax)
    assert {name[0] for name in bars_of(ax)} == {"a", "c"}
    with pytest.raises(ValueError, match=r"X has no value\. Pass a row"):
        plot_contributions(model, pd.Series(np.nan, index=["a", "b", "c"]), ax=ax)


@pytest.mark.parametrize("n_features", [2, 20])
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_no_text_overlaps_another_or_a_bar_and_none_is_cut_off(style, n_features):
    model = mixture(3, n_features)
    X, _ = model.sample(1, random_state=4)
    with plt.style.context(style):
        ax = plot_contributions(model, X + 3.0)
        ax.figure.canvas.draw()
    texts = [*ax.texts, *ax.get_yticklabels(), ax.xaxis.label]
    boxes = [text.get_window_extent() for text in texts]
    bars = [bar.get_window_extent() for bar in ax.patches]
    for i, box in enumerate(boxes):
        assert ax.figure.bbox.count_contains(box.corners()) == 4, texts[i]
        assert not any(box.overlaps(other) for other in [*boxes[:i], *bars]), texts[i]
    for box in boxes[: len(ax.texts)]:
        assert ax.bbox.count_contains(box.corners()) == 4


@pytest.mark.parametrize(
    ("X", "arguments", "kind", "message"),
    [
        (None, {}, TypeError, "X must be the row to plot, an array-like of shape .* Got None"),
        (np.zeros((3, 5)), {}, ValueError, r"X must be one row. Got 3. Pass one of them, .* X\[0"),
        (np.zeros(4), {}, ValueError, "X has 4 features, but GaussianMixture is expecting 5"),
        (ROW, {"kind": "all"}, ValueError, "kind must be 'conditional' or 'shapley'. Got 'all'"),
        (ROW, {"most": 0}, ValueError, "most must be an int of at least 1. Got 0"),
        (
            np.full(5, 1e200),
            {"kind": "shapley"},
            ValueError,
            "X has a density of zero, and so no finite .* pass kind='conditional'",
        ),
        (5.0, {}, ValueError, "X must be one row. Got a single value, 5.0"),
    ],
)
def test_what_has_no_bars_is_refused_before_anything_is_drawn(X, arguments, kind, message):
    with pytest.raises(kind, match=message):
        plot_contributions(MODEL, X, **arguments)
    assert plt.get_fignums() == []
