"""Every constructor parameter, environment variable and option is checked wherever it is used."""

from __future__ import annotations

import os
import textwrap
from fractions import Fraction

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, GaussianMixtureImputer, GaussianMixtureRegressor
from gaussmix._common.text import shown
from gaussmix._kernels import _threads
from gaussmix._rows.array_rows import Rows
from gaussmix._runtime import cgroups, instruction_sets, threads
from support.processes import output_of

HUGE = 10**5000  # which the interpreter refuses to write out

NO_COUNT = [0, -3, False, True, np.int64(0), np.bool_(True), 1.5, np.float64(2), "2", b"2", 1j]
NO_COUNT += [float("nan"), float("inf"), 10**400, HUGE, [1], np.array(3), object(), Fraction(3, 2)]
NO_FLAG = [0, 1, None, "yes", "no", "", np.int64(1), [True], np.array(True), HUGE]
NO_SIZE = [-1, -1e-300, float("nan"), float("inf"), "0.1", None, True, 1j, 10**400, HUGE]
NO_SIZE += [Fraction(10**400), np.longdouble("1e4000"), np.array(0.1), "9" * 100_000]
NO_NAME = ["Full", "x\x1b[31m" * 10_000, None, 3, ["full"], b"full", np.array(["full", "tied"])]

X = np.random.default_rng(0).normal(size=(40, 2))
HOLES = X.copy()
HOLES[::5, 1] = np.nan

ONE = GaussianMixture().fit(X[:, :1])
TWO = GaussianMixture(2, random_state=0).fit(X)

#: What is done with a fitted mixture of two features.
USES = {
    "score": lambda m: m.score(X),
    "score_samples": lambda m: m.score_samples(X),
    "predict": lambda m: m.predict(X[:1]),
    "predict_proba": lambda m: m.predict_proba(X, out=np.empty((40, 2))),
    "aic": lambda m: m.aic(X),
    "bic": lambda m: m.bic(X),
    "icl": lambda m: m.icl(X),
    "a source": lambda m: m.predict([X[:20], X[20:]]),
    "impute": lambda m: m.impute(HOLES),
    "sample": lambda m: m.sample(2),
    "marginal": lambda m: m.marginal(0),
    "condition": lambda m: m.condition(0, [0.5]),
    "predict_conditional": lambda m: m.predict_conditional(X[:, :1], [0]),
    "feature_contributions": lambda m: m.feature_contributions(X, "shapley"),
    "mahalanobis": lambda m: m.mahalanobis(X),
    "retire": lambda m: m.retire(0),
    "to_sklearn": lambda m: m.to_sklearn(),
}

#: What learns, and so uses all parameters.
LEARNING = {
    "fit": lambda m: m.fit(X),
    "fit_predict": lambda m: m.fit_predict(X),
    "accumulate": lambda m: m.accumulate(X),
    "update": lambda m: m.update(TWO.accumulate(X)),
    "partial_fit": lambda m: m.partial_fit(X),
    "revive": lambda m: m.revive(0),
    "save": lambda m: m.save(os.devnull + "/no/such/file"),
}


