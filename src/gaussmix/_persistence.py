"""Model files: save a fitted mixture, and load it from a file nobody needs to trust.

A model file is an ordinary ``.npz`` (`numpy.load` reads it, with ``allow_pickle=False``), of which
every byte is determined by the model: members in a fixed order, stored uncompressed, no time
stamps. All arrays are little-endian. ::

    metadata         ASCII JSON as bytes: format and library version, constructor parameters,
                     converged, n_iter, n_samples_seen, collapses, names of the columns
    weights          (K,), float32 or float64
    means            (K, d), float32 or float64
    covariances      (K, d, d), (d, d), (K, d) or (K,), float32 or float64
    lower_bound      (), float64
    lower_bounds     (iterations,), float64
    weights_init, means_init, precisions_init
                     float64; each only where it was given
    running_weight, running_first, running_second, running_shift, running_evidence
                     (K,), (K, d), as the covariances, (K, d), (K,), float64: what `partial_fit`
                     remembers; all or none
    running_totals   (2,), float64: the weight of the rows remembered, and their number

The reader takes nothing on trust. It reads the directory and the array headers itself and
evaluates nothing, knows every name, dtype and shape before it allocates, and compares all that is
not array data with what the writer would have written; array data is covered by a checksum. So a
file in which one bit has changed is not loaded. What can be derived from the covariances is not
stored at all; whoever derives it finds out whether they are definite.
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
import reprlib
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader, FileIO
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np

from ._files import open_regular, replacing
from ._layouts import LAYOUTS, CovarianceType, covariance_shape
from ._settings import SETTINGS
from ._typing import AnyArray, Doubles, Floats, StrPath
from .exceptions import ModelFileError

__all__ = ["FORMAT_VERSION", "ModelFileError", "load", "save"]

# With a new version comes a file of it, written by tests/models/make.py.
FORMAT_VERSION = 5

# Entries of the metadata that a format version brought, with what earlier files mean; of the
# constructor parameters `_settings.SETTINGS` says it.
_NEW_ENTRIES: dict[int, dict[str, Any]] = {3: {"collapses": []}, 4: {"n_samples_seen": 0}}
_RUNNING_SINCE = 4

# In the order in which they stand in the file. Those that begin are there when the parameter was
# given, those of running statistics when there are such.
_FITTED = ("weights", "means", "covariances", "lower_bound", "lower_bounds")
_INITIAL = ("weights_init", "means_init", "precisions_init")
_RUNNING = (
    "running_weight", "running_first", "running_second", "running_shift", "running_evidence",
    "running_totals",
)  # fmt: skip
_MEMBERS = ("metadata", *_FITTED, *_INITIAL, *_RUNNING)

_METADATA_KEYS = (
    "collapses",
    "converged",
    "feature_names",
    "format_version",
    "library_version",
    "n_iter",
    "n_samples_seen",
    "parameters",
)
_METADATA_LIMIT = 16 * 2**20  # bytes; room for some 500,000 column names

# What the metadata may take as Python's objects, beside so many times the size of the file. Names
# of one letter take eight times what such a file holds for a column, records of collapses twelve
# times their text.
_OBJECTS_LIMIT = 64 * 2**10
_OBJECTS_PER_BYTE = 13

# Numbers of covariances, or characters of metadata, that are looked at at a time.
_BLOCK = 1 << 17

_LARGEST = float(np.finfo(np.float64).max)


# A file that is being read.
Reader: TypeAlias = "BufferedReader[FileIO]"


class _Refusal(Exception):
    """A reason to refuse a file or a model; the public functions add the path."""


def save(path: StrPath, contents: Mapping[str, Any]) -> None:
    """Write a fitted model to a file, all of it or nothing.

    Parameters
    ----------
    path : str or path-like
        The file, in an existing directory. It is replaced if it exists, keeping its permissions; a
        symbolic link, a device or a write-protected file is not.
    contents : mapping
        ``weights`` (K,), ``means`` (K, d), ``covariances`` (shape by covariance type), all float32
        or float64; ``converged`` bool, ``n_iter`` int, ``collapses`` list of dict as
        `GaussianMixture.collapses_`, ``n_samples_seen`` int or float, ``running`` a mapping of
        the names in `_RUNNING` to arrays, or None, ``lower_bound`` float (finite or -inf),
        ``lower_bounds`` sequence of float, ``feature_names`` sequence of d strings or None,
        ``library_version`` str, and ``parameters``, a mapping of every constructor parameter. A
        ``random_state`` that is a generator is saved as None: its state belongs to the running
        program.

    Raises
    ------
    ModelFileError
        If `contents` is no valid model, for example because a fitted attribute was changed by
        hand.
    OSError
        If the file cannot be written. An existing file is then as it was, and no temporary file
        remains.
    """
    path = os.fsdecode(os.fspath(path))
    try:
        members = _members_of(contents)
    except _Refusal as refusal:
        raise ModelFileError(path, f"the model cannot be saved: {refusal}") from refusal.__cause__
    with replacing(path) as file:
        _write_members(file, members)


def load(path: StrPath) -> dict[str, Any]:
    """Read a model file, checking all of it.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    dict
        With the keys that `save` takes, and ``format_version``. Arrays are new, native,
        C-contiguous and of the precision they had.

    Raises
    ------
    ModelFileError
        If the file is damaged, holds no valid model, or has a format this version does not know.
    OSError
        If the file cannot be opened or read, or is no regular file.
    """
    path = os.fsdecode(os.fspath(path))
    with open_regular(path) as raw, BufferedReader(raw) as file:
        try:
            return _read_contents(file)
        except _Refusal as refusal:
            raise ModelFileError(path, str(refusal)) from refusal.__cause__


# -------------------------------------------------------------------------------------------------
# The model: what may stand in a file
# -------------------------------------------------------------------------------------------------


def _members_of(contents: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The members of the file for a model, checked as the reader will check them."""
    expected = {*_FITTED, *_METADATA_KEYS, "running"} - {"format_version"}
    if set(contents) - {"format_version"} != expected:
        raise _Refusal(
            f"it needs exactly the entries {sorted(expected)}, and has {sorted(contents)}"
        )
    parameters = {name: _plain(value) for name, value in contents["parameters"].items()}
    arrays = {name: _little_endian(contents[name], name) for name in _FITTED}
    for name in _INITIAL:
        value = parameters.pop(name, None)
        if value is not None:
            arrays[name] = _little_endian(value, name, double=True)
    for name, value in (contents["running"] or {}).items():
        arrays[name] = _little_endian(value, name, double=True)
    names = contents["feature_names"]
    metadata = {
        "format_version": FORMAT_VERSION,
        "library_version": contents["library_version"],
        "parameters": parameters,
        "converged": _plain(contents["converged"]),
        "n_iter": _plain(contents["n_iter"]),
        "n_samples_seen": _plain(contents["n_samples_seen"]),
        "collapses": contents["collapses"],
        "feature_names": None if names is None else [_plain(name) for name in names],
    }
    _check_metadata(metadata)
    _check_shapes({name: array.shape for name, array in arrays.items()}, metadata)
    _check_values(arrays, metadata)
    _check_definite(arrays["covariances"], parameters["covariance_type"])
    text = b"".join(_metadata_pieces(metadata))
    if len(text) > _METADATA_LIMIT:
        raise _Refusal(
            f"its column names take {len(text)} bytes, and {_METADATA_LIMIT} is the limit"
        )
    return {"metadata": np.frombuffer(text, dtype=np.uint8), **arrays}


