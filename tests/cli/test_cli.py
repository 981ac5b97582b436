"""The command line: every command, each format in and out, and what goes wrong."""

from __future__ import annotations

import errno
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gaussmix import cli
from gaussmix._files.tables import lines
from gaussmix._rows.sources import tables
from gaussmix.cli import jobs, sample
from gaussmix.cli.describe import describe, describe_at_length
from gaussmix.cli.process import reader_has_gone
from gaussmix.mixture import GaussianMixture, load
from support.families import COVARIANCE_TYPES, LAYOUT_OF

#: In an order in which each may read what an earlier one has written.
COMMANDS = ["fit", "score", "predict", "impute", "sample", "info", "show-config", "demo"]


@pytest.fixture
def in_tmp(tmp_path, monkeypatch, old_faithful):
    """A directory with Old Faithful in every format, and a model of it."""
    monkeypatch.chdir(tmp_path)
    write_csv("data.csv", old_faithful, header="eruptions,waiting")
    np.save("data.npy", old_faithful)
    np.save("data32.npy", old_faithful.astype(np.float32))
    assert cli.main(["fit", "data.csv", "-k", "2", "--tol", "1e-8", "-o", "model.npz"]) == 0
    return tmp_path


@pytest.fixture
def run(in_tmp, run_command):
    """`run_command` in that directory."""
    return run_command


def write_csv(path, rows, header=None):
    lines = [] if header is None else [header]
    lines += [",".join(map(repr, row)) for row in np.asarray(rows).tolist()]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path, columns):
    table = pytest.importorskip("pyarrow").table(columns)
    pytest.importorskip("pyarrow.parquet").write_table(table, path)


def read_csv(path):
    return np.genfromtxt(path, delimiter=",", names=True)


