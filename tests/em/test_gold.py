"""Published optima, closed forms, and what every EM iteration must leave true.

mclust's values are optima it found from one start, hence lower bounds: they must be reached or
beaten.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest

from gaussmix import GaussianMixture, IllDefinedCovarianceError
from support import reference
from support.data import DATA
from support.families import COVARIANCE_TYPES

MODELS = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}


def published() -> list:
    """Every row of mclust_reference.csv as a parameter set."""
    with open(DATA / "mclust_reference.csv", newline="", encoding="utf-8") as file:
        return [
            pytest.param(
                row["data"],
                int(row["G"]),
                MODELS[row["model"]],
                float(row["loglik"]),
                int(row["df"]),
                float(row["bic"]),
                id=f"{row['data']}-{row['G']}-{MODELS[row['model']]}",
            )
            for row in csv.DictReader(file)
        ]


@pytest.fixture
def data(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    return {
        "faithful": request.getfixturevalue("old_faithful"),
        "iris": request.getfixturevalue("iris"),
    }


def converged(X: np.ndarray, n_components: int, covariance_type: str, init: str, seed: int):
    """A fit to convergence without regularisation, or None where a component collapsed."""
    model = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        reg_covar=0.0,
        tol=1e-9,
        max_iter=3000,
        init_params=init,
        random_state=seed,
        n_threads=1,
    )
    try:
        return model.fit(X)
    except IllDefinedCovarianceError:
        return None


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize(
    ("name", "K", "covariance_type", "log_likelihood", "df", "bic"), published()
)
def test_mclust_values_are_reached(
    data: dict, name: str, K: int, covariance_type: str, log_likelihood: float, df: int, bic: float
) -> None:
    X = data[name]
    best = -np.inf
    for seed in range(60):
        model = converged(X, K, covariance_type, "kmeans" if seed == 0 else "k-means++", seed)
        if model is None:
            continue
        assert model._n_parameters() == df
        total = model.score_samples(X).sum()
        assert model.bic(X) == pytest.approx(-2 * total + df * np.log(len(X)), rel=1e-12)
        best = max(best, total)
        if best >= log_likelihood - 1e-5 * abs(log_likelihood):
            break
    # mclust prints ten digits; its own stopping rule and ours leave less than a millionth.
    assert best >= log_likelihood - 1e-6 * abs(log_likelihood)
    if K == 1:
        assert best == pytest.approx(log_likelihood, abs=1e-6)
        assert -model.bic(X) == pytest.approx(bic, abs=2e-6)


@pytest.mark.parametrize("name", ["faithful", "iris"])
def test_one_component_in_closed_form(data: dict, name: str) -> None:
    """mean, maximum likelihood covariance, and -n/2 (d ln 2 pi + ln|S| + d)."""
    X = data[name]
    n, d = X.shape
    scatter = np.cov(X.T, bias=True)
    expected = {
        "full": scatter[None],
        "tied": scatter,
        "diag": np.diag(scatter)[None],
        "spherical": np.array([np.trace(scatter) / d]),
    }
    for covariance_type in COVARIANCE_TYPES:
        model = GaussianMixture(covariance_type=covariance_type, reg_covar=0.0).fit(X)
        np.testing.assert_allclose(model.means_[0], X.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(model.covariances_, expected[covariance_type], rtol=1e-11)
        np.testing.assert_array_equal(model.weights_, [1.0])
        mixture = reference.Mixture(
            covariance_type, np.ones(1), X.mean(axis=0)[None], expected[covariance_type]
        )
        log_determinant = np.linalg.slogdet(reference.dense_covariances(mixture)[0])[1]
        value = -n / 2 * (d * np.log(2 * np.pi) + log_determinant + d)
        assert model.score(X) * n == pytest.approx(value, rel=1e-12)


# Old Faithful, tied, three components, as mclust prints it at its default tolerance:
# log-likelihood -1126.326, ICL -2357.824. The log-likelihood is that of the E-step before the last
# M-step. Converged: -1126.315928.
EEE_3 = reference.Mixture(
    "tied",
    np.array([0.1656784, 0.3563696, 0.4779520]),
    np.array([[3.793066, 77.521051], [2.037596, 54.491158], [4.463245, 80.833439]]),
    np.array([[0.07825448, 0.48019785], [0.48019785, 33.7671464]]),
)


def test_published_fixed_point_is_stationary(old_faithful: np.ndarray) -> None:
    X = old_faithful
    model = GaussianMixture.from_parameters(
        EEE_3.weights, EEE_3.means, EEE_3.covariances, covariance_type="tied"
    ).set_params(reg_covar=0.0)
    before = model.score_samples(X).sum()
    assert -1126.3265 <= before <= -1126.315928
    assert -model.icl(X) == pytest.approx(-2357.824, abs=0.1)
    model.update(model.accumulate(X))
    assert model.score_samples(X).sum() >= before
    np.testing.assert_allclose(model.weights_, EEE_3.weights, rtol=5e-3)
    np.testing.assert_allclose(model.means_, EEE_3.means, rtol=5e-4)
    np.testing.assert_allclose(model.covariances_, EEE_3.covariances, rtol=1e-2)

    for _ in range(600):
        model.update(model.accumulate(X))
    assert model.score_samples(X).sum() == pytest.approx(-1126.315928, abs=1e-6)
    settled = [model.weights_, model.means_, model.covariances_]
    model.update(model.accumulate(X))
    for given, expected in zip(
        [model.weights_, model.means_, model.covariances_], settled, strict=True
    ):
        np.testing.assert_allclose(given, expected, rtol=1e-7)


def test_waiting_times_in_one_dimension(old_faithful: np.ndarray) -> None:
    """mclust's E model, which stops at its default tolerance, and mixtools' fit of the V model."""
    X = old_faithful[:, 1:]
    tied = converged(X, 2, "tied", "kmeans", 0)
    order = np.argsort(tied.means_[:, 0])
    assert tied.score_samples(X).sum() == pytest.approx(-1034.002, abs=6e-4)
    assert -tied.bic(X) == pytest.approx(-2090.427, abs=2e-3)
    assert -tied.icl(X) == pytest.approx(-2099.576, abs=2e-2)
    np.testing.assert_allclose(tied.weights_[order], [0.3609461, 0.6390539], rtol=5e-4)
    np.testing.assert_allclose(tied.means_[order, 0], [54.61675, 80.09239], rtol=1e-4)
    np.testing.assert_allclose(tied.covariances_.ravel(), 34.44093, rtol=5e-4)
    full = converged(X, 2, "full", "kmeans", 0)
    order = np.argsort(full.means_[:, 0])
    assert full.score_samples(X).sum() == pytest.approx(-1034.002, abs=6e-4)
    np.testing.assert_allclose(full.weights_[order], [0.360887, 0.639113], rtol=2e-4)
    np.testing.assert_allclose(full.means_[order, 0], [54.614889, 80.091090], rtol=2e-5)
    np.testing.assert_allclose(
        np.sqrt(full.covariances_[order, 0, 0]), [5.871242, 5.867717], rtol=2e-4
    )


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_galaxies_and_acidity(galaxies: np.ndarray, acidity: np.ndarray) -> None:
    """mclust's galaxies V,3 and acidity E,2: log-likelihood and BIC."""
    for X, K, covariance_type, log_likelihood, bic in (
        (galaxies, 3, "full", -203.1792, -441.6122),
        (acidity, 2, "tied", -185.9493, -392.0723),
    ):
        fits = [converged(X, K, covariance_type, "k-means++", seed) for seed in range(10)]
        fits = [model for model in fits if model is not None]
        best = max(fits, key=lambda model, X=X: model.score(X))
        assert best.score(X) * len(X) >= log_likelihood - 1e-3
        assert -best.bic(X) >= bic - 2e-3


