"""A process that serves: it forks, has many threads or is refused them, and is interrupted.

Each test runs in a process of its own, which fails when it hangs.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from support.processes import environment, needs_pool, output_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
needs_tasks = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="counts threads in /proc"
)

#: A fit that runs on two threads, whatever the machine; `fit` returns its bits.
MODEL = """
import os, signal, sys, threading, time, warnings
import numpy as np
from gaussmix import ConvergenceWarning, GaussianMixture

warnings.simplefilter("ignore", ConvergenceWarning)
rows = np.random.default_rng(0).normal(size=(100_000, 4))
model = GaussianMixture(3, max_iter=4, tol=0.0, init_params="random_from_data", random_state=0)
model.set_params(n_threads=2)

def fit():
    fitted = GaussianMixture(**model.get_params()).fit(rows)
    return fitted.means_.tobytes() + fitted.predict(rows).tobytes()

def threads():
    "Names of this process's threads, as the system has them."
    names = []
    for task in os.listdir("/proc/self/task"):
        try:
            names.append(open(f"/proc/self/task/{task}/comm").read().strip())
        except FileNotFoundError:  # it has ended meanwhile
            pass
    return names
"""

FORK = """
def in_child(check):
    "Fork, run check in the child, and pass on whether it went well."
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # a child that hangs ends, and the test fails
        code = 1
        try:
            check()
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
"""


# --- fork ----------------------------------------------------------------------------------------


@needs_pool
def test_fork_child_and_grandchild_compute_in_parallel():
    code = """
in_parent = fit()

def check():
    assert fit() == in_parent
    assert threads().count("gaussmix") == 1  # a worker of its own
    print("equal")

def check_both():
    check()
    in_child(check)

in_child(check_both)
assert fit() == in_parent
"""
    assert output_of(MODEL + FORK + code).split() == ["equal", "equal"]


@needs_pool
def test_fork_while_another_thread_is_inside_a_fit():
    code = """
expected = fit()
stop = threading.Event()

def keep_fitting():
    while not stop.is_set():
        fit()

others = [threading.Thread(target=keep_fitting) for _ in range(2)]
for other in others:
    other.start()

def check():
    assert fit() == expected
    print("equal")

for _ in range(5):
    time.sleep(0.02)
    in_child(check)
stop.set()
for other in others:
    other.join()
assert fit() == expected
"""
    assert output_of(MODEL + FORK + code).split() == ["equal"] * 5


@needs_pool
def test_fork_from_a_thread_that_is_not_the_main_one():
    code = """
expected = fit()

def check():
    assert fit() == expected
    print("equal")

thread = threading.Thread(target=in_child, args=(check,))
thread.start()
thread.join()
"""
    assert output_of(MODEL + FORK + code) == "equal"


@needs_pool
def test_fork_after_kmeans_of_scikit_learn():
    """Its parallel loops leave threads behind in the parent as well."""
    code = """
from sklearn.cluster import KMeans
KMeans(3, n_init=1).fit(rows)
expected = fit()

def check():
    assert fit() == expected
    print("equal")

in_child(check)
"""
    assert output_of(MODEL + FORK + code) == "equal"


@needs_pool
def test_fork_before_the_import():
    """Another library has used threads in the parent; gaussmix comes only in the child."""
    code = """
import numpy as np
from sklearn.cluster import KMeans
KMeans(3, n_init=1).fit(np.random.default_rng(0).normal(size=(10_000, 3)))
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    code = 1
    try:
        exec(MODEL)
        fit()
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(pid, 0)[1] == 0
print("done")
"""
    start = f"import os, signal, sys\nMODEL = {MODEL!r}\n"
    assert output_of(start + code) == "done"


@needs_pool
def test_fork_pool_of_multiprocessing():
    code = """
import multiprocessing
expected = fit()
with multiprocessing.get_context("fork").Pool(3) as pool:
    results = [pool.apply_async(fit) for _ in range(6)]
    assert all(result.get(timeout=60) == expected for result in results)
