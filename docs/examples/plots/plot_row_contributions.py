"""
Why this row is flagged
=======================

A row's log-density is one number. What each feature contributes to it says where to
look first, and a bar for each, largest first, says it at a glance. Here for the least
probable of 178 wines.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_contributions

wines = load_wine(as_frame=True).data.rename(
    columns=lambda name: name.replace("_", " ")
)
wines = wines.rename(columns={"od280/od315 of diluted wines": "OD280/OD315"})
scaled = (wines - wines.mean()) / wines.std(ddof=0)
model = GaussianMixture(3, reg_covar=0.05, n_init=10, random_state=0).fit(scaled)
row = int(np.argmin(model.score_samples(scaled)))
print(f"wine {row}: log-density {model.score_samples(scaled.iloc[[row]])[0]:.1f} nats")

# %%
# On the left the Shapley values, which share out the log-density and add up to it. On
# the right each value given all others, which do not add up: how well it agrees with
# the rest of its row. Beside the names are the values, in standard deviations from the
# mean.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for ax, kind in zip(axes, ("shapley", "conditional"), strict=True):
    plot_contributions(model, scaled.iloc[row], kind=kind, random_state=0, ax=ax)
    ax.set_title(kind, loc="left")
plt.show()

# %%
# Either way the flavanoids come first: three deviations above the mean, in a wine of
# little alcohol. The ash, as far above the mean, is one of the odd values by its
# Shapley value and none given the others: its alcalinity is nearly as high, and the two
# go together.

conditional = model.feature_contributions(scaled.iloc[[row]])[0]
shapley = model.feature_contributions(scaled.iloc[[row]], "shapley", random_state=0)[0]
ash = wines.columns.get_loc("ash")
for name, contributions in (("shapley", shapley), ("conditional", conditional)):
    place = 1 + np.sum(np.abs(contributions) > abs(contributions[ash]))
    print(f"{name:12} ash {contributions[ash]:.1f} nats, place {place} of 13")
assert conditional[ash] > -1 > -2 > shapley[ash]

# %%
# When it is not worth it
# -----------------------
# A picture of one row explains that row. What sets all flagged rows apart is a question
# for their means; and whether the lowest bar is a wrong value or a rare wine, no
# density can tell.
