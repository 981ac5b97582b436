"""scikit-learn beside gaussmix: the estimator checks, its tools, and equal results."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

from gaussmix import ConvergenceWarning, GaussianMixture, NotFittedError
from support.families import COVARIANCE_TYPES, LAYOUT_OF

pytest.importorskip("sklearn")
import sklearn
import sklearn.exceptions
import sklearn.mixture
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from support.models import FITTED_ARRAYS


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# --- the estimator checks -----------------------------------------------------------------------


def named_checks():
    with warnings.catch_warnings():
        # That the class does not inherit BaseEstimator is intended.
        warnings.simplefilter("ignore", UserWarning)
        checks = list(estimator_checks_generator(GaussianMixture()))
    for estimator, check in checks:
        name = getattr(check, "__name__", None) or check.func.__name__
        yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(named_checks()))
def test_estimator_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
def test_check_estimator_as_a_whole():
    results = check_estimator(GaussianMixture(), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []
    # Nothing is excused either.
    assert not any(result["expected_to_fail"] for result in results)


# --- its tools ----------------------------------------------------------------------------------


def test_pipeline(old_faithful):
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0))
    scaled = StandardScaler().fit_transform(old_faithful)
    alone = GaussianMixture(2, random_state=0).fit(scaled)
    np.testing.assert_array_equal(pipeline.fit_predict(old_faithful), alone.predict(scaled))
    assert pipeline.score(old_faithful) == alone.score(scaled)
    assert "GaussianMixture(n_components=2, random_state=0)" in repr(pipeline)
    for estimator in (pipeline, pipeline[-1]):
        assert "GaussianMixture" in estimator._repr_html_()


def test_clone(old_faithful):
    original = GaussianMixture(2, means_init=np.ones((2, 2)), random_state=0, n_threads=1)
    original.fit(old_faithful).sample()
    twin = clone(original)
    assert repr(twin) == repr(original)
    assert twin.means_init is not original.means_init
    with pytest.raises(NotFittedError):
        twin.predict(old_faithful)
    assert not any(name.endswith("_") or name == "_sampler" for name in vars(twin))


def test_grid_search_over_the_number_of_components(old_faithful):
    grid = {"n_components": [1, 2, 3], "covariance_type": ["full", "tied"]}
    ours, theirs = (
        GridSearchCV(make(random_state=0), grid, cv=3).fit(old_faithful)
        for make in (GaussianMixture, sklearn.mixture.GaussianMixture)
    )
    scores = ours.cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, theirs.cv_results_["mean_test_score"], rtol=1e-7)
    assert ours.best_params_ == theirs.best_params_
    assert isinstance(ours.best_estimator_, GaussianMixture)


def test_weights_are_routed_when_asked_for(routing, old_faithful):
    sample_weight = np.arange(272) % 3
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    model = GaussianMixture(2, random_state=0)
    assert model.set_fit_request(sample_weight=True) is model
    pipeline = Pipeline([("scale", scaler), ("model", model)])
    pipeline.fit(old_faithful, sample_weight=sample_weight)
    scaled = StandardScaler().fit_transform(old_faithful)
    alone = GaussianMixture(2, random_state=0).fit(scaled, sample_weight=sample_weight)
    np.testing.assert_array_equal(pipeline[-1].means_, alone.means_)
    unweighted = GaussianMixture(2, random_state=0).fit(scaled)
    assert not np.allclose(alone.means_, unweighted.means_)

    search = GridSearchCV(model, {"n_components": [2]}, cv=3)
    search.fit(old_faithful, sample_weight=sample_weight)
    alone = GaussianMixture(2, random_state=0).fit(old_faithful, sample_weight=sample_weight)
    np.testing.assert_array_equal(search.best_estimator_.means_, alone.means_)


def test_requests(routing, old_faithful):
    model = GaussianMixture(2, random_state=0)
    assert model.get_metadata_routing().fit.requests == {"sample_weight": None}
    assert model.set_fit_request(sample_weight=True).set_fit_request() is model
    for copy in (model, clone(model)):
        assert copy.get_metadata_routing().fit.requests == {"sample_weight": True}
    # What is handed out is a copy.
    model.get_metadata_routing().fit.add_request(param="sample_weight", alias=False)
    assert model.get_metadata_routing().fit.requests == {"sample_weight": True}
    with pytest.raises(TypeError):
        model.set_fit_request(weights=True)

    sample_weight = np.ones(272)
    unasked = Pipeline([("model", GaussianMixture(2))])
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
        unasked.fit(old_faithful, sample_weight=sample_weight)
    alias = GaussianMixture(2, random_state=0).set_fit_request(sample_weight="counts")
    Pipeline([("model", alias)]).fit(old_faithful, counts=sample_weight)


def test_requests_of_partial_fit_are_its_own(routing):
    model = GaussianMixture(2, random_state=0)
    assert model.get_metadata_routing().partial_fit.requests == {"sample_weight": None}
    assert model.set_partial_fit_request(sample_weight="counts") is model
    for copy in (model, clone(model)):
        assert copy.get_metadata_routing().partial_fit.requests == {"sample_weight": "counts"}
        assert copy.get_metadata_routing().fit.requests == {"sample_weight": None}
    with pytest.raises(TypeError):
        model.set_partial_fit_request(update=True)


def test_requests_need_routing():
    for method in (GaussianMixture().set_fit_request, GaussianMixture().set_partial_fit_request):
        with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
            method(sample_weight=True)


def test_a_fit_parameter_reaches_the_last_step_without_routing(old_faithful):
    sample_weight = np.arange(272) % 3
    pipeline = Pipeline([("model", GaussianMixture(2, random_state=0))])
    pipeline.fit(old_faithful, model__sample_weight=sample_weight)
    alone = GaussianMixture(2, random_state=0).fit(old_faithful, sample_weight=sample_weight)
    np.testing.assert_array_equal(pipeline[-1].means_, alone.means_)


def test_cross_validation_scores_are_mean_log_likelihoods(old_faithful):
    ours = cross_val_score(GaussianMixture(2, random_state=0), old_faithful)
    theirs = cross_val_score(sklearn.mixture.GaussianMixture(2, random_state=0), old_faithful)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


# --- exceptions and warnings --------------------------------------------------------------------


def test_its_exceptions_catch_ours(old_faithful):
    with pytest.raises(sklearn.exceptions.NotFittedError):
        GaussianMixture().predict(old_faithful)
    from sklearn.utils._param_validation import InvalidParameterError

    with pytest.raises(InvalidParameterError):
        GaussianMixture(0).fit(old_faithful)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        GaussianMixture(2, max_iter=1).fit(old_faithful)


BAD = {
    "parameter": ({"tol": -1}, None),
    "not enough rows": ({"n_components": 300}, None),
    "NaN": ({}, lambda X: X * np.nan),
    "infinity": ({}, lambda X: X * np.inf),
    "one dimension": ({}, lambda X: X[:, 0]),
    "no rows": ({}, lambda X: X[:0]),
    "weights": ({"weights_init": [0.5, 0.6]}, None),
    "means": ({"means_init": [[0.0, 0]]}, None),
    "precisions": ({"covariance_type": "diag", "precisions_init": -np.ones((2, 2))}, None),
    "singular": ({"reg_covar": 0}, lambda X: np.repeat(X[:3], 9, axis=0)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", BAD)
def test_errors_are_of_the_same_kind(case, old_faithful):
    parameters, spoil = BAD[case]
    X = old_faithful if spoil is None else spoil(old_faithful)
    parameters = {"n_components": 2, "random_state": 0} | parameters
    with pytest.raises(ValueError) as theirs:
        sklearn.mixture.GaussianMixture(**parameters).fit(X)
    with pytest.raises(ValueError) as ours:
        GaussianMixture(**parameters).fit(X)
    # The messages begin alike; ours then call a constructor argument by its full name.
    words = [str(caught.value).split()[:2] for caught in (ours, theirs)]
    assert words[0] == words[1]


def test_exception_classes_without_sklearn():
    """Loading gaussmix loads neither scikit-learn nor what it brings, and works without them."""
    program = """
