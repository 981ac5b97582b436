"""Standardised means as a heat map."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.collections import QuadMesh
from numpy.testing import assert_allclose

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_profile
from support.plots import mixture, texts_of

pytestmark = pytest.mark.usefixtures("no_figure_is_left")


def cells_of(ax):
    (cells,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return np.asarray(cells.get_array())


def test_cells_are_means_in_deviations_of_the_whole_mixture(ax, covariance_type):
    model = mixture(3, 4, covariance_type)
    plot_profile(model, ax=ax)
    X, _ = model.sample(400_000, random_state=0)
    wanted = (model.means_ - X.mean(axis=0)) / X.std(axis=0)
    assert_allclose(cells_of(ax).T, wanted, atol=0.015)


def test_means_far_from_zero_keep_their_digits(ax):
    near = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0])
    far = GaussianMixture.from_parameters([0.5, 0.5], [[1e9], [1e9 + 1]], [1.0, 1.0])
    plot_profile(near, ax=ax)
    wanted = cells_of(ax)
    ax.clear()
    plot_profile(far, ax=ax)
    assert_allclose(cells_of(ax), wanted)


def test_features_and_components_are_chosen_in_the_order_given(ax):
    model = mixture(4, 3)
    plot_profile(model, ax=ax)
    every = cells_of(ax)
    ax.clear()
    plot_profile(model, features=[2, 0], components=[3, 1], ax=ax)
    assert_allclose(cells_of(ax), every[np.ix_([2, 0], [3, 1])])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["column 2", "column 0"]
    shares = [f"{k}\n{100 * model.weights_[k]:.0f} %" for k in (3, 1)]
    assert [text.get_text() for text in ax.get_xticklabels()] == shares
    assert ax.get_ylim() == (2, 0)  # the first one on top


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_colours_go_from_the_background_both_ways_and_end_at_three(style):
    weights = [0.97, 0.01, 0.02]
    model = GaussianMixture.from_parameters(weights, [[0.0], [9.0], [-1.0]], [0.1, 0.1, 0.1])
    with plt.style.context(style):
        ax = plot_profile(model)
        behind = np.array(colors.to_rgb(ax.get_facecolor()))
        (cells,) = ax.collections
        assert cells.get_clim() == (-3.0, 3.0)
        below, zero, above = cells.cmap([0.0, 0.5, 1.0])[:, :3]
    assert_allclose(zero, behind, atol=0.01)
    assert below[2] > below[0]  # blue
    assert above[0] > above[2]  # red
    assert ax.figure.axes[-1].get_ylabel() == "standardised mean"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_numbers_are_those_of_the_cells_and_read_on_their_colour(style):
    with plt.style.context(style):
        ax = plot_profile(mixture(5, 6, apart=2.0))
        (cells,) = ax.collections
        values = cells_of(ax)
        colour = cells.to_rgba(values)[..., :3] ** 2.2 @ [0.2126, 0.7152, 0.0722]
    for text in ax.texts:
        column, row = np.floor(text.get_position()).astype(int)
        number = float(text.get_text().replace("−", "-"))
        assert abs(number - values[row, column]) <= 0.0501
        ink = np.array(colors.to_rgb(text.get_color())) ** 2.2 @ [0.2126, 0.7152, 0.0722]
        lights = sorted([ink, colour[row, column]])
        assert (lights[1] + 0.05) / (lights[0] + 0.05) > 4.0


@pytest.mark.parametrize(("n_components", "n_features"), [(2, 2), (12, 20), (2, 20), (12, 2)])
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_no_text_overlaps_another_and_none_is_cut_off(style, n_components, n_features):
    model = mixture(n_components, n_features)
    model.feature_names_in_ = np.array(
        [f"mean of measure {j}" for j in range(n_features)], dtype=object
    )
    with plt.style.context(style):
        ax = plot_profile(model)
        ax.figure.canvas.draw()
    texts = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label]
    boxes = [text.get_window_extent() for text in texts]
    assert len(texts) == n_components * n_features + n_components + n_features + 1
    boxes += [ax.figure.axes[-1].yaxis.label.get_window_extent()]
    frame = ax.figure.bbox
    for i, box in enumerate(boxes):
        assert frame.count_contains(box.corners()) == 4, i
        assert not any(box.overlaps(other) for other in boxes[:i]), i


def test_of_many_components_no_numbers_are_written(ax):
    plot_profile(mixture(15, 2), ax=ax)
    assert texts_of(ax) == []


def test_one_component_is_in_the_middle_of_itself(ax):
    plot_profile(mixture(1, 3), ax=ax)
    assert texts_of(ax) == ["0.0"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": []}, "features must be 1 or more different columns. Got 0"),
        ({"features": [0, 0]}, r"different columns. Got \[0, 0\], which has column 0 twice"),
        ({"components": 3}, "components contains 3, but the model has 3 components"),
    ],
)
def test_what_has_no_cells_is_refused_before_anything_is_drawn(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_profile(mixture(3, 2), **arguments)
    assert plt.get_fignums() == []
