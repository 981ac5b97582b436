"""Passes over rows with missing values: what is kept from one to the next, threads, scores."""

from __future__ import annotations

import dataclasses
import math
import time
import tracemalloc

import numpy as np
import pytest

import gaussmix
from gaussmix._estep import accumulation
from gaussmix._estep.missing.accumulation import IncompletePlan
from gaussmix._rows.array_rows import Rows
from gaussmix._rows.patterns import patterns
from gaussmix.sources import ChunkSource
from support import reference
from support.assertions import assert_same
from support.families import COVARIANCE_TYPES, LAYOUT_OF
from support.kernels import same_statistics
from support.missing import (
    SIZES,
    assert_close_statistics,
    case,
    fitted,
    holed,
    starting_at,
    tolerant,
)
from support.models import parameters_of
from support.reference import Mixture

# --- cheaper ways, and what is kept from one pass to the next ------------------------------------


@pytest.mark.parametrize("kept_bytes", [0, 125_000, 1 << 25])
def test_what_is_kept_changes_no_bit(monkeypatch, kept_bytes):
    """Room for nothing, for some units and for all, and pieces whose size changes with K."""
    monkeypatch.setattr("gaussmix._rows.patterns.KEPT_BYTES", kept_bytes)
    monkeypatch.setattr("gaussmix._estep.missing.accumulation.UNIT_VALUES", 3 * 4_000)
    rng = np.random.default_rng(8)
    X = reference.draw(rng, reference.random_mixture(rng, "tied", 2, 3), 19_001)
    X[::2, 0] = X[5::7, 1] = np.nan
    rows = Rows(X, allow_nan=True)
    for K in (2, 200, 2, 40):
        mixture = reference.random_mixture(rng, "tied", K, 3)
        for expanded in (True, False):
            plan = IncompletePlan(parameters_of(mixture), rows.centre, expanded)
            expected = plan.accumulate(Rows(X, allow_nan=True))
            for _ in range(2):
                same_statistics(plan.accumulate(rows), expected)
    assert len(rows.kept.patterns) == {0: 0, 125_000: 3, 1 << 25: 5}[kept_bytes]


