"""Fit a mixture to rows spread over MPI's ranks. Statistics alone travel.

    mpiexec -n 4 python -m mpi4py fit_with_mpi.py [--weights]

``-m mpi4py`` ends all ranks when one fails.
"""

from __future__ import annotations

import sys

import numpy as np
from comparison import compare, example
from mpi4py import MPI

from gaussmix import GaussianMixture


def first_guess(
    comm: MPI.Comm, X: np.ndarray, weight: np.ndarray | None, n_components: int
) -> GaussianMixture | None:
    """Where EM starts: rank 0 fits a sample of all ranks' rows."""
    samples = comm.gather(X[::40])
    weights = comm.gather(None if weight is None else weight[::40])
    if comm.rank > 0:
        return None
    fitted = GaussianMixture(n_components, random_state=0).fit(
        np.concatenate(samples),
        sample_weight=None if weight is None else np.concatenate(weights),
    )
    return GaussianMixture.from_parameters(
        fitted.weights_, fitted.means_, fitted.covariances_, n_threads=1, tol=1e-6
    )


def fit(
    comm: MPI.Comm,
    start: GaussianMixture | None,
    X: np.ndarray,
    weight: np.ndarray | None = None,
    max_iter: int = 100,
) -> GaussianMixture:
    """EM over the rows of all ranks, until it converges."""
    model = comm.bcast(start)
    for _ in range(max_iter):
        statistics = comm.reduce(model.accumulate(X, weight), op=MPI.SUM)
        if comm.rank == 0:
            model.update(statistics)
        model = comm.bcast(model)
        if model.converged_:
            break
    return model


def main() -> None:
    comm = MPI.COMM_WORLD
    X, weights = example()
    if "--weights" not in sys.argv:
        weights = None
    # In earnest each rank reads its own rows.
    cut = slice(comm.rank, None, comm.size)
    mine = X[cut], None if weights is None else weights[cut]
    start = first_guess(comm, *mine, n_components=3)
    model = fit(comm, start, *mine)
    if comm.rank == 0:
        compare(model, start, X, weights)


if __name__ == "__main__":
    main()
