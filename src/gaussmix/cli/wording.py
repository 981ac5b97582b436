"""The library's messages in the words of the command line.

The library sees an array: it counts the columns from 0 and does not know their names. It also
advises in the parameters of the class, which are options here, and calls the rows X.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator

from .._common.settings import SETTINGS
from .._files.errors import TableError
from .._rows.sources.tables import Tables
from .messages import say


@contextlib.contextmanager
def naming_columns(tables: Tables) -> Iterator[None]:
    """Let the library's messages speak of the columns of these files."""

    def translate(message: str) -> str:
        message = in_options(message)
        message = message.replace("pass X as", "store the columns as")
        message = re.sub(r"\bX\b", "the table", message)
        return f"{tables}: " + re.sub(
            r"\bcolumn (\d+)\b", lambda match: tables.column_text(int(match[1])), message
        )

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except TableError:
            raise  # it names the file already
        except ValueError as exc:
            raise TableError(translate(str(exc))) from exc
    for warning in caught:
        say(f"warning: {translate(str(warning.message))}")


def in_options(message: str) -> str:
    """A message of the library with options in place of the class's parameters."""
    names = [name for name, setting in SETTINGS.items() if setting.option]
    return re.sub(
        rf"\b({'|'.join([*names, 'sample_weight'])})\b"
        r"(?:=([\"']?)([\w+-]+(?:\.[\w+-]+)?)\2)?",
        _as_option,
        message,
    )


def _as_option(match: re.Match[str]) -> str:
    """Write ``reg_covar`` as ``--reg-covar``, and ``name="value"`` as ``--name value``."""
    name, _, value = match.groups()
    option = "--weights" if name == "sample_weight" else f"--{name.replace('_', '-')}"
    return option if value in (None, "True") else f"{option} {value}"
