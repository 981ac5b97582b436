"""Where pickles of earlier versions look for a class that has moved."""

from __future__ import annotations

from ._estimators.conditionals import ConditionalPrediction

__all__ = ["ConditionalPrediction"]
