"""GaussianMixtureRegressor: what it predicts, and scikit-learn's tools around it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import gaussmix
from gaussmix import GaussianMixtureRegressor, NotFittedError
from support.families import COVARIANCE_TYPES

NAN = np.nan

#: Units of the columns of `curve`, far apart.
UNITS = np.array([1e-3, 50.0, 1e4])


def curve(n=400, t=1, seed=0):
    """Rows of three columns in `UNITS`, and targets on a bent line whose scatter grows."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 3))
    Z[:, 1] += 0.8 * Z[:, 0]
    y = np.abs(Z[:, 0]) + 0.5 * Z[:, 2] + np.exp(0.4 * Z[:, 0] - 1) * rng.normal(size=n)
    targets = [y, 1000 - 30 * Z[:, 1] + 10 * rng.normal(size=n)]
    return Z * UNITS, y if t == 1 else np.column_stack(targets)


def holed(X, share=0.2, seed=1):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < share] = NAN
    return X


def conditional(mixture, x, target):
    """Weights, means and deviations of one column of a mixture given the first ones, plainly.

    What is missing among them is left out of the joint distribution.
    """
    given = np.flatnonzero(~np.isnan(x))
    values = x[given]
    d = mixture.n_features_in_
    parts = []
    for k, (weight, mean) in enumerate(zip(mixture.weights_, mixture.means_, strict=True)):
        S = mixture.covariances_
        S = S if S.shape == (d, d) else S[k]
        S = np.eye(d) * S if S.ndim < 2 else S
        apart, block = values - mean[given], S[np.ix_(given, given)]
        slopes = np.linalg.solve(block, S[given, target])
        square = apart @ np.linalg.solve(block, apart)
        log_weight = np.log(weight) - 0.5 * (np.linalg.slogdet(2 * np.pi * block)[1] + square)
        centre = mean[target] + slopes @ apart
        variance = S[target, target] - slopes @ S[given, target]
        parts.append((log_weight, centre, np.sqrt(variance)))
    log_weights, centres, deviations = np.array(parts).T
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum(), centres, deviations


def moments(weights, centres, deviations):
    mean = weights @ centres
    return mean, np.sqrt(weights @ (deviations**2 + (centres - mean) ** 2))


def quantile(p, weights, centres, deviations):
    low = (centres - 10 * deviations).min()
    high = (centres + 10 * deviations).max()
    return brentq(lambda y: weights @ norm.cdf(y, centres, deviations) - p, low, high, xtol=1e-12)


def check_against_the_formula(regressor, X, y, rows=25):
    """Means, deviations, quantiles and intervals of some rows."""
    some = X[:rows]
    mean, std = regressor.predict(some, return_std=True)
    np.testing.assert_array_equal(mean, regressor.predict(some))
    quantiles = regressor.predict_quantiles(some, [0.05, 0.3])
    low, high = regressor.predict_interval(some, coverage=0.8)
    assert mean.shape == std.shape == low.shape == high.shape == y[:rows].shape
    assert quantiles.shape == (rows, 2, *y.shape[1:])
    expected = np.empty((6, rows, y[0].size))
    for row, x in enumerate(some):
        for j in range(y[0].size):
            law = conditional(regressor.mixture_, x, X.shape[1] + j)
            ends = [quantile(p, *law) for p in (0.05, 0.3, 0.1, 0.9)]
            expected[:, row, j] = [*moments(*law), *ends]
    found = [mean, std, quantiles[:, 0], quantiles[:, 1], low, high]
    names = ["mean", "std", "5 %", "30 %", "low", "high"]
    for name, one, other in zip(names, found, expected, strict=True):
        np.testing.assert_allclose(one, other.reshape(one.shape), rtol=1e-7, err_msg=name)


