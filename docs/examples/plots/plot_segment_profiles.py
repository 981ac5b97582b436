"""
What sets the components apart
==============================

A component of a dozen columns is a dozen numbers, each in its own unit. What sets it
apart is how far its means lie from those of everything together, measured in standard
deviations: its profile. Here for 178 wines, of which a chemical analysis found 13
properties; the model is not told which of three growers made them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_profile

data = load_wine(as_frame=True)
wines = data.data.rename(columns=lambda name: name.replace("_", " "))
wines = wines.rename(columns={"od280/od315 of diluted wines": "OD280/OD315"})
assert wines.shape == (178, 13)
model = GaussianMixture(
    3, covariance_type="diag", variance_floor=0.01, n_init=10, random_state=0
).fit(wines)

# %%
# A column of the picture is a component, with its weight below. Its colours are its
# description.

plot_profile(model)
plt.show()

# %%
# The same in words, from the numbers in the cells: the three properties in which each
# component lies farthest from the wines as a whole.

profile = (model.means_ - wines.mean().to_numpy()) / wines.std(ddof=0).to_numpy()
for k, means in enumerate(profile):
    farthest = np.argsort(-np.abs(means))[:3]
    words = [f"{wines.columns[j]} {means[j]:+.1f}" for j in farthest]
    print(f"component {k}: {', '.join(words)}")

# %%
# Each component is one grower's wines, nearly:

labels = model.predict(wines)
for grower in range(3):
    print(f"grower {grower}:", *np.bincount(labels[data.target == grower], minlength=3))

# %%
# When it is not worth it
# -----------------------
# A profile is of means alone. Components that differ in how their columns vary, or
# depend on each other, and not in where they are, look alike in it: ``plot_pairs``
# shows such a difference, and the profile does not.
