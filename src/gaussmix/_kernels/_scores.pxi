# The E-step of one tile: scores.
#
# A score is the logarithm, to base 2, of weight * density; precision factors arrive scaled so
# that half a squared Mahalanobis distance comes out in bits.  The logarithm and the power of
# two then need no multiplication to reduce their arguments.

from libc.math cimport INFINITY


# --- Products of a panel of outputs with a strip of rows ------------------------------------

cdef inline void multiply_panel(
    Py_ssize_t h,               # outputs in this panel, at most PANEL_ROWS; a constant
    Py_ssize_t n,               # inputs
    const scalar *factor,       # IN (n, h)
    const scalar *bias,         # IN (h,)
    const scalar *strip,        # IN (n, STRIP)
    vec[3] *acc,                # OUT (h, NV)
) noexcept nogil:
    cdef vec x0, x1, x2, u
    cdef Py_ssize_t i, j, v
    for i in range(h):
        for v in range(NV):
            acc[i][v] = vset1(bias[i])
    for j in range(n):
        x0 = vload(strip + j * STRIP)
        x1 = vload(strip + j * STRIP + VL)
        x2 = vload(strip + j * STRIP + 2 * VL)
        for i in range(h):
            u = vset1(factor[j * h + i])
            acc[i][0] = acc[i][0] + u * x0
            acc[i][1] = acc[i][1] + u * x1
            acc[i][2] = acc[i][2] + u * x2


cdef inline void add_squares_of_panel(
    Py_ssize_t h, Py_ssize_t n, const scalar *factor, const scalar *bias, const scalar *strip,
    vec *distance,              # INOUT (NV,)
) noexcept nogil:
    cdef vec acc[4][3]
    cdef Py_ssize_t i, v
    multiply_panel(h, n, factor, bias, strip, acc)
    for v in range(NV):
        for i in range(h):
            distance[v] = distance[v] + acc[i][v] * acc[i][v]


cdef inline void store_panel(
    Py_ssize_t h, Py_ssize_t n, const scalar *factor, const scalar *bias, const scalar *strip,
    scalar *out,                # OUT (h, out_stride)
    Py_ssize_t out_stride,
) noexcept nogil:
    cdef vec acc[4][3]
    cdef Py_ssize_t i, v
    multiply_panel(h, n, factor, bias, strip, acc)
    for i in range(h):
        for v in range(NV):
            vstore(out + i * out_stride + v * VL, acc[i][v])


cdef void store_any_panel(
    Py_ssize_t h, Py_ssize_t n, const scalar *factor, const scalar *bias, const scalar *strip,
    scalar *out, Py_ssize_t out_stride,
) noexcept nogil:
    """store_panel with the height known to the compiler, so that its sums stay in registers."""
    if h == 4:
        store_panel(4, n, factor, bias, strip, out, out_stride)
    elif h == 3:
        store_panel(3, n, factor, bias, strip, out, out_stride)
    elif h == 2:
        store_panel(2, n, factor, bias, strip, out, out_stride)
    else:
        store_panel(1, n, factor, bias, strip, out, out_stride)


# --- Scores of a tile -----------------------------------------------------------------------

cdef void score_tile(const Job *job, Tile *tile) noexcept nogil:
    if job.estep == TRIANGULAR:
        score_triangular(job, tile)
    elif job.estep == LINEAR or job.estep == NEAREST:
        score_linear(job, tile)
    else:
        if job.whitening != NULL:
            whiten(job, tile)
        score_direct(job, tile)


