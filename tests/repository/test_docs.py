"""The pages under docs say what is so."""

from __future__ import annotations

import ast
import csv
import inspect
import re
import types
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

import gaussmix
import gaussmix.plotting
import gaussmix.sources
from gaussmix import GaussianMixture
from gaussmix._runtime import threads
from support.paths import ROOT
from support.rows import NAMES, two_clusters

PAGE = ROOT / "docs" / "bad-input.md"


# --- the examples of docs/bad-input.md -----------------------------------------------------------


blobs = partial(two_clusters, widest=1.0)


def spoilt(place, value):
    X = blobs()
    X[place] = value
    return X


def constant_column():
    return spoilt((slice(None), 1), 0.5)


def copied_column(n=60):
    X = blobs(n)
    return np.hstack([X, X[:, :1]])


@cache
def model():
    return GaussianMixture(2, random_state=0).fit(blobs())


def frame(names):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(blobs()[:, : len(names)], columns=names)


def masked():
    X = np.ma.array(blobs())
    X[3, 1] = np.ma.masked
    return X


def missing():
    pandas = pytest.importorskip("pandas")
    table = frame(NAMES).astype("Float64")
    table.loc[8, "width"] = pandas.NA
    return table


def sparse():
    return pytest.importorskip("scipy.sparse").csr_array(blobs())


def refuse_thread():
    threads._refusal_reported = False
    threads._report_refusal()


def damaged_file():
    model().save("model.npz")
    contents = bytearray(Path("model.npz").read_bytes())
    contents[400] ^= 1
    Path("model.npz").write_bytes(contents)
    return "model.npz"


def directory():
    Path("models").mkdir()
    return "models"


def fit(X, sample_weight=None, **settings):
    return GaussianMixture(**{"n_components": 2, "random_state": 0} | settings).fit(
        X, sample_weight=sample_weight
    )


#: Row of the table to calls that fail or warn, with the messages on the page, in that order. They
#: run in an empty directory. Rows that are not here quote no message.
EXAMPLES = {
    1: [lambda: model().predict(spoilt((17, 2), np.nan))],
    2: [lambda: model().predict(spoilt((30, 1), np.inf))],
    3: [lambda: fit(np.empty((0, 3))), lambda: fit(np.empty((12, 0)))],
    4: [lambda: fit(np.arange(5.0)), lambda: fit(np.zeros((4, 3, 2)))],
    5: [lambda: model().predict(blobs(d=4))],
    6: [lambda: fit(frame(NAMES)).predict(frame(["width", "length", "height"]))],
    7: [lambda: fit(blobs(6), n_components=7)],
    8: [lambda: fit(blobs(), n_components=2.5)],
    9: [lambda: GaussianMixture().predict(blobs())],
    10: [lambda: fit(sparse())],
    11: [lambda: fit(blobs() + 1j), lambda: fit(np.array([["1", "a"], ["2", "b"]]))],
    13: [lambda: fit(missing())],
    14: [lambda: fit(masked())],
    18: [lambda: fit(constant_column()), lambda: fit(constant_column(), reg_covar=0)],
    19: [lambda: fit(np.ones((40, 3)), n_components=3)],
    20: [lambda: fit(np.repeat(blobs(2), 20, axis=0), n_components=5)],
    21: [lambda: fit(blobs(1), n_components=1)],
    22: [lambda: fit(copied_column(), reg_covar=0)],
    23: [lambda: fit(blobs(20, 30), reg_covar=0)],
    25: [lambda: fit(spoilt(11, 1e200))],
    26: [lambda: fit(blobs() * np.array([1.0, 1e-4, 1.0]))],
    28: [lambda: fit(blobs() * 1e-310, reg_covar=0)],
    29: [
        lambda: fit(blobs(), np.r_[-1.0, np.ones(59)]),
        lambda: fit(blobs(), np.r_[np.ones(59), np.nan]),
        lambda: fit(blobs(), np.zeros(60)),
        lambda: fit(blobs(), np.ones(59)),
    ],
    30: [
        lambda: fit(blobs(), weights_init=[0.5, 0.6]),
        lambda: fit(blobs(), means_init=np.zeros((2, 2))),
        lambda: fit(
            blobs(), covariance_type="tied", precisions_init=2 * np.ones((3, 3)) - np.eye(3)
        ),
    ],
    31: [
        lambda: GaussianMixture.from_parameters(
            np.full(1000, 1e-3), np.zeros((1000, 1)), np.ones((1000, 1, 1))
        ).predict_proba(np.broadcast_to(np.zeros(1), (10**9, 1)))
    ],
    36: [refuse_thread],
    37: [lambda: threads._own_thread_variable("abc")],
    38: [lambda: gaussmix.load(damaged_file())],
    39: [lambda: model().save(directory())],
}


