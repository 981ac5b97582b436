"""
Image segmentation
==================

Every pixel of a photograph is a row of three numbers: how red, green and blue it is. A
mixture fitted to all of them sorts the pixels by colour, and needs no sample of them to
do so.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from gaussmix import GaussianMixture

photo = load_sample_image("china.jpg")
pixels = photo.reshape(-1, 3) / 255
print(f"{len(pixels):,} pixels")

# %%
# Shade and light spread the colours of one surface along a line in the space of red,
# green and blue. Only a full covariance can follow such a line, whatever its direction.

model = GaussianMixture(n_components=7, covariance_type="full", random_state=0).fit(
    pixels
)
shares = model.predict_proba(pixels)
labels = shares.argmax(axis=1)
doubt = 1 - shares.max(axis=1)

# %%
# In the middle every pixel has the mean colour of its segment. Trees, tower, hills and
# the parts of the sky come apart although the model knows nothing of places: two pixels
# of one colour are always in one segment. On the right, bright is where the most
# probable segment is not probable: the foliage in front of the tower, and the borders
# within the sky, which has no borders. What looks like an edge there is a cut through a
# gradient.

palette = np.clip(model.means_, 0, 1)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
axes[0].imshow(photo)
axes[0].set_title("photograph")
axes[1].imshow(palette[labels].reshape(photo.shape))
axes[1].set_title(f"{model.n_components} segments")
picture = axes[2].imshow(doubt.reshape(photo.shape[:2]), cmap="magma", vmin=0)
axes[2].set_title("doubt")
figure.colorbar(
    picture, ax=axes[2], label="probability of the other segments", shrink=0.9
)
for ax in axes:
    ax.axis("off")
plt.show()

print(f"Pixels with a doubt above 10 %: {np.mean(doubt > 0.1):.0%}")

# %%
# How many segments?
# ------------------
# BIC does not answer that for pixels. It falls with every component:

numbers = (2, 4, 7, 12)
models = [GaussianMixture(k, random_state=0).fit(pixels) for k in numbers]
criteria = [model.bic(pixels) for model in models]
for k, bic in zip(numbers, criteria):
    print(f"K = {k:2}   BIC {bic:12,.0f}")
assert criteria == sorted(criteria, reverse=True)

# %%
# With so many rows the term for parameters weighs next to nothing, neighbouring pixels
# are not the independent rows that BIC counts them as, and colours in a photograph are
# not Gaussian, so that a better description can always be had. Here the purpose chooses
# K: two segments cut the scene from its sky, four part the near from the far, twelve
# are a palette.

# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), layout="constrained")
for ax, model in zip(axes.flat, models):
    palette = np.clip(model.means_, 0, 1)
    ax.imshow(palette[model.predict(pixels)].reshape(photo.shape))
    ax.set_title(f"K = {model.n_components}")
    ax.axis("off")
plt.show()
