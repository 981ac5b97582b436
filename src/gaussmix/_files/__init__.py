"""Files: model files, files of rows, and what both need of a file.

    model_file       model files: save a fitted mixture, and load it, trusting nothing
    model_metadata   what a model file holds beside arrays: JSON, and versions of it
    model_checks     whether the arrays are those of one mixture
    npz              the container of a model file: a zip archive of arrays
    model_members    the names of those arrays
    tables           files of rows: CSV, .npy and Parquet
    atomic           a file that is written whole or not at all
    streams          files that a caller has opened
    paths            what a path stands for; files opened only where they are regular
    errors           why a file is refused

A file that is wrong in any way ends in one exception whose message names it.
"""
