"""The fourteen covariance families: all that a model does with each."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture
from gaussmix._mstep import families
from gaussmix.cli import main
from support.families import FAMILIES, LAYOUT_OF, departure, unpacked
from support.reference import unit_covariances

K = 3

#: Families whose covariances are not simply all of a layout.
BOUND = [name for name in FAMILIES if families.FAMILIES[name].constrained]


@pytest.fixture(params=BOUND)
def family(request):
    return families.FAMILIES[request.param]


@pytest.fixture
def X():
    rng = np.random.default_rng(3)
    centres = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, -4.0], [-3.0, 6.0, 2.0]])
    sizes = np.array([[1.0, 2.0, 0.5], [0.6, 1.4, 0.2], [1.5, 2.5, 0.9]])
    z = rng.normal(size=(240, 3)) * np.repeat(sizes, 80, axis=0)
    return np.repeat(centres, 80, axis=0) + z + 0.3 * z[:, [1, 2, 0]]


def fitted(family, X, sample_weight=None, **settings):
    settings = {"tol": 1e-9, "max_iter": 500, "random_state": 0, "reg_covar": 0} | settings
    model = GaussianMixture(K, covariance_type=family.name, **settings)
    return model.fit(X, sample_weight=sample_weight)


def assert_of(family, model):
    """The covariances are the family's, and the bounds never fell."""
    assert departure(family.name, model.covariances()) < 1e-9
    assert np.diff(model.lower_bounds_).min(initial=0) > -1e-11


def log_density(model, X):
    """By SciPy, which takes a vector for a diagonal."""
    parts = [
        np.log(weight) + multivariate_normal.logpdf(X, mean, covariance)
        for weight, mean, covariance in zip(
            model.weights_, model.means_, model.covariances(), strict=True
        )
    ]
    return logsumexp(parts, axis=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fit_and_scores(family, X, dtype):
    model = fitted(family, X.astype(dtype))
    assert model.converged_
    if dtype == np.float64:
        assert_of(family, model)
        np.testing.assert_allclose(model.score_samples(X), log_density(model, X), rtol=1e-9)
    else:
        double = fitted(family, X.astype(dtype).astype(np.float64))
        np.testing.assert_allclose(model.covariances_, double.covariances_, rtol=1e-4)
    assert model.n_parameters() == K - 1 + K * 3 + family.n_parameters(K, 3)
    bic = -2 * model.score_samples(X).sum() + model.n_parameters() * np.log(len(X))
    assert model.bic(X) == pytest.approx(bic, rel=1e-6)


def test_a_weight_of_two_is_the_row_twice(family, X):
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    start = {
        "weights_init": [0.3, 0.3, 0.4],
        "means_init": X[[0, 80, 160]],
        "precisions_init": unit_covariances(family.name, K, 3),
    }
    once = fitted(family, X, weight.astype(float), **start)
    twice = fitted(family, np.repeat(X, weight, axis=0), **start)
    np.testing.assert_allclose(once.covariances_, twice.covariances_, rtol=1e-7)
    assert_of(family, once)


def test_missing_values(family, X):
    holes = np.where(np.random.default_rng(4).random(X.shape) < 0.1, np.nan, X)
    model = fitted(family, holes, allow_nan=True)
    assert_of(family, model)
    np.testing.assert_allclose(model.means_, fitted(family, X).means_, atol=0.7)
    filled = model.impute(holes)
    assert np.isfinite(filled).all()
    free = GaussianMixture.from_parameters(
        model.weights_,
        model.means_,
        model.covariances_,
        covariance_type=LAYOUT_OF[family.name],
        allow_nan=True,
    )
    np.testing.assert_array_equal(filled, free.impute(holes))


def test_rows_in_pieces_and_of_dask_are_fitted_alike(family, X):
    whole = fitted(family, X)
    pieces = gaussmix.sources.as_source([X[:70], X[70:75], X[75:]])
    streamed = fitted(family, pieces)
    np.testing.assert_array_equal(streamed.covariances_, whole.covariances_)
    array = pytest.importorskip("dask.array")
    spread = fitted(family, array.from_array(X, chunks=(100, 3)))
    np.testing.assert_allclose(spread.covariances_, whole.covariances_, rtol=1e-6)
    assert_of(family, spread)


def test_batches(family, X):
    order = np.random.default_rng(0).permutation(len(X))
    model = GaussianMixture(K, covariance_type=family.name, random_state=0, forgetting=0.9)
    for batch in np.split(X[order], 8):
        model.partial_fit(batch)
        assert_of(family, model)
    # A component whose rows have faded keeps to the family too, and so do those placed anew.
    for _ in range(60):
        model.partial_fit(X[:80][:20])
    assert departure(family.name, model.covariances()) < 1e-9
    model.revive(1, means=[[9.0, 9.0, 9.0]])
    assert departure(family.name, model.covariances()) < 1e-9
    model.retire(0)
    assert departure(family.name, model.covariances()) < 1e-9


def test_acceleration_stays_in_the_family_and_ends_alike(family, X):
    rng = np.random.default_rng(2)
    X = X + 1.5 * rng.normal(size=X.shape)  # overlap, so that there is something to accelerate
    plain = fitted(family, X, tol=1e-11, max_iter=3000)
    quick = fitted(family, X, tol=1e-11, max_iter=3000, acceleration="squarem")
    assert quick.n_iter_ < plain.n_iter_
    assert_of(family, quick)
    assert quick.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)


