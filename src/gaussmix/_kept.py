"""A scorer kept from one call to the next, while the model is the one it was made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import _passes, _runtime, _validation
from ._layouts import CovarianceType
from ._parameters import MixtureParameters
from ._typing import Floats

if TYPE_CHECKING:
    from ._runtime import Snapshot

# Parameters of at most this many bytes are kept ready to score.
MOST_KEPT = 64 * 1024 * 1024


class KeptScorer(NamedTuple):
    """A scorer, and what the attributes were that it was made from.

    Attributes
    ----------
    covariance_type : str
    snapshot : Snapshot
        Copies of the arrays, which compare themselves with others.
    n_bytes : int
        Their size.
    scorer : Scorer
    """

    covariance_type: CovarianceType
    snapshot: Snapshot
    n_bytes: int
    scorer: _passes.Scorer

    @classmethod
    @_validation.says_memory_error
    def of(
        cls,
        covariance_type: CovarianceType,
        arrays: tuple[ArrayLike, ...],
        mixture: Callable[[tuple[Floats, ...]], MixtureParameters],
    ) -> KeptScorer:
        """Prepare copies of arrays for scoring; ``mixture(copies)`` makes parameters of them."""
        copies = tuple(map(_copy, arrays))
        scorer = _passes.Scorer(mixture(copies))
        snapshot = _runtime.kernels().Snapshot(*copies)
        return cls(covariance_type, snapshot, sum(copy.nbytes for copy in copies), scorer)

    def is_of(self, covariance_type: CovarianceType, arrays: tuple[ArrayLike, ...]) -> bool:
        """Whether the attributes are still the same, to the last bit."""
        return self.covariance_type == covariance_type and self.snapshot.equals(arrays)


def _copy(array: ArrayLike) -> Floats:
    """A C-contiguous copy, float32 of float32, else float64."""
    array = np.asarray(array)
    return np.array(array, dtype=_validation.computing_dtype(array.dtype), order="C")
