"""Rows from files, Arrow data and chunks: the same results as from an array, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gaussmix import GaussianMixture, sources
from gaussmix._rows import array_rows, sampling, streamed
from gaussmix.sources import ArrowSource, ChunkSource, NpySource, ParquetSource, RowSource
from support.assertions import assert_same
from support.families import COVARIANCE_TYPES
from support.models import FITTED_ARRAYS

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


#: So little that no data of these tests are kept, and passes go through many blocks.
TINY = 100_000


def blobs(n=30_011, d=3, dtype=np.float64, seed=0):
    """Rows of three overlapping clusters, in random order."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + 2.5 * rng.integers(0, 3, size=(n, 1))).astype(dtype)


def cut(X, n_pieces, seed=0):
    """Pieces of random length, some of them empty."""
    rng = np.random.default_rng(seed)
    return np.split(X, np.sort(rng.integers(0, len(X) + 1, n_pieces - 1)))


def table_of(X):
    return pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])})


def mixture(n_components=3, **options):
    options = {"random_state": 0, "max_iter": 6, "tol": 0.0} | options
    return GaussianMixture(n_components, **options)


pytestmark = pytest.mark.filterwarnings("ignore::gaussmix.ConvergenceWarning")


def as_every_source(X, folder, memory=TINY):
    """The same rows from everything that a source can be made of."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "rows.npy", X)
    np.save(folder / "columns.npy", np.asfortranarray(X))
    pq.write_table(table_of(X), folder / "rows.parquet", row_group_size=4999)
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    for number, piece in enumerate(cut(X, 5)):
        pq.write_table(table_of(piece), parts / f"part-{number}.parquet")
    yield "npy", NpySource(folder / "rows.npy", memory=memory)
    yield "npy by columns", NpySource(folder / "columns.npy", memory=memory)
    yield "parquet", ParquetSource(folder / "rows.parquet", memory=memory)
    yield "directory", ParquetSource(parts, memory=memory)
    yield "pattern", ParquetSource(str(parts / "*.parquet"), memory=memory)
    yield "files", ParquetSource(sorted(parts.iterdir()), memory=memory)
    yield "table", ArrowSource(table_of(X), memory=memory)
    yield "data set", ArrowSource(pa.dataset.dataset(str(parts)), memory=memory)
    yield "chunks", ChunkSource(cut(X, 40), memory=memory)
    yield "function", ChunkSource(lambda: iter(cut(X, 7)), memory=memory)


# --- Equality with an array ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_every_source_fits_to_the_same_bits(tmp_path, covariance_type, dtype):
    import pyarrow.dataset  # noqa: F401

    X = blobs(dtype=dtype)
    expected = mixture(covariance_type=covariance_type).fit(X)
    for name, source in as_every_source(X, tmp_path):
        model = mixture(covariance_type=covariance_type).fit(source)
        assert_same(model, expected, name)


@pytest.mark.filterwarnings("ignore:reg_covar=.* is added to every variance")
@pytest.mark.parametrize("d", [1, 2, 21, 40])
@pytest.mark.parametrize("n", [2, 5, 383, 384, 4096, 4097, 12_289])
def test_odd_sizes(n, d):
    X = blobs(n, d, np.float32)
    K = min(n, 2)
    streamed = mixture(K, reg_covar=1e-3).fit(ChunkSource(cut(X, 9), memory=1))
    assert_same(streamed, mixture(K, reg_covar=1e-3).fit(X))


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_is_the_same(monkeypatch, init_params):
    """Also where the rows are more than are searched."""
    monkeypatch.setattr("gaussmix._em.initialization.SUBSAMPLE_ROWS", 500)
    monkeypatch.setattr("gaussmix._em.initialization.PERMUTATION_ROWS", 5000)
    X = blobs(20_000)
    options = {"init_params": init_params, "n_init": 3}
    source = ChunkSource(cut(X, 13), memory=TINY)
    assert_same(mixture(**options).fit(source), mixture(**options).fit(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_weights_in_the_chunks_and_beside_them(covariance_type, dtype):
    X = blobs(dtype=dtype)
    w = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)  # sums of these are exact
    expected = mixture(covariance_type=covariance_type).fit(X, sample_weight=w)
    pairs = list(zip(cut(X, 20), cut(w, 20)))
    chunks = ChunkSource(pairs, memory=TINY)
    assert_same(mixture(covariance_type=covariance_type).fit(chunks), expected)
    chunks = ChunkSource(cut(X, 20), memory=TINY)
    assert_same(mixture(covariance_type=covariance_type).fit(chunks, sample_weight=w), expected)
    kept = ChunkSource(pairs)
    assert_same(mixture(covariance_type=covariance_type).fit(kept), expected)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_weights_of_any_size_and_fractions(scale):
    X = blobs(9000)
    w = scale * np.random.default_rng(2).uniform(0.1, 3, len(X))
    expected = mixture().fit(X, sample_weight=w)
    found = mixture().fit(ChunkSource(list(zip(cut(X, 9), cut(w, 9))), memory=TINY))
    for name in FITTED_ARRAYS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-10)


def test_statistics_of_pieces_with_weights_of_any_size():
    # Rows that weigh little give the second component no more than the others' tails do.
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(5000, 1)), rng.normal(size=(5000, 1)) + 14])
    weight = np.repeat([1e30, 1.0], 5000)
    model = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [14.0]], np.ones((2, 1, 1)))
    chunks = list(zip(cut(X, 7), cut(weight, 7)))
    given = model.accumulate(ChunkSource(chunks, memory=1000))
    np.testing.assert_allclose(given.weight, weight @ model.predict_proba(X), rtol=1e-10)


def test_weights_that_vanish_beside_the_largest():
    X = blobs()
    weight = np.where(np.arange(len(X)) % 2, 1e290, 1e-290)
    source = ChunkSource(list(zip(cut(X, 7), cut(weight, 7))), memory=TINY)
    expected = mixture().fit(X, sample_weight=weight).lower_bound_
    assert mixture().fit(source).lower_bound_ == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("memory", [TINY, 1 << 28])
def test_a_piece_without_weight_has_statistics(memory):
    X = blobs()
    model = mixture().fit(table_of(X))
    for source, weight in [
        (ChunkSource([(table_of(X), np.zeros(len(X)))], memory=memory), None),
        (ArrowSource(table_of(X), memory=memory), np.zeros(len(X))),
        (ArrowSource(table_of(X).slice(0, 0), memory=memory), None),
    ]:
        assert (model.accumulate(source, weight).weight == 0).all()


def test_weighted_random_rows_are_drawn_from_the_sample():
    X = blobs(9000)
    w = np.zeros(9000)
    w[::3] = 1.0
    source = ChunkSource(list(zip(cut(X, 9), cut(w, 9))), memory=TINY)
    model = mixture(init_params="random_from_data", max_iter=30, tol=1e-5).fit(source)
    assert np.isfinite(model.lower_bound_)


def test_weights_from_a_column(tmp_path):
    X = blobs()
    w = np.random.default_rng(1).integers(0, 3, len(X))
    table = table_of(X).append_column("w", pa.array(w))
    pq.write_table(table, tmp_path / "rows.parquet")
    source = ParquetSource(tmp_path / "rows.parquet", weights="w", memory=TINY)
    model = mixture().fit(source)
    assert_same(model, mixture().fit(X, sample_weight=w))
    assert list(model.feature_names_in_) == ["x0", "x1", "x2"]


@pytest.mark.parametrize("acceleration", [None, "squarem"])
def test_whole_fits_with_recovery_and_acceleration(acceleration):
    X = np.concatenate([blobs(6000), np.full((50, 3), 9.0)])
    options = {"max_iter": 60, "tol": 1e-4, "on_collapse": "reseed", "reg_covar": 0.0}
    options["acceleration"] = acceleration
    source = ChunkSource(cut(X, 11), memory=TINY)
    model, expected = mixture(5, **options).fit(source), mixture(5, **options).fit(X)
    assert_same(model, expected)
    assert model.collapses_ == expected.collapses_


def test_warm_start_continues_with_a_source():
    X = blobs()
    source = ChunkSource(cut(X, 11), memory=TINY)
    one = mixture(warm_start=True).fit(X).fit(source)
    assert_same(one, mixture(warm_start=True).fit(source).fit(X))


# --- Scores --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_of_every_source(tmp_path, dtype):
    import pyarrow.dataset  # noqa: F401

    X = blobs(dtype=dtype)
    model = mixture().fit(X)
    for name, source in as_every_source(X, tmp_path):
        for method in ("score_samples", "predict", "predict_proba"):
            expected = getattr(model, method)(X)
            found = getattr(model, method)(source)
            assert found.dtype == expected.dtype, name
            np.testing.assert_array_equal(found, expected, err_msg=name)
            out = np.empty_like(expected)
            assert getattr(model, method)(source, out=out) is out
            np.testing.assert_array_equal(out, expected)
        assert model.score(source) == pytest.approx(model.score(X), rel=1e-13)
        assert model.bic(source) == pytest.approx(model.bic(X), rel=1e-13)
        assert model.icl(source) == pytest.approx(model.icl(X), rel=1e-13)
        np.testing.assert_array_equal(model.accumulate(source).first, model.accumulate(X).first)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_where_partial_sums_get_chunks_of_several_blocks(covariance_type, dtype):
    X = blobs(600_000, dtype=dtype)
    model = mixture(covariance_type=covariance_type, max_iter=1).fit(X[:1000])
    whole = model.accumulate(X)
    parts = model.accumulate(ChunkSource([X], memory=2_000_000))
    for name in ("weight", "first", "second", "log_likelihood"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)


def test_fit_predict():
    X = blobs()
    source = ChunkSource(cut(X, 5), memory=TINY)
    np.testing.assert_array_equal(mixture().fit_predict(source), mixture().fit_predict(X))


def test_chunks_of_both_precisions():
    X = blobs(1000)
    mixed = [X[:400].astype(np.float32), X[400:]]
    model = mixture().fit(mixed)
    assert model.means_.dtype == np.float64
    joined = np.concatenate(mixed)
    assert_same(model, mixture().fit(joined))
    log_density = model.score_samples(ChunkSource(mixed))
    assert log_density.dtype == np.float64
    np.testing.assert_allclose(log_density, model.score_samples(joined), rtol=1e-5)


@pytest.mark.parametrize("small", [np.int16, np.float16, np.bool_])
def test_chunks_of_float32_and_small_numbers(small):
    X = blobs(1000)
    mixed = [X[:400].astype(small), X[400:].astype(np.float32)]
    model = mixture().fit(ChunkSource(mixed))
    assert model.means_.dtype == np.float64
    assert_same(model, mixture().fit(ChunkSource(mixed, memory=1000)))


@pytest.mark.parametrize("dtype", [np.int64, np.float16, ">f8", np.float32, np.float64])
def test_scores_of_chunks_without_rows(dtype):
    X = blobs(1000)
    model = mixture().fit(X)
    nothing = np.empty((0, 3), dtype)
    for method in (model.score_samples, model.predict, model.predict_proba):
        np.testing.assert_array_equal(method([nothing, X, nothing]), method(X))


@pytest.mark.parametrize(("n_rows", "found"), [(990, "more"), (0, "more"), (1010, "1,000")])
def test_scores_of_a_source_that_miscounts(n_rows, found):
    X = blobs(1000)
    source = ChunkSource([X[:500], X[500:]])
    source.n_rows = n_rows
    with pytest.raises(ValueError, match=f"n_rows = {n_rows:,} rows, and gave {found}"):
        mixture().fit(X).score_samples(source)


def test_columns_are_found_by_name(tmp_path):
    X = blobs()
    model = mixture().fit(table_of(X))
    other = pa.table({"id": np.arange(len(X)), **{f"x{j}": X[:, j] for j in (2, 0, 1)}})
    pq.write_table(other, tmp_path / "rows.parquet")
    np.testing.assert_array_equal(
        model.score_samples(tmp_path / "rows.parquet"), model.score_samples(table_of(X))
    )
    with pytest.raises(ValueError, match=r"no column named 'x2'. Choose from 'x0', 'x1'"):
        model.score_samples(ArrowSource(table_of(X[:, :2])))


# --- What is taken for a source ------------------------------------------------------------------


def test_paths_stand_for_files(tmp_path):
    X = blobs(2000)
    expected = mixture().fit(X)
    np.save(tmp_path / "rows.npy", X)
    for part, piece in enumerate(cut(X, 3)):
        pq.write_table(table_of(piece), tmp_path / f"{part}.parquet")
    parquet = [tmp_path / f"{part}.parquet" for part in range(3)]
    for path in (tmp_path / "rows.npy", str(tmp_path / "rows.npy"), parquet, tmp_path):
        assert_same(mixture().fit(path), expected)
    assert_same(mixture().fit(np.load(tmp_path / "rows.npy", mmap_mode="r")), expected)


def test_names_that_pyarrow_takes_for_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = blobs(2000)
    pq.write_table(table_of(X), "rows")
    Path("rows").rename("s3:rows.parquet")
    assert_same(mixture().fit("s3:rows.parquet"), mixture().fit(X))


def test_markers_and_unfinished_files_of_a_directory_are_left_out(tmp_path):
    X = blobs(2000)
    for name in ("a=1/0.parquet", "a=2/1.PARQUET", "_temporary/0.parquet", "a=1/.0.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table_of(X), tmp_path / name)
    expected = mixture().fit(np.concatenate([X, X]))
    assert_same(mixture().fit(tmp_path), expected)
    assert_same(mixture().fit(str(tmp_path / "**" / "[0-9].*")), mixture().fit(np.tile(X, (3, 1))))


def test_iterables_stand_for_their_chunks():
    import pandas

    X = blobs(2000)
    expected = mixture().fit(X)

    class Pages:
        def __iter__(self):
            return iter(cut(X, 6))

    assert_same(mixture().fit(Pages()), expected)
    assert_same(mixture().fit(cut(X, 6)), expected)
    names = ["a", "b", "c"]
    frames = [pandas.DataFrame(piece, columns=names) for piece in cut(X, 6)]
    model = mixture().fit(frames)
    assert_same(model, expected)
    assert list(model.feature_names_in_) == names
    polars = pytest.importorskip("polars")
    assert_same(mixture().fit([polars.DataFrame(piece) for piece in cut(X, 6)]), expected)


def test_lists_of_rows_are_still_rows():
    assert sources.as_source([[1.0, 2.0], [3.0, 4.0]]) is None
    assert sources.as_source([np.zeros(2), np.ones(2)]) is None
    assert sources.as_source([]) is None
    assert sources.as_source(3.0) is None
    assert sources.as_source(None) is None
    assert sources.as_source(table_of(blobs(10))) is None  # a small table is an array


def test_a_source_of_ones_own():
    class Squares(RowSource):
        n_rows = 600

        def chunks(self):
            for k in range(6):
                yield np.random.default_rng(k).normal(size=(100, 2))

    X = np.concatenate(list(Squares().chunks()))
    assert_same(mixture(2).fit(Squares()), mixture(2).fit(X))
    assert_same(mixture(2).fit(Squares(memory=10)), mixture(2).fit(X))


def test_a_buffer_may_be_used_again_and_again():
    X = blobs(5000)

    class Reader:
        def __iter__(self):
            buffer = np.empty((100, 3))
            for start in range(0, 5000, 100):
                buffer[:] = X[start : start + 100]
                yield buffer

    for memory in (TINY // 10, 1 << 30):
        source = ChunkSource(Reader(), memory=memory)
        model = mixture().fit(source)
        assert_same(model, mixture().fit(X))
        np.testing.assert_array_equal(model.score_samples(source), model.score_samples(X))


# --- The sample of one pass ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 127, 128, 129, 1000, 99_999])
@pytest.mark.parametrize("most", [64, 100])
def test_one_pass_keeps_what_the_number_of_rows_tells(n, most):
    chosen = sampling.stratified_sample(n, most)
    assert (np.diff(chosen) > 0).all()
    assert min(n, most // 2 - 1) <= len(chosen) <= most
    rng = np.random.default_rng(n)
    sample = sampling.StratifiedSample(most)
    for piece in cut(np.arange(n)[:, None], 20, seed=rng.integers(1000)):
        sample.add(piece, None)
    np.testing.assert_array_equal(sample.rows(most)[0][:, 0], chosen)
    fewer = sampling.stratified_sample(n, most // 4)
    np.testing.assert_array_equal(sample.rows(most // 4)[0][:, 0], fewer)


def test_every_row_is_kept_with_the_same_probability():
    """Over places within strata, and over every period of two."""
    chosen = sampling.stratified_sample(1 << 20, 1 << 14)
    assert len(chosen) == 1 << 14
    np.testing.assert_array_equal(chosen // 64, np.arange(1 << 14))
    counts = np.bincount(chosen % 64, minlength=64)
    chi_squared = ((counts - 256) ** 2 / 256).sum()
    assert 30 < chi_squared < 110  # 63 degrees of freedom, deviation 11
    pairs = np.bincount((chosen[:-1] % 4) * 4 + chosen[1:] % 4, minlength=16)
    assert ((pairs - 1024) ** 2 / 1024).sum() < 45  # neighbours do not depend on each other


def test_rows_without_weight_are_not_sampled():
    X = np.arange(5000.0)[:, None]
    w = (np.arange(5000) % 3 == 0).astype(float)
    sample = sampling.StratifiedSample(100)
    for rows, weights in zip(cut(X, 7), cut(w, 7)):
        sample.add(rows, weights)
    kept = array_rows.Rows(X, w).stratified_sample(100)
    np.testing.assert_array_equal(sample.rows(100)[0], kept.X)
    assert (kept.sample_weight == 1).all()


# --- Reading ahead -------------------------------------------------------------------------------


class Watched(RowSource):
    """Chunks that record the threads that read them and can be told to fail or wait."""

    def __init__(self, X, **options):
        super().__init__(memory=TINY)
        self.X = X
        self.readings = 0
        self.threads = set()
        self.fail_in = options.get("fail_in")
        self.rows_in = options.get("rows_in", {})

    def chunks(self):
        self.readings += 1
        X = self.X[: self.rows_in.get(self.readings, len(self.X))]
        for number, piece in enumerate(cut(X, 10)):
            self.threads.add(threading.current_thread())
            if self.readings == self.fail_in and number == 5:
                raise OSError("the disk is gone")
            yield piece


def readers():
    return [t for t in threading.enumerate() if t.name == "gaussmix reader" and t.is_alive()]


def test_passes_read_in_another_thread_which_ends():
    source = Watched(blobs())
    mixture().fit(source)
    assert source.threads - {threading.main_thread()}
    assert not readers()


@pytest.mark.parametrize("reading", [1, 2, 5])
def test_an_error_while_reading_ends_the_fit_and_leaves_the_model(reading):
    model = mixture().fit(blobs(seed=1))
    before = {name: getattr(model, name).copy() for name in FITTED_ARRAYS}
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(Watched(blobs(), fail_in=reading))
    for name in FITTED_ARRAYS:
        np.testing.assert_array_equal(getattr(model, name), before[name])
    assert not readers()


@pytest.mark.parametrize(
    ("later", "found"),
    [(lambda X: X[:, :1], "1 columns"), (lambda X: (X, np.ones(len(X))), "weights")],
)
def test_other_chunks_in_a_later_reading(later, found):
    X = blobs()
    readings = iter([[X], [X], [later(X)]])
    with pytest.raises(ValueError, match=f"has {found}, but chunk 0 of the first reading"):
        mixture().fit(ChunkSource(lambda: next(readings), memory=TINY))


@pytest.mark.parametrize(("n", "found"), [(29_000, "29,000 now"), (30_011, "more now")])
def test_another_number_of_rows_in_a_later_reading(n, found):
    source = Watched(blobs(), rows_in={1: 30_000, 3: n})
    if n < 30_000:
        source.rows_in |= {2: 30_000}
    with pytest.raises(ValueError, match=rf"Watched gave 30,000 rows .* {found}. Every reading"):
        mixture().fit(source)
    assert not readers()


def test_ctrl_c_is_noticed_while_a_source_is_slow(tmp_path):
    code = """
