"""The libraries the benchmarks compare: one adapter each, all subclasses of ``Library``.

A new peer is one file that ends in ``ADAPTER = TheClass()`` and a line in ``LIBRARIES``. File
names do not shadow packages.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from shapes import Shape, Start

LIBRARIES = {
    "scikit-learn": "scikit_learn",
    "gaussmix": "gaussmix_",
    "oneDAL": "onedal",
    "Armadillo": "armadillo",
    "mlpack": "mlpack_",
    "pomegranate": "pomegranate_",
    "gmmx": "gmmx_",
    "mclust": "mclust",
}


class Missing(Exception):
    """A library, or what its adapter needs to build or run it, is not on this machine."""


@dataclass(frozen=True)
class Parameters:
    """A mixture in scikit-learn's shapes: weights (K,), means (K, d), covariances by family."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


class Library:
    """What the benchmarks ask of a library.

    An adapter must define ``name``, ``differences``, ``versions``, ``em``, ``iterations`` and
    ``parameters``. It sets ``scores`` or ``fits`` where it defines the methods named there, and
    narrows the other attributes to what its library can do. A model is whatever ``em`` and ``fit``
    return; only the adapter looks into it.

    The caller limits every thread pool of the process that threadpoolctl knows to ``n_threads``; a
    pool of another kind is for the adapter to limit. An adapter's module raises ``ImportError`` or
    ``Missing`` when it is loaded where its library is not installed.
    """

    #: As printed.
    name: str
    #: What it does that the others do not, for the reader of a table.
    differences: str
    #: Families it can fit from a given start.
    covariance_types: tuple[str, ...] = ("full", "tied", "diag", "spherical")
    #: The type it computes in when the rows are float64.
    precision = "float64"
    #: How far, relatively, its mean log-likelihood may be from the reference's after the same
    #: iterations from the same start. ``differences`` says why it is not rounding.
    agreement = 1e-9
    #: Measured in a process of its own: it can be stopped when it is slow, and its waiting threads
    #: do not take time from the others.
    isolated = True
    #: It starts from something of its own, the same for every number of iterations, and not from
    #: ``start``.
    own_start = False
    #: Whether score_samples, predict, predict_proba and sample exist.
    scores = False
    #: Whether fit and initialize exist: a default fit with the library's own start.
    fits = False

    def versions(self) -> dict[str, str]:
        """The version of the library and of what it computes with."""
        raise NotImplementedError

    def cannot(self, shape: Shape) -> str | None:
        """Why the library cannot run EM on this shape, or None if it can."""
        if shape.covariance_type not in self.covariance_types:
            return f"{self.name} has no {shape.covariance_type} covariances"
        return None

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> object:
        """``n_iter`` EM iterations from ``start``, with a regularisation of 1e-6 if it has one."""
        raise NotImplementedError

    def iterations(self, model: object) -> int:
        """How many iterations were made: fewer than asked for where a library must stop early."""
        raise NotImplementedError

    def parameters(self, model: object) -> Parameters:
        raise NotImplementedError

    def seconds(self, model: object) -> float | None:
        """Seconds of ``em`` by the library's own clock; None where the caller's is the right one.

        For programs that ``em`` must start and hand the rows to.
        """
        return None

    def lower_bound(self, model: object) -> float | None:
        """Mean log-likelihood in the last E-step, None where the library does not tell."""
        return None

    # With ``scores``.

    def score_samples(self, model: object, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def predict(self, model: object, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def predict_proba(self, model: object, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def sample(self, model: object, n: int) -> tuple[np.ndarray, np.ndarray]:
        """``n`` random rows and the component of each."""
        raise NotImplementedError

    # With ``fits``.

    def initialize(
        self, X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
    ) -> object:
        """The default start and nothing after it."""
        raise NotImplementedError

    def fit(
        self, X: np.ndarray, n_components: int, covariance_type: str, seed: int, n_threads: int
    ) -> object:
        """The library's default fit."""
        raise NotImplementedError


def load(name: str) -> Library:
    """The adapter of the library called ``name`` in ``LIBRARIES``.

    Raises
    ------
    Missing
        Where the library is not installed; the message says what is absent.
    """
    try:
        return importlib.import_module(f"{__name__}.{LIBRARIES[name]}").ADAPTER
    except ImportError as error:
        raise Missing(f"{name} is not installed: {error}") from None


def load_installed(names: list[str]) -> tuple[dict[str, Library], Mapping[str, str]]:
    """The adapters that can be loaded, and for the other libraries the reason."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = load(name)
        except Missing as error:
            missing[name] = str(error)
    return found, missing
