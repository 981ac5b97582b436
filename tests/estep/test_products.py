"""Full covariances through products of features: right where they are used, and not used where
digits would be lost.

Scores and moments expanded about the rows' centre lose digits where a component is narrow in some
direction for its distance from there. Statistics about the centre are the sign that the expansion
was used, statistics about the means that it was not.
"""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix._estep import accumulation, score_plan
from gaussmix._mstep.maximize import maximize
from gaussmix._rows import array_rows
from support import reference
from support.assertions import relative_error
from support.kernels import assert_statistics, problem, same_statistics
from support.models import parameters_of as parameters
from support.reference import Mixture

# (rows, features, components): enough rows for products, never a multiple of a strip or tile;
# every remainder of features and components that register tiles treat apart.
SIZES = (
    (2048, 1, 4),
    (2049, 1, 9),
    (2051, 2, 5),
    (4099, 3, 2),
    (2063, 4, 9),
    (2081, 5, 1),
    (2357, 7, 3),
    (3001, 8, 4),
    (2111, 9, 5),
    (2203, 12, 2),
    (2063, 16, 9),
    (2099, 17, 1),
    (2113, 18, 3),
)


def expanded(statistics, rows: array_rows.Rows) -> bool:
    """Whether the moments were formed from products about the centre."""
    return bool((statistics.shift == rows.centre).all())


