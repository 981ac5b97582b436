"""Scoring files with a model: into one output, or into a directory with one output a file.

A directory holds, beside the outputs, a record of the files that are done: a line of JSON each,
appended when the output has its name. A command that is run again skips those files, unless the
model, the options, the input or the output are others now. A process that ends at any moment
leaves whole outputs and a record that is right about them; at worst one output has no line yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from . import _persistence, _streamed, _tables
from ._inputs import Tables, is_read_once
from ._rows import Rows
from ._tables import Field, Table, TableError, counted
from ._typing import AnyArray, FloatDType

if TYPE_CHECKING:
    from .mixture import GaussianMixture

# Rows of the inputs that are held at a time, in bytes.
MEMORY = 64 << 20

RECORD = ".gaussmix-score.jsonl"
ENDINGS = {"csv": ".csv", "npy": ".npy", "parquet": ".parquet"}


@dataclass(frozen=True)
class Job:
    """What to write of each row.

    Attributes
    ----------
    model : GaussianMixture
    outputs : tuple of str
        Some of "log_density", "label" and "probability", in this order.
    columns : tuple of str or None
        Columns to read by name or number, None for those of the model.
    header, delimiter : str
        How to read CSV.
    """

    model: GaussianMixture
    outputs: tuple[str, ...]
    columns: tuple[str, ...] | None
    header: str
    delimiter: str

    def digest(self) -> str:
        """A hash of everything that decides the scores of a file."""
        names = getattr(self.model, "feature_names_in_", None)
        options = [
            self.model.covariance_type,
            None if names is None else list(names),
            self.outputs,
            self.columns,
            self.header,
            self.delimiter,
        ]
        content = hashlib.sha256(json.dumps(options).encode())
        for array in (self.model.weights_, self.model.means_, self.model.precisions_cholesky_):
            content.update(f"{array.dtype.str}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def run(
        self, path: str, output: str, on_block: Callable[[Table], object], *, may_be_empty: bool
    ) -> int:
        """Score a file; return its number of rows.

        Parameters
        ----------
        path, output : str
        on_block : callable
            Called with the table after each block.
        may_be_empty : bool
            Whether a table without rows has an output without rows, or is an error.
        """
        with Tables(
            [path],
            header=self.header,
            delimiter=self.delimiter,
            memory=MEMORY,
            allow_nan=self.model.allow_nan,
        ) as tables:
            columns = self._columns_of(tables.first)
            tables.choose(columns)
            fields = self._fields(tables.first.dtype(columns))
            n_rows = 0
            with (
                _tables.writing(output, fields) as writer,
                contextlib.closing(_streamed.pieces(tables, type(self.model).__name__)) as pieces,
            ):
                for piece in pieces:
                    writer.write(*self._scores(piece.X, fields))
                    n_rows += len(piece.X)
                    on_block(tables.first)
                if n_rows == 0 and not may_be_empty:
                    raise TableError(f"{path}: the file has no rows of data")
        return n_rows

    def _scores(self, X: AnyArray, fields: Sequence[Field]) -> list[AnyArray]:
        """What to write of some rows, from one pass over them."""
        wide = self.model.means_.shape[0]
        arrays = [
            np.empty(len(X) if f.columns is None else (len(X), wide), f.dtype) for f in fields
        ]
        kernel_names = {"log_density": "log_density", "label": "labels"}
        given = {
            kernel_names.get(f.name, "responsibilities"): array for f, array in zip(fields, arrays)
        }
        rows = Rows(X, n_threads=self.model.n_threads, allow_nan=self.model.allow_nan)
        scorer = self.model._scorer()
        # The tables have been checked: what is not finite is a missing value.
        if scorer.evaluate(rows, **given, spare=False) is not None:
            for name, array in given.items():
                scorer.fill(name, rows, array, spare=False)
        return arrays

    def _fields(self, dtype: FloatDType) -> list[Field]:
        n_components = self.model.means_.shape[0]
        names = tuple(f"probability_{k}" for k in range(n_components))
        fields = {
            "log_density": Field("log_density", dtype),
            "label": Field("label", np.dtype(np.intp)),
            "probability": Field("probability", dtype, names),
        }
        return [fields[name] for name in self.outputs]

    def _columns_of(self, table: Table) -> list[int]:
        """The 0-based columns the model reads, in its order.

        Those chosen with --columns; else, where both sides have names, those with the model's
        names; else all, which must be as many as the model has.
        """
        n_features = self.model.means_.shape[1]
        names = getattr(self.model, "feature_names_in_", None)
        if self.columns is not None:
            columns = table.resolve(self.columns)
        elif names is not None and table.names:
            return table.resolve_names(list(names))
        else:
            columns = list(range(table.n_columns))
        if len(columns) != n_features:
            raise TableError(
                f"{table.path}: {counted(len(columns), 'column')}, but the model has {n_features}"
                + (f" ({', '.join(names)})" if names is not None else "")
                + ("; choose them with --columns" if self.columns is None else "")
            )
        return columns


# --- a directory of outputs ----------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A file to score, and its output.

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


def parts_of(
    files: Sequence[str], directory: str, kind: str | None, others: Sequence[str]
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
        ending = ENDINGS[kind or _tables.file_format(path)]
        output = os.path.join(directory, Path(path).stem + ending)
        earlier = parts.get(os.path.normcase(output))
        if earlier is not None:
            raise TableError(
                f"{path}: its scores and those of {earlier.path} would both be {output}; score "
                "them into different directories"
            )
        if os.path.realpath(output) in inputs:
            raise TableError(f"{output}: is also an input; give another output directory")
        status = os.stat(path)
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

    def __init__(self, directory: str, file: IO[bytes], digest: str, alone: bool) -> None:
        self._directory = directory
        self._file = file
        self._digest = digest
        self.alone = alone
        file.seek(0)
        lines = file.read().split(b"\n")
        # A line that a crash has cut off is no JSON; the next begins after it.
        self._torn = bool(lines[-1])
        self._entries = {entry["output"]: entry for entry in _entries_of(lines)}

    def is_done(self, part: Part) -> bool:
        """Whether the output is there, as this job wrote it, of this very input."""
        entry = self._entries.get(os.path.basename(part.output))
        return entry is not None and entry == self._entry(part, entry.get("rows"))

    def is_other(self, part: Part) -> bool:
        """Whether the part was done with another model, or other options."""
        entry = self._entries.get(os.path.basename(part.output))
        return entry is not None and entry.get("job") != self._digest

    def add(self, part: Part, n_rows: int) -> None:
        """Note that a part is done."""
        line = json.dumps(self._entry(part, n_rows)).encode() + b"\n"
        try:
            # In one call at the end of the file: lines of two processes do not mix.
            os.write(self._file.fileno(), b"\n" * self._torn + line)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._file.name) from error
        self._torn = False

    def _entry(self, part: Part, n_rows: object) -> dict[str, Any]:
        try:
            status = os.stat(part.output)
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


def _entries_of(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("output"), str):
            yield entry


@contextlib.contextmanager
def working(directory: str, digest: str) -> Iterator[Record]:
    """The record of a directory. Whoever is alone removes unfinished files of earlier processes.

    Parameters
    ----------
    directory : str
    digest : str
        The job's.
    """
    with open(os.path.join(directory, RECORD), "a+b", buffering=0) as file:
        alone = _is_alone(file)
        if alone:
            _persistence.remove_unfinished(directory)
        _share(file)
        yield Record(directory, file, digest, alone)


def _is_alone(file: IO[bytes]) -> bool:
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


def _share(file: IO[bytes]) -> None:
    """Let others see, until the file is closed, that a process is at work."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)
