"""Instruction set, number of threads, and what show_config says about them."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from threadpoolctl import threadpool_limits

import gaussmix
from gaussmix import _build_config
from gaussmix._kernels import _cpu, _threads
from gaussmix._runtime import cgroups, config, instruction_sets, threads
from support.processes import output_of, run_python

BUILT = instruction_sets.built_instruction_sets()
USABLE = [name for name in BUILT if name in instruction_sets.supported_instruction_sets()]

needs_openmp = pytest.mark.skipif(not _build_config.OPENMP, reason="built without OpenMP")


# --- instruction sets ----------------------------------------------------------------------------

ALL = ("baseline", "x86v3", "x86v4")


@pytest.mark.parametrize(
    ("requested", "built", "supported", "chosen"),
    [
        (None, ALL, ALL, "x86v4"),
        ("", ALL, ALL, "x86v4"),
        (None, ALL, ALL[:2], "x86v3"),
        (None, ALL[:2], ALL, "x86v3"),
        (None, ALL, ALL[:1], "baseline"),
        ("baseline", ALL, ALL, "baseline"),
        ("x86v3", ALL, ALL, "x86v3"),
    ],
)
def test_the_widest_usable_or_the_requested_instruction_set_is_chosen(
    requested, built, supported, chosen
):
    assert instruction_sets.choose_instruction_set(requested, built, supported) == chosen


@pytest.mark.parametrize("name", USABLE)
def test_the_environment_forces_an_instruction_set(name):
    code = "from gaussmix._runtime.instruction_sets import instruction_set, kernels\n"
    code += "print(instruction_set(), kernels().__name__)"
    assert output_of(code, GAUSSMIX_ISA=name) == f"{name} gaussmix._kernels._em_{name}"


def test_without_the_variable_the_widest_is_in_use():
    code = "from gaussmix._runtime import instruction_sets as r; print(r.instruction_set())"
    assert output_of(code) == USABLE[-1]


def test_forcing_an_instruction_set_that_was_not_built_says_so():
    message = (
        "GAUSSMIX_ISA='x86v4': this build of gaussmix does not contain that instruction set. "
    )
    with pytest.raises(ValueError, match=message + "It contains: baseline"):
        instruction_sets.choose_instruction_set("x86v4", ["baseline"], ALL)


def test_an_instruction_set_that_nobody_knows_is_refused_when_it_is_needed():
    done = run_python(
        "import gaussmix; print('imported'); gaussmix.show_config()", GAUSSMIX_ISA="neon"
    )
    assert done.returncode != 0
    assert done.stdout == "imported\n"
    assert done.stderr.splitlines()[-1] == (
        "ValueError: GAUSSMIX_ISA='neon': no instruction set is known by that name. Choose one of "
        f"{', '.join(BUILT)} or unset GAUSSMIX_ISA."
    )


@pytest.mark.skipif(len(BUILT) == 1, reason="this build contains only the baseline")
def test_forcing_an_instruction_set_that_the_machine_lacks_says_so():
    code = """
import sys, types
sys.modules["gaussmix._kernels._cpu"] = types.SimpleNamespace(
    supported_instruction_sets=lambda: ("baseline",)
)
import gaussmix
"""
    done = run_python(
        code + "gaussmix._runtime.instruction_sets.kernels()", GAUSSMIX_ISA=BUILT[-1]
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == (
        f"RuntimeError: GAUSSMIX_ISA='{BUILT[-1]}': this machine cannot run that instruction set. "
        "It runs: baseline. Choose one of these or unset GAUSSMIX_ISA."
    )
    assert (
        output_of(code + "print(gaussmix._runtime.instruction_sets.instruction_set())")
        == "baseline"
    )


def test_a_built_module_that_cannot_be_imported_is_an_error():
    code = f"""
