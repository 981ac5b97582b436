"""Properties that hold for any data, on data drawn at random and from everything that is awkward.

A case is a handful of words and numbers (`Case`), from which NumPy builds rows, weights and a
mixture, so a failing one is short, and drawing one costs the same whatever its size. Every
property is held quickly, for the same examples in every run, and in a slow run for twenty times
as many that are new each time.

Tolerances count roundings. `score_error` says how many a log-density may lose, `share_error` what
that does to responsibilities, and sums are held to the sum of the magnitudes they add.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from mpmath import mp

import gaussmix
from gaussmix import GaussianMixture, IllDefinedCovarianceError, SufficientStatistics
from gaussmix._common.text import MOST_LISTED
from gaussmix._estep import accuracy, score_plan
from support import reference
from support.assertions import relative_error
from support.bounds import (
    ROUNDINGS,
    TINY,
    Expected,
    assert_sums,
    assert_within,
    centre_of,
    conditions,
    deviations,
    family_of,
    row_error,
    score_error,
    share_error,
)
from support.cases import (
    BIG,
    COLUMNS,
    EPS,
    FLOORED,
    MINUTE,
    ORDINARY,
    REGULAR,
    ROWS,
    SMALL,
    SQUARABLE,
    TALL,
    WEIGHTS,
    WIDE,
    Case,
    assume,
    cases,
    example,
    fit,
    hold_the_same,
    holds_for,
    model_for,
    units,
)
from support.exact import exact_log_densities, exact_scores
from support.families import LAYOUT_OF
from support.kernels import same_statistics
from support.models import FITTED_ARRAYS, mixture_of
from support.reference import Mixture

pytestmark = pytest.mark.filterwarnings("error")


# Squares of columns whose units are as far apart as the cases have them are exact in so many.
DIGITS = 700


def test_every_run_tries_the_same_examples() -> None:
    """Whatever the versions of Python and Hypothesis, and whatever else is in the sources."""
    drawn = []

    def remember(case: Case) -> None:
        drawn.append(case)

    hold_the_same(remember, 2, {"case": cases(SMALL)})
    assert [(case.seed, case.n, case.d, case.K) for case in drawn] == [
        (2758522158, 28, 1, 5),
        (3906302534, 29, 8, 5),
    ]
    assert settings.default.derandomize
    assert settings.default.database is None


# --- Against exact arithmetic and the reference --------------------------------------------------


@holds_for(40, case=cases(MINUTE, weights=["none"], columns=[c for c in COLUMNS if c != "1e160"]))
def test_scores_are_exact(case: Case) -> None:
    """Log-densities, responsibilities and labels, against exact arithmetic."""
    X, mixture, model = case.values, case.mixture, case.model()
    with mp.workdps(DIGITS):
        scores = exact_scores(mixture, X)
        exact = exact_log_densities(scores)
        off = np.array([[float(score - max(row)) for score in row] for row in scores])
        log_density, shares, labels = (
            getattr(model, name)(case.X) for name in ("score_samples", "predict_proba", "predict")
        )
        info = np.finfo(log_density.dtype)
        rounding, beyond = float(info.eps), float(info.max) / 4
        error = score_error(mixture, X, case.precision)
        # Where squares overflow, errors are relative to the distance.
        far = 2 * ROUNDINGS * case.d**2 * case.precision * conditions(mixture).max()
        for i in range(case.n):
            worst = np.where(off[i] > -60.0, error[i], 0.0).max()
            worst += rounding * float(abs(exact[i]))
            low, high = float(exact[i] - worst), float(exact[i] + worst)
            assert (
                (low if low > -beyond else -np.inf) <= float(log_density[i]) <= max(high, -beyond)
            )
            gap = -off[i, labels[i]]
            assert gap <= 2 * error[i].max() or gap <= far * abs(exact[i])
        finite = np.isfinite(error).all(axis=1)
        truth = np.exp(off) / np.exp(off).sum(axis=1, keepdims=True)
        bound = share_error(off, error) + 2 * rounding
        assert_within("responsibilities", shares[finite], truth[finite], bound[finite])
        assert_within("their sums", shares.sum(axis=1), 1.0, 4 * case.K * rounding)
        assert (shares >= 0).all()


@holds_for(60, case=cases(columns=ORDINARY, rows=SQUARABLE))
@example(Case(12053557, 2, 24, 3, "spherical", rows="duplicates", dtype="f4"))
def test_sums_of_one_step(case: Case) -> None:
    """Statistics under the case's mixture, however they are computed, against the reference."""
    model, expected = case.model(), Expected(case)
    statistics = model.accumulate(case.X, case.w)
    assert_sums(statistics, expected)
    size = np.abs(expected.scores).max(axis=1)
    bound = expected.w @ (expected.row_error + expected.sum_roundings * size)
    # The second moments that tied components have in common may be denormal.
    bound += TINY * case.n * np.square(1 / deviations(case.mixture)).sum()
    target = expected.w @ expected.log_density
    assert_within("log-likelihood", statistics.log_likelihood, target, bound)


