"""Where pickled dask graphs of earlier versions look for their tasks."""

from __future__ import annotations

from ._dask_collections import values_of_frame as _values_of_frame
from ._dask_tasks import Common as _Common
from ._dask_tasks import imputed as _imputed
from ._dask_tasks import scored as _scored

__all__ = ["_Common", "_imputed", "_scored", "_values_of_frame"]
