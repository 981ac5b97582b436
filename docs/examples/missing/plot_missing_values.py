"""
Missing values
==============

A table with holes can be fitted as it is: with ``allow_nan=True`` every value that is
there counts, and NaN stands for those that are not. The common way out, to drop the
rows that are incomplete, costs far more than the holes do, and can mislead.

The first part takes values away from 150 irises at random; the second, from the
eruptions of Old Faithful where others are large.
"""

from importlib import resources

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances

irises = load_iris().data  # sepal length and width, petal length and width, in cm
assert irises.shape == (150, 4)

rng = np.random.default_rng(3)
holed = np.where(rng.random(irises.shape) < 0.3, np.nan, irises)
whole = holed[~np.isnan(holed).any(axis=1)]
print(f"values missing: {np.isnan(holed).mean():.0%}")
print(f"rows without a hole: {len(whole)} of {len(holed)}")

# %%
# With three values in ten missing, three rows in four have a hole, and dropping those
# leaves less than a quarter. Three components of one shape are fitted to all that was
# measured, to what is left with the holes, and to the rows that have none.


def fit(X, k, family):
    """The best of twenty starts, components in the order of their first means."""
    model = GaussianMixture(
        k,
        covariance_type=family,
        n_init=20,
        init_params="k-means++",
        max_iter=500,
        random_state=0,
        allow_nan=True,
    ).fit(X)
    order = np.argsort(model.means_[:, 0])
    covariances = model.covariances_ if family == "tied" else model.covariances_[order]
    return GaussianMixture.from_parameters(
        model.weights_[order],
        model.means_[order],
        covariances,
        covariance_type=family,
        allow_nan=True,
    )


tables = {
    "nothing missing": irises,
    "30 % missing": holed,
    "rows with a hole dropped": whole,
}
models = {name: fit(X, 3, "tied") for name, X in tables.items()}

figure, axes = plt.subplots(
    1, 3, figsize=(10.5, 3.8), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, model) in zip(axes, models.items()):
    plot_covariances(model, tables[name], features=[2, 1], deviations=2, ax=ax)
    ax.set(title=name, xlabel="petal length (cm)", ylabel="")
axes[0].set_ylabel("sepal width (cm)")
plt.show()

# %%
# The ellipses hold 86 % of a component. In the middle only the flowers are drawn that
# have both of these values; the fit used the others as well. How good the models are is
# seen on the complete table: the mean log-density of a flower, in nats.

for name, model in models.items():
    print(f"{name:25} {model.score(irises):7.3f}")
scores = [model.score(irises) for model in models.values()]
assert scores[0] > scores[1] > scores[2]

# %%
# Missing where another value is large
# ------------------------------------
# Suppose that whoever noted the waits until the next eruption of Old Faithful often
# went home after a long one. What is missing then depends on the duration, which is
# there. For the fit that is as good as chance: given what a row still says, it is
# chance whether the rest is missing.

file = resources.files("gaussmix") / "data" / "old_faithful.csv"
with file.open(encoding="utf-8") as lines:
    eruptions = np.loadtxt(lines, delimiter=",", skiprows=1)
assert eruptions.shape == (272, 2)

noted = eruptions.copy()
went_home = (eruptions[:, 0] > 3) & (rng.random(272) < 0.8)
noted[went_home, 1] = np.nan
left = noted[~went_home]

tables = {
    "nothing missing": eruptions,
    "waits missing": noted,
    "rows with a hole dropped": left,
}
figure, axes = plt.subplots(
    1, 3, figsize=(10.5, 3.8), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, X) in zip(axes, tables.items()):
    model = fit(X, 2, "full")
    plot_covariances(model, X, deviations=2, ax=ax)
    alone = X[np.isnan(X[:, 1]), 0]
    ax.plot(alone, np.full(len(alone), 41), "|", color="0.5")
    ax.set(title=name, xlabel="duration of an eruption (min)", ylabel="")
    mean = model.weights_ @ model.means_[:, 1]
    print(
        f"{name:25} long eruptions {model.weights_[1]:4.0%}, mean wait {mean:.1f} min"
    )
axes[0].set_ylabel("wait for the next (min)")
plt.show()

# %%
# The bars at the bottom are eruptions without a wait. Their durations say that they
# were long, and that long ones are followed by a long wait is learnt from the few that
# have both. The rows without a hole are mostly short eruptions, and a model of them
# says that most eruptions are.
#
# No method sees what depends on the missing value itself: had the waits gone missing
# because they were long, whatever the eruption before, this table could not tell.
