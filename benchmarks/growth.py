"""How the time of an EM iteration grows with rows, features, components and threads.

    python benchmarks/growth.py                        four minutes on two cores, 2 GB
    python benchmarks/growth.py --scikit-learn         with scikit-learn on a coarser grid
    python benchmarks/growth.py --quick                does everything run?
    python benchmarks/growth.py --sweeps d --types full diag

Every sweep changes one size. Rows come from one normal distribution and the means start close to
its centre: the components overlap, every pair of row and component counts, and the work depends on
the sizes alone. The number of rows is chosen so that a run takes a fraction of a second; times are
per row. Neighbouring sizes between which the cost of a unit of work jumps are listed as cliffs;
both are measured again before they are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
from libraries import load
from measurements import timed
from run import HERE, FmaPeak, machine
from shapes import Shape, Start, minimum_flops
from tables import milliseconds, table_lines
from threadpoolctl import threadpool_limits

TYPES = ("full", "tied", "diag", "spherical")

# All small sizes, and the neighbours of every multiple of a vector or tile that is likely an edge.
FEATURES = (*range(1, 41), 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129, 191, 192, 193, 255)
FEATURES += (256,)
COMPONENTS = (*range(1, 18), 23, 24, 25, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257)
COMPONENTS += (511, 512, 513, 1023, 1024)
ROWS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
COARSE = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# Arithmetic of one iteration from which the number of rows is chosen; a pair of row and component
# counts for as much as this many operations, for its exponential.
WORK = 6e8
EXPONENTIAL = 30.0
FEWEST_ROWS, MOST_ROWS = 16_384, 262_144

# A run of many iterations less a run of one takes about this long, seconds.
# Less than a few would drown in what every run does beside its iterations.
SPAN = 0.03
LEAST_ITERATIONS, MOST_ITERATIONS = 4, 40

# When a run of one iteration takes longer than this, it is not repeated.
LONG = 1.0

# A machine on which so many long runs are not longer than the short ones cannot be measured.
MOST_REPEATS = 12

# A row that needs more work and yet costs less by more than this factor is a cliff.
CHEAPER = 1.1


# --- one point -----------------------------------------------------------------------------------


class Rows:
    """Standard normal rows of any size, cut from numbers that are drawn once."""

    def __init__(self, most: int) -> None:
        self.numbers = np.random.default_rng(0).standard_normal(most)

    def __call__(self, n: int, d: int) -> np.ndarray:
        return self.numbers[: n * d].reshape(n, d)


def overlapping_start(shape: Shape, X: np.ndarray) -> Start:
    """Equal weights, unit covariances, and means at a tenth of as many rows."""
    d, K = shape.d, shape.K
    precisions = {
        "full": np.repeat(np.eye(d)[None], K, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((K, d)),
        "spherical": np.ones(K),
    }[shape.covariance_type]
    return Start(shape.covariance_type, np.full(K, 1.0 / K), 0.1 * X[:K], precisions)


def run_pairs(
    library: ModuleType, shape: Shape, X: np.ndarray, threads: int, repeats: int
) -> tuple[int, list[float], list[float]]:
    """A number m, and seconds of runs of one iteration and of 1 + m, ``repeats`` of each."""
    start = overlapping_start(shape, X)

    def run(n_iter: int) -> float:
        return timed(lambda: library.em(X, start, n_iter, threads))[0]

    short, long, m = [run(1)], [run(2)], 1
    if short[0] < LONG:
        m = int(np.clip(SPAN / max(long[0] - short[0], 1e-5), LEAST_ITERATIONS, MOST_ITERATIONS))
        long = [run(1 + m)]
    else:
        repeats = 1
    while len(long) < repeats or (min(long) <= min(short) and len(long) < MOST_REPEATS):
        short.append(run(1))
        long.append(run(1 + m))
    return m, short, long


@dataclass(frozen=True)
class Run:
    """What is the same for all points."""

    libraries: dict[str, ModuleType]
    rows: Rows
    repeats: int

    def measure(self, library: str, shape: Shape, threads: int) -> dict:
        """One point."""
        X = self.rows(shape.n, shape.d)
        pairs = run_pairs(self.libraries[library], shape, X, threads, self.repeats)
        return point(library, shape, threads, *pairs)

    def again(self, entry: dict) -> None:
        """Measure a point once more and keep what disturbed it least."""
        more = self.measure(entry["library"], shape_of(entry), entry["threads"])
        entry["remeasured"] = [*entry["remeasured"], entry["seconds"], more["seconds"]]
        if more["seconds"] < entry["seconds"]:
            entry |= more | {"remeasured": entry["remeasured"]}


def shape_of(entry: dict) -> Shape:
    return Shape(entry["n"], entry["d"], entry["K"], entry["type"], 1)


def point(
    library: str, shape: Shape, threads: int, m: int, short: list[float], long: list[float]
) -> dict:
    """What is recorded of one size.

    An iteration is the shortest long run less the shortest short one, over m: what disturbs a run
    only ever adds to it.
    """
    seconds = (min(long) - min(short)) / m
    if not seconds > 0.0:
        raise SystemExit(
            f"{shape.name}: {1 + m} iterations took no longer than one in {len(long)} runs. "
            f"Something else uses this machine; try again when it is idle."
        )
    return {
        "library": library,
        "n": shape.n,
        "d": shape.d,
        "K": shape.K,
        "type": shape.covariance_type,
        "threads": threads,
        "seconds": seconds,
        "iterations": m,
        "short runs": short,
        "long runs": long,
        "remeasured": [],
        "ns per row": 1e9 * seconds / shape.n,
        "ns per row and component": 1e9 * seconds / (shape.n * shape.K),
        "GF/s": minimum_flops(shape) / seconds / 1e9,
    }


# --- the sweeps ----------------------------------------------------------------------------------


def work(shape: Shape) -> float:
    """The unit in which neighbours are compared: least arithmetic, and something per pair."""
    return minimum_flops(shape) + EXPONENTIAL * shape.n * shape.K


def sized(d: int, K: int, covariance_type: str, shrink: int) -> Shape:
    """As many rows as keep an iteration short."""
    per_row = work(Shape(1, d, K, covariance_type, 1))
    n = int(np.clip(WORK / per_row, FEWEST_ROWS, MOST_ROWS)) // shrink
    return Shape(max(n // 1024 * 1024, 2 * K), d, K, covariance_type, 1)


def over_rows(types: list[str], threads: int, coarse: bool, shrink: int) -> Iterator[tuple]:
    """n, at d = 10 and K = 8, with all threads and, where it does not take long, with one."""
    for covariance_type in types:
        for n in ROWS[:7:2] if coarse else ROWS:
            shape = Shape(max(n // shrink, 100), 10, 8, covariance_type, 1)
            yield shape, threads
            if threads > 1 and n <= 1_000_000 and not coarse:
                yield shape, 1


def over_features(types: list[str], threads: int, coarse: bool, shrink: int) -> Iterator[tuple]:
    """d, at K = 8."""
    for covariance_type in types:
        for d in COARSE if coarse else FEATURES:
            yield sized(d, 8, covariance_type, shrink), threads


def over_components(types: list[str], threads: int, coarse: bool, shrink: int) -> Iterator[tuple]:
    """K, at d = 8."""
    for covariance_type in types:
        for K in COARSE if coarse else COMPONENTS:
            yield sized(8, K, covariance_type, shrink), threads


def over_threads(types: list[str], threads: int, coarse: bool, shrink: int) -> Iterator[tuple]:
    """Threads, from one to the usable CPUs and beyond to four, on many rows and on few."""
    counts = sorted({1, 2, 3, 4, threads} | {2**i for i in range(16) if 2**i < threads})
    for covariance_type in types:
        for n in (10_000,) if coarse else (10_000, 1_000_000):
            for count in counts:
                yield Shape(n // shrink, 10, 8, covariance_type, 1), count


SWEEPS = {"n": over_rows, "d": over_features, "K": over_components, "threads": over_threads}


# --- cliffs --------------------------------------------------------------------------------------


def series(sweep: str, points: list[dict]) -> list[list[dict]]:
    """The points of a sweep that differ in nothing else, each list in order of size."""
    fixed = ["library", "type", "n" if sweep == "threads" else "threads"]
    found: dict[tuple, list[dict]] = {}
    for entry in points:
        found.setdefault(tuple(entry[name] for name in fixed), []).append(entry)
    return [sorted(entries, key=lambda entry: entry[sweep]) for entries in found.values()]


def cliff(sweep: str, small: dict, large: dict, factor: float) -> dict | None:
    """What is wrong from one size to the next, None if nothing is.

    A unit of work becomes dearer by more than the factor; or, between numbers of features or
    components, a row becomes cheaper although it needs more work.
    """
    per_row = large["ns per row"] / small["ns per row"]
    units = [work(shape_of(entry)) / entry["n"] for entry in (small, large)]
    per_unit = per_row * units[0] / units[1]
    cheaper = sweep in ("d", "K") and per_row < 1.0 / CHEAPER
    if per_unit <= factor and not cheaper:
        return None
    return {
        "sweep": sweep,
        **{name: small[name] for name in ("library", "type", "n", "d", "K", "threads")},
        "from": small[sweep],
        "to": large[sweep],
        "per unit of work": per_unit,
        "per row": per_row,
    }


def cliffs(sweep: str, points: list[dict], factor: float) -> list[tuple[dict, dict, dict]]:
    """The cliffs of gaussmix among neighbours of a sweep, each with its two points."""
    found = []
    for entries in series(sweep, [p for p in points if p["library"] == "gaussmix"]):
        for small, large in pairwise(entries):
            description = cliff(sweep, small, large, factor)
            if description:
                found.append((description, small, large))
    return found


# --- the run -------------------------------------------------------------------------------------


def measure_sweep(sweep: str, run: Run, options: argparse.Namespace) -> list[dict]:
    """All points of a sweep; those beside a cliff are measured twice more."""
    points = []
    for library in run.libraries:
        peer = library != "gaussmix"
        coarse = peer or options.quick
        shrink = options.shrink * (10 if peer and sweep != "n" else 1)
        print(f"{sweep}: {library}", file=sys.stderr, flush=True)
        for shape, threads in SWEEPS[sweep](options.types, options.threads, coarse, shrink):
            points.append(run.measure(library, shape, threads))
    for _ in range(2):
        beside = {id(p): p for _, *pair in cliffs(sweep, points, options.factor) for p in pair}
        for entry in beside.values():
            run.again(entry)
    return points


def run_all(options: argparse.Namespace) -> dict:
    """Measure everything asked for; the record that is written as JSON."""
    names = ["gaussmix", *(["scikit-learn"] if options.scikit_learn else [])]
    libraries = {name: load(name) for name in names}
    numbers = max(64 * MOST_ROWS, 256 * FEWEST_ROWS)
    if "n" in options.sweeps and not options.quick:
        numbers = max(numbers, 10 * ROWS[-1])
    run = Run(libraries, Rows(numbers), options.repeats)
    record: dict = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(options.threads),
        "versions": {name: library.versions() for name, library in libraries.items()},
        "quick": options.quick,
        "repeats": options.repeats,
        "cliff factor": options.factor,
        "sweeps": {},
        "cliffs": [],
    }
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        peak = FmaPeak(options.threads, Path(folder))
        for sweep in options.sweeps:
            peak.measure()
            points = measure_sweep(sweep, run, options)
            record["sweeps"][sweep] = points
            record["cliffs"] += [found for found, *_ in cliffs(sweep, points, options.factor)]
    record["FMA peak"] = {"best": peak.best, "all": peak.measured}
    return record


# --- what is printed -----------------------------------------------------------------------------


def cliff_lines(record: dict) -> list[str]:
    """The cliffs as a Markdown table, or a line that there are none."""
    factor = record["cliff factor"]
    rule = (
        f"A cliff is a step between neighbouring sizes at which a unit of work (least arithmetic "
        f"plus {EXPONENTIAL:.0f} operations for a pair of row and component) becomes dearer by "
        f"more than {factor:g}, or at which a row becomes cheaper by more than {CHEAPER:g} with "
        f"more features or components."
    )
    if not record["cliffs"]:
        return [f"{rule} There is none.", ""]
    header = ["over", "type", "n", "threads", "from", "to", "per unit of work", "per row"]
    body = [
        [
            found["sweep"],
            found["type"],
            "" if found["sweep"] == "n" else f"{found['n']:,}",
            "" if found["sweep"] == "threads" else f"{found['threads']}",
            f"{found['from']:,}",
            f"{found['to']:,}",
            f"x {found['per unit of work']:.2f}",
            f"x {found['per row']:.2f}",
        ]
        for found in record["cliffs"]
    ]
    return [rule, "", *table_lines("Cliffs", header, body)]


def render(record: dict) -> str:
    """The sizes of each sweep and what they cost, and the cliffs."""
    lines = []
    header = ["type", "n", "d", "K", "threads", "ms", "ns per row", "per component", "GF/s"]
    for sweep, points in record["sweeps"].items():
        body = [
            [
                f"{p['type']}" if p["library"] == "gaussmix" else f"{p['type']}, {p['library']}",
                *(f"{p[name]:,}" for name in ("n", "d", "K", "threads")),
                milliseconds(p["seconds"]),
                f"{p['ns per row']:,.3g}",
                f"{p['ns per row and component']:.3g}",
                f"{p['GF/s']:.3g}",
            ]
            for p in points
        ]
        lines += table_lines(f"Over {sweep}", header, body)
    return "\n".join([*lines, *cliff_lines(record)])


# --- command line --------------------------------------------------------------------------------


def arguments(argv: list[str]) -> argparse.Namespace:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", nargs="+", choices=list(SWEEPS), default=list(SWEEPS))
    parser.add_argument("--types", nargs="+", choices=TYPES, default=list(TYPES))
    parser.add_argument("--scikit-learn", action="store_true", help="too, on a coarser grid")
    parser.add_argument("--threads", type=int, default=usable, help="default: usable CPUs")
    parser.add_argument("--repeats", type=int, default=3, help="runs of a point (default 3)")
    parser.add_argument("--factor", type=float, default=1.3, help="of a cliff (default 1.3)")
    parser.add_argument("--quick", action="store_true", help="few sizes, 20 times fewer rows")
    parser.add_argument(
        "-o", "--output", type=Path, help="JSON file (default: results/growth-<date>.json)"
    )
    options = parser.parse_args(argv)
    if min(options.threads, options.repeats) < 1:
        parser.error("--threads and --repeats must be at least 1")
    if not options.factor > 1.0:
        parser.error(f"--factor {options.factor:g}: a cliff is a factor above 1, such as 1.3")
    options.shrink = 20 if options.quick else 1
    return options


def main(argv: list[str]) -> None:
    options = arguments(argv)
    record = run_all(options)
    output = options.output
    if output is None:
        quick = "quick-" if options.quick else ""
        output = HERE / "results" / f"{quick}growth-{record['date'][:10]}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(render(record))
    print(f"\nwritten to {output}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
