"""Every kernel against the plain NumPy reference, for each instruction set, family, precision,
size and layout.

Tolerances are derived, not tuned: a log-density is good to a few units in the last place times the
size of the terms it sums, a responsibility inherits that as a relative error, and a sum inherits
it times the sum of its magnitudes.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from gaussmix._estep import accumulation, kmeans, scoring
from gaussmix._estep.missing import accumulation as of_missing
from gaussmix._parameters.layouts import layout_of
from gaussmix._parameters.mixture import MixtureParameters
from gaussmix._rows import array_rows, first_pass
from gaussmix._runtime import instruction_sets
from support import reference
from support.families import COVARIANCE_TYPES, LAYOUTS
from support.kernels import (
    DTYPES,
    SIZES,
    Problem,
    assert_statistics,
    evaluate,
    problem,
    same_statistics,
)
from support.models import parameters_of as parameters
from support.reference import Mixture

# -------------------------------------------------------------------------------------------------
# Values


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_accumulate(instruction_set: str, covariance_type: str, dtype: type) -> None:
    for index, (n, d, K) in enumerate(SIZES):
        case = problem(covariance_type, n, d, K, dtype)
        weighted = (index + DTYPES.index(dtype)) % 2 == 1
        rows = array_rows.Rows(
            case.X, case.sample_weight if weighted else None, n_threads=1 + index % 3
        )
        w = case.sample_weight if weighted else np.ones(n)
        assert_statistics(
            accumulation.accumulate(parameters(case.mixture), rows),
            case.X,
            case.responsibilities * w[:, None],
            error=case.score_error,
            log_likelihood=float(w @ case.log_density),
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_evaluate(instruction_set: str, covariance_type: str, dtype: type) -> None:
    for index, (n, d, K) in enumerate(SIZES):
        case = problem(covariance_type, n, d, K, dtype)
        rows = array_rows.Rows(case.X, n_threads=1 + index % 3)
        log_density, shares, labels = evaluate(parameters(case.mixture), rows)
        assert log_density.dtype == shares.dtype == dtype
        np.testing.assert_allclose(log_density, case.log_density, rtol=0, atol=case.score_error)
        np.testing.assert_allclose(shares, case.responsibilities, rtol=0, atol=case.score_error)
        assert shares.min() >= 0.0
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=4 * K * case.precision)
        # The label is the best component, or one that ties with it to rounding.
        chosen = case.scores[np.arange(n), labels]
        assert (case.scores.max(axis=1) - chosen).max() <= 2 * case.score_error


def test_python_counts_features_as_the_kernels_do(instruction_set: str) -> None:
    """How rows are cut, and what is allocated, follows from the width in Python."""
    kernels = instruction_sets.kernels()
    for layout in LAYOUTS:
        for steps in (of_missing._exact_steps, of_missing._expanded_steps):
            for d in (1, 2, 7, 18):
                found = steps(layout_of(layout), 3, d)
                assert found.width == kernels.width(kernels.FEATURE_SETS[found.features], d)


def test_each_output_alone_has_the_bits_of_all_three(instruction_set: str) -> None:
    for covariance_type in COVARIANCE_TYPES:
        case = problem(covariance_type, 1000, 10, 8, np.float64)
        X = case.X.copy()
        X[::100] = 1e200 * X[::100]  # beyond every component, which each output treats apart
        rows, given = array_rows.Rows(X), parameters(case.mixture)
        together = dict(
            zip(("log_density", "responsibilities", "labels"), evaluate(given, rows), strict=True)
        )
        for name, whole in together.items():
            alone = np.zeros_like(whole)
            scoring.evaluate(given, rows, **{name: alone})
            np.testing.assert_array_equal(alone, whole, err_msg=f"{covariance_type} {name}")


def test_entries_are_unchanged_only_with_the_same_type_shape_and_bytes(
    instruction_set: str,
) -> None:
    unchanged = instruction_sets.row_kernels().unchanged
    matrix, vector = np.arange(6.0).reshape(2, 3), np.zeros(3, dtype=np.float32)
    copies = [matrix.copy(), vector.copy()]

    def same(matrix: object) -> bool:
        state = {"matrix": matrix, "vector": vector}
        return unchanged(state, ("matrix", "vector"), [None, None], [None, None], copies)

    assert same(matrix)
    others = [
        matrix.reshape(3, 2),
        matrix.astype(np.float32),
        matrix.view(np.int64),
        matrix.astype(">f8"),
        np.asfortranarray(matrix),
        matrix.ravel(),
        matrix.tolist(),
        None,
    ]
    for other in others:
        assert not same(other)
    vector[2] = -0.0
    assert not same(matrix)


def test_entries_without_a_copy_are_unchanged_while_they_are_the_same_object(
    instruction_set: str,
) -> None:
    unchanged = instruction_sets.row_kernels().unchanged
    given, shown = np.zeros(3), np.ones(3)
    state = {"a": given}
    assert unchanged(state, ("a", "b"), [given, None], [None, None], [None, None])
    assert not unchanged(state, ("a",), [given.copy()], [None], [None])
    assert not unchanged(state, ("a",), [None], [None], [None])
    assert unchanged(state, ("a",), [given], [shown], [shown.copy()])
    assert not unchanged(state, ("a",), [shown], [shown], [shown.copy()])
    shown[0] = 2.0
    assert not unchanged(state, ("a",), [given], [shown], [np.ones(3)])


def test_the_centre_changes_only_the_rounding(instruction_set: str) -> None:
    for covariance_type in COVARIANCE_TYPES:
        case = problem(covariance_type, 1000, 10, 8, np.float64)
        rows = array_rows.Rows(case.X)
        rows.centre = case.X[17].astype(np.float64)
        given = accumulation.accumulate(parameters(case.mixture), rows)
        assert_statistics(given, case.X, case.responsibilities, error=case.score_error)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_nearest_centres(instruction_set: str, dtype: type) -> None:
    """`squared_distances`, `lloyd` and `accumulate_nearest` agree with plain distances."""
    for index, (n, d, K) in enumerate(SIZES):
        case = problem("spherical", n, d, K, dtype)
        centres = case.mixture.means
        exact = ((case.X.astype(np.float64)[:, None, :] - centres) ** 2).sum(axis=2)
        error = 8 * case.precision * d * (1.0 + np.abs(case.X).max() + np.abs(centres).max()) ** 2
        rows = array_rows.Rows(case.X, case.sample_weight)
        distances = kmeans.squared_distances(rows, centres)
        assert distances.dtype == np.float64
        np.testing.assert_allclose(distances, exact.T, rtol=0, atol=error)

        labels = exact.argmin(axis=1)
        shares = (labels[:, None] == np.arange(K)) * case.sample_weight[:, None]
        weight, means = kmeans.lloyd(rows, centres)
        np.testing.assert_allclose(weight, shares.sum(axis=0), rtol=1e-12)
        filled = shares.sum(axis=0) > 0
        expected = (shares.T @ case.X.astype(np.float64))[filled] / shares.sum(axis=0)[
            filled, None
        ]
        np.testing.assert_allclose(means[filled], expected, rtol=0, atol=error)
        np.testing.assert_array_equal(means[~filled], centres[~filled])

        given = accumulation.accumulate_nearest(rows, centres, COVARIANCE_TYPES[index % 4])
        assert math.isnan(given.log_likelihood)
        assert_statistics(given, case.X, shares, error=max(1e-11, 8 * case.precision))


def test_given_responsibilities(instruction_set: str) -> None:
    """Responsibilities handed in by blocks; the blocks are asked for in order, each once."""
    for covariance_type in COVARIANCE_TYPES:
        case = problem(covariance_type, 4099, 10, 13, np.float64)
        asked = []

        def block(start: int, stop: int, case: Problem = case, asked: list = asked) -> np.ndarray:
            asked.append((start, stop))
            return case.responsibilities[start:stop].copy()

        rows = array_rows.Rows(case.X, case.sample_weight)
        given = accumulation.accumulate_responsibilities(rows, block, 13, covariance_type)
        shares = case.responsibilities * case.sample_weight[:, None]
        assert_statistics(given, case.X, shares, error=1e-11)
        assert [start for start, _ in asked] == [0, *(stop for _, stop in asked[:-1])]
        assert asked[-1][1] == len(case.X)


# -------------------------------------------------------------------------------------------------
# Weights


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_integer_weights_are_repetitions(instruction_set: str, covariance_type: str) -> None:
    case = problem(covariance_type, 1000, 10, 8, np.float64)
    times = np.random.default_rng(5).integers(0, 4, len(case.X))
    given = parameters(case.mixture)
    weighted = accumulation.accumulate(given, array_rows.Rows(case.X, times.astype(np.float64)))
    repeated = accumulation.accumulate(given, array_rows.Rows(np.repeat(case.X, times, axis=0)))
    repeated = repeated.shifted(weighted.shift)
    for name in ("weight", "first", "second"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-11, atol=1e-9, err_msg=name
        )
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_a_row_of_weight_zero_is_no_row(instruction_set: str, covariance_type: str) -> None:
    """Not even when its distance overflows."""
    case = problem(covariance_type, 193, 13, 13, np.float64)
    far = np.full((3, 13), 1e200)
    X = np.vstack([case.X[:100], far, case.X[100:]])
    w = np.ones(len(X))
    w[100:103] = 0.0
    rows = array_rows.Rows(X, w)
    shares = np.insert(case.responsibilities, [100] * 3, 0.0, axis=0)
    given = accumulation.accumulate(parameters(case.mixture), rows)
    assert_statistics(
        given,
        np.where(w[:, None] > 0, X, 0.0),
        shares,
        error=case.score_error,
        log_likelihood=float(case.log_density.sum()),
    )
    nearest = accumulation.accumulate_nearest(rows, case.mixture.means, covariance_type)
    assert np.isfinite(nearest.second).all()
    assert nearest.total_weight == 193.0


# -------------------------------------------------------------------------------------------------
# Layouts and dtypes


def layouts(X: np.ndarray) -> dict[str, np.ndarray]:
    """The values of the contiguous ``X`` in other places, orders and representations."""
    n, d = X.shape
    raw = bytearray(X.nbytes + 1)
    misaligned = np.frombuffer(raw, dtype=X.dtype, offset=1, count=X.size).reshape(n, d)
    misaligned[:] = X
    wide = np.zeros((2 * n, 3 * d), dtype=X.dtype)
    wide[::2, ::3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "fortran": np.asfortranarray(X),
        "strided": wide[::2, ::3],
        "reversed rows": X[::-1].copy()[::-1],
        "reversed columns": X[:, ::-1].copy()[:, ::-1],
        "misaligned": misaligned,
        "swapped bytes": X.astype(X.dtype.newbyteorder("S")),
        "read-only": read_only,
    }


def assert_same_everywhere(covariance_type: str, plain: np.ndarray, other: np.ndarray) -> None:
    """Every pass over ``other`` gives the bits it gives over ``plain``."""
    d, K = plain.shape[1], 5
    mixture = reference.random_mixture(np.random.default_rng(11), covariance_type, K, d)
    given = parameters(mixture)
    left, right = array_rows.Rows(plain, n_threads=2), array_rows.Rows(other, n_threads=2)
    assert left.dtype == right.dtype
    same_statistics(accumulation.accumulate(given, left), accumulation.accumulate(given, right))
    for one, two in zip(evaluate(given, left), evaluate(given, right), strict=True):
        np.testing.assert_array_equal(one, two)
    same_statistics(
        accumulation.accumulate_nearest(left, mixture.means, covariance_type),
        accumulation.accumulate_nearest(right, mixture.means, covariance_type),
    )
    for one, two in zip(
        kmeans.lloyd(left, mixture.means),
        kmeans.lloyd(right, mixture.means),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        kmeans.squared_distances(left, mixture.means),
        kmeans.squared_distances(right, mixture.means),
    )
    one, two = left.scan(), right.scan()
    assert one.bad is None
    assert two.bad is None
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.variance, two.variance)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_layouts(instruction_set: str, covariance_type: str, dtype: type) -> None:
    for n, d in ((1, 1), (25, 9), (4099, 10), (4099, 3)):
        X = problem(covariance_type, n, d, 5, dtype).X
        for name, other in layouts(X).items():
            try:
                assert_same_everywhere(covariance_type, X, other)
            except AssertionError as failure:
                raise AssertionError(f"{name}, n={n}, d={d}") from failure


@pytest.mark.parametrize(
    "dtype", [np.float16, np.int8, np.uint16, np.int64, np.bool_, np.longdouble, ">f8", ">i4"]
)
def test_other_dtypes_compute_as_float64(instruction_set: str, dtype: str) -> None:
    values = np.random.default_rng(3).integers(0, 2 if dtype is np.bool_ else 50, (4099, 7))
    other = values.astype(dtype)
    assert_same_everywhere("full", other.astype(np.float64), other)


def test_broadcast_rows(instruction_set: str) -> None:
    row = np.linspace(-1.0, 1.0, 9)
    broadcast = np.broadcast_to(row, (4099, 9))
    assert_same_everywhere("full", np.ascontiguousarray(broadcast), broadcast)
    column = as_strided(np.linspace(-1.0, 1.0, 4099), (4099, 4), (8, 0))
    assert_same_everywhere("diag", np.ascontiguousarray(column), column)


def test_memory_mapped_rows(instruction_set: str, tmp_path) -> None:
    X = problem("full", 4099, 10, 5, np.float64).X
    np.save(tmp_path / "rows.npy", X)
    assert_same_everywhere("full", X, np.load(tmp_path / "rows.npy", mmap_mode="r"))


def test_inputs_are_not_written(instruction_set: str) -> None:
    case = problem("full", 1000, 10, 8, np.float64)
    given = parameters(case.mixture)
    arrays = (case.X, case.sample_weight, given.weights, given.means, given.precisions_cholesky)
    before = [array.copy() for array in arrays]
    rows = array_rows.Rows(case.X, case.sample_weight)
    accumulation.accumulate(given, rows)
    evaluate(given, rows)
    kmeans.lloyd(rows, given.means)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


# -------------------------------------------------------------------------------------------------
# Scan


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_scan_finds_the_first_bad_value(instruction_set: str, dtype: type) -> None:
    for n, d in ((1, 1), (4099, 9), (4099, 33)):
        X = problem("diag", n, d, 5, dtype).X
        assert array_rows.Rows(X).scan().bad is None
        for value in (np.nan, np.inf, -np.inf):
            for row, column in {(0, 0), (n // 2, d - 1), (n - 1, d // 2), (n - 1, d - 1)}:
                spoilt = X.copy()
                spoilt[row, column] = value
                spoilt[n - 1, d - 1] = value  # a later one must not be reported
                assert array_rows.Rows(spoilt, n_threads=3).scan().bad == (row, column)


def test_scan_mean_and_variance(instruction_set: str) -> None:
    rng = np.random.default_rng(2)
    X = 1e8 + rng.standard_normal((4099, 5))
    w = rng.uniform(0, 2, 4099) * (rng.random(4099) > 0.3)
    scan = array_rows.Rows(X, w).scan()
    centred = X - 1e8
    mean = (w @ centred) / w.sum()
    variance = (w @ (centred - mean) ** 2) / w.sum()
    np.testing.assert_allclose(scan.mean - 1e8, mean, rtol=0, atol=1e-7)
    np.testing.assert_allclose(scan.variance, variance, rtol=1e-7)


@pytest.mark.parametrize("allow_nan", [False, True])
def test_first_passes_of_parts_merge(allow_nan: bool) -> None:
    rng = np.random.default_rng(3)
    X = 1e8 + rng.standard_normal((9000, 3))
    w = rng.uniform(0, 2, 9000) * (rng.random(9000) > 0.3)
    w[2000:2500] = 0.0  # a part without weight
    if allow_nan:
        X[rng.random(X.shape) < 0.2] = np.nan
        X[:2000, 1] = np.nan  # a column without values in one part
        X[5:9] = np.nan
    cuts = [slice(0, 2000), slice(2000, 2500), slice(2500, 2500), slice(2500, 9000)]
    whole = array_rows.Rows(X, w, allow_nan=allow_nan).scan()
    parts = [array_rows.Rows(X[cut], w[cut], allow_nan=allow_nan).scan() for cut in cuts]
    merged = first_pass.FirstPass.merge(parts, 3)
    assert merged.counted == whole.counted._replace(total_weight=merged.counted.total_weight)
    assert merged.counted.total_weight == pytest.approx(whole.counted.total_weight, rel=1e-13)
    assert (merged.bad, merged.n_empty) == (None, whole.n_empty)
    np.testing.assert_allclose(merged.mean - 1e8, whole.mean - 1e8, rtol=0, atol=1e-7)
    np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-7)
    assert (merged.observed is None) == (whole.observed is None) == (not allow_nan)
    if whole.observed is not None:
        np.testing.assert_allclose(merged.observed, whole.observed, rtol=1e-12)
    X[2503, 1] = np.inf
    parts[3] = array_rows.Rows(X[2500:], w[2500:], allow_nan=allow_nan).scan()
    assert first_pass.FirstPass.merge(parts, 3).bad == (2503, 1)


def test_take(instruction_set: str) -> None:
    X = problem("full", 1000, 10, 8, np.float64).X
    w = np.arange(1000.0)
    indices = np.array([999, 3, 3, 500])
    taken = array_rows.Rows(np.asfortranarray(X), w).take(indices)
    assert (taken.n_samples, taken.n_features) == (4, 10)
    assert taken.total_weight == w[indices].sum()
    mixture = reference.random_mixture(np.random.default_rng(0), "full", 2, 10)
    same_statistics(
        accumulation.accumulate(parameters(mixture), taken),
        accumulation.accumulate(parameters(mixture), array_rows.Rows(X[indices], w[indices])),
    )


# -------------------------------------------------------------------------------------------------
# Ill-placed components and far rows


def two_groups(
    covariance_type: str, separation: float, n: int = 600, d: int = 3
) -> tuple[Mixture, np.ndarray]:
    """Two groups of rows ``separation`` standard deviations apart, and their mixture."""
    rng = np.random.default_rng(17)
    mixture = reference.random_mixture(rng, covariance_type, 2, d)
    mixture.means = np.array([np.zeros(d), np.full(d, separation)])
    X = np.round(reference.draw(rng, mixture, n) * 2**20) / 2**20  # keeps x - mean exact
    return mixture, X


def covariances_from(stats: object, covariance_type: str) -> np.ndarray:
    plain = reference.Statistics(
        stats.weight, stats.first, stats.second, stats.shift, stats.log_likelihood
    )
    return reference.maximize(plain, covariance_type).covariances


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_components_a_million_sigma_apart(instruction_set: str, covariance_type: str) -> None:
    mixture, X = two_groups(covariance_type, 1e6)
    expected = reference.maximize(reference.statistics(mixture, X), covariance_type)
    stats = accumulation.accumulate(parameters(mixture), array_rows.Rows(X))
    np.testing.assert_array_equal(stats.weight, np.bincount((X[:, 0] > 5e5).astype(int)))
    np.testing.assert_allclose(
        covariances_from(stats, covariance_type), expected.covariances, rtol=1e-9, atol=1e-9
    )
    assert stats.log_likelihood == pytest.approx(
        reference.log_densities(mixture, X).sum(), rel=1e-10
    )


def test_variances_that_shrink_to_the_rounding_of_the_expansion(instruction_set: str) -> None:
    """Moments about the centre of both groups would leave nothing of variances of 1e-14."""
    rng = np.random.default_rng(0)
    X = np.concatenate([-150 + 1e-7 * rng.normal(size=(500, 1)), 150 + rng.normal(size=(500, 1))])
    X[500:] = 150 + 1e-7 * (X[500:] - 150)
    exact = [X[:500].var(), X[500:].var()]
    for covariance_type, expected in (
        ("diag", np.array(exact)[:, None]),
        ("spherical", exact),
        ("tied", [[np.mean(exact)]]),
    ):
        mixture = reference.Mixture(
            covariance_type,
            np.full(2, 0.5),
            np.array([[-150.0], [150.0]]),
            np.ones_like(expected),
        )
        stats = accumulation.accumulate(parameters(mixture), array_rows.Rows(X))
        np.testing.assert_allclose(covariances_from(stats, covariance_type), expected, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_offset(instruction_set: str, covariance_type: str) -> None:
    """An offset of 1e8 standard deviations costs what the rows themselves lost to it, not more."""
    mixture, X = two_groups(covariance_type, 4.0)
    far_mixture = Mixture(
        covariance_type, mixture.weights, mixture.means + 1e8, mixture.covariances
    )
    far = X + 1e8
    exact_rows = far - 1e8  # exact: what survived the rounding to 1e8
    stats = accumulation.accumulate(parameters(far_mixture), array_rows.Rows(far))
    expected = reference.statistics(mixture, exact_rows)
    np.testing.assert_allclose(stats.weight, expected.weight, rtol=1e-6)
    np.testing.assert_allclose(
        covariances_from(stats, covariance_type),
        reference.maximize(expected, covariance_type).covariances,
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize("exponent", [-66, 66])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_scale(instruction_set: str, covariance_type: str, exponent: int) -> None:
    """Units of 1e-20 or 1e20 change responsibilities and scaled sums by rounding only."""
    case = problem(covariance_type, 1000, 10, 8, np.float64)
    unit = 2.0**exponent
    mixture = case.mixture
    scaled = Mixture(
        covariance_type, mixture.weights, unit * mixture.means, unit**2 * mixture.covariances
    )
    stats = accumulation.accumulate(parameters(scaled), array_rows.Rows(unit * case.X))
    shares = case.responsibilities
    stats.first /= unit
    stats.second /= unit**2
    stats.shift /= unit
    assert_statistics(stats, case.X, shares, error=case.score_error)
    shifted = case.log_density.sum() - len(case.X) * 10 * np.log(unit)
    assert stats.log_likelihood == pytest.approx(shifted, rel=1e-11)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_columns_in_units_twenty_decades_apart(instruction_set: str, covariance_type: str) -> None:
    case = problem(covariance_type, 1000, 4, 3, np.float64)
    units = 2.0 ** np.array([-66, 66, 0, 30])
    mixture = case.mixture
    square = np.outer(units, units) if covariance_type == "full" else units**2
    scaled = Mixture(
        covariance_type, mixture.weights, units * mixture.means, square * mixture.covariances
    )
    stats = accumulation.accumulate(parameters(scaled), array_rows.Rows(units * case.X))
    np.testing.assert_allclose(stats.weight, case.responsibilities.sum(axis=0), rtol=1e-11)
    expected = reference.maximize(reference.statistics(mixture, case.X), covariance_type)
    np.testing.assert_allclose(
        covariances_from(stats, covariance_type) / square,
        expected.covariances,
        rtol=1e-9,
        atol=1e-11,
    )


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_tiny_variances(instruction_set: str, covariance_type: str) -> None:
    """Groups of width 1e-9 one apart: the width of the next covariance is right, and never
    negative.

    One unit in the last place of a row is 2.4e-7 of the width here, and that is the accuracy asked
    for.
    """
    mixture, X = two_groups(covariance_type, 2.0**30)
    unit = 2.0**-30
    small = Mixture(
        covariance_type, mixture.weights, unit * mixture.means, unit**2 * mixture.covariances
    )
    stats = accumulation.accumulate(parameters(small), array_rows.Rows(unit * X))
    expected = reference.maximize(reference.statistics(mixture, X), covariance_type)
    np.testing.assert_allclose(
        covariances_from(stats, covariance_type) / unit**2, expected.covariances, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_far_rows(instruction_set: str, covariance_type: str, dtype: type) -> None:
    """Components underflow or squares overflow: probabilities sum to one, nothing is NaN."""
    case = problem(covariance_type, 25, 9, 3, dtype)
    overflowing = 1e200 if dtype is np.float64 else 1e30
    direction = np.linspace(-1.0, 1.0, 9)
    for size, finite in ((1e3, True), (1e12, True), (overflowing, False)):
        X = case.X.copy()
        X[[0, 11, 24]] = (size * direction).astype(dtype)
        log_density, shares, labels = evaluate(parameters(case.mixture), array_rows.Rows(X))
        assert not np.isnan(log_density).any()
        assert np.isfinite(np.delete(log_density, [0, 11, 24])).all()
        np.testing.assert_allclose(
            shares.sum(axis=1), 1.0, rtol=1e-5 if dtype is np.float32 else 1e-12
        )
        np.testing.assert_array_equal(labels, shares.argmax(axis=1))
        # Where the components' distances differ by more than rounding, the nearest one takes the
        # row.
        unit = direction[None]
        rates = reference.squared_distances(
            Mixture(
                covariance_type,
                case.mixture.weights,
                0 * case.mixture.means,
                case.mixture.covariances,
            ),
            unit,
        )[0]
        if covariance_type != "tied":
            assert labels[0] == rates.argmin()
            assert shares[0].max() == 1.0
        if finite:
            exact = reference.log_densities(case.mixture, X)
            np.testing.assert_allclose(
                log_density, exact, rtol=64 * np.finfo(dtype).eps, atol=case.score_error
            )
        else:
            assert (log_density[[0, 11, 24]] < -1e30).all()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_far_row_in_the_sums(instruction_set: str, covariance_type: str) -> None:
    case = problem(covariance_type, 193, 13, 13, np.float64)
    X = case.X.copy()
    X[57] = 1e12 * np.linspace(-1.0, 1.0, 13)
    stats = accumulation.accumulate(parameters(case.mixture), array_rows.Rows(X))
    assert np.isfinite(stats.second).all()
    assert stats.weight.sum() == pytest.approx(193.0, rel=1e-12)
    if covariance_type != "tied":
        shares = reference.responsibilities(case.mixture, X)
        assert_statistics(stats, X, shares, error=max(case.score_error, 1e-9))
    assert stats.log_likelihood == pytest.approx(
        reference.log_densities(case.mixture, X).sum(), rel=1e-12
    )


def test_a_component_of_weight_zero_gets_nothing(instruction_set: str) -> None:
    for covariance_type in COVARIANCE_TYPES:
        case = problem(covariance_type, 193, 13, 13, np.float64)
        mixture = case.mixture
        weights = mixture.weights.copy()
        weights[4] = 0.0
        dead = Mixture(
            covariance_type, weights / weights.sum(), mixture.means, mixture.covariances
        )
        stats = accumulation.accumulate(parameters(dead), array_rows.Rows(case.X))
        assert stats.weight[4] == 0.0
        assert_statistics(
            stats, case.X, reference.responsibilities(dead, case.X), error=case.score_error
        )
        shares = evaluate(parameters(dead), array_rows.Rows(case.X))[1]
        assert (shares[:, 4] == 0.0).all()


class Expected(MixtureParameters):
    """Parameters of which a distribution is known: what an E-step takes are expectations."""

    @property
    def log_weights(self):
        return super().log_weights - np.arange(1.0, 1.0 + self.n_components)

    @property
    def log_determinants(self):
        return super().log_determinants + 0.5 * np.arange(self.n_components)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_expected_weights_and_determinants_are_what_an_e_step_takes(covariance_type):
    rng = np.random.default_rng(3)
    mixture = reference.random_mixture(rng, covariance_type, 3, 4)
    given = parameters(mixture)
    expected = Expected(
        given.covariance_type, given.weights, given.means, given.covariances,
        given.precisions_cholesky,
    )  # fmt: skip
    X = np.ascontiguousarray(rng.normal(size=(3000, 4)))
    changed = -1.0 - 0.5 * np.arange(3)
    log_density = np.empty(len(X))
    proba = np.empty((len(X), 3))
    scoring.evaluate(given, array_rows.Rows(X), responsibilities=proba, log_density=log_density)
    joint = np.log(proba) + log_density[:, None] + changed
    total = np.logaddexp.reduce(joint, axis=1)
    found = np.empty(len(X))
    scoring.evaluate(expected, array_rows.Rows(X), log_density=found)
    np.testing.assert_allclose(found, total, rtol=1e-9)
    statistics = accumulation.accumulate(expected, array_rows.Rows(X), 1e-6)
    np.testing.assert_allclose(statistics.log_likelihood, total.sum(), rtol=1e-9)
    shares = np.exp(joint - total[:, None])
    np.testing.assert_allclose(statistics.weight, shares.sum(axis=0), rtol=1e-8)
