"""Rows drawn given values of some columns, against the formulas of conditional mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gaussmix import GaussianMixture
from support.families import COVARIANCE_TYPES
from support.models import mixture_of
from support.reference import dense_covariances
from support.rows import table

NAMES = ["a", "b", "c", "d"]
VALUES = np.array([[0.5, 1.0], [-1.5, 1.0], [4.0, 1.0]])  # of d and of b, for three rows


def fitted(covariance_type="full", names=NAMES, **params):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4)) @ rng.normal(size=(4, 4))
    X[:250] += [2.0, 0.0, -2.0, 1.0]
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0, tol=0.1, **params)
    model.fit(X)
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def conditional(model, columns, values):
    """Weights, means and covariances of the other columns, from inverses of matrices."""
    g = np.array(columns)
    m = np.setdiff1d(np.arange(4), g)
    weights, means, covariances = [], [], []
    dense = dense_covariances(mixture_of(model))
    for weight, mean, S in zip(model.weights_, model.means_, dense):
        weights.append(weight * stats.multivariate_normal(mean[g], S[np.ix_(g, g)]).pdf(values))
        slopes = S[np.ix_(m, g)] @ np.linalg.inv(S[np.ix_(g, g)])
        means.append(mean[m] + slopes @ (values - mean[g]))
        covariances.append(S[np.ix_(m, m)] - slopes @ S[np.ix_(g, m)])
    return np.array(weights) / sum(weights), np.array(means), np.array(covariances), m


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_every_row_is_drawn_from_its_own_conditional_mixture(covariance_type):
    model = fitted(covariance_type)
    n = 20_000
    X, y = model.sample(n, random_state=3, given={"d": VALUES[:, 0], "b": 1.0})
    assert X.shape == (3, n, 4)
    assert y.shape == (3, n)
    for i, values in enumerate(VALUES):
        weights, means, covariances, rest = conditional(model, [3, 1], values)
        np.testing.assert_array_equal(X[i][:, [3, 1]], np.tile(values, (n, 1)))
        counts = np.bincount(y[i], minlength=3)
        np.testing.assert_allclose(counts / n, weights, atol=5 * np.sqrt(0.25 / n))
        for k in np.flatnonzero(counts > 500):
            own = X[i][y[i] == k][:, rest]
            # Made standard normal by the oracle's factor, whatever the columns had in common.
            Z = np.linalg.solve(np.linalg.cholesky(covariances[k]), (own - means[k]).T)
            for z in Z:
                assert stats.kstest(z, "norm").pvalue > 1e-4
            correlations = np.corrcoef(Z)[np.triu_indices(len(Z), 1)]
            assert np.abs(correlations).max(initial=0) < 5 / np.sqrt(counts[k])


def test_one_row_given_is_as_without_it_but_for_its_columns():
    model = fitted()
    X, y = model.sample(5, random_state=1, given={"d": 0.5, "b": 1.0})
    assert X.shape == (5, 4)
    assert y.shape == (5,)
    rows, labels = model.sample(5, random_state=1, given={3: [0.5, 9.0], 1: 1.0})
    np.testing.assert_allclose(rows[0], X, rtol=1e-12)
    np.testing.assert_array_equal(labels[0], y)
    # The number of draws decides none of them, however many are computed at a time.
    many, _labels = model.sample(70_000, random_state=1, given={3: [0.5, 9.0], 1: 1.0})
    np.testing.assert_allclose(many[:, :5], rows, rtol=1e-12)
    assert not np.isclose(many[0, :, 0], many[1, :, 0]).any()
    assert len(np.unique(many[0, :, 0])) == 70_000


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_table_of_rows_is_given(library):
    model = fitted()
    given = table(library, {"d": VALUES[:, 0], "b": VALUES[:, 1]})
    X, _ = model.sample(4, random_state=0, given=given)
    expected, _ = model.sample(4, random_state=0, given={"d": VALUES[:, 0], "b": VALUES[:, 1]})
    np.testing.assert_array_equal(X, expected)


def test_what_is_missing_is_not_given():
    model = fitted(allow_nan=True)
    X, _ = model.sample(9, random_state=0, given={"a": [np.nan, 2.0], "b": [np.nan, np.nan]})
    assert np.isfinite(X).all()
    assert (X[1, :, 0] == 2.0).all()
    assert len(np.unique(X[0, :, 0])) == len(np.unique(X[1, :, 1])) == 9


def test_the_model_goes_on_as_after_any_sample():
    model, other = fitted(), fitted()
    model.sample(3, given={0: 1.0})
    other.sample(3)
    np.testing.assert_array_equal(model.sample(2)[0], other.sample(2)[0])
    single = GaussianMixture(random_state=0).fit(np.arange(12.0, dtype="f4").reshape(6, 2) ** 2)
    assert single.sample(2, given={0: 1.0})[0].dtype == np.float32


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([0.5], TypeError, r"given must be a mapping .* such as \{0: 1.5\}.*Got \[0.5\]"),
        ({}, ValueError, "given chooses no column"),
        ({"e": 1.0}, ValueError, "given names 'e', which the model was not fitted with"),
        (dict.fromkeys("abcd", 1.0), ValueError, "given chooses all 4 .* at least one, to be dr"),
        (
            {"a": [1, 2], "b": [1] * 3},
            ValueError,
            r"given\['b'\] has 3 values, and given\['a'\]",
        ),
        ({"a": [[1]]}, ValueError, r"given\['a'\] has the shape \(1, 1\). Pass a number, or one"),
        ({"a": "x"}, ValueError, r"given\['a'\] must hold real numbers"),
        ({"a": [1, np.nan]}, ValueError, "given contains NaN. First at row 1, column 0 .'a'"),
        ({"a": np.inf}, ValueError, "given contains infinity"),
    ],
)
def test_what_cannot_be_given_leaves_the_stream(given, error, message):
    model = fitted()
    with pytest.raises(error, match=message):
        model.sample(3, given=given)
    np.testing.assert_array_equal(model.sample(2)[0], fitted().sample(2)[0])
