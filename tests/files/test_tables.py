"""Reading and writing tables: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gaussmix._files.errors import TableError
from gaussmix._files.tables import lines, writers
from gaussmix._files.tables.csv import CsvTable
from gaussmix._files.tables.opening import open_table
from gaussmix._files.tables.parquet import import_pyarrow
from gaussmix._files.tables.writers import Field
from gaussmix._rows.sources.tables import Tables

FLOAT = np.dtype(np.float64)

# The ends of messages about a value: what to do.
LEAVE = "; leave the row out or fill it in, or choose other columns with --columns"
FILL = (
    "; leave the row out or fill it in, choose other columns with --columns, or fit with "
    "--allow-nan"
)
FIELDS = "; correct the row, or say with --delimiter what separates the fields"
CHOOSE = "; choose the numeric columns with --columns, or correct the row"


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """A directory of its own, so that file names in messages are short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path, *, wanted=None, **options):
    """All rows of a file, or those columns of it."""
    options = {"header": "auto", "delimiter": "auto", "memory": 1 << 30} | options
    with Tables([str(path)], **options) as tables:
        table = tables.first
        tables.choose(
            list(range(table.n_columns)) if wanted is None else table.columns.chosen(wanted)
        )
        return tables.load()[0]


def rows_of(table, columns):
    return np.concatenate(list(table.blocks(columns, 3)))


