"""Parquet files, read with pyarrow a batch of rows at a time: one as a table, or many as one.

A table is one file, whose faults are told with row and column. A data set is many files in their
order, which pyarrow scans ahead of its reader.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..._common.text import said, shown
from ..._common.typing import AnyArray, FloatDType, Floats
from ..errors import TableError
from ..paths import files_of, require_regular
from .base import MISSING_REMEDY, AsTheyStand, Table
from .formats import PARQUET_ENDINGS

# Read at a time of each column.
BUFFER_BYTES = 1 << 18
# Rows whose columns are laid side by side at a time.
CACHE_BYTES = 1 << 19
# Of columns as they stand, read at a time, by what they take in the file before compression.
KEPT_BYTES = 16 << 20


def import_pyarrow(path: str) -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet, or raise a `TableError` that says how to.

    Versions before 14.0.1 run code from a malicious file (CVE-2023-47248).
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise TableError(
            f"{path}: Parquet files need pyarrow; install it with: pip install 'gaussmix[parquet]'"
        ) from exc
    version = tuple(int(part) for part in pyarrow.__version__.split(".")[:3] if part.isdigit())
    if version < (14, 0, 1):
        raise TableError(
            f"{path}: Parquet files need pyarrow 14.0.1 or newer, not {pyarrow.__version__}; "
            f"upgrade it with: pip install --upgrade pyarrow"
        )
    return pyarrow, pyarrow.parquet


def holds_numbers(kind: Any) -> bool:
    """Whether a column of this Arrow type holds numbers."""
    from pyarrow import types

    tests = types.is_integer, types.is_floating, types.is_decimal, types.is_boolean
    return any(test(kind) for test in tests)


def holds_text(kind: Any) -> bool:
    """Whether a column of this Arrow type holds text, be it by numbers of a dictionary."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = types.is_string, types.is_large_string, types.is_binary, types.is_large_binary
    return any(test(kind) for test in tests)


def require_all_rows(where: str, n_read: int, n_rows: int) -> None:
    """Raise where another number of rows was read than the files' indices say.

    Of a file that was cut since it was opened pyarrow gives the rows before the cut, and no error.
    """
    if n_read != n_rows:
        raise TableError(
            f"{where}: {n_read:,} rows were read, and the index says {n_rows:,}: the file has "
            "changed since it was opened, or is damaged"
        )


