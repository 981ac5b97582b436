# What every kernel is made of: vectors, memory in aligned parts, transposition, the logarithm and
# the power of two.

from libc.stdint cimport uint64_t, uintptr_t

cdef extern from "simd.h" nogil:
    ctypedef double scalar
    ctypedef double vec
    enum:
        IS_SINGLE
        VECTOR_BYTES
        VL
        LOG2_VL
        OUTER_ROWS
        DOT_COLUMNS
    const scalar ROUND_MAGIC
    const char *GAUSSMIX_COMPILER
    vec vload(const scalar *p)
    vec vload_float(const float *p)
    vec vload_double(const double *p)
    void vstore(scalar *p, vec a)
    void vstore_float(float *p, vec a)
    void vstore_double(double *p, vec a)
    void vadd_to(double *total, vec a)
    vec vset1(scalar a)
    vec vabs(vec a)
    vec vmax(vec a, vec b)
    vec vsqrt(vec a)
    vec vreciprocal(vec a)
    vec vselect_gt(vec a, vec b, vec yes, vec no)
    vec vscale2(vec p, vec t)
    vec vexponent(vec a)
    vec vmantissa(vec a)
    vec vzip_lo(vec a, vec b)
    vec vzip_hi(vec a, vec b)
    bint vany_gt(vec a, vec b)
    bint vall_gt(vec a, vec b)
    double vsum(vec a)
    void prefetch(const void *p)
    # In double precision only:
    ctypedef uint64_t vec_bits
    vec_bits vload_bits(const uint64_t *p)
    vec_bits vset1_bits(uint64_t a)
    vec_bits vrotate(vec_bits a, int by)
    vec vfraction(vec_bits a)
    vec vif_bit(vec_bits a, int bit, vec value)
    vec vflip(vec_bits a, vec value)

cdef enum:
    NV = 3              # vectors of rows in a strip
    STRIP = NV * VL


cdef inline Py_ssize_t round_up(Py_ssize_t a, Py_ssize_t multiple) noexcept nogil:
    return (a + multiple - 1) // multiple * multiple


cdef struct Scratch:
    char *start                 # NULL only counts
    Py_ssize_t used


cdef void *take(Scratch *scratch, Py_ssize_t n_bytes) noexcept nogil:
    """The next bytes of the scratch memory, on a cache line of their own."""
    cdef char *taken = scratch.start + scratch.used if scratch.start != NULL else NULL
    scratch.used += round_up(n_bytes, 64)
    return taken


cdef void *aligned(void *p) noexcept nogil:
    return <void *> (((<uintptr_t> p) + 63) & ~(<uintptr_t> 63))


cdef inline void transpose(Py_ssize_t m, vec *block) noexcept nogil:
    """Transpose m vectors, m a power of two: each perfect shuffle of the m * VL numbers rotates
    the bits of their positions by one, and log2(VL) of them exchange row and column.
    """
    cdef vec other[16]
    if LOG2_VL == 1:
        shuffle_into(m, block, other)
        copy_vectors(m, other, block)
    elif LOG2_VL == 2:
        shuffle_into(m, block, other)
        shuffle_into(m, other, block)
    elif LOG2_VL == 3:
        shuffle_into(m, block, other)
        shuffle_into(m, other, block)
        shuffle_into(m, block, other)
        copy_vectors(m, other, block)
    elif LOG2_VL == 4:
        shuffle_into(m, block, other)
        shuffle_into(m, other, block)
        shuffle_into(m, block, other)
        shuffle_into(m, other, block)


cdef inline void shuffle_into(Py_ssize_t m, const vec *block, vec *out) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(m // 2):
        out[2 * i] = vzip_lo(block[i], block[i + m // 2])
        out[2 * i + 1] = vzip_hi(block[i], block[i + m // 2])


cdef inline void copy_vectors(Py_ssize_t m, const vec *a, vec *out) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(m):
        out[i] = a[i]


# log2(m) = 2/ln2 * atanh(f), f = (m - 1)/(m + 1): series in f^2, relative error 3e-9 for single
# precision, 5e-18 for double.
cdef inline vec log2_positive(vec x) noexcept nogil:
    """log2(x) for positive normal x."""
    cdef vec m = vmantissa(x)
    cdef vec f = (m - vset1(1.0)) * vreciprocal(m + vset1(1.0))
    cdef vec z = f * f
    cdef vec p
    if IS_SINGLE:
        p = vset1(0.147899747)
        p = p * z + vset1(0.1999439028)
        p = p * z + vset1(0.3333334252)
    else:
        p = vset1(0.07308224842521703)
        p = p * z + vset1(0.07665860800278021)
        p = p * z + vset1(0.09091444562630861)
        p = p * z + vset1(0.1111110556739754)
        p = p * z + vset1(0.14285714312987743)
        p = p * z + vset1(0.19999999999949752)
        p = p * z + vset1(0.3333333333333335)
    return vexponent(x) + vset1(2.8853900817779268) * (f + f * (z * p))


cdef inline vec exp2_above(vec x, scalar floor) noexcept nogil:
    """2^x for floor < x <= 0; zero at and below `floor`, and for NaN.

    `floor` is at least `lowest_exponent`, below which the result would be subnormal.
    """
    cdef vec t = x + ROUND_MAGIC
    cdef vec r = x - (t - ROUND_MAGIC)
    return vselect_gt(x, vset1(floor), vscale2(exp2_reduced(r), t), vset1(0.0))


cdef inline scalar lowest_exponent() noexcept nogil:
    return -125.0 if IS_SINGLE else -1021.0


# Polynomials of 2^r on [-1/2, 1/2], fitted at Chebyshev nodes in 60 digits: degree 6 with relative
# error 3e-9 for single precision, degree 11 with 4e-18 for double.
cdef inline vec exp2_reduced(vec r) noexcept nogil:
    cdef vec p
    if IS_SINGLE:
        p = vset1(0.000154614447)
        p = p * r + vset1(0.001340042818)
        p = p * r + vset1(0.009618056679)
        p = p * r + vset1(0.05550327227)
        p = p * r + vset1(0.2402265092)
        p = p * r + vset1(0.6931472067)
    else:
        p = vset1(4.4558179083360645e-10)
        p = p * r + vset1(7.074194297288521e-09)
        p = p * r + vset1(1.0178057087733941e-07)
        p = p * r + vset1(1.3215432535912375e-06)
        p = p * r + vset1(1.5252733841556773e-05)
        p = p * r + vset1(0.00015403530463724353)
        p = p * r + vset1(0.001333355814640647)
        p = p * r + vset1(0.009618129107587256)
        p = p * r + vset1(0.055504108664821625)
        p = p * r + vset1(0.24022650695910158)
        p = p * r + vset1(0.6931471805599453)
    return p * r + vset1(1.0)
