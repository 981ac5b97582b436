# Whether values are finite.

from libc.math cimport isfinite


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
