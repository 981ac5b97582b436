"""The picture at the top of the README and of the front page, in a light and a dark version.

    python docs/figures/front.py [--folder docs/figures]

Two uses of a mixture on real data: which rows belong together, and how usual each of them is.
"""

from __future__ import annotations

import argparse
from importlib import resources
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_wine

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances, plot_density

FOLDER = Path(__file__).resolve().parent

# matplotlib's style, and background and text as in GitHub's theme of the same name.
STYLES = {
    "light": ("default", "#ffffff", "#1f2328"),
    "dark": ("dark_background", "#0d1117", "#e6edf3"),
}
SETTINGS = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.dpi": 200,
}


def draw_eruptions(ax) -> None:
    file = resources.files("gaussmix") / "data" / "old_faithful.csv"
    with file.open(encoding="utf-8") as lines:
        eruptions = np.loadtxt(lines, delimiter=",", skiprows=1)
    model = GaussianMixture(2, random_state=0).fit(eruptions)
    plot_covariances(model, eruptions, ax=ax)
    ax.set(
        title="clusters: means, and ellipses of spread",
        xlabel="duration of an eruption (min)",
        ylabel="wait for the next (min)",
    )


def draw_wines(ax) -> None:
    wines = load_wine(as_frame=True).data[["flavanoids", "color_intensity"]].to_numpy()
    model = GaussianMixture(2, random_state=0).fit(wines)
    plot_density(model, wines, ax=ax)
    ax.get_legend().remove()
    ax.set(
        title="density: regions of 50, 90 and 99 %",
        xlabel="flavanoids in a wine",
        ylabel="colour intensity",
    )


def draw(style: str, background: str, text: str) -> plt.Figure:
    colours = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), text
    )
    faces = {"figure.facecolor": background, "axes.facecolor": background}
    with plt.style.context([style, SETTINGS, colours, faces]):
        figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.2))
        draw_eruptions(axes[0])
        draw_wines(axes[1])
        figure.canvas.draw()
    return figure


def save(figure: plt.Figure, path: Path) -> None:
    """Write a PNG of 256 colours, a third of the size of a full one."""
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    for name, style in STYLES.items():
        save(draw(*style), folder / f"front-{name}.png")


if __name__ == "__main__":
    main()
