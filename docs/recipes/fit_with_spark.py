"""Fit a mixture to a Spark data frame. Statistics alone travel to the driver.

python fit_with_spark.py [--weights]
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from pathlib import Path

import pandas as pd
from comparison import compare, example
from pyspark.sql import DataFrame, SparkSession

from gaussmix import GaussianMixture, SufficientStatistics


def first_guess(
    rows: DataFrame, columns: list[str], weight: str | None, n_components: int
) -> GaussianMixture:
    """Where EM starts: a fit to a sample of the rows."""
    fraction = min(1.0, 5_000 / rows.count())
    sample = rows.sample(fraction, seed=0).toPandas()
    fitted = GaussianMixture(n_components, random_state=0).fit(
        sample[columns].to_numpy(),
        sample_weight=None if weight is None else sample[weight].to_numpy(),
    )
    return GaussianMixture.from_parameters(
        fitted.weights_, fitted.means_, fitted.covariances_, n_threads=1, tol=1e-6
    )


def fit(
    rows: DataFrame,
    start: GaussianMixture,
    columns: list[str],
    weight: str | None = None,
    max_iter: int = 100,
) -> GaussianMixture:
    """EM over all rows, until it converges."""
    model = pickle.loads(pickle.dumps(start))

    def accumulate(frames):  # on a worker, for each partition
        statistics = sum(
            model.accumulate(
                frame[columns].to_numpy(),
                sample_weight=None if weight is None else frame[weight].to_numpy(),
            )
            for frame in frames
        )
        if statistics:  # a partition without rows has none
            yield pd.DataFrame({"statistics": [pickle.dumps(statistics)]})

    for _ in range(max_iter):
        parts = rows.mapInPandas(accumulate, "statistics binary").collect()
        statistics = [pickle.loads(part.statistics) for part in parts]
        model.update(SufficientStatistics.merge(statistics))
        if model.converged_:
            break
    return model


def main() -> None:
    weight = "weight" if "--weights" in sys.argv else None
    X, weights = example()
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(weight=weights)
    # Two worker processes on this machine, which nobody outside can reach.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # which has gaussmix
    local = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = local.getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, len(table), 25_000):
            path = Path(folder) / f"{first:06}.parquet"
            table[first : first + 25_000].to_parquet(path, compression="zstd")
        rows = spark.read.parquet(folder).cache()
        columns = ["a", "b", "c", "d"]
        start = first_guess(rows, columns, weight, n_components=3)
        model = fit(rows, start, columns, weight)
        print(f"partitions: {rows.rdd.getNumPartitions()}")
        compare(model, start, X, None if weight is None else weights)
        spark.stop()


if __name__ == "__main__":
    main()
