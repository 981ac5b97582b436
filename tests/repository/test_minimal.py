"""What must hold for a wheel on the machine it was built for; also part of the whole suite.

Needs this file, support/processes.py, pytest and what the wheel itself depends on, and takes
seconds: each instruction set of the wheel that this machine runs, all covariance families, both
precisions, threads, model files and the command line.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import io
import platform
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix._runtime import config, instruction_sets
from support.processes import environment, output_of

PACKAGE = importlib.resources.files("gaussmix")

#: Log-likelihood of Old Faithful and number of parameters: R's mclust 6.0.0, its models VVV, EEE,
#: VVI and VII with two components, which are at the global optimum.
MCLUST = {
    "full": (-1130.26396, 11),
    "tied": (-1140.186759, 8),
    "diag": (-1147.806353, 9),
    "spherical": (-1709.529282, 7),
}

#: A float32 table of 20 columns, whose rows are computed in single precision, and a float64 one.
TABLES = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 20)) @ rng.normal(size=(20, 20))
X[::3] += rng.normal(size=20) * 20
"""

#: Prints the log-likelihood of seven rows after three iterations from a given start, to the last
#: bit.
STEP = f"""{TABLES}
import warnings
from gaussmix import GaussianMixture

warnings.simplefilter("ignore")  # three iterations do not converge
identities = {{
    "full": np.array([np.eye(20)] * 2),
    "tied": np.eye(20),
    "diag": np.ones((2, 20)),
    "spherical": np.ones(2),
}}
for dtype in (np.float64, np.float32):
    for covariance_type, identity in identities.items():
        model = GaussianMixture(
            2, covariance_type=covariance_type, weights_init=[0.5, 0.5], means_init=X[:2],
            precisions_init=identity, max_iter=3, tol=0,
        )
        model.fit(X.astype(dtype))
        print(model.score_samples(X[:7].astype(dtype)).sum(dtype=float).hex())
"""


@pytest.fixture(scope="module")
def old_faithful():
    text = (PACKAGE / "data" / "old_faithful.csv").read_text(encoding="utf-8")
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)


def usable():
    supported = instruction_sets.supported_instruction_sets()
    return [name for name in instruction_sets.built_instruction_sets() if name in supported]


def reference_step(dtype, covariance_type):
    """The number `STEP` prints, by NumPy alone, in double precision."""
    names = {}
    exec(TABLES, names)
    X = names["X"].astype(dtype).astype(np.float64)
    means, weights, d = names["X"][:2].copy(), np.array([0.5, 0.5]), X.shape[1]
    covariances = np.array([np.eye(d)] * 2)

    def log_densities(rows):
        columns = []
        for weight, mean, covariance in zip(weights, means, covariances):
            difference = rows - mean
            square = (difference * np.linalg.solve(covariance, difference.T).T).sum(axis=1)
            log_determinant = np.linalg.slogdet(covariance)[1]
            columns.append(
                np.log(weight) - 0.5 * (square + log_determinant + d * np.log(2 * np.pi))
            )
        return np.logaddexp.reduce(columns, axis=0), np.array(columns)

    for _ in range(3):
        total, each = log_densities(X)
        shares = np.exp(each - total)
        sums = shares.sum(axis=1)
        weights, means = sums / sums.sum(), (shares @ X) / sums[:, None]
        covariances = np.array(
            [
                (share * (X - mean).T) @ (X - mean) / share.sum()
                for share, mean in zip(shares, means)
            ]
        )
        if covariance_type == "tied":
            covariances[:] = np.tensordot(weights, covariances, 1)
        elif covariance_type == "diag":
            covariances *= np.eye(d)
        elif covariance_type == "spherical":
            covariances = np.array([np.eye(d) * np.trace(c) / d for c in covariances])
        covariances += 1e-6 * np.eye(d)
    return log_densities(X[:7])[0].sum()


@pytest.mark.parametrize("covariance_type", MCLUST)
def test_published_values(old_faithful, covariance_type):
    log_likelihood, n_parameters = MCLUST[covariance_type]
    model = GaussianMixture(
        2, covariance_type=covariance_type, reg_covar=0, tol=1e-10, max_iter=2000, n_init=5,
        random_state=0,
    ).fit(old_faithful)  # fmt: skip
    assert model.score_samples(old_faithful).sum() == pytest.approx(log_likelihood, abs=1e-5)
    bic = -2 * log_likelihood + n_parameters * np.log(len(old_faithful))
    assert model.bic(old_faithful) == pytest.approx(bic, abs=1e-4)


