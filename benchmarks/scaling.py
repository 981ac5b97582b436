"""EM over worker processes, measured; and over a hundred machines, by `cost_model.py`.

    python benchmarks/scaling.py            about three minutes on two cores, 2 GB
    python benchmarks/scaling.py --quick    does everything run?
    python benchmarks/scaling.py --write    puts the tables into docs/scale.md

Every worker is a process with one thread and rows of its own; between it and this one go the model
and the statistics, pickled. Rows are float32, all of one normal distribution, and the components
overlap, so that every pair of row and component counts: the dearest case. Run on a machine that
does nothing else.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
from cost_model import (
    Cluster,
    Mixture,
    Rates,
    driver_seconds,
    read_seconds,
    straggling,
    tree_seconds,
)
from tables import table_lines, with_tables

from gaussmix import GaussianMixture, SufficientStatistics

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"

SIZES = (Mixture(16, 8), Mixture(64, 64), Mixture(256, 128))
FAMILIES = tuple(Mixture(16, 8, family) for family in ("full", "tied", "diag", "spherical"))

# What the cluster is to fit.
ROWS = 1e10
FITS = (Mixture(16, 8), Mixture(16, 32))
ITERATIONS = 50

# How far the logarithm of a machine's time spreads, where the table of the cluster needs one.
SPREAD = 0.2


# --- a mixture and rows --------------------------------------------------------------------------


def rows(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)


def overlapping(mixture: Mixture) -> GaussianMixture:
    """Equal weights, unit covariances, and means close to the centre of the rows."""
    K, d = mixture.K, mixture.d
    covariances = {
        "full": np.repeat(np.eye(d)[None], K, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((K, d)),
        "spherical": np.ones(K),
    }[mixture.covariance_type]
    return GaussianMixture.from_parameters(
        np.full(K, 1.0 / K),
        0.1 * rows(K, d, seed=0),
        covariances,
        covariance_type=mixture.covariance_type,
        n_threads=1,
    )


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return median(times)


def figure(value: float, unit: str = "") -> str:
    """Three digits, and no exponent."""
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f} {unit}".rstrip()


# --- one core ------------------------------------------------------------------------------------


def rates(mixture: Mixture, n: int, repeats: int) -> Rates:
    """What one core does and sends, of a mixture."""
    model = overlapping(mixture)
    X = rows(n, mixture.d, seed=1)
    one, other = model.accumulate(X[: n // 2]), model.accumulate(X[n // 2 :])
    both = one + other
    return Rates(
        rows_per_second=n / seconds(lambda: model.accumulate(X), repeats),
        statistics_bytes=len(pickle.dumps(one)),
        model_bytes=len(pickle.dumps(model)),
        add=seconds(lambda: one + other, repeats),
        pickle=seconds(lambda: pickle.loads(pickle.dumps(one)), repeats),
        update=seconds(lambda: model.update(both), repeats),  # last, as it changes the model
    )


def bytes_table(n: int) -> list[str]:
    """Size of pickled statistics for few rows and many."""
    body = []
    for mixture in (*FAMILIES, *SIZES[1:]):
        model = overlapping(mixture)
        many = rows(n, mixture.d, seed=1)
        body.append(
            [
                mixture.name,
                f"{8 * mixture.statistics_numbers():,}",
                *(f"{len(pickle.dumps(model.accumulate(X))):,}" for X in (many[:1000], many)),
                f"{len(pickle.dumps(model)):,}",
            ]
        )
    header = ["mixture", "8 x numbers", "of 1,000 rows", f"of {n:,} rows", "model"]
    return table_lines("Bytes of pickled statistics, and of a pickled model", header, body)


def merge_table(measured: dict[Mixture, Rates]) -> list[str]:
    body = [
        [
            mixture.name,
            f"{rate.statistics_bytes:,}",
            *(figure(1e3 * part) for part in (rate.add, rate.pickle, rate.update)),
        ]
        for mixture, rate in measured.items()
    ]
    header = ["mixture", "bytes", "add", "pickle and back", "M-step"]
    return table_lines("Statistics of two parts: milliseconds on one core", header, body)


# --- worker processes ----------------------------------------------------------------------------


def work(connection: Connection, rank: int, n: int, d: int) -> None:
    """A worker: statistics of its rows under every model that comes."""
    X = rows(n, d, seed=1 + rank)
    connection.send_bytes(b"ready")
    while message := connection.recv_bytes():
        model = pickle.loads(message)
        begin = time.perf_counter()
        statistics = model.accumulate(X)
        taken = time.perf_counter() - begin
        connection.send_bytes(pickle.dumps((statistics, taken)))


@contextmanager
def workers(count: int, n: int, d: int) -> Iterator[list[Connection]]:
    """Processes with n rows each, ready to work."""
    context = multiprocessing.get_context("spawn")
    connections, processes = [], []
    for rank in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, rank, n, d), daemon=True)
        process.start()
        theirs.close()
        connections.append(ours)
        processes.append(process)
    for connection in connections:
        connection.recv_bytes()
    yield connections
    for connection in connections:
        connection.send_bytes(b"")
    for process in processes:
        process.join()


def iteration(connections: list[Connection], sent: bytes) -> tuple[float, float]:
    """Seconds of an iteration, and of the slowest worker's pass within it."""
    begin = time.perf_counter()
    for connection in connections:
        connection.send_bytes(sent)
    answers = [pickle.loads(connection.recv_bytes()) for connection in connections]
    statistics, taken = zip(*answers)
    pickle.loads(sent).update(SufficientStatistics.merge(statistics))
    return time.perf_counter() - begin, max(taken)


