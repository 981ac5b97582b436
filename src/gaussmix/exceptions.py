"""The exceptions and warnings of this library.

Where scikit-learn is loaded, those of which it has one of the same name are instances of that too.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ._common.text import printable

__all__ = [
    "ConvergenceWarning",
    "IllDefinedCovarianceError",
    "InvalidParameterError",
    "ModelFileError",
    "NotFittedError",
]

Raised = TypeVar("Raised", bound=BaseException)


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter has a value or a type it cannot have."""


class NotFittedError(ValueError, AttributeError):
    """A method that needs a fitted model was called before ``fit``."""


class ConvergenceWarning(UserWarning):
    """The iterations ended, or started, in a way that calls for a look at the result."""


class IllDefinedCovarianceError(ValueError):
    """A covariance matrix is singular, so that the model cannot be evaluated.

    Attributes
    ----------
    component : int or None
        The component that collapsed; None when the covariance is shared by all (``"tied"``).
    weight : float or None
        Its mixture weight, between 0 and 1.
    effective_rows : float or None
        The sum of its responsibilities, each times the row's sample weight.
    columns : tuple of int
        The columns in which it has no spread, or which are linearly dependent.
    """

    component: int | None = None
    weight: float | None = None
    effective_rows: float | None = None
    columns: tuple[int, ...] = ()


class ModelFileError(ValueError):
    """A file is not a model this version can load, or a model cannot be written to a file.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.reason}")


# Where scikit-learn keeps the class of the same meaning. Its InvalidParameterError lives in a
# private module; should it move, only `except sklearn...InvalidParameterError` stops matching.
_SKLEARN_HOME: dict[type[BaseException], str] = {
    InvalidParameterError: "sklearn.utils._param_validation",
    NotFittedError: "sklearn.exceptions",
    ConvergenceWarning: "sklearn.exceptions",
}


@functools.cache
def _joined_class(own: type, theirs: type) -> type:
    """The class that is both ours and scikit-learn's, made once a pair."""

    def __reduce__(self: BaseException) -> tuple[Callable[..., BaseException], tuple[Any, ...]]:
        # The class has no importable name: pickle the recipe, and let the reader's process decide
        # again.
        return _rebuild, (own, self.args)

    members = {"__doc__": own.__doc__, "__module__": own.__module__, "__reduce__": __reduce__}
    return type(own.__name__, (own, theirs), members)


def _rebuild(own: type[Raised], args: tuple[Any, ...]) -> Raised:
    return compatible_class(own)(*args)


def compatible_class(own: type[Raised]) -> type[Raised]:
    """`own`, also an instance of scikit-learn's class of that name if scikit-learn is loaded."""
    home = sys.modules.get(_SKLEARN_HOME[own])
    theirs = getattr(home, own.__name__, None)
    if theirs is None:
        return own
    # mypy takes the class for one of its instances when it looks for __hash__.
    joined: type[Raised] = _joined_class(own, theirs)  # type: ignore[arg-type]
    return joined
