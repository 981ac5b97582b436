# Rows with missing values completed in expectation, a piece at a time.
#
# The M-step wants sums over rows of which the missing features are completed in expectation; given
# the component, that is linear in the observed ones, so it is done once for a piece, to its sums.

from libc.math cimport exp2, isnan
from libc.string cimport memset

# A partial sum of rows completed in expectation, about the means: log-likelihood, (K,) weights,
# (K, d) first moments, and second moments (K or 1, d, d) or (K, d).
cdef struct Completed:
    double *log_likelihood
    double *weight
    double *first
    double *second


def completed_size(Py_ssize_t K, Py_ssize_t d, Py_ssize_t covariance_stride, bint diagonal):
    """Doubles in one partial sum over rows with missing values, see `accumulate_incomplete`."""
    return completed_doubles(K, d, covariance_stride, diagonal)


cdef Py_ssize_t completed_doubles(
    Py_ssize_t K, Py_ssize_t d, Py_ssize_t covariance_stride, bint diagonal
) noexcept nogil:
    """Doubles that `Completed` points to."""
    cdef Py_ssize_t second = d if diagonal else d * d
    return 1 + K + K * d + (K * second if covariance_stride else second)


cdef double sum_of_weights(const Incomplete *call) noexcept nogil:
    """One to rounding, unless a user has set weights that are none."""
    cdef Py_ssize_t k
    cdef double total = 0.0
    for k in range(call.job.K):
        total += exp2(call.log_weights[k])
    return total


cdef void share_unobserved(const Incomplete *call, Piece *piece) noexcept nogil:
    """Rows without any value belong to the components as their weights say."""
    cdef Py_ssize_t k, i
    cdef double total = 0.0, whole = sum_of_weights(call)
    for i in range(piece.n):
        total += piece.sample_weight[i]
    for k in range(call.job.K):
        piece.weight[k] = total * exp2(call.log_weights[k]) / whole
    piece.log_likelihood = 0.0


cdef void sum_piece(Piece *piece, Sums *sums) noexcept nogil:
    """The sums over the observed features, tile by tile."""
    cdef Py_ssize_t first = 0, i, g = piece.g
    cdef const Job *job = &piece.job
    cdef Tile tile
    cdef bint pooled = job.features == PLAIN and job.estep == LINEAR
    cdef bint unknown = pooled and isnan(piece.scatter[0])
    lay_out_tile(job, piece.tile, &tile)
    lay_out_sums(job, piece.sums, sums)
    if job.mstep == DOTS:
        memset(tile.lanes, 0, job.K * job.f * VL * sizeof(double))
    if unknown:
        memset(piece.scatter, 0, scatter_size(g) * sizeof(double))
    while first < piece.n:
        load_tile(job, first, min(job.tile_rows, piece.n - first), &tile)
        score_tile(job, &tile)
        normalise(job, &tile, tile.weight)
        add_tile(job, &tile, sums)
        if unknown:
            add_scatter(job, &tile, piece.scatter)
        first += job.tile_rows
    if job.mstep == DOTS:
        add_lanes(job, &tile, sums)


