"""What users write: mypy accepts all of it, and it runs."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import gaussmix
from gaussmix import (
    ConditionalPrediction,
    GaussianMixture,
    GaussianMixtureImputer,
    GaussianMixtureRegressor,
    SufficientStatistics,
)

X = np.random.default_rng(0).normal(size=(60, 2))

# Options, in every form that an argument may have.
model = GaussianMixture(
    2,
    covariance_type="diag",
    init_params="k-means++",
    weights_init=[0.5, 0.5],
    means_init=X[:2],
    random_state=np.random.default_rng(1),
    n_threads=2,
    acceleration="squarem",
    on_collapse="drop",
    learning_decay=0.7,
    forgetting=0.9,
)
assert_type(model.get_params(), dict[str, Any])
assert_type(model.set_params(tol=1e-4, random_state=0), GaussianMixture)

# Methods that return the model return its own class.
assert_type(model.fit(X), GaussianMixture)
assert_type(model.fit(X.tolist(), sample_weight=np.ones(60)), GaussianMixture)


class Own(GaussianMixture):
    """A subclass."""


assert_type(Own().fit(X), Own)
assert_type(Own.from_parameters([1.0], [[0.0, 0.0]], [1.0]), Own)

# Fitted attributes.
means: NDArray[np.floating[Any]] = model.means_
assert_type(model.n_iter_, int)
assert_type(model.converged_, bool)
assert_type(model.lower_bounds_, list[float])
columns: list[int] = [column for found in model.collapses_ for column in found["columns"]]

# Scores; an array to write to is what comes back, with its own type.
density: NDArray[np.floating[Any]] = model.score_samples(X)
labels: NDArray[np.intp] = model.predict(X, out=np.empty(60, dtype=np.intp))
shares: NDArray[np.float64] = model.predict_proba(X, out=np.empty((60, 2)))
each: NDArray[np.float64] = model.component_log_density(X, out=np.empty((60, 2)))
single = np.empty(60, dtype=np.float32)
same: NDArray[np.float32] = model.score_samples(X.astype(np.float32), out=single)
predicted = model.predict_conditional(X[:, :1], [0], quantiles=0.5)
assert_type(predicted, ConditionalPrediction)
assert_type(model.marginal([0]), GaussianMixture)
distances: NDArray[np.floating[Any]] = model.mahalanobis(X, squared=True)
filled: NDArray[np.floating[Any]] = model.impute(X)
draws, deviations = model.impute(X, n_draws=2, random_state=0, return_std=True)
drawn: NDArray[np.floating[Any]] = draws[0] + deviations
assert_type(GaussianMixtureImputer(range(1, 3)).fit(X), GaussianMixtureImputer)
regressor = GaussianMixtureRegressor(range(1, 3), allow_nan=True).fit(X, X[:, 0])
assert_type(regressor, GaussianMixtureRegressor)
mean: NDArray[np.floating[Any]] = regressor.predict(X)
mean, spread = regressor.predict(X, return_std=True)
low, high = regressor.predict_interval(X, coverage=0.5)
ends: NDArray[np.floating[Any]] = regressor.predict_quantiles(X, [0.1, 0.9]) - low[:, None]
assert_type(regressor.score(X, X[:, 0], sample_weight=np.ones(60)), float)
assert_type(model.score(X), float)
assert_type(model.bic(X), float)
rows, components = model.sample(5, random_state=0)

# Statistics.
parts = [model.accumulate(piece) for piece in np.split(X, 3)]
assert_type(SufficientStatistics.merge(parts), SufficientStatistics)
assert_type(parts[0] + 0.5 * parts[1], SufficientStatistics)
assert_type(model.update(parts[0]), GaussianMixture)
assert_type(model.update(parts[0], update="wm"), GaussianMixture)

# Data that keeps coming.
assert_type(Own(2).partial_fit(X, sample_weight=2.0, update="m"), Own)
assert_type(model.partial_fit(X.tolist()), GaussianMixture)
assert_type(model.effective_rows_, NDArray[np.float64])
seen: float = model.n_samples_seen_
assert_type(model.revive(1).revive([0, 1], means=X[:2]), GaussianMixture)
assert_type(model.retire(model.effective_rows_ < -1.0).retire([]), GaussianMixture)

# Files.
with TemporaryDirectory() as folder:
    model.save(Path(folder) / "model.npz")
    assert_type(gaussmix.load(f"{folder}/model.npz"), GaussianMixture)
