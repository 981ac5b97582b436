"""
Larger than memory
==================

EM needs the rows only one piece at a time. ``accumulate`` reads a piece and returns its
sums, sums of pieces add up, and ``update`` makes of them what one more iteration of
``fit`` would. The pieces may come from a file, a database or other machines. Here it is
a file, mapped and not loaded, with a row for every pixel of two photographs: the
colours of the pixel and of the eight around it.
"""

import copy
import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from gaussmix import GaussianMixture

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
# Where EM starts must be found on rows that fit in memory: here on every
# five-hundredth. After that each iteration goes through the file once. The arrays made
# meanwhile depend on the size of the pieces, not on that of the file.


def pieces(size=10_000):
    mapped = np.load(data, mmap_mode="r")
    for start in range(0, len(mapped), size):
        yield slice(start, start + size), mapped[start : start + size]


model = GaussianMixture(
    6, tol=0.01, reg_covar=1e-5, random_state=0, warm_start=True
).fit(rows[::500])
start = copy.deepcopy(model)

tracemalloc.start()
while not model.converged_ or model.n_iter_ == start.n_iter_:
    model.update(sum(model.accumulate(piece) for _, piece in pieces()))
in_pieces = model.lower_bounds_[start.n_iter_ :]
print(f"in pieces: {len(in_pieces)} iterations, to {in_pieces[-1]:.6f} nats a row")

# %%
# Scores go straight to another mapped file with ``out=``.

log_density = np.lib.format.open_memmap(
    scores, "w+", dtype=np.float64, shape=(len(rows),)
)
for where, piece in pieces():
    model.score_samples(piece, out=log_density[where])

peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(f"memory for arrays while fitting and scoring: at most {peak / 1e6:.1f} MB")
assert peak < data.stat().st_size / 10

# %%
# The same as in one piece
# ------------------------
# This file does fit in memory, so that ``fit`` can go on from the same start. Iteration
# for iteration it finds the same; only the order of additions differs.

whole = copy.deepcopy(start).fit(rows)
at_once = whole.lower_bounds_[-whole.n_iter_ :]
print(f"at once:   {len(at_once)} iterations, to {at_once[-1]:.6f} nats a row")
assert len(at_once) == len(in_pieces)
assert np.allclose(at_once, in_pieces, rtol=1e-9)

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.plot(range(1, len(at_once) + 1), at_once, color="0.75", linewidth=8, label="at once")
ax.plot(range(1, len(in_pieces) + 1), in_pieces, "k.-", label="in pieces")
ax.set(xlabel="iteration", ylabel="mean log-likelihood\nof a row (nats)")
ax.legend()
plt.show()

# %%
# What the scores show
# --------------------
# Dark is where a pixel and its neighbours look like little else in the two photographs:
# roofs, railings, foliage, the edges of the petals. Sky, haze and blurred leaves are
# smooth, so common, and bright. The fine grid in them is the blocks of eight pixels in
# which JPEG stores a picture.

# sphinx_gallery_thumbnail_number = 2
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
