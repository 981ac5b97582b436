"""
Predicting from whatever is known
=================================

A regressor that knows how all columns hang together can do without some of them, and
says how much less it then knows. Ten measurements of each of 442 people with diabetes
tell how far the disease had come a year later; a share of the measurements is taken
out at random, from the rows to learn from and from those to predict.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from gaussmix import GaussianMixtureImputer, GaussianMixtureRegressor

X, y = load_diabetes(return_X_y=True, scaled=False)
folds = KFold(5, shuffle=True, random_state=0)
sets_of_holes = range(3)


def with_holes(share, seed):
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X)


# %%
# Where nothing is missing, the mixture of one component is the line of least squares;
# where something is, it uses what a row has. Others need the holes filled in first, or
# are trees, which take missing values too. Scored is R², the share of the variance that
# is explained, of rows that were not fitted: the mean of five folds for each of three
# sets of holes.

methods = {
    "mixture": GaussianMixtureRegressor(allow_nan=True),
    "filled in by mixture, line": make_pipeline(
        GaussianMixtureImputer(), LinearRegression()
    ),
    "filled in by means, line": make_pipeline(SimpleImputer(), LinearRegression()),
    "boosted trees": HistGradientBoostingRegressor(
        max_iter=50, max_leaf_nodes=6, random_state=0
    ),
}
shares = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
scores = {name: [] for name in methods}
for name, method in methods.items():
    for share in shares:
        with threadpool_limits(1):  # so few rows are not worth more
            found = [
                cross_val_score(method, with_holes(share, seed), y, cv=folds)
                for seed in sets_of_holes
            ]
        scores[name].append(np.mean(found))

print(f"{'missing':28}" + "".join(f"{share:6.0%}" for share in shares))
for name, found in scores.items():
    print(f"{name:28}" + "".join(f"{score:6.2f}" for score in found))

# %%
# The interval of a prediction should hold the truth nine times in ten. It is the wider,
# the less is known of a row.

parts = []
for seed in sets_of_holes:
    rows = with_holes(0.4, seed)
    ends = np.empty((2, len(X)))
    for fit, rest in folds.split(rows):
        regressor = GaussianMixtureRegressor(allow_nan=True).fit(rows[fit], y[fit])
        ends[:, rest] = regressor.predict_interval(rows[rest], coverage=0.9)
    parts.append([np.isnan(rows).sum(axis=1), *ends])
missing, low, high = np.hstack(parts)
truth = np.tile(y, len(parts))
inside = (low <= truth) & (truth <= high)

groups = {"0 to 2": (0, 2), "3": (3, 3), "4": (4, 4), "5": (5, 5), "6 to 10": (6, 10)}
chosen = {
    name: (few <= missing) & (missing <= many) for name, (few, many) in groups.items()
}
widths = [(high - low)[some].mean() for some in chosen.values()]
held = [inside[some].mean() for some in chosen.values()]

# %%
# Filling in by means costs about what a tenth more holes would. Filling in by a mixture
# and then fitting a line comes to the same predictions, but what follows takes the
# guesses for measurements; the mixture itself knows that they are missing. Above the
# bars is how many intervals hold the truth: a little less than they promise where
# nearly everything, or nearly nothing, is missing.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (name, found), style in zip(scores.items(), ("o-", "x:", "o-", "o-")):
    left.plot(shares, found, style, label=name)
left.xaxis.set_major_formatter("{x:.0%}")
left.set(xlabel="measurements missing", ylabel="R², rows not fitted", ylim=(0.25, 0.51))
left.legend()
bars = right.bar(list(groups), widths, color="C0", alpha=0.5)
right.bar_label(bars, [f"{share:.0%}" for share in held])
right.set(ylim=(0, 1.15 * max(widths)))
right.set(xlabel="missing of ten measurements", ylabel="mean width of 90 % intervals")
plt.show()

# %%
# The fitted mixture is one of all columns, so it also answers what was not asked in the
# fit: here the measurements that go with a bad course of the disease, beside the means.

mixture = GaussianMixtureRegressor().fit(X, y).mixture_
given = mixture.predict_conditional([[300.0]], columns=[-1]).mean[0]
for name, usual, bad in zip(load_diabetes().feature_names, X.mean(axis=0), given):
    print(f"{name:4} {usual:7.1f} {bad:7.1f}")

# %%
# When it is not worth it
# -----------------------
# Trees find thresholds and leave aside columns that tell nothing; a mixture describes
# all columns, whether they matter to the target or not, and with many of them needs
# many rows. Categories and counts are no mixture of normal distributions. And where
# values are missing because of what they are, all of these methods are off.
