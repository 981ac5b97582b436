"""Any argument, to any public method, is taken or refused in words; nothing is lost."""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from fractions import Fraction

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, GaussianMixtureImputer, GaussianMixtureRegressor
from gaussmix._common.text import shown

X = np.random.default_rng(0).normal(size=(50, 3))
HOLES = X.copy()
HOLES[::3, 1] = np.nan
HOLES[7] = np.nan

#: What refuses. Anything else, a `LinAlgError` or an `IndexError`, comes of the insides.
REFUSALS = (TypeError, ValueError, gaussmix.NotFittedError, MemoryError, FileNotFoundError)

NUMBERS = [0, 1, -1, 2, 3, 7, 50, 500, 10**400, -(10**5000), 2**63, 2**64, True, False]
NUMBERS += [0.0, -0.0, 0.5, 1.5, -1e-300, 5e-324, 1e308, np.nan, np.inf, -np.inf, 1j]
NUMBERS += [Fraction(1, 3), Fraction(10**400), np.float32(0.5), np.longdouble("1e4000")]
NUMBERS += [kind(value) for kind in (np.int8, np.uint64, np.int64, np.bool_) for value in (0, 2)]
OBJECTS = [None, "", "full", "tied", "conditional", "shapley", "a\x1b[2J", "x" * 10_000, b"full"]
OBJECTS += [{}, [], (), set(), [[]], [None], ["0"], object(), int, slice(0, 2), range(2), ...]
OBJECTS += [np.random.default_rng(0), np.random.RandomState(0), lambda: 1, iter([X])]
ARRAYS = [X, X[:1], X[:0], X[:, :2], X[:, :0], X[0], X.T, X[::-1], X[::2, ::-1], X.astype("f2")]
ARRAYS += [X.astype("f4"), X.astype(">f8"), X.astype(object), X.astype(complex), X.astype("i1")]
ARRAYS += [HOLES, HOLES.astype("f4"), X * 1e300, X * 1e-300, X * 0, np.where(X > 1, np.inf, X)]
ARRAYS += [np.array(5.0), np.ones(50), np.zeros(50), -np.ones(50), np.full(50, np.nan), np.ones(3)]
ARRAYS += [np.eye(3), np.ones((3, 3, 3)), np.array([["a"] * 3]), np.ma.masked_greater(X, 1.0)]
ARRAYS += [X.tolist(), [X[:20], X[20:]], [X[:20], X[20:, :2]], [[1, 2, 3], [4, 5]], memoryview(X)]
ARRAYS += [np.arange(50) % 2, np.array([0, 2]), [0], [2, 0], [1.0]]
POOL = [*NUMBERS, *OBJECTS, *ARRAYS]

#: Those that are no call of ours, or write files, which have tests of their own.
LEFT_OUT = {"save", "get_metadata_routing", "set_output"}
LEFT_OUT |= {f"set_{method}_request" for method in ("fit", "score", "partial_fit", "transform")}


def models():
    """Fitted models, of each family, for few rows and for missing values, and one never fitted."""
    made = [
        GaussianMixture(k, covariance_type=kind, random_state=0, max_iter=5, allow_nan=holes)
        for k, kind, holes in [
            (2, "full", False), (3, "tied", True), (1, "diag", True), (2, "spherical", False),
        ]
    ]  # fmt: skip
    made = [model.fit(HOLES if model.allow_nan else X) for model in made]
    made.append(GaussianMixture(2, random_state=0, max_iter=3).fit(X.astype("f4")))
    made.append(GaussianMixture(2).partial_fit(X))
    made.append(GaussianMixtureImputer(2, random_state=0).fit(HOLES))
    made.append(GaussianMixtureRegressor(2, random_state=0, allow_nan=True).fit(HOLES, X[:, 0]))
    return [*made, GaussianMixture(2)]


def methods(model):
    """Public methods, and the setting of each constructor parameter."""
    names = [name for name in dir(type(model)) if not name.startswith("_")]
    for name in names:
        if name not in LEFT_OUT and inspect.isroutine(getattr(type(model), name)):
            yield name, list(inspect.signature(getattr(model, name)).parameters.values())


def drawn_arguments(rng, parameters):
    """Arguments for some of the parameters, each as likely the rows as anything else."""
    given, named = [], {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is not parameter.empty and rng.random() < 0.6:
            continue
        rows = parameter.name in ("X", "batches", "models") and rng.random() < 0.6
        value = X if rows else POOL[rng.integers(len(POOL))]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            given.append(value)
        else:
            named[parameter.name] = value
    return given, named


def state_of(model):
    """Copies of all that a model holds."""
    state = {}
    for name, value in vars(model).items():
        if name.startswith("_"):
            continue
        value = getattr(model, name)
        state[name] = value.copy() if isinstance(value, np.ndarray) else shown(value)
    return state


def check_same(before, after):
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


def check_refusal(refusal):
    assert not isinstance(refusal, np.linalg.LinAlgError)
    assert 0 < len(str(refusal)) < 1500 or isinstance(refusal, OSError)  # which has a whole path
    assert str(refusal).replace("\n", " ").isprintable()


def check_call(model, name, given, named):
    """A call ends with a result or a refusal, without warnings from arithmetic; a refusal leaves
    the model as it was.
    """
    before = state_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = getattr(model, name)(*given, **named)
            if inspect.isgenerator(result):
                list(result)
        except REFUSALS as refusal:
            check_refusal(refusal)
            check_same(before, state_of(model))


def fuzz(seed, n_calls):
    rng = np.random.default_rng(seed)
    fresh = models()
    everything = [(i, *method) for i, model in enumerate(fresh) for method in methods(model)]
    fitted = copy.deepcopy(fresh)
    for _ in range(n_calls):
        i, name, parameters = everything[rng.integers(len(everything))]
        given, named = drawn_arguments(rng, parameters)
        model = fitted[i]
        if rng.random() < 0.2:
            setting = rng.choice(list(model.get_params()))
            with contextlib.suppress(*REFUSALS):
                model.set_params(**{setting: POOL[rng.integers(len(POOL))]})
        try:
            check_call(model, name, given, named)
        except BaseException as error:
            error.add_note(f"{shown(model)}.{name}(*{shown(given)}, **{shown(named, 300)})")
            raise
        if rng.random() < 0.3:
            fitted[i] = copy.deepcopy(fresh[i])


def test_any_argument_is_taken_or_refused():
    fuzz(0, 300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_many_arguments_are_taken_or_refused(seed):
    fuzz(seed, 2_000)
