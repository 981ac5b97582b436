"""Dask collections: the same fit as in one process, on a real cluster and on dask's schedulers."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import threading
import time
import warnings

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture
from gaussmix._checks.weights import check_sample_weight
from gaussmix._estep import accumulation
from gaussmix._estep.score_plan import exact_scores
from gaussmix._runtime import cgroups
from support.families import COVARIANCE_TYPES

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
pd = pytest.importorskip("pandas")
dd = pytest.importorskip("dask.dataframe")

K = 3


def overlapping(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Rows of K components that take some iterations to tell apart."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 2.0, size=(K, d))
    component = rng.integers(K, size=n)
    return 2.0 * component[:, None] + scale[component] * rng.normal(size=(n, d))


X = overlapping(24_000, 4)
WEIGHTS = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(float)


def mixture(**settings) -> GaussianMixture:
    return GaussianMixture(K, **{"tol": 1e-5, "max_iter": 6, "random_state": 0} | settings)


def fitted(X, sample_weight=None, **settings) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gaussmix.ConvergenceWarning)
        return mixture(**settings).fit(X, sample_weight=sample_weight)


def assert_same(one: GaussianMixture, other: GaussianMixture, rtol: float = 1e-10) -> None:
    assert one.n_iter_ == other.n_iter_ > 3
    assert one.means_.dtype == other.means_.dtype
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        value, expected = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(value, expected, rtol=0, atol=rtol * scale, err_msg=name)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of two threads each, and this process as their client."""
    settings = {
        "distributed.admin.large-graph-warning-threshold": "100MB",
        "distributed.scheduler.work-stealing": False,  # which would move partitions
    }
    with (
        pytest.MonkeyPatch.context() as patched,
        dask.config.set(settings),
    ):
        patched.delenv("GAUSSMIX_NUM_THREADS", raising=False)  # which workers would inherit
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", silence_logs=60,
        ) as cluster:  # fmt: skip
            yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def rows(client):
    """X in the memory of the workers."""
    return da.from_array(X, chunks=(5000, 4)).persist()


