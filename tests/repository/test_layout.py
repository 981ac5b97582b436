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

SOURCE = Path(__file__).parents[2] / "src" / "gaussmix"

#: From the top down: a module imports only modules that come after it.
ORDER = [
    "__main__",
    "cli",
    "__init__",  # the public names
    "plotting",
    "imputation",
    "mixture",
    "_conditionals",  # a name in pickles of earlier versions
    "_estimators",
    "_online",
    "_row_sets",
    "distributed",  # a name in dask graphs of earlier versions
    "_dask_rows",
    "_dask_tasks",
    "_dask_collections",
    "_completing",
    "_draws",
    "_fitting",
    "_em",
    "_acceleration",
    "_recovery",
    "_initialization",
    "_data",
    "_scorer",
    "_accumulate",
    "_kmeans_passes",
    "_sums",
    "_row_sum",
    "_incomplete",
    "_available",
    "_digits",
    "_scores",
    "_streamed",
    "_read_ahead",
    "sources",
    "_partition",
    "_rows",
    "_first_pass",
    "_patterns",
    "_thinning",
    "_conditioning",
    "_agreement",
    "_mstep",
    "_statistics",
    "_parameters",
    "_algebra",
    "_runtime",
    "_kernels",
    "_build_config",
]

#: Beside that order: what each of these imports from the package. Anything above may import them.
BESIDE = {
    "_checks": {"exceptions", "_common", "_layouts", "_settings"},
    "_common": set(),
    "_layouts": set(),
    "_settings": {"_common", "_layouts"},
    "_progress": set(),
    "_files": {"_common", "_layouts", "_settings", "exceptions"},
    "exceptions": {"_common"},
    "_persistence": {"exceptions"},  # a name in pickles of earlier versions
    "_univariate": {"_algebra", "_common"},
    "_validation": {"exceptions"},  # names in pickles of earlier versions
}

#: The modules and packages of a sub-package, in the same order.
WITHIN = {
    "_checks": [
        "rows",
        "mixtures",
        "weights",
        "outputs",
        "columns",
        "arrays",
        "tables",
        "numbers",
        "parameters",
        "arguments",
        "messages",
    ],
    "_common": ["failures", "text", "typing", "warnings", "caching"],
    "_estimators": [
        "interchange",
        "online",
        "imputing",
        "explanations",
        "conditionals",
        "sampling",
        "scoring",
        "criteria",
        "fitting",
        "base",
        "kept",
        "sklearn_api",
        "hooks",
    ],
    "cli": [
        "fit",
        "score",
        "impute",
        "sample",
        "info",
        "show_config",
        "demo",
        "describe",
        "jobs",
        "arguments",
        "outputs",
        "wording",
        "inputs",
        "values",
        "messages",
        "process",
    ],
    "_files": [
        "model_file",
        "model_metadata",
        "model_checks",
        "npz",
        "model_members",
        "tables",
        "atomic",
        "paths",
        "errors",
    ],
    "_files.tables": [
        "opening",
        "writers",
        "parquet",
        "npy",
        "csv",
        "lines",
        "formats",
        "base",
    ],
    "plotting": ["single", "several", "regions", "view", "style", "checks"],
}

#: What uses estimators as anybody could: by public attributes, and functions that take one.
OUTSIDERS = ["cli"]

MODULES = {path.stem for path in SOURCE.glob("*.py")}
MODULES |= {path.parent.name for path in SOURCE.glob("*/__init__.py")} | {"_build_config"}


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


def test_every_module_has_its_place():
    assert {*ORDER, *BESIDE} == MODULES


@pytest.mark.parametrize("name", [n for n in ORDER if (SOURCE / f"{n}.py").exists()])
def test_imports_go_down_only(name):
    below = {*ORDER[ORDER.index(name) + 1 :], *BESIDE}
    assert own_imports_of(SOURCE / f"{name}.py") <= below


@pytest.mark.parametrize("name", BESIDE)
def test_modules_beside_the_order_import_only_what_is_named_here(name):
    if (SOURCE / name).is_dir():
        own = set()
        for path in (SOURCE / name).rglob("*.py"):
            package = ".".join(path.parent.relative_to(SOURCE.parent).parts)
            own |= own_imports_of(path, package) - {name}
    else:
        own = own_imports_of(SOURCE / f"{name}.py")
    assert own == BESIDE[name]