def test_nothing_is_kept_of_pieces_that_are_completed_row_by_row():
    rng = np.random.default_rng(9)
    mixture = reference.random_mixture(rng, "tied", 2, 30)
    rows = Rows(holed(rng, reference.draw(rng, mixture, 2_000), 0.2), allow_nan=True)
    plan = IncompletePlan(parameters_of(mixture), rows.centre, expanded=True)
    tracemalloc.start()
    plan.accumulate(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000 * 30 * 31 // 2 * 8  # a triangle for each


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_cheap_ways_are_taken_where_they_hold(covariance_type):
    rng = np.random.default_rng(10)
    mixture = reference.random_mixture(rng, covariance_type, 2, 3)
    X = holed(rng, reference.draw(rng, mixture, 3_000), 0.2)
    near = Rows(X, allow_nan=True)
    plans = list(accumulation.plans(parameters_of(mixture), near, 0.0))
    assert [plan.expanded for plan in plans] == [True, False]
    assert plans[0].is_accurate(plans[0].accumulate(near), 0.0)
    # A component 1e4 deviations away from the others.
    away = dataclasses.replace(mixture, means=mixture.means + np.array([[0.0], [1e4]]))
    plans = list(accumulation.plans(parameters_of(away), near, 0.0))
    assert [plan.expanded for plan in plans] == [False]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_a_component_that_shrinks_keeps_its_digits(covariance_type):
    """Before the step its variance is 1, about the centre nothing would be left of the new one."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3_000, 3))
    if covariance_type == "tied":
        X *= 1e-7
    X[:400] = 30 + 1e-7 * rng.normal(size=(400, 3))
    X[400::2, 0] = np.nan
    covariances = {"full": np.tile(np.eye(3), (2, 1, 1)), "tied": np.eye(3)}
    mixture = Mixture(
        covariance_type,
        np.array([0.5, 0.5]),
        np.array([[0.0] * 3, [30.0] * 3]),
        covariances.get(LAYOUT_OF[covariance_type], np.ones(2)),
    )
    rows = Rows(X, allow_nan=True)
    assert next(iter(accumulation.plans(parameters_of(mixture), rows, 0.0))).expanded
    found = accumulation.accumulate(parameters_of(mixture), rows)
    exact = IncompletePlan(parameters_of(mixture), rows.centre, expanded=False).accumulate(rows)
    same_statistics(found, exact)


# --- threads and instruction sets ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_any_number_of_threads_gives_the_same_bits(covariance_type, dtype):
    rng = np.random.default_rng(5)
    mixture = reference.random_mixture(rng, covariance_type, 3, 5)
    X = holed(rng, reference.draw(rng, mixture, 9_001), 0.2).astype(dtype)
    params = {"covariance_type": covariance_type, "max_iter": 5, "random_state": 0}
    one, two = (fitted(X, n_components=3, n_threads=count, **params) for count in (1, 2))
    assert_same(one, two)
    for method in ("score_samples", "predict_proba", "predict"):
        first, second = getattr(one, method)(X), getattr(two, method)(X)
        np.testing.assert_array_equal(first, second, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_many_rows_are_the_sum_of_few(covariance_type, dtype):
    rng = np.random.default_rng(6)
    mixture = reference.random_mixture(rng, covariance_type, 3, 6)
    X = holed(rng, reference.draw(rng, mixture, 30_011), 0.3).astype(dtype)
    weights = rng.uniform(0.0, 2.0, len(X))
    model = tolerant(mixture)
    whole = model.accumulate(X, sample_weight=weights)
    pieces = np.array_split(np.arange(len(X)), 101)
    parts = sum(model.accumulate(X[piece], sample_weight=weights[piece]) for piece in pieces)
    for name in ("weight", "first", "second", "log_likelihood", "total_weight"):
        ours, theirs = getattr(whole, name), getattr(parts, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * len(X), err_msg=name)
    density = np.concatenate([model.score_samples(X[piece]) for piece in pieces])
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(model.score_samples(X), density, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_every_instruction_set_agrees_with_the_reference(instruction_set, covariance_type):
    for dtype, size, tolerance in (
        (np.float64, (40, 5, 3), 1e-11),
        (np.float32, (40, 5, 3), 1e-11),
        (np.float32, (50, 20, 2), 2e-5),
    ):
        mixture, X, weights = case(size, covariance_type, dtype, seed=2)
        model = tolerant(mixture)
        expected = reference.incomplete_statistics(mixture, X, sample_weight=weights)
        assert_close_statistics(model.accumulate(X, sample_weight=weights), expected, tolerance)
        np.testing.assert_allclose(
            model.predict_proba(X),
            reference.incomplete_responsibilities(mixture, X),
            atol=max(10 * tolerance, 1e-6 if dtype == np.float32 else 0.0),
        )


def test_memory_does_not_grow_with_the_rows():
    X = np.random.default_rng(0).normal(size=(600_000, 10))
    X[::5, 3] = np.nan
    mixture = reference.random_mixture(np.random.default_rng(0), "diag", 2, 10)
    peaks = []
    for n in (300_000, 600_000):
        tracemalloc.start()
        model = fitted(X[:n], **starting_at(mixture), max_iter=1)
        model.score(X[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_patterns_are_found_as_fast_wherever_the_columns_with_holes_are():
    n, columns = 1 << 14, 14
    holes = np.arange(n)[:, None] >> np.arange(columns) & 1 == 1
    seconds = []  # of this thread's processor, whatever else the machine does
    for first in (0, 50):
        X = np.zeros((n, 64))
        X[:, first : first + columns][holes] = np.nan
        start = time.thread_time()
        for _ in range(10):  # together longer than a tick of the clock
            found = patterns(X)
        seconds.append(time.thread_time() - start)
        assert len(found.observed) == n
    assert seconds[1] < 10 * seconds[0]


# --- scoring -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scores_are_the_reference_s(covariance_type, size, dtype):
    mixture, X, _ = case(size, covariance_type, dtype)
    model = tolerant(mixture)
    expected = reference.incomplete_log_densities(mixture, X)
    rtol = {np.float64: 1e-11, np.float32: 1e-5}[dtype]
    density = model.score_samples(X)
    assert density.dtype == dtype
    np.testing.assert_allclose(density, expected, rtol=rtol, atol=rtol)
    shares = reference.incomplete_responsibilities(mixture, X)
    found = model.predict_proba(X)
    np.testing.assert_allclose(found, shares, atol=3 * rtol)
    sure = np.sort(shares, axis=1)[:, -1] > 0.5 + 1e-3
    np.testing.assert_array_equal(model.predict(X)[sure], shares.argmax(axis=1)[sure])
    n = len(X)
    total = expected.sum()
    np.testing.assert_allclose(model.score(X), expected.mean(), rtol=rtol, atol=rtol)
    price = model.n_parameters()
    np.testing.assert_allclose(model.bic(X), -2 * total + price * math.log(n), rtol=rtol)
    np.testing.assert_allclose(model.aic(X), -2 * total + 2 * price, rtol=rtol)
    completed = total + np.log(shares.max(axis=1)).sum()
    np.testing.assert_allclose(model.icl(X), -2 * completed + price * math.log(n), rtol=rtol)


def test_a_row_without_values_has_density_one_and_the_weights():
    mixture = case((40, 5, 3), "full")[0]
    model = tolerant(mixture)
    nothing = np.full((3, 5), np.nan)
    np.testing.assert_array_equal(model.score_samples(nothing), 0.0)
    np.testing.assert_allclose(model.predict_proba(nothing), [mixture.weights] * 3, rtol=1e-15)
    assert (model.predict(nothing) == mixture.weights.argmax()).all()
    assert model.score(nothing) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_complete_rows_have_the_same_bits_beside_incomplete_ones(covariance_type, dtype):
    for d in (5, 20):
        rng = np.random.default_rng(d)
        mixture = reference.random_mixture(rng, covariance_type, 3, d)
        X = reference.draw(rng, mixture, 400).astype(dtype)
        X[::3] = holed(rng, X[::3], 0.5)
        complete = ~np.isnan(X).any(axis=1)
        model = tolerant(mixture)
        for method in ("score_samples", "predict_proba", "predict"):
            together, alone = getattr(model, method)(X), getattr(model, method)(X[complete])
            np.testing.assert_array_equal(together[complete], alone, strict=True)


def test_what_is_for_complete_rows_never_sees_a_missing_value(monkeypatch):
    rng = np.random.default_rng(0)
    mixture = reference.random_mixture(rng, "full", 2, 3)
    X = reference.draw(rng, mixture, 10_000)
    X[3000, 1] = np.nan
    model = tolerant(mixture)
    kernels = gaussmix._runtime.instruction_sets.kernels()
    evaluate = kernels.evaluate

    def checked(rows, *arguments):
        assert np.isfinite(rows).all()
        return evaluate(rows, *arguments)

    monkeypatch.setattr(kernels, "evaluate", checked)
    densities = model.score_samples(X)
    assert model.score(X) == pytest.approx(densities.mean())
    model.predict_proba(ChunkSource(lambda: iter([X])), out=np.empty((len(X), 2)))
    model.fit_predict(X)


def test_scores_written_to_out():
    mixture, X, _ = case((40, 5, 3), "full")
    model = tolerant(mixture)
    for method, shape, dtype in (
        ("predict", (40,), np.intp),
        ("score_samples", (40,), np.float64),
        ("predict_proba", (40, 3), np.float64),
    ):
        out = np.full(shape, 7, dtype=dtype)
        assert getattr(model, method)(X, out=out) is out
        np.testing.assert_array_equal(out, getattr(model, method)(X))


def test_rows_in_any_layout():
    mixture, X, _ = case((40, 5, 3), "full")
    model = tolerant(mixture)
    expected = model.score_samples(X)
    sums = model.accumulate(X)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    for other in (np.asfortranarray(X), wide, X.astype(">f8"), X.astype(object), X.tolist()):
        np.testing.assert_array_equal(model.score_samples(other), expected)
        np.testing.assert_array_equal(model.accumulate(other).second, sums.second)


def test_rows_are_not_written_to():
    X = case((40, 5, 3), "full")[1]
    before = X.copy()
    X.flags.writeable = False
    model = fitted(X, n_components=2, random_state=0)
    model.predict_proba(X)
    np.testing.assert_array_equal(X, before)


def test_incomplete_rows_are_plotted():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    from gaussmix.plotting import plot_covariances, plot_density, plot_responsibilities

    mixture, X, _ = case((40, 5, 3), "full")
    for plot in (plot_covariances, plot_density, plot_responsibilities):
        plot(tolerant(mixture), X, ax=plt.figure().add_subplot()).figure.canvas.draw()
    plt.close("all")