# --- The same fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["full", "spherical"])
def test_fit_is_that_of_one_process(client, family):
    collection = da.from_array(X, chunks=(5000, 3))
    given = da.from_array(WEIGHTS, chunks=5000)
    expected = fitted(X, WEIGHTS, covariance_type=family)
    assert_same(fitted(collection, given, covariance_type=family), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("family", COVARIANCE_TYPES)
def test_fit_in_partitions_is_that_of_one_array(family, dtype, weighted):
    weights = WEIGHTS if weighted else None
    collection = da.from_array(X.astype(dtype), chunks=(5000, 3))
    given = da.from_array(weights, chunks=5000) if weighted else None
    expected = fitted(X.astype(dtype), weights, covariance_type=family, max_iter=60)
    tolerance = 1e-10 if dtype == np.float64 else 1e-6  # the attributes are float32
    with dask.config.set(scheduler="synchronous"):
        model = fitted(collection, given, covariance_type=family, max_iter=60)
    assert_same(model, expected, tolerance)


@pytest.mark.parametrize("family", COVARIANCE_TYPES)
def test_single_precision_is_chosen_for_all_partitions_alike(family):
    many = overlapping(20_000, 24).astype(np.float32)
    one = fitted(many, covariance_type=family)
    with dask.config.set(scheduler="synchronous"):
        other = fitted(da.from_array(many, chunks=(7001, 24)), covariance_type=family)
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(other.means_, one.means_, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", COVARIANCE_TYPES)
def test_partitions_that_know_one_component_each(family):
    """Moments that a partition alone could not tell from zero are judged on the sum of all."""
    apart = np.sort(1000.0 * np.arange(K)).repeat(4000)[:, None] + overlapping(12_000, 4)
    one = GaussianMixture(K, covariance_type=family, random_state=0).fit(apart)
    with dask.config.set(scheduler="synchronous"):
        other = GaussianMixture(K, covariance_type=family, random_state=0)
        other.fit(da.from_array(apart, chunks=(3000, 4)))
    np.testing.assert_allclose(other.covariances_, one.covariances_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("init", ["k-means++", "random_from_data"])
@pytest.mark.parametrize("n", [9_000, 24_000])
def test_start_is_that_of_one_process(rows, init, n):
    assert_same(fitted(rows[:n], init_params=init), fitted(X[:n], init_params=init))


def test_random_responsibilities_are_repeatable(rows):
    one, other = (fitted(rows, init_params="random", max_iter=5) for _ in range(2))
    assert_same(one, other, 0.0)


@pytest.mark.parametrize("settings", [
    {"n_init": 3, "init_params": "k-means++"}, {"acceleration": "squarem"},
    {"on_collapse": "drop"}, {"means_init": X[:K]}, {"variance_floor": 0.1},
])  # fmt: skip
def test_settings_of_a_fit(rows, settings):
    assert_same(fitted(rows, **settings), fitted(X, **settings))


def test_result_is_repeatable_to_the_bit(rows):
    one, other = fitted(rows), fitted(rows, n_threads=1)
    assert np.array_equal(one.means_, other.means_)
    assert one.lower_bounds_ == other.lower_bounds_


def test_warm_start_goes_on(rows):
    one, other = mixture(warm_start=True, max_iter=2), mixture(warm_start=True, max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gaussmix.ConvergenceWarning)
        for _ in range(2):
            one.fit(rows)
            other.fit(X)
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-10)


# --- What rows and weights may be ---------------------------------------------------------------


def test_chunks_of_unknown_length(client, rows):
    some = rows[rows[:, 0] > 0]
    assert np.isnan(some.shape[0])
    kept = X[X[:, 0] > 0]
    assert_same(fitted(some), fitted(kept))
    weights = WEIGHTS[X[:, 0] > 0]
    assert_same(fitted(some, weights), fitted(kept, weights))


def test_empty_partitions(client):
    rows = da.from_array(X, chunks=((0, 9000, 0, 15000), 4))
    assert [len(block) for block in dask.compute(*rows.to_delayed().ravel())] == [
        0,
        9000,
        0,
        15000,
    ]
    assert_same(fitted(rows), fitted(X))
    weights = np.r_[np.zeros(9000), WEIGHTS[9000:]]  # one is without weight
    assert_same(fitted(rows, weights), fitted(X, weights))
    np.testing.assert_array_equal(fitted(X).predict(rows).compute(), fitted(X).predict(X))


def test_data_frame(client):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(d=X[:, 3].astype(np.float32))
    collection = dd.from_pandas(frame, npartitions=3)
    expected = fitted(frame)
    for given in (collection, collection.persist()):
        model = fitted(given)
        assert list(model.feature_names_in_) == list("abcd")
        assert_same(model, expected)
    np.testing.assert_array_equal(expected.predict(collection).compute(), expected.predict(frame))
    with pytest.raises(ValueError, match="must be in the same order"):
        expected.predict(collection[list("dcba")])


@pytest.mark.parametrize("form", [
    lambda w: w, list, lambda w: da.from_array(w, chunks=777),
    lambda w: dd.from_array(w, chunksize=5000),
])  # fmt: skip
def test_forms_of_weights(rows, form):
    assert_same(fitted(rows, form(WEIGHTS)), fitted(X, WEIGHTS))


def test_huge_weights_and_a_number(rows):
    assert_same(fitted(rows, 3.0), fitted(X, 3.0))
    assert_same(fitted(rows, WEIGHTS * 1e300), fitted(X, WEIGHTS * 1e300))


def test_accumulate_and_update(rows):
    model = fitted(X, max_iter=1)
    statistics, expected = model.accumulate(rows, WEIGHTS), model.accumulate(X, WEIGHTS)
    assert statistics.n_rows == len(X)
    np.testing.assert_allclose(statistics.second, expected.second, rtol=1e-10)
    assert model.accumulate(rows[:0]).n_rows == 0


def test_partial_fit(rows):
    one, other = mixture(), mixture()
    for start in range(0, len(X), 8000):
        weights = WEIGHTS[start : start + 8000]
        one.partial_fit(rows[start : start + 8000], sample_weight=weights)
        other.partial_fit(X[start : start + 8000], sample_weight=weights)
    np.testing.assert_allclose(one.covariances_, other.covariances_, rtol=1e-9)
    assert one.n_samples_seen_ == other.n_samples_seen_ == WEIGHTS.sum()


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_local_schedulers(scheduler):
    with dask.config.set(scheduler=scheduler):
        assert_same(fitted(da.from_array(X, chunks=(5000, 4)), WEIGHTS), fitted(X, WEIGHTS))


@pytest.mark.slow
def test_local_processes():
    with dask.config.set(scheduler="processes", num_workers=2):
        assert_same(fitted(da.from_array(X, chunks=(9000, 4))), fitted(X))


# --- Lazy results -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples"])
def test_scores_are_lazy_arrays(client, method, dtype):
    model = fitted(X)
    rows = da.from_array(X.astype(dtype), chunks=(5000, 2))
    lazy, expected = getattr(model, method)(rows), getattr(model, method)(X.astype(dtype))
    assert isinstance(lazy, da.Array)
    assert lazy.shape == expected.shape
    assert lazy.dtype == lazy._meta.dtype == expected.dtype
    assert lazy._meta.ndim == expected.ndim
    assert lazy.chunks[0] == rows.chunks[0]
    assert lazy.chunks[1:] == tuple((n,) for n in expected.shape[1:])
    values = lazy.compute()
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)


def at_odd_bytes(array):
    """A copy that begins where no number may, as a message's parts can."""
    memory = np.empty(array.nbytes + 1, dtype=np.uint8)[1:]
    memory[:] = np.frombuffer(array, dtype=np.uint8)
    return memory


def arrays_in(value):
    if isinstance(value, np.ndarray):
        return [value]
    inner = value if isinstance(value, tuple) else ()
    if dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    return [array for one in inner for array in arrays_in(one)]


def test_what_comes_at_odd_bytes_is_moved_before_the_kernels_read_it():
    """x86 forgives it, other processors and vectorised loops need not."""
    from gaussmix._estep import dask_tasks

    parameters = fitted(X)._parameters()
    plan = accumulation.AccumulationPlan(
        "full", exact_scores(parameters), parameters.means[0], parameters.means
    )
    common = dask_tasks.Common("GaussianMixture", 1, 4, None, plan=plan, parameters=parameters)
    buffers: list[pickle.PickleBuffer] = []
    message = pickle.dumps(common, 5, buffer_callback=buffers.append)
    assert len(buffers) > 5
    odd = [at_odd_bytes(buffer.raw()) for buffer in buffers]
    taken = pickle.loads(message, buffers=odd)
    for ours, theirs in zip(arrays_in(taken), arrays_in(common), strict=True):
        assert ours.flags.aligned
        np.testing.assert_array_equal(ours, theirs)
    weights = at_odd_bytes(np.arange(5.0)).view(np.float64)
    assert not weights.flags.aligned
    assert check_sample_weight(weights, 5).flags.aligned


def test_parameters_are_in_the_graph_once():
    d = 60
    model = GaussianMixture.from_parameters([1.0], np.zeros((1, d)), np.eye(d)[None])
    sizes = []
    for n_chunks in (10, 40):
        scores = model.predict(da.zeros((n_chunks, d), chunks=(1, d)))
        sizes.append(len(pickle.dumps(dict(scores.__dask_graph__()))))
    assert sizes[1] - sizes[0] < model.covariances_.nbytes


def test_the_scheduler_knows_the_size_of_statistics():
    from dask.sizeof import sizeof

    import gaussmix._estep.dask_tasks  # noqa: F401

    model = GaussianMixture.from_parameters([1.0], np.zeros((1, 9)), np.eye(9)[None])
    assert sizeof(model.accumulate(np.ones((2, 9)))) == 8 * (1 + 9 + 81 + 9)


def test_graphs_pickled_by_earlier_versions_find_their_tasks():
    from gaussmix._estep import dask_tasks
    from gaussmix._rows import dask_collections

    def found(name):
        return pickle.loads(f"cgaussmix.distributed\n{name}\n.".encode())

    assert found("_scored") is dask_tasks.scored
    assert found("_imputed") is dask_tasks.imputed
    assert found("_Common") is dask_tasks.Common
    assert found("_values_of_frame") is dask_collections.values_of_frame


def test_fit_predict_is_lazy(rows):
    labels = mixture(max_iter=100).fit_predict(rows)
    assert isinstance(labels, da.Array)
    np.testing.assert_array_equal(labels.compute(), mixture(max_iter=100).fit_predict(X))


@pytest.mark.parametrize("criterion", ["score", "aic", "bic", "icl"])
def test_criteria_are_numbers(rows, criterion):
    model = fitted(X)
    value = getattr(model, criterion)(rows)
    assert isinstance(value, float)
    assert value == pytest.approx(getattr(model, criterion)(X), rel=1e-12)


# --- Missing values -----------------------------------------------------------------------------


def holed() -> np.ndarray:
    """X with missing values: none in the first 5000 rows, then a column without any value, and
    5000 rows without any.
    """
    missing = np.random.default_rng(5).random(X.shape) < 0.2
    missing[:5000] = False
    missing[5000:10_000, 1] = True
    missing[10_000:15_000] = True
    return np.where(missing, np.nan, X)


empty_rows = pytest.mark.filterwarnings("ignore:.* rows of X have no value")


@empty_rows
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["kmeans", "k-means++", "random_from_data"])
@pytest.mark.parametrize("family", COVARIANCE_TYPES)
def test_missing_values_in_some_partitions(family, init, weighted):
    rows, weights = holed(), WEIGHTS if weighted else None
    settings = {"covariance_type": family, "init_params": init, "allow_nan": True}
    expected = fitted(rows, weights, **settings)
    with dask.config.set(scheduler="synchronous"):
        given = da.from_array(weights, chunks=5000) if weighted else None
        assert_same(fitted(da.from_array(rows, chunks=(5000, 3)), given, **settings), expected)


