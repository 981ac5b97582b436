"""Which columns of a source are read: those that a user names, as long as they hold numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._common.text import did_you_mean, listed, shown
from ..._files.errors import TableError
from .base import RowSource

# Characters of a list of columns that is ready to paste.
_MOST_OF_LIST = 600


def chosen(
    source: RowSource, columns: Sequence[Any] | None, weights: Any, known: Sequence[Any]
) -> list[Any]:
    """The columns to read, by default all but the weights, each of which is there once.

    Parameters
    ----------
    source : RowSource
        For messages.
    columns : sequence, or None
    weights : str, int or None
    known : sequence
        All columns that there are.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(columns, str):
        raise TypeError(
            f"columns must be a list of names; got {shown(columns)}. Pass [{shown(columns)}]."
        )
    if columns is None:
        columns = [name for name in known if name != weights]
    check_names(source, "columns", columns, known)
    check_names(source, "weights", [] if weights is None else [weights], known)
    if weights in columns:
        raise ValueError(f"columns: {shown(weights)} holds the weights of {source}. Leave it out.")
    if not columns:
        raise ValueError(f"columns: {source} has no column to read beside the weights.")
    return list(columns)


def check_names(
    source: RowSource, argument: str, names: Sequence[Any], known: Sequence[Any]
) -> None:
    """Refuse a column that is not there once, and one that is named twice."""
    for name in names:
        if known.count(name) != 1:
            several = "more than one column" if name in known else "no column"
            raise ValueError(
                f"{argument}: {source} has {several} named {shown(name)}. Choose from "
                f"{listed(known, most=10)}.{did_you_mean(name, known)}"
            )
        if names.count(name) != 1:
            raise ValueError(f"{argument}: {shown(name)} is there twice. Name each once.")


def text_error(
    source: RowSource, call: str, name: Any, numeric: Sequence[Any], more: str = ""
) -> TableError:
    """The exception for a column of text.

    Parameters
    ----------
    source : RowSource
    call : str
        How to make another, up to the list of columns.
    name : str or int
    numeric : sequence
        The other columns, which hold numbers.
    more : str
        Another remedy.
    """
    which = repr(list(numeric))
    which = which if len(which) <= _MOST_OF_LIST else "[...] with the numeric columns"
    remedy = (
        f"Pass {call}, columns={which})."
        if numeric
        else "No other column that was asked for holds numbers; convert it first."
    )
    return TableError(f"{source}: column {shown(name)} holds text. {remedy}{more}")
