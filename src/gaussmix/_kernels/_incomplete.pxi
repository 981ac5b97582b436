# Rows with missing values, grouped by pattern: which of their features are observed.
#
# A piece is some rows of one pattern. Of their observed features they are complete rows of the
# marginal mixture, and go through the tiles as those do. The M-step wants sums over rows of which
# the missing features are completed in expectation; given the component, that is linear in the
# observed ones, so it is done once for a piece, to its sums.

cdef enum:
    FLAGS = 2048        # values whose absence is noted at a time

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


# --- Sums -----------------------------------------------------------------------------------

# A partial sum of rows completed in expectation, about the means: log-likelihood, (K,) weights,
# (K, d) first moments, and second moments (K or 1, d, d) or (K, d).
cdef struct Completed:
    double *log_likelihood
    double *weight
    double *first
    double *second


cdef Py_ssize_t completed_doubles(
    Py_ssize_t K, Py_ssize_t d, Py_ssize_t covariance_stride, bint diagonal
) noexcept nogil:
    """Doubles that `Completed` points to."""
    cdef Py_ssize_t second = d if diagonal else d * d
    return 1 + K + K * d + (K * second if covariance_stride else second)


cdef void add_piece(
    const Incomplete *call, Py_ssize_t number, void *memory, double *partial
) noexcept nogil:
    """Add the sums of a piece to a partial sum."""
    cdef Piece piece
    cdef Completed total
    cdef Sums sums
    lay_out_piece(call, memory, &piece)
    total.log_likelihood = partial
    total.weight = partial + 1
    total.first = total.weight + call.job.K
    total.second = total.first + call.job.K * call.job.d
    begin_piece(call, number, &piece)
    if piece.n <= FEW_ROWS and has_few(call, &piece) and add_few(call, &piece, &total):
        return
    if piece.g == 0:
        share_unobserved(call, &piece)
    else:
        take_marginal(call, &piece)
        memset(piece.sums, 0, sums_size(&piece.job) * sizeof(double))
        sum_piece(&piece, &sums)
        take_moments(&piece, &sums)
    complete_moments(call, &piece, &total)


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
        accumulate_tile(job, &tile, sums)
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


# --- Patterns -------------------------------------------------------------------------------

# Rows to be grouped. Each chunk finds its own patterns, then those of all chunks are brought
# together, and each chunk writes its rows where they belong.
cdef struct Grouping:
    const void *rows
    bint single
    Py_ssize_t n
    Py_ssize_t d
    Py_ssize_t words            # of 64 features each
    Py_ssize_t chunk_rows
    uint64_t *marks             # (n, words) a bit for each feature, set where it is missing
    Py_ssize_t *table           # (threads, table_size) scratch
    Py_ssize_t table_size       # a power of two, more than the rows of a chunk
    # Of row i: its pattern among those of its chunk. Of pattern p of the chunk that begins with
    # row c, at c + p: its first row, how many rows it has, and the place of the next in `order`.
    Py_ssize_t *pattern         # (n,)
    Py_ssize_t *first           # (n,)
    Py_ssize_t *count           # (n,)
    Py_ssize_t *place           # (n,)
    Py_ssize_t *found           # (chunks,) number of patterns
    Py_ssize_t *order           # (n,)


