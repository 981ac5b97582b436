"""GaussianMixtureImputer: what it fills in, and scikit-learn's tools around it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from gaussmix import GaussianMixture, GaussianMixtureImputer, NotFittedError

pytest.importorskip("sklearn")
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from support.families import COVARIANCE_TYPES

NAN = np.nan


def groups(n=300, share=0.2, seed=0):
    """Rows of two groups with opposite slopes, in units far apart; complete, and with holes."""
    rng = np.random.default_rng(seed)
    label = rng.integers(2, size=n)
    x = rng.normal(size=n)
    y = np.where(label, 2 * x, -2 * x) + 0.3 * rng.normal(size=n)
    z = 6.0 * label + 0.5 * rng.normal(size=n)
    X = np.column_stack([1e-4 * x, 1e5 * y + 1e6, z])
    holed = X.copy()
    holed[rng.random(X.shape) < share] = NAN
    empty = np.isnan(holed).all(axis=1)
    holed[empty, 2] = X[empty, 2]
    return X, holed


def error(filled, X, holed):
    """Mean square error of what was filled in, in units of each column's variance."""
    missing = np.isnan(holed)
    return (((filled - X) / X.std(axis=0))[missing] ** 2).mean()


# --- what is filled in ---------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_mixture_is_that_of_the_standardised_rows(covariance_type):
    _, X = groups()
    imputer = GaussianMixtureImputer(2, covariance_type=covariance_type, random_state=0)
    filled = imputer.fit_transform(X)
    mean, scale = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    model = GaussianMixture(
        2, covariance_type=covariance_type, reg_covar=1e-3, random_state=0, allow_nan=True
    )
    Z = (X - mean) / scale
    model.fit(Z)
    np.testing.assert_allclose(filled, model.impute(Z) * scale + mean, rtol=1e-8, atol=1e-8)
    observed = ~np.isnan(X)
    np.testing.assert_array_equal(filled[observed], X[observed])
    # In the units of X: densities are per unit there.
    mixture = imputer.mixture_
    np.testing.assert_allclose(filled, mixture.impute(X))
    density = model.score_samples(Z) - observed @ np.log(scale)
    np.testing.assert_allclose(mixture.score_samples(X), density, rtol=1e-9)
    assert mixture.lower_bound_ == pytest.approx(mixture.score(X), abs=0.01)
    np.testing.assert_allclose(
        mixture.lower_bounds_, np.array(model.lower_bounds_) - (observed @ np.log(scale)).mean()
    )
    sampled = mixture.sample(20_000, random_state=0)[0]
    np.testing.assert_allclose(sampled.std(axis=0), scale, rtol=0.15)
    assert (imputer.n_iter_, imputer.n_components_) == (mixture.n_iter_, 2)


def test_units_do_not_matter():
    _, X = groups()
    filled = GaussianMixtureImputer(2, random_state=0).fit_transform(X)
    units = np.array([1e3, 1e-7, 5.0])
    other = GaussianMixtureImputer(2, random_state=0).fit_transform(X * units)
    np.testing.assert_allclose(other, filled * units, rtol=1e-6)


def test_groups_are_told_apart():
    complete, X = groups()
    errors = [
        error(imputer.fit_transform(X), complete, X)
        for imputer in (
            SimpleImputer(),
            GaussianMixtureImputer(1),
            GaussianMixtureImputer(2, random_state=0),
        )
    ]
    assert errors[2] < 0.8 * min(errors[:2])


@pytest.mark.parametrize("candidates", [range(1, 4), [3, 1, 2], np.array([2, 1])])
def test_the_number_of_components_by_bic(candidates):
    _, X = groups()
    imputer = GaussianMixtureImputer(candidates, random_state=0).fit(X)
    assert imputer.n_components_ == imputer.mixture_.n_components == 2
    bics = {
        n: GaussianMixtureImputer(int(n), random_state=0).fit(X).mixture_.bic(X)
        for n in candidates
    }
    assert min(bics, key=bics.get) == 2
    weighted = GaussianMixtureImputer(candidates, random_state=0)
    twice = weighted.fit(np.repeat(X, 2, axis=0)).mixture_
    np.testing.assert_allclose(
        weighted.fit(X, sample_weight=2.0).mixture_.means_, twice.means_, rtol=1e-6
    )


def test_rows_without_values_tell_nothing():
    _, X = groups()
    imputer = GaussianMixtureImputer([1, 2], random_state=0).fit(X)
    more = np.vstack([X, np.full((50, 3), NAN)])
    other = GaussianMixtureImputer([1, 2], random_state=0).fit(more)
    np.testing.assert_allclose(other.mixture_.means_, imputer.mixture_.means_)
    np.testing.assert_allclose(
        other.transform(more)[-1], imputer.mixture_.weights_ @ imputer.mixture_.means_
    )


def test_weights_of_zero_leave_rows_out():
    _, X = groups()
    weight = np.r_[np.ones(200), np.zeros(100)]
    some = GaussianMixtureImputer().fit(X, sample_weight=weight)
    np.testing.assert_allclose(
        some.mixture_.means_, GaussianMixtureImputer().fit(X[:200]).mixture_.means_
    )


