"""How well missing values are filled in, beside scikit-learn's imputers, and in what time.

    python benchmarks/imputation.py                 about three minutes on two cores
    python benchmarks/imputation.py --quick         does everything run?
    python benchmarks/imputation.py --write         puts the tables into docs/missing.md

Real tables of which values are taken away: 10 or 30 percent at random in all columns, or from half
of the columns where another column is large, which depends on values that are there. The error is
the root mean square of what was taken away less what was filled in, in standard deviations of the
columns; filling in a column's mean has an error of about 1. For the mixture, the number of
components is chosen by BIC, with its fits in the time; the others do as they do by default.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from datasets import iris, old_faithful
from measurements import timed
from run import machine
from tables import table_lines, with_tables

from gaussmix import GaussianMixture

PAGE = Path(__file__).resolve().parents[1] / "docs" / "missing.md"

COMPONENTS = (1, 2, 3, 5, 8)
FAMILIES = ("full", "diag")

# Added to the variances, of columns scaled to deviation 1.
REGULARISATION = 1e-3


# --- tables and what is taken from them ----------------------------------------------------------


def from_scikit_learn(name: str) -> Callable[[], np.ndarray]:
    """A reader of one of the tables that ship with scikit-learn."""

    def read() -> np.ndarray:
        from sklearn import datasets

        X = getattr(datasets, f"load_{name}")().data.astype(np.float64)
        return X[:, X.std(axis=0) > 0]

    return read


TABLES = {
    "Old Faithful": old_faithful,
    "iris": iris,
    "wine": from_scikit_learn("wine"),
    "diabetes": from_scikit_learn("diabetes"),
    "breast cancer": from_scikit_learn("breast_cancer"),
    "digits": from_scikit_learn("digits"),
}


def at_random(share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """What marks a share of all values."""
    return lambda X, rng: rng.random(X.shape) < share


def where_another_is_large(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Marks values in every second column, the more likely the larger the column to the left.

    The columns to the left stay complete. Six of ten values are taken at the upper end, none at
    the lower.
    """
    taken = np.zeros(X.shape, dtype=bool)
    left = X[:, : X.shape[1] // 2 * 2 : 2]
    ranks = left.argsort(axis=0).argsort(axis=0) / max(len(X) - 1, 1)
    taken[:, 1 : 2 * left.shape[1] : 2] = rng.random(left.shape) < 0.6 * ranks
    return taken


MECHANISMS = {
    "10 % at random": at_random(0.1),
    "30 % at random": at_random(0.3),
    "where another is large": where_another_is_large,
}


def holed(
    X: np.ndarray, mark: Callable[[np.ndarray, np.random.Generator], np.ndarray], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The table without the marked values, and the marks; each column keeps two values."""
    rng = np.random.default_rng(seed)
    taken = mark(X, rng)
    for column in np.flatnonzero((~taken).sum(axis=0) < 2):
        taken[:2, column] = False
    return np.where(taken, np.nan, X), taken


# --- those who fill in ---------------------------------------------------------------------------


def by_mean(X: np.ndarray, seed: int) -> np.ndarray:
    return np.where(np.isnan(X), np.nanmean(X, axis=0), X)


def by_neighbours(X: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.impute import KNNImputer

    return KNNImputer().fit_transform(X)


def by_regressions(X: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return IterativeImputer(random_state=seed).fit_transform(X)


def mixture_options(X: np.ndarray, seed: int) -> dict[str, Any]:
    """Number of components and family with the lowest BIC."""
    candidates = [
        {"n_components": K, "covariance_type": family}
        for family in FAMILIES
        for K in COMPONENTS
        if len(X) >= 10 * K
    ]
    common = {"reg_covar": REGULARISATION, "random_state": seed, "max_iter": 300}

    def bic(options: dict[str, Any]) -> float:
        return GaussianMixture(**options, **common, allow_nan=True).fit(X).bic(X)

    return min(candidates, key=bic) | common


def by_mixture(X: np.ndarray, seed: int) -> np.ndarray:
    from gaussmix import GaussianMixtureImputer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that stop early or collapse lose by their BIC
        return GaussianMixtureImputer(**mixture_options(X, seed)).fit_transform(X)


IMPUTERS = {
    "mean": by_mean,
    "KNNImputer": by_neighbours,
    "IterativeImputer": by_regressions,
    "mixture": by_mixture,
}


# --- what is measured ----------------------------------------------------------------------------


def error(filled: np.ndarray, X: np.ndarray, taken: np.ndarray) -> float:
    """Root mean square of what was filled in, of columns with deviation 1."""
    return float(np.sqrt(np.mean((filled - X)[taken] ** 2)))


def compared(
    X: np.ndarray,
    mark: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    seeds: int,
) -> dict[str, tuple[float, float]]:
    """Median error and seconds of each imputer; all fill in the same values, in turns."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in IMPUTERS}
    for seed in range(seeds):
        incomplete, taken = holed(X, mark, seed)
        for name, fill in IMPUTERS.items():
            seconds, filled = timed(partial(fill, incomplete, seed))
            found[name].append((error(filled, X, taken), seconds))
    return {name: tuple(map(median, zip(*values))) for name, values in found.items()}


def made_tables(
    found: dict[tuple[str, str], dict[str, tuple[float, float]]], shapes: dict[str, tuple]
) -> dict[str, list[str]]:
    """Errors, and seconds of the mixture and scikit-learn's imputers, in Markdown."""
    errors, times = [], []
    for (table, mechanism), of_both in found.items():
        first = mechanism == next(iter(MECHANISMS))
        n, d = shapes[table]
        name = f"{table}, {n:,} x {d}" if first else ""
        lowest = min(value for value, _ in of_both.values())
        cells = [
            f"**{value:.3f}**" if value == lowest else f"{value:.3f}"
            for value, _ in of_both.values()
        ]
        errors.append([name, mechanism, *cells])
        times.append([name, mechanism, *(f"{value:.3f}" for _, value in of_both.values())])
    header = ["table", "missing", *IMPUTERS]
    facts = machine(0)
    return {
        "errors": table_lines("Root mean square error in standard deviations", header, errors),
        "times": [
            *table_lines("Seconds, with the choice of the number of components", header, times),
            f"{facts['processor']}, {facts['usable CPUs']} CPUs.",
            "",
        ],
    }


# --- the command line ----------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small table, once")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/missing.md")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    names, seeds = (["iris"], 1) if options.quick else (options.tables, options.seeds)
    rows = {name: TABLES[name]() for name in names}
    found = {
        (name, mechanism): compared(X, mark, seeds)
        for name, X in rows.items()
        for mechanism, mark in MECHANISMS.items()
    }
    made = made_tables(found, {name: X.shape for name, X in rows.items()})
    print("\n".join(line for lines in made.values() for line in lines))
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(page, "imputation.py", made), encoding="utf-8")


if __name__ == "__main__":
    main()
