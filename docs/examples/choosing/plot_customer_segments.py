"""
Customer segments
=================

Into what groups may one put one's customers? The customers here are people insured in
the RAND Health Insurance Experiment, in the United States of the 1970s; the data come
with statsmodels. Segments are made from age and spending, and then described by what
was not used to make them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from statsmodels.datasets import randhie

from gaussmix import GaussianMixture
from gaussmix.plotting import plot_covariances, plot_criteria

table = pd.read_csv(Path(randhie.__file__).parent / "src" / "randhie.csv")

# %%
# A person appears once for every year, and rows of one person are not independent, as a
# mixture takes them to be. So the years are averaged to one row a person.

people = table.groupby("zper").agg(
    age=("xage", "mean"),  # years
    visits=("outpdol", "mean"),  # dollars a year, outpatient
    drugs=("drugdol", "mean"),  # dollars a year
    hospital=("inpdol", "mean"),  # dollars a year
    diseases=("disea", "first"),  # index of chronic diseases, at the start
    female=("female", "first"),
)
print(f"{len(table):,} person-years of {len(people):,} people")

# %%
# Those who spent nothing on visits or on drugs are a segment already. A mixture should
# not be asked to find it: equal values have no spread, and a Gaussian would shrink onto
# them without end. The spending of the others is skewed by a few large bills, and near
# normal on a log scale. Age is in decades, so that no column outweighs the others where
# k-means++ looks for a start.

spent = (people.visits > 0) & (people.drugs > 0)
print(f"{np.mean(~spent):.0%} spent nothing on visits or nothing on drugs")
customers = people[spent]
X = np.column_stack(
    [customers.age / 10, np.log10(customers.visits), np.log10(customers.drugs)]
)

# %%
# How many segments?
# ------------------
# The components overlap much. EM is then slow, and a loose ``tol`` would stop it on the
# way, so it is set small and the iterations are accelerated.


def fit(k, rows, family="full"):
    return GaussianMixture(
        k,
        covariance_type=family,
        init_params="k-means++",
        n_init=6,
        max_iter=1000,
        tol=1e-5,
        acceleration="squarem",
        random_state=0,
    ).fit(rows)


models = [fit(k, X) for k in range(1, 9)]
for family in ("tied", "diag", "spherical"):
    lowest = min(fit(k, X, family).bic(X) for k in range(1, 9))
    print(f"lowest BIC, {family:9} {lowest:10,.0f}")
    assert lowest > min(model.bic(X) for model in models)
print(f"lowest BIC, full      {min(model.bic(X) for model in models):10,.0f}")

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
plot_criteria(models, X, ax=ax)
plt.show()

# %%
# Full covariances describe the customers best. BIC is lowest at six components, ICL at
# three, and ICL leaps from four to five: beyond four, segments are cut where there is
# no gap. Such segments divide a continuum and are not kinds of people. One can still
# ask of them that other customers would have given the same. So, three times, each half
# of the customers makes its own segments, and the two are compared on everybody; 1 is
# full agreement:

rng = np.random.default_rng(0)
halves = [rng.permutation(len(X)) % 2 == 0 for _ in range(3)]
agreement = {
    k: [
        adjusted_rand_score(fit(k, X[half]).predict(X), fit(k, X[~half]).predict(X))
        for half in halves
    ]
    for k in range(2, 7)
}
for k, scores in agreement.items():
    print(
        f"K = {k}: BIC {models[k - 1].bic(X):8,.0f}, halves agree to",
        np.round(scores, 2),
    )
assert min(models, key=lambda model: model.bic(X)).n_components == 6
assert min(models, key=lambda model: model.icl(X)).n_components == 3
assert np.mean(agreement[4]) > 0.7 > 0.6 > np.mean(agreement[5])

# %%
# Who they are
# ------------
# Up to four segments repeat well, but they are little more than ages. The fifth divides
# the adults by their spending, which one would like to know. It is taken here, as BIC
# pays for it, with a warning: where exactly the adults are divided depends on which of
# them one asks. Whoever needs segments that others would find again takes four. In
# order of age:

model = models[4]
order = np.argsort(model.means_[:, 0])
segment = np.argsort(order)[model.predict(X)]
profile = customers.groupby(segment).agg(
    people=("age", "size"),
    youngest=("age", lambda age: age.quantile(0.1)),
    oldest=("age", lambda age: age.quantile(0.9)),
    visits=("visits", "median"),
    drugs=("drugs", "median"),
    in_hospital=("hospital", lambda dollars: np.mean(dollars > 0)),
    diseases=("diseases", "mean"),
    female=("female", "mean"),
)
print(profile.round(2).to_string())

# sphinx_gallery_thumbnail_number = 2
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
for ax, feature, name in ((axes[0], 1, "outpatient"), (axes[1], 2, "drug")):
    plot_covariances(model, X, features=(0, feature), deviations=(1,), ax=ax)
    for number, mean in enumerate(model.means_[order]):
        ax.annotate(number, mean[[0, feature]], (6, 4), textcoords="offset points")
    ax.set(xlabel="age (years)", ylabel=f"{name} spending (dollars a year)")
    ax.xaxis.set_major_formatter(lambda decades, _: f"{10 * decades:.0f}")
    ax.yaxis.set_major_formatter(lambda power, _: f"{10**power:g}")
plt.show()

# %%
# "Youngest" and "oldest" are the 10 % and 90 % quantiles of age. Infants and
# schoolchildren; adults who spend much and adults of the same age who spend little;
# people from about fifty. Neither sex nor hospital nor diseases were in the fit, yet
# the two segments of adults differ in all: those who spend more are mostly women, and
# were in hospital twice as often.

frugal, spending = sorted((2, 3), key=lambda k: profile.visits[k])
assert profile.female[spending] > 0.6 > 0.5 > profile.female[frugal]
assert profile.in_hospital[spending] > 2 * profile.in_hospital[frugal]
sure = np.mean(model.predict_proba(X).max(axis=1) > 0.8)
print(f"customers with a segment of more than 80 % probability: {sure:.0%}")

# %%
# For the rest, use the probabilities: weigh each customer by them when a segment's
# total or mean is wanted, rather than put everybody into one drawer.
