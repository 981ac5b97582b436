"""What an iteration of EM costs on many machines, in operations, bytes and seconds, on paper.

Nothing is measured here: `scaling.py` measures the rates that go in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Size and family of a mixture."""

    K: int
    d: int
    covariance_type: str = "full"

    @property
    def name(self) -> str:
        return f"K = {self.K}, d = {self.d}, {self.covariance_type}"

    def multiply_adds(self) -> tuple[int, int]:
        """Of the E-step and of the sums, for a row to which every component counts.

        Beside these come K exponentials a row; for "tied", d (d + 3) / 2 for the second moment
        of all rows, once for each piece that is given to `accumulate`; and for "full" up to
        d = 18, the d (d + 1) / 2 products of the row's features.
        """
        K, d = self.K, self.d
        one = {
            "full": K * d * (d + 3) // 2,
            "tied": K * d,
            "diag": 2 * K * d,
            "spherical": K * (d + 1),
        }[self.covariance_type]
        return one, one

    def covariance_numbers(self) -> int:
        """Numbers in the covariances."""
        K, d = self.K, self.d
        return {"full": K * d * d, "tied": d * d, "diag": K * d, "spherical": K}[
            self.covariance_type
        ]

    def statistics_numbers(self) -> int:
        """Doubles in the statistics: weights, first moments, shifts and second moments."""
        return self.K * (1 + 2 * self.d) + self.covariance_numbers()

    def model_numbers(self) -> int:
        """Doubles in a model: weights, means, and covariances, precisions and their factors."""
        return self.K * (1 + self.d) + 3 * self.covariance_numbers()


@dataclass(frozen=True)
class Cluster:
    """Machines of one kind. The rates are assumptions, a typical server's."""

    machines: int = 100
    cores: int = 16  # of a machine
    disk: float = 1e9  # bytes a second, of a machine
    memory: float = 100e9  # bytes a second, of a machine
    network: float = 1.25e9  # bytes a second, of a machine
    latency: float = 1e-3  # seconds, of a message

    def depth(self) -> tuple[int, int]:
        """Levels of the merge within a machine and between machines."""
        return math.ceil(math.log2(self.cores)), math.ceil(math.log2(self.machines))


@dataclass(frozen=True)
class Rates:
    """What was measured of a mixture on one core, seconds and bytes."""

    rows_per_second: float  # of `accumulate`, double or single precision rows
    statistics_bytes: int  # pickled
    model_bytes: int  # pickled
    add: float  # one `+` of two statistics
    pickle: float  # to pickle statistics and to read them again
    update: float  # one M-step


def read_seconds(cluster: Cluster, n: float, row_bytes: int, rates: Rates) -> tuple[float, float]:
    """Reading and computing, overlapped, with the rows in memory and on disk.

    `accumulate` looks at its rows twice: once for values that are not finite.
    """
    compute = n / cluster.machines / cluster.cores / rates.rows_per_second
    own = n / cluster.machines * row_bytes
    return max(compute, 2 * own / cluster.memory), max(compute, own / cluster.disk)


def tree_seconds(cluster: Cluster, rates: Rates) -> float:
    """Parameters down a tree of machines and statistics up again, and the M-step.

    A core merges with its neighbour through pickled bytes as well, without the network.
    """
    within, between = cluster.depth()
    own = within * (rates.pickle + rates.add)
    up = cluster.latency + rates.statistics_bytes / cluster.network + rates.pickle + rates.add
    down = cluster.latency + rates.model_bytes / cluster.network
    return own + between * (up + down) + rates.update


def driver_seconds(cluster: Cluster, rates: Rates, parts: int) -> float:
    """One process sends the parameters to every machine and adds up so many statistics itself."""
    down = cluster.machines * rates.model_bytes / cluster.network
    up = parts * (rates.statistics_bytes / cluster.network + rates.pickle + rates.add)
    return 2 * cluster.latency + down + up + rates.update


def straggling(
    cluster: Cluster, spread: float, tasks: int, by_machine: bool, rounds: int = 400
) -> float:
    """How much longer than the mean the slowest machine takes, on average over iterations.

    Times are lognormal with mean 1. Either a whole machine is slow, or each of its tasks may be;
    every core has `tasks` of them on average, and takes the next when it is free.
    """
    rng = np.random.default_rng(0)
    mean_one = -0.5 * spread**2
    if by_machine:
        times = rng.lognormal(mean_one, spread, (rounds, cluster.machines))
        return float(times.max(axis=1).mean())
    free = np.zeros((rounds, cluster.machines, cluster.cores))
    for _ in range(tasks * cluster.cores):
        times = rng.lognormal(mean_one, spread, free.shape[:2]) / tasks
        earliest = free.argmin(axis=2)[..., None]
        begun = np.take_along_axis(free, earliest, axis=2)
        np.put_along_axis(free, earliest, begun + times[..., None], axis=2)
    return float(free.max(axis=(1, 2)).mean())
