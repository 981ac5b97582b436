"""Every example of the gallery runs, without a warning, and draws something."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("plot_*.py"))
# The data of this one are in statsmodels' wheels since 0.15.
NEEDS_STATSMODELS = {"plot_customer_segments"}
SLOW = {"plot_anomalies", "plot_customer_segments", "plot_larger_than_memory"}


def parameter(path):
    return pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW))


@pytest.mark.parametrize("path", [parameter(path) for path in EXAMPLES])
def test_example_runs(path, monkeypatch):
    if path.stem in NEEDS_STATSMODELS:
        pytest.importorskip("statsmodels", minversion="0.15")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = []

    def show():
        for number in plt.get_fignums():
            figure = plt.figure(number)
            figure.canvas.draw()
            drawn.append(figure)
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runpy.run_path(str(path))
    assert drawn
    assert not plt.get_fignums(), "a figure is left that is not shown"


def test_examples_are_all_found():
    assert len(EXAMPLES) >= 8
