"""Which format a file of numbers has: by its first bytes."""

from __future__ import annotations

from pathlib import Path

from ..errors import TableError
from ..paths import open_regular

# What files begin with. What is compressed but "zip" is read as CSV.
_STARTS = {
    b"\x93NUM": ".npy",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
}
COMPRESSED = ("gzip", "bzip2", "xz")

# What is read of a directory; a file that is named itself may be called anything.
CSV_ENDINGS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz")
PARQUET_ENDINGS = (".parquet", ".pq", ".parq")

# What a name ends in behind that of the file that has been compressed.
_ENDINGS = (".gz", ".bz2", ".xz")


def kind_of(start: bytes) -> str | None:
    """Tell what begins with these bytes, as in `_STARTS`; None for text."""
    return next((kind for begin, kind in _STARTS.items() if start.startswith(begin)), None)


def zip_error(path: str) -> TableError:
    """The exception for a zip file."""
    return TableError(
        f"{path}: this is a zip file, as models are, and not a table; give CSV, also as .csv.gz, "
        ".npy or Parquet"
    )


def file_format(path: str) -> str:
    """Return "csv", "npy" or "parquet" by the first bytes of a file."""
    with open_regular(path) as file:
        kind = kind_of(file.read(4))
    return {".npy": "npy", "Parquet": "parquet"}.get(kind or "", "csv")


def is_compressed_name(path: str) -> bool:
    """Whether a name ends as those of compressed files do."""
    return path.lower().endswith(_ENDINGS)


def stem(path: str) -> str:
    """A file's name without its ending: "a" for "folder/a.csv" and "folder/a.csv.gz"."""
    name = Path(path)
    return Path(name.stem).stem if is_compressed_name(path) else name.stem
