# Orthonormal rows, and the eigenvectors of symmetric matrices.

cdef inline double dot(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef vec lanes = vset1(0.0)
    cdef double total
    for i in range(n // VL):
        lanes = lanes + vload(a + i * VL) * vload(b + i * VL)
    total = vsum(lanes)
    for j in range(n // VL * VL, n):
        total += a[j] * b[j]
    return total


# --- Rows made orthonormal ------------------------------------------------------------------

cdef struct RowSets:
    double *rows                            # (B, m, d)
    double *lower                           # (B, m, m)
    Py_ssize_t m, d


def orthonormalise(
    double[:, :, ::1] rows,                 # INOUT (B, m, d), m <= d; then Q
    double[:, :, ::1] lower,                # OUT (B, m, m) lower triangular L with rows = L Q
    int n_threads,
):
    """Orthonormal rows that span the same as the rows given, in their order."""
    cdef RowSets call
    call.rows, call.lower = &rows[0, 0, 0], &lower[0, 0, 0]
    call.m, call.d = rows.shape[1], rows.shape[2]
    parallel_for(orthonormalise_set, &call, rows.shape[0], n_threads)


cdef void orthonormalise_set(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Gram and Schmidt's method, twice for each row: once leaves what rounding has left of the
    rows before (Giraud, Langou & Rozloznik 2005).
    """
    cdef const RowSets *call = <const RowSets *> argument
    cdef Py_ssize_t m = call.m, d = call.d, i, j, repeat
    cdef double *rows = call.rows + item * m * d
    cdef double *lower = call.lower + item * m * m
    cdef double share, length
    memset(lower, 0, m * m * sizeof(double))
    for i in range(m):
        for repeat in range(2):
            for j in range(i):
                share = dot(rows + j * d, rows + i * d, d)
                subtract_row(rows + i * d, d, share, rows + j * d)
                lower[i * m + j] += share
        length = sqrt(dot(rows + i * d, rows + i * d, d))
        lower[i * m + i] = length
        scale_row(rows + i * d, d, 1.0 / length)


# --- Eigenvectors ---------------------------------------------------------------------------

cdef enum:
    MOST_TRIES = 64     # steps for one eigenvalue; two or three are the rule


def eigenvectors(
    double[:, ::1] matrix,                  # INOUT (d, d) symmetric; then eigenvectors, as rows
    double[::1] values,                     # OUT (d,) the eigenvalues that belong to them
):
    """Eigenvalues and eigenvectors of a symmetric matrix; whether the iterations converged.

    Householder's reduction to a tridiagonal matrix and the implicit QR algorithm with Wilkinson's
    shift (Golub & Van Loan, Matrix Computations, 2013, algorithms 8.3.1 to 8.3.3), on the
    transpose of the vectors, so that rotations run along rows.
    """
    cdef double[::1] beside = numpy.empty(values.shape[0])
    cdef bint converged
    with nogil:
        tridiagonalise(&matrix[0, 0], values.shape[0], &values[0], &beside[0])
        converged = rotate_to_diagonal(
            &matrix[0, 0], values.shape[0], &values[0], &beside[0]
        )
    return converged


cdef void tridiagonalise(
    double *a, Py_ssize_t d, double *diagonal, double *beside
) noexcept nogil:
    """The diagonal and what is beside it, beside[i] between i - 1 and i, of V'AV; and V' in place
    of A. Row i is reflected onto its element i - 1, from the last row to the second.
    """
    cdef Py_ssize_t i, j
    cdef double norm, head, half, scale
    cdef double *row
    for i in range(d - 1, 0, -1):
        row = a + i * d
        scale = 0.0
        for j in range(i):
            scale = max(scale, fabs(row[j]))
        diagonal[i] = 0.0                   # of the reflection, until its turn comes below
        if i == 1 or scale == 0.0:
            beside[i] = row[i - 1]
            continue
        scale_row(row, i, 1.0 / scale)
        head = row[i - 1]
        norm = -copysign(sqrt(dot(row, row, i)), head)
        beside[i] = scale * norm
        half = norm * (norm - head)         # |v|^2 / 2 of the reflection's v = row - norm e
        row[i - 1] = head - norm
        diagonal[i] = half
        # Reflected on both sides A becomes A - v w' - w v', where w = p - (p'v / 2 half) v and
        # p = A v / half.
        symmetric_product(a, d, i, row, beside)
        scale_row(beside, i, 1.0 / half)
        subtract_row(beside, i, dot(beside, row, i) / (2.0 * half), row)
        for j in range(i):
            subtract_row(a + j * d, j + 1, row[j], beside)
            subtract_row(a + j * d, j + 1, beside[j], row)
    beside[0] = 0.0
    gather_reflections(a, d, diagonal)


cdef void symmetric_product(
    const double *a, Py_ssize_t d, Py_ssize_t n, const double *v, double *out
) noexcept nogil:
    """The product of v and the leading part of A, of which the lower triangle is read."""
    cdef Py_ssize_t i
    memset(out, 0, n * sizeof(double))
    for i in range(n):
        out[i] += dot(a + i * d, v, i + 1)
        subtract_row(out, i, -v[i], a + i * d)


cdef void gather_reflections(double *a, Py_ssize_t d, double *diagonal) noexcept nogil:
    """V' of the reflections whose v stands in the rows and |v|^2 / 2 in `diagonal`, which gets the
    diagonal of V'AV.
    """
    cdef Py_ssize_t i, j
    cdef double half
    diagonal[0] = a[0]
    a[0] = 1.0
    for i in range(1, d):
        half = diagonal[i]
        diagonal[i] = a[i * d + i]
        if half > 0.0:
            # V' (I - v v' / half), of rows and columns below i.
            for j in range(i):
                subtract_row(a + j * d, i, dot(a + j * d, a + i * d, i) / half, a + i * d)
        for j in range(i):
            a[i * d + j] = 0.0
            a[j * d + i] = 0.0
        a[i * d + i] = 1.0


cdef bint rotate_to_diagonal(
    double *vectors, Py_ssize_t d, double *diagonal, double *beside
) noexcept nogil:
    """Eigenvalues in `diagonal` and eigenvectors in the rows; False if one takes too long."""
    cdef Py_ssize_t low, high = d - 1
    cdef Py_ssize_t tries = 0
    while high > 0:
        low = high
        while low > 0 and not is_negligible(beside[low], diagonal[low - 1], diagonal[low]):
            low -= 1
        if low == high:
            high -= 1
            tries = 0
        elif tries == MOST_TRIES:
            return False
        else:
            chase_bulge(vectors, d, diagonal, beside, low, high)
            tries += 1
    return True


cdef inline bint is_negligible(double between, double before, double after) noexcept nogil:
    return fabs(between) <= 0.5 * DBL_EPSILON * (fabs(before) + fabs(after))


cdef void chase_bulge(
    double *vectors, Py_ssize_t d, double *diagonal, double *beside, Py_ssize_t low,
    Py_ssize_t high,
) noexcept nogil:
    """One implicit step on low..high. The rotation of rows low and low + 1 that would begin a QR
    step on the shifted matrix leaves an element outside the three diagonals; those after it move
    that down and out.
    """
    cdef Py_ssize_t i
    cdef double between = beside[high]
    cdef double half = 0.5 * (diagonal[high - 1] - diagonal[high])
    # The eigenvalue of the last two rows that is nearer to the last element.
    cdef double root = copysign(hypot(half, between), half)
    cdef double shift = diagonal[high] - between * (between / (half + root))
    cdef double x = diagonal[low] - shift
    cdef double z = beside[low + 1]         # to be rotated away, into x
    cdef double c, s, moved, length
    for i in range(low, high):
        length = hypot(x, z)
        if length > 0.0:
            c = x / length
            s = z / length
        else:
            c = 1.0
            s = 0.0
        if i > low:
            beside[i] = length
        between = beside[i + 1]
        moved = s * (diagonal[i + 1] - diagonal[i]) + 2.0 * c * between
        diagonal[i] += s * moved
        diagonal[i + 1] -= s * moved
        beside[i + 1] = c * moved - between
        x = beside[i + 1]
        if i + 1 < high:
            z = s * beside[i + 2]
            beside[i + 2] *= c
        rotate_rows(vectors + i * d, vectors + (i + 1) * d, d, c, s)


cdef inline void rotate_rows(
    double *a, double *b, Py_ssize_t n, double c, double s
) noexcept nogil:
    """Rows c a + s b and c b - s a in place of a and b."""
    cdef Py_ssize_t j
    cdef double x
    for j in range(n):
        x = a[j]
        a[j] = c * x + s * b[j]
        b[j] = c * b[j] - s * x
