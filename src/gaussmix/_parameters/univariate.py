"""Distribution functions and quantiles of mixtures in one dimension, many mixtures at a time.

Arrays of components are (K, N): entry (k, i) is of component k of mixture i. Sums over components
are of positive terms, so the smaller tail of a mixture keeps all its digits. Callers have NumPy
ignore overflow and the like, which are no errors here.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from .._common.typing import Doubles, Indices
from .linear_algebra import ordered_sum

# Numbers of a component that are worked on at a time: what the caches hold.
_BLOCK = 1 << 15

# A step of so many deviations, those of the mixture where it stands, is the last: Newton's method
# squares the error.
_LAST_STEP = 1e-9

# Bisections of all doubles between two.
_MOST_STEPS = 2200


def cdf(x: Doubles, weights: Doubles, means: Doubles, deviations: Doubles) -> Doubles:
    """Probability of values up to each of x, (N,), in one mixture: arrays of (K,)."""
    result = np.empty(len(x))
    weights = (weights / weights.sum())[:, None]
    size = max(1, _BLOCK // len(means))
    for start in range(0, len(x), size):
        part = slice(start, start + size)
        below = ndtr((x[part] - means[:, None]) / deviations[:, None])
        result[part] = ordered_sum(weights * below)
    return np.minimum(result, 1.0)


def quantiles(p: Doubles, weights: Doubles, means: Doubles, deviations: Doubles) -> Doubles:
    """The value up to which each mixture has the probability p, (N,).

    Parameters
    ----------
    p : ndarray of shape (N,)
        From 0, for minus infinity, to 1, for infinity.
    weights, means, deviations : ndarray of shape (K, N)
        Weights may be 0.

    Returns
    -------
    ndarray of shape (N,)
    """
    result = np.empty(len(p))
    weights = weights / ordered_sum(weights)
    size = max(1, _BLOCK // len(means))
    for start in range(0, len(p), size):
        part = slice(start, start + size)
        # The upper half is the lower half of the mirrored mixture: 1 - p is exact there.
        sign = np.where(p[part] > 0.5, -1.0, 1.0)
        tail = np.where(p[part] > 0.5, 1.0 - p[part], p[part])
        root = _lower_quantiles(tail, weights[:, part], sign * means[:, part], deviations[:, part])
        result[part] = sign * np.where(tail > 0, root, -np.inf)
    return result


def _lower_quantiles(p: Doubles, weights: Doubles, means: Doubles, deviations: Doubles) -> Doubles:
    """`quantiles` for p up to 1/2.

    Newton's method for ``ndtri(F(x)) = ndtri(p)``, which for one component is a straight line,
    between two bounds; where a step leaves them or is not half the one before, they are bisected.
    """
    target = ndtri(p)
    low, high, x = _bounds(target, weights, means, deviations)
    before = high - low
    where: Indices = np.flatnonzero(before > 0)
    solution = x
    p, target, x, low, high, before = (a[where] for a in (p, target, x, low, high, before))
    weights, means, deviations = (a[:, where] for a in (weights, means, deviations))
    for _ in range(_MOST_STEPS):
        if not where.size:
            break
        z = (x - means) / deviations
        below = ordered_sum(weights * ndtr(z))
        density = ordered_sum(weights / deviations * np.exp(-0.5 * z * z))
        np.copyto(low, x, where=below < p)
        np.copyto(high, x, where=below >= p)
        score = ndtri(below)
        slope = density * np.exp(0.5 * score * score)  # of the score: one over a deviation
        step = (target - score) / slope
        after = x + step
        good = (after >= low) & (after <= high) & (np.abs(step) <= 0.5 * before)
        after = np.where(good, after, 0.5 * low + 0.5 * high)
        before = np.abs(after - x)
        done = (good & (before * slope < _LAST_STEP)) | (after == low) | (after == high)
        x = after
        solution[where[done]] = x[done]
        if done.any():
            left = ~done
            where = where[left]
            p, target, x, low, high, before = (a[left] for a in (p, target, x, low, high, before))
            weights, means, deviations = (a[:, left] for a in (weights, means, deviations))
    solution[where] = x
    return solution


def _bounds(
    target: Doubles, weights: Doubles, means: Doubles, deviations: Doubles
) -> tuple[Doubles, Doubles, Doubles]:
    """Bounds of quantiles, the least and the greatest of the components', and a first guess."""
    own = means + deviations * target
    low = np.where(weights > 0, own, np.inf).min(axis=0)
    high = np.where(weights > 0, own, -np.inf).max(axis=0)
    mean = ordered_sum(weights * means)
    variance = ordered_sum(weights * (np.square(deviations) + np.square(means - mean)))
    guess = np.clip(mean + np.sqrt(variance) * target, low, high)
    return low, high, np.where(np.isnan(guess), 0.5 * low + 0.5 * high, guess)
