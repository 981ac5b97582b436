"""What somebody may mistype or mistake in Python: the error has the type that a caller expects,
and names the argument, the value and what to do. Each entry is a call and these three.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix.exceptions import InvalidParameterError, ModelFileError, NotFittedError
from gaussmix.imputation import GaussianMixtureImputer
from gaussmix.sources import ArrowSource, ChunkSource, CsvSource, NpySource, ParquetSource
from support.assertions import nothing_lost
from support.rows import NAMES, changed, two_clusters


class Case(NamedTuple):
    """What the calls are made with: rows, models of them, and modules that need not be there."""

    X: np.ndarray
    model: GaussianMixture
    named: GaussianMixture
    folder: Path

    def table(self, **columns):
        """A data frame with the rows' columns and others, or some replaced."""
        pandas = pytest.importorskip("pandas")
        return pandas.DataFrame(dict(zip(NAMES, self.X.T)) | columns)

    def parquet(self, **columns):
        """The same as a Parquet file."""
        arrow = pytest.importorskip("pyarrow")
        path = self.folder / "rows.parquet"
        table = arrow.table(dict(zip(NAMES, self.X.T)) | columns)
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
        return path

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    @property
    def plotting(self):
        pytest.importorskip("matplotlib")
        from gaussmix import plotting

        return plotting


@pytest.fixture(scope="module")
def models():
    X = two_clusters()
    model = GaussianMixture(2, random_state=0).fit(X)
    named = GaussianMixture(2, random_state=0).fit(X)
    named.feature_names_in_ = np.array(NAMES, dtype=object)
    return X, model, named


class Mistake(NamedTuple):
    """A call, its error, and what the message says: which argument, which value, what to do."""

    call: Callable[[Case], Any]
    error: type[Exception]
    argument: str
    value: str
    remedy: str


def fit(**params):
    """A fit with these parameters of the constructor."""
    return lambda case: GaussianMixture(**params).fit(case.X)


PARAMETERS = [
    Mistake(fit(n_components=0), InvalidParameterError, "'n_components'", "Got 0", "[1, inf)"),
    Mistake(fit(n_components="3"), InvalidParameterError, "'n_components'", "'3'", "an int in"),
    Mistake(fit(n_components=2.0), InvalidParameterError, "'n_components'", "2.0", "an int in"),
    Mistake(fit(n_components=True), InvalidParameterError, "'n_components'", "True", "an int in"),
    Mistake(fit(n_components=None), InvalidParameterError, "'n_components'", "None", "an int in"),
    Mistake(
        fit(n_components=[1, 2, 3]),
        InvalidParameterError,
        "'n_components'",
        "[1, 2, 3]",
        "Fit one model for each K; see Choosing components.",
    ),
    Mistake(
        fit(n_components=range(1, 4)),
        InvalidParameterError,
        "'n_components'",
        "range(1, 4)",
        "Fit one model for each K; see Choosing components.",
    ),
    Mistake(fit(n_components=99), ValueError, "n_components = 99", "= 60", "Use fewer components"),
    Mistake(
        fit(covariance_type="diagonal"),
        InvalidParameterError,
        "'covariance_type'",
        "'diagonal'",
        "Did you mean 'diag'?",
    ),
    Mistake(
        fit(covariance_type="Full"),
        InvalidParameterError,
        "'covariance_type'",
        "'Full'",
        "Did you mean 'full'?",
    ),
    Mistake(
        fit(init_params="k-means"),
        InvalidParameterError,
        "'init_params'",
        "'k-means'",
        "Did you mean 'kmeans'?",
    ),
    Mistake(
        fit(on_collapse="ignore"), InvalidParameterError, "'on_collapse'", "'ignore'", "'drop'"
    ),
    Mistake(
        fit(acceleration="squarm"),
        InvalidParameterError,
        "'acceleration'",
        "'squarm'",
        "Did you mean 'squarem'?",
    ),
    Mistake(fit(tol=-1e-3), InvalidParameterError, "'tol'", "-0.001", "[0.0, inf)"),
    Mistake(fit(tol="1e-3"), InvalidParameterError, "'tol'", "'1e-3'", "a float in the range"),
    Mistake(fit(max_iter=1e3), InvalidParameterError, "'max_iter'", "1000.0", "an int in the"),
    Mistake(fit(n_init=0), InvalidParameterError, "'n_init'", "Got 0", "[1, inf)"),
    Mistake(fit(reg_covar=np.nan), InvalidParameterError, "'reg_covar'", "nan", "[0.0, inf)"),
    Mistake(fit(variance_floor=2), InvalidParameterError, "'variance_floor'", "2", "[0.0, 1.0)"),
    Mistake(fit(random_state="seed"), InvalidParameterError, "'random_state'", "'seed'", "an int"),
    Mistake(fit(n_threads=0), InvalidParameterError, "'n_threads'", "Got 0", "or None"),
    Mistake(fit(allow_nan="yes"), InvalidParameterError, "'allow_nan'", "'yes'", "'bool'"),
    Mistake(fit(forgetting=1), InvalidParameterError, "'forgetting'", "Got 1", "(0.0, 1.0)"),
    Mistake(
        fit(n_components=2, means_init=[[0.0, 0.0], [1.0, 1.0]]),
        ValueError,
        "'means_init'",
        "(2, 2)",
        "should have the shape of (2, 3)",
    ),
    Mistake(
        fit(n_components=2, weights_init=[0.5, 0.6]),
        ValueError,
        "'weights_init'",
        "1.1",
        "Divide it by its sum.",
    ),
    Mistake(
        lambda case: GaussianMixture().set_params(n_component=2),
        ValueError,
        "'n_component'",
        "GaussianMixture",
        "Did you mean 'n_components'?",
    ),
    Mistake(
        lambda case: GaussianMixture.from_parameters([0.5, 0.5], [1.0, 2.0], [1.0, 1.0]),
        ValueError,
        "'means'",
        "(2,)",
        "the shape of (n_components, n_features)",
    ),
    Mistake(
        lambda case: GaussianMixture.from_parameters([0.5, 0.6], [[1.0], [2.0]], [[1.0], [1.0]]),
        ValueError,
        "'weights'",
        "1.1",
        "Divide it by its sum.",
    ),
]

