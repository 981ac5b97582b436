"""One E-step and one M-step against arithmetic of a hundred and fifty decimal digits.

The inputs are read as the exact rationals the floats are (a variance of 1e-40 beside one of 1e40
costs eighty digits). Tolerances are a count of units in the last place times the condition number
of the correlation matrix (a Cholesky factorisation does not see the units of the columns) times
the size of the terms; the counts are stated at `ULPS` and are the only free numbers here.
"""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from gaussmix import GaussianMixture
from gaussmix._estep import accumulation, scoring
from gaussmix._parameters.mixture import MixtureParameters
from gaussmix._rows import array_rows
from support import reference
from support.exact import exact_log_densities, exact_scores
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.reference import Mixture

EPS = np.finfo(np.float64).eps
ULPS = 16


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(150):
        yield


def exact_m_step(
    mixture: Mixture, X: np.ndarray, scores: list[list[mpf]]
) -> tuple[list, list, np.ndarray]:
    """Weights, means and covariances (shape of the family, object array) of one exact EM step."""
    n, d = X.shape
    K = mixture.n_components
    totals = exact_log_densities(scores)
    shares = [[mp.exp(scores[i][k] - totals[i]) for k in range(K)] for i in range(n)]
    rows = [[mpf(value) for value in row] for row in X.tolist()]
    weight = [mp.fsum(shares[i][k] for i in range(n)) for k in range(K)]
    means = [
        [mp.fsum(shares[i][k] * rows[i][p] for i in range(n)) / weight[k] for p in range(d)]
        for k in range(K)
    ]
    scatter = np.empty((K, d, d), dtype=object)
    for k in range(K):
        for p in range(d):
            for q in range(d):
                scatter[k, p, q] = mp.fsum(
                    shares[i][k] * (rows[i][p] - means[k][p]) * (rows[i][q] - means[k][q])
                    for i in range(n)
                )
    if mixture.covariance_type == "tied":
        covariances = scatter.sum(axis=0) / mp.fsum(weight)
    else:
        covariances = np.array([scatter[k] / weight[k] for k in range(K)])
    if mixture.covariance_type == "diag":
        covariances = np.array([[matrix[p, p] for p in range(d)] for matrix in covariances])
    elif mixture.covariance_type == "spherical":
        covariances = np.array([sum(matrix[p, p] for p in range(d)) / d for matrix in covariances])
    return [w / n for w in weight], means, covariances


def condition(mixture: Mixture) -> float:
    """The largest condition number of the components' correlation matrices."""
    worst = 1.0
    for covariance in reference.dense_covariances(mixture):
        deviation = np.sqrt(np.diag(covariance))
        worst = max(worst, float(np.linalg.cond(covariance / np.outer(deviation, deviation))))
    return worst


def problem(kind: str, covariance_type: str) -> tuple[Mixture, np.ndarray, float]:
    """A mixture of three, twenty rows, and the relative size of the rows' offset."""
    rng = np.random.default_rng([3, COVARIANCE_TYPES.index(covariance_type)])
    mixture = reference.random_mixture(rng, covariance_type, 3, 3)
    X = reference.draw(rng, mixture, 20)
    if kind == "offset 1e8":
        mixture.means = mixture.means + 1e8
        X = X + 1e8
    elif kind in ("scale 1e-20", "scale 1e20"):
        unit = float(kind.split()[1])
        mixture.means, X = mixture.means * unit, X * unit
        mixture.covariances = mixture.covariances * unit**2
    elif kind == "columns 1e-20 and 1e20":
        units = np.array([1e-20, 1.0, 1e20])
        mixture.means, X = mixture.means * units, X * units
        square = units**2 if covariance_type == "diag" else np.outer(units, units)
        mixture.covariances = mixture.covariances * square
    elif kind == "cond 1e12":
        # One direction of width 1e-6 across the columns; the rows lie where the mixture puts them.
        direction = np.array([3.0, 2.0, -1.0]) / np.sqrt(14.0)
        squeeze = np.eye(3) - (1 - 1e-6) * np.outer(direction, direction)
        X = X @ squeeze
        mixture.means = mixture.means @ squeeze
        mixture.covariances = squeeze @ mixture.covariances @ squeeze
        mixture.covariances = (mixture.covariances + np.swapaxes(mixture.covariances, -1, -2)) / 2
    return mixture, np.ascontiguousarray(X)


