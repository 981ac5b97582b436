"""
Where components are not told apart
===================================

A label is certain in the middle of a component and a toss-up between two. The map of
one minus the largest responsibility shows where, also at places where no row has been
yet. Here for 272 eruptions of the geyser Old Faithful: their duration, and the wait for
the next one.
"""

from importlib import resources

import matplotlib.pyplot as plt
import numpy as np

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_uncertainty

file = resources.files("gaussmix") / "data" / "old_faithful.csv"
with file.open(encoding="utf-8") as lines:
    eruptions = np.loadtxt(lines, delimiter=",", skiprows=1)
assert len(eruptions) == 272
fits = {
    "two, full": GaussianMixture(2, n_init=10, random_state=0).fit(eruptions),
    "three, tied": GaussianMixture(
        3, covariance_type="tied", n_init=10, max_iter=1000, random_state=0
    ).fit(eruptions),
}

# %%
# Two components leave a thin line of doubt where there are hardly any eruptions. Three
# of one shape cut the long eruptions in two, and the doubt lies where the eruptions
# are.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for ax, (title, model) in zip(axes, fits.items(), strict=True):
    plot_uncertainty(model, eruptions, label=True, ax=ax)
    ax.set(title=title, xlabel="duration (min)", ylabel="wait for the next (min)")
plt.show()

# %%
# The same in numbers: how many eruptions are less certain than nine to one.

doubtful = {}
for title, model in fits.items():
    certainty = model.predict_proba(eruptions).max(axis=1)
    doubtful[title] = int(np.sum(certainty < 0.9))
    print(f"{title:12} {doubtful[title]:3} of 272 eruptions")
assert doubtful["three, tied"] > 10 * doubtful["two, full"]

# %%
# When it is not worth it
# -----------------------
# The map says between which components a point would lie, not whether any is near. Far
# from all rows it may be as certain as in the middle of one; ``plot_scores`` and the
# density say what is far. And of a model with more columns it is the map of two of
# them: rows that look doubtful there may be certain by the others.
