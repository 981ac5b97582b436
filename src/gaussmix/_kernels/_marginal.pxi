# The marginal mixture of the features that rows of one pattern have.
#
# A piece is some rows of one pattern. Of their observed features they are complete rows of the
# marginal mixture, and go through the tiles as those do.

from libc.math cimport NAN, log, sqrt
from libc.string cimport memset

cdef double HALF_LOG_2PI = 0.91893853320467274178

cdef struct Incomplete:
    Job job                     # of all features; tile_rows, K, d and the kinds of steps
    const Py_ssize_t *order     # rows, those of a pattern beside each other
    const Py_ssize_t *columns   # (patterns, d): the observed features, then the missing ones
    const Py_ssize_t *n_observed    # (patterns,)
    const Py_ssize_t *pieces    # (pieces, 4): pattern, where in `order` it begins and ends, slot
    Py_ssize_t piece_rows       # most rows of a piece
    const double *covariances   # (K or 1, d, d), or variances (K, d)
    Py_ssize_t covariance_stride    # doubles from one component's to the next; 0 if shared
    bint diagonal
    const double *log_weights   # (K,) in bits
    const double *precisions    # as the covariances, or NULL where they have lost too many digits
    const double *log_determinants  # (K,) half the logarithm of those of the precisions
    Py_ssize_t most_few         # rows up to which a piece is completed row by row
    # Second moments about the centre, LINEAR with PLAIN, in the slots of the pieces that have one
    # (the others have -1): (slots, scatter_size), beginning with NaN where not known yet; or NULL.
    double *scatters


# What a piece is computed from, in the memory of one thread. Features are counted g observed, m
# missing.
cdef struct Piece:
    Py_ssize_t n, g, m
    const Py_ssize_t *order     # its rows
    const Py_ssize_t *observed  # (g,)
    const Py_ssize_t *missing   # (m,)
    Job job                     # of the marginal mixture
    double *sample_weight       # (n,)
    double *centre              # (g,)
    double *means               # (K, g)
    double *factors             # (K or 1, g, g), or scales (K, g)
    double *coefficients        # LINEAR: (K, features)
    double *constants           # (K,)
    scalar *packed
    double *sums
    double log_likelihood       # in bits
    double *weight              # (K,)
    double *first               # (K, g) first moments about the means
    double *moments             # (K or 1, g, g) or (K, g): second moments about the means
    double *scatter             # a slot of `Incomplete.scatters`, or scratch
    double *work                # 3 (d, d)
    double *tile
    double *missing_factors     # of few rows: (K or 1, m, m)
    double *deviations          # (FEW_ROWS, K, d) the completed rows less the means
    double *shares              # (FEW_ROWS, K) responsibilities
    double *densities           # (FEW_ROWS,) log-densities in bits


cdef inline Py_ssize_t scatter_size(Py_ssize_t d) noexcept nogil:
    """Doubles of a symmetric matrix: of each row up to the diagonal, one row after the other."""
    return d * (d + 1) // 2


cdef Py_ssize_t lay_out_piece(const Incomplete *call, void *memory, Piece *piece) noexcept nogil:
    """Divide a thread's memory among the parts of its piece; returns the bytes they need."""
    cdef Scratch scratch
    cdef Tile tile
    cdef Py_ssize_t K = call.job.K, d = call.job.d, double_size = sizeof(double)
    cdef Py_ssize_t square = d if call.diagonal else d * d
    cdef Py_ssize_t n = call.piece_rows
    scratch.start = <char *> aligned(memory) if memory != NULL else NULL
    scratch.used = 0
    piece.sample_weight = <double *> take(&scratch, n * double_size)
    piece.centre = <double *> take(&scratch, d * double_size)
    piece.means = <double *> take(&scratch, K * d * double_size)
    piece.factors = <double *> take(&scratch, K * square * double_size)
    piece.coefficients = <double *> take(&scratch, K * call.job.f * double_size)
    piece.constants = <double *> take(&scratch, K * double_size)
    piece.packed = <scalar *> take(&scratch, packed_size(&call.job) * double_size)
    piece.sums = <double *> take(&scratch, sums_size(&call.job) * double_size)
    piece.weight = <double *> take(&scratch, K * double_size)
    piece.first = <double *> take(&scratch, K * d * double_size)
    piece.moments = <double *> take(&scratch, K * square * double_size)
    piece.scatter = <double *> take(&scratch, scatter_size(d) * double_size)
    piece.work = <double *> take(&scratch, 3 * d * d * double_size)
    piece.tile = <double *> take(&scratch, lay_out_tile(&call.job, NULL, &tile))
    if call.precisions != NULL:
        piece.missing_factors = <double *> take(&scratch, K * square * double_size)
        piece.deviations = <double *> take(&scratch, FEW_ROWS * K * d * double_size)
        piece.shares = <double *> take(&scratch, FEW_ROWS * K * double_size)
        piece.densities = <double *> take(&scratch, FEW_ROWS * double_size)
    return scratch.used + 64


