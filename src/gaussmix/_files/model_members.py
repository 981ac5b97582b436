"""What a model file holds: the names of its members, in their order."""

from __future__ import annotations

# In the order in which they stand in the file. Those that begin are there when the parameter was
# given, those of running statistics when there are such.
FITTED = ("weights", "means", "covariances", "lower_bound", "lower_bounds")
INITIAL = ("weights_init", "means_init", "precisions_init")
RUNNING = (
    "running_weight", "running_first", "running_second", "running_shift", "running_evidence",
    "running_totals",
)  # fmt: skip
MEMBERS = ("metadata", *FITTED, *INITIAL, *RUNNING)