import sys, warnings
import numpy as np
import gaussmix
X = np.random.default_rng(0).normal(size=(50, 2))
model = gaussmix.GaussianMixture(2, random_state=0)
for action, kind in [
    (lambda: model.predict(X), gaussmix.NotFittedError),
    (lambda: gaussmix.GaussianMixture(0).fit(X), gaussmix.InvalidParameterError),
]:
    try:
        action()
    except kind as error:
        assert type(error) is kind
    else:
        raise AssertionError
model.fit(X).predict_proba(X), model.sample(3), model.bic(X), repr(model), model.get_params()
loaded = {"sklearn", "matplotlib", "pandas", "tqdm", "joblib"} & {*sys.modules}
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


# --- equal results ------------------------------------------------------------------------------


def well_conditioned(n_features=5, n=800):
    rng = np.random.default_rng(n_features)
    K = 3
    label = rng.integers(0, K, n)
    centres = rng.normal(scale=2, size=(K, n_features))
    mixing = np.eye(n_features) + 0.3 * rng.normal(size=(K, n_features, n_features))
    noise = rng.normal(size=(n, n_features))
    return np.einsum("nj,nji->ni", noise, mixing[label]) + centres[label]


def common_start(X, covariance_type, K=3):
    """A start away from the optimum: some rows as means, one variance for everything."""
    d = X.shape[1]
    precision = 1 / X.var()
    return {
        "weights_init": np.array([0.5, 0.3, 0.2]),
        "means_init": X[[1, 200, 500]].astype(np.float64),
        "precisions_init": {
            "full": np.tile(precision * np.eye(d), (K, 1, 1)),
            "tied": precision * np.eye(d),
            "diag": np.full((K, d), precision),
            "spherical": np.full(K, precision),
        }[LAYOUT_OF[covariance_type]],
    }


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("n_iter", [1, 2, 5, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_equal_iterates(covariance_type, dtype, n_iter):
    pytest.importorskip("sklearn", minversion="1.9")  # lower_bounds_, and float32 kept
    X = well_conditioned()
    start = common_start(X, covariance_type)
    X = X.astype(dtype)
    parameters = {
        "n_components": 3,
        "covariance_type": covariance_type,
        "max_iter": n_iter,
        "tol": 0,
    } | {name: value.astype(dtype) for name, value in start.items()}
    if dtype == np.float32:
        parameters["weights_init"] /= parameters["weights_init"].sum()
    ours = GaussianMixture(**parameters).fit(X)
    theirs = sklearn.mixture.GaussianMixture(**parameters).fit(X)

    # In float32 scikit-learn's own sums carry the error.
    limit = 1e-9 if dtype == np.float64 else 2e-3
    for name in FITTED_ARRAYS:
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype == dtype
        # Entries near zero are measured against the largest of their array.
        np.testing.assert_allclose(
            mine, other, rtol=limit, atol=limit * np.abs(other).max(), err_msg=name
        )
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=limit)
    assert ours.n_iter_ == theirs.n_iter_ == n_iter
    assert ours.converged_ == theirs.converged_
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=5 * limit)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=5 * limit)
    if dtype == np.float64:
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        for criterion in ("score", "aic", "bic"):
            mine, other = (getattr(model, criterion)(X) for model in (ours, theirs))
            assert mine == pytest.approx(other, rel=1e-10)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_equal_default_fits(covariance_type, n_components, old_faithful):
    """The k-means start draws as scikit-learn's does, so whole fits agree."""
    parameters = {"covariance_type": covariance_type, "random_state": 0}
    ours = GaussianMixture(n_components, **parameters).fit(old_faithful)
    theirs = sklearn.mixture.GaussianMixture(n_components, **parameters).fit(old_faithful)
    assert ours.n_iter_ == theirs.n_iter_
    for name in FITTED_ARRAYS:
        mine, other = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9 * np.abs(other).max())


