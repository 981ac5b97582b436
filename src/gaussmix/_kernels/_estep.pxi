# The E-step of one tile: scores, then log-density, responsibilities or labels.
#
# A score is the logarithm, to base 2, of weight * density; precision factors arrive scaled so
# that half a squared Mahalanobis distance comes out in bits.  The logarithm and the power of
# two then need no multiplication to reduce their arguments.

# sqrt(log2(e) / 2): |FACTOR_SCALE * U'(x - mean)|^2 is half the squared distance in bits.
cdef double FACTOR_SCALE = 0.84932180028801904272


cdef inline vec exp2_above(vec x, scalar floor) noexcept nogil:
    """2^x for floor < x <= 0; zero at and below `floor`, and for NaN.

    `floor` is at least `lowest_exponent`, below which the result would be subnormal.
    """
    cdef vec t = x + ROUND_MAGIC
    cdef vec r = x - (t - ROUND_MAGIC)
    return vselect_gt(x, vset1(floor), vscale2(exp2_reduced(r), t), vset1(0.0))


cdef inline scalar lowest_exponent() noexcept nogil:
    return -125.0 if IS_SINGLE else -1021.0


# Polynomials of 2^r on [-1/2, 1/2], fitted at Chebyshev nodes in 60 digits: degree 6 with relative
# error 3e-9 for single precision, degree 11 with 4e-18 for double.
cdef inline vec exp2_reduced(vec r) noexcept nogil:
    cdef vec p
    if IS_SINGLE:
        p = vset1(0.000154614447)
        p = p * r + vset1(0.001340042818)
        p = p * r + vset1(0.009618056679)
        p = p * r + vset1(0.05550327227)
        p = p * r + vset1(0.2402265092)
        p = p * r + vset1(0.6931472067)
    else:
        p = vset1(4.4558179083360645e-10)
        p = p * r + vset1(7.074194297288521e-09)
        p = p * r + vset1(1.0178057087733941e-07)
        p = p * r + vset1(1.3215432535912375e-06)
        p = p * r + vset1(1.5252733841556773e-05)
        p = p * r + vset1(0.00015403530463724353)
        p = p * r + vset1(0.001333355814640647)
        p = p * r + vset1(0.009618129107587256)
        p = p * r + vset1(0.055504108664821625)
        p = p * r + vset1(0.24022650695910158)
        p = p * r + vset1(0.6931471805599453)
    return p * r + vset1(1.0)


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


# --- Packing: factors in the order in which the products read them --------------------------

cdef void pack_constants(Job *job, const double *constants) noexcept nogil:
    """Constants less the largest of them, so that in single precision what is common to all
    scores costs no digits; distances have no use for that.
    """
    cdef Py_ssize_t k
    job.reference = 0.0
    if IS_SINGLE and (job.estep == TRIANGULAR or job.estep == DIRECT or job.estep == LINEAR):
        job.reference = -INFINITY
        for k in range(job.K):
            job.reference = max(job.reference, constants[k])
    for k in range(job.K):
        job.constants[k] = <scalar> (constants[k] - job.reference)


cdef Py_ssize_t triangle_size(Py_ssize_t d) noexcept nogil:
    """Scalars in the packed upper triangle of one (d, d) factor."""
    cdef Py_ssize_t r, h, size = 0
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        size += h * (r + h)
    return size


cdef void pack_triangle(
    const double *factor, Py_ssize_t d, double scale, scalar *packed
) noexcept nogil:
    """Column panels of the upper triangle: for outputs r..r+h the inputs 0..r+h."""
    cdef Py_ssize_t r, h, i, j
    for r from 0 <= r < d by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, d - r)
        for j in range(r + h):
            for i in range(h):
                packed[0] = <scalar> (factor[j * d + r + i] * scale) if j <= r + i else 0.0
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
            job.bias[k * d + r] = <scalar> (-sum * FACTOR_SCALE)


