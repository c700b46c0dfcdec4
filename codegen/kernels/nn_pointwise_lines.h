/* A function of numbers of 16 bits: a routine for whole words, and what is left one by one. May work in place. */
#ifndef NN_POINTWISE_LINES_H
#define NN_POINTWISE_LINES_H

#include "lookup.h"
#include "number.h"

#if NN_NUMBER_BITS > 8
typedef struct {
    int elements;
    void (*look_up)(void *, const void *, const void *, int);
    NN_LOOKUP(lookup)
} nn_pointwise_lines_t;

NN_KERNEL void NN_NAME(pointwise_lines)(const number_t *input, number_t *output, const number_t *table,
                                        const nn_pointwise_lines_t p)
{
    const int words = p.elements / 2;
    if (words) {
        p.look_up(output, input, table, words);
    }
    if (p.elements % 2) {
        output[p.elements - 1] = nn_look_up(input[p.elements - 1], table, p.lookup);
    }
}
#endif

#endif
