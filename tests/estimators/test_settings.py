"""The table of constructor parameters: all that is said of one is said there."""

from __future__ import annotations

import inspect
import typing

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, cli
from gaussmix._common import settings
from gaussmix._common.settings import SETTINGS, Option, Setting, Settings
from gaussmix._estimators import sklearn_api
from gaussmix._estimators.imputing import ImputingMixture
from gaussmix._estimators.online import OnlineMixture
from gaussmix._estimators.sampling import SamplingMixture
from gaussmix._estimators.scoring import ScoringMixture
from gaussmix._files import model_metadata
from gaussmix.cli import wording


def test_the_signature_is_the_table():
    parameters = inspect.signature(GaussianMixture).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        name: setting.default for name, setting in SETTINGS.items()
    }
    assert list(parameters) == list(SETTINGS) == list(typing.get_type_hints(Settings))
    for setting in SETTINGS.values():
        assert setting.constraint[0](setting.default)


def test_scikit_learns_parameters_are_those_it_has():
    theirs = pytest.importorskip("sklearn.mixture").GaussianMixture().get_params()
    assert {name for name, setting in SETTINGS.items() if setting.in_sklearn} == {*theirs}


@pytest.fixture
def sharpness(monkeypatch):
    """A new parameter: an entry of the table, and a place in the signature."""
    option = Option("fraction", "how sharp (default: %(default)s)")
    constraint = (lambda value: settings.is_float(value) and value < 1), "a float below one"
    entry = Setting(
        0.25, constraint, (int, float), since=model_metadata.FORMAT_VERSION + 1,
        in_sklearn=False, option=option,
    )  # fmt: skip
    monkeypatch.setitem(SETTINGS, "sharpness", entry)
    monkeypatch.setattr(model_metadata, "FORMAT_VERSION", model_metadata.FORMAT_VERSION + 1)
    before = GaussianMixture.__init__

    def init(self, n_components=1, *, sharpness=0.25, **others):
        before(self, n_components, **others)
        self.sharpness = sharpness

    given = inspect.signature(before)
    added = inspect.Parameter("sharpness", inspect.Parameter.KEYWORD_ONLY, default=0.25)
    init.__signature__ = given.replace(parameters=[*given.parameters.values(), added])
    monkeypatch.setattr(GaussianMixture, "__init__", init)
    monkeypatch.setattr(GaussianMixture, "_defaults", GaussianMixture._defaults)
    monkeypatch.setattr(GaussianMixture, "sharpness", 0.25, raising=False)
    sklearn_api._init_parameters.cache_clear()
    sklearn_api.with_defaults(GaussianMixture)
    yield
    sklearn_api._init_parameters.cache_clear()


def rows():
    return np.random.default_rng(0).normal(size=(40, 2))


@pytest.mark.usefixtures("sharpness")
def test_a_new_parameter_is_in_checks_and_files(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(gaussmix.InvalidParameterError, match=r"'sharpness'.* a float below one"):
        GaussianMixture(sharpness=2).fit(rows())
    GaussianMixture(sharpness=0.5).fit(rows()).save(path)
    assert gaussmix.load(path).sharpness == 0.5
    assert b'"sharpness":0.5' in path.read_bytes()


def test_files_from_before_a_parameter_have_its_default(tmp_path, request):
    path = tmp_path / "model.npz"
    GaussianMixture().fit(rows()).save(path)
    request.getfixturevalue("sharpness")
    assert gaussmix.load(path).sharpness == 0.25


@pytest.mark.usefixtures("sharpness")
def test_a_new_parameter_is_on_the_command_line_and_in_its_messages(tmp_path, capsys):
    table, path = tmp_path / "rows.csv", tmp_path / "model.npz"
    np.savetxt(table, rows(), delimiter=",")
    fit = ["fit", str(table), "-k", "1", "-o", str(path)]
    assert cli.main([*fit, "--sharpness", "0.5"]) == 0
    assert gaussmix.load(path).sharpness == 0.5
    with pytest.raises(SystemExit):
        cli.main([*fit, "--sharpness", "2"])
    assert "must be a fraction below 1" in capsys.readouterr().err
    assert wording.in_options("Lower sharpness=0.1.") == "Lower --sharpness 0.1."


@pytest.mark.usefixtures("sharpness")
def test_a_new_parameter_is_left_out_on_the_way_to_scikit_learn():
    pytest.importorskip("sklearn")
    assert "sharpness" not in GaussianMixture().fit(rows()).to_sklearn().get_params()


@sklearn_api.with_defaults
class Spheres(OnlineMixture, ScoringMixture, SamplingMixture, ImputingMixture):
    """A second estimator, with one parameter of the table and one of its own."""

    covariance_type = "spherical"

    def __init__(self, n_components=2, *, seed=0):
        self.n_components = n_components
        self.seed = seed

    @property
    def random_state(self):
        return self.seed


def test_another_estimator_shares_all_but_the_constructor(tmp_path):
    X = np.concatenate([rows(), rows() + 9.0])
    model = Spheres(seed=3).fit(X)
    twin = GaussianMixture(2, covariance_type="spherical", random_state=3).fit(X)
    assert model.get_params() == {"n_components": 2, "seed": 3}
    assert repr(model) == "Spheres(seed=3)"
    np.testing.assert_array_equal(model.means_, twin.means_)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    np.testing.assert_array_equal(model.predict([X[:30], X[30:]]), twin.predict(X))
    np.testing.assert_array_equal(model.sample(5)[0], twin.sample(5)[0])
    np.testing.assert_array_equal(model.impute([[np.nan, 1.0]]), twin.impute([[np.nan, 1.0]]))
    np.testing.assert_array_equal(model.partial_fit(X).means_, twin.partial_fit(X).means_)
    assert model.bic(X) == twin.bic(X)
    model.save(tmp_path / "model.npz")
    loaded = gaussmix.load(tmp_path / "model.npz")
    assert (loaded.covariance_type, loaded.random_state) == ("spherical", 3)
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    with pytest.raises(ValueError, match="but Spheres is expecting 2 features"):
        model.predict(X[:, :1])
