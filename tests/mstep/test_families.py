"""A covariance family that is added: everything else works with nothing else changed.

Two of mclust's bind their components together: VEI iterates, and shares a shape; EVV gives all
components one volume. Each is a class and an entry in two tables, as CONTRIBUTING tells.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture
from gaussmix._common.families import LAYOUTS
from gaussmix._mstep.families import FAMILIES
from gaussmix._mstep.families.base import CovarianceFamily
from gaussmix._mstep.maximize import maximize
from gaussmix.cli import main

K = 3


def to_unit_product(values):
    """Scaled, so that the product over the last axis is one."""
    return values / np.exp(np.log(values).mean(axis=-1, keepdims=True))


class SharedShape(CovarianceFamily):
    """VEI: diagonal covariances volume_k * shape, whose shape has the product one
    (Celeux & Govaert 1995, Pattern Recognition 28, 781-793).
    """

    name = "VEI"

    def n_parameters(self, n_components, n_features):
        return n_components + n_features - 1

    def estimate(self, scatter, nk, previous):
        # The volumes given the shape and the shape given the volumes, until both stay.
        shape = np.ones(scatter.shape[1])
        if previous is not None:
            shape = to_unit_product(previous.own_covariances()[0])
        for _ in range(200):
            volumes = (scatter / shape).mean(axis=1)
            last, shape = shape, to_unit_product(nk @ (scatter / volumes[:, None]))
            if np.abs(shape / last - 1).max() < 1e-13:
                break
        return volumes[:, None] * shape

    @staticmethod
    def unpacked(numbers, n_components, d):
        """The covariances (K, d, d) of free numbers."""
        volumes, logarithms = np.exp(numbers[:n_components]), numbers[n_components:]
        shape = np.exp(np.append(logarithms, -logarithms.sum()))
        return np.array([np.diag(volume * shape) for volume in volumes])

    @staticmethod
    def departure(covariances):
        return np.ptp(to_unit_product(covariances), axis=0).max()


class SharedVolume(CovarianceFamily):
    """EVV: matrices of one determinant (Celeux & Govaert 1995; the estimate is closed)."""

    name = "EVV"

    def n_parameters(self, n_components, n_features):
        return 1 + n_components * (n_features * (n_features + 1) // 2 - 1)

    def estimate(self, scatter, nk, previous):
        roots = np.exp(np.linalg.slogdet(scatter)[1] / scatter.shape[1])
        volume = nk @ roots / nk.sum()
        return scatter * (volume / roots)[:, None, None]

    @staticmethod
    def unpacked(numbers, n_components, d):
        volume, rest = np.exp(numbers[0]), numbers[1:].reshape(n_components, -1)
        matrices = []
        for entries in rest:
            triangle = np.zeros((d, d))
            triangle[np.tril_indices(d, -1)] = entries[d - 1 :]
            logarithms = entries[: d - 1]
            np.fill_diagonal(triangle, np.exp(np.append(logarithms, -logarithms.sum())))
            matrices.append(volume * triangle @ triangle.T)
        return np.array(matrices)

    @staticmethod
    def departure(covariances):
        return np.ptp(np.linalg.slogdet(covariances)[1])


LAYOUT = {SharedShape: "diag", SharedVolume: "full"}


@pytest.fixture(params=LAYOUT)
def family(request, monkeypatch):
    made = request.param()
    monkeypatch.setitem(FAMILIES, made.name, made)
    monkeypatch.setitem(LAYOUTS, made.name, LAYOUT[request.param])
    return made


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
    assert family.departure(np.asarray(model.covariances_, dtype=np.float64)) < 1e-9
    assert np.diff(model.lower_bounds_).min(initial=0) > -1e-11


def log_density(model, X):
    """By SciPy, which takes a vector for a diagonal."""
    parts = [
        np.log(weight) + multivariate_normal.logpdf(X, mean, covariance)
        for weight, mean, covariance in zip(
            model.weights_, model.means_, model.covariances_, strict=True
        )
    ]
    return logsumexp(parts, axis=0)


def test_no_member_of_the_family_fits_statistics_better(family, X):
    start = GaussianMixture(K, covariance_type=LAYOUTS[family.name], random_state=0).fit(X)
    statistics = start.accumulate(X)
    shares = start.predict_proba(X)
    statistics.covariance_type = family.name
    found = maximize(statistics, 0.0)
    apart = X[:, None, :] - found.means
    scatter = (
        np.einsum("ik,ikp,ikq->kpq", shares, apart, apart) / shares.sum(axis=0)[:, None, None]
    )

    def loss(covariances):
        return sum(
            n * (np.linalg.slogdet(c)[1] + np.trace(np.linalg.solve(c, w)))
            for n, c, w in zip(statistics.weight, covariances, scatter, strict=True)
        )

    start = np.zeros(family.n_parameters(K, 3))
    best = minimize(lambda numbers: loss(family.unpacked(numbers, K, 3)), start, tol=1e-12)
    ours = loss([found.layout.matrix(found.covariances, k, 3) for k in range(K)])
    assert ours == pytest.approx(best.fun, rel=1e-7)
    assert ours <= best.fun + 1e-9 * abs(best.fun)


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
    precisions = (
        np.ones((K, 3)) if LAYOUTS[family.name] == "diag" else np.tile(np.eye(3), (K, 1, 1))
    )
    start = {
        "weights_init": [0.3, 0.3, 0.4],
        "means_init": X[[0, 80, 160]],
        "precisions_init": precisions,
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
        covariance_type=LAYOUTS[family.name],
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
    assert family.departure(model.covariances_) < 1e-9
    model.revive(1, means=[[9.0, 9.0, 9.0]])
    assert family.departure(model.covariances_) < 1e-9
    model.retire(0)
    assert family.departure(model.covariances_) < 1e-9


def test_acceleration_stays_in_the_family_and_ends_alike(family, X):
    rng = np.random.default_rng(2)
    X = X + 1.5 * rng.normal(size=X.shape)  # overlap, so that there is something to accelerate
    plain = fitted(family, X, tol=1e-11, max_iter=3000)
    quick = fitted(family, X, tol=1e-11, max_iter=3000, acceleration="squarem")
    assert quick.n_iter_ < plain.n_iter_
    assert_of(family, quick)
    assert quick.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)


@pytest.mark.parametrize("action", ["drop", "reseed"])
def test_components_that_collapse(family, X, action):
    X = np.vstack([X, np.tile(X[0] + 50, (6, 1))])
    unit = {"diag": np.ones(3), "full": np.eye(3)}[LAYOUTS[family.name]]
    model = GaussianMixture(
        4,
        covariance_type=family.name,
        reg_covar=0,
        max_iter=30,
        on_collapse=action,
        weights_init=[0.32, 0.32, 0.32, 0.04],
        means_init=[X[0], X[80], X[160], X[0] + 50],
        precisions_init=np.array([unit] * 4),
    )
    with pytest.warns(ConvergenceWarning, match="component 3 in iteration 1 "):
        model.fit(X)
    first = model.collapses_[0]
    assert (first["component"], first["action"]) == (3, action)
    dropped = sum(collapse["action"] == "drop" for collapse in model.collapses_)
    assert 2 <= len(model.weights_) == 4 - dropped
    assert (dropped > 0) == (action == "drop")
    assert np.isfinite(model.covariances_).all()
    assert family.departure(model.covariances_) < 1e-8


def test_files_and_copies(family, X, tmp_path):
    model = fitted(family, X)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert loaded.covariance_type == family.name
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    loaded.update(loaded.accumulate(X))
    assert family.departure(loaded.covariances_) < 1e-9
    # scikit-learn does not know the family.
    theirs = model.to_sklearn()
    assert theirs.covariance_type == LAYOUTS[family.name]
    np.testing.assert_allclose(theirs.score_samples(X), model.score_samples(X), rtol=1e-9)
    # Shapes alone stand for the family that is bound to nothing else.
    plain = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUTS[family.name]
    )
    np.testing.assert_array_equal(plain.score_samples(X), model.score_samples(X))


def test_marginals_and_conditionals_belong_to_the_layout(family, X):
    # Of a volume that is shared nothing is left for some of the columns.
    model = fitted(family, X)
    some = model.marginal([2, 0])
    assert some.covariance_type == LAYOUTS[family.name]
    free = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUTS[family.name]
    )
    np.testing.assert_array_equal(
        some.score_samples(X[:, [2, 0]]), free.marginal([2, 0]).score_samples(X[:, [2, 0]])
    )
    given = model.condition([0], [1.0])
    assert given.covariance_type == LAYOUTS[family.name]
    np.testing.assert_array_equal(
        given.score_samples(X[:, 1:]), free.condition([0], [1.0]).score_samples(X[:, 1:])
    )
    drawn, _labels = model.sample(50, random_state=1)
    np.testing.assert_array_equal(drawn, free.sample(50, random_state=1)[0])


def test_the_imputer(family, X):
    holes = np.where(np.random.default_rng(4).random(X.shape) < 0.1, np.nan, X)
    imputer = gaussmix.GaussianMixtureImputer(K, covariance_type=family.name, random_state=0)
    filled = imputer.fit_transform(holes)
    known = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[known], holes[known])
    # Its mixture is of columns scaled back, which a shared volume survives only by chance.
    assert imputer.mixture_.covariance_type == LAYOUTS[family.name]
    np.testing.assert_array_equal(imputer.mixture_.impute(holes), filled)


def test_plots(family, X):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from gaussmix import plotting

    model = fitted(family, X)
    free = GaussianMixture.from_parameters(
        model.weights_, model.means_, model.covariances_, covariance_type=LAYOUTS[family.name]
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
