"""What scikit-learn expects of an estimator, without importing scikit-learn.

The package does not depend on scikit-learn, so its estimators cannot inherit `BaseEstimator`.
The mixins here give them the same conduct; methods that need scikit-learn's own classes import
them when they are called, which only scikit-learn or somebody who has it does.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from .._common.text import did_you_mean, shown

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from sklearn.utils.metadata_routing import MetadataRequest

    from .._common.typing import Floats, Names

Estimator = TypeVar("Estimator", bound="EstimatorMixin")

# Characters of a parameter's value in a representation.
_MOST_OF_VALUE = 200


@functools.cache
def _init_parameters(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """What a constructor names, and whether it takes more without names (*args).

    Kept per class, since `inspect` is slow.
    """
    constructor = cls.__init__  # type: ignore[misc]  # a subclass's own, which may differ
    _self, *parameters = inspect.signature(constructor).parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    named = {p.name: p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    return named, inspect.Parameter.VAR_POSITIONAL in kinds


def with_defaults(cls: type[Estimator]) -> type[Estimator]:
    """Class decorator: the constructor's defaults are what an instance has until it is told.

    The library reads its settings from attributes. A subclass whose constructor does not call
    this one, and an instance pickled before a parameter was there, lack some.
    """
    named, _more = cls._signature()
    cls._defaults = {name: parameter.default for name, parameter in named.items()}
    for name, default in cls._defaults.items():
        setattr(cls, name, default)
    return cls


class EstimatorMixin:
    """Parameters, representation and metadata requests, as `BaseEstimator` has them.

    The parameters are those that the constructor names, which in a subclass may be others; the
    settings are the parameters of the class of this library, which every subclass has.
    """

    # The methods that take sample weights.
    _weighted: ClassVar[tuple[str, ...]] = ("fit",)

    # The settings and their defaults, see `with_defaults`.
    _defaults: ClassVar[dict[str, Any]] = {}

    @classmethod
    def _signature(cls) -> tuple[dict[str, inspect.Parameter], bool]:
        # mypy takes the class for one of its instances when it looks for __hash__.
        return _init_parameters(cls)  # type: ignore[arg-type]

    def _settings(self) -> dict[str, Any]:
        """The settings and their values."""
        return {name: getattr(self, name) for name in self._defaults}

    @classmethod
    def _constructed(cls, params: dict[str, Any]) -> Self:
        """An estimator with these parameters; settings its constructor does not name are set."""
        named, _more = cls._signature()
        taken = {
            name: value
            for name, value in params.items()
            if name in named or name not in cls._defaults
        }
        made = cls(**taken)
        for name in params.keys() - taken.keys():
            setattr(made, name, params[name])
        return made

    @classmethod
    def _constructor_parameters(cls) -> dict[str, inspect.Parameter]:
        named, more = cls._signature()
        if more:
            raise RuntimeError(
                f"The constructor of {cls.__name__} must name its parameters: *args has no names "
                "for get_params and set_params."
            )
        return named

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor parameters and their values.

        Parameters
        ----------
        deep : bool, default=True
            Whether parameters of estimators among the values are there as well, as
            ``name__parameter``. Only a subclass can have such.

        Returns
        -------
        dict
        """
        params = {name: getattr(self, name) for name in self._constructor_parameters()}
        if deep:
            for name, value in list(params.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    inner = value.get_params()
                    params |= {f"{name}__{key}": inner[key] for key in inner}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set constructor parameters by name.

        Parameters
        ----------
        **params
            Names and new values; checked by `fit`, like those given to the constructor. A
            ``name__parameter`` is one of the estimator that the parameter `name` holds.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a name that is not a parameter; nothing is set then.
        """
        valid = self._constructor_parameters()
        own: dict[str, Any] = {}
        inner: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            outer, nested, rest = name.partition("__")
            if name in valid:
                own[name] = value
            elif nested and outer in valid:
                inner.setdefault(outer, {})[rest] = value
            else:
                raise ValueError(
                    f"Invalid parameter {shown(name)} for estimator {self}. "
                    f"Valid parameters are: {sorted(valid)!r}.{did_you_mean(name, valid)}"
                )
        for name, values in inner.items():
            holder = own[name] if name in own else getattr(self, name)
            if not hasattr(holder, "set_params"):
                raise ValueError(
                    f"Invalid parameter '{name}__{min(values)}' for estimator {self}: {name} is "
                    f"no estimator. Got {shown(holder)}."
                )
            holder.set_params(**values)
        for name, value in own.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        named, _more = self._signature()
        with np.printoptions(threshold=6, edgeitems=2, precision=4):
            described = [
                (name, shown(getattr(self, name), _MOST_OF_VALUE), shown(parameter.default))
                for name, parameter in named.items()
                if hasattr(self, name)  # a subclass need not keep what it is given
            ]
        changed = [
            f"{name}={' '.join(value.split())}"
            for name, value, default in described
            if value != default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _repr_html_(self) -> str | None:
        """The diagram that notebooks show; None, for the plain text, without scikit-learn."""
        try:
            from sklearn.utils import estimator_html_repr
        except ImportError:
            return None
        html: str = estimator_html_repr(self)
        return html

    def set_fit_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self:
        """Say whether a meta-estimator should pass `sample_weight` on to `fit`.

        Needs scikit-learn, with ``sklearn.set_config(enable_metadata_routing=True)``.

        Parameters
        ----------
        sample_weight : bool, None or str
            True to ask for it, False to refuse it, None for an error when it is given, or the
            name under which the meta-estimator gets it. The default keeps what was set.

        Returns
        -------
        self
        """
        return self._set_request("fit", sample_weight)

    def _set_request(self, method: str, sample_weight: bool | str | None) -> Self:
        """Record that `method` asks for sample weights, or does not."""
        import sklearn
        from sklearn.utils.metadata_routing import UNCHANGED

        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "This method is only available when metadata routing is enabled. You can enable "
                "it using sklearn.set_config(enable_metadata_routing=True)."
            )
        if sample_weight != UNCHANGED:
            request = self.get_metadata_routing()
            getattr(request, method).add_request(param="sample_weight", alias=sample_weight)
            self._metadata_request = request
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """The metadata this estimator requests, as scikit-learn's `MetadataRequest`."""
        from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object

        if hasattr(self, "_metadata_request"):
            return get_routing_for_object(self._metadata_request)
        request = MetadataRequest(owner=type(self).__name__)
        for method in self._weighted:
            getattr(request, method).add_request(param="sample_weight", alias=None)
        return request


class TransformerMixin(EstimatorMixin):
    """A transformer's tags, and the containers that its results come in, as `set_output` says."""

    def __sklearn_tags__(self) -> Tags:
        """scikit-learn's description of what this estimator takes and is."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
            classifier_tags=None,
            regressor_tags=None,
            input_tags=InputTags(allow_nan=True),
        )

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container that `transform` and `fit_transform` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            "default" is a NumPy array. None keeps what was set; where nothing was,
            ``sklearn.set_config(transform_output=...)`` decides.

        Returns
        -------
        self
        """
        return set_container(self, transform)

    def _contained(self, values: Floats, X: Any, names_out: Callable[[], Names]) -> Any:
        """Results for the rows of X in the container that was asked for."""
        container = container_of(self)
        sklearn = sys.modules.get("sklearn")
        if container is None and sklearn is not None:
            container = sklearn.get_config().get("transform_output")
        if container in (None, "default"):
            return values
        _check_container(container)
        return in_container(container, values, list(names_out()), index_of(X))


class RegressorMixin(EstimatorMixin):
    """A regressor's tags, and the request for weights of its `score`."""

    _weighted = ("fit", "score")

    allow_nan: bool

    def __sklearn_tags__(self) -> Tags:
        """scikit-learn's description of what this estimator takes and is."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            transformer_tags=None,
            classifier_tags=None,
            regressor_tags=RegressorTags(),
            input_tags=InputTags(allow_nan=self.allow_nan),
        )

    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self:
        """Say whether a meta-estimator should pass `sample_weight` on to `score`.

        Parameters
        ----------
        sample_weight : bool, None or str
            As for `set_fit_request`.

        Returns
        -------
        self
        """
        return self._set_request("score", sample_weight)


# --- Containers of results -----------------------------------------------------------------------


# The name under which scikit-learn's `clone` looks for it.
_ASKED_FOR = "_sklearn_output_config"


def set_container(estimator: Estimator, container: str | None) -> Estimator:
    """Keep the container that `set_output` was called with, unless that is None."""
    if container is not None:
        _check_container(container)
        setattr(estimator, _ASKED_FOR, {"transform": container})
    return estimator


def container_of(estimator: EstimatorMixin) -> str | None:
    """The container that was asked for, if one was."""
    asked: dict[str, str] = getattr(estimator, _ASKED_FOR, {})
    return asked.get("transform")


def index_of(X: Any) -> Any:
    """The index of a table of pandas; None of anything else."""
    pandas = sys.modules.get("pandas")  # whoever has such a table has imported it
    return X.index if pandas is not None and isinstance(X, pandas.DataFrame) else None


def in_container(container: str, values: Floats, names: list[str], index: Any = None) -> Any:
    """Rows (n, d) as a table of "pandas" or "polars"."""
    try:
        library = importlib.import_module(container)
    except ImportError as error:
        raise ImportError(
            f"set_output(transform={container!r}) needs {container}. Install it, or pass "
            "'default'."
        ) from error
    if container == "polars":
        return library.DataFrame(values, schema=names, orient="row")
    return library.DataFrame(values, index=index, columns=names, copy=False)


def _check_container(container: Any) -> None:
    if container not in ("default", "pandas", "polars"):
        raise ValueError(
            "The output of an estimator is 'default', 'pandas' or 'polars'. Got "
            f"{shown(container)}; pass one of them to set_output."
        )


def feature_names_in(given: Any, names: Names | None, n_features: int) -> Names:
    """Names of the columns that came in, for `get_feature_names_out`.

    Parameters
    ----------
    given : array-like of str or None
        What the caller takes them to be.
    names : ndarray of str or None
        Those of `fit`.
    n_features : int
    """
    if given is None:
        if names is not None:
            return names
        return np.array([f"x{column}" for column in range(n_features)], dtype=object)
    given_names: Names = np.asarray(given, dtype=object)
    if names is not None and not np.array_equal(given_names, names):
        raise ValueError(
            "input_features is not equal to feature_names_in_. Leave it out to use those."
        )
    if given_names.shape != (n_features,):
        raise ValueError(
            f"input_features should have length equal to number of features ({n_features}), got "
            f"{len(given_names)}. Pass a name for each column, or leave it out."
        )
    return given_names
