"""Outputs in a directory, one a file that is read, and the record of the files that are done.

A directory holds, beside the outputs, a record of the files that are done: a line of JSON each,
appended when the output has its name, after one that says it is begun. A command that is run
again skips those files, unless the model, the input or the output are others now; another command,
or other options, are refused. A process that ends at any moment leaves whole outputs and a record
that is right about them; at worst one output has no line yet that it is done.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from .._common.text import listed, plain
from .._files import paths as file_paths
from .._files.atomic import remove_unfinished
from .._files.errors import TableError
from .._files.paths import is_read_once
from .._files.tables.formats import file_format, stem

RECORD = ".gaussmix-score.jsonl"
# The largest record and line of it, in bytes. A line takes some 250, more with long names.
RECORD_LIMIT = 256 << 20
LINE_LIMIT = 64 << 10

# Rows of an output in the record that may not be there yet.
_BEGUN = -1

ENDINGS = {"csv": ".csv", "npy": ".npy", "parquet": ".parquet"}


@dataclass(frozen=True)
class Part:
    """A file to read, and its output.

    Attributes
    ----------
    path : str
    output : str
    size, mtime_ns : int
        Of the input, before it is read.
    """

    path: str
    output: str
    size: int
    mtime_ns: int


def digest_of(options: str, model: str) -> str:
    """What the record has of a job: of the hashes of its options and of its model, the first half.

    So that outputs of another model, which replace those that are there, are told from those of
    other options, which would not be what is expected there.
    """
    return f"{options[:32]}-{model[:32]}"


def parts_of(
    files: Sequence[str],
    directory: str,
    kind: str | None,
    others: Sequence[str],
    unreadable: Callable[[str, OSError], object] | None = None,
) -> list[Part]:
    """Each file with its output in the directory, which has the same name but for the ending.

    Parameters
    ----------
    files : sequence of str
    directory : str
    kind : {"csv", "npy", "parquet"} or None
        Format of the outputs, None for that of each input.
    others : sequence of str
        Files that no output may replace either.
    unreadable : callable or None
        Called with the path and the error of a file that cannot be opened, which is left out
        then; None to raise the error.

    Raises
    ------
    TableError
        If two outputs would have one name, or one would replace an input.
    """
    parts: dict[str, Part] = {}
    inputs = {os.path.realpath(path) for path in [*files, *others]}
    for path in files:
        if is_read_once(path):
            raise TableError(
                f"{path}: has no name for an output in a directory; give the name of an output "
                "file"
            )
        try:
            status = os.stat(path)
            ending = ENDINGS[kind or file_format(path)]
        except OSError as error:
            if unreadable is None:
                raise
            unreadable(path, error)
            continue
        output = os.path.join(directory, stem(path) + ending)
        earlier = parts.get(os.path.normcase(output))
        if earlier is not None:
            raise TableError(
                f"{path}: its output and that of {earlier.path} would both be {output}; give them "
                "different directories"
            )
        if os.path.lexists(output) and not stat.S_ISREG(os.lstat(output).st_mode):
            raise TableError(
                f"{output}: is no regular file, and outputs in a directory replace nothing else; "
                "remove it"
            )
        if os.path.realpath(output) in inputs:
            raise TableError(f"{output}: is also an input; give another output directory")
        parts[os.path.normcase(output)] = Part(path, output, status.st_size, status.st_mtime_ns)
    return list(parts.values())


def prepare_directory(directory: str, data: Sequence[str]) -> None:
    """Make the output directory if it does not exist, and check that files can be made in it.

    Raises
    ------
    TableError
        If they cannot, or if it lies within an input directory, whose files it would add to.
    """
    own = os.path.realpath(directory)
    for path in data:
        if os.path.isdir(path) and Path(own).is_relative_to(os.path.realpath(path)):
            raise TableError(
                f"{directory}: lies in the input directory {path}; give another output directory"
            )
    if os.path.exists(os.path.normpath(directory)) and not os.path.isdir(directory):
        raise TableError(f"{directory}: is no directory; give another output directory")
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise TableError(f"{directory}: the directory is not writable")


class Record:
    """The files of a directory that are done. Use `working`.

    Attributes
    ----------
    alone : bool
        Whether no other process was writing into the directory when this one began.
    """

    def __init__(self, directory: str, file: FileIO, digest: str, alone: bool) -> None:
        self._directory = directory
        self._file = file
        self._digest = digest
        self.alone = alone
        self._entries, self._torn = _read_record(file)

    def is_done(self, part: Part) -> bool:
        """Whether the output is there, as this job wrote it, of this very input."""
        entry = self._entries.get(os.path.basename(part.output))
        if entry is None or entry["rows"] == _BEGUN:
            return False
        return entry == self._entry(part, entry["rows"])

    def is_other(self, part: Part) -> bool:
        """Whether the output that is there is of another model, or of other options."""
        entry = self._entries.get(os.path.basename(part.output))
        is_other = entry is not None and entry["job"] != self._digest
        return is_other and os.path.lexists(part.output)

    def require_same_options(self) -> None:
        """Raise `TableError` if outputs of another command, or of other options, are there."""
        own, _, _model = self._digest.partition("-")
        others = [
            name
            for name, entry in self._entries.items()
            if entry["job"].partition("-")[0] != own and os.path.lexists(self._path_of(name))
        ]
        if others:
            raise TableError(
                f"{self._directory}: holds outputs of another command, or of other options "
                f"({listed(others, plain)}); give another output directory, or --overwrite to "
                "write over them"
            )

    def begin(self, part: Part) -> None:
        """Note that an output, once it is there, is this job's."""
        entry = self._entries.get(os.path.basename(part.output))
        if entry is None or entry["job"] != self._digest:
            self._append(self._entry(part, _BEGUN))

    def add(self, part: Part, n_rows: int) -> None:
        """Note that a part is done."""
        self._append(self._entry(part, n_rows))

    def discard(self, path: str, output: str | None = None) -> None:
        """Remove the outputs that earlier runs have written of a file.

        Parameters
        ----------
        path : str
            The file that has failed.
        output : str or None
            Its output now, if that is known. It is removed if the record has it.
        """
        own = os.path.basename(path)
        for name, entry in self._entries.items():
            earlier = self._path_of(name)
            if entry["input"][:1] == [own] or (output and os.path.basename(output) == name):
                is_input = os.path.realpath(earlier) == os.path.realpath(path)
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISREG(os.lstat(earlier).st_mode) and not is_input:
                        os.unlink(earlier)

    def _path_of(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _append(self, entry: dict[str, Any]) -> None:
        """Add an entry, and know it from now on."""
        self._entries[entry["output"]] = entry
        line = json.dumps(entry).encode() + b"\n"
        try:
            # In one call at the end of the file: lines of two processes do not mix.
            os.write(self._file.fileno(), b"\n" * self._torn + line)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._file.name) from error
        self._torn = False

    def _entry(self, part: Part, n_rows: object) -> dict[str, Any]:
        try:
            # Of the output itself: what a link points to has not been written here.
            status = os.lstat(part.output)
            written = [status.st_size, status.st_mtime_ns]
        except FileNotFoundError:
            written = []
        return {
            "output": os.path.basename(part.output),
            "rows": n_rows,
            "job": self._digest,
            "input": [os.path.basename(part.path), part.size, part.mtime_ns],
            "written": written,
        }


