"""Rows and parameters: statistics of all rows, or scores of each.

    row_sets        rows that a user gives: asked once whether array, source or dask
    source_rows     rows that are read a piece at a time
    local_rows      rows of an array, and what they have in common with those of sources
    dask_rows       rows of dask collections: statistics merge as a tree
    dask_tasks      what dask's workers run, a partition each
    data            what a fit asks of rows, wherever they are; what they are read with
    scoring         a mixture made ready to score rows
    kmeans          passes of k-means
    accumulation    ways to form statistics, the cheapest first
    missing         the same where values are missing
    sums            one pass over the rows: cuts them up, calls the kernels
    drawing         random numbers that belong to a place: rows of a mixture, noise
    accuracy        whether moments have the digits that an M-step needs
    score_plan      how the kernels find scores: exact or expanded, double or single precision
    partition       how rows are cut into tiles, chunks and partial sums
    row_sum         a sum over all rows, the same in whatever pieces they come

Each imports only from those below it.
"""
