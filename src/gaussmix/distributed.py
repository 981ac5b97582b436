"""Where pickled dask graphs of earlier versions look for their tasks."""

from __future__ import annotations

from ._estep.dask_tasks import Common as _Common
from ._estep.dask_tasks import imputed as _imputed
from ._estep.dask_tasks import scored as _scored
from ._rows.dask_collections import values_of_frame as _values_of_frame

__all__ = ["_Common", "_imputed", "_scored", "_values_of_frame"]
