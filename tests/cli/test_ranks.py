"""``score --rank`` and ``--flag``: where a row stands among all rows of its file."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gaussmix._rows.sources import tables
from gaussmix.cli import jobs
from gaussmix.mixture import GaussianMixture, load
from support.tables import error_of, rows_of, write


@pytest.fixture
def run(tmp_path, monkeypatch, run_command):
    """`run_command` in a directory with a model."""
    monkeypatch.chdir(tmp_path)
    GaussianMixture(2, random_state=0).fit(rows_of(500)).save("model.npz")
    return run_command


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rate", [0.01, 0.25, 0.9])
def test_ranks_and_flags_are_those_of_scipy_and_numpy(run, monkeypatch, dtype, rate):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 70)
    X = rows_of(300).astype(dtype)
    X[150:250] = X[50:150]  # ties, in other blocks
    np.save("x.npy", X)
    status, _, err = run(
        "score", "model.npz", "x.npy", "--labels", "--rank", "--flag", rate, "-o", "s.npy"
    )
    assert status == 0
    found = np.load("s.npy")
    assert found.dtype.names == ("log_density", "label", "rank", "flagged")
    scores = load("model.npz").score_samples(X)
    np.testing.assert_array_equal(found["log_density"], scores)
    np.testing.assert_array_equal(found["rank"], stats.rankdata(scores, method="min"))
    threshold = np.quantile(scores, rate)
    np.testing.assert_array_equal(found["flagged"], scores < threshold)
    assert abs(found["flagged"].mean() - rate) <= 2 / 300
    n = found["flagged"].sum()
    line = rf"gaussmix: {n} of 300 rows flagged, with a log-density below (\S+)\n"
    assert float(re.match(line, err)[1]) == threshold


def test_every_file_of_a_directory_has_ranks_of_its_own(run):
    write("in/a.csv", rows_of(40))
    write("in/b.csv", rows_of(60, seed=1))
    write("in/empty.npy", np.empty((0, 3)))
    flag = ["score", "model.npz", "in", "-o", "out/", "--rank", "--flag", "0.1"]
    status, _, err = run(*flag)
    assert status == 0
    for name, n in (("a", 40), ("b", 60)):
        assert f"gaussmix: {Path(f'in/{name}.csv')}: {n // 10} of {n} rows flagged, " in err
        header, *rows = Path(f"out/{name}.csv").read_text().splitlines()
        assert header == "log_density,rank,flagged"
        assert sorted(int(row.split(",")[1]) for row in rows) == list(range(1, n + 1))
        assert sum(row.endswith(",1") for row in rows) == n // 10
    assert len(np.load("out/empty.npy")) == 0
    assert "flagged" not in run(*flag, "--overwrite", "--labels", "-q")[2]


def test_kept_columns_and_ranks(run):
    write("x.csv", np.column_stack([np.arange(30), rows_of(30)]), ["id", "a", "b", "c"])
    rank = ["--columns", "a,b,c", "--keep", "id", "--rank", "-q"]
    assert run("score", "model.npz", "x.csv", "-o", "s.csv", *rank) == (0, "", "")
    found = np.genfromtxt("s.csv", delimiter=",", names=True)
    assert found.dtype.names == ("id", "log_density", "rank")
    np.testing.assert_array_equal(found["id"], np.arange(30))
    np.testing.assert_array_equal(found["rank"], stats.rankdata(found["log_density"]))


@pytest.mark.parametrize("how", ["other rows", "fewer rows"])
def test_a_file_that_changes_between_the_readings(run, monkeypatch, how):
    np.save("x.npy", rows_of(30))
    real = jobs.Job._rows

    def rows(self, path, reading, on_block):
        yield from real(self, path, reading, on_block)
        if how == "other rows":
            np.save("x.npy", -rows_of(30))
        else:
            reading.n_rows += 1

    monkeypatch.setattr(jobs.Job, "_rows", rows)
    message = error_of(run("score", "model.npz", "x.npy", "--rank", "-o", "s.csv"))
    assert message == "x.npy: the file has changed between two readings; run the command again"
    assert not Path("s.csv").exists()


def test_what_cannot_be_ranked(run, monkeypatch):
    write("x.csv", rows_of(30))
    with open("x.csv", encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        message = error_of(run("score", "model.npz", "-", "--rank", "-o", "s.csv"))
    assert message.startswith("-: can be read only once, and --rank and --flag read it twice; ")
    for rate in ("0", "1", "-0.1", "nan", "many"):
        assert run("score", "model.npz", "x.csv", "--flag", rate)[0] == 2


def test_ranks_take_eight_bytes_a_row(run, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2000)
    peaks = []
    for n in (50_000, 450_000):
        np.save("x.npy", rows_of(n))
        tracemalloc.start()
        flags = ["--rank", "--flag", "0.01", "-o", "s.npy"]
        status = run("score", "model.npz", "x.npy", *flags)[0]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert status == 0
    assert 8 * 400_000 < peaks[1] - peaks[0] + 200_000 < 9 * 400_000 + 400_000
