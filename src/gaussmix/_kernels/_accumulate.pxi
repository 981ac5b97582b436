# Sums over rows: chunks to partial sums, and partial sums to statistics.

from libc.stdint cimport uint64_t
from libc.string cimport memset

import numpy

from gaussmix._kernels._threads cimport parallel_for


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
                                            #    (d, d) with stride 0; turned: (d, d) and (K, d);
                                            #    linear: (K, f); else empty
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


cdef void sum_partials(
    double *partials, Py_ssize_t n_partials, Py_ssize_t size
) noexcept nogil:
    """Add every partial sum to the first, in the order of their index."""
    cdef Py_ssize_t p, i
    for p in range(1, n_partials):
        for i in range(size):
            partials[i] += partials[p * size + i]
