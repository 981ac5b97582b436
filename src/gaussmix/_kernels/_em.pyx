"""Entry points of the kernels.

Compiled once for each instruction set; `gaussmix._runtime` picks one.  Arguments are checked by
nobody here: `gaussmix._passes` calls with arrays of the right type, shape and layout.  Threads
come from `_threads.parallel_for`, which gets each kind of work as a function of an index.

Rows are cut into chunks of `chunk_rows`, and chunk c belongs to partial sum c modulo the number
of partial sums.  A partial sum is computed by one thread, in the order of its chunks, and the
partial sums are added in the order of their index.  None of this depends on the number of
threads, so neither does any bit of the result.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdlib cimport free, malloc
from libc.string cimport strcmp

import numpy

from gaussmix._kernels._threads cimport parallel_for

include "_simd.pxi"
include "_tile.pxi"
include "_estep.pxi"
include "_mstep.pxi"
include "_kmeans.pxi"
include "_scan.pxi"
include "_factor.pxi"
include "_incomplete.pxi"
include "_few.pxi"

ESTEPS = {
    "triangular": <int> TRIANGULAR,
    "direct": <int> DIRECT,
    "distances": <int> DISTANCES,
    "linear": <int> LINEAR,
    "nearest": <int> NEAREST,
    "given": <int> GIVEN,
}
MSTEPS = {
    "none": <int> NO_SUMS,
    "outer": <int> OUTER,
    "outer_pooled": <int> OUTER_POOLED,
    "squares": <int> SQUARES,
    "features": <int> FEATURES,
    "dots": <int> DOTS,
    "sums": <int> SUMS,
}
FEATURE_SETS = {
    "plain": <int> PLAIN,
    "with_squares": <int> WITH_SQUARES,
    "with_norm": <int> WITH_NORM,
    "with_products": <int> WITH_PRODUCTS,
}


def compiler():
    """The compiler, with its version, that built this module."""
    return GAUSSMIX_COMPILER.decode()


def vector_bytes():
    """Bytes in one vector of this instruction set."""
    return <Py_ssize_t> VECTOR_BYTES


def scalar_bytes():
    """Bytes in one number of a tile."""
    return <Py_ssize_t> sizeof(scalar)


def strip_rows():
    """Rows of a strip, of which tiles are made."""
    return <Py_ssize_t> STRIP


def most_tile_rows():
    """Rows that a tile can have: a component has a bit for each strip."""
    return <Py_ssize_t> (64 * STRIP)


def few_rows():
    """Most rows of a pattern that are summed one by one."""
    return <Py_ssize_t> FEW_ROWS


def width(int features, Py_ssize_t d):
    """Features that are made of d columns."""
    return n_features(features, d)


def completed_size(Py_ssize_t K, Py_ssize_t d, Py_ssize_t covariance_stride, bint diagonal):
    """Doubles in one partial sum over rows with missing values, see `accumulate_incomplete`."""
    return completed_doubles(K, d, covariance_stride, diagonal)


def pattern_words(Py_ssize_t d):
    """Words that mark which of d values of a row are missing."""
    return (d + 63) // 64


# --- Preparing a job ------------------------------------------------------------------------

cdef void describe(
    Job *job,                               # OUT
    int estep,
    int mstep,
    int features,
    const double[::1] centre,
    const double[:, ::1] means,
    Py_ssize_t tile_rows,
) noexcept:
    """A job without rows and without factors."""
    memset(job, 0, sizeof(Job))
    job.d = means.shape[1]
    job.K = means.shape[0]
    job.tile_rows = tile_rows
    job.estep = estep
    job.mstep = mstep
    job.features = features
    job.f = n_features(features, job.d)
    job.f_padded = round_up(job.f, VL)
    job.centre = &centre[0]
    job.means = &means[0, 0]
    job.floor = lowest_exponent()


cdef object prepare(
    Job *job,                               # OUT
    int estep,
    int mstep,
    int features,
    const double[::1] centre,
    const double[:, ::1] means,
    const double[::1] factors,
    Py_ssize_t factor_stride,
    const double[::1] constants,
    Py_ssize_t tile_rows,
):
    """Fill in the job and pack its factors; the caller keeps what is returned, their memory."""
    cdef double[::1] memory
    describe(job, estep, mstep, features, centre, means, tile_rows)
    job.factors = &factors[0] if factors.shape[0] > 0 else NULL
    job.factor_stride = factor_stride
    memory = numpy.empty(packed_size(job) + LINE)
    pack(job, <scalar *> aligned(&memory[0]), &constants[0])
    return memory


cdef bint whitens(const Job *job) noexcept nogil:
    """A factor shared by all components is applied to the rows once."""
    return job.estep == DIRECT and job.factors != NULL and job.factor_stride == 0


cdef Py_ssize_t packed_size(const Job *job) noexcept nogil:
    """Scalars, and so at most doubles, that hold the constants and the packed factors."""
    cdef Py_ssize_t size = round_up(job.K, 2 * LINE)
    if job.estep == TRIANGULAR:
        size += job.K * (triangle_size(job.d) + job.d)
    elif job.estep == LINEAR or job.estep == NEAREST:
        size += job.K * job.f
    elif job.estep != GIVEN:
        size += 2 * job.K * job.d + (triangle_size(job.d) if whitens(job) else 0)
    return size


cdef void pack(Job *job, scalar *memory, const double *constants) noexcept nogil:
    job.constants = memory
    pack_constants(job, constants)
    job.packed = memory + round_up(job.K, 2 * LINE)
    if job.estep == TRIANGULAR:
        job.bias = job.packed + job.K * triangle_size(job.d)
        pack_triangular(job)
    elif job.estep == LINEAR or job.estep == NEAREST:
        pack_linear(job)
    elif job.estep != GIVEN:
        if whitens(job):
            job.whitening = job.packed + 2 * job.K * job.d
        pack_direct(job)


cdef void attach(
    Job *job, const void *rows, Py_ssize_t n, bint single_rows, const double[::1] sample_weight
) noexcept:
    job.n = n
    job.rows = rows
    job.single_rows = single_rows
    if sample_weight is not None:
        job.sample_weight = &sample_weight[0]


cdef Py_ssize_t thread_stride(const Job *job) noexcept:
    """Doubles of scratch for one thread, with a page between two threads' parts."""
    cdef Tile tile
    return round_up(lay_out_tile(job, NULL, &tile), 64) // <Py_ssize_t> sizeof(double) + 512


