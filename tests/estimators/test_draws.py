"""Random rows and noise: the right distribution, and numbers that depend on their place alone."""

from __future__ import annotations

import pickle
import signal

import numpy as np
import pytest
from scipy import stats

from gaussmix import GaussianMixture
from gaussmix._estep import drawing
from gaussmix._estep.drawing import Noise
from gaussmix._parameters.mixture import MixtureParameters
from support import reference
from support.families import COVARIANCE_TYPES
from support.models import model_of, parameters_of
from support.processes import output_of

KEY = np.array([0x0123456789ABCDEF, 2**64 - 1, 0, 42], dtype=np.uint64)

#: Counter, key and result of Threefry-4x64-20 in the known answers that its authors publish.
PUBLISHED = [
    (
        "0000000000000000 0000000000000000 0000000000000000 0000000000000000",
        "0000000000000000 0000000000000000 0000000000000000 0000000000000000",
        "09218ebde6c85537 55941f5266d86105 4bd25e16282434dc ee29ec846bd2e40b",
    ),
    (
        "ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff",
        "29c24097942bba1b 0371bbfb0f6f4e11 3c231ffa33f83a1c cd29113fde32d168",
    ),
    (
        "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
        "452821e638d01377 be5466cf34e90c6c be5466cf34e90c6c c0ac29b7c97c50dd",
        "a7e8fde591651bd9 baafd0c30138319b 84a5c1a729e685b9 901d406ccebc1ba4",
    ),
]


def words(text: str) -> np.ndarray:
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint64)


def drawn(
    parameters: MixtureParameters,
    n: int,
    *,
    first: int = 0,
    key: np.ndarray = KEY,
    dtype: type = np.float64,
    n_threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    X = np.full((n, parameters.n_features), np.nan, dtype)
    y = np.full(n, -1)
    drawing.draw(parameters, key, first, X, y, n_threads)
    return X, y


def mixture_for(covariance_type: str, K: int, d: int) -> reference.Mixture:
    return reference.random_mixture(np.random.default_rng([K, d]), covariance_type, K, d)


# --- Against a plain implementation --------------------------------------------------------------


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_the_reference_has_the_published_words(counter, key, expected):
    found = reference.threefry(words(key), words(counter)[None])
    np.testing.assert_array_equal(found[0], words(expected))


def test_the_kernel_has_a_published_word(instruction_set):
    uniforms, _normals = Noise(1, words(PUBLISHED[0][1])).of(np.zeros(1, dtype=np.intp), 0)
    assert uniforms[0, 0] == int(PUBLISHED[0][2][:16], 16) // 2**11 / 2**53


@pytest.mark.parametrize("m", [0, 1, 2, 3, 4, 5, 6, 7, 40])
def test_noise_is_that_of_the_reference(instruction_set, m):
    rows = np.random.default_rng(m).integers(0, 2**62, 29)
    for n_draws in (1, 3):
        uniforms, normals = Noise(n_draws, KEY).of(rows, m)
        for draw in range(n_draws):
            uniform, normal = reference.noise(KEY, rows, draw, m)
            np.testing.assert_array_equal(uniforms[:, draw], uniform)
            np.testing.assert_allclose(normals[:, draw], normal, rtol=3e-15, atol=1e-15)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 33, 130])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_rows_are_those_of_the_reference(instruction_set, covariance_type, d):
    for K, n in ((1, 1), (5, 403), (40, 100)):
        mixture = mixture_for(covariance_type, K, d)
        X, y = drawn(parameters_of(mixture), n, first=2**40)
        expected, labels = reference.sampled(mixture, KEY, 2**40 + np.arange(n))
        np.testing.assert_array_equal(y, labels)
        np.testing.assert_allclose(X, expected, rtol=1e-10, atol=1e-10)
        single, _ = drawn(parameters_of(mixture), n, first=2**40, dtype=np.float32)
        np.testing.assert_array_equal(single, X.astype(np.float32))


def test_a_row_has_the_digits_of_a_triangular_solve():
    """A covariance of condition 1e12: the factor that went in comes out of what is drawn."""
    d = 12
    i = np.arange(d)
    covariance = 1.0 / (i[:, None] + i + 1) + 1e-12 * np.eye(d)  # Hilbert's matrix
    mixture = reference.Mixture("full", np.ones(1), np.zeros((1, d)), covariance[None])
    parameters = parameters_of(mixture)
    factor = parameters.precisions_cholesky[0]
    X, _ = drawn(parameters, 500)
    normal = reference.noise(KEY, np.arange(500), 0, d)[1]
    bound = 1e-14 * (np.abs(X) @ np.abs(factor))
    assert (np.abs(X @ factor - normal) <= bound).all()


# --- The distribution of the noise ---------------------------------------------------------------


