/* One input of a concatenation: its channels go to their place in each row of the output. */
#ifndef NN_CONCATENATE_H
#define NN_CONCATENATE_H

#include "number.h"

typedef struct {
    int rows, channels;
    int output_channels, offset;
    int unsigned_input; /* has the input no sign? */
    NN_CONVERSION
} nn_concatenate_t;

NN_KERNEL void NN_NAME(concatenate)(const number_t *restrict input, number_t *restrict output, const nn_concatenate_t p)
{
    for (int row = 0; row < p.rows; row++) {
        for (int channel = 0; channel < p.channels; channel++) {
            const long_number_t x = nn_read(*input++, p.unsigned_input);
            output[row * p.output_channels + p.offset + channel] = (number_t)nn_convert(x, p);
        }
    }
}

#endif
