"""Covariances and precisions are symmetric to the last bit, whichever way they come about."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from gaussmix import ConvergenceWarning, GaussianMixture


def rows(seed: int, share_missing: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 40))
    X = rng.normal(size=(5 * d + 60, d)) @ rng.normal(size=(d, d)) + 3.0 * rng.normal(size=d)
    X[: len(X) // 2] += 4.0
    X[rng.random(X.shape) < share_missing] = np.nan
    return X


def assert_symmetric(model: GaussianMixture) -> None:
    for matrices in (model.covariances_, model.precisions_):
        np.testing.assert_array_equal(matrices, np.swapaxes(matrices, -1, -2))


def nearly(rng: np.random.Generator, matrices):
    """Matrices that rounding has made asymmetric."""
    return matrices * (1.0 + 1e-13 * rng.normal(size=matrices.shape))


@pytest.mark.parametrize(
    "params",
    [{}, {"variance_floor": 0.2}, {"acceleration": "squarem"}, {"init_params": "random"}],
    ids=str,
)
@pytest.mark.parametrize("share_missing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_covariances_are_symmetric(covariance_type, share_missing, params):
    warnings.simplefilter("ignore", ConvergenceWarning)
    params = {"covariance_type": covariance_type, "reg_covar": 1e-3, "random_state": 0, **params}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rows(seed, share_missing).astype([np.float64, np.float32][seed % 2])
        model = GaussianMixture(2, allow_nan=True, max_iter=0, **params).fit(X)
        assert_symmetric(model)
        model = GaussianMixture(2, allow_nan=True, max_iter=8, tol=0.0, **params).fit(X)
        assert_symmetric(model)
        assert_symmetric(model.update(model.accumulate(X[:40]) + model.accumulate(X[40:])))
        assert_symmetric(model.update(model.accumulate(X), "c"))
        assert_symmetric(model.partial_fit(X[:50]).partial_fit(X[50:]))
        assert_symmetric(model.marginal([0]))
        if X.shape[1] > 2:
            assert_symmetric(model.marginal([1, 0]))
            assert_symmetric(model.condition([0], [0.5]))
            given = model.predict_conditional(np.ones((3, 1), X.dtype), [0]).covariance
            np.testing.assert_array_equal(given, np.swapaxes(given, -1, -2))
        assert_symmetric(model.revive(0).partial_fit(X[:30]))
        covariances, precisions = model.covariances_, model.precisions_.astype(np.float64)
        if X.dtype == np.float64:
            covariances = nearly(rng, covariances)
        assert_symmetric(
            GaussianMixture.from_parameters(
                model.weights_, model.means_, covariances, covariance_type=covariance_type
            )
        )
        given = GaussianMixture(
            2, precisions_init=nearly(rng, precisions), allow_nan=True, max_iter=0, **params
        )
        assert_symmetric(given.fit(X))
        assert_symmetric(model.retire(1))
