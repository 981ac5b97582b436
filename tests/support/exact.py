"""Log-densities of mixtures in as many decimal digits as mpmath is told to keep."""

from __future__ import annotations

import mpmath
import numpy as np
from mpmath import mp, mpf

from support import reference
from support.reference import Mixture


def exact(values: np.ndarray) -> mpmath.matrix:
    return mp.matrix(np.asarray(values, dtype=object).tolist())


def exact_scores(mixture: Mixture, X: np.ndarray) -> list[list[mpf]]:
    """log(weight_k) + log N(x_i; k)"""
    d = mixture.n_features
    scores = [[mpf(0)] * mixture.n_components for _ in X]
    for k, covariance in enumerate(reference.dense_covariances(mixture)):
        matrix = exact(covariance)
        inverse = matrix**-1
        constant = (
            mp.log(mpf(mixture.weights[k])) - (d * mp.log(2 * mp.pi) + mp.log(mp.det(matrix))) / 2
        )
        for i, row in enumerate(X):
            centred = exact(row[:, None]) - exact(mixture.means[k][:, None])
            scores[i][k] = constant - (centred.T * inverse * centred)[0] / 2
    return scores


def exact_log_densities(scores: list[list[mpf]]) -> list[mpf]:
    return [mp.log(mp.fsum(mp.exp(score) for score in row)) for row in scores]