@empty_rows
@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_missing_values_of_a_data_frame(client, dtype):
    frame = pd.DataFrame(holed(), columns=list("abcd")).astype(dtype)
    model = fitted(dd.from_pandas(frame, npartitions=5), allow_nan=True)
    assert_same(model, fitted(frame, allow_nan=True))
    assert list(model.feature_names_in_) == list("abcd")


@empty_rows
def test_scores_and_steps_with_missing_values():
    rows = holed()
    model = fitted(rows, allow_nan=True)
    collection = da.from_array(rows, chunks=(5000, 4))
    with dask.config.set(scheduler="synchronous"):
        for method in ("predict", "predict_proba", "score_samples"):
            lazy = getattr(model, method)(collection)
            assert isinstance(lazy, da.Array)
            np.testing.assert_array_equal(lazy.compute(), getattr(model, method)(rows))
        for method in ("score", "bic"):
            expected = getattr(model, method)(rows)
            assert getattr(model, method)(collection) == pytest.approx(expected, rel=1e-12)
        found, expected = model.accumulate(collection), model.accumulate(rows)
        for name in ("weight", "first", "second"):
            value = getattr(expected, name)
            np.testing.assert_allclose(getattr(found, name), value, atol=1e-9 * abs(value).max())


def test_a_column_without_values():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(c=np.nan)
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.warns(UserWarning, match=r"no value in column 2 \('c'\)"),
    ):
        model = fitted(dd.from_pandas(frame, npartitions=3), allow_nan=True)
    assert (model.means_[:, 2] == 0).all()


