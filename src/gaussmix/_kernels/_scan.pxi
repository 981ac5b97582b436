# What a fit wants to know of its rows before it starts: are they finite, where do they lie.

from libc.math cimport INFINITY

import numpy

from gaussmix._kernels._threads cimport parallel_for


# --- Are they finite ------------------------------------------------------------------------

cdef struct Search:
    const void *values
    bint single
    Py_ssize_t size
    Py_ssize_t chunk
    bint allow_nan
    Py_ssize_t *found                       # (chunks,) position in the chunk, or -1


def first_nonfinite(
    const real[:, ::1] X,                   # IN (n, d)
    Py_ssize_t chunk_rows,
    int n_threads,
    bint allow_nan=False,
):
    """Position of the first NaN, unless that is allowed, or infinity in row-major order, or -1."""
    cdef Search call
    cdef Py_ssize_t c, n_chunks
    cdef Py_ssize_t[::1] found
    call.values = &X[0, 0]
    call.single = real is float
    call.size = X.shape[0] * X.shape[1]
    call.chunk = chunk_rows * X.shape[1]
    call.allow_nan = allow_nan
    n_chunks = (call.size + call.chunk - 1) // call.chunk
    if n_chunks == 1 and not allow_nan:
        return first_nonfinite_value(&X[0, 0], call.size)
    found = numpy.empty(n_chunks, dtype=numpy.intp)
    call.found = &found[0]
    parallel_for(search_chunk, &call, n_chunks, n_threads)
    for c in range(n_chunks):
        if found[c] >= 0:
            return c * call.chunk + found[c]
    return -1


cdef void search_chunk(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    cdef const Search *call = <const Search *> argument
    cdef Py_ssize_t first = c * call.chunk, size = min(call.chunk, call.size - c * call.chunk)
    if call.single:
        call.found[c] = first_bad_value(<const float *> call.values + first, size, call.allow_nan)
    else:
        call.found[c] = first_bad_value(<const double *> call.values + first, size, call.allow_nan)


cdef Py_ssize_t first_bad_value(const real *x, Py_ssize_t n, bint allow_nan) noexcept nogil:
    return first_infinite_value(x, n) if allow_nan else first_nonfinite_value(x, n)


cdef bint any_infinite(const real *x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, found = 0
    for i in range(n):
        found += (x[i] == INFINITY) | (x[i] == -INFINITY)
    return found > 0


cdef Py_ssize_t first_infinite_value(const real *x, Py_ssize_t n) noexcept nogil:
    """Index of the first infinity, or -1."""
    cdef Py_ssize_t i, begin, size
    for begin in range(0, n, 4096):
        size = min(<Py_ssize_t> 4096, n - begin)
        if any_infinite(x + begin, size):
            for i in range(begin, begin + size):
                if x[i] == INFINITY or x[i] == -INFINITY:
                    return i
    return -1


# --- Where do they lie ----------------------------------------------------------------------

cdef struct Moments:
    const void *rows
    bint single
    const double *sample_weight
    Py_ssize_t n
    Py_ssize_t d
    const double *shift
    Py_ssize_t chunk_rows
    Py_ssize_t first_chunk                  # index of the chunk that starts with the first row
    double *partials
    Py_ssize_t n_partials
    Py_ssize_t partial_stride


def column_moments(
    const real[:, ::1] X,                   # IN (n, d)
    const double[::1] sample_weight,        # IN (n,) or None
    const double[::1] shift,                # IN (d,)
    Py_ssize_t chunk_rows,
    Py_ssize_t first_chunk,
    double[:, ::1] partials,                # INOUT (n_partials, 1 + 2 d or more)
    int n_threads,
):
    """Weight, and first and second moments of the columns about the shift."""
    cdef Moments call
    call.rows = &X[0, 0]
    call.single = real is float
    call.sample_weight = NULL
    if sample_weight is not None:
        call.sample_weight = &sample_weight[0]
    call.n = X.shape[0]
    call.d = X.shape[1]
    call.shift = &shift[0]
    call.chunk_rows = chunk_rows
    call.first_chunk = first_chunk
    call.partials = &partials[0, 0]
    call.n_partials = partials.shape[0]
    call.partial_stride = partials.shape[1]
    parallel_for(moments_of_partial, &call, call.n_partials, n_threads)


cdef void moments_of_partial(const void *argument, Py_ssize_t p, int thread) noexcept nogil:
    """Add to partial sum p the chunks that belong to it."""
    cdef const Moments *call = <const Moments *> argument
    if call.single:
        moments_of_chunks(call, <const float *> call.rows, p)
    else:
        moments_of_chunks(call, <const double *> call.rows, p)


cdef void moments_of_chunks(const Moments *call, const real *x, Py_ssize_t p) noexcept nogil:
    cdef Py_ssize_t step = call.n_partials, offset = (p - call.first_chunk) % step
    cdef Py_ssize_t n_chunks = (call.n + call.chunk_rows - 1) // call.chunk_rows
    cdef Py_ssize_t chunk, first
    cdef const double *weight = call.sample_weight
    if offset < 0:
        offset += step
    for chunk from offset <= chunk < n_chunks by step:
        first = chunk * call.chunk_rows
        add_moments(
            x + first * call.d, weight + first if weight != NULL else NULL,
            min(call.chunk_rows, call.n - first), call.d, call.shift,
            call.partials + p * call.partial_stride,
        )


cdef void add_moments(
    const real *rows, const double *weight, Py_ssize_t n, Py_ssize_t d, const double *shift,
    double *sums,
) noexcept nogil:
    """sums[0] += weight, sums[1:d+1] += weight * (x - shift), sums[d+1:] += ... squared."""
    cdef Py_ssize_t i, j
    cdef double w = 1.0, x, y
    cdef double *first = sums + 1
    cdef double *second = sums + 1 + d
    for i in range(n):
        if weight != NULL:
            w = weight[i]
            if w == 0.0:
                continue
        sums[0] += w
        for j in range(d):
            x = <double> rows[i * d + j] - shift[j]
            y = w * x
            first[j] += y
            second[j] += y * x