def refusal(path, *, wanted=None, **options) -> str:
    with pytest.raises(TableError) as caught:
        read(path, wanted=wanted, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_text(text, name="t.csv", encoding="utf-8"):
    with open(name, "w", newline="", encoding=encoding) as file:
        file.write(text)
    return name


# --- CSV: what it looks like ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("1,2\n3,4", None, [[1, 2], [3, 4]]),
        ("a;b\n1;2\n", ("a", "b"), [[1, 2]]),
        ("a\tb\n1\t2\n", ("a", "b"), [[1, 2]]),
        ("a|b\n1|2\n", ("a", "b"), [[1, 2]]),
        ("  1.5   2\n 3 4e-3 \n", None, [[1.5, 2], [3, 0.004]]),
        ("x\n1\n2\n", ("x",), [[1], [2]]),
        ("waiting time\n79\n54\n", ("waiting time",), [[79], [54]]),
        ("a,b\r\n1,2\r\n3,4\r\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("a,b\r1,2\r3,4", ("a", "b"), [[1, 2], [3, 4]]),
        ('"a, first","b ""q"""\n"1",2\n3,"4"\n', ("a, first", 'b "q"'), [[1, 2], [3, 4]]),
        ("\n\na,b\n1,2\n\n3,4\n\n\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("x\n1\n2\n\n\n", ("x",), [[1], [2]]),
        (" a , b \n 1 , 2 \n", ("a", "b"), [[1, 2]]),
        ("# a,b\n1,2\n", ("a", "b"), [[1, 2]]),  # as numpy.savetxt writes
        ("# a b\n1 2\n", ("a", "b"), [[1, 2]]),
        ("# 1,2\n3,4\n", ("1", "2"), [[3, 4]]),
        ("#,a\n1,2\n", ("#", "a"), [[1, 2]]),
        ("-1e-320,+.5\n1E3,007.\n", None, [[-1e-320, 0.5], [1000, 7]]),
    ],
)
def test_csv_header_delimiter_and_quotes_are_detected(in_tmp, text, names, rows):
    with open_table(write_text(text)) as table:
        assert table.names == names
        np.testing.assert_array_equal(rows_of(table, range(table.n_columns)), rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_encodings(in_tmp, encoding):
    name = write_text("größe,b\n1,2\n", encoding=encoding)
    with open_table(name) as table:
        assert table.names == ("größe", "b")
        np.testing.assert_array_equal(rows_of(table, [0, 1]), [[1, 2]])


def test_csv_header_and_delimiter_can_be_given(in_tmp):
    numeric_names = write_text("id,2019,2020\n1,2,3\n")
    assert refusal(numeric_names) == (
        "t.csv: cannot tell whether the first row is a header, it holds both numbers and text "
        "('id'); say --header yes or --header no"
    )
    np.testing.assert_array_equal(read(numeric_names, header="yes", wanted=["2020"]), [[3]])
    labelled = write_text("u,1.5\nv,2.5\n")
    np.testing.assert_array_equal(read(labelled, wanted=["2"]), [[1.5], [2.5]])
    np.testing.assert_array_equal(read(write_text("1~2\n"), delimiter="~"), [[1, 2]])
    np.testing.assert_array_equal(read(write_text("1;2\n"), delimiter="semicolon"), [[1, 2]])
    assert "the delimiter '\"' cannot be used" in refusal(labelled, delimiter='"')


def test_a_first_row_with_a_missing_value_is_data_not_a_header(in_tmp):
    assert (
        refusal(write_text("NA,2\n3,4\n")) == "t.csv: row 1, column 1: missing value ('NA')" + FILL
    )
    assert refusal(write_text(",2\n3,4\n")) == "t.csv: row 1, column 1: the field is empty" + FILL


def test_columns_by_name_and_number(in_tmp):
    name = write_text("a,3,b,b\n1,2,3,4\n", name="n.csv")
    options = {"header": "yes"}
    np.testing.assert_array_equal(read(name, wanted=["4", "a"], **options), [[4, 1]])
    np.testing.assert_array_equal(read(name, wanted=["3"], **options), [[2]])  # the name first
    assert refusal(name, wanted=["x", "9"], **options) == (
        "n.csv: no columns named 'x', '9'; the columns are a, 3, b, b"
    )
    assert refusal(name, wanted=["b"], **options) == (
        "n.csv: 2 columns are named 'b'; give the column's number instead"
    )
    assert (
        refusal(name, wanted=["a", "1"], **options)
        == "n.csv: column 1 ('a') is chosen twice; name it once"
    )
    assert refusal(write_text("1,2\n"), wanted=["3"]) == (
        "t.csv: no column 3; the file has columns 1 to 2 and no header"
    )


def test_columns_found_by_the_names_of_a_model(in_tmp):
    with open_table(write_text("a,b,a\n1,2,3\n")) as table:
        assert table.resolve_names(["a", "b", "a"]) == [0, 1, 2]
        assert table.resolve_names(["b"]) == [1]
        for wanted in (["a", "b"], ["b", "b"]):
            with pytest.raises(TableError) as caught:
                table.resolve_names(wanted)
            repeated = "a" if "a" in wanted else "b"
            assert str(caught.value) == (
                f"t.csv: more than one column is named {repeated!r}, in the file or in the model; "
                f"choose the columns by number, as in --columns 1,2"
            )


# --- CSV: missing values -------------------------------------------------------------------------

NAN = np.nan


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,\n,NA\n nan ,2\n", [[1, NAN], [NAN, NAN], [NAN, 2]]),
        ("a,b\n1,N/A\nNone,#n/a\n?,.\n", [[1, NAN], [NAN, NAN], [NAN, NAN]]),
        ("NA,2\n3,-nan\n", [[NAN, 2], [3, NAN]]),
        ("a\tb\n1\t\n \t2\n", [[1, NAN], [NAN, 2]]),
        ("a b\n1 NA\nnull 2\n", [[1, NAN], [NAN, 2]]),
        ("x;y\n1.5; \n;\n\n", [[1.5, NAN], [NAN, NAN]]),
        ('a,b\n"",1\n"NA",2\n', [[NAN, 1], [NAN, 2]]),
        ("a,b\n\n1,\n\n2,3\n\n", [[1, NAN], [2, 3]]),  # an empty line is no row
        ("x\n1\n\n2\nNA\n", [[1], [NAN], [2], [NAN]]),  # but in a single column
    ],
)
def test_missing_values_of_csv(in_tmp, text, rows):
    name = write_text(text)
    np.testing.assert_array_equal(read(name, allow_nan=True), rows)
    last = str(len(rows[0]))
    np.testing.assert_array_equal(
        read(name, wanted=[last], allow_nan=True), np.array(rows)[:, -1:]
    )


