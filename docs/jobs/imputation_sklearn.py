"""A table with holes, filled in."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

truth = load_breast_cancer().data
missing = np.random.default_rng(0).random(truth.shape) < 0.2
holes = np.where(missing, np.nan, truth)

filled = IterativeImputer(random_state=0).fit_transform(holes)

error = ((filled - truth) / truth.std(axis=0))[missing]
print(f"error of what was filled in: {np.sqrt(np.mean(error**2)):.2f} deviations")
