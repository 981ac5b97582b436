"""Files of nobody's making, and files that change while they are used.

Whatever a file holds or becomes, what comes of it is a result or one of the exceptions that the
documentation names, with the file's name, in bounded time and memory. Model files have tests of
their own, in `test_model_files.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, ModelFileError
from gaussmix._common.text import printable
from gaussmix._files import model_file, npz
from gaussmix._files.errors import TableError
from gaussmix._files.tables.opening import open_table
from gaussmix._rows.sources.tables import Tables
from gaussmix.cli import outputs
from gaussmix.sources import NpySource, ParquetSource
from support.model_files import archive, members_of
from support.model_files import model as contents

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and limits of POSIX")

ESCAPE = "\x1b]0;mine\x07"


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(run_command, in_tmp):
    return run_command


@contextlib.contextmanager
def ends_within(seconds: int) -> Iterator[None]:
    """Fail, instead of waiting without end, where the system has alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(*_: object) -> None:
        pytest.fail("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def write_npy(path: str, X: np.ndarray, order: str = "C") -> None:
    np.save(path, np.asarray(X, order=order))


def rows(n: int = 300, d: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d))


def with_header(path: str, text: str, version: int = 1) -> None:
    """Put another header before the numbers of a .npy file, of whatever length."""
    data = Path(path).read_bytes()
    data = data[10 + int.from_bytes(data[8:10], "little") :]
    header = text.encode("latin1")
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    Path(path).write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + data)


def read_table(path: str, **options: object) -> np.ndarray:
    options = {"header": "auto", "delimiter": "auto", "memory": 1 << 30} | options
    with Tables([path], **options) as tables:
        tables.choose(list(range(tables.first.n_columns)))
        return tables.load()[0]


def read_source(path: str) -> np.ndarray:
    return np.concatenate(list(NpySource(path, memory=1 << 12).chunks()))


# --- .npy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f4", "f2", "i4", "u1", "?"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_both_readers_take_every_order_type_and_version(in_tmp, order, dtype, version):
    X = (10 * rows()).astype(dtype)
    with open("t.npy", "wb") as file:
        np.lib.format.write_array(file, np.asarray(X, order=order), version=(version, 0))
    np.testing.assert_array_equal(read_source("t.npy"), X)
    np.testing.assert_array_equal(read_table("t.npy"), X)


HEADERS = {
    "nested": "(" * 9000,
    "signs": "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "-" * 9000 + "3, 3), }",
    "unfinished": "{'descr': '<f8', 'fortran_order': False, 'shape': (300, 3),",
    "not Python": "{'descr': '<f8', 'fortran_order': False, 'shape': (0300, 3), }",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-300, -3), }",
    "huge": "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 4000 + ", 3), }",
    "too many digits": "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 6000 + ",)}",
    "more rows": "{'descr': '<f8', 'fortran_order': False, 'shape': (301, 3), }",
    "no rows": "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904), }",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (300, 3), }",
    "fields": "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (300, 3), }",
    "a cube": "{'descr': '<f8', 'fortran_order': False, 'shape': (10, 30, 3), }",
    "escape": "{'descr': '\x1b]0;mine\x07', 'fortran_order': False, 'shape': (300, 3), }",
    "nothing": "",
}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_npy_files(in_tmp, name, version):
    write_npy("t.npy", rows())
    with_header("t.npy", HEADERS[name] + "\n", version)
    for read in (read_source, read_table):
        with pytest.raises(TableError, match=r"^t\.npy: ") as caught:
            read("t.npy")
        assert len(str(caught.value)) < 400
        assert "\x1b" not in str(caught.value)


