"""Times mlpack's gmm_train, once in a process.

    python mlpack_program.py TYPE ROWS n d K ITERATIONS OUT

TYPE is full or diag, ROWS holds the rows as doubles in C order, OUT receives weights, means and
covariances. Prints the seconds of training.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from mlpack import gmm_train


def main(covariance_type: str, rows_file: str, n: str, d: str, K: str, n_iter: str, out: str):
    X = np.fromfile(rows_file).reshape(int(n), int(d))
    begin = time.perf_counter()
    result = gmm_train(
        input_=X,
        gaussians=int(K),
        diagonal_covariance=covariance_type == "diag",
        # Otherwise eigenvalues below 1e-5 of a covariance's largest are raised to that.
        no_force_positive=True,
        max_iterations=int(n_iter),
        kmeans_max_iterations=1,
        tolerance=0.0,
        seed=1,
    )
    print(time.perf_counter() - begin)
    contents = result["output_model"].get_cpp_params()["GMM"]
    components = contents["dists"]
    covariances = [component["covariance"] for component in components]
    if covariance_type == "diag":
        covariances = [np.diag(covariance) for covariance in covariances]
    means = [component["mean"].ravel() for component in components]
    parts = (contents["weights"], np.array(means), np.array(covariances))
    np.concatenate([part.ravel() for part in parts]).tofile(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
