"""The command line: ``gaussmix fit``, ``score``, ``predict``, ``impute`` and others.

Each command is a function of its parsed arguments; `main` turns what it raises into one line on
standard error and an exit status: 0 done, 2 an error, 130 interrupted, 141 the reader has gone,
143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import errno
import importlib.util
import io
import json
import math
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn

import numpy as np

from gaussmix import (
    __version__,
    _csv,
    _demo,
    _draws,
    _inputs,
    _jobs,
    _runtime,
    _streamed,
    _validation,
    _writing,
)
from gaussmix._files import TableError
from gaussmix._inputs import Tables
from gaussmix._messages import VALUE_LENGTH, counted, plain, printable, shown
from gaussmix._row_sum import RowSum
from gaussmix._settings import SETTINGS, Option
from gaussmix._table import Table
from gaussmix._typing import AnyArray, Collapse, Doubles, Floats
from gaussmix._validation import says_memory_error
from gaussmix._writing import Field
from gaussmix.mixture import GaussianMixture, load

# Rows are drawn in blocks of about this size.
BLOCK_BYTES = 16 << 20
MAX_BLOCK_ROWS = 1 << 17

# The least that `fit --memory` may be.
LEAST_MEMORY = 1_000_000

# What an output directory that does not exist yet ends in.
_SEPARATORS = ("/", os.sep)

# Characters of a message.
MOST_CHARACTERS = 2000

# Collapsed components that are listed under a model, a line each.
MOST_COLLAPSES = 5

DATA_FORMATS = """\
DATA is one or several of
  CSV        text, UTF-8 or UTF-16; header and delimiter are detected;
             "-" reads it from standard input
  .npy       a NumPy array of rows and columns
  Parquet    with pip install 'gaussmix[parquet]'
or a directory of such files, or a pattern in quotes, 'data/*.parquet'.
Columns are chosen by name, or by number from 1: --columns waiting,3.
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
done if its output is as it was written and the model, the options and the
size and time of the input are the same; else it is written again.
"""


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
    with _usable_streams():
        return _run(_parser().parse_args(argv))


def _run(args: argparse.Namespace) -> int:
    """Run a parsed command; return its exit status."""
    try:
        with _termination_as_exception(), warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            _check_environment(args)
            says_memory_error(args.run)(args)
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt as exc:
        _say(f"interrupted; {exc}" if str(exc) else "interrupted")
        return 130
    except OSError as exc:
        if _reader_has_gone(exc):
            # Nothing more can be written, not even by the interpreter when it flushes at its end.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        name = os.fsdecode(exc.filename) if isinstance(exc.filename, bytes) else exc.filename
        where = f"{name or repr(name)}: " if name is not None else ""
        return _fail(where + (exc.strerror or str(exc)))
    except MemoryError as exc:
        return _fail(f"out of memory; {exc}" if str(exc) else "out of memory")
    except ValueError as exc:
        # The library's checks of input and parameters, model files and tables.
        return _fail(str(exc))
    return 0


def _check_environment(args: argparse.Namespace) -> None:
    """Raise `ValueError` for a variable of ours that is wrong, before it is blamed on a file."""
    try:
        _runtime.instruction_set()
    except RuntimeError as exc:
        raise ValueError(str(exc)) from exc
    if hasattr(args, "threads"):
        _runtime.thread_count(args.threads)


# --- fit ---------------------------------------------------------------------------------------


def _fit(args: argparse.Namespace) -> None:
    if args.output == "-":
        raise TableError("-: a model cannot be written to standard output; give a file name")
    files = _inputs.files_of(args.data)
    _writing.check_output(args.output, inputs=files)
    if not args.output.endswith(".npz"):
        raise TableError(f"{args.output}: the name of a model file must end in .npz")
    settings = {name: getattr(args, name) for name in _optional_settings()}
    model = GaussianMixture(
        args.components,
        random_state=args.seed,
        verbose=args.verbose,
        n_threads=args.threads,
        **settings,
    )
    with Tables(
        files,
        header=args.header,
        delimiter=args.delimiter,
        memory=args.memory,
        allow_nan=args.allow_nan,
    ) as tables:
        columns, weight_column = _fit_columns(tables.first, args)
        tables.choose(columns, weight_column)
        loaded = tables.load()
        X, sample_weight = (tables, None) if loaded is None else loaded
        if loaded is None:
            _announce_stream(tables, model)
        started = time.perf_counter()
        with tables.naming_columns(_say):
            model.fit(X, sample_weight=sample_weight)
        seconds = time.perf_counter() - started
        model.verbose = args.verbose
        # Before the model learns the names: it would warn about rows that come without any.
        quality = _quality(model, X, sample_weight, tables)
        if tables.first.names:
            names = [tables.first.names[column] for column in columns]
            model.feature_names_in_ = np.array(names, dtype=object)
    model.save(args.output)

    print(f"{tables.n_rows:,} rows fitted in {seconds:.3g} s\n")
    print(describe(model))
    print()
    for name, value in quality.items():
        print(f"{name + ':':<16}{value:>16,.4f}")
    print(f"\nwrote {printable(args.output)}")


def _announce_stream(tables: Tables, model: GaussianMixture) -> None:
    """Show progress on a terminal, and say what text costs that is parsed in every iteration."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        model.verbose = max(1, model.verbose)
    if tables.rereads_text:
        _say(
            f"{tables}: the rows take more than half of --memory, so the text is parsed anew "
            "in every iteration; a larger --memory, or Parquet, is faster"
        )


