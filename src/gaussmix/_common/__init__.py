"""What any module may use.

    settings    the constructor parameters of a mixture, each described once
    families    the covariance families by name, and the layout of each
    typing      names for the types in signatures
    text        how values, names and lists appear in messages
    warnings    warnings that point at the user's line
    failures    what the machine lacks, said where others fail for it
    caching     properties that are computed once

It imports nothing else of the library but the exceptions.
"""
