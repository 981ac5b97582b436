"""Files through a job: one into one output, or many into a directory, one output a file.

With --keep-going a file that fails does not end the run: what is wrong is said at the end, and
outputs of the file that earlier runs have left are removed, so that none looks current.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .._common.text import counted, printable
from .._files.errors import OutputError, TableError
from .._files.tables import writers
from . import keeping, outputs
from .inputs import files_of, load_model
from .jobs import Job
from .messages import progress_bar, say, text_of
from .outputs import Part, Record

# What an output directory that does not exist yet ends in.
_SEPARATORS = ("/", os.sep)


def run_job(args: argparse.Namespace, kind: Callable[..., Job], **what: object) -> None:
    """Read DATA into one output, or each file into an output of its own in a directory.

    Raises
    ------
    TableError, OSError
        For what cannot be read or written, and where a file of a directory has failed.
    """
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
        keep=args.keep,
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
    for option in ("keep_going", "overwrite"):
        if getattr(args, option):
            raise TableError(
                f"{args.output}: --{option.replace('_', '-')} is for the files in an output "
                "directory; leave it out"
            )
    if job.keep:
        keeping.require_room(args.output, "give one that ends in .csv or .parquet")
    writers.check_output(args.output, inputs=[*files, args.model])
    writers.output_format(args.output, or_directory=True)
    started = time.perf_counter()
    with progress_bar(args.quiet) as show_progress:
        n_rows, notes = job.run(files[0], args.output, show_progress, one_of_several=False)
    if not args.quiet:
        for note in notes:
            say(note)
        say(f"{counted(n_rows, 'row')} in {_speed(n_rows, time.perf_counter() - started)}")


@dataclass
class Tally:
    """What has become of the files of a directory.

    Attributes
    ----------
    n_rows, n_files : int
        Of those that are done in this run.
    failures : list of tuple
        The path of each file that has failed, and the reason.
    """

    n_rows: int = 0
    n_files: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, path: str, error: BaseException) -> None:
        """Note that a file has failed; the reason begins with its name, as do most messages."""
        reason = text_of(error)
        named = reason.startswith(printable(path))
        self.failures.append((path, reason if named else f"{path}: {reason}"))


def _run_into_directory(job: Job, files: list[str], args: argparse.Namespace) -> None:
    """Write the outputs of the files that are not done yet."""
    outputs.prepare_directory(args.output, args.data)
    tally, started = Tally(), time.perf_counter()
    unreadable = tally.fail if args.keep_going else None
    parts = outputs.parts_of(files, args.output, args.format, [args.model], unreadable)
    if job.keep:
        for part in parts:
            keeping.require_room(part.output, "add --format csv or --format parquet")
    with outputs.working(args.output, job.digest(args.format)) as record:
        if not args.overwrite:
            record.require_same_options()
        for path, _reason in tally.failures:
            record.discard(path)
        left = [part for part in parts if not record.is_done(part)]
        others = sum(map(record.is_other, left))
        if others:
            say(
                f"{counted(others, 'file')} in {args.output} will be written again: the model is "
                "another now"
            )
        try:
            _run_parts(job, left, record, tally, args, n_before=len(parts) - len(left))
            if not args.quiet:
                _report(tally, len(parts) - len(left), time.perf_counter() - started)
        finally:
            for _path, reason in tally.failures:
                say(f"error: {reason}")
    if tally.failures:
        raise TableError(
            f"{counted(len(tally.failures), 'file')} of {len(files)} failed and "
            f"{'has' if len(tally.failures) == 1 else 'have'} no output; the same command tries "
            "again"
        )


def _run_parts(
    job: Job,
    parts: Sequence[Part],
    record: Record,
    tally: Tally,
    args: argparse.Namespace,
    n_before: int,
) -> None:
    """Write the outputs of these files, of which `n_before` others are done already."""
    for number, part in enumerate(parts, 1):
        about = printable(f"{number}/{len(parts)} {os.path.basename(part.path)}")
        record.begin(part)
        try:
            with progress_bar(args.quiet, about) as show_progress:
                n_rows, notes = job.run(part.path, part.output, show_progress, one_of_several=True)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{n_before + tally.n_files} of {counted(n_before + len(parts), 'file')} are "
                "done; the same command goes on with the others"
            ) from None
        except OutputError:
            raise  # there is no room, or no right to write: so it will be for all others
        except (ValueError, OSError, MemoryError) as error:
            if not args.keep_going:
                raise
            tally.fail(part.path, error)
            record.discard(part.path, part.output)
            continue
        record.add(part, n_rows)
        tally.n_rows += n_rows
        tally.n_files += 1
        if not args.quiet:
            for note in notes:
                say(f"{part.path}: {note}")


def _report(tally: Tally, n_before: int, seconds: float) -> None:
    if tally.n_files:
        message = f"{counted(tally.n_rows, 'row')} of {counted(tally.n_files, 'file')} in "
        message += _speed(tally.n_rows, seconds)
        if n_before:
            message += f"; {counted(n_before, 'file')} had been done before"
        say(message)
    elif not tally.failures:
        say(f"all {counted(n_before, 'file')} had been done before")


def _speed(n_rows: int, seconds: float) -> str:
    return f"{seconds:.3g} s ({n_rows / seconds:,.0f} rows per second)"
