"""Other packages that take a mixture of scikit-learn's, with this one in its place."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import gaussmix
from support.families import COVARIANCE_TYPES

pytestmark = pytest.mark.slow
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def labelled() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 100)
    return rng.normal(size=(300, 2)) + 5.0 * np.column_stack([y == 1, y == 2]), y


@pytest.fixture
def swapped(monkeypatch):
    """What a class of another package returns with its own mixture, and with this one."""

    def both(module, name, use, **params):
        found = pytest.importorskip(module)
        make = getattr(importlib.import_module(found.__name__), name)
        theirs = use(make(**params))
        monkeypatch.setattr(module + ".GaussianMixture", gaussmix.GaussianMixture)
        return use(make(**params)), theirs

    return both


def test_pyod(swapped, labelled):
    X, _ = labelled
    ours, theirs = swapped(
        "pyod.models.gmm", "GMM", lambda model: model.fit(X), n_components=3, random_state=0
    )
    assert isinstance(ours.detector_, gaussmix.GaussianMixture)
    np.testing.assert_allclose(ours.decision_scores_, theirs.decision_scores_, rtol=1e-6)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)


@pytest.mark.parametrize(
    ("module", "name", "params"),
    [
        ("gmm_classifier", "GMMClassifier", {}),
        ("gmm_outlier_detector", "GMMOutlierDetector", {"threshold": 0.95}),
    ],
)
def test_scikit_lego(swapped, labelled, module, name, params):
    X, y = labelled
    ours, theirs = swapped(
        f"sklego.mixture.{module}",
        name,
        lambda model: model.fit(X, y).predict(X),
        n_components=2,
        random_state=0,
        **params,
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("module", "name"), [("autogmm", "AutoGMMCluster"), ("gclust", "GaussianCluster")]
)
def test_graspologic(swapped, labelled, module, name):
    X, y = labelled
    ours, theirs = swapped(
        f"graspologic.cluster.{module}",
        name,
        lambda model: model.fit(X, y),
        min_components=2,
        max_components=4,
        random_state=0,
    )
    assert isinstance(ours.model_, gaussmix.GaussianMixture)
    assert ours.n_components_ == theirs.n_components_ == 3
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_onnx(labelled, covariance_type):
    to_onnx = pytest.importorskip("skl2onnx").to_onnx
    runtime = pytest.importorskip("onnxruntime")
    X, _ = labelled
    model = gaussmix.GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    graph = to_onnx(model.to_sklearn(), X[:1], options={"score_samples": True}, target_opset=18)
    session = runtime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    labels, shares, log_density = session.run(None, {"X": X})
    np.testing.assert_array_equal(labels.ravel(), model.predict(X))
    np.testing.assert_allclose(shares, model.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(log_density.ravel(), model.score_samples(X), rtol=1e-9)