ROWS = [
    Mistake(
        lambda case: case.model.predict(case.X[0]), ValueError, "2D array", "1D", "reshape(1, -1)"
    ),
    Mistake(
        lambda case: case.model.fit(case.X[:, 0]), ValueError, "2D array", "1D", "reshape(-1, 1)"
    ),
    Mistake(
        lambda case: case.model.fit(case.X[None]), ValueError, "dim 3", "(1, 60, 3)", "Reshape"
    ),
    Mistake(lambda case: case.model.fit(case.X[:0]), ValueError, "0 sample(s)", "(0, 3)", "of 2"),
    Mistake(
        lambda case: case.model.predict(case.X[:, :2]),
        ValueError,
        "X has 2 features",
        "2",
        "Pass the columns that it was fitted to",
    ),
    Mistake(
        lambda case: case.model.fit(changed(case.X, (7, 1), np.nan)),
        ValueError,
        "Input X",
        "row 7, column 1",
        "set allow_nan=True",
    ),
    Mistake(
        lambda case: case.model.predict(changed(case.X, (7, 1), np.inf)),
        ValueError,
        "Input X",
        "row 7, column 1: inf",
        "rescale the column",
    ),
    Mistake(
        lambda case: case.model.fit(case.X.astype(str)), ValueError, "X has dtype", "<U", "astype"
    ),
    Mistake(
        lambda case: case.model.fit(case.X * 1j), ValueError, "complex128", "column 0", "two col"
    ),
    Mistake(
        lambda case: case.model.fit(case.table(when=np.arange(60).astype("M8[D]"))),
        TypeError,
        "X has dtype datetime64",
        "('when')",
        "a number of seconds or days",
    ),
    Mistake(
        lambda case: case.model.fit(case.table(species=["a", "b"] * 30)),
        ValueError,
        "('species')",
        "'a'",
        "Select the numeric columns",
    ),
    Mistake(
        lambda case: case.model.fit(case.table(x=["a", "b"] * 30).astype({"x": "category"})),
        ValueError,
        "dtype category",
        "'a' at row 0, column 3 ('x')",
        "Leave the column out, or encode it, e.g. pandas.get_dummies.",
    ),
    Mistake(
        lambda case: case.named.predict(case.table()[NAMES[::-1]]),
        ValueError,
        "feature names",
        "- length",
        "must be in the same order as they were in fit",
    ),
    Mistake(
        lambda case: case.model.fit(None), ValueError, "2D array", "NoneType", "Pass an array"
    ),
    Mistake(lambda case: case.model.fit([[1, 2], [3]]), ValueError, "X is not a", "shape", "same"),
    Mistake(
        lambda case: case.model.fit(pytest.importorskip("scipy.sparse").csr_array(case.X)),
        TypeError,
        "for X",
        "Sparse",
        ".toarray()",
    ),
    Mistake(
        lambda case: case.model.fit({"a": [1, 2]}),
        ValueError,
        "2D array",
        "dict",
        "Pass an array or a table",
    ),
    Mistake(
        lambda case: case.model.fit(case.X, sample_weight=np.ones(59)),
        ValueError,
        "sample_weight",
        "(59,)",
        "one weight a row",
    ),
    Mistake(
        lambda case: case.model.fit(case.X, sample_weight=-np.ones(60)),
        ValueError,
        "sample_weight[0]",
        "-1.0",
        "A weight of 0 leaves a row out",
    ),
    Mistake(
        lambda case: case.model.predict(case.X, out=np.empty(60)),
        ValueError,
        "out must be",
        "Got the dtype float64",
        "For example out=numpy.empty((60,), dtype=numpy.int64)",
    ),
    Mistake(
        lambda case: GaussianMixture().predict(case.X),
        NotFittedError,
        "instance",
        "not fitted",
        "Call 'fit'",
    ),
]

