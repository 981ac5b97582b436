# k-means: each row counts wholly for one centre.

import numpy

from gaussmix._kernels._threads cimport parallel_for


cdef void add_to_labels(
    const Job *job, Tile *tile, const scalar *label, scalar *row, Sums *sums
) noexcept nogil:
    """Add each row to the sums of its label, one row at a time: O(d) or O(d^2), whatever K.

    `label` (capacity,) is read; `row` (d,) is scratch for the row's  weight * (x - mean).
    """
    cdef Py_ssize_t i, j, k
    cdef const double *mean
    cdef double *first
    for i in range(tile.n):
        k = <Py_ssize_t> label[i]
        mean = job.means + k * job.d
        sums.weight[k] += tile.weight[i]
        first = sums.first + k * sums.first_stride
        for j in range(job.d):
            row[j] = <scalar> (
                tile.weight[i] * (centred_value(job, tile, i, j) - (mean[j] - job.centre[j]))
            )
            first[j] += row[j]
        if job.mstep == OUTER:
            add_row_outer(job, tile, i, row, sums.second + k * job.d * job.f_padded)
        elif job.mstep == OUTER_POOLED:
            add_row_outer(job, tile, i, row, sums.second)
        elif job.mstep == SQUARES:
            for j in range(job.d):
                sums.second[k * sums.first_stride + j] += row[j] * centred_value(job, tile, i, j)


cdef void add_row_outer(
    const Job *job, const Tile *tile, Py_ssize_t i, const scalar *row, double *second
) noexcept nogil:
    """second[p, q] += row[p] * x[q], for the vectors that hold p >= q."""
    cdef Py_ssize_t p, q, v, w, width
    cdef const scalar *x
    cdef double *out
    cdef vec y
    for q from 0 <= q < job.d by PANEL:
        width = panel_width(q, job.f_padded)
        x = tile.panels + q * tile.capacity + i * width
        for p in range(q, job.d):
            y = vset1(row[p])
            out = second + p * job.f_padded + q
            w = min(width, round_up(p + 1 - q, VL))
            for v from 0 <= v < w by VL:
                vadd_to(out + v, y * vload(x + v))


cdef void write_distances(
    const Job *job, const Tile *tile, double *distances, Py_ssize_t stride
) noexcept nogil:
    """distances[k, row] of the tile's rows, from its scores."""
    cdef Py_ssize_t i, k
    for k in range(job.K):
        for i in range(tile.n):
            distances[k * stride + tile.first + i] = -tile.scores[k * tile.capacity + i]


# --- Squared distances ----------------------------------------------------------------------

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
