"""The kernels over rows with missing values, grouped by pattern: which of their features are
observed.

Compiled for each instruction set in double precision; as in `_em.pyx` nobody checks arguments.  A
piece is some rows of one pattern, and piece p belongs to partial sum p modulo the number of
partial sums, as a chunk of complete rows does.
"""

from libc.math cimport exp2

from gaussmix._kernels._threads cimport parallel_for

include "_simd.pxi"
include "_real.pxi"
include "_job.pxi"
include "_tile.pxi"
include "_packing.pxi"
include "_scores.pxi"
include "_responsibilities.pxi"
include "_sums.pxi"
include "_factor.pxi"
include "_marginal.pxi"
include "_completion.pxi"
include "_row_by_row.pxi"


cdef class IncompleteJob:
    """A mixture, and how rows are grouped by pattern, for the functions below."""
    cdef Incomplete call
    cdef object arrays                      # what the call points to

    def __cinit__(
        self,
        const Py_ssize_t[::1] order,        # (n,) as of `group_patterns`
        const Py_ssize_t[:, ::1] columns,   # (patterns, d): those observed, then those missing
        const Py_ssize_t[::1] n_observed,   # (patterns,)
        const Py_ssize_t[:, ::1] pieces,    # (pieces, 4): pattern, begin and end in `order`, slot
        Py_ssize_t piece_rows,              # most rows of a piece
        int estep,
        int mstep,
        int features,
        const double[::1] centre,           # (d,)
        const double[:, ::1] means,         # (K, d)
        const double[::1] covariances,      # (K, d, d) or (d, d), or variances (K, d)
        Py_ssize_t covariance_stride,       # 0 if shared
        bint diagonal,
        const double[::1] log_weights,      # (K,) in bits
        const double[::1] precisions,       # as the covariances, or None to use none
        const double[::1] log_determinants,     # (K,) half the logarithms of the precisions'
        Py_ssize_t most_few,                # rows up to which a pattern is completed row by row
        double floor,                       # bits below a row's best where shares count as zero
        Py_ssize_t tile_rows,
    ):
        cdef Job *job = &self.call.job
        describe(job, estep, mstep, features, centre, means, tile_rows)
        job.floor = <scalar> max(floor, <double> lowest_exponent())
        self.call.order = &order[0]
        self.call.columns = &columns[0, 0]
        self.call.n_observed = &n_observed[0]
        self.call.pieces = &pieces[0, 0]
        self.call.piece_rows = piece_rows
        self.call.covariances = &covariances[0]
        self.call.covariance_stride = covariance_stride
        self.call.diagonal = diagonal
        self.call.log_weights = &log_weights[0]
        self.call.precisions = NULL
        if precisions is not None:
            self.call.precisions = &precisions[0]
        self.call.log_determinants = &log_determinants[0]
        self.call.most_few = most_few
        self.arrays = (
            order, columns, n_observed, pieces, centre, means, covariances, log_weights,
            precisions, log_determinants,
        )

    def thread_doubles(self):
        """Doubles of scratch for one thread, with a page between two threads' parts."""
        cdef Piece piece
        return round_up(lay_out_piece(&self.call, NULL, &piece), 64) // 8 + 512


# --- Accumulating statistics ----------------------------------------------------------------

cdef struct Completing:
    Incomplete call
    Py_ssize_t begin, end
    double *scratch
    Py_ssize_t scratch_stride
    double *partials
    Py_ssize_t n_partials
    Py_ssize_t partial_stride


def accumulate_incomplete(
    const real[:, ::1] X,                   # IN (n, d)
    const double[::1] sample_weight,        # IN (n,) or None
    IncompleteJob prepared,                 # IN
    double[:, ::1] scatters,                # INOUT (slots, d (d + 1) / 2) or None
    Py_ssize_t begin,                       # pieces begin..end
    Py_ssize_t end,
    double[:, ::1] partials,                # INOUT (n_partials, partial_size)
    double[:, ::1] scratch,                 # (n_threads, thread_doubles)
):
    """Add sums over the rows, completed in expectation, to the partial sums: log-likelihood in
    bits, (K,) weights, and moments about the means, (K, d) and (K, d, d), (d, d) or (K, d).

    Where one covariance is shared and features are linear, pieces need second moments about the
    centre, the same for any parameters. `scatters` keeps them for the next call, for pieces that
    have a slot; NaN stands where they are not known yet.
    """
    cdef Completing completing
    completing.call = prepared.call
    completing.call.scatters = NULL
    if scatters is not None:
        completing.call.scatters = &scatters[0, 0]
    completing.begin = begin
    completing.end = end
    attach(&completing.call.job, &X[0, 0], X.shape[0], real is float, sample_weight)
    completing.scratch = &scratch[0, 0]
    completing.scratch_stride = scratch.shape[1]
    completing.partials = &partials[0, 0]
    completing.n_partials = partials.shape[0]
    completing.partial_stride = partials.shape[1]
    parallel_for(add_pieces, &completing, completing.n_partials, <int> scratch.shape[0])


