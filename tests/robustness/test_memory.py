"""Memory that cannot be had, memory that is never given back, and more than 2^31 of anything."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix._estep import kmeans
from gaussmix._rows import array_rows
from gaussmix._rows.array_rows import Rows
from gaussmix._rows.first_pass import SCAN_ROWS
from gaussmix._runtime import instruction_sets
from support import failing_allocations
from support.failing_allocations import CASES, rows
from support.families import COVARIANCE_TYPES
from support.paths import ROOT
from support.processes import environment

# --- allocations that fail -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def fail_malloc(tmp_path_factory):
    """The library that makes allocations fail."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("takes the place of the GNU C library's malloc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("NumPy 1 ends the process where an allocation of its own fails")
    library = tmp_path_factory.mktemp("fail_malloc") / "fail_malloc.so"
    source = ROOT / "tests" / "support" / "fail_malloc.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


def check_failing(library, case, modes="once", stride=1, **variables):
    """Run failing_allocations.py; nothing may be wrong, whichever allocation fails."""
    done = subprocess.run(
        [
            *(sys.executable, "-X", "faulthandler"),
            *(failing_allocations.__file__, case, modes, str(stride)),
        ],
        env=environment(LD_PRELOAD=str(library), **variables),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert report["outcomes"]["MemoryError"] > 0


# Few of the many steps of the longer calls; the slow tests take every one.
STRIDES = {"fit full": 23, "fit float32": 83, "fit two threads": 163, "load": 17, "save": 7}
STRIDES |= {"fit missing": 83, "fit tied": 83, "fit diag": 83, "fit spherical": 83}
STRIDES |= {"fit_predict": 83, "first partial_fit": 83, "partial_fit": 13}


@pytest.mark.parametrize("case", CASES)
def test_the_nth_allocation_fails(fail_malloc, case):
    # Python has memory for small objects, and asks for more when they exceed 512 bytes.
    check_failing(fail_malloc, case, "once,lasting", STRIDES.get(case, 1))


@pytest.mark.slow
@pytest.mark.parametrize("case", STRIDES)
def test_every_allocation_fails(fail_malloc, case):
    check_failing(fail_malloc, case, "once,lasting")


#: CPython's issue 122752, which a pure Python program shows as well.
without_double_release = pytest.mark.skipif(
    sys.version_info[:2] in {(3, 12), (3, 13)},
    reason="this Python releases a code object twice when it has no memory for a function of it",
)


small_objects_from_malloc = pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="Python has one allocator only"
)


@without_double_release
@small_objects_from_malloc
@pytest.mark.parametrize("case", ["predict", "fit full", "partial_fit", "retire"])
def test_an_allocation_of_any_size_fails(fail_malloc, case):
    # Python's own small objects as well.
    stride = 71 if "fit" in case else 7 if case == "retire" else 1
    check_failing(fail_malloc, case, stride=stride, PYTHONMALLOC="malloc")


@pytest.mark.slow
@without_double_release
@small_objects_from_malloc
@pytest.mark.parametrize("case", CASES)
def test_every_allocation_of_any_size_fails(fail_malloc, case):
    stride = 5 if "two threads" in case else 1
    check_failing(fail_malloc, case, stride=stride, PYTHONMALLOC="malloc")


# --- memory that is never given back -------------------------------------------------------------


def refused(method, *args):
    """A call that must fail."""
    with pytest.raises(ValueError):
        method(*args)


@contextlib.contextmanager
def quietly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def scores():
    """Calls that score a row or a few, or refuse to."""
    model = GaussianMixture(2, random_state=0).fit(rows())
    tolerant = GaussianMixture(2, random_state=0, allow_nan=True).fit(rows())
    X, bad = rows(7), rows(7)
    bad[5, 1] = np.nan
    out = np.empty(7)
    return {
        "predict": lambda: model.predict(X[:1]),
        "predict_proba": lambda: model.predict_proba(X),
        "score_samples": lambda: model.score_samples(X[:1]),
        "score_samples out": lambda: model.score_samples(X, out=out),
        "score": lambda: model.score(X),
        "float32": lambda: model.predict_proba(X.astype(np.float32)),
        "a new scorer": lambda: GaussianMixture.from_parameters([1.0], [[0.0]], [1.0]).predict(
            X[:, :1]
        ),
        "nan": lambda: refused(model.predict, bad),
        "missing": lambda: tolerant.predict_proba(bad),
        "impute": lambda: model.impute(bad),
    }


