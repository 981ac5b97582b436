"""Plots: what is drawn, as data and as images, and what a user reads who asks for what cannot be.

Images are checked for what must be seen in any version of matplotlib: colours at known places,
contrast with the background, text inside the figure.
"""

from __future__ import annotations

import subprocess
import sys
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import colors, rcParams
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.text import Text
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from gaussmix import GaussianMixture, NotFittedError
from gaussmix import plotting as plots
from support.families import COVARIANCE_TYPES
from support.plots import contours_of, markers_of, matrix_of, mixture, points_of

STYLES = ["default", "dark_background", "seaborn-v0_8", "ggplot"]

pytestmark = pytest.mark.usefixtures("no_figure_is_left")


# --- covariances ---------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("features", [(0, 1), (3, 1)])
def test_ellipses_are_those_of_the_marginal_covariance(ax, covariance_type, features):
    model = mixture(3, 5, covariance_type)
    plots.plot_covariances(model, features=features, deviations=(0.5, 2.0), ax=ax)
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 2 * 3
    for i, ellipse in enumerate(ellipses):
        k, size = i // 2, (0.5, 2.0)[i % 2]
        wanted = matrix_of(model, k)[np.ix_(features, features)]
        assert_allclose(ellipse.center, model.means_[k, list(features)])
        radii = np.sort([ellipse.width, ellipse.height]) / 2
        assert_allclose(radii, size * np.sqrt(np.linalg.eigvalsh(wanted)))
        angle = np.radians(ellipse.angle)
        axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        drawn = axes @ np.diag([ellipse.width, ellipse.height]) ** 2 @ axes.T / (2 * size) ** 2
        assert_allclose(drawn, wanted, atol=1e-12)


def test_rows_have_the_colour_of_their_component_and_so_do_ellipses_and_means(ax):
    model = mixture(3, 4, apart=2.0)
    X, _ = model.sample(300, random_state=1)
    plots.plot_covariances(model, X, features=(2, 0), deviations=1, ax=ax)
    cycle = np.array([colors.to_rgb(c) for c in rcParams["axes.prop_cycle"].by_key()["color"]])
    points = points_of(ax)
    assert_array_equal(points.get_offsets(), X[:, [2, 0]])
    assert_array_equal(points.get_facecolors()[:, :3], cycle[model.predict(X)])
    for k, (ellipse, marker) in enumerate(zip(ax.patches, markers_of(ax), strict=True)):
        assert_allclose(ellipse.get_edgecolor()[:3], cycle[k])
        assert_allclose(colors.to_rgb(marker.get_color()), cycle[k])
        assert_allclose(np.ravel(marker.get_data()), model.means_[k, [2, 0]])


@pytest.mark.parametrize(("model", "feature"), [(mixture(3, 1), 0), (mixture(3, 4), 2)])
def test_bars_of_one_feature_reach_as_far_as_the_deviations(ax, model, feature):
    X, _ = model.sample(200, random_state=0)
    plots.plot_covariances(model, X, features=feature, deviations=(1, 3), ax=ax)
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2]
    for i, bar in enumerate(bars):
        k, size = i // 2, (1, 3)[i % 2]
        reach = size * np.sqrt(matrix_of(model, k)[feature, feature])
        assert_allclose(bar.get_xdata(), model.means_[k, feature] + [-reach, reach])
        assert_array_equal(bar.get_ydata(), [k, k])
    assert len(bars) == 6
    x, y = points_of(ax).get_offsets().T
    assert_array_equal(x, X[:, feature])
    assert_array_equal(np.round(y), model.predict(X))
    assert all(tick == round(tick) for tick in ax.get_yticks())


def test_all_ellipses_are_inside_the_limits(ax):
    model = mixture(4)
    plots.plot_covariances(model, deviations=3, ax=ax)
    for k in range(4):
        reach = 3 * np.sqrt(np.diagonal(matrix_of(model, k)))
        low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
        assert np.all(low < model.means_[k] - reach)
        assert np.all(high > model.means_[k] + reach)


# --- density -------------------------------------------------------------------------------------


