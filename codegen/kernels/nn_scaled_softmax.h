/* Softmax over the last axis of affine numbers, bit for bit as TensorFlow Lite Micro. May work in place. */
#ifndef NN_SCALED_SOFTMAX_H
#define NN_SCALED_SOFTMAX_H

#include "nn_row_largest.h"
#include "number.h"
#include "reciprocal.h"

typedef struct {
    int rows, channels;
    int count; /* of powers */
} nn_scaled_softmax_t;

#if NN_NUMBER_BITS != 0
/* powers: e^-distance as Q0.31, for distances to the largest number of a row; what is farther away counts as nothing. */
NN_KERNEL void NN_NAME(scaled_softmax)(const number_t *input, number_t *output, const int32_t *powers,
                                       const nn_scaled_softmax_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const int best = nn_row_largest(input, p.channels);
        int32_t sum = 0;
        for (int channel = 0; channel < p.channels; channel++) {
            const int distance = best - input[channel];
            sum += distance < p.count ? (int32_t)(((uint32_t)powers[distance] + (1u << 11)) >> 12) : 0;
        }
        const int zeros = __builtin_clz((unsigned)sum);
        const int shift = 12 - zeros + 31 - NN_NUMBER_BITS; /* no product is below 0 */
        const int32_t scale = nn_reciprocal((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
        for (int channel = 0; channel < p.channels; channel++) {
            const int distance = best - input[channel];
            const uint32_t product =
                distance < p.count ? (uint32_t)(((uint64_t)(uint32_t)scale * (uint32_t)powers[distance] + (1u << 30)) >> 31) : 0;
            /* Of 512 channels or more a share may be below half a step, whatever the product: no shift of 32 bits says that. */
            const int32_t y = p.channels < 512 || shift < 32 ? (int32_t)((product + (1u << (shift - 1))) >> shift) : 0;
            output[channel] = clamp_to_number_t(y + NUMBER_MIN);
        }
        input += p.channels;
        output += p.channels;
    }
}
#endif

#endif
