"""OpenMP's threads and the library's pool: which of them computes, and that no result tells.

Each test runs in a process of its own, which fails when it hangs.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from gaussmix import _build_config
from gaussmix._runtime import openmp
from support.processes import output_of, run_python

pytestmark = [
    pytest.mark.skipif(not _build_config.OPENMP, reason="built without OpenMP"),
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux about threads"),
]

#: Calls that take each kind of thread: long ones, and short ones on two threads.
MODEL = """
import os, resource, signal, sys, threading, time, warnings
import numpy as np
from gaussmix import ConvergenceWarning, GaussianMixture
from gaussmix._runtime import threads

warnings.simplefilter("ignore", ConvergenceWarning)
_threads = threads._threads
rng = np.random.default_rng(0)
short_rows, long_rows = rng.normal(size=(20_000, 8)), rng.normal(size=(400_000, 8))
model = GaussianMixture(
    24, max_iter=2, tol=0.0, init_params="random_from_data", random_state=0, n_threads=2
)
model.fit(short_rows)

def teams(call):
    "How many loops of a call OpenMP's threads compute."
    before = _threads.loops_of_teams()
    call()
    return _threads.loops_of_teams() - before

def in_time(holds):
    "Whether it comes to hold: while other programs compute, OpenMP's threads may get no loop."
    end = time.monotonic() + 40
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True

def has_team(call):
    "Whether OpenMP's threads compute a call."
    return in_time(lambda: teams(call) > 0)

def short():
    return model.score_samples(short_rows).tobytes()

def long():
    return model.score_samples(long_rows).tobytes()

def refit():
    return model.fit(long_rows).means_.tobytes() + long()

def in_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]

def in_child(call):
    "What a call prints in a forked process; what it raises, it prints too."
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            print(call())
        except RuntimeError as error:
            print(error)
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""

REFUSE_THREADS = """
if os.getuid() == 0:
    os.setuid(65534)  # the limit does not bind root
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
"""


def printed(code: str, threading: str = "", **variables: str) -> str:
    """What code prints with this value of the variable."""
    return output_of(MODEL + code, GAUSSMIX_THREADING=threading, **variables)


# --- who computes --------------------------------------------------------------------------------


def test_a_long_loop_is_openmps_and_a_short_one_the_pools():
    """A team that may be awake has short ones too; and where other programs compute, an item may
    take longer than the next will.
    """
    code = """
def fewest():
    found = []
    for _ in range(5):
        time.sleep(0.05)
        found.append(teams(short))
    return min(found)

print(fewest(), has_team(long), fewest())
print(has_team(lambda: [long() for _ in range(2)]))
print(in_time(lambda: long() and teams(short) > 0))
"""
    assert printed(code).split() == ["0", "True", "0", "True", "True"]


def test_a_fit_uses_both():
    code = """
def workers():
    return sum("gaussmix" in open(f"/proc/self/task/{t}/comm").read()
               for t in os.listdir("/proc/self/task"))

print(has_team(refit), in_time(lambda: refit() and workers() == 1))
"""
    assert printed(code) == "True True"


def test_the_first_thread_that_opened_a_team_keeps_it():
    code = """
print(in_thread(lambda: has_team(long)), teams(long), in_thread(lambda: teams(long)))
print(_threads.obstacle())
"""
    assert printed(code) == "True 0 0\nnot first"


def test_a_forked_process_computes_with_the_pool():
    code = """
expected = refit()
in_child(lambda: (teams(long), refit() == expected, _threads.obstacle()))
in_child(lambda: in_child(lambda: (teams(long), refit() == expected)) or "grandchild")
print(has_team(long))
"""
    lines = printed(code).splitlines()
    assert lines == ["(0, True, 'forked')", "(0, True)", "grandchild", "True"]


def test_a_process_that_was_forked_before_the_import_knows():
    code = "pid = os.fork()\nif pid: os._exit(os.waitpid(pid, 0)[1])\n" + MODEL
    code = "import os\n" + code + "print(teams(long), _threads.obstacle())"
    assert output_of(code, GAUSSMIX_THREADING="") == "0 forked"


def test_a_program_that_was_started_by_a_forked_process_is_its_own():
    code = """
import os, subprocess, sys
pid = os.fork()
if pid: os._exit(os.waitpid(pid, 0)[1])
print(subprocess.run([sys.executable, "-c", "from gaussmix._kernels import _threads; "
    "import gaussmix; print(repr(_threads.obstacle()))"], capture_output=True, text=True).stdout)
"""
    assert output_of(code, GAUSSMIX_THREADING="") == "''"


def test_loops_at_the_same_time_get_one_team_at_most():
    code = """
expected = long()
stop = threading.Event()
results = []

def keep_scoring():
    while not stop.is_set():
        results.append(long() == expected)

others = [threading.Thread(target=keep_scoring) for _ in range(3)]
for other in others:
    other.start()
for _ in range(5):
    results.append(refit() and long() == expected)
stop.set()
for other in others:
    other.join()
print(_threads.threads_at_work())
"""
    assert printed(code) == "0"


