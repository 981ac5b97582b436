"""SufficientStatistics: adding, shifting, scaling and checking them."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import SufficientStatistics
from support import reference


def statistics_of(mixture, X, shift=None, sample_weight=None) -> SufficientStatistics:
    sums = reference.statistics(mixture, X, shift, sample_weight)
    total = float(len(X) if sample_weight is None else np.sum(sample_weight))
    return SufficientStatistics(
        mixture.covariance_type,
        sums.weight,
        sums.first,
        sums.second,
        sums.shift,
        sums.log_likelihood,
        total,
        len(X),
    )


def assert_same(a: SufficientStatistics, b: SufficientStatistics, rtol: float = 1e-11) -> None:
    assert a.covariance_type == b.covariance_type
    for name in ("weight", "first", "second", "shift"):
        scale = np.abs(getattr(b, name)).max()
        np.testing.assert_allclose(
            getattr(a, name), getattr(b, name), rtol=rtol, atol=rtol * scale, err_msg=name
        )
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=rtol)
    assert a.total_weight == pytest.approx(b.total_weight)
    assert a.n_rows == b.n_rows


@pytest.fixture
def mixture(covariance_type):
    return reference.random_mixture(np.random.default_rng(1), covariance_type, 3, 2)


@pytest.fixture
def X():
    return np.random.default_rng(2).normal(scale=3, size=(60, 2)) + np.array([5, -2])


def test_shifting_is_the_same_as_summing_about_the_new_point(mixture, X):
    shift = np.random.default_rng(3).normal(size=(3, 2))
    moved = statistics_of(mixture, X).shifted(shift)
    assert_same(moved, statistics_of(mixture, X, shift))


def test_chunks_add_up_whatever_their_shifts(mixture, X):
    parts = [
        statistics_of(mixture, X[:7]),
        statistics_of(mixture, X[7:40], shift=mixture.means + 1.5),
        statistics_of(mixture, X[40:], shift=mixture.means - 0.5),
    ]
    whole = statistics_of(mixture, X)
    assert_same(sum(parts), whole)
    assert_same(SufficientStatistics.merge(parts), whole)
    assert_same(SufficientStatistics.merge(iter(parts)), whole)


def test_adding_and_merging_leave_the_parts_alone(mixture, X):
    parts = [statistics_of(mixture, X[:30]), statistics_of(mixture, X[30:])]
    kept = [part.copy() for part in parts]
    merge = SufficientStatistics.merge
    results = [sum(parts), merge(parts), merge(parts[:1])]
    for result in results:
        for array in (result.weight, result.first, result.second, result.shift):
            array += 1
    for part, before in zip(parts, kept, strict=True):
        assert_same(part, before, rtol=0)


def test_merge_takes_any_number_of_parts(mixture, X):
    whole = statistics_of(mixture, X)
    for n_parts in (1, 2, 3, 5, 8):
        parts = [statistics_of(mixture, chunk) for chunk in np.array_split(X, n_parts)]
        assert_same(SufficientStatistics.merge(parts), whole)
    with pytest.raises(ValueError, match="at least one"):
        SufficientStatistics.merge([])


def test_scaling_is_scaling_every_row_weight(mixture, X):
    scaled = statistics_of(mixture, X).scaled(0.25)
    assert_same(scaled, statistics_of(mixture, X, sample_weight=np.full(len(X), 0.25)))
    assert_same(0.25 * statistics_of(mixture, X), scaled, rtol=0)
    assert_same(statistics_of(mixture, X) * np.float64(0.25), scaled, rtol=0)


@pytest.mark.parametrize("factor", [-1, np.nan, np.inf])
def test_scaling_refuses_factors_that_are_no_weights(mixture, X, factor):
    with pytest.raises(ValueError, match="factor"):
        statistics_of(mixture, X).scaled(factor)


def test_only_like_can_be_added_to_like(X):
    rng = np.random.default_rng(0)
    full = statistics_of(reference.random_mixture(rng, "full", 3, 2), X)
    diag = statistics_of(reference.random_mixture(rng, "diag", 3, 2), X)
    fewer = statistics_of(reference.random_mixture(rng, "full", 2, 2), X)
    with pytest.raises(ValueError, match=r"'full'.*'diag'"):
        full + diag
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 2\)"):
        full + fewer
    for other in (1, None, "x"):
        with pytest.raises(TypeError):
            full + other
    with pytest.raises(TypeError):
        1 + full
    with pytest.raises(TypeError):
        full * full
    with pytest.raises(ValueError, match="shift"):
        full.shifted(np.zeros((2, 2)))


def test_sizes(mixture, X):
    statistics = statistics_of(mixture, X)
    assert (statistics.n_components, statistics.n_features) == (3, 2)


@pytest.mark.parametrize("name", ["weight", "first", "second", "shift"])
def test_check_names_what_is_wrong(mixture, X, name):
    def wrong(value):
        statistics = statistics_of(mixture, X)
        setattr(statistics, name, value)
        return statistics

    right = getattr(statistics_of(mixture, X), name)
    statistics_of(mixture, X).check(mixture.covariance_type, 3, 2)
    with pytest.raises(ValueError, match=f"statistics[.]{name} must have shape"):
        wrong(right[:-1]).check(mixture.covariance_type, 3, 2)
    with pytest.raises(ValueError, match=f"statistics[.]{name} contains NaN"):
        wrong(right * np.nan).check(mixture.covariance_type, 3, 2)


def test_check_refuses_another_family_and_impossible_weights(X):
    mixture = reference.random_mixture(np.random.default_rng(1), "diag", 3, 2)
    statistics = statistics_of(mixture, X)
    with pytest.raises(ValueError, match="covariance_type 'diag'; expected 'full'"):
        statistics.check("full", 3, 2)
    negative = SufficientStatistics(**{**vars(statistics), "weight": -statistics.weight})
    with pytest.raises(ValueError, match="non-negative"):
        negative.check("diag", 3, 2)
    with pytest.raises(ValueError, match="positive sum"):
        statistics.scaled(0).check("diag", 3, 2)
    statistics.total_weight = np.nan
    with pytest.raises(ValueError, match="total_weight"):
        statistics.check("diag", 3, 2)
