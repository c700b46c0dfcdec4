/* Mean of each window; padding never counts. */
#ifndef NN_AVERAGE_POOLING_H
#define NN_AVERAGE_POOLING_H

#include "nn_window.h"
#include "number.h"

typedef struct {
    int input_height, input_width, input_channels;
    int output_height, output_width;
    int window_height, window_width, stride_height, stride_width;
    int padding_top, padding_left;
    int unsigned_input; /* has the input no sign? */
    NN_AVERAGING
    NN_LIMIT
} nn_average_pooling_t;

NN_KERNEL void NN_NAME(average_pooling)(const number_t *restrict input, number_t *restrict output,
                                        const nn_average_pooling_t p)
{
    for (int y = 0; y < p.output_height; y++) {
        const nn_range_t rows = nn_range(y * p.stride_height - p.padding_top, p.window_height, p.input_height);
        for (int x = 0; x < p.output_width; x++) {
            const nn_range_t columns = nn_range(x * p.stride_width - p.padding_left, p.window_width, p.input_width);
            const int count = (rows.end - rows.first) * (columns.end - columns.first);
            for (int channel = 0; channel < p.input_channels; channel++) {
                accumulator_t sum = 0;
                for (int row = rows.start + rows.first; row < rows.start + rows.end; row++) {
                    for (int column = columns.start + columns.first; column < columns.start + columns.end; column++) {
                        const int index = (row * p.input_width + column) * p.input_channels + channel;
                        sum += nn_read(input[index], p.unsigned_input);
                    }
                }
                *output++ = (number_t)nn_limit(nn_average(sum, count, p), p);
            }
        }
    }
}

#endif