def refused(call, name):
    """The message of the exception that refuses a parameter by its name, in bounded length."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    message = str(caught.value)
    assert name in message
    assert len(message) < 1500
    assert message.replace("\n", " ").isprintable()
    return message


def copy_of(model, **params):
    state = vars(model).copy()
    copied = type(model)()
    vars(copied).update(state)
    return copied.set_params(**params)


@pytest.mark.parametrize("use", USES)
def test_using_a_model_checks_its_threads_its_family_and_what_nan_means(use):
    for name, values in {
        "n_threads": NO_COUNT,
        "allow_nan": NO_FLAG,
        "covariance_type": NO_NAME,
    }.items():
        for value in values:
            model = copy_of(TWO, **{name: value})
            before = {key: np.copy(vars(model)[key]) for key in ("weights_", "means_")}
            refused(lambda model=model: USES[use](model), name)
            for key, array in before.items():
                np.testing.assert_array_equal(vars(model)[key], array)
    USES[use](copy_of(TWO, n_threads=np.int8(2), allow_nan=np.False_))


def test_distributions_of_one_feature_check_the_threads_too():
    for value in NO_COUNT:
        model = copy_of(ONE, n_threads=value)
        refused(lambda model=model: model.cdf(0.5), "n_threads")
        refused(lambda model=model: model.quantile(0.5), "n_threads")


@pytest.mark.parametrize("method", LEARNING)
def test_learning_checks_every_parameter(method):
    wrong = {
        "n_components": NO_COUNT,
        "covariance_type": NO_NAME,
        "tol": NO_SIZE,
        "reg_covar": NO_SIZE,
        "max_iter": [value for value in NO_COUNT if type(value) not in (int, np.int64) or value],
        "n_init": NO_COUNT,
        "init_params": NO_NAME,
        "random_state": [-1, 1.5, True, "0", 2**32, HUGE, np.array(0)],
        "warm_start": NO_FLAG,
        "verbose": [-1, 0.5, None, HUGE],
        "verbose_interval": NO_COUNT,
        "n_threads": NO_COUNT,
        "acceleration": ["SQUAREM", True, ["squarem"]],
        "variance_floor": [*NO_SIZE, 1.0],
        "on_collapse": NO_NAME,
        "learning_decay": [*NO_SIZE, 0.5, 2],
        "forgetting": [0, 1, True, "0.9", float("nan"), HUGE],
        "allow_nan": NO_FLAG,
    }
    for name, values in wrong.items():
        for value in values:
            model = copy_of(TWO, **{name: value})
            refused(lambda model=model: LEARNING[method](model), name)
            np.testing.assert_array_equal(model.means_, TWO.means_)


def test_a_model_of_given_parameters_is_not_made_with_wrong_settings():
    for name, value in (("n_threads", 0), ("allow_nan", "no"), ("reg_covar", 10**400)):
        refused(
            lambda name=name, value=value: GaussianMixture.from_parameters(
                [1.0], [[0.0]], [1.0], **{name: value}
            ),
            name,
        )


def test_numbers_of_any_kind_give_what_pythons_own_give():
    numbers = {
        "tol": (1e-3, np.longdouble(1e-3), Fraction(1e-3)),
        "reg_covar": (1e-6, np.longdouble(1e-6), Fraction(1e-6)),
        "max_iter": (200, np.uint8(200), 200),
        "n_components": (3, np.int8(3), np.uint8(3)),
        "variance_floor": (0.125, np.float16(0.125), Fraction(1, 8)),
        "learning_decay": (0.75, np.float16(0.75), Fraction(3, 4)),
        "random_state": (1, np.int8(1), np.uint64(1)),
    }
    models = []
    for i in range(3):
        params = {name: values[i] for name, values in numbers.items()}
        models.append(GaussianMixture(**params).fit(X).partial_fit(X[:10]))
        models[-1].update(models[-1].accumulate(X))
    for model in models[1:]:
        np.testing.assert_array_equal(model.means_, models[0].means_)
        np.testing.assert_array_equal(model.covariances_, models[0].covariances_)
        assert type(model.means_[0, 0]) is np.float64


def test_arguments_of_methods_are_checked():
    for value in (0, -1, True, 1.5, "3", None, 10**400, HUGE, np.array(3)):
        refused(lambda value=value: TWO.sample(value), "n_samples")
        refused(lambda value=value: TWO.feature_contributions(X, n_permutations=value), "n_perm")
        if value is not None:
            refused(lambda value=value: TWO.impute(HOLES, n_draws=value), "n_draws")
    for value in NO_FLAG:
        refused(lambda value=value: TWO.impute(HOLES, return_std=value), "return_std")
        refused(lambda value=value: TWO.mahalanobis(X, squared=value), "squared")
    for value in (-0.1, 2, float("nan"), 10**400, HUGE, 1j, "half", None, Fraction(3, 2)):
        refused(lambda value=value: ONE.quantile(value), "q ")
    assert ONE.quantile(Fraction(1, 2)) == ONE.quantile(0.5)
    for value in (-1, True, 1.5, "0", HUGE):
        refused(lambda value=value: TWO.sample(2, random_state=value), "random_state")
        refused(lambda value=value: TWO.impute(HOLES, n_draws=2, random_state=value), "random")
        model = copy_of(TWO, random_state=value)
        refused(lambda model=model: model.sample(2), "random_state")
    for value in (0, -1, True, 1.5, "1GB", HUGE, None):
        refused(lambda v=value: gaussmix.sources.ChunkSource([X], memory=v), "memory")


def test_a_seed_that_became_wrong_is_no_longer_taken_for_the_one_before():
    model = GaussianMixture(2, random_state=1).fit(X)
    model.sample(1)
    model.random_state = True
    refused(lambda: model.sample(1), "random_state")


def test_the_imputer_checks_what_transform_uses():
    imputer = GaussianMixtureImputer().fit(HOLES)
    for name in ("sample_posterior", "keep_empty_features", "add_indicator"):
        for value in NO_FLAG:
            imputer.set_params(**{name: value})
            refused(lambda: imputer.transform(HOLES), name)
            refused(lambda: imputer.get_feature_names_out(), name)
            imputer.set_params(**{name: False})
    imputer.mixture_.n_threads = 0
    refused(lambda: imputer.transform(HOLES), "n_threads")


def test_the_regressor_checks_what_its_predictions_use():
    regressor = GaussianMixtureRegressor().fit(X, X[:, 0])
    for value in NO_FLAG:
        refused(lambda value=value: regressor.predict(X, return_std=value), "return_std")
        regressor.allow_nan = value
        for method in (regressor.predict, regressor.predict_quantiles):
            refused(lambda method=method: method(X), "allow_nan")
        regressor.allow_nan = False
    for value in (0, 1, -0.5, 90, True, None, "0.9", HUGE):
        refused(lambda value=value: regressor.predict_interval(X, value), "coverage")


def test_scores_of_dask_collections_check_the_threads_before_anything_is_computed():
    da = pytest.importorskip("dask.array")
    lazy = da.from_array(X, chunks=(20, 2))
    for value in NO_COUNT:
        model = copy_of(TWO, n_threads=value)
        for method in (model.predict, model.score, model.accumulate, model.impute):
            refused(lambda method=method: method(lazy), "n_threads")


# --- the kernels ---------------------------------------------------------------------------------


def test_no_number_of_threads_below_one_reaches_the_kernels():
    rows = np.zeros((300_000, 4))
    for value in (0, -1, False, 1.5, "2"):
        refused(lambda value=value: Rows(rows, n_threads=value).first_nonfinite(), "n_threads")
    kernels = instruction_sets.row_kernels()
    for value in (0, -1):
        with pytest.raises(ValueError, match="n_threads must be at least 1"):
            kernels.first_nonfinite(rows, 4096, value, False)
    assert _threads.threads_at_work() == 0


def test_240_000_rows_and_no_thread():
    """In a process of its own, as it used to end in one."""
    code = textwrap.dedent("""
        import numpy as np, gaussmix
        X = np.random.default_rng(0).normal(size=(240_000, 6))
        model = gaussmix.GaussianMixture(3, random_state=0).fit(X[:2000])
        for value in (0, False, -3, np.int64(0)):
            model.n_threads = value
            for method in (model.score_samples, model.predict, model.accumulate, model.impute):
                try:
                    method(X)
                except ValueError:
                    continue
                raise SystemExit(f"{method.__name__} took n_threads={value!r}")
        print("refused")
    """)
    assert output_of(code) == "refused"


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "9" * 400, "9" * 5000, "two\x1b[31m"], ids=shown
)
def test_our_own_variable_must_be_a_number_of_threads(monkeypatch, text):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", text)
    refused(threads.thread_count, "GAUSSMIX_NUM_THREADS")


@pytest.mark.parametrize("text", ["0", "-1", "9" * 400, "9" * 5000, "4294967297", "x"], ids=shown)
def test_a_number_of_threads_that_openmp_ignores_is_ignored(monkeypatch, text):
    monkeypatch.delenv("GAUSSMIX_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    expected = threads.thread_count()
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads.thread_count() == expected


def test_a_quota_beyond_all_numbers_is_none(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text(f"{'9' * 5000} 100000\n")
    assert cgroups.cpu_quota(tmp_path) is None
