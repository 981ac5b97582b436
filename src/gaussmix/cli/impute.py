"""``gaussmix impute``: the missing values of the rows of files filled in."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._common.text import shown
from .._common.typing import AnyArray
from .._estimators.imputing import completed, noise_of_draws
from .._files.errors import TableError
from .._files.tables.base import Table
from .._files.tables.writers import Field
from . import jobs
from .arguments import (
    DATA_FORMATS,
    DIRECTORY_OUTPUT,
    OUTPUT_FORMATS,
    Commands,
    add_job_arguments,
    add_seed_argument,
)
from .batches import run_job
from .jobs import Job, Make, Reading
from .values import whole_number


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    impute = commands.add(
        "impute",
        _run,
        "fill in missing values",
        "Write the columns of a saved model with their missing values filled in: empty\n"
        "fields, NA, nan and nulls. In their place come means given the other values of\n"
        "the row, or draws. Rows keep their order; of the other columns of DATA those of\n"
        "--keep are written as they are, at their places, and the rest are left out. The\n"
        "memory used does not grow with the file.",
        f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}\n"
        "With --draws N the output has N rows for each row of DATA, one after the other,\n"
        "and begins with the columns row and draw, both counted from 0. The same seed\n"
        "gives the same draws; in a directory they differ from file to file.\n\n"
        "A .npy output is a plain array; with --std or --draws it is a structured array\n"
        "with the fields row, draw, values and std, those that there are.\n",
        example="gaussmix impute model.npz holes.csv -o filled.csv",
    )
    add_job_arguments(impute)
    kind = impute.add_mutually_exclusive_group()
    kind.add_argument(
        "--std",
        action="store_true",
        help="add columns NAME_std: standard deviations given the row, 0 where nothing is missing",
    )
    kind.add_argument(
        "--draws",
        metavar="N",
        type=whole_number(1),
        help="draw what is missing so many times (default: its mean)",
    )
    add_seed_argument(impute, None, shown="0; with --draws only")


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

    replaces = True

    @property
    def rows_per_row(self) -> int:
        return self.n_draws or 1

    @property
    def allow_nan(self) -> bool:
        return True

    @property
    def memory(self) -> int:
        return max(1, jobs.MEMORY // (self.n_draws or 1))

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

    def order(
        self, columns: Sequence[int], others: Sequence[int], fields: Sequence[Field]
    ) -> list[int]:
        """Values and kept columns as they stand in the file, what counts and deviations about."""
        after = len(others) + 2 * (self.n_draws is not None)
        places = {column: place for place, column in enumerate(others)}
        places |= {column: after + place for place, column in enumerate(columns)}
        first = list(range(len(others), after))
        last = [after + len(columns) + place for place in range(len(columns) * self.std)]
        return [*first, *(places[column] for column in sorted(places)), *last]

    def maker(self, fields: Sequence[Field], reading: Reading) -> Make:
        noise = None
        if self.n_draws is not None:
            file_name = os.fsencode(reading.own or "")
            noise = noise_of_draws(self.model, self.n_draws, self.seed, *file_name)
        first = 0

        def make(X: AnyArray) -> Sequence[AnyArray]:
            nonlocal first
            number = np.arange(first, first + len(X))
            own_noise = None if noise is None else noise.after(first)
            first += len(X)
            values, *deviations = completed(self.model, X, own_noise, return_std=self.std)
            if noise is None:
                return [values, *deviations]
            return [
                np.repeat(number, noise.n_draws),
                np.tile(np.arange(noise.n_draws), len(X)),
                values.swapaxes(0, 1).reshape(-1, X.shape[1]),
            ]

        return make


def _run(args: argparse.Namespace) -> None:
    if args.seed is not None and args.draws is None:
        raise ValueError(
            f"--seed {args.seed} decides what --draws draws, and there is no --draws. Give it as "
            "well, or leave --seed out."
        )
    seed = 0 if args.seed is None else args.seed
    run_job(args, Imputation, std=args.std, n_draws=args.draws, seed=seed)
