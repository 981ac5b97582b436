"""What is written of the rows of files: into one output, or into a directory, one output a file.

A directory holds, beside the outputs, a record of the files that are done: a line of JSON each,
appended when the output has its name. A command that is run again skips those files, unless the
model, the options, the input or the output are others now. A process that ends at any moment
leaves whole outputs and a record that is right about them; at worst one output has no line yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _files, _streamed, _tables, _writing
from ._draws import Noise
from ._files import TableError
from ._inputs import Tables, is_read_once
from ._messages import counted, listed, plain, shown
from ._rows import Rows
from ._table import MOST_COLUMNS, Table
from ._typing import AnyArray
from ._writing import Field

if TYPE_CHECKING:
    from .mixture import GaussianMixture

# Rows of the inputs that are held at a time, in bytes.
MEMORY = 64 << 20

RECORD = ".gaussmix-score.jsonl"
# The largest record and line of it, in bytes. A line takes some 250, more with long names.
RECORD_LIMIT = 256 << 20
LINE_LIMIT = 64 << 10

ENDINGS = {"csv": ".csv", "npy": ".npy", "parquet": ".parquet"}

# Makes of a block of rows an array for each field of the output.
Make = Callable[[AnyArray], Sequence[AnyArray]]


@dataclass(frozen=True)
class Job:
    """A model, files whose rows it is to read, and what to write of each row: a subclass says.

    Attributes
    ----------
    model : GaussianMixture
    columns : tuple of str or None
        Columns to read by name or number, None for those of the model.
    header, delimiter : str
        How to read CSV.
    """

    model: GaussianMixture
    columns: tuple[str, ...] | None
    header: str
    delimiter: str

    @property
    def allow_nan(self) -> bool:
        """Whether the files may have missing values."""
        return self.model.allow_nan

    @property
    def memory(self) -> int:
        """Bytes for rows of the inputs."""
        return MEMORY

    def options(self) -> list[object]:
        """What decides the output beside the model and how files are read."""
        raise NotImplementedError

    def fields(self, table: Table, columns: Sequence[int]) -> list[Field]:
        """The columns of the output."""
        raise NotImplementedError

    def maker(self, fields: Sequence[Field], own: str | None) -> Make:
        """What makes the output, a block of the rows of one file after the other.

        Parameters
        ----------
        fields : sequence of Field
            As `fields` returns them.
        own : str or None
            The file's name where it is one of several.
        """
        raise NotImplementedError

    def digest(self) -> str:
        """A hash of everything that decides the output of a file."""
        names = getattr(self.model, "feature_names_in_", None)
        options = [
            self.model.covariance_type,
            None if names is None else list(names),
            self.columns,
            self.header,
            self.delimiter,
            *self.options(),
        ]
        content = hashlib.sha256(json.dumps(options).encode())
        for array in (self.model.weights_, self.model.means_, self.model.precisions_cholesky_):
            content.update(f"{array.dtype.str}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def run(
        self, path: str, output: str, on_block: Callable[[Table], object], *, one_of_several: bool
    ) -> int:
        """Read a file and write its output; return its number of rows.

        Parameters
        ----------
        path, output : str
        on_block : callable
            Called with the table after each block.
        one_of_several : bool
            Whether the file is one of a directory: then it may be without rows, and what is random
            differs from file to file.
        """
        with Tables(
            [path],
            header=self.header,
            delimiter=self.delimiter,
            memory=self.memory,
            allow_nan=self.allow_nan,
        ) as tables:
            columns = self._columns_of(tables.first)
            tables.choose(columns)
            fields = self.fields(tables.first, columns)
            make = self.maker(fields, os.path.basename(path) if one_of_several else None)
            n_rows = 0
            with (
                _writing.writing(output, fields) as writer,
                contextlib.closing(_streamed.pieces(tables, type(self.model).__name__)) as pieces,
            ):
                for piece in pieces:
                    writer.write(*make(piece.X))
                    n_rows += len(piece.X)
                    on_block(tables.first)
                if n_rows == 0 and not one_of_several:
                    raise TableError(f"{path}: the file has no rows of data")
        return n_rows

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
                + (f" ({listed([*names], plain, MOST_COLUMNS)})" if names is not None else "")
                + ("; choose them with --columns" if self.columns is None else "")
            )
        return columns


@dataclass(frozen=True)
class Scoring(Job):
    """Scores and labels of rows.

    Attributes
    ----------
    outputs : tuple of str
        Some of "log_density", "label" and "probability", in this order.
    """

    outputs: tuple[str, ...]

    def options(self) -> list[object]:
        return list(self.outputs)

    def fields(self, table: Table, columns: Sequence[int]) -> list[Field]:
        dtype = table.dtype(columns)
        n_components = self.model.means_.shape[0]
        names = tuple(f"probability_{k}" for k in range(n_components))
        fields = {
            "log_density": Field("log_density", dtype),
            "label": Field("label", np.dtype(np.intp)),
            "probability": Field("probability", dtype, names),
        }
        return [fields[name] for name in self.outputs]

    def maker(self, fields: Sequence[Field], own: str | None) -> Make:
        return lambda X: self._scores(X, fields)

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
        # The tables have been checked for values that must not be.
        self.model._scorer().evaluate(rows, **given, spare=False)
        return arrays


@dataclass(frozen=True)
class Imputation(Job):
    """Rows with their missing values filled in, see `GaussianMixture.impute`.

    Attributes
    ----------
    std : bool
        Whether to add the conditional standard deviations.
    n_draws : int or None
        Number of draws, which follow one another for each row; None for conditional means.
    seed : int
        Decides the draws.
    """

    std: bool
    n_draws: int | None
    seed: int

    @property
    def allow_nan(self) -> bool:
        return True

    @property
    def memory(self) -> int:
        return max(1, MEMORY // (self.n_draws or 1))

    def options(self) -> list[object]:
        return ["impute", self.std, self.n_draws, None if self.n_draws is None else self.seed]

    def fields(self, table: Table, columns: Sequence[int]) -> list[Field]:
        dtype = table.dtype(columns)
        names = self._names(table, columns)
        fields = [Field("values", dtype, names)]
        if self.std:
            fields.append(Field("std", dtype, tuple(f"{name}_std" for name in names)))
        if self.n_draws is not None:
            fields = [Field(name, np.dtype(np.int64)) for name in ("row", "draw")] + fields
        added = {name for f in fields if f.name != "values" for name in f.column_names}
        if taken := [name for name in names if name in added]:
            raise TableError(
                f"{table.path}: a column is named {shown(taken[0])}, as one that would be added; "
                "rename it first"
            )
        return fields

    def _names(self, table: Table, columns: Sequence[int]) -> tuple[str, ...]:
        """What the columns are called: in the file, else in the model, else by their numbers."""
        if table.names:
            return tuple(table.names[column] for column in columns)
        names = getattr(self.model, "feature_names_in_", None)
        return tuple(f"x{j + 1}" for j in range(len(columns))) if names is None else tuple(names)

    def maker(self, fields: Sequence[Field], own: str | None) -> Make:
        noise = None
        if self.n_draws is not None:
            noise = Noise.seeded(
                self.n_draws, self.model._seed(self.seed), *os.fsencode(own or "")
            )
        first = 0

        def make(X: AnyArray) -> Sequence[AnyArray]:
            nonlocal first
            number = np.arange(first, first + len(X))
            own_noise = None if noise is None else noise.after(first)
            first += len(X)
            values, *deviations = self.model._completed(X, own_noise, return_std=self.std)
            if noise is None:
                return [values, *deviations]
            return [
                np.repeat(number, noise.n_draws),
                np.tile(np.arange(noise.n_draws), len(X)),
                values.swapaxes(0, 1).reshape(-1, X.shape[1]),
            ]

        return make


# --- a directory of outputs ----------------------------------------------------------------------


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

    def __init__(self, directory: str, file: FileIO, digest: str, alone: bool) -> None:
        self._directory = directory
        self._file = file
        self._digest = digest
        self.alone = alone
        self._entries, self._torn = _read_record(file)

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
    return entry if is_sound else None


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
    with _files.open_to_append(os.path.join(directory, RECORD)) as file:
        alone = _is_alone(file)
        if alone:
            _files.remove_unfinished(directory)
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
