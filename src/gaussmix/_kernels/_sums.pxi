# The M-step's sums over one tile, added to a partial sum.
#
# A partial sum is one row of doubles: the log-likelihood, the weights of the components, their
# first moments and their second moments, each part starting on a cache line.  Second moments
# are sums of  weight * (x - mean)_p * (x - centre)_q  for p >= q: only one operand is written
# anew for each component, and the error this leaves is proportional to |mean - centre|, not to
# its square.  `reduce_partials` turns them into moments about the mean.

from libc.stdint cimport uint64_t
from libc.string cimport memset

# `second` is (K, d, f_padded) for OUTER, (d, f_padded) for OUTER_POOLED, (K, first_stride) for
# SQUARES, and absent for the others.
cdef struct Sums:
    double *log_likelihood
    double *weight              # (K,)
    double *first               # (K, first_stride)
    Py_ssize_t first_stride
    double *second


cdef Py_ssize_t sums_size(const Job *job) noexcept nogil:
    cdef Py_ssize_t size, stride = round_up(job.f_padded, LINE)
    size = LINE + round_up(job.K, LINE) + job.K * stride
    if job.mstep == OUTER:
        size += job.K * job.d * job.f_padded
    elif job.mstep == OUTER_POOLED:
        size += job.d * job.f_padded
    elif job.mstep == SQUARES:
        size += job.K * stride
    return round_up(size, LINE)


cdef void lay_out_sums(const Job *job, double *start, Sums *sums) noexcept nogil:
    sums.log_likelihood = start
    sums.weight = start + LINE
    sums.first = sums.weight + round_up(job.K, LINE)
    sums.first_stride = round_up(job.f_padded, LINE)
    sums.second = sums.first + job.K * sums.first_stride


cdef void add_tile(const Job *job, Tile *tile, Sums *sums) noexcept nogil:
    """Add the tile's weighted moments; its scores hold the responsibilities."""
    cdef Py_ssize_t k
    add_log_likelihood(job, tile, sums)
    for k in range(job.K):
        if tile.active[k]:
            sums.weight[k] += sum_rows(tile.scores + k * tile.capacity, tile.capacity)
    if job.mstep == OUTER or job.mstep == OUTER_POOLED:
        for k in range(job.K):
            if tile.active[k]:
                add_outer(job, tile, k, sums)
    elif job.mstep == SQUARES:
        for k in range(job.K):
            if tile.active[k]:
                add_squares(job, tile, k, sums)
    elif job.mstep == FEATURES:
        add_features_sums(job, tile, sums)
    elif job.mstep == DOTS:
        add_dots(job, tile)


cdef double sum_rows(const scalar *a, Py_ssize_t n) noexcept nogil:
    """The sum of n values, n a multiple of STRIP."""
    cdef Py_ssize_t i, v
    cdef vec total[3]
    for v in range(NV):
        total[v] = vset1(0.0)
    for i from 0 <= i < n by STRIP:
        for v in range(NV):
            total[v] = total[v] + vload(a + i + v * VL)
    return vsum(total[0]) + vsum(total[1]) + vsum(total[2])


cdef void add_log_likelihood(const Job *job, const Tile *tile, Sums *sums) noexcept nogil:
    """Rows of weight zero are left out, so that an infinite log-density of theirs is no NaN."""
    cdef Py_ssize_t i, v
    cdef vec weight, zero = vset1(0.0)
    cdef double lanes[3 * 16]
    cdef double total = 0.0
    memset(lanes, 0, sizeof(lanes))
    for i from 0 <= i < tile.capacity by STRIP:
        for v in range(NV):
            weight = vload(tile.weight + i + v * VL)
            vadd_to(
                lanes + v * VL,
                vselect_gt(weight, zero, weight * vload(tile.density + i + v * VL), zero),
            )
    for i in range(STRIP):
        total += lanes[i]
    sums.log_likelihood[0] += total
    if IS_SINGLE:
        sums.log_likelihood[0] += job.reference * sum_rows(tile.weight, tile.capacity)


# --- Second moments of all features ---------------------------------------------------------

cdef void add_outer(const Job *job, Tile *tile, Py_ssize_t k, Sums *sums) noexcept nogil:
    """second[p, q] += sum over rows of weighted[p] * x[q], for the vectors that hold p >= q."""
    cdef Py_ssize_t p, q, h, w, width, n = tile.capacity
    cdef double *second = sums.second + (k * job.d * job.f_padded if job.mstep == OUTER else 0)
    cdef const scalar *panels = tile.panels
    cdef const scalar *share = tile.scores + k * tile.capacity
    if 2 * count_positive(share, n) < n:
        n = gather_rows(job, tile, share)
        panels = tile.gathered
        share = tile.gathered_share
    weigh_rows(job, tile, k, n, panels, share, sums)
    for q from 0 <= q < job.d by PANEL:
        width = panel_width(q, job.f_padded)
        for p from q <= p < job.d by OUTER_ROWS:
            h = min(<Py_ssize_t> OUTER_ROWS, job.d - p)
            w = min(width, round_up(p + h - q, VL)) // VL
            any_outer_product(
                VL, h, w, n, tile.weighted + p // VL * n * VL + p % VL, n,
                panels + q * n, width, second + p * job.f_padded + q, job.f_padded,
            )


