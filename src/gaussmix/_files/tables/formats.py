"""Which format a file of numbers has: by its first bytes."""

from __future__ import annotations

from ..errors import TableError
from ..paths import open_regular


def kind_of(start: bytes) -> str | None:
    """Tell what begins with these bytes: ".npy", "Parquet", "compressed", or None for text."""
    kinds = {b"\x93NUM": ".npy", b"PAR1": "Parquet", b"PK\x03\x04": "compressed"}
    return "compressed" if start[:2] == b"\x1f\x8b" else kinds.get(start[:4])


def compressed_error(path: str) -> TableError:
    """The exception for what `kind_of` calls compressed."""
    return TableError(
        f"{path}: this is a compressed or zip file, not a table; give CSV, .npy or Parquet"
    )


def file_format(path: str) -> str:
    """Return "csv", "npy" or "parquet" by the first bytes of a file."""
    with open_regular(path) as file:
        kind = kind_of(file.read(4))
    return {".npy": "npy", "Parquet": "parquet"}.get(kind or "", "csv")
