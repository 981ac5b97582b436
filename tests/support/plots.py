"""Models to plot, and what is found on axes."""

from __future__ import annotations

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet

from gaussmix import GaussianMixture
from support.families import LAYOUT_OF


def mixture(n_components=3, n_features=2, covariance_type="full", apart=6.0, seed=0):
    """A mixture with well separated means and its parameters drawn at random."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_components, n_features))
    means[:, 0] += apart * np.arange(n_components)
    roots = rng.normal(size=(n_components, n_features, n_features))
    matrices = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(n_features)
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.diagonal(matrices, axis1=1, axis2=2),
        "spherical": matrices[:, 0, 0],
    }[LAYOUT_OF[covariance_type]]
    weights = rng.dirichlet(np.full(n_components, 5.0))
    return GaussianMixture.from_parameters(
        weights, means, covariances, covariance_type=covariance_type
    )


def matrix_of(model, k):
    """The covariance matrix of a component."""
    covariances = model.covariances_
    return {
        "full": lambda: covariances[k],
        "tied": lambda: covariances,
        "diag": lambda: np.diag(covariances[k]),
        "spherical": lambda: covariances[k] * np.eye(model.n_features_in_),
    }[model.covariance_type]()


def points_of(ax):
    """The rows that are drawn."""
    (points,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    return points


def markers_of(ax):
    """The markers at the means, by component."""
    labelled = {line.get_label(): line for line in ax.lines}
    return [labelled[f"component {k}"] for k in range(sum("component " in n for n in labelled))]


def contours_of(ax):
    """The contour lines, without the filled ones."""
    (lines,) = [c for c in ax.collections if isinstance(c, QuadContourSet) and not c.filled]
    return lines


def legend_of(ax):
    """The texts of the legend."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts_of(ax):
    """What is written on axes, but for ticks and legends."""
    return [text.get_text() for text in ax.texts]
