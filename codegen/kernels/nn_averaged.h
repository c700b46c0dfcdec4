/* Means of windows, channel by channel: the twin of nn_means_*.S */
#ifndef NN_AVERAGED_H
#define NN_AVERAGED_H

#include "number.h"

typedef struct {
    int channels, row, step; /* numbers from one row of the map to the next, and from one window to the next */
    int unsigned_input;      /* has the input no sign? */
    NN_AVERAGING
    NN_LIMIT
} nn_averaged_t;

NN_KERNEL void NN_NAME(averaged)(void *output, const void *input, int windows, int rows, int columns,
                                 const nn_averaged_t p)
{
    number_t *to = (number_t *)output;
    for (int window = 0; window < windows; window++) {
        for (int channel = 0; channel < p.channels; channel++) {
            const number_t *const corner = (const number_t *)input + window * p.step + channel;
            accumulator_t sum = 0;
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < columns; column++) {
                    sum += nn_read(corner[row * p.row + column * p.channels], p.unsigned_input);
                }
            }
            *to++ = (number_t)nn_limit(nn_average(sum, rows * columns, p), p);
        }
    }
}

#endif