def _read_record(file: FileIO) -> tuple[dict[str, dict[str, Any]], bool]:
    """The entries of a record by their outputs, and whether its last line has no end.

    A line that is no entry, as one that a crash has cut off, is passed over; the next begins
    after it.
    """
    if os.fstat(file.fileno()).st_size > RECORD_LIMIT:
        raise TableError(
            f"{os.fsdecode(file.name)}: the record of what is done has more than "
            f"{RECORD_LIMIT >> 20} MiB; remove it, and all files are done again"
        )
    file.seek(0)
    entries = {}
    lines = io.BytesIO(file.read())
    line = b""
    for line in lines:
        entry = _entry_of(line) if len(line) <= LINE_LIMIT else None
        if entry is not None:
            entries[entry["output"]] = entry
    return entries, bool(line) and not line.endswith(b"\n")


def _entry_of(line: bytes) -> dict[str, Any] | None:
    """The entry that a line of the record holds, if it does."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    kinds = {"output": str, "rows": int, "job": str, "input": list, "written": list}
    if not isinstance(entry, dict) or set(entry) != set(kinds):
        return None
    is_sound = all(isinstance(entry[name], kind) for name, kind in kinds.items())
    # What it names may be removed, and must be an output in the directory itself.
    name = str(entry["output"])
    is_output = os.path.basename(name) == name and Path(name).suffix in ENDINGS.values()
    return entry if is_sound and is_output else None


@contextlib.contextmanager
def working(directory: str, digest: str) -> Iterator[Record]:
    """The record of a directory. Whoever is alone removes unfinished files of earlier processes.

    Parameters
    ----------
    directory : str
    digest : str
        The job's.

    Raises
    ------
    OSError
        If the record cannot be opened, or is no regular file: a symbolic link is not followed.
    TableError
        If it is larger than a record can be.
    """
    with file_paths.open_to_append(os.path.join(directory, RECORD)) as file:
        alone = _is_alone(file)
        if alone:
            remove_unfinished(directory)
        _share(file)
        yield Record(directory, file, digest, alone)


def _is_alone(file: FileIO) -> bool:
    """Whether no other process has the record open. The system forgets one that was killed."""
    try:
        import fcntl
    except ImportError:  # on Windows a file that another process writes cannot be removed
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process, or a file system without locks
        return False
    return True


def _share(file: FileIO) -> None:
    """Let others see, until the file is closed, that a process is at work."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)
