"""Files read row by row with a model: into one output, or into a directory, one output a file.

A command's subclass of `Job` says what is written of each row.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .._common.text import counted, listed, plain, printable
from .._common.typing import AnyArray
from .._files.errors import TableError
from .._files.tables import writers
from .._files.tables.base import Table
from .._files.tables.choosing import MOST_COLUMNS
from .._files.tables.writers import Field
from .._rows import streamed
from ..mixture import GaussianMixture
from . import outputs
from .inputs import Tables, chosen_columns, files_of, load_model
from .messages import progress_bar, say

# Rows of the inputs that are held at a time, in bytes.
MEMORY = 64 << 20

# What an output directory that does not exist yet ends in.
_SEPARATORS = ("/", os.sep)

# Makes of a block of rows an array for each field of the output.
Make = Callable[[AnyArray], Sequence[AnyArray]]


@dataclass(frozen=True)
class Job:
    """A model, files whose rows it is to read, and what to write of each row: a subclass says.

    Attributes
    ----------
    model : GaussianMixture
    columns : tuple of str or None
        Columns to read, None for those of the model.
    exclude : tuple of str or None
        Columns not to read.
    header, delimiter : str
        How to read CSV.
    na_values : tuple of str
        Words that are missing values there.
    """

    model: GaussianMixture
    columns: tuple[str, ...] | None
    exclude: tuple[str, ...] | None
    header: str
    delimiter: str
    na_values: tuple[str, ...]

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
            self.exclude,
            self.header,
            self.delimiter,
            self.na_values,
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
            na_values=self.na_values,
            memory=self.memory,
            allow_nan=self.allow_nan,
        ) as tables:
            columns = self._columns_of(tables.first)
            tables.choose(columns)
            fields = self.fields(tables.first, columns)
            make = self.maker(fields, os.path.basename(path) if one_of_several else None)
            n_rows = 0
            with (
                writers.writing(output, fields) as writer,
                contextlib.closing(streamed.pieces(tables, type(self.model).__name__)) as pieces,
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
        names; else all. But for the model's names those of --exclude are left out, and as many
        must be left as the model has.
        """
        n_features = self.model.means_.shape[1]
        names = getattr(self.model, "feature_names_in_", None)
        columns = chosen_columns(table, self.columns, self.exclude)
        if self.columns is None and names is not None and table.names:
            needed = table.resolve_names(list(names))
            for index in needed:
                if index not in columns:
                    raise TableError(
                        f"{table.path}: {table.column_text(index)} is one that the model needs; "
                        "leave it out of --exclude"
                    )
            return needed
        if len(columns) != n_features:
            raise TableError(
                f"{table.path}: {counted(len(columns), 'column')}, but the model has {n_features}"
                + (f" ({listed([*names], plain, MOST_COLUMNS)})" if names is not None else "")
                + ("; choose them with --columns" if self.columns is None else "")
            )
        return columns


def run_job(args: argparse.Namespace, kind: Callable[..., Job], **what: object) -> None:
    """Read DATA into one output, or each file into an output of its own in a directory."""
    files = files_of(args.data)
    model = load_model(args.model, args.command, args.data)
    model.n_threads = args.threads
    job = kind(
        model=model,
        columns=args.columns,
        exclude=args.exclude,
        header=args.header,
        delimiter=args.delimiter,
        na_values=args.na_values,
        **what,
    )
    if os.path.isdir(args.output) or args.output.endswith(_SEPARATORS):
        _run_into_directory(job, files, args)
        return
    if len(files) > 1:
        where = "DIRECTORY" if args.output == "-" else args.output
        raise TableError(
            f"{counted(len(files), 'file')} of DATA have an output each; give a directory, "
            f"-o {where}{os.sep}"
        )
    if args.format is not None:
        raise TableError(
            f"{args.output}: the name of an output file decides its format; --format is for "
            "the files in an output directory"
        )
    writers.check_output(args.output, inputs=[*files, args.model])
    writers.output_format(args.output, or_directory=True)
    started = time.perf_counter()
    with progress_bar(args.quiet) as show_progress:
        n_rows = job.run(files[0], args.output, show_progress, one_of_several=False)
    if not args.quiet:
        say(f"{counted(n_rows, 'row')} in {_speed(n_rows, time.perf_counter() - started)}")


def _run_into_directory(job: Job, files: list[str], args: argparse.Namespace) -> None:
    """Write the outputs of the files that are not done yet."""
    outputs.prepare_directory(args.output, args.data)
    parts = outputs.parts_of(files, args.output, args.format, others=[args.model])
    n_rows, started = 0, time.perf_counter()
    with outputs.working(args.output, job.digest()) as record:
        left = [part for part in parts if not record.is_done(part)]
        others = sum(map(record.is_other, left))
        if others:
            say(
                f"{counted(others, 'file')} in {args.output} will be written again: the model or "
                "the options are others now"
            )
        for number, part in enumerate(left, 1):
            about = printable(f"{number}/{len(left)} {os.path.basename(part.path)}")
            try:
                with progress_bar(args.quiet, about) as show_progress:
                    done = job.run(part.path, part.output, show_progress, one_of_several=True)
            except KeyboardInterrupt:
                n_done = len(parts) - len(left) + number - 1
                raise KeyboardInterrupt(
                    f"{n_done} of {counted(len(parts), 'file')} are done; the same command goes "
                    "on with the others"
                ) from None
            record.add(part, done)
            n_rows += done
    if args.quiet:
        return
    message = f"{counted(n_rows, 'row')} of {counted(len(left), 'file')} in "
    message += _speed(n_rows, time.perf_counter() - started)
    if len(left) < len(parts):
        message += f"; {counted(len(parts) - len(left), 'file')} had been done before"
    say(message if left else f"all {counted(len(parts), 'file')} had been done before")


def _speed(n_rows: int, seconds: float) -> str:
    return f"{seconds:.3g} s ({n_rows / seconds:,.0f} rows per second)"
