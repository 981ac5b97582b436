"""float32 rows of many features, which are computed in single precision where that will do.

Held against double precision of the same rows; where single precision will not do the result must
be the one of double precision.
"""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix._estep import accumulation
from gaussmix._estep.score_plan import SINGLE_FEATURES
from gaussmix._mstep.maximize import maximize
from gaussmix._rows import array_rows
from gaussmix._runtime import instruction_sets
from support import reference
from support.families import COVARIANCE_TYPES
from support.kernels import evaluate, same_statistics
from support.models import parameters_of as parameters
from support.reference import Mixture, deviations

# (rows, features, components), odd with respect to strips, tiles and panels of every vector.
SIZES = (
    (1, 20, 1),
    (7, 19, 3),
    (47, 33, 2),
    (97, 49, 4),
    (193, 24, 9),
    (1001, 31, 5),
    (1537, 65, 3),
    (4099, 19, 5),
)


@pytest.fixture
def precisions(instruction_set: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether single precision was asked for, each time that kernels were."""
    asked: list[bool] = []
    kernels = instruction_sets.kernels

    def recorded(single: bool = False):
        asked.append(single)
        return kernels(single)

    monkeypatch.setattr(instruction_sets, "kernels", recorded)
    return asked


def rows_of(mixture: Mixture, n: int, rng: np.random.Generator) -> np.ndarray:
    return reference.draw(rng, mixture, n).astype(np.float32)


def assert_close_step(single, double, mixture: Mixture) -> None:
    """Statistics in single and in double precision lead to the same next parameters."""
    assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-6)
    assert single.total_weight == double.total_weight
    np.testing.assert_allclose(
        single.weight, double.weight, rtol=1e-6, atol=1e-7 * double.total_weight
    )
    one, two = maximize(single, 0.01), maximize(double, 0.01)
    filled = double.weight > 1e-3 * double.total_weight
    deviation = deviations(mixture)
    assert (np.abs(one.means - two.means) / deviation)[filled].max() <= 1e-5
    given, target = (
        reference.dense_covariances(
            Mixture(mixture.covariance_type, p.weights, p.means, p.covariances)
        )
        for p in (one, two)
    )
    unit = deviation[:, :, None] * deviation[:, None, :] + 0.01
    assert (np.abs(given - target) / unit)[filled].max() <= 1e-5


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_sums(precisions: list[bool], covariance_type: str) -> None:
    for index, (n, d, K) in enumerate(SIZES):
        rng = np.random.default_rng([1, n, d, K])
        mixture = reference.random_mixture(rng, covariance_type, K, d)
        X = rows_of(mixture, n, rng)
        w = rng.uniform(0.1, 2.0, n) * (rng.random(n) > 0.2) + (n == 1) if index % 2 else None
        given = parameters(mixture)
        double = accumulation.accumulate(given, array_rows.Rows(X.astype(np.float64), w), 0.01)
        assert not any(precisions)
        single = accumulation.accumulate(given, array_rows.Rows(X, w, n_threads=1), 0.01)
        assert any(precisions)
        assert_close_step(single, double, mixture)
        for n_threads in (2, 3):
            again = accumulation.accumulate(
                given, array_rows.Rows(X, w, n_threads=n_threads), 0.01
            )
            same_statistics(single, again)
        precisions.clear()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scores(precisions: list[bool], covariance_type: str) -> None:
    for n, d, K in SIZES:
        rng = np.random.default_rng([2, n, d, K])
        mixture = reference.random_mixture(rng, covariance_type, K, d)
        X = rows_of(mixture, n, rng)
        given = parameters(mixture)
        log_density, shares, labels = evaluate(given, array_rows.Rows(X.astype(np.float64)))
        assert not any(precisions)
        outputs = evaluate(given, array_rows.Rows(X, n_threads=1))
        assert any(precisions)
        assert outputs[0].dtype == outputs[1].dtype == np.float32
        # A score is a sum of squares of which each lost some roundings of the row's own size.
        error = 1e-6 * (np.abs(log_density) + d)
        assert (np.abs(outputs[0] - log_density) <= error).all()
        assert (np.abs(outputs[1] - shares) <= 2 * error[:, None] * shares + 1e-6).all()
        np.testing.assert_allclose(outputs[1].sum(axis=1), 1.0, rtol=1e-6 * K)
        ties = np.abs(np.sort(shares, axis=1)[:, -2:].sum(axis=1) - 1.0) > 1e-3
        close = np.take_along_axis(shares, outputs[2][:, None], axis=1)[:, 0]
        assert ((outputs[2] == labels) | ties | (close > 0.49)).all()
        many = evaluate(given, array_rows.Rows(X, n_threads=3))
        for one, three in zip(outputs, many, strict=True):
            np.testing.assert_array_equal(one, three)
        precisions.clear()


def test_fewer_features_are_computed_in_double_precision(precisions: list[bool]) -> None:
    for covariance_type in COVARIANCE_TYPES:
        for d in (SINGLE_FEATURES - 1, SINGLE_FEATURES):
            rng = np.random.default_rng([3, d])
            mixture = reference.random_mixture(rng, covariance_type, 3, d)
            X = rows_of(mixture, 500, rng)
            precisions.clear()
            accumulation.accumulate(parameters(mixture), array_rows.Rows(X))
            assert any(precisions) == (d == SINGLE_FEATURES)
            precisions.clear()
            evaluate(parameters(mixture), array_rows.Rows(X))
            assert any(precisions) == (d == SINGLE_FEATURES)


# -------------------------------------------------------------------------------------------------
# Where single precision will not do

D = 21


def plain(covariance_type: str, rng: np.random.Generator) -> Mixture:
    return reference.random_mixture(rng, covariance_type, 3, D)


def ill_conditioned(covariance_type: str, rng: np.random.Generator) -> Mixture:
    """One direction of a hundred-thousandth of the others' width, across the columns."""
    mixture = plain(covariance_type, rng)
    direction = rng.standard_normal(D)
    direction /= np.linalg.norm(direction)
    squeeze = np.eye(D) - (1 - 1e-5) * np.outer(direction, direction)
    if covariance_type in ("full", "tied"):
        covariances = squeeze @ mixture.covariances @ squeeze
        mixture.covariances = (covariances + np.swapaxes(covariances, -1, -2)) / 2
        mixture.means = mixture.means @ squeeze
    elif covariance_type == "diag":
        mixture.covariances[:, 3] *= 1e-10
    else:
        mixture.covariances *= 1e-10
    return mixture


def far_off(covariance_type: str, rng: np.random.Generator) -> Mixture:
    """Components ten thousand deviations from each other."""
    mixture = plain(covariance_type, rng)
    mixture.means *= 1e4
    return mixture


def in_units_of(unit: float):
    def scaled(covariance_type: str, rng: np.random.Generator) -> Mixture:
        mixture = plain(covariance_type, rng)
        mixture.means *= unit
        mixture.covariances *= unit**2
        return mixture

    return scaled


UNSUITED = {
    "ill-conditioned": ill_conditioned,
    "far off": far_off,
    "1e15": in_units_of(1e15),
    "1e-15": in_units_of(1e-15),
    "1e30": in_units_of(1e30),
    "1e-30": in_units_of(1e-30),
}


@pytest.mark.parametrize("kind", UNSUITED)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_unsuited_mixtures(precisions: list[bool], covariance_type: str, kind: str) -> None:
    """Sums of them and scores by them are those of double precision."""
    rng = np.random.default_rng([4, list(UNSUITED).index(kind)])
    mixture = UNSUITED[kind](covariance_type, rng)
    X = rows_of(mixture, 601, rng)
    given = parameters(mixture)
    narrow = accumulation.accumulate(given, array_rows.Rows(X))
    assert not any(precisions)
    wide = accumulation.accumulate(given, array_rows.Rows(X.astype(np.float64)))
    same_statistics(narrow, wide)
    log_density, shares, labels = evaluate(given, array_rows.Rows(X.astype(np.float64)))
    outputs = evaluate(given, array_rows.Rows(X))
    if any(precisions):  # scoring has a centre of its own, and may suit
        assert kind == "far off"
        np.testing.assert_allclose(outputs[0], log_density, rtol=1e-5)
    else:
        np.testing.assert_array_equal(outputs[0], log_density.astype(np.float32))
        np.testing.assert_array_equal(outputs[1], shares.astype(np.float32))
    np.testing.assert_array_equal(outputs[2], labels)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_weights_beyond_the_range(precisions: list[bool], covariance_type: str) -> None:
    rng = np.random.default_rng(5)
    mixture = plain(covariance_type, rng)
    X = rows_of(mixture, 601, rng)
    for low, high, suited in ((-3, 3, True), (-30, 0, False), (0, 30, False), (-50, -45, False)):
        w = 10.0 ** rng.uniform(low, high, len(X))
        precisions.clear()
        statistics = accumulation.accumulate(parameters(mixture), array_rows.Rows(X, w), 0.01)
        assert any(precisions) == suited
        double = accumulation.accumulate(
            parameters(mixture), array_rows.Rows(X.astype(np.float64), w), 0.01
        )
        if suited:
            assert_close_step(statistics, double, mixture)
        else:
            same_statistics(statistics, double)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_row_beyond_the_range(precisions: list[bool], covariance_type: str) -> None:
    """A value whose square overflows single precision."""
    rng = np.random.default_rng(6)
    mixture = plain(covariance_type, rng)
    X = rows_of(mixture, 601, rng)
    X[300, 5] = 1e25
    statistics = accumulation.accumulate(parameters(mixture), array_rows.Rows(X))
    assert not any(precisions)
    assert statistics.log_likelihood < -1e45
    same_statistics(
        statistics,
        accumulation.accumulate(parameters(mixture), array_rows.Rows(X.astype(np.float64))),
    )


@pytest.mark.parametrize("size", [1e3, 1e8, 1e30])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scores_of_extreme_rows(precisions: list[bool], covariance_type: str, size: float) -> None:
    """Far rows neither become NaN nor change what is said of the others."""
    rng = np.random.default_rng(7)
    mixture = plain(covariance_type, rng)
    X = rows_of(mixture, 193, rng)
    given = parameters(mixture)
    before = evaluate(given, array_rows.Rows(X))
    far = [0, 95, 192]
    X[far] = size * rng.standard_normal((3, D))
    log_density, shares, labels = evaluate(given, array_rows.Rows(X))
    assert any(precisions)
    wide = evaluate(given, array_rows.Rows(X.astype(np.float64)))
    with np.errstate(over="ignore"):
        exact = wide[0].astype(np.float32)
    np.testing.assert_allclose(log_density, exact, rtol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(labels, shares.argmax(axis=1))
    # Of equal covariances distances differ by rounding only, from ten million deviations on.
    if covariance_type != "tied" or size < 1e7:
        np.testing.assert_array_equal(labels[far], wide[2][far])
    others = np.delete(np.arange(193), far)
    for now, then in zip((log_density, shares, labels), before, strict=True):
        np.testing.assert_array_equal(now[others], then[others])


def correlated(X):
    X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]


def shifted_component(X):
    X[: len(X) // 2] += 1e6


def huge(X):
    X *= 1e20


def tiny(X):
    X *= 1e-20


def outlier(X):
    X[7, 3] = 3e30


@pytest.mark.parametrize("spoil", [correlated, shifted_component, huge, tiny, outlier])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_what_single_precision_cannot_hold_is_computed_in_double(covariance_type, spoil):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 20)).astype(np.float32)
    spoil(X)
    rows, rows64 = array_rows.Rows(X), array_rows.Rows(X.astype(np.float64))
    half = np.repeat([[1.0, 0.0], [0.0, 1.0]], 300, axis=0)

    def blocks(start, stop):
        return half[start:stop]

    statistics = accumulation.accumulate_responsibilities(rows64, blocks, 2, covariance_type)
    floor = 1e-9 * float(X.astype(np.float64).var(axis=0).min())
    parameters = maximize(statistics, floor)
    single = accumulation.accumulate(parameters, rows, floor)
    double = accumulation.accumulate(parameters, rows64, floor).shifted(single.shift)
    assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-5)
    found, expected = maximize(single, floor), maximize(double, floor)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-3)
    deviations = np.sqrt(expected.variances)
    np.testing.assert_allclose(found.variances, expected.variances, rtol=1e-2)
    assert (np.abs(found.means - expected.means) < 1e-2 * deviations).all()


