"""
On a Dask cluster
=================

``fit`` takes a dask array or data frame and runs one task for each partition, where the
partition lies. Between the workers travel parameters and sufficient statistics, and no
rows. Here a small cluster of two processes fits the colours of all pixels of a
photograph, each pixel with the eight around it.
"""

import warnings

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client
from distributed.deploy.subprocess import SubprocessCluster
from sklearn.datasets import load_sample_images

from gaussmix import GaussianMixture

photo = load_sample_images().images[0]
neighbourhoods = np.lib.stride_tricks.sliding_window_view(photo, (3, 3), axis=(0, 1))
pixels = neighbourhoods.reshape(-1, 27) / 255

# Else Dask may move partitions to a worker that is idle.
dask.config.set({"distributed.scheduler.work-stealing": False})
cluster = SubprocessCluster(
    n_workers=2,
    threads_per_worker=1,
    host="127.0.0.1",
    dashboard_address="127.0.0.1:0",
)
client = Client(cluster)
client.wait_for_workers(2)

# %%
# ``persist`` loads the partitions into the memory of the workers. Without it each
# iteration would load them again. The rows below come from this process; in earnest
# they come from files that the workers read.

PARTITIONS = 8


def on_workers(rows):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        return da.from_array(rows, chunks=(-(-len(rows) // PARTITIONS), 27)).persist()


settings = {"n_components": 6, "tol": 0.01, "reg_covar": 1e-5, "random_state": 0}
X = on_workers(pixels)
model = GaussianMixture(**settings).fit(X)
local = GaussianMixture(**settings).fit(pixels)
difference = np.abs(model.means_ - local.means_).max()
print(f"{len(pixels):,} rows, {X.npartitions} partitions, {model.n_iter_} iterations")
print(f"means differ from those of one process by at most {difference:.1e}")
assert model.n_iter_ == local.n_iter_
assert difference < 1e-9

# %%
# What an iteration moves
# -----------------------
# Workers count the bytes that they send to each other and to the client. The difference
# between a fit of two iterations and one of twelve is what ten of them move, without
# the first look at the rows and the start. Eight partitions each, of ever more rows:


def bytes_sent():
    counts = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    return sum(counts.values())


def moved_by_an_iteration(rows):
    totals = []
    for max_iter in (2, 12):
        before = bytes_sent()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the iterations that are cut off
            GaussianMixture(**settings | {"tol": 0, "max_iter": max_iter}).fit(rows)
        totals.append(bytes_sent() - before)
    return (totals[1] - totals[0]) / 10


steps = (64, 16, 4, 1)
n_rows = [len(pixels[::step]) for step in steps]
moved = [moved_by_an_iteration(on_workers(pixels[::step])) for step in steps]
statistics = model.accumulate(X)
size = sum(
    getattr(statistics, name).nbytes for name in ("weight", "first", "second", "shift")
)
for n, sent in zip(n_rows, moved):
    print(f"{n:>8,} rows: {sent / 1e3:.0f} kB, {sent / size:.1f} times the statistics")
assert max(moved) < 2 * PARTITIONS * size

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.loglog(n_rows, np.multiply(n_rows, 27 * 8), "o--", color="0.6", label="the rows")
ax.loglog(n_rows, moved, "o-", label="sent by workers in an iteration")
ax.axhline(size, color="tab:red", linewidth=1, label="statistics of one partition")
ax.set(xlabel="rows", ylabel="bytes")
ax.legend()
plt.show()

# %%
# Scores stay where the rows are
# ------------------------------
# ``predict`` returns a dask array at once, without computing it. A slice of it computes
# only the partitions that hold the slice. Here all labels come back, for a picture of
# which pixels are alike, from the darkest component to the lightest.

labels = model.predict(X)
print(labels)
values = labels.compute()

# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
order = np.argsort(np.argsort(model.means_.mean(axis=1)))
axes[0].imshow(photo[1:-1, 1:-1])
axes[1].imshow(order[values].reshape(neighbourhoods.shape[:2]), interpolation="nearest")
for ax in axes:
    ax.axis("off")
plt.show()

client.close()
cluster.close()