def exact_step(expected: Expected) -> Mixture:
    """The reference's M-step, with moments about the new means."""
    family = expected.mixture.covariance_type
    step = reference.statistics(expected.mixture, expected.X, sample_weight=expected.w)
    means = reference.maximize(step, family).means
    shares = expected.shares * expected.w[:, None]
    moments = reference.sums_about(expected.X, shares, means, family)
    return reference.maximize(reference.Statistics(*moments, means, 0.0), family)


def digits_of_a_step(case: Case) -> float:
    """Part of a new variance, in any direction, that a step may lose; see `_estep.accuracy`."""
    if case.single:
        full = case.covariance_type == "full"
        lost = score_plan.SINGLE_DIGITS_LOST if full else score_plan.EXPANSION_LIMIT_SINGLE
    else:
        lost = accuracy.CANCELLATION_LIMIT
    return 4 * lost * case.precision


@holds_for(
    40,
    case=cases(
        columns=REGULAR,
        rows=["plain", "tight"],
        dtypes=["f8", "f4"],
        weights=["none", "uniform"],
    ),
)
# Hardly more rows than columns, 2e5 deviations from the centre.
@example(Case(0, 71, 34, 2, rows="tight"))
def test_a_step_loses_no_digits_of_variances(case: Case) -> None:
    """Covariances after a step from where k-means leads, in every direction: neither expanded
    scores nor moments about a centre, nor single precision, may cost more than they say.
    """
    assume(case.n > case.K * (case.d + 1))
    model = GaussianMixture(
        case.K, covariance_type=case.covariance_type, reg_covar=0.0, max_iter=1, random_state=0
    )
    try:
        mixture = mixture_of(fit(model, case.X, case.w))
        model = model_for(mixture)
        model.update(model.accumulate(case.X, case.w))
    except IllDefinedCovarianceError:
        return
    expected = Expected(case, mixture=mixture)
    target = exact_step(expected)
    # A component left with one row, whose mean has moved to it: its variance is rounding.
    assume((np.diagonal(reference.dense_covariances(target), axis1=1, axis2=2) > 0).all())
    assume((conditions(target) < 1e10).all())
    # What doubt about responsibilities does to a variance, in units of the variance.
    squares = reference.squared_distances(target, expected.X)
    doubt = expected.w @ (expected.share_error * (squares + case.d))
    nk = expected.w @ expected.shares
    doubt = doubt.sum() / nk.sum() if case.covariance_type == "tied" else doubt / nk
    # Moments are about the old means at best: a component that has moved by many of its new
    # deviations keeps the fewer digits for it, until the next step.
    moved = np.square((target.means - mixture.means) / deviations(target)).max(axis=1)
    rounding = EPS * (ROUNDINGS + case.n / 2) * case.d * conditions(target)
    bound = digits_of_a_step(case) + doubt + rounding * (1.0 + moved)
    # Moments about the means are sums of products (x - mean)_p (x - centre)_q, of m terms that are
    # rounded up and down: partial sums of up to sqrt(m) deviations times the distance of mean and
    # centre leave, on average over m rows, about a rounding of that distance in an entry of the
    # covariance, both in deviations. A symmetric matrix of d x d such errors changes a variance by
    # 2 sqrt(d) of them at most, which counts against the smallest one.
    apart = (np.abs(mixture.means - centre_of(case.X, case.w)) / deviations(target)).max(axis=1)
    if case.covariance_type == "tied":
        apart[:] = apart.max()
    bound += 2 * np.sqrt(case.d) * EPS * apart * conditions(target)
    got = reference.dense_covariances(mixture_of(model))
    off = list(map(relative_error, got, reference.dense_covariances(target)))
    assert_within("covariances", off, 0.0, np.where(nk > 1e-3 * nk.sum(), bound, np.inf))


