"""Model files in the world: of every format version, of failing machines, and of nobody's making.

`test_persistence.py` is about single files and their parts; here are the promises over time.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import gaussmix
from gaussmix import ModelFileError
from gaussmix._files import model_file, npz
from gaussmix._files.model_file import load, save
from gaussmix._files.model_metadata import FORMAT_VERSION
from support.examples import NEW_EXAMPLES
from support.model_files import (
    COVARIANCES,
    archive,
    members_of,
    model,
    only_file_in,
    refused,
    rewrite_metadata,
    running,
)
from support.paths import ROOT

MODELS = Path(__file__).parent / "models"

#: The files as they were committed. One is added for every format version; none is ever changed.
DIGESTS = {
    "format_1": "aa55c42ce43daa4a975295c26bcc68e2ec40f95ada5fa50bbc8b301136330cc7",
    "format_1_bare": "b099ff7ea80b3b38c82dda1754114946f44530ca4a694c923c49d0e9098bf3a9",
    "format_2": "fbf4a3c9063d9d794bbf9d27493ecf9e6a0b6544597a737af0c378048b90c30c",
    "format_2_bare": "669095d426f0a70a9904f2a3d952c0c7d63a87fbd6647a4fb5f836a0e6522ba9",
    "format_3": "64586536f5db0f3b00b26941a354a2b31aff08a364a068395bd640b3a38695b3",
    "format_3_bare": "a36d614ee6cec6dc2a58536fc139c18b52e91408330bf27965c09bf98ef2de2d",
    "format_4": "571ba0c852d6925439bc14fb4b215a54125ce911d5ed3b5e9f33fc7e2ff681e1",
    "format_4_bare": "a670b7f1cef854f40bee3d0bf95753840f6e818e6df00a7f04acd555cdf2316d",
    "format_5": "c9504ee67890c597386578e3c04a2461a523d72f497d7fb9d77943b8bdaf106d",
    "format_5_bare": "9b3184ff321f1f3fd6216a92914c75f482c797bf82415a753887651a7aaa228d",
}

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, limits and signals of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


# --- every format version ------------------------------------------------------------------------


def test_there_are_files_of_every_format_version_and_they_are_as_they_were():
    found = {path.stem: hashlib.sha256(path.read_bytes()) for path in MODELS.glob("*.npz")}
    assert {name: digest.hexdigest() for name, digest in found.items()} == DIGESTS
    versions = range(1, FORMAT_VERSION + 1)
    assert {*DIGESTS} == {f"format_{v}{kind}" for v in versions for kind in ("", "_bare")}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_model_of_any_format_version_is_as_it_was_saved(name):
    expected = json.loads((MODELS / f"{name}.json").read_text(encoding="ascii"))
    loaded = gaussmix.load(MODELS / f"{name}.npz")
    assert load(MODELS / f"{name}.npz")["format_version"] == int(name.split("_")[1])

    defaults = gaussmix.GaussianMixture().get_params()
    parameters = loaded.get_params()
    for key, value in {**defaults, **expected["parameters"]}.items():
        np.testing.assert_array_equal(parameters[key], value, err_msg=key)
    names = getattr(loaded, "feature_names_in_", None)
    assert (None if names is None else list(names)) == expected["feature_names"]

    remembered = expected.get("effective_rows")
    assert hasattr(loaded, "effective_rows_") == (remembered is not None)
    if remembered is not None:
        assert loaded.effective_rows_.tolist() == remembered

    single = expected["dtype"] == "float32"
    for key, value in {"collapses_": [], "n_samples_seen_": 0, **expected["attributes"]}.items():
        found = getattr(loaded, key)
        if key.startswith("precisions_"):  # computed anew from the covariances
            tolerance = 1e-5 if single else 1e-13
            np.testing.assert_allclose(found, value, rtol=tolerance, err_msg=key)
        elif isinstance(found, np.ndarray):
            assert found.dtype == expected["dtype"]
            np.testing.assert_array_equal(found, np.array(value, found.dtype), err_msg=key)
        else:
            assert found == value, key


@pytest.mark.parametrize("name", DIGESTS)
def test_a_model_of_any_format_version_scores_as_it_did(name):
    expected = json.loads((MODELS / f"{name}.json").read_text(encoding="ascii"))
    loaded = gaussmix.load(MODELS / f"{name}.npz")
    if hasattr(loaded, "feature_names_in_"):
        del loaded.feature_names_in_
    X = np.array(expected["rows"], dtype=expected["dtype"])
    # Not the last bit, which depends on the instruction set.
    tolerance = 1e-5 if expected["dtype"] == "float32" else 1e-14
    np.testing.assert_allclose(loaded.score_samples(X), expected["log_densities"], rtol=tolerance)
    assert loaded.predict(X).tolist() == expected["labels"]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_model_of_any_format_version_can_be_saved_and_fitted_again(name, path):
    loaded = gaussmix.load(MODELS / f"{name}.npz")
    loaded.save(path)
    again = load(path)
    assert again["format_version"] == FORMAT_VERSION
    for key, value in load(MODELS / f"{name}.npz").items():
        if key not in ("format_version", "library_version", "parameters"):
            np.testing.assert_equal(again[key], value, err_msg=key)
    X = np.random.default_rng(0).normal(size=(50, 2))
    with warnings.catch_warnings(action="ignore"):
        loaded.fit(X)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("format_1", lambda metadata: metadata["parameters"].update(acceleration=None)),
        ("format_1", lambda metadata: metadata.update(collapses=[])),
        ("format_2", lambda metadata: metadata["parameters"].update(variance_floor=0.0)),
        ("format_2", lambda metadata: metadata.update(collapses=[])),
        ("format_3", lambda metadata: metadata.pop("collapses")),
        ("format_3", lambda metadata: metadata["parameters"].pop("on_collapse")),
        ("format_3", lambda metadata: metadata.update(n_samples_seen=5)),
        ("format_4", lambda metadata: metadata["parameters"].pop("forgetting")),
        ("format_5", lambda metadata: metadata["parameters"].pop("allow_nan")),
    ],
)
def test_a_file_holds_what_its_format_version_has_and_nothing_else(name, change, path):
    def changed(text):
        metadata = json.loads(text)
        change(metadata)
        return json.dumps(metadata, sort_keys=True, separators=(",", ":"))

    path.write_bytes((MODELS / f"{name}.npz").read_bytes())
    rewrite_metadata(path, lambda text: changed(text))
    reason = refused(path, path.read_bytes())
    assert "unknown to its format" in reason or "not as gaussmix" in reason or "exactly" in reason


# --- machines that fail --------------------------------------------------------------------------


def in_another_process(call: str, *arguments: object) -> str:
    """What a function of this module prints, in a process of its own with one thread."""
    folders = [str(Path(__file__).parent), str(ROOT / "tests")]
    code = f"import sys; sys.path[:0] = {folders}\n"
    code += f"import test_model_files; test_model_files.{call}(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout


PTRACE_TRACEME, PTRACE_SYSCALL = 0, 24


def killed_at(stop: int, action) -> bool:
    """Run `action` in a child that is killed at its `stop`-th entry to or return from a system
    call; False if it had ended before.
    """
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.restype = ctypes.c_long
    ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    child = os.fork()
    if child == 0:
        try:
            if ptrace(PTRACE_TRACEME, 0, None, None) != 0:
                os._exit(77)
            os.kill(os.getpid(), signal.SIGSTOP)
            action()
        finally:
            os._exit(0)
    for stops in range(stop + 1):  # the first is that of the signal
        if stops > 0:
            ptrace(PTRACE_SYSCALL, child, None, None)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) == 77:
                print("this system does not let a process trace its children")
                sys.exit(77)
            return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def kill_everywhere(target):
    """Kill a save at each of its system calls; prints the file each one left: old or new."""
    save(target, model(n_iter=13))
    new = Path(target).read_bytes()
    save(target, model())
    old = Path(target).read_bytes()
    stop = 1
    while killed_at(stop, lambda: save(target, model(n_iter=13))):
        found = Path(target).read_bytes()
        print("old" if found == old else "new" if found == new else f"neither, at stop {stop}")
        for name in os.listdir(os.path.dirname(target)):
            other = Path(target).with_name(name)
            if name != os.path.basename(target):
                assert re.fullmatch(r"\.gaussmix-[0-9a-f]+\.tmp", name)
                other.unlink()
        Path(target).write_bytes(old)
        stop += 1


@pytest.mark.skipif(sys.platform != "linux", reason="traces system calls as Linux does")
def test_killed_at_any_moment(path):
    """What is on disk changes by system calls alone, so these are all the moments there are."""
    left = in_another_process("kill_everywhere", path).split()
    assert {*left} == {"old", "new"}
    assert len(left) > 20
    renamed = left.index("new")
    assert {*left[:renamed]} == {"old"}
    assert {*left[renamed:]} == {"new"}


def large_model():
    k, d = 20, 50
    return model(
        weights=np.full(k, 1 / k),
        means=np.zeros((k, d)),
        covariances=np.tile(np.eye(d), (k, 1, 1)),
    )


def fill_the_disk(target):
    """Save with too little room, by each number of bytes; prints how often."""
    import resource

    def refused_with(contents, room):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            with pytest.raises(OSError) as caught:
                save(target, contents)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert caught.value.filename == target
        assert Path(target).read_bytes() == old
        assert only_file_in(os.path.dirname(target)) == os.path.basename(target)

    save(target, large_model())
    size = os.path.getsize(target)
    save(target, model(n_iter=13))
    small = os.path.getsize(target)
    old = Path(target).read_bytes()
    rooms = [(model(), room) for room in range(small)]
    rooms += [(large_model(), room) for room in range(0, size, 4099)]
    for contents, room in rooms:
        refused_with(contents, room)
    print(len(rooms))


@posix
def test_a_full_disk_at_any_byte(path):
    assert int(in_another_process("fill_the_disk", path)) > 2000


def save_without_permission(directory):
    """As a user who owns nothing here: the superuser may write everywhere."""
    os.chdir(directory)
    os.chmod(".", 0o755)
    cases = {"closed": (0o555, 0o666), "protected": (0o777, 0o444)}
    if os.geteuid() == 0:
        cases["sticky"] = (0o1777, 0o666)  # as where all may write: others' files stay
    for name, (mode, file_mode) in cases.items():
        os.mkdir(name)
        save(f"{name}/model.npz", model())
        os.chmod(f"{name}/model.npz", file_mode)
        os.chmod(name, mode)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    for name in cases:
        with pytest.raises(PermissionError) as caught:
            save(f"{name}/model.npz", model(n_iter=13))
        assert caught.value.filename == f"{name}/model.npz"
        assert load(f"{name}/model.npz")["n_iter"] == 12
        assert only_file_in(name) == "model.npz"
        print(name)


@posix
def test_without_permission(tmp_path):
    refused_in = in_another_process("save_without_permission", tmp_path).split()
    assert refused_in[:2] == ["closed", "protected"]


# --- time and memory -----------------------------------------------------------------------------

#: What `gaussmix.load` may take, whatever is in the file: as docs/model-files.md says.
PER_BYTE, BESIDE = 16, 2**20


def memory_of_loading(path: Path, *, refused: bool) -> int:
    tracemalloc.start()
    try:
        if refused:
            with pytest.raises(ModelFileError):
                gaussmix.load(path)
        else:
            gaussmix.load(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


SIZE = 2**20
METADATA = {
    "nested": b"[" * SIZE + b"]" * SIZE,
    "lists": b'{"a":[' + b"[]," * (SIZE // 3) + b"[]]}",
    "objects": b'{"a":[' + b"{}," * (SIZE // 3) + b"{}]}",
    "words": b'{"a":[' + b'"ab",' * (SIZE // 5) + b'""]}',
    "letters": b'{"a":[' + b'"a",' * (SIZE // 4) + b'""]}',
    "numbers": b'{"a":[' + b"1.5," * (SIZE // 4) + b"1]}",
    "keys": b"{" + b",".join(b'"%09d":1' % i for i in range(SIZE // 13)) + b"}",
    "short keys": b"{" + b",".join(b'"%x":1' % i for i in range(SIZE // 8)) + b"}",
    "long keys": b"{" + b",".join(b'"%013d":1' % i for i in range(SIZE // 17)) + b"}",
    "escapes": b'{"a":"' + b'\\"' * (SIZE // 2) + b'"}',
    "brackets in text": b'{"a":["' + b"[" * SIZE + b'"]}',
    "text without end": b'"' + b'\\"' * (SIZE // 2),
    "digits": b'{"format_version":' + b"1" * SIZE + b"}",
    "a later version": b'{"format_version":9,"library_version":["' + b"x" * SIZE + b'"]}',
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_of_any_kind_takes_bounded_memory(path, name):
    save(path, model())
    members = dict(members_of(path))
    text = METADATA[name]
    members["metadata"] = npz.npy_header("|u1", (len(text),)) + text
    path.write_bytes(archive(members.items()))
    assert memory_of_loading(path, refused=True) < PER_BYTE * path.stat().st_size + BESIDE
    with pytest.raises(ModelFileError) as caught:
        gaussmix.load(path)
    assert len(str(caught.value)) < len(str(path)) + 300


def made(covariance_type, dtype, k, covariances, **changes):
    covariances = np.asarray(covariances, dtype)
    d = changes.pop("d", covariances.shape[-1])
    weights, means = np.full(k, 1 / k, dtype), np.zeros((k, d), dtype)
    return model(
        covariance_type, dtype, weights=weights, means=means, covariances=covariances, **changes
    )


LARGE = {
    "tied": lambda dtype: made("tied", dtype, 1, np.eye(400) + 0.1),
    "full": lambda dtype: made("full", dtype, 30, np.tile(np.eye(80) + 0.1, (30, 1, 1))),
    "one column": lambda dtype: made("full", dtype, 60_000, np.ones((60_000, 1, 1))),
    "diag": lambda dtype: made("diag", dtype, 30, np.ones((30, 5000))),
    "names": lambda dtype: made(
        "spherical", dtype, 1, [1.0], d=100_000, feature_names=["ab"] * 100_000
    ),
    "hard names": lambda dtype: made(
        "spherical", dtype, 1, [1.0], d=20_000, feature_names=['[{\\":,"'] * 20_000
    ),
    "collapses": lambda dtype: model(
        "full", dtype,
        collapses=[{"action": "drop", "columns": [], "component": 0, "effective_rows": 0.0,
                    "iteration": 0}] * 20_000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LARGE)
def test_large_models_load_in_bounded_memory(path, name, dtype):
    save(path, LARGE[name](dtype))
    assert memory_of_loading(path, refused=False) < PER_BYTE * path.stat().st_size + BESIDE


def test_covariances_are_factorised_once(path, monkeypatch):
    """And not one by one in Python: a model of many components loads at once."""
    save(path, LARGE["one column"](np.float64))
    monkeypatch.setattr(np.linalg, "cholesky", None)
    start = time.perf_counter()
    assert gaussmix.load(path).means_.shape == (60_000, 1)
    assert time.perf_counter() - start < 1  # 0.01 s; 2 s one by one


@pytest.mark.parametrize("size", [3, 400])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_one_wrong_number_in_many_is_found(path, monkeypatch, covariance_type, size):
    matrices = np.tile(np.eye(size), (5, 1, 1))
    matrices[4, size - 1, 0] = 0.5
    matrices = matrices if covariance_type == "full" else matrices[4]
    contents = made(covariance_type, np.float64, 5, matrices)
    which = r"covariances\[4\]" if covariance_type == "full" else "covariances"
    with pytest.raises(ModelFileError, match=f"{which} is not symmetric"):
        save(path, contents)
    matrices[..., size - 1, 0] = matrices[..., 0, size - 1] = 2.0
    if covariance_type == "full":
        matrices[:4] = np.eye(size)
    contents = made(covariance_type, np.float64, 5, matrices)
    with pytest.raises(ModelFileError, match=f"{which} is not positive definite"):
        save(path, contents)
    monkeypatch.setattr(model_file, "check_definite", lambda *_: None)
    save(path, contents)
    with pytest.raises(ModelFileError, match=f"{which} is not positive definite"):
        gaussmix.load(path)


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308 * 10])
def test_numbers_beyond_all_floating_point_ones_are_refused(path, value):
    for changes in ({"n_samples_seen": value}, {"n_iter": value}, {"parameters": {"tol": value}}):
        with pytest.raises(ModelFileError, match="cannot be saved: ") as caught:
            save(path, model(**changes))
        assert len(caught.value.reason) < 200


def with_members(data: bytes, **changes) -> bytes:
    """A model file with other members, under checksums that are right."""
    members = members_of(io.BytesIO(data))
    return archive([(name, changes.get(name, content)) for name, content in members])


def stored(array) -> bytes:
    """An array as a model file holds it."""
    return npz.npy_header(array.dtype.str, array.shape) + array.tobytes()


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_arrays_of_two_precisions_are_kept_in_the_wider_one(path, covariance_type):
    save(path, model(covariance_type, np.float64))
    means = gaussmix.load(path).means_.astype("<f4")
    path.write_bytes(with_members(path.read_bytes(), means=stored(means)))
    loaded = gaussmix.load(path)
    assert loaded.means_.dtype == loaded.covariances_.dtype == np.float64
    loaded.save(path)
    again = gaussmix.load(path)
    for name in ("means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(loaded, name), strict=True)


@pytest.mark.parametrize("name", ["max_iter", "n_init", "n_threads", "verbose_interval"])
def test_parameters_that_no_model_can_have_are_refused(path, name):
    save(path, model())
    rewrite_metadata(path, lambda text: re.sub(f'"{name}":[^,}}]+', f'"{name}":{2**64}', text))
    assert f"parameter {name} cannot be {2**64}" in refused(path, path.read_bytes())


@pytest.mark.parametrize("totals", [(1e300, 1e-300), (1e-300, 1e300), (1e-310, 1.0)])
def test_running_statistics_of_impossible_rows_are_refused(path, totals):
    save(path, model(running=running("full")))
    changed = with_members(path.read_bytes(), running_totals=stored(np.array(totals)))
    assert refused(path, changed).startswith("running_totals are")


# --- files of nobody's making --------------------------------------------------------------------

#: What `load` may take beside the arrays, however small the file: objects of Python.
OVERHEAD = 256 * 1024


def sound_files() -> list[bytes]:
    """The files to begin from: all covariance types, optional members, earlier versions."""
    files = [path.read_bytes() for path in sorted(MODELS.glob("*.npz"))]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.npz")
        for covariance_type in COVARIANCES:
            for dtype in (np.float32, np.float64):
                save(path, model(covariance_type, dtype, feature_names=["a", "b"]))
                files.append(path.read_bytes())
            save(path, model(covariance_type, running=running(covariance_type)))
            files.append(path.read_bytes())
    return files


SOUND = sound_files()
places = st.floats(0, 1, exclude_max=True)
lengths = st.integers(1, 80)


@st.composite
def flipped_bits(draw, data: bytes) -> bytes:
    changed = bytearray(data)
    for place in draw(st.lists(places, min_size=1, max_size=6)):
        changed[int(place * len(data))] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


@st.composite
def spliced(draw, data: bytes) -> bytes:
    """Something cut out, put in, repeated, or taken from another file."""
    start = int(draw(places) * len(data))
    stop = min(len(data), start + draw(st.integers(0, 80)))
    other = draw(st.sampled_from([data, *SOUND]))
    source = int(draw(places) * len(other))
    piece = draw(st.one_of(st.just(b""), st.binary(max_size=40), st.none()))
    if piece is None:
        piece = other[source : source + draw(lengths)]
    return data[:start] + piece + data[stop:]


NUMBERS = [
    0.0, -0.0, 1.0, -1.0, 1e-320, 1e-300, 1e300, 1e-9, 0.5, np.nan, np.inf, -np.inf,
]  # fmt: skip
TOKENS = [
    "0", "1", "-1", "2", "4", "1e400", "NaN", "null", "true", "{}", "[]", '""', '"tied"', '"full"',
    '"diag"', '"spherical"', "18446744073709551616", "0.5", '"\\ud800"', "[[[", " ",
]  # fmt: skip


@st.composite
def changed_values(draw, content: bytes) -> bytes:
    """An array with other numbers in it."""
    header = 10 + int.from_bytes(content[8:10], "little")
    dtype = "<f4" if b"<f4" in content[:header] else "<f8"
    data = content[header:]
    values = np.frombuffer(data[: len(data) // int(dtype[2]) * int(dtype[2])], dtype=dtype).copy()
    for place in draw(st.lists(places, min_size=1, max_size=3)):
        number = draw(st.one_of(st.sampled_from(NUMBERS), st.floats(-3, 3)))
        if values.size:
            with np.errstate(over="ignore"):
                values[int(place * values.size)] = number
    return content[:header] + values.tobytes() + data[values.nbytes :]


@st.composite
def changed_header(draw, content: bytes) -> bytes:
    """An array with another dtype or shape before the same data."""
    end = 10 + int.from_bytes(content[8:10], "little")
    size = st.sampled_from([0, 1, 2, 3, 4, 6, 8, 12, 2**31, 2**62, 2**64])
    shape = tuple(draw(st.lists(size, max_size=3)))
    dtype = draw(st.sampled_from(["<f8", "<f4", "|u1", "<i8", "|O", ">f8"]))
    return npz.npy_header(dtype, shape) + content[end:]


@st.composite
def changed_metadata(draw, content: bytes) -> bytes:
    """Metadata with a value, or anything else, replaced, of the length that it now has."""
    end = 10 + int.from_bytes(content[8:10], "little")
    text = content[end:].decode("latin-1")
    for _ in range(draw(st.integers(1, 2))):
        values = list(re.finditer(r"(?<=[:,\[])[^:,\[\]{}]+", text)) or [re.match("", text)]
        chosen = draw(st.sampled_from(values))
        text = text[: chosen.start()] + draw(st.sampled_from(TOKENS)) + text[chosen.end() :]
    data = text.encode("latin-1")
    return npz.npy_header("|u1", (len(data),)) + data


@st.composite
def forged(draw, data: bytes) -> bytes:
    """Members changed, moved, repeated or left out, with checksums and directory that are right,
    so that nothing but the checks of the contents stands before them.
    """
    members = members_of(io.BytesIO(data))
    for _ in range(draw(st.integers(1, 3))):
        index = int(draw(places) * len(members))
        name, content = members[index]
        kind = draw(st.sampled_from(["values", "values", "values", "header", "members"]))
        if kind == "members":
            other = draw(st.sampled_from(members_of(io.BytesIO(draw(st.sampled_from(SOUND))))))
            members[index : index + 1] = draw(
                st.sampled_from([[], [members[index]] * 2, [other], [(name, other[1])]])
            )
            members = members or members_of(io.BytesIO(data))
        elif name == "metadata":
            members[index] = (name, draw(changed_metadata(content)))
        else:
            change = changed_values if kind == "values" else changed_header
            members[index] = (name, draw(change(content)))
    return archive(members)


hostile_files = st.sampled_from(SOUND).flatmap(
    lambda data: st.one_of(flipped_bits(data), spliced(data), forged(data), forged(data))
)


def check_loading(path: Path, data: bytes) -> None:
    """A file gives `ModelFileError`, or a model with which everything is right."""
    path.write_bytes(data)
    loaded = error = None
    tracemalloc.start()
    try:
        loaded = gaussmix.load(path)
    except ModelFileError as refusal:
        error = refusal
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * len(data) + OVERHEAD
    event("refused" if loaded is None else "loaded")
    if loaded is None:
        assert error.path == str(path)
        assert error.reason
        return
    check_mixture(loaded)
    loaded.save(path)
    again = gaussmix.load(path)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(loaded, name), strict=True)
    assert again.lower_bounds_ == loaded.lower_bounds_
    assert again.collapses_ == loaded.collapses_
    assert again.n_samples_seen_ == loaded.n_samples_seen_
    assert hasattr(again, "effective_rows_") == hasattr(loaded, "effective_rows_")
    assert repr(again) == repr(loaded)


def check_mixture(loaded) -> None:
    """The attributes are those of a mixture, and it can be used."""
    k, d = loaded.means_.shape
    assert loaded.weights_.shape == (k,)
    assert (loaded.weights_ >= 0).all()
    assert abs(loaded.weights_.sum(dtype=float) - 1) <= 2e-6
    for name in ("means_", "covariances_", "precisions_cholesky_"):
        assert np.isfinite(getattr(loaded, name)).all(), name
    if hasattr(loaded, "feature_names_in_"):
        assert len(loaded.feature_names_in_) == d
        del loaded.feature_names_in_
    X = np.ones((3, d), dtype=loaded.means_.dtype)
    assert not np.isnan(loaded.score_samples(X)).any()
    np.testing.assert_allclose(loaded.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert np.isin(loaded.predict(X), range(k)).all()


UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=400, suppress_health_check=UNCHECKED)
@given(data=hostile_files)
def test_hostile_files(path, data):
    check_loading(path, data)


@pytest.mark.slow
@settings(NEW_EXAMPLES, max_examples=30_000, suppress_health_check=UNCHECKED)
@given(data=hostile_files)
def test_many_hostile_files(path, data):
    check_loading(path, data)
