"""Write the performance page, its figures and the README's table from records.

    python benchmarks/page.py RESULTS.json [GROWTH.json]
    python benchmarks/page.py --check             is what is on disk what its records give?

RESULTS.json is a record of run.py, GROWTH.json one of growth.py. The prose stands in page.md; a
part that a record lacks becomes a line that says so. --check without records takes those the page
names, writes nothing, and needs no matplotlib: a figure is known by the records it carries.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import plots
from sections import sections
from tables import milliseconds, table_lines
from targets import times, title

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "benchmarks" / "page.md"
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
START, END = "<!-- speed table -->", "<!-- end of speed table -->"


def relative(path: Path) -> str:
    """The path as written from the repository's folder, where it lies there."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else path.name


def commands(paths: list[Path]) -> str:
    """How the records and this page are made."""
    names = [relative(path) for path in paths]
    lines = ["pip install '.[bench]'", f"python benchmarks/run.py -o {names[0]}"]
    if len(names) > 1:
        lines.append(f"python benchmarks/growth.py --scikit-learn -o {names[1]}")
    return "\n".join([*lines, f"python benchmarks/page.py {' '.join(names)}"])


def page(record: dict, growth: dict | None, paths: list[Path]) -> str:
    """docs/performance.md."""
    texts = sections(record, growth) | {"commands": commands(paths)}
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"^\{([\w ]+)\}$", lambda m: texts[m[1]], template, flags=re.MULTILINE)


def speed_table(record: dict, source: Path) -> str:
    """The README's table."""
    facts, peak = record["machine"], record["FMA peak"]["best"]
    shapes = [s for s in record["shapes"] if "gaussmix" in s.get("iteration", {})]
    peers = [
        name
        for name in ("scikit-learn", "oneDAL")
        if any(name in shape["iteration"] for shape in shapes)
    ]
    body = []
    for shape in shapes:
        entry = shape["iteration"]
        rate = entry["gaussmix"]["GF/s"]
        ratios = [times(entry, name) for name in peers]
        body.append(
            [
                title(shape),
                milliseconds(entry["gaussmix"]["median"]),
                *("" if ratio is None else f"{ratio:.1f}" for ratio in ratios),
                f"{100e9 * rate / peak:.0f} %" if peak and rate else "",
            ]
        )
    header = ["n, d, K, type", "gaussmix ms", *(f"times {name}" for name in peers), "of FMA peak"]
    versions = [f"{name} {record['versions'][name].get(name, '')}".strip() for name in peers]
    described = (
        f"One EM iteration from the same start, in double precision, {facts['threads used']} "
        f"threads\n({facts['processor']}); {', '.join(versions)}; medians of {record['repeats']} "
        f"interleaved\nruns, from `{relative(source)}`:"
    )
    return "\n".join([described, "", *table_lines("", header, body)[2:]]).rstrip()


def readme(record: dict, source: Path) -> str:
    """README.md with a new table between the markers."""
    text = README.read_text(encoding="utf-8")
    if text.count(START) != 1 or text.count(END) != 1:
        raise SystemExit(f"{README.name} needs one line {START!r} and one line {END!r} after it")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n\n{speed_table(record, source)}\n\n{END}{after}"


def stale_figures(record: dict, growth: dict | None) -> list[Path]:
    """Figures that are missing or were drawn from other records."""
    found = []
    for name in plots.figures(record, growth):
        path = plots.FOLDER / f"{name}.svg"
        mark = plots.mark(name, record, growth)
        if not path.exists() or mark not in path.read_text(encoding="utf-8"):
            found.append(path)
    return found


def named_records() -> list[Path]:
    """The records the page on disk says it was written from."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = re.search(r"^python benchmarks/page\.py (.+)$", text, flags=re.MULTILINE)
    if not found:
        raise SystemExit(f"{relative(PAGE)} names no records: give them as arguments")
    return [ROOT / name for name in found[1].split()]


def read(path: Path, part: str) -> dict:
    """A record; ``part`` is what every record of its kind has."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: no record: {error}") from None
    if not isinstance(record, dict) or part not in record:
        program = "run.py" if part == "shapes" else "growth.py"
        raise SystemExit(f"{path}: no record of {program}: it has no {part!r}")
    return record


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", help="a record of run.py")
    parser.add_argument("growth", type=Path, nargs="?", help="a record of growth.py")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if something would change"
    )
    options = parser.parse_args(argv)
    if options.results is None and not options.check:
        parser.error("give a record of run.py, such as benchmarks/results/2026-11-21.json")
    paths = [path for path in (options.results, options.growth) if path] or named_records()
    record = read(paths[0], "shapes")
    growth = read(paths[1], "sweeps") if len(paths) > 1 else None
    wanted = {PAGE: page(record, growth, paths), README: readme(record, paths[0])}
    if options.check:
        stale = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
        stale += stale_figures(record, growth)
        for path in stale:
            print(f"{relative(path)} is not what {', '.join(map(relative, paths))} give")
        raise SystemExit(1 if stale else 0)
    plots.draw_all(record, growth)
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
