"""What messages about a table advise: options of a command, or arguments of a source of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..._common.text import column_label
from .choosing import Columns


class Advice(NamedTuple):
    """The words of one of the two.

    Attributes
    ----------
    row : str
        What the line of a text file is called; it counts from 1.
    text : callable
        ``text(columns, index)`` names a column.
    as_list : callable
        ``as_list(columns, indices)`` is a list of columns to paste; None where there is none.
    listed : str
        Before such a list.
    others, numeric, instead, by_number, fewer : str
        To choose other columns, those of numbers, those to read in place of some that are not
        there, some of which several have one name, and those that all files have.
    header, no_header : str
        To say whether the first row is a header, or not to deny it.
    delimiter, other_delimiter : str
        To say what separates the fields.
    """

    row: str
    text: Callable[[Columns, int], str]
    as_list: Callable[[Columns, Sequence[int]], str | None]
    listed: str
    others: str
    numeric: str
    instead: str
    by_number: str
    fewer: str
    header: str
    no_header: str
    delimiter: str
    other_delimiter: str


def _names_or_numbers(columns: Columns, indices: Sequence[int]) -> str | None:
    """Columns as Python writes a list of them: by name, else by number from 0."""
    names = columns.names
    text = repr([names[index] if names else index for index in indices])
    return text if indices and len(text) <= _MOST_OF_LIST else None


# Characters of a list of columns that is ready to paste.
_MOST_OF_LIST = 600

OPTIONS = Advice(
    row="row",
    text=Columns.text,
    as_list=Columns.as_list,
    listed="the columns of numbers: --columns ",
    others="choose other columns with --columns",
    numeric="choose the numeric columns with --columns",
    instead="; say with --columns which to read instead",
    by_number="choose the columns by number, as in --columns 1,2",
    fewer="choose those to read with --columns",
    header="say --header yes or --header no",
    no_header="leave out --header no",
    delimiter="say with --delimiter what separates the fields",
    other_delimiter="give it with --delimiter",
)

ARGUMENTS = Advice(
    row="line",
    text=lambda columns, index: column_label(index, columns.names or None),
    as_list=_names_or_numbers,
    listed="the columns of numbers: columns=",
    others="choose other columns with CsvSource(path, columns=[...])",
    numeric="choose the numeric columns with CsvSource(path, columns=[...])",
    instead="; say with CsvSource(paths, columns=[...]) which to read instead",
    by_number="write them with distinct names",
    fewer="choose those to read with CsvSource(paths, columns=[...])",
    header="pass CsvSource(path, header=True) or CsvSource(path, header=False)",
    no_header="leave out header=False",
    delimiter="say with CsvSource(path, delimiter=...) what separates the fields",
    other_delimiter="give it with CsvSource(path, delimiter=...)",
)
