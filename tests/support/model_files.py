"""The contents of small model files, and what they are made of."""

from __future__ import annotations

import os
import zipfile
import zlib

import numpy as np
import pytest

from gaussmix import ModelFileError
from gaussmix._files import npz
from gaussmix._files.model_file import load

PARAMETERS = {
    "n_components": 2,
    "covariance_type": "full",
    "tol": 1e-3,
    "reg_covar": 0,
    "max_iter": 100,
    "n_init": 1,
    "init_params": "kmeans",
    "weights_init": None,
    "means_init": None,
    "precisions_init": None,
    "random_state": 3,
    "warm_start": False,
    "verbose": 0,
    "verbose_interval": 10,
    "n_threads": None,
    "acceleration": None,
    "variance_floor": 0.0,
    "on_collapse": "raise",
    "learning_decay": 0.6,
    "forgetting": None,
    "allow_nan": False,
}


COVARIANCES = {
    "full": [[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.25], [-0.25, 3.0]]],
    "tied": [[2.0, 0.5], [0.5, 1.0]],
    "diag": [[1.0, 2.0], [3.0, 4.0]],
    "spherical": [1.0, 2.0],
}


def model(covariance_type="full", dtype=np.float64, parameters=(), **changes):
    """The contents of a small, valid model, with changes."""
    contents = {
        "weights": np.array([0.25, 0.75], dtype),
        "means": np.array([[1.0, 2.0], [3.0, 1 / 3]], dtype),
        "covariances": np.array(COVARIANCES[covariance_type], dtype),
        "converged": True,
        "n_iter": 12,
        "n_samples_seen": 5,
        "collapses": [],
        "running": None,
        "lower_bound": -1.5,
        "lower_bounds": [-2.0, -1.6, -1.5],
        "feature_names": None,
        "library_version": "0.1.0",
        "parameters": {**PARAMETERS, "covariance_type": covariance_type, **dict(parameters)},
    }
    return {**contents, **changes}


def running(covariance_type="full", **changes):
    """Running statistics of that model, with changes."""
    arrays = {
        "running_weight": np.array([2.0, 3.0]),
        "running_first": np.array([[0.0, 1.0], [-1.0, 0.5]]),
        "running_second": np.array(COVARIANCES[covariance_type]) * 5,
        "running_shift": np.array([[1.0, 2.0], [3.0, 1 / 3]]),
        "running_evidence": np.array([0.25, 3.0]),
        "running_totals": np.array([4.5, 5.5]),
    }
    return {**arrays, **changes}


def only_file_in(directory):
    """Assert that no temporary file is left."""
    (name,) = os.listdir(directory)
    return name


def refused(path, data):
    """Write `data` and return the message with which it is refused."""
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    assert caught.value.path == str(path)
    assert caught.value.reason
    return caught.value.reason


def rewrite_metadata(path, change):
    """Replace the metadata of a file, keeping everything else sound."""
    with np.load(path) as arrays:
        members = {name: arrays[name] for name in arrays.files}
    text = change(members["metadata"].tobytes().decode("ascii")).encode("ascii")
    members["metadata"] = np.frombuffer(text, np.uint8)
    with open(path, "wb") as file:
        npz.write_members(file, members)


def archive(members):
    """The bytes of an archive of (name, .npy bytes) members in the layout of a model file."""
    entries, data = [], b""
    for name, content in members:
        entry = npz.Entry(name, len(content), zlib.crc32(content))
        data += npz.local_header(entry) + content
        entries.append(entry)
    return data + npz.directory(entries)


def members_of(file):
    """The members of a model file as (name, .npy bytes), from its path or content."""
    with zipfile.ZipFile(file) as members:
        return [(name.removesuffix(".npy"), members.read(name)) for name in members.namelist()]