cdef Py_ssize_t count_positive(const scalar *a, Py_ssize_t n) noexcept nogil:
    """How many of n values are positive, n a multiple of STRIP."""
    cdef Py_ssize_t i
    cdef vec count = vset1(0.0)
    for i from 0 <= i < n by VL:
        count = count + vselect_gt(vload(a + i), vset1(0.0), vset1(1.0), vset1(0.0))
    return <Py_ssize_t> vsum(count)


cdef Py_ssize_t gather_rows(const Job *job, Tile *tile, const scalar *share) noexcept nogil:
    """Copy the rows in which a component has a share, and the shares; returns their number."""
    cdef Py_ssize_t i, q, v, width, n = 0
    cdef scalar *out = tile.gathered
    cdef const scalar *row
    for i in range(tile.capacity):
        tile.gathered_share[n] = share[i]
        tile.gathered_row[n] = i
        n += share[i] > 0.0
    for q from 0 <= q < job.f_padded by PANEL:
        width = panel_width(q, job.f_padded)
        for i in range(n):
            row = tile.panels + q * tile.capacity + tile.gathered_row[i] * width
            for v from 0 <= v < width by VL:
                vstore(out + v, vload(row + v))
            out += width
    return n


cdef void weigh_rows(
    const Job *job,
    Tile *tile,
    Py_ssize_t k,
    Py_ssize_t n,
    const scalar *panels,
    const scalar *share,
    Sums *sums,
) noexcept nogil:
    """Write  share * (x - mean)  for n rows, and add it to the first moment."""
    cdef Py_ssize_t i, j, q, v, width
    cdef double *first = sums.first + k * sums.first_stride
    cdef const scalar *x
    cdef scalar *out
    cdef scalar lane[16]
    cdef vec mean, y, total
    for q from 0 <= q < job.f_padded by VL:
        v = q % PANEL
        width = panel_width(q - v, job.f_padded)
        x = panels + (q - v) * n + v
        out = tile.weighted + q * n
        for j in range(VL):
            lane[j] = 0.0
            if q + j < job.d:
                lane[j] = <scalar> (job.means[k * job.d + q + j] - job.centre[q + j])
        mean = vload(lane)
        total = vset1(0.0)
        for i in range(n):
            y = (vload(x + i * width) - mean) * vset1(share[i])
            vstore(out + i * VL, y)
            total = total + y
        vadd_to(first + q, total)


# --- Responsibilities' * features -----------------------------------------------------------

