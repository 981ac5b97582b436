"""What a plot shows: features of a model, rows, and the axes they go to."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

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
from .frame import Frame, frame_of
from .style import Floats

Labels = npt.NDArray[np.intp]

# Rows shown of more. Above some ten thousand, points only cover each other.
_MOST_ROWS = 20_000


class Rows(NamedTuple):
    """The rows that are shown.

    Attributes
    ----------
    every : ndarray of shape (n, d)
        All their features.
    labels : ndarray of shape (n,)
        The most probable component of each.
    frame : Frame
        What the axes make room for.
    """

    every: Floats
    labels: Labels
    frame: Frame


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
        self.marginal = marginal_of(model, self.columns)
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
        ax.set_ylabel(height if self.n_features == 1 else self._labels[1])


def marginal_of(model: GaussianMixture, columns: Sequence[int]) -> GaussianMixture:
    """The mixture of some features."""
    with np.errstate(all="ignore"):  # `from_parameters` checks what comes of it
        shown = marginal(mixture_of(model), columns)
    return GaussianMixture.from_parameters(
        shown.weights / shown.weights.sum(),
        shown.means,
        shown.own_covariances(),
        covariance_type=shown.covariance_type,
        n_threads=model.n_threads,
    )


def current_axes(size: tuple[float, float] | None = None) -> Axes:
    """pyplot's current axes; a new figure makes room for whatever labels there will be."""
    if not plt.get_fignums():
        plt.figure(figsize=size, layout="constrained")
    return plt.gca()


def checked_rows(model: GaussianMixture, X: Any) -> tuple[Floats, Labels]:
    """All rows as an array, and the most probable component of each; no rows for no X."""
    if X is None:
        return np.empty((0, np.shape(model.means_)[1])), np.empty(0, dtype=np.intp)
    labels: Labels = model.predict(X)  # looks at every value, and at the names of the columns
    rows, _names = as_rows(X)
    return (rows if rows.dtype.kind == "f" else rows.astype(np.float64)), labels


def shown_rows(
    view: View, model: GaussianMixture, X: Any, limits: float | None, reach: float
) -> Rows:
    """The rows that are shown, with their labels and the frame about them.

    Left out are those without a value in a feature that is shown. In the frame is a component as
    far as `reach` standard deviations.
    """
    rows, labels = checked_rows(model, X)
    known = ~np.isnan(view.shown(rows)).any(axis=1)
    rows, labels = rows[known], labels[known]
    frame = frame_about(view.shown(rows), limits, view.marginal, reach)
    kept = some_of(len(rows))
    return Rows(rows[kept], labels[kept], frame)


def frame_about(
    values: Floats, limits: float | None, marginal: GaussianMixture, reach: float
) -> Frame:
    """The frame about rows and components, these as far as `reach` standard deviations."""
    deviations = reach * deviations_of(marginal)
    ends = marginal.means_ - deviations, marginal.means_ + deviations
    return frame_of(values, limits, marginal.weights_, *ends)


def some_of(n_rows: int) -> Labels:
    """Which rows of very many are shown, the same ones each time; all of fewer."""
    if n_rows <= _MOST_ROWS:
        return np.arange(n_rows)
    generator = np.random.default_rng(0)
    return np.sort(generator.choice(n_rows, _MOST_ROWS, replace=False, shuffle=False))


def responsibilities_of(model: GaussianMixture, rows: Floats) -> Floats:
    """The responsibilities for rows that have lost the names of their columns, (n, K)."""
    if not len(rows):
        return np.empty((0, len(model.means_)))
    responsibilities: Floats = without_names(model).predict_proba(rows).astype(np.float64)
    return responsibilities


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


def deviations_of(model: GaussianMixture) -> Floats:
    """The standard deviations of the features in each component, (K, d)."""
    covariances = [covariance_of(model, k) for k in range(len(model.means_))]
    deviations: Floats = np.sqrt(np.diagonal(np.array(covariances), axis1=1, axis2=2))
    return deviations
