"""Markdown tables: of a record that run.py wrote, and in their places on a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from statistics import median

PLACE = "<!-- {} of benchmarks/{} -->\n{}<!-- end -->"  # of a table on a page

METHODS = ("score_samples", "predict", "predict_proba")


def table_lines(title: str, header: list[str], body: list[list[str]]) -> list[str]:
    """A Markdown table whose columns line up as plain text too."""
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return [f"**{title}**", "", line(header), line(rule), *(line(row) for row in body), ""]


def missing(what: str) -> str:
    """What stands in place of a part that a record lacks."""
    return f"*Not in this record: {what}.*"


def table(header: list[str], body: list[list[str]], what: str) -> str:
    """A table without a title, or the line that there is nothing to put into it."""
    return "\n".join(table_lines("", header, body)[2:]).rstrip() if body else missing(what)


def with_tables(page: str, program: str, made: dict[str, list[str]]) -> str:
    """The text of a page with each table of a program in its place."""
    for name, lines in made.items():
        place = re.escape(PLACE.format(name, program, "\0")).replace("\0", ".*?")
        table = PLACE.format(name, program, "\n" + "\n".join(lines) + "\n")
        page, found = re.subn(place, lambda _, table=table: table, page, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{found} places on the page for the table {name!r} of {program}")
    return page


def milliseconds(value: float) -> str:
    return f"{1e3 * value:,.3g}" if value < 1.0 else f"{1e3 * value:,.0f}"


def processor_name(record: dict) -> str:
    """The processor without its marks: Intel Xeon, AMD EPYC."""
    name = re.sub(
        r"\((R|TM)\)|\b(CPU|Processor)\b|@.*|\d+-Core\b", "", record["machine"]["processor"]
    )
    return " ".join(name.split())


def ratio(entry: dict, name: str) -> str:
    """How many times as fast as ``name`` gaussmix is, by medians."""
    if name not in entry or "gaussmix" not in entry or entry["gaussmix"]["median"] <= 0:
        return "-"
    return f"{entry[name]['median'] / entry['gaussmix']['median']:.1f}"


def measured_names(record: dict, entries: list[dict]) -> list[str]:
    """The libraries that at least one of these entries holds, in the record's order."""
    return [name for name in record["versions"] if any(name in entry for entry in entries)]


def compared(
    record: dict,
    part: Callable[[dict], dict | None],
    extra: list[str],
    more: Callable[[dict, dict], list[str]],
) -> tuple:
    """Header and rows of a table: medians in ms, ratios to gaussmix, and further columns."""
    parts = [part(shape) for shape in record["shapes"]]
    names = measured_names(record, [entry for entry in parts if entry])
    peers = [name for name in names if name != "gaussmix"] if "gaussmix" in names else []
    header = [
        "n, d, K, type",
        *(f"{name} ms" for name in names),
        *(f"times {peer}" for peer in peers),
        *extra,
    ]
    body = []
    for shape in record["shapes"]:
        entry = part(shape)
        if entry is not None:
            title = f"{shape['n']:,}, {shape['d']}, {shape['K']}, {shape['type']}"
            medians = [
                milliseconds(entry[name]["median"]) if name in entry else "-" for name in names
            ]
            body.append(
                [title, *medians, *(ratio(entry, peer) for peer in peers), *more(shape, entry)]
            )
    return header, body


def speed_columns(record: dict) -> tuple[list[str], Callable[[dict, dict], list[str]]]:
    """GF/s and share of the FMA peak: gaussmix's, or without it the first library's."""
    name = "gaussmix" if "gaussmix" in record["versions"] else next(iter(record["versions"]))
    peak = record["FMA peak"]["best"]

    def columns(shape: dict, entry: dict) -> list[str]:
        rate = entry[name]["GF/s"] if name in entry else None
        share = f"{100e9 * rate / peak:.0f} %" if peak and rate else "-"
        return [f"{rate:.3g}" if rate else "-", share]

    return [f"{name} GF/s", "of FMA peak"], columns


