"""The same bits everywhere, whatever the interpreter is told: row 40 of docs/bad-input.md."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

import gaussmix
from gaussmix import ConvergenceWarning, GaussianMixture
from support.assertions import assert_same, only_warnings
from support.families import COVARIANCE_TYPES
from support.models import INIT_PARAMS, SCORING
from support.processes import environment
from support.rows import two_clusters


@pytest.fixture
def model():
    return GaussianMixture(2, random_state=0).fit(two_clusters())


# --- 40: the same bits everywhere, whatever the interpreter is told ------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_row_40_numpy_told_to_raise(tmp_path, covariance_type, dtype):
    X = two_clusters(100, 20, dtype)
    far = X.copy()
    far[0] = 1e30
    results = []
    for treatment in ("warn", "raise"):
        with np.errstate(all=treatment), only_warnings(ConvergenceWarning):
            result = []
            for init_params in INIT_PARAMS:
                model = GaussianMixture(
                    2, covariance_type=covariance_type, init_params=init_params, random_state=0
                ).fit(X)
                result.append(model.means_)
            result += [getattr(model, method)(rows) for method in SCORING for rows in (X, far)]
            result += [model.update(model.accumulate(X)).means_, model.sample(5)[0]]
            model.save(tmp_path / "model.npz")
            result.append(gaussmix.load(tmp_path / "model.npz").precisions_)
        results.append(result)
    np.testing.assert_equal(*results)


@pytest.mark.parametrize("n_threads", [2, 7])
def test_row_40_number_of_threads(n_threads):
    X = two_clusters(20_011)
    one = GaussianMixture(3, random_state=0, n_threads=1).fit(X)
    many = GaussianMixture(3, random_state=0, n_threads=n_threads).fit(X)
    assert_same(one, many)
    np.testing.assert_array_equal(one.predict_proba(X), many.predict_proba(X))


def run_with(options, code):
    """What code prints in a new interpreter with these options, and what it reports."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


BITS = """
import hashlib
import numpy as np
import gaussmix

X = np.random.default_rng(1).normal(size=(5000, 3))
X[::2] += 6.0
model = gaussmix.GaussianMixture(2, random_state=0).fit(X)
arrays = model.means_, model.covariances_, model.predict_proba(X), model.sample(50)[0]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


# Of what the module `site` does, this alone: packages are found in their directories.
DIRECTORIES = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
FIND_PACKAGES = "import site\n" + "".join(
    f"site.addsitedir({path!r})\n" for path in sorted(DIRECTORIES)
)


@pytest.fixture(scope="module")
def bits():
    """What a process prints that is told nothing."""
    return run_with([], BITS)[0]


@pytest.mark.parametrize(
    "options",
    ["", "-X dev -W error", "-O -W error", "-OO", "-I"],
    ids=lambda options: options or "another process",
)
def test_row_40_interpreter_options(bits, options):
    assert run_with(options.split(), BITS) == (bits, "")


def test_row_40_interpreter_without_site(bits):
    assert run_with(["-S"], FIND_PACKAGES + BITS) == (bits, "")


IN_SUBINTERPRETER = """
try:
    import gaussmix
    gaussmix.GaussianMixture().fit([[0.0], [1.0], [3.0]])
    print("works")
except (ImportError, RuntimeError) as error:
    print("refused:", error)
"""

WITH_SUBINTERPRETER = f"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import gaussmix

interpreter = interpreters.create()
interpreters.run_string(interpreter, {FIND_PACKAGES + IN_SUBINTERPRETER!r})
interpreters.destroy(interpreter)
print(gaussmix.GaussianMixture().fit([[0.0], [1.0], [5.0]]).means_[0, 0])
"""


def test_row_40_subinterpreter():
    # NumPy, which is imported first, refuses in some versions, and ours do; the main one goes on.
    # The reason may take many lines.
    printed = run_with(["-W", "ignore"], WITH_SUBINTERPRETER)[0]
    inside, outside = printed.strip().rsplit("\n", 1)
    assert inside == "works" or re.match("(?s)refused: .*(load module|interpreter)", inside)
    assert outside == "2.0"