cdef void find_patterns(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    """The patterns of a chunk, counted in the order of their first rows."""
    cdef const Grouping *g = <const Grouping *> argument
    cdef Py_ssize_t begin = c * g.chunk_rows, end = min(begin + g.chunk_rows, g.n)
    cdef Py_ssize_t *table = g.table + thread * g.table_size
    cdef Py_ssize_t i, slot, found = 0
    if g.single:
        mark_missing(<const float *> g.rows, begin, end, g.d, g.words, g.marks)
    else:
        mark_missing(<const double *> g.rows, begin, end, g.d, g.words, g.marks)
    memset(table, 0xFF, g.table_size * sizeof(Py_ssize_t))
    for i in range(begin, end):
        slot = find_slot(g, table, g.table_size, g.first + begin, i)
        if table[slot] < 0:
            table[slot] = found
            g.first[begin + found] = i
            g.count[begin + found] = 0
            found += 1
        g.pattern[i] = table[slot]
        g.count[begin + table[slot]] += 1
    g.found[c] = found


cdef void mark_missing(
    const real *rows, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t d, Py_ssize_t words,
    uint64_t *marks,
) noexcept nogil:
    """A word for each 64 features of a row, with a bit for each that is missing."""
    cdef unsigned char flags[FLAGS + 8]
    cdef Py_ssize_t i, r, w, n, together = FLAGS // d if words == 1 else 1
    i = begin
    while i < end:
        n = min(together, end - i)
        for w in range(words):
            # Many short rows, or a piece of a long one.
            flag_missing(
                rows + i * d + 64 * w, n * d if words == 1 else min(d - 64 * w, <Py_ssize_t> 64),
                flags,
            )
            for r in range(n):
                marks[(i + r) * words + w] = packed_flags(
                    flags + r * d, min(d - 64 * w, <Py_ssize_t> 64)
                )
        i += n


cdef inline void flag_missing(
    const real *x, Py_ssize_t n, unsigned char *flags
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        flags[i] = x[i] != x[i]


cdef inline uint64_t packed_flags(const unsigned char *flags, Py_ssize_t n) noexcept nogil:
    """Up to 64 bytes, each 0 or 1, as bits; reads up to 7 bytes more."""
    cdef uint64_t eight, mark = 0
    cdef Py_ssize_t i, j
    for j from 0 <= j < n by 8:
        eight = 0
        for i in range(8):  # compilers know this as one load where bytes come lowest first
            eight |= (<uint64_t> flags[j + i]) << (8 * i)
        if n - j < 8:
            eight &= ((<uint64_t> 1) << (8 * (n - j))) - 1
        # A multiplication brings the lowest bit of byte i to bit 56 + i.
        mark |= ((eight * <uint64_t> 0x0102040810204080) >> 56) << j
    return mark


cdef inline bint same_marks(const Grouping *g, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    if g.words == 1:
        return g.marks[i] == g.marks[j]
    return memcmp(
        g.marks + i * g.words, g.marks + j * g.words, g.words * sizeof(uint64_t)
    ) == 0


cdef inline Py_ssize_t find_slot(
    const Grouping *g, const Py_ssize_t *table, Py_ssize_t size, const Py_ssize_t *first,
    Py_ssize_t i,
) noexcept nogil:
    """The slot of a table of pattern numbers with the pattern of row i, or where it may go."""
    cdef uint64_t hash = 0
    cdef Py_ssize_t w, slot
    for w in range(g.words):
        # Multiplication by 2^64 over the golden ratio spreads bits upwards, the shift downwards:
        # what differs may be a few high bits alone.
        hash = (hash ^ g.marks[i * g.words + w]) * <uint64_t> 0x9E3779B97F4A7C15
        hash ^= hash >> 32
    hash *= <uint64_t> 0x9E3779B97F4A7C15
    slot = <Py_ssize_t> (hash >> 32 & <uint64_t> (size - 1))
    while table[slot] >= 0 and not same_marks(g, first[table[slot]], i):
        slot = (slot + 1) & (size - 1)
    return slot


cdef Py_ssize_t join_patterns(
    Grouping *g,
    Py_ssize_t *table,          # (size,) all -1
    Py_ssize_t size,            # a power of two, more than there are patterns in all chunks
    Py_ssize_t *first,          # OUT (patterns,) the first row of each
    Py_ssize_t *starts,         # OUT (patterns + 1,) where each starts in `order`
) noexcept nogil:
    """Number the patterns of all rows in the order of their first rows, and give those of each
    chunk their places; returns how many there are.
    """
    cdef Py_ssize_t c, p, begin, slot, found = 0
    cdef Py_ssize_t n_chunks = (g.n + g.chunk_rows - 1) // g.chunk_rows
    starts[0] = 0
    for c in range(n_chunks):
        begin = c * g.chunk_rows
        for p in range(begin, begin + g.found[c]):
            slot = find_slot(g, table, size, first, g.first[p])
            if table[slot] < 0:
                table[slot] = found
                first[found] = g.first[p]
                found += 1
                starts[found] = 0
            g.place[p] = table[slot]
            starts[table[slot] + 1] += g.count[p]
    for p in range(found):
        starts[p + 1] += starts[p]
        table[p] = starts[p]
    for c in range(n_chunks):
        begin = c * g.chunk_rows
        for p in range(begin, begin + g.found[c]):
            slot = g.place[p]
            g.place[p] = table[slot]
            table[slot] += g.count[p]
    return found


cdef void place_rows(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    """Write the rows of a chunk where they belong."""
    cdef const Grouping *g = <const Grouping *> argument
    cdef Py_ssize_t begin = c * g.chunk_rows, end = min(begin + g.chunk_rows, g.n)
    cdef Py_ssize_t *place = g.place + begin
    cdef Py_ssize_t i
    for i in range(begin, end):
        g.order[place[g.pattern[i]]] = i
        place[g.pattern[i]] += 1
