"""gaussmix beside its peers: EM iterations, scoring, fits, peak memory, and studies of gaussmix.

    python benchmarks/run.py                       everything: about an hour on two cores
    python benchmarks/run.py --quick               tiny shapes: does everything run?
    python benchmarks/run.py --shapes 1 3 --skip fit memory
    python benchmarks/run.py --libraries gaussmix scikit-learn oneDAL
    python benchmarks/run.py table results/x.json  the Markdown tables of an earlier run

Every library gets the same rows, the same start and the same number of threads in every pool;
libraries take turns (A B A B ...), and medians are reported. The record is written after every
shape and study. See README.md beside this file for what is measured and how.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from fits import Settings, acceleration, restarts, starts
from libraries import LIBRARIES, Library, load_installed
from measurements import Case, default_fit, iteration, memory, scoring, single_row
from peers import Peer, describe, open_peers
from pycave import pycave
from shapes import SHAPES, Shape, common_start, minimum_flops, rows
from tables import render
from threadpoolctl import threadpool_limits
from variants import draws, float32, instruction_sets, sparse, thousand_rows

HERE = Path(__file__).resolve().parent

# Run in this process, with all parts; the others in their own, with the iteration alone.
INSIDE = ("scikit-learn", "gaussmix")

# What is measured of every shape, beside the iteration.
PARTS = {"scoring": scoring, "fit": default_fit, "memory": memory}

# What is measured once, beside "row".
STUDIES = {
    "float32": float32,
    "sparse": sparse,
    "restarts": restarts,
    "acceleration": acceleration,
    "starts": starts,
    "instruction sets": instruction_sets,
    "thousand rows": thousand_rows,
    "draws": draws,
    "pycave": pycave,
}

# The shape of which one row is scored.
SINGLE_ROW = Shape(5_000, 16, 16, "full", 1)


# --- the machine ---------------------------------------------------------------------------------


class FmaPeak:
    """Floating-point operations per second of multiply-adds in registers."""

    def __init__(self, n_threads: int, folder: Path) -> None:
        self.n_threads = n_threads
        self.measured: list[float] = []
        compiler = (
            os.environ.get("CC")
            or shutil.which("cc")
            or shutil.which("gcc")
            or shutil.which("clang")
        )
        self.program = None
        if compiler:
            self.program = folder / "fma_peak"
            source = str(HERE / "fma_peak.c")
            flags = ["-O3", "-march=native", "-pthread", source, "-o", str(self.program)]
            subprocess.run([*compiler.split(), *flags], check=True)

    def measure(self) -> None:
        """Measure once more: a shared machine is not equally fast at all times."""
        if self.program:
            command = [str(self.program), str(self.n_threads), "0.3"]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            self.measured.append(float(output))

    @property
    def best(self) -> float | None:
        return max(self.measured, default=None)


def processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def machine(n_threads: int) -> dict:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "usable CPUs": usable,
        "threads used": n_threads,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


# --- the run -------------------------------------------------------------------------------------


class Run:
    """Measures what is asked for, and writes the record after each part of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.libraries: dict[str, Library]
        self.peers: dict[str, Peer]
        inside = [name for name in options.libraries if name in INSIDE]
        outside = [name for name in options.libraries if name not in INSIDE]
        self.libraries, missing = load_installed(inside)
        self.peers, elsewhere = open_peers(outside, options.threads)
        for reason in (missing | elsewhere).values():
            say(reason)
        everyone = {name: describe(library) for name, library in self.libraries.items()}
        everyone |= {name: peer.description for name, peer in self.peers.items()}
        self.record: dict = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(options.threads),
            "versions": {name: library.versions for name, library in everyone.items()},
            "differences": {name: library.differences for name, library in everyone.items()},
            "precision": {name: library.precision for name, library in everyone.items()},
            "not installed": missing | elsewhere,
            "repeats": options.repeats,
            "quick": options.quick,
            "shapes": [],
        }
        self.output = options.output or HERE / "results" / self.default_name()

    def default_name(self) -> str:
        stamp = self.record["date"].replace(":", "").replace("+0000", "Z")
        return f"{'quick-' if self.options.quick else ''}{stamp}.json"

    def case(self, shape: Shape) -> Case:
        """Make a shape's rows and start."""
        options = self.options
        X = rows(shape)
        start = common_start(shape, X)
        turns = (options.repeats, options.fit_repeats)
        return Case(
            self.libraries, shape, X, start, options.threads, *turns, self.peers, options.limit
        )

    def shape(self, shape: Shape) -> None:
        """Add what is measured of a shape to the record."""
        case = self.case(shape)
        entry = {
            "n": shape.n,
            "d": shape.d,
            "K": shape.K,
            "type": shape.covariance_type,
            "iterations": shape.iterations,
            "minimum flops": minimum_flops(shape),
        }
        self.record["shapes"].append(entry)
        if "iteration" not in self.options.skip:
            say(f"{shape.name}: iteration")
            entry |= iteration(case)
        for part, measure in PARTS.items():
            if part not in self.options.skip:
                say(f"{shape.name}: {part}")
                entry[part] = measure(case)
        self.write()

    def studies(self) -> None:
        """Add the studies to the record."""
        options = self.options
        if "row" not in options.skip:
            self.record["single row"] = single_row(self.case(SINGLE_ROW))
        settings = Settings(
            self.libraries, options.threads, options.repeats, options.fit_repeats, options.quick
        )
        for name, study in STUDIES.items():
            if name not in options.skip and "gaussmix" in self.libraries:
                say(name)
                self.record[name] = study(settings)
                self.write()

    def everything(self) -> None:
        """Measure the shapes, then the studies; end the peers' processes whatever happens."""
        chosen = [SHAPES[number - 1] for number in self.options.shapes]
        if self.options.quick:
            chosen = list(dict.fromkeys(shape.tiny() for shape in chosen))
        try:
            with tempfile.TemporaryDirectory() as folder, threadpool_limits(self.options.threads):
                self.shapes(chosen, FmaPeak(self.options.threads, Path(folder)))
                self.studies()
        finally:
            for peer in self.peers.values():
                peer.close()
        self.write()

    def shapes(self, chosen: list[Shape], peak: FmaPeak) -> None:
        for shape in chosen:
            peak.measure()
            self.record["FMA peak"] = {"best": peak.best, "all": peak.measured}
            self.shape(shape)
        peak.measure()
        self.record["FMA peak"] = {"best": peak.best, "all": peak.measured}

    def write(self) -> None:
        """Replace the file by the record as it is now."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.output.with_suffix(".part")
        unfinished.write_text(json.dumps(self.record, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.output)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def disagreements(record: dict) -> list[str]:
    """The libraries whose parameters are further from the reference's than they may be."""
    return [
        f"{shape['n']}x{shape['d']}-{shape['K']}-{shape['type']}: {name} is {entry} off"
        for shape in record["shapes"]
        for name, entry in shape.get("agreement", {}).items()
        if not entry["agrees"]
    ]


