"""Where rows come from that are read a chunk at a time; `gaussmix.sources` has the public names.

    recognise    which source an object stands for
    arrow        Arrow tables and data sets, Parquet files
    npy          ``.npy`` files
    base         what a source is asked; chunks of anything re-iterable

Each imports only from those below it.
"""
