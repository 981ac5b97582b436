"""Model files: what is written, that it comes back, and that nothing else is read."""

from __future__ import annotations

import json
import os
import pickle
import re
import stat
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

import gaussmix
from gaussmix import ModelFileError
from gaussmix._files import model_file, model_metadata, npz
from gaussmix._files.model_file import load, save
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
from support.rows import changed


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


# --- what is written comes back ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_round_trip(path, covariance_type, dtype):
    saved = model(covariance_type, dtype)
    save(path, saved)
    loaded = load(path)
    assert loaded.pop("format_version") == model_metadata.FORMAT_VERSION
    assert set(loaded) == set(saved)
    for name in ("weights", "means", "covariances"):
        array = loaded.pop(name)
        np.testing.assert_array_equal(array, saved[name], strict=True)
        assert array.dtype.isnative
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.flags.owndata
    for name, value in loaded.items():
        assert value == saved[name]
        assert type(value) is type(saved[name])
    assert only_file_in(path.parent) == "model.npz"


def test_starting_values_and_names_come_back(path):
    names = np.array(["dauer", 'W\u00e4rme \U0001f600 "x"\n'], dtype=object)
    start = {"weights_init": (0.5, 0.5), "means_init": np.eye(2, dtype=np.float32)}
    save(path, model(parameters=start, feature_names=names))
    loaded = load(path)
    assert loaded["feature_names"] == list(names)
    np.testing.assert_array_equal(loaded["parameters"]["weights_init"], [0.5, 0.5])
    np.testing.assert_array_equal(loaded["parameters"]["means_init"], np.eye(2))
    assert loaded["parameters"]["precisions_init"] is None


def test_collapses_come_back(path):
    collapses = [COLLAPSE, {**COLLAPSE, "action": "reseed", "columns": [], "iteration": 0}]
    save(path, model(collapses=collapses))
    assert load(path)["collapses"] == collapses


@pytest.mark.parametrize("covariance_type", COVARIANCES)
def test_running_statistics_come_back(path, covariance_type):
    saved = running(covariance_type)
    save(path, model(covariance_type, np.float32, running=saved, n_samples_seen=17.5))
    loaded = load(path)
    assert loaded["n_samples_seen"] == 17.5
    assert loaded["running"].keys() == saved.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(loaded["running"][name], array, strict=True)


def test_numpy_scalars_come_back_as_python_ones(path):
    parameters = {"n_components": np.int64(2), "tol": np.float32(0.5), "warm_start": np.True_}
    save(path, model(parameters=parameters, converged=np.False_, n_iter=np.int32(4)))
    loaded = load(path)
    assert loaded["parameters"]["n_components"] == 2
    assert loaded["parameters"]["tol"] == 0.5
    assert loaded["parameters"]["warm_start"] is True
    assert loaded["converged"] is False
    assert loaded["n_iter"] == 4


@pytest.mark.parametrize("generator", [np.random.RandomState(0), np.random.default_rng(0)])
def test_a_generator_is_not_kept(path, generator):
    save(path, model(parameters={"random_state": generator}))
    assert load(path)["parameters"]["random_state"] is None


def test_a_model_that_was_never_iterated(path):
    save(path, model(lower_bound=-np.inf, lower_bounds=[], n_iter=0, converged=False))
    loaded = load(path)
    assert loaded["lower_bound"] == -np.inf
    assert loaded["lower_bounds"] == []


def test_arrays_of_any_layout_are_written_the_same(path):
    save(path, model())
    expected = path.read_bytes()
    turned = {
        name: np.asfortranarray(model()[name].astype(">f8"))
        for name in ("weights", "means", "covariances")
    }
    save(path, model(**turned))
    assert path.read_bytes() == expected


def test_the_same_model_gives_the_same_bytes(path):
    save(path, model())
    first = path.read_bytes()
    path.unlink()
    reordered = dict(reversed(model().items()))
    reordered["parameters"] = dict(reversed(reordered["parameters"].items()))
    save(path, reordered)
    assert path.read_bytes() == first


