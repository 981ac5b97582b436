# What a kernel works on: a job (the same for every row), and a tile (some rows, in cache).
#
# A tile holds its rows, less the centre, twice: in strips with lanes = rows for the E-step,
# and in panels with lanes = features for the outer products of the M-step.
#
#   strips  [strip][feature][STRIP]     panels  [panel][row][panel width]
#
# Both are contiguous where the inner loops run, so that no power-of-two stride makes rows
# collide in the first-level cache.

from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, fabs, isfinite, log
from libc.stdint cimport uintptr_t
from libc.string cimport memset

cdef extern from "simd.h" nogil:
    ctypedef double vd
    enum:
        VL
        OUTER_ROWS
    const double ROUND_MAGIC
    const char *GAUSSMIX_COMPILER
    vd vload(const double *p)
    void vstore(double *p, vd a)
    vd vset1(double a)
    vd vmax(vd a, vd b)
    vd vselect_gt(vd a, vd b, vd yes, vd no)
    vd vscale2(vd p, vd t)
    vd vexponent(vd a)
    vd vmantissa(vd a)
    int vany_not_above(vd a, double floor)
    double vsum(vd a)
    int gaussmix_openmp_max_threads()

cdef enum:
    NV = 3              # vectors of rows in a strip, and of features in a panel
    STRIP = NV * VL
    PANEL = NV * VL
    PANEL_ROWS = 4      # outputs of one E-step panel: 4 x 3 accumulators fit 16 registers
    LINE = 8            # doubles in a cache line

# How a row's scores are found (E-step).
cdef enum EStep:
    TRIANGULAR          # |U'(x - mean)|^2 with a triangular factor for each component
    DIRECT              # |scale * (z - mean)|^2, with z = x or z = U'x
    DISTANCES           # |x - mean|^2
    LINEAR              # coefficients * features(x) + constant
    NEAREST             # LINEAR, then the whole weight of the row to the best
    GIVEN               # responsibilities from the caller

# What is summed (M-step).
cdef enum MStep:
    NO_SUMS
    OUTER               # second moments, one matrix for each component
    OUTER_POOLED        # second moments, one matrix for all components
    SQUARES             # second moments of each feature alone
    FEATURES            # responsibilities' * features(x)
    SUMS                # first moments alone

# The features of LINEAR and FEATURES.
cdef enum Features:
    PLAIN               # x
    WITH_SQUARES        # x, x^2
    WITH_NORM           # x, |x|^2

cdef double LOG2E = 1.4426950408889634
cdef double LN2 = 0.6931471805599453
# A difference whose square is below the range of doubles. It counts as none: beside any variance
# that a double can hold it is, and arithmetic on subnormal numbers is tens of times slower.
cdef double NEGLIGIBLE = 1e-160
cdef double LOWEST = -1.7e308   # a score not above this has overflowed

cdef struct Job:
    const void *rows            # (n, d) float32 or float64
    bint single                 # rows are float32
    const double *sample_weight     # (n,) or NULL
    const double *responsibilities  # (n, K) or NULL; GIVEN only
    Py_ssize_t n
    Py_ssize_t d
    Py_ssize_t K
    Py_ssize_t tile_rows        # a multiple of STRIP

    int estep
    int mstep
    int features
    Py_ssize_t f                # features of a strip and of a panel
    Py_ssize_t f_padded         # the same, rounded up to whole vectors

    const double *centre        # (d,)
    const double *means         # (K, d)
    const double *factors       # as the caller gave them: U, scales or coefficients; or NULL
    Py_ssize_t factor_stride    # doubles from one component's U to the next; 0 if shared
    const double *constants     # (K,) in bits
    double *packed              # factors in the order in which the E-step reads them
    double *bias                # TRIANGULAR: (K, d), minus the factor times the centred mean
    double *whitening           # DIRECT: packed shared U that makes z from x, or NULL

cdef struct Tile:
    Py_ssize_t first            # index of its first row
    Py_ssize_t n                # rows in use
    Py_ssize_t capacity         # rows in use rounded up to whole strips; the rest weigh nothing
    double *strips
    double *whitened            # strips of z
    double *panels
    double *weighted            # panels of weight * (x - mean) of one component
    double *scores              # (K, capacity): scores in bits, then responsibilities
    double *weight              # (capacity,)
    double *density             # (capacity,) log-density in bits


cdef inline Py_ssize_t round_up(Py_ssize_t a, Py_ssize_t multiple) noexcept nogil:
    return (a + multiple - 1) // multiple * multiple


cdef inline Py_ssize_t n_features(int features, Py_ssize_t d) noexcept nogil:
    if features == WITH_SQUARES:
        return 2 * d
    if features == WITH_NORM:
        return d + 1
    return d


