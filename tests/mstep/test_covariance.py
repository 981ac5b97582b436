"""Covariance families and the M-step: estimates, factors, and components that collapse."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import SufficientStatistics
from gaussmix._mstep.families import FAMILIES
from gaussmix._mstep.maximize import estimate, maximize
from gaussmix._parameters.layouts import (
    DIAGONAL,
    FULL,
    SPHERICAL,
    TIED,
    CollapsedComponent,
    layout_of,
)
from gaussmix._parameters.mixture import MixtureParameters
from gaussmix._runtime import instruction_sets
from support import reference
from support.families import COVARIANCE_TYPES, LAYOUT_OF


def make_statistics(covariance_type, X, shares, shift, log_likelihood=0.0):
    weight, first, second = reference.sums_about(X, shares, shift, covariance_type)
    return SufficientStatistics(
        covariance_type, weight, first, second, shift, log_likelihood, float(len(X)), len(X)
    )


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, 4)) @ rng.normal(size=(4, 4)) + [1, 2, 3, 4]


@pytest.fixture
def shares():
    shares = np.random.default_rng(1).uniform(size=(80, 3))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("covariance_type", "shape", "n_parameters"),
    [
        ("full", (2, 5, 5), 30),
        ("tied", (5, 5), 15),
        ("diag", (2, 5), 10),
        ("spherical", (2,), 2),
    ],
)
def test_shapes_and_numbers_of_parameters(covariance_type, shape, n_parameters):
    family, layout = FAMILIES[covariance_type], layout_of(covariance_type)
    assert family.name == layout.name == covariance_type
    assert layout.shape(2, 5) == shape
    assert layout.n_parameters(2, 5) == n_parameters
    assert family.n_parameters(2, 5) == n_parameters


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_m_step_is_the_weighted_covariance_about_the_weighted_mean(covariance_type, X, shares):
    shift = np.random.default_rng(3).normal(size=(3, 4))
    parameters = maximize(make_statistics(covariance_type, X, shares, shift), 0.125)

    full = np.array([np.cov(X.T, aweights=share, bias=True) for share in shares.T])
    weights = shares.mean(axis=0)
    expected = {
        "full": full,
        "tied": np.einsum("k,kij->ij", weights, full),
        "diag": np.einsum("kii->ki", full),
        "spherical": np.einsum("kii->k", full) / 4,
    }[LAYOUT_OF[covariance_type]]
    if covariance_type in ("full", "tied"):
        expected = expected + 0.125 * np.eye(4)
    else:
        expected = expected + 0.125
    np.testing.assert_allclose(parameters.weights, weights, rtol=1e-13)
    np.testing.assert_allclose(parameters.means, shares.T @ X / 80 / weights[:, None], rtol=1e-12)
    np.testing.assert_allclose(parameters.covariances, expected, rtol=1e-11, atol=1e-12)
    for array in (parameters.means, parameters.covariances, parameters.precisions_cholesky):
        assert array.flags.c_contiguous
        assert array.dtype == np.float64


def test_factors_follow_the_convention(mixture):
    layout = layout_of(mixture.covariance_type)
    before = mixture.covariances.copy()
    factors = layout.factorise(mixture.covariances)
    expected = reference.precision_factors(mixture.covariance_type, mixture.covariances)
    np.testing.assert_allclose(factors, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(mixture.covariances, before)
    if mixture.covariance_type in ("full", "tied"):
        np.testing.assert_array_equal(np.tril(factors, -1), 0)
        inverse = np.linalg.inv(mixture.covariances)
    else:
        inverse = 1 / mixture.covariances
    np.testing.assert_allclose(layout.precisions(factors), inverse, rtol=1e-10, atol=1e-12)


def test_log_determinants(mixture):
    parameters = MixtureParameters.from_covariances(
        mixture.covariance_type, mixture.weights, mixture.means, mixture.covariances
    )
    dense = reference.dense_covariances(mixture)
    expected = [-0.5 * np.linalg.slogdet(covariance)[1] for covariance in dense]
    np.testing.assert_allclose(parameters.log_determinants, expected, rtol=1e-11)
    assert (parameters.n_components, parameters.n_features) == (3, 5)


def test_precisions_and_covariances_are_inverses(mixture):
    layout = layout_of(mixture.covariance_type)
    factors = layout.factorise(mixture.covariances)
    again, covariances = layout.from_precisions(layout.precisions(factors))
    np.testing.assert_allclose(again, factors, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(covariances, mixture.covariances, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_units_of_the_columns_do_not_matter(covariance_type, X, shares):
    units = np.array([1e-100, 1e-20, 1.0, 1e120])
    shift = np.tile(X.mean(axis=0), (3, 1))
    plain = maximize(make_statistics(covariance_type, X, shares, shift), 0.0)
    scaled = maximize(make_statistics(covariance_type, X * units, shares, shift * units), 0.0)
    rows = units[:, None] if covariance_type in ("full", "tied") else units
    np.testing.assert_allclose(
        scaled.precisions_cholesky * rows, plain.precisions_cholesky, rtol=1e-9
    )


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_component_without_rows_keeps_its_mean(covariance_type, X):
    shares = np.zeros((80, 3))
    shares[:, 0] = 1
    shift = np.tile(X.mean(axis=0), (3, 1))
    statistics = make_statistics(covariance_type, X, shares, shift)
    previous = reference.random_mixture(np.random.default_rng(2), covariance_type, 3, 4)
    parameters = maximize(statistics, 0.5, previous)
    np.testing.assert_array_equal(parameters.means[1:], previous.means[1:])
    np.testing.assert_allclose(parameters.means[0], X.mean(axis=0))
    assert 0 < parameters.weights[1] < 1e-15
    assert parameters.weights.sum() == pytest.approx(1, rel=1e-14)
    if covariance_type != "tied":
        mixture = reference.Mixture(
            covariance_type, parameters.weights, parameters.means, parameters.covariances
        )
        np.testing.assert_allclose(reference.dense_covariances(mixture)[1], 0.5 * np.eye(4))
        with pytest.raises(CollapsedComponent) as caught:
            maximize(statistics, 0.0, previous)
        assert caught.value.component == 1
        assert caught.value.effective_rows == 0
        assert caught.value.weight == parameters.weights[1]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_variance_that_is_none_names_component_and_column(covariance_type, value):
    covariances = {
        "full": np.tile(np.eye(3), (2, 1, 1)),
        "tied": np.eye(3),
        "diag": np.ones((2, 3)),
        "spherical": np.ones(2),
    }[LAYOUT_OF[covariance_type]]
    place = {"full": (1, 2, 2), "tied": (2, 2), "diag": (1, 2), "spherical": (1,)}[
        LAYOUT_OF[covariance_type]
    ]
    covariances[place] = value
    with pytest.raises(CollapsedComponent) as caught, np.errstate(all="ignore"):
        layout_of(covariance_type).factorise(covariances)
    assert caught.value.component == (None if covariance_type == "tied" else 1)
    assert caught.value.columns == ([] if covariance_type == "spherical" else [2])


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_collinear_columns_are_found_at_any_scale(covariance_type, scale, X, shares):
    X = X.copy()
    X[:, 3] = X[:, 0] - 2 * X[:, 1]
    X *= scale
    shift = np.tile(X.mean(axis=0), (3, 1))
    with pytest.raises(CollapsedComponent) as caught:
        maximize(make_statistics(covariance_type, X, shares, shift), 0.0)
    assert caught.value.columns == [0, 1, 3]
    # Regularised in proportion, the same statistics give a model.
    parameters = maximize(make_statistics(covariance_type, X, shares, shift), 1e-6 * scale * scale)
    assert np.isfinite(parameters.precisions_cholesky).all()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_equal_rows_have_no_spread_from_rounding(covariance_type):
    X = np.full((7, 2), 0.1)
    shift = np.tile(X.mean(axis=0) * (1 + 1e-15), (1, 1))
    with pytest.raises(CollapsedComponent):
        maximize(make_statistics(covariance_type, X, np.ones((7, 1)), shift), 0.0)


def test_nearly_singular_but_definite_is_accepted():
    covariance = np.array([[1.0, 1 - 1e-14], [1 - 1e-14, 1.0]])
    factor = TIED.factorise(covariance)
    unexplained = 2e-14
    np.testing.assert_allclose(factor[1, 1], 1 / np.sqrt(unexplained), rtol=0.05)


@pytest.mark.parametrize("d", [1, 4, 17])
@pytest.mark.parametrize("fault", ["indefinite", "singular", "nan", "infinite"])
def test_what_has_no_factor(d, fault):
    rng = np.random.default_rng(d)
    root = rng.normal(size=(d, d)) + 3 * np.eye(d)
    covariances = np.stack([root @ root.T, root @ root.T])
    spoilt = covariances[1]
    if fault == "indefinite":
        spoilt[-1, -1] *= -1
    elif fault == "singular":
        spoilt[:, -1] = spoilt[-1, :] = 0.0
    else:
        spoilt[d // 2, d // 2] = np.nan if fault == "nan" else np.inf
    with np.errstate(all="ignore"), pytest.raises(CollapsedComponent) as raised:
        FULL.factorise(covariances)
    assert raised.value.component == 1


# -------------------------------------------------------------------------------------------------
# The kernel that factorises


def definite_matrices(rng, K, d, condition=100.0):
    """Symmetric positive definite matrices with eigenvalues from one to `condition`."""
    matrices = np.empty((K, d, d))
    for k in range(K):
        rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
        matrices[k] = rotation * np.geomspace(1.0, condition, d) @ rotation.T
    return (matrices + matrices.transpose(0, 2, 1)) / 2


def inverted(matrices, n_threads=1):
    """The kernels' factors of the inverses."""
    factors = matrices.copy()
    instruction_sets.algebra().factorise(factors, n_threads)
    instruction_sets.algebra().invert(factors, n_threads)
    return factors