print("equal")
"""
    assert output_of(MODEL + code) == "equal"


# --- threads -------------------------------------------------------------------------------------


@needs_tasks
@pytest.mark.parametrize(("threading", "most"), [("pool", 0), ("", 1)], ids=["pool", "either"])
def test_many_python_threads_share_one_pool(threading, most):
    """And OpenMP's team, which the first of them has that computes for long."""
    code = """
from concurrent.futures import ThreadPoolExecutor

expected = fit()
before = len(threads())
most = 0
all_there = threading.Barrier(64)

def call(_):
    global most
    all_there.wait()
    equal = fit() == expected
    most = max(most, len(threads()))
    return equal

with ThreadPoolExecutor(64) as pool:
    results = pool.map(call, range(128))
    assert fit() == expected
    assert all(results)
print(most - before - 64, threads().count("gaussmix"))
"""
    extra, workers = map(int, output_of(MODEL + code, GAUSSMIX_THREADING=threading).split())
    assert extra <= most
    assert workers == 1


@needs_tasks
@needs_pool
def test_callers_at_work_lessen_the_threads_of_others():
    """Two threads that both want two get one each, but for moments: a team each is no gain."""
    code = """
from gaussmix._runtime import cgroups, threads
fit()
_threads = threads._threads
busy = [_threads.threads_at_work()]
stop = threading.Event()

def watch():
    while not stop.is_set():
        busy.append(_threads.threads_at_work())
        time.sleep(0.0005)

def keep_fitting():
    for _ in range(10):
        fit()

workers = [threading.Thread(target=keep_fitting) for _ in range(8)]
watcher = threading.Thread(target=watch)
watcher.start()
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
stop.set()
watcher.join()
print(max(busy), _threads.threads_at_work())
"""
    most, after = map(int, output_of(MODEL + code).split())
    assert 1 <= most <= 8 + 1  # one region of two threads, which the first may have
    assert after == 0


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="knows this FE_UPWARD only"
)
def test_workers_round_as_their_caller_does():
    code = """
import ctypes, ctypes.util
library = ctypes.CDLL(ctypes.util.find_library("m"))
model.fit(rows)  # starts the worker

def sums():
    return [model.set_params(n_threads=n).accumulate(rows).second.tobytes() for n in (1, 2, 2, 2)]

nearest = sums()
assert library.fesetround(0x800) == 0
upward = sums()
print(len(set(nearest)), len(set(upward)), nearest[0] != upward[0])
"""
    assert output_of(MODEL + code) == "1 1 True"


REFUSED = """
import resource
from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor(1)
call = {call}
expected = call()
if os.getuid() == 0:
    os.setuid(65534)  # the limit does not bind root
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    pass
else:
    sys.exit("the limit does not bind")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", RuntimeWarning)
    model.set_params(n_threads=5)  # more than have been started
    assert call() == expected
    assert call() == expected
print(*(f"{{warning.category.__name__}}: {{warning.message}}" for warning in caught), sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts threads on Linux only")
@pytest.mark.parametrize("call", ["fit", "lambda: executor.submit(fit).result()"])
@needs_pool
def test_refused_threads_mean_fewer_threads_and_one_warning(call):
    printed = output_of(MODEL + REFUSED.format(call=call))
    assert len(printed.splitlines()) == 1
    assert printed.startswith("RuntimeWarning: The system refused to start a thread, so gaussmix")
    assert "ulimit -u" in printed
    assert "GAUSSMIX_NUM_THREADS" in printed


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts threads on Linux only")
@needs_pool
def test_refused_first_thread_means_a_serial_result():
    """Nothing parallel has run before, so there is no worker."""
    code = REFUSED.replace("call = {call}", "model.set_params(n_threads=1); call = fit")
    code = code.format(call=None)
    printed = output_of(MODEL + code)
    assert printed.startswith("RuntimeWarning: The system refused")


# --- interrupts ----------------------------------------------------------------------------------

#: Ctrl-C comes 0.3 s after the start of a call that would take far longer. Prints whether the
#: answer came within half a second; of three tries the best counts, as other programs run too.
INTERRUPTED = """
def interrupted(call):
    sent = []

    def press():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, press)
    try:
        timer.start()
        call()
    except KeyboardInterrupt:
        return time.monotonic() - sent[0]
    finally:
        timer.join()
    sys.exit("the call ended before Ctrl-C")

def check(call):
    model.fit(rows)
    before = {name: repr(value) for name, value in vars(model).items()}
    delays = [interrupted(call)]
    while min(delays) > 0.5 and len(delays) < 3:
        delays.append(interrupted(call))
    assert {name: repr(value) for name, value in vars(model).items()} == before
    assert model.predict(rows).tobytes() == model.fit(rows).predict(rows).tobytes()
    print("in time" if min(delays) < 0.5 else delays)
