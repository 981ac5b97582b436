"""How the kernels read rows: every small shape, every place in memory, and never beyond the end.

Rows of small whole numbers and their squared distances from a point are exact in both precisions,
so what is compared is where each number was read from and put, to the last bit.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from gaussmix._estep import kmeans
from gaussmix._rows import array_rows
from gaussmix._runtime import instruction_sets

FEATURES = range(1, 41)
ROWS = range(1, 61)


def whole_numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-15, 16, shape).astype(np.float64)


def distances(kernels, X: np.ndarray, centre: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The kernel's squared distances, in tiles of the smallest and chunks of two tiles."""
    out = np.full((len(points), len(X)), np.nan)
    strip = kernels.strip_rows()
    kernels.squared_distances(
        X, centre, points, np.zeros(len(points)), out, strip, 2 * strip, 1
    )  # fmt: skip
    return out


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
def test_every_small_shape(instruction_set: str, dtype: type, single: bool) -> None:
    kernels = instruction_sets.kernels(single)
    for d in FEATURES:
        rng = np.random.default_rng([2, d])
        values = whole_numbers(rng, max(ROWS), d)
        centre, points = whole_numbers(rng, d), whole_numbers(rng, 2, d)
        expected = ((values - points[:, None]) ** 2).sum(axis=2)
        for n in ROWS:
            # At the first place that is no vector's, with nothing of use before and behind.
            memory = np.full(n * d + 2, np.nan, dtype=dtype)
            X = memory[1:-1].reshape(n, d)
            X[:] = values[:n]
            np.testing.assert_array_equal(
                distances(kernels, X, centre, points), expected[:, :n], err_msg=f"n={n}, d={d}"
            )


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: dtype.__name__)
def test_every_width_in_other_layouts(instruction_set: str, dtype: type) -> None:
    for d in FEATURES:
        rng = np.random.default_rng([3, d])
        n = 61 + d
        values = whole_numbers(rng, n, d)
        points = whole_numbers(rng, 2, d)
        expected = ((values - points[:, None]) ** 2).sum(axis=2)
        wide = np.full((2 * n, 2 * d + 1), np.nan, dtype=dtype)
        wide[::2, 1::2] = values
        part = np.full((n, d + 3), np.nan, dtype=dtype)
        part[:, 2:-1] = values
        for name, X in {
            "columns of a wider array": part[:, 2:-1],
            "every other row and column": wide[::2, 1::2],
            "column by column": np.asfortranarray(values.astype(dtype)),
            "bottom up": values[::-1].astype(dtype)[::-1],
        }.items():
            np.testing.assert_array_equal(
                kmeans.squared_distances(array_rows.Rows(X), points),
                expected,
                err_msg=f"{name}, d={d}",
            )


# Each array lies against a page that may not be read; the last argument moves it into that page.
GUARDED = """
import ctypes, importlib, mmap, sys
import numpy as np
from gaussmix._estep import accumulation, kmeans, scoring
from gaussmix._rows import array_rows
from gaussmix._runtime import instruction_sets
from gaussmix._parameters.mixture import MixtureParameters

names, beyond = sys.argv[1].split(","), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
page, pages = mmap.PAGESIZE, 40
memory = mmap.mmap(-1, (pages + 2) * page)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
usable = np.frombuffer(memory, np.uint8)[page : -page]
for guard in (address, address + (pages + 1) * page):
    if libc.mprotect(guard, page, 0):  # PROT_NONE
        sys.exit("mprotect: errno %d" % ctypes.get_errno())

def placed(n, d, dtype, at_end):
    size = n * d * np.dtype(dtype).itemsize
    part = usable[len(usable) - size :] if at_end else usable[:size]
    X = part.view(dtype).reshape(n, d)
    X[:] = np.arange(n * d).reshape(n, d) % 7
    return X

def read(kernels, single, X):
    n, d = X.shape
    centre, points = np.zeros(d), np.ones((2, d))
    strip = kernels.strip_rows()
    kernels.squared_distances(
        X, centre, points, np.zeros(2), np.empty((2, n)), strip, 2 * strip, 1
    )
    if single:
        return
    instruction_sets.row_kernels().first_nonfinite(X, 16, 1)
    rows = array_rows.Rows(X)
    rows.scan()
    for family, covariances in ("full", np.tile(np.eye(d), (2, 1, 1))), ("diag", points):
        mixture = MixtureParameters.from_covariances(family, np.ones(2), points, covariances)
        accumulation.accumulate(mixture, rows)
        scoring.evaluate(mixture, rows, labels=np.empty(n, dtype=np.intp))
    if d > 1:
        X[::-3, 1::2] = np.nan  # the last row too
        rows = array_rows.Rows(X, allow_nan=True)
        accumulation.accumulate(mixture, rows)
        scoring.evaluate(mixture, rows, labels=np.empty(n, dtype=np.intp))

if beyond:
    X = placed(8, 3, np.float64, True)
    X = np.lib.stride_tricks.as_strided(X, (9, 3))
    kmeans.squared_distances(array_rows.Rows(X), np.ones((1, 3)))
for name in names:
    def module(kind, name=name):
        return importlib.import_module(f"gaussmix._kernels._{kind}_{name}")
    double, single = module("em"), module("em", name + "_single")
    instruction_sets.kernels = lambda use_single=False: single if use_single else double
    instruction_sets.missing_kernels = lambda module=module("missing"): module
    instruction_sets.row_kernels = lambda module=module("rows"): module
    for dtype in np.float64, np.float32:
        for at_end in True, False:
            for d in (*range(1, 20), 31, 32, 33, 47, 49):
                for n in (1, 2, 3, 7, 16, 31, 50):
                    X = placed(n, d, dtype, at_end)
                    read(double, False, X)
                    read(single, True, X)
            X = placed(2051, 3, dtype, at_end)  # enough for products of features
            read(double, False, X)
print("read")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages as Linux does")
def test_nothing_is_read_beyond_the_ends() -> None:
    """A fault ends the process, so the rows are read in another one."""
    names = ",".join(
        name
        for name in instruction_sets.built_instruction_sets()
        if name in instruction_sets.supported_instruction_sets()
    )

    def run(beyond: int) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", GUARDED, names, str(beyond)],
            capture_output=True,
            text=True,
            timeout=120,
        )

    within, beyond = run(0), run(1)
    assert within.returncode == 0, within.stderr
    assert within.stdout == "read\n"
    assert beyond.returncode == -signal.SIGSEGV, "the page behind the rows could be read"
