"""Fitted attributes that a user sets or writes into: every method follows, or says why not."""

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import gaussmix
from gaussmix import GaussianMixture, NotFittedError
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.reference import Mixture, dense_covariances

MATRICES = ("covariances_", "precisions_", "precisions_cholesky_")
K, D = 3, 2

pytestmark = pytest.mark.filterwarnings("error")


def covariances_of(covariance_type, seed):
    """Covariances, far from those of another seed."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(K, D, 2 * D))
    full = (1 + seed) * (roots @ roots.transpose(0, 2, 1) / D + 0.1 * np.eye(D))
    return {
        "full": full,
        "tied": full[0],
        "diag": np.einsum("kii->ki", full).copy(),
        "spherical": full[:, 0, 0].copy(),
    }[LAYOUT_OF[covariance_type]]


def mixture(covariance_type, seed=0):
    rng = np.random.default_rng(100 + seed)
    weights = rng.dirichlet(np.full(K, 5.0))
    means = 3 * rng.normal(size=(K, D))
    return weights, means, covariances_of(covariance_type, seed)


def model_of(covariance_type, weights, means, covariances, **params):
    return GaussianMixture.from_parameters(
        weights, means, covariances, covariance_type=covariance_type, **params
    )


def is_matrix(covariance_type):
    return covariance_type in ("full", "tied")


def inverse(covariance_type, matrices):
    return np.linalg.inv(matrices) if is_matrix(covariance_type) else 1 / matrices


def upper(covariance_type, covariances):
    """U with precision = U @ U.T, as scikit-learn has it."""
    if not is_matrix(covariance_type):
        return 1 / np.sqrt(covariances)
    return np.swapaxes(np.linalg.inv(np.linalg.cholesky(covariances)), -1, -2)


def lower(covariance_type, covariances):
    if not is_matrix(covariance_type):
        return 1 / np.sqrt(covariances)
    return np.linalg.cholesky(np.linalg.inv(covariances))


def in_place(name, make):
    def change(model, covariance_type, covariances):
        getattr(model, name)[...] = make(covariance_type, covariances)

    return change


def replaced(name, make):
    def change(model, covariance_type, covariances):
        setattr(model, name, make(covariance_type, covariances))

    return change


def every_one(model, covariance_type, covariances):
    for name, make in zip(MATRICES, (same, inverse, lower), strict=True):
        setattr(model, name, make(covariance_type, covariances))


def both(model, covariance_type, covariances):
    model.precisions_cholesky_ = upper(covariance_type, covariances)
    model.covariances_ = covariances.tolist()


def one_of_two_deleted(model, covariance_type, covariances):
    model.precisions_cholesky_ = upper(covariance_type, 9 * covariances)
    model.covariances_ = covariances
    del model.precisions_cholesky_


def written_after_it_followed(model, covariance_type, covariances):
    """Factors are set, the model is used, and then the covariances, which followed, change."""
    model.precisions_cholesky_ = lower(covariance_type, covariances / 4)
    model.score(np.zeros((2, D)))
    model.covariances_ *= 4


def set_again_after_it_followed(model, covariance_type, covariances):
    """The same object, which was out of date in between."""
    model.precisions_cholesky_ = factors = upper(covariance_type, covariances)
    model.score(np.zeros((2, D)))
    model.covariances_ = 5 * covariances
    model.score(np.zeros((2, D)))
    model.precisions_cholesky_ = factors


def same(covariance_type, covariances):
    return covariances


CHANGES = {
    "covariances": replaced("covariances_", same),
    "covariances, in place": in_place("covariances_", same),
    "covariances, Fortran order": replaced("covariances_", lambda _, C: np.asfortranarray(C)),
    "covariances, list": replaced("covariances_", lambda _, C: C.tolist()),
    "covariances, longdouble": replaced("covariances_", lambda _, C: C.astype(np.longdouble)),
    "upper factors": replaced("precisions_cholesky_", upper),
    "upper factors, in place": in_place("precisions_cholesky_", upper),
    "lower factors": replaced("precisions_cholesky_", lower),
    "lower factors, in place": in_place("precisions_cholesky_", lower),
    "factors, objects": replaced("precisions_cholesky_", lambda t, C: upper(t, C).astype(object)),
    "precisions": replaced("precisions_", inverse),
    "precisions, in place": in_place("precisions_", inverse),
    "both": both,
    "every one": every_one,
    "one of two deleted": one_of_two_deleted,
    "written after it followed": written_after_it_followed,
    "set again after it followed": set_again_after_it_followed,
}


def as_it_is(model):
    return model


def scored(model):
    model.score(np.zeros((2, D)))
    return model


def read(model):
    assert all(getattr(model, name) is not None for name in MATRICES)
    return model


def pickled(model):
    return pickle.loads(pickle.dumps(model))


BEFORE = {"new": as_it_is, "scored": scored, "read": read, "pickled": pickled, "copied": copy.copy}

X = np.random.default_rng(7).normal(0, 3, size=(40, D))
WITH_HOLES = X.copy()
WITH_HOLES[::3, 0] = np.nan


def saved(model, tmp_path):
    model.save(tmp_path / "model.npz")
    return gaussmix.load(tmp_path / "model.npz")


def statistics(model):
    found = model.accumulate(X)
    return [found.weight, found.shifted(np.zeros((K, D))).first, found.log_likelihood]


def state(model):
    return [getattr(model, name) for name in ("weights_", "means_", *MATRICES)]


def warm(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gaussmix.ConvergenceWarning)
        return state(model.set_params(warm_start=True, max_iter=1).fit(X))


def with_holes(model):
    model.set_params(allow_nan=True)
    return [model.score_samples(WITH_HOLES), model.predict_proba(WITH_HOLES)]


METHODS = {
    "score_samples": lambda m, _: m.score_samples(X),
    "one row": lambda m, _: m.score_samples(X[:1]),
    "predict": lambda m, _: m.predict(X),
    "predict_proba": lambda m, _: m.predict_proba(X),
    "criteria": lambda m, _: [m.score(X), m.aic(X), m.bic(X), m.icl(X), m.n_parameters()],
    "sample": lambda m, _: m.sample(50, random_state=3)[0],
    "accumulate": lambda m, _: statistics(m),
    "update": lambda m, _: state(m.update(m.accumulate(X))),
    "update weights": lambda m, _: state(m.update(m.accumulate(X), "w")),
    "partial_fit": lambda m, _: state(m.partial_fit(X)),
    "partial_fit, means": lambda m, _: state(m.partial_fit(X, update="m")),
    "retire": lambda m, _: state(m.retire(1)),
    "revive": lambda m, _: state(m.revive(1, means=[[1.0, 2.0]])),
    "marginal": lambda m, _: state(m.marginal([1])),
    "condition": lambda m, _: state(m.condition([0], [0.5])),
    "predict_conditional": lambda m, _: list(m.predict_conditional(X[:, :1], [0])[:2]),
    "cdf": lambda m, _: [m.marginal([0]).cdf(X[:, :1]), m.marginal([0]).quantile([0.1, 0.7])],
    "impute": lambda m, _: list(m.impute(WITH_HOLES, return_std=True)),
    "missing values": lambda m, _: with_holes(m),
    "mahalanobis": lambda m, _: m.mahalanobis(X),
    "feature_contributions": lambda m, _: m.feature_contributions(X),
    "save": lambda m, path: [*state(saved(m, path)), saved(m, path).score_samples(X)],
    "pickle": lambda m, _: state(pickled(m)),
    "deepcopy": lambda m, _: state(copy.deepcopy(m)),
    "copy": lambda m, _: state(copy.copy(m)),
    "warm_start": lambda m, _: warm(m),
    "attributes": lambda m, _: state(scored(m)),
}


def agrees(found, expected, context):
    for one, other in zip(
        found if isinstance(found, list) else [found],
        expected if isinstance(expected, list) else [expected],
        strict=True,
    ):
        one = np.asarray(one, dtype=float)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10, err_msg=context)


@pytest.mark.parametrize("change", CHANGES)
def test_every_method_follows(covariance_type, change, tmp_path):
    weights, means, old = mixture(covariance_type)
    new = covariances_of(covariance_type, 1)
    expected = model_of(covariance_type, weights, means, new)
    for number, (name, method) in enumerate(METHODS.items()):
        before = list(BEFORE)[number % len(BEFORE)]
        model = BEFORE[before](model_of(covariance_type, weights, means, old))
        CHANGES[change](model, covariance_type, new.copy())
        found = method(model, tmp_path)
        if name == "attributes":  # what the user has set stays as it is, in either triangle
            found, wanted = found[:-1], state(expected)[:-1]
        else:
            wanted = method(copy.deepcopy(expected), tmp_path)
        agrees(found, wanted, f"{name}, {before}")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("change", CHANGES)
def test_scores_are_those_of_scipy(covariance_type, change, before):
    weights, means, old = mixture(covariance_type)
    model = BEFORE[before](model_of(covariance_type, weights, means, old))
    new = covariances_of(covariance_type, 2)
    CHANGES[change](model, covariance_type, new.copy())
    dense = dense_covariances(Mixture(covariance_type, weights, means, new))
    joint = np.stack(
        [w * multivariate_normal(m, c).pdf(X) for w, m, c in zip(weights, means, dense)]
    )
    np.testing.assert_allclose(model.score_samples(X), np.log(joint.sum(axis=0)), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), joint.argmax(axis=0))
    for twin in (pickled(model), copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(twin.score_samples(X), model.score_samples(X))


SOME = [MATRICES[:1], MATRICES[1:2], MATRICES[2:], MATRICES[::2], MATRICES]


@pytest.mark.parametrize("names", SOME)
def test_a_model_made_of_attributes(covariance_type, names, tmp_path):
    weights, means, covariances = mixture(covariance_type)
    model = GaussianMixture(K, covariance_type=covariance_type)
    model.weights_, model.means_ = weights.tolist(), np.asfortranarray(means)
    made = {"covariances_": same, "precisions_": inverse, "precisions_cholesky_": lower}
    for name in names:
        setattr(model, name, made[name](covariance_type, covariances))
    expected = model_of(covariance_type, weights, means, covariances)
    agrees(model.sample(20, random_state=0)[0], expected.sample(20, random_state=0)[0], "sample")
    agrees(model.covariances_, covariances, "attribute")
    agrees(saved(model, tmp_path).score_samples(X), expected.score_samples(X), "file")


@pytest.mark.parametrize("name", ["weights_", "means_"])
@pytest.mark.parametrize("before", BEFORE)
def test_weights_and_means(covariance_type, name, before, tmp_path):
    weights, means, covariances = mixture(covariance_type)
    changed = {"weights_": np.array([0, 0, 1]), "means_": np.array([[0, 1], [-4, 2], [5, 5]])}
    arrays = {"weights_": weights, "means_": means} | {name: changed[name]}
    expected = model_of(covariance_type, *arrays.values(), covariances)
    for method_name, method in METHODS.items():
        model = BEFORE[before](model_of(covariance_type, weights, means, covariances))
        setattr(model, name, changed[name])  # integers
        found = method(model, tmp_path)
        agrees(found, method(copy.deepcopy(expected), tmp_path), method_name)


def test_samples_of_integer_means_are_not_integers(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    model.means_ = np.round(means).astype(int)
    rows = model.sample(10, random_state=0)[0]
    assert rows.dtype == np.float64
    assert (rows != np.round(rows)).all()


def test_single_precision_stays(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    rows = model_of(covariance_type, weights, means, covariances).sample(200, random_state=0)[0]
    model = GaussianMixture(K, covariance_type=covariance_type, random_state=0)
    model.fit(rows.astype(np.float32))
    model.covariances_ *= 4
    model.weights_ = (model.weights_ / model.weights_.sum()).astype(np.float32)
    expected = model_of(covariance_type, model.weights_, model.means_, model.covariances_)
    assert model.sample(5)[0].dtype == np.float32
    agrees(model.score_samples(X), expected.score_samples(X), "scores")
    twin = pickled(model)
    np.testing.assert_array_equal(twin.score_samples(X), model.score_samples(X))
    assert twin.covariances_.dtype == np.float32


# --- several arrays one after the other ----------------------------------------------------------


@pytest.mark.parametrize("order", [MATRICES, MATRICES[::-1]])
def test_components_are_chosen_array_by_array(covariance_type, order):
    """What is read before the next use is what stands there: programs index each in turn."""
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    chosen = np.array([2, 0])
    model.weights_ = model.weights_[chosen] / model.weights_[chosen].sum()
    model.means_ = model.means_[chosen]
    if covariance_type != "tied":
        for name in order:
            setattr(model, name, getattr(model, name)[chosen])
        covariances = covariances[chosen]
    expected = model_of(covariance_type, model.weights_, means[chosen], covariances)
    agrees(model.score_samples(X), expected.score_samples(X), "scores")


def test_a_use_writes_nothing(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    model.precisions_cholesky_ = upper(covariance_type, 7 * covariances)
    before = {name: (value, copy.deepcopy(value)) for name, value in vars(model).items()}
    model.score_samples(X)
    model.sample(3, random_state=0)
    for name, (value, was) in before.items():
        assert vars(model)[name] is value
        np.testing.assert_equal(value, was)
    agrees(model.covariances_, 7 * covariances, "what it reads as")


def test_running_statistics_are_of_the_parameters_they_came_with(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    for name in MATRICES:
        model = model_of(covariance_type, weights, means, covariances).partial_fit(X)
        model.n_samples_seen_ = 0  # so that nothing else is known
        expected = model_of(covariance_type, model.weights_, model.means_, 3 * model.covariances_)
        setattr(model, name, {"covariances_": 3, "precisions_": 1 / 3}.get(name, 3**-0.5)
                * getattr(model, name))  # fmt: skip
        agrees(state(model.partial_fit(X[:9])), state(expected.partial_fit(X[:9])), name)


def test_threads_score_a_model_just_changed(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    for change in CHANGES.values():
        new = covariances_of(covariance_type, 3)
        models = [model_of(covariance_type, weights, means, covariances) for _ in range(2)]
        for model in models:
            change(model, covariance_type, new.copy())
        expected = models[0].score_samples(X)
        found, start = [], threading.Barrier(4)

        def score(model=models[1], found=found, start=start):
            start.wait()
            found.extend([model.score_samples(X), model.mahalanobis(X), model.covariances_])

        threads = [threading.Thread(target=score) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 12
        for scores in found[::3]:
            np.testing.assert_array_equal(scores, expected)
        if isinstance(models[1].covariances_, np.ndarray):
            models[1].covariances_[...] = 2 * new  # whoever has read it, it is noticed
            expected = model_of(covariance_type, weights, means, 2 * new).score_samples(X)
            agrees(models[1].score_samples(X), expected, "written into")


def test_models_made_of_a_model_share_no_array_with_it(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    expected = model.score_samples(X)
    made = [
        model.marginal([0, 1]),
        *model.condition([0], X[:2, :1]),
        copy.copy(model),
        copy.deepcopy(model),
    ]
    scores = [one.score(X[:, : one.means_.shape[1]]) for one in made]
    for one in made:
        for name in MATRICES:
            getattr(one, name)[...] *= 2
    np.testing.assert_array_equal(model.score_samples(X), expected)
    agrees(model.covariances_, covariances, "the model's own")
    for one, score in zip(made, scores):
        for name in MATRICES:
            getattr(one, name)[...] /= 2
        assert one.score(X[:, : one.means_.shape[1]]) == pytest.approx(score, rel=1e-12)


def test_a_dask_array_is_of_the_parameters_at_its_call():
    da = pytest.importorskip("dask.array")
    weights, means, covariances = mixture("full")
    model = model_of("full", weights, means, covariances)
    model.covariances_ = 2 * covariances
    rows = da.from_array(X, chunks=(10, D))
    expected = model.score_samples(X)
    lazy = model.score_samples(rows)
    model.covariances_ *= 50
    model.means_ += 1
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), expected)
    found = model.score_samples(rows).compute(scheduler="sync")
    np.testing.assert_array_equal(found, model.score_samples(X))


# --- what is refused -----------------------------------------------------------------------------


def refused(model, match):
    """Every method says the same, and the model stays as it is."""
    before = copy.deepcopy(vars(model))
    for use in (
        lambda: model.score_samples(X),
        lambda: model.predict(X),
        lambda: model.sample(2),
        lambda: model.bic(X),
        lambda: model.accumulate(X),
        lambda: model.partial_fit(X),
        lambda: model.marginal([0]),
        lambda: model.mahalanobis(X),
        lambda: model.impute(X),
        lambda: model.to_sklearn(),
    ):
        with pytest.raises(ValueError, match=match):
            use()
    for twin in (pickled(model), copy.copy(model)):  # which know less of what has changed
        with pytest.raises(ValueError, match=r"[^.]\. The fitted .* set them otherwise"):
            twin.score(X)
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_equal(vars(model)[name], value)


def with_entry(array, value, *place):
    array = np.array(array, dtype=float)
    array[place] = value
    return array


@pytest.mark.parametrize("before", ["scored", "pickled"])
@pytest.mark.parametrize(
    ("name", "make", "match"),
    [
        ("weights_", lambda w, m: w * 0.9, r"got sum\(weights_\) = 0\.9"),
        ("weights_", lambda w, m: with_entry(w, np.nan, 1), r"NaN.*weights_\[1\]"),
        ("weights_", lambda w, m: [1.5, -0.5, 0], r"weights_\[0\] = 1\.5"),
        ("weights_", lambda w, m: [0.5, 0.5], r"weights_ and means_ do not fit together"),
        ("weights_", lambda w, m: "abc", "weights_ must hold real numbers"),
        ("weights_", lambda w, m: w + 0j, "weights_ must hold real numbers"),
        ("means_", lambda w, m: with_entry(m, np.inf, 2, 0), r"infinity.*means_\[2, 0\]"),
        ("means_", lambda w, m: m[0], r"means_ has the shape \(2,\)"),
        ("means_", lambda w, m: m[:2], "do not fit together"),
        ("means_", lambda w, m: np.ones((3, 3)), "do not fit together"),
        ("means_", lambda w, m: [[1, 2], [3], [4, 5]], "means_ is not an array of numbers"),
    ],
)
def test_weights_and_means_that_are_none(covariance_type, name, make, match, before):
    weights, means, covariances = mixture(covariance_type)
    model = BEFORE[before](model_of(covariance_type, weights, means, covariances))
    setattr(model, name, make(weights, means))
    if covariance_type == "spherical" and getattr(model.means_, "shape", None) == (3, 3):
        model.means_ = model.means_[:2]  # one variance does for any number of columns
    refused(model, match)


@pytest.mark.parametrize("before", ["scored", "pickled"])
@pytest.mark.parametrize(
    ("name", "make", "match"),
    [
        ("covariances_", lambda C: with_entry(C, np.nan, ..., 0), "NaN.*covariances_"),
        ("covariances_", lambda C: -C, "covariances_.* is -|covariances_.* has -"),
        ("covariances_", lambda C: 0 * C, r"covariances_.* (is|has) 0\.0"),
        ("covariances_", lambda C: C[..., None], "covariances_ do not fit together"),
        ("precisions_", lambda C: -C, "precisions_.* is -|precisions_.* has -"),
        ("precisions_", lambda C: np.full_like(C, np.inf), "infinity.*precisions_"),
        ("precisions_cholesky_", lambda C: -C, "precisions_cholesky_.* (is|has) -"),
        ("precisions_cholesky_", lambda C: 0 * C, r"precisions_cholesky_.* (is|has) 0\.0"),
        ("precisions_cholesky_", lambda C: C[..., None], "cholesky_ do not fit together"),
        ("precisions_cholesky_", lambda C: np.full_like(C, np.nan), "NaN.*cholesky_"),
    ],
)
def test_matrices_that_are_none(covariance_type, name, make, match, before):
    weights, means, covariances = mixture(covariance_type)
    model = BEFORE[before](model_of(covariance_type, weights, means, covariances))
    setattr(model, name, make(covariances))
    refused(model, match)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize(
    ("name", "matrix", "match"),
    [
        ("covariances_", [[2, 1], [0, 2]], r"covariances_.* is not symmetric: 1\.0 at \[0, 1\]"),
        ("covariances_", [[1, 2], [2, 1]], r"covariances_.* is not positive definite: .* -1"),
        ("covariances_", [[1, 1], [1, 1]], "covariances_.*(singular|not positive definite)"),
        ("precisions_", [[1, 2], [2, 1]], r"precisions_.* is not positive definite: .* -1"),
        ("precisions_cholesky_", [[2, 1], [1, 2]], "precisions_cholesky_.* is not triangular"),
        ("precisions_cholesky_", [[2, 1], [0, -2]], r"cholesky_.* has -2\.0 in its diagonal"),
        ("precisions_cholesky_", [[-2, 0], [1, 2]], r"cholesky_.* has -2\.0 in its diagonal"),
        ("precisions_cholesky_", [[1e-200, 0], [0, 1e-200]], "cholesky_ holds numbers so small"),
    ],
)
def test_one_matrix_that_is_none(covariance_type, name, matrix, match):
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    array = getattr(model, name)
    array[1 if covariance_type == "full" else ...] = matrix
    if covariance_type == "full":
        match = match.replace("_.*", r"_\[1\].*", 1) if "_.*" in match else match
    refused(model, match)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(("one", "other"), [(0, 2), (0, 1), (1, 2)])
def test_two_that_disagree(covariance_type, before, one, other):
    weights, means, covariances = mixture(covariance_type)
    model = BEFORE[before](model_of(covariance_type, weights, means, covariances))
    made = [same, inverse, lower]
    one_name, other_name = MATRICES[one], MATRICES[other]
    setattr(model, one_name, made[one](covariance_type, 1.01 * covariances))
    setattr(model, other_name, made[other](covariance_type, 2 * covariances))
    refused(model, rf"{one_name}.* and {other_name}|{other_name}.* and {one_name}.*disagree")
    delattr(model, one_name)  # the remedy
    expected = model_of(covariance_type, weights, means, 2 * covariances)
    agrees(model.score_samples(X), expected.score_samples(X), "scores")


def test_another_covariance_type(covariance_type):
    weights, means, covariances = mixture(covariance_type)
    model = model_of(covariance_type, weights, means, covariances)
    model.score(X)
    for another in {*COVARIANCE_TYPES} - {covariance_type}:
        model.covariance_type = another
        refused(model, f"covariance_type is '{another}'")
        model.covariance_type = covariance_type
        model.score(X)
        changed = copy.deepcopy(model)
        changed.covariance_type = another
        changed.covariances_ = new = covariances_of(another, 2)
        expected = model_of(another, weights, means, new)
        agrees(changed.score_samples(X), expected.score_samples(X), another)
    model.covariance_type = "other"
    with pytest.raises(ValueError, match="covariance_type"):
        model.score(X)


def test_as_many_columns_as_components_change_their_type():
    """The shapes of tied and diag are the same: nothing else tells."""
    means, covariances = np.array([[0.0, 1.0], [3.0, 4.0]]), np.array([[2.0, 0.5], [0.5, 1.0]])
    model = model_of("tied", [0.5, 0.5], means, covariances)
    model.covariance_type = "diag"
    refused(model, "covariance_type is 'diag'")


@pytest.mark.parametrize("missing", ["weights_", "means_", "covariances_"])
def test_what_is_missing_is_said(covariance_type, missing):
    model = GaussianMixture(K, covariance_type=covariance_type)
    arrays = zip(("weights_", "means_", "covariances_"), mixture(covariance_type), strict=True)
    for name, array in arrays:
        if name != missing:
            setattr(model, name, array)
    with pytest.raises(NotFittedError, match=f"not fitted yet.* but no {missing}"):
        model.sample()


def test_names_of_other_columns():
    weights, means, covariances = mixture("full")
    model = model_of("full", weights, means, covariances)
    model.feature_names_in_ = np.array(["a", "b"], dtype=object)
    model.means_, model.covariances_ = means[:, :1], covariances[:, :1, :1]
    refused(model, "means_ has 1 columns, but feature_names_in_ 2 names")
    del model.feature_names_in_
    model.score(X[:, :1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding_is_no_disagreement(covariance_type, dtype):
    """Of a model near the singular, unpickled by a process that knows nothing else of it."""
    rng = np.random.default_rng(0)
    scale = 1e-7 if dtype == np.float64 else 1e-3
    rows = rng.normal(size=(300, 1)) + scale * rng.normal(size=(300, 6))
    rows = (rows * 10.0 ** np.arange(-3, 3)).astype(dtype)
    model = GaussianMixture(2, covariance_type=covariance_type, reg_covar=0, random_state=0)
    model.fit(rows)
    expected = model.score_samples(rows)
    np.testing.assert_array_equal(pickled(model).score_samples(rows), expected)
    foreign = GaussianMixture(2, covariance_type=covariance_type)
    vars(foreign).update(vars(model))
    np.testing.assert_array_equal(foreign.score_samples(rows), expected)


@pytest.mark.parametrize("digits", [7, None])
def test_factors_of_a_general_inverse_are_triangular_to_rounding(digits):
    weights, means, covariances = mixture("full")
    factors = np.linalg.inv(np.linalg.cholesky(covariances[:, ::-1, ::-1])[:, ::-1, ::-1])
    factors = factors.transpose(0, 2, 1)
    factors[:, 0, 1] += 1e-15
    model = model_of("full", weights, means, 9 * covariances)
    model.precisions_cholesky_ = factors
    model.covariances_ = covariances if digits is None else covariances.round(digits)
    expected = model_of("full", weights, means, covariances)
    np.testing.assert_allclose(model.score_samples(X), expected.score_samples(X), rtol=1e-10)


# --- scikit-learn's models -----------------------------------------------------------------------


@pytest.mark.parametrize("names", [MATRICES[:1], MATRICES[2:], MATRICES[::2], MATRICES])
def test_scikit_learns_models_made_of_attributes(covariance_type, names):
    mixture_module = pytest.importorskip("sklearn.mixture")
    weights, means, covariances = mixture(covariance_type)
    theirs = mixture_module.GaussianMixture(K, covariance_type=covariance_type)
    theirs.weights_, theirs.means_ = weights, means
    made = {"covariances_": same, "precisions_": same, "precisions_cholesky_": lower}
    for name in names:  # the precisions are wrong, and nobody reads them
        setattr(theirs, name, made[name](covariance_type, covariances))
    ours = GaussianMixture.from_sklearn(theirs)
    expected = model_of(covariance_type, weights, means, covariances)
    agrees(ours.score_samples(X), expected.score_samples(X), "scores")
    agrees(ours.covariances_, covariances, "covariances")
    agrees(ours.precisions_, expected.precisions_, "precisions")
    assert not ours.converged_
    back = ours.to_sklearn()
    agrees(back.score_samples(X), expected.score_samples(X), "and back")
    theirs.covariances_, theirs.precisions_cholesky_ = (
        covariances,
        made["precisions_cholesky_"](covariance_type, 2 * covariances),
    )
    with pytest.raises(ValueError, match=r"covariances_ and precisions_cholesky_ disagree"):
        GaussianMixture.from_sklearn(theirs)
    del theirs.means_
    with pytest.raises(NotFittedError, match="no means_"):
        GaussianMixture.from_sklearn(theirs)


@pytest.mark.parametrize("change", CHANGES)
def test_scikit_learn_gets_what_followed(covariance_type, change):
    pytest.importorskip("sklearn")
    weights, means, old = mixture(covariance_type)
    new = covariances_of(covariance_type, 1)
    model = model_of(covariance_type, weights, means, old)
    CHANGES[change](model, covariance_type, new.copy())
    theirs, expected = model.to_sklearn(), model_of(covariance_type, weights, means, new)
    agrees(theirs.score_samples(X), expected.score_samples(X), "scores")
    agrees([theirs.covariances_, theirs.precisions_], [new, expected.precisions_], "attributes")
