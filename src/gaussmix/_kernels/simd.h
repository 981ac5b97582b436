/* One vector, as wide as the instruction set this file is compiled for, and the operations on it
   that C does not spell with an operator.  Everything else is ordinary arithmetic, written where
   the statistics are.

   With GAUSSMIX_SINGLE, as _em.pyx is compiled the second time, a vector holds floats, not doubles.
   Sums over tiles are doubles in both. */
#ifndef GAUSSMIX_SIMD_H
#define GAUSSMIX_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef GAUSSMIX_SINGLE
typedef float scalar;
typedef uint32_t scalar_bits;
#define IS_SINGLE 1
#define MANTISSA_BITS 23
#define ROUND_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer */
#define ROUND_MAGIC_BITS UINT32_C(0x4B400000)
#define SQRT_HALF_BITS UINT32_C(0x3F3504F3)
#define SIGN_BIT UINT32_C(0x80000000)
#define EXPONENT_BIAS 256 /* SIGN_BIT >> MANTISSA_BITS: keeps exponents below zero in range */
#else
typedef double scalar;
typedef uint64_t scalar_bits;
#define IS_SINGLE 0
#define MANTISSA_BITS 52
#define ROUND_MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define ROUND_MAGIC_BITS UINT64_C(0x4338000000000000)
#define SQRT_HALF_BITS UINT64_C(0x3FE6A09E667F3BCD)
#define SIGN_BIT UINT64_C(0x8000000000000000)
#define EXPONENT_BIAS 2048
#endif

/* GAUSSMIX_SCALAR is for tests of what other compilers get. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(GAUSSMIX_SCALAR)

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define VL (VECTOR_BYTES / (IS_SINGLE ? 4 : 8))
#define LOG2_VL (VL == 16 ? 4 : VL == 8 ? 3 : VL == 4 ? 2 : 1)

typedef scalar vec __attribute__((vector_size(VECTOR_BYTES)));
typedef scalar_bits vec_bits __attribute__((vector_size(VECTOR_BYTES)));
typedef scalar vec_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(scalar)), may_alias));
typedef float floats __attribute__((vector_size(4 * VL), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(8 * VL), aligned(8), may_alias));

static inline vec vload(const scalar *p) { return *(const vec_unaligned *)p; }
static inline void vstore(scalar *p, vec a) { *(vec_unaligned *)p = a; }
static inline vec vload_float(const float *p) {
    return __builtin_convertvector(*(const floats *)p, vec);
}
static inline vec vload_double(const double *p) {
    return __builtin_convertvector(*(const doubles *)p, vec);
}
static inline void vadd_to(double *sum, vec a) {
    *(doubles *)sum += __builtin_convertvector(a, doubles);
}
static inline void vstore_float(float *p, vec a) {
    *(floats *)p = __builtin_convertvector(a, floats);
}
static inline void vstore_double(double *p, vec a) {
    *(doubles *)p = __builtin_convertvector(a, doubles);
}
static inline vec vset1(scalar a) { return a - (vec){0}; }
static inline vec_bits vset1_bits(scalar_bits a) { return a - (vec_bits){0}; }
static inline vec_bits vload_bits(const scalar_bits *p) {
    vec_bits a;
    memcpy(&a, p, sizeof a);
    return a;
}
static inline vec vfrom_bits(vec_bits a) { return (vec)a; }
static inline vec_bits vto_bits(vec a) { return (vec_bits)a; }
static inline vec vabs(vec a) { return (vec)((vec_bits)a & ~SIGN_BIT); }
/* p * 2^n, where t = n + ROUND_MAGIC holds the integer n in its lowest bits. */
static inline vec vscale2(vec p, vec t) {
    return (vec)((vec_bits)p + ((vec_bits)t << MANTISSA_BITS));
}
/* A positive normal number as 2^e * m with m in [sqrt(1/2), sqrt(2)). */
static inline vec vexponent(vec a) {
    vec_bits e = ((vec_bits)a + (SIGN_BIT - SQRT_HALF_BITS)) >> MANTISSA_BITS;
    return (vec)(e + ROUND_MAGIC_BITS) - (ROUND_MAGIC + EXPONENT_BIAS);
}
static inline vec vmantissa(vec a) {
    vec_bits e = ((vec_bits)a - SQRT_HALF_BITS) >> MANTISSA_BITS;
    return (vec)((vec_bits)a - (e << MANTISSA_BITS));
}

