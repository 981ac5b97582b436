"""The parser, and the arguments and the help that several commands have."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .._files.tables.csv import DELIMITERS
from . import outputs, remedies, values
from .messages import say

DATA_FORMATS = """\
DATA is one or several of
  CSV        text, UTF-8 or UTF-16, also compressed, as data.csv.gz; header
             and delimiter are detected; "-" reads it from standard input
  .npy       a NumPy array of rows and columns
  Parquet    with pip install 'gaussmix[parquet]'
or a directory of such files, or a pattern in quotes, 'data/*.parquet'.
Columns are chosen by name, by number from 1, by ranges in the order of the
file, and by patterns in quotes: --columns waiting,3,a:d,7:9,'temp*'. --exclude
takes the same, for columns not to use.
Messages count rows and columns from 1; in a CSV file the row is the line
number, header included.
"""

OUTPUT_FORMATS = """\
The name of the output decides its format: .csv, .npy or .parquet; "-", the
default, writes CSV to standard output. The file appears when it is complete:
after an error or Ctrl-C an existing file is as it was.
"""

DIRECTORY_OUTPUT = """\
Where -o is a directory, or ends with "/", each file has an output there of
its own name. Run again after a crash, the same command goes on: a file is
done if its output is as it was written and the model and the size and time of
the input are the same; else it is written again. Outputs of another command or
of other options are an error without --overwrite. With --keep-going a file that
fails leaves no output, nor one of an earlier run; what failed is listed at the
end, with status 2.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others, and say what was meant.

    Attributes
    ----------
    example : str or None
        A command to copy, with which the help begins.
    """

    example: str | None = None
    given: Sequence[str] = ()

    def parse_args(  # type: ignore[override]  # overloads for every kind of namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """As argparse does it; of words that are left over the parser of the command tells."""
        parsed, left = self.parse_known_args(args, namespace)
        if left:
            parsed.parser.error(f"unrecognized arguments: {' '.join(left)}")
        parsed.given = self.given
        del parsed.parser  # large, and of no use to the command
        return parsed

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        self.given = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        example = f"example: {self.example}\n\n" if self.example else ""
        return example + super().format_help()

    def error(self, message: str) -> NoReturn:
        flags = {flag for flag in self._option_string_actions if flag.startswith("-")}
        message = remedies.remedied(message, self.given, sorted(flags), self.usage_of_files())
        say(f"error: {message} (see {self.prog} --help)")
        raise SystemExit(2)

    def usage_of_files(self) -> str:
        """The command with its arguments that are no options: "gaussmix score MODEL DATA"."""
        names = [str(action.metavar or action.dest) for action in self._get_positional_actions()]
        return " ".join([self.prog, *names])


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help that names an option's value once, ``-o, --output FILE``, as from Python 3.13 on."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Commands:
    """The commands of a parser, each with one of its own."""

    def __init__(self, parser: Parser) -> None:
        self._parsers = parser.add_subparsers(
            metavar="COMMAND", required=True, parser_class=Parser
        )

    def add(
        self,
        name: str,
        run: Callable[[argparse.Namespace], None],
        help: str,
        description: str,
        epilog: str = "",
        *,
        example: str,
    ) -> Parser:
        """The parser of a new command, which `run` does; the help begins with the example."""
        added = self._parsers.add_parser(
            name,
            help=help,
            description=description,
            epilog=epilog,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        added.example = example
        added.set_defaults(run=run, parser=added, command=added.prog)
        return added


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="model file, as written by fit")


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_argument(parser)
    parser.add_argument("data", metavar="DATA", nargs="+", help="files with the rows")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        default="-",
        help="file or directory/ to write (default: CSV to stdout)",
    )
    parser.add_argument(
        "--format",
        choices=list(outputs.ENDINGS),
        help="of the files in an output directory (default: that of the input)",
    )
    _add_directory_arguments(parser)
    add_table_arguments(parser, "in the model's order (default: by the model's names)")
    parser.add_argument(
        "--keep",
        metavar="A,B,...",
        type=values.column_list,
        default=(),
        help="columns of any type to write as they stand in DATA, '*' for all; CSV and Parquet "
        "only",
    )
    add_threads_argument(parser)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress bar and no rows per second"
    )


def _add_directory_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="in a directory: do the other files when one fails, and report at the end",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="in a directory: write over outputs of another command or other options",
    )


def add_table_arguments(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument(
        "--columns", metavar="A,B,...", type=values.column_list, help=f"columns to use, {which}"
    )
    parser.add_argument(
        "--exclude", metavar="A,B,...", type=values.column_list, help="columns not to use"
    )
    parser.add_argument(
        "--header",
        choices=["auto", "yes", "no"],
        default="auto",
        help="whether a CSV file begins with column names (default: %(default)s)",
    )
    parser.add_argument(
        "--delimiter",
        metavar="C",
        default="auto",
        help=f"between the fields of a CSV file: a character, {', '.join(DELIMITERS)} "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--na-values",
        metavar="A,B,...",
        type=values.word_list,
        default=(),
        help="words that are missing values in CSV, beside NA, nan and others; "
        "--na-values=-999 for one that begins with a hyphen",
    )


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads",
        metavar="N",
        type=values.whole_number(1),
        help="threads to use (default: the CPUs this process may use)",
    )


def add_seed_argument(
    parser: argparse.ArgumentParser, default: int | None, shown: str = "a new one every time"
) -> None:
    shown = shown if default is None else str(default)
    parser.add_argument(
        "--seed",
        metavar="N",
        type=values.whole_number(0, 2**32 - 1),
        default=default,
        help=f"seed of the random numbers (default: {shown})",
    )