@empty_rows
def test_infinity_is_no_missing_value():
    rows = holed()
    model = fitted(rows, allow_nan=True)
    rows[16_000, 3] = np.inf
    collection = da.from_array(rows, chunks=(5000, 4))
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(ValueError, match=r"Partition 3 of X: .* infinity .* row 16000, col"):
            model.fit(collection)
        with pytest.raises(ValueError, match=r"Partition 3 of X, .* infinity .* row 1000, col"):
            model.score_samples(collection).compute()


# --- Errors -------------------------------------------------------------------------------------


def with_nan(row: int) -> np.ndarray:
    bad = X.copy()
    bad[row, 2] = np.nan
    return bad


@pytest.mark.parametrize(("bad", "words"), [
    (lambda: da.from_array(with_nan(12_345), chunks=(5000, 4)),
     r"Partition 2 of X: Input X contains NaN. First at row 12345, column 2. .*drop those rows"),
    (lambda: da.from_array(with_nan(7), chunks=(5000, 4)),
     "Partition 0 of X: Input X contains NaN. First at row 7, column 2"),
    (lambda: da.from_array(X[:, 0], chunks=5000), "Expected 2D array, got a dask array of 1 dim"),
    (lambda: da.zeros((1, 4)), "a minimum of 2 is required"),
    (lambda: da.zeros((2, 4)), r"Expected n_samples >= n_components.*n_samples = 2"),
    (lambda: da.zeros((10, 0)), r"0 feature\(s\)"),
    (lambda: da.zeros((10, 2), dtype=complex), "Complex data not supported"),
    (lambda: dask.delayed(X), r"X is a dask Delayed\w*\. Pass a dask Array"),
    (lambda: dd.from_pandas(pd.DataFrame({"a": ["x", "y"] * 9, "b": 1.0}), npartitions=2),
     r"A partition of X, rows counted from its start: X has dtype .* column 0 \('a'\)"),
])  # fmt: skip
def test_bad_rows(client, bad, words):
    model = fitted(X)
    before = pickle.dumps(model)
    with pytest.raises((TypeError, ValueError), match=words):
        model.fit(bad())
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(("bad", "words"), [
    (-WEIGHTS, r"sample_weight\[\d+\] is -"),
    (da.from_array(-WEIGHTS, chunks=5000), r"Partition \d of X: sample_weight must not be neg"),
    (da.zeros(len(X), chunks=5000), "at least one non-zero number"),
    (0.0, "at least one non-zero number"),
    (da.ones(7), r"sample_weight.shape == \(7,\), expected \(24000,\)"),
    (da.ones((len(X), 1)), "must be 1D array or scalar, got 2D array"),
    (da.full(len(X), np.nan, chunks=5000), "Input sample_weight contains NaN"),
])  # fmt: skip
def test_bad_weights(rows, bad, words):
    model = fitted(X)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=words):
        model.fit(rows, sample_weight=bad)
    assert pickle.dumps(model) == before


