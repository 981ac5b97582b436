"""
Density contours
================

A mixture is also an estimate of a density, of any shape if it has enough components.
Here it is drawn for two properties of 178 Italian wines whose joint distribution looks
like no Gaussian, and held against a kernel density estimate, the usual tool for the
purpose.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import KFold
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_density

X = load_wine(as_frame=True).data[["flavanoids", "color_intensity"]].to_numpy()
assert len(X) == 178

# %%
# Either method has something to choose: the number of components, the width of the
# kernel. What decides is how probable wines are that were left out, ten times a tenth
# of them.


def left_out(estimator):
    """Mean log-density of wines not fitted, in nats, with columns scaled alike."""
    scaled = make_pipeline(StandardScaler(), estimator)
    tenths = KFold(10, shuffle=True, random_state=0).split(X)
    scores = [scaled.fit(X[fitted]).score_samples(X[rest]) for fitted, rest in tenths]
    return np.mean(np.concatenate(scores))


def mixture(k):
    return GaussianMixture(k, variance_floor=0.01, n_init=10, random_state=0)


for k in range(1, 6):
    print(f"mixture, K = {k}       {left_out(mixture(k)):.3f} nats")
for width in (0.1, 0.2, 0.3, 0.4, 0.5):
    print(
        f"kernel, width {width}   {left_out(KernelDensity(bandwidth=width)):.3f} nats"
    )

# %%
# Two components or a well chosen kernel tell as much; more components win nothing that
# so few wines could show. The mixture needs eleven numbers for it, while the kernel
# estimate is all the wines, each time it is asked.

best = mixture(2).fit(X)
assert best.n_parameters() == 11
assert abs(left_out(mixture(2)) - left_out(KernelDensity(bandwidth=0.3))) < 0.05

# %%
# Each contour encloses the smallest region that holds a given part of the distribution:
# 50, 90 and 99 %. One Gaussian spreads over the middle of the V, where there are hardly
# any wines.

figure, axes = plt.subplots(
    1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, model in zip(axes, (mixture(1).fit(X), best)):
    plot_density(model, X, levels=(0.5, 0.9, 0.99), ax=ax)
    ax.set(title=f"K = {model.n_components}", xlabel="flavanoids")
axes[0].set_ylabel("colour intensity")
axes[0].get_legend().remove()
axes[1].set_ylabel("")
plt.show()

# %%
# The threshold of such a region is a quantile of the log-density of rows drawn from the
# model. So one can count how many wines are in it, which should be about as many as the
# contour says:

drawn, _ = best.sample(100_000, random_state=0)
for part in (0.5, 0.9, 0.99):
    threshold = np.quantile(best.score_samples(drawn), 1 - part)
    inside = np.mean(best.score_samples(X) >= threshold)
    print(f"region of {part:.0%} of the model holds {inside:.0%} of the wines")

# %%
# What the picture shows as well: the density goes on below zero, where no wine can be.
# Gaussians know nothing of bounds. Where that matters, fit the logarithms.