def _fit_columns(table: Table, args: argparse.Namespace) -> tuple[list[int], int | None]:
    """The 0-based columns to fit, and the one with the weights: all others by default."""
    weight_column = None
    if args.weights is not None:
        weight_column = table.resolve([args.weights])[0]
    if args.columns is not None:
        columns = table.resolve(args.columns)
        if weight_column in columns:
            raise TableError(
                f"{table.path}: {table.column_text(weight_column)} is given both to --columns "
                f"and to --weights"
            )
    else:
        columns = [c for c in range(table.n_columns) if c != weight_column]
        if table.names and table.names[0] == "" and 0 in columns:
            _say(
                f"warning: {table.path}: column 1 has no name, as the index in a file of pandas, "
                f"and is used as a feature; if it is none, choose the others with --columns"
            )
    if not columns:
        raise TableError(f"{table.path}: no column is left beside the weights")
    return columns, weight_column


def _quality(
    model: GaussianMixture, X: Floats | Tables, sample_weight: Doubles | None, tables: Tables
) -> dict[str, float]:
    """Log-likelihood, BIC and AIC; the criteria only where a row counts as one observation."""
    if tables.weighted:
        return {"log-likelihood": _weighted_log_likelihood(model, X, sample_weight)}
    n_rows = tables.n_rows or 0
    log_likelihood = float(model.score(X)) * n_rows
    n_parameters = model.n_parameters()
    return {
        "log-likelihood": log_likelihood,
        "BIC": n_parameters * math.log(n_rows) - 2 * log_likelihood,
        "AIC": 2 * n_parameters - 2 * log_likelihood,
    }


def _weighted_log_likelihood(
    model: GaussianMixture, X: Floats | Tables, sample_weight: Doubles | None
) -> float:
    pieces: Iterable[tuple[AnyArray, Doubles | None]]
    if isinstance(X, Tables):
        parts = _streamed.pieces(X, type(model).__name__)
        pieces = ((part.X, part.weight) for part in parts)
    else:
        pieces = [(X, sample_weight)]
    total = RowSum()
    for rows, weight in pieces:
        assert weight is not None
        total.add(weight * model.score_samples(rows))
    return total.total()


# --- score, predict and impute -------------------------------------------------------------------