def test_weights_that_cannot_be_aligned(rows):
    some = rows[rows[:, 0] > 0]
    with pytest.raises(ValueError, match=r"has 2 chunks and X has 5.*compute_chunk_sizes\(\)"):
        fitted(some, da.ones(len(X), chunks=20_000))


@pytest.mark.parametrize("method", ["predict", "score_samples"])
def test_bad_values_are_noticed_when_scores_are_computed(client, method):
    lazy = getattr(fitted(X), method)(da.from_array(with_nan(12_345), chunks=(5000, 4)))
    with pytest.raises(ValueError, match=r"Partition 2 of X.*contains NaN. First at row 2345"):
        lazy.compute()
    lazy[:9000].compute()


def test_scoring_checks_what_it_can_at_once(rows):
    model = fitted(X)
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 4"):
        model.predict(rows[:, :2])
    with pytest.raises(ValueError, match=r"out= takes no result .*\.to_zarr\(\)"):
        model.predict(rows, out=np.empty(len(X), dtype=np.intp))
    with pytest.raises(ValueError, match="a minimum of 1 is required"):
        model.score(rows[:0])
    with pytest.raises(gaussmix.NotFittedError):
        mixture().predict(rows)


def test_collapse_is_the_library_s_own_error(client):
    flat = np.repeat([[0.0, 0.0], [1.0, 1.0]], 600, axis=0)
    with pytest.raises(gaussmix.IllDefinedCovarianceError, match="reg_covar"):
        GaussianMixture(2, reg_covar=0.0).fit(da.from_array(flat, chunks=(500, 2)))


def test_rows_that_change_are_noticed():
    calls = []

    def another_length(block):
        calls.append(len(block))
        return block[: len(block) - len(calls)]

    rows = da.from_array(X[:500], chunks=(250, 4)).map_blocks(
        another_length, chunks=((np.nan, np.nan), (4,)), meta=X[:0]
    )
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"rows when it was computed first.*X.persist\(\)"),
    ):
        fitted(rows)


# --- The cluster --------------------------------------------------------------------------------


def tasks_in_progress(dask_scheduler) -> int:
    return sum(len(worker.processing) for worker in dask_scheduler.workers.values())


class Watched(GaussianMixture):
    """Calls `when` as soon as the fit under way has reached iteration 4."""

    def watch(self, monkeypatch, when) -> None:
        from gaussmix._em import loop

        run = loop.run

        def watched(*args, **kwargs):
            def on_iteration(number, change):
                if number == 4:
                    when()

            return run(*args, **kwargs | {"on_iteration": on_iteration})

        monkeypatch.setattr(loop, "run", watched)


def test_a_killed_worker_costs_only_its_recomputation(client, monkeypatch):
    rows = da.from_array(X, chunks=(2000, 4)).persist()
    distributed.wait(rows)
    expected = fitted(rows)
    processes = client.run(os.getpid)
    model = Watched(**expected.get_params())
    model.watch(monkeypatch, lambda: os.kill(next(iter(processes.values())), signal.SIGKILL))
    with pytest.warns(gaussmix.ConvergenceWarning):
        model.fit(rows)
    client.wait_for_workers(2, timeout=30)
    assert set(client.run(os.getpid).values()) != set(processes.values())
    assert np.array_equal(model.means_, expected.means_)
    assert model.lower_bounds_ == expected.lower_bounds_