@pytest.mark.parametrize(("package", "name"), [(p, n) for p in WITHIN for n in WITHIN[p]])
def test_imports_within_a_package_go_down_too(package, name):
    parts = [*package.split("."), name]
    path = SOURCE.joinpath(*parts).with_suffix(".py")
    if not path.exists():
        assert f"{package}.{name}" in WITHIN  # a package: its modules have their turn
        return
    top = parts[0]
    below = BESIDE[top] if top in BESIDE else {*ORDER[ORDER.index(top) + 1 :], *BESIDE}
    assert own_imports_of(path, f"gaussmix.{package}") <= {top, *below}
    names = [full.split(".")[1:] for full in imports_of(path, f"gaussmix.{package}")]
    for depth in range(1, len(parts)):
        around, place = parts[:depth], parts[depth]
        siblings = {full[depth] for full in names if full[:depth] == around and full[depth:]}
        within = WITHIN[".".join(around)]
        itself = {place} if depth < len(parts) - 1 else set()
        assert siblings <= {*within[within.index(place) + 1 :]} | itself


@pytest.mark.parametrize("package", WITHIN)
def test_a_package_names_its_modules(package):
    """In its docstring, or in a comment where the docstring is a page of the documentation."""
    folder = SOURCE.joinpath(*package.split("."))
    text = (folder / "__init__.py").read_text(encoding="utf-8")
    named = re.findall(r"^#? {4}(\w+) {2,}\S", text, flags=re.MULTILINE)
    there = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(named) == sorted(there) == sorted(WITHIN[package])


def test_no_class_says_what_others_have():
    """Methods declared for the type checker alone hide calls that go up."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert not [inner for inner in node.body if isinstance(inner, ast.If)], path


def private_attributes_in(path: Path) -> list[str]:
    """Attributes with a leading underscore that a file takes from anything but self and cls."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=value, attr=name):
                pass
            case ast.Call(
                func=ast.Name("getattr" | "setattr" | "hasattr" | "delattr"),
                args=[value, ast.Constant(name), *_],
            ):
                pass
            case _:
                continue
        owner, special = ast.unparse(value), name.startswith("__") and name.endswith("__")
        if name.startswith("_") and not special and owner not in ("self", "cls", "super()"):
            found.append(f"{owner}.{name}")
    return found


@pytest.mark.parametrize("package", OUTSIDERS)
def test_no_private_attribute_is_used_from_outside(package):
    paths = [*(SOURCE / package).glob("*.py")]
    assert paths
    for path in paths:
        assert private_attributes_in(path) == [], path


def test_private_attributes_are_found(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "class Job(Base):\n"
        "    def run(self, model):\n"
        "        super()._run(self._rows, self.rows_, type(self).__name__)\n"
        "        self.model._scorer().evaluate(model.means_, model._parameters())\n"
        "        getattr(model, '_kept', None)\n"
        "        model._seen = getattr(self, '_seen', hasattr(model, 'names_'))\n",
        encoding="utf-8",
    )
    expected = ["model._kept", "model._parameters", "model._seen", "self.model._scorer"]
    assert sorted(private_attributes_in(file)) == expected


def test_the_kernel_package_imports_nothing_of_ours():
    assert own_imports_of(SOURCE / "_kernels/__init__.py", "gaussmix._kernels") == set()


def test_only_the_runtime_imports_compiled_modules():
    importing = {path.stem for path in SOURCE.glob("*.py") if "_kernels" in own_imports_of(path)}
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
        "from gaussmix import _sums\n"
        "from gaussmix._runtime import run\n"
        "def later():\n"
        "    from . import _statistics\n"
        "    from ._draws import Noise\n"
        "    from numpy import gaussmix\n",
        encoding="utf-8",
    )
    assert own_imports_of(file) == {"_em", "_sums", "_runtime", "_statistics", "_draws"}
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


def test_the_map_names_every_module():
    named = re.findall(r"^ {4}(\w+) {2,}\S", gaussmix.__doc__, flags=re.MULTILINE)
    assert sorted(named) == sorted(MODULES - {"__init__"})
    assert [name for name in ORDER if name != "__init__"] == named[: len(ORDER) - 1]


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


def test_all_threads_are_those_of_one_pool():
    """A loop of OpenMP's would hang in forked processes, and take all CPUs unless told."""
    for path in [*SOURCE.glob("_kernels/*.pyx"), *SOURCE.glob("_kernels/*.pxi")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"cython\.parallel|\bprange\b|pragma omp", text), path


def test_no_lock_is_held_that_a_fork_could_leave_locked():
    """Before Python 3.12 `functools.cached_property` has one, shared by all instances."""
    for path in SOURCE.rglob("*.py"):
        names = imports_of(path, "gaussmix")
        assert "functools.cached_property" not in names, path
        assert not [name for name in names if name.endswith(("Lock", "Condition"))], path