def test_missing_values_are_read_quickly(in_tmp, monkeypatch):
    """Blocks without quotes never go through the fields one by one."""
    monkeypatch.setattr(CsvTable, "_parse_carefully", None)
    text = "a,b,c\n" + "1,,NA\nnan, ,2\n" * 50
    rows = [[1, NAN, NAN], [NAN, NAN, 2]] * 50
    np.testing.assert_array_equal(read(write_text(text), allow_nan=True), rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,\n3,inf\n", "row 3, column 2 ('b'): 'inf' is infinite or too large" + LEAVE),
        ("a,b\n1,\n3,x\n", "row 3, column 2 ('b'): 'x' is not a number" + CHOOSE),
        ("a,b\n1,\n3,NAN A\n", "row 3, column 2 ('b'): 'NAN A' is not a number" + CHOOSE),
        ("a,b\n1,\n3\n", "row 3: 1 field, expected 2 as in the first row" + FIELDS),
    ],
)
def test_what_is_no_missing_value(in_tmp, text, message):
    assert refusal(write_text(text), allow_nan=True) == f"t.csv: {message}"


# --- CSV: what is wrong with it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,\n", "row 3, column 2 ('b'): the field is empty" + FILL),
        ("a,b\n1,2\n3,x\n", "row 3, column 2 ('b'): 'x' is not a number" + CHOOSE),
        ("a,b\n1,2\nnan,4\n", "row 3, column 1 ('a'): missing value ('nan')" + FILL),
        ("a,b\n1,2\nN/A,4\n", "row 3, column 1 ('a'): missing value ('N/A')" + FILL),
        ("a,b\n1,2\n3,-inf\n", "row 3, column 2 ('b'): '-inf' is infinite or too large" + LEAVE),
        (
            "a,b\n1,2\n3,1e999\n",
            "row 3, column 2 ('b'): '1e999' is infinite or too large" + LEAVE,
        ),
        ("a,b\n1,2\n3,1_000\n", "row 3, column 2 ('b'): '1_000' is not a number" + CHOOSE),
        (
            "a;b\n1;2\n3;4,5\n",
            "row 3, column 2 ('b'): '4,5' is not a number; decimal commas are not supported",
        ),
        (
            "1,5;2,5\n3,5;4,5\n",
            (
                "row 1, column 2: '5;2' is not a number; "
                "if another character separates the fields, give it with --delimiter"
            ),
        ),
        ("a,b\n1,2\n3\n", "row 3: 1 field, expected 2 as in the first row" + FIELDS),
        ("a,b\n1,2\n3,4,5\n", "row 3: 3 fields, expected 2 as in the first row" + FIELDS),
        ("a,b\n\n1,2\n\n\n,\n", "row 6, column 1 ('a'): the field is empty" + FILL),
        ("x\n1\n\n2\n", "row 3, column 1 ('x'): the field is empty" + FILL),
        ('a,b\n"1\n",2\n"x\n",2\n', "row 4, column 1 ('a'): 'x' is not a number" + CHOOSE),
        ("a b\n1 2\n3 4 5\n", "row 3: 3 fields, expected 2 as in the first row" + FIELDS),
        ("1,2\n3,4\0\n", "row 2: the file is binary, not a table of text"),
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "the file has no rows of data"),
    ],
)
def test_csv_errors_name_row_and_column(in_tmp, text, message):
    assert refusal(write_text(text)) == f"t.csv: {message}"


def test_a_row_of_other_length_is_an_error_for_chosen_columns_too(in_tmp):
    # One field too many and one too few: the total is right, and the chosen column exists.
    text = "id,a,b\nu,1,2,3\nv,4\n"
    message = "t.csv: row 2: 4 fields, expected 3 as in the first row" + FIELDS
    assert refusal(write_text(text), wanted=["a"]) == message


