"""A script that was written for scikit-learn."""

import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.mixture import GaussianMixture

photo = load_sample_image("china.jpg")
pixels = photo.reshape(-1, 3) / 255
model = GaussianMixture(n_components=7, covariance_type="full", random_state=0)
labels = model.fit_predict(pixels)
segments = model.means_[labels].reshape(photo.shape)
print(f"BIC {model.bic(pixels):,.0f}, {model.n_iter_} iterations")
print(f"error of a pixel {np.abs(segments - photo / 255).mean():.3f}")
