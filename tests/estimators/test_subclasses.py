"""Subclasses that people write for scikit-learn's mixture, and instances of earlier versions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, GaussianMixtureImputer, GaussianMixtureRegressor
from support.families import COVARIANCE_TYPES

pytest.importorskip("sklearn")
import sklearn.mixture
from sklearn.base import (
    BaseEstimator,
    ClusterMixin,
    OutlierMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.estimator_checks import check_estimator

# --- constructors -------------------------------------------------------------------------------


class Theirs(GaussianMixture):
    """scikit-learn's constructor."""

    def __init__(
        self, n_components=1, *, covariance_type="full", tol=1e-3, reg_covar=1e-6, max_iter=100,
        n_init=1, init_params="kmeans", weights_init=None, means_init=None, precisions_init=None,
        random_state=None, warm_start=False, verbose=0, verbose_interval=10,
    ):  # fmt: skip
        super().__init__(
            n_components, covariance_type=covariance_type, tol=tol, reg_covar=reg_covar,
            max_iter=max_iter, n_init=n_init, init_params=init_params, weights_init=weights_init,
            means_init=means_init, precisions_init=precisions_init, random_state=random_state,
            warm_start=warm_start, verbose=verbose, verbose_interval=verbose_interval,
        )  # fmt: skip


class Three(GaussianMixture):
    def __init__(self, n_components=1, covariance_type="full", random_state=None):
        super().__init__(n_components, covariance_type=covariance_type, random_state=random_state)


class Added(GaussianMixture):
    def __init__(self, n_components=1, *, threshold=0.1, scaler=None, random_state=None):
        super().__init__(n_components, random_state=random_state)
        self.threshold = threshold
        self.scaler = scaler


class Renamed(GaussianMixture):
    def __init__(self, k=2, random_state=None):
        super().__init__(k, covariance_type="diag", random_state=random_state)
        self.k = k


class Required(GaussianMixture):
    def __init__(self, n_components, random_state):
        super().__init__(n_components, random_state=random_state)


class Keywords(GaussianMixture):
    def __init__(self, n_components=2, **settings):
        super().__init__(n_components, **settings)


class Anything(GaussianMixture):
    def __init__(this, *args, **settings):
        super().__init__(*args, **settings)


class NoCall(GaussianMixture):
    """A constructor that sets what it needs by itself."""

    def __init__(self, n_components=2, random_state=None):
        self.n_components = n_components
        self.random_state = random_state


class BaseBefore(BaseEstimator, GaussianMixture):
    pass


class BaseAfter(GaussianMixture, BaseEstimator):
    pass


class TransformerBefore(TransformerMixin, GaussianMixture):
    def transform(self, X):
        return self.predict_proba(X)


class TransformerAfter(GaussianMixture, TransformerMixin):
    def transform(self, X):
        return self.predict_proba(X)


class Both(GaussianMixture, sklearn.mixture.GaussianMixture):
    """For code that asks whether a model is one of scikit-learn's."""


class Clusterer(ClusterMixin, GaussianMixture):
    def fit(self, X, y=None, **weights):
        super().fit(X, y, **weights)
        self.labels_ = self.predict(X)
        return self


class Detector(OutlierMixin, GaussianMixture):
    def __init__(self, n_components=1, contamination=0.1, random_state=None):
        super().__init__(n_components, random_state=random_state)
        self.contamination = contamination

    def fit(self, X, y=None):
        super().fit(X)
        self.offset_ = np.quantile(self.score_samples(X), self.contamination)
        return self

    def predict(self, X):
        return np.where(self.score_samples(X) < self.offset_, -1, 1)


NAMED = [
    Theirs, Three, Added, Renamed, Required, Keywords, NoCall, BaseBefore, BaseAfter,
    TransformerBefore, TransformerAfter, Both, Clusterer, Detector,
]  # fmt: skip
ALL = [*NAMED, Anything]


def made(cls):
    return cls(2, random_state=0)


def own_type(cls) -> str:
    return "diag" if cls is Renamed else "full"


def plain(cls, X) -> GaussianMixture:
    """The same fit without a subclass."""
    return GaussianMixture(2, covariance_type=own_type(cls), random_state=0).fit(X)


