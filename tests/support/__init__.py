"""What several tests share.

    reference            a plain NumPy Gaussian mixture that everything is held against
    exact                log-densities in as many decimal digits as one likes
    families             the names of the covariance families and their layouts
    models               models and parameters made of reference mixtures, and the reverse
    rows                 rows that many tests are about
    missing              rows with missing values, and models that allow them
    cases                cases drawn at random, for properties that hold for any data
    bounds               what the reference makes of such a case, and how far off others may be
    kernels              problems for the kernels, with bounds on what may be lost
    assertions           what is checked of models in many places
    model_files          the contents of small model files, and what they are made of
    plots                models to plot, and what is found on axes
    data                 the vendored data sets
    examples             how Hypothesis draws examples
    paths                where the repository is
    tables               tables in files of every format, and what commands leave and say
    processes            other processes to run code in
    results              a script: digests of what every method returns
    failing_allocations  a script: calls in which allocations fail, one after the other

Test files import from here, never from one another.
"""

import pytest

# Assertions say as much here as in test files.
pytest.register_assert_rewrite(
    *(
        f"support.{name}"
        for name in (
            "assertions",
            "bounds",
            "cases",
            "kernels",
            "missing",
            "model_files",
            "processes",
            "tables",
        )
    )
)
