"""Maps of uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.collections import QuadMesh
from numpy.testing import assert_allclose, assert_array_equal

from gaussmix.plotting import plot_uncertainty
from support.plots import markers_of, mixture, points_of

pytestmark = pytest.mark.usefixtures("no_figure_is_left")


def map_of(ax):
    (cells,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return cells


@pytest.mark.parametrize("features", [(0, 1), (3, 1)])
def test_the_map_is_one_minus_the_largest_responsibility_of_the_marginal(ax, features):
    model = mixture(3, 4, apart=2.0)
    plot_uncertainty(model, features=features, ax=ax)
    cells = map_of(ax)
    corners = cells.get_coordinates()
    centres = (corners[1:, 1:] + corners[:-1, :-1]) / 2
    marginal = model.marginal(list(features))
    wanted = 1 - marginal.predict_proba(centres.reshape(-1, 2)).max(axis=1)
    assert_allclose(np.ravel(cells.get_array()), wanted, atol=1e-9)
    assert cells.get_clim() == (0.0, max(0.5, wanted.max()))
    assert_allclose(corners[0, 0], [ax.get_xlim()[0], ax.get_ylim()[0]])
    assert_allclose(corners[-1, -1], [ax.get_xlim()[1], ax.get_ylim()[1]])


def test_rows_have_the_colours_of_their_components_and_lie_on_the_map(ax):
    model = mixture(3, 4, apart=2.0)
    X, _ = model.sample(100, random_state=0)
    plot_uncertainty(model, X, features=(2, 0), ax=ax)
    points = points_of(ax)
    assert_array_equal(points.get_offsets(), X[:, [2, 0]])
    cycle = np.array([colors.to_rgb(f"C{k}") for k in range(3)])
    assert_array_equal(points.get_facecolors()[:, :3], cycle[model.predict(X)])
    assert points.get_zorder() > map_of(ax).get_zorder()
    for k, marker in enumerate(markers_of(ax)):
        assert_array_equal(np.ravel(marker.get_data()), model.means_[k, [2, 0]])
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
    assert np.all((X[:, [2, 0]] > low) & (X[:, [2, 0]] < high))


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_certain_places_have_the_colour_of_the_background(style):
    with plt.style.context(style):
        ax = plot_uncertainty(mixture(2, 2, apart=20.0))
        ends = map_of(ax).cmap([0.0, 1.0])[:, :3]
        behind, ink = (
            np.array(colors.to_rgb(c)) for c in (ax.get_facecolor(), ax.xaxis.label.get_color())
        )
    assert_allclose(ends[0], behind, atol=1e-6)
    assert np.abs(ends[1] - ink).max() < np.abs(ends[1] - behind).max()
    assert ax.figure.axes[-1].get_ylabel() == "1 − largest responsibility"


def test_limits_that_a_user_has_set_are_filled(ax):
    ax.set(xlim=(-1, 1), ylim=(-2, 2))
    plot_uncertainty(mixture(2, 2), ax=ax)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 1), (-2, 2))
    corners = map_of(ax).get_coordinates()
    assert_allclose(corners[[0, -1], [0, -1]], [[-1, -2], [1, 2]])


@pytest.mark.parametrize("arguments", [{"features": 0}, {"features": ["a"]}, {}])
def test_one_feature_makes_no_map(arguments):
    model = mixture(2, 1) if not arguments else mixture(2, 3)
    kind = "features must be two columns for a map. Got one. Pass another|names 'a', but"
    with pytest.raises(ValueError, match=kind):
        plot_uncertainty(model, **arguments)
    assert plt.get_fignums() == []