# --- what is predicted ---------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("t", [1, 2])
def test_predictions_are_those_of_the_formula(covariance_type, t):
    X, y = curve(t=t)
    regressor = GaussianMixtureRegressor(3, covariance_type=covariance_type, random_state=0)
    check_against_the_formula(regressor.fit(X, y), X, y)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_rows_are_predicted_from_the_values_they_have(covariance_type):
    X, y = curve()
    incomplete = holed(X)
    incomplete[0], incomplete[1] = NAN, X[1]
    regressor = GaussianMixtureRegressor(
        2, covariance_type=covariance_type, allow_nan=True, random_state=0
    ).fit(incomplete, y)
    check_against_the_formula(regressor, incomplete, y)
    # All values missing: what is known of the target alone.
    mixture = regressor.mixture_
    nothing = regressor.predict(np.full((1, 3), NAN))
    np.testing.assert_allclose(nothing, mixture.weights_ @ mixture.means_[:, 3])


def test_a_regressor_of_complete_rows_may_be_told_to_take_missing_values():
    X, y = curve()
    regressor = GaussianMixtureRegressor(2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"X contains NaN. First at row .*allow_nan=True"):
        regressor.predict(holed(X))
    check_against_the_formula(regressor.set_params(allow_nan=True), holed(X), y)


def test_units_do_not_matter():
    X, y = curve(t=2)
    mean, std = GaussianMixtureRegressor(3, random_state=0).fit(X, y).predict(X, return_std=True)
    x_units, y_units = np.array([1e5, 1e-7, 3.0]), np.array([1e-4, 1e6])
    other = GaussianMixtureRegressor(3, random_state=0).fit(X * x_units, y * y_units)
    found = other.predict(X * x_units, return_std=True)
    np.testing.assert_allclose(found[0], mean * y_units, rtol=1e-6)
    np.testing.assert_allclose(found[1], std * y_units, rtol=1e-6)


