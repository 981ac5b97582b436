"""The metadata of a model file: its text, its checks, and what earlier versions left out."""

from __future__ import annotations

import copy
import json
import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .._common.settings import SETTINGS
from .errors import Refusal
from .npz import Member, Reader, read_data

# With a new version comes a file of it, written by tests/files/models/make.py.
FORMAT_VERSION = 5

# Entries of the metadata that a format version brought, with what earlier files mean; of the
# constructor parameters `_common.settings.SETTINGS` says it.
_NEW_ENTRIES: dict[int, dict[str, Any]] = {3: {"collapses": []}, 4: {"n_samples_seen": 0}}
RUNNING_SINCE = 4

METADATA_KEYS = (
    "collapses",
    "converged",
    "feature_names",
    "format_version",
    "library_version",
    "n_iter",
    "n_samples_seen",
    "parameters",
)
METADATA_LIMIT = 16 * 2**20  # bytes; room for some 500,000 column names

# What the metadata may take as Python's objects, beside so many times the size of the file. Names
# of one letter take eight times what such a file holds for a column, records of collapses twelve
# times their text.
_OBJECTS_LIMIT = 64 * 2**10
_OBJECTS_PER_BYTE = 13

# Characters that are looked at at a time.
_BLOCK = 1 << 17

_LARGEST = float(np.finfo(np.float64).max)


def read_metadata(file: Reader, member: Member, file_size: int) -> dict[str, Any]:
    """The metadata, checked, as that of this format version."""
    if member.entry.name != "metadata" or member.dtype != "|u1" or len(member.shape) != 1:
        raise Refusal("it does not begin with the metadata of a gaussmix model")
    if member.shape[0] > METADATA_LIMIT:
        raise Refusal(
            f"its metadata has {member.shape[0]} bytes, and {METADATA_LIMIT} is the limit"
        )
    text = read_data(file, member).tobytes()
    if _object_bytes(text) > _OBJECTS_LIMIT + _OBJECTS_PER_BYTE * file_size:
        raise Refusal("its metadata is not as gaussmix writes it: it has too many parts")
    try:
        stored = json.loads(text.decode("ascii"))
        version = stored["format_version"]
        is_sound = _is_int(version, 1)
        if is_sound and version > FORMAT_VERSION:
            raise Refusal(
                f"it has format version {_shown(version)}, written by gaussmix "
                f"{_shown(str(stored.get('library_version')))[1:-1]}; this gaussmix reads "
                f"versions up to {FORMAT_VERSION}. Install a newer gaussmix"
            )
        is_sound = is_sound and set(stored) == _metadata_keys(version)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refusal(f"its metadata cannot be read: {_first_line(error)}") from error
    if is_sound:
        metadata = _brought_up_to_date(stored)
        check_metadata(metadata)
        # Not before the types are known: other values may be as large as text again.
        if _is_text_of(stored, text):
            return metadata
    raise Refusal("its metadata is not as gaussmix writes it")


def _is_int(value: Any, minimum: int) -> bool:
    return type(value) is int and minimum <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LARGEST


def _stored_parameters() -> list[str]:
    """The constructor parameters in the metadata: all that are no arrays."""
    return [name for name, setting in SETTINGS.items() if setting.stored]


def _is_parameter(name: str, value: Any) -> bool:
    setting = SETTINGS[name]
    return type(value) in setting.stored and setting.constraint[0](value)


_COLLAPSE: dict[str, Callable[[Any], bool]] = {
    "iteration": lambda value: _is_int(value, 0),
    "component": lambda value: _is_int(value, 0),
    "action": lambda value: value in ("reseed", "drop"),
    "columns": lambda value: type(value) is list and all(_is_int(column, 0) for column in value),
    "effective_rows": _is_number,
}


def _is_collapse(value: Any) -> bool:
    return (
        type(value) is dict
        and set(value) == set(_COLLAPSE)
        and all(is_valid(value[name]) for name, is_valid in _COLLAPSE.items())
    )