def _plain(value: Any) -> Any:
    """A constructor parameter or another scalar as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    if isinstance(value, str):
        return str(value)
    return value


def _little_endian(value: Any, name: str, double: bool = False) -> AnyArray:
    """An array as it is stored; bounds and starting values in double precision."""
    try:
        array = np.asarray(value)
        single = (
            array.dtype == np.float32
            and not double
            and name not in ("lower_bound", "lower_bounds")
        )
        return np.asarray(array, dtype="<f4" if single else "<f8", order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise _Refusal(f"{name} is not an array of numbers: {error}") from error


def _metadata_pieces(metadata: Mapping[str, Any]) -> Iterator[bytes]:
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


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    """Check all that is not an array. The format version has been looked at."""
    if type(metadata["library_version"]) is not str:
        raise _Refusal(
            f"library_version is {_shown(metadata['library_version'])}, and not a string"
        )
    if type(metadata["converged"]) is not bool:
        raise _Refusal(f"converged is {_shown(metadata['converged'])}, and not True or False")
    if not _is_int(metadata["n_iter"], 0):
        raise _Refusal(f"n_iter is {_shown(metadata['n_iter'])}, and not a number of iterations")
    seen = metadata["n_samples_seen"]
    if not _is_number(seen):
        raise _Refusal(f"n_samples_seen is {_shown(seen)}, and not a weight of rows")
    collapses = metadata["collapses"]
    if type(collapses) is not list or not all(map(_is_collapse, collapses)):
        raise _Refusal(f"collapses is not a list of entries with exactly {sorted(_COLLAPSE)}")
    names = metadata["feature_names"]
    if names is not None and not (
        type(names) is list and all(type(name) is str for name in names)
    ):
        raise _Refusal("feature_names is not a list of strings")
    parameters = metadata["parameters"]
    if type(parameters) is not dict or set(parameters) != {*_stored_parameters()}:
        raise _Refusal(
            f"its constructor parameters are not exactly {sorted(_stored_parameters())}"
        )
    for name in _stored_parameters():
        if not _is_parameter(name, parameters[name]):
            value = _shown(parameters[name])
            raise _Refusal(f"the constructor parameter {name} cannot be {value}")


def _check_shapes(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any]) -> None:
    """Check that the arrays belong to one model, from their shapes alone."""
    means = shapes["means"]
    if len(means) != 2 or 0 in means:
        raise _Refusal(f"means has the shape {means}, and not (components, columns)")
    k, d = means
    covariance_type = metadata["parameters"]["covariance_type"]
    expected = {
        "weights": (k,),
        "covariances": covariance_shape(covariance_type, k, d),
        "lower_bound": (),
    }
    running = [name for name in _RUNNING if name in shapes]
    if running:
        missing = [name for name in _RUNNING if name not in shapes]
        if missing:
            raise _Refusal(f"its running statistics lack {', '.join(missing)}")
        expected |= {"running_weight": (k,), "running_first": (k, d), "running_shift": (k, d)}
        expected |= {"running_evidence": (k,), "running_totals": (2,)}
        expected["running_second"] = expected["covariances"]
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise _Refusal(
                f"{name} has the shape {shapes[name]}, and not {shape} as {k} components of type "
                f"{covariance_type!r} in {d} columns need"
            )
    if len(shapes["lower_bounds"]) != 1:
        raise _Refusal(
            f"lower_bounds has the shape {shapes['lower_bounds']}, and not (iterations,)"
        )
    for name in _INITIAL:
        if 0 in shapes.get(name, ()):
            raise _Refusal(f"{name} has the shape {shapes[name]}")
    blamed = [column for collapse in metadata["collapses"] for column in collapse["columns"]]
    if any(column >= d for column in blamed):
        raise _Refusal(f"collapses names column {max(blamed)}, and the model has {d}")
    names = metadata["feature_names"]
    if names is not None and len(names) != d:
        raise _Refusal(f"it names {len(names)} columns, and has {d}")


def _check_values(arrays: Mapping[str, AnyArray], metadata: Mapping[str, Any]) -> None:
    """Check that the numbers are those of a mixture."""
    optional = [name for name in (*_INITIAL, *_RUNNING) if name in arrays]
    for name in ("weights", "means", "covariances", *optional):
        if not np.isfinite(arrays[name]).all():
            raise _Refusal(f"{name} contains NaN or infinity")
    for name in ("lower_bound", "lower_bounds"):
        # The comparison is False for NaN; -inf is that of a model without a fit.
        if not (arrays[name] < np.inf).all():
            raise _Refusal(f"{name} contains NaN or infinity")
    for name in ("running_weight", "running_evidence", "running_totals"):
        least = arrays[name].min() if name in arrays else 0
        if least < 0 or (least == 0 and name == "running_totals" and name in arrays):
            raise _Refusal(f"{name} contains {least}, which no weight of rows is")
    if "running_totals" in arrays:
        _check_totals(arrays["running_totals"], arrays["running_evidence"])
    weights = arrays["weights"].astype(np.float64)
    if (weights < 0).any():
        k = int(np.argmin(weights))
        raise _Refusal(f"weights[{k}] is {weights[k]}, which is negative")
    total = float(weights.sum())
    if not abs(total - 1) <= 1e-6:
        raise _Refusal(f"the weights add up to {total:.9g}, and not to 1")
    _check_covariances(arrays["covariances"], metadata["parameters"]["covariance_type"])


def _check_totals(totals: Doubles, evidence: Doubles) -> None:
    """Check that what is remembered can be told in rows of mean weight."""
    weight, rows = totals
    with np.errstate(over="ignore"):
        row_weight = weight / rows
        if not (0 < row_weight < np.inf and (evidence / row_weight < np.inf).all()):
            raise _Refusal(f"running_totals are {rows} rows that weigh {weight}, which none do")


def _check_covariances(covariances: Floats, covariance_type: CovarianceType) -> None:
    """Check that variances are positive and matrices symmetric, not that these are definite."""
    layout = LAYOUTS[covariance_type]
    if layout in ("diag", "spherical"):
        if not (covariances > 0).all():
            place = [int(i) for i in np.argwhere(~(covariances > 0))[0]]
            raise _Refusal(f"covariances{place} is {covariances[tuple(place)]}, and not positive")
        return
    matrices = covariances if layout == "full" else covariances[np.newaxis]
    variances = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    least = variances.min(axis=1)
    if not (least > 0).all():
        k = int(np.argmin(least > 0))
        raise _Refusal(f"{_which(layout, k)} is not positive definite: a variance is {least[k]}")
    scale = np.sqrt(variances)
    for components, rows in _blocks(matrices):
        part = matrices[components, rows].astype(np.float64)
        part -= matrices[components, :, rows].swapaxes(1, 2)
        unequal = np.abs(part, out=part) > 1e-6 * (
            scale[components, rows, None] * scale[components, None]
        )
        if unequal.any():
            k = components.start + int(np.argmax(unequal.any(axis=(1, 2))))
            raise _Refusal(f"{_which(layout, k)} is not symmetric")


def _blocks(matrices: Floats) -> Iterator[tuple[slice, slice]]:
    """Components, and rows of their matrices, that hold some numbers together."""
    K, d, _ = matrices.shape
    together, rows = max(1, _BLOCK // d**2), min(d, max(1, _BLOCK // d))
    for k in range(0, K, together):
        for first in range(0, d, rows):
            yield slice(k, k + together), slice(first, first + rows)


def _which(layout: str, k: int) -> str:
    return f"covariances[{k}]" if layout == "full" else "covariances"


def _check_definite(covariances: Floats, covariance_type: CovarianceType) -> None:
    """Check that symmetric matrices are positive definite."""
    layout = LAYOUTS[covariance_type]
    if layout in ("diag", "spherical"):
        return
    matrices = covariances if layout == "full" else covariances[np.newaxis]
    together = max(1, _BLOCK // matrices.shape[-1] ** 2)
    for first in range(0, len(matrices), together):
        block = matrices[first : first + together].astype(np.float64)
        if _is_definite(block):
            continue
        k = first + next(k for k, matrix in enumerate(block) if not _is_definite(matrix))
        rounded = " after rounding to float32: fit float64 rows, or raise reg_covar"
        hint = rounded if covariances.dtype == np.float32 else ""
        raise _Refusal(f"{_which(layout, k)} is not positive definite{hint}")


def _is_definite(matrices: Doubles) -> bool:
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        return False
    return True


# -------------------------------------------------------------------------------------------------
# The container: what a file looks like
#
# A zip archive as its specification has it (APPNOTE.TXT 6.3, sections 4.3 and 4.5.3), always with
# 64-bit sizes: one layout, and no limit that a large model could cross.
# -------------------------------------------------------------------------------------------------

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LOCAL_EXTRA = struct.Struct("<2H2Q")
_DIRECTORY_HEADER = struct.Struct("<4s6H3I5H2I")
_DIRECTORY_EXTRA = struct.Struct("<2H3Q")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")

_ZIP_VERSION = 45  # of the specification: the first with 64-bit sizes
_DATE = 0x21  # 1 January 1980, where the dates of zip begin
_SEE_64 = 0xFFFFFFFF  # in the place of a 32-bit number: look at the 64-bit one

_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    rb"\{'descr': '(<f4|<f8|\|u1)', 'fortran_order': False, "
    rb"'shape': \((|[0-9]+,|[0-9]+(?:, [0-9]+)+)\), \} *\n"
)
_NPY_HEADER_LIMIT = 256  # bytes; one with three 19-digit numbers has 192


class _Entry(NamedTuple):
    """A member of the archive."""

    name: str
    size: int  # bytes of the .npy header and the data
    checksum: int  # CRC-32 of the same


def _local_header(entry: _Entry) -> bytes:
    """What stands before a member."""
    name = entry.name.encode("ascii") + b".npy"
    return (
        _LOCAL_HEADER.pack(
            *(b"PK\x03\x04", _ZIP_VERSION, 0, 0, 0, _DATE),  # no flags, stored, no time of day
            *(entry.checksum, _SEE_64, _SEE_64),
            *(len(name), _LOCAL_EXTRA.size),
        )
        + name
        + _LOCAL_EXTRA.pack(1, _LOCAL_EXTRA.size - 4, entry.size, entry.size)
    )


def _directory(entries: list[_Entry]) -> bytes:
    """What stands behind the last member: the directory, and the records that end the file."""
    records = b""
    offset = 0
    for entry in entries:
        name = entry.name.encode("ascii") + b".npy"
        records += _DIRECTORY_HEADER.pack(
            *(b"PK\x01\x02", _ZIP_VERSION, _ZIP_VERSION, 0, 0, 0, _DATE),
            *(entry.checksum, _SEE_64, _SEE_64),
            *(len(name), _DIRECTORY_EXTRA.size, 0, 0, 0),  # no comment, first disk, no attributes
            *(0, _SEE_64),
        )
        records += name
        records += _DIRECTORY_EXTRA.pack(
            1, _DIRECTORY_EXTRA.size - 4, entry.size, entry.size, offset
        )
        offset += len(_local_header(entry)) + entry.size
    count = len(entries)
    end_64 = _END_64.pack(
        *(b"PK\x06\x06", _END_64.size - 12, _ZIP_VERSION, _ZIP_VERSION, 0, 0),
        *(count, count, len(records), offset),
    )
    locator = _LOCATOR_64.pack(b"PK\x06\x07", 0, offset + len(records), 1)
    end = _END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, _SEE_64, _SEE_64, 0)
    return records + end_64 + locator + end


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of a C-ordered array in a .npy file, version 1.0, padded to a multiple of 64."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode("ascii")
    length = len(_NPY_MAGIC) + 2 + len(text) + 1
    text += b" " * (-length % 64) + b"\n"
    return _NPY_MAGIC + struct.pack("<H", len(text)) + text


def _bytes_of(array: AnyArray) -> memoryview:
    """The memory of a C-contiguous array, as a view."""
    return array.reshape(-1).view(np.uint8).data


def _write_members(file: BinaryIO, members: Mapping[str, AnyArray]) -> None:
    entries = []
    for name in _MEMBERS:
        if name not in members:
            continue
        array = members[name]
        header = _npy_header(array.dtype.str, array.shape)
        data = _bytes_of(array)
        entry = _Entry(name, len(header) + len(data), zlib.crc32(data, zlib.crc32(header)))
        file.write(_local_header(entry))
        file.write(header)
        file.write(data)
        entries.append(entry)
    file.write(_directory(entries))


class _Member(NamedTuple):
    """A member in a file that is being read: all that is known before its data is."""

    entry: _Entry
    start: int  # where its .npy header begins
    header: bytes
    dtype: str
    shape: tuple[int, ...]


def _read_contents(file: Reader) -> dict[str, Any]:
    size = os.fstat(file.fileno()).st_size
    magic = file.read(4)
    if magic != b"PK\x03\x04":
        raise _Refusal(
            f"it is not a gaussmix model file: it begins with {magic!r}, and not with"
            " b'PK\\x03\\x04'"
        )
    # The metadata comes first, so that a file of a later format is recognised whatever else it
    # holds.
    first = _read_member(file, 0, size)
    metadata = _read_metadata(file, first, size)
    members = _read_layout(file, first, size)
    _check_shapes({name: member.shape for name, member in members.items()}, metadata)
    arrays = {name: _read_data(file, member) for name, member in members.items()}
    _check_values(arrays, metadata)

    arrays = {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in arrays.items()
    }
    initial = {name: arrays.pop(name, None) for name in _INITIAL}
    running = {name: arrays.pop(name) for name in _RUNNING if name in arrays}
    if running and metadata["format_version"] < _RUNNING_SINCE:
        raise _Refusal(f"it has {sorted(running)}, unknown to its format version")
    return {
        **metadata,
        **arrays,
        "lower_bound": float(arrays["lower_bound"]),
        "lower_bounds": arrays["lower_bounds"].tolist(),
        "parameters": {**metadata["parameters"], **initial},
        "running": running or None,
    }


def _read_layout(file: Reader, first: _Member, file_size: int) -> dict[str, _Member]:
    """All members but the metadata, after comparing the whole container with the writer's."""
    entries = [first.entry]
    members: dict[str, _Member] = {}
    position = first.start + first.entry.size
    while _peek(file, position) == b"PK\x03\x04":
        member = _read_member(file, position, file_size)
        name = member.entry.name
        if _MEMBERS.index(name) <= _MEMBERS.index(entries[-1].name):
            raise _Refusal(f"the member {name!r} is there twice or out of its place")
        _check_dtype(member)
        members[name] = member
        entries.append(member.entry)
        position = member.start + member.entry.size
    missing = [name for name in _FITTED if name not in members]
    if missing:
        raise _Refusal(f"it is incomplete: {', '.join(missing)} not found")
    expected = _directory(entries)
    file.seek(position)
    if file_size - position != len(expected) or file.read(len(expected)) != expected:
        raise _Refusal("its directory is damaged, or it was not written by gaussmix")
    return members


