"""
Anomaly scores
==============

A model of what is normal gives every new row a log-density, and the rows with the
lowest are the odd ones. No example of an anomaly is needed to fit it. Where normal
comes in several kinds, one Gaussian is a poor model of it and a mixture a good one.
Handwritten digits show it: the model sees nine of them and is then asked to find the
tenth.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split

from gaussmix import GaussianMixture

images, digits = load_digits(return_X_y=True)
assert (images.min(), images.max()) == (0, 16)


def without(odd):
    """Rows to fit, rows to score, and which of those show the odd digit."""
    known, new = train_test_split(images[digits != odd], test_size=0.3, random_state=0)
    strange = images[digits == odd]
    pca = PCA(20, random_state=0).fit(known)
    is_odd = np.repeat([False, True], [len(new), len(strange)])
    return pca.transform(known), pca.transform(np.concatenate([new, strange])), is_odd


def fits(known):
    """A single Gaussian, and the mixture with the lowest BIC."""
    models = [
        GaussianMixture(k, reg_covar=0.1, n_init=3, random_state=0).fit(known)
        for k in (1, 4, 7, 10, 13, 16)
    ]
    return models[0], min(models, key=lambda model: model.bic(known))


# %%
# K is chosen on the normal rows alone, by BIC; nothing about the odd digit enters. The
# grey levels go from 0 to 16, and 0.1 is added to every variance so that no component
# becomes flat.

known, new, is_odd = without(0)
single, best = fits(known)
print(f"lowest BIC at K = {best.n_components}: {best.bic(known):,.0f}")
print(f"one Gaussian: {single.bic(known):,.0f}")

# %%
# Below, the digit left out is 0. On the left is how the model chosen by BIC scores what
# it has not seen: one normal row in twenty falls below the dashed line. A threshold
# must come from rows that were not fitted, as fitted ones score too well; so half of
# the new normal rows set it, and the other half is a test of it. On the right, every
# threshold at once: one Gaussian for all nine digits mistakes more.

density = best.score_samples(new)
normal = density[~is_odd]
threshold = np.quantile(normal[::2], 0.05)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bins = np.linspace(*np.quantile(density, [0.01, 1]), 50)
left.hist(normal, bins, density=True, alpha=0.7, label="digits 1 to 9, not fitted")
left.hist(density[is_odd], bins, density=True, alpha=0.7, label="digit 0, never seen")
left.axvline(threshold, color="0.5", linestyle="--")
left.set(xlabel="log-density of an image (nats)", ylabel="share of images per nat")
left.legend(loc="upper left")
for model, style in ((single, "--"), (best, "-")):
    scores = -model.score_samples(new)
    area = roc_auc_score(is_odd, scores)
    false, found, _ = roc_curve(is_odd, scores)
    label = f"K = {model.n_components}: area {area:.3f}"
    right.plot(false, found, style, color="0.5", label=label)
right.set(xlabel="share of normal images reported", ylabel="share of zeros found")
right.legend(loc="lower right", title="ROC")
plt.show()

print("reported at the threshold:")
print(f"{np.mean(density[is_odd] < threshold):6.1%} of the zeros")
print(f"{np.mean(normal[1::2] < threshold):6.1%} of the other half of normal images")

# %%
# A zero may be easy to tell. The same with each digit in turn:

print("left out   one Gaussian   mixture")
areas = []
for odd in range(10):
    known, new, is_odd = without(odd)
    scores = [-model.score_samples(new) for model in fits(known)]
    areas.append([roc_auc_score(is_odd, score) for score in scores])
    print(f"{odd:8}   {areas[-1][0]:12.3f}   {areas[-1][1]:7.3f}")
print("    mean   {:12.3f}   {:7.3f}".format(*np.mean(areas, axis=0)))
assert all(mixture > one for one, mixture in areas)

# %%
# When it is not worth it
# -----------------------
# Where normal is of one kind and anomalies lie on one side of it, simpler rules do as
# well. Ten measures of cells from breast tumours, fitted to benign ones; the outcome is
# which others are malignant:

data = load_breast_cancer()
cells, benign = data.data[:, 20:], data.target == 1
assert cells.shape[1] == 10
known, new = train_test_split(cells[benign], test_size=0.4, random_state=0)
new = np.concatenate([new, cells[~benign]])
malignant = np.arange(len(new)) >= len(new) - np.sum(~benign)
new = (new - known.mean(axis=0)) / known.std(axis=0)
known = (known - known.mean(axis=0)) / known.std(axis=0)
mixture = GaussianMixture(2, n_init=10, random_state=0).fit(known)
scores = {
    "mixture, K = 2": -mixture.score_samples(new),
    "sum of squares": (new**2).sum(axis=1),
    "radius alone": new[:, 0],
}
for name, score in scores.items():
    print(f"{name:15} area {roc_auc_score(malignant, score):.3f}")

# %%
# Malignant tumours have larger cells, and the distance from the mean tells that. And
# where examples of the anomaly are at hand, a classifier that learns from them will
# serve better than any of these.
