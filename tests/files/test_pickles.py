"""What was pickled before modules moved is loaded still."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import gaussmix

PICKLES = Path(__file__).parent / "pickles"
sys.path.insert(0, str(PICKLES))

import pickled  # noqa: E402

OLD = pickle.loads((PICKLES / "flat_modules.pickle").read_bytes())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OLD)
def test_pickles_from_before_modules_moved(name):
    old, new = OLD[name], pickled.things()[name]
    assert type(old) is type(new)
    if isinstance(old, gaussmix.GaussianMixture):
        assert old.get_params() == new.get_params()
        if name != "unfitted":
            X = pickled.rows().astype(old.means_.dtype)
            np.testing.assert_allclose(old.score_samples(X), new.score_samples(X), rtol=1e-4)
            old.partial_fit(X)
    elif name == "imputer":
        np.testing.assert_allclose(old.transform([[np.nan, 1.0]]), new.transform([[np.nan, 1.0]]))
    elif name == "statistics":
        np.testing.assert_allclose(old.first, new.first, rtol=1e-9, atol=1e-9)
    elif name == "prediction":
        np.testing.assert_allclose(old.mean, new.mean, rtol=1e-9)
    else:
        assert str(old) == str(new)
