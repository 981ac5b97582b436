"""Pairs of columns: what is in which panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_pairs
from support.plots import legend_of, matrix_of, mixture

pytestmark = pytest.mark.usefixtures("no_figure_is_left")

MODEL = mixture(3, 4, apart=3.0)
ROWS, _ = MODEL.sample(200, random_state=0)


def test_below_the_diagonal_are_the_pairs_and_on_it_the_densities():
    chosen = [3, 0, 2]
    axes = plot_pairs(MODEL, ROWS, features=chosen, deviations=1.5)
    cycle = np.array([colors.to_rgb(f"C{k}") for k in range(3)])
    for i, j in zip(*np.tril_indices(3, -1), strict=True):
        columns = [chosen[j], chosen[i]]
        points, ellipses, means = axes[i, j].collections
        assert_array_equal(points.get_offsets(), ROWS[:, columns])
        assert_array_equal(points.get_facecolors()[:, :3], cycle[MODEL.predict(ROWS)])
        assert_array_equal(means.get_offsets(), MODEL.means_[:, columns])
        for marks in (means.get_facecolors(), ellipses.get_edgecolors()):
            assert_allclose(marks[:, :3], cycle)
        for k, path in enumerate(ellipses.get_paths()):
            # The ends of its curves, between which are their control points.
            away = path.vertices[:25:3] - MODEL.means_[k, columns]
            block = matrix_of(MODEL, k)[np.ix_(columns, columns)]
            distances = np.einsum("ni,ij,nj->n", away, np.linalg.inv(block), away)
            assert_allclose(np.sqrt(distances), 1.5)
    for i, column in enumerate(chosen):
        *_shares, curve = axes[i, i].lines
        x, density = curve.get_data()
        normal = [
            stats.norm(MODEL.means_[k, column], matrix_of(MODEL, k)[column, column] ** 0.5).pdf(x)
            for k in range(3)
        ]
        assert_allclose(density, MODEL.weights_ @ normal, rtol=1e-9)
        heights, edges, _ = axes[i, i].patches[0].get_data()
        assert_allclose(np.sum(heights * np.diff(edges)), 1.0)
        assert (edges[0], edges[-1]) == (ROWS[:, column].min(), ROWS[:, column].max())


def test_panels_of_a_column_and_of_a_row_have_one_range_that_holds_everything():
    axes = plot_pairs(MODEL, ROWS)
    for i in range(4):
        assert len({ax.get_xlim() for ax in axes[i:, i]}) == 1
        assert len({ax.get_ylim() for ax in axes[i, :i]} | {axes[3, i].get_xlim()}) <= 2
        reach = 2 * np.sqrt([matrix_of(MODEL, k)[i, i] for k in range(3)])
        low, high = axes[3, i].get_xlim()
        assert low <= min(ROWS[:, i].min(), (MODEL.means_[:, i] - reach).min())
        assert high >= max(ROWS[:, i].max(), (MODEL.means_[:, i] + reach).max())


def test_panels_stand_in_a_grid_whatever_has_been_added():
    axes = plot_pairs(MODEL, features=[0, 1, 2])
    figure = axes[0, 0].figure
    figure.suptitle("above\nall of them")
    figure.canvas.draw()
    for i, j in zip(*np.tril_indices(3), strict=True):
        place = axes[i, j].get_position()
        assert_allclose(place.intervaly, axes[i, 0].get_position().intervaly)
        assert_allclose(place.intervalx, axes[2, j].get_position().intervalx)
    assert axes[0, 0].get_position().y1 < 0.95
    assert axes[0, 1] is axes[1, 2]


def test_an_outlier_stretches_no_panel():
    far = np.concatenate([ROWS, np.full((1, 4), 1e5)])
    for ax in plot_pairs(MODEL, far)[np.tril_indices(4)]:
        assert ax.get_xlim()[1] < 100
    assert plot_pairs(MODEL, far, limits=None)[3, 0].get_xlim()[1] > 1e5


def test_features_are_named_along_the_left_and_the_bottom_only():
    table = pd.DataFrame(ROWS, columns=list("abcd"))
    model = GaussianMixture(2, random_state=0).fit(table)
    axes = plot_pairs(model, table, features=["d", "a", "b"])
    assert [ax.get_xlabel() for ax in axes[2]] == ["d", "a", "b"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["density", "a", "b"]
    axes[0, 0].figure.canvas.draw()
    for i, j in np.ndindex(3, 3):
        ticks = [tick.label1 for tick in axes[i, j].xaxis.get_major_ticks()]
        assert any(label.get_visible() for label in ticks) == (i == 2 or j > i)
        ticks = [tick.label1 for tick in axes[i, j].yaxis.get_major_ticks()]
        assert any(label.get_visible() for label in ticks) == ((j == 0 < i) or j > i)
        assert axes[i, j].axison == (j <= i)


def test_the_legend_gives_the_weights_and_covers_no_panel():
    axes = plot_pairs(mixture(12, 2), components=[11, 2])
    weights = mixture(12, 2).weights_
    assert legend_of(axes[0, 1]) == [f"{k} ({100 * weights[k]:.1f} %)" for k in (2, 11)]
    axes = plot_pairs(mixture(12, 3))
    figure = axes[0, 0].figure
    figure.canvas.draw()
    box = axes[0, 1].get_legend().get_window_extent()
    assert not any(box.overlaps(ax.bbox) for ax in axes[np.tril_indices(3)])
    lefts = [ax.bbox.x0 for ax in axes[2]]
    assert_allclose(np.diff(lefts), lefts[1] - lefts[0], rtol=0.05)  # nor pushes them apart
    assert figure.bbox.count_contains(box.corners()) == 4


def test_a_panel_leaves_out_only_rows_that_lack_what_it_shows():
    model = GaussianMixture(1, allow_nan=True).fit(ROWS)
    X = ROWS[:30].copy()
    X[:10, 0] = np.nan
    axes = plot_pairs(model, X, features=[0, 1, 2])
    assert len(axes[1, 0].collections[0].get_offsets()) == 20
    assert len(axes[2, 1].collections[0].get_offsets()) == 30


def test_five_features_are_shown_of_many_and_no_more_rows_than_elsewhere():
    model = mixture(2, 20)
    X, _ = model.sample(30_000, random_state=0)
    axes = plot_pairs(model, X)
    assert axes.shape == (5, 5)
    assert len(axes[4, 0].collections[0].get_offsets()) == 20_000


def test_panels_may_be_given_and_keep_the_limits_they_have():
    _, axes = plt.subplots(2, 2)
    axes[1, 0].set_xlim(-1, 1)
    assert plot_pairs(MODEL, ROWS, features=[0, 1], axes=axes) is axes
    assert axes[1, 0].get_xlim() == (-1, 1)
    assert len(plt.get_fignums()) == 1


REFUSED = {
    "one feature": (
        lambda: plot_pairs(MODEL, features=[1]),
        ValueError,
        r"features must be 2 or more different columns. Got 1: \[1\]. .* plot_density",
    ),
    "a model of one": (
        lambda: plot_pairs(mixture(2, 1)),
        ValueError,
        "features must be 2 or more different columns. Got 1: the model has 1 in all",
    ),
    "one twice": (
        lambda: plot_pairs(MODEL, features=[1, 2, 1]),
        ValueError,
        r"features must be different columns. Got \[1, 2, 1\], which has column 1 twice",
    ),
    "axes of another shape": (
        lambda: plot_pairs(MODEL, features=[1, 2], axes=plt.subplots(1, 2)[1]),
        ValueError,
        r"axes must have a row and a column for each feature, shape \(2, 2\). Got shape \(2,\)",
    ),
    "a figure": (
        lambda: plot_pairs(MODEL, features=[1, 2], axes=plt.figure()),
        TypeError,
        r"axes must be an array of matplotlib Axes or None. .* type Figure. Pass those of .*2, 2",
    ),
    "one pair of axes": (
        lambda: plot_pairs(MODEL, features=[1, 2], axes=plt.figure().add_subplot()),
        TypeError,
        "axes must be an array of matplotlib Axes or None. Got an object of type Axes",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_pairs_is_refused_before_anything_is_drawn(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    assert not any(ax.has_data() for n in plt.get_fignums() for ax in plt.figure(n).axes)
