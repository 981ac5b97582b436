"""``--keep``: columns of any type in the output as they stand in the file."""

from __future__ import annotations

import csv
import datetime
import decimal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gaussmix._files.tables import lines, parquet
from gaussmix._rows.sources import tables
from gaussmix.mixture import load
from support.tables import error_of, rows_of

#: Texts as files have them: what a CSV has to quote, zeros in front, other alphabets, nothing.
TEXTS = ["007", 'say "no"', "a,b", "", "Zoë  ", " x", "two\nlines", "2024-02-29", "NA", "1e5"]


@pytest.fixture
def run(tmp_path, monkeypatch, run_command):
    """`run_command` in a directory with a model of the columns a, b, c."""
    monkeypatch.chdir(tmp_path)
    write_csv("fit.csv", ["a", "b", "c"], rows_of(500).tolist())
    assert run_command("fit", "fit.csv", "-k", 2, "-o", "model.npz")[0] == 0
    return run_command


def write_csv(path, names, records, **dialect):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n", **dialect).writerows([names, *records])


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        names, *records = csv.reader(file)
    return names, records


def scores_of(X):
    model = load("model.npz")
    model.feature_names_in_ = None
    return model.score_samples(X)


def write_texts(texts, delimiter):
    """The file in.csv of 300 rows with texts and days; returns its rows, these and those."""
    X = rows_of(300)
    ids = [texts[i % len(texts)] for i in range(300)]
    days = [f"2024-01-{i % 31 + 1:02}" for i in range(300)]
    records = [[i, *row[:2], day, row[2]] for i, row, day in zip(ids, X.tolist(), days)]
    write_csv("in.csv", ["id", "c", "a", "day", "b"], records, delimiter=delimiter)
    return X, ids, days


@pytest.mark.parametrize("texts", [TEXTS, ["7", "x", "NA"]], ids=["quoted", "plain"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_text_of_csv_is_kept(run, monkeypatch, texts, delimiter):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 70)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 4000)
    X, ids, days = write_texts(texts, delimiter)
    keep = ["--keep", "day,id,c", "--labels", "-q"]
    assert run("score", "model.npz", "in.csv", "-o", "out.csv", *keep) == (0, "", "")
    names, found = read_csv("out.csv")
    assert names == ["day", "id", "c", "log_density", "label"]
    assert [row[:3] for row in found] == [
        [d, i, repr(c)] for d, i, c in zip(days, ids, X[:, 0].tolist())
    ]
    expected = scores_of(X[:, [1, 2, 0]])
    np.testing.assert_array_equal([float(row[3]) for row in found], expected)


def test_text_of_a_pipe_is_kept(run):
    """By number, without a header, and into Parquet."""
    pq = pytest.importorskip("pyarrow.parquet")
    _X, ids, _days = write_texts(TEXTS, ";")
    rows = Path("in.csv").read_text(encoding="utf-8").partition("\n")[2]
    done = subprocess.run(
        [sys.executable, "-m", "gaussmix", "predict", "model.npz", "-", "-q", "--columns", "3,5,2",
         "--keep", "1", "-o", "out.parquet", "--header", "no", "--delimiter", ";"],
        input=rows, encoding="utf-8", capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    table = pq.read_table("out.parquet")
    assert table.column_names == ["x1", "label"]
    assert str(table.schema.types[0]) == "string"
    assert table["x1"].to_pylist() == ids


def typed_table(n):
    """A table of arrow with the columns a, b, c among others of many types, nulls among them."""
    arrow = pytest.importorskip("pyarrow")
    X = rows_of(n)
    day = datetime.date(2024, 2, 28)
    moments = [datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC), None]
    return X, arrow.table(
        {
            "id": arrow.array([None if i % 7 == 0 else 2**60 + i for i in range(n)]),
            "a": X[:, 0],
            "day": [day + datetime.timedelta(days=i % 3) for i in range(n)],
            "moment": arrow.array(
                [moments[i % 2] for i in range(n)], arrow.timestamp("us", "UTC")
            ),
            "b": X[:, 1],
            "price": [decimal.Decimal(i).scaleb(-2) for i in range(n)],
            "kind": arrow.array([TEXTS[i % 10] for i in range(n)]).dictionary_encode(),
            "yes": arrow.array([[True, False, None][i % 3] for i in range(n)]),
            "c": X[:, 2],
            "many": arrow.array([[i, i + 1] if i % 5 else None for i in range(n)]),
            "small": arrow.array(X[:, 0], arrow.float32()),
        }
    )


