"""PyCave's published benchmark, rerun: 100 EM iterations from the true means.

Published (docs/sites/benchmark.rst of PyCave): up to four cores of a Xeon E5-2630 v4, the true
means given, k-means excluded. Its figures are copied here, in seconds. Here weights and
covariances are given as well, the same to every library.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fits import Settings
from measurements import summary, timed
from shapes import Shape, Start, common_start, labelled_rows

ITERATIONS = 100
# scikit-learn is not asked to fit more numbers than this: its arrays and an hour would go to them.
LARGEST_FOR_OTHERS = 100_000 * 32
# A fit that takes longer is measured once.
ONCE_SECONDS = 5.0

SIZES = ((10_000, 8, 4), (100_000, 32, 16), (1_000_000, 64, 64))
PUBLISHED = {
    ("diag", 10_000): {"scikit-learn": 0.352, "PyCave": 0.649, "PyCave on a GPU": 0.358},
    ("diag", 100_000): {"scikit-learn": 18.4, "PyCave": 4.3, "PyCave on a GPU": 0.527},
    ("diag", 1_000_000): {"scikit-learn": 730.0, "PyCave": 196.0, "PyCave on a GPU": 7.7},
    ("tied", 10_000): {"scikit-learn": 0.699, "PyCave": 0.570, "PyCave on a GPU": 0.356},
    ("tied", 100_000): {"scikit-learn": 72.2, "PyCave": 12.1, "PyCave on a GPU": 0.919},
    ("tied", 1_000_000): {"PyCave on a GPU": 63.4},
    ("full", 10_000): {"scikit-learn": 1.1, "PyCave": 0.679, "PyCave on a GPU": 0.648},
    ("full", 100_000): {"scikit-learn": 110.0, "PyCave": 13.5, "PyCave on a GPU": 2.4},
}


def pycave(settings: Settings) -> list[dict]:
    """Seconds of 100 iterations of every library of this process, beside the published ones."""
    result = []
    for (covariance_type, n), published in PUBLISHED.items():
        n, d, K = next(size for size in SIZES if size[0] == n)
        shape = settings.shape(Shape(n, d, K, covariance_type, ITERATIONS))
        d, K = shape.d, shape.K
        X, labels = labelled_rows(shape)
        means = np.array([X[labels == k].mean(axis=0) for k in range(K)])
        start = replace(common_start(shape, X), means=means)
        entry: dict = {"n": shape.n, "d": d, "K": K, "type": covariance_type}
        entry |= {"published": published, "skipped": {}}
        for name in settings.libraries:
            if name != "gaussmix" and shape.n * d > LARGEST_FOR_OTHERS:
                entry["skipped"][name] = "more than 3.2 million numbers: it would take too long"
                continue
            entry[name] = seconds_of(settings, name, X, start)
        result.append(entry)
    return result


def seconds_of(settings: Settings, name: str, X: np.ndarray, start: Start) -> dict:
    """100 iterations from this start."""
    library = settings.libraries[name]
    values: list[float] = []
    while len(values) < settings.fit_repeats and not (values and values[-1] > ONCE_SECONDS):
        values.append(timed(lambda: library.em(X, start, ITERATIONS, settings.n_threads))[0])
    return summary(values)
