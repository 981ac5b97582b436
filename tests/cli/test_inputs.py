"""Which columns a command reads, which words are missing values, and CSV that is compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix._files.errors import TableError
from gaussmix._files.tables.choosing import Columns
from gaussmix._files.tables.opening import open_table
from gaussmix.mixture import load

NAMES = ["id", "a", "b", "temp_min", "temp_max", "d"]


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Rows of six columns, also in data.csv."""
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(50, 6)).round(3)
    write_csv("data.csv", X)
    return X


def write_csv(path, X, names=NAMES):
    lines = [",".join(map(repr, row)) for row in np.asarray(X).tolist()]
    Path(path).write_text("\n".join([",".join(names), *lines]) + "\n")


def columns_fitted(run_command, *options, data="data.csv"):
    """The names of the columns that a fit with these options takes."""
    status, _, err = run_command("fit", data, "-k", 1, "-o", "m.npz", *options)
    assert status == 0, err
    return list(load("m.npz").feature_names_in_)


def nameless(model):
    """The model without names, so that arrays are as good as tables to it."""
    del model.feature_names_in_
    return model


# --- Columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--columns", "a:temp_min"], ["a", "b", "temp_min"]),
        (["--columns", "2:4"], ["a", "b", "temp_min"]),
        (["--columns", "d,2:b"], ["d", "a", "b"]),
        (["--columns", "temp*"], ["temp_min", "temp_max"]),
        (["--columns", "temp_m?x, [ab]"], ["temp_max", "a", "b"]),
        (["--columns", "b,a:d"], ["b", "a", "temp_min", "temp_max", "d"]),
        (["--columns", "temp*,*_max,a"], ["temp_min", "temp_max", "a"]),
        (["--exclude", "id"], NAMES[1:]),
        (["--exclude", "id,temp*"], ["a", "b", "d"]),
        (["--exclude", "1,4:6"], ["a", "b"]),
        (["--columns", "a:d", "--exclude", "temp*,id"], ["a", "b", "d"]),
        (["--exclude", "id:b", "--weights", "d"], ["temp_min", "temp_max"]),
    ],
)
def test_columns_are_chosen_by_range_and_pattern(run_command, rows, options, expected):
    if "--weights" in options:
        write_csv("data.csv", np.abs(rows))
    assert columns_fitted(run_command, *options) == expected


def test_a_name_comes_before_a_range_a_pattern_and_a_number():
    columns = Columns("f.csv", ["3", "a:b", "x*", "a", "b", "xy", "c:d", "e"], 8)
    assert columns.chosen(["3"]) == [0]
    assert columns.chosen(["a:b"]) == [1]
    assert columns.chosen(["x*"]) == [2]
    assert columns.chosen(["c:d:e"]) == [6, 7]  # a name may have a colon
    assert columns.chosen(["x?"]) == [2, 5]
    for words, message in (
        (["a:nothing"], "no column named 'a:nothing'"),
        (["9:10"], "no column named '9:10'"),
        (["a,b"], "no column named 'a,b'"),
        ([":" * 100_000], "no column named"),
        (["a", "4"], "column 4 ('a') is chosen twice"),
    ):
        with pytest.raises(TableError) as caught:
            columns.chosen(words)
        assert message in str(caught.value)


def test_a_list_of_columns_is_ready_to_paste():
    names = ["a", "b c", "d,e", "f", "f", " g"]
    columns = Columns("f.csv", names, 6)
    assert columns.as_list([0]) == "a"
    assert columns.as_list([0, 1, 2]) == "'a,b c,\"d,e\"'"
    assert columns.as_list([0, 3, 4]) == "1,4:5"  # names that do not tell columns apart
    assert columns.as_list([5]) == "6"
    assert columns.as_list([]) is None
    assert Columns("f.csv", ["-a", "b"], 2).as_list([0, 1]) == "1:2"
    many = Columns("f.csv", None, 1000)
    assert many.as_list([*range(500), *range(600, 1000)]) == "1:500,601:1000"
    assert many.as_list(range(0, 1000, 2)) is None


def test_the_list_after_columns_fits_as_it_stands(run_command, rows):
    table = [[str(x) for x in row] for row in rows.tolist()]
    for row in table:
        row[2] = "text"
    lines = [",".join(row) for row in [NAMES, *table]]
    Path("data.csv").write_text("\n".join(lines) + "\n")
    status, _, err = run_command("fit", "data.csv", "-k", 1, "-o", "m.npz", "--exclude", "id")
    assert status == 2
    advised = err.split("--columns ")[1].strip()
    assert advised == "a,temp_min,temp_max,d"
    assert columns_fitted(run_command, "--columns", advised) == advised.split(",")


def test_a_model_without_names_reads_the_columns_that_are_left(run_command, rows):
    assert columns_fitted(run_command, "--exclude", "id") == NAMES[1:]
    expected = nameless(load("m.npz")).score_samples(rows[:, 1:])
    score = ["score", "m.npz", "data.csv", "-q", "-o"]
    # By its names, whatever else there is.
    assert run_command(*score, "s.npy", "--exclude", "id")[0] == 0
    np.testing.assert_array_equal(np.load("s.npy"), expected)
    np.save("data.npy", rows)
    score[2] = "data.npy"
    assert run_command(*score, "s.npy", "--exclude", "1")[0] == 0
    np.testing.assert_array_equal(np.load("s.npy"), expected)
    assert run_command(*score, "t.npy", "--columns", "2:6")[0] == 0
    np.testing.assert_array_equal(np.load("t.npy"), expected)


