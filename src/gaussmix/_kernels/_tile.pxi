# Some rows, in cache: a tile.
#
# It holds its rows, less the centre, in strips with lanes = rows, and where the M-step forms
# outer products also in panels with lanes = features.
#
#   strips  [strip][feature][STRIP]     panels  [panel][row][panel width]
#
# Both are contiguous where the inner loops run, so that no power-of-two stride makes rows
# collide in the first-level cache.
#
# A `scalar`, and so a tile, is double or single precision, as this module was compiled. What comes
# from the caller and what goes back, parameters and sums, is double in both.

from libc.math cimport fabs
from libc.stdint cimport uint64_t

cdef enum:
    PANEL = NV * VL     # features of a panel
    PANEL_ROWS = 4      # outputs of one E-step panel: 4 x 3 accumulators fit 16 registers
    LINE = 8            # doubles in a cache line
    LISTED_AHEAD = 32   # rows that are asked for before they are loaded, where they lie anywhere


cdef inline scalar negligible() noexcept nogil:
    """A difference whose square is below the range of scalars. It counts as none: beside any
    variance that a scalar can hold it is, and arithmetic on subnormal numbers is tens of times
    slower.
    """
    return 1e-19 if IS_SINGLE else 1e-160


cdef struct Tile:
    Py_ssize_t first            # index of its first row
    Py_ssize_t n                # rows in use
    Py_ssize_t capacity         # rows in use rounded up to whole strips; the rest weigh nothing
    Py_ssize_t likely           # a component that had much of the tile before
    scalar *strips
    scalar *whitened            # strips of z
    scalar *panels
    scalar *weighted            # weight * (x - mean) of one component: [vector][row][VL]
    scalar *gathered            # panels of only the rows in which one component has a share
    scalar *gathered_share      # (capacity,) its shares in them
    Py_ssize_t *gathered_row    # (capacity,) their index in the tile
    scalar *scores              # (K, capacity): scores in bits, then responsibilities
    scalar *best                # (capacity,) best score so far
    scalar *weight              # (capacity,)
    scalar *density             # (capacity,) log-density in bits, less the reference
    uint64_t *active            # (K,) bit s: the component has a share in some row of strip s
    double *lanes               # DOTS: (K, f, VL) sums, a lane each


def scalar_bytes():
    """Bytes in one number of a tile."""
    return <Py_ssize_t> sizeof(scalar)


def strip_rows():
    """Rows of a strip, of which tiles are made."""
    return <Py_ssize_t> STRIP


def most_tile_rows():
    """Rows that a tile can have: a component has a bit for each strip."""
    return <Py_ssize_t> (64 * STRIP)


cdef inline bint needs_panels(const Job *job) noexcept nogil:
    return job.mstep == OUTER or job.mstep == OUTER_POOLED or job.mstep == FEATURES


cdef inline bint forms_outer(const Job *job) noexcept nogil:
    return job.mstep == OUTER or job.mstep == OUTER_POOLED


cdef Py_ssize_t lay_out_tile(const Job *job, void *memory, Tile *tile) noexcept nogil:
    """Divide a thread's memory among the parts of its tile; returns the bytes they need."""
    cdef Scratch scratch
    cdef Py_ssize_t row = round_up(job.tile_rows, STRIP) * sizeof(scalar)
    cdef Py_ssize_t panel_rows = row if needs_panels(job) else 0
    cdef Py_ssize_t outer_rows = row if forms_outer(job) else 0
    # Where nothing is weighted, add_to_labels finds room for labels and one row.
    cdef Py_ssize_t weighted = max(
        outer_rows * job.f_padded, row + job.d * <Py_ssize_t> sizeof(scalar)
    )
    scratch.start = <char *> aligned(memory) if memory != NULL else NULL
    scratch.used = 0
    tile.likely = 0
    tile.strips = <scalar *> take(&scratch, row * job.f)
    tile.whitened = tile.strips
    if job.whitening != NULL:
        tile.whitened = <scalar *> take(&scratch, row * job.f)
    tile.panels = <scalar *> take(&scratch, panel_rows * job.f_padded)
    tile.weighted = <scalar *> take(&scratch, weighted)
    tile.gathered = <scalar *> take(&scratch, outer_rows * job.f_padded)
    tile.gathered_share = <scalar *> take(&scratch, outer_rows)
    tile.gathered_row = <Py_ssize_t *> take(&scratch, outer_rows * 2)
    tile.scores = <scalar *> take(&scratch, row * job.K)
    tile.best = <scalar *> take(&scratch, row)
    tile.weight = <scalar *> take(&scratch, row)
    tile.density = <scalar *> take(&scratch, row)
    tile.active = <uint64_t *> take(&scratch, job.K * sizeof(uint64_t))
    tile.lanes = <double *> take(
        &scratch, job.K * job.f * VL * sizeof(double) if job.mstep == DOTS else 0
    )
    return scratch.used + 64


cdef inline Py_ssize_t panel_width(Py_ssize_t first, Py_ssize_t f_padded) noexcept nogil:
    return min(<Py_ssize_t> PANEL, f_padded - first)


