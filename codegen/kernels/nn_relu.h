/* max(0, x), with or without a ceiling. May work in place. */
#ifndef NN_RELU_H
#define NN_RELU_H

#include "number.h"

typedef struct {
    int elements;
    NN_LIMIT
} nn_relu_t;

NN_KERNEL void NN_NAME(relu)(const number_t *input, number_t *output, const nn_relu_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = (number_t)nn_activate(input[i], p.activation, p.ceiling);
    }
}

#endif
