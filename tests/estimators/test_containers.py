"""Rows that a mixture makes as data frames: `set_output`, as transformers have it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from gaussmix import GaussianMixture
from support.rows import NAMES, changed, two_clusters

X = two_clusters()
HOLES = changed(X, (slice(None, None, 3), 1), np.nan)


@pytest.fixture
def model():
    made = GaussianMixture(2, random_state=0).fit(X)
    made.feature_names_in_ = np.array(NAMES, dtype=object)
    return made


def same(frame, values, library):
    assert isinstance(frame, library.DataFrame)
    assert list(frame.columns) == NAMES
    np.testing.assert_array_equal(frame.to_numpy(), values)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_rows_come_as_frames(model, container):
    library = pytest.importorskip(container)
    plain = copy.copy(model)
    assert model.set_output(transform=container) is model
    for twin in (model, pickle.loads(pickle.dumps(model)), copy.copy(model).set_output()):
        frame, y = twin.sample(5, random_state=0)
        values, labels = plain.sample(5, random_state=0)
        same(frame, values, library)
        assert type(y) is np.ndarray
        np.testing.assert_array_equal(y, labels)
    given = {"width": [1.0, 2.0]}
    values, _ = plain.sample(3, random_state=0, given=given)
    same(model.sample(3, random_state=0, given=given)[0], values.reshape(6, 3), library)
    filled, deviations = model.impute(HOLES, return_std=True)
    same(filled, plain.impute(HOLES), library)
    same(deviations, plain.impute(HOLES, return_std=True)[1], library)
    draws = model.impute(HOLES, n_draws=2, random_state=0)
    for draw, values in zip(draws, plain.impute(HOLES, n_draws=2, random_state=0), strict=True):
        same(draw, values, library)
    # Some of the columns are a model like this one.
    assert list(model.marginal(["height", "length"]).sample()[0].columns) == ["height", "length"]
    assert type(model.set_output(transform="default").sample()[0]) is np.ndarray


def test_frames_of_pandas_keep_their_index(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(HOLES, columns=NAMES, index=np.arange(60) + 7)
    model.set_output(transform="pandas")
    assert model.impute(frame).index.equals(frame.index)
    drawn, _ = model.sample(2, given=frame[["length"]].head(2))
    assert drawn.index.tolist() == [7, 7, 8, 8]
    drawn, _ = model.sample(2, given={"length": [1.0, 2.0]})
    assert drawn.index.tolist() == [0, 0, 1, 1]


def test_a_model_without_names_says_so(model):
    del model.feature_names_in_
    model.set_output(transform="pandas")
    for call in (lambda: model.sample(), lambda: model.impute(HOLES)):
        with pytest.raises(ValueError, match=r"no names for the columns .*Fit to a table with n"):
            call()
    expected = GaussianMixture(2, random_state=0).fit(X).sample(3)[0]
    np.testing.assert_array_equal(model.set_output(transform="default").sample(3)[0], expected)


def test_nothing_else_changes_what_comes(model):
    sklearn = pytest.importorskip("sklearn")
    with sklearn.config_context(transform_output="pandas"):
        assert type(model.sample()[0]) is np.ndarray
        assert type(model.impute(HOLES)) is np.ndarray
    with pytest.raises(ValueError, match=r"'default', 'pandas' or 'polars'. Got 'xarray'"):
        model.set_output(transform="xarray")
    twin = sklearn.base.clone(GaussianMixture().set_output(transform="polars"))
    assert twin._sklearn_output_config == {"transform": "polars"}


def test_plots_draw_arrays_whatever_is_asked_of_sample(model):
    plotting = pytest.importorskip("gaussmix.plotting")
    del model.feature_names_in_
    ax = plotting.plot_density(model.set_output(transform="pandas"), features=(0, 1), levels=0.5)
    assert ax.collections


def test_a_subclass_that_transforms_has_the_set_output_of_its_other_base(model):
    base = pytest.importorskip("sklearn.base")
    pandas = pytest.importorskip("pandas")

    class Transforms(GaussianMixture):
        def transform(self, X):
            return self.predict_proba(X)

    class Both(GaussianMixture, base.TransformerMixin):
        def transform(self, X):
            return self.predict_proba(X)

        def get_feature_names_out(self, names=None):
            return ["first", "second"]

    assert not hasattr(Transforms(), "set_output")
    both = Both(2, random_state=0).fit(X).set_output(transform="pandas")
    assert isinstance(both.transform(X), pandas.DataFrame)
    assert type(both.sample()[0]) is np.ndarray


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_not_there_is_named(model, library, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(ImportError, match=f"needs {library}. Install it, or pass 'default'"):
        model.set_output(transform=library).sample()