SOURCES = [
    Mistake(
        lambda case: case.model.fit(case.folder / "rows.npz"),
        FileNotFoundError,
        "rows.npz",
        "rows.npz",
        "No such file",
    ),
    Mistake(
        lambda case: GaussianMixture().fit(
            case.file("rows.csv", b"length,carrier,width\n1,UA,2\n3,AA,4\n")
        ),
        ValueError,
        "rows.csv: column 'carrier' holds text.",
        "'carrier'",
        "Pass CsvSource(path, columns=['length', 'width']).",
    ),
    Mistake(
        lambda case: GaussianMixture().fit(
            case.file("rows.csv.gz", gzip.compress(b"id,2019,2020\na,1,2\nb,3,4\n"))
        ),
        ValueError,
        "rows.csv.gz: column 0 holds text.",
        "0",
        "columns=[1, 2]). If the first row holds the names of the columns, pass header=True.",
    ),
    Mistake(
        lambda case: GaussianMixture().fit(
            case.file("rows.csv", b"length,width,kind\n1,2,3\n3,wide,a\n")
        ),
        ValueError,
        "rows.csv: line 3, column 1 ('width')",
        "'wide' is not a number",
        "correct the row, or choose the columns of numbers: columns=['length']",
    ),
    Mistake(
        lambda case: GaussianMixture().fit(case.file("rows.csv", b"length\n1\ninf\n")),
        ValueError,
        "line 3, column 0 ('length')",
        "'inf' is infinite",
        "leave the row out or fill it in, or choose other columns with CsvSource(path, columns=",
    ),
    Mistake(
        lambda case: GaussianMixture().fit(case.file("rows.csv", b"length,width\n1,\n3,4\n")),
        ValueError,
        "Input X contains NaN",
        "row 0, column 1 ('width')",
        "set allow_nan=True",
    ),
    Mistake(
        lambda case: CsvSource(case.file("rows.csv", b"length,width\n1,2\n"), columns=["lenght"]),
        ValueError,
        "columns",
        "'lenght'",
        "Did you mean 'length'?",
    ),
    Mistake(
        lambda case: CsvSource(case.file("rows.csv", b"length,width\n1,2\n"), header="no"),
        ValueError,
        "header",
        "'no'",
        "must be True, False or None",
    ),
    Mistake(
        lambda case: case.model.fit(case.parquet(carrier=["UA", "AA"] * 30)),
        ValueError,
        "rows.parquet: column 'carrier' holds text.",
        "'carrier'",
        "Pass ParquetSource(path, columns=['length', 'width', 'height']).",
    ),
    Mistake(
        lambda case: case.model.fit(
            ParquetSource(case.parquet(carrier=["UA", "AA"] * 30), columns=["width", "carrier"])
        ),
        ValueError,
        "column 'carrier'",
        "holds text",
        "Pass ParquetSource(path, columns=['width']).",
    ),
    Mistake(
        lambda case: ParquetSource(case.parquet(), columns=["lenght"]),
        ValueError,
        "columns",
        "'lenght'",
        "Did you mean 'length'?",
    ),
    Mistake(
        lambda case: ParquetSource(case.parquet(), columns="length"),
        TypeError,
        "columns",
        "'length'",
        "Pass ['length'].",
    ),
    Mistake(
        lambda case: ParquetSource(case.parquet(), weights="counts"),
        ValueError,
        "weights",
        "'counts'",
        "Choose from 'length'",
    ),
    Mistake(
        lambda case: ParquetSource(str(case.folder / "part-*.parquet")),
        ValueError,
        "part-*.parquet",
        "*",
        "no file matches the pattern",
    ),
    Mistake(lambda case: ArrowSource(case.X), TypeError, "data", "ndarray", "of pyarrow"),
    Mistake(
        lambda case: NpySource(case.file("rows.npy", b"1,2\n3,4\n")),
        ValueError,
        "rows.npy",
        "not a readable .npy file",
        ".npy",
    ),
    Mistake(
        lambda case: ChunkSource(iter([case.X])),
        TypeError,
        "chunks",
        "list_iterator",
        "Pass a list of chunks, or ChunkSource(function)",
    ),
    Mistake(
        lambda case: ChunkSource([case.X], memory="1GB"),
        ValueError,
        "memory",
        "'1GB'",
        "a number of bytes",
    ),
    Mistake(
        lambda case: case.model.fit(lambda: [case.X]),
        TypeError,
        "X is a function",
        "function",
        "gaussmix.sources.ChunkSource(X)",
    ),
    Mistake(
        lambda case: case.model.fit([case.X, case.X[:, :2]]),
        ValueError,
        "Chunk 1",
        "2 columns",
        "3",
    ),
]

