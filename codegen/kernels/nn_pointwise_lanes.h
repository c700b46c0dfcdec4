/* A function of numbers of 8 bits: a routine for whole words, and what is left one by one. May work in place. */
#ifndef NN_POINTWISE_LANES_H
#define NN_POINTWISE_LANES_H

#include "number.h"

typedef struct {
    int elements;
    void (*look_up)(void *, const void *, const void *, int);
} nn_pointwise_lanes_t;

/* table: 256 results, by numbers as if they had no sign */
NN_KERNEL void NN_NAME(pointwise_lanes)(const number_t *input, number_t *output, const number_t *table,
                                        const nn_pointwise_lanes_t p)
{
    const int words = p.elements / 4;
    if (words) {
        p.look_up(output, input, table, words);
    }
    for (int i = 4 * words; i < p.elements; i++) {
        output[i] = table[(uint8_t)input[i]];
    }
}

#endif
