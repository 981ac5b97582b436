"""What a plot makes room for, names and leaves out: outliers, labels, legends, missing values."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal

from gaussmix import GaussianMixture
from gaussmix import plotting as plots
from gaussmix.plotting.style import pale_of
from support.plots import legend_of, markers_of, mixture, points_of, texts_of

pytestmark = pytest.mark.usefixtures("no_figure_is_left")

TWO = mixture(2, 2)
ROWS, _ = TWO.sample(400, random_state=0)
FAR = np.concatenate([ROWS, [[1e4, 0.0], [0.0, -1e5]]])

OF_ROWS = {
    "covariances": plots.plot_covariances,
    "density": plots.plot_density,
    "responsibilities": plots.plot_responsibilities,
    "uncertainty": plots.plot_uncertainty,
}


def limits_of(ax):
    return np.transpose([ax.get_xlim(), ax.get_ylim()])


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", OF_ROWS.values(), ids=OF_ROWS)
def test_rows_far_off_do_not_stretch_the_axes(plot):
    _, (first, second, third) = plt.subplots(1, 3)
    span = {
        "without": np.ptp(limits_of(plot(TWO, ROWS, ax=first)), axis=0),
        "limited": np.ptp(limits_of(plot(TWO, FAR, ax=second)), axis=0),
        "all": np.ptp(limits_of(plot(TWO, FAR, ax=third, limits=None)), axis=0),
    }
    assert np.all(span["limited"] < 1.6 * span["without"])
    assert np.all(span["all"] > [1e4, 1e5])
    low, high = limits_of(second)
    assert np.all(low < ROWS)
    assert np.all(high > ROWS)
    assert texts_of(second) == ["2 rows outside"]
    assert texts_of(first) == texts_of(third) == []
    # A user who zooms out finds them.
    assert len(points_of(second).get_offsets()) == len(FAR)


def test_the_share_in_the_middle_decides_what_is_far_off(ax):
    X = np.concatenate([ROWS, np.tile([[1e4, 0.0]], (12, 1))])  # 3 % of them
    plots.plot_covariances(TWO, X, ax=ax)
    assert ax.get_xlim()[1] > 1e4
    ax.clear()
    plots.plot_covariances(TWO, X, limits=0.9, ax=ax)
    assert ax.get_xlim()[1] < 30
    assert texts_of(ax) == ["12 rows outside"]


@pytest.mark.parametrize(("place", "in_sight"), [(1.9, True), (2.1, False), (-1.0, False)])
def test_in_sight_is_the_middle_and_its_length_again_on_either_side(ax, place, in_sight):
    """Of 101 values one at each end is no part of the middle, which goes to 1 or begins at 0."""
    values = np.append(np.linspace(0, 1, 100), place)
    model = GaussianMixture.from_parameters([1.0], [[0.5]], [0.01])
    plots.plot_covariances(model, values[:, np.newaxis], ax=ax)
    low, high = ax.get_xlim()
    assert (low < place < high) == in_sight
    assert texts_of(ax) == ([] if in_sight else ["1 row outside"])


def test_rows_of_an_ordinary_kind_are_all_in_sight(ax):
    model = mixture(1)
    X, _ = model.sample(15_000, random_state=0)
    plots.plot_covariances(model, X, ax=ax)
    low, high = limits_of(ax)
    assert np.all(low < X)
    assert np.all(high > X)


@pytest.mark.parametrize("dtype", [np.int8, np.bool_, np.float32])
@pytest.mark.parametrize("plot", OF_ROWS.values(), ids=OF_ROWS)
def test_rows_of_any_type_of_numbers_are_drawn(plot, dtype, ax):
    X = (ROWS > 0).astype(dtype)
    plot(TWO, X, ax=ax)
    assert {*map(tuple, points_of(ax).get_offsets())} == {*map(tuple, X)}


@pytest.mark.parametrize(("weight", "seen"), [(0.004, False), (0.03, True)])
def test_a_far_component_is_in_sight_if_it_has_weight(ax, weight, seen):
    model = GaussianMixture.from_parameters(
        [1 - weight, weight], [[0.0, 0.0], [500.0, 0.0]], [1.0, 1.0]
    )
    plots.plot_covariances(model, np.random.default_rng(0).normal(size=(100, 2)), ax=ax)
    assert (ax.get_xlim()[1] > 500) == seen
    plots.plot_covariances(model, ax=ax)  # without rows there is nothing to go by
    assert ax.get_xlim()[1] > 500


def test_contours_are_as_fine_where_a_component_is_far_off(ax):
    model = GaussianMixture.from_parameters([0.995, 0.005], [[0.0, 0.0], [1e5, 0.0]], [1.0, 1.0])
    X = np.random.default_rng(0).normal(size=(200, 2))
    plots.plot_density(model, X, levels=0.9, ax=ax)
    assert ax.get_xlim()[1] < 10
    vertices = np.concatenate([path.vertices for path in ax.collections[-1].get_paths()])
    near = vertices[np.abs(vertices[:, 0]) < 5]
    assert len(near) > 100
    # 0.9 of all is 0.9 / 0.995 of the first one.
    assert_allclose(np.hypot(*near.T), np.sqrt(-2 * np.log(1 - 0.9 / 0.995)), rtol=0.02)


def test_a_histogram_has_its_bars_where_the_rows_are(ax):
    plots.plot_density(TWO, FAR, features=0, ax=ax)
    heights, edges, _ = ax.patches[0].get_data()
    assert ax.get_xlim()[1] < 30
    assert len(heights) > 5
    assert_allclose(np.sum(heights * np.diff(edges)), 401 / 402)  # one is outside


def test_a_column_that_is_nearly_constant_keeps_its_few_values_in_sight(ax):
    X = ROWS.copy()
    X[:, 1] = 0.0
    X[0, 1] = 7.0
    plots.plot_covariances(TWO, X, ax=ax)
    assert ax.get_ylim()[1] > 7


# --- missing values ------------------------------------------------------------------------------

HOLES = np.array([[0.0, 0.0, 1.0], [np.nan, 1.0, 1.0], [1.0, np.nan, 1.0], [2.0, 2.0, np.nan]])


@pytest.fixture(scope="module")
def with_holes():
    model = GaussianMixture(1, allow_nan=True)
    return model.fit(np.random.default_rng(0).normal(size=(50, 3)))


@pytest.mark.parametrize("plot", OF_ROWS.values(), ids=OF_ROWS)
def test_rows_without_a_value_that_is_shown_are_left_out(plot, ax, with_holes):
    plot(with_holes, HOLES, features=(1, 0), ax=ax)
    shown = np.sort(np.asarray(points_of(ax).get_offsets()), axis=0)
    assert_array_equal(shown, [[0.0, 0.0], [2.0, 2.0]])


def test_a_histogram_leaves_missing_values_out(ax, with_holes):
    plots.plot_density(with_holes, HOLES, features=0, ax=ax)
    heights, edges, _ = ax.patches[0].get_data()
    assert (edges[0], edges[-1]) == (0.0, 2.0)
    assert_allclose(np.sum(heights * np.diff(edges)), 1.0)


@pytest.mark.parametrize("plot", OF_ROWS.values(), ids=OF_ROWS)
def test_rows_that_all_lack_a_value_leave_the_model_alone(plot, ax, with_holes):
    plot(with_holes, np.full((3, 3), np.nan), ax=ax)
    assert ax.has_data()


# --- components ----------------------------------------------------------------------------------


def test_labels_say_number_and_weight_beside_the_means(ax):
    model = GaussianMixture.from_parameters(
        [0.6, 0.394, 0.006], [[0.0, 0.0], [4.0, 4.0], [9.0, 0.0]], [1.0, 1.0, 1.0]
    )
    plots.plot_covariances(model, label=True, ax=ax)
    written = {text.get_text(): text.xy for text in ax.texts}
    assert sorted(written) == ["0 (60 %)", "1 (39 %)", "2 (0.6 %)"]
    for text, k in zip(sorted(written), range(3), strict=True):
        assert_array_equal(written[text], model.means_[k])


@pytest.mark.parametrize("n_components", [2, 12])
@pytest.mark.parametrize("plot", OF_ROWS.values(), ids=OF_ROWS)
def test_labels_cover_no_label_and_no_mean_and_stay_inside(plot, n_components):
    rng = np.random.default_rng(3)
    means = rng.uniform(0, 12, size=(n_components, 2))
    means[1] = means[0] + [0.0, 0.3]  # as near as a line of text
    weights = np.full(n_components, 1 / n_components)
    model = GaussianMixture.from_parameters(weights, means, weights)
    X, _ = model.sample(300, random_state=0)
    ax = plot(model, X, label=True)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == n_components
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert box.count_contains(ax.transData.transform(means)) == 0
        assert ax.bbox.count_contains(box.corners()) == 4


def test_a_choice_of_components_leaves_the_rows_of_others_pale(ax):
    model = mixture(3, 2)
    X, _ = model.sample(200, random_state=0)
    plots.plot_covariances(model, X, components=[2, 0], deviations=1, ax=ax)
    assert len(ax.patches) == 2
    assert [line.get_label() for line in ax.lines] == ["component 2", "component 0"]
    edges = [patch.get_edgecolor()[:3] for patch in ax.patches]
    assert_allclose(edges, [colors.to_rgb("C2"), colors.to_rgb("C0")])
    shown = points_of(ax)
    drawn = model.predict(shown.get_offsets())
    wanted = np.array([colors.to_rgb("C0"), pale_of(ax), colors.to_rgb("C2")])
    assert_allclose(shown.get_facecolors()[:, :3], wanted[drawn])
    assert np.all(np.diff((drawn != 1).astype(int)) >= 0)  # the pale ones below the others


def test_responsibilities_of_others_are_mixed_in_pale(ax):
    model = mixture(3, 2, apart=1.0)
    X, _ = model.sample(50, random_state=0)
    plots.plot_responsibilities(model, X, components=1, ax=ax)
    shares = model.predict_proba(points_of(ax).get_offsets())
    palette = np.array([pale_of(ax), colors.to_rgb("C1"), pale_of(ax)])
    assert_allclose(points_of(ax).get_facecolors()[:, :3], shares @ palette, atol=1e-12)
    assert [line.get_label() for line in ax.lines] == ["component 1"]


def test_a_density_shows_the_shares_or_marks_the_means_of_the_components_chosen(ax):
    model = mixture(3, 2)
    plots.plot_density(model, features=0, components=[1], ax=ax)
    assert [line.get_label() for line in ax.lines] == ["component 1", "density"]
    ax.clear()
    plots.plot_density(model, components=[0, 2], ax=ax)
    marked = [np.ravel(line.get_data()) for line in ax.lines]
    assert_array_equal(marked, model.means_[[0, 2]])
    ax.clear()
    plots.plot_density(model, label=True, ax=ax)
    assert len(markers_of(ax)) == len(ax.texts) == 3


# --- legends -------------------------------------------------------------------------------------


def covered_by_legend(ax):
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    paths = [line.get_transform().transform_path(line.get_path()) for line in ax.lines]
    return [path for path in paths if path.intersects_bbox(box, filled=False)]


def test_a_legend_goes_where_no_line_is(ax):
    """In the one corner that is free."""
    models = [mixture(1), mixture(1)]
    for model, bounds in zip(models, ([9.0, 9.5, 9.9, 10.0], [0.0, 8.0, 9.0, 9.5]), strict=True):
        model.lower_bounds_ = bounds
    plots.plot_convergence(models, ax=ax)
    assert covered_by_legend(ax) == []
    ax.figure.canvas.draw()
    assert ax.bbox.count_contains(ax.get_legend().get_window_extent().corners()) == 4


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_axes_of_heights_are_raised_for_a_legend_unless_a_user_has_set_them(layout):
    figure = plt.figure(layout=layout)
    ax, kept = figure.subplots(1, 2)
    kept.set_ylim(0, 0.2)
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
    for axes in (ax, kept):
        plots.plot_density(model, np.linspace(-1.2, 1.2, 100)[:, np.newaxis], ax=axes)
        axes.set_xlim(-1.4, 1.4)
    assert covered_by_legend(ax) == []
    assert ax.get_ylim()[1] > 0.45
    assert kept.get_ylim() == (0, 0.2)


def test_axes_that_were_raised_make_room_for_what_is_drawn_later(ax):
    square = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0])
    X = np.stack(np.meshgrid(*[np.linspace(-4, 4, 60)] * 2), axis=-1).reshape(-1, 2)
    plots.plot_density(square, X, ax=ax)
    top = ax.get_ylim()[1]
    assert 4.5 < top < 8
    corner = ax.get_legend().get_window_extent()
    assert corner.count_contains(ax.transData.transform(X)) == 0
    plots.plot_covariances(square, X + 10, ax=ax)
    assert ax.get_ylim()[1] > 14


def test_a_legend_goes_beside_the_axes_where_all_of_them_is_full():
    figure = plt.figure(layout="constrained")
    ax = figure.add_subplot(xlim=(-2, 2), ylim=(-2, 2))
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0])
    plots.plot_density(model, levels=(0.5, 0.9999), ax=ax)
    figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    assert box.x0 >= ax.bbox.x1
    assert box.x1 <= figure.bbox.x1
    assert legend_of(ax) == ["50 % of the probability", "99.99 % of the probability"]


# --- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "a component that is not there": (
        lambda: plots.plot_density(TWO, components=[0, 2]),
        ValueError,
        "components contains 2, but the model has 2 components. Pass numbers from 0 to 1",
    ),
    "a negative component": (
        lambda: plots.plot_covariances(TWO, components=-1),
        ValueError,
        "components contains -1, but the model has 2",
    ),
    "no component": (
        lambda: plots.plot_responsibilities(TWO, ROWS, components=[]),
        ValueError,
        "components is empty. Pass numbers from 0 to 1, or None for all",
    ),
    "a mask": (
        lambda: plots.plot_covariances(TWO, components=[True, False]),
        TypeError,
        "components must be numbers of components, but contains True",
    ),
    "a component by name": (
        lambda: plots.plot_covariances(TWO, components="first"),
        TypeError,
        "components must be numbers of components. Got 'first'",
    ),
    "limits in per cent": (
        lambda: plots.plot_covariances(TWO, ROWS, limits=99),
        ValueError,
        "limits must be above 0 and below 1. Got 99. Pass the share of rows in the middle",
    ),
    "a label that is a text": (
        lambda: plots.plot_uncertainty(TWO, label="yes"),
        TypeError,
        "label must be True or False. Got 'yes'",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_shown_is_refused_before_anything_is_drawn(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
    assert plt.get_fignums() == []
