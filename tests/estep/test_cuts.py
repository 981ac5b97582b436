"""A row's result does not depend on the rows beside it, however arrays and sources are cut."""

from __future__ import annotations

import numpy as np
import pytest

from support import reference
from support.families import COVARIANCE_TYPES
from support.models import model_of

# Features and components. NumPy adds eight numbers or more in another order than fewer.
SIZES = ((1, 9), (3, 2), (11, 9), (21, 2))

GIVEN = {1: None, 3: [1], 11: [0, 4, 5], 21: list(range(0, 21, 2))}


def drawn(d: int, K: int, covariance_type: str, n: int = 40):
    rng = np.random.default_rng([d, K])
    mixture = reference.random_mixture(rng, covariance_type, K, d)
    return model_of(mixture), reference.draw(rng, mixture, n), rng


def assert_cut_alike(call, X, sizes=(1, 7)):
    """`call` returns an array, rows first, for rows."""
    whole = call(X)
    for size in sizes:
        parts = [call(X[i : i + size]) for i in range(0, len(X), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole, err_msg=f"{size} rows")


METHODS = {
    "score_samples": lambda model, X: model.score_samples(X),
    "predict": lambda model, X: model.predict(X),
    "predict_proba": lambda model, X: model.predict_proba(X),
    "mahalanobis": lambda model, X: model.mahalanobis(X),
    "contributions": lambda model, X: model.feature_contributions(X),
    "impute": lambda model, X: model.impute(X),
    "deviations": lambda model, X: model.impute(X, return_std=True)[1],
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize(("d", "K"), SIZES)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_methods_that_return_something_for_each_row(covariance_type, d, K, holes, dtype):
    model, X, rng = drawn(d, K, covariance_type)
    X = X.astype(dtype)
    if holes:
        X[rng.random(X.shape) < 0.2] = np.nan
        model.set_params(allow_nan=True)
    for name, method in METHODS.items():
        if holes and name == "contributions" and d == 1:
            continue  # nothing is left that could contribute
        assert_cut_alike(lambda rows, method=method: method(model, rows), X)


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize(("d", "K"), SIZES[1:])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_conditionals(covariance_type, d, K, holes):
    model, X, rng = drawn(d, K, covariance_type, n=20)
    columns = GIVEN[d]
    values = X[:, columns]
    if holes:
        values[rng.random(values.shape) < 0.2] = np.nan
        model.set_params(allow_nan=True)

    def predicted(rows):
        result = model.predict_conditional(rows, columns, quantiles=[0.2, 0.9])
        parts = result.mean, result.covariance, result.quantiles
        return np.concatenate([part.reshape(len(rows), -1) for part in parts], axis=1)

    def conditions(rows):
        models = model.condition(columns, rows)
        names = "weights_", "means_", "covariances_", "precisions_cholesky_"
        return np.array([np.concatenate([getattr(m, n).ravel() for n in names]) for m in models])

    assert_cut_alike(predicted, values)
    assert_cut_alike(conditions, values)


@pytest.mark.parametrize("d", [3, 11])
def test_shapley_values(d):
    model, X, _ = drawn(d, 2, "full", n=30)

    def contributions(rows):
        return model.feature_contributions(rows, "shapley", n_permutations=4, random_state=0)

    assert_cut_alike(contributions, X)


@pytest.mark.parametrize("sizes", [(1,), (7,), (1000, 3, 40_000)], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
def test_sums_over_all_rows_of_a_source(dtype, sizes):
    """`score` and the criteria are those of an array, to the bit."""
    n = 2_000 if sizes[0] < 1000 else 90_001
    model, X, _ = drawn(3, 2, "full", n=n)
    X = X.astype(dtype)
    stops = np.cumsum(np.resize(sizes, n))
    pieces = np.split(X, stops[stops < n])
    for name in ("score", "aic", "bic", "icl"):
        assert getattr(model, name)(pieces) == getattr(model, name)(X), name


def test_one_row_too_far_out_changes_nothing_of_the_others(instruction_set):
    """One whose squared distance overflows sends no row beside it another way."""
    for d in (3, 24):
        model, X, rng = drawn(d, 3, "full", n=60)
        X[rng.random(X.shape) < 0.2] = np.nan
        X[0] = X[1]  # of one pattern
        far = X.copy()
        far[0] *= 1e160
        model.set_params(allow_nan=True)
        for method in (model.score_samples, model.predict_proba, model.predict):
            np.testing.assert_array_equal(method(far)[1:], method(X)[1:])
