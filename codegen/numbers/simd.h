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

#endif
