/* Sum of arrays, element by element. May work in place. */
#ifndef NN_ADD_H
#define NN_ADD_H

#include "number.h"

#define NN_ADD_INPUTS_MAX 16

typedef struct {
    int elements, inputs;
    int shifts[NN_ADD_INPUTS_MAX]; /* of each input to the scale of the sum, to the left */
    int shift;                     /* from there to the output's, to the right */
    int rounding;                  /* added before that */
    nn_activation_t activation;
    number_t ceiling;
} nn_add_t;

NN_KERNEL void NN_NAME(add)(const number_t *const *inputs, number_t *output, const nn_add_t p)
{
    for (int i = 0; i < p.elements; i++) {
#if NN_NUMBER_BITS == 0
        float sum = inputs[0][i];
        for (int input = 1; input < p.inputs; input++) {
            sum += inputs[input][i];
        }
#else
        accumulator_t sum = p.rounding;
        for (int input = 0; input < p.inputs; input++) {
            sum += nn_shift(inputs[input][i], p.shifts[input]);
        }
#endif
        output[i] = nn_finish(sum, p.shift, p.activation, p.ceiling);
    }
}

#endif
