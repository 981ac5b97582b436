"""Variances along axes: how those of several components bind each other.

Each rule takes the scatter of the components along their axes, ``s_kj``, the weights n_k, and the
least that each variance may be, and returns the variances ``t_kj`` that minimise

    sum_k n_k sum_j (log t_kj + s_kj / t_kj)

which is minus twice the expected log-likelihood (Celeux & Govaert 1995, Pattern Recognition 28,
781-793). With logarithms as the unknowns it is convex, and so are the constraints, so that there
is one minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ..._common.typing import Doubles
from ..._parameters.linear_algebra import weighted_sum

#: ``rule(scatter, nk, least) -> variances``: (K, d) or None for no bound, (K,), (K, d).
Rule: TypeAlias = Callable[[Doubles, Doubles, "Doubles | None"], Doubles]

# Volumes and shapes take turns until neither moves by more than this, relatively. A turn leaves
# the squared variation of ``s_kj / t_kj`` of the error, so a few are the rule.
CONVERGED = 1e-13
MOST_TURNS = 500


def free(scatter: Doubles, nk: Doubles, least: Doubles | None) -> Doubles:
    """Each component has its own: the scatter."""
    return scatter if least is None else np.maximum(scatter, least)


def equal(scatter: Doubles, nk: Doubles, least: Doubles | None) -> Doubles:
    """All components have the same: the mean scatter."""
    mean = weighted_sum(nk / nk.sum(), scatter)
    if least is not None:
        mean = np.maximum(mean, least.max(axis=0))
    return np.tile(mean, (len(scatter), 1))


def equal_shape(scatter: Doubles, nk: Doubles, least: Doubles | None) -> Doubles:
    """``t_kj = volume_k * shape_j``: each is best in turn, given the other.

    Where variances are bounded a turn may go no further than the bounds let it, and the last
    turns may stop at a corner of them, short of the minimum.
    """
    share = nk / nk.sum()
    volumes = scatter.mean(axis=1)
    for _ in range(MOST_TURNS):
        before = volumes
        shape = weighted_sum(share, scatter / volumes[:, None])
        if least is not None:
            shape = np.maximum(shape, (least / volumes[:, None]).max(axis=0))
        shape /= np.exp(np.log(shape).mean())
        volumes = (scatter / shape).mean(axis=1)
        if least is not None:
            volumes = np.maximum(volumes, (least / shape).max(axis=1))
        # Guards are written so that NaN ends the search.
        if not (np.abs(volumes - before) > CONVERGED * volumes).any():
            break
    variances: Doubles = volumes[:, None] * shape
    return variances


def equal_volume(scatter: Doubles, nk: Doubles, least: Doubles | None) -> Doubles:
    """``t_kj = volume * shape_kj``, the shapes with product one."""
    own = volumes_of(scatter)
    volume = float((nk * own).sum() / nk.sum())
    variances = scatter * (volume / own)[:, None]
    if least is None or (variances >= least).all():
        return variances
    return _bounded_equal_volume(scatter, nk, least)


def volumes_of(variances: Doubles) -> Doubles:
    """Geometric means over the axes, (K,)."""
    volumes: Doubles = np.exp(np.log(variances).mean(axis=1))
    return volumes


def _bounded_equal_volume(scatter: Doubles, nk: Doubles, least: Doubles) -> Doubles:
    """`equal_volume` where some variances are at their bounds.

    Of a component whose logarithms of variances must sum to a number, each is at its bound or a
    common multiple m_k of its scatter. That sum, the same for all components, is right where
    ``sum_k n_k (1 - 1 / m_k)``, the slope of what is minimised, is zero.
    """
    from scipy.optimize import brentq

    lowest = float(np.log(least).sum(axis=1).max())
    highest = float(np.log(np.maximum(scatter, least)).sum(axis=1).max())

    def slope(total: float) -> float:
        return float((nk * (1 - 1 / _multiples(scatter, least, total))).sum())

    if not slope(lowest) < 0:
        total = lowest
    elif not slope(highest) > 0:
        total = highest
    else:
        total = brentq(slope, lowest, highest, xtol=1e-13)
    return np.maximum(least, _multiples(scatter, least, total)[:, None] * scatter)


def _multiples(scatter: Doubles, least: Doubles, total: float) -> Doubles:
    """For each component the m with ``sum_j log max(least_j, m * scatter_j) = total``, (K,)."""
    K, d = scatter.shape
    order = np.argsort(least / scatter, axis=1)  # in which they leave their bounds as m grows
    bounds = np.log(np.take_along_axis(least, order, axis=1))
    values = np.log(np.take_along_axis(scatter, order, axis=1))
    free_sums = np.cumsum(values, axis=1)
    bound_sums = bounds.sum(axis=1, keepdims=True) - np.cumsum(bounds, axis=1)
    # With the first i + 1 free: m, if those and no more are free with it.
    logarithms = (total - bound_sums - free_sums) / np.arange(1, d + 1)
    leaves = bounds - values
    n_free = np.maximum((logarithms >= leaves).sum(axis=1), 1)
    multiples: Doubles = np.exp(logarithms[np.arange(K), n_free - 1])
    return multiples