# --- Accumulating statistics ----------------------------------------------------------------

def partial_size(int mstep, int features, Py_ssize_t K, Py_ssize_t d):
    """Doubles in one partial sum."""
    cdef Job job
    job.mstep = mstep
    job.K = K
    job.d = d
    job.f = n_features(features, d)
    job.f_padded = round_up(job.f, VL)
    return sums_size(&job)


cdef struct Round:
    # Chunks begin..end, whose sums go to the partial sums.
    const Job *job
    Py_ssize_t begin, end
    Py_ssize_t chunk_rows
    Py_ssize_t first_chunk                  # index of the chunk that starts with the first row
    double *scratch
    Py_ssize_t scratch_stride
    double *partials
    Py_ssize_t n_partials
    Py_ssize_t partial_stride


def accumulate(
    const real[:, ::1] X,                   # IN (n, d)
    const double[::1] sample_weight,        # IN (n,) or None
    const double[:, ::1] responsibilities,  # IN (n, K) or None; read by the given E-step only
    int estep,
    int mstep,
    int features,
    const double[::1] centre,               # IN (d,)
    const double[:, ::1] means,             # IN (K, d)
    const double[::1] factors,              # IN triangular: (K or 1, d, d); direct: (K, d), or
                                            #    (d, d) with stride 0; linear: (K, f); else empty
    Py_ssize_t factor_stride,
    const double[::1] constants,            # IN (K,) in bits
    double floor,                           # bits below a row's best where shares count as zero
    Py_ssize_t tile_rows,
    Py_ssize_t chunk_rows,
    Py_ssize_t first_chunk,                 # index of the chunk that starts with X[0]
    Py_ssize_t round_chunks,                # chunks between two looks for a signal
    double[:, ::1] partials,                # INOUT (n_partials, partial_size)
    int n_threads,
):
    """Add the sums over the rows of X to the partial sums."""
    cdef Job job
    cdef Round round
    cdef Py_ssize_t begin, n_chunks
    cdef double[::1] scratch
    _packed = prepare(
        &job, estep, mstep, features, centre, means, factors, factor_stride, constants, tile_rows
    )
    attach(&job, &X[0, 0], X.shape[0], real is float, sample_weight)
    job.floor = <scalar> max(floor, <double> lowest_exponent())
    if responsibilities is not None:
        job.responsibilities = &responsibilities[0, 0]
    round.job = &job
    round.chunk_rows = chunk_rows
    round.first_chunk = first_chunk
    round.scratch_stride = thread_stride(&job)
    scratch = numpy.empty(round.scratch_stride * n_threads)
    round.scratch = &scratch[0]
    round.partials = &partials[0, 0]
    round.n_partials = partials.shape[0]
    round.partial_stride = partials.shape[1]
    n_chunks = (job.n + chunk_rows - 1) // chunk_rows
    for begin from 0 <= begin < n_chunks by round_chunks:
        round.begin = begin
        round.end = min(begin + round_chunks, n_chunks)
        parallel_for(accumulate_partial, &round, round.n_partials, n_threads)