def test_text_that_is_not_utf8(in_tmp):
    name = write_text("a,b\n1,2\n3,\xe9\n", encoding="latin-1")
    assert refusal(name) == "t.csv: row 3: the text is not UTF-8; convert the file first"


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_do_not_change_what_is_read(in_tmp, monkeypatch, block):
    """Rows, quoted line breaks, empty lines and errors that fall on the ends of blocks."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", block)
    rows = [f'{i},"note {i}, with\na line break and ""quotes""",{i * 0.5!r}' for i in range(50)]
    text = "a,note,b\r\n" + "\r\n".join(rows[:30]) + "\n\n\n" + "\n".join(rows[30:])
    expected = [[i * 0.5, i] for i in range(50)]
    np.testing.assert_array_equal(read(write_text(text), wanted=["b", "a"]), expected)
    message = refusal(write_text(text + "\nx,,1\n"), wanted=["b", "a"])
    # The header, 50 records of two lines, two empty lines.
    assert message == "t.csv: row 104, column 1 ('a'): 'x' is not a number" + CHOOSE
    accents = write_text("é,ü\n" + "1,2\n" * 40)
    np.testing.assert_array_equal(read(accents, wanted=["ü"]), [[2.0]] * 40)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(in_tmp, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 12)
    name = write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * (1 << 19))
    assert refusal(name) == (
        "t.csv: row 3: a field has more than 131,072 characters; a quote may be missing"
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=arrays(
        np.float64,
        st.tuples(st.integers(1, 30), st.integers(1, 4)),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    block=st.integers(1, 400),
)
def test_numbers_written_as_csv_read_back_equal(tmp_path, values, block):
    path = tmp_path / "t.csv"
    names = tuple(f"x{j}" for j in range(values.shape[1]))
    with writers.writing(str(path), [Field("x", FLOAT, names)]) as writer:
        writer.write(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        np.testing.assert_array_equal(read(path), values)
        # The careful reader, which takes text with quotes, gives the same bits as NumPy's.
        header, rows = path.read_text().split("\n", 1)
        path.write_text(header + ',"note"\n' + rows.replace("\n", ',"-"\n'))
        np.testing.assert_array_equal(read(path, wanted=names), values)


# --- .npy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_read_a_block_at_a_time(in_tmp, order):
    values = np.arange(12.0).reshape(4, 3)
    np.save("t.npy", np.asarray(values, order=order))
    with open_table("t.npy") as table:
        np.testing.assert_array_equal(rows_of(table, [0, 1, 2]), values)
        np.testing.assert_array_equal(rows_of(table, [2, 0]), values[:, [2, 0]])
        blocks = list(table.blocks([0, 1, 2], 3))
    assert [len(block) for block in blocks] == [3, 1]
    # A file that is mapped would stay in memory as long as there is room.
    assert order == "F" or not any(isinstance(block, np.memmap) for block in blocks)


def test_npy_that_becomes_shorter_while_it_is_read(in_tmp):
    np.save("t.npy", np.zeros((100, 2)))
    with open_table("t.npy") as table:
        os.truncate("t.npy", 1000)
        with pytest.raises(TableError, match=r"t.npy: the file became shorter while it was read"):
            rows_of(table, [0, 1])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.float32([[1, 2]]), np.float32),
        (np.array([[1, 2]], ">f4"), np.float32),
        (np.array([[1, 2]], ">f8"), np.float64),
        (np.int32([[1, 2]]), np.float64),
        (np.float16([[1, 2]]), np.float64),
        (np.array([[True, False]]), np.float64),
    ],
)
def test_npy_precision(in_tmp, values, dtype):
    np.save("t.npy", values)
    with open_table("t.npy") as table:
        assert table.dtype([0, 1]) == dtype
        np.testing.assert_array_equal(rows_of(table, [0, 1]), values)


def test_npy_of_one_dimension_is_one_column(in_tmp):
    np.save("t.npy", np.arange(3.0))
    np.testing.assert_array_equal(read("t.npy"), [[0], [1], [2]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2], [3, np.nan]], "row 2, column 2: missing value (NaN)" + FILL),
        ([[1, 2], [-np.inf, 4]], "row 2, column 1: infinite value" + LEAVE),
        (np.ones((2, 2), complex), "the array has dtype complex128; a table needs real numbers"),
        (
            np.ones((2, 2, 2)),
            "the array has shape (2, 2, 2); a table needs rows and columns",
        ),
        (
            np.ones((2, 0)),
            "the array has shape (2, 0); a table needs rows and columns",
        ),
        (np.ones((0, 2)), "the file has no rows of data"),
        (np.array([["u"]]), "the array has dtype <U1; a table needs real numbers"),
    ],
)
def test_npy_errors(in_tmp, values, message):
    np.save("t.npy", values)
    assert refusal("t.npy") == f"t.npy: {message}"


