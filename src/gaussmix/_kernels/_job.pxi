# What a kernel over rows is asked to do: a job, the same for every row. How scores are found, what
# is summed, and the parameters of the mixture.

from libc.string cimport memset

# How a row's scores are found (E-step).
cdef enum EStep:
    TRIANGULAR          # |U'(x - mean)|^2 with a triangular factor for each component
    DIRECT              # |scale * (z - mean)|^2, with z = x or z = U'x
    TURNED              # |scale * (T'x - T'mean)|^2, scales for each component, T for all
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
    FEATURES            # responsibilities' * features(x), as outer products of rows
    DOTS                # the same as dot products along the rows, which needs no panels
    SUMS                # first moments alone

# The features of LINEAR, FEATURES and DOTS.
cdef enum Features:
    PLAIN               # x
    WITH_SQUARES        # x, x^2
    WITH_NORM           # x, |x|^2
    WITH_PRODUCTS       # x, and x_p x_q for q <= p

cdef double LN2 = 0.6931471805599453


# The same by their names.
ESTEPS = {
    "triangular": <int> TRIANGULAR,
    "direct": <int> DIRECT,
    "turned": <int> TURNED,
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


cdef struct Job:
    const void *rows            # (n, d) float32 or float64; with `order` (n_rows, row_values)
    bint single_rows            # rows are float32
    const double *sample_weight     # (n,) or NULL
    const double *responsibilities  # (n, K) or NULL; GIVEN only
    const Py_ssize_t *order     # (n,) which of `rows` are meant, ascending; or NULL for all
    # With `order` only:
    const Py_ssize_t *columns   # (d,) which of their columns are meant, ascending
    Py_ssize_t row_values
    Py_ssize_t n_rows
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
    double reference            # bits that every constant was lowered by
    scalar *constants           # (K,) in bits, less the reference
    scalar *packed              # factors in the order in which the E-step reads them
    scalar *bias                # TRIANGULAR: (K, d), minus the factor times the centred mean
    scalar *whitening           # packed shared U of DIRECT, or T of TURNED, or NULL
    scalar floor                # bits below a row's best where a responsibility counts as zero


cdef inline Py_ssize_t n_features(int features, Py_ssize_t d) noexcept nogil:
    if features == WITH_SQUARES:
        return 2 * d
    if features == WITH_NORM:
        return d + 1
    if features == WITH_PRODUCTS:
        return d + d * (d + 1) // 2
    return d


def width(int features, Py_ssize_t d):
    """Features that are made of d columns."""
    return n_features(features, d)


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


cdef void attach(
    Job *job, const void *rows, Py_ssize_t n, bint single_rows, const double[::1] sample_weight
) noexcept:
    job.n = n
    job.rows = rows
    job.single_rows = single_rows
    if sample_weight is not None:
        job.sample_weight = &sample_weight[0]