@pytest.mark.parametrize(
    ("init_params", "covariance_type"),
    [
        (init_params, covariance_type)
        for init_params in ("k-means++", "random", "random_from_data")
        for covariance_type in COVARIANCE_TYPES
        # From seeds, scikit-learn's first shared covariance is the scatter of all rows about the
        # origin over the weight of the seeds, which leads nowhere near the optimum.
        if covariance_type != "tied" or init_params == "random"
    ],
)
def test_equal_fits_from_the_other_starts(covariance_type, init_params, old_faithful):
    parameters = {
        "n_components": 2,
        "covariance_type": covariance_type,
        "init_params": init_params,
        "random_state": 1,
        "tol": 1e-10,
        "max_iter": 5000,
    }
    ours = GaussianMixture(**parameters).fit(old_faithful)
    theirs = sklearn.mixture.GaussianMixture(**parameters).fit(old_faithful)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-7)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_warm_start_takes_the_same_steps(old_faithful):
    pytest.importorskip("sklearn", minversion="1.9")  # lower_bounds_, and float32 kept
    parameters = {"n_components": 3, "warm_start": True, "max_iter": 2, "random_state": 0}
    ours = GaussianMixture(**parameters)
    theirs = sklearn.mixture.GaussianMixture(**parameters)
    for _ in range(12):
        ours.fit(old_faithful)
        theirs.fit(old_faithful)
        np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-10)
        assert ours.converged_ == theirs.converged_
        assert ours.n_iter_ == theirs.n_iter_


