"""What is checked of models in many places."""

from __future__ import annotations

import contextlib
import copy
import threading
import warnings

import numpy as np
import pytest

from support.models import FITTED_ARRAYS, METHODS


@contextlib.contextmanager
def nothing_lost(model, *arrays):
    """Check that a block leaves the model and the arrays as they were."""
    state = copy.deepcopy(vars(model))
    copies = [array.copy() for array in arrays]
    threads = threading.active_count()
    yield
    assert set(vars(model)) == set(state)
    for name, value in state.items():
        np.testing.assert_equal(vars(model)[name], value, err_msg=name)
    for array, before in zip(arrays, copies):
        np.testing.assert_array_equal(array, before)
    assert threading.active_count() <= threads


def raises_everywhere(model, X, error, *parts, methods=METHODS):
    """Check that each method refuses X, with all `parts` in the message, and loses nothing."""
    arrays = [X] if isinstance(X, np.ndarray) and X.dtype.kind == "f" else []
    for method in methods:
        with nothing_lost(model, *arrays), pytest.raises(error) as caught:
            getattr(model, method)(X)
        for part in parts:
            assert part in str(caught.value), method


def assert_sound(model):
    """Check that a fitted model is a mixture: finite, weights of sum 1, positive variances."""
    for name in FITTED_ARRAYS:
        assert np.isfinite(getattr(model, name)).all(), name
    assert np.isfinite(model.lower_bound_)
    assert not np.isnan(model.lower_bounds_).any()
    assert (model.weights_ >= 0).all()
    np.testing.assert_allclose(model.weights_.sum(), 1.0, rtol=1e-6)
    covariances = model.covariances_
    if model.covariance_type in ("full", "tied"):
        assert (np.linalg.eigvalsh(covariances) > 0).all()
    else:
        assert (covariances > 0).all()


def assert_same(first, second, of=""):
    """Check that two models are equal bit by bit, and came about in as many iterations."""
    for name in FITTED_ARRAYS:
        np.testing.assert_array_equal(
            getattr(first, name), getattr(second, name), err_msg=f"{name} {of}", strict=True
        )
    assert first.lower_bounds_ == second.lower_bounds_
    assert first.n_iter_ == second.n_iter_


@contextlib.contextmanager
def only_warnings(*categories):
    """Turn every warning but these into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield


def state_of(model):
    """A deep copy of everything in the model, to compare with later."""
    return copy.deepcopy(vars(model))


def assert_state(model, state):
    assert vars(model).keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_equal(getattr(model, name), value, err_msg=name)


def relative_error(covariance: np.ndarray, exact: np.ndarray) -> float:
    """Largest error of the variance in any direction, in units of the exact variance there."""
    deviation = np.sqrt(exact.diagonal())
    unit = np.outer(deviation, deviation)
    correlation = (exact / unit).astype(np.float64)
    factor = np.linalg.inv(np.linalg.cholesky(correlation))
    difference = ((covariance - exact) / unit).astype(np.float64)
    return float(np.linalg.norm(factor @ difference @ factor.T, 2))
