"""What to do about an argument that the parser refuses: what may have been meant."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence

from .._common.text import closest, plain, shown

# Options that take a list, whose items are separated by commas.
LISTS = ("--columns", "--exclude", "--na-values")

# What parameters are called in Python, where the options have names that are nothing like them.
_IN_PYTHON = {"--random-state": "--seed", "--sample-weight": "--weights"}


def remedied(message: str, given: Sequence[str], flags: Sequence[str], usage: str) -> str:
    """A message of argparse with what to do about it.

    Parameters
    ----------
    message : str
    given : sequence of str
        The words that were parsed.
    flags : sequence of str
        Those that the parser knows.
    usage : str
        The command with the arguments that are no options.
    """
    unknown = _unknown_flags(given, flags)
    if message.startswith("the following arguments are required") and unknown:
        # What was mistyped may be what is missing.
        message = f"unrecognized arguments: {' '.join(unknown)}"
    if message.startswith("unrecognized arguments"):
        left = message.partition(": ")[2].split()
        remedy = _meant_flag(unknown, flags) if unknown else spread_list(given, left)
        if not unknown and remedy is None:
            remedy = _joined_list(given)  # a column may have been taken for a file of DATA
    elif "invalid choice" in message:
        remedy = _meant_choice(message)
    elif "separated by commas" in message:
        remedy = _joined_list(given)
    elif "expected one argument" in message:
        remedy = _with_hyphen(message, given)
    elif "MODEL" in usage and re.search(r"required: .*\b(MODEL|DATA)\b", message):
        remedy = usage if "DATA" not in usage else f"the model comes first: {usage}"
    else:
        remedy = None
    return f"{message}; {remedy}" if remedy else message


def spread_list(given: Sequence[str], left: Sequence[str]) -> str | None:
    """What to do about words that follow a list after a space; None for others.

    Parameters
    ----------
    given : sequence of str
        The words of the command.
    left : sequence of str
        Those that it has no use for, the first of them first.
    """
    for start, (flag, first) in enumerate(itertools.pairwise(given), 2):
        if flag in LISTS and given[start : start + 1] == left[:1]:
            more = itertools.takewhile(lambda word: word in left, given[start:])
            words = [word.rstrip(",") for word in (first, *more)]
            return f"separate the items by commas, without spaces: {flag} {','.join(words)}"
    return None


def missing_file(path: str, given: Sequence[str]) -> str | None:
    """What to do about a file that is not there: an item of a list, or a name much like another.

    Parameters
    ----------
    path : str
    given : sequence of str
        The words of the command.
    """
    if remedy := spread_list(given, [path]):
        return remedy
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            meant = closest(name, (entry.name for entry in entries))
    except OSError:
        return None
    return None if meant is None else f"did you mean {os.path.join(folder, meant)}?"


def _joined_list(given: Sequence[str]) -> str | None:
    """What to do about a list that a word follows after a space, and no file is called so."""
    for flag, _, second in zip(given, given[1:], given[2:], strict=False):
        if flag in LISTS and second[:1] != "-" and not os.path.exists(second):
            return spread_list(given, [second])
    return None


def _unknown_flags(given: Sequence[str], flags: Sequence[str]) -> list[str]:
    words = [word.partition("=")[0] for word in given[: _end_of_flags(given)]]
    # Short ones may have their value behind them, and a number may begin with a hyphen.
    return [
        word
        for word in words
        if re.match(r"--?[A-Za-z]", word) and word not in flags and word[:2] not in flags
    ]


def _end_of_flags(given: Sequence[str]) -> int:
    return given.index("--") if "--" in given else len(given)


def _meant_flag(unknown: Sequence[str], flags: Sequence[str]) -> str | None:
    for word in unknown:
        dashed = word.lower().replace("_", "-")
        meant = dashed if dashed in flags else _IN_PYTHON.get(dashed)
        meant = meant if meant in flags else closest(word, flags)
        if meant is not None:
            return f"did you mean {meant}?"
    return None


def _meant_choice(message: str) -> str | None:
    match = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
    if match is None:
        return None
    meant = closest(match[1], re.findall(r"[^\s,']+", match[2]))
    return None if meant is None else f"did you mean {meant}?"


def _with_hyphen(message: str, given: Sequence[str]) -> str | None:
    """How to give an option a value that begins with a hyphen, which is read as an option."""
    for flag, value in itertools.pairwise(given):
        if re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", message) and value[:1] == "-":
            return f"write {flag}={shown(plain(value))} if that is its value"
    return None