def error_of(result) -> str:
    """The message of a failed command, after checking that it is all there is."""
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("gaussmix: error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.removeprefix("gaussmix: error: ").rstrip("\n")


def process(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "gaussmix", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


# --- fit -----------------------------------------------------------------------------------------


def test_fit_writes_the_model_that_the_class_fits(run, old_faithful):
    options = {
        "covariance_type": "diag",
        "tol": 1e-5,
        "max_iter": 50,
        "n_init": 2,
        "init_params": "k-means++",
        "reg_covar": 1e-4,
    }
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    status, out, err = run(
        "fit", "data.csv", "-k", 3, "-o", "m.npz", "--seed", 7, "--threads", 1, *arguments
    )
    expected = GaussianMixture(3, random_state=7, n_threads=1, **options).fit(old_faithful)
    fitted = load("m.npz")
    assert (status, err) == (0, "")
    assert fitted.get_params() == expected.get_params()
    np.testing.assert_array_equal(fitted.means_, expected.means_)
    np.testing.assert_array_equal(fitted.covariances_, expected.covariances_)
    assert list(fitted.feature_names_in_) == ["eruptions", "waiting"]
    assert f"{expected.bic(old_faithful):,.4f}" in out
    assert f"{expected.aic(old_faithful):,.4f}" in out
    assert f"{expected.score(old_faithful) * 272:,.4f}" in out
    assert out.endswith("wrote m.npz\n")


def test_the_defaults_of_fit_are_those_of_the_class():
    args = cli._parser().parse_args(["fit", "data.csv", "-k", "1", "-o", "m.npz"])
    parameters = inspect.signature(GaussianMixture).parameters
    for name in (
        "covariance_type", "tol", "max_iter", "n_init", "init_params", "reg_covar",
        "variance_floor", "on_collapse",
    ):  # fmt: skip
        assert getattr(args, name) == parameters[name].default


def test_fit_reads_every_format_alike(run, old_faithful):
    write_parquet("data.parquet", dict(zip(["eruptions", "waiting"], old_faithful.T)))
    means = []
    for data in ("data.csv", "data.npy", "data.parquet"):
        assert run("fit", data, "-k", 2, "-o", "m.npz")[0] == 0
        means.append(load("m.npz").means_)
    np.testing.assert_array_equal(means[0], means[1])
    np.testing.assert_array_equal(means[0], means[2])
    assert run("fit", "data32.npy", "-k", 2, "-o", "m.npz")[0] == 0
    assert load("m.npz").means_.dtype == np.float32


def test_fit_of_chosen_columns_with_weights(run, old_faithful):
    weights = np.arange(272) % 3
    table = np.column_stack([weights, old_faithful])
    write_csv("w.csv", table, header="count,eruptions,waiting")
    np.save("w.npy", table)
    repeated = np.repeat(old_faithful, weights, axis=0)
    options = ["-k", 1, "-o", "m.npz"]
    for data, column in (("w.csv", "count"), ("w.npy", "1")):
        status, out, _ = run("fit", data, "--weights", column, *options)
        assert status == 0
        assert "BIC" not in out  # a weighted row is not one observation
        np.testing.assert_allclose(load("m.npz").means_[0], repeated.mean(axis=0), rtol=1e-12)
    assert run("fit", "w.csv", "--columns", "waiting", *options)[0] == 0
    np.testing.assert_allclose(load("m.npz").means_[0], old_faithful[:, 1].mean(), rtol=1e-12)
    assert list(load("m.npz").feature_names_in_) == ["waiting"]
    assert error_of(run("fit", "w.csv", "--weights", "2", "--columns", "2,3", *options)) == (
        "w.csv: column 2 ('eruptions') is given both to --columns and to --weights"
    )
    write_csv("w.csv", [[1, 2], [-1, 3]], header="w,x")
    assert error_of(run("fit", "w.csv", "--weights", "w", *options)) == (
        "w.csv: column 1 ('w'): the weight of data row 2 is negative (-1)"
    )


def test_messages_of_the_library_name_the_columns_of_the_file(run):
    write_csv("c.csv", [[0, 1, 2], [0, 1, 3], [0, 1, 5]], header="id,constant,x")
    options = ["--columns", "x,constant", "-k", 1, "-o", "m.npz"]
    status, _, err = run("fit", "c.csv", *options)
    assert status == 0
    assert err.startswith(
        "gaussmix: warning: c.csv: the table is constant in column 2 ('constant')."
    )
    assert err.count("\n") == 1
    message = error_of(run("fit", "c.csv", "--reg-covar", 0, *options))
    assert message.startswith("c.csv: Fitting the mixture model failed")
    assert "column 2 ('constant')" in message
    # Advice is in the options of the command, not in the parameters of the class.
    assert "choose --reg-covar with it in mind" in err
    assert "The variance there is --reg-covar 1e-06 alone" in err
    assert "raise --reg-covar (now 0; " in message
    np.save("c.npy", np.float32([[0, 1], [0, 2], [0, 4]]))
    message = error_of(run("fit", "c.npy", "-k", 1, "-o", "m.npz", "--reg-covar", 0))
    assert "use --covariance-type diag" in message
    assert "store the columns as float64" in message
    assert not re.search("reg_covar|covariance_type|pass X", message)


def test_a_nameless_first_column_is_pointed_out(run, old_faithful):
    table = np.column_stack([np.arange(272), old_faithful])
    write_csv("index.csv", table, header=",eruptions,waiting")
    options = ["fit", "index.csv", "-k", 1, "-o", "m.npz"]
    status, _, err = run(*options)
    assert status == 0
    assert err.startswith("gaussmix: warning: index.csv: column 1 has no name, ")
    assert err.count("\n") == 1
    assert run(*options, "--columns", "1,2,3")[2] == ""
    assert run(*options, "--weights", "1")[2] == ""


def test_fit_reports_iterations_when_asked(run):
    assert "Initialization 0" in run("fit", "data.csv", "-k", 2, "-o", "m.npz", "-v")[1]


def test_a_fit_that_does_not_converge_says_so(run):
    status, out, err = run(
        "fit", "data.csv", "-k", 4, "-o", "m.npz", "--max-iter", 1, "--tol", 1e-12
    )
    assert status == 0
    assert err.startswith("gaussmix: warning: data.csv: Best performing initialization did not")
    assert "increase --max-iter, --tol," in err
    assert "did not converge after 1 iteration," in out


# --- missing values ------------------------------------------------------------------------------


@pytest.fixture
def holes(run, old_faithful):
    """Old Faithful with missing values in every format, and as an array."""
    X = old_faithful.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    assert np.isnan(X).all(axis=1).sum() == 4
    np.save("holes.npy", X)
    words = iter(["", "NA", "nan", " ", "null"] * len(X))
    lines = [",".join(next(words) if np.isnan(x) else repr(float(x)) for x in row) for row in X]
    Path("holes.csv").write_text("eruptions,waiting\n" + "\n".join(lines) + "\n")
    nulls = [None if np.isnan(x) else x for x in X[:, 0]]
    write_parquet("holes.parquet", {"eruptions": nulls, "waiting": X[:, 1]})
    return X


@pytest.mark.parametrize("data", ["holes.csv", "holes.npy", "holes.parquet"])
def test_missing_values_are_fitted_and_scored(run, holes, data):
    remedy = "or fit with --allow-nan"
    assert error_of(run("fit", data, "-k", 2, "-o", "m.npz")).endswith(remedy)
    status, out, err = run("fit", data, "-k", 2, "-o", "m.npz", "--allow-nan")
    assert status == 0
    assert err == (
        f"gaussmix: warning: {data}: 4 of the 272 rows of the table have no value. Drop them: "
        "they tell nothing, and slow the iterations down.\n"
    )
    with pytest.warns(UserWarning, match="4 of the 272 rows"):
        model = GaussianMixture(2, random_state=0, allow_nan=True).fit(holes)
    np.testing.assert_array_equal(load("m.npz").means_, model.means_)
    assert f"{model.bic(holes):,.4f}" in out
    assert run("score", "m.npz", data, "--labels", "--probabilities", "-o", "s.csv", "-q")[0] == 0
    table = read_csv("s.csv")
    np.testing.assert_array_equal(table["log_density"], model.score_samples(holes))
    np.testing.assert_array_equal(table["label"], model.predict(holes))
    np.testing.assert_array_equal(table["probability_1"], model.predict_proba(holes)[:, 1])
    assert "\nmissing values are allowed\n" in run("info", "m.npz")[1]
    assert json.loads(run("info", "m.npz", "--json")[1])["allow_nan"] is True
    # The model of complete data does not allow them.
    assert error_of(run("predict", "model.npz", data, "-o", "p.csv")).endswith(remedy)


@pytest.mark.parametrize("data", ["holes.csv", "holes.npy", "holes.parquet"])
def test_impute_reads_and_writes_every_format(run, holes, monkeypatch, data):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 60)
    model = load("model.npz")  # it does not allow missing values, and need not
    model.feature_names_in_ = None
    values, std = model.impute(holes, return_std=True)
    names = ("x1", "x2") if data == "holes.npy" else ("eruptions", "waiting")
    if data == "holes.npy":
        model.save("model.npz")
    status, out, err = run("impute", "model.npz", data, "-o", "filled.csv")
    assert (status, out) == (0, "")
    assert re.fullmatch(r"gaussmix: 272 rows in \S+ s \([\d,]+ rows per second\)\n", err)
    table = read_csv("filled.csv")
    assert table.dtype.names == names
    np.testing.assert_array_equal(table.tolist(), values)
    assert run("impute", "model.npz", data, "-o", "filled.npy", "--std", "-q") == (0, "", "")
    array = np.load("filled.npy")
    np.testing.assert_array_equal(array["values"], values)
    np.testing.assert_array_equal(array["std"], std)
    assert run("impute", "model.npz", data, "-o", "filled.parquet", "--std", "-q")[0] == 0
    table = pytest.importorskip("pyarrow.parquet").read_table("filled.parquet")
    assert table.column_names == [*names, *(f"{name}_std" for name in names)]
    np.testing.assert_array_equal(np.column_stack(table.columns), np.hstack([values, std]))


def test_draws_are_those_of_the_class(run, holes, monkeypatch):
    """However the rows are cut into blocks."""
    monkeypatch.setattr(jobs, "MEMORY", 16 * 16 * 3 * 25)  # blocks of 25 rows
    model = load("model.npz")
    model.feature_names_in_ = None
    impute = ["impute", "model.npz", "holes.csv", "--draws", 3, "-q"]
    assert run(*impute, "-o", "draws.csv", "--seed", 5)[0] == 0
    table = read_csv("draws.csv")
    assert table.dtype.names == ("row", "draw", "eruptions", "waiting")
    np.testing.assert_array_equal(table["row"], np.repeat(np.arange(272), 3))
    np.testing.assert_array_equal(table["draw"], np.tile(np.arange(3), 272))
    expected = model.impute(holes, n_draws=3, random_state=5).swapaxes(0, 1)
    found = np.column_stack([table["eruptions"], table["waiting"]]).reshape(272, 3, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert run(*impute, "-o", "draws.npy", "--seed", 6)[0] == 0
    draws = np.load("draws.npy")
    assert draws["values"].shape == (816, 2)
    assert (draws["values"].reshape(272, 3, 2) != found)[np.isnan(holes)[:, 0], :, 0].all()
    message = error_of(run("impute", "model.npz", "holes.csv", "--seed", 5, "-o", "o.csv"))
    assert message.startswith("--seed 5 decides what --draws draws, and there is no --draws.")


def test_names_that_impute_would_write_twice(run, old_faithful):
    write_csv("c.csv", old_faithful, header="a,a_std")
    assert run("fit", "c.csv", "-k", 1, "-o", "m.npz")[0] == 0
    message = error_of(run("impute", "m.npz", "c.csv", "--std", "-o", "o.csv"))
    assert (
        message == "c.csv: a column is named 'a_std', as one that would be added; rename it first"
    )
    assert run("impute", "m.npz", "c.csv", "-o", "o.csv")[0] == 0


def test_a_column_without_values(run, holes):
    write_csv("c.csv", np.column_stack([np.full(272, np.nan), holes]), header="x,a,b")
    status, _, err = run("fit", "c.csv", "-k", 2, "-o", "m.npz", "--allow-nan", "--columns", "a,x")
    assert status == 0
    assert err.startswith(
        "gaussmix: warning: c.csv: the table has no value in column 1 ('x'), where the model has "
        "mean 0 and variance 1"
    )


def test_weights_must_not_be_missing(run, holes):
    message = error_of(
        run("fit", "holes.csv", "-k", 1, "-o", "m.npz", "--allow-nan", "--weights", "waiting")
    )
    row = int(np.flatnonzero(np.isnan(holes[:, 1]))[0]) + 1
    assert message == f"holes.csv: column 2 ('waiting'): the weight of data row {row} is missing"


# --- score and predict ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["data.csv", "data.npy", "data32.npy", "data.parquet"])
def test_score_reads_and_writes_every_format(run, monkeypatch, old_faithful, data):
    write_parquet("data.parquet", dict(zip(["eruptions", "waiting"], old_faithful.T)))
    monkeypatch.setattr(tables, "CHUNK_ROWS", 100)
    model = load("model.npz")
    del model.feature_names_in_
    X = old_faithful.astype(np.float32) if data == "data32.npy" else old_faithful
    density, labels, probability = model.score_samples(X), model.predict(X), model.predict_proba(X)

    for ending in ("csv", "npy", "parquet"):
        output = f"scores.{ending}"
        status, out, err = run(
            "score", "model.npz", data, "--labels", "--probabilities", "-o", output
        )
        assert (status, out) == (0, "")
        assert re.fullmatch(r"gaussmix: 272 rows in \S+ s \([\d,]+ rows per second\)\n", err)

    table = read_csv("scores.csv")
    assert table.dtype.names == ("log_density", "label", "probability_0", "probability_1")
    np.testing.assert_array_equal(table["log_density"].astype(X.dtype), density)
    np.testing.assert_array_equal(table["label"], labels)
    np.testing.assert_array_equal(table["probability_1"].astype(X.dtype), probability[:, 1])

    array = np.load("scores.npy")
    assert array["log_density"].dtype == X.dtype
    np.testing.assert_array_equal(array["log_density"], density)
    np.testing.assert_array_equal(array["label"], labels)
    np.testing.assert_array_equal(array["probability"], probability)

    import pyarrow.parquet

    parquet = pyarrow.parquet.read_table("scores.parquet")
    np.testing.assert_array_equal(parquet["log_density"].to_numpy(), density)
    np.testing.assert_array_equal(parquet["label"].to_numpy(), labels)
    np.testing.assert_array_equal(parquet["probability_0"].to_numpy(), probability[:, 0])


def test_score_alone_is_a_plain_array_and_predict_writes_labels(run, old_faithful):
    model = load("model.npz")
    del model.feature_names_in_
    assert run("score", "model.npz", "data.npy", "-o", "s.npy", "--threads", 1)[0] == 0
    np.testing.assert_array_equal(np.load("s.npy"), model.score_samples(old_faithful))
    assert run("predict", "model.npz", "data.csv", "-o", "s.npy", "-q") == (0, "", "")
    np.testing.assert_array_equal(np.load("s.npy"), model.predict(old_faithful))
    status, out, err = run("predict", "model.npz", "data.csv", "--quiet")
    assert (status, err) == (0, "")
    assert out.split() == ["label", *map(str, model.predict(old_faithful))]


def test_a_model_of_named_columns_finds_them(run, old_faithful):
    moved = np.column_stack([old_faithful[:, 1], np.zeros(272), old_faithful[:, 0]])
    write_csv("moved.csv", moved, header="waiting,other,eruptions")
    assert run("score", "model.npz", "data.csv", "-o", "a.csv")[0] == 0
    assert run("score", "model.npz", "moved.csv", "-o", "b.csv")[0] == 0
    assert Path("a.csv").read_text() == Path("b.csv").read_text()
    assert run("score", "model.npz", "moved.csv", "-o", "c.csv", "--columns", "3,waiting")[0] == 0
    assert Path("a.csv").read_text() == Path("c.csv").read_text()
    write_csv("fewer.csv", moved, header="wait,other,eruptions")
    assert error_of(run("score", "model.npz", "fewer.csv")) == (
        "fewer.csv: no column named 'waiting'; did you mean 'wait'? The columns are wait, other, "
        "eruptions; say with --columns which to read instead"
    )
    np.save("moved.npy", moved)
    assert error_of(run("score", "model.npz", "moved.npy")) == (
        "moved.npy: 3 columns, but the model has 2 (eruptions, waiting); "
        "choose them with --columns"
    )
    assert error_of(run("score", "model.npz", "moved.npy", "--columns", "2")) == (
        "moved.npy: 1 column, but the model has 2 (eruptions, waiting)"
    )


def test_a_model_of_columns_with_the_same_name(run, old_faithful):
    write_csv("same.csv", old_faithful, header="a,a")
    assert run("fit", "same.csv", "-k", 2, "--tol", 1e-8, "-o", "m.npz")[0] == 0
    assert run("score", "m.npz", "same.csv", "-o", "a.csv")[0] == 0
    assert run("score", "model.npz", "data.csv", "-o", "b.csv")[0] == 0
    assert Path("a.csv").read_text() == Path("b.csv").read_text()
    write_csv("more.csv", np.column_stack([old_faithful, old_faithful[:, 0]]), header="a,a,b")
    message = error_of(run("score", "m.npz", "more.csv"))
    assert message.endswith("choose the columns by number, as in --columns 1,2")
    assert run("score", "m.npz", "more.csv", "-o", "c.csv", "--columns", "1,2")[0] == 0
    assert Path("a.csv").read_text() == Path("c.csv").read_text()


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_the_memory_score_needs_does_not_grow_with_the_file(run, monkeypatch, kind):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 2000)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 15)
    rows = np.random.default_rng(0).normal([3, 70], [1, 10], size=(10_000, 2))
    peaks = []
    for copies in (1, 8):
        many = np.tile(rows, (copies, 1))
        if kind == "csv":
            write_csv("many.csv", many)
        else:
            np.save("many.npy", many)
        del many
        tracemalloc.start()
        status = run("score", "model.npz", f"many.{kind}", "--probabilities", "-o", "s.npy")[0]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert status == 0
        assert len(np.load("s.npy", mmap_mode="r")) == 10_000 * copies
    # One column of the longer file takes 640,000 bytes; what is read ahead varies with the timing.
    assert peaks[1] < peaks[0] + 250_000


