"""SQUAREM: EM with fewer passes, by squared extrapolation of its iterates.

Near an optimum EM shrinks the error by a fixed factor along each of a few directions, and along
the slowest the factor is close to one. From two successive steps SQUAREM (Varadhan & Roland 2008)
estimates how far that direction still leads and goes there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .._common.typing import Doubles
from .._parameters.layouts import CollapsedComponent
from .._parameters.mixture import MixtureParameters

# Gain of a plain step, in nats per unit of weight, from which on steps are extrapolated. Earlier
# ones still choose among optima, and to choose like EM they are left alone.
LARGEST_GAIN = 1e-2

# Factor by which the longest step grows when it was reached and shrinks when it led down.
GROWTH = 4.0


class Squarem:
    """Where to evaluate next, for one run of EM.

    Every third pass is made at an extrapolated point; `loop.run` returns to the plain iterate when
    the log-likelihood there is lower, which the pass tells for nothing.

    Parameters
    ----------
    constrain : callable, optional
        ``constrain(parameters) -> parameters`` moves an extrapolated point to where the M-steps
        stay. Beyond a bound the log-likelihood may be greater than any step can reach again.
    """

    def __init__(
        self, constrain: Callable[[MixtureParameters], MixtureParameters] | None = None
    ) -> None:
        self._constrain = constrain
        self._path: list[MixtureParameters] = []
        self._proposal: MixtureParameters | None = None
        self._longest = 1.0
        self._was_longest = False

    def __call__(
        self, before: MixtureParameters, after: MixtureParameters, gain: float
    ) -> MixtureParameters:
        """The point to go on from: `after`, or an extrapolated one.

        Parameters
        ----------
        before, after : MixtureParameters
            Before and after a step of EM.
        gain : float
            Change of the lower bound that led to `before`.
        """
        if before is self._proposal:
            # Directions in which EM is fast are out of line at an extrapolated point; the step
            # from it mends them, and measuring begins after it.
            if self._was_longest:
                self._longest *= GROWTH
            self._proposal = None
            self._path = [after]
            return after
        self._path = [*(self._path or [before]), after]
        if len(self._path) == 3:
            self._proposal = self._extrapolated(*self._path) if gain < LARGEST_GAIN else None
            self._path = []
        return after if self._proposal is None else self._proposal

    def rejected(self) -> None:
        """Note that the last extrapolated point was worse than where it came from."""
        self._proposal = None
        self._longest = max(1.0, self._longest / GROWTH)

    def forget(self) -> None:
        """Begin anew: the run has been taken to parameters that no step led to."""
        self._path = []

    def _extrapolated(
        self, zeroth: MixtureParameters, first: MixtureParameters, second: MixtureParameters
    ) -> MixtureParameters | None:
        """``x0 + 2 a r + a^2 v`` from three iterates, with ``a = |r| / |v|``; or None."""
        x = [_coordinates(parameters) for parameters in (zeroth, first, second)]
        step = x[1] - x[0]
        bend = x[2] - x[1] - step
        curvature = _norm(bend, first)
        if not curvature > 0:  # as at a fixed point, where there is nowhere to go
            return None
        length = _norm(step, first) / curvature
        self._was_longest = not length < self._longest
        length = min(length, self._longest)
        if not length > 1.0:
            if self._was_longest:
                self._longest *= GROWTH
            return None
        proposal = _at(x[0] + (2 * length) * step + (length * length) * bend, first)
        if proposal is None or self._constrain is None:
            return proposal
        try:
            return self._constrain(proposal)
        except CollapsedComponent:
            return None


def _coordinates(parameters: MixtureParameters) -> Doubles:
    """Coordinates in which every point is a valid mixture.

    Logarithms of the weights, means, and the precision factors with the logarithms of their
    diagonals.
    """
    factors = parameters.precisions_cholesky.copy()
    pivots = parameters.layout.pivots(factors)
    np.log(pivots, out=pivots)
    return np.concatenate([np.log(parameters.weights), parameters.means.ravel(), factors.ravel()])


def _at(coordinates: Doubles, like: MixtureParameters) -> MixtureParameters | None:
    """The mixture with these coordinates; None where they overflow."""
    log_weights, means, factors = _parts(coordinates, like)
    weights = np.exp(log_weights - log_weights.max())
    factors = factors.copy()
    pivots = like.layout.pivots(factors)
    np.exp(pivots, out=pivots)
    if not (np.isfinite(coordinates).all() and np.isfinite(pivots).all() and pivots.all()):
        return None
    return replace(
        like,
        weights=weights / weights.sum(),
        means=means.copy(),
        covariances=None,
        precisions_cholesky=factors,
    )


def _norm(difference: Doubles, at: MixtureParameters) -> float:
    """Length of a difference of coordinates, whatever the units of the columns.

    Means count in deviations of their component and everything by the component's weight, as in
    the Fisher information; what a factor has beside its diagonal does not count.
    """
    log_weights, means, factors = _parts(difference, at)
    means = at.layout.standardised(means, at.precisions_cholesky)
    pivots = at.layout.pivots(factors)
    pivots = np.broadcast_to(pivots.reshape(len(pivots), -1), means.shape)
    squares = log_weights**2 + (means * means).sum(axis=1) + 2 * (pivots * pivots).sum(axis=1)
    return float(np.sqrt((at.weights * squares).sum()))


def _parts(coordinates: Doubles, like: MixtureParameters) -> tuple[Doubles, Doubles, Doubles]:
    """Views of the coordinates: logarithms of weights, means, factors."""
    K, d = like.means.shape
    log_weights, means, factors = np.split(coordinates, [K, K + K * d])
    return log_weights, means.reshape(K, d), factors.reshape(like.precisions_cholesky.shape)
