"""Commands, plots and what wraps a mixture use what any user of one can: public attributes.

What has no public name is a function of a module below that takes the estimator.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "gaussmix"

FILES = [SOURCE / "imputation.py", SOURCE / "regression.py"]
FILES += sorted(path for room in ("plotting", "cli") for path in (SOURCE / room).glob("*.py"))

#: Functions whose second argument, or first, is the name of an attribute.
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"}

#: Those of classes and functions, which belong to the language.
OF_PYTHON = {"__name__", "__qualname__", "__module__", "__doc__"}


def private_uses(text: str) -> list[str]:
    """What a module uses of others that begins with an underscore, as source."""
    uses = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            private = node.attr.startswith("_") and node.attr not in OF_PYTHON
            if private and not is_own(node.value):
                uses.append(node)
        elif isinstance(node, ast.Call) and name_of(node.func) in BY_NAME:
            if any(map(is_private_name, node.args)) and not is_own(node.args[0]):
                uses.append(node)
        elif isinstance(node, ast.Subscript) and is_private_name(node.slice):
            uses.append(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "gaussmix") != "gaussmix":
            uses += [alias for alias in node.names if alias.name.startswith("_")]
    return [ast.unparse(node) for node in uses]


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)


def is_own(value: ast.expr) -> bool:
    """Whether it is the object, or the class, that the method belongs to."""
    return ast.unparse(value) in ("self", "cls", "super()")


def is_private_name(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and value.value.startswith("_")
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_private_attribute_of_an_estimator_is_used(path):
    assert private_uses(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "model._parameters()",
        "self.mixture_._assign(state)",
        "models[0]._kept",
        "fitted(X)._course()",
        "model.__dict__",
        "model._running = None",
        "getattr(model, '_seed')",
        "setattr(model, '_kept', None)",
        "operator.attrgetter('_kept')",
        "vars(model)['_kept']",
        "columns._as_array(X)",
        "from ._estimators.base import _is_fitted",
    ],
)
def test_a_private_use_is_noticed(line):
    assert len(private_uses(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "self._checked_parameters()",
        "super()._repr_html_()",
        "type(self).__name__",
        "columns.as_rows(X)",
        "from .. import _files",
        "from .._estimators.base import mixture_of",
        "ax.plot(x, y, label='_lowest')",
        "getattr(model, 'feature_names_in_', None)",
        "getattr(self, '_empty')",
    ],
)
def test_what_is_public_or_ones_own_may_be_used(line):
    assert private_uses(line) == []