# --- Identities ----------------------------------------------------------------------------------


def assert_moments(model: GaussianMixture, case: Case, floor: float, apart=0.0) -> None:
    """Weights, means, and covariances within and between components, add up to the sample's, the
    floor of each variance aside. `apart`, (d,), is how far points of reference were from the rows.
    """
    used = case.row_weights > 0
    X, w = case.values[used], case.row_weights[used] / case.row_weights.max()
    share, centre = w / w.sum(), centre_of(case.X, case.w)
    mixture, dense = mixture_of(model), reference.dense_covariances(mixture_of(model))
    weights, moved, centred = mixture.weights, mixture.means - centre, X - centre
    precision = max(case.precision, float(np.finfo(model.means_.dtype).eps))
    # The last are those that the M-step adds to the weight of a component.
    rounding = 2 * precision * (ROUNDINGS * case.d + case.n / 2 + 10)
    assert_within("weights", weights.sum(), 1.0, rounding)

    # A component without rows stays where it was.
    dead = weights < 1e-12
    astray = (weights[:, None] * np.abs(moved))[dead].sum(axis=0)
    rounded = precision * np.abs(X).max(axis=0)
    size = share @ np.abs(centred) + weights @ np.abs(moved) + apart
    bound = rounding * case.K * size + 2 * rounded + astray + case.negligible
    assert_within("means", weights @ moved, share @ centred, bound)

    mean = share @ centred
    with np.errstate(over="ignore", invalid="ignore"):
        total = (share[:, None] * (centred - mean)).T @ (centred - mean) + floor * np.eye(case.d)
        between = (weights[:, None] * (moved - mean)).T @ (moved - mean)
        within = np.einsum("k,kpq->pq", weights, dense)
        # What is added up: rows and means about the centre, and the floor.
        size = np.sqrt(floor) + apart
        size = size + np.linalg.norm(np.sqrt(share)[:, None] * centred, axis=0)
        size += np.linalg.norm(np.sqrt(weights)[:, None] * moved, axis=0)
        astray = np.abs(moved)[dead].max(axis=0, initial=0.0) * np.sqrt(weights[dead].sum())
        half = np.outer(rounded, size + np.abs(centred).max(axis=0) + rounded)
        bound = rounding * case.K * np.outer(size, size) + 16 * (half + half.T)
        bound += np.outer(astray, astray) + case.negligible * (size + case.negligible)
    if case.covariance_type == "spherical":
        within, between, total, bound = map(np.trace, (within, between, total, bound))
    elif case.covariance_type == "diag":
        within, between, total, bound = map(np.diag, (within, between, total, bound))
    assert np.isfinite(total).all()
    assert_within("covariances", within + between, total, bound)


@holds_for(40, case=cases(columns=ORDINARY, rows=SQUARABLE, weights=WEIGHTS[:3]))
def test_a_step_keeps_the_moments_of_the_rows(case: Case) -> None:
    model, X = case.model(), case.values
    try:
        model.update(model.accumulate(X, case.w))
    except IllDefinedCovarianceError:
        return
    apart = np.abs(case.mixture.means - centre_of(case.X, case.w)).max(axis=0)
    assert_moments(model, case, 0.0, apart)


@holds_for(30, case=cases(columns=REGULAR, rows=["plain", "duplicates"]))
def test_the_likelihood_never_falls(case: Case) -> None:
    model = case.model()
    expected = Expected(case)
    w = None if case.w is None else case.row_weights / case.row_weights.sum() * case.n
    bound = 2 * float(expected.w / expected.w.sum() @ expected.row_error)
    for _ in range(4):
        try:
            model.update(model.accumulate(case.X, w))
        except IllDefinedCovarianceError:
            break
        error = score_error(
            mixture_of(model), case.values, case.precision, expected.offset()
        ).max()
        assert (np.diff(model.lower_bounds_) >= -(bound + error)).all()
        bound = error


