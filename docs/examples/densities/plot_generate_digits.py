"""
Generating data
===============

A fitted mixture is a distribution, and new rows can be drawn from it. Here the rows are
small images of handwritten digits, and how well the model has learnt them is measured
on images that it has not seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from gaussmix import GaussianMixture

# %%
# An image has 64 pixels with grey levels from 0 to 16. Many pixels near the edge are
# always blank, and a covariance with such columns is singular; so the mixture works in
# the space of the 20 leading principal components, from which an image can be put
# together again.

images = load_digits().data
assert images.shape[1] == 64
assert (images.min(), images.max()) == (0, 16)
train, test = train_test_split(images, test_size=0.3, random_state=0)
pca = PCA(20, random_state=0).fit(train)
known, unseen = pca.transform(train), pca.transform(test)
kept = pca.explained_variance_ratio_.sum()
print(f"{len(train)} images fitted, {len(test)} held out; {kept:.0%} of variance kept")

# %%
# How many components, and of which family? The mean log-density of the images held out
# answers that: it rises with K as long as components find something that is there, and
# falls when they learn single images by heart. A full covariance holds 210 numbers a
# component, and soon has too few images for each; the smaller families can afford more
# components but with up to 60 do not reach the same height. BIC, from the fitted images
# alone, is printed beside it.

numbers = (1, 2, 4, 7, 10, 14, 20, 28, 40, 60)
settings = {"reg_covar": 0.1, "random_state": 0}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
best_of = {}
for family, marker in (("full", "o"), ("tied", "s"), ("diag", "^"), ("spherical", "D")):
    models = [
        GaussianMixture(k, covariance_type=family, **settings).fit(known)
        for k in numbers
    ]
    scores = [model.score(unseen) for model in models]
    ax.plot(numbers, scores, marker=marker, label=family)
    best_of[family] = max(zip(scores, models), key=lambda pair: pair[0])
    frugal = min(models, key=lambda model: model.bic(known))
    score, model = best_of[family]
    print(
        f"{family:9}  held out: K = {model.n_components:2}, {score:.2f} nats;  "
        f"BIC: K = {frugal.n_components:2}"
    )
ax.set(
    xscale="log",
    ylim=(-70, -56),
    xlabel="number of components K",
    ylabel="mean log-density of\nimages held out (nats)",
)
ax.set_xticks(numbers, [str(k) for k in numbers])
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(title="covariances")
plt.show()

assert max(best_of, key=lambda family: best_of[family][0]) == "full"

# %%
# Drawn images
# ------------
# The best model draws a hundred images, put together from their 20 numbers; grey levels
# outside 0 to 16 are cut off. The images held out, sent through the same 20 numbers,
# stand beside them for a fair comparison. One Gaussian for all digits, on the right,
# has the right mean and the right covariance and draws no digits.


def sheet(ax, rows, title):
    """A hundred images as one."""
    pixels = np.clip(pca.inverse_transform(rows), 0, 16).reshape(10, 10, 8, 8)
    spaced = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)))
    ax.imshow(spaced.transpose(0, 2, 1, 3).reshape(100, 100), cmap="gray_r")
    ax.set_title(title)
    ax.axis("off")


_, model = best_of["full"]
drawn, _ = model.sample(100, random_state=1)
single = GaussianMixture(1, **settings).fit(known)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
sheet(axes[0], unseen[:100], "held out")
sheet(axes[1], drawn, f"drawn, K = {model.n_components}")
sheet(axes[2], single.sample(100, random_state=1)[0], "drawn, one Gaussian")
plt.show()

# %%
# Are they new?
# -------------
# A model that only repeats what it was fitted to would draw images closer to those than
# real new images are.


def distance(rows):
    """Median distance to the nearest fitted image."""
    gaps = rows[:, None, :] - known[None, :, :]
    return np.median(np.sqrt((gaps**2).sum(axis=2)).min(axis=1))


drawn, _ = model.sample(len(unseen), random_state=1)
print("median distance to the nearest fitted image:")
print(
    f"{distance(unseen):.1f} for images held out, {distance(drawn):.1f} for drawn ones"
)
assert distance(drawn) > distance(unseen)

# %%
# Drawn images lie further out than real ones: they are no copies, but some are no
# digits either. A Gaussian around a digit reaches where no writer goes. For lifelike
# images there are far better models; a mixture is of use where rows with the same
# means, spreads and correlations are wanted, with a density for each of them.
