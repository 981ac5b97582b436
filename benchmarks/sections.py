"""The parts of the performance page as Markdown; for what a record lacks, a line that says so.

The opening parts, which compare records of several processors, are in opening.py.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import growth as growth_
import opening
from plots import FOLDER, figures
from tables import (
    METHODS,
    compared,
    fit_columns,
    memory_table,
    milliseconds,
    missing,
    processor_name,
    speed_columns,
    table,
)
from targets import times, title

ALT = {
    "ratios": "Time of an EM iteration of each library relative to gaussmix, by shape",
    "starts": "Final mean log-likelihood of default fits over seeds",
    "float32": "Speed on float32 rows relative to float64 rows",
    "growth-n": "Cost per row and component against the number of rows",
    "growth-d": "Cost per row and component against the number of features",
    "growth-K": "Cost per row and component against the number of components",
    "growth-threads": "Speed-up against the number of threads",
}


def ms(entry: dict, name: str) -> str:
    return milliseconds(entry[name]["median"]) if name in entry else "-"


def factor(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def figure(name: str, record: dict, growth: dict | None) -> str:
    """The line that shows a figure."""
    if name not in figures(record, growth):
        return missing(f"the figure {name}")
    return f"![{ALT[name]}]({FOLDER.name}/{name}.svg)"


# --- the libraries -----------------------------------------------------------------------------


def versions(record: dict) -> str:
    lines = [
        f"- **{name}**: {', '.join(f'{part} {v}' for part, v in of.items())}; "
        f"{record_precision(record, name)}"
        for name, of in record["versions"].items()
    ]
    absent = [f"- Not measured: {reason}." for reason in record.get("not installed", {}).values()]
    return "\n".join(lines + absent)


def record_precision(record: dict, name: str) -> str:
    return record.get("precision", {}).get(name, "double")


def differences(record: dict) -> str:
    return "\n".join(f"- **{name}**: {text}" for name, text in record["differences"].items())


# --- shapes --------------------------------------------------------------------------------------


def of_shapes(record: dict, part: Callable, columns: tuple, what: str) -> str:
    if not any(part(shape) for shape in record["shapes"]):
        return missing(what)
    header, body = compared(record, part, *columns)
    return table(header, body, what)


def iteration(record: dict) -> str:
    return of_shapes(
        record, lambda shape: shape.get("iteration"), speed_columns(record), "EM iterations"
    )


def skipped(record: dict) -> str:
    lines = [
        f"- {title(shape)}: {name}: {reason}"
        for shape in record["shapes"]
        for name, reason in shape.get("skipped", {}).items()
    ]
    return "\n".join(["Left out:", "", *lines]) if lines else "No library was left out of a shape."


def agreement(record: dict) -> str:
    """How far other libraries' parameters are from those of gaussmix after the same iterations."""
    worst: dict[str, list[dict]] = {}
    for shape in record["shapes"]:
        for name, entry in shape.get("agreement", {}).items():
            worst.setdefault(name, []).append(entry)
    body = []
    for name, entries in worst.items():
        known = [e for e in entries if e["log-likelihood"] is not None]
        largest = [max((e[part] for e in known), default=None) for part in MEASURES]
        cells = ["not finite" if value is None else f"{value:.0e}" for value in largest]
        agrees = sum(entry["agrees"] for entry in entries)
        body.append([name, *cells, f"{agrees} of {len(entries)}"])
    header = ["largest difference from gaussmix", *MEASURES, "shapes that agree"]
    return table(header, body, "how far the libraries' parameters are apart")


MEASURES = ("log-likelihood", "means")


def scoring(record: dict) -> str:
    parts = []
    for method in METHODS:
        text = of_shapes(
            record,
            lambda shape, method=method: shape.get("scoring", {}).get(method),
            ([], lambda shape, entry: []),
            method,
        )
        parts += [f"`{method}`:", "", text, ""]
    return "\n".join(parts).rstrip()


def fit(record: dict) -> str:
    if not any("fit" in shape for shape in record["shapes"]):
        return missing("default fits")
    return of_shapes(record, lambda shape: shape.get("fit"), fit_columns(record), "default fits")


def memory(record: dict) -> str:
    if not any("memory" in shape for shape in record["shapes"]):
        return missing("peak memory")
    lines = memory_table(record, "em", "Peak memory above X, two EM iterations, MiB")
    lines += memory_table(record, "fit", "Peak memory above X, default fit, MiB")
    return "\n".join(lines).rstrip()


# --- calls on few rows ---------------------------------------------------------------------------


def row(record: dict) -> str:
    if "single row" not in record:
        return missing("one row")
    each = [f"{name} {1e6 * v['median']:.1f} µs" for name, v in record["single row"].items()]
    return f"`score_samples` of one row (d = 16, K = 16, full): {', '.join(each)}."


def thousand(record: dict) -> str:
    part = record.get("thousand rows")
    if not part or "times the kernel's" not in part:
        return missing("1,000 rows")
    body = [
        [name, milliseconds(entry["median"]), factor(part["times the kernel's"].get(name))]
        for name, entry in part.items()
        if isinstance(entry, dict) and "median" in entry
    ]
    header = ["score_samples of 1,000 rows", "ms", "times the kernel's"]
    return table(header, body, "1,000 rows")


# --- studies -------------------------------------------------------------------------------------