@pytest.fixture(scope="module")
def noise() -> tuple[np.ndarray, np.ndarray]:
    """Uniform (n, 2) and normal (n, 2, 5) numbers of two draws of each row."""
    return Noise(2, KEY).of(np.arange(200_000), 5)


def test_uniform_numbers_are_uniform(noise):
    uniforms = noise[0].ravel()
    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    assert stats.kstest(uniforms, "uniform").pvalue > 1e-3
    lowest_bits = (uniforms * 2**53).astype(np.uint64) % 1024
    assert stats.chisquare(np.bincount(lowest_bits.astype(int), minlength=1024)).pvalue > 1e-3


def test_normal_numbers_are_normal(noise):
    normals = noise[1].reshape(-1, 5)
    for column in normals.T:
        assert stats.kstest(column, "norm").pvalue > 1e-3
    n = normals.size
    # Moments, less those of a normal distribution, in their standard errors.
    moments = [(normals**power).mean() for power in (1, 2, 3, 4)]
    errors = np.sqrt(np.array([1, 2, 15, 96]) / n)
    assert (np.abs(np.array(moments) - [0, 1, 0, 3]) < 4 * errors).all()
    # Equally likely cells, and fine ones where the tails begin.
    cells = stats.norm.ppf(np.linspace(0, 1, 1001))
    counts = np.histogram(normals, cells)[0]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_tails_are_as_heavy_as_they_should_be():
    """Of 40 million numbers 40 exceed, in size, what one in a million does."""
    count = {1e-3: 0, 1e-5: 0, 1e-6: 0}
    n = 0
    for first in range(40):
        normals = Noise(1, KEY, first * 10_000).of(np.arange(10_000), 100)[1]
        n += normals.size
        sizes = np.abs(normals)
        for share in count:
            count[share] += np.count_nonzero(sizes > stats.norm.isf(share / 2))
    for share, found in count.items():
        assert stats.binomtest(found, n, share).pvalue > 1e-3, share


