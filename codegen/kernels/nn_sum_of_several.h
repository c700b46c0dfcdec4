/* Sums of several arrays, in whole words: the twin of nn_sum_of_*.S */
#ifndef NN_SUM_OF_SEVERAL_H
#define NN_SUM_OF_SEVERAL_H

#include "number.h"

typedef struct {
    int inputs;
    unsigned unsigned_inputs; /* bit i: has input i no sign? */
    NN_ADDITION
} nn_sum_of_several_t;

/* `inputs` points to pointers to numbers */
NN_KERNEL void NN_NAME(sum_of_several)(void *output, const void *inputs, int words, const nn_sum_of_several_t p)
{
    const number_t *const *const x = (const number_t *const *)inputs;
    number_t *const sums = (number_t *)output;
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        accumulator_t sum = nn_begin_sum(x[0][i], p);
        for (int input = NN_NEXT_ADDEND; input < p.inputs; input++) {
            sum += nn_addend(nn_read(x[input][i], p.unsigned_inputs >> input & 1), input, p);
        }
        sums[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
