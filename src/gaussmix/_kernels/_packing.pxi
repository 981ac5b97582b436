# Packing: factors in the order in which the products of the E-step read them.

from libc.math cimport INFINITY

# sqrt(log2(e) / 2): |FACTOR_SCALE * U'(x - mean)|^2 is half the squared distance in bits.
cdef double FACTOR_SCALE = 0.84932180028801904272


cdef bint whitens(const Job *job) noexcept nogil:
    """A factor shared by all components is applied to the rows once."""
    return job.estep == DIRECT and job.factors != NULL and job.factor_stride == 0


cdef inline Py_ssize_t whitening_inputs(const Job *job, Py_ssize_t outputs) noexcept nogil:
    """Coordinates of x that the first so many of z are made of."""
    return job.d if job.estep == TURNED else outputs


cdef Py_ssize_t packed_size(const Job *job) noexcept nogil:
    """Scalars, and so at most doubles, that hold the constants and the packed factors."""
    cdef Py_ssize_t size = round_up(job.K, 2 * LINE)
    if job.estep == TRIANGULAR:
        size += job.K * (triangle_size(job.d) + job.d)
    elif job.estep == LINEAR or job.estep == NEAREST:
        size += job.K * job.f
    elif job.estep != GIVEN:
        size += 2 * job.K * job.d
        if job.estep == TURNED:
            size += job.d * job.d
        elif whitens(job):
            size += triangle_size(job.d)
    return size


cdef void pack(Job *job, scalar *memory, const double *constants) noexcept nogil:
    job.constants = memory
    pack_constants(job, constants)
    job.packed = memory + round_up(job.K, 2 * LINE)
    if job.estep == TRIANGULAR:
        job.bias = job.packed + job.K * triangle_size(job.d)
        pack_triangular(job)
    elif job.estep == LINEAR or job.estep == NEAREST:
        pack_linear(job)
    elif job.estep != GIVEN:
        if whitens(job) or job.estep == TURNED:
            job.whitening = job.packed + 2 * job.K * job.d
        pack_direct(job)


cdef void pack_constants(Job *job, const double *constants) noexcept nogil:
    """Constants less the largest of them, so that in single precision what is common to all
    scores costs no digits; distances have no use for that.
    """
    cdef Py_ssize_t k
    job.reference = 0.0
    if IS_SINGLE and job.estep != DISTANCES and job.estep != NEAREST and job.estep != GIVEN:
        job.reference = -INFINITY
        for k in range(job.K):
            job.reference = max(job.reference, constants[k])
    for k in range(job.K):
        job.constants[k] = <scalar> (constants[k] - job.reference)


cdef Py_ssize_t triangle_size(Py_ssize_t d) noexcept nogil:
    """Scalars in the packed upper triangle of one (d, d) factor."""
    cdef Py_ssize_t r, h, size = 0
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        size += h * (r + h)
    return size


cdef void pack_triangle(
    const double *factor, Py_ssize_t d, double scale, scalar *packed
) noexcept nogil:
    """Column panels of the upper triangle: for outputs r..r+h the inputs 0..r+h."""
    cdef Py_ssize_t r, h, i, j
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        for j in range(r + h):
            for i in range(h):
                packed[0] = <scalar> (factor[j * d + r + i] * scale) if j <= r + i else 0.0
                packed += 1


cdef void pack_square(const double *factor, Py_ssize_t d, scalar *packed) noexcept nogil:
    """Column panels of the whole matrix."""
    cdef Py_ssize_t r, h, i, j
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        for j in range(d):
            for i in range(h):
                packed[0] = <scalar> factor[j * d + r + i]
                packed += 1


cdef void pack_triangular(Job *job) noexcept nogil:
    cdef Py_ssize_t k, r, j, d = job.d, size = triangle_size(d)
    cdef const double *factor
    cdef double sum
    for k in range(job.K):
        factor = job.factors + k * job.factor_stride
        pack_triangle(factor, d, FACTOR_SCALE, job.packed + k * size)
        for r in range(d):
            sum = 0.0
            for j in range(r + 1):
                sum += factor[j * d + r] * (job.means[k * d + j] - job.centre[j])
            job.bias[k * d + r] = <scalar> (-sum * FACTOR_SCALE)


cdef void pack_direct(Job *job) noexcept nogil:
    """Scale and scaled mean of each feature, for PANEL_ROWS components at a time."""
    cdef Py_ssize_t k, j, i, h, d = job.d
    cdef bint whitened = job.whitening != NULL
    cdef bint scaled = job.factors != NULL and (not whitened or job.estep == TURNED)
    cdef const double *scales = job.factors + (d * d if job.estep == TURNED else 0)
    cdef double scale, mean, unit = 1.0 if job.estep == DISTANCES else FACTOR_SCALE
    cdef scalar *out = job.packed
    if job.estep == TURNED:
        pack_square(job.factors, d, job.whitening)
    elif whitened:
        pack_triangle(job.factors, d, 1.0, job.whitening)
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for j in range(d):
            for i in range(h):
                scale = unit * scales[(k + i) * d + j] if scaled else unit
                if whitened:
                    mean = whitened_mean(job, k + i, j)
                else:
                    mean = job.means[(k + i) * d + j] - job.centre[j]
                out[i] = <scalar> scale
                out[h + i] = <scalar> (-mean * scale)
            out += 2 * h


cdef double whitened_mean(const Job *job, Py_ssize_t k, Py_ssize_t r) noexcept nogil:
    cdef Py_ssize_t j, d = job.d
    cdef double sum = 0.0
    for j in range(whitening_inputs(job, r + 1)):
        sum += job.factors[j * d + r] * (job.means[k * d + j] - job.centre[j])
    return sum


cdef void pack_linear(Job *job) noexcept nogil:
    cdef Py_ssize_t k, j, i, h
    cdef scalar *out = job.packed
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for j in range(job.f):
            for i in range(h):
                out[i] = <scalar> job.factors[(k + i) * job.f + j]
            out += h