def test_one_way_can_be_forced():
    code = "print(teams(short) > 0, teams(long) > 0, in_thread(lambda: teams(long)) > 0)"
    assert printed(code, "pool") == "False False False"
    assert printed(code, "openmp") == "True True True"


# --- the same bits -------------------------------------------------------------------------------

BITS = """
import hashlib
found = b""
for n_threads in (1, 2, 3, 8):
    model.set_params(n_threads=n_threads)
    found += hashlib.sha256(refit() + short()).digest()
assert len({found[i : i + 32] for i in range(0, len(found), 32)}) == 1
print(hashlib.sha256(found).hexdigest(), _threads.loops_of_teams() > 0)
"""

SETTINGS = {
    "stack of 16 KB": {"OMP_STACKSIZE": "16k"},
    "stack of 64 KB": {"OMP_STACKSIZE": "65536 b"},
    "stack of 64 MB": {"OMP_STACKSIZE": "64M"},
    "stack that makes no sense": {"OMP_STACKSIZE": "much"},
    "dynamic": {"OMP_DYNAMIC": "true"},
    "nested": {"OMP_NESTED": "true", "OMP_MAX_ACTIVE_LEVELS": "4"},
    "schedule": {"OMP_SCHEDULE": "static,1000"},
    "limit": {"OMP_THREAD_LIMIT": "2"},
    "limit of one": {"OMP_THREAD_LIMIT": "1"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "active": {"OMP_WAIT_POLICY": "active"},
    "bound": {"OMP_PROC_BIND": "close", "OMP_PLACES": "threads"},
}


@pytest.fixture(scope="module")
def bits():
    """Of all calls, by the pool."""
    return printed(BITS, "pool").split()[0]


@pytest.mark.parametrize("threading", ["", "openmp"])
def test_both_ways_give_the_same_bits(bits, threading):
    assert printed(BITS, threading).split() == [bits, "True"]


#: Of these each comes near something that OpenMP decides; the others are among the slow tests.
NEAREST = ("stack of 16 KB", "dynamic", "nested", "limit of one")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(value, id=name, marks=() if name in NEAREST else pytest.mark.slow)
        for name, value in SETTINGS.items()
    ],
)
def test_no_setting_of_openmp_changes_a_bit(bits, settings):
    found, teams = printed(BITS, **settings).split()
    assert found == bits
    small = openmp.stack_bytes(settings) in range(1, 1 << 18)
    assert teams == str(not small and settings.get("OMP_THREAD_LIMIT") != "1")


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("threading", ["", pytest.param("openmp", marks=pytest.mark.slow)])
def test_another_runtime_in_the_process_does_no_harm(bits, threading, order):
    """scikit-learn brings its own, and uses it before and between."""
    pytest.importorskip("sklearn")
    other = """
from sklearn.cluster import KMeans
cluster = lambda: KMeans(3, n_init=1, random_state=0).fit(np.eye(5000, 4))
cluster()
"""
    code = f"import numpy as np\n{other}\n{MODEL}" if order == "first" else MODEL + other
    code += BITS.replace("model.set_params", "cluster()\n    model.set_params")
    assert output_of(code, GAUSSMIX_THREADING=threading).split() == [bits, "True"]


# --- where OpenMP cannot go ----------------------------------------------------------------------


def test_forced_openmp_in_a_forked_process_is_an_error_and_no_hang():
    lines = printed("refit()\nin_child(refit)\nprint(len(long()))", "openmp").splitlines()
    assert lines[0].startswith("GAUSSMIX_THREADING=openmp cannot be kept: this process was forked")
    assert "Unset it" in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("before", "teams"), [("", False), ("model.set_params(n_threads=2); expected = refit()", True)]
)
def test_where_threads_are_refused_the_process_lives(before, teams):
    """The runtime would end it: before the first team, and before a larger one."""
    code = f"""
model.set_params(n_threads=1)
expected = refit()
{before}
{REFUSE_THREADS}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", RuntimeWarning)
    model.set_params(n_threads=5)
    found = refit()
    short()
print(found == expected, *(str(one.message)[:35] for one in caught), sep="; ")
print(_threads.loops_of_teams() > 0)
"""
    assert printed(code).splitlines() == ["True; The system refused to start a threa", str(teams)]


def test_forced_openmp_where_threads_are_refused_is_an_error():
    code = REFUSE_THREADS + "model.set_params(n_threads=5)\nlong()"
    done = run_python(MODEL + code, GAUSSMIX_THREADING="openmp")
    assert done.returncode == 1
    assert (
        "RuntimeError: GAUSSMIX_THREADING=openmp cannot be kept: the system has no" in done.stderr
    )


def test_a_stack_that_is_too_small_is_an_error_where_openmp_is_forced():
    done = run_python(MODEL + "long()", GAUSSMIX_THREADING="openmp", OMP_STACKSIZE="100k")
    assert "cannot be kept: OMP_STACKSIZE leaves OpenMP's threads less than 256 KB" in done.stderr