class ParquetTable(Table):
    """A Parquet file, read with pyarrow a batch of rows at a time. Needs the ``parquet`` extra."""

    def __init__(self, path: str) -> None:
        self._pa, parquet = import_pyarrow(path)
        self.path = path
        require_regular(path)
        # A file, not the path: pyarrow takes some paths for addresses of remote stores. Its own
        # kind of file reads without holding the interpreter's lock.
        self._file = self._pa.OSFile(path)
        try:
            # Through a buffer: else a whole row group is read at once, whatever its size, and
            # what is read in advance stays in memory until the last row.
            self._parquet = parquet.ParquetFile(
                self._file, buffer_size=BUFFER_BYTES, pre_buffer=False
            )
            self._schema = self._parquet.schema_arrow
        except (self._pa.ArrowException, OSError) as exc:
            self._file.close()
            raise TableError(f"{path}: not a readable Parquet file: {said(exc)}") from exc
        self.names = tuple(self._schema.names)
        self.n_columns = len(self.names)
        try:
            self._require_distinct_names()
        except TableError:
            self._file.close()
            raise
        self.types = ", ".join(map(str, self._schema.types))
        self.n_rows = self.size = self._parquet.metadata.num_rows

    def close(self) -> None:
        self._file.close()

    def dtype(self, columns: Sequence[int]) -> FloatDType:
        single = all(self._pa.types.is_float32(self._schema.field(i).type) for i in columns)
        return np.dtype(np.float32 if single else np.float64)

    def type_of(self, column: int) -> Any:
        return self._schema.field(column).type

    def records(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        max_rows: int,
        *,
        allow_nan: bool = False,
    ) -> Iterator[tuple[Floats, AsTheyStand]]:
        self._require_numbers(columns, allow_nan)
        names = [self._schema.names[index] for index in columns]
        others_names = [self._schema.names[index] for index in others]
        read = list(dict.fromkeys([*names, *others_names]))
        max_rows = self._few_enough(others_names, max_rows)
        dtype = self.dtype(columns)
        first_row = 1
        try:
            for batch in self._parquet.iter_batches(batch_size=max_rows, columns=read):
                batch.validate(full=True)
                parts = []
                for position, name in enumerate(names):
                    values = batch.column(batch.schema.get_field_index(name))
                    if not allow_nan:
                        self._require_no_null(values, first_row, columns[position])
                    numbers = values.cast(self._pa.from_numpy_dtype(dtype), safe=False)
                    parts.append(numbers.to_numpy(zero_copy_only=False))
                block = _side_by_side(parts, dtype)
                self._require_finite(block, first_row, columns, allow_nan)
                first_row += len(block)
                self.position = first_row - 1
                yield block, [batch.column(name) for name in others_names]
        except (self._pa.ArrowException, OSError) as exc:
            raise TableError(f"{self.path}: cannot read the Parquet data: {said(exc)}") from exc
        require_all_rows(self.path, first_row - 1, self.size)

    def _few_enough(self, names: Sequence[str], most: int) -> int:
        """So many rows that these columns, long texts perhaps, take no more than `KEPT_BYTES`."""
        metadata, wanted, most_bytes = self._parquet.metadata, set(names), 0
        for number in range(metadata.num_row_groups if names else 0):
            group = metadata.row_group(number)
            chunks = [group.column(i) for i in range(group.num_columns)]
            size = sum(
                chunk.total_uncompressed_size
                for chunk in chunks
                if chunk.path_in_schema in wanted or chunk.path_in_schema.split(".")[0] in wanted
            )
            most_bytes = max(most_bytes, -(-size // max(1, group.num_rows)))
        return max(1, min(most, KEPT_BYTES // max(1, most_bytes)))

    def _require_distinct_names(self) -> None:
        if not self.names:
            raise TableError(f"{self.path}: the file has no columns")
        name, repeats = Counter(self.names).most_common(1)[0]
        if repeats > 1:
            raise TableError(
                f"{self.path}: {repeats} columns are named {shown(name)}; Parquet columns are "
                f"read by name, so write the file with distinct names"
            )

    def _require_numbers(self, columns: Sequence[int], allow_nan: bool) -> None:
        for index in columns:
            if not self._is_numeric(index, allow_nan):
                kind = self._schema.field(index).type
                which = self.numeric_columns(lambda other: self._is_numeric(other, allow_nan))
                advice = self.advice
                raise TableError(
                    f"{self.path}: {self.column_text(index)}: holds {kind}, not numbers; "
                    + (advice.numeric if which is None else f"choose {advice.listed}{which}")
                )

    def _is_numeric(self, index: int, allow_nan: bool) -> bool:
        kind = self._schema.field(index).type
        return holds_numbers(kind) or (allow_nan and self._pa.types.is_null(kind))

    def _require_no_null(self, values: Any, first_row: int, column: int) -> None:
        if values.null_count:
            row = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise TableError(
                f"{self.path}: row {first_row + row}, {self.column_text(column)}: "
                f"missing value (null); {MISSING_REMEDY}"
            )


def has_text(kind: Any) -> bool:
    """Whether values of a pyarrow type can be written as text: not lists, structures and bytes."""
    import pyarrow

    types = pyarrow.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return False
    try:
        texts_of(pyarrow.array([], kind))
    except pyarrow.ArrowException:
        return False
    return True


def texts_of(values: Any) -> list[str]:
    """The text of each value of one of pyarrow's arrays, empty for a null."""
    import pyarrow

    if pyarrow.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    texts: list[str] = values.cast(pyarrow.string()).fill_null("").to_pylist()
    return texts


def _side_by_side(columns: Sequence[AnyArray], dtype: FloatDType) -> Floats:
    """Columns as an array of rows, so few at a time that they stay in cache meanwhile."""
    rows = np.empty((len(columns[0]), len(columns)), dtype)
    step = max(64, CACHE_BYTES // (len(columns) * dtype.itemsize))
    for start in range(0, len(rows), step):
        for position, column in enumerate(columns):
            rows[start : start + step, position] = column[start : start + step]
    return rows


def open_dataset(paths: Sequence[str]) -> Any:
    """One data set of files, directories and patterns, in their order."""
    files: list[str] = []
    for path in paths:
        files += files_of(path, PARQUET_ENDINGS)
        require_regular(files[-1])
    if not files:
        raise TableError("paths is empty; give at least one Parquet file")
    arrow, _parquet = import_pyarrow(paths[0])
    from pyarrow.dataset import ParquetFileFormat, ParquetFragmentScanOptions, dataset
    from pyarrow.fs import LocalFileSystem

    # What pyarrow reads in advance stays in memory until the last row of a file.
    options = ParquetFragmentScanOptions(
        pre_buffer=False, use_buffered_stream=True, buffer_size=BUFFER_BYTES
    )
    parquet = ParquetFileFormat(default_fragment_scan_options=options)
    try:
        # Without a file system pyarrow takes some names for addresses of remote stores.
        whole = [os.path.join(os.getcwd(), file) for file in files]
        return dataset(whole, format=parquet, filesystem=LocalFileSystem())
    except (arrow.ArrowException, OSError) as error:
        what = said(error)
        raise TableError(f"{files[0]}: not a readable Parquet file: {what}") from error


def known_rows(dataset: Any) -> int | None:
    """How many rows a data set has, where its files tell without being read."""
    is_parquet = type(getattr(dataset, "format", None)).__name__ == "ParquetFileFormat"
    return int(dataset.count_rows()) if is_parquet else None


def agreeing(data: Any, columns: list[str], *, and_no_other: bool) -> Any:
    """The data set with types that hold the numbers of all its files; they must have the columns.

    Left to itself pyarrow fills a column that a file lacks with nulls, leaves out what the first
    file does not have, and refuses fractions where the first file has whole numbers.
    """
    first, common = "", data.schema
    seen: list[Any] = []
    for fragment in data.get_fragments():
        path, schema = fragment.path, _schema_of(fragment)
        first = first or path
        if any(schema.equals(other) for other in seen):
            continue
        seen.append(schema)
        for name in columns:
            if name not in schema.names:
                raise TableError(
                    f"{path}: no column named {shown(name)}, which {first} has; all files need "
                    "the same columns"
                )
            common = _widened(common, schema, name, path)
        extra = [name for name in schema.names if name not in columns]
        if and_no_other and extra:
            raise TableError(
                f"{path}: column {shown(extra[0])} is not in {first}; choose those to read "
                "with columns="
            )
    if common.equals(data.schema):
        return data
    from pyarrow.dataset import dataset

    return dataset(data.files, schema=common, format=data.format, filesystem=data.filesystem)


def _schema_of(fragment: Any) -> Any:
    """The columns of one file of a data set."""
    arrow, _parquet = import_pyarrow(fragment.path)
    try:
        return fragment.physical_schema
    except (arrow.ArrowException, OSError) as error:
        what = said(error)
        raise TableError(f"{fragment.path}: not a readable Parquet file: {what}") from error


def _widened(common: Any, schema: Any, name: str, path: str) -> Any:
    """The common schema, with a type for this column that holds the numbers of either."""
    arrow, _parquet = import_pyarrow(path)
    before, here = common.field(name), schema.field(name)
    try:
        both = arrow.unify_schemas(
            [arrow.schema([before]), arrow.schema([here])], promote_options="permissive"
        )
    except arrow.ArrowException as error:
        raise TableError(
            f"{path}: column {shown(name)} holds {said(here.type)}, but "
            f"{said(before.type)} in the files before it"
        ) from error
    return common.set(common.get_field_index(name), both.field(0))