# -------------------------------------------------------------------------------------------------
# What every iteration must leave true


def iterates(X: np.ndarray, K: int, covariance_type: str, n_iter: int, sample_weight=None) -> list:
    """Parameters after each EM iteration, with the log-likelihood its E-step saw."""
    start = GaussianMixture(
        K, covariance_type=covariance_type, reg_covar=0.0, max_iter=0, random_state=1
    ).fit(X, sample_weight=sample_weight)
    models = []
    for _ in range(n_iter):
        stats = start.accumulate(X, sample_weight=sample_weight)
        start.update(stats)
        models.append((start.weights_, start.means_, start.covariances_, stats.log_likelihood))
    return models


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_moments_after_every_m_step(
    iris: np.ndarray, covariance_type: str, weighted: bool
) -> None:
    """The mixture's mean is the sample's; within + between is the total covariance."""
    w = np.random.default_rng(0).integers(0, 4, len(iris)).astype(float) if weighted else None
    mean = np.average(iris, axis=0, weights=w)
    total = np.cov(iris.T, bias=True, aweights=w)
    for weights, means, covariances, _ in iterates(iris, 3, covariance_type, 15, w):
        assert weights.sum() == pytest.approx(1.0, abs=1e-15)
        np.testing.assert_allclose(weights @ means, mean, rtol=1e-12)
        mixture = reference.Mixture(covariance_type, weights, means, covariances)
        within = np.einsum("k,kpq->pq", weights, reference.dense_covariances(mixture))
        between = np.einsum("k,kp,kq->pq", weights, means - mean, means - mean)
        if covariance_type in ("full", "tied"):
            np.testing.assert_allclose(within + between, total, rtol=1e-11)
        elif covariance_type == "diag":
            np.testing.assert_allclose(np.diag(within + between), np.diag(total), rtol=1e-11)
        else:
            assert np.trace(within + between) == pytest.approx(np.trace(total), rel=1e-11)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_log_likelihood_never_falls(
    old_faithful: np.ndarray, iris: np.ndarray, covariance_type: str
) -> None:
    for X in (old_faithful, iris):
        trace = np.array(
            [log_likelihood for *_, log_likelihood in iterates(X, 3, covariance_type, 60)]
        )
        assert np.diff(trace).min() >= -1e-12 * np.abs(trace).max()
        assert trace[-1] > trace[0]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_iterates_equal_the_reference(iris: np.ndarray, covariance_type: str) -> None:
    start = GaussianMixture(
        3, covariance_type=covariance_type, reg_covar=0.0, max_iter=0, random_state=1
    ).fit(iris)
    mixture = reference.Mixture(covariance_type, start.weights_, start.means_, start.covariances_)
    for (weights, means, covariances, log_likelihood), n_iter in zip(
        iterates(iris, 3, covariance_type, 20), range(1, 21), strict=True
    ):
        if n_iter in (1, 2, 5, 20):
            expected, trace = reference.em(mixture, iris, n_iter)
            np.testing.assert_allclose(weights, expected.weights, rtol=1e-9)
            np.testing.assert_allclose(means, expected.means, rtol=1e-9)
            np.testing.assert_allclose(covariances, expected.covariances, rtol=1e-9, atol=1e-11)
            assert log_likelihood / len(iris) == pytest.approx(trace[-1], rel=1e-11)


