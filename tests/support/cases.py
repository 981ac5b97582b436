"""Cases drawn at random and from everything that is awkward, for what holds for any data."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from numpy.lib.stride_tricks import as_strided

from gaussmix import ConvergenceWarning, GaussianMixture
from support import reference
from support.examples import NEW_EXAMPLES
from support.families import COVARIANCE_TYPES
from support.reference import Mixture

EPS = np.finfo(np.float64).eps

# How many times as many examples a slow run tries.
THOROUGH = 20


# A column from standard normal values in clusters, and the column to its left.
MIXED = [0.0, -0.0, 5e-324, -1e-310, 1e-20, -1e20, 1e-160, 1e160, 1e8, 1e8 + 2.0**-26, 1.0, -3.0]
COLUMNS: dict[str, Callable] = {
    "plain": lambda rng, z, left: z,
    "offset": lambda rng, z, left: z + 1e8,
    "1e-20": lambda rng, z, left: 1e-20 * z,
    "1e20": lambda rng, z, left: 1e20 * z,
    "1e-160": lambda rng, z, left: 1e-160 * z,
    "1e160": lambda rng, z, left: 1e160 * z,
    "denormal": lambda rng, z, left: 1e-310 * z,
    "constant": lambda rng, z, left: np.full_like(z, rng.choice([0.0, -0.0, 0.1, 1e8])),
    "copy": lambda rng, z, left: left,
    "near copy": lambda rng, z, left: left + 1e-9 * np.abs(left).max() * z,
    "few values": lambda rng, z, left: np.round(z / 3),
    "mixed": lambda rng, z, left: rng.choice(MIXED, size=len(z)),
}
# Columns whose variances, and every variance's square root, doubles hold with room to spare.
ORDINARY = ("plain", "offset", "1e-20", "1e20", "few values", "constant", "copy", "near copy")
FLOORED = {"plain", "offset", "1e-20", "1e-160", "denormal", "few values", "constant", "copy"}
REGULAR = ("plain", "offset", "1e-20", "1e20", "few values")

ROWS = ("plain", "duplicates", "identical", "sorted", "tight", "1e12 deviations", "1e200")
SQUARABLE = ROWS[:-1]
DTYPES = ("f8", "f4", "f2", ">f8", ">f4", "i8", "i2", "u1", "g")
LAYOUTS = ("C", "F", "every second", "columns", "backwards", "misaligned", "broadcast")
WEIGHTS = ("none", "uniform", "integers", "1e-300", "1e300", "1e-300 and 1")


@dataclass(frozen=True)
class Case:
    """Rows, weights and a mixture for them, all decided by these few values."""

    seed: int
    n: int
    d: int
    K: int
    covariance_type: str = "full"
    columns: tuple[str, ...] = ("plain",)  # repeated until there are d
    rows: str = "plain"
    dtype: str = "f8"
    layout: str = "C"
    weights: str = "none"
    ridge: float = 0.3  # the smaller, the worse the mixture's covariances are conditioned

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose])

    @cached_property
    def X(self) -> np.ndarray:
        """The rows, (n, d), of the case's dtype and layout."""
        rng = self.rng(0)
        centres = 6.0 * rng.standard_normal((self.K, self.d))
        labels = rng.integers(self.K, size=self.n)
        X = rng.standard_normal((self.n, self.d))
        if self.rows == "tight":  # clusters narrow for their distances, each to its own extent
            X *= 10.0 ** -self.rng(9).uniform(0.0, 7.0, self.K)[labels, None]
        X += centres[labels]
        for j in range(self.d):
            build = COLUMNS[self.columns[j % len(self.columns)]]
            X[:, j] = build(rng, X[:, j], X[:, max(j - 1, 0)])
        if self.rows == "duplicates":
            X = X[rng.integers(-(-self.n // 3), size=self.n)]
        elif self.rows == "identical" or self.layout == "broadcast":
            X = np.broadcast_to(X[:1], X.shape).copy()
        elif self.rows == "sorted":
            X = X[X[:, 0].argsort()]
        elif self.rows == "1e12 deviations":
            X[self.n // 2] += 1e12 * units(X)
        elif self.rows == "1e200":
            X[self.n // 2] = rng.choice([-1e200, 1e200], size=self.d)
        return laid_out(as_type(X, self.dtype), self.layout)

    @property
    def values(self) -> np.ndarray:
        """The rows as contiguous float64."""
        return np.array(self.X, dtype=np.float64, order="C")

    @property
    def single(self) -> bool:
        """Whether rows may be computed in single precision."""
        return self.X.dtype.kind == "f" and self.X.dtype.itemsize == 4 and self.d >= 19

    @property
    def precision(self) -> float:
        """The rounding of the arithmetic."""
        return float(np.finfo(np.float32).eps) if self.single else EPS

    @property
    def negligible(self) -> float:
        """Differences whose squares the arithmetic cannot hold count as none."""
        return 1e-19 if self.single else 1e-160

    @cached_property
    def w(self) -> np.ndarray | None:
        """Sample weights, (n,) or None."""
        rng = self.rng(1)
        w = {
            "none": lambda: None,
            "uniform": lambda: rng.uniform(0.0, 2.0, self.n),
            "integers": lambda: rng.integers(0, 4, self.n),
            "1e-300": lambda: 1e-300 * rng.uniform(0.5, 2.0, self.n),
            "1e300": lambda: 1e300 / self.n * rng.uniform(0.5, 2.0, self.n),
            "1e-300 and 1": lambda: rng.choice([1e-300, 1.0], self.n),
        }[self.weights]()
        if w is not None and not w.any():
            w[0] = 1
        return w

    @property
    def row_weights(self) -> np.ndarray:
        """Sample weights as numbers, ones where there are none."""
        return np.ones(self.n) if self.w is None else np.asarray(self.w, dtype=np.float64)

    @cached_property
    def mixture(self) -> Mixture:
        """Components about some of the rows, as wide as the columns or narrower."""
        rng = self.rng(2)
        K, d, family = self.K, self.d, self.covariance_type
        X = self.values
        unit = units(X)
        mixture = reference.random_mixture(rng, family, K, d)
        mixture.means = X[rng.integers(self.n, size=K)] + 0.3 * unit * mixture.means
        width = 10.0 ** -rng.uniform(0.0, 2.0, K)
        if family in ("full", "tied"):
            roots = rng.standard_normal((K, d, d)) / np.sqrt(d)
            covariances = roots @ roots.transpose(0, 2, 1)
            # Nothing is left of one direction but the ridge.
            direction = rng.standard_normal(d) / np.sqrt(d)
            rest = np.eye(d) - np.outer(direction, direction) / (direction @ direction)
            covariances = rest @ covariances @ rest + self.ridge * np.eye(d)
            covariances *= np.outer(unit, unit)
            covariances *= (width * width)[:, None, None]
            covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
            mixture.covariances = covariances if family == "full" else covariances[0]
        elif family == "diag":
            mixture.covariances = mixture.covariances * (width[:, None] * unit) ** 2
        else:
            mixture.covariances = mixture.covariances * (width * unit.max()) ** 2
        return mixture

    def model(self) -> GaussianMixture:
        """The mixture as an estimator."""
        return model_for(self.mixture)


def units(X: np.ndarray) -> np.ndarray:
    """A width for each column that one outlier does not change, (d,)."""
    with np.errstate(over="ignore"):
        unit = 1.5 * np.median(np.abs(X - np.median(X, axis=0)), axis=0)
    size = np.abs(X).max(axis=0)
    unit = np.where(unit > 0, unit, np.where(size > 0, size, 1.0))
    return np.clip(unit, 1e-140, 1e140)


def as_type(X: np.ndarray, dtype: str) -> np.ndarray:
    """The values in another type, at most the largest it holds."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        # The largest int64 is no double.
        return np.clip(np.round(X), info.min, min(info.max, 2**62)).astype(dtype)
    most = float(min(np.finfo(dtype).max, np.finfo(np.float64).max))
    with np.errstate(under="ignore"):
        return np.clip(X, -most, most).astype(dtype)


def laid_out(X: np.ndarray, layout: str) -> np.ndarray:
    """The same values, in another place in memory."""
    n, d = X.shape
    if layout == "F":
        return np.asfortranarray(X)
    if layout == "every second":
        wide = np.zeros((2 * n, d), dtype=X.dtype)
        wide[::2] = X
        return wide[::2]
    if layout == "columns":
        wide = np.zeros((n, 2 * d + 1), dtype=X.dtype)
        wide[:, 1::2] = X
        return wide[:, 1::2]
    if layout == "backwards":
        return X[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "misaligned":
        buffer = np.zeros(X.nbytes + 1, dtype=np.uint8)
        moved = buffer[1:].view(X.dtype).reshape(n, d)
        moved[...] = X
        return moved
    if layout == "broadcast":
        return as_strided(X, strides=(0, X.strides[1]))
    return np.ascontiguousarray(X)


# Rows, columns and components from the first number to the second: few rows; enough for products
# of features; enough features for single precision; several threads.
SMALL = ((1, 40), (1, 9), (1, 5))
TALL = ((2048, 2700), (1, 18), (1, 4))
WIDE = ((1, 400), (19, 41), (1, 4))
MINUTE = ((2, 6), (1, 4), (1, 3))
BIG = ((3000, 20_000), (1, 12), (1, 6))

# Draws one of a sequence, and a whole number between two. Hypothesis shrinks what it draws, but
# each of its versions, and each number that changes in the sources, make it draw other examples.
Choose: TypeAlias = Callable[[Sequence], Any]
Between: TypeAlias = Callable[[int, int], int]


def cases(
    *sizes,
    columns=tuple(COLUMNS),
    rows=ROWS,
    dtypes=DTYPES,
    layouts=LAYOUTS,
    weights=WEIGHTS,
    families=COVARIANCE_TYPES,
) -> Callable[[Choose, Between], Case]:
    """What draws a case of one of these sizes, by default `SMALL`, `TALL` or `WIDE`."""

    def drawn(choose: Choose, between: Between) -> Case:
        n, d, K = (between(*limits) for limits in choose(sizes or (SMALL, TALL, WIDE)))
        return Case(
            seed=between(0, 2**32),
            n=n,
            d=d,
            K=K,
            covariance_type=choose(families),
            columns=tuple(choose(columns) for _ in range(between(1, 4))),
            rows=choose(rows),
            dtype=choose(dtypes),
            layout=choose(layouts),
            weights=choose(weights),
            ridge=choose([0.3, 1e-3, 1e-6, 1e-9]),
        )

    return drawn


@st.composite
def by_hypothesis(draw, drawn: Callable[[Choose, Between], Any]) -> Any:
    """A strategy for what is drawn."""
    return drawn(
        lambda among: draw(st.sampled_from(among)),
        lambda least, most: draw(st.integers(least, most)),
    )


def assume(condition: bool) -> None:
    """Leave out a case that is none, whoever has drawn it."""
    if not condition:
        raise UnsatisfiedAssumption


def example(*values) -> Callable:
    """What a slow run has found, or somebody: the quick check begins with it."""

    def attach(check: Callable) -> Callable:
        check.examples = [values, *getattr(check, "examples", ())]
        return check

    return attach


def hold_the_same(check: Callable, n_examples: int, recipes: dict) -> None:
    """A check of its `example`s and of as many others, the same in every run."""
    for values in getattr(check, "examples", ()):
        is_held(check, *values)
    held = number = 0
    while held < n_examples:
        rng = random.Random(f"{check.__name__} {number}")
        held += is_held(check, *(drawn(rng.choice, rng.randint) for drawn in recipes.values()))
        number += 1
        assert number < 20 * n_examples, "nearly no case is one"


def is_held(check: Callable, *values) -> bool:
    """Check one example; False where it is none."""
    try:
        check(*values)
    except UnsatisfiedAssumption:
        return False
    except BaseException as error:
        error.add_note(f"Falsifying example: {', '.join(map(repr, values))}")
        raise
    return True


def holds_for(n_examples: int, **recipes):
    """Make a check of what is drawn a test for each instruction set: of the same examples in every
    run, and, slowly, of many new ones. The recipes are in the order of the check's arguments.
    """

    def decorate(check):
        @pytest.mark.parametrize(
            "thorough",
            [False, pytest.param(True, marks=pytest.mark.slow)],
            ids=["quick", "thorough"],
        )
        def test(instruction_set: str, thorough: bool) -> None:
            if not thorough:
                hold_the_same(check, n_examples, recipes)
                return
            new = settings(
                NEW_EXAMPLES,
                max_examples=n_examples * THOROUGH,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            )
            strategies = {name: by_hypothesis(drawn) for name, drawn in recipes.items()}
            new(given(**strategies)(check))()

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


def model_for(mixture: Mixture) -> GaussianMixture:
    """A mixture as an estimator; where a covariance has no factor there is no case."""
    try:
        return GaussianMixture.from_parameters(
            mixture.weights, mixture.means, mixture.covariances,
            covariance_type=mixture.covariance_type, reg_covar=0.0,
        )  # fmt: skip
    except ValueError:
        assume(False)


def fit(model: GaussianMixture, X: np.ndarray, w: np.ndarray | None) -> GaussianMixture:
    """Fit, with every warning an error but those that say something about the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "X is constant|reg_covar=.* is added to every variance")
        return model.fit(X, sample_weight=w)
