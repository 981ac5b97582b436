"""The shape of the package: who imports whom, what is installed, and the map in its docstring."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.resources
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gaussmix
from gaussmix import _build_config
from support.families import ALL_NAMES

SOURCE = Path(__file__).parents[2] / "src" / "gaussmix"

#: The rooms from the ground up: modules of one import from their own and from floors below only.
FLOORS = [
    ["_common", "exceptions", "_kernels", "_build_config"],
    ["_runtime"],
    ["_parameters"],
    ["_statistics", "_checks", "_files"],
    ["_mstep", "_rows"],
    ["_estep"],
    ["_em"],
    ["_estimators"],
    ["mixture", "sources", "distributed"],
    ["imputation", "regression"],
    ["__init__", "plotting"],  # the public names; what is imported on its own
    ["cli"],
    ["__main__"],
]

#: Where pickles of earlier versions look for what has moved; nothing imports these.
EARLIER = ["_conditionals", "_online", "_persistence", "_validation", "distributed"]

#: On the lowest floor values are held against the table of settings, which ends in exceptions.
BESIDE = {"_common": {"exceptions"}, "exceptions": {"_common"}}

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FLOOR_OF |= dict.fromkeys(EARLIER, FLOOR_OF["mixture"])

#: The packages whose modules are named from the top down.
PACKAGES = [
    "_common", "_runtime", "_parameters", "_parameters.layouts", "_statistics", "_checks",
    "_files", "_files.tables", "_mstep", "_mstep.families", "_rows", "_rows.sources", "_estep",
    "_estep.missing", "_em", "_estimators", "plotting", "cli",
]  # fmt: skip

#: In these the map says what there is, and the order is left to the reader.
UNORDERED = {"_common", "_checks", "_parameters.layouts", "_mstep.families", "plotting", "cli"}

FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {path.stem for path in SOURCE.glob("*.py")}
MODULES |= {path.parent.name for path in SOURCE.glob("*/__init__.py")} | {"_build_config"}


def package_of(path: Path) -> str:
    return ".".join(path.parent.relative_to(SOURCE.parent).parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def imports_of(path: Path, package: str) -> set[str]:
    """Full names of all a file imports, wherever in the file: "a.b" for `from a import b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join((parents if node.level else []) + [node.module] * bool(node.module))
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


def own_imports_of(path: Path, package: str = "gaussmix") -> set[str]:
    """Modules of gaussmix that a file imports; a name that is none comes from __init__."""
    names = [name.split(".") for name in imports_of(path, package)]
    own = {[*name, "__init__"][1] for name in names if name[0] == "gaussmix"}
    return {name if name in MODULES else "__init__" for name in own}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_module_has_its_floor():
    assert FLOOR_OF.keys() == MODULES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path):
    room = room_of(path)
    above = own_imports_of(path, package_of(path)) - {room} - BESIDE.get(room, set())
    above -= {other for other in above if FLOOR_OF[other] < FLOOR_OF[room]}
    assert above == set()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_taken_from_the_names_of_earlier_versions(path):
    assert own_imports_of(path, package_of(path)).isdisjoint(EARLIER)


def named_in(package: str) -> list[str]:
    """What a package's docstring names, in its order; or a comment where that is a page."""
    text = SOURCE.joinpath(*package.split("."), "__init__.py").read_text(encoding="utf-8")
    return re.findall(r"^#? {4}(\w+) {2,}\S", text, flags=re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_names_its_modules(package):
    folder = SOURCE.joinpath(*package.split("."))
    there = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(named_in(package)) == sorted(there)


@pytest.mark.parametrize("package", [p for p in PACKAGES if p not in UNORDERED])
def test_modules_of_a_package_import_only_those_named_below_them(package):
    order = named_in(package)
    parts = ["gaussmix", *package.split(".")]
    for path in SOURCE.joinpath(*parts[1:]).rglob("*.py"):
        inside = path.relative_to(SOURCE.joinpath(*parts[1:])).parts[0].removesuffix(".py")
        if inside == "__init__":
            continue
        names = [name.split(".") for name in imports_of(path, package_of(path))]
        siblings = {n[len(parts)] for n in names if n[: len(parts)] == parts and n[len(parts) :]}
        assert siblings & {*order} <= {*order[order.index(inside) :]}, path


def test_every_package_is_looked_at():
    folders = {path.parent.relative_to(SOURCE) for path in SOURCE.glob("*/**/__init__.py")}
    assert {".".join(folder.parts) for folder in folders} == {*PACKAGES, "_kernels"}


#: Names that say which covariances, as a value of `covariance_type` or of a layout.
SHAPES = {*ALL_NAMES}


def comparisons_with_a_shape(text: str) -> list[str]:
    """Comparisons with a layout's or a family's name, and tables by such names, as source."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            sides = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        constants = {c.value for s in sides for c in ast.walk(s) if isinstance(c, ast.Constant)}
        if constants & SHAPES:
            found.append(ast.unparse(node))
    return found


KNOWS_LAYOUTS = ("_parameters/layouts", "_mstep/families", "_common/families.py")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_layouts_and_families_know_what_covariances_look_like(path):
    if not name_of(path).startswith(KNOWS_LAYOUTS):
        assert comparisons_with_a_shape(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "layout == 'full'",
        "parameters.covariance_type in ('diag', 'spherical')",
        "{'tied': 1}[name]",
        "if a: b = x if y != 'spherical' else z",
    ],
)
def test_a_comparison_with_a_shape_is_noticed(line):
    assert len(comparisons_with_a_shape(line)) == 1


MOST_LINES = 550
LONGEST_FUNCTION = 60  # lines of code, without docstring, comments and the signature


def code_lines(function: ast.FunctionDef, lines: list[str]) -> int:
    """Lines of the body that hold code."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if not body:
        return 0
    within = lines[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in within)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_has_one_subject_and_a_function_fits_on_a_screen(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert code_lines(node, lines) <= LONGEST_FUNCTION, node.name


PARAMETERS = re.compile(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", re.DOTALL | re.MULTILINE)
PARAMETER = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$", re.MULTILINE)


def described(node):
    """The names in the table of parameters of a docstring, and those in the signature."""
    table = PARAMETERS.search(ast.get_docstring(node) or "")
    if table is None:
        return None
    names = {name.strip(" *") for row in PARAMETER.findall(table[1]) for name in row.split(",")}
    if isinstance(node, ast.ClassDef):
        node = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
        if node is None:
            return None
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return names, {argument.arg for argument in every if argument is not None}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_docstrings_describe_parameters_that_there_are(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (both := described(node)):
            names, given = both
            assert names <= given, f"{node.name} has no {sorted(names - given)}"


def test_a_parameter_that_is_not_there_is_noticed():
    text = 'def f(a, *, b):\n    """D.\n\n    Parameters\n    ----------\n    a, c : int\n    """'
    assert described(ast.parse(text).body[0]) == ({"a", "c"}, {"a", "b"})


def test_no_class_says_what_others_have():
    """Methods declared for the type checker alone hide calls that go up."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert not [inner for inner in node.body if isinstance(inner, ast.If)], path


def test_the_kernel_package_imports_nothing_of_ours():
    assert own_imports_of(SOURCE / "_kernels/__init__.py", "gaussmix._kernels") == set()


def test_only_the_runtime_imports_compiled_modules():
    importing = {
        room_of(path) for path in FILES if "_kernels" in own_imports_of(path, package_of(path))
    }
    assert importing == {"_runtime"}


@pytest.mark.parametrize(
    "path",
    [path for name in ("_checks", "_common", "_files") for path in (SOURCE / name).glob("*.py")],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_checks_and_model_files_need_only_numpy(path):
    package = ".".join(path.parent.relative_to(SOURCE.parent).parts)
    roots = {full.split(".")[0] for full in imports_of(path, package)}
    foreign = roots - set(sys.stdlib_module_names) - {"__future__", "numpy", "gaussmix"}
    # Loaded already when a user has scikit-learn's classes to compare with; never a requirement.
    assert foreign <= {"sklearn"}


def test_the_import_reader_understands_every_form(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "import gaussmix._em.loop\n"
        "from gaussmix import _mstep\n"
        "from gaussmix._runtime import run\n"
        "def later():\n"
        "    from . import _statistics\n"
        "    from ._files.paths import open_regular\n"
        "    from numpy import gaussmix\n",
        encoding="utf-8",
    )
    assert own_imports_of(file) == {"_em", "_mstep", "_runtime", "_statistics", "_files"}
    for line in ("import gaussmix", "from gaussmix import load", "from . import __version__"):
        file.write_text(line, encoding="utf-8")
        assert own_imports_of(file) == {"__init__"}
    file.write_text("from .._em import run\nfrom ._cpu import level\n", encoding="utf-8")
    assert own_imports_of(file, "gaussmix._kernels") == {"_em", "_kernels"}


def test_importing_gaussmix_loads_no_optional_package():
    code = """
import sys
import gaussmix
optional = "sklearn matplotlib pandas polars pyarrow dask distributed tqdm threadpoolctl joblib"
print([name for name in optional.split() if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_map_names_every_room_from_the_top_down():
    named = re.findall(r"^ {4}(\w+) {2,}\S", gaussmix.__doc__, flags=re.MULTILINE)
    unnamed = {"__init__", "__main__", "_build_config", *EARLIER}
    assert sorted(named) == sorted(MODULES - unnamed)
    floors = [FLOOR_OF[name] for name in named]
    assert floors == sorted(floors, reverse=True)


def test_contributing_names_what_there_is():
    text = (SOURCE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| to change | look in | its tests |\n| --- | --- | --- |\n")[2]
    rows = table.partition("\n\n")[0].splitlines()
    assert len(rows) > 15
    for _, _, places, tests, _ in (row.split("|") for row in rows):
        for place in re.findall(r"`([^`]+)`", places):
            assert (SOURCE / place).exists(), place
        for test in re.findall(r"`(test_[^`]+)`", tests):
            assert len([*(SOURCE.parents[1] / "tests").rglob(test)]) == 1, test


def test_public_names():
    for name in gaussmix.__all__:
        assert hasattr(gaussmix, name)
        module = getattr(getattr(gaussmix, name), "__module__", "gaussmix")
        assert not [part for part in module.split(".") if part.startswith("_")] or name.islower()
    assert gaussmix.__all__ == sorted(gaussmix.__all__)


def test_the_version_is_the_same_everywhere():
    assert gaussmix.__version__ == importlib.metadata.version("gaussmix")


def files_in(directory, prefix="") -> set[str]:
    found = set()
    for entry in directory.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found |= files_in(entry, f"{prefix}{entry.name}/")
        elif entry.is_file():
            found.add(prefix + entry.name)
    return found


def test_installed_files_are_the_source_files():
    installed = files_in(importlib.resources.files("gaussmix"))
    compiled = {name for name in installed if name.endswith((".so", ".pyd"))}
    kernels = [f"_kernels/_em_{name}" for name in _build_config.INSTRUCTION_SETS]
    kernels += [f"{name}_single" for name in kernels]
    for module in ("missing", "rows", "algebra", "draw"):
        kernels += [f"_kernels/_{module}_{name}" for name in _build_config.INSTRUCTION_SETS]
    stubs = {f"{name}.pyi" for name in kernels}  # copies of five files
    kernels += ["_kernels/_cpu", "_kernels/_threads", "_kernels/_utility"]
    assert sorted(name.split(".")[0] for name in compiled) == sorted(kernels)
    read_by_the_build = (".pyx", ".pxi", ".pxd", ".h", ".in", "meson.build")
    source = {name for name in files_in(SOURCE) if not name.endswith(read_by_the_build)}
    assert installed - compiled == source | stubs | {"_build_config.py"}


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or shutil.which("ldd") is None, reason="asks glibc's ldd"
)
def test_compiled_modules_name_the_libraries_they_need():
    """Only Python's own symbols, and a sanitizer's, are left for the process to have already."""
    for path in Path(gaussmix.__file__).parent.glob("_kernels/*.so"):
        done = subprocess.run(
            ["ldd", "-r", path], capture_output=True, text=True, timeout=120, check=False
        )
        missing = re.findall(r"undefined symbol: (\w+)", done.stdout + done.stderr)
        assert "PyErr_SetString" in missing
        assert [name for name in missing if not name.startswith(("Py", "_Py", "__"))] == [], path


@pytest.mark.parametrize("name", ["_em", "_missing", "_rows", "_draw", "_algebra"])
def test_included_files_use_only_what_stands_before_them(name):
    module = (SOURCE / f"_kernels/{name}.pyx").read_text(encoding="utf-8")
    names = re.findall(r'^include "(\w+\.pxi)"', module, flags=re.MULTILINE)
    texts = [(SOURCE / "_kernels" / file).read_text(encoding="utf-8") for file in names]
    assert names
    for index, text in enumerate(texts):
        code = re.sub(r'#.*|"""(?s:.)*?"""', "", text)
        later = "\n".join([*texts[index + 1 :], module])
        functions = re.findall(r"(?m)^(?:cdef|def) (?:[^(=\n]* \**)?(\w+)\(", later)
        types = re.findall(r"(?m)^cdef (?:struct|class) (\w+)", later)
        assert {*re.findall(r"(?<![.\w])(\w+)\(", code)} & {*functions} == set(), names[index]
        assert {*re.findall(r"\w+", code)} & {*types} == set(), names[index]


def test_threads_compute_in_one_place():
    """A loop of OpenMP's elsewhere would hang in forked processes."""
    files = [*SOURCE.glob("_kernels/*.pyx"), *SOURCE.glob("_kernels/*.pxi")]
    parallel = {
        path.name
        for path in files
        if re.search(r"cython\.parallel|\bprange\b|pragma omp", path.read_text(encoding="utf-8"))
    }
    assert parallel == {"_threads.pyx"}


def test_no_lock_is_held_that_a_fork_could_leave_locked():
    """Before Python 3.12 `functools.cached_property` has one, shared by all instances."""
    for path in SOURCE.rglob("*.py"):
        names = imports_of(path, "gaussmix")
        assert "functools.cached_property" not in names, path
        assert not [name for name in names if name.endswith(("Lock", "Condition"))], path
