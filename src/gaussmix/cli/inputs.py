"""The arguments of a command that name files: which they are, and which of their columns."""

from __future__ import annotations

from collections.abc import Sequence

from .._common.text import shown
from .._files import paths as file_paths
from .._files.errors import TableError
from .._files.tables.base import Table
from .._files.tables.formats import CSV_ENDINGS, PARQUET_ENDINGS
from ..exceptions import ModelFileError
from ..mixture import GaussianMixture, load

# What is read of a directory.
ENDINGS = (CSV_ENDINGS[0], ".npy", *PARQUET_ENDINGS, *CSV_ENDINGS[1:])


def files_of(data: Sequence[str]) -> list[str]:
    """The files that the arguments stand for, in their order.

    A directory stands for the files in it, at any depth, that end as tables do; a pattern for
    those that match. Names that begin with "." or "_" are left out, as markers and unfinished
    files have them.

    Raises
    ------
    TableError
        For a directory or a pattern without a file, and a pipe that is not alone.
    """
    files: list[str] = []
    for path in data:
        files += file_paths.files_of(path, ENDINGS)
    for path in files:
        if len(files) > 1 and file_paths.is_read_once(path):
            raise TableError(
                f"{path}: can be read only once, as a pipe; give it alone, or write it to a file"
            )
    return files


def chosen_columns(
    table: Table, columns: Sequence[str] | None, exclude: Sequence[str] | None
) -> list[int]:
    """The 0-based columns that --columns and --exclude say: all, where neither is given.

    Raises
    ------
    TableError
        For a column that the file does not have, and where none is left.
    """
    left_out = set(table.columns.chosen(exclude or ()))
    if columns is None:
        indices = list(range(table.n_columns))
    else:
        indices = table.columns.chosen(columns)
    chosen = [index for index in indices if index not in left_out]
    if not chosen:
        raise TableError(
            f"{table.path}: --exclude {shown(','.join(exclude or ()))} leaves no column; name "
            "fewer there"
        )
    return chosen


def load_model(path: str, command: str, data: Sequence[str] = ()) -> GaussianMixture:
    """The model in a file; the error says so where a model stands among the data.

    Parameters
    ----------
    path : str
    command : str
        How it is called, as "gaussmix score".
    data : sequence of str
        The other files of the command.
    """
    try:
        return load(path)
    except ModelFileError as error:
        if _begins_as_model(path) or not any(map(_begins_as_model, data)):
            raise
        raise TableError(f"{error} The model comes first: {command} MODEL DATA.") from error


def _begins_as_model(path: str) -> bool:
    """Whether this is a regular file that begins as models do."""
    try:
        with file_paths.open_regular(path) as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False
