"""Models written to files that are open, and read from them: all that takes or gives bytes."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

import gaussmix
from gaussmix import GaussianMixture, ModelFileError


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).normal(size=(100, 2))
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def contents(model, tmp_path_factory):
    """What a file has that is saved by its path."""
    path = tmp_path_factory.mktemp("models") / "model.npz"
    model.save(path)
    return path.read_bytes()


class Dribble(io.RawIOBase):
    """Takes and gives a few bytes at a time, as a socket may."""

    def __init__(self, contents=b""):
        self.contents = contents

    def writable(self):
        return True

    def readable(self):
        return True

    def write(self, data):
        self.contents += bytes(data[:100])
        return min(100, len(data))

    def readinto(self, buffer):
        piece, self.contents = self.contents[:100], self.contents[100:]
        buffer[: len(piece)] = piece
        return len(piece)


class Plain:
    """Has nothing but the two methods."""

    def __init__(self, contents=b""):
        self.contents = contents

    def write(self, data):
        self.contents += data

    def read(self, size=-1):
        piece, self.contents = self.contents[:size], self.contents[size:]
        return piece


@pytest.mark.parametrize("kind", [Dribble, Plain])
def test_whatever_takes_bytes_gets_those_of_the_file(kind, model, contents):
    file = kind()
    model.save(file)
    assert file.contents == contents
    same = gaussmix.load(kind(contents))
    np.testing.assert_array_equal(same.covariances_, model.covariances_)


def test_open_files_are_used_from_where_they_stand_and_left_open(model, contents, tmp_path):
    memory = io.BytesIO(b"before")
    memory.seek(6)
    model.save(memory)
    assert memory.getvalue() == b"before" + contents
    memory.seek(6)
    assert gaussmix.load(memory).n_components == 2
    with open(tmp_path / "model.npz", "w+b") as file:
        model.save(file)
        file.seek(0)
        np.testing.assert_array_equal(gaussmix.load(file).means_, model.means_)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        with archive.open("one/model.npz", "w") as member:
            model.save(member)
        with archive.open("one/model.npz") as member:
            np.testing.assert_array_equal(gaussmix.load(member).means_, model.means_)


@pytest.mark.parametrize("cut", [4, 100, -1])
def test_a_part_of_a_model_is_none(cut, contents):
    with pytest.raises(ModelFileError, match=r"^<BytesIO>: (metadata is|its dir|it ends)"):
        gaussmix.load(io.BytesIO(contents[:cut]))
    with pytest.raises(ModelFileError, match="damaged"):
        gaussmix.load(io.BytesIO(contents + b"\0"))


def test_a_file_that_has_just_been_written_stands_at_its_end(model):
    memory = io.BytesIO()
    model.save(memory)
    with pytest.raises(ModelFileError, match=r"<BytesIO>: no bytes are left.*call seek\(0\)"):
        gaussmix.load(memory)


def test_of_an_endless_file_that_is_no_model_only_the_beginning_is_read():
    class Endless:
        n_read = 0

        def read(self, size):
            self.n_read += size
            return bytes(size)

    file = Endless()
    with pytest.raises(ModelFileError, match="<Endless>: is not a model file"):
        gaussmix.load(file)
    assert file.n_read == 4


@pytest.mark.parametrize(
    ("file", "error", "message"),
    [
        (lambda path: io.StringIO(), TypeError, "open for text.* mode '[rw]b'; in memory use io"),
        (lambda path: path.open("w+"), TypeError, "rows.txt: the file is open for text"),
        (lambda path: 3, TypeError, r"int has no (read|write)\(\). Got 3. Pass a path"),
        (lambda path: None, TypeError, r"NoneType has no (read|write)\(\)"),
    ],
)
def test_what_is_no_file_of_bytes_is_refused(file, error, message, model, tmp_path):
    for use in (model.save, gaussmix.load):
        opened = file(tmp_path / "rows.txt")
        with pytest.raises(error, match=message):
            use(opened)
        getattr(opened, "close", int)()
    assert not list(tmp_path.glob("*.npz"))


def test_a_file_that_is_open_the_other_way_round(model, tmp_path):
    (tmp_path / "model.npz").write_bytes(b"old")
    match = r"npz: the file is open, and not to write.* mode 'wb'"
    with (
        open(tmp_path / "model.npz", "rb") as file,
        pytest.raises(io.UnsupportedOperation, match=match),
    ):
        model.save(file)
    match = r"the file is open, and not to read.* mode 'rb'"
    with (
        open(tmp_path / "other", "wb") as file,
        pytest.raises(io.UnsupportedOperation, match=match),
    ):
        gaussmix.load(file)
    assert (tmp_path / "model.npz").read_bytes() == b"old"


class Full(io.RawIOBase):
    """Has no room: `write` says so, or takes nothing, or only `flush` notices."""

    def __init__(self, where):
        self.where = where

    def writable(self):
        return True

    def write(self, data):
        if self.where == "write":
            raise OSError(28, "No space left on device")
        return None if self.where == "none" else len(data)

    def flush(self):
        if self.where == "flush" and not self.closed:
            self.where = ""
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["write", "flush", "none"])
def test_a_write_that_fails_is_reported(where, model):
    with pytest.raises(OSError, match=r"No space left|<Full>: took 0 of [0-9,]+ bytes"):
        model.save(Full(where))


def test_a_file_that_does_not_wait_for_bytes_is_no_model_cut_off():
    class Empty(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            return None

    with pytest.raises(BlockingIOError, match="<Empty>: has no more bytes yet"):
        gaussmix.load(Empty())
