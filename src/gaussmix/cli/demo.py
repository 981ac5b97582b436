"""``gaussmix demo``: the main job on real data, with the commands and the Python that do it."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np

from .._common.text import printable
from .._common.typing import Doubles
from .._files.atomic import replacing
from .._files.errors import TableError
from ..mixture import GaussianMixture
from .arguments import Commands

DATA = "old_faithful.csv"
MODEL = "model.npz"
SCORES = "out.csv"

INTRODUCTION = """\
Old Faithful, a geyser in Yellowstone: {n} eruptions, how long each lasted and
how long the wait for the next one was, both in minutes. Are there different
kinds of eruption, and how many?
"""

CRITERION = """\
The log-likelihood grows with every component. BIC sets that off against the
number of parameters; lower is better.
"""

PYTHON = """\
    import numpy as np
    import gaussmix

    X = np.loadtxt("{data}", delimiter=",", skiprows=1)
    model = gaussmix.GaussianMixture(n_components={k}, n_init=10, random_state=0)
    model.fit(X)
    print(model.weights_, model.means_, model.bic(X))
    model.save("{model}")

    model = gaussmix.load("{model}")
    log_density = model.score_samples(X)
    labels = model.predict(X)
"""


def add_to(commands: Commands, command: Callable[[Sequence[str]], int]) -> None:
    """Add the command to the parser; `command` runs those that it shows, see `run`."""
    demo = commands.add(
        "demo",
        lambda args: run(args.directory, command),
        "see the main job done on real data",
        "Fit the eruptions of Old Faithful, choose the number of components, save the\n"
        "model and score the file, and show the commands and the Python that do it.",
        example="gaussmix demo",
    )
    demo.add_argument(
        "directory",
        metavar="DIRECTORY",
        nargs="?",
        help="where to leave the data, the model and the scores (default: nowhere)",
    )


def run(directory: str | None, command: Callable[[Sequence[str]], int]) -> None:
    """Run the demo.

    Parameters
    ----------
    directory : str or None
        Where the data, the model and the scores stay; made if it does not exist. None for a
        temporary directory.
    command : callable
        Runs one command line, given its arguments, and returns the exit status.

    Raises
    ------
    TableError
        If one of its files exists already in the directory.
    SystemExit
        If one of the commands fails, which has then said why.
    """
    with contextlib.ExitStack() as stack:
        if directory is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gaussmix-")))
        else:
            folder = Path(directory)
            folder.mkdir(parents=True, exist_ok=True)
            _require_new_files(folder)
        data = (resources.files("gaussmix") / "data" / DATA).read_bytes()
        with replacing(str(folder / DATA)) as file:
            file.write(data)
        # The commands are shown with bare file names, and so they are run.
        stack.enter_context(contextlib.chdir(folder))

        X = np.loadtxt(DATA, delimiter=",", skiprows=1)
        print(INTRODUCTION.format(n=len(X)))
        k = _choose_number_of_components(X)
        _show_commands(k, command)
    print("\nThe same in Python\n")
    print(PYTHON.format(data=DATA, model=MODEL, k=k))
    if directory is None:
        print("To keep the files: gaussmix demo DIRECTORY")
    else:
        print(f"The files are in {printable(str(folder))}")


def _require_new_files(folder: Path) -> None:
    for name in (DATA, MODEL, SCORES):
        if os.path.lexists(folder / name):
            raise TableError(f"{folder / name}: exists already; give the demo another directory")


def _choose_number_of_components(X: Doubles) -> int:
    """Print log-likelihood and BIC for 1 to 4 components; return the number with the least BIC."""
    print(CRITERION)
    print("    K   log-likelihood         BIC")
    fits = {}
    for k in range(1, 5):
        model = GaussianMixture(n_components=k, n_init=10, random_state=0).fit(X)
        fits[k] = (model.score(X) * len(X), model.bic(X))
    best = min(fits, key=lambda k: fits[k][1])
    for k, (log_likelihood, bic) in fits.items():
        mark = "   <- lowest" if k == best else ""
        print(f"    {k}   {log_likelihood:14.3f}  {bic:10.3f}{mark}")
    return best


def _show_commands(k: int, command: Callable[[Sequence[str]], int]) -> None:
    """Run fit and score as a user would, showing the command lines and what they print."""
    print("\nOn the command line")
    _show(command, ["fit", DATA, "-k", str(k), "--n-init", "10", "-o", MODEL])
    _show(command, ["score", MODEL, DATA, "--labels", "--probabilities", "-o", SCORES])
    print(f"\n$ head -n 4 {SCORES}")
    with open(SCORES, newline="", encoding="utf-8") as file:
        header, *rows = islice(csv.reader(file), 4)
    print(",".join(header))
    for row in rows:
        print(",".join(row))


def _show(command: Callable[[Sequence[str]], int], arguments: list[str]) -> None:
    print(f"\n$ gaussmix {' '.join(arguments)}", flush=True)
    status = command(arguments)
    if status != 0:
        raise SystemExit(status)