import sys
sys.modules["gaussmix._kernels._em_{USABLE[-1]}"] = None
import gaussmix
"""
    done = run_python(code)
    assert done.returncode != 0
    assert "ModuleNotFoundError" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs /proc/cpuinfo")
def test_cpu_detection_agrees_with_the_operating_system():
    listed = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = next((line for line in listed.splitlines() if line.startswith("flags")), "").split()
    # Linux's names; it removes from the list what it does not save on a task switch.
    v3 = {"sse4_2", "popcnt", "avx", "avx2", "fma", "bmi1", "bmi2", "abm", "f16c", "movbe"}
    v4 = v3 | {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
    expected = ["baseline"]
    expected += ["x86v3"] if v3 <= set(flags) else []
    expected += ["x86v4"] if v4 <= set(flags) else []
    assert list(_cpu.supported_instruction_sets()) == expected


def test_every_built_module_describes_itself():
    widths = []
    for name in USABLE:
        module = importlib.import_module(f"gaussmix._kernels._em_{name}")
        assert module.compiler()
        widths.append(module.vector_bytes())
    if widths[0] == 8:  # of a compiler without vector types
        assert {*widths} == {8}
    else:
        assert widths == sorted(set(widths))
        assert widths[0] >= 16


def test_the_limit_of_openmp_is_known():
    assert (_threads.openmp_limit() >= 1) is _build_config.OPENMP


# --- threads -------------------------------------------------------------------------------------


@pytest.fixture
def policy(monkeypatch):
    """A machine with 6 CPUs, an OpenMP runtime without a limit, and no thread variables."""
    monkeypatch.delenv("GAUSSMIX_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cgroups, "available_cpus", lambda: 6)

    def openmp(*, limit):
        fake = SimpleNamespace(openmp_limit=lambda: limit)
        monkeypatch.setattr(threads, "_threads", fake)

    openmp(limit=64)
    return openmp


def test_threads_default_to_the_available_cpus(policy):
    assert threads.thread_count() == 6


def test_the_argument_decides_over_everything(policy, monkeypatch):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    policy(limit=4)
    assert threads.thread_count(9) == 9


def test_the_own_variable_decides_over_openmp(policy, monkeypatch):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", " 9 ")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    policy(limit=4)
    assert threads.thread_count() == 9


def test_an_empty_own_variable_counts_as_unset(policy, monkeypatch):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", " ")
    assert threads.thread_count() == 6


@pytest.mark.parametrize("value", ["0", "-2", "1.5", "eight", "4,2"])
def test_a_bad_own_variable_is_an_error_that_names_it(policy, monkeypatch, value):
    monkeypatch.setenv("GAUSSMIX_NUM_THREADS", value)
    with pytest.raises(ValueError, match=f"GAUSSMIX_NUM_THREADS must be .* Got '{value}' instead"):
        threads.thread_count()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4", 4), (" 3 ", 3), ("4,2", 4), ("12", 12), ("1", 1)]
    + [(garbage, 6) for garbage in ("", "0", "-1", "2.5", "many", ",2", "0,4")],
)
def test_openmp_variable(policy, monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.thread_count() == expected


def test_the_openmp_runtime_bounds_the_default_and_its_variable(policy, monkeypatch):
    policy(limit=2)
    assert threads.thread_count() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads.thread_count() == 2


def test_a_build_without_openmp_knows_no_limit_of_it(policy):
    policy(limit=0)
    assert threads.thread_count() == 6


@needs_openmp
def test_threadpoolctl_limits_the_threads_for_its_block(monkeypatch):
    monkeypatch.delenv("GAUSSMIX_NUM_THREADS", raising=False)
    before = threads.thread_count()
    with threadpool_limits(limits=1, user_api="openmp"):
        assert threads.thread_count() == 1
    assert threads.thread_count() == before


@needs_openmp
@pytest.mark.parametrize(("value", "expected"), [("1", 1), ("3", 3), ("5,2", 5)])
def test_openmp_variable_in_a_new_process(value, expected):
    code = "from gaussmix._runtime import threads; print(threads.thread_count())"
    assert output_of(code, OMP_NUM_THREADS=value) == str(expected)


@needs_openmp
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity here")
def test_the_affinity_mask_is_respected():
    code = """
