# Rows grouped by which of their values are missing.

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memset

import numpy

from gaussmix._kernels._threads cimport parallel_for

cdef enum:
    FLAGS = 2048        # values whose absence is noted at a time


# Rows to be grouped. Each chunk finds its own patterns, then those of all chunks are brought
# together, and each chunk writes its rows where they belong.
cdef struct Grouping:
    const void *rows
    bint single
    Py_ssize_t n
    Py_ssize_t d
    Py_ssize_t words            # of 64 features each
    Py_ssize_t chunk_rows
    uint64_t *marks             # (n, words) a bit for each feature, set where it is missing
    Py_ssize_t *table           # (threads, table_size) scratch
    Py_ssize_t table_size       # a power of two, more than the rows of a chunk
    # Of row i: its pattern among those of its chunk. Of pattern p of the chunk that begins with
    # row c, at c + p: its first row, how many rows it has, and the place of the next in `order`.
    Py_ssize_t *pattern         # (n,)
    Py_ssize_t *first           # (n,)
    Py_ssize_t *count           # (n,)
    Py_ssize_t *place           # (n,)
    Py_ssize_t *found           # (chunks,) number of patterns
    Py_ssize_t *order           # (n,)


def pattern_words(Py_ssize_t d):
    """Words that mark which of d values of a row are missing."""
    return (d + 63) // 64


def group_patterns(
    const real[:, ::1] X,                   # IN (n, d)
    Py_ssize_t[::1] order,                  # OUT (n,) rows, those of a pattern beside each other
    Py_ssize_t[::1] starts,                 # OUT (n + 1,) where in `order` each pattern starts
    Py_ssize_t[::1] first,                  # OUT (n,) the first row of each pattern
    uint64_t[::1] marks,                    # (n * words,) scratch, a word for each 64 features
    Py_ssize_t[:, ::1] work,                # (3, n) scratch
    Py_ssize_t chunk_rows,
    int n_threads,
):
    """Group rows by which of their values are NaN; returns the number of patterns.

    Patterns come in the order of their first rows, and the rows of each in theirs. The arrays may
    be longer than said.
    """
    cdef Grouping g
    cdef Py_ssize_t n_chunks, found, size = 2
    cdef Py_ssize_t[:, ::1] tables
    cdef Py_ssize_t[::1] table, counts
    g.rows = &X[0, 0]
    g.single = real is float
    g.n = X.shape[0]
    g.d = X.shape[1]
    g.words = pattern_words(g.d)
    g.chunk_rows = chunk_rows
    g.table_size = 2
    while g.table_size < 2 * min(chunk_rows, g.n):
        g.table_size *= 2
    n_chunks = (g.n + chunk_rows - 1) // chunk_rows
    tables = numpy.empty((n_threads, g.table_size), dtype=numpy.intp)
    counts = numpy.empty(n_chunks, dtype=numpy.intp)
    g.marks = &marks[0]
    g.table = &tables[0, 0]
    g.pattern = &work[0, 0]
    g.count = &work[1, 0]
    g.place = &work[2, 0]
    # Overwritten from the front by what is brought together, which is never ahead of what is read.
    g.first = &first[0]
    g.found = &counts[0]
    g.order = &order[0]
    parallel_for(find_patterns, &g, n_chunks, n_threads)
    while size < 2 * numpy.sum(counts):
        size *= 2
    table = numpy.full(size, -1, dtype=numpy.intp)
    with nogil:
        found = join_patterns(&g, &table[0], size, &first[0], &starts[0])
    parallel_for(place_rows, &g, n_chunks, n_threads)
    return found


