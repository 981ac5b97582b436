"""Faults of production, the same for gaussmix and scikit-learn: what happens.

gaussmix three times: as it decides itself who computes its loops, and with `GAUSSMIX_THREADING`.

Every scenario runs in processes of its own and is stopped when it hangs. Nothing here is a
measurement of speed; times are printed where an answer was waited for.

    python benchmarks/production.py
    python benchmarks/production.py --scenarios fork quota

Needs Linux; "quota" and "exhaustion" need root and a writable cgroup tree.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

#: The columns of the table: a library, and who computes its parallel loops.
COLUMNS = {
    "gaussmix": ("gaussmix", ""),
    "gaussmix, OpenMP forced": ("gaussmix", "openmp"),
    "gaussmix, pool forced": ("gaussmix", "pool"),
    "sklearn.mixture": ("sklearn.mixture", ""),
}

# A scenario that takes longer than this hangs.
PATIENCE = 20.0  # seconds

#: `fit` runs the library's default fit, whose k-means uses threads in both libraries.
MODEL = """
import os, signal, sys, threading, time, warnings
import numpy as np
from {library} import GaussianMixture

warnings.filterwarnings("ignore", message=".*did not converge")
rows = np.random.default_rng(0).normal(size=(100_000, 4))

def fit(**parameters):
    return GaussianMixture(3, max_iter=5, random_state=0, **parameters).fit(rows)

def threads():
    return len(os.listdir("/proc/self/task"))

def child(check):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            check()
        except RuntimeError as error:
            print(f"RuntimeError: {{str(error).split(': ')[1].split(', ')[0]}};")
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(pid, 0)
"""

CHECK = """
expected = fit().means_

def check():
    start = time.perf_counter()
    same = np.array_equal(fit().means_, expected)
    print("same bits" if same else "other result", f"in {time.perf_counter() - start:.2f} s;")
"""


# --- running one ---------------------------------------------------------------------------------


def run(code: str, library: str, **options) -> str:
    """What a script printed, or how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", MODEL.format(library=library) + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return f"{one_line(output)} HANGS, killed after {PATIENCE:.0f} s".strip()
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        said = last[0].split(". ")[0]
        return f"{one_line(output)} PROCESS ENDED, status {process.returncode}: {said}".strip()
    return one_line(output)


def one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(";")


# --- fork ----------------------------------------------------------------------------------------


def fork(library: str) -> str:
    return run(CHECK + "child(check)", library)


def fork_grandchild(library: str) -> str:
    return run(CHECK + "child(lambda: child(check))", library)


def fork_pool(library: str) -> str:
    code = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    for result in [pool.apply_async(check) for _ in range(2)]:
        result.get()
"""
    return run(CHECK + code, library)


def fork_after_kmeans(library: str) -> str:
    code = """
from sklearn.cluster import KMeans
KMeans(3, n_init=1).fit(rows)
child(check)
"""
    return run(CHECK + code, library)


def fork_during_fit(library: str) -> str:
    code = """
done = threading.Event()

def keep_fitting():
    while not done.is_set():
        fit()

other = threading.Thread(target=keep_fitting)
other.start()
for _ in range(5):
    time.sleep(0.02)
    child(check)
done.set()
other.join()
"""
    return run(CHECK + code, library)


APPLICATION = """
expected = fit().means_

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.0)
    body = b"right" if np.array_equal(fit().means_, expected) else b"wrong"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


SERVERS = {
    "gunicorn": ["{bin}/gunicorn", "--preload", "--workers=2", "--bind=127.0.0.1:{port}",
                 "--timeout={patience}", "--graceful-timeout=10", "served:application"],
    "uwsgi": ["{bin}/uwsgi", "--master", "--processes=2", "--http-socket=127.0.0.1:{port}",
              "--harakiri={patience}", "--die-on-term", "--virtualenv={prefix}",
              "--module=served:application"],
}  # fmt: skip


@contextlib.contextmanager
def server(name: str, library: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Address and process of a server that loads its application before it forks two workers."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        served = Path(folder) / "served.py"
        served.write_text(MODEL.format(library=library) + APPLICATION, encoding="utf-8")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        words = {"bin": Path(sys.executable).parent, "prefix": sys.prefix, "port": port}
        command = [word.format(**words, patience=int(PATIENCE)) for word in SERVERS[name]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}", process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Wait until the server listens."""
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit(f"{process.args[0]} ended with status {process.returncode}")


def answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE + 5) as response:
            return response.read().decode()
    except (OSError, urllib.error.URLError) as error:
        return f"NO ANSWER ({error})"


def serve(name: str, library: str) -> str:
    with server(name, library) as (url, _):
        start = time.perf_counter()
        return f"{answer(url)} after {time.perf_counter() - start:.2f} s"


def gunicorn_preload(library: str) -> str:
    return serve("gunicorn", library)


def uwsgi(library: str) -> str:
    if not (Path(sys.executable).parent / "uwsgi").exists():
        return "not run: uwsgi is not installed"
    return serve("uwsgi", library)


