/* The largest number of windows, channel by channel: the twin of nn_largest_*.S */
#ifndef NN_LARGEST_H
#define NN_LARGEST_H

#include "number.h"

typedef struct {
    int channels, row, step; /* numbers from one row of the map to the next, and from one window to the next */
    int unsigned_input;      /* has the input no sign? */
    nn_activation_t activation;
    long_number_t ceiling, floor;
} nn_largest_t;

NN_KERNEL void NN_NAME(largest)(void *output, const void *input, int windows, int rows, int columns,
                                const nn_largest_t p)
{
    number_t *to = (number_t *)output;
    for (int window = 0; window < windows; window++) {
        for (int channel = 0; channel < p.channels; channel++) {
            const number_t *const corner = (const number_t *)input + window * p.step + channel;
            long_number_t best = nn_read(*corner, p.unsigned_input);
            for (int row = 0; row < rows; row++) {
                for (int column = 0; column < columns; column++) {
                    const long_number_t number = nn_read(corner[row * p.row + column * p.channels], p.unsigned_input);
                    best = number > best ? number : best;
                }
            }
            *to++ = (number_t)nn_activate(best, p.activation, p.floor, p.ceiling);
        }
    }
}

#endif