def scaling_table(title: str, mixture: Mixture, parts: dict[int, int], repeats: int) -> list[str]:
    """Iterations over workers with so many rows each: `parts` maps their count to the rows."""
    sent = pickle.dumps(overlapping(mixture))
    body, first = [], 0.0
    for count, n in parts.items():
        with workers(count, n, mixture.d) as connections:
            iteration(connections, sent)
            times = [iteration(connections, sent) for _ in range(repeats)]
        whole, slowest = (median(column) for column in zip(*times))
        throughput = count * n / whole
        first = first or throughput
        body.append(
            [
                str(count),
                f"{n:,}",
                figure(1e3 * whole),
                figure(1e3 * (whole - slowest)),
                figure(throughput / 1e6),
                f"{throughput / first:.2f}",
            ]
        )
    header = ["workers", "rows each", "ms", "of it not in a pass", "million rows/s", "ratio"]
    return table_lines(f"{title}, {mixture.name}", header, body)


# --- a hundred machines --------------------------------------------------------------------------


def straggler_table(cluster: Cluster) -> list[str]:
    cases = {
        "the machine": (1, True),
        "the task, one a core": (1, False),
        "the task, eight a core": (8, False),
    }
    body = [
        [name, *(f"{straggling(cluster, spread, *case):.2f}" for spread in (0.1, 0.2, 0.4))]
        for name, case in cases.items()
    ]
    header = ["slow is", *(f"spread {spread}" for spread in (0.1, 0.2, 0.4))]
    title = f"The slowest of {cluster.machines} machines against the mean, simulated"
    return table_lines(title, header, body)


def cluster_table(cluster: Cluster, measured: dict[Mixture, Rates]) -> list[str]:
    """What each fit takes on the cluster, a column a fit."""
    slow = straggling(cluster, SPREAD, 1, by_machine=True)
    columns = []
    for mixture, rate in measured.items():
        row_bytes = 4 * mixture.d
        memory, disk = read_seconds(cluster, ROWS, row_bytes, rate)
        tree = tree_seconds(cluster, rate)
        in_memory, on_disk = (slow * taken + tree for taken in (memory, disk))
        columns.append(
            {
                "rows a second and core (measured)": figure(rate.rows_per_second / 1e6, "million"),
                "rows of a machine": figure(ROWS / cluster.machines * row_bytes / 1e9, "GB"),
                "pass, rows in memory": figure(memory, "s"),
                "pass, rows on disk": figure(disk, "s"),
                "slowest machine": f"x {slow:.2f}",
                "over the wire, down": figure(cluster.machines * rate.model_bytes / 1e6, "MB"),
                "over the wire, up": figure(cluster.machines * rate.statistics_bytes / 1e6, "MB"),
                "tree down and up, M-step": figure(1e3 * tree, "ms"),
                "an iteration, in memory": figure(in_memory, "s"),
                "an iteration, on disk": figure(on_disk, "s"),
                f"{ITERATIONS} iterations, in memory": figure(ITERATIONS * in_memory, "s"),
                f"{ITERATIONS} iterations, on disk": figure(ITERATIONS * on_disk, "s"),
            }
        )
    body = [[name, *(column[name] for column in columns)] for name in columns[0]]
    title = f"{ROWS:,.0f} rows of float32 on {cluster.machines} machines of {cluster.cores} cores"
    return table_lines(title, ["", *(mixture.name for mixture in measured)], body)


def driver_table(cluster: Cluster, measured: dict[Mixture, Rates]) -> list[str]:
    """Merging along a tree, and at the driver."""
    parts = cluster.machines * cluster.cores
    body = [
        [
            mixture.name,
            figure(1e3 * tree_seconds(cluster, rate)),
            figure(1e3 * driver_seconds(cluster, rate, cluster.machines)),
            figure(1e3 * driver_seconds(cluster, rate, parts)),
        ]
        for mixture, rate in measured.items()
    ]
    header = ["mixture", f"tree, {sum(cluster.depth())} levels"]
    header += [f"driver, {count:,} statistics" for count in (cluster.machines, parts)]
    return table_lines("Milliseconds an iteration beside the pass", header, body)


# --- the command line ----------------------------------------------------------------------------


def tables(n: int, counts: list[int], repeats: int) -> dict[str, list[str]]:
    """All tables by name, in Markdown."""
    strong = {count: n // count for count in counts}
    weak = {count: n // max(counts) for count in counts}
    sizes = {mixture: rates(mixture, 2 * mixture.K, repeats) for mixture in SIZES}
    fits = {mixture: rates(mixture, n * 8 // mixture.d, repeats) for mixture in FITS}
    cluster = Cluster()
    return {
        "bytes": bytes_table(min(n, 100_000)),
        "merge": merge_table(sizes),
        "strong scaling": scaling_table("The same rows in all", FITS[0], strong, repeats),
        "weak scaling": scaling_table("The same rows for each", FITS[0], weak, repeats),
        "stragglers": straggler_table(cluster),
        "cluster": cluster_table(cluster, fits),
        "driver": driver_table(cluster, sizes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rows, few repeats")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    options = parser.parse_args()
    if min(options.workers) < 1:
        parser.error("--workers must be at least 1")
    counts = sorted(set(options.workers))
    n, repeats = (20_000, 2) if options.quick else (8_000_000, 11)
    made = tables(n - n % math.lcm(*counts), counts, repeats)
    print("\n".join(line for lines in made.values() for line in lines))
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, "scaling.py", made), encoding="utf-8")


if __name__ == "__main__":
    main()
