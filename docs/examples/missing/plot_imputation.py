"""
Filling in a table with holes
=============================

A mixture that was fitted to incomplete rows knows what the missing values of a row are
likely to be, given those that are there: a best guess for each, how far off the guess
may be, and draws that vary as the true values do. The table holds 30 measurements of
the cell nuclei in each of 569 tumours; a fifth of its values are taken out at random,
so that what is filled in can be held against the truth.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussmix import GaussianMixtureImputer

table = load_breast_cancer(as_frame=True).data
X = table.to_numpy()
missing = np.random.default_rng(0).random(X.shape) < 0.2
holes = np.where(missing, np.nan, X)
print(f"{np.isnan(holes).any(axis=1).sum()} of the {len(X)} rows lack something")

# %%
# No row is complete. Three ways to fill them in: the mean of each column, the five rows
# nearest in the columns that both have, and the mixture, of one component. The error is
# that of the filled-in values only, in standard deviations of their columns.

scaler = StandardScaler()
nearest = make_pipeline(scaler, KNNImputer())
imputer = GaussianMixtureImputer()
filled = {}
for name, method in {
    "column mean": SimpleImputer(),
    "5 nearest rows": nearest,
    "mixture": imputer,
}.items():
    start = time.perf_counter()
    result = method.fit_transform(holes)
    seconds = time.perf_counter() - start
    if method is nearest:
        result = scaler.inverse_transform(result)
    filled[name] = result
    error = np.sqrt((((result - X) / X.std(axis=0))[missing] ** 2).mean())
    print(f"{name:15} error {error:.2f}   {seconds:.2f} s")

# %%
# Most of these measurements can be told from the others, which the mixture uses and a
# mean cannot. It also says how sure it is of each value: below, the bars are 90 %
# intervals.

estimate, deviation = imputer.mixture_.impute(holes, return_std=True)
column = table.columns.get_loc("worst texture")
gone = missing[:, column]
truth = X[gone, column]

figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained", sharey=True)
for axis, (name, result) in zip(axes, filled.items(), strict=True):
    axis.axline((25, 25), slope=1, color="0.5", linewidth=1)
    if name == "mixture":
        band = 1.645 * deviation[gone, column]
        axis.errorbar(
            truth, result[gone, column], band, fmt="none", ecolor="C0", alpha=0.25
        )
    axis.plot(truth, result[gone, column], "o", color="C0", markersize=3)
    axis.set(title=name, xlabel="true worst texture", xlim=(10, 50), ylim=(5, 55))
axes[0].set_ylabel("filled in")
plt.show()

# %%
# The intervals take each value's distribution to be normal, and the mixture to be the
# true one. What they hold:

within = np.abs(estimate - X)[missing] < 1.645 * deviation[missing]
print(f"{within.mean():.0%} of the true values lie in their 90 % interval")

# %%
# Best guesses vary too little
# ----------------------------
# A best guess is not a plausible value: a column full of them is more regular than the
# truth, the more so the less the other columns tell of it. For whatever depends on the
# spread, or on how columns move together, take draws. Here is the standard deviation of
# what was filled in, in shares of the true one, for a column that is hard to tell.

draws = imputer.mixture_.impute(holes, n_draws=20, random_state=0)
column = table.columns.get_loc("mean symmetry")
gone = missing[:, column]
for name, result in filled.items():
    print(f"{name:15} {result[gone, column].std() / X[gone, column].std():.2f}")
spread = draws[:, gone, column].std(axis=1).mean()
print(f"{'draws':15} {spread / X[gone, column].std():.2f}")

# %%
# When it is not worth it
# -----------------------
# Where the columns have little to do with each other, nothing can be told from the
# rest of a row, and every method ends at the mean. Categories are no measurements, and
# no mixture of normal distributions. And all of this assumes that values are missing at
# random: where the large ones are missing because they are large, no method can know.