@pytest.mark.parametrize("cls", ALL)
def test_a_subclass_is_fitted_and_used_as_its_base(cls, old_faithful, tmp_path):
    model, base = made(cls).fit(old_faithful), plain(cls, old_faithful)
    np.testing.assert_array_equal(model.means_, base.means_)
    np.testing.assert_array_equal(
        model.predict_proba(old_faithful), base.predict_proba(old_faithful)
    )
    assert model.bic(old_faithful) == base.bic(old_faithful)

    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert type(loaded) is GaussianMixture
    assert loaded.get_params() == base.get_params()
    np.testing.assert_array_equal(loaded.means_, base.means_)

    converted = model.to_sklearn()
    assert type(converted) is sklearn.mixture.GaussianMixture
    np.testing.assert_array_equal(converted.means_, base.means_)
    assert converted.covariance_type == own_type(cls)

    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is cls
        assert vars(twin).keys() == vars(model).keys()
        np.testing.assert_array_equal(twin.predict(old_faithful), model.predict(old_faithful))

    model.partial_fit(old_faithful)
    base.partial_fit(old_faithful)
    model.update(model.accumulate(old_faithful))
    base.update(base.accumulate(old_faithful))
    np.testing.assert_array_equal(model.means_, base.means_)


@pytest.mark.parametrize("cls", ALL)
def test_marginals_and_conditionals_are_of_the_same_class(cls, old_faithful):
    model, base = made(cls).fit(old_faithful), plain(cls, old_faithful)
    model.set_fit_request, model.mark = None, "kept"
    pairs = [(model.marginal([1]), base.marginal([1]))]
    pairs += [(model.condition([0], [3.0]), base.condition([0], [3.0]))]
    pairs += zip(
        model.condition([0], [[3.0], [4.0]]), base.condition([0], [[3.0], [4.0]]), strict=True
    )
    for part, expected in pairs:
        assert type(part) is cls
        assert part.mark == "kept"
        assert part._settings() == expected._settings()
        np.testing.assert_array_equal(part.weights_, expected.weights_)
        np.testing.assert_array_equal(
            part.score_samples(old_faithful[:, :1]), expected.score_samples(old_faithful[:, :1])
        )
        # What a subclass found in its own fit belongs to the whole.
        assert not {"offset_", "labels_"} & vars(part).keys()
        part.fit(old_faithful[:, 1:])


@pytest.mark.parametrize("cls", ALL)
def test_a_subclass_is_made_from_parameters_and_from_a_fit_of_scikit_learn(cls, old_faithful):
    if cls is Required:
        with pytest.raises(TypeError, match="random_state"):
            cls.from_parameters([1.0], [[0.0]], [1.0])
    given = {"random_state": 0, "reg_covar": 1e-3}
    model = cls.from_parameters([0.3, 0.3, 0.4], np.eye(3), np.ones(3), **given)
    assert type(model) is cls
    assert (model.n_components, model.covariance_type) == (3, "spherical")
    assert (model.random_state, model.reg_covar, model.tol) == (0, 1e-3, 1e-3)
    assert model.predict_proba(np.eye(3)).argmax(axis=1).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="unheard"):
        cls.from_parameters([1.0], [[0.0]], [1.0], unheard=1, random_state=0)

    theirs = sklearn.mixture.GaussianMixture(2, covariance_type="tied", tol=1e-5, random_state=0)
    theirs.fit(old_faithful)
    taken = cls.from_sklearn(theirs)
    assert type(taken) is cls
    assert (taken.n_components, taken.covariance_type, taken.tol) == (2, "tied", 1e-5)
    np.testing.assert_array_equal(taken.to_sklearn().means_, theirs.means_)


def test_what_a_subclass_of_scikit_learn_adds_is_taken_over(old_faithful):
    class Same(sklearn.mixture.GaussianMixture):
        def __init__(self, n_components=1, threshold=0.1, other=None):
            super().__init__(n_components)
            self.threshold, self.other = threshold, other

    taken = Added.from_sklearn(Same(2, threshold=0.7, other=1).fit(old_faithful))
    assert (taken.n_components, taken.threshold) == (2, 0.7)


