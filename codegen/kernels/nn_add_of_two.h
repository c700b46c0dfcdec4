/* Sum of two arrays: a routine for whole words, and what is left one by one. May work in place. */
#ifndef NN_ADD_OF_TWO_H
#define NN_ADD_OF_TWO_H

#include "nn_sum_of_two.h"

typedef struct {
    int elements;
    int y;                    /* which input is on the coarser scale */
    unsigned unsigned_inputs; /* of x and y, like all that follows */
    void (*sum)(void *, const void *, const void *, int);
    NN_ADDITION
} nn_add_of_two_t;

NN_KERNEL void NN_NAME(add_of_two)(const number_t *const *inputs, number_t *output, const nn_add_of_two_t p)
{
    const int lanes = 4 / (int)sizeof(number_t), words = p.elements / lanes;
    const number_t *const both[2] = {inputs[1 - p.y], inputs[p.y]};
    if (words) {
        p.sum(output, both[0], both[1], words);
    }
    for (int i = words * lanes; i < p.elements; i++) {
        accumulator_t sum = nn_begin_sum(both[0][i], p);
        for (int input = NN_NEXT_ADDEND; input < 2; input++) {
            sum += nn_addend(nn_read(both[input][i], p.unsigned_inputs >> input & 1), input, p);
        }
        output[i] = (number_t)nn_finish(sum, 0, p);
    }
}

#endif
