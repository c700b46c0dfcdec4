/* Sum of arrays, element by element. May work in place. */
#ifndef NN_ADD_H
#define NN_ADD_H

#include "number.h"

typedef struct {
    int elements, inputs;
    unsigned unsigned_inputs; /* bit i: has input i no sign? */
    NN_ADDITION
} nn_add_t;

NN_KERNEL void NN_NAME(add)(const number_t *const *inputs, number_t *output, const nn_add_t p)
{
    for (int i = 0; i < p.elements; i++) {
        accumulator_t sum = nn_begin_sum(inputs[0][i], p);
        for (int input = NN_NEXT_ADDEND; input < p.inputs; input++) {
            sum += nn_addend(nn_read(inputs[input][i], p.unsigned_inputs >> input & 1), input, p);
        }
        output[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
