"""The shape of the tests: every file in a room, nothing taken from another test file."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import support
from support.families import ALL_NAMES
from support.paths import ROOT

TESTS = ROOT / "tests"
ROOMS = {
    "rows", "estep", "missing", "mstep", "em", "estimators", "files", "cli", "plotting",
    "robustness", "repository",
}  # fmt: skip
TEST_FILES = sorted(TESTS.rglob("test_*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules_imported_by(path: Path) -> set[str]:
    """The names of all modules in the import statements of a file, wherever they are."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def test_test_files_are_in_a_room():
    assert {path.parent for path in TEST_FILES} == {TESTS / room for room in ROOMS}
    assert [path.name for path in TESTS.glob("*.py")] == ["conftest.py"]


def test_no_two_test_files_have_one_name():
    """They are imported by it alone."""
    counts = Counter(path.name for path in TEST_FILES)
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_file_imports_from_a_test_file():
    for path in [*TEST_FILES, *TESTS.glob("support/*.py"), TESTS / "conftest.py"]:
        parts = {part for name in modules_imported_by(path) for part in name.split(".")}
        assert {part for part in parts if re.match("test_|conftest$|tests$", part)} == set(), path


def test_the_import_reader_understands_every_form(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "import a.b as c, d\nfrom e import f\ndef later():\n    from . import g\n",
        encoding="utf-8",
    )
    assert modules_imported_by(file) == {"a.b", "d", "e", "e.f", ".", "..g"}


def test_the_names_of_all_families_come_from_one_list():
    """A test that means every family goes through those that are added, too."""
    for path in TEST_FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
                values = {item.value for item in node.elts if isinstance(item, ast.Constant)}
                assert not values >= set(ALL_NAMES), f"{path}:{node.lineno}"


def test_the_map_of_support_names_its_modules():
    named = re.findall(r"^ {4}(\w+) {2,}\S", support.__doc__, flags=re.MULTILINE)
    assert sorted(named) == sorted({p.stem for p in TESTS.glob("support/*.py")} - {"__init__"})