import time, numpy as np
from gaussmix import GaussianMixture
from gaussmix.sources import RowSource
class Slow(RowSource):
    readings = 0
    def chunks(self):
        self.readings += 1
        for k in range(50):
            if self.readings == 2 and k == 25:
                print("waiting", flush=True)
                time.sleep(600)
            yield np.random.default_rng(k).normal(size=(1000, 2))
try:
    GaussianMixture(2).fit(Slow(memory=1000))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    import signal

    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        # The reader still sleeps, and is left alone.
        assert process.communicate(timeout=60) == ("interrupted\n", None)
        assert process.returncode == 0
    finally:
        process.kill()


def test_progress_of_long_passes(monkeypatch, capsys):
    monkeypatch.setattr("gaussmix._em.progress.ROWS_SECONDS", 0.0)
    mixture(verbose=1, max_iter=1).fit(ChunkSource(cut(blobs(), 9), memory=TINY))
    out = capsys.readouterr().out
    assert "30,011 of 30,011 rows read" in out
    assert out.startswith("Initialization 0\n")


@pytest.mark.parametrize("share", [0.37, 0.5, 2.0])
def test_a_fit_stays_within_the_memory_of_its_source(tmp_path, share):
    """Whether the rows are kept, are more than that, or more than the memory."""
    memory = 16 << 20
    n = int(share * memory / 64)
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(n, 8)))
    start = {"means_init": np.eye(2, 8), "precisions_init": np.tile(np.eye(8), (2, 1, 1))}
    source = NpySource(tmp_path / "rows.npy", memory=memory)
    model = mixture(2, weights_init=[0.5, 0.5], max_iter=1, tol=10.0, **start)
    tracemalloc.start()
    model.fit(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory


@pytest.mark.parametrize("missing", [False, True])
def test_memory_is_bounded(tmp_path, missing):
    """Rows are fitted and scored in less memory than they take, 200 MB and 100 MB."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal(size=(500_000, 10), dtype=np.float32)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    times = 5 if missing else 10
    with open(tmp_path / "rows.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (times * len(X), 10)}
        )
        for _ in range(times):
            X.tofile(file)
    # The peak since the process began: that of getrusage is, at first, its parent's.
    code = f"""
import warnings, numpy as np
from gaussmix import GaussianMixture
from gaussmix.sources import NpySource
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
np.linalg.eigh(np.eye(3))
before = peak()
warnings.simplefilter("ignore")
source = NpySource({str(tmp_path / "rows.npy")!r}, memory=32 << 20)
model = GaussianMixture(2, max_iter=1, tol=10.0, random_state=0, allow_nan={missing}).fit(source)
model.score(source)
print(peak() - before)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert 0 < int(printed.stdout) < 2 * (32 << 20)


# --- Missing values ------------------------------------------------------------------------------


def holed(X, seed=3):
    """Rows with a fifth of the values missing, but at first: then 20 rows of none, and others of
    which one column has none.
    """
    missing = np.random.default_rng(seed).random(X.shape) < 0.2
    missing[:4000] = False
    missing[5000:5020] = True
    missing[6000:9000, 0] = True
    return np.where(missing, np.nan, X).astype(X.dtype)


@pytest.fixture
def units(monkeypatch):
    """Several units of rows that are grouped by pattern, instead of one."""
    monkeypatch.setattr("gaussmix._estep.missing.accumulation.UNIT_VALUES", 3 * 4096)


empty_rows = pytest.mark.filterwarnings("ignore:.* rows of X have no value")


@empty_rows
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(
    ("covariance_type", "dtype"),
    [("full", np.float32), ("tied", np.float64), ("diag", np.float32), ("spherical", np.float64)],
)
def test_missing_values_of_every_source(tmp_path, units, covariance_type, dtype):
    import pyarrow.dataset  # noqa: F401

    X = holed(blobs(14_011, dtype=dtype))
    settings = {"covariance_type": covariance_type, "allow_nan": True, "max_iter": 4}
    expected = mixture(**settings).fit(X)
    for name, source in as_every_source(X, tmp_path):
        assert_same(mixture(**settings).fit(source), expected, name)
        for method in ("score_samples", "predict_proba", "predict"):
            given = getattr(expected, method)(X)
            np.testing.assert_array_equal(getattr(expected, method)(source), given, err_msg=name)
        for method in ("score", "bic"):
            given = getattr(expected, method)(X)
            assert getattr(expected, method)(source) == pytest.approx(given, rel=1e-12), name


@empty_rows
def test_nulls_are_missing_values(tmp_path, units):
    X = holed(blobs(9011))
    X[:, 2] = np.trunc(10 * X[:, 2])
    whole = [None if np.isnan(x) else int(x) for x in X[:, 2]]
    table = pa.table({"a": pa.array(X[:, 0], from_pandas=True), "b": X[:, 1], "c": whole})
    assert [table[name].null_count > 0 for name in "abc"] == [True, False, True]
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=1000)
    expected = mixture(allow_nan=True).fit(X)
    for source in (
        ArrowSource(table, memory=TINY),
        ParquetSource(tmp_path / "rows.parquet", memory=TINY),
        ParquetSource(tmp_path / "rows.parquet"),
    ):
        assert_same(mixture(allow_nan=True).fit(source), expected)