cdef void accumulate_partial(const void *call, Py_ssize_t p, int thread) noexcept nogil:
    """Add to partial sum p the chunks of the round that belong to it."""
    cdef const Round *round = <const Round *> call
    accumulate_chunks(
        round.job, round.begin, round.end, (p - round.first_chunk) % round.n_partials,
        round.n_partials, round.chunk_rows, round.scratch + thread * round.scratch_stride,
        round.partials + p * round.partial_stride,
    )


cdef void accumulate_chunks(
    const Job *job,
    Py_ssize_t begin,
    Py_ssize_t end,
    Py_ssize_t offset,
    Py_ssize_t step,
    Py_ssize_t chunk_rows,
    double *scratch,
    double *partial,
) noexcept nogil:
    """Add the chunks begin..end whose index is `offset` modulo `step` to one partial sum."""
    cdef Py_ssize_t chunk, first, last
    cdef Tile tile
    cdef Sums sums
    lay_out_tile(job, scratch, &tile)
    lay_out_sums(job, partial, &sums)
    if offset < 0:
        offset += step
    chunk = begin + (offset - begin % step + step) % step
    while chunk < end:
        # Lanes are of one chunk: which chunks come in one call depends on where the rows lie.
        if job.mstep == DOTS:
            memset(tile.lanes, 0, job.K * job.f * VL * sizeof(double))
        first = chunk * chunk_rows
        last = min(first + chunk_rows, job.n)
        while first < last:
            load_tile(job, first, min(job.tile_rows, last - first), &tile)
            accumulate_tile(job, &tile, &sums)
            first += job.tile_rows
        if job.mstep == DOTS:
            add_lanes(job, &tile, &sums)
        chunk += step


cdef void accumulate_tile(const Job *job, Tile *tile, Sums *sums) noexcept nogil:
    if job.estep == GIVEN:
        copy_responsibilities(job, tile)
        memset(tile.density, 0, tile.capacity * sizeof(scalar))
        add_tile(job, tile, sums)
        return
    score_tile(job, tile)
    if job.estep == NEAREST:
        # The labels and one row find room where other passes keep weighted rows.
        pick_best(job, tile, tile.weighted)
        add_to_labels(job, tile, tile.weighted, tile.weighted + tile.capacity, sums)
    else:
        normalise(job, tile, tile.weight)
        add_tile(job, tile, sums)


