/* A plane in the middle of a larger one of zeros. */
#ifndef NN_ZERO_PADDING_H
#define NN_ZERO_PADDING_H

#include "number.h"

typedef struct {
    int input_height, input_width, channels;
    int output_height, output_width;
    int padding_top, padding_left;
    int zero; /* what stands for it */
} nn_zero_padding_t;

NN_KERNEL void NN_NAME(zero_padding)(const number_t *restrict input, number_t *restrict output, const nn_zero_padding_t p)
{
    for (int y = 0; y < p.output_height; y++) {
        for (int x = 0; x < p.output_width; x++) {
            const int row = y - p.padding_top, column = x - p.padding_left;
            const int inside = row >= 0 && row < p.input_height && column >= 0 && column < p.input_width;
            for (int channel = 0; channel < p.channels; channel++) {
                *output++ = inside ? *input++ : (number_t)p.zero;
            }
        }
    }
}

#endif
