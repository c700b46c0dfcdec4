/* An output that is the input seen with another shape, where it may not share its memory. */
#ifndef NN_COPY_H
#define NN_COPY_H

#include "number.h"

typedef struct {
    int elements;
} nn_copy_t;

NN_KERNEL void NN_NAME(copy)(const number_t *restrict input, number_t *restrict output, const nn_copy_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = input[i];
    }
}

#endif
