/* Product of two arrays, element by element. May work in place. */
#ifndef NN_MULTIPLY_H
#define NN_MULTIPLY_H

#include "broadcast.h"
#include "number.h"

typedef struct {
    int elements;
    nn_broadcast_t first, second;
    unsigned unsigned_inputs; /* bit i: has input i no sign? */
    NN_PRODUCT
} nn_multiply_t;

NN_KERNEL void NN_NAME(multiply)(const number_t *const *inputs, number_t *output, const nn_multiply_t p)
{
    for (int i = 0; i < p.elements; i++) {
        const number_t x = inputs[0][nn_place(i, p.first)], y = inputs[1][nn_place(i, p.second)];
        output[i] = (number_t)nn_product(nn_read(x, p.unsigned_inputs & 1), nn_read(y, p.unsigned_inputs >> 1 & 1), p);
    }
}

#endif
