# The E-step of one tile: scores, then log-density, responsibilities or labels.
#
# A score is the logarithm, to base 2, of weight * density; precision factors arrive scaled so
# that half a squared Mahalanobis distance comes out in bits.  The logarithm and the power of
# two then need no multiplication to reduce their arguments.

# sqrt(log2(e) / 2): |FACTOR_SCALE * U'(x - mean)|^2 is half the squared distance in bits.
cdef double FACTOR_SCALE = 0.84932180028801904272


# Minimax polynomial of 2^r on [-1/2, 1/2], degree 11, relative error 4e-18 (fitted at
# Chebyshev nodes in 60 digits).
cdef inline vd exp2_negative(vd x) noexcept nogil:
    """2^x for x <= 0; zero from where the result would be subnormal, and for NaN."""
    cdef vd t = x + ROUND_MAGIC
    cdef vd r = x - (t - ROUND_MAGIC)
    cdef vd p = vset1(4.4558179083360645e-10)
    p = p * r + 7.074194297288521e-09
    p = p * r + 1.0178057087733941e-07
    p = p * r + 1.3215432535912375e-06
    p = p * r + 1.5252733841556773e-05
    p = p * r + 0.00015403530463724353
    p = p * r + 0.001333355814640647
    p = p * r + 0.009618129107587256
    p = p * r + 0.055504108664821625
    p = p * r + 0.24022650695910158
    p = p * r + 0.6931471805599453
    p = p * r + 1.0
    return vselect_gt(x, vset1(-1021.0), vscale2(p, t), vset1(0.0))


# log2(m) = 2/ln2 * atanh(f), f = (m - 1)/(m + 1): series in f^2, relative error 5e-18.
cdef inline vd log2_positive(vd x) noexcept nogil:
    """log2(x) for positive normal x."""
    cdef vd m = vmantissa(x)
    cdef vd f = (m - 1.0) / (m + 1.0)
    cdef vd z = f * f
    cdef vd p = vset1(0.07308224842521703)
    p = p * z + 0.07665860800278021
    p = p * z + 0.09091444562630861
    p = p * z + 0.1111110556739754
    p = p * z + 0.14285714312987743
    p = p * z + 0.19999999999949752
    p = p * z + 0.3333333333333335
    return vexponent(x) + 2.8853900817779268 * (f + f * (z * p))


# --- Products of a panel of outputs with a strip of rows ------------------------------------

cdef inline void panel_product(
    Py_ssize_t h,               # outputs in this panel, at most PANEL_ROWS; a constant
    bint squared,               # add the squares to `out` (one row); else store h rows
    Py_ssize_t n,               # inputs
    const double *factor,       # IN (n, h)
    const double *bias,         # IN (h,)
    const double *strip,        # IN (n, STRIP)
    double *out,                # INOUT (STRIP,), or OUT (h, out_stride)
    Py_ssize_t out_stride,
) noexcept nogil:
    cdef vd acc[4][3]
    cdef vd x0, x1, x2, u
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
    for v in range(NV):
        if squared:
            x0 = vload(out + v * VL)
            for i in range(h):
                x0 = x0 + acc[i][v] * acc[i][v]
            vstore(out + v * VL, x0)
        else:
            for i in range(h):
                vstore(out + i * out_stride + v * VL, acc[i][v])


cdef void any_panel_product(
    Py_ssize_t h, bint squared, Py_ssize_t n, const double *factor, const double *bias,
    const double *strip, double *out, Py_ssize_t out_stride,
) noexcept nogil:
    """panel_product with the height known to the compiler, so that its sums stay in registers."""
    if squared:
        if h == 4:
            panel_product(4, True, n, factor, bias, strip, out, out_stride)
        elif h == 3:
            panel_product(3, True, n, factor, bias, strip, out, out_stride)
        elif h == 2:
            panel_product(2, True, n, factor, bias, strip, out, out_stride)
        else:
            panel_product(1, True, n, factor, bias, strip, out, out_stride)
    else:
        if h == 4:
            panel_product(4, False, n, factor, bias, strip, out, out_stride)
        elif h == 3:
            panel_product(3, False, n, factor, bias, strip, out, out_stride)
        elif h == 2:
            panel_product(2, False, n, factor, bias, strip, out, out_stride)
        else:
            panel_product(1, False, n, factor, bias, strip, out, out_stride)