cdef Py_ssize_t scratch_size(const Job *job) noexcept nogil:
    """Doubles that one thread needs for its tile."""
    cdef Py_ssize_t rows = job.tile_rows
    return (
        rows * job.f                                            # strips
        + (rows * job.f if job.whitening != NULL else 0)        # whitened
        + rows * round_up(job.f, VL)                            # panels
        + rows * round_up(job.f, OUTER_ROWS)                    # weighted
        + rows * job.K                                          # scores
        + 2 * rows                                              # weight, density
        + 8 * LINE
    )


cdef double *take(double **scratch, Py_ssize_t size) noexcept nogil:
    """The next `size` doubles of the scratch memory, on a cache line of their own."""
    cdef double *start = scratch[0]
    scratch[0] = start + round_up(size, LINE)
    return start


cdef double *aligned(double *p) noexcept nogil:
    return <double *> (((<uintptr_t> p) + 63) & ~(<uintptr_t> 63))


cdef void lay_out_tile(const Job *job, double *scratch, Tile *tile) noexcept nogil:
    cdef Py_ssize_t rows = job.tile_rows
    scratch = aligned(scratch)
    tile.strips = take(&scratch, rows * job.f)
    tile.whitened = tile.strips
    if job.whitening != NULL:
        tile.whitened = take(&scratch, rows * job.f)
    tile.panels = take(&scratch, rows * round_up(job.f, VL))
    tile.weighted = take(&scratch, rows * round_up(job.f, OUTER_ROWS))
    tile.scores = take(&scratch, rows * job.K)
    tile.weight = take(&scratch, rows)
    tile.density = take(&scratch, rows)


cdef inline Py_ssize_t panel_width(Py_ssize_t first, Py_ssize_t f_padded) noexcept nogil:
    return min(<Py_ssize_t> PANEL, f_padded - first)


cdef void load_tile(
    const Job *job, Py_ssize_t first, Py_ssize_t n, Tile *tile
) noexcept nogil:
    """Read rows first..first+n, centre them, and fill the tile."""
    tile.first = first
    tile.n = n
    tile.capacity = round_up(n, STRIP)
    if job.single:
        copy_rows[float](<const float *> job.rows + first * job.d, job, n, tile)
    else:
        copy_rows[double](<const double *> job.rows + first * job.d, job, n, tile)
    load_weights(job, tile)
    clear_weightless_rows(job, tile)
    add_features(job, tile)
    if job.mstep == OUTER or job.mstep == OUTER_POOLED or job.mstep == FEATURES:
        fill_panels(job, tile)


ctypedef fused real:
    float
    double


cdef void copy_rows(
    const real *rows, const Job *job, Py_ssize_t n, Tile *tile
) noexcept nogil:
    cdef Py_ssize_t i, j, d = job.d, f = job.f
    cdef const real *row
    cdef double *lane
    cdef double x
    for i in range(n):
        row = rows + i * d
        lane = tile.strips + (i // STRIP) * STRIP * f + i % STRIP
        for j in range(d):
            x = <double> row[j] - job.centre[j]
            lane[j * STRIP] = x if fabs(x) > NEGLIGIBLE else 0.0


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
    cdef double *lane = tile.strips + (i // STRIP) * STRIP * job.f + i % STRIP
    for j in range(job.d):
        lane[j * STRIP] = 0.0


cdef void add_features(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t s, j, v, d = job.d
    cdef double *strip
    cdef vd x, norm
    if job.features == PLAIN:
        return
    for s in range(tile.capacity // STRIP):
        strip = tile.strips + s * STRIP * job.f
        for v in range(NV):
            norm = vset1(0.0)
            for j in range(d):
                x = vload(strip + j * STRIP + v * VL)
                if job.features == WITH_SQUARES:
                    vstore(strip + (d + j) * STRIP + v * VL, x * x)
                else:
                    norm = norm + x * x
            if job.features == WITH_NORM:
                vstore(strip + d * STRIP + v * VL, norm)


cdef void fill_panels(const Job *job, Tile *tile) noexcept nogil:
    """Panels from strips: the same numbers, features beside each other."""
    cdef Py_ssize_t i, j, q, width
    cdef const double *lane
    cdef double *row
    for q from 0 <= q < job.f_padded by PANEL:
        width = panel_width(q, job.f_padded)
        for i in range(tile.capacity):
            lane = tile.strips + (i // STRIP) * STRIP * job.f + i % STRIP
            row = tile.panels + q * tile.capacity + i * width
            for j in range(min(width, job.f - q)):
                row[j] = lane[(q + j) * STRIP]
            for j in range(max(<Py_ssize_t> 0, job.f - q), width):
                row[j] = 0.0


cdef void load_weights(const Job *job, Tile *tile) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(tile.n):
        tile.weight[i] = 1.0 if job.sample_weight == NULL else job.sample_weight[tile.first + i]
    for i in range(tile.n, tile.capacity):
        tile.weight[i] = 0.0
