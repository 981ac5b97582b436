"""
Larger than memory
==================

``fit`` takes the path of a file in place of an array, and reads it a block at a time
while it computes. Here the file has a row for every pixel of two photographs: the
colours of the pixel and of the eight around it. The fit is allowed a fifth of the
memory that the rows would take, and gives the same bits as a fit to all at once.
"""

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from gaussmix import GaussianMixture
from gaussmix.sources import NpySource

photos = load_sample_images().images
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
data, scores = (Path(folder.name) / name for name in ("pixels.npy", "scores.npy"))

neighbourhoods = [
    np.lib.stride_tricks.sliding_window_view(photo, (3, 3), axis=(0, 1))
    for photo in photos
]
shape = neighbourhoods[0].shape[:2]
n = shape[0] * shape[1]
rows = np.lib.format.open_memmap(data, "w+", dtype=np.float64, shape=(2 * n, 27))
for i, block in enumerate(neighbourhoods):
    rows[i * n : (i + 1) * n] = block.reshape(n, 27) / 255
rows.flush()
print(
    f"{len(rows):,} rows of {rows.shape[1]} columns, {data.stat().st_size / 1e6:.0f} MB"
)


# %%
# A source reads its rows anew in every pass, and holds ``memory`` bytes of them. One
# more file, mapped, takes the scores; ``out=`` writes to it.

source = NpySource(data, memory=data.stat().st_size // 5)
model = GaussianMixture(6, tol=0.01, reg_covar=1e-5, random_state=0)
log_density = np.lib.format.open_memmap(
    scores, "w+", dtype=np.float64, shape=(len(rows),)
)

tracemalloc.start()
model.fit(source)
model.score_samples(source, out=log_density)
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(f"{model.n_iter_} iterations, to {model.lower_bound_:.6f} nats a row")
print(f"memory for arrays while fitting and scoring: at most {peak / 1e6:.1f} MB")
assert peak < data.stat().st_size / 5

# %%
# The same as in one piece
# ------------------------
# This file does fit in memory, so that the same can be done with an array.

whole = GaussianMixture(6, tol=0.01, reg_covar=1e-5, random_state=0).fit(np.array(rows))
print("the same bits:", np.array_equal(whole.means_, model.means_))
assert np.array_equal(whole.covariances_, model.covariances_)
assert whole.lower_bounds_ == model.lower_bounds_

# %%
# What the scores show
# --------------------
# Dark is where a pixel and its neighbours look like little else in the two photographs:
# roofs, railings, foliage, the edges of the petals. Sky, haze and blurred leaves are
# smooth, so common, and bright. The fine grid in them is the blocks of eight pixels in
# which JPEG stores a picture.

figure, axes = plt.subplots(2, 2, figsize=(10, 6), layout="constrained")
limits = np.quantile(log_density, [0.01, 0.99])
for i, photo in enumerate(photos):
    axes[i, 0].imshow(photo[1:-1, 1:-1])
    picture = axes[i, 1].imshow(
        log_density[i * n : (i + 1) * n].reshape(shape), vmin=limits[0], vmax=limits[1]
    )
for ax in axes.flat:
    ax.axis("off")
figure.colorbar(
    picture, ax=axes[:, 1], label="log-density of a neighbourhood (nats)", shrink=0.8
)
plt.show()

del rows, log_density
folder.cleanup()
