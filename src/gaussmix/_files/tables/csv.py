"""Tables in delimited text, read a block of lines at a time.

NumPy's reader takes blocks without quotes and faults, and Python's ``csv`` the others, of which it
finds what is wrong, and where.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..._common.text import counted, said, shown
from ..._common.typing import Doubles, Floats
from ..errors import TableError
from .advice import OPTIONS, Advice
from .base import MISSING_REMEDY, AsTheyStand, Table
from .compressed import Decompressed
from .lines import Lines
from .missing import MissingWords, read_number

# Before the names in the header that numpy.savetxt writes. A column may be named "#" alone.
HEADER_MARK = re.compile(r"#+ *(?=[^\s,;|#])")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}


class CsvTable(Table):
    """Delimited text with or without a header, quotes as in RFC 4180.

    Parameters
    ----------
    path : str
        "-" for standard input, which is not closed.
    file : file of bytes
    header : {"auto", "yes", "no"}
    delimiter : str
        A character, a name from `DELIMITERS`, or "auto".
    na_values : sequence of str
        Words that stand for a missing value, beside those that are known to.
    advice : Advice
        The words of messages.
    """

    unit = "B"

    def __init__(
        self,
        path: str,
        file: io.BufferedIOBase,
        header: str,
        delimiter: str,
        na_values: Sequence[str] = (),
        advice: Advice = OPTIONS,
    ) -> None:
        self.path = path
        self.advice = advice
        self._file = file
        self._missing = MissingWords(na_values)
        self._header = header
        self._line = 1  # number of the first line that no block has held yet
        try:
            self.size = self._size_of(file)
            self._lines = Lines(path, file)
            self._skip_empty_lines()
            header = self._skip_mark(header)
            self._delimiter = self._find_delimiter(delimiter)
            self._read_header(header)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.path != "-":  # standard input is not ours to close
            self._file.close()

    def type_of(self, column: int) -> np.dtype[Any]:
        return np.dtype(object)

    def text_columns(self) -> list[int]:
        """The columns that begin with text, before any row is read.

        A number with a decimal comma, or several that another delimiter would cut, are none: there
        is something better to say of those.
        """
        return [
            column
            for column, field in enumerate(self._first_row())
            if self._is_text(field)
            and not (_has_decimal_comma(field) or self._holds_other_delimiter(field))
        ]

    def records(
        self,
        columns: Sequence[int],
        others: Sequence[int],
        max_rows: int,
        *,
        allow_nan: bool = False,
    ) -> Iterator[tuple[Floats, AsTheyStand]]:
        while text := self._lines.block():
            block, fields = self._parse(text, list(columns), list(others), allow_nan)
            self.position = self._lines.bytes_read
            for start in range(0, len(block), max_rows):
                rows = slice(start, start + max_rows)
                yield block[rows], [field[rows] for field in fields]

    @staticmethod
    def _size_of(file: io.BufferedIOBase) -> int:
        """The bytes that there are to read; 0 where only reading to the end would tell."""
        if isinstance(file, Decompressed):
            return 0
        status = os.fstat(file.fileno())
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    # The first lines

    def _skip_empty_lines(self) -> None:
        text = self._lines.block()
        first = text.lstrip("\n")
        if not first:
            raise TableError(f"{self.path}: the file is empty")
        self._line += len(text) - len(first)
        self._lines.give_back(first)

    def _skip_mark(self, header: str) -> str:
        """Skip a mark before column names; whether there is a header, now that this is known."""
        if header == "no" or not (mark := HEADER_MARK.match(self._lines.peek())):
            return header
        self._lines.give_back(self._lines.block()[mark.end() :])
        return "yes"

    def _find_delimiter(self, given: str) -> str:
        """Return the delimiter; a space stands for any run of spaces and tabs.

        The one that cuts most of the first lines into as many fields as the very first, more than
        one; among several, the one with most numbers in the last of these lines.
        """
        given = DELIMITERS.get(given, given)
        if given != "auto":
            if len(given) != 1 or given in '"\n\r.' or given.isalnum():
                raise TableError(
                    f"{self.path}: the delimiter {shown(given)} cannot be used; give one "
                    f"character, or one of {', '.join(DELIMITERS)}"
                )
            return given
        text = self._lines.peek()
        sample = [line for line in text[:65536].split("\n")[:20] if line.strip()]
        if len(text) > 65536 and len(sample) > 1:
            sample = sample[:-1]  # the last line may be cut
        best, highest = ",", (len(sample) / 2, math.inf)
        for candidate in ",\t;| ":
            rows = [_split_line(line, candidate) for line in sample]
            if rows and len(rows[0]) > 1:
                alike = sum(len(row) == len(rows[0]) for row in rows)
                numbers = sum(read_number(field) is not None for field in rows[-1])
                if (alike, numbers) > highest:
                    best, highest = candidate, (alike, numbers)
        return best

    def _read_header(self, header: str) -> None:
        """Set the number of columns and, if the first row is a header, the names."""
        first, text = self._next_record()
        second = _split_line(self._lines.peek().partition("\n")[0], self._delimiter)
        self.n_columns = len(first)
        if header == "yes" or (header == "auto" and self._looks_like_header(first, second)):
            self.names = tuple(field.strip() for field in first)
            self._line += text.count("\n")
        else:
            self._lines.give_back(text)

    def _next_record(self) -> tuple[list[str], str]:
        """The fields of the next record, and its text."""
        lines: list[str] = []

        def read() -> str:
            lines.append(self._lines.line())
            return lines[-1]

        if self._delimiter == " ":
            return read().split(), lines[0]
        try:
            record = next(csv.reader(iter(read, ""), delimiter=self._delimiter))
        except csv.Error as exc:
            raise self._csv_error(exc) from exc
        return record, "".join(lines)

    def _first_row(self) -> list[str]:
        """The fields of the first row that is no header, before any is read; none without rows."""
        if not self._lines.peek():
            return []
        record, text = self._next_record()
        self._lines.give_back(text)
        return record[: self.n_columns]

    def _is_text(self, field: str) -> bool:
        """Whether a field is neither a number nor stands for a missing value."""
        return read_number(field) is None and not self._missing.is_missing(field)

    def _looks_like_header(self, first: list[str], second: list[str]) -> bool:
        if not any(map(self._is_text, first)):
            return False
        if not any(read_number(field) is not None for field in first):
            return True
        # Numbers and text side by side, as in "id,2019,2020" or in a row of data with a label.
        for name, below in zip(first, second):
            if self._is_text(name) and not self._is_text(below):
                raise TableError(
                    f"{self.path}: cannot tell whether the first row is a header, it holds both "
                    f"numbers and text ({shown(name.strip())}); {self.advice.header}"
                )
        return False

    # Numbers

    def _parse(
        self, text: str, columns: list[int], others: list[int], allow_nan: bool
    ) -> tuple[Doubles, AsTheyStand]:
        """Numbers of some columns, and the text of others."""
        if '"' not in text:
            block = self._parse_quickly(text, columns, allow_nan)
            if block is None and allow_nan:
                text_with_nan = self._missing.with_nan(text, self._delimiter)
                block = self._parse_quickly(text_with_nan, columns, allow_nan)
            if block is not None:
                self._line += _count_lines(text)
                return block, self._fields(text, others)
        return self._parse_carefully(text, columns, others, allow_nan)

    def _fields(self, text: str, columns: list[int]) -> AsTheyStand:
        """The text of some columns of a block without quotes and faults."""
        if not columns:
            return []
        delimiter = None if self._delimiter == " " else self._delimiter
        cut = max(columns) + 1
        lines = text.removesuffix("\n").split("\n")
        records = (line.split(delimiter, cut) for line in lines)
        return _by_column([[record[c] for c in columns] for record in records], len(columns))

    def _parse_quickly(self, text: str, columns: list[int], allow_nan: bool) -> Doubles | None:
        """Parse a block without quotes by NumPy's reader; None if anything is wrong with it."""
        lines = text.removesuffix("\n").split("\n")
        all_columns = columns == list(range(self.n_columns))
        # The reader counts the fields of each line only where it is to return all of them.
        if not all_columns and not self._is_regular(lines):
            return None
        try:
            block = np.loadtxt(
                lines,
                delimiter=None if self._delimiter == " " else self._delimiter,
                usecols=None if all_columns else columns,
                comments=None,
                ndmin=2,
            )
        except ValueError:
            return None
        self._missing.as_nan(block)
        wrong = np.isinf(block) if allow_nan else ~np.isfinite(block)
        # It leaves out empty lines.
        return None if block.shape != (len(lines), len(columns)) or wrong.any() else block

    def _is_regular(self, lines: list[str]) -> bool:
        """Whether each of these lines, which hold no quotes, has as many fields as the first."""
        if self._delimiter == " ":
            return all(len(line.split()) == self.n_columns for line in lines)
        delimiters = {line.count(self._delimiter) for line in lines}
        return delimiters == {self.n_columns - 1}

    def _parse_carefully(
        self, text: str, columns: list[int], others: list[int], allow_nan: bool
    ) -> tuple[Doubles, AsTheyStand]:
        """Parse any block, a record at a time; raise `TableError` with row and column."""
        values: list[list[float]] = []
        fields: list[list[str]] = []
        before = self._line
        for record, last_line in self._records(text):
            line, self._line = self._line, before + last_line
            if len(record) != self.n_columns:
                if self.n_columns > 1 and not "".join(record).strip() and len(record) < 2:
                    continue  # an empty line
                raise TableError(
                    f"{self.path}: {self.advice.row} {line}: {counted(len(record), 'field')}, "
                    f"expected {self.n_columns} as in the first row; correct the row, or "
                    f"{self.advice.delimiter}"
                )
            numbers = [read_number(record[c]) for c in columns]
            found = [number for number in numbers if number is not None]
            if len(found) < len(numbers) or not self._missing.are_plain(found):
                found = [self._parse_field(record, line, c, allow_nan) for c in columns]
            values.append(found)
            fields.append([record[c] for c in others])
        rows = np.array(values, np.float64).reshape(-1, len(columns))
        return rows, _by_column(fields, len(others))

    def _parse_field(self, record: list[str], line: int, column: int, allow_nan: bool) -> float:
        field = record[column].strip()
        value = read_number(field)
        missing = self._missing.is_missing(field) or (value is not None and math.isnan(value))
        if missing and allow_nan:
            return math.nan
        if value is not None and math.isfinite(value) and not missing:
            return value
        text = shown(field)
        if not field:
            what = f"the field is empty; {MISSING_REMEDY}"
        elif missing:
            what = f"missing value ({text}); {MISSING_REMEDY}"
        elif value is not None:
            what = f"{text} is infinite or too large; leave the row out or fill it in, or "
            what += self.advice.others
        else:
            what = f"{text} is not a number"
            if _has_decimal_comma(field):
                what += "; decimal commas are not supported"
            elif self._holds_other_delimiter(field):
                what += "; if another character separates the fields, "
                what += self.advice.other_delimiter
            else:
                what += "; " + self._other_columns(record)
        where = f"{self.path}: {self.advice.row} {line}, {self.column_text(column)}"
        raise TableError(f"{where}: {what}")

    def _other_columns(self, record: list[str]) -> str:
        """What to do about a text in this row: choose the columns that have none there."""

        def numeric(column: int) -> bool:
            return read_number(record[column]) is not None or self._missing.is_missing(
                record[column]
            )

        if self._header == "no" and not any(map(numeric, range(self.n_columns))):
            return f"if this row holds the names of the columns, {self.advice.no_header}"
        which = self.numeric_columns(numeric)
        if which is None:
            return f"{self.advice.numeric}, or correct the row"
        return f"correct the row, or choose {self.advice.listed}{which}"

    def _holds_other_delimiter(self, field: str) -> bool:
        """Whether another delimiter would cut the field into numbers, as ";" does "5;2"."""
        others = [field.split(d, 100) for d in DELIMITERS.values() if d != self._delimiter]
        return any(len(o) > 1 and all(read_number(part) is not None for part in o) for o in others)

    def _records(self, text: str) -> Iterator[tuple[list[str], int]]:
        """Yield each record's fields and the last of its lines, counted from 1 within the text.

        Where the last record of the text does not end in it, the lines that follow are read.
        """
        if self._delimiter == " ":
            for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
                yield line.split(), number
            return
        n_lines = _count_lines(text)
        lines = itertools.chain(io.StringIO(text), iter(self._lines.line, ""))
        reader = csv.reader(lines, delimiter=self._delimiter)
        try:
            while reader.line_num < n_lines:
                yield next(reader) or [""], reader.line_num
        except csv.Error as exc:
            raise self._csv_error(exc) from exc

    def _csv_error(self, exc: csv.Error) -> TableError:
        """The exception for a record that the csv module refuses, which begins in this line."""
        what = said(exc)
        if "field limit" in what:
            limit = csv.field_size_limit()
            what = f"a field has more than {limit:,} characters; a quote may be missing"
        return TableError(f"{self.path}: {self.advice.row} {self._line}: {what}")


def _by_column(records: list[list[str]], n_columns: int) -> AsTheyStand:
    """The columns of records of so many fields, as arrays of text."""
    return list(np.array(records, dtype=object).reshape(len(records), n_columns).T)


def _has_decimal_comma(field: str) -> bool:
    return read_number(field.replace(",", ".", 1)) is not None


def _count_lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _split_line(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]