cdef void find_patterns(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    """The patterns of a chunk, counted in the order of their first rows."""
    cdef const Grouping *g = <const Grouping *> argument
    cdef Py_ssize_t begin = c * g.chunk_rows, end = min(begin + g.chunk_rows, g.n)
    cdef Py_ssize_t *table = g.table + thread * g.table_size
    cdef Py_ssize_t i, slot, found = 0
    if g.single:
        mark_missing(<const float *> g.rows, begin, end, g.d, g.words, g.marks)
    else:
        mark_missing(<const double *> g.rows, begin, end, g.d, g.words, g.marks)
    memset(table, 0xFF, g.table_size * sizeof(Py_ssize_t))
    for i in range(begin, end):
        slot = find_slot(g, table, g.table_size, g.first + begin, i)
        if table[slot] < 0:
            table[slot] = found
            g.first[begin + found] = i
            g.count[begin + found] = 0
            found += 1
        g.pattern[i] = table[slot]
        g.count[begin + table[slot]] += 1
    g.found[c] = found


cdef void mark_missing(
    const real *rows, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t d, Py_ssize_t words,
    uint64_t *marks,
) noexcept nogil:
    """A word for each 64 features of a row, with a bit for each that is missing."""
    cdef unsigned char flags[FLAGS + 8]
    cdef Py_ssize_t i, r, w, n, together = FLAGS // d if words == 1 else 1
    i = begin
    while i < end:
        n = min(together, end - i)
        for w in range(words):
            # Many short rows, or a piece of a long one.
            flag_missing(
                rows + i * d + 64 * w, n * d if words == 1 else min(d - 64 * w, <Py_ssize_t> 64),
                flags,
            )
            for r in range(n):
                marks[(i + r) * words + w] = packed_flags(
                    flags + r * d, min(d - 64 * w, <Py_ssize_t> 64)
                )
        i += n


cdef inline void flag_missing(
    const real *x, Py_ssize_t n, unsigned char *flags
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        flags[i] = x[i] != x[i]


cdef inline uint64_t packed_flags(const unsigned char *flags, Py_ssize_t n) noexcept nogil:
    """Up to 64 bytes, each 0 or 1, as bits; reads up to 7 bytes more."""
    cdef uint64_t eight, mark = 0
    cdef Py_ssize_t i, j
    for j from 0 <= j < n by 8:
        eight = 0
        for i in range(8):  # compilers know this as one load where bytes come lowest first
            eight |= (<uint64_t> flags[j + i]) << (8 * i)
        if n - j < 8:
            eight &= ((<uint64_t> 1) << (8 * (n - j))) - 1
        # A multiplication brings the lowest bit of byte i to bit 56 + i.
        mark |= ((eight * <uint64_t> 0x0102040810204080) >> 56) << j
    return mark


cdef inline bint same_marks(const Grouping *g, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    if g.words == 1:
        return g.marks[i] == g.marks[j]
    return memcmp(
        g.marks + i * g.words, g.marks + j * g.words, g.words * sizeof(uint64_t)
    ) == 0


cdef inline Py_ssize_t find_slot(
    const Grouping *g, const Py_ssize_t *table, Py_ssize_t size, const Py_ssize_t *first,
    Py_ssize_t i,
) noexcept nogil:
    """The slot of a table of pattern numbers with the pattern of row i, or where it may go."""
    cdef uint64_t hash = 0
    cdef Py_ssize_t w, slot
    for w in range(g.words):
        # Multiplication by 2^64 over the golden ratio spreads bits upwards, the shift downwards:
        # what differs may be a few high bits alone.
        hash = (hash ^ g.marks[i * g.words + w]) * <uint64_t> 0x9E3779B97F4A7C15
        hash ^= hash >> 32
    hash *= <uint64_t> 0x9E3779B97F4A7C15
    slot = <Py_ssize_t> (hash >> 32 & <uint64_t> (size - 1))
    while table[slot] >= 0 and not same_marks(g, first[table[slot]], i):
        slot = (slot + 1) & (size - 1)
    return slot


cdef Py_ssize_t join_patterns(
    Grouping *g,
    Py_ssize_t *table,          # (size,) all -1
    Py_ssize_t size,            # a power of two, more than there are patterns in all chunks
    Py_ssize_t *first,          # OUT (patterns,) the first row of each
    Py_ssize_t *starts,         # OUT (patterns + 1,) where each starts in `order`
) noexcept nogil:
    """Number the patterns of all rows in the order of their first rows, and give those of each
    chunk their places; returns how many there are.
    """
    cdef Py_ssize_t c, p, begin, slot, found = 0
    cdef Py_ssize_t n_chunks = (g.n + g.chunk_rows - 1) // g.chunk_rows
    starts[0] = 0
    for c in range(n_chunks):
        begin = c * g.chunk_rows
        for p in range(begin, begin + g.found[c]):
            slot = find_slot(g, table, size, first, g.first[p])
            if table[slot] < 0:
                table[slot] = found
                first[found] = g.first[p]
                found += 1
                starts[found] = 0
            g.place[p] = table[slot]
            starts[table[slot] + 1] += g.count[p]
    for p in range(found):
        starts[p + 1] += starts[p]
        table[p] = starts[p]
    for c in range(n_chunks):
        begin = c * g.chunk_rows
        for p in range(begin, begin + g.found[c]):
            slot = g.place[p]
            g.place[p] = table[slot]
            table[slot] += g.count[p]
    return found


cdef void place_rows(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    """Write the rows of a chunk where they belong."""
    cdef const Grouping *g = <const Grouping *> argument
    cdef Py_ssize_t begin = c * g.chunk_rows, end = min(begin + g.chunk_rows, g.n)
    cdef Py_ssize_t *place = g.place + begin
    cdef Py_ssize_t i
    for i in range(begin, end):
        g.order[place[g.pattern[i]]] = i
        place[g.pattern[i]] += 1