# -------------------------------------------------------------------------------------------------
# Whole fits


def clusters(rng: np.random.Generator, n: int, d: int, K: int, spread: float) -> np.ndarray:
    centres = spread * rng.standard_normal((K, d))
    return (centres[rng.integers(K, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_fit_converges_to_that_of_double_precision(
    precisions: list[bool], covariance_type: str
) -> None:
    X = clusters(np.random.default_rng(8), 3001, 24, 4, 1.0)
    single = GaussianMixture(4, covariance_type=covariance_type, tol=1e-4, random_state=1).fit(X)
    assert any(precisions)
    double = GaussianMixture(4, covariance_type=covariance_type, tol=1e-4, random_state=1).fit(
        X.astype(np.float64)
    )
    assert single.converged_
    bounds = np.array(single.lower_bounds_)
    assert np.diff(bounds).min() >= -1e-6 * np.abs(bounds).max()
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, rel=1e-5)
    np.testing.assert_allclose(single.means_, double.means_, atol=1e-2)
    np.testing.assert_allclose(single.weights_, double.weights_, atol=1e-3)
    assert (single.predict(X) == double.predict(X)).mean() > 0.999


@pytest.mark.parametrize("reg_covar", [1e-6, 1e-3])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_components_with_few_rows(
    instruction_set: str, covariance_type: str, reg_covar: float
) -> None:
    """Covariances of less than full rank, with `reg_covar` in the directions without rows."""
    X = clusters(np.random.default_rng(9), 70, 24, 6, 3.0)
    X[60] += 300.0  # a component of its own
    options = {"covariance_type": covariance_type, "reg_covar": reg_covar, "random_state": 0}
    single = GaussianMixture(9, **options).fit(X)
    double = GaussianMixture(9, **options).fit(X.astype(np.float64))
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, rel=1e-3)


# -------------------------------------------------------------------------------------------------
# Where it turns out only afterwards that single precision will not do


def point_far_off(covariance_type: str, seed: int) -> tuple[Mixture, np.ndarray]:
    """Two components of unit variances; the rows of one are a thousandth as wide, and lie 0.3
    beside its mean, far from most of the rows.
    """
    rng = np.random.default_rng([10, seed])
    means = np.zeros((2, D))
    means[1] = 900.0
    covariances = reference.unit_covariances(covariance_type, 2, D)
    X = rng.standard_normal((900, D))
    X[600:] = 900.3 + 1e-3 * X[600:]
    return Mixture(covariance_type, np.array([2.0, 1.0]) / 3, means, covariances), X


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_a_component_that_shrinks_in_the_step(
    precisions: list[bool], covariance_type: str
) -> None:
    """The variances that come of the step are those of double precision, not the rounding of a
    difference.
    """
    mixture, X = point_far_off(covariance_type, 0)
    X = X.astype(np.float32)
    given = parameters(mixture)
    single = accumulation.accumulate(given, array_rows.Rows(X))
    assert any(precisions)
    variances = maximize(single, 1e-30).variances
    expected = maximize(
        accumulation.accumulate(given, array_rows.Rows(X.astype(np.float64))), 1e-30
    )
    np.testing.assert_allclose(variances, expected.variances, rtol=1e-2)


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_fits_that_shrink_a_component(instruction_set: str, covariance_type: str) -> None:
    """They do not fail where those in double precision do not."""
    for seed in range(8):
        mixture, X = point_far_off(covariance_type, seed)
        model = GaussianMixture(
            2, covariance_type=covariance_type, reg_covar=0.0, means_init=mixture.means,
            weights_init=mixture.weights, precisions_init=mixture.covariances,
        )  # fmt: skip
        expected = model.fit(X.astype(np.float32).astype(np.float64)).lower_bound_
        single = model.fit(X.astype(np.float32)).lower_bound_
        assert single == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_log_likelihood_beyond_the_range(precisions: list[bool], covariance_type: str) -> None:
    """Of a row whose squared distance overflows single precision, though the row does not."""
    rng = np.random.default_rng(11)
    mixture = in_units_of(2.0**-30)(covariance_type, rng)
    X = rows_of(mixture, 601, rng)
    X[300, 5] = 1e11
    statistics = accumulation.accumulate(parameters(mixture), array_rows.Rows(X))
    double = accumulation.accumulate(parameters(mixture), array_rows.Rows(X.astype(np.float64)))
    assert double.log_likelihood < -1e38
    assert statistics.log_likelihood == pytest.approx(double.log_likelihood, rel=1e-5)
