# Random numbers as a function of a key and of their place: any thread can make any of them.
#
# Threefry-4x64-20 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3) turns a
# counter of four words into four random ones. The counter is (block, row, draw, 0), and the words
# of blocks 0, 1, 2 ... follow each other: the first is a uniform number, the second is left over,
# and each pair after that makes two normal numbers (Box & Muller 1958).

cdef enum:
    PARITY = 4          # place of the parity word, behind the four of the key

cdef inline void threefry(const uint64_t *key, vec_bits *x) noexcept nogil:
    """Encrypt counters x, (4,), with a key, (5,)."""
    cdef int i
    for i in range(4):
        x[i] = x[i] + vset1_bits(key[i])
    four_even_rounds(x)
    add_key(key, 1, x)
    four_odd_rounds(x)
    add_key(key, 2, x)
    four_even_rounds(x)
    add_key(key, 3, x)
    four_odd_rounds(x)
    add_key(key, 4, x)
    four_even_rounds(x)
    add_key(key, 5, x)


cdef inline void four_even_rounds(vec_bits *x) noexcept nogil:
    mix(x, x + 1, 14)
    mix(x + 2, x + 3, 16)
    mix(x, x + 3, 52)
    mix(x + 2, x + 1, 57)
    mix(x, x + 1, 23)
    mix(x + 2, x + 3, 40)
    mix(x, x + 3, 5)
    mix(x + 2, x + 1, 37)


cdef inline void four_odd_rounds(vec_bits *x) noexcept nogil:
    mix(x, x + 1, 25)
    mix(x + 2, x + 3, 33)
    mix(x, x + 3, 46)
    mix(x + 2, x + 1, 12)
    mix(x, x + 1, 58)
    mix(x + 2, x + 3, 22)
    mix(x, x + 3, 32)
    mix(x + 2, x + 1, 32)


cdef inline void mix(vec_bits *a, vec_bits *b, int rotation) noexcept nogil:
    a[0] = a[0] + b[0]
    b[0] = vrotate(b[0], rotation) ^ a[0]


cdef inline void add_key(const uint64_t *key, int number, vec_bits *x) noexcept nogil:
    cdef int i
    for i in range(4):
        x[i] = x[i] + vset1_bits(key[(number + i) % 5])
    x[3] = x[3] + vset1_bits(number)


cdef inline void set_parity(uint64_t *key) noexcept nogil:
    key[PARITY] = <uint64_t> 0x1BD11BDAA9FC1A22 ^ key[0] ^ key[1] ^ key[2] ^ key[3]


cdef inline vec uniform(vec_bits a) noexcept nogil:
    """A multiple of 2^-53 in [0, 1), from the first 53 bits."""
    return (vfraction(a) - vset1(1.0)) + vif_bit(a, 11, vset1(TWO_TO_MINUS_53))


# sin(pi/2 a) / a and (cos(pi/2 a) - 1) / a^2 as polynomials in a^2 on [0, 1/4], fitted at
# Chebyshev nodes in 60 digits, with relative errors of 4e-18 and 5e-19.
cdef inline void normal_pair(vec_bits a, vec_bits b, vec *first, vec *second) noexcept nogil:
    """Two normal numbers: `a` decides how far they are from zero together, `b` in what direction.

    The distance follows from a multiple of 2^-53 in (0, 1]. The direction is an angle of at most
    an eighth of a turn, of the last 62 bits, from an axis, which the first two choose.
    """
    cdef vec radius = vsqrt(
        vset1(MINUS_TWO_LN2) * log2_positive(uniform(a) + vset1(TWO_TO_MINUS_53))
    )
    cdef vec angle = (vfraction(b << 2) - vset1(1.5)) + vset1(TWO_TO_MINUS_53)
    cdef vec t = angle * angle
    cdef vec sine = vset1(5.633933781537854e-08)
    cdef vec cosine = vset1(-6.329396344967424e-09)
    sine = sine * t + vset1(-3.59864335298231e-06)
    sine = sine * t + vset1(0.0001604411507421909)
    sine = sine * t + vset1(-0.004681754132340976)
    sine = sine * t + vset1(0.07969262624604301)
    sine = sine * t + vset1(-0.6459640975062443)
    sine = sine * t + vset1(1.5707963267948966)
    cosine = cosine * t + vset1(4.710678405505227e-07)
    cosine = cosine * t + vset1(-2.5202039028029178e-05)
    cosine = cosine * t + vset1(0.0009192602745468447)
    cosine = cosine * t + vset1(-0.020863480763340773)
    cosine = cosine * t + vset1(0.2536695079010478)
    cosine = cosine * t + vset1(-1.2337005501361697)
    sine = radius * (sine * angle)
    cosine = vflip(b, radius * (cosine * t + vset1(1.0)))
    first[0] = vif_bit(b, 62, sine) + vif_bit(~b, 62, cosine)
    second[0] = vif_bit(b, 62, cosine) + vif_bit(~b, 62, sine)


cdef double TWO_TO_MINUS_53 = 1.1102230246251565e-16
cdef double MINUS_TWO_LN2 = -1.3862943611198906


cdef inline Py_ssize_t n_blocks(Py_ssize_t d) noexcept nogil:
    """Blocks that hold the uniform and d normal numbers."""
    return ((d + 1) // 2 + 2) // 2


cdef void first_block(
    const uint64_t *key, const uint64_t *row, const uint64_t *draw, Py_ssize_t n,
    double *uniforms,           # OUT (n,)
    double *normals,            # OUT (2, stride): the first two
    Py_ssize_t stride,
) noexcept nogil:
    """What places get of block 0; all arrays are as long as n rounded up to whole vectors."""
    cdef Py_ssize_t i
    cdef vec z[2]
    cdef vec_bits x[4]
    for i from 0 <= i < n by VL:
        x[0] = vset1_bits(0)
        x[1] = vload_bits(row + i)
        x[2] = vload_bits(draw + i)
        x[3] = vset1_bits(0)
        threefry(key, x)
        vstore(uniforms + i, uniform(x[0]))
        normal_pair(x[2], x[3], z, z + 1)
        vstore(normals + i, z[0])
        vstore(normals + stride + i, z[1])


cdef void later_blocks(
    const uint64_t *key, const uint64_t *row, const uint64_t *draw, Py_ssize_t n, Py_ssize_t d,
    double *normals,            # INOUT (4 n_blocks - 2, stride), of which the first two are there
    Py_ssize_t stride,
) noexcept nogil:
    """The other normal numbers of the places."""
    cdef Py_ssize_t block, i
    cdef vec z[4]
    cdef vec_bits x[4]
    cdef double *out
    for block in range(1, n_blocks(d)):
        out = normals + (4 * block - 2) * stride
        for i from 0 <= i < n by VL:
            x[0] = vset1_bits(block)
            x[1] = vload_bits(row + i)
            x[2] = vload_bits(draw + i)
            x[3] = vset1_bits(0)
            threefry(key, x)
            normal_pair(x[0], x[1], z, z + 1)
            vstore(out + i, z[0])
            vstore(out + stride + i, z[1])
            if 4 * block < d:
                normal_pair(x[2], x[3], z + 2, z + 3)
                vstore(out + 2 * stride + i, z[2])
                vstore(out + 3 * stride + i, z[3])