@pytest.mark.parametrize("cls", NAMED)
def test_a_subclass_in_the_tools_of_scikit_learn(cls, old_faithful):
    model = made(cls)
    name = "k" if cls is Renamed else "n_components"
    twin = clone(model)
    assert type(twin) is cls
    assert repr(twin) == repr(model)
    assert twin.set_params(**{name: 3}) is twin
    assert twin.get_params()[name] == 3
    assert get_tags(model).input_tags.allow_nan is False

    step = cls.__name__.lower()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model),
        {f"{step}__{name}": [1, 2]},
        cv=3,
        scoring=lambda pipeline, X, y=None: -pipeline[-1].bic(X),
        error_score="raise",
    )
    search.fit(old_faithful)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scores = cross_val_score(model, old_faithful, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    for shown in (search, model, model.fit(old_faithful)):
        assert cls.__name__ in estimator_html_repr(shown)
        assert cls.__name__ in repr(shown)
    if hasattr(cls, "transform"):
        y = old_faithful[:, 0] > 3
        assert (
            make_pipeline(model, LogisticRegression()).fit(old_faithful, y).score(old_faithful, y)
            == 1
        )
    if cls in (Clusterer, Detector):
        assert set(model.fit_predict(old_faithful)) == ({0, 1} if cls is Clusterer else {-1, 1})


def test_a_subclass_is_shown_by_what_it_has():
    assert repr(Added(3, threshold=0.2)) == "Added(n_components=3, threshold=0.2)"
    assert repr(Required(3, None)) == "Required(n_components=3, random_state=None)"
    assert repr(Anything(3)) == "Anything()"
    with pytest.raises(RuntimeError, match="must name its parameters"):
        Anything(3).get_params()


def test_parameters_of_estimators_among_the_parameters():
    model = Added(scaler=StandardScaler())
    assert model.get_params()["scaler__with_mean"] is True
    assert "scaler__with_mean" not in model.get_params(deep=False)
    assert model.set_params(scaler__with_mean=False, threshold=0.3) is model
    assert (model.scaler.with_mean, model.threshold) == (False, 0.3)
    model.set_params(scaler__with_std=False, scaler=StandardScaler())
    assert (model.scaler.with_mean, model.scaler.with_std) == (True, False)
    for wrong in ("scaler__k", "threshold__k", "k__k"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            model.set_params(threshold=0.9, **{wrong: 1})
        assert model.threshold == 0.3


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
@pytest.mark.parametrize("cls", [Three, TransformerBefore, Both])
def test_a_subclass_passes_the_estimator_checks(cls):
    results = check_estimator(cls(), on_fail=None, on_skip=None)
    assert len(results) > 40
    assert [r["check_name"] for r in results if r["status"] not in ("passed", "skipped")] == []


def test_a_subclass_is_fitted_to_a_dask_array(old_faithful):
    da = pytest.importorskip("dask.array")
    X = da.from_array(old_faithful, chunks=(100, 2))
    model = made(Three).fit(X)
    np.testing.assert_allclose(model.means_, plain(Three, old_faithful).means_, rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X).compute(), model.predict(old_faithful))


SCORES = (
    "score_samples", "predict", "predict_proba", "component_log_density", "score", "aic", "bic",
    "icl", "feature_contributions",
)  # fmt: skip


# --- instances of earlier versions --------------------------------------------------------------

NEW_PARAMETERS = {"allow_nan", "forgetting", "learning_decay", "on_collapse", "variance_floor"}
NEW_PARAMETERS |= {"acceleration", "n_threads"}
NEW_ATTRIBUTES = {"collapses_", "n_samples_seen_", "lower_bounds_"}


@pytest.mark.parametrize("cls", [GaussianMixture, Three])
def test_a_pickle_of_an_earlier_version_works_in_all_methods(cls, old_faithful, tmp_path):
    X = old_faithful
    model = made(cls).fit(X)
    older = pickle.loads(pickle.dumps(model))
    for name in NEW_PARAMETERS | NEW_ATTRIBUTES:
        delattr(older, name)
    older = pickle.loads(pickle.dumps(older))
    assert older.get_params() == model.get_params()
    assert repr(older) == repr(model)
    assert clone(older).get_params() == model.get_params()
    for method in (*SCORES, "impute", "mahalanobis"):
        expected = getattr(model, method)(X)
        np.testing.assert_array_equal(getattr(older, method)(X), expected, err_msg=method)
    assert older.n_parameters() == model.n_parameters()
    assert older.sample(3)[0].shape == (3, 2)
    assert older.marginal([0]).cdf(3.0) == model.marginal([0]).cdf(3.0)
    older.condition([0], [3.0]).quantile(0.5)
    older.predict_conditional(X[:, :1], [0])
    older.to_sklearn()
    older.save(tmp_path / "model.npz")
    assert gaussmix.load(tmp_path / "model.npz").get_params() == plain(cls, X).get_params()
    older.update(older.accumulate(X))
    older.revive(0, means=[[3.0, 60.0]]).partial_fit(X).retire(0)
    np.testing.assert_array_equal(older.fit(X).means_, model.means_)


# --- the imputer --------------------------------------------------------------------------------


class FewerOfImputer(GaussianMixtureImputer):
    def __init__(self, n_components=1, add_indicator=False):
        super().__init__(n_components, add_indicator=add_indicator)


class MixedImputer(TransformerMixin, GaussianMixtureImputer):
    pass


class BaseImputer(BaseEstimator, GaussianMixtureImputer):
    pass


def with_gaps(X):
    X = X.copy()
    X[::7, 1] = np.nan
    return X


@pytest.mark.parametrize("cls", [FewerOfImputer, MixedImputer, BaseImputer])
def test_a_subclass_of_the_imputer(cls, old_faithful):
    pd = pytest.importorskip("pandas")
    X = with_gaps(old_faithful)
    model = cls(2)
    model.random_state = 0
    expected = GaussianMixtureImputer(2, random_state=0).fit_transform(X)
    np.testing.assert_array_equal(model.fit_transform(X), expected)
    assert type(clone(model)) is cls
    assert cls.__name__ in repr(model)
    assert cls.__name__ in estimator_html_repr(model)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), expected)
    search = GridSearchCV(
        make_pipeline(model, GaussianMixture(2, random_state=0)),
        {f"{cls.__name__.lower()}__n_components": [1, 2]},
        error_score="raise",
    )
    assert np.isfinite(search.fit(X).best_score_)
    table = model.set_output(transform="pandas").fit_transform(pd.DataFrame(X, columns=["a", "b"]))
    assert list(table.columns) == ["a", "b"]
    np.testing.assert_array_equal(table.to_numpy(), expected)