@pytest.mark.parametrize("smaller", ["tied", "diag", "spherical"])
def test_full_started_from_a_smaller_family_ends_above_it(
    old_faithful: np.ndarray, smaller: str
) -> None:
    X = old_faithful
    small = converged(X, 2, smaller, "kmeans", 0)
    dense = reference.dense_covariances(
        reference.Mixture(smaller, small.weights_, small.means_, small.covariances_)
    )
    full = GaussianMixture(
        2,
        reg_covar=0.0,
        tol=1e-9,
        max_iter=3000,
        weights_init=small.weights_,
        means_init=small.means_,
        precisions_init=np.linalg.inv(dense),
    ).fit(X)
    assert full.score(X) >= small.score(X)


# -------------------------------------------------------------------------------------------------
# Equivariance: five iterations from corresponding starts


def run(
    mixture: reference.Mixture, X: np.ndarray, sample_weight=None
) -> tuple[reference.Mixture, float]:
    """Five EM iterations of the library from ``mixture``, and the log-likelihood at the end."""
    model = GaussianMixture.from_parameters(
        mixture.weights,
        mixture.means,
        mixture.covariances,
        covariance_type=mixture.covariance_type,
    ).set_params(reg_covar=0.0)
    for _ in range(5):
        model.update(model.accumulate(X, sample_weight=sample_weight))
    result = reference.Mixture(
        mixture.covariance_type, model.weights_, model.means_, model.covariances_
    )
    w = np.ones(len(X)) if sample_weight is None else sample_weight
    return result, float(w @ model.score_samples(X))


