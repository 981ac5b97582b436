"""Batches that nobody watches: files that fail, runs that are killed, disks that fill."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaussmix.cli import outputs
from gaussmix.mixture import GaussianMixture, load
from support.processes import environment, paused
from support.tables import error_of, read, rows_of, states, unfinished, write

SCORE = ["score", "model.npz", "in", "-o", "out/"]
NIGHTLY = [*SCORE, "--keep-going"]

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals, limits and links")


@pytest.fixture
def run(tmp_path, monkeypatch, run_command):
    """`run_command` in a directory with a model and files 0.csv to 5.csv to score."""
    monkeypatch.chdir(tmp_path)
    GaussianMixture(2, random_state=0).fit(rows_of(500)).save("model.npz")
    for number in range(6):
        write(f"in/{number}.csv", rows_of(200, seed=number))
    return run_command


def spoil(path):
    """Write a table of which row 3 is bad."""
    Path(path).write_text("a,b,c\n1,2,3\n4,many,6\n", encoding="utf-8")


def require_right(*paths):
    """The outputs of these files are there, and what the model gives now."""
    model = load("model.npz")
    model.feature_names_in_ = None
    for path in paths:
        rows = np.loadtxt(path, delimiter=",", skiprows=1)
        np.testing.assert_array_equal(read(f"out/{Path(path).name}"), model.score_samples(rows))


def errors_of(result):
    """The errors of a command that has failed, and what it said before."""
    status, out, err = result
    assert (status, out) == (2, "")
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("gaussmix: error: ")]
    assert lines[len(lines) - len(errors) :] == errors  # at the end
    return [line.removeprefix("gaussmix: error: ") for line in errors], lines[: -len(errors)]


# --- files that fail -----------------------------------------------------------------------------


def test_the_others_are_done_when_a_file_fails(run):
    spoil("in/1.csv")
    Path("in/3.csv").write_bytes(b"\x93NUMPY and no more")
    Path("in/4.csv").unlink()
    files = [f"in/{number}.csv" for number in range(6)]
    errors, before = errors_of(run("score", "model.npz", *files, "-o", "out/", "--keep-going"))
    assert [error.partition(": ")[0] for error in errors[:-1]] == [
        "in/4.csv",
        "in/1.csv",
        "in/3.csv",
    ]
    assert "row 3, column 2 ('b'): 'many' is not a number" in errors[1]
    assert errors[-1] == ("3 files of 6 failed and have no output; the same command tries again")
    assert len(before) == 1
    assert before[0].startswith("gaussmix: 600 rows of 3 files in ")
    assert set(states("out")) == {"0.csv", "2.csv", "5.csv"}
    require_right("in/0.csv", "in/2.csv", "in/5.csv")
    # It says so every time, quietly too, and does not do again what is done.
    done = states("out")
    assert (
        len(errors_of(run("score", "model.npz", *files, "-o", "out", "--keep-going", "-q"))[0])
        == 4
    )
    assert states("out") == done


def test_a_file_that_fails_leaves_no_earlier_output(run):
    """What an earlier run has written of it is removed; nothing that the record does not know."""
    assert run(*NIGHTLY, "-q") == (0, "", "")
    Path("out/mine.csv").write_text("mine", encoding="utf-8")
    before = states("out")
    spoil("in/2.csv")
    assert len(errors_of(run(*NIGHTLY))[0]) == 2
    del before["2.csv"]
    assert states("out") == before
    # By the name of the output, of a file that is called otherwise.
    spoil("0.txt")
    assert len(errors_of(run("score", "model.npz", "0.txt", "-o", "out", "--keep-going"))[0]) == 2
    del before["0.csv"]
    assert states("out") == before
    # In the other format, which is another option: the earlier outputs of the file go as well.
    write("in/2.csv", rows_of(200))
    assert run(*NIGHTLY, "-q")[0] == 0
    spoil("in/2.csv")
    npy = [*NIGHTLY, "--format", "npy", "--overwrite", "-q"]
    assert len(errors_of(run(*npy))[0]) == 2
    assert {"0.csv", "0.npy", "mine.csv"} < set(states("out"))
    assert not {"2.csv", "2.npy"} & set(states("out"))


@posix
def test_an_output_whose_run_was_killed_before_it_was_recorded_is_known(run):
    """Its input is bad the next time: the output of the killed run goes as any other."""
    with paused("outputs.Record.add", 1, *NIGHTLY) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert set(states("out")) == {"0.csv"}
    spoil("in/0.csv")
    assert len(errors_of(run(*NIGHTLY))[0]) == 2
    assert set(states("out")) == {f"{number}.csv" for number in range(1, 6)}


def test_without_keep_going_the_first_failure_ends_the_run(run):
    spoil("in/1.csv")
    spoil("in/3.csv")
    assert error_of(run(*SCORE)).startswith(f"{Path('in/1.csv')}: row 3")
    assert set(states("out")) == {"0.csv"}


@posix
def test_a_hostile_record_removes_nothing(run):
    """What a failure removes lies in the directory and is an output by its name."""
    spoil("in/1.csv")
    os.mkdir("out")
    victims = [Path("victim.csv"), Path("out/victim.txt"), Path("out/linked.csv")]
    for victim in victims[:2]:
        victim.write_text("mine", encoding="utf-8")
    victims[2].symlink_to(victims[0].absolute())
    digest = outputs.digest_of("", "")
    entry = {"rows": 1, "job": digest, "input": ["1.csv", 1, 1], "written": []}
    names = ("../victim.csv", "victim.txt", "linked.csv")
    lines = [json.dumps({"output": name, **entry}) for name in names]
    Path("out", outputs.RECORD).write_text("\n".join(lines), encoding="utf-8")
    assert len(errors_of(run(*NIGHTLY, "--overwrite"))[0]) == 2
    assert all(victim.is_symlink() or victim.exists() for victim in victims)
    assert victims[2].read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("option", ["--keep-going", "--overwrite"])
def test_options_of_directories_are_refused_elsewhere(run, option):
    message = error_of(run("score", "model.npz", "in/0.csv", "-o", "s.csv", option))
    assert message == f"s.csv: {option} is for the files in an output directory; leave it out"


# --- another job in the same directory -----------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "model.npz", "in"],
        ["impute", "model.npz", "in"],
        ["score", "model.npz", "in", "--labels"],
        ["score", "model.npz", "in", "--columns", "c,b,a"],
        ["score", "model.npz", "in", "--format", "npy"],
        ["score", "model.npz", "in", "--keep", "a"],
        ["score", "model.npz", "in/5.csv", "--rank"],
    ],
    ids=lambda command: " ".join(command),
)
def test_outputs_of_another_job_are_not_written_over(run, command):
    assert run(*SCORE, "-q") == (0, "", "")
    before = states("out"), Path("out", outputs.RECORD).read_bytes()
    message = error_of(run(*command, "-o", "out/"))
    assert message == (
        "out/: holds outputs of another command, or of other options (0.csv, 1.csv, 2.csv, 3.csv, "
        "4.csv and 1 more); give another output directory, or --overwrite to write over them"
    )
    assert (states("out"), Path("out", outputs.RECORD).read_bytes()) == before
    assert run(*command, "-o", "out/", "-q", "--overwrite")[0] == 0
    assert states("out") != before[0]
    # Of outputs that somebody has removed the directory is free.
    for name in states("out"):
        Path("out", name).unlink()
    assert run(*SCORE, "-q") == (0, "", "")


def test_another_model_writes_again(run):
    assert run(*SCORE, "-q") == (0, "", "")
    GaussianMixture(3, random_state=1).fit(rows_of(300)).save("model.npz")
    assert "6 files in out/ will be written again" in run(*SCORE)[2]
    require_right(*Path("in").iterdir())


# --- nights --------------------------------------------------------------------------------------


@posix
def test_three_nights(run):
    """A bad file among good ones, a run that is killed and started again, and what was amiss."""
    assert run(*NIGHTLY, "-q") == (0, "", "")

    spoil("in/3.csv")
    for number in (1, 4, 6):
        write(f"in/{number}.csv", rows_of(300, seed=10 + number))
    first = states("out")
    with paused("score.Scoring._scores", 2, *NIGHTLY) as process:  # in the midst of 4.csv
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert len(unfinished("out")) == 1
    require_right("in/1.csv")
    errors, before = errors_of(run(*NIGHTLY))
    assert errors[0].startswith(f"{Path('in/3.csv')}: row 3, column 2 ('b'): 'many'")
    assert len(errors) == 2
    assert before[0].startswith("gaussmix: 600 rows of 2 files in ")
    assert before[0].endswith("; 4 files had been done before")
    assert not unfinished("out")
    second = states("out")
    assert set(second) == set(first) - {"3.csv"} | {"6.csv"}
    assert all(second[f"{number}.csv"] == first[f"{number}.csv"] for number in (0, 2, 5))
    require_right(*(path for path in Path("in").iterdir() if path.name != "3.csv"))

    write("in/3.csv", rows_of(100, seed=3))
    assert "100 rows of 1 file in" in run(*NIGHTLY)[2]
    require_right(*Path("in").iterdir())
    assert {name: state for name, state in states("out").items() if name in second} == second


@contextlib.contextmanager
def small_disk(directory):
    """A directory with room for 100 kB a file; yields what makes it, and what makes more room.

    A file system in memory where this process may mount one, else a limit on the size of files.
    """
    mount, umount = shutil.which("mount"), shutil.which("umount")
    made = ["-t", "tmpfs", "-o", "size=128k", "gaussmix-test", directory]
    os.mkdir(directory)
    quiet = {"check": False, "capture_output": True}
    if mount and umount and subprocess.run([mount, *made], **quiet).returncode == 0:
        try:
            grow = [mount, "-o", "remount,size=64m", directory]
            yield None, lambda: subprocess.run(grow, check=True)
        finally:
            subprocess.run([umount, directory], check=True)
        return
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    yield limit, lambda: None


@posix
@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_a_disk_that_fills(run, tmp_path, kind):
    """The run ends, with or without --keep-going: no later file would find room either."""
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    write("in/2.csv", rows_of(30_000))  # 240 kB of log-densities at least
    command = [sys.executable, "-m", "gaussmix", *NIGHTLY, "--format", kind]

    def score(limit=None):
        return subprocess.run(
            command, env=environment(), preexec_fn=limit, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    with small_disk(str(tmp_path / "out")) as (limit, make_room):
        spoil("in/1.csv")
        full = score(limit)
        assert full.returncode == 2, full.stderr
        bad, no_room = full.stderr.splitlines()
        assert "in/1.csv: row 3" in bad
        assert no_room.startswith(f"gaussmix: error: out/2.{kind}: cannot be written: ")
        assert set(states("out")) == {f"0.{kind}"}
        assert not unfinished("out")
        make_room()
        write("in/1.csv", rows_of(200, seed=1))
        again = score()
        assert again.returncode == 0, again.stderr
        assert "; 1 file had been done before" in again.stderr
        assert set(states("out")) == {f"{number}.{kind}" for number in range(6)}
        rows = np.loadtxt("in/2.csv", delimiter=",", skiprows=1)
        model = GaussianMixture(2, random_state=0).fit(rows_of(500))
        np.testing.assert_array_equal(read(f"out/2.{kind}"), model.score_samples(rows))
