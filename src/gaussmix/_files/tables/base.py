"""A table of numbers in a file, whatever its format: its columns, and rows a block at a time.

Rows and columns in messages count from 1. In a CSV file the row is the line number, header
included, so that an editor finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..._common.text import listed, plain, shown
from ..._common.typing import FloatDType, Floats
from ..errors import TableError

# What to do about a value that is infinite, and one that is missing.
REMEDY = "leave the row out or fill it in, or choose other columns with --columns"
MISSING_REMEDY = (
    "leave the row out or fill it in, choose other columns with --columns, or fit with --allow-nan"
)

# Columns as they stand in a file: arrays of text or of numbers, or pyarrow's of any type.
AsTheyStand = list[Any]

# Columns that a message lists.
MOST_COLUMNS = 20


class Table:
    """A file of rows and columns. Use `opening.open_table`.

    Attributes
    ----------
    path : str
        As the user wrote it.
    names : tuple of str or None
        Column names, None if the file has none.
    n_columns : int
    n_rows : int or None
        None if only reading to the end would tell.
    types : str
        What the file says of the types of its columns and how they lie.
    size, unit : int, str
        What progress is measured in: rows ("row"), or bytes ("B") when the rows are not known.
    position : int
        How much of `size` the blocks yielded so far have used.
    """

    path: str
    names: tuple[str, ...] | None = None
    n_columns: int
    n_rows: int | None = None
    types = ""
    size: int
    unit = "row"
    position = 0

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        """Floating-point type of these columns: float32 if the file stores that, else float64."""
        return np.dtype(np.float64)

    def blocks(
        self, columns: Sequence[int], max_rows: int, *, allow_nan: bool = False
    ) -> Iterator[Floats]:
        """Yield rows in order, as (n, len(columns)) arrays of finite numbers, n <= max_rows.

        With `allow_nan`, NaN stands for missing values.
        """
        for numbers, _others in self.records(columns, (), max_rows, allow_nan=allow_nan):
            yield numbers

    def records(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        max_rows: int,
        *,
        allow_nan: bool = False,
    ) -> Iterator[tuple[Floats, AsTheyStand]]:
        """Yield what `blocks` does, and other columns of the same rows as they stand in the file.

        These are text or anything else: the text of CSV, arrays of a ``.npy`` file's type, and
        pyarrow's arrays of Parquet.
        """
        raise NotImplementedError

    def type_of(self, column: int) -> Any:
        """The type in which `records` gives a column as it stands: NumPy's, or pyarrow's."""
        raise NotImplementedError

    def resolve(self, wanted: Sequence[str]) -> list[int]:
        """Return the 0-based index of each column, given by name or by number from 1.

        A name comes first: in a file with a column named "3", "3" is that column.
        """
        names = self.names or ()
        self._refuse([w for w in wanted if w not in names and not self._is_number(w)])
        for name in wanted:
            if names.count(name) > 1:
                raise TableError(
                    f"{self.path}: {names.count(name)} columns are named {shown(name)}; "
                    f"give the column's number instead"
                )
        indices = [names.index(w) if w in names else int(w) - 1 for w in wanted]
        for position, index in enumerate(indices):
            if index in indices[:position]:
                raise TableError(f"{self.path}: {self.column_text(index)} is chosen twice")
        return indices

    def resolve_names(self, wanted: Sequence[str]) -> list[int]:
        """Return the 0-based index of each column, given by name only.

        The same names in the same order are all columns, even where a name is repeated.
        """
        names = self.names or ()
        if tuple(wanted) == names:
            return list(range(self.n_columns))
        self._refuse([name for name in wanted if name not in names])
        for name in wanted:
            if names.count(name) > 1 or wanted.count(name) > 1:
                raise TableError(
                    f"{self.path}: more than one column is named {shown(name)}, in the file or "
                    f"in the model; choose the columns by number, as in --columns 1,2"
                )
        return [names.index(name) for name in wanted]

    def column_text(self, index: int) -> str:
        """Name a column for a message: "column 2 ('waiting')", or "column 2" without a header."""
        name = f" ({shown(self.names[index])})" if self.names else ""
        return f"column {index + 1}{name}"

    def _is_number(self, text: str) -> bool:
        # More digits than the number of columns has are none of them, and may be very many.
        most = len(str(self.n_columns))
        is_whole = text.isascii() and text.isdigit() and len(text) <= most
        return is_whole and 1 <= int(text) <= self.n_columns

    def _refuse(self, missing: Sequence[str]) -> None:
        if not missing:
            return
        if self.names:
            known = f"the columns are {listed(self.names, plain, MOST_COLUMNS)}"
        else:
            known = f"the file has columns 1 to {self.n_columns} and no header"
        noun = "column" if len(missing) == 1 else "columns"
        if all(word.isdigit() for word in missing):
            asked = listed(missing, plain, MOST_COLUMNS)
        else:
            asked = f"named {listed(missing, most=MOST_COLUMNS)}"
        raise TableError(f"{self.path}: no {noun} {asked}; {known}")

    def _require_finite(
        self, block: Floats, first_row: int, columns: Sequence[int], allow_nan: bool
    ) -> None:
        # One cheap number tells for nearly every block that nothing is wrong with it; a sum of
        # finite values that overflows only costs the second look.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum()):
                return
        bad = np.argwhere(np.isinf(block) if allow_nan else ~np.isfinite(block))
        if len(bad):
            row, column = bad[0]
            raise TableError(
                f"{self.path}: row {first_row + row}, {self.column_text(columns[column])}: "
                + (
                    f"missing value (NaN); {MISSING_REMEDY}"
                    if np.isnan(block[row, column])
                    else f"infinite value; {REMEDY}"
                )
            )


def gathered(
    blocks: Iterable[Floats],
    shape: tuple[int | None, int],
    dtype: FloatDType,
    limit: int | None,
) -> Floats | None:
    """One array of all blocks, which grows in place; None if it gets more than `limit` rows.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n, d)
    shape : tuple
        Rows of the result, None where they are not known, and columns.
    dtype : dtype
    limit : int or None
    """
    n_rows, n_columns = shape
    rows = np.empty((1024 if n_rows is None else n_rows, n_columns), dtype)
    used = 0
    for block in blocks:
        if limit is not None and used + len(block) > limit:
            return None
        if used + len(block) > len(rows):
            rows.resize((used + len(block) + len(rows) // 2, n_columns), refcheck=False)
        rows[used : used + len(block)] = block
        used += len(block)
    rows.resize((used, n_columns), refcheck=False)
    return rows
