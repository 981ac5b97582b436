"""The parameters of a mixture.

mixture      MixtureParameters: weights, means, covariances with their factors
layouts      how covariances lie in memory, and all that follows from that
"""
