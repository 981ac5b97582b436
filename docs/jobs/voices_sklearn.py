"""Voices: a mixture for each speaker. Whose mixture finds an utterance likeliest?"""

from importlib.metadata import files

import numpy as np
from sklearn.mixture import GaussianMixture


def utterances(name):
    """The speaker of each utterance in a file, and 12 coefficients a frame."""
    path = next(path for path in files("aeon") if path.name == name)
    for line in path.read_text().partition("@data\n")[2].splitlines():
        *channels, speaker = line.split(":")
        yield speaker, np.array([channel.split(",") for channel in channels], float).T


frames, models = {}, {}
for speaker, coefficients in utterances("JapaneseVowels_TRAIN.ts"):
    frames.setdefault(speaker, []).append(coefficients)
for speaker, rows in frames.items():
    model = GaussianMixture(8, covariance_type="diag", n_init=3, random_state=0)
    models[speaker] = model.fit(np.concatenate(rows))

right = [
    speaker == max(models, key=lambda name: models[name].score(coefficients))
    for speaker, coefficients in utterances("JapaneseVowels_TEST.ts")
]
print(f"{len(models)} speakers, {np.mean(right):.1%} of {len(right)} utterances right")
