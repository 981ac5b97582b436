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
    Py_ssize_t columns,         # of the tile, at most w * VL
    bint subtract,              # from what is there, instead of replacing it; a constant
) noexcept nogil:
    """c = a b or c -= a b, each number summed over p from the first to the last."""
    cdef vec acc[8][3]
    cdef vec right[3]
    cdef vec x
    cdef double lanes[3 * 8]
    cdef Py_ssize_t i, j, p, v
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
        for v in range(w):
            vstore(lanes + v * VL, acc[i][v])
        if subtract:
            for j in range(columns):
                c[i * c_stride + j] -= lanes[j]
        else:
            memcpy(c + i * c_stride, lanes, columns * sizeof(double))


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
    Py_ssize_t n, k, m
    Py_ssize_t parts                        # of PRODUCT_ROWS rows, in one product
    double *scratch
    Py_ssize_t scratch_stride


def multiply(
    const double[:, :, ::1] a,              # IN (A, n, k)
    const double[:, :, ::1] b,              # IN (B, k, m)
    const Py_ssize_t[::1] left,             # IN (P,) which of `a` a product is of, or None for
                                            #       that of its own number
    const Py_ssize_t[::1] right,            # IN (P,) and which of `b`
    double[:, :, ::1] c,                    # OUT (P, n, m), none of the sizes zero
    int n_threads,
):
    """Products of matrices, P of them."""
    cdef Product call
    cdef double[:, ::1] scratch
    call.n, call.k, call.m = a.shape[1], a.shape[2], b.shape[2]
    call.a, call.b, call.c = &a[0, 0, 0], &b[0, 0, 0], &c[0, 0, 0]
    call.left = &left[0] if left is not None else NULL
    call.right = &right[0] if right is not None else NULL
    call.parts = pieces(call.n, PRODUCT_ROWS)
    scratch = numpy.empty((n_threads, call.k * round_up(call.m, VL) + SLACK))
    call.scratch, call.scratch_stride = &scratch[0, 0], scratch.shape[1]
    parallel_for(multiply_part, &call, c.shape[0] * call.parts, n_threads)


cdef void multiply_part(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Some rows of one product, with the right matrix laid out in whole vectors."""
    cdef const Product *call = <const Product *> argument
    cdef Py_ssize_t k = call.k, m = call.m, p
    cdef Py_ssize_t number = item // call.parts
    cdef Py_ssize_t first = item % call.parts * PRODUCT_ROWS
    cdef Py_ssize_t padded = round_up(m, VL)
    cdef Py_ssize_t left = call.left[number] if call.left != NULL else number
    cdef Py_ssize_t right = call.right[number] if call.right != NULL else number
    cdef const double *b = call.b + right * k * m
    cdef double *packed = call.scratch + thread * call.scratch_stride
    for p in range(k):
        memcpy(packed + p * padded, b + p * m, m * sizeof(double))
        memset(packed + p * padded + m, 0, (padded - m) * sizeof(double))
    memset(packed + k * padded, 0, SLACK * sizeof(double))
    rows_of_product(
        min(<Py_ssize_t> PRODUCT_ROWS, call.n - first), k,
        call.a + (left * call.n + first) * k, k, 1, packed, padded,
        call.c + (number * call.n + first) * m, m, m, False,
    )


cdef inline Py_ssize_t pieces(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """How many pieces of a size, the last one perhaps smaller, hold n."""
    return (n + size - 1) // size


cdef inline Py_ssize_t round_up(Py_ssize_t n, Py_ssize_t unit) noexcept nogil:
    return pieces(n, unit) * unit
