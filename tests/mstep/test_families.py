"""The fourteen covariance families: what each estimates.

Held against a numerical minimum over free numbers by the letters of a code, and against R.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from gaussmix import GaussianMixture
from gaussmix._em import loop
from gaussmix._estep.accumulation import accumulate, accumulate_responsibilities
from gaussmix._mstep import families
from gaussmix._mstep.maximize import maximize
from gaussmix._rows.array_rows import Rows
from support.families import FAMILIES, departure, in_layout, matrices_of, misfit, unpacked
from support.paths import ROOT

K = 3

DATA = ROOT / "tests" / "data"


def r_cases():
    return json.loads((DATA / "mclust_mstep.json").read_text())


@pytest.mark.parametrize("case", range(len(r_cases())))
@pytest.mark.parametrize("code", FAMILIES)
def test_estimates_beside_those_of_r(code, case):
    """Of random scatter, of matrices that commute, and of columns in units 1e-6 to 1e4."""
    given = r_cases()[case]
    weight, d = np.array(given["n"]), given["d"]
    scatter = np.array(given["W"]).reshape(-1, d, d) / weight[:, None, None]
    family = families.FAMILIES[code]
    found = family.estimate(in_layout(code, scatter, weight), weight, None, None)
    matrices = matrices_of(code, found, len(weight), d)
    assert misfit(matrices, scatter, weight) <= given["F"][code] + 1e-10 * abs(given["F"][code])
    assert misfit(matrices, scatter, weight) == pytest.approx(given["F"][code], rel=1e-10)
    assert family.n_parameters(len(weight), d) == given["n_parameters"][code]
    assert departure(code, matrices) < 1e-9


@pytest.mark.parametrize("code", FAMILIES)
def test_no_member_of_the_family_fits_statistics_better(code):
    rng = np.random.default_rng(5)
    roots = rng.standard_normal((K, 3, 6))
    scatter, weight = roots @ roots.transpose(0, 2, 1), np.array([3.0, 1.0, 2.0])
    family = families.FAMILIES[code]
    ours = matrices_of(
        code, family.estimate(in_layout(code, scatter, weight), weight, None, None), K, 3
    )
    best = min(
        minimize(
            lambda numbers: misfit(unpacked(code, numbers, K, 3), scatter, weight),
            0.5 * rng.standard_normal(family.n_parameters(K, 3)),
            tol=1e-12,
        ).fun
        for _ in range(3)
    )
    assert misfit(ours, scatter, weight) <= best + 1e-7 * abs(best)


@pytest.mark.parametrize("n_components", [1, 2])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("code", FAMILIES)
def test_one_component_and_one_column(code, d, n_components):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(60, d)) * np.repeat([1.0, 3.0], 30)[:, None]
    model = GaussianMixture(n_components, covariance_type=code, reg_covar=0, random_state=0).fit(X)
    assert departure(code, model.covariances()) < 1e-9
    if n_components == 1:
        centred = X - X.mean(axis=0)
        free = centred.T @ centred / len(X)
        plain = {"I": np.diag(np.diag(free))}.get(code[2], free)
        expected = np.trace(free) / d * np.eye(d) if code[1] == "I" else plain
        np.testing.assert_allclose(model.covariances()[0], expected, rtol=1e-9)
    if d == 1:
        alike = np.ptp(model.covariances()) < 1e-12
        assert alike == (code[0] == "E" or n_components == 1)


def r_fits():
    lines = (DATA / "mclust_families.csv").read_text().splitlines()[1:]
    for line in lines:
        name, n_components, code, loglik = line.split(",")
        yield name, int(n_components), code, float(loglik)


@pytest.mark.parametrize("name", ["iris", "old_faithful"])
def test_fits_from_partitions_beside_those_of_r(name):
    """To tight convergence from R's hierarchical partitions of two and three classes."""
    X = np.loadtxt(
        DATA / f"{name}.csv",
        delimiter=",",
        skiprows=1,
        usecols=range(2 if name == "old_faithful" else 4),
    )
    starts = np.loadtxt(DATA / f"mclust_{name}_start.csv", delimiter=",", skiprows=1, dtype=int)
    rows = Rows(X)
    for of, n_components, code, loglik in r_fits():
        if of != name:
            continue
        shares = np.eye(n_components)[starts[:, n_components - 2] - 1]
        statistics = accumulate_responsibilities(
            rows, lambda i, j, shares=shares: shares[i:j], n_components, code
        )
        result = loop.run(
            lambda parameters: accumulate(parameters, rows),
            lambda statistics, previous: maximize(statistics, 0.0, previous),
            maximize(statistics, 0.0),
            tol=1e-11,
            max_iter=5000,
        )
        assert np.diff(result.lower_bounds).min() > -1e-12
        assert result.lower_bound * len(X) > loglik - 1e-5, (code, n_components)