def test_numpy_and_zipfile_read_the_file(path):
    save(path, model(feature_names=["a", "b"]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays.files == [
            "metadata", "weights", "means", "covariances", "lower_bound", "lower_bounds",
        ]  # fmt: skip
        np.testing.assert_array_equal(arrays["means"], model()["means"])
        assert json.loads(arrays["metadata"].tobytes())["feature_names"] == ["a", "b"]


def test_a_path_may_be_a_string_or_bytes(tmp_path):
    save(str(tmp_path / "a"), model())
    save(os.fsencode(tmp_path / "b"), model())
    assert load(str(tmp_path / "b"))["n_iter"] == load(os.fsencode(tmp_path / "a"))["n_iter"]


def test_a_file_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("model", model())
    assert only_file_in(tmp_path) == "model"
    assert load("model")["n_iter"] == 12


# --- models that are none ------------------------------------------------------------------------


COLLAPSE = {
    "iteration": 3, "component": 1, "action": "drop", "columns": [1], "effective_rows": 2.5,
}  # fmt: skip


BROKEN = {
    "nan mean": ({"means": changed(np.eye(2), (0, 0), np.nan)}, "means contains NaN"),
    "infinite covariance": (
        {"covariances": changed(COVARIANCES["full"], (1, 0, 0), np.inf)},
        "covariances contains NaN or infinity",
    ),
    "nan bound": ({"lower_bound": np.nan}, "lower_bound contains NaN"),
    "infinite bound": ({"lower_bounds": [0.0, np.inf]}, "lower_bounds contains"),
    "negative weight": ({"weights": [-0.5, 1.5]}, r"weights\[0\] is -0.5, which is negative"),
    "weights": ({"weights": [0.5, 0.6]}, "weights add up to 1.1, and not to 1"),
    "asymmetric": (
        {"covariances": changed(COVARIANCES["full"], (1, 0, 1), 0.3)},
        r"covariances\[1\] is not symmetric",
    ),
    "indefinite": (
        {"covariances": changed(COVARIANCES["full"], (0, 1, 1), 0.1)},
        r"covariances\[0\] is not positive definite",
    ),
    "negative variance": (
        {"covariances": changed(COVARIANCES["full"], (0, 1, 1), -1.0)},
        r"covariances\[0\] is not positive definite: a variance is -1",
    ),
    "weights shape": ({"weights": [1.0]}, r"weights has the shape \(1,\), and not \(2,\)"),
    "means shape": ({"means": [1.0, 2.0]}, r"means has the shape \(2,\)"),
    "covariances shape": ({"covariances": np.eye(2)}, r"\(2, 2\), and not \(2, 2, 2\)"),
    "bounds shape": ({"lower_bounds": [[0.0]]}, r"lower_bounds has the shape \(1, 1\)"),
    "bound shape": ({"lower_bound": [0.0]}, r"lower_bound has the shape \(1,\)"),
    "names": ({"feature_names": ["a"]}, "names 1 columns, and has 2"),
    "n_iter": ({"n_iter": -1}, "n_iter is -1"),
    "converged": ({"converged": 1}, "converged is 1"),
    "version": ({"library_version": 1}, "library_version is 1"),
    "name": ({"feature_names": ["a", 2]}, "feature_names is not a list of strings"),
    "collapses": ({"collapses": None}, "collapses is not a list of entries"),
    "collapse": ({"collapses": [{"action": "drop"}]}, "collapses is not a list of entries"),
    "action": ({"collapses": [{**COLLAPSE, "action": "raise"}]}, "collapses is not a list"),
    "rows": ({"collapses": [{**COLLAPSE, "effective_rows": -1.0}]}, "collapses is not a list"),
    "blame": ({"collapses": [{**COLLAPSE, "columns": [0.5]}]}, "collapses is not a list"),
    "column": ({"collapses": [{**COLLAPSE, "columns": [1, 2]}]}, "names column 2, and the model"),
    "seen": ({"n_samples_seen": -1}, "n_samples_seen is -1"),
    "remembered shape": (
        {"running": running("diag")},
        r"running_second has the shape \(2, 2\), and not \(2, 2, 2\)",
    ),
    "remembered nan": (
        {"running": running(running_first=np.full((2, 2), np.nan))},
        "running_first contains NaN or infinity",
    ),
    "remembered weight": (
        {"running": running(running_weight=[1.0, -1.0])},
        "running_weight contains -1.0",
    ),
    "remembered nothing": (
        {"running": running(running_totals=[0.0, 1.0])},
        "running_totals contains 0.0",
    ),
    "remembered in part": (
        {"running": {"running_weight": np.ones(2)}},
        "its running statistics lack running_first, running_second",
    ),
}
BROKEN_PARAMETERS = [
    ("n_components", 0),
    ("n_components", True),
    ("covariance_type", "round"),
    ("covariance_type", {}),
    ("tol", -1.0),
    ("tol", "1"),
    ("max_iter", 1.5),
    ("init_params", "luck"),
    ("init_params", []),
    ("random_state", -1),
    ("warm_start", 1),
    ("n_threads", 0),
    ("acceleration", "squared"),
    ("acceleration", {}),
    ("variance_floor", 1.0),
    ("variance_floor", -0.5),
    ("on_collapse", None),
    ("on_collapse", {}),
    ("learning_decay", 0.5),
    ("forgetting", 1.0),
    ("allow_nan", 1),
]


@pytest.mark.parametrize("case", BROKEN)
def test_an_invalid_model_is_neither_saved_nor_loaded(path, case, monkeypatch):
    changes, reason = BROKEN[case]
    with pytest.raises(ModelFileError, match=f"cannot be saved: .*{reason}"):
        save(path, model(**changes))
    assert not path.exists()

    # What another program, or an older version with a bug, might have written.
    with monkeypatch.context() as patch:
        for check in ("check_metadata", "check_shapes", "check_values", "check_definite"):
            patch.setattr(model_file, check, lambda *_: None)
        save(path, model(**changes))
    with pytest.raises(ModelFileError, match=reason) as caught:
        gaussmix.load(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(("name", "value"), BROKEN_PARAMETERS)
def test_an_invalid_parameter_is_neither_saved_nor_loaded(path, name, value, monkeypatch):
    reason = f"constructor parameter {name} cannot be {re.escape(repr(value))}"
    with pytest.raises(ModelFileError, match=reason):
        save(path, model(parameters={name: value}))
    with monkeypatch.context() as patch:
        for check in ("check_metadata", "check_shapes"):
            patch.setattr(model_file, check, lambda *_: None)
        save(path, {**model(parameters={name: value})} if name != "covariance_type" else model())
        if name == "covariance_type":
            rewrite_metadata(path, lambda text: text.replace('"full"', json.dumps(value)))
    with pytest.raises(ModelFileError, match=reason):
        load(path)


@pytest.mark.parametrize(
    ("covariance_type", "place", "value"),
    [("diag", (1, 0), 0.0), ("spherical", (1,), -2.0)],
)
def test_variances_must_be_positive(path, covariance_type, place, value):
    covariances = changed(COVARIANCES[covariance_type], place, value)
    reason = re.escape(f"covariances{list(place)} is {value}, and not positive")
    with pytest.raises(ModelFileError, match=reason):
        save(path, model(covariance_type, covariances=covariances))


def test_float32_covariances_that_rounding_made_indefinite(path):
    covariances = np.array([[1.0, 1.0], [1.0, 1 + 1e-9]], dtype=np.float32)
    with pytest.raises(ModelFileError, match=r"not positive definite after rounding to float32"):
        save(path, model("tied", np.float32, covariances=covariances))


def test_entries_must_be_complete_and_known(path):
    contents = model()
    del contents["means"]
    with pytest.raises(ModelFileError, match="exactly the entries"):
        save(path, contents)
    with pytest.raises(ModelFileError, match="exactly the entries"):
        save(path, model(colour="red"))
    with pytest.raises(ModelFileError, match="constructor parameters are not exactly"):
        save(path, model(parameters={"colour": "red"}))
    with pytest.raises(ModelFileError, match="means is not an array of numbers"):
        save(path, model(means=[["a", "b"]]))
    assert not path.exists()


def test_the_error_carries_path_and_reason_through_pickling():
    error = pickle.loads(pickle.dumps(ModelFileError("a.npz", "it is red")))
    assert isinstance(error, ValueError)
    assert (error.path, error.reason) == ("a.npz", "it is red")
    assert str(error) == "a.npz: it is red"


# --- damaged and forged files --------------------------------------------------------------------


def is_refused(path):
    try:
        load(path)
    except ModelFileError:
        return True
    return False


def test_truncated_at_every_byte(path):
    save(path, model("spherical"))
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        assert is_refused(path), length


def check_flipped(path, bits_of):
    """Each byte of a file with one of the bits changed that `bits_of` its place gives."""
    save(path, model("spherical", parameters={"means_init": np.eye(2)}))
    data = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for place, byte in enumerate(data):
            for bit in bits_of(place):
                file.seek(place)
                file.write(bytes([byte ^ 1 << bit]))
                assert is_refused(path), (place, bit)
            file.seek(place)
            file.write(bytes([byte]))
    assert not is_refused(path)


def test_a_flipped_bit_of_every_byte(path):
    check_flipped(path, lambda place: [place % 8])


@pytest.mark.slow
def test_every_flipped_bit(path):
    check_flipped(path, lambda place: range(8))


def test_anything_before_between_or_after(path):
    save(path, model())
    data = path.read_bytes()
    refused(path, data + b"\0")
    refused(path, b"\0" + data)
    refused(path, data + data)
    second = data.index(b"PK\x03\x04", 4)
    refused(path, data[:second] + b"\0" + data[second:])


def test_random_bytes(path):
    generator = np.random.default_rng(0)
    for _ in range(200):
        refused(path, generator.bytes(int(generator.integers(0, 400))))
        refused(path, b"PK\x03\x04" + generator.bytes(int(generator.integers(0, 400))))


def test_other_kinds_of_file(path):
    assert "is not a model file (those come from model.save or gaussmix fit)" in refused(path, b"")
    assert "is not a model file (those come from model.save or gaussmix fit)" in refused(
        path, b"duration,waiting\n3.6,79\n"
    )
    assert "is not a model file (those come from model.save or gaussmix fit)" in refused(
        path, pickle.dumps({"weights": [1.0]})
    )
    np.savez(path, weights=[1.0])
    refused(path, path.read_bytes())
    np.savez_compressed(path, metadata=np.zeros(1000, np.uint8))
    assert "compressed" in refused(path, path.read_bytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../evil.npy", b"")
    refused(path, path.read_bytes())


def test_a_pickle_inside_is_not_executed(path, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    np.savez(path, metadata=np.array([Bomb()], dtype=object))
    refused(path, path.read_bytes())
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("other", [True, False])
def test_a_file_of_a_later_format_is_recognised(path, other):
    save(path, model())
    rewrite_metadata(
        path,
        lambda text: json.dumps(
            {"format_version": 6, "library_version": "7.5", **({"x": 1} if other else {})}
        ),
    )
    reason = refused(path, path.read_bytes())
    assert "format version 6, written by gaussmix 7.5" in reason
    assert "reads versions up to 5" in reason
    assert "Install a newer gaussmix" in reason


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"format_version":5', '"format_version":0'),
        lambda text: text.replace('"format_version":5', '"format_version":true'),
        lambda text: text.replace('"format_version":5', '"format_version":1.0'),
        lambda text: text.replace('"format_version":5', '"format_version":"1"'),
        lambda text: text.replace('"n_iter":12', '"n_iter":12,"n_iter":12'),
        lambda text: text.replace('"n_iter":12', '"n_iter":NaN'),
        lambda text: text.replace('"n_iter":12', '"n_iter": 12'),
        lambda text: text.replace('"n_iter":12', '"n_iter":' + "1" * 5000),
        lambda text: text.replace('"n_iter":12', '"n_iter":' + "[" * 100_000),
        lambda text: text.replace('"n_iter":12,', ""),
        lambda text: text.replace('"n_iter":12', '"n_iter":12,"more":1'),
        lambda text: text + " ",
        lambda text: "[1]",
        lambda text: "1",
        lambda text: "",
    ],
    ids=range(15),
)
def test_metadata_that_gaussmix_does_not_write(path, change):
    save(path, model())
    rewrite_metadata(path, change)
    assert re.search("metadata|n_iter is", refused(path, path.read_bytes()))


def test_members_twice_missing_unknown_or_in_another_order(path):
    save(path, model())
    members = members_of(path)
    assert archive(members) == path.read_bytes()
    assert "twice or out of its place" in refused(path, archive([*members, members[-1]]))
    assert "twice or out of its place" in refused(path, archive([members[0], *members]))
    swapped = [members[0], members[2], members[1], *members[3:]]
    assert "twice or out of its place" in refused(path, archive(swapped))
    assert "lower_bounds not found" in refused(path, archive(members[:-1]))
    assert "metadata" in refused(path, archive(members[1:]))
    assert "b'more.npy'" in refused(path, archive([*members, ("more", members[-1][1])]))


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("<f8", (2**57, 2)),
        ("<f8", (2**63, 2**63)),
        ("<f8", (3, 2)),
        ("<f8", (2, 0)),
        ("<i8", (2, 2)),
        ("|u1", (4, 8)),
        ("|O", (2, 2)),
        ("<f2", (8, 2)),
    ],
)
def test_declared_shapes_and_dtypes_are_checked_before_memory_is_taken(path, dtype, shape):
    save(path, model())
    members = dict(members_of(path))
    data = members["means"][-32:]
    members["means"] = npz.npy_header(dtype, shape) + data
    tracemalloc.start()
    try:
        reason = refused(path, archive(members.items()))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert reason.startswith("means") or "array header of means" in reason


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (02, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, -2), }",
        "{'shape': (2, 2), 'descr': '<f8', 'fortran_order': False, }",
        "__import__('os').abort()",
        "(" * 90,
    ],
)
def test_other_array_headers(path, text):
    save(path, model())
    members = dict(members_of(path))
    header = b"\x93NUMPY\x01\x00v\x00" + text.encode("ascii").ljust(117) + b"\n"
    members["means"] = header + members["means"][-32:]
    assert "array header of means" in refused(path, archive(members.items()))