def test_draws():
    complete, X = groups()
    imputer = GaussianMixtureImputer(2, sample_posterior=True, random_state=0).fit(X)
    one, two = imputer.transform(X), imputer.transform(X)
    missing = np.isnan(X)
    assert (one != two)[missing].all()
    np.testing.assert_array_equal(one[~missing], X[~missing])
    np.testing.assert_allclose(one.std(axis=0), complete.std(axis=0), rtol=0.1)
    again = GaussianMixtureImputer(2, sample_posterior=True, random_state=0).fit(X)
    np.testing.assert_array_equal(one, again.transform(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_rows(dtype):
    _, X = groups()
    imputer = GaussianMixtureImputer(2, random_state=0).fit(X.astype(dtype))
    assert imputer.transform(X.astype(dtype)).dtype == dtype
    assert imputer.mixture_.weights_.dtype == dtype


# --- columns without values, and others ----------------------------------------------------------


def table():
    """A column without values, and a constant one, among others."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 4))
    X[:, 1], X[:, 2] = NAN, 5.0
    X[::4, 0], X[1::4, 2] = NAN, NAN
    return X


@pytest.mark.parametrize("sample_posterior", [False, True])
@pytest.mark.filterwarnings("ignore:X has no value", "ignore:X is constant")
def test_columns_without_values_are_dropped_or_kept(sample_posterior):
    X = table()
    drops = GaussianMixtureImputer(sample_posterior=sample_posterior, random_state=0)
    filled = drops.fit_transform(X)
    assert filled.shape == (40, 3)
    assert drops.get_feature_names_out().tolist() == ["x0", "x2", "x3"]
    keeps = clone(drops).set_params(keep_empty_features=True).fit(X)
    kept = keeps.transform(X)
    np.testing.assert_array_equal(kept[:, [0, 2, 3]], filled)
    assert (kept[:, 1] == 0).all()
    assert (kept[:, 2] == 5).all()
    assert keeps.transform([[NAN, 3.0, 5.0, 0.0]])[0, 1] == 3
    assert keeps.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]


def test_columns_without_values_are_warned_about():
    with pytest.warns(UserWarning, match="no value in column 1, where"):
        GaussianMixtureImputer().fit(table()[:, [0, 1, 3]])


def test_messages_name_the_columns_of_a_table():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pandas.DataFrame(rng.normal(size=(20, 3)), columns=["alpha", "beta", "gamma"])
    with pytest.warns(UserWarning, match=r"no value in column 1 \('beta'\)"):
        GaussianMixtureImputer().fit(X.assign(beta=NAN))
    with pytest.warns(UserWarning, match=r"is constant in column 2 \('gamma'\)"):
        GaussianMixtureImputer().fit(X.assign(gamma=1.0))
    with pytest.raises(ValueError, match=r"lie column 0 \('alpha'\), column 1 \('beta'\)"):
        GaussianMixtureImputer(reg_covar=0).fit(X.assign(beta=X.alpha))


@pytest.mark.filterwarnings("ignore:X has no value", "ignore:X is constant")
def test_columns_without_values_do_not_count_in_the_choice():
    _, X = groups()
    empty = np.column_stack([X, np.full((len(X), 60), NAN)])
    assert GaussianMixtureImputer([1, 2], random_state=0).fit(empty).n_components_ == 2


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.filterwarnings("ignore:X has no value", "ignore:X is constant")
def test_indicators_are_those_of_scikit_learn(keep):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(table(), columns=list("abcd"))
    ours = GaussianMixtureImputer(add_indicator=True, keep_empty_features=keep).fit(X)
    theirs = SimpleImputer(add_indicator=True, keep_empty_features=keep).fit(X)
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs.transform(X)
    found = ours.transform(X)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found[:, -3:], expected[:, -3:])
    assert not ours.transform(pd.DataFrame(np.ones((1, 4)), columns=list("abcd")))[:, -3:].any()


# --- scikit-learn's tools ------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
@pytest.mark.filterwarnings("ignore::gaussmix.ConvergenceWarning", "ignore:X is constant")
def test_check_estimator():
    results = check_estimator(GaussianMixtureImputer(), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []


def test_pipeline_and_grid_search():
    _, X = groups()
    y = np.nan_to_num(X[:, 2]) + np.arange(len(X)) % 3
    pipeline = make_pipeline(
        GaussianMixtureImputer(random_state=0, on_collapse="drop"), LinearRegression()
    )
    assert pipeline.fit(X, y).predict(X).shape == (300,)
    grid = {"gaussianmixtureimputer__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_estimator_[0].n_components_ in (1, 2)
    assert "GaussianMixtureImputer(random_state=0, on_collapse='drop')" in repr(pipeline)
    assert "GaussianMixtureImputer" in pipeline._repr_html_()


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_containers(container):
    frames = pytest.importorskip(container)
    pd = pytest.importorskip("pandas")
    _, X = groups(50)
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(50) + 7)
    imputer = GaussianMixtureImputer(random_state=0)
    values = imputer.fit(frame).transform(frame)
    assert type(values) is np.ndarray
    assert imputer.set_output(transform=container) is imputer
    for estimator in (imputer, clone(imputer), clone(imputer).set_output()):
        out = estimator.fit_transform(frame)
        assert isinstance(out, frames.DataFrame)
        assert list(out.columns) == ["a", "b", "c"]
        np.testing.assert_array_equal(out.to_numpy(), values)
    if container == "pandas":
        assert out.index.tolist() == frame.index.tolist()
    assert type(imputer.set_output(transform="default").transform(frame)) is np.ndarray
    with sklearn.config_context(transform_output=container):
        out = GaussianMixtureImputer().fit_transform(X)
        assert list(out.columns) == ["x0", "x1", "x2"]
        columns = ColumnTransformer(
            [("fill", GaussianMixtureImputer(), ["a", "b"]), ("rest", "passthrough", ["c"])]
        )
        assert list(columns.fit_transform(frame).columns) == ["fill__a", "fill__b", "rest__c"]


def test_other_containers_are_refused():
    with pytest.raises(ValueError, match=r"'default', 'pandas' or 'polars'. Got 'xarray'"):
        GaussianMixtureImputer().set_output(transform="xarray")


def test_weights_are_routed():
    _, X = groups()
    weight = np.arange(300) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        imputer = GaussianMixtureImputer().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(imputer, "passthrough").fit(X, sample_weight=weight)
    alone = GaussianMixtureImputer().fit(X, sample_weight=weight)
    np.testing.assert_array_equal(pipeline[0].mixture_.means_, alone.mixture_.means_)


def test_copies_fill_in_the_same():
    _, X = groups()
    imputer = GaussianMixtureImputer(2, random_state=0).fit(X)
    twin = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(twin.transform(X), imputer.transform(X))
    assert not hasattr(clone(imputer), "mixture_")


def test_scikit_learn_is_not_needed():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from gaussmix import GaussianMixtureImputer\n"
        "X = [[1.0, 2.0], [2.0, float('nan')], [3.0, 6.1], [4.0, 8.0]]\n"
        "imputer = GaussianMixtureImputer()\n"
        "filled = imputer.fit_transform(X)\n"
        "assert abs(filled[1, 1] - 4) < 0.5, filled\n"
        "print(imputer, imputer.get_feature_names_out(), imputer._repr_html_())\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout == "GaussianMixtureImputer() ['x0' 'x1'] None\n", printed.stderr


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({"n_components": 0}, [[1.0], [2.0]], r"'n_components' parameter of GaussianMixtureImp"),
        ({"n_components": []}, [[1.0], [2.0]], "or several of those in a sequence. Got \\[\\]"),
        ({"n_components": [1, True]}, [[1.0], [2.0]], "or several of those"),
        ({"n_components": "2"}, [[1.0], [2.0]], "or several of those"),
        ({"tol": -1}, [[1.0], [2.0]], "'tol' parameter of GaussianMixtureImputer must be"),
        ({"sample_posterior": 1}, [[1.0], [2.0]], "'sample_posterior' parameter"),
        ({}, [[1.0, 2.0], [3.0, np.inf]], "contains infinity.*row 1, column 1"),
        ({}, [[NAN, NAN], [NAN, NAN]], "X has no value that is not NaN"),
        ({}, [[1e-170], [2e-170], [4e-170]], "vanish in double precision. Multiply the columns"),
        ({}, [[1.0, NAN]], "minimum of 2 is required"),
        ({"n_components": 3}, [[1.0], [2.0]], "n_components = 3"),
        ({}, "table.csv", "takes rows in memory. Got str. Fit GaussianMixture"),
    ],
)
def test_what_cannot_be_fitted(params, X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        GaussianMixtureImputer(**params).fit(X)


def test_what_cannot_be_transformed():
    pd = pytest.importorskip("pandas")
    _, X = groups(50)
    with pytest.raises(NotFittedError, match="GaussianMixtureImputer"):
        GaussianMixtureImputer().transform(X)
    with pytest.raises(NotFittedError):
        GaussianMixtureImputer().get_feature_names_out()
    imputer = GaussianMixtureImputer().fit(pd.DataFrame(X, columns=list("abc")))
    with pytest.raises(ValueError, match="feature names should match"):
        imputer.transform(pd.DataFrame(X, columns=list("abd")))
    with pytest.raises(ValueError, match=r"infinity.*row 0, column 2 \('c'\)"):
        imputer.transform(pd.DataFrame([[1.0, NAN, -np.inf]], columns=list("abc")))
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        imputer.get_feature_names_out(["a", "b", "x"])
    imputer.fit(X)
    assert not hasattr(imputer, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixtureImputer is"):
        imputer.transform(X[:, :2])
    with pytest.raises(ValueError, match="should have length equal to number of features"):
        imputer.get_feature_names_out(["a"])
    assert imputer.get_feature_names_out(["p", "q", "r"]).tolist() == ["p", "q", "r"]