cdef void pack_direct(Job *job) noexcept nogil:
    """Scale and scaled mean of each feature, for PANEL_ROWS components at a time."""
    cdef Py_ssize_t k, j, i, h, d = job.d
    cdef bint whitened = job.whitening != NULL
    cdef bint scaled = job.factors != NULL and not whitened
    cdef double scale, mean, unit = 1.0 if job.estep == DISTANCES else FACTOR_SCALE
    cdef scalar *out = job.packed
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
                out[i] = <scalar> scale
                out[h + i] = <scalar> (-mean * scale)
            out += 2 * h


cdef double whitened_mean(const Job *job, Py_ssize_t k, Py_ssize_t r) noexcept nogil:
    cdef Py_ssize_t j, d = job.d
    cdef double sum = 0.0
    for j in range(r + 1):
        sum += job.factors[j * d + r] * (job.means[k * d + j] - job.centre[j])
    return sum


cdef void pack_linear(Job *job) noexcept nogil:
    cdef Py_ssize_t k, j, i, h
    cdef scalar *out = job.packed
    for k from 0 <= k < job.K by PANEL_ROWS:
        h = min(<Py_ssize_t> PANEL_ROWS, job.K - k)
        for j in range(job.f):
            for i in range(h):
                out[i] = <scalar> job.factors[(k + i) * job.f + j]
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
    cdef Py_ssize_t s, r, h, d = job.d
    cdef const scalar *factor
    cdef scalar *zero_bias = [0.0, 0.0, 0.0, 0.0]
    for s in range(tile.capacity // STRIP):
        factor = job.whitening
        for r from 0 <= r < d by PANEL_ROWS:
            h = min(<Py_ssize_t> PANEL_ROWS, d - r)
            store_any_panel(
                h, r + h, factor, zero_bias, tile.strips + s * STRIP * job.f,
                tile.whitened + (s * job.f + r) * STRIP, STRIP,
            )
            factor += h * (r + h)


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


# --- From scores to responsibilities, log-density and labels --------------------------------

cdef void normalise(
    const Job *job, Tile *tile, const scalar *row_weight
) noexcept nogil:
    """Log-density of each row; scores become responsibilities times `row_weight`.

    The log-density of a row that lies beyond the range of scalars from every component is
    -inf, and the nearest component has the whole responsibility for it.
    """
    cdef Py_ssize_t s
    memset(tile.active, 0, job.K * sizeof(uint64_t))
    # One kind of work at a time: the steps for one row wait for each other, those of many do not.
    for s in range(tile.capacity // STRIP):
        exponentiate(job, tile, s)
    for s in range(tile.capacity // STRIP):
        take_logarithm(tile, s, row_weight)
    if row_weight != NULL:
        for s in range(tile.capacity // STRIP):
            apportion(job, tile, s)


cdef void exponentiate(const Job *job, Tile *tile, Py_ssize_t s) noexcept nogil:
    """2^(score - best) in place of the scores, and their sums in place of the log-density."""
    cdef Py_ssize_t v, k
    cdef scalar *score = tile.scores + s * STRIP
    cdef uint64_t bit = (<uint64_t> 1) << s
    cdef scalar lowest_share = job.floor
    cdef vec floor = vset1(lowest_share)
    cdef vec best[3]
    cdef vec total[3]
    cdef vec x[3]
    find_best(job, tile, s, best)
    for v in range(NV):
        total[v] = vset1(0.0)
    for k in range(job.K):
        for v in range(NV):
            x[v] = vload(score + v * VL) - best[v]
        if vany_gt(x[0], floor) or vany_gt(x[1], floor) or vany_gt(x[2], floor):
            tile.active[k] |= bit
            for v in range(NV):
                x[v] = exp2_above(x[v], lowest_share)
                vstore(score + v * VL, x[v])
                total[v] = total[v] + x[v]
        else:
            for v in range(NV):
                vstore(score + v * VL, vset1(0.0))
        score += tile.capacity
    for v in range(NV):
        vstore(tile.best + s * STRIP + v * VL, best[v])
        vstore(tile.density + s * STRIP + v * VL, total[v])


cdef void take_logarithm(Tile *tile, Py_ssize_t s, const scalar *row_weight) noexcept nogil:
    """Log-density from best score and sum, and the rows' weights over the sums in place of the
    best scores.
    """
    cdef Py_ssize_t i
    cdef vec best, total, log_density
    for i from s * STRIP <= i < (s + 1) * STRIP by VL:
        best = vload(tile.best + i)
        total = vload(tile.density + i)
        log_density = best + log2_positive(total)
        vstore(
            tile.density + i,
            vselect_gt(best, vset1(lowest()), log_density, vset1(-INFINITY)),
        )
        if row_weight != NULL:
            vstore(tile.best + i, vload(row_weight + i) * vreciprocal(total))


cdef void apportion(const Job *job, Tile *tile, Py_ssize_t s) noexcept nogil:
    """Each row's weight among the components that have a share in it."""
    cdef Py_ssize_t v, k
    cdef scalar *score = tile.scores + s * STRIP
    cdef uint64_t bit = (<uint64_t> 1) << s
    cdef vec unit[3]
    for v in range(NV):
        unit[v] = vload(tile.best + s * STRIP + v * VL)
    for k in range(job.K):
        if tile.active[k] & bit:
            for v in range(NV):
                vstore(score + v * VL, unit[v] * vload(score + v * VL))
        score += tile.capacity


cdef inline void find_best(
    const Job *job, Tile *tile, Py_ssize_t s, vec *best    # OUT (NV,)
) noexcept nogil:
    """The best score of each row of a strip, after a rescue of those that have none."""
    cdef Py_ssize_t v
    cdef vec low = vset1(lowest())
    best_scores(job, tile, s, best)
    for v in range(NV):
        if not vall_gt(best[v], low):
            rescue_overflowed(job, tile, s * STRIP + v * VL)
            best_scores(job, tile, s, best)


cdef inline void best_scores(
    const Job *job, const Tile *tile, Py_ssize_t s, vec *best
) noexcept nogil:
    cdef Py_ssize_t k, v
    cdef const scalar *score = tile.scores + s * STRIP
    for v in range(NV):
        best[v] = vset1(-INFINITY)
    for k in range(job.K):
        for v in range(NV):
            best[v] = vmax(vload(score + k * tile.capacity + v * VL), best[v])


cdef scalar best_of_row(const Tile *tile, Py_ssize_t K, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t k
    cdef scalar best = -INFINITY
    for k in range(K):
        if tile.scores[k * tile.capacity + i] > best:
            best = tile.scores[k * tile.capacity + i]
    return best


cdef void rescue_overflowed(const Job *job, Tile *tile, Py_ssize_t first) noexcept nogil:
    """Find a component for each of the VL rows from `first` whose scores all overflowed."""
    cdef Py_ssize_t i
    for i in range(first, first + VL):
        if not (best_of_row(tile, job.K, i) > lowest()):
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
        tile.scores[k * tile.capacity + i] = -INFINITY
    tile.scores[nearest * tile.capacity + i] = -FLT_MAX if IS_SINGLE else -DBL_MAX


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


cdef void pick_best(const Job *job, Tile *tile, scalar *label) noexcept nogil:
    """Index of each row's best score, the lowest of equals; without an exponential."""
    cdef Py_ssize_t s, v, k
    cdef const scalar *scores
    cdef vec found[3]
    cdef vec best, index, score
    for s in range(tile.capacity // STRIP):
        find_best(job, tile, s, found)
        for v in range(NV):
            scores = tile.scores + s * STRIP + v * VL
            best = vset1(-INFINITY)
            index = vset1(0.0)
            for k in range(job.K):
                score = vload(scores + k * tile.capacity)
                index = vselect_gt(score, best, vset1(<scalar> k), index)
                best = vmax(score, best)
            vstore(label + s * STRIP + v * VL, index)


cdef void copy_responsibilities(const Job *job, Tile *tile) noexcept nogil:
    """Responsibilities that the caller gave, times the rows' weights."""
    cdef Py_ssize_t i, k
    memset(tile.scores, 0, job.K * tile.capacity * sizeof(scalar))
    memset(tile.active, 0xFF, job.K * sizeof(uint64_t))
    for i in range(tile.n):
        for k in range(job.K):
            tile.scores[k * tile.capacity + i] = (
                tile.weight[i] * <scalar> job.responsibilities[(tile.first + i) * job.K + k]
            )
