# What a fit wants to know of its rows before it starts: are they finite, where do they lie.

cdef bint all_finite(const real *x, Py_ssize_t n) noexcept nogil:
    """Whether n values are finite; eight independent sums of x * 0, which only NaN spoils."""
    cdef real sum[8]
    cdef Py_ssize_t i, lane
    for lane in range(8):
        sum[lane] = 0
    for i in range(0, n - 7, 8):
        for lane in range(8):
            sum[lane] += x[i + lane] * 0
    for i in range(n - n % 8, n):
        sum[0] += x[i] * 0
    for lane in range(1, 8):
        sum[0] += sum[lane]
    return sum[0] == 0


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


cdef Py_ssize_t first_nonfinite_value(const real *x, Py_ssize_t n) noexcept nogil:
    """Index of the first NaN or infinity, or -1."""
    cdef Py_ssize_t i, begin, size
    for begin in range(0, n, 4096):
        size = min(<Py_ssize_t> 4096, n - begin)
        if not all_finite(x + begin, size):
            for i in range(begin, begin + size):
                if not isfinite(<double> x[i]):
                    return i
    return -1


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