def _score(args: argparse.Namespace) -> None:
    wanted = ["log_density"]
    wanted += ["label"] if args.labels else []
    wanted += ["probability"] if args.probabilities else []
    _run_job(args, _jobs.Scoring, outputs=tuple(wanted))


def _predict(args: argparse.Namespace) -> None:
    _run_job(args, _jobs.Scoring, outputs=("label",))


def _impute(args: argparse.Namespace) -> None:
    if args.seed is not None and args.draws is None:
        raise ValueError(
            f"--seed {args.seed} decides what --draws draws, and there is no --draws. Give it as "
            "well, or leave --seed out."
        )
    seed = 0 if args.seed is None else args.seed
    _run_job(args, _jobs.Imputation, std=args.std, n_draws=args.draws, seed=seed)


def _run_job(args: argparse.Namespace, kind: Callable[..., _jobs.Job], **what: object) -> None:
    """Read DATA into one output, or each file into an output of its own in a directory."""
    files = _inputs.files_of(args.data)
    model = load(args.model)
    model.n_threads = args.threads
    columns = None if args.columns is None else tuple(args.columns)
    job = kind(model, columns, args.header, args.delimiter, **what)
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
    _writing.check_output(args.output, inputs=[*files, args.model])
    started = time.perf_counter()
    with _progress_bar(args.quiet) as show_progress:
        n_rows = job.run(files[0], args.output, show_progress, one_of_several=False)
    if not args.quiet:
        _say(f"{counted(n_rows, 'row')} in {_speed(n_rows, time.perf_counter() - started)}")


def _run_into_directory(job: _jobs.Job, files: list[str], args: argparse.Namespace) -> None:
    """Write the outputs of the files that are not done yet."""
    _jobs.prepare_directory(args.output, args.data)
    parts = _jobs.parts_of(files, args.output, args.format, others=[args.model])
    n_rows, started = 0, time.perf_counter()
    with _jobs.working(args.output, job.digest()) as record:
        left = [part for part in parts if not record.is_done(part)]
        others = sum(map(record.is_other, left))
        if others:
            _say(
                f"{counted(others, 'file')} in {args.output} will be written again: the model or "
                "the options are others now"
            )
        for number, part in enumerate(left, 1):
            about = printable(f"{number}/{len(left)} {os.path.basename(part.path)}")
            try:
                with _progress_bar(args.quiet, about) as show_progress:
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
    _say(message if left else f"all {counted(len(parts), 'file')} had been done before")


def _speed(n_rows: int, seconds: float) -> str:
    return f"{seconds:.3g} s ({n_rows / seconds:,.0f} rows per second)"


@contextlib.contextmanager
def _progress_bar(quiet: bool, about: str | None = None) -> Iterator[Callable[[Table], object]]:
    """A bar on a terminal where tqdm is installed; yields what to call after each block."""
    if sys.stderr.isatty() and not quiet:
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            with contextlib.ExitStack() as stack:
                bars: list[tqdm[object]] = []

                def show(table: Table) -> None:
                    if not bars:
                        total = table.size or None
                        bar = tqdm(
                            desc=about, total=total, unit=table.unit, unit_scale=True,
                            leave=False, file=sys.stderr,
                        )  # fmt: skip
                        bars.append(stack.enter_context(bar))
                    bars[0].update(table.position - bars[0].n)

                yield show
            return
    yield lambda table: None


# --- sample ------------------------------------------------------------------------------------


