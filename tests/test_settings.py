"""The table of constructor parameters: all that is said of one is said there."""

from __future__ import annotations

import inspect
import typing

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, _inputs, _persistence, _settings, cli
from gaussmix._estimators import sklearn_api
from gaussmix._settings import SETTINGS, Option, Setting, Settings


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
    constraint = (lambda value: _settings.is_float(value) and value < 1), "a float below one"
    entry = Setting(
        0.25, constraint, (int, float), since=_persistence.FORMAT_VERSION + 1,
        in_sklearn=False, option=option,
    )  # fmt: skip
    monkeypatch.setitem(SETTINGS, "sharpness", entry)
    monkeypatch.setattr(_persistence, "FORMAT_VERSION", _persistence.FORMAT_VERSION + 1)
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
    assert _inputs._in_options("Lower sharpness=0.1.") == "Lower --sharpness 0.1."


@pytest.mark.usefixtures("sharpness")
def test_a_new_parameter_is_left_out_on_the_way_to_scikit_learn():
    pytest.importorskip("sklearn")
    assert "sharpness" not in GaussianMixture().fit(rows()).to_sklearn().get_params()
