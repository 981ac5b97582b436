"""
Choosing K and the family
=========================

The likelihood of a mixture grows with every component. Two criteria set that off
against what components cost: BIC against the number of parameters, ICL against that and
against overlap. Lower is better. Here both are computed for 150 irises, whose species
are known, so that the answers can be judged.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances, plot_criteria

iris = load_iris()
assert (np.bincount(iris.target) == 50).all()
X = iris.data  # sepal length and width, petal length and width, in cm

# %%
# EM finds a local optimum, so every number is that of the best of twenty starts;
# otherwise one would compare starts, not models. What ``variance_floor`` is for comes
# below.


def fit(k, family, variance_floor=1e-3):
    return GaussianMixture(
        k,
        covariance_type=family,
        variance_floor=variance_floor,
        n_init=20,
        init_params="k-means++",
        random_state=0,
    ).fit(X)


families = ("full", "tied", "diag", "spherical")
fits = {family: [fit(k, family) for k in range(1, 8)] for family in families}

everything = [model for models in fits.values() for model in models]

figure, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
plot_criteria(everything, X, ax=ax)
ax.set_ylim(550, 1050)
plt.show()

# %%
# The lengths in a flower are correlated, which "diag" and "spherical" can only imitate
# with many components. Over all families and numbers both criteria choose the same:

for name in ("bic", "icl"):
    best = min(everything, key=lambda model: getattr(model, name)(X))
    print(f"lowest {name.upper()}: {best.covariance_type}, K = {best.n_components}")
    assert (best.covariance_type, best.n_components) == ("full", 2)

# %%
# Yet there are three species
# ---------------------------
# The model with three components finds them, as the adjusted Rand index tells, which is
# 1 for full agreement with the species:

two, three = fits["full"][1:3]
for model in (two, three):
    agreement = adjusted_rand_score(iris.target, model.predict(X))
    print(
        f"K = {model.n_components}: BIC {model.bic(X):.1f}, Rand index {agreement:.2f}"
    )
    assert (agreement > 0.9) == (model is three)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, model in zip(axes, (two, three)):
    plot_covariances(model, X, features=(2, 3), ax=ax)
    ax.set(title=f"K = {model.n_components}", xlabel="petal length (cm)")
axes[0].set_ylabel("petal width (cm)")
axes[1].set_ylabel("")
plt.show()

print(f"parameters: {two.n_parameters()} and {three.n_parameters()}")

# %%
# Versicolor and virginica touch, and with fifty flowers of each one wide ellipse is the
# cheaper description. A criterion says how many Gaussians pay for themselves on this
# many rows. To the question of how many kinds there are it gives evidence, not the
# answer.
#
# A low value for the wrong reason
# --------------------------------
# The lengths are rounded to 0.1 cm, and many flowers share one petal width. A component
# that holds only such rows has no variance in that direction, and the likelihood has no
# bound. What then bounds it is ``reg_covar``, a millionth by default, and BIC rewards
# the spike:

spike = fit(6, "full", variance_floor=0)
k = np.linalg.eigvalsh(spike.covariances_).min(axis=1).argmin()
inside = X[spike.predict(X) == k]
print(f"K = 6 without a floor: BIC {spike.bic(X):.1f}, variances of component {k}:")
print(np.diag(spike.covariances_[k]))
print(f"petal widths of its {len(inside)} flowers: {np.unique(inside[:, 3])} cm")
assert spike.bic(X) < two.bic(X)
assert len(np.unique(inside[:, 3])) == 1

# %%
# With ``variance_floor=1e-3`` no component is narrower, in any direction, than a
# thousandth of the columns' own variances, which is about what rounding alone leaves.
# The spike is gone, and models that had none are as they were. A criterion that drops
# at a large K calls for a look at the smallest variance.

sound = fits["full"][5]
print(f"K = 6 with it: BIC {sound.bic(X):.1f}")
assert sound.bic(X) > two.bic(X)
assert np.isclose(fit(3, "full", variance_floor=0).bic(X), three.bic(X))
