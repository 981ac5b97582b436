"""gmmx, on JAX."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version

import jax
import numpy as np
from gmmx import EMFitter, EMFitterResult, GaussianMixtureModelJax
from jax import numpy as jnp
from shapes import Shape, Start

from libraries import Library, Parameters

# An iteration holds two float32 arrays of n x K x d at least; together no larger than this.
LARGEST_BYTES = 10e9

jax.config.update("jax_platforms", "cpu")


@dataclass(frozen=True)
class Run:
    """Seconds of a compiled fit, and what it returned."""

    seconds: float
    result: EMFitterResult


class Gmmx(Library):
    name = "gmmx"
    differences = (
        "single precision (it refuses any other) and arrays of n x K x d. XLA compiles it for "
        "every number of iterations, before the clock starts. Diagonal variances are E[x^2] - m^2 "
        "about the origin. Threads are XLA's, as many as the process may use CPUs."
    )
    covariance_types = ("full", "diag")
    precision = "float32"
    agreement = 1e-3

    def versions(self) -> dict[str, str]:
        return {"gmmx": version("gmmx"), "jax": jax.__version__}

    def cannot(self, shape: Shape) -> str | None:
        needed = 2 * 4.0 * shape.n * shape.K * shape.d
        if needed > LARGEST_BYTES:
            return f"gmmx needs arrays of n x K x d numbers, {needed / 1e9:.0f} GB of them"
        return super().cannot(shape)

    def em(self, X: np.ndarray, start: Start, n_iter: int, n_threads: int) -> Run:
        fitter = EMFitter(max_iter=n_iter, tol=0.0, reg_covar=1e-6)
        arrays = (start.means, start.covariances, start.weights)
        model = GaussianMixtureModelJax.from_squeezed(
            *(jnp.asarray(array, dtype=jnp.float32) for array in arrays), start.covariance_type
        )
        rows = jnp.asarray(X, dtype=jnp.float32)
        program = EMFitter.fit.lower(fitter, rows, model).compile()
        begin = time.perf_counter()
        result = jax.block_until_ready(program(fitter, rows, model))
        return Run(time.perf_counter() - begin, result)

    def seconds(self, model: Run) -> float:
        return model.seconds

    def iterations(self, model: Run) -> int:
        return int(model.result.n_iter)

    def lower_bound(self, model: Run) -> float:
        return float(model.result.log_likelihood)

    def parameters(self, model: Run) -> Parameters:
        mixture = model.result.gmm
        return Parameters(
            mixture.weights_numpy, mixture.means_numpy, mixture.covariances.values_numpy
        )


ADAPTER = Gmmx()
