"""Rows, wherever they come from, before a mixture reads them.

    dask_collections    what a dask collection is: its partitions, and how parts join
    streamed            rows that come in pieces and are read anew in every pass
    read_ahead          pieces read by a thread while others are computed with
    sources             where rows come from that are read a chunk at a time
    array_rows          the rows of an array: blocks, weights, a centre
    patterns            rows grouped by which of their values are missing
    first_pass          what a first look at rows tells: moments of columns, what is not finite
    sampling            a sample of rows that one pass takes without knowing how many come

Each imports only from those below it.
"""