def test_npy_with_pickled_objects_is_not_loaded(in_tmp):
    np.save("t.npy", np.array([[{}]], object), allow_pickle=True)
    assert refusal("t.npy") == "t.npy: the array has dtype object; a table needs real numbers"


@pytest.mark.parametrize(
    ("text", "damaged"),
    [
        (b"'shape': (4, 2)", b"'shape': (4, 02"),  # SyntaxError
        (b"'shape': (4, 2), }", b"'shape': (4, 2),  "),  # TokenError
        (b"'shape': (4, 2)", b"'shape': (4,-2)"),
        (b"'<f8'", b"'<q9'"),
    ],
)
def test_a_damaged_npy_header(in_tmp, text, damaged):
    np.save("t.npy", np.ones((4, 2)))
    content = Path("t.npy").read_bytes()
    assert text in content
    Path("t.npy").write_bytes(content.replace(text, damaged))
    assert refusal("t.npy").startswith("t.npy: not a readable .npy file: ")


@pytest.mark.parametrize("length", [4, 8, 40, 130])
def test_a_npy_file_that_was_cut(in_tmp, length):
    np.save("t.npy", np.ones((4, 2)))
    Path("t.npy").write_bytes(Path("t.npy").read_bytes()[:length])
    message = refusal("t.npy")
    assert message.startswith("t.npy: not a readable .npy file: ")
    assert "pickle" not in message


def test_large_finite_values_are_not_taken_for_infinite(in_tmp):
    np.save("t.npy", np.full((2, 2), 1e308))
    np.testing.assert_array_equal(read("t.npy"), np.full((2, 2), 1e308))


def test_zip_files_are_refused(in_tmp):
    np.savez("t.npz", x=np.ones(3))
    assert "this is a zip file" in refusal("t.npz")


# --- Parquet -------------------------------------------------------------------------------------


@pytest.fixture
def parquet(in_tmp):
    pyarrow = pytest.importorskip("pyarrow")
    write = pytest.importorskip("pyarrow.parquet").write_table
    return pyarrow, lambda columns, **options: write(
        pyarrow.table(columns), "t.parquet", **options
    )


def test_parquet_columns_of_many_types(parquet):
    pyarrow, write = parquet
    write(
        {
            "id": ["u", "v", "w"],
            "i": pyarrow.array([1, 2, 3], pyarrow.int8()),
            "f": pyarrow.array([0.5, 1.5, 2.5], pyarrow.float32()),
            "b": [True, False, True],
        },
        row_group_size=2,
    )
    with open_table("t.parquet") as table:
        assert table.names == ("id", "i", "f", "b")
        assert table.n_rows == 3
        columns = table.columns.chosen(["b", "f", "i"])
        np.testing.assert_array_equal(
            rows_of(table, columns), [[1, 0.5, 1], [0, 1.5, 2], [1, 2.5, 3]]
        )
        assert table.dtype([2]) == np.float32
        assert table.dtype(columns) == np.float64
        assert sum(len(block) for block in table.blocks([2], 2)) == 3
    assert refusal("t.parquet") == (
        "t.parquet: column 1 ('id'): holds string, not numbers; "
        "choose the numeric columns with --columns"
    )


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "missing value (null)" + FILL),
        (np.nan, "missing value (NaN)" + FILL),
        (np.inf, "infinite value" + LEAVE),
    ],
)
def test_parquet_missing_values(parquet, value, what):
    _, write = parquet
    write({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, value]}, row_group_size=2)
    assert refusal("t.parquet") == f"t.parquet: row 3, column 2 ('b'): {what}"


def test_parquet_missing_values_that_are_allowed(parquet):
    pa, write = parquet
    columns = {"a": [1, None, 3], "b": [None, 2.0, NAN], "c": pa.nulls(3)}
    write(columns | {"d": [True, None, False]}, row_group_size=2)
    expected = [[1, NAN, NAN, 1], [NAN, 2, NAN, NAN], [3, NAN, NAN, 0]]
    np.testing.assert_array_equal(read("t.parquet", allow_nan=True), expected)
    assert "holds null, not numbers" in refusal("t.parquet", wanted=["c"])
    write({"a": [None, np.inf]})
    assert refusal("t.parquet", allow_nan=True).endswith("infinite value" + LEAVE)


