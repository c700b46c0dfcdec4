/* Rows of weights beside each other, float32: the twin of nn_rows_float_*.S */
#ifndef NN_ROWS_FLOAT_H
#define NN_ROWS_FLOAT_H

#include "number.h"

typedef struct {
    int inputs;
    int rows; /* of a block */
    NN_FINISH
} nn_rows_float_t;

/* weights: blocks x (rows, inputs x rows) */
NN_KERNEL void NN_NAME(rows_float)(const float *input, const float *weights, float *output, int blocks, const nn_rows_float_t p)
{
    for (int row = 0; row < blocks * p.rows; row++) {
        const float *const block = weights + row / p.rows * p.rows * (1 + p.inputs) + row % p.rows;
        float sum = block[0];
        for (int i = 0; i < p.inputs; i++) {
            sum += input[i] * block[(1 + i) * p.rows];
        }
        output[row] = nn_finish(sum, row, p);
    }
}

#endif