def test_a_progress_bar_on_a_terminal_only(run, monkeypatch):
    pytest.importorskip("tqdm")
    assert "%" not in run("score", "model.npz", "data.npy", "-o", "s.npy")[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "/272 [" in run("score", "model.npz", "data.npy", "-o", "s.npy")[2]
    assert "%" in run("score", "model.npz", "data.csv", "-o", "s.npy")[2]
    assert run("score", "model.npz", "data.npy", "-o", "s.npy", "-q")[2] == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert "%" not in run("score", "model.npz", "data.npy", "-o", "s.npy")[2]


# --- sample, info, show-config -------------------------------------------------------------------


def test_sample(run, monkeypatch):
    status, out, err = run("sample", "model.npz", "-n", 3, "--seed", 1, "--labels")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "eruptions,waiting,label"
    assert len(out.splitlines()) == 4
    assert run("sample", "model.npz", "-n", 3, "--seed", 1, "--labels")[1] == out
    assert run("sample", "model.npz", "-n", 3, "--seed", 2, "--labels")[1] != out
    assert run("sample", "model.npz", "-n", 3)[1] != run("sample", "model.npz", "-n", 3)[1]

    monkeypatch.setattr(sample, "MAX_BLOCK_ROWS", 3000)
    model = load("model.npz")
    run("sample", "model.npz", "-n", 20_000, "--seed", 1, "--labels", "-o", "s.npy")
    drawn = np.load("s.npy")
    assert drawn["rows"].shape == (20_000, 2)
    assert len(np.unique(drawn["rows"], axis=0)) == 20_000  # no block repeats another
    for k in range(2):
        rows = drawn["rows"][drawn["label"] == k]
        share = len(rows) / 20_000
        assert abs(share - model.weights_[k]) < 4 * np.sqrt(share * (1 - share) / 20_000)
        error = np.sqrt(np.diagonal(model.covariances_[k]) / len(rows))
        assert (np.abs(rows.mean(axis=0) - model.means_[k]) < 4 * error).all()


def test_sample_of_a_model_without_names(run):
    run("fit", "data.npy", "-k", 1, "-o", "m.npz")
    assert run("sample", "m.npz", "-n", 1)[1].startswith("x1,x2\n")


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_info(run, old_faithful, covariance_type):
    run("fit", "data.csv", "-k", 2, "-o", "m.npz", "--covariance-type", covariance_type)
    model = load("m.npz")
    status, out, err = run("info", "m.npz", "--json")
    assert (status, err) == (0, "")
    content = json.loads(out)
    assert content["feature_names"] == ["eruptions", "waiting"]
    assert content["covariance_type"] == covariance_type
    assert content["n_parameters"] == model.n_parameters()
    np.testing.assert_array_equal(content["means"], model.means_)
    np.testing.assert_array_equal(content["covariances"], model.covariances_)

    text = run("info", "m.npz")[1]
    expected = {
        "full": lambda k: model.covariances_[k][1, 1],
        "tied": lambda k: model.covariances_[1, 1],
        "diag": lambda k: model.covariances_[k, 1],
        "spherical": lambda k: model.covariances_[k],
    }[LAYOUT_OF[covariance_type]]
    for k in range(2):
        cell = f"{model.means_[k, 1]:#.5g} ({np.sqrt(expected(k)):#.3g})"
        assert re.search(rf"^ +{k}  {model.weights_[k]:.4f}  \w", text, re.M)
        assert re.search(rf"^ +{k}  .* {re.escape(cell)}$", text, re.M)


def test_info_says_what_marks_each_component(run):
    """By weight; standardised by the moments of the mixture, here variances of 10, 5 and 1."""
    model = GaussianMixture.from_parameters(
        [0.1, 0.5, 0.4],
        [[9.0, 0, 5], [-1, 2, 5], [-1, -2.5, 5]],
        [[1.0, 0.5, 1], [1, 0.5, 1], [1, 0.5, 1]],
        covariance_type="diag",
    )
    model.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
    model.save("m.npz")
    lines = run("info", "m.npz")[1].splitlines()
    first = lines.index("component  weight  stands out by")
    assert lines[first + 1 : first + 4] == [
        "        1  0.5000  b +0.89, a -0.32, c +0.00",
        "        2  0.4000  b -1.12, a -0.32, c +0.00",
        "        0  0.1000  a +2.85, b +0.00, c +0.00",
    ]
    every = next(line for line in lines if line.startswith("      all"))
    assert every.split() == ["all", "0.0000", "(3.16)", "0.0000", "(2.24)", "5.0000", "(1.00)"]


def test_components_that_collapse(run, old_faithful):
    write_csv("twice.csv", [*old_faithful, *[(9.0, 9.0)] * 20], header="eruptions,waiting")
    fit = ["fit", "twice.csv", "-k", 3, "-o", "m.npz", "--reg-covar", 0]
    status, _, err = run(*fit)
    assert status == 2
    assert "raise --variance-floor (now 0" in err
    assert "set --on-collapse drop or --on-collapse reseed" in err

    status, out, err = run(*fit, "--on-collapse", "drop")
    assert status == 0
    assert "warning: twice.csv: Components collapsed: component" in err
    assert "no spread of its own in column 1 (eruptions)" in err or "eruptions" in err
    line = "collapsed in the start with 20 effective rows and was dropped"
    assert line in out
    text = run("info", "m.npz")[1]
    assert line in text
    assert text.startswith("2 components")
    (collapse,) = json.loads(run("info", "m.npz", "--json")[1])["collapses"]
    assert (collapse["action"], collapse["iteration"]) == ("drop", 0)

    status, out, err = run(*fit, "--variance-floor", "1e-4")
    assert (status, err) == (0, "")
    assert load("m.npz").variance_floor == 1e-4
    assert "collapsed" not in out
    assert run(*fit, "--variance-floor", 1)[0] == 2


def test_info_lists_a_few_collapses_and_counts_the_rest():
    model = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
    model.n_iter_ = 9
    collapse = {"component": 2, "action": "reseed", "columns": [], "effective_rows": 0.25}
    model.collapses_ = [{**collapse, "iteration": i} for i in range(1, 9)]
    text = describe(model)
    line = "component 2 collapsed in iteration 5 with 0.25 effective rows and was placed anew"
    assert line in text
    assert "iteration 6" not in text
    assert "3 more collapses: info --json" in text


def test_info_of_a_model_with_many_columns_fits_the_terminal(in_tmp):
    model = GaussianMixture.from_parameters([1.0], np.zeros((1, 300)), np.ones((1, 300)))
    for text, end in (
        (describe(model), "more columns: gaussmix info"),
        (describe_at_length(model), "260 more columns: info --json"),
    ):
        lines = text.splitlines()
        assert max(map(len, lines)) <= 80
        assert lines[-1].endswith(end)
        assert lines[1] == "parameters as given, without an iteration of EM"


@pytest.mark.parametrize(("n_components", "n_features"), [(2, 2), (2, 20), (30, 2), (30, 20)])
def test_info_has_every_component_and_column(n_components, n_features):
    """Each number of the model once, in a table that fits the terminal, beside those of all."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, 1000, (n_components, n_features)).round(2)
    weights = rng.dirichlet(np.ones(n_components))
    model = GaussianMixture.from_parameters(
        weights, means, rng.uniform(1, 9, means.shape), covariance_type="diag"
    )
    model.feature_names_in_ = np.array([f"column_{j}" for j in range(n_features)], dtype=object)
    text = describe_at_length(model)
    assert max(map(len, text.splitlines())) <= 80
    for k in range(n_components):
        for j in range(n_features):
            deviation = np.sqrt(model.covariances_[k, j])
            assert text.count(f"{means[k, j]:#.5g} ({deviation:#.3g})") == 1
    draws, _ = model.sample(200_000)
    cells = re.findall(r"(\S+) \((\S+)\)", "\n".join(re.findall(r"^ +all .*$", text, re.M)))
    assert bool(cells) == ((n_components, n_features) != (2, 20))  # there it is a column
    if cells:
        found = np.array(cells, float)
        np.testing.assert_allclose(found[:, 1], draws.std(axis=0), rtol=0.02)
        np.testing.assert_allclose(found[:, 0], draws.mean(axis=0), atol=10)
    order = re.findall(r"^ +(\d+)  0\.\d{4}  \w", text, re.M)
    assert order == [str(k) for k in np.argsort(-weights)]


def test_show_config_and_version(run):
    import gaussmix

    status, out, _ = run("show-config")
    assert status == 0
    assert f"gaussmix {gaussmix.__version__}" in out
    assert run("--version") == (0, f"gaussmix {gaussmix.__version__}\n", "")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_the_terminal(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = run(*command.split(), "--help")
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80


# --- demo ----------------------------------------------------------------------------------------


def test_help_begins_with_a_command_that_runs(run, old_faithful, holes):
    """In this order, as `fit` makes the model that the others read."""
    write_csv("new.csv", old_faithful, header="eruptions,waiting")
    for command in COMMANDS:
        status, out, _ = run(command, "--help")
        assert status == 0
        example = re.match(rf"example: gaussmix ({command}\b.*)\n\nusage: ", out)
        assert run(*example[1].split())[0] == 0, example[0]


def test_demo_shows_the_main_job_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gaussmix", "demo"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=True,
    )
    assert os.listdir(tmp_path) == []
    # mclust's log-likelihoods for one and two components, and its BIC with the sign turned.
    assert "1        -1289.797    2607.623\n" in done.stdout
    assert "2        -1130.264    2322.192   <- lowest\n" in done.stdout
    assert "$ gaussmix fit old_faithful.csv -k 2 --n-init 10 -o model.npz\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_what_demo_prints_can_be_repeated(run, monkeypatch):
    status, out, _ = run("demo", "folder")
    assert status == 0
    assert sorted(os.listdir("folder")) == ["model.npz", "old_faithful.csv", "out.csv"]
    monkeypatch.chdir("folder")
    expected = Path("out.csv").read_text()
    os.unlink("out.csv")
    commands = re.findall(r"^\$ gaussmix (.*)$", out, re.M)
    assert [run(*command.split())[0] for command in commands] == [0, 0]
    assert Path("out.csv").read_text() == expected

    script = out.split("The same in Python\n")[1].split("The files are in")[0]
    names = {}
    exec("\n".join(line.strip() for line in script.splitlines()), names)
    scores = read_csv("out.csv")
    np.testing.assert_array_equal(names["log_density"], scores["log_density"])
    np.testing.assert_array_equal(names["labels"], scores["label"])


@pytest.mark.parametrize("name", ["model.npz", "old_faithful.csv", "out.csv"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_demo_overwrites_nothing(run, symlink, name, kind):
    os.mkdir("folder")
    if kind == "file":
        Path("folder", name).write_text("mine")
    else:
        symlink("../elsewhere", f"folder/{name}")
    path = os.path.join("folder", name)
    message = f"{path}: exists already; give the demo another directory"
    assert error_of(run("demo", "folder")) == message
    assert os.listdir("folder") == [name]
    assert not os.path.exists("elsewhere")
    assert kind == "link" or Path(path).read_text() == "mine"


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["fit", "score", "predict"])
def test_a_bad_value_is_one_line_and_leaves_the_output_as_it_was(run, in_tmp, command):
    Path("bad.csv").write_text("eruptions,waiting\n" + "3.6,79\n" * 300 + "1.8,x\n")
    arguments = {"fit": ["bad.csv", "-k", 2]}.get(command, ["model.npz", "bad.csv"])
    output = "out.npz" if command == "fit" else "out.csv"
    Path(output).write_text("old")
    before = sorted(os.listdir())
    message = error_of(run(command, *arguments, "-o", output))
    start, advice = message.split(" is not a number; ")
    assert start == "bad.csv: row 302, column 2 ('waiting'): 'x'"
    # A model has no choice of columns that messages could advise.
    assert advice == {
        "fit": "correct the row, or choose the columns of numbers: --columns eruptions"
    }.get(command, "choose the numeric columns with --columns, or correct the row")
    assert Path(output).read_text() == "old"
    assert sorted(os.listdir()) == before


def test_an_error_after_blocks_have_been_written_leaves_the_output_as_it_was(run, monkeypatch):
    monkeypatch.setattr(tables, "CHUNK_ROWS", 10)
    values = np.load("data.npy")
    values[200, 1] = np.nan
    np.save("bad.npy", values)
    Path("out.npy").write_text("old")
    before = sorted(os.listdir())
    message = error_of(run("score", "model.npz", "bad.npy", "-o", "out.npy"))
    assert message == (
        "bad.npy: row 201, column 2: missing value (NaN); leave the row out or fill it in, "
        "choose other columns with --columns, or fit with --allow-nan"
    )
    assert Path("out.npy").read_text() == "old"
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fit none.csv -k 2 -o m.npz", "none.csv: No such file or directory"),
        ("fit data.csv -k 2 -o none/m.npz", "none/m.npz: the directory none does not exist"),
        ("fit data.csv -k 2 -o -", "-: a model cannot be written to standard output; "),
        ("fit data.csv -k 2 -o data.csv", "data.csv: is also the input; "),
        ("fit data.csv -k 999 -o m.npz", "data.csv: Expected n_samples >= n_components "),
        ("fit data.csv -k 0 -o m.npz", "argument -k/--components: must be a whole number of at "),
        ("fit data.csv -k 2 -o m.npz --tol nan", "argument --tol: must be a number of at least 0"),
        ("fit data.csv -k 2 -o m.npz --columns a,,b", "argument --columns: must be columns "),
        ("fit data.csv -k 2 -o m.npz --columns x", "data.csv: no column named 'x'; "),
        ("fit data.csv -k 2", "the following arguments are required: -o/--output"),
        ("score none.npz data.csv", "none.npz: No such file or directory"),
        ("score data.csv model.npz", "data.csv: "),
        ("score model.npz data.csv -o s.txt", "s.txt: the name of the output must end in "),
        ("score model.npz data.csv -o data.csv", "data.csv: is also the input; "),
        ("score model.npz data.csv -o .", f"{os.path.join('.', 'data.csv')}: is also an input; "),
        ("fit data.csv -k 2 -o m.pkl", "m.pkl: the name of a model file must end in .npz"),
        (
            "fit data.csv -k 2 -o m.npz --memory 9",
            "argument --memory: must be a size of at least ",
        ),
        ("fit . -k 2 -o m.npz --memory 1XB", "argument --memory: must be a size of at least "),
        ("fit no*.csv -k 2 -o m.npz", "no*.csv: no file matches the pattern"),
        ("fit data.csv - -k 2 -o m.npz", "-: can be read only once, as a pipe; give it alone"),
        ("score model.npz data.csv data.npy", "2 files of DATA have an output each; give a "),
        ("score model.npz data.csv -o s.csv --format npy", "s.csv: the name of an output file "),
        ("score model.npz header.csv -o s.csv", "header.csv: the file has no rows of data"),
        ("sample model.npz -n 0", "argument -n/--rows: must be a whole number of at least 1"),
        (
            "sample model.npz -n 1 --seed 4294967296",
            "argument --seed: must be a whole number from 0 to 4294967295, not '4294967296'",
        ),
        ("sample data.npy -n 1", "data.npy: "),
        ("info data.csv", "data.csv: "),
        ("fly", "argument COMMAND: invalid choice: 'fly'"),
        ("", "the following arguments are required: COMMAND"),
    ],
)
def test_errors_are_one_line_with_status_2(run, arguments, message):
    Path("header.csv").write_text("eruptions,waiting\n")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    assert error_of(run(*arguments.split())).startswith(message)
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "", "-k", "1", "-o", "m.npz"],
        ["fit", "data.csv", "-k", "1", "-o", ""],
        ["score", "model.npz", ""],
        ["score", "model.npz", "data.csv", "-o", ""],
        ["info", ""],
    ],
)
def test_an_empty_name_is_quoted(run, arguments):
    assert error_of(run(*arguments)).startswith("'': ")


def test_only_seeds_are_limited():
    arguments = ["sample", "model.npz", "-n", "5000000000"]
    assert cli._parser().parse_args(arguments).rows == 5_000_000_000


def test_a_parquet_file_without_pyarrow(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("t.parquet").write_bytes(b"PAR1")
    assert error_of(run("fit", "t.parquet", "-k", 1, "-o", "m.npz")) == (
        "t.parquet: Parquet files need pyarrow; install it with: pip install 'gaussmix[parquet]'"
    )


# --- as a process --------------------------------------------------------------------------------


def test_a_pipeline_of_processes(in_tmp):
    with open("data.csv", "rb") as data:
        scored = process("score", "model.npz", "-", "--labels", stdin=data)
        out, err = scored.communicate(timeout=60)
    assert scored.returncode == 0
    assert out.count(b"\n") == 273
    assert err.startswith(b"gaussmix: 272 rows in ")
    failed = process("score", "model.npz", "none.csv", text=True)
    assert failed.communicate(timeout=60) == (
        "",
        "gaussmix: error: none.csv: No such file or directory\n",
    )
    assert failed.returncode == 2


def shell(command, **environment):
    """Run a shell command, ``gaussmix`` standing for the program."""
    return subprocess.run(
        ["sh", "-c", f'gaussmix() {{ "{sys.executable}" -m gaussmix "$@"; }}; {command}'],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("gaussmix score model.npz data.csv >&-", 2, b"-: standard output is closed"),
        ("gaussmix info model.npz >&-", 2, b"-: standard output is closed"),
        ("gaussmix show-config >&-", 2, b"-: standard output is closed"),
        ("gaussmix score model.npz - <&-", 2, b"-: standard input is closed"),
        ("gaussmix fit data.csv -k 2 -o m.npz >&-", 0, None),
        ("gaussmix predict model.npz data.csv -q -o s.csv <&- >&-", 0, None),
        ("gaussmix fly 2>&-", 2, None),
        ("gaussmix score model.npz none.csv 2>&-", 2, None),
    ],
)
def test_closed_standard_streams(in_tmp, command, status, message):
    done = shell(command)
    error = b"" if message is None else b"gaussmix: error: " + message + b"\n"
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", error)


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_scores_are_whole_with_standard_error_closed(in_tmp):
    expected = shell("gaussmix score model.npz data.csv -q").stdout
    assert expected.count(b"\n") == 273
    for options in ("", "-o s.csv"):
        done = shell(f"gaussmix score model.npz data.csv {options} 2>&-")
        assert done.returncode == 0
        assert (Path("s.csv").read_bytes() if options else done.stdout) == expected


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_names_that_the_terminal_cannot_show(in_tmp, old_faithful):
    write_csv("names.csv", old_faithful, header="a,température")
    done = shell("gaussmix fit names.csv -k 1 -o m.npz", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"temp\xe9rature" in done.stdout
    assert done.stdout.endswith(b"wrote m.npz\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipes_in_and_out(in_tmp):
    """What a shell makes of ``gaussmix score model.npz <(zcat data.csv.gz) -o >(gzip ...)``."""
    os.mkfifo("in")
    os.mkfifo("out")
    scored = process("score", "model.npz", "in", "-o", "out", "-q")
    Path("in").write_bytes(Path("data.csv").read_bytes())
    assert Path("out").read_bytes().count(b"\n") == 273
    assert scored.communicate(timeout=60) == (b"", b"")
    assert scored.returncode == 0


def test_a_reader_that_goes_away(in_tmp):
    np.save("many.npy", np.tile(np.load("data.npy"), (2000, 1)))
    scored = process("score", "model.npz", "many.npy")
    assert scored.stdout.readline() == b"log_density\n"
    scored.stdout.close()
    assert scored.stderr.read() == b""
    scored.stderr.close()
    assert scored.wait(timeout=60) == 141


def test_what_windows_calls_a_pipe_without_a_reader(monkeypatch):
    nameless, named = (OSError(errno.EINVAL, "Invalid argument", name) for name in (None, "f"))
    assert not reader_has_gone(nameless)
    monkeypatch.setattr(sys, "platform", "win32")
    assert reader_has_gone(nameless)
    assert not reader_has_gone(named)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and pipes")
@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGINT, 130, b"gaussmix: interrupted\n"), (signal.SIGTERM, 143, b"")],
)
def test_an_interrupted_score_leaves_the_output_as_it_was(in_tmp, number, status, message):
    Path("out.csv").write_text("old")
    before = sorted(os.listdir())
    # Input that never ends: the command is surely at work when the signal comes.
    scored = process("score", "model.npz", "-", "-o", "out.csv", stdin=subprocess.PIPE)
    scored.stdin.write(b"3.6,79\n" * 2_000_000)
    scored.stdin.flush()
    deadline = time.monotonic() + 60
    while sorted(os.listdir()) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir()) == len(before) + 1  # the unfinished output
    scored.send_signal(number)
    assert scored.wait(timeout=60) == status
    assert scored.stderr.read() == message
    for pipe in (scored.stdin, scored.stdout, scored.stderr):
        pipe.close()
    assert sorted(os.listdir()) == before
    assert Path("out.csv").read_text() == "old"


# --- README and docs/command-line.md -------------------------------------------------------------

README = Path(__file__).parents[2] / "README.md"
PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.mark.filterwarnings("ignore:Components collapsed")
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S):
        exec(block, names)
    assert names["model"].converged_
    assert len(names["labels"]) == len(names["X"])


def test_the_table_of_the_page_has_every_option(run):
    table = PAGE.read_text("utf-8").split("## Options by what they are for")[1]
    listed = set(re.findall(r"`(-[\w-]+)`", table))
    options = set()
    for command in ("fit", "score", "predict", "impute", "sample", "info"):
        described = run(command, "--help")[1].split("options:\n")[1].split("\n\n")[0]
        for short, long in re.findall(r"^  (?:(-\w), )?(--[\w-]+)", described, re.M):
            options.add(short or long)
    assert listed == options - {"-h"}


def test_the_commands_at_the_head_of_the_page_run(run, old_faithful, holes):
    write_csv("new.csv", old_faithful, header="eruptions,waiting")
    np.save("new.npy", old_faithful)
    write_parquet("new.parquet", dict(zip(["eruptions", "waiting"], old_faithful.T)))
    os.mkdir("parts")
    write_parquet("parts/a.parquet", dict(zip(["eruptions", "waiting"], old_faithful.T)))
    head = re.search(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)[1]
    commands = re.findall(r"^gaussmix (.*?)(?: +#.*)?$", head, re.M)
    assert len(commands) == 13
    for command in commands:
        assert run(*command.split())[0] == 0, command
