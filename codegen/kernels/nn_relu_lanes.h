/* max(0, x), with or without a ceiling: a routine for whole words, and what is left one by one. May work in place. */
#ifndef NN_RELU_LANES_H
#define NN_RELU_LANES_H

#include "number.h"

typedef struct {
    int elements;
    int unsigned_input; /* has the input no sign? */
    void (*limited)(void *, const void *, int);
    NN_LIMIT
} nn_relu_lanes_t;

NN_KERNEL void NN_NAME(relu_lanes)(const number_t *input, number_t *output, const nn_relu_lanes_t p)
{
    const int lanes = 4 / (int)sizeof(number_t), words = p.elements / lanes;
    if (words) {
        p.limited(output, input, words);
    }
    for (int i = words * lanes; i < p.elements; i++) {
        output[i] = (number_t)nn_activate(nn_read(input[i], p.unsigned_input), p.activation, p.floor, p.ceiling);
    }
}

#endif
