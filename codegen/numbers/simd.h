/* Two numbers of 16 bits, or four of 8, in one word: what a Cortex-M4 does in an instruction, and its twins in C.
 *
 * Lanes are numbered from the low end. Sums wrap round as the instructions' do.
 */
#ifndef NN_SIMD_H
#define NN_SIMD_H

#include <stdint.h>
#include <string.h>

#include "assembly.h"

#if NN_ASSEMBLY
#if !defined(__clang__) && __GNUC__ < 10
#error "arm_acle.h has these instructions since GCC 10: take that or a newer one, or -DNN_PORTABLE for plain C"
#endif
#include <arm_acle.h>
#ifdef __clang__
typedef int8x4_t nn_bytes_t; /* what __uxtb16 takes: as the standard says, */
#else
typedef uint8x4_t nn_bytes_t; /* and as GCC has it */
#endif
#endif

/* A word, and two numbers as one: low, high */
static inline uint32_t nn_word(const void *numbers)
{
    uint32_t word;
    memcpy(&word, numbers, sizeof word);
    return word;
}

static inline void nn_put_word(void *numbers, uint32_t word)
{
    memcpy(numbers, &word, sizeof word);
}

/* What the compiler knows of `word` ends here: a loop that copies a few words stays one, and is no call of memmove */
#if defined(__GNUC__)
#define NN_IN_REGISTER(word) __asm__("" : "+r"(word))
#else
#define NN_IN_REGISTER(word) (void)0
#endif

static inline uint32_t nn_pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
}

static inline int32_t nn_low(uint32_t pair)
{
    return (int16_t)(uint16_t)pair;
}

static inline int32_t nn_high(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair >> 16);
}

/* Bytes 0 and 2 of a word as a pair, or with `odd` bytes 1 and 3; signed, or without a sign */
static inline uint32_t nn_bytes(uint32_t word, int odd, int is_unsigned)
{
#if NN_ASSEMBLY
    const uint32_t turned = odd ? word >> 8 | word << 24 : word;
    return is_unsigned ? (uint32_t)__uxtb16((nn_bytes_t)turned) : (uint32_t)__sxtb16((int8x4_t)turned);
#else
    const uint32_t bytes = (odd ? word >> 8 : word) & 0x00FF00FFu;
    return is_unsigned ? bytes : nn_pair((int8_t)(uint8_t)bytes, (int8_t)(uint8_t)(bytes >> 16));
#endif
}

/* Both lanes of `pair`, plus bytes 0 and 2 of a word, or with `odd` bytes 1 and 3 */
static inline uint32_t nn_add_bytes(uint32_t pair, uint32_t word, int odd, int is_unsigned)
{
#if NN_ASSEMBLY
    uint32_t sums; /* the intrinsics know no rotation */
    if (is_unsigned) {
        if (odd) {
            __asm__("uxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(pair), "r"(word));
        } else {
            __asm__("uxtab16 %0, %1, %2" : "=r"(sums) : "r"(pair), "r"(word));
        }
    } else if (odd) {
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(sums) : "r"(pair), "r"(word));
    } else {
        __asm__("sxtab16 %0, %1, %2" : "=r"(sums) : "r"(pair), "r"(word));
    }
    return sums;
#else
    const uint32_t bytes = nn_bytes(word, odd, is_unsigned);
    return nn_pair(nn_low(pair) + nn_low(bytes), nn_high(pair) + nn_high(bytes));
#endif
}

/* As nn_bytes, less `zero`, in as many instructions */
static inline uint32_t nn_bytes_less(uint32_t word, int odd, int is_unsigned, int zero)
{
    return zero ? nn_add_bytes(nn_pair(-zero, -zero), word, odd, is_unsigned) : nn_bytes(word, odd, is_unsigned);
}

/* sum + low x low + high x high */
static inline int32_t nn_dual(uint32_t x, uint32_t y, int32_t sum)
{
#if NN_ASSEMBLY
    return __smlad((int16x2_t)x, (int16x2_t)y, sum);
#else
    return (int32_t)((uint32_t)sum + (uint32_t)(nn_low(x) * nn_low(y)) + (uint32_t)(nn_high(x) * nn_high(y)));
#endif
}

/* Likewise, in 64 bits */
static inline int64_t nn_dual_long(uint32_t x, uint32_t y, int64_t sum)
{
#if NN_ASSEMBLY
    return __smlald((int16x2_t)x, (int16x2_t)y, sum);
#else
    return sum + (int64_t)nn_low(x) * nn_low(y) + (int64_t)nn_high(x) * nn_high(y);
#endif
}

static inline uint32_t nn_add_pairs(uint32_t x, uint32_t y)
{
#if NN_ASSEMBLY
    return (uint32_t)__sadd16((int16x2_t)x, (int16x2_t)y);
#else
    return nn_pair(nn_low(x) + nn_low(y), nn_high(x) + nn_high(y));
#endif
}

static inline uint32_t nn_subtract_pairs(uint32_t x, uint32_t y)
{
#if NN_ASSEMBLY
    return (uint32_t)__ssub16((int16x2_t)x, (int16x2_t)y);
#else
    return nn_pair(nn_low(x) - nn_low(y), nn_high(x) - nn_high(y));
#endif
}