def test_levels_of_one_normal_distribution_are_those_of_chi_square(ax):
    model = mixture(1)
    plots.plot_density(model, levels=(0.1, 0.5, 0.95), ax=ax)
    at_mean = model.score_samples(model.means_)[0]
    wanted = at_mean - stats.chi2(2).ppf([0.95, 0.5, 0.1]) / 2
    # Four standard errors of the quantile of 131,072 rows, at worst.
    assert_allclose(contours_of(ax).levels, wanted, atol=0.06)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_contours_enclose_the_stated_mass(ax, covariance_type):
    model = mixture(3, 4, covariance_type, apart=2.5)
    masses = np.array([0.25, 0.5, 0.9])
    plots.plot_density(model, features=(1, 0), levels=masses, ax=ax)
    X, _ = model.sample(40_000, random_state=7)
    inside = [
        # A point is inside if a ray from it crosses the region's boundary an odd number of times.
        np.sum([polygon_contains(loop, X[:, [1, 0]]) for loop in loops_of(path)], axis=0) % 2
        for path in contours_of(ax).get_paths()
    ]
    assert_allclose(np.mean(inside, axis=1), masses[::-1], atol=0.012)


def loops_of(path):
    return path.to_polygons(closed_only=False)


def polygon_contains(vertices, points):
    return matplotlib.path.Path(vertices).contains_points(points)


def test_narrow_components_have_whole_contours(ax):
    narrow = 1e-10 * np.array([[1.0, 0.0], [0.0, 1.0]])
    tilted = np.array([[1.0, 0.999], [0.999, 1.0]])
    model = GaussianMixture.from_parameters(
        [0.3, 0.4, 0.3], [[0.0, 0.0], [6.0, 0.0], [3.0, 5.0]], [narrow, tilted, np.eye(2)]
    )
    plots.plot_density(model, levels=0.9, ax=ax)
    (path,) = contours_of(ax).get_paths()
    loops = loops_of(path)
    assert len(loops) == 3
    assert all(np.array_equal(loop[0], loop[-1]) for loop in loops)


def test_the_curve_of_one_feature_is_the_density_and_shares_add_up_to_it(ax):
    model = mixture(3, 4, apart=2.0)
    plots.plot_density(model, features=1, ax=ax)
    *shares, curve = ax.lines
    x, density = curve.get_data()
    normal = [
        stats.norm(model.means_[k, 1], np.sqrt(matrix_of(model, k)[1, 1])).pdf(x) for k in range(3)
    ]
    assert_allclose(density, model.weights_ @ normal, rtol=1e-9)
    for k, share in enumerate(shares):
        assert_allclose(share.get_ydata(), model.weights_[k] * normal[k], rtol=1e-6, atol=1e-12)
    assert ax.get_ylim()[0] == 0


def test_shaded_areas_of_one_feature_are_the_masses(ax):
    plots.plot_density(mixture(3, 1, apart=3.0), levels=(0.2, 0.9, 0.6), ax=ax)
    shaded = [
        sum(area_of(path.vertices) for path in collection.get_paths())
        for collection in ax.collections
        if isinstance(collection, PolyCollection)
    ]
    assert_allclose(shaded, [0.9, 0.6, 0.2], atol=0.01)


def test_shades_of_nested_areas_add_up_to_those_of_contours(ax):
    plots.plot_density(mixture(2, 1), levels=(0.5, 0.9, 0.99), ax=ax)
    alphas = [c.get_facecolor()[0, 3] for c in ax.collections]
    inks = 1 - np.cumprod(1 - np.array(alphas))
    legend = [patch.get_facecolor()[3] for patch in ax.get_legend().get_patches()]
    assert_allclose(inks[::-1], legend[-3:])


