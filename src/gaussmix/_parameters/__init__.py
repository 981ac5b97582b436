"""The parameters of a mixture.

    conditioning      marginals and conditionals
    mixture           MixtureParameters: weights, means, covariances with their factors
    layouts           how covariances lie in memory, and all that follows from that
    univariate        distribution functions and quantiles in one dimension
    linear_algebra    products and factors of matrices, the same bits whatever comes along

Each imports only from those below it.
"""
