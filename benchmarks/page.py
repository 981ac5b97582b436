"""Write the performance page, its figures, and tables of README, front page and CONTRIBUTING.

    python benchmarks/page.py RECORD.json ...     records of run.py and growth.py
    python benchmarks/page.py --front             print the README's three lines
    python benchmarks/page.py --check             is what is on disk what its records give?

Records of two processors are shown side by side; figures are of the first. The prose stands in
page.md; a part that a record lacks becomes a line that says so. Without records, --front and
--check take those the page names. --check writes nothing and needs no matplotlib: a figure is
known by the records it carries.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import opening
import plots
import targets
from sections import of_each, sections
from tables import processor_name, table

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "benchmarks" / "page.md"
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
INDEX = ROOT / "docs" / "index.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
FRONT_COMMAND = "python benchmarks/page.py --front"


class Records(dict[Path, dict]):
    """The records of a page by their files, in the order they were given."""

    @property
    def runs(self) -> list[dict]:
        return [record for record in self.values() if "shapes" in record]

    @property
    def growths(self) -> list[dict]:
        return [record for record in self.values() if "sweeps" in record]

    @property
    def drawn(self) -> tuple[dict, dict | None]:
        """The two that figures are drawn from."""
        return self.runs[0], next(iter(self.growths), None)


def relative(path: Path) -> str:
    """The path as written from the repository's folder, where it lies there."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else path.name


def commands(records: Records) -> str:
    """How the records and this page are made, on each machine."""
    lines = ["pip install '.[bench]'"]
    several = len({processor_name(record) for record in records.values()}) > 1
    for path, record in records.items():
        program = "run.py" if "shapes" in record else "growth.py --scikit-learn"
        where = f"  # on the {processor_name(record)}" if several else ""
        lines.append(f"python benchmarks/{program} -o {relative(path)}{where}")
    return "\n".join([*lines, f"python benchmarks/page.py {' '.join(map(relative, records))}"])


def page(records: Records) -> str:
    """docs/performance.md."""
    texts = sections(records.runs, records.growths) | {"commands": commands(records)}
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"^\{([\w ]+)\}$", lambda m: texts[m[1]], template, flags=re.MULTILINE)


def target_tables(records: list[dict]) -> str:
    """CONTRIBUTING's tables: the goals, and how far each record reaches them."""

    def iterations(record: dict) -> str:
        rows = targets.iteration_rows(record)
        return table(targets.ITERATION_HEADER, rows, "iterations of shapes with a target")

    def kept(goal: str) -> str:
        each = [f"{targets.reached(r, goal)} on the {processor_name(r)}" for r in records]
        return f"- {goal}: {', '.join(each)}"

    return "\n".join([of_each(records, iterations), "", *map(kept, targets.GOALS)])


def marked(path: Path, name: str, text: str) -> str:
    """A file with this text between the two lines that mark its place."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before = path.read_text(encoding="utf-8")
    if before.count(start) != 1 or before.count(end) != 1:
        raise SystemExit(f"{path.name} needs one line {start!r} and one line {end!r} after it")
    head, rest = before.split(start)
    return f"{head}{start}\n\n{text}\n\n{end}{rest.split(end)[1]}"


def written(records: Records) -> dict[Path, str]:
    """Every file and what is to stand in it."""
    front = opening.front(records.runs, FRONT_COMMAND)
    return {
        PAGE: page(records),
        README: marked(README, "speed table", front),
        INDEX: marked(INDEX, "speed table", front),
        CONTRIBUTING: marked(CONTRIBUTING, "targets", target_tables(records.runs)),
    }


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


def read(path: Path) -> dict:
    """A record of run.py or growth.py."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: no record: {error}") from None
    if not isinstance(record, dict) or not {"shapes", "sweeps"} & record.keys():
        raise SystemExit(f"{path}: a record of neither run.py nor growth.py")
    return record


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, nargs="*", help="records of run.py and growth.py")
    parser.add_argument("--front", action="store_true", help="print the README's three lines")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if something would change"
    )
    options = parser.parse_args(argv)
    if not (options.records or options.front or options.check):
        parser.error("give a record of run.py, such as benchmarks/results/2026-11-21.json")
    records = Records((path, read(path)) for path in options.records or named_records())
    if not records.runs:
        parser.error("none of these is a record of run.py")
    if options.front:
        print(opening.front(records.runs, FRONT_COMMAND))
    elif options.check:
        check(records)
    else:
        plots.draw_all(*records.drawn)
        for path, text in written(records).items():
            path.write_text(text, encoding="utf-8")


def check(records: Records) -> None:
    """Name the files that are not what the records give; exit 1 if there are any."""
    stale = [path for path, text in written(records).items() if path.read_text("utf-8") != text]
    stale += stale_figures(*records.drawn)
    for path in stale:
        print(f"{relative(path)} is not what {', '.join(map(relative, records))} give")
    raise SystemExit(1 if stale else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
