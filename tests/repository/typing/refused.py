"""Slips of users: mypy reports, on each line with a comment, an error of the kind named there."""

import numpy as np

import gaussmix
from gaussmix import GaussianMixture, SufficientStatistics

X = np.zeros((60, 2))

GaussianMixture(n_components="3")  # [arg-type]
GaussianMixture(covariance_type="diagonal")  # [arg-type]
GaussianMixture(init_params="kmeans++")  # [arg-type]
GaussianMixture(acceleration="newton")  # [arg-type]
GaussianMixture(on_collapse="ignore")  # [arg-type]
GaussianMixture(n_clusters=3)  # [call-arg]

model = GaussianMixture(3).fit(X)
model.fit()  # [call-arg]
model.fit(X, sample_weights=np.ones(60))  # [call-arg]
model.predict(X, out=np.empty(60))  # [arg-type]
model.score_samples(X, out="densities")  # [call-overload]
model.update(None)  # [arg-type]
model.partial_fit(X, None, None, "m")  # [call-arg]
model.partial_fit(X, update=None)  # [arg-type]
model.retire()  # [call-arg]
print(model.weights)  # [attr-defined]
model.n_iter_.mean()  # [attr-defined]
bounds: float = model.lower_bounds_  # [assignment]
print(model.collapses_[0]["row"])  # [typeddict-item]

GaussianMixture.from_parameters([1.0], [[0.0]])  # [call-arg]
SufficientStatistics.merge(3)  # [arg-type]
gaussmix.load(3)  # [arg-type]
