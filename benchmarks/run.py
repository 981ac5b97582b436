"""gaussmix beside its peers: one EM iteration, scoring, a default fit, and peak memory.

    python benchmarks/run.py                       all eight shapes, half an hour on two cores
    python benchmarks/run.py --quick               tiny shapes: does everything run?
    python benchmarks/run.py --shapes 1 3 --skip fit memory
    python benchmarks/run.py table results/x.json  the Markdown tables of an earlier run

Every library gets the same rows, the same start and the same number of threads in every pool;
libraries take turns (A B A B ...), and medians are reported. See README.md beside this file for
what is measured and how.
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
from types import ModuleType

from libraries import LIBRARIES, load
from measurements import Case, default_fit, iteration, memory, scoring, single_row
from shapes import SHAPES, Shape, common_start, minimum_flops, rows
from tables import render
from threadpoolctl import threadpool_limits

HERE = Path(__file__).resolve().parent
PARTS = {"iteration": iteration, "scoring": scoring, "fit": default_fit, "memory": memory}

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


def prepare(shape: Shape, libraries: dict[str, ModuleType], options: argparse.Namespace) -> Case:
    """Make a shape's rows and start."""
    X = rows(shape)
    start = common_start(shape, X)
    return Case(libraries, shape, X, start, options.threads, options.repeats, options.fit_repeats)


def run(options: argparse.Namespace) -> dict:
    """Measure everything asked for; the record that is written as JSON."""
    libraries = {name: load(name) for name in options.libraries}
    chosen = [SHAPES[number - 1] for number in options.shapes]
    if options.quick:
        chosen = [shape.smaller(500) for shape in chosen]
    record: dict = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(options.threads),
        "versions": {name: library.versions() for name, library in libraries.items()},
        "differences": {name: library.DIFFERENCES for name, library in libraries.items()},
        "repeats": options.repeats,
        "quick": options.quick,
        "shapes": [],
    }
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        peak = FmaPeak(options.threads, Path(folder))
        for shape in chosen:
            case = prepare(shape, libraries, options)
            peak.measure()
            entry = {
                "n": shape.n,
                "d": shape.d,
                "K": shape.K,
                "type": shape.covariance_type,
                "iterations": shape.iterations,
                "minimum flops": minimum_flops(shape),
            }
            for part, measure in PARTS.items():
                if part not in options.skip:
                    print(f"{shape.name}: {part}", file=sys.stderr, flush=True)
                    entry[part] = measure(case)
            record["shapes"].append(entry)
            del case
        peak.measure()
        if "row" not in options.skip:
            record["single row"] = single_row(prepare(SINGLE_ROW, libraries, options))
    record["FMA peak"] = {"best": peak.best, "all": peak.measured}
    return record


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
    parser.add_argument("--skip", nargs="+", choices=[*PARTS, "row"], default=[])
    parser.add_argument(
        "--threads", type=int, default=default_threads, help="of every pool (default: usable CPUs)"
    )
    parser.add_argument("--repeats", type=int, default=7, help="turns of each library (default 7)")
    parser.add_argument(
        "--fit-repeats", type=int, default=3, help="default fits, a seed each (default 3)"
    )
    parser.add_argument("--quick", action="store_true", help="500 times fewer rows, two repeats")
    parser.add_argument(
        "-o", "--output", type=Path, help="JSON file (default: results/<date>.json)"
    )
    options = parser.parse_args(argv)
    if min(options.threads, options.repeats, options.fit_repeats) < 1:
        parser.error("--threads, --repeats and --fit-repeats must be at least 1")
    if options.quick:
        options.repeats = min(options.repeats, 2)
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
    record = run(options)
    output = options.output
    if output is None:
        stamp = record["date"].replace(":", "").replace("+0000", "Z")
        output = HERE / "results" / f"{'quick-' if options.quick else ''}{stamp}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(render(record))
    print(f"\nwritten to {output}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
