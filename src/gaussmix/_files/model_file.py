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

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._common.typing import AnyArray, ReadsBytes, StrPath, WritesBytes
from ..exceptions import ModelFileError
from .atomic import replacing
from .errors import Refusal
from .model_checks import check_definite, check_shapes, check_values
from .model_members import FITTED, INITIAL, RUNNING
from .model_metadata import (
    METADATA_KEYS,
    METADATA_LIMIT,
    RUNNING_SINCE,
    check_metadata,
    metadata_of,
    metadata_pieces,
    plain,
    read_metadata,
)
from .npz import (
    BEGINNING,
    NO_MODEL,
    Reader,
    read_data,
    read_layout,
    read_member,
    write_members,
)
from .paths import open_regular
from .streams import called, is_path, read_whole, write_whole


def save(path: StrPath | WritesBytes, contents: Mapping[str, Any]) -> None:
    """Write a fitted model to a file, all of it or nothing; to an open file from where it stands.

    Parameters
    ----------
    path : str, path-like or open file of bytes
        The file, in an existing directory. It is replaced if it exists, keeping its permissions; a
        symbolic link, a device or a write-protected file is not.
    contents : mapping
        ``weights`` (K,), ``means`` (K, d), ``covariances`` (shape by covariance type), all float32
        or float64; ``converged`` bool, ``n_iter`` int, ``collapses`` list of dict as
        `GaussianMixture.collapses_`, ``n_samples_seen`` int or float, ``running`` a mapping of
        the names in `RUNNING` to arrays, or None, ``lower_bound`` float (finite or -inf),
        ``lower_bounds`` sequence of float, ``feature_names`` sequence of d strings or None,
        ``library_version`` str, and ``parameters``, a mapping of every constructor parameter. A
        ``random_state`` that is a generator is saved as None: its state belongs to the running
        program.

    Raises
    ------
    ModelFileError
        If `contents` is no valid model, for example because a fitted attribute was changed by
        hand.
    TypeError
        For what is neither a path nor an open file of bytes.
    OSError
        If the file cannot be written. An existing file is then as it was, and no temporary file
        remains. An open file keeps what it took.
    """
    try:
        members = _members_of(contents)
    except Refusal as refusal:
        reason = f"the model cannot be saved: {refusal}"
        raise ModelFileError(called(path), reason) from refusal.__cause__
    if is_path(path):
        with replacing(called(path)) as file:
            write_members(file, members)
    else:
        whole = io.BytesIO()
        write_members(whole, members)
        write_whole(path, whole.getvalue())  # type: ignore[arg-type]


def load(path: StrPath | ReadsBytes) -> dict[str, Any]:
    """Read a model file, checking all of it.

    Parameters
    ----------
    path : str, path-like or open file of bytes
        An open one is read from where it stands to its end.

    Returns
    -------
    dict
        With the keys that `save` takes, and ``format_version``. Arrays are new, native,
        C-contiguous and of the precision they had.

    Raises
    ------
    ModelFileError
        If the file is damaged, holds no valid model, or has a format this version does not know.
    TypeError
        For what is neither a path nor an open file of bytes.
    OSError
        If the file cannot be opened or read, or is no regular file.
    """
    try:
        if not is_path(path):
            read = read_whole(path, BEGINNING)  # type: ignore[arg-type]
            if not read:
                raise Refusal(
                    "no bytes are left where it stands. Of a file that has just been written, "
                    "call seek(0) first."
                )
            return _read_contents(io.BytesIO(read), len(read))
        with open_regular(called(path)) as raw, io.BufferedReader(raw) as file:
            return _read_contents(file, os.fstat(file.fileno()).st_size)
    except Refusal as refusal:
        raise ModelFileError(called(path), str(refusal)) from refusal.__cause__


def _members_of(contents: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The members of the file for a model, checked as the reader will check them."""
    expected = {*FITTED, *METADATA_KEYS, "running"} - {"format_version"}
    if set(contents) - {"format_version"} != expected:
        raise Refusal(
            f"it needs exactly the entries {sorted(expected)}, and has {sorted(contents)}"
        )
    parameters = {name: plain(value) for name, value in contents["parameters"].items()}
    arrays = {name: _little_endian(contents[name], name) for name in FITTED}
    for name in INITIAL:
        value = parameters.pop(name, None)
        if value is not None:
            arrays[name] = _little_endian(value, name, double=True)
    for name, value in (contents["running"] or {}).items():
        arrays[name] = _little_endian(value, name, double=True)
    metadata = metadata_of(contents, parameters)
    check_metadata(metadata)
    check_shapes({name: array.shape for name, array in arrays.items()}, metadata)
    check_values(arrays, metadata)
    check_definite(arrays["covariances"], parameters["covariance_type"])
    text = b"".join(metadata_pieces(metadata))
    if len(text) > METADATA_LIMIT:
        raise Refusal(
            f"its column names take {len(text)} bytes, and {METADATA_LIMIT} is the limit"
        )
    return {"metadata": np.frombuffer(text, dtype=np.uint8), **arrays}


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
        raise Refusal(f"{name} is not an array of numbers: {error}") from error


def _read_contents(file: Reader, size: int) -> dict[str, Any]:
    if file.read(len(BEGINNING)) != BEGINNING:
        raise Refusal(f"{NO_MODEL}.")
    # The metadata comes first, so that a file of a later format is recognised whatever else it
    # holds.
    first = read_member(file, 0, size)
    metadata = read_metadata(file, first, size)
    members = read_layout(file, first, size)
    check_shapes({name: member.shape for name, member in members.items()}, metadata)
    arrays = {name: read_data(file, member) for name, member in members.items()}
    check_values(arrays, metadata)

    arrays = {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in arrays.items()
    }
    initial = {name: arrays.pop(name, None) for name in INITIAL}
    running = {name: arrays.pop(name) for name in RUNNING if name in arrays}
    if running and metadata["format_version"] < RUNNING_SINCE:
        raise Refusal(f"it has {sorted(running)}, unknown to its format version")
    return {
        **metadata,
        **arrays,
        "lower_bound": float(arrays["lower_bound"]),
        "lower_bounds": arrays["lower_bounds"].tolist(),
        "parameters": {**metadata["parameters"], **initial},
        "running": running or None,
    }
