"""Models and parameters made of reference mixtures, and reference mixtures made of models."""

from __future__ import annotations

import numpy as np

from gaussmix import GaussianMixture
from gaussmix._parameters.mixture import MixtureParameters
from support.reference import Mixture, random_mixture

FITTED_ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
SCORING = ("predict", "predict_proba", "score_samples", "score", "aic", "bic", "icl")
FITTING = ("fit", "fit_predict")
METHODS = (*FITTING, *SCORING, "accumulate")


def model_of(mixture, **params):
    """A fitted model with the parameters of a reference mixture."""
    return GaussianMixture.from_parameters(
        mixture.weights,
        mixture.means,
        mixture.covariances,
        covariance_type=mixture.covariance_type,
        **params,
    )


def parameters_of(mixture):
    """A reference mixture as the library's parameters, with the factors the library computes."""
    return MixtureParameters.from_covariances(
        mixture.covariance_type,
        mixture.weights,
        mixture.means,
        np.ascontiguousarray(mixture.covariances),
    )


def mixture_of(model):
    """A fitted model as the reference reads it, in double precision."""
    arrays = (model.weights_, model.means_, model.covariances_)
    return Mixture(model.covariance_type, *(array.astype(np.float64) for array in arrays))


def random_model(covariance_type="full", K=3, d=4, seed=2, **params):
    """A model and the same mixture for the reference."""
    mixture = random_mixture(np.random.default_rng(seed), covariance_type, K, d)
    return model_of(mixture, **params), mixture
