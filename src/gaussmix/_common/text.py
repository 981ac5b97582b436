"""How values, names and lists appear in messages: on one line, in bounded length.

Names of columns come from files, and a value may be anything: a number of a thousand digits, an
array, a text with the codes that colour or clear a terminal. A message shows the beginning of what
is long, says how much more there is, and spells out what a terminal would obey.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

from .typing import ColumnNames

# Entries of a list that a message names.
MOST_LISTED = 5

# Characters that a message shows of a value, of a name, and of another message.
VALUE_LENGTH = 60
NAME_LENGTH = 40
SAID_LENGTH = 200

# Whole numbers of more digits are told by their number of digits.
_MOST_DIGITS = 40

# The class that messages speak of where they are not told another.
ESTIMATOR = "GaussianMixture"

Item = TypeVar("Item")


class _Shortened(reprlib.Repr):
    """`repr` that looks at the beginning of what is large, and never raises."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = most
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdict = self.maxarray = 20
        self.maxset = self.maxfrozenset = self.maxdeque = 20

    def repr_int(self, value: int, level: int) -> str:
        if abs(value) < 10**_MOST_DIGITS:
            return repr(value)
        # The interpreter refuses to write out thousands of digits.
        digits = int(value.bit_length() * 0.30102999566398120) + 1
        return f"an int of about {digits:,} digits"

    def repr_str(self, text: str, level: int) -> str:
        return repr(_cut(text, self.maxstring))

    def repr_instance(self, value: Any, level: int) -> str:
        try:
            return repr(value)
        except Exception:  # whatever a class of the user's raises
            return f"an object of type {type(value).__name__}"


def shown(value: Any, most: int = VALUE_LENGTH) -> str:
    """`repr` of any value, in about so many characters.

    Examples
    --------
    >>> shown([1, "two"])
    "[1, 'two']"
    >>> shown("red: \\x1b[31m")
    "'red: \\\\x1b[31m'"
    >>> shown(10**400)
    'an int of about 401 digits'
    """
    text = re.sub(r"\s*\n\s*", " ", _Shortened(most).repr(value))
    # A string that is as long as it may be has quotes and escapes besides.
    return plain(text, most if not isinstance(value, str) else 4 * most)


def said(something: object) -> str:
    """What an exception of another library says, or the name of a type: on one line, shortened.

    Examples
    --------
    >>> said(ValueError("no number:\\n  'x'"))
    "no number: 'x'"
    """
    return plain(" ".join(str(something).split()), SAID_LENGTH)


def plain(text: str, most: int = NAME_LENGTH) -> str:
    """A text in about so many characters, with what is not printable written as in source code.

    Examples
    --------
    >>> plain("width")
    'width'
    >>> plain("a\\x1bb\\n")
    'a\\\\x1bb\\\\n'
    >>> plain("x" * 100, 10)
    'xxxxxxx...'
    """
    return printable(_cut(text, most))


def printable(text: str) -> str:
    r"""The whole text, with characters that control a terminal or are invisible as in ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(
    items: Sequence[Item] | Iterable[Item],
    show: Callable[[Item], str] = shown,
    most: int = MOST_LISTED,
    *,
    n_items: int | None = None,
    separator: str = ", ",
) -> str:
    """The first of some items, and how many more there are.

    Parameters
    ----------
    items : sequence, or iterable of `n_items`
    show : callable, default=shown
        Makes a text of an item.
    most : int
        Items that are named.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    >>> listed(range(1000), most=3)
    '0, 1, 2 and 997 more'
    """
    n_items = len(items) if n_items is None else n_items  # type: ignore[arg-type]
    text = separator.join(map(show, islice(items, most)))
    return text if n_items <= most else f"{text} and {n_items - most:,} more"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "column"), counted(1000, "column")
    ('1 column', '1,000 columns')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# A longer word is none that somebody mistyped, and comparing takes the square of its length.
_LONGEST_TYPED = 100
_MOST_COMPARED = 5000


def closest(word: str, known: Iterable[str]) -> str | None:
    """The word of those known that somebody may have meant; None where none is like it.

    Examples
    --------
    >>> closest("Waitng", ["eruptions", "waiting"])
    'waiting'
    """
    from difflib import get_close_matches  # for a message that is rarely needed

    if len(word) > _LONGEST_TYPED:
        return None
    alike = {
        name.lower().replace("_", "-"): name
        for name in islice(known, _MOST_COMPARED)
        if len(name) <= _LONGEST_TYPED
    }
    found = get_close_matches(word.lower().replace("_", "-"), alike, n=1)
    return alike[found[0]] if found else None


def did_you_mean(word: Any, known: Iterable[Any]) -> str:
    """A sentence, after a space, on a word that is not known; "" where none is like it.

    Examples
    --------
    >>> did_you_mean("waitng", ["eruptions", "waiting"])
    " Did you mean 'waiting'?"
    """
    texts = (name for name in known if isinstance(name, str))
    meant = closest(word, texts) if isinstance(word, str) else None
    return "" if meant is None else f" Did you mean {shown_name(meant)}?"


def column_label(column: int, names: ColumnNames | None) -> str:
    """`column 1 ('waiting')`, or `column 1` for unnamed columns."""
    if names is None or column >= len(names):
        return f"column {column}"
    return f"column {column} ({shown_name(names[column])})"


def column_labels(
    columns: Sequence[int], names: ColumnNames | None, most: int = MOST_LISTED
) -> str:
    """`column_label` of some columns."""
    return listed(columns, lambda column: column_label(column, names), most)


def shown_name(name: Any) -> str:
    return shown(name, NAME_LENGTH)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
