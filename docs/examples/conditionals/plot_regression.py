"""
Regression with a band that fits
================================

A mixture of all columns knows how any of them depends on the others. Given the values
of some it is again a mixture, of the others, whose mean is a regression curve and whose
quantiles are a band about it. The band is as wide as the data are there: what
households spend on food scatters the more, the more they earn. The 235 households are
those of Ernst Engel's study of 1857.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from sklearn.model_selection import KFold

from gaussmix import GaussianMixture

data = sm.datasets.engel.load_pandas().data
X = data[["income", "foodexp"]].to_numpy()
assert len(X) == 235


def fitted(k, rows):
    return GaussianMixture(k, variance_floor=0.01, n_init=10, random_state=0).fit(rows)


# %%
# Both columns are fitted together, and nothing says yet which is to be predicted. With
# one component the conditional mean is the line of least squares, and the band has one
# width everywhere. BIC prefers four.

models = {k: fitted(k, X) for k in range(1, 6)}
for k, model in models.items():
    print(f"K = {k}   BIC {model.bic(X):.1f}")
best = min(models, key=lambda k: models[k].bic(X))
assert best == 4

# %%
# Nine households in ten should lie within a band from the quantile 0.05 to 0.95, at
# every income. That is asked of households that were not fitted, a tenth of them at a
# time.


def left_out(k, transform=lambda rows: rows):
    """Whether each household is in the band of a fit without it; the band's ends."""
    ends = np.empty((len(X), 2))
    rows = transform(X)
    for fit, rest in KFold(10, shuffle=True, random_state=0).split(rows):
        predicted = fitted(k, rows[fit]).predict_conditional(
            rows[rest][:, :1], columns=[0], quantiles=[0.05, 0.95]
        )
        ends[rest] = predicted.quantiles[:, :, 0]
    return (ends[:, 0] < rows[:, 1]) & (rows[:, 1] < ends[:, 1]), ends


group = np.searchsorted(np.quantile(X[:, 0], [1 / 3, 2 / 3]), X[:, 0])
groups = ["lower third", "middle third", "upper third"]
inside = {k: left_out(k)[0] for k in (1, best)}
for k, within in inside.items():
    shares = [f"{within[group == third].mean():.0%}" for third in range(3)]
    print(f"K = {k}: in the band, by thirds of income: {', '.join(shares)}")

# %%
# One width is too wide for the poor and too narrow for the rich. The band of the
# mixture widens with income and keeps its promise better in each third.

grid = np.linspace(380, 2600, 200)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), layout="constrained", width_ratios=[1.6, 1]
)
left.plot(*X.T, ".", color="0.6", markersize=4)
for k, color in ((1, "C1"), (best, "C0")):
    predicted = models[k].predict_conditional(
        grid[:, None], columns=[0], quantiles=[0.05, 0.95]
    )
    low, high = predicted.quantiles[:, :, 0].T
    left.plot(grid, predicted.mean[:, 0], color=color, label=f"mean, K = {k}")
    if k == best:
        left.fill_between(grid, low, high, color=color, alpha=0.25, label="90 % band")
    else:
        left.plot(grid, np.column_stack([low, high]), color=color, linestyle="--")
left.set(xlim=(350, 2600), ylim=(100, 2000))
left.set(xlabel="income (francs)", ylabel="spent on food (francs)")
left.legend(loc="upper left")
for k, color in ((1, "C1"), (best, "C0")):
    shares = [inside[k][group == third].mean() for third in range(3)]
    right.plot(groups, shares, "o-", color=color, label=f"K = {k}")
right.axhline(0.9, color="0.5", linestyle="--", label="promised")
right.set(xlabel="income", ylabel="share of households in the band")
right.legend()
plt.show()

# %%
# The same model the other way: a household that spends 1,000 francs on food probably
# earns about so much.

income = models[best].predict_conditional([[1000.0]], [1], quantiles=[0.05, 0.95])
low, high = income.quantiles[0, :, 0]
print(f"{income.mean[0, 0]:.0f} francs, from {low:.0f} to {high:.0f}")

# %%
# When it is not worth it
# -----------------------
# Beyond the data a mixture follows whichever component lies nearest, which is no way to
# extrapolate: of the eight households that earn more than 2,200 francs it has hardly
# anything to learn. Where a transformation makes the scatter even, a line will do. Here
# logarithms do, with one component:

within, ends = left_out(1, np.log)
shares = [f"{within[group == third].mean():.0%}" for third in range(3)]
print(f"logarithms, K = 1: {', '.join(shares)}")
print(f"mean width of the band: {np.diff(np.exp(ends)).mean():.0f} francs, ", end="")
print(f"of the mixture {np.diff(left_out(best)[1]).mean():.0f}")