def message_of(example):
    """What a call says: "class: message" of its exception, or else of its warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            example()
        except (ValueError, TypeError, MemoryError, OSError) as error:
            said = error
        else:
            said = caught[0].message
    return " ".join(f"{type(said).__name__}: {said}".split())


# --- the page itself -----------------------------------------------------------------------------


def table():
    """Number of a row to its cells: the fault, what happens."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert len({number for number, *_ in cells}) == len(cells)
    return {int(number): rest for number, *rest in cells}


def functions_in(file):
    (path,) = (ROOT / "tests").glob(f"*/{file}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def quoted(text):
    """The messages in a cell, with "…" where something is left out."""
    return re.findall(r"`(\w+(?:Error|Warning): [^`]*)`", text)


def test_bad_input_has_all_forty_rows():
    assert list(table()) == list(range(1, 41))
    assert all(len(cells) == 2 and all(cells) for cells in table().values())


def test_every_row_of_bad_input_is_held_by_tests():
    known, held = cache(functions_in), set()
    with (ROOT / "tests" / "robustness" / "bad_input.csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            assert line["test"] in known(line["file"]), line
            held.add(int(line["row"]))
    assert held == set(table())


@pytest.mark.parametrize("row", EXAMPLES)
def test_bad_input_quotes_what_is_said(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages = [message_of(example) for example in EXAMPLES[row]]
    quotes = quoted(table()[row][1])
    assert len(quotes) == len(messages)
    for quote, message in zip(quotes, messages):
        pattern = ".*".join(re.escape(part.strip()) for part in quote.split("…"))
        assert re.fullmatch(pattern, message), message


def test_bad_input_quotes_nothing_unproved():
    assert {row for row, (_, what) in table().items() if quoted(what)} == set(EXAMPLES)


# --- docs/api ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "cls"),
    [
        ("mixture", gaussmix.GaussianMixture),
        ("imputer", gaussmix.GaussianMixtureImputer),
        ("regressor", gaussmix.GaussianMixtureRegressor),
        ("statistics", gaussmix.SufficientStatistics),
    ],
)
def test_every_public_method_stands_in_a_group_of_its_class(page, cls):
    text = (ROOT / "docs" / "api" / f"{page}.md").read_text(encoding="utf-8")
    described = re.findall(rf"auto(?:method|attribute):: {cls.__name__}\.(\w+)", text)
    in_tables = re.findall(rf"^   {cls.__name__}\.(\w+)$", text, flags=re.MULTILINE)
    assert described == in_tables
    assert len(set(described)) == len(described)
    fields = {*inspect.signature(cls).parameters, *getattr(cls, "__slots__", ())}
    public = {
        name
        for name in dir(cls)
        if not name.startswith("_") and not name.endswith("_") and name not in fields
    }
    assert set(described) == public


@pytest.mark.parametrize("module", ["sources", "plotting", ""])
def test_every_public_name_is_on_the_pages_of_the_reference(module):
    package = getattr(gaussmix, module) if module else gaussmix
    text = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "api").glob("*.md"))
    )
    described = set(re.findall(r"auto(?:class|function|exception):: (\w+)", text))
    assert {
        name
        for name in package.__all__
        if callable(getattr(package, name))
        and not isinstance(getattr(package, name), types.UnionType)
    } <= described | {"Chunk", "RowsLike"}