def test_a_damaged_parquet_file(in_tmp):
    Path("t.parquet").write_bytes(b"PAR1" + bytes(100))
    pytest.importorskip("pyarrow")
    assert refusal("t.parquet").startswith("t.parquet: not a readable Parquet file: ")


def test_a_parquet_file_with_a_repeated_name_is_refused(parquet):
    pyarrow, _ = parquet
    table = pyarrow.table([[1.0], [2.0], [3.0]], names=["a", "b", "a"])
    pyarrow.parquet.write_table(table, "t.parquet")
    message = (
        "t.parquet: 2 columns are named 'a'; Parquet columns are read by name, so write the file "
        "with distinct names"
    )
    assert refusal("t.parquet") == message
    assert refusal("t.parquet", wanted=["b"]) == message


def test_a_parquet_file_without_columns(parquet):
    _, write = parquet
    write({})
    assert refusal("t.parquet") == "t.parquet: the file has no columns"


def test_parquet_without_pyarrow(in_tmp, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("t.parquet").write_bytes(b"PAR1" + bytes(100))
    message = "Parquet files need pyarrow; install it with: pip install 'gaussmix[parquet]'"
    assert refusal("t.parquet") == f"t.parquet: {message}"
    with pytest.raises(TableError), writers.writing("o.parquet", [Field("x", FLOAT)]):
        pytest.fail("the output was opened")
    assert os.listdir() == ["t.parquet"]


def test_an_unsafe_pyarrow_is_refused(in_tmp, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    monkeypatch.setattr(pyarrow, "__version__", "14.0.0")
    with pytest.raises(TableError, match=r"need pyarrow 14\.0\.1 or newer, not 14\.0\.0"):
        import_pyarrow("t.parquet")


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [[], [1], [3, 2], [9999, 1, 1]])
def test_npy_of_unknown_length(in_tmp, blocks):
    parts = [np.random.default_rng(n).normal(size=(n, 2)) for n in blocks]
    with writers.writing("t.npy", [Field("x", FLOAT, ("a", "b"))]) as writer:
        for part in parts:
            writer.write(part)
    result = np.load("t.npy", allow_pickle=False)
    np.testing.assert_array_equal(result, np.concatenate([np.empty((0, 2)), *parts]))
    assert result.dtype == FLOAT
    assert np.load("t.npy", mmap_mode="r").offset % 64 == 0


def test_several_fields_in_each_format(in_tmp):
    pytest.importorskip("pyarrow")
    fields = [
        Field("log_density", np.dtype(np.float32)),
        Field("label", np.dtype(np.intp)),
        Field("probability", FLOAT, ("probability_0", "probability_1")),
    ]
    density = np.float32([-0.1, -np.inf, 1e-30])
    labels = np.array([0, 1, 1])
    probability = np.array([[0.1, 0.9], [1 / 3, 2 / 3], [1e-300, 1.0]])
    for ending in ("csv", "npy", "parquet"):
        with writers.writing(f"t.{ending}", fields) as writer:
            writer.write(density[:2], labels[:2], probability[:2])
            writer.write(density[2:], labels[2:], probability[2:])

    lines = Path("t.csv").read_text().splitlines()
    assert lines[0] == "log_density,label,probability_0,probability_1"
    cells = [line.split(",") for line in lines[1:]]
    np.testing.assert_array_equal(np.float32([c[0] for c in cells]), density)
    assert [c[1] for c in cells] == ["0", "1", "1"]
    np.testing.assert_array_equal(np.array([c[2:] for c in cells], float), probability)

    structured = np.load("t.npy", allow_pickle=False)
    np.testing.assert_array_equal(structured["log_density"], density)
    np.testing.assert_array_equal(structured["label"], labels)
    np.testing.assert_array_equal(structured["probability"], probability)

    import pyarrow.parquet

    table = pyarrow.parquet.read_table("t.parquet")
    assert table.column_names == lines[0].split(",")
    np.testing.assert_array_equal(table["log_density"].to_numpy(), density)
    np.testing.assert_array_equal(table["probability_1"].to_numpy(), probability[:, 1])


@pytest.mark.parametrize("ending", ["csv", "npy", "parquet"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_output_that_fails_leaves_everything_as_it_was(in_tmp, ending, error):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    Path(f"t.{ending}").write_text("old")

    def write_and_fail():
        with writers.writing(f"t.{ending}", [Field("x", FLOAT)]) as writer:
            writer.write(np.ones(10))
            assert len(os.listdir()) == 2
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert os.listdir() == [f"t.{ending}"]
    assert Path(f"t.{ending}").read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_replaced_file_keeps_its_permissions_and_a_new_one_follows_the_umask(in_tmp):
    Path("old.csv").write_text("old")
    os.chmod("old.csv", 0o640)
    previous = os.umask(0o027)
    try:
        for name in ("old.csv", "new.csv"):
            with writers.writing(name, [Field("x", FLOAT)]) as writer:
                writer.write(np.ones(1))
    finally:
        os.umask(previous)
    assert [os.stat(name).st_mode & 0o777 for name in ("old.csv", "new.csv")] == [0o640, 0o640]


def test_a_device_is_written_into_and_not_replaced(in_tmp):
    with writers.writing(os.devnull, [Field("x", FLOAT)]) as writer:
        writer.write(np.ones(1))
    assert not os.path.isfile(os.devnull)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "folder: is a directory; give the name of a file"),
        ("none/t.csv", "none/t.csv: the directory none does not exist; make it first"),
        ("link.csv", "link.csv: is a symbolic link; give the name of the file itself"),
        ("broken.csv", "broken.csv: is a symbolic link; give the name of the file itself"),
        ("", "'': the name of the output is empty; give the name of a file"),
        ("./in.csv", "./in.csv: is also the input; give the output another name"),
    ],
)
def test_outputs_that_are_refused(in_tmp, request, path, message):
    os.mkdir("folder")
    Path("in.csv").write_text("1\n")
    if "symbolic link" in message:
        symlink = request.getfixturevalue("symlink")
        symlink("in.csv", "link.csv")
        symlink("nowhere", "broken.csv")
    with pytest.raises(TableError) as caught:
        writers.check_output(path, inputs=["in.csv"])
    assert str(caught.value) == message


