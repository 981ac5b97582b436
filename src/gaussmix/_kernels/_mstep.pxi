# The M-step's sums over one tile, added to a partial sum.
#
# A partial sum is one row of doubles: the log-likelihood, the weights of the components, their
# first moments and their second moments, each part starting on a cache line.  Second moments
# are sums of  weight * (x - mean)_p * (x - centre)_q  for p >= q: only one operand is written
# anew for each component, and the error this leaves is proportional to |mean - centre|, not to
# its square.  `reduce_partials` turns them into moments about the mean.

# `second` is (K, d, f_padded) for OUTER, (d, f_padded) for OUTER_POOLED, (K, first_stride) for
# SQUARES, and absent for the others.
cdef struct Sums:
    double *log_likelihood
    double *weight              # (K,)
    double *first               # (K, first_stride)
    Py_ssize_t first_stride
    double *second


cdef Py_ssize_t sums_size(const Job *job) noexcept nogil:
    cdef Py_ssize_t size, stride = round_up(job.f, LINE)
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
    sums.first_stride = round_up(job.f, LINE)
    sums.second = sums.first + job.K * sums.first_stride


cdef void add_tile(const Job *job, Tile *tile, Sums *sums) noexcept nogil:
    """Add the tile's weighted moments; its scores hold the responsibilities."""
    cdef Py_ssize_t k
    add_log_likelihood(tile, sums)
    for k in range(job.K):
        sums.weight[k] += sum_rows(tile.scores + k * tile.capacity, tile.capacity)
    if job.mstep == OUTER or job.mstep == OUTER_POOLED:
        for k in range(job.K):
            weight_rows(job, tile, k, sums)
            add_outer(
                job, tile, sums.second + (k * job.d * job.f_padded if job.mstep == OUTER else 0)
            )
    elif job.mstep == SQUARES:
        for k in range(job.K):
            add_squares(job, tile, k, sums)
    elif job.mstep == FEATURES:
        add_features_sums(job, tile, sums)


