"""Marginals, conditionals, quantiles and explanations, against integrals of the joint density."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.integrate import quad

from gaussmix import GaussianMixture, sources
from gaussmix._estimators import explanations
from support import reference
from support.families import COVARIANCE_TYPES
from support.models import random_model

NAMES = np.array(["length", "width", "height", "mass"], dtype=object)


def univariate(*components):
    """A model of one feature from (weight, mean, deviation) of each component."""
    weights, means, deviations = np.array(components, dtype=float).T
    return GaussianMixture.from_parameters(weights, means[:, None], deviations**2)


@pytest.fixture(params=COVARIANCE_TYPES)
def pair(request):
    return random_model(request.param, d=3)


@pytest.fixture
def named():
    """A model of four columns with names."""
    model, _ = random_model(d=4)
    model.feature_names_in_ = NAMES
    return model


def rows_of(d, n=6, seed=3):
    return np.random.default_rng(seed).normal(size=(n, d))


# --- marginals -----------------------------------------------------------------------------------


def test_marginal_density_is_the_integral_over_the_other_columns(pair):
    model, mixture = pair
    marginal = model.marginal([2, 0])
    grid, step = np.linspace(-40, 40, 4001, retstep=True)
    for x in rows_of(2, n=3):
        rows = np.column_stack([np.full(grid.size, x[1]), grid, np.full(grid.size, x[0])])
        expected = np.exp(reference.log_densities(mixture, rows)).sum() * step
        assert math.exp(marginal.score_samples([x])[0]) == pytest.approx(expected, rel=1e-9)


def test_a_marginal_is_a_model_like_its_parent(named):
    named.set_params(n_threads=1, tol=0.5, random_state=4, means_init=named.means_)
    marginal = named.marginal(["mass", "width"])
    assert type(marginal) is GaussianMixture
    params = named.get_params() | {"means_init": None}
    assert marginal.get_params() == params
    assert marginal.feature_names_in_.tolist() == ["mass", "width"]
    assert (marginal.n_features_in_, marginal.n_iter_, marginal.converged_) == (2, 0, False)
    X, _ = marginal.sample(50)
    assert marginal.set_params(random_state=0).fit(X).means_.shape == (3, 2)
    assert named.means_.shape == (3, 4)


@pytest.mark.parametrize("columns", [[1, -1], ["width", "mass"], [False, True, False, True]])
def test_columns_by_index_name_and_mask(named, columns):
    for chosen in (columns, tuple(columns), np.array(columns)):
        np.testing.assert_array_equal(named.marginal(chosen).means_, named.means_[:, [1, 3]])


@pytest.mark.parametrize("column", [2, -2, np.int32(2), "height"])
def test_one_column_needs_no_list(named, column):
    assert named.marginal(column).feature_names_in_.tolist() == ["height"]


# --- conditionals --------------------------------------------------------------------------------


def test_conditional_density_is_joint_over_marginal(pair):
    model, mixture = pair
    x = np.array([0.3, -0.8, 1.1])
    given = model.condition([2, 0], x[[2, 0]])
    grid, step = np.linspace(-40, 40, 8001, retstep=True)
    rows = np.column_stack([np.full(grid.size, x[0]), grid, np.full(grid.size, x[2])])
    joint = np.exp(reference.log_densities(mixture, rows))
    expected = joint / (joint.sum() * step)
    np.testing.assert_allclose(
        np.exp(given.score_samples(grid[:, None])), expected, rtol=1e-8, atol=1e-300
    )


@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_predictions_are_integrals_of_the_joint_density(covariance_type, K):
    model, mixture = random_model(covariance_type, K, 3)
    x = 0.4
    predicted = model.predict_conditional([[x]], [1], quantiles=[0.03, 0.5, 0.9])
    # Where the density falls off smoothly a sum over a grid is an integral to all digits.
    grid, step = np.linspace(-14, 14, 701, retstep=True)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    rows = np.column_stack([a.ravel(), np.full(a.size, x), b.ravel()])
    density = np.exp(reference.log_densities(mixture, rows)).reshape(a.shape)
    density /= density.sum()
    mean = np.array([(density * a).sum(), (density * b).sum()])
    np.testing.assert_allclose(predicted.mean[0], mean, rtol=1e-8, atol=1e-8)
    apart = np.stack([a - mean[0], b - mean[1]])
    covariance = np.einsum("ab,iab,jab->ij", density, apart, apart)
    np.testing.assert_allclose(predicted.covariance[0], covariance, rtol=1e-7, atol=1e-8)
    for j, axis in enumerate((1, 0)):
        # The sum up to a point of the grid is the integral up to half a step beyond it.
        cumulated = density.sum(axis=axis).cumsum()
        expected = np.interp([0.03, 0.5, 0.9], cumulated, grid + step / 2)
        np.testing.assert_allclose(predicted.quantiles[0, :, j], expected, atol=1e-3)


def test_predictions_are_moments_of_the_conditional_mixtures(pair):
    model, _ = pair
    X = rows_of(1) * 3
    predicted = model.predict_conditional(X, [1], target=[2, 0], quantiles=[0.1, 0.7])
    for i, given in enumerate(model.condition([1], X)):
        mean = given.weights_ @ given.means_
        np.testing.assert_allclose(predicted.mean[i, ::-1], mean, rtol=1e-12)
        for j in (0, 1):
            expected = given.marginal(j).quantile([0.1, 0.7])
            np.testing.assert_allclose(predicted.quantiles[i, :, 1 - j], expected, rtol=1e-10)
    np.testing.assert_array_equal(predicted.covariance, predicted.covariance.transpose(0, 2, 1))


def test_many_rows_are_as_each_alone(monkeypatch, pair):
    from gaussmix._estimators import conditionals

    monkeypatch.setattr(conditionals, "_BLOCK_VALUES", 50)  # some rows at a time
    model, _ = pair
    X = rows_of(2, n=40)
    many = model.predict_conditional(X, [0, 2], quantiles=0.25)
    assert many.mean.shape == (40, 1)
    assert many.covariance.shape == (40, 1, 1)
    assert many.quantiles.shape == (40, 1, 1)
    for i in (0, 17, 39):
        one = model.predict_conditional(X[i : i + 1], [0, 2], quantiles=0.25)
        for part, whole in zip(one, many, strict=True):
            np.testing.assert_allclose(part[0], whole[i], rtol=1e-10)
    batch = model.condition([0, 2], X)
    assert len(batch) == 40
    alone = model.condition([0, 2], X[17])
    np.testing.assert_allclose(batch[17].weights_, alone.weights_, rtol=1e-10)
    np.testing.assert_allclose(batch[17].means_, alone.means_, rtol=1e-10)


def test_tower_rules(pair):
    """The mean of conditional means is the mean; the covariances add up to the covariance."""
    model, mixture = pair
    grid, step = np.linspace(-16, 16, 1601, retstep=True)
    weights = np.exp(model.marginal(1).score_samples(grid[:, None])) * step
    predicted = model.predict_conditional(grid[:, None], [1])
    mean = mixture.weights @ mixture.means[:, [0, 2]]
    np.testing.assert_allclose(weights @ predicted.mean, mean, rtol=1e-9, atol=1e-12)
    apart = mixture.means[:, [0, 2]] - mean
    within = reference.dense_covariances(mixture)[:, [[0], [2]], [0, 2]]
    total = np.einsum("k,kij->ij", mixture.weights, within) + (apart.T * mixture.weights) @ apart
    moved = predicted.mean - mean
    found = np.einsum("n,nij->ij", weights, predicted.covariance) + (moved.T * weights) @ moved
    np.testing.assert_allclose(found, total, rtol=1e-9, atol=1e-12)


def test_two_columns_and_one_component_are_the_regression_line():
    model = GaussianMixture.from_parameters([1.0], [[1.0, 2.0]], [[[4.0, 3.0], [3.0, 9.0]]])
    given = model.condition(0, 3.0)
    np.testing.assert_allclose(given.means_, [[2.0 + 0.75 * 2.0]])
    np.testing.assert_allclose(given.covariances_, [[[9.0 - 9.0 / 4.0]]])


def test_values_far_out_leave_valid_predictions(pair):
    model, _ = pair
    X = np.array([[1e6], [-1e30], [1e160], [1e250]])
    predicted = model.predict_conditional(X, [1], quantiles=[0.1, 0.5])
    for part in predicted:
        assert not np.isnan(part).any()
    for given in model.condition([1], X):
        assert given.weights_.sum() == pytest.approx(1)
        assert np.isfinite(given.means_).all()


def test_components_that_the_values_rule_out_keep_their_place():
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], [[0, 0], [1e3, 5]], [1.0, 1.0], covariance_type="spherical"
    )
    given = model.condition([0], [0.5])
    np.testing.assert_array_equal(given.weights_, [1.0, 0.0])
    assert given.quantile(0.5) == pytest.approx(0.0, abs=1e-12)
    assert given.sample(5, random_state=0)[1].tolist() == [0] * 5


def test_tables_bring_their_names(named):
    pandas = pytest.importorskip("pandas")
    X = rows_of(2)
    table = pandas.DataFrame(X, columns=["mass", "length"])
    expected = named.predict_conditional(X, [3, 0])
    found = named.predict_conditional(table, ["mass", "length"])
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert named.condition(["mass", "length"], table.iloc[0]).feature_names_in_.tolist() == [
        "width",
        "height",
    ]
    with pytest.raises(ValueError, match="The feature names should match"):
        named.predict_conditional(table[["length", "mass"]], ["mass", "length"])
    with pytest.raises(ValueError, match="must be in the same order"):
        named.condition(["mass", "length"], table.iloc[0][["length", "mass"]])
    # Labels of rows, not of features.
    assert named.condition("mass", table["mass"].iloc[:1].set_axis(["a"])).n_features_in_ == 3


# --- distribution functions and quantiles --------------------------------------------------------


def test_cdf_is_the_integral_of_the_density():
    model = univariate((0.3, -1.0, 0.5), (0.7, 2.0, 1.5))
    for x in (-2.0, 0.0, 1.7):
        density = quad(lambda t: math.exp(model.score_samples([[t]])[0]), -20, x, epsabs=1e-11)[0]
        assert model.cdf(x) == pytest.approx(density, rel=1e-8)
    np.testing.assert_array_equal(model.cdf([-np.inf, np.inf]), [0.0, 1.0])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_quantiles_undo_the_cdf(covariance_type):
    model, mixture = random_model(covariance_type, d=1)
    p = np.concatenate([np.logspace(-290, -2, 40), np.linspace(0.1, 0.9, 30)])
    x = model.quantile(p)
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(model.cdf(x), p, rtol=1e-11)
    # The upper tail is the lower one of the mixture with its sign changed.
    mirrored = GaussianMixture.from_parameters(
        mixture.weights, -mixture.means, mixture.covariances, covariance_type=covariance_type
    )
    upper = 1 - np.logspace(-15, -1, 15)
    np.testing.assert_allclose(model.quantile(upper), -mirrored.quantile(1 - upper), rtol=1e-12)


def test_quantiles_of_one_component_are_those_of_the_normal():
    model = univariate((1.0, 3.0, 2.0))
    for p in (1e-12, 0.2, 0.5, 0.999):
        assert model.quantile(p) == pytest.approx(NormalDist(3.0, 2.0).inv_cdf(p), rel=1e-12)


@pytest.mark.parametrize(
    "components",
    [
        [(0.5, -1e6, 1.0), (0.5, 1e6, 1e-3)],  # a gap between them
        [(0.999, 0.0, 1.0), (0.001, 0.0, 1e-9)],  # a spike
        [(1 - 1e-12, 0.0, 1.0), (1e-12, 1e8, 1.0)],
        [(0.0, -50.0, 1.0), (1.0, 0.0, 1.0)],
    ],
)
def test_quantiles_of_components_unlike_each_other(components):
    model = univariate(*components)
    p = np.array([1e-30, 1e-3, 0.25, 0.4999, 0.5001, 0.75, 0.9995])
    x = model.quantile(p)
    assert (np.diff(x) >= 0).all()
    # One rounding of x to either side has the probability in between.
    apart = 4 * np.spacing(np.abs(x))
    assert (model.cdf(x - apart) <= p * (1 + 1e-12)).all()
    assert (model.cdf(x + apart) >= p * (1 - 1e-12)).all()


def test_quantiles_at_the_ends_and_their_shapes():
    model = univariate((0.4, 0.0, 1.0), (0.6, 5.0, 2.0))
    np.testing.assert_array_equal(model.quantile([0, 1]), [-np.inf, np.inf])
    for method in (model.quantile, model.cdf):
        assert isinstance(method(0.5), np.float64)
        assert method(np.full((2, 3), 0.5)).shape == (2, 3)
        assert method(np.float32([0.5])).dtype == np.float32
        assert method([]).shape == (0,)


def test_conditional_quantiles_at_the_ends_are_infinite(pair):
    model, _ = pair
    predicted = model.predict_conditional([[0.0]], [1], quantiles=[0, 1])
    np.testing.assert_array_equal(predicted.quantiles[0], [[-np.inf] * 2, [np.inf] * 2])


# --- contributions of features -------------------------------------------------------------------


def subset_densities(mixture, X, subset):
    """Log-densities of some columns of rows, by the reference."""
    columns = np.array(subset, dtype=int)
    if not columns.size:
        return np.zeros(len(X))
    blocks = reference.dense_covariances(mixture)[:, columns[:, None], columns]
    part = reference.Mixture("full", mixture.weights, mixture.means[:, columns], blocks)
    return reference.log_densities(part, X[:, columns])


def test_conditional_contributions_are_ratios_of_densities(pair):
    model, mixture = pair
    X = np.vstack([rows_of(3), [[30.0, 0.0, 0.0]]])
    found = model.feature_contributions(X)
    whole = reference.log_densities(mixture, X)
    for j in range(3):
        expected = whole - subset_densities(mixture, X, np.delete(np.arange(3), j))
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-9, atol=1e-9)


def shapley_by_orders(mixture, X, orders):
    """Mean over orders of what each feature adds when it joins those before it."""
    total = np.zeros(X.shape)
    for order in orders:
        before = np.zeros(len(X))
        for i, j in enumerate(order):
            after = subset_densities(mixture, X, order[: i + 1])
            total[:, j] += after - before
            before = after
    return total / len(orders)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_shapley_values_are_means_over_all_orders(covariance_type):
    model, mixture = random_model(covariance_type, d=4)
    X = rows_of(4)
    found = model.feature_contributions(X, "shapley")
    expected = shapley_by_orders(mixture, X, list(itertools.permutations(range(4))))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), model.score_samples(X), rtol=1e-12)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_shapley_values_of_many_features_are_means_over_drawn_orders(covariance_type):
    model, mixture = random_model(covariance_type, d=12)
    X = rows_of(12)
    found = model.feature_contributions(X, "shapley", n_permutations=3, random_state=0)
    generator = np.random.RandomState(0)
    first, second = generator.permutation(12), generator.permutation(12)
    expected = shapley_by_orders(mixture, X, [first, first[::-1], second])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), model.score_samples(X), rtol=1e-12)


def test_drawn_orders_come_near_all(monkeypatch):
    model, _ = random_model(d=4)
    X = rows_of(4)
    exact = model.feature_contributions(X, "shapley")
    monkeypatch.setattr(explanations, "_MOST_SUBSETS", 3)
    drawn = model.feature_contributions(X, "shapley", n_permutations=400, random_state=0)
    np.testing.assert_allclose(drawn, exact, atol=0.1)
    model.set_params(random_state=5)
    again = [model.feature_contributions(X, "shapley", n_permutations=2) for _ in range(2)]
    np.testing.assert_array_equal(*again)


@pytest.mark.parametrize("kind", ["conditional", "shapley"])
def test_one_feature_contributes_the_score(kind):
    model, _ = random_model(d=1)
    X = rows_of(1)
    found = model.feature_contributions(X, kind)
    np.testing.assert_allclose(found[:, 0], model.score_samples(X), rtol=1e-12)


def test_contributions_far_out(pair):
    model, _ = pair
    X = np.array([[0.0, 1e200, 0.0], [0.0, 1e100, 0.0], [1e300, 1e300, -1e300]])
    shapley = model.feature_contributions(X, "shapley")
    np.testing.assert_array_equal(shapley[[0, 2]], [[0, -np.inf, 0], [-np.inf] * 3])
    np.testing.assert_array_equal(shapley.sum(axis=1)[[0, 2]], [-np.inf] * 2)
    assert np.isfinite(shapley[1]).all()
    conditional = model.feature_contributions(X)
    assert not np.isnan(conditional).any()
    assert (conditional[:, 1] < -1e100).all()


def test_explanations_of_rows_from_a_source():
    model, _ = random_model(d=3)
    X = rows_of(3, n=9)
    source = sources.ChunkSource(lambda: iter(np.split(X, 3)))
    for method in (model.feature_contributions, model.mahalanobis):
        np.testing.assert_allclose(method(source), method(X), rtol=1e-12)


# --- Mahalanobis distances -----------------------------------------------------------------------


def test_mahalanobis_distances(pair):
    model, mixture = pair
    X = rows_of(3)
    expected = reference.squared_distances(mixture, X)
    np.testing.assert_allclose(model.mahalanobis(X, squared=True), expected, rtol=1e-9)
    np.testing.assert_allclose(model.mahalanobis(X), np.sqrt(expected), rtol=1e-9)


def test_mahalanobis_distances_far_out():
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [4.0])
    found = model.mahalanobis([[3e200, 4e200], [1.7e308, 0.0]])
    np.testing.assert_allclose(found, [[2.5e200], [0.85e308]])
    assert model.mahalanobis([[3e200, 4e200]], squared=True).tolist() == [[np.inf]]


# --- missing values ------------------------------------------------------------------------------


@pytest.fixture
def incomplete(pair):
    """A model that takes NaN, rows, and rows without some of the values."""
    model, _ = pair
    model.allow_nan = True
    X = rows_of(3, n=9)
    missing = np.zeros((9, 3), dtype=bool)
    missing[[1, 4], 0] = missing[4, 2] = missing[6] = True
    return model, X, np.where(missing, np.nan, X)


def test_missing_values_are_not_given(incomplete):
    model, X, holes = incomplete
    predicted = model.predict_conditional(holes[:, [2, 0]], [2, 0], quantiles=[0.5])
    whole = model.predict_conditional(X[:, [2, 0]], [2, 0], quantiles=[0.5])
    only_2 = model.predict_conditional(X[:, [2]], [2], target=[1], quantiles=[0.5])
    mixture_mean = (model.weights_ @ model.means_)[1]
    conditioned = model.condition([2, 0], holes[:, [2, 0]])
    for part, full, some in zip(predicted, whole, only_2, strict=True):
        np.testing.assert_allclose(part[[0, 8]], full[[0, 8]], rtol=1e-10)
        np.testing.assert_allclose(part[1], some[1], rtol=1e-10)
    for row in (4, 6):
        np.testing.assert_allclose(predicted.mean[row], mixture_mean)
        np.testing.assert_allclose(conditioned[row].weights_, model.weights_)
        assert conditioned[row].means_.shape == (3, 1)


@pytest.mark.parametrize("kind", ["conditional", "shapley"])
def test_contributions_are_those_of_the_known_features(incomplete, kind):
    model, X, holes = incomplete
    found = model.feature_contributions(holes, kind)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(holes))
    complete = model.feature_contributions(X, kind)
    np.testing.assert_allclose(found[[0, 8]], complete[[0, 8]], rtol=1e-10)
    expected = model.marginal([1, 2]).feature_contributions(X[1:2, 1:], kind)
    np.testing.assert_allclose(found[1:2, 1:], expected, rtol=1e-10)


def test_contributions_of_many_known_features():
    model, _ = random_model(d=14)
    model.allow_nan = True
    X = rows_of(14)
    X[:3, [0, 5]] = np.nan
    found = model.feature_contributions(X, "shapley", n_permutations=2, random_state=0)
    known = np.delete(np.arange(14), [0, 5])
    expected = model.marginal(known).score_samples(X[:3, known])
    np.testing.assert_allclose(np.nansum(found[:3], axis=1), expected, rtol=1e-12)
    np.testing.assert_allclose(found[3:].sum(axis=1), model.score_samples(X[3:]), rtol=1e-12)


def test_distances_over_the_known_features(incomplete):
    model, X, holes = incomplete
    found = model.mahalanobis(holes)
    np.testing.assert_allclose(found[[0, 8]], model.mahalanobis(X[[0, 8]]))
    np.testing.assert_allclose(found[4], model.marginal(1).mahalanobis(X[4:5, 1:2])[0])
    np.testing.assert_array_equal(found[6], np.zeros(3))


def test_patterns_of_many_columns():
    """More of them than bits in a number."""
    model, _ = random_model("diag", d=70)
    model.allow_nan = True
    X = rows_of(70, n=8)
    X[1::2, 3] = X[2, 69] = X[4, :69] = np.nan
    found = model.mahalanobis(X)
    for row, distances in zip(X, found, strict=True):
        known = np.flatnonzero(~np.isnan(row))
        expected = model.marginal(known).mahalanobis(row[None, known])[0]
        np.testing.assert_allclose(distances, expected)


def test_containers_of_one_row_with_missing_values(incomplete):
    pandas = pytest.importorskip("pandas")
    model, _, _ = incomplete
    row = [1.0, np.nan]
    given, one = model.condition([0, 1], row), model.marginal(0)
    masked = np.ma.array([1.0, 1e30], mask=[False, True])
    nullable = [pandas.Series([1.0, None], dtype=kind) for kind in ("Float64", "Float32")]
    for values in (masked, [1.0, None], [1.0, pandas.NA], *nullable):
        assert np.array_equal(model.condition([0, 1], values).weights_, given.weights_)
        np.testing.assert_allclose(one.cdf(values), one.cdf(row), rtol=1e-6)
    assert one.cdf(nullable[1]).dtype == one.quantile(nullable[1][:1] / 2).dtype == np.float32
    model.set_params(allow_nan=False)
    for values in (masked, [1.0, pandas.NA]):
        with pytest.raises(ValueError, match=r"values contains NaN\. First at row 0, column 1"):
            model.condition([0, 1], values)


def test_infinity_is_refused_beside_missing_values(incomplete):
    model, _, holes = incomplete
    holes[7, 1] = -np.inf
    for method in (model.feature_contributions, model.mahalanobis):
        with pytest.raises(ValueError, match=r"contains infinity.* First at row 7, column 1"):
            method(holes)


# --- precision and bad input ---------------------------------------------------------------------


def test_results_are_in_the_precision_of_the_rows(pair):
    model, _ = pair
    X = rows_of(3)
    single = X.astype(np.float32)
    results = {
        "conditional": lambda rows: model.feature_contributions(rows),
        "shapley": lambda rows: model.feature_contributions(rows, "shapley"),
        "mahalanobis": lambda rows: model.mahalanobis(rows),
        "mean": lambda rows: model.predict_conditional(rows[:, :1], 0).mean,
        "covariance": lambda rows: model.predict_conditional(rows[:, :1], 0).covariance,
        "quantiles": lambda rows: (
            model.predict_conditional(rows[:, :1], 0, quantiles=[0.2]).quantiles
        ),
    }
    for name, result in results.items():
        assert result(X).dtype == np.float64, name
        assert result(single).dtype == np.float32, name
        np.testing.assert_allclose(result(single), result(X), rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_model_of_float32_rows_gives_models_of_float32():
    X = rows_of(3, n=60).astype(np.float32)
    model = GaussianMixture(2, random_state=0).fit(X)
    for derived in (model.marginal([0, 1]), model.condition([2], [0.5])):
        assert derived.means_.dtype == np.float32
        assert derived.sample(3)[0].dtype == np.float32


@pytest.mark.filterwarnings("error")
def test_numpy_may_be_told_to_raise():
    model, _ = random_model(d=4)
    X = np.vstack([rows_of(4), [[1e200, 0, 1e5, 0]]])

    def results():
        one = model.condition([0], [1e9]).marginal(0)
        return [
            *model.predict_conditional(X[:, :2], [0, 1], quantiles=[0, 1e-300, 0.7]),
            one.quantile([0, 0.1]),
            one.cdf([0.0, -1e9, np.inf]),
            model.feature_contributions(X),
            model.feature_contributions(X, "shapley"),
            model.mahalanobis(X, squared=True),
        ]

    expected = results()
    with np.errstate(all="raise"):
        for now, before in zip(results(), expected, strict=True):
            np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "columns chooses no column. Choose at least one"),
        ([False] * 4, "columns chooses no column"),
        ([True] * 3, "columns is a mask of length 3, but the model has 4 features"),
        (4, "columns contains 4, but the model has 4 features. Pass indices from -4 to 3"),
        ([-5], "columns contains -5"),
        ([1, 1], r"columns must be different columns. \[1, 1\] has column 1 \('width'\) twice"),
        ([0, -4], r"has column 0 \('length'\) twice"),
        ("depth", "columns names 'depth', which the model was not fitted with"),
        ([0.5], "columns must be column indices from 0 to 3 or column names. Got 0.5"),
        ([True, 1], "columns must be column indices from 0 to 3 or column names. Got True"),
        (None, "columns must be column indices, column names or a mask of 4 booleans. Got None"),
        ({"mass", "length"}, "columns must be in an order. Got a set; pass a list"),
    ],
)
def test_bad_columns(named, columns, message):
    for method in (named.marginal, lambda columns: named.condition(columns, [0.0])):
        with pytest.raises((ValueError, TypeError), match=message):
            method(columns)


def test_a_name_of_two_columns_chooses_none(named):
    named.feature_names_in_ = np.array(["a", "b", "a", "c"], dtype=object)
    with pytest.raises(ValueError, match="columns names 'a', as columns 0, 2 of the model are"):
        named.marginal(["b", "a"])
    assert named.marginal([2, 1]).feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[0.0] * 4], range(4)), {}, "columns chooses all 4 features, so that none is left"),
        (([[0.0]], 0), {"target": [1, 0]}, r"target contains column 0 \('length'\), which col"),
        (([[0.0]], 0), {"target": []}, "target chooses no column"),
        (([[0.0]], 0), {"quantiles": [0.5, 1.5]}, "quantiles contains 1.5. Pass probabilities"),
        (([[0.0]], 0), {"quantiles": np.nan}, "quantiles contains nan"),
        (([[0.0, 1.0]], 0), {}, r"X has 2 column\(s\), but columns chooses 1: column 0"),
        (([0.0], 0), {}, "Expected 2D array, got 1D array"),
        (([[np.nan]], 0), {}, "X contains NaN. First at row 0, column 0 .'length'."),
        (([[0.0], [np.inf]], 2), {}, "X contains infinity .* row 1, column 0 .'height'."),
    ],
)
def test_bad_predictions(named, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        named.predict_conditional(*arguments, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0, 1.0], r"values has 2 column\(s\), but columns chooses 1"),
        ([[[0.0]]], "dim 3"),
        (["a"], "values must hold real numbers"),
        ([np.nan], "Input values contains NaN"),
        ([[0.0], [-np.inf]], "Input values contains infinity .* row 1"),
    ],
)
def test_bad_values(named, values, message):
    with pytest.raises(ValueError, match=message):
        named.condition([0], values)


def test_bad_questions_of_one_feature(named):
    for method in ("cdf", "quantile"):
        with pytest.raises(ValueError, match=rf"model.marginal\(0\).{method}\("):
            getattr(named, method)(0.5)
    model = named.marginal(0)
    with pytest.raises(ValueError, match=r"x contains NaN. First at x\[1\]"):
        model.cdf([0.0, np.nan])
    with pytest.raises(ValueError, match=r"q contains 1\.01\. Pass probabilities from 0 to 1"):
        model.quantile([0.5, 1.01])


def test_bad_questions_about_contributions(named):
    with pytest.raises(ValueError, match=r"kind must be 'conditional' or 'shapley'\. Got 'shap'"):
        named.feature_contributions(np.zeros((1, 4)), "shap")
    with pytest.raises(
        ValueError, match=r"n_permutations must be an int from 1 to 1000000\. Got 0"
    ):
        named.feature_contributions(np.zeros((1, 4)), "shapley", n_permutations=0)
    del named.feature_names_in_
    with pytest.raises(ValueError, match="X has 3 features"):
        named.mahalanobis(np.zeros((1, 3)))