@holds_for(30, case=cases(columns=ORDINARY))
def test_one_component_is_the_closed_form(case: Case) -> None:
    """Mean and covariance of the sample, and the likelihood that follows from them."""
    assume(case.n > 1)
    used = case.row_weights > 0
    assume(used.sum() > 1)
    X, w = case.values[used], case.row_weights[used]
    model = GaussianMixture(covariance_type=case.covariance_type, reg_covar=0.0)
    try:
        fit(model, case.X, case.w)
    except ValueError:
        return
    share = w / w.sum()
    centre = centre_of(X, w)
    centred = X - centre
    mean = share @ centred
    precision = float(np.finfo(case.X.dtype).eps) if case.X.dtype.str[1:] == "f4" else EPS
    rounding = precision * (ROUNDINGS + case.n / 2 + 10)
    size = share @ np.abs(centred)
    rounded = precision * np.abs(X).max(axis=0)
    bound = rounding * size + rounded + case.negligible
    assert_within("mean", model.means_[0], centre + mean, bound)
    outer = (share[:, None] * (centred - mean)).T @ (centred - mean)
    size = np.linalg.norm(np.sqrt(share)[:, None] * centred, axis=0)
    covariance = family_of(outer[None], case.covariance_type)
    bound = family_of(rounding * np.outer(size, size)[None], case.covariance_type)
    if case.covariance_type == "spherical":
        covariance, bound = covariance / case.d, bound / case.d
    assert_within("covariance", model.covariances_, covariance, bound)
    if conditions(mixture_of(model)).max() * precision > 1e-2:
        return  # rounded to float32 the covariance may not be definite
    dense = reference.dense_covariances(mixture_of(model))[0]
    scale = np.sqrt(np.diag(dense))
    log_determinant = (
        np.linalg.slogdet(dense / np.outer(scale, scale))[1] + 2 * np.log(scale).sum()
    )
    expected = -0.5 * (case.d * np.log(2 * np.pi) + log_determinant + case.d)
    error = share @ score_error(mixture_of(model), X, precision, np.abs(mean))[:, 0]
    # Where a deviation is a few roundings of the mean, the rounded mean is off the optimum.
    error += conditions(mixture_of(model))[0] * np.square(rounded / scale).sum()
    assert_within("likelihood", model.lower_bound_, expected, error)


# --- Equivariance --------------------------------------------------------------------------------


def permuted(mixture: Mixture, labels: np.ndarray, columns: np.ndarray) -> Mixture:
    """The mixture with components and columns in another order."""
    covariances = mixture.covariances
    if mixture.covariance_type != "tied":
        covariances = covariances[labels]
    if mixture.covariance_type in ("full", "tied"):
        covariances = covariances[..., columns, :]
    if mixture.covariance_type != "spherical":
        covariances = covariances[..., columns]
    means = mixture.means[labels][:, columns]
    return Mixture(mixture.covariance_type, mixture.weights[labels], means, covariances)


def assert_equivariant(case: Case, mixture: Mixture, X, *, labels=None, shift=0.0, reach=0.0):
    """Rows X under `mixture` score as the case's do under its own, plus `shift`, with the
    components in the order of `labels`; `reach` is the rounding of X and `mixture` themselves.
    """
    labels = np.arange(case.K) if labels is None else labels
    expected, before, after = Expected(case), case.model(), model_for(mixture)
    moved = np.array(X, dtype=np.float64, order="C")
    with np.errstate(all="ignore"):
        error = expected.error[:, labels] + score_error(mixture, moved, case.precision, reach)
    assume(np.isfinite(error).all())
    scores = expected.scores[:, labels]
    log_density, shares = before.score_samples(case.X), before.predict_proba(case.X)
    precision = float(np.finfo(log_density.dtype).eps)
    bound = row_error(scores, error) + precision * (2 * np.abs(log_density) + np.abs(shift))
    assert_within("log-density", after.score_samples(X) - shift, log_density, bound)
    bound = 2 * share_error(scores, error) + 2 * precision
    assert_within("responsibilities", after.predict_proba(X), shares[:, labels], bound)


@holds_for(20, case=cases(columns=ORDINARY, rows=SQUARABLE))
def test_the_order_of_rows_changes_no_bit(case: Case) -> None:
    model, order = case.model(), case.rng(3).permutation(case.n)
    for method in (model.score_samples, model.predict_proba, model.predict):
        np.testing.assert_array_equal(method(case.X[order]), method(case.X)[order])


