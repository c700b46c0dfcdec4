/* Product of two arrays: a routine for whole words, and what is left one by one. May work in place. */
#ifndef NN_MULTIPLY_LANES_H
#define NN_MULTIPLY_LANES_H

#include "number.h"

typedef struct {
    int rows, numbers; /* of a row */
    int y;             /* which input is the same in all rows */
    void (*product)(void *, const void *, const void *, int);
    NN_PRODUCT
} nn_multiply_lanes_t;

NN_KERNEL void NN_NAME(multiply_lanes)(const number_t *const *inputs, number_t *output, const nn_multiply_lanes_t p)
{
    const int lanes = 4 / (int)sizeof(number_t), words = p.numbers / lanes;
    const number_t *x = inputs[1 - p.y], *const y = inputs[p.y];
    for (int row = 0; row < p.rows; row++) {
        if (words) {
            p.product(output, x, y, words);
        }
        for (int i = words * lanes; i < p.numbers; i++) {
            output[i] = (number_t)nn_product(x[i], y[i], p);
        }
        x += p.numbers;
        output += p.numbers;
    }
}

#endif