def test_every_instruction_set_computes_what_numpy_computes():
    expected = [
        reference_step(dtype, covariance_type)
        for dtype in (np.float64, np.float32)
        for covariance_type in MCLUST
    ]
    for name in usable():
        bits = {output_of(STEP, GAUSSMIX_ISA=name, GAUSSMIX_NUM_THREADS=n) for n in "123"}
        assert len(bits) == 1, "the same bits for any number of threads"
        found = [float.fromhex(line) for line in bits.pop().split()]
        np.testing.assert_allclose(found[:4], expected[:4], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(found[4:], expected[4:], rtol=1e-4, err_msg=name)


def test_the_build_has_what_its_platform_can_have():
    built = instruction_sets.built_instruction_sets()
    if platform.machine().lower() in ("x86_64", "amd64") and sys.platform in ("linux", "win32"):
        assert built == ("baseline", "x86v3", "x86v4")
    else:
        assert built == ("baseline",)
    for name in built:
        kinds = "em", "missing", "rows", "algebra", "draw"
        for module in (f"_em_{name}_single", *(f"_{kind}_{name}" for kind in kinds)):
            found = [file for file in compiled() if file.split(".")[0] == module]
            assert len(found) == 1, module


def compiled():
    names = (entry.name for entry in (PACKAGE / "_kernels").iterdir())
    return [name for name in names if name.endswith((".so", ".pyd"))]


@pytest.mark.skipif(sysconfig.get_config_var("Py_GIL_DISABLED") == 1, reason="has no stable ABI")
def test_the_modules_are_of_no_single_python_version():
    for name in compiled():
        assert ".abi3." in name or (name.endswith(".pyd") and ".cp" not in name), name


@pytest.mark.skipif(sysconfig.get_config_var("Py_GIL_DISABLED") != 1, reason="has a lock")
def test_a_free_threaded_python_stays_so():
    assert output_of("import sys, gaussmix; print(sys._is_gil_enabled())") == "False"


def test_soft_and_hard_labels(old_faithful):
    model = GaussianMixture(2, random_state=0).fit(old_faithful)
    shares = model.predict_proba(old_faithful)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(old_faithful), shares.argmax(axis=1))
    rows, components = model.sample(1000)
    assert rows.shape == (1000, 2)
    np.testing.assert_allclose(
        np.bincount(components) / 1000, model.weights_, atol=6 * np.sqrt(0.25 / 1000)
    )


def test_model_files_and_the_command_line(old_faithful, tmp_path):
    data, model, scores = (str(tmp_path / name) for name in ("data.csv", "m.npz", "scores.csv"))
    np.savetxt(data, old_faithful, delimiter=",")

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "gaussmix", *arguments],
            env=environment(GAUSSMIX_ISA=instruction_sets.instruction_set()),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    assert command("fit", data, "-k", "2", "--header", "no", "-o", model).returncode == 0
    assert command("score", model, data, "-o", scores).returncode == 0
    loaded = gaussmix.load(model)
    found = np.loadtxt(scores, skiprows=1)
    np.testing.assert_array_equal(found, loaded.score_samples(old_faithful))
    refused = command("fit", str(tmp_path / "none.csv"), "-k", "2", "-o", model)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert f"gaussmix {importlib.metadata.version('gaussmix')}" in command("show-config").stdout


def test_limits_set_by_threadpoolctl_are_kept():
    """They reach the OpenMP runtime that is inside the wheel."""
    pytest.importorskip("threadpoolctl")
    if not config.config()["openmp"]:
        pytest.skip("this build keeps no limits of OpenMP's")
    code = """
import gaussmix, threadpoolctl
from gaussmix._runtime import cgroups, config, instruction_sets, threads
cgroups.available_cpus = lambda: 5
assert threads.thread_count() == 5, threads.thread_count()
with threadpoolctl.threadpool_limits(3, user_api="openmp"):
    print(threads.thread_count())
"""
    assert output_of(code, OMP_NUM_THREADS="5") == "3"