PROBLEMS = [
    (kind, covariance_type)
    for covariance_type in COVARIANCE_TYPES
    for kind in (
        "plain",
        "offset 1e8",
        "scale 1e-20",
        "scale 1e20",
        "columns 1e-20 and 1e20",
        "cond 1e12",
    )
    if not (kind.startswith("columns") and covariance_type == "spherical")
    and not (kind.startswith("cond") and covariance_type in ("diag", "spherical"))
]


def parameters(mixture: Mixture) -> MixtureParameters:
    """The library's parameters, with the factors the library itself computes."""
    return MixtureParameters.from_covariances(
        mixture.covariance_type,
        mixture.weights,
        mixture.means,
        np.ascontiguousarray(mixture.covariances),
    )


def score_error(mixture: Mixture, X: np.ndarray, scores: list[list[mpf]]) -> np.ndarray:
    """Bound on the error of each row's log-density, (n,): ULPS * eps * condition * size of its
    terms.

    The terms are the squared distances to the row's plausible components, about the centre of the
    mixture, and d + log of the scale; x - centre is exact to the last place of x, so an offset
    adds |x| / sd of the row in units of eps.
    """
    quadratic = np.array([[float(abs(score)) for score in row] for row in scores])
    plausible = np.array([[float(s - max(row)) > -40.0 for s in row] for row in scores])
    size = np.where(plausible, quadratic, 0.0).max(axis=1) + mixture.n_features
    centre = mixture.weights @ mixture.means
    at_centre = Mixture(
        mixture.covariance_type, mixture.weights, np.tile(centre, (3, 1)), mixture.covariances
    )
    size = size + reference.squared_distances(at_centre, X).max(axis=1)
    size = size + reference.squared_distances(at_centre, mixture.means).max()
    return ULPS * EPS * condition(mixture) * size


@pytest.mark.parametrize(("kind", "covariance_type"), PROBLEMS)
def test_e_step(instruction_set: str, kind: str, covariance_type: str) -> None:
    mixture, X = problem(kind, covariance_type)
    scores = exact_scores(mixture, X)
    exact_values = exact_log_densities(scores)
    error = score_error(mixture, X, scores)
    log_density, shares = np.empty(20), np.empty((20, 3))
    given = parameters(mixture)
    rows = array_rows.Rows(X)
    scoring.evaluate(given, rows, log_density=log_density, responsibilities=shares)
    for i in range(20):
        assert abs(float(mpf(log_density[i]) - exact_values[i])) <= error[i]
        for k in range(3):
            share = mp.exp(scores[i][k] - exact_values[i])
            assert abs(float(mpf(shares[i, k]) - share)) <= 2 * error[i] * float(share) + 1e-25
    total = accumulation.accumulate(given, rows).log_likelihood
    assert abs(float(mpf(total) - mp.fsum(exact_values))) <= error.sum()


@pytest.mark.parametrize(("kind", "covariance_type"), PROBLEMS)
def test_m_step(instruction_set: str, kind: str, covariance_type: str) -> None:
    """One EM iteration through the estimator, reg_covar=0, held against the exact one."""
    mixture, X = problem(kind, covariance_type)
    scores = exact_scores(mixture, X)
    weights, means, covariances = exact_m_step(mixture, X, scores)
    relative = score_error(mixture, X, scores).max() + 20 * EPS
    model = GaussianMixture.from_parameters(
        mixture.weights, mixture.means, mixture.covariances, covariance_type=covariance_type
    ).set_params(reg_covar=0.0)
    model.update(model.accumulate(X))

    # Each is measured in the natural unit: shares, standard deviations, products of standard
    # deviations.
    deviation = np.sqrt([np.diag(matrix) for matrix in reference.dense_covariances(mixture)])
    spread = deviation.max() if covariance_type == "spherical" else deviation
    offset = np.abs(X).max(axis=0)
    for k in range(3):
        assert abs(float(mpf(model.weights_[k]) - weights[k])) <= 4 * relative
        for p in range(3):
            bound = 16 * relative * (spread + np.abs(mixture.means - X.mean(axis=0)).max(axis=0))
            bound = np.broadcast_to(bound, (3, 3))[k, p] + EPS * offset[p]
            assert abs(float(mpf(model.means_[k, p]) - means[k][p])) <= bound
    reach = np.abs(X - X.mean(axis=0)).max(axis=0)
    unit = {
        "full": np.outer(reach, reach),
        "tied": np.outer(reach, reach),
        "diag": reach**2,
        "spherical": reach.max() ** 2,
    }[LAYOUT_OF[covariance_type]]
    given = np.array(
        [float(mpf(a) - b) for a, b in zip(model.covariances_.flat, covariances.flat, strict=True)]
    )
    assert (np.abs(given.reshape(covariances.shape)) <= 16 * relative * unit).all()


