/* Sums of two arrays, in whole words: the twin of nn_sum_*.S */
#ifndef NN_SUM_OF_TWO_H
#define NN_SUM_OF_TWO_H

#include "number.h"

typedef struct {
    unsigned unsigned_inputs; /* bit 0: has x no sign? bit 1: has y none? */
    NN_ADDITION
} nn_sum_of_two_t;

NN_KERNEL void NN_NAME(sum_of_two)(void *output, const void *x, const void *y, int words, const nn_sum_of_two_t p)
{
    const number_t *const inputs[2] = {(const number_t *)x, (const number_t *)y};
    number_t *const sums = (number_t *)output;
    for (int i = 0; i < words * 4 / (int)sizeof(number_t); i++) {
        accumulator_t sum = nn_begin_sum(inputs[0][i], p);
        for (int input = NN_NEXT_ADDEND; input < 2; input++) {
            sum += nn_addend(nn_read(inputs[input][i], p.unsigned_inputs >> input & 1), input, p);
        }
        sums[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
