"""A table of numbers in a file, whatever its format: its columns, and rows a block at a time.

Rows and columns in messages count from 1. In a CSV file the row is the line number, header
included, so that an editor finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..._common.text import shown
from ..._common.typing import FloatDType, Floats
from ..errors import TableError
from .advice import OPTIONS, Advice
from .choosing import Columns

# What to do about a value that is missing, or infinite, in the words of the command line, which
# alone has such values refused here.
REMEDY = f"leave the row out or fill it in, or {OPTIONS.others}"
MISSING_REMEDY = (
    "leave the row out or fill it in, choose other columns with --columns, or fit with --allow-nan"
)

# Columns as they stand in a file: arrays of text or of numbers, or pyarrow's of any type.
AsTheyStand = list[Any]


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
    advised : sequence of int
        Columns among which messages advise to choose those that hold numbers; none where there is
        no choice, as a model needs those that it was fitted to.
    advice : Advice
        The words of messages.
    """

    path: str
    names: tuple[str, ...] | None = None
    n_columns: int
    n_rows: int | None = None
    types = ""
    size: int
    unit = "row"
    position = 0
    advised: Sequence[int] = ()
    advice: Advice = OPTIONS

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

    @property
    def columns(self) -> Columns:
        """The columns, to be chosen and named."""
        return Columns(self.path, self.names, self.n_columns)

    def resolve_names(self, wanted: Sequence[str]) -> list[int]:
        """Return the 0-based index of each column, given by name only.

        The same names in the same order are all columns, even where a name is repeated.
        """
        names = self.names or ()
        if tuple(wanted) == names:
            return list(range(self.n_columns))
        self.columns.refuse([name for name in wanted if name not in names], self.advice.instead)
        for name in wanted:
            if names.count(name) > 1 or wanted.count(name) > 1:
                raise TableError(
                    f"{self.path}: more than one column is named {shown(name)}, in the file or "
                    f"in the model; {self.advice.by_number}"
                )
        return [names.index(name) for name in wanted]

    def column_text(self, index: int) -> str:
        """Name a column for a message: "column 2 ('waiting')", or "column 2" without a header."""
        return self.advice.text(self.columns, index)

    def numeric_columns(self, numeric: Callable[[int], bool]) -> str | None:
        """The columns that messages advise to choose and that hold numbers, ready to paste.

        None where none is left, or all are.
        """
        found = [index for index in self.advised if numeric(index)]
        if len(found) == len(self.advised):
            return None
        return self.advice.as_list(self.columns, found)

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