# --- Loading a tile -------------------------------------------------------------------------

cdef void load_tile(
    const Job *job, Py_ssize_t first, Py_ssize_t n, Tile *tile
) noexcept nogil:
    """Read rows first..first+n, centre them, and fill the tile."""
    tile.first = first
    tile.n = n
    tile.capacity = round_up(n, STRIP)
    if job.order != NULL and job.single_rows:
        load_listed_rows[float](<const float *> job.rows, job.order + first, job, n, tile)
    elif job.order != NULL:
        load_listed_rows[double](<const double *> job.rows, job.order + first, job, n, tile)
    elif job.single_rows:
        load_rows[float](<const float *> job.rows + first * job.d, job, n, tile)
    else:
        load_rows[double](<const double *> job.rows + first * job.d, job, n, tile)
    load_weights(job, tile)
    clear_weightless_rows(job, tile)
    add_features(job, tile)
    if needs_panels(job):
        fill_panels(job, tile)


cdef void load_rows(const real *rows, const Job *job, Py_ssize_t n, Tile *tile) noexcept nogil:
    """Strips from rows: whole groups of VL rows by transposition, what is left one by one."""
    cdef Py_ssize_t i = 0, d = job.d
    # Transposition of rows shorter than a vector reads past them, into the rows behind.
    cdef Py_ssize_t readable = n if d >= VL else min(n, job.n - tile.first - (VL - 1) // d)
    while i + VL <= readable:
        # Rows are read across, which the processor's own prefetching follows badly.
        prefetch_values(rows + (i + 2 * VL) * d, VL * d)
        load_group(rows + i * d, job, lane_of(job, tile, i))
        i += VL
    while i < n:
        load_row(rows + i * d, job, lane_of(job, tile, i))
        i += 1


cdef inline void prefetch_values(const real *p, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i from 0 <= i < n by 64 // <Py_ssize_t> sizeof(real):
        prefetch(p + i)


cdef inline scalar *lane_of(const Job *job, const Tile *tile, Py_ssize_t i) noexcept nogil:
    """Where row i begins in its strip; its features follow at distances of STRIP."""
    return tile.strips + (i // STRIP) * STRIP * job.f + i % STRIP


cdef inline scalar centred(scalar x, double centre) noexcept nogil:
    """The difference, or zero; NaN stays."""
    x = x - <scalar> centre
    return 0.0 if -negligible() < x < negligible() else x


cdef void load_row(const real *row, const Job *job, scalar *lane) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(job.d):
        lane[j * STRIP] = centred(<scalar> row[j], job.centre[j])


cdef inline vec vload_real(const real *p) noexcept nogil:
    if real is float:
        return vload_float(p)
    else:
        return vload_double(p)


cdef void load_group(const real *rows, const Job *job, scalar *lane) noexcept nogil:
    """VL rows, transposed in square blocks; the last block may overlap the one before."""
    cdef Py_ssize_t j, q, d = job.d
    cdef vec block[16]
    if d == 1:
        block[0] = vload_real(rows)
        store_centred(1, block, job.centre, lane)
    elif d == 2 and VL >= 2:
        load_packed(2, rows, block)
        store_centred(2, block, job.centre, lane)
    elif d == 4 and VL >= 4:
        load_packed(4, rows, block)
        store_centred(4, block, job.centre, lane)
    elif d < VL:
        load_block(rows, d, block)
        store_centred(d, block, job.centre, lane)
    else:
        for q from 0 <= q < d by VL:
            j = min(q, d - VL)
            load_block(rows + j, d, block)
            store_centred(VL, block, job.centre + j, lane + j * STRIP)


cdef inline void load_packed(Py_ssize_t d, const real *rows, vec *block) noexcept nogil:
    """VL rows of d values each, d a power of two, as one vector for each feature."""
    cdef Py_ssize_t i
    for i in range(d):
        block[i] = vload_real(rows + i * VL)
    transpose(d, block)


cdef inline void load_block(const real *rows, Py_ssize_t stride, vec *block) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(VL):
        block[i] = vload_real(rows + i * stride)
    transpose(VL, block)


cdef inline void store_centred(
    Py_ssize_t m, const vec *block, const double *centre, scalar *lane
) noexcept nogil:
    cdef Py_ssize_t j
    cdef vec x
    for j in range(m):
        x = block[j] - vset1(<scalar> centre[j])
        vstore(lane + j * STRIP, vselect_gt(vset1(negligible()), vabs(x), vset1(0.0), x))


cdef void load_listed_rows(
    const real *rows, const Py_ssize_t *order, const Job *job, Py_ssize_t n, Tile *tile
) noexcept nogil:
    """Strips from some columns of rows that lie anywhere, as `load_rows` does from whole rows."""
    cdef Py_ssize_t i = 0, j, v, width = job.row_values
    # The first row from which a vector would reach past the last.
    cdef Py_ssize_t end = job.n_rows if width >= VL else job.n_rows - (VL - 1) // width
    cdef const real *row
    cdef scalar *lane
    while i + VL <= n and order[i + VL - 1] < end:
        for v in range(VL):  # the processor's own prefetching does not expect these
            prefetch_values(rows + order[min(i + v + LISTED_AHEAD, n - 1)] * width, width)
        load_listed_group(rows, order + i, job, lane_of(job, tile, i))
        i += VL
    while i < n:
        row = rows + order[i] * width
        lane = lane_of(job, tile, i)
        for j in range(job.d):
            lane[j * STRIP] = centred(<scalar> row[job.columns[j]], job.centre[j])
        i += 1


cdef void load_listed_group(
    const real *rows, const Py_ssize_t *order, const Job *job, scalar *lane
) noexcept nogil:
    """VL rows, transposed in those square blocks in which there is a column to be read."""
    cdef Py_ssize_t j = 0, v, start, width = job.row_values
    cdef vec block[16]
    while j < job.d:
        start = min(job.columns[j], max(width - VL, <Py_ssize_t> 0))
        for v in range(VL):
            block[v] = vload_real(rows + order[v] * width + start)
        transpose(VL, block)
        while j < job.d and job.columns[j] < start + VL:
            store_centred(1, block + job.columns[j] - start, job.centre + j, lane + j * STRIP)
            j += 1


cdef bint is_finite(const Job *job, const Tile *tile) noexcept nogil:
    """Whether the tile's rows are finite, less the centre; a sum of x * 0, which NaN spoils."""
    cdef Py_ssize_t s, i
    cdef const scalar *strip
    cdef vec total[3]
    for i in range(NV):
        total[i] = vset1(0.0)
    for s in range(tile.capacity // STRIP):
        strip = tile.strips + s * STRIP * job.f
        for i from 0 <= i < job.d * STRIP by STRIP:
            total[0] = total[0] + vload(strip + i) * vset1(0.0)
            total[1] = total[1] + vload(strip + i + VL) * vset1(0.0)
            total[2] = total[2] + vload(strip + i + 2 * VL) * vset1(0.0)
    return vsum(total[0] + total[1] + total[2]) == 0.0


cdef void load_weights(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(tile.n):
        tile.weight[i] = 1.0 if job.sample_weight == NULL else job.sample_weight[tile.first + i]
    for i in range(tile.n, tile.capacity):
        tile.weight[i] = 0.0


cdef void clear_weightless_rows(const Job *job, Tile *tile) noexcept nogil:
    """Put rows that count for nothing at the centre: those that fill up the last strip, and in
    sums those of weight zero, whose squares might overflow: zero times infinity is NaN.
    """
    cdef Py_ssize_t i
    if job.sample_weight != NULL and job.mstep != NO_SUMS:
        for i in range(tile.n):
            if tile.weight[i] == 0.0:
                clear_row(job, tile, i)
    for i in range(tile.n, tile.capacity):
        clear_row(job, tile, i)


cdef void clear_row(const Job *job, Tile *tile, Py_ssize_t i) noexcept nogil:
    cdef Py_ssize_t j
    cdef scalar *lane = lane_of(job, tile, i)
    for j in range(job.d):
        lane[j * STRIP] = 0.0


cdef void add_features(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t s, v
    if job.features == PLAIN:
        return
    for s in range(tile.capacity // STRIP):
        for v in range(NV):
            add_features_of_vector(job, tile.strips + s * STRIP * job.f + v * VL)


cdef void add_features_of_vector(const Job *job, scalar *strip) noexcept nogil:
    cdef Py_ssize_t p, q, d = job.d
    cdef scalar *out = strip + d * STRIP
    cdef vec x, norm
    if job.features == WITH_PRODUCTS:
        for p in range(d):
            x = vload(strip + p * STRIP)
            for q in range(p + 1):
                vstore(out, x * vload(strip + q * STRIP))
                out += STRIP
    elif job.features == WITH_SQUARES:
        for p in range(d):
            x = vload(strip + p * STRIP)
            vstore(out + p * STRIP, x * x)
    else:
        norm = vset1(0.0)
        for p in range(d):
            x = vload(strip + p * STRIP)
            norm = norm + x * x
        vstore(out, norm)


cdef void fill_panels(const Job *job, Tile *tile) noexcept nogil:
    """Panels from strips: the same numbers, features beside each other."""
    cdef Py_ssize_t q, v, i, width
    for q from 0 <= q < job.f_padded by PANEL:
        width = panel_width(q, job.f_padded)
        for v from 0 <= v < width by VL:
            for i from 0 <= i < tile.capacity by VL:
                fill_block(
                    job, tile, i, q + v, tile.panels + q * tile.capacity + i * width + v, width
                )


cdef inline void fill_block(
    const Job *job, const Tile *tile, Py_ssize_t i, Py_ssize_t q, scalar *out, Py_ssize_t width
) noexcept nogil:
    """VL rows from row i on of VL features from feature q on."""
    cdef Py_ssize_t j
    cdef const scalar *lane = lane_of(job, tile, i)
    cdef vec block[16]
    for j in range(VL):
        block[j] = vload(lane + (q + j) * STRIP) if q + j < job.f else vset1(0.0)
    transpose(VL, block)
    for j in range(VL):
        vstore(out + j * width, block[j])