def fits():
    """Fits, and fits that fail."""
    X, bad, equal = rows(), rows(), np.ones((20, 3))
    bad[5, 1] = np.nan
    settings = {"max_iter": 3, "random_state": 0}
    return {
        **{
            f"fit {kind}": lambda kind=kind: GaussianMixture(
                2, covariance_type=kind, **settings
            ).fit(X)
            for kind in COVARIANCE_TYPES
        },
        "fit float32": lambda: GaussianMixture(2, **settings).fit(X.astype(np.float32)),
        "nan": lambda: refused(GaussianMixture(2, **settings).fit, bad),
        "missing": lambda: GaussianMixture(2, allow_nan=True, **settings).fit(bad),
        "collapsed": lambda: refused(GaussianMixture(1, reg_covar=0, **settings).fit, equal),
    }


def allocated_by_c():
    """Bytes that malloc has handed out in this process."""
    fields = [(name, ctypes.c_size_t) for name in "abcdefghij"]
    library = None if sys.platform == "win32" else ctypes.CDLL(None)
    mallinfo2 = getattr(library, "mallinfo2", None)
    if mallinfo2 is None:
        pytest.skip("the C library does not say how much memory is in use")
    mallinfo2.restype = type("mallinfo2", (ctypes.Structure,), {"_fields_": fields})
    info = mallinfo2()
    return info.h + info.e  # uordblks, hblkhd: in the heap and mapped


def allocated_by_python():
    """Bytes that Python and NumPy hold, while `tracemalloc` runs."""
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture(params=[allocated_by_c, allocated_by_python])
def allocated(request):
    if request.param is allocated_by_c:
        yield allocated_by_c
        return
    tracemalloc.start()
    yield allocated_by_python
    tracemalloc.stop()


def least_growth(call, n, allocated, enough):
    """Bytes by which the memory in use grows in n calls, after n calls: the least of six times, or
    the first below `enough`.

    What is allocated by chance is not there every time, but for some hundred bytes in NumPy's
    caches, which are little beside what a leak of a hundred bytes makes in 25 calls.
    """

    def in_use():
        for _ in range(n):
            call()
        gc.collect()
        return allocated()

    gc.freeze()  # collecting takes long where it looks at all the objects of a whole suite
    try:
        before, least = in_use(), math.inf
        for _ in range(6):
            after = in_use()
            before, least = after, min(least, after - before)
            if least < enough:
                break
        return least
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(("calls", "n"), [(scores, 100), (fits, 25)])
def test_no_call_keeps_memory(calls, n, allocated):
    for name, call in calls().items():
        with quietly():
            assert least_growth(call, n, allocated, 50 * n) < 50 * n, name