def gunicorn_sigterm(library: str) -> str:
    """SIGTERM while a request is in the worker."""
    with server("gunicorn", library) as (url, process):
        answers: list[str] = []
        client = threading.Thread(target=lambda: answers.append(answer(url + "/slow")))
        client.start()
        time.sleep(0.5)
        process.terminate()
        client.join()
        try:
            return f"{answers[0]}; server ended with status {process.wait(timeout=15)}"
        except subprocess.TimeoutExpired:
            return f"{answers[0]}; SERVER DOES NOT END"


# --- threads -------------------------------------------------------------------------------------


def quota(library: str) -> str:
    """Half a CPU, set on the group above the process's own."""
    code = """
start, cpu = time.perf_counter(), time.process_time()
before = threads()
fit()
print(f"{time.perf_counter() - start:.2f} s, {time.process_time() - cpu:.2f} s of CPU,",
      f"{threads() - before} threads started")
"""
    first = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}
    with nested_group("cpu", first, {"cpu.max": "50000 100000"}) as join:
        return run(code, library, preexec_fn=join)


def exhaustion(library: str) -> str:
    """A limit of three threads in all, one of which is NumPy's."""
    code = """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", RuntimeWarning)
    warnings.filterwarnings("ignore", message=".*did not converge")
    model = fit()
print("result", *(f"({warning.message})"[:41] + "...)" for warning in caught))
"""
    with nested_group("pids", {"pids.max": "3"}, {"pids.max": "3"}) as join:
        return run(code, library, preexec_fn=join)


@contextlib.contextmanager
def nested_group(
    controller: str, first: dict[str, str], second: dict[str, str]
) -> Iterator[Callable[[], None]]:
    """A function that puts the calling process into a group whose parent has these limits.

    `first` are the files of cgroup version 1, `second` those of version 2. Needs root.
    """
    root = Path("/sys/fs/cgroup")
    is_first = (root / controller).is_dir()
    group = root / (controller if is_first else "") / "gaussmix" / "job"
    group.mkdir(parents=True)
    try:
        for name, value in (first if is_first else second).items():
            (group.parent / name).write_text(value)
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()
        group.parent.rmdir()


def callers(library: str) -> str:
    """64 Python threads that fit at once: threads they make beyond themselves."""
    code = """
from concurrent.futures import ThreadPoolExecutor
rows = rows[:20_000]
fit()
before, most = threads(), 0
all_there = threading.Barrier(64)

def call(_):
    global most
    all_there.wait()
    fit()
    most = max(most, threads())

with ThreadPoolExecutor(64) as pool:
    list(pool.map(call, range(64)))
print(most - before - 64, "threads beside the 64")
"""
    return run(code, library)


# --- interrupts ----------------------------------------------------------------------------------

INTERRUPT = """
def interrupted(call):
    sent = []

    def press():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, press)
    timer.start()
    try:
        call()
        print("ended before Ctrl-C")
    except KeyboardInterrupt:
        print(f"after {time.monotonic() - sent[0]:.2f} s;")

model = fit()
before = model.means_.copy()
"""

AFTERWARDS = """
kept = np.array_equal(model.means_, before)
print("state kept," if kept else "STATE LOST,", "next call works" if model.fit(rows) else "")
"""


def interrupt_fit(library: str) -> str:
    code = """
many = np.random.default_rng(1).normal(size=(1_000_000, 32))

def call():
    model.set_params(n_components=16, max_iter=1000, tol=0.0)
    try:
        model.fit(many)
    finally:
        model.set_params(n_components=3, max_iter=5)

interrupted(call)
"""
    return run(INTERRUPT + code + AFTERWARDS, library)


def interrupt_score(library: str) -> str:
    code = """
many = np.ones((50_000_000, 4))
interrupted(lambda: model.score(many))
"""
    return run(INTERRUPT + code + AFTERWARDS, library)


# --- all of them ---------------------------------------------------------------------------------

SCENARIOS: dict[str, tuple[str, Callable[[str], str]]] = {
    "fork": ("fit in the parent, fit in a forked child", fork),
    "grandchild": ("the same in a grandchild", fork_grandchild),
    "pool": ("the same in a multiprocessing pool (fork)", fork_pool),
    "kmeans": ("scikit-learn's KMeans in the parent first", fork_after_kmeans),
    "during": ("fork while another thread is inside a fit, five times", fork_during_fit),
    "preload": ("gunicorn --preload, a request that fits", gunicorn_preload),
    "uwsgi": ("uwsgi with a master, the same", uwsgi),
    "sigterm": ("SIGTERM to gunicorn while it computes", gunicorn_sigterm),
    "quota": ("quota of half a CPU on a nested cgroup", quota),
    "exhaustion": ("at most three threads (pids limit)", exhaustion),
    "callers": ("64 Python threads fit at once", callers),
    "interrupt-fit": ("Ctrl-C during a fit, 1e6 x 32, K = 16", interrupt_fit),
    "interrupt-score": ("Ctrl-C during score, 5e7 x 4", interrupt_score),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    options = parser.parse_args()
    print("| scenario |", " | ".join(options.columns), "|")
    print("|---|" + "---|" * len(options.columns))
    for name in options.scenarios:
        title, scenario = SCENARIOS[name]
        outcomes = []
        for column in options.columns:
            library, os.environ["GAUSSMIX_THREADING"] = COLUMNS[column]
            outcomes.append(scenario(library))
        print(f"| {title} |", " | ".join(outcomes), "|", flush=True)


if __name__ == "__main__":
    main()