def assert_inverse_factors(factors, matrices, condition):
    """Upper triangular `U` with `U'AU` the identity, and SciPy's, as far as rounding of matrices
    of this condition and size allows.
    """
    d = matrices.shape[-1]
    error = 4 * d * np.finfo(np.float64).eps * condition
    np.testing.assert_array_equal(factors, np.triu(factors))
    assert (np.diagonal(factors, axis1=1, axis2=2) > 0).all()
    whitened = factors.transpose(0, 2, 1) @ matrices @ factors
    assert np.abs(whitened - np.eye(d)).max() <= error
    expected = reference.precision_factors("full", matrices)
    assert np.abs(factors - expected).max() <= error * np.abs(expected).max()


@pytest.mark.parametrize("condition", [10.0, 1e6, 1e11])
def test_inverse_factors(instruction_set, condition):
    for d in (*range(1, 41), 100):
        matrices = definite_matrices(np.random.default_rng([1, d]), 1 + d % 5, d, condition)
        assert_inverse_factors(inverted(matrices), matrices, condition)


@pytest.mark.parametrize("d", [256, 257, 301])
def test_inverse_factors_at_once_and_by_blocks(instruction_set, d):
    """The larger sizes are factorised by blocks; all have the same contract."""
    matrices = definite_matrices(np.random.default_rng([2, d]), 2, d)
    assert_inverse_factors(FULL.factorise(matrices), matrices, 100.0)
    matrices[1, 7, 7] = -1.0
    with pytest.raises(CollapsedComponent) as caught:
        FULL.factorise(matrices)
    assert caught.value.component == 1
    assert caught.value.columns == [7]


