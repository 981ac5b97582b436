"""What gaussmix is meant to reach, and what a record says it reaches.

    python benchmarks/targets.py benchmarks/results/2026-11-21.json      every target, one by one

page.py lists the goals in CONTRIBUTING.md, with how many of their targets a record reaches.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tables import table_lines

# (n, d, K, type) -> times scikit-learn and times oneDAL per EM iteration, share of the FMA peak.
ITERATION = {
    (1_000_000, 2, 3, "full"): (100.0, 2.0, None),
    (1_000_000, 10, 8, "full"): (70.0, 2.5, 0.28),
    (200_000, 32, 16, "full"): (35.0, 2.5, 0.55),
    (50_000, 128, 32, "full"): (10.0, 2.0, 0.68),
    (200_000, 39, 512, "diag"): (15.0, 2.5, 0.50),
    (200_000, 64, 64, "diag"): (10.0, 3.0, 0.50),
    (200_000, 32, 16, "tied"): (150.0, None, None),
    (200_000, 32, 16, "spherical"): (30.0, None, None),
}
SINGLE_ROW_SECONDS = 8e-6
THOUSAND_ROWS = 1.5  # times the kernel's own time
DEFAULT_FIT = 20.0  # times scikit-learn
DEFAULT_FIT_DATA = ("1e6x10", "2e5x32", "china")
SMALL_FIT_SECONDS = 1e-3
SMALL_FIT_DATA = ("old-faithful", "iris")
FLOAT32 = 1.7  # times the float64 speed
FLOAT32_DIFFERENCE = 1e-5
ACCELERATION = 0.6  # of the time of plain EM
MEMORY = 64e6  # bytes above X and the statistics

# Two fits that stop at tol = 1e-3 on the same optimum differ by less, relative to its height.
SAME_OPTIMUM = 1e-6


@dataclass(frozen=True)
class Outcome:
    """One target beside what was measured."""

    subject: str
    target: str
    measured: str
    reached: bool

    def cells(self) -> list[str]:
        return [self.subject, self.target, self.measured, "yes" if self.reached else "**no**"]


def key(entry: dict) -> tuple:
    return entry["n"], entry["d"], entry["K"], entry["type"]


def title(entry: dict) -> str:
    """The shape as tables name it."""
    return f"{entry['n']:,}, {entry['d']}, {entry['K']}, {entry['type']}"


def times(entry: dict, slow: str, fast: str = "gaussmix") -> float | None:
    """How many times as fast ``fast`` is as ``slow``; None where either was not measured."""
    if slow not in entry or fast not in entry or not entry[fast]["median"] > 0:
        return None
    return entry[slow]["median"] / entry[fast]["median"]


def beside(value: float | None, target: float | None, form: str) -> str:
    """A measured value beside its target, with yes or no."""
    if value is None:
        return "" if target is None else f"not measured / {form.format(target)}"
    if target is None:
        return form.format(value)
    reached = "yes" if value >= target else "**no**"
    return f"{form.format(value)} / {form.format(target)} {reached}"


ITERATION_HEADER = ["n, d, K, type", "times scikit-learn", "times oneDAL", "of FMA peak"]


def iteration_rows(record: dict) -> list[list[str]]:
    """Of every shape with a target: measured / target, for each of the three."""
    peak = record["FMA peak"]["best"]
    rows = []
    for shape in record["shapes"]:
        if key(shape) not in ITERATION or "gaussmix" not in shape.get("iteration", {}):
            continue
        entry = shape["iteration"]
        learn, onedal, share = ITERATION[key(shape)]
        rate = entry["gaussmix"]["GF/s"]
        reached = 100e9 * rate / peak if peak and rate else None
        rows.append(
            [
                title(shape),
                beside(times(entry, "scikit-learn"), learn, "{:.1f}"),
                beside(times(entry, "oneDAL"), onedal, "{:.2f}"),
                beside(reached, None if share is None else 100.0 * share, "{:.0f} %"),
            ]
        )
    return rows


def at_least(subject: str, value: float, target: float, unit: str) -> Outcome:
    return Outcome(subject, f"at least {target:g} {unit}", f"{value:.3g}", value >= target)


def at_most(subject: str, value: float, target: float, unit: str) -> Outcome:
    return Outcome(subject, f"at most {target:g} {unit}".strip(), f"{value:.3g}", value <= target)


def scoring(record: dict) -> Iterator[Outcome]:
    for shape in record["shapes"]:
        for method, entry in shape.get("scoring", {}).items():
            found = times(entry, "scikit-learn")
            if found is not None and key(shape) in ITERATION:
                target = ITERATION[key(shape)][0]
                yield at_least(f"{method}, {title(shape)}", found, target, "times scikit-learn")


def row_calls(record: dict) -> Iterator[Outcome]:
    """Few rows, a call at a time."""
    if "gaussmix" in record.get("single row", {}):
        taken = record["single row"]["gaussmix"]["median"]
        yield at_most("score_samples of one row", 1e6 * taken, 1e6 * SINGLE_ROW_SECONDS, "µs")
    thousand = record.get("thousand rows", {}).get("times the kernel's", {})
    for name, found in thousand.items():
        yield at_most(
            f"score_samples of 1,000 rows, {name}", found, THOUSAND_ROWS, "times the kernel's time"
        )


def fits(record: dict) -> Iterator[Outcome]:
    for name, entry in record.get("starts", {}).items():
        found = times(entry, "scikit-learn")
        if found is not None and name.startswith(DEFAULT_FIT_DATA):
            yield at_least(f"default fit, {name}", found, DEFAULT_FIT, "times scikit-learn")
        if "gaussmix" in entry and name.startswith(SMALL_FIT_DATA):
            taken = 1e3 * entry["gaussmix"]["median"]
            yield at_most(f"default fit, {name}", taken, 1e3 * SMALL_FIT_SECONDS, "ms")
        if found is not None:
            ours, theirs = (
                entry[library]["mean log-likelihood"]["median"]
                for library in ("gaussmix", "scikit-learn")
            )
            reached = ours >= theirs - SAME_OPTIMUM * abs(theirs)
            subject = f"median final mean log-likelihood, {name}"
            target = f"at least {theirs:.5f}, to {SAME_OPTIMUM:g} of it"
            yield Outcome(subject, target, f"{ours:.5f}", reached)


def float32(record: dict) -> Iterator[Outcome]:
    for entry in record.get("float32", []):
        yield at_least(f"float32, {title(entry)}", entry["ratio"], FLOAT32, "times float64")
        difference = entry["relative difference of log-likelihood"]
        subject = f"float32 log-likelihood, {title(entry)}"
        yield at_most(subject, difference, FLOAT32_DIFFERENCE, "relative")


def restarts(record: dict) -> Iterator[Outcome]:
    for name, entry in record.get("restarts", {}).items():
        if "ten fits" in entry:
            found = entry["n_init=10"]["median"] / entry["ten fits"]["median"]
            yield at_most(f"n_init=10, {name}", found, 1.0, "of the time of ten fits")


def acceleration(record: dict) -> Iterator[Outcome]:
    parts = record.get("acceleration", {})
    for name, entry in parts.items():
        if isinstance(entry, dict) and "squarem" in entry:
            found = entry["squarem"]["median"] / entry["plain"]["median"]
            yield at_most(f"acceleration, {name}", found, ACCELERATION, "of the time of plain EM")


def memory(record: dict) -> Iterator[Outcome]:
    used = [
        max(by_library["gaussmix"].values()) - statistics_bytes(shape)
        for shape in record["shapes"]
        for by_library in shape.get("memory", {}).values()
        if by_library.get("gaussmix")
    ]
    if used:
        subject = "most memory above X and the statistics"
        yield at_most(subject, max(used) / 1e6, MEMORY / 1e6, "MB")


def statistics_bytes(shape: dict) -> int:
    """Weight, first and second moments of every component."""
    d, K = shape["d"], shape["K"]
    second = {"full": K * d * d, "tied": d * d, "diag": K * d, "spherical": K}[shape["type"]]
    return 8 * (K + K * d + second)


#: What is asked for beside iterations, and the function that holds a record against it.
GOALS: dict[str, Callable[[dict], Iterator[Outcome]]] = {
    "`score_samples`, `predict` and `predict_proba` gain as much over scikit-learn as an "
    "iteration does": scoring,
    f"`score_samples` of one row takes at most {1e6 * SINGLE_ROW_SECONDS:g} µs, of 1,000 rows at "
    f"most {THOUSAND_ROWS:g} times the kernel's own time": row_calls,
    f"default fits of {', '.join(DEFAULT_FIT_DATA)} are {DEFAULT_FIT:g} times as fast as "
    f"scikit-learn's, those of {' and '.join(SMALL_FIT_DATA)} take at most "
    f"{1e3 * SMALL_FIT_SECONDS:g} ms, and the median fit of each data set is as likely": fits,
    f"float32 rows are {FLOAT32:g} times as fast as float64 ones, and change the log-likelihood "
    f"by at most {FLOAT32_DIFFERENCE:g} of it": float32,
    "`n_init=10` takes no longer than ten fits": restarts,
    f"SQUAREM takes at most {ACCELERATION:g} of the time of plain EM to `tol=1e-6`": acceleration,
    f"a fit takes at most {MEMORY / 1e6:g} MB above X and the statistics": memory,
}


def further(record: dict) -> list[Outcome]:
    """The targets beside those of an iteration, of the parts the record has."""
    return [outcome for goal in GOALS.values() for outcome in goal(record)]


def reached(record: dict, goal: str) -> str:
    """How many of the targets of a goal a record reaches: "9 of 24"."""
    outcomes = list(GOALS[goal](record))
    return f"{sum(o.reached for o in outcomes)} of {len(outcomes)}" if outcomes else "not measured"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("record", type=Path, help="a record of run.py")
    record = json.loads(parser.parse_args().record.read_text(encoding="utf-8"))
    parts = {
        "One EM iteration, measured / target": (ITERATION_HEADER, iteration_rows(record)),
        "Beside it": (
            ["what", "target", "measured", "reached"],
            [outcome.cells() for outcome in further(record)],
        ),
    }
    for title_, (header, body) in parts.items():
        print("\n".join(table_lines(title_, header, body)))


if __name__ == "__main__":
    main()
