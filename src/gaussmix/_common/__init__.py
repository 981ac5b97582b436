"""What any module may use.

    typing           names for the types in signatures
    text             how values, names and lists appear in messages
    warnings         warnings that point at the user's line
    failures         what the machine lacks, said where others fail for it
    caching          properties that are computed once

It imports nothing else of the library.
"""