def test_interrupt_leaves_no_task_behind(client, rows, monkeypatch):
    def interrupt():
        threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()

    slow = rows.map_blocks(lambda block: time.sleep(0.1) or block, meta=X[:0])
    model = Watched(K, tol=0.0, max_iter=1000, random_state=0)
    model.watch(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(slow)
    assert not hasattr(model, "means_")
    deadline = time.monotonic() + 60
    while client.run_on_scheduler(tasks_in_progress) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.run_on_scheduler(tasks_in_progress) == 0


def threads_of_task(n_threads, n_tasks, group):
    """What a task may use, once all of its group have begun and before any ends."""
    from gaussmix._estep.dask_tasks import task_threads

    groups = vars(distributed.get_worker())
    together = groups.setdefault(group, threading.Barrier(n_tasks))
    together.wait(60)
    with task_threads(n_threads) as threads:
        together.wait(60)
        return threads


def test_threads_of_tasks_follow_the_worker(client):
    alone = min(2, cgroups.available_cpus())
    worker = next(iter(client.run(os.getpid)))

    def run(n_threads, n_tasks):
        """Results of so many tasks at once on one worker."""
        arguments = (n_threads, n_tasks, f"{n_tasks} tasks for {n_threads}")
        tasks = [
            client.submit(threads_of_task, *arguments, workers=worker, pure=False)
            for _ in range(n_tasks)
        ]
        return client.gather(tasks)

    assert run(None, 1) == [alone]
    assert run(None, 2) == [1, 1]
    assert run(3, 2) == [3, 3]


def test_threads_of_local_tasks_share_those_of_the_process(monkeypatch):
    from gaussmix._estep.dask_tasks import task_threads

    monkeypatch.delenv("GAUSSMIX_NUM_THREADS", raising=False)
    monkeypatch.setattr("gaussmix._estep.dask_tasks.thread_count", lambda: 8)
    with task_threads(None) as first, task_threads(None) as second, task_threads(3) as asked:
        assert (first, second, asked) == (8, 4, 3)
    with task_threads(None) as again:
        assert again == 8


def count_messages():
    """Have this process count the bytes that it writes to sockets."""
    from distributed.comm import tcp

    write = tcp.TCP.write

    async def counted(self, *args, **kwargs):
        n_bytes = await write(self, *args, **kwargs)
        tcp.TCP.bytes_sent += n_bytes
        return n_bytes

    tcp.TCP.bytes_sent = 0
    tcp.TCP.write = counted


def bytes_sent():
    from distributed.comm import tcp

    return tcp.TCP.bytes_sent


def test_bytes_moved_by_an_iteration_do_not_depend_on_the_rows(cluster, monkeypatch):
    from distributed.comm import tcp

    monkeypatch.setattr(tcp.TCP, "write", tcp.TCP.write)  # to be as it was afterwards
    with distributed.Client(cluster) as client:
        count_messages()
        client.run(count_messages)
        moved = []
        for n in (20_000, 400_000):
            rows = da.random.default_rng(0).random((n, 4), chunks=(n // 8, 4)).persist()
            distributed.wait(rows)
            totals = []
            for max_iter in (2, 12):
                before = bytes_sent() + sum(client.run(bytes_sent).values())
                fitted(rows, tol=0.0, max_iter=max_iter)
                totals.append(bytes_sent() + sum(client.run(bytes_sent).values()) - before)
            moved.append((totals[1] - totals[0]) / 10)
    assert max(moved) < 100_000  # the rows are 640 kB and 12.8 MB
    assert max(moved) < 1.5 * min(moved)


def test_rows_in_the_graph_travel_once(client, monkeypatch):
    """An array made of a NumPy array has its rows in its graph, which every pass would send."""
    sent = []
    get = distributed.Client.get

    def watched(self, graph, *args, **kwargs):
        sent.append(len(pickle.dumps(dict(graph))))
        return get(self, graph, *args, **kwargs)

    monkeypatch.setattr(distributed.Client, "get", watched)
    large = overlapping(60_000, 4)
    assert_same(fitted(da.from_array(large, chunks=(20_000, 4))), fitted(large))
    *iterations, sample = sorted(sent)  # the numbers of the rows that the start is sought on
    assert len(iterations) > 5
    assert max(iterations) < 10_000
    assert sample < large.nbytes / 4
