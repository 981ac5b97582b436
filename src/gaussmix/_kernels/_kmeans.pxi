# Hard assignment: each row counts wholly for one centre.

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