def test_published_ill_conditioned_log_density(instruction_set: str) -> None:
    """Condition number 1e9 (scikit-learn issue 29989); the value by exact rational arithmetic."""
    covariance = np.array(
        [
            [32.00000007, 35.99999993, 8.00000001],
            [35.99999993, 40.50000006, 8.99999998],
            [8.00000001, 8.99999998, 2.00000008],
        ]
    )
    model = GaussianMixture.from_parameters([1.0], np.zeros((1, 3)), covariance[None])
    value = model.score_samples(np.zeros((1, 3)))[0]
    assert value == pytest.approx(11.185270887249153, abs=2 * EPS * 1.017e9)


def test_exponential_and_logarithm(instruction_set: str) -> None:
    """The kernels' own exp2 and log2, seen through a one-dimensional mixture of two.

    With unit variances and means 0 and m the log-odds are linear in x, so responsibilities are a
    logistic curve and the log-density an exact log-sum-exp; both are compared over the whole range
    in which the smaller share counts.
    """
    m = 2.0
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [m]], np.ones((2, 1, 1)))
    x = np.concatenate([np.linspace(-11.0, 13.0, 1201), 1.0 + np.ldexp(1.0, -np.arange(1, 50))])
    shares = model.predict_proba(x[:, None])
    log_density = model.score_samples(x[:, None])
    for value, share, density in zip(
        x.tolist(), shares.tolist(), log_density.tolist(), strict=True
    ):
        odds = mpf(m) * mpf(value) - mpf(m) ** 2 / 2
        smaller = 1 / (1 + mp.exp(abs(odds)))
        # An error of e in the exponent is a relative error of e; the exponents are of size x^2 /
        # 2.
        size = 1.0 + value**2 + m**2
        index = 0 if odds > 0 else 1
        assert abs(float(mpf(share[index]) / smaller - 1)) <= 4 * EPS * size
        exact_value = (
            mp.log((mp.exp(-(mpf(value) ** 2) / 2) + mp.exp(-((mpf(value) - m) ** 2) / 2)) / 2)
            - mp.log(2 * mp.pi) / 2
        )
        assert abs(float(mpf(density) - exact_value)) <= 4 * EPS * size