"""

LONG = """
long = np.broadcast_to(rows[:100].reshape(-1), (100_000_000, 400))[:, :4]  # not contiguous
deep = np.random.default_rng(1).normal(size=(300_000, 40))

def long_fit():
    model.__class__(40, max_iter=10_000, tol=0.0, n_threads=threads_wanted).fit(deep)

def refit():
    kept = model.get_params()
    try:
        model.set_params(max_iter=10**6, n_threads=threads_wanted)
        model.fit(rows)
    finally:
        model.set_params(**kept)
"""

CALLS = {
    "fit": "refit",
    "start of a fit": "long_fit",
    "score of 1e8 rows": "lambda: model.score(long)",
    "predict of 1e8 rows": "lambda: model.predict(long)",
}


@pytest.mark.parametrize("n_threads", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_ctrl_c_is_answered_and_nothing_is_lost(call, n_threads):
    code = f"threads_wanted = {n_threads}\ncheck({call})"
    assert output_of(MODEL + INTERRUPTED + LONG + code) == "in time"


@needs_pool
def test_ctrl_c_in_a_forked_process():
    code = "threads_wanted = 2\nfit()\nin_child(lambda: check(refit))"
    assert output_of(MODEL + FORK + INTERRUPTED + LONG + code) == "in time"


# --- a server ------------------------------------------------------------------------------------

APPLICATION = """
import signal
expected = fit()  # in the master, so that its threads exist before the fork

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("computing", "x").close()
        end = time.monotonic() + 60
        while not os.path.exists("signalled") and time.monotonic() < end:
            fit()
        for _ in range(10):  # the signal comes to the workers by way of the master
            fit()
    body = b"equal" if fit() == expected else b"different"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def server(tmp_path):
    """Address and process of ``gunicorn --preload`` with two workers of four threads each."""
    if importlib.util.find_spec("gunicorn") is None:
        pytest.skip("needs gunicorn")
    (tmp_path / "served.py").write_text(MODEL + APPLICATION, encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", "--threads=4"]
    command += ["--bind=127.0.0.1:0", "--timeout=60", "served:application"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        lines = iter(process.stderr.readline, "")
        found = next(filter(None, (re.search(r"Listening at: (\S+)", line) for line in lines)))
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        yield found[1], process
    finally:
        process.kill()
        process.wait()


def answer_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.read().decode()


@needs_pool
def test_gunicorn_preload_computes_in_every_worker(server):
    url, _ = server
    assert {answer_of(url) for _ in range(12)} == {"equal"}


@needs_pool
def test_gunicorn_ends_gracefully_on_sigterm(server, tmp_path):
    """The request that is being computed is answered, and the server ends by itself."""
    url, process = server
    answers = []
    request = threading.Thread(target=lambda: answers.append(answer_of(url + "/slow")))
    request.start()
    end = time.monotonic() + 60
    while not (tmp_path / "computing").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    (tmp_path / "signalled").touch()
    request.join(timeout=60)
    assert answers == ["equal"]
    assert process.wait(timeout=60) == 0


# --- other libraries' workers --------------------------------------------------------------------


def test_workers_of_joblib_get_their_share_of_the_cpus():
    code = """
import joblib
from gaussmix._runtime import cgroups, threads

def count():
    return threads.thread_count()

cpus = cgroups.available_cpus()
counts = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(count)() for _ in range(4))
assert set(counts) == {max(cpus // 2, 1)}, counts
expected = fit()
results = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(fit)() for _ in range(4))
assert set(results) == {expected}
print("shared")
"""
    assert output_of(MODEL + code) == "shared"


def test_workers_of_dask_get_one_thread_each():
    """Dask tells its workers so by OMP_NUM_THREADS before they start."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("needs distributed")
    code = """
from gaussmix._runtime import cgroups, threads

def look(_):
    return threads.thread_count(), fit()

if __name__ == "__main__":
    from distributed import Client
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        found = client.gather(client.map(look, range(4)))
    assert {count for count, _ in found} == {1}
    assert {bits for _, bits in found} == {fit()}
    print("shared")
"""
    assert output_of(MODEL + code) == "shared"
