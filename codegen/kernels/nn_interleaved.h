/* Rows of outputs out of a map whose positions hold several of them: phases of rows, in each phases of columns. */
#ifndef NN_INTERLEAVED_H
#define NN_INTERLEAVED_H

#include <string.h>

#include "number.h"

typedef struct {
    int rows;        /* of the output */
    int row_numbers; /* in one of them */
    int phases;      /* of rows */
    int runs;        /* positions of the map beside each other */
    int run;         /* numbers of such a position that lie side by side in the output, the last in part */
} nn_interleaved_t;

NN_KERNEL void NN_NAME(interleaved)(const number_t *restrict input, number_t *restrict output, const nn_interleaved_t p)
{
    for (int row = 0; row < p.rows; row++) {
        const number_t *from = input + (row / p.phases * p.runs * p.phases + row % p.phases) * p.run;
        for (int run = 0; run < p.row_numbers / p.run; run++) {
            memcpy(output, from, (size_t)p.run * sizeof(number_t));
            output += p.run;
            from += p.phases * p.run;
        }
        if (p.row_numbers % p.run) {
            memcpy(output, from, (size_t)(p.row_numbers % p.run) * sizeof(number_t));
            output += p.row_numbers % p.run;
        }
    }
}

#endif
