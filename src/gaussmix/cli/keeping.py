"""Columns that an output has as they stand in the file, beside what is computed of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._common.text import shown
from .._common.typing import AnyArray
from .._files.errors import TableError
from .._files.tables.base import AsTheyStand, Table
from .._files.tables.parquet import has_text
from .._files.tables.writers import Field, output_format

# What stands for all columns, unless a column has this name.
ALL = "*"


def require_room(output: str, remedy: str) -> None:
    """Raise `TableError` if the format of an output has numbers alone."""
    if output_format(output) == "npy":
        raise TableError(
            f"{output}: a .npy array holds numbers alone, and --keep is for columns of any type; "
            f"{remedy}"
        )


def kept_columns(
    table: Table, wanted: Sequence[str], columns: Sequence[int], *, replaced: bool
) -> list[int]:
    """The 0-based columns of a file to keep.

    Parameters
    ----------
    table : Table
    wanted : sequence of str
        As given to --keep, which may be all.
    columns : sequence of int
        Those the model reads.
    replaced : bool
        Whether the output has these with other values, so that they cannot be kept as well.
    """
    if list(wanted) == [ALL] and ALL not in (table.names or ()):
        read = set(columns) if replaced else set()
        return [column for column in range(table.n_columns) if column not in read]
    others = table.columns.chosen(wanted)
    both = [column for column in others if replaced and column in columns]
    if both:
        raise TableError(
            f"{table.path}: {table.column_text(both[0])} is one that the model fills in; leave it "
            "out of --keep"
        )
    return others


@dataclass(frozen=True)
class Layout:
    """The columns of an output, where some are kept.

    Attributes
    ----------
    fields : sequence of Field
        In the order of the output.
    order : sequence of int or None
        The places in that order of the kept columns and then the computed ones; None where
        nothing is kept, and fields of several columns stay together.
    """

    fields: Sequence[Field]
    order: Sequence[int] | None = None

    def arranged(self, kept: AsTheyStand, computed: Sequence[AnyArray]) -> Sequence[Any]:
        """The columns of some rows in the order of the output."""
        if self.order is None:
            return computed
        columns = list(kept)
        for part in computed:
            columns += [part] if part.ndim == 1 else list(part.T)
        return [columns[place] for place in self.order]


def layout(
    table: Table, others: Sequence[int], fields: Sequence[Field], order: Sequence[int], output: str
) -> Layout:
    """The layout of an output with kept columns.

    Parameters
    ----------
    table : Table
    others : sequence of int
        Columns of the file to keep.
    fields : sequence of Field
        What is computed.
    order : sequence of int
        As `Layout` has it.
    output : str

    Raises
    ------
    TableError
        If two columns would have one name, or one has no text and the output is CSV.
    """
    computed = [Field(name, field.dtype) for field in fields for name in field.column_names]
    kept = [_kept_field(table, column, output) for column in others]
    names = [field.name for field in computed]
    for column, field in zip(others, kept):
        if field.name in names:
            raise TableError(
                f"{table.path}: {table.column_text(column)} has the name {shown(field.name)} of "
                "another column of the output; rename it first, or leave it out of --keep"
            )
        names.append(field.name)
    every = [*kept, *computed]
    return Layout([every[place] for place in order], order)


def repeated(kept: AsTheyStand, times: int) -> AsTheyStand:
    """Columns with each of their rows so many times in a row."""
    if times == 1:
        return kept
    return [
        column.repeat(times)
        if isinstance(column, np.ndarray)
        else column.take(np.arange(len(column)).repeat(times))
        for column in kept
    ]


def _kept_field(table: Table, column: int, output: str) -> Field:
    name = table.names[column] if table.names else f"x{column + 1}"
    kind = table.type_of(column)
    if isinstance(kind, np.dtype):
        return Field(name, kind)
    if output_format(output) == "csv" and not has_text(kind):
        raise TableError(
            f"{table.path}: {table.column_text(column)} holds {kind}, which CSV has no place "
            "for; give an output that ends in .parquet, or leave it out of --keep"
        )
    return Field(name, np.dtype(object), arrow=kind)
