"""``gaussmix info``: what a saved model is."""

from __future__ import annotations

import argparse
import json
import math

from .._files.tables import writers
from .arguments import Commands, add_model_argument
from .describe import describe_at_length
from .inputs import load_model


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    info = commands.add(
        "info",
        _run,
        "describe a saved model",
        "Describe a saved model: its components by weight, the columns in which each\n"
        "stands out, and the mean and standard deviation of each column.",
        example="gaussmix info model.npz",
    )
    add_model_argument(info)
    info.add_argument("--json", action="store_true", help="print everything, as JSON")


def _run(args: argparse.Namespace) -> None:
    writers.require_standard_output()
    model = load_model(args.model, args.command)
    if not args.json:
        print(describe_at_length(model))
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
