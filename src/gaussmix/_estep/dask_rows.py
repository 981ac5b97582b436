"""Dask collections: a fit runs one task a partition, and only parameters and statistics travel.

`DaskRows` is what an estimator asks of rows, see `_row_sets`, and `DaskData` what a fit asks of
them, see `_data`, for rows in the partitions of a dask Array or DataFrame.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import dask
import dask.array as da
import numpy as np

from .._checks.numbers import computing_dtype
from .._checks.rows import as_rows, check_shape_of_rows
from .._checks.weights import check_sample_weight, check_total_weight, rescaling_exponent
from .._common.families import CovarianceType
from .._common.typing import AnyArray, Doubles, Generator, Indices, Names
from .._parameters.mixture import MixtureParameters
from .._rows.array_rows import CENTRE_ROWS, Rows
from .._rows.dask_collections import Partitions, aligned, as_array, is_frame, lengths_of
from .._rows.first_pass import Count, FirstPass
from .._rows.sampling import stratified_sample
from .._statistics.sufficient import SufficientStatistics
from . import accumulation, dask_tasks, scoring
from .accumulation import AnyPlan
from .dask_tasks import SAME, Common
from .data import Context


class DaskData:
    """Rows in the partitions of a dask array; see `data.Data`.

    Parameters
    ----------
    partitions : Partitions
    looks : list of FirstPass
        What a first pass found in each.
    common : Common
    weighted : bool
    sample_rows : int
    """

    on_rows: Callable[[int, int], None] | None = None

    def __init__(
        self,
        partitions: Partitions,
        looks: list[FirstPass],
        common: Common,
        weighted: bool,
        sample_rows: int,
    ) -> None:
        found = FirstPass.merge(looks, common.n_features)
        self._scan = found.scaled(common.exponent)
        count = self._scan.counted
        self._partitions = partitions
        self.dtype = count.dtype
        self._looked = common
        self._common = replace(common, weight_range=count.weight_range, dtype=self.dtype)
        self._ends = np.cumsum([look.counted.n_rows for look in looks])
        self._used_ends = np.cumsum([look.counted.n_used for look in looks])
        self.n_samples = count.n_rows
        self.n_used = count.n_used
        self.n_features = common.n_features
        self.weighted = weighted
        self.total_weight = count.total_weight
        self.n_samples_seen: float = found.counted.total_weight if weighted else count.n_rows
        self.incomplete = self._scan.observed is not None
        self._scatter: Doubles | None = None
        self._kept = stratified_sample(self.n_used, max(sample_rows, CENTRE_ROWS))
        self._sample = self._rows_at(self._kept, self._used_ends, used=True)
        self.centre = self.stratified_sample(CENTRE_ROWS).centre
        self.fits_single = self._scan.fits_single(self.centre)

    def scan(self) -> FirstPass:
        return self._scan

    def in_memory(self) -> Rows:
        return self.take(np.arange(self.n_samples))

    def take(self, indices: Indices) -> Rows:
        return self._rows_at(np.asarray(indices), self._ends, used=False)

    def stratified_sample(self, most: int) -> Rows:
        # A smaller sample is a part of a larger one.
        wanted = stratified_sample(self.n_used, most)
        return self._sample.take(np.searchsorted(self._kept, wanted))

    def rows_to_draw(self, most: int) -> Rows:
        return self.stratified_sample(most)

    def accumulate(self, parameters: MixtureParameters, reg_covar: float) -> SufficientStatistics:
        for plan in accumulation.plans(parameters, self, reg_covar):
            statistics = plan.finish(self._sum(plan), self._scattered)
            if plan.is_accurate(statistics, reg_covar):
                break
        return statistics

    def accumulate_nearest(
        self, centres: Doubles, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        plan = accumulation.nearest_plan(self, centres, covariance_type)
        return plan.finish(self._sum(plan), self._scattered)

    def accumulate_random(
        self, random_state: Generator, n_components: int, covariance_type: CovarianceType
    ) -> SufficientStatistics:
        plan = accumulation.given_plan(self, n_components, covariance_type)
        seed = tuple((random_state.uniform(size=4) * 2**32).astype(np.int64).tolist())
        common = replace(self._common, plan=plan, seed=seed)
        numbers = [(i,) for i in range(len(self._partitions))]
        parts = self._checked(self._partitions.sum(dask_tasks.followed_at_random, common, numbers))
        return plan.finish(parts, self._scattered)

    def _scattered(self) -> Doubles:
        """Second moment of all rows about the centre, (d, d): the same in every iteration."""
        if self._scatter is None:
            self._scatter = self._sum(accumulation.scatter_plan(self.centre)).second[0]
        return self._scatter

    def _sum(self, plan: AnyPlan) -> SufficientStatistics:
        common = replace(self._common, plan=plan)
        return self._checked(self._partitions.sum(dask_tasks.followed, common))

    def _checked(self, statistics: SufficientStatistics) -> SufficientStatistics:
        """Statistics of as many rows as there were at first."""
        if statistics.n_rows != self.n_samples:
            raise dask_tasks.changed("X", self.n_samples, statistics.n_rows)
        if self._scan.disagrees(statistics):
            self._check_unchanged()
        if self.on_rows is not None:
            self.on_rows(self.n_samples, self.n_samples)
        return statistics

    def _check_unchanged(self) -> None:
        """Look at all partitions again, and raise if they are not as they were."""
        numbers = [(i,) for i in range(len(self._partitions))]
        looks = self._partitions.map(dask_tasks.look, self._looked, numbers)
        for number, (look, bad_row) in enumerate(looks):
            if look.bad is not None:
                row, column = look.bad
                raise ValueError(
                    f"Partition {number} of X changed between two computations: row {row}, column "
                    f"{column}, is {bad_row[0, column]} now and was a number in range before. "
                    f"{SAME}"
                )
        now = FirstPass.merge([look for look, _bad_row in looks], self.n_features)
        same = (now.mean == self._scan.mean) & (now.variance == self._scan.variance)
        other = np.flatnonzero(~same & np.isfinite(self._scan.mean))
        if other.size:
            column = int(other[0])
            raise ValueError(
                f"X changed between two computations: the mean of column {column} was "
                f"{self._scan.mean[column]:g} and is {now.mean[column]:g}. {SAME}"
            )

    def _rows_at(self, indices: Indices, ends: Indices, *, used: bool) -> Rows:
        """Rows by their number among all, or among those of positive weight."""
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        cuts = np.searchsorted(ordered, np.concatenate([[0], ends]))
        lengths = np.diff(ends, prepend=0).tolist()
        each = [
            (n, ordered[start:stop] - (end - n), used) if stop > start else None
            for start, stop, end, n in zip(cuts, cuts[1:], ends, lengths)
        ]
        X = np.empty((len(indices), self.n_features), self.dtype)
        weights = np.empty(len(indices)) if self.weighted else None
        for part, start in zip(self._partitions.map(dask_tasks.taken, self._common, each), cuts):
            if part is not None:
                places = order[start : start + len(part[0])]
                X[places] = part[0]
                if weights is not None:
                    weights[places] = part[1]
        return Rows(X, weights, n_threads=self._common.n_threads, allow_nan=self._common.allow_nan)


class DaskRows:
    """A dask collection; see `row_sets.RowSet`.

    Scores and rows filled in are dask arrays, which are computed when they are asked for.
    """

    def __init__(self, X: Any, context: Context) -> None:
        self._X = X
        self._context = context

    def to_fit(self, sample_weight: Any, sample_rows: int) -> tuple[DaskData, Names | None]:
        unfitted = self._context._replace(n_features=None, feature_names=None)
        data, names = DaskRows(self._X, unfitted)._read(sample_weight, sample_rows, piece=False)
        shape = data.n_samples, data.n_features
        check_shape_of_rows(shape, 2, self._context.estimator_name)
        return data, names

    def to_learn(self, sample_weight: Any) -> DaskData:
        return self._read(sample_weight, CENTRE_ROWS, piece=True)[0]

    def labels(self, scorer: scoring.Scorer) -> Any:
        return self.scored(scorer, "labels", None)

    def pieces(self) -> Iterator[tuple[int, AnyArray]]:
        context = self._context
        yield (
            0,
            as_rows(
                self._X,
                estimator_name=context.estimator_name,
                n_features=context.n_features,
                fitted_names=context.feature_names,
            )[0],
        )

    def scored(self, scorer: scoring.Scorer, field: str, out: AnyArray | None) -> Any:
        if out is not None:
            raise ValueError(
                "out= takes no result for a dask collection, which is a dask array that is "
                "computed later. Leave it out, and store the array, for example with .store() or "
                ".to_zarr()."
            )
        array, _names = self._array()
        common = self._common(array, parameters=scorer.parameters.copied())
        dtype = np.dtype(np.intp) if field == "labels" else computing_dtype(array.dtype)
        several = field in scoring.PER_COMPONENT
        # With drop_axis dask would join the chunks itself, before their shape is looked at.
        values = array.map_blocks(
            dask_tasks.scored,
            dask.delayed(common, traverse=False),
            field,
            dtype,
            dtype=dtype,
            chunks=(array.chunks[0], (scorer.n_components if several else 1,)),
            meta=np.empty((0, 0), dtype),
            name=f"gaussmix-{field if several else 'scored'}-{uuid.uuid4().hex}",
        )
        if several:
            return values
        return values.map_blocks(
            np.ravel,
            dtype=dtype,
            drop_axis=1,
            meta=np.empty(0, dtype),
            name=f"gaussmix-{field}-{uuid.uuid4().hex}",
        )

    def log_likelihood(self, scorer: scoring.Scorer, completed: bool) -> tuple[float, int]:
        array, _names = self._array()
        partitions = Partitions(array, None)
        common = self._common(array, parameters=scorer.parameters)
        each = [(number, completed) for number in range(len(partitions))]
        parts = partitions.map(dask_tasks.log_likelihood, common, each)
        n_rows = sum(part[1] for part in parts)
        check_shape_of_rows((n_rows, array.shape[1]), 1, common.estimator_name)
        return _total(part[0] for part in parts), n_rows

    def imputed(
        self,
        parameters: MixtureParameters,
        n_draws: int | None,
        seed: int | None,
        return_std: bool,
    ) -> tuple[Any, ...]:
        array, _names = self._array()
        seeds = () if seed is None else (seed,)
        common = self._common(array, parameters=parameters.copied(), seed=seeds, allow_nan=True)
        dtype = computing_dtype(array.dtype)
        # Of each row the values, or draws of them, and below those the deviations if asked for.
        planes = array.map_blocks(
            dask_tasks.imputed,
            dask.delayed(common, traverse=False),
            n_draws,
            return_std,
            dtype,
            dtype=dtype,
            new_axis=0,
            chunks=(
                (dask_tasks.planes_of(n_draws, return_std),),
                array.chunks[0],
                (parameters.n_features,),
            ),
            meta=np.empty((0, 0, 0), dtype),
            name=f"gaussmix-imputed-{uuid.uuid4().hex}",
        )
        values = planes[0] if n_draws is None else planes[:n_draws]
        return (values, planes[-1]) if return_std else (values,)

    def _array(self) -> tuple[Any, Names | None]:
        return as_array(
            self._X,
            estimator_name=self._context.estimator_name,
            n_features=self._context.n_features,
            fitted_names=self._context.feature_names,
        )

    def _common(self, array: Any, **more: Any) -> Common:
        context = self._context
        settings = {"allow_nan": context.allow_nan} | more
        return dask_tasks.common_of(array, context.estimator_name, context.n_threads, **settings)

    def _read(
        self, sample_weight: Any, sample_rows: int, piece: bool
    ) -> tuple[DaskData, Names | None]:
        """The rows after a first look at them, and the names of their columns.

        Parameters
        ----------
        sample_weight : None, number, array-like or dask Array of shape (n,)
        sample_rows : int
            How many rows are kept here as a sample, see `_thinning`.
        piece : bool
            Whether there may be no rows, or none of weight.
        """
        array, names = self._array()
        common = self._common(array)
        partitions = Partitions(array, _weights(sample_weight, array, common, piece))
        numbers = [(i,) for i in range(len(partitions))]
        looks, first_row = [], 0
        for number, (look, bad_row) in enumerate(partitions.map(dask_tasks.look, common, numbers)):
            if look.bad is not None:
                raise dask_tasks.bad_value(bad_row, look.bad, number, common, names, first_row)
            looks.append(look)
            first_row += look.counted.n_rows
        weighted = sample_weight is not None
        if weighted:
            count = Count.merge(look.counted for look in looks)
            largest = count.largest_weight
            check_total_weight(count.total_weight, largest, allow_zero=piece)
            if not piece:  # as `Rows.rescale_weights`
                common = replace(common, exponent=rescaling_exponent(largest))
        return DaskData(partitions, looks, common, weighted, sample_rows), names


def _weights(sample_weight: Any, X: Any, common: Common, piece: bool) -> Any:
    """Sample weights as a number, a dask array with a chunk for each of X, or None."""
    if sample_weight is None:
        return None
    if is_frame(sample_weight):
        sample_weight = sample_weight.to_dask_array()
    if isinstance(sample_weight, da.Array):
        return aligned(sample_weight, X)
    if np.ndim(sample_weight) == 0:
        one = check_sample_weight(sample_weight, 1, allow_zero=piece)
        return None if one is None else float(one[0])
    lengths = lengths_of(X)
    if lengths is None:
        lengths = tuple(Partitions(X, None).map(dask_tasks.length, common))
    weights = check_sample_weight(sample_weight, sum(lengths), allow_zero=piece)
    return da.from_array(weights, chunks=(lengths,))


def _total(sums: Iterable[float]) -> float:
    """The sum of log-likelihoods, minus infinity where it is beyond the range of doubles."""
    try:
        return math.fsum(sums)
    except OverflowError:
        return -math.inf