def _peek(file: Reader, position: int) -> bytes:
    file.seek(position)
    return file.read(4)


def _read_member(file: Reader, position: int, file_size: int) -> _Member:
    """The headers of the member at `position`, compared with what the writer would write."""
    file.seek(position)
    head = file.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size:
        raise _Refusal(f"it ends after {file_size} bytes, in the middle of a header")
    fields = _LOCAL_HEADER.unpack(head)
    if fields[2] != 0 or fields[3] != 0:
        raise _Refusal("a member is compressed or encrypted, which a model file never is")
    checksum, name_length = fields[6], fields[9]
    name = file.read(min(name_length, 64))
    extra = file.read(_LOCAL_EXTRA.size)
    if len(extra) < _LOCAL_EXTRA.size:
        raise _Refusal(f"it ends after {file_size} bytes, in the middle of a header")
    known = {member.encode("ascii") + b".npy": member for member in _MEMBERS}
    if name not in known:
        raise _Refusal(f"it is not a gaussmix model file: it has a member {name!r}")
    entry = _Entry(known[name], _LOCAL_EXTRA.unpack(extra)[3], checksum)
    if head + name + extra != _local_header(entry):
        raise _Refusal(f"the header of {entry.name} is damaged, or was not written by gaussmix")
    start = file.tell()
    if entry.size > file_size - start:
        raise _Refusal(
            f"{entry.name} is said to have {entry.size} bytes, but only {file_size - start}"
            " follow: the file is damaged or cut off"
        )
    return _Member(entry, start, *_read_npy_header(file, entry))


