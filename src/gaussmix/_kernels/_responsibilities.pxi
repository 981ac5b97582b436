# The E-step of one tile: from scores to log-density, responsibilities and labels.

from libc.float cimport DBL_MAX, FLT_MAX
from libc.math cimport INFINITY, fabs, log
from libc.stdint cimport uint64_t
from libc.string cimport memset


cdef inline scalar lowest() noexcept nogil:
    """A score not above this has overflowed."""
    return -3.4e38 if IS_SINGLE else -1.7e308


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
    if job.estep == TURNED:
        for j in range(d):
            sum += job.factors[j * d + r] * scaled_difference(job, tile, i, k, j, scale)
        return job.factors[d * d + k * d + r] * sum
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


# --- Written where they are asked for --------------------------------------------------------

cdef void evaluate_chunk(
    const Job *job,
    Py_ssize_t first,
    Py_ssize_t last,
    double *scratch,
    real *log_density,
    real *responsibilities,
    Py_ssize_t *labels,
    int *spoilt,               # set where a row is not finite
) noexcept nogil:
    cdef Py_ssize_t i
    cdef Tile tile
    lay_out_tile(job, scratch, &tile)
    while first < last:
        load_tile(job, first, min(job.tile_rows, last - first), &tile)
        if not is_finite(job, &tile):
            spoilt[0] = 1
        score_tile(job, &tile)
        if labels != NULL:
            pick_best(job, &tile, tile.weighted)
            for i in range(tile.n):
                labels[first + i] = <Py_ssize_t> tile.weighted[i]
        if log_density != NULL or responsibilities != NULL:
            normalise(job, &tile, tile.weight if responsibilities != NULL else NULL)
        if log_density != NULL:
            for i in range(tile.n):
                log_density[first + i] = <real> ((tile.density[i] + job.reference) * LN2)
        if responsibilities != NULL:
            write_responsibilities(job, &tile, responsibilities + first * job.K)
        first += job.tile_rows


cdef void write_responsibilities(const Job *job, const Tile *tile, real *out) noexcept nogil:
    """Responsibilities (n, K) from the tile's (K, capacity), by transposition where it can be."""
    cdef Py_ssize_t i, k, stride = tile.capacity, n = 0, m = 0
    if sizeof(real) == sizeof(scalar):
        n = tile.n - tile.n % VL
        m = job.K - job.K % VL
    for i from 0 <= i < n by VL:
        for k from 0 <= k < m by VL:
            write_block(
                tile.scores + k * stride + i, stride, <scalar *> out + i * job.K + k, job.K
            )
    for i in range(tile.n):
        for k in range(m if i < n else 0, job.K):
            out[i * job.K + k] = <real> tile.scores[k * stride + i]


cdef inline void write_block(
    const scalar *a, Py_ssize_t a_stride, scalar *out, Py_ssize_t out_stride
) noexcept nogil:
    cdef Py_ssize_t j
    cdef vec block[16]
    for j in range(VL):
        block[j] = vload(a + j * a_stride)
    transpose(VL, block)
    for j in range(VL):
        vstore(out + j * out_stride, block[j])
