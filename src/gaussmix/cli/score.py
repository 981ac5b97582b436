"""``gaussmix score`` and ``gaussmix predict``: log-densities and labels of the rows of files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._common.typing import AnyArray
from .._estimators.scoring import fill_scores
from .._files.tables.base import Table
from .._files.tables.writers import Field
from .arguments import DATA_FORMATS, DIRECTORY_OUTPUT, OUTPUT_FORMATS, Commands, add_job_arguments
from .jobs import Job, Make, run_job


def add_to(commands: Commands) -> None:
    """Add both commands to the parser."""
    score = commands.add(
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
    add_job_arguments(score)
    score.add_argument("--labels", action="store_true", help="add each row's likeliest component")
    score.add_argument(
        "--probabilities", action="store_true", help="add each row's probability of each component"
    )
    predict = commands.add(
        "predict",
        _predict,
        "write the likeliest component of every row",
        "Write the number, from 0, of the likeliest component of every row of DATA.\n"
        "The memory used does not grow with the file.",
        f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}",
    )
    add_job_arguments(predict)


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
        fill_scores(self.model, X, **given)  # the tables have been checked
        return arrays


def _score(args: argparse.Namespace) -> None:
    wanted = ["log_density"]
    wanted += ["label"] if args.labels else []
    wanted += ["probability"] if args.probabilities else []
    run_job(args, Scoring, outputs=tuple(wanted))


def _predict(args: argparse.Namespace) -> None:
    run_job(args, Scoring, outputs=("label",))
