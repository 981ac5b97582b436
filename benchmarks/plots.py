"""The figures of the performance page, drawn from the records of run.py and growth.py.

    python benchmarks/plots.py RESULTS.json [GROWTH.json] [--folder docs/figures] [--png FOLDER]

Every figure is an SVG that is the same, byte for byte, for the same records and matplotlib. Curves
carry their names; colours are Okabe and Ito's, and every series also has a marker of its own, so
that they can be told apart in grey.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "figures"

STYLES = {
    "scikit-learn": ("#E69F00", "o"),
    "oneDAL": ("#0072B2", "s"),
    "Armadillo": ("#009E73", "^"),
    "mlpack": ("#CC79A7", "v"),
    "pomegranate": ("#D55E00", "D"),
    "gmmx": ("#56B4E9", "P"),
    "mclust": ("#7A7A7A", "X"),
    "gaussmix": ("#000000", "o"),
}
FAMILY_STYLES = {
    "full": ("#0072B2", "o"),
    "tied": ("#D55E00", "s"),
    "diag": ("#009E73", "^"),
    "spherical": ("#CC79A7", "D"),
}
SETTINGS = {
    "svg.hashsalt": "gaussmix",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
SWEEP_TITLES = {
    "n": ("number of rows (d = 10, K = 8)", "ns per row and component"),
    "d": ("number of features (K = 8)", "ns per row and component"),
    "K": ("number of components (d = 8)", "ns per row and component"),
}


def mark(name: str, record: dict, growth: dict | None) -> str:
    """What a figure carries to tell which record it was drawn from."""
    source = growth if name.startswith("growth") else record
    text = json.dumps(source, sort_keys=True)
    return f"record {hashlib.sha256(text.encode()).hexdigest()[:16]}"


# --- which figures a record allows ---------------------------------------------------------------


def has_ratios(record: dict) -> bool:
    return any(len(shape.get("iteration", {})) > 1 for shape in record["shapes"])


def has_starts(record: dict) -> bool:
    return any("gaussmix" in entry for entry in record.get("starts", {}).values())


def figures(record: dict, growth: dict | None) -> dict[str, Callable]:
    """Name of every figure these records allow, and the function that draws it."""
    found: dict[str, Callable] = {}
    if has_ratios(record):
        found["ratios"] = lambda: draw_ratios(record)
    if has_starts(record):
        found["starts"] = lambda: draw_starts(record["starts"])
    if record.get("float32"):
        found["float32"] = lambda: draw_float32(record["float32"])
    for sweep in (growth or {"sweeps": {}})["sweeps"]:
        if sweep == "threads":
            found["growth-threads"] = lambda: draw_threads(growth)
        else:
            found[f"growth-{sweep}"] = lambda sweep=sweep: draw_growth(growth, sweep)
    return found


# --- drawing -------------------------------------------------------------------------------------


def shape_label(entry: dict) -> str:
    return f"{entry['n']:,} × {entry['d']}, K = {entry['K']}, {entry['type']}"


def draw_ratios(record: dict):
    """Of every shape, the time of each peer over that of gaussmix."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    shapes = [s for s in record["shapes"] if "gaussmix" in s.get("iteration", {})]
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.48 * len(shapes)))
    named = set()
    for height, shape in enumerate(reversed(shapes)):
        entry = shape["iteration"]
        ratios = {
            name: values["median"] / entry["gaussmix"]["median"]
            for name, values in entry.items()
            if name != "gaussmix"
        }
        axes.plot([1, max(ratios.values(), default=1)], [height] * 2, color="#C8C8C8", zorder=1)
        for name, ratio in ratios.items():
            colour, marker = STYLES.get(name, ("#000000", "*"))
            label = None if name in named else name
            named.add(name)
            axes.plot(
                ratio, height, marker, color=colour, ms=6.5, mec="white", mew=0.6, label=label
            )
        for ratio in labelled_ends(ratios).values():
            axes.annotate(
                f"{ratio:.3g}",
                (ratio, height),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color="#333333",
            )
    axes.axvline(1, color="#000000", linewidth=1.0)
    axes.set(xscale="log", ylim=(-0.6, len(shapes) - 0.3))
    axes.set_yticks(range(len(shapes)), [shape_label(s) for s in reversed(shapes)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of an EM iteration, relative to gaussmix (= 1); further right is slower")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, handletextpad=0.2)
    return figure


def labelled_ends(ratios: dict[str, float]) -> dict[str, float]:
    """The peers whose ratio is printed: scikit-learn, the fastest and the slowest, if apart."""
    by_speed = sorted(ratios, key=ratios.get)
    wanted = [
        *(name for name in by_speed if name == "scikit-learn"),
        *by_speed[:1],
        *by_speed[-1:],
    ]
    chosen: dict[str, float] = {}
    for name in wanted:
        apart = (abs(math.log(ratios[name] / other)) > 0.45 for other in chosen.values())
        if all(apart):
            chosen[name] = ratios[name]
    return chosen


def curves(growth: dict, sweep: str) -> dict[tuple, list[dict]]:
    """(library, type, threads) -> points in order of size."""
    found: dict[tuple, list[dict]] = {}
    for point in growth["sweeps"][sweep]:
        found.setdefault((point["library"], point["type"], point["threads"]), []).append(point)
    return {key: sorted(points, key=lambda p: p[sweep]) for key, points in found.items()}


def spread_labels(axes, labels: list[tuple[float, float, str, str]]) -> None:
    """Name curves at their right ends, (x, y, text, colour), apart from each other."""
    lowest, highest = axes.get_ylim()
    least = (highest / lowest) ** 0.045
    above = 0.0
    for x, y, text, colour in sorted(labels, key=lambda label: label[1]):
        above = max(y, above * least)
        axes.annotate(
            text,
            (x, y),
            xytext=(1.015, above),
            textcoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )


def draw_growth(growth: dict, sweep: str):
    """Cost per row and component over one size, a curve for every family."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 3.9))
    all_threads = growth["machine"]["threads used"]
    labels = []
    for (library, family, threads), points in curves(growth, sweep).items():
        colour, marker = FAMILY_STYLES[family]
        ours = library == "gaussmix"
        sizes = [p[sweep] for p in points]
        costs = [p["ns per row and component"] for p in points]
        one = ours and threads < all_threads
        style = "--" if not ours else ":" if one else "-"
        few = len(points) < 15
        axes.plot(
            sizes,
            costs,
            style,
            color=colour,
            marker=marker,
            linewidth=1.3,
            markersize=3.5 if few else 2.2,
            alpha=0.75 if one else 1.0,
            markerfacecolor=colour if ours and not one else "white",
        )
        if not one:
            name = family if ours else f"{family}, {library}"
            labels.append((sizes[-1], costs[-1], name, colour))
    axes.set(xscale="log", yscale="log", xlabel=SWEEP_TITLES[sweep][0])
    axes.set_ylabel(SWEEP_TITLES[sweep][1])
    plain_ticks(axes, sweep)
    spread_labels(axes, labels)
    if any(key[2] < all_threads for key in curves(growth, sweep)):
        axes.set_title("dotted: one thread", fontsize=8.5, loc="left")
    return figure


def plain_ticks(axes, sweep: str) -> None:
    """Sizes as numbers, powers of two for features and components."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    def few(y: float, _: int) -> str:
        """1, 2 and 5 times powers of ten: more labels would touch."""
        return f"{y:,.10g}" if f"{y:e}"[0] in "125" else ""

    axes.yaxis.set_major_formatter(FuncFormatter(few))
    lowest, highest = axes.get_ylim()
    axes.yaxis.set_minor_formatter(FuncFormatter(few) if highest < 100 * lowest else "")
    if sweep != "n":
        axes.xaxis.set_major_locator(FixedLocator([2**i for i in range(11)]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def draw_threads(growth: dict):
    """Speed-up over one thread, many rows and few."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    points = [p for p in growth["sweeps"]["threads"] if p["library"] == "gaussmix"]
    sizes = sorted({p["n"] for p in points})
    figure, panels = plt.subplots(1, len(sizes), figsize=(7.5, 3.2), sharey=True, squeeze=False)
    usable = growth["machine"]["usable CPUs"]
    named = []
    for axes, n in zip(panels[0], sizes, strict=True):
        labels = []
        for family, (colour, marker) in FAMILY_STYLES.items():
            chosen = {
                p["threads"]: p["seconds"] for p in points if (p["n"], p["type"]) == (n, family)
            }
            if 1 not in chosen:
                continue
            counts = sorted(chosen)
            gains = [chosen[1] / chosen[count] for count in counts]
            axes.plot(counts, gains, color=colour, marker=marker, markersize=4.5, linewidth=1.3)
            labels.append((counts[-1], gains[-1], family, colour))
        highest = max(p["threads"] for p in points)
        axes.plot([1, usable, highest], [1, usable, usable], color="#A0A0A0", linestyle=":")
        axes.axvline(usable, color="#A0A0A0", linewidth=0.8)
        axes.set(xlabel="threads", title=f"{n:,} rows")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        named.append((axes, labels))
    # The panels share an axis, whose ends are known only now.
    for axes, labels in named:
        spread_labels(axes, labels)
    panels[0][0].set_ylabel("times as fast as one thread")
    return figure


def draw_starts(starts: dict):
    """Final mean log-likelihood of default fits, a dot a seed, of every data set."""
    import matplotlib.pyplot as plt

    sets = {name: entry for name, entry in starts.items() if "gaussmix" in entry}
    columns = min(3, len(sets))
    lines = -(-len(sets) // columns)
    figure, panels = plt.subplots(lines, columns, figsize=(7.5, 0.4 + 1.5 * lines), squeeze=False)
    for axes in panels.flat[len(sets) :]:
        axes.set_visible(False)
    for axes, (name, entry) in zip(panels.flat, sets.items()):
        libraries = [library for library in ("gaussmix", "scikit-learn") if library in entry]
        for height, library in enumerate(libraries):
            values = sorted(entry[library]["mean log-likelihood"]["all"])
            # Seeds that end in one optimum would hide each other.
            steps = [height + 0.22 * ((i % 5) - 2) / 2 for i in range(len(values))]
            colour, marker = STYLES[library]
            axes.plot(values, steps, marker, color=colour, markersize=3.5, alpha=0.7, mew=0)
            middle = entry[library]["mean log-likelihood"]["median"]
            axes.plot([middle] * 2, [height - 0.36, height + 0.36], color=colour, linewidth=1.4)
        axes.set_yticks(range(len(libraries)), libraries if axes in panels[:, 0] else [])
        axes.set_ylim(-0.6, len(libraries) - 0.4)
        axes.set_title(f"{name}, K = {entry['K']}", fontsize=9)
        axes.ticklabel_format(axis="x", useOffset=False)
        axes.tick_params(axis="x", labelsize=7.5)
        axes.locator_params(axis="x", nbins=3)
        lowest, highest = axes.get_xlim()
        if highest - lowest < 1e-3 * abs(highest):  # all seeds agree: do not magnify rounding
            centre = (lowest + highest) / 2
            axes.set_xlim(centre - 5e-4 * abs(centre), centre + 5e-4 * abs(centre))
        axes.grid(axis="y", visible=False)
    figure.supxlabel(
        "final mean log-likelihood, a dot a seed; further right is better", fontsize=9
    )
    return figure


def draw_float32(entries: list[dict]):
    """Speed on float32 rows relative to float64 rows."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.36 * len(entries)))
    for height, entry in enumerate(reversed(entries)):
        axes.barh(height, entry["ratio"], height=0.6, color="#56B4E9")
        axes.text(
            entry["ratio"] + 0.02, height, f"{entry['ratio']:.2f}", va="center", fontsize=8.5
        )
    axes.axvline(1, color="#000000", linewidth=1.0)
    axes.set_yticks(range(len(entries)), [shape_label(entry) for entry in reversed(entries)])
    highest = max(1.0, *(entry["ratio"] for entry in entries))
    axes.set(xlabel="times as fast as on float64 rows", xlim=(0, 1.12 * highest))
    axes.grid(axis="y", visible=False)
    return figure


# --- files ---------------------------------------------------------------------------------------


def draw_all(
    record: dict, growth: dict | None, folder: Path = FOLDER, png: Path | None = None
) -> list[Path]:
    """Write every figure the records allow and return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    written = []
    with matplotlib.rc_context(SETTINGS):
        for name, draw in figures(record, growth).items():
            figure = draw()
            path = folder / f"{name}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            described = {"Date": None, "Description": mark(name, record, growth)}
            figure.savefig(path, metadata=described)
            if png:
                png.mkdir(parents=True, exist_ok=True)
                figure.savefig(png / f"{name}.png", dpi=110)
            plt.close(figure)
            written.append(path)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("growth", type=Path, nargs="?")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--png", type=Path, help="also as PNG, to look at")
    options = parser.parse_args()
    records = [
        json.loads(path.read_text(encoding="utf-8")) if path else None
        for path in (options.results, options.growth)
    ]
    for path in draw_all(*records, options.folder, options.png):
        print(path)


if __name__ == "__main__":
    main()
