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

model = GaussianMixture(7, covariance_type="full", random_state=0).fit(pixels)
shares = model.predict_proba(pixels)
labels = shares.argmax(axis=1)
doubt = 1 - shares.max(axis=1)

# %%
# On the left every pixel has the mean colour of its segment. Leaves, tower, haze and
# the parts of the sky come apart although the model knows nothing of places: two pixels
# of one colour are always in one segment. On the right, bright is where the most
# probable segment is not probable: in the foliage, and along borders within the sky,
# which has none. What looks like an edge there is a cut through a gradient.

palette = np.clip(model.means_, 0, 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.imshow(palette[labels].reshape(photo.shape))
left.set_title(f"{model.n_components} segments")
picture = right.imshow(doubt.reshape(photo.shape[:2]), cmap="magma", vmin=0)
right.set_title("doubt")
figure.colorbar(picture, ax=right, label="probability of other segments", shrink=0.85)
for ax in (left, right):
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
axes[0, 0].imshow(photo)
axes[0, 0].set_title("photograph")
for ax, model in zip(axes.flat[1:], (models[0], models[1], models[3])):
    palette = np.clip(model.means_, 0, 1)
    ax.imshow(palette[model.predict(pixels)].reshape(photo.shape))
    ax.set_title(f"K = {model.n_components}")
for ax in axes.flat:
    ax.axis("off")
plt.show()