def test_a_pickle_of_an_earlier_imputer_works(old_faithful):
    X = with_gaps(old_faithful)
    model = GaussianMixtureImputer(2, random_state=0).fit(X)
    older = pickle.loads(pickle.dumps(model))
    for name in ("variance_floor", "sample_posterior", "keep_empty_features", "add_indicator"):
        delattr(older, name)
    assert older.get_params() == model.get_params()
    np.testing.assert_array_equal(older.transform(X), model.transform(X))
    assert older.get_feature_names_out().tolist() == ["x0", "x1"]
    np.testing.assert_array_equal(clone(older).fit(X).transform(X), model.transform(X))


# --- the regressor ------------------------------------------------------------------------------


class FewerOfRegressor(GaussianMixtureRegressor):
    def __init__(self, n_components=1, reg_covar=1e-6):
        self.n_components = n_components
        self.reg_covar = reg_covar


class MixedRegressor(RegressorMixin, GaussianMixtureRegressor):
    pass


class BaseRegressor(BaseEstimator, GaussianMixtureRegressor):
    pass


@pytest.mark.parametrize("cls", [FewerOfRegressor, MixedRegressor, BaseRegressor])
def test_a_subclass_of_the_regressor(cls, old_faithful):
    X, y = old_faithful[:, :1], old_faithful[:, 1]
    model = cls(2)
    model.random_state = 0
    expected = GaussianMixtureRegressor(2, random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)
    assert type(clone(model)) is cls
    assert cls.__name__ in repr(model)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    search = GridSearchCV(cls(), {"n_components": [1, 2]}, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.5


# --- methods that a fit of scikit-learn calls ---------------------------------------------------

# The methods that would leave it out.
HOOKS = {
    "_check_parameters": {"fit"},
    "_validate_params": {"fit"},
    "_parameter_constraints": {"fit"},
    "_initialize_parameters": {"fit"},
    "_initialize": {"fit"},
    "_e_step": {"fit", "accumulate", "partial_fit"},
    "_m_step": {"fit", "update", "partial_fit"},
    "_compute_lower_bound": {"fit"},
    "_get_parameters": {"fit"},
    "_set_parameters": {"fit"},
    "_print_verbose_msg_init_beg": {"fit"},
    "_print_verbose_msg_iter_end": {"fit"},
    "_print_verbose_msg_init_end": {"fit"},
    "_estimate_log_prob": {"fit", "accumulate", "partial_fit", *SCORES},
    "_estimate_weighted_log_prob": {"fit", "accumulate", "partial_fit", *SCORES},
    "_estimate_log_prob_resp": {"fit", "accumulate", "partial_fit", *SCORES},
    "_estimate_log_weights": {"fit", "accumulate", "partial_fit", *SCORES},
}


def test_the_table_has_all_that_a_fit_of_scikit_learn_calls():
    base = sklearn.mixture._base.BaseMixture
    private = {
        name
        for name in {*vars(base), *vars(sklearn.mixture.GaussianMixture)}
        if name.startswith("_") and not name.startswith(("__", "_abc"))
    }
    assert private <= {*HOOKS, "_n_parameters"}


def ineffective(self, *args, **kwargs):
    raise AssertionError("called")


@pytest.mark.parametrize("place", ["class", "mixin", "instance"])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_would_be_left_out_is_refused(hook, place, old_faithful):
    X = old_faithful
    fitted = GaussianMixture(2, random_state=0).fit(X)
    model = {
        "class": type("Own", (GaussianMixture,), {hook: ineffective}),
        "mixin": type("Own", (type("Mixin", (), {hook: ineffective}), Three), {}),
        "instance": GaussianMixture,
    }[place](2, random_state=0)
    vars(model).update(copy.deepcopy(vars(fitted)))
    if place == "instance":
        setattr(model, hook, ineffective)
    statistics = fitted.accumulate(X)
    before = copy.deepcopy(vars(model))
    left_out = HOOKS[hook] | ({"fit_predict"} if "fit" in HOOKS[hook] else set())
    for method in left_out:
        with pytest.raises(TypeError, match=f"has a {hook} of its own.* Instead, "):
            getattr(model, method)(statistics if method == "update" else X)
        assert vars(model).keys() == before.keys()
        np.testing.assert_array_equal(model.means_, before["means_"])
    for method in {*SCORES} - left_out:
        np.testing.assert_array_equal(getattr(model, method)(X), getattr(fitted, method)(X))
    for method in {"update", "partial_fit"} - left_out:
        getattr(model, method)(statistics if method == "update" else X)


def test_a_hook_that_the_library_was_given_is_refused_as_well(monkeypatch, old_faithful):
    monkeypatch.setattr(GaussianMixture, "_m_step", ineffective, raising=False)
    with pytest.raises(TypeError, match="GaussianMixture has a _m_step of its own"):
        GaussianMixture(2).fit(old_faithful)


def test_a_first_batch_has_a_start_as_well(old_faithful):
    class OwnStart(GaussianMixture):
        _initialize = ineffective

    with pytest.raises(TypeError, match=r"OwnStart has a _initialize of its own.*means_init"):
        OwnStart(2).partial_fit(old_faithful)


def test_public_methods_of_a_subclass_count_where_they_do_in_scikit_learn(old_faithful):
    def own(base):
        class Own(base):
            def score_samples(self, X):
                return super().score_samples(X) - 1.0

        class Scored(base):
            def score(self, X, y=None):
                return super().score(X) - 1.0

        class Counted(base):
            def _n_parameters(self):
                return super()._n_parameters() + 3

        class Labelled(base):
            def fit_predict(self, X, y=None):
                self.labels_ = super().fit_predict(X, y)
                return self.labels_

        return Own, Scored, Counted, Labelled

    X = old_faithful
    start = {"means_init": [[2.0, 54.0], [4.3, 80.0]], "random_state": 0}
    base = GaussianMixture(2, **start).fit(X)
    classes = zip(own(GaussianMixture), own(sklearn.mixture.GaussianMixture), strict=True)
    for cls, theirs in classes:
        ours, expected = cls(2, **start).fit(X), theirs(2, **start).fit(X)
        for method in ("score", "aic", "bic"):
            ours_is, theirs_is = getattr(ours, method)(X), getattr(expected, method)(X)
            assert ours_is == pytest.approx(theirs_is, rel=1e-9), (cls, method)
        difference = expected.bic(X) - base.to_sklearn().bic(X)
        assert ours.icl(X) - base.icl(X) == pytest.approx(difference, abs=1e-3), cls
        if hasattr(expected, "labels_"):
            np.testing.assert_array_equal(ours.labels_, expected.labels_)


def test_a_fit_predict_that_calls_fit_comes_to_an_end(old_faithful):
    class Own(GaussianMixture):
        def fit_predict(self, X, y=None, sample_weight=None):
            return self.fit(X, sample_weight=sample_weight).predict(X)

    weight = np.arange(272.0)
    expected = GaussianMixture(2, random_state=0).fit(old_faithful, sample_weight=weight)
    model = Own(2, random_state=0)
    labels = model.fit_predict(old_faithful, sample_weight=weight)
    np.testing.assert_array_equal(labels, expected.predict(old_faithful))
    assert vars(model).keys() == vars(expected).keys()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(old_faithful * np.nan)
    assert vars(model).keys() == vars(expected).keys()


# --- densities of the components ----------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_private_methods_are_those_of_scikit_learn(covariance_type):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) + 3 * rng.integers(0, 2, size=(500, 1))
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    theirs = ours.to_sklearn()
    far = np.concatenate([X, [[1e3, -1e3, 0.0]]])
    tolerance = {"rtol": 1e-9, "atol": 1e-9}
    for name in ("_estimate_log_prob", "_estimate_weighted_log_prob"):
        mine, expected = getattr(ours, name)(far), getattr(theirs, name)(far)
        np.testing.assert_allclose(mine, expected, **tolerance, err_msg=name)
    for mine, expected in zip(
        ours._estimate_log_prob_resp(far), theirs._estimate_log_prob_resp(far), strict=True
    ):
        np.testing.assert_allclose(mine, expected, **tolerance)
    np.testing.assert_allclose(ours._estimate_log_weights(), theirs._estimate_log_weights())
    for mine, expected in zip(ours._get_parameters(), theirs._get_parameters(), strict=True):
        np.testing.assert_array_equal(mine, expected)
    other = GaussianMixture(3, covariance_type=covariance_type)
    other._set_parameters(theirs._get_parameters())
    np.testing.assert_allclose(other.precisions_, theirs.precisions_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(other.score_samples(X), ours.score_samples(X))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 4, 24])