def _sample(args: argparse.Namespace) -> None:
    model = load(args.model)
    _writing.check_output(args.output, inputs=[args.model])
    n_features = model.means_.shape[1]
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j + 1}" for j in range(n_features)]
    fields = [Field("rows", model.means_.dtype, tuple(names))]
    if args.labels:
        fields.append(Field("label", np.dtype(np.intp)))
    n_rows = max(1, min(BLOCK_BYTES // (8 * n_features), MAX_BLOCK_ROWS))
    parameters = model._parameters()
    key = _draws.key_from(_validation.check_random_state(args.seed))
    with _writing.writing(args.output, fields) as writer:
        for start in range(0, args.rows, n_rows):
            rows, labels = model._new_sample(parameters, min(n_rows, args.rows - start))
            _draws.draw(parameters, key, start, rows, labels, model.n_threads)
            writer.write(rows, *([labels] if args.labels else []))


# --- info, show-config, demo -------------------------------------------------------------------


def _info(args: argparse.Namespace) -> None:
    _writing.require_standard_output()
    model = load(args.model)
    if not args.json:
        print(describe(model))
        return
    names = getattr(model, "feature_names_in_", None)
    lower_bound = float(model.lower_bound_)
    content = {
        "n_components": model.means_.shape[0],
        "n_features": model.means_.shape[1],
        "covariance_type": model.covariance_type,
        "n_parameters": int(model.n_parameters()),
        "feature_names": None if names is None else list(names),
        "allow_nan": bool(model.allow_nan),
        "converged": bool(model.converged_),
        "n_iter": int(model.n_iter_),
        "lower_bound": lower_bound if math.isfinite(lower_bound) else None,
        "collapses": model.collapses_,
        "weights": model.weights_.tolist(),
        "means": model.means_.tolist(),
        "covariances": model.covariances_.tolist(),
    }
    print(json.dumps(content, indent=2))


def describe(model: GaussianMixture, width: int = 80) -> str:
    """Return a model as text: its kind, how the fit ended, and a table of the components."""
    n_components, n_features = model.means_.shape
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"column {j + 1}" for j in range(n_features)]
    kind = (
        f"{counted(n_components, 'component')}, {counted(n_features, 'column')}, "
        f"{model.covariance_type} covariance, {counted(model.n_parameters(), 'parameter')}"
    )
    if model.allow_nan:
        kind += "\nmissing values are allowed"
    if model.n_iter_ == 0:
        state = "parameters as given, without an iteration of EM"
    else:
        state = (
            f"{'converged' if model.converged_ else 'did not converge'} after "
            f"{counted(int(model.n_iter_), 'iteration')}, "
            f"lower bound {float(model.lower_bound_):.6f} per row"
        )
    state = "\n".join([state, *map(_collapse_line, model.collapses_[:MOST_COLLAPSES])])
    if len(model.collapses_) > MOST_COLLAPSES:
        more = counted(len(model.collapses_) - MOST_COLLAPSES, "more collapse")
        state += f"\n{more}: info --json"
    table = [
        ["component", *map(str, range(n_components))],
        ["weight", *(f"{weight:.4f}" for weight in model.weights_)],
    ]
    deviations = _standard_deviations(model)
    used = sum(map(_width, table)) + 2
    shown = 0
    for j, name in enumerate(names):
        cells = [
            f"{_digits(m, 5)} ({_digits(s, 3)})"
            for m, s in zip(model.means_[:, j], deviations[:, j])
        ]
        column = [plain(str(name), VALUE_LENGTH), *cells]
        used += 2 + _width(column)
        if used > width and shown:
            break
        table.append(column)
        shown += 1
    widths = list(map(_width, table))
    rows = ["  ".join(cell.rjust(w) for cell, w in zip(cells, widths)) for cells in zip(*table)]
    rest = f"; {n_features - shown:,} more columns: info --json" if shown < n_features else ""
    legend = f"each column: mean (standard deviation){rest}"
    return "\n".join([kind, state, "", *rows, "", legend])


def _collapse_line(collapse: Collapse) -> str:
    """What became of a component that collapsed; components are counted as in the table."""
    done = {"drop": "dropped", "reseed": "placed anew"}[collapse["action"]]
    when = f"iteration {collapse['iteration']}" if collapse["iteration"] else "the start"
    return (
        f"component {collapse['component']} collapsed in {when} with "
        f"{collapse['effective_rows']:.3g} effective rows and was {done}"
    )


def _digits(value: float, number: int) -> str:
    """Write a value with so many significant digits, zeros at the end included."""
    return f"{value:#.{number}g}".rstrip(".")


def _width(cells: Sequence[str]) -> int:
    return max(map(len, cells))


def _standard_deviations(model: GaussianMixture) -> Floats:
    """Standard deviation of every component in every column, (K, d)."""
    deviations: Floats = np.sqrt(
        np.broadcast_to(model._parameters().variances, model.means_.shape)
    )
    return deviations


def _show_config(args: argparse.Namespace) -> None:
    _writing.require_standard_output()
    _runtime.show_config()


def _run_demo(args: argparse.Namespace) -> None:
    _demo.run(args.directory, main)


# --- the parser --------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        _say(f"error: {message} (see {self.prog} --help)")
        raise SystemExit(2)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help that names an option's value once, ``-o, --output FILE``, as from Python 3.13 on."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gaussmix",
        description="Fit Gaussian mixtures to files of numbers; score files with them, and fill "
        "in what is missing.",
        epilog="Try first: gaussmix demo. Help on one command: gaussmix fit --help",
    )
    parser.add_argument("--version", action="version", version=f"gaussmix {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    def command(
        name: str,
        run: Callable[[argparse.Namespace], None],
        help: str,
        description: str,
        epilog: str = "",
    ) -> _Parser:
        added = commands.add_parser(
            name,
            help=help,
            description=description,
            epilog=epilog,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(run=run)
        return added

    _add_fit_arguments(
        command(
            "fit",
            _fit,
            "fit a mixture to files and save the model",
            "Fit a Gaussian mixture to the rows of all DATA and save the model. Rows that\n"
            "take more than half of --memory are read anew in every iteration, with the\n"
            "same result.",
            f"{DATA_FORMATS}All files must have the same columns.\n",
        )
    )
    score = command(
        "score",
        _score,
        "write the log-density of every row",
        "Write the log-density of every row of DATA under a saved model, a block of\n"
        "rows at a time: the memory used does not grow with the file. A model fitted\n"
        "to named columns finds them by their names.",
        f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}\n"
        "A .npy output of log-densities alone is a plain array; with labels or\n"
        "probabilities it is a structured array with the fields log_density, label\n"
        "and probability.\n",
    )
    _add_scoring_arguments(score)
    score.add_argument("--labels", action="store_true", help="add each row's likeliest component")
    score.add_argument(
        "--probabilities", action="store_true", help="add each row's probability of each component"
    )
    predict = command(
        "predict",
        _predict,
        "write the likeliest component of every row",
        "Write the number, from 0, of the likeliest component of every row of DATA.\n"
        "The memory used does not grow with the file.",
        f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}",
    )
    _add_scoring_arguments(predict)
    _add_impute_arguments(
        command(
            "impute",
            _impute,
            "fill in missing values",
            "Write the columns of a saved model with their missing values filled in: empty\n"
            "fields, NA, nan and nulls. In their place come means given the other values of\n"
            "the row, or draws. Rows keep their order; other columns of DATA are left out.\n"
            "The memory used does not grow with the file.",
            f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}\n"
            "With --draws N the output has N rows for each row of DATA, one after the other,\n"
            "and begins with the columns row and draw, both counted from 0. The same seed\n"
            "gives the same draws; in a directory they differ from file to file.\n\n"
            "A .npy output is a plain array; with --std or --draws it is a structured array\n"
            "with the fields row, draw, values and std, those that there are.\n",
        )
    )
    _add_sample_arguments(
        command(
            "sample",
            _sample,
            "draw rows from a model",
            "Draw random rows from a saved model.",
            f"{OUTPUT_FORMATS}\n"
            "A .npy output with labels is a structured array with the fields rows and\n"
            "label.\n",
        )
    )
    info = command("info", _info, "describe a saved model", "Describe a saved model.")
    info.add_argument("model", metavar="MODEL", help="model file, as written by fit")
    info.add_argument("--json", action="store_true", help="print everything, as JSON")
    command(
        "show-config",
        _show_config,
        "print how gaussmix was built and what it uses here",
        "Print the version, compiler, instruction sets and threads.\n"
        "Please add this to a bug report.",
    )
    demo = command(
        "demo",
        _run_demo,
        "see the main job done on real data",
        "Fit the eruptions of Old Faithful, choose the number of components, save the\n"
        "model and score the file, and show the commands and the Python that do it.",
    )
    demo.add_argument(
        "directory",
        metavar="DIRECTORY",
        nargs="?",
        help="where to leave the data, the model and the scores (default: nowhere)",
    )
    return parser