def test_a_header_of_gigabytes_is_not_read(in_tmp):
    with open("t.npy", "wb") as file:
        file.write(b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little"))
        file.truncate(2**31 + 100)  # a hole on most file systems
    tracemalloc.start()
    try:
        with pytest.raises(TableError, match="not a readable"):
            NpySource("t.npy")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def shrink(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 2000)


def to_objects(path: str) -> None:
    with_header(path, HEADERS["objects"])


def other_shape(path: str) -> None:
    write_npy(path, rows(100, 9))


def other_order(path: str) -> None:
    write_npy(path, rows(), "F" if np.load(path).flags.c_contiguous else "C")


def other_type(path: str) -> None:
    write_npy(path, rows().astype(np.float32))


def to_text(path: str) -> None:
    Path(path).write_text("1,2,3\n")


def to_pipe(path: str) -> None:
    os.unlink(path)
    os.mkfifo(path)


def to_directory(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


CHANGES = [shrink, to_objects, other_shape, other_order, other_type, to_text, to_directory]
CHANGES += [to_pipe] if hasattr(os, "mkfifo") else []


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_file_that_changes_between_two_readings(in_tmp, order, change):
    write_npy("t.npy", rows(), order)
    source = NpySource("t.npy")
    model = GaussianMixture(1).fit(source)
    means = model.means_.copy()
    with Tables(["t.npy"], header="auto", delimiter="auto", memory=1_000) as tables:
        tables.choose([2, 0])
        assert sum(len(X) for X in tables.chunks()) == 300
        change("t.npy")
        with ends_within(20), pytest.raises((TableError, OSError), match=r"t\.npy"):
            list(tables.chunks())
    with ends_within(20), pytest.raises((ValueError, OSError), match=r"t\.npy"):
        model.fit(source)
    np.testing.assert_array_equal(model.means_, means)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_npy_file_that_is_cut_while_it_is_read(in_tmp, order):
    write_npy("t.npy", rows(100_000), order)
    pieces = NpySource("t.npy", memory=1 << 20).chunks()
    next(pieces)
    os.truncate("t.npy", 100_000)
    with pytest.raises(TableError, match=r"t\.npy: the file became shorter while it was read"):
        list(pieces)


def test_columns_of_a_file_by_columns_are_read_alone(in_tmp):
    """And in bounded memory: a piece of the chosen columns, and no more."""
    write_npy("t.npy", rows(200_000, 10), "F")
    with Tables(["t.npy"], header="auto", delimiter="auto", memory=1 << 20) as tables:
        tables.choose([7, 2])
        tracemalloc.start()
        try:
            found = [X[0].copy() for X in tables.chunks()]
            assert tracemalloc.get_traced_memory()[1] < 1 << 19
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(found[0], rows(200_000, 10)[0, [7, 2]])


# --- what is no regular file ---------------------------------------------------------------------


def pipe(path: str) -> None:
    os.mkfifo(path)


def socket(path: str) -> None:
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX) as server:
        server.bind(path)


def link_to_pipe(path: str) -> None:
    os.mkfifo("behind")
    os.symlink("behind", path)


def device(path: str) -> None:
    os.symlink("/dev/zero", path)


@posix
@pytest.mark.parametrize("make", [pipe, socket, link_to_pipe, device])
def test_what_is_no_regular_file_is_refused(in_tmp, make):
    make("t.parquet")
    message = r"is (a pipe|a socket|a device), and not a regular file: 't\.parquet'"
    calls: list[Callable[[], object]] = [
        lambda: gaussmix.load("t.parquet"),
        lambda: NpySource("t.parquet"),
        lambda: GaussianMixture().fit("t.parquet"),
        lambda: GaussianMixture().fit(Path("t.parquet")),
        lambda: GaussianMixture().fit(["t.parquet"]),
    ]
    if "pyarrow" in sys.modules or pytest.importorskip("pyarrow"):
        calls.append(lambda: ParquetSource("t.parquet"))
    for call in calls:
        with ends_within(20), pytest.raises(OSError, match=message):
            call()


@posix
@pytest.mark.parametrize("make", [pipe, socket, link_to_pipe])
def test_commands_refuse_a_model_that_is_no_regular_file(run, make):
    make("m.npz")
    with ends_within(20):
        status, out, err = run("info", "m.npz")
    assert (status, out) == (2, "")
    assert err.startswith("gaussmix: error: m.npz: is a ")
    assert err.endswith(", and not a regular file\n")


# --- CSV: time and memory ------------------------------------------------------------------------


def shortest_seconds(call: Callable[[], object]) -> float:
    """Of the processor's time, which other programs do not take."""
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


SPACES = " " * 200_000
LONG_FIELDS = {
    "spaces": f"1,{SPACES}\n",
    "spaces and text": f"1,{SPACES}x\n",
    "spaces about text": f"1,{SPACES}na{SPACES}x\n",
    "words": "1," + "na" * 100_000 + "\n",
    "digits": "1," + "9" * 200_000 + "\n",
    "a small number": "1,0." + "0" * 200_000 + "1\n",
    "marks": "#" * 200_000 + "\n",
    "delimiters": "1;" * 100_000 + "x,2\n",
    "quotes": "1," + '"' * 120_000 + "\n",
}


@pytest.mark.parametrize("name", LONG_FIELDS)
def test_long_fields_of_csv_take_time_in_proportion(in_tmp, name):
    Path("t.csv").write_text("a,b\n1,2\n" + LONG_FIELDS[name] + "3,4\n")

    def read() -> None:
        with contextlib.suppress(TableError):
            read_table("t.csv", allow_nan=True)

    with ends_within(20):
        assert shortest_seconds(read) < 2  # 52 s where time goes with the square


def test_text_set_right_is_read_as_fast_as_text_set_left(in_tmp):
    times = {}
    for side in "<>":
        lines = "".join(f"{i},{'text':{side}60},{'' if i % 9 else i}\n" for i in range(20_000))
        Path("t.csv").write_text("a,b,c\n" + lines)

        def read() -> None:
            with Tables(
                ["t.csv"], header="auto", delimiter="auto", memory=1 << 30, allow_nan=True
            ) as tables:
                tables.choose([0, 2])
                assert len(tables.load()[0]) == 20_000

        times[side] = shortest_seconds(read)
    assert times[">"] < 5 * times["<"]


def test_quotes_within_fields_are_text(in_tmp):
    """A quote that does not begin a field opens nothing, wherever blocks end."""
    lines = [f'{i},5" pipe,"a, ""b""\n{i}"\n' for i in range(300)]
    Path("t.csv").write_text("n,what,note\n" + "".join(lines))
    for block in (1, 50, 4 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gaussmix._files.tables.lines.BLOCK_BYTES", block)
            with Tables(["t.csv"], header="auto", delimiter="auto", memory=1 << 30) as tables:
                assert tables.first.names == ("n", "what", "note")
                tables.choose([0])
                np.testing.assert_array_equal(tables.load()[0].ravel(), range(300))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,2\n3,"' + "x" * 200_000 + '"\n', "row 3: a field has more than 131,072 char"),
        ("x" * 200_000 + ",b\n1,2\n", "row 1: a field has more than 131,072 char"),
        ("a,b\n1," + "x" * 100_000 + "\n", "row 2, column 2 ('b'): 'xxxxx"),
    ],
)
def test_messages_about_long_fields_are_short(in_tmp, text, message):
    Path("t.csv").write_text(text)
    with pytest.raises(TableError) as caught:
        read_table("t.csv")
    assert str(caught.value).startswith(f"t.csv: {message}")
    assert len(str(caught.value)) < 250


