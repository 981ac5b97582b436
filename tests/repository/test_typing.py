"""Types: what a user's type checker says, and whether the stubs say what the modules hold."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import gaussmix
from gaussmix import _build_config
from gaussmix._runtime import instruction_sets
from support.paths import ROOT

FOLDER = Path(__file__).parent / "typing"
PACKAGE = Path(gaussmix.__file__).parent
CONFIGURATION = ROOT / "pyproject.toml"


def output_of(*command: str | Path) -> str:
    """What a module of Python's prints about the package that is imported here."""
    folder = PACKAGE.parent
    # Where mypy looks by itself it refuses to be sent.
    path = "" if folder.name == "site-packages" else str(folder)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "MYPYPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> list[tuple[str, int, str]]:
    """File, line and kind of all errors that mypy reports about the two files of a user."""
    cache = tmp_path_factory.mktemp("mypy")
    # A package is not a user's to correct; in an editable installation mypy would.
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={cache}"]
    text = output_of("mypy", *options, FOLDER)
    assert re.search(r"^Found \d+ errors in 1 file \(checked 2 source files\)$", text, re.M), text
    errors = re.findall(r"([\w.]+):(\d+): error: .*  (\[[\w-]+\])$", text, re.M)
    return [(name, int(line), kind) for name, line, kind in errors]


def test_what_users_write_is_accepted_and_runs(reported):
    assert [error for error in reported if error[0] != "refused.py"] == []
    runpy.run_path(str(FOLDER / "accepted.py"))


def test_slips_are_reported(reported):
    lines = (FOLDER / "refused.py").read_text(encoding="utf-8").splitlines()
    expected = [
        ("refused.py", number, line.partition("  # ")[2])
        for number, line in enumerate(lines, 1)
        if "  # [" in line
    ]
    assert reported == expected


@pytest.mark.slow
def test_stubs_say_what_the_modules_hold():
    runnable = instruction_sets.supported_instruction_sets()
    names = [f"_em_{name}" for name in _build_config.INSTRUCTION_SETS if name in runnable]
    names += [f"{name}_single" for name in names]
    double = [name for name in names if not name.endswith("_single")]
    names += [
        name.replace("_em_", f"_{module}_")
        for module in ("missing", "rows", "algebra", "draw")
        for name in double
    ]
    modules = [f"gaussmix._kernels.{name}" for name in ("_cpu", "_threads", *names)]
    text = output_of(
        "mypy.stubtest",
        f"--mypy-config-file={CONFIGURATION}",
        f"--allowlist={FOLDER / 'allowlist.txt'}",
        *modules,
    )
    assert text.startswith("Success: no issues found in"), text
