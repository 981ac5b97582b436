"""``gaussmix sample``: rows drawn from a model."""

from __future__ import annotations

import argparse

import numpy as np

from .._checks.parameters import check_random_state
from .._estimators.sampling import sample_blocks
from .._files.tables import writers
from .._files.tables.writers import Field
from . import values
from .arguments import OUTPUT_FORMATS, Commands, add_model_argument, add_seed_argument
from .inputs import load_model

# Rows are drawn in blocks of about this size.
BLOCK_BYTES = 16 << 20
MAX_BLOCK_ROWS = 1 << 17


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    sample = commands.add(
        "sample",
        _run,
        "draw rows from a model",
        "Draw random rows from a saved model.",
        f"{OUTPUT_FORMATS}\n"
        "A .npy output with labels is a structured array with the fields rows and\n"
        "label.\n",
        example="gaussmix sample model.npz -n 1000 -o drawn.csv",
    )
    add_model_argument(sample)
    sample.add_argument(
        "-n",
        "--rows",
        metavar="N",
        type=values.whole_number(1),
        required=True,
        help="how many rows",
    )
    sample.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="file to write (default: CSV to stdout)",
    )
    sample.add_argument("--labels", action="store_true", help="add each row's component")
    add_seed_argument(sample, None)


def _run(args: argparse.Namespace) -> None:
    model = load_model(args.model, args.command)
    writers.check_output(args.output, inputs=[args.model])
    n_features = model.means_.shape[1]
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = [f"x{j + 1}" for j in range(n_features)]
    fields = [Field("rows", model.means_.dtype, tuple(names))]
    if args.labels:
        fields.append(Field("label", np.dtype(np.intp)))
    n_rows = max(1, min(BLOCK_BYTES // (8 * n_features), MAX_BLOCK_ROWS))
    generator = check_random_state(args.seed)
    with writers.writing(args.output, fields) as writer:
        for rows, labels in sample_blocks(model, args.rows, n_rows, generator):
            writer.write(rows, *([labels] if args.labels else []))