def fit_columns(record: dict) -> tuple[list[str], Callable[[dict, dict], list[str]]]:
    names = measured_names(record, [s["fit"] for s in record["shapes"] if "fit" in s])

    def columns(shape: dict, entry: dict) -> list[str]:
        iterations = [f"{median(entry[name]['iterations']):.0f}" for name in names]
        qualities = [f"{median(entry[name]['mean log-likelihood']):.5f}" for name in names]
        return [*iterations, *qualities]

    return [
        *(f"{name} iterations" for name in names),
        *(f"{name} mean logL" for name in names),
    ], columns


def memory_table(record: dict, task: str, title: str) -> list[str]:
    measured = [s["memory"][task] for s in record["shapes"] if "memory" in s]
    names = measured_names(record, measured)
    header = ["n, d, K, type"]
    body = []
    for shape in record["shapes"]:
        if "memory" not in shape:
            continue
        cells = [f"{shape['n']:,}, {shape['d']}, {shape['K']}, {shape['type']}"]
        for name in names:
            cells += [f"{value / 2**20:,.1f}" for value in shape["memory"][task][name].values()]
        body.append(cells)
    for name in names:
        header += [f"{name}, n / 4", f"{name}, n"]
    return table_lines(title, header, body) if body else []


def remarks(record: dict) -> list[str]:
    """What was not measured and why, and whose arithmetic is not the reference's."""
    lines = [f"- {reason}" for reason in record.get("not installed", {}).values()]
    for shape in record["shapes"]:
        title = f"{shape['n']:,}, {shape['d']}, {shape['K']}, {shape['type']}"
        for name, reason in shape.get("skipped", {}).items():
            lines.append(f"- {title}: {name} not measured: {reason}")
        for name, found in shape.get("agreement", {}).items():
            if not found["agrees"]:
                lines.append(
                    f"- {title}: {name} differs: log-likelihood {found['log-likelihood']}"
                )
    return [*lines, ""] if lines else []


def render(record: dict) -> str:
    """The Markdown tables of one record."""
    facts = record["machine"]
    peak = record["FMA peak"]["best"]
    versions = {k: v for library in record["versions"].values() for k, v in library.items()}
    described = [
        facts["processor"],
        f"{facts['usable CPUs']} CPUs, {facts['threads used']} threads",
        facts["system"],
        f"Python {facts['python']}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    ]
    measured = f"{peak / 1e9:.1f} GF/s" if peak else "not measured, no C compiler"
    lines = ["; ".join(described), "", f"FMA peak in this run: {measured}.", ""]
    if record["quick"]:
        lines += ["Tiny shapes (--quick): these numbers show only that everything runs.", ""]
    header, body = compared(record, lambda shape: shape.get("iteration"), *speed_columns(record))
    if body:
        lines += table_lines("One EM iteration", header, body)
    lines += remarks(record)
    for method in METHODS:
        header, body = compared(
            record,
            lambda shape, method=method: shape.get("scoring", {}).get(method),
            [],
            lambda shape, entry: [],
        )
        if body:
            lines += table_lines(method, header, body)
    if "single row" in record:
        each = ", ".join(
            f"{name} {1e6 * v['median']:.1f} µs" for name, v in record["single row"].items()
        )
        lines += [f"score_samples of one row (d = 16, K = 16, full): {each}", ""]
    header, body = compared(record, lambda shape: shape.get("fit"), *fit_columns(record))
    if body:
        lines += table_lines("Default fit, start included", header, body)
    lines += memory_table(record, "em", "Peak memory above X, two EM iterations, MiB")
    lines += memory_table(record, "fit", "Peak memory above X, default fit, MiB")
    lines += [f"{name}: {text}" for name, text in record["differences"].items()]
    return "\n".join(lines)