def area_of(vertices):
    x, y = vertices.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def test_the_histogram_counts_all_rows(ax):
    model = mixture(2, 1)
    X, _ = model.sample(50_000, random_state=0)
    plots.plot_density(model, X, ax=ax)
    heights, edges, _ = ax.patches[0].get_data()
    assert_allclose(np.sum(heights * np.diff(edges)), 1.0)
    assert (edges[0], edges[-1]) == (X.min(), X.max())
    assert_allclose(heights[0] * np.diff(edges)[0] * 50_000, np.sum(edges[1] > X))


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 9.0], [2.0]])
def test_a_histogram_of_equal_values_is_drawn_as_well(ax, values):
    model = GaussianMixture.from_parameters([1.0], [[1.0]], [[[1.0]]])
    plots.plot_density(model, np.reshape(values, (-1, 1)), ax=ax)
    heights, edges, _ = ax.patches[0].get_data()
    assert_allclose(np.sum(heights * np.diff(edges)), 1.0)


def test_the_legend_says_how_much_each_region_contains(ax):
    plots.plot_density(mixture(), levels=(0.995, 0.5), ax=ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["50 % of the probability", "99.5 % of the probability"]


@pytest.mark.parametrize("slope", [-1, 1])
def test_the_legend_is_in_a_corner_without_contours(ax, slope):
    covariance = [[1.0, 0.95 * slope], [0.95 * slope, 1.0]]
    plots.plot_density(GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [covariance]), ax=ax)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    vertices = np.concatenate([path.vertices for path in contours_of(ax).get_paths()])
    assert box.count_contains(ax.transData.transform(vertices)) == 0


def test_rows_at_the_edge_have_the_margin_of_the_style(ax):
    X = np.array([[-50.0, 0.0], [50.0, 0.0]])
    plots.plot_density(mixture(1), X, ax=ax)
    assert_allclose(ax.get_xlim(), [-55.0, 55.0])


# --- responsibilities ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_components", [2, 15])
def test_colours_are_mixed_by_the_responsibilities(ax, n_components):
    model = mixture(n_components, 3, apart=1.5)
    X, _ = model.sample(400, random_state=2)
    plots.plot_responsibilities(model, X, features=(2, 1), ax=ax)
    responsibilities = model.predict_proba(X)
    order = np.argsort(-responsibilities.max(axis=1), kind="stable")
    palette = np.array([colors.to_rgb(marker.get_color()) for marker in markers_of(ax)])
    assert len(palette) == n_components
    points = points_of(ax)
    assert_array_equal(points.get_offsets(), X[order][:, [2, 1]])
    assert_allclose(points.get_facecolors()[:, :3], responsibilities[order] @ palette, atol=1e-12)
    assert np.all(points.get_facecolors()[:, 3] == 1.0)


def test_with_one_feature_the_height_is_the_largest_responsibility(ax):
    model = mixture(3, 1, apart=2.0)
    X, _ = model.sample(100, random_state=2)
    plots.plot_responsibilities(model, X, ax=ax)
    x, y = points_of(ax).get_offsets().T
    assert_allclose(y, model.predict_proba(x[:, np.newaxis]).max(axis=1))
    assert sorted(x) == sorted(X[:, 0])


# --- criteria ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits():
    X, _ = mixture(3, 2).sample(400, random_state=0)
    models = [
        GaussianMixture(k, covariance_type=family, random_state=0).fit(X)
        for k in (4, 2, 3, 1)
        for family in ("full", "diag")
    ]
    return models, X


def test_criteria_are_those_of_the_models(ax, fits):
    models, X = fits
    plots.plot_criteria(models, X, criteria=("aic", "bic", "icl"), ax=ax)
    lines = {line.get_label(): line for line in ax.lines}
    for criterion in ("aic", "bic", "icl"):
        for family in ("full", "diag"):
            x, y = lines[f"{family}, {criterion.upper()}"].get_data()
            of_family = {len(m.weights_): m for m in models if m.covariance_type == family}
            assert_array_equal(x, [1, 2, 3, 4])
            assert_array_equal(y, [getattr(of_family[k], criterion)(X) for k in x])
    assert ax.get_ylabel() == "AIC, BIC, ICL (−2 ln L; lower is better)"
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_the_lowest_value_of_each_criterion_is_ringed(ax, fits):
    models, X = fits
    plots.plot_criteria(models, X, ax=ax)
    rings = [line for line in ax.lines if "lowest" in line.get_label()]
    for ring, criterion in zip(rings, ("bic", "icl"), strict=True):
        best = min(models, key=lambda model: getattr(model, criterion)(X))
        assert_array_equal(
            np.ravel(ring.get_data()), [len(best.weights_), getattr(best, criterion)(X)]
        )