# --- command line --------------------------------------------------------------------------------


def arguments(argv: list[str]) -> argparse.Namespace:
    default_threads = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="'run.py table FILE' prints an earlier run."
    )
    numbers = range(1, len(SHAPES) + 1)
    listing = "; ".join(f"{i} {shape.name}" for i, shape in zip(numbers, SHAPES, strict=True))
    parser.add_argument(
        "--shapes",
        type=int,
        nargs="+",
        choices=numbers,
        default=list(numbers),
        metavar="NUMBER",
        help=listing,
    )
    parser.add_argument("--libraries", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    parser.add_argument(
        "--skip", nargs="+", choices=["iteration", *PARTS, "row", *STUDIES], default=[]
    )
    parser.add_argument(
        "--threads", type=int, default=default_threads, help="of every pool (default: usable CPUs)"
    )
    parser.add_argument("--repeats", type=int, default=7, help="turns of each library (default 7)")
    parser.add_argument(
        "--fit-repeats", type=int, default=3, help="default fits, a seed each (default 3)"
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=60.0,
        help="seconds after which a run of a peer's EM is stopped (default 60)",
    )
    parser.add_argument("--quick", action="store_true", help="tiny shapes, one repeat")
    parser.add_argument(
        "-o", "--output", type=Path, help="JSON file (default: results/<date>.json)"
    )
    options = parser.parse_args(argv)
    if min(options.threads, options.repeats, options.fit_repeats) < 1:
        parser.error("--threads, --repeats and --fit-repeats must be at least 1")
    if options.quick:
        options.repeats = 1
        options.fit_repeats = 1
    return options


def main(argv: list[str]) -> None:
    if argv[:1] == ["table"]:
        parser = argparse.ArgumentParser(
            prog="run.py table", description="Print the Markdown tables of a record."
        )
        parser.add_argument("file", type=Path)
        print(render(json.loads(parser.parse_args(argv[1:]).file.read_text(encoding="utf-8"))))
        return
    options = arguments(argv)
    run = Run(options)
    run.everything()
    print(render(run.record))
    say(f"\nwritten to {run.output}")
    wrong = disagreements(run.record)
    if wrong and not options.quick:
        raise SystemExit("libraries differ:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
