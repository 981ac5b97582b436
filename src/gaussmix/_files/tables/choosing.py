"""Which columns of a file the words of a list stand for, and a list of columns as such words."""

from __future__ import annotations

import csv
import fnmatch
import io
import shlex
from collections.abc import Sequence

from ..._common.text import closest, listed, plain, shown, shown_name
from ..errors import TableError

# Columns that a message lists.
MOST_COLUMNS = 20

# Places at which a range may be cut.
_MOST_COLONS = 10

# Characters of a list of columns that is ready to paste.
_MOST_OF_LIST = 600


class Columns:
    """The columns of a file, by their names and their numbers from 1.

    Parameters
    ----------
    path : str
        For messages.
    names : sequence of str or None
        None where the file has none.
    n_columns : int

    Attributes
    ----------
    names : tuple of str
        Empty where the file has none.
    """

    def __init__(self, path: str, names: Sequence[str] | None, n_columns: int) -> None:
        self._path = path
        self.names = () if names is None else tuple(names)
        self._n_columns = n_columns

    def text(self, index: int) -> str:
        """Name a column for a message: "column 2 ('waiting')", or "column 2" without a header."""
        return f"column {index + 1}" + (f" ({shown(self.names[index])})" if self.names else "")

    def chosen(self, words: Sequence[str]) -> list[int]:
        """The 0-based index of each column that the words stand for, each column once.

        A word is a name, a number from 1, a range of either, as "a:d" and "2:5", or a pattern of
        names as in a shell, "temp*". What comes first counts: in a file with a column named "3",
        or "a:d", that is meant.

        Raises
        ------
        TableError
            For a word that stands for no column, and a column that is named twice.
        """
        one, indices = set(), []
        self.refuse([word for word in words if not self._stands_for(word)])
        for word in words:
            if self._is_one(word):
                index = self.one(word)
                if index in one:
                    raise TableError(
                        f"{self._path}: {self.text(index)} is chosen twice; name it once"
                    )
                one.add(index)
                indices.append(index)
            else:
                indices += self._between(word) or self._matching(word)
        # What several ranges and patterns stand for is chosen once, where it comes first.
        return list(dict.fromkeys(indices))

    def one(self, word: str) -> int:
        """The 0-based index of a column that is given by name, or by number from 1."""
        if not self._is_one(word):
            self.refuse([word])
        if self.names.count(word) > 1:
            raise TableError(
                f"{self._path}: {self.names.count(word)} columns are named {shown(word)}; "
                "give the column's number instead"
            )
        return self.names.index(word) if word in self.names else int(word) - 1

    def refuse(self, missing: Sequence[str], remedy: str = "") -> None:
        """Raise `TableError` for words that stand for no column, if there are any."""
        if not missing:
            return
        noun = "column" if len(missing) == 1 else "columns"
        if all(word.isdigit() for word in missing):
            asked = f"{noun} {listed(missing, plain, MOST_COLUMNS)}"
        elif len(missing) == 1 and _is_pattern(missing[0]):
            asked = f"column that matches {shown(missing[0])}"
        else:
            asked = f"{noun} named {listed(missing, most=MOST_COLUMNS)}"
        if self.names:
            known = f"the columns are {listed(self.names, plain, MOST_COLUMNS)}"
        else:
            known = f"the file has columns 1 to {self._n_columns} and no header"
        meant = closest(missing[0], self.names) if len(missing) == 1 else None
        if meant is not None:
            known = f"did you mean {shown_name(meant)}? T{known[1:]}"
        raise TableError(f"{self._path}: no {asked}; {known}{remedy}")

    def as_list(self, indices: Sequence[int]) -> str | None:
        """Columns as words to paste after an option; None if that would be too long, or empty.

        By name, where there are not many and each has one of its own; else by number.
        """
        names = [self.names[index] for index in indices] if self.names else []
        # What begins with a hyphen would be taken for an option, and blanks at the ends go.
        usable = all(self.names.count(name) == 1 and name.strip() == name for name in names)
        usable = usable and all(names) and not names[0].startswith("-") if names else False
        if usable and len(names) <= MOST_COLUMNS:
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(names)
            text = shlex.quote(line.getvalue())
        else:
            text = ",".join(_in_ranges(indices))
        return text if text and text.isprintable() and len(text) <= _MOST_OF_LIST else None

    def _stands_for(self, word: str) -> bool:
        return self._is_one(word) or bool(self._between(word) or self._matching(word))

    def _is_one(self, word: str) -> bool:
        # More digits than the number of columns has are none of them, and may be very many.
        most = len(str(self._n_columns))
        is_whole = word.isascii() and word.isdigit() and len(word) <= most
        return word in self.names or (is_whole and 1 <= int(word) <= self._n_columns)

    def _between(self, word: str) -> list[int]:
        """The columns of a range, with both ends; none if the word is no range of columns."""
        parts = word.split(":")
        for k in range(1, min(len(parts), _MOST_COLONS + 1)):  # a name may have colons
            ends = ":".join(parts[:k]).strip(), ":".join(parts[k:]).strip()
            if all(map(self._is_one, ends)):
                first, last = map(self.one, ends)
                if first > last:
                    raise TableError(
                        f"{self._path}: the range {shown(word)} ends before it begins, as "
                        f"{self.text(last)} comes first; write {plain(ends[1])}:{plain(ends[0])}"
                    )
                return list(range(first, last + 1))
        return []

    def _matching(self, word: str) -> list[int]:
        """The columns whose names match a pattern; none if the word is no pattern."""
        if not _is_pattern(word):
            return []
        return [i for i, name in enumerate(self.names) if fnmatch.fnmatchcase(name, word)]


def _is_pattern(word: str) -> bool:
    return any(character in word for character in "*?[")


def _in_ranges(indices: Sequence[int]) -> list[str]:
    """Numbers from 1, those that follow one another as "2:5"."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return [f"{a + 1}:{b + 1}" if a < b else f"{a + 1}" for a, b in runs]