@pytest.fixture(params=["dots", "features"])
def mstep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sums kept lane by lane, and sums as outer products of rows."""
    if request.param == "features":
        monkeypatch.setattr(accumulation, "LANES_BYTES", 0)
    return request.param


def error_of(case) -> float:
    """Rounding of scores and sums expanded about the centre, with the digits the guard allows
    these mixtures to lose.
    """
    given = parameters(case.mixture)
    means = given.means - np.median(case.X, axis=0)
    lost = score_plan.digits_lost(given.variances + means**2, given.precisions_cholesky)
    assert lost < 1e4  # else the bound below says little
    return case.score_error + 8 * case.precision * lost


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
def test_sums_of_products(instruction_set: str, mstep: str, dtype: type) -> None:
    for index, (n, d, K) in enumerate(SIZES):
        case = problem("full", n, d, K, dtype)
        weighted = (index + (dtype is np.float32)) % 2 == 1
        w = case.sample_weight if weighted else np.ones(n)
        # Only in double precision do float32 rows keep to the bound.
        case.precision = float(np.finfo(np.float64).eps)
        one = None
        for n_threads in (1, 2, 3):
            rows = array_rows.Rows(case.X, w if weighted else None, n_threads=n_threads)
            statistics = accumulation.accumulate(parameters(case.mixture), rows)
            if one is None:
                assert expanded(statistics, rows), (n, d, K)
                assert_statistics(
                    statistics,
                    case.X,
                    case.responsibilities * w[:, None],
                    error=error_of(case),
                    log_likelihood=float(w @ case.log_density),
                )
                one = statistics
            same_statistics(one, statistics)


def test_products_are_for_few_features_and_many_rows(instruction_set: str) -> None:
    n, d = score_plan.PRODUCTS_ROWS, score_plan.PRODUCTS_FEATURES
    for n_rows, n_features, expected in ((n, d, True), (n - 1, d, False), (n, d + 1, False)):
        case = problem("full", n_rows, n_features, 2, np.float64)
        rows = array_rows.Rows(case.X)
        assert expanded(accumulation.accumulate(parameters(case.mixture), rows), rows) == expected


# -------------------------------------------------------------------------------------------------
# Where digits would be lost


def narrow_far_apart(rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """Components of width 1e-4 at distances of ten."""
    mixture = reference.random_mixture(rng, "full", 3, 4)
    mixture.means = 10.0 * np.eye(3, 4)
    mixture.covariances = 1e-8 * mixture.covariances
    return mixture, reference.draw(rng, mixture, 2501)


def strongly_correlated(rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """The last column is the sum of the others to five digits, in every component."""
    mixture = reference.random_mixture(rng, "full", 2, 3)
    combine = np.eye(4, 4)[:3]
    combine[:, 3] = 1.0
    covariances = np.array([combine.T @ matrix @ combine for matrix in mixture.covariances])
    covariances[:, 3, 3] += 1e-10
    wide = Mixture("full", mixture.weights, mixture.means @ combine, covariances)
    return wide, reference.draw(rng, wide, 2501)


def one_narrow_component(rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """A component of width 1e-6 off the centre, inside a wide one that has most rows."""
    mixture = reference.random_mixture(rng, "full", 2, 3)
    mixture.weights = np.array([0.8, 0.2])
    mixture.means[1] = mixture.means[0] + 1.0
    mixture.covariances[1] *= 1e-12
    return mixture, reference.draw(rng, mixture, 2501)


LOSING = (narrow_far_apart, strongly_correlated, one_narrow_component)


def offset(rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """All rows far from zero; the centre takes that away."""
    mixture = reference.random_mixture(rng, "full", 3, 4)
    mixture.means += 2.0**30
    return mixture, reference.draw(rng, mixture, 2501)


def column_of_tiny_variance(rng: np.random.Generator) -> tuple[Mixture, np.ndarray]:
    """A column in units of 1e-12; the products do not mind units."""
    mixture = reference.random_mixture(rng, "full", 3, 4)
    units = np.array([1.0, 1e-12, 1.0, 1e6])
    mixture.means *= units
    mixture.covariances *= np.outer(units, units)
    return mixture, reference.draw(rng, mixture, 2501)


KEEPING = (offset, column_of_tiny_variance)


def in_extended_precision(mixture: Mixture, X: np.ndarray) -> tuple[np.ndarray, list]:
    """Log-density of each row, and the covariances after one step, as long doubles."""
    X = X.astype(np.longdouble)
    means = mixture.means.astype(np.longdouble)
    d = mixture.n_features
    scores = []
    for k, matrix in enumerate(mixture.covariances.astype(np.longdouble)):
        # Crout's factorisation, and the solve along with it.
        lower = np.zeros((d, d), dtype=np.longdouble)
        solved = np.empty((d, len(X)), dtype=np.longdouble)
        for j in range(d):
            lower[j, j] = np.sqrt(matrix[j, j] - lower[j, :j] @ lower[j, :j])
            lower[j + 1 :, j] = (matrix[j + 1 :, j] - lower[j + 1 :, :j] @ lower[j, :j]) / lower[
                j, j
            ]
            solved[j] = (X[:, j] - means[k, j] - lower[j, :j] @ solved[:j]) / lower[j, j]
        constant = np.log(np.longdouble(mixture.weights[k])) - np.log(lower.diagonal()).sum()
        scores.append(constant - (solved**2).sum(axis=0) / 2)
    scores = np.array(scores).T - d * np.log(2 * np.longdouble(np.pi)) / 2
    log_density, shares = reference.normalise(scores)
    covariances = []
    for share in shares.T:
        centred = X - (share @ X) / share.sum()
        covariances.append((share[:, None] * centred).T @ centred / share.sum())
    return log_density, covariances


@pytest.mark.parametrize("build", LOSING + KEEPING, ids=lambda build: build.__name__)
def test_no_digits_are_lost(instruction_set: str, mstep: str, build) -> None:
    """Neither in the step's covariances nor in the log-likelihood, next to differences from the
    means, which lose as many as the condition of the covariances costs.
    """
    rng = np.random.default_rng([5, (LOSING + KEEPING).index(build)])
    mixture, X = build(rng)
    rows = array_rows.Rows(X)
    statistics = accumulation.accumulate(parameters(mixture), rows)
    assert expanded(statistics, rows) == (build in KEEPING)
    log_density, exact = in_extended_precision(mixture, X)
    deviation = np.sqrt(np.array([matrix.diagonal() for matrix in mixture.covariances]))
    condition = np.linalg.cond(
        mixture.covariances / (deviation[:, :, None] * deviation[:, None, :])
    ).max()
    error = 1e-10 + 1e-15 * condition
    assert abs(statistics.log_likelihood - float(log_density.sum())) <= error * len(X)
    got = maximize(statistics, 0.0).covariances
    for covariance, target in zip(got, exact, strict=True):
        assert relative_error(covariance, target) <= error


def test_a_component_that_shrinks_in_the_step(instruction_set: str, mstep: str) -> None:
    """The parameters allow products, the covariances that come of them do not: moments are formed
    again, about the means.
    """
    rng = np.random.default_rng(7)
    mixture = reference.random_mixture(rng, "full", 2, 3)
    mixture.weights = np.array([0.7, 0.3])
    mixture.means = np.array([[-40.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
    X = reference.draw(rng, mixture, 3001)
    narrow = X[:, 0] > 0
    X[narrow] = mixture.means[1] + 1e-5 * rng.standard_normal((narrow.sum(), 3))
    rows = array_rows.Rows(X)
    given = parameters(mixture)
    assert score_plan.scores_for_sums(given, rows, False).features == "with_products"
    statistics = accumulation.accumulate(given, rows)
    assert not expanded(statistics, rows)
    log_density, exact = in_extended_precision(mixture, X)
    for covariance, target in zip(maximize(statistics, 0.0).covariances, exact, strict=True):
        assert relative_error(covariance, target) <= 1e-9
    assert statistics.log_likelihood == pytest.approx(float(log_density.sum()), rel=1e-10)


def test_a_fit_is_the_same_with_and_without_products(
    instruction_set: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty steps from one start, each of which passes its rounding on to the next."""
    case = problem("full", 3001, 8, 4, np.float64)
    start = reference.random_mixture(np.random.default_rng(3), "full", 4, 8)

    def fit() -> GaussianMixture:
        model = GaussianMixture(
            4, means_init=start.means, weights_init=start.weights, max_iter=30, tol=0.0,
            precisions_init=np.linalg.inv(start.covariances),
        )  # fmt: skip
        with pytest.warns(UserWarning, match="did not converge"):
            return model.fit(case.X)

    products = fit()
    monkeypatch.setattr(score_plan, "PRODUCTS_FEATURES", 0)
    plain = fit()
    np.testing.assert_allclose(products.lower_bounds_, plain.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(products.means_, plain.means_, atol=1e-8)
    np.testing.assert_allclose(products.covariances_, plain.covariances_, atol=1e-8)


@pytest.mark.parametrize("size", [1e5, 1e200])
def test_an_outlier_among_products(instruction_set: str, mstep: str, size: float) -> None:
    """One row whose products swamp those of the others, or overflow."""
    case = problem("full", 2203, 5, 2, np.float64)
    X = case.X.copy()
    X[1001] = size * np.linspace(-1.0, 1.0, 5)
    rows = array_rows.Rows(X)
    with np.errstate(all="ignore"):
        statistics = accumulation.accumulate(parameters(case.mixture), rows)
    others = np.delete(case.responsibilities, 1001, axis=0).sum(axis=0)
    nearest = reference.squared_distances(case.mixture, 1e5 / size * X[1001:1002]).argmin()
    np.testing.assert_allclose(statistics.weight, others + (np.arange(2) == nearest), rtol=1e-11)
    if size == 1e5:
        shares = reference.responsibilities(case.mixture, X)
        assert_statistics(statistics, X, shares, error=1e-9)
        assert statistics.log_likelihood == pytest.approx(
            reference.log_densities(case.mixture, X).sum(), rel=1e-12
        )
