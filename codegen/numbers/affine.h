/* Affine numbers: an integer q stands for scale * (q - zero). The twin of mcusim/numbers/affine.py; included by number.h. */
#ifndef NN_AFFINE_H
#define NN_AFFINE_H

#include <stddef.h>

#include "factors.h"

/* Each channel has its own factor where there are `multipliers`. */
#define NN_FINISH                 \
    nn_factor_t factor;           \
    const int32_t *multipliers;   \
    const int8_t *shifts;         \
    nn_rounding_t rounding; /* of all factors */ \
    int zero;    /* of the output */ \
    int doubled; /* is the sum of nn_finish_of? */ \
    int straight; /* bits that it shifts away, where it rounds once for all */ \
    int single;   /* is the factor of nn_finish_of rounded once? */ \
    NN_LIMIT
#define nn_factor(channel, p) \
    ((p).multipliers ? (nn_factor_t){(p).multipliers[channel], (p).shifts[channel], NN_TWICE} : (p).factor)
#define nn_finish(sum, channel, p) \
    nn_limit((accumulator_t)nn_scaled_by((sum), nn_factor(channel, p), (p).rounding) + (p).zero, p)

/* A channel of a fast kernel has a record: its bias, its multiplier, 2^(shift - 1) + zero * 2^shift, and its shift to the right.
 * Above that, unless it is 0, is 1 more than how far its sum goes to the left first. */
#define NN_RECORD 4
#define NN_FACTOR_WORDS(p) ((p).straight ? 2 : 3) /* behind the weights of a row: all but the bias, and no shift of a line */
#define nn_set_shift(p, value) ((void)(p), (void)(value)) /* records have shifts */
#define nn_finish_of(sum, record, p)                                                                        \
    nn_limit((accumulator_t)((p).straight ? nn_on_line((sum), record, (p).straight)                        \
                             : (p).single ? nn_recorded_once((sum) >> (p).doubled, record)                 \
                                          : nn_recorded((sum) >> (p).doubled, record)), p)
/* Of mcusim/kernels/straight.py: the multiplier and the addend of a line, which is shifted. */
static inline int32_t nn_on_line(accumulator_t sum, const int32_t *record, int shift)
{
    return (int32_t)((((int64_t)sum * record[1] >> 32) + record[2]) >> shift);
}
/* Rounded once, the sum goes to the left by what is above the shift, and the product has 32 bits less. */
static inline int32_t nn_recorded_once(accumulator_t sum, const int32_t *record)
{
    const int32_t x = (int32_t)((uint32_t)sum << (record[3] >> 8 & 255));
    return (int32_t)((((int64_t)x * record[1] >> 32) + record[2]) >> (record[3] & 255));
}
static inline int32_t nn_recorded(accumulator_t sum, const int32_t *record)
{
    const int left = record[3] >> 8 & 255, right = record[3] & 255;
    const int32_t x = (int32_t)((uint32_t)sum << (left > 0 ? left - 1 : 0));
    return (int32_t)(((int64_t)nn_high_product(x, record[1]) + record[2] - (sum < 0 && right > 0)) >> right);
}

#define NN_ADDENDS_MAX 16
#define NN_ADDITION                                        \
    int zeros[NN_ADDENDS_MAX];                             \
    int left; /* bits that addends are finer than their scale */ \
    nn_factor_t factors[NN_ADDENDS_MAX];                   \
    NN_FINISH
#define nn_begin_sum(first, p) 0
#define NN_NEXT_ADDEND 0
#define nn_addend(x, input, p) \
    nn_scaled_by(((accumulator_t)(x) - (p).zeros[input]) * ((accumulator_t)1 << (p).left), (p).factors[input], (p).rounding)

#define NN_PRODUCT \
    int zeros[2];  \
    NN_FINISH
#define nn_product(x, y, p) nn_finish(((accumulator_t)(x) - (p).zeros[0]) * ((y) - (p).zeros[1]), 0, p)

#define NN_CONVERSION   \
    int from_zero;      \
    nn_factor_t factor; \
    int zero;           \
    nn_storage_t storage;
#define nn_convert(x, p) \
    nn_saturate((accumulator_t)nn_scaled((x) - (p).from_zero, (p).factor) + (p).zero, (p).storage)

/* With a factor the mean of a known count is a scaled sum; else numbers are divided, halves away from `middle`. */
#define NN_AVERAGING                              \
    int middle;                                   \
    int from_zero; /* of all numbers of a sum */  \
    nn_factor_t factor;                           \
    int zero;
#define nn_average(sum, count, p)                                                                                 \
    ((p).factor.multiplier ? (accumulator_t)nn_scaled((sum) - (p).from_zero, (p).factor) + (p).zero \
                           : nn_mean_away((sum) - (p).middle * (count), (count)) + (p).middle)

/* Mean to the nearest, halves away from zero. */
static inline accumulator_t nn_mean_away(accumulator_t sum, int count)
{
    return (sum + (sum > 0 ? count / 2 : -(count / 2))) / count;
}

#endif
