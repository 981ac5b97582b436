# Pieces of few rows: with many features nearly every row has a pattern of its own, for which a
# factor of what is observed, and a tile, would cost far more than the row.
#
# Here a row is completed with the precision P, whose block P_mm of the missing features is small:
# x_m = mean_m - inv(P_mm) P_mo (x_o - mean_o) is what is expected of them, inv(P_mm) is their
# covariance given the others, and |S_oo| = |P_mm| / |P|. The squared distance is that of the
# completed row. All of this loses as many digits as P has lost, so `precisions` are given only
# where these are few. Inner loops run along the features.

from libc.math cimport INFINITY, NAN, exp2, isnan, log, sqrt
from libc.string cimport memset

cdef enum:
    FEW_ROWS = 8        # rows that are completed together, and most of a piece that is summed so


def few_rows():
    """Most rows of a pattern that are summed one by one."""
    return <Py_ssize_t> FEW_ROWS


cdef inline bint has_few(const Incomplete *call, const Piece *piece) noexcept nogil:
    return (
        call.precisions != NULL and piece.n <= call.most_few and 0 < piece.g
        and piece.m <= piece.g
    )


cdef bint factorise_missing(const Incomplete *call, Piece *piece) noexcept nogil:
    """Cholesky factors of P_mm, and the constants of the scores; False if one is not definite."""
    cdef Py_ssize_t k, i, j, d = call.job.d, m = piece.m
    cdef bint shared = call.covariance_stride == 0
    cdef const double *precision
    cdef double *factor
    cdef double determinant
    for k in range(call.job.K):
        precision = call.precisions + k * call.covariance_stride
        factor = piece.missing_factors + (0 if shared else k * m * m)
        determinant = 0.0
        if call.diagonal:
            for i in range(m):
                determinant += 0.5 * log(precision[piece.missing[i]])
        elif k == 0 or not shared:
            for i in range(m):
                for j in range(i + 1):
                    factor[i * m + j] = precision[piece.missing[i] * d + piece.missing[j]]
            if not factorise_lower(factor, m):
                return False
        for i in range(0 if call.diagonal else m):
            determinant += log(factor[i * m + i])
        piece.constants[k] = call.log_weights[k] + (
            call.log_determinants[k] - determinant - piece.g * HALF_LOG_2PI
        ) / LN2
    return True


cdef bint factorise_lower(double *a, Py_ssize_t m) noexcept nogil:
    """L of a positive definite A = L L' in place of its lower triangle."""
    cdef Py_ssize_t i, j, r
    cdef double value
    for i in range(m):
        for j in range(i + 1):
            value = a[i * m + j]
            for r in range(j):
                value -= a[i * m + r] * a[j * m + r]
            if i > j:
                a[i * m + j] = value / a[j * m + j]
            elif value > 0.0:
                a[i * m + i] = sqrt(value)
            else:
                return False
    return True


cdef double complete_row(
    const Incomplete *call, Piece *piece, Py_ssize_t k, const real *row,
    double *deviation,          # OUT (d,) the completed row less the mean
) noexcept nogil:
    """Complete a row as component k expects it; returns the squared distance from the mean."""
    cdef Py_ssize_t i, j, p, d = call.job.d, m = piece.m
    cdef const double *mean = call.job.means + k * d
    cdef const double *precision = call.precisions + k * call.covariance_stride
    cdef const double *factor = piece.missing_factors + (
        0 if call.covariance_stride == 0 else k * m * m
    )
    cdef double *product = piece.work
    cdef double distance = 0.0, value
    for i in range(m):
        deviation[piece.missing[i]] = 0.0
    if call.diagonal:
        for j in range(piece.g):
            p = piece.observed[j]
            deviation[p] = <double> row[p] - mean[p]
            distance += deviation[p] * deviation[p] * precision[p]
        return distance
    memset(product, 0, d * sizeof(double))
    for j in range(piece.g):
        p = piece.observed[j]
        deviation[p] = <double> row[p] - mean[p]
        subtract_row(product, d, -deviation[p], precision + p * d)
    for j in range(piece.g):
        distance += deviation[piece.observed[j]] * product[piece.observed[j]]
    for i in range(m):
        value = -product[piece.missing[i]]
        for j in range(i):
            value -= factor[i * m + j] * deviation[piece.missing[j]]
        value /= factor[i * m + i]
        deviation[piece.missing[i]] = value
        distance -= value * value
    for i in range(m - 1, -1, -1):
        value = deviation[piece.missing[i]]
        for j in range(i + 1, m):
            value -= factor[j * m + i] * deviation[piece.missing[j]]
        deviation[piece.missing[i]] = value / factor[i * m + i]
    return max(distance, 0.0)