def _optional_settings() -> dict[str, Option]:
    """The constructor parameters that are options by their own name."""
    return {name: setting.option for name, setting in SETTINGS.items() if setting.option}


def _add_setting(fit: argparse.ArgumentParser, name: str, option: Option) -> None:
    flag = f"--{name.replace('_', '-')}"
    if option.kind == "flag":
        fit.add_argument(flag, action="store_true", help=option.help)
        return
    default = SETTINGS[name].default
    if option.kind == "choice":
        fit.add_argument(flag, choices=option.choices, default=default, help=option.help)
        return
    reads: dict[str, Callable[[str], float]] = {
        "whole": _whole(option.minimum), "number": _number_from_zero, "fraction": _fraction,
    }  # fmt: skip
    metavar = "N" if option.kind == "whole" else "X"
    fit.add_argument(
        flag, metavar=metavar, type=reads[option.kind], default=default, help=option.help
    )


def _add_fit_arguments(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("data", metavar="DATA", nargs="+", help="files with the rows to fit")
    fit.add_argument(
        "-k",
        "--components",
        metavar="K",
        type=_whole(1),
        required=True,
        help="number of components",
    )
    fit.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="model file to write, as model.npz"
    )
    _add_table_arguments(fit, "by name or by number from 1 (default: all)")
    fit.add_argument("--weights", metavar="COLUMN", help="column with the weight of each row")
    fit.add_argument(
        "--memory",
        metavar="SIZE",
        type=_memory,
        default="256MB",
        help="for rows, as 500MB or 2GiB (default: %(default)s)",
    )
    for name, option in _optional_settings().items():
        _add_setting(fit, name, option)
    _add_seed_argument(fit, 0)
    _add_threads_argument(fit)
    fit.add_argument(
        "-v", "--verbose", action="count", default=0, help="report iterations; twice: with times"
    )