@pytest.mark.parametrize("value", ["tbb", "1", "open mp"])
def test_a_wrong_value_is_an_error_that_names_it(value):
    done = run_python(
        "import gaussmix; gaussmix.GaussianMixture(2).fit([[0.0], [1.0], [2.0]] * 99_999)",
        GAUSSMIX_THREADING=value,
    )
    assert f"GAUSSMIX_THREADING must be 'openmp' or 'pool'. Got '{value}' instead" in done.stderr


# --- what OpenMP's threads are like --------------------------------------------------------------


def test_threads_of_a_team_take_no_signals():
    code = """
refit()
blocked = []
for task in os.listdir("/proc/self/task"):
    status = open(f"/proc/self/task/{task}/status").read()
    mask = int(status.split("SigBlk:")[1].split()[0], 16)
    blocked.append(bool(mask & (1 << signal.SIGINT - 1)) and not mask & (1 << signal.SIGSEGV - 1))
# The caller and those of NumPy's BLAS take them, the worker of the team and of the pool do not.
print(sum(blocked))
"""
    assert printed(code) == "2"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="knows this FE_UPWARD only")
@pytest.mark.parametrize("threading", ["openmp", "pool"])
def test_all_round_as_their_caller_does(threading):
    code = """
import ctypes, ctypes.util
library = ctypes.CDLL(ctypes.util.find_library("m"))
refit()

def second(n_threads):
    return model.set_params(n_threads=n_threads).accumulate(long_rows).second.tobytes()

def sums():
    return [second(n) for n in (1, 2, 2)]

nearest = sums()
assert library.fesetround(0x800) == 0
upward = sums()
assert library.fesetround(0) == 0
print(len(set(nearest)), len(set(upward)), nearest[0] != upward[0], sums() == nearest)
"""
    assert printed(code, threading) == "1 1 True True"


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two CPUs",
)
def test_places_are_kept_and_the_pool_is_not_tied_to_the_first():
    """OpenMP ties the first thread to a place; a team has one for each thread, the pool all."""
    code = """
model.set_params(n_threads=None)
refit(), short()
one, more = set(), set()
for task in os.listdir("/proc/self/task"):
    cpus = frozenset(os.sched_getaffinity(int(task)))
    if "gaussmix" in open(f"/proc/self/task/{task}/comm").read():
        more.add(len(cpus))
    elif len(cpus) == 1:
        one.add(cpus)
print(threads.thread_count(), len(one), *more)
"""
    bound = {"OMP_PROC_BIND": "close", "OMP_PLACES": "threads"}
    n = len(os.sched_getaffinity(0))
    assert printed(code, **bound, OMP_NUM_THREADS="2") == f"2 2 {n}"


def test_limits_on_openmps_threads_are_kept():
    code = "print(threads.thread_count(), model.set_params(n_threads=None) and teams(long))"
    assert printed(code, OMP_THREAD_LIMIT="1") == "1 0"
    assert printed(code, OMP_NUM_THREADS="1") == "1 0"


# --- what the environment says -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 0), ({"OMP_STACKSIZE": "2048"}, 2 << 20), ({"OMP_STACKSIZE": " 10 M "}, 10 << 20),
        ({"OMP_STACKSIZE": "1g"}, 1 << 30), ({"OMP_STACKSIZE": "500B"}, 500),
        ({"OMP_STACKSIZE": "-1"}, 0), ({"OMP_STACKSIZE": "1T"}, 0),
        ({"GOMP_STACKSIZE": "4"}, 4096), ({"OMP_STACKSIZE": "9" * 15 + "g"}, 1 << 62),
        ({"OMP_STACKSIZE": "9" * 5000}, 0),
    ],
)  # fmt: skip
def test_the_size_of_stacks(settings, expected):
    assert openmp.stack_bytes(settings) == expected


def test_how_long_openmps_threads_look_for_work():
    assert not openmp.spins_for_ever({"OMP_WAIT_POLICY": "passive"})
    assert openmp.spins_for_ever({"OMP_WAIT_POLICY": " ACTIVE"})
    assert openmp.spins_for_ever({"GOMP_SPINCOUNT": "10"})


def test_a_forked_process_by_what_linux_says():
    assert openmp.is_forked("22 (a) b) S 1 2 3 0 -1 4194368 101")
    assert not openmp.is_forked("22 (a) b) S 1 2 3 0 -1 4194304 101")
    assert not openmp.is_forked("")


def test_show_config_says_who_computes_and_why():
    code = "import gaussmix; gaussmix.show_config()"
    shown = output_of(code, GAUSSMIX_THREADING="", OMP_PROC_BIND="false")
    assert "threading         OpenMP where a loop is long, else the library's pool" in shown
    assert "OMP_PROC_BIND=false" in shown
    shown = output_of(code, GAUSSMIX_THREADING="pool")
    assert "threading         the library's pool: GAUSSMIX_THREADING=pool" in shown
    shown = output_of(code, GAUSSMIX_THREADING="openmp")
    assert "threading         OpenMP (GAUSSMIX_THREADING=openmp)" in shown


def test_the_reasons_are_those_of_the_kernels():
    from gaussmix._kernels import _threads

    assert {name for name in _threads.OBSTACLES.values() if name} == set(openmp.REASONS)
    assert Path("/proc/self/stat").exists()
