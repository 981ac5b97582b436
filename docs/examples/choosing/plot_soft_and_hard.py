"""
Soft and hard clustering
========================

Hard clustering gives every row a label. Soft clustering gives it a probability for each
component, its responsibilities, and so says where a label is a toss-up. Whether that
matters is a property of the model as much as of the data: here one model for which
labels lose nothing, and one for which they do.

The data are 272 eruptions of the geyser Old Faithful: how long each lasted, and how
long the wait for the next one was. They ship with the package.
"""

from importlib import resources

import matplotlib.pyplot as plt
import numpy as np

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances, plot_responsibilities

file = resources.files("gaussmix") / "data" / "old_faithful.csv"
with file.open(encoding="utf-8") as lines:
    eruptions = np.loadtxt(lines, delimiter=",", skiprows=1)
assert len(eruptions) == 272


def fit(k, family):
    """The best of ten starts, components in order of duration, longest first."""
    model = GaussianMixture(
        k, covariance_type=family, n_init=10, max_iter=1000, random_state=0
    ).fit(eruptions)
    order = np.argsort(-model.means_[:, 0])
    covariances = model.covariances_ if family == "tied" else model.covariances_[order]
    return GaussianMixture.from_parameters(
        model.weights_[order], model.means_[order], covariances, covariance_type=family
    )


two, three = fit(2, "full"), fit(3, "tied")

# %%
# On the left each eruption has the colour of its most probable component, on the right
# the components' colours are mixed by its responsibilities. With two components, above,
# there is next to no difference: nearly every eruption is short or long without a
# doubt. Below, three components of one shape divide the long ones where there is no
# gap, and along the cut the colours blend.

figure, axes = plt.subplots(
    2, 2, figsize=(9, 7), sharex=True, sharey=True, layout="constrained"
)
for (left, right), model in zip(axes, (two, three)):
    name = f"K = {model.n_components}, {model.covariance_type}"
    plot_covariances(model, eruptions, deviations=2, ax=left)
    plot_responsibilities(model, eruptions, ax=right)
    left.set(title=f"{name}: labels", ylabel="wait for the next (min)")
    right.set(title=f"{name}: responsibilities", ylabel="")
for ax, label in zip(axes.flat, ("", "", *["duration of an eruption (min)"] * 2)):
    ax.set_xlabel(label)
plt.show()

# %%
# In numbers: how many eruptions have no component with a probability of 90 %, and what
# happens to the mean duration of each kind when eruptions are counted by their labels
# instead of their responsibilities?

for model in (two, three):
    shares = model.predict_proba(eruptions)
    labels = model.predict(eruptions)
    print(f"K = {model.n_components}, {model.covariance_type}")
    print(f"  in doubt: {np.sum(shares.max(axis=1) < 0.9)} of {len(eruptions)}")
    for k in range(model.n_components):
        soft = shares[:, k].mean(), np.average(eruptions[:, 0], weights=shares[:, k])
        hard = np.mean(labels == k), eruptions[labels == k, 0].mean()
        print(
            "  soft {:5.1%}, {:.2f} min   hard {:5.1%}, {:.2f} min".format(*soft, *hard)
        )

# %%
# With two components both ways agree. With three, labels take rows from a small
# component that overlaps a large one: the larger wins wherever it is only a little more
# probable. Shares and means computed from labels are biased so, and no number of rows
# mends that; responsibilities are not.
#
# Which of the models to believe
# ------------------------------

for model in (two, three):
    print(
        f"K = {model.n_components}, {model.covariance_type:4}  "
        f"BIC {model.bic(eruptions):.1f}  ICL {model.icl(eruptions):.1f}"
    )
assert three.bic(eruptions) < two.bic(eruptions)
assert two.icl(eruptions) < three.icl(eruptions)

# %%
# BIC, which asks for the best density, prefers three; ICL, which adds a price for
# doubt, prefers two. As a description of how durations and waits are distributed, the
# third component is right to be there. As kinds of eruption, there are two.
