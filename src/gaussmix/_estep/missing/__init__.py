"""Rows with missing values, grouped by which are missing.

    completion      the values that are missing: means, deviations, draws
    accumulation    statistics and scores of rows by what they have
    starts          statistics that a start is estimated from: of the values that are available

Each imports only from those below it.
"""