OTHERS = ["id", "day", "moment", "price", "kind", "yes", "many", "small"]


def test_types_of_parquet_are_kept(run, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 70)
    X, table = typed_table(300)
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table, "in.parquet", row_group_size=110)
    for limit in (1 << 24, 2000):  # so few bytes that the rows of a block are fewer
        monkeypatch.setattr(parquet, "KEPT_BYTES", limit)
        keep = ["--keep", ",".join(OTHERS), "-q"]
        assert run("score", "model.npz", "in.parquet", "-o", "out.parquet", *keep) == (0, "", "")
        found = pq.read_table("out.parquet")
        assert found.column_names == [*OTHERS, "log_density"]
        np.testing.assert_array_equal(found["log_density"].to_numpy(), scores_of(X))
        for name in OTHERS:
            assert found.schema.field(name).type == table.schema.field(name).type
            assert found[name].to_pylist() == table[name].to_pylist()

    # As text.
    texts = ["id", "day", "moment", "price", "kind", "yes"]
    keep = ["--keep", ",".join(texts), "-q"]
    assert run("score", "model.npz", "in.parquet", "-o", "out.csv", *keep) == (0, "", "")
    names, records = read_csv("out.csv")
    assert names == [*texts, "log_density"]
    assert records[0][:6] == [
        "",
        "2024-02-28",
        "2024-01-01 12:00:00.000000Z",
        "0.00",
        "007",
        "true",
    ]
    assert records[1][:6] == [str(2**60 + 1), "2024-02-29", "", "0.01", TEXTS[1], "false"]
    message = error_of(run("score", "model.npz", "in.parquet", "--keep", "many", "-o", "o.csv"))
    assert message == (
        "in.parquet: column 10 ('many'): holds list<element: int64>, which CSV has no place for; "
        "give an output that ends in .parquet, or leave it out of --keep"
    ).replace("'): holds", "') holds")
    assert not Path("o.csv").exists()
    raw = table.append_column("raw", pytest.importorskip("pyarrow").array([b"\xff"] * 300))
    pq.write_table(raw, "in.parquet")
    message = error_of(run("score", "model.npz", "in.parquet", "--keep", "raw", "-o", "o.csv"))
    assert "holds binary, which CSV has no place for" in message


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_all_columns_beside_the_scores(run):
    X, table = typed_table(20)
    pytest.importorskip("pyarrow.parquet").write_table(table, "in.parquet")
    assert (
        run("predict", "model.npz", "in.parquet", "--keep", "*", "-o", "o.parquet", "-q")[0] == 0
    )
    found = pytest.importorskip("pyarrow.parquet").read_table("o.parquet")
    assert found.drop(["label"]).equals(table)
    np.testing.assert_array_equal(found["label"].to_numpy(), load("model.npz").predict(X))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_impute_writes_the_whole_row(run):
    X = rows_of(40)
    X[::3, 1] = X[1::4, 0] = np.nan
    records = [
        [
            f"{i:03}",
            "" if np.isnan(a) else repr(a),
            "NA" if np.isnan(b) else repr(b),
            "x,y",
            repr(c),
        ]
        for i, (a, b, c) in enumerate(X.tolist())
    ]
    write_csv("in.csv", ["id", "a", "b", "note", "c"], records)
    filled = load("model.npz").impute(X)
    impute = ["impute", "model.npz", "in.csv", "-q", "--keep"]
    for keep in ("*", "note,id"):
        assert run(*impute, keep, "-o", "out.csv") == (0, "", "")
        names, found = read_csv("out.csv")
        assert names == ["id", "a", "b", "note", "c"]
        assert [[row[0], row[3]] for row in found] == [[row[0], row[3]] for row in records]
        np.testing.assert_array_equal(
            [[float(row[i]) for i in (1, 2, 4)] for row in found], filled
        )
    assert run(*impute, "id", "--std", "-o", "out.csv")[0] == 0
    assert read_csv("out.csv")[0] == ["id", "a", "b", "c", "a_std", "b_std", "c_std"]
    # Columns in another order than the file's, and rows that are drawn twice.
    draws = ["--draws", 2, "--columns", "a,b,c", "-o", "out.csv"]
    assert run(*impute, "*", *draws)[0] == 0
    names, found = read_csv("out.csv")
    assert names == ["row", "draw", "id", "a", "b", "note", "c"]
    assert [row[2] for row in found] == [f"{i:03}" for i in range(40) for _ in range(2)]
    drawn = load("model.npz").impute(X, n_draws=2, random_state=0)
    np.testing.assert_array_equal(
        [[float(row[i]) for i in (3, 4, 6)] for row in found],
        drawn.swapaxes(0, 1).reshape(-1, 3),
    )