def reduce_partials(
    double[:, ::1] partials,                # INOUT (n_partials, partial_size); summed in place
    int mstep,
    int features,
    const double[::1] centre,               # IN (d,)
    const double[:, ::1] means,             # IN (K, d)
    double[::1] weight,                     # OUT (K,)
    double[:, ::1] first,                   # OUT (K, f) about the means; features: the centre
    double[::1] second,                     # OUT outer: (K, d, d), outer_pooled: (d, d),
                                            #     squares: (K, d), all about the means; else empty
):
    """Statistics from partial sums; returns the log-likelihood in bits."""
    cdef Job job
    cdef Sums sums
    cdef Py_ssize_t k, j
    job.mstep = mstep
    job.K = means.shape[0]
    job.d = means.shape[1]
    job.f = n_features(features, job.d)
    job.f_padded = round_up(job.f, VL)
    job.centre = &centre[0]
    job.means = &means[0, 0]
    with nogil:
        sum_partials(&partials[0, 0], partials.shape[0], partials.shape[1])
        lay_out_sums(&job, &partials[0, 0], &sums)
        for k in range(job.K):
            weight[k] = sums.weight[k]
            for j in range(job.f):
                first[k, j] = sums.first[k * sums.first_stride + j]
        if mstep == OUTER or mstep == OUTER_POOLED:
            move_to_means(&job, &sums, &second[0])
        elif mstep == SQUARES:
            move_squares_to_means(&job, &sums, &second[0])
    return sums.log_likelihood[0]


# --- Scoring --------------------------------------------------------------------------------

# Bits below a row's best where a component is out of the question as its label.
cdef scalar LABEL_FLOOR = -1.0

cdef class ScoringJob:
    """A mixture prepared for `evaluate`; arguments are those of `accumulate`.

    Nothing in it changes once it is made, so threads may share it.
    """
    cdef Job job
    cdef object arrays                      # what the job points to

    def __cinit__(
        self, int estep, centre, means, factors, Py_ssize_t factor_stride, constants
    ):
        packed = prepare(
            &self.job, estep, NO_SUMS, PLAIN, centre, means, factors, factor_stride, constants,
            STRIP,
        )
        self.arrays = (centre, means, factors, constants, packed)


cdef struct Scoring:
    # One call of `evaluate`; outputs are of the type of the rows, NULL where not asked for.
    Job job
    Py_ssize_t chunk_rows
    Py_ssize_t first_chunk
    double *scratch
    Py_ssize_t scratch_stride
    void *log_density
    void *responsibilities
    Py_ssize_t *labels
    int *spoilt                             # (threads,) whether rows were not finite


def evaluate(
    const real[:, ::1] X,                   # IN (n, d)
    ScoringJob prepared,                    # IN
    Py_ssize_t tile_rows,
    Py_ssize_t chunk_rows,
    Py_ssize_t round_chunks,
    real[::1] log_density,                  # OUT (n,) in nats, or None
    real[:, ::1] responsibilities,          # OUT (n, K) or None
    Py_ssize_t[::1] labels,                 # OUT (n,) or None
    int n_threads,
):
    """Log-density, responsibilities and labels of rows, whichever are asked for.

    Returns whether all rows are finite, less the centre; if not, what was written means nothing.
    """
    cdef Scoring call
    cdef Py_ssize_t begin, n_chunks
    cdef double[::1] scratch
    cdef int[::1] spoilt
    call.job = prepared.job
    call.job.tile_rows = tile_rows
    attach(&call.job, &X[0, 0], X.shape[0], real is float, None)
    call.log_density = call.responsibilities = call.labels = NULL
    if log_density is not None:
        call.log_density = &log_density[0]
    if responsibilities is not None:
        call.responsibilities = &responsibilities[0, 0]
    if labels is not None:
        call.labels = &labels[0]
        if log_density is None and responsibilities is None:
            call.job.floor = LABEL_FLOOR
    spoilt = numpy.zeros(n_threads, dtype=numpy.intc)
    call.spoilt = &spoilt[0]
    call.chunk_rows = chunk_rows
    call.scratch_stride = thread_stride(&call.job)
    scratch = numpy.empty(call.scratch_stride * n_threads)
    call.scratch = &scratch[0]
    n_chunks = (call.job.n + chunk_rows - 1) // chunk_rows
    for begin from 0 <= begin < n_chunks by round_chunks:
        call.first_chunk = begin
        parallel_for(evaluate_item, &call, min(round_chunks, n_chunks - begin), n_threads)
    return not numpy.any(spoilt)


