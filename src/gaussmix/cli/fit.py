"""``gaussmix fit``: a mixture fitted to the rows of files, and saved."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from .._common.settings import SETTINGS, Option
from .._common.text import printable
from .._common.typing import AnyArray, Doubles, Floats
from .._estep.row_sum import RowSum
from .._estimators import criteria
from .._files.errors import TableError
from .._files.tables import writers
from .._files.tables.base import Table
from .._rows import streamed
from .._rows.sources.tables import Tables
from ..mixture import GaussianMixture
from . import values
from .arguments import (
    DATA_FORMATS,
    Commands,
    add_seed_argument,
    add_table_arguments,
    add_threads_argument,
)
from .describe import describe
from .inputs import chosen_columns, files_of
from .messages import say
from .wording import naming_columns


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    fit = commands.add(
        "fit",
        _run,
        "fit a mixture to files and save the model",
        "Fit a Gaussian mixture to the rows of all DATA and save the model. Rows that\n"
        "take more than half of --memory are read anew in every iteration, with the\n"
        "same result.",
        f"{DATA_FORMATS}All files must have the same columns.\n",
        example="gaussmix fit data.csv -k 3 -o model.npz",
    )
    fit.add_argument("data", metavar="DATA", nargs="+", help="files with the rows to fit")
    fit.add_argument(
        "-k",
        "--components",
        metavar="K",
        type=values.whole_number(1),
        required=True,
        help="number of components",
    )
    fit.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="model file to write, as model.npz"
    )
    add_table_arguments(fit, "by name or by number from 1 (default: all)")
    fit.add_argument("--weights", metavar="COLUMN", help="column with the weight of each row")
    fit.add_argument(
        "--memory",
        metavar="SIZE",
        type=values.memory,
        default="256MB",
        help="for rows, as 500MB or 2GiB (default: %(default)s)",
    )
    for name, option in _optional_settings().items():
        _add_setting(fit, name, option)
    add_seed_argument(fit, 0)
    add_threads_argument(fit)
    fit.add_argument(
        "-v", "--verbose", action="count", default=0, help="report iterations; twice: with times"
    )


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
        choices, metavar = option.choices, option.metavar
        fit.add_argument(flag, choices=choices, metavar=metavar, default=default, help=option.help)
        return
    reads: dict[str, Callable[[str], float]] = {
        "whole": values.whole_number(option.minimum),
        "number": values.number_from_zero,
        "fraction": values.fraction,
    }
    metavar = "N" if option.kind == "whole" else "X"
    fit.add_argument(
        flag, metavar=metavar, type=reads[option.kind], default=default, help=option.help
    )


def _run(args: argparse.Namespace) -> None:
    if args.output == "-":
        raise TableError("-: a model cannot be written to standard output; give a file name")
    files = files_of(args.data)
    writers.check_output(args.output, inputs=files)
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
        na_values=args.na_values,
        allow_nan=args.allow_nan,
        any_columns=True,
    ) as tables:
        columns, weight_column = _fit_columns(tables.first, args)
        tables.choose(columns, weight_column)
        loaded = tables.load()
        X, sample_weight = (tables, None) if loaded is None else loaded
        if loaded is None:
            _announce_stream(tables, model)
        started = time.perf_counter()
        with naming_columns(tables):
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
        say(
            f"{tables}: the rows take more than half of --memory, so the text is parsed anew "
            "in every iteration; a larger --memory, or Parquet, is faster"
        )


def _fit_columns(table: Table, args: argparse.Namespace) -> tuple[list[int], int | None]:
    """The 0-based columns to fit, and the one with the weights: all others by default."""
    weight_column = None
    if args.weights is not None:
        weight_column = table.columns.one(args.weights)
    columns = chosen_columns(table, args.columns, args.exclude)
    if args.columns is None:
        columns = [c for c in columns if c != weight_column]
        if table.names and table.names[0] == "" and 0 in columns:
            say(
                f"warning: {table.path}: column 1 has no name, as the index in a file of pandas, "
                "and is used as a feature; if it is none, leave it out with --exclude 1"
            )
    elif weight_column is not None and weight_column in columns:
        raise TableError(
            f"{table.path}: {table.column_text(weight_column)} is given both to --columns "
            "and to --weights"
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
        "BIC": criteria.bic(log_likelihood, n_parameters, n_rows),
        "AIC": criteria.aic(log_likelihood, n_parameters),
    }


def _weighted_log_likelihood(
    model: GaussianMixture, X: Floats | Tables, sample_weight: Doubles | None
) -> float:
    pieces: Iterable[tuple[AnyArray, Doubles | None]]
    if isinstance(X, Tables):
        parts = streamed.pieces(X, type(model).__name__)
        pieces = ((part.X, part.weight) for part in parts)
    else:
        pieces = [(X, sample_weight)]
    total = RowSum()
    for rows, weight in pieces:
        assert weight is not None
        total.add(weight * model.score_samples(rows))
    return total.total()
