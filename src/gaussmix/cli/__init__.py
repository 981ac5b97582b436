"""The command line: ``gaussmix fit``, ``score``, ``predict``, ``impute`` and others.

    fit              gaussmix fit
    score            gaussmix score and gaussmix predict
    impute           gaussmix impute
    sample           gaussmix sample
    info             gaussmix info
    show_config      gaussmix show-config
    demo             gaussmix demo: the main job on real data
    describe         a model as text
    batches          files through a job: into one output, or into a directory
    jobs             a file read row by row with a model, and what is written of each row
    keeping          columns that an output has as they stand in the file
    outputs          outputs in a directory, and the record of the files that are done
    inputs           the DATA of a command: files and their columns, as one source of rows
    arguments        the parser, and the arguments that several commands have
    values           what the text of an argument is read as
    remedies         what may have been meant by an argument that is refused
    wording          the library's messages in the words of the command line
    messages         what is said on standard error: lines and a progress bar
    process          standard streams and signals

The file of a command adds it to the parser, and has the function of its parsed arguments that
does it. `main` turns what that raises into one line on standard error and an exit status: 0 done,
2 an error, 130 interrupted, 141 the reader has gone, 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence

from .._build_config import VERSION
from .._common.failures import explains_failures
from .._runtime import instruction_sets, openmp
from .._runtime.threads import thread_count
from . import demo, fit, impute, info, messages, process, remedies, sample, score, show_config
from .arguments import Commands, Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; default those of the process.

    Returns
    -------
    int
        The exit status. Wrong usage and ``--help`` raise `SystemExit` as argparse does.
    """
    with process.usable_streams():
        return _run(_parser().parse_args(argv))


def _parser() -> Parser:
    """The parser of the whole command line, to which each command adds itself."""
    parser = Parser(
        prog="gaussmix",
        description="Fit Gaussian mixtures to files of numbers; score files with them, and fill "
        "in what is missing.",
        epilog="Try first: gaussmix demo. Help on one command: gaussmix fit --help",
    )
    parser.add_argument("--version", action="version", version=f"gaussmix {VERSION}")
    commands = Commands(parser)
    fit.add_to(commands)
    score.add_to(commands)
    impute.add_to(commands)
    sample.add_to(commands)
    info.add_to(commands)
    show_config.add_to(commands)
    demo.add_to(commands, main)
    return parser


def _run(args: argparse.Namespace) -> int:
    """Run a parsed command; return its exit status."""
    try:
        with process.termination_as_exception(), warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = messages.show_warning
            _check_environment(args)
            explains_failures(args.run)(args)
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt as exc:
        messages.say(f"interrupted; {exc}" if str(exc) else "interrupted")
        return 130
    except OSError as exc:
        if process.reader_has_gone(exc):
            # Nothing more can be written, not even by the interpreter when it flushes at its end.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        what, remedy = messages.text_of(exc), None
        if isinstance(exc, FileNotFoundError) and isinstance(exc.filename, str):
            remedy = remedies.missing_file(exc.filename, args.given)
        return messages.fail(f"{what}; {remedy}" if remedy else what)
    except (MemoryError, ValueError) as exc:
        # Errors of value are the library's checks of input and parameters, model files and tables.
        return messages.fail(messages.text_of(exc))
    return 0


def _check_environment(args: argparse.Namespace) -> None:
    """Raise `ValueError` for a variable of ours that is wrong, before it is blamed on a file."""
    try:
        instruction_sets.instruction_set()
        openmp.requested_threading()
    except RuntimeError as exc:
        raise ValueError(str(exc)) from exc
    if hasattr(args, "threads"):
        thread_count(args.threads)