cdef void add_features_sums(const Job *job, const Tile *tile, Sums *sums) noexcept nogil:
    """first[k, q] += sum over rows of responsibility[k] * feature[q], in runs of strips in which
    any of some components has a share.
    """
    cdef Py_ssize_t k, h, i, begin, end
    cdef uint64_t active
    for k from 0 <= k < job.K by OUTER_ROWS:
        h = min(<Py_ssize_t> OUTER_ROWS, job.K - k)
        active = 0
        for i in range(h):
            active |= tile.active[k + i]
        end = 0
        while next_run(active, tile.capacity // STRIP, &begin, &end):
            add_features_of_run(job, tile, k, h, begin * STRIP, end * STRIP, sums)


cdef bint next_run(
    uint64_t active, Py_ssize_t n_strips, Py_ssize_t *begin, Py_ssize_t *end
) noexcept nogil:
    """The next run begin..end of active strips from `end` on; False when there is none."""
    begin[0] = end[0]
    while begin[0] < n_strips and not active >> begin[0] & 1:
        begin[0] += 1
    end[0] = begin[0]
    while end[0] < n_strips and active >> end[0] & 1:
        end[0] += 1
    return begin[0] < end[0]


cdef void add_features_of_run(
    const Job *job,
    const Tile *tile,
    Py_ssize_t k,
    Py_ssize_t h,
    Py_ssize_t begin,
    Py_ssize_t end,
    Sums *sums,
) noexcept nogil:
    cdef Py_ssize_t q, width
    for q from 0 <= q < job.f_padded by PANEL:
        width = panel_width(q, job.f_padded)
        any_outer_product(
            1, h, width // VL, end - begin, tile.scores + k * tile.capacity + begin,
            tile.capacity, tile.panels + q * tile.capacity + begin * width, width,
            sums.first + k * sums.first_stride + q, sums.first_stride,
        )


cdef void add_dots(const Job *job, Tile *tile) noexcept nogil:
    """lanes[k, j] += products of responsibility[k] and feature[j], a lane for every VL-th row."""
    cdef Py_ssize_t k, j, h, i, begin, end
    cdef uint64_t active
    for j from 0 <= j < job.f by DOT_COLUMNS:
        for k from 0 <= k < job.K by PANEL_ROWS:
            h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
            active = 0
            for i in range(h):
                active |= tile.active[k + i]
            end = 0
            while next_run(active, tile.capacity // STRIP, &begin, &end):
                any_dot_product(
                    h, min(<Py_ssize_t> DOT_COLUMNS, job.f - j), end - begin,
                    tile.scores + k * tile.capacity + begin * STRIP, tile.capacity,
                    tile.strips + (begin * job.f + j) * STRIP, job.f * STRIP,
                    tile.lanes + (k * job.f + j) * VL, job.f * VL,
                )


cdef void add_lanes(const Job *job, const Tile *tile, Sums *sums) noexcept nogil:
    """Add the sums that `add_dots` kept lane by lane to the first moments."""
    cdef Py_ssize_t k, j, lane
    cdef const double *lanes = tile.lanes
    cdef double *first
    for k in range(job.K):
        first = sums.first + k * sums.first_stride
        for j in range(job.f):
            for lane in range(VL):
                first[j] += lanes[lane]
            lanes += VL


# --- Second moments of each feature alone ---------------------------------------------------

cdef void add_squares(const Job *job, Tile *tile, Py_ssize_t k, Sums *sums) noexcept nogil:
    """First moments, and second moments of each feature alone."""
    cdef Py_ssize_t s, j, v
    cdef const scalar *share = tile.scores + k * tile.capacity
    cdef const scalar *strip
    cdef vec mean, x, y, first, second
    for j in range(job.d):
        mean = vset1(<scalar> (job.means[k * job.d + j] - job.centre[j]))
        first = vset1(0.0)
        second = vset1(0.0)
        for s in range(tile.capacity // STRIP):
            if not tile.active[k] >> s & 1:
                continue
            strip = tile.strips + (s * job.f + j) * STRIP
            for v in range(NV):
                x = vload(strip + v * VL)
                y = (x - mean) * vload(share + s * STRIP + v * VL)
                first = first + y
                second = second + y * x
        sums.first[k * sums.first_stride + j] += vsum(first)
        sums.second[k * sums.first_stride + j] += vsum(second)


# --- Products with sums in registers --------------------------------------------------------

cdef inline void outer_product(
    Py_ssize_t block,           # columns of a that lie beside each other; a constant
    Py_ssize_t h,               # rows of the result, at most OUTER_ROWS; a constant
    Py_ssize_t w,               # vectors in each, at most NV; a constant
    Py_ssize_t n,
    const scalar *a,            # IN (h / block, a_rows, block)
    Py_ssize_t a_rows,
    const scalar *b,            # IN (n, width)
    Py_ssize_t width,
    double *c,                  # INOUT (h, c_stride)
    Py_ssize_t c_stride,
) noexcept nogil:
    cdef vec acc[8][3]
    cdef vec row[3]
    cdef vec x
    cdef Py_ssize_t i, p, v
    for p in range(h):
        for v in range(w):
            acc[p][v] = vset1(0.0)
            prefetch(c + p * c_stride + v * VL)
    for i in range(n):
        for v in range(w):
            row[v] = vload(b + i * width + v * VL)
        for p in range(h):
            x = vset1(a[(p // block * a_rows + i) * block + p % block])
            for v in range(w):
                acc[p][v] = acc[p][v] + x * row[v]
    for p in range(h):
        for v in range(w):
            vadd_to(c + p * c_stride + v * VL, acc[p][v])


cdef inline void outer_product_of_width(
    Py_ssize_t block, Py_ssize_t h, Py_ssize_t w, Py_ssize_t n, const scalar *a,
    Py_ssize_t a_rows, const scalar *b, Py_ssize_t width, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    if w == 3:
        outer_product(block, h, 3, n, a, a_rows, b, width, c, c_stride)
    elif w == 2:
        outer_product(block, h, 2, n, a, a_rows, b, width, c, c_stride)
    else:
        outer_product(block, h, 1, n, a, a_rows, b, width, c, c_stride)


cdef inline void any_outer_product(
    Py_ssize_t block, Py_ssize_t h, Py_ssize_t w, Py_ssize_t n, const scalar *a,
    Py_ssize_t a_rows, const scalar *b, Py_ssize_t width, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    """outer_product in blocks whose size the compiler knows, so that sums stay in registers."""
    cdef Py_ssize_t p = 0
    if h == OUTER_ROWS:
        outer_product_of_width(block, OUTER_ROWS, w, n, a, a_rows, b, width, c, c_stride)
        return
    while p + 4 <= h:
        outer_product_of_width(
            block, 4, w, n, a + (p // block * a_rows) * block + p % block, a_rows, b, width,
            c + p * c_stride, c_stride,
        )
        p += 4
    if p + 2 <= h:
        outer_product_of_width(
            block, 2, w, n, a + (p // block * a_rows) * block + p % block, a_rows, b, width,
            c + p * c_stride, c_stride,
        )
        p += 2
    if p < h:
        outer_product_of_width(
            block, 1, w, n, a + (p // block * a_rows) * block + p % block, a_rows, b, width,
            c + p * c_stride, c_stride,
        )


cdef inline void dot_product(
    Py_ssize_t h,               # rows of a, at most PANEL_ROWS; a constant
    Py_ssize_t w,               # columns of b, at most DOT_COLUMNS; a constant
    Py_ssize_t n_strips,
    const scalar *a,            # IN (h, a_stride)
    Py_ssize_t a_stride,
    const scalar *b,            # IN (n_strips, b_stride), each (w, STRIP)
    Py_ssize_t b_stride,
    double *c,                  # INOUT (h, c_stride), each (w, VL)
    Py_ssize_t c_stride,
) noexcept nogil:
    cdef vec acc[4][6]
    cdef vec x[4]
    cdef vec y
    cdef Py_ssize_t s, v, i, j
    for i in range(h):
        for j in range(w):
            acc[i][j] = vset1(0.0)
    for s in range(n_strips):
        for v in range(NV):
            for i in range(h):
                x[i] = vload(a + i * a_stride + v * VL)
            for j in range(w):
                y = vload(b + j * STRIP + v * VL)
                for i in range(h):
                    acc[i][j] = acc[i][j] + x[i] * y
        a += STRIP
        b += b_stride
    for i in range(h):
        for j in range(w):
            vadd_to(c + i * c_stride + j * VL, acc[i][j])


cdef inline void dot_product_of_width(
    Py_ssize_t h, Py_ssize_t w, Py_ssize_t n_strips, const scalar *a, Py_ssize_t a_stride,
    const scalar *b, Py_ssize_t b_stride, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    if w == 6:
        dot_product(h, 6, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif w == 5:
        dot_product(h, 5, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif w == 4:
        dot_product(h, 4, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif w == 3:
        dot_product(h, 3, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif w == 2:
        dot_product(h, 2, n_strips, a, a_stride, b, b_stride, c, c_stride)
    else:
        dot_product(h, 1, n_strips, a, a_stride, b, b_stride, c, c_stride)


cdef void any_dot_product(
    Py_ssize_t h, Py_ssize_t w, Py_ssize_t n_strips, const scalar *a, Py_ssize_t a_stride,
    const scalar *b, Py_ssize_t b_stride, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    """dot_product in blocks whose size the compiler knows, so that sums stay in registers."""
    if h == 4:
        dot_product_of_width(4, w, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif h == 3:
        dot_product_of_width(3, w, n_strips, a, a_stride, b, b_stride, c, c_stride)
    elif h == 2:
        dot_product_of_width(2, w, n_strips, a, a_stride, b, b_stride, c, c_stride)
    else:
        dot_product_of_width(1, w, n_strips, a, a_stride, b, b_stride, c, c_stride)


# --- From partial sums to statistics --------------------------------------------------------

cdef void move_to_means(
    const Job *job, const Sums *sums, double *second_out
) noexcept nogil:
    """Second moments about the means, both triangles:
    sum w (x - m)(x - m)' = sum w (x - m)(x - c)' - (sum w (x - m)) (m - c)'.
    """
    cdef Py_ssize_t k, p, q, d = job.d, matrix = 0
    cdef const double *second
    cdef double *out
    cdef double value
    for k in range(job.K):
        if job.mstep == OUTER:
            matrix = k
        second = sums.second + matrix * d * job.f_padded
        out = second_out + matrix * d * d
        for p in range(d):
            for q in range(p + 1):
                value = -sums.first[k * sums.first_stride + p] * (
                    job.means[k * d + q] - job.centre[q]
                )
                if job.mstep == OUTER or k == 0:
                    value += second[p * job.f_padded + q]
                    out[p * d + q] = value
                else:
                    out[p * d + q] += value
    for k in range(job.K if job.mstep == OUTER else 1):
        out = second_out + k * d * d
        for p in range(d):
            for q in range(p):
                out[q * d + p] = out[p * d + q]


cdef void move_squares_to_means(
    const Job *job, const Sums *sums, double *second_out
) noexcept nogil:
    cdef Py_ssize_t k, j, d = job.d
    for k in range(job.K):
        for j in range(d):
            second_out[k * d + j] = sums.second[k * sums.first_stride + j] - (
                sums.first[k * sums.first_stride + j] * (job.means[k * d + j] - job.centre[j])
            )