def test_other_columns_are_other_outputs(run_command, rows):
    """A directory of outputs knows them by the options."""
    columns_fitted(run_command, "--columns", "a")
    np.save("data.npy", rows)
    score = ["score", "m.npz", "data.npy", "-o", "out/", "-q", "--overwrite"]
    for columns in (["--columns", "2"], ["--columns", "3"], ["--exclude", "1,3:6"]):
        assert run_command(*score, *columns)[0] == 0
        column = 2 if columns[1] == "3" else 1
        expected = nameless(load("m.npz")).score_samples(rows[:, [column]])
        np.testing.assert_array_equal(np.load("out/data.npy"), expected)


# --- Words that are missing values ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("delimiter", "quote"), [(",", ""), (",", '"'), (";", ""), (" ", ""), ("\t", "")]
)
def test_words_that_are_missing_values(run_command, rows, delimiter, quote):
    holes = rows[:, :2].copy()
    holes[::4, 0] = holes[1::4, 1] = np.nan
    words = iter(["-999", "unknown", "-999.0", "Unknown", "NA"] * len(holes))
    lines = ["a" + delimiter + "b"]
    for row in holes:
        fields = [next(words) if np.isnan(x) else repr(float(x)) for x in row]
        lines.append(delimiter.join(f"{quote}{field}{quote}" for field in fields))
    Path("holes.csv").write_text("\n".join(lines) + "\n")
    options = ["--na-values=-999,UNKNOWN", "--allow-nan"]
    assert columns_fitted(run_command, *options, data="holes.csv") == ["a", "b"]
    expected = GaussianMixture(allow_nan=True, random_state=0).fit(holes)
    np.testing.assert_array_equal(load("m.npz").means_, expected.means_)
    impute = ["impute", "m.npz", "holes.csv", "-q", "-o", "filled.npy"]
    assert run_command(*impute, "--na-values=-999,unknown")[0] == 0
    np.testing.assert_array_equal(np.load("filled.npy"), expected.impute(holes))


def test_words_with_delimiters_are_whole_fields(rows):
    Path("words.csv").write_text('a,b\n1,2\n"not, seen",3\nnot,4\n')
    refused = pytest.raises(TableError, match=r"row 4, column 1 \('a'\): 'not' is not a number")
    with open_table("words.csv", na_values=["not, seen"]) as table, refused:
        list(table.blocks([0, 1], 10, allow_nan=True))
    Path("words.csv").write_text("a,b\nx,1\n2,3\n")
    refused = pytest.raises(TableError, match="'x' is not a number")
    with open_table("words.csv", na_values=["x,1"]) as table, refused:
        list(table.blocks([0, 1], 10, allow_nan=True))


def test_a_first_row_of_missing_words_is_no_header(rows):
    Path("words.csv").write_text("missing,1\n2,3\n")
    with open_table("words.csv", na_values=["missing"]) as table:
        assert table.names is None
        (block,) = table.blocks([0, 1], 10, allow_nan=True)
    np.testing.assert_array_equal(block, [[np.nan, 1], [2, 3]])


# --- CSV that is compressed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_compressed_csv_is_csv(run_command, rows, ending, compress):
    columns_fitted(run_command)
    expected = load("m.npz")
    os.mkdir("parts")
    Path(f"parts/data.csv.{ending}").write_bytes(compress(Path("data.csv").read_bytes()))
    # A directory finds it, and it is read anew in every iteration.
    for options in ([], ["--memory", "1MB"]):
        columns_fitted(run_command, *options, data="parts")
        np.testing.assert_array_equal(load("m.npz").means_, expected.means_)
    assert run_command("score", "m.npz", "parts", "-o", "out/", "-q")[0] == 0
    assert [name for name in os.listdir("out") if name[0] != "."] == ["data.csv"]
    scores = np.genfromtxt("out/data.csv", names=True)["log_density"]
    np.testing.assert_array_equal(scores, nameless(expected).score_samples(rows))


def test_compressed_rows_beyond_memory(run_command, rows):
    X = np.tile(rows, (1000, 1))
    write_csv("many.csv", X)
    Path("many.csv.gz").write_bytes(gzip.compress(Path("many.csv").read_bytes()))
    means = []
    for data in ("many.csv", "many.csv.gz"):
        columns_fitted(run_command, "--memory", "1MB", data=data)
        means.append(load("m.npz").means_)
    np.testing.assert_array_equal(*means)


@pytest.mark.parametrize(
    ("compress", "spoil"),
    [
        (compress, spoil)
        for compress in (gzip.compress, bz2.compress, lzma.compress)
        for spoil in (
            lambda b: b[:-20],
            lambda b: b[:40] + b"garbage" * 9 + b[103:],
            lambda b: b[:7],
        )
    ],
)
def test_compressed_data_that_is_damaged(rows, compress, spoil):
    content = compress(Path("data.csv").read_bytes())
    Path("bad.csv.gz").write_bytes(spoil(content))
    damaged = pytest.raises(
        TableError, match=r"^bad\.csv\.gz: the compressed data is damaged or cut"
    )
    with damaged, open_table("bad.csv.gz") as table:
        list(table.blocks([0], 100))