cdef double sum_rows(const double *a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef vd sum = vset1(0.0)
    for i from 0 <= i < n by VL:
        sum = sum + vload(a + i)
    return vsum(sum)


cdef void add_log_likelihood(const Tile *tile, Sums *sums) noexcept nogil:
    """Rows of weight zero are left out, so that an infinite log-density of theirs is no NaN."""
    cdef Py_ssize_t i
    cdef vd weight, sum = vset1(0.0)
    for i from 0 <= i < tile.capacity by VL:
        weight = vload(tile.weight + i)
        sum = sum + vselect_gt(
            weight, vset1(0.0), weight * vload(tile.density + i), vset1(0.0)
        )
    sums.log_likelihood[0] += vsum(sum)


cdef void weight_rows(const Job *job, Tile *tile, Py_ssize_t k, Sums *sums) noexcept nogil:
    """Write  responsibility * (x - mean)  for every row, and add it to the first moment."""
    cdef Py_ssize_t s, j, v
    cdef const double *share = tile.scores + k * tile.capacity
    cdef const double *strip
    cdef double *out
    cdef vd mean, y, sum
    for j in range(job.d):
        mean = vset1(job.means[k * job.d + j] - job.centre[j])
        out = tile.weighted + j * tile.capacity
        sum = vset1(0.0)
        for s in range(tile.capacity // STRIP):
            strip = tile.strips + (s * job.f + j) * STRIP
            for v in range(NV):
                y = (vload(strip + v * VL) - mean) * vload(share + s * STRIP + v * VL)
                vstore(out + s * STRIP + v * VL, y)
                sum = sum + y
        sums.first[k * sums.first_stride + j] += vsum(sum)


cdef void add_outer(const Job *job, const Tile *tile, double *second) noexcept nogil:
    """second[p, q] += sum over rows of weighted[p] * x[q], for the vectors that hold p >= q."""
    cdef Py_ssize_t p, q, h, w, width
    for q from 0 <= q < job.d by PANEL:
        width = panel_width(q, job.f_padded)
        for p from q <= p < job.d by OUTER_ROWS:
            h = min(<Py_ssize_t> OUTER_ROWS, job.d - p)
            w = min(width, round_up(p + h - q, VL)) // VL
            any_outer_product(
                h, w, tile.capacity, tile.weighted + p * tile.capacity,
                tile.panels + q * tile.capacity, width,
                second + p * job.f_padded + q, job.f_padded,
            )


cdef void add_features_sums(const Job *job, const Tile *tile, Sums *sums) noexcept nogil:
    """first[k, q] += sum over rows of responsibility[k] * feature[q]."""
    cdef Py_ssize_t k, q, h, width
    for q from 0 <= q < job.f by PANEL:
        width = panel_width(q, job.f_padded)
        for k from 0 <= k < job.K by OUTER_ROWS:
            h = min(<Py_ssize_t> OUTER_ROWS, job.K - k)
            any_outer_product(
                h, width // VL, tile.capacity, tile.scores + k * tile.capacity,
                tile.panels + q * tile.capacity, width,
                sums.first + k * sums.first_stride + q, sums.first_stride,
            )


cdef inline void outer_product(
    Py_ssize_t h,               # rows of the result, at most OUTER_ROWS; a constant
    Py_ssize_t w,               # vectors in each, at most NV; a constant
    Py_ssize_t n,
    const double *a,            # IN (h, n)
    const double *b,            # IN (n, width)
    Py_ssize_t width,
    double *c,                  # INOUT (h, c_stride)
    Py_ssize_t c_stride,
) noexcept nogil:
    cdef vd acc[8][3]
    cdef vd row[3]
    cdef vd x
    cdef Py_ssize_t i, p, v
    for p in range(h):
        for v in range(w):
            acc[p][v] = vset1(0.0)
    for i in range(n):
        for v in range(w):
            row[v] = vload(b + i * width + v * VL)
        for p in range(h):
            x = vset1(a[p * n + i])
            for v in range(w):
                acc[p][v] = acc[p][v] + x * row[v]
    for p in range(h):
        for v in range(w):
            vstore(c + p * c_stride + v * VL, vload(c + p * c_stride + v * VL) + acc[p][v])


cdef inline void outer_product_of_width(
    Py_ssize_t h, Py_ssize_t w, Py_ssize_t n, const double *a, const double *b,
    Py_ssize_t width, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    if w == 3:
        outer_product(h, 3, n, a, b, width, c, c_stride)
    elif w == 2:
        outer_product(h, 2, n, a, b, width, c, c_stride)
    else:
        outer_product(h, 1, n, a, b, width, c, c_stride)


cdef void any_outer_product(
    Py_ssize_t h, Py_ssize_t w, Py_ssize_t n, const double *a, const double *b,
    Py_ssize_t width, double *c, Py_ssize_t c_stride,
) noexcept nogil:
    """outer_product in blocks whose size the compiler knows, so that sums stay in registers."""
    cdef Py_ssize_t p
    while h > 0:
        if h >= 8:
            outer_product_of_width(8, w, n, a, b, width, c, c_stride)
            p = 8
        elif h >= 4:
            outer_product_of_width(4, w, n, a, b, width, c, c_stride)
            p = 4
        elif h >= 2:
            outer_product_of_width(2, w, n, a, b, width, c, c_stride)
            p = 2
        else:
            outer_product_of_width(1, w, n, a, b, width, c, c_stride)
            p = 1
        h -= p
        a += p * n
        c += p * c_stride


cdef void add_squares(const Job *job, Tile *tile, Py_ssize_t k, Sums *sums) noexcept nogil:
    """First moments, and second moments of each feature alone."""
    cdef Py_ssize_t s, j, v
    cdef const double *share = tile.scores + k * tile.capacity
    cdef const double *strip
    cdef vd mean, x, y, first, second
    for j in range(job.d):
        mean = vset1(job.means[k * job.d + j] - job.centre[j])
        first = vset1(0.0)
        second = vset1(0.0)
        for s in range(tile.capacity // STRIP):
            strip = tile.strips + (s * job.f + j) * STRIP
            for v in range(NV):
                x = vload(strip + v * VL)
                y = (x - mean) * vload(share + s * STRIP + v * VL)
                first = first + y
                second = second + y * x
        sums.first[k * sums.first_stride + j] += vsum(first)
        sums.second[k * sums.first_stride + j] += vsum(second)


# --- From partial sums to statistics --------------------------------------------------------

cdef void sum_partials(
    double *partials, Py_ssize_t n_partials, Py_ssize_t size
) noexcept nogil:
    """Add every partial sum to the first, in the order of their index."""
    cdef Py_ssize_t p, i
    cdef const double *partial
    for p in range(1, n_partials):
        partial = partials + p * size
        for i from 0 <= i < size by VL:
            vstore(partials + i, vload(partials + i) + vload(partial + i))


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
