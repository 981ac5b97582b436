"""The command line with many files: fits beyond memory, and scoring that resumes after a crash."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gaussmix._files.tables import writers
from gaussmix._rows.sources import tables
from gaussmix.cli import inputs, outputs, values
from gaussmix.mixture import GaussianMixture, load
from support.processes import environment, paused
from support.tables import error_of, read, rows_of, states, unfinished, write

TEMPORARY = ".gaussmix-0123456789abcdef.tmp"

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@pytest.fixture
def run(tmp_path, monkeypatch, run_command):
    """`run_command` in a directory with a model."""
    monkeypatch.chdir(tmp_path)
    GaussianMixture(2, random_state=0).fit(rows_of(500)).save("model.npz")
    return run_command


# --- fitting many files --------------------------------------------------------------------------


def same(one, other):
    one, other = load(one), load(other)
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_array_equal(one.means_, other.means_)
    np.testing.assert_array_equal(one.covariances_, other.covariances_)
    np.testing.assert_array_equal(one.feature_names_in_, other.feature_names_in_)


@pytest.mark.parametrize("memory", ["1GB", "1MB"])
@pytest.mark.parametrize("ending", ["csv", "npy", "parquet"])
def test_many_files_are_fitted_as_one(run, memory, ending):
    X = rows_of(30_000)  # 720,000 bytes: more than half of 1 MB
    write(f"whole.{ending}", X)
    for number, part in enumerate(np.split(X, [1, 9000, 9001])):
        write(f"in/{number}.{ending}", part)
    options = ["-k", 3, "--max-iter", 5, "--tol", 0]
    status, expected, _ = run("fit", f"whole.{ending}", *options, "-o", "whole.npz")
    assert status == 0
    for data in (["in"], [f"in/*.{ending}"], sorted(map(str, Path("in").iterdir()))):
        status, out, err = run("fit", *data, *options, "-o", "parts.npz", "--memory", memory)
        assert status == 0
        assert ("parsed anew" in err) is (ending == "csv" and memory == "1MB")
        assert out.startswith("30,000 rows fitted in ")
        fitted, parts = load("whole.npz"), load("parts.npz")
        assert fitted.n_iter_ == parts.n_iter_
        np.testing.assert_array_equal(fitted.means_, parts.means_)
        np.testing.assert_array_equal(fitted.covariances_, parts.covariances_)
        for name in ("log-likelihood", "BIC", "AIC"):
            found = [re.search(rf"{name}: +(\S+)", text)[1] for text in (expected, out)]
            assert found[0] == found[1]
    assert parts.verbose == 0


def test_weights_are_streamed_too(run):
    X = rows_of(40_000)
    weights = np.arange(40_000) % 3
    table = np.column_stack([X[:, :2], weights, X[:, 2]])
    for number, part in enumerate(np.split(table, 4)):
        write(f"in/{number}.parquet", part, ["a", "b", "w", "c"])
    fit = ["fit", "in", "-k", 2, "--weights", "w", "--max-iter", 5]
    _, expected, _ = run(*fit, "-o", "kept.npz")
    status, out, _ = run(*fit, "-o", "streamed.npz", "--memory", "1MB")
    assert status == 0
    assert "BIC" not in out
    same("kept.npz", "streamed.npz")
    pattern = r"log-likelihood: +(\S+)"
    assert re.search(pattern, out)[1] == re.search(pattern, expected)[1]
    table[35_001, 2] = -2
    write("in/3.parquet", table[30_000:], ["a", "b", "w", "c"])
    for memory in ("1GB", "1MB"):
        assert error_of(run(*fit, "-o", "m.npz", "--memory", memory)) == (
            f"{Path('in/3.parquet')}: column 3 ('w'): the weight of data row 5002 is negative (-2)"
        )


def test_columns_are_found_by_name_in_every_file(run):
    X = rows_of(300)
    write("a.csv", X)
    write("b.csv", X[:, [2, 0, 1]], ["c", "a", "b"])
    write("twice.csv", np.concatenate([X, X]))
    for data, output in ((["a.csv", "b.csv"], "m.npz"), (["twice.csv"], "n.npz")):
        assert run("fit", *data, "-k", 2, "-o", output)[0] == 0
    same("m.npz", "n.npz")
    fit = ["fit", "a.csv", "other.csv", "-k", 2, "-o", "m.npz"]
    write("other.csv", X, ["a", "b", "d"])
    assert error_of(run(*fit)) == (
        "other.csv: column 'd' is not in a.csv; choose those to read with --columns"
    )
    assert run(*fit, "--columns", "a,b")[0] == 0
    write("other.csv", X[:, :2], ["a", "b"])
    assert error_of(run(*fit)) == (
        "other.csv: no column named 'c'; the columns are a, b; say with --columns which to read "
        "instead"
    )
    np.save("nameless.npy", X)
    assert error_of(run("fit", "a.csv", "nameless.npy", "-k", 2, "-o", "m.npz")) == (
        "nameless.npy: has no column names, but a.csv has; all files need the same columns"
    )
    np.save("wide.npy", np.column_stack([X, X]))
    assert error_of(run("fit", "nameless.npy", "wide.npy", "-k", 2, "-o", "m.npz")) == (
        "wide.npy: 6 columns, but nameless.npy has 3; all files need the same columns"
    )


@pytest.mark.parametrize("memory", ["1GB", "1MB"])
def test_a_bad_value_is_placed_in_its_file(run, memory):
    X = rows_of(60_000)
    X[41_000, 1] = np.nan
    for number, part in enumerate(np.split(X, 2)):
        write(f"in/{number}.parquet", part)
    message = error_of(run("fit", "in", "-k", 2, "-o", "m.npz", "--memory", memory))
    place = f"{Path('in/1.parquet')}: row 11001, column 2 ('b'): missing value (NaN); "
    assert message.startswith(place)


def test_messages_of_the_library_about_several_files(run):
    for name in ("x.csv", "y.csv"):
        write(name, np.column_stack([rows_of(40)[:, :2], np.ones(40)]))
    status, _, err = run("fit", "x.csv", "y.csv", "-k", 1, "-o", "m.npz")
    assert status == 0
    start = "gaussmix: warning: x.csv and 1 more file: the table is constant in column 3 ('c')."
    assert err.startswith(start)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_missing_values_are_streamed_too(run, ending):
    X = np.where(np.random.default_rng(5).random((30_000, 3)) < 0.1, np.nan, rows_of(30_000))
    write(f"whole.{ending}", X)
    write(f"in/1.{ending}", X[:9000])
    write(f"in/2.{ending}", X[9000:])
    fit = ["fit", "-k", 2, "--tol", 0, "--max-iter", 4, "--allow-nan"]
    assert run(*fit, f"whole.{ending}", "-o", "whole.npz")[0] == 0
    assert run(*fit, "in", "-o", "parts.npz", "--memory", "1MB")[0] == 0
    model, parts = load("whole.npz"), load("parts.npz")
    np.testing.assert_array_equal(parts.means_, model.means_)
    np.testing.assert_array_equal(parts.covariances_, model.covariances_)
    assert run("score", "parts.npz", "in", "-o", "out/", "-q", "--format", "npy")[0] == 0
    np.testing.assert_array_equal(read("out/1.npy"), model.score_samples(X[:9000]))


def test_what_a_directory_stands_for(run):
    X = rows_of(20)
    for name in ("b.csv", "a.csv", "sub/c.CSV", "_skipped.csv", ".hidden/d.csv", "note.txt"):
        write(f"in/{name}", X) if name.lower().endswith("csv") else Path("in", name).write_text(
            "x"
        )
    expected = [str(Path("in", name)) for name in ("a.csv", "b.csv", "sub/c.CSV")]
    assert inputs.files_of(["in"]) == expected
    Path("[odd].csv").write_text("1\n")
    assert inputs.files_of(["[odd].csv"]) == ["[odd].csv"]
    os.mkdir("empty")
    assert error_of(run("fit", "empty", "-k", 1, "-o", "m.npz")).startswith(
        "empty: the directory holds no file that ends in .csv, .npy, .parquet"
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MB", 256_000_000), ("1.5 GiB", 3 << 29), ("2g", 2 * 10**9), ("1000k", 10**6)],
)
def test_sizes_of_memory(text, size):
    assert values.memory(text) == size


def test_the_progress_of_a_streamed_fit(run, monkeypatch):
    pytest.importorskip("tqdm")
    write("x.npy", rows_of(30_000))
    fit = ["fit", "x.npy", "-k", 2, "-o", "m.npz", "--memory", "1MB"]
    assert run(*fit)[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "start 1 of 1" in run(*fit)[2]
    assert run(*fit[:-2])[2] == ""
    assert load("m.npz").verbose == 0


# --- wrong variables -----------------------------------------------------------------------------


def test_a_wrong_variable_is_not_blamed_on_the_data(run):
    write("x.npy", rows_of(100))
    fit = [sys.executable, "-m", "gaussmix", "fit", "x.npy", "-k", "1", "-o", "m.npz"]
    for name, value, message in (
        ("GAUSSMIX_NUM_THREADS", "many", "The environment variable GAUSSMIX_NUM_THREADS must be "),
        ("GAUSSMIX_ISA", "sse9", "GAUSSMIX_ISA='sse9': no instruction set is known by that name."),
    ):
        done = subprocess.run(
            fit, env=environment(**{name: value}), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"gaussmix: error: {message}")
        assert done.stderr.count("\n") == 1


# --- scoring into a directory --------------------------------------------------------------------


@pytest.fixture
def parts(run):
    """Four files of rows in different formats, and their rows by name."""
    rows = {}
    for number, ending in enumerate(["csv", "npy", "parquet", "pq"]):
        name = f"part{number}.{ending}"
        rows[name] = rows_of(1500 + number, seed=number)
        write(f"in/{name}", rows[name])
    return rows


def test_every_file_has_an_output(run, parts, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 400)
    model = load("model.npz")
    status, out, err = run("score", "model.npz", "in", "-o", "out/")
    assert (status, out) == (0, "")
    assert re.fullmatch(
        r"gaussmix: 6,006 rows of 4 files in \S+ s \([\d,]+ rows per second\)\n", err
    )
    expected = {"part0.csv", "part1.npy", "part2.parquet", "part3.parquet"}
    assert set(states("out")) == expected
    for (name, X), output in zip(parts.items(), sorted(expected)):
        np.testing.assert_array_equal(read(f"out/{output}"), model.score_samples(X), err_msg=name)
    assert run("predict", "model.npz", "in", "-o", "labels/", "--format", "npy", "-q") == (
        0,
        "",
        "",
    )
    assert set(states("labels")) == {f"part{number}.npy" for number in range(4)}
    np.testing.assert_array_equal(read("labels/part3.npy"), model.predict(parts["part3.pq"]))


def test_an_existing_directory_and_a_single_file(run, parts):
    os.mkdir("out")
    assert run("score", "model.npz", "in/part1.npy", "-o", "out", "-q") == (0, "", "")
    assert set(states("out")) == {"part1.npy"}


def test_a_file_without_rows_has_an_output_without_rows(run):
    model = load("model.npz")
    write("in/empty.parquet", np.empty((0, 3)))
    write("in/full.parquet", rows_of(10))
    assert run("score", "model.npz", "in", "-o", "out/", "--labels", "-q") == (0, "", "")
    table = pytest.importorskip("pyarrow.parquet").read_table("out/empty.parquet")
    assert (table.num_rows, table.column_names) == (0, ["log_density", "label"])
    full = pytest.importorskip("pyarrow.parquet").read_table("out/full.parquet")
    np.testing.assert_array_equal(full["label"].to_numpy(), model.predict(rows_of(10)))


def test_blocks_of_parquet_are_gathered_to_row_groups(run, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 100)
    monkeypatch.setattr(writers, "ROW_GROUP_ROWS", 1000)
    write("x.npy", rows_of(2500))
    assert run("score", "model.npz", "x.npy", "-o", "s.parquet", "--labels", "-q")[0] == 0
    metadata = pytest.importorskip("pyarrow.parquet").ParquetFile("s.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(3)] == [1000, 1000, 500]


def test_finished_files_are_skipped(run, parts):
    score = ["score", "model.npz", "in", "-o", "out/"]
    assert run(*score)[0] == 0
    before = states("out")
    assert run(*score)[2] == "gaussmix: all 4 files had been done before\n"
    assert states("out") == before
    write("in/part4.npy", rows_of(70, seed=4))
    message = r"gaussmix: 70 rows of 1 file in .*; 4 files had been done before\n"
    assert re.fullmatch(message, run(*score)[2])
    assert {name: state for name, state in states("out").items() if name in before} == before


def test_what_has_changed_is_scored_again(run, parts):
    score = ["score", "model.npz", "in", "-o", "out/"]
    run(*score)

    def written_again(*arguments):
        before = states("out")
        status, _, err = run(*arguments)
        assert status == 0
        again = {name for name, state in states("out").items() if before.get(name) != state}
        return again, err

    # An input, by its time alone.
    os.utime("in/part1.npy", ns=(1, 1))
    assert written_again(*score)[0] == {"part1.npy"}
    # An output that is gone, and one that somebody has written.
    os.unlink("out/part0.csv")
    Path("out/part2.parquet").write_bytes(b"other")
    again, err = written_again(*score)
    assert again == {"part0.csv", "part2.parquet"}
    assert "others now" not in err
    # The model: its parameters, not the time of its file.
    load("model.npz").save("model.npz")
    assert written_again(*score)[0] == set()
    GaussianMixture(2, random_state=0).fit(rows_of(400)).save("model.npz")
    again, err = written_again(*score)
    assert len(again) == 4
    assert err.startswith(
        "gaussmix: 4 files in out/ will be written again: the model is another now"
    )
    # Options.
    score.append("--overwrite")
    assert len(written_again(*score, "--labels")[0]) == 4
    assert len(written_again(*score, "--labels", "--columns", "1,2,3")[0]) == 4
    assert len(written_again(*score, "--labels", "--columns", "1,2,3", "--threads", 1)[0]) == 0


def test_a_record_that_a_crash_has_cut_off(run, parts):
    score = ["score", "model.npz", "in", "-o", "out/"]
    run(*score)
    record = Path("out", outputs.RECORD)
    content = record.read_bytes()
    record.write_bytes(content[:-20] + b"\n[1]\nnull\n{}")
    before = states("out")
    assert "1 file in" in run(*score)[2]
    assert sum(before[name] != state for name, state in states("out").items()) == 1
    assert json.loads(record.read_bytes().splitlines()[-1])["output"] == "part3.parquet"
    assert run(*score)[2] == "gaussmix: all 4 files had been done before\n"


def test_missing_values_of_a_directory_are_filled_in(run, parts):
    """Draws of a file are its own, and the same when it is done again."""
    X = parts["part1.npy"].copy()
    X[::3, 1] = X[::7] = np.nan
    write("holes/a.npy", X)
    write("holes/b.npy", X)
    model = load("model.npz")
    model.feature_names_in_ = None
    impute = ["impute", "model.npz", "holes", "-o", "out/"]
    assert run(*impute, "-q") == (0, "", "")
    np.testing.assert_array_equal(read("out/a.npy"), model.impute(X))
    status, _, err = run(*impute, "--draws", 2, "--overwrite")
    assert status == 0
    assert err.startswith("gaussmix: 2 files in out/ will be written again: ")
    one, other = (read(f"out/{name}.npy")["values"] for name in "ab")
    missing = np.repeat(np.isnan(X), 2, axis=0)
    assert (one[missing] != other[missing]).all()
    np.testing.assert_array_equal(one[~missing], np.repeat(X, 2, axis=0)[~missing])
    os.remove("out/b.npy")
    assert "1 file had been done before" in run(*impute, "--draws", 2)[2]
    np.testing.assert_array_equal(read("out/b.npy")["values"], other)
    other_seed = [*impute, "--draws", 2, "--seed", 1]
    assert "2 files in out/ will be written again" in run(*other_seed, "--overwrite")[2]
    assert run(*impute, "--draws", 2, "--seed", 1)[2] == (
        "gaussmix: all 2 files had been done before\n"
    )


def test_outputs_of_one_name_are_refused(run):
    for name in ("a/x.npy", "b/x.npy", "c/x.csv"):
        write(name, rows_of(10))
    paths = [str(Path("a/x.npy")), str(Path("b/x.npy"))]
    message = error_of(run("score", "model.npz", *paths, "-o", "out/"))
    assert message == (
        f"{paths[1]}: its output and that of {paths[0]} would both be out/x.npy; give them "
        "different directories"
    )
    assert os.listdir("out") == []
    score = ["score", "model.npz", "a/x.npy", "c/x.csv", "-o", "out/"]
    assert "would both be out/x.npy" in error_of(run(*score, "--format", "npy"))
    assert run(*score, "-q")[0] == 0


def test_outputs_never_replace_inputs(run, parts):
    before = {path: path.read_bytes() for path in Path("in").iterdir()}
    message = error_of(run("score", "model.npz", "in/part1.npy", "-o", "in"))
    assert message == f"{Path('in/part1.npy')}: is also an input; give another output directory"
    message = error_of(run("score", "model.npz", "in", "-o", "in/out/"))
    assert message == ("in/out/: lies in the input directory in; give another output directory")
    assert {path: path.read_bytes() for path in Path("in").iterdir()} == before


def test_standard_input_has_no_name_in_a_directory(run):
    os.mkdir("out")
    assert error_of(run("score", "model.npz", "-", "-o", "out")) == (
        "-: has no name for an output in a directory; give the name of an output file"
    )


def test_directories_that_cannot_be_written(run, parts, monkeypatch):
    assert error_of(run("score", "model.npz", "in", "-o", "none/out/")).startswith("none/out/: ")
    Path("file").write_text("x")
    assert error_of(run("score", "model.npz", "in", "-o", "file/")) == (
        "file/: is no directory; give another output directory"
    )
    os.mkdir("out")
    monkeypatch.setattr(os, "access", lambda path, mode: path != "out/")
    message = error_of(run("score", "model.npz", "in", "-o", "out/"))
    assert message == "out/: the directory is not writable"


def test_an_error_in_one_file_leaves_those_that_are_done(run, parts):
    bad = parts["part2.parquet"].copy()
    bad[900, 2] = np.nan
    write("in/part2.parquet", bad)
    score = ["score", "model.npz", "in", "-o", "out/"]
    message = error_of(run(*score))
    assert message.startswith(
        f"{Path('in/part2.parquet')}: row 901, column 3 ('c'): missing value"
    )
    before = states("out")
    assert set(before) == {"part0.csv", "part1.npy"}
    assert sorted(os.listdir("out"))[0] == outputs.RECORD
    assert len(os.listdir("out")) == 3
    write("in/part2.parquet", parts["part2.parquet"])
    assert "of 2 files in" in run(*score)[2]
    assert {name: state for name, state in states("out").items() if name in before} == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_is_full(run, parts, monkeypatch):
    """The third file finds no room."""
    score = ["score", "model.npz", "in", "-o", "out/"]
    opened = []
    real = writers.replacing

    def replacing(path):
        opened.append(path)
        if len(opened) == 3:
            raise OSError(28, "No space left on device", path)
        return real(path)

    monkeypatch.setattr(writers, "replacing", replacing)
    message = error_of(run(*score))
    assert message == "out/part2.parquet: cannot be written: No space left on device"
    assert set(states("out")) == {"part0.csv", "part1.npy"}
    # The record cannot grow.
    part = outputs.parts_of(["in/part1.npy"], "out", None, [])[0]
    with open("/dev/full", "wb", buffering=0) as full, open(os.devnull, "rb") as empty:
        record = outputs.Record("out", empty, "", True)
        record._file = full
        with pytest.raises(OSError, match="No space left") as caught:
            record.add(part, 1)
        assert caught.value.filename == "/dev/full"


# --- processes that are killed, interrupted, or not alone ----------------------------------------

# Where the output of a file is begun, and where it has its name but no line in the record.
AMID = "score.Scoring._scores"
BEFORE_THE_LINE = "outputs.Record.add"


SCORE = ["score", "model.npz", "in", "-o", "out/"]


@pytest.fixture
def many(run):
    """Eight files of text; the expected scores are in `whole`."""
    for number in range(8):
        write(f"in/{number}.csv", rows_of(1000, seed=number))
    assert run("score", "model.npz", "in", "-o", "whole/", "-q")[0] == 0


def stopped(place, number):
    """Score until the third file is at the place, end that by a signal; its status and error."""
    with paused(place, 3, *SCORE) as process:
        assert len(unfinished("out")) == (place == AMID)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


@posix
@pytest.mark.parametrize("place", [AMID, BEFORE_THE_LINE])
def test_a_killed_run_is_resumed(run, many, place):
    status, _ = stopped(place, signal.SIGKILL)
    assert status == -signal.SIGKILL
    before = states("out")
    there = ["0.csv", "1.csv"] if place == AMID else ["0.csv", "1.csv", "2.csv"]
    assert sorted(before) == there
    for name in before:  # what is there is whole
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()
    status, _, err = run(*SCORE)
    assert status == 0
    assert "; 2 files had been done before" in err
    after = states("out")
    assert [name for name, state in before.items() if after[name] != state] == there[2:]
    assert sorted(os.listdir("out")) == sorted(os.listdir("whole"))  # nothing unfinished is left
    for name in after:
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()


@posix
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, r"gaussmix: interrupted; 2 of 8 files are done; .* goes on .*\n"),
        (signal.SIGTERM, 143, ""),
    ],
)
def test_an_interrupted_run_leaves_what_is_done(run, many, number, status, said):
    returned, err = stopped(AMID, number)
    assert returned == status
    assert re.fullmatch(said, err)
    assert set(states("out")) == {"0.csv", "1.csv"}
    assert not unfinished("out")
    assert "; 2 files had been done before" in run(*SCORE)[2]


@posix
def test_two_processes_in_one_directory(run, many):
    with paused(AMID, 1, *SCORE) as one, paused(AMID, 1, *SCORE) as other:
        assert len(unfinished("out")) == 2
        for process in (one, other):
            process.stdin.write("\n")
            process.stdin.flush()
        for process in (one, other):
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
    assert sorted(os.listdir("out")) == sorted(os.listdir("whole"))
    for name in states("out"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()


@posix
def test_unfinished_files_of_a_process_at_work_stay(run, parts):
    os.mkdir("out")
    Path("out", TEMPORARY).write_text("unfinished")
    Path("out", "my.tmp").write_text("mine")
    score = ["score", "model.npz", "in", "-o", "out/", "-q"]
    with outputs.working("out", "") as record:
        assert record.alone
        Path("out", TEMPORARY).write_text("unfinished")
        assert run(*score) == (0, "", "")
        assert Path("out", TEMPORARY).exists()
    assert run(*score) == (0, "", "")
    assert not Path("out", TEMPORARY).exists()
    assert Path("out", "my.tmp").exists()


# --- memory --------------------------------------------------------------------------------------

PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "gaussmix", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_of(*arguments) -> int:
    """Megabytes a command had resident at most."""
    command = [sys.executable, "-c", PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return int(done.stdout.splitlines()[-1]) // 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("ending", ["npy", "parquet"])
def test_memory_is_bounded(run, ending):
    X = np.random.default_rng(0).normal(size=(10_000_000, 8)).astype(np.float32)  # 320 MB
    X[::2] += 5
    if ending == "npy":
        np.save("x.npy", X)
    else:
        arrow = pytest.importorskip("pyarrow")
        table = arrow.table({f"x{j}": column for j, column in enumerate(X.T)})
        pytest.importorskip("pyarrow.parquet").write_table(table, "x.parquet")
        del table
    del X
    few = ["--max-iter", 1, "--init-params", "random_from_data", "-o", "m.npz"]
    assert peak_of("fit", f"x.{ending}", "-k", 2, "--memory", "64MB", *few) < 260
    assert peak_of("score", "m.npz", f"x.{ending}", "-o", "out/", "-q") < 260