/* Both lanes limited to 0 .. 2^bits - 1; `bits` is a constant, 1 to 15 */
static inline __attribute__((always_inline)) uint32_t nn_clamp_pairs(uint32_t pair, int bits)
{
#if NN_ASSEMBLY
#define NN_CLAMP(bits)                                                      \
    case bits:                                                              \
        __asm__("usat16 %0, #" #bits ", %1" : "=r"(clamped) : "r"(pair)); \
        return clamped;
    uint32_t clamped;
    switch (bits) { /* the instruction has the bits in itself */
        NN_CLAMP(1)
        NN_CLAMP(2)
        NN_CLAMP(3)
        NN_CLAMP(4)
        NN_CLAMP(5)
        NN_CLAMP(6)
        NN_CLAMP(7)
        NN_CLAMP(8)
        NN_CLAMP(9)
        NN_CLAMP(10)
        NN_CLAMP(11)
        NN_CLAMP(12)
        NN_CLAMP(13)
        NN_CLAMP(14)
    default:
        __asm__("usat16 %0, #15, %1" : "=r"(clamped) : "r"(pair));
        return clamped;
    }
#undef NN_CLAMP
#else
    const int32_t most = (1 << bits) - 1, low = nn_low(pair), high = nn_high(pair);
    return nn_pair(low < 0 ? 0 : low > most ? most : low, high < 0 ? 0 : high > most ? most : high);
#endif
}

/* The larger of each two bytes; signed, or without a sign */
static inline uint32_t nn_larger_bytes(uint32_t x, uint32_t y, int is_unsigned)
{
#if NN_ASSEMBLY
    if (is_unsigned) { /* SEL takes x where it is not below y */
        (void)__usub8((uint8x4_t)x, (uint8x4_t)y);
    } else {
        (void)__ssub8((int8x4_t)x, (int8x4_t)y);
    }
    return (uint32_t)__sel((uint8x4_t)x, (uint8x4_t)y);
#else
    const uint32_t turn = is_unsigned ? 0u : 0x80808080u; /* signed numbers in the order of those without a sign */
    uint32_t larger = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        const uint32_t one = (x ^ turn) >> shift & 255, other = (y ^ turn) >> shift & 255;
        larger |= (one > other ? one : other) << shift;
    }
    return larger ^ turn;
#endif
}

static inline uint32_t nn_smaller_bytes(uint32_t x, uint32_t y, int is_unsigned)
{
#if NN_ASSEMBLY
    if (is_unsigned) {
        (void)__usub8((uint8x4_t)x, (uint8x4_t)y);
    } else {
        (void)__ssub8((int8x4_t)x, (int8x4_t)y);
    }
    return (uint32_t)__sel((uint8x4_t)y, (uint8x4_t)x);
#else
    return ~nn_larger_bytes(~x, ~y, is_unsigned);
#endif
}

/* The larger of each two lanes */
static inline uint32_t nn_larger_pairs(uint32_t x, uint32_t y)
{
#if NN_ASSEMBLY
    (void)__ssub16((int16x2_t)x, (int16x2_t)y);
    return (uint32_t)__sel((uint8x4_t)x, (uint8x4_t)y);
#else
    const int32_t low = nn_low(x) > nn_low(y) ? nn_low(x) : nn_low(y);
    return nn_pair(low, nn_high(x) > nn_high(y) ? nn_high(x) : nn_high(y));
#endif
}

static inline uint32_t nn_smaller_pairs(uint32_t x, uint32_t y)
{
#if NN_ASSEMBLY
    (void)__ssub16((int16x2_t)x, (int16x2_t)y);
    return (uint32_t)__sel((uint8x4_t)y, (uint8x4_t)x);
#else
    return ~nn_larger_pairs(~x, ~y);
#endif
}

/* Each byte less another, modulo 256 */
static inline uint32_t nn_subtract_bytes(uint32_t x, uint32_t y)
{
#if NN_ASSEMBLY
    return (uint32_t)__usub8((uint8x4_t)x, (uint8x4_t)y);
#else
    return ((x | 0x80808080u) - (y & 0x7F7F7F7Fu)) ^ ((x ^ ~y) & 0x80808080u);
#endif
}

/* sum + one lane of `pair` x a factor of 16 bits */
static inline int32_t nn_add_product(int32_t sum, uint32_t pair, int high, int32_t factor)
{
#if NN_ASSEMBLY
    return high ? __smlatb((int32_t)pair, factor, sum) : __smlabb((int32_t)pair, factor, sum);
#else
    return (int32_t)((uint32_t)sum + (uint32_t)((high ? nn_high(pair) : nn_low(pair)) * factor));
#endif
}

/* Two numbers as one, like nn_pair, in one instruction */
static inline uint32_t nn_packed(int32_t low, int32_t high)
{
#if NN_ASSEMBLY
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
    return pair;
#else
    return nn_pair(low, high);
#endif
}

/* Four numbers as one word, the first at its low end */
static inline uint32_t nn_packed_bytes(int32_t x0, int32_t x1, int32_t x2, int32_t x3)
{
#if NN_ASSEMBLY
    uint32_t word = (uint32_t)x0;
    __asm__("bfi %0, %1, #8, #8\n\tbfi %0, %2, #16, #8\n\tbfi %0, %3, #24, #8" : "+&r"(word) : "r"(x1), "r"(x2), "r"(x3));
    return word;
#else
    return ((uint32_t)x0 & 255) | ((uint32_t)x1 & 255) << 8 | ((uint32_t)x2 & 255) << 16 | (uint32_t)x3 << 24;
#endif
}

/* A constant that stays in a register, so that a shift can be a part of what uses it */
static inline uint32_t nn_kept(uint32_t constant)
{
#if NN_ASSEMBLY
    __asm__("" : "+r"(constant));
#endif
    return constant;
}

/* Words that are there before anything goes on: their loads follow one another, which saves a cycle for each. */
static inline void nn_together(uint32_t *x0, uint32_t *x1, uint32_t *x2, uint32_t *x3)
{
#if NN_ASSEMBLY
    __asm__ volatile("" : "+r"(*x0), "+r"(*x1), "+r"(*x2), "+r"(*x3));
#else
    (void)x0, (void)x1, (void)x2, (void)x3;
#endif
}

#endif
