/* Softmax over the last axis. May work in place. */
#ifndef NN_SOFTMAX_H
#define NN_SOFTMAX_H

#include "nn_row_largest.h"
#include "number.h"

typedef struct {
    int rows, channels;
    int fraction; /* of the output */
} nn_softmax_t;

#if NN_NUMBER_BITS == 0
#include "functions.h"

NN_KERNEL void NN_NAME(softmax)(const number_t *input, number_t *output, const nn_softmax_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const float best = nn_row_largest(input, p.channels);
        float sum = 0.0f;
        for (int channel = 0; channel < p.channels; channel++) {
            output[channel] = nn_exponential(input[channel] - best);
            sum += output[channel];
        }
        for (int channel = 0; channel < p.channels; channel++) {
            output[channel] /= sum;
        }
        input += p.channels;
        output += p.channels;
    }
}
#else
/* e^-distance in units of 2^-15, from a table for the high byte of the distance, whose first entry is 1, and one for the
 * low byte */
static inline uint32_t nn_power(int distance, const uint16_t *high, const uint16_t *low)
{
    return NN_NUMBER_BITS <= 8 ? low[distance] : (uint32_t)high[distance >> 8] * low[distance & 255] >> 15;
}

NN_KERNEL void NN_NAME(softmax)(const number_t *input, number_t *output, const uint16_t *high, const uint16_t *low,
                                const nn_softmax_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const int best = nn_row_largest(input, p.channels);
        uint32_t sum = 0;
        for (int channel = 0; channel < p.channels; channel++) {
            const uint32_t power = nn_power(best - input[channel], high, low);
            sum += power;
            if (sizeof(number_t) > 1) { /* else it has no room there */
                output[channel] = (number_t)power;
            }
        }
        for (int channel = 0; channel < p.channels; channel++) {
            const uint32_t power =
                sizeof(number_t) > 1 ? (uint16_t)output[channel] : nn_power(best - input[channel], high, low);
            output[channel] = clamp_to_number_t((accumulator_t)((power << p.fraction) / sum));
        }
        input += p.channels;
        output += p.channels;
    }
}
#endif

#endif