@pytest.mark.parametrize("action", ["drop", "reseed"])
@pytest.mark.parametrize("code", ["VEI", "EVI", "VEE", "EVE", "VVE", "VEV", "EVV"])
def test_components_that_collapse(code, X, action):
    family = families.FAMILIES[code]
    X = np.vstack([X, np.tile(X[0] + 50, (6, 1))])
    model = GaussianMixture(
        4,
        covariance_type=family.name,
        reg_covar=0,
        max_iter=30,
        on_collapse=action,
        weights_init=[0.32, 0.32, 0.32, 0.04],
        means_init=[X[0], X[80], X[160], X[0] + 50],
        precisions_init=unit_covariances(family.name, 4, 3),
    )
    with pytest.warns(ConvergenceWarning, match="component 3 in iteration 1 "):
        model.fit(X)
    first = model.collapses_[0]
    assert (first["component"], first["action"]) == (3, action)
    dropped = sum(collapse["action"] == "drop" for collapse in model.collapses_)
    assert len(model.weights_) == 4 - dropped
    assert (dropped > 0) == (action == "drop")
    assert np.isfinite(model.covariances_).all()
    assert departure(family.name, model.covariances()) < 1e-8


def test_files_and_copies(family, X, tmp_path):
    model = fitted(family, X)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.covariance_type == family.name
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    loaded.update(loaded.accumulate(X))
    assert departure(family.name, loaded.covariances()) < 1e-9
    # scikit-learn does not know the family.
    theirs = model.to_sklearn()
    assert theirs.covariance_type == LAYOUT_OF[family.name]
    np.testing.assert_allclose(theirs.score_samples(X), model.score_samples(X), rtol=1e-9)
    # Shapes alone stand for the family that is bound to nothing else.
    plain = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUT_OF[family.name]
    )
    np.testing.assert_allclose(plain.score_samples(X), model.score_samples(X), rtol=1e-12)


#: Of which nothing is left for some of the columns, or where these are multiplied.
LOST_IN_COLUMNS = {"EVI": "VVI"} | dict.fromkeys(["EVE", "VVE", "EEV", "VEV", "EVV"], "VVV")
LOST_IN_UNITS = {"EII": "EEI", "VII": "VEI"} | dict.fromkeys(["EVE", "VVE", "EEV", "VEV"], "VVV")


def test_marginals_and_conditionals_belong_to_what_is_left_of_the_family(family, X):
    model = fitted(family, X)
    some = model.marginal([2, 0])
    left = LOST_IN_COLUMNS.get(family.name, family.name)
    assert some.covariance_type == left
    assert departure(left, some.covariances()) < 1e-9
    free = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUT_OF[family.name]
    )
    np.testing.assert_allclose(
        some.score_samples(X[:, [2, 0]]),
        free.marginal([2, 0]).score_samples(X[:, [2, 0]]),
        rtol=1e-12,
    )
    given = model.condition([0], [1.0])
    assert given.covariance_type == left
    assert departure(left, given.covariances()) < 1e-9
    np.testing.assert_allclose(
        given.score_samples(X[:, 1:]),
        free.condition([0], [1.0]).score_samples(X[:, 1:]),
        rtol=1e-12,
    )
    drawn, _labels = model.sample(50, random_state=1)
    np.testing.assert_array_equal(drawn, free.sample(50, random_state=1)[0])