FILES = [
    Mistake(
        lambda case: gaussmix.load(case.file("customers.csv", b"customer,spend\n1,2\n")),
        ModelFileError,
        "customers.csv",
        "is not a model file",
        "those come from model.save or gaussmix fit",
    ),
    Mistake(
        lambda case: gaussmix.load(case.folder / "model.npz"),
        FileNotFoundError,
        "model.npz",
        "model.npz",
        "No such file",
    ),
    Mistake(
        lambda case: case.model.save(case.folder / "models" / "model.npz"),
        FileNotFoundError,
        "models",
        "models",
        "No such file or directory",
    ),
    Mistake(
        lambda case: GaussianMixture().save(case.folder / "model.npz"),
        NotFittedError,
        "GaussianMixture",
        "not fitted",
        "Call 'fit'",
    ),
]

METHODS = [
    Mistake(lambda case: case.model.sample(0), ValueError, "'n_samples'", "0", "at least 1"),
    Mistake(lambda case: case.model.sample(10.0), ValueError, "'n_samples'", "10.0", "an int"),
    Mistake(
        lambda case: case.model.marginal("width"),
        ValueError,
        "columns",
        "'width'",
        "indices from 0 to 2",
    ),
    Mistake(
        lambda case: case.named.marginal("widht"),
        ValueError,
        "columns",
        "'widht'",
        "Did you mean 'width'?",
    ),
    Mistake(
        lambda case: case.model.marginal(3), ValueError, "columns", "3", "indices from -3 to 2"
    ),
    Mistake(lambda case: case.model.marginal([]), ValueError, "columns", "no column", "at least"),
    Mistake(
        lambda case: case.model.marginal({0, 1}), TypeError, "columns", "a set", "pass a list"
    ),
    Mistake(
        lambda case: case.model.marginal([True, False]),
        ValueError,
        "columns",
        "length 2",
        "a boolean for each",
    ),
    Mistake(
        lambda case: case.model.condition([0, 1, 2], [1.0, 2.0, 3.0]),
        ValueError,
        "columns",
        "all 3 features",
        "left",
    ),
    Mistake(
        lambda case: case.model.condition([0, 1], [1.0]),
        ValueError,
        "values",
        "1",
        "in this order",
    ),
    Mistake(
        lambda case: case.model.predict_conditional(case.X, [0], target=[0, 1]),
        ValueError,
        "target",
        "column 0",
        "Choose other columns",
    ),
    Mistake(lambda case: case.model.cdf(1.0), ValueError, "cdf", "3", "model.marginal(0).cdf"),
    Mistake(
        lambda case: case.model.marginal(0).quantile(95),
        ValueError,
        "q contains",
        "95",
        "probabilities from 0 to 1",
    ),
    Mistake(
        lambda case: case.model.impute(case.X, n_draws=0), ValueError, "n_draws", "0", "or None"
    ),
    Mistake(
        lambda case: case.model.impute(case.X[:, :2]),
        ValueError,
        "X has 2",
        "expecting 3",
        "Pass the columns",
    ),
    Mistake(
        lambda case: case.model.feature_contributions(case.X, kind="shap"),
        ValueError,
        "kind",
        "'shap'",
        "'conditional' or 'shapley'",
    ),
    Mistake(
        lambda case: case.model.update(case.model.accumulate(case.X), "means"),
        ValueError,
        "update",
        "'means'",
        "Pass 'wmc'",
    ),
    Mistake(lambda case: case.model.retire(2), ValueError, "components", "got 2", "from 0 to 1"),
    Mistake(lambda case: case.model.retire([0, 0]), ValueError, "components", "0", "each once"),
    Mistake(
        lambda case: GaussianMixtureImputer("2").fit(case.X),
        InvalidParameterError,
        "'n_components'",
        "'2'",
        "or several of those",
    ),
    Mistake(
        lambda case: GaussianMixtureImputer().fit(case.folder / "rows.npy"),
        TypeError,
        "GaussianMixtureImputer takes rows in memory",
        "Path",
        "GaussianMixture(allow_nan=True)",
    ),
]

