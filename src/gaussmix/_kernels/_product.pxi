# Products of matrices.

cdef inline void tile_of_product(
    Py_ssize_t h,               # rows, at most OUTER_ROWS; a constant
    Py_ssize_t w,               # vectors in a row, at most NV; a constant
    Py_ssize_t n,
    const double *a,            # IN a[i * row + p * step] belongs to row i of the tile
    Py_ssize_t row,
    Py_ssize_t step,
    const double *b,            # IN (n, b_stride)
    Py_ssize_t b_stride,
    double *c,                  # OUT or INOUT (h, c_stride)
    Py_ssize_t c_stride,
    Py_ssize_t columns,         # of the tile, more than (w - 1) * VL and at most w * VL
    bint subtract,              # from what is there, instead of replacing it; a constant
) noexcept nogil:
    """c = a b or c -= a b, each number summed over p from the first to the last."""
    cdef vec acc[8][3]
    cdef vec right[3]
    cdef vec x
    cdef Py_ssize_t i, p, v
    for i in range(h):
        for v in range(w):
            acc[i][v] = vset1(0.0)
    for p in range(n):
        for v in range(w):
            right[v] = vload(b + p * b_stride + v * VL)
        for i in range(h):
            x = vset1(a[i * row + p * step])
            for v in range(w):
                acc[i][v] = acc[i][v] + x * right[v]
    for i in range(h):
        for v in range(w - 1):
            put(c + i * c_stride + v * VL, acc[i][v], VL, subtract)
        put(
            c + i * c_stride + (w - 1) * VL, acc[i][w - 1], columns - (w - 1) * VL, subtract,
        )


cdef inline void put(double *c, vec a, Py_ssize_t n, bint subtract) noexcept nogil:
    """The first n lanes of a vector are written, or subtracted from what is there."""
    cdef double lanes[8]
    cdef Py_ssize_t j
    if n == VL:
        vstore(c, vload(c) - a if subtract else a)
    elif subtract:
        vstore(lanes, a)
        for j in range(n):
            c[j] -= lanes[j]
    else:
        vstore_some(c, a, <int> n)


cdef inline void tile_of_width(
    Py_ssize_t h, Py_ssize_t n, const double *a, Py_ssize_t row, Py_ssize_t step, const double *b,
    Py_ssize_t b_stride, double *c, Py_ssize_t c_stride, Py_ssize_t columns, bint subtract,
) noexcept nogil:
    if columns > 2 * VL:
        tile_of_product(h, 3, n, a, row, step, b, b_stride, c, c_stride, columns, subtract)
    elif columns > VL:
        tile_of_product(h, 2, n, a, row, step, b, b_stride, c, c_stride, columns, subtract)
    else:
        tile_of_product(h, 1, n, a, row, step, b, b_stride, c, c_stride, columns, subtract)


cdef inline void rows_of_product(
    Py_ssize_t rows,
    Py_ssize_t n,
    const double *a,            # IN as for a tile
    Py_ssize_t row,
    Py_ssize_t step,
    const double *b,            # IN (n, b_stride), and SLACK numbers after the last
    Py_ssize_t b_stride,
    double *c,                  # OUT or INOUT (rows, c_stride)
    Py_ssize_t c_stride,
    Py_ssize_t columns,
    bint subtract,              # a constant
) noexcept nogil:
    """c = a b or c -= a b."""
    cdef Py_ssize_t i, j, some
    for j from 0 <= j < columns by WIDTH:
        some = min(<Py_ssize_t> WIDTH, columns - j)
        i = 0
        while rows - i >= OUTER_ROWS:
            tile_of_width(
                OUTER_ROWS, n, a + i * row, row, step, b + j, b_stride, c + i * c_stride + j,
                c_stride, some, subtract,
            )
            i += OUTER_ROWS
        while i < rows:
            tile_of_width(
                1, n, a + i * row, row, step, b + j, b_stride, c + i * c_stride + j, c_stride,
                some, subtract,
            )
            i += 1


cdef struct Product:
    const double *a
    const double *b
    double *c
    const Py_ssize_t *left
    const Py_ssize_t *right
    const double *points
    Py_ssize_t n, k, m
    Py_ssize_t parts                        # of PRODUCT_ROWS rows, in one product
    Py_ssize_t from_copy                    # the first of `b` that is read from the copy
    const double *copied                    # of the last of `b`, with SLACK numbers behind them
    double *moved                           # (threads, PRODUCT_ROWS, k)


def multiply(
    const double[:, :, ::1] a,              # IN (A, n, k)
    const double[:, :, ::1] b,              # IN (B, k, m)
    const Py_ssize_t[::1] left,             # IN (P,) which of `a` a product is of, or None for
                                            #       that of its own number
    const Py_ssize_t[::1] right,            # IN (P,) and which of `b`
    const double[:, ::1] points,            # IN (P, k), what is taken from each row of a left
                                            #       matrix before, or None
    double[:, :, ::1] c,                    # OUT (P, n, m), none of the sizes zero
    int n_threads,
):
    """Products of matrices, P of them."""
    cdef Product call
    cdef double[::1] moved
    cdef Py_ssize_t size = b.shape[1] * b.shape[2]
    # Whole vectors are loaded, beyond the end of a matrix too.
    cdef Py_ssize_t n_copied = min(b.shape[0], 1 + pieces(SLACK, size))
    cdef double[::1] copied = numpy.zeros(n_copied * size + SLACK)
    call.n, call.k, call.m = a.shape[1], a.shape[2], b.shape[2]
    call.a, call.b, call.c = &a[0, 0, 0], &b[0, 0, 0], &c[0, 0, 0]
    call.left = &left[0] if left is not None else NULL
    call.right = &right[0] if right is not None else NULL
    call.parts = pieces(call.n, PRODUCT_ROWS)
    call.from_copy, call.copied = b.shape[0] - n_copied, &copied[0]
    call.points = call.moved = NULL
    if points is not None:
        moved = numpy.empty(n_threads * PRODUCT_ROWS * call.k)
        call.points, call.moved = &points[0, 0], &moved[0]
    memcpy(&copied[0], &b[call.from_copy, 0, 0], n_copied * size * sizeof(double))
    parallel_for(multiply_part, &call, c.shape[0] * call.parts, n_threads)


cdef void multiply_part(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Some rows of one product."""
    cdef const Product *call = <const Product *> argument
    cdef Py_ssize_t k = call.k, m = call.m
    cdef Py_ssize_t number = item // call.parts
    cdef Py_ssize_t first = item % call.parts * PRODUCT_ROWS
    cdef Py_ssize_t left = call.left[number] if call.left != NULL else number
    cdef Py_ssize_t right = call.right[number] if call.right != NULL else number
    cdef Py_ssize_t rows = min(<Py_ssize_t> PRODUCT_ROWS, call.n - first), i, p
    cdef const double *a = call.a + (left * call.n + first) * k
    cdef const double *b = call.b + right * k * m
    cdef double *moved
    if call.points != NULL:
        moved = call.moved + thread * PRODUCT_ROWS * k
        for i in range(rows):
            for p in range(k):
                moved[i * k + p] = a[i * k + p] - call.points[number * k + p]
        a = moved
    if right >= call.from_copy:
        b = call.copied + (right - call.from_copy) * k * m
    rows_of_product(
        rows, k, a, k, 1, b, m, call.c + (number * call.n + first) * m, m, m, False
    )


cdef inline Py_ssize_t pieces(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """How many pieces of a size, the last one perhaps smaller, hold n."""
    return (n + size - 1) // size