@pytest.mark.parametrize("allow_nan", [False, True])
def test_weights_count_rows(allow_nan):
    X, y = curve()
    X = holed(X) if allow_nan else X
    regressor = GaussianMixtureRegressor(2, allow_nan=allow_nan, tol=1e-9, random_state=0)
    counts = np.arange(len(X)) % 3
    # One component: with several, rows that lack values may start elsewhere.
    twice = GaussianMixtureRegressor(1, allow_nan=allow_nan).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts)
    )
    weighted = GaussianMixtureRegressor(1, allow_nan=allow_nan).fit(X, y, sample_weight=counts)
    np.testing.assert_allclose(weighted.predict(X), twice.predict(X), rtol=1e-6)
    np.testing.assert_allclose(
        regressor.fit(X, y, sample_weight=2.0).predict(X), regressor.fit(X, y).predict(X)
    )
    assert weighted.score(X, y, sample_weight=counts) == pytest.approx(
        twice.score(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    )


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_weights_are_repeats_of_rows_in_their_places_for_several_components(init_params):
    """Starts are drawn by weight, not by row."""
    rng = np.random.default_rng(0)
    X, y, counts = rng.uniform(size=(60, 3)), rng.normal(size=60), rng.integers(0, 4, size=60)
    for seed in range(5):
        regressor = GaussianMixtureRegressor(3, init_params=init_params, random_state=seed)
        weighted = regressor.fit(X, y, sample_weight=counts).predict(X)
        repeated = regressor.fit(np.repeat(X, counts, axis=0), np.repeat(y, counts)).predict(X)
        np.testing.assert_allclose(weighted, repeated, rtol=1e-7, atol=1e-7)


def test_several_components_follow_a_curve():
    X, y = curve(2000)
    X_test, y_test = curve(2000, seed=1)
    line, bent = (GaussianMixtureRegressor(k, n_init=3, random_state=0).fit(X, y) for k in (1, 4))
    assert bent.score(X_test, y_test) > line.score(X_test, y_test) + 0.2
    low, high = bent.predict_interval(X_test, coverage=0.8)
    inside = (low <= y_test) & (y_test <= high)
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    # The scatter grows with the first column, and the intervals with it.
    order = np.argsort(X_test[:, 0])
    widths = (high - low)[order]
    assert widths[-500:].mean() > 1.5 * widths[:500].mean()


def test_the_number_of_components_by_bic():
    X, y = curve()
    regressor = GaussianMixtureRegressor(range(1, 4), random_state=0).fit(X, y)
    joint = np.column_stack([X, y])
    bics = [
        GaussianMixtureRegressor(k, random_state=0).fit(X, y).mixture_.bic(joint)
        for k in range(1, 4)
    ]
    assert regressor.n_components_ == 1 + np.argmin(bics) == regressor.mixture_.n_components
    assert regressor.n_iter_ == regressor.mixture_.n_iter_


def test_many_targets_are_predicted_in_blocks(monkeypatch):
    X, y = curve(t=2)
    regressor = GaussianMixtureRegressor(2, random_state=0).fit(X, y)
    whole = regressor.predict(X, return_std=True), regressor.predict_quantiles(X, 0.5)
    monkeypatch.setattr("gaussmix.regression._BLOCK_VALUES", 4 * 7)
    pieces = regressor.predict(X, return_std=True), regressor.predict_quantiles(X, 0.5)
    np.testing.assert_array_equal(pieces[0], whole[0])
    np.testing.assert_array_equal(pieces[1], whole[1])


def test_shapes_follow_those_of_the_targets():
    X, y = curve()
    regressor = GaussianMixtureRegressor()
    assert regressor.fit(X, y).predict(X).shape == (400,)
    assert regressor.predict_quantiles(X).shape == (400, 3)
    assert regressor.predict_quantiles(X, 0.5).shape == (400,)
    column = regressor.fit(X, y[:, None])
    assert column.predict(X).shape == (400, 1)
    assert column.predict_quantiles(X, 0.5).shape == (400, 1)
    assert [end.shape for end in column.predict_interval(X)] == [(400, 1)] * 2
    assert column.score(X, y) == column.score(X, y[:, None])


def test_the_precision_of_the_rows():
    X, y = curve()
    single = X.astype(np.float32)
    both = GaussianMixtureRegressor(2, random_state=0).fit(single, y.astype(np.float32))
    assert both.mixture_.means_.dtype == np.float32
    assert both.predict(single).dtype == both.predict_quantiles(single).dtype == np.float32
    assert both.predict(X).dtype == np.float64
    # Targets in double keep their digits.
    offset = GaussianMixtureRegressor(2, random_state=0).fit(single, y + 1e9)
    assert offset.mixture_.means_.dtype == np.float64
    np.testing.assert_allclose(
        offset.predict(X) - 1e9,
        GaussianMixtureRegressor(2, random_state=0).fit(single, y).predict(X),
        atol=1e-4,
    )


def test_the_mixture_is_of_columns_and_targets(tmp_path):
    pd = pytest.importorskip("pandas")
    X, y = curve(t=2)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    targets = pd.DataFrame(y, columns=["cost", "gain"])
    regressor = GaussianMixtureRegressor(2, random_state=0).fit(frame, targets)
    mixture = regressor.mixture_
    assert mixture.feature_names_in_.tolist() == ["a", "b", "c", "cost", "gain"]
    assert regressor.feature_names_in_.tolist() == ["a", "b", "c"]
    mixture.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    predicted = loaded.predict_conditional(frame, ["a", "b", "c"]).mean
    np.testing.assert_allclose(predicted, regressor.predict(frame), rtol=1e-12)
    for y_named, names in ((targets["gain"], ["gain"]), (y[:, 0], ["y"]), (y, ["y0", "y1"])):
        made = GaussianMixtureRegressor().fit(frame, y_named).mixture_
        assert made.feature_names_in_.tolist() == ["a", "b", "c", *names]
    assert not hasattr(regressor.fit(X, targets), "feature_names_in_")
    assert not hasattr(regressor.mixture_, "feature_names_in_")


# --- beside scikit-learn -------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [1, 2])
def test_one_component_is_least_squares(t, weighted):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = curve(t=t)
    X = X / UNITS  # scikit-learn takes columns in units far apart for dependent
    weight = np.random.default_rng(3).exponential(size=len(X)) if weighted else None
    ours = GaussianMixtureRegressor(reg_covar=0).fit(X, y, sample_weight=weight)
    theirs = linear_model.LinearRegression().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-10)
    assert ours.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight), rel=1e-9)
    std = ours.predict(X, return_std=True)[1]
    residual = np.average((y - theirs.predict(X)) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(std, np.broadcast_to(np.sqrt(residual), std.shape), rtol=1e-9)


def test_regularised_it_is_ridge_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y = curve(60)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    ours = GaussianMixtureRegressor(reg_covar=0.05).fit(X, y)
    theirs = linear_model.Ridge(alpha=0.05 * len(X)).fit(Z, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(Z), rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "predicted"),
    [
        ([1.0, 2.0, 4.0], [1.0, 2.5, 3.0]),
        ([[1.0, 5.0], [2.0, 3.0], [4.0, 1.0]], [[1.0, 0.0], [2.5, 3.0], [3.0, 1.0]]),
        ([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], [[1.0, 2.5], [1.0, 2.0], [1.0, 2.0]]),
    ],
)
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5]])
def test_the_score_is_that_of_scikit_learn(y, predicted, weight, monkeypatch):
    metrics = pytest.importorskip("sklearn.metrics")
    X = np.arange(6.0).reshape(3, 2)
    regressor = GaussianMixtureRegressor(reg_covar=1e-3).fit(
        X, np.random.default_rng(0).normal(size=np.shape(y))
    )
    monkeypatch.setattr(regressor, "predict", lambda X: np.array(predicted))
    expected = metrics.r2_score(y, predicted, sample_weight=weight)
    assert regressor.score(X, y, weight) == pytest.approx(expected, rel=1e-12)