def test_verbose_lines_are_the_same(capsys, old_faithful):
    # Random responsibilities never repeat, as starts by k-means may, which are not run again.
    options = {"random_state": 0, "verbose": 1, "verbose_interval": 2}
    lines = []
    for make in (GaussianMixture, sklearn.mixture.GaussianMixture):
        make(3, n_init=3, init_params="random", **options).fit(old_faithful)
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]


# --- to and from --------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conversion_both_ways(covariance_type, dtype, old_faithful):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(old_faithful.astype(dtype), columns=["eruptions", "waiting"])
    ours = GaussianMixture(
        3, covariance_type=covariance_type, random_state=0, n_threads=2, tol=1e-4
    ).fit(X)
    theirs = ours.to_sklearn()
    assert type(theirs) is sklearn.mixture.GaussianMixture
    again = GaussianMixture.from_sklearn(theirs)
    for other in (theirs, again):
        for name in FITTED_ARRAYS:
            np.testing.assert_array_equal(getattr(other, name), getattr(ours, name))
            assert getattr(other, name).dtype == dtype
            assert not np.shares_memory(getattr(other, name), getattr(ours, name))
        for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
            assert getattr(other, name) == getattr(ours, name)
        assert other.feature_names_in_.tolist() == ["eruptions", "waiting"]
        expected = ours.get_params()
        assert other.get_params() == {name: expected[name] for name in other.get_params()} | (
            {"n_threads": None, "acceleration": None} if other is again else {}
        )
    limit = 1e-10 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(theirs.score_samples(X), ours.score_samples(X), rtol=limit)
    assert theirs.bic(X) == pytest.approx(ours.bic(X), rel=limit)
    np.testing.assert_array_equal(again.predict_proba(X), ours.predict_proba(X))


def test_conversion_of_their_fit(old_faithful):
    theirs = sklearn.mixture.GaussianMixture(2, random_state=0).fit(old_faithful)
    ours = GaussianMixture.from_sklearn(theirs)
    expected = theirs.predict_proba(old_faithful)
    np.testing.assert_allclose(ours.predict_proba(old_faithful), expected, atol=1e-12)
    assert not hasattr(ours, "feature_names_in_")
    ours.set_params(warm_start=True, tol=1e-9, max_iter=1000).fit(old_faithful)
    assert ours.lower_bound_ > theirs.lower_bound_
    assert theirs.n_iter_ < ours.n_iter_


def test_conversion_needs_a_fit():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        GaussianMixture.from_sklearn(sklearn.mixture.GaussianMixture())
    with pytest.raises(sklearn.exceptions.NotFittedError):
        GaussianMixture().to_sklearn()


def test_a_convergence_warning_of_ours_is_one_of_theirs(old_faithful):
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(2, max_iter=1).fit(old_faithful)
    assert issubclass(caught[0].category, sklearn.exceptions.ConvergenceWarning)