/* vzip_lo is a0 b0 a1 b1 ... from the lower halves, vzip_hi the same from the upper halves. */
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vec_bits){__VA_ARGS__})
#endif
#if VECTOR_BYTES == 64 && IS_SINGLE
#define ZIP_LO 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HI 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_BYTES == 64 || (VECTOR_BYTES == 32 && IS_SINGLE)
#define ZIP_LO 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HI 4, 12, 5, 13, 6, 14, 7, 15
#elif VECTOR_BYTES == 32 || IS_SINGLE
#define ZIP_LO 0, 4, 1, 5
#define ZIP_HI 2, 6, 3, 7
#else
#define ZIP_LO 0, 2
#define ZIP_HI 1, 3
#endif
static inline vec vzip_lo(vec a, vec b) { return SHUFFLE(a, b, ZIP_LO); }
static inline vec vzip_hi(vec a, vec b) { return SHUFFLE(a, b, ZIP_HI); }

#define prefetch(p) __builtin_prefetch(p)

#else /* a compiler without vector types: one lane */

#define VECTOR_BYTES (IS_SINGLE ? 4 : 8)
#define VL 1
#define LOG2_VL 0
typedef scalar vec;
typedef scalar_bits vec_bits;

static inline scalar from_bits(scalar_bits u) { scalar a; memcpy(&a, &u, sizeof a); return a; }
static inline scalar_bits to_bits(scalar a) { scalar_bits u; memcpy(&u, &a, sizeof a); return u; }
static inline vec vload(const scalar *p) { return *p; }
static inline void vstore(scalar *p, vec a) { *p = a; }
static inline vec vload_float(const float *p) { return (scalar)*p; }
static inline vec vload_double(const double *p) { return (scalar)*p; }
static inline void vadd_to(double *sum, vec a) { *sum += a; }
static inline void vstore_float(float *p, vec a) { *p = (float)a; }
static inline void vstore_double(double *p, vec a) { *p = (double)a; }
static inline vec vset1(scalar a) { return a; }
static inline vec_bits vset1_bits(scalar_bits a) { return a; }
static inline vec_bits vload_bits(const scalar_bits *p) { return *p; }
static inline vec vfrom_bits(vec_bits a) { return from_bits(a); }
static inline vec_bits vto_bits(vec a) { return to_bits(a); }
static inline vec vabs(vec a) { return from_bits(to_bits(a) & ~SIGN_BIT); }
static inline vec vscale2(vec p, vec t) {
    return from_bits(to_bits(p) + (to_bits(t) << MANTISSA_BITS));
}
static inline vec vexponent(vec a) {
    scalar_bits e = (to_bits(a) + (SIGN_BIT - SQRT_HALF_BITS)) >> MANTISSA_BITS;
    return (scalar)e - EXPONENT_BIAS;
}
static inline vec vmantissa(vec a) {
    scalar_bits e = (to_bits(a) - SQRT_HALF_BITS) >> MANTISSA_BITS;
    return from_bits(to_bits(a) - (e << MANTISSA_BITS));
}
static inline vec vzip_lo(vec a, vec b) { (void)b; return a; }
static inline vec vzip_hi(vec a, vec b) { (void)a; return b; }
#define prefetch(p) ((void)(p))

#endif

/* Comparisons are written so that a NaN in `a` loses.  vmask_gt has bit i set where lane i of `a`
   is greater. */