def _add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="model file, as written by fit")
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
        choices=list(_jobs.ENDINGS),
        help="of the files in an output directory (default: that of the input)",
    )
    _add_table_arguments(parser, "in the model's order (default: by the model's names)")
    _add_threads_argument(parser)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress bar and no rows per second"
    )


def _add_impute_arguments(impute: argparse.ArgumentParser) -> None:
    _add_scoring_arguments(impute)
    kind = impute.add_mutually_exclusive_group()
    kind.add_argument(
        "--std",
        action="store_true",
        help="add columns NAME_std: standard deviations given the row, 0 where nothing is missing",
    )
    kind.add_argument(
        "--draws",
        metavar="N",
        type=_whole(1),
        help="draw what is missing so many times (default: its mean)",
    )
    _add_seed_argument(impute, None, shown="0; with --draws only")


def _add_sample_arguments(sample: argparse.ArgumentParser) -> None:
    sample.add_argument("model", metavar="MODEL", help="model file, as written by fit")
    sample.add_argument(
        "-n", "--rows", metavar="N", type=_whole(1), required=True, help="how many rows"
    )
    sample.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="file to write (default: CSV to stdout)",
    )
    sample.add_argument("--labels", action="store_true", help="add each row's component")
    _add_seed_argument(sample, None)


