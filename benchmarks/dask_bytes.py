"""What a fit on a Dask cluster moves in an iteration, and that it does not depend on the rows.

    python benchmarks/dask_bytes.py [--workers 3] [--components 8] [--features 16] [--stealing]

Every message that a process of the cluster writes to a socket is counted: of the client and the
scheduler, which share a process here, and of each worker. A fit of 2 + m iterations less one of 2
leaves those of m iterations, without the first passes and the start; what the idle cluster says
in the meantime (heartbeats) is in the count. Work stealing, by which Dask moves a persisted
partition to an idle worker when it sees fit, is off unless asked for. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import dask
import dask.array as da
from distributed import Client, LocalCluster, wait
from distributed.comm import tcp

from gaussmix import GaussianMixture

ITERATIONS = 20

#: Rows and partitions of each line of the table.
CASES = [(50_000, 12), (400_000, 12), (1_600_000, 12), (400_000, 24), (400_000, 48)]


class Moved(NamedTuple):
    """Bytes and seconds of an iteration, and the bytes of one set of statistics."""

    by_client_and_scheduler: float
    by_workers: float
    seconds: float
    statistics: int


def count_messages() -> None:
    """Have this process count the bytes of the messages that it sends."""
    write = tcp.TCP.write

    async def counted(self: tcp.TCP, *args: object, **kwargs: object) -> int:
        n_bytes = await write(self, *args, **kwargs)
        tcp.TCP.bytes_sent += n_bytes
        return n_bytes

    tcp.TCP.bytes_sent = 0
    tcp.TCP.write = counted


def bytes_sent() -> int:
    """What `count_messages` has counted in this process."""
    return tcp.TCP.bytes_sent


def measure(client: Client, X: da.Array, n_components: int) -> Moved:
    """An iteration of a fit to rows that lie in the cluster's memory."""
    totals = []
    for iterations in (2, 2 + ITERATIONS):
        model = GaussianMixture(n_components, tol=0.0, max_iter=iterations, random_state=0)
        before = bytes_sent(), sum(client.run(bytes_sent).values())
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not converge, nor should it
            model.fit(X)
        seconds = time.perf_counter() - start
        after = bytes_sent(), sum(client.run(bytes_sent).values())
        totals.append((after[0] - before[0], after[1] - before[1], seconds))
    each = [(b - a) / ITERATIONS for a, b in zip(*totals)]
    statistics = model.accumulate(X)
    size = sum(getattr(statistics, name).nbytes for name in ("weight", "first", "second", "shift"))
    return Moved(*each, size)


def rows(n: int, n_features: int, n_partitions: int) -> da.Array:
    """Overlapping rows, made on the workers."""
    random = da.random.default_rng(0)
    size = (n, n_features)
    chunks = (-(-n // n_partitions), n_features)
    return random.standard_gamma(3.0, size=size, chunks=chunks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--stealing", action="store_true", help="let partitions move")
    options = parser.parse_args()
    if not options.stealing:
        dask.config.set({"distributed.scheduler.work-stealing": False})
    cluster = LocalCluster(
        n_workers=options.workers, threads_per_worker=1, processes=True,
        host="127.0.0.1", dashboard_address="127.0.0.1:0",
    )  # fmt: skip
    with cluster, Client(cluster) as client:
        count_messages()
        client.run(count_messages)
        print("| rows | partitions | MB of rows | kB sent by client and scheduler | kB sent by"
              " workers | times statistics | seconds |")  # fmt: skip
        print("|---:|---:|---:|---:|---:|---:|---:|")
        for n, n_partitions in CASES:
            X = rows(n, options.features, n_partitions).persist()
            wait(X)
            moved = measure(client, X, options.components)
            total = moved.by_client_and_scheduler + moved.by_workers
            print(
                f"| {n:,} | {n_partitions} | {X.nbytes / 1e6:.0f} "
                f"| {moved.by_client_and_scheduler / 1e3:.0f} | {moved.by_workers / 1e3:.0f} "
                f"| {total / moved.statistics:.1f} | {moved.seconds:.2f} |",
                flush=True,
            )
        print(f"\nOne set of statistics: {moved.statistics / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