cdef void evaluate_item(const void *argument, Py_ssize_t item, int thread) noexcept nogil:
    """Score chunk `item` of the round."""
    cdef const Scoring *call = <const Scoring *> argument
    cdef Py_ssize_t first = (call.first_chunk + item) * call.chunk_rows
    cdef Py_ssize_t last = min(first + call.chunk_rows, call.job.n)
    cdef double *scratch = call.scratch + thread * call.scratch_stride
    if call.job.single_rows:
        evaluate_chunk[float](
            &call.job, first, last, scratch, <float *> call.log_density,
            <float *> call.responsibilities, call.labels, call.spoilt + thread,
        )
    else:
        evaluate_chunk[double](
            &call.job, first, last, scratch, <double *> call.log_density,
            <double *> call.responsibilities, call.labels, call.spoilt + thread,
        )


def evaluate_few(
    const real[:, ::1] X,                   # IN (n, d)
    ScoringJob prepared,                    # IN
    Py_ssize_t tile_rows,
    real[::1] log_density,                  # OUT (n,) in nats, or None
    real[:, ::1] responsibilities,          # OUT (n, K) or None
    Py_ssize_t[::1] labels,                 # OUT (n,) or None
):
    """Check and score rows without a parallel region, where each microsecond counts.

    Returns the position of the first NaN or infinity in row-major order, when nothing is
    written, or -1.
    """
    cdef Job job = prepared.job
    cdef int spoilt = 0
    cdef Py_ssize_t bad
    cdef double *scratch
    attach(&job, &X[0, 0], X.shape[0], real is float, None)
    job.tile_rows = tile_rows
    if labels is not None and log_density is None and responsibilities is None:
        job.floor = LABEL_FLOOR
    scratch = <double *> malloc(thread_stride(&job) * sizeof(double))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        bad = first_nonfinite_value(&X[0, 0], job.n * job.d)
        if bad < 0:
            evaluate_chunk(
                &job, 0, job.n, scratch,
                &log_density[0] if log_density is not None else NULL,
                &responsibilities[0, 0] if responsibilities is not None else NULL,
                &labels[0] if labels is not None else NULL,
                &spoilt,
            )
        free(scratch)
    return bad


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


def unchanged(dict state, tuple names, list given, list held, list copies):
    """Whether entries of a dictionary are what they were, in every byte.

    Parameters
    ----------
    state : dict
    names : tuple of str
    given : list
        The objects that stood there, None where none did.
    held : list
        The arrays to look into, where they are not those in `state`, which then must be the same
        objects as `given`; None to look into whatever stands there now.
    copies : list
        C-contiguous arrays to compare with, which must stay as they are; None where the same
        object will do.

    What is no C-contiguous array is not the same as a copy.
    """
    cdef int i
    for i in range(len(names)):
        value = state.get(names[i])
        copy = copies[i]
        looked_into = held[i]
        if looked_into is not None or copy is None:
            if value is not given[i]:
                return False
            value = looked_into
        if copy is not None and not same_array(copy, value):
            return False
    return True