def test_an_overlong_array_header_is_not_read(path):
    save(path, model())
    members = dict(members_of(path))
    members["means"] = b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535
    assert "array header of means" in refused(path, archive(members.items()))


def test_sizes_beyond_the_file(path):
    save(path, model())
    name, content = members_of(path)[0]
    entry = npz.Entry(name, 2**60, zlib.crc32(content))
    reason = refused(path, npz.local_header(entry) + content)
    assert f"{2**60} bytes" in reason
    assert "cut off" in reason


def test_memory_stays_below_twice_the_file(path):
    k, d = 40, 100
    covariances = np.tile(np.eye(d), (k, 1, 1))
    save(
        path,
        model(weights=np.full(k, 1 / k), means=np.zeros((k, d)), covariances=covariances),
    )
    tracemalloc.start()
    try:
        load(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent")
    with pytest.raises(OSError):
        load(tmp_path)


# --- writing: all or nothing ---------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    kept = os.umask(0o027)
    try:
        save(tmp_path / "a", model())
    finally:
        os.umask(kept)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@posix
def test_a_replaced_file_keeps_its_permissions(path):
    path.write_bytes(b"old")
    path.chmod(0o604)
    save(path, model())
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert load(path)["n_iter"] == 12


@pytest.mark.parametrize("step", ["fsync", "replace", "write", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_other(path, step, error, monkeypatch):
    save(path, model())
    old = path.read_bytes()

    def fail(*_):
        raise error

    if step == "write":
        monkeypatch.setattr(npz, "directory", fail)  # when most is written
    else:
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)) as caught:
        save(path, model(n_iter=13))
    if isinstance(error, OSError):
        assert caught.value.errno == 28
        assert caught.value.filename == str(path)
    assert path.read_bytes() == old
    assert only_file_in(path.parent) == "model.npz"


def test_a_model_that_cannot_be_saved_leaves_the_old_file(path):
    save(path, model())
    old = path.read_bytes()
    with pytest.raises(ModelFileError):
        save(path, model(weights=[2.0, -1.0]))
    assert path.read_bytes() == old
    assert only_file_in(path.parent) == "model.npz"


def test_the_file_is_on_disk_before_it_is_renamed(path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    save(path, model())
    assert calls[:2] == ["fsync", "replace"]


def test_targets_that_are_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError):
        save(tmp_path, model())
    with pytest.raises(FileNotFoundError) as caught:
        save(tmp_path / "absent" / "model.npz", model())
    assert caught.value.filename == str(tmp_path / "absent" / "model.npz")
    assert os.listdir(tmp_path) == []


@posix
def test_links_devices_and_protected_files_are_not_replaced(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        save(tmp_path / "link", model())
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")
    with pytest.raises(OSError, match="symbolic link"):
        save(tmp_path / "dangling", model())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        save(tmp_path / "pipe", model())
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["dangling", "link", "pipe", "target"]


@posix
def test_a_write_protected_file_is_not_replaced(path, monkeypatch):
    path.write_bytes(b"precious")
    path.chmod(0o444)
    # The superuser may write it all the same; answer for an ordinary user.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError) as caught:
        save(path, model())
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"
