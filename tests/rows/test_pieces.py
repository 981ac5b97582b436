"""Rows that come in pieces, of which one is not what the first or the collection says.

Each piece is checked where it enters, by fits and by scores: what it has and what was expected is
said, with its number. A piece that is in order in another form (integers, another memory layout,
objects that are numbers) gives what an array of all rows gives.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import textwrap

import numpy as np
import pytest

from gaussmix import GaussianMixture
from gaussmix.sources import ChunkSource, RowSource
from support.processes import output_of

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3)) + 4.0 * rng.integers(0, 2, size=(90, 1))
MODEL = GaussianMixture(2, random_state=0).fit(X)
GOOD = X[30:60]

#: What a piece of thirty rows and three columns may be instead, and a word of the message.
WRONG = {
    "wide": (np.ones((30, 4)), "4 columns"),
    "narrow": (GOOD[:, :2], "2 columns"),
    "empty and wide": (np.ones((0, 5)), "5 columns"),
    "without columns": (np.ones((30, 0)), "0 feature"),
    "flat": (np.ones(90), "1D"),
    "cubic": (np.ones((30, 3, 1)), "dim 3"),
    "scalar": (3.0, "scalar"),
    "None": (None, "None"),
    "text": (GOOD.astype(str), "numbers"),
    "complex": (GOOD + 1j, "[Cc]omplex"),
    "times": (np.zeros((30, 3), "M8[s]"), "numbers"),
    "ragged": ([[1.0, 2.0, 3.0], [4.0]], "same number of columns"),
    "objects": (np.full((30, 3), object()), "not a number"),
    "huge objects": (np.full((30, 3), 10**400, dtype=object), "too large"),
    "NaN": (np.where(np.arange(30)[:, None] == 7, np.nan, GOOD), "NaN"),
    "masked": (np.ma.array(GOOD, mask=np.arange(90).reshape(30, 3) == 22), "NaN"),
    "infinite": (np.where(np.arange(30)[:, None] == 7, np.inf, GOOD), "infinity"),
    "matrix": (GOOD.view(np.matrix), "np.matrix"),
}

#: The same numbers in another form.
SAME = {
    "columns first": np.asfortranarray(GOOD),
    "another byte order": GOOD.astype(">f8"),
    "objects": GOOD.astype(object),
    "lists": GOOD.tolist(),
    "masked without need": np.ma.array(GOOD),
    "long double": GOOD.astype(np.longdouble),
    "every second": np.repeat(GOOD, 2, axis=0)[::2],
}

USES = {
    "fit": lambda rows: GaussianMixture(2, random_state=0).fit(rows).means_,
    "fit_predict": lambda rows: GaussianMixture(2, random_state=0).fit_predict(rows),
    "predict": lambda rows: MODEL.predict(rows),
    "predict_proba": lambda rows: MODEL.predict_proba(rows),
    "score_samples": lambda rows: MODEL.score_samples(rows),
    "score": lambda rows: MODEL.score(rows),
    "icl": lambda rows: MODEL.icl(rows),
    "accumulate": lambda rows: MODEL.accumulate(rows).weight,
    "impute": lambda rows: MODEL.impute(rows),
}
OF_SOURCES = {
    "out": lambda rows: MODEL.predict_proba(rows, out=np.empty((90, 2))),
    "mahalanobis": lambda rows: MODEL.mahalanobis(rows),
    "feature_contributions": lambda rows: MODEL.feature_contributions(rows),
}


def source_of(pieces, memory):
    """A source of pieces that are kept after the first reading, or read anew in each."""
    return ChunkSource(lambda: iter(pieces), memory=memory)


def error_of(use, rows):
    with pytest.raises((TypeError, ValueError)) as caught:
        np.asarray(use(rows))
    message = str(caught.value)
    assert len(message) < 1500
    return message


@pytest.mark.parametrize("use", USES | OF_SOURCES)
@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_a_piece_of_a_source_is_checked_where_it_enters(use, memory):
    for kind, (piece, word) in WRONG.items():
        if use == "impute" and word == "NaN":
            continue  # which is what it is for
        source = source_of([X[:30], piece, X[60:]], memory)
        message = error_of((USES | OF_SOURCES)[use], source)
        assert any(part in message for part in ("Chunk 1", "row 30", "row 37")), (kind, message)
        assert any(w in message for w in (word, word.strip("[Cc]"))), (kind, message)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_a_piece_in_another_form_is_the_same_piece(kind, memory):
    for use in (USES | OF_SOURCES).values():
        given = use(source_of([X[:30], SAME[kind], X[60:]], memory))
        np.testing.assert_allclose(given, use(X), rtol=1e-13)


def lying(pieces, dtype=np.float64):
    """A dask array that says it has three chunks of thirty rows and three columns."""
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    parts = [dask.delayed(lambda piece=piece: piece, pure=False)() for piece in pieces]
    return da.concatenate([da.from_delayed(part, (30, 3), dtype=dtype) for part in parts])


@pytest.fixture
def one_thread():
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("use", [use for use in USES if use != "fit_predict"])
@pytest.mark.usefixtures("one_thread")
def test_a_dask_chunk_is_checked_where_it_enters(use):
    wrong = WRONG | {
        "long": (np.ones((50, 3)), "50 rows"),
        "short": (np.ones((10, 3)), "10 rows"),
        "empty": (np.ones((0, 3)), "0 rows"),
    }
    for kind, (piece, word) in wrong.items():
        if use == "impute" and word == "NaN":
            continue
        message = error_of(USES[use], lying([X[:30], piece, X[60:]]))
        assert message.startswith("Partition 1 of X"), (kind, message)
        assert word.strip("[Cc]") in message, (kind, message)
    for kind, piece in SAME.items():
        given = np.asarray(USES[use](lying([X[:30], piece, X[60:]])))
        np.testing.assert_allclose(given, USES[use](X), rtol=1e-12, err_msg=kind)


@pytest.mark.usefixtures("one_thread")
def test_results_have_the_dtype_that_the_collection_says():
    single = lying([X[:30], GOOD.astype(np.float32), X[60:]])
    double = lying([X[:30].astype(np.float32), X[30:60], X[60:]], dtype=np.float32)
    for rows in (single, double):
        for result in (MODEL.score_samples(rows), MODEL.predict_proba(rows), MODEL.impute(rows)):
            assert result.dtype == result.compute().dtype == rows.dtype


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_a_partition_of_a_table_has_the_columns_that_the_collection_says():
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    names = ["a", "b", "c"]
    right = pd.DataFrame(GOOD, columns=names)
    wrong = {
        "names": right.rename(columns={"b": "x\x1b[31m"}),
        "order": right[["b", "a", "c"]],
        "narrow": right[["a", "b"]],
        "wide": right.assign(d=1.0),
        "array": GOOD,
    }
    for kind, table in wrong.items():
        rows = dd.from_map(
            lambda i, table=table: table if i else right, [0, 1], meta=right.iloc[:0]
        )
        for use in ("fit", "predict", "score", "impute", "accumulate"):
            message = error_of(USES[use], rows)
            assert "A partition of X" in message, (kind, message)
            assert "'a', 'b', 'c'" in message
            assert message.replace("\n", " ").isprintable()


@pytest.mark.usefixtures("one_thread")
def test_weights_of_another_length_than_their_chunk():
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    rows = da.from_array(X, chunks=(30, 3))
    for length, later in itertools.product((10, 50), (False, True)):
        readings = []

        def weights(length=length, later=later, readings=readings):
            readings.append(1)
            return np.ones(length if not later or len(readings) > 1 else 30)

        part = da.from_delayed(dask.delayed(weights, pure=False)(), (30,), dtype=np.float64)
        given = da.concatenate([da.ones(60, chunks=30), part])
        model = GaussianMixture(2, random_state=0)
        with pytest.raises(ValueError, match=rf"\({length},\), expected \(30,\)"):
            model.fit(rows, sample_weight=given)
    for length in (10, 50):
        pieces = [(X[:30], np.ones(30)), (X[30:60], np.ones(length))]
        with pytest.raises(ValueError, match=rf"Chunk 1 .*\({length},\), expected \(30,\)"):
            MODEL.accumulate(ChunkSource(pieces))


@pytest.mark.parametrize("seed", range(40))
def test_pieces_of_any_shape_give_an_error_or_what_their_rows_give(seed):
    draw = np.random.default_rng(seed)
    pieces = []
    for _ in range(draw.integers(1, 5)):
        shape = (int(draw.integers(0, 20)), 3 if draw.random() < 0.8 else int(draw.integers(5)))
        piece = draw.normal(size=shape).astype(draw.choice(["f8", "f4", "i2", ">f8", "f2", "O"]))
        pieces.append(piece[::-1] if draw.random() < 0.3 else piece)
    alike = all(piece.shape[1] == 3 for piece in pieces) and sum(map(len, pieces)) > 0
    source = ChunkSource(pieces, memory=int(draw.choice([1, 1 << 20])))
    for use in (MODEL.score_samples, MODEL.predict, MODEL.mahalanobis):
        if alike:
            whole = np.concatenate([piece.astype(np.float64) for piece in pieces])
            np.testing.assert_allclose(use(source), use(whole), rtol=1e-4, atol=1e-4)
        else:
            error_of(use, source)


# --- rows that change between two readings -------------------------------------------------------


class Changing(RowSource):
    """Three chunks of thirty rows; from some reading on the second is another."""

    def __init__(self, piece, reading, first=X):
        super().__init__(memory=1)
        self._piece, self._reading, self._first = piece, reading, first
        self.readings = 0

    def chunks(self):
        self.readings += 1
        X = self._first
        yield X[:30]
        yield self._piece if self.readings >= self._reading else X[30:60]
        yield X[60:]


def with_value(value, rows=GOOD):
    changed = rows.copy()
    changed[7, 1] = value
    return changed


HOLES = np.where(rng.random(X.shape) < 0.1, np.nan, X)
HOLES[:, 0] = X[:, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e200, 1e30, 1e5])
@pytest.mark.parametrize("reading", [2, 3, 4, 6])
def test_rows_that_turn_wrong_are_said_to_have_changed(value, reading):
    for params in ({}, {"covariance_type": "tied"}, {"init_params": "random"}):
        for weights in (None, np.linspace(0.5, 2, 90)):
            model = GaussianMixture(3, random_state=0, tol=0.0, max_iter=20, **params)
            with pytest.raises(
                ValueError, match=r"changed between two readings.*column 1"
            ) as caught:
                model.fit(Changing(with_value(value), reading), sample_weight=weights)
            if not np.isfinite(value):
                assert f"row 37, column 1, is {value} now" in str(caught.value)
            assert not hasattr(model, "means_")


@pytest.mark.parametrize("value", [np.inf, 1e300, 1e5])
@pytest.mark.parametrize("reading", [2, 3, 5])
def test_incomplete_rows_that_turn_wrong_are_said_to_have_changed(value, reading):
    source = Changing(with_value(value, HOLES[30:60]), reading, HOLES)
    model = GaussianMixture(2, random_state=0, tol=0.0, max_iter=20, allow_nan=True)
    with pytest.raises(ValueError, match="changed between two readings: row 37, column 1"):
        model.fit(source)


def test_rows_that_lose_a_value_which_all_had():
    model = GaussianMixture(2, random_state=0, tol=0.0, max_iter=20, allow_nan=True)
    with pytest.raises(ValueError, match="changed between two readings: row 37, column 1"):
        model.fit(Changing(with_value(np.nan), 4))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_turn_wrong_before_they_are_scored_into_out(value):
    with pytest.raises(ValueError, match="changed between two readings: row 37, column 1"):
        MODEL.score_samples(Changing(with_value(value), 2), out=np.empty(90))
    with pytest.raises(ValueError, match="changed between two readings: row 37, column 1"):
        MODEL.accumulate(Changing(with_value(value), 2))


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (GOOD[:20], "gave 90 rows when it was read first and 80 now"),
        (np.vstack([GOOD, GOOD]), "gave 90 rows when it was read first and more now"),
        (np.ones((30, 4)), "has 4 columns, but chunk 0 of the first reading has 3"),
        ((GOOD, np.ones(30)), "has weights, but chunk 0 of the first reading has none"),
        (np.ones(90), "Chunk 1 .* 1D array"),
    ],
)
def test_pieces_that_become_others(piece, words):
    with pytest.raises(ValueError, match=words):
        GaussianMixture(2, random_state=0, tol=0.0).fit(Changing(piece, 4))


def test_single_precision_rows_that_become_double():
    first = X.astype(np.float32)
    with pytest.raises(ValueError, match="row 30 is float64 now and was float32 before"):
        GaussianMixture(2, random_state=0, tol=0.0).fit(Changing(GOOD, 4, first))


def test_an_iterator_that_is_spent():
    spent = iter([X[:30], X[30:]])
    with pytest.raises(ValueError, match=r"and 0 now\..*An iterator is read once"):
        GaussianMixture(2, random_state=0).fit(ChunkSource(lambda: spent, memory=1))


def test_rows_that_only_look_suspicious_are_fitted():
    """Sums that overflow, and columns without spread, are no change."""
    far = X + np.array([0.0, 1e9, 0.0])
    constant = np.where(np.arange(3) == 1, 7.0, X)
    for rows in (far, constant, X * 1e100, X * 1e-100):
        model = GaussianMixture(2, random_state=0, covariance_type="diag", reg_covar=1e-6)
        source = ChunkSource(lambda rows=rows: iter([rows[:50], rows[50:]]), memory=1)
        with (
            np.errstate(all="raise"),
            pytest.warns() if rows is constant else contextlib.nullcontext(),
        ):
            streamed = model.fit(source).means_
        with pytest.warns() if rows is constant else contextlib.nullcontext():
            np.testing.assert_array_equal(streamed, model.fit(rows).means_)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 1e30])
@pytest.mark.parametrize("computation", [2, 4, 6])
def test_partitions_that_turn_wrong_are_said_to_have_changed(value, computation):
    dask, da = pytest.importorskip("dask"), pytest.importorskip("dask.array")
    computed = []

    def piece():
        computed.append(1)
        return GOOD if len(computed) < computation else with_value(value)

    part = da.from_delayed(dask.delayed(piece, pure=False)(), (30, 3), dtype=np.float64)
    rows = da.concatenate([da.from_array(X[:30]), part, da.from_array(X[60:])])
    model = GaussianMixture(2, random_state=0, tol=0.0, max_iter=20)
    with pytest.raises(ValueError, match=r"X changed between two computations: .*column 1"):
        model.fit(rows)
    assert len(computed) >= computation


# --- fewer open files than there are -------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_process_that_may_open_no_more_files_says_so(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    code = f"""
        import os, resource
        os.chdir({str(tmp_path)!r})
        import numpy as np, gaussmix
        model = gaussmix.GaussianMixture().fit("rows.npy")  # with all that is imported for it
        model.save("model.npz")
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))
        for method in (model.fit, model.score, model.predict, model.impute, model.save):
            try:
                method("rows.npy")
            except OSError as error:
                print(error)
    """
    lines = output_of(textwrap.dedent(code)).splitlines()
    assert len(lines) == 5
    for line in lines:
        assert "Too many open files: this process has as many open as it may have 3" in line
        assert "ulimit -n" in line
        assert ".npy" in line or "save" in line or "tmp" in line