# --- Packing: factors in the order in which the products read them --------------------------

cdef Py_ssize_t triangle_size(Py_ssize_t d) noexcept nogil:
    """Doubles in the packed upper triangle of one (d, d) factor."""
    cdef Py_ssize_t r, h, size = 0
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        size += h * (r + h)
    return size


cdef void pack_triangle(
    const double *factor, Py_ssize_t d, double scale, double *packed
) noexcept nogil:
    """Column panels of the upper triangle: for outputs r..r+h the inputs 0..r+h."""
    cdef Py_ssize_t r, h, i, j
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        for j in range(r + h):
            for i in range(h):
                packed[0] = factor[j * d + r + i] * scale if j <= r + i else 0.0
                packed += 1


cdef void pack_triangular(Job *job) noexcept nogil:
    cdef Py_ssize_t k, r, j, d = job.d, size = triangle_size(d)
    cdef const double *factor
    cdef double sum
    for k in range(job.K):
        factor = job.factors + k * job.factor_stride
        pack_triangle(factor, d, FACTOR_SCALE, job.packed + k * size)
        for r in range(d):
            sum = 0.0
            for j in range(r + 1):
                sum += factor[j * d + r] * (job.means[k * d + j] - job.centre[j])
            job.bias[k * d + r] = -sum * FACTOR_SCALE


cdef void pack_direct(Job *job) noexcept nogil:
    """Scale and scaled mean of each feature, for PANEL_ROWS components at a time."""
    cdef Py_ssize_t k, j, i, h, d = job.d
    cdef bint whitened = job.whitening != NULL
    cdef bint scaled = job.factors != NULL and not whitened
    cdef double scale, mean, unit = 1.0 if job.estep == DISTANCES else FACTOR_SCALE
    cdef double *out = job.packed
    if whitened:
        pack_triangle(job.factors, d, 1.0, job.whitening)
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for j in range(d):
            for i in range(h):
                scale = unit * job.factors[(k + i) * d + j] if scaled else unit
                if whitened:
                    mean = whitened_mean(job, k + i, j)
                else:
                    mean = job.means[(k + i) * d + j] - job.centre[j]
                out[i] = scale
                out[h + i] = -mean * scale
            out += 2 * h


cdef double whitened_mean(const Job *job, Py_ssize_t k, Py_ssize_t r) noexcept nogil:
    cdef Py_ssize_t j, d = job.d
    cdef double sum = 0.0
    for j in range(r + 1):
        sum += job.factors[j * d + r] * (job.means[k * d + j] - job.centre[j])
    return sum