cdef void begin_piece(const Incomplete *call, Py_ssize_t number, Piece *piece) noexcept nogil:
    """Which rows a piece has, and which features."""
    cdef const Py_ssize_t *entry = call.pieces + 4 * number
    cdef Py_ssize_t i, d = call.job.d
    piece.order = call.order + entry[1]
    piece.n = entry[2] - entry[1]
    piece.g = call.n_observed[entry[0]]
    piece.m = d - piece.g
    piece.observed = call.columns + entry[0] * d
    piece.missing = piece.observed + piece.g
    if call.scatters != NULL and entry[3] >= 0:
        piece.scatter = call.scatters + entry[3] * scatter_size(d)
    else:
        piece.scatter[0] = NAN
    for i in range(piece.n):
        piece.sample_weight[i] = (
            1.0 if call.job.sample_weight == NULL else call.job.sample_weight[piece.order[i]]
        )


cdef void take_marginal(const Incomplete *call, Piece *piece) noexcept nogil:
    """Take the marginal mixture of the observed features of a piece."""
    cdef Py_ssize_t j, k, d = call.job.d
    for j in range(piece.g):
        piece.centre[j] = call.job.centre[piece.observed[j]]
        for k in range(call.job.K):
            piece.means[k * piece.g + j] = call.job.means[k * d + piece.observed[j]]
    factorise_marginal(call, piece)
    prepare_piece(call, piece)


cdef void factorise_marginal(const Incomplete *call, Piece *piece) noexcept nogil:
    """Factors of the precisions of the observed features, and the constants of the scores."""
    cdef Py_ssize_t k, i, j, d = call.job.d, g = piece.g
    cdef bint shared = call.covariance_stride == 0
    cdef double *factor
    cdef const double *covariance
    cdef double sum
    for k in range(call.job.K):
        factor = piece.factors + (0 if shared else k * (g if call.diagonal else g * g))
        covariance = call.covariances + k * call.covariance_stride
        if call.diagonal:
            for j in range(g):
                factor[j] = 1.0 / sqrt(covariance[piece.observed[j]])
        elif k == 0 or not shared:
            for i in range(g):
                for j in range(g):
                    factor[i * g + j] = covariance[piece.observed[i] * d + piece.observed[j]]
            if not invert_factor(factor, g):
                memset(factor, 0, g * g * sizeof(double))
        sum = 0.0
        for j in range(g):
            sum += log(factor[j if call.diagonal else j * g + j])
        piece.constants[k] = call.log_weights[k] + (sum - g * HALF_LOG_2PI) / LN2


cdef void prepare_piece(const Incomplete *call, Piece *piece) noexcept nogil:
    """The job of the marginal mixture, as `prepare` makes that of the complete one."""
    cdef Job *job = &piece.job
    cdef Py_ssize_t g = piece.g
    job[0] = call.job
    job.d = g
    job.f = n_features(job.features, g)
    job.f_padded = round_up(job.f, VL)
    job.order = piece.order
    job.columns = piece.observed
    job.row_values = call.job.d
    job.n_rows = call.job.n
    job.n = piece.n
    job.sample_weight = piece.sample_weight
    job.centre = piece.centre
    job.means = piece.means
    job.factors = piece.factors
    job.factor_stride = 0 if call.covariance_stride == 0 else (g if call.diagonal else g * g)
    if job.estep == LINEAR:
        expand_marginal(call, piece)
        job.factors = piece.coefficients
        job.factor_stride = job.f
    pack(job, piece.packed, piece.constants)


cdef void expand_marginal(const Incomplete *call, Piece *piece) noexcept nogil:
    """Coefficients of the features, and constants less what the square has at the centre."""
    cdef Py_ssize_t k, p, q, g = piece.g, width = piece.job.f
    cdef bint shared = call.covariance_stride == 0
    cdef double *precision = piece.work
    cdef double *out
    cdef double distance, move
    for k in range(call.job.K):
        out = piece.coefficients + k * width
        if call.diagonal:
            piece.constants[k] -= expand_sphere(piece, k, out)
            continue
        if k == 0 or not shared:
            multiply_factor(piece.factors + (0 if shared else k * g * g), g, precision)
        distance = 0.0
        for p in range(g):
            out[p] = 0.0
            for q in range(g):
                move = piece.means[k * g + q] - piece.centre[q]
                out[p] += precision[p * g + q] * move
            distance += out[p] * (piece.means[k * g + p] - piece.centre[p])
            out[p] /= LN2
        piece.constants[k] -= 0.5 * distance / LN2
        if piece.job.features == WITH_PRODUCTS:
            out += g
            for p in range(g):
                for q in range(p + 1):
                    out[0] = precision[p * g + q] / LN2 * (-0.5 if p == q else -1.0)
                    out += 1


cdef double expand_sphere(const Piece *piece, Py_ssize_t k, double *out) noexcept nogil:
    """Coefficients of x and |x|^2; returns what the constant loses, in bits."""
    cdef Py_ssize_t p, g = piece.g
    cdef double scale = piece.factors[k * g], precision = scale * scale / LN2
    cdef double distance = 0.0, move
    for p in range(g):
        move = piece.means[k * g + p] - piece.centre[p]
        out[p] = precision * move
        distance += out[p] * move
    out[g] = -0.5 * precision
    return 0.5 * distance


cdef void multiply_factor(const double *factor, Py_ssize_t g, double *out) noexcept nogil:
    """U U' of an upper triangular (g, g)."""
    cdef Py_ssize_t p, q, r
    cdef double sum
    for p in range(g):
        for q in range(p + 1):
            sum = 0.0
            for r in range(p, g):
                sum += factor[p * g + r] * factor[q * g + r]
            out[p * g + q] = out[q * g + p] = sum