def test_inverse_factors_have_the_same_bits_on_any_number_of_threads(instruction_set):
    for d in (3, 33, 100, 290):
        matrices = definite_matrices(np.random.default_rng([3, d]), 5, d)
        one = inverted(matrices)
        for n_threads in (2, 3, 8):
            np.testing.assert_array_equal(inverted(matrices, n_threads), one)


def test_inverse_factors_of_matrices_in_any_units(instruction_set):
    """A power of two in the units changes nothing else, to the ends of the range."""
    matrices = definite_matrices(np.random.default_rng(4), 2, 9)
    plain = inverted(matrices)
    for exponent in (-500, -60, 60, 500):
        factors = inverted(np.ldexp(matrices, 2 * exponent))
        np.testing.assert_array_equal(np.ldexp(factors, exponent), plain)
    units = 2.0 ** np.linspace(-300, 300, 9).round()
    factors = inverted(matrices * np.outer(units, units))
    np.testing.assert_array_equal(factors * units[:, None], plain)


@pytest.mark.parametrize("d", [1, 2, 5, 8, 33, 260])
def test_matrices_that_are_not_definite_give_zeros(instruction_set, d):
    """And only they: their neighbours keep their bits."""
    matrices = definite_matrices(np.random.default_rng([5, d]), 4, d)
    plain = inverted(matrices)
    i, j = d // 2, d - 1
    spoilt = {"zero": (j, j, 0.0), "negative": (i, i, -1.0), "semidefinite": (0, 0, 0.0)}
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus inf", -np.inf)):
        spoilt |= {f"{name} first": (0, 0, value), f"{name} last": (j, j, value)}
        spoilt |= {f"{name} beside": (0, j, value), f"{name} amid": (i, j, value)}
    if d > 1:
        spoilt["indefinite"] = (0, j, 2.0 * matrices[2].max())
    for name, (p, q, value) in spoilt.items():
        given = matrices.copy()
        given[2, p, q] = given[2, q, p] = value
        factors = inverted(given)
        assert not factors[2].any(), name
        np.testing.assert_array_equal(np.delete(factors, 2, 0), np.delete(plain, 2, 0), name)