@holds_for(20, case=cases(columns=ORDINARY, rows=SQUARABLE))
def test_the_order_of_components_and_columns(case: Case) -> None:
    labels, columns = (case.rng(4).permutation(size) for size in (case.K, case.d))
    mixture = permuted(case.mixture, labels, columns)
    assert_equivariant(case, mixture, case.X[:, columns], labels=labels)


@holds_for(20, case=cases(columns=ORDINARY, rows=SQUARABLE, dtypes=["f8", "f4"]))
def test_units_and_origin(case: Case) -> None:
    """Every column in other units from another origin: X a + b."""
    rng, mixture = case.rng(5), case.mixture
    a = 10.0 ** rng.uniform(-4.0, 4.0, case.d if case.covariance_type != "spherical" else 1)
    b = rng.standard_normal(case.d) * a * units(case.values) * 10.0 ** rng.uniform(-3.0, 3.0)
    X = (case.values * a + b).astype(case.X.dtype)
    square = {"diag": a * a, "spherical": (a * a)[0]}.get(
        LAYOUT_OF[case.covariance_type], np.outer(a, a)
    )
    moved = replace(mixture, means=mixture.means * a + b, covariances=mixture.covariances * square)
    # Rows and means are rounded in proportion to themselves before and after.
    reach = 2 * (np.abs(X[:, None, :].astype(np.float64)) + np.abs(b)) + np.abs(moved.means).max(0)
    if case.X.dtype.itemsize == 4 and not case.single:
        reach *= np.finfo(np.float32).eps / EPS
    shift = -np.log(np.abs(a)).sum() * (case.d if a.size < case.d else 1)
    assert_equivariant(case, moved, X, shift=shift, reach=reach)


@holds_for(
    20,
    case=cases(
        columns=REGULAR, rows=SQUARABLE, dtypes=["f8"], families=["full", "tied", "spherical"]
    ),
)
def test_rotation(case: Case) -> None:
    mixture = case.mixture
    turn = np.linalg.qr(case.rng(6).standard_normal((case.d, case.d)))[0]
    moved = replace(mixture, means=mixture.means @ turn)
    if case.covariance_type != "spherical":
        turned = turn.T @ mixture.covariances @ turn
        moved.covariances = (turned + np.swapaxes(turned, -1, -2)) / 2
    with np.errstate(all="ignore"):
        deviation = deviations(moved)
        assume((conditions(moved) < 1e8).all())
        assume((deviation > 1e-4 * deviations(mixture).max()).all())
    length = np.linalg.norm(case.values, axis=1)[:, None, None] * np.ones(case.d)
    reach = case.d * (length + np.linalg.norm(mixture.means, axis=1).max())
    assert_equivariant(case, moved, case.values @ turn, reach=reach)


@holds_for(
    # Without weights that make products underflow at one scale only.
    30,
    case=cases(columns=REGULAR, rows=SQUARABLE[:-1], dtypes=["f8"], weights=WEIGHTS[:-1]),
)
def test_a_power_of_two_changes_no_bit_of_a_start(case: Case) -> None:
    """k-means and the first M-step are made of products and sums, which powers of two leave."""
    assume(case.n > case.K)
    power = float(case.rng(7).choice([2.0**-40, 0.5, 2.0, 2.0**40]))
    outcomes = []
    for X in (case.values, case.values * power):
        model = GaussianMixture(
            case.K, covariance_type=case.covariance_type, reg_covar=0.0, max_iter=0, random_state=0
        )
        try:
            fit(model, X, case.w)
        except IllDefinedCovarianceError as error:
            outcomes.append((error.component, error.columns))
        except ValueError as error:
            outcomes.append(str(error))
        else:
            outcomes.append((model.weights_, model.means_, model.covariances_))
    one, two = outcomes
    if len(one) != 3:
        assert one == two
        return
    np.testing.assert_array_equal(two[0], one[0])
    np.testing.assert_array_equal(two[1], one[1] * power)
    np.testing.assert_array_equal(two[2], one[2] * power**2)


# --- Weights and pieces --------------------------------------------------------------------------


