"""Where rows come from that are read a chunk at a time; `gaussmix.sources` has the public names.

    recognise    which source an object stands for
    arrow        Arrow tables and data sets, Parquet files
    csv          CSV files
    tables       files of any format with the same columns, as commands read them
    columns      which columns are read, and that they hold numbers
    npy          ``.npy`` files
    base         what a source is asked; chunks of anything re-iterable

Each imports only from those below it.
"""