cdef void add_pieces(const void *argument, Py_ssize_t p, int thread) noexcept nogil:
    """Add to partial sum p the pieces that belong to it."""
    cdef const Completing *completing = <const Completing *> argument
    cdef Py_ssize_t step = completing.n_partials, begin = completing.begin
    cdef Py_ssize_t number
    for number from begin + (p - begin % step + step) % step <= number < completing.end by step:
        add_piece(
            &completing.call, number, completing.scratch + thread * completing.scratch_stride,
            completing.partials + p * completing.partial_stride,
        )


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


# --- Scoring --------------------------------------------------------------------------------

cdef struct Judging:
    Incomplete call
    Py_ssize_t begin
    double *scratch
    Py_ssize_t scratch_stride
    void *log_density
    void *responsibilities
    Py_ssize_t *labels


def evaluate_incomplete(
    const real[:, ::1] X,                   # IN (n, d)
    IncompleteJob prepared,                 # IN
    Py_ssize_t begin,                       # pieces begin..end
    Py_ssize_t end,
    real[::1] log_density,                  # OUT (n,) in nats, in the order of `order`, or None
    real[:, ::1] responsibilities,          # OUT (n, K) or None
    Py_ssize_t[::1] labels,                 # OUT (n,) or None
    double[:, ::1] scratch,                 # (n_threads, thread_doubles)
):
    """Log-density, responsibilities and labels from the observed features of each row."""
    cdef Judging judging
    judging.call = prepared.call
    judging.begin = begin
    attach(&judging.call.job, &X[0, 0], X.shape[0], real is float, None)
    judging.scratch = &scratch[0, 0]
    judging.scratch_stride = scratch.shape[1]
    judging.log_density = judging.responsibilities = judging.labels = NULL
    if log_density is not None:
        judging.log_density = &log_density[0]
    if responsibilities is not None:
        judging.responsibilities = &responsibilities[0, 0]
    if labels is not None:
        judging.labels = &labels[0]
    parallel_for(judge_piece, &judging, end - begin, <int> scratch.shape[0])


cdef void judge_piece(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    cdef const Judging *judging = <const Judging *> argument
    cdef Py_ssize_t number = judging.begin + item
    cdef double *scratch = judging.scratch + thread * judging.scratch_stride
    if judging.call.job.single_rows:
        evaluate_piece[float](
            &judging.call, number, scratch, <float *> judging.log_density,
            <float *> judging.responsibilities, judging.labels,
        )
    else:
        evaluate_piece[double](
            &judging.call, number, scratch, <double *> judging.log_density,
            <double *> judging.responsibilities, judging.labels,
        )


cdef void evaluate_piece(
    const Incomplete *call, Py_ssize_t number, double *scratch,
    real *log_density, real *responsibilities, Py_ssize_t *labels,
) noexcept nogil:
    """Score a piece; outputs are in the order of its rows."""
    cdef Piece piece
    cdef int spoilt = 0
    cdef Py_ssize_t i, n_far, first = call.pieces[4 * number + 1]
    cdef bint few
    lay_out_piece(call, scratch, &piece)
    begin_piece(call, number, &piece)
    if log_density != NULL:
        log_density += first
    if responsibilities != NULL:
        responsibilities += first * call.job.K
    if labels != NULL:
        labels += first
    few = has_few(call, &piece) and evaluate_few_rows(
        call, &piece, log_density, responsibilities, labels, &n_far
    )
    if few and n_far == 0:
        return
    if piece.g == 0:
        evaluate_unobserved(call, piece.n, log_density, responsibilities, labels)
        return
    take_marginal(call, &piece)
    if not few:
        evaluate_chunk(
            &piece.job, 0, piece.n, piece.tile, log_density, responsibilities, labels, &spoilt
        )
        return
    for i in range(piece.n):
        if is_far(log_density, responsibilities, labels, i, call.job.K):
            evaluate_chunk(
                &piece.job, i, i + 1, piece.tile, log_density, responsibilities, labels, &spoilt
            )


cdef void evaluate_unobserved(
    const Incomplete *call, Py_ssize_t n,
    real *log_density, real *responsibilities, Py_ssize_t *labels,
) noexcept nogil:
    """Of a row without any value nothing is known but the weights of the components."""
    cdef Py_ssize_t i, k, best = 0
    cdef double total = sum_of_weights(call)
    for k in range(call.job.K):
        if call.log_weights[k] > call.log_weights[best]:
            best = k
    for i in range(n):
        if log_density != NULL:
            log_density[i] = 0
        if labels != NULL:
            labels[i] = best
        for k in range(call.job.K if responsibilities != NULL else 0):
            responsibilities[i * call.job.K + k] = <real> (exp2(call.log_weights[k]) / total)