# --- the variance floor --------------------------------------------------------------------------


def log_likelihood_of(covariance, scatter):
    """Twice the log-likelihood of a covariance, less a constant, given an estimate of it."""
    return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, scatter))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_column_variances_are_those_of_the_rows_whatever_the_responsibilities(
    covariance_type, X, shares
):
    X = X * [1e-9, 1.0, 1e9, 1.0] + [0.0, 1e6, 0.0, 0.0]
    layout = layout_of(covariance_type)
    for chosen in (shares, np.eye(3)[np.arange(80) % 3], np.roll(shares, 7, axis=0)):
        shift = np.tile(X.mean(axis=0), (3, 1))
        parameters = maximize(make_statistics(covariance_type, X, chosen, shift), 0.0)
        found = layout.column_variances(
            parameters.weights, parameters.means, parameters.covariances
        )
        assert found.shape == (4,)
        if covariance_type == "spherical":
            assert found.mean() == pytest.approx(X.var(axis=0).mean(), rel=1e-9)
        else:
            np.testing.assert_allclose(found, X.var(axis=0), rtol=1e-8)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_variances_above_the_floor_keep_every_bit(covariance_type, X, shares):
    shift = np.zeros((3, 4))
    statistics = make_statistics(covariance_type, X, shares, shift)
    plain = maximize(statistics, 0.25)
    floored = maximize(statistics, 0.25, variance_floor=1e-6)
    np.testing.assert_array_equal(plain.covariances, floored.covariances)
    np.testing.assert_array_equal(plain.means, floored.means)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_the_floor_holds_in_every_direction_and_nothing_likelier_does(covariance_type):
    rng = np.random.default_rng(5)
    least = np.array([4.0, 1e-6, 9.0])
    root = rng.normal(size=(2, 3, 3)) * np.sqrt(least)
    estimates = root.transpose(0, 2, 1) @ root * [[[0.3]], [[3.0]]]
    raised = estimates.copy() if covariance_type == "full" else estimates[0].copy()
    layout_of(covariance_type).raise_variances(raised, least)
    for scatter, found in zip(estimates, raised.reshape(-1, 3, 3), strict=False):
        np.testing.assert_array_equal(found, found.T)
        scaled = found / np.sqrt(np.outer(least, least))
        values = np.linalg.eigvalsh(scaled)
        assert values.min() >= 1 - 1e-12
        before = np.linalg.eigvalsh(scatter / np.sqrt(np.outer(least, least)))
        np.testing.assert_allclose(values, np.maximum(before, 1), rtol=1e-12)
        best = log_likelihood_of(found, scatter)
        for _ in range(300):  # other covariances within the bound
            step = rng.normal(size=(3, 3)) * 10.0 ** rng.uniform(-6, 0)
            values, vectors = np.linalg.eigh(scaled + step + step.T)
            other = vectors @ (np.maximum(values, 1)[:, None] * vectors.T)
            other = other * np.sqrt(np.outer(least, least))
            assert log_likelihood_of(other, scatter) <= best + 1e-9 * abs(best)


