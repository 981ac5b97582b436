"""How far one pass of stepwise EM ends below batch EM, over `learning_decay` and the batch size.

    python benchmarks/online.py                     about three minutes on two cores
    python benchmarks/online.py --rows 20000        does everything run?
    python benchmarks/online.py --write             puts the table into docs/tracking.md

Five mixtures of spherical components with deviation 1. How much they overlap is said by how many
deviations two centres are apart (root mean square). Both kinds of EM start from the same
parameters: rows chosen by k-means++ as centres, and one step of EM on a thousand rows. Nothing
here is a measurement of speed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapes import Shape, spherical_rows
from tables import table_lines, with_tables

from gaussmix import GaussianMixture

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tracking.md"

EXPONENTS = (0.51, 0.6, 0.7, 0.8, 1.0)
BATCHES = (500, 5_000, 20_000)

# The rows that the start is made from.
START_ROWS = 1_000


@dataclass(frozen=True)
class Data:
    """Components, features, and how many deviations two centres are apart."""

    K: int
    d: int
    apart: float
    words: str

    @property
    def name(self) -> str:
        return f"K={self.K}, d={self.d}, {self.words} ({self.apart:g})"

    def rows(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows in random order, (n, d), and the component of each, (n,)."""
        return spherical_rows(Shape(n, self.d, self.K, "full", 1), self.apart)


MIXTURES = (
    Data(8, 10, 18.0, "far apart"),
    Data(8, 10, 4.5, "overlapping"),
    Data(8, 10, 3.0, "more so"),
    Data(5, 2, 3.0, "overlapping"),
    Data(20, 4, 4.5, "overlapping"),
)


# --- one mixture ---------------------------------------------------------------------------------


def start(X: np.ndarray, K: int) -> dict[str, np.ndarray]:
    """Parameters to start from, as arguments of a model."""
    model = GaussianMixture(K, init_params="k-means++", random_state=0)
    model.partial_fit(X[:START_ROWS])
    return {
        "weights_init": model.weights_,
        "means_init": model.means_,
        "precisions_init": model.precisions_,
    }


def batch_em(X: np.ndarray, begin: dict[str, np.ndarray]) -> GaussianMixture:
    """Batch EM from a start, until it gains next to nothing."""
    return GaussianMixture(len(begin["means_init"]), **begin, tol=1e-6, max_iter=10_000).fit(X)


def one_pass(
    X: np.ndarray, begin: dict[str, np.ndarray], exponent: float, size: int
) -> GaussianMixture:
    """Stepwise EM from a start: all rows once, in batches."""
    model = GaussianMixture(len(begin["means_init"]), **begin, learning_decay=exponent)
    for first in range(0, len(X), size):
        model.partial_fit(X[first : first + size])
    return model


@dataclass(frozen=True)
class Gaps:
    """How far mean log-likelihoods lie below that of batch EM, in percent of it.

    Both of shape (batch sizes, exponents).
    """

    shuffled: np.ndarray
    ordered: np.ndarray
    iterations: int  # of batch EM


def gaps(data: Data, n: int) -> Gaps:
    """One pass beside batch EM, with the rows shuffled and in the order of their clusters."""
    X, labels = data.rows(n)
    begin = start(X, data.K)
    batch = batch_em(X, begin)
    best = batch.score(X)

    def below(rows: np.ndarray) -> np.ndarray:
        scores = [
            [one_pass(rows, begin, exponent, size).score(X) for exponent in EXPONENTS]
            for size in BATCHES
        ]
        return 100.0 * (best - np.array(scores)) / abs(best)

    return Gaps(below(X), below(X[np.argsort(labels, kind="stable")]), batch.n_iter_)


# --- what is printed -----------------------------------------------------------------------------


def figure(value: float) -> str:
    """Two digits after the point; no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def table(measured: dict[Data, Gaps], n: int) -> list[str]:
    """The gaps of shuffled rows, and a sentence on the others, in Markdown."""
    body = [
        [data.name if i == 0 else "", f"{size:,}", *(figure(gap) for gap in found.shuffled[i])]
        for data, found in measured.items()
        for i, size in enumerate(BATCHES)
    ]
    header = ['data, "full" covariances', "rows a batch", *(str(e) for e in EXPONENTS)]
    title = f"Percent below batch EM after one pass over {n:,} shuffled rows"
    iterations = [found.iterations for found in measured.values()]
    ordered = np.concatenate([found.ordered.ravel() for found in measured.values()])
    least, most = figure(ordered.min()), figure(ordered.max())
    return [
        *table_lines(title, header, body),
        f"Batch EM took {min(iterations)} to {max(iterations)} iterations.",
        f"The same rows ordered by cluster: {least} to {most} percent below.",
        "",
    ]


# --- the command line ----------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="default 1000000")
    parser.add_argument("--write", action="store_true", help="put the table into docs/tracking.md")
    options = parser.parse_args()
    if options.rows < START_ROWS:
        parser.error(f"--rows must be at least {START_ROWS}, which the start is made from")
    lines = table({data: gaps(data, options.rows) for data in MIXTURES}, options.rows)
    print("\n".join(lines))
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, "online.py", {"gaps": lines}), encoding="utf-8")


if __name__ == "__main__":
    main()
