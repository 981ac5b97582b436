"""What somebody may mistype or mistake at the command line: each is one line that says what is
wrong and what to do, with exit status 2, and leaves no file behind.
"""

from __future__ import annotations

import gzip
import os
import shlex
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gaussmix import GaussianMixture

FLIGHTS = """\
year,carrier,dep_delay,temp,dewp
2013,UA,2,39.02,28.04
2013,AA,4,39.92,24.98
2013,B6,-1,39.02,26.96
"""


def flights_in_parquet(path):
    arrow = pytest.importorskip("pyarrow")
    columns = [line.split(",") for line in FLIGHTS.split()]
    values = {name: list(values) for name, *values in zip(*columns)}
    for name in values.keys() - {"carrier"}:
        values[name] = [float(value) for value in values[name]]
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(values), path)


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("flights.csv", FLIGHTS)


def model_of_two_columns(path):
    model = GaussianMixture.from_parameters(
        [0.5, 0.5], [[2.0, 54.0], [4.0, 80.0]], [np.eye(2)] * 2
    )
    model.feature_names_in_ = np.array(["eruptions", "waiting"], dtype=object)
    model.save(path)


#: How the files are made that the mistakes are made with.
FILES = {
    "data.csv": "eruptions,waiting\n3.6,79\n1.8,54\n3.3,74\n",
    "flights.csv": FLIGHTS,
    "flights.csv.gz": lambda path: Path(path).write_bytes(gzip.compress(FLIGHTS.encode())),
    "cut.csv.gz": lambda path: Path(path).write_bytes(gzip.compress(FLIGHTS.encode())[:40]),
    "rows.npy.gz": lambda path: Path(path).write_bytes(gzip.compress(b"\x93NUMPY\x01\x00")),
    "flights.parquet": flights_in_parquet,
    "flights.zip": zipped,
    "holes.csv": "eruptions,waiting\n3.6,79\n1.8,NA\n-999,74\n",
    "semicolons.csv": "a;b\n1,5;2\n2,5;4\n",
    "headless.csv": "3.6,79\n1.8,54\n3.3,74\n",
    "rows.npy": lambda path: np.save(path, np.eye(3)),
    "cube.npy": lambda path: np.save(path, np.zeros((2, 2, 2))),
    "empty.csv": "",
    "header.csv": "eruptions,waiting\n",
    "notes.txt": "Some notes\n",
    "model.npz": model_of_two_columns,
}


class Mistake(NamedTuple):
    """A command, the files that it needs, and what its error says: what is wrong, what to do."""

    command: str
    files: str
    wrong: str
    remedy: str


FIT = "-k 1 -o m.npz"