@empty_rows
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
def test_every_start_with_missing_values(monkeypatch, units, init_params):
    monkeypatch.setattr("gaussmix._em.initialization.SUBSAMPLE_ROWS", 500)
    monkeypatch.setattr("gaussmix._em.initialization.PERMUTATION_ROWS", 5000)
    X = holed(blobs(12_000))
    settings = {"init_params": init_params, "n_init": 2, "allow_nan": True}
    source = ChunkSource(cut(X, 13), memory=TINY)
    assert_same(mixture(**settings).fit(source), mixture(**settings).fit(X))


@empty_rows
def test_missing_values_with_weights(units):
    X = holed(blobs(12_000))
    w = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
    expected = mixture(allow_nan=True).fit(X, sample_weight=w)
    pairs = ChunkSource(list(zip(cut(X, 9), cut(w, 9))), memory=TINY)
    assert_same(mixture(allow_nan=True).fit(pairs), expected)
    found = mixture(allow_nan=True).fit(ChunkSource(cut(X, 9), memory=TINY), sample_weight=w)
    assert_same(found, expected)


@empty_rows
def test_steps_with_missing_values(units):
    X = holed(blobs(12_000))
    source = ChunkSource(cut(X, 9), memory=TINY)
    model, streamed = mixture(allow_nan=True), mixture(allow_nan=True)
    for _ in range(2):
        model.partial_fit(X)
        streamed.partial_fit(source)
    for name in FITTED_ARRAYS:
        np.testing.assert_array_equal(getattr(streamed, name), getattr(model, name))
    found, expected = model.accumulate(source), model.accumulate(X)
    for name in ("weight", "first", "second", "log_likelihood"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_column_without_values(units):
    X = blobs(9000)
    X[:, 1] = np.nan
    source = ArrowSource(table_of(X), memory=TINY)
    with pytest.warns(UserWarning, match=r"no value in column 1 \('x1'\)"):
        streamed = mixture(allow_nan=True).fit(source)
    with pytest.warns(UserWarning, match="no value in column 1, "):
        assert_same(streamed, mixture(allow_nan=True).fit(X))


@empty_rows
def test_infinity_is_no_missing_value():
    X = holed(blobs(12_000))
    model = mixture(allow_nan=True).fit(X)
    X[11_500, 2] = -np.inf
    source = ChunkSource(cut(X, 9), memory=TINY)
    for method in (model.fit, model.score_samples, model.score, model.partial_fit):
        with pytest.raises(ValueError, match=r"infinity .* First at row 11500, column 2: -inf"):
            method(source)


# --- Bad input -----------------------------------------------------------------------------------


def nan_at(X, row, column):
    X = X.copy()
    X[row, column] = np.nan
    return X


def bad_sources(folder: Path):
    X = blobs(3000)
    (folder / "model.npz").write_bytes(b"PK\x03\x04")
    (folder / "noise").write_bytes(bytes(range(256)))
    (folder / "empty").mkdir()
    (folder / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00\x76\x00{'descr'")
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.save(folder / "flat.npy", np.zeros(5))
    np.save(folder / "short.npy", X)
    (folder / "short.npy").write_bytes((folder / "short.npy").read_bytes()[:-100])
    (folder / "bad.parquet").write_bytes(b"PAR1 and no more")
    yield folder / "missing.npy", FileNotFoundError, "missing.npy"
    yield folder / "model.npz", ValueError, "this is a zip file, as models are, and not a table"
    yield folder / "noise", ValueError, "noise: row 2: the text is not UTF-8"
    yield (
        [folder / "flat.npy"] * 2,
        ValueError,
        "is a .npy file, of which one .* Pass a list",
    )
    yield folder / "empty", ValueError, "empty: the directory holds no file that ends in .parquet"
    yield str(folder / "*.pq"), ValueError, "no file matches the pattern"
    yield folder / "cut.npy", ValueError, "cut.npy: not a readable .npy file: "
    yield folder / "words.npy", ValueError, "words.npy: the array has dtype .* real numbers"
    yield folder / "flat.npy", ValueError, r"shape \(5,\); a table needs rows and columns"
    yield folder / "short.npy", ValueError, "short.npy: .* ends before the last of its 3,000 rows"
    yield folder / "bad.parquet", ValueError, "bad.parquet: not a readable Parquet file"
    yield (
        iter(cut(X, 3)),
        TypeError,
        "can be read only once.*Pass a list of chunks, or ChunkSource",
    )
    yield ChunkSource([]), ValueError, "the list of chunks has no rows"
    yield ChunkSource([np.empty((0, 2))]), ValueError, "no rows"
    yield [X[:10], X[10:, :2]], ValueError, "Chunk 1 of the list of chunks has 2 columns, but"
    yield [X[:10], np.array([["a"]])], ValueError, "Chunk 1 of the list of chunks: "
    yield [(X[:10], np.ones(10)), X[10:]], ValueError, "Chunk 1 .* has no weights, but chunk 0"
    yield ChunkSource([(X, np.ones(3000), 1)]), ValueError, "Chunk 0 .* is a tuple of 3. A chunk"
    yield [(X[:10], np.ones(9))], ValueError, r"Chunk 0 .*expected \(10,\)"
    yield [(X, np.zeros(3000))], ValueError, "Sample weights must contain at least one non-zero"
    yield [X[:1000], nan_at(X[1000:], 234, 1)], ValueError, "NaN. First at row 1234, column 1"
    yield [X[:1]], ValueError, r"1 sample\(s\).*minimum of 2"
    yield [X[:2]], ValueError, "Expected n_samples >= n_components"


def test_bad_sources_leave_the_model_as_it_was(tmp_path):
    model = mixture().fit(blobs())
    before = {name: getattr(model, name).copy() for name in FITTED_ARRAYS}
    for X, kind, message in bad_sources(tmp_path):
        with pytest.raises(kind, match=f"(?s){message}"):
            model.fit(X)
        for name in FITTED_ARRAYS:
            np.testing.assert_array_equal(getattr(model, name), before[name])


def test_bad_scores_leave_out_as_it_was(tmp_path):
    X = blobs(3000)
    model = mixture().fit(X)
    out = np.full(3000, 7.0)
    with pytest.raises(ValueError, match=r"NaN. First at row 2500, column 2"):
        model.score_samples(ChunkSource(cut(nan_at(X, 2500, 2), 9)), out=out)
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 3"):
        model.score_samples([X[:, :2]], out=out)
    with pytest.raises(ValueError, match="out"):
        model.score_samples([X[:10]], out=out)
    assert (out == 7.0).all()
    with pytest.raises(ValueError, match=r"NaN. First at row 2500, column 2"):
        model.score_samples(ChunkSource(cut(nan_at(X, 2500, 2), 9)))
    with pytest.raises(ValueError, match=r"NaN. First at row 2500, column 2"):
        model.score(ChunkSource(cut(nan_at(X, 2500, 2), 9)))


def test_weights_twice():
    X = blobs(100)
    with pytest.raises(ValueError, match=r"sample_weight was given, but .* weights of its own"):
        mixture().fit(ChunkSource([(X, np.ones(100))]), sample_weight=np.ones(100))


@pytest.mark.parametrize("memory", [0, -5, 1.5, True, "256MB", None])
def test_memory_must_be_a_number_of_bytes(memory):
    with pytest.raises(ValueError, match=r"memory must be a number of bytes.* got"):
        ChunkSource([], memory=memory)


def test_columns_that_do_not_exist(tmp_path):
    table = table_of(blobs(10))
    with pytest.raises(ValueError, match=r"columns: .* no column named 'y'. Choose from 'x0'"):
        ArrowSource(table, columns=["x0", "y"])
    with pytest.raises(ValueError, match=r"weights: .* no column named 'w'"):
        ArrowSource(table, weights="w")
    with pytest.raises(TypeError, match=r"Pass \['x0'\]"):
        ArrowSource(table, columns="x0")
    with pytest.raises(ValueError, match=r"columns: 'x1' holds the weights"):
        ArrowSource(table, columns=["x0", "x1"], weights="x1")
    with pytest.raises(TypeError, match=r"RecordBatchReader, and not .* reader.read_all\(\)"):
        ArrowSource(table.to_reader())
    with pytest.raises(ValueError, match="no column to read beside the weights"):
        ArrowSource(table.select(["x0"]), weights="x0")

    with pytest.raises(ValueError, match=r"columns: 'x0' is there twice"):
        ArrowSource(table, columns=["x0", "x0"])


def test_files_whose_columns_differ(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    both = str(tmp_path / "*.parquet")
    pq.write_table(pa.table({"x": [1, 2, 4], "y": [1, 3, 2]}), first)
    pq.write_table(pa.table({"x": [1.5, 2.0]}), second)
    with pytest.raises(ValueError, match=r"b.parquet: no column named 'y', which .*a.parquet has"):
        mixture(1).fit(both)
    model = mixture(1).fit(ParquetSource(both, columns=["x"]))  # whole numbers, then fractions
    np.testing.assert_allclose(model.means_, [[10.5 / 5]])
    assert len(model.score_samples(both)) == 5  # reads the column it knows
    with pytest.raises(ValueError, match=r"a.parquet: column 'y' is not in .*b.parquet; choose"):
        mixture(1).fit([second, first])
    pq.write_table(pa.table({"x": ["1", "2"], "y": [1, 2]}), second)
    with pytest.raises(ValueError, match=r"b.parquet: column 'x' holds string, but int64"):
        mixture(1).fit(both)
    second.write_bytes(b"no Parquet")
    with pytest.raises(ValueError, match=r"b.parquet.*(not a parquet file|magic byte)"):
        mixture(1).fit(both)
    with pytest.raises(FileNotFoundError, match=r"No such file.*c.parquet"):
        mixture(1).fit([first, tmp_path / "c.parquet"])


def test_missing_values_in_a_file(tmp_path):
    table = pa.table({"a": [1.0, 2.0, None, 4.0], "b": [1.0, 2.0, 3.0, 5.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match=r"NaN. First at row 2, column 0 \('a'\)"):
        mixture(1).fit(tmp_path / "rows.parquet")


@pytest.mark.parametrize("left", [100, -2000])
def test_a_damaged_file_among_others(tmp_path, left):
    for name in ("a", "b"):
        pq.write_table(table_of(blobs(3000)), tmp_path / f"{name}.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    # Cut off, or with its data overwritten and its index whole.
    damaged = (
        whole[:left] if left > 0 else b"PAR1" + b"\x5a" * (len(whole) + left - 4) + whole[left:]
    )
    (tmp_path / "b.parquet").write_bytes(damaged)
    model = mixture().fit(blobs())
    before = model.means_.copy()
    with pytest.raises(ValueError, match=r"(?s)cannot be read: |not a readable Parquet"):
        model.fit(tmp_path)
    np.testing.assert_array_equal(model.means_, before)


def test_a_column_of_text(tmp_path):
    pq.write_table(pa.table({"a": [1.0, 2.0], "b": ["x", "y"]}), tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match=r"rows.parquet: column 'b' holds text.*columns=\['a'\]"):
        mixture(1).fit(tmp_path / "rows.parquet")
    model = mixture(1).fit(ParquetSource(tmp_path / "rows.parquet", columns=["a"]))
    assert model.means_.ravel() == [1.5]


def test_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1....")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install 'gaussmix\[parquet\]'"):
        mixture().fit(tmp_path / "rows.parquet")


def test_blocks_are_of_whole_chunks():
    rows, _names = streamed.read(
        ChunkSource(cut(blobs(), 17), memory=TINY), estimator_name="GaussianMixture"
    )
    for chunk_rows in (24, 384, 4096):
        firsts, lengths = zip(*[(block.first, len(block.X)) for block in rows.blocks(chunk_rows)])
        assert all(first % chunk_rows == 0 for first in firsts)
        assert sum(lengths) == 30_011
