"""The covariance families: their names, and what they are by the letters of their codes."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from gaussmix._common import families
from gaussmix._parameters.layouts import layout_of

ALL_NAMES = tuple(families.COVARIANCE_TYPES)

#: The names of all covariances of a layout. What depends on the layout alone is tested with these.
COVARIANCE_TYPES = LAYOUTS = tuple(dict.fromkeys(families.LAYOUTS.values()))

#: The codes of the fourteen families.
FAMILIES = tuple(name for name in ALL_NAMES if name.isupper())

#: The layout of each family, by its name.
LAYOUT_OF = families.LAYOUTS


# --- A family by the letters of its code ---------------------------------------------------------


def unpacked(code, numbers, n_components, d):
    """The covariances (K, d, d) of free numbers: logarithms, and turns of pairs of axes."""
    numbers = np.asarray(numbers, dtype=np.float64)

    def taken(count):
        nonlocal numbers
        now, numbers = numbers[:count], numbers[count:]
        return now

    def repeated(letter, width):
        if letter == "I" or width == 0:
            return np.zeros((n_components, width))
        rows = n_components if letter == "V" else 1
        return np.broadcast_to(taken(rows * width).reshape(rows, width), (n_components, width))

    volume, shape, orientation = code
    volumes = np.exp(repeated(volume, 1)[:, 0])
    logarithms = repeated(shape, d - 1)
    shapes = np.exp(np.column_stack([logarithms, -logarithms.sum(axis=1)]))
    skew = np.zeros((n_components, d, d))
    p, q = np.triu_indices(d, 1)
    turns = repeated(orientation, len(p))
    skew[:, p, q], skew[:, q, p] = turns, -turns
    axes = np.array([expm(one) for one in skew])
    assert not numbers.size
    return volumes[:, None, None] * np.einsum("kij,kj,klj->kil", axes, shapes, axes)


def departure(code, covariances):
    """How far covariances (K, d, d) are from what the letters say."""
    covariances = np.asarray(covariances, dtype=np.float64)
    volume, shape, orientation = code
    d = covariances.shape[-1]
    volumes = np.exp(np.linalg.slogdet(covariances)[1] / d)
    unit = covariances / volumes[:, None, None]
    amounts = [0.0]
    if volume == "E":
        amounts.append(np.ptp(np.log(volumes)))
    if shape == "I":
        amounts.append(np.abs(unit - np.eye(d)).max())
    elif shape == "E":
        same = unit if orientation in "EI" else np.linalg.eigvalsh(unit)
        amounts.append(np.abs(same - same[0]).max() / np.abs(same).max())
    if orientation == "I":
        amounts.append(np.abs(unit * (1 - np.eye(d))).max())
    elif orientation == "E":
        products = unit[:, None] @ unit[None]
        amounts.append(np.abs(products - products.swapaxes(0, 1)).max() / np.abs(products).max())
    return max(amounts)


def misfit(covariances, scatter, weight):
    """Minus twice the expected log-likelihood, but for a constant."""
    return sum(
        n * (np.linalg.slogdet(c)[1] + np.trace(np.linalg.solve(c, w)))
        for n, c, w in zip(weight, covariances, scatter, strict=True)
    )


def in_layout(code, scatter, weight):
    """Matrices (K, d, d) as the family's layout has them."""
    diagonals = np.einsum("kpp->kp", scatter).copy()
    return {
        "full": lambda: scatter.copy(),
        "tied": lambda: np.einsum("k,kpq->pq", weight / weight.sum(), scatter),
        "diag": lambda: diagonals,
        "spherical": lambda: diagonals.mean(axis=1),
    }[LAYOUT_OF[code]]()


def matrices_of(code, covariances, n_components, d):
    """Covariances of a layout as matrices (K, d, d)."""
    layout = layout_of(code)
    return np.array([layout.matrix(covariances, k, d) for k in range(n_components)])