@pytest.mark.parametrize("path", ["scores", "scores.txt", "scores.npz"])
def test_an_output_of_unknown_format(in_tmp, path):
    with pytest.raises(TableError, match=r"must end in \.csv, \.npy or \.parquet"):
        writers.output_format(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX file limits")
def test_a_full_disk(in_tmp):
    import resource

    Path("t.npy").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with (
            pytest.raises(TableError, match=r"^t\.npy: cannot be written: File too large$"),
            writers.writing("t.npy", [Field("x", FLOAT)]) as writer,
        ):
            writer.write(np.ones(1 << 16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir() == ["t.npy"]
    assert Path("t.npy").read_text() == "old"


def test_standard_input(in_tmp, monkeypatch):
    class Input:
        buffer = open(write_text("a,b\n1,2\n3,4\n"), "rb")  # noqa: SIM115, closed below

    monkeypatch.setattr(sys, "stdin", Input)
    np.testing.assert_array_equal(read("-"), [[1, 2], [3, 4]])
    assert not Input.buffer.closed
    Input.buffer.close()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x93NUMPY\x01\x00", ".npy data cannot be read from a pipe or standard input; "),
        (b"PAR1\x15", "Parquet data cannot be read from a pipe or standard input; "),
        (b"\x1f\x8b\x08", "gzip data cannot be read from a pipe or standard input; "),
        (b"PK\x03\x04", "this is a zip file, as models are, and not a table; "),
    ],
)
def test_other_formats_on_standard_input(in_tmp, monkeypatch, start, message):
    Path("start").write_bytes(start)

    class Input:
        buffer = open("start", "rb")  # noqa: SIM115, closed below

    monkeypatch.setattr(sys, "stdin", Input)
    assert refusal("-").startswith(f"-: {message}")
    Input.buffer.close()


def test_closed_standard_streams(in_tmp, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    assert refusal("-") == "-: standard input is closed"
    np.testing.assert_array_equal(read(write_text("1,2\n")), [[1, 2]])
    with (
        pytest.raises(TableError, match=r"^-: standard output is closed$"),
        writers.writing("-", [Field("x", FLOAT)]),
    ):
        pytest.fail("the output was opened")
