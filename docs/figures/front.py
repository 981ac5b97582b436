"""The picture at the top of the README, in a light and a dark version.

    python docs/figures/front.py [--folder docs/figures]

Three uses of a mixture on real data: the eruptions of Old Faithful as two components, the density
of two properties of wines, and a photograph with its colours as segments.
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
from sklearn.datasets import load_sample_image, load_wine

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
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.dpi": 150,
}


def draw_eruptions(ax) -> None:
    file = resources.files("gaussmix") / "data" / "old_faithful.csv"
    with file.open(encoding="utf-8") as lines:
        eruptions = np.loadtxt(lines, delimiter=",", skiprows=1)
    model = GaussianMixture(2, random_state=0).fit(eruptions)
    plot_covariances(model, eruptions, ax=ax)
    ax.set(
        title=f"{len(eruptions)} eruptions, 2 components",
        xlabel="duration of an eruption (min)",
        ylabel="wait for the next (min)",
    )


def draw_wines(ax) -> None:
    wines = load_wine(as_frame=True).data[["flavanoids", "color_intensity"]].to_numpy()
    model = GaussianMixture(2, random_state=0).fit(wines)
    plot_density(model, wines, ax=ax)
    ax.get_legend().remove()
    ax.set(
        title=f"{len(wines)} wines, regions of 50, 90 and 99 %",
        xlabel="flavanoids",
        ylabel="colour intensity",
    )


def draw_photo(ax) -> None:
    """The left half as it was taken, the right half in the mean colours of its segments."""
    photo = load_sample_image("china.jpg")[:, 40:500]
    pixels = photo.reshape(-1, 3) / 255
    model = GaussianMixture(7, random_state=0).fit(pixels)
    segments = np.clip(model.means_, 0, 1)[model.predict(pixels)].reshape(photo.shape)
    middle = photo.shape[1] // 2
    ax.imshow(np.concatenate([photo[:, :middle] / 255, segments[:, middle:]], axis=1))
    ax.axvline(middle - 0.5, color="white", linewidth=1.5)
    ax.set_title(f"{len(pixels):,} pixels, 7 segments")
    ax.axis("off")


def draw(style: str, background: str, text: str) -> plt.Figure:
    colours = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), text
    )
    faces = {"figure.facecolor": background, "axes.facecolor": background}
    with plt.style.context([style, SETTINGS, colours, faces]):
        figure, axes = plt.subplots(1, 3, figsize=(11, 3.3))
        draw_eruptions(axes[0])
        draw_wines(axes[1])
        draw_photo(axes[2])
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