#if VL > 1 && (defined(__x86_64__) || defined(__i386__))
#include <immintrin.h>
#if IS_SINGLE
#define INTRINSIC(prefix, op) prefix##op##_ps
#else
#define INTRINSIC(prefix, op) prefix##op##_pd
#endif
#if VECTOR_BYTES == 64
#if IS_SINGLE
#define COMPARE_GT(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#else
#define COMPARE_GT(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ)
#endif
static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm512_, max)(a, b); }
static inline vec vsqrt(vec a) { return INTRINSIC(_mm512_, sqrt)(a); }
static inline vec vselect_gt(vec a, vec b, vec yes, vec no) {
    return INTRINSIC(_mm512_mask_, blend)(COMPARE_GT(a, b), no, yes);
}
static inline unsigned vmask_gt(vec a, vec b) { return COMPARE_GT(a, b); }
#elif VECTOR_BYTES == 32
static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm256_, max)(a, b); }
static inline vec vsqrt(vec a) { return INTRINSIC(_mm256_, sqrt)(a); }
static inline vec vselect_gt(vec a, vec b, vec yes, vec no) {
    return INTRINSIC(_mm256_, blendv)(no, yes, (vec)(a > b));
}
static inline unsigned vmask_gt(vec a, vec b) {
    return (unsigned)INTRINSIC(_mm256_, movemask)((vec)(a > b));
}
#else
static inline vec vmax(vec a, vec b) { return INTRINSIC(_mm_, max)(a, b); }
static inline vec vsqrt(vec a) { return INTRINSIC(_mm_, sqrt)(a); }
static inline vec vselect_gt(vec a, vec b, vec yes, vec no) {
    vec_bits mask = (vec_bits)(a > b);
    return (vec)((mask & (vec_bits)yes) | (~mask & (vec_bits)no));
}
static inline unsigned vmask_gt(vec a, vec b) {
    return (unsigned)INTRINSIC(_mm_, movemask)((vec)(a > b));
}
#endif
#elif VL > 1
static inline vec vselect_gt(vec a, vec b, vec yes, vec no) {
    vec_bits mask = (vec_bits)(a > b);
    return (vec)((mask & (vec_bits)yes) | (~mask & (vec_bits)no));
}
static inline vec vmax(vec a, vec b) { return vselect_gt(a, b, a, b); }
static inline vec vsqrt(vec a) {
    for (int i = 0; i < (int)VL; i++) a[i] = (scalar)sqrt(a[i]);
    return a;
}
static inline unsigned vmask_gt(vec a, vec b) {
    unsigned mask = 0;
    for (int i = 0; i < (int)VL; i++) mask |= (unsigned)(a[i] > b[i]) << i;
    return mask;
}
#else
static inline vec vselect_gt(vec a, vec b, vec yes, vec no) { return a > b ? yes : no; }
static inline vec vmax(vec a, vec b) { return a > b ? a : b; }
static inline vec vsqrt(vec a) { return (scalar)sqrt(a); }
static inline unsigned vmask_gt(vec a, vec b) { return a > b; }
#endif

/* 1 / a to rounding, for a far from the ends of the range. */
#if VL > 1 && VECTOR_BYTES == 64
static inline vec vreciprocal(vec a) { /* 14 bits, doubled by each Newton step */
    vec y = INTRINSIC(_mm512_, rcp14)(a);
    y += y * (1 - a * y);
    return IS_SINGLE ? y : y + y * (1 - a * y);
}
#else
static inline vec vreciprocal(vec a) { return 1 / a; }
#endif

static inline int vany_gt(vec a, vec b) { return vmask_gt(a, b) != 0; }
static inline int vall_gt(vec a, vec b) { return vmask_gt(a, b) == (1u << VL) - 1u; }
/* The sum of the lanes: the upper half is added to the lower until one is left. */
static inline scalar vsum(vec a) {
    scalar lane[VL];
    vstore(lane, a);
    for (int half = (int)VL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

#if !IS_SINGLE
/* The first n lanes, fewer than all. */
static inline void vstore_some(double *p, vec a, int n) {
#if VECTOR_BYTES == 64
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1u), a);
#else
    double lane[VL];
    vstore(lane, a);
    for (int i = 0; i < n; i++) p[i] = lane[i];
#endif
}
/* Random bits: rotated, and made numbers. */
static inline vec_bits vrotate(vec_bits a, int by) { return (a << by) | (a >> (64 - by)); }
/* In [1, 2): one plus the first 52 bits as a fraction. */
static inline vec vfraction(vec_bits a) {
    return vfrom_bits((a >> 12) | UINT64_C(0x3FF0000000000000));
}
/* `value` where the bit is set, counted from the lowest, else zero. */
static inline vec vif_bit(vec_bits a, int bit, vec value) {
    return vfrom_bits(vto_bits(value) & (0 - ((a >> bit) & 1)));
}
/* `value` with its sign changed where the first bit is set. */
static inline vec vflip(vec_bits a, vec value) {
    return vfrom_bits(vto_bits(value) ^ (a & SIGN_BIT));
}
#endif

/* Register tiles of the M-step and of draws: 32 vector registers hold 8 x 3 or 4 x 6 accumulators,
   16 hold 4 x 3. */
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define OUTER_ROWS 8
#define DOT_COLUMNS 6
#else
#define OUTER_ROWS 4
#define DOT_COLUMNS 3
#endif

#if defined(__clang__)
#define GAUSSMIX_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define GAUSSMIX_COMPILER "gcc " __VERSION__
#elif defined(_MSC_VER)
#define GAUSSMIX_COMPILER "msvc"
#else
#define GAUSSMIX_COMPILER "unknown"
#endif

#endif
