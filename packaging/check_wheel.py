"""Check what is in a wheel: everything that belongs there, and nothing else.

    python packaging/check_wheel.py WHEEL

Prints a line for each thing that holds; the first that does not ends it with status 1.
"""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "gaussmix"
MOST_BYTES = 3_000_000

#: Files of the package that only the build reads.
READ_BY_THE_BUILD = (".pyx", ".pxi", ".pxd", ".h", ".in", "meson.build")

#: OpenMP's runtimes, where auditwheel and delvewheel put them.
RUNTIMES = re.compile(r"gaussmix\.libs/(libgomp-[0-9a-f]+\.so[.\d]*|vcomp140-[0-9a-f]+\.dll)")


def holds(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"not so: {what}")
    print(f"  {what}")


def built_instruction_sets(wheel: zipfile.ZipFile) -> tuple[str, ...]:
    """What `_build_config.py` in the wheel says was built."""
    for node in ast.parse(wheel.read("gaussmix/_build_config.py")).body:
        target = (
            node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        )
        if isinstance(target, ast.Name) and target.id == "INSTRUCTION_SETS":
            return ast.literal_eval(node.value)
    raise SystemExit("not so: _build_config.py names the instruction sets")


def expected_modules(instruction_sets: tuple[str, ...]) -> set[str]:
    names = {"_cpu", "_threads", "_utility"}
    for name in instruction_sets:
        kinds = "em", "missing", "rows", "algebra", "draw"
        names |= {f"_em_{name}_single", *(f"_{kind}_{name}" for kind in kinds)}
    return names


def expected_sources() -> set[str]:
    files = (
        path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    names = {f"gaussmix/{path.relative_to(SOURCE).as_posix()}" for path in files}
    compiled = {name for name in names if name.endswith((".so", ".pyd"))}
    return {name for name in names - compiled if not name.endswith(READ_BY_THE_BUILD)}


def check(path: Path) -> None:
    print(path.name)
    tag = path.stem.split("-", 2)[2]
    size = path.stat().st_size
    holds(size <= MOST_BYTES, f"{size:,} bytes, of at most {MOST_BYTES:,}")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        info = {name for name in names if ".dist-info/" in name}
        runtimes = {name for name in names if RUNTIMES.fullmatch(name)}
        compiled = {name for name in names if name.endswith((".so", ".pyd"))}

        instruction_sets = built_instruction_sets(wheel)
        if re.search(r"(linux|win).*(x86_64|amd64)", tag):
            holds(instruction_sets == ("baseline", "x86v3", "x86v4"), "all three instruction sets")
        found = sorted(Path(name).name.split(".")[0] for name in compiled)
        holds(
            found == sorted(expected_modules(instruction_sets)), f"{len(found)} compiled modules"
        )
        if "abi3" in tag:
            tagged = [name for name in compiled if re.search(r"\.cp(ython)?-?\d", name)]
            holds(not tagged, "no module for one Python version only")

        sources = expected_sources() | {"gaussmix/_build_config.py"}
        modules = expected_modules(instruction_sets)
        sources |= {f"gaussmix/_kernels/{module}.pyi" for module in modules}  # copies of a stub
        missing, extra = sources - names, names - sources - info - runtimes - compiled
        holds(
            not missing, f"all {len(sources)} files of the package {sorted(missing) or ''}".strip()
        )
        holds(not extra, f"and no other {sorted(extra) or ''}".strip())

        licences = {Path(name).name for name in info if "/licenses/" in name}
        holds("LICENSE" in licences, "the licence")
        if runtimes:
            texts = {"BUNDLED.txt", "GPL-3.0.txt", "GCC-exception-3.1.txt"}
            holds(texts <= licences, f"the licences of {', '.join(sorted(runtimes))}")
        elif "linux_2" in tag or "manylinux" in tag or "win" in tag:
            raise SystemExit("not so: OpenMP's runtime is inside")
        metadata = next(wheel.read(name).decode() for name in info if name.endswith("/METADATA"))
        fields = Parser().parsestr(metadata)
        holds(fields["License-Expression"] == "BSD-3-Clause", "License-Expression: BSD-3-Clause")
        holds(fields["Requires-Python"] == ">=3.11", "Requires-Python: >=3.11")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    check(Path(sys.argv[1]))
