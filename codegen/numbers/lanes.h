/* Numbers side by side: as many as fit into a word are worked on at once. Of float32 it is one.
 *
 *     lane_t          NN_LANES numbers
 *     NN_BLOCK        lane_t that are worked on together, so that their loads follow one another
 */
#ifndef NN_LANES_H
#define NN_LANES_H

#include "number.h"
#include "simd.h"

#define NN_LANES (4 / (int)sizeof(number_t))
#define NN_BLOCK 4
#define NN_PAIR_BYTES 0x00FF00FFu /* nn_kept, what nn_end_pairs takes as `bytes` */
#define NN_WORDS(numbers) (((numbers) + NN_LANES - 1) / NN_LANES)

/* What follows has a constant count of rounds, and each of them its own code: on the core that it was written for. */
#if !NN_ASSEMBLY
#define NN_UNROLLED
#elif defined(__clang__)
#define NN_UNROLLED _Pragma("unroll")
#else
#define NN_UNROLLED _Pragma("GCC unroll 16")
#endif

/* A part of a kernel: with constants in it where it runs fast, else a function that all layers share. */
#if NN_ASSEMBLY
#define NN_PART NN_KERNEL
#else
#define NN_PART static inline
#endif

/* Where word `i` lies of those that cover so many numbers: the last one ends where they end. */
static inline int nn_word_place(int i, int numbers)
{
    return i * NN_LANES + NN_LANES <= numbers ? i * NN_LANES : numbers - NN_LANES;
}

#if NN_NUMBER_BITS == 0
typedef float lane_t;

static inline lane_t nn_lanes(const number_t *numbers)
{
    return *numbers;
}

static inline void nn_put_lanes(number_t *numbers, lane_t lanes)
{
    *numbers = lanes;
}
#else
typedef uint32_t lane_t;

static inline lane_t nn_lanes(const number_t *numbers)
{
    return nn_word(numbers);
}

static inline void nn_put_lanes(number_t *numbers, lane_t lanes)
{
    nn_put_word(numbers, lanes);
}

/* One number in all lanes */
static inline lane_t nn_in_all_lanes(long_number_t x)
{
    return NN_LANES == 4 ? (uint8_t)x * 0x01010101u : (uint16_t)x * 0x00010001u;
}

static inline lane_t nn_smaller(lane_t x, lane_t y, int is_unsigned)
{
    return NN_LANES == 4 ? nn_smaller_bytes(x, y, is_unsigned) : nn_smaller_pairs(x, y);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion" /* of what is inside of __ssat */

/* A sum, at the scale of what is stored, but for a ceiling */
static inline int32_t nn_saturated_lane(int32_t x, nn_activation_t activation, nn_storage_t storage)
{
#if NN_ASSEMBLY
    if (storage == NN_UNSIGNED) {
        return (int32_t)__usat(x, NN_NUMBER_BITS);
    }
    return activation == NN_LINEAR ? __ssat(x, NN_NUMBER_BITS) : (int32_t)__usat(x, NN_NUMBER_BITS - 1);
#else
    return nn_saturate(nn_activate(x, activation == NN_LINEAR ? NN_LINEAR : NN_RELU, 0, 0), storage);
#endif
}

#pragma GCC diagnostic pop

/* `x[i]`, saturated, in lane i */
static inline lane_t nn_packed_lanes(const int32_t *x, nn_activation_t activation, long_number_t ceiling)
{
    const lane_t lanes = NN_LANES == 4 ? nn_packed_bytes(x[0], x[1], x[2], x[NN_LANES - 1]) : nn_packed(x[0], x[1]);
    return activation == NN_RELU_CEILING ? nn_smaller(lanes, nn_in_all_lanes(ceiling), 1) : lanes;
}

/* Numbers of 8 bits from two pairs of sums, as nn_add_bytes makes them: a shift to the right, limits, and all in a word.
 * The sums have `zero` << `shift` besides what they are of, so that no number to be stored is below 0.
 */
#define NN_PAIRS_END                                                      \
    int pair_shift;                                                       \
    int pair_bits;    /* of a sum that does not saturate, at most 15 */   \
    int pair_zero;                                                        \
    int pair_ceiling; /* of an activation, below what saturation leaves; else 0 */
#define nn_end_pairs(even, odd, bytes, p) \
    nn_ended_pairs(even, odd, bytes, (p).pair_shift, (p).pair_bits, (p).pair_zero, (p).pair_ceiling)

static inline __attribute__((always_inline)) uint32_t nn_ended_pairs(uint32_t even, uint32_t odd, uint32_t bytes,
                                                                     int shift, int bits, int zero, int ceiling)
{
    even = nn_clamp_pairs(even, bits);
    odd = nn_clamp_pairs(odd, bits);
    if (shift) {
        even = even >> shift & bytes;
        odd = odd >> shift & bytes;
    }
    uint32_t word = even | odd << 8;
    word = ceiling ? nn_smaller_bytes(word, (uint32_t)ceiling * 0x01010101u, 1) : word;
    return zero ? nn_subtract_bytes(word, (uint32_t)zero * 0x01010101u) : word;
}

#endif

#endif
