/* One vector of doubles, as wide as the instruction set this file is compiled for, and the
   operations on it that C does not spell with an operator.  Everything else is ordinary
   arithmetic, written where the statistics are. */
#ifndef GAUSSMIX_SIMD_H
#define GAUSSMIX_SIMD_H

#include <stdint.h>
#include <string.h>

#define ROUND_MAGIC 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer */

#if defined(__GNUC__) || defined(__clang__)

#if defined(__AVX512F__)
#define VL 8
#elif defined(__AVX__)
#define VL 4
#else
#define VL 2
#endif

typedef double vd __attribute__((vector_size(8 * VL)));
typedef uint64_t vu __attribute__((vector_size(8 * VL)));
typedef double vd_unaligned __attribute__((vector_size(8 * VL), aligned(8), may_alias));

static inline vd vload(const double *p) { return *(const vd_unaligned *)p; }
static inline void vstore(double *p, vd a) { *(vd_unaligned *)p = a; }
static inline vd vset1(double a) { return a - (vd){0}; }
/* Comparisons are written so that a NaN in `a` loses. */
static inline vd vselect_gt(vd a, vd b, vd yes, vd no) {
    vu mask = (vu)(a > b);
    return (vd)((mask & (vu)yes) | (~mask & (vu)no));
}
/* p * 2^n, where t = n + ROUND_MAGIC holds the integer n in its lowest bits. */
static inline vd vscale2(vd p, vd t) { return (vd)((vu)p + ((vu)t << 52)); }
/* A positive normal number as 2^e * m with m in [sqrt(1/2), sqrt(2)). */
#define SQRT_HALF_BITS UINT64_C(0x3FE6A09E667F3BCD)
static inline vd vexponent(vd a) {
    vu e = ((vu)a - SQRT_HALF_BITS) >> 52;
    return (vd)(e + UINT64_C(0x4338000000000000)) - ROUND_MAGIC;
}
static inline vd vmantissa(vd a) {
    vu e = ((vu)a - SQRT_HALF_BITS) >> 52;
    return (vd)((vu)a - (e << 52));
}

#else /* a compiler without vector types: one lane */

#define VL 1
typedef double vd;

static inline double bits_to_double(uint64_t u) { double d; memcpy(&d, &u, 8); return d; }
static inline uint64_t double_to_bits(double d) { uint64_t u; memcpy(&u, &d, 8); return u; }
static inline vd vload(const double *p) { return *p; }
static inline void vstore(double *p, vd a) { *p = a; }
static inline vd vset1(double a) { return a; }
static inline vd vselect_gt(vd a, vd b, vd yes, vd no) { return a > b ? yes : no; }
static inline vd vscale2(vd p, vd t) {
    return bits_to_double(double_to_bits(p) + (double_to_bits(t) << 52));
}
#define SQRT_HALF_BITS UINT64_C(0x3FE6A09E667F3BCD)
static inline vd vexponent(vd a) {
    return (double)((double_to_bits(a) - SQRT_HALF_BITS) >> 52);
}
static inline vd vmantissa(vd a) {
    uint64_t e = (double_to_bits(a) - SQRT_HALF_BITS) >> 52;
    return bits_to_double(double_to_bits(a) - (e << 52));
}

#endif

static inline vd vmax(vd a, vd b) { return vselect_gt(a, b, a, b); }
/* `floor`, the lowest finite double, is what a comparison with -inf or NaN fails against. */
static inline int vany_not_above(vd a, double floor) {
    double lane[VL];
    int found = 0;
    vstore(lane, a);
    for (int i = 0; i < VL; i++) found |= !(lane[i] > floor);
    return found;
}
static inline double vsum(vd a) {
    double lane[VL], sum = 0.0;
    vstore(lane, a);
    for (int i = 0; i < VL; i++) sum += lane[i];
    return sum;
}

/* Register tile of the outer product in the M-step: 32 vector registers hold 8 x 3
   accumulators, 16 hold 4 x 3. */
#if VL == 8 || defined(__aarch64__)
#define OUTER_ROWS 8
#else
#define OUTER_ROWS 4
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

#ifdef _OPENMP
#include <omp.h>
static inline int gaussmix_openmp_max_threads(void) { return omp_get_max_threads(); }
#else
static inline int gaussmix_openmp_max_threads(void) { return 0; }
#endif

#endif