@holds_for(
    30,
    case=cases(columns=ORDINARY, rows=SQUARABLE, weights=["integers"], dtypes=["f8", "f4", "i2"]),
)
def test_an_integer_weight_is_so_many_rows(case: Case) -> None:
    """Weight 2 is the row twice, and weight 0 no row."""
    model, repeated = case.model(), np.repeat(case.X, case.w, axis=0)
    statistics = model.accumulate(repeated)
    assert statistics.total_weight == case.w.sum()
    assert_sums(statistics, Expected(case, (centre_of(repeated, None),)))


# Without squares that single precision holds as denormal numbers.
@holds_for(
    20,
    case=cases(
        columns=[name for name in ORDINARY if name != "1e-20"],
        weights=["none", "uniform", "integers"],
    ),
)
def test_a_power_of_two_of_all_weights_changes_no_bit(case: Case) -> None:
    model = case.model()
    one = model.accumulate(case.X, case.row_weights)
    two = model.accumulate(case.X, case.row_weights * 0.25)
    same_statistics(one.scaled(0.25), two)


@holds_for(30, case=cases(columns=ORDINARY, rows=SQUARABLE))
@example(Case(0, 5, 1, 1, "spherical", columns=("1e20",), weights="1e300"))  # second overflows
def test_pieces_add_up(case: Case) -> None:
    """Statistics of pieces, of which one may be empty, are those of all rows."""
    model, cuts = case.model(), np.sort(case.rng(8).integers(0, case.n + 1, 2))
    w = case.row_weights
    pieces = list(zip(np.split(case.X, cuts), np.split(w, cuts), strict=True))
    whole = SufficientStatistics.merge(model.accumulate(*piece) for piece in pieces)
    assert whole.n_rows == case.n
    assert whole.total_weight == pytest.approx(w.sum(), rel=1e-12)
    # Each piece has a point of reference of its own, or the means.
    centres = (*(centre_of(*piece) for piece in pieces), *case.mixture.means)
    assert_sums(whole, Expected(case, centres))


# --- Bits ----------------------------------------------------------------------------------------


def everything(model: GaussianMixture, X: np.ndarray, w: np.ndarray | None) -> list[np.ndarray]:
    """What scoring rows and summing over them gives."""
    sums = model.accumulate(X, w)
    return [
        model.score_samples(X), model.predict_proba(X), model.predict(X), np.array(model.score(X)),
        sums.weight, sums.first, sums.second, sums.shift, np.array(sums.log_likelihood),
    ]  # fmt: skip


def assert_equal_bits(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@holds_for(40, case=cases())
def test_layout_and_type_change_no_bit(case: Case) -> None:
    """Rows count as their copy in float32 or float64, which is taken whole, with one thread."""
    single = case.X.dtype.kind == "f" and case.X.dtype.itemsize == 4
    copied = np.array(case.X, dtype=np.float32 if single else np.float64, order="C")
    model = case.model()
    assert_equal_bits(everything(model, case.X, case.w), everything(model, copied, case.w))


@holds_for(12, case=cases(BIG, TALL, WIDE))
def test_threads_change_no_bit(case: Case) -> None:
    model = case.model()
    model.set_params(n_threads=1)
    one = everything(model, case.X, case.w)
    for n_threads in (2, 3, 7):
        model.set_params(n_threads=n_threads)
        assert_equal_bits(everything(model, case.X, case.w), one)


@holds_for(20, case=cases(SMALL))
def test_a_saved_model_is_the_same(case: Case) -> None:
    model = case.model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        model.save(path)
        loaded = gaussmix.load(path)
    for name in FITTED_ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name), err_msg=name)
    assert_equal_bits(everything(loaded, case.X, case.w), everything(model, case.X, case.w))


# --- Fits ----------------------------------------------------------------------------------------


