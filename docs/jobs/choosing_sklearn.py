"""How many components, and of which shape: the lowest BIC."""

from itertools import product

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

X = PCA(10, random_state=0).fit_transform(load_digits().data)
found = {}
for k, family in product(range(1, 31, 3), ("full", "tied", "diag", "spherical")):
    model = GaussianMixture(k, covariance_type=family, n_init=3, random_state=0)
    found[k, family] = model.fit(X).bic(X)
for k, family in sorted(found, key=found.get)[:3]:
    print(f"K = {k}, {family}: BIC {found[k, family]:,.0f}")