def test_a_density_of_a_component_does_not_depend_on_how_rows_are_cut(d, dtype):
    rng = np.random.default_rng(0)
    n = 2 * 16384 + 77
    X = rng.normal(size=(n, d)).astype(dtype)
    X[::2] += 4
    model = GaussianMixture(3, random_state=0, max_iter=3, tol=1e3, n_threads=1).fit(X)
    whole = model.component_log_density(X)
    assert (whole.shape, whole.dtype) == ((n, 3), dtype)
    joint = whole + np.log(model.weights_)
    np.testing.assert_allclose(
        np.logaddexp.reduce(joint, axis=1),
        model.score_samples(X),
        rtol=1e-5 if dtype == np.float32 else 1e-12,
    )
    model.set_params(n_threads=3)
    np.testing.assert_array_equal(model.component_log_density(X), whole)
    np.testing.assert_array_equal(model.component_log_density(np.asfortranarray(X)), whole)
    np.testing.assert_array_equal(model.component_log_density(X[n - 5 :]), whole[n - 5 :])
    np.testing.assert_array_equal(model.component_log_density(X[7:8]), whole[7:8])
    pieces = np.array_split(X, [3, 20000])
    np.testing.assert_array_equal(model.component_log_density(pieces), whole)
    out = np.empty((n, 3), dtype)
    for rows in (X, pieces):
        out[:] = 7
        assert model.component_log_density(rows, out=out) is out
        np.testing.assert_array_equal(out, whole)


def test_densities_of_components_where_values_are_missing(old_faithful):
    X = with_gaps(old_faithful)
    X[3] = np.nan
    model = GaussianMixture(2, random_state=0, allow_nan=True).fit(old_faithful)
    found = model.component_log_density(X)
    np.testing.assert_array_equal(found[1], model.component_log_density(old_faithful)[1])
    gap = model.marginal([0]).component_log_density(X[7:8, :1])
    np.testing.assert_allclose(found[7:8], gap, rtol=1e-12)
    np.testing.assert_array_equal(found[3], 0.0)
    model.set_params(allow_nan=False)
    out = np.zeros((272, 2))
    with pytest.raises(ValueError, match="contains NaN"):
        model.component_log_density(X, out=out)
    assert not out.any()


def test_densities_of_components_of_a_dask_array(old_faithful):
    da = pytest.importorskip("dask.array")
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    lazy = model.component_log_density(da.from_array(old_faithful, chunks=(100, 2)))
    assert lazy.shape == (272, 2)
    np.testing.assert_array_equal(lazy.compute(), model.component_log_density(old_faithful))
