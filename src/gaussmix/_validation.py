"""Where pickles of earlier versions look for exceptions that have moved."""

from __future__ import annotations

from .exceptions import (
    ConvergenceWarning,
    IllDefinedCovarianceError,
    InvalidParameterError,
    NotFittedError,
    _rebuild,
)

__all__ = [
    "ConvergenceWarning",
    "IllDefinedCovarianceError",
    "InvalidParameterError",
    "NotFittedError",
    "_rebuild",
]
