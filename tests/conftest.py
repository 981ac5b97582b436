"""Fixtures shared by the tests: the vendored data sets and the compiled instruction sets."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import support.examples  # noqa: F401 - the examples that Hypothesis tries
from support.data import read_columns
from support.families import COVARIANCE_TYPES
from support.reference import Mixture, random_mixture


@pytest.fixture(autouse=True)
def global_generator_from_the_start() -> None:
    """Whoever draws from NumPy's global generator, as a model without `random_state` does, draws
    the same in every run and after whichever tests.
    """
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """NumPy's matrix products are small here, and BLAS threads that wait would slow the rest down.

    The threads of the kernels are left alone.
    """
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def symlink(tmp_path) -> Callable[[str, str], None]:
    """What makes symbolic links, where this user may: on Windows not everybody."""
    try:
        os.symlink("target", tmp_path / "tried")
    except OSError:
        pytest.skip("this user may not make symbolic links")
    os.unlink(tmp_path / "tried")
    return os.symlink


@pytest.fixture
def run_command(capfd):
    """Run a command in this process; return its status, standard output and standard error."""
    from gaussmix import cli

    def run(*arguments):
        capfd.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as exc:
            status = exc.code
        return status, *capfd.readouterr()

    return run


@pytest.fixture
def no_figure_is_left() -> Iterator[None]:
    """Figures of one test are none of the next's."""
    from matplotlib import pyplot as plt

    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def ax(no_figure_is_left):
    """Axes to draw on."""
    from matplotlib import pyplot as plt

    return plt.figure().add_subplot()


@pytest.fixture(scope="session")
def old_faithful() -> np.ndarray:
    """Old Faithful, (272, 2): duration and waiting time in minutes."""
    return read_columns("old_faithful", 2)


@pytest.fixture(scope="session")
def iris() -> np.ndarray:
    """Fisher's iris as in R, (150, 4)."""
    return read_columns("iris", 4)


@pytest.fixture(scope="session")
def acidity() -> np.ndarray:
    """Acidity index of 155 lakes, (155, 1)."""
    return read_columns("acidity", 1)


@pytest.fixture(scope="session")
def galaxies() -> np.ndarray:
    """Velocities of 82 galaxies in units of 1000 km/s, (82, 1)."""
    return read_columns("galaxies", 1) / 1000.0


@pytest.fixture(params=COVARIANCE_TYPES)
def covariance_type(request: pytest.FixtureRequest) -> str:
    """Every family in turn."""
    return request.param


@pytest.fixture
def mixture(covariance_type: str) -> Mixture:
    """Three components in five columns, of every family in turn."""
    return random_mixture(np.random.default_rng(2), covariance_type, 3, 5)


def usable_instruction_sets() -> list[str]:
    """The instruction sets that are built and that this processor runs."""
    from gaussmix._runtime import instruction_sets

    supported = instruction_sets.supported_instruction_sets()
    return [name for name in instruction_sets.built_instruction_sets() if name in supported]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "instruction_set" in metafunc.fixturenames:
        metafunc.parametrize("instruction_set", usable_instruction_sets(), indirect=True)


@pytest.fixture
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test that asks for this runs once with each instruction set's kernels."""
    from gaussmix._runtime import instruction_sets

    name = f"gaussmix._kernels._em_{request.param}"
    double, single = importlib.import_module(name), importlib.import_module(f"{name}_single")
    monkeypatch.setattr(
        instruction_sets, "kernels", lambda use_single=False: single if use_single else double
    )
    for function, kind in {
        "missing_kernels": "missing",
        "row_kernels": "rows",
        "algebra": "algebra",
        "drawing_kernels": "draw",
    }.items():
        module = importlib.import_module(f"gaussmix._kernels._{kind}_{request.param}")
        monkeypatch.setattr(instruction_sets, function, lambda module=module: module)
    return request.param
