/* Which x86-64 level may run here: 4, 3 or 1 (the baseline); 0 on other processors.
 *
 * A compiler told -march=x86-64-v3 may emit any instruction of that level anywhere, so every
 * feature of the level is asked for, and also whether the operating system saves the wide
 * registers when it switches threads (OSXSAVE and XCR0): a virtual machine may hide one or
 * the other. Compiled with the baseline flags, and called before a module of a higher level
 * is loaded. Bit positions: Intel SDM, volume 2A, CPUID; levels: the x86-64 psABI.
 */
#ifndef GAUSSMIX_CPU_H
#define GAUSSMIX_CPU_H

#if defined(__x86_64__) || defined(_M_X64)

#if defined(_MSC_VER)
#include <intrin.h>
#include <immintrin.h>
#else
#include <cpuid.h>
#endif

/* registers = eax, ebx, ecx, edx of the leaf; all zero when the processor has no such leaf. */
static void gaussmix_cpuid(unsigned int leaf, unsigned int registers[4])
{
    registers[0] = registers[1] = registers[2] = registers[3] = 0;
#if defined(_MSC_VER)
    int found[4];
    __cpuid(found, (int)(leaf & 0x80000000u));
    if ((unsigned int)found[0] < leaf)
        return;
    __cpuidex(found, (int)leaf, 0);
    for (int i = 0; i < 4; i++)
        registers[i] = (unsigned int)found[i];
#else
    __get_cpuid_count(leaf, 0, &registers[0], &registers[1], &registers[2], &registers[3]);
#endif
}

/* Register states the operating system saves. Only valid when CPUID reports OSXSAVE. */
static unsigned int gaussmix_xcr0(void)
{
#if defined(_MSC_VER)
    return (unsigned int)_xgetbv(0);
#else
    unsigned int low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

static int gaussmix_has(unsigned int value, unsigned int wanted)
{
    return (value & wanted) == wanted;
}

static int gaussmix_x86_level(void)
{
    const unsigned int leaf1_ecx =
        1u << 0       /* SSE3 */
        | 1u << 9     /* SSSE3 */
        | 1u << 12    /* FMA */
        | 1u << 13    /* CMPXCHG16B */
        | 1u << 19    /* SSE4.1 */
        | 1u << 20    /* SSE4.2 */
        | 1u << 22    /* MOVBE */
        | 1u << 23    /* POPCNT */
        | 1u << 27    /* OSXSAVE */
        | 1u << 28    /* AVX */
        | 1u << 29;   /* F16C */
    const unsigned int leaf7_ebx_v3 = 1u << 3 /* BMI1 */ | 1u << 5 /* AVX2 */ | 1u << 8 /* BMI2 */;
    const unsigned int leaf7_ebx_v4 =
        1u << 16      /* AVX512F */
        | 1u << 17    /* AVX512DQ */
        | 1u << 28    /* AVX512CD */
        | 1u << 30    /* AVX512BW */
        | 1u << 31;   /* AVX512VL */
    const unsigned int extended_ecx = 1u << 0 /* LAHF */ | 1u << 5 /* LZCNT */;
    const unsigned int state_v3 = 0x06; /* SSE, AVX */
    const unsigned int state_v4 = 0xe6; /* the above, opmask, upper halves, upper sixteen zmm */
    unsigned int leaf1[4], leaf7[4], extended[4], state;

    gaussmix_cpuid(1, leaf1);
    gaussmix_cpuid(7, leaf7);
    gaussmix_cpuid(0x80000001u, extended);
    if (!gaussmix_has(leaf1[2], leaf1_ecx) || !gaussmix_has(leaf7[1], leaf7_ebx_v3)
        || !gaussmix_has(extended[2], extended_ecx))
        return 1;
    state = gaussmix_xcr0();
    if (!gaussmix_has(state, state_v3))
        return 1;
    if (!gaussmix_has(leaf7[1], leaf7_ebx_v4) || !gaussmix_has(state, state_v4))
        return 3;
    return 4;
}

#else

static int gaussmix_x86_level(void)
{
    return 0;
}

#endif
#endif