def test_the_imputer(family, X):
    holes = np.where(np.random.default_rng(4).random(X.shape) < 0.1, np.nan, X)
    imputer = gaussmix.GaussianMixtureImputer(K, covariance_type=family.name, random_state=0)
    filled = imputer.fit_transform(holes)
    known = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[known], holes[known])
    left = LOST_IN_UNITS.get(family.name, family.name)
    assert imputer.mixture_.covariance_type == left
    assert departure(left, imputer.mixture_.covariances()) < 1e-9
    np.testing.assert_array_equal(imputer.mixture_.impute(holes), filled)


def test_plots(family, X):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from gaussmix import plotting

    model = fitted(family, X)
    free = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUT_OF[family.name]
    )
    paths = []
    for shown in (model, free):
        _figure, ax = pyplot.subplots()
        plotting.plot_covariances(shown, X, features=[0, 2], ax=ax)
        paths.append([patch.get_verts() for patch in ax.patches])
        pyplot.close("all")
    assert len(paths[0]) >= K
    for ours, expected in zip(*paths, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


def test_the_command_line(family, X, tmp_path, capsys):
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",", header="a,b,c", comments="")
    arguments = [str(tmp_path / "rows.csv"), "-k", "3", "--seed", "0"]
    assert (
        main(
            [
                "fit",
                *arguments,
                "--covariance-type",
                family.name,
                "-o",
                str(tmp_path / "model.npz"),
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["info", str(tmp_path / "model.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["covariance_type"] == family.name
    assert_of(family, gaussmix.load(tmp_path / "model.npz"))


def test_warm_starts_and_errors(family, X):
    with pytest.warns(ConvergenceWarning):
        model = fitted(family, X, max_iter=3, warm_start=True, tol=1e-12)
    bound = model.lower_bound_
    model.set_params(max_iter=500).fit(X)
    assert model.lower_bound_ >= bound
    assert_of(family, model)
    with pytest.raises(ValueError, match=f"covariance_type.*{family.name}"):
        GaussianMixture(covariance_type=family.name + "?").fit(X)


# --- Bounds, precision, and what is refused ------------------------------------------------------


@pytest.mark.parametrize("acceleration", [None, "squarem"])
@pytest.mark.parametrize("code", BOUND)
def test_bounded_variances_keep_to_the_family_and_the_likelihood_never_falls(code, acceleration):
    """Rows that nearly lie on planes, so that the bound is reached; with weights, with holes."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(150, 3)) * [1.0, 20.0, 0.05]
    X[50:100, 0] *= 0.01
    X[100:, 1] = X[100:, 0] + 0.001 * X[100:, 1]
    X[:, 0] += np.repeat([0.0, 4.0, -4.0], 50)
    weight = rng.uniform(0.5, 2, len(X))
    holes = np.where(rng.random(X.shape) < 0.05, np.nan, X)
    for rows, sample_weight in ((X, None), (X, weight), (holes, None)):
        model = GaussianMixture(
            K, covariance_type=code, reg_covar=0, variance_floor=0.02, random_state=0, tol=0,
            max_iter=40, acceleration=acceleration, allow_nan=True,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, sample_weight=sample_weight)
        assert np.diff(model.lower_bounds_).min() > -1e-10
        assert departure(code, model.covariances()) < 1e-8
        mean = np.average(X, axis=0, weights=sample_weight)
        spread = np.average((X - mean) ** 2, axis=0, weights=sample_weight)
        if rows is holes:
            spread = np.nanvar(holes, axis=0)
        least = 0.02 * spread
        if code == "EII":
            least = np.full(3, least.mean())
        for covariance in model.covariances():
            scaled = covariance / np.sqrt(least) / np.sqrt(least)[:, None]
            assert np.linalg.eigvalsh(scaled)[0] > 1 - 1e-9


@pytest.mark.parametrize("code", ["VEE", "EVE", "VVE"])
@pytest.mark.parametrize(
    ("n", "d", "n_components"), [(1, 1, 1), (500, 3, 4), (3000, 9, 3), (400, 21, 5)]
)
def test_rows_that_are_turned_score_as_those_that_are_not(
    instruction_set, code, n, d, n_components
):
    rng = np.random.default_rng([9, d])
    numbers = 0.7 * rng.standard_normal(families.FAMILIES[code].n_parameters(n_components, d))
    covariances = unpacked(code, numbers, n_components, d)
    means = 2 * rng.standard_normal((n_components, d))
    weights = np.full(n_components, 1 / n_components)
    X = 3 * rng.standard_normal((n, d))
    turned = GaussianMixture.from_parameters(weights, means, covariances, covariance_type=code)
    assert turned._parameters().reading.estep == "turned"
    plain = GaussianMixture.from_parameters(weights, means, covariances, covariance_type="full")
    expected = plain.score_samples(X)
    np.testing.assert_allclose(turned.score_samples(X), expected, rtol=1e-11)
    np.testing.assert_allclose(turned.predict_proba(X), plain.predict_proba(X), atol=1e-9)
    single = turned.score_samples(X.astype(np.float32))
    np.testing.assert_allclose(single, expected, rtol=2e-4)
    sums, plainly = turned.accumulate(X), plain.accumulate(X)
    np.testing.assert_allclose(sums.weight, plainly.weight, rtol=1e-9, atol=1e-9)
    scale = np.abs(plainly.second).max() + 1
    np.testing.assert_allclose(sums.second, plainly.second, atol=1e-9 * scale)
    far = X + 1e200
    np.testing.assert_array_equal(turned.predict(far), plain.predict(far))


def test_covariances_of_another_family_are_refused():
    rng = np.random.default_rng(1)
    roots = rng.standard_normal((2, 3, 5))
    covariances = roots @ roots.transpose(0, 2, 1)
    message = (
        r"covariances are no covariances of covariance_type='EVE'.* Use covariance_type='full'"
    )
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(
            [0.5, 0.5], np.zeros((2, 3)), covariances, covariance_type="EVE"
        )
    model = fitted(families.FAMILIES["VEE"], rng.standard_normal((90, 3)))
    before = model.covariances_.copy()
    model.covariances_ = np.concatenate([covariances, covariances[:1]])
    with pytest.raises(
        ValueError, match="covariances_ are no covariances of covariance_type='VEE'"
    ):
        model.predict(np.zeros((1, 3)))
    model.covariances_ = before
    assert model.predict(np.zeros((1, 3))).shape == (1,)


def test_names_that_scikit_learn_gave(X):
    for name, code in {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII",
                       "tied-diag": "EEI", "tied-spherical": "EII"}.items():  # fmt: skip
        models = [
            GaussianMixture(K, covariance_type=one, random_state=0).fit(X) for one in (name, code)
        ]
        assert [model.covariance_type for model in models] == [name, code]
        np.testing.assert_array_equal(models[0].covariances_, models[1].covariances_)
        np.testing.assert_array_equal(models[0].score_samples(X), models[1].score_samples(X))


@pytest.mark.parametrize("code", FAMILIES)
def test_volume_times_shape_times_orientation(code, X):
    model = GaussianMixture(K, covariance_type=code, random_state=0).fit(X)
    axes = model.orientations_
    np.testing.assert_allclose(
        np.einsum("k,kij,kj,klj->kil", model.volumes_, axes, model.shapes_, axes),
        model.covariances(),
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip
    np.testing.assert_allclose(model.shapes_.prod(axis=1), 1, rtol=1e-9)
    assert not hasattr(GaussianMixture(), "volumes_")


@pytest.mark.parametrize("code", FAMILIES)
def test_rows_that_cannot_bear_the_family(code):
    """Fewer rows than columns, and a column of equal values: an error that says what to do."""
    rng = np.random.default_rng(2)
    few = rng.standard_normal((4, 6))
    constant = np.column_stack([rng.standard_normal((60, 2)), np.full(60, 7.0)])
    for rows in (few, constant):
        model = GaussianMixture(2, covariance_type=code, reg_covar=0, random_state=0)
        failure = None
        try:
            model.fit(rows)
        except ValueError as error:
            failure = str(error)
        if failure is None:
            assert np.linalg.eigvalsh(model.covariances()).min() > 0
        else:
            assert "reg_covar" in failure
            assert not hasattr(model, "means_")