cdef void add_scatter(const Job *job, const Tile *tile, double *scatter) noexcept nogil:
    """Second moments of a tile's rows about the centre."""
    cdef Py_ssize_t p, q, s, v
    cdef const scalar *strip
    cdef vec x, total
    for p in range(job.d):
        for q in range(p + 1):
            total = vset1(0.0)
            for s in range(tile.capacity // STRIP):
                strip = tile.strips + s * STRIP * job.f
                for v in range(NV):
                    x = vload(strip + p * STRIP + v * VL) * vload(strip + q * STRIP + v * VL)
                    total = total + x * vload(tile.weight + s * STRIP + v * VL)
            scatter[0] += vsum(total)
            scatter += 1


cdef void take_moments(Piece *piece, Sums *sums) noexcept nogil:
    """The sums as moments of the observed features about the means; both triangles."""
    cdef Py_ssize_t k, j, g = piece.g
    cdef const Job *job = &piece.job
    piece.log_likelihood = sums.log_likelihood[0]
    for k in range(job.K):
        piece.weight[k] = sums.weight[k]
        for j in range(g):
            piece.first[k * g + j] = sums.first[k * sums.first_stride + j]
            if job.mstep == DOTS:
                piece.first[k * g + j] -= sums.weight[k] * (
                    piece.means[k * g + j] - piece.centre[j]
                )
    if job.mstep == SQUARES:
        move_squares_to_means(job, sums, piece.moments)
    elif job.mstep != DOTS:
        move_to_means(job, sums, piece.moments)
    elif job.features == PLAIN:
        take_pooled_moments(piece, sums)
    elif job.features == WITH_NORM:
        for k in range(job.K):
            take_norm_moment(piece, sums, k)
    else:
        for k in range(job.K):
            take_expanded_moments(piece, sums, k)


cdef void take_expanded_moments(Piece *piece, const Sums *sums, Py_ssize_t k) noexcept nogil:
    """Moments about the mean from those about the centre."""
    cdef Py_ssize_t p, q, g = piece.g
    cdef const double *first = sums.first + k * sums.first_stride
    cdef const double *product = first + g
    cdef const double *mean = piece.means + k * g
    cdef double *out = piece.moments + k * g * g
    cdef double move_p, move_q
    for p in range(g):
        move_p = mean[p] - piece.centre[p]
        for q in range(p + 1):
            move_q = mean[q] - piece.centre[q]
            out[p * g + q] = out[q * g + p] = (
                product[0] - move_p * first[q] - move_q * first[p]
                + sums.weight[k] * move_p * move_q
            )
            product += 1


cdef void take_norm_moment(Piece *piece, const Sums *sums, Py_ssize_t k) noexcept nogil:
    """Second moments of which only the sum over the features counts: all of it is the first's."""
    cdef Py_ssize_t p, g = piece.g
    cdef const double *first = sums.first + k * sums.first_stride
    cdef double value = first[g], move
    for p in range(g):
        move = piece.means[k * g + p] - piece.centre[p]
        value += (sums.weight[k] * move - 2.0 * first[p]) * move
        piece.moments[k * g + p] = 0.0
    piece.moments[k * g] = value


cdef void take_pooled_moments(Piece *piece, const Sums *sums) noexcept nogil:
    """Moments about the means of all components together; and the part of the log-likelihood that
    is the same for each, -1/2 trace(precision scatter).
    """
    cdef Py_ssize_t k, p, q, g = piece.g
    cdef const double *scatter = piece.scatter
    cdef const double *first
    cdef const double *mean
    cdef double move_p, move_q, value, trace = 0.0
    multiply_factor(piece.factors, g, piece.work)
    for p in range(g):
        for q in range(p + 1):
            value = scatter[0]
            scatter += 1
            trace += value * piece.work[p * g + q] * (1.0 if p == q else 2.0)
            for k in range(piece.job.K):
                first = sums.first + k * sums.first_stride
                mean = piece.means + k * g
                move_p = mean[p] - piece.centre[p]
                move_q = mean[q] - piece.centre[q]
                value += sums.weight[k] * move_p * move_q - move_p * first[q] - move_q * first[p]
            piece.moments[p * g + q] = piece.moments[q * g + p] = value
    piece.log_likelihood -= 0.5 * trace / LN2


cdef void complete_moments(
    const Incomplete *call, Piece *piece, Completed *total
) noexcept nogil:
    """Add the sums of a piece, with what is expected of the missing features, to the total."""
    cdef Py_ssize_t k, K = call.job.K, d = call.job.d, g = piece.g
    cdef bint shared = call.covariance_stride == 0
    cdef double weight = 0.0
    total.log_likelihood[0] += piece.log_likelihood
    for k in range(K):
        total.weight[k] += piece.weight[k]
        weight += piece.weight[k]
        if call.diagonal:
            complete_diagonal(call, piece, k, total.first + k * d, total.second + k * d)
            continue
        if k == 0 or not shared:
            regress(call, piece, k)
        complete_first(piece, piece.first + k * g, total.first + k * d)
        if not shared:
            complete_second(
                call, piece, piece.weight[k], piece.moments + k * g * g, total.second + k * d * d
            )
    if shared:
        complete_second(call, piece, weight, piece.moments, total.second)


cdef void complete_diagonal(
    const Incomplete *call, const Piece *piece, Py_ssize_t k, double *first, double *second
) noexcept nogil:
    cdef Py_ssize_t j, g = piece.g
    for j in range(g):
        first[piece.observed[j]] += piece.first[k * g + j]
        second[piece.observed[j]] += piece.moments[k * g + j]
    for j in range(piece.m):
        second[piece.missing[j]] += (
            piece.weight[k] * call.covariances[k * call.job.d + piece.missing[j]]
        )


cdef void regress(const Incomplete *call, Piece *piece, Py_ssize_t k) noexcept nogil:
    """Slopes B (m, g) of the missing features on the observed ones, and their covariance C (m, m)
    given those: with inv(S_gg) = U U' and V = S_mg U, B = V U' and C = S_mm - V V'.
    """
    cdef Py_ssize_t i, j, r, d = call.job.d, g = piece.g, m = piece.m
    cdef const double *covariance = call.covariances + k * call.covariance_stride
    cdef const double *factor = piece.factors + (0 if call.covariance_stride == 0 else k * g * g)
    cdef double *slopes = piece.work
    cdef double *conditional = slopes + d * d
    cdef double *whitened = conditional + d * d
    cdef const double *row
    cdef double value
    memset(whitened, 0, m * g * sizeof(double))
    memset(slopes, 0, m * g * sizeof(double))
    for i in range(m):
        row = covariance + piece.missing[i] * d
        for j in range(g):
            subtract_row(whitened + i * g + j, g - j, -row[piece.observed[j]], factor + j * g + j)
        for j in range(g):
            value = 0.0
            for r in range(j, g):
                value += whitened[i * g + r] * factor[j * g + r]
            slopes[i * g + j] = value
        for j in range(i + 1):
            value = row[piece.missing[j]]
            for r in range(g):
                value -= whitened[i * g + r] * whitened[j * g + r]
            conditional[i * m + j] = conditional[j * m + i] = value


cdef void complete_first(const Piece *piece, const double *moment, double *first) noexcept nogil:
    cdef Py_ssize_t i, j, g = piece.g
    cdef double value
    for j in range(g):
        first[piece.observed[j]] += moment[j]
    for i in range(piece.m):
        value = 0.0
        for j in range(g):
            value += piece.work[i * g + j] * moment[j]
        first[piece.missing[i]] += value


cdef void complete_second(
    const Incomplete *call, const Piece *piece, double weight, const double *moments,
    double *second,
) noexcept nogil:
    """second += [S, S B'; B S, B S B' + weight C] with S the moments of the observed features."""
    cdef Py_ssize_t i, j, r, d = call.job.d, g = piece.g, m = piece.m
    cdef const double *slopes = piece.work
    cdef const double *conditional = slopes + d * d
    cdef double *crossed = piece.work + 2 * d * d
    cdef double *row
    cdef double value
    for i in range(g):
        row = second + piece.observed[i] * d
        for j in range(g):
            row[piece.observed[j]] += moments[i * g + j]
    memset(crossed, 0, m * g * sizeof(double))
    for i in range(m):
        for j in range(g):
            subtract_row(crossed + i * g, g, -slopes[i * g + j], moments + j * g)
        for j in range(g):
            second[piece.missing[i] * d + piece.observed[j]] += crossed[i * g + j]
            second[piece.observed[j] * d + piece.missing[i]] += crossed[i * g + j]
    for i in range(m):
        for j in range(i + 1):
            value = weight * conditional[i * m + j]
            for r in range(g):
                value += crossed[i * g + r] * slopes[j * g + r]
            second[piece.missing[i] * d + piece.missing[j]] += value
            if i != j:
                second[piece.missing[j] * d + piece.missing[i]] += value
