"""The container of a model file: a zip archive of ``.npy`` arrays, every byte of it determined.

The archive is as its specification has it (APPNOTE.TXT 6.3, sections 4.3 and 4.5.3), always with
64-bit sizes: one layout, and no limit that a large model could cross. The reader compares all
that is not array data with what the writer would have written.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping
from io import BufferedReader, BytesIO, FileIO
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np

from .._common.typing import AnyArray
from .errors import Refusal
from .model_members import FITTED, MEMBERS

# Of a file of another kind.
NO_MODEL = "is not a model file (those come from model.save or gaussmix fit)"

# A file that is being read.
Reader: TypeAlias = "BufferedReader[FileIO] | BytesIO"

# What a model file begins with, as every zip archive does.
BEGINNING = b"PK\x03\x04"

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


class Entry(NamedTuple):
    """A member of the archive."""

    name: str
    size: int  # bytes of the .npy header and the data
    checksum: int  # CRC-32 of the same


def local_header(entry: Entry) -> bytes:
    """What stands before a member."""
    name = entry.name.encode("ascii") + b".npy"
    return (
        _LOCAL_HEADER.pack(
            *(BEGINNING, _ZIP_VERSION, 0, 0, 0, _DATE),  # no flags, stored, no time of day
            *(entry.checksum, _SEE_64, _SEE_64),
            *(len(name), _LOCAL_EXTRA.size),
        )
        + name
        + _LOCAL_EXTRA.pack(1, _LOCAL_EXTRA.size - 4, entry.size, entry.size)
    )


def directory(entries: list[Entry]) -> bytes:
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
        offset += len(local_header(entry)) + entry.size
    count = len(entries)
    end_64 = _END_64.pack(
        *(b"PK\x06\x06", _END_64.size - 12, _ZIP_VERSION, _ZIP_VERSION, 0, 0),
        *(count, count, len(records), offset),
    )
    locator = _LOCATOR_64.pack(b"PK\x06\x07", 0, offset + len(records), 1)
    end = _END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, _SEE_64, _SEE_64, 0)
    return records + end_64 + locator + end


def npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of a C-ordered array in a .npy file, version 1.0, padded to a multiple of 64."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode("ascii")
    length = len(_NPY_MAGIC) + 2 + len(text) + 1
    text += b" " * (-length % 64) + b"\n"
    return _NPY_MAGIC + struct.pack("<H", len(text)) + text


def _bytes_of(array: AnyArray) -> memoryview:
    """The memory of a C-contiguous array, as a view."""
    return array.reshape(-1).view(np.uint8).data


def write_members(file: BinaryIO, members: Mapping[str, AnyArray]) -> None:
    entries = []
    for name in MEMBERS:
        if name not in members:
            continue
        array = members[name]
        header = npy_header(array.dtype.str, array.shape)
        data = _bytes_of(array)
        entry = Entry(name, len(header) + len(data), zlib.crc32(data, zlib.crc32(header)))
        file.write(local_header(entry))
        file.write(header)
        file.write(data)
        entries.append(entry)
    file.write(directory(entries))


class Member(NamedTuple):
    """A member in a file that is being read: all that is known before its data is."""

    entry: Entry
    start: int  # where its .npy header begins
    header: bytes
    dtype: str
    shape: tuple[int, ...]


def read_layout(file: Reader, first: Member, file_size: int) -> dict[str, Member]:
    """All members but the metadata, after comparing the whole container with the writer's."""
    entries = [first.entry]
    members: dict[str, Member] = {}
    position = first.start + first.entry.size
    while _peek(file, position) == BEGINNING:
        member = read_member(file, position, file_size)
        name = member.entry.name
        if MEMBERS.index(name) <= MEMBERS.index(entries[-1].name):
            raise Refusal(f"the member {name!r} is there twice or out of its place")
        _check_dtype(member)
        members[name] = member
        entries.append(member.entry)
        position = member.start + member.entry.size
    missing = [name for name in FITTED if name not in members]
    if missing:
        raise Refusal(f"it is incomplete: {', '.join(missing)} not found")
    expected = directory(entries)
    file.seek(position)
    if file_size - position != len(expected) or file.read(len(expected)) != expected:
        raise Refusal("its directory is damaged, or it was not written by gaussmix")
    return members


def _peek(file: Reader, position: int) -> bytes:
    file.seek(position)
    return file.read(4)


def read_member(file: Reader, position: int, file_size: int) -> Member:
    """The headers of the member at `position`, compared with what the writer would write."""
    file.seek(position)
    head = file.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size:
        raise Refusal(f"it ends after {file_size} bytes, in the middle of a header")
    fields = _LOCAL_HEADER.unpack(head)
    if fields[2] != 0 or fields[3] != 0:
        raise Refusal("a member is compressed or encrypted, which a model file never is")
    checksum, name_length = fields[6], fields[9]
    name = file.read(min(name_length, 64))
    extra = file.read(_LOCAL_EXTRA.size)
    if len(extra) < _LOCAL_EXTRA.size:
        raise Refusal(f"it ends after {file_size} bytes, in the middle of a header")
    known = {member.encode("ascii") + b".npy": member for member in MEMBERS}
    if name not in known:
        raise Refusal(f"{NO_MODEL}; it has a member {name!r}")
    entry = Entry(known[name], _LOCAL_EXTRA.unpack(extra)[3], checksum)
    if head + name + extra != local_header(entry):
        raise Refusal(f"the header of {entry.name} is damaged, or was not written by gaussmix")
    start = file.tell()
    if entry.size > file_size - start:
        raise Refusal(
            f"{entry.name} is said to have {entry.size} bytes, but only {file_size - start}"
            " follow: the file is damaged or cut off"
        )
    return Member(entry, start, *_read_npy_header(file, entry))


def _read_npy_header(file: Reader, entry: Entry) -> tuple[bytes, str, tuple[int, ...]]:
    """The header of an array, its dtype and its shape, without evaluating anything."""
    damaged = Refusal(f"the array header of {entry.name} is damaged or of another kind")
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
    if header != npy_header(dtype, shape):
        raise damaged
    declared = math.prod(shape) * np.dtype(dtype).itemsize
    if declared != entry.size - len(header):
        raise Refusal(
            f"{entry.name} is said to have the shape {shape}, which takes {declared} bytes, but "
            f"{entry.size - len(header)} are there"
        )
    return header, dtype, shape


def _check_dtype(member: Member) -> None:
    allowed = (
        ("<f4", "<f8") if member.entry.name in ("weights", "means", "covariances") else ("<f8",)
    )
    if member.dtype not in allowed:
        raise Refusal(
            f"{member.entry.name} has the dtype {member.dtype!r}, and not {' or '.join(allowed)}"
        )


def read_data(file: Reader, member: Member) -> AnyArray:
    array = np.empty(member.shape, dtype=member.dtype)
    data = _bytes_of(array)
    file.seek(member.start + len(member.header))
    if file.readinto(data) != len(data):
        raise Refusal(f"it ends in the middle of {member.entry.name}")
    if zlib.crc32(data, zlib.crc32(member.header)) != member.entry.checksum:
        raise Refusal(f"{member.entry.name} is damaged: its checksum does not match")
    return array