def _shown(value: Any) -> str:
    """A value of the metadata for a message, in some characters, however large and deep it is."""
    return reprlib.repr(value)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Check all that is not an array. The format version has been looked at."""
    if type(metadata["library_version"]) is not str:
        raise Refusal(
            f"library_version is {_shown(metadata['library_version'])}, and not a string"
        )
    if type(metadata["converged"]) is not bool:
        raise Refusal(f"converged is {_shown(metadata['converged'])}, and not True or False")
    if not _is_int(metadata["n_iter"], 0):
        raise Refusal(f"n_iter is {_shown(metadata['n_iter'])}, and not a number of iterations")
    seen = metadata["n_samples_seen"]
    if not _is_number(seen):
        raise Refusal(f"n_samples_seen is {_shown(seen)}, and not a weight of rows")
    collapses = metadata["collapses"]
    if type(collapses) is not list or not all(map(_is_collapse, collapses)):
        raise Refusal(f"collapses is not a list of entries with exactly {sorted(_COLLAPSE)}")
    names = metadata["feature_names"]
    if names is not None and not (
        type(names) is list and all(type(name) is str for name in names)
    ):
        raise Refusal("feature_names is not a list of strings")
    parameters = metadata["parameters"]
    if type(parameters) is not dict or set(parameters) != {*_stored_parameters()}:
        raise Refusal(f"its constructor parameters are not exactly {sorted(_stored_parameters())}")
    for name in _stored_parameters():
        if not _is_parameter(name, parameters[name]):
            value = _shown(parameters[name])
            raise Refusal(f"the constructor parameter {name} cannot be {value}")


def metadata_of(contents: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a model, with those constructor parameters that stand in it."""
    names = contents["feature_names"]
    return {
        "format_version": FORMAT_VERSION,
        "library_version": contents["library_version"],
        "parameters": parameters,
        "converged": plain(contents["converged"]),
        "n_iter": plain(contents["n_iter"]),
        "n_samples_seen": plain(contents["n_samples_seen"]),
        "collapses": contents["collapses"],
        "feature_names": None if names is None else [plain(name) for name in names],
    }


def plain(value: Any) -> Any:
    """A constructor parameter or another scalar as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    if isinstance(value, str):
        return str(value)
    return value


def metadata_pieces(metadata: Mapping[str, Any]) -> Iterator[bytes]:
    """The text of the metadata, in pieces that are small beside the whole."""
    for number, key in enumerate(sorted(metadata)):
        yield b"," if number else b"{"
        yield _json(key) + b":"
        value = metadata[key]
        if type(value) is not list:
            yield _json(value)
            continue
        for first in range(0, len(value), 1000):
            yield (b"," if first else b"[") + _json(value[first : first + 1000])[1:-1]
        yield b"]" if value else b"[]"
    yield b"}"


def _json(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _object_bytes(text: bytes) -> int:
    """About what the parts of a text in JSON take as objects, before they are made."""
    text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    n_strings = text.count(b'"') // 2
    within = n_opened = n_commas = n_colons = 0
    for start in range(0, len(text), _BLOCK):
        pieces = text[start : start + _BLOCK].split(b'"')
        outside = b"".join(pieces[within::2])
        within ^= (len(pieces) - 1) & 1
        n_opened += outside.count(b"[") + outside.count(b"{")
        n_commas += outside.count(b",")
        n_colons += outside.count(b":")
    return 64 * max(n_strings - n_colons + n_opened, n_commas) + 128 * n_colons


def _is_text_of(metadata: Mapping[str, Any], text: bytes) -> bool:
    """Whether the text is that of the metadata as written here.

    Then it is without duplicate keys, NaN, spare spaces and numbers written in other ways.
    """
    start = 0
    for piece in metadata_pieces(metadata):
        if not text.startswith(piece, start):
            return False
        start += len(piece)
    return start == len(text)


def _metadata_keys(version: int) -> set[str]:
    """The entries of the metadata in a format version."""
    later = {name for since, new in _NEW_ENTRIES.items() if since > version for name in new}
    return {*METADATA_KEYS} - later


def _brought_up_to_date(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata of any format version with the entries and parameters of this one."""
    version, parameters = metadata["format_version"], metadata["parameters"]
    new = {name: setting.default for name, setting in SETTINGS.items() if version < setting.since}
    if type(parameters) is dict:
        if not new.keys().isdisjoint(parameters):
            raise Refusal(f"it has {sorted(new)}, unknown to its format version")
        parameters = {**parameters, **new}
    entries: dict[str, Any] = {}
    for since, new in _NEW_ENTRIES.items():
        if version < since:
            entries |= copy.deepcopy(new)
    return {**metadata, **entries, "parameters": parameters}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
