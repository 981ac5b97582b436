"""The libraries the benchmarks compare: one module each, all with the same functions.

A module here defines

- ``NAME``: as printed;
- ``DIFFERENCES``: what it does that the others do not, for the reader of a table;
- ``versions() -> dict[str, str]``: the library's and what it computes with;
- ``em(X, start, n_iter, n_threads) -> model``: exactly ``n_iter`` EM iterations from ``start``,
  reg_covar 1e-6;
- ``initialize(X, n_components, covariance_type, seed, n_threads) -> model``: the default start and
  nothing after it;
- ``fit(X, n_components, covariance_type, seed, n_threads) -> model``: the library's default fit;
- ``iterations(model) -> int`` and ``lower_bound(model) -> float``: of the fit that made the model;
- ``score_samples(model, X)``, ``predict(model, X)``, ``predict_proba(model, X)``.

The caller limits every thread pool of the process to ``n_threads`` (threadpoolctl); a library with
a setting of its own is told as well. File names do not shadow packages. A new peer is one file and
a line in ``LIBRARIES``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

LIBRARIES = {"scikit-learn": "scikit_learn", "gaussmix": "gaussmix_"}


def load(name: str) -> ModuleType:
    """Import the adapter of the library called ``name`` in ``LIBRARIES``."""
    return importlib.import_module(f"{__name__}.{LIBRARIES[name]}")
