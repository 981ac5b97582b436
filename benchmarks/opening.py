"""What opens the performance page, and the three lines of the README: records side by side.

Every table here has columns for each record of run.py, so that processors can be compared.
"""

from __future__ import annotations

from tables import missing, processor_name, table
from targets import key, times

# The shapes of the README: many rows, many columns, and many components.
FRONT = (
    (1_000_000, 10, 8, "full"),
    (200_000, 32, 16, "full"),
    (200_000, 39, 512, "diag"),
)
SMALL = {"old-faithful": "Old Faithful", "iris": "irises", "digits": "digits"}
DATA = "rows × columns, components"
FEATURES = (2, 4, 8, 16, 32, 64, 128, 256)
EXAMPLE = {"type": "full", "d": 8}  # of an iteration, in words


def digits(value: float) -> str:
    """Two digits, and all those before the point."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:#.2g}".rstrip(".")


def seconds(value: float) -> str:
    """A duration for people, in milliseconds below a tenth of a second."""
    return f"{digits(value)} s" if value >= 0.0995 else f"{digits(1e3 * value)} ms"


def size(n_bytes: float) -> str:
    """A size for people."""
    mebibytes = n_bytes / 2**20
    if mebibytes >= 1000:
        return f"{mebibytes / 1024:.1f} GiB"
    return f"{digits(mebibytes)} MiB"


def data_title(entry: dict) -> str:
    """Rows × columns and components: "1,000,000 × 10, 8"."""
    family = "" if entry.get("type", "full") == "full" else f" {entry['type']}"
    return f"{entry['n']:,} × {entry['d']}, {entry['K']}{family}"


def of_processors(records: list[dict], names: list[str]) -> list[str]:
    """Names of columns for every record, with the processor where there are several."""
    if len(records) == 1:
        return names
    return [f"{name}, {processor_name(record)}" for record in records for name in names]


def time_cells(entry: dict) -> list[str]:
    """Time of gaussmix, of scikit-learn, and how many times as long the latter is."""
    ratio = times(entry, "scikit-learn")
    medians = (entry.get(name, {}).get("median") for name in ("gaussmix", "scikit-learn"))
    shown = ["-" if value is None else seconds(value) for value in medians]
    return [*shown, "-" if ratio is None else digits(ratio)]


TIMES = ["gaussmix", "scikit-learn", "times"]


def shapes_of(record: dict, part: str) -> dict[tuple, dict]:
    """Key of a shape to this part of it, of the shapes that have it."""
    return {key(shape): shape[part] for shape in record["shapes"] if shape.get(part)}


def described(shape: tuple) -> dict:
    return dict(zip(("n", "d", "K", "type"), shape, strict=True))


def beside(records: list[dict], parts: list[dict], titles: dict, what: str) -> str:
    """Times of what is in the parts, a line each, with columns for every record."""
    body = [
        [title, *(cell for part in parts for cell in time_cells(part.get(name, {})))]
        for name, title in titles.items()
    ]
    return table([DATA, *of_processors(records, TIMES)], body, what)


# --- times ---------------------------------------------------------------------------------------


def fits(records: list[dict]) -> str:
    """Default fits of all shapes, and of the pixels of a photograph."""
    parts = [shapes_of(record, "fit") | of_photograph(record) for record in records]
    names = dict.fromkeys(name for part in parts for name in part)
    titles = {name: data_title(described(name)) for name in names}
    titles |= {name: f"{text} (a photograph)" for name, text in titles.items() if name[1] == 3}
    return beside(records, parts, titles, "default fits")


def of_photograph(record: dict) -> dict[tuple, dict]:
    entry = record.get("starts", {}).get("china", {})
    return {(entry["n"], entry["d"], entry["K"], "full"): entry} if "gaussmix" in entry else {}


def small(records: list[dict]) -> str:
    parts = [record.get("starts", {}) for record in records]
    titles = {
        name: f"{data_title(part[name])} ({text})"
        for part in parts
        for name, text in SMALL.items()
        if "gaussmix" in part.get(name, {})
    }
    return beside(records, parts, titles, "small fits")


def draws(records: list[dict]) -> str:
    """Random rows, of the records that have them."""
    having = [record for record in records if record.get("draws")]
    parts = [{key(entry): entry for entry in record["draws"]} for record in having]
    titles = {name: data_title(entry) for part in parts for name, entry in part.items()}
    what = "rows that `sample` draws"
    return beside(having, parts, titles, what) if having else missing(what)


def cost(growths: list[dict]) -> str:
    """Nanoseconds of a row and component in an iteration, over features."""
    found: list[dict[tuple, float]] = []
    for growth in growths:
        threads = growth["machine"]["threads used"]
        found.append(
            {
                (point["type"], point["d"]): point["ns per row and component"]
                for point in growth["sweeps"].get("d", [])
                if point["library"] == "gaussmix" and point["threads"] == threads
            }
        )
    families = list(dict.fromkeys(family for points in found for family, _ in points))
    body = [
        [
            f"{d}",
            *(
                digits(points[family, d]) if (family, d) in points else "-"
                for points in found
                for family in families
            ),
        ]
        for d in FEATURES
        if any((family, d) in points for points in found for family in families)
    ]
    if not body:
        return missing("what a row and a component cost")
    text = table(["columns", *of_processors(growths, families)], body, "")
    one = found[0].get((EXAMPLE["type"], EXAMPLE["d"]))
    if one is None:
        return text
    work = f"a million rows of {EXAMPLE['d']} columns with 10 components, {EXAMPLE['type']}"
    where = f"{processor_name(growths[0])} with {growths[0]['machine']['threads used']} threads"
    return (
        f"{text}\n\nSo an iteration on {work}, takes\n10,000,000 × {digits(one)} ns = "
        f"{seconds(1e7 * 1e-9 * one)} on the {where}."
    )


# --- memory --------------------------------------------------------------------------------------


def memory_of(record: dict) -> dict[tuple, dict[str, int]]:
    """Key of a shape to the peak of a default fit above all its rows, by library."""
    return {
        shape: {name: by_rows[str(shape[0])] for name, by_rows in entry["fit"].items()}
        for shape, entry in shapes_of(record, "memory").items()
    }


def memory(records: list[dict]) -> str:
    parts = [memory_of(record) for record in records]
    body = [
        [
            data_title(described(shape)),
            size(8 * shape[0] * shape[1]),
            *(
                size(part[shape][name]) if name in part.get(shape, {}) else "-"
                for part in parts
                for name in ("gaussmix", "scikit-learn")
            ),
        ]
        for shape in dict.fromkeys(shape for part in parts for shape in part)
    ]
    header = of_processors(records, ["gaussmix", "scikit-learn"])
    return table([DATA, "the rows", *header], body, "peak memory")


# --- machines ------------------------------------------------------------------------------------


def machines(records: list[dict]) -> str:
    """What each record was measured on."""
    parts = []
    for record in records:
        facts, peak = record["machine"], record["FMA peak"]["best"]
        lines = [
            f"{facts['usable CPUs']} usable CPUs, {facts['threads used']} threads in every pool",
            facts["system"],
            f"Python {facts['python']}",
            f"multiply-add peak {peak / 1e9:.1f} GF/s"
            if peak
            else "no multiply-add peak measured",
            f"measured {record['date'][:10]}, {record['repeats']} turns of each library",
        ]
        parts.append(f"**{facts['processor']}**\n\n" + "\n".join(f"- {line}" for line in lines))
        if record["quick"]:
            parts.append("Tiny shapes (`--quick`): these show only that everything runs.")
    return "\n\n".join(parts)


def coverage(records: list[dict]) -> str:
    """What has not been measured, and how far the figures carry."""
    facts = [record["machine"] for record in records]
    most = max(machine["usable CPUs"] for machine in facts)
    architectures = sorted({machine["system"].split()[-1] for machine in facts})
    another = (
        "One processor only has been recorded: the commands below record another, and the last of "
        "them,\ngiven the records of both, shows them side by side. "
        if len({machine["processor"] for machine in facts}) == 1
        else ""
    )
    return (
        f"{another}Nothing has been recorded on more than {most} CPUs,\nor on other architectures "
        f"than {' and '.join(architectures)}. Times carry over to other machines badly, ratios "
        "better."
    )


def sections(runs: list[dict], growths: list[dict]) -> dict[str, str]:
    """The placeholders of page.md that compare processors, and their texts."""
    return {
        "fits in short": fits(runs),
        "cost": cost(growths),
        "memory in short": memory(runs),
        "small": small(runs),
        "draws": draws(runs),
        "machine": machines(runs),
        "coverage": coverage(runs),
    }


# --- the front page ------------------------------------------------------------------------------


def front(records: list[dict], command: str) -> str:
    """The README's three lines: time and memory of default fits beside scikit-learn."""
    times_of = [shapes_of(record, "fit") for record in records]
    first, peaks = times_of[0], memory_of(records[0])
    body = []
    for shape in (shape for shape in FRONT if shape in first and shape in peaks):
        ratios = [time_cells(part.get(shape, {}))[2] for part in times_of]
        both = [
            f"{taken}, {size(peaks[shape][name])}"
            for taken, name in zip(time_cells(first[shape]), ("gaussmix", "scikit-learn"))
        ]
        body.append([data_title(described(shape)), *both, *ratios])
    header = [DATA, "gaussmix", "scikit-learn", *of_processors(records, ["times as fast"])]
    facts, versions = records[0]["machine"], records[0]["versions"].get("scikit-learn", {})
    return (
        f"Time of a fit from nothing, and its memory beside the rows, with gaussmix and with\n"
        f"scikit-learn {versions.get('scikit-learn', '')}, on {facts['threads used']} cores of an "
        f"{processor_name(records[0])}:\n\n"
        f"{table(header, body, 'default fits and their memory')}\n\n"
        f"`{command}` prints these lines from the record."
    )