def resident():
    """Bytes of this process in physical memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks into /proc")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(("calls", "n"), [(scores, 1_000_000), (fits, 10_000)])
def test_months_of_calls_leave_memory_flat(calls, n):
    calls = list(calls().values())

    def each():
        for call in calls:
            call()

    with quietly():
        assert least_growth(each, n // (4 * len(calls)), resident, 2**18) < 2**18


def held():
    """Number of threads and of open files of this process."""
    return tuple(len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))


@needs_proc
def test_threads_and_files_do_not_grow(tmp_path):
    X = rows(40_000)
    path = tmp_path / "model.npz"
    damaged = tmp_path / "damaged.npz"
    model = GaussianMixture(2, random_state=0, n_threads=2, max_iter=2)

    def each():
        with quietly():
            model.fit(X).predict(X)
        model.save(path)
        gaussmix.load(path)
        damaged.write_bytes(path.read_bytes()[:-1])
        refused(gaussmix.load, damaged)
        with pytest.raises(OSError):
            model.save(tmp_path)

    each()
    before = held()
    for _ in range(20):
        each()
    # What other tests have begun may end meanwhile; what each call leaves is there 20 times.
    growth = np.subtract(held(), before)
    assert (growth < 20).all()
    assert sorted(os.listdir(tmp_path)) == ["damaged.npz", "model.npz"]


# --- more than 2^31 values -----------------------------------------------------------------------

MANY = 300_000_000  # rows of 8 values


def mixture_of_eight():
    means = np.random.default_rng(1).normal(size=(8, 8))
    return GaussianMixture.from_parameters(np.full(8, 1 / 8), means, np.linspace(1, 2, 8))


@pytest.mark.parametrize("first_chunk", [2**31 + 2, 2**40 + 2])
def test_chunks_are_numbered_beyond_2_31(first_chunk):
    X = rows(SCAN_ROWS, 8)
    partials = np.zeros((2, 4, 32))
    for number, sums in zip((2, first_chunk), partials):
        instruction_sets.row_kernels().column_moments(X, None, np.zeros(8), 100, number, sums, 2)
    assert partials.any()
    np.testing.assert_array_equal(partials[0], partials[1])


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes: it would take 34 GB")
def test_results_lie_more_than_2_31_apart(tmp_path):
    X, points = rows(500, 8), rows(2, 8)
    # A file without contents, so that only what is written takes room.
    far = np.memmap(tmp_path / "far", dtype=np.float64, mode="w+", shape=(2, 2**31 + 500))
    assert far.strides[0] > 2**31 * 8
    distances = kmeans.squared_distances(Rows(X, n_threads=2), points, far[:, -500:])
    np.testing.assert_array_equal(distances, kmeans.squared_distances(Rows(X), points))


# More than a process can address: less than that some systems promise, and do not have.
@pytest.mark.parametrize(("n", "size"), [(10**13, "80,000,000,000,000,000"), (2**58, "2,305,")])
def test_a_result_there_is_no_memory_for(n, size):
    model = GaussianMixture.from_parameters(
        np.full(1000, 1e-3), np.arange(1000.0)[:, None], np.ones(1000), covariance_type="spherical"
    )
    X = np.broadcast_to(np.zeros(1), (n, 1))
    with pytest.raises(MemoryError) as caught:
        model.predict_proba(X)
    message = str(caught.value)
    assert f"shape ({n}, 1000) and type float64, takes {size}" in message
    assert "fewer rows at a time" in message
    assert "out=" in message


@pytest.mark.slow
def test_scores_and_sums_of_more_than_2_31_values():
    model = mixture_of_eight()
    row = np.full((1, 8), 0.25)
    X = np.broadcast_to(row, (MANY, 8))
    assert X.size > 2**31
    np.testing.assert_allclose(model.score(X), model.score(row), rtol=1e-12)
    statistics = model.accumulate(X)
    assert statistics.n_rows == MANY
    expected = MANY * model.predict_proba(row)[0]
    np.testing.assert_allclose(statistics.weight, expected, rtol=1e-9)
    moments = statistics.first + statistics.weight[:, None] * statistics.shift
    np.testing.assert_allclose(moments, expected[:, None] * row, rtol=1e-6, atol=1e-6 * MANY)


@pytest.mark.slow
def test_labels_of_more_than_2_31_values():
    model = mixture_of_eight()
    values = np.random.default_rng(2).integers(-2, 3, MANY + 7, dtype=np.int8)
    X = np.lib.stride_tricks.sliding_window_view(values, 8)
    labels = model.predict(X)
    edge = 2**31 // 8
    for part in (slice(0, 5000), slice(edge - 5000, edge + 5000), slice(MANY - 5000, MANY)):
        np.testing.assert_array_equal(labels[part], model.predict(X[part]))


@pytest.mark.slow
def test_the_place_of_a_nan_beyond_2_31_values():
    model = mixture_of_eight()
    values = np.zeros(MANY + 7, dtype=np.float32)
    values[-1] = np.nan
    X = np.lib.stride_tricks.sliding_window_view(values, 8)
    for method in (model.score, model.accumulate, model.predict):
        with pytest.raises(ValueError, match=f"First at row {MANY - 1}, column 7"):
            method(X)


@pytest.mark.slow
def test_one_block_of_more_than_2_31_values(monkeypatch):
    monkeypatch.setattr(array_rows, "BLOCK_BYTES_IN_PLACE", 2**40)
    model = mixture_of_eight()
    # Pages that are only read, and are zero, take no memory.
    X = np.zeros((2**31 // 8 + 1000, 8), dtype=np.float32)
    X[-1] = rows(1, 8)
    assert len(list(Rows(X).blocks(1))) == 1
    density = model.score_samples(X)
    np.testing.assert_array_equal(density[[0, -1]], model.score_samples(X[[0, -1]]))
    assert (density[:-1] == density[0]).all()
    X[-1, 3] = np.nan
    position = instruction_sets.row_kernels().first_nonfinite(X, SCAN_ROWS, 2)
    assert divmod(position, 8) == (len(X) - 1, 3)