MISTAKES = [
    # Commands and options
    Mistake("fti data.csv", "data.csv", "invalid choice: 'fti'", "did you mean fit?"),
    Mistake("scor model.npz data.csv", "", "invalid choice: 'scor'", "did you mean score?"),
    Mistake("show_config", "", "invalid choice: 'show_config'", "did you mean show-config?"),
    Mistake("", "", "required: COMMAND", "see gaussmix --help"),
    Mistake(f"fit data.csv {FIT} --ninit 3", "data.csv", "--ninit", "did you mean --n-init?"),
    Mistake(f"fit data.csv {FIT} --n_init 3", "data.csv", "--n_init", "did you mean --n-init?"),
    Mistake("fit data.csv --component 2 -o m.npz", "data.csv", "--component", "--components?"),
    Mistake("fit data.csv --n-components 2 -o m.npz", "data.csv", "--n-comp", "--components?"),
    Mistake("fit data.csv -K 2 -o m.npz", "data.csv", "unrecognized arguments: -K", "mean -k?"),
    Mistake(f"fit data.csv {FIT} --random-state 1", "", "--random-state", "did you mean --seed?"),
    Mistake(f"fit data.csv {FIT} --colums a", "data.csv", "--colums", "did you mean --columns?"),
    Mistake(f"fit data.csv {FIT} --labels", "data.csv", "--labels", "see gaussmix fit --help"),
    Mistake(
        f"fit --columns 1 data.csv {FIT} more.csv",
        "data.csv",
        "unrecognized arguments: more.csv (",
        "see gaussmix fit --help",
    ),
    Mistake("score model.npz data.csv --label", "", "--label", "did you mean --labels?"),
    Mistake(
        f"fit data.csv {FIT} --covariance-type diagonal", "", "'diagonal'", "did you mean diag?"
    ),
    Mistake(f"fit data.csv {FIT} --init-params kmean", "", "'kmean'", "did you mean kmeans?"),
    Mistake("fit data.csv -k two -o m.npz", "", "not 'two'", "a whole number of at least 1"),
    Mistake("fit data.csv -k 2.5 -o m.npz", "", "not '2.5'", "a whole number of at least 1"),
    Mistake("fit data.csv -k 2", "data.csv", "required: -o/--output", "see gaussmix fit --help"),
    Mistake(f"fit {FIT}", "", "required: DATA", "see gaussmix fit --help"),
    Mistake(f"fit data.csv {FIT} --memory 500", "", "not '500'", "as 256MB or 2GiB"),
    Mistake(f"fit data.csv {FIT} --variance-floor 2", "", "not '2'", "a fraction below 1"),
    Mistake(f"fit data.csv {FIT} --tol -0.1", "", "--tol", "a number of at least 0"),
    Mistake(f"fit holes.csv {FIT} --na-values -999,x", "", "--na-values", "--na-values='-999,x'"),
    # Columns
    Mistake(
        f"fit flights.csv {FIT} --columns temp dewp", "", "arguments: dewp", "--columns temp,dewp"
    ),
    Mistake(
        f"fit --columns temp dewp {FIT} flights.csv",
        "flights.csv",
        "arguments: flights.csv",
        "--columns temp,dewp",
    ),
    Mistake(
        f"fit --columns temp dewp flights.csv {FIT}",
        "flights.csv",
        "dewp: No such file",
        "--columns temp,dewp",
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns temp, dewp", "", "not 'temp,'", "--columns temp,dewp"
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns tmep,dewp",
        "flights.csv",
        "no column named 'tmep'",
        "did you mean 'temp'? The columns are year, carrier, ",
    ),
    Mistake(
        f"fit flights.csv {FIT} --exclude Carier",
        "flights.csv",
        "no column named 'Carier'",
        "did you mean 'carrier'?",
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns 6", "flights.csv", "no column 6", "the columns are year"
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns 0", "flights.csv", "no column 0", "the columns are year"
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns dewp:temp",
        "flights.csv",
        "'dewp:temp' ends before it begins",
        "write temp:dewp",
    ),
    Mistake(
        f"fit flights.csv {FIT} --columns 'wind*'",
        "flights.csv",
        "no column that matches 'wind*'",
        "the columns are year",
    ),
    Mistake(
        f"fit headless.csv {FIT} --columns 'x*'",
        "headless.csv",
        "no column that matches 'x*'",
        "columns 1 to 2 and no header",
    ),
    Mistake(
        f"fit data.csv {FIT} --exclude '*'", "data.csv", "--exclude '*' leaves no", "name fewer"
    ),
    Mistake(
        f"fit data.csv {FIT} --columns waiting,2",
        "data.csv",
        "('waiting') is chosen twice",
        "name it once",
    ),
    Mistake(
        f"fit data.csv {FIT} --weights wating", "data.csv", "'wating'", "did you mean 'waiting'?"
    ),
    Mistake(
        "score model.npz data.csv --exclude waiting",
        "model.npz data.csv",
        "('waiting') is one that the model needs",
        "leave it out of --exclude",
    ),
    # What the columns hold
    Mistake(
        f"fit flights.csv {FIT}",
        "flights.csv",
        "column 2 ('carrier'): 'UA' is not a number",
        "--columns year,dep_delay,temp,dewp",
    ),
    Mistake(
        f"fit flights.csv.gz {FIT} --exclude year --weights temp",
        "flights.csv.gz",
        "column 2 ('carrier'): 'UA' is not a number",
        "--columns dep_delay,dewp",
    ),
    Mistake(
        f"fit flights.parquet {FIT}",
        "flights.parquet",
        "column 2 ('carrier'): holds string",
        "--columns year,dep_delay,temp,dewp",
    ),
    Mistake(f"fit semicolons.csv {FIT}", "semicolons.csv", "'1,5'", "decimal commas"),
    Mistake(f"fit semicolons.csv {FIT} --delimiter ,", "semicolons.csv", "row 2", "--delimiter"),
    Mistake(f"fit data.csv {FIT} --delimiter ab", "data.csv", "delimiter 'ab'", "one character"),
    Mistake(
        f"fit data.csv {FIT} --header no",
        "data.csv",
        "'eruptions' is not a number",
        "out --header no",
    ),
    Mistake(f"fit holes.csv {FIT}", "holes.csv", "row 3, column 2 ('waiting')", "--allow-nan"),
    Mistake(
        f"fit holes.csv {FIT} --na-values=-999 --exclude waiting",
        "holes.csv",
        "missing value ('-999')",
        "--allow-nan",
    ),
    Mistake(
        f"fit rows.npy {FIT} --na-values=-999 --allow-nan",
        "rows.npy",
        "--na-values is for CSV",
        "write such values",
    ),
    Mistake("fit data.csv -k 9 -o m.npz", "data.csv", "n_components = 9", "Use fewer components"),
    # Files
    Mistake(f"fit dta.csv {FIT}", "data.csv", "dta.csv: No such file", "did you mean data.csv?"),
    Mistake(f"fit 'data/*.csv' {FIT}", "", "data/*.csv", "no file matches the pattern"),
    Mistake(f"fit empty.csv {FIT}", "empty.csv", "empty.csv", "the file is empty"),
    Mistake(f"fit header.csv {FIT}", "header.csv", "header.csv", "no rows of data"),
    Mistake(f"fit cube.npy {FIT}", "cube.npy", "(2, 2, 2)", "a table needs rows and columns"),
    Mistake(f"fit flights.zip {FIT}", "flights.zip", "a zip file", "also as .csv.gz"),
    Mistake(f"fit cut.csv.gz {FIT}", "cut.csv.gz", "cut.csv.gz", "damaged or cut off"),
    Mistake(f"fit rows.npy.gz {FIT}", "rows.npy.gz", "holds .npy data under gzip", "decompress"),
    Mistake(f"fit model.npz {FIT}", "model.npz", "a zip file, as models are", "give CSV"),
    Mistake("fit data.csv -k 1 -o m.pkl", "data.csv", "m.pkl", "must end in .npz"),
    Mistake("fit data.csv -k 1 -o data.csv", "data.csv", "is also the input", "another name"),
    Mistake(
        "fit data.csv -k 1 -o models/m.npz", "data.csv", "models does not exist", "make it first"
    ),
    # The model
    Mistake(
        "score data.csv model.npz",
        "data.csv model.npz",
        "data.csv: is not a model file (those come from model.save or gaussmix fit).",
        "The model comes first: gaussmix score MODEL DATA.",
    ),
    Mistake(
        "impute data.csv model.npz",
        "data.csv model.npz",
        "data.csv: is not a model file",
        "The model comes first: gaussmix impute MODEL DATA.",
    ),
    Mistake("score data.csv", "data.csv", "required: DATA", "gaussmix score MODEL DATA"),
    Mistake("info data.csv", "data.csv", "data.csv: is not a model", "model.save or gaussmix fit"),
    Mistake("info flights.zip", "flights.zip", "'flights.csv'", "model.save or gaussmix fit"),
    Mistake("sample notes.txt -n 3", "notes.txt", "notes.txt: is not a model", "gaussmix fit"),
    Mistake("sample model.npz", "model.npz", "required: -n/--rows", "see gaussmix sample --help"),
    Mistake(
        "score model.npz flights.csv",
        "model.npz flights.csv",
        "no columns named 'eruptions', 'waiting'",
        "say with --columns which to read instead",
    ),
    Mistake(
        "score model.npz rows.npy",
        "model.npz rows.npy",
        "3 columns, but the model has 2 (eruptions, waiting)",
        "choose them with --columns",
    ),
    # Outputs
    Mistake(
        "score model.npz data.csv -o outdir",
        "model.npz data.csv",
        "outdir",
        "must end in .csv, .npy or .parquet, or end with / for a directory",
    ),
    Mistake(
        "score model.npz data.csv -o s.csv.gz",
        "model.npz data.csv",
        "s.csv.gz",
        "-o - | gzip",
    ),
    Mistake("sample model.npz -n 3 -o rows.txt", "model.npz", "rows.txt", "must end in .csv, "),
    Mistake(
        "score model.npz data.csv headless.csv",
        "model.npz data.csv headless.csv",
        "2 files of DATA",
        f"give a directory, -o DIRECTORY{os.sep}",
    ),
    Mistake(
        "impute model.npz data.csv --std --draws 2",
        "",
        "--draws: not allowed with argument --std",
        "see gaussmix impute --help",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.command)
def test_a_mistake_is_one_line_with_its_remedy(mistake, run_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in mistake.files.split():
        make = FILES[name]
        if isinstance(make, str):
            Path(name).write_text(make, encoding="utf-8")
        else:
            make(name)
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    status, out, err = run_command(*shlex.split(mistake.command))
    assert (status, out) == (2, "")
    assert err.startswith("gaussmix: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert mistake.wrong in err
    assert mistake.remedy in err
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before
