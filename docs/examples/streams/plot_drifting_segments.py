"""
Segments that drift
===================

Customers change: segments move, one dies out, another appears. ``partial_fit`` with
``forgetting`` follows them month by month, and a segment keeps its number, so that its
history can be drawn.

The customers are people of the RAND Health Insurance Experiment, as in
:doc:`/auto_examples/choosing/plot_customer_segments`. How they change is
**simulated**: the experiment saw each of them for a few years only, too little for
segments to move far. In return the truth is known.
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
X = np.column_stack(
    [people.xage / 10, np.log10(people.outpdol), np.log10(people.drugdol)]
)

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
# In each of 60 months 600 customers come. They are drawn from the people and then
# changed. The oldest pay less and less for drugs, the schoolchildren more. The youngest
# become fewer, and after month 20 there are none. From month 30 on there is a new
# segment: adults as they were, but with a tenth of the outpatient spending and ten
# times that on drugs.

N_MONTHS = 60
months = np.arange(N_MONTHS)
shares = np.tile(np.append(np.bincount(segment) / len(X), 0.0), (N_MONTHS, 1))
shares[:, 0] *= np.clip(1 - months / 20, 0, 1)
shares[:, 4] = 0.25 * np.clip((months - 29) / 10, 0, 1)
shares /= shares.sum(axis=1, keepdims=True)
steps = np.zeros((5, N_MONTHS, 3))  # decades of age, powers of ten of dollars
steps[1, :, 2] = 0.010 * months
steps[3, :, 2] = -0.015 * months
steps[4] = [0, -1, 1]
source = [np.flatnonzero(segment == k) for k in (0, 1, 2, 3, 2)]
centres = np.stack([X[rows].mean(axis=0) for rows in source])[:, None] + steps


def customers(month):
    """The rows of a month."""
    labels = rng.choice(5, size=600, p=shares[month])
    return np.stack([X[rng.choice(source[k])] + steps[k, month] for k in labels])


# %%
# Following them
# --------------
# The model begins with the four segments. With ``forgetting=0.8`` a month weighs 0.8 of
# the one after it: what is remembered is about five months of customers. Two rules are
# ours. Rows less probable than 99 in 100 of the people at the start are unusual; where
# one in twenty is, there is something new. And a segment with less than 2 % of the
# weight is free to become that: ``revive`` places it at the mean of the unusual rows.

model = GaussianMixture.from_parameters(
    start.weights_[order],
    start.means_[order],
    start.covariances_[order],
    forgetting=0.8,
)
rare = np.quantile(start.score_samples(X), 0.01)
means = np.empty((N_MONTHS, 4, 3))
weights = np.empty((N_MONTHS, 4))
for month in months:
    rows = customers(month)
    unusual = model.score_samples(rows) < rare
    weakest = np.argmin(model.weights_)
    if np.mean(unusual) > 0.05 and model.weights_[weakest] < 0.02:
        model.revive(weakest, means=[rows[unusual].mean(axis=0)])
        print(
            f"month {month}: {np.mean(unusual):.0%} unusual rows, taken up by "
            f"component {weakest}"
        )
    model.partial_fit(rows)
    means[month], weights[month] = model.means_, model.weights_

# %%
# True and followed
# -----------------
# Dashed is the truth, lines are what was followed.

segments = ("youngest, then new", "schoolchildren", "adults", "oldest")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for k, name in enumerate(segments):
    known = (months < 20) | (months >= 32) if k == 0 else months >= 0
    left.plot(months, np.where(known, means[:, k, 2], np.nan), f"C{k}", linewidth=2.5)
    right.plot(months, weights[:, k], f"C{k}", linewidth=2.5, label=name)
for k in range(5):
    there = shares[:, k] > 0
    for ax, values in ((left, centres[k, :, 2]), (right, shares[:, k])):
        ax.plot(months[there], values[there], "--", color="0.5", linewidth=1)
dollars = np.array([2, 5, 10, 20, 50])
left.set_yticks(np.log10(dollars), dollars)
left.set(xlabel="month", ylabel="drug spending of the centre (dollars a year)")
right.set(xlabel="month", ylabel="share of the customers", ylim=0)
figure.legend(loc="outside upper center", ncols=4)
plt.show()

# %%
# Component 0 fades with the youngest, keeps their place while it has next to no data,
# and is then given to the new segment, two months after its first customers.
#
# Two things are not as one would wish. What moves is followed with a delay, of six to
# nine months at the end. Four are ``forgetting / (1 - forgetting)``, the mean age of
# what is remembered; the others come of the overlap, for which EM needs several steps,
# and here gets one a month. A smaller value shortens the delay, makes the lines
# noisier, and lets the adults spread over the new customers before these are noticed.
# And some customers count in the wrong segment: what remains of component 0 after month
# 20 are a few schoolchildren, and the share of the new segment is right only a year
# after it has stopped growing.
#
# Without forgetting
# ------------------
# By default ``partial_fit`` does not forget at a constant rate: it converges, as one
# wants where nothing changes. With ``learning_decay=1`` all months weigh the same, and
# the centre of the oldest is left behind:

average = GaussianMixture.from_parameters(
    start.weights_[order],
    start.means_[order],
    start.covariances_[order],
    learning_decay=1,
)
rng = np.random.default_rng(1)
for month in months:
    average.partial_fit(customers(month))
errors = {
    "forgetting=0.8": abs(means[-1, 3, 2] - centres[3, -1, 2]),
    "learning_decay=1": abs(average.means_[3, 2] - centres[3, -1, 2]),
}
for name, error in errors.items():
    print(f"drug spending of the oldest with {name:16} off by a factor {10**error:.2f}")
assert errors["forgetting=0.8"] < 0.15 < 0.3 < errors["learning_decay=1"]
last = centres[[4, 1, 2, 3], -1]
assert np.abs(means[-1] - last).max() < 0.2
assert np.abs(weights[-1] - shares[-1, [4, 1, 2, 3]]).max() < 0.03