def test_draws_repeat_the_columns_of_parquet(run):
    _X, table = typed_table(30)
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table, "in.parquet")
    run("impute", "model.npz", "in.parquet", "--draws", 3, "--keep", "many,id", "-o", "o.parquet")
    found = pq.read_table("o.parquet")
    assert found.column_names == ["row", "draw", "id", "a", "b", "c", "many"]
    for name in ("id", "many"):
        assert found[name].to_pylist() == [v for v in table[name].to_pylist() for _ in range(3)]


def test_numbers_of_npy_are_kept(run):
    X = rows_of(30).astype(">f8")
    np.save("in.npy", np.column_stack([X, np.arange(30)]))
    keep = ["--columns", "1,2,3", "--keep", "4", "-q"]
    assert run("score", "model.npz", "in.npy", "-o", "out.csv", *keep) == (0, "", "")
    names, records = read_csv("out.csv")
    assert names == ["x4", "log_density"]
    np.testing.assert_array_equal([float(row[0]) for row in records], np.arange(30))
    np.testing.assert_array_equal([float(row[1]) for row in records], scores_of(X))
    halves = rows_of(30).astype(np.float16)
    np.save("in.npy", halves)
    keep = ["--keep", "1", "-q"]
    assert run("score", "model.npz", "in.npy", "-o", "out.csv", *keep) == (0, "", "")
    np.testing.assert_array_equal([float(row[0]) for row in read_csv("out.csv")[1]], halves[:, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "score in.csv --keep id -o s.npy",
            (
                "s.npy: a .npy array holds numbers alone, and --keep is for columns of any type; "
                "give one that ends in .csv or .parquet"
            ),
        ),
        (
            "score in.csv --keep id -o out/ --format npy",
            (
                "out/in.npy: a .npy array holds numbers alone, and --keep is for columns of any "
                "type; add --format csv or --format parquet"
            ),
        ),
        ("score in.csv --keep name -o s.csv", "in.csv: no column named 'name'; the columns are "),
        ("score in.csv --keep id,1 -o s.csv", "in.csv: column 1 ('id') is chosen twice"),
        (
            "score in.csv --keep label --labels -o s.csv",
            (
                "in.csv: column 5 ('label') has the name 'label' of another column of the output; "
                "rename it first, or leave it out of --keep"
            ),
        ),
        (
            "impute in.csv --keep id,b -o s.csv",
            ("in.csv: column 3 ('b') is one that the model fills in; leave it out of --keep"),
        ),
    ],
)
def test_columns_that_cannot_be_kept(run, arguments, message):
    write_csv("in.csv", ["id", "a", "b", "c", "label"], [["x", 1, 2, 3, "y"]] * 3)
    command, *rest = arguments.split()
    assert error_of(run(command, "model.npz", *rest)).startswith(message)
    assert not list(Path().glob("s.*"))
    assert not list(Path().glob("out/*.npy"))


def test_kept_columns_take_memory_for_a_block_alone(run, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2000)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 15)
    X = rows_of(4000).round(3).tolist()
    peaks = []
    for copies in (1, 6):
        write_csv(
            "many.csv", ["id", "a", "b", "c"], [[f"id{i}", *x] for i, x in enumerate(X * copies)]
        )
        tracemalloc.start()
        status = run("score", "model.npz", "many.csv", "--keep", "id", "-o", "s.csv")[0]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert status == 0
    # The texts of the longer file take 1,400,000 bytes; what is read ahead varies with the timing.
    assert peaks[1] < peaks[0] + 500_000
