"""Rows that a mixture makes, as tables with its columns' names where a user asks for those."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self, TypeVar, cast

import numpy as np

from .._checks.messages import no_names_for_table
from .._common.typing import Floats
from . import sklearn_api
from .base import BaseMixture

Method = TypeVar("Method", bound=Callable[..., Any])


class _UnlessTransformer:
    """A method, but in a class that has a `transform`, which finds what comes behind it there.

    scikit-learn takes a transformer with a `set_output` for one whose `transform` it decides.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        functools.update_wrapper(self, method)  # type: ignore[arg-type]

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: Any, cls: type) -> Any:
        if not hasattr(cls, "transform"):
            return self._method.__get__(instance, cls)
        behind = super(self._owner, cls if instance is None else instance)
        return getattr(behind, self._name)


def unless_transformer(method: Method) -> Method:
    return cast(Method, _UnlessTransformer(method))


class TabularMixture(BaseMixture):
    """The method that chooses what rows come as, and what does it."""

    @unless_transformer
    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of the rows that `sample` and `impute` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            "default" is a NumPy array, also where ``sklearn.set_config(transform_output=...)``
            says otherwise. "pandas" and "polars" are data frames with the columns
            `feature_names_in_`: one for each of the draws of `impute`, and one for all rows of
            `sample`, below each other where several are given. None keeps what was set.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For another container; in `sample` and `impute` where the model has no names for the
            columns.

        Notes
        -----
        The name is scikit-learn's, as of its transformers. A subclass with a `transform` has that
        of its other base, or none, and its `sample` and `impute` return arrays.

        Examples
        --------
        >>> import pandas
        >>> from gaussmix import GaussianMixture
        >>> X = pandas.DataFrame({"length": [1.0, 2.0, 3.0, 4.0], "width": [2.0, 1.0, 5.0, 3.0]})
        >>> model = GaussianMixture(random_state=0).fit(X).set_output(transform="pandas")
        >>> X, y = model.sample(3)
        >>> list(X.columns), len(X)
        (['length', 'width'], 3)
        """
        return sklearn_api.set_container(self, transform)

    def _container(self, method: str) -> str | None:
        """The library whose tables a method is to return, None for arrays.

        Raises `ValueError` where the model has no names for the columns.
        """
        container = sklearn_api.container_of(self)
        if container in (None, "default") or hasattr(type(self), "transform"):
            return None
        if getattr(self, "feature_names_in_", None) is None:
            raise no_names_for_table(type(self).__name__, method, str(container))
        return container

    def _in_container(self, container: str | None, values: Floats, index: Any = None) -> Any:
        """Rows (n, d), or rows (r, n, d) below each other, of which `index` has r entries."""
        if container is None:
            return values
        if index is not None and values.ndim == 3:
            index = np.repeat(index, values.shape[1])
        rows = values.reshape(-1, values.shape[-1])
        return sklearn_api.in_container(container, rows, list(self.feature_names_in_), index)