def _add_table_arguments(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument(
        "--columns", metavar="A,B,...", type=_column_list, help=f"columns to use, {which}"
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
        help=f"between the fields of a CSV file: a character, {', '.join(_csv.DELIMITERS)} "
        "(default: %(default)s)",
    )


def _add_threads_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads",
        metavar="N",
        type=_whole(1),
        help="threads to use (default: the CPUs this process may use)",
    )


def _add_seed_argument(
    parser: argparse.ArgumentParser, default: int | None, shown: str = "a new one every time"
) -> None:
    shown = shown if default is None else str(default)
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_whole(0, 2**32 - 1),
        default=default,
        help=f"seed of the random numbers (default: {shown})",
    )


def _whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:

    most = sys.maxsize if maximum is None else maximum

    def whole(text: str) -> int:
        # Python refuses to read some thousand digits, and what has so many is too large anyway.
        digits = text.lstrip("0")[: len(str(most)) + 1] or "0"
        value = int(digits) if text.isascii() and text.isdigit() else -1
        if not minimum <= value <= most:
            at_least = maximum is None and value <= most
            allowed = f"of at least {minimum}" if at_least else f"from {minimum} to {most}"
            raise argparse.ArgumentTypeError(
                f"must be a whole number {allowed}, not {shown(text)}"
            )
        return value

    return whole


def _memory(text: str) -> int:
    """A number of bytes, as in "256MB" or "1.5GiB"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT])(i?)B?", text, re.IGNORECASE | re.ASCII)
    size = 0.0
    if match is not None:
        unit = 1024 if match[3] else 1000
        size = float(match[1]) * unit ** ("kmgt".index(match[2].lower()) + 1)
    if not LEAST_MEMORY <= size < 2**63:
        raise argparse.ArgumentTypeError(
            f"must be a size of at least 1MB with its unit, as 256MB or 2GiB, not {shown(text)}"
        )
    return int(size)


def _number_from_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {shown(text)}")
    return value


def _fraction(text: str) -> float:
    value = _number_from_zero(text)
    if not value < 1:
        raise argparse.ArgumentTypeError(f"must be a fraction below 1, not {shown(text)}")
    return value


def _column_list(text: str) -> list[str]:
    """Split a list of columns as a CSV row, so that a name with a comma can be quoted."""
    try:
        names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error:  # a field beyond the module's limit
        names = []
    if not names or "" in names:
        raise argparse.ArgumentTypeError(f"must be columns separated by commas, not {shown(text)}")
    return names


# --- messages and signals ----------------------------------------------------------------------


@contextlib.contextmanager
def _usable_streams() -> Iterator[None]:
    """Let messages go through whatever standard streams the process was started with.

    A stream that was closed then is None. ``print`` leaves out what goes to such a standard
    output, but would send there what is meant for such a standard error.
    """
    with contextlib.ExitStack() as stack:
        if sys.stderr is None:
            devnull = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stderr(devnull))
        for stream in (sys.stdout, sys.stderr):
            # Column and file names need not exist in the encoding of the terminal.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        yield


def _reader_has_gone(error: OSError) -> bool:
    """Whether our output was a pipe whose reader has ended, as `head` does."""
    if sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None:
        return True  # what Windows calls it
    return isinstance(error, BrokenPipeError)


def _say(message: str) -> None:
    """Print one line on standard error, if anybody still reads it.

    Names of files and columns may hold what a terminal would obey; it is escaped. What argparse
    repeats of an argument may have any length; it is cut.
    """
    with contextlib.suppress(OSError):
        line = plain(" ".join(message.split()), MOST_CHARACTERS)
        print(f"gaussmix: {line}", file=sys.stderr)


def _fail(message: str) -> int:
    _say(f"error: {message}")
    return 2


def _show_warning(message: Warning | str, *_where: object, **_how: object) -> None:
    _say(f"warning: {message}")


@contextlib.contextmanager
def _termination_as_exception() -> Iterator[None]:
    """Let SIGTERM, too, unwind the stack, so that unfinished outputs are removed."""

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
