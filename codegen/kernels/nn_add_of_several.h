/* Sum of several arrays: a routine for whole words, which what is left over is made one of. May work in place. */
#ifndef NN_ADD_OF_SEVERAL_H
#define NN_ADD_OF_SEVERAL_H

#include <string.h>

#include "number.h"

#define NN_ADD_INPUTS 16

typedef struct {
    int elements, inputs;
    void (*sum)(void *, const void *, int); /* of whole words, from pointers to each input */
} nn_add_of_several_t;

NN_KERNEL void NN_NAME(add_of_several)(const number_t *const *inputs, number_t *output, const nn_add_of_several_t p)
{
    const int lanes = 4 / (int)sizeof(number_t), words = p.elements / lanes;
    if (words) {
        p.sum(output, inputs, words);
    }
    const int done = words * lanes;
    const size_t rest = (size_t)(p.elements - done) * sizeof(number_t);
    if (rest) { /* less than a word, made one */
        number_t last[NN_ADD_INPUTS][4 / sizeof(number_t)] NN_ALIGNED = {{0}};
        const number_t *there[NN_ADD_INPUTS];
        for (int input = 0; input < p.inputs; input++) {
            memcpy(last[input], inputs[input] + done, rest);
            there[input] = last[input];
        }
        p.sum(last[0], there, 1);
        memcpy(output + done, last[0], rest);
    }
}

#endif
