# Triangular factors of one definite matrix, and their inverses.
#
# A = R'R with R upper triangular; U = inv(R) then is upper triangular with inv(A) = U U'. All
# inner loops run along rows.

from libc.math cimport isfinite, sqrt
from libc.string cimport memset

cdef inline bint invert_factor(double *a, Py_ssize_t d) noexcept nogil:
    """Replace the upper triangle of a positive definite A = R'R by the inverse of R, and the rest
    by zeros. False if a pivot is not positive.
    """
    if not factorise_rows(a, d, 0, d):
        return False
    clear_below(a, d)
    invert_triangle(a, d)
    return True


cdef bint factorise_rows(
    double *a, Py_ssize_t d, Py_ssize_t begin, Py_ssize_t end
) noexcept nogil:
    """Make some rows of R of a matrix from which the rows before have been taken. False if a pivot
    is not positive.
    """
    cdef Py_ssize_t i, j
    for j in range(begin, end):
        if not (a[j * d + j] > 0.0 and isfinite(a[j * d + j])):
            return False
        scale_row(a + j * d + j, d - j, 1.0 / sqrt(a[j * d + j]))
        for i in range(j + 1, end):
            subtract_row(a + i * d + i, d - i, a[j * d + i], a + j * d + i)
    return True


cdef void clear_below(double *a, Py_ssize_t d) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(d):
        memset(a + i * d, 0, i * sizeof(double))


cdef void invert_triangle(double *a, Py_ssize_t d) noexcept nogil:
    """Replace an upper triangular R by its inverse."""
    cdef Py_ssize_t i
    for i in range(d - 1, -1, -1):
        invert_row(a, d, i)


cdef inline void invert_row(double *a, Py_ssize_t d, Py_ssize_t i) noexcept nogil:
    """Row i of the inverse, from row i of R and the rows of the inverse below:
    inv[i, :] = (e_i - sum over m > i of R[i, m] inv[m, :]) / R[i, i].
    """
    cdef Py_ssize_t m
    cdef double r, pivot = 1.0 / a[i * d + i]
    cdef double *row = a + i * d
    row[i] = pivot
    # In place: of row i, what lies beyond m is still R's when R[i, m] is used, from the end on.
    for m in range(d - 1, i, -1):
        r = row[m]
        row[m] = 0.0
        subtract_row(row + m, d - m, r, a + m * d + m)
    scale_row(row + i + 1, d - i - 1, pivot)


cdef inline void subtract_row(
    double *a, Py_ssize_t n, double factor, const double *b
) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        a[j] -= factor * b[j]


cdef inline void scale_row(double *a, Py_ssize_t n, double factor) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        a[j] *= factor
