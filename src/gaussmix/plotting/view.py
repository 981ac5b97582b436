"""What a plot shows: features of a model, rows, and the axes they go to."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from .._checks.rows import as_rows
from .._estimators.base import mixture_of
from .._parameters.conditioning import marginal
from .._parameters.layouts import layout_of
from ..mixture import GaussianMixture
from . import checks
from .style import Floats

Labels = npt.NDArray[np.intp]

# Rows shown of more. Above some ten thousand, points only cover each other.
_MOST_ROWS = 20_000


class View:
    """The features of a model that a plot shows, and the axes it goes to.

    Attributes
    ----------
    columns : list of int
        The one or two features.
    marginal : GaussianMixture
        Their marginal distribution.
    """

    def __init__(self, model: GaussianMixture, features: Any, ax: Axes | None):
        checks.check_model(model, GaussianMixture)
        checks.check_axes(ax, Axes)
        names = getattr(model, "feature_names_in_", None)
        # The parameters that scores are computed from; attributes may have been set by the user.
        parameters = mixture_of(model)
        self.columns = checks.check_features(features, parameters.n_features, names)
        self.n_features = len(self.columns)
        self.n_components = parameters.n_components
        with np.errstate(all="ignore"):  # `from_parameters` checks what comes of it
            shown = marginal(parameters, self.columns)
        self.marginal = GaussianMixture.from_parameters(
            shown.weights / shown.weights.sum(),
            shown.means,
            shown.own_covariances(),
            covariance_type=shown.covariance_type,
            n_threads=model.n_threads,
        )
        self._labels = [checks.feature_label(column, names) for column in self.columns]
        self._ax = ax

    def axes(self) -> Axes:
        """The axes to draw on."""
        return current_axes() if self._ax is None else self._ax

    def shown(self, rows: Floats) -> Floats:
        """The features of rows that are shown."""
        return rows[:, self.columns]

    def label_axes(self, ax: Axes, height: str = "") -> None:
        """Label the axes with the features; with one of them `height` says what y is."""
        ax.set_xlabel(self._labels[0])
        ax.set_ylabel(height or self._labels[1])


def current_axes() -> Axes:
    """pyplot's current axes; a new figure makes room for whatever labels there will be."""
    if not plt.get_fignums():
        plt.figure(layout="constrained")
    return plt.gca()


def checked_rows(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """All rows as an array, and the most probable component of each; no rows for no X."""
    if X is None:
        return np.empty((0, np.shape(model.means_)[1])), np.empty(0, dtype=np.intp)
    labels: Labels = model.predict(X)  # looks at every value, and at the names of the columns
    rows, _names = as_rows(X)
    return rows, labels


def shown_rows(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """The rows that are shown, and their labels."""
    rows, labels = checked_rows(model, X)
    if len(rows) <= _MOST_ROWS:
        return rows, labels
    generator = np.random.default_rng(0)
    kept = np.sort(generator.choice(len(rows), _MOST_ROWS, replace=False, shuffle=False))
    return rows[kept], labels[kept]


def without_names(model: GaussianMixture) -> GaussianMixture:
    """The model without column names, to score rows that have lost theirs."""
    nameless = copy.copy(model)
    vars(nameless).pop("feature_names_in_", None)
    return nameless


def covariance_of(model: GaussianMixture, component: int) -> Floats:
    """The covariance matrix of one component, whatever the family."""
    layout = layout_of(model.covariance_type)
    covariances = model.covariances_.astype(np.float64, copy=False)
    return layout.matrix(covariances, component, model.means_.shape[1])
