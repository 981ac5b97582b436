"""Two commits beside each other: is the second faster, and does it compute the same?

    python benchmarks/compare.py main                    main against the working tree
    python benchmarks/compare.py v0.1.0 main --shapes 2 3 --parts iteration scoring
    python benchmarks/compare.py HEAD HEAD               how much noise there is on this machine
    python benchmarks/compare.py main --fail-below 0.67  an error if it is much slower
    python benchmarks/compare.py HEAD HEAD --threading pool either
                                                         one build, two who compute its loops
    python benchmarks/compare.py main --busy 1           while another program computes

Both are exported to clean folders and built with pip. Each computes in a process of its own that
outlives many measurements, so that its threads and caches are warm, and only one of the two
computes at a time. They take turns, A B B A. Two processes of one build can differ by several
percent for as long as they live, by where their memory lies; so both are started anew for every
round, a round counts as one value (the median of its pairs), and a change is marked only when the
rounds agree: their interval leaves out 1, and their median is further from 1 than LEAST_CHANGE.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median

import numpy as np
from checkouts import Build, build, resolve
from run import SINGLE_ROW, machine
from shapes import SHAPES, Shape, common_start, rows
from tables import METHODS, milliseconds, table_lines

HERE = Path(__file__).resolve().parent

PARTS = {
    "iteration": ["iteration"],
    "scoring": list(METHODS),
    "row": ["row"],
    "small": ["small"],
    "medium": ["small"],
    "batch": ["batch", "callers"],
    "float32": ["float32"],
}
OF_EVERY_SHAPE = ("iteration", "scoring", "float32")

# Sized like Old Faithful and iris.
SMALL = (Shape(272, 2, 2, "full", 1), Shape(150, 4, 3, "full", 1))

# A default fit of which takes some tens of milliseconds.
MEDIUM = Shape(30_000, 10, 8, "full", 1)

# Who computes the parallel loops, as GAUSSMIX_THREADING says it.
THREADING = {"either": "", "openmp": "openmp", "pool": "pool"}

# Of each measurement in every round; one more before them warms up.
PAIRS = 3

# The smallest and largest of so many values cover the median with 97 %; of one fewer, with 94 %.
FEWEST_ROUNDS = 6

# A smaller change is never marked, however well the rounds agree.
LEAST_CHANGE = 0.03

# Values further apart than this are named: rounding stays far below, a changed optimum does not.
AGREEMENT = 1e-9


# --- two processes -------------------------------------------------------------------------------


class Side:
    """A process that computes with one build."""

    def __init__(self, build: Build, isa: str | None, threads: int, threading: str) -> None:
        self.name = build.revision.name
        self.log = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115, closed by close()
        environment = os.environ | {
            "PYTHONPATH": str(build.folder),
            "GAUSSMIX_THREADING": THREADING[threading],
        }
        if isa:
            environment["GAUSSMIX_ISA"] = isa
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "compare_worker.py"), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )
        imported = self.receive()["imported"]
        if build.folder not in Path(imported).parents:
            raise SystemExit(
                f"{self.name}: Python imports gaussmix from {imported}, not from the build to be "
                f"measured. Uninstall that one (an editable install comes first)."
            )

    def ask(self, **request: object) -> dict:
        """Send a request and wait for its answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.receive()
        if "error" in answer:
            raise SystemExit(f"{self.name}: {request['do']} fails: {answer['error']}")
        return answer

    def receive(self) -> dict:
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        self.log.seek(0)
        last = (self.log.read().strip().splitlines() or ["it says nothing"])[-1]
        raise SystemExit(f"{self.name}: the process ended with status {status}: {last}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


# --- one comparison ------------------------------------------------------------------------------


def median_interval(values: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """The narrowest pair of order statistics that covers the median with this probability.

    The number of values below the median is binomial, whatever their distribution. Of fewer than
    FEWEST_ROUNDS values even the smallest and largest cover less; they are returned then.
    """
    ordered, n = sorted(values), len(values)
    outside, missed = 0, 2.0 / 2**n
    while 2 * (outside + 1) < n:
        missed += 2.0 * math.comb(n, outside + 1) / 2**n
        if missed > 1.0 - confidence:
            break
        outside += 1
    return ordered[outside], ordered[n - 1 - outside]


def compared(part: str, shape: Shape, rounds: list[list[tuple[dict, dict]]]) -> dict:
    """One row of the result, from the pairs of answers (base, head) of every round."""
    ratios = [median(b["seconds"] / h["seconds"] for b, h in pairs) for pairs in rounds]
    low, high = median_interval(ratios)
    value_base, value_head = (answer["value"] for answer in rounds[-1][-1])
    scale = max(abs(value_base), abs(value_head))
    return {
        "part": part,
        "shape": shape.name,
        "base": [[b["seconds"] for b, _ in pairs] for pairs in rounds],
        "head": [[h["seconds"] for _, h in pairs] for pairs in rounds],
        "speed-up": median(ratios),
        "interval": [low, high],
        "change": change(ratios),
        "difference": abs(value_head - value_base) / scale if scale > 0 else 0.0,
    }


def change(ratios: list[float]) -> str:
    """Faster, slower, or nothing while it could be noise."""
    if len(ratios) < FEWEST_ROUNDS:
        return "too few rounds"
    low, high = median_interval(ratios)
    if low > 1.0 and median(ratios) > 1.0 + LEAST_CHANGE:
        return "faster"
    if high < 1.0 and median(ratios) < 1.0 - LEAST_CHANGE:
        return "slower"
    return ""


def slowdowns(rows: list[dict], least: float) -> list[str]:
    """What is slower for sure: rows whose whole interval lies below the speed-up ``least``."""
    return [
        f"{row['part']} of {row['shape']}: {row['speed-up']:.2f} of the speed of the base"
        for row in rows
        if row["change"] == "slower" and row["interval"][1] < least
    ]


def take_turns(base: Side, head: Side, measurement: str) -> list[tuple[dict, dict]]:
    """Pairs of answers; base and head come first in turn."""
    pairs = []
    for turn in range(1 + PAIRS):
        first, second = (base, head) if turn % 2 else (head, base)
        answers = {id(side): side.ask(do=measurement) for side in (first, second)}
        pairs.append((answers[id(base)], answers[id(head)]))
    return pairs[1:]


def shrunk(shape: Shape, factor: int) -> Shape:
    """``factor`` times fewer rows, though enough that no covariance collapses."""
    return replace(shape, n=min(shape.n, max(shape.n // factor, 2 * shape.d * shape.K)))


def problems(options: argparse.Namespace) -> list[tuple[Shape, list[str]]]:
    """What is measured of which shape."""
    of_shapes = [m for part in OF_EVERY_SHAPE if part in options.parts for m in PARTS[part]]
    chosen = [shrunk(SHAPES[number - 1], options.shrink) for number in options.shapes]
    found = [(shape, of_shapes) for shape in chosen if of_shapes]
    if "row" in options.parts:
        found.append((SINGLE_ROW, PARTS["row"]))
    if "batch" in options.parts:
        found.append((SINGLE_ROW, PARTS["batch"]))
    if "small" in options.parts:
        found += [(shape, PARTS["small"]) for shape in SMALL]
    if "medium" in options.parts:
        found.append((MEDIUM, PARTS["medium"]))
    return found


@contextmanager
def two_sides(builds: list[Build], options: argparse.Namespace) -> Iterator[list[Side]]:
    """Fresh processes for base and head, ended afterwards."""
    sides: list[Side] = []
    try:
        for build, threading in zip(builds, options.threading, strict=True):
            sides.append(Side(build, options.isa, options.threads, threading))
        yield sides
    finally:
        for side in sides:
            side.close()


@contextmanager
def busy(n_programs: int) -> Iterator[None]:
    """So many other programs compute all the while."""
    command = [sys.executable, "-c", "while True: pass"]
    programs = [subprocess.Popen(command) for _ in range(n_programs)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def compare(builds: list[Build], folder: Path, options: argparse.Namespace) -> list[dict]:
    """Measure everything asked for."""
    result = []
    rows_file, start_file = folder / "rows.npy", folder / "start.npz"
    for shape, measurements in problems(options):
        X = rows(shape)
        np.save(rows_file, X)
        common_start(shape, X).save(start_file)
        del X
        problem = {"rows": str(rows_file), "start": str(start_file)}
        problem |= {"iterations": shape.iterations, "threads": options.threads}
        rounds: dict[str, list] = {measurement: [] for measurement in measurements}
        for _ in range(options.repeats):
            print(f"{shape.name}: {', '.join(measurements)}", file=sys.stderr, flush=True)
            with two_sides(builds, options) as (base, head):
                for side in (base, head):
                    side.ask(do="load", **problem)
                for measurement, pairs in rounds.items():
                    pairs.append(take_turns(base, head, measurement))
        result += [compared(part, shape, pairs) for part, pairs in rounds.items()]
    return result


# --- what is printed -----------------------------------------------------------------------------


def render(record: dict) -> str:
    """The Markdown table of a comparison."""
    header = ["part", "n, d, K, type", "base ms", "head ms", "speed-up", "95 % interval"]
    header += ["change", "difference"]
    body = []
    for row in record["rows"]:
        low, high = row["interval"]
        body.append(
            [
                row["part"],
                row["shape"],
                *(milliseconds(median(chain(*row[side]))) for side in ("base", "head")),
                f"{row['speed-up']:.3f}",
                f"{low:.3f} to {high:.3f}",
                row["change"],
                f"{row['difference']:.0e}" if row["difference"] else "0",
            ]
        )
    facts = record["machine"]
    described = [
        facts["processor"],
        f"{facts['threads used']} threads",
        f"instruction set {record['instruction set'] or 'the widest'}",
        f"{record['repeats']} rounds of {PAIRS} pairs",
        f"loops by {' and '.join(record['threading'])}",
        f"{record['busy']} other programs compute",
    ]
    title = f"{record['base']['name']} (base) against {record['head']['name']} (head)"
    explained = (
        "A speed-up above 1 means that head is faster. difference: relative, of the mean "
        "log-likelihood, or of the mean of what the method returns."
    )
    lines = ["; ".join(described), "", *table_lines(title, header, body), explained]
    worst = max(record["rows"], key=lambda row: row["difference"])
    if not worst["difference"] <= AGREEMENT:
        where = f"{worst['part']} of {worst['shape']}"
        lines.append(f"The results differ: {where} by {worst['difference']:.1e}.")
    return "\n".join(lines)


# --- command line --------------------------------------------------------------------------------


def arguments(argv: list[str]) -> argparse.Namespace:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    numbers = range(1, len(SHAPES) + 1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", metavar="BASE", help="a commit, branch or tag")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="the same; default: working tree")
    parser.add_argument(
        "--shapes",
        type=int,
        nargs="+",
        choices=numbers,
        default=list(numbers),
        metavar="NUMBER",
        help="; ".join(f"{i} {shape.name}" for i, shape in zip(numbers, SHAPES, strict=True)),
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=6, help="rounds (default 6)")
    parser.add_argument("--threads", type=int, default=usable, help="default: usable CPUs")
    parser.add_argument("--isa", choices=["baseline", "x86v3", "x86v4"], help="of both sides")
    parser.add_argument(
        "--threading",
        nargs=2,
        choices=list(THREADING),
        default=["either", "either"],
        metavar=("BASE", "HEAD"),
        help="who computes parallel loops: either, openmp or pool (default: either, for both)",
    )
    parser.add_argument("--busy", type=int, default=0, help="other programs that compute")
    parser.add_argument("--shrink", type=int, default=1, help="divide the rows by this, to try")
    parser.add_argument(
        "--fail-below",
        type=float,
        default=0.0,
        metavar="SPEED-UP",
        help="end with status 1 if the interval of a speed-up lies below this",
    )
    parser.add_argument("-o", "--output", type=Path, help="write every time measured as JSON")
    options = parser.parse_args(argv)
    if min(options.repeats, options.threads, options.shrink) < 1:
        parser.error("--repeats, --threads and --shrink must be at least 1")
    if options.fail_below and options.repeats < FEWEST_ROUNDS:
        parser.error(f"--fail-below needs intervals, of --repeats {FEWEST_ROUNDS} or more")
    return options


def main(argv: list[str]) -> None:
    options = arguments(argv)
    base, head = resolve(options.base), resolve(options.head)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        builds = [build(base, folder / "base")]
        same = base.commit is not None and base.commit == head.commit
        builds.append(builds[0] if same else build(head, folder / "head"))
        with busy(options.busy):
            measured = compare(builds, folder, options)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(options.threads),
        "instruction set": options.isa,
        "repeats": options.repeats,
        "threading": options.threading,
        "busy": options.busy,
        "base": asdict(base),
        "head": asdict(head),
        "rows": measured,
    }
    print(render(record))
    if options.output:
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {options.output}", file=sys.stderr)
    if slower := slowdowns(measured, options.fail_below):
        raise SystemExit("\n".join(["slower than --fail-below allows:", *slower]))


if __name__ == "__main__":
    main(sys.argv[1:])
