/* Softmax over the last axis of affine numbers of 16 bits, bit for bit as TensorFlow Lite Micro. May work in place. */
#ifndef NN_WIDE_SOFTMAX_H
#define NN_WIDE_SOFTMAX_H

#include "affine_wide.h"
#include "factors.h"
#include "nn_row_largest.h"
#include "number.h"

#if NN_NUMBER_BITS > 8
typedef struct {
    int rows, channels;
    nn_factor_t factor; /* of distances to the largest number of a row */
} nn_wide_softmax_t;

/* Tables of 513 entries: e^x for x from -10 to 0, and 1 / (1 + x) for x from 0 to 1. */
NN_KERNEL void NN_NAME(wide_softmax)(const number_t *input, number_t *output, const int16_t *powers,
                                     const int16_t *reciprocals, const nn_wide_softmax_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const int best = nn_row_largest(input, p.channels);
        int32_t sum = 0;
        for (int channel = 0; channel < p.channels; channel++) {
            const int64_t x = (int64_t)nn_scaled(input[channel] - best, p.factor) + 32767;
            /* Above 32767, too: of steps so large that a distance does not fit into 32 bits. */
            const int32_t power = nn_wide_entry(x > 32767 ? 32767 : x < -32768 ? -32768 : (int32_t)x, powers);
            output[channel] = (number_t)power;
            sum += power;
        }
        const int zeros = __builtin_clz((unsigned)sum);
        const int32_t high = (int32_t)((((uint32_t)sum << (zeros - 1)) + (1u << 13)) >> 14); /* 1 to 2 as Q.16 */
        const int32_t place = high - (1 << 15) - (1 << 16);
        const int32_t scale = nn_wide_entry(place > 32767 ? 32767 : place < -32768 ? -32768 : place, reciprocals);
        for (int channel = 0; channel < p.channels; channel++) {
            const int32_t y = (output[channel] * scale + (int32_t)((1u << (31 - zeros)) >> 1)) >> (31 - zeros);
            output[channel] = clamp_to_number_t(y < 0 ? 0 : y);
        }
        input += p.channels;
        output += p.channels;
    }
}
#endif

#endif