cdef bint same_array(copy, array) except -1:
    cdef Py_buffer kept, view
    PyObject_GetBuffer(copy, &kept, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    try:
        try:
            PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        except (BufferError, TypeError, ValueError):
            return False
        same = (
            view.ndim == kept.ndim
            and memcmp(view.shape, kept.shape, kept.ndim * sizeof(Py_ssize_t)) == 0
            and strcmp(view.format, kept.format) == 0
            and memcmp(view.buf, kept.buf, kept.len) == 0
        )
        PyBuffer_Release(&view)
        return same
    finally:
        PyBuffer_Release(&kept)


# --- Rows with missing values ---------------------------------------------------------------

def group_patterns(
    const real[:, ::1] X,                   # IN (n, d)
    Py_ssize_t[::1] order,                  # OUT (n,) rows, those of a pattern beside each other
    Py_ssize_t[::1] starts,                 # OUT (n + 1,) where in `order` each pattern starts
    Py_ssize_t[::1] first,                  # OUT (n,) the first row of each pattern
    uint64_t[::1] marks,                    # (n * words,) scratch, a word for each 64 features
    Py_ssize_t[:, ::1] work,                # (3, n) scratch
    Py_ssize_t chunk_rows,
    int n_threads,
):
    """Group rows by which of their values are NaN; returns the number of patterns.

    Patterns come in the order of their first rows, and the rows of each in theirs. The arrays may
    be longer than said.
    """
    cdef Grouping g
    cdef Py_ssize_t n_chunks, found, size = 2
    cdef Py_ssize_t[:, ::1] tables
    cdef Py_ssize_t[::1] table, counts
    g.rows = &X[0, 0]
    g.single = real is float
    g.n = X.shape[0]
    g.d = X.shape[1]
    g.words = pattern_words(g.d)
    g.chunk_rows = chunk_rows
    g.table_size = 2
    while g.table_size < 2 * min(chunk_rows, g.n):
        g.table_size *= 2
    n_chunks = (g.n + chunk_rows - 1) // chunk_rows
    tables = numpy.empty((n_threads, g.table_size), dtype=numpy.intp)
    counts = numpy.empty(n_chunks, dtype=numpy.intp)
    g.marks = &marks[0]
    g.table = &tables[0, 0]
    g.pattern = &work[0, 0]
    g.count = &work[1, 0]
    g.place = &work[2, 0]
    # Overwritten from the front by what is brought together, which is never ahead of what is read.
    g.first = &first[0]
    g.found = &counts[0]
    g.order = &order[0]
    parallel_for(find_patterns, &g, n_chunks, n_threads)
    while size < 2 * numpy.sum(counts):
        size *= 2
    table = numpy.full(size, -1, dtype=numpy.intp)
    with nogil:
        found = join_patterns(&g, &table[0], size, &first[0], &starts[0])
    parallel_for(place_rows, &g, n_chunks, n_threads)
    return found


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


# --- k-means and a first look at the rows ---------------------------------------------------

cdef struct Distances:
    Job job
    Py_ssize_t chunk_rows
    double *scratch
    Py_ssize_t scratch_stride
    double *out
    Py_ssize_t out_stride


def squared_distances(
    const real[:, ::1] X,                   # IN (n, d)
    const double[::1] centre,               # IN (d,)
    const double[:, ::1] points,            # IN (L, d)
    const double[::1] constants,            # IN (L,) zeros
    double[:, :] distances,                 # OUT (L, n), rows contiguous
    Py_ssize_t tile_rows,
    Py_ssize_t chunk_rows,
    int n_threads,
):
    """|x - point|^2 for every point and row."""
    cdef Distances call
    cdef double[::1] scratch
    _packed = prepare(
        &call.job, DISTANCES, NO_SUMS, PLAIN, centre, points, constants[:0], 0, constants,
        tile_rows,
    )
    attach(&call.job, &X[0, 0], X.shape[0], real is float, None)
    call.chunk_rows = chunk_rows
    call.scratch_stride = thread_stride(&call.job)
    scratch = numpy.empty(call.scratch_stride * n_threads)
    call.scratch = &scratch[0]
    call.out = &distances[0, 0]
    call.out_stride = distances.strides[0] // <Py_ssize_t> sizeof(double)
    parallel_for(
        distances_of_item, &call, (call.job.n + chunk_rows - 1) // chunk_rows, n_threads
    )


cdef void distances_of_item(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    cdef const Distances *call = <const Distances *> argument
    distances_of_chunk(
        &call.job, c * call.chunk_rows, min((c + 1) * call.chunk_rows, call.job.n),
        call.scratch + thread * call.scratch_stride, call.out, call.out_stride,
    )


cdef void distances_of_chunk(
    const Job *job,
    Py_ssize_t first,
    Py_ssize_t last,
    double *scratch,
    double *distances,
    Py_ssize_t stride,
) noexcept nogil:
    cdef Tile tile
    lay_out_tile(job, scratch, &tile)
    while first < last:
        load_tile(job, first, min(job.tile_rows, last - first), &tile)
        score_tile(job, &tile)
        write_distances(job, &tile, distances, stride)
        first += job.tile_rows


cdef struct Search:
    const void *values
    bint single
    Py_ssize_t size
    Py_ssize_t chunk
    bint allow_nan
    Py_ssize_t *found                       # (chunks,) position in the chunk, or -1


def first_nonfinite(
    const real[:, ::1] X,                   # IN (n, d)
    Py_ssize_t chunk_rows,
    int n_threads,
    bint allow_nan=False,
):
    """Position of the first NaN, unless that is allowed, or infinity in row-major order, or -1."""
    cdef Search call
    cdef Py_ssize_t c, n_chunks
    cdef Py_ssize_t[::1] found
    call.values = &X[0, 0]
    call.single = real is float
    call.size = X.shape[0] * X.shape[1]
    call.chunk = chunk_rows * X.shape[1]
    call.allow_nan = allow_nan
    n_chunks = (call.size + call.chunk - 1) // call.chunk
    if n_chunks == 1 and not allow_nan:
        return first_nonfinite_value(&X[0, 0], call.size)
    found = numpy.empty(n_chunks, dtype=numpy.intp)
    call.found = &found[0]
    parallel_for(search_chunk, &call, n_chunks, n_threads)
    for c in range(n_chunks):
        if found[c] >= 0:
            return c * call.chunk + found[c]
    return -1


cdef void search_chunk(const void *argument, Py_ssize_t c, int thread) noexcept nogil:
    cdef const Search *call = <const Search *> argument
    cdef Py_ssize_t first = c * call.chunk, size = min(call.chunk, call.size - c * call.chunk)
    if call.single:
        call.found[c] = first_bad_value(<const float *> call.values + first, size, call.allow_nan)
    else:
        call.found[c] = first_bad_value(<const double *> call.values + first, size, call.allow_nan)


cdef Py_ssize_t first_bad_value(const real *x, Py_ssize_t n, bint allow_nan) noexcept nogil:
    return first_infinite_value(x, n) if allow_nan else first_nonfinite_value(x, n)


cdef struct Moments:
    const void *rows
    bint single
    const double *sample_weight
    Py_ssize_t n
    Py_ssize_t d
    const double *shift
    Py_ssize_t chunk_rows
    Py_ssize_t first_chunk                  # index of the chunk that starts with the first row
    double *partials
    Py_ssize_t n_partials
    Py_ssize_t partial_stride


def column_moments(
    const real[:, ::1] X,                   # IN (n, d)
    const double[::1] sample_weight,        # IN (n,) or None
    const double[::1] shift,                # IN (d,)
    Py_ssize_t chunk_rows,
    Py_ssize_t first_chunk,
    double[:, ::1] partials,                # INOUT (n_partials, 1 + 2 d or more)
    int n_threads,
):
    """Weight, and first and second moments of the columns about the shift."""
    cdef Moments call
    call.rows = &X[0, 0]
    call.single = real is float
    call.sample_weight = NULL
    if sample_weight is not None:
        call.sample_weight = &sample_weight[0]
    call.n = X.shape[0]
    call.d = X.shape[1]
    call.shift = &shift[0]
    call.chunk_rows = chunk_rows
    call.first_chunk = first_chunk
    call.partials = &partials[0, 0]
    call.n_partials = partials.shape[0]
    call.partial_stride = partials.shape[1]
    parallel_for(moments_of_partial, &call, call.n_partials, n_threads)


cdef void moments_of_partial(const void *argument, Py_ssize_t p, int thread) noexcept nogil:
    """Add to partial sum p the chunks that belong to it."""
    cdef const Moments *call = <const Moments *> argument
    if call.single:
        moments_of_chunks(call, <const float *> call.rows, p)
    else:
        moments_of_chunks(call, <const double *> call.rows, p)


cdef void moments_of_chunks(const Moments *call, const real *x, Py_ssize_t p) noexcept nogil:
    cdef Py_ssize_t step = call.n_partials, offset = (p - call.first_chunk) % step
    cdef Py_ssize_t n_chunks = (call.n + call.chunk_rows - 1) // call.chunk_rows
    cdef Py_ssize_t chunk, first
    cdef const double *weight = call.sample_weight
    if offset < 0:
        offset += step
    for chunk from offset <= chunk < n_chunks by step:
        first = chunk * call.chunk_rows
        add_moments(
            x + first * call.d, weight + first if weight != NULL else NULL,
            min(call.chunk_rows, call.n - first), call.d, call.shift,
            call.partials + p * call.partial_stride,
        )