cdef void score_triangular(const Job *job, Tile *tile) noexcept nogil:
    """Scores of all components, the likely one first: where rows come in coherent order the
    others are then soon seen to be out of the question.
    """
    cdef Py_ssize_t t, k, s, v, i
    for i from 0 <= i < tile.capacity by VL:
        vstore(tile.best + i, vset1(-INFINITY))
    for t in range(job.K):
        k = tile.likely if t == 0 else (t - 1 if t <= tile.likely else t)
        for s in range(tile.capacity // STRIP):
            score_strip(
                job, k, tile.strips + s * STRIP * job.f, tile.best + s * STRIP,
                tile.scores + k * tile.capacity + s * STRIP,
            )
    find_likely(job, tile)


cdef void find_likely(const Job *job, Tile *tile) noexcept nogil:
    """The last row's best component."""
    cdef Py_ssize_t k, i = tile.n - 1
    for k in range(job.K):
        if tile.scores[k * tile.capacity + i] >= tile.best[i]:
            tile.likely = k


cdef void score_strip(
    const Job *job,
    Py_ssize_t k,
    const scalar *strip,
    scalar *best,               # INOUT (STRIP,) best score of each row so far
    scalar *score,              # OUT (STRIP,)
) noexcept nogil:
    """Scores of one component, or upper bounds of them, where all lie so far below the best that
    no digit of any sum depends on them.
    """
    cdef Py_ssize_t r = 0, v, h, d = job.d
    cdef const scalar *factor = job.packed + k * triangle_size(d)
    cdef const scalar *bias = job.bias + k * d
    cdef vec constant = vset1(job.constants[k])
    cdef vec distance[3]
    for v in range(NV):
        distance[v] = vset1(0.0)
    while r + PANEL_ROWS <= d:
        add_squares_of_panel(PANEL_ROWS, r + PANEL_ROWS, factor, bias + r, strip, distance)
        r += PANEL_ROWS
        factor += PANEL_ROWS * r
        if r >= 8 and r & (r - 1) == 0 and out_of_question(job, constant, distance, best):
            d = r
    h = d - r
    if h == 3:
        add_squares_of_panel(3, d, factor, bias + r, strip, distance)
    elif h == 2:
        add_squares_of_panel(2, d, factor, bias + r, strip, distance)
    elif h == 1:
        add_squares_of_panel(1, d, factor, bias + r, strip, distance)
    for v in range(NV):
        distance[v] = constant - distance[v]
        vstore(score + v * VL, distance[v])
        vstore(best + v * VL, vmax(distance[v], vload(best + v * VL)))


cdef inline bint out_of_question(
    const Job *job, vec constant, const vec *distance, const scalar *best
) noexcept nogil:
    """Whether the scores, which can only fall from here, are below the floor in all rows."""
    cdef vec floor = vset1(job.floor)
    return not (
        vany_gt(constant - distance[0] - vload(best), floor)
        or vany_gt(constant - distance[1] - vload(best + VL), floor)
        or vany_gt(constant - distance[2] - vload(best + 2 * VL), floor)
    )


cdef void whiten(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t s, r, h, n, d = job.d
    cdef const scalar *factor
    cdef scalar *zero_bias = [0.0, 0.0, 0.0, 0.0]
    for s in range(tile.capacity // STRIP):
        factor = job.whitening
        for r from 0 <= r < d by PANEL_ROWS:
            h = min(<Py_ssize_t> PANEL_ROWS, d - r)
            n = whitening_inputs(job, r + h)
            store_any_panel(
                h, n, factor, zero_bias, tile.strips + s * STRIP * job.f,
                tile.whitened + (s * job.f + r) * STRIP, STRIP,
            )
            factor += h * n


cdef void score_linear(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t k, s, h
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for s in range(tile.capacity // STRIP):
            store_any_panel(
                h, job.f, job.packed + k * job.f, job.constants + k,
                tile.strips + s * STRIP * job.f,
                tile.scores + k * tile.capacity + s * STRIP, tile.capacity,
            )


cdef inline void direct_panel(
    Py_ssize_t h,               # components in this panel, at most PANEL_ROWS; a constant
    Py_ssize_t d,
    const scalar *factor,       # IN (d, 2, h): scale, minus the scaled mean
    const scalar *constant,     # IN (h,)
    const scalar *strip,        # IN (d, STRIP)
    scalar *out,                # OUT (h, out_stride)
    Py_ssize_t out_stride,
) noexcept nogil:
    cdef vec acc[4][3]
    cdef vec x0, x1, x2, y, scale, shift
    cdef Py_ssize_t i, j, v
    for i in range(h):
        for v in range(NV):
            acc[i][v] = vset1(0.0)
    for j in range(d):
        x0 = vload(strip + j * STRIP)
        x1 = vload(strip + j * STRIP + VL)
        x2 = vload(strip + j * STRIP + 2 * VL)
        for i in range(h):
            scale = vset1(factor[2 * j * h + i])
            shift = vset1(factor[2 * j * h + h + i])
            y = x0 * scale + shift
            acc[i][0] = acc[i][0] + y * y
            y = x1 * scale + shift
            acc[i][1] = acc[i][1] + y * y
            y = x2 * scale + shift
            acc[i][2] = acc[i][2] + y * y
    for i in range(h):
        for v in range(NV):
            vstore(out + i * out_stride + v * VL, vset1(constant[i]) - acc[i][v])


cdef void score_direct(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t k, s, h, d = job.d, stride = tile.capacity
    cdef const scalar *factor
    cdef const scalar *strip
    cdef scalar *out
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        factor = job.packed + 2 * k * d
        for s in range(tile.capacity // STRIP):
            strip = tile.whitened + s * STRIP * job.f
            out = tile.scores + k * stride + s * STRIP
            if h == 4:
                direct_panel(4, d, factor, job.constants + k, strip, out, stride)
            elif h == 3:
                direct_panel(3, d, factor, job.constants + k, strip, out, stride)
            elif h == 2:
                direct_panel(2, d, factor, job.constants + k, strip, out, stride)
            else:
                direct_panel(1, d, factor, job.constants + k, strip, out, stride)