def test_the_score_of_one_row():
    X, y = curve()
    with pytest.warns(UserWarning, match="not well-defined with less than two samples"):
        assert np.isnan(GaussianMixtureRegressor().fit(X, y).score(X[:1], y[:1]))


#: That weights are repeats, of rows in another order. Starts of several components are drawn, and
#: draws depend on the order; scikit-learn expects the same of its k-means.
OF_STARTS = {"check_sample_weight_equivalence_on_dense_data": "rows come in another order"}


@pytest.mark.parametrize(
    ("params", "excused"),
    [
        ({}, {}),
        ({"covariance_type": "tied", "allow_nan": True}, {}),
        ({"n_components": 2}, OF_STARTS),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
@pytest.mark.filterwarnings("ignore::gaussmix.ConvergenceWarning", "ignore:X is constant")
def test_check_estimator(params, excused):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    regressor = GaussianMixtureRegressor(**params)
    results = checks.check_estimator(
        regressor, on_fail=None, on_skip=None, expected_failed_checks=excused
    )
    assert len(results) > 45
    failed = [r for r in results if r["status"] not in ("passed", "skipped")]
    assert [(r["check_name"], r["status"]) for r in failed] == [(n, "xfail") for n in excused]


def test_tags_say_what_it_takes():
    utils = pytest.importorskip("sklearn.utils")
    base = pytest.importorskip("sklearn.base")
    assert base.is_regressor(GaussianMixtureRegressor())
    for allow_nan in (False, True):
        tags = utils.get_tags(GaussianMixtureRegressor(allow_nan=allow_nan))
        assert tags.input_tags.allow_nan is allow_nan
        assert tags.target_tags.required
        assert tags.target_tags.multi_output


def test_pipeline_and_grid_search():
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = curve()
    pipeline = make_pipeline(StandardScaler(), GaussianMixtureRegressor(random_state=0))
    grid = {"gaussianmixtureregressor__n_components": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_ == {"gaussianmixtureregressor__n_components": 3}
    assert "GaussianMixtureRegressor(n_components=3, random_state=0)" in repr(
        search.best_estimator_
    )


def test_weights_are_routed():
    sklearn = pytest.importorskip("sklearn")
    from sklearn.model_selection import cross_validate

    X, y = curve()
    weight = np.arange(400) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        regressor = GaussianMixtureRegressor().set_fit_request(sample_weight=True)
        regressor.set_score_request(sample_weight=True)
        found = cross_validate(
            regressor, X, y, cv=[(range(200), range(200, 400))], params={"sample_weight": weight}
        )
    alone = GaussianMixtureRegressor().fit(X[:200], y[:200], weight[:200])
    expected = alone.score(X[200:], y[200:], weight[200:])
    np.testing.assert_array_equal(found["test_score"], [expected])


def test_copies_predict_the_same():
    base = pytest.importorskip("sklearn.base")
    X, y = curve(t=2)
    regressor = GaussianMixtureRegressor(2, allow_nan=True, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_array_equal(twin.predict(holed(X)), regressor.predict(holed(X)))
    clone = base.clone(regressor)
    assert clone.get_params() == regressor.get_params()
    assert not hasattr(clone, "mixture_")


def test_scikit_learn_is_not_needed():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from gaussmix import GaussianMixtureRegressor\n"
        "X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.1, 4.9, 7.0]\n"
        "regressor = GaussianMixtureRegressor().fit(X, y)\n"
        "assert abs(regressor.predict([[4.0]])[0] - 9) < 0.1\n"
        "assert regressor.score(X, y) > 0.99\n"
        "print(regressor, regressor._repr_html_())\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout == "GaussianMixtureRegressor() None\n", printed.stderr


# --- targets as they come, and bad input ---------------------------------------------------------


def test_targets_in_any_container():
    X, y = curve(t=2)
    regressor = GaussianMixtureRegressor(random_state=0)
    expected = regressor.fit(X, y).predict(X)
    kinds = [y.tolist(), y.astype(object), np.asfortranarray(y)]
    for library in ("pandas", "polars"):
        frames = pytest.importorskip(library)
        kinds.append(frames.DataFrame({"a": y[:, 0], "b": y[:, 1]}))
    kinds.append(kinds[-1].to_arrow())
    for targets in kinds:
        np.testing.assert_array_equal(regressor.fit(X, targets).predict(X), expected)
    # Names of several types are left aside.
    mixed = pytest.importorskip("pandas").DataFrame(y, columns=["a", 1])
    np.testing.assert_array_equal(regressor.fit(X, mixed).predict(X), expected)
    for column in (kinds[3]["a"], kinds[4]["a"], kinds[5]["a"], y[:, 0].tolist()):
        found = regressor.fit(X, column).predict(X)
        np.testing.assert_allclose(found, expected[:, 0], rtol=1e-12)
        assert found.shape == (400,)


ROWS = [[1.0, 2.0], [3.0, 4.5], [5.0, 6.1], [2.0, 8.0]]
Y = [1.0, 2.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("params", "X", "y", "message"),
    [
        ({"n_components": 0}, ROWS, Y, "'n_components' parameter of GaussianMixtureRegressor"),
        ({"n_components": []}, ROWS, Y, r"or several of those in a sequence. Got \[\]"),
        ({"tol": -1}, ROWS, Y, "'tol' parameter of GaussianMixtureRegressor must be"),
        ({"allow_nan": 1}, ROWS, Y, "'allow_nan' parameter of GaussianMixtureRegressor"),
        ({"n_components": 5}, ROWS, Y, "n_components = 5"),
        ({}, ROWS, None, "requires y to be passed, but the target y is None"),
        ({}, ROWS, Y[:3], r"inconsistent numbers of samples: \[4, 3\]. Pass a row of y for"),
        ({}, ROWS, [1.0, 2.0, NAN, 5.0], r"Input y contains NaN. First at y\[2\]"),
        ({"allow_nan": True}, ROWS, [1.0, NAN, 3.0, 5.0], r"y contains NaN. First at y\[1\]"),
        ({}, ROWS, [[1.0], [2.0], [3.0], [np.inf]], r"y contains infinity. First at y\[3, 0\]"),
        ({}, ROWS, list("abcd"), "y must hold real numbers. Got dtype"),
        ({}, ROWS, np.zeros((4, 0)), r"y has shape \(4, 0\): no target"),
        ({}, ROWS, np.zeros((4, 1, 1)), r"y should be a 1d array.* shape \(4, 1, 1\)"),
        ({}, ROWS, 3.0, r"y should be a 1d array"),
        ({}, [[1.0, NAN]] * 4, Y, "row 0, column 1. GaussianMixtureRegressor does not accept"),
        ({"allow_nan": True}, [[1.0, np.inf]] * 4, Y, "X contains infinity.*row 0, column 1"),
        ({}, ROWS[:1], Y[:1], "minimum of 2 is required by GaussianMixtureRegressor"),
        ({}, np.multiply(ROWS, 1e-170), Y, "from 0 to .*vanish in double precision. Multiply"),
        ({}, "table.csv", Y, "takes rows in memory. Got str. Fit GaussianMixture to rows else"),
        ({}, ROWS, "table.csv", "takes rows in memory. Got str"),
    ],
)
def test_what_cannot_be_fitted(params, X, y, message):
    regressor = GaussianMixtureRegressor(reg_covar=1e-3).fit(ROWS, Y)
    before = regressor.predict(ROWS)
    with pytest.raises((ValueError, TypeError), match=message):
        regressor.set_params(**params).fit(X, y)
    regressor.set_params(**GaussianMixtureRegressor().get_params())
    np.testing.assert_array_equal(regressor.predict(ROWS), before)


def test_messages_call_columns_and_targets_by_name():
    pd = pytest.importorskip("pandas")
    X, _ = curve(50)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"lie column 1 \('b'\), column 3 \('y'\)"):
        GaussianMixtureRegressor(reg_covar=0).fit(frame, X[:, 1])
    with pytest.raises(ValueError, match=r"lie column 1 \('x1'\), column 3 \('y'\)"):
        GaussianMixtureRegressor(reg_covar=0).fit(X, X[:, 1])
    with pytest.warns(UserWarning, match=r"constant in column 3 \('cost'\)"):
        GaussianMixtureRegressor().fit(frame, pd.Series(np.ones(50), name="cost"))
    with pytest.warns(UserWarning, match=r"no value in column 1 \('b'\)"):
        regressor = GaussianMixtureRegressor(allow_nan=True).fit(frame.assign(b=NAN), X[:, 0])
    # The column tells nothing, whatever is in it.
    found = regressor.predict(frame.assign(b=[NAN, 1e6] * 25))
    np.testing.assert_allclose(found, X[:, 0], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_predicted():
    pd = pytest.importorskip("pandas")
    X, y = curve(50)
    for method in ("predict", "predict_quantiles", "predict_interval"):
        with pytest.raises(NotFittedError, match="This GaussianMixtureRegressor instance"):
            getattr(GaussianMixtureRegressor(), method)(X)
    with pytest.raises(NotFittedError):
        GaussianMixtureRegressor().score(X, y)
    regressor = GaussianMixtureRegressor().fit(pd.DataFrame(X, columns=list("abc")), y)
    with pytest.raises(ValueError, match="feature names should match"):
        regressor.predict(pd.DataFrame(X, columns=list("abd")))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        regressor.predict(X)
    regressor.fit(X, y)
    for call, message in [
        (lambda: regressor.predict(X[:, :2]), "X has 2 features, but GaussianMixtureRegressor"),
        (lambda: regressor.predict(X, return_std=1), "return_std must be True or False"),
        (lambda: regressor.predict(np.where(X[4, 1] == X, NAN, X)), "First at row 4, column 1"),
        (lambda: regressor.predict("rows.npy"), "takes rows in memory. Got str"),
        (lambda: regressor.predict_quantiles(X, 1.5), "quantiles contains 1.5"),
        (lambda: regressor.predict_interval(X, 90), "between 0 and 1, such as 0.9.* Got 90"),
        (lambda: regressor.predict_interval(X, 1.0), "between 0 and 1.* Got 1.0"),
        (lambda: regressor.predict_interval(X, True), "between 0 and 1.* Got True"),
        (lambda: regressor.score(X, np.ones((50, 2))), "y has 2 targets, but .* fitted to 1"),
        (lambda: regressor.score(X, y[:40]), r"inconsistent numbers of samples: \[50, 40\]"),
        (lambda: regressor.set_params(n_threads=0).predict(X), "'n_threads' parameter of Gau"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            call()
