"""``gaussmix score`` and ``gaussmix predict``: log-densities and labels of the rows of files.

Ranks and flags need the log-densities of all rows of a file, and take two readings of it: the
first keeps these alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .._common.text import counted
from .._common.typing import AnyArray
from .._estimators.scoring import fill_scores
from .._files.tables.base import Table, gathered
from .._files.tables.writers import Field
from .arguments import DATA_FORMATS, DIRECTORY_OUTPUT, OUTPUT_FORMATS, Commands, add_job_arguments
from .batches import run_job
from .jobs import Job, Make, Reading, changed
from .values import share


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
        "With --rank or --flag every file is read twice, and the log-densities of all\n"
        "of its rows are held, 8 bytes a row (12 of CSV). Rows with the same log-density\n"
        'have the same rank, the least (method "min" of scipy.stats.rankdata). --flag\n'
        "marks the rows whose log-density is below the quantile RATE of the file's\n"
        "(numpy.quantile), which the report names.\n\n"
        "A .npy output of log-densities alone is a plain array; with more it is a\n"
        "structured array with the fields log_density, label, probability, rank and\n"
        "flagged, those that there are.\n",
        example="gaussmix score model.npz new.csv -o scores.csv",
    )
    add_job_arguments(score)
    score.add_argument("--labels", action="store_true", help="add each row's likeliest component")
    score.add_argument(
        "--probabilities", action="store_true", help="add each row's probability of each component"
    )
    score.add_argument(
        "--rank",
        action="store_true",
        help="add each row's rank in its file by log-density, 1 for the least likely",
    )
    score.add_argument(
        "--flag",
        metavar="RATE",
        type=share,
        help="add a column flagged: 1 for the least likely rows of a file, a share RATE of them, "
        "as 0.01; else 0",
    )
    predict = commands.add(
        "predict",
        _predict,
        "write the likeliest component of every row",
        "Write the number, from 0, of the likeliest component of every row of DATA.\n"
        "The memory used does not grow with the file.",
        f"{DATA_FORMATS}\n{OUTPUT_FORMATS}\n{DIRECTORY_OUTPUT}",
        example="gaussmix predict model.npz new.csv -o labels.csv",
    )
    add_job_arguments(predict)


@dataclass(frozen=True)
class Scoring(Job):
    """Scores and labels of rows.

    Attributes
    ----------
    outputs : tuple of str
        Some of "log_density", "label", "probability", "rank" and "flagged", in this order.
    rate : float or None
        Share of the rows that are flagged.
    """

    outputs: tuple[str, ...]
    rate: float | None = None

    def options(self) -> list[object]:
        return [*self.outputs, self.rate]

    def fields(self, table: Table, columns: Sequence[int]) -> list[Field]:
        dtype = table.dtype(columns)
        n_components = self.model.means_.shape[0]
        names = tuple(f"probability_{k}" for k in range(n_components))
        fields = {
            "log_density": Field("log_density", dtype),
            "label": Field("label", np.dtype(np.intp)),
            "probability": Field("probability", dtype, names),
            "rank": Field("rank", np.dtype(np.int64)),
            "flagged": Field("flagged", np.dtype(np.bool_)),
        }
        return [fields[name] for name in self.outputs]

    def maker(self, fields: Sequence[Field], reading: Reading) -> Make:
        computed = [field for field in fields if field.name not in ("rank", "flagged")]
        if len(computed) == len(fields):
            return lambda X: self._scores(X, fields)
        standing = self._standing(reading, fields[0])

        def make(X: AnyArray) -> list[AnyArray]:
            arrays = self._scores(X, computed)
            ranks, flagged = standing.of(arrays[0])
            wanted = {"rank": ranks, "flagged": flagged}
            return arrays + [wanted[field.name] for field in fields if field.name in wanted]

        return make

    def _standing(self, reading: Reading, field: Field) -> Standing:
        """How the rows of a file stand among each other, from a reading of their log-densities."""
        blocks = (self._scores(X, [field])[0][:, np.newaxis] for X in reading.rows())
        shape = (reading.n_expected, 1)
        scores = cast(AnyArray, gathered(blocks, shape, field.dtype, None))[:, 0]
        threshold = None
        if self.rate is not None and len(scores):
            threshold = np.quantile(scores, self.rate, overwrite_input=True)
        scores.sort()
        if threshold is not None:
            n_flagged = np.searchsorted(scores, threshold)
            reading.notes.append(
                f"{n_flagged:,} of {counted(len(scores), 'row')} flagged, with a log-density "
                f"below {threshold.item()!r}"
            )
        return Standing(reading.path, scores, threshold)

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


@dataclass(frozen=True)
class Standing:
    """How rows stand among all rows of their file.

    Attributes
    ----------
    path : str
    scores : ndarray of shape (n,)
        Their log-densities in ascending order.
    threshold : float or None
        Rows with a log-density below it are flagged.
    """

    path: str
    scores: AnyArray
    threshold: np.floating[Any] | None

    def of(self, scores: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Ranks of rows with these log-densities, and which of them are flagged."""
        places = np.searchsorted(self.scores, scores)
        # A row has the same score in every reading, whatever else is in its block.
        if len(scores) and (
            places.max() == len(self.scores) or not np.array_equal(self.scores[places], scores)
        ):
            raise changed(self.path)
        flagged = (
            np.zeros(len(scores), bool) if self.threshold is None else scores < self.threshold
        )
        return places + 1, flagged


def _score(args: argparse.Namespace) -> None:
    wanted = {
        "log_density": True,
        "label": args.labels,
        "probability": args.probabilities,
        "rank": args.rank,
        "flagged": args.flag is not None,
    }
    names = tuple(name for name, is_wanted in wanted.items() if is_wanted)
    run_job(args, Scoring, outputs=names, rate=args.flag)


def _predict(args: argparse.Namespace) -> None:
    run_job(args, Scoring, outputs=("label",))