def test_cancellation_in_the_variance(instruction_set: str) -> None:
    """1001 values about 1e7 with deviation 0.1 (NIST's NumAcc), and large float32 values."""
    values = 10_000_000.2 + 0.1 * np.concatenate([[0.0], np.tile([-1.0, 1.0], 500)])
    model = GaussianMixture(reg_covar=0.0).fit(values[:, None])
    exact_mean = mp.fsum(mpf(v) for v in values.tolist()) / 1001
    exact_variance = mp.fsum((mpf(v) - exact_mean) ** 2 for v in values.tolist()) / 1001
    assert abs(float(mpf(model.means_[0, 0]) - exact_mean)) <= 4 * EPS * 1e7
    assert model.covariances_[0, 0, 0] == pytest.approx(float(exact_variance), rel=1e-11)
    for covariance_type in COVARIANCE_TYPES:
        single = np.array([[9999.0], [0.0], [9999.0], [0.0]], dtype=np.float32)
        model = GaussianMixture(covariance_type=covariance_type, reg_covar=0.1).fit(single)
        assert model.covariances_.ravel()[0] == pytest.approx(4999.5**2 + 0.1, rel=1e-6)
        model = GaussianMixture(
            2, covariance_type=covariance_type, reg_covar=0.1, random_state=0
        ).fit(single)
        np.testing.assert_allclose(model.covariances_.ravel(), 0.1, rtol=1e-3)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_moments_that_overflow_about_the_centre_only(covariance_type: str, missing: bool) -> None:
    rng = np.random.default_rng(0)
    far, deviation = 1e153, 1e151
    X = rng.normal(size=(2000, 3)) * deviation
    X[:500] += far
    if missing:
        X[::2, 0] = np.nan
    covariances = reference.unit_covariances(covariance_type, 2, 3) * deviation**2
    means = np.array([[0.0] * 3, [far] * 3])
    mixture = Mixture(covariance_type, np.array([0.75, 0.25]), means, covariances)
    with np.errstate(all="ignore"):
        found = accumulation.accumulate(parameters(mixture), array_rows.Rows(X, allow_nan=True))
    assert np.isfinite(found.second).all()
    assert np.isfinite(found.log_likelihood)


def point_mixture(weights: np.ndarray, n_features: int, covariance_type: str) -> MixtureParameters:
    """Components that are all at zero, where the density of each is one, to rounding."""
    K = len(weights)
    covariances = reference.unit_covariances(covariance_type, K, n_features)
    return MixtureParameters.from_covariances(
        covariance_type, weights, np.zeros((K, n_features)), covariances / (2 * np.pi)
    )


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(
    ("n_features", "dtype", "relative"), [(1, np.float64, 2e-15), (24, np.float32, 3e-7)]
)
def test_logarithm_of_equal_scores(
    instruction_set: str, covariance_type: str, n_features: int, dtype: type, relative: float
) -> None:
    """At zero, K components of weight one have the density K, and each an equal share."""
    rows = array_rows.Rows(np.zeros((1, n_features), dtype))
    for K in (*range(1, 34), 63, 64, 65, 127, 128, 129, 255, 256):
        given = point_mixture(np.ones(K), n_features, covariance_type)
        # What rounding of 2 pi leaves of the density of one component.
        rest = float(given.log_determinants[0] - n_features * 0.5 * np.log(2 * np.pi))
        log_density, shares = np.empty(1, dtype), np.empty((1, K), dtype)
        scoring.evaluate(given, rows, log_density=log_density, responsibilities=shares)
        exact = float(mp.log(K)) + rest
        assert abs(float(log_density[0]) - exact) <= relative * exact + n_features * 2 * EPS
        np.testing.assert_allclose(shares, 1 / K, rtol=relative)


@pytest.mark.parametrize(
    ("n_features", "dtype", "relative"), [(1, np.float64, 2e-15), (24, np.float32, 3e-7)]
)
def test_logarithm_and_power_of_unequal_scores(
    instruction_set: str, n_features: int, dtype: type, relative: float
) -> None:
    """Two components at zero whose weights are far from powers of two."""
    rng = np.random.default_rng(n_features)
    rows = array_rows.Rows(np.zeros((1, n_features), dtype))
    for _ in range(400):
        weights = np.exp2(rng.uniform(-30.0, 30.0, 2))
        log_density, shares = np.empty(1, dtype), np.empty((1, 2), dtype)
        given = point_mixture(weights, n_features, "diag")
        scoring.evaluate(given, rows, log_density=log_density, responsibilities=shares)
        total = mp.fsum(mpf(weight) for weight in weights.tolist())
        # Logarithms of the weights, and of the density at zero, have a rounding each.
        size = 1.0 + max(abs(np.log(weights)))
        assert abs(float(mpf(float(log_density[0])) - mp.log(total))) <= relative * size
        for share, weight in zip(shares[0].tolist(), weights.tolist(), strict=True):
            exact = mpf(weight) / total
            assert abs(float((mpf(share) - exact) / exact)) <= relative * size
