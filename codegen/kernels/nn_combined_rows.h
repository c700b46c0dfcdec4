/* An array of numbers of 8 bits and a short row that is repeated, element by element: several rows become one. */
#ifndef NN_COMBINED_ROWS_H
#define NN_COMBINED_ROWS_H

#include "nn_combined_lanes.h"
#include "number.h"

typedef struct {
    int rows, numbers; /* of a row */
    int times;         /* rows that become one */
    int y;             /* which input is the row */
    void (*combine)(void *, const void *, const void *, int);
} nn_combined_rows_t;

NN_KERNEL void NN_NAME(combined_rows)(const number_t *const *inputs, number_t *output, void *scratch,
                                      const nn_combined_rows_t p)
{
    number_t *const row = (number_t *)scratch;
    for (int i = 0; i < p.numbers; i++) {
        row[i] = inputs[p.y][i];
    }
    for (int i = p.numbers; i < p.numbers * p.times; i++) {
        row[i] = row[i - p.numbers];
    }
    const number_t *const both[2] = {p.y ? inputs[0] : row, p.y ? row : inputs[1]};
    const nn_combined_lanes_t joined = {p.rows / p.times, p.numbers * p.times, 1, p.y, p.combine};
    NN_NAME(combined_lanes)(both, output, joined);
}

#endif
