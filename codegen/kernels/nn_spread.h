/* Columns of a window, spread so that several windows lie side by side: the twin of nn_spread_*.S */
#ifndef NN_SPREAD_H
#define NN_SPREAD_H

#include "number.h"

typedef struct {
    int channels, column; /* numbers of a column, and from one column of the input to the next */
    int step;             /* from one number of the output to the next */
} nn_spread_t;

NN_KERNEL void NN_NAME(spread)(number_t *to, const number_t *from, int columns, const nn_spread_t p)
{
    for (int column = 0; column < columns; column++) {
        for (int i = 0; i < p.channels; i++, to += p.step) {
            *to = from[column * p.column + i];
        }
    }
}

#endif
