/* output = activation(kernel x input + bias), a scale and an offset for each channel. May work in place. */
#ifndef NN_BATCH_NORMALIZATION_H
#define NN_BATCH_NORMALIZATION_H

#include "number.h"

typedef struct {
    int rows, channels;
    int unsigned_input; /* has the input no sign? */
    NN_FINISH
} nn_batch_normalization_t;

NN_KERNEL void NN_NAME(batch_normalization)(const number_t *input, number_t *output, const weight_t *kernel,
                                            const accumulator_t *bias, const nn_batch_normalization_t p)
{
    for (int row = 0; row < p.rows; row++) {
        for (int channel = 0; channel < p.channels; channel++) {
            const accumulator_t sum = (accumulator_t)kernel[channel] * nn_read(*input++, p.unsigned_input) + bias[channel];
            *output++ = (number_t)nn_finish(sum, channel, p);
        }
    }
}

#endif
