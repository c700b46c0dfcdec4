/* output = -input, saturated. May work in place. */
#ifndef NN_NEGATE_H
#define NN_NEGATE_H

#include "number.h"

typedef struct {
    int elements;
} nn_negate_t;

NN_KERNEL void NN_NAME(negate)(const number_t *input, number_t *output, const nn_negate_t p)
{
    for (int i = 0; i < p.elements; i++) {
        output[i] = clamp_to_number_t(-(accumulator_t)input[i]);
    }
}

#endif