def _read_npy_header(file: Reader, entry: _Entry) -> tuple[bytes, str, tuple[int, ...]]:
    """The header of an array, its dtype and its shape, without evaluating anything."""
    damaged = _Refusal(f"the array header of {entry.name} is damaged or of another kind")
    start = file.read(min(len(_NPY_MAGIC) + 2, entry.size))
    if len(start) < len(_NPY_MAGIC) + 2 or not start.startswith(_NPY_MAGIC):
        raise damaged
    length = struct.unpack("<H", start[-2:])[0]
    if length > min(_NPY_HEADER_LIMIT, entry.size - len(start)):
        raise damaged
    text = file.read(length)
    match = _NPY_HEADER.fullmatch(text)
    if match is None:
        raise damaged
    dtype = match[1].decode("ascii")
    shape = tuple(int(number) for number in re.findall(rb"[0-9]+", match[2]))
    header = start + text
    if header != _npy_header(dtype, shape):
        raise damaged
    declared = math.prod(shape) * np.dtype(dtype).itemsize
    if declared != entry.size - len(header):
        raise _Refusal(
            f"{entry.name} is said to have the shape {shape}, which takes {declared} bytes, but "
            f"{entry.size - len(header)} are there"
        )
    return header, dtype, shape


def _check_dtype(member: _Member) -> None:
    allowed = (
        ("<f4", "<f8") if member.entry.name in ("weights", "means", "covariances") else ("<f8",)
    )
    if member.dtype not in allowed:
        raise _Refusal(
            f"{member.entry.name} has the dtype {member.dtype!r}, and not {' or '.join(allowed)}"
        )