def assert_sound(model: GaussianMixture, X: np.ndarray) -> None:
    """A mixture of finite numbers, that scores the rows it was fitted to."""
    for name in FITTED_ARRAYS[:3]:
        assert np.isfinite(getattr(model, name)).all(), name
    assert not any(np.isnan(getattr(model, name)).any() for name in FITTED_ARRAYS)
    # Minus infinity where the square of a distance overflows, or that of its rounding: a row at
    # 1e200 and a mean there are each moved by the centre before they are compared.
    assert (np.array(model.lower_bounds_) < np.inf).all()
    assert (model.weights_ >= 0).all()
    rounding = float(np.finfo(X.dtype).eps) if X.dtype.str[1:] == "f4" else EPS
    assert_within("weights", model.weights_.sum(), 1.0, 4 * len(model.weights_) * rounding)
    variances = np.square(deviations(mixture_of(model)))
    assert (variances > 0).all()
    shares, log_density = model.predict_proba(X), model.score_samples(X)
    assert_within("responsibilities", shares.sum(axis=1), 1.0, 4 * shares.shape[1] * rounding)
    assert (shares >= 0).all()
    assert (log_density < np.inf).all()
    best = np.take_along_axis(shares, model.predict(X)[:, None], axis=1)[:, 0]
    assert (best >= shares.max(axis=1) - 4 * rounding).all()


def assert_clear(error: ValueError, case: Case) -> None:
    """An error that says which component and columns, or what about the data or the weights."""
    message = str(error)
    if isinstance(error, IllDefinedCovarianceError):
        assert (error.component is None) == (case.covariance_type == "tied")
        assert error.component is None or f"Component {error.component} " in message
        assert error.columns or case.covariance_type == "spherical"
        for column in error.columns[:MOST_LISTED]:
            assert f"column {column}" in message
    else:
        assert "Scale the input data" in message or "n_samples >= n_components" in message


def must_fail(case: Case) -> bool:
    """Whether no covariance of the used rows is definite without a floor."""
    if case.covariance_type == "spherical":
        return False
    X = np.unique(case.values[case.row_weights > 0], axis=0)
    constant = (np.ptp(X, axis=0) == 0).any()
    if case.covariance_type == "diag":
        return bool(constant)
    return bool(constant or len(X) <= case.d or (X[:, 1:] == X[:, :-1]).all(axis=0).any())


@holds_for(
    100,
    case=cases(),
    parameters=lambda choose, between: {
        "reg_covar": choose([0.0, 1e-6]),
        "max_iter": choose([0, 1, 5, 20]),
        "init_params": choose(["kmeans", "k-means++", "random", "random_from_data"]),
        "n_init": choose([1, 2]),
        "acceleration": choose([None, "squarem"]),
    },
)
# A variance beyond the range of float32, and one beyond that of doubles.
@example(Case(0, 2, 1, 1, columns=("1e-20",), dtype="f4"), {"reg_covar": 0.0})
@example(Case(0, 40, 3, 2, columns=("1e20",), dtype="f4"), {})
@example(Case(0, 2, 2, 1, rows="1e200"), {})
@example(Case(0, 2, 2, 1, "diag", rows="1e200"), {})
@example(
    Case(289, 2093, 7, 4, "diag", columns=("plain", "plain", "plain", "1e160")), {"max_iter": 0}
)
# Steps of EM that no longer change anything have no direction to extrapolate.
@example(Case(0, 2, 1, 1), {"reg_covar": 0.0, "acceleration": "squarem"})
# Null directions that rounding hides, or in which the last column takes little part.
@example(Case(19, 2, 2, 1), {"reg_covar": 0.0})
@example(Case(2, 29, 29, 1), {"reg_covar": 0.0})
def test_a_fit_is_sound_or_a_clear_error(case: Case, parameters: dict) -> None:
    assume(case.n >= max(2, case.K))
    model = GaussianMixture(
        case.K, covariance_type=case.covariance_type, tol=0.0, random_state=0, **parameters
    )
    X, before, failure = case.X.copy(), dict(vars(model)), None
    try:
        fit(model, case.X, case.w)
    except ValueError as error:
        failure = error
    np.testing.assert_array_equal(case.X, X)
    if failure is None:
        assert_sound(model, case.X)
        assert_moments(model, case, model.reg_covar)
        # Random responsibilities have their moments about one point, far from some of the means:
        # the ten roundings that the M-step adds to a weight then show in a variance that is none.
        assert model.reg_covar or model.init_params == "random" or not must_fail(case)
        return
    assert vars(model) == before
    assert_clear(failure, case)
    # A floor is enough for rows of ordinary size.
    if model.reg_covar and isinstance(failure, IllDefinedCovarianceError):
        assert case.rows not in ROWS[:5] or not set(case.columns) <= FLOORED