PLOTS = [
    Mistake(
        lambda case: case.plotting.plot_density(case.X),
        TypeError,
        "model must be",
        "ndarray",
        "Pass a fitted GaussianMixture",
    ),
    Mistake(
        lambda case: case.plotting.plot_covariances(GaussianMixture),
        TypeError,
        "model must be",
        "GaussianMixture",
        "Pass an instance",
    ),
    Mistake(
        lambda case: case.plotting.plot_density(case.model, features=[0, 1, 2]),
        ValueError,
        "features",
        "[0, 1, 2]",
        "one or two columns",
    ),
    Mistake(
        lambda case: case.plotting.plot_density(case.named, features=["width", "hieght"]),
        ValueError,
        "features",
        "'hieght'",
        "Did you mean 'height'?",
    ),
    Mistake(
        lambda case: case.plotting.plot_density(case.model, levels=95),
        ValueError,
        "levels",
        "95",
        "above 0 and below 1",
    ),
    Mistake(
        lambda case: case.plotting.plot_responsibilities(case.model, None),
        TypeError,
        "X must be the rows",
        "None",
        "an array-like of shape (n, d)",
    ),
    Mistake(
        lambda case: case.plotting.plot_criteria([], case.X),
        ValueError,
        "models",
        "empty",
        "at least one fitted model",
    ),
    Mistake(
        lambda case: case.plotting.plot_criteria(case.model, case.X, criteria="BIC"),
        ValueError,
        "criteria",
        "'BIC'",
        "Did you mean 'bic'?",
    ),
    Mistake(
        lambda case: case.plotting.plot_density(case.model, ax="left"),
        TypeError,
        "ax must be",
        "str",
        "matplotlib.pyplot.subplots()",
    ),
]


def name_of(mistake):
    words = (mistake.argument, mistake.value, mistake.remedy)
    return " | ".join(word.strip("'") for word in words)


@pytest.mark.parametrize(
    "mistake", [*PARAMETERS, *ROWS, *SOURCES, *FILES, *METHODS, *PLOTS], ids=name_of
)
def test_a_mistake_is_named_with_its_remedy(mistake, models, tmp_path):
    case = Case(*models, tmp_path)
    with nothing_lost(case.model, case.X), pytest.raises(mistake.error) as caught:
        mistake.call(case)
    message = str(caught.value)
    assert mistake.argument in message
    assert mistake.value in message
    assert mistake.remedy in message
