"""Imputation: conditional means, deviations and draws, against textbook formulas and integrals."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import GaussianMixture, sources
from gaussmix._estep.missing import completion
from support import reference
from support.families import COVARIANCE_TYPES
from support.models import random_model

NAN = np.nan


def holed(mixture, n, share=0.4, seed=5):
    """Rows of a mixture with values missing: all in the first row, none in the second."""
    rng = np.random.default_rng(seed)
    X = reference.draw(rng, mixture, n)
    missing = rng.random(X.shape) < share
    missing[0], missing[1] = True, False
    X[missing] = NAN
    return X


def conditional(mixture, row):
    """Responsibilities (K,), means (K, m) and covariances (K, m, m) of what a row lacks."""
    m, o = np.isnan(row), ~np.isnan(row)
    covariances = reference.dense_covariances(mixture)
    known = reference.Mixture(
        "full", mixture.weights, mixture.means[:, o], covariances[:, o][:, :, o]
    )
    shares = reference.responsibilities(known, row[None, o])[0] if o.any() else mixture.weights
    slopes = [S[np.ix_(m, o)] @ np.linalg.inv(S[np.ix_(o, o)]) for S in covariances]
    means = [
        mean[m] + B @ (row[o] - mean[o]) for mean, B in zip(mixture.means, slopes, strict=True)
    ]
    spread = [
        S[np.ix_(m, m)] - B @ S[np.ix_(o, m)] for S, B in zip(covariances, slopes, strict=True)
    ]
    return shares, np.array(means), np.array(spread)


def expected(mixture, X):
    """Rows with conditional means filled in, and the conditional standard deviations."""
    filled, deviations = X.copy(), np.zeros_like(X)
    for i, row in enumerate(X):
        m = np.isnan(row)
        if m.any():
            shares, means, covariances = conditional(mixture, row)
            filled[i, m] = shares @ means
            second = shares @ (means**2 + np.diagonal(covariances, axis1=1, axis2=2))
            deviations[i, m] = np.sqrt(second - filled[i, m] ** 2)
    return filled, deviations


# --- means and deviations ------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(("K", "d"), [(3, 4), (1, 3), (2, 1), (1, 1)])
def test_means_and_deviations_are_those_of_the_conditional_mixture(covariance_type, K, d):
    model, mixture = random_model(covariance_type, K, d)
    X = holed(mixture, 60)
    before = X.copy()
    filled, deviations = model.impute(X, return_std=True)
    means, spread = expected(mixture, X)
    np.testing.assert_allclose(filled, means, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(deviations, spread, rtol=1e-7, atol=1e-9)
    observed = ~np.isnan(X)
    assert (filled[observed] == X[observed]).all()
    assert (deviations[observed] == 0).all()
    assert (deviations[~observed] > 0).all()
    np.testing.assert_array_equal(model.impute(X), filled)
    np.testing.assert_array_equal(X, before)


def test_a_row_without_values_gets_the_mean_of_the_mixture():
    model, mixture = random_model()
    filled, deviations = model.impute([[NAN] * 4], return_std=True)
    mean = mixture.weights @ mixture.means
    np.testing.assert_allclose(filled[0], mean)
    variances = np.diagonal(reference.dense_covariances(mixture), axis1=1, axis2=2)
    total = mixture.weights @ (variances + (mixture.means - mean) ** 2)
    np.testing.assert_allclose(deviations[0], np.sqrt(total))


def test_means_are_integrals_of_the_joint_density():
    model, mixture = random_model(K=2, d=2)
    grid, step = np.linspace(-60, 60, 12001, retstep=True)
    for x in (-2.0, 0.5, 3.0):
        joint = np.exp(
            reference.log_densities(mixture, np.column_stack([np.full(12001, x), grid]))
        )
        total, mean = joint.sum() * step, (joint * grid).sum() * step
        second = (joint * (grid - mean / total) ** 2).sum() * step
        filled, deviation = model.impute([[x, NAN]], return_std=True)
        assert filled[0, 1] == pytest.approx(mean / total, rel=1e-8)
        assert deviation[0, 1] == pytest.approx(np.sqrt(second / total), rel=1e-7)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_rows_in_single_precision_stay_so(covariance_type):
    model, mixture = random_model(covariance_type)
    X = holed(mixture, 40).astype(np.float32)
    filled, deviations = model.impute(X, return_std=True)
    assert filled.dtype == deviations.dtype == np.float32
    means, spread = expected(mixture, X.astype(float))
    np.testing.assert_allclose(filled, means, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(deviations, spread, rtol=1e-6, atol=1e-6)
    assert (filled == X)[~np.isnan(X)].all()
    assert model.impute(X, n_draws=2, random_state=0).dtype == np.float32


def test_observed_values_stay_to_the_bit():
    model, _ = random_model(d=3)
    X = np.array([[-0.0, NAN, 1e300], [1e-310, 5e-324, NAN], [0.1, 0.2, 0.3]])
    filled = model.impute(X)
    observed = ~np.isnan(X)
    assert filled[observed].tobytes() == X[observed].tobytes()


@pytest.mark.parametrize("share", [0.03, 0.6])
def test_wide_rows_with_a_pattern_each(share):
    model, mixture = random_model("full", K=2, d=70)
    X = holed(mixture, 30, share)
    filled, deviations = model.impute(X, return_std=True)
    means, spread = expected(mixture, X)
    np.testing.assert_allclose(filled, means, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(deviations, spread, rtol=1e-6)


def test_rows_far_from_zero_keep_their_digits():
    """A table at 1e8 with deviations of one is imputed as it is at zero."""
    _model, mixture = random_model(K=2, d=3)
    X = np.rint(holed(mixture, 50) * 64) / 64
    shifted = GaussianMixture.from_parameters(
        mixture.weights, np.rint(mixture.means * 64) / 64 + 2.0**26, mixture.covariances
    )
    near = GaussianMixture.from_parameters(
        mixture.weights, np.rint(mixture.means * 64) / 64, mixture.covariances
    )
    values, deviations = near.impute(X, return_std=True)
    far, far_deviations = shifted.impute(X + 2.0**26, return_std=True)
    np.testing.assert_allclose(far - 2.0**26, values, atol=1e-6)
    np.testing.assert_allclose(far_deviations, deviations, rtol=1e-6, atol=0)


def test_columns_that_determine_each_other_nearly():
    """Correlation 1 - 1e-12: the missing value is the other but for a deviation of 1.4e-6."""
    covariance = [[1.0, 1 - 1e-12], [1 - 1e-12, 1.0]]
    model = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [covariance])
    filled, deviations = model.impute([[3.0, NAN]], return_std=True)
    assert filled[0, 1] == pytest.approx(3.0, abs=1e-9)
    assert deviations[0, 1] == pytest.approx(np.sqrt(2e-12), rel=1e-3)


def test_a_row_far_out():
    """Beyond where squares overflow, the nearest component still tells what is missing."""
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], [[0.0, 1.0], [4.0, 2.0]], [[1.0, 1.0], [2.0, 3.0]], covariance_type="diag"
    )
    filled, deviations = model.impute([[1e200, NAN]], return_std=True)
    np.testing.assert_allclose([filled[0, 1], deviations[0, 1]], [2.0, np.sqrt(3.0)])
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], np.zeros((2, 2)), [[[1.0, 0.5], [0.5, 1.0]], [[2.0, 1.0], [1.0, 1.0]]]
    )
    filled, deviations = model.impute([[1e160, NAN]], return_std=True)
    np.testing.assert_allclose([filled[0, 1], deviations[0, 1]], [5e159, np.sqrt(0.5)])


def test_pieces_and_units_do_not_show(monkeypatch):
    model, mixture = random_model(d=5)
    X = holed(mixture, 300)
    whole = model.impute(X, n_draws=2, random_state=1), *model.impute(X, return_std=True)
    for name in ("UNIT_VALUES", "BATCH_VALUES", "PIECE_VALUES"):
        monkeypatch.setattr(completion, name, 100)
    cut = model.impute(X, n_draws=2, random_state=1), *model.impute(X, return_std=True)
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_the_number_of_threads_does_not_show():
    X = holed(random_model()[1], 6000)
    results = [random_model(n_threads=n)[0].impute(X, n_draws=1, random_state=0) for n in (1, 2)]
    np.testing.assert_array_equal(*results)


# --- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_draws_have_the_moments_of_the_conditional_mixture(covariance_type):
    model, mixture = random_model(covariance_type)
    row = np.array([0.3, NAN, -0.5, NAN])
    for lacking in (row, np.full(4, NAN)):
        m = np.isnan(lacking)
        draws = model.impute([lacking], n_draws=40_000, random_state=0)[:, 0]
        np.testing.assert_array_equal(draws[:, ~m], np.tile(lacking[~m], (40_000, 1)))
        shares, means, covariances = conditional(mixture, lacking)
        mean = shares @ means
        apart = means - mean
        covariance = np.einsum("k,kij->ij", shares, covariances)
        covariance += np.einsum("k,ki,kj->ij", shares, apart, apart)
        scale = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose((draws[:, m].mean(axis=0) - mean) / scale, 0, atol=0.025)
        found = np.cov(draws[:, m].T) / np.outer(scale, scale)
        np.testing.assert_allclose(found, covariance / np.outer(scale, scale), atol=0.05)


def test_draws_come_from_each_component_as_often_as_it_is_responsible():
    model = GaussianMixture.from_parameters(
        [0.5, 0.5, 0.0], [[0, -9], [1, 9], [0, 99]], [0.01, 0.01, 0.01],
        covariance_type="spherical",
    )  # fmt: skip
    x = 0.505
    share = 1 / (1 + np.exp(-50 * (x**2 - (x - 1) ** 2)))
    draws = model.impute([[x, NAN]], n_draws=20_000, random_state=3)[:, 0, 1]
    assert (draws > 0).mean() == pytest.approx(share, abs=0.015)
    assert np.abs(np.abs(draws) - 9).max() < 1


def test_shares_of_zero_are_never_chosen():
    shares = np.array([[0.0, 0.3, 0.7, 0.0]])
    uniform = np.array([[0.0, 0.3, np.nextafter(1.0, 0.0)]])
    assert completion._chosen(shares, uniform).tolist() == [[1, 2, 2]]


def test_draws_are_reproducible():
    model, mixture = random_model(random_state=7)
    X = holed(mixture, 50)
    one = model.impute(X, n_draws=3, random_state=0)
    assert one.shape == (3, *X.shape)
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(one, model.impute(X, n_draws=3, random_state=0))
    more = model.impute(X, n_draws=5, random_state=0)
    np.testing.assert_allclose(more[:3], one, rtol=1e-10)  # a draw is the same among more
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, model.impute(X, n_draws=3, random_state=1))
    # As with `sample`, the model's own seed starts one stream.
    first, second = model.impute(X, n_draws=1), model.impute(X, n_draws=1)
    assert not np.array_equal(first, second)
    again = random_model(random_state=7)[0]
    np.testing.assert_array_equal(first, again.impute(X, n_draws=1))
    for new in (np.random.default_rng, np.random.RandomState):
        generator = new(5)
        drawn = [model.impute(X, n_draws=1, random_state=generator) for _ in range(2)]
        assert not np.array_equal(*drawn)
        np.testing.assert_array_equal(drawn[0], model.impute(X, n_draws=1, random_state=new(5)))


def test_draws_come_with_deviations():
    model, mixture = random_model()
    X = holed(mixture, 20)
    draws, deviations = model.impute(X, n_draws=2, random_state=0, return_std=True)
    np.testing.assert_array_equal(draws, model.impute(X, n_draws=2, random_state=0))
    np.testing.assert_array_equal(deviations, model.impute(X, return_std=True)[1])


# --- rows from elsewhere -------------------------------------------------------------------------


@pytest.mark.parametrize("known_length", [True, False])
def test_chunks_give_what_one_array_gives(known_length):
    model, mixture = random_model()
    X = holed(mixture, 101)
    chunks = [X[:40], X[40:41], X[41:].astype(np.float32).astype(np.float64)]
    X = np.concatenate(chunks)
    source = sources.ChunkSource(chunks)
    source.n_rows = 101 if known_length else None
    for arguments in ({}, {"n_draws": 3, "random_state": 0}):
        one, std = model.impute(X, return_std=True, **arguments)
        other, other_std = model.impute(source, return_std=True, **arguments)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(std, other_std, rtol=1e-12, atol=1e-12)
        assert one.shape == other.shape
        np.testing.assert_array_equal(model.impute(source, **arguments), other)


def test_files_and_tables(tmp_path):
    pd = pytest.importorskip("pandas")
    model, mixture = random_model()
    X = holed(mixture, 30)
    np.save(tmp_path / "rows.npy", X)
    np.testing.assert_allclose(model.impute(tmp_path / "rows.npy"), model.impute(X), rtol=1e-12)
    model.feature_names_in_ = np.array(list("abcd"), dtype=object)
    table = pd.DataFrame(X, columns=list("abcd"))
    np.testing.assert_array_equal(model.impute(table), random_model()[0].impute(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.impute(table[list("dcba")])


def test_dask_collections():
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    model, mixture = random_model()
    X = holed(mixture, 90)
    lazy = da.from_array(X, chunks=(40, 4))
    with dask.config.set(scheduler="synchronous"):
        filled, std = model.impute(lazy, return_std=True)
        assert filled.chunks == lazy.chunks
        filled, std = dask.compute(filled, std)
        np.testing.assert_allclose(filled, model.impute(X), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(std, model.impute(X, return_std=True)[1], rtol=1e-9)
        draws = model.impute(lazy, n_draws=2, random_state=0)
        assert draws.shape == (2, 90, 4)
        one = draws.compute()
        np.testing.assert_array_equal(one, model.impute(lazy, n_draws=2, random_state=0))
        # Every block has random numbers of its own.
        empty = model.impute(da.full((4, 4), NAN, chunks=(2, 4)), n_draws=1, random_state=0)
        assert len(np.unique(empty.compute()[0, :, 0])) == 4
        with pytest.raises(ValueError, match="contains infinity"):
            model.impute(da.full((4, 4), np.inf, chunks=(2, 4))).compute()


# --- what comes in -------------------------------------------------------------------------------


def test_nothing_is_missing():
    model, mixture = random_model()
    X = holed(mixture, 10, share=0.0)[1:]
    filled, deviations = model.impute(X, return_std=True)
    np.testing.assert_array_equal(filled, X)
    assert filled is not X
    assert not np.shares_memory(filled, X)
    assert not deviations.any()
    np.testing.assert_array_equal(model.impute(X, n_draws=2, random_state=0), [X, X])


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.tolist(),
        np.asfortranarray,
        lambda X: X.astype(">f8"),
        lambda X: X[::-1][::-1],
        lambda X: np.ma.masked_invalid(X),
    ],
)
def test_rows_in_any_form(convert):
    model, mixture = random_model()
    X = holed(mixture, 20)
    np.testing.assert_array_equal(model.impute(convert(X)), model.impute(X))


def test_integers_become_doubles():
    model, _ = random_model(d=2)
    filled = model.impute(np.array([[1, 2], [3, 4]]))
    assert filled.dtype == np.float64
    assert filled.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        ([[1.0, np.inf]], {}, r"contains infinity.*row 0, column 1.*Drop those rows, or rescale"),
        ([[NAN, NAN], [NAN, -np.inf]], {}, r"contains infinity.*row 1, column 1"),
        ([[1.0, 2.0, NAN]], {}, "X has 3 features"),
        ([1.0, NAN], {}, "Expected 2D array"),
        (np.empty((0, 2)), {}, "0 sample"),
        ([["a", "b"]], {}, "could not convert|not a number|numbers"),
        ([[1.0, NAN]], {"n_draws": 0}, "n_draws must be an int of at least 1, or None"),
        ([[1.0, NAN]], {"n_draws": 1.5}, "n_draws must be an int"),
        ([[1.0, NAN]], {"n_draws": True}, "n_draws must be an int"),
        ([[1.0, NAN]], {"n_draws": 1, "random_state": "x"}, "cannot start a random generator"),
    ],
)
def test_what_cannot_be_imputed(X, arguments, message):
    model, _ = random_model(d=2)
    with pytest.raises(ValueError, match=message):
        model.impute(X, **arguments)


def test_a_result_there_is_no_memory_for():
    model, _ = random_model(d=2)
    with pytest.raises(MemoryError, match=r"takes [\d,]+ bytes.*Pass fewer rows at a time\.$"):
        model.impute([[1.0, NAN]], n_draws=2**50)


def test_a_model_must_be_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture().impute([[NAN]])


def test_the_model_stays_as_it_was():
    model, mixture = random_model()
    before = {name: np.copy(value) for name, value in vars(model).items()}
    X = holed(mixture, 20)
    model.impute(X, return_std=True)
    model.impute(X, n_draws=2, random_state=0)
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(model, name), value)
