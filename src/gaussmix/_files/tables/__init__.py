"""Files of rows: opened as tables whatever their format, and written.

    opening      a file opened as a table; its content decides which
    writers      an output in any of the formats, which gets its name when it is complete
    parquet      Parquet files: one as a table, many as a data set of pyarrow
    npy          arrays in .npy files, read a piece at a time
    csv          tables in delimited text
    missing      fields of text that are numbers, or stand for a missing value
    lines        the lines of a text file, decoded, in blocks
    compressed   text under gzip, bzip2 or xz, read decompressed
    formats      which format a file has, by its first bytes
    base         a table: its columns, and rows a block at a time
    advice       what messages advise, in options or in arguments
    choosing     columns by name, number, range or pattern

All that is known of a format stands in its file, for the sources of rows and for commands alike.
"""
