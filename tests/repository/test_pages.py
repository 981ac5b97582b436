"""Every example on the pages, in the README and in the docstrings runs, and prints what it says.

On a page, blocks are run from the top down in one folder and one namespace:

    pycon      Python at the prompt; what it prints is compared, "..." stands for anything
    python     Python that is only run
    console    commands after "$"; what they print is compared in the same way

Blocks in other languages are not run. A command that is `gaussmix` alone, without anything that a
shell would do, runs in this process, where it need not be imported again.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import gaussmix
from gaussmix import cli
from support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(pycon|python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PLAIN = re.compile(r"gaussmix [\w ./-]*(#.*)?\n")

needs_shell = pytest.mark.skipif(
    sys.platform == "win32", reason="the commands are a POSIX shell's"
)


def run_prompts(source: str, names: dict, place: str) -> None:
    test = doctest.DocTestParser().get_doctest(source, names, place, None, 0)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    runner.run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert not runner.summarize(verbose=False).failed, "".join(said)


def printed_by(arguments: list[str]) -> str:
    """What the command prints, on standard output and standard error."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        contextlib.suppress(SystemExit),
    ):
        cli.main(arguments)
    return printed.buffer.getvalue().decode()


def run_commands(source: str, folder: Path) -> None:
    """Run each line after "$", with its continuations, and compare what it prints."""
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = os.environ | {"PATH": scripts}
    for part in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
        command, expected = re.match(r"((?:.*\\\n)*.*\n)((?s:.*))", part).groups()
        if PLAIN.fullmatch(command):
            printed = printed_by(shlex.split(command, comments=True)[1:])
        else:
            printed = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, text=True, timeout=120,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            ).stdout  # fmt: skip
        matches = doctest.OutputChecker().check_output(expected, printed, FLAGS)
        assert matches, f"$ {command}prints\n{printed}\nand the page says\n{expected}"


def run_page(page: Path, folder: Path) -> int:
    """Run a page's examples; returns how many blocks there were."""
    names: dict = {"__name__": page.stem}
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for language, source in blocks:
        if language == "console":
            run_commands(source, folder)
        elif language == "pycon":
            run_prompts(source, names, page.name)
        else:
            exec(compile(source, page.name, "exec"), names)
    return len(blocks)


@needs_shell
@pytest.mark.filterwarnings("ignore:Components collapsed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("COLUMNS", "80")
    run_page(page, tmp_path)


def modules():
    names = (module.name for module in pkgutil.walk_packages(gaussmix.__path__, "gaussmix."))
    return [name for name in names if "._kernels" not in name and not name.endswith("__main__")]


@pytest.mark.parametrize("name", ["gaussmix", *modules()])
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    said = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        runner.run(test, out=said.append)
        assert not runner.summarize(verbose=False).failed, "".join(said)
        if "matplotlib.pyplot" in sys.modules:  # a reader runs one of them, without the others
            sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize(
    "text",
    [
        "```pycon\n>>> 1 + 1\n3\n```\n",
        "```python\nassert False\n```\n",
        pytest.param("```console\n$ echo one\ntwo\n```\n", marks=needs_shell),
        "```pycon\n>>> x = 1\n```\n\n```python\nassert x == 2\n```\n",
    ],
)
def test_an_example_that_is_wrong_is_noticed(text, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError):
        run_page(page, tmp_path)