import os
from gaussmix._runtime import cgroups, config, instruction_sets, threads
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(cgroups.available_cpus(), threads.thread_count())
"""
    assert output_of(code) == "1 1"


# --- cgroup quota --------------------------------------------------------------------------------

QUOTAS = {
    "no cgroups at all": ({}, None),
    "v2 limit": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "v2 unlimited": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "v2 empty file": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": ""}, None),
    "v2 garbage": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "lots of it"}, None),
    "v2 zero period": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000 0"}, None),
    "v2 nested": (
        {
            "proc/self/cgroup": "0::/system.slice/job.scope\n",
            "sys/fs/cgroup/system.slice/job.scope/cpu.max": "300000 100000",
        },
        3.0,
    ),
    "v2 smallest limit on the way up": (
        {
            "proc/self/cgroup": "0::/a/b/c",
            "sys/fs/cgroup/a/cpu.max": "200000 100000",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000",
            "sys/fs/cgroup/a/b/c/cpu.max": "400000 100000",
        },
        2.0,
    ),
    "v2 path of the host inside a container": (
        {"proc/self/cgroup": "0::/docker/abc", "sys/fs/cgroup/cpu.max": "50000 100000"},
        0.5,
    ),
    "v2 path outside the namespace": (
        {"proc/self/cgroup": "0::/../other", "sys/fs/cgroup/cpu.max": "100000 100000"},
        1.0,
    ),
    "v1 limit": (
        {
            "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/job\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        },
        2.5,
    ),
    "v1 mounted as cpu, limit on the parent": (
        {
            "proc/self/cgroup": "4:cpuacct,cpu:/job/task\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu/job/task/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/job/task/cpu.cfs_period_us": "100000",
        },
        1.0,
    ),
    "v1 unlimited": (
        {
            "proc/self/cgroup": "4:cpu:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        None,
    ),
    "v1 without a period": (
        {"proc/self/cgroup": "4:cpu:/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000"},
        None,
    ),
    "v1 with v2 beside it": (
        {
            "proc/self/cgroup": "4:cpu:/\n0::/job\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/unified/job/cpu.max": "300000 100000",
        },
        3.0,
    ),
    "unreadable list of groups": (
        {"proc/self/cgroup": "\udcff nonsense\n::\n7\n", "sys/fs/cgroup/cpu.max": ""},
        None,
    ),
    "cpuset is not cpu": (
        {
            "proc/self/cgroup": "4:cpuset:/",
            "sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpuset/cpu.cfs_period_us": "100000",
        },
        None,
    ),
}


@pytest.mark.parametrize(("files", "expected"), QUOTAS.values(), ids=QUOTAS)
def test_cpu_quota(tmp_path, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert cgroups.cpu_quota(tmp_path) == expected


@pytest.mark.parametrize(
    ("quota", "cpus"), [(None, 8), (0.2, 1), (1.0, 1), (1.5, 2), (7.01, 8), (64.0, 8)]
)
def test_a_quota_is_rounded_up_and_bounds_the_cpus(monkeypatch, quota, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(cgroups, "_cached_cpu_quota", lambda: quota)
    assert cgroups.available_cpus() == cpus


def test_the_quota_is_read_again_only_after_a_while(monkeypatch):
    now = 1000.0
    readings = iter([2.0, 4.0])
    monkeypatch.setattr(cgroups, "_quota_cache", None)
    monkeypatch.setattr(cgroups, "cpu_quota", lambda: next(readings))
    monkeypatch.setattr(cgroups.time, "monotonic", lambda: now)
    assert [cgroups._cached_cpu_quota() for _ in range(3)] == [2.0, 2.0, 2.0]
    now += 5.1
    assert [cgroups._cached_cpu_quota() for _ in range(3)] == [4.0, 4.0, 4.0]


# --- refused threads -----------------------------------------------------------------------------


def test_a_refused_thread_is_reported_once(monkeypatch):
    monkeypatch.setattr(threads, "_refusal_reported", False)
    with pytest.warns(RuntimeWarning, match="refused to start a thread"):
        threads._report_refusal()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads._report_refusal()


# --- what is in use ------------------------------------------------------------------------------


def test_show_config_prints_what_config_returns(capsys):
    found = config.config()
    gaussmix.show_config()
    printed = capsys.readouterr().out
    assert printed.startswith(f"gaussmix {gaussmix.__version__}\n")
    lines = {line[2:20].strip(): line[20:] for line in printed.splitlines()[1:]}
    assert lines["compiler"] == found["compiler"]
    assert lines["instruction set"].startswith(instruction_sets.instruction_set())
    assert lines["built"] == ", ".join(BUILT)
    assert lines["runs here"] == ", ".join(_cpu.supported_instruction_sets())
    assert ("OpenMP" in lines) is _build_config.OPENMP
    assert found["threading_reason"] in lines["threading"]
    assert lines["threads"].startswith(f"{threads.thread_count()} ")


@needs_openmp
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc/self/maps")
def test_config_names_the_loaded_openmp_runtime():
    paths = config.config()["openmp_libraries"]
    assert paths
    assert all(Path(path).is_file() for path in paths)


def test_show_config_says_that_a_build_has_no_openmp(monkeypatch, capsys):
    monkeypatch.setattr(_build_config, "OPENMP", False)
    monkeypatch.setattr(config._threads, "obstacle", lambda: "not built")
    gaussmix.show_config()
    printed = capsys.readouterr().out
    assert "threading         the library's pool: this build has no OpenMP\n" in printed
    assert "OpenMP   " not in printed


def test_show_config_names_a_quota(monkeypatch, capsys):
    monkeypatch.setattr(cgroups, "cpu_quota", lambda: 1.5)
    gaussmix.show_config()
    assert "CPU quota: 1.5 CPUs" in capsys.readouterr().out
