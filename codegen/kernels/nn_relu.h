/* max(0, x), with or without a ceiling. May work in place. */
#ifndef NN_RELU_H
#define NN_RELU_H

#include "number.h"

typedef struct {
    int elements;
    int unsigned_input; /* has the input no sign? */
    NN_LIMIT
} nn_relu_t;

NN_KERNEL void NN_NAME(relu)(const number_t *input, number_t *output, const nn_relu_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = (number_t)nn_activate(nn_read(input[i], p.unsigned_input), p.activation, p.floor, p.ceiling);
    }
}

#endif
