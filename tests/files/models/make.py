"""Write the models of the current format version: `python tests/files/models/make.py`.

Run once for every format version, with the first commit that writes it. What is there already is
never written again: it stands for the files that people have.
"""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np

from gaussmix import GaussianMixture
from gaussmix._files.model_metadata import FORMAT_VERSION

HERE = Path(__file__).parent
ROWS = [[2.0, 50.0], [3.5, 70.0], [4.5, 80.0], [5.0, 96.0], [0.0, 0.0], [1000.0, -1000.0]]

ATTRIBUTES = [
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "converged_",
    "n_iter_", "lower_bound_", "lower_bounds_", "collapses_", "n_features_in_",
    "n_samples_seen_",
]  # fmt: skip


def old_faithful() -> np.ndarray:
    with open(HERE.parents[1] / "data" / "old_faithful.csv", newline="", encoding="utf-8") as file:
        return np.array(list(csv.reader(file))[1:], dtype=float)


def complete_model() -> GaussianMixture:
    """All that a file can hold: names, starting values, no default where there is a choice,
    running statistics.

    The fourth component has no rows, and is dropped.
    """
    model = GaussianMixture(
        4, tol=1e-6, reg_covar=1e-5, max_iter=500, random_state=7, verbose_interval=5, n_threads=1,
        weights_init=[0.25, 0.25, 0.25, 0.25],
        means_init=[[2.0, 55.0], [4.0, 75.0], [4.5, 85.0], [90.0, 900.0]],
        precisions_init=[[[4.0, 0.25], [0.25, 0.0625]]] * 4,
        acceleration="squarem", variance_floor=1e-4, on_collapse="drop", learning_decay=0.8,
        forgetting=0.9, allow_nan=True,
    )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):
        model.fit(old_faithful()).partial_fit(old_faithful()[:50])
    model.feature_names_in_ = np.array(["duration", "Wartezeit \u23f1 (min)"], dtype=object)
    return model


def bare_model() -> GaussianMixture:
    """Nothing that can be left out, in single precision."""
    model = GaussianMixture(3, covariance_type="tied", random_state=0)
    return model.fit(old_faithful().astype(np.float32))


def plain(value):
    """A value as JSON, whose numbers come back to the last bit."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def write(model: GaussianMixture, name: str) -> None:
    if (HERE / f"{name}.npz").exists():
        raise SystemExit(f"{name}.npz is there and stays: raise FORMAT_VERSION for another one.")
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        del model.feature_names_in_
    X = np.array(ROWS, dtype=model.means_.dtype)
    remembered = getattr(model, "effective_rows_", None)
    expected = {
        "parameters": {key: plain(value) for key, value in model.get_params().items()},
        "dtype": model.means_.dtype.name,
        "attributes": {key: plain(getattr(model, key)) for key in ATTRIBUTES},
        "effective_rows": plain(remembered),
        "feature_names": plain(names),
        "rows": ROWS,
        "log_densities": plain(model.score_samples(X)),
        "labels": plain(model.predict(X)),
    }
    if names is not None:
        model.feature_names_in_ = names
    model.save(HERE / f"{name}.npz")
    text = json.dumps(expected, indent=1, sort_keys=True)
    (HERE / f"{name}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    write(complete_model(), f"format_{FORMAT_VERSION}")
    write(bare_model(), f"format_{FORMAT_VERSION}_bare")