cdef void pack_linear(Job *job) noexcept nogil:
    cdef Py_ssize_t k, j, i, h
    cdef double *out = job.packed
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for j in range(job.f):
            for i in range(h):
                out[i] = job.factors[(k + i) * job.f + j]
            out += h


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
    cdef Py_ssize_t k, s, r, h, v, d = job.d, size = triangle_size(d)
    cdef const double *factor
    cdef const double *strip
    cdef double *score
    cdef vd constant
    for k in range(job.K):
        constant = vset1(job.constants[k])
        for s in range(tile.capacity // STRIP):
            strip = tile.strips + s * STRIP * job.f
            score = tile.scores + k * tile.capacity + s * STRIP
            factor = job.packed + k * size
            for v in range(NV):
                vstore(score + v * VL, vset1(0.0))
            for r from 0 <= r < d by PANEL_ROWS:
                h = min(<Py_ssize_t> PANEL_ROWS, d - r)
                any_panel_product(
                    h, True, r + h, factor, job.bias + k * d + r, strip, score, 0
                )
                factor += h * (r + h)
            for v in range(NV):
                vstore(score + v * VL, constant - vload(score + v * VL))


cdef void whiten(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t s, r, h, d = job.d
    cdef const double *factor
    cdef double *zero_bias = [0.0, 0.0, 0.0, 0.0]
    for s in range(tile.capacity // STRIP):
        factor = job.whitening
        for r from 0 <= r < d by PANEL_ROWS:
            h = min(<Py_ssize_t> PANEL_ROWS, d - r)
            any_panel_product(
                h, False, r + h, factor, zero_bias, tile.strips + s * STRIP * job.f,
                tile.whitened + (s * job.f + r) * STRIP, STRIP,
            )
            factor += h * (r + h)


cdef void score_linear(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t k, s, h
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for s in range(tile.capacity // STRIP):
            any_panel_product(
                h, False, job.f, job.packed + k * job.f, job.constants + k,
                tile.strips + s * STRIP * job.f,
                tile.scores + k * tile.capacity + s * STRIP, tile.capacity,
            )


cdef inline void direct_panel(
    Py_ssize_t h,               # components in this panel, at most PANEL_ROWS; a constant
    Py_ssize_t d,
    const double *factor,       # IN (d, 2, h): scale, minus the scaled mean
    const double *constant,     # IN (h,)
    const double *strip,        # IN (d, STRIP)
    double *out,                # OUT (h, out_stride)
    Py_ssize_t out_stride,
) noexcept nogil:
    cdef vd acc[4][3]
    cdef vd x0, x1, x2, y, scale, shift
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
    cdef const double *factor
    cdef const double *strip
    cdef double *out
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


# --- From scores to responsibilities, log-density and labels --------------------------------

cdef void normalise(
    const Job *job, Tile *tile, const double *row_weight
) noexcept nogil:
    """Log-density of each row; scores become responsibilities times `row_weight`.

    The log-density of a row that lies beyond the range of doubles from every component is
    -inf, and the nearest component has the whole responsibility for it.
    """
    cdef Py_ssize_t i, k, K = job.K, stride = tile.capacity
    cdef vd best, sum, power, share, log_density
    for i from 0 <= i < tile.capacity by VL:
        best = best_score(tile.scores + i, K, stride)
        if vany_not_above(best, LOWEST):
            rescue_overflowed(job, tile, i)
            best = best_score(tile.scores + i, K, stride)
        sum = vset1(0.0)
        for k in range(K):
            power = exp2_negative(vload(tile.scores + k * stride + i) - best)
            vstore(tile.scores + k * stride + i, power)
            sum = sum + power
        log_density = best + log2_positive(sum)
        vstore(tile.density + i, vselect_gt(best, vset1(LOWEST), log_density, vset1(-INFINITY)))
        if row_weight != NULL:
            share = vload(row_weight + i) / sum
            for k in range(K):
                vstore(
                    tile.scores + k * stride + i, share * vload(tile.scores + k * stride + i)
                )


cdef inline vd best_score(
    const double *scores, Py_ssize_t K, Py_ssize_t stride
) noexcept nogil:
    cdef Py_ssize_t k
    cdef vd best = vset1(-INFINITY)
    for k in range(K):
        best = vmax(vload(scores + k * stride), best)
    return best


cdef double best_of_row(const Tile *tile, Py_ssize_t K, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef double best = -INFINITY
    for k in range(K):
        if tile.scores[k * tile.capacity + i] > best:
            best = tile.scores[k * tile.capacity + i]
    return best


cdef void rescue_overflowed(const Job *job, Tile *tile, Py_ssize_t first) noexcept nogil:
    """Find a component for each of the VL rows from `first` whose scores all overflowed."""
    cdef Py_ssize_t i
    for i in range(first, first + VL):
        if not (best_of_row(tile, job.K, i) > LOWEST):
            assign_to_nearest(job, tile, i)


cdef void assign_to_nearest(const Job *job, Tile *tile, Py_ssize_t i) noexcept nogil:
    """Give a row whose scores all overflowed to the component nearest by scaled distance."""
    cdef Py_ssize_t k, nearest = 0
    cdef double distance, least = INFINITY
    cdef double scale = row_scale(job, tile, i)
    for k in range(job.K):
        if job.constants[k] == -INFINITY:   # a component without weight attracts no row
            continue
        distance = scaled_log_distance(job, tile, i, k, scale)
        if distance < least:
            least = distance
            nearest = k
    for k in range(job.K):
        tile.scores[k * tile.capacity + i] = -DBL_MAX if k == nearest else -INFINITY


cdef inline double centred_value(
    const Job *job, const Tile *tile, Py_ssize_t i, Py_ssize_t j
) noexcept nogil:
    return tile.strips[((i // STRIP) * job.f + j) * STRIP + i % STRIP]


cdef double row_scale(const Job *job, const Tile *tile, Py_ssize_t i) noexcept nogil:
    """A scale that brings the row's largest coordinate to one."""
    cdef Py_ssize_t j
    cdef double largest = 1.0
    for j in range(job.d):
        largest = max(largest, fabs(centred_value(job, tile, i, j)))
    return 1.0 / min(largest, 1e308)


cdef double scaled_log_distance(
    const Job *job, const Tile *tile, Py_ssize_t i, Py_ssize_t k, double scale
) noexcept nogil:
    """log |scaled factor * scaled (x - mean)|^2, with the factor's own scale taken out too."""
    cdef Py_ssize_t r, d = job.d
    cdef double largest = 0.0, sum = 0.0, y
    for r in range(d):
        largest = max(largest, fabs(scaled_coordinate(job, tile, i, k, r, scale)))
    if not (largest > 0.0):
        return -INFINITY
    for r in range(d):
        y = scaled_coordinate(job, tile, i, k, r, scale) / largest
        sum += y * y
    return log(sum) + 2.0 * log(largest)


cdef double scaled_coordinate(
    const Job *job, const Tile *tile, Py_ssize_t i, Py_ssize_t k, Py_ssize_t r, double scale
) noexcept nogil:
    """Coordinate r of factor' (x - mean), with x - mean scaled."""
    cdef Py_ssize_t j, d = job.d
    cdef const double *factor
    cdef double sum = 0.0
    if job.estep == TRIANGULAR or job.whitening != NULL:
        factor = job.factors + k * job.factor_stride
        for j in range(r + 1):
            sum += factor[j * d + r] * scaled_difference(job, tile, i, k, j, scale)
        return sum
    if job.estep != DIRECT:
        return scaled_difference(job, tile, i, k, r, scale)
    return job.factors[k * d + r] * scaled_difference(job, tile, i, k, r, scale)


cdef inline double scaled_difference(
    const Job *job, const Tile *tile, Py_ssize_t i, Py_ssize_t k, Py_ssize_t j, double scale
) noexcept nogil:
    return (
        centred_value(job, tile, i, j) * scale
        - (job.means[k * job.d + j] - job.centre[j]) * scale
    )


cdef void pick_best(const Job *job, Tile *tile, double *label) noexcept nogil:
    """Index of each row's best score, the lowest of equals; without an exponential."""
    cdef Py_ssize_t i, k, stride = tile.capacity
    cdef vd best, index, score
    for i from 0 <= i < tile.capacity by VL:
        if vany_not_above(best_score(tile.scores + i, job.K, stride), LOWEST):
            rescue_overflowed(job, tile, i)
        best = vset1(-INFINITY)
        index = vset1(0.0)
        for k in range(job.K):
            score = vload(tile.scores + k * stride + i)
            index = vselect_gt(score, best, vset1(<double> k), index)
            best = vmax(score, best)
        vstore(label + i, index)


cdef void copy_responsibilities(const Job *job, Tile *tile) noexcept nogil:
    """Responsibilities that the caller gave, times the rows' weights."""
    cdef Py_ssize_t i, k
    memset(tile.scores, 0, job.K * tile.capacity * sizeof(double))
    for i in range(tile.n):
        for k in range(job.K):
            tile.scores[k * tile.capacity + i] = (
                tile.weight[i] * job.responsibilities[(tile.first + i) * job.K + k]
            )