def test_a_line_that_does_not_end(in_tmp):
    with open("t.csv", "wb") as file:
        for _ in range(40):
            file.write(b" " * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TableError, match=r"row 1: the line does not end within 16 MiB"):
            read_table("t.csv")
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


# --- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [shrink, to_text, to_directory, *CHANGES[7:]])
def test_a_parquet_file_that_changes_between_two_readings(in_tmp, change):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    def write(X: np.ndarray) -> None:
        pq.write_table(pa.table({f"x{j}": X[:, j] for j in range(3)}), "t.parquet")

    write(rows(5000))
    source = ParquetSource("t.parquet", memory=1000)
    with Tables(["t.parquet"], header="auto", delimiter="auto", memory=1_000) as tables:
        tables.choose([2, 0])
        assert sum(len(X) for X in tables.chunks()) == 5000
        GaussianMixture(1).fit(source)
        change("t.parquet")
        with ends_within(20), pytest.raises((TableError, OSError), match=r"t\.parquet"):
            list(tables.chunks())
    with ends_within(20), pytest.raises((ValueError, OSError), match=r"t\.parquet"):
        GaussianMixture(1).fit(source)


@pytest.mark.parametrize("cut", [1000, 0.3, 0.7, 0.99])
def test_a_parquet_file_that_is_cut_while_it_is_read(in_tmp, cut):
    """Of which pyarrow gives the rows before the cut, as if they were all."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    def write() -> None:
        X = rows(300_000, 4)
        table = pa.table({f"x{j}": X[:, j] for j in range(4)})
        pq.write_table(table, "t.parquet", row_group_size=10_000)

    def read(chunks: Iterator[object]) -> int:
        n_rows = len(next(chunks))
        os.truncate("t.parquet", int(cut if cut > 1 else cut * os.path.getsize("t.parquet")))
        return n_rows + sum(len(chunk) for chunk in chunks)

    write()
    with open_table("t.parquet") as table, pytest.raises(TableError, match=r"^t\.parquet: "):
        read(table.blocks([0, 3], 5000))
    write()
    chunks = ParquetSource("t.parquet").chunks()
    n_rows = 300_000
    with contextlib.suppress(TableError):
        n_rows = read(chunks)
    assert n_rows == 300_000  # all, where they had been read ahead before the file was cut


# --- text from files on a terminal ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 1", "größe 1"),
        (ESCAPE, r"\x1b]0;mine\x07"),
        ("a\nb\tc\x7f\x9b", r"a\nb\tc\x7f\x9b"),
        ("\u202eright to left\u2066", r"\u202eright to left\u2066"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown
    assert str(TableError(f"t: {text}")) == f"t: {shown}"
    assert str(ModelFileError("t", text)) == f"t: {shown}"


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_names_of_columns_and_files_are_escaped(run):
    name = f"{ESCAPE}.csv" if os.name == "posix" else "t.csv"
    X = rows()
    lines = "".join(",".join(map(repr, row)) + "\n" for row in X.tolist())
    Path(name).write_text(f"a{ESCAPE},b,{'c' * 500}\n" + lines)
    commands = [
        ["fit", name, "-k", 1, "-o", "m.npz"],
        ["info", "m.npz"],
        ["info", "--json", "m.npz"],
        ["score", "m.npz", name, "-o", "out/"],
        ["fit", name, "-k", 1, "-o", "m.npz", "--columns", "none"],
        ["fit", name, "-k", 1, "-o", "m.npz", "--columns", f"{ESCAPE}"],
        ["fit", f"{ESCAPE}.none", "-k", 1, "-o", "m.npz"],
        ["fit", f"{ESCAPE}*.none", "-k", 1, "-o", "m.npz"],
        ["fit", name, "-k", f"{ESCAPE}", "-o", "m.npz"],
        ["fit", name, "-k", 1, "-o", f"m{ESCAPE}.npz"],
    ]
    for command in commands:
        _, out, err = run(*command)
        assert is_harmless(out + err), command
        assert out + err
    Path(name).write_text(f"a{ESCAPE},b,c\n1,2,3\n4,{ESCAPE},6\n")
    _, out, err = run("fit", name, "-k", 1, "-o", "m.npz")
    assert is_harmless(out + err)
    assert "is not a number" in err


def test_a_header_is_escaped_on_a_terminal_only(run, monkeypatch):
    model = GaussianMixture().fit(rows())
    model.feature_names_in_ = np.array(["a", f"b{ESCAPE}", "c"], object)
    model.save("m.npz")
    assert run("sample", "m.npz", "-n", 1, "--seed", 0)[1].startswith(f"a,b{ESCAPE},c\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("sample", "m.npz", "-n", 1, "--seed", 0)[1].startswith(r"a,b\x1b]0;mine\x07,c")


def test_messages_list_a_few_of_many_columns(run):
    model = GaussianMixture(covariance_type="diag").fit(rows(3, 3000))
    model.feature_names_in_ = np.array([f"column number {j}" for j in range(3000)], object)
    model.save("m.npz")
    Path("t.csv").write_text("a,b\n1,2\n")
    write_npy("t.npy", rows())
    for data in ("t.csv", "t.npy"):
        status, _, err = run("score", "m.npz", data)
        assert status == 2
        assert "'column number 19' and 2,980 more" in err or "number 19 and 2,980 more" in err
        assert len(err) < 1000


def with_metadata(path: str, change: Callable[[str], str]) -> None:
    """A model file with other metadata, in which all else is right."""
    model_file.save(path, contents())
    members = dict(members_of(path))
    start = 10 + int.from_bytes(members["metadata"][8:10], "little")
    text = change(members["metadata"][start:].decode("ascii")).encode("ascii")
    members["metadata"] = npz.npy_header("|u1", (len(text),)) + text
    Path(path).write_bytes(archive(members.items()))


@pytest.mark.parametrize(
    "version", [ESCAPE, [ESCAPE] * 100_000, {ESCAPE: ESCAPE}, "x" * 100_000, None]
)
def test_the_version_that_a_file_names_is_escaped_and_short(run, version):
    text = json.dumps({"format_version": 99, "library_version": version})
    with_metadata("m.npz", lambda _: text)
    status, out, err = run("info", "m.npz")
    assert (status, out) == (2, "")
    assert "it has format version 99, written by gaussmix" in err
    assert is_harmless(err)
    assert len(err) < 400


# --- records of batches --------------------------------------------------------------------------


@pytest.fixture
def batch(run):
    """A command that writes two outputs, one of which is done."""
    GaussianMixture().fit(rows()).save("m.npz")
    os.mkdir("in")
    write_npy("in/a.npy", rows())
    write_npy("in/b.npy", rows())
    score = ["score", "m.npz", "in", "-o", "out/"]
    assert run(*score, "-q") == (0, "", "")
    os.unlink("out/b.npy")
    return lambda: run(*score)


DEEP = 60_000
LINES = {
    "nested": b"[" * DEEP + b"]" * DEEP,
    "nested within": b'{"output": ' + b'{"a":' * DEEP,
    "rows that are nested": b'{"output": "a.npy", "rows": ' + b"[" * 900 + b"]" * 900 + b"}",
    "long": b'{"output": "' + b"x" * 1_000_000 + b'"}',
    "not UTF-8": b'\xff\xfe{"output": "\xe9"}\x80',
    "UTF-16": '{"output": "a.npy"}'.encode("utf-16"),
    "many digits": b'{"output": "a.npy", "rows": ' + b"9" * 5000 + b"}",
    "other kinds": b'{"output": 1, "rows": "x", "job": [], "input": {}, "written": null}',
    "zeros": b"\0" * 10_000,
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_a_record_that_are_no_entries_are_passed_over(batch, name):
    record = Path("out", outputs.RECORD)
    record.write_bytes(LINES[name] + b"\n" + record.read_bytes() + LINES[name])
    status, _, err = batch()
    assert status == 0
    assert "; 1 file had been done before" in err
    assert batch()[2] == "gaussmix: all 2 files had been done before\n"


@posix
def test_a_record_that_is_a_link_is_not_followed(batch):
    record = Path("out", outputs.RECORD)
    content = record.read_bytes()
    Path("precious").write_bytes(content)
    for target in ("precious", "absent"):
        record.unlink()
        record.symlink_to(Path(target).absolute())
        status, _, err = batch()
        assert (status, err) == (
            2,
            f"gaussmix: error: {record}: is a symbolic link, and not a regular file\n",
        )
    assert Path("precious").read_bytes() == content
    assert not Path("absent").exists()
    assert os.listdir("out") == ["a.npy", outputs.RECORD] or len(os.listdir("out")) == 2


@posix
@pytest.mark.parametrize("make", [pipe, socket, os.mkdir])
def test_a_record_that_is_no_regular_file(batch, make):
    record = Path("out", outputs.RECORD)
    record.unlink()
    make(str(record))
    with ends_within(20):
        status, _, err = batch()
    assert status == 2
    assert err.startswith(f"gaussmix: error: {record}: ")
    assert len(err.splitlines()) == 1


def test_a_record_that_is_huge(batch):
    with open(Path("out", outputs.RECORD), "r+b") as file:
        file.truncate(outputs.RECORD_LIMIT + 1)
    status, _, err = batch()
    assert status == 2
    assert err.endswith("has more than 256 MiB; remove it, and all files are done again\n")


@posix
@pytest.mark.parametrize("make", [pipe, lambda path: os.symlink("/dev/null", path), os.mkdir])
def test_an_output_of_a_directory_replaces_regular_files_only(batch, make):
    make("out/b.npy")
    with ends_within(20):
        status, _, err = batch()
    assert status == 2
    assert err == (
        "gaussmix: error: out/b.npy: is no regular file, and outputs in a directory replace "
        "nothing else; remove it\n"
    )


# --- flags, and too few file descriptors ---------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--memory", "9" * 400 + "MB"),
        ("--memory", "9" * 5000 + "kB"),
        ("--memory", "1e400"),
        ("--memory", "٣MB"),
        ("--max-iter", "9" * 5000),
        ("--max-iter", "9" * 19),
        ("--n-init", "1" + "0" * 30),
        ("--threads", "9" * 5000),
        ("--seed", "9" * 5000),
        ("--seed", "-1"),
        ("--tol", "9" * 5000),
        ("--tol", "1_0e"),
        ("--reg-covar", "1e400"),
        ("--reg-covar", "nan"),
        ("--variance-floor", "9" * 500),
        ("--delimiter", "x" * 5000),
        ("--columns", "9" * 5000),
        ("--columns", ",".join(["x" * 500] * 500)),
        ("--columns", "x" * 200_000),
        ("--weights", "9" * 5000),
    ],
)
def test_values_of_flags_are_refused_in_a_short_line(run, flag, value):
    Path("t.csv").write_text("a,b\n" + "1,2\n2,1\n3,5\n" * 9)
    status, out, err = run("fit", "t.csv", "-k", 1, "-o", "m.npz", flag, value)
    assert (status, out) == (2, "")
    assert err.startswith("gaussmix: error: ")
    assert err.count("\n") == 1
    assert len(err) < 3000
    assert not os.path.exists("m.npz")


def test_leading_zeros_are_no_digits(run):
    Path("t.csv").write_text("a,b\n" + "1,2\n2,1\n3,5\n" * 9)
    assert run("fit", "t.csv", "-k", "0" * 5000 + "1", "-o", "m.npz")[0] == 0


@posix
@pytest.mark.parametrize("ending", ["csv", "npy", "parquet"])
def test_many_files_need_few_descriptors_and_too_few_are_said(run, ending):
    import resource

    if ending == "parquet":
        pytest.importorskip("pyarrow")
    os.mkdir("in")
    for number in range(40):
        if ending == "csv":
            Path(f"in/{number}.csv").write_text("a,b\n" + "1,2\n2,1\n3,5\n" * 9)
        elif ending == "npy":
            write_npy(f"in/{number}.npy", rows())
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(
                pa.table({"a": rows()[:, 0], "b": rows()[:, 1]}), f"in/{number}.parquet"
            )
    assert run("fit", "in", "-k", 1, "-o", "m.npz")[0] == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/dev/fd"))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 12, hard))
        assert run("fit", "in", "-k", 1, "-o", "n.npz")[0] == 0
        held = []
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        status, _, err = run("score", "m.npz", "in/0." + ending)
        for descriptor in held:
            os.close(descriptor)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert status == 2
    assert err.startswith("gaussmix: error: m.npz: Too many open files: this process has as many")
    assert "ulimit -n" in err


# --- anything ------------------------------------------------------------------------------------

FAMILIES = ("npy", "fnpy", "csv", "quoted", "parquet", "model")
TOKENS = [
    b"\0", b"\xff" * 9, b'"', b'""', b",", b",,", b"\n\n", b"\r", b" " * 300, b"nan", b"1e999",
    b"9" * 400, b"-" * 400, b"(" * 300, b"[" * 300, b"|O", b"(10, 0)", b"True", b"PAR1",
    b"PK\x03\x04", b"\x93NUMPY\x03\x00",
]  # fmt: skip


def sound_bytes(folder: Path, family: str) -> bytes:
    path = folder / "sound"
    X = rows(60)
    if family in ("npy", "fnpy"):
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.asarray(X, order="F" if family == "fnpy" else "C"))
    elif family == "csv":
        path.write_text("a,b,c\n" + "".join(",".join(map(repr, x)) + "\n" for x in X.tolist()))
    elif family == "quoted":
        path.write_text('"a,",b,c\n' + "".join(f'"{x}",{y},\n' for x, y, _ in X.tolist()))
    elif family == "parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({f"x{j}": X[:, j] for j in range(3)}), path)
    else:
        model = GaussianMixture().fit(X)
        model.feature_names_in_ = np.array(["a", "b", "c"], object)
        model.save(path)
    return path.read_bytes()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes put in, cut out or repeated, and the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(changed) + 1))
        if rng.random() < 0.5:  # where headers are
            place = min(place, int(rng.integers(200)))
        kind = rng.integers(6)
        if kind == 0 and changed:
            changed[min(place, len(changed) - 1)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            token = TOKENS[rng.integers(len(TOKENS))]
            changed[place : place + len(token) * int(rng.integers(2))] = token
        elif kind == 2:
            del changed[place : place + int(rng.integers(1, 100))]
        elif kind == 3:
            changed[place:place] = changed[: int(rng.integers(200))]
        elif kind == 4 and rng.random() < 0.3:
            del changed[place:]
        else:
            changed[place : place + 8] = rng.bytes(8)
    return bytes(changed)


def use_everything(first: bytes, then: bytes) -> None:
    """Read a file in every way there is; it becomes another between two readings."""
    Path("t").write_bytes(first)
    documented = (ModelFileError, TableError, OSError)
    with contextlib.suppress(*documented):
        gaussmix.load("t")
    with contextlib.suppress(*documented):
        source = NpySource("t", memory=2000)
        list(source.chunks())
        Path("t").write_bytes(then)
        list(source.chunks())
    Path("t").write_bytes(first)
    with contextlib.suppress(*documented):
        source = ParquetSource("t", memory=2000)
        list(source.chunks())
        Path("t").write_bytes(then)
        list(source.chunks())
    for allow_nan in (False, True):
        Path("t").write_bytes(first)
        with (
            contextlib.suppress(*documented),
            Tables(
                ["t"], header="auto", delimiter="auto", memory=2000, allow_nan=allow_nan
            ) as tables,
        ):
            tables.choose([*range(tables.first.n_columns)][:50])
            list(tables.chunks())
            Path("t").write_bytes(then)
            list(tables.chunks())


def fuzz(folder: Path, seed: int, n: int) -> None:
    families = [sound_bytes(folder, family) for family in FAMILIES]
    rng = np.random.default_rng(seed)
    for number in range(n):
        data = families[number % len(families)]
        others = [data, mutated(data, rng), families[rng.integers(len(families))], b""]
        first, then = mutated(data, rng), others[rng.integers(4)]
        tracemalloc.start()
        try:
            with ends_within(30):
                use_everything(first if number % 3 else data, then)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()


def test_files_that_hold_anything(in_tmp):
    fuzz(in_tmp, 0, 200)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_files_that_hold_anything(in_tmp, seed):
    fuzz(in_tmp, seed, 5000)
