"""The recipes for Spark, Ray and MPI run, and fit what one process fits.

    pip install pyspark 'pandas<3' pyarrow ray mpi4py mpich
    python -m pytest -m slow tests/repository/test_engines.py

Spark needs Java as well. What is not installed is skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from support.paths import ROOT

DOCS = ROOT / "docs"
RECIPES = DOCS / "recipes"

ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0"}  # nothing is sent anywhere

#: Each recipe with the package it needs, the program that package needs, and how it is started.
ENGINES = {
    "fit_with_spark.py": ("pyspark", "java", [sys.executable]),
    "fit_with_ray.py": ("ray", None, [sys.executable]),
    "fit_with_mpi.py": (
        "mpi4py.MPI",
        "mpiexec",
        ["mpiexec", "-n", "4", sys.executable, "-m", "mpi4py"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["--weights"]], ids=["plain", "weights"])
@pytest.mark.parametrize("recipe", ENGINES)
def test_a_recipe_fits_what_one_process_fits(recipe, arguments):
    package, program, command = ENGINES[recipe]
    pytest.importorskip(package, exc_type=ImportError)
    if program and not shutil.which(program):
        pytest.skip(f"needs {program}")
    done = subprocess.run(
        [*command, recipe, *arguments],
        cwd=RECIPES,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = re.search(r"iterations: (\d+), in one process: (\d+)", done.stdout).groups()
    together, alone = map(int, counts)
    assert together == alone
    assert 3 < together < 100
    difference = re.search(r"largest relative difference of a parameter: (\S+)", done.stdout)[1]
    assert float(difference) < 1e-10


def test_the_page_shows_every_recipe():
    page = (DOCS / "engines.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^```\{literalinclude\} recipes/(\S+)$", page, re.MULTILINE))
    assert shown == {*ENGINES, "comparison.py"}
    others = {"service.py"}  # of another page
    assert shown | others == {path.name for path in RECIPES.glob("*.py")}