def _read_data(file: Reader, member: _Member) -> AnyArray:
    array = np.empty(member.shape, dtype=member.dtype)
    data = _bytes_of(array)
    file.seek(member.start + len(member.header))
    if file.readinto(data) != len(data):
        raise _Refusal(f"it ends in the middle of {member.entry.name}")
    if zlib.crc32(data, zlib.crc32(member.header)) != member.entry.checksum:
        raise _Refusal(f"{member.entry.name} is damaged: its checksum does not match")
    return array


def _read_metadata(file: Reader, member: _Member, file_size: int) -> dict[str, Any]:
    """The metadata, checked, as that of this format version."""
    if member.entry.name != "metadata" or member.dtype != "|u1" or len(member.shape) != 1:
        raise _Refusal("it does not begin with the metadata of a gaussmix model")
    if member.shape[0] > _METADATA_LIMIT:
        raise _Refusal(
            f"its metadata has {member.shape[0]} bytes, and {_METADATA_LIMIT} is the limit"
        )
    text = _read_data(file, member).tobytes()
    if _object_bytes(text) > _OBJECTS_LIMIT + _OBJECTS_PER_BYTE * file_size:
        raise _Refusal("its metadata is not as gaussmix writes it: it has too many parts")
    try:
        stored = json.loads(text.decode("ascii"))
        version = stored["format_version"]
        is_sound = _is_int(version, 1)
        if is_sound and version > FORMAT_VERSION:
            raise _Refusal(
                f"it has format version {_shown(version)}, written by gaussmix "
                f"{_shown(str(stored.get('library_version')))[1:-1]}; this gaussmix reads "
                f"versions up to {FORMAT_VERSION}. Install a newer gaussmix"
            )
        is_sound = is_sound and set(stored) == _metadata_keys(version)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Refusal(f"its metadata cannot be read: {_first_line(error)}") from error
    if is_sound:
        metadata = _brought_up_to_date(stored)
        _check_metadata(metadata)
        # Not before the types are known: other values may be as large as text again.
        if _is_text_of(stored, text):
            return metadata
    raise _Refusal("its metadata is not as gaussmix writes it")


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
    for piece in _metadata_pieces(metadata):
        if not text.startswith(piece, start):
            return False
        start += len(piece)
    return start == len(text)


def _metadata_keys(version: int) -> set[str]:
    """The entries of the metadata in a format version."""
    later = {name for since, new in _NEW_ENTRIES.items() if since > version for name in new}
    return {*_METADATA_KEYS} - later


def _brought_up_to_date(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata of any format version with the entries and parameters of this one."""
    version, parameters = metadata["format_version"], metadata["parameters"]
    new = {name: setting.default for name, setting in SETTINGS.items() if version < setting.since}
    if type(parameters) is dict:
        if not new.keys().isdisjoint(parameters):
            raise _Refusal(f"it has {sorted(new)}, unknown to its format version")
        parameters = {**parameters, **new}
    entries: dict[str, Any] = {}
    for since, new in _NEW_ENTRIES.items():
        if version < since:
            entries |= copy.deepcopy(new)
    return {**metadata, **entries, "parameters": parameters}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