def test_the_floor_of_variances():
    diagonal = np.array([[1.0, 5.0], [3.0, 0.0]])
    DIAGONAL.raise_variances(diagonal, np.array([2.0, 1.0]))
    assert diagonal.tolist() == [[2.0, 5.0], [3.0, 1.0]]
    spherical = np.array([1.0, 5.0])
    SPHERICAL.raise_variances(spherical, np.array([2.0, 4.0]))
    assert spherical.tolist() == [3.0, 5.0]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_a_column_of_equal_values_has_no_variance_whatever_its_mean_is_rounded_to(
    covariance_type, shares
):
    X = np.column_stack([np.full(80, 0.1), np.arange(80.0), np.full(80, 1e9 / 7)])
    shift = X[[0, 40, 79]] * (1 + 2**-52)  # as the means of the step before
    statistics = make_statistics(covariance_type, X, shares, shift)
    weights, means, covariances, _least = estimate(statistics, 0.0)
    found = layout_of(covariance_type).column_variances(weights, means, covariances)
    assert found[[0, 2]].tolist() == [0.0, 0.0]
    assert found[1] == pytest.approx(X[:, 1].var(), rel=1e-12)


def test_columns_without_variance_get_no_floor_and_disturb_no_other():
    estimate = np.array([[[1.0, 0.0, 0.5], [0.0, 0.0, 0.0], [0.5, 0.0, 0.25]]])
    FULL.raise_variances(estimate, np.array([0.5, 0.0, 0.25]))
    assert (estimate[0, 1] == 0).all()
    assert (estimate[0, :, 1] == 0).all()
    scaled = estimate[0][::2, ::2] / np.sqrt(np.outer([0.5, 0.25], [0.5, 0.25]))
    assert np.linalg.eigvalsh(scaled).min() == pytest.approx(1, rel=1e-12)


def test_values_that_are_not_finite_are_left_for_the_error():
    covariances = np.array([np.eye(2), np.full((2, 2), np.nan)])
    FULL.raise_variances(covariances, np.array([2.0, 2.0]))
    np.testing.assert_allclose(covariances[0], 2 * np.eye(2))
    with pytest.raises(CollapsedComponent) as caught:
        FULL.factorise(covariances)
    assert caught.value.component == 1


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_principal_axis_is_a_deviation_long_and_follows_the_columns_units(covariance_type):
    mixture = reference.random_mixture(np.random.default_rng(2), covariance_type, 3, 4)
    layout = layout_of(covariance_type)
    full = {"full": mixture.covariances, "tied": [mixture.covariances] * 3}.get(
        LAYOUT_OF[covariance_type]
    )
    if full is None:
        full = [np.diag(np.broadcast_to(v, 4)) for v in mixture.covariances]
    for k in range(3):
        axis = layout.principal_axis(mixture.covariances, k, 4)
        assert axis @ np.linalg.solve(full[k], axis) == pytest.approx(1, rel=1e-9)
        deviations = np.sqrt(np.diagonal(full[k]))
        correlation = full[k] / np.outer(deviations, deviations)
        longest = np.linalg.eigvalsh(correlation)[-1]
        assert np.sum((axis / deviations) ** 2) == pytest.approx(longest, rel=1e-9)
    if covariance_type != "spherical":
        scale = np.array([1e-3, 1.0, 7.0, 1e5])
        units = scale**2 if covariance_type == "diag" else np.outer(scale, scale)
        np.testing.assert_allclose(
            layout.principal_axis(mixture.covariances * units, 2, 4), axis * scale, rtol=1e-9
        )
