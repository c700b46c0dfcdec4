/* The largest number of a row: what softmax begins with. */
#ifndef NN_ROW_LARGEST_H
#define NN_ROW_LARGEST_H

#include "number.h"

static inline number_t nn_row_largest(const number_t *input, int channels)
{
    number_t best = input[0];
    for (int channel = 1; channel < channels; channel++) {
        best = input[channel] > best ? input[channel] : best;
    }
    return best;
}

#endif