def assert_mixtures_close(given: reference.Mixture, expected: reference.Mixture) -> None:
    np.testing.assert_allclose(given.weights, expected.weights, rtol=1e-9)
    np.testing.assert_allclose(given.means, expected.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(given.covariances, expected.covariances, rtol=1e-9, atol=1e-9)


@pytest.fixture(params=COVARIANCE_TYPES)
def example(request: pytest.FixtureRequest) -> tuple[reference.Mixture, np.ndarray]:
    rng = np.random.default_rng(4)
    mixture = reference.random_mixture(rng, request.param, 3, 4)
    return mixture, reference.draw(rng, mixture, 500)


def test_order_of_rows_and_labels_of_components(example) -> None:
    mixture, X = example
    expected, log_likelihood = run(mixture, X)
    shuffled, value = run(mixture, X[np.random.default_rng(0).permutation(len(X))])
    assert_mixtures_close(shuffled, expected)
    assert value == pytest.approx(log_likelihood, rel=1e-11)
    order = np.array([2, 0, 1])
    kind = mixture.covariance_type

    def relabel(old: reference.Mixture) -> reference.Mixture:
        covariances = old.covariances if kind == "tied" else old.covariances[order]
        return reference.Mixture(kind, old.weights[order], old.means[order], covariances)

    given, value = run(relabel(mixture), X)
    assert_mixtures_close(given, relabel(expected))
    assert value == pytest.approx(log_likelihood, rel=1e-11)


def test_order_of_columns(example) -> None:
    mixture, X = example
    order = np.array([3, 1, 0, 2])

    def permute(old: reference.Mixture) -> reference.Mixture:
        covariances = {
            "full": lambda: old.covariances[:, order][:, :, order],
            "tied": lambda: old.covariances[order][:, order],
            "diag": lambda: old.covariances[:, order],
            "spherical": lambda: old.covariances,
        }[old.covariance_type]()
        return reference.Mixture(
            old.covariance_type, old.weights, old.means[:, order], covariances
        )

    expected, log_likelihood = run(mixture, X)
    given, value = run(permute(mixture), X[:, order])
    assert_mixtures_close(given, permute(expected))
    assert value == pytest.approx(log_likelihood, rel=1e-11)


def test_units_and_origin(example) -> None:
    """x -> a x + b shifts the log-likelihood by -n sum ln a."""
    mixture, X = example
    a = (
        np.full(4, 3.0)
        if mixture.covariance_type == "spherical"
        else np.array([3.0, 0.01, 7.0, 1.0])
    )
    b = np.array([10.0, -3.0, 0.5, 100.0])

    def transform(old: reference.Mixture) -> reference.Mixture:
        square = {"full": np.outer(a, a), "tied": np.outer(a, a), "diag": a**2, "spherical": 9.0}[
            old.covariance_type
        ]
        return reference.Mixture(
            old.covariance_type, old.weights, a * old.means + b, square * old.covariances
        )

    expected, log_likelihood = run(mixture, X)
    given, value = run(transform(mixture), a * X + b)
    assert_mixtures_close(given, transform(expected))
    assert value == pytest.approx(log_likelihood - len(X) * np.log(a).sum(), rel=1e-10)


def test_rotation(example) -> None:
    mixture, X = example
    if mixture.covariance_type == "diag":
        # The family is not closed under rotation, except by right angles with a change of sign.
        rotation = np.eye(4)[[1, 0, 3, 2]] * np.array([1.0, -1.0, 1.0, -1.0])
    else:
        rotation = np.linalg.qr(np.random.default_rng(8).standard_normal((4, 4)))[0]

    def transform(old: reference.Mixture) -> reference.Mixture:
        dense = rotation @ reference.dense_covariances(old) @ rotation.T
        covariances = {
            "full": lambda: dense,
            "tied": lambda: dense[0],
            "diag": lambda: np.diagonal(dense, axis1=1, axis2=2).copy(),
            "spherical": lambda: old.covariances,
        }[old.covariance_type]()
        return reference.Mixture(
            old.covariance_type, old.weights, old.means @ rotation.T, covariances
        )

    expected, log_likelihood = run(mixture, X)
    given, value = run(transform(mixture), X @ rotation.T)
    assert_mixtures_close(given, transform(expected))
    assert value == pytest.approx(log_likelihood, rel=1e-10)


def test_repetition_and_weights(example) -> None:
    """Every row twice, or weight 2, doubles the log-likelihood; weight 0 drops a row."""
    mixture, X = example
    expected, log_likelihood = run(mixture, X)
    twice, value = run(mixture, np.vstack([X, X]))
    assert_mixtures_close(twice, expected)
    assert value == pytest.approx(2 * log_likelihood, rel=1e-11)
    weighted, value = run(mixture, X, np.full(len(X), 2.0))
    assert_mixtures_close(weighted, expected)
    assert value == pytest.approx(2 * log_likelihood, rel=1e-11)
    keep = np.arange(len(X)) % 3 > 0
    dropped, value = run(mixture, X, keep.astype(float))
    kept, target = run(mixture, X[keep])
    assert_mixtures_close(dropped, kept)
    assert value == pytest.approx(target, rel=1e-11)
