"""Rows of CSV files given to a model by their paths, or by `CsvSource`."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix._files.tables import lines
from gaussmix.sources import ChunkSource, CsvSource, RowSource, as_source
from support.models import FITTED_ARRAYS
from support.rows import NAMES, two_clusters

pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.ConvergenceWarning")


def text_of(X, names=NAMES, delimiter=","):
    """CSV from which the same doubles are read."""
    lines = [] if names is None else [delimiter.join(names)]
    lines += [delimiter.join(map(repr, row)) for row in np.asarray(X).tolist()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return two_clusters()


def write(path, X, **how):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text_of(X, **how))
    return path


def mixture(**params):
    return GaussianMixture(2, random_state=0, **params)


def as_every_path(X, folder):
    """The same rows, from everything that a path of CSV may be."""
    yield str(write(folder / "rows.csv", X))
    (folder / "rows.csv.gz").write_bytes(gzip.compress(text_of(X).encode()))
    yield folder / "rows.csv.gz"
    yield write(folder / "table.txt", X, delimiter="\t")
    for number, part in enumerate(np.array_split(X, 3)):
        write(folder / "parts" / f"part-{number}.csv", part)
    (folder / "parts" / "notes.txt").write_text("not read")
    yield folder / "parts"
    yield str(folder / "parts" / "part-*.csv")
    yield [folder / "parts" / f"part-{number}.csv" for number in range(3)]
    yield CsvSource(folder / "rows.csv", memory=500)
    # Columns of further files are found by name.
    write(folder / "parts" / "part-1.csv", np.array_split(X, 3)[1][:, ::-1], names=NAMES[::-1])
    yield folder / "parts"


def test_a_model_of_a_file_is_that_of_its_rows(rows, tmp_path):
    expected = mixture().fit(rows)
    for path in as_every_path(rows, tmp_path):
        model = mixture().fit(path)
        assert list(model.feature_names_in_) == NAMES
        for name in FITTED_ARRAYS:
            np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))
        for method in ("score_samples", "predict", "predict_proba", "score", "bic", "impute"):
            found = getattr(model, method)(path)
            np.testing.assert_array_equal(found, getattr(expected, method)(rows))


def test_a_model_with_names_finds_its_columns(rows, tmp_path):
    model = mixture().fit(write(tmp_path / "rows.csv", rows))
    more = np.column_stack([np.arange(len(rows)), rows[:, ::-1]])
    text = text_of(more, ["id", *NAMES[::-1]]).replace("\n", "\n#", 1)  # an id that is text
    (tmp_path / "more.csv").write_text(text)
    np.testing.assert_array_equal(model.predict(tmp_path / "more.csv"), model.predict("rows.csv"))
    with pytest.raises(ValueError, match="column 'id' holds text"):
        mixture().fit("more.csv")
    write(tmp_path / "other.csv", rows[:, :2], names=NAMES[:2])
    with pytest.raises(ValueError, match=f"other.csv has no column named '{NAMES[2]}'"):
        model.predict("other.csv")


def test_files_without_names_have_numbers(rows, tmp_path):
    path = write(tmp_path / "rows.csv", rows, names=None)
    model = mixture().fit(path)
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.means_, mixture().fit(rows).means_)
    with pytest.raises(ValueError, match=r"weight of data row .* is negative"):
        mixture().fit(CsvSource(path, columns=[2, 0], weights=1))
    X, weight = np.abs(rows)[:, [2, 0]], np.abs(rows)[:, 1]
    write(path, np.abs(rows), names=None, delimiter=";")
    model = mixture().fit(CsvSource(path, columns=[2, 0], weights=1))
    expected = mixture().fit(X, sample_weight=weight)
    np.testing.assert_allclose(model.means_, expected.means_, rtol=1e-12)


def test_years_are_names_where_the_caller_says_so(tmp_path):
    path = tmp_path / "years.csv"
    path.write_text("2019,2020\n1,-9\n-9,4\n5,7\n2,3\n")
    model = GaussianMixture(allow_nan=True).fit(CsvSource(path, header=True, na_values=["-9"]))
    assert list(model.feature_names_in_) == ["2019", "2020"]
    X = [[1, np.nan], [np.nan, 4], [5, 7], [2, 3]]
    np.testing.assert_array_equal(model.means_, GaussianMixture(allow_nan=True).fit(X).means_)


def test_an_index_of_pandas_is_no_column_to_miss(rows, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=NAMES)
    frame.to_csv(tmp_path / "rows.csv")
    with pytest.warns(UserWarning, match="column 0 has no name, as the index.*columns="):
        assert mixture().fit("rows.csv").n_features_in_ == 4
    frame_model = mixture().fit(frame)
    np.testing.assert_array_equal(frame_model.predict("rows.csv"), frame_model.predict(frame))


def test_directories_with_parquet_files_are_read_as_before(rows, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(dict(zip(NAMES, rows.T))), tmp_path / "rows.parquet")
    write(tmp_path / "aside.csv", rows[:9])
    assert mixture().fit(tmp_path).n_samples_seen_ == len(rows)
    with pytest.raises(ValueError, match=r"rows.parquet: is no CSV file"):
        CsvSource([tmp_path / "aside.csv", tmp_path / "rows.parquet"]).chunks().__next__()


def test_a_file_that_changes_between_readings_is_noticed(rows, tmp_path):
    path = write(tmp_path / "rows.csv", rows)
    source = CsvSource(path, memory=500)
    assert as_source(source) is source
    mixture().fit(source)
    write(path, rows[:, :2], names=NAMES[:2])
    with pytest.raises(ValueError, match="the file has changed"):
        mixture().fit(source)


def test_rows_are_read_a_block_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 16)
    X = np.random.default_rng(0).normal(size=(60_000, 3)).round(3)
    model = mixture().fit(X[:1000])
    source = CsvSource(write(tmp_path / "rows.csv", X), memory=1 << 17)
    tracemalloc.start()
    found = model.score(source)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == pytest.approx(model.score(X), rel=1e-12)
    assert most < X.nbytes


def test_a_source_of_ones_own_may_name_the_columns_of_its_arrays(rows):
    class Named(RowSource):
        column_names = NAMES

        def chunks(self):
            return iter([rows[:20], rows[20:]])

    model = mixture().fit(Named())
    assert list(model.feature_names_in_) == NAMES
    Named.column_names = NAMES[:2]
    with pytest.raises(ValueError, match="Named: there are 3 columns, and column_names has 2"):
        mixture().fit(Named())
    assert ChunkSource([rows]).column_names is None