def test_of_equal_models_the_lowest_value_counts(ax, fits):
    _, X = fits
    good = GaussianMixture(2, random_state=0).fit(X)
    bad = GaussianMixture(2, random_state=0, max_iter=0, init_params="random").fit(X)
    plots.plot_criteria([bad, good, bad], X, criteria="bic", ax=ax)
    assert bad.bic(X) > good.bic(X)
    assert_array_equal(ax.lines[0].get_data(), [[2], [good.bic(X)]])


def test_a_dropped_component_is_not_counted(ax):
    X = np.concatenate([np.random.default_rng(0).normal(size=(100, 2)), np.full((50, 2), 30.0)])
    with pytest.warns(UserWarning, match="collapsed"):
        model = GaussianMixture(2, reg_covar=0, on_collapse="drop", random_state=0).fit(X)
    plots.plot_criteria(model, X, criteria="bic", ax=ax)
    assert_array_equal(ax.lines[0].get_xdata(), [1])


# --- convergence ---------------------------------------------------------------------------------


def test_the_course_of_a_fit(ax, fits):
    models, _ = fits
    plots.plot_convergence(models[0], ax=ax)
    (line,) = ax.lines
    assert_array_equal(line.get_ydata(), models[0].lower_bounds_)
    assert_array_equal(line.get_xdata(), np.arange(1, models[0].n_iter_ + 1))
    assert ax.get_legend() is None
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_models_are_told_apart_by_the_parameters_in_which_they_differ(ax, fits):
    models, _ = fits
    plots.plot_convergence(models[:3], ax=ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == [
        f"n_components={k}, covariance_type='{family}'"
        for k, family in [(4, "full"), (4, "diag"), (2, "full")]
    ]


def test_equal_models_are_numbered(ax, fits):
    models, _ = fits
    plots.plot_convergence([models[0], models[0]], ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["model 0", "model 1"]


def test_collapses_are_marked_where_they_happened(ax):
    model = mixture()
    model.lower_bounds_ = [-5.0, -4.0, -3.0, -3.5]
    model.collapses_ = [{"iteration": 0}, {"iteration": 3}, {"iteration": 9}]
    plots.plot_convergence(model, ax=ax)
    crosses = next(line for line in ax.lines if line.get_label() == "collapse")
    # The start, whose value is the first, and the third iteration; the ninth is an earlier fit's.
    assert_array_equal(crosses.get_data(), [[0, 3], [-5.0, -3.0]])


# --- features, rows, axes ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named():
    """A model of named columns, and its table."""
    X, _ = mixture(2, 3).sample(200, random_state=0)
    table = pd.DataFrame(X, columns=["duration", "waiting", "depth"])
    return GaussianMixture(2, random_state=0).fit(table), table


@pytest.mark.parametrize("features", [("depth", "duration"), (2, 0), np.array([2, 0])])
def test_features_go_by_name_or_index(ax, named, features):
    model, table = named
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for plot in (plots.plot_covariances, plots.plot_responsibilities, plots.plot_density):
            ax.clear()
            assert plot(model, table, features=features, ax=ax) is ax
            assert (ax.get_xlabel(), ax.get_ylabel()) == ("depth", "duration")
    assert_array_equal(points_of(ax).get_offsets(), table[["depth", "duration"]])


def test_one_feature_needs_no_sequence(ax, named):
    model, table = named
    plots.plot_density(model, table, features="waiting", ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("waiting", "density")


@pytest.mark.parametrize("plot", [plots.plot_covariances, plots.plot_responsibilities])
def test_of_many_rows_the_same_ones_are_shown_each_time(plot):
    model = mixture(2, 2)
    X, _ = model.sample(50_000, random_state=0)
    shown = []
    for _ in range(2):
        plt.close("all")
        shown.append(np.array(points_of(plot(model, X)).get_offsets()))
    assert_array_equal(*shown)
    assert len(np.unique(shown[0], axis=0)) == 20_000
    assert {*map(tuple, shown[0])} <= {*map(tuple, X)}
    assert points_of(plt.gca()).get_rasterized()


@pytest.mark.parametrize(
    "plot", [plots.plot_covariances, plots.plot_responsibilities, plots.plot_density]
)
def test_a_missing_value_is_reported_in_whichever_row_it_is(plot):
    model = mixture(2, 2)
    X = np.zeros((50_000, 2))
    for row in range(40_000, 40_010):  # of which some are not among those shown
        X[:, 1] = 0.0
        X[row, 1] = np.nan
        with pytest.raises(ValueError, match=f"NaN. First at row {row}, column 1"):
            plot(model, X)
    assert plt.get_fignums() == []


CALLS = {
    "covariances": lambda model, X, ax=None: plots.plot_covariances(model, X, ax=ax),
    "covariances of one": lambda model, X, ax=None: plots.plot_covariances(
        model, X, features=1, ax=ax
    ),
    "density": lambda model, X, ax=None: plots.plot_density(model, X, ax=ax),
    "density of one": lambda model, X, ax=None: plots.plot_density(model, X, features=0, ax=ax),
    "responsibilities": lambda model, X, ax=None: plots.plot_responsibilities(model, X, ax=ax),
    "responsibilities of one": lambda model, X, ax=None: plots.plot_responsibilities(
        model, X, features=0, ax=ax
    ),
    "labelled covariances": lambda model, X, ax=None: plots.plot_covariances(
        model, X, components=[2, 0], label=True, ax=ax
    ),
    "labelled density": lambda model, X, ax=None: plots.plot_density(
        model, X, label=True, features=0, ax=ax
    ),
    "profile": lambda model, X, ax=None: plots.plot_profile(model, ax=ax),
    "scores": lambda model, X, ax=None: plots.plot_scores(model, X, ax=ax),
    "contributions": lambda model, X, ax=None: plots.plot_contributions(model, X[0], ax=ax),
    "uncertainty": lambda model, X, ax=None: plots.plot_uncertainty(model, X, label=True, ax=ax),
    "criteria": lambda model, X, ax=None: plots.plot_criteria([model], X, ax=ax),
    "convergence": lambda model, X, ax=None: plots.plot_convergence(model, ax=ax),
}


@pytest.fixture(scope="module")
def fitted():
    X, _ = mixture(3, 2).sample(300, random_state=0)
    return GaussianMixture(3, random_state=0).fit(X), X


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_plots_draw_on_the_given_axes_only_and_change_nothing_else(call, fitted):
    model, X = fitted
    _, (left, right) = plt.subplots(1, 2)
    settings, attributes = dict(rcParams), {**vars(model)}
    before = str(np.random.get_state())  # noqa: NPY002
    assert call(model, X, left) is left
    assert left.has_data()
    assert not right.has_data()
    assert plt.gca() is right
    assert len(plt.get_fignums()) == 1
    assert dict(rcParams) == settings
    assert vars(model) == attributes
    assert str(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_axes_the_current_ones_are_used(call, fitted):
    ax = call(*fitted)
    assert plt.get_fignums() == [ax.figure.number]
    assert call(*fitted) is ax
    _, current = plt.subplots()
    assert call(*fitted) is current


def test_limits_that_a_user_has_set_are_kept(ax, fitted):
    ax.set(xlim=(-1, 1), ylim=(-2, 2))
    plots.plot_density(*fitted, ax=ax)
    plots.plot_covariances(*fitted, ax=ax)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 1), (-2, 2))


# --- images --------------------------------------------------------------------------------------


def luminance(rgb):
    """Relative luminance of sRGB colours (WCAG 2)."""
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(rgba, background):
    """Contrast ratios of colours, with their opacity, laid on a background."""
    rgba = np.atleast_2d(colors.to_rgba_array(rgba))
    behind = np.array(colors.to_rgb(background))
    laid = rgba[:, 3:] * rgba[:, :3] + (1 - rgba[:, 3:]) * behind
    lights = np.sort([luminance(laid), np.full(len(laid), luminance(behind))], axis=0)
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def seen_colours(artist):
    """The colours of what an artist fills and strokes, and the contrast that each must have."""
    if isinstance(artist, Text):
        return [(artist.get_color(), 4.0)] if artist.get_text() else []
    if isinstance(artist, Line2D):
        hollow = str(artist.get_markerfacecolor()) == "none"
        return [(artist.get_markeredgecolor() if hollow else artist.get_color(), 1.3)]
    if isinstance(artist, QuadMesh):  # whose lowest or middle value is the background's
        return [(artist.cmap(1.0), 2.0)]
    faces = colors.to_rgba_array(artist.get_facecolor())
    hollow = not getattr(artist, "fill", True)  # patches say so apart
    if hollow or not len(faces) or faces[:, 3].max() == 0:
        return [(artist.get_edgecolor(), 1.3)]
    return [(faces, 1.1)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_all_is_seen_on_the_background_and_no_text_is_cut_off(call, style, fitted):
    with plt.style.context(style):
        ax = call(*fitted)
        ax.figure.canvas.draw()
        drawn = [*ax.lines, *ax.collections, *ax.patches]
        texts = [ax.xaxis.label, ax.yaxis.label]
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            texts += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
        if ax.get_legend() is not None:
            texts += ax.get_legend().get_texts()
        for artist in [*drawn, *texts]:
            for colour, least in seen_colours(artist):
                behind = (ax.figure if artist in texts else ax).get_facecolor()
                assert contrast(colour, behind).min() > least, artist
        frame = ax.figure.bbox
        for text in texts:
            if text.get_text():
                box = text.get_window_extent()
                assert frame.x0 <= box.x0 <= box.x1 <= frame.x1, text
                assert frame.y0 <= box.y0 <= box.y1 <= frame.y1, text


def pixels(ax):
    """The picture as (height, width, 3) RGB in [0, 1], row 0 at the bottom."""
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[::-1, :, :3] / 255.0


def pixel_at(ax, x, y, image):
    column, row = ax.transData.transform((x, y)).astype(int)
    return image[row, column]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("plot", [plots.plot_covariances, plots.plot_responsibilities])
def test_the_means_are_seen_in_the_colours_of_the_cycle(plot, style):
    model = mixture(5, 2, apart=8.0)
    X, _ = model.sample(500, random_state=0)
    with plt.style.context(style):
        ax = plot(model, X)
        cycle = rcParams["axes.prop_cycle"].by_key()["color"]
        image = pixels(ax)
    for k, mean in enumerate(model.means_):
        assert_allclose(pixel_at(ax, *mean, image), colors.to_rgb(cycle[k]), atol=0.02)


@pytest.mark.parametrize("style", STYLES)
def test_ellipses_are_seen_where_they_are(style):
    model = mixture(3, 2, apart=8.0)
    with plt.style.context(style):
        ax = plots.plot_covariances(model, deviations=2)
        palette = [colors.to_rgb(c) for c in rcParams["axes.prop_cycle"].by_key()["color"]]
        image = pixels(ax)
    for k, mean in enumerate(model.means_):
        root = np.linalg.cholesky(matrix_of(model, k))
        seen = 0
        for angle in np.linspace(0, 2 * np.pi, 60, endpoint=False):
            place = mean + 2 * root @ [np.cos(angle), np.sin(angle)]
            column, row = ax.transData.transform(place).astype(int)
            near = image[row - 1 : row + 2, column - 1 : column + 2]
            seen += np.abs(near - palette[k]).max(axis=2).min() < 0.1
        assert seen >= 55


@pytest.mark.parametrize("style", STYLES)
def test_regions_are_shaded_from_the_background_towards_the_ink(style):
    model = GaussianMixture.from_parameters(
        [1.0], [[0.0, 0.0]], [[1.0, 1.0]], covariance_type="diag"
    )
    with plt.style.context(style):
        ax = plots.plot_density(model, levels=(0.5, 0.9, 0.99))
        ax.grid(False)
        image = pixels(ax)
        ink = np.array(colors.to_rgb(ax.xaxis.label.get_color()))
        behind = np.array(colors.to_rgb(ax.get_facecolor()))
    radii = np.sqrt(stats.chi2(2).ppf([0.5, 0.9, 0.99]))
    rings = [0.0, *(radii[1:] + radii[:-1]) / 2, radii[-1] + 0.2]
    along = [pixel_at(ax, radius, 0.0, image) for radius in rings]
    share = [
        np.dot(colour - behind, ink - behind) / np.sum((ink - behind) ** 2) for colour in along
    ]
    assert np.all(np.diff(share) < -0.05)
    assert_allclose(along[-1], behind, atol=0.01)
    for radius in radii:
        column, row = ax.transData.transform((radius, 0.0)).astype(int)
        assert np.abs(image[row, column - 2 : column + 3] - ink).max(axis=1).min() < 0.25


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("n_components", [3, 15, 45])
def test_no_two_components_have_one_colour(style, n_components):
    with plt.style.context(style):
        ax = plots.plot_covariances(mixture(n_components, apart=8.0))
    palette = np.array([colors.to_rgb(marker.get_color()) for marker in markers_of(ax)])
    assert len(palette) == n_components
    apart = np.abs(palette[:, np.newaxis] - palette).sum(axis=2) + np.eye(n_components)
    assert apart.min() > 0.02
    assert contrast(palette, ax.get_facecolor()).min() > 1.25


def test_axes_of_another_style_than_the_current_one_are_drawn_on_in_their_own_ink():
    with plt.style.context("dark_background"):
        _, ax = plt.subplots()
    plots.plot_density(mixture(), ax=ax)
    assert_array_equal(contours_of(ax).get_edgecolor()[0, :3], [1, 1, 1])


# --- what cannot be plotted ----------------------------------------------------------------------

MODEL = mixture(2, 3)
ROWS = np.zeros((5, 3))

REFUSED = {
    "unfitted": (
        lambda: plots.plot_covariances(GaussianMixture()),
        NotFittedError,
        "not fitted yet",
    ),
    "unfitted, of several": (
        lambda: plots.plot_criteria([MODEL, GaussianMixture()], ROWS),
        NotFittedError,
        "not fitted yet",
    ),
    "no model": (
        lambda: plots.plot_density("full"),
        TypeError,
        "model must be a gaussmix.GaussianMixture. Got 'full', of type str. Pass a fitted",
    ),
    "a class": (
        lambda: plots.plot_density(GaussianMixture),
        TypeError,
        r"Pass an instance, GaussianMixture\(...\).fit\(X\)",
    ),
    "no models": (lambda: plots.plot_convergence([]), ValueError, "models is empty. Pass at"),
    "models that are none": (
        lambda: plots.plot_convergence(3),
        TypeError,
        "models must be a gaussmix.GaussianMixture. Got 3",
    ),
    "one that is none": (
        lambda: plots.plot_criteria([MODEL, None], ROWS),
        TypeError,
        r"models\[1\] must be a gaussmix.GaussianMixture. Got None",
    ),
    "other columns": (
        lambda: plots.plot_covariances(MODEL, np.zeros((5, 2))),
        ValueError,
        "X has 2 features, but GaussianMixture is expecting 3",
    ),
    "other columns for a criterion": (
        lambda: plots.plot_criteria([MODEL], np.zeros((5, 2))),
        ValueError,
        "X has 2 features, but GaussianMixture is expecting 3",
    ),
    "no rows": (
        lambda: plots.plot_responsibilities(MODEL, None),
        TypeError,
        "X must be the rows to plot",
    ),
    "three features": (
        lambda: plots.plot_density(MODEL, features=(0, 1, 2)),
        ValueError,
        r"features must be one or two columns, .* Got 3: \(0, 1, 2\)",
    ),
    "no feature": (
        lambda: plots.plot_density(MODEL, features=[]),
        ValueError,
        "features must be one or two columns",
    ),
    "one feature twice": (
        lambda: plots.plot_density(MODEL, features=(1, 1)),
        ValueError,
        r"two different columns. Got \(1, 1\), which is column 1 twice",
    ),
    "feature out of range": (
        lambda: plots.plot_density(MODEL, features=(0, 3)),
        ValueError,
        "features contains 3, but the model has 3 features. Pass indices from 0 to 2",
    ),
    "negative feature": (
        lambda: plots.plot_density(MODEL, features=(0, -1)),
        ValueError,
        "features contains -1, but the model has 3 features. Pass indices from 0 to 2",
    ),
    "fractional feature": (
        lambda: plots.plot_density(MODEL, features=(0, 1.5)),
        TypeError,
        "features must be column indices from 0 to 2 or column names. Got 1.5",
    ),
    "features of another type": (
        lambda: plots.plot_density(MODEL, features=1.5),
        TypeError,
        "features must be one or two column indices or names. Got 1.5",
    ),
    "a name for a nameless column": (
        lambda: plots.plot_density(MODEL, features=("waiting", 0)),
        ValueError,
        "features names 'waiting', but the model was fitted without feature names. Pass indices",
    ),
    "a deviation of zero": (
        lambda: plots.plot_covariances(MODEL, deviations=(1, 0)),
        ValueError,
        "deviations contains 0. Pass one number or several, each above 0",
    ),
    "no deviation": (
        lambda: plots.plot_covariances(MODEL, deviations=()),
        ValueError,
        "deviations is empty. Pass one number or several",
    ),
    "a percentage": (
        lambda: plots.plot_density(MODEL, levels=(50, 90)),
        ValueError,
        "levels contains 50. Pass one number or several, each above 0 and below 1",
    ),
    "a level that is no number": (
        lambda: plots.plot_density(MODEL, levels=np.nan),
        ValueError,
        "levels contains nan. Pass",
    ),
    "a level in words": (
        lambda: plots.plot_density(MODEL, levels="half"),
        ValueError,
        "levels must hold real numbers",
    ),
    "another criterion": (
        lambda: plots.plot_criteria([MODEL], ROWS, criteria=("bic", "dic")),
        ValueError,
        "criteria contains 'dic'. Pass one or several of 'bic', 'icl', 'aic'",
    ),
    "no criterion": (
        lambda: plots.plot_criteria([MODEL], ROWS, criteria=()),
        ValueError,
        "criteria is empty. Pass one or several of 'bic', 'icl', 'aic'",
    ),
    "criteria of another type": (
        lambda: plots.plot_criteria([MODEL], ROWS, criteria=3),
        TypeError,
        "criteria must be names of criteria. Got 3. Pass one",
    ),
    "a criterion that is a list": (
        lambda: plots.plot_criteria([MODEL], ROWS, criteria=[["bic"]]),
        ValueError,
        r"criteria contains \['bic'\]. Pass one",
    ),
    "without iterations": (
        lambda: plots.plot_convergence([MODEL]),
        ValueError,
        r"models\[0\] has no iterations to plot: its lower_bounds_ is empty",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_plotted_is_refused_before_anything_is_drawn(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    assert plt.get_fignums() == []


def test_an_unknown_name_is_refused_with_the_known_ones(named):
    with pytest.raises(ValueError, match=r"names 'wait', .* are 'duration', 'waiting', 'depth'"):
        plots.plot_density(named[0], features=("wait", "depth"))


def test_a_model_of_scikit_learn_is_refused_with_the_way_to_convert_it():
    theirs = pytest.importorskip("sklearn.mixture").GaussianMixture().fit(np.eye(3))
    with pytest.raises(TypeError, match=r"Pass gaussmix.GaussianMixture.from_sklearn\(model\)"):
        plots.plot_covariances(theirs)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_axes_that_are_none_are_refused(call, fitted):
    figure, grid = plt.subplots(1, 2)
    with pytest.raises(TypeError, match=r"ax must be .* type ndarray. Pass one of its entries"):
        call(*fitted, grid)
    with pytest.raises(TypeError, match=r"ax must be .* type Figure. Pass axes of it, such as"):
        call(*fitted, figure)
    with pytest.raises(TypeError, match=r"ax must be .* type str. Pass axes as from"):
        call(*fitted, "left")
    assert not any(ax.has_data() for ax in grid)


def test_without_matplotlib_the_error_says_what_to_install():
    code = "import sys; sys.modules['matplotlib'] = None; import gaussmix.plotting"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "needs matplotlib; install it with: pip install 'gaussmix[plot]'" in done.stderr