def starts(record: dict) -> str:
    body, left_out = [], []
    for name, entry in record.get("starts", {}).items():
        if "skipped" in entry:
            left_out.append(f"\n{name} was left out: {entry['skipped']}.")
            continue
        for library in (key for key, value in entry.items() if isinstance(value, dict)):
            found = entry[library]
            values = found["mean log-likelihood"]
            body.append(
                [
                    f"{name}, {entry['n']:,}, {entry['d']}, {entry['K']}",
                    library,
                    f"{len(values['all'])}",
                    *(f"{values[key]:.5f}" for key in ("min", "median", "max")),
                    f"{median(found['iterations']):.0f}",
                    milliseconds(found["median"]),
                    milliseconds(found["start seconds"]["median"]),
                ]
            )
    header = ["data, n, d, K", "library", "seeds", "min mean logL", "median", "max"]
    header += ["iterations", "fit ms", "start ms"]
    return "\n".join([table(header, body, "fits over many seeds"), *left_out])


def pairs(record: dict, part: str, slow: str, fast: str) -> str:
    """Two ways to fit the same data: time, ratio, and what was reached."""
    studied = record.get(part, {})
    if "skipped" in studied:
        return f"*Left out: {studied['skipped']}.*"
    body = [
        [
            f"{name}, {entry['n']:,}, {entry['d']}, {entry['K']}",
            ms(entry, slow),
            ms(entry, fast),
            factor(times(entry, slow, fast)),
            *(f"{entry[way]['mean log-likelihood']['median']:.6f}" for way in (slow, fast)),
        ]
        for name, entry in studied.items()
    ]
    header = ["data, n, d, K", f"{slow} ms", f"{fast} ms", "times as fast"]
    return table([*header, f"mean logL, {slow}", f"mean logL, {fast}"], body, part)


def float32(record: dict) -> str:
    body = [
        [
            title(entry),
            ms(entry, "float64"),
            ms(entry, "float32"),
            factor(entry["ratio"]),
            f"{entry['relative difference of log-likelihood']:.0e}",
        ]
        for entry in record.get("float32", [])
    ]
    header = ["n, d, K, type", "float64 ms", "float32 ms", "times as fast", "logL differs by"]
    return table(header, body, "float32")


def listed(record: dict, part: str) -> str:
    """A list of shapes, each with a time for some names: a column a name."""
    entries = record.get(part, [])
    names = list(
        dict.fromkeys(
            name
            for entry in entries
            for name, value in entry.items()
            if isinstance(value, dict) and "median" in value
        )
    )
    body = [[title(entry), *(ms(entry, name) for name in names)] for entry in entries]
    return table(["n, d, K, type", *(f"{name} ms" for name in names)], body, part)


def pycave(record: dict) -> str:
    entries = record.get("pycave", [])
    here = [n for n in record["versions"] if any(n in entry for entry in entries)]
    there = list(dict.fromkeys(name for entry in entries for name in entry["published"]))

    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:,.3g}"

    body = [
        [
            title(entry),
            *(seconds(entry[name]["median"] if name in entry else None) for name in here),
            *(seconds(entry["published"].get(name)) for name in there),
        ]
        for entry in entries
    ]
    header = ["n, d, K, type", *(f"{name} s" for name in here)]
    return table([*header, *(f"{name} s, published" for name in there)], body, "PyCave's table")


# --- growth --------------------------------------------------------------------------------------


def growth_figures(record: dict, growth: dict | None) -> str:
    names = [name for name in figures(record, growth) if name.startswith("growth")]
    return "\n\n".join(figure(name, record, growth) for name in names) or missing("growth")


def cliffs(growth: dict) -> str:
    return "\n".join(growth_.cliff_lines(growth)).rstrip()


# --- all -----------------------------------------------------------------------------------------


def of_each(records: list[dict], part: Callable[[dict], str], what: str = "") -> str:
    """A part of every record, each under its processor's name where there are several."""
    if len(records) > 1:
        return "\n\n".join(f"**{processor_name(r)}**\n\n{part(r)}" for r in records)
    return part(records[0]) if records else missing(what)


#: Placeholders of page.md that every record of run.py fills for itself.
OF_A_RUN: dict[str, Callable[[dict], str]] = {
    "versions": versions,
    "iteration": iteration,
    "skipped": skipped,
    "agreement": agreement,
    "differences": differences,
    "scoring": scoring,
    "row": row,
    "thousand": thousand,
    "fit": fit,
    "starts": starts,
    "restarts": lambda record: pairs(record, "restarts", "ten fits", "n_init=10"),
    "acceleration": lambda record: pairs(record, "acceleration", "plain", "squarem"),
    "float32": float32,
    "sparse": lambda record: listed(record, "sparse"),
    "instruction sets": lambda record: listed(record, "instruction sets"),
    "pycave": pycave,
    "memory": memory,
}


def sections(runs: list[dict], growths: list[dict]) -> dict[str, str]:
    """Every placeholder of page.md and its text."""
    first = runs[0], growths[0] if growths else None
    made = {name: of_each(runs, part) for name, part in OF_A_RUN.items()}
    made |= {f"{name} figure": figure(name, *first) for name in ("ratios", "starts", "float32")}
    made |= {
        "growth figures": growth_figures(*first),
        "cliffs": of_each(growths, cliffs, "cliffs"),
    }
    return made | opening.sections(runs, growths)