cdef bint score_row(
    const Incomplete *call, Piece *piece, Py_ssize_t row, Py_ssize_t i, double floor
) noexcept nogil:
    """Complete a row of a piece, as number i of those that are completed together; its
    responsibilities and log-density.

    False where a distance overflows: the tiles know what to do with such a row.
    """
    cdef Py_ssize_t k, K = call.job.K, d = call.job.d
    cdef double *score = piece.shares + i * K
    cdef double best = -INFINITY, total = 0.0, distance
    for k in range(K):
        if call.job.single_rows:
            distance = complete_row[float](
                call, piece, k, <const float *> call.job.rows + piece.order[row] * d,
                piece.deviations + (i * K + k) * d,
            )
        else:
            distance = complete_row[double](
                call, piece, k, <const double *> call.job.rows + piece.order[row] * d,
                piece.deviations + (i * K + k) * d,
            )
        if not distance < 1e300:
            return False
        score[k] = piece.constants[k] - 0.5 * distance / LN2
        best = max(best, score[k])
    for k in range(K):
        score[k] = exp2(score[k] - best) if score[k] - best > floor else 0.0
        total += score[k]
    for k in range(K):
        score[k] /= total
    piece.densities[i] = best + log(total) / LN2
    return True


cdef bint add_few(
    const Incomplete *call, Piece *piece, Completed *total
) noexcept nogil:
    """Add the sums of a piece of few rows; False, and nothing added, where that cannot be."""
    cdef Py_ssize_t i, k, p, K = call.job.K, d = call.job.d
    cdef bint shared = call.covariance_stride == 0
    cdef double share, weight, pooled = 0.0
    cdef double *second
    cdef const double *deviation
    if not factorise_missing(call, piece):
        return False
    for i in range(piece.n):
        if not score_row(call, piece, i, i, call.job.floor):
            return False
    for i in range(piece.n):
        if piece.sample_weight[i] > 0.0:
            total.log_likelihood[0] += piece.sample_weight[i] * piece.densities[i]
    for k in range(K):
        second = total.second + (0 if shared else k * (d if call.diagonal else d * d))
        weight = 0.0
        for i in range(piece.n):
            share = piece.sample_weight[i] * piece.shares[i * K + k]
            if share == 0.0:
                continue
            weight += share
            deviation = piece.deviations + (i * K + k) * d
            subtract_row(total.first + k * d, d, -share, deviation)
            for p in range(d):
                if call.diagonal:
                    second[p] += share * deviation[p] * deviation[p]
                else:
                    subtract_row(second + p * d, d, -share * deviation[p], deviation)
        total.weight[k] += weight
        pooled += weight
        if not shared and weight > 0.0:
            add_conditional(call, piece, k, weight, second)
    if shared and pooled > 0.0:
        add_conditional(call, piece, 0, pooled, total.second)
    return True


cdef void add_conditional(
    const Incomplete *call, Piece *piece, Py_ssize_t k, double weight, double *second
) noexcept nogil:
    """second += weight * inv(P_mm), the covariance of the missing features given the others."""
    cdef Py_ssize_t i, j, r, d = call.job.d, m = piece.m
    cdef const double *factor = piece.missing_factors + (
        0 if call.covariance_stride == 0 else k * m * m
    )
    cdef double *inverse = piece.work
    cdef double value
    if call.diagonal:
        for i in range(m):
            second[piece.missing[i]] += weight * call.covariances[k * d + piece.missing[i]]
        return
    # The columns of inv(L), each a row here.
    for j in range(m):
        for i in range(j, m):
            value = 1.0 if i == j else 0.0
            for r in range(j, i):
                value -= factor[i * m + r] * inverse[j * m + r]
            inverse[j * m + i] = value / factor[i * m + i]
    for i in range(m):
        for j in range(i + 1):
            value = 0.0
            for r in range(i, m):
                value += inverse[i * m + r] * inverse[j * m + r]
            second[piece.missing[i] * d + piece.missing[j]] += weight * value
            if i != j:
                second[piece.missing[j] * d + piece.missing[i]] += weight * value


cdef bint evaluate_few_rows(
    const Incomplete *call, Piece *piece,
    real *log_density, real *responsibilities, Py_ssize_t *labels, Py_ssize_t *n_far,
) noexcept nogil:
    """Score a piece row by row, but for `n_far` rows whose distances overflow, which are marked;
    False where that cannot be.
    """
    cdef Py_ssize_t i, k, K = call.job.K
    n_far[0] = 0
    if not factorise_missing(call, piece):
        return False
    for i in range(piece.n):
        if not score_row(call, piece, i, 0, lowest_exponent()):
            n_far[0] += 1
            mark_far(log_density, responsibilities, labels, i, K)
            continue
        if log_density != NULL:
            log_density[i] = <real> (piece.densities[0] * LN2)
        if responsibilities != NULL:
            for k in range(K):
                responsibilities[i * K + k] = <real> piece.shares[k]
        if labels != NULL:
            labels[i] = 0
            for k in range(K):
                if piece.shares[k] > piece.shares[labels[i]]:
                    labels[i] = k
    return True


cdef inline void mark_far(
    real *log_density, real *responsibilities, Py_ssize_t *labels, Py_ssize_t i, Py_ssize_t K
) noexcept nogil:
    """Write what is no result to a row of each output."""
    if log_density != NULL:
        log_density[i] = <real> NAN
    if responsibilities != NULL:
        responsibilities[i * K] = <real> NAN
    if labels != NULL:
        labels[i] = -1


cdef inline bint is_far(
    const real *log_density, const real *responsibilities, const Py_ssize_t *labels,
    Py_ssize_t i, Py_ssize_t K,
) noexcept nogil:
    """Whether a row has been marked."""
    if labels != NULL:
        return labels[i] < 0
    return isnan(log_density[i] if log_density != NULL else responsibilities[i * K])
