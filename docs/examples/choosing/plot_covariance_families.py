"""
The fourteen shapes of components
=================================

A covariance is a size, a shape and a direction: how large an ellipse is, how long for
its width, and where it points. A family says of each whether the components share it,
and BIC says which family pays for itself. Here all fourteen are fitted to the same
rows, of which we know what they are: three ellipses of one shape, of different size
and direction.
"""

import matplotlib.pyplot as plt
import numpy as np

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances


def ellipse(size, degrees):
    """A covariance of that size, four times as long as wide, in a direction."""
    turn = np.deg2rad(degrees)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return size * axes @ np.diag([4, 1 / 4]) @ axes.T


truth = GaussianMixture.from_parameters(
    [0.4, 0.3, 0.3],
    [[3.5, -3.5], [-4, 0], [3.5, 3.5]],
    [ellipse(1.6, -35), ellipse(0.4, 90), ellipse(0.8, 15)],
    covariance_type="VEV",
    random_state=0,
)
X, _ = truth.sample(600)

# %%
# The letters of a code are those of volume, shape and orientation: (E)qual in all
# components, (V)ariable, or (I)dentity, which is a circle as a shape and the columns
# themselves as an orientation. "VVV" is scikit-learn's "full", "EEE" its "tied", "VVI"
# its "diag" and "VII" its "spherical". All fits start at the means that the rows were
# drawn with, so that families are compared and not starts.

codes = [
    *("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"),
    *("VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"),
]
models = {
    code: GaussianMixture(
        3, covariance_type=code, means_init=truth.means_, tol=1e-6, max_iter=1000
    ).fit(X)
    for code in codes
}
bic = {code: model.bic(X) for code, model in models.items()}
best = min(bic, key=bic.get)

figure, axes = plt.subplots(
    3, 5, figsize=(11, 7), sharex=True, sharey=True, layout="constrained"
)
for ax, (code, model) in zip(axes.flat, [*models.items(), ("drawn from", truth)]):
    plot_covariances(model, X, deviations=2, limits=None, ax=ax)
    name = f"{code}: BIC {bic[code]:.0f}" if code in bic else code
    ax.set_title(name, fontweight="bold" if code == best else "normal")
    ax.set(xlabel="", ylabel="", aspect="equal")
plt.show()

# %%
# Up to "VVI" ellipses stay along the columns, and none of them can lean; in "EEE",
# "VEE", "EVE" and "VVE" all lean alike. What is left are the families whose components
# point each in a direction of their own, and of these the one the rows were drawn from
# has the lowest BIC. "VVV" fits them a little better still, as every "VEV" is a "VVV"
# too, but pays for two shapes more:

for code in ("VEV", "VVV"):
    model = models[code]
    print(
        f"{code}: log-likelihood {len(X) * model.score(X):.1f}, "
        f"{model.n_parameters()} parameters, BIC {bic[code]:.1f}"
    )
assert best == "VEV"
assert models["VVV"].score(X) > models["VEV"].score(X)

# %%
# The parts can be read off a fitted model. The shapes of "VEV" are one, and the sizes
# those that the rows were drawn with, 0.4, 0.8 and 1.6:

model = models["VEV"]
print("sizes: ", np.sort(model.volumes_).round(2))
print("shapes:", model.shapes_.round(2).tolist())
assert np.allclose(model.shapes_, model.shapes_[0])
