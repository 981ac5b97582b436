"""
Segments that drift
===================

Customers change: segments move, one dies out, another appears. ``partial_fit`` with
``forgetting`` follows them month by month, and a segment keeps its number, so that its
history can be drawn.

The customers are people of the RAND Health Insurance Experiment, as in
:doc:`plot_customer_segments`. How they change is **simulated**: the experiment saw each
of them for a few years only, too little for segments to move far. In return the truth
is known.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from statsmodels.datasets import randhie

from gaussmix import GaussianMixture

table = pd.read_csv(Path(randhie.__file__).parent / "src" / "randhie.csv")
people = table.groupby("zper")[["xage", "outpdol", "drugdol"]].mean()
people = people[(people.outpdol > 0) & (people.drugdol > 0)]
X = np.column_stack([people.xage / 10, np.log10(people.outpdol), np.log10(people.drugdol)])

# %%
# Five years of customers
# -----------------------
# Four segments, little more than ages, are what these people have by nature. Each
# person is given one of them at random, with the probabilities that the mixture says.

start = GaussianMixture(
    4, init_params="k-means++", n_init=6, max_iter=1000, tol=1e-5, random_state=0
).fit(X)
order = np.argsort(start.means_[:, 0])
rng = np.random.default_rng(0)
draws = rng.random((len(X), 1)) > start.predict_proba(X)[:, order].cumsum(axis=1)
segment = draws.sum(axis=1)

# %%
# In each of 60 months 600 customers come. They are drawn from the people, and then
# moved: from month to month the youngest become fewer, until in month 30 none is left;
# drugs for the oldest become cheaper, those for the schoolchildren dearer; and from
# month 24 on there is a new kind of adults, who buy drugs for the tenfold and hardly see
# a doctor.

N_MONTHS = 60
months = np.arange(N_MONTHS)
shares = np.tile(np.append(np.bincount(segment) / len(X), 0.0), (N_MONTHS, 1))
shares[:, 0] *= np.clip(1 - months / 30, 0, 1)
shares[:, 4] = 0.25 * np.clip((months - 24) / 12, 0, 1)
shares /= shares.sum(axis=1, keepdims=True)
drift = np.zeros((5, N_MONTHS, 3))  # decades, and powers of ten
drift[1, :, 2] = 0.010 * months
drift[3, :, 2] = -0.015 * months
drift[4] = [0.0, -0.8, 1.0]
SOURCE = np.array([0, 1, 2, 3, 2])


def customers(month):
    """Rows of a month, and the segments they come from."""
    labels = rng.choice(5, size=600, p=shares[month])
    rows = [rng.choice(np.flatnonzero(segment == SOURCE[label])) for label in labels]
    return X[rows] + drift[labels, month], labels

p = [customers(m) for m in months]
truth = np.array([[r[l==k].mean(0) if (l==k).sum()>9 else [np.nan]*3 for k in range(5)] for r,l in p])
model = GaussianMixture.from_parameters(start.weights_[order], start.means_[order], start.covariances_[order], forgetting=.85)
rows=[]
usual=None
for m,(r,l) in enumerate(p):
    s=model.score_samples(r)
    model.partial_fit(r)
    rows.append((model.means_, model.weights_, model.effective_rows_))
    if m%6==0: print(m,np.quantile(s,[.01,.05]).round(1),model.weights_.round(3),shares[m].round(3),model.means_.round(2).tolist(),truth[m].round(2).tolist())