def test_the_least_uniform_number_makes_the_largest_normal_one():
    """The radius goes on to 2^-53: words of counters that are known to be small."""
    counters = np.zeros((300_000, 4), dtype=np.uint64)
    counters[:, 1] = np.arange(len(counters))
    far = reference.threefry(KEY, counters)[:, 2]
    rows = np.argsort(far)[:20]
    _, normals = Noise(1, KEY).of(rows, 2)
    radius = np.sqrt(-2 * np.log((far[rows] // 2**11 + 1) / 2.0**53))
    assert radius.max() > 4.9
    np.testing.assert_allclose(np.hypot(*normals[:, 0].T), radius, rtol=1e-14)


def correlated(*pairs: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether numbers, or their squares, go together more than those of chance do."""
    for a, b in pairs:
        for one, other in ((a, b), (a**2, b**2), (a, b**2), (np.abs(a) > 2, np.abs(b) > 2)):
            r = np.corrcoef(one.ravel(), other.ravel())[0, 1]
            if abs(r) * np.sqrt(one.size) > 4:
                return True
    return False


def test_nothing_goes_together(noise):
    uniforms, normals = noise
    first = normals[:, 0]
    columns = [(first[:, i], first[:, j]) for i in range(5) for j in range(i)]
    assert not correlated(*columns)
    rows = [(first[lag:], first[:-lag]) for lag in (1, 2, 8)]
    assert not correlated(*rows)
    assert not correlated((normals[:, 0], normals[:, 1]))
    assert not correlated(*((stats.norm.ppf(uniforms[:, 0]), column) for column in first.T))


@pytest.mark.parametrize("word", range(4))
def test_neighbouring_keys_have_nothing_in_common(noise, word):
    other = KEY.copy()
    other[word] ^= np.uint64(1)
    assert not correlated((noise[1], Noise(2, other).of(np.arange(200_000), 5)[1]))


def test_seeds_of_several_parts_are_told_apart():
    keys = [Noise.seeded(1, *seed).key for seed in ((1,), (1, 2), (2, 1), (12,), (1, 2, 0))]
    assert len({key.tobytes() for key in keys}) == 4  # trailing zeros are none of a seed


# --- The distribution of rows --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "K", "n"), [(1, 3, 40_000), (2, 1, 40_000), (2, 50, 60_000), (9, 4, 40_000),
                      (33, 3, 20_000), (300, 2, 6_000)]
)  # fmt: skip
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_rows_have_the_parameters_of_the_mixture(covariance_type, d, K, n):
    mixture = mixture_for(covariance_type, K, d)
    X, y = model_of(mixture).sample(n, random_state=d)
    counts = np.bincount(y, minlength=K)
    if K > 1:
        assert stats.chisquare(counts, n * mixture.weights).pvalue > 1e-4
    dense = reference.dense_covariances(mixture)
    for k in range(min(K, 4)):
        rows = X[y == k] - mixture.means[k]
        deviations = np.sqrt(np.diag(dense[k]))
        assert (np.abs(rows.mean(axis=0)) < 5 * deviations / np.sqrt(counts[k])).all()
        # Whitened, moments are those of independent normal numbers.
        white = np.linalg.solve(np.linalg.cholesky(dense[k]), rows.T)
        error = (white @ white.T / counts[k] - np.eye(d)) * np.sqrt(counts[k])
        assert np.abs(error - np.diag(np.diag(error))).max() < 5.5
        assert np.abs(np.diag(error)).max() < 5.5 * np.sqrt(2)
        worst = min(stats.kstest(column, "norm").pvalue for column in white[:40])
        assert worst > 1e-3 / 40


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_every_column_is_the_mixture_of_its_normal_distributions(covariance_type):
    model = model_of(mixture_for(covariance_type, 4, 3))
    X, _ = model.sample(20_000, random_state=4)
    for column in range(3):
        marginal = model.marginal([column])
        assert stats.kstest(X[:, column], marginal.cdf).pvalue > 1e-3


def test_components_without_weight_are_never_drawn():
    means = np.arange(5.0)[:, None]
    model = GaussianMixture.from_parameters([0, 0.5, 0, 0.5, 0], means, np.ones((5, 1)))
    assert set(model.sample(10_000, random_state=0)[1]) == {1, 3}
    parameters = model._parameters()
    assert set(drawn(parameters, 10_000)[1]) == {1, 3}


def test_weights_are_taken_in_proportion():
    parameters = parameters_of(mixture_for("diag", 3, 2))
    doubled = MixtureParameters(
        "diag", 2 * parameters.weights, parameters.means, None, parameters.precisions_cholesky
    )
    np.testing.assert_array_equal(drawn(parameters, 999)[1], drawn(doubled, 999)[1])


def test_many_components():
    K = 20_000
    weights = np.random.default_rng(0).uniform(0.5, 1.5, K)
    model = GaussianMixture.from_parameters(
        weights / weights.sum(), np.arange(K)[:, None] * 100.0, np.full((K, 1, 1), 4.0)
    )
    X, y = model.sample(50_000, random_state=0)
    assert stats.kstest((X[:, 0] - 100.0 * y) / 2, "norm").pvalue > 1e-3
    assert y.max() > 0.99 * K
    expected = np.add.reduceat(weights, np.arange(0, K, 200)) / weights.sum() * len(y)
    assert stats.chisquare(np.bincount(y // 200), expected).pvalue > 1e-3


# --- Numbers by their place alone ----------------------------------------------------------------


@pytest.mark.parametrize(("d", "K"), [(1, 3), (2, 40), (9, 4), (39, 3), (130, 2)])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_threads_and_cuts_change_no_bit(instruction_set, covariance_type, d, K):
    n = 2_003 if d > 100 else 9_001
    parameters = parameters_of(mixture_for(covariance_type, K, d))
    X, y = drawn(parameters, n)
    for n_threads in (2, 3, 8):
        again, labels = drawn(parameters, n, n_threads=n_threads)
        np.testing.assert_array_equal(again, X)
        np.testing.assert_array_equal(labels, y)
    for first, size in ((0, 1), (1, 1), (0, 10), (5, 23), (n - 7, 7), (311, 1_500)):
        part, labels = drawn(parameters, size, first=first)
        np.testing.assert_array_equal(part, X[first : first + size])
        np.testing.assert_array_equal(labels, y[first : first + size])


def test_cuts_of_noise_change_no_bit(instruction_set):
    uniforms, normals = Noise(3, KEY, first=7).of(np.arange(1_000), 11)
    some = np.array([999, 3, 3, 500])
    for n_draws in (1, 2):
        one = Noise(n_draws, KEY).after(4).after(3).of(some, 11)
        np.testing.assert_array_equal(one[0], uniforms[some, :n_draws])
        np.testing.assert_array_equal(one[1], normals[some, :n_draws])
    assert Noise(3, KEY).of(np.empty(0, dtype=np.intp), 4)[1].shape == (0, 3, 4)
    cut = [part.of(np.arange(5), 11) for part in Noise(7, KEY, first=7).parts(3)]
    for whole, pieces in zip(Noise(7, KEY, first=7).of(np.arange(5), 11), zip(*cut)):
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


SAMPLED = """
import hashlib
import numpy as np
from gaussmix import GaussianMixture

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for d, n in ((3, 40_000), (64, 6_000), (300, 2_000)):
    factors = np.triu(rng.normal(size=(2, d, d)) / d) + np.eye(d)
    model = GaussianMixture(2)
    model.weights_, model.means_ = np.full(2, 0.5), rng.normal(size=(2, d))
    model.precisions_cholesky_ = factors
    digest.update(model.sample(n, random_state=0)[0].tobytes())
print(digest.hexdigest())
"""


def test_no_library_s_threads_change_a_bit():
    outputs = {
        output_of(SAMPLED, OMP_NUM_THREADS=n, OPENBLAS_NUM_THREADS=n) for n in ("1", "2", "3")
    }
    assert len(outputs) == 1


def test_nothing_is_written_beyond_the_rows(instruction_set):
    for covariance_type in COVARIANCE_TYPES:
        for d in (1, 2, 5, 8, 9, 17):
            parameters = parameters_of(mixture_for(covariance_type, 3, d))
            for n in (1, 7, 50):
                for dtype in (np.float64, np.float32):
                    X, y = np.full((n + 2, d), np.nan, dtype), np.full(n + 2, -1)
                    drawing.draw(parameters, KEY, 0, X[1:-1], y[1:-1], 1)
                    assert np.isfinite(X[1:-1]).all()
                    assert np.isnan(X[[0, -1]]).all()
                    assert y[0] == y[-1] == -1
                    assert (y[1:-1] >= 0).all()


# --- sample --------------------------------------------------------------------------------------


@pytest.fixture
def model() -> GaussianMixture:
    return model_of(mixture_for("full", 3, 2), random_state=0)


def test_few_rows_are_the_first_of_many(model):
    X, y = model.sample(1000, random_state=3)
    for n in (1, 10, 999):
        few, labels = model.sample(n, random_state=3)
        np.testing.assert_array_equal(few, X[:n])
        np.testing.assert_array_equal(labels, y[:n])
    assert y.dtype == np.intp


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_move_on_alike_for_any_number_of_rows(model, make):
    one, other = make(0), make(0)
    first = model.sample(1, random_state=one)[0]
    np.testing.assert_array_equal(model.sample(5000, random_state=other)[0][:1], first)
    second = model.sample(4, random_state=one)[0]
    np.testing.assert_array_equal(model.sample(4, random_state=other)[0], second)
    assert not np.array_equal(first[0], second[0])


def test_models_pickled_before_go_on(model):
    """What a model remembers of its stream is its seed and a RandomState, as ever."""
    model._sampler = (0, np.random.RandomState(0))
    twin = pickle.loads(pickle.dumps(model))
    for _ in range(2):
        np.testing.assert_array_equal(model.sample(3)[0], twin.sample(3)[0])
    assert not np.array_equal(model.sample(3)[0], model_of(mixture_for("full", 3, 2)).sample(3)[0])


def test_a_sample_changes_nothing_but_the_stream(model):
    before = pickle.dumps({**vars(model)})
    model.sample(10, random_state=5)
    assert pickle.dumps({**vars(model)}) == before
    model.sample(10)
    del model._sampler
    assert pickle.dumps({**vars(model)}) == before


def test_no_memory_for_the_rows_leaves_the_stream(model):
    model.sample(1)
    twin = pickle.loads(pickle.dumps(model))
    with pytest.raises(MemoryError, match="Draw fewer rows at a time"):
        model.sample(10**15)
    np.testing.assert_array_equal(model.sample(5)[0], twin.sample(5)[0])


def test_means_of_integers_cut_no_digits(model):
    model.means_ = np.round(model.means_).astype(np.int64)
    X, _ = model.sample(50, random_state=0)
    assert X.dtype == np.float64
    assert (X % 1 != 0).all()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that sends a signal")
def test_ctrl_c_ends_a_long_sample():
    code = """
import signal, time
import numpy as np
from gaussmix import GaussianMixture

model = GaussianMixture.from_parameters(
    np.ones(4) / 4, np.zeros((4, 300)), np.tile(np.eye(300), (4, 1, 1)), n_threads=1
)
delays = []
for _ in range(3):
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        start = time.monotonic()
        model.sample(500_000)
    except KeyboardInterrupt:
        delays.append(time.monotonic() - start - 0.1)
    if min(delays, default=1) < 0.5:
        break
print(min(delays) < 0.5)
"""
    handler = "import signal; signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
    assert output_of(handler + code) == "True"


def test_a_command_draws_as_the_method_does(model, tmp_path, monkeypatch, run_command):
    from gaussmix.cli import sample

    model.save(tmp_path / "model.npz")
    expected = model.sample(1_000, random_state=7)[0]
    for rows in (50, 1_000_000):
        monkeypatch.setattr(sample, "MAX_BLOCK_ROWS", rows)
        out = tmp_path / "drawn.npy"
        run_command("sample", tmp_path / "model.npz", "-n", 1000, "--seed", 7, "-o", out)
        np.testing.assert_array_equal(np.load(out), expected)
