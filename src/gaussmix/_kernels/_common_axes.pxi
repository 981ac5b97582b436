# Axes that several matrices share as nearly as they can.

cdef enum:
    MOST_TURNS = 20     # of one pair of axes before the next has its turn


cdef struct Roots:
    # R_k V' of the matrices A_k = R_k' R_k in coordinates of the axes V, transposed: row j of
    # matrix k is R_k times axis j, so that its square is the matrix's variance along the axis.
    double *rows                            # (K, d, d)
    double *logs                            # (K,) sums of the logarithms of these variances
    const double *weights                   # (K,)
    Py_ssize_t K, d
    bint by_volume                          # what is minimised, see `align_axes`


def align_axes(
    double[:, :, ::1] roots,                # INOUT (K, d, d), see `Roots`; turned with the axes
    double[:, ::1] axes,                    # INOUT (d, d) orthonormal rows
    const double[::1] weights,              # IN (K,) above zero
    bint by_volume,
    int most_sweeps,
    double tolerance,                       # least turn, in radians, that asks for another sweep
):
    """Turn axes until variances along them are as unequal as they can be; returns the sweeps.

    With v_kj the variance of matrix k along axis j, ``sum_k w_k sum_j log v_kj`` falls with every
    turn, or, `by_volume`, ``sum_k w_k (prod_j v_kj)^(1/d)``. Two axes at a time turn in their
    plane (Flury & Gautschi 1986): both criteria are concave in the variances, so their tangent is
    above them, and what the tangent asks for is an eigenvector of a matrix of two rows. It is
    factors of the matrices that turn, so that small variances keep their digits beside large ones.
    """
    cdef Roots call
    cdef double[::1] logs = numpy.empty(roots.shape[0])
    cdef double[:, ::1] squares = numpy.empty((3, roots.shape[0]))
    cdef int sweep = 0
    cdef double largest = 2.0 * tolerance
    call.rows, call.logs, call.weights = &roots[0, 0, 0], &logs[0], &weights[0]
    call.K, call.d, call.by_volume = roots.shape[0], roots.shape[1], by_volume
    with nogil:
        while sweep < most_sweeps and largest > tolerance:
            largest = sweep_axes(&call, &axes[0, 0], &squares[0, 0])
            sweep += 1
    return sweep


cdef double sweep_axes(const Roots *call, double *axes, double *squares) noexcept nogil:
    """Turn every pair of axes once; the largest turn."""
    cdef Py_ssize_t p, q, k, d = call.d
    cdef double angle, largest = 0.0
    cdef double *matrix
    sum_logarithms(call)
    for p in range(d - 1):
        for q in range(p + 1, d):
            angle = best_turn(call, p, q, squares)
            if angle == 0.0:
                continue
            largest = max(largest, fabs(angle))
            for k in range(call.K):
                matrix = call.rows + k * d * d
                rotate_rows(matrix + p * d, matrix + q * d, d, cos(angle), sin(angle))
                call.logs[k] += (
                    logarithm(dot(matrix + p * d, matrix + p * d, d)) - logarithm(squares[k])
                    + logarithm(dot(matrix + q * d, matrix + q * d, d))
                    - logarithm(squares[call.K + k])
                )
            rotate_rows(axes + p * d, axes + q * d, d, cos(angle), sin(angle))
    return largest


cdef inline double logarithm(double square) noexcept nogil:
    return log(max(square, DBL_MIN))


cdef void sum_logarithms(const Roots *call) noexcept nogil:
    cdef Py_ssize_t k, j, d = call.d
    cdef const double *row
    for k in range(call.K):
        call.logs[k] = 0.0
        for j in range(d):
            row = call.rows + (k * d + j) * d
            call.logs[k] += logarithm(dot(row, row, d))


cdef double best_turn(
    const Roots *call, Py_ssize_t p, Py_ssize_t q,
    double *squares,                        # OUT (3, K) workspace
) noexcept nogil:
    """The angle by which axis p turns towards q; zero where none is better."""
    cdef Py_ssize_t k, turn, K = call.K, d = call.d
    cdef const double *a
    cdef const double *b
    cdef double *along_p = squares
    cdef double *along_q = squares + K
    cdef double *between = squares + 2 * K
    cdef double angle = 0.0, before
    for k in range(K):
        a = call.rows + (k * d + p) * d
        b = call.rows + (k * d + q) * d
        along_p[k] = dot(a, a, d)
        along_q[k] = dot(b, b, d)
        between[k] = dot(a, b, d)
    for turn in range(MOST_TURNS):
        before = angle
        angle = turned(call, along_p, along_q, between, before)
        if fabs(angle - before) <= 1e-3 * fabs(angle):
            break
    if fabs(angle) <= DBL_EPSILON:
        return 0.0
    return angle


cdef double turned(
    const Roots *call, const double *along_p, const double *along_q, const double *between,
    double angle,
) noexcept nogil:
    """The angle at which the criterion's tangent at another angle is least."""
    cdef Py_ssize_t k
    cdef double c = cos(angle), s = sin(angle), x, y, volume, share, slope, total = 0.0
    cdef double first = 0.0, second = 0.0, mixed = 0.0
    for k in range(call.K):
        x = c * c * along_p[k] + 2.0 * c * s * between[k] + s * s * along_q[k]
        y = s * s * along_p[k] - 2.0 * c * s * between[k] + c * c * along_q[k]
        x = max(x, DBL_MIN)
        y = max(y, DBL_MIN)
        share = call.weights[k]
        if call.by_volume:
            volume = call.logs[k] - logarithm(along_p[k]) - logarithm(along_q[k])
            share *= exp((volume + log(x) + log(y)) / call.d)
        slope = share * (1.0 / x - 1.0 / y)
        first += slope * along_p[k]
        second += slope * along_q[k]
        mixed += slope * between[k]
        total += share
    # Where only rounding is left of the slope there is nothing to turn for.
    if fabs(mixed) <= DBL_EPSILON * total and angle == 0.0:
        return 0.0
    # The eigenvector of the smaller eigenvalue, of the two ways along it the one to the right.
    return 0.5 * atan2(-2.0 * mixed, second - first)
