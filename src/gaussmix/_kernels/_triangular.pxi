# Triangular factors of definite matrices, and their inverses, for any number and size of them.

cdef enum:
    WHOLE = 256         # matrices of up to this size are factorised at once, larger ones by blocks

cdef struct Matrices:
    double *matrices                        # (K, d, d)
    Py_ssize_t d


def factorise(
    double[:, :, ::1] matrices,             # INOUT (K, d, d) symmetric; then R, or zeros where a
                                            #       matrix is not positive definite
    int n_threads,
):
    """Upper triangular R with A = R'R of positive definite matrices."""
    cdef Matrices call
    cdef Py_ssize_t k, d = matrices.shape[1]
    call.matrices, call.d = &matrices[0, 0, 0], d
    if d <= WHOLE:
        parallel_for(factorise_whole, &call, matrices.shape[0], n_threads)
        return
    for k in range(matrices.shape[0]):
        factorise_by_blocks(matrices[k], n_threads)


def invert(
    double[:, :, ::1] matrices,             # INOUT (K, d, d) upper triangular; then the inverses;
                                            #       zeros stay
    int n_threads,
):
    """Inverses of upper triangular matrices of which no diagonal has a zero."""
    cdef Matrices call
    cdef Py_ssize_t k, d = matrices.shape[1]
    call.matrices, call.d = &matrices[0, 0, 0], d
    if d <= WHOLE:
        parallel_for(invert_whole, &call, matrices.shape[0], n_threads)
        return
    for k in range(matrices.shape[0]):
        invert_by_panels(matrices[k], n_threads)


# --- Small matrices, side by side -----------------------------------------------------------

cdef void factorise_whole(const void *argument, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Matrices *call = <const Matrices *> argument
    cdef double *matrix = call.matrices + k * call.d * call.d
    if factorise_rows(matrix, call.d, 0, call.d):
        clear_below(matrix, call.d)
    else:
        memset(matrix, 0, call.d * call.d * sizeof(double))


cdef void invert_whole(const void *argument, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Matrices *call = <const Matrices *> argument
    cdef double *matrix = call.matrices + k * call.d * call.d
    if matrix[0] != 0.0:
        invert_triangle(matrix, call.d)


# --- Large ones, all threads at each --------------------------------------------------------

cdef struct Blocks:
    double *a                               # (d, d), and SLACK numbers after the last
    Py_ssize_t d
    Py_ssize_t begin, end                   # the rows of R that were made last
    double *inverse                         # (d, d)
    double *scratch                         # (threads, d, PANEL), and SLACK numbers each
    Py_ssize_t scratch_stride


cdef object factorise_by_blocks(double[:, ::1] matrix, int n_threads):
    """R in place of a matrix, or zeros: some rows at a time, whose products are then taken from
    all that is left.
    """
    cdef Blocks call
    cdef double[::1] work
    cdef Py_ssize_t d = matrix.shape[0]
    cdef bint definite = True
    work = numpy.empty(d * d + SLACK)
    call.a, call.d = &work[0], d
    memcpy(call.a, &matrix[0, 0], d * d * sizeof(double))
    memset(call.a + d * d, 0, SLACK * sizeof(double))
    call.end = 0
    while definite and call.end < d:
        call.begin, call.end = call.end, min(call.end + BLOCK, d)
        with nogil:
            definite = factorise_rows(call.a, d, call.begin, call.end)
        if definite and call.end < d:
            parallel_for(update_rows, &call, pieces(d - call.end, OUTER_ROWS), n_threads)
    if definite:
        clear_below(call.a, d)
        memcpy(&matrix[0, 0], call.a, d * d * sizeof(double))
    else:
        memset(&matrix[0, 0], 0, d * d * sizeof(double))


cdef void update_rows(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """A[i, j] -= sum over the last rows p of R[p, i] R[p, j], for a few i and j >= i."""
    cdef const Blocks *call = <const Blocks *> argument
    cdef Py_ssize_t d = call.d, i = call.end + item * OUTER_ROWS
    cdef const double *rows = call.a + call.begin * d
    rows_of_product(
        min(<Py_ssize_t> OUTER_ROWS, d - i), call.end - call.begin, rows + i, 1, d, rows + i, d,
        call.a + i * d + i, d, d - i, True,
    )


cdef object invert_by_panels(double[:, ::1] matrix, int n_threads):
    """The inverse in place of an upper triangular matrix; its columns are solved for by panels."""
    cdef Blocks call
    cdef double[:, ::1] inverse, scratch
    cdef Py_ssize_t d = matrix.shape[0]
    if matrix[0, 0] == 0.0:
        return
    inverse = numpy.zeros((d, d))
    scratch = numpy.empty((n_threads, d * PANEL + SLACK))
    call.a, call.d, call.inverse = &matrix[0, 0], d, &inverse[0, 0]
    call.scratch, call.scratch_stride = &scratch[0, 0], scratch.shape[1]
    parallel_for(invert_panel, &call, pieces(d, PANEL), n_threads)
    memcpy(&matrix[0, 0], &inverse[0, 0], d * d * sizeof(double))


cdef void invert_panel(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Columns of the inverse, from the last row that is not zero up: a few rows at a time, less
    the products with those below, and then each less those of the few.
    """
    cdef const Blocks *call = <const Blocks *> argument
    cdef Py_ssize_t d = call.d, i, m, begin, rows
    # The last panel comes first: it has the most rows.
    cdef Py_ssize_t first = (pieces(d, PANEL) - 1 - item) * PANEL
    cdef Py_ssize_t columns = min(<Py_ssize_t> PANEL, d - first)
    cdef Py_ssize_t end = first + columns
    cdef double *x = call.scratch + thread * call.scratch_stride
    memset(x, 0, (d * PANEL + SLACK) * sizeof(double))
    for i in range(columns):
        x[(first + i) * PANEL + i] = 1.0
    while end > 0:
        begin = max(end - OUTER_ROWS, <Py_ssize_t> 0)
        rows = end - begin
        rows_of_product(
            rows, first + columns - end, call.a + begin * d + end, d, 1, x + end * PANEL, PANEL,
            x + begin * PANEL, PANEL, columns, True,
        )
        for i in range(end - 1, begin - 1, -1):
            for m in range(i + 1, end):
                subtract_row(x + i * PANEL, columns, call.a[i * d + m], x + m * PANEL)
            scale_row(x + i * PANEL, columns, 1.0 / call.a[i * d + i])
        end = begin
    for i in range(first + columns):
        memcpy(call.inverse + i * d + first, x + i * PANEL, columns * sizeof(double))
