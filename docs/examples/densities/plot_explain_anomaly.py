"""
Which value is wrong?
=====================

A low log-density says that a row is odd, not why. Where the columns depend on each
other a value may be odd although it is an ordinary one for its column: it does not
agree with the rest of its row. What each feature contributes to the log-density, given
all others, points at such a value. Here measurements of benign breast tumours get an
error each, so that it is known which value is wrong.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from gaussmix import GaussianMixture

data = load_breast_cancer(as_frame=True)
names = ["radius", "texture", "perimeter", "area"]
names += ["smoothness", "compactness", "symmetry", "fractal dimension"]
benign = data.frame.loc[data.target == 1, [f"mean {name}" for name in names]]
cells = np.log(benign.to_numpy())
known, new = train_test_split(cells, test_size=0.4, random_state=0)

# %%
# Sizes and shapes are ratios rather than differences, so logarithms are fitted.

model = GaussianMixture(2, variance_floor=1e-3, n_init=10, random_state=0).fit(known)
print(f"{len(known)} tumours fitted, {len(new)} others, {len(names)} columns")

# %%
# In every other tumour one value, of a column drawn at random, is replaced by that of
# another tumour, as when a line slips in a table. Each value by itself stays one that
# was really measured.

rng = np.random.default_rng(0)
every = np.arange(len(new))
column = rng.integers(len(names), size=len(new))
wrong = new.copy()
wrong[every, column] = new[rng.permutation(len(new)), column]

# %%
# On the left one of these tumours, whose perimeter is not its own. It lies well within
# the perimeters of all tumours, but off the line that perimeters and radii keep. In the
# middle its features' contributions to the log-density. Given all others, the perimeter
# is the least probable. The compactness comes next: it was computed from the right
# perimeter, and agrees with the wrong one no better than that with it. The Shapley
# values share out the log-density of the row among the features, and so add up to its
# score; each measures a feature with and without the others.
#
# On the right all tumours: how often the value with the lowest number is the wrong one.
# One guess in eight is right by chance, and no guess is when the slip changes little.

conditional = model.feature_contributions(wrong)
shapley = model.feature_contributions(wrong, kind="shapley")
assert np.allclose(shapley.sum(axis=1), model.score_samples(wrong))
alone = np.column_stack(
    [model.marginal(j).score_samples(wrong[:, [j]]) for j in range(len(names))]
)

row = np.flatnonzero((column == 2) & (conditional.argmin(axis=1) == 2))
row = row[np.argmin(np.abs(wrong[row, 2] - np.median(new[:, 2])))]
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(11, 4), layout="constrained", width_ratios=[1, 1.1, 0.8]
)
left.loglog(*np.exp(new[:, [0, 2]].T), ".", color="0.7", label="as measured")
left.loglog(*np.exp(wrong[row, [0, 2]]), "o", color="C3", label="after the slip")
left.loglog(*np.exp(new[row, [0, 2]]), "o", mfc="none", color="C3", label="before")
left.set(xlabel="mean radius", ylabel="mean perimeter")
left.set_xticks([8, 10, 12, 15], labels=["8", "10", "12", "15"])
left.set_yticks([50, 70, 100], labels=["50", "70", "100"])
left.minorticks_off()
left.legend()

places = np.arange(len(names))
middle.barh(places - 0.2, conditional[row], 0.4, label="given all others")
middle.barh(places + 0.2, shapley[row], 0.4, label="Shapley")
middle.set_yticks(places, labels=names)
middle.invert_yaxis()
middle.set_xlabel("contribution to the log-density (nats)")
middle.legend()

found = {
    "given all others": conditional,
    "Shapley": shapley,
    "each alone": alone,
}
shares = [np.mean(score.argmin(axis=1) == column) for score in found.values()]
right.barh(list(found), shares, color=["C0", "C1", "0.6"])
right.axvline(1 / len(names), color="C3", linestyle="--", label="by chance")
right.set(xlabel="share of wrong values found", xlim=(0, 1))
right.invert_yaxis()
right.legend(loc="lower right")
plt.show()

for name, share in zip(found, shares, strict=True):
    print(f"{name:17} {share:.0%} found")

# %%
# When it is not worth it
# -----------------------
# Columns that hardly depend on each other need none of this: there a value that is odd
# is odd by itself. And where the columns depend on each other in one simple way, one
# Gaussian explains as much as a mixture, as it does here:

one = GaussianMixture(1).fit(known).feature_contributions(wrong)
print(f"one Gaussian      {np.mean(one.argmin(axis=1) == column):.0%} found")
